//! The program `fnn`: what it prints, what it writes, and how it says no.

mod random;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use fnn_std::{Activation, Evaluator, Model, Precision, Rows};
use random::Random;
use tempfile::TempDir;

/// A folder with a model of 3 inputs and 2 outputs and inputs for it, to run the program in.
struct Desk {
    folder: TempDir,
    model: Model,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let of = [
            Activation::Mish,
            Activation::LeakyRelu(0.1),
            Activation::Identity,
        ];
        let model = Random(11).model(&[3, 9, 5, 2], &of, Precision::F32);
        let list = random::activations(&model);
        let metadata = [
            ("activations", &*list),
            ("inputs", "a,b,c"),
            ("outputs", "y,z"),
        ];
        let desk = Self { folder, model };
        desk.write("m.safetensors", random::safetensors(&desk.model, &metadata));
        desk.write("bare.safetensors", random::safetensors(&desk.model, &[]));
        desk.write("x.csv", "a,b,c\n0.5,-1,2\n1,2,3\n");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Runs the program with these arguments, separated by spaces.
    fn run(&self, arguments: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_fnn"))
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    /// What it prints when all is well.
    #[track_caller]
    fn runs(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        // What was written is said on standard error, each file in a line, then what to type next.
        let mut lines = stderr.lines().peekable();
        while lines.next_if(|line| line.starts_with("wrote ")).is_some() {}
        lines.next_if(|line| line.starts_with("next: "));
        assert_eq!(lines.next(), None, "{stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The lines of an error, which leaves no file behind.
    #[track_caller]
    fn fails(&self, arguments: &str) -> Vec<String> {
        let before = self.files();
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        assert_eq!(self.files(), before);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<_> = stderr.lines().map(str::to_owned).collect();
        assert!(lines[0].starts_with("error: "), "{stderr}");
        assert!(
            lines[1..].iter().all(|line| line.starts_with("help: ")),
            "{stderr}"
        );
        lines
    }
}

/// The shape in the header of a `.npy` file, its type, and its numbers.
fn npy(path: &Path) -> (String, String, Vec<f64>) {
    let bytes = fs::read(path).unwrap();
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8(bytes[10..end].to_vec()).unwrap();
    let between = |a: &str, b: &str| {
        let rest = header.split_once(a).unwrap().1;
        rest.split_once(b).unwrap().0.to_owned()
    };
    let numbers = match between("'descr': '", "'").as_str() {
        "<f4" => {
            let numbers = bytes[end..].as_chunks().0.iter();
            numbers.map(|&b| f32::from_le_bytes(b).into()).collect()
        }
        _ => bytes[end..]
            .as_chunks()
            .0
            .iter()
            .map(|&b| f64::from_le_bytes(b))
            .collect(),
    };
    (
        between("'shape': (", ")"),
        between("'descr': '", "'"),
        numbers,
    )
}

#[test]
fn eval_prints_with_names() {
    let desk = Desk::new();
    desk.write("one.csv", "0.5,-1,2\n");
    let text = desk.runs("eval m.safetensors --input one.csv");
    let lines: Vec<_> = text.lines().collect();
    let first = |line: usize| lines[line].split_whitespace().next();
    assert_eq!(lines.len(), 5);
    assert_eq!((first(0), first(1)), (Some("y"), Some("z")));
    assert_eq!(
        lines[2].split_whitespace().collect::<Vec<_>>(),
        ["jacobian", "a", "b", "c"]
    );
    assert_eq!((first(3), first(4)), (Some("y"), Some("z")));

    let (mut y, mut d) = ([0.0; 2], [0.0; 6]);
    let mut evaluator = Evaluator::<f32>::new(&desk.model).unwrap();
    evaluator
        .evaluate(&[0.5, -1.0, 2.0], &mut y, &mut d)
        .unwrap();
    let number = |line: usize, column: usize| -> f32 {
        lines[line]
            .split_whitespace()
            .nth(column)
            .unwrap()
            .parse()
            .unwrap()
    };
    assert_eq!([number(0, 1), number(1, 1)], y);
    assert_eq!([number(3, 1), number(3, 2), number(3, 3)], d[..3]);
    assert_eq!([number(4, 1), number(4, 2), number(4, 3)], d[3..]);
}

#[test]
fn what_is_read_is_not_overwritten() {
    let desk = Desk::new();
    let before = fs::read(desk.path("m.safetensors")).unwrap();
    for arguments in [
        "generate m.safetensors --module m.safetensors",
        "generate m.safetensors --module ./x.csv --input x.csv",
        "eval m.safetensors --input x.csv --output x.csv",
        "eval m.safetensors --input x.csv --jacobian m.safetensors",
        "check m.safetensors --input x.csv --report x.csv",
        "plot m.safetensors --kind path --input x.csv ./x.csv",
    ] {
        let lines = desk.fails(arguments);
        assert!(
            lines[0].ends_with(": this file is read here, wanted another one to write"),
            "{lines:?}"
        );
    }
    assert_eq!(fs::read(desk.path("m.safetensors")).unwrap(), before);
}

#[test]
fn a_module_without_records_is_not_made_from_no_rows() {
    let desk = Desk::new();
    desk.write("none.csv", "a,b,c\n");
    let lines = desk.fails("generate m.safetensors --module m.rs --input none.csv");
    assert!(lines[0].contains("no input gives"), "{lines:?}");
}

#[test]
fn eval_prints_the_first_rows_only() {
    let desk = Desk::new();
    desk.write("many.csv", "3,1,2\n".repeat(1000));
    let text = desk.runs("eval m.safetensors --input many.csv");
    assert!(text.ends_with("\n997 more rows are not shown; --output and --jacobian write all\n"));
    assert!(text.starts_with("row 0\n") && text.contains("\nrow 2\n"));

    // Where the Jacobians go to a file, the values are printed.
    let text = desk.runs("eval m.safetensors --input x.csv --jacobian j.npy");
    assert!(text.starts_with("row 0\ny") && !text.contains("jacobian"));
}

#[test]
fn eval_writes_arrays_in_the_precision_of_the_evaluation() {
    let desk = Desk::new();
    for (option, dtype) in [
        ("", "<f4"),
        (" --precision f32", "<f4"),
        (" --precision f64", "<f8"),
    ] {
        let text = desk.runs(&format!(
            "eval m.safetensors --input x.csv --output y.npy --jacobian j.npy{option}"
        ));
        assert_eq!(text, "");
        let (shape, found, y) = npy(&desk.path("y.npy"));
        assert_eq!((&*shape, &*found), ("2, 2", dtype));
        let (shape, found, j) = npy(&desk.path("j.npy"));
        assert_eq!((&*shape, &*found), ("2, 2, 3", dtype));

        for (row, x) in [[0.5, -1.0, 2.0], [1.0, 2.0, 3.0]].into_iter().enumerate() {
            let (mut value, mut jacobian) = ([0.0; 2], [0.0; 6]);
            if dtype == "<f8" {
                let mut evaluator = Evaluator::<f64>::new(&desk.model).unwrap();
                evaluator.evaluate(&x, &mut value, &mut jacobian).unwrap();
            } else {
                let (mut v, mut j) = ([0.0; 2], [0.0; 6]);
                let mut evaluator = Evaluator::<f32>::new(&desk.model).unwrap();
                evaluator
                    .evaluate(&x.map(|x| x as f32), &mut v, &mut j)
                    .unwrap();
                (value, jacobian) = (v.map(f64::from), j.map(f64::from));
            }
            assert_eq!(y[2 * row..2 * row + 2], value);
            assert_eq!(j[6 * row..6 * row + 6], jacobian);
        }
    }
}

#[test]
fn eval_takes_and_gives_csv_and_npy() {
    let desk = Desk::new();
    desk.runs("eval m.safetensors --input x.csv --output y.csv --jacobian j.csv");
    desk.runs("eval m.safetensors --input x.csv --output y.npy --jacobian j.npy");
    let csv = |name: &str| -> Vec<f64> {
        let text = fs::read_to_string(desk.path(name)).unwrap();
        let numbers = text.split(['\n', ',']).filter(|number| !number.is_empty());
        numbers
            .map(|number| number.parse::<f32>().unwrap().into())
            .collect()
    };
    assert_eq!(csv("y.csv"), npy(&desk.path("y.npy")).2);
    assert_eq!(csv("j.csv"), npy(&desk.path("j.npy")).2);
    assert_eq!(
        fs::read_to_string(desk.path("y.csv"))
            .unwrap()
            .lines()
            .count(),
        2
    );

    // An array of outputs is an array of inputs for a model that takes as many.
    let next = Random(2).model(&[2, 1], &[Activation::Tanh], Precision::F32);
    desk.write(
        "n.safetensors",
        random::safetensors(&next, &[("activations", "tanh")]),
    );
    let from_csv = desk.runs("eval n.safetensors --input y.csv");
    assert_eq!(from_csv, desk.runs("eval n.safetensors --input y.npy"));
    assert_eq!(Rows::read(desk.path("y.npy")).unwrap().len(), 2);
}

#[test]
fn eval_of_no_rows_writes_empty_arrays() {
    let desk = Desk::new();
    desk.write("none.csv", "a,b,c\n");
    desk.runs("eval m.safetensors --input none.csv --output y.npy --jacobian j.npy");
    assert_eq!(
        npy(&desk.path("y.npy")),
        ("0, 2".to_owned(), "<f4".to_owned(), vec![])
    );
    assert_eq!(npy(&desk.path("j.npy")).0, "0, 2, 3");
}

#[test]
fn eval_of_nan_is_nan() {
    let desk = Desk::new();
    desk.write("nan.csv", "nan,1,2\n");
    desk.runs("eval m.safetensors --input nan.csv --output y.npy --jacobian j.npy");
    assert!(npy(&desk.path("y.npy")).2.iter().all(|y| y.is_nan()));
}

/// An array of zeros with three columns, as a file with a hole.
fn hole(path: &Path, rows: u64, fortran: &str) {
    let bytes = npy_file("<f4", fortran, &format!("({rows}, 3)"), &[]);
    fs::write(path, &bytes).unwrap();
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(bytes.len() as u64 + rows * 12).unwrap();
}

/// The most memory that the program had at any time, in kB, asked of the system until it ends.
#[cfg(target_os = "linux")]
fn peak_of(desk: &Desk, arguments: &str) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fnn"))
        .args(arguments.split_whitespace())
        .current_dir(desk.folder.path())
        .spawn()
        .unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        if let Some(line) = status.lines().find_map(|l| l.strip_prefix("VmHWM:")) {
            peak = line.trim().trim_end_matches("kB").trim().parse().unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    peak
}

/// Two million rows take no more memory than a block of them, though the input has 24 MB, and the
/// outputs 16 MB.
#[cfg(target_os = "linux")]
#[test]
fn eval_takes_memory_that_does_not_grow_with_the_rows() {
    let desk = Desk::new();
    let many = 2_000_000;
    for fortran in ["False", "True"] {
        hole(&desk.path("few.npy"), 200_000, fortran);
        hole(&desk.path("many.npy"), many, fortran);
        let few = peak_of(&desk, "eval m.safetensors --input few.npy --output y.npy");
        let peak = peak_of(&desk, "eval m.safetensors --input many.npy --output y.npy");
        assert!(0 < few && peak < few + 2_000, "{few} kB and {peak} kB");
    }
    let length = fs::metadata(desk.path("y.npy")).unwrap().len();
    assert!(length > 8 * many && length < 8 * many + 1000);

    desk.write("few.csv", "3,1,2\n".repeat(150_000));
    desk.write("many.csv", "3,1,2\n".repeat(600_000));
    let few = peak_of(&desk, "eval m.safetensors --input few.csv --output y.npy");
    let peak = peak_of(&desk, "eval m.safetensors --input many.csv --output y.npy");
    assert!(0 < few && peak < few + 2_000, "{few} kB and {peak} kB");
}

/// More rows than a block holds, so that blocks and shares of them end anywhere.
#[test]
fn eval_has_the_same_bits_on_any_number_of_threads_and_in_both_orders() {
    let desk = Desk::new();
    let rows = 70_001;
    let numbers = Random(4).numbers(3 * rows, Precision::F32);
    let bytes = |order: &mut dyn Iterator<Item = usize>| -> Vec<u8> {
        order
            .flat_map(|k| (numbers[k] as f32).to_le_bytes())
            .collect()
    };
    let shape = format!("({rows}, 3)");
    let columns = (0..3).flat_map(|j| (0..rows).map(move |i| 3 * i + j));
    let (c, f) = (bytes(&mut (0..3 * rows)), bytes(&mut columns.into_iter()));
    desk.write("c.npy", npy_file("<f4", "False", &shape, &c));
    desk.write("f.npy", npy_file("<f4", "True", &shape, &f));
    let lines = numbers
        .chunks(3)
        .map(|x| format!("{},{},{}\n", x[0], x[1], x[2]));
    desk.write("c.csv", lines.collect::<String>());

    let eval = |options: &str| {
        desk.runs(&format!(
            "eval m.safetensors --output y.npy --jacobian j.npy {options}"
        ));
        ["y.npy", "j.npy"].map(|name| fs::read(desk.path(name)).unwrap())
    };
    let expected = eval("--input c.npy --threads 1");
    for options in [
        "--input c.npy",
        "--input c.npy --threads 3",
        "--input f.npy --threads 2",
        "--input c.csv --threads 7",
    ] {
        assert!(eval(options) == expected, "{options}");
    }
    desk.runs("eval m.safetensors --input f.npy --output z.npy --threads 2");
    assert!(fs::read(desk.path("z.npy")).unwrap() == expected[0]);

    // The numbers are those of the inputs one by one.
    let (y, j) = (npy(&desk.path("y.npy")).2, npy(&desk.path("j.npy")).2);
    let mut evaluator = Evaluator::<f32>::new(&desk.model).unwrap();
    for row in (0..rows).step_by(997).chain([rows - 1]) {
        let x: Vec<f32> = numbers[3 * row..][..3].iter().map(|&x| x as f32).collect();
        let (mut value, mut jacobian) = ([0.0; 2], [0.0; 6]);
        evaluator.evaluate(&x, &mut value, &mut jacobian).unwrap();
        assert_eq!(y[2 * row..][..2], value.map(f64::from));
        assert_eq!(j[6 * row..][..6], jacobian.map(f64::from));
    }
}

#[test]
fn eval_takes_activations_for_a_file_without() {
    let desk = Desk::new();
    let lines = desk.fails("eval bare.safetensors --input x.csv");
    assert_eq!(
        lines,
        [
            "error: `bare.safetensors`: the file does not say the activations of its 3 layers",
            "help: name them, one for each layer: --activations tanh,tanh,identity"
        ]
    );
    let named = desk.runs("eval m.safetensors --input x.csv --output y.csv");
    let list = random::activations(&desk.model);
    let given = desk.runs(&format!(
        "eval bare.safetensors --input x.csv --output y.csv --activations {list}"
    ));
    assert_eq!(named, given);
}

#[test]
fn convert_writes_what_evaluates_to_the_same() {
    let desk = Desk::new();
    let expected = desk.runs("eval m.safetensors --input x.csv");
    desk.runs("convert m.safetensors m.json");
    assert_eq!(desk.runs("eval m.json --input x.csv"), expected);
    desk.runs("convert m.json m.onnx");
    assert_eq!(desk.runs("eval m.onnx --input x.csv"), expected);
    desk.runs("convert m.onnx again.safetensors");
    assert_eq!(desk.runs("eval again.safetensors --input x.csv"), expected);
    desk.runs("convert bare.safetensors bare.json --activations mish,relu,identity");

    assert_eq!(
        desk.fails("convert m.safetensors m.npz"),
        [
            "error: `m.npz`: found a name that ends in `.npz`, wanted one that ends in .json, .onnx or \
             .safetensors"
        ]
    );
    assert_eq!(
        desk.fails("convert m.json m.json"),
        ["error: `m.json`: this file is read here, wanted another one to write"]
    );
    assert_eq!(
        desk.fails("convert m.json other.json --activations tanh,tanh,tanh"),
        [
            "error: `m.json`: activations are given, but a JSON model holds its own",
            "help: leave --activations out"
        ]
    );
}

#[test]
fn eval_accumulates_in_any_order() {
    let desk = Desk::new();
    let jacobian = |order: &str| {
        desk.runs(&format!(
            "eval m.safetensors --input x.csv --output y.npy --jacobian j.npy --order {order}"
        ));
        (npy(&desk.path("y.npy")).2, npy(&desk.path("j.npy")).2)
    };
    let (y, forward) = jacobian("forward");
    for order in ["auto", "reverse", "0", "1", "2", "3"] {
        let (value, found) = jacobian(order);
        assert_eq!(value, y);
        for (a, b) in found.iter().zip(&forward) {
            assert!((a - b).abs() <= 1e-5 * (1.0 + b.abs()), "{order}: {a} {b}");
        }
    }
    assert_eq!(jacobian("3"), jacobian("forward"));
    assert_eq!(jacobian("0"), jacobian("reverse"));
    assert_eq!(
        desk.fails("eval m.safetensors --input x.csv --order 4"),
        ["error: the order 4 is forward through 4 layers, the model has 3"]
    );
}

#[test]
fn eval_refuses_in_one_line() {
    let desk = Desk::new();
    let file = fs::read(desk.path("m.safetensors")).unwrap();
    desk.write("cut.safetensors", &file[..file.len() - 1]);
    desk.write("empty.safetensors", "");
    desk.write("text.safetensors", "weights, many");
    desk.write("two.csv", "2,1\n");
    desk.write("swapped.csv", "a,c,b\n1,2,3\n");
    desk.write("ragged.csv", "3,1,2\n1,2\n");
    desk.write("words.csv", "3,1,2\n1,two,3\n");
    desk.write("integers.npy", npy_file("<i8", "False", "(3,)", &[0; 24]));
    desk.write("cut.npy", npy_file("<f8", "False", "(2, 3)", &[0; 47]));
    desk.write("cube.npy", npy_file("<f4", "False", "(1, 1, 3)", &[0; 12]));
    fs::create_dir(desk.path("folder")).unwrap();
    fs::create_dir(desk.path("folder.npy")).unwrap();

    let cut = "the file is damaged or cut off: ";
    for (arguments, error) in [
        (
            "none.safetensors --input x.csv",
            "cannot read `none.safetensors`: No such file",
        ),
        (
            "folder --input x.csv",
            "`folder`: this is a folder, wanted a file",
        ),
        (
            "m.safetensors --input folder",
            "`folder`: this is a folder, wanted a file",
        ),
        (
            "m.safetensors --input none.npy",
            "cannot read `none.npy`: No such file",
        ),
        (
            "empty.safetensors --input x.csv",
            "`empty.safetensors`: the file is empty",
        ),
        (
            "text.safetensors --input x.csv",
            "`text.safetensors`: the format is not known",
        ),
        (
            "cut.safetensors --input x.csv",
            &format!("`cut.safetensors`: {cut}"),
        ),
        (
            "m.safetensors --input two.csv",
            "`two.csv`: found rows of 2 numbers, wanted 3, one for each input of the model",
        ),
        (
            "m.safetensors --input swapped.csv",
            "`swapped.csv`: found `c` as the name of column 1, wanted the model's input `b`",
        ),
        (
            "m.safetensors --input ragged.csv",
            "`ragged.csv`: the text is not a table of numbers",
        ),
        (
            "m.safetensors --input words.csv",
            "`words.csv`: found `two` in line 2, wanted a number",
        ),
        (
            "m.safetensors --input integers.npy",
            "`integers.npy`: the NumPy array holds numbers of type '<i8', wanted float32 or float64",
        ),
        (
            "m.safetensors --input cut.npy",
            "`cut.npy`: the NumPy array is damaged or cut off: the shape [2, 3] takes 48 bytes, \
             47 are there",
        ),
        (
            "m.safetensors --input cube.npy",
            "`cube.npy`: the NumPy array has the shape [1, 1, 3], wanted [inputs] or [rows, inputs]",
        ),
        (
            "m.safetensors --input x.csv --activations tanh,softmax,identity",
            "the activation `softmax` is not supported",
        ),
        (
            "m.safetensors --input x.csv --activations tanh,tanh",
            "`m.safetensors`: 2 activations are given for 3 layers",
        ),
        (
            "m.safetensors --input x.csv --output nowhere/y.npy",
            "`nowhere/y.npy`: the folder that it is to be in does not exist",
        ),
        (
            "m.safetensors --input x.csv --output y.npy --jacobian nowhere/j.npy",
            "`nowhere/j.npy`: the folder that it is to be in does not exist",
        ),
        (
            "m.safetensors --input x.csv --output folder.npy",
            "`folder.npy`: this is a folder, wanted the name of a file to write",
        ),
        (
            "m.safetensors --input x.csv --output y.txt",
            "`y.txt`: found a name that ends in `.txt`, wanted one that ends in .npy or .csv",
        ),
        (
            "m.safetensors --input x.csv --output y.npy --jacobian folder/../y.npy",
            "--output and --jacobian name the same file",
        ),
    ] {
        let lines = desk.fails(&format!("eval {arguments}"));
        assert!(
            lines[0].starts_with(&format!("error: {error}")),
            "{arguments}: {lines:?}"
        );
    }
}

/// Programs write the numbers of columns above them, which also may be a row.
#[test]
fn a_header_of_numbers_is_never_read_as_a_row() {
    let desk = Desk::new();
    desk.write("n.csv", "0,1,2\n0.5,-1,2\n1,2,3\n");
    for command in [
        "eval m.safetensors --input n.csv --output y.npy",
        "check m.safetensors --input n.csv",
        "plot m.safetensors --kind path --input n.csv f.svg",
        "generate m.safetensors --module m.rs --input n.csv",
        "generate m.safetensors --crate policy --input n.csv",
    ] {
        assert_eq!(
            desk.fails(command),
            [
                "error: `n.csv`: found `0,1,2` in line 1, which may number the columns or be a row of \
                 inputs, wanted to know which",
                "help: if it numbers the columns: --header yes",
                "help: if it is a row of inputs: --header no"
            ]
        );
        for said in ["yes", "no"] {
            assert!(
                desk.run(&format!("{command} --header {said}"))
                    .status
                    .success()
            );
        }
    }
    let eval = |options: &str| {
        desk.runs(&format!(
            "eval m.safetensors --output y.npy --input {options}"
        ));
        fs::read(desk.path("y.npy")).unwrap()
    };
    assert_eq!(eval("n.csv --header yes"), eval("x.csv"));
    desk.write("rows.csv", "a,b,c\n0,1,2\n0.5,-1,2\n1,2,3\n");
    assert_eq!(eval("n.csv --header no"), eval("rows.csv"));

    // Of results it is known how many rows there are.
    desk.runs("eval m.safetensors --input x.csv --output y.csv");
    let rows = fs::read_to_string(desk.path("y.csv")).unwrap();
    for header in ["0,1", "1,2", "y,z"] {
        desk.write("y.csv", format!("{header}\n{rows}"));
        let text = desk.runs("check m.safetensors --input x.csv --output y.csv");
        assert!(text.ends_with("\nPASS\n"), "{header}: {text}");
    }
    desk.write("y.csv", format!("z,y\n{rows}"));
    assert_eq!(
        desk.fails("check m.safetensors --input x.csv --output y.csv"),
        [
            "error: `y.csv`: found `z` as the name of column 0, wanted the model's output `y`",
            "help: the columns in the model's order: y,z"
        ]
    );
}

/// ONNX names tensors, not their entries, whatever format the model is written to.
#[test]
fn names_that_were_made_up_are_not_asked_of_columns() {
    let desk = Desk::new();
    desk.write("named.csv", "px,py,theta\n0.5,-1,2\n");
    desk.write("turned.csv", "x[1],x[0],x[2]\n0.5,-1,2\n");
    let json = |names: &str| {
        let rest =
            "\"version\":1,\"precision\":\"f32\",\"layers\":[{\"dense\":{\"weight\":[[1,2,3]]}}]";
        format!("{{\"inputs\":{names},{rest}}}")
    };
    desk.write("bare.json", json("null"));
    desk.runs("convert bare.json named.onnx");
    let bytes = fs::read(desk.path("named.onnx")).unwrap();
    // Without what fnn writes beside the graph.
    let key = bytes.windows(5).rposition(|b| b == b"\x0a\x03fnn").unwrap();
    desk.write(
        "m.onnx",
        [&bytes[..key + 2], b"gnu", &bytes[key + 5..]].concat(),
    );
    for to in ["m.json", "n.onnx", "n.safetensors"] {
        desk.run(&format!("convert m.onnx {to}"));
    }
    for model in ["m.onnx", "m.json", "n.onnx", "n.safetensors"] {
        let text = desk.runs(&format!("inspect {model}"));
        assert!(text.contains("x[2]"), "{text}");
        desk.runs(&format!("eval {model} --input named.csv"));
        let lines = desk.fails(&format!("eval {model} --input turned.csv"));
        assert_eq!(
            lines[1..],
            ["help: the columns in the model's order: x[0],x[1],x[2]"]
        );
    }
    desk.write("stated.json", json("[\"a\",\"b\",\"c\"]"));
    let lines = desk.fails("eval stated.json --input named.csv");
    assert!(lines[0].ends_with("found `px` as the name of column 0, wanted the model's input `a`"));
}

/// A `.npy` file with these bytes as its numbers.
fn npy_file(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

#[test]
fn inspect_says_what_a_model_is_and_costs() {
    let desk = Desk::new();
    let text = desk.runs("inspect m.safetensors");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in [
        "3 inputs, 2 outputs, 98 parameters in f32",
        "dense 3 -> 9 mish 36 parameters 0.weight",
        "0 a",
        "1 z",
        "value 82",
        "flash: weights 392 784",
    ] {
        let found = text.lines().any(|l| words(l) == line);
        assert!(found, "{line} is not in\n{text}");
    }
    let json = |options: &str| -> serde_json::Value {
        let text = desk.runs(&format!("inspect m.safetensors --json {options}"));
        serde_json::from_str(&text).unwrap()
    };
    let auto = json("");
    assert_eq!(auto["multiply_adds"]["value"], 3 * 9 + 9 * 5 + 5 * 2);
    assert_eq!(auto["multiply_adds"]["forward"], 3 * (9 * 5 + 5 * 2));
    assert_eq!(auto["multiply_adds"]["reverse"], 2 * (9 * 5 + 3 * 9));
    assert_eq!(auto["multiply_adds"]["cut"], 0);
    assert_eq!(auto["layers"][1]["activation"], "leaky_relu(0.1)");
    assert_eq!(auto["input_names"][2], "c");
    assert_eq!(auto["memory"][1]["precision"], "f64");
    assert_eq!(json("--order forward")["multiply_adds"]["cut"], 3);

    let processors = auto["instructions"].as_array().unwrap().iter();
    let processors: Vec<_> = processors
        .map(|p| p["processor"].as_str().unwrap())
        .collect();
    assert_eq!(
        processors,
        ["Cortex-M4F", "Cortex-M7", "Cortex-M33", "RV32IMAFC"]
    );
    let count = |json: &serde_json::Value| json["instructions"][0]["evaluation"].as_u64().unwrap();
    let double = json("--precision f64");
    assert!(
        count(&auto) > 500 && count(&double) > 5 * count(&auto),
        "{auto} {double}"
    );
    let lines = desk.fails("inspect m.safetensors --order 4");
    assert!(lines[0].contains("the model has 3"), "{lines:?}");
}

#[test]
fn check_passes_what_is_right_and_fails_what_is_not() {
    let desk = Desk::new();
    desk.runs("eval m.safetensors --input x.csv --output y.npy --jacobian j.npy --order forward");
    desk.runs("eval m.safetensors --input x.csv --output y.csv --jacobian j.csv");
    for results in [
        "--output y.npy --jacobian j.npy",
        "--output y.csv --jacobian j.csv",
        "",
    ] {
        for option in ["", "--precision f64", "--order 1"] {
            let text = desk.runs(&format!(
                "check m.safetensors --input x.csv {results} {option}"
            ));
            assert!(
                text.ends_with("\nPASS\n") && !text.contains("FAIL"),
                "{text}"
            );
            assert!(text.contains("central differences") && text.contains("other orders"));
            assert_eq!(text.contains("framework"), !results.is_empty());
        }
    }

    // The last number of each file, moved by one part in ten thousand.
    let fails = |arguments: &str, comparison: &str| {
        let output = desk.run(&format!("check m.safetensors --input x.csv {arguments}"));
        assert_eq!((output.status.code(), output.stderr), (Some(1), vec![]));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.ends_with("\nFAIL\n"), "{text}");
        let failed: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("FAIL  "))
            .collect();
        assert_eq!(failed.len(), 1, "{text}");
        assert!(failed[0].contains(comparison), "{text}");
        assert!(failed[0].contains("at row 1, "), "{text}");
    };
    for (name, count) in [("y", 4), ("j", 12)] {
        let mut bytes = fs::read(desk.path(&format!("{name}.npy"))).unwrap();
        let at = bytes.len() - 4;
        let number = f32::from_le_bytes(bytes[at..].try_into().unwrap());
        bytes[at..].copy_from_slice(&(number * 1.0001).to_le_bytes());
        assert_eq!(npy(&desk.path(&format!("{name}.npy"))).2.len(), count);
        desk.write(&format!("bad_{name}.npy"), bytes);
    }
    fails("--output bad_y.npy", "value, framework's output");
    fails("--jacobian bad_j.npy --output y.npy", "∂ z / ∂ c");
}

#[test]
fn check_draws_inputs_from_a_range() {
    let desk = Desk::new();
    let text = desk.runs("check m.safetensors --range -2:2 --rows 20");
    assert!(text.starts_with("20 rows, drawn"), "{text}");
    assert_eq!(
        text,
        desk.runs("check m.safetensors --range -2:2 --rows 20")
    );
    assert_eq!(
        desk.fails("check m.safetensors"),
        [
            "error: `m.safetensors`: neither inputs nor the ranges to draw them from are known",
            "help: name a file of inputs: --input X.npy",
            "help: or the range of all inputs: --range -1:1",
            "help: or that of each of several: --range 260:380,-1:1"
        ]
    );
    desk.write("y.csv", "1,2\n");
    let lines = desk.fails("check m.safetensors --input x.csv --output y.csv");
    assert_eq!(
        lines[0],
        "error: `y.csv`: found the shape [1, 2], wanted [2, 2]: rows, outputs"
    );
    desk.fails("check m.safetensors --range 2:1");
    desk.runs("check m.safetensors --range 260:380,-1:1,0:1 --rows 20");
    assert_eq!(
        desk.fails("check m.safetensors --range 260:380,-1:1")[0],
        "error: `m.safetensors`: found 2 ranges for a model with 3 inputs, wanted one for all or \
         one for each"
    );
    let cube = npy_file("<f4", "True", "(2, 2, 3)", &[0; 48]);
    desk.write("j.npy", cube);
    let lines = desk.fails("check m.safetensors --input x.csv --jacobian j.npy");
    assert!(
        lines[0].ends_with("is in Fortran order, wanted C order"),
        "{lines:?}"
    );
}

#[test]
fn figures_go_to_files() {
    let desk = Desk::new();
    for kind in ["parity", "errors", "jacobian", "path"] {
        let text = desk.runs(&format!(
            "plot m.safetensors --kind {kind} --range -1:1 f.svg"
        ));
        assert_eq!(text, "");
        let svg = fs::read_to_string(desk.path("f.svg")).unwrap();
        assert!(
            svg.starts_with("<svg ") && svg.ends_with("</svg>\n"),
            "{kind}"
        );
    }
    desk.runs("plot m.safetensors --kind path --input x.csv f.png");
    let png = fs::read(desk.path("f.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG") && png.len() > 10_000);
    let lines = desk.fails("plot m.safetensors --kind path --input x.csv f.pdf");
    assert!(
        lines[0].contains("wanted one that ends in .svg or .png"),
        "{lines:?}"
    );
    let output = desk.run("plot m.safetensors --kind pie --input x.csv f.svg");
    assert_eq!(output.status.code(), Some(2));

    let text = desk.runs("check m.safetensors --input x.csv --report r.html");
    assert!(text.ends_with("PASS\n"));
    let page = fs::read_to_string(desk.path("r.html")).unwrap();
    assert_eq!(page.matches("<svg ").count(), 4);
    assert!(page.contains(">PASS<") && page.ends_with("</html>\n"));
}

/// What was there under the name stays until all is written.
#[test]
fn a_failure_leaves_old_files_alone() {
    let desk = Desk::new();
    desk.write("y.npy", "old");
    desk.fails("eval m.safetensors --input x.csv --output y.npy --jacobian nowhere/j.npy");
    assert_eq!(fs::read(desk.path("y.npy")).unwrap(), b"old");
    desk.write("p.rs", "old");
    desk.fails("generate bare.safetensors --module p.rs");
    assert_eq!(fs::read(desk.path("p.rs")).unwrap(), b"old");
}

/// Before any work: the model is not there.
#[test]
fn names_that_do_not_end_as_what_is_written_are_refused() {
    let desk = Desk::new();
    let arrays = "wanted one that ends in .npy or .csv";
    for (arguments, name, wanted) in [
        ("eval none --input x.csv --output", "y.txt", arrays),
        ("eval none --input x.csv --jacobian", "j", arrays),
        (
            "eval none --input x.csv --output y.npy --jacobian",
            "j.mat",
            arrays,
        ),
        (
            "check none --range 0:1 --report",
            "r.pdf",
            "wanted one that ends in .html or .htm",
        ),
        (
            "plot none --range 0:1 --kind path",
            "f.jpg",
            "wanted one that ends in .svg or .png",
        ),
        (
            "convert none",
            "m.pt",
            "wanted one that ends in .json, .onnx or .safetensors",
        ),
        (
            "generate none --module",
            "q.c",
            "wanted one that ends in .rs",
        ),
        ("generate none --module", "q", "wanted one that ends in .rs"),
        ("generate none --crate", "q.c", "wanted a lower-case letter"),
    ] {
        let before = if name == "q.c" { "int q;" } else { "old" };
        desk.write(name, before);
        let lines = desk.fails(&format!("{arguments} {name}"));
        assert!(
            lines[0].starts_with(&format!("error: `{name}`: ")),
            "{lines:?}"
        );
        assert!(lines[0].contains(wanted), "{lines:?}");
        assert_eq!(fs::read(desk.path(name)).unwrap(), before.as_bytes());
    }
}

#[test]
fn generate_writes_a_module() {
    let desk = Desk::new();
    let text = desk.runs("generate m.safetensors --module p.rs --input x.csv --records 1");
    assert_eq!(text, "");
    let module = fs::read_to_string(desk.path("p.rs")).unwrap();
    assert!(module.starts_with(concat!(
        "// Generated by fnn ",
        env!("CARGO_PKG_VERSION"),
        " from `m.safetensors` (sha256 "
    )));
    assert!(module.contains("pub static RECORDS: [fnn_core::Record<f32, 3, 2>; 1]"));
    assert!(module.contains("/// 0. `a`\n"));

    desk.runs("generate m.safetensors --module p.rs --precision f64");
    let module = fs::read_to_string(desk.path("p.rs")).unwrap();
    assert!(module.contains("pub static RECORDS: [fnn_core::Record<f64, 3, 2>; 16]"));

    desk.write("nan.csv", "3,1,2\nnan,1,2\n");
    let output = desk.run("generate m.safetensors --module p.rs --input nan.csv");
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    let bytes = fs::read(desk.path("p.rs")).unwrap().len();
    assert_eq!(
        stderr,
        format!(
            "row 1 of the inputs is not recorded: it gives numbers that are not finite\n\
             wrote p.rs, {:.1} kB\n\
             next: mod p {{ include!(\"p.rs\"); }}, in a crate that depends on fnn-core\n",
            bytes as f64 / 1e3
        )
    );

    desk.write("two.csv", "2,1\n");
    let lines = desk.fails("generate m.safetensors --module p.rs --input two.csv");
    assert!(lines[0].starts_with("error: `two.csv`: found rows of 2 numbers, wanted 3"));
    desk.fails("generate m.safetensors --module nowhere/p.rs");
}

/// A model that scales its inputs first is recorded where it was trained, and the header counts what is
/// recorded, not what was asked for.
#[test]
fn records_are_taken_where_the_model_was_trained_and_counted() {
    let desk = Desk::new();
    desk.write(
        "scaled.json",
        r#"{"version": 1, "precision": "f32", "layers": [
            {"affine": {"scale": [1.0, 1.0], "shift": [-300.0, -100000.0]}},
            {"affine": {"scale": [0.25, 0.001], "shift": [0.0, 0.0]}},
            {"dense": {"weight": [[1.0, 2.0]], "bias": [0.5], "activation": "tanh"}}
        ]}"#,
    );
    desk.runs("generate scaled.json --crate scaled --records 3");
    let module = fs::read_to_string(desk.path("scaled/src/network.rs")).unwrap();
    let first = module.split_once("input: [").unwrap().1;
    let numbers: Vec<&str> = first.split(']').next().unwrap().split(',').collect();
    let numbers: Vec<f64> = numbers
        .iter()
        .filter_map(|n| n.trim().parse().ok())
        .collect();
    assert_eq!(numbers, [300.0, 100_000.0]);
    let count = |folder: &str| {
        let header = fs::read_to_string(desk.path(&format!("{folder}/c/{folder}.h"))).unwrap();
        let line = header.lines().find(|line| line.contains("_RECORDS "));
        let line = line.unwrap().split_once("_RECORDS ").unwrap().1;
        line.split(' ').next().unwrap().to_owned()
    };
    assert_eq!(count("scaled"), "3");
    desk.write("two.csv", "301,99000\n299,101000\n");
    desk.runs("generate scaled.json --crate counted --input two.csv --records 50");
    assert_eq!(count("counted"), "2");
}

