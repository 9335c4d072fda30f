//! Prints the errors of all activations in units in the last place, and where they are largest.
//!
//! ```text
//! cargo run --release -p fnn-core --example accuracy            every 257th f32
//! cargo run --release -p fnn-core --example accuracy -- 65537   every 65537th
//! cargo run --release -p fnn-core --example accuracy -- --all   all of them, some minutes
//! ```
//!
//! A second argument picks one activation by its name, a third a folder with other golden points
//! than those in `tests/data`.
//!
//! The activations in f32 are compared with the formulas below in f64. These formulas and the
//! activations in f64 are compared with the golden points. The elementary functions under the
//! formulas are written here, with other polynomials than those of the crate, because the loops
//! over them become loops over vectors: with those of a library all numbers take most of an hour.

#[path = "../tests/golden/mod.rs"]
mod golden;

use std::{env, f64::consts, fmt, fs, path::Path, process, sync::LazyLock, thread};

use golden::{BLOCK, ByBlock, DOUBLE, SINGLE, Subject, points, subjects};

const SINGLE_POINTS: &str = include_str!("../tests/data/activations_f32.csv");
const DOUBLE_POINTS: &str = include_str!("../tests/data/activations_f64.csv");
const THREADS: u64 = 2;

/// 1/k for k from 14 down to 1: a table, since the divisions are not done in advance otherwise.
const INVERSES: [f64; 14] = {
    let mut inverses = [0.0; 14];
    let mut i = 0;
    while i < 14 {
        inverses[i] = 1.0 / (14 - i) as f64;
        i += 1;
    }
    inverses
};

/// 2/(2·k + 1) for k from 16 down to 0.
const ODD_INVERSES: [f64; 17] = {
    let mut inverses = [0.0; 17];
    let mut i = 0;
    while i < 17 {
        inverses[i] = 2.0 / (33 - 2 * i) as f64;
        i += 1;
    }
    inverses
};

/// eˣ = 2ⁿ·(1 + p) as 2ⁿ and p, with Taylor's polynomial for p; |x| counts up to 700 only.
#[inline(always)]
fn powers(x: f64) -> (f64, f64) {
    // 1.5·2^52: a sum with it is rounded to an integer, which is in its lowest bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let x = x.clamp(-700.0, 700.0);
    let shifted = x * consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, the first with a short significand.
    let r = (x - n * 0.693_147_180_369_123_8) - n * 1.908_214_929_270_587_7e-10;
    let p = INVERSES
        .iter()
        .fold(0.0, |p, inverse| (p + 1.0) * (r * inverse));
    let scale = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    (scale, p)
}

#[inline(always)]
fn exp(x: f64) -> f64 {
    let (scale, p) = powers(x);
    scale + scale * p
}

#[inline(always)]
fn exp_m1(x: f64) -> f64 {
    let (scale, p) = powers(x);
    scale * p + (scale - 1.0)
}

/// ln(1 + u) for 0 ≤ u ≤ 1, as 2·artanh(u/(2 + u)) by its series.
#[inline(always)]
fn ln_1p(u: f64) -> f64 {
    let t = u / (2.0 + u);
    let square = t * t;
    t * ODD_INVERSES
        .iter()
        .fold(0.0, |sum, term| sum * square + term)
}

/// The terms of `erfc_scaled`.
const TERMS: usize = 40;

/// Weideman's expansion of e^(x²)·erfc(x) (SIAM Journal on Numerical Analysis 31, 1994, page 1497).
static ERFC: LazyLock<[f64; TERMS]> = LazyLock::new(|| {
    let count = 2 * TERMS as i32;
    let length = erfc_length();
    let mut terms = [0.0; TERMS];
    for k in 1 - count..count {
        let angle = consts::PI * f64::from(k) / f64::from(count);
        let t = length * (angle / 2.0).tan();
        let sample = (-t * t).exp() * (length * length + t * t) / f64::from(2 * count);
        for (i, term) in terms.iter_mut().enumerate() {
            *term += sample * (angle * (i + 1) as f64).cos();
        }
    }
    terms
});

/// The length that Weideman recommends for so many terms.
fn erfc_length() -> f64 {
    (TERMS as f64 / consts::SQRT_2).sqrt()
}

/// e^(x²)·erfc(x) for x ≥ 0.
#[inline(always)]
fn erfc_scaled(x: f64, length: f64, terms: &[f64; TERMS]) -> f64 {
    let inverse = 1.0 / (length + x);
    let ratio = (length - x) * inverse;
    let mut sum = 0.0;
    for term in terms.iter().rev() {
        sum = sum * ratio + term;
    }
    inverse * (2.0 * sum * inverse + consts::FRAC_2_SQRT_PI / 2.0)
}

#[inline(always)]
fn sigmoid(z: f64) -> f64 {
    let u = exp(-z.abs());
    (if z < 0.0 { u } else { 1.0 }) / (1.0 + u)
}

/// z·σ(x) and its slope, where x′ is the slope of x.
#[inline(always)]
fn gate(z: f64, x: f64, slope: f64) -> (f64, f64) {
    let s = sigmoid(x);
    (z * s, s * (1.0 + z * slope * sigmoid(-x)))
}

