//! The two number formats that a network is evaluated in.

use core::{
    fmt,
    ops::{Add, Div, Mul, Neg, Sub},
};

/// An IEEE-754 number format: `f32` or `f64`.
///
/// Sealed: the bit contract is stated, and tested, for these two.
pub trait Scalar:
    sealed::Sealed
    + nalgebra::Scalar
    + Copy
    + Default
    + PartialOrd
    + fmt::LowerExp
    + fmt::Display
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Send
    + Sync
    + 'static
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

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
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
