//! The variables of layers, in HDF5 files.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
};

use hdf5_reader::{ByteOrder, Datatype, Hdf5File, OpenOptions, dataset::Dataset};

use crate::{
    error::{Error, Result},
    model::{Precision, Tensor},
    widen::{each, f16},
};

/// A file of weights.
pub(super) struct Weights {
    file: Hdf5File,
    /// Whether it is an `.h5` file, which goes by the names of layers.
    is_h5: bool,
    /// Bytes that may still be read.
    left: Cell<usize>,
    bytes: usize,
    precision: Cell<Precision>,
    /// Groups whose members have different names.
    checked: RefCell<HashSet<String>>,
}

/// Bytes that may be read from any file, and how often its size on top: compressed weights hardly
/// become smaller.
const FREE: usize = 16 << 20;
const RATIO: usize = 4;

impl Weights {
    /// Those in the archive of Keras 3.
    pub(super) fn of_archive(bytes: Vec<u8>) -> Result<Self> {
        Self::new(bytes, false)
    }

    /// Those in an `.h5` file, the configuration in it and the version of Keras that wrote it.
    pub(super) fn of_h5(bytes: &[u8]) -> Result<(Self, String, Option<String>)> {
        let weights = Self::new(bytes.to_vec(), true)?;
        let root = weights.file.root_group().map_err(|e| damaged(&e))?;
        let text = |name: &str| {
            let attribute = root.attribute(name).ok()?;
            Some(attribute.read_string().map_err(|e| damaged(&e)))
        };
        let Some(config) = text("model_config").transpose()? else {
            let error = Error::refused("the HDF5 file holds no Keras model, only weights at most");
            return Err(error.with_help(
                "in Python: build the model as it was, or from the JSON beside the weights, then \
                 model.load_weights(\"weights.h5\") and model.save(\"model.keras\")",
            ));
        };
        let version = text("keras_version").transpose()?;
        Ok((weights, config, version))
    }

    fn new(bytes: Vec<u8>, is_h5: bool) -> Result<Self> {
        let size = bytes.len();
        let left = FREE.saturating_add(RATIO.saturating_mul(size));
        let options = OpenOptions::default()
            .with_max_read_bytes(left)
            .with_max_chunk_bytes(left)
            .with_max_object_header_bytes(1 << 20)
            .with_chunk_cache_bytes(0);
        let file = Hdf5File::from_vec_with_options(bytes, options).map_err(|e| damaged(&e))?;
        Ok(Self {
            file,
            is_h5,
            left: Cell::new(left),
            bytes: size,
            precision: Cell::new(Precision::F32),
            checked: RefCell::default(),
        })
    }

    /// How many bytes the file has.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The widest format of the numbers that were read.
    pub(super) fn precision(&self) -> Precision {
        self.precision.get()
    }

    /// Refuses a model as a layer of another where the file does not say which weights are whose.
    pub(super) fn allow_nested(&self, name: &str) -> Result<()> {
        if self.is_h5 {
            return Err(Error::refused(format!(
                "the model `{name}` is a layer of another model, which .h5 files store in one heap"
            ))
            .with_help("in Python: model.save(\"model.keras\")"));
        }
        Ok(())
    }

    /// The variables of the layer `layer`, whose place in archives is `place`, as many as `names`
    /// says and in this order; one that is called `count` is left out.
    pub(super) fn variables(
        &self,
        layer: &str,
        place: &str,
        names: &[&str],
    ) -> Result<Vec<Tensor>> {
        let paths = if self.is_h5 {
            self.h5_paths(layer, names)?
        } else {
            self.archive_paths(layer, place, names)?
        };
        let pairs = names
            .iter()
            .zip(paths)
            .filter(|(name, _)| **name != "count");
        pairs
            .map(|(name, path)| {
                let dataset = self.file.dataset(&path).map_err(|e| missing(&path, &e))?;
                self.read(format!("{layer}/{name}"), &dataset)
            })
            .collect()
    }

    /// `layers/dense_1/vars/0`.
    fn archive_paths(&self, layer: &str, place: &str, names: &[&str]) -> Result<Vec<String>> {
        let path = format!("{place}vars");
        let group = self.file.group(&path).map_err(|e| missing(&path, &e))?;
        // Files of the first releases of Keras 3 do not say it.
        if let Ok(attribute) = group.attribute("name")
            && let Ok(found) = attribute.read_string()
            && found != layer
        {
            return Err(Error::refused(format!(
                "the weights at `{path}` are those of the layer `{found}`, wanted `{layer}`"
            )));
        }
        let (_, held) = group.member_names().map_err(|e| damaged(&e))?;
        check_count(layer, names, held.len())?;
        self.check_links(&path)?;
        Ok((0..names.len()).map(|i| format!("{path}/{i}")).collect())
    }

