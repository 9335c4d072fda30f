//! The layers of a model.

use std::ops::Range;

use fnn_core::{Shape, Step};

use super::{Tensor, WIDEST};
use crate::{
    activation::Activation,
    error::{Error, Result},
};

/// A layer of a model. Composite ones hold layers themselves.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Layer {
    /// y = f(W x + b).
    Dense(Dense),
    /// y = f(s ∘ x + t), entry by entry.
    Affine(Affine),
    /// y = s ∘ (x − mean) / √(variance + ε) + t.
    LayerNorm(LayerNorm),
    /// yᵢ = exp xᵢ / Σₖ exp xₖ.
    Softmax(Softmax),
    /// Some of the entries of x, side by side.
    Select(Select),
    /// y = x + g(x).
    Residual(Residual),
    /// y = [a(x), b(x), …].
    Concat(Concat),
}

/// A dense layer, y = f(W x + b).
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// What messages call the layer: the name of its weight tensor.
    name: String,
    inputs: usize,
    /// Row by row: `weight[i * inputs + j]` multiplies input j for neuron i.
    weight: Vec<f64>,
    bias: Vec<f64>,
    activation: Activation,
}

/// A layer that works entry by entry, yᵢ = f(sᵢ xᵢ + tᵢ): the scaling of inputs or outputs, batch
/// normalisation, an activation that stands alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine {
    name: String,
    scale: Vec<f64>,
    shift: Vec<f64>,
    activation: Activation,
}

/// Layer normalisation, yᵢ = sᵢ (xᵢ − m) / √(v + ε) + tᵢ, with the mean m of the entries and their
/// variance v = Σ (xₖ − m)² / n (Ba, Kiros and Hinton 2016).
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm {
    name: String,
    scale: Vec<f64>,
    shift: Vec<f64>,
    epsilon: f64,
}

/// The softmax of all entries, yᵢ = exp xᵢ / Σₖ exp xₖ.
#[derive(Debug, Clone, PartialEq)]
pub struct Softmax {
    name: String,
    size: usize,
}

/// The entries of x in a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Select {
    name: String,
    inputs: usize,
    range: Range<usize>,
}

/// Layers and what goes past them, y = x + g(x).
#[derive(Debug, Clone, PartialEq)]
pub struct Residual {
    layers: Vec<Layer>,
}

/// Branches that take the same input, and their outputs one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Concat {
    branches: Vec<Vec<Layer>>,
}

impl Layer {
    /// What messages call it; of a composite layer the name of its first one.
    pub fn name(&self) -> &str {
        match self {
            Self::Dense(layer) => &layer.name,
            Self::Affine(layer) => &layer.name,
            Self::LayerNorm(layer) => &layer.name,
            Self::Softmax(layer) => &layer.name,
            Self::Select(layer) => &layer.name,
            Self::Residual(layer) => layer.layers.first().map_or("", Self::name),
            Self::Concat(layer) => layer
                .branches
                .iter()
                .flatten()
                .next()
                .map_or("", Self::name),
        }
    }

