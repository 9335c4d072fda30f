//! The sizes of a network, and what an evaluation of it costs.

/// The sizes of layers one after the other, and the costs that follow from them.
///
/// A multiply-add is the product of a weight (or of what is accumulated from weights) with a number,
/// added to a sum. The scaling of a row or column by a slope is not counted: it is one
/// multiplication where the product before it has as many as the layer has inputs.
#[derive(Debug, Clone, Copy)]
pub enum Shape<'s> {
    /// Inputs, then the neurons of each layer.
    Sizes(&'s [usize]),
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

impl Shape<'_> {
    /// Dense layers.
    pub const fn depth(&self) -> usize {
        match self {
            Self::Sizes(sizes) => sizes.len().saturating_sub(1),
            Self::Chain { first, rest } => first.depth() + rest.depth(),
            Self::Array { layer, depth } => layer.depth() * *depth,
        }
    }

    /// Neurons of the layer with this number, counted from 1; 0 stands for the inputs. Zero beyond
    /// the last layer. Never panics.
    pub const fn size(&self, layer: usize) -> usize {
        match self {
            Self::Sizes(sizes) => {
                if layer < sizes.len() {
                    sizes[layer]
                } else {
                    0
                }
            }
            Self::Chain { first, rest } => {
                let depth = first.depth();
                if layer <= depth {
                    first.size(layer)
                } else {
                    rest.size(layer - depth)
                }
            }
            Self::Array { layer: one, depth } => {
                let each = one.depth();
                if each == 0 || layer > each * *depth {
                    0
                } else if layer == 0 {
                    one.size(0)
                } else {
                    one.size((layer - 1) % each + 1)
                }
            }
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

    /// Weights and biases.
    pub const fn parameters(&self) -> usize {
        let mut sum = self.multiply_adds(0, self.depth());
        let mut k = 1;
        while k <= self.depth() {
            sum += self.size(k);
            k += 1;
        }
        sum
    }

    /// Neurons of the widest of the layers from `first` to `last`.
    const fn widest(&self, first: usize, last: usize) -> usize {
        let (mut widest, mut k) = (0, first);
        while k <= last {
            if self.size(k) > widest {
                widest = self.size(k);
            }
            k += 1;
        }
        widest
    }

    /// Weights of the layers after `after`, up to `last`: multiply-adds of one column.
    const fn multiply_adds(&self, after: usize, last: usize) -> usize {
        let (mut sum, mut k) = (0, after + 1);
        while k <= last {
            sum += self.size(k - 1) * self.size(k);
            k += 1;
        }
        sum
    }

    /// Multiply-adds of the value; of one Jacobian-vector or vector-Jacobian product too.
    pub const fn value_multiply_adds(&self) -> usize {
        self.multiply_adds(0, self.depth())
    }

    /// Multiply-adds of `columns` columns of the Jacobian beside the value, where forward
    /// accumulation ends and reverse accumulation begins after the layer `cut`: 0 is reverse
    /// accumulation alone, the depth forward accumulation alone.
    ///
    /// Forward, the first layer costs nothing, since its tangents are its weights, and each other
    /// one its weights times `columns`. In reverse the last layer costs nothing, since its
    /// cotangents are its weights, and each other one its weights times the outputs, the first one
    /// of all only those weights that belong to the columns. Where both meet, one product joins
    /// them.
    pub const fn jacobian_multiply_adds(&self, cut: usize, columns: usize) -> usize {
        let (depth, outputs) = (self.depth(), self.outputs());
        if cut >= depth || depth <= 1 {
            return columns * self.multiply_adds(1, depth);
        }
        let start = if cut == 0 { 1 } else { cut };
        let meet = outputs * self.size(start) * columns;
        columns * self.multiply_adds(1, start)
            + outputs * self.multiply_adds(start, depth - 1)
            + meet
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
        let forward = (1 + columns) * self.widest(1, cut);
        let value = self.widest(0, depth);
        let reverse = if cut >= depth {
            0
        } else {
            outputs * max(self.widest(max(cut, 1), depth - 1), columns)
        };
        max(max(forward, value), reverse)
    }

    /// Numbers on the tape of an evaluation with this cut: a slope for each neuron after it.
    pub(crate) const fn tape(&self, cut: usize) -> usize {
        let (mut sum, mut k) = (0, cut + 1);
        while k <= self.depth() {
            sum += self.size(k);
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

    /// Numbers of scratch memory of an evaluation with this cut: two panels, the slopes of the
    /// layers after it, and the tangents kept at it.
    pub const fn workspace(&self, cut: usize, columns: usize) -> usize {
        2 * self.panel(cut, columns) + self.tape(cut) + self.kept(cut, columns)
    }

    /// Numbers of scratch memory of the value alone: two columns as long as the inputs or the widest
    /// layer.
    pub const fn value_workspace(&self) -> usize {
        2 * self.widest(0, self.depth())
    }

    /// Numbers of scratch memory of a Jacobian-vector product: value and tangent in two panels.
    pub const fn jvp_workspace(&self) -> usize {
        2 * self.value_workspace()
    }

    /// Numbers of scratch memory of a vector-Jacobian product: two columns, and a slope for each
    /// neuron.
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

    #[test]
    fn a_tree_has_the_sizes_of_its_list() {
        let first = Shape::Sizes(&[4, 7]);
        let pair = Shape::Sizes(&[7, 5, 7]);
        let array = Shape::Array {
            layer: &pair,
            depth: 3,
        };
        let last = Shape::Sizes(&[7, 2]);
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
        assert_eq!(tree.parameters(), Shape::Sizes(&list).parameters());
    }

    /// Counts as they are written by hand, for a network with a bottleneck.
    #[test]
    fn a_cut_joins_at_the_bottleneck() {
        let shape = Shape::Sizes(&[64, 64, 8, 64, 64]);
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
                        let shape = Shape::Sizes(&list);
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
