//! Reset, input, evaluation, output, and nothing else: what a product pays for the network.
//!
//! `cargo xtask size` weighs its image.
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
    // They stand for a sensor and an actuator: the compiler knows nothing of what is read there,
    // and what is written counts.
    static mut INPUT: [Scalar; IN] = [0.0; IN];
    static mut OUTPUT: Option<Evaluation<Scalar, IN, OUT>> = None;
    loop {
        // SAFETY: a reference is valid for reads.
        let x = SVector::from(unsafe { ptr::read_volatile(INPUT) });
        let evaluation = NETWORK.evaluate(&x, WORKSPACE);
        // SAFETY: a mutable reference is valid for writes.
        unsafe { ptr::write_volatile(OUTPUT, Some(evaluation)) };
    }
}
