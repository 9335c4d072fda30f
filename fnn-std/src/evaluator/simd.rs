//! The vectors of the processor that the program finds itself on, and the loops that run on them.
//!
//! The loops are those of `fnn-core`: what they compute does not depend on the width of the vectors,
//! so the widest are taken that there are, whatever the program was compiled for.

use std::array;

use fnn_core::{Activation as Function, kernel};
use pulp::NullaryFnOnce;

use super::Float;
use crate::activation::Activation;

/// A kind of vectors.
#[derive(Debug, Clone, Copy)]
pub(super) enum Simd {
    /// AVX-512, 64 bytes.
    #[cfg(target_arch = "x86_64")]
    Wide(pulp::x86::V4),
    /// AVX2, 32 bytes.
    #[cfg(target_arch = "x86_64")]
    Middle(pulp::x86::V3),
    /// What the program was compiled for, 16 bytes.
    Baseline,
}

impl Simd {
    /// The widest that this processor has.
    pub(super) fn widest() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(wide) = pulp::x86::V4::try_new() {
                return Self::Wide(wide);
            }
            if let Some(middle) = pulp::x86::V3::try_new() {
                return Self::Middle(middle);
            }
        }
        Self::Baseline
    }

    /// Numbers of one vector.
    pub(super) fn lanes<T>(self) -> usize {
        let bytes = match self {
            #[cfg(target_arch = "x86_64")]
            Self::Wide(_) => 64,
            #[cfg(target_arch = "x86_64")]
            Self::Middle(_) => 32,
            Self::Baseline => 16,
        };
        bytes / size_of::<T>()
    }

    /// The sums of a product, on these vectors.
    pub(super) fn sums<T: Float>(self, sums: Sums<'_, T>) {
        macro_rules! with {
            ($lanes:literal) => {
                self.run(SumsOf::<T, $lanes>(sums))
            };
        }
        match self.lanes::<T>() {
            16 => with!(16),
            8 => with!(8),
            4 => with!(4),
            _ => with!(2),
        }
    }

    /// Turns the sums `z` into values, and gives the slopes there where they are wanted.
    pub(super) fn activate<T: Float>(
        self,
        activation: Activation,
        z: &mut [T],
        slope: Option<&mut [T]>,
    ) {
        self.run(Activate {
            activation,
            z,
            slope,
        });
    }

    /// Scales every column, as long as `slope`, number by number.
    pub(super) fn scale<T: Float>(self, columns: &mut [T], slope: &[T]) {
        self.run(Scale { columns, slope });
    }

    #[inline(always)]
    fn run<Op: NullaryFnOnce>(self, op: Op) -> Op::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Wide(simd) => pulp::Simd::vectorize(simd, op),
            #[cfg(target_arch = "x86_64")]
            Self::Middle(simd) => pulp::Simd::vectorize(simd, op),
            Self::Baseline => op.call(),
        }
    }
}

/// A product of which the left matrix is packed: its rows in blocks of as many as a vector has
/// lanes, for each block the numbers of its first column, of its second, and so on.
#[derive(Debug)]
pub(super) struct Sums<'a, T> {
    /// The blocks, one after the other, `terms` times the lanes each.
    pub(super) left: &'a [T],
    /// What the sums of the first column start at, as long as a column of the output.
    pub(super) bias: Option<&'a [T]>,
    /// Terms of a sum.
    pub(super) terms: usize,
    /// The right matrix: columns of this length, of which the first `terms` numbers count.
    pub(super) right: (&'a [T], usize),
    /// Where the sums go: columns with a number for each row of all blocks.
    pub(super) output: &'a mut [T],
    /// Columns of right matrix and output.
    pub(super) columns: usize,
}

struct SumsOf<'a, T, const LANES: usize>(Sums<'a, T>);

/// Columns that are summed at once at most.
const TILE: usize = 6;

impl<T: Float, const LANES: usize> NullaryFnOnce for SumsOf<'_, T, LANES> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        let columns = self.0.columns;
        let tiles = columns.div_ceil(TILE);
        let mut column = 0;
        for tile in 0..tiles {
            // As few tiles as there must be, none more than one column wider than another. The
            // fewer columns, the more blocks: sums wait for their last addition.
            match (columns + tile) / tiles {
                1 => self.rows::<8, 1>(&mut column),
                2 => self.rows::<4, 2>(&mut column),
                3 => self.rows::<2, 3>(&mut column),
                4 => self.rows::<2, 4>(&mut column),
                5 => self.rows::<2, 5>(&mut column),
                _ => self.rows::<2, 6>(&mut column),
            }
        }
    }
}

impl<T: Float, const LANES: usize> SumsOf<'_, T, LANES> {
    /// All rows of `COLS` columns, `MOST` blocks at a time, then what is left.
    #[inline(always)]
    fn rows<const MOST: usize, const COLS: usize>(&mut self, column: &mut usize) {
        let blocks = self.0.left.len() / (LANES * self.0.terms);
        let mut block = 0;
        macro_rules! tiles {
            ($($count:literal)*) => { $(
                while $count <= MOST && blocks - block >= $count {
                    self.tile::<$count, COLS>(block, *column);
                    block += $count;
                }
            )* };
        }
        tiles!(8 4 2 1);
        *column += COLS;
    }

    #[inline(always)]
    fn tile<const BLOCKS: usize, const COLS: usize>(&mut self, block: usize, column: usize) {
        let Sums { terms, columns, .. } = self.0;
        let left: [&[[T; LANES]]; BLOCKS] = array::from_fn(|b| {
            let from = (block + b) * terms * LANES;
            self.0.left[from..from + terms * LANES].as_chunks().0
        });
        let right: [&[T]; COLS] = array::from_fn(|c| {
            let from = (column + c) * self.0.right.1;
            &self.0.right.0[from..from + terms]
        });
        let mut start = [[[T::ZERO; LANES]; COLS]; BLOCKS];
        if let Some(bias) = self.0.bias
            && column == 0
        {
            for (b, start) in start.iter_mut().enumerate() {
                start[0].copy_from_slice(&bias[(block + b) * LANES..][..LANES]);
            }
        }
        let sums = kernel::tile(start, terms, |j| {
            Some((left.map(|left| &left[j]), right.map(|right| right[j])))
        });
        let length = self.0.output.len() / columns;
        for (b, sums) in sums.iter().enumerate() {
            for (c, sum) in sums.iter().enumerate() {
                let at = (column + c) * length + (block + b) * LANES;
                self.0.output[at..at + LANES].copy_from_slice(sum);
            }
        }
    }
}

struct Scale<'a, T> {
    columns: &'a mut [T],
    slope: &'a [T],
}

impl<T: Float> NullaryFnOnce for Scale<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for column in self.columns.chunks_exact_mut(self.slope.len()) {
            for (number, &slope) in column.iter_mut().zip(self.slope) {
                *number = slope * *number;
            }
        }
    }
}

struct Activate<'a, T> {
    activation: Activation,
    z: &'a mut [T],
    slope: Option<&'a mut [T]>,
}

impl<T: Float> NullaryFnOnce for Activate<'_, T>
where
    fnn_core::Identity: Function<T>,
{
    type Output = ();

    #[inline(always)]
    fn call(self) {
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
            GeluTanh,
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
            for z in z {
                *z = function.value(*z);
            }
        }
        Some(slope) => {
            for (z, slope) in z.iter_mut().zip(slope) {
                (*z, *slope) = function.value_and_slope(*z);
            }
        }
    }
}
