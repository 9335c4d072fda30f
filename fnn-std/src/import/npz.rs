//! npz: NumPy arrays with names, in a zip archive.

use std::collections::HashMap;

use super::{
    Options,
    archive::Archive,
    named::{self, Name},
};
use crate::{
    array::npy,
    error::{Error, Result},
    model::{Model, Tensor},
};

/// What the name of an array ends in.
const SUFFIX: &str = ".npy";

/// Whether all that the archive holds are arrays.
pub(super) fn recognise(archive: &Archive<'_>) -> bool {
    let names = archive.names();
    !names.is_empty() && names.iter().all(|name| name.ends_with(SUFFIX))
}

pub(super) fn parse(mut archive: Archive<'_>, options: &Options) -> Result<Model> {
    let mut names = archive.names().to_vec();
    // So that the same arrays always give the same error.
    names.sort();
    let mut tensors = Vec::new();
    for entry in names {
        let name = entry.strip_suffix(SUFFIX).unwrap_or(&entry);
        let understood = Name::new(name)?;
        let array = npy::array(&archive.read(&entry)?).map_err(|e| {
            let line = format!("the array `{name}`: {e}");
            e.help().fold(Error::refused(line), Error::with_help)
        })?;
        let tensor = Tensor {
            name: name.to_owned(),
            shape: array.shape,
            numbers: array.numbers,
        };
        tensors.push((understood, tensor, array.precision));
    }
    named::model(tensors, &HashMap::new(), options)
}
