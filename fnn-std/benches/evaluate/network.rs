//! The networks that are evaluated, and the inputs.

use std::array;

use fnn_std::{
    Activation, Model, Precision,
    model::{Dense, Tensor},
};

/// Inputs that contenders are timed at, one after the other, so that none may remember the last.
const INPUTS: usize = 64;

/// A network and its name.
pub(crate) struct Network {
    pub(crate) name: String,
    pub(crate) model: Model,
}

/// The six of the table: name, inputs, neurons of each layer, activation of all but the last layer.
pub(crate) fn table() -> [Network; 6] {
    let table: [(&str, &[usize], Activation); 6] = [
        ("seed", &[4, 32, 32, 32, 32, 32, 3], Activation::Mish),
        ("sensor", &[12, 64, 64, 1], Activation::Tanh),
        ("dynamics", &[8, 64, 64, 6], Activation::Silu),
        ("wide", &[25, 256, 256, 256, 256, 38], Activation::Silu),
        ("bottleneck", &[64, 64, 8, 64, 64], Activation::Tanh),
        ("tiny", &[2, 8, 1], Activation::Tanh),
    ];
    table.map(|(name, sizes, activation)| Network::new(name, sizes, activation))
}

impl Network {
    /// Its weights are pseudo-random, of a spread that layers neither lose nor saturate; they are
    /// numbers of f32, so that both precisions evaluate the same network.
    pub(crate) fn new(name: &str, sizes: &[usize], activation: Activation) -> Self {
        let mut random = Random(1);
        let mut tensor = |name: &str, shape: &[usize], spread: f64| Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            numbers: (0..shape.iter().product())
                .map(|_| f64::from((spread * random.next()) as f32))
                .collect(),
        };
        let depth = sizes.len() - 1;
        let layers = (1..=depth).map(|k| {
            let (inputs, neurons) = (sizes[k - 1], sizes[k]);
            let spread = (3.0 / inputs as f64).sqrt();
            Dense::new(
                tensor("weight", &[neurons, inputs], spread),
                Some(tensor("bias", &[neurons], 0.5)),
                if k < depth {
                    activation
                } else {
                    Activation::Identity
                },
            )
        });
        let model = layers
            .collect::<fnn_std::Result<_>>()
            .and_then(|layers| Model::new(layers, Precision::F32));
        Self {
            name: name.to_owned(),
            model: model.expect("sizes follow from each other, weights are finite"),
        }
    }

    pub(crate) fn inputs(&self) -> usize {
        self.model.inputs()
    }

    pub(crate) fn outputs(&self) -> usize {
        self.model.outputs()
    }

    /// Its layers, all of them dense.
    pub(crate) fn layers(&self) -> Vec<&Dense> {
        self.model.as_dense().expect("it was made of dense layers")
    }

    /// The activation of the hidden layers.
    pub(crate) fn activation(&self) -> Activation {
        self.layers()[0].activation()
    }

    /// The sizes and the activation in a line.
    pub(crate) fn shape(&self) -> String {
        let sizes: Vec<_> = self.model.sizes().iter().map(usize::to_string).collect();
        format!("{} {}", sizes.join("-"), self.activation())
    }

    /// Multiply-adds of the value.
    pub(crate) fn value_multiply_adds(&self) -> usize {
        self.model.shape().value_multiply_adds()
    }

    /// Multiply-adds of value and Jacobian in the order that has the fewest.
    pub(crate) fn multiply_adds(&self) -> usize {
        let (shape, columns) = (self.model.shape(), self.inputs());
        self.value_multiply_adds() + shape.jacobian_multiply_adds(shape.best_cut(columns), columns)
    }

    /// That order.
    pub(crate) fn order(&self) -> String {
        let shape = self.model.shape();
        match shape.best_cut(self.inputs()) {
            0 => "reverse".to_owned(),
            cut if cut == shape.depth() => "forward".to_owned(),
            cut => format!("cut {cut}"),
        }
    }

    /// Weights and biases: of each layer the rows of the weights, then the bias.
    pub(crate) fn numbers(&self) -> Vec<f64> {
        let layers = self.layers().into_iter();
        layers
            .flat_map(|layer| layer.rows().flatten().chain(layer.bias()))
            .copied()
            .collect()
    }

    /// Inputs in (-1, 1), numbers of f32 too.
    pub(crate) fn points(&self) -> Vec<Vec<f64>> {
        let mut random = Random(2);
        let mut number = || f64::from(random.next() as f32);
        (0..INPUTS)
            .map(|_| (0..self.inputs()).map(|_| number()).collect())
            .collect()
    }
}

/// Numbers from -1 to 1: SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// The numbers in the format `T`.
pub(crate) fn rounded<T: fnn_std::Float>(numbers: &[f64]) -> Vec<T> {
    numbers.iter().map(|&x| T::from_f64(x)).collect()
}

/// The first `N` numbers in the format `T`, in the order of their index.
pub(crate) fn first<T: fnn_std::Float, const N: usize>(numbers: &[f64]) -> [T; N] {
    array::from_fn(|i| T::from_f64(numbers[i]))
}
