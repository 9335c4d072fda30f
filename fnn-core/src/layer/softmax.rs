//! Softmax.

use core::marker::PhantomData;

use nalgebra::Const;

use super::{Map, copy};
use crate::scalar::Scalar;

/// The softmax of `SIZE` entries, yᵢ = exp(xᵢ − m) / Σₖ exp(xₖ − m) with the largest entry m.
///
/// ∂yᵢ/∂xₖ = yᵢ (δᵢₖ − yₖ). An infinite largest entry gives NaN, as in PyTorch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Softmax<T, const SIZE: usize> {
    scalar: PhantomData<T>,
}

impl<T: Scalar, const SIZE: usize> Softmax<T, SIZE> {
    /// The softmax of as many entries as the type says.
    pub const fn new() -> Self {
        Self {
            scalar: PhantomData,
        }
    }
}

impl<T: Scalar, const SIZE: usize> Map for Softmax<T, SIZE> {
    type Scalar = T;
    type Input = Const<SIZE>;
    type Output = Const<SIZE>;

    const POINT: usize = SIZE;

    #[inline(always)]
    fn value(&self, x: &[T], y: &mut [T]) {
        softmax(x, y);
    }

    #[inline(always)]
    fn linearise(&self, x: &[T], y: &mut [T], point: &mut [T]) {
        softmax(x, y);
        copy(y, point);
    }

    #[inline(always)]
    fn tangent(&self, point: &[T], dx: &[T], dy: &mut [T]) {
        softmax_product(point, dx, dy);
    }

    /// The derivative is symmetric.
    #[inline(always)]
    fn cotangent(&self, point: &[T], dy: &[T], dx: &mut [T]) {
        softmax_product(point, dy, dx);
    }
}

/// Writes the softmax of `x` to `y`.
#[inline(always)]
pub fn softmax<T: Scalar>(x: &[T], y: &mut [T]) {
    let mut largest = T::ZERO;
    for (k, &x) in x.iter().enumerate() {
        // A NaN, which is not below anything, stays out of here and in its own entry's exponential.
        if k == 0 || largest < x {
            largest = x;
        }
    }
    let mut sum = T::ZERO;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = T::exp((x - largest).at_least(T::EXP_LOW)).value();
        sum = sum + *y;
    }
    for y in y {
        *y = *y / sum;
    }
}

/// Writes the product of the derivative, where the softmax is `y`, with `v`: pᵢ = yᵢ (vᵢ − Σₖ yₖ vₖ).
#[inline(always)]
pub fn softmax_product<T: Scalar>(y: &[T], v: &[T], product: &mut [T]) {
    let mut mean = T::ZERO;
    for (&y, &v) in y.iter().zip(v) {
        mean = mean + y * v;
    }
    for ((p, &y), &v) in product.iter_mut().zip(y).zip(v) {
        *p = y * (v - mean);
    }
}
