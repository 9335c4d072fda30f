//! The mistakes that users make with sizes do not compile, and the message says what is wrong.
//!
//! Each file in `ui/` is one mistake; its lines `//~ …` are what the compiler must say. Only our
//! own words are compared, so that the test holds for every version of the compiler.

use std::{env, fs, path::Path, process::Command};

#[test]
fn wrong_sizes_do_not_compile() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ui");
    fs::create_dir_all(dir.join("src/bin")).unwrap();
    fs::write(
        dir.join("Cargo.toml"),
        format!(
            "[package]\nname = \"ui\"\nedition = \"2024\"\n\
             [dependencies]\nfnn-core = {{ path = {crate_dir:?} }}\n[workspace]\n"
        ),
    )
    .unwrap();
    // The versions that are already there, so that nothing is fetched.
    fs::copy(crate_dir.join("../Cargo.lock"), dir.join("Cargo.lock")).unwrap();

    let mut mistakes = 0;
    for file in fs::read_dir(crate_dir.join("tests/ui")).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let source = fs::read_to_string(&file).unwrap();
        fs::write(dir.join("src/bin").join(format!("{name}.rs")), &source).unwrap();
        let build = Command::new(env!("CARGO"))
            .args(["build", "--offline", "--quiet", "--bin", name])
            .env("CARGO_TARGET_DIR", dir.join("target"))
            .current_dir(&dir)
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&build.stderr);
        let wanted: Vec<&str> = source
            .lines()
            .filter_map(|l| l.strip_prefix("//~ "))
            .collect();
        if wanted.is_empty() {
            assert!(
                build.status.success(),
                "{name} does not compile:\n{message}"
            );
            continue;
        }
        assert!(!build.status.success(), "{name} compiles");
        for wanted in wanted {
            assert!(
                message.contains(wanted),
                "{name}: no {wanted:?} in:\n{message}"
            );
        }
        mistakes += 1;
    }
    assert!(mistakes > 0);
}
