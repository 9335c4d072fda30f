//! The one description of a model: every importer makes it, everything else starts from it.

mod layer;

use std::{collections::HashSet, fmt, ops::Range, path::Path, str::FromStr};

use fnn_core::{Shape, Step};

pub use layer::{Affine, Concat, Dense, Layer, LayerNorm, Residual, Select, Softmax};

use crate::{
    error::{Error, Result},
    line::visible,
};

/// A feed-forward network as a file describes it: layers that fit together, finite weights, and
/// names for its inputs and outputs where they are known.
///
/// A `Model` cannot be invalid: [`Model::new`] and the `new` of each kind of [`Layer`] check
/// everything once.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    layers: Vec<Layer>,
    /// Inputs, then the outputs of each layer.
    sizes: Vec<usize>,
    steps: Vec<Step>,
    precision: Precision,
    stored: Precision,
    inputs: Labels,
    outputs: Labels,
    notes: Vec<String>,
    source: Option<Source>,
}

/// What is known of the inputs or of the outputs, each list in their order.
#[derive(Debug, Clone, Default, PartialEq)]
struct Labels {
    names: Option<Vec<String>>,
    units: Option<Vec<String>>,
    ranges: Option<Vec<Range<f64>>>,
}

/// Numbers with a shape, as they come out of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its name in the file, for messages.
    pub name: String,
    /// Its sizes, the slowest index first.
    pub shape: Vec<usize>,
    /// Its numbers, the last index running fastest.
    pub numbers: Vec<f64>,
}

/// The number format of a model or of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// IEEE-754 single precision.
    F32,
    /// IEEE-754 double precision.
    F64,
}

/// Where a model came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name of the file, without its folder.
    pub file: String,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// The most inputs or neurons of a layer. A wider one is a damaged file sooner than a network.
pub(crate) const WIDEST: usize = 1 << 16;

/// The most layers one after the other: the search for the cheapest order of accumulation takes a
/// time that grows with their square.
const MOST_LAYERS: usize = 1024;

/// The most bytes that value and Jacobian of one input may take in the format of the model, beside
/// four times those of its weights: a short file may state large sizes.
const LARGEST_EVALUATION: usize = 128 << 20;

impl Model {
    /// The model of these layers. Every weight is a number of format `precision`, although it is
    /// held as `f64`, which holds them all exactly.
    ///
    /// # Errors
    /// No layers; a layer that takes another number of inputs than the layer before it has
    /// neurons; a Jacobian that would not fit into memory; a weight that is not a number of the
    /// format.
    pub fn new(layers: Vec<impl Into<Layer>>, precision: Precision) -> Result<Self> {
        let layers: Vec<Layer> = layers.into_iter().map(Into::into).collect();
        let Some(first) = layers.first() else {
            return Err(Error::refused("a model without layers"));
        };
        layer::check_chain(&layers)?;
        if layers.len() > MOST_LAYERS {
            return Err(Error::refused(format!(
                "{} layers one after the other, wanted at most {MOST_LAYERS}",
                layers.len()
            )));
        }
        if precision == Precision::F32 {
            for layer in &layers {
                let odd = |w: &f64| f64::from(*w as f32) != *w;
                let numbers = layer.numbers();
                if let Some(w) = numbers.iter().find_map(|part| first_odd(part, odd)) {
                    return Err(Error::refused(format!(
                        "the layer of `{}` holds {w:?}, which is not a number of f32",
                        layer.name()
                    )));
                }
            }
        }
        let sizes = [first.inputs()].into_iter();
        let sizes = sizes.chain(layers.iter().map(Layer::outputs)).collect();
        let steps = layers.iter().map(Layer::step).collect();
        let model = Self {
            layers,
            sizes,
            steps,
            precision,
            stored: precision,
            inputs: Labels::default(),
            outputs: Labels::default(),
            notes: Vec::new(),
            source: None,
        };
        model.check_room(model.shape().best_cut(model.inputs()))?;
        Ok(model)
    }

    /// Refuses an evaluation of value and Jacobian with this cut that would take much more memory
    /// than the weights.
    pub(crate) fn check_room(&self, cut: usize) -> Result<()> {
        let (shape, inputs) = (self.shape(), self.inputs());
        let returned = self.outputs() * (1 + inputs);
        let numbers = shape.workspace(cut, inputs) + returned + filling(&self.layers);
        let most = LARGEST_EVALUATION / self.precision.bytes() + 4 * self.parameters();
        if numbers > most {
            let widest = self.layers.iter().map(Layer::widest).max().unwrap_or(0);
            let error = Error::refused(format!(
                "{inputs} inputs with layers of up to {widest} neurons are too many to evaluate a \
                 Jacobian: it would take {numbers} numbers, wanted at most {most}"
            ));
            return Err(match &self.source {
                Some(source) => error.in_file(Path::new(&source.file)),
                None => error,
            });
        }
        Ok(())
    }

