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
pub use piecewise::{Clip, HardSigmoid, HardSwish, LeakyRelu, Relu};
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
/// # Errors
/// In units in the last place (ulp) of the exact result, the largest found: in `f32` over all finite
/// numbers, against formulas in `f64` that are themselves checked with mpmath; in `f64` at 8 000
/// random points and some 300 special ones for each activation, against mpmath. Where the slopes of
/// mish, SiLU and the two forms of GELU cross zero, the unit is the last place of max(|f′|, ½), as
/// their docs say. The example `accuracy` measures them.
///
/// | activation | `f32` value | at z | `f32` slope | at z | `f64` value | at z | `f64` slope | at z |
/// |---|---|---|---|---|---|---|---|---|
/// | mish | 1.98 | −0.591462672 | 1.85 | 0.590240300 | 1.67 | 0.0001702 | 1.40 | 0.1973 |
/// | tanh | 0.98 | 0.585049748 | 1.82 | 0.886888683 | 0.83 | 0.6064 | 1.20 | 0.9359 |
/// | sigmoid | 1.53 | −1.01684022 | 1.93 | 1.02000427 | 1.33 | −0.9585 | 1.56 | 0.9717 |
/// | softplus | 1.51 | −3.77326679 | 1.53 | −1.01684022 | 1.11 | −34.3 | 1.21 | −1.027 |
/// | silu | 1.75 | −1.02994215 | 1.74 | −6.57067394 | 1.39 | −1.004 | 1.05 | −30.82 |
/// | gelu | 1.56 | −12.8804674 | 1.48 | −6.70404816 | 1.16 | −1.404 | 1.14 | −12.32 |
/// | gelu_tanh | 1.79 | −0.626294374 | 1.70 | −3.14084792 | 1.40 | −0.6266 | 1.07 | −2.755 |
/// | elu(1) | 1.08 | −0.284201205 | 0.94 | −28.0719891 | 0.79 | −0.4033 | 0.79 | −7.932 |
/// | elu(1.7) | 1.81 | −0.344294578 | 1.00 | −5.89031887 | 1.28 | −0.03496 | 0.88 | −4.452 |
/// | selu | 1.95 | −0.149572074 | 1.23 | −5.19300985 | 1.59 | −0.06531 | 0.83 | −1.024 |
/// | softsign | 1.50 | 2047.37488 | 1.90 | 1.63116261e+18 | 1.44 | −31.5 | 1.47 | −0.0007337 |
/// | relu | 0 |  | 0 |  | 0 |  | 0 |  |
/// | leaky_relu(0.01) | 0.50 | −3.76158192e−37 | 0 |  | 0.50 | −3 | 0 |  |
/// | hard_sigmoid | 1.33 | 1.00000072 | 0.33 | 0 | 1.33 | 1.028 | 0.33 | 0 |
/// | hard_swish | 1.87 | 1.37149787 | 1.33 | 0.500000358 | 1.65 | 1.288 | 1.33 | 1 |
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
