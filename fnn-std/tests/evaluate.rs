//! The evaluator has the bits of the network whose sizes are known when it is compiled.

mod random;

use std::{collections::HashSet, mem::discriminant};

use fnn_core::{
    Activation as Function, Auto, Chain, Clip, Cut, Dense, Elu, Forward, Gelu, GeluTanh,
    HardSigmoid, HardSwish, Identity, Layer, LeakyRelu, Mish, Network, Relu, Reverse, SVector,
    Selu, Sigmoid, Silu, Softplus, Softsign, Tanh, Workspace, nalgebra::Const,
};
use fnn_std::{Activation, Evaluator, Float, Model, Order, Precision, model};
use random::Random;

/// Enough for every network here.
const ENOUGH: usize = 1 << 13;

/// Layer `at` of the model, which has the sizes `IN` and `OUT`, for `fnn-core`.
fn dense<T: Float, A: Function<T>, const IN: usize, const OUT: usize>(
    layer: &model::Dense,
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

/// Value, Jacobian, columns of it and both products have the same bits for a few inputs, in every
/// order of accumulation; two NaN are equal.
fn check<L, const IN: usize, const OUT: usize>(model: &Model, layers: L)
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>> + Clone,
    L::Scalar: Float,
{
    check_order::<L, Auto, IN, OUT>(model, &layers, Order::Auto);
    check_order::<L, Forward, IN, OUT>(model, &layers, Order::Forward);
    check_order::<L, Reverse, IN, OUT>(model, &layers, Order::Reverse);
    if L::SHAPE.depth() > 1 {
        check_order::<L, Cut<1>, IN, OUT>(model, &layers, Order::Cut(1));
    }
    if L::SHAPE.depth() > 2 {
        check_order::<L, Cut<2>, IN, OUT>(model, &layers, Order::Cut(2));
    }
}

fn check_order<L, O, const IN: usize, const OUT: usize>(model: &Model, layers: &L, order: Order)
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>> + Clone,
    L::Scalar: Float,
    O: fnn_core::Order,
{
    let network = Network::<L, O>::with_order(layers.clone());
    let mut evaluator = Evaluator::<L::Scalar>::with_order(model, order).unwrap();
    assert_eq!(evaluator.cut(), Network::<L, O>::CUT);
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
        let zero = L::Scalar::default();
        let (mut value, mut output, mut input) = ([zero; OUT], [zero; OUT], [zero; IN]);
        let mut jacobian = vec![zero; OUT * IN];

        let expected = network.evaluate(&x, &mut workspace);
        evaluator.value(x.as_slice(), &mut value).unwrap();
        all_same(&value, expected.value.as_slice());
        evaluator
            .evaluate(x.as_slice(), &mut value, &mut jacobian)
            .unwrap();
        all_same(&value, expected.value.as_slice());
        all_same(&jacobian, expected.jacobian.transpose().as_slice());

        let expected = network.columns::<0, 1, _>(&x, &mut workspace);
        evaluator
            .columns(x.as_slice(), 0..1, &mut value, &mut output)
            .unwrap();
        all_same(&value, expected.value.as_slice());
        all_same(&output, expected.jacobian.as_slice());

        let v = SVector::from_fn(|_, _| Float::from_f64(random.number(Precision::F64)));
        let expected = network.jvp(&x, &v, &mut workspace);
        evaluator
            .jvp(x.as_slice(), v.as_slice(), &mut value, &mut output)
            .unwrap();
        all_same(&value, expected.value.as_slice());
        all_same(&output, expected.tangent.as_slice());

        let w = SVector::from_fn(|_, _| Float::from_f64(random.number(Precision::F64)));
        let expected = network.vjp(&x, &w, &mut workspace);
        evaluator
            .vjp(x.as_slice(), w.as_slice(), &mut value, &mut input)
            .unwrap();
        all_same(&value, expected.value.as_slice());
        all_same(&input, expected.cotangent.as_slice());
    }
}

