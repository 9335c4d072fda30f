//! What an evaluation costs on a device: instructions and stack, estimated from counts.
//!
//! `cargo xtask estimate` runs networks of many sizes, orders of accumulation and activations on
//! emulated processors and counts the instructions of each. The estimate for another network is a
//! linear model of what `fnn-core` does for it, fitted to these counts by least squares of the
//! relative errors:
//!
//! - for each tile of a product, l rows by c columns held in registers over a sum of m terms:
//!   m l c multiply-adds, m (l + c) loads, m steps of the loop, and one tile with l c numbers to
//!   store,
//! - for each derivative that is scaled by a slope or copied, one number,
//! - for each neuron its activation, alone or with its slope, one constant each for every kind,
//! - for each layer and each call one constant.
//!
//! The error that is stated is the largest relative one among the counts when each is predicted from
//! the others (leave-one-out): with residuals r and the projection H of the fit, r / (1 − Hᵢᵢ).

use std::ops::AddAssign;

use crate::{activation::Activation, model::Precision, order::Order};
use fnn_core::{Shape, Step};

/// What `cargo xtask estimate` counted, for each processor.
const COUNTS: &str = include_str!("cost/counts.csv");

/// The estimated cost of a network on a processor.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The processor.
    pub processor: &'static str,
    /// Instructions of a value.
    pub value: u64,
    /// Instructions of a value with its Jacobian.
    pub evaluation: u64,
    /// The largest relative error of such estimates where the count is known.
    pub error: f64,
    /// Bytes of stack of a value with its Jacobian, both of which are returned on it: as many beside
    /// them as the hungriest of the networks that were counted takes.
    pub stack: usize,
}

/// The costs of dense layers with these sizes, the inputs first, and these activations, on every
/// processor that was counted. Nothing where an activation was not counted.
pub(crate) fn estimates(
    sizes: &[usize],
    activations: &[Activation],
    precision: Precision,
    order: Order,
) -> Vec<Estimate> {
    let steps = dense(sizes);
    let shape = Shape::Steps(&steps);
    let cut = order.cut(&shape, shape.inputs());
    let kinds: Option<Vec<usize>> = activations.iter().map(|a| kind(a.name())).collect();
    let Some(kinds) = kinds else {
        return Vec::new();
    };
    let counts: Vec<Count> = COUNTS.lines().skip(1).filter_map(Count::parse).collect();
    let mut processors: Vec<&str> = counts.iter().map(|count| count.processor).collect();
    processors.dedup();
    let estimate = |processor| {
        let counts = counts
            .iter()
            .filter(|count| count.processor == processor && count.precision == precision);
        let counts: Vec<&Count> = counts.collect();
        let rows = counts.iter().flat_map(|count| count.rows());
        let fit = Fit::new(&rows.collect::<Vec<_>>())?;
        let (inputs, outputs) = (shape.inputs(), shape.outputs());
        let beside = counts.iter().map(|count| count.stack_beside()).max()?;
        let value = Work::of_value(sizes, &kinds, precision);
        let evaluation = Work::of_evaluation(sizes, &kinds, precision, cut);
        Some(Estimate {
            processor,
            value: fit.predict(&value).round() as u64,
            evaluation: fit.predict(&evaluation).round() as u64,
            error: fit.error,
            stack: outputs * (1 + inputs) * precision.bytes() + beside,
        })
    };
    processors.into_iter().filter_map(estimate).collect()
}

/// Dense layers of these sizes, the inputs first.
fn dense(sizes: &[usize]) -> Vec<Step> {
    let pairs = sizes.windows(2);
    pairs.map(|pair| Step::dense(pair[0], pair[1])).collect()
}

/// The number of an activation among all, by its name.
fn kind(name: &str) -> Option<usize> {
    Activation::ALL.iter().position(|a| a.name() == name)
}

/// A row of the table.
#[derive(Debug)]
struct Count {
    processor: &'static str,
    precision: Precision,
    kind: usize,
    sizes: Vec<usize>,
    cut: usize,
    value: f64,
    evaluation: f64,
    stack: usize,
}

impl Count {
    fn parse(line: &'static str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let &[
            processor,
            precision,
            activation,
            sizes,
            cut,
            value,
            evaluation,
            stack,
        ] = fields.as_slice()
        else {
            return None;
        };
        Some(Self {
            processor,
            precision: precision.parse().ok()?,
            kind: kind(activation)?,
            sizes: sizes
                .split('-')
                .map(|n| n.parse().ok())
                .collect::<Option<_>>()?,
            cut: cut.parse().ok()?,
            value: value.parse().ok()?,
            evaluation: evaluation.parse().ok()?,
            stack: stack.parse().ok()?,
        })
    }

    /// Its work and counts.
    fn rows(&self) -> [(Work, f64); 2] {
        let kinds = vec![self.kind; self.sizes.len() - 1];
        let (sizes, precision) = (&self.sizes, self.precision);
        [
            (Work::of_value(sizes, &kinds, precision), self.value),
            (
                Work::of_evaluation(sizes, &kinds, precision, self.cut),
                self.evaluation,
            ),
        ]
    }

    /// Bytes of stack without the value and Jacobian that are returned on it.
    fn stack_beside(&self) -> usize {
        let steps = dense(&self.sizes);
        let shape = Shape::Steps(&steps);
        let returned = shape.outputs() * (1 + shape.inputs()) * self.precision.bytes();
        self.stack.saturating_sub(returned)
    }
}