    /// The same model with names for its inputs.
    ///
    /// # Errors
    /// More or fewer names than inputs; an empty name or one given twice.
    pub fn with_input_names(mut self, names: Vec<String>) -> Result<Self> {
        check_names("input", &names, self.inputs())?;
        self.inputs.names = Some(names);
        Ok(self)
    }

    /// The same model with names for its outputs.
    ///
    /// # Errors
    /// More or fewer names than outputs; an empty name or one given twice.
    pub fn with_output_names(mut self, names: Vec<String>) -> Result<Self> {
        check_names("output", &names, self.outputs())?;
        self.outputs.names = Some(names);
        Ok(self)
    }

    /// The same model with the unit of each of its inputs: `m/s`, or nothing where it has none or none is
    /// known.
    ///
    /// # Errors
    /// More or fewer units than inputs.
    pub fn with_input_units(mut self, units: Vec<String>) -> Result<Self> {
        check_count("input units", units.len(), self.inputs(), "inputs")?;
        self.inputs.units = Some(units);
        Ok(self)
    }

    /// The same model with the unit of each of its outputs: [`with_input_units`](Self::with_input_units).
    ///
    /// # Errors
    /// More or fewer units than outputs.
    pub fn with_output_units(mut self, units: Vec<String>) -> Result<Self> {
        check_count("output units", units.len(), self.outputs(), "outputs")?;
        self.outputs.units = Some(units);
        Ok(self)
    }

    /// The same model with the range that each of its inputs was trained in.
    ///
    /// # Errors
    /// More or fewer ranges than inputs; one whose ends are not finite, the first below the second.
    pub fn with_input_ranges(mut self, ranges: Vec<Range<f64>>) -> Result<Self> {
        check_count("input ranges", ranges.len(), self.inputs(), "inputs")?;
        check_ranges("input", &ranges)?;
        self.inputs.ranges = Some(ranges);
        Ok(self)
    }

    /// The same model with the range that each of its outputs had in training.
    ///
    /// # Errors
    /// As [`with_input_ranges`](Self::with_input_ranges), of outputs.
    pub fn with_output_ranges(mut self, ranges: Vec<Range<f64>>) -> Result<Self> {
        check_count("output ranges", ranges.len(), self.outputs(), "outputs")?;
        check_ranges("output", &ranges)?;
        self.outputs.ranges = Some(ranges);
        Ok(self)
    }

    /// The same model with what the importer has to say: what was folded or rewritten, a sentence
    /// each. They are for people, and made safe to print: [`visible`].
    #[must_use]
    pub fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes = notes.iter().map(|note| visible(note)).collect();
        self
    }

    /// The same model, whose numbers are those of a file in format `stored`, read for an evaluation
    /// in f64: what was computed from them need not be numbers of that format.
    #[must_use]
    pub(crate) fn widened_from(mut self, stored: Precision) -> Self {
        self.precision = Precision::F64;
        self.stored = stored;
        self
    }

    /// The same model, said to come from `source`.
    #[must_use]
    pub fn with_source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// Its layers, the first one first; there is at least one.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The number format that its numbers are in, and that it is evaluated in where no other is
    /// named: that of the file, or f64 where the file was read for it.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The number format of its weights in the file.
    pub fn stored_precision(&self) -> Precision {
        self.stored
    }

    /// How many inputs it has.
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, Layer::inputs)
    }

    /// How many outputs it has.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, Layer::outputs)
    }

    /// The names of its inputs, if they are known.
    pub fn input_names(&self) -> Option<&[String]> {
        self.inputs.names.as_deref()
    }

    /// The names of its outputs, if they are known.
    pub fn output_names(&self) -> Option<&[String]> {
        self.outputs.names.as_deref()
    }

    /// The units of its inputs, if they are known; empty where one has none.
    pub fn input_units(&self) -> Option<&[String]> {
        self.inputs.units.as_deref()
    }

    /// The units of its outputs, if they are known; empty where one has none.
    pub fn output_units(&self) -> Option<&[String]> {
        self.outputs.units.as_deref()
    }

    /// The range that each of its inputs was trained in, if they are known.
    pub fn input_ranges(&self) -> Option<&[Range<f64>]> {
        self.inputs.ranges.as_deref()
    }

    /// The range that each of its outputs had in training, if they are known.
    pub fn output_ranges(&self) -> Option<&[Range<f64>]> {
        self.outputs.ranges.as_deref()
    }

    /// What of the file was folded or rewritten, a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The file that it came from, if it came from one.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// Inputs, then the neurons of each layer.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Its layers as `fnn-core` counts their costs.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Its sizes as `fnn-core` counts with them: parameters, multiply-adds, the cheapest order of
    /// accumulation.
    pub fn shape(&self) -> Shape<'_> {
        Shape::Steps(&self.steps)
    }

    /// Weights and biases.
    pub fn parameters(&self) -> usize {
        self.shape().parameters()
    }

    /// Its layers, where all are dense; `None` where one is of another kind.
    pub fn as_dense(&self) -> Option<Vec<&Dense>> {
        self.layers.iter().map(Layer::as_dense).collect()
    }
}

