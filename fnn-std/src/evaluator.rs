//! The network of a model that is known when the program runs, with the bits of the network that
//! is known when it is compiled.

use std::{array, sync::Arc};

use fnn_core::{Activation as Function, kernel};

use crate::{
    activation::Activation,
    error::{Error, Result},
    model::{Layer, Model, Precision},
};

/// A number format in which a model is evaluated: `f32` or `f64`.
pub trait Float: fnn_core::Scalar {
    /// The format.
    const PRECISION: Precision;

    /// The number nearest to `x`, ties to even.
    fn from_f64(x: f64) -> Self;

    /// The same number as `f64`.
    fn to_f64(self) -> f64;
}

impl Float for f32 {
    const PRECISION: Precision = Precision::F32;

    #[inline]
    fn from_f64(x: f64) -> Self {
        x as f32
    }

    #[inline]
    fn to_f64(self) -> f64 {
        self.into()
    }
}

impl Float for f64 {
    const PRECISION: Precision = Precision::F64;

    #[inline]
    fn from_f64(x: f64) -> Self {
        x
    }

    #[inline]
    fn to_f64(self) -> f64 {
        self
    }
}

/// A model, ready to be evaluated in the number format `T`.
///
/// Value and Jacobian have, bit for bit, what [`fnn_core::Network`] computes from the same
/// weights: both run the same sums in the same order and the same activations. An `f64` model
/// evaluated in `f32` has its weights rounded; an `f32` model evaluated in `f64` has them widened.
///
/// A clone shares the weights and has scratch memory of its own: one clone for each thread.
/// After [`new`](Self::new) nothing allocates.
#[derive(Debug, Clone)]
pub struct Evaluator<T> {
    layers: Arc<[Packed<T>]>,
    inputs: usize,
    outputs: usize,
    /// What a layer reads and what it writes: 1 + inputs columns, the value first, then the
    /// tangents ∂/∂x₀, ∂/∂x₁ …
    front: Vec<T>,
    back: Vec<T>,
    slope: Vec<T>,
}

/// A layer in the order in which it is read.
#[derive(Debug)]
struct Packed<T> {
    inputs: usize,
    /// Neurons in blocks of [`lanes`], the last filled up with zeros: for each block the weights
    /// of its first input, of its second, and so on.
    weight: Vec<T>,
    /// Filled up in the same way.
    bias: Vec<T>,
    activation: Activation,
}

/// Bytes of a block of neurons: its sums for [`TILE`] columns fill the registers of the target.
const BLOCK: usize = if cfg!(target_feature = "avx") { 64 } else { 32 };

/// Columns that are summed at once at most.
const TILE: usize = 5;

impl<T: Float> Evaluator<T> {
    /// The evaluator of `model`.
    ///
    /// # Errors
    /// A weight that is too large for the format `T`.
    pub fn new(model: &Model) -> Result<Self> {
        let layers: Arc<[_]> = model
            .layers()
            .iter()
            .map(Packed::new)
            .collect::<Result<_>>()?;
        let widest = layers.iter().map(Packed::column).max().unwrap_or(0);
        let panel = (widest * (1 + model.inputs())).max(model.inputs());
        Ok(Self {
            layers,
            inputs: model.inputs(),
            outputs: model.outputs(),
            front: vec![T::ZERO; panel],
            back: vec![T::ZERO; panel],
            slope: vec![T::ZERO; widest],
        })
    }

    /// How many inputs the model has.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// How many outputs the model has.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Writes the output for the input `x` to `value`. A NaN among the inputs is no error.
    ///
    /// # Errors
    /// `x` is not as long as the model has inputs, `value` not as long as it has outputs.
    pub fn value(&mut self, x: &[T], value: &mut [T]) -> Result<()> {
        self.check(x, value)?;
        self.front[..x.len()].copy_from_slice(x);
        let mut length = x.len();
        for layer in self.layers.iter() {
            sums(layer, (&self.front, length), &mut self.back, 1);
            length = layer.column();
            activate(layer.activation, &mut self.back[..length], None);
            std::mem::swap(&mut self.front, &mut self.back);
        }
        value.copy_from_slice(&self.front[..self.outputs]);
        Ok(())
    }

