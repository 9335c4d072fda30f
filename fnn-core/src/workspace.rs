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
#[derive(Debug, Clone)]
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

    /// Two panels of this length each, a tape, and room for the tangents that are kept.
    #[inline(always)]
    pub(crate) fn parts(
        &mut self,
        panel: usize,
        tape: usize,
    ) -> (Panels<'_, T>, Tape<'_, T>, &mut [T]) {
        // It is long enough, by the constant assertions of `Network`; where it were not, a part
        // would be empty, and the evaluation would return zeros rather than panic.
        fn cut<T>(numbers: &mut [T], at: usize) -> (&mut [T], &mut [T]) {
            numbers.split_at_mut_checked(at).unwrap_or_default()
        }
        let (front, rest) = cut(&mut self.numbers, panel);
        let (back, rest) = cut(rest, panel);
        let (tape, kept) = cut(rest, tape);
        let tape = Tape {
            numbers: tape,
            used: 0,
        };
        (Panels { front, back }, tape, kept)
    }
}

impl<T: Scalar, const LEN: usize> Default for Workspace<T, LEN> {
    fn default() -> Self {
        Self::new()
    }
}

/// Two panels: a layer reads `front`, writes `back` and turns them over.
///
/// Forward, a panel of a layer with `n` neurons holds columns of `n` numbers: first the value, then
/// the tangents ∂/∂x₀, ∂/∂x₁ … In reverse it holds for each of the `n` neurons the derivatives of
/// all outputs by it.
#[derive(Debug)]
pub struct Panels<'w, T> {
    pub(crate) front: &'w mut [T],
    pub(crate) back: &'w mut [T],
}

impl<T> Panels<'_, T> {
    /// Make what was written what is read next.
    #[inline(always)]
    pub(crate) fn turn(&mut self) {
        mem::swap(&mut self.front, &mut self.back);
    }
}

/// The slopes of layers whose cotangents are still to come: the last written are read first.
#[derive(Debug)]
pub struct Tape<'w, T> {
    numbers: &'w mut [T],
    used: usize,
}

impl<T> Tape<'_, T> {
    /// Room for the slopes of the next layer.
    #[inline(always)]
    pub(crate) fn push<const OUT: usize>(&mut self) -> Option<&mut [T; OUT]> {
        let room = self.numbers.get_mut(self.used..)?.first_chunk_mut();
        self.used += OUT;
        room
    }

    /// The slopes of the last layer that are still there.
    #[inline(always)]
    pub(crate) fn pop<const OUT: usize>(&mut self) -> Option<&[T; OUT]> {
        self.used = self.used.checked_sub(OUT)?;
        self.numbers.get(self.used..)?.first_chunk()
    }
}
