//! What the layers of Keras compute when they do not train, in layers of a model.

use serde_json::Value;

use super::{array, class, short, weights::Weights};
use crate::{
    activation::Activation,
    error::{Error, Result},
    model::{Affine, Dense, Layer, LayerNorm, Precision, Softmax, Tensor},
};

/// The classes that are read, for messages.
pub(super) const SUPPORTED: &str = "supported are Dense, Activation and the activations that are layers, Softmax, Normalization, \
     Rescaling, BatchNormalization, LayerNormalization, Dropout and other layers that only work in \
     training, Flatten, Reshape to a vector, Concatenate, Add, Subtract, Average, Multiply of \
     what makes an activation, InputLayer, Sequential and Functional models";

/// The sizes of a tensor without the batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Shape(pub(super) Vec<usize>);

impl Shape {
    pub(super) fn vector(size: usize) -> Self {
        Self(vec![size])
    }

    /// The shape of the configuration's `[null, 4]`; `None` where a size is not stated.
    pub(super) fn of_batch(value: &Value) -> Option<Self> {
        let sizes = value.as_array()?.get(1..)?;
        let sizes = sizes.iter().map(|n| usize::try_from(n.as_u64()?).ok());
        sizes.collect::<Option<Vec<_>>>().map(Self)
    }

    /// How many entries it has, as many as can be counted at most.
    pub(super) fn size(&self) -> usize {
        self.0.iter().fold(1, |size, &n| size.saturating_mul(n))
    }

    /// Refuses what is not a vector: a layer that works along the last axis would work on each of
    /// several.
    fn check_vector(&self, name: &str, class: &str) -> Result<()> {
        match self.0.split_last() {
            Some((_, others)) if others.iter().all(|&n| n == 1) => Ok(()),
            _ => Err(Error::refused(format!(
                "the layer `{name}` ({class}) works on the shape {:?}, wanted a vector",
                self.0
            ))
            .with_help("put a Flatten layer before it if that is what is meant")),
        }
    }

    fn with_last(&self, size: usize) -> Self {
        let mut shape = self.clone();
        if let Some(last) = shape.0.last_mut() {
            *last = size;
        }
        shape
    }
}

/// The activations that are the same functions under the same names.
const SAME: [&str; 13] = [
    "mish",
    "tanh",
    "sigmoid",
    "softplus",
    "silu",
    "swish",
    "gelu",
    "relu",
    "elu",
    "selu",
    "softsign",
    "hard_sigmoid",
    "hard_swish",
];

/// A part of what a layer computes.
pub(super) enum Step {
    Layer(Layer),
    /// A leaky ReLU with a slope of its own for each entry.
    Prelu(Vec<f64>),
}

/// A layer called on a value of some shape.
pub(super) struct Call<'c> {
    pub(super) class: &'c str,
    pub(super) name: &'c str,
    pub(super) config: &'c Value,
    pub(super) shape: &'c Shape,
    pub(super) place: &'c str,
    pub(super) weights: &'c Weights,
    pub(super) is_keras_2: bool,
    pub(super) is_double: bool,
}

