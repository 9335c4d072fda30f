//! Mish.

use super::Activation;
use crate::scalar::Scalar;

/// Mish, f(z) = z·tanh(ln(1 + eᶻ)): smooth, and z itself for large z.
///
/// f′(z) = t + z·σ(z)·(1 − t²) with t = tanh(ln(1 + eᶻ)); it crosses zero at z ≈ −1.1925. f falls from
/// −0 at −∞ to −0.309 there and rises to ∞; f′ goes from −0 to 1, with a largest value of 1.088.
/// f(−0) = −0.
///
/// Largest errors: value 1.98 ulp (z = −0.591) and slope 1.85 ulp (z = 0.590) in `f32`, 1.7
/// and 1.4 ulp in `f64`. For −2.5 < z < 0 the error of the slope is meant in the last place of
/// max(|f′|, ½): terms of that size cancel there.
///
/// Cost: one exponential and one division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mish;

impl<T: Scalar> Activation<T> for Mish {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let c = T::constant;
        let z = z.at_least(T::EXP_LOW);
        // Above 21.5 f is z and f′ is 1 to the last bit, and w² does not overflow.
        let x = z.at_most(c(21.5));
        let e = T::exp(x);
        let q = T::ONE + e.p;
        let w = e.scale * T::LAST * q;
        // With t = tanh(ln(1 + w)) = n/(n + 2) where n = w·(w + 2), 1 − t/w is less = w·(w + 1)/(n + 2).
        let product = w * w + w;
        let n = product + w;
        let h = T::ONE / (n + c(2.0));
        let less = product * h;
        if z < c(-0.35) {
            // f = z·w·(1 − less), and f′ = w·(1 + z − less − z·bend) with
            // bend = 1 − 4·(w + 1)/(n + 2)² = t + 2v² where v = w/(n + 2). What is multiplied by the
            // power of two last is exact up to there; the rounding of w would count.
            let (p, v) = (e.p, w * h);
            let bend = n * h + (v + v) * v;
            let (y, o) = (z * e.scale, z + T::ONE);
            (
                (y + y * (p - (less + p * less))) * T::LAST,
                (o + (o * p - q * (less + z * bend))) * e.scale * T::LAST,
            )
        } else {
            // t = ½ + ½·c with c = (n − 2)/(n + 2), which is small where z is, and
            // f′ = t + 4z·less/(n + 2).
            let middle = (n - c(2.0)) * h;
            let half = c(0.5) * z;
            let bend = (c(4.0) * x) * less * h;
            (half + half * middle, c(0.5) + (c(0.5) * middle + bend))
        }
    }
}
