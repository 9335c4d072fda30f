//! Models with every kind of layer: the bits of `fnn-core`, the numbers of the reference, and a
//! module that compiles.

mod described;

use described::{everything, numbers};
use fnn_core::{
    Affine, Auto, Chain, Concat, Cut, Dense, Forward, Identity, Layer, LayerNorm, Network,
    Residual, Reverse, SVector, Select, Softmax, Tanh, Workspace, chain, nalgebra::Const,
};
use fnn_std::{Activation, Evaluator, Float, Model, Order, Precision, model, reference};

fn array<T: Float, const COUNT: usize>(seed: usize) -> [T; COUNT] {
    let numbers = numbers(COUNT, seed);
    core::array::from_fn(|k| T::from_f64(numbers[k]))
}

fn dense<T: Float, const IN: usize, const OUT: usize>(seed: usize) -> Dense<T, IN, OUT, Tanh> {
    let weight = core::array::from_fn(|i| array(seed + 3 * i));
    Dense::new(weight, array(seed + 1), Tanh)
}

fn affine<T: Float, const SIZE: usize>(seed: usize) -> Affine<T, SIZE, Tanh> {
    Affine::new(array(seed), array(seed + 5), Tanh)
}

fn norm<T: Float, const SIZE: usize>(seed: usize) -> LayerNorm<T, SIZE> {
    LayerNorm::new(
        array(seed),
        array(seed + 1),
        T::from_f64(f64::from(1e-5_f32)),
    )
}

/// Both ways of evaluating the same layers, in one order: every bit, of all that can be asked for.
fn same_bits<T, L, O, const IN: usize, const OUT: usize>(layers: L, model: &Model, order: Order)
where
    T: Float,
    L: Layer<Scalar = T, Input = Const<IN>, Output = Const<OUT>>,
    O: fnn_core::Order,
{
    let network = Network::<L, O>::with_order(layers);
    assert_eq!(Network::<L, O>::PARAMETERS, model.parameters());
    let shape = model.shape();
    assert_eq!(
        Network::<L, O>::JACOBIAN_MULTIPLY_ADDS,
        shape.jacobian_multiply_adds(Network::<L, O>::CUT, IN)
    );
    let mut workspace = Workspace::<T, 4096>::new();
    let mut evaluator = Evaluator::<T>::with_order(model, order).unwrap();
    assert_eq!(evaluator.cut(), Network::<L, O>::CUT);
    let bits = |numbers: &[T]| -> Vec<u64> { numbers.iter().map(|x| x.bits()).collect() };
    for seed in 50..55 {
        let (x, v) = (array::<T, IN>(seed), array::<T, IN>(seed + 9));
        let w = array::<T, OUT>(seed + 3);
        let found = network.evaluate(&SVector::from(x), &mut workspace);
        let (mut y, mut j) = (vec![T::ZERO; OUT], vec![T::ZERO; OUT * IN]);
        evaluator.evaluate(&x, &mut y, &mut j).unwrap();
        assert_eq!(bits(&y), bits(found.value.as_slice()));
        assert_eq!(
            bits(&j),
            bits(found.jacobian.transpose().as_slice()),
            "{order}"
        );
        let columns = network.columns::<1, 2, _>(&SVector::from(x), &mut workspace);
        let mut j = vec![T::ZERO; OUT * 2];
        evaluator.columns(&x, 1..3, &mut y, &mut j).unwrap();
        assert_eq!(bits(&j), bits(columns.jacobian.transpose().as_slice()));
        let jvp = network.jvp(&SVector::from(x), &SVector::from(v), &mut workspace);
        let mut tangent = vec![T::ZERO; OUT];
        evaluator.jvp(&x, &v, &mut y, &mut tangent).unwrap();
        assert_eq!(bits(&tangent), bits(jvp.tangent.as_slice()));
        let vjp = network.vjp(&SVector::from(x), &SVector::from(w), &mut workspace);
        let mut cotangent = vec![T::ZERO; IN];
        evaluator.vjp(&x, &w, &mut y, &mut cotangent).unwrap();
        assert_eq!(bits(&cotangent), bits(vjp.cotangent.as_slice()));
        evaluator.value(&x, &mut y).unwrap();
        assert_eq!(bits(&y), bits(found.value.as_slice()));
    }
    let x: Vec<T> = (0..7).flat_map(|k| array::<T, IN>(60 + k)).collect();
    let (mut y, mut j) = (vec![T::ZERO; 7 * OUT], vec![T::ZERO; 7 * OUT * IN]);
    evaluator.batch(&x, &mut y, &mut j, 2).unwrap();
    for (k, x) in x.chunks_exact(IN).enumerate() {
        let x = SVector::from_column_slice(x);
        let found = network.evaluate(&x, &mut workspace);
        assert_eq!(bits(&y[k * OUT..][..OUT]), bits(found.value.as_slice()));
        let jacobian = found.jacobian.transpose();
        assert_eq!(
            bits(&j[k * OUT * IN..][..OUT * IN]),
            bits(jacobian.as_slice())
        );
    }
}

