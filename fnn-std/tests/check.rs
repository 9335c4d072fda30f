//! What `check` says of Jacobians that are right and of those that are not.

mod mutations;
mod random;

use std::{collections::BTreeMap, fs, path::Path};

use fnn_std::{
    Activation, Model, Precision,
    check::{self, Comparison, Report, Verdict},
    export,
    model::{Affine, Dense, Layer, Tensor},
};
use mutations::{Case, Fault, Inputs, OFFSETS, Place, caught};
use random::Random;

fn comparison<'r>(report: &'r Report, name: &str) -> &'r Comparison {
    let found = report.comparisons.iter().find(|c| c.name == name);
    found.unwrap_or_else(|| panic!("no {name}: {report}"))
}

fn differences(report: &Report) -> &Comparison {
    comparison(report, "Jacobian, central differences")
}

/// A part of what `cargo xtask mutations` makes the table of.
#[test]
fn faults_are_caught() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let activations = [Activation::Tanh, Activation::Relu];
    for (sizes, activation) in [&[2, 16, 16, 2], &[12, 32, 32, 12]]
        .into_iter()
        .zip(activations)
    {
        for precision in [Precision::F32, Precision::F64] {
            for kind in [Inputs::Ordinary, Inputs::Subtracted, Inputs::Folded] {
                if (precision, kind) == (Precision::F32, Inputs::Folded) {
                    continue;
                }
                let case = Case::new(sizes, activation, precision, kind, 6);
                let name = format!("{sizes:?} {activation} {precision} {kind:?}");
                let report = case.check(folder, None);
                assert_eq!(report.verdict(), Verdict::Pass, "{name}: {report}");
                let found = differences(&report);
                // Of sums that cancel to a billionth the error bound is wide.
                let least = if kind == Inputs::Folded { 1 } else { 9 };
                let others = found.undecided + found.left_out;
                assert!(found.compared > least * others, "{name}: {report}");
                for fault in Fault::ALL {
                    let letters = |place| caught(&case.check(folder, Some((fault, place))));
                    let [kernel, order, file] =
                        [Place::Kernel, Place::Order, Place::File].map(letters);
                    println!("{name}, {fault:?}: {kernel} {order} {file}");
                    // The f64 reference and the differences see a wrong formula, each alone.
                    assert!(kernel.contains(['R', 'F']), "{name} {fault:?}");
                    let is_small = matches!(fault, Fault::Entry(share) if share < 1e-3);
                    if kind != Inputs::Folded || !is_small {
                        assert!(kernel.contains('D'), "{name} {fault:?}");
                    }
                    if precision == Precision::F64 || !is_small {
                        assert!(order.contains('R'), "{name} {fault:?}");
                        assert!(file.contains('J'), "{name} {fault:?}");
                    }
                }
            }
        }
    }
}

/// tanh of one input and its affine layer, where inputs are far from zero.
fn shifted(mean: f64, width: f64, precision: Precision) -> Model {
    let minus = Affine::new("minus", vec![1.0], vec![-mean], Activation::Identity).unwrap();
    let scale = 1.0 / width.log2().floor().exp2();
    let over = Affine::new("over", vec![scale], vec![0.0], Activation::Identity).unwrap();
    let tensor = |name: &str, shape: &[usize], numbers: &[f64]| Tensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        numbers: numbers.to_vec(),
    };
    let hidden = Dense::new(
        tensor("w", &[3, 1], &[1.5, -0.75, 0.5]),
        Some(tensor("b", &[3], &[0.25, 0.5, -1.0])),
        Activation::Tanh,
    );
    let last = Dense::new(
        tensor("v", &[2, 3], &[1.0, 0.5, -0.25, -0.5, 1.0, 2.0]),
        None,
        Activation::Identity,
    );
    let layers: Vec<Layer> = vec![
        minus.into(),
        over.into(),
        hidden.unwrap().into(),
        last.unwrap().into(),
    ];
    Model::new(layers, precision).unwrap()
}

fn check(folder: &Path, model: &Model, options: check::Options, factor: f64) -> Report {
    let path = folder.join("m.json");
    export::write(model, &path).unwrap();
    let source: &check::Source<'_> = &|model, inputs, precision, order| {
        let mut found = check::evaluated(model, inputs, precision, order)?;
        let entries = found
            .iter_mut()
            .flat_map(|e| e.jacobian.iter_mut().flatten());
        entries.for_each(|d| *d *= factor);
        Ok(found)
    };
    check::run_with(&path, &options, source).unwrap()
}

