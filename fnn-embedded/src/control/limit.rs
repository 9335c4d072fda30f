//! What a command may be.

use fnn_core::Scalar;

/// What one number of a command may be, in the unit of its actuator.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limit<T> {
    /// The least.
    pub low: T,
    /// The most.
    pub high: T,
    /// By how much it may change from one step to the next; any where there is none.
    pub per_step: Option<T>,
}

impl<T: Scalar> Limit<T> {
    /// From the least to the most, at any rate. Never panics.
    pub const fn new(low: T, high: T) -> Self {
        Self {
            low,
            high,
            per_step: None,
        }
    }

    /// The same with a largest change from one step to the next. Never panics.
    #[must_use]
    pub const fn rate(self, per_step: T) -> Self {
        Self {
            per_step: Some(per_step),
            ..self
        }
    }

    /// The number nearest to `wanted` that is allowed after `last`; between least and most in any case.
    /// Never panics.
    #[inline]
    pub fn allowed(&self, wanted: T, last: T) -> T {
        let mut allowed = wanted;
        if let Some(per_step) = self.per_step {
            allowed = between(allowed, last - per_step, last + per_step);
        }
        between(allowed, self.low, self.high)
    }

    /// Whether this is a limit: the least is not above the most, the rate not negative, none of them NaN.
    pub(super) fn is_valid(&self) -> bool {
        self.low <= self.high && self.per_step.is_none_or(|rate| rate >= T::ZERO)
    }
}

#[inline]
fn between<T: Scalar>(x: T, low: T, high: T) -> T {
    match (x < low, x > high) {
        (true, _) => low,
        (_, true) => high,
        _ => x,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_held_between_and_at_its_rate() {
        let limit = Limit::new(-1.0, 2.0);
        assert_eq!(limit.allowed(5.0, 0.0), 2.0);
        assert_eq!(limit.allowed(-5.0, 0.0), -1.0);
        assert_eq!(limit.allowed(0.5, 0.0), 0.5);
        let limit = limit.rate(0.25);
        assert_eq!(limit.allowed(5.0, 0.0), 0.25);
        assert_eq!(limit.allowed(5.0, 1.9), 2.0);
        assert_eq!(limit.allowed(-5.0, 0.0), -0.25);
        // Back between least and most at once, whatever the rate.
        assert_eq!(limit.allowed(0.0, 9.0), 2.0);
        assert!(limit.is_valid());
        assert!(!Limit::new(1.0, f64::NAN).is_valid());
        assert!(!Limit::new(1.0, 0.0).is_valid());
        assert!(!Limit::new(0.0, 1.0).rate(-1.0).is_valid());
    }
}
