//! Libraries for C, as an engineer links them: generated, compiled by gcc with all warnings, and run on the
//! desk and on emulated boards, where every bit must be that of the desk.
//!
//! The programs are in `fnn-embedded/c`; those that `fnn generate --library` writes beside each library are
//! compiled as its README says.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Result,
    command::{Run, for_all},
    firmware::{Board, Network, SPEED, Workshop, emulate, find_board, target_folder},
    image,
    install::{self, BINUTILS, GCC, GFORTRAN, HOST_GCC, HOST_GXX, PYTHON},
    root,
};

/// What each program is compiled with: a header with a warning would be one in its user's project.
const WARNINGS: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];

/// The most instructions that a call in C takes beside the call in Rust behind it.
const MOST_INSTRUCTIONS: u64 = 100;

/// The most bytes of code that the image in C has beside the one in Rust that does the same: what looks at
/// the pointers, and the loop that stores the Jacobian row by row, which LLVM unrolls.
const MOST_BYTES: u64 = 850;

const TIME_LIMIT: Duration = Duration::from_secs(120);

/// A part and its name.
type Part = (&'static str, fn(&Desk) -> Result<()>);

const PARTS: [Part; 9] = [
    ("C and C++ on the desk", on_the_desk),
    (
        "Python and C++ with the framework's file of inputs",
        with_files,
    ),
    ("Fortran, as ISAT calls it", isat),
    (
        "several models and other libraries in one program",
        together,
    ),
    ("Cortex-M4F, M3 and M0", on_boards),
    ("a crate that builds itself", by_hand),
    ("hard, softfp and soft", abis),
    ("what a call in C costs", cost),
    ("what an image in C weighs", size),
];

/// Run all parts, and go on after a failure.
pub(crate) fn task(args: &[String]) -> Result<()> {
    if let Some(arg) = args.first() {
        return Err(format!("there is no option {arg}"));
    }
    install::ensure(&[&GCC, &HOST_GCC, &HOST_GXX, &GFORTRAN, &BINUTILS, &PYTHON])?;
    let desk = Desk::new()?;
    for_all(&PARTS, |(name, part)| {
        println!("\n-- {name}");
        part(&desk).map_err(|message| format!("{name}: {message}"))
    })
}

/// The program `fnn`, compiled, and a folder for what it and the compilers make.
struct Desk {
    fnn: PathBuf,
    folder: PathBuf,
}

/// A generated library: its folder, and the name of the library and of its functions.
struct Library {
    folder: PathBuf,
    name: &'static str,
}

impl Library {
    fn archive(&self) -> PathBuf {
        self.folder.join(format!("lib{}.a", self.name))
    }

    fn test(&self) -> PathBuf {
        self.folder.join(format!("{}_test.c", self.name))
    }
}

/// The example models: name, file and inputs in fnn-std/models, number type in C, inputs and outputs.
struct Model {
    name: &'static str,
    file: &'static str,
    inputs: &'static str,
    scalar: &'static str,
    sizes: (usize, usize),
}

const DYNAMICS: Model = Model {
    name: "dynamics",
    file: "dynamics/dynamics.safetensors",
    inputs: "dynamics/inputs.npy",
    scalar: "float",
    sizes: (8, 6),
};

const IGNITION: Model = Model {
    name: "ignition",
    file: "ignition/ignition.safetensors",
    inputs: "ignition/inputs.npy",
    scalar: "double",
    sizes: (11, 9),
};

const EVERY: Model = Model {
    name: "every",
    file: "every/every.safetensors",
    inputs: "every/inputs.npy",
    scalar: "double",
    sizes: (3, 4),
};

impl Model {
    fn path(&self) -> PathBuf {
        root().join("fnn-std/models").join(self.file)
    }

    fn inputs(&self) -> PathBuf {
        root().join("fnn-std/models").join(self.inputs)
    }
}

fn programs() -> PathBuf {
    root().join("fnn-embedded/c")
}

impl Desk {
    fn new() -> Result<Self> {
        let build = ["build", "--quiet", "--release", "--package", "fnn-std"];
        Run::cargo().args(build).args(["--bin", "fnn"]).run()?;
        let folder = target_folder().join("c");
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Self {
            fnn: target_folder().join("release/fnn"),
            folder,
        })
    }

    fn fnn(&self) -> Run {
        // One folder for what Cargo builds, so that the dependencies are built once for each target.
        Run::new(&self.fnn).env("CARGO_TARGET_DIR", self.folder.join("cargo"))
    }

    /// A library of this model, in a folder of its own.
    fn library(&self, folder: &str, model: &Model, options: &[&str]) -> Result<Library> {
        let folder = self.folder.join(folder);
        self.fnn()
            .arg("generate")
            .arg(model.path())
            .arg("--library")
            .arg(&folder)
            .args(["--name", model.name, "--input"])
            .arg(model.inputs())
            .args(options)
            .run()?;
        Ok(Library {
            folder,
            name: model.name,
        })
    }

    /// Compile and link `sources` into a program, and return its path.
    fn link(
        &self,
        program: &str,
        compiler: &[&str],
        sources: &[&Path],
        libraries: &[&Library],
    ) -> Result<PathBuf> {
        let program = self.folder.join(program);
        let (name, flags) = compiler.split_first().unwrap_or((&"cc", &[]));
        let mut run = Run::new(name).args(flags).args(WARNINGS);
        for library in libraries {
            run = run.arg("-I").arg(&library.folder);
        }
        run = run.args(sources);
        if flags.contains(&"-x") {
            // What follows is no source in that language.
            run = run.args(["-x", "none"]);
        }
        run.args(libraries.iter().map(|library| library.archive()))
            .arg("-o")
            .arg(&program)
            .run()?;
        Ok(program)
    }
}

