//! The network: what a user evaluates.

use core::marker::PhantomData;

use nalgebra::{ArrayStorage, Const, SMatrix, SVector};

use crate::{
    layer::{Layer, units},
    order::{Auto, Order},
    scalar::Scalar,
    shape::Shape,
    workspace::{TOO_SHORT, Workspace},
};

/// A feed-forward network: layers, and the means to evaluate them. `O` is the order in which it
/// accumulates its Jacobian, by default the cheapest.
///
/// Its weights are read where they lie; as a `static` they stay in flash.
#[derive(Debug, Clone, PartialEq)]
pub struct Network<L, O = Auto> {
    layers: L,
    order: PhantomData<O>,
}

impl<L> Network<L> {
    /// The network of these layers: a [`Dense`](crate::Dense), a [`chain!`](crate::chain!) or an
    /// array. Its Jacobian is accumulated in the order with the fewest multiply-adds.
    pub const fn new(layers: L) -> Self {
        Self::with_order(layers)
    }
}

impl<L, O> Network<L, O> {
    /// The network of these layers with the order of accumulation that its type names:
    /// `Network<_, Forward>::with_order(layers)`.
    pub const fn with_order(layers: L) -> Self {
        Self {
            layers,
            order: PhantomData,
        }
    }

    /// Its layers.
    pub const fn layers(&self) -> &L {
        &self.layers
    }
}

/// What [`Network::evaluate`] returns: the value, and the Jacobian by all inputs or by those chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation<T, const IN: usize, const OUT: usize> {
    /// The output y of the network.
    pub value: SVector<T, OUT>,
    /// `jacobian[(i, j)]` = ∂ output i / ∂ input j.
    pub jacobian: SMatrix<T, OUT, IN>,
}

/// What [`Network::jvp`] returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jvp<T, const OUT: usize> {
    /// The output y of the network.
    pub value: SVector<T, OUT>,
    /// J·v: how the output changes along v.
    pub tangent: SVector<T, OUT>,
}

/// What [`Network::vjp`] returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vjp<T, const IN: usize, const OUT: usize> {
    /// The output y of the network.
    pub value: SVector<T, OUT>,
    /// Jᵀ·w: the gradient of w·y by the input.
    pub cotangent: SVector<T, IN>,
}

