//! The loop: measure, evaluate, command, and what is done where that fails.

use core::fmt;

use fnn_core::Scalar;

use super::{
    fault::{Fault, Faults, Machine, Mode, Policies},
    law::{Evaluated, Law},
    limit::Limit,
    port::{Actuator, Sensor},
    telemetry::{Record, digest},
    time::{Clock, Timing},
};

/// What a loop keeps to. It is a `static` in flash.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config<T, const IN: usize, const U: usize> {
    /// Microseconds from the begin of one step to that of the next.
    pub period_us: u32,
    /// A step that begins later than the period and so many microseconds after the one before is
    /// [`Fault::Late`].
    pub jitter_us: u32,
    /// A command that is ready later than so many microseconds after the begin of its step is
    /// [`Fault::Overrun`].
    pub deadline_us: u32,
    /// A sample older than so many microseconds is [`Fault::Stale`].
    pub max_age_us: u32,
    /// The least and the most of each input that the network was trained in; beyond is
    /// [`Fault::Outside`]. A generated module has them as `INPUT_RANGES` where the model states them.
    pub ranges: Option<[(T, T); IN]>,
    /// What the command may be.
    pub limits: [Limit<T>; U],
    /// The safe output. It is applied at once, whatever the rates of the limits.
    pub safe: [T; U],
    /// What is done about each fault.
    pub policies: Policies,
}

/// Why a [`Config`] is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Invalid {
    /// The period is zero, or period and jitter are 2³² ticks of the clock or more.
    Period,
    /// The deadline is zero or after the period.
    Deadline,
    /// The range of this input holds nothing, or has no end.
    Range(usize),
    /// The limit of this number of the command allows nothing.
    Limit(usize),
    /// This number of the safe output is not finite.
    Safe(usize),
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Period => write!(f, "period_us: 0, or too many ticks of the clock"),
            Self::Deadline => write!(f, "deadline_us: 0, or more than period_us"),
            Self::Range(i) => write!(f, "ranges[{i}] holds no number or has no end"),
            Self::Limit(i) => write!(f, "limits[{i}] allows no number"),
            Self::Safe(i) => write!(f, "safe[{i}] is not finite"),
        }
    }
}

impl core::error::Error for Invalid {}

/// The state of a loop: that of its policies, the last command, and what the steps took.
#[derive(Debug)]
pub struct Control<'c, T, C, const IN: usize, const U: usize> {
    config: &'c Config<T, IN, U>,
    clock: C,
    /// The times of the configuration in ticks.
    period: u32,
    latest: u32,
    deadline: u32,
    max_age: u32,
    machine: Machine,
    /// What stands from step to step: a self-test that failed, an actuator that did at the step before.
    standing: Faults,
    /// The last command that was applied, and the last one of the law.
    last: [T; U],
    of_law: [T; U],
    begin: Option<u32>,
    timing: Timing,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Step<T, S, A, const IN: usize, const OUT: usize, const U: usize> {
    /// What telemetry has of it.
    pub record: Record<T, IN, OUT, U>,
    /// The error of the sensor, if it gave one.
    pub sensor: Option<S>,
    /// The error of the actuator, if it gave one. It is a fault of the next step.
    pub actuator: Option<A>,
}