/// The generated test, compiled as C of three standards and as C++, with and without optimization of the
/// whole program.
fn on_the_desk(desk: &Desk) -> Result<()> {
    let library = desk.library("dynamics", &DYNAMICS, &[])?;
    let compilers: [&[&str]; 5] = [
        &["gcc", "-std=c99"],
        &["gcc", "-std=c11", "-O2", "-flto"],
        &["gcc", "-std=gnu17", "-O2", "-funsigned-char"],
        &["g++", "-std=c++11", "-x", "c++"],
        &["g++", "-std=c++20", "-O2", "-x", "c++"],
    ];
    for_all(&compilers, |compiler| {
        let program = desk.link("test", compiler, &[&library.test()], &[&library])?;
        says(
            &Run::new(program).shown_output()?,
            "dynamics: the bits of the desk",
        )
    })
}

/// Whether a program printed this line.
fn says(text: &str, line: &str) -> Result<()> {
    print!("{text}");
    match text.lines().any(|found| found == line) {
        true => Ok(()),
        false => Err(format!("the program did not print: {line}")),
    }
}

/// The files that `fnn eval` writes for a model: values and Jacobians at its inputs, and these in its format.
fn evaluated(desk: &Desk, model: &Model) -> Result<[PathBuf; 3]> {
    let file = |kind: &str| desk.folder.join(format!("{}_{kind}.npy", model.name));
    let files = [file("x"), file("y"), file("jacobian")];
    let [x, y, jacobian] = &files;
    fs::copy(model.inputs(), x).map_err(|e| format!("{}: {e}", x.display()))?;
    desk.fnn()
        .arg("eval")
        .arg(model.path())
        .arg("--input")
        .arg(x)
        .arg("--output")
        .arg(y)
        .arg("--jacobian")
        .arg(jacobian)
        .run()?;
    Ok(files)
}

/// Every input of a file, by the shared library from Python and by C++ on two threads.
fn with_files(desk: &Desk) -> Result<()> {
    for_all(&[DYNAMICS, IGNITION], |model| {
        let files = evaluated(desk, model)?;
        let library = desk.library(model.name, model, &[])?;
        let (inputs, outputs) = model.sizes;
        Run::new("python3")
            .arg(programs().join("call.py"))
            .arg(library.folder.join(format!("lib{}.so", library.name)))
            .args([
                model.name,
                model.scalar,
                &inputs.to_string(),
                &outputs.to_string(),
            ])
            .args(&files)
            .run()?;
        let defined = definitions(model);
        let mut compiler = vec!["g++", "-std=c++11", "-O2", "-pthread"];
        compiler.extend(defined.iter().map(String::as_str));
        let source = programs().join("call.cpp");
        let program = desk.link("call", &compiler, &[&source], &[&library])?;
        Run::new(program).args(&files).run()
    })
}

