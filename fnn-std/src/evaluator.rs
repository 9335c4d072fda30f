//! The network of a model that is known when the program runs, with the bits of the network that
//! is known when it is compiled.

mod packed;
mod simd;

use std::{mem, ops::Range, sync::Arc, thread};

use fnn_core::Shape;

use crate::{
    error::{Error, Result},
    model::{Model, Precision},
    order::Order,
};
use packed::Packed;
use simd::{Simd, Sums, Vectors};

/// A number format in which a model is evaluated: `f32` or `f64`.
pub trait Float: fnn_core::Scalar + Vectors {
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
/// weights in the same order of accumulation: both run the same sums and the same activations. An
/// `f64` model evaluated in `f32` has its weights rounded; an `f32` model evaluated in `f64` has them
/// widened.
///
/// It uses the widest vectors of the processor that it runs on, whatever the program was compiled
/// for. A clone shares the weights and has scratch memory of its own: one clone for each thread.
/// After the first call of a function nothing allocates.
#[derive(Debug, Clone)]
pub struct Evaluator<T> {
    layers: Arc<[Packed<T>]>,
    sizes: Arc<[usize]>,
    order: Order,
    /// Where forward accumulation ends for all columns.
    cut: usize,
    simd: Simd,
    /// What a layer reads and what it writes: columns, the value first, then the tangents; in
    /// reverse rows of cotangents.
    front: Vec<T>,
    back: Vec<T>,
    /// The slopes of one layer, or of those whose cotangents are still to come.
    slopes: Vec<T>,
    /// The tangents at the cut, packed to be multiplied by cotangents.
    kept: Vec<T>,
}

impl<T: Float> Evaluator<T> {
    /// The evaluator of `model`, which accumulates Jacobians in the order with the fewest
    /// multiply-adds.
    ///
    /// # Errors
    /// A weight that is too large for the format `T`.
    pub fn new(model: &Model) -> Result<Self> {
        Self::with_order(model, Order::Auto)
    }

    /// The evaluator of `model`, which accumulates Jacobians in this order.
    ///
    /// # Errors
    /// A weight that is too large for the format `T`; a cut after more layers than there are.
    pub fn with_order(model: &Model, order: Order) -> Result<Self> {
        order.check(&model.shape())?;
        let simd = Simd::widest();
        let layers = model.layers().iter();
        Ok(Self {
            layers: layers
                .map(|layer| Packed::new(layer, simd.lanes::<T>()))
                .collect::<Result<_>>()?,
            sizes: model.sizes().into(),
            order,
            cut: order.cut(&model.shape(), model.inputs()),
            simd,
            front: Vec::new(),
            back: Vec::new(),
            slopes: Vec::new(),
            kept: Vec::new(),
        })
    }

    /// How many inputs the model has.
    pub fn inputs(&self) -> usize {
        self.shape().inputs()
    }

    /// How many outputs the model has.
    pub fn outputs(&self) -> usize {
        self.shape().outputs()
    }

    /// The sizes of its layers, from which the counts of multiply-adds follow.
    pub fn shape(&self) -> Shape<'_> {
        Shape::Sizes(&self.sizes)
    }

    /// After which layer forward accumulation ends for all columns of the Jacobian: 0 is reverse
    /// alone, the depth forward alone.
    pub fn cut(&self) -> usize {
        self.cut
    }

    /// Writes the output for the input `x` to `value`. A NaN among the inputs is no error.
    ///
    /// # Errors
    /// `x` is not as long as the model has inputs, `value` not as long as it has outputs.
    pub fn value(&mut self, x: &[T], value: &mut [T]) -> Result<()> {
        self.check(x, value)?;
        self.start(x, 1);
        for layer in self.layers.clone().iter() {
            self.sum(layer, 1);
            self.simd
                .activate(layer.activation, &mut self.front[..layer.column()], None);
        }
        value.copy_from_slice(&self.front[..value.len()]);
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
        self.columns(x, 0..self.inputs(), value, jacobian)
    }

