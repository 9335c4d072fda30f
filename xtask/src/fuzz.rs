//! The parsers on bytes that a fuzzer makes up.

use std::{fs, path::PathBuf};

use crate::{
    Result,
    command::{Run, for_all},
    firmware::target_folder,
    root,
};

pub(crate) const OPTIONS: &str = "[TARGET] [--seconds N]";

/// The parsers.
const TARGETS: [&str; 7] = ["onnx", "safetensors", "npz", "keras", "json", "npy", "csv"];

/// What a compiler adds for the fuzzer to see which code ran. With these a stable one does.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                     -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";

/// Feed the parsers, or one of them, with bytes, and use the models that they make: a panic, more
/// than 256 MiB at once or more than a second for one file is a failure. It starts from the corpus in fnn-std/fuzz, a selection of what earlier
/// runs found, and the files of the tests; what is new goes to the target folder.
pub(crate) fn task(args: &[String]) -> Result<()> {
    let (mut targets, mut seconds) = (TARGETS.to_vec(), "60");
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--seconds" {
            seconds = args.next().ok_or("--seconds wants a number")?;
        } else {
            let known = TARGETS.iter().find(|target| *target == arg);
            targets = vec![known.ok_or(format!("`{arg}` is none of {}", TARGETS.join(", ")))?];
        }
    }
    let host = Run::new("rustc").args(["--print", "host-tuple"]).output()?;
    let fuzz = root().join("fnn-std/fuzz");
    let built = target_folder().join("fuzz");
    Run::cargo()
        .env("RUSTFLAGS", FLAGS)
        .args(["build", "--quiet", "--release", "--target", host.trim()])
        .arg("--manifest-path")
        .arg(fuzz.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&built)
        .run()?;
    for_all(&targets, |target| {
        let folder = |path: PathBuf| {
            fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            Ok::<_, String>(path)
        };
        let found = folder(built.join("corpus").join(target))?;
        let kept = folder(fuzz.join("corpus").join(target))?;
        let tests = root().join("fnn-std/tests/data").join(target);
        Run::new(built.join(host.trim()).join("release").join(target))
            .args([
                // The allocator of the targets refuses more than 256 MiB; this holds the corpus too.
                "-rss_limit_mb=1024",
                // The targets allow a second of the processor; this is for what never ends.
                "-timeout=60",
                "-max_len=65536",
                "-print_final_stats=1",
            ])
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", built.display()))
            .args([&found, &kept])
            .args(Some(tests).filter(|tests| tests.is_dir()))
            .run()
    })
}
