//! Value and Jacobian beside the ways that people have today, for six networks in both precisions.
//! `cargo xtask bench` prepares the peers and runs this; a test compares numbers only.
//!
//! Every contender evaluates the same weights at the same inputs, and its numbers are compared with
//! those of the reference before its time is taken. All take turns in short rounds, and the median
//! of the rounds counts, so that a machine that slows down slows all of them.

mod compiled;
mod contender;
mod evaluator;
mod fixed;
mod growth;
mod network;
mod peak;
mod plot;
mod process;
mod report;
mod with_nalgebra;
mod with_num_dual;

use std::{
    cell::RefCell,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    thread,
    time::Instant,
};

use contender::{All, Number, Result};
use fnn_std::Evaluator;
use network::Network;
use process::{Process, There};
use report::{Batch, Report, Table};

/// Rounds that each contender is timed in; those of a batch take long.
const ROUNDS: usize = 61;
const BATCH_ROUNDS: usize = 9;

/// Inputs at which numbers are compared.
const CHECKED: usize = 8;

/// Inputs of a batch, and the processors that share them.
const BATCH: usize = 65_536;
const THREADS: usize = 2;

/// Layers are moved to their place, some of them 512 kB large.
const STACK: usize = 1 << 28;

/// What `cargo xtask bench` hands over.
#[derive(Default)]
struct Options {
    /// Take times; otherwise compare numbers only.
    timed: bool,
    /// Answer the same program, compiled with other options.
    serve: bool,
    /// Where the peers' code and libraries go; without it there are no peers in C.
    peers: Option<PathBuf>,
    /// A Python with CasADi and JAX.
    python: Option<PathBuf>,
    /// This program compiled for any x86-64.
    baseline: Option<PathBuf>,
    /// Where the plots go.
    plots: Option<PathBuf>,
    /// What was counted on the board.
    board: Option<PathBuf>,
    /// Where the figures go.
    json: Option<PathBuf>,
}

impl Options {
    fn parse() -> Result<Self> {
        let mut options = Self::default();
        let mut args = env::args().skip(1);
        while let Some(arg) = args.next() {
            let place = match arg.as_str() {
                "--bench" => {
                    options.timed = true;
                    continue;
                }
                "--serve" => {
                    options.serve = true;
                    continue;
                }
                "--peers" => &mut options.peers,
                "--python" => &mut options.python,
                "--baseline" => &mut options.baseline,
                "--plots" => &mut options.plots,
                "--board" => &mut options.board,
                "--json" => &mut options.json,
                // What `cargo test` is told about tests.
                _ => continue,
            };
            *place = Some(args.next().ok_or(format!("{arg} takes a value"))?.into());
        }
        Ok(options)
    }
}

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
    let options = Options::parse()?;
    let networks = network::table();
    if options.serve {
        return process::serve(&networks);
    }
    if !options.timed {
        for network in &networks {
            contender::check(network, &mut ours::<f32>(network)?, CHECKED)?;
            contender::check(network, &mut ours::<f64>(network)?, CHECKED)?;
        }
        println!("all contenders agree; `cargo xtask bench` takes their times");
        return Ok(());
    }

    let growth = growth::all();
    let mut report = Report::new();
    let mut peers = Peers::default();
    if let Some(folder) = &options.peers {
        peers = Peers::prepare(folder, &options, &networks, &growth, &mut report)?;
    }
    for network in &networks {
        report.table(peers.race::<f32>(network)?);
        report.table(peers.race::<f64>(network)?);
    }
    if let Some(seed) = networks.iter().find(|network| network.name == "seed") {
        report.batch(peers.batch(seed)?);
    }
    if let (Some(plots), Some(folder)) = (&options.plots, &options.peers) {
        fs::create_dir_all(plots)?;
        for growth in &growth {
            let figures = growth::measure(growth, folder, peers.has_casadi, plots)?;
            report.growth.push(figures);
        }
    }
    report.finish(options.board.as_deref(), options.json.as_deref())
}

/// What is compiled into this program.
fn ours<T: Number>(network: &Network) -> Result<All<T>> {
    let mut all = fixed::contenders(network);
    all.extend(evaluator::contenders(network)?);
    Ok(all)
}

/// The contenders that are not compiled into this program, as far as they are there.
#[derive(Default)]
struct Peers {
    /// The libraries of C by hand.
    folder: Option<PathBuf>,
    has_casadi: bool,
    jax: Option<Rc<RefCell<Process>>>,
    baseline: Option<Rc<RefCell<Process>>>,
}

