//! As `minimal`, with value and Jacobian only where they are needed: the twin in Rust of the C program
//! `minimal.c`, beside which `cargo xtask c` weighs it.
#![no_std]
#![no_main]

use core::ptr;

use fnn_core::{Evaluation, SVector};
use fnn_firmware::{
    entry,
    network::{NETWORK, Network, Scalar, Workspace},
};

const IN: usize = Network::INPUTS;
const OUT: usize = Network::OUTPUTS;

#[entry]
fn main() -> ! {
    static mut WORKSPACE: Workspace = Workspace::new();
    static mut NEED: bool = false;
    static mut INPUT: [Scalar; IN] = [0.0; IN];
    static mut VALUE: SVector<Scalar, OUT> = SVector::from_array_storage(ZERO);
    static mut OUTPUT: Option<Evaluation<Scalar, IN, OUT>> = None;
    loop {
        // SAFETY: a reference is valid for reads.
        let x = SVector::from(unsafe { ptr::read_volatile(INPUT) });
        // SAFETY: as above.
        if unsafe { ptr::read_volatile(NEED) } {
            let evaluation = NETWORK.evaluate(&x, WORKSPACE);
            // SAFETY: a mutable reference is valid for writes.
            unsafe { ptr::write_volatile(OUTPUT, Some(evaluation)) };
        } else {
            let value = NETWORK.value(&x, WORKSPACE);
            // SAFETY: a mutable reference is valid for writes.
            unsafe { ptr::write_volatile(VALUE, value) };
        }
    }
}

const ZERO: fnn_core::nalgebra::ArrayStorage<Scalar, OUT, 1> =
    fnn_core::nalgebra::ArrayStorage([[0.0; OUT]]);