impl<'c, T: Scalar, C: Clock, const IN: usize, const U: usize> Control<'c, T, C, IN, U> {
    /// A loop at its start, whose last command is the safe output. `self_test` is what
    /// [`replay`](fnn_core::Network::replay) of the generated records gave, or for one that was not made,
    /// `Ok`. Never panics.
    ///
    /// # Errors
    /// The first thing that makes the configuration none.
    pub fn new<E>(
        config: &'c Config<T, IN, U>,
        clock: C,
        self_test: Result<(), E>,
    ) -> Result<Self, Invalid> {
        let period = C::ticks(config.period_us);
        let latest = period.checked_add(C::ticks(config.jitter_us));
        let latest = match latest {
            Some(latest) if period > 0 => latest,
            _ => return Err(Invalid::Period),
        };
        if config.deadline_us == 0 || config.deadline_us > config.period_us {
            return Err(Invalid::Deadline);
        }
        for (i, (low, high)) in config.ranges.iter().flatten().enumerate() {
            if low > high || !are_finite(&[*low, *high]) {
                return Err(Invalid::Range(i));
            }
        }
        for (i, limit) in config.limits.iter().enumerate() {
            if !limit.is_valid() {
                return Err(Invalid::Limit(i));
            }
        }
        if let Some(i) = config.safe.iter().position(|&x| !are_finite(&[x])) {
            return Err(Invalid::Safe(i));
        }
        let mut control = Self {
            config,
            clock,
            period,
            latest,
            deadline: C::ticks(config.deadline_us),
            max_age: C::ticks(config.max_age_us),
            machine: Machine::new(),
            standing: Faults::NONE,
            last: config.safe,
            of_law: config.safe,
            begin: None,
            timing: Timing::default(),
        };
        control.self_test(self_test);
        Ok(control)
    }

    /// Take note of another self-test: one that failed is [`Fault::SelfTest`] from now on until one passes.
    /// Never panics.
    pub fn self_test<E>(&mut self, result: Result<(), E>) {
        self.standing = match result {
            Ok(()) => self.standing.without(Fault::SelfTest),
            Err(_) => self.standing.with(Fault::SelfTest),
        };
    }

    /// Leave [`Mode::Stopped`]; a fault that stands stops the loop again. Never panics.
    pub const fn reset(&mut self) {
        self.machine.reset();
    }

    /// What the steps took until now. Never panics.
    pub const fn timing(&self) -> &Timing {
        &self.timing
    }

    /// The last command that was applied; at the start the safe output. Never panics.
    pub const fn last(&self) -> &[T; U] {
        &self.last
    }

