//! The vectors of the processor that the program finds itself on, and the loops that run on them.
//!
//! They are the loops of `fnn-core` again, for sizes known at run time: every sum in the same order,
//! product and sum rounded each, so that the bits do not depend on the width of the vectors, and the
//! widest can be taken that there are, whatever the program was compiled for.
//!
//! A kind of vectors is chosen once for a whole evaluation. Within it, sums and activations are
//! functions of their own, entered with `vectorize`: inlined at every step of a layer they take the
//! same time, and the crate twice as long to compile. What works on vectors is written as loops, not
//! with closures: one that is not inlined is compiled without the vectors, and where the closures of
//! a tile were not, a batch took four times as long.

use fnn_core::Activation as Function;
use pulp::WithSimd;

use super::Float;
use crate::activation::Activation;

/// A kind of vectors.
#[derive(Debug, Clone, Copy)]
pub(super) enum Simd {
    /// AVX-512.
    #[cfg(target_arch = "x86_64")]
    Wide(pulp::x86::V4),
    /// AVX2.
    #[cfg(target_arch = "x86_64")]
    Middle(pulp::x86::V3),
    /// NEON, which every 64-bit Arm has.
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
    /// 16 bytes, whatever the program was compiled for.
    Baseline(pulp::Scalar128b),
}

impl Simd {
    /// What every processor has.
    pub(super) const BASELINE: Self = Self::Baseline(pulp::Scalar128b);

    /// Those that this processor has, the widest first.
    pub(super) fn available() -> impl Iterator<Item = Self> {
        let kinds = [
            #[cfg(target_arch = "x86_64")]
            pulp::x86::V4::try_new().map(Self::Wide),
            #[cfg(target_arch = "x86_64")]
            pulp::x86::V3::try_new().map(Self::Middle),
            #[cfg(target_arch = "aarch64")]
            pulp::aarch64::Neon::try_new().map(Self::Neon),
            Some(Self::BASELINE),
        ];
        kinds.into_iter().flatten()
    }

    /// Numbers of one vector.
    pub(super) fn lanes<T: Float>(self) -> usize {
        fn of<T: Float, S: pulp::Simd>(_: S) -> usize {
            lanes::<T, S>()
        }
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Wide(simd) => of::<T, _>(simd),
            #[cfg(target_arch = "x86_64")]
            Self::Middle(simd) => of::<T, _>(simd),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(simd) => of::<T, _>(simd),
            Self::Baseline(simd) => of::<T, _>(simd),
        }
    }

    /// Runs the operation, compiled for these vectors. A whole evaluation is one operation; those
    /// within it are calls from code for these vectors to code for these vectors.
    #[inline(always)]
    pub(super) fn run<Op: WithSimd>(self, op: Op) -> Op::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Wide(simd) => pulp::Simd::vectorize(simd, op),
            #[cfg(target_arch = "x86_64")]
            Self::Middle(simd) => pulp::Simd::vectorize(simd, op),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(simd) => pulp::Simd::vectorize(simd, op),
            Self::Baseline(simd) => pulp::Simd::vectorize(simd, op),
        }
    }
}

/// Numbers of one vector.
#[inline(always)]
pub(super) fn lanes<T: Float, S: pulp::Simd>() -> usize {
    size_of::<T::Vector<S>>() / size_of::<T>()
}

/// Vectors of a number format.
pub trait Vectors: Sized {
    /// A vector.
    type Vector<S: pulp::Simd>: Copy;

    /// The numbers, as many as a vector holds at a time; what is left over is left out.
    fn vectors<S: pulp::Simd>(numbers: &[Self]) -> &[Self::Vector<S>];

    /// The same, to be written.
    fn vectors_mut<S: pulp::Simd>(numbers: &mut [Self]) -> &mut [Self::Vector<S>];

    /// One number in all lanes.
    fn splat<S: pulp::Simd>(simd: S, number: Self) -> Self::Vector<S>;

    /// a · b.
    fn product<S: pulp::Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// sum + a · b, the product and the sum rounded each.
    fn add_product<S: pulp::Simd>(
        simd: S,
        sum: Self::Vector<S>,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
    ) -> Self::Vector<S>;
}

