//! The inner loops, written once for all sizes.
//!
//! A sum starts at its bias (at zero for a tangent) and adds its products in ascending index of
//! the input, each product and each addition rounded. SIMD lanes run over neurons, never along a
//! sum, so the width of the vectors does not show in the bits.
//!
//! Not part of the public interface: it is visible for `fnn-std`, which runs the same loops over
//! sizes known at run time.

#![allow(
    clippy::int_plus_one,
    reason = "a block of one neuron is written as every other"
)]

use core::array;

use crate::{activation::Activation, scalar::Scalar};

/// The weighted sums of `LANES` neurons for `COLS` columns at once, all in registers:
/// `sum[c][l] = start[c][l] + Σⱼ weight[j][l] · input[j][c]`, j ascending.
///
/// Every weight is loaded once and serves all columns. Never panics.
#[inline(always)]
pub fn tile<'w, T: Scalar, const LANES: usize, const COLS: usize>(
    start: [[T; LANES]; COLS],
    weight: impl Iterator<Item = &'w [T; LANES]>,
    input: impl Iterator<Item = [T; COLS]>,
) -> [[T; LANES]; COLS] {
    let mut sum = start;
    for (w, x) in weight.zip(input) {
        for (sum, x) in sum.iter_mut().zip(x) {
            for (sum, &w) in sum.iter_mut().zip(w) {
                *sum = *sum + w * x;
            }
        }
    }
    sum
}

/// Bytes of the neurons that one tile of tangents takes side by side. With [`TILE`] columns their
/// sums fill the target's registers and leave room for the weights: two vectors of 32 bytes with
/// AVX, two of 16 with SSE2 or NEON, four single registers on a microcontroller.
const TANGENT_BLOCK: usize = if cfg!(target_feature = "avx") {
    64
} else if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
    32
} else {
    16
};

/// The same for the value alone, one column: more neurons, so that more sums are under way while
/// each waits for its last addition.
const VALUE_BLOCK: usize = 4 * TANGENT_BLOCK;

/// Columns (the value and its tangents) that a tile takes at most.
const TILE: usize = 5;

/// Run `$body` for blocks of neurons that together cover `0..$out`, each with `LANES` as a
/// constant and at most `$bytes` wide: the widest first, then what is left in halves.
macro_rules! for_blocks {
    ($T:ty, $out:expr, $bytes:expr, |$at:ident, $LANES:ident| $body:block) => {
        for_blocks!($T, $out, $bytes, |$at, $LANES| $body, 64, 32, 16, 8, 4, 2, 1)
    };
    ($T:ty, $out:expr, $bytes:expr, |$at:ident, $LANES:ident| $body:block, $($lanes:literal),*) => {
        let mut $at = 0;
        $(
            while size_of::<[$T; $lanes]>() <= $bytes && $at + $lanes <= $out {
                const $LANES: usize = $lanes;
                $body
                $at += $lanes;
            }
        )*
    };
}

/// The `LANES` numbers of each column from `at` on.
#[inline(always)]
fn lanes<T, const OUT: usize, const LANES: usize>(
    columns: &[[T; OUT]],
    at: usize,
) -> impl Iterator<Item = &[T; LANES]> {
    columns
        .iter()
        .filter_map(move |column| column.get(at..)?.first_chunk())
}

/// The value of a dense layer: `output = f(bias + weight · input)`. Never panics.
#[inline]
pub fn value<T: Scalar, A: Activation<T>, const IN: usize, const OUT: usize>(
    weight: &[[T; OUT]; IN],
    bias: &[T; OUT],
    activation: A,
    input: &[T; IN],
    output: &mut [T; OUT],
) {
    for_blocks!(T, OUT, VALUE_BLOCK, |at, LANES| {
        if let (Some(bias), Some(output)) = (
            bias.get(at..).and_then(<[T]>::first_chunk::<LANES>),
            output
                .get_mut(at..)
                .and_then(<[T]>::first_chunk_mut::<LANES>),
        ) {
            let [z] = tile([*bias], lanes(weight, at), input.iter().map(|&x| [x]));
            *output = z.map(|z| activation.value(z));
        }
    });
}