    /// Measure, evaluate, command. To be called once in each period. Panics only where the sensor, the law
    /// or the actuator do.
    ///
    /// The command is that of the law, held to its limits, where no fault of the step has a policy; else
    /// what the strictest of these policies says ([`Policies`]). A command that is not finite is never
    /// applied.
    pub fn step<L, S, A, const M: usize, const OUT: usize>(
        &mut self,
        sensor: &mut S,
        law: &mut L,
        actuator: &mut A,
    ) -> Step<T, S::Error, A::Error, IN, OUT, U>
    where
        L: Law<T, M, IN, OUT, U>,
        S: Sensor<T, M>,
        A: Actuator<T, U>,
    {
        let begin = self.clock.now();
        let mut faults = self.standing;
        let mut jitter = 0;
        if let Some(before) = self.begin.replace(begin) {
            let interval = begin.wrapping_sub(before);
            jitter = interval.abs_diff(self.period);
            if interval > self.latest {
                faults = faults.with(Fault::Late);
            }
        }

        let (mut x, mut value) = ([T::ZERO; IN], [T::ZERO; OUT]);
        let (mut is_evaluated, mut has_jacobian, mut bits) = (false, false, 0);
        let mut sensor_error = None;
        let mut measured = None;
        match sensor.read() {
            Err(error) => {
                faults = faults.with(Fault::Sensor);
                sensor_error = Some(error);
            }
            Ok(sample) => {
                if sample.age > self.max_age {
                    faults = faults.with(Fault::Stale);
                }
                match are_finite(&sample.values) {
                    true => measured = Some(sample.values),
                    false => faults = faults.with(Fault::Input),
                }
            }
        }

        let mut wanted = None;
        if let Some(measured) = &measured {
            let input = law.input(measured, &self.last);
            [x] = input.data.0;
            if !self.is_inside(&x) {
                faults = faults.with(match are_finite(&x) {
                    true => Fault::Outside,
                    false => Fault::Input,
                });
            }
            if self.config.policies.strictest(faults).is_none() {
                let y = law.evaluate(&input);
                let derivatives = y.derivatives();
                is_evaluated = true;
                value = *y.value();
                has_jacobian = L::Evaluated::IS_JACOBIAN && derivatives.len() == const { IN * OUT };
                let is_sound;
                (bits, is_sound) = digest(derivatives);
                match is_sound && are_finite(&value) {
                    true => wanted = Some(law.command(&input, &y)),
                    false => faults = faults.with(Fault::Output),
                }
            }
        }
        if let Some(command) = &mut wanted {
            match self.allow(command) {
                None => faults = faults.with(Fault::Output),
                Some(true) => faults = faults.with(Fault::Saturated),
                Some(false) => {}
            }
        }

        let took = self.clock.now().wrapping_sub(begin);
        if took > self.deadline {
            faults = faults.with(Fault::Overrun);
        }
        let mut mode = self.machine.next(faults, &self.config.policies);
        self.last = match (mode, wanted) {
            (Mode::Running, Some(command)) => {
                self.of_law = command;
                command
            }
            (Mode::Holding, _) => self.of_law,
            (Mode::Fallback, _) => {
                let mut fallback = law.fallback(measured.as_ref(), &self.last);
                let is_finite = fallback.as_mut().and_then(|command| self.allow(command));
                match (fallback, is_finite) {
                    (Some(command), Some(_)) => command,
                    _ => {
                        mode = Mode::Safe;
                        self.config.safe
                    }
                }
            }
            _ => self.config.safe,
        };
        let written = actuator.write(&self.last);
        self.standing = match &written {
            Ok(()) => self.standing.without(Fault::Actuator),
            Err(_) => self.standing.with(Fault::Actuator),
        };
        let number = self.timing.steps;
        self.timing.count(took, jitter);
        Step {
            record: Record {
                number,
                hz: C::HZ,
                begin,
                took,
                faults,
                mode,
                is_evaluated,
                has_jacobian,
                digest: bits,
                input: x,
                value,
                command: self.last,
            },
            sensor: sensor_error,
            actuator: written.err(),
        }
    }

    /// Whether all inputs are finite and in their ranges.
    fn is_inside(&self, input: &[T; IN]) -> bool {
        match &self.config.ranges {
            // No range holds NaN or an infinity.
            Some(ranges) => {
                let mut pairs = ranges.iter().zip(input);
                pairs.all(|((low, high), x)| low <= x && x <= high)
            }
            None => are_finite(input),
        }
    }

    /// Hold a command to its limits, and say whether that changed it; `None` where it is not finite.
    fn allow(&self, command: &mut [T; U]) -> Option<bool> {
        if !are_finite(command) {
            return None;
        }
        let mut is_changed = false;
        let numbers = command.iter_mut().zip(&self.config.limits);
        for ((number, limit), &last) in numbers.zip(&self.last) {
            let allowed = limit.allowed(*number, last);
            is_changed |= allowed != *number;
            *number = allowed;
        }
        Some(is_changed)
    }
}

/// Whether no number is infinite or NaN; all of them take one comparison.
#[inline]
fn are_finite<T: Scalar>(numbers: &[T]) -> bool {
    numbers.iter().fold(T::ZERO, |sum, &x| sum + nothing(x)) == T::ZERO
}

