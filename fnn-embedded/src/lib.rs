//! What firmware adds to a network of [`fnn_core`]: the functions behind a C interface, [`ffi`], and the
//! measuring of the stack that an evaluation takes, [`PaintedStack`].
//!
//! Nothing here knows a board. The folder `firmware` beside this crate holds binaries for boards,
//! which link the crate and show how it is used; `cargo xtask firmware` runs them in an emulator.
//!
//! # Unsafe
//! The stack lies outside of what Rust gives a name to, and so does C's memory: `stack.rs` and `ffi.rs`
//! read and write raw memory that their caller vouches for. No other file holds `unsafe`.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

#[cfg(test)]
extern crate std;

#[cfg(feature = "control")]
mod control;
pub mod ffi;
mod stack;

#[cfg(feature = "control")]
pub use control::*;
#[cfg(feature = "control")]
pub use {embedded_hal, embedded_io, heapless};

pub use stack::PaintedStack;
