//! Logs that the control loop of `fnn-embedded` writes, evaluated again.

use std::{convert::Infallible, fs, path::Path};

use fnn_core::{Chain, Dense, Evaluation, Identity, Network, SVector, Tanh, Workspace, chain};
use fnn_embedded::{
    Clock, Config, Control, Fault, Law, Limit, Mode, Policies, Policy, Record, Sample,
    embedded_io::{ErrorType, Write},
};
use fnn_std::replay::{self, Options, Report};

type Pendulum = Network<Chain![Dense<f32, 2, 3, Tanh>, Dense<f32, 3, 1, Identity>]>;

static PENDULUM: Pendulum = Network::new(chain![
    Dense::new(
        [[0.5, -0.2], [1.0, 0.3], [-0.7, 0.8]],
        [0.1, 0.0, -0.1],
        Tanh
    ),
    Dense::new([[1.0, -2.0, 0.5]], [0.25], Identity),
]);

const MODEL: &str = r#"{"version": 1, "precision": "f32", "layers": [
    {"dense": {"weight": [[0.5, -0.2], [1.0, 0.3], [-0.7, 0.8]], "bias": [0.1, 0.0, -0.1], "activation": "tanh"}},
    {"dense": {"weight": [[1.0, -2.0, 0.5]], "bias": [0.25], "activation": "identity"}}
]}"#;

/// 1000 ticks a step; a step takes 40, and step 7 takes 90.
struct Watch(std::cell::Cell<u32>);

impl Clock for &Watch {
    const HZ: u32 = 1_000_000;

    fn now(&self) -> u32 {
        let now = self.0.get();
        let (step, is_begin) = (now / 1000, now.is_multiple_of(1000));
        let took = if step == 7 { 90 } else { 40 };
        self.0.set(if is_begin {
            now + took
        } else {
            (step + 1) * 1000
        });
        now
    }
}

struct Newton(Workspace<f32, { Pendulum::WORKSPACE }>);

impl Law<f32, 1, 2, 1, 1> for Newton {
    type Evaluated = Evaluation<f32, 2, 1>;

    fn input(&mut self, measured: &[f32; 1], last: &[f32; 1]) -> SVector<f32, 2> {
        SVector::from([measured[0], last[0]])
    }

    fn evaluate(&mut self, x: &SVector<f32, 2>) -> Self::Evaluated {
        PENDULUM.evaluate(x, &mut self.0)
    }

    fn command(&mut self, x: &SVector<f32, 2>, y: &Self::Evaluated) -> [f32; 1] {
        [x[1] + (0.4 - y.value[0]) / y.jacobian[(0, 1)]]
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
    policies: Policies {
        sensor: Policy::Hold { steps: 3 },
        ..Policies::SAFE
    },
};

/// The records of a loop of so many steps, whose sensor fails at step 3 and measures too much at step 5.
fn records(steps: u32) -> Vec<Record<f32, 2, 1, 1>> {
    let watch = Watch(std::cell::Cell::new(0));
    let passed = Ok::<(), ()>(());
    let mut control = Control::new(&CONFIG, &watch, passed).unwrap();
    let mut law = Newton(Workspace::new());
    (0..steps)
        .map(|step| {
            let sensor = &mut || match step {
                3 => Err("no answer"),
                5 => Ok(Sample::now([1.5])),
                _ => Ok(Sample::now([(f64::from(step) * 0.1).sin() as f32])),
            };
            let actuator = &mut |_: &[f32; 1]| Ok::<_, ()>(());
            control.step(sensor, &mut law, actuator).record
        })
        .collect()
}

/// A vector that a device writes to.
struct Bytes(Vec<u8>);

impl ErrorType for Bytes {
    type Error = Infallible;
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn log<const IN: usize>(records: &[Record<f32, IN, 1, 1>]) -> Vec<u8> {
    let mut bytes = Bytes(Vec::new());
    for record in records {
        record.write_to(&mut bytes).unwrap();
    }
    bytes.0
}

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pendulum.json"), MODEL).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn replay(&self, log: &[u8]) -> fnn_std::Result<Report> {
        fs::write(self.path("loop.log"), log).unwrap();
        self.run(&self.path("pendulum.json"))
    }

    fn run(&self, model: &Path) -> fnn_std::Result<Report> {
        replay::run(&self.path("loop.log"), model, &Options::default())
    }
}