#[inline(always)]
fn mish(z: f64) -> (f64, f64) {
    let near = z.clamp(-600.0, 40.0);
    let w = exp(near);
    let n = w * (w + 2.0);
    let d = n + 2.0;
    let slope = w * ((w + 2.0) * d + 4.0 * near * (w + 1.0)) / (d * d);
    (if z < -600.0 { -0.0 } else { z * (n / d) }, slope)
}

#[inline(always)]
fn tanh(z: f64) -> (f64, f64) {
    let (m, u) = (exp_m1(-2.0 * z.abs()), exp(-2.0 * z.abs()));
    let slope = 4.0 * u / ((1.0 + u) * (1.0 + u));
    ((-m / (2.0 + m)).copysign(z), slope)
}

#[inline(always)]
fn gelu(z: f64, length: f64, terms: &[f64; TERMS]) -> (f64, f64) {
    let near = z.clamp(-36.0, 36.0);
    let a = near.abs();
    let e = exp(-a * a / 2.0);
    let tail = e * erfc_scaled(a / consts::SQRT_2, length, terms) / 2.0;
    let density = e / (2.0 * consts::PI).sqrt();
    let below = z < 0.0;
    let phi = if below { tail } else { 1.0 - tail };
    ((if below { near } else { z }) * phi, phi + near * density)
}

#[inline(always)]
fn gelu_tanh(z: f64, c: f64) -> (f64, f64) {
    let k = 2.0 * (2.0 / consts::PI).sqrt();
    let near = z.clamp(-20.0, 20.0);
    let x = k * (near + c * near * near * near);
    let (_, slope) = gate(near, x, k * (1.0 + 3.0 * c * near * near));
    ((if z < 0.0 { near } else { z }) * sigmoid(x), slope)
}

#[inline(always)]
fn elu(z: f64, alpha: f64, scale: f64) -> (f64, f64) {
    let below = scale * alpha;
    let e = (below * exp_m1(z), below * exp(z));
    if z > 0.0 { (scale * z, scale) } else { e }
}

/// The formula for a block of numbers.
fn each(formula: impl Fn(f64) -> (f64, f64) + Sync + 'static) -> ByBlock<f64> {
    Box::new(move |z, [value, slope]| {
        for i in 0..BLOCK {
            (value[i], slope[i]) = formula(z[i]);
        }
    })
}

/// The formulas in f64 that the f32 activation is compared with.
fn reference(name: &str) -> ByBlock<f64> {
    match name {
        "mish" => each(mish),
        "tanh" => each(tanh),
        "sigmoid" => each(|z| (sigmoid(z), sigmoid(z) * sigmoid(-z))),
        "softplus" => each(|z| {
            let ln = ln_1p(exp(-z.abs()));
            (if z > 0.0 { z + ln } else { ln }, sigmoid(z))
        }),
        "silu" => each(|z| {
            let z = if z < -600.0 { -600.0 } else { z };
            gate(z, z, 1.0)
        }),
        "gelu" => {
            let (length, terms) = (erfc_length(), *ERFC);
            each(move |z| gelu(z, length, &terms))
        }
        "gelu_tanh" => each(|z| gelu_tanh(z, 0.044715)),
        "gelu_tanh(0.0447)" => each(|z| gelu_tanh(z, 0.0447f32.into())),
        "elu(1)" => each(|z| elu(z, 1.0, 1.0)),
        "elu(1.7)" => each(|z| elu(z, 1.7f32.into(), 1.0)),
        "selu" => each(|z| elu(z, 1.673_263_242_354_377_2, 1.050_700_987_355_480_5)),
        "softsign" => each(|z| {
            let d = 1.0 + z.abs();
            (z / d, 1.0 / (d * d))
        }),
        "relu" => each(|z| if z > 0.0 { (z, 1.0) } else { (0.0, 0.0) }),
        "leaky_relu(0.01)" => each(|z| {
            let slope = f64::from(0.01f32);
            if z > 0.0 {
                (z, 1.0)
            } else {
                (slope * z, slope)
            }
        }),
        "hard_sigmoid" => each(|z| {
            let slope = if z.abs() < 3.0 { 1.0 / 6.0 } else { 0.0 };
            (((z + 3.0) / 6.0).clamp(0.0, 1.0), slope)
        }),
        "hard_swish" => each(|z| {
            let inside = (z * ((z + 3.0) / 6.0), (2.0 * z + 3.0) / 6.0);
            let right = if z >= 3.0 { (z, 1.0) } else { inside };
            if z <= -3.0 { (0.0, 0.0) } else { right }
        }),
        "clip(-1:3)" => each(|z| {
            let slope = if -1.0 < z && z < 3.0 { 1.0 } else { 0.0 };
            (z.clamp(-1.0, 3.0), slope)
        }),
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
        write!(f, "{:6.3} at {:<16}", self.ulp, format!("{:.8e}", self.z))
    }
}

