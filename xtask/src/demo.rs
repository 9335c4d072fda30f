//! The main job: a trained model on the desk and on a board.

use std::{env, path::PathBuf};

use crate::{
    Result,
    firmware::{self, Network, SPEED, Workshop, fnn},
    root,
};

pub(crate) const OPTIONS: &str =
    "[MODEL --input X [--header yes|no] [--activations LIST]] [--output Y] [--jacobian J]";

/// Evaluate a model at inputs, print and write the results, and replay all of them on the emulated
/// board.
pub(crate) fn task(args: &[String]) -> Result<()> {
    let example = root().join("fnn-std/models/dynamics");
    let (mut model, mut input) = (None, None);
    // These go to `fnn` as they are.
    let (mut files, mut options) = (Vec::new(), Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} takes a value"));
        match arg.as_str() {
            "--input" => input = Some(from_here(value()?)?),
            "--activations" | "--header" => options.extend([arg.clone(), value()?.clone()]),
            "--output" | "--jacobian" => files.extend([arg.into(), from_here(value()?)?]),
            _ if arg.starts_with('-') => return Err(format!("there is no option {arg}")),
            _ if model.is_some() => return Err(format!("{arg}: there is a model already")),
            _ => model = Some(from_here(arg)?),
        }
    }
    let (model, input) = match (model, input) {
        (None, None) => (
            example.join("dynamics.safetensors"),
            example.join("inputs.npy"),
        ),
        (Some(model), Some(input)) => (model, input),
        _ => return Err("a model and its inputs go together: MODEL --input X".to_owned()),
    };

    println!("== The model on the desk");
    let eval = || {
        let run = fnn().arg("eval").arg(&model).args(&options);
        run.arg("--input").arg(&input)
    };
    eval().run()?;
    if !files.is_empty() {
        eval().args(&files).run()?;
    }

    println!("\n== The same network on the board, at every input that gives numbers");
    let board = firmware::first_board();
    let workshop = Workshop::open(board, SPEED)?;
    let network = Network::generate("demo", &model, &input, Some(EVERY), &options)?;
    let report = workshop.replay(&network)?;

    let records = report.number("records")?;
    let numbers = report.number("numbers compared")?;
    let (processor, name) = (board.processor, board.name);
    println!("\nOn the board ({name}: {processor}):");
    println!(
        "{records} inputs, {numbers} outputs and Jacobian entries: every one has the bits of the desk."
    );
    println!(
        "{} instructions for a value, {} for value and Jacobian; {} bytes of stack, {} of workspace.",
        report.number("instructions of value")?,
        report.number("instructions of evaluate")?,
        report.number("stack of evaluate")?,
        report.number("workspace")?,
    );
    Ok(())
}

/// More records than a board has flash for.
const EVERY: usize = 1_000_000;

/// The path from the folder that the user is in: the programs run here start in another.
fn from_here(path: &str) -> Result<PathBuf> {
    let here = env::current_dir().map_err(|e| format!("the current folder: {e}"))?;
    Ok(here.join(path))
}
