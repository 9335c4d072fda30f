//! Bounds of the error for models with every kind of layer: what the evaluator gives is within them,
//! in every order and format, and they are not so large that they say nothing.

mod described;
mod random;

use std::path::Path;

use described::{concat, everything, residual, select, softmax};
use fnn_std::{
    Activation, Evaluator, Float, Model, Order, Precision,
    bound::{Arithmetic, Bound, bound, sides, value_bound},
    check, export,
    model::{Affine, Dense, Layer, LayerNorm, Tensor},
    reference,
};
use random::Random;

/// A layer with so many inputs, drawn from all kinds; composite ones hold others while `depth` is
/// above zero.
fn layer(random: &mut Random, inputs: usize, depth: usize) -> Layer {
    let precision = Precision::F32;
    let activation = Activation::ALL[random.below(Activation::ALL.len())];
    let positive = |random: &mut Random| {
        let scale = random.numbers(inputs, precision).into_iter();
        scale.map(|s| f64::from((1.0 + s / 2.0) as f32)).collect()
    };
    match random.below(if depth > 0 { 8 } else { 5 }) {
        0 | 1 => {
            let outputs = 1 + random.below(9);
            dense(random, inputs, outputs, activation)
        }
        2 => {
            let scale = random.numbers(inputs, precision);
            let shift = random.numbers(inputs, precision);
            Affine::new("affine", scale, shift, activation)
                .unwrap()
                .into()
        }
        3 if inputs > 1 => {
            let (scale, shift) = (positive(random), random.numbers(inputs, precision));
            let epsilon = f64::from(1e-3_f32);
            LayerNorm::new("norm", scale, shift, epsilon)
                .unwrap()
                .into()
        }
        3 => softmax(inputs),
        4 => {
            let start = random.below(inputs);
            let end = start + 1 + random.below(inputs - start);
            select(inputs, start..end)
        }
        5 => {
            let mut inside = vec![layer(random, inputs, depth - 1)];
            let outputs = inside[0].outputs();
            inside.push(dense(random, outputs, inputs, activation));
            residual(inside)
        }
        6 => softmax(inputs),
        _ => {
            let branches = 2 + random.below(2);
            let branch = |_| {
                let first = layer(random, inputs, depth - 1);
                let second = layer(random, first.outputs(), depth - 1);
                vec![first, second]
            };
            concat((0..branches).map(branch).collect())
        }
    }
}

fn dense(random: &mut Random, inputs: usize, outputs: usize, activation: Activation) -> Layer {
    let scale = (3.0 / inputs as f64).sqrt();
    let mut tensor = |name: &str, shape: Vec<usize>| {
        let numbers = random.numbers(shape.iter().product(), Precision::F32);
        let numbers = numbers.into_iter().map(|w| f64::from((scale * w) as f32));
        Tensor {
            name: name.to_owned(),
            shape,
            numbers: numbers.collect(),
        }
    };
    let weight = tensor("weight", vec![outputs, inputs]);
    let bias = tensor("bias", vec![outputs]);
    Dense::new(weight, Some(bias), activation).unwrap().into()
}

fn composite(random: &mut Random) -> Model {
    let depth = 1 + random.below(5);
    let mut inputs = 1 + random.below(9);
    let mut layers = Vec::new();
    for _ in 0..depth {
        let next = layer(random, inputs, 2);
        inputs = next.outputs();
        layers.push(next);
    }
    Model::new(layers, Precision::F32).unwrap()
}

