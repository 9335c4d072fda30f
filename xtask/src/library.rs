//! Libraries for C of the example models, and the C programs that link them for the emulated boards.
//!
//! The programs are in `fnn-embedded/c`. Each is compiled with the flags that the generated README says.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Result, budget,
    command::Run,
    firmware::{Board, Measured, Report, Setting, Workshop, board_folder, emulate, target_folder},
    image,
    install::{self, GCC, GCC_RISCV},
    root,
};

/// What each program is compiled with: a header with a warning would be one in its user's project.
pub(crate) const WARNINGS: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];

const TIME_LIMIT: Duration = Duration::from_secs(120);

/// An example model, as a program in C has to know it.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    /// The model and inputs, in fnn-std/models.
    file: &'static str,
    inputs: &'static str,
    /// The type of its numbers in C.
    pub(crate) scalar: &'static str,
    /// The numbers of its inputs and outputs.
    pub(crate) sizes: (usize, usize),
}

/// The model whose library is measured on every board.
pub(crate) const DYNAMICS: Model = Model {
    name: "dynamics",
    file: "dynamics/dynamics.safetensors",
    inputs: "dynamics/inputs.npy",
    scalar: "float",
    sizes: (8, 6),
};

pub(crate) const IGNITION: Model = Model {
    name: "ignition",
    file: "ignition/ignition.safetensors",
    inputs: "ignition/inputs.npy",
    scalar: "double",
    sizes: (11, 9),
};

pub(crate) const EVERY: Model = Model {
    name: "every",
    file: "every/every.safetensors",
    inputs: "every/inputs.npy",
    scalar: "double",
    sizes: (3, 4),
};

impl Model {
    pub(crate) fn path(&self) -> PathBuf {
        root().join("fnn-std/models").join(self.file)
    }

    pub(crate) fn inputs(&self) -> PathBuf {
        root().join("fnn-std/models").join(self.inputs)
    }

    /// What a program that serves any model is told of this one.
    pub(crate) fn definitions(&self) -> [String; 3] {
        [
            format!("-DMODEL={}", self.name),
            format!("-DHEADER={}.h", self.name),
            format!("-DSCALAR={}", self.scalar),
        ]
    }
}

/// A generated library: its folder, and the name of the library and of its functions.
pub(crate) struct Library {
    pub(crate) folder: PathBuf,
    pub(crate) name: &'static str,
}

impl Library {
    /// Generate a library of `model` in `folder`, compiled in `built`; [`build_fnn`] comes before.
    pub(crate) fn generate(
        model: &Model,
        folder: PathBuf,
        built: &Path,
        options: &[&str],
    ) -> Result<Self> {
        program()
            // One folder for what Cargo builds, so that the dependencies are built once for each target.
            .env("CARGO_TARGET_DIR", built)
            .arg("generate")
            .arg(model.path())
            .arg("--library")
            .arg(&folder)
            .args(["--name", model.name, "--input"])
            .arg(model.inputs())
            .args(options)
            .run()?;
        let name = model.name;
        Ok(Self { folder, name })
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.folder.join(format!("lib{}.a", self.name))
    }

    /// The generated program that tests it.
    pub(crate) fn test(&self) -> PathBuf {
        self.folder.join(format!("{}_test.c", self.name))
    }

    pub(crate) fn readme(&self) -> Result<String> {
        let path = self.folder.join("README.md");
        fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// The flags of the processor, as its README says them for make.
    pub(crate) fn flags(&self) -> Result<Vec<String>> {
        let readme = self.readme()?;
        let line = readme
            .lines()
            .find_map(|line| line.strip_prefix("LDFLAGS +="));
        let line = line.ok_or("the README of the library has no LDFLAGS")?;
        let words = line
            .split_whitespace()
            .filter(|word| word.starts_with("-m"));
        Ok(words.map(str::to_owned).collect())
    }
}

/// Compile the program `fnn`.
pub(crate) fn build_fnn() -> Result<()> {
    let build = ["build", "--quiet", "--package", "fnn-std"];
    Run::cargo().args(build).args(["--bin", "fnn"]).run()
}

/// The program `fnn` itself: what it builds must not go where Cargo would build the program.
pub(crate) fn program() -> Run {
    Run::new(target_folder().join("debug/fnn"))
}

/// The C compiler for a board.
fn compiler(board: &Board) -> &'static str {
    match board.is_arm() {
        true => "arm-none-eabi-gcc",
        false => "riscv64-unknown-elf-gcc",
    }
}

