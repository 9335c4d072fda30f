//! Models as JSON text, for those written by hand and exported from elsewhere; `model.schema.json`
//! in this package says what it looks like.
//!
//! A layer is an object with one member, the kind, so that a mistake is found where it stands:
//! `{"dense": {"weight": [[1, 2]], "activation": "tanh"}}`.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::{
    activation::Activation,
    error::{Error, Result},
    line::visible_json,
    model::{self, Model, Precision, Tensor},
};

/// The version of the format.
const VERSION: u64 = 1;

/// Whether these bytes begin like JSON text with an object. A safetensors file may begin with the
/// same character, but its first number has zeros.
pub(crate) fn recognise(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
    first == Some(&b'{') && !bytes.iter().take(8).any(|&b| b == 0)
}

/// What `Model.to_json` of Keras writes, as far as it is known by it.
#[derive(Deserialize)]
struct Keras {
    class_name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// What editors look for.
    #[serde(rename = "$schema")]
    _schema: Option<String>,
    version: u64,
    precision: String,
    inputs: Option<Vec<String>>,
    outputs: Option<Vec<String>>,
    input_units: Option<Vec<String>>,
    output_units: Option<Vec<String>>,
    input_ranges: Option<Vec<(f64, f64)>>,
    output_ranges: Option<Vec<(f64, f64)>>,
    #[serde(default)]
    notes: Vec<String>,
    layers: Vec<Layer>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Layer {
    Dense(Dense),
    Affine(Affine),
    LayerNorm(LayerNorm),
    Softmax(Softmax),
    Select(Select),
    Residual(Residual),
    Concat(Concat),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Dense {
    name: Option<String>,
    weight: Vec<Vec<f64>>,
    bias: Option<Vec<f64>>,
    #[serde(default = "identity")]
    activation: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Affine {
    name: Option<String>,
    scale: Vec<f64>,
    shift: Vec<f64>,
    #[serde(default = "identity")]
    activation: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct LayerNorm {
    name: Option<String>,
    scale: Vec<f64>,
    shift: Vec<f64>,
    epsilon: f64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Softmax {
    name: Option<String>,
    size: usize,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Select {
    name: Option<String>,
    inputs: usize,
    /// The first entry, and the one after the last.
    range: (usize, usize),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Residual {
    layers: Vec<Layer>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Concat {
    branches: Vec<Vec<Layer>>,
}

fn identity() -> String {
    Activation::Identity.to_string()
}

/// The model that this text describes. Numbers are rounded to the precision that it states, or, read
/// for an evaluation in f64, are the f64 that are nearest to the text.
///
/// # Errors
/// Text that is not JSON or not of this format, by line and column; a layer that cannot be, by its
/// name or its place among the layers.
pub(crate) fn parse(bytes: &[u8], is_double: bool) -> Result<Model> {
    let document: Document = serde_json::from_slice(bytes).map_err(|e| {
        let keras: Option<Keras> = serde_json::from_slice(bytes).ok();
        if let Some(Keras { class_name }) = keras {
            return Error::refused(format!(
                "this is the configuration of a Keras model, of the class `{class_name}`, without \
                 its weights"
            ))
            .with_help(
                "in Python: keras.models.model_from_json(text), model.load_weights(...), \
                 model.save(\"model.keras\")",
            );
        }
        Error::refused(format!("the JSON text is not a model: {e}"))
            .with_help("what a model looks like is described in fnn-std/model.schema.json")
    })?;
    if document.version != VERSION {
        return Err(Error::refused(format!(
            "the JSON text is of version {}, wanted {VERSION}",
            document.version
        )));
    }
    let stored: Precision = document.precision.parse()?;
    let precision = if is_double { Precision::F64 } else { stored };
    let layers = read_chain("layers", document.layers, precision)?;
    let mut model = Model::new(layers, precision)?.with_notes(document.notes);
    if precision != stored {
        model = model.widened_from(stored);
    }
    if let Some(names) = document.inputs {
        model = model.with_input_names(names)?;
    }
    if let Some(names) = document.outputs {
        model = model.with_output_names(names)?;
    }
    if let Some(units) = document.input_units {
        model = model.with_input_units(units)?;
    }
    if let Some(units) = document.output_units {
        model = model.with_output_units(units)?;
    }
    if let Some(ranges) = document.input_ranges {
        model = model.with_input_ranges(ranges.into_iter().map(|(a, b)| a..b).collect())?;
    }
    if let Some(ranges) = document.output_ranges {
        model = model.with_output_ranges(ranges.into_iter().map(|(a, b)| a..b).collect())?;
    }
    Ok(model)
}

fn read_chain(place: &str, layers: Vec<Layer>, precision: Precision) -> Result<Vec<model::Layer>> {
    let layers = layers.into_iter().enumerate();
    layers
        .map(|(i, layer)| read_layer(&format!("{place}[{i}]"), layer, precision))
        .collect()
}

fn read_layer(place: &str, layer: Layer, precision: Precision) -> Result<model::Layer> {
    let round = |numbers: Vec<f64>| match precision {
        Precision::F32 => numbers.into_iter().map(|x| f64::from(x as f32)).collect(),
        Precision::F64 => numbers,
    };
    let named = |name: Option<String>| name.unwrap_or_else(|| place.to_owned());
    let activation = |text: &str| -> Result<Activation> {
        text.parse().map_err(|e: Error| {
            let line = format!("the layer of `{place}`: {e}");
            e.help().fold(Error::refused(line), Error::with_help)
        })
    };
    Ok(match layer {
        Layer::Dense(dense) => {
            let name = named(dense.name);
            let neurons = dense.weight.len();
            let inputs = dense.weight.first().map_or(0, Vec::len);
            if let Some(row) = dense.weight.iter().position(|row| row.len() != inputs) {
                return Err(Error::refused(format!(
                    "row {row} of the weight of `{name}` has {} numbers and row 0 has {inputs}",
                    dense.weight[row].len()
                )));
            }
            let weight = Tensor {
                name: name.clone(),
                shape: vec![neurons, inputs],
                numbers: round(dense.weight.concat()),
            };
            let bias = dense.bias.map(|bias| Tensor {
                name: format!("bias of {name}"),
                shape: vec![bias.len()],
                numbers: round(bias),
            });
            model::Dense::new(weight, bias, activation(&dense.activation)?)?.into()
        }
        Layer::Affine(affine) => {
            let (scale, shift) = (round(affine.scale), round(affine.shift));
            let activation = activation(&affine.activation)?;
            model::Affine::new(named(affine.name), scale, shift, activation)?.into()
        }
        Layer::LayerNorm(norm) => {
            let (scale, shift) = (round(norm.scale), round(norm.shift));
            model::LayerNorm::new(named(norm.name), scale, shift, norm.epsilon)?.into()
        }
        Layer::Softmax(softmax) => model::Softmax::new(named(softmax.name), softmax.size)?.into(),
        Layer::Select(select) => {
            let range = select.range.0..select.range.1;
            model::Select::new(named(select.name), select.inputs, range)?.into()
        }
        Layer::Residual(residual) => {
            let layers = read_chain(&format!("{place}.layers"), residual.layers, precision)?;
            model::Residual::new(layers)?.into()
        }
        Layer::Concat(concat) => {
            let branches = concat.branches.into_iter().enumerate().map(|(i, branch)| {
                read_chain(&format!("{place}.branches[{i}]"), branch, precision)
            });
            model::Concat::new(branches.collect::<Result<_>>()?)?.into()
        }
    })
}

/// The text that describes `model`, a layer a line; every number reads back to the same bits.
///
/// # Errors
/// A layer of a kind that the format does not have.
pub(crate) fn text(model: &Model) -> Result<String> {
    let mut text = String::from("{\n");
    let mut member = |key: &str, value: String| {
        let _ = writeln!(text, "  \"{key}\": {value},");
    };
    member("version", VERSION.to_string());
    member("precision", written(&model.precision().to_string())?);
    for (key, texts) in [
        ("inputs", model.input_names()),
        ("outputs", model.output_names()),
        ("input_units", model.input_units()),
        ("output_units", model.output_units()),
    ] {
        if let Some(texts) = texts {
            member(key, written(texts)?);
        }
    }
    for (key, ranges) in [
        ("input_ranges", model.input_ranges()),
        ("output_ranges", model.output_ranges()),
    ] {
        if let Some(ranges) = ranges {
            let ends = ranges.iter().map(|range| (range.start, range.end));
            member(key, written(&ends.collect::<Vec<_>>())?);
        }
    }
    if !model.notes().is_empty() {
        member("notes", written(model.notes())?);
    }
    text += "  \"layers\": [\n";
    for (i, layer) in model.layers().iter().enumerate() {
        let comma = if i + 1 < model.layers().len() {
            ","
        } else {
            ""
        };
        let _ = writeln!(text, "    {}{comma}", written(&write_layer(layer)?)?);
    }
    text += "  ]\n}\n";
    Ok(text)
}

fn written(value: &(impl Serialize + ?Sized)) -> Result<String> {
    let text = serde_json::to_string(value);
    let text = text.map(|text| visible_json(&text));
    text.map_err(|e| Error::refused(format!("cannot write JSON: {e}")))
}

fn write_layer(layer: &model::Layer) -> Result<Layer> {
    let name = Some(layer.name().to_owned());
    let chain =
        |layers: &[model::Layer]| layers.iter().map(write_layer).collect::<Result<Vec<_>>>();
    Ok(match layer {
        model::Layer::Dense(dense) => Layer::Dense(Dense {
            name,
            weight: dense.rows().map(<[f64]>::to_vec).collect(),
            bias: Some(dense.bias().to_vec()),
            activation: dense.activation().to_string(),
        }),
        model::Layer::Affine(affine) => Layer::Affine(Affine {
            name,
            scale: affine.scale().to_vec(),
            shift: affine.shift().to_vec(),
            activation: affine.activation().to_string(),
        }),
        model::Layer::LayerNorm(norm) => Layer::LayerNorm(LayerNorm {
            name,
            scale: norm.scale().to_vec(),
            shift: norm.shift().to_vec(),
            epsilon: norm.epsilon(),
        }),
        model::Layer::Softmax(_) => Layer::Softmax(Softmax {
            name,
            size: layer.inputs(),
        }),
        model::Layer::Select(select) => Layer::Select(Select {
            name,
            inputs: layer.inputs(),
            range: (select.range().start, select.range().end),
        }),
        model::Layer::Residual(residual) => Layer::Residual(Residual {
            layers: chain(residual.layers())?,
        }),
        model::Layer::Concat(concat) => Layer::Concat(Concat {
            branches: concat
                .branches()
                .iter()
                .map(|b| chain(b))
                .collect::<Result<_>>()?,
        }),
    })
}
