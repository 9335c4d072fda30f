//! Lists of activations that are written by hand name all of them.

use std::{collections::BTreeSet, fs, path::Path};

use fnn_std::{Activation, import};

/// All names, without parameters.
fn names() -> BTreeSet<String> {
    Activation::ALL.into_iter().map(name).collect()
}

fn name(activation: Activation) -> String {
    let text = activation.to_string();
    text.split('(').next().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_example_of_every_activation_has_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/every/every.safetensors");
    let model = import::read(path, &Default::default()).unwrap();
    let dense = model.as_dense().unwrap();
    let found: BTreeSet<_> = dense.iter().map(|layer| name(layer.activation())).collect();
    assert_eq!(found, names());
}

/// An activation without a row would be estimated as the identity.
#[test]
fn every_activation_was_counted_on_the_boards() {
    let counts = read("src/cost/counts.csv");
    let column = counts
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(2).unwrap());
    assert_eq!(column.map(str::to_owned).collect::<BTreeSet<_>>(), names());
}

#[test]
fn the_readme_lists_them() {
    let readme = read("../README.md");
    let (_, list) = readme.split_once("The activations are ").unwrap();
    let (list, _) = list.split_once(", one a layer").unwrap();
    let words = list.split(|c: char| !c.is_alphanumeric() && c != '_');
    let words: BTreeSet<_> = words.map(str::to_owned).collect();
    let missing: Vec<_> = names()
        .into_iter()
        .filter(|name| !words.contains(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// `fnn-core` defines them, each as a type.
#[test]
fn all_of_fnn_core_have_a_name() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fnn-core/src");
    let families = fs::read_dir(source.join("activation")).unwrap();
    let families = families.map(|entry| entry.unwrap().path());
    let mut found = BTreeSet::new();
    for file in families.chain([source.join("activation.rs")]) {
        for line in fs::read_to_string(file).unwrap().lines() {
            let Some((_, name)) = line.split_once(" Activation<T> for ") else {
                continue;
            };
            let mut snake = String::new();
            for c in name.chars().take_while(|c| c.is_alphanumeric()) {
                if c.is_uppercase() && !snake.is_empty() {
                    snake.push('_');
                }
                snake.extend(c.to_lowercase());
            }
            found.insert(snake);
        }
    }
    assert_eq!(found, names());
}
