//! Libraries for C, as an engineer links them: generated, compiled by gcc with all warnings, and run on the
//! desk and on an emulated board, where every bit must be that of the desk.
//!
//! The programs are in `fnn-embedded/c`; those that `fnn generate --library` writes beside each library are
//! compiled as its README says.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Result,
    command::{Run, for_all},
    firmware::{Report, first_board, target_folder},
    install::{self, BINUTILS, GCC, GFORTRAN, HOST_GCC, HOST_GXX, MAKE, PYTHON},
    library::{self, DYNAMICS, EVERY, IGNITION, Library, Model, WARNINGS},
    root,
};

/// A part and its name.
type Part = (&'static str, fn(&Desk) -> Result<()>);

const PARTS: [Part; 8] = [
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
    ("several models in one image of a board", on_boards),
    ("make and CMake", build_systems),
    ("a crate that builds itself", by_hand),
    ("hard, softfp and soft", abis),
];

/// Run all parts, and go on after a failure.
pub(crate) fn task(args: &[String]) -> Result<()> {
    if let Some(arg) = args.first() {
        return Err(format!("there is no option {arg}"));
    }
    install::ensure(&[
        &GCC, &HOST_GCC, &HOST_GXX, &GFORTRAN, &BINUTILS, &PYTHON, &MAKE,
    ])?;
    let desk = Desk::new()?;
    for_all(&PARTS, |(name, part)| {
        println!("\n-- {name}");
        part(&desk).map_err(|message| format!("{name}: {message}"))
    })
}

/// A folder for what `fnn` and the compilers make.
struct Desk {
    folder: PathBuf,
}

fn programs() -> PathBuf {
    root().join("fnn-embedded/c")
}

impl Desk {
    fn new() -> Result<Self> {
        library::build_fnn()?;
        let folder = target_folder().join("c");
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Self { folder })
    }

    fn fnn(&self) -> Run {
        library::program().env("CARGO_TARGET_DIR", self.built())
    }

    /// Where Cargo builds the libraries.
    fn built(&self) -> PathBuf {
        self.folder.join("cargo")
    }

    /// A library of this model, in a folder of its own.
    fn library(&self, folder: &str, model: &Model, options: &[&str]) -> Result<Library> {
        Library::generate(model, self.folder.join(folder), &self.built(), options)
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
        let defined = model.definitions();
        let mut compiler = vec!["g++", "-std=c++11", "-O2", "-pthread"];
        compiler.extend(defined.iter().map(String::as_str));
        let source = programs().join("call.cpp");
        let program = desk.link("call", &compiler, &[&source], &[&library])?;
        Run::new(program).args(&files).run()
    })
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

/// A target and a processor of the library, for the processor of the default board: how floating-point
/// numbers are computed and passed follows from them.
struct Core {
    target: &'static str,
    cpu: Option<&'static str>,
}

/// With arguments in floating-point registers.
const HARD: Core = Core {
    target: "thumbv7em-none-eabihf",
    cpu: None,
};

/// With arguments in general registers.
const SOFTFP: Core = Core {
    target: "thumbv7em-none-eabi",
    cpu: Some("cortex-m4"),
};

/// Without the floating-point unit.
const SOFT: Core = Core {
    target: "thumbv7em-none-eabi",
    cpu: None,
};

impl Core {
    /// A library of the model for it.
    fn library(&self, desk: &Desk, model: &Model, options: &[&str]) -> Result<Library> {
        let cpu = self.cpu.unwrap_or("any");
        let folder = format!("{}_{}_{cpu}", model.name, self.target);
        self.library_in(desk, &folder, model, options)
    }

    /// The same in a folder of this name.
    fn library_in(
        &self,
        desk: &Desk,
        folder: &str,
        model: &Model,
        options: &[&str],
    ) -> Result<Library> {
        // `fnn` names a target that is not installed, and installs none.
        install::compiler(self.target)?;
        let mut all = vec!["--target", self.target];
        if let Some(cpu) = self.cpu {
            all.extend(["--cpu", cpu]);
        }
        all.extend(options);
        desk.library(folder, model, &all)
    }
}

/// Compile and link a program for the default board, and run it there.
fn on_board(
    desk: &Desk,
    program: &str,
    source: &Path,
    libraries: &[&Library],
    more: &[&str],
) -> Result<Report> {
    let board = first_board();
    let program = desk.folder.join(program).with_extension("elf");
    let flags = match libraries {
        [first, ..] => first.flags()?,
        [] => Vec::new(),
    };
    library::link(board, &flags, &program, source, libraries, more)?;
    library::run(board, &program)
}

/// Two models in one image. What one costs on every board is in `cargo xtask firmware`.
fn on_boards(desk: &Desk) -> Result<()> {
    // Every activation in f64, by arithmetic in software.
    let every = HARD.library(desk, &EVERY, &["--precision", "f64"])?;
    on_board(desk, "every", &every.test(), &[&every], &[])?.has("every: the bits of the desk")?;

    let ignition = HARD.library(desk, &IGNITION, &["--records", "2"])?;
    let two = programs().join("two.c");
    // Both in f64, so that both bring the sum of it.
    let double = HARD.library(desk, &DYNAMICS, &["--records", "2", "--precision", "f64"])?;
    const EQUAL: &str = "two libraries in one image: 0 failures";
    on_board(desk, "two", &two, &[&double, &ignition], &[])?.has(EQUAL)?;
    let dynamics = HARD.library(desk, &DYNAMICS, &["--records", "4"])?;
    for_all(&[&[][..], &["-flto"]], |flags| {
        on_board(desk, "two", &two, &[&dynamics, &ignition], flags)?.has(EQUAL)
    })
}