macro_rules! vectors {
    ($T:ty, $Vector:ident, $as:ident, $as_mut:ident, $splat:ident, $add:ident, $mul:ident) => {
        impl Vectors for $T {
            type Vector<S: pulp::Simd> = S::$Vector;

            #[inline(always)]
            fn vectors<S: pulp::Simd>(numbers: &[Self]) -> &[S::$Vector] {
                S::$as(numbers).0
            }

            #[inline(always)]
            fn vectors_mut<S: pulp::Simd>(numbers: &mut [Self]) -> &mut [S::$Vector] {
                S::$as_mut(numbers).0
            }

            #[inline(always)]
            fn splat<S: pulp::Simd>(simd: S, number: Self) -> S::$Vector {
                simd.$splat(number)
            }

            #[inline(always)]
            fn product<S: pulp::Simd>(simd: S, a: S::$Vector, b: S::$Vector) -> S::$Vector {
                simd.$mul(a, b)
            }

            #[inline(always)]
            fn add_product<S: pulp::Simd>(
                simd: S,
                sum: S::$Vector,
                a: S::$Vector,
                b: S::$Vector,
            ) -> S::$Vector {
                simd.$add(sum, simd.$mul(a, b))
            }
        }
    };
}

vectors!(
    f32,
    f32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    add_f32s,
    mul_f32s
);
vectors!(
    f64,
    f64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    add_f64s,
    mul_f64s
);

/// A product of which the left matrix is packed: its rows in blocks of as many as a vector has
/// lanes, for each block the numbers of its first column, of its second, and so on.
#[derive(Debug)]
pub(super) struct Sums<'a, T> {
    /// The blocks, one after the other, `terms` vectors each.
    pub(super) left: &'a [T],
    /// What the sums of the first columns start at, as long as a column of the output, and how many
    /// these are. The others start at zero.
    pub(super) bias: (&'a [T], usize),
    /// Terms of a sum.
    pub(super) terms: usize,
    /// The right matrix: columns of this length, of which the first `terms` numbers count.
    pub(super) right: (&'a [T], usize),
    /// Where the sums go: columns of this length, a number for each row of all blocks.
    pub(super) output: (&'a mut [T], usize),
    /// Columns of right matrix and output.
    pub(super) columns: usize,
}

/// Columns that are summed at once at most.
const TILE: usize = 6;

impl<T: Float> Sums<'_, T> {
    /// Computes them, in a function of its own, compiled for these vectors: there is one, however
    /// many steps of a layer have sums.
    #[inline(always)]
    pub(super) fn sum<S: pulp::Simd>(mut self, simd: S) {
        // By reference: copying it takes as long as a layer of few neurons.
        simd.vectorize(&mut self);
    }
}

impl<T: Float> WithSimd for &mut Sums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let columns = self.columns;
        let tiles = columns.div_ceil(TILE);
        let mut column = 0;
        for tile in 0..tiles {
            // As few tiles as there must be, none more than one column wider than another. The
            // fewer columns, the more blocks: sums wait for their last addition.
            let wide = match tiles {
                1 => columns,
                _ => (columns + tile) / tiles,
            };
            match wide {
                1 => self.rows::<S, 8, 1>(simd, &mut column),
                2 => self.rows::<S, 4, 2>(simd, &mut column),
                3 => self.rows::<S, 2, 3>(simd, &mut column),
                4 => self.rows::<S, 2, 4>(simd, &mut column),
                5 => self.rows::<S, 2, 5>(simd, &mut column),
                _ => self.rows::<S, 2, 6>(simd, &mut column),
            }
        }
    }
}