/// |got − wanted| in last places of an f32 of the size of `unit`; 2¹²⁸ stands for an overflow.
#[inline(always)]
fn error(got: f32, wanted: f64, unit: f64) -> f64 {
    const LEAST: f64 = f64::from_bits((1023 - 126) << 52);
    const OVER: f64 = f64::from_bits((1023 + 128) << 52);
    let power = f64::from_bits(unit.to_bits() & (0x7ff << 52));
    let power = if power < LEAST { LEAST } else { power };
    let inverse = f64::from_bits((2046 << 52) - power.to_bits());
    let difference = f64::from(got).clamp(-OVER, OVER) - wanted.clamp(-OVER, OVER);
    difference.abs() * inverse * f64::from(1 << 23)
}

/// How many f32 are positive and finite, and how many finite: the former come first.
const POSITIVE: u64 = 0x7f80_0000;
const FINITE: u64 = 2 * POSITIVE;

/// The largest errors of value and slope over every `stride`-th finite f32 from the `first` on.
fn from(subject: &Subject, first: u64, stride: u64) -> [Worst; 2] {
    let mut worst = [Worst::default(); 2];
    let reference = reference(subject.name);
    let (low, high) = subject.crossing.unwrap_or_default();
    let mut z = [0.0f32; BLOCK];
    let mut wide = [0.0f64; BLOCK];
    let mut got = [[0.0f32; BLOCK]; 2];
    let mut wanted = [[0.0f64; BLOCK]; 2];
    let mut errors = [[0.0f64; BLOCK]; 2];
    for start in (first..FINITE).step_by(BLOCK * stride as usize) {
        for i in 0..BLOCK {
            let index = (start + i as u64 * stride).min(FINITE - 1);
            let negative = if index < POSITIVE {
                0
            } else {
                (1 << 31) - POSITIVE
            };
            z[i] = f32::from_bits((index + negative) as u32);
            wide[i] = z[i].into();
        }
        (subject.block)(&z, &mut got);
        reference(&wide, &mut wanted);
        for i in 0..BLOCK {
            let [value, slope] = [wanted[0][i], wanted[1][i]];
            errors[0][i] = error(got[0][i], value, value);
            let crossing = (low < wide[i]) & (wide[i] < high) & (slope.abs() < 0.5);
            errors[1][i] = error(got[1][i], slope, if crossing { 0.5 } else { slope });
        }
        for (worst, errors) in worst.iter_mut().zip(&errors) {
            // An error that is NaN is not below the largest one either.
            if !errors.iter().all(|&error| error <= worst.ulp) {
                for i in 0..BLOCK {
                    worst.see(errors[i], wide[i]);
                }
            }
        }
    }
    worst
}

fn singles(subject: &Subject, stride: u64) -> [Worst; 2] {
    thread::scope(|scope| {
        let parts: Vec<_> = (0..THREADS)
            .map(|part| scope.spawn(move || from(subject, part * stride, THREADS * stride)))
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
fn doubles(subject: &Subject, text: &str) -> [Worst; 2] {
    let mut worst = [Worst::default(); 2];
    for point in points(text).filter(|point| point.activation == subject.name) {
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
    let reference = reference(subject.name);
    for point in points(SINGLE_POINTS).filter(|point| point.activation == subject.name) {
        let z = f32::from_bits(point.z as u32).into();
        let mut wanted = [[0.0; BLOCK]; 2];
        reference(&[z; BLOCK], &mut wanted);
        let [value, slope] = [wanted[0][0], wanted[1][0]];
        let unit = SINGLE.last(point.value.near);
        worst.see(point.value.error(value, unit), z);
        let unit = SINGLE.last(subject.slope_unit(z, point.slope.near));
        worst.see(point.slope.error(slope, unit), z);
    }
    worst
}

fn fail(what: &str) -> ! {
    eprintln!("error: {what}");
    eprintln!("help: accuracy [STRIDE | --all] [ACTIVATION] [FOLDER]");
    process::exit(2);
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let stride = match args.first().map(String::as_str) {
        None => 257,
        Some("--all") => 1,
        Some(number) => match number.parse() {
            Ok(stride @ 1..=FINITE) => stride,
            _ => fail(&format!("expected a stride or --all, found {number}")),
        },
    };
    let only = args.get(1);
    let double_points = args.get(2).map(|folder| {
        let path = Path::new(folder).join("activations_f64.csv");
        fs::read_to_string(&path)
            .unwrap_or_else(|error| fail(&format!("{}: {error}", path.display())))
    });
    let double_points = double_points.as_deref().unwrap_or(DOUBLE_POINTS);

    println!(
        "largest errors in ulp: f32 over every {stride}th of its numbers, f64 at golden points"
    );
    println!(
        "{:16}{:26}{:26}{:26}{:26}formulas",
        "", "f32 value", "f32 slope", "f64 value", "f64 slope"
    );
    for subject in subjects() {
        if only.is_some_and(|only| only != subject.name) {
            continue;
        }
        let [value, slope] = singles(&subject, stride);
        let [value_64, slope_64] = doubles(&subject, double_points);
        let formulas = of_reference(&subject).ulp;
        println!(
            "{:16}{value}{slope}{value_64}{slope_64}{formulas:.0e}",
            subject.name
        );
    }
}