#[test]
fn generate_writes_a_crate_that_replaces_none_but_its_kind() {
    let desk = Desk::new();
    let output = desk.run("generate m.safetensors --crate policy");
    assert_eq!((output.status.code(), output.stdout), (Some(0), vec![]));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = stderr.lines().collect();
    assert!(lines[0].starts_with("wrote policy, "), "{stderr}");
    assert_eq!(lines[1..], ["next: cd policy && cargo test"]);
    // It carries what it depends on.
    let manifest = fs::read_to_string(desk.path("policy/fnn-core/Cargo.toml")).unwrap();
    assert!(
        manifest.contains("name = \"policy-fnn-core\"\n"),
        "{manifest}"
    );
    assert!(desk.path("policy/fnn-core/src/kernel.rs").is_file());
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("fnn-core");
    let option = format!("--fnn-core {}", core.to_str().unwrap());
    desk.runs(&format!("generate m.safetensors --crate policy {option}"));
    desk.run("generate m.safetensors --crate policy");
    let manifest = || fs::read_to_string(desk.path("policy/Cargo.toml")).unwrap();
    assert!(manifest().starts_with("# Generated by fnn "));
    assert!(
        manifest().contains("fnn-core = { package = \"policy-fnn-core\", path = \"fnn-core\" }\n")
    );

    // Again, with what Cargo made in it; a relative path stays one.
    desk.write("policy/Cargo.lock", "locked");
    fs::create_dir_all(desk.path("policy/target/debug")).unwrap();
    fs::create_dir_all(desk.path("there/fnn-core")).unwrap();
    desk.write(
        "there/fnn-core/Cargo.toml",
        "[package]\nname = \"fnn-core\"\n",
    );
    desk.runs("generate m.safetensors --crate policy --fnn-core there/fnn-core");
    assert!(manifest().contains("path = \"../there/fnn-core\" }"));
    assert_eq!(fs::read(desk.path("policy/Cargo.lock")).unwrap(), b"locked");
    assert!(!desk.path("policy/target").exists());

    // What somebody else put there is not lost, and no failure leaves a draft.
    let refused = |arguments: &str, found: &str| {
        let lines = desk.fails(&format!("generate m.safetensors {arguments}"));
        assert!(lines[0].contains(found), "{lines:?}");
    };
    desk.write("policy/src/mine.rs", "mine");
    refused("--crate policy", "mine.rs` in this crate was not generated");
    assert_eq!(fs::read(desk.path("policy/src/mine.rs")).unwrap(), b"mine");
    fs::create_dir(desk.path("other")).unwrap();
    desk.write("other/file", "a file");
    refused("--crate other", "is no generated crate");
    // In an empty folder nothing is lost.
    fs::create_dir(desk.path("empty")).unwrap();
    desk.runs("generate m.safetensors --crate empty");
    refused(
        "--crate there/fnn-core",
        "`there/fnn-core`: `fnn-core` is a word of Rust or a crate",
    );
    refused("--crate x.csv", "no crate is called `x.csv`");
    desk.write("plain", "a file");
    refused("--crate plain", "this is a file, wanted a folder");
    refused(
        "--crate nowhere/policy",
        "`nowhere/policy`: the folder that it is to be in does not exist",
    );
    refused("--crate loop", "`loop` is a word of Rust");
    refused("--crate Policy.2", "wanted a lower-case letter");
    refused("--crate ..", "this is not the name of a folder");
    refused("--crate new --records 0", "no records are asked for");
    refused("--crate new --fnn-core nowhere", "cannot read `nowhere");
    refused(
        "--crate new --fnn-core policy",
        "this is not the manifest of fnn-core",
    );
    // The name is looked at first.
    let lines = desk.fails("generate bare.safetensors --crate Policy.2");
    assert!(lines[0].contains("`Policy.2`"), "{lines:?}");
    assert_eq!(lines[1..], ["help: call it `policy-2`"]);
}

