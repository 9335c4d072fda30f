//! ONNX: a graph of the operators of opset 13, which every runtime of the last years has.
//!
//! Newer sets have Mish, Gelu, HardSwish and LayerNormalization as operators of their own. They
//! are written in parts instead, as exporters for opset 13 do: runtimes know the parts and join
//! them. The numbers are f32 or f64 as the model's are. In f64, which onnxruntime has fewer
//! operators for, Softplus, Softsign, Elu, Selu, LeakyRelu, HardSigmoid and Erf are written in
//! parts too, arranged so that no result overflows.
//!
//! What onnxruntime joins it joins in f64 too, and some releases then lack the joined operator, or
//! give it an ε of f32. So f64 has what they do not join: the bias added by a node of its own, squares
//! as products, x / (1 + e⁻ˣ) for SiLU.
//!
//! A graph does not say which layers it was: names of single entries, ranges, notes, and parameters
//! that f32 cannot hold have no place in it. They are in an [`Outline`] in the metadata.

mod outline;

use std::collections::HashMap;

use bytes::Bytes;
use prost::Message as _;

pub(crate) use self::outline::Outline;
use crate::{
    activation::Activation,
    error::{Error, Result},
    import::onnx::proto,
    model::{self, Layer, Model, Precision},
    reference::{ALPHA, LAMBDA},
};

/// The set of operators, and the version of the format that came with it.
const OPSET: i64 = 13;
const IR_VERSION: i64 = 7;

/// The most bytes that a message of protocol buffers has.
const MOST_BYTES: usize = i32::MAX as usize;

/// The numbers of data types and of kinds of attributes, as `onnx.proto` has them.
const F32: i32 = 1;
const I64: i32 = 7;
const F64: i32 = 11;
const FLOAT: i32 = 1;
const INT: i32 = 2;
const INTS: i32 = 7;

/// The bytes of a file with the layers of `model`.
pub(super) fn bytes(model: &Model) -> Result<Vec<u8>> {
    // Before so much memory is taken.
    check_size(model.parameters().saturating_mul(model.precision().bytes()))?;
    let file = file(model, usize::MAX)?;
    check_size(file.encoded_len())?;
    Ok(file.encode_to_vec())
}

fn check_size(bytes: usize) -> Result<()> {
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    Err(Error::refused(format!(
        "the model takes {bytes} bytes, but a file of protocol buffers, which ONNX is, has at most \
         {MOST_BYTES}"
    ))
    .with_help("write it as .json, which has no such limit"))
}

/// The file of this model, of so many nodes at most.
fn file(model: &Model, most_nodes: usize) -> Result<proto::Model> {
    let mut names = Names::default();
    // Free of what else is in the graph, whatever the weights are called.
    let x = names.unused(tensor_name(model.input_names()).unwrap_or("x"));
    let y = names.unused(tensor_name(model.output_names()).unwrap_or("y"));
    let mut writer = Writer {
        precision: model.precision(),
        graph: proto::Graph {
            name: "network".to_owned(),
            input: vec![info(&x, model.precision(), model.inputs())],
            output: vec![info(&y, model.precision(), model.outputs())],
            ..Default::default()
        },
        names,
        constants: HashMap::new(),
        layer: String::new(),
        most_nodes,
    };
    let (last, layers) = writer.chain(model.layers(), x)?;
    if writer.graph.node.is_empty() {
        writer.operator("Identity", &[&last])?;
    }
    // The last node makes what comes out of the last layer.
    if let Some(node) = writer.graph.node.last_mut() {
        node.output = vec![y];
    }
    let outline = Outline::new(model, layers);
    Ok(proto::Model {
        ir_version: IR_VERSION,
        producer_name: "fnn".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        opset_import: vec![proto::OperatorSet {
            domain: String::new(),
            version: OPSET,
        }],
        graph: Some(writer.graph),
        metadata_props: vec![outline.entry()?],
        ..Default::default()
    })
}

/// The name of the tensor that names of entries, `x[0]`, `x[1]`, were made of, if they were.
fn tensor_name(names: Option<&[String]>) -> Option<&str> {
    match names? {
        [only] => Some(only),
        all => {
            let name = all.first()?.strip_suffix("[0]").filter(|n| !n.is_empty())?;
            let mut numbered = all.iter().enumerate();
            let fits = numbered.all(|(i, own)| *own == format!("{name}[{i}]"));
            fits.then_some(name)
        }
    }
}