/// What the programs that serve any model are told of theirs.
fn definitions(model: &Model) -> [String; 3] {
    [
        format!("-DMODEL={}", model.name),
        format!("-DHEADER={}.h", model.name),
        format!("-DSCALAR={}", model.scalar),
    ]
}

/// The routine of the solver, under its usual name and under another one.
fn isat(desk: &Desk) -> Result<()> {
    let files = evaluated(desk, &IGNITION)?;
    let library = desk.library("isat", &IGNITION, &["--with", "isat"])?;
    let program = desk.folder.join("isat_f");
    let (inputs, outputs) = IGNITION.sizes;
    Run::new("gfortran")
        .args([
            "-cpp",
            "-std=f2018",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-Wno-unused-dummy-argument",
        ])
        .args([format!("-DINPUTS={inputs}"), format!("-DOUTPUTS={outputs}")])
        .arg(programs().join("isat.f90"))
        .arg(library.archive())
        .arg("-o")
        .arg(&program)
        .run()?;
    Run::new(program).args(&files).run()?;

    let other = desk.library("isat_other", &IGNITION, &["--with", "isat=my_chemistry"])?;
    let symbols = Run::new("nm").arg(other.archive()).output()?;
    for wanted in ["T my_chemistry", "T my_chemistry_"] {
        if !symbols.lines().any(|line| line.ends_with(wanted)) {
            return Err(format!("the library lacks: {wanted}"));
        }
    }
    Ok(())
}

/// Two libraries in one program, one library of two models, and a library beside one that another Rust
/// project made; each with and without optimization of the whole program.
fn together(desk: &Desk) -> Result<()> {
    let dynamics = desk.library("dynamics", &DYNAMICS, &[])?;
    let ignition = desk.library("ignition", &IGNITION, &[])?;
    let both = Library {
        folder: desk.folder.join("both"),
        name: "both",
    };
    desk.fnn()
        .arg("generate")
        .args([DYNAMICS.path(), IGNITION.path()])
        .arg("--library")
        .arg(&both.folder)
        .args([
            "--input".into(),
            DYNAMICS.inputs(),
            "--input".into(),
            IGNITION.inputs(),
        ])
        .run()?;
    let other = desk.folder.join("libother.a");
    Run::new("rustc")
        .args(["--edition", "2024", "--crate-type", "staticlib", "-O"])
        .arg(programs().join("other.rs"))
        .arg("-o")
        .arg(&other)
        .run()?;
    for_all(&[&["-O0"][..], &["-O2", "-flto"]], |flags| {
        let compiler = [&["gcc", "-std=c99", "-pthread"], *flags].concat();
        let two = programs().join("two.c");
        let program = desk.link("two", &compiler, &[&two], &[&dynamics, &ignition])?;
        Run::new(program).run()?;
        let program = desk.link("both_test", &compiler, &[&both.test()], &[&both])?;
        let text = Run::new(program).shown_output()?;
        says(&text, "dynamics: the bits of the desk")?;
        says(&text, "ignition: the bits of the desk")?;
        let (beside, other) = (programs().join("beside.c"), other.as_path());
        let program = desk.link("beside", &compiler, &[&beside, other], &[&dynamics])?;
        Run::new(program).run()
    })
}

/// A kind of microcontroller: the board that has it, the target and the processor of the library, and gcc's
/// choice of how floating-point numbers are passed.
struct Core {
    board: &'static str,
    target: &'static str,
    cpu: Option<&'static str>,
    float: &'static str,
}

const M4F: Core = Core {
    board: "mps2-an386",
    target: "thumbv7em-none-eabihf",
    cpu: None,
    float: "hard",
};

const M3: Core = Core {
    board: "mps2-an385",
    target: "thumbv7m-none-eabi",
    cpu: None,
    float: "soft",
};

const M0: Core = Core {
    board: "microbit",
    target: "thumbv6m-none-eabi",
    cpu: None,
    float: "soft",
};

/// The processor of the M4F, with arguments in its general registers.
const M4F_SOFTFP: Core = Core {
    target: "thumbv7em-none-eabi",
    cpu: Some("cortex-m4"),
    float: "softfp",
    ..M4F
};

