//! What was found: tables for people, JSON for programs, and the goals.

use std::{env, fs, path::Path, process::Command};

use serde_json::{Map, Value, json};

use crate::{contender::Result, network::Network};

/// `fnn-std` in a program for any x86-64, which finds the processor's vectors when it runs.
pub(crate) const BASELINE: &str = "fnn-std, x86-64 baseline";

/// The times of one network in one precision.
pub(crate) struct Table {
    network: String,
    shape: String,
    precision: &'static str,
    order: String,
    value: usize,
    both: usize,
    /// Multiply-adds in a nanosecond that the machine computes at most.
    peak: f64,
    rows: Vec<(String, f64)>,
}

/// Nanoseconds of one input in a batch.
pub(crate) struct Batch {
    pub(crate) network: String,
    pub(crate) inputs: usize,
    pub(crate) threads: usize,
    pub(crate) ours: f64,
    pub(crate) jax: Option<f64>,
}

impl Batch {
    fn json(&self) -> Value {
        json!({
            "network": self.network, "precision": "f32", "inputs": self.inputs,
            "threads": self.threads, "fnn_std_ns": self.ours, "jax_ns": self.jax,
            "ratio": self.jax.map(|jax| jax / self.ours),
        })
    }
}

impl Table {
    pub(crate) fn new(
        network: &Network,
        precision: &'static str,
        peak: f64,
        rows: Vec<(String, f64)>,
    ) -> Self {
        Self {
            network: network.name.clone(),
            shape: network.shape(),
            precision,
            order: network.order(),
            value: network.value_multiply_adds(),
            both: network.multiply_adds(),
            peak,
            rows,
        }
    }

    /// The median of the contender of this name.
    fn ns(&self, name: &str) -> Option<f64> {
        self.rows.iter().find(|row| row.0 == name).map(|row| row.1)
    }

    /// The median of the fastest of ours.
    fn fastest(&self) -> f64 {
        let ours = ["fnn-core", "fnn-core, forward", "fnn-std"];
        ours.into_iter()
            .filter_map(|name| self.ns(name))
            .fold(f64::INFINITY, f64::min)
    }

    /// The share of the peak that multiply-adds in the cheapest order reach in this time.
    fn share(&self, name: &str, ns: f64) -> f64 {
        let multiply_adds = if name.ends_with("value alone") {
            self.value
        } else {
            self.both
        };
        multiply_adds as f64 / (ns * self.peak)
    }

    fn print(&self) {
        println!(
            "\n{} {}, {}: {} multiply-adds ({}), peak {:.1} in a ns",
            self.network, self.shape, self.precision, self.both, self.order, self.peak
        );
        println!(
            "    {:<26} {:>11} {:>8} {:>8}",
            "", "ns", "ratio", "of peak"
        );
        for (name, ns) in &self.rows {
            println!(
                "    {name:<26} {ns:>11.0} {:>8.2} {:>6.1} %",
                ns / self.fastest(),
                100.0 * self.share(name, *ns)
            );
        }
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(name, ns)| {
            json!({
                "name": name, "ns": ns, "ratio": ns / self.fastest(),
                "share_of_peak": self.share(name, *ns),
            })
        });
        json!({
            "name": self.network, "shape": self.shape, "precision": self.precision,
            "order": self.order, "multiply_adds": self.both, "multiply_adds_of_value": self.value,
            "peak_multiply_adds_per_ns": self.peak, "contenders": rows.collect::<Vec<_>>(),
        })
    }
}

/// All that one run finds.
pub(crate) struct Report {
    versions: Map<String, Value>,
    tables: Vec<Table>,
    batch: Option<Batch>,
    pub(crate) growth: Vec<Value>,
}

/// A goal, what was found, and whether that reaches it.
struct Goal {
    name: String,
    wanted: String,
    found: Option<(String, bool)>,
}

impl Report {
    pub(crate) fn new() -> Self {
        let mut report = Self {
            versions: Map::new(),
            tables: Vec::new(),
            batch: None,
            growth: Vec::new(),
        };
        report.version("rustc", &first_line("rustc", "--version"));
        for package in ["nalgebra", "num-dual"] {
            report.version(package, locked(package));
        }
        println!("machine: {}", processor());
        report
    }

    pub(crate) fn version(&mut self, name: &str, version: &str) {
        println!("{name}: {version}");
        self.versions.insert(name.to_owned(), version.into());
    }

    pub(crate) fn table(&mut self, table: Table) {
        table.print();
        self.tables.push(table);
    }

    pub(crate) fn batch(&mut self, batch: Batch) {
        println!(
            "\n{} f32, {} inputs on {} threads, ns of one: fnn-std {:.0}{}",
            batch.network,
            batch.inputs,
            batch.threads,
            batch.ours,
            batch
                .jax
                .map_or(String::new(), |jax| format!(", JAX vmap {jax:.0}"))
        );
        self.batch = Some(batch);
    }

