//! Layers other than dense ones, inside each other, in every order of accumulation.

use fnn_core::{
    Affine, Auto, Chain, Concat, Cut, Dense, Forward, Identity, LayerNorm, Network, Order, Relu,
    Residual, Reverse, SMatrix, SVector, Scalar, Select, Softmax, Tanh, Workspace, chain,
};

/// Numbers between -1 and 1 that look random.
fn numbers<const COUNT: usize>(seed: usize) -> [f64; COUNT] {
    core::array::from_fn(|k| ((k * k + 7 * k + 13 * seed + 1) as f64 * 0.61).sin())
}

fn dense<const IN: usize, const OUT: usize>(seed: usize) -> Dense<f64, IN, OUT, Tanh> {
    let weight = core::array::from_fn(|i| numbers(seed + 3 * i));
    Dense::new(weight, numbers(seed + 1), Tanh)
}

fn affine<const SIZE: usize>(seed: usize) -> Affine<f64, SIZE, Tanh> {
    Affine::new(numbers(seed), numbers(seed + 5), Tanh)
}

/// Every kind of layer, some of them in each other.
type Layers = Chain![
    Affine<f64, 6, Tanh>,
    Residual<Chain![Dense<f64, 6, 4, Tanh>, Dense<f64, 4, 6, Tanh>]>,
    LayerNorm<f64, 6>,
    Concat<
        Chain![Select<f64, 6, 1, 3>, Dense<f64, 3, 5, Tanh>],
        Concat<Select<f64, 6, 0, 6>, Residual<Residual<Affine<f64, 6, Tanh>>>, 12>,
        17,
    >,
    [Residual<Dense<f64, 17, 17, Tanh>>; 2],
    Dense<f64, 17, 4, Tanh>,
    Softmax<f64, 4>,
    Affine<f64, 4, Tanh>,
];

