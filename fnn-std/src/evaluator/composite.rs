//! Models with layers that are not dense, or that hold others: one input at a time, layer by layer.
//!
//! Sums and activations are those of dense networks, everything else is done in the order in which
//! `fnn-core` does it, so that the bits are the same.

use std::ops::Range;

use fnn_core::slices::{
    normalise, normalise_in_place, normalise_product, scale_and_shift, softmax, softmax_product,
};
use pulp::WithSimd;

use super::{
    Float,
    packed::{Packed, check_parameters, rounded},
    pass::Wanted,
    simd::{Activate, Simd},
};
use crate::{activation::Activation, error::Result, model::Layer};

/// A layer, ready to be evaluated.
#[derive(Debug)]
pub(super) enum Node<T> {
    Dense(Packed<T>),
    Affine {
        scale: Vec<T>,
        shift: Vec<T>,
        activation: Activation,
    },
    LayerNorm {
        scale: Vec<T>,
        shift: Vec<T>,
        epsilon: T,
    },
    Softmax,
    Select {
        inputs: usize,
        range: Range<usize>,
    },
    Residual(Vec<Self>),
    /// Branches with the numbers of their outputs.
    Concat(Vec<(Vec<Self>, usize)>),
}

/// Columns of numbers: a value and its tangents, or cotangents, one for each output.
type Columns<T> = Vec<Vec<T>>;

/// What is needed of a point to go back through the layers, the last of them first.
type Tape<T> = Vec<Vec<T>>;

impl<T: Float> Node<T> {
    /// # Errors
    /// A number that is too large for the format `T`.
    pub(super) fn new(layer: &Layer, lanes: usize) -> Result<Self> {
        let all = |numbers: &[f64]| -> Result<Vec<T>> {
            let numbers = numbers.iter().map(|&w| rounded(layer.name(), w));
            numbers.collect()
        };
        let chain = |layers: &[Layer]| -> Result<Vec<Self>> {
            layers.iter().map(|layer| Self::new(layer, lanes)).collect()
        };
        Ok(match layer {
            Layer::Dense(dense) => Self::Dense(Packed::new(dense, lanes)?),
            Layer::Affine(affine) => {
                check_parameters::<T>(layer.name(), affine.activation())?;
                Self::Affine {
                    scale: all(affine.scale())?,
                    shift: all(affine.shift())?,
                    activation: affine.activation(),
                }
            }
            Layer::LayerNorm(norm) => Self::LayerNorm {
                scale: all(norm.scale())?,
                shift: all(norm.shift())?,
                epsilon: rounded(layer.name(), norm.epsilon())?,
            },
            Layer::Softmax(_) => Self::Softmax,
            Layer::Select(select) => Self::Select {
                inputs: layer.inputs(),
                range: select.range(),
            },
            Layer::Residual(residual) => Self::Residual(chain(residual.layers())?),
            Layer::Concat(concat) => {
                let branches = concat.branches().iter().map(|branch| {
                    let outputs = branch.last().map_or(0, Layer::outputs);
                    Ok((chain(branch)?, outputs))
                });
                Self::Concat(branches.collect::<Result<_>>()?)
            }
        })
    }

    /// Value and tangents after the layer from those before it; the value is the first column.
    fn tangents(&self, simd: Simd, mut columns: Columns<T>) -> Columns<T> {
        match self {
            Self::Dense(layer) => {
                let mut sums = product(simd, layer, &columns, Side::Outputs { values: 1 });
                let slopes = activated(simd, layer.activation, &mut sums[0]);
                for tangent in &mut sums[1..] {
                    scale(tangent, &slopes);
                }
                sums
            }
            Self::Residual(inside) => {
                let through = chain(inside, simd, columns.clone());
                for (y, x) in columns.iter_mut().zip(&through) {
                    add(y, x);
                }
                columns
            }
            Self::Concat(branches) => {
                let mut outputs = vec![Vec::new(); columns.len()];
                for (branch, _) in branches {
                    let branch = chain(branch, simd, columns.clone());
                    for (output, part) in outputs.iter_mut().zip(branch) {
                        output.extend(part);
                    }
                }
                outputs
            }
            Self::Select { range, .. } => {
                let select = |column: Vec<T>| column[range.clone()].to_vec();
                columns.into_iter().map(select).collect()
            }
            _ => {
                let mut tape = Tape::new();
                let value = self.slopes(simd, columns.remove(0), &mut tape);
                let point = tape.pop().unwrap_or_default();
                let tangents = columns.iter().map(|dx| self.tangent(&point, dx));
                [value].into_iter().chain(tangents).collect()
            }
        }
    }

