//! Libraries for C, as far as it takes no compiler of Rust: what a header makes of anyone's names, and what
//! is refused. `cargo xtask c` compiles, links and runs them.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use fnn_std::{Activation, Model, Precision, generate, model};
use serde_json::json;
use tempfile::TempDir;

/// Names that would end a comment, begin another, join lines, or be taken for a format, a word or a colour.
const NAMES: [&str; 14] = [
    "*/ int evil; /*",
    "/* nested",
    "??/",
    "ends in \\",
    "%s%n",
    "\"quoted\\\"",
    "temperature in \u{b0}C",
    "int",
    "class",
    "line\nbreak",
    "\u{202e}turned",
    "\u{1b}[31mred",
    "#define x",
    "??)\\\n1",
];

fn write(folder: &Path, name: &str, names: &[&str], units: &[&str]) {
    let n = names.len();
    let rows: Vec<Vec<f64>> = (0..n)
        .map(|i| (0..n).map(|j| if i == j { 0.5 } else { 0.0 }).collect())
        .collect();
    let text = json!({
        "version": 1,
        "precision": "f32",
        "inputs": names,
        "outputs": names,
        "input_units": units,
        "output_units": units,
        "input_ranges": vec![(-0.1, 1e-30); n],
        "output_ranges": vec![(-1e20, 0.3); n],
        "layers": [{"dense": {"weight": rows, "activation": "tanh"}}],
    });
    fs::write(folder.join(name), text.to_string()).unwrap();
}

