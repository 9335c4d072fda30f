//! What a step of a control loop costs beside the network and the law: instructions and bytes of RAM.
#![no_std]
#![no_main]

use core::{cell::Cell, convert::Infallible, hint::black_box};

use fnn_core::{Evaluation, SVector};
use fnn_embedded::{
    Clock, Config, Control, Law, Limit, Log, Policies, Record, Sample, heapless::spsc::Queue,
};
use fnn_firmware::{
    Counter, entry, exit, hprintln,
    network::{NETWORK, Network, RECORDS, Scalar, Workspace},
};

const IN: usize = Network::INPUTS;
const OUT: usize = Network::OUTPUTS;

/// Numbers of a command.
const U: usize = 2;

/// A clock that goes on by itself, as a cycle counter does.
struct Ticks(Cell<u32>);

impl Clock for Ticks {
    const HZ: u32 = 1_000_000;

    fn now(&self) -> u32 {
        self.0.set(self.0.get().wrapping_add(500));
        self.0.get()
    }
}

/// The measurements are the inputs; the command is of the outputs, and of an entry of the Jacobian.
struct Example<'w>(&'w mut Workspace);

impl Law<Scalar, IN, IN, OUT, U> for Example<'_> {
    type Evaluated = Evaluation<Scalar, IN, OUT>;

    fn input(&mut self, measured: &[Scalar; IN], _: &[Scalar; U]) -> SVector<Scalar, IN> {
        SVector::from(*measured)
    }

    fn evaluate(&mut self, x: &SVector<Scalar, IN>) -> Self::Evaluated {
        NETWORK.evaluate(x, self.0)
    }

    fn command(&mut self, _: &SVector<Scalar, IN>, y: &Self::Evaluated) -> [Scalar; U] {
        [y.value[0], y.jacobian[(0, 0)]]
    }
}

static CONFIG: Config<Scalar, IN, U> = Config {
    period_us: 1000,
    jitter_us: 10,
    deadline_us: 600,
    max_age_us: 100,
    ranges: Some([(-1e3, 1e3); IN]),
    limits: [Limit::new(-1e3, 1e3).rate(1e3); U],
    safe: [0.0; U],
    policies: Policies::SAFE,
};

#[entry]
fn main() -> ! {
    let workspace = &mut Workspace::new();
    let self_test = NETWORK.replay(&RECORDS, workspace);
    let Ok(mut control) = Control::new(&CONFIG, Ticks(Cell::new(0)), self_test) else {
        exit(false);
    };
    let mut queue = Queue::<Record<Scalar, IN, OUT, U>, 2>::new();
    let (producer, mut consumer) = queue.split();
    let mut log = Log::new(producer);
    let input = RECORDS[0].input;
    let mut law = Example(workspace);

    let mut counter = Counter::start();
    // As the law is called in the step.
    let alone = counter.instructions(|| {
        let x = law.input(black_box(&input), &[0.0; U]);
        let y = law.evaluate(&x);
        black_box(law.command(&x, &y));
    });
    let sensor = &mut || Ok::<_, Infallible>(Sample::now(*black_box(&input)));
    let actuator = &mut |command: &[Scalar; U]| {
        black_box(command);
        Ok::<_, Infallible>(())
    };
    let instructions = counter.instructions(|| {
        log.push(control.step(sensor, &mut law, actuator).record);
        // What the idle loop does with a record is not the step's.
        black_box(consumer.dequeue().is_some());
    });
    log.push(control.step(sensor, &mut law, actuator).record);
    let Some(record) = consumer.dequeue() else {
        exit(false)
    };
    hprintln!("instructions of a step: {}", instructions);
    hprintln!("instructions of network and law: {}", alone);
    hprintln!("instructions beside them: {}", instructions - alone);
    hprintln!("state: {}", size_of::<Control<'_, Scalar, Ticks, IN, U>>());
    hprintln!("record: {}", size_of::<Record<Scalar, IN, OUT, U>>());
    hprintln!("faults: {}", record.faults.bits());
    let is_equal = record.value == RECORDS[0].value && log.lost() == 0;
    exit(is_equal && record.faults.is_empty() && record.is_evaluated)
}
