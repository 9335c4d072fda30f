//! A feed-forward network and its exact Jacobian, computed together in one pass.
#![no_std]
#![forbid(unsafe_code)]

mod activation;
mod chain;
mod dense;
#[doc(hidden)]
pub mod kernel;
mod layer;
mod network;
mod replay;
mod scalar;
mod workspace;

pub use activation::{Activation, Identity};
pub use chain::{Accepts, Chain};
pub use dense::Dense;
pub use layer::Layer;
pub use nalgebra::{SMatrix, SVector};
pub use network::{Evaluation, Network};
pub use replay::{Mismatch, Record};
pub use scalar::Scalar;
pub use workspace::Workspace;
