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
        let c = T::constant;
        let z = z.at_least(T::EXP_LOW);
        let x = z.at_most(c(21.5));
        let e = T::exp(x, T::ZERO);
        let m = e.times_minus_one(T::ONE);
        let w = m + T::ONE;
        let h = T::ONE / (c(5.0) + m * (m + c(4.0)));
        let product = w * (w + T::ONE);
        if z < c(-0.35) {
            // tanh(ln(1 + w)) = w·(1 − less).
            let less = product * h;
            let bend = w * (c(4.0) + w * (c(8.0) + w * (c(4.0) + w))) * (h * h);
            (
                e.times_less(z, less),
                e.times_sum(z + T::ONE, -(less + z * bend)),
            )
        } else {
            // tanh(ln(1 + w)) = 1 − less.
            let less = h + h;
            (z - x * less, T::ONE - (less - x * product * (less * less)))
        }
    }
}

/// f(z) = tanh z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tanh;

impl<T: Scalar> Activation<T> for Tanh {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let c = T::constant;
        let a = z.abs();
        let e = T::exp((a * c(-2.0)).at_least(T::EXP_LOW), T::ZERO);
        let u = e.value();
        let product = u * (c(2.0) + u);
        let far_slope = e.times_less(c(4.0), product / (T::ONE + product));
        let square = a * a;
        let near = a + a * (square * T::tanh_ratio(square));
        let far = T::ONE - (u + u) / (T::ONE + u);
        let (value, slope) = if a < c(0.55) {
            (near, T::ONE - near * near)
        } else {
            (far, far_slope)
        };
        (value.copysign(z), slope)
    }
}

/// The logistic function σ of ±a, a ≥ 0, from e⁻ᵃ.
#[derive(Clone, Copy)]
struct Logistic<T> {
    e: Exp<T>,
    /// e⁻ᵃ.
    u: T,
}

impl<T: Scalar> Logistic<T> {
    /// For a = high + tail.
    #[inline(always)]
    fn new(high: T, tail: T) -> Self {
        let e = T::exp(-high, -tail);
        Self { e, u: e.value() }
    }

    /// y·σ(a), or y·σ(−a) if `z` is negative.
    #[inline(always)]
    fn times(self, y: T, z: T) -> T {
        let negative = z < T::ZERO;
        let small = negative && self.u < T::constant(0.6);
        let part = (if small { self.u } else { y }) / (T::ONE + self.u);
        if small {
            self.e.times_less(y, part)
        } else if negative {
            self.e.times(part)
        } else {
            part
        }
    }

    /// The slope of z·σ(x) where a = |x| and s = 1 − |z|·x′.
    #[inline(always)]
    fn gate_slope(self, z: T, s: T) -> T {
        let c = T::constant;
        let two = c(2.0) + self.u;
        // Not the square of the rounded 1 + u, which would count its error twice.
        let square = T::ONE + self.u * two;
        if z < T::ZERO {
            self.e.times_sum(s, self.u * (T::ONE - s * two) / square)
        } else {
            T::ONE - self.u * (s + self.u) / square
        }
    }
}

/// f(z) = 1/(1 + e⁻ᶻ).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sigmoid;

impl<T: Scalar> Activation<T> for Sigmoid {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let c = T::constant;
        let a = z.abs().at_most(-T::EXP_LOW);
        let logistic = Logistic::new(a, T::ZERO);
        let u = logistic.u;
        let far = T::ONE / (T::ONE + u);
        // Not the square of the rounded 1 + u, which would count its error twice.
        let square = T::ONE + u * (c(2.0) + u);
        let slope = if a < c(0.7) {
            far * (T::ONE - far)
        } else {
            logistic.e.times(T::ONE / square)
        };
        (logistic.times(T::ONE, z), slope)
    }
}

/// f(z) = ln(1 + eᶻ).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Softplus;

impl<T: Scalar> Activation<T> for Softplus {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let logistic = Logistic::new(z.abs().at_most(-T::EXP_LOW), T::ZERO);
        let ln_1p = logistic.e.times(T::ln_1p_ratio(logistic.u));
        (z.at_least(T::ZERO) + ln_1p, logistic.times(T::ONE, z))
    }
}

/// f(z) = z/(1 + e⁻ᶻ).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silu;

impl<T: Scalar> Activation<T> for Silu {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let a = z.abs().at_most(-T::EXP_LOW);
        let logistic = Logistic::new(a, T::ZERO);
        (
            logistic.times(z.at_least(T::EXP_LOW), z),
            logistic.gate_slope(z, T::ONE - a),
        )
    }
}

/// f(z) = z·Φ(z).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gelu;

impl<T: Scalar> Activation<T> for Gelu {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let c = T::constant;
        let a = z.abs().at_most(T::NORMAL_END);
        let high = a.high();
        let e = T::exp(high * high * c(-0.5), (a - high) * (a + high) * c(-0.5));
        let (n, d) = T::normal_tail(a);
        let tail = n / d;
        let bend = tail - a * c(0.398_942_280_401_432_7);
        if z < T::ZERO {
            (-e.times(a * tail), e.times(bend))
        } else {
            (z - e.times(a * tail), T::ONE - e.times(bend))
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

        // |z|·x′ = a·(k1 + 3·k3·a²) = a·(3·(k1 + k3·a²) − 2·k1).
        let (two, three) = (T::constant(2.0), T::constant(3.0));
        let g_high = three * s_high - two * k1_high;
        let g_low = three * s_low - two * k1_low;
        let b = (T::ONE - a_high * g_high) - (a_low * g_high + a * g_low);
        let logistic = Logistic::new(a_high * s_high, a_high * s_low + a_low * s);
        (
            logistic.times(z.at_least(-T::GELU_TANH_END), z),
            logistic.gate_slope(z, b),
        )
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

/// α·(eᶻ − 1) and its slope for z ≤ 0.
#[inline(always)]
fn exponential_unit<T: Scalar>(z: T, alpha: T) -> (T, T) {
    let e = T::exp(z.at_most(T::ZERO).at_least(T::EXP_LOW), T::ZERO);
    (e.times_minus_one(alpha), e.times(alpha))
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
        let (value, slope) = exponential_unit(z, self.alpha);
        if z > T::ZERO {
            (z, T::ONE)
        } else {
            (value, slope)
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
        let (value, slope) = exponential_unit(z, T::constant(1.758_099_340_847_376_9));
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
        // From 2⁶⁰ on (1 + a)² might overflow; 1 + a is a there.
        let near = a < T::constant((1u64 << 60) as f64);
        let square = T::ONE + a * (T::constant(2.0) + a);
        let part = T::ONE / if near { square } else { d };
        let slope = if near { part } else { part * part };
        ((a / d).copysign(z), slope)
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
        let a = z.abs();
        let slope = if a >= three { T::ZERO } else { z };
        let slope = if a < three { sixth } else { slope };
        (
            (z + three).at_least(T::ZERO).at_most(T::constant(6.0)) * sixth,
            slope,
        )
    }
}

/// f(z) = z·(z + 3)/6 between −3 and 3, else max(z, 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HardSwish;

impl<T: Scalar> Activation<T> for HardSwish {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let c = T::constant;
        let slope = (z + z + c(3.0)) * c(1.0 / 6.0);
        let slope = if z <= c(-3.0) { T::ZERO } else { slope };
        let slope = if z >= c(3.0) { T::ONE } else { slope };
        let gate = (z + c(3.0)).at_least(T::ZERO).at_most(c(6.0)) / c(6.0);
        (z.at_least(c(-3.0)) * gate, slope)
    }
}