/// Value and tangents of a first layer: the tangents of its input are the unit vectors, so that
/// ∂/∂xⱼ is f′ times column j of the weights and no product is spent on the identity. Never panics.
#[inline]
pub fn first_tangents<T: Scalar, A: Activation<T>, const IN: usize, const OUT: usize>(
    weight: &[[T; OUT]; IN],
    bias: &[T; OUT],
    activation: A,
    input: &[T; IN],
    output: (&mut [T; OUT], &mut [[T; OUT]; IN]),
) {
    let (value, tangents) = output;
    for_blocks!(T, OUT, TANGENT_BLOCK, |at, LANES| {
        if let (Some(bias), Some(value)) = (
            bias.get(at..).and_then(<[T]>::first_chunk::<LANES>),
            value
                .get_mut(at..)
                .and_then(<[T]>::first_chunk_mut::<LANES>),
        ) {
            let [z] = tile([*bias], lanes(weight, at), input.iter().map(|&x| [x]));
            let slope;
            (*value, slope) = activate(activation, z);
            for (tangent, w) in tangents.iter_mut().zip(lanes::<T, OUT, LANES>(weight, at)) {
                if let Some(tangent) = tangent
                    .get_mut(at..)
                    .and_then(<[T]>::first_chunk_mut::<LANES>)
                {
                    *tangent = array::from_fn(|l| slope[l] * w[l]);
                }
            }
        }
    });
}

/// Value and tangents of a later layer: `input` and `output` hold 1 + `TANGENTS` columns, the
/// value first. Never panics.
#[inline]
pub fn tangents<
    T: Scalar,
    A: Activation<T>,
    const IN: usize,
    const OUT: usize,
    const TANGENTS: usize,
>(
    weight: &[[T; OUT]; IN],
    bias: &[T; OUT],
    activation: A,
    input: &[[T; IN]],
    output: &mut [[T; OUT]],
) {
    // As few tiles as there must be, and none more than one column wider than another.
    let columns = 1 + TANGENTS;
    let tiles = columns.div_ceil(TILE);
    for_blocks!(T, OUT, TANGENT_BLOCK, |at, LANES| {
        let Some(bias) = bias.get(at..).and_then(<[T]>::first_chunk::<LANES>) else {
            return;
        };
        let mut slope = None;
        let (mut input, mut output) = (input, &mut *output);
        for tile in 0..tiles {
            macro_rules! group {
                ($columns:literal) => {{
                    let Some((i, input_left)) = input.split_first_chunk::<$columns>() else {
                        return;
                    };
                    let Some((o, output_left)) = output.split_first_chunk_mut::<$columns>() else {
                        return;
                    };
                    slope = Some(group(weight, bias, activation, i, o, at, slope));
                    (input, output) = (input_left, output_left);
                }};
            }
            match (columns + tile) / tiles {
                1 => group!(1),
                2 => group!(2),
                3 => group!(3),
                4 => group!(4),
                _ => group!(5),
            }
        }
    });
}

/// `COLS` columns of one block of neurons: with no slope yet, the first column is the value and
/// gives the slope, which is returned; all others are tangents and are scaled by it.
#[inline(always)]
fn group<
    T: Scalar,
    A: Activation<T>,
    const IN: usize,
    const OUT: usize,
    const LANES: usize,
    const COLS: usize,
>(
    weight: &[[T; OUT]; IN],
    bias: &[T; LANES],
    activation: A,
    input: &[[T; IN]; COLS],
    output: &mut [[T; OUT]; COLS],
    at: usize,
    slope: Option<[T; LANES]>,
) -> [T; LANES] {
    let mut start = [[T::ZERO; LANES]; COLS];
    if let (None, Some(value)) = (slope, start.first_mut()) {
        *value = *bias;
    }
    let rows = (0..IN).map(|j| array::from_fn(|c| input[c][j]));
    let mut sum = tile(start, lanes(weight, at), rows);

    let (slope, tangents) = match slope {
        Some(slope) => (slope, &mut sum[..]),
        None => {
            let Some((z, tangents)) = sum.split_first_mut() else {
                return [T::ONE; LANES];
            };
            let slope;
            (*z, slope) = activate(activation, *z);
            (slope, tangents)
        }
    };
    for tangent in tangents {
        *tangent = array::from_fn(|l| slope[l] * tangent[l]);
    }
    for (output, sum) in output.iter_mut().zip(sum) {
        if let Some(output) = output.get_mut(at..).and_then(<[T]>::first_chunk_mut) {
            *output = sum;
        }
    }
    slope
}

/// Values and slopes of a block of neurons.
#[inline(always)]
fn activate<T: Scalar, A: Activation<T>, const LANES: usize>(
    activation: A,
    z: [T; LANES],
) -> ([T; LANES], [T; LANES]) {
    let both = z.map(|z| activation.value_and_slope(z));
    (both.map(|b| b.0), both.map(|b| b.1))
}