fn drawn(low: f64, high: f64) -> check::Options {
    check::Options {
        ranges: std::iter::once(low..high).collect(),
        rows: Some(40),
        ..check::Options::default()
    }
}

fn file(folder: &Path, rows: &str) -> check::Options {
    let path = folder.join("x.csv");
    fs::write(&path, rows).unwrap();
    check::Options {
        input: Some(path),
        ..check::Options::default()
    }
}

/// Steps follow the function, whatever the size of x.
#[test]
fn inputs_far_from_zero_are_decided() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for precision in [Precision::F32, Precision::F64] {
        for (mean, width) in OFFSETS {
            let model = shifted(mean, width, precision);
            let rows = [-1.0, -0.5, -0.25, 0.0, 0.5, 1.0].map(|share| mean + share * width);
            let rows = rows.map(|x| format!("{x:?}")).join("\n");
            let options = [
                drawn(mean - width, mean + width),
                file(folder, &rows),
                // The spread says nothing here.
                file(folder, &format!("{:?}\n{:?}", mean + 1.0, mean + 1.0)),
                file(folder, &format!("{mean:?}")),
            ];
            for options in options {
                let right = check(folder, &model, options.clone(), 1.0);
                assert_eq!(right.verdict(), Verdict::Pass, "{mean}: {right}");
                let found = differences(&right);
                assert_eq!((found.left_out, found.undecided), (0, 0), "{mean}: {right}");
                let wrong = check(folder, &model, options, 1.0 + 1e-5);
                assert_eq!(
                    differences(&wrong).verdict(),
                    Verdict::Fail,
                    "{mean}: {wrong}"
                );
            }
        }
    }
}

/// Right Jacobians of networks with any activations, at inputs of any mean and spread, flat and steep
/// ones, are not failed, and most of their derivatives are decided.
#[test]
fn what_is_right_is_not_failed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut random = Random(97);
    let (mut decided, mut others, mut verdicts) = (0, 0, BTreeMap::new());
    for k in 0..160 {
        let precision = [Precision::F32, Precision::F64][k % 2];
        let depth = 1 + random.below(4);
        let sizes: Vec<usize> = (0..=depth).map(|_| 1 + random.below(9)).collect();
        let activations: Vec<Activation> = (0..depth)
            .map(|_| Activation::ALL[random.below(Activation::ALL.len())])
            .collect();
        let dense = random.model(&sizes, &activations, precision);
        let mut between = |low: f64, high: f64| {
            let share = 0.5 + 0.5 * random.number(Precision::F64);
            10_f64.powf(low + (high - low) * share)
        };
        let (width, steep) = (between(-6.0, 6.0), between(-1.0, 1.0));
        // In f32 a mean that is too far away leaves no digit of the spread.
        let far = if precision == Precision::F32 {
            3.0
        } else {
            8.0
        };
        let mean = f64::from((width * between(-1.0, far)) as f32);
        let affine = |scale: f64, shift: f64| {
            let scale = f64::from(scale as f32);
            let (scale, shift) = (vec![scale; sizes[0]], vec![shift; sizes[0]]);
            let layer = Affine::new("affine", scale, shift, Activation::Identity);
            Layer::from(layer.unwrap())
        };
        let mut layers = vec![affine(1.0, -mean), affine(1.0 / width, 0.0)];
        layers.extend_from_slice(dense.layers());
        let model = Model::new(layers, precision).unwrap();
        let row = |_| {
            let numbers = random.numbers(sizes[0], Precision::F32).into_iter();
            let numbers = numbers.map(|x| format!("{:?}", (mean + steep * width * x) as f32));
            numbers.collect::<Vec<_>>().join(",")
        };
        let rows: Vec<String> = (0..8).map(row).collect();
        let report = check(folder, &model, file(folder, &rows.join("\n")), 1.0);
        assert_ne!(report.verdict(), Verdict::Fail, "{report} {model:?}");
        *verdicts.entry(report.verdict().to_string()).or_insert(0) += 1;
        let found = differences(&report);
        decided += found.compared;
        others += found.undecided + found.left_out;
    }
    println!("{decided} decided, {others} not: {verdicts:?}");
    assert!(decided > 20 * others, "{decided} {others} {verdicts:?}");
    assert!(verdicts["PASS"] > 130, "{verdicts:?}");
}

