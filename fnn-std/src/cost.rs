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
//! - for each derivative that is scaled by a slope, and for each number that is copied, set aside or
//!   added, one number,
//! - for each neuron its activation, alone or with its slope, one constant each for every kind,
//! - for each entry of a layer normalisation, a softmax or an affine layer, and of a derivative
//!   through one of the first two, one constant each,
//! - for each layer and each call one constant.
//!
//! The error that is stated is the largest relative one among the counts when each is predicted from
//! the others (leave-one-out): with residuals r and the projection H of the fit, r / (1 − Hᵢᵢ); and
//! among those of small networks that are held out of the fit, where it is worst.
//!
//! There is no estimate where one would be below every count of the fit: few loops with few steps
//! take what the model does not have, the relu network 4-4-3 nine times what it predicts. Nor is there
//! one for a single layer, of which none is in the fit: its Jacobian is its weights, scaled, and takes
//! half of what is predicted.

use std::{iter::Peekable, ops::AddAssign, str::Chars};

use crate::{
    activation::Activation,
    model::{Layer, Model, Precision},
    order::Order,
};

/// What `cargo xtask estimate` counted, for each processor.
const COUNTS: &str = include_str!("cost/counts.csv");

/// The same of small networks, by the same binary with these in the place of its own: what is held
/// out of the fit.
const HELD_OUT: &str = include_str!("cost/held_out.csv");

/// The estimated cost of a network on a processor.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The processor.
    pub processor: &'static str,
    /// Instructions of a value; `None` where they are fewer than those of every network that was
    /// counted, or the network is a single layer: nothing is known of such.
    pub value: Option<u64>,
    /// Instructions of a value with its Jacobian, `None` as there.
    pub evaluation: Option<u64>,
    /// The largest relative error of such estimates where the count is known.
    pub error: f64,
    /// Bytes of stack of a value with its Jacobian, both of which are returned on it: as many beside
    /// them as the hungriest of the networks that were counted takes.
    pub stack: usize,
}

/// The costs of a model on every processor that was counted.
pub(crate) fn estimates(model: &Model, precision: Precision, order: Order) -> Vec<Estimate> {
    let cut = order.cut(&model.shape(), model.inputs());
    let network = Network {
        inputs: model.inputs(),
        parts: model.layers().iter().map(Part::of).collect(),
    };
    let [fitted, held_out] = [COUNTS, HELD_OUT].map(Count::of_table);
    let mut processors: Vec<&str> = fitted.iter().map(|count| count.processor).collect();
    processors.dedup();
    let estimate = |processor| {
        let own = |counts: &'_ [Count]| -> Vec<Count> {
            let own = counts
                .iter()
                .filter(|count| (count.processor, count.precision) == (processor, precision));
            own.cloned().collect()
        };
        let counts = own(&fitted);
        let model = CostModel::new(&counts, &own(&held_out))?;
        let beside = counts.iter().map(Count::stack_beside).max()?;
        let [value, evaluation] = model.predict(&network, precision, cut);
        Some(Estimate {
            processor,
            value: value.map(|count| count.round() as u64),
            evaluation: evaluation.map(|count| count.round() as u64),
            error: model.error,
            stack: network.returned(precision) + beside,
        })
    };
    processors.into_iter().filter_map(estimate).collect()
}

/// The fit for a processor and a number format, and where it holds.
struct CostModel {
    fit: Fit,
    /// The fewest instructions of a value and of an evaluation among those of the fit.
    least: [f64; 2],
    error: f64,
}

impl CostModel {
    /// `None` where nothing was counted.
    fn new(fitted: &[Count], held_out: &[Count]) -> Option<Self> {
        let rows: Vec<_> = fitted.iter().flat_map(Count::rows).collect();
        let fit = Fit::new(&rows)?;
        let least = |of: fn(&Count) -> f64| fitted.iter().map(of).reduce(f64::min);
        let least = [least(|count| count.value)?, least(|c| c.evaluation)?];
        let error = fit.error;
        let mut model = Self { fit, least, error };
        for count in held_out {
            let found = model.predict(&count.network, count.precision, count.cut);
            for (found, count) in found.into_iter().zip([count.value, count.evaluation]) {
                let off = found.map_or(0.0, |found| (found - count).abs() / count);
                model.error = model.error.max(off);
            }
        }
        Some(model)
    }

