//! `fnn` for 64-bit Arm under Linux, as on a Raspberry Pi or a Jetson: built here, run by an emulator of its
//! programs, and held to the bits of this machine.

use std::{fs, path::Path};

use crate::{
    Result,
    command::{Run, for_all},
    firmware::target_folder,
    install::{self, AARCH64},
    root,
};

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// Models and inputs, both in fnn-std/models: dense ones, which run on vectors several inputs side by side,
/// and one with layers of every kind.
const MODELS: [(&str, &str); 5] = [
    ("dynamics/dynamics.safetensors", "dynamics/inputs.npy"),
    ("ignition/ignition.safetensors", "ignition/inputs.npy"),
    ("every/every.safetensors", "every/inputs.npy"),
    ("seed/seed.safetensors", "seed/inputs.npy"),
    ("layers/layers.json", "layers/inputs.csv"),
];

/// Build, run the tests of the evaluator's bits, and compare what `fnn eval` writes there and here.
pub(crate) fn task(args: &[String]) -> Result<()> {
    if let Some(arg) = args.first() {
        return Err(format!("there is no option {arg}"));
    }
    install::ensure(&[&AARCH64])?;
    let compiler = install::compiler(TARGET)?;
    // The tests compile networks of fnn-core in; with them Cargo builds the program, too. It is not optimized:
    // that would take longer than all that is run, and no bit may depend on it.
    let profile = ["profile.dev.debug=0", "profile.dev.opt-level=0"];
    compiler
        .cargo("test", TARGET)
        .args(profile.iter().flat_map(|line| ["--config", line]))
        .env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
            "aarch64-linux-gnu-gcc",
        )
        .env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
            EMULATOR.join(" "),
        )
        .args([
            "--quiet",
            "--package",
            "fnn-std",
            "--test",
            "layers",
            "--test",
            "evaluate",
        ])
        .run()?;
    let here = ["build", "--quiet", "--package", "fnn-std", "--bin", "fnn"];
    Run::cargo().args(here).run()?;

    let folder = target_folder().join("aarch64");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut compared = 0;
    for_all(&MODELS, |(model, inputs)| {
        for precision in ["f32", "f64"] {
            let there = target_folder().join(TARGET).join("debug/fnn");
            let [emulator, options @ ..] = EMULATOR;
            let there = Run::new(emulator).args(options).arg(there);
            let here = Run::new(target_folder().join("debug/fnn"));
            let there = results(there, &folder.join("there"), model, inputs, precision)?;
            let here = results(here, &folder.join("here"), model, inputs, precision)?;
            if there != here {
                return Err(format!("{model} in {precision} has other bits on {TARGET}"));
            }
            compared += here.len();
        }
        Ok(())
    })?;
    println!("\n{TARGET}: {compared} bytes of values and Jacobians, the bits of this machine");
    Ok(())
}

const EMULATOR: [&str; 3] = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"];

/// The bytes that `fnn eval` writes: values, then Jacobians.
fn results(fnn: Run, folder: &Path, model: &str, inputs: &str, precision: &str) -> Result<Vec<u8>> {
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let models = root().join("fnn-std/models");
    let files = [folder.join("y.npy"), folder.join("j.npy")];
    fnn.arg("eval")
        .arg(models.join(model))
        .arg("--input")
        .arg(models.join(inputs))
        .args(["--precision", precision, "--output"])
        .arg(&files[0])
        .arg("--jacobian")
        .arg(&files[1])
        .run()?;
    let mut bytes = Vec::new();
    for file in &files {
        bytes.extend(fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?);
    }
    Ok(bytes)
}
