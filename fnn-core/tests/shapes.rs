//! Every combination of small sizes, some wide ones, deep ones and arrays of layers, against the
//! plainest evaluation there is, bit by bit, in f32 and f64.

use fnn_core::{
    Activation, Auto, Chain, Cut, Dense, Forward, Layer, Network, Order, Reverse, SMatrix, SVector,
    Scalar, Workspace, chain,
};
use nalgebra::Const;

/// f(z) = z / (1 + z²): bounded, so that deep networks stay finite, and made of a few operations,
/// so that the test is about sums and their order.
#[derive(Debug, Clone, Copy)]
struct Bounded;

impl<T: Scalar> Activation<T> for Bounded {
    fn value(self, z: T) -> T {
        z / (T::ONE + z * z)
    }

    fn value_and_slope(self, z: T) -> (T, T) {
        let d = T::ONE + z * z;
        (z / d, (T::ONE - z * z) / (d * d))
    }
}

/// Numbers in (-1, 1) with full significands, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next<T: Number>(&mut self) -> T {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        T::rounded((self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
    }

    fn dense<T: Number, const IN: usize, const OUT: usize>(
        &mut self,
    ) -> Dense<T, IN, OUT, Bounded> {
        let weight = std::array::from_fn(|_| std::array::from_fn(|_| self.next()));
        Dense::new(weight, std::array::from_fn(|_| self.next()), Bounded)
    }
}

trait Number: Scalar {
    fn rounded(number: f64) -> Self;
}

impl Number for f32 {
    fn rounded(number: f64) -> Self {
        number as f32
    }
}

impl Number for f64 {
    fn rounded(number: f64) -> Self {
        number
    }
}

/// A layer without its type.
struct Plain<T> {
    /// Row by row.
    weight: Vec<Vec<T>>,
    bias: Vec<T>,
}

impl<T: Number> Plain<T> {
    /// The sums and, through the activation, values and slopes.
    fn value(&self, x: &[T]) -> (Vec<T>, Vec<T>) {
        let sums = self.weight.iter().zip(&self.bias).map(|(row, &bias)| {
            let products = row.iter().zip(x);
            products.fold(bias, |sum, (&w, &x)| sum + w * x)
        });
        sums.map(|z| Bounded.value_and_slope(z)).unzip()
    }
}

/// What turns into the layers of a network, one after the other.
trait Layers<T> {
    fn plain(&self) -> Vec<Plain<T>>;
}

impl<T: Number, const IN: usize, const OUT: usize> Layers<T> for Dense<T, IN, OUT, Bounded> {
    fn plain(&self) -> Vec<Plain<T>> {
        let row = |i| (0..IN).map(|j| self.weight(i, j).unwrap()).collect();
        vec![Plain {
            weight: (0..OUT).map(row).collect(),
            bias: self.bias().to_vec(),
        }]
    }
}

impl<T, L: Layers<T>, const DEPTH: usize> Layers<T> for [L; DEPTH] {
    fn plain(&self) -> Vec<Plain<T>> {
        self.iter().flat_map(Layers::plain).collect()
    }
}

impl<T, First: Layers<T>, Rest: Layers<T>> Layers<T> for Chain<First, Rest> {
    fn plain(&self) -> Vec<Plain<T>> {
        let mut layers = self.first().plain();
        layers.extend(self.rest().plain());
        layers
    }
}

/// Rows times columns, each sum from zero in ascending index.
fn product<T: Number>(left: &[Vec<T>], right: &[Vec<T>]) -> Vec<Vec<T>> {
    let entry = |row: &Vec<T>, c: usize| {
        let terms = row.iter().zip(right);
        terms.fold(T::ZERO, |sum, (&a, b)| sum + a * b[c])
    };
    left.iter()
        .map(|row| (0..right[0].len()).map(|c| entry(row, c)).collect())
        .collect()
}

fn scale_rows<T: Number>(slope: &[T], rows: &[Vec<T>]) -> Vec<Vec<T>> {
    let rows = slope.iter().zip(rows);
    rows.map(|(&s, row)| row.iter().map(|&x| s * x).collect())
        .collect()
}

fn scale_columns<T: Number>(rows: &[Vec<T>], slope: &[T]) -> Vec<Vec<T>> {
    let scale = |row: &Vec<T>| row.iter().zip(slope).map(|(&x, &s)| s * x).collect();
    rows.iter().map(scale).collect()
}

