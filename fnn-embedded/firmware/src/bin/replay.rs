//! Evaluates the inputs recorded on the desk, compares the bits, and measures.
#![no_std]
#![no_main]

use core::{hint::black_box, slice};

use fnn_core::{Evaluation, SMatrix, SVector, Scalar as _};
use fnn_firmware::{
    BOARD, Counter, entry, exit, hprintln,
    network::{NETWORK, Network, RECORDS, Scalar, Workspace},
    stack_of,
};

/// A number in `f32` may be off by so much where subnormal numbers count as zero: each of them is
/// below 1.2e-38, but the layers that follow multiply the difference and add others to it. Nothing
/// is flushed in `f64`.
const FLUSHED: Scalar = if size_of::<Scalar>() == 4 { 1e-36 } else { 0.0 };

/// How many records differ from the desk by no more than [`FLUSHED`]; `None` if one differs by more.
fn flushed(workspace: &mut fnn_core::Workspace<Scalar, MOST>) -> Option<usize> {
    let mut count = 0;
    for record in &RECORDS {
        if NETWORK.replay(slice::from_ref(record), workspace).is_err() {
            let found = NETWORK.evaluate(&SVector::from(record.input), workspace);
            let value = found.value - SVector::from(record.value);
            let rows: SMatrix<_, { Network::INPUTS }, { Network::OUTPUTS }> =
                record.jacobian.into();
            let jacobian = found.jacobian - rows.transpose();
            let mut differences = value.iter().chain(&jacobian);
            if !differences.all(|difference| difference.abs() <= FLUSHED) {
                return None;
            }
            count += 1;
        }
    }
    Some(count)
}

/// Numbers of scratch memory that are enough for every call, of which `evaluate` may not take the most.
const MOST: usize = most(&[
    Network::WORKSPACE,
    Network::columns_workspace(1),
    Network::JVP_WORKSPACE,
    Network::VJP_WORKSPACE,
]);

const fn most(mut numbers: &[usize]) -> usize {
    let mut most = 0;
    while let [first, rest @ ..] = numbers {
        if *first > most {
            most = *first;
        }
        numbers = rest;
    }
    most
}

#[entry]
fn main() -> ! {
    let workspace = &mut fnn_core::Workspace::new();
    let result = NETWORK.replay(&RECORDS, workspace);
    let flushed = if BOARD.helium {
        flushed(workspace)
    } else {
        result.is_ok().then_some(0)
    };
    let numbers = RECORDS.len() * Network::OUTPUTS * (1 + Network::INPUTS);
    hprintln!("board: {}", BOARD.name);
    hprintln!("scalar: {}", Scalar::NAME);
    hprintln!("records: {}", RECORDS.len());
    hprintln!("numbers compared: {}", numbers);
    match result {
        Ok(()) => hprintln!("bits: equal"),
        Err(mismatch) => hprintln!("bits: {}", mismatch),
    }
    if let Some(flushed) = flushed {
        hprintln!("records equal but for subnormals: {}", flushed);
    }

    let x = SVector::from(RECORDS[0].input);
    let mut counter = Counter::start();
    let value = counter.instructions(|| {
        black_box(&NETWORK.value(black_box(&x), workspace));
    });
    let evaluation = counter.instructions(|| {
        black_box(&NETWORK.evaluate(black_box(&x), workspace));
    });
    hprintln!("instructions of value: {}", value);
    hprintln!("instructions of evaluate: {}", evaluation);
    let w = SVector::from(RECORDS[0].value);
    macro_rules! stack {
        ($($name:literal: $call:expr,)*) => { $(
            let bytes = stack_of(|| {
                black_box(&$call);
            });
            hprintln!("stack of {}: {}", $name, bytes);
        )* };
    }
    stack! {
        "value": NETWORK.value(black_box(&x), workspace),
        "evaluate": NETWORK.evaluate(black_box(&x), workspace),
        "columns": NETWORK.columns::<0, 1, _>(black_box(&x), workspace),
        "jvp": NETWORK.jvp(black_box(&x), &x, workspace),
        "vjp": NETWORK.vjp(black_box(&x), &w, workspace),
        "replay": NETWORK.replay(black_box(&RECORDS[..1]), workspace),
    }
    hprintln!(
        "returned by evaluate: {}",
        size_of::<Evaluation<Scalar, { Network::INPUTS }, { Network::OUTPUTS }>>()
    );
    hprintln!("workspace: {}", size_of::<Workspace>());
    exit(flushed.is_some())
}
