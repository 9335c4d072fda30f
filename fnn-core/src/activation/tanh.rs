//! The hyperbolic tangent.

use super::{Activation, logistic::Logistic};
use crate::scalar::Scalar;

/// The hyperbolic tangent, f(z) = tanh z, between −1 and 1.
///
/// f′(z) = 1 − tanh² z, from 1 at 0 down to 0 at ±∞. f is odd, and tanh(−0) = −0.
///
/// Largest errors: value 1.1 ulp (around |z| = 0.59) and slope 1.9 ulp (around 0.89) in `f32`, 0.9 and
/// 1.3 ulp in `f64`, also where the slope is tiny.
///
/// Cost: one exponential, one polynomial, one division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tanh;

impl<T: Scalar> Activation<T> for Tanh {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let c = T::constant;
        let a = z.abs();
        let logistic = Logistic::new((a + a).at_most(-T::EXP_LOW));
        let tail = logistic.times(T::ONE);
        // From 0.55 on: tanh a = 1 − 2σ(−2a), f′ = 4σ(−2a)·(1 − σ(−2a)).
        let far = T::ONE - (tail + tail);
        let far_slope = logistic.times(c(4.0) * (T::ONE - tail));
        // Below 0.55: an odd polynomial, and f′ = 1 − tanh².
        let square = a * a;
        let near = a + a * (square * T::tanh_ratio(square));
        let (value, slope) = if a < c(0.55) {
            (near, T::ONE - near * near)
        } else {
            (far, far_slope)
        };
        (value.copysign(z), slope)
    }
}
