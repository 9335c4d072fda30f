//! Evaluates the inputs recorded on the desk, compares the bits, and measures.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m::Peripherals;
use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use fnn_core::{SVector, Scalar as _};
use fnn_firmware::{
    BOARD, Counter, exit,
    network::{NETWORK, Network, RECORDS, Scalar, Workspace},
    stack_of,
};

#[entry]
fn main() -> ! {
    static mut WORKSPACE: Workspace = Workspace::new();

    let result = NETWORK.replay(&RECORDS, WORKSPACE);
    let numbers = RECORDS.len() * Network::OUTPUTS * (1 + Network::INPUTS);
    hprintln!("board: {}", BOARD.name);
    hprintln!("scalar: {}", Scalar::NAME);
    hprintln!("records: {}", RECORDS.len());
    hprintln!("numbers compared: {}", numbers);
    match result {
        Ok(()) => hprintln!("bits: equal"),
        Err(mismatch) => hprintln!("bits: {}", mismatch),
    }

    let x = SVector::from(RECORDS[0].input);
    let mut counter = Counter::start(Peripherals::take().unwrap().SYST);
    let value = counter.instructions(|| {
        black_box(&NETWORK.value(black_box(&x), WORKSPACE));
    });
    let evaluation = counter.instructions(|| {
        black_box(&NETWORK.evaluate(black_box(&x), WORKSPACE));
    });
    let stack = stack_of(|| {
        black_box(&NETWORK.evaluate(black_box(&x), WORKSPACE));
    });
    hprintln!("instructions of value: {}", value);
    hprintln!("instructions of evaluate: {}", evaluation);
    hprintln!("stack of evaluate: {}", stack);
    hprintln!("workspace: {}", size_of::<Workspace>());
    exit(result.is_ok())
}
