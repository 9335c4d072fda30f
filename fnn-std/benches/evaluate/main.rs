//! Value and Jacobian beside the ways that people have today, for six networks in both precisions.
//!
//! Every contender evaluates the same weights at the same inputs, and its numbers are compared with
//! those of the reference before its time is taken. All take turns in short rounds, and the median
//! of the rounds counts, so that a machine that slows down slows all of them.

mod contender;
mod evaluator;
mod fixed;
mod network;
mod peak;
mod with_nalgebra;
mod with_num_dual;

use std::{env, thread};

use contender::{All, Number, Result};
use network::Network;

/// Rounds that each contender is timed in.
const ROUNDS: usize = 61;

/// Inputs at which numbers are compared.
const CHECKED: usize = 8;

/// Layers are moved to their place, some of them 512 kB large.
const STACK: usize = 1 << 28;

fn main() -> Result<()> {
    let bench = thread::Builder::new()
        .stack_size(STACK)
        .spawn(|| run().map_err(|error| error.to_string()))?;
    match bench.join() {
        Ok(result) => Ok(result?),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn run() -> Result<()> {
    let networks = network::table();
    let timed = env::args().any(|arg| arg == "--bench");
    for network in &networks {
        one::<f32>(network, timed)?;
        one::<f64>(network, timed)?;
    }
    if !timed {
        println!("all contenders agree; `cargo xtask bench` takes their times");
    }
    Ok(())
}

fn one<T: Number>(network: &Network, timed: bool) -> Result<()> {
    let mut all: All<T> = fixed::contenders(network);
    all.extend(evaluator::contenders(network)?);
    contender::check(network, &mut all, CHECKED)?;
    if !timed {
        return Ok(());
    }
    all.push(peak::contender());
    let times = contender::race(&mut all, &contender::points_of(network), ROUNDS)?;
    for (c, t) in all.iter().zip(times) {
        println!("{} {} {} {t:.0}", network.name, T::NAME, c.name());
    }
    Ok(())
}
