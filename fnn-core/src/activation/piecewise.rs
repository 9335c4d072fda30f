//! Activations made of straight lines and a parabola.

use super::Activation;
use crate::scalar::Scalar;

/// The rectified linear unit, f(z) = max(z, 0).
///
/// f′(z) is 1 for z > 0 and 0 for z ≤ 0, so 0 at the kink, as in PyTorch. f(−0) = 0. Exact.
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

/// The leaky rectified linear unit: f(z) = z for z > 0, slope·z for z ≤ 0.
///
/// f′(z) is 1 for z > 0 and `slope` for z ≤ 0, also at the kink, as in PyTorch. The slope is exact,
/// the value has the one rounding of the product. With a slope of zero f(−∞) is NaN: that is
/// [`Relu`].
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

/// The clip, f(z) = z between `low` and `high`, `low` before and `high` after: ReLU6, the hard
/// hyperbolic tangent, the limits of an actuator. Where `low` is above `high`, f is `high`.
///
/// f′(z) is 1 inside the interval and 0 at both of its ends and outside, as that of PyTorch's
/// `hardtanh`. Exact.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Clip<T> {
    /// The least value.
    pub low: T,
    /// The largest value.
    pub high: T,
}

impl<T: Scalar> Activation<T> for Clip<T> {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let value = z.at_least(self.low).at_most(self.high);
        // The comparisons leave NaN to the last branch.
        if z > self.low && z < self.high {
            (value, T::ONE)
        } else if z <= self.low || z >= self.high {
            (value, T::ZERO)
        } else {
            (z, z)
        }
    }
}

/// The hard sigmoid, f(z) = (z + 3)/6 between −3 and 3, 0 before and 1 after.
///
/// f′(z) is ⅙ inside the interval and 0 at both of its ends and outside, as in PyTorch.
///
/// Largest errors: value 1.4 ulp and slope 0.4 ulp, in `f32` and `f64`.
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

/// The hard swish, f(z) = z·(z + 3)/6 between −3 and 3, 0 before (of negative sign) and z after.
///
/// f′(z) is z/3 + ½ inside the interval, 0 for z ≤ −3 and 1 for z ≥ 3, as in PyTorch 2.15
/// (pull request 148049); before, PyTorch gave −½ and 1½ at the kinks.
///
/// Largest errors: value 1.9 ulp and slope 1.4 ulp, in `f32` and `f64`.
///
/// Cost: one division.
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
