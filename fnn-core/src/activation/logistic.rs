//! The logistic function and what is made of it.

use super::Activation;
use crate::{math::Exp, scalar::Scalar};

/// The logistic function, f(z) = σ(z) = 1/(1 + e⁻ᶻ), between 0 and 1.
///
/// f′(z) = σ(z)·σ(−z), from ¼ at 0 down to 0 at ±∞.
///
/// Largest errors: value 1.9 ulp and slope 2.8 ulp in `f32`, 1.8 and 2.2 ulp in `f64`, also where
/// they are tiny.
///
/// Cost: one exponential and two or three divisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sigmoid;

impl<T: Scalar> Activation<T> for Sigmoid {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let c = T::constant;
        let a = z.abs().at_most(-T::EXP_LOW);
        let logistic = Logistic::new(a);
        let u = logistic.u;
        let far = T::ONE / (T::ONE + u);
        // Not the square of the rounded 1 + u, which would count its error twice.
        let square = T::ONE + u * (c(2.0) + u);
        let slope = if a < c(0.7) {
            // σ(a) < 0.67: 1 − σ(a) is exact, and the error of σ(a) counts little.
            far * (T::ONE - far)
        } else {
            logistic.e.times(T::ONE / square)
        };
        (logistic.times(T::ONE, z, T::constant(-0.5)), slope)
    }
}

/// The soft plus, f(z) = ln(1 + eᶻ): a smooth [`Relu`](crate::Relu).
///
/// f′(z) = σ(z). f goes from 0 at −∞ to z for large z, and its slope from 0 to 1. PyTorch returns z
/// itself above a threshold of 20; here nothing is cut off: ln(1 + e⁻ᶻ) is added as long as it
/// counts.
///
/// Largest errors: value 2.6 ulp and slope 1.9 ulp in `f32`, 2.0 and 1.8 ulp in `f64`, also where
/// they are tiny.
///
/// Cost: one exponential, one long polynomial; one division more for the slope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Softplus;

impl<T: Scalar> Activation<T> for Softplus {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let logistic = Logistic::new(z.abs().at_most(-T::EXP_LOW));
        let ln_1p = logistic.e.times(T::ln_1p_ratio(logistic.u));
        (
            z.at_least(T::ZERO) + ln_1p,
            logistic.times(T::ONE, z, T::constant(-0.5)),
        )
    }
}

/// The sigmoid linear unit or swish, f(z) = z·σ(z) = z/(1 + e⁻ᶻ).
///
/// f′(z) = σ(z)·(1 + z·σ(−z)); it crosses zero at z ≈ −1.2785. f falls from −0 at −∞ to −0.278 there
/// and rises to z for large z; f′ goes from −0 to 1, with a largest value of 1.1.
///
/// Largest errors: value 2.6 ulp and slope 2.3 ulp in `f32`, 2.1 and 1.8 ulp in `f64`. For −2.5 < z
/// < 0 the error of the slope is meant in the last place of max(|f′|, ½): terms of that size cancel
/// there.
///
/// Cost: one exponential and two divisions (one for the value alone).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silu;

impl<T: Scalar> Activation<T> for Silu {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let a = z.abs().at_most(-T::EXP_LOW);
        let logistic = Logistic::new(a);
        (
            logistic.times(z.at_least(T::EXP_LOW), z, T::constant(-0.5)),
            logistic.gate_slope(z, T::ONE - a),
        )
    }
}

/// The logistic function σ of ±a, a ≥ 0, from e⁻ᵃ.
#[derive(Clone, Copy)]
pub(super) struct Logistic<T> {
    e: Exp<T>,
    /// e⁻ᵃ.
    u: T,
}

impl<T: Scalar> Logistic<T> {
    /// For 0 ≤ a ≤ −[`EXP_LOW`](crate::math::Math::EXP_LOW).
    #[inline(always)]
    fn new(a: T) -> Self {
        let e = T::exp(-a);
        Self { e, u: e.value() }
    }

    /// For a = high + tail.
    #[inline(always)]
    pub(super) fn new_sum(high: T, tail: T) -> Self {
        let e = T::exp_sum(-high, -tail);
        Self { e, u: e.value() }
    }

    /// y·σ(a), or y·σ(−a) if `z` is negative. Below `small`, u is at most 0.61.
    #[inline(always)]
    pub(super) fn times(self, y: T, z: T, small: T) -> T {
        // One comparison, not one of z and one of u: these would not become vectors.
        let small = z < small;
        let part = (if small { self.u } else { y }) / (T::ONE + self.u);
        if small {
            // u/(1 + u) = u·(1 − u/(1 + u)).
            self.e.times_less(y, part)
        } else if z < T::ZERO {
            self.e.times(part)
        } else {
            part
        }
    }

    /// The slope of z·σ(x) where a = |x| and s = 1 − |z|·x′.
    #[inline(always)]
    pub(super) fn gate_slope(self, z: T, s: T) -> T {
        let c = T::constant;
        let two = c(2.0) + self.u;
        // Not the square of the rounded 1 + u, which would count its error twice.
        let square = T::ONE + self.u * two;
        if z < T::ZERO {
            // u·(s + u)/(1 + u)² = u·(s + u·(1 − s·(2 + u))/(1 + u)²).
            self.e.times_sum(s, self.u * (T::ONE - s * two) / square)
        } else {
            // (1 + u·(2 − s))/(1 + u)².
            T::ONE - self.u * (s + self.u) / square
        }
    }
}
