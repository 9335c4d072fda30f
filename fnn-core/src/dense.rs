//! The dense layer.

use nalgebra::Const;

use crate::{
    activation::Activation,
    chain::Accepts,
    kernel,
    layer::{Layer, sealed},
    scalar::Scalar,
    workspace::Panels,
};

/// A dense layer, y = f(A x + b), from `IN` inputs to `OUT` neurons.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dense<T, const IN: usize, const OUT: usize, A> {
    /// Column by column: `columns[j][i]` multiplies input j for neuron i.
    columns: [[T; OUT]; IN],
    bias: [T; OUT],
    activation: A,
}

impl<T: Scalar, const IN: usize, const OUT: usize, A: Activation<T>> Dense<T, IN, OUT, A> {
    /// From the weights row by row, as they are written on paper and stored by PyTorch:
    /// `weight[i][j]` multiplies input j for neuron i. In a `static` the compiler transposes them.
    pub const fn new(weight: [[T; IN]; OUT], bias: [T; OUT], activation: A) -> Self {
        let mut columns = [[T::ZERO; OUT]; IN];
        let mut j = 0;
        while j < IN {
            let mut i = 0;
            while i < OUT {
                columns[j][i] = weight[i][j];
                i += 1;
            }
            j += 1;
        }
        Self::from_columns(columns, bias, activation)
    }

    /// From the weights column by column, as the evaluation reads them: `columns[j][i]` multiplies
    /// input j for neuron i. Generated code uses this: large networks compile at once.
    pub const fn from_columns(columns: [[T; OUT]; IN], bias: [T; OUT], activation: A) -> Self {
        const {
            assert!(
                IN > 0 && OUT > 0,
                "a dense layer has at least one input and one neuron"
            );
        }
        Self {
            columns,
            bias,
            activation,
        }
    }

    /// `weight(i, j)` multiplies input j for neuron i; `None` outside the layer.
    pub fn weight(&self, i: usize, j: usize) -> Option<T> {
        self.columns.get(j)?.get(i).copied()
    }

    /// What the sum of each neuron starts at.
    pub const fn bias(&self) -> &[T; OUT] {
        &self.bias
    }

    /// The activation of all its neurons.
    pub const fn activation(&self) -> A {
        self.activation
    }
}

impl<T, const IN: usize, const OUT: usize, A> sealed::Sealed for Dense<T, IN, OUT, A> {}

impl<T, const IN: usize, const OUT: usize, A> Accepts<Const<IN>> for Dense<T, IN, OUT, A> {}

impl<T: Scalar, const IN: usize, const OUT: usize, A: Activation<T>> Layer
    for Dense<T, IN, OUT, A>
{
    type Scalar = T;
    type Input = Const<IN>;
    type Output = Const<OUT>;

    const WIDEST: usize = OUT;
    const DEPTH: usize = 1;
    const PARAMETERS: usize = (IN + 1) * OUT;
    const MULTIPLY_ADDS: usize = IN * OUT;
    const FIRST_MULTIPLY_ADDS: usize = IN * OUT;

    // The panels are long enough by the constant assertions of `Network`; where one were not, the
    // layer would do nothing rather than panic.

    #[inline]
    fn value(&self, panels: &mut Panels<'_, T>) {
        if let (Some(input), Some(output)) =
            (panels.front.first_chunk(), panels.back.first_chunk_mut())
        {
            kernel::value(&self.columns, &self.bias, self.activation, input, output);
        }
        panels.turn();
    }

    #[inline]
    fn first_tangents<const COLS: usize>(&self, panels: &mut Panels<'_, T>) {
        let (output, _) = panels.back.as_chunks_mut();
        if let (Some(input), Some((value, tangents))) =
            (panels.front.first_chunk(), output.split_first_mut())
            && let Some(tangents) = tangents.first_chunk_mut()
        {
            kernel::first_tangents(
                &self.columns,
                &self.bias,
                self.activation,
                input,
                (value, tangents),
            );
        }
        panels.turn();
    }

    #[inline]
    fn tangents<const COLS: usize>(&self, panels: &mut Panels<'_, T>) {
        kernel::tangents::<T, A, IN, OUT, COLS>(
            &self.columns,
            &self.bias,
            self.activation,
            panels.front.as_chunks().0,
            panels.back.as_chunks_mut().0,
        );
        panels.turn();
    }
}
