//! Some of the entries.

use core::marker::PhantomData;

use nalgebra::Const;

use super::{Layer, move_numbers};
use crate::{
    chain::Accepts,
    scalar::Scalar,
    shape::{Shape, Step},
    workspace::{Panels, Stack},
};

/// `OUT` of `IN` entries, from `FIRST` on: yᵢ = x₍FIRST₊ᵢ₎.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Select<T, const IN: usize, const FIRST: usize, const OUT: usize> {
    scalar: PhantomData<T>,
}

impl<T: Scalar, const IN: usize, const FIRST: usize, const OUT: usize> Select<T, IN, FIRST, OUT> {
    /// The selection that the type names.
    pub const fn new() -> Self {
        const {
            assert!(
                OUT > 0 && FIRST + OUT <= IN,
                "the selected entries are not all among the inputs"
            );
        }
        Self {
            scalar: PhantomData,
        }
    }
}

impl<T, const IN: usize, const FIRST: usize, const OUT: usize> Accepts<Const<IN>>
    for Select<T, IN, FIRST, OUT>
{
}

impl<T: Scalar, const IN: usize, const FIRST: usize, const OUT: usize> Layer
    for Select<T, IN, FIRST, OUT>
{
    type Scalar = T;
    type Input = Const<IN>;
    type Output = Const<OUT>;

    const SHAPE: Shape<'static> = Shape::Step(Step::select(IN, OUT));

    // All of it works in place: the panels are not turned over.

    #[inline(always)]
    fn values(&self, panels: &mut Panels<'_, T>) {
        move_numbers(panels.front, FIRST, 0, OUT);
    }

    #[inline(always)]
    fn tangents<const COLS: usize>(&self, cut: usize, panels: &mut Panels<'_, T>) {
        if cut == 0 {
            return;
        }
        // From the first column on: each goes to where its numbers or earlier ones were.
        for column in 0..=COLS {
            move_numbers(panels.front, column * IN + FIRST, column * OUT, OUT);
        }
    }

    #[inline(always)]
    fn slopes(&self, cut: usize, panels: &mut Panels<'_, T>, _: &mut Stack<'_, T>) {
        if cut == 0 {
            self.values(panels);
        }
    }

    #[inline(always)]
    fn cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, T>,
        _: &mut Stack<'_, T>,
    ) {
        if cut > 0 {
            return;
        }
        move_numbers(panels.front, 0, FIRST * ROWS, OUT * ROWS);
        for (at, number) in panels.front.iter_mut().enumerate().take(IN * ROWS) {
            if at < FIRST * ROWS || at >= (FIRST + OUT) * ROWS {
                *number = T::ZERO;
            }
        }
    }
}
