//! What firmware adds to a network of [`fnn_core`]: a control loop with its telemetry, the functions behind
//! a C interface ([`ffi`]), and the measuring of the stack that an evaluation takes ([`PaintedStack`]).
//! No heap, no panic.
//!
//! ```
//! use core::convert::Infallible;
//! use fnn_core::{Chain, Dense, Evaluation, Identity, Network, SVector, Tanh, Workspace, chain};
//! use fnn_embedded::{Clock, Config, Control, Limit, Mode, Policies, Policy, Sample, law};
//!
//! // Usually a module that `fnn generate` writes.
//! type Pendulum = Network<Chain![Dense<f32, 2, 3, Tanh>, Dense<f32, 3, 1, Identity>]>;
//! static PENDULUM: Pendulum = Network::new(chain![
//!     Dense::new([[0.5, -0.2], [1.0, 0.3], [-0.7, 0.8]], [0.1, 0.0, -0.1], Tanh),
//!     Dense::new([[1.0, -2.0, 0.5]], [0.25], Identity),
//! ]);
//!
//! static CONFIG: Config<f32, 2, 1> = Config {
//!     period_us: 1000,
//!     jitter_us: 20,
//!     deadline_us: 800,
//!     max_age_us: 1000,
//!     ranges: Some([(-3.2, 3.2), (-2.0, 2.0)]), // of the angle and the torque in training
//!     limits: [Limit::new(-2.0, 2.0).rate(0.1)], // N m, and N m a step
//!     safe: [0.0],
//!     policies: Policies { sensor: Policy::Hold { steps: 5 }, ..Policies::SAFE },
//! };
//!
//! struct Timer;
//!
//! impl Clock for Timer {
//!     const HZ: u32 = 1_000_000;
//!
//!     fn now(&self) -> u32 {
//!         0 // the counter of a timer
//!     }
//! }
//!
//! let mut workspace = Workspace::<f32, { Pendulum::WORKSPACE }>::new();
//! // `PENDULUM.replay(&RECORDS, …)` with the records of a generated module.
//! let self_test = Ok::<(), Infallible>(());
//! let mut control = Control::new(&CONFIG, Timer, self_test)?;
//!
//! // A sensor's driver, the law around the network, an actuator's.
//! let mut sensor = || Ok::<_, Infallible>(Sample::now([0.3]));
//! let mut newton = law(
//!     |measured: &[f32; 1], last: &[f32; 1]| SVector::from([measured[0], last[0]]),
//!     |x: &SVector<f32, 2>| PENDULUM.evaluate(x, &mut workspace),
//!     |x: &SVector<f32, 2>, y: &Evaluation<f32, 2, 1>| [x[1] - y.value[0] / y.jacobian[(0, 1)]],
//! );
//! let mut actuator = |_: &[f32; 1]| Ok::<_, Infallible>(());
//!
//! // Once in each period:
//! let step = control.step(&mut sensor, &mut newton, &mut actuator);
//! assert_eq!(step.record.mode, Mode::Running);
//! assert!(control.last()[0].abs() <= 0.1);
//! # Ok::<(), fnn_embedded::Invalid>(())
//! ```
//!
//! # A step
//! 1. The [`Sensor`] is read: a driver over [`embedded_hal`], or a closure. Its error keeps its type.
//! 2. The [`Law`] makes the inputs of the network, evaluates it by whichever call it needs, and makes the
//!    command.
//! 3. The command is held to its [`Limit`]s and written to the [`Actuator`].
//! 4. What happened is a [`Record`], which a [`Log`] hands to the idle loop and
//!    [`write_to`](Record::write_to) to a log; `fnn replay LOG --model MODEL` evaluates each step again on
//!    the desk and compares every bit.
//!
//! # Faults
//! Ten [`Fault`]s are looked for in each step. [`Policies`] says what is done about each: hold the last
//! command for so many steps, a fallback, the safe output, stop. The default is the safe output. Nothing is
//! held silently, and only [`Policy::Stop`] stays until it is reset ([`Machine`] has the picture).
//!
//! # Conventions
//! Times are in microseconds in a [`Config`], and in ticks of the [`Clock`] elsewhere. Measurements and
//! commands have the units of the plant; the law alone knows those of the network.
//!
//! # Features
//! - `control`, by default: the loop, with `embedded-hal`, `embedded-io`, `heapless` and `crc`. Without it
//!   the crate depends on `fnn-core` alone.
//! - `defmt`: `defmt::Format` on the types of the loop.
//!
//! Nothing here knows a board. The folder `firmware` beside this crate holds binaries for boards,
//! which link the crate and show how it is used; `cargo xtask firmware` runs them in an emulator.
//!
//! # Unsafe
//! The stack lies outside of what Rust gives a name to, and so does C's memory: `stack.rs` and `ffi.rs`
//! read and write raw memory that their caller vouches for. No other file holds `unsafe`.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

#[cfg(test)]
extern crate std;

#[cfg(feature = "control")]
mod control;
pub mod ffi;
mod stack;

#[cfg(feature = "control")]
pub use control::*;
#[cfg(feature = "control")]
pub use {embedded_hal, embedded_io, heapless};

pub use stack::PaintedStack;
