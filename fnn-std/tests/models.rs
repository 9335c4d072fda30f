//! The example models: what is computed here against what JAX recorded when they were trained.

use std::{fs, path::PathBuf};

use fnn_std::{
    Evaluator, Float, Model, Order, Precision, Rows,
    bound::{Arithmetic, bound},
    import, reference,
};

fn file(model: &str, name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models");
    folder.join(model).join(name)
}

/// The numbers of an array of float64, whatever its shape: those at the end of the file.
fn recorded(model: &str, name: &str, count: usize) -> Vec<f64> {
    let bytes = fs::read(file(model, name)).unwrap();
    let header = bytes.len() - 8 * count;
    assert!(
        bytes[..header].windows(5).any(|w| w == b"'<f8'"),
        "{name} is not float64"
    );
    assert!(
        bytes[..header].windows(5).any(|w| w == b"False"),
        "{name} is not in C order"
    );
    bytes[header..]
        .as_chunks()
        .0
        .iter()
        .map(|&b| f64::from_le_bytes(b))
        .collect()
}

/// JAX evaluates in f64 as well, in an order of its own: sums of the same terms in any order have
/// the same bound. Its dot products may pad their sums with zeros, which changes no sum.
fn check(name: &str) {
    let path = file(name, &format!("{name}.safetensors"));
    let model = import::read(path, &Default::default()).unwrap();
    assert!(model.input_names().is_some() && model.output_names().is_some());
    let rows = Rows::read(file(name, "inputs.npy")).unwrap();
    let rows = rows.for_model(&model).unwrap();
    assert!(!rows.is_empty());
    let (inputs, outputs) = (model.inputs(), model.outputs());
    let values = recorded(name, "value.npy", rows.len() * outputs);
    let jacobians = recorded(name, "jacobian.npy", rows.len() * outputs * inputs);

    let recorded = values
        .chunks_exact(outputs)
        .zip(jacobians.chunks_exact(outputs * inputs));
    for (x, (value, jacobian)) in rows.iter().zip(recorded) {
        let jax = bound(&model, x, Arithmetic::of_reference()).unwrap();
        for precision in [Precision::F64, Precision::F32] {
            let (y, d) = match precision {
                Precision::F32 => evaluate::<f32>(&model, x),
                Precision::F64 => evaluate::<f64>(&model, x),
            };
            let ours = bound(&model, x, Arithmetic::new(precision, Order::Auto)).unwrap();
            close(&y, value, (&ours.value, &jax.value));
            let (ours, jax) = (ours.jacobian.concat(), jax.jacobian.concat());
            close(&d, jacobian, (&ours, &jax));
        }
        let found = reference::evaluate(&model, x).unwrap();
        close(&found.value, value, (&jax.value, &jax.value));
        let bound = jax.jacobian.concat();
        close(&found.jacobian.concat(), jacobian, (&bound, &bound));
    }
}

fn evaluate<T: Float>(model: &Model, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (inputs, outputs) = (model.inputs(), model.outputs());
    let (mut value, mut jacobian) = (vec![T::ZERO; outputs], vec![T::ZERO; outputs * inputs]);
    let x: Vec<_> = x.iter().map(|&x| T::from_f64(x)).collect();
    let mut evaluator = Evaluator::new(model).unwrap();
    evaluator.evaluate(&x, &mut value, &mut jacobian).unwrap();
    let wide = |numbers: Vec<T>| numbers.iter().map(|x| x.to_f64()).collect();
    (wide(value), wide(jacobian))
}

#[track_caller]
fn close(found: &[f64], recorded: &[f64], bounds: (&[f64], &[f64])) {
    assert_eq!(found.len(), recorded.len());
    for (at, (a, b)) in found.iter().zip(recorded).enumerate() {
        let (distance, bound) = ((a - b).abs(), bounds.0[at] + bounds.1[at]);
        assert!(
            distance <= bound,
            "number {at}: {a:e}, recorded {b:e}, {distance:e} > {bound:e}"
        );
    }
}

#[test]
fn ignition() {
    check("ignition");
}

#[test]
fn dynamics() {
    check("dynamics");
}
