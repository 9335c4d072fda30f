//! Writes the memory map of the board, copies the generated network and, if asked, compiles the C
//! of its peers.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
};

#[path = "board.rs"]
#[allow(dead_code, reason = "the firmware and xtask use the rest")]
mod board;

use board::{BOARDS, Board, DEFAULT};

fn main() {
    if let Err(message) = build() {
        println!("cargo::error={message}");
        process::exit(1);
    }
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=board.rs");

    println!("cargo::rerun-if-env-changed=FNN_BOARD");
    let name = env::var("FNN_BOARD").unwrap_or_else(|_| DEFAULT.to_owned());
    let number = BOARDS
        .iter()
        .position(|board| board.name == name)
        .ok_or_else(|| format!("FNN_BOARD={name}: no such board in board.rs"))?;
    let board = &BOARDS[number];
    write(&out.join("memory.x"), &memory_map(board))?;
    write(&out.join("board.rs"), &format!("&BOARDS[{number}]"))?;
    println!("cargo::rustc-check-cfg=cfg(casadi)");
    println!("cargo::rustc-link-search={}", out.display());
    if !board.is_arm() {
        println!("cargo::rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo::rustc-link-arg-bins=-Tlink.x");

    println!("cargo::rerun-if-env-changed=FNN_MODULE");
    let module = env::var("FNN_MODULE").map_err(|_| {
        "FNN_MODULE is not set: it names the network's module, \
         which `fnn generate MODEL --module FILE --input X.npy` writes"
    })?;
    println!("cargo::rerun-if-changed={module}");
    let text = fs::read_to_string(&module).map_err(|e| format!("FNN_MODULE={module}: {e}"))?;
    write(&out.join("network.rs"), &text)?;

    println!("cargo::rerun-if-env-changed=FNN_LIBGCC");
    if !board.float && board.is_arm() && env::var("FNN_LIBGCC").as_deref() != Ok("no") {
        link_libgcc(board, &out)?;
    }
    #[cfg(feature = "peer")]
    compile_peer(board)?;
    Ok(())
}

/// Arithmetic in software from gcc's library, which is in assembly, rather than from Rust's: the same bits
/// in a third fewer instructions on a Cortex-M3. It comes first where this crate names it, since Rust's own
/// library is the last of all.
///
/// Without the object that adds f64: that of gcc 12.2 for ARMv7-M does not always round to the nearest, and
/// Rust's does.
fn link_libgcc(board: &Board, out: &Path) -> Result<(), String> {
    let library = ask_gcc(board, "-print-libgcc-file-name")?;
    let copy = out.join("libarithmetic.a");
    fs::copy(&library, &copy).map_err(|e| format!("{}: {e}", library.display()))?;
    let sum = "_arm_addsubdf3.o";
    let ar = "arm-none-eabi-ar";
    let status = process::Command::new(ar)
        .arg("d")
        .arg(&copy)
        .arg(sum)
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("{ar} d {} {sum}: {status}", copy.display())),
        Err(error) => return Err(format!("{ar}: {error}")),
    }
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-lib=static:-bundle=arithmetic");
    Ok(())
}

/// The path that arm-none-eabi-gcc answers.
fn ask_gcc(board: &Board, question: &str) -> Result<PathBuf, String> {
    let gcc = "arm-none-eabi-gcc";
    let output = process::Command::new(gcc)
        .args(board.gcc_flags)
        .args(["-mthumb", question])
        .output()
        .map_err(|e| format!("{gcc}: {e}"))?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    match path.is_absolute() {
        true => Ok(path),
        // Of a file that it does not have, gcc repeats the name.
        false => Err(format!("{gcc} has no {} for this board", path.display())),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The regions that the linker scripts of `cortex-m-rt` and `riscv-rt` ask for.
fn memory_map(board: &Board) -> String {
    let regions = [
        ("TEXT", "FLASH"),
        ("RODATA", "FLASH"),
        ("DATA", "RAM"),
        ("BSS", "RAM"),
        ("HEAP", "RAM"),
        ("STACK", "RAM"),
    ];
    let aliases: String = regions
        .iter()
        .filter(|_| !board.is_arm())
        .map(|(alias, region)| format!("REGION_ALIAS(\"REGION_{alias}\", {region});\n"))
        .collect();
    let memory = format!(
        "MEMORY\n{{\n  FLASH : ORIGIN = {:#010x}, LENGTH = {:#x}\n  \
         RAM : ORIGIN = {:#010x}, LENGTH = {:#x}\n}}\n",
        board.flash.origin, board.flash.length, board.ram.origin, board.ram.length
    );
    memory + &aliases
}

/// Compile `peers/seed.c` and the C of FNN_CASADI, if it is set, for the board, and link newlib's
/// mathematics.
#[cfg(feature = "peer")]
fn compile_peer(board: &Board) -> Result<(), String> {
    println!("cargo::rerun-if-changed=peers/seed.c");
    let gcc = "arm-none-eabi-gcc";
    let compile = |name: &str, file: &str, flags: &[&str]| {
        cc::Build::new()
            .compiler(gcc)
            .file(file)
            // All flags are those written here, so that they can be read here.
            .no_default_flags(true)
            .warnings(false)
            .flags(board.gcc_flags)
            .flags(["-mthumb", "-O3", "-ffast-math", "-ffunction-sections"])
            .flags(flags)
            .try_compile(name)
            .map_err(|e| format!("{file}: {e}"))
    };
    let warnings = ["-Wall", "-Wextra"];
    compile("seed", "peers/seed.c", &warnings)?;
    let one = [&warnings[..], &["-DONE_EXPONENTIAL"]].concat();
    compile("seed_one", "peers/seed.c", &one)?;

    println!("cargo::rerun-if-env-changed=FNN_CASADI");
    if let Ok(file) = env::var("FNN_CASADI") {
        println!("cargo::rerun-if-changed={file}");
        println!("cargo::rustc-cfg=casadi");
        println!("cargo::rerun-if-changed=peers/tgmath.h");
        // As CasADi's documentation says for `casadi_real` other than double.
        let single = [
            "-Ipeers",
            "-include",
            "tgmath.h",
            "-fsingle-precision-constant",
        ];
        compile("casadi", &file, &single)?;
    }

    let library = ask_gcc(board, "-print-file-name=libm.a")?;
    let folder = library.parent().ok_or("newlib is in no folder")?;
    println!("cargo::rustc-link-search={}", folder.display());
    println!("cargo::rustc-link-lib=static=m");
    println!("cargo::rustc-link-lib=static=c");
    Ok(())
}
