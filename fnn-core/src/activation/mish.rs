//! Mish.

use super::Activation;
use crate::scalar::Scalar;

/// Mish, f(z) = z·tanh(ln(1 + eᶻ)): smooth, and z itself for large z.
///
/// f′(z) = t + z·σ(z)·(1 − t²) with t = tanh(ln(1 + eᶻ)); it crosses zero at z ≈ −1.1925. f falls from
/// −0 at −∞ to −0.309 there and rises to ∞; f′ goes from −0 to 1, with a largest value of 1.088.
/// f(−0) = −0.
///
/// Largest errors: value 2.0 ulp (around z = −0.47) and slope 1.8 ulp (around −0.32) in `f32`, 1.4
/// and 1.3 ulp in `f64`. For −2.5 < z < 0 the error of the slope is meant in the last place of
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
        // Above 21.5 f is z and f′ is 1 to the last bit, and no power of w has overflown.
        let x = z.at_most(c(21.5));
        let e = T::exp(x);
        let (p, s) = (e.p, e.scale * T::LAST);
        let q = T::ONE + p;
        let w = s * q;
        // With w = s·(1 + p): n = w·(w + 2) = s·(s + 2) + s·b where b = p·(2·(s + 1) + s·p). What
        // stands beside p is exact; the rounding of w would count.
        let above = s + T::ONE;
        let sp = s * p;
        let b = p * ((above + above) + sp);
        let (sb, base) = (s * b, s * above);
        let h = T::ONE / (((base + s) + c(2.0)) + sb);
        let v = w * h;
        if z < c(-0.35) {
            // t = tanh(ln(1 + w)) = w·(1 − less) with less = w·(w + 1)/(n + 2), and
            // f′ = w·(1 + z − less − z·bend) with bend = n/(n + 2) + 2v².
            let j = sb + base;
            let less = (j - sp) * h;
            let bend = (j + s) * h + (v + v) * v;
            let (y, o) = (z * e.scale, z + T::ONE);
            (
                (y + y * (p - (less + p * less))) * T::LAST,
                (o + (o * p - q * (less + z * bend))) * e.scale * T::LAST,
            )
        } else {
            // t = 1 − 2h = ½ + (½ − 2h) = ½ + ½·(n − 2)·h, and f′ = t + z·2v·(1 − w·v).
            let less = h + h;
            let middle = (((base + s) - c(2.0)) + sb) * c(0.5) * h;
            let more = if z < c(0.35) { middle } else { c(0.5) - less };
            let bend = x * ((v + v) * (T::ONE - w * v));
            (z * c(0.5) + z * more, T::ONE - (less - bend))
        }
    }
}
