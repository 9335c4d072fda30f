//! The outline of a model in the metadata of its ONNX file: everything but the weights, which it
//! names.
//!
//! Whoever changes the graph leaves the outline behind. So a file is read by its outline only where
//! this model would be written as this very file; else the graph says what the model is, and the
//! outline what its inputs and outputs are called.

use std::{collections::HashMap, ops::Range};

use serde::{Deserialize, Serialize};

use crate::{
    activation::Activation,
    error::{Error, Result},
    import::onnx::proto,
    model::{self, Model, Precision, Tensor},
};

/// Where in the metadata it is.
const KEY: &str = "fnn";

/// The version of outlines.
const VERSION: u64 = 1;

/// Numbers at most, beside as many as the file has, of layers whose numbers are not in it: an
/// activation that stands alone takes memory by its size.
const FREE: usize = 1 << 20;

/// Everything about a model but its weights.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outline {
    version: u64,
    precision: String,
    inputs: Option<Vec<String>>,
    outputs: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input_units: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_units: Option<Vec<String>>,
    input_ranges: Option<Vec<(f64, f64)>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_ranges: Option<Vec<(f64, f64)>>,
    notes: Vec<String>,
    layers: Vec<Layer>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Layer {
    Dense(Dense),
    Affine(Affine),
    LayerNorm(LayerNorm),
    Softmax(Softmax),
    Select(Select),
    Residual(Residual),
    Concat(Concat),
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Dense {
    pub(super) name: String,
    pub(super) weight: String,
    pub(super) bias: String,
    pub(super) activation: String,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Affine {
    pub(super) name: String,
    pub(super) size: usize,
    /// Factors and addends, where they are not 1 and −0.
    pub(super) numbers: Option<(String, String)>,
    pub(super) activation: String,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct LayerNorm {
    pub(super) name: String,
    pub(super) scale: String,
    pub(super) shift: String,
    pub(super) epsilon: f64,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Softmax {
    pub(super) name: String,
    pub(super) size: usize,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Select {
    pub(super) name: String,
    pub(super) inputs: usize,
    pub(super) range: (usize, usize),
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Residual {
    pub(super) layers: Vec<Layer>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Concat {
    pub(super) branches: Vec<Vec<Layer>>,
}

impl Outline {
    pub(super) fn new(model: &Model, layers: Vec<Layer>) -> Self {
        let ends = |ranges: &[Range<f64>]| ranges.iter().map(|r| (r.start, r.end)).collect();
        Self {
            version: VERSION,
            precision: model.precision().to_string(),
            inputs: model.input_names().map(<[String]>::to_vec),
            outputs: model.output_names().map(<[String]>::to_vec),
            input_units: model.input_units().map(<[String]>::to_vec),
            output_units: model.output_units().map(<[String]>::to_vec),
            input_ranges: model.input_ranges().map(ends),
            output_ranges: model.output_ranges().map(ends),
            notes: model.notes().to_vec(),
            layers,
        }
    }

    pub(super) fn entry(&self) -> Result<proto::Entry> {
        let value = serde_json::to_string(self)
            .map_err(|e| Error::refused(format!("cannot write JSON: {e}")))?;
        Ok(proto::Entry {
            key: KEY.to_owned(),
            value,
        })
    }

    /// The outline in the metadata of a file, if there is one that is understood.
    pub(crate) fn of(file: &proto::Model) -> Option<Self> {
        let entry = file.metadata_props.iter().find(|entry| entry.key == KEY)?;
        let outline: Self = serde_json::from_str(&entry.value).ok()?;
        (outline.version == VERSION).then_some(outline)
    }

    /// The model, if it is written as this very file.
    pub(crate) fn model(&self, file: &proto::Model) -> Option<Model> {
        let graph = file.graph.as_ref()?;
        let precision = self.precision.parse().ok()?;
        let stored = || graph.initializer.iter();
        let bytes: usize = stored().map(|tensor| tensor.raw_data.len()).sum();
        let mut weights = Weights {
            precision,
            stored: stored().map(|tensor| (&*tensor.name, tensor)).collect(),
            more: FREE + bytes / 4,
        };
        let layers = weights.chain(&self.layers)?;
        let model = Model::new(layers, precision).ok()?;
        let model = self.named(model)?.with_notes(self.notes.clone());
        let mut again = super::file(&model, graph.node.len()).ok()?;
        again.producer_version.clone_from(&file.producer_version);
        (again == *file).then_some(model)
    }

    /// The model with the names and ranges of the outline; `None` where they do not fit it.
    fn named(&self, mut model: Model) -> Option<Model> {
        if let Some(names) = &self.inputs {
            model = model.with_input_names(names.clone()).ok()?;
        }
        if let Some(names) = &self.outputs {
            model = model.with_output_names(names.clone()).ok()?;
        }
        if let Some(units) = &self.input_units {
            model = model.with_input_units(units.clone()).ok()?;
        }
        if let Some(units) = &self.output_units {
            model = model.with_output_units(units.clone()).ok()?;
        }
        let ranges = |ends: &[(f64, f64)]| ends.iter().map(|&(start, end)| start..end).collect();
        if let Some(ends) = &self.input_ranges {
            model = model.with_input_ranges(ranges(ends)).ok()?;
        }
        if let Some(ends) = &self.output_ranges {
            model = model.with_output_ranges(ranges(ends)).ok()?;
        }
        Some(model)
    }

    /// A model that was read from the graph, with what the outline adds to it.
    pub(crate) fn on(&self, model: Model) -> Model {
        let mut notes = model.notes().to_vec();
        notes.push(
            "the graph is not as fnn writes the layers in the file's metadata, so the graph is read"
                .to_owned(),
        );
        let model = model.with_notes(notes);
        self.named(model.clone()).unwrap_or(model)
    }
}

/// The tensors of a file, each of which is taken once, so that layers take no more memory than they
/// take in the file.
struct Weights<'f> {
    precision: Precision,
    stored: HashMap<&'f str, &'f proto::Tensor>,
    /// How many more numbers may be taken that are not in the file.
    more: usize,
}

impl Weights<'_> {
    fn chain(&mut self, layers: &[Layer]) -> Option<Vec<model::Layer>> {
        layers.iter().map(|layer| self.layer(layer)).collect()
    }

    fn layer(&mut self, layer: &Layer) -> Option<model::Layer> {
        Some(match layer {
            Layer::Dense(dense) => {
                let mut weight = self.tensor(&dense.weight)?;
                weight.name.clone_from(&dense.name);
                let bias = self.tensor(&dense.bias)?;
                let activation = dense.activation.parse().ok()?;
                model::Dense::new(weight, Some(bias), activation)
                    .ok()?
                    .into()
            }
            Layer::Affine(affine) => {
                let activation: Activation = affine.activation.parse().ok()?;
                let name = affine.name.clone();
                let made = match &affine.numbers {
                    Some((scale, shift)) => {
                        let (scale, shift) = (self.tensor(scale)?, self.tensor(shift)?);
                        model::Affine::new(name, scale.numbers, shift.numbers, activation)
                    }
                    None => {
                        self.more = self.more.checked_sub(affine.size)?;
                        model::Affine::activation_only(name, affine.size, activation)
                    }
                };
                made.ok()?.into()
            }
            Layer::LayerNorm(norm) => {
                let (scale, shift) = (self.tensor(&norm.scale)?, self.tensor(&norm.shift)?);
                let (scale, shift) = (scale.numbers, shift.numbers);
                let made = model::LayerNorm::new(norm.name.clone(), scale, shift, norm.epsilon);
                made.ok()?.into()
            }
            Layer::Softmax(softmax) => {
                let made = model::Softmax::new(softmax.name.clone(), softmax.size);
                made.ok()?.into()
            }
            Layer::Select(select) => {
                let range = select.range.0..select.range.1;
                let made = model::Select::new(select.name.clone(), select.inputs, range);
                made.ok()?.into()
            }
            Layer::Residual(residual) => {
                let layers = self.chain(&residual.layers)?;
                model::Residual::new(layers).ok()?.into()
            }
            Layer::Concat(concat) => {
                let branches = concat.branches.iter().map(|branch| self.chain(branch));
                let branches = branches.collect::<Option<_>>()?;
                model::Concat::new(branches).ok()?.into()
            }
        })
    }

    fn tensor(&mut self, name: &str) -> Option<Tensor> {
        let tensor = self.stored.remove(name)?;
        let shape = tensor.dims.iter().map(|&size| usize::try_from(size).ok());
        let numbers = match self.precision {
            Precision::F32 => {
                let (items, _) = tensor.raw_data.as_chunks();
                let numbers = items.iter().map(|&item| f32::from_le_bytes(item).into());
                numbers.collect()
            }
            Precision::F64 => {
                let (items, _) = tensor.raw_data.as_chunks();
                items.iter().map(|&item| f64::from_le_bytes(item)).collect()
            }
        };
        Some(Tensor {
            name: tensor.name.clone(),
            shape: shape.collect::<Option<_>>()?,
            numbers,
        })
    }
}
