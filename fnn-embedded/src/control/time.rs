//! The clock of a loop, and what its steps took.

/// A clock that only goes on: a cycle counter, a timer, SysTick extended by its interrupt.
///
/// It goes around after 2³² ticks. Differences stay right where a step begins within 2³² ticks of the one
/// before.
///
/// ```
/// use fnn_embedded::Clock;
///
/// /// The cycle counter of a Cortex-M at 168 MHz.
/// struct Cycles;
///
/// impl Clock for Cycles {
///     const HZ: u32 = 168_000_000;
///
///     fn now(&self) -> u32 {
/// #       let cortex_m_peripheral_dwt_cycle_count = || 0;
///         // cortex_m::peripheral::DWT::cycle_count()
/// #       cortex_m_peripheral_dwt_cycle_count()
///     }
/// }
/// assert_eq!(Cycles::ticks(10), 1_680);
/// ```
pub trait Clock {
    /// Ticks in a second.
    const HZ: u32;

    /// The ticks until now, from any start, modulo 2³².
    fn now(&self) -> u32;

    /// The ticks in so many microseconds, at most 2³² − 1. Never panics.
    fn ticks(microseconds: u32) -> u32 {
        let ticks = u64::from(microseconds) * u64::from(Self::HZ) / 1_000_000;
        ticks.min(u64::from(u32::MAX)) as u32
    }
}

impl<C: Clock> Clock for &C {
    const HZ: u32 = C::HZ;

    fn now(&self) -> u32 {
        C::now(self)
    }
}

/// What the steps of a loop took, in ticks of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timing {
    /// Steps.
    pub steps: u32,
    /// The longest time from the begin of a step to its command.
    pub longest: u32,
    /// All of these times together.
    pub total: u64,
    /// The largest difference between the period and the time from the begin of one step to that of the
    /// next.
    pub jitter: u32,
}

impl Timing {
    /// Ticks from the begin of a step to its command on average; zero before the first one. Never panics.
    pub fn mean(&self) -> u32 {
        self.total.checked_div(u64::from(self.steps)).unwrap_or(0) as u32
    }

    /// Count a step that took so many ticks, and began so many ticks from where the period has it.
    pub(super) fn count(&mut self, took: u32, jitter: u32) {
        self.steps = self.steps.wrapping_add(1);
        self.longest = self.longest.max(took);
        self.total = self.total.wrapping_add(u64::from(took));
        self.jitter = self.jitter.max(jitter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_longest() {
        let mut timing = Timing::default();
        assert_eq!(timing.mean(), 0);
        timing.count(10, 3);
        timing.count(20, 1);
        assert_eq!((timing.mean(), timing.longest, timing.jitter), (15, 20, 3));
    }

    #[test]
    fn ticks_do_not_overflow() {
        struct Fast;
        impl Clock for Fast {
            const HZ: u32 = u32::MAX;
            fn now(&self) -> u32 {
                0
            }
        }
        assert_eq!(Fast::ticks(u32::MAX), u32::MAX);
        assert_eq!(<&Fast>::ticks(1), 4294);
    }
}
