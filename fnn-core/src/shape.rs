//! The sizes of a network, and what an evaluation of it costs.

/// The sizes of layers one after the other, and the costs that follow from them.
///
/// A multiply-add is the product of a weight (or of what is accumulated from weights) with a number,
/// added to a sum. What is done once for each entry is not counted, the scaling of a row or column
/// by a slope first of all: it is one multiplication where the product before it has as many as the
/// layer has inputs.
#[derive(Debug, Clone, Copy)]
pub enum Shape<'s> {
    /// A single layer.
    Step(Step),
    /// Layers one after the other.
    Steps(&'s [Step]),
    /// A shape and one that follows it.
    Chain {
        /// What comes first.
        first: &'s Shape<'s>,
        /// What follows.
        rest: &'s Shape<'s>,
    },
    /// One shape several times.
    Array {
        /// The shape.
        layer: &'s Shape<'s>,
        /// How many times.
        depth: usize,
    },
}

/// A layer as its costs are counted. A composite layer is one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    inputs: usize,
    outputs: usize,
    parameters: usize,
    /// Of a value, a tangent or a cotangent.
    multiply_adds: usize,
    /// Its derivative is its weights, so that unit vectors need not be multiplied by it.
    is_dense: bool,
    /// Entries of the widest column that goes through it.
    widest: usize,
    /// Numbers that it leaves on the tape.
    tape: usize,
    /// Numbers of spare memory for each column that goes through it, and whatever their number.
    spare_each: usize,
    spare: usize,
}

impl Step {
    /// Nothing.
    const NONE: Self = Self {
        inputs: 0,
        outputs: 0,
        parameters: 0,
        multiply_adds: 0,
        is_dense: false,
        widest: 0,
        tape: 0,
        spare_each: 0,
        spare: 0,
    };

    /// A dense layer.
    pub const fn dense(inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            parameters: (inputs + 1) * outputs,
            multiply_adds: inputs * outputs,
            is_dense: true,
            widest: max(inputs, outputs),
            tape: outputs,
            ..Self::NONE
        }
    }

    /// An entry-by-entry layer of so many entries.
    pub const fn affine(size: usize) -> Self {
        Self {
            inputs: size,
            outputs: size,
            parameters: 2 * size,
            widest: size,
            tape: size,
            spare: size,
            ..Self::NONE
        }
    }

    /// A selection of `outputs` out of `inputs` entries.
    pub const fn select(inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            widest: max(inputs, outputs),
            ..Self::NONE
        }
    }

    /// A [`Map`](crate::Map) that keeps `point` numbers of the point of evaluation.
    pub const fn map(
        inputs: usize,
        outputs: usize,
        point: usize,
        parameters: usize,
        multiply_adds: usize,
    ) -> Self {
        Self {
            inputs,
            outputs,
            parameters,
            multiply_adds,
            widest: max(inputs, outputs),
            tape: point,
            spare: max(point, inputs + outputs),
            ..Self::NONE
        }
    }

    /// A way past layers of this shape.
    pub const fn residual(inside: &Shape<'_>) -> Self {
        let sum = Self::of(inside);
        Self {
            spare_each: inside.inputs() + sum.spare_each,
            ..sum
        }
    }

    /// Two branches of these shapes on the same input.
    pub const fn concat(first: &Shape<'_>, second: &Shape<'_>) -> Self {
        let (a, b) = (Self::of(first), Self::of(second));
        Self {
            inputs: a.inputs,
            outputs: a.outputs + b.outputs,
            parameters: a.parameters + b.parameters,
            multiply_adds: a.multiply_adds + b.multiply_adds,
            is_dense: false,
            widest: max(max(a.widest, b.widest), a.outputs + b.outputs),
            tape: a.tape + b.tape,
            spare_each: a.inputs + a.outputs + max(a.spare_each, b.spare_each),
            spare: max(a.spare, b.spare),
        }
    }

    /// All layers of a shape as one.
    const fn of(shape: &Shape<'_>) -> Self {
        let mut sum = Self {
            inputs: shape.inputs(),
            outputs: shape.outputs(),
            ..Self::NONE
        };
        let mut k = 1;
        while k <= shape.depth() {
            let step = shape.step(k);
            sum.parameters += step.parameters;
            sum.multiply_adds += step.multiply_adds;
            sum.tape += step.tape;
            sum.widest = max(sum.widest, step.widest);
            sum.spare_each = max(sum.spare_each, step.spare_each);
            sum.spare = max(sum.spare, step.spare);
            k += 1;
        }
        sum
    }
}

