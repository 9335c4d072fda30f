//! The order of accumulation of the Jacobian, as a type.

use core::fmt;

/// In which order a network accumulates its Jacobian: [`Auto`], [`Forward`], [`Reverse`] or
/// [`Cut`]. Sealed.
///
/// All orders give the same derivatives but for rounding: the bits belong to the model, the input
/// and the order. The value is the same to the bit in all of them.
pub trait Order: sealed::Sealed + Copy + fmt::Debug {
    /// After which layer forward accumulation ends, `None` for the cheapest.
    #[doc(hidden)]
    const CUT: Option<usize>;
}

/// The order with the fewest multiply-adds:
/// [`Shape::best_cut`](crate::Shape::best_cut).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Auto;

/// Tangents, one for each input, from the first layer to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forward;

/// The value first, then cotangents, one for each output, from the last layer to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reverse;

/// Tangents through the first `LAYERS` layers, cotangents through the others, and one product where
/// they meet. `Cut<0>` is [`Reverse`], a cut after the last layer [`Forward`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cut<const LAYERS: usize>;

impl Order for Auto {
    const CUT: Option<usize> = None;
}

impl Order for Forward {
    const CUT: Option<usize> = Some(usize::MAX);
}

impl Order for Reverse {
    const CUT: Option<usize> = Some(0);
}

impl<const LAYERS: usize> Order for Cut<LAYERS> {
    const CUT: Option<usize> = Some(LAYERS);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Auto {}
    impl Sealed for super::Forward {}
    impl Sealed for super::Reverse {}
    impl<const LAYERS: usize> Sealed for super::Cut<LAYERS> {}
}