/// How often each kind of work is done.
#[derive(Debug, Clone)]
struct Work {
    counts: [f64; Self::KINDS],
}

const CALL: usize = 0;
const EVALUATION: usize = 1;
const LAYER: usize = 2;
const MULTIPLY_ADD: usize = 3;
const LOAD: usize = 4;
const STEP: usize = 5;
const TILE: usize = 6;
const STORE: usize = 7;
const SCALED: usize = 8;
const VALUE: usize = 9;
const SLOPE: usize = VALUE + Activation::ALL.len();

impl Work {
    const KINDS: usize = SLOPE + Activation::ALL.len();

    fn add(&mut self, kind: usize, count: usize) {
        self.counts[kind].add_assign(count as f64);
    }

    /// `fnn_core::Network::value`.
    fn of_value(sizes: &[usize], kinds: &[usize], precision: Precision) -> Self {
        let mut work = Self {
            counts: [0.0; Self::KINDS],
        };
        work.add(CALL, 1);
        for (sizes, &kind) in sizes.windows(2).zip(kinds) {
            work.column(sizes[0], sizes[1], precision);
            work.add(VALUE + kind, sizes[1]);
        }
        work
    }

    /// `fnn_core::Network::evaluate`, where forward accumulation ends after the layer `cut`.
    fn of_evaluation(sizes: &[usize], kinds: &[usize], precision: Precision, cut: usize) -> Self {
        let mut work = Self {
            counts: [0.0; Self::KINDS],
        };
        work.add(CALL, 1);
        work.add(EVALUATION, 1);
        let depth = sizes.len() - 1;
        let (inputs, outputs) = (sizes[0], sizes[depth]);
        for (layer, &kind) in kinds.iter().enumerate() {
            let (before, after) = (sizes[layer], sizes[layer + 1]);
            work.add(SLOPE + kind, after);
            if layer >= cut {
                work.column(before, after, precision);
                continue;
            }
            if layer == 0 {
                work.column(before, after, precision);
            } else {
                work.product(after, before, 1 + inputs, precision);
            }
            work.add(SCALED, inputs * after);
        }
        if cut < depth {
            work.add(SCALED, outputs * sizes[depth - 1]);
            for layer in (cut.max(1)..depth - 1).rev() {
                work.add(SCALED, outputs * sizes[layer + 1]);
                work.product(outputs, sizes[layer + 1], sizes[layer], precision);
            }
            work.add(LAYER, 1);
            if cut == 0 {
                work.add(SCALED, outputs * sizes[1]);
            }
            work.product(outputs, sizes[cut.max(1)], inputs, precision);
        }
        work.add(SCALED, inputs * outputs);
        work
    }

    /// The sums of a layer for one column.
    fn column(&mut self, inputs: usize, outputs: usize, precision: Precision) {
        const BYTES: usize = 64;
        self.add(LAYER, 1);
        for (lanes, count) in blocks(outputs, BYTES / precision.bytes()) {
            self.tiles(count, lanes, inputs, 1);
        }
    }

    /// A product of `rows` by `columns` sums of so many terms.
    fn product(&mut self, rows: usize, terms: usize, columns: usize, precision: Precision) {
        const BYTES: usize = 16;
        self.add(LAYER, 1);
        for (lanes, count) in blocks(rows, BYTES / precision.bytes()) {
            let most = match lanes {
                4.. => 6,
                3 => 8,
                2 => 10,
                _ => 12,
            };
            let tiles = columns.div_ceil(most).max(1);
            let wider = columns % tiles;
            self.tiles(count * (tiles - wider), lanes, terms, columns / tiles);
            self.tiles(count * wider, lanes, terms, columns / tiles + 1);
        }
    }

    fn tiles(&mut self, count: usize, lanes: usize, terms: usize, columns: usize) {
        self.add(MULTIPLY_ADD, count * terms * lanes * columns);
        self.add(LOAD, count * terms * (lanes + columns));
        self.add(STEP, count * terms);
        self.add(TILE, count);
        self.add(STORE, count * lanes * columns);
    }
}

/// Widths of blocks that together cover so many rows, the widest first, and how many there are of
/// each, as the kernels of `fnn-core` choose them.
fn blocks(rows: usize, widest: usize) -> Vec<(usize, usize)> {
    let mut left = rows;
    let mut blocks = Vec::new();
    for width in [16, 8, 4, 3, 2, 1] {
        if width <= widest {
            blocks.push((width, left / width));
            left %= width;
        }
    }
    blocks
}

/// The least squares of relative errors.
struct Fit {
    /// Instructions for each kind of work.
    costs: Vec<f64>,
    error: f64,
}