impl Shape<'_> {
    /// Layers; a composite one counts as one.
    pub const fn depth(&self) -> usize {
        match self {
            Self::Step(_) => 1,
            Self::Steps(steps) => steps.len(),
            Self::Chain { first, rest } => first.depth() + rest.depth(),
            Self::Array { layer, depth } => layer.depth() * *depth,
        }
    }

    /// The layer with this number, counted from 1.
    const fn step(&self, number: usize) -> Step {
        match self {
            Self::Step(step) if number == 1 => *step,
            Self::Steps(steps) if number >= 1 && number <= steps.len() => steps[number - 1],
            Self::Chain { first, rest } => {
                let depth = first.depth();
                if number <= depth {
                    first.step(number)
                } else {
                    rest.step(number - depth)
                }
            }
            Self::Array { layer, depth } => {
                let each = layer.depth();
                if each == 0 || number == 0 || number > each * *depth {
                    Step::NONE
                } else {
                    layer.step((number - 1) % each + 1)
                }
            }
            _ => Step::NONE,
        }
    }

    /// Outputs of the layer with this number, counted from 1; 0 stands for the inputs. Zero beyond
    /// the last layer. Never panics.
    pub const fn size(&self, layer: usize) -> usize {
        if layer == 0 {
            self.step(1).inputs
        } else {
            self.step(layer).outputs
        }
    }

    /// Inputs.
    pub const fn inputs(&self) -> usize {
        self.size(0)
    }

    /// Outputs.
    pub const fn outputs(&self) -> usize {
        self.size(self.depth())
    }

    /// Weights and biases, and what other layers hold in their place.
    pub const fn parameters(&self) -> usize {
        Step::of(self).parameters
    }

    /// Outputs of the widest of the layers from `first` to `last`.
    const fn widest(&self, first: usize, last: usize) -> usize {
        let (mut widest, mut k) = (0, first);
        while k <= last {
            widest = max(widest, self.size(k));
            k += 1;
        }
        widest
    }

    /// Entries of the widest column that goes through one of the layers after `after`, up to
    /// `last`, that are not dense.
    const fn widest_inside(&self, after: usize, last: usize) -> usize {
        let (mut widest, mut k) = (0, after + 1);
        while k <= last {
            let step = self.step(k);
            if !step.is_dense {
                widest = max(widest, step.widest);
            }
            k += 1;
        }
        widest
    }

    /// Multiply-adds of one column through the layers after `after`, up to `last`.
    const fn multiply_adds(&self, after: usize, last: usize) -> usize {
        let (mut sum, mut k) = (0, after + 1);
        while k <= last {
            sum += self.step(k).multiply_adds;
            k += 1;
        }
        sum
    }

    /// Multiply-adds of the value; of one Jacobian-vector or vector-Jacobian product too.
    pub const fn value_multiply_adds(&self) -> usize {
        self.multiply_adds(0, self.depth())
    }

    /// Whether there is a choice between orders: none for a single dense layer, whose Jacobian is
    /// its weights scaled by the slopes.
    pub const fn has_orders(&self) -> bool {
        self.depth() > 1 || !self.step(1).is_dense
    }

    /// Multiply-adds of `columns` columns of the Jacobian beside the value, where forward
    /// accumulation ends and reverse accumulation begins after the layer `cut`: 0 is reverse
    /// accumulation alone, the depth forward accumulation alone.
    ///
    /// Forward, each layer costs its weights times `columns`, but a dense one that comes first
    /// nothing, since its tangents are its weights. In reverse each layer costs its weights times
    /// the outputs, but a dense one that comes last nothing, and a dense one that comes first only
    /// those weights that belong to the columns. Where both meet, one product joins them.
    pub const fn jacobian_multiply_adds(&self, cut: usize, columns: usize) -> usize {
        let (depth, outputs) = (self.depth(), self.outputs());
        let (first, last) = (self.step(1), self.step(depth));
        let skip_first = if first.is_dense {
            first.multiply_adds
        } else {
            0
        };
        if cut >= depth || !self.has_orders() {
            return columns * (self.multiply_adds(0, depth) - skip_first);
        }
        let skip_last = if last.is_dense { last.multiply_adds } else { 0 };
        if cut == 0 {
            let restricted = if first.is_dense {
                first.outputs * columns
            } else {
                first.multiply_adds
            };
            let after = self.multiply_adds(1, depth);
            let after = if depth > 1 { after - skip_last } else { after };
            return outputs * (after + restricted);
        }
        columns * (self.multiply_adds(0, cut) - skip_first)
            + outputs * (self.multiply_adds(cut, depth) - skip_last)
            + outputs * self.size(cut) * columns
    }

    /// The cut with the fewest multiply-adds for `columns` columns of the Jacobian. Of equals,
    /// forward accumulation alone comes first, then reverse alone, then the earlier cut.
    pub const fn best_cut(&self, columns: usize) -> usize {
        let depth = self.depth();
        let mut best = depth;
        let mut k = 0;
        while k < depth {
            let fewer = self.jacobian_multiply_adds(k, columns);
            if fewer < self.jacobian_multiply_adds(best, columns) {
                best = k;
            }
            k += 1;
        }
        best
    }

    /// Numbers in each of the two panels that an evaluation with this cut works in.
    ///
    /// Forward they hold value and tangents, 1 + `columns` columns as long as a layer, then the
    /// value alone, then the cotangents, a row for each output, and last the Jacobian.
    pub(crate) const fn panel(&self, cut: usize, columns: usize) -> usize {
        let (depth, outputs) = (self.depth(), self.outputs());
        let forward = (1 + columns) * max(self.widest(1, cut), self.widest_inside(0, cut));
        let reverse = if cut >= depth {
            0
        } else {
            let between = max(self.widest(max(cut, 1), depth - 1), columns);
            outputs * max(between, self.widest_inside(cut, depth))
        };
        max(max(forward, self.value_panel()), reverse)
    }

    /// Numbers in each of the two panels that the value takes.
    pub(crate) const fn value_panel(&self) -> usize {
        let depth = self.depth();
        max(self.widest(0, depth), self.widest_inside(0, depth))
    }

    /// Numbers on the tape of an evaluation with this cut: a slope for each neuron after it, and
    /// what layers that are not dense keep.
    pub(crate) const fn tape(&self, cut: usize) -> usize {
        let (mut sum, mut k) = (0, cut + 1);
        while k <= self.depth() {
            sum += self.step(k).tape;
            k += 1;
        }
        sum
    }

    /// Numbers of the tangents that are kept until the cotangents meet them.
    pub(crate) const fn kept(&self, cut: usize, columns: usize) -> usize {
        if cut == 0 || cut >= self.depth() {
            0
        } else {
            columns * self.size(cut)
        }
    }

    /// Numbers that layers other than dense ones set aside while so many columns go through them.
    pub(crate) const fn spare_of(&self, columns: usize) -> usize {
        let all = Step::of(self);
        columns * all.spare_each + all.spare
    }

    /// Numbers that an evaluation with this cut sets aside in layers other than dense ones.
    pub(crate) const fn spare(&self, cut: usize, columns: usize) -> usize {
        let forward = if cut > 0 { 1 + columns } else { 1 };
        let reverse = if cut < self.depth() {
            self.outputs()
        } else {
            0
        };
        self.spare_of(max(forward, reverse))
    }

    /// Numbers of scratch memory of an evaluation with this cut: two panels, the slopes of the
    /// layers after it, the tangents kept at it, and what layers other than dense ones set aside.
    pub const fn workspace(&self, cut: usize, columns: usize) -> usize {
        2 * self.panel(cut, columns)
            + self.tape(cut)
            + self.kept(cut, columns)
            + self.spare(cut, columns)
    }

    /// Numbers of scratch memory of the value alone: two columns as long as the inputs or the widest
    /// layer, and what layers other than dense ones set aside.
    pub const fn value_workspace(&self) -> usize {
        2 * self.value_panel() + self.spare_of(1)
    }

    /// Numbers of scratch memory of a Jacobian-vector product: value and tangent in two panels, and
    /// what layers other than dense ones set aside.
    pub const fn jvp_workspace(&self) -> usize {
        4 * self.value_panel() + self.spare_of(2)
    }

    /// Numbers of scratch memory of a vector-Jacobian product: that of the value, and the tape with
    /// a slope for each neuron.
    pub const fn vjp_workspace(&self) -> usize {
        self.value_workspace() + self.tape(0)
    }
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dense(sizes: &[usize]) -> [Step; 8] {
        let mut steps = [Step::NONE; 8];
        for (step, pair) in steps.iter_mut().zip(sizes.windows(2)) {
            *step = Step::dense(pair[0], pair[1]);
        }
        steps
    }

    /// The shape of dense layers of these sizes.
    macro_rules! sizes {
        ($name:ident, $list:expr) => {
            let steps = dense(&$list);
            let $name = Shape::Steps(&steps[..$list.len() - 1]);
        };
    }

    #[test]
    fn a_tree_has_the_sizes_of_its_list() {
        let first = Shape::Step(Step::dense(4, 7));
        sizes!(pair, [7, 5, 7]);
        let array = Shape::Array {
            layer: &pair,
            depth: 3,
        };
        let last = Shape::Step(Step::dense(7, 2));
        let rest = Shape::Chain {
            first: &array,
            rest: &last,
        };
        let tree = Shape::Chain {
            first: &first,
            rest: &rest,
        };
        let list = [4, 7, 5, 7, 5, 7, 5, 7, 2];
        assert_eq!(tree.depth(), list.len() - 1);
        for (k, &size) in list.iter().enumerate() {
            assert_eq!(tree.size(k), size);
        }
        assert_eq!(tree.size(list.len()), 0);
        sizes!(flat, list);
        assert_eq!(tree.parameters(), flat.parameters());
    }

    /// Counts as they are written by hand, for a network with a bottleneck.
    #[test]
    fn a_cut_joins_at_the_bottleneck() {
        sizes!(shape, [64, 64, 8, 64, 64]);
        let (wide, narrow) = (64 * 64, 64 * 8);
        assert_eq!(shape.value_multiply_adds(), 2 * wide + 2 * narrow);
        // Forward: 64 columns through the last three layers; in reverse 64 rows through the first.
        assert_eq!(
            shape.jacobian_multiply_adds(4, 64),
            64 * (wide + 2 * narrow)
        );
        assert_eq!(
            shape.jacobian_multiply_adds(0, 64),
            64 * (wide + 2 * narrow)
        );
        // 64 columns to the bottleneck, 64 rows back to it, and their product.
        let best = 64 * narrow + 64 * narrow + 64 * 8 * 64;
        assert_eq!(shape.best_cut(64), 2);
        assert_eq!(shape.jacobian_multiply_adds(2, 64), best);
        assert_eq!(shape.workspace(2, 64), 2 * 65 * 64 + (64 + 64) + 64 * 8);
    }

    #[test]
    fn the_cheapest_cut_is_none_dearer_than_any() {
        let sizes = [1, 2, 3, 8, 64];
        for a in sizes {
            for b in sizes {
                for c in sizes {
                    for d in sizes {
                        let list = [a, b, c, d];
                        sizes!(shape, list);
                        for columns in 1..=a {
                            let best = shape.best_cut(columns);
                            let count = shape.jacobian_multiply_adds(best, columns);
                            for cut in 0..=shape.depth() {
                                assert!(count <= shape.jacobian_multiply_adds(cut, columns));
                            }
                        }
                    }
                }
            }
        }
    }
}
