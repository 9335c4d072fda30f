//! `minimal` with one index that may be out of bounds: `cargo xtask panics` must find it, or its
//! silence about `minimal` would mean nothing.
#![no_std]
#![no_main]

use core::ptr;

use fnn_core::SVector;
use fnn_firmware::{
    entry,
    network::{NETWORK, Network, Scalar, Workspace},
};

#[entry]
fn main() -> ! {
    static mut WORKSPACE: Workspace = Workspace::new();
    static mut INPUT: [Scalar; Network::INPUTS] = [0.0; Network::INPUTS];
    static mut OUTPUT: Scalar = 0.0;
    loop {
        // SAFETY: a reference is valid for reads.
        let x = SVector::from(unsafe { ptr::read_volatile(INPUT) });
        let evaluation = NETWORK.evaluate(&x, WORKSPACE);
        let chosen = evaluation.value.as_slice()[x[0] as usize];
        // SAFETY: a mutable reference is valid for writes.
        unsafe { ptr::write_volatile(OUTPUT, chosen) };
    }
}