/// An input or output of any number of rows.
fn info(name: &str, precision: Precision, size: usize) -> proto::ValueInfo {
    let rows = proto::Dimension {
        value: None,
        param: "N".to_owned(),
    };
    let entries = proto::Dimension {
        value: Some(size as i64),
        param: String::new(),
    };
    proto::ValueInfo {
        name: name.to_owned(),
        kind: Some(proto::Type {
            tensor: Some(proto::TensorType {
                elem_type: data_type(precision),
                shape: Some(proto::Shape {
                    dim: vec![rows, entries],
                }),
            }),
        }),
    }
}

fn data_type(precision: Precision) -> i32 {
    match precision {
        Precision::F32 => F32,
        Precision::F64 => F64,
    }
}

/// Names that are there once.
#[derive(Default)]
struct Names(HashMap<String, usize>);

impl Names {
    /// This name or, where it is taken, with a number behind it.
    fn unused(&mut self, name: &str) -> String {
        let name = if name.is_empty() { "layer" } else { name };
        let mut unused = name.to_owned();
        while self.0.contains_key(&unused) {
            let count = self.0.entry(name.to_owned()).or_default();
            *count += 1;
            unused = format!("{name}_{count}");
        }
        self.0.insert(unused.clone(), 1);
        unused
    }
}

/// A number or list of integers that nodes take as an input.
#[derive(PartialEq, Eq, Hash)]
enum Constant {
    Number(u64),
    Integer(i64),
}

/// A graph that is being written. Values are known by their names.
struct Writer {
    precision: Precision,
    graph: proto::Graph,
    names: Names,
    constants: HashMap<Constant, String>,
    /// What the nodes that are written belong to.
    layer: String,
    most_nodes: usize,
}

impl Writer {
    /// The value that the layers make of `x`, and their outlines.
    fn chain(&mut self, layers: &[Layer], x: String) -> Result<(String, Vec<outline::Layer>)> {
        let mut outlines = Vec::new();
        let mut value = x;
        for layer in layers {
            let (next, outline) = self.layer(layer, value)?;
            value = next;
            outlines.push(outline);
        }
        Ok((value, outlines))
    }

    fn layer(&mut self, layer: &Layer, x: String) -> Result<(String, outline::Layer)> {
        let name = layer.name().to_owned();
        self.layer.clone_from(&name);
        Ok(match layer {
            Layer::Dense(dense) => {
                let bias = match name.strip_suffix("weight") {
                    Some(before) => format!("{before}bias"),
                    None => format!("{name}.bias"),
                };
                let shape = [dense.outputs(), dense.inputs()];
                let weight = self.tensor(&name, &shape, dense.rows().flatten());
                let bias = self.tensor(&bias, &shape[..1], dense.bias());
                let transposed = vec![integer("transB", 1)];
                let sum = if self.precision == Precision::F32 {
                    self.node("Gemm", &[&x, &weight, &bias], transposed)?
                } else {
                    let product = self.node("Gemm", &[&x, &weight], transposed)?;
                    self.operator("Add", &[&product, &bias])?
                };
                let y = self.activation(dense.activation(), sum)?;
                let outline = outline::Dense {
                    name,
                    weight,
                    bias,
                    activation: dense.activation().to_string(),
                };
                (y, outline::Layer::Dense(outline))
            }
            Layer::Affine(affine) => {
                let (mut y, mut numbers) = (x, None);
                if !is_unchanged(affine) {
                    let (scale, shift) = self.scaling(&name, affine.scale(), affine.shift());
                    let product = self.operator("Mul", &[&y, &scale])?;
                    y = self.operator("Add", &[&product, &shift])?;
                    numbers = Some((scale, shift));
                }
                let y = self.activation(affine.activation(), y)?;
                let outline = outline::Affine {
                    name,
                    size: affine.scale().len(),
                    numbers,
                    activation: affine.activation().to_string(),
                };
                (y, outline::Layer::Affine(outline))
            }
            Layer::LayerNorm(norm) => {
                let epsilon = self.number(norm.epsilon())?;
                let (scale, shift) = self.scaling(&name, norm.scale(), norm.shift());
                let mean = self.mean(&x)?;
                let centred = self.operator("Sub", &[&x, &mean])?;
                let square = if self.precision == Precision::F32 {
                    let two = self.number(2.0)?;
                    self.operator("Pow", &[&centred, &two])?
                } else {
                    self.operator("Mul", &[&centred, &centred])?
                };
                let variance = self.mean(&square)?;
                let above_zero = self.operator("Add", &[&variance, &epsilon])?;
                let deviation = self.operator("Sqrt", &[&above_zero])?;
                let normalised = self.operator("Div", &[&centred, &deviation])?;
                let product = self.operator("Mul", &[&normalised, &scale])?;
                let y = self.operator("Add", &[&product, &shift])?;
                let outline = outline::LayerNorm {
                    name,
                    scale,
                    shift,
                    epsilon: norm.epsilon(),
                };
                (y, outline::Layer::LayerNorm(outline))
            }
            Layer::Softmax(_) => {
                let y = self.node("Softmax", &[&x], vec![integer("axis", 1)])?;
                let size = layer.inputs();
                (y, outline::Layer::Softmax(outline::Softmax { name, size }))
            }
            Layer::Select(select) => {
                let range = (select.range().start, select.range().end);
                let start = self.integer(range.0 as i64);
                let end = self.integer(range.1 as i64);
                let axis = self.integer(1);
                let y = self.operator("Slice", &[&x, &start, &end, &axis])?;
                let outline = outline::Select {
                    name,
                    inputs: layer.inputs(),
                    range,
                };
                (y, outline::Layer::Select(outline))
            }
            Layer::Residual(residual) => {
                let (past, layers) = self.chain(residual.layers(), x.clone())?;
                self.layer = name;
                let y = self.operator("Add", &[&x, &past])?;
                let outline = outline::Residual { layers };
                (y, outline::Layer::Residual(outline))
            }
            Layer::Concat(concat) => {
                let (mut parts, mut branches) = (Vec::new(), Vec::new());
                for branch in concat.branches() {
                    let (part, layers) = self.chain(branch, x.clone())?;
                    parts.push(part);
                    branches.push(layers);
                }
                self.layer = name;
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                let y = self.node("Concat", &parts, vec![integer("axis", 1)])?;
                let outline = outline::Concat { branches };
                (y, outline::Layer::Concat(outline))
            }
        })
    }