    /// The tangent after a layer that works on one column at a time, from that before it.
    fn tangent(&self, point: &[T], dx: &[T]) -> Vec<T> {
        let mut dy = dx.to_vec();
        match self {
            Self::LayerNorm { scale: factors, .. } => {
                normalise_product(point, dx, &mut dy);
                scale(&mut dy, factors);
            }
            Self::Softmax => softmax_product(point, dx, &mut dy),
            _ => scale(&mut dy, point),
        }
        dy
    }

    /// The value after the layer, and on the tape what the way back needs.
    fn slopes(&self, simd: Simd, mut x: Vec<T>, tape: &mut Tape<T>) -> Vec<T> {
        match self {
            Self::Dense(layer) => {
                let mut sums = product(simd, layer, &[x], Side::Outputs { values: 1 });
                tape.push(activated(simd, layer.activation, &mut sums[0]));
                sums.swap_remove(0)
            }
            Self::Affine {
                scale: factors,
                shift,
                activation,
            } => {
                scale_and_shift(&mut x, factors, shift);
                let mut slopes = activated(simd, *activation, &mut x);
                scale(&mut slopes, factors);
                tape.push(slopes);
                x
            }
            Self::LayerNorm {
                scale,
                shift,
                epsilon,
            } => {
                let mut point = vec![T::ZERO; x.len() + 1];
                point[0] = normalise(&x, *epsilon, &mut point[1..]);
                x.copy_from_slice(&point[1..]);
                scale_and_shift(&mut x, scale, shift);
                tape.push(point);
                x
            }
            Self::Softmax => {
                let mut y = vec![T::ZERO; x.len()];
                softmax(&x, &mut y);
                tape.push(y.clone());
                y
            }
            Self::Select { range, .. } => x[range.clone()].to_vec(),
            Self::Residual(inside) => {
                let through = record(inside, simd, x.clone(), tape);
                add(&mut x, &through);
                x
            }
            Self::Concat(branches) => {
                let mut outputs = Vec::new();
                for (branch, _) in branches {
                    outputs.extend(record(branch, simd, x.clone(), tape));
                }
                outputs
            }
        }
    }

    /// Cotangents by the inputs of the layer from those by its outputs.
    fn cotangents(&self, simd: Simd, mut rows: Columns<T>, tape: &mut Tape<T>) -> Columns<T> {
        match self {
            Self::Dense(layer) => {
                let slopes = tape.pop().unwrap_or_default();
                rows.iter_mut().for_each(|row| scale(row, &slopes));
                product(simd, layer, &rows, Side::Inputs)
            }
            Self::Affine { .. } => {
                let slopes = tape.pop().unwrap_or_default();
                rows.iter_mut().for_each(|row| scale(row, &slopes));
                rows
            }
            Self::LayerNorm { scale: factors, .. } => {
                let point = tape.pop().unwrap_or_default();
                for row in &mut rows {
                    scale(row, factors);
                    normalise_in_place(&point, row);
                }
                rows
            }
            Self::Softmax => {
                let point = tape.pop().unwrap_or_default();
                let back = rows.iter().map(|row| self.tangent(&point, row));
                back.collect()
            }
            Self::Select { inputs, range } => {
                let back = rows.iter().map(|row| {
                    let mut by_inputs = vec![T::ZERO; *inputs];
                    by_inputs[range.clone()].copy_from_slice(row);
                    by_inputs
                });
                back.collect()
            }
            Self::Residual(inside) => {
                let through = back(inside, simd, rows.clone(), tape);
                for (y, x) in rows.iter_mut().zip(&through) {
                    add(y, x);
                }
                rows
            }
            Self::Concat(branches) => {
                let mut sum: Columns<T> = Vec::new();
                for (branch, outputs) in branches.iter().rev() {
                    let part = |row: &mut Vec<T>| row.split_off(row.len() - outputs);
                    let part = rows.iter_mut().map(part).collect();
                    let mut part = back(branch, simd, part, tape);
                    for (first, rest) in part.iter_mut().zip(&sum) {
                        add(first, rest);
                    }
                    sum = part;
                }
                sum
            }
        }
    }
}

