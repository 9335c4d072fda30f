//! The evaluator has the bits of the network whose sizes are known when it is compiled.

mod random;

use fnn_core::{
    Activation as Function, Chain, Dense, Elu, Gelu, GeluTanh, HardSigmoid, HardSwish, Identity,
    Layer, LeakyRelu, Mish, Network, Relu, SVector, Selu, Sigmoid, Silu, Softplus, Softsign, Tanh,
    Workspace, nalgebra::Const,
};
use fnn_std::{Activation, Evaluator, Float, Model, Precision, model};
use random::Random;

/// Enough for every network here.
const ENOUGH: usize = 1 << 13;

/// Layer `at` of the model, which has the sizes `IN` and `OUT`, for `fnn-core`.
fn dense<T: Float, A: Function<T>, const IN: usize, const OUT: usize>(
    layer: &model::Layer,
    activation: A,
) -> Dense<T, IN, OUT, A> {
    assert_eq!((layer.inputs(), layer.outputs()), (IN, OUT));
    let mut columns = [[T::ZERO; OUT]; IN];
    for (column, numbers) in columns.iter_mut().zip(layer.columns()) {
        for (w, number) in column.iter_mut().zip(numbers) {
            *w = T::from_f64(number);
        }
    }
    let mut bias = [T::ZERO; OUT];
    for (b, &number) in bias.iter_mut().zip(layer.bias()) {
        *b = T::from_f64(number);
    }
    Dense::from_columns(columns, bias, activation)
}

/// Value and Jacobian have the same bits for a few inputs; two NaN are equal.
fn check<L, const IN: usize, const OUT: usize>(model: &Model, layers: L)
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
    L::Scalar: Float,
{
    let network = Network::new(layers);
    let mut evaluator = Evaluator::<L::Scalar>::new(model).unwrap();
    let mut workspace = Workspace::<_, ENOUGH>::new();
    let mut random = Random(7);
    for round in 0..12 {
        // Small ones, large ones, and some that are not numbers.
        let scale = 4f64.powi(round - 4);
        let mut x: SVector<L::Scalar, IN> =
            SVector::from_fn(|_, _| Float::from_f64(scale * random.number(Precision::F64)));
        match round {
            9 => x[0] = Float::from_f64(f64::NAN),
            10 => x[IN - 1] = Float::from_f64(f64::INFINITY),
            11 => x = SVector::from_fn(|_, _| Float::from_f64(-0.0)),
            _ => {}
        }
        let expected = network.evaluate(&x, &mut workspace);
        let mut value = [L::Scalar::default(); OUT];
        let mut alone = value;
        let mut jacobian = vec![L::Scalar::default(); OUT * IN];
        evaluator
            .evaluate(x.as_slice(), &mut value, &mut jacobian)
            .unwrap();
        evaluator.value(x.as_slice(), &mut alone).unwrap();
        for i in 0..OUT {
            same(value[i], expected.value[i]);
            same(alone[i], expected.value[i]);
            for j in 0..IN {
                same(jacobian[i * IN + j], expected.jacobian[(i, j)]);
            }
        }
    }
}

#[track_caller]
fn same<T: Float>(a: T, b: T) {
    assert!(
        a.bits() == b.bits() || (a.to_f64().is_nan() && b.to_f64().is_nan()),
        "{a:e} is not {b:e}"
    );
}

/// A network of these sizes and activations, and the model of the same random weights.
macro_rules! check {
    ($T:ty, $precision:expr, $($in:literal - $out:literal $function:expr, $activation:expr);+) => {{
        let sizes = [$($in),+, *[$($out),+].last().unwrap()];
        let model = Random(3).model(&sizes, &[$($activation),+], $precision);
        let mut layers = model.layers().iter();
        check(&model, chain!($(
            dense::<$T, _, $in, $out>(layers.next().unwrap(), $function)
        ),+));
    }};
}

macro_rules! chain {
    ($last:expr) => { $last };
    ($first:expr, $($rest:expr),+) => { Chain::new($first, chain!($($rest),+)) };
}

/// Every activation, between layers of odd sizes.
#[test]
fn every_activation() {
    macro_rules! each {
        ($($T:ty, $precision:expr;)*) => {$(
            each!($T, $precision, Identity, Mish, Tanh, Sigmoid, Softplus, Silu, Gelu, GeluTanh,
                Relu, Selu, Softsign, HardSigmoid, HardSwish);
            for slope in [0.01, 0.3] {
                let (f, name) = (LeakyRelu { slope: slope as $T }, Activation::LeakyRelu(slope));
                check!($T, $precision, 5-7 f, name; 7-3 f, name);
            }
            for alpha in [1.0, 0.7] {
                let (f, name) = (Elu { alpha: alpha as $T }, Activation::Elu(alpha));
                check!($T, $precision, 5-7 f, name; 7-3 f, name);
            }
        )*};
        ($T:ty, $precision:expr, $($name:ident),*) => {$(
            check!($T, $precision, 5-7 $name, Activation::$name; 7-3 $name, Activation::$name);
        )*};
    }
    each!(f32, Precision::F32; f64, Precision::F64;);
}

/// Sizes that fill blocks of neurons and tiles of columns exactly, just not, and just beyond.
#[test]
fn odd_sizes() {
    macro_rules! each {
        ($($T:ty, $precision:expr;)*) => {$(
            check!($T, $precision, 1-1 Tanh, Activation::Tanh);
            check!($T, $precision, 1-1 Tanh, Activation::Tanh; 1-1 Mish, Activation::Mish);
            check!($T, $precision, 4-8 Mish, Activation::Mish; 8-16 Tanh, Activation::Tanh;
                16-4 Identity, Activation::Identity);
            check!($T, $precision, 3-9 Mish, Activation::Mish; 9-17 Tanh, Activation::Tanh;
                17-33 Identity, Activation::Identity);
            check!($T, $precision, 33-15 Mish, Activation::Mish; 15-1 Tanh, Activation::Tanh;
                1-7 Identity, Activation::Identity);
            check!($T, $precision, 10-2 Mish, Activation::Mish; 2-31 Tanh, Activation::Tanh);
        )*};
    }
    each!(f32, Precision::F32; f64, Precision::F64;);
}

/// An f64 model is rounded for f32, an f32 model widened for f64.
#[test]
fn other_precisions() {
    check!(f32, Precision::F64, 3-9 Mish, Activation::Mish; 9-2 Tanh, Activation::Tanh);
    check!(f64, Precision::F32, 3-9 Mish, Activation::Mish; 9-2 Tanh, Activation::Tanh);
}