/// The same without its floating-point unit.
const M4_SOFT: Core = Core {
    target: "thumbv7em-none-eabi",
    cpu: None,
    float: "soft",
    ..M4F
};

impl Core {
    fn board(&self) -> Result<&'static Board> {
        find_board(self.board)
    }

    /// A library of the model for it.
    fn library(&self, desk: &Desk, model: &Model, options: &[&str]) -> Result<Library> {
        // `fnn` names a target that is not installed, and installs none.
        install::compiler(self.target)?;
        let folder = format!("{}_{}_{}", model.name, self.target, self.float);
        let mut all = vec!["--target", self.target];
        if let Some(cpu) = self.cpu {
            all.extend(["--cpu", cpu]);
        }
        all.extend(options);
        desk.library(&folder, model, &all)
    }

    /// Compile and link a program for the board, with `more` flags; its start-up code and memory map are
    /// those of this project.
    fn link(
        &self,
        desk: &Desk,
        program: &str,
        source: &Path,
        libraries: &[&Library],
        more: &[&str],
    ) -> Result<PathBuf> {
        let board = self.board()?;
        let program = desk.folder.join(format!("{program}_{}.elf", self.board));
        let map = desk.folder.join(self.board);
        let text = format!(
            "MEMORY\n{{\n  FLASH (rx) : ORIGIN = {:#x}, LENGTH = {:#x}\n  RAM (rwx) : ORIGIN = {:#x}, \
             LENGTH = {:#x}\n}}\n",
            board.flash.origin, board.flash.length, board.ram.origin, board.ram.length
        );
        fs::create_dir_all(&map)
            .and_then(|()| fs::write(map.join("memory.ld"), text))
            .map_err(|e| format!("{}: {e}", map.display()))?;
        let float = format!("-mfloat-abi={}", self.float);
        // The processor as the generated README names it.
        let cpu = board.gcc_flags.first().unwrap_or(&"");
        let mut run = Run::new("arm-none-eabi-gcc")
            .args([cpu, "-mthumb", &float, "-O2", "-std=c99"])
            .args(WARNINGS)
            .args(["-ffunction-sections", "-fdata-sections"])
            .args(more);
        for library in libraries {
            run = run.arg("-I").arg(&library.folder);
        }
        run.arg(programs().join("start.c"))
            .arg(source)
            .args(libraries.iter().map(|library| library.archive()))
            .args([
                "-nostartfiles",
                "--specs=nano.specs",
                "--specs=rdimon.specs",
                "-Wl,--gc-sections",
            ])
            // newlib's objects in assembly do not say that they need no executable stack.
            .arg("-Wl,--no-warn-execstack")
            .arg("-L")
            .arg(map)
            .arg("-T")
            .arg(programs().join("sections.ld"))
            .arg("-o")
            .arg(&program)
            .captured()?;
        Ok(program)
    }
}

/// The generated test on each kind of microcontroller, and two models in one image.
fn on_boards(desk: &Desk) -> Result<()> {
    for_all(&[M4F, M3, M0], |core| {
        let board = core.board()?;
        install::ensure(&[install::emulator(board)])?;
        let library = core.library(desk, &DYNAMICS, &["--records", "4"])?;
        let program = core.link(desk, "test", &library.test(), &[&library], &[])?;
        emulate(board, &program, TIME_LIMIT)?.has("dynamics: the bits of the desk")
    })?;
    // Every activation in f64, by arithmetic in software.
    let every = M3.library(desk, &EVERY, &["--precision", "f64"])?;
    let program = M3.link(desk, "every", &every.test(), &[&every], &[])?;
    emulate(M3.board()?, &program, TIME_LIMIT)?.has("every: the bits of the desk")?;

    let board = M4F.board()?;
    let ignition = M4F.library(desk, &IGNITION, &["--records", "2"])?;
    let two = programs().join("two.c");
    // Both in f64, so that both bring the sum of it.
    let double = M4F.library(desk, &DYNAMICS, &["--records", "2", "--precision", "f64"])?;
    let program = M4F.link(desk, "two", &two, &[&double, &ignition], &[])?;
    emulate(board, &program, TIME_LIMIT)?.has("two libraries in one image: 0 failures")?;
    let dynamics = M4F.library(desk, &DYNAMICS, &["--records", "4"])?;
    for_all(&[&[][..], &["-flto"]], |flags| {
        let program = M4F.link(desk, "two", &two, &[&dynamics, &ignition], flags)?;
        emulate(board, &program, TIME_LIMIT)?.has("two libraries in one image: 0 failures")
    })
}

