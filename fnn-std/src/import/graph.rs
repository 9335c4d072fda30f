//! A graph of layers as a composition of the layers of a model.
//!
//! The values between layers are nodes. A node that joins others, by adding them up or putting them
//! one after the other, begins to branch at its immediate dominator: the last node that every way to
//! it passes (Lengauer and Tarjan 1979 name it so; nodes come in an order in which a plain search of
//! the common ancestor finds it). From there each branch is a chain of its own.

use std::rc::Rc;

use crate::{
    activation::Activation,
    error::{Error, Result},
    model::{Concat, Dense, Layer, Residual, Select, Tensor},
};

/// Nodes that are made one after the other, each from earlier ones.
pub(super) struct Graph {
    nodes: Vec<Node>,
    edges: usize,
}

/// A node of a [`Graph`], by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(usize);

struct Node {
    made: Made,
    size: usize,
    /// The immediate dominator, and how many there are in a row.
    dominator: usize,
    depth: usize,
}

enum Made {
    /// All inputs of the model, one after the other.
    Input,
    /// These layers behind the node that dominates this one.
    Chain(Rc<Vec<Layer>>),
    Sum(String, Vec<usize>),
    Concat(Vec<usize>),
}

/// What a composition may take.
struct Budget {
    /// Layers and their numbers: one that two branches share is there twice.
    numbers: usize,
    notes: Vec<String>,
}

/// Nodes and what they are made from at most.
const MOST_NODES: usize = 4096;
const MOST_EDGES: usize = 4 * MOST_NODES;

/// Joins within joins at most.
const DEEPEST: usize = 32;

/// Numbers of a composition at most, and how often those of the file on top.
const FREE: usize = 1 << 21;
const RATIO: usize = 4;

impl Graph {
    /// A graph of a model with so many inputs, and the node of all of them.
    pub(super) fn new(inputs: usize) -> (Self, Id) {
        let input = Node {
            made: Made::Input,
            size: inputs,
            dominator: 0,
            depth: 0,
        };
        let nodes = vec![input];
        (Self { nodes, edges: 0 }, Id(0))
    }

    /// How many entries a node has.
    pub(super) fn size(&self, node: Id) -> usize {
        self.nodes[node.0].size
    }

    /// The node after these layers, which fit each other.
    ///
    /// # Errors
    /// Layers that take another number of inputs than `node` has entries; too large a graph.
    pub(super) fn chain(&mut self, node: Id, layers: Rc<Vec<Layer>>) -> Result<Id> {
        let (Some(first), Some(last)) = (layers.first(), layers.last()) else {
            return Ok(node);
        };
        if first.inputs() != self.size(node) {
            return Err(Error::refused(format!(
                "the layer of `{}` takes {} inputs, but what comes before it has {} outputs",
                first.name(),
                first.inputs(),
                self.size(node)
            )));
        }
        let size = last.outputs();
        self.push(Made::Chain(layers), size, &[node.0])
    }

    /// The sum of these nodes, called `name` in messages.
    ///
    /// # Errors
    /// No terms, or terms of different sizes; too large a graph.
    pub(super) fn sum(&mut self, name: &str, terms: &[Id]) -> Result<Id> {
        let sizes: Vec<_> = terms.iter().map(|&term| self.size(term)).collect();
        let Some(&size) = sizes.first().filter(|&s| sizes.iter().all(|t| t == s)) else {
            return Err(Error::refused(format!(
                "the sum `{name}` has terms of {sizes:?} entries, wanted as many in each"
            )));
        };
        let terms: Vec<_> = terms.iter().map(|term| term.0).collect();
        self.push(Made::Sum(name.to_owned(), terms.clone()), size, &terms)
    }