    /// `model_weights/dense/sequential/dense/kernel`, by the list that the group of the layer has.
    fn h5_paths(&self, layer: &str, names: &[&str]) -> Result<Vec<String>> {
        let path = format!("model_weights/{layer}");
        let group = self.file.group(&path).map_err(|e| missing(&path, &e))?;
        let list = group
            .attribute("weight_names")
            .map_err(|e| missing(&path, &e))?;
        let held = list.read_strings().map_err(|e| damaged(&e))?;
        check_count(layer, names, held.len())?;
        for name in &held {
            let (group, _) = name.rsplit_once('/').unwrap_or(("", name));
            self.check_links(&format!("{path}/{group}"))?;
        }
        for (found, name) in held.iter().zip(names) {
            let last = found.rsplit('/').next().unwrap_or(found);
            if last.split(':').next() != Some(name) {
                return Err(Error::refused(format!(
                    "the layer `{layer}` has the weight `{found}`, wanted its {name}"
                )));
            }
        }
        Ok(held.iter().map(|name| format!("{path}/{name}")).collect())
    }

    /// Refuses groups on the way to `path`, and there, that have two members of one name, of which
    /// the library would take the first.
    fn check_links(&self, path: &str) -> Result<()> {
        let mut checked = self.checked.borrow_mut();
        let mut group = self.file.root_group().map_err(|e| damaged(&e))?;
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let mut at = String::new();
        loop {
            // To list a group takes long, and most of them are those of many weights.
            if checked.insert(at.clone()) {
                let (groups, datasets) = group.member_names().map_err(|e| damaged(&e))?;
                let mut seen = HashSet::new();
                let mut names = groups.iter().chain(&datasets);
                if let Some(name) = names.find(|name| !seen.insert(*name)) {
                    return Err(Error::refused(format!(
                        "the HDF5 file has two members `{name}` in the group `{at}/`"
                    )));
                }
            }
            let Some(part) = parts.next() else {
                return Ok(());
            };
            group = group.group(part).map_err(|e| missing(path, &e))?;
            at = format!("{at}/{part}");
        }
    }

    fn read(&self, name: String, dataset: &Dataset) -> Result<Tensor> {
        let at = |e: hdf5_reader::error::Error| {
            Error::refused(format!("the weights `{name}` cannot be read: {e}"))
        };
        let Datatype::FloatingPoint { size, byte_order } = *dataset.dtype() else {
            return Err(Error::refused(format!(
                "the weights `{name}` are {:?}, wanted floating-point numbers",
                dataset.dtype()
            )));
        };
        let bytes = dataset.raw_byte_len().map_err(at)?;
        let Some(left) = self.left.get().checked_sub(bytes) else {
            return Err(Error::refused(format!(
                "the weights `{name}` take {bytes} bytes, much more than the file has"
            )));
        };
        self.left.set(left);
        let data = dataset.read_raw_bytes().map_err(at)?;
        let is_little = byte_order == ByteOrder::LittleEndian;
        let numbers = match (size, is_little) {
            (2, true) => each(&data, |b| f16(u16::from_le_bytes(b))),
            (2, false) => each(&data, |b| f16(u16::from_be_bytes(b))),
            (4, true) => each(&data, |b| f32::from_le_bytes(b).into()),
            (4, false) => each(&data, |b| f32::from_be_bytes(b).into()),
            (8, true) => each(&data, f64::from_le_bytes),
            (8, false) => each(&data, f64::from_be_bytes),
            _ => {
                return Err(Error::refused(format!(
                    "the weights `{name}` have {size} bytes a number, wanted 2, 4 or 8"
                )));
            }
        };
        if size == 8 {
            self.precision.set(Precision::F64);
        }
        let shape = dataset
            .shape()
            .iter()
            .map(|&n| usize::try_from(n).unwrap_or(usize::MAX));
        Ok(Tensor {
            name,
            shape: shape.collect(),
            numbers,
        })
    }
}

fn check_count(layer: &str, names: &[&str], found: usize) -> Result<()> {
    if found != names.len() {
        return Err(Error::refused(format!(
            "the layer `{layer}` has {found} weights in the file, wanted {}: {}",
            names.len(),
            names.join(", ")
        )));
    }
    Ok(())
}

fn damaged(error: &hdf5_reader::error::Error) -> Error {
    Error::refused(format!("the HDF5 file is damaged or cut off: {error}"))
}

fn missing(path: &str, error: &hdf5_reader::error::Error) -> Error {
    Error::refused(format!(
        "the HDF5 file gives no weights at `{path}`: {error}"
    ))
}

/// The name of a class as Keras 3 names places after it: `layer_normalization`.
pub(super) fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    let mut snake = String::new();
    for (i, &c) in letters.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| letters.get(i));
        let is_word = letters.get(i + 1).is_some_and(char::is_ascii_lowercase)
            || before.is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && before.is_some() && is_word {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}