/// Columns through layers one after the other.
fn chain<T: Float>(nodes: &[Node<T>], simd: Simd, columns: Columns<T>) -> Columns<T> {
    nodes
        .iter()
        .fold(columns, |columns, node| node.tangents(simd, columns))
}

/// The value through layers one after the other, and what the way back needs.
fn record<T: Float>(nodes: &[Node<T>], simd: Simd, x: Vec<T>, tape: &mut Tape<T>) -> Vec<T> {
    nodes
        .iter()
        .fold(x, |value, node| node.slopes(simd, value, tape))
}

/// Cotangents through layers from the last to the first.
fn back<T: Float>(
    nodes: &[Node<T>],
    simd: Simd,
    rows: Columns<T>,
    tape: &mut Tape<T>,
) -> Columns<T> {
    let nodes = nodes.iter().rev();
    nodes.fold(rows, |rows, node| node.cotangents(simd, rows, tape))
}

/// So many unit vectors with so many entries, the first of them with its one at `first`.
fn units<T: Float>(count: usize, size: usize, first: usize) -> Columns<T> {
    let entry = |is_one: bool| if is_one { T::ONE } else { T::ZERO };
    (first..first + count)
        .map(|at| (0..size).map(|i| entry(i == at)).collect())
        .collect()
}

/// Value and Jacobian by the inputs in a range, forward through the first `cut` layers.
fn evaluate<T: Float>(
    nodes: &[Node<T>],
    simd: Simd,
    x: &[T],
    (inputs, cut): (Range<usize>, usize),
    value: &mut [T],
    jacobian: &mut [T],
) {
    let (depth, outputs, count) = (nodes.len(), value.len(), inputs.len());
    let mut columns = vec![x.to_vec()];
    if cut > 0 {
        if let Node::Dense(layer) = &nodes[0] {
            // The tangents of the input are the unit vectors: those of the sums are the weights.
            let mut tape = Tape::new();
            columns = vec![nodes[0].slopes(simd, columns.swap_remove(0), &mut tape)];
            let slopes = tape.pop().unwrap_or_default();
            for j in inputs.clone() {
                let weights = slopes.iter().enumerate();
                columns.push(weights.map(|(i, &slope)| slope * layer.at(i, j)).collect());
            }
        } else {
            columns.extend(units(count, x.len(), inputs.start));
            columns = nodes[0].tangents(simd, columns);
        }
        columns = chain(&nodes[1..cut], simd, columns);
    }
    let mut kept = columns.split_off(1);
    if cut == depth {
        value.copy_from_slice(&columns[0]);
        for (i, row) in jacobian.chunks_exact_mut(count).enumerate() {
            for (d, tangent) in row.iter_mut().zip(&kept) {
                *d = tangent[i];
            }
        }
        return;
    }
    let mut tape = Tape::new();
    value.copy_from_slice(&record(
        &nodes[cut..],
        simd,
        columns.swap_remove(0),
        &mut tape,
    ));
    let (mut rows, mut end) = (units(outputs, outputs, 0), depth);
    if let Some(Node::Dense(layer)) = nodes.last()
        && depth > 1
    {
        // As above: the rows are those of the weights.
        let slopes = tape.pop().unwrap_or_default();
        let slopes = slopes.iter().enumerate();
        let row = |(i, &slope): (usize, &T)| {
            let weights = (0..layer.inputs).map(|j| layer.at(i, j));
            weights.map(|w| slope * w).collect()
        };
        rows = slopes.map(row).collect();
        end -= 1;
    }
    rows = back(&nodes[cut..end], simd, rows, &mut tape);
    if cut == 0 {
        for (d, row) in jacobian.chunks_exact_mut(count).zip(&rows) {
            d.copy_from_slice(&row[inputs.clone()]);
        }
        return;
    }
    for (d, row) in jacobian.chunks_exact_mut(count).zip(&rows) {
        for (d, tangent) in d.iter_mut().zip(&mut kept) {
            *d = row
                .iter()
                .zip(tangent)
                .fold(T::ZERO, |sum, (&c, &mut t)| sum + c * t);
        }
    }
}

