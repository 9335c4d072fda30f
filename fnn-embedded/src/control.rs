//! A control loop around a network. Its types are re-exported by the crate.

mod fault;
mod law;
mod limit;
mod port;
mod step;
mod telemetry;
mod time;

pub use fault::{Fault, Faults, Machine, Mode, Policies, Policy};
pub use law::{Closures, Evaluated, Law, law};
pub use limit::Limit;
pub use port::{Actuator, Dac, Drive, Linear, Sample, Sensor, Switch};
pub use step::{Config, Control, Invalid, Step};
pub use telemetry::{Log, Record};
pub use time::{Clock, Timing};
