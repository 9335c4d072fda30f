//! The Rust compiler that a library is made with: what is there, and the line that installs what is not.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::error::{Error, Result};

/// A compiler with what it needs for a target.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// What `rustc --version` says.
    pub(super) version: String,
    pub(super) target: String,
    pub(super) cpu: Option<String>,
    /// Whether the target is this machine, so that a shared library is of use.
    pub(super) is_host: bool,
}

/// Processors that are named where a target is wanted: the target, and the processor as `rustc` calls it.
const CORES: [(&str, &str, &str); 9] = [
    ("cortex-m0", "thumbv6m-none-eabi", "cortex-m0"),
    ("cortex-m0plus", "thumbv6m-none-eabi", "cortex-m0plus"),
    ("cortex-m3", "thumbv7m-none-eabi", "cortex-m3"),
    ("cortex-m4", "thumbv7em-none-eabihf", "cortex-m4"),
    ("cortex-m4f", "thumbv7em-none-eabihf", "cortex-m4"),
    ("cortex-m7", "thumbv7em-none-eabihf", "cortex-m7"),
    ("cortex-m33", "thumbv8m.main-none-eabihf", "cortex-m33"),
    ("cortex-m55", "thumbv8m.main-none-eabihf", "cortex-m55"),
    ("cortex-m85", "thumbv8m.main-none-eabihf", "cortex-m85"),
];

/// The minor release of Rust 1 that generated crates ask for.
fn oldest() -> u32 {
    minor(env!("CARGO_PKG_RUST_VERSION")).unwrap_or_default()
}

impl Toolchain {
    /// The compiler for this target, or for this machine.
    ///
    /// # Errors
    /// No compiler, or one that is too old; a target or a processor that it does not know, or a target
    /// that is not installed.
    pub(super) fn find(target: Option<&str>, cpu: Option<&str>) -> Result<Self> {
        let version = ask(&["--version"])?;
        let release = version.strip_prefix("rustc ").and_then(minor);
        if release < Some(oldest()) {
            return Err(Error::refused(format!(
                "found {version}, wanted rustc {} or later",
                env!("CARGO_PKG_RUST_VERSION")
            ))
            .with_help("rustup update stable"));
        }
        let host = ask(&["--print", "host-tuple"])?;
        let target = target.unwrap_or(&host).to_owned();
        let known = ask(&["--print", "target-list"])?;
        if !known.lines().any(|line| line == target) {
            let mut error = Error::refused(format!("rustc knows no target `{target}`"));
            if let Some((_, of, cpu)) = CORES.iter().find(|(core, ..)| *core == target) {
                let line = format!("a {target} is --target {of} --cpu {cpu}");
                return Err(error.with_help(line));
            }
            if let Some(near) = nearest(&target, known.lines()) {
                error = error.with_help(format!("there is `{near}`: --target {near}"));
            }
            return Err(error.with_help("rustc --print target-list"));
        }
        let sysroot = ask(&["--print", "sysroot"])?;
        let folder: PathBuf = [&sysroot, "lib", "rustlib", &target, "lib"]
            .iter()
            .collect();
        if !folder.is_dir() {
            return Err(Error::refused(format!(
                "the Rust compiler lacks the library of the target `{target}`"
            ))
            .with_help(format!("rustup target add {target}")));
        }
        if let Some(cpu) = cpu {
            let known = ask(&["--print", "target-cpus", "--target", &target])?;
            let mut names = known
                .lines()
                .filter_map(|line| line.split_whitespace().next());
            if cpu.starts_with('-') || !names.any(|name| name == cpu) {
                let names = known
                    .lines()
                    .skip(1)
                    .filter_map(|line| line.split_whitespace().next());
                let mut error =
                    Error::refused(format!("rustc knows no processor `{cpu}` of `{target}`"));
                if let Some(near) = nearest(cpu, names) {
                    error = error.with_help(format!("there is `{near}`: --cpu {near}"));
                }
                let list = format!("rustc --print target-cpus --target {target}");
                return Err(error.with_help(list));
            }
        }
        Ok(Self {
            is_host: target == host,
            version,
            target,
            cpu: cpu.map(str::to_owned),
        })
    }

