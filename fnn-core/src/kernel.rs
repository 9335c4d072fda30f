//! The inner loops, written once for all sizes.
//!
//! A sum starts at its bias (at zero for a derivative) and adds its products in ascending index of
//! the neuron between, each product and each addition rounded. SIMD lanes run over the rows of the
//! product, never along a sum, so the width of the vectors does not show in the bits.
//!
//! All matrices are column by column. Forward, the weights multiply the columns of a panel; in
//! reverse the cotangents multiply the columns of the weights; where both meet the cotangents
//! multiply the tangents. So there is one product for all three.

use core::array;

use crate::{
    activation::Activation,
    scalar::Scalar,
    workspace::{TOO_SHORT, too_short},
};

/// `LANES` rows of a product, from `at` on, for `COLS` columns at once, all in registers:
/// `sum[c][l] = start[c][l] + Σⱼ left[j][at + l] · right[c][j]`.
///
/// Every number of `left` is loaded once and serves all columns.
#[inline(always)]
fn tile<T: Scalar, const ROWS: usize, const MID: usize, const LANES: usize, const COLS: usize>(
    left: &[[T; ROWS]; MID],
    right: &[[T; MID]; COLS],
    start: [[T; LANES]; COLS],
    at: usize,
) -> [[T; LANES]; COLS] {
    // The columns, and without vectors the rows, are written out one by one: so the sums stay in
    // registers, however little the compiler is asked to unroll.
    macro_rules! columns {
        ($sum:ident, $w:ident, $j:ident; $($c:literal)*) => { $(
            if const { $c < COLS } {
                let x = right[$c][$j];
                if VECTORS || LANES > 16 {
                    for (sum, &w) in $sum[$c].iter_mut().zip($w) {
                        *sum = *sum + w * x;
                    }
                } else {
                    rows!($sum[$c], $w, x; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
                }
            }
        )* };
    }
    macro_rules! rows {
        ($sum:expr, $w:ident, $x:ident; $($l:literal)*) => { $(
            if const { $l < LANES } {
                $sum[$l] = $sum[$l] + $w[$l] * $x;
            }
        )* };
    }
    let mut sum = start;
    for j in 0..MID {
        if let Some(w) = lanes::<T, LANES>(&left[j], at) {
            columns!(sum, w, j; 0 1 2 3 4 5 6 7 8 9 10 11);
        }
    }
    sum
}

/// Whether the target has vectors, over whose lanes the rows of a tile run.
const VECTORS: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// Bytes of the rows that one tile of a product takes side by side. With the columns of
/// [`most_columns`] their sums fill the target's registers and leave room for what they are made
/// from: two vectors of 64 bytes with AVX-512, of 32 with AVX, of 16 with SSE2 or NEON; on a
/// microcontroller four single registers, or one vector with Helium.
const BLOCK: usize = if cfg!(target_feature = "avx512f") {
    128
} else if cfg!(target_feature = "avx") {
    64
} else if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
    32
} else {
    16
};

/// The same for one column alone: more rows, so that more sums are under way while each waits for
/// its last addition.
const VALUE_BLOCK: usize = if BLOCK < 64 { 4 * BLOCK } else { 256 };

/// Bytes of the neurons that are activated side by side, one tile or more. An activation is a long
/// chain of dependent operations: with vectors, several chains are under way at once; without
/// them, a tile goes on to its activation while its sums are still in registers. The eight vectors
/// of Helium hold one chain, but a wider block loads its constants less often.
const ACTIVATION_BLOCK: usize = if VECTORS {
    VALUE_BLOCK
} else if cfg!(feature = "helium") {
    8 * BLOCK
} else {
    BLOCK
};

/// Columns that a tile of so many lanes takes at most: as many as leave registers for `left`, one
/// number of `right` and one product.
const fn most_columns(lanes: usize) -> usize {
    match lanes {
        _ if VECTORS => 5,
        4.. => 6,
        3 => 8,
        2 => 10,
        _ => 12,
    }
}

/// Widths of blocks of rows.
const WIDTHS: [usize; 8] = [64, 32, 16, 8, 4, 3, 2, 1];

