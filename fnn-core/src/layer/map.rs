//! Layers of other crates' own.

use core::fmt;

use nalgebra::DimName;

use super::{Layer, column, column_mut, copy};
use crate::{
    chain::Accepts,
    scalar::Scalar,
    shape::{Shape, Step},
    workspace::{Panels, Stack, TOO_SHORT, too_short},
};

/// A layer of your own: what it computes, and the two products with its derivative there.
///
/// Implement it for a type of your crate, and the type is a [`Layer`]: it goes into chains, arrays,
/// [`Residual`](crate::Residual) and [`Concat`](crate::Concat), and every order of accumulation
/// runs through it. [`Softmax`](crate::Softmax) and [`LayerNorm`](crate::LayerNorm) are made so.
///
/// All slices have the lengths that the sizes say. For the bits to be the same everywhere a
/// map is made of operations that IEEE 754 rounds: +, −, ×, ÷, comparisons; no function of a
/// library whose last bit may differ.
///
/// ```
/// use fnn_core::{Chain, Dense, Identity, Map, Network, SVector, Workspace, chain};
/// use fnn_core::nalgebra::Const;
///
/// /// y = [x₀·x₁].
/// #[derive(Debug)]
/// struct Product;
///
/// impl Map for Product {
///     type Scalar = f32;
///     type Input = Const<2>;
///     type Output = Const<1>;
///     const POINT: usize = 2;
///
///     fn value(&self, x: &[f32], y: &mut [f32]) {
///         y[0] = x[0] * x[1];
///     }
///
///     fn linearise(&self, x: &[f32], y: &mut [f32], point: &mut [f32]) {
///         self.value(x, y);
///         point.copy_from_slice(x);
///     }
///
///     fn tangent(&self, point: &[f32], dx: &[f32], dy: &mut [f32]) {
///         dy[0] = point[1] * dx[0] + point[0] * dx[1];
///     }
///
///     fn cotangent(&self, point: &[f32], dy: &[f32], dx: &mut [f32]) {
///         dx[0] = point[1] * dy[0];
///         dx[1] = point[0] * dy[0];
///     }
/// }
///
/// type Power = Network<Chain![Dense<f32, 3, 2, Identity>, Product]>;
/// static POWER: Power = Network::new(chain![
///     Dense::new([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]], [0.0, 0.5], Identity),
///     Product,
/// ]);
/// let mut workspace = Workspace::<f32, { Power::WORKSPACE }>::new();
/// let y = POWER.evaluate(&SVector::from([1.0, 2.0, 3.0]), &mut workspace);
/// assert_eq!(y.value[0], 5.0 * -0.5);
/// assert_eq!(y.jacobian[(0, 2)], 5.0 * -1.0);
/// ```
pub trait Map: fmt::Debug {
    /// The number format.
    type Scalar: Scalar;
    /// The size of x, `Const<IN>`.
    type Input: DimName;
    /// The size of y, `Const<OUT>`.
    type Output: DimName;

    /// How many numbers the derivative needs of the point where it is taken.
    const POINT: usize;
    /// How many numbers it was trained to have; for the counts.
    const PARAMETERS: usize = 0;
    /// How many multiply-adds a value, a tangent or a cotangent takes; for the counts, by which the
    /// order of accumulation is chosen.
    const MULTIPLY_ADDS: usize = 0;

    /// Writes y for the input x.
    fn value(&self, x: &[Self::Scalar], y: &mut [Self::Scalar]);

    /// Writes y for the input x, the same bits as [`value`](Self::value), and what the derivative
    /// there needs.
    fn linearise(&self, x: &[Self::Scalar], y: &mut [Self::Scalar], point: &mut [Self::Scalar]);

    /// Writes dy = J·dx, with the Jacobian J of y by x at the point.
    fn tangent(&self, point: &[Self::Scalar], dx: &[Self::Scalar], dy: &mut [Self::Scalar]);

