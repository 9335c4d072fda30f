//! Exponential linear units.

use super::Activation;
use crate::scalar::Scalar;

/// The exponential linear unit: f(z) = z for z > 0, α·(eᶻ − 1) for z ≤ 0.
///
/// f′(z) is 1 for z > 0 and α·eᶻ for z ≤ 0, so α at the kink, as in PyTorch. f goes from −α at −∞ to
/// ∞. f(−0) = −0.
///
/// Largest errors with α = 1: value 1.1 ulp and slope 1.1 ulp; with another α: 1.9 and 1.1 ulp, in
/// `f32` and `f64`, also where the slope is tiny.
///
/// Cost: one exponential, no division.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Elu<T> {
    /// What f falls to is −α; positive.
    pub alpha: T,
}

impl<T: Scalar> Activation<T> for Elu<T> {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let (value, slope) = below_zero(z, self.alpha);
        (
            // The zeros of both signs take this way, too.
            if z < T::ZERO { value } else { z },
            if z > T::ZERO { T::ONE } else { slope },
        )
    }
}

/// The scaled exponential linear unit: f(z) = λ·z for z > 0, λα·(eᶻ − 1) for z ≤ 0.
///
/// α = 1.6732632423543772… and λ = 1.0507009873554805… are those of PyTorch; λ and λα are rounded
/// once to the format. f′(z) is λ for z > 0 and λα·eᶻ for z ≤ 0, so λα at the kink, as in PyTorch.
/// f goes from −λα at −∞ to ∞. f(−0) = −0.
///
/// Largest errors: value 2.0 ulp and slope 1.3 ulp in `f32`, 1.6 and 1.0 ulp in `f64`, also where
/// the slope is tiny.
///
/// Cost: one exponential, no division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selu;

impl<T: Scalar> Activation<T> for Selu {
    #[inline(always)]
    fn value_and_slope(self, z: T) -> (T, T) {
        let scale = T::constant(1.050_700_987_355_480_5);
        let (value, slope) = below_zero(z, T::constant(1.758_099_340_847_376_9));
        (
            // The zeros of both signs take this way, too.
            if z < T::ZERO { value } else { scale * z },
            if z > T::ZERO { scale } else { slope },
        )
    }
}

/// α·(eᶻ − 1) and its slope for z ≤ 0.
#[inline(always)]
fn below_zero<T: Scalar>(z: T, alpha: T) -> (T, T) {
    let e = T::exp(z.at_most(T::ZERO).at_least(T::EXP_LOW));
    (e.times_minus_one(alpha), e.times(alpha))
}
