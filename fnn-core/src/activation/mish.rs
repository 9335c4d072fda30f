//! Mish.

use super::Activation;
use crate::scalar::Scalar;

/// Mish, f(z) = z·tanh(ln(1 + eᶻ)): smooth, and z itself for large z.
///
/// f′(z) = t + z·σ(z)·(1 − t²) with t = tanh(ln(1 + eᶻ)); it crosses zero at z ≈ −1.1925. f falls from
/// −0 at −∞ to −0.309 there and rises to ∞; f′ goes from −0 to 1, with a largest value of 1.088.
/// f(±0) = 0.
///
/// Largest errors: value 2.5 ulp and slope 2.1 ulp in `f32`, 1.6 and 1.5 ulp in `f64`. For −2.5 < z
/// < 0 the error of the slope is meant in the last place of max(|f′|, ½): terms of that size cancel
/// there. The value is above 2 ulp between −0.7 and −0.35 only.
///
/// Cost: one exponential and one division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mish;

impl<T: Scalar> Activation<T> for Mish {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let c = T::constant;
        let z = z.at_least(T::EXP_LOW);
        // Above 21.5 f is z and f′ is 1 to the last bit, and no power of w has overflown.
        let x = z.at_most(c(21.5));
        let e = T::exp(x);
        let m = e.times_minus_one(T::ONE);
        let w = m + T::ONE;
        // 1/(2 + 2w + w²), from m: near z = 0 the rounding of w would count.
        let h = T::ONE / (c(5.0) + m * (m + c(4.0)));
        let product = w * (w + T::ONE);
        if z < c(-0.35) {
            // tanh(ln(1 + w)) = w·(1 − less); f′ = w·(1 + z − less − z·bend).
            let less = product * h;
            let bend = w * (c(4.0) + w * (c(8.0) + w * (c(4.0) + w))) * (h * h);
            (
                e.times_less(z, less),
                e.times_sum(z + T::ONE, -(less + z * bend)),
            )
        } else {
            // tanh(ln(1 + w)) = 1 − less; f′ = 1 − less + z·w·(w + 1)·less².
            let less = h + h;
            (z - x * less, T::ONE - (less - x * product * (less * less)))
        }
    }
}