    /// These nodes one after the other.
    ///
    /// # Errors
    /// Too large a graph.
    pub(super) fn concat(&mut self, parts: &[Id]) -> Result<Id> {
        if let [part] = parts {
            return Ok(*part);
        }
        let size = parts.iter().map(|&part| self.size(part)).sum();
        let parts: Vec<_> = parts.iter().map(|part| part.0).collect();
        self.push(Made::Concat(parts.clone()), size, &parts)
    }

    fn push(&mut self, made: Made, size: usize, from: &[usize]) -> Result<Id> {
        self.edges += from.len();
        if self.nodes.len() >= MOST_NODES || self.edges > MOST_EDGES {
            return Err(Error::refused(format!(
                "the graph has more than {MOST_NODES} nodes or {MOST_EDGES} edges"
            )));
        }
        let mut dominator = from.first().copied().unwrap_or(0);
        for &other in from {
            dominator = self.common(dominator, other);
        }
        self.nodes.push(Node {
            made,
            size,
            dominator,
            depth: self.nodes[dominator].depth + 1,
        });
        Ok(Id(self.nodes.len() - 1))
    }

    /// The last node that dominates both.
    fn common(&self, mut a: usize, mut b: usize) -> usize {
        while a != b {
            let (deep_a, deep_b) = (self.nodes[a].depth, self.nodes[b].depth);
            if deep_a >= deep_b {
                a = self.nodes[a].dominator;
            }
            if deep_b >= deep_a {
                b = self.nodes[b].dominator;
            }
        }
        a
    }

    /// The layers that compute `output` from all inputs, and what was rewritten, a sentence each;
    /// `numbers` says how many numbers the file holds.
    ///
    /// # Errors
    /// A graph that would become much larger when written as a composition.
    pub(super) fn compose(&self, output: Id, numbers: usize) -> Result<(Vec<Layer>, Vec<String>)> {
        let mut budget = Budget {
            numbers: FREE.saturating_add(RATIO.saturating_mul(numbers)),
            notes: Vec::new(),
        };
        let layers = self.between(0, output.0, DEEPEST, &mut budget)?;
        // Nothing between input and output: the model hands its inputs on.
        let layers = if layers.is_empty() {
            vec![self.all(0)?]
        } else {
            layers
        };
        Ok((layers, budget.notes))
    }

    /// The layers that lead from `from`, which dominates `to`, to `to`.
    fn between(
        &self,
        from: usize,
        to: usize,
        deepest: usize,
        budget: &mut Budget,
    ) -> Result<Vec<Layer>> {
        let Some(deepest) = deepest.checked_sub(1) else {
            return Err(Error::refused(format!(
                "the graph has more than {DEEPEST} branches within branches"
            )));
        };
        let mut pieces = Vec::new();
        let mut at = to;
        while at != from {
            let node = &self.nodes[at];
            let piece = match &node.made {
                Made::Input => break,
                Made::Chain(layers) => {
                    let layers: &[Layer] = layers;
                    let numbers = layers.iter().map(|layer| 1 + layer.numbers().len());
                    budget.take(numbers.sum())?;
                    layers.to_vec()
                }
                Made::Concat(parts) => {
                    let branches = self.branches(node.dominator, parts, deepest, budget)?;
                    vec![Concat::new(branches)?.into()]
                }
                Made::Sum(name, terms) => self.added(name, node, terms, deepest, budget)?,
            };
            pieces.push(piece);
            at = node.dominator;
        }
        pieces.reverse();
        Ok(fused(pieces.concat()))
    }

    /// A chain from `from` to each of `ends`.
    fn branches(
        &self,
        from: usize,
        ends: &[usize],
        deepest: usize,
        budget: &mut Budget,
    ) -> Result<Vec<Vec<Layer>>> {
        let branch = |&end: &usize| {
            let layers = self.between(from, end, deepest, budget)?;
            if layers.is_empty() {
                budget.take(1)?;
                return Ok(vec![self.all(end)?]);
            }
            Ok(layers)
        };
        ends.iter().map(branch).collect()
    }