    /// Writes dx = Jᵀ·dy: the derivative by x of what has the derivative dy by y.
    fn cotangent(&self, point: &[Self::Scalar], dy: &[Self::Scalar], dx: &mut [Self::Scalar]);
}

impl<M: Map> Accepts<M::Input> for M {}

impl<M: Map> Layer for M {
    type Scalar = M::Scalar;
    type Input = M::Input;
    type Output = M::Output;

    const SHAPE: Shape<'static> = {
        assert!(
            M::Input::DIM > 0 && M::Output::DIM > 0,
            "a layer has at least one input and one output"
        );
        Shape::Step(Step::map(
            M::Input::DIM,
            M::Output::DIM,
            M::POINT,
            M::PARAMETERS,
            M::MULTIPLY_ADDS,
        ))
    };

    #[inline(always)]
    fn values(&self, panels: &mut Panels<'_, M::Scalar>) {
        if let (Some(x), Some(y)) = (
            panels.front.get(..M::Input::DIM),
            panels.back.get_mut(..M::Output::DIM),
        ) {
            self.value(x, y);
        } else {
            too_short();
        }
        panels.turn();
    }

    #[inline(always)]
    fn tangents<const COLS: usize>(&self, cut: usize, panels: &mut Panels<'_, M::Scalar>) {
        if cut == 0 {
            return;
        }
        if let (Some((x, inputs)), Some((y, outputs)), Some(point)) = (
            panels.front.split_at_checked(M::Input::DIM),
            panels.back.split_at_mut_checked(M::Output::DIM),
            panels.spare.push(M::POINT),
        ) {
            self.linearise(x, y, point);
            for at in 0..COLS {
                if let (Some(dx), Some(dy)) = (
                    column(inputs, M::Input::DIM, at),
                    column_mut(outputs, M::Output::DIM, at),
                ) {
                    self.tangent(point, dx, dy);
                } else {
                    too_short();
                }
            }
        } else {
            too_short();
        }
        panels.spare.pop(M::POINT);
        panels.turn();
    }

    #[inline(always)]
    fn slopes(
        &self,
        cut: usize,
        panels: &mut Panels<'_, M::Scalar>,
        tape: &mut Stack<'_, M::Scalar>,
    ) {
        if cut > 0 {
            return;
        }
        if let (Some(x), Some(y), Some(point)) = (
            panels.front.get(..M::Input::DIM),
            panels.back.get_mut(..M::Output::DIM),
            tape.push(M::POINT),
        ) {
            self.linearise(x, y, point);
        } else {
            too_short();
        }
        panels.turn();
    }

    #[inline(always)]
    fn cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, M::Scalar>,
        tape: &mut Stack<'_, M::Scalar>,
    ) {
        if cut > 0 {
            return;
        }
        let sizes = M::Input::DIM + M::Output::DIM;
        if let (Some(point), Some(row)) = (tape.pop(M::POINT), panels.spare.push(sizes))
            && let Some((dx, dy)) = row.split_at_mut_checked(M::Input::DIM)
        {
            let is_there = panels.front.len() >= ROWS * M::Output::DIM
                && panels.back.len() >= ROWS * M::Input::DIM;
            debug_assert!(is_there, "{TOO_SHORT}");
            // A row lies across the panels, which hold all rows of a neuron side by side.
            for r in 0..ROWS {
                let (from, _) = panels.front.as_chunks::<ROWS>();
                for (dy, neuron) in dy.iter_mut().zip(from) {
                    copy(&neuron[r..], core::slice::from_mut(dy));
                }
                self.cotangent(point, dy, dx);
                let (to, _) = panels.back.as_chunks_mut::<ROWS>();
                for (neuron, dx) in to.iter_mut().zip(&*dx) {
                    copy(core::slice::from_ref(dx), &mut neuron[r..]);
                }
            }
        } else {
            too_short();
        }
        panels.spare.pop(sizes);
        panels.turn();
    }
}