    /// Writes the output for the input `x` to `value` and the columns of its Jacobian by the inputs
    /// in `inputs` to `jacobian`, row by row. The order of accumulation is the cheapest for so many
    /// columns where none is forced.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate); and inputs that the model does not have, or none.
    pub fn columns(
        &mut self,
        x: &[T],
        inputs: Range<usize>,
        value: &mut [T],
        jacobian: &mut [T],
    ) -> Result<()> {
        self.check(x, value)?;
        if inputs.is_empty() || inputs.end > self.inputs() {
            return Err(Error::refused(format!(
                "the columns {inputs:?}, wanted some of 0..{}",
                self.inputs()
            )));
        }
        let count = inputs.len();
        if jacobian.len() != count * value.len() {
            return Err(Error::refused(format!(
                "room for {} derivatives, wanted {} x {count}",
                jacobian.len(),
                self.outputs(),
            )));
        }
        let depth = self.layers.len();
        let cut = if count == self.inputs() {
            self.cut
        } else {
            self.order.cut(&self.shape(), count)
        };
        self.start(x, 1 + if cut > 0 { count } else { 0 });
        if cut > 0 {
            self.forward(cut, &inputs);
        }
        if cut == depth {
            let length = self.layers[depth - 1].column();
            let (y, tangents) = self.front.split_at(length);
            value.copy_from_slice(&y[..value.len()]);
            for (j, tangent) in tangents.chunks_exact(length).take(count).enumerate() {
                let row = jacobian.iter_mut().skip(j).step_by(count);
                for (d, &t) in row.zip(tangent) {
                    *d = t;
                }
            }
            return Ok(());
        }
        if cut > 0 {
            self.keep(cut, count);
        }
        self.slopes(cut);
        value.copy_from_slice(&self.front[..value.len()]);
        let rows = value.len();
        self.last_cotangents(rows);
        let mut end = self.slopes.len() - self.layers[depth - 1].column();
        for layer in (cut.max(1)..depth - 1).rev() {
            self.cotangents(layer, rows, &mut end);
        }
        // The rows of the Jacobian, and where in them its columns begin.
        let (length, from) = if cut == 0 {
            self.cotangents(0, rows, &mut end);
            (self.layers[0].row(), inputs.start)
        } else {
            (self.join(cut, rows, count), 0)
        };
        for (row, found) in jacobian
            .chunks_exact_mut(count)
            .zip(self.front.chunks_exact(length))
        {
            row.copy_from_slice(&found[from..from + count]);
        }
        Ok(())
    }

    /// Writes the output for the input `x` to `value` and the product of its Jacobian there with
    /// the tangent `v` to `tangent`, at the cost of two values.
    ///
    /// # Errors
    /// `x` or `v` is not as long as the model has inputs, `value` or `tangent` not as long as it
    /// has outputs.
    pub fn jvp(&mut self, x: &[T], v: &[T], value: &mut [T], tangent: &mut [T]) -> Result<()> {
        self.check(x, value)?;
        self.check(v, tangent)?;
        self.start(x, 2);
        self.front[x.len()..][..v.len()].copy_from_slice(v);
        let mut length = x.len();
        for layer in self.layers.clone().iter() {
            self.tangents(layer, length, 1);
            length = layer.column();
        }
        value.copy_from_slice(&self.front[..value.len()]);
        tangent.copy_from_slice(&self.front[length..][..tangent.len()]);
        Ok(())
    }

    /// Writes the output for the input `x` to `value` and the product of the cotangent `w` with its
    /// Jacobian there, wᵀ·J, to `cotangent`, at the cost of two values.
    ///
    /// # Errors
    /// `x` or `cotangent` is not as long as the model has inputs, `value` or `w` not as long as it
    /// has outputs.
    pub fn vjp(&mut self, x: &[T], w: &[T], value: &mut [T], cotangent: &mut [T]) -> Result<()> {
        self.check(x, value)?;
        self.check(cotangent, w)?;
        self.start(x, 1);
        self.slopes(0);
        value.copy_from_slice(&self.front[..value.len()]);
        self.front[..w.len()].copy_from_slice(w);
        let mut end = self.slopes.len();
        for layer in (0..self.layers.len()).rev() {
            self.cotangents(layer, 1, &mut end);
        }
        cotangent.copy_from_slice(&self.front[..cotangent.len()]);
        Ok(())
    }