    /// Whether the processor has a floating-point unit, as far as the names of the target and the processor
    /// tell.
    pub(super) fn has_float(&self) -> bool {
        let arch = self.target.split('-').next().unwrap_or_default();
        if arch.starts_with("thumb") && !self.target.ends_with("hf") {
            const WITHOUT: [&str; 6] = [
                "cortex-m0",
                "cortex-m0plus",
                "cortex-m1",
                "cortex-m3",
                "cortex-m23",
                "sc300",
            ];
            return self
                .cpu
                .as_deref()
                .is_some_and(|cpu| !WITHOUT.contains(&cpu));
        }
        match arch.strip_prefix("riscv32") {
            // The letters of the extensions: G stands for all of the general ones.
            Some(extensions) => extensions.contains(['f', 'd', 'g']),
            None => true,
        }
    }

    /// Whether the processor has the vectors of Helium.
    pub(super) fn has_helium(&self) -> bool {
        let cpu = self.cpu.as_deref();
        cpu.is_some_and(|cpu| ["cortex-m52", "cortex-m55", "cortex-m85"].contains(&cpu))
    }

    /// `cargo build --release` of the crate in `folder`, with what it makes in `built`. Its progress is
    /// shown on the terminal, and what it complains of in any case.
    pub(super) fn build(&self, folder: &Path, built: &Path, is_shown: bool) -> Result<()> {
        let mut cargo = Command::new("cargo");
        // Run where `fnn` is, so that the toolchain is the one that was asked, and mirrors of the registry that
        // are configured there count.
        cargo.args(["build", "--release", "--manifest-path"]);
        cargo.arg(folder.join("Cargo.toml"));
        if !is_shown {
            cargo.arg("--quiet");
        }
        cargo
            .args(["--target", &self.target])
            .arg("--target-dir")
            .arg(built);
        // Flags of the environment or of a configuration around are for other programs.
        let flags = self.cpu.as_ref().map(|cpu| format!("-Ctarget-cpu={cpu}"));
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.unwrap_or_default());
        cargo.env_remove("RUSTFLAGS");
        // Standard output is for results.
        cargo.stdout(std::process::Stdio::null());
        match cargo.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Error::refused(format!(
                "cargo ended with {status}: what it says stands above"
            ))),
            Err(error) => Err(missing("cargo", &error)),
        }
    }
}

/// What `rustc` answers, without the space around.
fn ask(arguments: &[&str]) -> Result<String> {
    let output = Command::new("rustc").args(arguments).output();
    let output = output.map_err(|e| missing("rustc", &e))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or_default();
        return Err(Error::refused(format!(
            "rustc {}: {said}",
            arguments.join(" ")
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn missing(program: &str, error: &std::io::Error) -> Error {
    Error::refused(format!(
        "a library is compiled with Rust {} or later, and {program} does not start: {error}",
        env!("CARGO_PKG_RUST_VERSION")
    ))
    .with_help("install rustup, with its stable toolchain: https://rustup.rs")
}

/// The 96 of `1.96.0 (…)`.
fn minor(version: &str) -> Option<u32> {
    let after = version.strip_prefix("1.")?;
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The name that is most like this one, if one is.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let near = names.map(|other| (strsim::jaro_winkler(name, other), other));
    let (likeness, other) = near.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness > 0.8).then_some(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_the_second_number() {
        assert_eq!(minor("1.96.0 (ac68faa20 2026-05-25)"), Some(96));
        assert_eq!(minor("1.95"), Some(95));
        assert_eq!(minor("2.0"), None);
    }

    #[test]
    fn a_floating_point_unit_shows_in_the_names() {
        let has = |target: &str, cpu: Option<&str>| {
            let version = String::new();
            let (target, cpu) = (target.to_owned(), cpu.map(str::to_owned));
            let is_host = false;
            Toolchain {
                version,
                target,
                cpu,
                is_host,
            }
            .has_float()
        };
        assert!(has("thumbv7em-none-eabihf", None));
        assert!(has("thumbv7em-none-eabi", Some("cortex-m4")));
        assert!(!has("thumbv7em-none-eabi", None));
        assert!(!has("thumbv6m-none-eabi", Some("cortex-m0plus")));
        assert!(has("riscv32imafc-unknown-none-elf", None));
        assert!(!has("riscv32imac-unknown-none-elf", None));
        assert!(has("x86_64-unknown-linux-gnu", None));
    }

    #[test]
    fn what_is_misspelt_is_guessed() {
        let names = [
            "thumbv6m-none-eabi",
            "thumbv7em-none-eabihf",
            "x86_64-unknown-linux-gnu",
        ];
        assert_eq!(
            nearest("thumbv7em-none-eabhf", names.into_iter()),
            Some(names[1])
        );
        assert_eq!(nearest("stm32", names.into_iter()), None);
    }
}
