//! Prints the errors of all activations in units in the last place.
//!
//! ```text
//! cargo run --release -p fnn-core --example accuracy            every 257th f32
//! cargo run --release -p fnn-core --example accuracy -- 65537   every 65537th
//! cargo run --release -p fnn-core --example accuracy -- --all   all 2³² of them: tens of minutes
//! ```
//!
//! The f32 are compared with the formulas below in f64; these and the f64 activations are compared
//! with the golden points in `tests/data`.

use std::{env, fs, process, thread};

use fnn_core::{
    Activation, Elu, Gelu, GeluTanh, HardSigmoid, HardSwish, LeakyRelu, Mish, Relu, Scalar, Selu,
    Sigmoid, Silu, Softplus, Softsign, Tanh,
};

const THREADS: u64 = 2;

/// One activation in both formats and the f64 formulas that it is compared with.
struct Subject {
    name: &'static str,
    single: fn(f32) -> (f32, f32),
    double: fn(f64) -> (f64, f64),
    reference: fn(f64) -> (f64, f64),
    /// Where the slope crosses zero: inside, its error counts in the last place of the bound.
    crossing: Option<(f64, f64)>,
}

/// The least slope whose own last place counts near a crossing.
const NEAR_CROSSING: f64 = 0.5;

fn of<T: Scalar>(activation: impl Activation<T>, z: T) -> (T, T) {
    activation.value_and_slope(z)
}

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

fn subjects() -> [Subject; 15] {
    [
        Subject {
            name: "mish",
            single: |z| of(Mish, z),
            double: |z| of(Mish, z),
            reference: mish,
            crossing: Some((-2.5, 0.0)),
        },
        Subject {
            name: "tanh",
            single: |z| of(Tanh, z),
            double: |z| of(Tanh, z),
            reference: |z| (z.tanh(), 1.0 / z.cosh().powi(2)),
            crossing: None,
        },
        Subject {
            name: "sigmoid",
            single: |z| of(Sigmoid, z),
            double: |z| of(Sigmoid, z),
            reference: |z| (sigmoid(z), sigmoid(z) * sigmoid(-z)),
            crossing: None,
        },
        Subject {
            name: "softplus",
            single: |z| of(Softplus, z),
            double: |z| of(Softplus, z),
            reference: |z| (z.max(0.0) + (-z.abs()).exp().ln_1p(), sigmoid(z)),
            crossing: None,
        },
        Subject {
            name: "silu",
            single: |z| of(Silu, z),
            double: |z| of(Silu, z),
            reference: |z| gate(z.max(-1e4), z, 1.0),
            crossing: Some((-2.5, 0.0)),
        },
        Subject {
            name: "gelu",
            single: |z| of(Gelu, z),
            double: |z| of(Gelu, z),
            reference: gelu,
            crossing: Some((-1.5, 0.0)),
        },
        Subject {
            name: "gelu_tanh",
            single: |z| of(GeluTanh, z),
            double: |z| of(GeluTanh, z),
            reference: gelu_tanh,
            crossing: Some((-1.5, 0.0)),
        },
        Subject {
            name: "elu(1)",
            single: |z| of(Elu { alpha: 1.0 }, z),
            double: |z| of(Elu { alpha: 1.0 }, z),
            reference: |z| elu(z, 1.0, 1.0),
            crossing: None,
        },
        Subject {
            name: "elu(1.7)",
            single: |z| of(Elu { alpha: 1.7 }, z),
            double: |z| of(Elu { alpha: 1.7 }, z),
            reference: |z| elu(z, 1.7f32.into(), 1.0),
            crossing: None,
        },
        Subject {
            name: "selu",
            single: |z| of(Selu, z),
            double: |z| of(Selu, z),
            reference: |z| elu(z, 1.673_263_242_354_377_2, 1.050_700_987_355_480_5),
            crossing: None,
        },
        Subject {
            name: "softsign",
            single: |z| of(Softsign, z),
            double: |z| of(Softsign, z),
            reference: |z| (z / (1.0 + z.abs()), 1.0 / (1.0 + z.abs()).powi(2)),
            crossing: None,
        },
        Subject {
            name: "relu",
            single: |z| of(Relu, z),
            double: |z| of(Relu, z),
            reference: |z| (z.max(0.0), if z > 0.0 { 1.0 } else { 0.0 }),
            crossing: None,
        },
        Subject {
            name: "leaky_relu(0.01)",
            single: |z| of(LeakyRelu { slope: 0.01 }, z),
            double: |z| of(LeakyRelu { slope: 0.01 }, z),
            reference: |z| {
                let slope = f64::from(0.01f32);
                if z > 0.0 {
                    (z, 1.0)
                } else {
                    (slope * z, slope)
                }
            },
            crossing: None,
        },
        Subject {
            name: "hard_sigmoid",
            single: |z| of(HardSigmoid, z),
            double: |z| of(HardSigmoid, z),
            reference: |z| {
                let inside = -3.0 < z && z < 3.0;
                (
                    ((z + 3.0) / 6.0).clamp(0.0, 1.0),
                    if inside { 1.0 / 6.0 } else { 0.0 },
                )
            },
            crossing: None,
        },
        Subject {
            name: "hard_swish",
            single: |z| of(HardSwish, z),
            double: |z| of(HardSwish, z),
            reference: |z| match z {
                _ if z <= -3.0 => (0.0, 0.0),
                _ if z >= 3.0 => (z, 1.0),
                _ => (z * ((z + 3.0) / 6.0), (2.0 * z + 3.0) / 6.0),
            },
            crossing: None,
        },
    ]
}

