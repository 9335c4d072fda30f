//! Every call that a network has, at an input that the compiler knows nothing of: `cargo xtask panics` shows
//! that none of them can panic. Of the functions behind a C interface `fnn generate --library` shows it for
//! each library that it makes.
#![no_std]
#![no_main]

use core::hint::black_box;

use fnn_core::SVector;
use fnn_firmware::{
    Own, Port, entry,
    network::{NETWORK, Network, RECORDS, Scalar},
};

const IN: usize = Network::INPUTS;
const OUT: usize = Network::OUTPUTS;

/// Enough for every call: `vjp` and one column in another order may take more than `evaluate`.
const LEN: usize = Network::WORKSPACE
    + Network::columns_workspace(1)
    + Network::JVP_WORKSPACE
    + Network::VJP_WORKSPACE;

static WORKSPACE: Own<fnn_core::Workspace<Scalar, LEN>> = Own::new(fnn_core::Workspace::new());
static INPUT: Port<[Scalar; IN]> = Port::new([0.0; IN]);
static WEIGHT: Port<[Scalar; OUT]> = Port::new([0.0; OUT]);
static FIRST: Port<usize> = Port::new(0);

#[entry]
fn main() -> ! {
    // SAFETY: reset calls this function once.
    let workspace = unsafe { WORKSPACE.take() };
    let mut value = [0.0; OUT];
    loop {
        let (x, w) = (SVector::from(INPUT.read()), SVector::from(WEIGHT.read()));
        black_box(NETWORK.value(&x, workspace));
        black_box(NETWORK.evaluate(&x, workspace));
        black_box(NETWORK.evaluate_in_workspace(&x, &mut value, workspace));
        black_box(NETWORK.columns::<0, 1, _>(&x, workspace));
        let first = FIRST.read();
        black_box(NETWORK.columns_in_workspace::<1, _>(&x, first, &mut value, workspace));
        black_box(NETWORK.jvp(&x, &x, workspace));
        black_box(NETWORK.vjp(&x, &w, workspace));
        black_box(NETWORK.replay(&RECORDS, workspace).is_ok());
    }
}