fn layers() -> Layers {
    chain![
        affine(1),
        Residual::new(chain![dense(2), dense(3)]),
        LayerNorm::new(numbers(4), numbers(5), 1e-5),
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

const ROOM: usize = 2000;

/// Value and Jacobian of the layers in one order, checked against what else the network offers.
fn evaluated<O: Order>(x: &SVector<f64, 6>) -> (SVector<f64, 4>, SMatrix<f64, 4, 6>) {
    let network = Network::<Layers, O>::with_order(layers());
    assert!(Network::<Layers, O>::WORKSPACE <= ROOM);
    // No number that a workspace holds from before may count.
    let mut workspace = Workspace::<f64, ROOM>::new();
    let clean = network.evaluate(x, &mut workspace);
    let y = network.evaluate(&x.map(|x| 3.0 - x), &mut workspace);
    assert!(y.value != clean.value);
    let y = network.evaluate(x, &mut workspace);
    assert_eq!(y, clean);
    assert_eq!(network.value(x, &mut workspace), y.value);
    let columns = network.columns::<2, 3, _>(x, &mut workspace);
    assert_eq!(columns.value, y.value);
    assert!((columns.jacobian - y.jacobian.fixed_columns::<3>(2)).amax() < 1e-14);
    lent(&network, x, &mut workspace);
    let (v, w) = (SVector::from(numbers(20)), SVector::from(numbers(21)));
    let jvp = network.jvp(x, &v, &mut workspace);
    assert_eq!(jvp.value, y.value);
    assert!((jvp.tangent - y.jacobian * v).amax() < 1e-14);
    let vjp = network.vjp(x, &w, &mut workspace);
    assert_eq!(vjp.value, y.value);
    assert!((vjp.cotangent - y.jacobian.transpose() * w).amax() < 1e-14);
    (y.value, y.jacobian)
}

/// What stays in the workspace has the bits of what is returned.
fn lent<O: Order>(
    network: &Network<Layers, O>,
    x: &SVector<f64, 6>,
    workspace: &mut Workspace<f64, ROOM>,
) {
    let y = network.evaluate(x, workspace);
    let mut value = [f64::NAN; 4];
    let found = network.evaluate_in_workspace(x, &mut value, workspace);
    assert_eq!((value, found), (y.value.data.0[0], &y.jacobian.data.0[..]));
    let columns = network.columns::<2, 3, _>(x, workspace);
    value = [f64::NAN; 4];
    let found = network.columns_in_workspace::<3, _>(x, 2, &mut value, workspace);
    let wanted = (y.value.data.0[0], Some(&columns.jacobian.data.0[..]));
    assert_eq!((value, found), wanted);
    // The last three, and a step beyond, where nothing is written.
    let last = network.columns_in_workspace::<3, _>(x, 3, &mut value, workspace);
    assert_eq!(last.map(<[_]>::len), Some(3));
    value = [7.0; 4];
    for first in [4, usize::MAX] {
        let none = network.columns_in_workspace::<3, _>(x, first, &mut value, workspace);
        assert_eq!((none, value), (None, [7.0; 4]));
    }
}

#[test]
fn all_orders_give_one_jacobian() {
    let x = SVector::from(numbers::<6>(30));
    let (value, jacobian) = evaluated::<Forward>(&x);
    let network = Network::<Layers>::new(layers());
    let mut workspace = Workspace::<f64, ROOM>::new();
    for j in 0..6 {
        let h = 1e-5;
        let mut at = |h: f64| {
            let mut x = x;
            x[j] += h;
            network.value(&x, &mut workspace)
        };
        let quotient = (at(h) - at(-h)) / (2.0 * h);
        // Truncation is h² times a third derivative, rounding some ulp of numbers near 1 over h.
        assert!((quotient - jacobian.column(j)).amax() < 1e-8, "column {j}");
    }
    assert!(jacobian.amin() != 0.0);
    let others = [
        evaluated::<Auto>(&x),
        evaluated::<Reverse>(&x),
        evaluated::<Cut<1>>(&x),
        evaluated::<Cut<2>>(&x),
        evaluated::<Cut<3>>(&x),
        evaluated::<Cut<4>>(&x),
        evaluated::<Cut<5>>(&x),
        evaluated::<Cut<6>>(&x),
        evaluated::<Cut<7>>(&x),
        evaluated::<Cut<8>>(&x),
    ];
    for (other, found) in others {
        assert_eq!(other, value);
        assert!((found - jacobian).amax() < 1e-14);
    }
}

/// The lengths that the type states are those of all parts together: were one left out, a part would
/// be empty and its numbers missing. That the parts are long enough is what the test above shows.
#[test]
fn the_stated_workspace_is_enough() {
    macro_rules! check {
        ($($order:ty),*) => { $(
            type Here = Network<Layers, $order>;
            let network = Here::with_order(layers());
            let x = SVector::from(numbers::<6>(40));
            let mut room = Workspace::<f64, ROOM>::new();
            let mut exact = Workspace::<f64, { Here::WORKSPACE }>::new();
            assert_eq!(network.evaluate(&x, &mut exact), network.evaluate(&x, &mut room));
            let mut exact = Workspace::<f64, { Here::VALUE_WORKSPACE }>::new();
            assert_eq!(network.value(&x, &mut exact), network.value(&x, &mut room));
            let mut exact = Workspace::<f64, { Here::JVP_WORKSPACE }>::new();
            assert_eq!(network.jvp(&x, &x, &mut exact), network.jvp(&x, &x, &mut room));
            let mut exact = Workspace::<f64, { Here::VJP_WORKSPACE }>::new();
            let w = SVector::from(numbers::<4>(41));
            assert_eq!(network.vjp(&x, &w, &mut exact), network.vjp(&x, &w, &mut room));
        )* };
    }
    {
        check!(Auto);
    }
    {
        check!(Forward);
    }
    {
        check!(Reverse);
    }
    {
        check!(Cut<3>);
    }
}

/// A single layer that is not dense has orders, too.
#[test]
fn one_layer_alone() {
    fn check<O: Order>() -> SMatrix<f64, 3, 3> {
        let network = Network::<_, O>::with_order(Softmax::<f64, 3>::new());
        let mut workspace = Workspace::<f64, 64>::new();
        let x = SVector::from([0.3, -1.0, 2.0]);
        let y = network.evaluate(&x, &mut workspace);
        let sum = x.map(f64::exp).sum();
        for i in 0..3 {
            let softmax = x[i].exp() / sum;
            assert!((y.value[i] - softmax).abs() < 1e-15);
            for k in 0..3 {
                let slope = y.value[i] * (f64::from(i == k) - y.value[k]);
                assert!((y.jacobian[(i, k)] - slope).abs() < 1e-15);
            }
        }
        y.jacobian
    }
    assert!((check::<Forward>() - check::<Reverse>()).amax() < 1e-15);
}

/// Layer normalisation and softmax where their formulas could overflow or divide by zero.
#[test]
fn extremes_are_harmless() {
    fn value<T: Scalar, L, const N: usize>(layer: L, x: [T; N]) -> [T; N]
    where
        L: fnn_core::Layer<
                Scalar = T,
                Input = fnn_core::nalgebra::Const<N>,
                Output = fnn_core::nalgebra::Const<N>,
            >,
    {
        let mut workspace = Workspace::<T, 64>::new();
        let network = Network::new(layer);
        network.value(&SVector::from(x), &mut workspace).into()
    }
    let equal = value(LayerNorm::new([2.0_f32; 3], [0.5; 3], 1e-5), [7.0; 3]);
    assert_eq!(equal, [0.5; 3]);
    let far = value(Softmax::<f32, 3>::new(), [1e30, -1e30, 1e30]);
    assert_eq!(far, [0.5, 0.0, 0.5]);
    let [nan, ..] = value(Softmax::<f32, 3>::new(), [f32::NAN, 0.0, 1.0]);
    assert!(nan.is_nan());
    let identity = Affine::new([1.0_f32; 3], [-0.0; 3], Identity);
    let bits = value(identity, [-0.0, f32::MIN_POSITIVE / 4.0, -3.5]).map(f32::to_bits);
    assert_eq!(
        bits,
        [-0.0, f32::MIN_POSITIVE / 4.0, -3.5].map(f32::to_bits)
    );
    assert_eq!(
        value(Affine::new([2.0; 2], [1.0; 2], Relu), [-1.0_f64, 1.0]),
        [0.0, 3.0]
    );
}
