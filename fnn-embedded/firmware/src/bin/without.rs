//! `minimal` without the evaluation: what it lacks of that image is the evaluation's code.
//!
//! `cargo xtask size` subtracts it.
#![no_std]
#![no_main]

use core::ptr;

use fnn_core::{Evaluation, SMatrix, SVector};
use fnn_firmware::{
    entry,
    network::{Network, Scalar},
};

const IN: usize = Network::INPUTS;
const OUT: usize = Network::OUTPUTS;

#[entry]
fn main() -> ! {
    static mut INPUT: [Scalar; IN] = [0.0; IN];
    static mut OUTPUT: Option<Evaluation<Scalar, IN, OUT>> = None;
    loop {
        // SAFETY: a reference is valid for reads.
        let x = unsafe { ptr::read_volatile(INPUT) };
        let evaluation = Evaluation {
            value: SVector::repeat(x[0]),
            jacobian: SMatrix::repeat(x[0]),
        };
        // SAFETY: a mutable reference is valid for writes.
        unsafe { ptr::write_volatile(OUTPUT, Some(evaluation)) };
    }
}