    /// The layers of a sum: one past the others if there is one, the rest beside each other and
    /// added up by ones.
    fn added(
        &self,
        name: &str,
        node: &Node,
        terms: &[usize],
        deepest: usize,
        budget: &mut Budget,
    ) -> Result<Vec<Layer>> {
        let mut others: Vec<_> = terms.to_vec();
        let past = terms.iter().position(|&term| term == node.dominator);
        if let (Some(past), true) = (past, terms.len() > 1) {
            others.remove(past);
        }
        let mut branches = self.branches(node.dominator, &others, deepest, budget)?;
        let inside = if branches.len() == 1 {
            branches.remove(0)
        } else {
            let n = node.size;
            budget.take(n.saturating_mul(n).saturating_mul(branches.len()))?;
            budget.notes.push(format!(
                "the sum `{name}` became a dense layer of ones behind its terms"
            ));
            let columns = n * branches.len();
            let ones = (0..n * columns).map(|at| f64::from(at % columns % n == at / columns));
            let weight = Tensor {
                name: name.to_owned(),
                shape: vec![n, columns],
                numbers: ones.collect(),
            };
            vec![
                Concat::new(branches)?.into(),
                Dense::new(weight, None, Activation::Identity)?.into(),
            ]
        };
        if past.is_some() && terms.len() > 1 {
            return Ok(vec![Residual::new(inside)?.into()]);
        }
        Ok(inside)
    }

    /// A layer that hands all entries of a node on.
    fn all(&self, node: usize) -> Result<Layer> {
        let size = self.nodes[node].size;
        Ok(Select::new("identity", size, 0..size)?.into())
    }
}

impl Budget {
    fn take(&mut self, numbers: usize) -> Result<()> {
        match self.numbers.checked_sub(numbers) {
            Some(left) => {
                self.numbers = left;
                Ok(())
            }
            None => Err(Error::refused(
                "the graph becomes too large when it is written as layers within layers: many \
                 branches share their beginnings",
            )),
        }
    }
}