    /// Writes the output for the input `x` to `value` and its Jacobian there to `jacobian`, row by
    /// row: item `i * inputs + j` is ∂ output i / ∂ input j. The value has the bits that
    /// [`value`](Self::value) gives. A NaN among the inputs is no error.
    ///
    /// # Errors
    /// `x` is not as long as the model has inputs, `value` not as long as it has outputs,
    /// `jacobian` not as long as their product.
    pub fn evaluate(&mut self, x: &[T], value: &mut [T], jacobian: &mut [T]) -> Result<()> {
        self.check(x, value)?;
        if jacobian.len() != self.inputs * self.outputs {
            return Err(Error::refused(format!(
                "room for {} derivatives, wanted {} x {}",
                jacobian.len(),
                self.outputs,
                self.inputs
            )));
        }
        self.front[..x.len()].copy_from_slice(x);
        let mut length = x.len();
        let mut first = true;
        for layer in self.layers.iter() {
            let columns = if first { 1 } else { 1 + self.inputs };
            sums(layer, (&self.front, length), &mut self.back, columns);
            length = layer.column();
            let (value, tangents) = self.back.split_at_mut(length);
            let slope = &mut self.slope[..length];
            activate(layer.activation, value, Some(slope));
            let tangents = tangents.chunks_exact_mut(length).take(self.inputs);
            if first {
                first_tangents(layer, slope, tangents);
            } else {
                for tangent in tangents {
                    for (t, &slope) in tangent.iter_mut().zip(&*slope) {
                        *t = slope * *t;
                    }
                }
            }
            first = false;
            std::mem::swap(&mut self.front, &mut self.back);
        }
        let (y, tangents) = self.front.split_at(length);
        value.copy_from_slice(&y[..self.outputs]);
        for (j, tangent) in tangents.chunks_exact(length).take(self.inputs).enumerate() {
            let row = jacobian.iter_mut().skip(j).step_by(self.inputs);
            for (d, &t) in row.zip(tangent) {
                *d = t;
            }
        }
        Ok(())
    }

    fn check(&self, x: &[T], value: &[T]) -> Result<()> {
        if x.len() != self.inputs || value.len() != self.outputs {
            return Err(Error::refused(format!(
                "{} inputs and room for {} outputs, wanted {} and {}",
                x.len(),
                value.len(),
                self.inputs,
                self.outputs
            )));
        }
        Ok(())
    }
}

impl<T: Float> Packed<T> {
    fn new(layer: &Layer) -> Result<Self> {
        let lanes = lanes::<T>();
        let blocks = layer.outputs().div_ceil(lanes);
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
        let mut weight = vec![T::ZERO; blocks * lanes * layer.inputs()];
        for (j, column) in layer.columns().enumerate() {
            for (i, w) in column.enumerate() {
                let (block, lane) = (i / lanes, i % lanes);
                weight[(block * layer.inputs() + j) * lanes + lane] = number(w)?;
            }
        }
        let mut bias = vec![T::ZERO; blocks * lanes];
        for (rounded, &b) in bias.iter_mut().zip(layer.bias()) {
            *rounded = number(b)?;
        }
        Ok(Self {
            inputs: layer.inputs(),
            weight,
            bias,
            activation: layer.activation(),
        })
    }

    /// The length of its columns: its neurons and what fills the last block.
    fn column(&self) -> usize {
        self.bias.len()
    }
}

/// Neurons of a block.
const fn lanes<T>() -> usize {
    BLOCK / size_of::<T>()
}

/// The weighted sums of a layer for the first `columns` columns of `input`, whose columns have the
/// given length. Those of the value start at the bias.
fn sums<T: Float>(layer: &Packed<T>, input: (&[T], usize), output: &mut [T], columns: usize) {
    if size_of::<T>() == 4 {
        sums_of::<T, { BLOCK / 4 }>(layer, input, output, columns);
    } else {
        sums_of::<T, { BLOCK / 8 }>(layer, input, output, columns);
    }
}

fn sums_of<T: Float, const LANES: usize>(
    layer: &Packed<T>,
    input: (&[T], usize),
    output: &mut [T],
    columns: usize,
) {
    let weight = layer.weight.as_chunks::<LANES>().0;
    let bias = layer.bias.as_chunks::<LANES>().0;
    let tiles = columns.div_ceil(TILE);
    for (block, (weight, bias)) in weight.chunks_exact(layer.inputs).zip(bias).enumerate() {
        let mut column = 0;
        for tile in 0..tiles {
            macro_rules! group {
                ($cols:literal) => {{
                    let mut start = [[T::ZERO; LANES]; $cols];
                    if column == 0 {
                        start[0] = *bias;
                    }
                    let sum = group(weight, start, input, column);
                    for (c, sum) in sum.iter().enumerate() {
                        let at = (column + c) * layer.column() + block * LANES;
                        output[at..at + LANES].copy_from_slice(sum);
                    }
                    column += $cols;
                }};
            }
            // As few tiles as there must be, none more than one column wider than another.
            match (columns + tile) / tiles {
                1 => group!(1),
                2 => group!(2),
                3 => group!(3),
                4 => group!(4),
                _ => group!(5),
            }
        }
    }
}

