//! Names in files that mean harm to a terminal, a page or a compiler: whatever prints them shows what
//! they are, on one line, and of a length that a person reads.

#![cfg(unix)]

use std::{
    fs,
    io::{Cursor, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use fnn_std::visible;
use safetensors::{Dtype, tensor::TensorView};
use serde_json::json;
use tempfile::TempDir;
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

/// Colours, a forged line, a direction, what a terminal stops at, a screen wiped in one character,
/// markup, markup behind the end of code in Markdown, what has no width.
const NAMES: [&str; 8] = [
    "\u{1b}[31mred\u{1b}[0m",
    "a\nerror: forged\r\nhelp: rm -r x",
    "\u{202e}gpj.exe",
    "\u{0}",
    "\u{9b}2J\u{85}\u{7f}",
    "<script>alert(1)</script>",
    "``</code><script>alert(2)</script>\u{2028}&amp;\"'",
    "\u{200b}\u{feff}\u{2066}\u{e0041}\u{ad}",
];

/// A folder in which the program runs.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Runs the program, makes sure that what it prints is safe, and returns whether all was well and
    /// what it printed.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fnn"));
        let output = command.args(arguments).current_dir(self.0.path()).output();
        let Output {
            status,
            stdout,
            stderr,
        } = output.unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert_safe(&stdout);
        assert_safe(&stderr);
        let begin = |word: &str| stderr.lines().filter(|l| l.starts_with(word)).count();
        let others: usize = ["help: ", "note: ", "wrote ", "next: "]
            .map(begin)
            .iter()
            .sum();
        let errors = begin("error: ");
        assert_eq!(errors + others, stderr.lines().count(), "{stderr}");
        let code = status.code().unwrap();
        // A check that fails has said so in its report.
        let has_failed = code != 0 && !stdout.ends_with("FAIL\n");
        assert_eq!(errors, usize::from(has_failed), "{stdout}{stderr}");
        (code == 0, stdout + &stderr)
    }

    /// What it prints where all is well.
    #[track_caller]
    fn runs(&self, arguments: &[&str]) -> String {
        let (is_well, text) = self.run(arguments);
        assert!(is_well, "{text}");
        text
    }

    /// What it prints where it fails.
    #[track_caller]
    fn fails(&self, arguments: &[&str]) -> String {
        let (is_well, text) = self.run(arguments);
        assert!(!is_well, "{text}");
        text
    }

    /// All that takes a model, with it; of one that is not read, what says so.
    fn every_command(&self, model: &str, options: &[&str]) {
        let with = |command: &str, others: &[&str]| {
            let arguments = [&[command, model], others, options].concat();
            self.run(&arguments).0
        };
        let is_read = with("inspect", &[]);
        with("eval", &["--input", "x.csv"]);
        with("generate", &["--crate", "policy"]);
        if !is_read {
            return;
        }
        with("inspect", &["--json"]);
        with(
            "check",
            &["--range", "-1:1", "--rows", "9", "--report", "r.html"],
        );
        for (kind, name) in [("path", "f.png"), ("jacobian", "f.svg")] {
            with("plot", &["--kind", kind, "--range", "-1:1", name]);
        }
        with("generate", &["--module", "m.rs"]);
        for name in ["to.json", "to.onnx", "to.safetensors"] {
            with("convert", &[name]);
        }
        let written = ["f.svg", "r.html", "to.json", "m.rs"];
        let of_crate = ["src/lib.rs", "src/network.rs", "Cargo.toml", "README.md"];
        let of_crate = of_crate.map(|name| format!("policy/{name}"));
        let written = written
            .into_iter()
            .chain(of_crate.iter().map(String::as_str));
        for name in written {
            self.is_safe(name);
        }
    }

    /// A file, if it was written, is text that is safe to print, and a page or a figure has no script.
    #[track_caller]
    fn is_safe(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.path(name)).ok()?;
        assert_safe(&text);
        if name.ends_with(".svg") || name.ends_with(".html") {
            assert!(!text.contains("<script"), "{name}");
        }
        Some(text)
    }
}

