//! The scratch memory of an evaluation.

use core::mem;

use crate::scalar::Scalar;

/// Scratch memory for the evaluation of a network: `LEN` numbers, placed by the caller on the
/// stack or in a `static`.
///
/// `LEN` comes from the network's type,
/// [`Network::WORKSPACE`](crate::Network::WORKSPACE) or
/// [`Network::VALUE_WORKSPACE`](crate::Network::VALUE_WORKSPACE); a smaller one does not compile,
/// a larger one is allowed, so networks that take turns can share it. What it holds between
/// evaluations has no meaning.
#[derive(Debug, Clone, Copy)]
pub struct Workspace<T, const LEN: usize> {
    numbers: [T; LEN],
}

impl<T: Scalar, const LEN: usize> Workspace<T, LEN> {
    /// A workspace of zeros. Never panics.
    #[inline]
    pub const fn new() -> Self {
        Self {
            numbers: [T::ZERO; LEN],
        }
    }

    /// Its two halves as a pair of panels.
    #[inline]
    pub(crate) fn panels(&mut self) -> Panels<'_, T> {
        let (front, back) = self.numbers.split_at_mut(LEN / 2);
        Panels { front, back }
    }
}

impl<T: Scalar, const LEN: usize> Default for Workspace<T, LEN> {
    fn default() -> Self {
        Self::new()
    }
}

/// Two panels: a layer reads `front`, writes `back` and turns them over.
///
/// A panel of a layer with `n` neurons holds columns of `n` numbers: first the value, then the
/// tangents ∂/∂x₀, ∂/∂x₁ …
#[derive(Debug)]
pub struct Panels<'w, T> {
    pub(crate) front: &'w mut [T],
    pub(crate) back: &'w mut [T],
}

impl<T> Panels<'_, T> {
    /// Make what was written what is read next.
    #[inline]
    pub(crate) fn turn(&mut self) {
        mem::swap(&mut self.front, &mut self.back);
    }
}