/// What is wanted at inputs of this size, one after the other.
pub(super) fn pass<T: Float>(
    nodes: &[Node<T>],
    simd: Simd,
    size: usize,
    x: &[T],
    value: &mut [T],
    wanted: Wanted<'_, T>,
) {
    let rows = (x.len() / size).max(1);
    let outputs = value.len() / rows;
    let each = x.chunks_exact(size).zip(value.chunks_exact_mut(outputs));
    match wanted {
        Wanted::Value => {
            for (x, value) in each {
                value.copy_from_slice(&chain(nodes, simd, vec![x.to_vec()])[0]);
            }
        }
        Wanted::Columns {
            inputs,
            cut,
            jacobian,
        } => {
            let jacobians = jacobian.chunks_exact_mut(outputs * inputs.len());
            for ((x, value), jacobian) in each.zip(jacobians) {
                evaluate(nodes, simd, x, (inputs.clone(), cut), value, jacobian);
            }
        }
        Wanted::Jvp { v, tangent } => {
            let columns = chain(nodes, simd, vec![x.to_vec(), v.to_vec()]);
            value.copy_from_slice(&columns[0]);
            tangent.copy_from_slice(&columns[1]);
        }
        Wanted::Vjp { w, cotangent } => {
            let mut tape = Tape::new();
            value.copy_from_slice(&record(nodes, simd, x.to_vec(), &mut tape));
            let rows = back(nodes, simd, vec![w.to_vec()], &mut tape);
            cotangent.copy_from_slice(&rows[0]);
        }
    }
}

/// Scales each entry by its factor.
fn scale<T: Float>(column: &mut [T], factors: &[T]) {
    for (number, &factor) in column.iter_mut().zip(factors) {
        *number = factor * *number;
    }
}

/// Adds other entries.
fn add<T: Float>(column: &mut [T], other: &[T]) {
    for (number, &other) in column.iter_mut().zip(other) {
        *number = *number + other;
    }
}

/// Turns sums into values; the slopes there.
fn activated<T: Float>(simd: Simd, activation: Activation, sums: &mut [T]) -> Vec<T> {
    let mut slopes = vec![T::ZERO; sums.len()];
    simd.run(Activate {
        activation,
        z: sums,
        slope: Some(&mut slopes),
    });
    slopes
}

/// Which side of a dense layer the numbers of a product belong to.
#[derive(Clone, Copy)]
enum Side {
    /// Sums, the first so many of which start at the bias.
    Outputs { values: usize },
    /// Cotangents by the inputs.
    Inputs,
}

/// The product of a dense layer's weights with columns, or of rows with its weights.
fn product<T: Float>(simd: Simd, layer: &Packed<T>, columns: &[Vec<T>], side: Side) -> Columns<T> {
    struct Product<'a, T>(&'a Packed<T>, (&'a [T], usize), &'a mut [T], usize, Side);

    impl<T: Float> WithSimd for Product<'_, T> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, simd: S) {
            let Self(layer, input, output, columns, side) = self;
            match side {
                Side::Outputs { values } => layer.sums(simd, input, output, columns, values),
                Side::Inputs => layer.cotangents(simd, input, output, columns),
            }
        }
    }

    let (from, length, size) = match side {
        Side::Outputs { .. } => (layer.inputs, layer.column(), layer.outputs),
        Side::Inputs => (layer.outputs, layer.row(), layer.inputs),
    };
    let input = columns.concat();
    let mut output = vec![T::ZERO; columns.len() * length];
    simd.run(Product(
        layer,
        (&input, from),
        &mut output,
        columns.len(),
        side,
    ));
    let columns = output.chunks_exact(length);
    columns.map(|column| column[..size].to_vec()).collect()
}
