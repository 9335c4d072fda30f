//! The errors of the activations.

use crate::{Result, command::Run};

pub(crate) const OPTIONS: &str = "[--all]";

/// Measure the errors of all activations and their slopes, in units of the last place.
pub(crate) fn task(args: &[String]) -> Result<()> {
    Run::cargo()
        .args(["run", "--quiet", "--release", "--package", "fnn-core"])
        .args(["--example", "accuracy", "--"])
        .args(args)
        .run()
}
