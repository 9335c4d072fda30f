//! Figures of a model as files: what `fnn plot` does.

use std::path::Path;

use crate::{
    check,
    error::Result,
    figure::{self, Figure, Kind},
    file,
};

/// Draws a figure of the model at `model`, checked as `options` say, into the file `to`, whose name
/// says the format, `.svg` or `.png`.
///
/// # Errors
/// As [`check::run`] and [`Figure::write`].
pub fn run(model: &Path, kind: Kind, to: &Path, options: &check::Options) -> Result<()> {
    let read = [&options.input, &options.output, &options.jacobian];
    let read = read.map(|path| path.as_deref());
    file::keep(&[&read[..], &[Some(model)]].concat(), &[Some(to)])?;
    file::ending(to, figure::ENDINGS)?;
    let report = check::run(model, options)?;
    Figure::new(kind, &report)?.write(to)
}
