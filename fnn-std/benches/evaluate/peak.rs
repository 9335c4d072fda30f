//! The peak of the machine: how many products and sums it computes when nothing is loaded, stored
//! or waited for.

use std::{array, hint::black_box};

use pulp::{Arch, Simd, WithSimd};

use crate::contender::{Contender, Here, Outcome};

/// Products and as many sums that are under way at once. Each waits for the last of its own only:
/// six are enough for two units with a latency of three cycles, and with as many sums they fit into
/// sixteen registers.
const CHAINS: usize = 6;

/// Steps of each chain.
const STEPS: usize = 1000;

/// A number format as `pulp` names it.
pub(crate) trait Peak: Sized {
    /// `STEPS` multiplications and additions of `CHAINS` vectors, and what they gave; the number of
    /// lanes.
    fn run(factor: Self, term: Self) -> (Self, usize);
}

macro_rules! peak {
    ($T:ty, $splat:ident, $mul:ident, $add:ident, $sum:ident, $lanes:ident) => {
        impl Peak for $T {
            fn run(factor: Self, term: Self) -> (Self, usize) {
                struct Chains($T, $T);

                impl WithSimd for Chains {
                    type Output = ($T, usize);

                    #[inline(always)]
                    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
                        let (factor, term) = (simd.$splat(self.0), simd.$splat(self.1));
                        let mut products = [factor; CHAINS];
                        let mut sums = [term; CHAINS];
                        for _ in 0..STEPS {
                            // A product and a sum of different chains: no compiler contracts them.
                            products = array::from_fn(|i| simd.$mul(products[i], factor));
                            sums = array::from_fn(|i| simd.$add(sums[i], term));
                        }
                        let all = products
                            .into_iter()
                            .chain(sums)
                            .fold(term, |a, b| simd.$add(a, b));
                        (simd.$sum(all), S::$lanes)
                    }
                }
                Arch::new().dispatch(Chains(factor, term))
            }
        }
    };
}

peak!(
    f32,
    splat_f32s,
    mul_f32s,
    add_f32s,
    reduce_sum_f32s,
    F32_LANES
);
peak!(
    f64,
    splat_f64s,
    mul_f64s,
    add_f64s,
    reduce_sum_f64s,
    F64_LANES
);

/// Multiply-adds of one call.
pub(crate) fn multiply_adds<T: Peak + From<u8>>() -> usize {
    STEPS * CHAINS * T::run(T::from(1), T::from(0)).1
}

/// The peak as a contender, which takes turns with the others.
pub(crate) fn contender<T: Peak + From<u8> + 'static>() -> Box<dyn Contender<T>> {
    Box::new(Here {
        name: "peak".to_owned(),
        result: T::from(0),
        evaluate: |_: &[T], result: &mut T| {
            // A product by one and a sum with zero take the time of any others.
            *result = T::run(black_box(T::from(1)), black_box(T::from(0))).0;
        },
        read: |_: &T| Outcome {
            value: Vec::new(),
            jacobian: None,
        },
    })
}
