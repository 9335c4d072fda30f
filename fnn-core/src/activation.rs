//! Activations: the trait, and a file for each family.
//!
//! Value and slope share their work, the exponential first of all. A formula is chosen for few
//! roundings whose errors reach the result whole: y + y·p instead of y·(1 + p), a correction to a
//! leading term that is exact instead of a quotient of rounded sums. Branches are selections
//! between results that are both computed and both harmless, so that neurons side by side run
//! through the same instructions.

mod exponential;
mod gelu;
mod logistic;
mod mish;
mod piecewise;
mod softsign;
mod tanh;

use core::fmt;

pub use exponential::{Elu, Selu};
pub use gelu::{Gelu, GeluTanh};
pub use logistic::{Sigmoid, Silu, Softplus};
pub use mish::Mish;
pub use piecewise::{HardSigmoid, HardSwish, LeakyRelu, Relu};
pub use softsign::Softsign;
pub use tanh::Tanh;

use crate::scalar::Scalar;

/// An activation f, applied to every neuron of a layer: its value and its slope f′.
///
/// Both functions are defined for every z. Infinities give the limits, results that are subnormal
/// are right to their last place or two, and NaN gives NaN for the value and (but for [`Identity`])
/// for the slope. Never panics.
///
/// They are built from additions, multiplications, divisions, comparisons and operations on bits
/// only, each rounded by itself, and so give the same bits on every target; the sign and payload of
/// a NaN are the processor's own.
///
/// The errors in the docs of the types are in units in the last place (ulp) of the exact result,
/// the largest found: in `f32` over all numbers of magnitude 2⁻²⁴ to 2⁷ and every 61st of the others
/// (the example `accuracy`), in `f64` at 20 000 points for each activation.
pub trait Activation<T: Scalar>: Copy + fmt::Debug {
    /// f(z), the same bits as `value_and_slope(z).0`.
    #[inline(always)]
    fn value(self, z: T) -> T {
        self.value_and_slope(z).0
    }

    /// f(z) and f′(z).
    fn value_and_slope(self, z: T) -> (T, T);
}

/// The identity, f(z) = z with the slope 1: a layer without an activation. Exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Identity;

impl<T: Scalar> Activation<T> for Identity {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        (z, T::ONE)
    }
}
