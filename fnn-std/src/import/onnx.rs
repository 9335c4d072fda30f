//! ONNX: what a graph computes, whatever exporter wrote it.
//!
//! The wanted outputs are followed back to the inputs. Each value on the way is either a constant,
//! which is calculated, or a vector that depends on the inputs, which becomes a step
//! ([`expression`]); steps become layers ([`lower`]). Shapes are followed with them: one axis counts
//! the rows, so entries that are moved are known, and what mixes rows is refused.
//!
//! Which axis counts the rows the file does not say. The first one is tried, then, for vectors that
//! stand as columns, the second, then none.

mod graph;
mod operator;
pub(crate) mod proto;
mod tensor;
#[cfg(test)]
mod tests;
mod view;

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    rc::Rc,
};

use bytes::Bytes;

use self::{
    graph::{Graph, Name},
    operator::{Evaluation, Input, Reading, Value},
    tensor::Format,
};
use super::{
    Options,
    expression::{Budget, Expressions, Id, Place},
    lower,
};
use crate::{
    error::{Error, Result},
    export::Outline,
    model::{Layer, Model, Precision, WIDEST},
};

/// Whether these bytes look like an ONNX file, be it cut off.
pub(super) fn recognise(bytes: &[u8]) -> bool {
    proto::recognise(bytes)
}

/// The operators that are read.
pub(super) fn operators() -> impl Iterator<Item = &'static str> {
    operator::OPERATORS.iter().map(|known| known.0)
}

/// The model in these bytes. Weights that are in other files are read from `folder`, if it is known.
pub(super) fn parse(bytes: &Bytes, folder: Option<&Path>, options: &Options) -> Result<Model> {
    if options.activations.is_some() {
        return Err(Error::refused(
            "activations are given, but an ONNX file holds its own, which cannot be replaced",
        ));
    }
    let file = proto::decode(bytes)?;
    let Some(graph) = &file.graph else {
        return Err(Error::refused(
            "the file is damaged or cut off: it holds no graph",
        ));
    };
    if file.opset_import.is_empty() {
        return Err(Error::refused(
            "the file is damaged or cut off: it does not say which versions of the operators it uses",
        ));
    }
    let nodes = Graph::new(&file, graph)?;
    let mut notes = Vec::new();
    let outputs = wanted_outputs(&nodes, graph, options, &mut notes)?;
    let outline = Outline::of(&file);
    if let Some(model) = outline.as_ref().and_then(|outline| outline.model(&file)) {
        return Ok(model);
    }
    let source = Source {
        bytes: bytes.len(),
        folder,
        graph,
        nodes: &nodes,
        outputs,
    };
    // The way that names the error is the first one, which nearly all files are meant in.
    let mut first = None;
    for reading in [Reading::Rows, Reading::Columns, Reading::Single] {
        match source.read(reading, options.is_double()) {
            Ok(read) => {
                // A graph that is understood is not read in another way, whatever its sizes are.
                let model = source.model(read, notes)?;
                return Ok(match outline {
                    Some(outline) => outline.on(model),
                    None => model,
                });
            }
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Misread(error)) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| Error::refused("the graph cannot be read")))
}

/// Numbers in files beside the model at most: 1 GiB in f64.
const MOST_BESIDE: usize = 1 << 27;

/// What a graph says if the axes of its inputs are meant in one way.
struct Read {
    layers: Vec<Layer>,
    precision: Precision,
    /// The format of the file.
    stored: Precision,
    inputs: Vec<Input>,
    /// How many entries each output has.
    sizes: Vec<usize>,
    notes: Vec<String>,
}

/// Why a graph cannot be read in one way.
enum Failure {
    /// In another one it may be.
    Misread(Error),
    /// It is understood, but too large: in no other way it is what is meant.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Misread(error)
    }
}

/// The file, and the outputs of it that are wanted, at least one.
struct Source<'m> {
    bytes: usize,
    folder: Option<&'m Path>,
    graph: &'m proto::Graph,
    nodes: &'m Graph<'m>,
    outputs: Vec<&'m proto::ValueInfo>,
}

