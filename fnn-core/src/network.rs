//! The network: what a user evaluates.

use nalgebra::{ArrayStorage, Const, SMatrix, SVector};

use crate::{layer::Layer, workspace::Workspace};

/// A feed-forward network: layers, and the means to evaluate them.
///
/// Its weights are read where they lie; as a `static` they stay in flash.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Network<L> {
    layers: L,
}

impl<L> Network<L> {
    /// The network of these layers: a [`Dense`](crate::Dense), a [`chain!`](crate::chain!) or an
    /// array.
    pub const fn new(layers: L) -> Self {
        Self { layers }
    }

    /// Its layers.
    pub const fn layers(&self) -> &L {
        &self.layers
    }
}

/// What [`Network::evaluate`] returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation<T, const IN: usize, const OUT: usize> {
    /// The output y of the network.
    pub value: SVector<T, OUT>,
    /// `jacobian[(i, j)]` = ∂ output i / ∂ input j.
    pub jacobian: SMatrix<T, OUT, IN>,
}

impl<L, const IN: usize, const OUT: usize> Network<L>
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
{
    /// Inputs.
    pub const INPUTS: usize = IN;
    /// Outputs.
    pub const OUTPUTS: usize = OUT;
    /// Dense layers.
    pub const DEPTH: usize = L::DEPTH;
    /// Weights and biases.
    pub const PARAMETERS: usize = L::PARAMETERS;

    /// Multiply-adds of the value.
    pub const VALUE_MULTIPLY_ADDS: usize = L::MULTIPLY_ADDS;
    /// Multiply-adds that the Jacobian takes beside the value: one for each weight and input, but
    /// none in the first layer, whose tangents are its weights.
    pub const JACOBIAN_MULTIPLY_ADDS: usize = IN * (L::MULTIPLY_ADDS - L::FIRST_MULTIPLY_ADDS);

    /// Numbers of scratch memory that [`value`](Self::value) takes: two columns as long as the
    /// input or the widest layer.
    pub const VALUE_WORKSPACE: usize = 2 * if L::WIDEST > IN { L::WIDEST } else { IN };
    /// Numbers of scratch memory that [`evaluate`](Self::evaluate) takes: two panels of
    /// 1 + `INPUTS` columns as long as the widest layer. Enough for `value` too.
    pub const WORKSPACE: usize = 2 * L::WIDEST * (1 + IN);

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
        let mut panels = workspace.panels();
        if let Some(input) = panels.front.first_chunk_mut::<IN>() {
            *input = x.data.0[0];
        }
        self.layers.value(&mut panels);
        let y = match panels.front.first_chunk() {
            Some(y) => *y,
            None => [L::Scalar::default(); OUT],
        };
        SVector::from_array_storage(ArrayStorage([y]))
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
        let mut panels = workspace.panels();
        if let Some(input) = panels.front.first_chunk_mut::<IN>() {
            *input = x.data.0[0];
        }
        self.layers.first_tangents::<IN>(&mut panels);
        // The panel is long enough, by the assertion; where it were not, this would return zeros
        // rather than panic.
        let (value, jacobian) = match panels.front.as_chunks().0.split_first() {
            Some((value, tangents)) => (*value, tangents.first_chunk()),
            None => ([L::Scalar::default(); OUT], None),
        };
        let jacobian = match jacobian {
            Some(tangents) => *tangents,
            None => [[L::Scalar::default(); OUT]; IN],
        };
        Evaluation {
            value: SVector::from_array_storage(ArrayStorage([value])),
            jacobian: SMatrix::from_array_storage(ArrayStorage(jacobian)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Chain, Dense, Identity, chain};

    #[test]
    fn a_sum_keeps_the_sign_of_zero() {
        type Pair = Network<Chain![Dense<f32, 1, 1, Identity>, Dense<f32, 1, 1, Identity>]>;
        let layer = Dense::new([[1.0]], [-0.0], Identity);
        let network = Pair::new(chain![layer, layer]);
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
}