/// The value and all slopes, layer by layer.
fn plain_value<T: Number>(layers: &[Plain<T>], x: &[T]) -> (Vec<T>, Vec<Vec<T>>) {
    let (mut y, mut slopes) = (x.to_vec(), Vec::new());
    for layer in layers {
        let (value, slope) = layer.value(&y);
        (y, slopes) = (value, [slopes, vec![slope]].concat());
    }
    (y, slopes)
}

/// The Jacobian, row by row, forward through `cut` layers and in reverse through the others.
fn plain_jacobian<T: Number>(layers: &[Plain<T>], slopes: &[Vec<T>], cut: usize) -> Vec<Vec<T>> {
    let mut tangents: Option<Vec<Vec<T>>> = None;
    for (layer, slope) in layers.iter().zip(slopes).take(cut) {
        tangents = Some(match tangents {
            None => scale_rows(slope, &layer.weight),
            Some(tangents) => scale_rows(slope, &product(&layer.weight, &tangents)),
        });
    }
    let mut cotangents: Option<Vec<Vec<T>>> = None;
    for (layer, slope) in layers.iter().zip(slopes).skip(cut).rev() {
        cotangents = Some(match cotangents {
            None => scale_rows(slope, &layer.weight),
            Some(rows) => product(&scale_columns(&rows, slope), &layer.weight),
        });
    }
    match (cotangents, tangents) {
        (Some(rows), Some(columns)) => product(&rows, &columns),
        (Some(rows), None) => rows,
        (None, columns) => columns.unwrap(),
    }
}

/// The same entries, to the bit.
#[track_caller]
fn same<T: Number, const ROWS: usize, const COLS: usize>(
    found: &SMatrix<T, ROWS, COLS>,
    rows: &[Vec<T>],
) {
    for i in 0..ROWS {
        for j in 0..COLS {
            let (a, b) = (found[(i, j)], rows[i][j]);
            assert_eq!(
                a.bits(),
                b.bits(),
                "{ROWS} x {COLS}, entry {i}, {j}: {a} {b}"
            );
        }
    }
}

const ENOUGH: usize = 20_000;

/// The network in the order `O` against the plain loops, in bits: value, Jacobian, two choices of
/// columns and both products.
fn check_order<T, L, O, const IN: usize, const OUT: usize>(layers: &L, numbers: &mut Numbers)
where
    T: Number,
    L: Layer<Scalar = T, Input = Const<IN>, Output = Const<OUT>> + Layers<T> + Clone,
    O: Order,
{
    let plain = layers.plain();
    let network = Network::<L, O>::with_order(layers.clone());
    let mut workspace = Box::new(Workspace::<T, ENOUGH>::new());
    let x: [T; IN] = std::array::from_fn(|_| numbers.next());
    let (y, slopes) = plain_value(&plain, &x);
    let column = |numbers: &[T]| -> Vec<Vec<T>> { numbers.iter().map(|&x| vec![x]).collect() };
    let y = column(&y);
    let x = SVector::from(x);
    same(&network.value(&x, &mut workspace), &y);

    let cut = Network::<L, O>::CUT;
    let jacobian = plain_jacobian(&plain, &slopes, cut);
    let found = network.evaluate(&x, &mut workspace);
    same(&found.value, &y);
    same(&found.jacobian, &jacobian);

    // The first column, for which another order may be the cheapest.
    let jacobian = plain_jacobian(&plain, &slopes, Network::<L, O>::columns_cut(1));
    let found = network.columns::<0, 1, _>(&x, &mut workspace);
    same(&found.value, &y);
    same(&found.jacobian, &jacobian);

    let v: [T; IN] = std::array::from_fn(|_| numbers.next());
    let found = network.jvp(&x, &v.into(), &mut workspace);
    let mut tangent = column(&v);
    for (layer, slope) in plain.iter().zip(&slopes) {
        tangent = scale_rows(slope, &product(&layer.weight, &tangent));
    }
    same(&found.value, &y);
    same(&found.tangent, &tangent);

    let w: [T; OUT] = std::array::from_fn(|_| numbers.next());
    let found = network.vjp(&x, &w.into(), &mut workspace);
    let mut row = vec![w.to_vec()];
    for (layer, slope) in plain.iter().zip(&slopes).rev() {
        row = product(&scale_columns(&row, slope), &layer.weight);
    }
    same(&found.value, &y);
    same(&found.cotangent, &column(&row[0]));
}

