//! Entry by entry.

use nalgebra::Const;

use super::Layer;
use crate::{
    activation::Activation,
    chain::Accepts,
    kernel,
    scalar::Scalar,
    shape::{Shape, Step},
    workspace::{Panels, Stack, TOO_SHORT, too_short},
};

/// A layer that works entry by entry, yᵢ = f(sᵢ xᵢ + tᵢ): the scaling of inputs or outputs, batch
/// normalisation, an activation that stands alone.
///
/// Product and sum are rounded each; the derivative is multiplied by f′·sᵢ, rounded once before.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine<T, const SIZE: usize, A> {
    scale: [T; SIZE],
    shift: [T; SIZE],
    activation: A,
}

impl<T: Scalar, const SIZE: usize, A: Activation<T>> Affine<T, SIZE, A> {
    /// From what each entry is multiplied with and what is added then. An `activation` alone has the
    /// scale 1 and the shift −0, which change no bit.
    pub const fn new(scale: [T; SIZE], shift: [T; SIZE], activation: A) -> Self {
        const { assert!(SIZE > 0, "a layer has at least one entry") }
        Self {
            scale,
            shift,
            activation,
        }
    }

    /// What each entry is multiplied with.
    pub const fn scale(&self) -> &[T; SIZE] {
        &self.scale
    }

    /// What is added to each product.
    pub const fn shift(&self) -> &[T; SIZE] {
        &self.shift
    }

    /// The activation of all entries.
    pub const fn activation(&self) -> A {
        self.activation
    }

    /// Turns entries into values, and writes the slopes by the entries.
    #[inline(always)]
    fn linearise(&self, entries: &mut [T; SIZE], slopes: &mut [T; SIZE]) {
        let factors = self.scale.iter().zip(&self.shift);
        for ((x, slope), (&s, &t)) in entries.iter_mut().zip(slopes).zip(factors) {
            let (y, f) = self.activation.value_and_slope(s * *x + t);
            (*x, *slope) = (y, f * s);
        }
    }
}

impl<T, const SIZE: usize, A> Accepts<Const<SIZE>> for Affine<T, SIZE, A> {}

impl<T: Scalar, const SIZE: usize, A: Activation<T>> Layer for Affine<T, SIZE, A> {
    type Scalar = T;
    type Input = Const<SIZE>;
    type Output = Const<SIZE>;

    const SHAPE: Shape<'static> = Shape::Step(Step::affine(SIZE));

    // All of it works in place: the panels are not turned over.

    #[inline(always)]
    fn values(&self, panels: &mut Panels<'_, T>) {
        debug_assert!(panels.front.len() >= SIZE, "{TOO_SHORT}");
        let factors = self.scale.iter().zip(&self.shift);
        for (x, (&s, &t)) in panels.front.iter_mut().zip(factors) {
            *x = self.activation.value(s * *x + t);
        }
    }

    #[inline(always)]
    fn tangents<const COLS: usize>(&self, cut: usize, panels: &mut Panels<'_, T>) {
        if cut == 0 {
            return;
        }
        let (columns, _) = panels.front.as_chunks_mut::<SIZE>();
        if let (Some((value, tangents)), Some(slopes)) =
            (columns.split_first_mut(), panels.spare.push_array())
        {
            self.linearise(value, slopes);
            debug_assert!(tangents.len() >= COLS, "{TOO_SHORT}");
            for tangent in tangents.iter_mut().take(COLS) {
                for (d, &slope) in tangent.iter_mut().zip(&*slopes) {
                    *d = slope * *d;
                }
            }
        } else {
            too_short();
        }
        panels.spare.pop(SIZE);
    }

    #[inline(always)]
    fn slopes(&self, cut: usize, panels: &mut Panels<'_, T>, tape: &mut Stack<'_, T>) {
        if cut > 0 {
            return;
        }
        if let (Some(entries), Some(slopes)) = (panels.front.first_chunk_mut(), tape.push_array()) {
            self.linearise(entries, slopes);
        } else {
            too_short();
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
        if let (Some(slopes), Some(rows)) = (
            tape.pop_array::<SIZE>(),
            panels.front.as_chunks_mut::<ROWS>().0.first_chunk_mut(),
        ) {
            kernel::scale(rows, slopes);
        } else {
            too_short();
        }
    }
}
