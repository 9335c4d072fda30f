//! What a network is made of: layers, one after the other.

mod affine;
mod concat;
mod layer_norm;
mod map;
mod residual;
mod select;
mod softmax;

use core::{cell::Cell, fmt};

pub use affine::Affine;
pub use concat::Concat;
pub use layer_norm::LayerNorm;
pub use map::Map;
pub use residual::Residual;
pub use select::Select;
pub use softmax::Softmax;

use crate::{
    scalar::Scalar,
    shape::Shape,
    workspace::{Panels, Stack, TOO_SHORT, too_short},
};

/// A step of a network: it turns a vector of one size into a vector of another.
///
/// The layers are [`Dense`](crate::Dense), [`Affine`](crate::Affine),
/// [`LayerNorm`](crate::LayerNorm), [`Softmax`](crate::Softmax), [`Select`](crate::Select),
/// [`Residual`](crate::Residual), [`Concat`](crate::Concat), [`Chain`](struct@crate::Chain), arrays
/// `[L; DEPTH]`, and whatever implements [`Map`](crate::Map), which is how a crate adds its own.
///
/// The hidden methods work on the panels; each leaves in front what it computed. Where one is told
/// a number of layers it counts from its own first: those up to a cut are accumulated forward, those
/// after it in reverse.
pub trait Layer: fmt::Debug {
    /// The number format of weights, value and tangents.
    type Scalar: Scalar;
    /// The size of the input, as nalgebra writes a size: `Const<IN>`.
    type Input;
    /// The size of the output, `Const<OUT>`.
    type Output;

    /// The sizes of its layers.
    const SHAPE: Shape<'static>;

    /// The value: one column in, one column out.
    #[doc(hidden)]
    fn values(&self, panels: &mut Panels<'_, Self::Scalar>);

    /// Value and tangents of a first layer and of those that follow up to the cut: one column in,
    /// 1 + `COLS` out, the tangents by the inputs from `first` on.
    #[doc(hidden)]
    #[inline(always)]
    fn first_tangents<const COLS: usize>(
        &self,
        first: usize,
        cut: usize,
        panels: &mut Panels<'_, Self::Scalar>,
    ) {
        if cut > 0 {
            let inputs = const { Self::SHAPE.inputs() };
            if let Some(tangents) = panels.front.get_mut(inputs..) {
                units::<_, COLS>(tangents, inputs, first);
            } else {
                too_short();
            }
            self.tangents::<COLS>(cut, panels);
        }
    }

    /// Value and tangents of the layers up to the cut: 1 + `COLS` columns in, 1 + `COLS` out.
    #[doc(hidden)]
    fn tangents<const COLS: usize>(&self, cut: usize, panels: &mut Panels<'_, Self::Scalar>);

    /// The value of the layers after the cut, whose slopes go on the tape.
    #[doc(hidden)]
    fn slopes(
        &self,
        cut: usize,
        panels: &mut Panels<'_, Self::Scalar>,
        tape: &mut Stack<'_, Self::Scalar>,
    );

    /// The cotangents of the outputs, `ROWS` of them, by the inputs of the layer after the cut. The
    /// slopes are taken from the tape.
    #[doc(hidden)]
    #[inline(always)]
    fn last_cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, Self::Scalar>,
        tape: &mut Stack<'_, Self::Scalar>,
    ) {
        if cut == 0 {
            units::<_, ROWS>(panels.front, ROWS, 0);
            self.cotangents::<ROWS>(cut, panels, tape);
        }
    }

    /// `ROWS` cotangents by the outputs in, as many by the inputs of the layer after the cut out.
    #[doc(hidden)]
    fn cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, Self::Scalar>,
        tape: &mut Stack<'_, Self::Scalar>,
    );