/// Numbers at most that fill the rows and columns of weights up to the widest vectors of a processor,
/// which is much where a layer has few inputs or neurons.
fn filling(layers: &[Layer]) -> usize {
    const LANES: usize = 16;
    let of = |layer: &Layer| match layer {
        Layer::Dense(dense) => LANES * (dense.inputs() + dense.outputs()),
        _ => layer.inside().into_iter().map(filling).sum(),
    };
    layers.iter().map(of).sum()
}

impl Tensor {
    /// The transpose of a matrix; a tensor of another rank is left as it is.
    #[must_use]
    pub(crate) fn transposed(self) -> Self {
        let &[rows, columns] = self.shape.as_slice() else {
            return self;
        };
        let numbers = &self.numbers;
        // Without numbers the file decides how many columns are claimed.
        let claimed = if numbers.is_empty() { 0 } else { columns };
        let column = |j: usize| numbers.iter().skip(j).step_by(columns.max(1)).copied();
        Self {
            numbers: (0..claimed).flat_map(column).collect(),
            shape: vec![columns, rows],
            name: self.name,
        }
    }

    fn refused(&self, wanted: impl fmt::Display) -> Error {
        Error::refused(format!(
            "the tensor `{}` has the shape {:?}; {wanted}",
            self.name, self.shape
        ))
    }

    fn check(&self, numbers: usize) -> Result<()> {
        if self.numbers.len() != numbers {
            let found = self.numbers.len();
            return Err(self.refused(format!("it comes with {found} numbers, not {numbers}")));
        }
        match first_odd(&self.numbers, |w| !w.is_finite()) {
            Some(w) => {
                let at = self.numbers.iter().position(|w| !w.is_finite());
                Err(Error::refused(format!(
                    "the tensor `{}` holds {w} (number {} of {numbers}); weights must be finite",
                    self.name,
                    at.unwrap_or(0)
                )))
            }
            None => Ok(()),
        }
    }
}

impl Precision {
    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The number of this format that is nearest.
    pub(crate) fn round(self, number: f64) -> f64 {
        match self {
            Self::F32 => f64::from(number as f32),
            Self::F64 => number,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        })
    }
}

impl FromStr for Precision {
    type Err = Error;

    /// # Errors
    /// Anything but `f32` and `f64`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "f32" => Ok(Self::F32),
            "f64" => Ok(Self::F64),
            _ => Err(Error::refused(format!(
                "the precision `{text}` is neither `f32` nor `f64`"
            ))),
        }
    }
}

/// The first number that is `odd`, if one is. Whole blocks are looked at without a branch, which the
/// processor does several numbers at a time.
fn first_odd(numbers: &[f64], odd: impl Fn(&f64) -> bool) -> Option<f64> {
    let mut blocks = numbers.chunks(1024);
    let block = blocks.find(|block| block.iter().fold(false, |any, w| any | odd(w)))?;
    block.iter().copied().find(|w| odd(w))
}

fn check_count(what: &str, found: usize, wanted: usize, of: &str) -> Result<()> {
    if found != wanted {
        return Err(Error::refused(format!(
            "found {found} {what} for a model with {wanted} {of}"
        )));
    }
    Ok(())
}

fn check_ranges(what: &str, ranges: &[Range<f64>]) -> Result<()> {
    for (i, range) in ranges.iter().enumerate() {
        if !(range.start.is_finite() && range.end.is_finite() && range.start < range.end) {
            return Err(Error::refused(format!(
                "the range of {what} {i} is {range:?}, wanted two finite numbers, the smaller one first"
            )));
        }
    }
    Ok(())
}