/// The bounds and the largest share of them that is needed, of the value and of the Jacobian, over
/// all orders.
fn within<T: Float>(model: &Model, x: &[f64]) -> (Vec<Bound>, [f64; 2]) {
    let depth = model.layers().len();
    let cuts = (0..=depth).map(Order::Cut);
    let orders = [Order::Auto, Order::Forward, Order::Reverse].into_iter();
    let reference = reference::evaluate(model, x).unwrap();
    let its = bound(model, x, Arithmetic::of_reference()).unwrap();
    let (inputs, outputs) = (model.inputs(), model.outputs());
    let (mut bounds, mut needed) = (Vec::new(), [0_f64; 2]);
    for order in orders.chain(cuts) {
        let x_t: Vec<_> = x.iter().map(|&x| T::from_f64(x)).collect();
        let (mut value, mut jacobian) = (vec![T::ZERO; outputs], vec![T::ZERO; outputs * inputs]);
        let mut evaluator = Evaluator::<T>::with_order(model, order).unwrap();
        evaluator.evaluate(&x_t, &mut value, &mut jacobian).unwrap();
        let arithmetic = Arithmetic::new(T::PRECISION, order);
        let ours = bound(model, x, arithmetic).unwrap();
        assert_eq!(ours.value, value_bound(model, x, arithmetic).unwrap());
        let mut compare = |found: T, wanted: f64, allowed: f64, of: usize| {
            let distance = (found.to_f64() - wanted).abs();
            assert!(
                distance <= allowed,
                "{order} {distance:e} > {allowed:e}: {model:?} at {x:?}"
            );
            if distance > 0.0 {
                needed[of] = needed[of].max(distance / allowed);
            }
        };
        for (i, &y) in value.iter().enumerate() {
            compare(y, reference.value[i], ours.value[i] + its.value[i], 0);
            for (j, &d) in jacobian[i * inputs..][..inputs].iter().enumerate() {
                let allowed = ours.jacobian[i][j] + its.jacobian[i][j];
                compare(d, reference.jacobian[i][j], allowed, 1);
            }
        }
        bounds.push(ours);
    }
    (bounds, needed)
}

fn holds<T: Float>() {
    let mut random = Random(7);
    let mut largest = Vec::new();
    let mut needed = [0_f64; 2];
    let rounding = match T::PRECISION {
        Precision::F32 => 2f64.powi(-24),
        Precision::F64 => 2f64.powi(-53),
    };
    for k in 0..400 {
        let model = match k {
            0 => everything(),
            _ => composite(&mut random),
        };
        let x = random.numbers(model.inputs(), Precision::F32);
        let x: Vec<f64> = x.into_iter().map(|x| 2.0 * x).collect();
        let (bounds, share) = within::<T>(&model, &x);
        needed = [0, 1].map(|of: usize| needed[of].max(share[of]));
        let of = |b: &Bound| b.jacobian.concat().into_iter().fold(0.0, f64::max);
        largest.push(bounds.iter().map(of).fold(0.0, f64::max) / rounding);
    }
    largest.sort_by(f64::total_cmp);
    let quantile = |share: f64| largest[(share * (largest.len() - 1) as f64) as usize];
    println!(
        "{}: at most {needed:?} of the bounds of value and Jacobian are needed; the largest of a \
         Jacobian is {:.0} u at the median, {:.0} u at 95 %, {:.1e} u at most",
        T::PRECISION,
        quantile(0.5),
        quantile(0.95),
        quantile(1.0)
    );
    // Bounds that nothing comes near would show nothing, nor would those as large as what they bound:
    // for f32, 200 u is 1.2e-5 and 30 000 u 1.8e-3.
    assert!(needed.iter().all(|&share| share > 0.1));
    assert!(quantile(0.5) < 200.0 && quantile(0.95) < 30_000.0);
}

#[test]
fn f32_is_within_its_bound() {
    holds::<f32>();
}

#[test]
fn f64_is_within_its_bound() {
    holds::<f64>();
}

#[test]
fn every_kind_of_layer_is_checked() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/layers/layers.json");
    for precision in [Precision::F32, Precision::F64] {
        for order in [Order::Auto, Order::Forward, Order::Reverse, Order::Cut(2)] {
            let options = check::Options {
                ranges: std::iter::once(-1.0..1.0).collect(),
                rows: Some(32),
                precision: Some(precision),
                order,
                ..check::Options::default()
            };
            let report = check::run(&model, &options).unwrap();
            assert!(report.passed(), "{report}");
        }
    }
}