impl<T: Float> Sums<'_, T> {
    /// All rows of `COLS` columns, `MOST` blocks at a time, then what is left.
    #[inline(always)]
    fn rows<S: pulp::Simd, const MOST: usize, const COLS: usize>(
        &mut self,
        simd: S,
        column: &mut usize,
    ) {
        let blocks = self.output.1 / lanes::<T, S>();
        let mut block = 0;
        macro_rules! tiles {
            ($($count:literal)*) => { $(
                if $count <= MOST {
                    while blocks - block >= $count {
                        self.tile::<S, $count, COLS>(simd, block, *column);
                        block += $count;
                    }
                }
            )* };
        }
        tiles!(8 4 2 1);
        *column += COLS;
    }

    #[inline(always)]
    fn tile<S: pulp::Simd, const BLOCKS: usize, const COLS: usize>(
        &mut self,
        simd: S,
        block: usize,
        column: usize,
    ) {
        let terms = self.terms;
        let vectors = T::vectors::<S>(self.left);
        let mut left: [&[T::Vector<S>]; BLOCKS] = [&[]; BLOCKS];
        for b in 0..BLOCKS {
            left[b] = &vectors[(block + b) * terms..][..terms];
        }
        let mut right: [&[T]; COLS] = [&[]; COLS];
        for c in 0..COLS {
            right[c] = &self.right.0[(column + c) * self.right.1..][..terms];
        }
        let mut sum = [[T::splat(simd, T::ZERO); COLS]; BLOCKS];
        let (bias, biased) = self.bias;
        if column < biased {
            let bias = &T::vectors::<S>(bias)[block..][..BLOCKS];
            for b in 0..BLOCKS {
                for c in 0..COLS {
                    if column + c < biased {
                        sum[b][c] = bias[b];
                    }
                }
            }
        }
        for j in 0..terms {
            let mut w = [T::splat(simd, T::ZERO); BLOCKS];
            for b in 0..BLOCKS {
                w[b] = left[b][j];
            }
            for c in 0..COLS {
                let x = T::splat(simd, right[c][j]);
                for b in 0..BLOCKS {
                    sum[b][c] = T::add_product(simd, sum[b][c], w[b], x);
                }
            }
        }
        let (output, length) = &mut self.output;
        for c in 0..COLS {
            let column = &mut output[(column + c) * *length..][..*length];
            let places = &mut T::vectors_mut::<S>(column)[block..][..BLOCKS];
            for b in 0..BLOCKS {
                places[b] = sum[b][c];
            }
        }
    }
}

/// Scales panels of so many columns of this length, each panel by the slopes of its input, number by
/// number.
#[inline(always)]
pub(super) fn scale<T: Float, S: pulp::Simd>(
    simd: S,
    panels: &mut [T],
    slopes: &[T],
    (columns, length): (usize, usize),
) {
    let blocks = length / lanes::<T, S>();
    let (panels, slopes) = (T::vectors_mut::<S>(panels), T::vectors::<S>(slopes));
    let mut at = 0;
    for input in 0..slopes.len() / blocks {
        let slopes = &slopes[input * blocks..][..blocks];
        for _ in 0..columns {
            let column = &mut panels[at..][..blocks];
            for b in 0..blocks {
                column[b] = T::product(simd, slopes[b], column[b]);
            }
            at += blocks;
        }
    }
}

/// Turns the sums `z` into values, and gives the slopes there where they are wanted.
///
/// A function of its own, compiled for these vectors, as the sums are.
#[inline(always)]
pub(super) fn activate<T: Float, S: pulp::Simd>(
    simd: S,
    activation: Activation,
    z: &mut [T],
    slope: Option<&mut [T]>,
) {
    simd.vectorize(Activate {
        activation,
        z,
        slope,
    });
}

/// The arguments of [`activate`].
pub(super) struct Activate<'a, T> {
    pub(super) activation: Activation,
    pub(super) z: &'a mut [T],
    pub(super) slope: Option<&'a mut [T]>,
}

impl<T: Float> WithSimd for Activate<'_, T>
where
    fnn_core::Identity: Function<T>,
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self {
            activation,
            z,
            slope,
        } = self;
        /// With the function of fnn-core that the name stands for.
        macro_rules! with {
            ($($name:ident),*) => {
                match activation {
                    $(Activation::$name => apply(fnn_core::$name, z, slope),)*
                    Activation::LeakyRelu(slope_below) => {
                        apply(fnn_core::LeakyRelu { slope: T::from_f64(slope_below) }, z, slope);
                    }
                    Activation::Clip { low, high } => {
                        let (low, high) = (T::from_f64(low), T::from_f64(high));
                        apply(fnn_core::Clip { low, high }, z, slope);
                    }
                    Activation::GeluTanh(cubic) => {
                        apply(fnn_core::GeluTanh { cubic: T::from_f64(cubic) }, z, slope);
                    }
                    Activation::Elu(alpha) => {
                        apply(fnn_core::Elu { alpha: T::from_f64(alpha) }, z, slope);
                    }
                }
            };
        }
        with!(
            Identity,
            Mish,
            Tanh,
            Sigmoid,
            Softplus,
            Silu,
            Gelu,
            Relu,
            Selu,
            Softsign,
            HardSigmoid,
            HardSwish
        );
    }
}

#[inline(always)]
fn apply<T: Float, A: Function<T>>(function: A, z: &mut [T], slope: Option<&mut [T]>) {
    match slope {
        None => {
            for i in 0..z.len() {
                z[i] = function.value(z[i]);
            }
        }
        Some(slope) => {
            let slope = &mut slope[..z.len()];
            for i in 0..z.len() {
                (z[i], slope[i]) = function.value_and_slope(z[i]);
            }
        }
    }
}
