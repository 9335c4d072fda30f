//! Models that other frameworks exported, against what onnxruntime made of them in f32, and PyTorch's
//! own outputs: `cargo xtask conformance --record` writes the folders in `data/onnx`, with
//! `--pytorch` those in `data/pytorch` too.

use std::{fs, path::Path};

use fnn_std::{Evaluator, Precision, Rows, array::Reader, import, reference};

/// The model of a case read for an evaluation in f64 gives what the file's own numbers give in f64,
/// which an independent program computed: `conformance/widened.py`. Returns whether it did.
fn is_exact_in_f64(case: &Path, options: &import::Options) -> bool {
    let Ok(wanted) = Rows::read(case.join("y64.npy")) else {
        return false;
    };
    let options = import::Options {
        precision: Some(Precision::F64),
        ..options.clone()
    };
    let model = import::read(case.join("model.onnx"), &options).unwrap();
    assert_eq!(model.precision(), Precision::F64);
    let mut evaluator = Evaluator::<f64>::new(&model).unwrap();
    let largest = wanted
        .iter()
        .flatten()
        .fold(0.0, |m: f64, y| m.max(y.abs()));
    let mut value = vec![0.0; model.outputs()];
    let x = Rows::read(case.join("x.npy")).unwrap();
    for (x, wanted) in x.iter().zip(wanted.iter()) {
        evaluator.value(x, &mut value).unwrap();
        for (found, wanted) in value.iter().zip(wanted) {
            let error = (found - wanted).abs() / largest;
            assert!(error <= 1e-14, "{}: {error:e}", case.display());
        }
    }
    true
}

#[test]
fn exported_models_evaluate_to_the_recorded_outputs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/onnx");
    let (mut cases, mut exact) = (0, 0);
    for case in fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let rows = |name: &str| Rows::read(case.join(name)).unwrap();
        let (x, y) = (rows("x.npy"), rows("y.npy"));
        let model = import::read(case.join("model.onnx"), &Default::default()).unwrap();
        let largest = y.iter().flatten().fold(0.0, |m: f64, y| m.max(y.abs()));
        // float16 has 11 bits; the others were computed in f32.
        let tolerance = if case.ends_with("by_hand_float16") {
            1e-2
        } else {
            1e-5
        };
        let mut evaluator = Evaluator::<f64>::new(&model).unwrap();
        for (x, y) in x.iter().zip(y.iter()) {
            let plain = reference::evaluate(&model, x).unwrap();
            assert_eq!(plain.value.len(), y.len(), "{}", case.display());
            for (found, wanted) in plain.value.iter().zip(y) {
                let error = (found - wanted).abs();
                assert!(
                    error <= tolerance * largest,
                    "{}: {error:e}",
                    case.display()
                );
            }
            let mut value = vec![0.0; y.len()];
            let mut jacobian = vec![0.0; y.len() * x.len()];
            evaluator.evaluate(x, &mut value, &mut jacobian).unwrap();
            let flat = plain.jacobian.iter().flatten();
            for (found, wanted) in value
                .iter()
                .zip(&plain.value)
                .chain(jacobian.iter().zip(flat))
            {
                // Both in f64, with sums and activations of their own.
                let error = (found - wanted).abs();
                assert!(
                    error <= 1e-12 * (1.0 + wanted.abs()),
                    "{}: {error:e}",
                    case.display()
                );
            }
        }
        cases += 1;
        exact += usize::from(is_exact_in_f64(&case, &Default::default()));
    }
    // The evaluator of the onnx package does not run functions with attributes.
    assert!(cases >= 20 && exact + 1 >= cases, "{exact} of {cases}");
}

/// What PyTorch's exporters write, and its `state_dict` as safetensors, beside its outputs and its
/// Jacobians, each held to a share of the largest of its kind. The
/// tolerances are in the list: PyTorch rounds to f32, but for one network.
#[test]
fn networks_of_pytorch_evaluate_to_its_outputs_and_jacobians() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pytorch");
    let list = fs::read_to_string(folder.join("cases.tsv")).unwrap();
    let mut exact = 0;
    for line in list.lines() {
        let [name, tolerance, output] = *line.split('\t').collect::<Vec<_>>() else {
            panic!("{line}");
        };
        let case = folder.join(name);
        let options = import::Options {
            output_name: Some(output.to_owned()).filter(|name| !name.is_empty()),
            ..Default::default()
        };
        let file = ["model.onnx", "model.safetensors"].map(|name| case.join(name));
        let file = file.iter().find(|file| file.exists()).unwrap();
        let model = import::read(file, &options).unwrap();
        let rows = |name: &str| Rows::read(case.join(name)).unwrap();
        let (x, y) = (rows("x.npy"), rows("y.npy"));
        let row = [model.outputs(), model.inputs()];
        let mut jacobians = Vec::new();
        Reader::open_results(case.join("j.npy"), x.len(), &row, None)
            .and_then(|mut reader| reader.read(usize::MAX, &mut jacobians))
            .unwrap();
        let (mut value, mut jacobian) = (Vec::new(), Vec::new());
        for x in x.iter() {
            let found = reference::evaluate(&model, x).unwrap();
            value.extend(found.value);
            jacobian.extend(found.jacobian.concat());
        }
        let tolerance: f64 = tolerance.parse().unwrap();
        let outputs: Vec<f64> = y.iter().flatten().copied().collect();
        for (what, found, wanted) in [("value", value, outputs), ("Jacobian", jacobian, jacobians)]
        {
            assert_eq!(found.len(), wanted.len(), "{name}");
            let largest = wanted.iter().fold(0.0, |m: f64, y| m.max(y.abs()));
            for (found, wanted) in found.iter().zip(&wanted) {
                let error = (found - wanted).abs();
                assert!(error <= tolerance * largest, "{what} of {name}: {error:e}");
            }
        }
        exact += usize::from(file.ends_with("model.onnx") && is_exact_in_f64(&case, &options));
    }
    assert!(list.lines().count() >= 60 && exact >= 60, "{exact}");
}
