//! Reset, input, evaluation, output, and nothing else: what a product pays for the network.
//!
//! `cargo xtask size` weighs its image.
#![no_std]
#![no_main]

use fnn_core::{Evaluation, SVector};
use fnn_firmware::{
    Own, Port, entry,
    network::{NETWORK, Network, Scalar, Workspace},
};

const IN: usize = Network::INPUTS;
const OUT: usize = Network::OUTPUTS;

static WORKSPACE: Own<Workspace> = Own::new(Workspace::new());
static INPUT: Port<[Scalar; IN]> = Port::new([0.0; IN]);
static OUTPUT: Port<Option<Evaluation<Scalar, IN, OUT>>> = Port::new(None);

#[entry]
fn main() -> ! {
    // SAFETY: reset calls this function once.
    let workspace = unsafe { WORKSPACE.take() };
    loop {
        let x = SVector::from(INPUT.read());
        OUTPUT.write(Some(NETWORK.evaluate(&x, workspace)));
    }
}