/// Whatever the unit of an input, also where all that is known is one input, at zero.
#[test]
fn steps_suit_any_unit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for width in [1e-30, 1e-9, 1.0, 1e9, 1e30] {
        let model = shifted(0.0, width, Precision::F64);
        let rows = format!("{:?}\n{:?}", -0.3 * width, 0.7 * width);
        for options in [file(folder, "0"), file(folder, &rows)] {
            let right = check(folder, &model, options.clone(), 1.0);
            assert_eq!(right.verdict(), Verdict::Pass, "{width}: {right}");
            let wrong = check(folder, &model, options, 1.0 + 1e-5);
            assert_eq!(
                differences(&wrong).verdict(),
                Verdict::Fail,
                "{width}: {wrong}"
            );
        }
    }
}

#[test]
fn what_cannot_decide_is_no_pass() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // At a kink there is no difference.
    let relu = Affine::new("relu", vec![1.0], vec![-5.0], Activation::Relu).unwrap();
    let relu = Model::new(vec![relu], Precision::F64).unwrap();
    let kink = check(folder, &relu, file(folder, "5\n5"), 1.0);
    assert_eq!(kink.verdict(), Verdict::Undecided, "{kink}");
    assert!(!kink.passed());
    assert_eq!(differences(&kink).left_out, 2);
    assert!(kink.to_string().ends_with("\nUNDECIDED\n"), "{kink}");
    let beside = check(folder, &relu, file(folder, "5\n6"), 1.0);
    assert_eq!(beside.verdict(), Verdict::Pass, "{beside}");

    // Another input of the same row is decided, this one never.
    let scale = vec![1.0, 1.0];
    let leaky = Activation::LeakyRelu(0.5);
    let both = Affine::new("relu", scale, vec![-5.0, -5.0], leaky).unwrap();
    let both = Model::new(vec![both], Precision::F64).unwrap();
    let part = check(folder, &both, file(folder, "5,6\n5,7"), 1.0);
    assert_eq!(part.verdict(), Verdict::InPart, "{part}");
    assert!(part.passed());
    assert_eq!(differences(&part).never, [(0, 0), (1, 0)]);
    let text = part.to_string();
    assert!(text.contains("2 of 4 derivatives"), "{text}");
    assert!(text.ends_with("\nPASS in part\n"), "{text}");

    // The framework's Jacobian decides where differences do not.
    fs::write(folder.join("j.csv"), "0.5,0,0,1\n0.5,0,0,1").unwrap();
    let options = check::Options {
        jacobian: Some(folder.join("j.csv")),
        ..file(folder, "5,6\n5,7")
    };
    let report = check(folder, &both, options.clone(), 1.0);
    assert_eq!(report.verdict(), Verdict::Pass, "{report}");
    fs::write(folder.join("j.csv"), "0.5,0,0,1\n0.5,0,0,1.001").unwrap();
    let report = check(folder, &both, options, 1.0);
    assert_eq!(caught(&report), "J", "{report}");

    // One step of f64 at x is far more than the function is wide.
    let steep = shifted(1.7e9, 1e-9, Precision::F64);
    let rows = "1.7e9\n1.7000000001e9";
    let report = check(folder, &steep, file(folder, rows), 1.0);
    assert_ne!(report.verdict(), Verdict::Pass, "{report}");
    let report = check(folder, &steep, file(folder, rows), 1.0 + 1e-5);
    assert_eq!(report.verdict(), Verdict::Fail, "{report}");

    // Nothing is known where it overflows.
    let report = check(
        folder,
        &shifted(0.0, 1.0, Precision::F32),
        drawn(1e39, 2e39),
        1.0,
    );
    assert_eq!(report.verdict(), Verdict::Undecided, "{report}");
}

#[test]
fn a_page_says_what_is_undecided() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let relu = Affine::new("relu", vec![1.0], vec![-5.0], Activation::Relu).unwrap();
    let relu = Model::new(vec![relu], Precision::F64).unwrap();
    let page = fnn_std::html::page(&check(folder, &relu, file(folder, "5\n5"), 1.0)).unwrap();
    assert!(page.contains(">UNDECIDED</span>"), "{page}");
    assert!(
        page.contains("central differences: nothing could be decided."),
        "{page}"
    );
}

/// Networks of this kind were failed, and wrong ones passed near 4e6: three inputs with means of 101325
/// and 293 and 0 that the model subtracts.
#[test]
fn the_file_with_pascals_passes() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/offset_pascal.onnx");
    let options = check::Options {
        ranges: vec![101_323.0..101_327.0, 289.0..297.0, -2.0..2.0],
        ..check::Options::default()
    };
    let report = check::run(&model, &options).unwrap();
    assert_eq!(report.verdict(), Verdict::Pass, "{report}");
    let found = differences(&report);
    assert_eq!(
        (found.compared, found.undecided, found.left_out),
        (1536, 0, 0)
    );
    // There the model is flat, and rounding may be all that is left of a derivative.
    let options = check::Options {
        ranges: std::iter::once(3_999_990.0..4_000_010.0).collect(),
        ..check::Options::default()
    };
    let report = check::run(&model, &options).unwrap();
    assert_eq!(report.verdict(), Verdict::Undecided, "{report}");
}

