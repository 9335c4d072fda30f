//! The network of a model that is known when the program runs, with the bits of the network that
//! is known when it is compiled.

mod composite;
mod packed;
mod pass;
mod simd;

use std::{ops::Range, sync::Arc, thread};

use fnn_core::{Shape, Step};

use crate::{
    error::{Error, Result},
    model::{Model, Precision},
    order::Order,
};
use composite::Node;
use packed::Packed;
use pass::{Panels, Pass, Wanted};
use simd::{Simd, Vectors};

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
/// widened. What the importer computed for an `f32` model, such as a reciprocal, is widened too: read
/// the file for `f64` ([`import::Options::precision`](crate::import::Options::precision)) to have it
/// computed in `f64`.
///
/// It uses the widest vectors of the processor that it runs on, whatever the program was compiled
/// for. A clone shares the weights and has scratch memory of its own: one clone for each thread.
/// Where all layers are dense, nothing allocates after the first call of a function.
#[derive(Debug, Clone)]
pub struct Evaluator<T> {
    layers: Layers<T>,
    sizes: Arc<[usize]>,
    steps: Arc<[Step]>,
    order: Order,
    /// Where forward accumulation ends for all columns.
    cut: usize,
    simd: Simd,
    panels: Panels<T>,
}

/// The layers, packed.
#[derive(Debug, Clone)]
enum Layers<T> {
    /// All of them dense.
    Dense(Arc<[Packed<T>]>),
    /// Others among them.
    Composite(Arc<[Node<T>]>),
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
        let cut = order.cut(&model.shape(), model.inputs());
        model
            .check_room(cut)
            .map_err(|e| e.with_help("leave --order out, and the cheapest one is taken"))?;
        let lanes = simd.lanes::<T>();
        let layers = match model.as_dense() {
            Some(layers) => {
                let layers = layers.into_iter().map(|layer| Packed::new(layer, lanes));
                Layers::Dense(layers.collect::<Result<_>>()?)
            }
            None => {
                let layers = model.layers().iter().map(|layer| Node::new(layer, lanes));
                Layers::Composite(layers.collect::<Result<_>>()?)
            }
        };
        Ok(Self {
            layers,
            sizes: model.sizes().into(),
            steps: model.steps().into(),
            order,
            cut,
            simd,
            panels: Panels::default(),
        })
    }

    /// How many inputs the model has.
    pub fn inputs(&self) -> usize {
        self.sizes[0]
    }

    /// How many outputs the model has.
    pub fn outputs(&self) -> usize {
        self.sizes[self.sizes.len() - 1]
    }

    /// The sizes of its layers, from which the counts of multiply-adds follow.
    pub fn shape(&self) -> Shape<'_> {
        Shape::Steps(&self.steps)
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
        self.pass(1, x, value, Wanted::Value);
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
        let cut = if count == self.inputs() {
            self.cut
        } else {
            self.order.cut(&self.shape(), count)
        };
        let wanted = Wanted::Columns {
            inputs,
            cut,
            jacobian,
        };
        self.pass(1, x, value, wanted);
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
        self.pass(1, x, value, Wanted::Jvp { v, tangent });
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
        self.pass(1, x, value, Wanted::Vjp { w, cotangent });
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
            let wanted = Wanted::Columns {
                inputs: 0..inputs,
                cut: evaluator.cut,
                jacobian,
            };
            evaluator.pass(each, x, value, wanted);
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
    /// nearest cache with the weights of a layer, at most as many as were found to gain anything.
    fn group_size(&self) -> usize {
        const BYTES: usize = 16 << 10;
        let Layers::Dense(layers) = &self.layers else {
            return 1;
        };
        let longest = layers.iter().map(Packed::column).max().unwrap_or(0);
        let columns = if self.cut > 0 {
            1 + self.inputs()
        } else {
            self.outputs()
        };
        (BYTES / (columns * longest * size_of::<T>()).max(1)).clamp(1, 32)
    }

    /// Evaluates groups of so many inputs.
    fn pass(&mut self, group: usize, x: &[T], value: &mut [T], wanted: Wanted<'_, T>) {
        match &self.layers {
            Layers::Dense(layers) => self.simd.run(Pass {
                layers,
                group,
                panels: &mut self.panels,
                x,
                value,
                wanted,
            }),
            Layers::Composite(nodes) => {
                composite::pass(nodes, self.simd, self.inputs(), x, value, wanted);
            }
        }
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
            let x: Vec<T> = (0..35 * 5)
                .map(|k| T::from_f64((f64::from(k) * 0.7).sin()))
                .collect();
            let (rows, outputs) = (35, model.sizes()[model.sizes().len() - 1]);
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
