//! As `minimal`, with value and Jacobian only where they are needed: the twin in Rust of the C program
//! `minimal.c`, beside which `cargo xtask c` weighs it.
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
static NEED: Port<bool> = Port::new(false);
static INPUT: Port<[Scalar; IN]> = Port::new([0.0; IN]);
static VALUE: Port<Option<SVector<Scalar, OUT>>> = Port::new(None);
static OUTPUT: Port<Option<Evaluation<Scalar, IN, OUT>>> = Port::new(None);

#[entry]
fn main() -> ! {
    // SAFETY: reset calls this function once.
    let workspace = unsafe { WORKSPACE.take() };
    loop {
        let x = SVector::from(INPUT.read());
        if NEED.read() {
            OUTPUT.write(Some(NETWORK.evaluate(&x, workspace)));
        } else {
            VALUE.write(Some(NETWORK.value(&x, workspace)));
        }
    }
}