impl Peers {
    fn prepare(
        folder: &Path,
        options: &Options,
        networks: &[Network],
        growth: &[growth::Growth],
        report: &mut Report,
    ) -> Result<Self> {
        // What an earlier run left may be of other networks.
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let grown: Vec<_> = growth
            .iter()
            .flat_map(|growth| growth.networks.iter().map(|(_, network)| network))
            .collect();
        compiled::write(folder, networks, &grown)?;

        let start = Instant::now();
        let script = |name: &str| {
            let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
            peers.join(name)
        };
        if let Some(python) = &options.python {
            let output = Command::new(python)
                .arg(script("with_casadi.py"))
                .arg(folder)
                .output()?;
            if !output.status.success() {
                let error = String::from_utf8_lossy(&output.stderr);
                return Err(format!("with_casadi.py: {error}").into());
            }
            let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            report.version("casadi", &version);
        }
        compiled::compile(folder, networks)?;
        report.version("gcc", &report::first_line("gcc", "--version"));
        println!("prepared in {:.0} s", start.elapsed().as_secs_f64());

        let mut peers = Self {
            folder: Some(folder.to_owned()),
            has_casadi: options.python.is_some(),
            ..Self::default()
        };
        if let Some(python) = &options.python {
            let script = script("with_jax.py");
            let args = [script.as_os_str(), folder.as_os_str()];
            let (jax, version) = Process::start("JAX", python.as_os_str(), &args)?;
            report.version("jax", &version);
            peers.jax = Some(jax);
        }
        if let Some(baseline) = &options.baseline {
            let args = ["--serve".as_ref()];
            let (baseline, _) = Process::start(report::BASELINE, baseline.as_os_str(), &args)?;
            peers.baseline = Some(baseline);
        }
        Ok(peers)
    }

    /// The times of all contenders for one network.
    fn race<T: Number>(&self, network: &Network) -> Result<Table> {
        let mut all: All<T> = ours(network)?;
        let there = |name: &str, process: &Rc<RefCell<Process>>| {
            Box::new(There {
                name: name.to_owned(),
                process: process.clone(),
                network: network.name.clone(),
                outputs: network.outputs(),
            })
        };
        if let Some(baseline) = &self.baseline {
            all.push(there(report::BASELINE, baseline));
        }
        if let Some(folder) = &self.folder {
            all.extend(compiled::by_hand(folder, network)?);
            if self.has_casadi {
                all.push(compiled::by_casadi(folder, network)?);
            }
        }
        if let Some(jax) = &self.jax {
            all.push(there("JAX, jit", jax));
        }
        contender::check(network, &mut all, CHECKED)?;
        all.push(peak::contender());
        let mut times = contender::race(&mut all, &contender::points_of(network), ROUNDS)?;
        let peak = peak::multiply_adds::<T>() as f64 / times.pop().unwrap_or(f64::NAN);
        let names = all.iter().map(|contender| contender.name().to_owned());
        Ok(Table::new(
            network,
            T::NAME,
            peak,
            names.zip(times).collect(),
        ))
    }

    /// Nanoseconds of one input in a batch, by `fnn-std` and by JAX, f32, in turn.
    fn batch(&self, network: &Network) -> Result<Batch> {
        let points = contender::points_of::<f32>(network);
        let x: Vec<f32> = points.into_iter().cycle().take(BATCH).flatten().collect();
        let mut value = vec![0.0; BATCH * network.outputs()];
        let mut jacobian = vec![0.0; value.len() * network.inputs()];
        let mut evaluator = Evaluator::<f32>::new(&network.model)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..BATCH_ROUNDS {
            let start = Instant::now();
            evaluator.batch(&x, &mut value, &mut jacobian, THREADS)?;
            ours.push(start.elapsed().as_nanos() as f64 / BATCH as f64);
            if let Some(jax) = &self.jax {
                let line = format!("batch {} f32 {BATCH}", network.name);
                theirs.push(jax.borrow_mut().ask(&line)?.parse()?);
            }
        }
        Ok(Batch {
            network: network.name.clone(),
            inputs: BATCH,
            threads: THREADS,
            ours: contender::median(ours),
            jax: (!theirs.is_empty()).then(|| contender::median(theirs)),
        })
    }
}