/// The worst error so far and where it is.
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
}

impl std::fmt::Display for Worst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:8.3} at {:<14}", self.ulp, format!("{:.6e}", self.z))
    }
}

/// The weight of the last place of `x`, `digits` binary places after the first, where numbers
/// below 2^`least` are subnormal.
fn last_place(x: f64, digits: i32, least: i32) -> f64 {
    let exponent = if x == 0.0 {
        least
    } else {
        libm::ilogb(x).max(least)
    };
    libm::scalbn(1.0, exponent - digits)
}

/// `of` is the reference, `lack` what it lacks in its own last places.
fn error(got: f64, of: f64, lack: f64, place: f64) -> f64 {
    if got == of && of.is_infinite() {
        return 0.0;
    }
    ((got - of) / place - lack).abs()
}

fn slope_floor(subject: &Subject, z: f64, slope: f64) -> f64 {
    match subject.crossing {
        Some((low, high)) if low < z && z < high => slope.abs().max(NEAR_CROSSING),
        _ => slope,
    }
}

/// The worst errors of value and slope among every `stride`-th f32 from the `first` on.
fn all_singles(subject: &Subject, first: u64, stride: u64) -> [Worst; 2] {
    let mut worst = [Worst::default(); 2];
    let mut bits = first;
    while bits <= u64::from(u32::MAX) {
        let z = f32::from_bits(bits as u32);
        bits += stride;
        if z.is_nan() {
            continue;
        }
        let (value, slope) = (subject.single)(z);
        let z = f64::from(z);
        let reference = (subject.reference)(z);
        if z.is_infinite() && (reference.0.is_nan() || reference.1.is_nan()) {
            continue;
        }
        let place = last_place(reference.0, 23, -126);
        // Where the reference rounds to an infinity, so must the value.
        let wanted = if (reference.0 as f32).is_finite() {
            reference.0
        } else {
            (reference.0 as f32).into()
        };
        worst[0].see(error(value.into(), wanted, 0.0, place), z);
        let place = last_place(slope_floor(subject, z, reference.1), 23, -126);
        worst[1].see(error(slope.into(), reference.1, 0.0, place), z);
    }
    worst
}

fn singles(subject: &Subject, stride: u64) -> [Worst; 2] {
    thread::scope(|scope| {
        let parts: Vec<_> = (0..THREADS)
            .map(|t| scope.spawn(move || all_singles(subject, t * stride, THREADS * stride)))
            .collect();
        parts
            .into_iter()
            .map(|part| part.join().expect("a thread does not panic"))
            .fold([Worst::default(); 2], |[value, slope], part| {
                let larger = |a: Worst, b: Worst| if a.ulp > b.ulp { a } else { b };
                [larger(value, part[0]), larger(slope, part[1])]
            })
    })
}

/// A number and what it lacks in hundredths of its last place.
fn golden_number(text: &str) -> (f64, f64) {
    let (bits, lack) = text.split_at(16);
    (
        f64::from_bits(u64::from_str_radix(bits, 16).expect("sixteen hexadecimal digits")),
        lack.parse::<f64>().unwrap_or(0.0) / 100.0,
    )
}

/// The worst errors at the golden points, of f64 or of the formulas that f32 are compared with.
fn at_golden(subject: &Subject, points: &str, double: bool) -> [Worst; 2] {
    let mut worst = [Worst::default(); 2];
    for line in points.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        if fields[0] != subject.name {
            continue;
        }
        let bits = u64::from_str_radix(fields[1], 16).expect("hexadecimal digits");
        let (z, got, digits, least) = if double {
            let z = f64::from_bits(bits);
            (z, (subject.double)(z), 52, -1022)
        } else {
            let z = f32::from_bits(bits as u32).into();
            (z, (subject.reference)(z), 23, -126)
        };
        let (value, lack) = golden_number(fields[2]);
        worst[0].see(
            error(got.0, value, lack, last_place(value, digits, least)),
            z,
        );
        let (slope, lack) = golden_number(fields[3]);
        let own = last_place(slope, digits, least);
        let place = last_place(slope_floor(subject, z, slope), digits, least);
        worst[1].see(error(got.1, slope, lack * own / place, place), z);
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
                eprintln!("error: the stride {number} is no positive number");
                eprintln!("help: accuracy [STRIDE | --all]");
                process::exit(2);
            }
        },
    };
    let folder =
        env::var("GOLDEN").unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data").into());
    let read = |name: &str| fs::read_to_string(format!("{folder}/{name}")).expect("golden points");
    let (single, double) = (read("activations_f32.csv"), read("activations_f64.csv"));

    println!("largest errors in units in the last place, f32 at every {stride}th of 2^32 inputs");
    println!(
        "{:18}{:27}{:27}{:27}{:27}reference of f32",
        "", "f32 value", "f32 slope", "f64 value", "f64 slope"
    );
    for subject in subjects() {
        if env::args().nth(2).is_some_and(|only| only != subject.name) {
            continue;
        }
        let [value, slope] = singles(&subject, stride);
        let [value_64, slope_64] = at_golden(&subject, &double, true);
        let [value_ref, slope_ref] = at_golden(&subject, &single, false);
        println!(
            "{:16}{value}{slope}{value_64}{slope_64}{:.1e}",
            subject.name,
            value_ref.ulp.max(slope_ref.ulp)
        );
    }
}
