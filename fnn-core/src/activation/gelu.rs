//! The Gaussian error linear unit and its approximation.

use super::{Activation, logistic::Logistic};
use crate::scalar::Scalar;

/// The Gaussian error linear unit, f(z) = z·Φ(z) = z·erfc(−z/√2)/2.
///
/// Φ is the distribution function of the normal distribution, φ its density: f′(z) = Φ(z) + z·φ(z)
/// crosses zero at z ≈ −0.7518. f falls from −0 at −∞ to −0.170 there and rises to z for large z; f′
/// goes from −0 to 1, with a largest value of 1.129.
///
/// Largest errors: value 1.6 ulp and slope 1.5 ulp in `f32`, 1.2 and 1.2 ulp in `f64`, also where they
/// are tiny. For −1.5 < z < 0 the error of the slope is meant in the last place of max(|f′|, ½): terms of that
/// size cancel there.
///
/// Cost: one exponential, two polynomials, two divisions and some 40 operations for the parts that
/// single numbers lose. [`GeluTanh`] is cheaper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gelu;

impl<T: Scalar> Activation<T> for Gelu {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let c = T::constant;
        let a = z.abs().at_most(T::NORMAL_END);
        let a_high = a.high();
        let a_low = a - a_high;
        // e^(−a²/2), of an argument in two parts.
        let e = T::exp_sum(a_high * a_high * c(-0.5), a_low * (a + a_high) * c(-0.5));

        // R(a) = Φ(−a)·e^(a²/2) = 1/(2 + 2a + a·n/d), where a·n/d is small beside the rest: at most
        // a twentieth of the sum below a = 3.5 and a fifth above. The sum is b + b_low.
        let (n, d) = T::normal_tail(a);
        let more = a * (n / d);
        let twice = a + a;
        let sum = twice + c(2.0);
        let lost = if a < T::ONE {
            twice - (sum - c(2.0))
        } else {
            c(2.0) - (sum - twice)
        };
        let b = sum + more;
        let b_low = ((sum - b) + more) + lost;

        // R = r_high + r_low, by a step of Newton's from 1/b, with the remainder of the division.
        let r = T::ONE / b;
        let (r_high, b_high) = (r.high(), b.high());
        let r_low = r - r_high;
        let remainder = ((T::ONE - r_high * b_high) - r_high * (b - b_high)) - r_low * b;
        let r_low = r_low + r * (remainder - r * b_low);

        // Φ(−a)·a = a·R·e^(−a²/2) and f′(−a) = (R − a/√(2π))·e^(−a²/2).
        let tail = e.times_sum(a_high * r_high, a_low * r_high + a * r_low);
        let (k_high, k_low) = T::split(0.398_942_280_401_432_7, -2.492_327_202_277_73e-17);
        let bend = e.times_sum(
            r_high - a_high * k_high,
            r_low - (a_low * k_high + a * k_low),
        );
        if z < T::ZERO {
            (-tail, bend)
        } else {
            (z - tail, T::ONE - bend)
        }
    }
}

/// The Gaussian error linear unit in the approximation with tanh, f(z) = z·(1 + tanh(y))/2 with
/// y = √(2/π)·(z + c·z³), where c is 0.044715 (Hendrycks and Gimpel 2016, equation 2).
///
/// This is z·σ(2y) and f′(z) = σ(2y)·(1 + z·σ(−2y)·2y′), which crosses zero at z ≈ −0.7525. Ranges
/// and limits are those of [`Gelu`].
///
/// Largest errors: value 1.8 ulp and slope 1.8 ulp in `f32`, 1.5 and 1.3 ulp in `f64`: the argument
/// 2y, which magnifies its own error where z is far below zero, is computed in two parts. For −1.5
/// < z < 0 the error of the slope is meant in the last place of max(|f′|, ½): terms of that size
/// cancel there.
///
/// Cost: one exponential, one division and some 30 operations for 2y.
///
/// ```
/// use fnn_core::{Activation, GeluTanh};
///
/// assert_eq!(GeluTanh::default().value(1.0_f64), 0.8411919906082768);
/// // The same function as an f32 holds its coefficient.
/// let cubic = f64::from(0.044715_f32);
/// assert_eq!(GeluTanh { cubic }.value(1.0), 0.8411919902786764);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeluTanh<T> {
    /// The coefficient c of z³: 0.044715, or that number as a shorter format holds it. The errors
    /// above are those from 0.0446 to 0.0448; 0.044715 is exact, beyond the last place of T.
    pub cubic: T,
}

impl<T: Scalar> Default for GeluTanh<T> {
    /// That of the paper, with c = 0.044715.
    fn default() -> Self {
        Self {
            cubic: T::constant(CUBIC),
        }
    }
}

/// The usual coefficient of z³.
const CUBIC: f64 = 0.044715;

impl<T: Scalar> Activation<T> for GeluTanh<T> {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let (k1_high, k1_low) = T::split(1.5957691216057308, -9.96930880911092e-17);
        let (k3_high, k3_low) = if self.cubic == T::constant(CUBIC) {
            T::split(0.07135481627260025, -6.175149918155315e-19)
        } else {
            // k1·c, of which the product of the first parts is exact.
            let c_high = self.cubic.high();
            let product = k1_high * c_high;
            let rest = k1_high * (self.cubic - c_high) + k1_low * self.cubic;
            let high = (product + rest).high();
            (high, (product - high) + rest)
        };
        let (k1, k3) = (k1_high + k1_low, k3_high + k3_low);
        let a = z.abs().at_most(T::GELU_TANH_END);

        // a² = square + square_low, k1 + k3·a² = s_high + s_low.
        let a_high = a.high();
        let a_low = a - a_high;
        let square = a_high * a_high;
        let square_low = a_low * (a + a_high);
        let s = k1 + k3 * (square + square_low);
        let s_high = s.high();
        let square_high = square.high();
        let rest = k3_low * square_high + k3 * ((square - square_high) + square_low);
        let s_low = (k3_high * square_high - (s_high - k1_high)) + (rest + k1_low);

        // 1 − a·2y′ = bend + bend_low with 2y′ = k1 + 3·k3·a² = 3·(k1 + k3·a²) − 2·k1 = g_high + g_low.
        let (two, three) = (T::constant(2.0), T::constant(3.0));
        let g = three * s_high - two * k1_high;
        let g_high = g.high();
        let g_low = (g - g_high) + (three * s_low - two * k1_low);
        let product = a_high * g_high;
        let bend = T::ONE - product;
        let bend_low = (T::ONE - (product + bend)) - (a_low * g_high + a * g_low);
        // As for silu: f′(−a) = σ(−2y)·(1 − a·2y′·σ(2y)) = σ(−2y)·(1 − a·2y′ + a·2y′·σ(−2y)).
        let logistic = Logistic::new_sum(a_high * s_high, a_high * s_low + a_low * s);
        let tail = logistic.times(a);
        let more = (product - bend_low) * logistic.times(T::ONE);
        let slope = logistic.times_sum(bend, bend_low + more);
        if z < T::ZERO {
            (-tail, slope)
        } else {
            (z - tail, T::ONE - slope)
        }
    }
}