    /// Prints the goals and writes the figures.
    pub(crate) fn finish(self, boards: Option<&Path>, json: Option<&Path>) -> Result<()> {
        let boards: Value = match boards {
            Some(file) => serde_json::from_str(&fs::read_to_string(file)?)?,
            None => Value::Null,
        };
        let goals = self.goals(&boards);
        println!("\n{:<60} {:>8} {:>8}", "goal", "wanted", "found");
        for goal in &goals {
            let (found, reached) = match &goal.found {
                Some((found, true)) => (found.as_str(), "reached"),
                Some((found, false)) => (found.as_str(), "NOT reached"),
                None => ("-", "not measured"),
            };
            println!("{:<60} {:>8} {found:>8}  {reached}", goal.name, goal.wanted);
        }
        let Some(file) = json else {
            return Ok(());
        };
        let goals = goals.iter().map(|goal| {
            json!({
                "goal": goal.name, "wanted": goal.wanted,
                "found": goal.found.as_ref().map(|found| &found.0),
                "reached": goal.found.as_ref().map(|found| found.1),
            })
        });
        let text = serde_json::to_string_pretty(&json!({
            "machine": processor(),
            "versions": self.versions,
            "networks": self.tables.iter().map(Table::json).collect::<Vec<_>>(),
            "batch": self.batch.as_ref().map(Batch::json),
            "growth": self.growth,
            "boards": boards,
            "goals": goals.collect::<Vec<_>>(),
        }))?;
        fs::write(file, text + "\n")?;
        println!("\nwritten: {}", file.display());
        Ok(())
    }

    fn goals(&self, boards: &Value) -> Vec<Goal> {
        let table = |name: &str, precision: &str| {
            let mut tables = self.tables.iter();
            tables.find(|table| table.network == name && table.precision == precision)
        };
        let at_least = |name: String, least: f64, found: Option<f64>| Goal {
            name,
            wanted: format!("≥ {least}"),
            found: found.map(|found| (format!("{found:.2}"), found >= least)),
        };
        let at_most = |name: String, most: f64, found: Option<f64>| Goal {
            name,
            wanted: format!("≤ {most}"),
            found: found.map(|found| (format!("{found:.3}"), found <= most)),
        };
        let mut goals = Vec::new();
        for peer in ["CasADi", "C by hand", "num-dual"] {
            let found = table("seed", "f32").and_then(|t| Some(t.ns(peer)? / t.fastest()));
            goals.push(at_least(
                format!("seed f32: time of {peer}, ratio"),
                16.0,
                found,
            ));
        }
        for (name, least) in [("seed", 0.5), ("wide", 0.7)] {
            let found = table(name, "f32").map(|t| t.share("", t.fastest()));
            goals.push(at_least(
                format!("{name} f32: share of the peak"),
                least,
                found,
            ));
        }
        for ours in ["fnn-core", "fnn-std"] {
            let found = table("sensor", "f32")
                .and_then(|t| Some(t.ns(ours)? / t.ns(&format!("{ours}, value alone"))?));
            let name = format!("sensor f32: value and Jacobian to value alone, {ours}");
            goals.push(at_most(name, 2.0, found));
        }
        let found = self
            .batch
            .as_ref()
            .and_then(|batch| Some(batch.jax? / batch.ours));
        goals.push(at_least(
            "seed f32: batch of 65 536, time of JAX, ratio".to_owned(),
            5.0,
            found,
        ));
        let speeds = self.tables.iter();
        let found = speeds
            .filter_map(|t| Some(t.ns("fnn-std")? / t.ns(BASELINE)?))
            .reduce(f64::min);
        goals.push(at_least(
            "speed of the baseline build to native, the least of all".to_owned(),
            0.9,
            found,
        ));
        let count = |board: &str, name: &str| {
            let boards = boards.as_array().into_iter().flatten();
            let mut found = boards.filter(|counted| counted["name"] == board);
            found.next()?["instructions"][name].as_f64()
        };
        let (m4f, m55) = ("mps2-an386", "mps3-an547");
        for what in ["value", "evaluate"] {
            let found = count(m4f, what)
                .zip(count(m4f, &format!("{what} in C")))
                .map(|(here, in_c)| here / in_c);
            let name = format!("Cortex-M4F, {what}: instructions to those of C by hand");
            goals.push(at_most(name, 0.5, found));
        }
        let found = count(m4f, "evaluate")
            .zip(count(m4f, "evaluate in CasADi's C"))
            .map(|(here, generated)| here / generated);
        let name = "Cortex-M4F, evaluate: instructions to those of CasADi's C";
        goals.push(at_most(name.to_owned(), 0.2, found));
        let helium = ["evaluate", "evaluate forward"].map(|name| count(m55, name));
        let found = helium.into_iter().flatten().reduce(f64::min);
        let found = found
            .zip(count(m4f, "evaluate"))
            .map(|(m55, m4f)| m55 / m4f);
        let name = "Cortex-M55, the fastest order: to evaluate on the Cortex-M4F".to_owned();
        goals.push(at_most(name, 0.45, found));
        goals
    }
}

/// The first line that a program writes.
pub(crate) fn first_line(program: &str, arg: &str) -> String {
    let output = Command::new(program).arg(arg).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

/// The version of a package in the lock file.
fn locked(package: &str) -> &'static str {
    let lock = include_str!("../../../Cargo.lock");
    lock.split_once(&format!("name = \"{package}\"\nversion = \""))
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or("unknown")
}

/// The processor's own name for itself.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or_else(|| env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}