/// Where blocks of a width begin, and how many there are, where blocks together cover `0..out`: the
/// widest first that `bytes` allow, then what is left.
const fn blocks<T>(out: usize, bytes: usize, lanes: usize) -> (usize, usize) {
    let (mut at, mut k) = (0, 0);
    while k < WIDTHS.len() {
        let width = WIDTHS[k];
        if width == 1 || width * size_of::<T>() <= bytes {
            let count = (out - at) / width;
            if width == lanes {
                return (at, count);
            }
            at += count * width;
        }
        k += 1;
    }
    (at, 0)
}

/// Run `$body` for blocks of rows that together cover `0..$out`, each with `LANES` as a constant
/// and at most `$bytes` wide, or one. Widths that do not occur are not compiled.
macro_rules! for_blocks {
    ($T:ty, $out:expr, $bytes:expr, |$at:ident, $LANES:ident| $body:block) => {
        for_blocks!($T, $out, $bytes, |$at, $LANES| $body, 64, 32, 16, 8, 4, 3, 2, 1)
    };
    ($T:ty, $out:expr, $bytes:expr, |$at:ident, $LANES:ident| $body:block, $($lanes:literal),*) => {
        $(
            if const { blocks::<$T>($out, $bytes, $lanes).1 > 0 } {
                const $LANES: usize = $lanes;
                let (from, count) = const { blocks::<$T>($out, $bytes, $lanes) };
                for block in 0..count {
                    let $at = from + block * $LANES;
                    $body
                }
            }
        )*
    };
}

/// How many tiles have this width, where as few as there must be cover `columns` columns and none
/// is more than one column wider than another.
const fn tiles_of(columns: usize, lanes: usize, width: usize) -> usize {
    let tiles = columns.div_ceil(most_columns(lanes));
    if tiles == 0 {
        return 0;
    }
    let wider = columns % tiles;
    if width == columns / tiles {
        tiles - wider
    } else if width == columns / tiles + 1 {
        wider
    } else {
        0
    }
}

/// The `LANES` numbers from `at` on.
#[inline(always)]
fn lanes<T, const LANES: usize>(numbers: &[T], at: usize) -> Option<&[T; LANES]> {
    debug_assert!(at + LANES <= numbers.len(), "{TOO_SHORT}");
    numbers.get(at..)?.first_chunk()
}

/// The `LANES` numbers from `at` on, to be written.
#[inline(always)]
fn lanes_mut<T, const LANES: usize>(numbers: &mut [T], at: usize) -> Option<&mut [T; LANES]> {
    debug_assert!(at + LANES <= numbers.len(), "{TOO_SHORT}");
    numbers.get_mut(at..)?.first_chunk_mut()
}

/// The value of a dense layer: `output = f(bias + weight · input)`. Never panics.
#[inline]
pub(crate) fn value<T: Scalar, A: Activation<T>, const IN: usize, const OUT: usize>(
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

/// The value of a dense layer, and the slopes of its neurons there. Never panics.
#[inline]
pub(crate) fn slopes<T: Scalar, A: Activation<T>, const IN: usize, const OUT: usize>(
    weight: &[[T; OUT]; IN],
    bias: &[T; OUT],
    activation: A,
    input: &[T; IN],
    output: &mut [T; OUT],
    slope: &mut [T; OUT],
) {
    sums(weight, bias, input, output);
    for_blocks!(T, OUT, ACTIVATION_BLOCK, |at, LANES| {
        if let (Some(z), Some(slope)) = (
            lanes_mut::<T, LANES>(output, at),
            lanes_mut::<T, LANES>(slope, at),
        ) {
            for (z, slope) in z.iter_mut().zip(slope) {
                (*z, *slope) = activation.value_and_slope(*z);
            }
        }
    });
}

/// Value and tangents of a first layer by the inputs whose weights are `columns`: the tangents of
/// its input are unit vectors, so that ∂/∂xⱼ is f′ times column j of the weights and no product is
/// spent on the identity. Never panics.
#[inline]
pub(crate) fn first_tangents<
    T: Scalar,
    A: Activation<T>,
    const IN: usize,
    const OUT: usize,
    const COLS: usize,
>(
    weight: &[[T; OUT]; IN],
    columns: &[[T; OUT]; COLS],
    bias: &[T; OUT],
    activation: A,
    input: &[T; IN],
    output: (&mut [T; OUT], &mut [[T; OUT]; COLS]),
) {
    let (value, tangents) = output;
    sums(weight, bias, input, value);
    *tangents = *columns;
    for_blocks!(T, OUT, ACTIVATION_BLOCK, |at, LANES| {
        activate::<T, A, OUT, LANES>(activation, value, tangents, at);
    });
}

/// Value and tangents of a later layer: `input` and `output` hold 1 + `TANGENTS` columns, the
/// value first. Never panics.
#[inline]
pub(crate) fn tangents<
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
        for_blocks!(T, LANES, BLOCK, |inside, TILE_LANES| {
            let at = at + inside;
            let bias = lanes(bias, at);
            tiles::<T, OUT, IN, TILE_LANES, 1, TANGENTS>(weight, bias, input, output, at);
        });
        if let Some((value, tangents)) = output.split_first_mut()
            && let Some(tangents) = tangents.first_chunk_mut::<TANGENTS>()
        {
            activate::<T, A, OUT, LANES>(activation, value, tangents, at);
        } else {
            too_short();
        }
    });
}

