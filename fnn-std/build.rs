//! Carries the source of `fnn-core` and `fnn-embedded`: `fnn generate` writes it beside what it makes,
//! which so builds without this project.
//!
//! Of each crate that is the manifest, whole by itself, and the files of `src`, without what a feature adds. The lock file names the
//! releases of what they depend on, those that the firmware is tested with.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?)
        .join("..")
        .canonicalize()?;
    let workspace = read(&root.join("Cargo.toml"))?;
    let mut text = String::new();
    for (name, constant) in [("fnn-core", "FNN_CORE"), ("fnn-embedded", "FNN_EMBEDDED")] {
        let folder = root.join(name);
        let manifest = manifest(&folder.join("Cargo.toml"), &workspace)?;
        text += &format!("/// `{name}`: its manifest and the files of its source.\n");
        text += &format!("pub(super) const {constant}: Source = Source {{\n");
        text += &format!("    manifest: {manifest:?},\n    files: &[\n");
        for file in files(&folder.join("src"))? {
            // The loop of `fnn-embedded` is not behind a C interface, and depends on other crates.
            if file.components().any(|part| part.as_os_str() == "control")
                || file.ends_with("control.rs")
            {
                continue;
            }
            println!("cargo::rerun-if-changed={}", file.display());
            let inside = file
                .strip_prefix(&folder)?
                .display()
                .to_string()
                .replace('\\', "/");
            text += &format!(
                "        ({inside:?}, include_str!({:?})),\n",
                file.display()
            );
        }
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let file = root.join(licence).display().to_string();
            println!("cargo::rerun-if-changed={file}");
            text += &format!("        ({licence:?}, include_str!({file:?})),\n");
        }
        text += "    ],\n};\n\n";
        println!("cargo::rerun-if-changed={}", folder.join("src").display());
    }
    let lock = lock(&root.join("fnn-embedded/firmware/Cargo.lock"))?;
    text += "/// The entries of a lock file for what `fnn-core` depends on.\n";
    text += &format!("pub(super) const LOCK: &str = {lock:?};\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("carried.rs"), text)?;
    Ok(())
}

fn read(path: &Path) -> Result<Table> {
    println!("cargo::rerun-if-changed={}", path.display());
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(text
        .parse()
        .map_err(|e| format!("{}: {e}", path.display()))?)
}

/// The manifest with what it inherits of the workspace in its place, for the library alone.
fn manifest(path: &Path, workspace: &Table) -> Result<String> {
    let mut manifest = read(path)?;
    let all = workspace.get("workspace").and_then(Value::as_table);
    let all = all.ok_or("the root has no [workspace]")?;
    for section in ["package", "dependencies"] {
        let shared = all.get(section).and_then(Value::as_table);
        let shared = shared.ok_or("the workspace shares nothing")?;
        let own = manifest.get_mut(section).and_then(Value::as_table_mut);
        for (key, value) in own.ok_or("the manifest lacks a section")?.iter_mut() {
            if value.get("workspace").is_some() {
                *value = shared
                    .get(key)
                    .ok_or("the workspace does not share it")?
                    .clone();
            }
        }
    }
    for section in ["lints", "example", "dev-dependencies"] {
        manifest.remove(section);
    }
    // A name of its own, for two that are carried by two crates of one image cannot have the same; what
    // the source calls the library stays.
    let package = manifest.get_mut("package").and_then(Value::as_table_mut);
    let package = package.ok_or("the manifest has no [package]")?;
    let name = package
        .get("name")
        .and_then(Value::as_str)
        .ok_or("the package has no name")?;
    let library = Table::from_iter([("name".to_owned(), name.replace('-', "_").into())]);
    package.insert("name".to_owned(), format!("@PREFIX@{name}").into());
    manifest.insert("lib".to_owned(), Value::Table(library));
    // What is optional is not carried; the names of the features stay, since the source asks for them.
    if let Some(features) = manifest.get_mut("features").and_then(Value::as_table_mut) {
        features
            .iter_mut()
            .for_each(|(_, needs)| *needs = Value::Array(Vec::new()));
    }
    let mut dependencies = manifest
        .get_mut("dependencies")
        .and_then(Value::as_table_mut);
    if let Some(all) = &mut dependencies {
        all.retain(|_, value| value.get("optional").is_none());
    }
    if let Some(core) = dependencies.and_then(|all| all.get_mut("fnn-core")) {
        *core = "@FNN_CORE@".into();
    }
    // The place of the dependency is a table, which is written when its path is known.
    Ok(manifest.to_string().replace("\"@FNN_CORE@\"", "@FNN_CORE@"))
}

/// All files in the folder and those in it, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => files.extend(self::files(&path)?),
            false => files.push(path),
        }
    }
    files.sort();
    Ok(files)
}

/// The entries of what `fnn-core` depends on.
fn lock(path: &Path) -> Result<String> {
    let lock = read(path)?;
    let all = lock
        .get("package")
        .and_then(Value::as_array)
        .ok_or("the lock has no packages")?;
    let named = |name: &str| {
        all.iter()
            .find(|p| p.get("name").and_then(Value::as_str) == Some(name))
    };
    let (mut wanted, mut found) = (vec!["fnn-core"], Vec::<&Value>::new());
    while let Some(name) = wanted.pop() {
        let package = named(name).ok_or_else(|| format!("the lock has no {name}"))?;
        let needs = package.get("dependencies").and_then(Value::as_array);
        wanted.extend(needs.into_iter().flatten().filter_map(Value::as_str));
        if name != "fnn-core" && !found.contains(&package) {
            found.push(package);
        }
    }
    let mut entries = Table::new();
    entries.insert(
        "package".to_owned(),
        Value::Array(found.into_iter().cloned().collect()),
    );
    Ok(entries.to_string())
}
