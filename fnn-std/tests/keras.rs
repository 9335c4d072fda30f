//! Models as Keras writes them, against the outputs that Keras computed.
//!
//! # How far Keras may be from the exact numbers
//!
//! Keras computes in f32 (u = 2⁻²⁴) or f64 (2⁻⁵³) and the reference here in f64; the evaluator computes
//! in both, and what it may be off by itself, as `bound` says, is allowed it too. A running error
//! analysis, as in `bound`, gives e, a bound of the distance of what Keras has from the exact value,
//! entry by entry, e = 0 for the inputs:
//!
//! - a dense layer, z = b + Σ w y in any order: e(z) = γₙ₊₁ (|b| + Σ |w| (|y| + e(y))) + Σ |w| e(y);
//! - an activation: e = A u max(|f|, 1/8) + Λ e(z), Λ being the largest slope it has nearby, and A
//!   the largest error that JAX was found to have, see [`ACTIVATION`];
//! - an affine layer s x + t, which Keras computes from γ, β, m, v and ε in another order: e =
//!   [`AFFINE`] u (|s| (|x| + e) + |t| + |β|) + |s| e. There is no more than one rounding for each of
//!   v + ε, its root, its inverse, that times γ, x − m, the product, + β, and one each for our s and
//!   t; where m is not zero, |s m| is at most |t| + |β|. β is not in the model any more: the variables
//!   are drawn with a deviation of 1/2, and 3 is larger than all of them. Where s is 1 there is one
//!   rounding, of the result; where t is 0 there are four, of √v, its inverse, the inverse as it
//!   stands in the model, and the product, and a fifth for a factor that was rounded before;
//! - layer normalisation and softmax, n entries: the sums are within γₙ, and what the inputs' errors
//!   do is bounded by the sum of the absolute slopes, taken from the formulas;
//! - a sum of two: e(x) + e(g) + u |x + g|.

use std::{
    fs,
    io::{Cursor, Read, Write},
    path::PathBuf,
};

use fnn_std::{
    Activation, Evaluator, Float, Model, Order, Precision, Rows,
    bound::{Arithmetic, value_bound},
    import,
    model::Layer,
    reference::{self, activate},
};

/// The largest error of JAX's activations in f32 in units of u max(|f|, 1/8): 12.6, of gelu at −1.41,
/// is the largest that `make.py --errors` finds at 600 000 points.
const ACTIVATION: f64 = 13.0;

/// Roundings of an affine layer, Keras's and ours together.
const AFFINE: f64 = 9.0;

/// No β is larger.
const LARGEST_BETA: f64 = 3.0;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/keras")
        .join(name)
}

fn read(name: &str) -> Model {
    import::read(file(name), &Default::default()).unwrap()
}

/// Read for an evaluation in f64, a file gives what Keras makes of its numbers in f64, as
/// `data/double.py` has it computed.
#[test]
fn a_file_read_for_f64_has_its_own_numbers() {
    let mut files = 0;
    for entry in fs::read_dir(file("")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some((stem, "keras" | "h5")) = name.split_once('.') else {
            continue;
        };
        let Ok(wanted) = Rows::read(file(&format!("{stem}.y64.npy"))) else {
            continue;
        };
        let options = import::Options {
            precision: Some(Precision::F64),
            ..Default::default()
        };
        let model = import::read(&path, &options).unwrap();
        let mut evaluator = Evaluator::<f64>::new(&model).unwrap();
        let mut value = vec![0.0; model.outputs()];
        let largest = wanted
            .iter()
            .flatten()
            .fold(0.0, |m: f64, y| m.max(y.abs()));
        let x = Rows::read(file(&format!("{stem}.x.npy"))).unwrap();
        for (x, wanted) in x.iter().zip(wanted.iter()) {
            evaluator.value(x, &mut value).unwrap();
            for (found, wanted) in value.iter().zip(wanted) {
                let error = (found - wanted).abs() / largest;
                assert!(error <= 1e-14, "{name}: {error:e}");
            }
        }
        files += 1;
    }
    assert_eq!(files, 7);
}

/// Values with bounds of their errors, through these layers.
fn through(layers: &[Layer], mut y: Vec<(f64, f64)>, u: f64) -> Vec<(f64, f64)> {
    for layer in layers {
        y = after(layer, y, u);
    }
    y
}

fn activated(f: Activation, z: f64, e: f64, u: f64) -> (f64, f64) {
    // No slope changes by more than 2 e within e, but at kinks, which one of these is behind.
    let slopes = [z - e, z, z + e].map(|z| activate(f, z).1.abs());
    let steepest = slopes.into_iter().fold(0.0, f64::max) + 2.0 * e;
    let value = activate(f, z).0;
    (
        value,
        ACTIVATION * u * value.abs().max(0.125) + steepest * e,
    )
}

