//! What can go wrong in a step, what is done about it, and the state machine that decides.

use core::fmt;

use super::telemetry::frame;

/// What can go wrong in a step of a control loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum Fault {
    /// The network does not compute what it computed on the desk. It stands until a self-test passes.
    SelfTest = 0,
    /// The sensor gave an error.
    Sensor = 1,
    /// The sample is older than it may be.
    Stale = 2,
    /// A measurement or an input of the network is infinite or NaN.
    Input = 3,
    /// An input of the network is outside of the range that it was trained in.
    Outside = 4,
    /// A number that the network or the law gave is infinite or NaN.
    Output = 5,
    /// The command was beyond a limit, and is what the limit allows.
    Saturated = 6,
    /// The step began later after the one before than it may.
    Late = 7,
    /// The command was ready after the deadline.
    Overrun = 8,
    /// The actuator gave an error at the step before.
    Actuator = 9,
}

impl Fault {
    /// All there are, in the order of their bits.
    pub const ALL: [Self; 10] = [
        Self::SelfTest,
        Self::Sensor,
        Self::Stale,
        Self::Input,
        Self::Outside,
        Self::Output,
        Self::Saturated,
        Self::Late,
        Self::Overrun,
        Self::Actuator,
    ];

    /// A word for it. Never panics.
    pub fn name(self) -> &'static str {
        frame::FAULTS.get(self as usize).copied().unwrap_or("")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The faults of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Faults(u16);

impl Faults {
    /// No fault.
    pub const NONE: Self = Self(0);

    /// These and one more. Never panics.
    #[must_use]
    pub const fn with(self, fault: Fault) -> Self {
        Self(self.0 | 1 << fault as u8)
    }

    /// These but for one. Never panics.
    #[must_use]
    pub const fn without(self, fault: Fault) -> Self {
        Self(self.0 & !(1 << fault as u8))
    }

    /// Whether this one is among them. Never panics.
    pub const fn contains(self, fault: Fault) -> bool {
        self.0 & 1 << fault as u8 != 0
    }

    /// Whether there is none. Never panics.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them. Never panics.
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL
            .into_iter()
            .filter(move |&fault| self.contains(fault))
    }

    /// A bit for each, that of `Fault::ALL[i]` being 1 << i. Never panics.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The faults of these bits; bits of none are dropped. Never panics.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & ((1 << Fault::ALL.len()) - 1))
    }
}

/// What is done about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Policy {
    /// Repeat the last command of a step without such a fault for at most so many steps, then the safe
    /// output. The steps count from the last command that the law gave, whatever came between.
    Hold {
        /// The most steps.
        steps: u16,
    },
    /// Command what the fallback of the law says; the safe output where it has none.
    Fallback,
    /// The safe output, until a step without such a fault.
    Safe,
    /// The safe output, until [`Control::reset`](super::Control::reset).
    Stop,
}

impl Policy {
    /// The stricter of two: `Stop` before `Safe` before `Fallback` before `Hold`, of two `Hold` the one for
    /// fewer steps. Never panics.
    #[must_use]
    pub const fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Stop, _) | (_, Self::Stop) => Self::Stop,
            (Self::Safe, _) | (_, Self::Safe) => Self::Safe,
            (Self::Fallback, _) | (_, Self::Fallback) => Self::Fallback,
            (Self::Hold { steps: a }, Self::Hold { steps: b }) => Self::Hold {
                steps: if a < b { a } else { b },
            },
        }
    }
}

