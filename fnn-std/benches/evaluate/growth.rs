//! How the cost grows: time against width, depth, inputs and outputs of the seed's network.

use std::path::Path;

use fnn_std::Activation;
use serde_json::{Value, json};

use crate::{
    compiled,
    contender::{self, All, Result},
    evaluator,
    network::Network,
    peak, plot,
};

/// Rounds that each network is timed in.
const ROUNDS: usize = 31;

/// Networks that differ in one size.
pub(crate) struct Growth {
    /// What grows, and its unit on the axis.
    pub(crate) along: &'static str,
    axis: &'static str,
    /// The sizes, and the network of each.
    pub(crate) networks: Vec<(usize, Network)>,
}

/// 4-32-32-32-32-32-3 with one size in the place of another.
pub(crate) fn all() -> [Growth; 4] {
    let growth = |along, axis, sizes: &[usize], shape: fn(usize) -> [usize; 4]| Growth {
        along,
        axis,
        networks: sizes
            .iter()
            .map(|&size| {
                let [inputs, width, depth, outputs] = shape(size);
                let mut sizes = vec![inputs];
                sizes.extend(vec![width; depth]);
                sizes.push(outputs);
                let network = Network::new(&format!("{along}_{size}"), &sizes, Activation::Mish);
                (size, network)
            })
            .collect(),
    };
    let few = [1, 2, 4, 8, 16, 32, 64];
    [
        growth(
            "width",
            "neurons of each hidden layer",
            &[8, 16, 32, 64, 128, 256],
            |n| [4, n, 5, 3],
        ),
        growth("depth", "hidden layers", &[1, 2, 4, 8, 16, 32], |n| {
            [4, 32, n, 3]
        }),
        growth("inputs", "inputs", &few, |n| [n, 32, 5, 3]),
        growth("outputs", "outputs", &few, |n| [4, 32, 5, n]),
    ]
}

/// A line of a plot: its name, and nanoseconds at each size.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Line {
    /// The exponent p of the power of the size, time ∝ sizeᵖ, that fits best: the slope of the
    /// straight line through the logarithms with the least squares.
    pub(crate) fn slope(&self) -> f64 {
        let logs: Vec<_> = self.points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
        let count = logs.len() as f64;
        let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / count;
        let product: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        let square: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        product / square
    }
}

/// Times all networks of one growth, in f32, writes the plot and returns the figures.
pub(crate) fn measure(
    growth: &Growth,
    folder: &Path,
    has_casadi: bool,
    plots: &Path,
) -> Result<Value> {
    let line = |name| Line {
        name,
        points: Vec::new(),
    };
    let mut lines = vec![line("fnn-std"), line("peak of the machine")];
    if has_casadi {
        lines.insert(0, line("CasADi, C"));
    }
    for (size, network) in &growth.networks {
        let mut all: All<f32> = vec![evaluator::evaluate(network)?];
        if has_casadi {
            all.insert(0, compiled::by_casadi(folder, network)?);
        }
        contender::check(network, &mut all, 1)?;
        all.push(peak::contender());
        let mut times = contender::race(&mut all, &contender::points_of(network), ROUNDS)?;
        if let Some(last) = times.last_mut() {
            *last *= network.multiply_adds() as f64 / peak::multiply_adds::<f32>() as f64;
        }
        for (line, ns) in lines.iter_mut().zip(times) {
            line.points.push((*size as f64, ns));
        }
    }
    println!("\ntime against {}: slopes", growth.axis);
    for line in &lines {
        println!("    {:<22} {:>6.2}", line.name, line.slope());
    }
    let file = plots.join(format!("{}.svg", growth.along));
    plot::draw(&file, growth.along, growth.axis, &lines)?;
    let lines = lines.iter().map(|line| {
        let ns: Vec<f64> = line.points.iter().map(|(_, ns)| *ns).collect();
        json!({ "name": line.name, "ns": ns, "slope": line.slope() })
    });
    Ok(json!({
        "along": growth.along,
        "sizes": growth.networks.iter().map(|(size, _)| size).collect::<Vec<_>>(),
        "multiply_adds":
            growth.networks.iter().map(|(_, n)| n.multiply_adds()).collect::<Vec<_>>(),
        "lines": lines.collect::<Vec<_>>(),
    }))
}
