//! Activations.

use core::fmt;

use crate::{math::Exp, scalar::Scalar};

/// An activation f, applied to every neuron of a layer: its value and its slope f′.
///
/// Built from additions, multiplications, divisions, comparisons and operations on bits only, so
/// that every target gives the same bits. No input panics; NaN gives NaN.
pub trait Activation<T: Scalar>: Copy + fmt::Debug {
    /// f(z), the same bits as `value_and_slope(z).0`.
    #[inline(always)]
    fn value(self, z: T) -> T {
        self.value_and_slope(z).0
    }

    /// f(z) and f′(z).
    fn value_and_slope(self, z: T) -> (T, T);
}

/// f(z) = z, f′(z) = 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Identity;

impl<T: Scalar> Activation<T> for Identity {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        (z, T::ONE)
    }
}

/// f(z) = z·tanh(ln(1 + eᶻ)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mish;

impl<T: Scalar> Activation<T> for Mish {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let z = z.at_least(T::EXP_LOW);
        // Above 21.5 f = z and f′ = 1 to the last bit, and w⁴ does not overflow.
        let x = z.at_most(T::constant(21.5));
        let e = T::exp(x, T::ZERO);
        let (q, w) = (e.scaled(), e.value());
        let two = T::constant(2.0);
        let d = w * (w + two) + two;
        let g = q * (w + two) / d;
        let h = q * (w + T::ONE) * T::constant(4.0) / (d * d);
        (z * g * e.last, (g + x * h) * e.last)
    }
}

/// f(z) = tanh z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tanh;

impl<T: Scalar> Activation<T> for Tanh {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let e = T::exp((z.abs() * T::constant(-2.0)).at_least(T::EXP_LOW), T::ZERO);
        let m = e.minus_one();
        let two = T::constant(2.0);
        let d = m + two;
        let large = m < T::constant(-0.5);
        let part = (if large { two * e.value() } else { -m }) / d;
        let value = if large { T::ONE - part } else { part };
        (
            value.copysign(z),
            T::constant(4.0) * e.scaled() / (d * d) * e.last,
        )
    }
}

/// The logistic function of ±a, a ≥ 0, from u = e⁻ᵃ.
#[derive(Clone, Copy)]
struct Logistic<T> {
    e: Exp<T>,
    /// 1 + u.
    d: T,
}

impl<T: Scalar> Logistic<T> {
    /// For a = high + tail.
    #[inline(always)]
    fn new(high: T, tail: T) -> Self {
        let e = T::exp(-high, -tail);
        Self {
            e,
            d: e.value() + T::ONE,
        }
    }

    /// σ of a with the sign of `z`, as two factors.
    #[inline(always)]
    fn value(self, z: T) -> (T, T) {
        let negative = z < T::ZERO;
        let n = if negative { self.e.scaled() } else { T::ONE };
        let last = if negative { self.e.last } else { T::ONE };
        (n / self.d, last)
    }

    /// σ′.
    #[inline(always)]
    fn slope(self) -> T {
        self.e.scaled() / (self.d * self.d) * self.e.last
    }

    /// f = z·σ and f′ = σ + zσ′ with σ of argument x(z) and b = |z|·x′(z).
    #[inline(always)]
    fn gate(self, z: T, b: T) -> (T, T) {
        let (sigma, last) = self.value(z);
        let n = if z < T::ZERO {
            self.e.scaled() * (self.d - b)
        } else {
            self.d + self.e.value() * b
        };
        (z * sigma * last, n / (self.d * self.d) * last)
    }
}

/// f(z) = 1/(1 + e⁻ᶻ).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sigmoid;

impl<T: Scalar> Activation<T> for Sigmoid {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let logistic = Logistic::new(z.abs().at_most(-T::EXP_LOW), T::ZERO);
        let (value, last) = logistic.value(z);
        (value * last, logistic.slope())
    }
}

/// f(z) = ln(1 + eᶻ).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Softplus;

impl<T: Scalar> Activation<T> for Softplus {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let logistic = Logistic::new(z.abs().at_most(-T::EXP_LOW), T::ZERO);
        let Exp { last, .. } = logistic.e;
        let ln_1p = logistic.e.scaled() * T::ln_1p_ratio(logistic.e.value()) * last;
        let (sigma, last) = logistic.value(z);
        (z.at_least(T::ZERO) + ln_1p, sigma * last)
    }
}