impl Fit {
    /// The fit to these counts, `None` where there are none.
    fn new(rows: &[(Work, f64)]) -> Option<Self> {
        let n = Work::KINDS;
        // Each row divided by its count, so that its residual is the relative error.
        let scaled: Vec<Vec<f64>> = rows
            .iter()
            .map(|(work, count)| work.counts.iter().map(|w| w / count).collect())
            .collect();
        let mut normal = vec![vec![0.0; n]; n];
        let mut right = vec![0.0; n];
        for row in &scaled {
            for i in 0..n {
                right[i] += row[i];
                for j in 0..n {
                    normal[i][j] += row[i] * row[j];
                }
            }
        }
        // A kind of work that no count has costs nothing; kinds that always come together share.
        for (i, row) in normal.iter_mut().enumerate() {
            row[i] = if row[i] == 0.0 {
                1.0
            } else {
                row[i] * (1.0 + 1e-7)
            };
        }
        let inverse = inverse(normal)?;
        let times = |matrix: &[Vec<f64>], x: &[f64]| -> Vec<f64> {
            let dot = |row: &Vec<f64>| row.iter().zip(x).map(|(a, b)| a * b).sum();
            matrix.iter().map(dot).collect()
        };
        let costs = times(&inverse, &right);
        let error = scaled.iter().map(|row| {
            let dot = |x: &[f64]| -> f64 { row.iter().zip(x).map(|(a, b)| a * b).sum() };
            let leverage = dot(&times(&inverse, row));
            (dot(&costs) - 1.0).abs() / (1.0 - leverage).max(1e-3)
        });
        let error = error.reduce(f64::max)?;
        Some(Self { costs, error })
    }

    fn predict(&self, work: &Work) -> f64 {
        let products = self.costs.iter().zip(&work.counts).map(|(c, w)| c * w);
        products.sum::<f64>().max(0.0)
    }
}

/// The inverse of a symmetric positive definite matrix, by Gauss and Jordan; `None` of another.
fn inverse(mut matrix: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let n = matrix.len();
    let mut inverse: Vec<Vec<f64>> = (0..n)
        .map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    for k in 0..n {
        let pivot = matrix[k][k];
        if pivot.is_nan() || pivot <= 0.0 {
            return None;
        }
        for j in 0..n {
            matrix[k][j] /= pivot;
            inverse[k][j] /= pivot;
        }
        let (row, inverse_row) = (matrix[k].clone(), inverse[k].clone());
        for i in (0..n).filter(|&i| i != k) {
            let factor = matrix[i][k];
            for j in 0..n {
                matrix[i][j] -= factor * row[j];
                inverse[i][j] -= factor * inverse_row[j];
            }
        }
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        let rows = COUNTS.lines().skip(1).map(Count::parse);
        assert!(rows.clone().count() > 0);
        assert!(rows.into_iter().all(|row| row.is_some()));
    }

    /// Counted by `cargo xtask firmware`; no rows of the table. Value and evaluation of the
    /// quadrotor's network, and the evaluation of the seed's.
    #[test]
    fn networks_that_were_not_fitted_are_within_the_stated_error() {
        use Activation::{Identity, Mish};
        for (processor, counts) in [
            ("Cortex-M4F", [8_714.0, 32_780.0, 59_851.0]),
            ("Cortex-M7", [6_727.0, 23_115.0, 41_542.0]),
            ("Cortex-M33", [8_522.0, 32_588.0, 59_370.0]),
            ("RV32IMAFC", [9_538.0, 44_490.0, 82_919.0]),
        ] {
            let estimate = |sizes: &[usize]| {
                let mut activations = vec![Mish; sizes.len() - 1];
                activations[sizes.len() - 2] = Identity;
                let found = estimates(sizes, &activations, Precision::F32, Order::Auto);
                found
                    .into_iter()
                    .find(|e| e.processor == processor)
                    .unwrap()
            };
            let quadrotor = estimate(&[8, 32, 32, 6]);
            let seed = estimate(&[4, 32, 32, 32, 32, 32, 3]);
            let found = [quadrotor.value, quadrotor.evaluation, seed.evaluation];
            for (found, count) in found.into_iter().zip(counts) {
                let off = (found as f64 - count).abs() / count;
                // The error that is stated is no excuse: these are no odd networks.
                assert!(
                    off <= 0.1 && off <= seed.error,
                    "{processor}: {found}, {count}"
                );
            }
        }
    }

    #[test]
    fn the_multiply_adds_are_those_of_the_shape() {
        let sizes = [5, 37, 6, 19, 3];
        let steps = dense(&sizes);
        let shape = Shape::Steps(&steps);
        for cut in 0..=4 {
            let work = Work::of_evaluation(&sizes, &[0; 4], Precision::F32, cut);
            let expected = shape.value_multiply_adds() + shape.jacobian_multiply_adds(cut, 5);
            assert_eq!(work.counts[MULTIPLY_ADD], expected as f64, "{cut}");
        }
    }
}