fn fnn(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fnn"));
    command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// The header of these names is clean under all warnings in C and C++, and the constants are the names.
#[test]
fn names_of_any_kind_stay_names_in_c() {
    let folder = TempDir::new().unwrap();
    let units: Vec<&str> = NAMES.iter().rev().copied().collect();
    write(folder.path(), "m.json", &NAMES, &units);
    let output = fnn(folder.path(), &["generate", "m.json", "--crate", "odd"]);
    assert!(output.status.success(), "{}", text(output.stderr));
    let program = "#include <stdio.h>
#include \"odd.h\"

static const char *const names[] = odd_INPUT_NAMES;
static const char *const outputs[odd_OUTPUTS] = odd_OUTPUT_NAMES;
static const char *const units[odd_INPUTS] = odd_INPUT_UNITS;
static const float low[] = odd_INPUT_LOW, high[] = odd_OUTPUT_HIGH;

int main(void)
{
    int i;
    for (i = 0; i < odd_INPUTS; i++) {
        fwrite(names[i], 1, sizeof \"\", stdout);
        printf(\"%s%c%s%c%s%c%a %a%c\", names[i] + 1, 0, outputs[i], 0, units[i], 0, (double)low[i],
            (double)high[i], 0);
    }
    return 0;
}
";
    let c = folder.path().join("odd/c");
    fs::write(c.join("names.c"), program).unwrap();
    for compiler in [
        &["gcc", "-std=c99"][..],
        &["gcc", "-std=c17"],
        // Trigraphs count in these, and none may be left.
        &["gcc", "-std=c99", "-trigraphs", "-Wtrigraphs"],
        &["g++", "-std=c++11", "-x", "c++"],
        &["g++", "-std=c++20", "-x", "c++"],
    ] {
        let output = Command::new(compiler[0])
            .args(&compiler[1..])
            .args(["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"])
            .args(["names.c", "-o", "names"])
            .current_dir(&c)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{compiler:?}: {}",
            text(output.stderr)
        );
        let output = Command::new(c.join("names")).output().unwrap();
        let found = text(output.stdout);
        let mut found = found.split('\0');
        for (name, unit) in NAMES.iter().zip(&units) {
            assert_eq!(found.next(), Some(*name), "{compiler:?}");
            assert_eq!(found.next(), Some(*name));
            assert_eq!(found.next(), Some(*unit));
            let ends = found.next().unwrap();
            assert!(ends.starts_with("-0x1.99999ap-4 0x1.333334p-2"), "{ends}");
        }
    }
}

/// What is wrong is said in one line, with what to type, and nothing is written.
#[test]
fn what_is_refused_is_refused_with_a_way_out() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    write(path, "m.json", &["a", "b"], &["", "m"]);
    write(path, "m_r.json", &["a", "b"], &["", "m"]);
    write(path, "2nd.json", &["a", "b"], &["", "m"]);
    fs::create_dir(path.join("mine")).unwrap();
    fs::write(path.join("mine/README.md"), "mine").unwrap();
    let before = fs::read_dir(path).unwrap().count();
    let cases: [(&[&str], &str, &str); 12] = [
        (
            &["--library", "my-model"],
            "no C function can be called `my-model`",
            "--name my_model",
        ),
        (
            &["--library", "tanh"],
            "`tanh` is a word of C",
            "--name tanh_network",
        ),
        (&["--library", "p", "--name", "a b"], "`a b`", "--name a_b"),
        (
            &["--library", "mine"],
            "is no generated library",
            "name a folder that does not exist yet",
        ),
        (
            &["--library", "p", "--target", "thumbv7em-none-eabhf"],
            "rustc knows no target `thumbv7em-none-eabhf`",
            "--target thumbv7em-none-eabihf",
        ),
        (
            &["--library", "p", "--target", "avr-none"],
            "the Rust compiler lacks the library of the target `avr-none`",
            "rustup target add avr-none",
        ),
        (
            &["--library", "p", "--cpu", "cortex-m99"],
            "rustc knows no processor `cortex-m99`",
            "rustc --print",
        ),
        (
            &["--library", "p", "--columns", "3"],
            "found 3 columns of the Jacobian, wanted 1 to 2",
            "",
        ),
        (
            &["--library", "p", "--with", "isat", "--precision", "f32"],
            "ISAT calls its function in f64",
            "f64",
        ),
        (
            &["m_r.json", "--library", "p"],
            "would be called `m_r`",
            "copy a model",
        ),
        (
            &["2nd.json", "--library", "p"],
            "no C function can be called `2nd`",
            "`nd`",
        ),
        (
            &["--library", "p", "--records", "0"],
            "no records are asked for",
            "--module FILE",
        ),
    ];
    for (arguments, found, help) in cases {
        let output = fnn(path, &[&["generate", "m.json"], arguments].concat());
        let stderr = text(output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        let (first, rest) = stderr.split_once('\n').unwrap();
        assert!(
            first.starts_with("error: ") && first.contains(found),
            "{arguments:?}: {stderr}"
        );
        assert!(
            rest.lines().all(|line| line.starts_with("help: ")),
            "{stderr}"
        );
        assert!(rest.contains(help), "{arguments:?}: {stderr}");
        assert_eq!(fs::read_dir(path).unwrap().count(), before, "{arguments:?}");
    }
}

/// Without Rust's compiler a library cannot be made, and the way to it is named.
#[test]
fn a_compiler_that_is_not_there_is_named() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "m.json", &["a", "b"], &["", "m"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_fnn"));
    let command = command.args(["generate", "m.json", "--library", "p"]);
    let output = command
        .env("PATH", "")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let stderr = text(output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("rustc does not start") && stderr.contains("help: install rustup"),
        "{stderr}"
    );
    assert!(!folder.path().join("p").exists());
}

/// A crate's C functions are called as it is, or as is asked for.
#[test]
fn a_crate_has_the_header_of_its_functions() {
    let folder = TempDir::new().unwrap();
    let weight = model::Tensor {
        name: "w".to_owned(),
        shape: vec![1, 2],
        numbers: vec![0.5, -0.25],
    };
    let layer = model::Dense::new(weight, None, Activation::Tanh).unwrap();
    let model = Model::new(vec![layer], Precision::F64).unwrap();
    for (choice, wanted) in [(None, "my_model"), (Some("q"), "q")] {
        let library = generate::Library {
            name: choice.map(str::to_owned),
            isat: Some("usrfgh".to_owned()),
            ..Default::default()
        };
        let path = folder.path().join("my-model");
        let new = generate::Crate::new(generate::Module::new(&model)).library(library);
        new.write(&path).unwrap();
        let header = fs::read_to_string(path.join(format!("c/{wanted}.h"))).unwrap();
        for line in [
            format!("int {wanted}(const int need[2], const double *x, double *f, double *g);"),
            format!(
                "int {wanted}_vjp_r(const double *x, const double *w, double *f, double *c, double *workspace);"
            ),
            format!("#define {wanted}_INPUTS 2 /* numbers of x */"),
        ] {
            assert!(
                header.lines().any(|found| found == line),
                "{line}\n{header}"
            );
        }
        assert!(header.contains("\nint usrfgh_(int *need, int *nx, double *x, "));
    }
}