    /// Instructions of a value and of an evaluation, where the model holds.
    fn predict(&self, network: &Network, precision: Precision, cut: usize) -> [Option<f64>; 2] {
        let predict = |work: &Work, least: f64| {
            let found = self.fit.predict(work);
            (network.has_several_layers() && found >= least).then_some(found)
        };
        [
            predict(&Work::of_value(network, precision), self.least[0]),
            predict(&Work::of_evaluation(network, precision, cut), self.least[1]),
        ]
    }
}

/// The layers of a network as their costs are counted.
#[derive(Debug, Clone, PartialEq)]
struct Network {
    inputs: usize,
    parts: Vec<Part>,
}

/// A layer; activations by their numbers.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Dense { outputs: usize, kind: usize },
    Affine { kind: usize },
    LayerNorm,
    Softmax,
    Select { outputs: usize },
    Residual(Vec<Part>),
    Concat(Vec<Vec<Part>>),
}

impl Network {
    /// The network that a row of the table names: the number of inputs, then the layers, each with
    /// a `-` before it. A number is a dense layer with so many neurons and this activation, `a` an
    /// affine layer, `n` a layer normalisation, `s` a softmax, `p2` a selection of two entries,
    /// `r[8-4]` a residual layer and `c[8-2|4]` a concatenation of what is in the brackets.
    fn parse(text: &str, kind: usize) -> Option<Self> {
        let mut text = text.chars().peekable();
        let inputs = number(&mut text)?;
        text.next_if_eq(&'-')?;
        let parts = Part::chain(&mut text, kind)?;
        text.next().is_none().then_some(Self { inputs, parts })
    }

    fn outputs(&self) -> usize {
        outputs(&self.parts, self.inputs)
    }

    /// Whether it is more than one layer without others inside.
    fn has_several_layers(&self) -> bool {
        match self.parts.as_slice() {
            [part] => matches!(part, Part::Residual(_) | Part::Concat(_)),
            parts => !parts.is_empty(),
        }
    }

    /// Bytes of value and Jacobian.
    fn returned(&self, precision: Precision) -> usize {
        self.outputs() * (1 + self.inputs) * precision.bytes()
    }
}

impl Part {
    fn of(layer: &Layer) -> Self {
        let chain = |layers: &[Layer]| layers.iter().map(Self::of).collect();
        match layer {
            Layer::Dense(dense) => Self::Dense {
                outputs: dense.outputs(),
                kind: kind(dense.activation().name()),
            },
            Layer::Affine(affine) => Self::Affine {
                kind: kind(affine.activation().name()),
            },
            Layer::LayerNorm(_) => Self::LayerNorm,
            Layer::Softmax(_) => Self::Softmax,
            Layer::Select(_) => Self::Select {
                outputs: layer.outputs(),
            },
            Layer::Residual(residual) => Self::Residual(chain(residual.layers())),
            Layer::Concat(concat) => {
                Self::Concat(concat.branches().iter().map(|b| chain(b)).collect())
            }
        }
    }

    fn chain(text: &mut Peekable<Chars<'_>>, kind: usize) -> Option<Vec<Self>> {
        let mut parts = vec![Self::parse(text, kind)?];
        while text.next_if_eq(&'-').is_some() {
            parts.push(Self::parse(text, kind)?);
        }
        Some(parts)
    }

