//! What a model is and what it costs on a device: what `fnn inspect` does.

use std::{
    fmt::{self, Display},
    ops::Range,
    path::Path,
};

use serde_json::{Value, json};

use crate::{
    activation::Activation,
    cost::{self, Estimate},
    error::Result,
    import,
    line::{self, visible, visible_json},
    model::{Layer, Model, Precision},
    order::Order,
};

/// What [`run`] is told: the options of `fnn inspect`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The number format of the estimated instructions; the model's own by default.
    pub precision: Option<Precision>,
    /// The order of accumulation of the Jacobian.
    pub order: Order,
    /// How the model is read.
    pub import: import::Options,
}

/// What there is to say of a model: as text with [`Display`], for programs with
/// [`to_json`](Self::to_json) and [`json`](Self::json).
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What was inspected.
    pub model: Model,
    /// The number format of the estimates.
    pub precision: Precision,
    /// The order that was asked for.
    pub order: Order,
    /// What an evaluation takes.
    pub cost: Cost,
}

/// What an evaluation takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    /// Multiply-adds of the value.
    pub value: usize,
    /// Multiply-adds of the Jacobian beside the value, accumulated forward.
    pub forward: usize,
    /// The same in reverse.
    pub reverse: usize,
    /// The same in the order that was asked for.
    pub chosen: usize,
    /// After which layer forward accumulation ends in that order: 0 is reverse alone, the depth
    /// forward alone.
    pub cut: usize,
    /// Memory in f32, then in f64.
    pub memory: [Memory; 2],
    /// Instructions and stack on each processor that was counted.
    pub estimates: Vec<Estimate>,
}

/// Bytes on the device.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// The number format.
    pub precision: Precision,
    /// Weights and biases, in flash.
    pub weights: usize,
    /// The workspace of a value with its Jacobian.
    pub workspace: usize,
    /// The workspace of a value alone.
    pub value_workspace: usize,
    /// The value and the Jacobian that are returned, on the stack.
    pub returned: usize,
    /// All of the stack of an evaluation, estimated, on each processor that was counted.
    pub stack: Vec<(&'static str, usize)>,
}

/// Reads the model at `model` and says what it is and what it costs.
///
/// # Errors
/// A model that cannot be read; an order with a cut after more layers than there are.
pub fn run(model: &Path, options: &Options) -> Result<Report> {
    let model = import::read(model, &options.import.for_evaluation(options.precision))?;
    let precision = options.precision.unwrap_or(model.precision());
    inspect(model, precision, options.order)
}

/// What `model` is and costs in this number format and order.
///
/// # Errors
/// An order with a cut after more layers than there are.
pub fn inspect(model: Model, precision: Precision, order: Order) -> Result<Report> {
    order.check(&model.shape())?;
    Ok(Report {
        cost: cost(&model, precision, order),
        model,
        precision,
        order,
    })
}

fn cost(model: &Model, precision: Precision, order: Order) -> Cost {
    let shape = model.shape();
    let (inputs, outputs, depth) = (model.inputs(), model.outputs(), shape.depth());
    let cut = order.cut(&shape, inputs);
    let estimates = |precision| cost::estimates(model, precision, order);
    let memory = |precision: Precision| Memory {
        precision,
        weights: model.parameters() * precision.bytes(),
        workspace: shape.workspace(cut, inputs) * precision.bytes(),
        value_workspace: shape.value_workspace() * precision.bytes(),
        returned: outputs * (1 + inputs) * precision.bytes(),
        stack: estimates(precision)
            .into_iter()
            .map(|e| (e.processor, e.stack))
            .collect(),
    };
    Cost {
        value: shape.value_multiply_adds(),
        forward: shape.jacobian_multiply_adds(depth, inputs),
        reverse: shape.jacobian_multiply_adds(0, inputs),
        chosen: shape.jacobian_multiply_adds(cut, inputs),
        cut,
        memory: [memory(Precision::F32), memory(Precision::F64)],
        estimates: estimates(precision),
    }
}

/// A layer in words, beside its name: kind, sizes, activation, parameters.
fn describe(layer: &Layer) -> String {
    let sizes = format!("{} -> {}", layer.inputs(), layer.outputs());
    let activation = activation_of(layer).map_or_else(String::new, |a| format!("  {a}"));
    format!("{:<10} {sizes:<12}{activation}", layer.kind())
}

/// The activation of a layer, if it is of a kind that has one.
fn activation_of(layer: &Layer) -> Option<Activation> {
    match layer {
        Layer::Dense(dense) => Some(dense.activation()),
        Layer::Affine(affine) => Some(affine.activation()),
        _ => None,
    }
}

