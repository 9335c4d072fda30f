//! Prints the errors of all activations in units in the last place.
//!
//! ```text
//! cargo run --release -p fnn-core --example accuracy            every 257th f32
//! cargo run --release -p fnn-core --example accuracy -- 65537   every 65537th
//! cargo run --release -p fnn-core --example accuracy -- --all   all of them, half an hour
//! ```
//!
//! A second argument picks one activation by its name. The f32 are compared with the formulas below in f64; these and the f64 activations are compared
//! with the golden points in `tests/data`.

#[path = "../tests/golden/mod.rs"]
mod golden;

use std::{env, fmt, process, thread};

use golden::{DOUBLE, SINGLE, Subject, points, subjects};

const SINGLE_POINTS: &str = include_str!("../tests/data/activations_f32.csv");
const DOUBLE_POINTS: &str = include_str!("../tests/data/activations_f64.csv");
const THREADS: u64 = 2;

fn sigmoid(z: f64) -> f64 {
    let u = (-z.abs()).exp();
    if z < 0.0 {
        u / (1.0 + u)
    } else {
        1.0 / (1.0 + u)
    }
}

/// z·σ(x) and its slope, where x′ is the slope of x.
fn gate(z: f64, x: f64, slope: f64) -> (f64, f64) {
    let s = sigmoid(x);
    (z * s, s * (1.0 + z * slope * sigmoid(-x)))
}

fn mish(z: f64) -> (f64, f64) {
    let w = z.clamp(-800.0, 40.0).exp();
    let n = w * (w + 2.0);
    let d = n + 2.0;
    let slope = w * ((w + 2.0) * d + 4.0 * z.min(40.0) * (w + 1.0)) / (d * d);
    (z * (n / d), slope)
}

fn gelu(z: f64) -> (f64, f64) {
    let phi = libm::erfc(-z / 2f64.sqrt()) / 2.0;
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    (z * phi, phi + z * density)
}

fn gelu_tanh(z: f64) -> (f64, f64) {
    let k = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
    let z = z.max(-40.0);
    let (near, c) = (z.min(40.0), 0.044715);
    let x = k * (near + c * near * near * near);
    let (_, slope) = gate(near, x, k * (1.0 + 3.0 * c * near * near));
    (z * sigmoid(x), slope)
}

fn elu(z: f64, alpha: f64, scale: f64) -> (f64, f64) {
    if z > 0.0 {
        (scale * z, scale)
    } else {
        (scale * alpha * z.exp_m1(), scale * alpha * z.exp())
    }
}

/// The formulas in f64 that the f32 activation is compared with.
fn reference(name: &str) -> fn(f64) -> (f64, f64) {
    match name {
        "mish" => mish,
        "tanh" => |z| (z.tanh(), 1.0 / z.cosh().powi(2)),
        "sigmoid" => |z| (sigmoid(z), sigmoid(z) * sigmoid(-z)),
        "softplus" => |z| (z.max(0.0) + (-z.abs()).exp().ln_1p(), sigmoid(z)),
        "silu" => |z| gate(z.max(-1e4), z.max(-1e4), 1.0),
        "gelu" => gelu,
        "gelu_tanh" => gelu_tanh,
        "elu(1)" => |z| elu(z, 1.0, 1.0),
        "elu(1.7)" => |z| elu(z, 1.7f32.into(), 1.0),
        "selu" => |z| elu(z, 1.673_263_242_354_377_2, 1.050_700_987_355_480_5),
        "softsign" => |z| (z / (1.0 + z.abs()), 1.0 / (1.0 + z.abs()).powi(2)),
        "relu" => |z| (z.max(0.0), if z > 0.0 { 1.0 } else { 0.0 }),
        "leaky_relu(0.01)" => |z| {
            let slope = f64::from(0.01f32);
            if z > 0.0 {
                (z, 1.0)
            } else {
                (slope * z, slope)
            }
        },
        "hard_sigmoid" => |z| {
            let slope = if -3.0 < z && z < 3.0 { 1.0 / 6.0 } else { 0.0 };
            (((z + 3.0) / 6.0).clamp(0.0, 1.0), slope)
        },
        "hard_swish" => |z| match z {
            _ if z <= -3.0 => (0.0, 0.0),
            _ if z >= 3.0 => (z, 1.0),
            _ => (z * ((z + 3.0) / 6.0), (2.0 * z + 3.0) / 6.0),
        },
        _ => unreachable!("{name} has a reference"),
    }
}

