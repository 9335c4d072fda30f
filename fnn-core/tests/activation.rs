//! All activations: against golden points computed with mpmath, and their properties.

mod golden;

use std::{collections::BTreeSet, fs, path::Path};

use golden::{DOUBLE, Places, SINGLE, points, subjects};

const SINGLE_POINTS: &str = include_str!("data/activations_f32.csv");
const DOUBLE_POINTS: &str = include_str!("data/activations_f64.csv");

/// The largest errors allowed, in ulp: value and slope in f32, value and slope in f64.
///
/// They are those that the docs of the types state, found at many more points.
const BOUNDS: [(&str, [f64; 4]); 17] = [
    ("mish", [1.98, 1.85, 1.4, 1.3]),
    ("tanh", [1.1, 1.9, 0.9, 1.3]),
    ("sigmoid", [1.7, 2.0, 1.4, 1.6]),
    ("softplus", [1.6, 1.7, 1.4, 1.4]),
    ("silu", [1.8, 1.8, 1.4, 1.1]),
    ("gelu", [1.6, 1.5, 1.2, 1.2]),
    ("gelu_tanh", [1.8, 1.8, 1.5, 1.3]),
    ("elu(1)", [1.1, 1.1, 1.1, 1.1]),
    ("elu(1.7)", [1.9, 1.1, 1.9, 1.1]),
    ("selu", [2.0, 1.3, 1.5, 1.0]),
    ("softsign", [1.5, 2.0, 1.5, 2.0]),
    ("relu", [0.0, 0.0, 0.0, 0.0]),
    ("leaky_relu(0.01)", [0.5, 0.0, 0.5, 0.0]),
    ("hard_sigmoid", [1.4, 0.4, 1.4, 0.4]),
    ("hard_swish", [1.9, 1.4, 1.9, 1.4]),
    ("clip(-1:3)", [0.0, 0.0, 0.0, 0.0]),
    ("gelu_tanh(0.0447)", [1.8, 1.8, 1.5, 1.3]),
];

/// The activations that the source defines are those of the golden points, and the identity.
#[test]
fn every_activation_has_points() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![source.join("activation.rs")];
    for entry in fs::read_dir(source.join("activation")).unwrap() {
        files.push(entry.unwrap().path());
    }
    let mut defined = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        for line in text.lines().filter(|line| line.starts_with("impl")) {
            if let Some((_, name)) = line.split_once(" Activation<T> for ") {
                let end = name.find(|c: char| !c.is_alphanumeric());
                defined.insert(name[..end.unwrap_or(name.len())].to_owned());
            }
        }
    }
    assert!(defined.remove("Identity"));
    let tested = subjects().into_iter().map(|subject| {
        let (path, _) = subject
            .type_name
            .split_once('<')
            .unwrap_or((subject.type_name, ""));
        path.rsplit("::").next().unwrap().to_owned()
    });
    assert_eq!(tested.collect::<BTreeSet<_>>(), defined);

    for text in [SINGLE_POINTS, DOUBLE_POINTS] {
        for subject in subjects() {
            let count = points(text)
                .filter(|point| point.activation == subject.name)
                .count();
            assert!(count > 40, "{}", subject.name);
        }
    }
}

fn bounds(name: &str) -> [f64; 4] {
    let (_, bounds) = BOUNDS
        .into_iter()
        .find(|&(named, _)| named == name)
        .unwrap_or_else(|| panic!("{name} has bounds"));
    bounds
}

/// Checks every golden point and returns how many there were.
fn check(
    text: &str,
    places: Places,
    (value_bound, slope_bound): (usize, usize),
    evaluate: impl Fn(&golden::Subject, u64) -> (f64, f64, f64),
) -> usize {
    let subjects = subjects();
    let mut count = 0;
    for point in points(text) {
        let name = point.activation;
        let subject = subjects
            .iter()
            .find(|subject| subject.name == name)
            .unwrap_or_else(|| panic!("{name} is an activation"));
        let (z, value, slope) = evaluate(subject, point.z);
        let bounds = bounds(name);

        let error = point.value.error(value, places.last(point.value.near));
        assert!(
            error <= bounds[value_bound],
            "{name}({z:e}) = {value:e}, {error} ulp from {:e}",
            point.value.near
        );
        let unit = places.last(subject.slope_unit(z, point.slope.near));
        let error = point.slope.error(slope, unit);
        assert!(
            error <= bounds[slope_bound],
            "the slope of {name} at {z:e} is {slope:e}, {error} ulp from {:e}",
            point.slope.near
        );
        count += 1;
    }
    count
}

#[test]
fn golden_points_f32() {
    let count = check(SINGLE_POINTS, SINGLE, (0, 1), |subject, z| {
        let z = f32::from_bits(u32::try_from(z).expect("eight hexadecimal digits"));
        let (value, slope) = (subject.single)(z);
        (z.into(), value.into(), slope.into())
    });
    assert!(count > 1800);
}

