//! The weights of a layer in the order in which they are read.

use std::sync::OnceLock;

use super::Float;
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
    outputs: usize,
    lanes: usize,
    /// Blocks of neurons, for the value and the tangents.
    pub(super) weight: Vec<T>,
    /// Blocks of inputs, for the cotangents; made when they are first needed.
    transposed: OnceLock<Vec<T>>,
    /// Filled up with zeros.
    pub(super) bias: Vec<T>,
    pub(super) activation: Activation,
}

impl<T: Float> Packed<T> {
    /// # Errors
    /// A number that is too large for the format `T`.
    pub(super) fn new(layer: &Dense, lanes: usize) -> Result<Self> {
        let number = |w: f64| {
            let rounded = T::from_f64(w);
            if rounded.to_f64().is_infinite() {
                return Err(Error::refused(format!(
                    "the layer of `{}` holds {w:e}, which is too large for {}",
                    layer.name(),
                    T::PRECISION
                ))
                .with_help("evaluate it with --precision f64"));
            }
            Ok(rounded)
        };
        if let Some(parameter) = layer.activation().parameter() {
            number(parameter)?;
        }
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
    pub(super) fn column(&self) -> usize {
        self.bias.len()
    }

    /// The length of a row of cotangents by its inputs, the last block filled up.
    pub(super) fn row(&self) -> usize {
        self.inputs.next_multiple_of(self.lanes)
    }

    /// `weight[i][j]`.
    fn at(&self, i: usize, j: usize) -> T {
        let (block, lane) = (i / self.lanes, i % self.lanes);
        self.weight[(block * self.inputs + j) * self.lanes + lane]
    }

    /// The weights of input j, as long as a column.
    pub(super) fn copy_column(&self, j: usize, column: &mut [T]) {
        let blocks = self.weight.chunks_exact(self.lanes * self.inputs);
        for (part, block) in column.chunks_exact_mut(self.lanes).zip(blocks) {
            part.copy_from_slice(&block[j * self.lanes..][..self.lanes]);
        }
    }

    /// The weights of neuron i, as long as a row.
    pub(super) fn copy_row(&self, i: usize, row: &mut [T]) {
        let blocks = self.transposed().chunks_exact(self.lanes * self.outputs);
        for (part, block) in row.chunks_exact_mut(self.lanes).zip(blocks) {
            part.copy_from_slice(&block[i * self.lanes..][..self.lanes]);
        }
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