fn check_names(what: &str, names: &[String], wanted: usize) -> Result<()> {
    check_count(
        &format!("{what} names"),
        names.len(),
        wanted,
        &format!("{what}s"),
    )?;
    let mut seen = HashSet::new();
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(Error::refused(format!("the name of {what} {i} is empty")));
        }
        if !seen.insert(name) {
            return Err(Error::refused(format!("two {what}s are named `{name}`")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;

    fn tensor(name: &str, shape: &[usize], numbers: &[f64]) -> Tensor {
        Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            numbers: numbers.to_vec(),
        }
    }

    fn layer(name: &str, inputs: usize, outputs: usize) -> Dense {
        let weight = tensor(name, &[outputs, inputs], &vec![0.5; outputs * inputs]);
        Dense::new(weight, None, Activation::Tanh).unwrap()
    }

    fn refused(weight: Tensor, bias: Option<Tensor>) -> String {
        let error = Dense::new(weight, bias, Activation::Tanh).unwrap_err();
        error.to_string()
    }

    #[test]
    fn rows_and_columns_are_one_matrix() {
        let weight = tensor("w", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let layer = Dense::new(weight, None, Activation::Identity).unwrap();
        assert_eq!(
            layer.rows().collect::<Vec<_>>(),
            [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
        );
        let columns: Vec<Vec<f64>> = layer.columns().map(Iterator::collect).collect();
        assert_eq!(columns, [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]);
        assert_eq!(layer.bias(), [0.0, 0.0]);
    }

    #[test]
    fn layers_are_refused_by_the_name_of_the_tensor() {
        assert_eq!(
            refused(tensor("0.weight", &[4], &[0.0; 4]), None),
            "the tensor `0.weight` has the shape [4]; wanted [neurons, inputs]"
        );
        assert_eq!(
            refused(tensor("w", &[0, 4], &[]), None),
            "the tensor `w` has the shape [0, 4]; a layer has at least one input and one neuron"
        );
        assert_eq!(
            refused(tensor("w", &[1 << 40, 1 << 40], &[]), None),
            "the tensor `w` has the shape [1099511627776, 1099511627776]; wanted at most 65536 \
             inputs and neurons"
        );
        assert_eq!(
            refused(tensor("w", &[2, 2], &[0.0; 3]), None),
            "the tensor `w` has the shape [2, 2]; it comes with 3 numbers, not 4"
        );
        assert_eq!(
            refused(tensor("w", &[1, 2], &[0.0, f64::NAN]), None),
            "the tensor `w` holds NaN (number 1 of 2); weights must be finite"
        );
        assert_eq!(
            refused(
                tensor("w", &[2, 1], &[0.0; 2]),
                Some(tensor("b", &[3], &[0.0; 3]))
            ),
            "the tensor `b` has the shape [3]; wanted [2], one bias for each neuron of `w`"
        );
        assert_eq!(
            refused(
                tensor("w", &[1, 1], &[0.0]),
                Some(tensor("b", &[1], &[f64::INFINITY]))
            ),
            "the tensor `b` holds inf (number 0 of 1); weights must be finite"
        );
    }

    #[test]
    fn models_are_refused_by_the_name_of_the_layer() {
        let error = |layers: Vec<Dense>| {
            let model = Model::new(layers, Precision::F32);
            model.unwrap_err().to_string()
        };
        assert_eq!(error(vec![]), "a model without layers");
        assert_eq!(
            error(vec![layer("0.weight", 2, 3), layer("2.weight", 4, 1)]),
            "the layer of `2.weight` takes 4 inputs, but the layer of `0.weight` before it has 3 \
             outputs"
        );
        assert_eq!(
            error(vec![layer("a", 60_000, 1), layer("b", 1, 60_000)]),
            "60000 inputs with layers of up to 60000 neurons are too many to evaluate a Jacobian: it \
             would take 10802100032 numbers, wanted at most 34274436"
        );
        let odd = Dense::new(tensor("w", &[1, 1], &[0.1]), None, Activation::Tanh).unwrap();
        assert_eq!(
            error(vec![odd]),
            "the layer of `w` holds 0.1, which is not a number of f32"
        );
    }

    #[test]
    fn names_are_as_many_as_there_are_and_differ() {
        let model = Model::new(vec![layer("w", 2, 1)], Precision::F64).unwrap();
        let error = |names: &[&str]| {
            let names = names.iter().map(|&name| name.to_owned()).collect();
            model
                .clone()
                .with_input_names(names)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error(&["a"]),
            "found 1 input names for a model with 2 inputs"
        );
        assert_eq!(error(&["a", ""]), "the name of input 1 is empty");
        assert_eq!(error(&["a", "a"]), "two inputs are named `a`");
    }

    #[test]
    fn counts_what_it_holds() {
        let layers = vec![layer("a", 4, 32), layer("b", 32, 32), layer("c", 32, 3)];
        let model = Model::new(layers, Precision::F64).unwrap();
        assert_eq!(model.parameters(), 5 * 32 + 33 * 32 + 33 * 3);
        assert_eq!(model.sizes(), [4, 32, 32, 3]);
        assert_eq!(
            model.shape().value_multiply_adds(),
            4 * 32 + 32 * 32 + 32 * 3
        );
    }
}
