//! npz files as NumPy writes them, against the outputs that NumPy computed.

use std::path::PathBuf;

use fnn_std::{
    Activation, Evaluator, Order, Precision, Rows,
    bound::{Arithmetic, value_bound},
    import,
};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/npz")
        .join(name)
}

/// NumPy's sums of products have the bound of ours, for it holds in any order; its tanh in f32 is
/// within 4 units of 2⁻²⁴, as ours is.
#[test]
fn outputs_are_those_of_numpy() {
    let options = import::Options {
        activations: Some(vec![
            Activation::Tanh,
            Activation::Tanh,
            Activation::Identity,
        ]),
        ..import::Options::default()
    };
    for name in ["numbered.npz", "positional.npz", "fortran.npz"] {
        let model = import::read(file(name), &options).unwrap();
        assert_eq!(model.sizes(), [3, 4, 4, 2], "{name}");
        assert_eq!(model.precision(), Precision::F32);
        let is_transposed = !model.notes().is_empty();
        assert_eq!(is_transposed, name == "positional.npz", "{name}");
        let inputs = Rows::read(file("x.npy")).unwrap();
        let outputs = Rows::read(file("y.npy")).unwrap();
        let mut evaluator = Evaluator::<f32>::new(&model).unwrap();
        for (x, expected) in inputs.iter().zip(outputs.iter()) {
            let narrow: Vec<f32> = x.iter().map(|&x| x as f32).collect();
            let mut y = [0.0; 2];
            evaluator.value(&narrow, &mut y).unwrap();
            let bound =
                value_bound(&model, x, Arithmetic::new(Precision::F32, Order::Auto)).unwrap();
            for ((y, expected), bound) in y.iter().zip(expected).zip(&bound) {
                let distance = (f64::from(*y) - expected).abs();
                assert!(
                    distance <= 2.0 * bound,
                    "{name}: {y}, not {expected} ± {bound:e}"
                );
            }
        }
    }
}

#[test]
fn activations_are_wanted() {
    let error = import::read(file("numbered.npz"), &Default::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("numbered.npz`: the file does not say the activations of its 3 layers")
    );
    let help: Vec<_> = error.help().collect();
    assert_eq!(
        help,
        ["name them, one for each layer: --activations tanh,tanh,identity"]
    );
}
