//! Layers one after the other.

use crate::{
    layer::Layer,
    scalar::Scalar,
    shape::Shape,
    workspace::{Panels, Stack},
};

/// A layer and all that follows it. Written with [`chain!`](crate::chain!) as a value and
/// [`Chain!`](crate::Chain!) as a type; `[L; DEPTH]` is a chain of `DEPTH` layers of one type.
#[derive(Debug, Clone, PartialEq)]
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

impl<First, Rest> Chain<First, Rest> {
    /// The layer that comes first.
    pub const fn first(&self) -> &First {
        &self.first
    }

    /// All that follows it.
    pub const fn rest(&self) -> &Rest {
        &self.rest
    }
}

/// Implemented by a layer for the one size of input that it takes, so that the compiler can say
/// which layer does not fit.
#[diagnostic::on_unimplemented(
    message = "the layer `{Self}` does not fit: the layer before it has `{Size}` outputs",
    label = "this layer takes another number of inputs",
    note = "in `Dense<T, IN, OUT, A>`, IN must be the OUT of the layer before"
)]
pub trait Accepts<Size> {}

impl<Size, First: Accepts<Size>, Rest> Accepts<Size> for Chain<First, Rest> {}
impl<Size, L: Accepts<Size>, const DEPTH: usize> Accepts<Size> for [L; DEPTH] {}

impl<T, First, Rest> Layer for Chain<First, Rest>
where
    T: Scalar,
    First: Layer<Scalar = T>,
    Rest: Layer<Scalar = T, Input = First::Output>,
{
    type Scalar = T;
    type Input = First::Input;
    type Output = Rest::Output;

    const SHAPE: Shape<'static> = Shape::Chain {
        first: &First::SHAPE,
        rest: &Rest::SHAPE,
    };

    #[inline(always)]
    fn values(&self, panels: &mut Panels<'_, T>) {
        self.first.values(panels);
        self.rest.values(panels);
    }

    #[inline(always)]
    fn first_tangents<const COLS: usize>(
        &self,
        first: usize,
        cut: usize,
        panels: &mut Panels<'_, T>,
    ) {
        self.first.first_tangents::<COLS>(first, cut, panels);
        self.rest
            .tangents::<COLS>(cut.saturating_sub(const { First::SHAPE.depth() }), panels);
    }

    #[inline(always)]
    fn tangents<const COLS: usize>(&self, cut: usize, panels: &mut Panels<'_, T>) {
        self.first.tangents::<COLS>(cut, panels);
        self.rest
            .tangents::<COLS>(cut.saturating_sub(const { First::SHAPE.depth() }), panels);
    }

    #[inline(always)]
    fn slopes(&self, cut: usize, panels: &mut Panels<'_, T>, tape: &mut Stack<'_, T>) {
        self.first.slopes(cut, panels, tape);
        self.rest.slopes(
            cut.saturating_sub(const { First::SHAPE.depth() }),
            panels,
            tape,
        );
    }

    #[inline(always)]
    fn last_cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, T>,
        tape: &mut Stack<'_, T>,
    ) {
        let later = cut.saturating_sub(const { First::SHAPE.depth() });
        self.rest.last_cotangents::<ROWS>(later, panels, tape);
        self.first.cotangents::<ROWS>(cut, panels, tape);
    }

    #[inline(always)]
    fn cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, T>,
        tape: &mut Stack<'_, T>,
    ) {
        let later = cut.saturating_sub(const { First::SHAPE.depth() });
        self.rest.cotangents::<ROWS>(later, panels, tape);
        self.first.cotangents::<ROWS>(cut, panels, tape);
    }

    #[inline(always)]
    fn first_cotangents<const ROWS: usize, const COLS: usize>(
        &self,
        first: usize,
        panels: &mut Panels<'_, T>,
        tape: &mut Stack<'_, T>,
    ) {
        self.first
            .first_cotangents::<ROWS, COLS>(first, panels, tape);
    }

    #[inline(always)]
    fn join<const ROWS: usize, const COLS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, T>,
        kept: &[T],
    ) {
        let depth = const { First::SHAPE.depth() };
        if cut <= depth {
            self.first.join::<ROWS, COLS>(cut, panels, kept);
        } else {
            self.rest.join::<ROWS, COLS>(cut - depth, panels, kept);
        }
    }
}