/// Memory does not follow the number of rows that are asked for, nor the size of a Jacobian.
#[test]
fn large_jacobians_are_checked_at_fewer_rows_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = |size: usize| {
        let path = folder.path().join(format!("{size}.json"));
        let scale = vec![1.0; size];
        let text = serde_json::json!({
            "version": 1,
            "precision": "f32",
            "layers": [{"affine": {"scale": scale, "shift": scale, "activation": "tanh"}}],
        });
        fs::write(&path, text.to_string()).unwrap();
        path
    };
    let options = check::Options {
        ranges: vec![-1.0..1.0],
        rows: Some(usize::MAX),
        ..check::Options::default()
    };
    let report = check::run(&file(600), &options).unwrap();
    assert_eq!(report.inputs.len(), (1 << 20) / (600 * 600));
    assert!(
        report.source.ends_with("since their Jacobians are large"),
        "{}",
        report.source
    );
    let error = check::run(&file(1025), &options).unwrap_err().to_string();
    assert!(
        error.ends_with("a Jacobian with 1050625 entries, wanted at most 1048576 to check it"),
        "{error}"
    );
}

/// A model in f64 whose numbers are beyond f32 is right in f64, which is what was asked for.
#[test]
fn an_overflow_in_the_other_format_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wide.json");
    let text = r#"{"version": 1, "precision": "f64", "layers": [
        {"dense": {"weight": [[1e20, 1.0]]}},
        {"dense": {"weight": [[1e20]]}}]}"#;
    fs::write(&path, text).unwrap();
    let report = check::run(&path, &drawn(-1.0, 1.0)).unwrap();
    assert!(report.passed(), "{report}");
    let in_f32 = comparison(&report, "value in f32, f64 reference (ulp of f32)");
    assert!(in_f32.left_out > 0, "{report}");
    // A derivative that is wrong is wrong in f64 all the same.
    let wrong = check(folder.path(), &report.model, drawn(-1.0, 1.0), 1.0 + 1e-3);
    assert_eq!(wrong.verdict(), Verdict::Fail, "{wrong}");
}

/// What of a framework's Jacobian was not decided is said, however much of it was.
#[test]
fn a_framework_that_is_decided_in_part_is_no_plain_pass() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let lines = |rows: Vec<Vec<f64>>| {
        let line = |row: Vec<f64>| {
            let row: Vec<String> = row.iter().map(|x| format!("{x:?}")).collect();
            row.join(",") + "\n"
        };
        rows.into_iter().map(line).collect::<String>()
    };
    let mut in_part = 0;
    // tanh of a sum of 300 ± width each, the means folded into the bias: the wider, the more digits are
    // left of the sum.
    for power in -2..12 {
        let width = 2f64.powi(power);
        let mut random = Random(7);
        let row = || {
            (0..12)
                .map(|_| 300.0 + width * random.number(Precision::F32))
                .collect()
        };
        let inputs: Vec<Vec<f64>> = std::iter::repeat_with(row).take(12).collect();
        let tensor = |name: &str, shape: &[usize], numbers: Vec<f64>| Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            numbers,
        };
        let weight = 2f64.powi(-power - 2);
        let bias = tensor("b", &[1], vec![-12.0 * 300.0 * weight]);
        let weight = tensor("w", &[1, 12], vec![weight; 12]);
        let dense = Dense::new(weight, Some(bias), Activation::Tanh).unwrap();
        let model = Model::new(vec![dense], Precision::F32).unwrap();
        let jacobians = inputs.iter().map(|x| {
            let evaluation = fnn_std::reference::evaluate(&model, x).unwrap();
            evaluation.jacobian.concat()
        });
        let jacobian = folder.join("j.csv");
        fs::write(&jacobian, lines(jacobians.collect())).unwrap();
        let options = check::Options {
            jacobian: Some(jacobian),
            ..file(folder, &lines(inputs))
        };
        let report = check(folder, &model, options, 1.0);
        let framework = comparison(&report, "Jacobian, framework's");
        if framework.undecided > framework.compared {
            assert_ne!(report.verdict(), Verdict::Pass, "{report}");
            in_part += usize::from(framework.compared > 0);
        }
    }
    assert!(in_part > 0);
}