impl<L, O, const IN: usize, const OUT: usize> Network<L, O>
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
    O: Order,
{
    /// Inputs.
    pub const INPUTS: usize = IN;
    /// Outputs.
    pub const OUTPUTS: usize = OUT;
    /// The sizes of its layers, from which all counts follow.
    pub const SHAPE: Shape<'static> = L::SHAPE;
    /// Layers of every kind; one that holds others, a [`Residual`](crate::Residual) or a
    /// [`Concat`](crate::Concat), counts as one.
    pub const DEPTH: usize = L::SHAPE.depth();
    /// Weights and biases.
    pub const PARAMETERS: usize = L::SHAPE.parameters();

    /// Forward accumulation ends and reverse accumulation begins after this layer: 0 is reverse
    /// alone, [`DEPTH`](Self::DEPTH) forward alone.
    pub const CUT: usize = Self::columns_cut(IN);

    /// Multiply-adds of the value, of one Jacobian-vector or vector-Jacobian product beside it, too.
    pub const VALUE_MULTIPLY_ADDS: usize = L::SHAPE.value_multiply_adds();
    /// Multiply-adds that the Jacobian takes beside the value, in the order of this network.
    pub const JACOBIAN_MULTIPLY_ADDS: usize = L::SHAPE.jacobian_multiply_adds(Self::CUT, IN);
    /// The same in [`Forward`](crate::Forward) order.
    pub const FORWARD_MULTIPLY_ADDS: usize = L::SHAPE.jacobian_multiply_adds(Self::DEPTH, IN);
    /// The same in [`Reverse`](crate::Reverse) order.
    pub const REVERSE_MULTIPLY_ADDS: usize = L::SHAPE.jacobian_multiply_adds(0, IN);

    /// Numbers of scratch memory that [`value`](Self::value) takes: two columns as long as the
    /// input or the widest layer.
    pub const VALUE_WORKSPACE: usize = L::SHAPE.value_workspace();
    /// Numbers of scratch memory that [`evaluate`](Self::evaluate) takes, at least
    /// [`VALUE_WORKSPACE`](Self::VALUE_WORKSPACE): two panels; for reverse accumulation a slope for
    /// each neuron after the cut; for a cut inside the network the tangents there.
    ///
    /// A panel holds what is the most of: 1 + `INPUTS` columns as long as the widest layer up to the
    /// cut; one column as long as the widest of all; and, in reverse, `OUTPUTS` numbers for each
    /// neuron of the widest layer from the cut on (the last left out) and for each input.
    pub const WORKSPACE: usize = L::SHAPE.workspace(Self::CUT, IN);
    /// Numbers of scratch memory that [`jvp`](Self::jvp) takes.
    pub const JVP_WORKSPACE: usize = L::SHAPE.jvp_workspace();
    /// Numbers of scratch memory that [`vjp`](Self::vjp) takes.
    pub const VJP_WORKSPACE: usize = L::SHAPE.vjp_workspace();

    /// Where forward accumulation ends for `columns` columns of the Jacobian: few columns may be
    /// cheaper forward than all of them are.
    pub const fn columns_cut(columns: usize) -> usize {
        match O::CUT {
            None => L::SHAPE.best_cut(columns),
            Some(cut) if cut < L::SHAPE.depth() && L::SHAPE.has_orders() => cut,
            Some(_) => L::SHAPE.depth(),
        }
    }

    /// Multiply-adds that `columns` columns of the Jacobian take beside the value:
    /// [`columns`](Self::columns).
    pub const fn columns_multiply_adds(columns: usize) -> usize {
        L::SHAPE.jacobian_multiply_adds(Self::columns_cut(columns), columns)
    }

    /// Numbers of scratch memory that [`columns`](Self::columns) takes for this many.
    pub const fn columns_workspace(columns: usize) -> usize {
        L::SHAPE.workspace(Self::columns_cut(columns), columns)
    }

    /// The output for the input `x`. Never panics.
    pub fn value<const LEN: usize>(
        &self,
        x: &SVector<L::Scalar, IN>,
        workspace: &mut Workspace<L::Scalar, LEN>,
    ) -> SVector<L::Scalar, OUT> {
        const {
            assert!(
                LEN >= Self::VALUE_WORKSPACE,
                "the workspace is too small for `value`: its length is Network::VALUE_WORKSPACE"
            );
        }
        let panel = const { L::SHAPE.value_panel() };
        let spare = const { L::SHAPE.spare_of(1) };
        let (mut panels, _, _) = workspace.parts(panel, spare, 0);
        write(panels.front, x);
        self.layers.values(&mut panels);
        read(panels.front)
    }

    /// The output for the input `x` and its Jacobian there, in one pass. The value has the bits
    /// that [`value`](Self::value) gives. Never panics.
    pub fn evaluate<const LEN: usize>(
        &self,
        x: &SVector<L::Scalar, IN>,
        workspace: &mut Workspace<L::Scalar, LEN>,
    ) -> Evaluation<L::Scalar, IN, OUT> {
        const {
            assert!(
                LEN >= Self::WORKSPACE,
                "the workspace is too small for `evaluate`: its length is Network::WORKSPACE"
            );
        }
        self.run::<IN, _, _>(x, 0, workspace, evaluation)
    }

    /// As [`evaluate`](Self::evaluate), for a caller that stores the Jacobian in a layout of its own:
    /// the value is written to `value`, and the Jacobian stays where it was computed, in the
    /// workspace. What is returned are its `INPUTS` columns, `columns[j][i]` = ∂ output i / ∂ input j.
    /// Never panics.
    ///
    /// ```
    /// use fnn_core::{Dense, Network, SVector, Tanh, Workspace};
    ///
    /// type Layer = Network<Dense<f32, 2, 1, Tanh>>;
    /// static LAYER: Layer = Network::new(Dense::new([[0.5, -0.2]], [0.1], Tanh));
    ///
    /// let mut workspace = Workspace::<f32, { Layer::WORKSPACE }>::new();
    /// let (x, mut y) = (SVector::from([0.3, -0.6]), [0.0]);
    /// let columns = LAYER.evaluate_in_workspace(&x, &mut y, &mut workspace);
    /// let slope = 1.0 - y[0] * y[0];
    /// assert!((columns[0][0] - 0.5 * slope).abs() < 1e-6);
    /// assert!((columns[1][0] + 0.2 * slope).abs() < 1e-6);
    /// ```
    pub fn evaluate_in_workspace<'w, const LEN: usize>(
        &self,
        x: &SVector<L::Scalar, IN>,
        value: &mut [L::Scalar; OUT],
        workspace: &'w mut Workspace<L::Scalar, LEN>,
    ) -> &'w [[L::Scalar; OUT]] {
        const {
            assert!(
                LEN >= Self::WORKSPACE,
                "the workspace is too small for `evaluate_in_workspace`: its length is Network::WORKSPACE"
            );
        }
        let (found, jacobian) = self.run::<IN, _, _>(x, 0, workspace, |y, jacobian| (y, jacobian));
        *value = found.data.0[0];
        columns::<_, OUT, IN>(jacobian)
    }

    /// The output for the input `x` and the columns of its Jacobian there by the `COLS` inputs from
    /// `FIRST` on: `network.columns::<4, 2, _>(&x, &mut workspace)` for ∂/∂x₄ and ∂/∂x₅. What the
    /// other columns alone would need is not computed. Never panics.
    ///
    /// The order is the cheapest for so many columns, or the one that the network's type names; in
    /// the same order a column has the bits that it has in [`evaluate`](Self::evaluate).
    pub fn columns<const FIRST: usize, const COLS: usize, const LEN: usize>(
        &self,
        x: &SVector<L::Scalar, IN>,
        workspace: &mut Workspace<L::Scalar, LEN>,
    ) -> Evaluation<L::Scalar, COLS, OUT> {
        const {
            assert!(
                COLS > 0 && FIRST + COLS <= IN,
                "the chosen columns are not all among the inputs"
            );
            assert!(
                LEN >= Self::columns_workspace(COLS),
                "the workspace is too small for `columns`: its length is Network::columns_workspace(COLS)"
            );
        }
        self.run::<COLS, _, _>(x, FIRST, workspace, evaluation)
    }

    /// As [`columns`](Self::columns), from an input on that is chosen at run time, with the columns left
    /// in the workspace as by [`evaluate_in_workspace`](Self::evaluate_in_workspace); `None`, with
    /// nothing computed, where they are not all among the inputs. Never panics.
    pub fn columns_in_workspace<'w, const COLS: usize, const LEN: usize>(
        &self,
        x: &SVector<L::Scalar, IN>,
        first: usize,
        value: &mut [L::Scalar; OUT],
        workspace: &'w mut Workspace<L::Scalar, LEN>,
    ) -> Option<&'w [[L::Scalar; OUT]]> {
        const {
            assert!(
                COLS > 0 && COLS <= IN,
                "the number of columns is not 1 to INPUTS"
            );
            assert!(
                LEN >= Self::columns_workspace(COLS),
                "the workspace is too small for `columns_in_workspace`: its length is \
                 Network::columns_workspace(COLS)"
            );
        }
        if first > IN - COLS {
            return None;
        }
        let (found, jacobian) =
            self.run::<COLS, _, _>(x, first, workspace, |y, jacobian| (y, jacobian));
        *value = found.data.0[0];
        Some(columns::<_, OUT, COLS>(jacobian))
    }

    /// Value, and the columns of the Jacobian from `first` on, so many: not inlined where several calls
    /// share it, since it is nearly all of the code.
    #[inline(always)]
    fn run<'w, const COLS: usize, const LEN: usize, R>(
        &self,
        x: &SVector<L::Scalar, IN>,
        first: usize,
        workspace: &'w mut Workspace<L::Scalar, LEN>,
        take: impl FnOnce(SVector<L::Scalar, OUT>, &'w [L::Scalar]) -> R,
    ) -> R {
        let cut = const { Self::columns_cut(COLS) };
        let panel = const { L::SHAPE.panel(Self::columns_cut(COLS), COLS) };
        let spare = const { L::SHAPE.spare(Self::columns_cut(COLS), COLS) };
        let tape = const { L::SHAPE.tape(Self::columns_cut(COLS)) };
        let (mut panels, mut tape, kept) = workspace.parts(panel, spare, tape);
        write(panels.front, x);
        if const { Self::columns_cut(COLS) == Self::DEPTH } {
            self.layers.first_tangents::<COLS>(first, cut, &mut panels);
            let tangents = panels.front.get(OUT..).unwrap_or_default();
            return take(read(panels.front), tangents);
        }
        if const { Self::columns_cut(COLS) > 0 } {
            self.layers.first_tangents::<COLS>(first, cut, &mut panels);
            let after = const { L::SHAPE.size(Self::columns_cut(COLS)) };
            debug_assert!(kept.len() >= COLS * after, "{TOO_SHORT}");
            debug_assert!(panels.front.len() >= (1 + COLS) * after, "{TOO_SHORT}");
            for (kept, &tangent) in kept.iter_mut().zip(panels.front.iter().skip(after)) {
                *kept = tangent;
            }
        }
        self.layers.slopes(cut, &mut panels, &mut tape);
        let value = read(panels.front);
        let start = const { max(1, Self::columns_cut(COLS)) };
        if const { Self::DEPTH == 1 } {
            units::<_, OUT>(panels.front, OUT, 0);
        } else {
            self.layers
                .last_cotangents::<OUT>(start, &mut panels, &mut tape);
        }
        if const { Self::columns_cut(COLS) == 0 } {
            self.layers
                .first_cotangents::<OUT, COLS>(first, &mut panels, &mut tape);
        } else {
            self.layers.join::<OUT, COLS>(cut, &mut panels, kept);
        }
        take(value, panels.front)
    }

    /// The output for the input `x` and the product of its Jacobian there with the tangent `v`, at
    /// the cost of two values and no Jacobian. Never panics.
    pub fn jvp<const LEN: usize>(
        &self,
        x: &SVector<L::Scalar, IN>,
        v: &SVector<L::Scalar, IN>,
        workspace: &mut Workspace<L::Scalar, LEN>,
    ) -> Jvp<L::Scalar, OUT> {
        const {
            assert!(
                LEN >= Self::JVP_WORKSPACE,
                "the workspace is too small for `jvp`: its length is Network::JVP_WORKSPACE"
            );
        }
        let panel = const { 2 * L::SHAPE.value_panel() };
        let spare = const { L::SHAPE.spare_of(2) };
        let (mut panels, _, _) = workspace.parts(panel, spare, 0);
        write(panels.front, x);
        write(panels.front.get_mut(IN..).unwrap_or_default(), v);
        self.layers.tangents::<1>(usize::MAX, &mut panels);
        Jvp {
            value: read(panels.front),
            tangent: read(panels.front.get(OUT..).unwrap_or_default()),
        }
    }

    /// The output for the input `x` and the product of the cotangent `w` with its Jacobian there,
    /// wᵀ·J, at the cost of two values and no Jacobian. Never panics.
    pub fn vjp<const LEN: usize>(
        &self,
        x: &SVector<L::Scalar, IN>,
        w: &SVector<L::Scalar, OUT>,
        workspace: &mut Workspace<L::Scalar, LEN>,
    ) -> Vjp<L::Scalar, IN, OUT> {
        const {
            assert!(
                LEN >= Self::VJP_WORKSPACE,
                "the workspace is too small for `vjp`: its length is Network::VJP_WORKSPACE"
            );
        }
        let panel = const { L::SHAPE.value_panel() };
        let spare = const { L::SHAPE.spare_of(1) };
        let tape = const { L::SHAPE.tape(0) };
        let (mut panels, mut tape, _) = workspace.parts(panel, spare, tape);
        write(panels.front, x);
        self.layers.slopes(0, &mut panels, &mut tape);
        let value = read(panels.front);
        write(panels.front, w);
        self.layers.cotangents::<1>(0, &mut panels, &mut tape);
        Vjp {
            value,
            cotangent: read(panels.front),
        }
    }
}

