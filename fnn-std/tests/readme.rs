//! What the pages of the project show is what comes out: each command of `fnn` is run as it is written
//! there. Those of `cargo xtask` are held by its own tests.

mod pages;
mod random;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use fnn_embedded::{Faults, Mode, Record};
use fnn_std::{Activation, Evaluator, Precision};
use pages::{Page, check_shown, pages};
use random::Random;
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folder of a reader: a model in the formats that the pages name, inputs, and what the framework
/// gave for them.
fn desk() -> TempDir {
    let desk = tempfile::tempdir().unwrap();
    let of = [Activation::Mish, Activation::Mish, Activation::Identity];
    let model = Random(3).model(&[3, 8, 8, 2], &of, Precision::F32);
    let metadata = [("activations", "mish,mish,identity")];
    let write = |name: &str, bytes: Vec<u8>| fs::write(desk.path().join(name), bytes).unwrap();
    write("policy.safetensors", random::safetensors(&model, &metadata));
    write("x.csv", b"0.5,-1,2\n1,2,3\n0.1,0.2,0.3\n".to_vec());
    let keras = "fnn-std/tests/data/keras/functional.keras";
    write("policy.keras", fs::read(root().join(keras)).unwrap());
    run(desk.path(), "convert policy.safetensors model.onnx");
    run(
        desk.path(),
        "eval policy.safetensors --input x.csv --output y.npy",
    );
    // A model that gives its inputs, since nothing here writes inputs as NumPy does.
    let same = r#"{"version": 1, "precision": "f32", "layers": [{"select": {"inputs": 3, "range": [0, 3]}}]}"#;
    write("same.json", same.into());
    run(desk.path(), "eval same.json --input x.csv --output x.npy");
    // A log of one step of a device that evaluates the model.
    let (input, mut value) = ([0.5, -1.0, 2.0], [0.0; 2]);
    let mut evaluator = Evaluator::<f32>::new(&model).unwrap();
    evaluator.value(&input, &mut value).unwrap();
    let record = Record {
        number: 0,
        hz: 1_000_000,
        begin: 0,
        took: 40,
        faults: Faults::NONE,
        mode: Mode::Running,
        is_evaluated: true,
        has_jacobian: false,
        digest: 0,
        input,
        value,
        command: value,
    };
    let mut buffer = [0; 128];
    let mut rest = &mut buffer[..];
    record.write_to(&mut rest).unwrap();
    let left = rest.len();
    write("device.log", buffer[..128 - left].to_vec());
    desk
}

