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

/// Bytes of the neurons that are activated side by side, one tile or more. An activation is a long
/// chain of dependent operations: with vectors, several chains are under way at once; without
/// them, a tile goes on to its activation while its sums are still in registers.
const ACTIVATION_BLOCK: usize = if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
    4 * TANGENT_BLOCK
} else {
    TANGENT_BLOCK
};

/// Run `$body` for blocks of neurons that together cover `0..$out`, each with `LANES` as a
/// constant and at most `$bytes` wide, or one: the widest first, then what is left in halves.
macro_rules! for_blocks {
    ($T:ty, $out:expr, $bytes:expr, |$at:ident, $LANES:ident| $body:block) => {
        for_blocks!($T, $out, $bytes, |$at, $LANES| $body, 64, 32, 16, 8, 4, 2, 1)
    };
    ($T:ty, $out:expr, $bytes:expr, |$at:ident, $LANES:ident| $body:block, $($lanes:literal),*) => {
        let mut $at = 0;
        $(
            while (size_of::<[$T; $lanes]>() <= $bytes || $lanes == 1) && $at + $lanes <= $out {
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

/// The `LANES` numbers from `at` on, to be written.
#[inline(always)]
fn lanes_mut<T, const LANES: usize>(numbers: &mut [T], at: usize) -> Option<&mut [T; LANES]> {
    numbers.get_mut(at..)?.first_chunk_mut()
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
    sums(weight, bias, input, output);
    for_blocks!(T, OUT, ACTIVATION_BLOCK, |at, LANES| {
        if let Some(z) = lanes_mut::<T, LANES>(output, at) {
            for z in z {
                *z = activation.value(*z);
            }
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
    sums(weight, bias, input, value);
    *tangents = *weight;
    for_blocks!(T, OUT, ACTIVATION_BLOCK, |at, LANES| {
        activate::<T, A, OUT, LANES>(activation, value, tangents, at);
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
    for_blocks!(T, OUT, ACTIVATION_BLOCK, |at, LANES| {
        tiles::<T, IN, OUT, LANES, TANGENTS>(weight, bias, input, output, at);
        if let Some((value, tangents)) = output.split_first_mut()
            && let Some(tangents) = tangents.first_chunk_mut::<TANGENTS>()
        {
            activate::<T, A, OUT, LANES>(activation, value, tangents, at);
        }
    });
}

/// The weighted sums of all neurons for one column that starts at the bias.
#[inline(always)]
fn sums<T: Scalar, const IN: usize, const OUT: usize>(
    weight: &[[T; OUT]; IN],
    bias: &[T; OUT],
    input: &[T; IN],
    output: &mut [T; OUT],
) {
    for_blocks!(T, OUT, VALUE_BLOCK, |at, LANES| {
        if let (Some(bias), Some(output)) = (
            bias.get(at..).and_then(<[T]>::first_chunk::<LANES>),
            lanes_mut(output, at),
        ) {
            [*output] = tile([*bias], lanes(weight, at), input.iter().map(|&x| [x]));
        }
    });
}

/// The weighted sums of the `LANES` neurons from `at` on for all columns, tile by tile.
#[inline(always)]
fn tiles<
    T: Scalar,
    const IN: usize,
    const OUT: usize,
    const LANES: usize,
    const TANGENTS: usize,
>(
    weight: &[[T; OUT]; IN],
    bias: &[T; OUT],
    input: &[[T; IN]],
    output: &mut [[T; OUT]],
    at: usize,
) {
    // As few tiles as there must be, and none more than one column wider than another.
    let columns = 1 + TANGENTS;
    let tiles = columns.div_ceil(TILE);
    for_blocks!(T, LANES, TANGENT_BLOCK, |inside, TILE_LANES| {
        let at = at + inside;
        let mut start = bias.get(at..).and_then(<[T]>::first_chunk::<TILE_LANES>);
        let (mut input, mut output) = (input, &mut *output);
        for tile in 0..tiles {
            macro_rules! columns {
                ($columns:literal) => {{
                    let (Some((i, input_left)), Some((o, output_left))) = (
                        input.split_first_chunk::<$columns>(),
                        output.split_first_chunk_mut::<$columns>(),
                    ) else {
                        return;
                    };
                    block(weight, start.take(), i, o, at);
                    (input, output) = (input_left, output_left);
                }};
            }
            match (columns + tile) / tiles {
                1 => columns!(1),
                2 => columns!(2),
                3 => columns!(3),
                4 => columns!(4),
                _ => columns!(5),
            }
        }
    });
}

/// The weighted sums of a block of neurons for `COLS` columns, of which the first may start at a
/// bias.
#[inline(always)]
fn block<T: Scalar, const IN: usize, const OUT: usize, const LANES: usize, const COLS: usize>(
    weight: &[[T; OUT]; IN],
    bias: Option<&[T; LANES]>,
    input: &[[T; IN]; COLS],
    output: &mut [[T; OUT]; COLS],
    at: usize,
) {
    let mut start = [[T::ZERO; LANES]; COLS];
    if let (Some(bias), Some(first)) = (bias, start.first_mut()) {
        *first = *bias;
    }
    let rows = (0..IN).map(|j| array::from_fn(|c| input[c][j]));
    let sums = tile(start, lanes(weight, at), rows);
    for (output, sums) in output.iter_mut().zip(sums) {
        if let Some(output) = lanes_mut(output, at) {
            *output = sums;
        }
    }
}

/// Turn the sums of the `LANES` neurons from `at` on into values, and scale the rows of the tangents
/// by the slopes.
#[inline(always)]
fn activate<T: Scalar, A: Activation<T>, const OUT: usize, const LANES: usize>(
    activation: A,
    value: &mut [T; OUT],
    tangents: &mut [[T; OUT]],
    at: usize,
) {
    let Some(z) = lanes_mut::<T, LANES>(value, at) else {
        return;
    };
    let mut slope = [T::ONE; LANES];
    for (z, slope) in z.iter_mut().zip(&mut slope) {
        (*z, *slope) = activation.value_and_slope(*z);
    }
    for tangent in tangents {
        if let Some(tangent) = lanes_mut::<T, LANES>(tangent, at) {
            for (tangent, &slope) in tangent.iter_mut().zip(&slope) {
                *tangent = slope * *tangent;
            }
        }
    }
}
