//! The weights of a layer in the order in which they are read.

use std::{ops::Range, sync::OnceLock};

use super::{Float, simd::Sums};
use crate::{
    activation::Activation,
    error::{Error, Result},
    model::Dense,
};

/// A dense layer, its matrix packed in blocks of as many rows as a vector has lanes, the last block
/// filled up with zeros: for each block the numbers of its first column, of its second, and so on.
#[derive(Debug)]
pub(super) struct Packed<T> {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    lanes: usize,
    /// Blocks of neurons, for the value and the tangents.
    weight: Vec<T>,
    /// Blocks of inputs, for the cotangents; made when they are first needed.
    transposed: OnceLock<Vec<T>>,
    /// Filled up with zeros.
    bias: Vec<T>,
    pub(super) activation: Activation,
}

impl<T: Float> Packed<T> {
    /// # Errors
    /// A number that is too large for the format `T`.
    pub(super) fn new(layer: &Dense, lanes: usize) -> Result<Self> {
        let number = |w: f64| rounded(layer.name(), w);
        check_parameters::<T>(layer.name(), layer.activation())?;
        let (inputs, outputs) = (layer.inputs(), layer.outputs());
        let mut weight = vec![T::ZERO; outputs.next_multiple_of(lanes) * inputs];
        for (i, row) in layer.rows().enumerate() {
            let block = &mut weight[i / lanes * lanes * inputs..];
            let places = block.iter_mut().skip(i % lanes).step_by(lanes);
            for (place, &w) in places.zip(row) {
                *place = number(w)?;
            }
        }
        let mut bias = vec![T::ZERO; outputs.next_multiple_of(lanes)];
        for (rounded, &b) in bias.iter_mut().zip(layer.bias()) {
            *rounded = number(b)?;
        }
        Ok(Self {
            inputs,
            outputs,
            lanes,
            weight,
            transposed: OnceLock::new(),
            bias,
            activation: layer.activation(),
        })
    }

    /// The length of a column of its values: its neurons and what fills the last block.
    #[inline(always)]
    pub(super) fn column(&self) -> usize {
        self.bias.len()
    }

    /// The length of a row of cotangents by its inputs, the last block filled up.
    #[inline(always)]
    pub(super) fn row(&self) -> usize {
        self.inputs.next_multiple_of(self.lanes)
    }

    /// `weight[i][j]`.
    pub(super) fn at(&self, i: usize, j: usize) -> T {
        let (block, lane) = (i / self.lanes, i % self.lanes);
        self.weight[(block * self.inputs + j) * self.lanes + lane]
    }

    /// The sums of its neurons, from columns of this length to columns of its own. The first
    /// `values` of them start at the bias.
    #[inline(always)]
    pub(super) fn sums<S: pulp::Simd>(
        &self,
        simd: S,
        input: (&[T], usize),
        output: &mut [T],
        columns: usize,
        values: usize,
    ) {
        Sums {
            left: &self.weight,
            bias: (&self.bias, values),
            terms: self.inputs,
            right: input,
            output: (output, self.column()),
            columns,
        }
        .sum(simd);
    }

    /// The tangents by some inputs where these are the network's, for each of a group of inputs:
    /// the columns of the weights, neuron i scaled by slope i.
    #[inline(always)]
    pub(super) fn first_tangents<S: pulp::Simd>(
        &self,
        simd: S,
        inputs: &Range<usize>,
        slopes: &[T],
        tangents: &mut [T],
    ) {
        let weight = T::vectors::<S>(&self.weight);
        let (slopes, tangents) = (T::vectors::<S>(slopes), T::vectors_mut::<S>(tangents));
        let blocks = self.column() / self.lanes;
        let mut at = 0;
        for input in 0..slopes.len() / blocks {
            let slopes = &slopes[input * blocks..][..blocks];
            for j in inputs.start..inputs.end {
                let tangent = &mut tangents[at..][..blocks];
                for b in 0..blocks {
                    tangent[b] = T::product(simd, slopes[b], weight[b * self.inputs + j]);
                }
                at += blocks;
            }
        }
    }

    /// The cotangents of the network's outputs where these are the layer's, for each of a group of
    /// inputs: the rows of the weights, row i scaled by slope i.
    #[inline(always)]
    pub(super) fn last_cotangents<S: pulp::Simd>(
        &self,
        simd: S,
        slopes: &[T],
        cotangents: &mut [T],
    ) {
        let weight = T::vectors::<S>(self.transposed());
        let cotangents = T::vectors_mut::<S>(cotangents);
        let blocks = self.row() / self.lanes;
        let mut at = 0;
        for input in 0..slopes.len() / self.column() {
            for i in 0..self.outputs {
                let slope = T::splat(simd, slopes[input * self.column() + i]);
                let row = &mut cotangents[at..][..blocks];
                for b in 0..blocks {
                    row[b] = T::product(simd, slope, weight[b * self.outputs + i]);
                }
                at += blocks;
            }
        }
    }

    /// The cotangents by its inputs, from those by its sums.
    #[inline(always)]
    pub(super) fn cotangents<S: pulp::Simd>(
        &self,
        simd: S,
        by_sums: (&[T], usize),
        by_inputs: &mut [T],
        rows: usize,
    ) {
        Sums {
            left: self.transposed(),
            bias: (&[], 0),
            terms: self.outputs,
            right: by_sums,
            output: (by_inputs, self.row()),
            columns: rows,
        }
        .sum(simd);
    }

    /// The transposed matrix, packed.
    pub(super) fn transposed(&self) -> &[T] {
        self.transposed.get_or_init(|| {
            let mut transposed = vec![T::ZERO; self.row() * self.outputs];
            let blocks = transposed.chunks_exact_mut(self.lanes * self.outputs);
            for (block, numbers) in blocks.enumerate() {
                for (i, part) in numbers.chunks_exact_mut(self.lanes).enumerate() {
                    for (lane, number) in part.iter_mut().enumerate() {
                        let j = block * self.lanes + lane;
                        if j < self.inputs {
                            *number = self.at(i, j);
                        }
                    }
                }
            }
            transposed
        })
    }
}

/// The number of the format `T` that is nearest to a number of the layer with this name.
///
/// # Errors
/// A number that is too large for the format.
pub(super) fn rounded<T: Float>(layer: &str, number: f64) -> Result<T> {
    let rounded = T::from_f64(number);
    if rounded.to_f64().is_infinite() {
        return Err(Error::refused(format!(
            "the layer of `{layer}` holds {number:e}, which is too large for {}",
            T::PRECISION
        ))
        .with_help("evaluate it with --precision f64"));
    }
    Ok(rounded)
}

/// Refuses an activation of which a finite parameter is too large for the format `T`.
///
/// # Errors
/// That.
pub(super) fn check_parameters<T: Float>(layer: &str, activation: Activation) -> Result<()> {
    for parameter in activation.parameters() {
        if parameter.is_finite() {
            rounded::<T>(layer, parameter)?;
        }
    }
    Ok(())
}