/// The sums of one block of neurons for the columns of the input from `column` on.
#[inline(always)]
fn group<T: Float, const LANES: usize, const COLS: usize>(
    weight: &[[T; LANES]],
    start: [[T; LANES]; COLS],
    (input, length): (&[T], usize),
    column: usize,
) -> [[T; LANES]; COLS] {
    let inputs = weight.len();
    let columns: [&[T]; COLS] = array::from_fn(|c| {
        let at = (column + c) * length;
        &input[at..at + inputs]
    });
    let rows = (0..inputs).map(|j| columns.map(|column| column[j]));
    kernel::tile(start, weight.iter(), rows)
}

/// The tangents of a first layer: those of its input are the unit vectors, so that ∂/∂xⱼ is the
/// slope times column j of the weights.
fn first_tangents<'t, T: Float>(
    layer: &Packed<T>,
    slope: &[T],
    tangents: impl Iterator<Item = &'t mut [T]>,
) {
    let lanes = lanes::<T>();
    for (j, tangent) in tangents.enumerate() {
        let blocks = tangent
            .chunks_exact_mut(lanes)
            .zip(slope.chunks_exact(lanes));
        for (block, (tangent, slope)) in blocks.enumerate() {
            let weight = &layer.weight[(block * layer.inputs + j) * lanes..];
            for ((t, &slope), &w) in tangent.iter_mut().zip(slope).zip(weight) {
                *t = slope * w;
            }
        }
    }
}

/// Turns the sums `z` into values, and gives the slopes there where they are wanted.
fn activate<T: Float>(activation: Activation, z: &mut [T], slope: Option<&mut [T]>)
where
    fnn_core::Identity: Function<T>,
{
    /// `$run` with the function of fnn-core that the name stands for.
    macro_rules! with {
        ($($name:ident),*) => {
            match activation {
                $(Activation::$name => apply(fnn_core::$name, z, slope),)*
                Activation::LeakyRelu(slope_below) => {
                    apply(fnn_core::LeakyRelu { slope: T::from_f64(slope_below) }, z, slope);
                }
                Activation::Elu(alpha) => {
                    apply(fnn_core::Elu { alpha: T::from_f64(alpha) }, z, slope);
                }
            }
        };
    }
    with!(
        Identity,
        Mish,
        Tanh,
        Sigmoid,
        Softplus,
        Silu,
        Gelu,
        GeluTanh,
        Relu,
        Selu,
        Softsign,
        HardSigmoid,
        HardSwish
    );
}

fn apply<T: Float, A: Function<T>>(function: A, z: &mut [T], slope: Option<&mut [T]>) {
    match slope {
        None => {
            for z in z {
                *z = function.value(*z);
            }
        }
        Some(slope) => {
            for (z, slope) in z.iter_mut().zip(slope) {
                (*z, *slope) = function.value_and_slope(*z);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tensor;

    fn model(weights: &[f64], precision: Precision) -> Model {
        let weight = Tensor {
            name: "0.weight".to_owned(),
            shape: vec![1, weights.len()],
            numbers: weights.to_vec(),
        };
        let layer = Layer::new(weight, None, Activation::Identity).unwrap();
        Model::new(vec![layer], precision).unwrap()
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let mut evaluator = Evaluator::<f32>::new(&model(&[1.0, 2.0], Precision::F32)).unwrap();
        let (mut y, mut d) = ([0.0], [0.0; 2]);
        evaluator.evaluate(&[1.0, 2.0], &mut y, &mut d).unwrap();
        assert_eq!((y, d), ([5.0], [1.0, 2.0]));
        let error = evaluator.value(&[1.0], &mut y).unwrap_err();
        assert_eq!(
            error.to_string(),
            "1 inputs and room for 1 outputs, wanted 2 and 1"
        );
        let error = evaluator
            .evaluate(&[1.0, 2.0], &mut y, &mut [0.0])
            .unwrap_err();
        assert_eq!(error.to_string(), "room for 1 derivatives, wanted 1 x 2");
    }

    #[test]
    fn a_slope_too_large_for_the_format_is_refused() {
        let weight = Tensor {
            name: "0.weight".to_owned(),
            shape: vec![1, 1],
            numbers: vec![1.0],
        };
        let layer = Layer::new(weight, None, Activation::LeakyRelu(1e300)).unwrap();
        let model = Model::new(vec![layer], Precision::F32).unwrap();
        assert!(Evaluator::<f64>::new(&model).is_ok());
        assert!(Evaluator::<f32>::new(&model).is_err());
    }

    #[test]
    fn a_weight_too_large_for_the_format_is_refused() {
        let model = model(&[1e300], Precision::F64);
        assert!(Evaluator::<f64>::new(&model).is_ok());
        assert_eq!(
            Evaluator::<f32>::new(&model).unwrap_err().to_string(),
            "the layer of `0.weight` holds 1e300, which is too large for f32"
        );
    }
}
