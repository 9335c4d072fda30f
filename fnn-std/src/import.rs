//! Models from files.
//!
//! | format | read | activations come from |
//! |---|---|---|
//! | safetensors | weights named as PyTorch's `nn.Sequential` names them: `0.weight`, `0.bias`, `2.weight` … | `activations` in `__metadata__`, or [`Options::activations`] |
//!
//! What a file holds beyond that is refused by name, never ignored.

mod safetensors;

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{
    activation::Activation,
    error::{Error, Result},
    file,
    model::{Model, Source},
};

/// What [`read`] is told beside the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The activations, one for each layer, for files that do not hold them; where a file does,
    /// these take their place.
    pub activations: Option<Vec<Activation>>,
}

/// The largest file that is taken for a model: networks for microcontrollers are far smaller.
const LARGEST: u64 = 1 << 30;

/// The model in the file at `path`, whose format is known by its content.
///
/// ```no_run
/// let model = fnn_std::import::read("policy.safetensors", &Default::default())?;
/// println!("{} inputs, {} outputs", model.inputs(), model.outputs());
/// # Ok::<(), fnn_std::Error>(())
/// ```
///
/// # Errors
/// A file that cannot be read, is damaged, is of no known format or holds something that cannot
/// be represented; the error names the file and, where there is one, the tensor. Never panics,
/// and takes memory only in proportion to the file.
pub fn read(path: impl AsRef<Path>, options: &Options) -> Result<Model> {
    let path = path.as_ref();
    let bytes = file::read(path, LARGEST)?;
    let model = parse(&bytes, options).map_err(|e| e.in_file(path))?;
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    Ok(model.with_source(Source {
        file: name.display().to_string(),
        sha256: sha256(&bytes),
    }))
}

/// The model in the bytes of a file. As [`read`], without the file.
///
/// # Errors
/// As [`read`], without the name of the file.
pub fn parse(bytes: &[u8], options: &Options) -> Result<Model> {
    if safetensors::recognise(bytes) {
        return safetensors::parse(bytes, options);
    }
    let error = match bytes {
        [] => Error::refused("the file is empty, wanted a model"),
        [b'P', b'K', ..] => Error::refused("this is a zip archive, wanted a safetensors file"),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => {
            Error::refused("this is a NumPy array, wanted a safetensors file")
        }
        _ => Error::refused("the format is not known, wanted a safetensors file"),
    };
    Err(error.with_help("in Python: safetensors.torch.save_file(network.state_dict(), \"model.safetensors\", {\"activations\": \"tanh,identity\"})"))
}

fn sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_refused_by_what_they_are() {
        let error = |bytes: &[u8]| parse(bytes, &Options::default()).unwrap_err().to_string();
        assert_eq!(error(b""), "the file is empty, wanted a model");
        assert_eq!(
            error(b"PK\x03\x04"),
            "this is a zip archive, wanted a safetensors file"
        );
        assert_eq!(
            error(b"\x93NUMPY\x01\x00"),
            "this is a NumPy array, wanted a safetensors file"
        );
        assert_eq!(
            error(b"hello, world"),
            "the format is not known, wanted a safetensors file"
        );
    }

    #[test]
    fn sha256_is_the_known_one() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), expected);
    }
}