    /// Evaluates many inputs on this many threads: `x` holds one input after the other, `value` and
    /// `jacobian` what [`evaluate`](Self::evaluate) writes for each. The bits do not depend on the
    /// number of threads.
    ///
    /// # Errors
    /// `x` is not a whole number of inputs, or there is not as much room for what is written.
    pub fn batch(
        &mut self,
        x: &[T],
        value: &mut [T],
        jacobian: &mut [T],
        threads: usize,
    ) -> Result<()> {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        let rows = x.len() / inputs;
        let fits = x.len() == rows * inputs
            && value.len() == rows * outputs
            && jacobian.len() == rows * outputs * inputs;
        if !fits {
            return Err(Error::refused(format!(
                "{} numbers of inputs and room for {} outputs and {} derivatives, wanted {inputs}, \
                 {outputs} and {} for each input",
                x.len(),
                value.len(),
                jacobian.len(),
                inputs * outputs
            )));
        }
        let share = rows.div_ceil(threads.max(1)).max(1);
        let parts = x
            .chunks(share * inputs)
            .zip(value.chunks_mut(share * outputs))
            .zip(jacobian.chunks_mut(share * outputs * inputs));
        let run = |evaluator: &mut Self, x: &[T], value: &mut [T], jacobian: &mut [T]| {
            let rows = x
                .chunks_exact(inputs)
                .zip(value.chunks_exact_mut(outputs))
                .zip(jacobian.chunks_exact_mut(outputs * inputs));
            for ((x, value), jacobian) in rows {
                evaluator.evaluate(x, value, jacobian)?;
            }
            Ok(())
        };
        thread::scope(|scope| {
            let mut workers = Vec::new();
            let mut own = None;
            for ((x, value), jacobian) in parts {
                if own.is_none() {
                    own = Some((x, value, jacobian));
                    continue;
                }
                let mut evaluator = self.clone();
                workers.push(scope.spawn(move || run(&mut evaluator, x, value, jacobian)));
            }
            if let Some((x, value, jacobian)) = own {
                run(self, x, value, jacobian)?;
            }
            for worker in workers {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok(())
        })
    }

    /// Room for so many columns of any layer, the input first.
    fn start(&mut self, x: &[T], columns: usize) {
        let longest = self.layers.iter().map(Packed::column).max().unwrap_or(0);
        self.room(columns * longest.max(x.len()));
        self.front[..x.len()].copy_from_slice(x);
    }

    fn room(&mut self, numbers: usize) {
        for panel in [&mut self.front, &mut self.back] {
            if panel.len() < numbers {
                panel.resize(numbers, T::ZERO);
            }
        }
    }

    /// The sums of one column, from one panel to the other.
    fn sum(&mut self, layer: &Packed<T>, columns: usize) {
        self.simd.sums(Sums {
            left: &layer.weight,
            bias: Some(&layer.bias),
            terms: layer.inputs,
            right: (&self.front, layer.inputs),
            output: (&mut self.back, layer.column()),
            columns,
        });
        mem::swap(&mut self.front, &mut self.back);
    }

    /// Value and tangents through the first `cut` layers.
    fn forward(&mut self, cut: usize, inputs: &Range<usize>) {
        let layers = self.layers.clone();
        self.sum(&layers[0], 1);
        let length = layers[0].column();
        let (value, tangents) = self.front.split_at_mut(length);
        self.slopes.resize(length, T::ZERO);
        self.simd
            .activate(layers[0].activation, value, Some(&mut self.slopes));
        // The tangents of the input are the unit vectors, so that ∂/∂xⱼ is the slope times column j
        // of the weights.
        let tangents = &mut tangents[..inputs.len() * length];
        for (j, tangent) in inputs.clone().zip(tangents.chunks_exact_mut(length)) {
            layers[0].copy_column(j, tangent);
        }
        self.simd.scale(tangents, &self.slopes);
        let mut length = length;
        for layer in &layers[1..cut] {
            self.tangents(layer, length, inputs.len());
            length = layer.column();
        }
    }

    /// Value and tangents through one layer, from columns of this length.
    fn tangents(&mut self, layer: &Packed<T>, length: usize, tangents: usize) {
        let columns = 1 + tangents;
        self.simd.sums(Sums {
            left: &layer.weight,
            bias: Some(&layer.bias),
            terms: layer.inputs,
            right: (&self.front, length),
            output: (&mut self.back, layer.column()),
            columns,
        });
        let (value, tangents) = self.back[..columns * layer.column()].split_at_mut(layer.column());
        self.slopes.resize(layer.column(), T::ZERO);
        self.simd
            .activate(layer.activation, value, Some(&mut self.slopes));
        self.simd.scale(tangents, &self.slopes);
        mem::swap(&mut self.front, &mut self.back);
    }

    /// The tangents after layer `cut`, packed.
    fn keep(&mut self, cut: usize, columns: usize) {
        let lanes = self.simd.lanes::<T>();
        let layer = &self.layers[cut - 1];
        let (neurons, length) = (self.sizes[cut], layer.column());
        self.kept
            .resize(columns.next_multiple_of(lanes) * neurons, T::ZERO);
        let tangents = self.front[length..].chunks_exact(length).take(columns);
        for (c, tangent) in tangents.enumerate() {
            let block = &mut self.kept[c / lanes * lanes * neurons..];
            let row = block.iter_mut().skip(c % lanes).step_by(lanes);
            for (kept, &t) in row.zip(&tangent[..neurons]) {
                *kept = t;
            }
        }
    }

    /// The value through the layers after `cut`, whose slopes are kept, one layer after the other.
    fn slopes(&mut self, cut: usize) {
        let layers = self.layers.clone();
        let total = layers[cut..].iter().map(Packed::column).sum();
        self.slopes.resize(total, T::ZERO);
        let mut from = 0;
        for layer in &layers[cut..] {
            self.sum(layer, 1);
            let length = layer.column();
            self.simd.activate(
                layer.activation,
                &mut self.front[..length],
                Some(&mut self.slopes[from..from + length]),
            );
            from += length;
        }
    }

    /// The cotangents of the outputs by the inputs of the last layer: its weights, row i scaled by
    /// slope i.
    fn last_cotangents(&mut self, rows: usize) {
        let layers = self.layers.clone();
        let Some(last) = layers.last() else {
            return;
        };
        let longest = layers.iter().map(Packed::row).max().unwrap_or(0);
        self.room(rows * longest);
        let slopes = &self.slopes[self.slopes.len() - last.column()..];
        for (i, row) in self
            .front
            .chunks_exact_mut(last.row())
            .take(rows)
            .enumerate()
        {
            last.copy_row(i, row);
            for number in row {
                *number = slopes[i] * *number;
            }
        }
    }

    /// Cotangents through the layer with this number, from 0: by its outputs in, by its inputs out.
    /// Its slopes end at `end`.
    fn cotangents(&mut self, number: usize, rows: usize, end: &mut usize) {
        let layers = self.layers.clone();
        let layer = &layers[number];
        let length = layer.column();
        let slopes = &self.slopes[*end - length..*end];
        *end -= length;
        let panel = &mut self.front[..rows * length];
        self.simd.scale(panel, slopes);
        self.simd.sums(Sums {
            left: layer.transposed(),
            bias: None,
            terms: self.sizes[number + 1],
            right: (panel, length),
            output: (&mut self.back, layer.row()),
            columns: rows,
        });
        mem::swap(&mut self.front, &mut self.back);
    }

    /// The cotangents times the tangents kept after layer `cut`; how long the rows of the product
    /// are.
    fn join(&mut self, cut: usize, rows: usize, columns: usize) -> usize {
        let length = columns.next_multiple_of(self.simd.lanes::<T>());
        self.room(rows * length);
        let terms = self.sizes[cut];
        self.simd.sums(Sums {
            left: &self.kept[..length * terms],
            bias: None,
            terms,
            right: (&self.front, self.layers[cut].row()),
            output: (&mut self.back, length),
            columns: rows,
        });
        mem::swap(&mut self.front, &mut self.back);
        length
    }

    fn check(&self, x: &[T], value: &[T]) -> Result<()> {
        if x.len() != self.inputs() || value.len() != self.outputs() {
            return Err(Error::refused(format!(
                "{} inputs and room for {} outputs, wanted {} and {}",
                x.len(),
                value.len(),
                self.inputs(),
                self.outputs()
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        activation::Activation,
        model::{Layer, Tensor},
    };

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