    fn activation(&mut self, activation: Activation, x: String) -> Result<String> {
        let is_single = self.precision == Precision::F32;
        match activation {
            Activation::Identity => Ok(x),
            Activation::Tanh => self.operator("Tanh", &[&x]),
            Activation::Sigmoid => self.operator("Sigmoid", &[&x]),
            Activation::Relu => self.operator("Relu", &[&x]),
            Activation::Softplus => self.softplus(&x),
            Activation::Mish => {
                let softplus = self.softplus(&x)?;
                let gate = self.operator("Tanh", &[&softplus])?;
                self.operator("Mul", &[&x, &gate])
            }
            Activation::Silu if is_single => {
                let gate = self.operator("Sigmoid", &[&x])?;
                self.operator("Mul", &[&x, &gate])
            }
            Activation::Silu => {
                let negative = self.operator("Neg", &[&x])?;
                let exponential = self.operator("Exp", &[&negative])?;
                let one = self.number(1.0)?;
                let divisor = self.operator("Add", &[&exponential, &one])?;
                self.operator("Div", &[&x, &divisor])
            }
            Activation::Gelu if is_single => self.gelu(&x),
            Activation::Gelu => self.gelu_without_erf(&x),
            Activation::GeluTanh(cubic) => self.gelu_tanh(&x, cubic),
            Activation::LeakyRelu(slope) if is_single => {
                let slope = self.float("alpha", slope)?;
                self.node("LeakyRelu", &[&x], vec![slope])
            }
            Activation::LeakyRelu(slope) => {
                let factor = self.number(slope)?;
                if (0.0..=1.0).contains(&slope) {
                    let below = self.operator("Mul", &[&x, &factor])?;
                    return self.operator("Max", &[&x, &below]);
                }
                let above = self.operator("Relu", &[&x])?;
                let below = self.at_most_zero(&x)?;
                let below = self.operator("Mul", &[&below, &factor])?;
                self.operator("Add", &[&above, &below])
            }
            Activation::Elu(alpha) if is_single => {
                let alpha = self.float("alpha", alpha)?;
                self.node("Elu", &[&x], vec![alpha])
            }
            Activation::Elu(alpha) => self.elu(&x, alpha),
            Activation::Selu if is_single => self.operator("Selu", &[&x]),
            Activation::Selu => {
                let elu = self.elu(&x, ALPHA)?;
                let factor = self.number(LAMBDA)?;
                self.operator("Mul", &[&elu, &factor])
            }
            Activation::Softsign if is_single => self.operator("Softsign", &[&x]),
            Activation::Softsign => {
                let size = self.operator("Abs", &[&x])?;
                let one = self.number(1.0)?;
                let divisor = self.operator("Add", &[&size, &one])?;
                self.operator("Div", &[&x, &divisor])
            }
            Activation::Clip { low, high } => {
                let mut bound = |bound: f64| match bound.is_finite() {
                    true => self.number(bound),
                    false => Ok(String::new()),
                };
                let (low, high) = (bound(low)?, bound(high)?);
                match (&*low, &*high) {
                    ("", "") => Ok(x),
                    (_, "") => self.operator("Clip", &[&x, &low]),
                    _ => self.operator("Clip", &[&x, &low, &high]),
                }
            }
            Activation::HardSigmoid => self.hard_sigmoid(&x),
            Activation::HardSwish => {
                let gate = self.hard_sigmoid(&x)?;
                self.operator("Mul", &[&x, &gate])
            }
        }
    }

