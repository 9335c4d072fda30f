//! The two number formats that a network is evaluated in.

use core::fmt;

use crate::math::Math;

/// An IEEE-754 number format: `f32` or `f64`.
///
/// Sealed by its private supertrait: the bit contract is stated, and tested, for these two.
pub trait Scalar:
    Math + nalgebra::Scalar + Default + fmt::LowerExp + fmt::Display + Send + Sync + 'static
{
    /// The name of the format in Rust: `"f32"` or `"f64"`.
    const NAME: &'static str;
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;

    /// The bits, widened to 64.
    fn bits(self) -> u64;
}

impl Scalar for f32 {
    const NAME: &'static str = "f32";
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    #[inline]
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
}

impl Scalar for f64 {
    const NAME: &'static str = "f64";
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    #[inline]
    fn bits(self) -> u64 {
        self.to_bits()
    }
}
