//! Models from files.
//!
//! | format | read | activations come from |
//! |---|---|---|
//! | ONNX | what the graph computes from its inputs to its outputs; weights in the file or beside it | the graph |
//! | safetensors | weights and biases with [names](#names) | `activations` in `__metadata__`, or [`Options::activations`] |
//! | npz | the same | [`Options::activations`] |
//! | `.keras`, `.h5` | [Sequential and functional models](#keras) | the file |
//! | JSON | every model, as `model.schema.json` in this package describes | the file |
//!
//! # f32 and f64
//!
//! A model is in the format of its file, or in f64 where [`Options::precision`] asks for it, as the
//! commands do with `--precision f64`. Then f64 has the file's own numbers: whatever is computed while the
//! file is read, such as the reciprocal of a divisor, the factors of a batch normalisation, or a product of
//! constants, is computed and held in f64, and the constants of an activation that is written out in parts
//! count as they are, 0.70710677 for 1/√2. Of a model in f32 these are rounded to f32, and constants that
//! f32 cannot tell from those of an activation are taken for them. [`Model::notes`] says what was read as
//! what, and what that may change.
//!
//! # ONNX
//!
//! The outputs are followed back to the inputs of the graph, so that other branches do not matter.
//! All outputs are wanted but labels (integers or texts, as classifiers have), or the one that
//! [`Options::output_name`] names.
//!
//! - Several inputs are taken one after the other, in the order of the file, and so are several
//!   outputs; an input that no output needs is taken too, if its size is known. An entry is named
//!   after its input or output, with its number if that has several: `u`, `x[0]`, `x[1]`. Where one
//!   of several outputs cannot be read, the error names it, and the others are read by their names.
//! - A declared number of rows says nothing: a row is evaluated by itself. What would mix rows, or
//!   apply one matrix to several positions of a row, is refused.
//! - Weights stay as they are: a bias that a node of its own adds becomes the layer's, and an
//!   activation becomes part of the layer before it, neither of which rounds. Steps entry by entry
//!   (scaling, batch normalisation) are an affine layer of their own, never folded into a matrix;
//!   several in a row become one where no addend is scaled by it, which could cancel, calculated in
//!   f64 and rounded to the format of the model, and [`Model::notes`] says so. A division by a constant is a
//!   product with its rounded reciprocal.
//! - A sum of what comes in and what is made of it is a residual layer; other sums and branches are a
//!   concatenation and a dense layer that adds. What several branches share is computed in each.
//! - Activations and layer normalisations that are written out in parts are known by what they
//!   compute. Their constants may differ from the exact ones by the rounding of the file's format. One
//!   threshold is not kept: where large x are taken as they are, and the others by their softplus, all are
//!   taken by their softplus.
//! - The file is in f64 if an input or a weight that takes part is, else in f32; attributes are
//!   f32 and mean that value.
//! - Of a file that [`export`](crate::export) wrote, and that no other program has changed since, the
//!   layers are those that were written; its graph is not interpreted.
//! - External data is read from inside the model's folder only, and only by [`read`].
//!
//! `SUPPORT.md` lists what has been compared with onnxruntime and PyTorch.
//!
//! What a file holds beyond that is refused by name, never ignored.
//!
//! # Names
//!
//! The numbers in the names of tensors give the order of the layers, wherever they stand and in
//! whatever order the file has them: 2 comes before 10, and a layer called `in`, `input`, `out`,
//! `output` or `head` before or after those with numbers.
//!
//! | names | weights are |
//! |---|---|
//! | `0.weight`, `0.bias`, `2.weight` … as PyTorch's `nn.Sequential` names them, also with words before, `net.0.weight`, or modules, `fc1.weight` | [neurons, inputs] |
//! | `0.kernel`, `Dense_0/kernel`, `dense/kernel`, `dense_1/kernel` … | [inputs, neurons] |
//! | `W0`, `b0`, `W1` …, `fc1_w`, `layer/0/weights` … | either, as far as the sizes leave no doubt |
//! | `arr_0`, `arr_1` …, as `numpy.savez` names arrays without names: a matrix, then its bias | either, as far as the sizes leave no doubt |
//!
//! Networks beside each other, such as the members of an ensemble, are refused even where one
//! would fit behind the other.
//!
//! The metadata of a safetensors file may name the `inputs` and `outputs`, separated by commas, their
//! `input_units` and `output_units`, and the `input_ranges` that the network was trained in and the
//! `output_ranges` that it had there, `-1:1,0:0.5`.
//!
//! # Keras
//!
//! Files of Keras 3 and of Keras 2. Read are Dense, activations as attributes and as layers
//! (Activation, ReLU, LeakyReLU, PReLU, ELU, Softmax), Normalization, Rescaling, BatchNormalization
//! as it works after training, LayerNormalization, Concatenate, Add, Subtract, Average, Multiply of
//! what makes an activation, Flatten and Reshape of what stays a vector; layers that only work in
//! training, such as Dropout, are left out; models may be layers of models in `.keras`. Several inputs are taken one after the other in the model's order, and
//! several outputs come so. [`Model::notes`] says what was rewritten.