/// Lines for layers and for those inside them.
fn lines(f: &mut fmt::Formatter<'_>, layers: &[Layer], indent: usize) -> fmt::Result {
    for layer in layers {
        let parameters = match layer.parameters() {
            0 => String::new(),
            count => format!("  {count} parameters"),
        };
        let (text, name) = (describe(layer), line::name(layer.name()));
        writeln!(f, "{:indent$}  {text:<43}{parameters:<18}  {name}", "")?;
        for (branch, layers) in layer.inside().into_iter().enumerate() {
            if branch > 0 {
                writeln!(f, "{:indent$}    beside it", "")?;
            }
            lines(f, layers, indent + 4)?;
        }
    }
    Ok(())
}

impl Report {
    /// [`to_json`](Self::to_json) as text that is safe to print: what does not show in names is
    /// escaped.
    pub fn json(&self) -> String {
        visible_json(&format!("{:#}\n", self.to_json()))
    }

    /// The same for programs. Counts are numbers, memory is in bytes, unknown things are null.
    pub fn to_json(&self) -> Value {
        let (model, cost) = (&self.model, &self.cost);
        let pairs = |ranges: &[Range<f64>]| -> Vec<[f64; 2]> {
            ranges
                .iter()
                .map(|range| [range.start, range.end])
                .collect()
        };
        json!({
            "file": model.source().map(|source| &source.file),
            "sha256": model.source().map(|source| &source.sha256),
            "precision": model.stored_precision().to_string(),
            "inputs": model.inputs(),
            "outputs": model.outputs(),
            "input_names": model.input_names(),
            "output_names": model.output_names(),
            "input_units": model.input_units(),
            "output_units": model.output_units(),
            "input_ranges": model.input_ranges().map(pairs),
            "output_ranges": model.output_ranges().map(pairs),
            "parameters": model.parameters(),
            "layers": layers_json(model.layers()),
            "notes": model.notes(),
            "order": self.order.to_string(),
            "multiply_adds": {
                "value": cost.value,
                "forward": cost.forward,
                "reverse": cost.reverse,
                "chosen": cost.chosen,
                "cut": cost.cut,
            },
            "memory": cost.memory.iter().map(|memory| json!({
                "precision": memory.precision.to_string(),
                "weights": memory.weights,
                "workspace": memory.workspace,
                "value_workspace": memory.value_workspace,
                "returned": memory.returned,
                "stack": memory.stack.iter().map(|(processor, bytes)| {
                    ((*processor).to_owned(), json!(bytes))
                }).collect::<serde_json::Map<_, _>>(),
            })).collect::<Vec<_>>(),
            "instructions": cost.estimates.iter().map(|e| json!({
                "processor": e.processor,
                "precision": self.precision.to_string(),
                "value": e.value,
                "evaluation": e.evaluation,
                "relative_error": e.error,
            })).collect::<Vec<_>>(),
        })
    }
}

