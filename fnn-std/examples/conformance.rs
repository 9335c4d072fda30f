//! Models beside inputs and the outputs that another program computed for them: reads each model,
//! evaluates it in f64 and compares.
//!
//! `conformance FOLDER` takes from `FOLDER/cases.tsv` a case a line: the name of a folder in FOLDER
//! with `model.onnx`, `x.npy` [rows, inputs] and `y.npy` [rows, outputs]; how far from the largest
//! output, relative to it, an output may be; and the output's name, if it has to be named. It
//! prints a line for each: the name, `passed`, `failed` or `refused`, and why. Without a folder it
//! prints the operators of ONNX that are read.

use std::{env, error, fs, path::Path};

use fnn_std::{Rows, import, reference};

fn main() -> Result<(), Box<dyn error::Error>> {
    let Some(folder) = env::args_os().nth(1) else {
        import::onnx_operators().for_each(|operator| println!("{operator}"));
        return Ok(());
    };
    let folder = Path::new(&folder);
    for line in fs::read_to_string(folder.join("cases.tsv"))?.lines() {
        let mut fields = line.split('\t');
        let (Some(name), Some(tolerance)) = (fields.next(), fields.next()) else {
            return Err(format!("the line `{line}`").into());
        };
        let output = fields.next().filter(|name| !name.is_empty());
        let (status, reason) = case(&folder.join(name), tolerance.parse()?, output)?;
        println!("{name}\t{status}\t{reason}");
    }
    Ok(())
}

/// The status of a case, and the reason for it.
fn case(
    folder: &Path,
    tolerance: f64,
    output: Option<&str>,
) -> Result<(&'static str, String), Box<dyn error::Error>> {
    let options = import::Options {
        output_name: output.map(str::to_owned),
        ..Default::default()
    };
    let model = match import::read(folder.join("model.onnx"), &options) {
        Ok(model) => model,
        Err(error) => return Ok(("refused", error.to_string())),
    };
    let rows = |name: &str| Rows::read(folder.join(name));
    let (x, y) = (rows("x.npy")?, rows("y.npy")?);
    let expected: Vec<f64> = y.iter().flatten().copied().collect();
    let flat: Vec<f64> = x.iter().flatten().copied().collect();
    // A graph without an axis of rows takes all numbers as one.
    let is_one_row = flat.len() == model.inputs();
    if !is_one_row && x.get(0).map(<[f64]>::len) != Some(model.inputs()) {
        return Ok(("failed", format!("the model has {} inputs", model.inputs())));
    }
    let mut found = Vec::new();
    for row in flat.chunks_exact(model.inputs()) {
        found.extend(reference::evaluate(&model, row)?.value);
    }
    if found.len() != expected.len() {
        let numbers = format!("{} numbers, wanted {}", found.len(), expected.len());
        return Ok(("failed", numbers));
    }
    let largest = expected.iter().fold(1e-30, |m: f64, y| m.max(y.abs()));
    let worst = found.iter().zip(&expected).map(|(a, b)| {
        let is_same = a == b || a.is_nan() && b.is_nan();
        if is_same {
            0.0
        } else {
            (a - b).abs() / largest
        }
    });
    // Not a number compares as larger than all.
    let worst = worst.fold(
        0.0,
        |m: f64, e| if e.is_nan() { f64::INFINITY } else { m.max(e) },
    );
    let kinds: Vec<_> = model.layers().iter().map(|layer| layer.kind()).collect();
    let status = if worst <= tolerance {
        "passed"
    } else {
        "failed"
    };
    Ok((status, format!("error {worst:.1e}: {}", kinds.join(", "))))
}
