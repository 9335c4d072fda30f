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
        let widest = Simd::available().next();
        Self::with_simd(model, order, widest.unwrap_or(Simd::BASELINE))
    }

    fn with_simd(model: &Model, order: Order, simd: Simd) -> Result<Self> {
        order.check(&model.shape())?;
        let layers = model.as_dense().ok_or_else(|| {
            Error::refused("a layer that is not dense, which cannot be evaluated yet")
        })?;
        Ok(Self {
            layers: layers
                .into_iter()
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
        let mut length = x.len();
        for layer in self.layers.clone().iter() {
            self.sum(layer, length, 1, 1);
            length = layer.column();
            self.simd
                .activate(layer.activation, &mut self.front[..length], None);
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
        self.group(x, &inputs, value, jacobian);
        Ok(())
    }

    /// The columns by `inputs` of the Jacobians at a group of inputs, one after the other. Their
    /// sums and activations run side by side; those of one input alone wait for each other.
    fn group(&mut self, x: &[T], inputs: &Range<usize>, value: &mut [T], jacobian: &mut [T]) {
        let (rows, count, depth) = (self.outputs(), inputs.len(), self.layers.len());
        let group = x.len() / self.inputs();
        let cut = if count == self.inputs() {
            self.cut
        } else {
            self.order.cut(&self.shape(), count)
        };
        self.start(x, group * (1 + if cut > 0 { count } else { 0 }));
        if cut > 0 {
            self.forward(cut, inputs, group);
        }
        if cut == depth {
            let length = self.layers[depth - 1].column();
            let (y, tangents) = self.front.split_at(group * length);
            copy_rows(y, length, value, rows);
            let tangents = tangents.chunks_exact(count * length);
            for (jacobian, tangents) in jacobian.chunks_exact_mut(rows * count).zip(tangents) {
                for (j, tangent) in tangents.chunks_exact(length).enumerate() {
                    let column = jacobian.iter_mut().skip(j).step_by(count);
                    for (d, &t) in column.zip(tangent) {
                        *d = t;
                    }
                }
            }
            return;
        }
        if cut > 0 {
            self.keep(cut, count, group);
        }
        self.slopes(cut, group);
        copy_rows(&self.front, self.layers[depth - 1].column(), value, rows);
        self.last_cotangents(rows, group);
        let mut end = self.slopes.len() - group * self.layers[depth - 1].column();
        for layer in (cut.max(1)..depth - 1).rev() {
            self.cotangents(layer, rows, group, &mut end);
        }
        // The rows of the Jacobian, and where in them its columns begin.
        let (length, from) = if cut == 0 {
            self.cotangents(0, rows, group, &mut end);
            (self.layers[0].row(), inputs.start)
        } else {
            (self.join(cut, rows, count, group), 0)
        };
        copy_rows(&self.front[from..], length, jacobian, count);
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
            self.tangents(layer, length, 1, 1);
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
        self.slopes(0, 1);
        value.copy_from_slice(&self.front[..value.len()]);
        self.front[..w.len()].copy_from_slice(w);
        let mut end = self.slopes.len();
        for layer in (0..self.layers.len()).rev() {
            self.cotangents(layer, 1, 1, &mut end);
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
        let each = self.group_size();
        let run = |evaluator: &mut Self, x: &[T], value: &mut [T], jacobian: &mut [T]| {
            let groups = x
                .chunks(each * inputs)
                .zip(value.chunks_mut(each * outputs))
                .zip(jacobian.chunks_mut(each * outputs * inputs));
            for ((x, value), jacobian) in groups {
                evaluator.group(x, &(0..inputs), value, jacobian);
            }
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
                run(self, x, value, jacobian);
            }
            for worker in workers {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            }
            Ok(())
        })
    }

    /// How many inputs of a batch are evaluated side by side: as many as their panels fit in the
    /// nearest cache with the weights of a layer, at most eight.
    fn group_size(&self) -> usize {
        const BYTES: usize = 8 << 10;
        let longest = self.layers.iter().map(Packed::column).max().unwrap_or(0);
        let columns = if self.cut > 0 {
            1 + self.inputs()
        } else {
            self.outputs()
        };
        (BYTES / (columns * longest * size_of::<T>()).max(1)).clamp(1, 8)
    }

    /// Room for so many columns of any layer, the inputs first.
    fn start(&mut self, x: &[T], columns: usize) {
        let longest = self.layers.iter().map(Packed::column).max().unwrap_or(0);
        self.room(columns * longest.max(self.inputs()));
        self.front[..x.len()].copy_from_slice(x);
    }

    fn room(&mut self, numbers: usize) {
        for panel in [&mut self.front, &mut self.back] {
            if panel.len() < numbers {
                panel.resize(numbers, T::ZERO);
            }
        }
    }

    /// The sums of a layer, from one panel with columns of this length to the other. The first
    /// `values` of the columns start at the bias.
    fn sum(&mut self, layer: &Packed<T>, length: usize, columns: usize, values: usize) {
        self.simd.sums(Sums {
            left: &layer.weight,
            bias: (&layer.bias, values),
            terms: layer.inputs,
            right: (&self.front, length),
            output: (&mut self.back, layer.column()),
            columns,
        });
        mem::swap(&mut self.front, &mut self.back);
    }

    /// Values and tangents of a group of inputs through the first `cut` layers: the values, then for
    /// each input its tangents.
    fn forward(&mut self, cut: usize, inputs: &Range<usize>, group: usize) {
        let layers = self.layers.clone();
        self.sum(&layers[0], self.inputs(), group, group);
        let length = layers[0].column();
        // The tangents of the input are the unit vectors, so that ∂/∂xⱼ is the slope times column j
        // of the weights.
        let tangents = self.front[group * length..].chunks_exact_mut(length);
        for (tangent, j) in tangents.zip((0..group).flat_map(|_| inputs.clone())) {
            layers[0].copy_column(j, tangent);
        }
        self.activate(&layers[0], inputs.len(), group);
        let mut length = length;
        for layer in &layers[1..cut] {
            self.tangents(layer, length, inputs.len(), group);
            length = layer.column();
        }
    }

    /// Values and tangents through one layer, from columns of this length.
    fn tangents(&mut self, layer: &Packed<T>, length: usize, tangents: usize, group: usize) {
        self.sum(layer, length, group * (1 + tangents), group);
        self.activate(layer, tangents, group);
    }

    /// Turns sums in front into values, and scales the tangents by the slopes there.
    fn activate(&mut self, layer: &Packed<T>, tangents: usize, group: usize) {
        let length = layer.column();
        self.slopes.resize(group * length, T::ZERO);
        let (values, rest) = self.front.split_at_mut(group * length);
        self.simd
            .activate(layer.activation, values, Some(&mut self.slopes));
        let panels = rest.chunks_exact_mut(tangents * length);
        for (tangents, slopes) in panels.zip(self.slopes.chunks_exact(length)) {
            self.simd.scale(tangents, slopes);
        }
    }

    /// The tangents after layer `cut`, packed for each input.
    fn keep(&mut self, cut: usize, columns: usize, group: usize) {
        let lanes = self.simd.lanes::<T>();
        let (neurons, length) = (self.sizes[cut], self.layers[cut - 1].column());
        let each = columns.next_multiple_of(lanes) * neurons;
        self.kept.resize(group * each, T::ZERO);
        let panels = self.front[group * length..].chunks_exact(columns * length);
        for (kept, panel) in self.kept.chunks_exact_mut(each).zip(panels) {
            for (c, tangent) in panel.chunks_exact(length).enumerate() {
                let block = &mut kept[c / lanes * lanes * neurons..];
                let row = block.iter_mut().skip(c % lanes).step_by(lanes);
                for (kept, &t) in row.zip(&tangent[..neurons]) {
                    *kept = t;
                }
            }
        }
    }

    /// The values through the layers after `cut`, whose slopes are kept, one layer after the other.
    fn slopes(&mut self, cut: usize, group: usize) {
        let layers = self.layers.clone();
        let total: usize = layers[cut..].iter().map(Packed::column).sum();
        self.slopes.resize(group * total, T::ZERO);
        let mut from = 0;
        let mut length = match cut {
            0 => self.inputs(),
            _ => layers[cut - 1].column(),
        };
        for layer in &layers[cut..] {
            self.sum(layer, length, group, group);
            length = layer.column();
            let numbers = group * length;
            self.simd.activate(
                layer.activation,
                &mut self.front[..numbers],
                Some(&mut self.slopes[from..from + numbers]),
            );
            from += numbers;
        }
    }

    /// The cotangents of the outputs by the inputs of the last layer: its weights, row i scaled by
    /// slope i.
    fn last_cotangents(&mut self, rows: usize, group: usize) {
        let layers = self.layers.clone();
        let Some(last) = layers.last() else {
            return;
        };
        let longest = layers.iter().map(Packed::row).max().unwrap_or(0);
        self.room(group * rows * longest);
        let slopes = &self.slopes[self.slopes.len() - group * last.column()..];
        let slopes = slopes.chunks_exact(last.column());
        let panels = self.front.chunks_exact_mut(rows * last.row());
        for (panel, slopes) in panels.zip(slopes) {
            for (i, row) in panel.chunks_exact_mut(last.row()).enumerate() {
                last.copy_row(i, row);
                for number in row {
                    *number = slopes[i] * *number;
                }
            }
        }
    }

    /// Cotangents through the layer with this number, from 0: by its outputs in, by its inputs out.
    /// Its slopes end at `end`.
    fn cotangents(&mut self, number: usize, rows: usize, group: usize, end: &mut usize) {
        let layers = self.layers.clone();
        let layer = &layers[number];
        let length = layer.column();
        let slopes = &self.slopes[*end - group * length..*end];
        *end -= group * length;
        let panels = self.front.chunks_exact_mut(rows * length);
        for (panel, slopes) in panels.zip(slopes.chunks_exact(length)) {
            self.simd.scale(panel, slopes);
        }
        self.simd.sums(Sums {
            left: layer.transposed(),
            bias: (&[], 0),
            terms: self.sizes[number + 1],
            right: (&self.front, length),
            output: (&mut self.back, layer.row()),
            columns: group * rows,
        });
        mem::swap(&mut self.front, &mut self.back);
    }

    /// The cotangents times the tangents kept after layer `cut`; how long the rows of the product
    /// are.
    fn join(&mut self, cut: usize, rows: usize, columns: usize, group: usize) -> usize {
        let length = columns.next_multiple_of(self.simd.lanes::<T>());
        self.room(group * rows * length);
        let (terms, row) = (self.sizes[cut], self.layers[cut].row());
        let panels = self.front.chunks_exact(rows * row);
        let outputs = self.back.chunks_exact_mut(rows * length);
        let kept = self.kept[..group * length * terms].chunks_exact(length * terms);
        for ((panel, output), kept) in panels.zip(outputs).zip(kept) {
            self.simd.sums(Sums {
                left: kept,
                bias: (&[], 0),
                terms,
                right: (panel, row),
                output: (output, length),
                columns: rows,
            });
        }
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

/// The first numbers of rows of this length, as many of each as `each` says, to `output`.
fn copy_rows<T: Float>(rows: &[T], length: usize, output: &mut [T], each: usize) {
    for (output, row) in output.chunks_exact_mut(each).zip(rows.chunks(length)) {
        output.copy_from_slice(&row[..each]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        activation::Activation,
        model::{Dense, Tensor},
    };

    fn model(weights: &[f64], precision: Precision) -> Model {
        let weight = Tensor {
            name: "0.weight".to_owned(),
            shape: vec![1, weights.len()],
            numbers: weights.to_vec(),
        };
        let layer = Dense::new(weight, None, Activation::Identity).unwrap();
        Model::new(vec![layer], precision).unwrap()
    }

    /// Every kind of vectors that this processor has, those that it would not choose too.
    #[test]
    fn the_width_of_the_vectors_does_not_show() {
        fn check<T: Float>(model: &Model) {
            let x: Vec<T> = (0..11 * 5)
                .map(|k| T::from_f64((f64::from(k) * 0.7).sin()))
                .collect();
            let (rows, outputs) = (11, model.sizes()[model.sizes().len() - 1]);
            for order in [Order::Forward, Order::Reverse, Order::Cut(2)] {
                let mut found: Vec<Vec<u64>> = Vec::new();
                for simd in Simd::available() {
                    let mut evaluator = Evaluator::<T>::with_simd(model, order, simd).unwrap();
                    let mut y = vec![T::ZERO; rows * outputs];
                    let mut j = vec![T::ZERO; rows * outputs * 5];
                    evaluator.batch(&x, &mut y, &mut j, 1).unwrap();
                    let numbers = y.iter().chain(&j);
                    found.push(numbers.map(|&n| n.to_f64().to_bits()).collect());
                }
                assert!(found.iter().all(|bits| *bits == found[0]), "{order}");
            }
        }
        for activation in Activation::ALL {
            // Sizes beside whole vectors of every width.
            let sizes = [5, 37, 18, 7, 19];
            let layers = sizes.windows(2).enumerate().map(|(k, pair)| {
                let (inputs, outputs) = (pair[0], pair[1]);
                let tensor = |name: &str, shape: Vec<usize>| {
                    let count: usize = shape.iter().product();
                    let number = |i: usize| ((i * 7 + k) as f64 * 1.3).sin() as f32;
                    Tensor {
                        name: format!("{k}.{name}"),
                        shape,
                        numbers: (0..count).map(|i| f64::from(number(i))).collect(),
                    }
                };
                let weight = tensor("weight", vec![outputs, inputs]);
                Dense::new(weight, Some(tensor("bias", vec![outputs])), activation).unwrap()
            });
            let model = Model::new(layers.collect(), Precision::F32).unwrap();
            check::<f32>(&model);
            check::<f64>(&model);
        }
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
        let layer = Dense::new(weight, None, Activation::LeakyRelu(1e300)).unwrap();
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