/// The policy for each fault. Where a step has several faults the strictest policy counts.
///
/// The faults that leave no command of the law to be trusted have one in any case. The others may have
/// none: `None` commands what the law says, and the fault is in the step's record alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Policies {
    /// For [`Fault::SelfTest`].
    pub self_test: Policy,
    /// For [`Fault::Sensor`].
    pub sensor: Policy,
    /// For [`Fault::Input`].
    pub input: Policy,
    /// For [`Fault::Output`].
    pub output: Policy,
    /// For [`Fault::Stale`].
    pub stale: Option<Policy>,
    /// For [`Fault::Outside`].
    pub outside: Option<Policy>,
    /// For [`Fault::Saturated`]: none by default, since the command is then at its limit already.
    pub saturated: Option<Policy>,
    /// For [`Fault::Late`].
    pub late: Option<Policy>,
    /// For [`Fault::Overrun`].
    pub overrun: Option<Policy>,
    /// For [`Fault::Actuator`].
    pub actuator: Option<Policy>,
}

impl Policies {
    /// The safe output at every fault but [`Fault::Saturated`]: the default.
    pub const SAFE: Self = Self {
        self_test: Policy::Safe,
        sensor: Policy::Safe,
        input: Policy::Safe,
        output: Policy::Safe,
        stale: Some(Policy::Safe),
        outside: Some(Policy::Safe),
        saturated: None,
        late: Some(Policy::Safe),
        overrun: Some(Policy::Safe),
        actuator: Some(Policy::Safe),
    };

    /// The policy for a fault. Never panics.
    pub const fn of(&self, fault: Fault) -> Option<Policy> {
        match fault {
            Fault::SelfTest => Some(self.self_test),
            Fault::Sensor => Some(self.sensor),
            Fault::Input => Some(self.input),
            Fault::Output => Some(self.output),
            Fault::Stale => self.stale,
            Fault::Outside => self.outside,
            Fault::Saturated => self.saturated,
            Fault::Late => self.late,
            Fault::Overrun => self.overrun,
            Fault::Actuator => self.actuator,
        }
    }

    /// The strictest policy for these faults; `None` where the command of the law stands. Never panics.
    pub fn strictest(&self, faults: Faults) -> Option<Policy> {
        if faults.is_empty() {
            return None;
        }
        let policies = faults.iter().filter_map(|fault| self.of(fault));
        policies.reduce(Policy::stricter)
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self::SAFE
    }
}

/// What a step commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum Mode {
    /// What the law says.
    Running = 0,
    /// The last command of the law again.
    Holding = 1,
    /// What the fallback of the law says.
    Fallback = 2,
    /// The safe output.
    Safe = 3,
    /// The safe output, until a reset.
    Stopped = 4,
}

impl Mode {
    /// All there are, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Running,
        Self::Holding,
        Self::Fallback,
        Self::Safe,
        Self::Stopped,
    ];

    /// A word for it. Never panics.
    pub fn name(self) -> &'static str {
        frame::MODES.get(self as usize).copied().unwrap_or("")
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The state machine of a loop: which [`Mode`] follows from the faults of a step.
///
/// ```text
///            no fault with a policy                       Hold, steps left
///       ┌─────────────────────────────┐  ┌─────────┐◄──────────────────────┐
///       ▼                             │  │ Holding │                       │
///  ┌─────────┐  a fault: its policy ──┴──┼─────────┤   Hold, none left ──┐ │
///  │ Running │──────────────────────────►│Fallback │                     │ │
///  └─────────┘                           ├─────────┤◄────────────────────┼─┤ any step
///       ▲                                │  Safe   │◄────────────────────┘ │
///       │ reset, then no fault           ├─────────┤                       │
///       └────────────────────────────────│ Stopped │ stays ────────────────┘
///                                        └─────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Machine {
    /// Whether the law has given a command that may be held.
    has_command: bool,
    is_stopped: bool,
    /// Steps since then.
    since: u16,
}

impl Machine {
    /// At the start, where there is no command to hold. Never panics.
    pub const fn new() -> Self {
        Self {
            has_command: false,
            is_stopped: false,
            since: 0,
        }
    }