impl<L: Layer<Input = <L as Layer>::Output>, const DEPTH: usize> Layer for [L; DEPTH] {
    type Scalar = L::Scalar;
    type Input = L::Input;
    type Output = L::Output;

    const SHAPE: Shape<'static> = {
        assert!(DEPTH > 0, "an array of layers holds at least one");
        Shape::Array {
            layer: &L::SHAPE,
            depth: DEPTH,
        }
    };

    #[inline(always)]
    fn values(&self, panels: &mut Panels<'_, L::Scalar>) {
        for layer in self {
            layer.values(panels);
        }
    }

    #[inline(always)]
    fn first_tangents<const COLS: usize>(
        &self,
        first: usize,
        cut: usize,
        panels: &mut Panels<'_, L::Scalar>,
    ) {
        if let Some((head, rest)) = self.split_first() {
            head.first_tangents::<COLS>(first, cut, panels);
            let each = const { L::SHAPE.depth() };
            for (k, layer) in rest.iter().enumerate() {
                layer.tangents::<COLS>(cut.saturating_sub((k + 1) * each), panels);
            }
        }
    }

    #[inline(always)]
    fn tangents<const COLS: usize>(&self, cut: usize, panels: &mut Panels<'_, L::Scalar>) {
        let each = const { L::SHAPE.depth() };
        for (k, layer) in self.iter().enumerate() {
            layer.tangents::<COLS>(cut.saturating_sub(k * each), panels);
        }
    }

    #[inline(always)]
    fn slopes(
        &self,
        cut: usize,
        panels: &mut Panels<'_, L::Scalar>,
        tape: &mut Stack<'_, L::Scalar>,
    ) {
        let each = const { L::SHAPE.depth() };
        for (k, layer) in self.iter().enumerate() {
            layer.slopes(cut.saturating_sub(k * each), panels, tape);
        }
    }

    #[inline(always)]
    fn last_cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, L::Scalar>,
        tape: &mut Stack<'_, L::Scalar>,
    ) {
        if let Some((last, rest)) = self.split_last() {
            let each = const { L::SHAPE.depth() };
            let later = cut.saturating_sub(rest.len() * each);
            last.last_cotangents::<ROWS>(later, panels, tape);
            for (k, layer) in rest.iter().enumerate().rev() {
                layer.cotangents::<ROWS>(cut.saturating_sub(k * each), panels, tape);
            }
        }
    }

    #[inline(always)]
    fn cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, L::Scalar>,
        tape: &mut Stack<'_, L::Scalar>,
    ) {
        let each = const { L::SHAPE.depth() };
        for (k, layer) in self.iter().enumerate().rev() {
            layer.cotangents::<ROWS>(cut.saturating_sub(k * each), panels, tape);
        }
    }

    #[inline(always)]
    fn first_cotangents<const ROWS: usize, const COLS: usize>(
        &self,
        first: usize,
        panels: &mut Panels<'_, L::Scalar>,
        tape: &mut Stack<'_, L::Scalar>,
    ) {
        if let Some(head) = self.first() {
            head.first_cotangents::<ROWS, COLS>(first, panels, tape);
        }
    }

    #[inline(always)]
    fn join<const ROWS: usize, const COLS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, L::Scalar>,
        kept: &[L::Scalar],
    ) {
        // Layers of one type: any of them knows the sizes at a cut.
        let each = const { L::SHAPE.depth() };
        if let Some(layer) = self.first() {
            layer.join::<ROWS, COLS>((cut - 1) % each + 1, panels, kept);
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