#[test]
fn wrong_usage_is_status_2() {
    let desk = Desk::new();
    for arguments in [
        "",
        "train",
        "eval m.safetensors --imput x.csv",
        "eval m.safetensors",
        "eval m.safetensors --input x.csv --precision f16",
        "eval m.safetensors --input x.csv --order back",
        "eval m.safetensors --input x.csv --threads 0",
        "check m.safetensors --range 1",
        "check m.safetensors --range 0:1 --input x.csv",
        "check m.safetensors --output x.csv",
        "generate m.safetensors",
        "generate m.safetensors --module p.rs --records -1",
        "generate m.safetensors --module p.rs --crate p",
        "generate m.safetensors --module p.rs --fnn-core p",
        "generate m.safetensors --module p.rs --target thumbv7m-none-eabi",
        "generate m.safetensors m.safetensors --crate p",
        "generate m.safetensors --library p --with isat=",
        "generate m.safetensors --library p --optimize both",
    ] {
        let output = desk.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
        if !arguments.is_empty() {
            let stderr = String::from_utf8(output.stderr).unwrap();
            let (first, rest) = stderr.split_once('\n').unwrap();
            assert!(first.starts_with("error: "), "{stderr}");
            assert!(
                rest.lines().all(|line| line.starts_with("help: ")),
                "{stderr}"
            );
        }
    }
    assert!(desk.runs("--help").contains("generate"));
    assert!(desk.runs("--version").starts_with("fnn "));
}

/// A reader that goes away is no reason to complain.
#[test]
fn a_closed_pipe_is_quiet() {
    let desk = Desk::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fnn"))
        .args(["eval", "m.safetensors", "--input", "x.csv"])
        .current_dir(desk.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
}