    /// Of its first layer: cotangents by its outputs in, by `COLS` of its inputs, from `first` on,
    /// out.
    #[doc(hidden)]
    #[inline(always)]
    fn first_cotangents<const ROWS: usize, const COLS: usize>(
        &self,
        first: usize,
        panels: &mut Panels<'_, Self::Scalar>,
        tape: &mut Stack<'_, Self::Scalar>,
    ) {
        self.cotangents::<ROWS>(0, panels, tape);
        move_numbers(panels.front, first * ROWS, 0, COLS * ROWS);
    }

    /// The product of `ROWS` cotangents, in front, with the `COLS` tangents kept after the layer
    /// `cut`.
    #[doc(hidden)]
    #[inline(always)]
    fn join<const ROWS: usize, const COLS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, Self::Scalar>,
        kept: &[Self::Scalar],
    ) {
        if cut != 1 {
            return;
        }
        let size = const { Self::SHAPE.outputs() };
        let (cotangents, _) = panels.front.as_chunks::<ROWS>();
        let (outputs, _) = panels.back.as_chunks_mut::<ROWS>();
        debug_assert!(
            cotangents.len() >= size && outputs.len() >= COLS,
            "{TOO_SHORT}"
        );
        for (at, output) in outputs.iter_mut().enumerate().take(COLS) {
            let tangent = column(kept, size, at).unwrap_or_default();
            *output = [Self::Scalar::ZERO; ROWS];
            for (cotangent, &t) in cotangents.iter().zip(tangent) {
                for (sum, &c) in output.iter_mut().zip(cotangent) {
                    *sum = *sum + c * t;
                }
            }
        }
        panels.turn();
    }
}

/// What `fnn-std` evaluates layers of run-time sizes with: the same operations, the same bits.
#[doc(hidden)]
pub mod slices {
    pub use super::{
        layer_norm::{normalise, normalise_in_place, normalise_product, scale_and_shift},
        softmax::{softmax, softmax_product},
    };
}

/// `COUNT` unit vectors with so many entries, the first of them with its one at `first`.
#[inline(always)]
pub(crate) fn units<T: Scalar, const COUNT: usize>(numbers: &mut [T], size: usize, first: usize) {
    for at in 0..COUNT {
        let unit = column_mut(numbers, size, at).unwrap_or_default();
        for (i, number) in unit.iter_mut().enumerate() {
            *number = if i == first + at { T::ONE } else { T::ZERO };
        }
    }
}

/// One of the columns of so many numbers that lie one after the other. `chunks_exact` divides by their
/// size; asked to save size, the compiler leaves that division, and the panic for a size of zero, in
/// the code.
#[inline(always)]
pub(crate) fn column<T>(numbers: &[T], size: usize, at: usize) -> Option<&[T]> {
    debug_assert!((at + 1) * size <= numbers.len(), "{TOO_SHORT}");
    numbers.get(at * size..(at + 1) * size)
}

/// As [`column`], to be written.
#[inline(always)]
pub(crate) fn column_mut<T>(numbers: &mut [T], size: usize, at: usize) -> Option<&mut [T]> {
    debug_assert!((at + 1) * size <= numbers.len(), "{TOO_SHORT}");
    numbers.get_mut(at * size..(at + 1) * size)
}

/// Moves numbers within a panel, where both places are inside it. `copy_within` would leave its checks,
/// which panic, in code that is optimized for size.
#[inline(always)]
pub(crate) fn move_numbers<T: Copy>(numbers: &mut [T], from: usize, to: usize, count: usize) {
    let cells = Cell::from_mut(numbers).as_slice_of_cells();
    if let (Some(source), Some(target)) = (cells.get(from..from + count), cells.get(to..to + count))
    {
        let pairs = target.iter().zip(source);
        // What is overwritten has been moved before.
        if to <= from {
            pairs.for_each(|(target, source)| target.set(source.get()));
        } else {
            pairs
                .rev()
                .for_each(|(target, source)| target.set(source.get()));
        }
    } else {
        too_short();
    }
}

/// Copies as many numbers as both slices hold.
#[inline(always)]
pub(crate) fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}