/// The layers in every kind of order.
fn check<T, L, const IN: usize, const OUT: usize>(layers: &L, numbers: &mut Numbers)
where
    T: Number,
    L: Layer<Scalar = T, Input = Const<IN>, Output = Const<OUT>> + Layers<T> + Clone,
{
    check_order::<T, L, Auto, IN, OUT>(layers, numbers);
    check_order::<T, L, Forward, IN, OUT>(layers, numbers);
    check_order::<T, L, Reverse, IN, OUT>(layers, numbers);
}

fn pair<T: Number, const IN: usize, const OUT: usize>(numbers: &mut Numbers) {
    let only = numbers.dense::<T, IN, OUT>();
    check(&only, numbers);
    let (first, last) = (numbers.dense::<T, 3, IN>(), numbers.dense::<T, IN, OUT>());
    check(&chain![first, last], numbers);
    let (first, last) = (numbers.dense::<T, IN, OUT>(), numbers.dense::<T, OUT, 2>());
    check(&chain![first, last], numbers);
}

#[test]
fn all_small_sizes() {
    let numbers = &mut Numbers(1);
    macro_rules! pairs {
        ($($in:literal)*, $outs:tt) => { $( pairs!(@ $in, $outs); )* };
        (@ $in:literal, [$($out:literal)*]) => { $(
            pair::<f32, $in, $out>(numbers);
            pair::<f64, $in, $out>(numbers);
        )* };
    }
    pairs!(1 2 3, [1 2 3 4]);
    pairs!(5 9, [1 6]);
}

#[test]
fn widths_about_the_blocks() {
    let numbers = &mut Numbers(2);
    macro_rules! widths {
        ($T:ty, $($out:literal)*) => { $(
            pair::<$T, 11, $out>(numbers);
            pair::<$T, $out, 5>(numbers);
        )* };
    }
    widths!(f32, 15 17 31 32 33 65 97);
    widths!(f64, 7 16 31 33 65);
}

#[test]
fn arrays_are_chains() {
    fn arrays<T: Number, const DEPTH: usize>(numbers: &mut Numbers) {
        let array: [_; DEPTH] = std::array::from_fn(|_| numbers.dense::<T, 7, 7>());
        check(&array, numbers);
        let (first, last) = (numbers.dense::<T, 4, 7>(), numbers.dense::<T, 7, 3>());
        check(&chain![first, array.clone(), last], numbers);
        check(&[array.clone(), array], numbers);
    }
    let numbers = &mut Numbers(3);
    arrays::<f32, 1>(numbers);
    arrays::<f64, 2>(numbers);
    arrays::<f32, 3>(numbers);
    arrays::<f64, 12>(numbers);
}

/// Cuts before, inside and after an array, and inside arrays of chains.
#[test]
fn every_cut() {
    fn cuts<T: Number>(numbers: &mut Numbers) {
        let two =
            |numbers: &mut Numbers| chain![numbers.dense::<T, 6, 9>(), numbers.dense::<T, 9, 6>()];
        let layers = chain![
            numbers.dense::<T, 5, 7>(),
            [numbers.dense::<T, 7, 7>(), numbers.dense::<T, 7, 7>()],
            numbers.dense::<T, 7, 6>(),
            [two(numbers), two(numbers)],
            numbers.dense::<T, 6, 4>(),
        ];
        macro_rules! cuts {
            ($($cut:literal)*) => { $(
                check_order::<T, _, Cut<$cut>, 5, 4>(&layers, numbers);
                assert_eq!(shape(&layers).depth(), 9);
            )* };
        }
        cuts!(0 1 2 3 4 5 6 7 8 9 10);
    }
    cuts::<f32>(&mut Numbers(6));
    cuts::<f64>(&mut Numbers(7));
}

fn shape<L: Layer>(_: &L) -> fnn_core::Shape<'static> {
    L::SHAPE
}

/// A Jacobian larger than everything before it: a cut at a bottleneck.
#[test]
fn a_jacobian_larger_than_the_panels() {
    let numbers = &mut Numbers(9);
    let layers = chain![numbers.dense::<f32, 10, 2>(), numbers.dense::<f32, 2, 31>()];
    check_order::<f32, _, Cut<1>, 10, 31>(&layers, numbers);
    check(&layers, numbers);
}