/// f(z) = z/(1 + e⁻ᶻ).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silu;

impl<T: Scalar> Activation<T> for Silu {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let a = z.abs().at_most(-T::EXP_LOW);
        Logistic::new(a, T::ZERO).gate(z.at_least(T::EXP_LOW), a)
    }
}

/// f(z) = z·Φ(z).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gelu;

impl<T: Scalar> Activation<T> for Gelu {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let a = z.abs().at_most(T::NORMAL_END);
        let z = z.at_least(-T::NORMAL_END);
        let high = a.high();
        let half = T::constant(-0.5);
        let e = T::exp(high * high * half, (a - high) * (a + high) * half);
        let t = T::ONE / (a + T::constant(5.0));
        let tail = t * T::normal_tail(T::ONE - T::constant(10.0) * t);
        let bend = tail - a * T::constant(0.398_942_280_401_432_7);
        let q = e.scaled();
        if z < T::ZERO {
            (z * (q * tail) * e.last, q * bend * e.last)
        } else {
            (z * (T::ONE - e.value() * tail), T::ONE - e.value() * bend)
        }
    }
}

/// f(z) = z·(1 + tanh(√(2/π)·(z + 0.044715z³)))/2.
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

        let g = k1 + T::constant(3.0) * k3 * (a * a);
        Logistic::new(a_high * s_high, a_high * s_low + a_low * s)
            .gate(z.at_least(-T::GELU_TANH_END), a * g)
    }
}

/// f(z) = max(z, 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Relu;

impl<T: Scalar> Activation<T> for Relu {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        // The comparisons leave NaN to the last branch.
        if z > T::ZERO {
            (z, T::ONE)
        } else if z <= T::ZERO {
            (T::ZERO, T::ZERO)
        } else {
            (z, z)
        }
    }
}

/// f(z) = z for z > 0, else slope·z.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LeakyRelu<T> {
    /// The slope for z ≤ 0.
    pub slope: T,
}

impl<T: Scalar> Activation<T> for LeakyRelu<T> {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        if z > T::ZERO {
            (z, T::ONE)
        } else if z <= T::ZERO {
            (self.slope * z, self.slope)
        } else {
            (z, z)
        }
    }
}

/// f(z) = z for z > 0, else α·(eᶻ − 1).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Elu<T> {
    /// The limit of −f at −∞.
    pub alpha: T,
}

impl<T: Scalar> Activation<T> for Elu<T> {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let e = T::exp(z.at_most(T::ZERO).at_least(T::EXP_LOW), T::ZERO);
        if z > T::ZERO {
            (z, T::ONE)
        } else {
            (self.alpha * e.minus_one(), self.alpha * e.scaled() * e.last)
        }
    }
}

/// f(z) = λz for z > 0, else λα·(eᶻ − 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selu;

impl<T: Scalar> Activation<T> for Selu {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let scale = T::constant(1.050_700_987_355_480_5);
        let scale_alpha = T::constant(1.758_099_340_847_376_6);
        let (value, slope) = Elu { alpha: scale_alpha }.value_and_slope(z);
        if z > T::ZERO {
            (scale * z, scale)
        } else {
            (value, slope)
        }
    }
}

/// f(z) = z/(1 + |z|).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Softsign;

impl<T: Scalar> Activation<T> for Softsign {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let a = z.abs().at_most(T::MAX);
        let d = a + T::ONE;
        let inverse = T::ONE / d;
        ((a / d).copysign(z), inverse * inverse)
    }
}

/// f(z) = (z + 3)/6, kept between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HardSigmoid;

impl<T: Scalar> Activation<T> for HardSigmoid {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let three = T::constant(3.0);
        let sixth = T::constant(1.0 / 6.0);
        if z <= -three {
            (T::ZERO, T::ZERO)
        } else if z >= three {
            (T::ONE, T::ZERO)
        } else {
            ((z + three) * sixth, z * T::ZERO + sixth)
        }
    }
}

/// f(z) = z·(z + 3)/6 between −3 and 3, else max(z, 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HardSwish;

impl<T: Scalar> Activation<T> for HardSwish {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let three = T::constant(3.0);
        let sixth = T::constant(1.0 / 6.0);
        if z <= -three {
            (T::ZERO, T::ZERO)
        } else if z >= three {
            (z, T::ONE)
        } else {
            (z * ((z + three) * sixth), (z + z + three) * sixth)
        }
    }
}
