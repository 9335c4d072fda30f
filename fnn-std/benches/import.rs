//! How long models take to be read: `cargo bench -p fnn-std --bench import`.
//!
//! A model of 50 kB, from the start of `fnn` to its first result, and one of 100 MB beside the plain
//! reading of its bytes. Before each run the file is taken out of the system's memory, so that the
//! disk is read, as far as nothing behind it remembers.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use fnn_std::{
    Activation, Model, Precision, export, import,
    model::{Dense, Tensor},
};

/// What is written of each model.
const FORMATS: [&str; 3] = ["safetensors", "onnx", "json"];

fn main() {
    let folder = tempfile::tempdir().expect("a folder for the models");
    println!(
        "{:<26}{:>10}{:>14}",
        "fnn, start to result", "bytes", "median, ms"
    );
    let small = model(&[12, 96, 96, 6]);
    for format in FORMATS {
        let path = folder.path().join(format!("small.{format}"));
        export::write(&small, &path).expect("a model is written");
        let input = folder.path().join("x.csv");
        fs::write(&input, "0.5,".repeat(11) + "0.5\n").expect("inputs are written");
        for command in ["inspect", "eval"] {
            let seconds = median(21, || {
                let start = Instant::now();
                let mut program = Command::new(env!("CARGO_BIN_EXE_fnn"));
                program.arg(command).arg(&path).stdout(Stdio::null());
                if command == "eval" {
                    program.arg("--input").arg(&input);
                }
                assert!(program.status().expect("fnn starts").success());
                start
            });
            let what = format!("{command}, {format}");
            println!("{what:<26}{:>10}{:>14.1}", length(&path), 1e3 * seconds);
        }
    }

    println!(
        "\n{:<26}{:>12}{:>10}{:>12}{:>8}",
        "100 MB", "bytes", "read, ms", "import, ms", "ratio"
    );
    let large = model(&[64, 5000, 5000, 8]);
    for format in &FORMATS[..2] {
        let path = folder.path().join(format!("large.{format}"));
        export::write(&large, &path).expect("a model is written");
        let read = median(5, || {
            forget(&path);
            let start = Instant::now();
            assert!(fs::read(&path).is_ok_and(|bytes| !bytes.is_empty()));
            start
        });
        let import = median(5, || {
            forget(&path);
            let start = Instant::now();
            assert!(import::read(&path, &Default::default()).is_ok());
            start
        });
        println!(
            "{format:<26}{:>12}{:>10.0}{:>12.0}{:>8.1}",
            length(&path),
            1e3 * read,
            1e3 * import,
            import / read
        );
    }
}

/// Dense layers of these sizes with arbitrary weights.
fn model(sizes: &[usize]) -> Model {
    let layers = sizes.windows(2).map(|pair| {
        let weight = Tensor {
            name: format!("w{}", pair[1]),
            shape: vec![pair[1], pair[0]],
            numbers: (0..pair[0] * pair[1])
                .map(|i| f64::from((i * 7919 % 1009) as f32 / 1009.0 - 0.5))
                .collect(),
        };
        Dense::new(weight, None, Activation::Tanh).expect("a layer")
    });
    Model::new(layers.collect(), Precision::F32).expect("a model")
}

/// The median of the seconds since the start that each of so many runs returns.
fn median(runs: usize, mut run: impl FnMut() -> Instant) -> f64 {
    let mut seconds: Vec<f64> = (0..runs).map(|_| run().elapsed().as_secs_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[runs / 2]
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Takes a file out of the system's memory.
fn forget(path: &Path) {
    let mut of = std::ffi::OsString::from("if=");
    of.push(path);
    let status = Command::new("sync").status();
    assert!(status.is_ok_and(|status| status.success()), "sync");
    let dd = Command::new("dd")
        .arg(of)
        .args(["iflag=nocache", "count=0", "status=none"])
        .status();
    assert!(
        dd.is_ok_and(|status| status.success()),
        "dd of GNU coreutils"
    );
}