/// As far from the reference as roundings allow: some hundred operations, each of half an ulp of
/// numbers near 1.
fn near_reference(model: &Model) {
    let mut evaluator = Evaluator::<f64>::new(model).unwrap();
    let (inputs, outputs) = (model.inputs(), model.outputs());
    let x = numbers(inputs, 70);
    let (mut y, mut j) = (vec![0.0; outputs], vec![0.0; outputs * inputs]);
    evaluator.evaluate(&x, &mut y, &mut j).unwrap();
    let expected = reference::evaluate(model, &x).unwrap();
    for (a, b) in y.iter().zip(&expected.value) {
        assert!((a - b).abs() < 1e-13, "{a} {b}");
    }
    for (a, b) in j.iter().zip(expected.jacobian.iter().flatten()) {
        assert!((a - b).abs() < 1e-13, "{a} {b}");
    }
}

/// In some orders each number format, since every one is compiled by itself.
macro_rules! check {
    ($layers:ident, $model:ident, $($T:ty, $order:ty => $name:expr;)*) => {{
        let model = $model();
        near_reference(&model);
        $(same_bits::<$T, _, $order, _, _>($layers::<$T>(), &model, $name);)*
    }};
}

type All<T> = Chain![
    Affine<T, 6, Tanh>,
    Residual<Chain![Dense<T, 6, 4, Tanh>, Dense<T, 4, 6, Tanh>]>,
    LayerNorm<T, 6>,
    Concat<
        Chain![Select<T, 6, 1, 3>, Dense<T, 3, 5, Tanh>],
        Concat<Select<T, 6, 0, 6>, Residual<Residual<Affine<T, 6, Tanh>>>, 12>,
        17,
    >,
    [Residual<Dense<T, 17, 17, Tanh>>; 2],
    Dense<T, 17, 4, Tanh>,
    Softmax<T, 4>,
    Affine<T, 4, Tanh>,
];

fn all<T: Float>() -> All<T> {
    chain![
        affine(1),
        Residual::new(chain![dense(2), dense(3)]),
        norm(4),
        Concat::new(
            chain![Select::new(), dense(6)],
            Concat::new(Select::new(), Residual::new(Residual::new(affine(7)))),
        ),
        [Residual::new(dense(8)), Residual::new(dense(9))],
        dense(10),
        Softmax::new(),
        affine(11),
    ]
}

#[test]
fn every_kind_in_both_directions() {
    check!(all, everything,
        f32, Auto => Order::Auto;
        f32, Forward => Order::Forward;
        f64, Reverse => Order::Reverse;
        f64, Cut<3> => Order::Cut(3);
        f32, Cut<5> => Order::Cut(5););
}

/// Dense layers first and last, whose products with unit vectors are spared.
type Ends<T> = Chain![
    Dense<T, 5, 9, Tanh>,
    Residual<Dense<T, 9, 9, Tanh>>,
    LayerNorm<T, 9>,
    Dense<T, 9, 3, Tanh>,
];

fn ends<T: Float>() -> Ends<T> {
    chain![dense(1), Residual::new(dense(2)), norm(3), dense(4)]
}

fn ends_described() -> Model {
    use described::*;
    let layers = vec![
        dense(5, 9, 1),
        residual(vec![dense(9, 9, 2)]),
        norm(9, 3),
        dense(9, 3, 4),
    ];
    Model::new(layers, Precision::F32).unwrap()
}

#[test]
fn dense_ends_in_every_order() {
    check!(ends, ends_described,
        f64, Auto => Order::Auto;
        f64, Forward => Order::Forward;
        f32, Reverse => Order::Reverse;
        f32, Cut<1> => Order::Cut(1);
        f64, Cut<2> => Order::Cut(2);
        f32, Cut<3> => Order::Cut(3););
}

/// Two towers: a single layer, as the network counts.
type Towers<T> = Concat<
    Chain![Select<T, 7, 0, 3>, Dense<T, 3, 8, Tanh>, Dense<T, 8, 2, Tanh>],
    Chain![Select<T, 7, 3, 4>, Dense<T, 4, 5, Tanh>],
    7,
>;

fn towers<T: Float>() -> Towers<T> {
    Concat::new(
        chain![Select::new(), dense(1), dense(2)],
        chain![Select::new(), dense(3)],
    )
}

fn towers_described() -> Model {
    use described::*;
    let towers = concat(vec![
        vec![select(7, 0..3), dense(3, 8, 1), dense(8, 2, 2)],
        vec![select(7, 3..7), dense(4, 5, 3)],
    ]);
    Model::new(vec![towers], Precision::F32).unwrap()
}

#[test]
fn a_single_composite_layer() {
    check!(towers, towers_described,
        f32, Forward => Order::Forward;
        f64, Reverse => Order::Reverse;);
}

/// The identity keeps every bit, also that of a lone activation's neutral factors.
#[test]
fn a_lone_activation_changes_nothing_else() {
    let layer = model::Affine::activation_only("identity", 3, Activation::Identity).unwrap();
    let model = Model::new(vec![layer], Precision::F64).unwrap();
    let mut evaluator = Evaluator::<f64>::new(&model).unwrap();
    let x = [-0.0, 1e-310, f64::INFINITY];
    let mut y = [1.0; 3];
    evaluator.value(&x, &mut y).unwrap();
    assert_eq!(y.map(f64::to_bits), x.map(f64::to_bits));
    let network = Network::new(Affine::new([1.0; 3], [-0.0; 3], Identity));
    let z = network.value(&SVector::from(x), &mut Workspace::<f64, 16>::new());
    assert_eq!(z.as_slice(), y);
}
