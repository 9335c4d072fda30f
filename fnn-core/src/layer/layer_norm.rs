//! Layer normalisation.

use nalgebra::Const;

use super::Map;
use crate::{scalar::Scalar, workspace::too_short};

/// Layer normalisation, yᵢ = sᵢ nᵢ + tᵢ with nᵢ = (xᵢ − m) / √(v + ε), the mean m of the entries and
/// their variance v = Σₖ (xₖ − m)² / `SIZE` (Ba, Kiros and Hinton 2016).
///
/// ∂nᵢ/∂xₖ = (δᵢₖ − 1/`SIZE` − nᵢ nₖ/`SIZE`) / √(v + ε).
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm<T, const SIZE: usize> {
    scale: [T; SIZE],
    shift: [T; SIZE],
    epsilon: T,
}

impl<T: Scalar, const SIZE: usize> LayerNorm<T, SIZE> {
    /// From what each normalised entry is multiplied with, what is added then, and the ε that is
    /// added to the variance.
    pub const fn new(scale: [T; SIZE], shift: [T; SIZE], epsilon: T) -> Self {
        Self {
            scale,
            shift,
            epsilon,
        }
    }

    /// What each normalised entry is multiplied with.
    pub const fn scale(&self) -> &[T; SIZE] {
        &self.scale
    }

    /// What is added to each product.
    pub const fn shift(&self) -> &[T; SIZE] {
        &self.shift
    }

    /// What is added to the variance.
    pub const fn epsilon(&self) -> T {
        self.epsilon
    }
}

impl<T: Scalar, const SIZE: usize> Map for LayerNorm<T, SIZE> {
    type Scalar = T;
    type Input = Const<SIZE>;
    type Output = Const<SIZE>;

    const POINT: usize = SIZE + 1;
    const PARAMETERS: usize = 2 * SIZE;

    #[inline(always)]
    fn value(&self, x: &[T], y: &mut [T]) {
        normalise(x, self.epsilon, y);
        scale_and_shift(y, &self.scale, &self.shift);
    }

    #[inline(always)]
    fn linearise(&self, x: &[T], y: &mut [T], point: &mut [T]) {
        if let Some((factor, normalised)) = point.split_first_mut() {
            *factor = normalise(x, self.epsilon, normalised);
            super::copy(normalised, y);
        } else {
            too_short();
        }
        scale_and_shift(y, &self.scale, &self.shift);
    }

    #[inline(always)]
    fn tangent(&self, point: &[T], dx: &[T], dy: &mut [T]) {
        normalise_product(point, dx, dy);
        for (dy, &scale) in dy.iter_mut().zip(&self.scale) {
            *dy = scale * *dy;
        }
    }

    #[inline(always)]
    fn cotangent(&self, point: &[T], dy: &[T], dx: &mut [T]) {
        for ((dx, &dy), &scale) in dx.iter_mut().zip(dy).zip(&self.scale) {
            *dx = scale * dy;
        }
        normalise_in_place(point, dx);
    }
}

/// Writes the normalised entries of `x`, and returns 1/√(v + ε).
#[inline(always)]
pub fn normalise<T: Scalar>(x: &[T], epsilon: T, normalised: &mut [T]) -> T {
    let count = T::constant(x.len() as f64);
    let mut sum = T::ZERO;
    for &x in x {
        sum = sum + x;
    }
    let mean = sum / count;
    let mut squares = T::ZERO;
    for (n, &x) in normalised.iter_mut().zip(x) {
        *n = x - mean;
        squares = squares + *n * *n;
    }
    let factor = T::ONE / (squares / count + epsilon).sqrt();
    for n in normalised {
        *n = *n * factor;
    }
    factor
}

/// yᵢ = sᵢ yᵢ + tᵢ.
#[inline(always)]
pub fn scale_and_shift<T: Scalar>(y: &mut [T], scale: &[T], shift: &[T]) {
    for ((y, &scale), &shift) in y.iter_mut().zip(scale).zip(shift) {
        *y = scale * *y + shift;
    }
}

/// Writes the product of the derivative of the normalised entries with `v`. The point is the factor
/// that [`normalise`] returns, then the normalised entries.
#[inline(always)]
pub fn normalise_product<T: Scalar>(point: &[T], v: &[T], product: &mut [T]) {
    super::copy(v, product);
    normalise_in_place(point, product);
}

/// The same in place. The derivative is symmetric.
#[inline(always)]
pub fn normalise_in_place<T: Scalar>(point: &[T], v: &mut [T]) {
    let Some((&factor, normalised)) = point.split_first() else {
        return too_short();
    };
    let count = T::constant(normalised.len() as f64);
    let (mut sum, mut along) = (T::ZERO, T::ZERO);
    for (&n, &v) in normalised.iter().zip(&*v) {
        sum = sum + v;
        along = along + n * v;
    }
    let (mean, along) = (sum / count, along / count);
    for (v, &n) in v.iter_mut().zip(normalised) {
        *v = factor * ((*v - mean) - n * along);
    }
}