/// Compile and link a C program for the board. Start-up code and memory map of Arm's are those of this
/// project, with newlib; those of RISC-V come with picolibc.
pub(crate) fn link(
    board: &Board,
    flags: &[String],
    program: &Path,
    source: &Path,
    libraries: &[&Library],
    more: &[&str],
) -> Result<()> {
    install::ensure(&[if board.is_arm() { &GCC } else { &GCC_RISCV }])?;
    let mut run = Run::new(compiler(board))
        .args(flags)
        .args(["-O2", "-std=c99"])
        .args(WARNINGS)
        .args(["-ffunction-sections", "-fdata-sections"])
        .args(more);
    for library in libraries {
        run = run.arg("-I").arg(&library.folder);
    }
    let programs = root().join("fnn-embedded/c");
    if board.is_arm() {
        run = run.arg(programs.join("start.c"));
    }
    run = run
        .arg(source)
        .args(libraries.iter().map(|library| library.archive()))
        .arg("-Wl,--gc-sections");
    let (flash, ram) = (&board.flash, &board.ram);
    if board.is_arm() {
        let map = program.with_extension("map");
        write_map(board, &map)?;
        run = run
            .args([
                "-nostartfiles",
                "--specs=nano.specs",
                "--specs=rdimon.specs",
            ])
            // newlib's objects in assembly do not say that they need no executable stack.
            .arg("-Wl,--no-warn-execstack")
            .arg("-L")
            .arg(map)
            .arg("-T")
            .arg(programs.join("sections.ld"));
    } else {
        let places = [
            ("__flash", flash.origin),
            ("__flash_size", flash.length),
            ("__ram", ram.origin),
            ("__ram_size", ram.length),
        ];
        run = run
            .args([
                "--specs=picolibc.specs",
                "--oslib=semihost",
                "--crt0=hosted",
            ])
            .args(places.map(|(name, at)| format!("-Wl,--defsym={name}={at:#x}")));
    }
    run.arg("-o").arg(program).captured()
}

/// Write where the board's memories lie to `memory.ld` in a folder, as `sections.ld` includes it.
pub(crate) fn write_map(board: &Board, folder: &Path) -> Result<()> {
    let (flash, ram) = (&board.flash, &board.ram);
    let text = format!(
        "MEMORY\n{{\n  FLASH (rx) : ORIGIN = {:#x}, LENGTH = {:#x}\n  RAM (rwx) : ORIGIN = {:#x}, \
         LENGTH = {:#x}\n}}\n",
        flash.origin, flash.length, ram.origin, ram.length
    );
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(folder.join("memory.ld"), text))
        .map_err(|e| format!("{}: {e}", folder.display()))
}

/// Run a program in C on the board.
pub(crate) fn run(board: &Board, program: &Path) -> Result<Report> {
    emulate(board, program, TIME_LIMIT)
}

/// A library for a board, and the images in C that weigh and count it.
pub(crate) struct InC {
    /// What `cost.c` reports: instructions and stack of every call.
    pub(crate) report: Report,
    /// An image that evaluates and does nothing else, and the same without the evaluation.
    pub(crate) minimal: PathBuf,
    pub(crate) bare: PathBuf,
}

/// The calls of the interface whose stack `cost.c` measures.
const CALLS: [&str; 8] = [
    "evaluate",
    "evaluate_col",
    "value by need",
    "value",
    "columns",
    "jvp",
    "vjp",
    "self_test",
];

impl InC {
    /// Generate the library of [`DYNAMICS`], test it on the board, and count.
    pub(crate) fn measure(board: &Board, setting: Setting) -> Result<Self> {
        let model = &DYNAMICS;
        let folder = board_folder(board, setting).join("c");
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let options = [
            "--target",
            board.target,
            "--cpu",
            board.cpu,
            "--optimize",
            setting.name,
        ];
        let library = Library::generate(
            model,
            folder.join(model.name),
            &folder.join("cargo"),
            &options,
        )?;
        let flags = library.flags()?;
        let image = |program: &str, source: &Path, more: &[&str]| {
            let program = folder.join(program).with_extension("elf");
            link(board, &flags, &program, source, &[&library], more).map(|()| program)
        };
        let test = image("test", &library.test(), &[])?;
        run(board, &test)?.has(&format!("{}: the bits of the desk", model.name))?;

        let mut defined = model.definitions().to_vec();
        defined.push(format!("-DMEGAHERTZ={}", board.megahertz));
        // At the first input of the records, as the firmware in Rust.
        defined.push("-DINPUT=0.1".to_owned());
        // For the inline assembly.
        defined.push("-std=gnu99".to_owned());
        let defined: Vec<_> = defined.iter().map(String::as_str).collect();
        let programs = root().join("fnn-embedded/c");
        let cost = image("cost", &programs.join("cost.c"), &defined)?;
        let minimal = programs.join("minimal.c");
        let bare = [&defined[..], &["-DWITHOUT"]].concat();
        Ok(Self {
            report: run(board, &cost)?,
            minimal: image("minimal", &minimal, &defined)?,
            bare: image("bare", &minimal, &bare)?,
        })
    }
}

/// What the library of the example costs on the workshop's board, as a line of the table of networks and a
/// row of the budget.
pub(crate) fn measure(workshop: &Workshop) -> Result<(String, budget::Row)> {
    let (board, setting) = (workshop.board, workshop.setting);
    let name = format!("{}.c", DYNAMICS.name);
    let c = InC::measure(board, setting).map_err(|message| format!("{name}: {message}"))?;
    let stacks = CALLS
        .iter()
        .map(|call| c.report.number(&format!("stack of {call}")))
        .collect::<Result<Vec<_>>>()?;
    let row = budget::Row {
        board: board.name.to_owned(),
        network: name,
        value: c.report.number("instructions of value")?,
        evaluate: c.report.number("instructions of evaluate")?,
        code: image::code(&c.minimal)?,
        stack: stacks.into_iter().max().unwrap_or(0),
    };
    let records = c.report.number("records")?;
    let measured = Measured {
        scalar: "f32",
        records,
        equal: records,
        ram: image::ram(&c.minimal)?,
        stack: c.report.number("stack of evaluate")?,
        workspace: c.report.number("workspace")?,
    };
    Ok((measured.line(board, &row), row))
}
