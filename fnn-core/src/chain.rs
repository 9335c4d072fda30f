//! Layers one after the other.

use crate::{
    layer::{Layer, sealed},
    scalar::Scalar,
    workspace::Panels,
};

/// A layer and all that follows it. Written with [`chain!`](crate::chain!) as a value and
/// [`Chain!`](crate::Chain!) as a type; `[L; DEPTH]` is a chain of `DEPTH` layers of one type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chain<First, Rest> {
    first: First,
    rest: Rest,
}

impl<First: Layer, Rest: Accepts<First::Output>> Chain<First, Rest> {
    /// `first`, then `rest`, which must take as many inputs as `first` has outputs.
    pub const fn new(first: First, rest: Rest) -> Self {
        Self { first, rest }
    }
}

/// Implemented by a layer for the one size of input that it takes, so that the compiler can say
/// which layer does not fit.
#[diagnostic::on_unimplemented(
    message = "the layer `{Self}` does not fit: the layer before it has `{Size}` outputs",
    label = "this layer takes another number of inputs",
    note = "in `Dense<T, IN, OUT, A>`, IN must be the OUT of the layer before"
)]
pub trait Accepts<Size>: sealed::Sealed {}

impl<Size, First: Accepts<Size>, Rest> Accepts<Size> for Chain<First, Rest> {}
impl<Size, L: Accepts<Size>, const DEPTH: usize> Accepts<Size> for [L; DEPTH] {}

impl<First, Rest> sealed::Sealed for Chain<First, Rest> {}
impl<L, const DEPTH: usize> sealed::Sealed for [L; DEPTH] {}

impl<T, First, Rest> Layer for Chain<First, Rest>
where
    T: Scalar,
    First: Layer<Scalar = T>,
    Rest: Layer<Scalar = T, Input = First::Output>,
{
    type Scalar = T;
    type Input = First::Input;
    type Output = Rest::Output;

    const WIDEST: usize = if First::WIDEST > Rest::WIDEST {
        First::WIDEST
    } else {
        Rest::WIDEST
    };
    const DEPTH: usize = First::DEPTH + Rest::DEPTH;
    const PARAMETERS: usize = First::PARAMETERS + Rest::PARAMETERS;
    const MULTIPLY_ADDS: usize = First::MULTIPLY_ADDS + Rest::MULTIPLY_ADDS;
    const FIRST_MULTIPLY_ADDS: usize = First::FIRST_MULTIPLY_ADDS;

    #[inline]
    fn value(&self, panels: &mut Panels<'_, T>) {
        self.first.value(panels);
        self.rest.value(panels);
    }

    #[inline]
    fn first_tangents<const COLS: usize>(&self, panels: &mut Panels<'_, T>) {
        self.first.first_tangents::<COLS>(panels);
        self.rest.tangents::<COLS>(panels);
    }

    #[inline]
    fn tangents<const COLS: usize>(&self, panels: &mut Panels<'_, T>) {
        self.first.tangents::<COLS>(panels);
        self.rest.tangents::<COLS>(panels);
    }
}

impl<L: Layer<Input = <L as Layer>::Output>, const DEPTH: usize> Layer for [L; DEPTH] {
    type Scalar = L::Scalar;
    type Input = L::Input;
    type Output = L::Output;

    const WIDEST: usize = L::WIDEST;
    const DEPTH: usize = {
        assert!(DEPTH > 0, "an array of layers holds at least one");
        DEPTH * L::DEPTH
    };
    const PARAMETERS: usize = DEPTH * L::PARAMETERS;
    const MULTIPLY_ADDS: usize = DEPTH * L::MULTIPLY_ADDS;
    const FIRST_MULTIPLY_ADDS: usize = L::FIRST_MULTIPLY_ADDS;

    #[inline]
    fn value(&self, panels: &mut Panels<'_, L::Scalar>) {
        for layer in self {
            layer.value(panels);
        }
    }

    #[inline]
    fn first_tangents<const COLS: usize>(&self, panels: &mut Panels<'_, L::Scalar>) {
        if let Some((first, rest)) = self.split_first() {
            first.first_tangents::<COLS>(panels);
            for layer in rest {
                layer.tangents::<COLS>(panels);
            }
        }
    }

    #[inline]
    fn tangents<const COLS: usize>(&self, panels: &mut Panels<'_, L::Scalar>) {
        for layer in self {
            layer.tangents::<COLS>(panels);
        }
    }
}

/// The value of a chain: `chain![a, b, c]` is `Chain::new(a, Chain::new(b, c))`.
#[macro_export]
macro_rules! chain {
    ($last:expr $(,)?) => { $last };
    ($first:expr, $($rest:expr),+ $(,)?) => {
        $crate::Chain::new($first, $crate::chain![$($rest),+])
    };
}

/// The type of a chain: `Chain![A, B, C]` is `Chain<A, Chain<B, C>>`.
#[macro_export]
macro_rules! Chain {
    ($last:ty $(,)?) => { $last };
    ($first:ty, $($rest:ty),+ $(,)?) => {
        $crate::Chain<$first, $crate::Chain![$($rest),+]>
    };
}