    /// What kind of layer it is, as people call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dense(_) => "dense",
            Self::Affine(_) => "affine",
            Self::LayerNorm(_) => "layer norm",
            Self::Softmax(_) => "softmax",
            Self::Select(_) => "select",
            Self::Residual(_) => "residual",
            Self::Concat(_) => "concat",
        }
    }

    /// How many inputs it takes.
    pub fn inputs(&self) -> usize {
        match self {
            Self::Dense(layer) => layer.inputs,
            Self::Affine(layer) => layer.scale.len(),
            Self::LayerNorm(layer) => layer.scale.len(),
            Self::Softmax(layer) => layer.size,
            Self::Select(layer) => layer.inputs,
            Self::Residual(layer) => layer.layers.first().map_or(0, Self::inputs),
            Self::Concat(layer) => layer
                .branches
                .iter()
                .flatten()
                .next()
                .map_or(0, Self::inputs),
        }
    }

    /// How many outputs it has.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Dense(layer) => layer.outputs(),
            Self::Select(layer) => layer.range.len(),
            Self::Concat(layer) => layer
                .branches
                .iter()
                .filter_map(|branch| branch.last())
                .map(Self::outputs)
                .sum(),
            _ => self.inputs(),
        }
    }

    /// The dense layer that this is, if it is one.
    pub fn as_dense(&self) -> Option<&Dense> {
        match self {
            Self::Dense(layer) => Some(layer),
            _ => None,
        }
    }

    /// The layers inside, chain by chain; none where it is not composite.
    pub fn inside(&self) -> Vec<&[Self]> {
        match self {
            Self::Residual(layer) => vec![&layer.layers],
            Self::Concat(layer) => layer.branches.iter().map(Vec::as_slice).collect(),
            _ => Vec::new(),
        }
    }

    /// All its parameters, as they lie in memory.
    pub(crate) fn numbers(&self) -> Vec<&[f64]> {
        match self {
            Self::Dense(layer) => vec![&layer.weight, &layer.bias],
            Self::Affine(Affine { scale, shift, .. })
            | Self::LayerNorm(LayerNorm { scale, shift, .. }) => vec![scale, shift],
            Self::Softmax(_) | Self::Select(_) => Vec::new(),
            Self::Residual(_) | Self::Concat(_) => {
                let layers = self.inside().into_iter().flatten();
                layers.flat_map(Self::numbers).collect()
            }
        }
    }

    /// How many parameters it has.
    pub(crate) fn parameters(&self) -> usize {
        self.numbers().into_iter().map(<[f64]>::len).sum()
    }

    /// What it costs.
    pub(super) fn step(&self) -> Step {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        match self {
            Self::Dense(_) => Step::dense(inputs, outputs),
            Self::Affine(_) => Step::affine(inputs),
            Self::LayerNorm(_) => Step::map(inputs, outputs, inputs + 1, 2 * inputs, 0),
            Self::Softmax(_) => Step::map(inputs, outputs, inputs, 0, 0),
            Self::Select(_) => Step::select(inputs, outputs),
            Self::Residual(residual) => Step::residual(&Shape::Steps(&steps(&residual.layers))),
            Self::Concat(concat) => {
                let branches: Vec<_> = concat.branches.iter().map(|b| steps(b)).collect();
                step_of_branches(&branches)
            }
        }
    }

    /// The size of the widest layer inside, its own inputs and outputs among them.
    pub(super) fn widest(&self) -> usize {
        let inside = self.inside().into_iter().flatten().map(Self::widest);
        inside
            .chain([self.inputs(), self.outputs()])
            .max()
            .unwrap_or(0)
    }
}

fn steps(layers: &[Layer]) -> Vec<Step> {
    layers.iter().map(Layer::step).collect()
}

/// Branches are two at a time in `fnn-core`: the first, and the others as one.
fn step_of_branches(branches: &[Vec<Step>]) -> Step {
    let mut branches = branches.iter().rev().map(|branch| Shape::Steps(branch));
    let last = branches.next().unwrap_or(Shape::Steps(&[]));
    let joined = branches.fold(last, |others, branch| {
        Shape::Step(Step::concat(&branch, &others))
    });
    match joined {
        Shape::Step(step) => step,
        _ => unreachable!("a concatenation has two branches at least"),
    }
}

/// Refuses layers of which one takes another number of inputs than the one before it has outputs.
pub(super) fn check_chain(layers: &[Layer]) -> Result<()> {
    for (before, layer) in layers.iter().zip(layers.iter().skip(1)) {
        if layer.inputs() != before.outputs() {
            return Err(Error::refused(format!(
                "the layer of `{}` takes {} inputs, but the layer of `{}` before it has {} \
                 outputs",
                layer.name(),
                layer.inputs(),
                before.name(),
                before.outputs()
            )));
        }
    }
    Ok(())
}

macro_rules! from {
    ($($kind:ident),*) => { $(
        impl From<$kind> for Layer {
            fn from(layer: $kind) -> Self {
                Self::$kind(layer)
            }
        }
    )* };
}
from!(Dense, Affine, LayerNorm, Softmax, Select, Residual, Concat);