    /// ln(1 + eˣ); in parts max(0, x) + ln(1 + e⁻|ˣ|), which does not overflow.
    fn softplus(&mut self, x: &str) -> Result<String> {
        if self.precision == Precision::F32 {
            return self.operator("Softplus", &[x]);
        }
        let above = self.operator("Relu", &[x])?;
        let size = self.operator("Abs", &[x])?;
        let negative = self.operator("Neg", &[&size])?;
        let exponential = self.operator("Exp", &[&negative])?;
        let one = self.number(1.0)?;
        let sum = self.operator("Add", &[&exponential, &one])?;
        let logarithm = self.operator("Log", &[&sum])?;
        self.operator("Add", &[&above, &logarithm])
    }

    /// x (1 + erf(x / √2)) / 2.
    fn gelu(&mut self, x: &str) -> Result<String> {
        let factor = self.number(std::f64::consts::FRAC_1_SQRT_2)?;
        let scaled = self.operator("Mul", &[x, &factor])?;
        let erf = self.operator("Erf", &[&scaled])?;
        let (one, half) = (self.number(1.0)?, self.number(0.5)?);
        let gate = self.operator("Add", &[&erf, &one])?;
        let product = self.operator("Mul", &[x, &gate])?;
        self.operator("Mul", &[&product, &half])
    }

    /// max(0, x) − |x| erfc(z) / 2 with z = |x| / √2, which is the same as [`Self::gelu`].
    ///
    /// With v = (4 − z) / (4 + z), which is between −1 and 1, erfc(z) = (1 + v) / 2 · e⁻ᶻ² p(v), with
    /// [`ERFC`] for p.
    fn gelu_without_erf(&mut self, x: &str) -> Result<String> {
        let size = self.operator("Abs", &[x])?;
        let factor = self.number(std::f64::consts::FRAC_1_SQRT_2)?;
        let z = self.operator("Mul", &[&size, &factor])?;
        let four = self.number(4.0)?;
        let difference = self.operator("Sub", &[&four, &z])?;
        let sum = self.operator("Add", &[&four, &z])?;
        let v = self.operator("Div", &[&difference, &sum])?;
        let [most @ .., highest] = ERFC;
        let mut p = self.number(highest)?;
        for coefficient in most.into_iter().rev() {
            let product = self.operator("Mul", &[&p, &v])?;
            let coefficient = self.number(coefficient)?;
            p = self.operator("Add", &[&product, &coefficient])?;
        }
        // (1 + v) / 4 is half of what erfc has in front.
        let quarter = self.number(0.25)?;
        let part = self.operator("Mul", &[&v, &quarter])?;
        let part = self.operator("Add", &[&part, &quarter])?;
        let square = self.operator("Mul", &[&z, &z])?;
        let negative = self.operator("Neg", &[&square])?;
        let exponential = self.operator("Exp", &[&negative])?;
        let tail = self.operator("Mul", &[&part, &exponential])?;
        let tail = self.operator("Mul", &[&tail, &p])?;
        let below = self.operator("Mul", &[&size, &tail])?;
        let above = self.operator("Relu", &[x])?;
        self.operator("Sub", &[&above, &below])
    }

