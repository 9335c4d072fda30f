//! Keras: `.keras` of Keras 3, a zip archive with the configuration and an HDF5 file of weights, and
//! `.h5` of Keras 2 and 3, an HDF5 file with both.
//!
//! The configuration says which layers there are and, in a functional model, what each is called on;
//! [`layers`] says what each computes, [`weights`] finds its variables. As with ONNX files, the calls
//! become [steps](super::expression), and these the layers of the [model](super::lower).

mod layers;
mod weights;

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use serde_json::Value;

use self::{
    layers::{Shape, Step},
    weights::Weights,
};
use super::{
    Options,
    archive::Archive,
    distinct,
    expression::{Budget, Expressions, Id, Place, Tolerance},
    lower,
};
use crate::{
    error::{Error, Result},
    model::{Model, Precision, Select, WIDEST},
};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.weights.h5";

/// Whether the archive holds a Keras model.
pub(super) fn recognise(archive: &Archive<'_>) -> bool {
    archive.names().iter().any(|name| name == CONFIG)
}

/// Whether these bytes begin like an HDF5 file.
pub(super) fn recognise_h5(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89HDF\r\n\x1a\n")
}

/// The model in a `.keras` archive.
pub(super) fn parse(mut archive: Archive<'_>, options: &Options) -> Result<Model> {
    let config = json(CONFIG, &archive.read(CONFIG)?)?;
    let metadata = match archive.names().iter().any(|name| name == "metadata.json") {
        true => json("metadata.json", &archive.read("metadata.json")?)?,
        false => Value::Null,
    };
    if !archive.names().iter().any(|name| name == WEIGHTS) {
        return Err(Error::refused(format!(
            "the Keras archive holds no `{WEIGHTS}`"
        )));
    }
    let weights = Weights::of_archive(archive.read(WEIGHTS)?)?;
    let version = metadata["keras_version"].as_str().unwrap_or("3");
    model(&config, version, &weights, options)
}

/// The model in an `.h5` file.
pub(super) fn parse_h5(bytes: &[u8], options: &Options) -> Result<Model> {
    let (weights, config, version) = Weights::of_h5(bytes)?;
    let config = json("model_config", config.as_bytes())?;
    // Before there was an attribute for it, it was Keras 2.
    model(
        &config,
        version.as_deref().unwrap_or("2"),
        &weights,
        options,
    )
}

fn json(name: &str, bytes: &[u8]) -> Result<Value> {
    distinct::json(&format!("the configuration `{name}`"), bytes)
}

fn model(config: &Value, version: &str, weights: &Weights, options: &Options) -> Result<Model> {
    super::refuse_activations(options, "a Keras model")?;
    let entries = inputs(config)?;
    let sizes: Vec<usize> = entries.iter().map(|(_, shape)| shape.size()).collect();
    let total = sizes.iter().fold(0usize, |sum, &n| sum.saturating_add(n));
    // Before a place is made for each entry.
    if total == 0 || total > WIDEST {
        return Err(Error::refused(format!(
            "the inputs of the model have {total} entries, wanted 1 to {WIDEST}"
        )));
    }
    let budget = Rc::new(Budget::new(weights.bytes()));
    let is_double = options.is_double();
    let mut builder = Builder {
        steps: Expressions::new(total, Tolerance::new(TOLERANCE, is_double), budget),
        weights,
        is_double,
        is_keras_2: version.starts_with("2.") || version == "2",
        made: HashMap::new(),
        calls: 0,
        notes: Vec::new(),
    };
    let mut start = 0usize;
    let mut arguments = Vec::new();
    for (name, shape) in &entries {
        let mut id = Expressions::INPUT;
        if entries.len() > 1 {
            let end = start + shape.size();
            let entries = Select::new(name.as_str(), total, start..end)?;
            id = builder.steps.layer(id, &entries.into());
            start = end;
        }
        let shape = shape.clone();
        arguments.push(Part { id, shape });
    }
    let given: Vec<Id> = arguments.iter().map(|part| part.id).collect();
    let outputs = builder.model(config, "", arguments)?;
    let ids: Vec<Id> = outputs.iter().map(|(_, part)| part.id).collect();
    if ids.iter().all(|id| given.contains(id)) {
        return Err(Error::refused(
            "the model has no layer: its output is an input as it comes, wanted at least one layer \
             that computes",
        )
        .with_help("in Python, save the trained network: model.save(\"model.keras\")"));
    }
    let output = builder.joined(|steps| steps.concat(ids))?;
    let stored = weights.precision();
    let precision = if is_double { Precision::F64 } else { stored };
    let (layers, rewritten) = lower::layers(&builder.steps, output, precision)?;

    let mut notes = builder.notes;
    notes.extend(rewritten);
    let mut model = Model::new(layers, precision)?.with_notes(notes);
    if precision != stored {
        model = model.widened_from(stored);
    }
    // A single one has a name that Keras made up, most often, and need not be told from others.
    if entries.len() > 1 {
        let names = entries.iter().zip(&sizes);
        let names = super::entry_names(names.map(|((name, _), size)| (&**name, *size)))?;
        model = model.with_input_names(names)?;
    }
    if outputs.len() > 1 {
        let names = outputs.iter();
        let names = super::entry_names(names.map(|(name, p)| (&**name, p.shape.size())))?;
        model = model.with_output_names(names)?;
    }
    Ok(model)
}