#[test]
fn golden_points_f64() {
    let count = check(DOUBLE_POINTS, DOUBLE, (2, 3), |subject, z| {
        let z = f64::from_bits(z);
        let (value, slope) = (subject.double)(z);
        (z, value, slope)
    });
    assert!(count > 4000);
}

/// f32 of all exponents and signs, infinities and NaN included.
fn singles() -> impl Iterator<Item = f32> {
    (0..=u32::MAX).step_by(65_521).map(f32::from_bits)
}

/// f64 of all exponents and signs, infinities and NaN included.
fn doubles() -> impl Iterator<Item = f64> {
    (0..=u64::MAX)
        .step_by(281_474_976_710_597)
        .map(f64::from_bits)
}

#[test]
fn value_has_the_bits_of_value_and_slope() {
    for subject in subjects() {
        for z in singles().filter(|z| !z.is_nan()) {
            assert_eq!(
                (subject.single_value)(z).to_bits(),
                (subject.single)(z).0.to_bits(),
                "{}({z:e})",
                subject.name
            );
        }
        for z in doubles().filter(|z| !z.is_nan()) {
            assert_eq!(
                (subject.double_value)(z).to_bits(),
                (subject.double)(z).0.to_bits(),
                "{}({z:e})",
                subject.name
            );
        }
    }
}

#[test]
fn only_nan_gives_nan() {
    for subject in subjects() {
        for z in singles().chain([f32::NAN, -f32::NAN, f32::INFINITY, -f32::INFINITY]) {
            let (value, slope) = (subject.single)(z);
            assert_eq!(value.is_nan(), z.is_nan(), "{}({z:e})", subject.name);
            assert_eq!(slope.is_nan(), z.is_nan(), "{}'({z:e})", subject.name);
        }
        for z in doubles().chain([f64::NAN, -f64::NAN, f64::INFINITY, -f64::INFINITY]) {
            let (value, slope) = (subject.double)(z);
            assert_eq!(value.is_nan(), z.is_nan(), "{}({z:e})", subject.name);
            assert_eq!(slope.is_nan(), z.is_nan(), "{}'({z:e})", subject.name);
        }
    }
}

type Pair = (f64, f64);

/// What each activation is at −∞ and ∞: value, slope. Zeros compare equal whatever their sign.
const LIMITS: [(&str, Pair, Pair); 17] = [
    ("mish", (0.0, 0.0), (f64::INFINITY, 1.0)),
    ("tanh", (-1.0, 0.0), (1.0, 0.0)),
    ("sigmoid", (0.0, 0.0), (1.0, 0.0)),
    ("softplus", (0.0, 0.0), (f64::INFINITY, 1.0)),
    ("silu", (0.0, 0.0), (f64::INFINITY, 1.0)),
    ("gelu", (0.0, 0.0), (f64::INFINITY, 1.0)),
    ("gelu_tanh", (0.0, 0.0), (f64::INFINITY, 1.0)),
    ("elu(1)", (-1.0, 0.0), (f64::INFINITY, 1.0)),
    ("elu(1.7)", (-1.7, 0.0), (f64::INFINITY, 1.0)),
    (
        "selu",
        (-1.758_099_340_847_376_8, 0.0),
        (f64::INFINITY, 1.050_700_987_355_480_5),
    ),
    ("softsign", (-1.0, 0.0), (1.0, 0.0)),
    ("relu", (0.0, 0.0), (f64::INFINITY, 1.0)),
    (
        "leaky_relu(0.01)",
        (f64::NEG_INFINITY, 0.01),
        (f64::INFINITY, 1.0),
    ),
    ("hard_sigmoid", (0.0, 0.0), (1.0, 0.0)),
    ("hard_swish", (0.0, 0.0), (f64::INFINITY, 1.0)),
    ("clip(-1:3)", (-1.0, 0.0), (3.0, 0.0)),
    ("gelu_tanh(0.0447)", (0.0, 0.0), (f64::INFINITY, 1.0)),
];

/// Ends elsewhere than those of the golden points, one of them infinite.
#[test]
fn clip() {
    use fnn_core::{Activation, Clip};
    let six = Clip {
        low: 0.0_f32,
        high: 6.0,
    };
    for (z, value, slope) in [
        (-1.0, 0.0, 0.0),
        (0.0, 0.0, 0.0),
        (1e-45, 1e-45, 1.0),
        (2.5, 2.5, 1.0),
        (6.0, 6.0, 0.0),
        (f32::INFINITY, 6.0, 0.0),
    ] {
        assert_eq!(six.value_and_slope(z), (value, slope), "{z}");
        assert_eq!(six.value(z), value, "{z}");
    }
    let (value, slope) = six.value_and_slope(f32::NAN);
    assert!(value.is_nan() && slope.is_nan());
    let open = Clip {
        low: f64::NEG_INFINITY,
        high: 1.0,
    };
    assert_eq!(open.value_and_slope(-1e300), (-1e300, 1.0));
}

