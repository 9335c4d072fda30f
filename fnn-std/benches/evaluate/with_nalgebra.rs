//! As one writes it with nalgebra: products of matrices, and the activation number by number with as
//! few calls of the library as value and slope take.

use std::hint::black_box;

use fnn_core::{SMatrix, SVector};
use fnn_std::{Activation, model::Dense};
use nalgebra::{DMatrix, DVector, RealField};

use crate::{
    contender::{Contender, Here, Number, Outcome},
    network::{self, rounded},
};

/// The network in matrices of fixed sizes.
pub(crate) fn on_stack<T, N, const IN: usize, const OUT: usize>(
    network: &network::Network,
) -> Box<dyn Contender<T>>
where
    T: Number,
    N: Network<T, IN, OUT>,
{
    let layers = Box::new(N::read(&network.layers()));
    let activation = network.activation();
    Box::new(Here {
        name: "nalgebra, SMatrix".to_owned(),
        result: (SVector::zeros(), SMatrix::zeros()),
        evaluate: move |x: &[T], result: &mut (SVector<T, OUT>, SMatrix<T, OUT, IN>)| {
            let x = SVector::from_column_slice(x);
            *result = black_box(&layers).evaluate(activation, &x);
        },
        read: |(value, jacobian): &_| Outcome::new(value, jacobian),
    })
}

/// The network in matrices whose sizes are known when the program runs.
pub(crate) fn on_heap<T: Number>(network: &network::Network) -> Box<dyn Contender<T>> {
    let layers = network.layers().into_iter().map(|layer| {
        let weight = rounded::<T>(&layer.rows().collect::<Vec<_>>().concat());
        (
            DMatrix::from_row_slice(layer.outputs(), layer.inputs(), &weight),
            DVector::from_vec(rounded::<T>(layer.bias())),
            layer.activation(),
        )
    });
    let layers: Vec<_> = layers.collect();
    Box::new(Here {
        name: "nalgebra, DMatrix".to_owned(),
        result: (DVector::zeros(0), DMatrix::zeros(0, 0)),
        evaluate: move |x: &[T], (y, jacobian): &mut (DVector<T>, DMatrix<T>)| {
            *y = DVector::from_column_slice(x);
            for (k, (weight, bias, activation)) in black_box(&layers).iter().enumerate() {
                *y = weight * &*y + bias;
                *jacobian = if k == 0 {
                    weight.clone()
                } else {
                    weight * &*jacobian
                };
                for (i, z) in y.iter_mut().enumerate() {
                    let (value, slope) = activate(*activation, *z);
                    *z = value;
                    jacobian.row_mut(i).scale_mut(slope);
                }
            }
        },
        read: |(value, jacobian): &_| Outcome::new(value, jacobian),
    })
}

/// A layer in nalgebra's stack matrices.
pub(crate) struct Affine<T, const IN: usize, const OUT: usize> {
    weight: SMatrix<T, OUT, IN>,
    bias: SVector<T, OUT>,
}

/// The type of layers of these sizes: a layer and, in a pair with it, those that follow.
macro_rules! affine {
    ($in:literal $out:literal) => { crate::with_nalgebra::Affine<T, $in, $out> };
    ($in:literal $out:literal $($rest:literal)+) => {
        (crate::with_nalgebra::Affine<T, $in, $out>, affine!($out $($rest)+))
    };
}
pub(crate) use affine;

/// Value and Jacobian by the `NX` inputs of the network.
type Pair<T, const NX: usize, const N: usize> = (SVector<T, N>, SMatrix<T, N, NX>);

/// Layers from `IN` inputs to `OUT` outputs, the last of which has no activation.
pub(crate) trait Network<T, const IN: usize, const OUT: usize>: 'static {
    fn read(layers: &[&Dense]) -> Self;

    /// The layers as those of a whole network.
    fn evaluate(&self, activation: Activation, x: &SVector<T, IN>) -> Pair<T, IN, OUT>;

    /// The layers after others.
    fn follow<const NX: usize>(
        &self,
        activation: Activation,
        before: &Pair<T, NX, IN>,
    ) -> Pair<T, NX, OUT>;
}

impl<T: Number, const IN: usize, const OUT: usize> Network<T, IN, OUT> for Affine<T, IN, OUT> {
    fn read(layers: &[&Dense]) -> Self {
        let weight = rounded(&layers[0].rows().collect::<Vec<_>>().concat());
        Self {
            weight: SMatrix::from_row_slice(&weight),
            bias: SVector::from_column_slice(&rounded(layers[0].bias())),
        }
    }

    fn evaluate(&self, _: Activation, x: &SVector<T, IN>) -> Pair<T, IN, OUT> {
        (self.weight * x + self.bias, self.weight)
    }

    fn follow<const NX: usize>(
        &self,
        _: Activation,
        (y, jacobian): &Pair<T, NX, IN>,
    ) -> Pair<T, NX, OUT> {
        (self.weight * y + self.bias, self.weight * jacobian)
    }
}

impl<T, Rest, const IN: usize, const MIDDLE: usize, const OUT: usize> Network<T, IN, OUT>
    for (Affine<T, IN, MIDDLE>, Rest)
where
    T: Number,
    Rest: Network<T, MIDDLE, OUT>,
{
    fn read(layers: &[&Dense]) -> Self {
        (Affine::read(layers), Rest::read(&layers[1..]))
    }

    fn evaluate(&self, activation: Activation, x: &SVector<T, IN>) -> Pair<T, IN, OUT> {
        let mut pair = self.0.evaluate(activation, x);
        activate_all(activation, &mut pair);
        self.1.follow(activation, &pair)
    }

    fn follow<const NX: usize>(
        &self,
        activation: Activation,
        before: &Pair<T, NX, IN>,
    ) -> Pair<T, NX, OUT> {
        let mut pair = self.0.follow(activation, before);
        activate_all(activation, &mut pair);
        self.1.follow(activation, &pair)
    }
}

fn activate_all<T: RealField + Copy, const NX: usize, const N: usize>(
    activation: Activation,
    (y, jacobian): &mut Pair<T, NX, N>,
) {
    for (i, z) in y.iter_mut().enumerate() {
        let (value, slope) = activate(activation, *z);
        *z = value;
        jacobian.row_mut(i).scale_mut(slope);
    }
}

/// Value and slope.
fn activate<T: RealField + Copy>(activation: Activation, z: T) -> (T, T) {
    let number = nalgebra::convert::<f64, T>;
    let one = T::one();
    match activation {
        Activation::Mish => {
            let w = z.min(number(20.0)).exp();
            let n = w * (w + number(2.0));
            let d = n + number(2.0);
            let slope = n / d + number(4.0) * z * w * (w + one) / (d * d);
            (z * n / d, slope)
        }
        Activation::Silu => {
            let s = one / (one + (-z).exp());
            (z * s, s * (one + z * (one - s)))
        }
        Activation::Tanh => {
            let t = z.tanh();
            (t, one - t * t)
        }
        _ => (z, one),
    }
}