    /// x (1 + tanh(√(2/π) (x + c x³))) / 2.
    fn gelu_tanh(&mut self, x: &str, cubic: f64) -> Result<String> {
        let factor = self.number((2.0 / std::f64::consts::PI).sqrt())?;
        let cubic = self.number(cubic)?;
        let (one, half) = (self.number(1.0)?, self.number(0.5)?);
        let square = self.operator("Mul", &[x, x])?;
        let cube = self.operator("Mul", &[&square, x])?;
        let cube = self.operator("Mul", &[&cube, &cubic])?;
        let sum = self.operator("Add", &[x, &cube])?;
        let scaled = self.operator("Mul", &[&sum, &factor])?;
        let tanh = self.operator("Tanh", &[&scaled])?;
        let gate = self.operator("Add", &[&tanh, &one])?;
        let product = self.operator("Mul", &[x, &gate])?;
        self.operator("Mul", &[&product, &half])
    }

    /// max(0, x) + α (e^min(0, x) − 1), which does not overflow.
    fn elu(&mut self, x: &str, alpha: f64) -> Result<String> {
        let above = self.operator("Relu", &[x])?;
        let below = self.at_most_zero(x)?;
        let exponential = self.operator("Exp", &[&below])?;
        let (one, alpha) = (self.number(1.0)?, self.number(alpha)?);
        let difference = self.operator("Sub", &[&exponential, &one])?;
        let below = self.operator("Mul", &[&difference, &alpha])?;
        self.operator("Add", &[&above, &below])
    }

    fn hard_sigmoid(&mut self, x: &str) -> Result<String> {
        if self.precision == Precision::F32 {
            let attributes = vec![self.float("alpha", 1.0 / 6.0)?, self.float("beta", 0.5)?];
            return self.node("HardSigmoid", &[x], attributes);
        }
        let (three, six) = (self.number(3.0)?, self.number(6.0)?);
        let zero = self.number(0.0)?;
        let moved = self.operator("Add", &[x, &three])?;
        let held = self.operator("Clip", &[&moved, &zero, &six])?;
        self.operator("Div", &[&held, &six])
    }

    fn at_most_zero(&mut self, x: &str) -> Result<String> {
        let zero = self.number(0.0)?;
        self.operator("Clip", &[x, "", &zero])
    }

    /// The mean of a row, one entry.
    fn mean(&mut self, x: &str) -> Result<String> {
        let axes = proto::Attribute {
            name: "axes".to_owned(),
            ints: vec![1],
            kind: INTS,
            ..Default::default()
        };
        self.node("ReduceMean", &[x], vec![axes])
    }

    fn operator(&mut self, operator: &str, inputs: &[&str]) -> Result<String> {
        self.node(operator, inputs, Vec::new())
    }

    /// Adds a node, and names what it makes.
    fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attribute: Vec<proto::Attribute>,
    ) -> Result<String> {
        if self.graph.node.len() >= self.most_nodes {
            return Err(Error::refused(format!(
                "more than {} nodes",
                self.most_nodes
            )));
        }
        let name = self.names.unused(&format!("{}/{operator}", self.layer));
        self.graph.node.push(proto::Node {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: operator.to_owned(),
            attribute,
            ..Default::default()
        });
        Ok(name)
    }

    /// An attribute, which is an f32 in every model.
    fn float(&self, name: &str, value: f64) -> Result<proto::Attribute> {
        let f = value as f32;
        if !f.is_finite() {
            return Err(self.beyond_f32(value));
        }
        Ok(proto::Attribute {
            name: name.to_owned(),
            f,
            kind: FLOAT,
            ..Default::default()
        })
    }

    fn beyond_f32(&self, value: f64) -> Error {
        Error::refused(format!(
            "the layer of `{}` has the parameter {value:?}, which is beyond the numbers of f32",
            self.layer
        ))
        .with_help("write it as .json, which holds every model")
    }

    /// The name of a number in the model's precision, which is stored once.
    fn number(&mut self, number: f64) -> Result<String> {
        if self.precision == Precision::F32 && !(number as f32).is_finite() {
            return Err(self.beyond_f32(number));
        }
        let key = Constant::Number(number.to_bits());
        if let Some(name) = self.constants.get(&key) {
            return Ok(name.clone());
        }
        let name = self.tensor(&format!("{number:?}"), &[], &[number]);
        self.constants.insert(key, name.clone());
        Ok(name)
    }

    /// The name of a list of one integer, which is stored once.
    fn integer(&mut self, number: i64) -> String {
        let key = Constant::Integer(number);
        if let Some(name) = self.constants.get(&key) {
            return name.clone();
        }
        let name = self.names.unused(&format!("[{number}]"));
        self.graph.initializer.push(proto::Tensor {
            name: name.clone(),
            dims: vec![1],
            data_type: I64,
            raw_data: Bytes::copy_from_slice(&number.to_le_bytes()),
            ..Default::default()
        });
        self.constants.insert(key, name.clone());
        name
    }

    /// Factors and addends, under names that they are returned with.
    fn scaling(&mut self, name: &str, scale: &[f64], shift: &[f64]) -> (String, String) {
        let size = [scale.len()];
        let scale = self.tensor(&format!("{name}.scale"), &size, scale);
        let shift = self.tensor(&format!("{name}.shift"), &size, shift);
        (scale, shift)
    }

    /// Stores numbers in the model's precision, and names them.
    fn tensor<'n>(
        &mut self,
        name: &str,
        shape: &[usize],
        numbers: impl IntoIterator<Item = &'n f64>,
    ) -> String {
        let name = self.names.unused(name);
        let numbers = numbers.into_iter();
        let bytes: Vec<u8> = match self.precision {
            Precision::F32 => numbers.flat_map(|&x| (x as f32).to_le_bytes()).collect(),
            Precision::F64 => numbers.flat_map(|&x| x.to_le_bytes()).collect(),
        };
        self.graph.initializer.push(proto::Tensor {
            name: name.clone(),
            dims: shape.iter().map(|&size| size as i64).collect(),
            data_type: data_type(self.precision),
            raw_data: bytes.into(),
            ..Default::default()
        });
        name
    }
}