/// Write the numbers of a matrix, column by column, where there is room for them.
#[inline(always)]
fn write<T: Scalar, const ROWS: usize, const COLS: usize>(
    numbers: &mut [T],
    matrix: &SMatrix<T, ROWS, COLS>,
) {
    debug_assert!(numbers.len() >= ROWS * COLS, "{TOO_SHORT}");
    for (number, &x) in numbers.iter_mut().zip(matrix.data.as_slice()) {
        *number = x;
    }
}

/// The matrix of the first numbers, column by column.
#[inline(always)]
fn read<T: Scalar, const ROWS: usize, const COLS: usize>(numbers: &[T]) -> SMatrix<T, ROWS, COLS> {
    debug_assert!(numbers.len() >= ROWS * COLS, "{TOO_SHORT}");
    let mut matrix = SMatrix::from_array_storage(ArrayStorage([[T::ZERO; ROWS]; COLS]));
    for (x, &number) in matrix.data.as_mut_slice().iter_mut().zip(numbers) {
        *x = number;
    }
    matrix
}

/// The first numbers as the columns of a matrix.
#[inline(always)]
fn columns<T: Scalar, const ROWS: usize, const COLS: usize>(numbers: &[T]) -> &[[T; ROWS]] {
    debug_assert!(numbers.len() >= ROWS * COLS, "{TOO_SHORT}");
    let (columns, _) = numbers.as_chunks();
    columns.get(..COLS).unwrap_or_default()
}