/// How far constants in activations that are written out in parts may be from theirs: what f32 rounds
/// away.
const TOLERANCE: f64 = 1e-6;

/// A value between the layers, and the shape that Keras sees.
#[derive(Debug, Clone)]
struct Part {
    id: Id,
    shape: Shape,
}

/// What a layer computes, and the shape of what comes out.
type Made = (Rc<Vec<Step>>, Shape);

struct Builder<'w> {
    steps: Expressions,
    weights: &'w Weights,
    is_keras_2: bool,
    /// Whether the model is read for an evaluation in f64, whatever the file has.
    is_double: bool,
    /// What is computed for a place of weights and a shape, so that a shared layer is read once.
    made: HashMap<(String, Shape), Made>,
    /// Calls of layers, those in the models that were entered.
    calls: usize,
    notes: Vec<String>,
}

/// Calls of layers at most, those in models counted at every call of these.
const MOST_CALLS: usize = 1 << 14;

impl Builder<'_> {
    /// The outputs of the model of this configuration called on `arguments`, with their names.
    fn model(
        &mut self,
        config: &Value,
        place: &str,
        arguments: Vec<Part>,
    ) -> Result<Vec<(String, Part)>> {
        match class(config) {
            "Sequential" => {
                let [mut part] = <[Part; 1]>::try_from(arguments).map_err(|found| {
                    Error::refused(format!(
                        "the Sequential model `{}` is called on {} tensors",
                        name(config),
                        found.len()
                    ))
                })?;
                let mut places = Places::new(place);
                let layers = sequence(config)?;
                self.enter(config, layers)?;
                for layer in layers {
                    let place = places.next(layer);
                    if class(layer) != "InputLayer" {
                        part = self.call_one(layer, &place, vec![part])?;
                    }
                }
                Ok(vec![(name(config).to_owned(), part)])
            }
            "Functional" | "Model" => self.functional(config, place, arguments),
            other => Err(Error::refused(format!(
                "the model is of the class `{other}`, wanted Sequential or Functional"
            ))
            .with_help(
                "a subclass of keras.Model does not say what it computes: build it from layers, \
                 or export it to ONNX",
            )),
        }
    }

    /// Counts the layers of a model, and refuses two of one name: by their names they are called, and
    /// in `.h5` files their weights are found.
    fn enter(&mut self, config: &Value, layers: &[Value]) -> Result<()> {
        let nodes = layers
            .iter()
            .map(|layer| array(&layer["inbound_nodes"]).len());
        self.calls += nodes.map(|nodes| nodes.max(1)).sum::<usize>();
        if self.calls > MOST_CALLS {
            return Err(Error::refused(format!(
                "the model calls more than {MOST_CALLS} layers"
            )));
        }
        let mut seen = HashSet::new();
        match layers.iter().find(|layer| !seen.insert(name(layer))) {
            None => Ok(()),
            Some(twice) => Err(Error::refused(format!(
                "the model `{}` has two layers `{}`",
                name(config),
                name(twice)
            ))),
        }
    }

    fn functional(
        &mut self,
        config: &Value,
        place: &str,
        arguments: Vec<Part>,
    ) -> Result<Vec<(String, Part)>> {
        let inputs = histories(&config["config"]["input_layers"])?;
        if inputs.len() != arguments.len() {
            return Err(Error::refused(format!(
                "the model `{}` takes {} tensors and is called on {}",
                name(config),
                inputs.len(),
                arguments.len()
            )));
        }
        let mut known: HashMap<History, Part> = inputs.into_iter().zip(arguments).collect();
        let mut places = Places::new(place);
        let mut calls = HashMap::new();
        let layers = list(&config["config"]["layers"], "layers")?;
        self.enter(config, layers)?;
        for layer in layers {
            let place = places.next(layer);
            for (number, node) in array(&layer["inbound_nodes"]).iter().enumerate() {
                let call = Call {
                    layer,
                    place: place.clone(),
                    arguments: called_on(layer, node)?,
                    is_waiting: false,
                    is_made: false,
                };
                calls.insert((name(layer).to_owned(), number as u64), call);
            }
        }
        let outputs = histories(&config["config"]["output_layers"])?;
        // From the outputs back, for the configuration need not name layers in the order in which
        // they are called.
        let mut wanted = outputs.clone();
        while let Some(history) = wanted.last() {
            if known.contains_key(history) {
                wanted.pop();
                continue;
            }
            let (layer, number, _) = history.clone();
            let nowhere = || {
                Error::refused(format!(
                    "the output of the layer `{layer}` is computed nowhere, or from itself"
                ))
            };
            let call = calls
                .get_mut(&(layer.clone(), number))
                .ok_or_else(nowhere)?;
            let parts = call.arguments.iter().map(|h| known.get(h).cloned());
            let parts: Option<Vec<_>> = parts.collect();
            // Whatever waited for its arguments has them when it is the last one again.
            match parts {
                Some(parts) if !call.is_made => {
                    call.is_made = true;
                    let outputs = self.call(call.layer, &call.place, parts)?;
                    for (tensor, (_, part)) in outputs.into_iter().enumerate() {
                        known.insert((layer.clone(), number, tensor as u64), part);
                    }
                }
                None if !call.is_waiting => {
                    call.is_waiting = true;
                    let missing = call.arguments.iter().filter(|h| !known.contains_key(*h));
                    wanted.extend(missing.cloned());
                }
                _ => return Err(nowhere()),
            }
        }
        let parts = outputs.into_iter().map(|history| {
            let part = known.get(&history).cloned();
            Ok((
                history.0,
                part.ok_or_else(|| Error::refused("an output without a value"))?,
            ))
        });
        parts.collect()
    }

    fn call_one(&mut self, layer: &Value, place: &str, arguments: Vec<Part>) -> Result<Part> {
        let mut outputs = self.call(layer, place, arguments)?;
        match outputs.pop() {
            Some((_, part)) if outputs.is_empty() => Ok(part),
            _ => Err(Error::refused(format!(
                "the layer `{}` of a Sequential model has {} outputs",
                name(layer),
                outputs.len()
            ))),
        }
    }

    /// The outputs of a layer called on these values.
    fn call(
        &mut self,
        layer: &Value,
        place: &str,
        arguments: Vec<Part>,
    ) -> Result<Vec<(String, Part)>> {
        let (name, class) = (name(layer), class(layer));
        if let "Sequential" | "Functional" | "Model" = class {
            self.weights.allow_nested(name)?;
            return self.model(layer, place, arguments);
        }
        self.steps.place = Place {
            operator: format!("the layer `{name}` ({class})").into(),
            name: name.into(),
            note: None,
        };
        let shapes = arguments.iter().map(|part| &part.shape);
        let ids: Vec<_> = arguments.iter().map(|part| part.id).collect();
        let part = match (class, &*ids) {
            ("Concatenate", _) => {
                let shape = layers::concatenated(name, &layer["config"], shapes)?;
                let id = self.joined(|steps| steps.concat(ids))?;
                Part { id, shape }
            }
            ("Add" | "Average" | "Multiply" | "Subtract", [first, others @ ..])
                if class != "Subtract" || others.len() == 1 =>
            {
                let shape = layers::same_shape(name, class, shapes)?;
                if class == "Average" && !ids.len().is_power_of_two() {
                    self.notes.push(format!(
                        "the layer `{name}` (Average) becomes a sum times the rounded reciprocal \
                         of {}",
                        ids.len()
                    ));
                }
                let id = self.joined(|steps| {
                    let others = others.iter();
                    match class {
                        "Subtract" => others.fold(*first, |a, &b| steps.subtract(a, b)),
                        "Multiply" => others.fold(*first, |a, &b| steps.multiply(a, b)),
                        "Add" => others.fold(*first, |a, &b| steps.add(a, b)),
                        _ => {
                            let sum = others.fold(*first, |a, &b| steps.add(a, b));
                            steps.scaled(sum, 1.0 / ids.len() as f64, 0.0)
                        }
                    }
                })?;
                Part { id, shape }
            }
            _ => {
                let [part] = <[Part; 1]>::try_from(arguments).map_err(|found| {
                    Error::refused(format!(
                        "the layer `{name}` ({class}) is called on {} tensors",
                        found.len()
                    ))
                    .with_help(layers::SUPPORTED)
                })?;
                let (made, shape) = self.layer(layer, place, &part.shape)?;
                let id = self.joined(|steps| {
                    made.iter().fold(part.id, |x, step| match step {
                        Step::Layer(layer) => steps.layer(x, layer),
                        Step::Prelu(slopes) => steps.prelu(x, slopes),
                    })
                })?;
                Part { id, shape }
            }
        };
        // Before the next layer makes room for so many.
        let size = part.shape.size();
        if size == 0 || size > WIDEST {
            return Err(Error::refused(format!(
                "the output of the layer `{name}` ({class}) has {size} entries, wanted 1 to {WIDEST}"
            )));
        }
        self.steps.budget.spend(size)?;
        Ok(vec![(name.to_owned(), part)])
    }

    /// What a layer on one value of this shape computes, and the shape of what comes out.
    fn layer(&mut self, layer: &Value, place: &str, shape: &Shape) -> Result<Made> {
        let key = (place.to_owned(), shape.clone());
        if let Some(made) = self.made.get(&key) {
            return Ok(made.clone());
        }
        let call = layers::Call {
            class: class(layer),
            name: name(layer),
            config: &layer["config"],
            shape,
            place,
            weights: self.weights,
            is_keras_2: self.is_keras_2,
            is_double: self.is_double,
        };
        let built = Shape::of_batch(&layer["build_config"]["input_shape"]);
        if let Some(built) = built.filter(|built| call.class == "Dense" && built != shape) {
            return Err(Error::refused(format!(
                "the layer `{}` (Dense) was built for the shape {:?} and is called on {:?}, wanted one \
                 shape",
                call.name, built.0, shape.0
            )));
        }
        // Factors and addends for each entry, which a layer without weights has too.
        self.steps.budget.take(2 * shape.size())?;
        let (steps, shape) = call.steps(&mut self.notes)?;
        let made = (Rc::new(steps), shape);
        self.made.insert(key, made.clone());
        Ok(made)
    }

    /// What `make` makes, if it is not more than a file should make.
    fn joined(&mut self, make: impl FnOnce(&mut Expressions) -> Id) -> Result<Id> {
        let id = make(&mut self.steps);
        self.steps.exhausted.take().map_or(Ok(id), Err)
    }
}