/// Nothing in a text moves the cursor, hides or turns around.
#[track_caller]
fn assert_safe(text: &str) {
    let is_hidden = |c: char| {
        let mark = matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}');
        mark || (c.is_control() && c != '\n')
    };
    let line = text.lines().find(|line| line.contains(is_hidden));
    assert_eq!(line, None);
}

/// A model with these names for inputs, outputs and layers.
fn model(names: &[&str]) -> serde_json::Value {
    let count = names.len();
    let weight: Vec<Vec<f64>> = (0..count)
        .map(|i| (0..count).map(|j| 0.1 * (i + 2 * j) as f64 - 0.5).collect())
        .collect();
    let layers = names
        .iter()
        .map(|name| json!({"dense": {"name": name, "weight": weight, "activation": "tanh"}}));
    json!({
        "version": 1, "precision": "f32", "inputs": names, "outputs": names, "notes": names,
        "layers": layers.collect::<Vec<_>>(),
    })
}

fn rows(count: usize) -> String {
    let row = |k: usize| (0..count).map(move |j| format!("0.{}", j + k));
    (1..4)
        .map(|k| row(k).collect::<Vec<_>>().join(",") + "\n")
        .collect()
}

/// In a file whose own name is no better.
#[test]
fn names_in_json_onnx_and_safetensors_are_safe_in_all_that_is_printed() {
    let desk = Desk::new();
    desk.write("x.csv", rows(NAMES.len()));
    let file = "\u{1b}[2J\nerror: \u{202e}<script>.json";
    desk.write(file, model(&NAMES).to_string());
    desk.every_command(file, &[]);
    let text = desk.runs(&["eval", file, "--input", "x.csv"]);
    assert!(text.contains(r"\u{1b}[31mred\u{1b}[0m  "), "{text}");
    let text = desk.runs(&["check", file, "--range", "-1:1", "--report", "r.html"]);
    assert!(text.contains("∂ "), "{text}");
    let page = desk.is_safe("r.html").unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains(r"<h1>\u{1b}[2J\nerror: \u{202e}&lt;script&gt;.json "));
    let lib = desk.is_safe("policy/src/lib.rs").unwrap();
    assert!(
        lib.contains("\n//! 0. `\\u{1b}[31mred\\u{1b}[0m`\n"),
        "{lib}"
    );
    let module = desk.is_safe("m.rs").unwrap();
    // Markdown ends this code at three backticks alone.
    let code = r#"``` ``</code><script>alert(2)</script>\u{2028}&amp;"' ```"#;
    assert!(module.contains(&format!("\n/// 6. {code}\n")), "{module}");

    // Programs are told the names themselves, and so are files.
    let json = desk.runs(&["inspect", file, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["input_names"], json!(NAMES));
    assert_eq!(json["file"], json!(file));
    for name in ["to.json", "to.onnx", "to.safetensors"] {
        let copy = format!("{file}{name}");
        fs::rename(desk.path(name), desk.path(&copy)).unwrap();
        let json = desk.runs(&["inspect", &copy, "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        if name != "to.safetensors" {
            assert_eq!(json["output_names"], json!(NAMES), "{name}");
        }
        desk.every_command(&copy, &[]);
    }
}

/// Names of inputs, tensors and nodes in ONNX files are replaced by others of as many bytes.
#[test]
fn names_in_an_onnx_graph_are_safe() {
    let case = "tests/data/onnx/like_PyTorch_MLP,_older_exporter/model.onnx";
    let bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(case)).unwrap();
    let desk = Desk::new();
    for (name, other) in [
        ("obs", "\u{1b}[H"),
        ("net.0.weight", "\u{202e}\n\u{1b}.weight"),
        ("/Flatten_output_0", "\u{9b}2J\nerror: forge"),
        ("/net/net.1/Sigmoid", "\u{2028}<script>\u{1b}[31m\u{7f}\r"),
        ("Gemm", "\u{1b}[2J"),
        ("Sigmoid", "\u{9b}\nerr:"),
        ("transB", "\u{202e}\u{1b}[m"),
    ] {
        assert_eq!(name.len(), other.len(), "{other:?}");
        let places = memchr::memmem::find_iter(&bytes, name).collect::<Vec<_>>();
        assert!(!places.is_empty(), "{name}");
        let mut bytes = bytes.clone();
        for place in places {
            bytes[place..][..name.len()].copy_from_slice(other.as_bytes());
        }
        desk.write("m.onnx", &bytes);
        let inspect = desk.run(&["inspect", "m.onnx", "--json"]).1;
        let json: serde_json::Value = serde_json::from_str(&inspect).unwrap_or_default();
        desk.write("x.csv", rows(json["inputs"].as_u64().unwrap_or(3) as usize));
        desk.every_command("m.onnx", &[]);
        desk.every_command("m.onnx", &["--output-name", other]);
    }
}

