//! The logistic function and what is made of it.

use core::f64::consts::LN_2;

use super::Activation;
use crate::{math::Exp, scalar::Scalar};

/// The logistic function, f(z) = σ(z) = 1/(1 + e⁻ᶻ), between 0 and 1.
///
/// f′(z) = σ(z)·σ(−z), from ¼ at 0 down to 0 at ±∞.
///
/// Largest errors: value 1.7 ulp and slope 2.0 ulp (both around |z| = 1) in `f32`, 1.4 and 1.6 ulp in
/// `f64`, also where they are tiny.
///
/// Cost: one exponential and one division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sigmoid;

impl<T: Scalar> Activation<T> for Sigmoid {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let c = T::constant;
        let a = z.abs().at_most(-T::EXP_LOW);
        let logistic = Logistic::new(a);
        let tail = logistic.times(T::ONE);
        let rest = T::ONE - tail;
        let far = c(0.5) - tail;
        (
            if z < T::ZERO { tail } else { rest },
            if a < c(0.9) {
                c(0.25) - far * far
            } else {
                logistic.times(rest)
            },
        )
    }
}

/// The soft plus, f(z) = ln(1 + eᶻ): a smooth [`Relu`](crate::Relu).
///
/// f′(z) = σ(z). f goes from 0 at −∞ to z for large z, and its slope from 0 to 1. PyTorch returns z
/// itself above a threshold of 20; here nothing is cut off: ln(1 + e⁻ᶻ) is added as long as it
/// counts.
///
/// Largest errors: value 1.6 ulp and slope 1.7 ulp in `f32`, 1.4 and 1.4 ulp in `f64`, also where they
/// are tiny.
///
/// Cost: one exponential, two polynomials; one division more for the slope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Softplus;

impl<T: Scalar> Activation<T> for Softplus {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let c = T::constant;
        let a = z.abs().at_most(-T::EXP_LOW);
        let logistic = Logistic::new(a);
        // ln(1 + eᶻ) = ln(1 + e⁻ᵃ) + max(z, 0), or ln 2 + z/2 + ln(cosh(z/2)) for small z, where the
        // rounding of e⁻ᵃ would count. ln 2 is in two parts.
        let far = z.at_least(T::ZERO) + logistic.e.times(T::ln_1p_ratio(logistic.u));
        let square = a * a;
        let (ln_2, ln_2_low) = T::split(LN_2, 2.319_046_813_846_299_6e-17);
        let bend = square * T::ln_cosh_ratio(square);
        let near = ln_2 + (z * c(0.5) + (bend + ln_2_low));
        let tail = logistic.times(T::ONE);
        (
            if a < T::ONE { near } else { far },
            if z < T::ZERO { tail } else { T::ONE - tail },
        )
    }
}

/// The sigmoid linear unit or swish, f(z) = z·σ(z) = z/(1 + e⁻ᶻ).
///
/// f′(z) = σ(z)·(1 + z·σ(−z)); it crosses zero at z ≈ −1.2785. f falls from −0 at −∞ to −0.278 there
/// and rises to z for large z; f′ goes from −0 to 1, with a largest value of 1.1.
///
/// Largest errors: value 1.8 ulp (around z = −1.03) and slope 1.8 ulp (around −3.79) in `f32`, 1.4
/// and 1.1 ulp in `f64`. For −2.5 < z < 0 the error of the slope is meant in the last place of
/// max(|f′|, ½): terms of that size cancel there.
///
/// Cost: one exponential and one division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silu;

impl<T: Scalar> Activation<T> for Silu {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let a = z.abs().at_most(-T::EXP_LOW);
        let logistic = Logistic::new(a);
        // f(−a) = −a·σ(−a) and f′(−a) = σ(−a)·(1 − a·σ(a)); f(a) = a + f(−a).
        let tail = logistic.times(a);
        let slope = logistic.times_sum(T::ONE - a, tail);
        if z < T::ZERO {
            (-tail, slope)
        } else {
            (z - tail, T::ONE - slope)
        }
    }
}

/// The logistic function σ of −a, a ≥ 0: σ(−a) = 2ⁿ·(1 + g).
#[derive(Clone, Copy)]
pub(super) struct Logistic<T> {
    e: Exp<T>,
    /// e⁻ᵃ.
    u: T,
    /// 2ⁿ/`LAST`.
    scale: T,
    g: T,
}

impl<T: Scalar> Logistic<T> {
    /// For 0 ≤ a ≤ −[`EXP_LOW`](crate::math::Math::EXP_LOW).
    #[inline(always)]
    pub(super) fn new(a: T) -> Self {
        Self::of(T::exp(-a))
    }

    /// For a = high + tail.
    #[inline(always)]
    pub(super) fn new_sum(high: T, tail: T) -> Self {
        Self::of(T::exp_sum(-high, -tail))
    }

    #[inline(always)]
    fn of(e: Exp<T>) -> Self {
        let c = T::constant;
        let u = e.value();
        // u/(1 + u) = 2ⁿ·(1 + p)·(1 − part), or ½·(1 + (u − 1)/(1 + u)).
        let near = e.scale > c(0.3) / T::LAST;
        let part = (if near { e.times_minus_one(T::ONE) } else { u }) / (T::ONE + u);
        let g = if near {
            part
        } else {
            e.p - (part + e.p * part)
        };
        let scale = if near { c(0.5) / T::LAST } else { e.scale };
        Self { e, u, scale, g }
    }

    /// y·σ(−a), also where it is subnormal.
    #[inline(always)]
    pub(super) fn times(self, y: T) -> T {
        let y = y * self.scale;
        (y + y * self.g) * T::LAST
    }

    /// (y + rest)·σ(−a) for a `rest` that is small beside y where a is large.
    #[inline(always)]
    pub(super) fn times_sum(self, y: T, rest: T) -> T {
        (y + (y * self.g + (rest + rest * self.g))) * self.scale * T::LAST
    }
}