/// Zero for a number that is finite, NaN for the others.
#[inline]
#[allow(clippy::eq_op, reason = "the difference is not always zero")]
pub(super) fn nothing<T: Scalar>(x: T) -> T {
    x - x
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use fnn_core::{Evaluation, SMatrix, SVector};

    use super::*;
    use crate::{Policy, Sample};

    /// A clock that the test sets, of a tick a microsecond.
    #[derive(Default)]
    struct Watch(Cell<u32>);

    impl Clock for &Watch {
        const HZ: u32 = 1_000_000;

        fn now(&self) -> u32 {
            self.0.get()
        }
    }

    const CONFIG: Config<f32, 2, 1> = Config {
        period_us: 1000,
        jitter_us: 10,
        deadline_us: 500,
        max_age_us: 200,
        ranges: Some([(-1.0, 1.0), (-4.0, 4.0)]),
        limits: [Limit::new(-4.0, 4.0)],
        safe: [0.25],
        policies: Policies::SAFE,
    };

    /// What a step meets.
    #[derive(Clone, Copy)]
    struct Meets {
        measured: Result<f32, u8>,
        age: u32,
        /// Microseconds from the step before, and that the law takes.
        after: u32,
        takes: u32,
        /// An entry of the Jacobian, and what the law commands.
        slope: f32,
        command: f32,
        fallback: Option<f32>,
        written: Result<(), u8>,
    }

    const FINE: Meets = Meets {
        measured: Ok(0.5),
        age: 0,
        after: 1000,
        takes: 100,
        slope: 2.0,
        command: 1.5,
        fallback: None,
        written: Ok(()),
    };

    /// The network is y = slope · measured, the inputs the measurement and the last command.
    struct Scripted<'a>(Meets, &'a Watch);

    impl Law<f32, 1, 2, 1, 1> for Scripted<'_> {
        type Evaluated = Evaluation<f32, 2, 1>;

        fn input(&mut self, measured: &[f32; 1], last: &[f32; 1]) -> SVector<f32, 2> {
            SVector::from([measured[0], last[0]])
        }

        fn evaluate(&mut self, x: &SVector<f32, 2>) -> Evaluation<f32, 2, 1> {
            self.1.0.set(self.1.0.get() + self.0.takes);
            Evaluation {
                value: SVector::from([self.0.slope * x[0]]),
                jacobian: SMatrix::from([[self.0.slope], [0.0]]),
            }
        }

        fn command(&mut self, _: &SVector<f32, 2>, _: &Evaluation<f32, 2, 1>) -> [f32; 1] {
            [self.0.command]
        }

        fn fallback(&mut self, _: Option<&[f32; 1]>, _: &[f32; 1]) -> Option<[f32; 1]> {
            self.0.fallback.map(|command| [command])
        }
    }

    type Loop<'a> = Control<'a, f32, &'a Watch, 2, 1>;

    /// Run a step, and return it with what the actuator got.
    fn step(
        control: &mut Loop<'_>,
        watch: &Watch,
        meets: Meets,
    ) -> (Step<f32, u8, u8, 2, 1, 1>, f32) {
        watch
            .0
            .set(control.begin.map_or(77, |begin| begin + meets.after));
        let mut got = f32::NAN;
        let step = control.step(
            &mut || {
                meets.measured.map(|x| Sample {
                    values: [x],
                    age: meets.age,
                })
            },
            &mut Scripted(meets, watch),
            &mut |command: &[f32; 1]| {
                got = command[0];
                meets.written
            },
        );
        assert_eq!(step.record.command, [got]);
        (step, got)
    }

    fn passed() -> Result<(), ()> {
        Ok(())
    }

    #[test]
    fn a_step_without_fault_commands_what_the_law_says() {
        let watch = Watch::default();
        let mut control = Loop::new(&CONFIG, &watch, passed()).unwrap();
        let (first, got) = step(&mut control, &watch, FINE);
        assert_eq!((got, first.record.faults), (1.5, Faults::NONE));
        assert_eq!(first.record.input, [0.5, 0.25]);
        let (second, _) = step(&mut control, &watch, FINE);
        assert_eq!(second.record.input, [0.5, 1.5]);
        assert_eq!((second.record.number, second.record.value), (1, [1.0]));
        assert!(second.record.is_evaluated && second.record.has_jacobian);
        assert_eq!(second.record.digest, digest(&[2.0_f32, 0.0]).0);
        assert_eq!((second.record.begin, second.record.took), (1077, 100));
        let timing = *control.timing();
        assert_eq!((timing.steps, timing.mean(), timing.jitter), (2, 100, 0));
    }

    /// Each fault alone: it is in the record, the safe output is applied, and the next step runs again.
    #[test]
    fn each_fault_is_found_and_gone_after_it() {
        let cases = [
            (
                Fault::Sensor,
                Meets {
                    measured: Err(9),
                    ..FINE
                },
            ),
            (Fault::Stale, Meets { age: 201, ..FINE }),
            (
                Fault::Input,
                Meets {
                    measured: Ok(f32::NAN),
                    ..FINE
                },
            ),
            (
                Fault::Input,
                Meets {
                    measured: Ok(f32::INFINITY),
                    ..FINE
                },
            ),
            (
                Fault::Outside,
                Meets {
                    measured: Ok(1.01),
                    ..FINE
                },
            ),
            (
                Fault::Output,
                Meets {
                    slope: f32::INFINITY,
                    ..FINE
                },
            ),
            (
                Fault::Output,
                Meets {
                    command: f32::NAN,
                    ..FINE
                },
            ),
            (
                Fault::Late,
                Meets {
                    after: 1011,
                    ..FINE
                },
            ),
            (Fault::Overrun, Meets { takes: 501, ..FINE }),
        ];
        for (fault, meets) in cases {
            let watch = Watch::default();
            let mut control = Loop::new(&CONFIG, &watch, passed()).unwrap();
            step(&mut control, &watch, FINE);
            let (step_of, got) = step(&mut control, &watch, meets);
            let wanted = (Faults::NONE.with(fault), Mode::Safe, 0.25);
            assert_eq!((step_of.record.faults, step_of.record.mode, got), wanted);
            assert_eq!(step_of.sensor, meets.measured.err());
            let (after, got) = step(&mut control, &watch, FINE);
            assert_eq!((after.record.faults, got), (Faults::NONE, 1.5), "{fault}");
        }
    }

    #[test]
    fn limits_and_rates_are_kept_and_reported() {
        let config = Config {
            limits: [Limit::new(-4.0, 4.0).rate(0.5)],
            ..CONFIG
        };
        let watch = Watch::default();
        let mut control = Loop::new(&config, &watch, passed()).unwrap();
        let (first, got) = step(&mut control, &watch, FINE);
        assert_eq!(got, 0.75);
        assert_eq!(first.record.faults, Faults::NONE.with(Fault::Saturated));
        assert_eq!(first.record.mode, Mode::Running);
        // The safe output is reached at once.
        let (_, got) = step(
            &mut control,
            &watch,
            Meets {
                measured: Err(1),
                ..FINE
            },
        );
        assert_eq!(got, 0.25);
    }

    #[test]
    fn an_error_of_the_actuator_counts_in_the_next_step() {
        let watch = Watch::default();
        let mut control = Loop::new(&CONFIG, &watch, passed()).unwrap();
        let (broken, _) = step(
            &mut control,
            &watch,
            Meets {
                written: Err(3),
                ..FINE
            },
        );
        assert_eq!(
            (broken.actuator, broken.record.mode),
            (Some(3), Mode::Running)
        );
        let (next, got) = step(&mut control, &watch, FINE);
        assert_eq!(
            (next.record.faults, got),
            (Faults::NONE.with(Fault::Actuator), 0.25)
        );
        assert!(!next.record.is_evaluated);
        let (after, got) = step(&mut control, &watch, FINE);
        assert_eq!((after.record.faults, got), (Faults::NONE, 1.5));
    }

    #[test]
    fn a_failed_self_test_stands_until_one_passes() {
        let watch = Watch::default();
        let mut control = Loop::new(&CONFIG, &watch, Err("bits")).unwrap();
        for _ in 0..3 {
            let (step, got) = step(&mut control, &watch, FINE);
            assert_eq!((step.record.mode, got), (Mode::Safe, 0.25));
        }
        control.self_test(passed());
        assert_eq!(step(&mut control, &watch, FINE).1, 1.5);
    }

    #[test]
    fn a_held_command_is_that_of_the_law_and_ends() {
        let config = Config {
            policies: Policies {
                sensor: Policy::Hold { steps: 2 },
                ..Policies::SAFE
            },
            ..CONFIG
        };
        let watch = Watch::default();
        let mut control = Loop::new(&config, &watch, passed()).unwrap();
        step(&mut control, &watch, FINE);
        let lost = Meets {
            measured: Err(1),
            ..FINE
        };
        let got = [0; 4].map(|_| step(&mut control, &watch, lost).1);
        assert_eq!(got, [1.5, 1.5, 0.25, 0.25]);
    }

    #[test]
    fn the_fallback_is_limited_and_finite_or_the_safe_output() {
        let config = Config {
            policies: Policies {
                sensor: Policy::Fallback,
                ..Policies::SAFE
            },
            ..CONFIG
        };
        for (fallback, wanted) in [
            (Some(-2.0), (Mode::Fallback, -2.0)),
            (Some(9.0), (Mode::Fallback, 4.0)),
            (Some(f32::NAN), (Mode::Safe, 0.25)),
            (None, (Mode::Safe, 0.25)),
        ] {
            let watch = Watch::default();
            let mut control = Loop::new(&config, &watch, passed()).unwrap();
            let measured = Err(1);
            let (step, got) = step(
                &mut control,
                &watch,
                Meets {
                    measured,
                    fallback,
                    ..FINE
                },
            );
            assert_eq!((step.record.mode, got), wanted);
        }
    }

    /// The clock goes around.
    #[test]
    fn a_step_may_span_the_end_of_the_clock() {
        let watch = Watch::default();
        let mut control = Loop::new(&CONFIG, &watch, passed()).unwrap();
        step(&mut control, &watch, FINE);
        control.begin = Some(0_u32.wrapping_sub(1000));
        watch.0.set(0);
        let sensor = &mut || Ok::<_, ()>(Sample::now([0.5]));
        let actuator = &mut |_: &[f32; 1]| Ok::<_, ()>(());
        let step = control.step(sensor, &mut Scripted(FINE, &watch), actuator);
        assert_eq!(step.record.faults, Faults::NONE);
    }

    #[test]
    fn a_configuration_that_allows_nothing_is_refused() {
        let watch = Watch::default();
        let of = |config: Config<f32, 2, 1>| Loop::new(&config, &watch, passed()).err();
        assert_eq!(of(CONFIG), None);
        let period_us = 0;
        assert_eq!(
            of(Config {
                period_us,
                ..CONFIG
            }),
            Some(Invalid::Period)
        );
        let period_us = u32::MAX;
        assert_eq!(
            of(Config {
                period_us,
                ..CONFIG
            }),
            Some(Invalid::Period)
        );
        let deadline_us = 1001;
        assert_eq!(
            of(Config {
                deadline_us,
                ..CONFIG
            }),
            Some(Invalid::Deadline)
        );
        let ranges = Some([(0.0, 1.0), (f32::NAN, 1.0)]);
        assert_eq!(of(Config { ranges, ..CONFIG }), Some(Invalid::Range(1)));
        let limits = [Limit::new(1.0, 0.0)];
        assert_eq!(of(Config { limits, ..CONFIG }), Some(Invalid::Limit(0)));
        let safe = [f32::INFINITY];
        assert_eq!(of(Config { safe, ..CONFIG }), Some(Invalid::Safe(0)));
    }

    #[test]
    fn the_state_is_small() {
        assert!(size_of::<Control<'_, f32, &Watch, 8, 2>>() <= 256);
    }
}