fn after(layer: &Layer, x: Vec<(f64, f64)>, u: f64) -> Vec<(f64, f64)> {
    let gamma = |n: usize| n as f64 * u / (1.0 - n as f64 * u);
    let n = x.len();
    match layer {
        Layer::Dense(dense) => {
            let rows = dense.rows().zip(dense.bias());
            let entry = |(row, b): (&[f64], &f64)| {
                let (mut z, mut size, mut moved) = (*b, b.abs(), 0.0);
                for (w, (x, e)) in row.iter().zip(&x) {
                    z += w * x;
                    size += w.abs() * (x.abs() + e);
                    moved += w.abs() * e;
                }
                activated(dense.activation(), z, gamma(n + 1) * size + moved, u)
            };
            rows.map(entry).collect()
        }
        Layer::Affine(affine) => {
            let factors = affine.scale().iter().zip(affine.shift());
            let entry = |((x, e), (s, t)): (&(f64, f64), (&f64, &f64))| {
                let z = s * x + t;
                let rounding = match (*s, *t) {
                    (1.0, _) => u * (z.abs() + e),
                    (_, 0.0) => 5.0 * u * (z.abs() + s.abs() * e),
                    _ => AFFINE * u * (s.abs() * (x.abs() + e) + t.abs() + LARGEST_BETA),
                };
                activated(affine.activation(), z, rounding + s.abs() * e, u)
            };
            x.iter().zip(factors).map(entry).collect()
        }
        Layer::LayerNorm(norm) => {
            let mean = x.iter().map(|x| x.0).sum::<f64>() / n as f64;
            let centred: Vec<f64> = x.iter().map(|x| x.0 - mean).collect();
            let variance = centred.iter().map(|c| c * c).sum::<f64>() / n as f64;
            let deviation = (variance + norm.epsilon()).sqrt();
            let largest = x.iter().map(|x| x.0.abs() + x.1).fold(0.0, f64::max);
            // The mean is off by this, and so is what is centred; the slope of an entry of the
            // result is at most (δ + 1/n + 1/n) / deviation each, 3 in all.
            let off = gamma(n + 2) * largest + x.iter().map(|x| x.1).fold(0.0, f64::max);
            let entries = centred.iter().zip(norm.scale().iter().zip(norm.shift()));
            let entry = |(c, (s, t)): (&f64, (&f64, &f64))| {
                let y = s * c / deviation;
                let error = s.abs() * 3.0 * off / deviation + gamma(n + 8) * (y.abs() + t.abs());
                (y + t, error)
            };
            entries.map(entry).collect()
        }
        Layer::Softmax(_) => {
            let largest = x.iter().map(|x| x.0).fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> = x.iter().map(|x| (x.0 - largest).exp()).collect();
            let sum: f64 = powers.iter().sum();
            // What the errors do to an entry: Σ |∂y/∂xₖ| eₖ = y ((1 − y) e + Σ yₖ eₖ of the others).
            let weighted: f64 = powers.iter().zip(&x).map(|(p, x)| p / sum * x.1).sum();
            let entry = |(p, (x, e)): (&f64, &(f64, f64))| {
                let y = p / sum;
                let moved = (1.0 - y) * e + weighted - y * e;
                // The difference to the largest is rounded before its exponential is taken.
                let difference = u * (x - largest).abs();
                (
                    y,
                    y * (moved + difference + (ACTIVATION + n as f64 + 2.0) * u),
                )
            };
            powers.iter().zip(&x).map(entry).collect()
        }
        Layer::Select(select) => x[select.range()].to_vec(),
        Layer::Residual(residual) => {
            let inside = through(residual.layers(), x.clone(), u);
            let sum =
                |(x, g): (&(f64, f64), &(f64, f64))| (x.0 + g.0, x.1 + g.1 + u * (x.0 + g.0).abs());
            x.iter().zip(&inside).map(sum).collect()
        }
        Layer::Concat(concat) => {
            let branches = concat.branches().iter();
            branches
                .flat_map(|branch| through(branch, x.clone(), u))
                .collect()
        }
        other => panic!("a {} layer", other.kind()),
    }
}

/// The outputs that the evaluator gives, and how far they may be from the exact ones.
fn evaluated<T: Float>(model: &Model, x: &[f64]) -> Vec<(f64, f64)> {
    let mut y = vec![T::ZERO; model.outputs()];
    let x_t: Vec<T> = x.iter().map(|&x| T::from_f64(x)).collect();
    let mut evaluator = Evaluator::<T>::new(model).unwrap();
    evaluator.value(&x_t, &mut y).unwrap();
    let arithmetic = Arithmetic::new(T::PRECISION, Order::Auto);
    let errors = value_bound(model, x, arithmetic).unwrap();
    y.iter().map(|y| y.to_f64()).zip(errors).collect()
}

