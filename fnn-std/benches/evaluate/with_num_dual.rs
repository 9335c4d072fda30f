//! Forward automatic differentiation: the network over dual numbers with a derivative for each input.

use std::{hint::black_box, mem};

use fnn_core::{SMatrix, SVector};
use fnn_std::Activation;
use num_dual::{DualNum, DualSVec};

use crate::{
    contender::{Contender, Here, Number, Outcome},
    network::{Network, rounded},
};

struct Layer<T> {
    weight: Vec<T>,
    bias: Vec<T>,
    activation: Activation,
}

/// As num-dual recommends: a function over dual numbers of a fixed size, given to its `jacobian`.
pub(crate) fn contender<T: Number, const IN: usize, const OUT: usize>(
    network: &Network,
) -> Box<dyn Contender<T>> {
    let layers = network.layers().into_iter().map(|layer| Layer::<T> {
        weight: rounded(&layer.rows().collect::<Vec<_>>().concat()),
        bias: rounded(layer.bias()),
        activation: layer.activation(),
    });
    let layers: Vec<_> = layers.collect();
    let mut y: Vec<DualSVec<T, IN>> = Vec::new();
    let mut next: Vec<DualSVec<T, IN>> = Vec::new();
    Box::new(Here {
        name: "num-dual".to_owned(),
        result: (SVector::zeros(), SMatrix::zeros()),
        evaluate: move |x: &[T], result: &mut (SVector<T, OUT>, SMatrix<T, OUT, IN>)| {
            let network = |x: SVector<DualSVec<T, IN>, IN>| {
                y.clear();
                y.extend(x.iter());
                for layer in black_box(&layers) {
                    let rows = layer.weight.chunks_exact(y.len()).zip(&layer.bias);
                    next.clear();
                    next.extend(rows.map(|(row, &bias)| {
                        let products = row.iter().zip(&y).map(|(&w, &y)| y * w);
                        let z = products.fold(DualSVec::from_re(bias), |z, product| z + product);
                        activate(layer.activation, z)
                    }));
                    mem::swap(&mut y, &mut next);
                }
                SVector::<_, OUT>::from_column_slice(&y)
            };
            *result = num_dual::jacobian(network, &SVector::from_column_slice(x));
        },
        read: |(value, jacobian): &_| Outcome::new(value, jacobian),
    })
}

fn activate<D: DualNum + Copy>(activation: Activation, z: D) -> D {
    match activation {
        Activation::Mish => z * z.exp().ln_1p().tanh(),
        Activation::Silu => z / ((-z).exp() + D::one()),
        Activation::Tanh => z.tanh(),
        _ => z,
    }
}
