//! A way past layers.

use super::{Layer, copy};
use crate::{
    chain::Accepts,
    scalar::Scalar,
    shape::{Shape, Step},
    workspace::{Panels, Stack, TOO_SHORT},
};

/// Layers and a way past them, y = x + g(x) (He et al. 2016): `Residual::new(g)`, where g has as
/// many outputs as inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Residual<G> {
    inside: G,
}

impl<G: Layer<Output = <G as Layer>::Input>> Residual<G> {
    /// A way past `inside`: a layer, a [`chain!`](crate::chain!) or an array.
    pub const fn new(inside: G) -> Self {
        Self { inside }
    }

    /// The layers g.
    pub const fn inside(&self) -> &G {
        &self.inside
    }
}

impl<Size, G: Accepts<Size>> Accepts<Size> for Residual<G> {}

/// Adds to the first numbers of a panel those that were set aside.
#[inline(always)]
fn add<T: Scalar>(numbers: &mut [T], aside: Option<&mut [T]>) {
    for (y, &mut x) in numbers.iter_mut().zip(aside.unwrap_or_default()) {
        *y = x + *y;
    }
}

/// Sets the first numbers of a panel aside.
#[inline(always)]
fn set_aside<T: Scalar>(panels: &mut Panels<'_, T>, count: usize) {
    debug_assert!(count <= panels.front.len(), "{TOO_SHORT}");
    if let Some(aside) = panels.spare.push(count) {
        copy(panels.front, aside);
    }
}

impl<G: Layer<Output = <G as Layer>::Input>> Layer for Residual<G> {
    type Scalar = G::Scalar;
    type Input = G::Input;
    type Output = G::Output;

    const SHAPE: Shape<'static> = Shape::Step(Step::residual(&G::SHAPE));

    #[inline(always)]
    fn values(&self, panels: &mut Panels<'_, G::Scalar>) {
        let size = const { G::SHAPE.inputs() };
        set_aside(panels, size);
        self.inside.values(panels);
        add(panels.front, panels.spare.pop(size));
    }

    #[inline(always)]
    fn tangents<const COLS: usize>(&self, cut: usize, panels: &mut Panels<'_, G::Scalar>) {
        if cut == 0 {
            return;
        }
        let count = (1 + COLS) * const { G::SHAPE.inputs() };
        set_aside(panels, count);
        self.inside.tangents::<COLS>(usize::MAX, panels);
        add(panels.front, panels.spare.pop(count));
    }

    #[inline(always)]
    fn slopes(
        &self,
        cut: usize,
        panels: &mut Panels<'_, G::Scalar>,
        tape: &mut Stack<'_, G::Scalar>,
    ) {
        if cut > 0 {
            return;
        }
        let size = const { G::SHAPE.inputs() };
        set_aside(panels, size);
        self.inside.slopes(0, panels, tape);
        add(panels.front, panels.spare.pop(size));
    }

    #[inline(always)]
    fn cotangents<const ROWS: usize>(
        &self,
        cut: usize,
        panels: &mut Panels<'_, G::Scalar>,
        tape: &mut Stack<'_, G::Scalar>,
    ) {
        if cut > 0 {
            return;
        }
        let count = ROWS * const { G::SHAPE.inputs() };
        set_aside(panels, count);
        self.inside.cotangents::<ROWS>(0, panels, tape);
        add(panels.front, panels.spare.pop(count));
    }
}
