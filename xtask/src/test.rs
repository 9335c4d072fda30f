//! All tests: what continuous integration runs.

use std::{env, time::Instant};

use crate::{
    Result, aarch64, c,
    command::{Run, for_all},
    firmware,
    install::{self, AARCH64, BINUTILS, CHROMIUM, GCC, GCC_RISCV, QEMU, QEMU_RISCV},
    library::DYNAMICS,
    pages::{Page, check_shown},
    panics, root, size,
};

/// The hand-written C takes this many times the instructions of the network at least, on the
/// emulated Cortex-M4F, in percent: a count is exact, so it may decide a test.
const LEAST_PERCENT: u64 = 175;

/// A part of the tests and its name.
type Part = (&'static str, fn() -> Result<()>);

/// All parts, in the order in which they run.
const PARTS: [Part; 13] = [
    ("format", format),
    ("lints", lints),
    ("documentation", documentation),
    ("demo", demo),
    ("firmware", firmware_of_every_board),
    ("generated crate on every board", firmware::generated_crate),
    ("firmware beside C", beside_c),
    ("control loop", firmware::control),
    ("libraries for C", || c::task(&[])),
    ("panics", || panics::task(&[])),
    ("size", weights),
    ("64-bit Arm", || aarch64::task(&[])),
    // The last one, so that its summary closes the output.
    ("desktop", desktop),
];

/// Run every test, and go on after a failure.
pub(crate) fn task(args: &[String]) -> Result<()> {
    if let Some(arg) = args.first() {
        return Err(format!("there is no option {arg}"));
    }
    // At the start, so that all that is missing is named in one line.
    install::ensure(&[
        &QEMU,
        &QEMU_RISCV,
        &BINUTILS,
        &GCC,
        &GCC_RISCV,
        &AARCH64,
        &CHROMIUM,
    ])?;
    let mut times = String::new();
    let result = for_all(&PARTS, |(name, part)| {
        println!("\n== {name}");
        let start = Instant::now();
        let result = part().map_err(|message| format!("{name}: {message}"));
        times += &format!("{:6.0} s  {name}\n", start.elapsed().as_secs_f64());
        result
    });
    println!("\n{times}");
    result?;
    println!("\n{}", summary());
    Ok(())
}

/// What closes the output where nothing failed.
fn summary() -> String {
    format!("All of {} parts passed.", PARTS.len())
}

/// The demo prints what the README shows, on the desk and on the board.
fn demo() -> Result<()> {
    let this = env::current_exe().map_err(|e| format!("this program: {e}"))?;
    let out = Run::new(this).arg("demo").shown_output()?;
    let readme = Page::read(root().join("README.md"));
    let sample = readme.beneath("cargo xtask demo")?;
    check_shown(&sample, &out.lines().collect::<Vec<_>>())
        .map_err(|message| format!("the sample in README.md: {message}"))
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
    for features in ["--no-default-features", "--all-features"] {
        Run::cargo()
            .args(["clippy", "--quiet", "--package", "fnn-embedded", features])
            .args(["--", "--deny", "warnings"])
            .run()?;
    }
    firmware::lints()
}

fn documentation() -> Result<()> {
    Run::cargo()
        .env("RUSTDOCFLAGS", "--deny warnings")
        .args(["doc", "--quiet", "--workspace", "--no-deps"])
        .run()
}

fn firmware_of_every_board() -> Result<()> {
    firmware::task(&[])
}

/// What the network in C is held to; the others take their time, and their code is in the budget.
fn weights() -> Result<()> {
    size::task(&["--network".to_owned(), DYNAMICS.name.to_owned()])
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TASKS, pages::pages};

    #[test]
    fn the_readme_shows_the_summary() {
        let readme = Page::read(root().join("README.md"));
        assert_eq!(readme.beneath("cargo xtask test"), Ok(vec![&*summary()]));
    }

    /// Every task that a page names, to be typed or in the text, with its options.
    #[test]
    fn the_pages_name_tasks_and_options_that_there_are() {
        let mut commands = Vec::new();
        for page in &pages(root()) {
            for block in page.blocks() {
                let lines = block.commands().into_iter().map(|c| c.line.to_owned());
                commands.extend(lines.map(|line| (page.path.clone(), line)));
            }
            let code = page.code().into_iter();
            commands.extend(code.map(|code| (page.path.clone(), code)));
        }
        let mut count = 0;
        for (page, line) in commands {
            let Some(line) = line.strip_prefix("cargo xtask ") else {
                continue;
            };
            let page = page.display();
            let mut words = line.split(' ');
            let name = words.next().unwrap_or_default();
            let task = TASKS.iter().find(|task| task.name == name);
            let task = task.unwrap_or_else(|| panic!("{page}: there is no task {name}"));
            let known: Vec<&str> = task.options.split([' ', '[', ']', ';']).collect();
            for option in words.filter(|word| word.starts_with("--")) {
                assert!(known.contains(&option), "{page}: {name} has no {option}");
            }
            count += 1;
        }
        assert!(count >= 25, "{count}");
    }
}
