//! Models written as ONNX: they read back to the same model, and a graph that was changed since is
//! what counts.

mod described;

use std::{fs, path::PathBuf};

use described::{affine, concat, dense, everything, norm, residual, select, softmax};
use fnn_std::{Activation, Model, Precision, export, import, model, reference};

/// The model after it was written and read.
fn again(model: &Model) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    export::write(model, &path).unwrap();
    import::read(&path, &Default::default()).unwrap()
}

fn reads_back(model: &Model, what: &str) {
    let again = again(model);
    // Debug tells −0 from 0, as equality does not.
    let shown = |model: &Model| format!("{:?}", model.layers());
    assert_eq!(shown(&again), shown(model), "{what}");
    assert_eq!(again.precision(), model.precision(), "{what}");
    assert_eq!(again.input_names(), model.input_names(), "{what}");
    assert_eq!(again.output_names(), model.output_names(), "{what}");
    assert_eq!(again.input_units(), model.input_units(), "{what}");
    assert_eq!(again.output_units(), model.output_units(), "{what}");
    assert_eq!(again.input_ranges(), model.input_ranges(), "{what}");
    assert_eq!(again.output_ranges(), model.output_ranges(), "{what}");
    assert_eq!(again.notes(), model.notes(), "{what}");
}

#[test]
fn every_kind_of_layer_reads_back_to_the_same_bits() {
    let chains = [
        vec![dense(3, 2, 1)],
        vec![affine(3, 1)],
        vec![norm(3, 1)],
        vec![softmax(3)],
        vec![select(3, 1..3)],
        vec![residual(vec![dense(3, 3, 1)])],
        vec![concat(vec![vec![dense(3, 2, 1)], vec![select(3, 0..3)]])],
        // What a graph alone would not tell apart: several that fold into one, layers that change
        // nothing, branches that begin alike.
        vec![affine(3, 1), affine(3, 2), affine(3, 2)],
        vec![norm(3, 1), affine(3, 2)],
        vec![select(3, 0..3)],
        vec![select(4, 0..4), select(4, 1..3)],
        vec![concat(vec![vec![select(4, 0..2)], vec![select(4, 2..4)]])],
        vec![concat(vec![
            vec![affine(3, 1), dense(3, 2, 1)],
            vec![
                affine(3, 1),
                concat(vec![vec![softmax(3)], vec![softmax(3)]]),
            ],
        ])],
        vec![residual(vec![residual(vec![affine(3, 1)]), affine(3, 1)])],
    ];
    for precision in [Precision::F32, Precision::F64] {
        for layers in &chains {
            let model = Model::new(layers.clone(), precision).unwrap();
            reads_back(&model, &format!("{layers:?}"));
        }
        let layers = everything().layers().to_vec();
        reads_back(&Model::new(layers, precision).unwrap(), "everything");
    }
}

#[test]
fn activations_keep_their_parameters() {
    let mut activations = Activation::ALL.to_vec();
    // Numbers that f32 does not hold, and bounds that are none.
    activations.extend([
        Activation::LeakyRelu(0.1),
        Activation::LeakyRelu(-0.1),
        Activation::Elu(0.1),
        Activation::Clip {
            low: 0.1,
            high: 0.3,
        },
        Activation::Clip {
            low: f64::NEG_INFINITY,
            high: 0.1,
        },
        Activation::Clip {
            low: 0.0,
            high: f64::INFINITY,
        },
        Activation::Clip {
            low: f64::NEG_INFINITY,
            high: f64::INFINITY,
        },
    ]);
    for precision in [Precision::F32, Precision::F64] {
        for &activation in &activations {
            let alone = model::Affine::activation_only("alone", 3, activation).unwrap();
            let moved = model::Affine::new("", vec![0.5; 3], vec![0.0; 3], activation).unwrap();
            let model = Model::new(vec![alone.clone(), moved, alone], precision).unwrap();
            reads_back(&model, &format!("{activation} in {precision}"));
        }
    }
}

#[test]
fn models_of_all_formats_read_back_to_the_same_bits() {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for folder in ["keras", "json", "npz", "onnx"] {
        for entry in fs::read_dir(package.join("tests/data").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let path = if path.is_dir() {
                path.join("model.onnx")
            } else {
                path
            };
            // Inputs lie beside the models, and models that are refused.
            let Ok(model) = import::read(&path, &Default::default()) else {
                continue;
            };
            reads_back(&model, &path.display().to_string());
            count += 1;
        }
    }
    for name in [
        "models/layers/layers.json",
        "models/dynamics/dynamics.safetensors",
    ] {
        let model = import::read(package.join(name), &Default::default()).unwrap();
        reads_back(&model, name);
        count += 1;
    }
    assert!(count >= 35, "{count} models");
}

#[test]
fn a_graph_that_was_changed_is_what_counts() {
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    let model = Model::new(vec![dense(3, 2, 1)], Precision::F32).unwrap();
    let model = model.with_input_names(names.clone()).unwrap();
    let model = model.with_input_ranges(vec![-1.0..0.1; 3]).unwrap();
    let units = ["m", "", "rad"].map(str::to_owned).to_vec();
    let model = model.with_input_units(units).unwrap();
    let count = model.outputs();
    let model = model
        .with_output_units(vec!["m/s".to_owned(); count])
        .unwrap();
    let model = model.with_output_ranges(vec![0.0..3.5; count]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    export::write(&model, &path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    // The operator of one node, as long as the one that was there.
    let at = bytes.windows(6).position(|w| w == b"\x22\x04Tanh").unwrap();
    bytes[at..][..6].copy_from_slice(b"\x22\x04Relu");
    let changed = import::parse(&bytes, &Default::default()).unwrap();
    assert_eq!(changed.input_names().unwrap(), names);
    assert_eq!(changed.input_ranges(), model.input_ranges());
    assert_eq!(
        changed.notes(),
        ["the graph is not as fnn writes the layers in the file's metadata, so the graph is read"]
    );
    let x = [0.5, -0.25, 1.0];
    let value = |model: &Model| reference::evaluate(model, &x).unwrap().value;
    for (changed, own) in value(&changed).into_iter().zip(value(&model)) {
        // tanh⁻¹ of what came out, but for rounding.
        let relu = own.atanh().max(0.0);
        assert!((changed - relu).abs() < 1e-14, "{changed} {relu}");
    }
}