impl Call<'_> {
    /// What it computes, and the shape of what comes out.
    pub(super) fn steps(&self, notes: &mut Vec<String>) -> Result<(Vec<Step>, Shape)> {
        if self.class == "PReLU" {
            let slopes = self.variables(&["alpha"])?.pop();
            let slopes = slopes.map(|tensor| tensor.numbers).unwrap_or_default();
            let slopes = self.spread("slopes", slopes)?;
            return Ok((vec![Step::Prelu(slopes)], self.shape.clone()));
        }
        let (layers, shape) = self.layers(notes)?;
        Ok((layers.into_iter().map(Step::Layer).collect(), shape))
    }

    /// The layers of a model that it is, and the shape of what comes out of them.
    fn layers(&self, notes: &mut Vec<String>) -> Result<(Vec<Layer>, Shape)> {
        let size = self.shape.size();
        let same = |layers| Ok((layers, self.shape.clone()));
        if let Some(dtype) = self.dtype()
            && !["float32", "float64"].contains(&dtype)
        {
            notes.push(format!(
                "the layer `{}` computes in {dtype} in Keras, in {} here",
                self.name,
                self.precision()
            ));
        }
        match self.class {
            "Dense" => self.dense(),
            "Activation" => same(self.activation(&self.config["activation"])?),
            "ReLU" => same(self.relu()?),
            "LeakyReLU" => {
                let slope = self.number_of(&["negative_slope", "alpha"], 0.3)?;
                same(self.alone(Activation::LeakyRelu(slope))?)
            }
            "ELU" => {
                let alpha = self.number_of(&["alpha"], 1.0)?;
                same(self.alone(Activation::Elu(alpha))?)
            }
            "Softmax" => {
                self.check_axis()?;
                same(self.softmax()?)
            }
            "Normalization" => same(self.normalization(notes)?),
            "Rescaling" => {
                let scale = self.entries("scale", 1.0)?;
                let offset = self.entries("offset", 0.0)?;
                same(vec![self.affine(scale, offset)?])
            }
            "BatchNormalization" => same(self.batch_normalization(notes)?),
            "LayerNormalization" => same(self.layer_normalization()?),
            "Dropout"
            | "AlphaDropout"
            | "GaussianDropout"
            | "GaussianNoise"
            | "ActivityRegularization"
            | "Identity" => same(Vec::new()),
            "Flatten" => Ok((Vec::new(), Shape::vector(size))),
            "Reshape" => {
                let target = array(&self.config["target_shape"]);
                let sizes = target.iter().map(|n| match n.as_i64() {
                    Some(-1) => Some(size),
                    _ => n.as_u64().and_then(|n| usize::try_from(n).ok()),
                });
                let shape = sizes.collect::<Option<Vec<_>>>().map(Shape);
                match shape.filter(|shape| shape.size() == size) {
                    Some(shape) => Ok((Vec::new(), shape)),
                    None => Err(self.refused("target_shape")),
                }
            }
            "" => Err(Error::refused(
                "the configuration holds a layer without a class",
            )),
            other => {
                let name = self.name;
                let error = Error::refused(format!(
                    "the layer `{name}` is of the class `{other}`, which is not supported"
                ));
                Err(error.with_help(SUPPORTED))
            }
        }
    }

    /// That what the configuration says of `key` is not supported.
    fn refused(&self, key: &str) -> Error {
        Error::refused(format!(
            "the layer `{}` ({}) has the {key} `{}`, which is not supported",
            self.name,
            self.class,
            short(&self.config[key])
        ))
    }

    fn flag(&self, key: &str, usual: bool) -> bool {
        self.config[key].as_bool().unwrap_or(usual)
    }

    /// The number under the first of `keys` that the configuration has; some versions of Keras
    /// write it as `{"class_name": "__numpy__", "config": {"value": 0.3}}`.
    fn number_of(&self, keys: &[&str], usual: f64) -> Result<f64> {
        let Some(key) = keys.iter().find(|key| !self.config[**key].is_null()) else {
            return Ok(usual);
        };
        let value = &self.config[*key];
        let number = value.as_f64().or(value["config"]["value"].as_f64());
        number.ok_or_else(|| self.refused(key))
    }

    /// The numbers under `key`, one or one for each entry, as one for each entry.
    fn entries(&self, key: &str, usual: f64) -> Result<Vec<f64>> {
        let mut numbers = Vec::new();
        let mut rest = vec![&self.config[key]];
        while let Some(value) = rest.pop() {
            match value {
                Value::Array(values) => rest.extend(values.iter().rev()),
                Value::Null if self.config[key].is_null() => numbers.push(usual),
                _ => numbers.push(value.as_f64().ok_or_else(|| self.refused(key))?),
            }
        }
        let precision = self.precision();
        let numbers: Vec<_> = numbers.into_iter().map(|x| precision.round(x)).collect();
        self.spread(key, numbers)
    }

    /// A number for each entry; a single one is that of all.
    fn spread(&self, what: &str, numbers: Vec<f64>) -> Result<Vec<f64>> {
        let size = self.shape.size();
        if let [number] = numbers[..] {
            // Checked before so much room is made.
            Softmax::new(self.name, size)?;
            return Ok(vec![number; size]);
        }
        self.shape.check_vector(self.name, self.class)?;
        if numbers.len() != size {
            return Err(Error::refused(format!(
                "the layer `{}` ({}) has {} numbers of its {what} for {size} entries",
                self.name,
                self.class,
                numbers.len()
            )));
        }
        Ok(numbers)
    }

    /// The number format that the layer computes in.
    fn precision(&self) -> Precision {
        match self.dtype() {
            _ if self.is_double => Precision::F64,
            Some("float64") => Precision::F64,
            _ => Precision::F32,
        }
    }

    /// What the configuration calls the number format, or several of them.
    fn dtype(&self) -> Option<&str> {
        let dtype = &self.config["dtype"];
        dtype.as_str().or(dtype["config"]["name"].as_str())
    }

    fn variables(&self, names: &[&str]) -> Result<Vec<Tensor>> {
        self.weights.variables(self.name, self.place, names)
    }

    /// Refuses what works along another axis than the last.
    fn check_axis(&self) -> Result<()> {
        self.shape.check_vector(self.name, self.class)?;
        let axis = &self.config["axis"];
        let axes = match axis {
            Value::Array(axes) => axes.as_slice(),
            _ => std::slice::from_ref(axis),
        };
        match axes {
            // Keras writes no axis in either way.
            [] | [Value::Null] => Ok(()),
            [axis] if is_last(axis, self.shape) => Ok(()),
            _ => Err(self.refused("axis")),
        }
    }

    fn affine(&self, scale: Vec<f64>, shift: Vec<f64>) -> Result<Layer> {
        Ok(Affine::new(self.name, scale, shift, Activation::Identity)?.into())
    }

    fn alone(&self, activation: Activation) -> Result<Vec<Layer>> {
        let size = self.shape.size();
        Ok(vec![
            Affine::activation_only(self.name, size, activation)?.into(),
        ])
    }

    fn softmax(&self) -> Result<Vec<Layer>> {
        self.shape.check_vector(self.name, "softmax")?;
        Ok(vec![Softmax::new(self.name, self.shape.size())?.into()])
    }

    fn dense(&self) -> Result<(Vec<Layer>, Shape)> {
        self.shape.check_vector(self.name, self.class)?;
        let mut names = vec!["kernel"];
        if self.flag("use_bias", true) {
            names.push("bias");
        }
        if !self.config["lora_rank"].is_null() {
            return Err(self.refused("lora_rank"));
        }
        let mut variables = self.variables(&names)?.into_iter();
        let (Some(kernel), bias) = (variables.next(), variables.next()) else {
            return Err(self.refused("units"));
        };
        self.check_kernel(&kernel)?;
        let dense = Dense::new(kernel.transposed(), bias, Activation::Identity)?;
        let shape = self.shape.with_last(dense.outputs());
        let after = Call {
            shape: &shape,
            ..*self
        };
        let activation = after.activation(&self.config["activation"])?;
        let mut layers = vec![dense.into()];
        layers.extend(activation);
        Ok((layers, shape))
    }

    /// Refuses a kernel of other sizes than the configuration says: one of them is another model's.
    fn check_kernel(&self, kernel: &Tensor) -> Result<()> {
        let inputs = self.shape.size();
        let units = self.config["units"].as_u64();
        let units = units.and_then(|n| usize::try_from(n).ok());
        let units = units.ok_or_else(|| self.refused("units"))?;
        if kernel.shape != [inputs, units] {
            return Err(Error::refused(format!(
                "the layer `{}` (Dense) has the kernel `{}` of the shape {:?}, wanted \
                 [{inputs}, {units}] by the configuration",
                self.name, kernel.name, kernel.shape
            ))
            .with_help(
                "the configuration and the weights are of different models: in Python, save them \
                 together with model.save(\"model.keras\")",
            ));
        }
        Ok(())
    }

    /// The layers of an activation, by its name or as a layer of its own; none for the identity.
    fn activation(&self, value: &Value) -> Result<Vec<Layer>> {
        let name = match value {
            Value::Null => return Ok(Vec::new()),
            Value::String(name) => name,
            _ => match &value["config"] {
                // A function: {"class_name": "function", "config": "relu"}.
                Value::String(name) => name,
                config => {
                    let layer = Call {
                        class: class(value),
                        config,
                        ..*self
                    };
                    return match layer.class {
                        "ReLU" | "LeakyReLU" | "ELU" | "Softmax" | "Activation" => {
                            Ok(layer.layers(&mut Vec::new())?.0)
                        }
                        _ => Err(self.refused("activation")),
                    };
                }
            },
        };
        let activation = match name.as_str() {
            "linear" => return Ok(Vec::new()),
            "softmax" => return self.softmax(),
            "relu6" => return self.clipped(6.0),
            "leaky_relu" => Activation::LeakyRelu(0.2),
            "hard_silu" => Activation::HardSwish,
            // max(0, min(1, 0.2 z + 0.5)) in Keras 2, another function than that of Keras 3.
            "hard_sigmoid" if self.is_keras_2 => {
                let size = self.shape.size();
                let [fifth, half] = [0.2, 0.5].map(|x| self.precision().round(x));
                Softmax::new(self.name, size)?;
                let mut layers = vec![self.affine(vec![fifth; size], vec![half; size])?];
                layers.extend(self.clipped(1.0)?);
                return Ok(layers);
            }
            name if SAME.contains(&name) => self.parsed(name)?,
            _ => {
                return Err(Error::refused(format!(
                    "the layer `{}` has the activation `{name}`, which is not supported",
                    self.name
                ))
                .with_help(format!(
                    "supported are linear, leaky_relu, relu6, hard_silu, softmax, {}",
                    SAME.join(", ")
                )));
            }
        };
        self.alone(activation)
    }

    fn parsed(&self, text: &str) -> Result<Activation> {
        text.parse()
            .map_err(|e| Error::refused(format!("the layer `{}` ({}): {e}", self.name, self.class)))
    }

    /// What is held between 0 and `high`.
    fn clipped(&self, high: f64) -> Result<Vec<Layer>> {
        self.alone(self.parsed(&format!("clip(0.0:{high:?})"))?)
    }

    fn relu(&self) -> Result<Vec<Layer>> {
        let slope = self.number_of(&["negative_slope"], 0.0)?;
        if self.number_of(&["threshold"], 0.0)? != 0.0 {
            return Err(self.refused("threshold"));
        }
        match (&self.config["max_value"], slope == 0.0) {
            (Value::Null, true) => self.alone(Activation::Relu),
            (Value::Null, false) => self.alone(Activation::LeakyRelu(slope)),
            (_, true) => self.clipped(self.number_of(&["max_value"], 0.0)?),
            (_, false) => Err(self.refused("max_value")),
        }
    }

    /// (x − mean) / max(σ, 10⁻⁷), in two layers: what mean and σ say of a temperature in kelvin
    /// would cancel in one.
    fn normalization(&self, notes: &mut Vec<String>) -> Result<Vec<Layer>> {
        let (mean, variance) = if self.config["mean"].is_null() {
            let variables = self.variables(&["mean", "variance", "count"])?;
            let mut numbers = variables.into_iter().map(|tensor| tensor.numbers);
            (numbers.next(), numbers.next())
        } else {
            let entries = |key| self.entries(key, 0.0).map(Some);
            (entries("mean")?, entries("variance")?)
        };
        let mean = self.spread("mean", mean.unwrap_or_default())?;
        let variance = self.spread("variance", variance.unwrap_or_default())?;
        if mean.len() > 1 && !self.config["axis"].is_null() {
            self.check_axis()?;
        }
        let deviations = variance.iter().map(|v| v.sqrt().max(1e-7));
        let zero = vec![0.0; mean.len()];
        if self.flag("invert", false) {
            let scale = deviations.map(|d| self.precision().round(d));
            return Ok(vec![self.affine(scale.collect(), mean)?]);
        }
        let scale = deviations.map(|d| self.precision().round(1.0 / d));
        let scale = scale.collect();
        if mean.iter().all(|&m| m == 0.0) {
            return Ok(vec![self.affine(scale, zero)?]);
        }
        notes.push(format!(
            "the normalisation `{}` became two affine layers: less the mean, times one over the \
             deviation, rounded",
            self.name
        ));
        let less = mean.iter().map(|m| -m).collect();
        Ok(vec![
            self.affine(vec![1.0; mean.len()], less)?,
            self.affine(scale, zero)?,
        ])
    }

    /// γ (x − m) / √(v + ε) + β as s x + t with s = γ / √(v + ε), t = β − s m; in f64 as s (x − m) + β.
    fn batch_normalization(&self, notes: &mut Vec<String>) -> Result<Vec<Layer>> {
        self.check_axis()?;
        let (scaled, centred) = (self.flag("scale", true), self.flag("center", true));
        let mut names = Vec::new();
        names.extend(scaled.then_some("gamma"));
        names.extend(centred.then_some("beta"));
        names.extend(["moving_mean", "moving_variance"]);
        let mut variables = self.variables(&names)?.into_iter();
        let mut next = |is_there: bool, usual: f64| match is_there.then(|| variables.next()) {
            Some(tensor) => self.own(tensor),
            None => self.spread("entries", vec![usual]),
        };
        let (gamma, beta) = (next(scaled, 1.0)?, next(centred, 0.0)?);
        let (mean, variance) = (next(true, 0.0)?, next(true, 1.0)?);
        let epsilon = self.number_of(&["epsilon"], 1e-3)?;
        let factors: Vec<_> = gamma
            .iter()
            .zip(&variance)
            .map(|(g, v)| g / (v + epsilon).sqrt())
            .collect();
        let precision = self.precision();
        if precision == Precision::F64 {
            // A mean far from zero cancels before it is scaled, as in Keras.
            notes.push(format!(
                "the batch normalisation `{}` became two affine layers, less the mean and scaled, \
                 which changes roundings alone",
                self.name
            ));
            let less = mean.iter().map(|m| -m).collect();
            let ones = vec![1.0; mean.len()];
            return Ok(vec![self.affine(ones, less)?, self.affine(factors, beta)?]);
        }
        let shift = beta
            .iter()
            .zip(&mean)
            .zip(&factors)
            .map(|((b, m), s)| b - s * m);
        notes.push(format!(
            "the batch normalisation `{}` became an affine layer, its factors and addends computed \
             in f64 and rounded to {precision}",
            self.name
        ));
        let shift = shift.map(|t| precision.round(t)).collect();
        let scale = factors.iter().map(|&s| precision.round(s)).collect();
        Ok(vec![self.affine(scale, shift)?])
    }

    fn layer_normalization(&self) -> Result<Vec<Layer>> {
        self.check_axis()?;
        if self.flag("rms_scaling", false) {
            return Err(self.refused("rms_scaling"));
        }
        let (scaled, centred) = (self.flag("scale", true), self.flag("center", true));
        let mut names = Vec::new();
        names.extend(scaled.then_some("gamma"));
        names.extend(centred.then_some("beta"));
        let variables = match names[..] {
            [] => Vec::new(),
            _ => self.variables(&names)?,
        };
        let mut variables = variables.into_iter();
        let mut next = |is_there: bool, usual: f64| match is_there.then(|| variables.next()) {
            Some(tensor) => self.own(tensor),
            None => self.spread("entries", vec![usual]),
        };
        let (scale, shift) = (next(scaled, 1.0)?, next(centred, 0.0)?);
        let epsilon = self.number_of(&["epsilon"], 1e-3)?;
        Ok(vec![
            LayerNorm::new(self.name, scale, shift, epsilon)?.into(),
        ])
    }

    /// The numbers of a variable with one for each entry.
    fn own(&self, tensor: Option<Tensor>) -> Result<Vec<f64>> {
        let (name, numbers) = match tensor {
            Some(tensor) => (tensor.name, tensor.numbers),
            None => (self.name.to_owned(), Vec::new()),
        };
        if numbers.len() != self.shape.size() {
            return Err(Error::refused(format!(
                "the weights `{name}` are {} numbers, wanted {}, one for each entry",
                numbers.len(),
                self.shape.size()
            )));
        }
        Ok(numbers)
    }
}

