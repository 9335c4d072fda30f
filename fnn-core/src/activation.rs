//! Activations.

use core::fmt;

use crate::scalar::Scalar;

/// An activation f, applied to every neuron of a layer: its value and its slope f′.
///
/// Both functions give the same value, bit for bit, and are built from additions,
/// multiplications, divisions, comparisons and operations on bits only, so that they give the same
/// bits on every target. Neither panics on any input.
pub trait Activation<T: Scalar>: Copy + fmt::Debug {
    /// f(z).
    fn value(self, z: T) -> T;

    /// f(z) and f′(z).
    fn value_and_slope(self, z: T) -> (T, T);
}

/// f(z) = z, f′(z) = 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Identity;

impl<T: Scalar> Activation<T> for Identity {
    #[inline(always)]
    fn value(self, z: T) -> T {
        z
    }

    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        (z, T::ONE)
    }
}