impl Dense {
    /// A layer of these weights, `[neurons, inputs]` as PyTorch stores them; without a bias tensor
    /// the biases are zero.
    ///
    /// # Errors
    /// Names the tensor: a shape that is not `[neurons, inputs]` or, for the bias, `[neurons]`;
    /// sizes of zero or beyond 65 536; more or fewer numbers than the shape says; a NaN or an
    /// infinity.
    pub fn new(weight: Tensor, bias: Option<Tensor>, activation: Activation) -> Result<Self> {
        let &[outputs, inputs] = weight.shape.as_slice() else {
            return Err(weight.refused("wanted [neurons, inputs]"));
        };
        if outputs == 0 || inputs == 0 {
            return Err(weight.refused("a layer has at least one input and one neuron"));
        }
        if outputs > WIDEST || inputs > WIDEST {
            return Err(weight.refused(format!("wanted at most {WIDEST} inputs and neurons")));
        }
        weight.check(outputs * inputs)?;
        let bias = match bias {
            Some(bias) if bias.shape == [outputs] => {
                bias.check(outputs)?;
                bias.numbers
            }
            Some(bias) => {
                return Err(bias.refused(format!(
                    "wanted [{outputs}], one bias for each neuron of `{}`",
                    weight.name
                )));
            }
            None => vec![0.0; outputs],
        };
        Ok(Self {
            name: weight.name,
            inputs,
            weight: weight.numbers,
            bias,
            activation,
        })
    }

    /// The name of its weight tensor.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many inputs it takes.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// How many neurons it has.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Its weights row by row: item j of row i multiplies input j for neuron i.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.weight.chunks_exact(self.inputs)
    }

    /// Its weights column by column: item i of column j multiplies input j for neuron i.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = impl ExactSizeIterator<Item = f64>> {
        (0..self.inputs).map(|j| self.rows().map(move |row| row[j]))
    }

    /// What the sum of each neuron starts at.
    pub fn bias(&self) -> &[f64] {
        &self.bias
    }

    /// The activation of all its neurons.
    pub fn activation(&self) -> Activation {
        self.activation
    }
}

impl Affine {
    /// A layer of these factors and of what is added, as many of each as there are entries.
    ///
    /// # Errors
    /// Names the layer: no entries or too many; other numbers of factors than of addends; one that
    /// is not finite.
    pub fn new(
        name: impl Into<String>,
        scale: Vec<f64>,
        shift: Vec<f64>,
        activation: Activation,
    ) -> Result<Self> {
        let name = name.into();
        check_entries(&name, &scale, &shift)?;
        Ok(Self {
            name,
            scale,
            shift,
            activation,
        })
    }

    /// A layer that applies this activation to so many entries and does nothing else.
    ///
    /// # Errors
    /// No entries or too many.
    pub fn activation_only(
        name: impl Into<String>,
        size: usize,
        activation: Activation,
    ) -> Result<Self> {
        let name = name.into();
        check_size(&name, size)?;
        // Adding −0 changes no bit, not even the sign of a zero.
        Self::new(name, vec![1.0; size], vec![-0.0; size], activation)
    }

    /// What each entry is multiplied with.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// What is added to each product.
    pub fn shift(&self) -> &[f64] {
        &self.shift
    }

    /// The activation of all entries.
    pub fn activation(&self) -> Activation {
        self.activation
    }
}

impl LayerNorm {
    /// A layer of these factors and addends, as many of each as there are entries, and this ε.
    ///
    /// # Errors
    /// Names the layer: no entries or too many; other numbers of factors than of addends; one that
    /// is not finite; an ε that is not above zero.
    pub fn new(
        name: impl Into<String>,
        scale: Vec<f64>,
        shift: Vec<f64>,
        epsilon: f64,
    ) -> Result<Self> {
        let name = name.into();
        check_entries(&name, &scale, &shift)?;
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(Error::refused(format!(
                "the layer norm of `{name}` has the epsilon {epsilon:?}, wanted a number above zero"
            )));
        }
        Ok(Self {
            name,
            scale,
            shift,
            epsilon,
        })
    }

    /// What each normalised entry is multiplied with.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// What is added to each product.
    pub fn shift(&self) -> &[f64] {
        &self.shift
    }

    /// What is added to the variance.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }
}

