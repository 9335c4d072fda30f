//! Desktop side of `fnn`.
#![forbid(unsafe_code)]

mod activation;
pub mod array;
mod error;
pub mod eval;
mod evaluator;
mod file;
pub mod generate;
pub mod import;
pub mod model;
pub mod reference;

pub use activation::Activation;
pub use array::Rows;
pub use error::{Error, Result};
pub use evaluator::{Evaluator, Float};
pub use model::{Model, Precision};