fn layers_json(layers: &[Layer]) -> Value {
    layers
        .iter()
        .map(|layer| {
            json!({
                "kind": layer.kind(),
                "name": layer.name(),
                "inputs": layer.inputs(),
                "outputs": layer.outputs(),
                "activation": activation_of(layer).map(|a| a.to_string()),
                "parameters": layer.parameters(),
                "inside": layer.inside().into_iter().map(layers_json).collect::<Vec<_>>(),
            })
        })
        .collect()
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = &self.model;
        if let Some(source) = model.source() {
            writeln!(f, "{}  sha256 {}", visible(&source.file), &source.sha256)?;
        }
        let (inputs, outputs) = (model.inputs(), model.outputs());
        writeln!(
            f,
            "{inputs} inputs, {outputs} outputs, {} parameters in {}",
            grouped(model.parameters()),
            model.stored_precision()
        )?;

        writeln!(f, "\nlayers")?;
        lines(f, model.layers(), 0)?;
        for (what, names, units, ranges) in [
            (
                "inputs",
                model.input_names(),
                model.input_units(),
                model.input_ranges(),
            ),
            (
                "outputs",
                model.output_names(),
                model.output_units(),
                model.output_ranges(),
            ),
        ] {
            let Some(names) = names else { continue };
            writeln!(f, "\n{what}")?;
            for (i, name) in names.iter().enumerate() {
                let name = line::name(name);
                let unit = units.and_then(|units| units.get(i));
                let unit = unit.filter(|unit| !unit.is_empty());
                let unit =
                    unit.map_or_else(String::new, |unit| format!("  [{}]", line::name(unit)));
                let range = ranges.and_then(|ranges| ranges.get(i));
                let range =
                    range.map_or_else(String::new, |r| format!("  {:?} to {:?}", r.start, r.end));
                writeln!(f, "  {i}  {name}{unit}{range}")?;
            }
        }
        if !model.notes().is_empty() {
            writeln!(f, "\nwhat became what")?;
            for note in model.notes() {
                writeln!(f, "  {note}")?;
            }
        }
        let cost = &self.cost;
        let depth = model.layers().len();
        writeln!(f, "\nmultiply-adds")?;
        let rows = [
            ("value".to_owned(), cost.value),
            ("Jacobian beside it, forward".to_owned(), cost.forward),
            ("                    in reverse".to_owned(), cost.reverse),
            (
                format!(
                    "                    as chosen: {}",
                    match cost.cut {
                        0 => "in reverse".to_owned(),
                        cut if cut == depth => "forward".to_owned(),
                        cut => format!("forward to layer {cut}, then in reverse"),
                    }
                ),
                cost.chosen,
            ),
        ];
        let wide = rows.iter().map(|(text, _)| text.len()).max().unwrap_or(0);
        for (text, count) in rows {
            writeln!(f, "  {text:<wide$}  {:>11}", grouped(count))?;
        }

        writeln!(
            f,
            "\nbytes                                     f32          f64"
        )?;
        let row = |f: &mut fmt::Formatter<'_>, what: &str, bytes: &dyn Fn(&Memory) -> usize| {
            let [single, double] = cost.memory.each_ref().map(|memory| grouped(bytes(memory)));
            writeln!(f, "  {what:<32}{single:>11}  {double:>11}")
        };
        row(f, "flash: weights", &|m| m.weights)?;
        row(f, "workspace", &|m| m.workspace)?;
        row(f, "workspace of the value alone", &|m| m.value_workspace)?;
        row(f, "value and Jacobian, returned", &|m| m.returned)?;
        for at in 0..cost.memory[0].stack.len() {
            let name = format!("stack on {}, about", cost.memory[0].stack[at].0);
            row(f, &name, &|m| m.stack.get(at).map_or(0, |stack| stack.1))?;
        }

        writeln!(
            f,
            "\ninstructions in {}, estimated            value   with Jacobian   within",
            self.precision
        )?;
        for e in &cost.estimates {
            let [value, evaluation] = [e.value, e.evaluation].map(instructions);
            let error = within(e);
            writeln!(
                f,
                "  {:<30}{value:>13}  {evaluation:>14}   {error:>6}",
                e.processor
            )?;
        }
        if are_missing(&cost.estimates) {
            writeln!(f, "  {NO_ESTIMATE}.")?;
        }
        if self.precision == Precision::F64 {
            writeln!(
                f,
                "  Most of these compute f64 in software; --precision f32 is for them."
            )?;
        }
        Ok(())
    }
}

/// What stands beside the estimates where one is missing.
pub(crate) const NO_ESTIMATE: &str = "-: no estimate, since no network so small and none of a single \
                                      layer is among those of the fit";

/// Whether one of the counts is not estimated.
pub(crate) fn are_missing(estimates: &[Estimate]) -> bool {
    let mut counts = estimates.iter().flat_map(|e| [e.value, e.evaluation]);
    counts.any(|count| count.is_none())
}

/// Estimated instructions, where there is an estimate.
pub(crate) fn instructions(count: Option<u64>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| grouped(count as usize))
}

/// The error of the estimates for a processor, where there is one of them.
pub(crate) fn within(estimate: &Estimate) -> String {
    match estimate.value.or(estimate.evaluation) {
        Some(_) => format!("{:.0} %", (100.0 * estimate.error).ceil()),
        None => "-".to_owned(),
    }
}

/// A count with a space between groups of three digits.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Affine, Dense, Residual, Tensor};

    #[test]
    fn digits_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(123), "123");
        assert_eq!(grouped(1_234_567), "1 234 567");
    }

    #[test]
    fn other_layers_are_listed_with_those_inside() {
        let weight = Tensor {
            name: "w".to_owned(),
            shape: vec![2, 2],
            numbers: vec![0.5; 4],
        };
        let dense = Dense::new(weight, None, Activation::Tanh).unwrap();
        let scaling = Affine::new("scaling", vec![2.0; 2], vec![0.0; 2], Activation::Identity);
        let layers = vec![
            Layer::from(scaling.unwrap()),
            Residual::new(vec![dense.into()]).unwrap().into(),
        ];
        let model = Model::new(layers, Precision::F32)
            .unwrap()
            .with_notes(vec!["`a` became `b`".to_owned()]);
        let report = inspect(model, Precision::F32, Order::Auto).unwrap();
        let text = report.to_string();
        for part in [
            "affine",
            "residual",
            "      dense",
            "tanh",
            "  `a` became `b`\n",
            "10 parameters",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let json = report.to_json();
        assert_eq!(json["layers"][1]["inside"][0][0]["activation"], "tanh");
        assert_eq!(json["multiply_adds"]["value"], 4);
        assert_eq!(json["multiply_adds"]["forward"], 8);
        assert_eq!(json["instructions"].as_array().map(Vec::len), Some(4));
    }
}
