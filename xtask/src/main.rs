//! The project's tasks, for people and for continuous integration: `cargo xtask` lists them.

mod aarch64;
mod accuracy;
mod bench;
mod budget;
mod c;
mod command;
mod conformance;
mod demo;
mod estimate;
mod firmware;
mod fuzz;
mod image;
mod install;
mod library;
mod mutations;
#[path = "../../fnn-std/tests/pages/mod.rs"]
mod pages;
mod panics;
mod published;
mod size;
mod test;

use std::{env, path::Path, process::ExitCode};

/// What a task returns: an error is a sentence for people.
type Result<T> = std::result::Result<T, String>;

/// A task: its name, what is typed after it, what it does, and the function.
struct Task {
    name: &'static str,
    options: &'static str,
    summary: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const TASKS: &[Task] = &[
    Task {
        name: "demo",
        options: demo::OPTIONS,
        summary: "the main job: a trained model's value and Jacobian at given inputs, on the desk and\n\
                  on an emulated board, bit by bit; with files, write them as .npy or .csv",
        run: demo::task,
    },
    Task {
        name: "test",
        options: "",
        summary: "all tests, those on the emulated board included",
        run: test::task,
    },
    Task {
        name: "bench",
        options: bench::OPTIONS,
        summary: "speed on the desk and instructions on the board, beside other ways to do it",
        run: bench::task,
    },
    Task {
        name: "accuracy",
        options: accuracy::OPTIONS,
        summary: "errors of the activations and their slopes in units of the last place;\n\
                  with --all, at every f32 there is",
        run: accuracy::task,
    },
    Task {
        name: "conformance",
        options: conformance::OPTIONS,
        summary: "models exported by other frameworks, read here and compared with onnxruntime; writes\n\
                  the table of what is supported, and with --record the cases that the tests keep",
        run: conformance::task,
    },
    Task {
        name: "published",
        options: "",
        summary: "networks that others published, installed, evaluated by their own code, and checked\n\
                  here, value and Jacobian; writes the table of them",
        run: published::task,
    },
    Task {
        name: "fuzz",
        options: fuzz::OPTIONS,
        summary: "the parsers of files on made-up bytes, 60 seconds each unless told",
        run: fuzz::task,
    },
    Task {
        name: "mutations",
        options: "",
        summary: "put faults into Jacobians and see which `fnn check` notices; writes the table of them",
        run: mutations::task,
    },
    Task {
        name: "firmware",
        options: firmware::OPTIONS,
        summary: "replay recorded evaluations on every emulated board or on one, count instructions, and\n\
                  compare with the budget, which --bless records anew;\n\
                  with --peer, count them beside the same network in C, by hand and by CasADi",
        run: firmware::task,
    },
    Task {
        name: "aarch64",
        options: "",
        summary: "fnn for 64-bit Arm (Raspberry Pi, Jetson), emulated: its results byte for byte, and the tests\n\
                  that hold the evaluator to networks that are compiled in",
        run: aarch64::task,
    },
    Task {
        name: "c",
        options: "",
        summary: "libraries for C, linked for real: from C, C++, Python and Fortran on the desk, in C firmware\n\
                  on emulated boards, bit by bit; what a call and an image in C cost beside Rust",
        run: c::task,
    },
    Task {
        name: "estimate",
        options: estimate::OPTIONS,
        summary: "count the networks from which `fnn inspect` estimates others, and renew its table",
        run: estimate::task,
    },
    Task {
        name: "size",
        options: firmware::IMAGE_OPTIONS,
        summary: "weigh the smallest image of each network: code, weights, memory, stack",
        run: size::task,
    },
    Task {
        name: "panics",
        options: firmware::IMAGE_OPTIONS,
        summary: "show that no call of a network can reach a panic",
        run: panics::task,
    },
    Task {
        name: "help",
        options: "",
        summary: "print this",
        run: help,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let Some((name, options)) = args.split_first() else {
        print_help();
        return ExitCode::SUCCESS;
    };
    let name = match name.as_str() {
        "--help" | "-h" => "help",
        name => name,
    };
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("error: there is no task `{name}`");
        eprintln!("help: `cargo xtask` lists the tasks");
        return ExitCode::from(2);
    };
    if options.iter().any(|o| o == "--help" || o == "-h") {
        print_task(task);
        return ExitCode::SUCCESS;
    }
    match (task.run)(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn help(_: &[String]) -> Result<()> {
    print_help();
    Ok(())
}

fn print_help() {
    println!("The project's tasks. Each prints the commands that it runs.\n");
    for task in TASKS {
        print_task(task);
    }
}

fn print_task(task: &Task) {
    println!("cargo xtask {} {}", task.name, task.options);
    for line in task.summary.lines() {
        println!("    {line}");
    }
}

/// The root of the workspace.
fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}
