//! Embedded.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

mod stack;

pub use stack::PaintedStack;
