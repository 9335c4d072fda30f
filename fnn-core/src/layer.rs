//! What a network is made of: layers, one after the other.

use core::fmt;

use crate::{scalar::Scalar, workspace::Panels};

/// A step of a network: it turns a vector of one size into a vector of another.
///
/// Sealed: the layers are [`Dense`](crate::Dense), [`Chain`](struct@crate::Chain) and arrays `[L; DEPTH]`.
pub trait Layer: sealed::Sealed + fmt::Debug {
    /// The number format of weights, value and tangents.
    type Scalar: Scalar;
    /// The size of the input, as nalgebra writes a size: `Const<IN>`.
    type Input;
    /// The size of the output, `Const<OUT>`.
    type Output;

    /// Neurons of the widest layer, output included.
    const WIDEST: usize;
    /// Dense layers.
    const DEPTH: usize;
    /// Weights and biases.
    const PARAMETERS: usize;
    /// Multiply-adds of the value; of one tangent too.
    const MULTIPLY_ADDS: usize;
    /// Multiply-adds of the first dense layer, which no tangent needs.
    const FIRST_MULTIPLY_ADDS: usize;

    /// The value: one column in, one column out.
    #[doc(hidden)]
    fn value(&self, panels: &mut Panels<'_, Self::Scalar>);

    /// Value and tangents of a first layer, `COLS` inputs wide: one column in, 1 + `COLS` out.
    #[doc(hidden)]
    fn first_tangents<const COLS: usize>(&self, panels: &mut Panels<'_, Self::Scalar>);

    /// Value and tangents of a later layer: 1 + `COLS` columns in, 1 + `COLS` out.
    #[doc(hidden)]
    fn tangents<const COLS: usize>(&self, panels: &mut Panels<'_, Self::Scalar>);
}

pub(crate) mod sealed {
    pub trait Sealed {}
}