/// Whether the factors and addends of a layer change no bit.
fn is_unchanged(affine: &model::Affine) -> bool {
    let is = |numbers: &[f64], wanted: f64| numbers.iter().all(|x| x.to_bits() == wanted.to_bits());
    is(affine.scale(), 1.0) && is(affine.shift(), -0.0)
}

fn integer(name: &str, value: i64) -> proto::Attribute {
    proto::Attribute {
        name: name.to_owned(),
        i: value,
        kind: INT,
        ..Default::default()
    }
}

/// The coefficients of p, from the constant on: the interpolation of 2 e^z² erfc(z) / (1 + v) at the
/// zeros of a Chebyshev polynomial in v, in 60 digits, cut off below 2·10⁻¹⁷. Their sizes add up to
/// 1.0003, so that evaluating it loses no digits.
const ERFC: [f64; 23] = [
    0.273_998_915_250_122_77,
    0.244_137_182_270_220_6,
    0.193_302_175_566_307_66,
    0.135_213_457_828_299_4,
    0.082_712_896_969_578_97,
    0.043_502_734_310_223_08,
    0.019_095_378_725_927_703,
    0.006_592_513_332_295_256,
    0.001_528_013_927_096_598,
    7.023_973_398_478_002e-5,
    -0.000_113_763_242_914_232_01,
    -4.420_327_016_401_017e-5,
    -9.085_509_537_367_428e-7,
    4.715_368_344_745_338e-6,
    1.173_095_978_438_659_8e-6,
    -3.562_366_043_326_175_4e-7,
    -2.109_129_030_140_448_3e-7,
    1.899_224_832_167_375_7e-8,
    3.063_220_517_661_313e-8,
    -2.059_560_214_036_900_4e-10,
    -3.818_822_224_976_62e-9,
    -6.636_136_270_870_042e-11,
    3.018_454_148_516_381e-10,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{import, reference};

    #[test]
    fn files_beyond_protocol_buffers_are_refused() {
        check_size(MOST_BYTES).unwrap();
        let error = check_size(MOST_BYTES + 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the model takes 2147483648 bytes, but a file of protocol buffers, which ONNX is, has at \
             most 2147483647"
        );
        assert_eq!(
            error.help().collect::<Vec<_>>(),
            ["write it as .json, which has no such limit"]
        );
    }

    #[test]
    fn names_are_used_once() {
        let mut names = Names::default();
        let found: Vec<_> = ["a", "a_1", "a", "a", ""].map(|n| names.unused(n)).into();
        assert_eq!(found, ["a", "a_1", "a_2", "a_3", "layer"]);
    }

    #[test]
    fn the_polynomial_is_the_error_function() {
        for i in 0..=1000 {
            let z = f64::from(i) * 0.01;
            let v = (4.0 - z) / (4.0 + z);
            let p = ERFC.iter().rev().fold(0.0, |p, c| p * v + c);
            let found = (1.0 + v) / 2.0 * (-z * z).exp() * p;
            let wanted = libm::erfc(z);
            // The exponential of z², which is rounded, and some twenty roundings beside it.
            let bound = (20.0 + z * z) * f64::EPSILON;
            assert!(
                (found - wanted).abs() <= bound * wanted,
                "{z}: {found}, not {wanted}"
            );
        }
    }

    fn dense(inputs: usize, outputs: usize, activation: Activation) -> Layer {
        let weight = model::Tensor {
            name: "weight".to_owned(),
            shape: vec![outputs, inputs],
            numbers: (0..inputs * outputs)
                .map(|i| f64::from((7 * i % 11) as f32 / 4.0 - 1.1))
                .collect(),
        };
        model::Dense::new(weight, None, activation).unwrap().into()
    }

    /// The model of a file whose metadata another program has left out.
    fn read_from_graph(model: &Model) -> Result<Model> {
        let mut file = file(model, usize::MAX)?;
        file.metadata_props.clear();
        import::parse(&file.encode_to_vec(), &Default::default())
    }

    #[test]
    fn graphs_without_an_outline_compute_the_same() {
        let mut activations = Activation::ALL.to_vec();
        // Parameters that f32 holds.
        activations.extend([
            Activation::LeakyRelu(0.25),
            Activation::LeakyRelu(-0.5),
            Activation::LeakyRelu(1.5),
            Activation::Elu(0.75),
            Activation::Clip {
                low: 0.0,
                high: 6.0,
            },
            Activation::Clip {
                low: f64::NEG_INFINITY,
                high: 0.5,
            },
            Activation::Clip {
                low: 0.0,
                high: f64::INFINITY,
            },
        ]);
        for precision in [Precision::F32, Precision::F64] {
            for &activation in &activations {
                let layers = vec![dense(3, 5, activation), dense(5, 2, Activation::Identity)];
                let model = Model::new(layers, precision).unwrap();
                if (activation, precision) == (Activation::Gelu, Precision::F64) {
                    // Said in the documentation of `export`.
                    let error = read_from_graph(&model).unwrap_err().to_string();
                    assert!(error.ends_with("which no layer computes"), "{error}");
                    continue;
                }
                let found = read_from_graph(&model).unwrap();
                assert_eq!(found.precision(), precision);
                // The slope as f32 holds it is 2e-8 off, which is less of the outputs.
                let tolerance = match (activation, precision) {
                    (Activation::LeakyRelu(0.01), Precision::F32) => 1e-8,
                    _ => 0.0,
                };
                for x in [[0.3, -1.7, 0.9], [-2.0, 0.1, 4.0], [0.0, -0.0, 12.5]] {
                    let value = |model: &Model| reference::evaluate(model, &x).unwrap().value;
                    for (found, wanted) in value(&found).iter().zip(value(&model)) {
                        let error = (found - wanted).abs();
                        assert!(
                            error <= tolerance * wanted.abs(),
                            "{activation} in {precision}: {found:?}, not {wanted:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn names_of_tensors_are_those_of_their_entries() {
        let names = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        let found = |all: &[&str]| tensor_name(Some(&names(all))).map(str::to_owned);
        assert_eq!(found(&["u"]), Some("u".to_owned()));
        assert_eq!(found(&["u[0]", "u[1]"]), Some("u".to_owned()));
        assert_eq!(found(&["u[0]", "v[1]"]), None);
        assert_eq!(found(&["[0]", "[1]"]), None);
        assert_eq!(tensor_name(None), None);
    }

    #[test]
    fn parameters_beyond_f32_are_refused() {
        let error = |activation| {
            let model = Model::new(vec![dense(1, 1, activation)], Precision::F32).unwrap();
            bytes(&model).unwrap_err().to_string()
        };
        let wanted =
            "the layer of `weight` has the parameter 1e300, which is beyond the numbers of f32";
        assert_eq!(error(Activation::Elu(1e300)), wanted);
        assert_eq!(
            error(Activation::Clip {
                low: 0.0,
                high: 1e300
            }),
            wanted
        );
        let model = Model::new(vec![dense(1, 1, Activation::Elu(1e300))], Precision::F64).unwrap();
        bytes(&model).unwrap();
    }
}
