//! Where measurements come from and commands go to: sensors and actuators over embedded-hal.

use embedded_hal::{
    digital::{OutputPin, PinState},
    pwm::SetDutyCycle,
};

/// Measurements in the units of the plant, and how old they are.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sample<T, const M: usize> {
    /// The measurements.
    pub values: [T; M],
    /// Ticks of the loop's clock since they were taken; zero where they are taken when they are read.
    pub age: u32,
}

impl<T, const M: usize> Sample<T, M> {
    /// Measurements that were taken now. Never panics.
    pub const fn now(values: [T; M]) -> Self {
        Self { values, age: 0 }
    }
}

/// What measures: a driver on an I²C or SPI bus, an ADC, or a closure that asks several of them.
pub trait Sensor<T, const M: usize> {
    /// The error of the driver or the HAL, as it is.
    type Error;

    /// The measurements.
    ///
    /// # Errors
    /// Those of the driver or the HAL.
    fn read(&mut self) -> Result<Sample<T, M>, Self::Error>;
}

impl<T, E, F, const M: usize> Sensor<T, M> for F
where
    F: FnMut() -> Result<Sample<T, M>, E>,
{
    type Error = E;

    #[inline]
    fn read(&mut self) -> Result<Sample<T, M>, E> {
        self()
    }
}

/// What is commanded: an array of [`Drive`]s, or a closure that writes to several actuators.
pub trait Actuator<T, const U: usize> {
    /// The error of the driver or the HAL, as it is.
    type Error;

    /// Command it.
    ///
    /// # Errors
    /// Those of the driver or the HAL.
    fn write(&mut self, command: &[T; U]) -> Result<(), Self::Error>;
}

impl<T, E, F, const U: usize> Actuator<T, U> for F
where
    F: FnMut(&[T; U]) -> Result<(), E>,
{
    type Error = E;

    #[inline]
    fn write(&mut self, command: &[T; U]) -> Result<(), E> {
        self(command)
    }
}

/// All are written, in their order, also after an error; the first error is returned.
impl<T: Copy, D: Drive<T>, const U: usize> Actuator<T, U> for [D; U] {
    type Error = D::Error;

    fn write(&mut self, command: &[T; U]) -> Result<(), D::Error> {
        let mut result = Ok(());
        for (drive, &number) in self.iter_mut().zip(command) {
            let written = drive.drive(number);
            result = result.and(written);
        }
        result
    }
}

/// An actuator of one number.
pub trait Drive<T> {
    /// The error of the HAL, as it is.
    type Error;

    /// Command it.
    ///
    /// # Errors
    /// Those of the HAL.
    fn drive(&mut self, number: T) -> Result<(), Self::Error>;
}

/// An output of so many levels: a converter to voltages, for which embedded-hal has no trait, and every
/// PWM channel.
pub trait Dac {
    /// The error of the HAL, as it is.
    type Error;

    /// The highest level; the lowest is 0.
    fn max_level(&self) -> u16;

    /// Put out this level, from 0 to [`max_level`](Self::max_level).
    ///
    /// # Errors
    /// Those of the HAL.
    fn set_level(&mut self, level: u16) -> Result<(), Self::Error>;
}

impl<P: SetDutyCycle> Dac for P {
    type Error = P::Error;

    #[inline]
    fn max_level(&self) -> u16 {
        self.max_duty_cycle()
    }

    #[inline]
    fn set_level(&mut self, level: u16) -> Result<(), P::Error> {
        self.set_duty_cycle(level)
    }
}

/// An output whose lowest level is `low` in the unit of the command and whose highest is `high`, for an
/// actuator that is linear in between. A command beyond takes the nearest of the two, NaN the lowest level.
///
/// ```
/// use fnn_embedded::{Drive, Linear};
/// # use core::convert::Infallible;
/// # use embedded_hal::pwm::{ErrorType, SetDutyCycle};
/// # struct Pwm(u16);
/// # impl ErrorType for Pwm { type Error = Infallible; }
/// # impl SetDutyCycle for Pwm {
/// #     fn max_duty_cycle(&self) -> u16 { 1000 }
/// #     fn set_duty_cycle(&mut self, duty: u16) -> Result<(), Infallible> { self.0 = duty; Ok(()) }
/// # }
/// # let pwm_of_the_hal = Pwm(0);
/// // A rotor of 0 to 4 N on a PWM channel, here one of 1000 steps.
/// let mut rotor = Linear { dac: pwm_of_the_hal, low: 0.0_f32, high: 4.0 };
/// rotor.drive(3.0)?;
/// assert_eq!(rotor.dac.0, 750);
/// # Ok::<(), Infallible>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Linear<D, T> {
    /// The output.
    pub dac: D,
    /// The command of the lowest level.
    pub low: T,
    /// The command of the highest level; not the same as `low`.
    pub high: T,
}