    fn parse(text: &mut Peekable<Chars<'_>>, kind: usize) -> Option<Self> {
        let Some(letter) = text.next_if(char::is_ascii_alphabetic) else {
            let outputs = number(text)?;
            return Some(Self::Dense { outputs, kind });
        };
        Some(match letter {
            'a' => Self::Affine { kind: IDENTITY },
            'n' => Self::LayerNorm,
            's' => Self::Softmax,
            'p' => Self::Select {
                outputs: number(text)?,
            },
            'r' | 'c' => {
                text.next_if_eq(&'[')?;
                let mut branches = vec![Self::chain(text, kind)?];
                while text.next_if_eq(&'|').is_some() {
                    branches.push(Self::chain(text, kind)?);
                }
                text.next_if_eq(&']')?;
                match (letter, branches.len()) {
                    ('r', 1) => Self::Residual(branches.pop()?),
                    ('c', 2..) => Self::Concat(branches),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    fn is_dense(&self) -> bool {
        matches!(self, Self::Dense { .. })
    }

    fn outputs(&self, inputs: usize) -> usize {
        match self {
            Self::Dense { outputs, .. } | Self::Select { outputs } => *outputs,
            Self::Affine { .. } | Self::LayerNorm | Self::Softmax | Self::Residual(_) => inputs,
            Self::Concat(branches) => branches.iter().map(|b| outputs(b, inputs)).sum(),
        }
    }
}

fn outputs(parts: &[Part], inputs: usize) -> usize {
    parts.iter().fold(inputs, |size, part| part.outputs(size))
}

fn number(text: &mut Peekable<Chars<'_>>) -> Option<usize> {
    let mut digits = String::new();
    while let Some(digit) = text.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    digits.parse().ok()
}

/// The number of an activation among all, by its name.
fn kind(name: &str) -> usize {
    let place = Activation::ALL.iter().position(|a| a.name() == name);
    place.unwrap_or(IDENTITY)
}

/// The number of the identity, the first of all.
const IDENTITY: usize = 0;

/// A row of a table.
#[derive(Debug, Clone)]
struct Count {
    processor: &'static str,
    precision: Precision,
    network: Network,
    cut: usize,
    value: f64,
    evaluation: f64,
    stack: usize,
}

impl Count {
    fn of_table(table: &'static str) -> Vec<Self> {
        table.lines().skip(1).filter_map(Self::parse).collect()
    }

    fn parse(line: &'static str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let &[
            processor,
            precision,
            activation,
            layers,
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
            network: Network::parse(layers, kind(activation))?,
            cut: cut.parse().ok()?,
            value: value.parse().ok()?,
            evaluation: evaluation.parse().ok()?,
            stack: stack.parse().ok()?,
        })
    }

    /// Its work and counts.
    fn rows(&self) -> [(Work, f64); 2] {
        let (network, precision) = (&self.network, self.precision);
        let evaluation = Work::of_evaluation(network, precision, self.cut);
        [
            (Work::of_value(network, precision), self.value),
            (evaluation, self.evaluation),
        ]
    }

    /// Bytes of stack without the value and Jacobian that are returned on it.
    fn stack_beside(&self) -> usize {
        let returned = self.network.returned(self.precision);
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
const COPY: usize = 9;
const AFFINE: usize = 10;
const NORM: usize = 11;
const NORM_DERIVATIVE: usize = 12;
const SOFTMAX: usize = 13;
const SOFTMAX_DERIVATIVE: usize = 14;
const VALUE: usize = 15;
const SLOPE: usize = VALUE + Activation::ALL.len();

impl Work {
    const KINDS: usize = SLOPE + Activation::ALL.len();

    fn add(&mut self, kind: usize, count: usize) {
        self.counts[kind].add_assign(count as f64);
    }

    /// `fnn_core::Network::value`.
    fn of_value(network: &Network, precision: Precision) -> Self {
        let mut work = Self {
            counts: [0.0; Self::KINDS],
        };
        work.add(CALL, 1);
        work.values(&network.parts, network.inputs, VALUE, precision);
        work
    }

    /// `fnn_core::Network::evaluate`, where forward accumulation ends after the layer `cut`.
    fn of_evaluation(network: &Network, precision: Precision, cut: usize) -> Self {
        let mut work = Self {
            counts: [0.0; Self::KINDS],
        };
        work.add(CALL, 1);
        work.add(EVALUATION, 1);
        let parts = &network.parts;
        let (inputs, outputs, depth) = (network.inputs, network.outputs(), parts.len());
        let sizes = parts.iter().scan(inputs, |size, part| {
            *size = part.outputs(*size);
            Some(*size)
        });
        let sizes: Vec<usize> = [inputs].into_iter().chain(sizes).collect();
        let (forward, back) = parts.split_at(cut.min(depth));
        if let Some((first, rest)) = forward.split_first() {
            if let &Part::Dense { outputs, kind } = first {
                // Its tangents are its weights.
                work.column(inputs, outputs, precision);
                work.add(SLOPE + kind, outputs);
                work.add(SCALED, inputs * outputs);
            } else {
                work.add(COPY, inputs * inputs);
                work.tangents(std::slice::from_ref(first), inputs, inputs, precision);
            }
            work.tangents(rest, sizes[1], inputs, precision);
        }
        work.values(back, sizes[forward.len()], SLOPE, precision);
        if let Some((last, _)) = back.split_last() {
            if last.is_dense() {
                work.add(SCALED, outputs * sizes[depth - 1]);
            } else {
                work.add(COPY, outputs * outputs);
                work.cotangents(last, sizes[depth - 1], outputs, precision);
            }
            for layer in (cut.max(1)..depth - 1).rev() {
                work.cotangents(&parts[layer], sizes[layer], outputs, precision);
            }
            work.add(LAYER, 1);
            if cut > 0 {
                work.product(outputs, sizes[cut], inputs, precision);
            } else if depth > 1 || last.is_dense() {
                work.cotangents(&parts[0], inputs, outputs, precision);
            }
        }
        work.add(SCALED, inputs * outputs);
        work
    }

    /// Values through these layers; `activated` is [`VALUE`], or [`SLOPE`] with what their
    /// derivatives need.
    fn values(&mut self, parts: &[Part], inputs: usize, activated: usize, precision: Precision) {
        let mut size = inputs;
        for part in parts {
            match part {
                &Part::Dense { outputs, kind } => {
                    self.column(size, outputs, precision);
                    self.add(activated + kind, outputs);
                }
                Part::Affine { kind } => {
                    self.add(AFFINE, size);
                    self.add(activated + kind, size);
                }
                Part::LayerNorm => self.add(NORM, size),
                Part::Softmax => self.add(SOFTMAX, size),
                Part::Select { outputs } => self.add(COPY, *outputs),
                Part::Residual(inside) => {
                    self.add(COPY, 2 * size);
                    self.values(inside, size, activated, precision);
                }
                Part::Concat(branches) => {
                    for branch in branches {
                        self.add(COPY, size + outputs(branch, size));
                        self.values(branch, size, activated, precision);
                    }
                }
            }
            size = part.outputs(size);
        }
    }

    /// Values and so many tangents through these layers.
    fn tangents(&mut self, parts: &[Part], inputs: usize, columns: usize, precision: Precision) {
        let mut size = inputs;
        for part in parts {
            match part {
                &Part::Dense { outputs, kind } => {
                    self.product(outputs, size, 1 + columns, precision);
                    self.add(SLOPE + kind, outputs);
                    self.add(SCALED, columns * outputs);
                }
                Part::Affine { kind } => {
                    self.add(AFFINE, size);
                    self.add(SLOPE + kind, size);
                    self.add(SCALED, columns * size);
                }
                Part::LayerNorm => {
                    self.add(NORM, size);
                    self.add(NORM_DERIVATIVE, columns * size);
                }
                Part::Softmax => {
                    self.add(SOFTMAX, size);
                    self.add(SOFTMAX_DERIVATIVE, columns * size);
                }
                Part::Select { outputs } => self.add(COPY, (1 + columns) * outputs),
                Part::Residual(inside) => {
                    self.add(COPY, 2 * (1 + columns) * size);
                    self.tangents(inside, size, columns, precision);
                }
                Part::Concat(branches) => {
                    for branch in branches {
                        self.add(COPY, (1 + columns) * (size + outputs(branch, size)));
                        self.tangents(branch, size, columns, precision);
                    }
                }
            }
            size = part.outputs(size);
        }
    }

    /// So many cotangents back through a layer with so many inputs.
    fn cotangents(&mut self, part: &Part, inputs: usize, rows: usize, precision: Precision) {
        match part {
            &Part::Dense { outputs, .. } => {
                self.add(SCALED, rows * outputs);
                self.product(rows, outputs, inputs, precision);
            }
            Part::Affine { .. } => self.add(SCALED, rows * inputs),
            Part::LayerNorm => self.add(NORM_DERIVATIVE, rows * inputs),
            Part::Softmax => self.add(SOFTMAX_DERIVATIVE, rows * inputs),
            Part::Select { .. } => self.add(COPY, rows * inputs),
            Part::Residual(inside) => {
                self.add(COPY, 2 * rows * inputs);
                self.all_cotangents(inside, inputs, rows, precision);
            }
            Part::Concat(branches) => {
                for branch in branches {
                    self.add(COPY, rows * (inputs + outputs(branch, inputs)));
                    self.all_cotangents(branch, inputs, rows, precision);
                }
            }
        }
    }

    fn all_cotangents(&mut self, parts: &[Part], inputs: usize, rows: usize, precision: Precision) {
        for (at, part) in parts.iter().enumerate() {
            self.cotangents(part, outputs(&parts[..at], inputs), rows, precision);
        }
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
    use crate::model::{Dense, Tensor};
    use fnn_core::{Shape, Step};

    #[test]
    fn every_row_of_the_table_is_read() {
        for table in [COUNTS, HELD_OUT] {
            let rows = table.lines().skip(1).map(Count::parse);
            assert!(rows.clone().count() > 0);
            assert!(rows.into_iter().all(|row| row.is_some()));
        }
    }

    /// Where the model knows nothing it says nothing; where it says something, of networks that it was
    /// not fitted to, its error is what the README says.
    #[test]
    fn small_networks_are_estimated_within_the_stated_error_or_not_at_all() {
        let [fitted, held_out] = [COUNTS, HELD_OUT].map(Count::of_table);
        let relu = kind("relu");
        let none = ["1-1", "2-1", "3-3", "4-4-3", "2-3-1", "4-8-3", "2-2-2-2"];
        let none = none.map(|layers| Network::parse(layers, relu).unwrap());
        let single = ["32-32", "64-64", "8-a", "30-n"].map(|l| Network::parse(l, kind("mish")));
        for (processor, most) in [
            ("Cortex-M4F", 0.39),
            ("Cortex-M7", 0.46),
            ("Cortex-M33", 0.39),
            ("RV32IMAFC", 0.61),
        ] {
            for precision in [Precision::F32, Precision::F64] {
                let own = |counts: &[Count]| -> Vec<Count> {
                    let is_own = |c: &&Count| (c.processor, c.precision) == (processor, precision);
                    counts.iter().filter(is_own).cloned().collect()
                };
                let held_out = own(&held_out);
                let model = CostModel::new(&own(&fitted), &held_out).unwrap();
                assert!(
                    model.error <= most,
                    "{processor}, {precision}: {}",
                    model.error
                );
                let found = held_out.iter().flat_map(|count| {
                    let found = model.predict(&count.network, precision, count.cut);
                    found.into_iter().zip([count.value, count.evaluation])
                });
                let found = found.filter_map(|(found, count)| Some((found?, count)));
                let found: Vec<(f64, f64)> = found.collect();
                assert!(
                    found.len() >= 13,
                    "{processor}, {precision}: {}",
                    found.len()
                );
                for (found, count) in found {
                    let off = (found - count).abs() / count;
                    assert!(
                        off <= model.error,
                        "{processor}, {precision}: {found}, {count}"
                    );
                }
                for network in none.iter().chain(single.iter().flatten()) {
                    for cut in 0..=network.parts.len() {
                        let found = model.predict(network, precision, cut);
                        assert_eq!(found, [None; 2], "{processor}, {precision}: {network:?}");
                    }
                }
            }
        }
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
                let layers = sizes.windows(2).enumerate().map(|(k, pair)| {
                    let weight = Tensor {
                        name: String::new(),
                        shape: vec![pair[1], pair[0]],
                        numbers: vec![0.0; pair[0] * pair[1]],
                    };
                    let is_last = k + 2 == sizes.len();
                    Dense::new(weight, None, if is_last { Identity } else { Mish }).unwrap()
                });
                let model = Model::new(layers.collect(), Precision::F32).unwrap();
                let found = estimates(&model, Precision::F32, Order::Auto);
                found
                    .into_iter()
                    .find(|e| e.processor == processor)
                    .unwrap()
            };
            let quadrotor = estimate(&[8, 32, 32, 6]);
            let seed = estimate(&[4, 32, 32, 32, 32, 32, 3]);
            let found = [quadrotor.value, quadrotor.evaluation, seed.evaluation];
            for (found, count) in found.into_iter().zip(counts) {
                let found = found.unwrap() as f64;
                let off = (found - count).abs() / count;
                // The error that is stated is no excuse: these are no odd networks.
                assert!(
                    off <= 0.1 && off <= seed.error,
                    "{processor}: {found}, {count}"
                );
            }
        }
    }

    /// Layers of every kind within each other, counted by `cargo xtask firmware`, which evaluates the
    /// model in f32 with a cut after the fourth layer and in f64 in the automatic order.
    #[test]
    fn layers_of_every_kind_are_estimated() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/layers/layers.json");
        let model = crate::import::read(path, &Default::default()).unwrap();
        for (precision, order, counts) in [
            (Precision::F32, Order::Cut(4), [6_291.0, 23_330.0]),
            (Precision::F64, Order::Auto, [339_067.0, 803_962.0]),
        ] {
            let found = estimates(&model, precision, order);
            let found = found.iter().find(|e| e.processor == "Cortex-M4F").unwrap();
            for (found, count) in [found.value, found.evaluation].into_iter().zip(counts) {
                let found = found.unwrap() as f64;
                let off = (found - count).abs() / count;
                assert!(off <= 0.13, "{precision}: {found}, {count}");
            }
        }
    }

    #[test]
    fn the_multiply_adds_are_those_of_the_shape() {
        let network = Network::parse("5-37-6-19-3", 0).unwrap();
        let steps = [(5, 37), (37, 6), (6, 19), (19, 3)].map(|(n, m)| Step::dense(n, m));
        let shape = Shape::Steps(&steps);
        for cut in 0..=4 {
            let work = Work::of_evaluation(&network, Precision::F32, cut);
            let expected = shape.value_multiply_adds() + shape.jacobian_multiply_adds(cut, 5);
            assert_eq!(work.counts[MULTIPLY_ADD], expected as f64, "{cut}");
        }
        // A way past, branches and what works entry by entry.
        let network = Network::parse("5-a-7-r[9-7]-n-c[4-2|3]-6-s", 0).unwrap();
        let dense = |n, m| Shape::Step(Step::dense(n, m));
        let inside = [Step::dense(7, 9), Step::dense(9, 7)];
        let branch = [Step::dense(7, 4), Step::dense(4, 2)];
        let steps = [
            Step::affine(5),
            Step::dense(5, 7),
            Step::residual(&Shape::Steps(&inside)),
            Step::map(7, 7, 8, 14, 0),
            Step::concat(&Shape::Steps(&branch), &dense(7, 3)),
            Step::dense(5, 6),
            Step::map(6, 6, 6, 0, 0),
        ];
        let shape = Shape::Steps(&steps);
        assert_eq!(network.outputs(), shape.outputs());
        for cut in 0..=7 {
            let work = Work::of_evaluation(&network, Precision::F32, cut);
            let expected = shape.value_multiply_adds() + shape.jacobian_multiply_adds(cut, 5);
            assert_eq!(work.counts[MULTIPLY_ADD], expected as f64, "{cut}");
        }
    }

    #[test]
    fn layers_are_read_as_they_are_written() {
        assert_eq!(Network::parse("3", 0), None);
        assert_eq!(Network::parse("3-r[4|2]", 0), None);
        assert_eq!(Network::parse("3-c[4]", 0), None);
        assert_eq!(Network::parse("3-x", 0), None);
        assert_eq!(Network::parse("3-4]", 0), None);
        let found = Network::parse("3-p2-c[4|s-r[2]]", 7).unwrap();
        let dense = |outputs| Part::Dense { outputs, kind: 7 };
        let nested = vec![Part::Softmax, Part::Residual(vec![dense(2)])];
        let concat = Part::Concat(vec![vec![dense(4)], nested]);
        assert_eq!(found.parts, [Part::Select { outputs: 2 }, concat]);
        assert_eq!(found.outputs(), 6);
        assert_eq!(kind("identity"), IDENTITY);
    }

    /// What is not counted would cost nothing.
    #[test]
    fn every_kind_of_work_was_counted() {
        let counts = Count::of_table(COUNTS);
        for processor in ["Cortex-M4F", "Cortex-M7", "Cortex-M33", "RV32IMAFC"] {
            for precision in [Precision::F32, Precision::F64] {
                let own = counts
                    .iter()
                    .filter(|count| (count.processor, count.precision) == (processor, precision));
                let works: Vec<Work> = own.flat_map(Count::rows).map(|row| row.0).collect();
                for kind in 0..Work::KINDS {
                    let is_counted = works.iter().any(|work| work.counts[kind] > 0.0);
                    assert!(is_counted, "{processor}, {precision}: {kind}");
                }
            }
        }
    }
}
