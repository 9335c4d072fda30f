//! Speed beside the peers.

use std::{env, fs, path::Path};

use crate::{Result, command::Run, firmware, install, root};

pub(crate) const OPTIONS: &str = "[--json FILE]";

/// Time the desktop and count the board's instructions, each beside its peers.
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
    let folder = root().join("target/peers");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for (library, define) in [
        ("libseed.so", None),
        ("libseed_one_exponential.so", Some("-DONE_EXPONENTIAL")),
    ] {
        Run::new("gcc")
            .args(["-O3", "-march=native", "-ffast-math", "-DSEED_WEIGHTS="])
            .args(define)
            .args(["-fPIC", "-shared", "-o"])
            .arg(folder.join(library))
            .args(["fnn-embedded/firmware/peers/seed.c", "-lm"])
            .run()?;
    }

    let desktop = folder.join("desktop.json");
    Run::cargo()
        .env("RUSTFLAGS", "-Ctarget-cpu=native")
        .env("FNN_SEED_LIBRARIES", &folder)
        .env("FNN_BENCH_JSON", &desktop)
        .args([
            "bench",
            "--quiet",
            "--package",
            "fnn-std",
            "--bench",
            "evaluate",
        ])
        // Apart from the desktop's own target folder, whose builds have other flags.
        .arg("--target-dir")
        .arg(root().join("target/native"))
        .run()?;

    let board = firmware::first_board();
    let report = firmware::peer(board)?;
    if let Some(file) = json {
        write_json(&file, &desktop, board.name, &report)?;
    }
    Ok(())
}

fn write_json(file: &Path, desktop: &Path, board: &str, report: &firmware::Report) -> Result<()> {
    let desktop = fs::read_to_string(desktop).map_err(|e| format!("{}: {e}", desktop.display()))?;
    let mut counts = Vec::new();
    for peer in ["", " in C", " in C with one exponential"] {
        for what in ["value", "evaluate"] {
            let name = format!("{what}{peer}");
            let count = report.number(&format!("instructions of {name}"))?;
            counts.push(format!("  \"{name}\": {count}"));
        }
    }
    let text = format!(
        "{{\n\"desktop_ns\": {},\n\"board\": \"{board}\",\n\"instructions\": {{\n{}\n}}\n}}\n",
        desktop.trim_end(),
        counts.join(",\n"),
    );
    fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    println!("\nwritten: {}", file.display());
    Ok(())
}