/// Compares what the model in `name` gives with what Keras gave, and says how much of the bound was
/// needed at worst.
fn check(name: &str, model: &Model) {
    let stem = name.split('.').next().unwrap();
    let u = match model.precision() {
        Precision::F32 => 2f64.powi(-24),
        Precision::F64 => 2f64.powi(-53),
    };
    let inputs = Rows::read(file(&format!("{stem}.x.npy"))).unwrap();
    let inputs = inputs.for_model(model).unwrap();
    let outputs = Rows::read(file(&format!("{stem}.y.npy"))).unwrap();
    assert_eq!(inputs.len(), 16);
    assert_eq!(outputs.len(), 16);
    let mut worst = 0f64;
    for (row, (x, expected)) in inputs.iter().zip(outputs.iter()).enumerate() {
        let y = reference::evaluate(model, x).unwrap().value;
        let ours = [evaluated::<f32>(model, x), evaluated::<f64>(model, x)];
        let bounds = through(model.layers(), x.iter().map(|&x| (x, 0.0)).collect(), u);
        assert_eq!(y.len(), expected.len());
        for (i, ((y, expected), (_, bound))) in y.iter().zip(expected).zip(bounds).enumerate() {
            let needed = (y - expected).abs() / bound;
            worst = worst.max(needed);
            assert!(
                needed <= 1.0,
                "{name}, row {row}, output {i}: {y}, not {expected} ± {bound:e}"
            );
            for found in &ours {
                let (found, own) = found[i];
                assert!(
                    (found - expected).abs() <= bound + own,
                    "{name}, row {row}, output {i}: {found}, not {expected} ± {bound:e} ± {own:e}"
                );
            }
        }
    }
    println!("{name}: {worst:.3} of the bound");
    // A bound that nothing comes near would show nothing.
    assert!(worst > 0.003, "{name}: {worst}");
}

#[test]
fn outputs_are_those_of_keras() {
    for name in [
        "sequential.keras",
        "sequential.h5",
        "functional.keras",
        "activations.keras",
        "nested.keras",
        "joins.keras",
        "legacy.h5",
        "double.keras",
    ] {
        check(name, &read(name));
    }
}

/// How many of these layers, and of those inside them, have this activation.
fn count(layers: &[Layer], activation: Activation) -> usize {
    let of = |layer: &Layer| {
        let own = match layer {
            Layer::Dense(dense) => dense.activation() == activation,
            Layer::Affine(affine) => affine.activation() == activation,
            _ => false,
        };
        let inside = layer.inside().into_iter();
        usize::from(own)
            + inside
                .map(|layers| count(layers, activation))
                .sum::<usize>()
    };
    layers.iter().map(of).sum()
}

/// No sum of the ReLU there is above 6, so that Keras's outputs are those of `relu6` too.
#[test]
fn relu6_is_a_clip() {
    let bytes = edited(
        "activations.keras",
        r#""activation": "relu""#,
        r#""activation": "relu6""#,
    );
    let model = import::parse(&bytes, &Default::default()).unwrap();
    let clip = Activation::Clip {
        low: 0.0,
        high: 6.0,
    };
    let original = read("activations.keras");
    assert_eq!(count(model.layers(), clip), 1);
    assert_eq!(count(original.layers(), clip), 0);
    assert_eq!(
        count(model.layers(), Activation::Relu) + 1,
        count(original.layers(), Activation::Relu)
    );
    check("activations.keras", &model);
}

#[test]
fn both_formats_give_one_model() {
    let (a, b) = (read("sequential.keras"), read("sequential.h5"));
    assert_eq!(a.layers(), b.layers());
    assert_eq!(a.notes(), b.notes());
    assert_eq!(
        a.notes(),
        [
            "the normalisation `normalization` became two affine layers: less the mean, times one \
             over the deviation, rounded",
            "the batch normalisation `batch_normalization` became an affine layer, its factors and \
             addends computed in f64 and rounded to f32"
        ]
    );
    let kinds: Vec<_> = a.layers().iter().map(Layer::kind).collect();
    let expected = "affine affine dense affine dense dense layer norm dense affine";
    assert_eq!(kinds.join(" "), expected);
}

#[test]
fn several_inputs_and_outputs_come_one_after_the_other() {
    let model = read("functional.keras");
    assert_eq!(
        model.input_names().unwrap(),
        [
            "position[0]",
            "position[1]",
            "position[2]",
            "speed[0]",
            "speed[1]"
        ]
    );
    assert_eq!(
        model.output_names().unwrap(),
        ["mean[0]", "mean[1]", "gate[0]", "gate[1]", "gate[2]"]
    );
    assert_eq!(
        model.notes(),
        [
            "the biases added by the layer `sum` (Add) become one, rounded",
            "the layer `sum` (Add) becomes a concatenation and a dense layer that adds"
        ]
    );
}