    /// The mode of a step with these faults. Never panics.
    pub fn next(&mut self, faults: Faults, policies: &Policies) -> Mode {
        let policy = policies.strictest(faults);
        self.is_stopped |= policy == Some(Policy::Stop);
        if self.is_stopped {
            return Mode::Stopped;
        }
        let Some(policy) = policy else {
            self.has_command = true;
            self.since = 0;
            return Mode::Running;
        };
        self.since = self.since.saturating_add(1);
        match policy {
            Policy::Hold { steps } if self.has_command && self.since <= steps => Mode::Holding,
            Policy::Fallback => Mode::Fallback,
            Policy::Hold { .. } | Policy::Safe | Policy::Stop => Mode::Safe,
        }
    }

    /// Leave [`Mode::Stopped`], and hold no command of before. Never panics.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    const POLICIES: [Policy; 5] = [
        Policy::Hold { steps: 0 },
        Policy::Hold { steps: 2 },
        Policy::Fallback,
        Policy::Safe,
        Policy::Stop,
    ];

    /// All policies alike.
    fn all(policy: Policy) -> Policies {
        Policies {
            self_test: policy,
            sensor: policy,
            input: policy,
            output: policy,
            stale: Some(policy),
            outside: Some(policy),
            saturated: Some(policy),
            late: Some(policy),
            overrun: Some(policy),
            actuator: Some(policy),
        }
    }

    fn set(policies: &mut Policies, fault: Fault, policy: Policy) {
        match fault {
            Fault::SelfTest => policies.self_test = policy,
            Fault::Sensor => policies.sensor = policy,
            Fault::Input => policies.input = policy,
            Fault::Output => policies.output = policy,
            Fault::Stale => policies.stale = Some(policy),
            Fault::Outside => policies.outside = Some(policy),
            Fault::Saturated => policies.saturated = Some(policy),
            Fault::Late => policies.late = Some(policy),
            Fault::Overrun => policies.overrun = Some(policy),
            Fault::Actuator => policies.actuator = Some(policy),
        }
    }

    /// Every state that the machine can be in, as far as a policy tells them apart.
    fn states() -> impl Iterator<Item = Machine> {
        (0..16).map(|i| Machine {
            has_command: i & 1 != 0,
            is_stopped: i & 2 != 0,
            since: i >> 2,
        })
    }

    /// What the documentation says of one policy, in words of its own.
    fn wanted(state: Machine, policy: Policy) -> Mode {
        if state.is_stopped {
            return Mode::Stopped;
        }
        match policy {
            Policy::Stop => Mode::Stopped,
            Policy::Safe => Mode::Safe,
            Policy::Fallback => Mode::Fallback,
            Policy::Hold { steps } => match state.has_command && state.since < steps {
                true => Mode::Holding,
                false => Mode::Safe,
            },
        }
    }

    #[test]
    fn every_fault_in_every_state() {
        let mut count = 0;
        for fault in Fault::ALL {
            for policy in POLICIES {
                let mut policies = Policies::SAFE;
                set(&mut policies, fault, policy);
                for state in states() {
                    let mut machine = state;
                    let mode = machine.next(Faults::NONE.with(fault), &policies);
                    assert_eq!(mode, wanted(state, policy), "{fault} {policy:?} {state:?}");
                    let stopped = mode == Mode::Stopped;
                    assert_eq!(machine.is_stopped, stopped);
                    count += 1;
                }
            }
        }
        assert_eq!(count, 10 * 5 * 16);
    }

    #[test]
    fn pairs_of_faults_take_the_stricter_policy() {
        let rank = |policy| match policy {
            Policy::Hold { steps } => (0, u16::MAX - steps),
            Policy::Fallback => (1, 0),
            Policy::Safe => (2, 0),
            Policy::Stop => (3, 0),
        };
        for one in Fault::ALL {
            for other in Fault::ALL.into_iter().filter(|&other| other != one) {
                for (a, b) in POLICIES.iter().flat_map(|&a| POLICIES.map(|b| (a, b))) {
                    let mut policies = all(Policy::Fallback);
                    set(&mut policies, one, a);
                    set(&mut policies, other, b);
                    let faults = Faults::NONE.with(one).with(other);
                    let stricter = if rank(a) > rank(b) { a } else { b };
                    assert_eq!(policies.strictest(faults), Some(stricter));
                    for state in states() {
                        let mode = { state }.next(faults, &policies);
                        assert_eq!(mode, wanted(state, stricter));
                    }
                }
            }
        }
    }

    /// Any set of faults: running is what is left where none has a policy.
    #[test]
    fn all_sets_of_faults() {
        let mut policies = all(Policy::Safe);
        policies.saturated = None;
        policies.late = None;
        for bits in 0..1 << Fault::ALL.len() {
            let faults = Faults::from_bits(bits);
            assert_eq!(faults.bits(), bits);
            assert_eq!(faults.iter().count(), bits.count_ones() as usize);
            let tolerated = Faults::NONE.with(Fault::Saturated).with(Fault::Late);
            let mode = match bits & !tolerated.bits() {
                0 => Mode::Running,
                _ => Mode::Safe,
            };
            assert_eq!(Machine::new().next(faults, &policies), mode);
        }
        assert_eq!(Faults::from_bits(u16::MAX).iter().count(), Fault::ALL.len());
    }

    #[test]
    fn a_command_is_held_for_so_many_steps_and_never_without_one() {
        let policies = all(Policy::Hold { steps: 3 });
        let fault = Faults::NONE.with(Fault::Sensor);
        let mut machine = Machine::new();
        assert_eq!(machine.next(fault, &policies), Mode::Safe);
        assert_eq!(machine.next(Faults::NONE, &policies), Mode::Running);
        for _ in 0..3 {
            assert_eq!(machine.next(fault, &policies), Mode::Holding);
        }
        for _ in 0..70_000 {
            assert_eq!(machine.next(fault, &policies), Mode::Safe);
        }
        assert_eq!(machine.next(Faults::NONE, &policies), Mode::Running);
        assert_eq!(machine.next(fault, &policies), Mode::Holding);
    }

    /// What comes between does not make a held command younger.
    #[test]
    fn holding_counts_from_the_last_command_of_the_law() {
        let policies = Policies {
            sensor: Policy::Hold { steps: 3 },
            ..all(Policy::Fallback)
        };
        let mut machine = Machine::new();
        machine.next(Faults::NONE, &policies);
        let mode = machine.next(Faults::NONE.with(Fault::Stale), &policies);
        assert_eq!(mode, Mode::Fallback);
        let sensor = Faults::NONE.with(Fault::Sensor);
        assert_eq!(machine.next(sensor, &policies), Mode::Holding);
        assert_eq!(machine.next(sensor, &policies), Mode::Holding);
        assert_eq!(machine.next(sensor, &policies), Mode::Safe);
    }

    #[test]
    fn stopped_stays_until_a_reset() {
        let policies = Policies {
            overrun: Some(Policy::Stop),
            ..Policies::SAFE
        };
        let mut machine = Machine::new();
        assert_eq!(machine.next(Faults::NONE, &policies), Mode::Running);
        let overrun = Faults::NONE.with(Fault::Overrun);
        assert_eq!(machine.next(overrun, &policies), Mode::Stopped);
        for _ in 0..10 {
            assert_eq!(machine.next(Faults::NONE, &policies), Mode::Stopped);
        }
        machine.reset();
        assert_eq!(machine.next(Faults::NONE, &policies), Mode::Running);
    }

    #[test]
    fn names_and_numbers_are_in_order() {
        for (i, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, i);
            let word = format!("{fault:?}").to_lowercase();
            assert_eq!(fault.name().replace('-', ""), word);
        }
        for (i, mode) in Mode::ALL.into_iter().enumerate() {
            assert_eq!(mode as usize, i);
            assert_eq!(mode.name(), format!("{mode:?}").to_lowercase());
        }
    }
}