/// Where in the file of weights the layers of a model have theirs: Keras 3 numbers the layers of
/// each class, Keras 2 goes by the names of layers.
struct Places {
    before: String,
    classes: HashMap<String, usize>,
}

impl Places {
    fn new(before: &str) -> Self {
        Self {
            before: before.to_owned(),
            classes: HashMap::new(),
        }
    }

    fn next(&mut self, layer: &Value) -> String {
        let class = weights::snake_case(class(layer));
        let number = self.classes.entry(class.clone()).or_default();
        let place = match *number {
            0 => format!("{}layers/{class}/", self.before),
            n => format!("{}layers/{class}_{n}/", self.before),
        };
        *number += 1;
        place
    }
}

/// A layer called on the values with these histories.
struct Call<'c> {
    layer: &'c Value,
    place: String,
    arguments: Vec<History>,
    is_waiting: bool,
    is_made: bool,
}

/// Where a value comes from: the name of a layer, which call of it, which of its outputs.
type History = (String, u64, u64);

fn class(config: &Value) -> &str {
    config["class_name"].as_str().unwrap_or("")
}

/// The name of a layer or a model.
fn name(config: &Value) -> &str {
    let inside = config["config"]["name"].as_str();
    inside.or(config["name"].as_str()).unwrap_or("")
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn list<'c>(value: &'c Value, what: &str) -> Result<&'c [Value]> {
    let list = value.as_array();
    list.map(Vec::as_slice).ok_or_else(|| {
        Error::refused(format!(
            "the configuration of the model holds no list `{what}`"
        ))
    })
}

