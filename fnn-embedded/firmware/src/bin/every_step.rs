//! A step of a control loop and its record on the way to a log, at inputs that the compiler knows nothing of:
//! `cargo xtask panics` shows that none of it can panic.
#![no_std]
#![no_main]

use core::{
    convert::Infallible,
    hint::{black_box, spin_loop},
};

use fnn_core::{Evaluation, SVector};
use fnn_embedded::{
    Clock, Config, Control, Law, Limit, Log, Policies, Record, Sample,
    embedded_io::{ErrorType, Write},
    heapless::spsc::Queue,
};
use fnn_firmware::{
    Own, Port, entry,
    network::{NETWORK, Network, Scalar, Workspace},
};

const IN: usize = Network::INPUTS;
const OUT: usize = Network::OUTPUTS;

static WORKSPACE: Own<Workspace> = Own::new(Workspace::new());
static INPUT: Port<[Scalar; IN]> = Port::new([0.0; IN]);
static WEIGHT: Port<[Scalar; OUT]> = Port::new([0.0; OUT]);
static TICKS: Port<u32> = Port::new(0);
static STATUS: Port<Result<(), u8>> = Port::new(Ok(()));
static BYTES: Port<usize> = Port::new(0);
static CONFIG: Port<Config<Scalar, IN, OUT>> = Port::new(Config {
    period_us: 1000,
    jitter_us: 10,
    deadline_us: 500,
    max_age_us: 100,
    ranges: Some([(-1.0, 1.0); IN]),
    limits: [Limit::new(-1.0, 1.0); OUT],
    safe: [0.0; OUT],
    policies: Policies::SAFE,
});

struct Ticks;

impl Clock for Ticks {
    const HZ: u32 = 1_000_000;

    fn now(&self) -> u32 {
        TICKS.read()
    }
}

/// The command is the output; the fallback is a port.
struct Plain<'w>(&'w mut Workspace);

impl Law<Scalar, IN, IN, OUT, OUT> for Plain<'_> {
    type Evaluated = Evaluation<Scalar, IN, OUT>;

    fn input(&mut self, measured: &[Scalar; IN], _: &[Scalar; OUT]) -> SVector<Scalar, IN> {
        SVector::from(*measured)
    }

    fn evaluate(&mut self, x: &SVector<Scalar, IN>) -> Self::Evaluated {
        NETWORK.evaluate(x, self.0)
    }

    fn command(&mut self, _: &SVector<Scalar, IN>, y: &Self::Evaluated) -> [Scalar; OUT] {
        y.value.data.0[0]
    }

    fn fallback(&mut self, _: Option<&[Scalar; IN]>, _: &[Scalar; OUT]) -> Option<[Scalar; OUT]> {
        Some(WEIGHT.read())
    }
}

/// Takes any number of the bytes that it is given, none too.
struct Wire;

impl ErrorType for Wire {
    type Error = Infallible;
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(BYTES.read().min(bytes.len()))
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[entry]
fn main() -> ! {
    // SAFETY: reset calls this function once.
    let workspace = unsafe { WORKSPACE.take() };
    let config = CONFIG.read();
    let Ok(mut control) = Control::new(&config, Ticks, STATUS.read()) else {
        loop {
            spin_loop();
        }
    };
    let mut queue = Queue::<Record<Scalar, IN, OUT, OUT>, 4>::new();
    let (producer, mut consumer) = queue.split();
    let mut log = Log::new(producer);
    loop {
        let sensor = &mut || {
            let (values, age) = (INPUT.read(), TICKS.read());
            STATUS.read().map(|()| Sample { values, age })
        };
        let actuator = &mut |command: &[Scalar; OUT]| {
            WEIGHT.write(*command);
            STATUS.read()
        };
        log.push(control.step(sensor, &mut Plain(workspace), actuator).record);
        if let Some(record) = consumer.dequeue() {
            let Ok(()) = record.write_to(&mut Wire);
        }
        black_box(control.timing().mean());
        control.self_test(STATUS.read());
        control.reset();
    }
}
