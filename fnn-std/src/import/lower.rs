//! From the steps of a graph to the layers of a model.
//!
//! Layers run one after the other, so a step that joins several vectors becomes a layer on the last
//! vector that all ways to it lead through: a residual layer where this vector itself is added, a
//! concatenation otherwise. What is rounded or rewritten on the way is noted.

use std::{collections::BTreeSet, rc::Rc};

use super::expression::{Expressions, Id, Step};
use crate::{
    activation::Activation,
    error::{Error, Result},
    model::{
        Affine, Concat, Dense, Layer, LayerNorm, Precision, Residual, Select, Softmax, Tensor,
    },
};

/// The layers that make the vector `output` of the inputs, and what is to be said of them.
///
/// # Errors
/// A step that no layer computes; a graph that becomes far larger
/// as layers within layers.
pub(super) fn layers(
    all: &Expressions,
    output: Id,
    precision: Precision,
) -> Result<(Vec<Layer>, Vec<String>)> {
    let mut lowering = Lowering {
        all,
        dominators: dominators(all)?,
        precision,
        notes: BTreeSet::new(),
        pieces: 0,
    };
    let mut pieces = lowering.chain(output, Expressions::INPUT, 0)?;
    if pieces.is_empty() {
        pieces.push(identity(all.size(output)));
    }
    let layers = lowering.finished(pieces)?;
    let mut notes: Vec<_> = lowering.notes.into_iter().map(|(_, note)| note).collect();
    // One layer of Keras may be several steps.
    notes.dedup();
    Ok((layers, notes))
}

/// A layer while later steps may still become part of it.
#[derive(Debug, Clone)]
enum Piece {
    Dense {
        name: Rc<str>,
        weight: Rc<[f64]>,
        inputs: usize,
        bias: Option<Vec<f64>>,
        activation: Option<Activation>,
    },
    Affine {
        name: Rc<str>,
        scale: Vec<f64>,
        shift: Vec<f64>,
        activation: Option<Activation>,
    },
    Normalised {
        name: Rc<str>,
        scale: Vec<f64>,
        shift: Vec<f64>,
        epsilon: f64,
    },
    Softmax(Rc<str>, usize),
    Select(Rc<str>, usize, std::ops::Range<usize>),
    Residual(Vec<Piece>),
    Concat(Vec<Vec<Piece>>),
}

/// A chain of layers that changes nothing.
fn identity(size: usize) -> Piece {
    Piece::Select("identity".into(), size, 0..size)
}

/// For each vector the last one before it that all ways from the inputs to it lead through.
fn dominators(all: &Expressions) -> Result<Vec<Id>> {
    let mut found: Vec<Id> = Vec::new();
    for vector in all.vectors() {
        let mut nearest = None;
        for from in sources(&vector.step) {
            nearest = Some(match nearest {
                None => from,
                Some(other) => meeting(all, &found, other, from)?,
            });
        }
        found.push(nearest.unwrap_or(Expressions::INPUT));
    }
    Ok(found)
}

/// Where the ways back from two vectors meet.
fn meeting(all: &Expressions, dominators: &[Id], mut a: Id, mut b: Id) -> Result<Id> {
    // Dominators have smaller numbers, so the larger one goes back.
    while a != b {
        all.budget.spend(1)?;
        if a > b {
            a = dominators[a];
        } else {
            b = dominators[b];
        }
    }
    Ok(a)
}

fn sources(step: &Step) -> Vec<Id> {
    match step {
        Step::Input => Vec::new(),
        Step::Pick(x, _)
        | Step::Product(x, ..)
        | Step::Affine(x, ..)
        | Step::Activation(x, _)
        | Step::Clip(x, ..)
        | Step::Normalised(x, _)
        | Step::Softmax(x)
        | Step::Mean(x)
        | Step::Centred(x)
        | Step::Polynomial(x, _)
        | Step::Exp(x)
        | Step::Log(x)
        | Step::Sqrt(x)
        | Step::Erf(x)
        | Step::Abs(x)
        | Step::Reciprocal(x)
        | Step::Above(x, _) => vec![*x],
        Step::Sum(a, b) | Step::Multiplied(a, b) => vec![*a, *b],
        Step::Concat(parts) => parts.to_vec(),
    }
}

/// Layers and layers inside layers at most.
const MOST_PIECES: usize = 10_000;

/// Layers inside each other at most.
const DEEPEST: usize = 64;