impl Source<'_> {
    /// What the graph says if the axes of its inputs are meant in this way. It is in f64 where the
    /// file is, and where it is wanted so.
    fn read(&self, reading: Reading, wants_double: bool) -> std::result::Result<Read, Failure> {
        let mut walk = self.nodes.walk();
        let mut needs = Vec::new();
        for &output in &self.outputs {
            let (order, leaves) = walk.before(&output.name).map_err(|e| self.at(output, e))?;
            needs.push((output, order, leaves));
        }
        let leaves = || needs.iter().flat_map(|(_, _, leaves)| leaves);
        let stored = self.graph.initializer.iter();
        let stored: HashMap<&str, &proto::Tensor> = stored.map(|t| (&*t.name, t)).collect();
        let mut notes = Vec::new();

        let used: HashSet<&str> = leaves().map(|leaf| &**leaf).collect();
        let mut inputs = Vec::new();
        let mut has_double = false;
        for info in &self.graph.input {
            if stored.contains_key(&*info.name) {
                continue;
            }
            let is_used = used.contains(&*info.name);
            match declared(info).and_then(|(format, dimensions)| {
                let input = self.input(info, &dimensions, reading)?;
                Ok((format, input))
            }) {
                // Before a place is made for each entry.
                Ok((_, input)) if is_used && input.size > WIDEST => {
                    return Err(Failure::Final(Error::refused(format!(
                        "the input `{}` has {} entries, wanted 1 to {WIDEST}",
                        info.name, input.size
                    ))));
                }
                Ok((format, input)) if input.size <= WIDEST => {
                    has_double |= is_used && format == Format::F64;
                    inputs.push(input);
                }
                Err(error) if is_used => return Err(self.choice(error).into()),
                _ => {
                    let none = match *self.outputs {
                        [_] => "the output does not depend on it",
                        _ => "no output depends on it",
                    };
                    notes.push(format!(
                        "the input `{}` is left aside, since {none}",
                        info.name
                    ));
                }
            }
        }
        if !inputs.iter().any(|input| used.contains(&*input.name)) {
            return Err(self.independent(self.outputs[0]).into());
        }
        let total: usize = inputs.iter().map(|input| input.size).sum();
        if total > WIDEST {
            return Err(Failure::Final(Error::refused(format!(
                "the inputs have {total} entries together, wanted 1 to {WIDEST}"
            ))));
        }

        let weights = || leaves().filter_map(|leaf| stored.get(&**leaf).copied());
        let beside = || weights().filter(|tensor| tensor.data_location == 1);
        let files = beside().flat_map(|tensor| &tensor.external_data);
        let files = files.filter(|entry| entry.key == "location");
        let files: HashSet<&str> = files.map(|entry| &*entry.value).collect();
        let beside = beside().fold(0_usize, |sum, tensor| {
            let sizes = tensor.dims.iter().map(|&n| usize::try_from(n).unwrap_or(0));
            sum.saturating_add(sizes.fold(1, usize::saturating_mul))
        });
        if beside > MOST_BESIDE {
            return Err(Failure::Final(Error::refused(format!(
                "{beside} numbers are in other files, wanted at most {MOST_BESIDE}"
            ))));
        }
        // Else many tensors could be made of one short file. One that cannot be looked at is named
        // where it is read.
        let length = |file: &&str| self.folder?.join(file).metadata().ok().map(|m| m.len());
        let there: Option<Vec<u64>> = files.iter().map(length).collect();
        let there = there.map(|lengths| lengths.into_iter().fold(0, u64::saturating_add));
        if there.is_some_and(|there| beside as u64 > there) {
            return Err(Failure::Final(Error::refused(format!(
                "{beside} numbers are in other files, which have {} bytes",
                there.unwrap_or(0)
            ))));
        }
        let budget = Rc::new(Budget::new(self.bytes + 4 * beside));
        has_double |= weights().any(|tensor| Format::of(tensor.data_type) == Some(Format::F64));
        let is_double = wants_double || has_double;
        let tolerance = tolerance(weights());
        let mut evaluation = Evaluation::new(self.nodes, &inputs, tolerance, is_double, budget);
        let id = |evaluation: &Evaluation<'_>, name: &str| match evaluation.value(name) {
            Some(Value::Vector(vector)) => Some(vector.id),
            _ => None,
        };
        let given = inputs
            .iter()
            .filter_map(|input| id(&evaluation, &input.name));
        let given: HashSet<Id> = given.collect();
        let mut parts = Vec::new();
        for (output, order, leaves) in &needs {
            self.evaluate(&mut evaluation, &stored, order, leaves)
                .map_err(|e| self.at(output, e))?;
            match id(&evaluation, &output.name) {
                Some(id) => parts.push(id),
                None => return Err(self.independent(output).into()),
            }
        }
        if parts.iter().all(|id| given.contains(id)) {
            let name = &self.outputs[0].name;
            let error = Error::refused(format!(
                "the graph has no layer: its output `{name}` is an input as it comes, wanted at \
                 least one operator that computes"
            ));
            return Err(Failure::Final(self.choice(error.with_help(
                "export the trained network: torch.onnx.export(network, (x,), \"network.onnx\")",
            ))));
        }
        has_double |= evaluation.format == Format::F64;
        if has_double && !is_double {
            // A node holds the only number in f64, or makes it.
            return self.read(reading, true);
        }
        let precision = |is_double: bool| match is_double {
            true => Precision::F64,
            false => Precision::F32,
        };
        let (precision, stored) = (precision(is_double), precision(has_double));
        let sizes = parts.iter().map(|&id| evaluation.expressions.size(id));
        let sizes: Vec<usize> = sizes.collect();
        let (layers, more) = self.layers(&mut evaluation.expressions, &parts, precision)?;
        notes.append(&mut evaluation.notes);
        notes.extend(more);
        Ok(Read {
            layers,
            precision,
            stored,
            inputs,
            sizes,
            notes,
        })
    }

    /// The model of what was read, with these notes and its own.
    fn model(&self, read: Read, mut notes: Vec<String>) -> Result<Model> {
        let mut model = Model::new(read.layers, read.precision)?;
        if read.precision != read.stored {
            model = model.widened_from(read.stored);
        }
        let names = read.inputs.iter().map(|input| (&*input.name, input.size));
        if let Some(names) = entry_names(names)? {
            model = model.with_input_names(names)?;
        }
        let names = self.outputs.iter().map(|output| &*output.name);
        if let Some(names) = entry_names(names.zip(read.sizes))? {
            model = model.with_output_names(names)?;
        }
        notes.extend(read.notes);
        Ok(model.with_notes(notes))
    }

    /// Evaluates these nodes, and before them the values that they start from.
    fn evaluate(
        &self,
        evaluation: &mut Evaluation<'_>,
        stored: &HashMap<&str, &proto::Tensor>,
        order: &[usize],
        leaves: &[Name],
    ) -> Result<()> {
        for leaf in leaves {
            if let Some(tensor) = stored.get(&**leaf) {
                evaluation.insert(tensor, self.folder)?;
            } else if evaluation.value(leaf).is_none() {
                let sparse = self.graph.sparse_initializer.iter();
                let mut sparse = sparse.filter_map(|s| s.values.as_ref());
                let what = if sparse.any(|values| *values.name == **leaf) {
                    "is stored as a sparse tensor, which is not supported"
                } else {
                    "is neither stored nor made by a node"
                };
                return Err(Error::refused(format!("the value `{leaf}` {what}")));
            }
        }
        order
            .iter()
            .try_for_each(|&number| evaluation.evaluate(number))
    }

    /// The layers that make the outputs, one after the other, and notes.
    fn layers(
        &self,
        all: &mut Expressions,
        parts: &[Id],
        precision: Precision,
    ) -> Result<(Vec<Layer>, Vec<String>)> {
        if let &[only] = parts {
            return lower::layers(all, only, precision);
        }
        let sizes = parts.iter().map(|&part| all.size(part));
        let total = sizes.fold(0, usize::saturating_add);
        if total > WIDEST {
            return Err(self.choice(Error::refused(format!(
                "the outputs have {total} entries together, wanted 1 to {WIDEST}"
            ))));
        }
        all.place = Place {
            operator: "the join of the outputs".into(),
            name: "outputs".into(),
            note: None,
        };
        let mut joined = |parts: &[Id]| {
            let id = all.concat(parts.to_vec());
            match all.exhausted.take() {
                Some(error) => Err(error),
                None => lower::layers(all, id, precision),
            }
            // A further try makes its numbers anew.
            .inspect_err(|_| all.budget.renew(self.bytes))
        };
        joined(parts).map_err(|error| {
            // The first output that fails with those before it. Halving keeps this short, however
            // many there are.
            let (mut good, mut bad) = (0, parts.len());
            while bad - good > 1 {
                let middle = good.midpoint(bad);
                match joined(&parts[..middle]) {
                    Ok(_) => good = middle,
                    Err(_) => bad = middle,
                }
            }
            self.at(self.outputs[good], error)
        })
    }

    /// The error, told to be about this output where there are several.
    fn at(&self, output: &proto::ValueInfo, error: Error) -> Error {
        match *self.outputs {
            [_] => error,
            _ => self.choice(error.in_sentence(|e| format!("the output `{}`: {e}", output.name))),
        }
    }

    /// The error, with the advice to want one output where there are several.
    fn choice(&self, error: Error) -> Error {
        match *self.outputs {
            [_] => error,
            _ => error.with_help(names(self.graph)).with_help(NAME_ONE),
        }
    }

    fn independent(&self, output: &proto::ValueInfo) -> Error {
        self.choice(Error::refused(format!(
            "the output `{}` does not depend on the inputs of the graph",
            output.name
        )))
    }

    /// An input read in this way. A size that the file leaves open is that of the first matrix.
    fn input(
        &self,
        info: &proto::ValueInfo,
        dimensions: &[Option<usize>],
        reading: Reading,
    ) -> Result<Input> {
        Input::new(&info.name, dimensions, reading).ok_or_else(|| {
            let shown = dimensions
                .iter()
                .map(|d| d.map_or("?".to_owned(), |n| n.to_string()));
            let shown = shown.collect::<Vec<_>>().join(", ");
            Error::refused(format!(
                "the input `{}` has the shape [{shown}], wanted [rows, entries] with the number of \
                 entries",
                info.name
            ))
        })
    }
}