/// What `run` leaves in the workspace, taken out of it.
#[inline(always)]
fn evaluation<T: Scalar, const COLS: usize, const OUT: usize>(
    value: SVector<T, OUT>,
    jacobian: &[T],
) -> Evaluation<T, COLS, OUT> {
    Evaluation {
        value,
        jacobian: read(jacobian),
    }
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Chain, Cut, Dense, Forward, Identity, Reverse, chain,
        counted::{self, Counted},
    };

    #[test]
    fn a_sum_keeps_the_sign_of_zero() {
        type Pair = Network<Chain![Dense<f32, 1, 1, Identity>, Dense<f32, 1, 1, Identity>]>;
        let layer = Dense::new([[1.0]], [-0.0], Identity);
        let network = Pair::new(chain![layer.clone(), layer]);
        let mut workspace = Workspace::<f32, { Pair::WORKSPACE }>::new();
        let x = SVector::from([-0.0_f32]);
        let y = network.evaluate(&x, &mut workspace);
        assert_eq!(y.value[0].to_bits(), (-0.0_f32).to_bits());
        assert_eq!(
            network.value(&x, &mut workspace)[0].to_bits(),
            (-0.0_f32).to_bits()
        );
        assert_eq!(y.jacobian[(0, 0)], 1.0);
    }

    /// What is computed is what the constants of the type say, no multiply-add more.
    #[test]
    fn every_count_is_exact() {
        fn dense<const IN: usize, const OUT: usize>() -> Dense<Counted, IN, OUT, Identity> {
            Dense::new([[Counted(0.5); IN]; OUT], [Counted(1.0); OUT], Identity)
        }
        fn check<L, O, const IN: usize, const OUT: usize>(layers: L)
        where
            L: Layer<Scalar = Counted, Input = Const<IN>, Output = Const<OUT>>,
            O: Order,
        {
            let network = Network::<L, O>::with_order(layers);
            let mut workspace = Workspace::<_, 4096>::new();
            let (x, w) = (
                SVector::from([Counted(1.0); IN]),
                SVector::from([Counted(1.0); OUT]),
            );
            let value = Network::<L, O>::VALUE_MULTIPLY_ADDS;
            counted::additions();
            network.value(&x, &mut workspace);
            assert_eq!(counted::additions(), value);
            network.evaluate(&x, &mut workspace);
            let jacobian = Network::<L, O>::JACOBIAN_MULTIPLY_ADDS;
            assert_eq!(counted::additions(), value + jacobian);
            network.columns::<1, 2, _>(&x, &mut workspace);
            let columns = Network::<L, O>::columns_multiply_adds(2);
            assert_eq!(counted::additions(), value + columns);
            assert!(columns <= jacobian);
            network.jvp(&x, &x, &mut workspace);
            assert_eq!(counted::additions(), 2 * value);
            network.vjp(&x, &w, &mut workspace);
            assert_eq!(counted::additions(), 2 * value);
        }
        macro_rules! orders {
            ($layers:expr, $in:literal, $out:literal) => {
                check::<_, Auto, $in, $out>($layers);
                check::<_, Forward, $in, $out>($layers);
                check::<_, Reverse, $in, $out>($layers);
                check::<_, Cut<1>, $in, $out>($layers);
                check::<_, Cut<2>, $in, $out>($layers);
                check::<_, Cut<3>, $in, $out>($layers);
            };
        }
        orders!(dense::<5, 3>(), 5, 3);
        let bottleneck = chain![
            dense::<9, 7>(),
            dense::<7, 2>(),
            dense::<2, 7>(),
            dense::<7, 8>()
        ];
        orders!(bottleneck.clone(), 9, 8);
        let policy = chain![
            dense::<4, 11>(),
            [dense::<11, 11>(), dense::<11, 11>()],
            dense::<11, 1>()
        ];
        orders!(policy.clone(), 4, 1);
        assert_eq!((best(&bottleneck), best(&policy)), (2, 0));
    }

    fn best<L: Layer>(_: &L) -> usize {
        L::SHAPE.best_cut(L::SHAPE.inputs())
    }
}