#[test]
fn limits() {
    assert_eq!(subjects().len(), LIMITS.len());
    for (subject, (name, low, high)) in subjects().into_iter().zip(LIMITS) {
        assert_eq!(subject.name, name);
        let narrow = |(value, slope): (f64, f64)| (value as f32, slope as f32);
        for far in [2e4, 1e30, f64::from(f32::MAX), f64::INFINITY] {
            // A value without a limit is the line itself.
            let at = |limit: (f64, f64)| {
                if limit.0.is_infinite() {
                    (limit.0.signum() * limit.1 * far, limit.1)
                } else {
                    limit
                }
            };
            // Softsign comes near its limits slowly.
            if name != "softsign" {
                assert_eq!((subject.double)(-far), at(low), "{name}(-{far:e})");
                assert_eq!((subject.double)(far), at(high), "{name}({far:e})");
            }
        }
        assert_eq!((subject.double)(f64::NEG_INFINITY), low, "{name}");
        assert_eq!((subject.double)(f64::INFINITY), high, "{name}");
        assert_eq!((subject.single)(f32::NEG_INFINITY), narrow(low), "{name}");
        assert_eq!((subject.single)(f32::INFINITY), narrow(high), "{name}");
    }
}

#[test]
fn odd_ones_keep_the_sign_of_zero_and_of_the_rest() {
    for subject in subjects() {
        if !["tanh", "softsign"].contains(&subject.name) {
            continue;
        }
        for z in doubles().filter(|z| !z.is_nan()).chain([0.0, -0.0]) {
            let ((value, slope), (mirrored, same)) = ((subject.double)(z), (subject.double)(-z));
            assert_eq!(
                value.to_bits(),
                (-mirrored).to_bits(),
                "{}({z:e})",
                subject.name
            );
            assert_eq!(slope.to_bits(), same.to_bits(), "{}'({z:e})", subject.name);
        }
    }
}

/// Activations through the origin keep the sign of a zero; relu does not.
#[test]
fn negative_zero() {
    for subject in subjects() {
        let keeps = match subject.name {
            "sigmoid" | "softplus" | "hard_sigmoid" => continue,
            "relu" => false,
            _ => true,
        };
        assert_eq!((subject.single)(-0.0).0, 0.0, "{}", subject.name);
        assert_eq!(
            (subject.single)(-0.0).0.is_sign_negative(),
            keeps,
            "{}",
            subject.name
        );
        assert_eq!(
            (subject.double)(-0.0).0.is_sign_negative(),
            keeps,
            "{}",
            subject.name
        );
    }
}

/// What never falls may fall by its rounding errors, not by more.
#[test]
fn monotonic() {
    for subject in subjects() {
        let [bound, _, _, _] = bounds(subject.name);
        if subject.crossing.is_some() || subject.name == "hard_swish" {
            continue;
        }
        let mut last = f32::NEG_INFINITY;
        for step in -400_000..400_000_i32 {
            let z = step as f32 * 1.1e-4;
            let value = (subject.single)(z).0;
            let slack = 2.0 * bound * SINGLE.last(value.into());
            assert!(
                f64::from(value) >= f64::from(last) - slack,
                "{}({z:e}) = {value:e} < {last:e}",
                subject.name
            );
            last = value;
        }
    }
}

/// The slopes at kinks are PyTorch's.
#[test]
fn slopes_at_kinks() {
    let at = |name: &str, z: f64| {
        let subjects = subjects();
        let subject = subjects.iter().find(|s| s.name == name).expect(name);
        (subject.double)(z).1
    };
    assert_eq!(at("relu", 0.0), 0.0);
    assert_eq!(at("leaky_relu(0.01)", 0.0), 0.01);
    assert_eq!(at("elu(1.7)", 0.0), 1.7);
    assert_eq!(at("selu", 0.0), 1.758_099_340_847_376_8);
    assert_eq!(at("hard_sigmoid", -3.0), 0.0);
    assert_eq!(at("hard_sigmoid", 3.0), 0.0);
    assert_eq!(at("hard_sigmoid", 2.999_999), 1.0 / 6.0);
    assert_eq!(at("hard_swish", -3.0), 0.0);
    assert_eq!(at("hard_swish", 3.0), 1.0);
    assert_eq!(at("clip(-1:3)", -1.0), 0.0);
    assert_eq!(at("clip(-1:3)", 3.0), 0.0);
}

/// The constants of selu, from all their decimals, in both formats.
#[test]
fn selu_constants() {
    const SCALE: f64 = 1.050_700_987_355_480_5;
    // The parser of Rust rounds the decimals once for each format.
    let decimals = "1.0507009873554804934193349852946";
    assert_eq!(decimals.parse::<f64>(), Ok(SCALE));
    assert_eq!(decimals.parse::<f32>(), Ok(SCALE as f32));
}
