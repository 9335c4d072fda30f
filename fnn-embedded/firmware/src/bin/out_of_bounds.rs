//! `minimal` with one index that may be out of bounds: `cargo xtask panics` must find it, or its
//! silence about `minimal` would mean nothing.
#![no_std]
#![no_main]

use fnn_core::SVector;
use fnn_firmware::{
    Own, Port, entry,
    network::{NETWORK, Network, Scalar, Workspace},
};

static WORKSPACE: Own<Workspace> = Own::new(Workspace::new());
static INPUT: Port<[Scalar; Network::INPUTS]> = Port::new([0.0; Network::INPUTS]);
static OUTPUT: Port<Scalar> = Port::new(0.0);

#[entry]
fn main() -> ! {
    // SAFETY: reset calls this function once.
    let workspace = unsafe { WORKSPACE.take() };
    loop {
        let x = SVector::from(INPUT.read());
        let evaluation = NETWORK.evaluate(&x, workspace);
        OUTPUT.write(evaluation.value.as_slice()[x[0] as usize]);
    }
}