/// Scale each column by its slope: derivatives by the outputs of neurons become derivatives by
/// their sums. Never panics.
#[inline]
pub(crate) fn scale<T: Scalar, const ROWS: usize, const MID: usize>(
    columns: &mut [[T; ROWS]; MID],
    slope: &[T; MID],
) {
    for (column, &slope) in columns.iter_mut().zip(slope) {
        for number in column {
            *number = slope * *number;
        }
    }
}

/// The product of two matrices: `output[c][i] = Σₘ left[m][i] · right[c][m]`. Never panics.
#[inline]
pub(crate) fn product<T: Scalar, const ROWS: usize, const MID: usize, const COLS: usize>(
    left: &[[T; ROWS]; MID],
    right: &[[T; MID]; COLS],
    output: &mut [[T; ROWS]; COLS],
) {
    for_blocks!(T, ROWS, BLOCK, |at, LANES| {
        tiles::<T, ROWS, MID, LANES, 0, COLS>(left, None, right, output, at);
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
        let bias = lanes(bias, at);
        block::<T, OUT, IN, LANES, 1>(
            weight,
            bias,
            array::from_ref(input),
            array::from_mut(output),
            at,
        );
    });
}

/// The `LANES` rows from `at` on of a product with `FIRST` + `COLS` columns, tile by tile. The first
/// column may start at a bias.
#[inline(always)]
fn tiles<
    T: Scalar,
    const ROWS: usize,
    const MID: usize,
    const LANES: usize,
    const FIRST: usize,
    const COLS: usize,
>(
    left: &[[T; ROWS]; MID],
    mut start: Option<&[T; LANES]>,
    mut right: &[[T; MID]],
    mut output: &mut [[T; ROWS]],
    at: usize,
) {
    macro_rules! columns {
        ($($columns:literal),*) => { $(
            if const { tiles_of(FIRST + COLS, LANES, $columns) > 0 } {
                for _ in 0..const { tiles_of(FIRST + COLS, LANES, $columns) } {
                    let (Some((x, right_left)), Some((sums, output_left))) = (
                        right.split_first_chunk::<$columns>(),
                        output.split_first_chunk_mut::<$columns>(),
                    ) else {
                        return too_short();
                    };
                    block(left, start.take(), x, sums, at);
                    (right, output) = (right_left, output_left);
                }
            }
        )* };
    }
    columns!(12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1);
}

/// The `LANES` rows from `at` on of a product with `COLS` columns, of which the first may start at a
/// bias.
#[inline(always)]
fn block<T: Scalar, const ROWS: usize, const MID: usize, const LANES: usize, const COLS: usize>(
    left: &[[T; ROWS]; MID],
    bias: Option<&[T; LANES]>,
    right: &[[T; MID]; COLS],
    output: &mut [[T; ROWS]; COLS],
    at: usize,
) {
    let mut start = [[T::ZERO; LANES]; COLS];
    if let (Some(bias), Some(first)) = (bias, start.first_mut()) {
        *first = *bias;
    }
    let sums = tile(left, right, start, at);
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