#[test]
fn layers_that_join_others_are_read() {
    let model = read("joins.keras");
    // In each of the two branches that have it.
    assert_eq!(count(model.layers(), Activation::Silu), 2);
    assert_eq!(count(model.layers(), Activation::Sigmoid), 0);
    let note = "the layer `mean` (Average) becomes a sum times the rounded reciprocal of 3";
    assert_eq!(model.notes()[0], note);
}

#[test]
fn a_dense_model_is_evaluated_as_one() {
    let model = read("double.keras");
    assert_eq!(model.precision(), Precision::F64);
    let mut evaluator = Evaluator::<f64>::new(&model).unwrap();
    let rows = Rows::read(file("double.x.npy")).unwrap();
    for x in rows.iter() {
        let mut y = [0.0; 2];
        evaluator.value(x, &mut y).unwrap();
        let reference = reference::evaluate(&model, x).unwrap().value;
        let bounds = through(
            model.layers(),
            x.iter().map(|&x| (x, 0.0)).collect(),
            2f64.powi(-53),
        );
        for ((y, reference), (_, bound)) in y.iter().zip(&reference).zip(bounds) {
            assert!((y - reference).abs() <= bound, "{y}, not {reference}");
        }
    }
}

/// What is said of the archive `name` with `from` replaced by `to` in its configuration.
fn refused(name: &str, from: &str, to: &str) -> String {
    let error = import::parse(&edited(name, from, to), &Default::default()).unwrap_err();
    error.to_string()
}

fn edited(name: &str, from: &str, to: &str) -> Vec<u8> {
    let bytes = fs::read(file(name)).unwrap();
    let mut old = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut new = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..old.len() {
        let mut entry = old.by_index(i).unwrap();
        let mut data = Vec::new();
        entry.read_to_end(&mut data).unwrap();
        let entry_name = entry.name().unwrap().into_owned();
        if entry_name == "config.json" {
            let text = String::from_utf8(data).unwrap();
            assert!(text.contains(from), "{from} is not in {text}");
            data = text.replacen(from, to, 1).into_bytes();
        }
        let options = zip::write::SimpleFileOptions::default();
        new.start_file(entry_name, options).unwrap();
        new.write_all(&data).unwrap();
    }
    new.finish().unwrap().into_inner()
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (name, from, to, expected) in [
        (
            "sequential.keras",
            r#""class_name": "Dropout""#,
            r#""class_name": "LSTM""#,
            "the layer `dropout` is of the class `LSTM`, which is not supported",
        ),
        (
            "sequential.keras",
            r#""activation": "mish""#,
            r#""activation": "exponential""#,
            "the layer `dense` has the activation `exponential`, which is not supported",
        ),
        (
            "sequential.keras",
            r#""axis": -1"#,
            r#""axis": 0"#,
            "the layer `batch_normalization` (BatchNormalization) has the axis `0`, which is not \
             supported",
        ),
        (
            "sequential.keras",
            r#""use_bias": true"#,
            r#""use_bias": false"#,
            "the layer `dense` has 2 weights in the file, wanted 1: kernel",
        ),
        (
            "sequential.keras",
            r#""name": "dense_2""#,
            r#""name": "other""#,
            "the weights at `layers/dense_2/vars` are those of the layer `dense_2`, wanted `other`",
        ),
        (
            "functional.keras",
            r#""keras_history": ["shared", 1, 0]"#,
            r#""keras_history": ["p", 0, 0]"#,
            "the output of the layer `p` is computed nowhere, or from itself",
        ),
        (
            "functional.keras",
            r#""class_name": "Add""#,
            r#""class_name": "Multiply""#,
            "the layer `residual` (Multiply): the product of two vectors that depend on the inputs, \
             which no layer computes",
        ),
        (
            "nested.keras",
            r#""class_name": "Flatten""#,
            r#""class_name": "Dropout""#,
            "the layer `normalization_1` (Normalization) works on the shape [2, 2], wanted a vector",
        ),
        (
            "nested.keras",
            r#""class_name": "Sequential""#,
            r#""class_name": "Policy""#,
            "the model is of the class `Policy`, wanted Sequential or Functional",
        ),
    ] {
        assert_eq!(refused(name, from, to), expected);
    }
    let options = import::Options {
        activations: Some(vec![Activation::Tanh]),
        ..import::Options::default()
    };
    let error = import::read(file("legacy.h5"), &options).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("activations are given, but a Keras model holds its own")
    );
}
