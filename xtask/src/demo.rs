//! The main job: a trained model on the desk and on a board.

use std::path::Path;

use crate::{
    Result,
    firmware::{self, Network, Workshop, fnn},
    root,
};

pub(crate) const OPTIONS: &str = "[MODEL --input X] [--output Y] [--jacobian J]";

/// Evaluate a model at inputs, print and write the results, and replay all of them on the emulated
/// board.
pub(crate) fn task(args: &[String]) -> Result<()> {
    let models = root().join("fnn-std/models/dynamics");
    let mut model = models.join("dynamics.safetensors");
    let mut input = None;
    // `--output` and `--jacobian` go to `fnn eval` as they are.
    let mut files = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} takes a value"));
        match arg.as_str() {
            "--input" => input = Some(from_here(value()?)?),
            "--output" | "--jacobian" => files.extend([arg.clone(), from_here(value()?)?]),
            _ if arg.starts_with('-') => return Err(format!("there is no option {arg}")),
            _ => model = from_here(arg)?.into(),
        }
    }
    todo
}