/// The layers of a Sequential model, which in old files are the configuration themselves.
fn sequence(config: &Value) -> Result<&[Value]> {
    match &config["config"] {
        Value::Array(layers) => Ok(layers),
        inside => list(&inside["layers"], "layers"),
    }
}

/// The names and shapes of the model's inputs.
fn inputs(config: &Value) -> Result<Vec<(String, Shape)>> {
    // What the configuration says of a shape in several places must be one shape.
    let stated = |name: &str, values: &[&Value]| -> Result<Option<Shape>> {
        let mut found: Option<Shape> = None;
        for value in values.iter().filter(|value| !value.is_null()) {
            let shape = Shape::of_batch(value);
            let is_other = |other: &Shape| found.as_ref().is_some_and(|first| first != other);
            match shape {
                Some(shape) if !is_other(&shape) => found = Some(shape),
                _ => {
                    return Err(Error::refused(format!(
                        "the configuration gives the input `{name}` the shape `{}`, wanted {}",
                        short(value),
                        match &found {
                            Some(first) => format!("{:?} after the rows, as before", first.0),
                            None => "null and the sizes of a row".to_owned(),
                        }
                    )));
                }
            }
        }
        Ok(found)
    };
    let shape_of = |layer: &Value, more: &[&Value]| {
        let inside = &layer["config"];
        let own = [&inside["batch_shape"], &inside["batch_input_shape"]];
        stated(name(layer), &[&own, more].concat())
    };
    let unknown = |name: &str| {
        Error::refused(format!(
            "the configuration does not say the shape of the input `{name}`"
        ))
        .with_help("call the model once or give it an Input layer before it is saved")
    };
    match class(config) {
        "Functional" | "Model" => {
            let layers = list(&config["config"]["layers"], "layers")?;
            let mut inputs = Vec::new();
            for (input, _, _) in histories(&config["config"]["input_layers"])? {
                let layer = layers.iter().find(|layer| name(layer) == input);
                let shape = layer
                    .map(|layer| shape_of(layer, &[]))
                    .transpose()?
                    .flatten();
                let shape = shape.ok_or_else(|| unknown(&input))?;
                inputs.push((input, shape));
            }
            if inputs.is_empty() {
                return Err(Error::refused("the model has no inputs"));
            }
            Ok(inputs)
        }
        _ => {
            let first = sequence(config).ok().and_then(<[_]>::first);
            let built = [
                &config["config"]["build_input_shape"],
                &config["build_config"]["input_shape"],
            ];
            let shape = match first {
                Some(layer) => shape_of(layer, &built)?,
                None => stated(name(config), &built)?,
            };
            let shape = match (class(config), shape) {
                (_, Some(shape)) => shape,
                // The class is refused by its name later.
                (class, None) if class != "Sequential" => Shape::vector(1),
                _ => return Err(unknown(name(config))),
            };
            Ok(vec![(name(config).to_owned(), shape)])
        }
    }
}