mod archive;
mod distinct;
mod expression;
mod keras;
mod lower;
mod named;
mod npz;
pub(crate) mod onnx;
mod safetensors;

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    thread,
};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use self::archive::Archive;
use crate::{
    activation::Activation,
    error::{Error, Result},
    file, json,
    model::{Model, Precision, Source},
};

/// What [`read`] is told beside the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The activations, one for each layer, for files of tensors (safetensors and npz) that do not
    /// hold them; where one does, these take their place.
    pub activations: Option<Vec<Activation>>,
    /// The one output that is wanted, by its name, of an ONNX file that has several; without it they
    /// are taken one after the other.
    pub output_name: Option<String>,
    /// The number format of the evaluation that the model is read for; that of the file by default.
    /// What is computed while a file is read, such as the reciprocal of a divisor, is computed and
    /// held in the wider one of both, so that f64 has the file's own numbers.
    pub precision: Option<Precision>,
}

impl Options {
    /// The same for an evaluation in this format.
    pub(crate) fn for_evaluation(&self, precision: Option<Precision>) -> Self {
        Self {
            precision: precision.or(self.precision),
            ..self.clone()
        }
    }

    /// Whether the model is read for an evaluation in f64, whatever the format of the file.
    fn is_double(&self) -> bool {
        self.precision == Some(Precision::F64)
    }
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
    let bytes = Bytes::from(file::read(path, LARGEST)?);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // The fingerprint of a large file takes about as long as the rest.
    let (model, sha256) = thread::scope(|scope| {
        let beside = thread::Builder::new().spawn_scoped(scope, || sha256(&bytes));
        let model = parse_in(&bytes, Some(folder), options);
        let fingerprint = beside.ok().and_then(|thread| thread.join().ok());
        (model, fingerprint.unwrap_or_else(|| sha256(&bytes)))
    });
    let model = model.map_err(|e| e.in_file(path))?;
    let file = path.file_name().map(PathBuf::from).unwrap_or_default();
    let file = file.display().to_string();
    Ok(model.with_source(Source { file, sha256 }))
}

/// The model in the bytes of a file. As [`read`], without the file.
///
/// # Errors
/// As [`read`], without the name of the file.
pub fn parse(bytes: &[u8], options: &Options) -> Result<Model> {
    parse_in(&Bytes::copy_from_slice(bytes), None, options)
}

/// The model in these bytes, other files of which are in `folder`, in the format that it is read for.
fn parse_in(bytes: &Bytes, folder: Option<&Path>, options: &Options) -> Result<Model> {
    let model = parse_format(bytes, folder, options)?;
    Ok(match model.precision() {
        Precision::F32 if options.is_double() => model.widened_from(Precision::F32),
        _ => model,
    })
}

