//! Speed beside the peers.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{
    Result,
    command::Run,
    firmware::{self, BOARDS, target_folder},
    install, root,
};

pub(crate) const OPTIONS: &str = "[--json FILE]";

/// Count the boards' instructions and time the desktop, each beside its peers. The bench
/// `evaluate` of `fnn-std` does the latter; what it needs is prepared here.
pub(crate) fn task(args: &[String]) -> Result<()> {
    let json = match args {
        [] => None,
        [option, file] if option == "--json" => {
            let here = env::current_dir().map_err(|e| format!("the current folder: {e}"))?;
            Some(here.join(file))
        }
        _ => return Err(format!("the options are {OPTIONS}")),
    };
    install::ensure(&[&install::HOST_GCC])?;
    let python = install::python();

    // A failure of the firmware is no reason to leave out the desktop.
    let folder = target_folder();
    let counts = folder.join("bench_board.json");
    let counted = fs::create_dir_all(&folder)
        .map_err(|e| format!("{}: {e}", folder.display()))
        .and_then(|()| write_counts(&counts, python.as_deref()));

    let mut run = Run::cargo()
        .env("RUSTFLAGS", "-Ctarget-cpu=native")
        .args(["bench", "--quiet", "--package", "fnn-std"])
        // Apart from the desktop's own target folder, whose builds have other flags.
        .args(["--bench", "evaluate", "--target-dir"])
        .arg(folder.join("native"))
        .arg("--")
        .arg("--peers")
        .arg(folder.join("peers"))
        .arg("--plots")
        .arg(root().join("fnn-std/benches/plots"))
        .arg("--baseline")
        .arg(baseline()?);
    if let Some(python) = python {
        run = run.arg("--python").arg(python);
    }
    if counted.is_ok() {
        run = run.arg("--board").arg(counts);
    }
    if let Some(file) = json {
        run = run.arg("--json").arg(file);
    }
    run.run()?;
    counted
}

/// The bench compiled for any processor of this kind, and its place.
fn baseline() -> Result<PathBuf> {
    let messages = Run::cargo()
        .env("RUSTFLAGS", "")
        .args(["bench", "--quiet", "--package", "fnn-std"])
        .args(["--bench", "evaluate", "--no-run"])
        .args(["--message-format", "json", "--target-dir"])
        .arg(target_folder().join("baseline"))
        .shown_output()?;
    messages
        .lines()
        .filter_map(|message| message.split_once("\"executable\":\"")?.1.split('"').next())
        .next_back()
        .map(PathBuf::from)
        .ok_or_else(|| "cargo names no executable of the bench".to_owned())
}

/// Count on every Arm board, and write a list of them: the C beside is compiled for Arm.
fn write_counts(file: &Path, python: Option<&Path>) -> Result<()> {
    let mut boards = Vec::new();
    for board in BOARDS.iter().filter(|board| board.is_arm() && board.float) {
        let report = firmware::peer(board, python)?;
        let mut counts = Vec::new();
        for name in [
            "value",
            "evaluate",
            "evaluate forward",
            "value in C",
            "evaluate in C",
            "value in C with one exponential",
            "evaluate in C with one exponential",
        ] {
            let count = report.number(&format!("instructions of {name}"))?;
            counts.push(format!("\"{name}\": {count}"));
        }
        // Where there is no CasADi, there is no such line.
        let generated = "evaluate in CasADi's C";
        if let Ok(count) = report.number(&format!("instructions of {generated}")) {
            counts.push(format!("\"{generated}\": {count}"));
        }
        let (name, counts) = (board.name, counts.join(", "));
        boards.push(format!(
            "{{\"name\": \"{name}\", \"instructions\": {{{counts}}}}}"
        ));
    }
    let text = format!("[{}]\n", boards.join(",\n"));
    fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))
}