/// Columns in the middle and at the end, in every order.
#[test]
fn chosen_columns_are_columns() {
    fn columns<O: Order, const FIRST: usize, const COLS: usize>() {
        let numbers = &mut Numbers(8);
        let layers = chain![
            numbers.dense::<f32, 7, 9>(),
            numbers.dense::<f32, 9, 5>(),
            numbers.dense::<f32, 5, 6>()
        ];
        let network = Network::<_, O>::with_order(layers);
        let mut workspace = Workspace::<f32, ENOUGH>::new();
        let x = SVector::from([0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7]);
        let all = network.evaluate(&x, &mut workspace);
        let some = network.columns::<FIRST, COLS, _>(&x, &mut workspace);
        assert_eq!(some.value, all.value);
        for j in 0..COLS {
            assert_eq!(some.jacobian.column(j), all.jacobian.column(FIRST + j));
        }
    }
    macro_rules! orders {
        ($($order:ty)*) => { $(
            columns::<$order, 0, 7>();
            columns::<$order, 0, 3>();
            columns::<$order, 2, 4>();
            columns::<$order, 6, 1>();
        )* };
    }
    orders!(Forward Reverse Cut<1> Cut<2>);
}

#[test]
fn constants_of_the_seed_network() {
    type Seed = Network<
        Chain![
            Dense<f32, 4, 32, Bounded>,
            [Dense<f32, 32, 32, Bounded>; 4],
            Dense<f32, 32, 3, Bounded>,
        ],
    >;
    assert_eq!((Seed::INPUTS, Seed::OUTPUTS, Seed::DEPTH), (4, 3, 6));
    assert_eq!(
        Seed::PARAMETERS,
        4 * 32 + 32 + 4 * (32 * 32 + 32) + 32 * 3 + 3
    );
    assert_eq!(Seed::VALUE_MULTIPLY_ADDS, 4320);
    assert_eq!(Seed::FORWARD_MULTIPLY_ADDS, 16768);
    assert_eq!(Seed::REVERSE_MULTIPLY_ADDS, 12672);
    assert_eq!((Seed::CUT, Seed::JACOBIAN_MULTIPLY_ADDS), (0, 12672));
    assert_eq!(Seed::VALUE_WORKSPACE, 2 * 32);
    // Two panels of three outputs for 32 neurons, and a slope for each neuron of all layers.
    assert_eq!(Seed::WORKSPACE, 2 * 32 * 3 + 5 * 32 + 3);
    assert_eq!(Seed::JVP_WORKSPACE, 4 * 32);
    assert_eq!(Seed::VJP_WORKSPACE, 2 * 32 + 5 * 32 + 3);
    // One column is cheaper forward than three rows back.
    assert_eq!(Seed::columns_multiply_adds(1), 4 * 1024 + 96);
    assert_eq!(Seed::columns_workspace(1), 2 * 2 * 32);
}

#[test]
fn a_replay_finds_one_changed_bit() {
    let numbers = &mut Numbers(4);
    let network = Network::new(chain![
        numbers.dense::<f32, 3, 5>(),
        numbers.dense::<f32, 5, 2>()
    ]);
    let mut workspace = Workspace::<f32, ENOUGH>::new();
    let input = [0.25, -0.5, 0.75];
    let found = network.evaluate(&SVector::from(input), &mut workspace);
    let mut record = fnn_core::Record {
        input,
        value: std::array::from_fn(|i| found.value[i]),
        jacobian: std::array::from_fn(|i| std::array::from_fn(|j| found.jacobian[(i, j)])),
    };
    assert_eq!(network.replay(&[record], &mut workspace), Ok(()));

    let right = record.jacobian[1][2];
    record.jacobian[1][2] = f32::from_bits(right.to_bits() ^ 1);
    let mismatch = network.replay(&[record], &mut workspace).unwrap_err();
    assert_eq!(
        (mismatch.record, mismatch.output, mismatch.input),
        (0, 1, Some(2))
    );
    assert_eq!(mismatch.found, right);

    record.jacobian[1][2] = right;
    record.value[0] = -record.value[0];
    let mismatch = network.replay(&[record], &mut workspace).unwrap_err();
    assert_eq!(
        (mismatch.record, mismatch.output, mismatch.input),
        (0, 0, None)
    );
}

#[test]
fn not_a_number_goes_through() {
    let numbers = &mut Numbers(5);
    let network = Network::new(chain![
        numbers.dense::<f32, 3, 5>(),
        numbers.dense::<f32, 5, 2>()
    ]);
    let mut workspace = Workspace::<f32, ENOUGH>::new();
    let found = network.evaluate(&SVector::from([0.5, f32::NAN, 0.5]), &mut workspace);
    assert!(
        found
            .value
            .iter()
            .chain(&found.jacobian)
            .all(|y| y.is_nan())
    );
}
