//! Branches side by side.

use nalgebra::Const;

use super::{Layer, column, column_mut, copy, move_numbers};
use crate::{
    chain::Accepts,
    scalar::Scalar,
    shape::{Shape, Step},
    workspace::{Panels, Stack, TOO_SHORT},
};

/// Two branches that take the same input, and their outputs one after the other: y = [a(x), b(x)],
/// `OUT` entries in all. More branches are a `Concat` in a `Concat`; branches for parts of the input
/// begin with a [`Select`](crate::Select).
#[derive(Debug, Clone, PartialEq)]
pub struct Concat<A, B, const OUT: usize> {
    first: A,
    second: B,
}

impl<A: Layer, B: Layer<Input = A::Input> + Accepts<A::Input>, const OUT: usize> Concat<A, B, OUT> {
    /// The branches, in the order of their outputs.
    pub const fn new(first: A, second: B) -> Self {
        const {
            assert!(
                A::SHAPE.outputs() + B::SHAPE.outputs() == OUT,
                "the outputs of the branches of a `Concat` add up to its `OUT`"
            );
        }
        Self { first, second }
    }

    /// The branch whose outputs come first.
    pub const fn first(&self) -> &A {
        &self.first
    }

    /// The branch whose outputs follow.
    pub const fn second(&self) -> &B {
        &self.second
    }
}

impl<Size, A: Accepts<Size>, B: Accepts<Size>, const OUT: usize> Accepts<Size>
    for Concat<A, B, OUT>
{
}

impl<T, A, B, const OUT: usize> Concat<A, B, OUT>
where
    T: Scalar,
    A: Layer<Scalar = T>,
    B: Layer<Scalar = T, Input = A::Input>,
{
    const IN: usize = A::SHAPE.inputs();
    const A: usize = A::SHAPE.outputs();
    const B: usize = B::SHAPE.outputs();

    /// So many columns through one branch after the other, then their outputs put together.
    #[inline(always)]
    fn both<C>(
        &self,
        columns: usize,
        panels: &mut Panels<'_, T>,
        context: &mut C,
        first: impl FnOnce(&A, &mut Panels<'_, T>, &mut C),
        second: impl FnOnce(&B, &mut Panels<'_, T>, &mut C),
    ) {
        let (inputs, outputs) = (columns * Self::IN, columns * Self::A);
        debug_assert!(
            inputs.max(columns * OUT) <= panels.front.len(),
            "{TOO_SHORT}"
        );
        if let Some(aside) = panels.spare.push(inputs) {
            copy(panels.front, aside);
        }
        first(&self.first, panels, context);
        if let Some(aside) = panels.spare.push(outputs) {
            copy(panels.front, aside);
        }
        if let Some(aside) = panels.spare.last(inputs + outputs) {
            copy(aside.get(..inputs).unwrap_or_default(), panels.front);
        }
        second(&self.second, panels, context);
        // From the last column on: each goes to where its numbers or later ones were.
        for column in (0..columns).rev() {
            let to = column * (Self::A + Self::B) + Self::A;
            move_numbers(panels.front, column * Self::B, to, Self::B);
        }
        if let Some(aside) = panels.spare.pop(outputs) {
            for at in 0..columns {
                let to = column_mut(panels.front, Self::A + Self::B, at);
                let from = column(aside, Self::A, at);
                copy(from.unwrap_or_default(), to.unwrap_or_default());
            }
        }
        panels.spare.pop(inputs);
    }
}

impl<T, A, B, const OUT: usize> Layer for Concat<A, B, OUT>
where
    T: Scalar,
    A: Layer<Scalar = T>,
    B: Layer<Scalar = T, Input = A::Input>,
{
    type Scalar = T;
    type Input = A::Input;
    type Output = Const<OUT>;

    const SHAPE: Shape<'static> = Shape::Step(Step::concat(&A::SHAPE, &B::SHAPE));

    #[inline(always)]
    fn values(&self, panels: &mut Panels<'_, T>) {
        self.both(
            1,
            panels,
            &mut (),
            |layer, panels, ()| layer.values(panels),
            |layer, panels, ()| layer.values(panels),
        );
    }

    #[inline(always)]
    fn tangents<const COLS: usize>(&self, cut: usize, panels: &mut Panels<'_, T>) {
        if cut > 0 {
            self.both(
                1 + COLS,
                panels,
                &mut (),
                |layer, panels, ()| layer.tangents::<COLS>(usize::MAX, panels),
                |layer, panels, ()| layer.tangents::<COLS>(usize::MAX, panels),
            );
        }
    }

    #[inline(always)]
    fn slopes(&self, cut: usize, panels: &mut Panels<'_, T>, tape: &mut Stack<'_, T>) {
        if cut == 0 {
            self.both(
                1,
                panels,
                tape,
                |layer, panels, tape| layer.slopes(0, panels, tape),
                |layer, panels, tape| layer.slopes(0, panels, tape),
            );
        }
    }

    #[inline(always)]
    fn cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, T>,
        tape: &mut Stack<'_, T>,
    ) {
        if cut > 0 {
            return;
        }
        let (inputs, outputs) = (ROWS * Self::IN, ROWS * Self::A);
        debug_assert!(inputs.max(ROWS * OUT) <= panels.front.len(), "{TOO_SHORT}");
        if let Some(aside) = panels.spare.push(outputs) {
            copy(panels.front, aside);
        }
        move_numbers(panels.front, outputs, 0, ROWS * Self::B);
        self.second.cotangents::<ROWS>(0, panels, tape);
        if let Some(aside) = panels.spare.push(inputs) {
            copy(panels.front, aside);
        }
        if let Some(aside) = panels.spare.last(outputs + inputs) {
            copy(aside.get(..outputs).unwrap_or_default(), panels.front);
        }
        self.first.cotangents::<ROWS>(0, panels, tape);
        if let Some(aside) = panels.spare.pop(inputs) {
            for (x, &mut second) in panels.front.iter_mut().zip(aside) {
                *x = *x + second;
            }
        }
        panels.spare.pop(outputs);
    }
}
