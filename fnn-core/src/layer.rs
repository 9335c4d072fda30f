//! What a network is made of: layers, one after the other.

use core::fmt;

use crate::{
    scalar::Scalar,
    shape::Shape,
    workspace::{Panels, Tape},
};

/// A step of a network: it turns a vector of one size into a vector of another.
///
/// Sealed: the layers are [`Dense`](crate::Dense), [`Chain`](struct@crate::Chain) and arrays `[L; DEPTH]`.
///
/// The hidden methods work on the panels; each leaves in front what it computed. Where one is told
/// a number of layers it counts dense layers from its own first: those up to a cut are accumulated
/// forward, those after it in reverse.
pub trait Layer: sealed::Sealed + fmt::Debug {
    /// The number format of weights, value and tangents.
    type Scalar: Scalar;
    /// The size of the input, as nalgebra writes a size: `Const<IN>`.
    type Input;
    /// The size of the output, `Const<OUT>`.
    type Output;

    /// The sizes of its dense layers.
    const SHAPE: Shape<'static>;

    /// The value: one column in, one column out.
    #[doc(hidden)]
    fn value(&self, panels: &mut Panels<'_, Self::Scalar>);

    /// Value and tangents of a first layer and of those that follow up to the cut: one column in,
    /// 1 + `COLS` out, the tangents by the inputs from `first` on.
    #[doc(hidden)]
    fn first_tangents<const COLS: usize>(
        &self,
        first: usize,
        cut: usize,
        panels: &mut Panels<'_, Self::Scalar>,
    );

    /// Value and tangents of the layers up to the cut: 1 + `COLS` columns in, 1 + `COLS` out.
    #[doc(hidden)]
    fn tangents<const COLS: usize>(&self, cut: usize, panels: &mut Panels<'_, Self::Scalar>);

    /// The value of the layers after the cut, whose slopes go on the tape.
    #[doc(hidden)]
    fn slopes(
        &self,
        cut: usize,
        panels: &mut Panels<'_, Self::Scalar>,
        tape: &mut Tape<'_, Self::Scalar>,
    );

    /// The cotangents of the outputs, `ROWS` of them, by the inputs of the layer after the cut. The
    /// slopes are taken from the tape.
    #[doc(hidden)]
    fn last_cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, Self::Scalar>,
        tape: &mut Tape<'_, Self::Scalar>,
    );

    /// `ROWS` cotangents by the outputs in, as many by the inputs of the layer after the cut out.
    #[doc(hidden)]
    fn cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, Self::Scalar>,
        tape: &mut Tape<'_, Self::Scalar>,
    );

    /// Of its first dense layer: cotangents by its outputs in, by `COLS` of its inputs, from
    /// `first` on, out.
    #[doc(hidden)]
    fn first_cotangents<const ROWS: usize, const COLS: usize>(
        &self,
        first: usize,
        panels: &mut Panels<'_, Self::Scalar>,
        tape: &mut Tape<'_, Self::Scalar>,
    );

    /// The product of `ROWS` cotangents, in front, with the `COLS` tangents kept after the layer
    /// `cut`.
    #[doc(hidden)]
    fn join<const ROWS: usize, const COLS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, Self::Scalar>,
        kept: &[Self::Scalar],
    );
}

pub(crate) mod sealed {
    pub trait Sealed {}
}
