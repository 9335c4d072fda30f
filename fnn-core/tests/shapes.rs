//! Every combination of small sizes, some wide ones, deep ones and arrays of layers, against the
//! plainest evaluation there is, bit by bit, in f32 and f64.

use fnn_core::{Activation, Chain, Dense, Layer, Network, SVector, Scalar, Workspace, chain};
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

/// The layers of a network, one after the other, without their types.
trait Plain<T> {
    /// Value and tangents (one row a neuron) after this layer; no tangents stand for the identity.
    fn plain(&self, value: &[T], tangents: Option<&[Vec<T>]>) -> (Vec<T>, Vec<Vec<T>>);
}

impl<T: Scalar, const IN: usize, const OUT: usize> Plain<T> for Dense<T, IN, OUT, Bounded> {
    fn plain(&self, value: &[T], tangents: Option<&[Vec<T>]>) -> (Vec<T>, Vec<Vec<T>>) {
        let (mut values, mut rows) = (Vec::new(), Vec::new());
        for i in 0..OUT {
            let weight = |j| self.weight(i, j).unwrap();
            let mut z = self.bias()[i];
            for j in 0..IN {
                z = z + weight(j) * value[j];
            }
            let (y, slope) = self.activation().value_and_slope(z);
            values.push(y);
            rows.push(match tangents {
                None => (0..IN).map(|j| slope * weight(j)).collect(),
                Some(tangents) => (0..tangents[0].len())
                    .map(|c| {
                        let mut sum = T::ZERO;
                        for j in 0..IN {
                            sum = sum + weight(j) * tangents[j][c];
                        }
                        slope * sum
                    })
                    .collect(),
            });
        }
        (values, rows)
    }
}

impl<T: Scalar, L: Plain<T>, const DEPTH: usize> Plain<T> for [L; DEPTH] {
    fn plain(&self, value: &[T], tangents: Option<&[Vec<T>]>) -> (Vec<T>, Vec<Vec<T>>) {
        let mut state = self[0].plain(value, tangents);
        for layer in &self[1..] {
            state = layer.plain(&state.0, Some(&state.1));
        }
        state
    }
}

/// Evaluate both ways and compare the bits.
fn check<T, L, const IN: usize, const OUT: usize>(
    layers: L,
    plain: &[&dyn Plain<T>],
    numbers: &mut Numbers,
) where
    T: Number,
    L: Layer<Scalar = T, Input = Const<IN>, Output = Const<OUT>>,
{
    let network = Network::new(layers);
    let mut workspace = Box::new(Workspace::<T, 8192>::new());
    let x: [T; IN] = std::array::from_fn(|_| numbers.next());
    let found = network.evaluate(&SVector::from(x), &mut workspace);

    let mut state = plain[0].plain(&x, None);
    for layer in &plain[1..] {
        state = layer.plain(&state.0, Some(&state.1));
    }
    let (value, rows) = state;
    for i in 0..OUT {
        assert_eq!(
            found.value[i].bits(),
            value[i].bits(),
            "{IN} to {OUT}: value {i}"
        );
        for j in 0..IN {
            assert_eq!(
                found.jacobian[(i, j)].bits(),
                rows[i][j].bits(),
                "{IN} to {OUT}: jacobian {i}, {j}"
            );
        }
    }
    assert_eq!(
        network.value(&SVector::from(x), &mut workspace),
        found.value
    );
}

fn pair<T: Number, const IN: usize, const OUT: usize>(numbers: &mut Numbers) {
    let only = numbers.dense::<T, IN, OUT>();
    check(only, &[&only], numbers);
    let (first, last) = (numbers.dense::<T, 3, IN>(), numbers.dense::<T, IN, OUT>());
    check(chain![first, last], &[&first, &last], numbers);
    let (first, last) = (numbers.dense::<T, IN, OUT>(), numbers.dense::<T, OUT, 2>());
    check(chain![first, last], &[&first, &last], numbers);
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
    pairs!(1 2 3 4 5, [1 2 3 4 5]);
    pairs!(6 7 8 9, [1 9]);
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
        check(array, &[&array], numbers);
        let (first, last) = (numbers.dense::<T, 4, 7>(), numbers.dense::<T, 7, 3>());
        check(
            chain![first, array, last],
            &[&first, &array, &last],
            numbers,
        );
        let nested = [array, array];
        check(nested, &[&array, &array], numbers);
    }
    let numbers = &mut Numbers(3);
    arrays::<f32, 1>(numbers);
    arrays::<f64, 2>(numbers);
    arrays::<f32, 3>(numbers);
    arrays::<f64, 12>(numbers);
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
    assert_eq!(Seed::JACOBIAN_MULTIPLY_ADDS, 16768);
    assert_eq!(Seed::WORKSPACE, 2 * 32 * 5);
    assert_eq!(Seed::VALUE_WORKSPACE, 2 * 32);
}

#[test]
fn a_replay_finds_one_changed_bit() {
    let numbers = &mut Numbers(4);
    let network = Network::new(chain![
        numbers.dense::<f32, 3, 5>(),
        numbers.dense::<f32, 5, 2>()
    ]);
    let mut workspace = Workspace::<f32, 40>::new();
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
    let mut workspace = Workspace::<f32, 40>::new();
    let found = network.evaluate(&SVector::from([0.5, f32::NAN, 0.5]), &mut workspace);
    assert!(
        found
            .value
            .iter()
            .chain(&found.jacobian)
            .all(|y| y.is_nan())
    );
}