/// Threads change nothing, also where they are more than there are inputs.
#[test]
fn a_batch_is_its_inputs_one_by_one() {
    let model = Random(5).model(
        &[3, 20, 2, 20, 4],
        &[
            Activation::Mish,
            Activation::Tanh,
            Activation::Silu,
            Activation::Identity,
        ],
        Precision::F32,
    );
    // More inputs than are evaluated side by side, and not a multiple of them.
    let x: Vec<f32> = (0..225).map(|k| (k as f32).sin()).collect();
    let rows = x.len() / 3;
    for order in [
        Order::Auto,
        Order::Forward,
        Order::Reverse,
        Order::Cut(1),
        Order::Cut(2),
    ] {
        let mut evaluator = Evaluator::<f32>::with_order(&model, order).unwrap();
        let (mut value, mut jacobian) = (vec![0.0; rows * 4], vec![0.0; rows * 12]);
        for (row, x) in x.chunks(3).enumerate() {
            let (y, j) = (&mut value[row * 4..][..4], &mut jacobian[row * 12..][..12]);
            evaluator.evaluate(x, y, j).unwrap();
        }
        for threads in [0, 1, 2, 3, 7, 30] {
            let (mut y, mut j) = (vec![0.0; rows * 4], vec![0.0; rows * 12]);
            evaluator.batch(&x, &mut y, &mut j, threads).unwrap();
            all_same(&y, &value);
            all_same(&j, &jacobian);
        }
    }
    let mut evaluator = Evaluator::<f32>::new(&model).unwrap();
    let (mut value, mut jacobian) = (vec![0.0; rows * 4], vec![0.0; rows * 12]);
    evaluator.batch(&[], &mut [], &mut [], 2).unwrap();
    let error = evaluator.batch(&x[1..], &mut value, &mut jacobian, 2);
    assert!(error.unwrap_err().to_string().starts_with("224 numbers"));
}

#[track_caller]
fn all_same<T: Float>(a: &[T], b: &[T]) {
    assert_eq!(a.len(), b.len());
    for (&a, &b) in a.iter().zip(b) {
        same(a, b);
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
        let mut layers = model.as_dense().unwrap().into_iter();
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
    let mut tested = Vec::new();
    macro_rules! each {
        ($($T:ty, $precision:expr;)*) => {$(
            each!($T, $precision, Identity, Mish, Tanh, Sigmoid, Softplus, Silu, Gelu,
                Relu, Selu, Softsign, HardSigmoid, HardSwish);
            for slope in [0.01, 0.3] {
                let (f, name) = (LeakyRelu { slope: slope as $T }, Activation::LeakyRelu(slope));
                tested.push(name);
                check!($T, $precision, 5-7 f, name; 7-3 f, name);
            }
            for (low, high) in [(0.0, 0.3), (f64::NEG_INFINITY, 0.1)] {
                let f = Clip { low: low as $T, high: high as $T };
                let name = Activation::Clip { low, high };
                tested.push(name);
                check!($T, $precision, 5-7 f, name; 7-3 f, name);
            }
            for cubic in [0.044715, 0.044715_f32.into(), 0.0447] {
                let (f, name) = (GeluTanh { cubic: cubic as $T }, Activation::GeluTanh(cubic));
                tested.push(name);
                check!($T, $precision, 5-7 f, name; 7-3 f, name);
            }
            for alpha in [1.0, 0.7] {
                let (f, name) = (Elu { alpha: alpha as $T }, Activation::Elu(alpha));
                tested.push(name);
                check!($T, $precision, 5-7 f, name; 7-3 f, name);
            }
        )*};
        ($T:ty, $precision:expr, $($name:ident),*) => {$(
            check!($T, $precision, 5-7 $name, Activation::$name; 7-3 $name, Activation::$name);
            tested.push(Activation::$name);
        )*};
    }
    each!(f32, Precision::F32; f64, Precision::F64;);
    let kinds: HashSet<_> = tested.iter().map(discriminant).collect();
    assert_eq!(kinds.len(), Activation::ALL.len());
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
