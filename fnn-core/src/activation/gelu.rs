//! The Gaussian error linear unit and its approximation.

use super::{Activation, logistic::Logistic};
use crate::scalar::Scalar;

/// The Gaussian error linear unit, f(z) = z·Φ(z) = z·erfc(−z/√2)/2.
///
/// Φ is the distribution function of the normal distribution, φ its density: f′(z) = Φ(z) + z·φ(z)
/// crosses zero at z ≈ −0.7518. f falls from −0 at −∞ to −0.170 there and rises to z for large z; f′
/// goes from −0 to 1, with a largest value of 1.129.
///
/// Largest errors: value 5.4 ulp and slope 4.0 ulp in `f32`, 3.8 and 3.5 ulp in `f64`: a quotient
/// of polynomials, where more roundings count than elsewhere. For −1.5 < z < 0 the error of the
/// slope is meant in the last place of max(|f′|, ½): terms of that size cancel there.
///
/// Cost: one exponential, two polynomials and one division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gelu;

impl<T: Scalar> Activation<T> for Gelu {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let c = T::constant;
        let a = z.abs().at_most(T::NORMAL_END);
        let high = a.high();
        let e = T::exp_sum(high * high * c(-0.5), (a - high) * (a + high) * c(-0.5));
        // R(a) = Φ(−a)·e^(a²/2) = 1/(√(2π)·a + n/d): for large a the errors of n and d do not count.
        let (n, d) = T::normal_tail(a);
        let r = d / (a * c(2.506_628_274_631_000_5) * d + n);
        let tail = e.times(a * r);
        let bend = e.times(r - a * c(0.398_942_280_401_432_7));
        if z < T::ZERO {
            (-tail, bend)
        } else {
            (z - tail, T::ONE - bend)
        }
    }
}

/// The Gaussian error linear unit in the approximation with tanh, f(z) = z·(1 + tanh(y))/2 with
/// y = √(2/π)·(z + 0.044715·z³).
///
/// This is z·σ(2y) and f′(z) = σ(2y)·(1 + z·σ(−2y)·2y′), which crosses zero at z ≈ −0.7525. Ranges
/// and limits are those of [`Gelu`].
///
/// Largest errors: value 2.9 ulp and slope 2.8 ulp in `f32`, 2.2 and 2.2 ulp in `f64`: the argument
/// 2y, which magnifies its own error where z is far below zero, is computed in two parts. For −1.5
/// < z < 0 the error of the slope is meant in the last place of max(|f′|, ½): terms of that size
/// cancel there.
///
/// Cost: one exponential, one division and some 30 operations for 2y.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GeluTanh;

impl<T: Scalar> Activation<T> for GeluTanh {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let (k1_high, k1_low) = T::split(1.5957691216057308, -9.96930880911092e-17);
        let (k3_high, k3_low) = T::split(0.07135481627260025, -6.175149918155315e-19);
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
        let s_low = ((k3_high * square_high - s_high) + k1_high) + (rest + k1_low);

        // |z|·x′ = a·(k1 + 3·k3·a²) = a·(3·(k1 + k3·a²) − 2·k1).
        let (two, three) = (T::constant(2.0), T::constant(3.0));
        let g_high = three * s_high - two * k1_high;
        let g_low = three * s_low - two * k1_low;
        let bend = (T::ONE - a_high * g_high) - (a_low * g_high + a * g_low);
        // As for silu: f′(−a) = σ(−2y)·(1 − a·2y′·σ(2y)), with a·2y′ = 1 − bend.
        let logistic = Logistic::new_sum(a_high * s_high, a_high * s_low + a_low * s);
        let tail = logistic.times(a);
        let slope = logistic.times_sum(bend, (T::ONE - bend) * logistic.times(T::ONE));
        if z < T::ZERO {
            (-tail, slope)
        } else {
            (z - tail, T::ONE - slope)
        }
    }
}
