//! Models into files: what `fnn convert` does.
//!
//! | name ends in | written |
//! |---|---|
//! | `.json` | every model, as `model.schema.json` in this package describes |
//! | `.onnx` | every model, with operators of opset 13 in its precision, f32 or f64; a row is an input |
//! | `.safetensors` | models of dense layers, with activations, names and ranges in the metadata |
//!
//! What a format cannot hold is refused by name. What is written reads back to the same layers, to
//! the bit.
//!
//! # ONNX
//!
//! Opset 13 and version 7 of the format are old enough for every runtime of the last years; what
//! newer sets have operators for (Mish, GELU, hard swish, layer normalisation) is written in parts.
//! In f64 so are the activations that onnxruntime has in f32 alone, GELU's error function among
//! them, as a polynomial times e^−z². Input and output are called what the model calls its entries
//! (`state` for `state[0]`, `state[1]` …), else `x` and `y`, and have the shape [N, entries].
//!
//! Parameters of activations, the ends of `clip` and the ε of a layer normalisation are rounded to
//! the precision of the model, as its evaluation in it rounds them; numbers beyond f32 are refused.
//! Their exact values, and what else a graph has no place for (which layers there are, names of
//! single inputs and outputs, ranges, notes), are in the metadata under `fnn`, from which the file
//! reads back to the same model. Where a program has changed the graph since, the graph is read as
//! any other's, and the names and ranges are kept: numbers then agree to rounding, several layers
//! may have become one, and a GELU in f64 is refused. Files beyond the 2 GiB of protocol buffers
//! are refused.

mod onnx;
mod safetensors;

use std::{io::Write, path::Path};

pub(crate) use self::onnx::Outline;
use crate::{
    error::Result,
    file::{self, Draft},
    import, json,
    model::Model,
};

/// The formats that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Onnx,
    Safetensors,
}

/// Reads the model at `model` and writes it to `to`, in the format that its name ends in; returns
/// the model, whose [notes](Model::notes) say what was rewritten.
///
/// The file appears whole or not at all.
///
/// # Errors
/// Whatever keeps it from being done: a file that cannot be read, is damaged or cannot be written;
/// a model that the format cannot hold.
pub fn run(model: &Path, to: &Path, options: &import::Options) -> Result<Model> {
    // Before the model is read, which may take its time.
    format(to)?;
    file::keep(&[Some(model)], &[Some(to)])?;
    let read = import::read(model, options)?;
    write(&read, to)?;
    Ok(read)
}

/// Writes `model` to the file at `path`, in the format that its name ends in.
///
/// ```no_run
/// let model = fnn_std::import::read("policy.keras", &Default::default())?;
/// fnn_std::export::write(&model, "policy.json")?;
/// # Ok::<(), fnn_std::Error>(())
/// ```
///
/// # Errors
/// A name of no known format, a model that the format cannot hold, or a file that cannot be
/// written, of which nothing is left then.
pub fn write(model: &Model, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let bytes = match format(path)? {
        Format::Json => json::text(model).map(String::into_bytes),
        Format::Onnx => onnx::bytes(model),
        Format::Safetensors => safetensors::bytes(model),
    };
    let bytes = bytes.map_err(|e| e.in_file(path))?;
    let mut draft = Draft::new(path)?;
    draft.write_all(&bytes).map_err(|e| draft.cannot_write(e))?;
    draft.finish()
}

fn format(path: &Path) -> Result<Format> {
    Ok(
        match file::ending(path, &["json", "onnx", "safetensors"])? {
            "json" => Format::Json,
            "onnx" => Format::Onnx,
            _ => Format::Safetensors,
        },
    )
}
