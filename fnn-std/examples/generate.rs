//! Builds a model in memory, without a file, and prints the Rust module generated from it.
//!
//! A build script that generates from a file is one call: `fnn_std::generate::in_build_script`.

use fnn_std::{
    Activation, Error, Model, Precision, Rows,
    generate::Module,
    model::{Dense, Tensor},
};

fn main() -> Result<(), Error> {
    let tensor = |name: &str, shape: &[usize], numbers: &[f64]| Tensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        numbers: numbers.to_vec(),
    };
    let hidden = Dense::new(
        tensor("hidden", &[3, 2], &[0.5, -0.25, 1.0, 0.375, -0.75, 0.5]),
        Some(tensor("hidden bias", &[3], &[0.125, 0.0, -0.125])),
        Activation::Tanh,
    )?;
    let last = tensor("last", &[1, 3], &[1.0, -2.0, 0.5]);
    let last = Dense::new(last, None, Activation::Identity)?;
    let model = Model::new(vec![hidden, last], Precision::F32)?
        .with_input_names(vec!["angle_rad".to_owned(), "rate_rad_per_s".to_owned()])?
        .with_output_names(vec!["torque_Nm".to_owned()])?;

    let records = Rows::new(2, vec![0.0, 0.0, 0.5, -1.0])?;
    let (text, _) = Module::new(&model).inputs(records)?.text()?;
    print!("{text}");
    Ok(())
}