/// An output that is on from a threshold on: a relay, a heater, a valve. NaN switches it off.
#[derive(Debug, Clone, Copy)]
pub struct Switch<P, T> {
    /// The pin.
    pub pin: P,
    /// The least command that is on.
    pub threshold: T,
}

impl<P: OutputPin, T: PartialOrd> Drive<T> for Switch<P, T> {
    type Error = P::Error;

    fn drive(&mut self, number: T) -> Result<(), P::Error> {
        let is_on = number >= self.threshold;
        self.pin.set_state(PinState::from(is_on))
    }
}

/// [`Linear`] for a number format: `core` converts none in generic code.
macro_rules! linear {
    ($($scalar:ty),*) => { $(
        impl<D: Dac> Drive<$scalar> for Linear<D, $scalar> {
            type Error = D::Error;

            fn drive(&mut self, number: $scalar) -> Result<(), D::Error> {
                let most = self.dac.max_level();
                let share = (number - self.low) / (self.high - self.low);
                // To the nearest; the conversion takes what is beyond to its ends, and NaN to 0.
                let level = (share * <$scalar>::from(most) + 0.5) as u16;
                self.dac.set_level(level.min(most))
            }
        }
    )* };
}

linear!(f32, f64);

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use embedded_hal::{digital, pwm};

    use super::*;

    #[derive(Debug)]
    struct Pin(bool);

    impl digital::ErrorType for Pin {
        type Error = Infallible;
    }

    impl OutputPin for Pin {
        fn set_low(&mut self) -> Result<(), Infallible> {
            self.0 = false;
            Ok(())
        }

        fn set_high(&mut self) -> Result<(), Infallible> {
            self.0 = true;
            Ok(())
        }
    }

    /// Fails at the level that it is told.
    #[derive(Debug)]
    struct Channel {
        level: u16,
        fails_at: u16,
    }

    #[derive(Debug, PartialEq)]
    struct Broken(u16);

    impl pwm::Error for Broken {
        fn kind(&self) -> pwm::ErrorKind {
            pwm::ErrorKind::Other
        }
    }

    impl pwm::ErrorType for Channel {
        type Error = Broken;
    }

    impl SetDutyCycle for Channel {
        fn max_duty_cycle(&self) -> u16 {
            200
        }

        fn set_duty_cycle(&mut self, duty: u16) -> Result<(), Broken> {
            self.level = duty;
            match duty == self.fails_at {
                true => Err(Broken(duty)),
                false => Ok(()),
            }
        }
    }

    fn linear(fails_at: u16) -> Linear<Channel, f32> {
        let dac = Channel { level: 9, fails_at };
        let (low, high) = (-1.0, 1.0);
        Linear { dac, low, high }
    }

    #[test]
    fn levels_are_linear_and_end() {
        let mut drive = linear(999);
        for (number, level) in [
            (-1.0, 0),
            (0.0, 100),
            (1.0, 200),
            (0.004, 100),
            (0.006, 101),
            (-7.0, 0),
            (7.0, 200),
            (f32::INFINITY, 200),
            (f32::NEG_INFINITY, 0),
            (f32::NAN, 0),
        ] {
            drive.drive(number).unwrap();
            assert_eq!(drive.dac.level, level, "{number}");
        }
    }

    #[test]
    fn all_are_written_after_an_error_and_the_first_is_returned() {
        let mut drives = [linear(0), linear(200), linear(999)];
        let result = drives.write(&[-1.0, 1.0, 0.0]);
        assert_eq!(result, Err(Broken(0)));
        assert_eq!(drives.each_ref().map(|d| d.dac.level), [0, 200, 100]);
    }

    #[test]
    fn a_switch_is_on_from_its_threshold() {
        let pin = Pin(true);
        let mut switch = Switch {
            pin,
            threshold: 0.5,
        };
        for (number, is_on) in [(0.5, true), (0.49, false), (9.0, true), (f64::NAN, false)] {
            switch.drive(number).unwrap();
            assert_eq!(switch.pin.0, is_on, "{number}");
        }
    }

    #[test]
    fn closures_keep_the_error_of_the_hal() {
        let mut sensor = || Err::<Sample<f32, 2>, _>(Broken(3));
        assert_eq!(Sensor::read(&mut sensor), Err(Broken(3)));
        let mut actuator = |_: &[f32; 2]| Err(Broken(4));
        assert_eq!(actuator.write(&[0.0; 2]), Err(Broken(4)));
    }
}
