//! A trained feed-forward network and its exact Jacobian, computed together in one pass, with no
//! heap, no panic, and the same bits on a microcontroller as on the desk.
//!
//! ```
//! use fnn_core::{Chain, Dense, Identity, Network, SVector, Tanh, Workspace, chain};
//!
//! // 2 inputs, 3 neurons with tanh, 1 output. A `static` stays in flash.
//! type Pendulum = Network<Chain![Dense<f32, 2, 3, Tanh>, Dense<f32, 3, 1, Identity>]>;
//!
//! static PENDULUM: Pendulum = Network::new(chain![
//!     Dense::new([[0.5, -0.2], [1.0, 0.3], [-0.7, 0.8]], [0.1, 0.0, -0.1], Tanh),
//!     Dense::new([[1.0, -2.0, 0.5]], [0.25], Identity),
//! ]);
//!
//! let mut workspace = Workspace::<f32, { Pendulum::WORKSPACE }>::new();
//! let x = SVector::from([0.3, -0.6]);
//! let y = PENDULUM.evaluate(&x, &mut workspace);
//!
//! assert_eq!(y.value, PENDULUM.value(&x, &mut workspace));
//! let dx = 1e-3;
//! let ahead = PENDULUM.value(&SVector::from([0.3 + dx, -0.6]), &mut workspace);
//! assert!(((ahead[0] - y.value[0]) / dx - y.jacobian[(0, 0)]).abs() < 1e-2);
//! ```
//!
//! Modules like this are usually generated from a model's file by the `fnn` program of `fnn-std`.
//!
//! # What is computed
//! Layer k takes the value yᵏ⁻¹ to yᵏ = f(zᵏ), zᵏ = bᵏ + Aᵏ yᵏ⁻¹, from the input y⁰ = x. The
//! sensitivity Sᵏ = ∂yᵏ/∂x follows in the same pass: Sᵏ = diag(f′(zᵏ)) Aᵏ Sᵏ⁻¹, from S¹ =
//! diag(f′(z¹)) A¹, so that the identity S⁰ is never multiplied. Value and sensitivity share every
//! z, every weight that is loaded, and the exponential that f and f′ are made of.
//!
//! That is forward accumulation, a column for each input. Reverse accumulation takes the value and
//! the slopes first, and then a row for each output from the last layer to the first: Cᴸ⁻¹ =
//! diag(f′(zᴸ)) Aᴸ, Cᵏ⁻¹ = Cᵏ diag(f′(zᵏ)) Aᵏ. Where a layer in the middle is narrow it is cheapest to
//! come from both ends: ∂yᴸ/∂x = Cᵏ Sᵏ. The compiler takes the order with the fewest multiply-adds
//! of all, or the one that the network's type names: [`Forward`], [`Reverse`], [`Cut`].
//!
//! | what is needed | | multiply-adds |
//! |---|---|---|
//! | the value | [`Network::value`] | [`VALUE_MULTIPLY_ADDS`](Network::VALUE_MULTIPLY_ADDS) |
//! | and the Jacobian | [`Network::evaluate`] | and [`JACOBIAN_MULTIPLY_ADDS`](Network::JACOBIAN_MULTIPLY_ADDS) |
//! | and some columns of it, as ∂/∂u of [x, u] | [`Network::columns`] | and [`columns_multiply_adds`](Network::columns_multiply_adds) |
//! | and J·v | [`Network::jvp`] | twice those of the value |
//! | and wᵀ·J | [`Network::vjp`] | twice those of the value |
//!
//! # Conventions
//! - `weight[i][j]` multiplies input j for output i; `jacobian[(i, j)]` is ∂ output i / ∂ input j.
//! - Vectors and matrices are nalgebra's, on the stack, stored column by column.
//! - A size is a constant of a type. Layers that do not fit do not compile, and the message names
//!   the layer and both sizes.
//! - The slope of an activation at a kink is PyTorch's; each type says which.
//!
//! # The same bits
//! On every target with IEEE-754 arithmetic the same network, input and order of accumulation give
//! the same bits, in `f32` and in `f64`: a sum starts at its bias, or at zero for a derivative, and
//! adds its products in ascending index, each product and each sum rounded; elementary functions are made
//! of the same exactly rounded operations everywhere. Only the sign and payload of a NaN are the
//! processor's own. Compilers that contract a product and a sum into one rounding, or flush
//! subnormal numbers to zero, are outside this promise. `rustc` does neither by itself, but where it
//! vectorizes for Helium (Cortex-M55, M85) the processor's vectors flush: there the promise holds
//! for `f32` where no number of the evaluation is subnormal. The feature `helium` chooses blocks for
//! these vectors.
//!
//! # What it does not do
//! It allocates nothing, knows no file, clock, pin or thread, contains no `unsafe`, and no input
//! makes it panic: a NaN or an infinity goes through as IEEE-754 says. It does not train, quantise
//! or convolve. Reading models is the work of `fnn-std`, running on a board that of `fnn-embedded`.
//!
//! # Rust version
//! 1.95. A later minimum is a minor release and is listed in the changelog.

#![no_std]
#![forbid(unsafe_code)]

mod activation;
mod chain;
#[cfg(test)]
mod counted;
mod dense;
mod kernel;
mod layer;
mod math;
mod network;
mod order;
mod replay;
mod scalar;
mod shape;
mod workspace;

pub use activation::{
    Activation, Clip, Elu, Gelu, GeluTanh, HardSigmoid, HardSwish, Identity, LeakyRelu, Mish, Relu,
    Selu, Sigmoid, Silu, Softplus, Softsign, Tanh,
};
pub use chain::{Accepts, Chain};
pub use dense::Dense;
#[doc(hidden)]
pub use layer::slices;
pub use layer::{Affine, Concat, Layer, LayerNorm, Map, Residual, Select, Softmax};
pub use nalgebra::{self, SMatrix, SVector};
pub use network::{Evaluation, Jvp, Network, Vjp};
pub use order::{Auto, Cut, Forward, Order, Reverse};
pub use replay::{Mismatch, Record};
pub use scalar::Scalar;
pub use shape::{Shape, Step};
pub use workspace::Workspace;