/// Firmware for the default board, built by make and by CMake with the lines of the library's README and what
/// every project for the board has.
fn build_systems(desk: &Desk) -> Result<()> {
    let folder = desk.folder.join("build");
    let board = first_board();
    library::write_map(board, &folder)?;
    let library = HARD.library_in(desk, "build/dynamics", &DYNAMICS, &["--records", "4"])?;
    let readme = library.readme()?;
    let snippet = |kind: &str| {
        let start = readme.split_once(&format!("```{kind}\n"));
        let block = start.and_then(|(_, rest)| rest.split_once("```"));
        block
            .map(|(block, _)| block)
            .ok_or_else(|| format!("the README has no lines for {kind}"))
    };
    let c = programs();
    let (start, sections) = (c.join("start.c"), c.join("sections.ld"));
    let (start, sections, here) = (start.display(), sections.display(), folder.display());
    let options = "-nostartfiles --specs=nano.specs --specs=rdimon.specs -Wl,--no-warn-execstack";
    let make = format!(
        "CC = arm-none-eabi-gcc\n{}\nmade.elf: {start} dynamics/dynamics_test.c\n\
         \t$(CC) $(CFLAGS) $^ $(LDLIBS) $(LDFLAGS) {options} -T {sections} -L . -o $@\n",
        snippet("make")?
    );
    let cmake = format!(
        "cmake_minimum_required(VERSION 3.13)\nset(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\n\
         project(firmware C)\nadd_executable(firmware {start} dynamics/dynamics_test.c)\n\
         target_link_options(firmware PRIVATE {options} -T {sections} -L {here})\n{}",
        snippet("cmake")?.replace("YOUR_TARGET", "firmware")
    );
    for (file, text) in [("Makefile", make), ("CMakeLists.txt", cmake)] {
        fs::write(folder.join(file), text).map_err(|e| format!("{here}/{file}: {e}"))?;
    }
    Run::new("make")
        .args(["--always-make", "--directory"])
        .arg(&folder)
        .run()?;
    Run::new("cmake")
        .args([
            "-DCMAKE_SYSTEM_NAME=Generic",
            "-DCMAKE_C_COMPILER=arm-none-eabi-gcc",
            "-S",
        ])
        .arg(&folder)
        .arg("-B")
        .arg(folder.join("cmake"))
        .run()?;
    Run::new("cmake")
        .arg("--build")
        .arg(folder.join("cmake"))
        .run()?;
    for program in ["made.elf", "cmake/firmware"] {
        library::run(board, &folder.join(program))?.has("dynamics: the bits of the desk")?;
    }
    Ok(())
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
        .replace("TARGET", HARD.target);
    install::compiler(HARD.target)?;
    Run::cargo()
        .arg("rustc")
        .args(words.split_whitespace())
        .args(["--quiet", "--package", "dynamics", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(desk.built())
        .run()?;
    // The header and the test lie in its folder `c`; the archive is named as Cargo names it.
    let library = Library {
        folder: made.join("c"),
        name: "dynamics",
    };
    let archive = desk.built().join(HARD.target).join("release/libdynamics.a");
    fs::copy(&archive, library.archive()).map_err(|e| format!("{}: {e}", archive.display()))?;
    let board = first_board();
    let program = desk.folder.join("by_hand.elf");
    let flags = HARD
        .library(desk, &DYNAMICS, &["--records", "4"])?
        .flags()?;
    library::link(board, &flags, &program, &library.test(), &[&library], &[])?;
    library::run(board, &program)?.has("dynamics: the bits of the desk")
}

/// The three ways to pass floating-point numbers: each works with its own, a mix of hard and another is
/// refused by the linker, and the one that is not is what the page of the library warns of.
fn abis(desk: &Desk) -> Result<()> {
    let options = ["--records", "4"];
    let hard = HARD.library(desk, &DYNAMICS, &options)?;
    let softfp = SOFTFP.library(desk, &DYNAMICS, &options)?;
    let soft = SOFT.library(desk, &DYNAMICS, &options)?;
    for (library, abi) in [(&hard, "hard"), (&softfp, "softfp"), (&soft, "soft")] {
        if !library.flags()?.contains(&format!("-mfloat-abi={abi}")) {
            return Err(format!("the page of the library does not say {abi}"));
        }
        on_board(desk, "abi", &library.test(), &[library], &[])?
            .has("dynamics: the bits of the desk")?;
    }
    // A program compiled as one library says, linked with another one.
    let mixed = |program: &str, of: &Library, with: &Library| {
        let program = desk.folder.join(program).with_extension("elf");
        let source = with.test();
        library::link(first_board(), &of.flags()?, &program, &source, &[with], &[])
            .map(|()| program)
    };
    for (of, with) in [
        (&softfp, &hard),
        (&soft, &hard),
        (&hard, &softfp),
        (&hard, &soft),
    ] {
        println!("the next one must be refused:");
        match mixed("mixed", of, with) {
            // For that reason, and not since something else is amiss.
            Err(message) if message.contains("uses VFP register arguments") => {}
            Err(message) => return Err(message),
            Ok(_) => {
                let (of, with) = (of.folder.display(), with.folder.display());
                return Err(format!("a program for {of} links with {with}"));
            }
        }
    }
    println!("the next one links, and must fault:");
    let program = mixed("trap", &soft, &softfp)?;
    match library::run(first_board(), &program) {
        Err(message) if message.contains("exit status: 3") => {}
        Err(message) => return Err(message),
        Ok(_) => return Err("a library that uses the unit ran with the unit off".to_owned()),
    }
    match softfp.readme()?.contains("faults where the unit is off") {
        true => Ok(()),
        false => Err("the page of the library does not warn of it".to_owned()),
    }
}