/// Ranges that a selection is made of before it becomes a matrix of zeros and ones.
const MOST_RANGES: usize = 8;

struct Lowering<'a> {
    all: &'a Expressions,
    dominators: Vec<Id>,
    precision: Precision,
    /// In the order of the graph.
    notes: BTreeSet<(Id, String)>,
    pieces: usize,
}

impl Lowering<'_> {
    /// The layers that make the vector `to` of the vector `from`, which all ways to it lead through.
    fn chain(&mut self, to: Id, from: Id, depth: usize) -> Result<Vec<Piece>> {
        if depth > DEEPEST {
            return Err(Error::refused(format!(
                "the graph branches more than {DEEPEST} levels deep, at {}",
                self.all.vectors()[to].place.operator
            )));
        }
        let mut steps = vec![];
        let mut at = to;
        while at != from {
            steps.push(at);
            at = self.dominators[at];
        }
        let mut pieces = Vec::new();
        for at in steps.into_iter().rev() {
            self.all.budget.spend(self.all.size(at))?;
            self.append(&mut pieces, at, depth)?;
            self.pieces += 1;
            if self.pieces > MOST_PIECES {
                return Err(Error::refused(format!(
                    "the graph branches so that it would take more than {MOST_PIECES} layers"
                )));
            }
        }
        Ok(pieces)
    }

    fn note(&mut self, at: Id, note: impl Into<String>) {
        self.notes.insert((at, note.into()));
    }

    /// Adds the step that makes vector `at` of its dominator.
    fn append(&mut self, pieces: &mut Vec<Piece>, at: Id, depth: usize) -> Result<()> {
        let all = self.all;
        let vector = &all.vectors()[at];
        let (name, operator) = (&vector.place.name, &vector.place.operator);
        if let Some(note) = &vector.place.note {
            self.note(at, &**note);
        }
        let wanted = |what: &str| {
            Error::refused(format!("{operator}: {what}, which no layer computes")).with_help(
                "activations and normalisations are known where they are written out in parts, \
                     whatever else is computed from the inputs has to stay outside of the model",
            )
        };
        match &vector.step {
            Step::Input => {}
            Step::Pick(x, places) => self.pick(pieces, at, all.size(*x), places)?,
            Step::Product(x, weight, tensor) => {
                // Once for each branch that has it.
                self.all.budget.take(weight.len())?;
                pieces.push(Piece::Dense {
                    name: if tensor.is_empty() { name } else { tensor }.clone(),
                    weight: weight.clone(),
                    inputs: all.size(*x),
                    bias: None,
                    activation: None,
                });
            }
            Step::Affine(_, scale, shift) => {
                let all_entries = |numbers: &[f64]| match numbers {
                    &[only] => vec![only; vector.size],
                    all => all.to_vec(),
                };
                self.all.budget.take(2 * vector.size)?;
                let (scale, shift) = (all_entries(scale), all_entries(shift));
                self.affine(pieces, at, scale, shift);
            }
            Step::Activation(_, activation) => self.activate(pieces, at, *activation)?,
            Step::Clip(_, low, high) => {
                let (low, high) = (self.precision.round(*low), self.precision.round(*high));
                let activation = Activation::Clip { low, high };
                self.activate(pieces, at, activation)?;
            }
            Step::Normalised(_, epsilon) => {
                self.all.budget.take(2 * vector.size)?;
                pieces.push(Piece::Normalised {
                    name: name.clone(),
                    scale: vec![1.0; vector.size],
                    shift: vec![0.0; vector.size],
                    epsilon: *epsilon,
                });
            }
            Step::Softmax(_) => pieces.push(Piece::Softmax(name.clone(), vector.size)),
            Step::Mean(x) => {
                let n = all.size(*x);
                self.note(
                    at,
                    format!("{operator} becomes a dense layer with weights 1/{n}"),
                );
                self.all.budget.take(n)?;
                let weight = self.precision.round(1.0 / n as f64);
                pieces.push(Piece::Dense {
                    name: name.clone(),
                    weight: vec![weight; n].into(),
                    inputs: n,
                    bias: None,
                    activation: None,
                });
            }
            Step::Sum(a, b) => self.sum(pieces, at, *a, *b, depth)?,
            Step::Concat(parts) => {
                let from = self.dominators[at];
                let mut branches = Vec::new();
                for &part in parts.iter() {
                    branches.push(self.branch(part, from, depth)?);
                }
                pieces.push(Piece::Concat(branches));
            }
            Step::Abs(x) => {
                // |x| = relu(x) + relu(−x).
                let n = all.size(*x);
                self.note(at, format!("{operator} becomes relu(x) + relu(-x)"));
                let signs = |sign: f64| diagonal(std::iter::repeat_n(sign, n));
                self.all.budget.take(6 * n * n)?;
                pieces.push(Piece::Dense {
                    name: name.clone(),
                    weight: [signs(1.0), signs(-1.0)].concat().into(),
                    inputs: n,
                    bias: None,
                    activation: Some(Activation::Relu),
                });
                pieces.push(Piece::Dense {
                    name: name.clone(),
                    weight: beside(&[signs(1.0), signs(1.0)], n).into(),
                    inputs: 2 * n,
                    bias: None,
                    activation: None,
                });
            }
            Step::Centred(x) => {
                let n = all.size(*x);
                self.note(
                    at,
                    format!("{operator}, less the mean, becomes a dense layer with weights 1/{n}"),
                );
                self.all.budget.take(2 * n * n)?;
                let mut weight = diagonal(std::iter::repeat_n(1.0, n));
                weight.iter_mut().for_each(|w| *w -= 1.0 / n as f64);
                pieces.push(Piece::Dense {
                    name: name.clone(),
                    weight: weight.into(),
                    inputs: n,
                    bias: None,
                    activation: None,
                });
            }
            Step::Polynomial(..) => return Err(wanted("a power of the entries")),
            Step::Exp(_) => return Err(wanted("the exponential function")),
            Step::Log(_) => return Err(wanted("the logarithm")),
            Step::Sqrt(_) => return Err(wanted("the square root")),
            Step::Erf(_) => return Err(wanted("the error function")),
            Step::Above(..) => return Err(wanted("a comparison")),
            Step::Reciprocal(_) => {
                return Err(wanted("the reciprocal of what depends on the inputs"));
            }
            Step::Multiplied(..) => {
                return Err(wanted(
                    "the product of two vectors that depend on the inputs",
                ));
            }
        }
        Ok(())
    }

    /// A chain for one of several branches, which are not empty.
    fn branch(&mut self, to: Id, from: Id, depth: usize) -> Result<Vec<Piece>> {
        let mut pieces = self.chain(to, from, depth + 1)?;
        if pieces.is_empty() {
            pieces.push(identity(self.all.size(to)));
        }
        Ok(pieces)
    }

    fn affine(&mut self, pieces: &mut Vec<Piece>, at: Id, scale: Vec<f64>, shift: Vec<f64>) {
        let place = &self.all.vectors()[at].place;
        let (name, operator) = (place.name.clone(), place.operator.clone());
        let is_one = scale.iter().all(|&s| s == 1.0);
        match pieces.last_mut() {
            // The bias of a layer, added by a node of its own: nothing is rounded.
            Some(Piece::Dense {
                bias: bias @ None,
                activation: None,
                ..
            }) if is_one => {
                *bias = Some(shift);
            }
            // Only where the addend before it stays as it is: x − 300 K, then divided by 5 K, would
            // cancel as x / 5 K − 60.
            Some(Piece::Affine {
                scale: s,
                shift: t,
                activation: None,
                ..
            }) if t.iter().zip(&scale).all(|(&t, &s)| t == 0.0 || s == 1.0) => {
                for i in 0..scale.len() {
                    t[i] = scale[i] * t[i] + shift[i];
                    s[i] *= scale[i];
                }
                self.note(
                    at,
                    format!("{operator} and the step before it become one affine layer, rounded"),
                );
            }
            Some(Piece::Normalised {
                scale: s, shift: t, ..
            }) => {
                for i in 0..scale.len() {
                    t[i] = scale[i] * t[i] + shift[i];
                    s[i] *= scale[i];
                }
            }
            _ => pieces.push(Piece::Affine {
                name,
                scale,
                shift,
                activation: None,
            }),
        }
    }

    /// Puts an activation after the last layer: into it, where it has none yet.
    fn activate(&self, pieces: &mut Vec<Piece>, at: Id, new: Activation) -> Result<()> {
        let vector = &self.all.vectors()[at];
        if let Some(
            Piece::Dense {
                activation: free @ None,
                ..
            }
            | Piece::Affine {
                activation: free @ None,
                ..
            },
        ) = pieces.last_mut()
        {
            *free = Some(new);
            return Ok(());
        }
        self.all.budget.take(2 * vector.size)?;
        pieces.push(Piece::Affine {
            name: vector.place.name.clone(),
            scale: vec![1.0; vector.size],
            // Adding −0 changes no bit, not even the sign of a zero.
            shift: vec![-0.0; vector.size],
            activation: Some(new),
        });
        Ok(())
    }

    fn pick(
        &mut self,
        pieces: &mut Vec<Piece>,
        at: Id,
        inputs: usize,
        places: &[usize],
    ) -> Result<()> {
        let place = &self.all.vectors()[at].place;
        let (name, operator) = (place.name.clone(), place.operator.clone());
        let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
        for &p in places {
            match ranges.last_mut() {
                Some(range) if range.end == p => range.end += 1,
                _ => ranges.push(p..p + 1),
            }
        }
        if let [range] = &*ranges {
            pieces.push(Piece::Select(name, inputs, range.clone()));
            return Ok(());
        }
        if ranges.len() <= MOST_RANGES {
            let select = |range| vec![Piece::Select(name.clone(), inputs, range)];
            pieces.push(Piece::Concat(ranges.into_iter().map(select).collect()));
            self.note(
                at,
                format!("{operator} becomes a concatenation of selections"),
            );
            return Ok(());
        }
        self.all.budget.take(3 * inputs * places.len())?;
        let mut weight = vec![0.0; inputs * places.len()];
        for (row, &place) in places.iter().enumerate() {
            weight[row * inputs + place] = 1.0;
        }
        self.note(
            at,
            format!("{operator} becomes a dense layer of zeros and ones"),
        );
        pieces.push(Piece::Dense {
            name,
            weight: weight.into(),
            inputs,
            bias: None,
            activation: None,
        });
        Ok(())
    }

    /// Adds a + b to the layers that make what both are made of.
    fn sum(&mut self, pieces: &mut Vec<Piece>, at: Id, a: Id, b: Id, depth: usize) -> Result<()> {
        let from = self.dominators[at];
        let vector = &self.all.vectors()[at];
        let (name, operator) = (vector.place.name.clone(), vector.place.operator.clone());
        for (x, other) in [(a, b), (b, a)] {
            if x == from {
                pieces.push(Piece::Residual(self.branch(other, from, depth)?));
                return Ok(());
            }
        }
        let mut terms = Vec::new();
        for term in [a, b] {
            let branch = self.chain(term, from, depth + 1)?;
            terms.push(self.term(branch, vector.size)?);
        }
        let [(first, p, s, name_p), (second, q, t, name_q)] =
            <[_; 2]>::try_from(terms).map_err(|_| Error::refused("a sum without terms"))?;
        let bias = match (s, t) {
            (None, other) | (other, None) => other,
            (Some(s), Some(t)) => {
                self.note(
                    at,
                    format!("the biases added by {operator} become one, rounded"),
                );
                Some(s.iter().zip(&t).map(|(s, t)| s + t).collect())
            }
        };
        self.all.budget.take(3 * (p.len() + q.len()))?;
        let inputs = (p.len() + q.len()) / vector.size;
        pieces.push(Piece::Concat(
            [(first, p.len()), (second, q.len())]
                .into_iter()
                .map(|(branch, numbers)| {
                    if branch.is_empty() {
                        vec![identity(numbers / vector.size)]
                    } else {
                        branch
                    }
                })
                .collect(),
        ));
        self.note(
            at,
            format!("{operator} becomes a concatenation and a dense layer that adds"),
        );
        pieces.push(Piece::Dense {
            name: name_p.or(name_q).unwrap_or(name),
            weight: beside(&[p, q], vector.size).into(),
            inputs,
            bias,
            activation: None,
        });
        Ok(())
    }

    /// A branch that is added: the layers before its last matrix, this matrix, its bias and name.
    #[allow(clippy::type_complexity)]
    fn term(
        &self,
        mut branch: Vec<Piece>,
        size: usize,
    ) -> Result<(Vec<Piece>, Vec<f64>, Option<Vec<f64>>, Option<Rc<str>>)> {
        match branch.pop() {
            Some(Piece::Dense {
                name,
                weight,
                bias,
                activation: None,
                ..
            }) => {
                self.all.budget.take(weight.len())?;
                Ok((branch, weight.to_vec(), bias, Some(name)))
            }
            Some(Piece::Affine {
                scale,
                shift,
                activation: None,
                ..
            }) => {
                self.all.budget.take(size * size)?;
                let shift = shift.iter().any(|&t| t != 0.0).then_some(shift);
                Ok((branch, diagonal(scale.into_iter()), shift, None))
            }
            last => {
                self.all.budget.take(size * size)?;
                branch.extend(last);
                Ok((branch, diagonal(std::iter::repeat_n(1.0, size)), None, None))
            }
        }
    }

    /// The layers of pieces, their numbers rounded to the format of the model.
    fn finished(&self, pieces: Vec<Piece>) -> Result<Vec<Layer>> {
        let mut layers = Vec::new();
        for piece in pieces {
            layers.push(match piece {
                Piece::Dense {
                    name,
                    weight,
                    inputs,
                    bias,
                    activation,
                } => {
                    let outputs = weight.len() / inputs.max(1);
                    let tensor = |name: String, shape: Vec<usize>, numbers: Vec<f64>| Tensor {
                        name,
                        shape,
                        numbers,
                    };
                    let bias = bias.map(|bias| {
                        tensor(format!("bias of {name}"), vec![outputs], self.rounded(bias))
                    });
                    let weight = weight.iter().map(|&w| self.precision.round(w)).collect();
                    let weight = tensor(name.to_string(), vec![outputs, inputs], weight);
                    let activation = activation.unwrap_or(Activation::Identity);
                    Dense::new(weight, bias, activation)?.into()
                }
                Piece::Affine {
                    name,
                    scale,
                    shift,
                    activation,
                } => {
                    let (scale, shift) = (self.rounded(scale), self.rounded(shift));
                    let activation = activation.unwrap_or(Activation::Identity);
                    Affine::new(&*name, scale, shift, activation)?.into()
                }
                Piece::Normalised {
                    name,
                    scale,
                    shift,
                    epsilon,
                } => {
                    let (scale, shift) = (self.rounded(scale), self.rounded(shift));
                    LayerNorm::new(&*name, scale, shift, epsilon)?.into()
                }
                Piece::Softmax(name, size) => Softmax::new(&*name, size)?.into(),
                Piece::Select(name, inputs, range) => Select::new(&*name, inputs, range)?.into(),
                Piece::Residual(inside) => Residual::new(self.finished(inside)?)?.into(),
                Piece::Concat(branches) => {
                    let mut made = Vec::new();
                    for branch in branches {
                        made.push(self.finished(branch)?);
                    }
                    Concat::new(made)?.into()
                }
            });
        }
        Ok(layers)
    }

    fn rounded(&self, mut numbers: Vec<f64>) -> Vec<f64> {
        for number in &mut numbers {
            *number = self.precision.round(*number);
        }
        numbers
    }
}