/// Keras's layers, of known kinds and others.
#[test]
fn names_in_keras_are_safe() {
    let bytes = fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/keras/functional.keras"
    ));
    let bytes = bytes.unwrap();
    let desk = Desk::new();
    desk.write("x.csv", rows(5));
    let replaced = |from: &str, to: &str| {
        let mut old = ZipArchive::new(Cursor::new(&bytes)).unwrap();
        let mut new = ZipWriter::new(Cursor::new(Vec::new()));
        for at in 0..old.len() {
            let mut entry = old.by_index(at).unwrap();
            let name = entry.name().unwrap().into_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            if name == "config.json" {
                let text = String::from_utf8(content).unwrap();
                let to = serde_json::to_string(to).unwrap();
                assert!(text.contains(&format!("\"{from}\"")), "{from}");
                content = text.replace(&format!("\"{from}\""), &to).into_bytes();
            }
            let options = SimpleFileOptions::default();
            new.start_file(name, options).unwrap();
            new.write_all(&content).unwrap();
        }
        new.finish().unwrap().into_inner()
    };
    for name in NAMES {
        // Names of inputs and layers; a class, an activation, and a type that nobody knows.
        for from in [
            "position",
            "gate",
            "Dense",
            "softmax",
            "float32",
            "Functional",
        ] {
            desk.write("m.keras", replaced(from, name));
            desk.every_command("m.keras", &[]);
        }
        desk.write("m.keras", replaced("position", name));
        let text = desk.runs(&["inspect", "m.keras"]);
        assert!(text.contains(&visible(name)), "{text}");
    }
}

#[test]
fn names_in_safetensors_npz_and_csv_are_safe() {
    let desk = Desk::new();
    desk.write("x.csv", rows(1));
    let number = 0.5_f32.to_le_bytes();
    let npy = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/npz/y.npy"));
    let npy = npy.unwrap();
    for name in NAMES {
        let tensors = |keys: [String; 2], metadata: [(&str, &str); 3]| {
            let view = |shape: &[usize]| TensorView::new(Dtype::F32, shape.to_vec(), &number);
            let [weight, bias] = keys;
            let views = [
                (weight, view(&[1, 1]).unwrap()),
                (bias, view(&[1]).unwrap()),
            ];
            let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
            safetensors::serialize(views, Some(metadata.into())).unwrap()
        };
        let keys = |before: &str, after: &str| {
            ["weight", "bias"].map(|part| format!("{before}{part}{after}"))
        };
        let known = [("activations", "tanh"), ("inputs", "x"), ("outputs", "y")];
        let odd = [("activations", name), ("inputs", name), ("outputs", name)];
        let named = [("activations", "tanh"), ("inputs", name), ("outputs", name)];
        for bytes in [
            tensors(keys(&format!("{name}."), ""), known),
            tensors(keys("0.", name), known),
            tensors([name.to_owned(), format!("{name}{name}")], known),
            tensors(keys("0.", ""), odd),
            tensors(keys("0.", ""), named),
        ] {
            desk.write("m.safetensors", &bytes);
            desk.every_command("m.safetensors", &[]);
        }

        let mut npz = ZipWriter::new(Cursor::new(Vec::new()));
        for key in [format!("{name}.0.weight.npy"), name.to_owned()] {
            npz.start_file(key, SimpleFileOptions::default()).unwrap();
            npz.write_all(&npy).unwrap();
        }
        desk.write("m.npz", npz.finish().unwrap().into_inner());
        desk.every_command("m.npz", &["--activations", "tanh"]);

        desk.write("m.json", model(&["a", "b"]).to_string());
        let quoted = name.replace('"', "\"\"");
        desk.write("named.csv", format!("\"{quoted}\",\"c{quoted}\"\n1,2\n"));
        desk.run(&["eval", "m.json", "--input", "named.csv"]);
        desk.write("text.csv", format!("a,b\n1,\"{quoted}\"\n"));
        desk.fails(&["eval", "m.json", "--input", "text.csv"]);
        desk.write("other.json", json!({"version": 1, name: name}).to_string());
        desk.fails(&["inspect", "other.json"]);
    }
}