/// What the program prints with these arguments, all being well.
#[track_caller]
fn run(folder: &Path, arguments: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fnn"));
    let command = command.args(arguments.split(' ').filter(|a| !a.is_empty()));
    let output = command.current_dir(folder).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "fnn {arguments}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// The arguments of `fnn` in a line of a page, where it names files: what stands for any file there is one
/// of the desk.
fn arguments_of(line: &str) -> Option<String> {
    let words: Vec<&str> = line.strip_prefix("fnn ")?.split(' ').collect();
    let words: Vec<&str> = words
        .into_iter()
        .map(|word| match word {
            "MODEL" => "policy.safetensors",
            "FILE" => "policy.rs",
            "LOG" => "device.log",
            "X.npy" => "x.npy",
            word => word,
        })
        .collect();
    let is_file = |word: &&str| Path::new(word).extension().is_some();
    words.iter().any(is_file).then(|| words.join(" "))
}

#[test]
fn every_command_of_the_pages_runs_and_shows_what_comes_out() {
    let desk = desk();
    let (mut typed, mut named) = (0, 0);
    for page in pages(root()) {
        let path = page.path.display();
        for block in page.blocks() {
            // `sh` is what trains the examples, which takes Python.
            if block.kind != "console" {
                continue;
            }
            for command in block.commands() {
                let line = command.line;
                if let Some(arguments) = arguments_of(line) {
                    let out = run(desk.path(), &arguments);
                    let out: Vec<&str> = out.lines().collect();
                    if !command.shown.is_empty() {
                        let result = check_shown(&command.shown, &out);
                        result.unwrap_or_else(|message| panic!("{path}: {line}: {message}"));
                    }
                    typed += 1;
                } else if line.starts_with("cc ") {
                    let mut shell = Command::new("sh");
                    let shell = shell.args(["-c", line]).current_dir(desk.path());
                    let output = shell.output().unwrap();
                    let [out, err] = [output.stdout, output.stderr]
                        .map(|bytes| String::from_utf8(bytes).unwrap());
                    assert!(output.status.success(), "{path}: {line}: {out}{err}");
                    let out: Vec<&str> = out.lines().collect();
                    check_shown(&command.shown, &out)
                        .unwrap_or_else(|message| panic!("{path}: {line}: {message}"));
                } else if line == "cd policy && cargo test" {
                    test_generated_crate(&desk.path().join("policy"));
                } else if let Some(folder) = line.strip_prefix("cargo install --path ") {
                    let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml"));
                    assert!(
                        manifest.unwrap().contains("[[bin]]\nname = \"fnn\""),
                        "{path}"
                    );
                } else {
                    assert!(
                        line.starts_with("cargo xtask "),
                        "{path}: {line} is not run"
                    );
                }
            }
        }
        for code in page.code() {
            if let Some(arguments) = arguments_of(&code) {
                run(desk.path(), &arguments);
                named += 1;
            }
        }
    }
    assert!(
        typed >= 6 && named >= 3,
        "{typed} commands, {named} in the text"
    );
    // They wrote what they are said to write.
    for file in [
        "policy.html",
        "policy.png",
        "y.npy",
        "j.npy",
        "policy.rs",
        "policy/src/lib.rs",
        "policy.json",
        "model.json",
    ] {
        assert!(desk.path().join(file).is_file(), "{file}");
    }
}

/// `cargo test` in the crate that was generated, with what its README and that of the project show of
/// firmware as two more tests.
fn test_generated_crate(folder: &Path) {
    let snippet = |page: PathBuf, first: &str| {
        let page = Page::read(page);
        let blocks = page.blocks();
        let mut blocks = blocks.iter().filter(|block| block.kind == "rust,ignore");
        let block = blocks.find(|block| block.lines[0] == first);
        block
            .unwrap_or_else(|| panic!("no block begins with {first}"))
            .lines
            .join("\n    ")
    };
    let write = |name: &str, before: &str, snippet: String| {
        let test = folder.join("tests").join(name);
        fs::create_dir_all(&test).unwrap();
        let text = format!(
            "#[test]\nfn runs() -> Result<(), fnn_core::Mismatch<f32>> {{\n    {before}\n    {snippet}\n    \
             assert!(y.value.iter().chain(y.jacobian.iter()).all(|y| y.is_finite()));\n    Ok(())\n}}\n"
        );
        fs::write(test.join("main.rs"), text).unwrap();
    };
    let own = "let mut workspace = policy::Workspace::new();";
    let x = "let x = policy::fnn_core::SVector::from([0.1, 0.2, 0.3]);";
    write("readme", x, snippet(folder.join("README.md"), own));
    write(
        "firmware",
        "",
        snippet(root().join("README.md"), "mod policy {"),
    );
    let module = folder.parent().unwrap().join("policy.rs");
    fs::copy(module, folder.join("tests/firmware/policy.rs")).unwrap();
    // The same versions of everything, so that nothing has to be fetched.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["test", "--offline"])
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("target"),
        )
        .env("RUSTFLAGS", "-Dwarnings")
        .current_dir(folder)
        .output()
        .unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
    assert!(output.status.success(), "{stdout}{stderr}");
    // Two of these, one of its documentation.
    let passed = stdout.matches("test result: ok. 1 passed").count();
    assert_eq!(passed, 3, "{stdout}");
}

/// What `cargo xtask demo` prints of the desk; `cargo xtask test` holds the rest.
#[test]
fn the_sample_of_the_demo_is_what_is_evaluated() {
    let readme = Page::read(root().join("README.md"));
    let lines = readme.beneath("cargo xtask demo").unwrap();
    let end = lines.iter().position(|line| line.is_empty()).unwrap();
    let files =
        "fnn-std/models/dynamics/dynamics.safetensors --input fnn-std/models/dynamics/inputs.npy";
    let out = run(root(), &format!("eval {files}"));
    let line = format!("$ cargo run --quiet --package fnn-std --bin fnn -- eval {files}");
    let out: Vec<&str> = [line.as_str()].into_iter().chain(out.lines()).collect();
    check_shown(&lines[1..end], &out).unwrap();
}

/// A wrong digit, a line too many, one too few.
#[test]
fn what_does_not_come_out_is_noticed() {
    let out = ["row 0", "y  1.2345", "z  -3.0", "more"];
    let lines = |text: &'static str| text.lines().collect::<Vec<_>>();
    for shown in [
        "row 0\ny  1.2345\nz  -3.0\nmore",
        "row 0\n…",
        "…\nmore",
        "row 0\n…\nz  -3.0\nmore",
        "row 0\ny  1. …\nz …3.0\nmore",
    ] {
        assert_eq!(check_shown(&lines(shown), &out), Ok(()), "{shown}");
    }
    for shown in [
        "row 0\ny  1.2346\nz  -3.0\nmore",
        "row 0\ny  1.2345\nz  -3.0",
        "row 0\ny  1.2345\nz  -3.0\nmore\nmore",
        "row 0\ny  1.2345\n…\nz  -3.0\nmore",
        "row 0\ny  1.23\n…",
        "row 0\ny  2. …\n…",
        "",
    ] {
        assert!(check_shown(&lines(shown), &out).is_err(), "{shown}");
    }
}