/// The largest error so far and where it is.
#[derive(Clone, Copy, Default)]
struct Worst {
    ulp: f64,
    z: f64,
}

impl Worst {
    fn see(&mut self, ulp: f64, z: f64) {
        // An error that is NaN counts as infinite.
        let ulp = if ulp.is_nan() { f64::INFINITY } else { ulp };
        if ulp > self.ulp {
            *self = Self { ulp, z };
        }
    }

    fn larger(self, other: Self) -> Self {
        if other.ulp > self.ulp { other } else { self }
    }
}

impl fmt::Display for Worst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:6.2} at {:<14}", self.ulp, format!("{:.6e}", self.z))
    }
}

/// The largest errors of value and slope over every `stride`-th f32 from the `first` on.
fn from(subject: &Subject, first: u64, stride: usize) -> [Worst; 2] {
    let mut worst = [Worst::default(); 2];
    let reference = reference(subject.name);
    for bits in (first..1 << 32).step_by(stride) {
        let z = f32::from_bits(bits as u32);
        // The infinities have limits, which the tests know.
        if !z.is_finite() {
            continue;
        }
        let (value, slope) = (subject.single)(z);
        let z = f64::from(z);
        let wanted = reference(z);
        if (wanted.0 as f32).is_finite() {
            let error = (f64::from(value) - wanted.0) / SINGLE.last(wanted.0);
            worst[0].see(error.abs(), z);
        } else if value != wanted.0 as f32 {
            worst[0].see(f64::INFINITY, z);
        }
        let unit = SINGLE.last(subject.slope_unit(z, wanted.1));
        worst[1].see(((f64::from(slope) - wanted.1) / unit).abs(), z);
    }
    worst
}

fn singles(subject: &Subject, stride: u64) -> [Worst; 2] {
    thread::scope(|scope| {
        let parts: Vec<_> = (0..THREADS)
            .map(|part| {
                scope.spawn(move || from(subject, part * stride, (THREADS * stride) as usize))
            })
            .collect();
        parts
            .into_iter()
            .map(|part| part.join().expect("a thread does not panic"))
            .fold([Worst::default(); 2], |[value, slope], part| {
                [value.larger(part[0]), slope.larger(part[1])]
            })
    })
}

/// The largest errors of the f64 activation at the golden points.
fn doubles(subject: &Subject) -> [Worst; 2] {
    let mut worst = [Worst::default(); 2];
    for point in points(DOUBLE_POINTS).filter(|point| point.activation == subject.name) {
        let z = f64::from_bits(point.z);
        let (value, slope) = (subject.double)(z);
        let unit = DOUBLE.last(point.value.near);
        worst[0].see(point.value.error(value, unit), z);
        let unit = DOUBLE.last(subject.slope_unit(z, point.slope.near));
        worst[1].see(point.slope.error(slope, unit), z);
    }
    worst
}

/// The largest error of the formulas in f64 at the golden points, in ulp of f32.
fn of_reference(subject: &Subject) -> Worst {
    let mut worst = Worst::default();
    for point in points(SINGLE_POINTS).filter(|point| point.activation == subject.name) {
        let z = f32::from_bits(point.z as u32).into();
        let (value, slope) = reference(subject.name)(z);
        let unit = SINGLE.last(point.value.near);
        worst.see(point.value.error(value, unit), z);
        let unit = SINGLE.last(subject.slope_unit(z, point.slope.near));
        worst.see(point.slope.error(slope, unit), z);
    }
    worst
}

fn main() {
    let stride = match env::args().nth(1).as_deref() {
        None => 257,
        Some("--all") => 1,
        Some(number) => match number.parse() {
            Ok(stride) if stride > 0 => stride,
            _ => {
                eprintln!("error: expected a stride or --all, found {number}");
                eprintln!("help: accuracy [STRIDE | --all] [ACTIVATION]");
                process::exit(2);
            }
        },
    };
    let only = env::args().nth(2);

    println!(
        "largest errors in ulp: f32 over every {stride}th of its numbers, f64 at golden points"
    );
    println!(
        "{:18}{:25}{:25}{:25}{:25}formulas",
        "", "f32 value", "f32 slope", "f64 value", "f64 slope"
    );
    for subject in subjects() {
        if only.as_ref().is_some_and(|only| only != subject.name) {
            continue;
        }
        let [value, slope] = singles(&subject, stride);
        let [value_64, slope_64] = doubles(&subject);
        let formulas = of_reference(&subject).ulp;
        println!(
            "{:16}{value}{slope}{value_64}{slope_64}{formulas:.0e}",
            subject.name
        );
    }
}
