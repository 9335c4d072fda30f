//! The soft sign.

use super::Activation;
use crate::scalar::Scalar;

/// The soft sign, f(z) = z/(1 + |z|), between −1 and 1.
///
/// f′(z) = 1/(1 + |z|)², from 1 at 0 down to 0 at ±∞. f is odd, and f(−0) = −0.
///
/// Largest errors: value 1.5 ulp and slope 2.0 ulp, in `f32` and `f64`.
///
/// Cost: two divisions (one for the value alone).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Softsign;

impl<T: Scalar> Activation<T> for Softsign {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let a = z.abs().at_most(T::MAX);
        let d = a + T::ONE;
        // What the rounding of d has lost; it is nothing from 2⁶⁰ on, where d² might overflow.
        let near = a < T::constant((1u64 << 60) as f64);
        let lost = if a < T::ONE {
            a - (d - T::ONE)
        } else {
            T::ONE - (d - a)
        };
        // d² in two parts, the first exact, and 2·d·lost.
        let high = d.high();
        let square = high * high + ((d - high) * (d + high) + (d + d) * lost);
        let part = T::ONE / if near { square } else { d };
        let slope = if near { part } else { part * part };
        ((a / d).copysign(z), slope)
    }
}