/// A generated crate whose feature `c` makes the library, by the line of its README.
fn by_hand(desk: &Desk) -> Result<()> {
    let folder = desk.folder.join("by_hand");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    // A workspace of its own, or Cargo would look for one around it and find this project's.
    let workspace = "[workspace]\nresolver = \"3\"\nmembers = [\"dynamics\"]\n";
    fs::write(folder.join("Cargo.toml"), workspace)
        .map_err(|e| format!("{}: {e}", folder.display()))?;
    let made = folder.join("dynamics");
    desk.fnn()
        .arg("generate")
        .arg(DYNAMICS.path())
        .arg("--crate")
        .arg(&made)
        .args(["--records", "4", "--input"])
        .arg(DYNAMICS.inputs())
        .run()?;
    let readme = made.join("README.md");
    let text = fs::read_to_string(&readme).map_err(|e| format!("{}: {e}", readme.display()))?;
    let line = text
        .split_once("cargo rustc ")
        .and_then(|(_, rest)| rest.split_once("```"));
    let (line, _) = line.ok_or("the README has no line for Cargo")?;
    let words = line
        .replace("\\\n", " ")
        .replace('\'', "")
        .replace("TARGET", M4F.target);
    install::compiler(M4F.target)?;
    Run::cargo()
        .arg("rustc")
        .args(words.split_whitespace())
        .args(["--quiet", "--package", "dynamics", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(desk.folder.join("cargo"))
        .run()?;
    // The header and the test lie in its folder `c`; the archive is named as Cargo names it.
    let library = Library {
        folder: made.join("c"),
        name: "dynamics",
    };
    let archive = desk
        .folder
        .join("cargo")
        .join(M4F.target)
        .join("release/libdynamics.a");
    fs::copy(&archive, library.archive()).map_err(|e| format!("{}: {e}", archive.display()))?;
    let program = M4F.link(desk, "by_hand", &library.test(), &[&library], &[])?;
    emulate(M4F.board()?, &program, TIME_LIMIT)?.has("dynamics: the bits of the desk")
}

/// The three ways to pass floating-point numbers: each works with its own, a mix of hard and another is
/// refused by the linker, and the one that is not is what the page of the library warns of.
fn abis(desk: &Desk) -> Result<()> {
    let board = M4F.board()?;
    let options = ["--records", "4"];
    let softfp = M4F_SOFTFP.library(desk, &DYNAMICS, &options)?;
    let soft = M4_SOFT.library(desk, &DYNAMICS, &options)?;
    let hard = M4F.library(desk, &DYNAMICS, &options)?;
    for (core, library) in [(&M4F_SOFTFP, &softfp), (&M4_SOFT, &soft), (&M4F, &hard)] {
        let program = core.link(desk, "abi", &library.test(), &[library], &[])?;
        emulate(board, &program, TIME_LIMIT)?.has("dynamics: the bits of the desk")?;
    }
    for (core, library) in [
        (&M4F_SOFTFP, &hard),
        (&M4_SOFT, &hard),
        (&M4F, &softfp),
        (&M4F, &soft),
    ] {
        println!("the next one must be refused:");
        match core.link(desk, "mixed", &library.test(), &[library], &[]) {
            // For that reason, and not since something else is amiss.
            Err(message) if message.contains("uses VFP register arguments") => {}
            Err(message) => return Err(message),
            Ok(_) => {
                let folder = library.folder.display();
                return Err(format!("{folder} links into an image of {}", core.float));
            }
        }
    }
    println!("the next one links, and must fault:");
    let program = M4_SOFT.link(desk, "trap", &softfp.test(), &[&softfp], &[])?;
    match emulate(board, &program, TIME_LIMIT) {
        Err(message) if message.contains("exit status: 3") => {}
        Err(message) => return Err(message),
        Ok(_) => return Err("a library that uses the unit ran with the unit off".to_owned()),
    }
    let page = softfp.folder.join("README.md");
    let page = fs::read_to_string(&page).map_err(|e| format!("{}: {e}", page.display()))?;
    match page.contains("faults where the unit is off") {
        true => Ok(()),
        false => Err("the page of the library does not warn of it".to_owned()),
    }
}

/// The module of the model that the firmware in Rust links, with the records of the library.
fn module(model: &Model) -> Result<Network> {
    Network::generate(model.name, &model.path(), &model.inputs(), None, &[""; 0])
}

/// Instructions and stack of each function beside the calls in Rust, compiled for the same processor.
fn cost(desk: &Desk) -> Result<()> {
    let board = M4F.board()?;
    let core = Core {
        cpu: Some(board.cpu),
        ..M4F
    };
    let workshop = Workshop::open(board, SPEED)?;
    let rust = workshop.replay(&module(&DYNAMICS)?)?;
    let library = core.library(desk, &DYNAMICS, &[])?;
    let defined = definitions(&DYNAMICS);
    // The first input of the records.
    let more = [
        format!("-DMEGAHERTZ={}", board.megahertz),
        "-DINPUT=0.1".to_owned(),
        "-std=gnu99".to_owned(),
    ];
    let more: Vec<_> = defined.iter().chain(&more).map(String::as_str).collect();
    let program = core.link(desk, "cost", &programs().join("cost.c"), &[&library], &more)?;
    let c = emulate(board, &program, TIME_LIMIT)?;
    println!(
        "\n{}, dynamics, instructions of one call",
        board.short_name()
    );
    println!("{:<16} {:>8} {:>8} {:>6}", "", "Rust", "C", "more");
    for (here, there) in [
        ("evaluate", "evaluate"),
        ("evaluate", "evaluate_col"),
        ("value", "value"),
    ] {
        let in_rust = rust.number(&format!("instructions of {here}"))?;
        let in_c = c.number(&format!("instructions of {there}"))?;
        let more = in_c as i64 - in_rust as i64;
        println!("{there:<16} {in_rust:>8} {in_c:>8} {more:>6}");
        if in_c > in_rust + MOST_INSTRUCTIONS {
            return Err(format!(
                "{there} takes {more} instructions beside the call in Rust"
            ));
        }
    }
    Ok(())
}

/// The code of an image in C beside the one in Rust that does the same, and their variables.
fn size(desk: &Desk) -> Result<()> {
    let board = M4F.board()?;
    let core = Core {
        cpu: Some(board.cpu),
        ..M4F
    };
    let workshop = Workshop::open(board, SPEED)?;
    let rust = workshop.image(&module(&DYNAMICS)?, "needed")?;
    let without = workshop.image(&module(&DYNAMICS)?, "without")?;
    let library = core.library(desk, &DYNAMICS, &[])?;
    let defined = definitions(&DYNAMICS);
    let defined: Vec<_> = defined.iter().map(String::as_str).collect();
    let link = |program: &str, more: &[&str]| {
        let flags = [&defined[..], &["-std=gnu99"], more].concat();
        core.link(
            desk,
            program,
            &programs().join("minimal.c"),
            &[&library],
            &flags,
        )
    };
    let (with, bare) = (link("minimal", &[])?, link("bare", &["-DWITHOUT"])?);
    let text = |image: &Path| image::section_bytes(image, &[".text"]);
    let ram = |image: &Path| image::section_bytes(image, &[".data", ".bss"]);
    let in_rust = text(&rust)?.saturating_sub(text(&without)?);
    let in_c = text(&with)?.saturating_sub(text(&bare)?);
    let variables = ram(&with)?.saturating_sub(ram(&bare)?);
    let workspace = workshop.replay(&module(&DYNAMICS)?)?.number("workspace")?;
    println!(
        "\n{}, dynamics, bytes that the network adds to an image",
        board.short_name()
    );
    println!("{:<24} {:>8} {:>8}", "", "Rust", "C");
    println!("{:<24} {in_rust:>8} {in_c:>8}", "code");
    println!("{:<24} {workspace:>8} {variables:>8}", "variables");
    if in_c > in_rust + MOST_BYTES {
        return Err(format!(
            "the image in C has {} bytes of code more",
            in_c - in_rust
        ));
    }
    // The linker rounds to words of eight bytes.
    if variables > workspace + 8 {
        return Err(format!(
            "{variables} bytes of variables, wanted the workspace, {workspace}"
        ));
    }
    Ok(())
}