#[test]
fn a_log_of_the_loop_has_the_bits_of_the_desk() {
    let records = records(300);
    assert_eq!(records[3].mode, Mode::Holding);
    assert!(records[5].faults.contains(Fault::Outside));
    let desk = Desk::new();
    let report = desk.replay(&log(&records)).unwrap();
    assert!(report.is_equal());
    assert_eq!(
        (report.records, report.damaged, report.missing),
        (300, 0, 0)
    );
    assert_eq!(
        (report.values, report.jacobians, report.first),
        (298, 298, None)
    );
    // Where the law begins again it asks for too much.
    let faults = [("sensor", 1, 3), ("outside", 1, 5), ("saturated", 1, 6)];
    assert_eq!(report.faults, faults);
    assert_eq!(
        report.modes,
        [("running", 298), ("holding", 1), ("safe", 1)]
    );
    let longest = report.longest.unwrap();
    assert_eq!((longest.step, longest.us), (7, 90.0));
    assert!((report.mean_us - (40.0 + 50.0 / 300.0)).abs() < 1e-9);
}

/// One unit in the last place of a value, and another bit of a derivative.
#[test]
fn the_first_step_with_other_bits_is_named() {
    let desk = Desk::new();
    let mut other = records(20);
    let value = other[12].value[0];
    other[12].value[0] = f32::from_bits(value.to_bits() + 1);
    other[15].digest ^= 1;
    let report = desk.replay(&log(&other)).unwrap();
    assert_eq!(report.differing, 2);
    let first = report.first.clone().unwrap();
    let logged = f64::from(other[12].value[0]);
    assert_eq!(
        (first.step, first.value),
        (12, Some((0, logged, f64::from(value))))
    );
    assert!(
        report
            .to_string()
            .contains("first at step 12: output 0 is ")
    );
    other[12].value[0] = value;
    let report = desk.replay(&log(&other)).unwrap();
    assert_eq!(report.first.map(|d| (d.step, d.value)), Some((15, None)));
}

/// What is lost is what the cut or the flipped bit touches, and the report says how much.
#[test]
fn damage_loses_the_records_that_it_touches() {
    let desk = Desk::new();
    let records = records(12);
    let whole = log(&records);
    let ends: Vec<usize> = (0..whole.len()).filter(|&i| whole[i] == 0).collect();
    for cut in 0..whole.len() {
        let before = ends.iter().filter(|&&end| end < cut).count() as u64;
        let is_clean = cut == 0 || ends.contains(&(cut - 1));
        match desk.replay(&whole[..cut]) {
            Ok(report) => {
                assert_eq!((report.records, report.missing), (before, 0), "{cut}");
                assert_eq!(report.damaged, u64::from(!is_clean), "{cut}");
                assert!(report.is_equal());
            }
            Err(error) => {
                assert_eq!(before, 0, "{cut}: {error}");
                assert!(error.to_string().contains("found no record of a step"));
            }
        }
    }
    for at in 0..whole.len() {
        for bit in [0, 3, 7] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            let report = desk.replay(&flipped).unwrap();
            // The frame that it is in; where it was the end of one, the next one too.
            let lost = 12 - report.records;
            let is_end = ends.contains(&at);
            assert_eq!(
                lost,
                if is_end && at + 1 < whole.len() { 2 } else { 1 },
                "{at}"
            );
            assert!(report.is_equal() && report.damaged >= 1);
            let touched = ends.iter().filter(|&&end| end < at).count() as u64;
            let is_inside = touched > 0 && touched + lost < 12;
            assert_eq!(report.missing, if is_inside { lost } else { 0 }, "{at}");
        }
    }
}

#[test]
fn restarts_and_lost_records_show_in_the_numbers() {
    let desk = Desk::new();
    let mut twice = records(6);
    twice.extend(records(4));
    twice.remove(2);
    let report = desk.replay(&log(&twice)).unwrap();
    assert_eq!((report.records, report.missing, report.restarts), (9, 1, 1));
}

#[test]
fn what_is_no_log_of_the_model_is_refused() {
    let desk = Desk::new();
    for bytes in [&b""[..], b"\0\0\0", b"no log\0", &[0xff; 5000]] {
        let error = desk.replay(bytes).unwrap_err();
        assert!(
            error.to_string().contains("found no record of a step"),
            "{error}"
        );
        assert_eq!(error.help().count(), 1);
    }
    let [record] = records(1)[..] else { panic!() };
    let wide = Record {
        input: [0.0; 3],
        ..record_of(record)
    };
    let error = desk.replay(&log(&[wide])).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("step 0 has 3 inputs and 1 outputs, and the model 2 and 1"),
        "{error}"
    );
}

/// The record with inputs of another number.
fn record_of<const IN: usize>(record: Record<f32, 2, 1, 1>) -> Record<f32, IN, 1, 1> {
    Record {
        number: record.number,
        hz: record.hz,
        begin: record.begin,
        took: record.took,
        faults: record.faults,
        mode: record.mode,
        is_evaluated: record.is_evaluated,
        has_jacobian: record.has_jacobian,
        digest: record.digest,
        input: [0.0; IN],
        value: record.value,
        command: record.command,
    }
}