/// The shape of what is made entry by entry of values with these shapes.
pub(super) fn same_shape<'s>(
    name: &str,
    class: &str,
    shapes: impl Iterator<Item = &'s Shape>,
) -> Result<Shape> {
    let shapes: Vec<_> = shapes.collect();
    match shapes.first() {
        Some(&first) if shapes.iter().all(|&shape| shape == first) => Ok(first.clone()),
        _ => {
            let shapes: Vec<_> = shapes.iter().map(|shape| &shape.0).collect();
            Err(Error::refused(format!(
                "the layer `{name}` ({class}) is called on the shapes {shapes:?}, wanted equal ones"
            )))
        }
    }
}

/// The shape of values with these shapes one after the other.
pub(super) fn concatenated<'s>(
    name: &str,
    config: &Value,
    shapes: impl Iterator<Item = &'s Shape>,
) -> Result<Shape> {
    let mut total = 0usize;
    let mut last = None;
    for shape in shapes {
        shape.check_vector(name, "Concatenate")?;
        if !config["axis"].is_null() && !is_last(&config["axis"], shape) {
            let axis = short(&config["axis"]);
            return Err(Error::refused(format!(
                "the layer `{name}` (Concatenate) has the axis `{axis}`, wanted the last one"
            )));
        }
        total = total.saturating_add(shape.size());
        last = Some(shape);
    }
    let last = last.ok_or_else(|| {
        Error::refused(format!(
            "the layer `{name}` (Concatenate) is called on nothing"
        ))
    })?;
    Ok(last.with_last(total))
}

/// Whether an axis, counted with the batch or from the end, is the last one.
fn is_last(axis: &Value, shape: &Shape) -> bool {
    axis.as_i64() == Some(-1) || axis.as_u64() == Some(shape.0.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the activations only those stand apart that Keras calls otherwise, or has no name for.
    #[test]
    fn every_activation_that_keras_names_is_read() {
        let apart = ["identity", "leaky_relu", "clip", "gelu_tanh"];
        for activation in Activation::ALL {
            let name = activation.name();
            assert_ne!(SAME.contains(&name), apart.contains(&name), "{name}");
        }
        assert!(SAME.iter().all(|name| name.parse::<Activation>().is_ok()));
    }
}
