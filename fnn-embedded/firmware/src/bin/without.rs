//! `minimal` without the evaluation: what it lacks of that image is the evaluation's code.
//!
//! `cargo xtask size` subtracts it.
#![no_std]
#![no_main]

use fnn_core::{Evaluation, SMatrix, SVector};
use fnn_firmware::{
    Port, entry,
    network::{Network, Scalar},
};

const IN: usize = Network::INPUTS;
const OUT: usize = Network::OUTPUTS;

static INPUT: Port<[Scalar; IN]> = Port::new([0.0; IN]);
static OUTPUT: Port<Option<Evaluation<Scalar, IN, OUT>>> = Port::new(None);

#[entry]
fn main() -> ! {
    loop {
        let x = INPUT.read();
        OUTPUT.write(Some(Evaluation {
            value: SVector::repeat(x[0]),
            jacobian: SMatrix::repeat(x[0]),
        }));
    }
}
