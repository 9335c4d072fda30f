//! Feed-forward networks on the desk: models read and checked, evaluated with the bits of the
//! device, and turned into Rust for it.
//!
//! ```
//! use fnn_std::{Evaluator, import};
//!
//! // A planar quadrotor's time step, trained in Python: 8 inputs, 6 outputs.
//! let model = import::read("models/dynamics/dynamics.safetensors", &Default::default())?;
//! let mut evaluator = Evaluator::<f32>::new(&model)?;
//!
//! let x = [0.0, 1.0, 0.1, 0.0, 0.0, 0.0, 3.0, 3.1];
//! let (mut y, mut jacobian) = ([0.0; 6], [0.0; 6 * 8]);
//! evaluator.evaluate(&x, &mut y, &mut jacobian)?;
//!
//! // ∂ output 3 / ∂ input 2: how the angle turns thrust into speed.
//! println!("{}", jacobian[3 * 8 + 2]);
//! # Ok::<(), fnn_std::Error>(())
//! ```
//!
//! # What is here
//!
//! | | |
//! |---|---|
//! | [`import`] | models from files: ONNX, safetensors, npz, Keras, JSON |
//! | [`Model`] | the one description of a model, checked once, that all others start from |
//! | [`Evaluator`] | value and Jacobian of a model that is known at run time, bit for bit those of [`fnn_core::Network`] |
//! | [`mod@reference`] | the same in `f64`, as plain as the formulas: the oracle of the tests |
//! | [`bound`](mod@bound) | how far rounding may move a value and a Jacobian |
//! | [`generate`] | a Rust module with the network, its weights and recorded evaluations, alone or in a crate |
//! | [`export`] | models into files: JSON, ONNX, safetensors |
//! | [`eval`] | a model evaluated for a file of inputs |
//! | [`check`] | whether value and Jacobian are right, within derived bounds |
//! | [`figure`], [`html`] | figures of what was checked, and a page of them |
//! | [`inspect`] | what a model is, and what it costs on a device |
//! | [`visible`] | text from files, safe to print |
//! | [`Rows`] | inputs from `.npy` and `.csv` files; [`array::Reader`] reads them by and by |
//!
//! The program `fnn` is these functions behind arguments: `fnn eval` is [`eval::run`],
//! `fnn inspect` is [`inspect::run`], `fnn check` is [`check::run`],
//! `fnn plot` is [`plot::run`], `fnn generate` is [`generate::run`] or
//! [`generate::run_crate`], `fnn convert` is [`export::run`].
//!
//! # Conventions
//!
//! Those of [`fnn_core`]: `weight[i][j]` multiplies input j for output i, and `jacobian[i][j]` is
//! ∂ output i / ∂ input j, row by row where it lies in a slice. A file of inputs has one input a
//! row; a file of Jacobians has the shape [rows, outputs, inputs].
//!
//! # Errors
//!
//! Files are not trusted: whatever bytes they hold, nothing panics, and memory is taken in
//! proportion to the file only. An [`Error`] is one line that names the file, what was found and
//! what was wanted, and offers [help](Error::help) where there is a remedy; names in it are made
//! [visible](visible()). What a file holds that cannot be represented is refused by name, never
//! ignored. A NaN among the inputs is no error: it evaluates to NaN.
//!
//! # What is not here
//!
//! It does not train.

#![forbid(unsafe_code)]

mod activation;
pub mod array;
pub mod bound;
pub mod check;
mod cost;
mod error;
pub mod eval;
mod evaluator;
pub mod export;
pub mod figure;
mod file;
pub mod generate;
pub mod html;
pub mod import;
pub mod inspect;
mod json;
mod line;
pub mod model;
mod order;
pub mod plot;
pub mod reference;
pub mod replay;
#[path = "../../fnn-embedded/src/ffi/status.rs"]
#[allow(unreachable_pub, reason = "it is public in fnn-embedded")]
mod status;
mod widen;

pub use activation::Activation;
pub use array::Rows;
pub use cost::Estimate;
pub use error::{Error, Result};
pub use evaluator::{Evaluator, Float};
pub use line::visible;
pub use model::{Model, Precision};
pub use order::Order;

/// The network and the build script of the README compile, and the network runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