impl Softmax {
    /// The softmax of so many entries.
    ///
    /// # Errors
    /// No entries or too many.
    pub fn new(name: impl Into<String>, size: usize) -> Result<Self> {
        let name = name.into();
        check_size(&name, size)?;
        Ok(Self { name, size })
    }
}

impl Select {
    /// The entries in `range` out of so many.
    ///
    /// # Errors
    /// Names the layer: an empty range, or one beyond the inputs; no inputs or too many.
    pub fn new(name: impl Into<String>, inputs: usize, range: Range<usize>) -> Result<Self> {
        let name = name.into();
        check_size(&name, inputs)?;
        if range.is_empty() || range.end > inputs {
            return Err(Error::refused(format!(
                "the layer of `{name}` selects the entries {range:?} of {inputs}"
            )));
        }
        Ok(Self {
            name,
            inputs,
            range,
        })
    }

    /// The entries that are selected.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }
}

impl Residual {
    /// A way past these layers, which have as many outputs as inputs.
    ///
    /// # Errors
    /// No layers; some that do not fit each other; another number of outputs than of inputs.
    pub fn new(layers: Vec<Layer>) -> Result<Self> {
        check_chain(&layers)?;
        let (Some(first), Some(last)) = (layers.first(), layers.last()) else {
            return Err(Error::refused("a residual layer without layers inside"));
        };
        if first.inputs() != last.outputs() {
            return Err(Error::refused(format!(
                "the layers from `{}` to `{}` have {} inputs and {} outputs, which cannot be added",
                first.name(),
                last.name(),
                first.inputs(),
                last.outputs()
            )));
        }
        Ok(Self { layers })
    }

    /// The layers of g.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }
}

/// The most branches beside each other. In `fnn-core` they are two at a time, one within the other.
const MOST_BRANCHES: usize = 1024;

impl Concat {
    /// Branches that take the same number of inputs.
    ///
    /// # Errors
    /// Fewer than two branches, too many, or one without layers; layers that do not fit each other; branches
    /// with other numbers of inputs; too many outputs.
    pub fn new(branches: Vec<Vec<Layer>>) -> Result<Self> {
        if branches.len() < 2 || branches.iter().any(Vec::is_empty) {
            return Err(Error::refused(
                "a concatenation of fewer than two branches with layers",
            ));
        }
        if branches.len() > MOST_BRANCHES {
            return Err(Error::refused(format!(
                "a concatenation of {} branches, wanted at most {MOST_BRANCHES}",
                branches.len()
            )));
        }
        for branch in &branches {
            check_chain(branch)?;
        }
        let firsts = || branches.iter().filter_map(|branch| branch.first());
        for (first, other) in firsts().zip(firsts().skip(1)) {
            if first.inputs() != other.inputs() {
                return Err(Error::refused(format!(
                    "the branch of `{}` takes {} inputs and that of `{}` beside it {}",
                    first.name(),
                    first.inputs(),
                    other.name(),
                    other.inputs()
                )));
            }
        }
        let concat = Self { branches };
        let layer = Layer::Concat(concat.clone());
        check_size(layer.name(), layer.outputs())?;
        Ok(concat)
    }

    /// The branches, in the order of their outputs.
    pub fn branches(&self) -> &[Vec<Layer>] {
        &self.branches
    }
}

fn check_size(name: &str, size: usize) -> Result<()> {
    if size == 0 || size > WIDEST {
        return Err(Error::refused(format!(
            "the layer of `{name}` has {size} entries, wanted 1 to {WIDEST}"
        )));
    }
    Ok(())
}

fn check_entries(name: &str, scale: &[f64], shift: &[f64]) -> Result<()> {
    check_size(name, scale.len())?;
    if scale.len() != shift.len() {
        return Err(Error::refused(format!(
            "the layer of `{name}` has {} factors and {} addends, wanted one of each for each entry",
            scale.len(),
            shift.len()
        )));
    }
    match scale.iter().chain(shift).find(|w| !w.is_finite()) {
        Some(w) => Err(Error::refused(format!(
            "the layer of `{name}` holds {w}; weights must be finite"
        ))),
        None => Ok(()),
    }
}