/// `["name", 0, 0]`, or a list of such.
fn histories(value: &Value) -> Result<Vec<History>> {
    let items = array(value);
    if items.first().is_some_and(Value::is_string) {
        return Ok(vec![history(value)?]);
    }
    if let Value::Object(named) = value {
        return named.values().map(history).collect();
    }
    items.iter().map(history).collect()
}

fn history(value: &Value) -> Result<History> {
    if let [Value::String(name), number, tensor, ..] = array(value)
        && let (Some(number), Some(tensor)) = (number.as_u64(), tensor.as_u64())
    {
        return Ok((name.clone(), number, tensor));
    }
    Err(Error::refused(format!(
        "the configuration refers to a tensor by `{}`, wanted a name and two numbers",
        short(value)
    )))
}

/// What a layer is called on in one node of the graph.
fn called_on(layer: &Value, node: &Value) -> Result<Vec<History>> {
    let odd = |found: &Value| {
        Error::refused(format!(
            "the layer `{}` ({}) is called with `{}`, which is not supported",
            name(layer),
            class(layer),
            short(found)
        ))
    };
    let is_harmless = |arguments: &Value| {
        let mut arguments = arguments.as_object().into_iter().flatten();
        arguments.all(|(key, value)| {
            value.is_null() || (key == "training" && value == &Value::Bool(false))
        })
    };
    let mut found = Vec::new();
    if let Some(arguments) = node.get("args") {
        if !is_harmless(&node["kwargs"]) {
            return Err(odd(&node["kwargs"]));
        }
        // Lists of tensors lie as deep as the caller wrote them.
        let mut rest = vec![arguments];
        while let Some(value) = rest.pop() {
            match value {
                Value::Array(values) => rest.extend(values.iter().rev()),
                _ if class(value) == "__keras_tensor__" => {
                    found.push(history(&value["config"]["keras_history"])?);
                }
                _ => return Err(odd(value)),
            }
        }
        return Ok(found);
    }
    let single = array(node).first().is_some_and(Value::is_string);
    let tensors = if single {
        std::slice::from_ref(node)
    } else {
        array(node)
    };
    for tensor in tensors {
        if let Some(arguments) = tensor.get(3)
            && !is_harmless(arguments)
        {
            return Err(odd(arguments));
        }
        found.push(history(tensor)?);
    }
    Ok(found)
}

/// The beginning of a value, for messages.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
