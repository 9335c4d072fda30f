//! Models with random weights, the same on every run, and files of them.

#![allow(dead_code, reason = "each test takes what it needs")]

use fnn_std::{
    Activation, Model, Precision,
    model::{Dense, Tensor},
};
use safetensors::{Dtype, tensor::TensorView};

/// The SplitMix64 generator.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// Between -1 and 1, a number of the given format.
    pub(crate) fn number(&mut self, precision: Precision) -> f64 {
        match precision {
            Precision::F32 => (self.bits() >> 40) as f64 / f64::from(1 << 23) - 1.0,
            Precision::F64 => (self.bits() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0,
        }
    }

    pub(crate) fn numbers(&mut self, count: usize, precision: Precision) -> Vec<f64> {
        (0..count).map(|_| self.number(precision)).collect()
    }

    /// A model with layers of these sizes, the inputs first, each with one of the activations. The
    /// weights keep the size of what goes through; |z| stays below 20.
    pub(crate) fn model(
        &mut self,
        sizes: &[usize],
        of: &[Activation],
        precision: Precision,
    ) -> Model {
        let layers = sizes.windows(2).enumerate().map(|(at, sizes)| {
            let (inputs, outputs) = (sizes[0], sizes[1]);
            let scale = (3.0 / inputs as f64).sqrt();
            let mut number = || {
                let w = scale * self.number(precision);
                match precision {
                    Precision::F32 => f64::from(w as f32),
                    Precision::F64 => w,
                }
            };
            let mut tensor = |name: &str, shape: &[usize]| Tensor {
                name: format!("{}.{name}", 2 * at),
                shape: shape.to_vec(),
                numbers: (0..shape.iter().product()).map(|_| number()).collect(),
            };
            let weight = tensor("weight", &[outputs, inputs]);
            let bias = tensor("bias", &[outputs]);
            Dense::new(weight, Some(bias), of[at % of.len()]).unwrap()
        });
        Model::new(layers.collect(), precision).unwrap()
    }
}

/// The model as a safetensors file, with these entries of `__metadata__`.
pub(crate) fn safetensors(model: &Model, metadata: &[(&str, &str)]) -> Vec<u8> {
    let bytes = |numbers: &mut dyn Iterator<Item = f64>| -> Vec<u8> {
        match model.precision() {
            Precision::F32 => numbers.flat_map(|x| (x as f32).to_le_bytes()).collect(),
            Precision::F64 => numbers.flat_map(f64::to_le_bytes).collect(),
        }
    };
    let mut tensors = Vec::new();
    for layer in model.as_dense().unwrap() {
        let weight = bytes(&mut layer.rows().flatten().copied());
        let bias = bytes(&mut layer.bias().iter().copied());
        let shape = vec![layer.outputs(), layer.inputs()];
        tensors.push((layer.name().to_owned(), shape, weight));
        let name = layer.name().replace("weight", "bias");
        tensors.push((name, vec![layer.outputs()], bias));
    }
    let dtype = match model.precision() {
        Precision::F32 => Dtype::F32,
        Precision::F64 => Dtype::F64,
    };
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(dtype, shape.clone(), bytes).unwrap()));
    let metadata = metadata.iter().map(|&(k, v)| (k.to_owned(), v.to_owned()));
    safetensors::serialize(views, Some(metadata.collect())).unwrap()
}

/// The activations of a model as the command line takes them.
pub(crate) fn activations(model: &Model) -> String {
    let names = model
        .as_dense()
        .unwrap()
        .into_iter()
        .map(|l| l.activation().to_string());
    names.collect::<Vec<_>>().join(",")
}
