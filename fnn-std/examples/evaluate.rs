//! Linearises a model at one input: prints the value, and how each output moves with each input.
//!
//! `cargo run --example evaluate [MODEL.safetensors X.npy]`

use std::{env, path::Path};

use fnn_std::{Error, Evaluator, Rows, import};

fn main() -> Result<(), Error> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/dynamics");
    let mut arguments = env::args_os().skip(1);
    let mut file = |default: &str| match arguments.next() {
        Some(argument) => argument.into(),
        None => folder.join(default),
    };
    let model = import::read(file("dynamics.safetensors"), &Default::default())?;
    let rows = Rows::read(file("inputs.npy"))?.for_model(&model)?;

    let (inputs, outputs) = (model.inputs(), model.outputs());
    let mut evaluator = Evaluator::<f64>::new(&model)?;
    let (mut value, mut jacobian) = (vec![0.0; outputs], vec![0.0; outputs * inputs]);
    let Some(x) = rows.get(0) else {
        return Ok(());
    };
    evaluator.evaluate(x, &mut value, &mut jacobian)?;

    for (i, (y, row)) in value.iter().zip(jacobian.chunks_exact(inputs)).enumerate() {
        let name = model.output_names().map_or("output", |names| &names[i]);
        println!("{name} = {y:.6}");
        for (j, d) in row.iter().enumerate().filter(|(_, d)| d.abs() > 1e-3) {
            let name = model.input_names().map_or("input", |names| &names[j]);
            println!("    moves by {d:+.6} with {name}");
        }
    }
    Ok(())
}