/// What is typed may come from a script that took it from a file.
#[test]
fn arguments_are_safe() {
    let desk = Desk::new();
    desk.write("x.csv", rows(2));
    desk.write("m.json", model(&["a", "b"]).to_string());
    for name in NAMES.into_iter().filter(|name| !name.contains('\0')) {
        let option = format!("--{name}");
        let value = format!("--order={name}");
        let nowhere = format!("{name}/y.npy");
        for arguments in [
            &[name][..],
            &["eval", name, "--input", "x.csv"],
            &["eval", "m.json", "--input", name],
            &["eval", "m.json", "--input", "x.csv", "--output", &nowhere],
            &["eval", "m.json", "--input", "x.csv", &option],
            &["eval", "m.json", "--input", "x.csv", name],
            &["eval", "m.json", "--input", "x.csv", &value],
            &["eval", "m.json", "--input", "x.csv", "--precision", name],
            &["eval", "m.json", "--input", "x.csv", "--threads", name],
            &["eval", "m.json", "--input", "x.csv", "--activations", name],
            &["inspect", "m.json", "--output-name", name],
            &["check", "m.json", "--range", name],
            &["check", "m.json", "--input", "x.csv", "--output", name],
            &["plot", "m.json", "--kind", name, "f.svg"],
            &["plot", "m.json", "--kind", "path", "--range", "0:1", name],
            &["generate", "m.json", "--crate", name],
            &["generate", "m.json", "--crate", "c", "--fnn-core", name],
            &["convert", "m.json", name],
        ] {
            desk.fails(arguments);
        }
    }
}

/// A name of a megabyte fills no screen: in a table 60 characters, in a line a thousand.
#[test]
fn long_names_are_shortened() {
    let desk = Desk::new();
    desk.write("x.csv", rows(2));
    for letter in ["n", "\u{1b}", "é"] {
        let long = letter.repeat(1 << 20);
        let names = [format!("a{long}z"), format!("b{long}y")];
        desk.write(
            "m.json",
            model(&names.each_ref().map(|n| n.as_str())).to_string(),
        );
        for arguments in [
            &["eval", "m.json", "--input", "x.csv"][..],
            &["inspect", "m.json"],
            &[
                "check", "m.json", "--range", "-1:1", "--rows", "9", "--report", "r.html",
            ],
            &[
                "plot", "m.json", "--kind", "jacobian", "--range", "-1:1", "f.svg",
            ],
            &["generate", "m.json", "--module", "m.rs"],
            &["convert", "m.json", "to.onnx"],
        ] {
            let text = desk.runs(arguments);
            assert!(
                text.lines().all(|line| line.chars().count() <= 1010),
                "{arguments:?}"
            );
            assert!(text.len() < 30_000, "{arguments:?}");
        }
        // Constants of the module are for programs, and have the names of inputs and outputs whole.
        let whole = 2 * format!("{names:?}").len();
        for (name, most) in [
            ("r.html", 900_000),
            ("f.svg", 30_000),
            ("m.rs", 60_000 + whole),
        ] {
            let length = desk.is_safe(name).unwrap().len();
            assert!(length < most, "{name}: {length}, wanted less than {most}");
        }
        // The names are whole where they are what a column is called by.
        let json = desk.runs(&["inspect", "to.onnx", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["input_names"], json!(names));

        desk.write("other.csv", format!("{}x,{}\n1,2\n", names[0], names[1]));
        let text = desk.fails(&["eval", "m.json", "--input", "other.csv"]);
        assert!(text.contains('…') && text.chars().count() < 3000, "{text}");
        if letter != "\u{1b}" {
            assert!(text.starts_with("error: `other.csv`: found `"), "{text}");
        }
    }
}
