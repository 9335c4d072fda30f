//! The networks of the table as types of `fnn-core`, whose sizes the compiler knows.

use std::{array, hint::black_box};

use fnn_core::{
    Accepts, Auto, Chain, Dense, Evaluation, Forward, Identity, Layer, Mish, Network as Fixed,
    Order, SMatrix, SVector, Silu, Tanh, Workspace, nalgebra::Const,
};
use fnn_std::{Float, model};

use crate::{
    contender::{All, Here, Number, Outcome},
    network::{Network, first},
    with_nalgebra::{self, affine},
    with_num_dual,
};

type Seed<T> =
    Chain![Dense<T, 4, 32, Mish>, [Dense<T, 32, 32, Mish>; 4], Dense<T, 32, 3, Identity>];
type Sensor<T> = Chain![Dense<T, 12, 64, Tanh>, Dense<T, 64, 64, Tanh>, Dense<T, 64, 1, Identity>];
type Dynamics<T> = Chain![Dense<T, 8, 64, Silu>, Dense<T, 64, 64, Silu>, Dense<T, 64, 6, Identity>];
type Wide<T> =
    Chain![Dense<T, 25, 256, Silu>, [Dense<T, 256, 256, Silu>; 3], Dense<T, 256, 38, Identity>];
type Bottleneck<T> = Chain![
    Dense<T, 64, 64, Tanh>, Dense<T, 64, 8, Tanh>, Dense<T, 8, 64, Tanh>, Dense<T, 64, 64, Identity>
];
type Tiny<T> = Chain![Dense<T, 2, 8, Tanh>, Dense<T, 8, 1, Identity>];

/// Enough numbers for any of them in either order; a workspace may be larger than is needed.
const ROOM: usize = 1 << 15;

/// The contenders for this network, `fnn-core` first; none for a network that is not in the table.
pub(crate) fn contenders<T: Number>(network: &Network) -> All<T> {
    match network.name.as_str() {
        "seed" => all::<T, Seed<T>, affine!(4 32 32 32 32 32 3), 4, 3>(network),
        "sensor" => all::<T, Sensor<T>, affine!(12 64 64 1), 12, 1>(network),
        "dynamics" => all::<T, Dynamics<T>, affine!(8 64 64 6), 8, 6>(network),
        "wide" => all::<T, Wide<T>, affine!(25 256 256 256 256 38), 25, 38>(network),
        "bottleneck" => all::<T, Bottleneck<T>, affine!(64 64 8 64 64), 64, 64>(network),
        "tiny" => all::<T, Tiny<T>, affine!(2 8 1), 2, 1>(network),
        _ => Vec::new(),
    }
}

fn all<T, L, A, const IN: usize, const OUT: usize>(network: &Network) -> All<T>
where
    T: Number,
    L: Read + Layer<Scalar = T, Input = Const<IN>, Output = Const<OUT>> + 'static,
    A: with_nalgebra::Network<T, IN, OUT>,
{
    let mut all = core::<T, L, IN, OUT>(network);
    all.push(with_nalgebra::on_stack::<T, A, IN, OUT>(network));
    all.push(with_nalgebra::on_heap(network));
    all.push(with_num_dual::contender::<T, IN, OUT>(network));
    all
}

/// `fnn-core` in the cheapest order, forward where that is another one, and the value alone.
fn core<T, L, const IN: usize, const OUT: usize>(network: &Network) -> All<T>
where
    T: Number,
    L: Read + Layer<Scalar = T, Input = Const<IN>, Output = Const<OUT>> + 'static,
{
    fn evaluate<T, L, O, const IN: usize, const OUT: usize>(
        name: &str,
        network: &Network,
    ) -> Box<dyn crate::contender::Contender<T>>
    where
        T: Number,
        L: Read + Layer<Scalar = T, Input = Const<IN>, Output = Const<OUT>> + 'static,
        O: Order + 'static,
    {
        let network = Box::new(Fixed::<L, O>::with_order(L::read(&mut layers(network))));
        let mut workspace = Box::new(Workspace::<T, ROOM>::new());
        Box::new(Here {
            name: name.to_owned(),
            result: Evaluation {
                value: SVector::zeros(),
                jacobian: SMatrix::zeros(),
            },
            evaluate: move |x: &[T], result: &mut Evaluation<T, IN, OUT>| {
                let x = SVector::from_column_slice(x);
                *result = black_box(&network).evaluate(&x, &mut workspace);
            },
            read: |found: &Evaluation<T, IN, OUT>| Outcome::new(&found.value, &found.jacobian),
        })
    }

    let mut all = vec![evaluate::<T, L, Auto, IN, OUT>("fnn-core", network)];
    if Fixed::<L>::CUT != Fixed::<L>::DEPTH {
        all.push(evaluate::<T, L, Forward, IN, OUT>(
            "fnn-core, forward",
            network,
        ));
    }
    let fixed = Box::new(Fixed::<L>::new(L::read(&mut layers(network))));
    let mut workspace = Box::new(Workspace::<T, ROOM>::new());
    all.push(Box::new(Here {
        name: "fnn-core, value alone".to_owned(),
        result: SVector::zeros(),
        evaluate: move |x: &[T], result: &mut SVector<T, OUT>| {
            let x = SVector::from_column_slice(x);
            *result = black_box(&fixed).value(&x, &mut workspace);
        },
        read: |value: &SVector<T, OUT>| Outcome {
            value: value.iter().map(|&y| Float::to_f64(y)).collect(),
            jacobian: None,
        },
    }));
    all
}

/// Layers that take their numbers from a model.
trait Read {
    fn read<'m>(layers: &mut impl Iterator<Item = &'m model::Dense>) -> Self;
}

fn layers(network: &Network) -> impl Iterator<Item = &model::Dense> {
    network.layers().into_iter()
}

fn next<'m>(layers: &mut impl Iterator<Item = &'m model::Dense>) -> &'m model::Dense {
    layers.next().expect("the type has the layers of the model")
}

impl<T, const IN: usize, const OUT: usize, A> Read for Dense<T, IN, OUT, A>
where
    T: Float,
    A: fnn_core::Activation<T> + Default,
{
    fn read<'m>(layers: &mut impl Iterator<Item = &'m model::Dense>) -> Self {
        let layer = next(layers);
        let mut columns = layer.columns();
        let columns = array::from_fn(|_| {
            let mut column = columns.next().into_iter().flatten();
            array::from_fn(|_| T::from_f64(column.next().unwrap_or_default()))
        });
        Self::from_columns(columns, first(layer.bias()), A::default())
    }
}

impl<L: Read, const DEPTH: usize> Read for [L; DEPTH] {
    fn read<'m>(layers: &mut impl Iterator<Item = &'m model::Dense>) -> Self {
        array::from_fn(|_| L::read(layers))
    }
}

impl<F: Read + Layer, R: Read + Accepts<F::Output>> Read for Chain<F, R> {
    fn read<'m>(layers: &mut impl Iterator<Item = &'m model::Dense>) -> Self {
        let first = F::read(layers);
        Self::new(first, R::read(layers))
    }
}
