//! The dense layer.

use nalgebra::Const;

use crate::{
    activation::Activation,
    chain::Accepts,
    kernel,
    layer::Layer,
    scalar::Scalar,
    shape::{Shape, Step},
    workspace::{Panels, Stack, too_short},
};

/// A dense layer, y = f(A x + b), from `IN` inputs to `OUT` neurons.
#[derive(Debug, Clone, PartialEq)]
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

    /// The weights of `COLS` inputs from `first` on.
    #[inline(always)]
    fn columns_from<const COLS: usize>(&self, first: usize) -> Option<&[[T; OUT]; COLS]> {
        self.columns.get(first..)?.first_chunk()
    }

    /// The activation of all its neurons.
    pub const fn activation(&self) -> A {
        self.activation
    }
}

impl<T, const IN: usize, const OUT: usize, A> Accepts<Const<IN>> for Dense<T, IN, OUT, A> {}

impl<T: Scalar, const IN: usize, const OUT: usize, A: Activation<T>> Layer
    for Dense<T, IN, OUT, A>
{
    type Scalar = T;
    type Input = Const<IN>;
    type Output = Const<OUT>;

    const SHAPE: Shape<'static> = Shape::Step(Step::dense(IN, OUT));

    // The panels are long enough by the constant assertions of `Network`; where one were not, the
    // layer would do nothing rather than panic, and a test would say so.

    #[inline(always)]
    fn values(&self, panels: &mut Panels<'_, T>) {
        if let (Some(input), Some(output)) =
            (panels.front.first_chunk(), panels.back.first_chunk_mut())
        {
            kernel::value(&self.columns, &self.bias, self.activation, input, output);
        } else {
            too_short();
        }
        panels.turn();
    }

    #[inline(always)]
    fn first_tangents<const COLS: usize>(
        &self,
        first: usize,
        cut: usize,
        panels: &mut Panels<'_, T>,
    ) {
        if cut == 0 {
            return;
        }
        let (output, _) = panels.back.as_chunks_mut();
        if let Some(columns) = self.columns_from::<COLS>(first)
            && let (Some(input), Some((value, tangents))) =
                (panels.front.first_chunk(), output.split_first_mut())
            && let Some(tangents) = tangents.first_chunk_mut()
        {
            kernel::first_tangents(
                &self.columns,
                columns,
                &self.bias,
                self.activation,
                input,
                (value, tangents),
            );
        } else {
            too_short();
        }
        panels.turn();
    }

    #[inline(always)]
    fn tangents<const COLS: usize>(&self, cut: usize, panels: &mut Panels<'_, T>) {
        if cut == 0 {
            return;
        }
        kernel::tangents::<T, A, IN, OUT, COLS>(
            &self.columns,
            &self.bias,
            self.activation,
            panels.front.as_chunks().0,
            panels.back.as_chunks_mut().0,
        );
        panels.turn();
    }

    #[inline(always)]
    fn slopes(&self, cut: usize, panels: &mut Panels<'_, T>, tape: &mut Stack<'_, T>) {
        if cut > 0 {
            return;
        }
        if let (Some(input), Some(output), Some(slope)) = (
            panels.front.first_chunk(),
            panels.back.first_chunk_mut(),
            tape.push_array(),
        ) {
            kernel::slopes(
                &self.columns,
                &self.bias,
                self.activation,
                input,
                output,
                slope,
            );
        } else {
            too_short();
        }
        panels.turn();
    }

    #[inline(always)]
    fn last_cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, T>,
        tape: &mut Stack<'_, T>,
    ) {
        if cut > 0 {
            return;
        }
        // The cotangents of the outputs are the unit vectors: those of the sums are the slopes on
        // the diagonal, and their product with the weights scales row i by slope i.
        if let (Some(slope), Some(output)) = (
            tape.pop_array::<OUT>(),
            panels.back.as_chunks_mut::<OUT>().0.first_chunk_mut::<IN>(),
        ) {
            for (output, column) in output.iter_mut().zip(&self.columns) {
                for ((output, &w), &slope) in output.iter_mut().zip(column).zip(&*slope) {
                    *output = slope * w;
                }
            }
        } else {
            too_short();
        }
        panels.turn();
    }

    #[inline(always)]
    fn cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, T>,
        tape: &mut Stack<'_, T>,
    ) {
        if cut == 0 {
            self.first_cotangents::<ROWS, IN>(0, panels, tape);
        }
    }

    #[inline(always)]
    fn first_cotangents<const ROWS: usize, const COLS: usize>(
        &self,
        first: usize,
        panels: &mut Panels<'_, T>,
        tape: &mut Stack<'_, T>,
    ) {
        if let (Some(columns), Some(slope), Some(rows), Some(output)) = (
            self.columns_from::<COLS>(first),
            tape.pop_array::<OUT>(),
            panels.front.as_chunks_mut::<ROWS>().0.first_chunk_mut(),
            panels.back.as_chunks_mut().0.first_chunk_mut(),
        ) {
            kernel::scale(rows, slope);
            kernel::product::<T, ROWS, OUT, COLS>(rows, columns, output);
        } else {
            too_short();
        }
        panels.turn();
    }

    #[inline(always)]
    fn join<const ROWS: usize, const COLS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, T>,
        kept: &[T],
    ) {
        if cut != 1 {
            return;
        }
        if let (Some(rows), Some(tangents), Some(output)) = (
            panels.front.as_chunks().0.first_chunk(),
            kept.as_chunks().0.first_chunk(),
            panels.back.as_chunks_mut().0.first_chunk_mut(),
        ) {
            kernel::product::<T, ROWS, OUT, COLS>(rows, tangents, output);
        } else {
            too_short();
        }
        panels.turn();
    }
}