/// The format and the dimensions of an input, those that are open `None`.
fn declared(info: &proto::ValueInfo) -> Result<(Format, Vec<Option<usize>>)> {
    let refused = |found: String| Error::refused(format!("the input `{}` {found}", info.name));
    let tensor = info.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let tensor = tensor.ok_or_else(|| refused("is no tensor".to_owned()))?;
    let format = Format::of(tensor.elem_type).filter(|&format| format != Format::Integer);
    let format = format.ok_or_else(|| {
        refused(format!(
            "has the data type {}, wanted a floating-point type",
            tensor.elem_type
        ))
    })?;
    let shape = tensor.shape.as_ref();
    let shape = shape.ok_or_else(|| refused("has no declared shape".to_owned()))?;
    let size = |d: &proto::Dimension| {
        d.value
            .and_then(|n| usize::try_from(n).ok())
            .filter(|&n| n > 0)
    };
    Ok((format, shape.dim.iter().map(size).collect()))
}

const NAME_ONE: &str = "name one: --output-name NAME";

/// The line that lists the outputs of the graph.
fn names(graph: &proto::Graph) -> String {
    let names: Vec<_> = graph.output.iter().map(|output| &*output.name).collect();
    format!("the outputs are {}", names.join(", "))
}

/// The output that is named, or all beside labels in the order of the file.
fn wanted_outputs<'m>(
    nodes: &Graph<'m>,
    graph: &'m proto::Graph,
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Vec<&'m proto::ValueInfo>> {
    if let Some(name) = &options.output_name {
        let found = graph.output.iter().find(|output| output.name == *name);
        return match found {
            Some(output) => Ok(vec![output]),
            None => {
                Err(Error::refused(format!("the graph has no output `{name}`"))
                    .with_help(names(graph)))
            }
        };
    }
    if let [only] = &*graph.output {
        return Ok(vec![only]);
    }
    let is_label = |output: &&proto::ValueInfo| {
        let tensor = output.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
        match tensor {
            // Labels are integers or texts.
            Some(tensor) => {
                !matches!(Format::of(tensor.elem_type), Some(f) if f != Format::Integer)
            }
            // A sequence or a map, of which only this one is read.
            None => nodes
                .maker(&output.name)
                .is_none_or(|node| node.operator != "ZipMap"),
        }
    };
    let (labels, others): (Vec<_>, Vec<_>) = graph.output.iter().partition(is_label);
    if others.is_empty() {
        return Err(match labels.len() {
            0 => Error::refused("the graph has no outputs, wanted at least one"),
            n => Error::refused(format!(
                "the graph has {n} outputs, all of them labels; wanted numbers"
            ))
            .with_help(names(graph))
            .with_help(NAME_ONE),
        });
    }
    for label in labels {
        notes.push(format!(
            "the output `{}`, a label, is left aside",
            label.name
        ));
    }
    if others.len() > 1 {
        let names: Vec<_> = others.iter().map(|o| format!("`{}`", o.name)).collect();
        notes.push(format!(
            "the outputs {} are taken one after the other",
            names.join(", ")
        ));
    }
    Ok(others)
}

/// How far constants in activations that are written out in parts may be from theirs: what the
/// coarsest format among the tensors rounds away.
fn tolerance<'m>(tensors: impl Iterator<Item = &'m proto::Tensor>) -> f64 {
    let error = |tensor: &proto::Tensor| match Format::of(tensor.data_type) {
        Some(Format::F16) => 2e-3,
        Some(Format::Bf16) => 1.6e-2,
        _ => 1e-6,
    };
    tensors.map(error).fold(1e-6, f64::max)
}

/// A name for each entry; `None` where two would be the same or a value has none.
fn entry_names<'n>(
    values: impl IntoIterator<Item = (&'n str, usize)> + Clone,
) -> Result<Option<Vec<String>>> {
    if values.clone().into_iter().any(|(name, _)| name.is_empty()) {
        return Ok(None);
    }
    let names = super::entry_names(values)?;
    let different: HashSet<_> = names.iter().collect();
    Ok((different.len() == names.len()).then_some(names))
}
