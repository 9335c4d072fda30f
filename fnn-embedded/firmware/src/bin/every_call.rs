//! Every call that a network has, at an input that the compiler knows nothing of: `cargo xtask
//! panics` shows that none of them can panic.
#![no_std]
#![no_main]

use core::{hint::black_box, ptr};

use fnn_core::SVector;
use fnn_firmware::{
    entry,
    network::{NETWORK, Network, RECORDS, Scalar},
};

const IN: usize = Network::INPUTS;
const OUT: usize = Network::OUTPUTS;

/// Enough for every call: `vjp` and one column in another order may take more than `evaluate`.
const LEN: usize = Network::WORKSPACE
    + Network::columns_workspace(1)
    + Network::JVP_WORKSPACE
    + Network::VJP_WORKSPACE;

#[entry]
fn main() -> ! {
    static mut WORKSPACE: fnn_core::Workspace<Scalar, LEN> = fnn_core::Workspace::new();
    static mut INPUT: [Scalar; IN] = [0.0; IN];
    static mut WEIGHT: [Scalar; OUT] = [0.0; OUT];
    loop {
        // SAFETY: a reference is valid for reads.
        let x = SVector::from(unsafe { ptr::read_volatile(INPUT) });
        // SAFETY: as above.
        let w = SVector::from(unsafe { ptr::read_volatile(WEIGHT) });
        black_box(NETWORK.value(&x, WORKSPACE));
        black_box(NETWORK.evaluate(&x, WORKSPACE));
        black_box(NETWORK.columns::<0, 1, _>(&x, WORKSPACE));
        black_box(NETWORK.jvp(&x, &x, WORKSPACE));
        black_box(NETWORK.vjp(&x, &w, WORKSPACE));
        black_box(NETWORK.replay(&RECORDS, WORKSPACE).is_ok());
    }
}