/// A square matrix, row by row, of this diagonal.
fn diagonal(entries: impl ExactSizeIterator<Item = f64>) -> Vec<f64> {
    let n = entries.len();
    let mut matrix = vec![0.0; n * n];
    for (i, entry) in entries.enumerate() {
        matrix[i * n + i] = entry;
    }
    matrix
}

/// Matrices of so many rows side by side.
fn beside(matrices: &[Vec<f64>], rows: usize) -> Vec<f64> {
    let row = |i: usize| {
        matrices.iter().flat_map(move |matrix| {
            let columns = matrix.len() / rows;
            matrix[i * columns..(i + 1) * columns].iter().copied()
        })
    };
    (0..rows).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        import::expression::{Budget, Tolerance},
        model::Model,
        reference,
    };

    fn steps(inputs: usize) -> Expressions {
        let budget = Rc::new(Budget::new(0));
        Expressions::new(inputs, Tolerance::new(1e-6, true), budget)
    }

    /// A layer with weights that differ.
    fn dense(inputs: usize, outputs: usize, seed: usize) -> Layer {
        let weight = Tensor {
            name: "d".to_owned(),
            shape: vec![outputs, inputs],
            numbers: (0..inputs * outputs)
                .map(|i| ((7 * i + 3 * seed) % 11) as f64 / 8.0 - 0.6)
                .collect(),
        };
        let dense = Dense::new(weight, None, Activation::Tanh);
        dense.unwrap().into()
    }

    fn made(steps: &Expressions, output: Id) -> Vec<Layer> {
        layers(steps, output, Precision::F64).unwrap().0
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
        let mut all = steps(2);
        let a = all.layer(Expressions::INPUT, &dense(2, 3, 0));
        let b = all.layer(a, &dense(3, 3, 1));
        let sum = all.add(b, a);
        assert_eq!(kinds(&made(&all, sum)), ["dense", "residual"]);
        // The input is a value too.
        assert_eq!(kinds(&made(&all, Expressions::INPUT)), ["select"]);
        let twice = all.add(a, a);
        let once = value(vec![dense(2, 3, 0)], &[0.5, -1.0]);
        let expected: Vec<_> = once.iter().map(|y| 2.0 * y).collect();
        assert_eq!(value(made(&all, twice), &[0.5, -1.0]), expected);
    }

    #[test]
    fn an_addend_is_not_scaled() {
        let mut all = steps(2);
        let less = all.affine(Expressions::INPUT, vec![1.0; 2], vec![-300.0, -301.0]);
        let divided = all.affine(less, vec![0.2, 0.3], vec![0.0; 2]);
        let twice = all.affine(divided, vec![2.0, 3.0], vec![0.5, 1.0]);
        let more = all.affine(twice, vec![1.0; 2], vec![0.25, 0.5]);
        let found = made(&all, more);
        assert_eq!(kinds(&found), ["affine", "affine"]);
        let Layer::Affine(last) = &found[1] else {
            panic!("{found:?}");
        };
        assert_eq!(last.scale(), [2.0 * 0.2, 3.0 * 0.3]);
        assert_eq!(last.shift(), [0.75, 1.5]);
    }

    #[test]
    fn activations_that_stand_alone_go_into_the_layer_before() {
        let mut all = steps(2);
        let linear = all.affine(Expressions::INPUT, vec![2.0; 2], vec![1.0; 2]);
        let once = all.activation(linear, Activation::Tanh);
        let twice = all.activation(once, Activation::Tanh);
        let found = made(&all, twice);
        assert_eq!(kinds(&found), ["affine", "affine"]);
        let expected = |x: f64| (2.0 * x + 1.0).tanh().tanh();
        assert_eq!(
            value(found, &[0.25, -1.0]),
            [expected(0.25), expected(-1.0)]
        );
    }

    /// Graphs of all shapes: each vector computed from the values of those it is made from, against
    /// the layers.
    #[test]
    fn layers_compute_what_the_steps_say() {
        let mut state = 9u64;
        let mut below = |n: usize| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) as usize % n
        };
        let x = [0.3, -0.8, 1.2];
        let mut kinds_made = BTreeSet::new();
        for _ in 0..300 {
            let mut all = steps(3);
            let mut vectors = vec![(Expressions::INPUT, x.to_vec())];
            for step in 0..10 {
                // Lately made ones are taken more often, so that the graph is deep.
                let latest = vectors.len().min(4);
                let mut pick = || vectors[vectors.len() - 1 - below(latest)].clone();
                let (a, b) = (pick(), pick());
                let n = a.1.len();
                let pairs = a.1.iter().zip(&b.1);
                let made = match below(6) {
                    0 if n == b.1.len() => (all.add(a.0, b.0), pairs.map(|(a, b)| a + b).collect()),
                    1 if n == b.1.len() => {
                        (all.subtract(a.0, b.0), pairs.map(|(a, b)| a - b).collect())
                    }
                    2 if n + b.1.len() < 9 => (all.concat(vec![a.0, b.0]), [a.1, b.1].concat()),
                    3 if n > 1 => {
                        let places: Vec<_> = (0..n).filter(|_| below(3) > 0).collect();
                        if places.is_empty() {
                            continue;
                        }
                        let value = places.iter().map(|&p| a.1[p]).collect();
                        (all.pick(a.0, places), value)
                    }
                    4 => {
                        let value = a.1.iter().map(|a| 0.5 * a - 0.25).collect();
                        (all.affine(a.0, vec![0.5; n], vec![-0.25; n]), value)
                    }
                    _ => {
                        let layer = dense(n, 3, step);
                        let value = value(vec![layer.clone()], &a.1);
                        (all.layer(a.0, &layer), value)
                    }
                };
                vectors.push(made);
            }
            let (output, expected) = vectors.pop().unwrap();
            let found = made(&all, output);
            kinds_made.extend(kinds(&found));
            let found = value(found, &x);
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                // No entry is above 2 · 2¹⁰, and thirty operations in another order are 30 u of that
                // apart.
                let bound = 30.0 * f64::EPSILON / 2.0 * 2f64.powi(11);
                assert!((found - expected).abs() <= bound, "{found}, not {expected}");
            }
        }
        let expected = ["affine", "concat", "dense", "residual", "select"];
        assert_eq!(kinds_made, BTreeSet::from(expected));
    }
}