/// The same layers, an activation that stands alone taken into the layer before it if that has
/// none.
fn fused(layers: Vec<Layer>) -> Vec<Layer> {
    let mut fused: Vec<Layer> = Vec::with_capacity(layers.len());
    for layer in layers {
        let activation = match &layer {
            Layer::Affine(affine) => affine.as_activation(),
            _ => None,
        };
        let taken = match (activation, fused.last_mut()) {
            (Some(activation), Some(Layer::Dense(dense))) => dense.activate(activation),
            (Some(activation), Some(Layer::Affine(affine))) => affine.activate(activation),
            _ => false,
        };
        if !taken {
            fused.push(layer);
        }
    }
    fused
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Model, Precision},
        reference,
    };

    /// A layer with weights that differ.
    fn dense(name: &str, inputs: usize, outputs: usize, seed: usize) -> Layer {
        let weight = Tensor {
            name: name.to_owned(),
            shape: vec![outputs, inputs],
            numbers: (0..inputs * outputs)
                .map(|i| ((7 * i + 3 * seed) % 11) as f64 / 8.0 - 0.6)
                .collect(),
        };
        let dense = Dense::new(weight, None, Activation::Tanh);
        dense.unwrap().into()
    }

    fn value(layers: Vec<Layer>, x: &[f64]) -> Vec<f64> {
        let model = Model::new(layers, Precision::F64).unwrap();
        reference::evaluate(&model, x).unwrap().value
    }

    fn kinds(layers: &[Layer]) -> Vec<&'static str> {
        layers.iter().map(Layer::kind).collect()
    }

    #[test]
    fn a_way_past_is_a_residual_layer() {
        let (mut graph, x) = Graph::new(2);
        let a = graph.chain(x, Rc::new(vec![dense("a", 2, 3, 0)])).unwrap();
        let b = graph.chain(a, Rc::new(vec![dense("b", 3, 3, 1)])).unwrap();
        let sum = graph.sum("s", &[b, a]).unwrap();
        let (layers, notes) = graph.compose(sum, 0).unwrap();
        assert_eq!(kinds(&layers), ["dense", "residual"]);
        assert!(notes.is_empty());
        // The input and what is computed from it directly are values too.
        let (layers, _) = graph.compose(x, 0).unwrap();
        assert_eq!(kinds(&layers), ["select"]);
        let twice = graph.sum("t", &[a, a]).unwrap();
        let (layers, _) = graph.compose(twice, 0).unwrap();
        let once = value(vec![dense("a", 2, 3, 0)], &[0.5, -1.0]);
        let expected: Vec<_> = once.iter().map(|y| 2.0 * y).collect();
        assert_eq!(value(layers, &[0.5, -1.0]), expected);
    }

    #[test]
    fn activations_that_stand_alone_go_into_the_layer_before() {
        let (mut graph, x) = Graph::new(2);
        let linear =
            crate::model::Affine::new("l", vec![2.0; 2], vec![1.0; 2], Activation::Identity);
        let tanh = crate::model::Affine::activation_only("t", 2, Activation::Tanh).unwrap();
        let layers = vec![linear.unwrap().into(), tanh.clone().into(), tanh.into()];
        let y = graph.chain(x, Rc::new(layers)).unwrap();
        let (layers, _) = graph.compose(y, 0).unwrap();
        assert_eq!(kinds(&layers), ["affine", "affine"]);
        let expected = |x: f64| (2.0 * x + 1.0).tanh().tanh();
        assert_eq!(
            value(layers, &[0.25, -1.0]),
            [expected(0.25), expected(-1.0)]
        );
    }

    /// Graphs of all shapes: each node computed from the values of those it is made from, against
    /// the composition.
    #[test]
    fn compositions_compute_what_the_graph_says() {
        let mut state = 9u64;
        let mut below = |n: usize| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) as usize % n
        };
        let x = [0.3, -0.8, 1.2];
        let mut composed = 0;
        for _ in 0..300 {
            let (mut graph, input) = Graph::new(3);
            let mut nodes = vec![(input, x.to_vec())];
            for step in 0..10 {
                // Lately made nodes are taken more often, so that the graph is deep.
                let latest = nodes.len().min(4);
                let mut pick = || nodes[nodes.len() - 1 - below(latest)].clone();
                let (a, b, c) = (pick(), pick(), pick());
                let made = match below(3) {
                    0 if a.1.len() == b.1.len() && b.1.len() == c.1.len() => {
                        let node = graph.sum("sum", &[a.0, b.0, c.0]).unwrap();
                        let sums = a.1.iter().zip(&b.1).zip(&c.1).map(|((a, b), c)| a + b + c);
                        (node, sums.collect())
                    }
                    1 if a.1.len() + b.1.len() < 9 => {
                        let node = graph.concat(&[a.0, b.0]).unwrap();
                        (node, [a.1, b.1].concat())
                    }
                    _ => {
                        let layer = dense("d", a.1.len(), 3, step);
                        let value = value(vec![layer.clone()], &a.1);
                        (graph.chain(a.0, Rc::new(vec![layer])).unwrap(), value)
                    }
                };
                nodes.push(made);
            }
            let (node, expected) = nodes.pop().unwrap();
            let (layers, _) = graph.compose(node, 0).unwrap();
            composed += layers.len();
            for (found, expected) in value(layers, &x).iter().zip(&expected) {
                // Tanh is below 1, ten sums of three below 3¹⁰, and thirty additions in another order
                // are 30 u of that apart.
                let bound = 30.0 * f64::EPSILON / 2.0 * 3f64.powi(10);
                assert!((found - expected).abs() <= bound, "{found}, not {expected}");
            }
        }
        assert!(composed > 600, "{composed} layers");
    }
}