/// What a framework would give for these rows, as lines of numbers, all of them off by a factor.
fn csv(rows: &[Vec<f64>], factor: f64) -> String {
    let line = |row: &Vec<f64>| {
        let numbers = row.iter().map(|x| format!("{:?}", (factor * x) as f32));
        numbers.collect::<Vec<_>>().join(",")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The worst case of rounding in four wide layers is larger than the derivatives.
#[test]
fn a_wrong_number_does_not_hide_in_the_bound_of_a_wide_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut random = Random(5);
    for activation in [Activation::Relu, Activation::Tanh] {
        let sizes = [12, 256, 256, 256, 3];
        let layers = sizes.windows(2).map(|pair| {
            let weight = random.numbers(pair[0] * pair[1], Precision::F32);
            let scale = (3.0 / pair[0] as f64).sqrt();
            let weight = Tensor {
                name: "w".to_owned(),
                shape: vec![pair[1], pair[0]],
                numbers: weight
                    .iter()
                    .map(|w| f64::from((scale * w) as f32))
                    .collect(),
            };
            Dense::new(weight, None, activation).unwrap()
        });
        let model = Model::new(layers.collect(), Precision::F32).unwrap();
        export::write(&model, path("model.safetensors")).unwrap();
        let inputs: Vec<Vec<f64>> = (0..20)
            .map(|_| random.numbers(12, Precision::F32))
            .collect();
        std::fs::write(path("x.csv"), csv(&inputs, 1.0)).unwrap();
        let evaluations = inputs
            .iter()
            .map(|x| reference::evaluate(&model, x).unwrap());
        let (values, jacobians): (Vec<_>, Vec<_>) =
            evaluations.map(|e| (e.value, e.jacobian.concat())).unzip();
        let passed = |factor: f64| {
            std::fs::write(path("y.csv"), csv(&values, factor)).unwrap();
            std::fs::write(path("j.csv"), csv(&jacobians, factor)).unwrap();
            let options = check::Options {
                input: Some(path("x.csv")),
                output: Some(path("y.csv")),
                jacobian: Some(path("j.csv")),
                ..check::Options::default()
            };
            let report = check::run(&path("model.safetensors"), &options).unwrap();
            let framework = report.comparisons.iter();
            let framework = framework.filter(|c| c.name.contains("framework"));
            let passed: Vec<bool> = framework.map(check::Comparison::passed).collect();
            assert_eq!(passed.iter().all(|&p| p), report.passed(), "{report}");
            passed
        };
        assert_eq!(passed(1.0), [true, true]);
        assert_eq!(passed(1.001), [false, false]);
    }
}

#[test]
fn composite_models_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.json");
    let mut random = Random(11);
    let mut compared = 0;
    for _ in 0..40 {
        export::write(&composite(&mut random), &path).unwrap();
        let options = check::Options {
            ranges: std::iter::once(-1.0..1.0).collect(),
            rows: Some(8),
            ..check::Options::default()
        };
        let report = check::run(&path, &options).unwrap();
        assert!(report.passed(), "{report} {:?}", report.model);
        let differences = report.comparisons.iter();
        let differences = differences.filter(|c| c.name == "Jacobian, central differences");
        compared += differences.map(|c| c.compared).sum::<usize>();
    }
    // Kinks leave some out, not most.
    assert!(compared > 2000, "{compared}");
}

#[test]
fn kinks_inside_composite_layers_have_sides() {
    let relu = |size| Affine::activation_only("relu", size, Activation::Relu).unwrap();
    let branches = vec![
        vec![residual(vec![relu(2).into()])],
        vec![select(2, 1..2), relu(1).into()],
    ];
    let model = Model::new(vec![concat(branches)], Precision::F64).unwrap();
    assert_eq!(sides(&model, &[1.0, -1.0]).unwrap(), [1, 0, 0]);
    assert_eq!(sides(&model, &[-1.0, 1.0]).unwrap(), [0, 1, 1]);
}