/// The model in these bytes, by the parser of their format. A parser that computes numbers does so in
/// f64 where the options ask for it, and says that the model is in f64.
fn parse_format(bytes: &Bytes, folder: Option<&Path>, options: &Options) -> Result<Model> {
    if onnx::recognise(bytes) {
        refuse_activations(options, "an ONNX file")?;
        return onnx::parse(bytes, folder, options);
    }
    if let Some(name) = &options.output_name {
        return Err(Error::refused(format!(
            "the output `{name}` is asked for, but only ONNX files name their outputs"
        )));
    }
    if json::recognise(bytes) {
        refuse_activations(options, "a JSON model")?;
        return json::parse(bytes, options.is_double());
    }
    if safetensors::recognise(bytes) {
        return safetensors::parse(bytes, options);
    }
    if keras::recognise_h5(bytes) {
        return keras::parse_h5(bytes, options);
    }
    if archive::recognise(bytes) {
        return parse_archive(Archive::new(bytes)?, options);
    }
    let error = match &**bytes {
        [] => Error::refused(format!("the file is empty, wanted {FORMATS}")),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => {
            Error::refused(format!("this is a single NumPy array, wanted {FORMATS}"))
                .with_help("in Python: numpy.savez(\"model.npz\", W0=..., b0=..., W1=..., b1=...)")
        }
        _ => Error::refused(format!("the format is not known, wanted {FORMATS}")),
    };
    Err(error.with_help(SAVE))
}

/// Bytes of the names of entries at most: a long name is repeated for each entry of its value.
const MOST_NAMED: usize = 16 << 20;

/// A name for each entry of values with these names and sizes: that of the value where this has one
/// entry, else with a number.
fn entry_names<'n>(values: impl IntoIterator<Item = (&'n str, usize)>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut left = MOST_NAMED;
    for (name, size) in values {
        left = (name.len().checked_mul(size))
            .and_then(|bytes| left.checked_sub(bytes))
            .ok_or_else(|| {
                Error::refused(format!(
                    "the names of {size} entries after a name of {} bytes would take more than \
                     {MOST_NAMED} bytes",
                    name.len()
                ))
            })?;
        match size {
            1 => names.push(name.to_owned()),
            _ => names.extend((0..size).map(|i| format!("{name}[{i}]"))),
        }
    }
    Ok(names)
}

/// The formats that are read, for messages.
const FORMATS: &str = "an ONNX, safetensors, npz, .keras, .h5 or JSON file";

const SAVE: &str = "from PyTorch: safetensors.torch.save_file(network.state_dict(), \
                    \"model.safetensors\", {\"activations\": \"tanh,identity\"})";

/// Refuses activations where the file has its own for every layer.
fn refuse_activations(options: &Options, what: &str) -> Result<()> {
    match options.activations {
        None => Ok(()),
        Some(_) => Err(
            Error::refused(format!("activations are given, but {what} holds its own"))
                .with_help("leave --activations out"),
        ),
    }
}

/// The model in a zip archive, whose format is known by what is in it.
fn parse_archive(archive: Archive<'_>, options: &Options) -> Result<Model> {
    if keras::recognise(&archive) {
        return keras::parse(archive, options);
    }
    if npz::recognise(&archive) {
        return npz::parse(archive, options);
    }
    let found = match archive.names().first() {
        Some(name) => format!("this is a zip archive with an entry `{name}`"),
        None => "this is an empty zip archive".to_owned(),
    };
    Err(Error::refused(format!("{found}, wanted {FORMATS}")).with_help(SAVE))
}

/// The operators of ONNX that are read; those of another domain have its name in front.
pub fn onnx_operators() -> impl Iterator<Item = &'static str> {
    onnx::operators()
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
        assert_eq!(error(b""), format!("the file is empty, wanted {FORMATS}"));
        assert_eq!(
            error(b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            format!("this is an empty zip archive, wanted {FORMATS}")
        );
        assert_eq!(
            error(b"\x93NUMPY\x01\x00"),
            format!("this is a single NumPy array, wanted {FORMATS}")
        );
        assert_eq!(
            error(b"hello, world"),
            format!("the format is not known, wanted {FORMATS}")
        );
    }

    #[test]
    fn sha256_is_the_known_one() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), expected);
    }
}
