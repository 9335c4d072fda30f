//! All tests: what continuous integration runs.

use crate::{
    Result,
    command::{Run, for_all},
    firmware::{self, BOARDS},
    install::{self, BINUTILS, CHROMIUM, GCC, QEMU, QEMU_RISCV},
    panics, size,
};

/// The hand-written C takes this many times the instructions of the network at least, on the
/// emulated Cortex-M4F, in percent: a count is exact, so it may decide a test.
const LEAST_PERCENT: u64 = 175;

/// A part of the tests and its name.
type Part = (&'static str, fn() -> Result<()>);

/// Run every test, and go on after a failure.
pub(crate) fn task(args: &[String]) -> Result<()> {
    if let Some(arg) = args.first() {
        return Err(format!("there is no option {arg}"));
    }
    // At the start, so that all that is missing is named in one line.
    install::ensure(&[&QEMU, &QEMU_RISCV, &BINUTILS, &GCC, &CHROMIUM])?;
    let parts: [Part; 9] = [
        ("format", format),
        ("lints", lints),
        ("documentation", documentation),
        ("firmware", firmware_of_every_board),
        ("generated crate on every board", firmware::generated_crate),
        ("firmware beside C", beside_c),
        ("panics", || panics::task(&[])),
        ("size", || size::task(&[])),
        // The last one, so that its summary closes the output.
        ("desktop", desktop),
    ];
    for_all(&parts, |(name, part)| {
        println!("\n== {name}");
        part().map_err(|message| format!("{name}: {message}"))
    })?;
    println!("\nAll of {} parts passed.", parts.len());
    Ok(())
}

fn format() -> Result<()> {
    let all = ["fmt", "--all", "--check"];
    Run::cargo().args(all).run()?;
    Run::cargo()
        .args(all)
        .args(["--manifest-path", "fnn-embedded/firmware/Cargo.toml"])
        .run()
}

fn lints() -> Result<()> {
    Run::cargo()
        .args(["clippy", "--quiet", "--workspace", "--all-targets"])
        .args(["--", "--deny", "warnings"])
        .run()?;
    firmware::lints()
}

fn documentation() -> Result<()> {
    Run::cargo()
        .env("RUSTDOCFLAGS", "--deny warnings")
        .args(["doc", "--quiet", "--workspace", "--no-deps"])
        .run()
}

fn firmware_of_every_board() -> Result<()> {
    for_all(BOARDS, |board| {
        firmware::task(&["--board".to_owned(), board.name.to_owned()])
    })
}

fn beside_c() -> Result<()> {
    // The tests ask for nothing over the network, so CasADi is left out.
    let report = firmware::peer(firmware::first_board(), None)?;
    let here = report.number("instructions of evaluate")?;
    let in_c = report.number("instructions of evaluate in C")?;
    if in_c * 100 < here * LEAST_PERCENT {
        return Err(format!(
            "{here} instructions, {in_c} in C: less than {LEAST_PERCENT} %"
        ));
    }
    Ok(())
}

fn desktop() -> Result<()> {
    // The bench compares its contenders' numbers here and takes no times.
    Run::cargo()
        .args(["test", "--package", "fnn-std", "--bench", "evaluate"])
        .run()?;
    Run::cargo().args(["test", "--workspace"]).run()
}
