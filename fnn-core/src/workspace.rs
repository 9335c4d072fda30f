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
/// evaluations has no meaning. It lies in memory as an array of its numbers does.
#[derive(Debug, Clone)]
#[repr(transparent)]
pub struct Workspace<T, const LEN: usize> {
    numbers: [T; LEN],
}

/// What a test says where a panel, the tape or the spare memory is shorter than the sizes of a layer
/// say. The constant assertions of `Network` keep that from being, so it is a mistake in this crate;
/// firmware, which has no debug assertions, does without the numbers that are missing.
pub(crate) const TOO_SHORT: &str = "the scratch memory is too short for a layer";

/// Where a layer would do nothing, since its numbers are not there: see [`TOO_SHORT`].
#[inline(always)]
#[track_caller]
pub(crate) fn too_short() {
    debug_assert!(false, "{TOO_SHORT}");
}

impl<T: Scalar, const LEN: usize> Workspace<T, LEN> {
    /// A workspace of zeros. Never panics.
    #[inline]
    pub const fn new() -> Self {
        Self {
            numbers: [T::ZERO; LEN],
        }
    }

    /// Two panels of this length each with so much spare memory, a tape, and room for the tangents
    /// that are kept.
    #[inline(always)]
    pub(crate) fn parts(
        &mut self,
        panel: usize,
        spare: usize,
        tape: usize,
    ) -> (Panels<'_, T>, Stack<'_, T>, &mut [T]) {
        // It is long enough, by the constant assertions of `Network`; where it were not, a part
        // would be empty, and the evaluation would return zeros rather than panic.
        fn cut<T>(numbers: &mut [T], at: usize) -> (&mut [T], &mut [T]) {
            debug_assert!(at <= numbers.len(), "{TOO_SHORT}");
            numbers.split_at_mut_checked(at).unwrap_or_default()
        }
        let (front, rest) = cut(&mut self.numbers, panel);
        let (back, rest) = cut(rest, panel);
        let (spare, rest) = cut(rest, spare);
        let (tape, kept) = cut(rest, tape);
        let spare = Stack::new(spare);
        (Panels { front, back, spare }, Stack::new(tape), kept)
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
    /// What layers other than dense ones set aside.
    pub(crate) spare: Stack<'w, T>,
}

impl<T> Panels<'_, T> {
    /// Make what was written what is read next.
    #[inline(always)]
    pub(crate) fn turn(&mut self) {
        mem::swap(&mut self.front, &mut self.back);
    }
}

/// Numbers of which the last written are read first: the tape with the slopes of the layers whose
/// cotangents are still to come, and what a layer sets aside while others run.
#[derive(Debug)]
pub struct Stack<'w, T> {
    numbers: &'w mut [T],
    used: usize,
}

impl<'w, T> Stack<'w, T> {
    #[inline(always)]
    fn new(numbers: &'w mut [T]) -> Self {
        Self { numbers, used: 0 }
    }

    /// Room for so many numbers.
    #[inline(always)]
    pub(crate) fn push(&mut self, count: usize) -> Option<&mut [T]> {
        debug_assert!(count <= self.numbers.len() - self.used, "{TOO_SHORT}");
        let room = self.numbers.get_mut(self.used..)?.get_mut(..count);
        self.used += count;
        room
    }

    /// The last numbers that are still there, so many of them.
    #[inline(always)]
    pub(crate) fn pop(&mut self, count: usize) -> Option<&mut [T]> {
        debug_assert!(count <= self.used, "{TOO_SHORT}");
        self.used = self.used.checked_sub(count)?;
        self.numbers.get_mut(self.used..)?.get_mut(..count)
    }

    /// The last numbers, so many of them, which stay there.
    #[inline(always)]
    pub(crate) fn last(&self, count: usize) -> Option<&[T]> {
        debug_assert!(count <= self.used, "{TOO_SHORT}");
        let start = self.used.checked_sub(count)?;
        self.numbers.get(start..)?.get(..count)
    }

    /// As [`push`](Self::push), an array.
    #[inline(always)]
    pub(crate) fn push_array<const COUNT: usize>(&mut self) -> Option<&mut [T; COUNT]> {
        self.push(COUNT)?.first_chunk_mut()
    }

    /// As [`pop`](Self::pop), an array.
    #[inline(always)]
    pub(crate) fn pop_array<const COUNT: usize>(&mut self) -> Option<&mut [T; COUNT]> {
        self.pop(COUNT)?.first_chunk_mut()
    }
}
