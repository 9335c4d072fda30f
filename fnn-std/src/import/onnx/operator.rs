//! What each operator makes of its inputs: constants of constants, vectors of vectors.

mod entries;
mod joined;
mod matrix;
mod norm;
mod shape;

use std::{collections::HashMap, path::Path, rc::Rc};

use super::{
    super::expression::{Budget, Expressions, Id, Place, Tolerance},
    graph::{Graph, Name, Node},
    proto,
    tensor::{Constant, Format},
    view::{Sizes, View, axis, count},
};
use crate::{
    error::{Error, Result},
    model::WIDEST,
};

/// The operators that are read, and their attributes. Those of a domain have its name in front.
pub(super) const OPERATORS: &[(&str, &[&str])] = &[
    ("Abs", &[]),
    ("Add", &["axis", "broadcast"]),
    (
        "BatchNormalization",
        &["epsilon", "momentum", "spatial", "is_test", "training_mode"],
    ),
    ("Cast", &["to", "saturate", "round_mode"]),
    ("CastLike", &["saturate", "round_mode"]),
    ("Celu", &["alpha"]),
    ("Clip", &["min", "max"]),
    ("Concat", &["axis"]),
    (
        "Constant",
        &[
            "value",
            "value_float",
            "value_floats",
            "value_int",
            "value_ints",
        ],
    ),
    ("ConstantOfShape", &["value"]),
    (
        "Conv",
        &[
            "auto_pad",
            "dilations",
            "group",
            "kernel_shape",
            "pads",
            "strides",
        ],
    ),
    ("Div", &["axis", "broadcast"]),
    ("Dropout", &["ratio", "seed", "is_test"]),
    ("Elu", &["alpha"]),
    ("Erf", &[]),
    ("Exp", &[]),
    ("Expand", &[]),
    ("Flatten", &["axis"]),
    ("Gather", &["axis"]),
    ("Gelu", &["approximate"]),
    ("Gemm", &["alpha", "beta", "transA", "transB", "broadcast"]),
    ("GlobalAveragePool", &[]),
    ("Greater", &[]),
    ("HardSigmoid", &["alpha", "beta"]),
    ("HardSwish", &[]),
    ("Identity", &[]),
    ("LayerNormalization", &["axis", "epsilon", "stash_type"]),
    ("LeakyRelu", &["alpha"]),
    ("Log", &[]),
    ("MatMul", &[]),
    ("Max", &[]),
    ("Min", &[]),
    ("Mish", &[]),
    ("Mul", &["axis", "broadcast"]),
    ("Neg", &[]),
    ("PRelu", &[]),
    ("Pow", &["axis", "broadcast"]),
    ("Reciprocal", &[]),
    ("ReduceMean", &["axes", "keepdims", "noop_with_empty_axes"]),
    ("ReduceSum", &["axes", "keepdims", "noop_with_empty_axes"]),
    ("Relu", &[]),
    ("Reshape", &["allowzero", "shape"]),
    ("Selu", &["alpha", "gamma"]),
    ("Shape", &["start", "end"]),
    ("Sigmoid", &[]),
    ("Slice", &["axes", "starts", "ends"]),
    ("Softmax", &["axis"]),
    ("Softplus", &[]),
    ("Softsign", &[]),
    ("Split", &["axis", "split", "num_outputs"]),
    ("Sqrt", &[]),
    ("Squeeze", &["axes"]),
    ("Sub", &["axis", "broadcast"]),
    ("Sum", &[]),
    ("Swish", &["alpha"]),
    ("Tanh", &[]),
    ("Transpose", &["perm"]),
    ("Unsqueeze", &["axes"]),
    ("Where", &[]),
    ("ai.onnx.ml.ArrayFeatureExtractor", &[]),
    ("ai.onnx.ml.FeatureVectorizer", &["inputdimensions"]),
    (
        "ai.onnx.ml.LinearClassifier",
        &[
            "coefficients",
            "intercepts",
            "multi_class",
            "post_transform",
            "classlabels_ints",
            "classlabels_strings",
        ],
    ),
    (
        "ai.onnx.ml.LinearRegressor",
        &["coefficients", "intercepts", "targets", "post_transform"],
    ),
    ("ai.onnx.ml.Normalizer", &["norm"]),
    ("ai.onnx.ml.Scaler", &["offset", "scale"]),
    (
        "ai.onnx.ml.ZipMap",
        &["classlabels_int64s", "classlabels_strings"],
    ),
];

/// The line that lists the operators that are read.
fn supported() -> String {
    let names: Vec<_> = super::operators().collect();
    format!("supported are {}", names.join(", "))
}

/// What a value in the graph is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Constant(Constant),
    Vector(Vector),
}

/// A value that depends on the inputs, of one row: the entries of a vector, last axis fastest.
#[derive(Debug, Clone)]
pub(super) struct Vector {
    pub(super) id: Id,
    /// Its sizes; 1 for the axis of rows.
    sizes: Sizes,
    /// Which axis counts the rows, if one does.
    rows: Option<usize>,
}

/// How the axes of the graph's inputs are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// The first axis counts rows.
    Rows,
    /// The last of two axes counts rows: vectors are columns.
    Columns,
    /// No axis counts rows.
    Single,
}

/// An input of the graph.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) name: Name,
    pub(super) size: usize,
    sizes: Sizes,
    rows: Option<usize>,
    /// How many rows the file declares, if it does.
    declared: Option<usize>,
}

impl Input {
    /// The input as its declaration says, read in this way; `None` where it cannot be.
    pub(super) fn new(name: &str, dimensions: &[Option<usize>], reading: Reading) -> Option<Self> {
        let rows = match (reading, dimensions) {
            (Reading::Single, _) | (Reading::Rows, [] | [Some(_)]) => None,
            (Reading::Rows, _) => Some(0),
            (Reading::Columns, [_, _]) => Some(1),
            (Reading::Columns, _) => return None,
        };
        let mut sizes = Vec::new();
        for (axis, size) in dimensions.iter().enumerate() {
            sizes.push(if rows == Some(axis) { 1 } else { (*size)? });
        }
        // What is more than can be counted is more than a vector may have, too.
        let size = sizes.iter().fold(1_usize, |all, &n| all.saturating_mul(n));
        if size <= WIDEST {
            count(&sizes).ok()?;
        }
        Some(Self {
            name: name.into(),
            size,
            sizes,
            rows,
            declared: rows.and_then(|axis| dimensions[axis]),
        })
    }
}

/// The values of a graph as far as they are known.
pub(super) struct Evaluation<'m> {
    pub(super) expressions: Expressions,
    pub(super) notes: Vec<String>,
    values: HashMap<Name, Value>,
    budget: Rc<Budget>,
    /// The rows that the inputs declare; 1 where they leave them open.
    rows: usize,
    /// The widest format of a constant that takes part.
    pub(super) format: Format,
    /// Whether constants are calculated with in f64, whatever the file has them in.
    is_double: bool,
    graph: &'m Graph<'m>,
}

impl<'m> Evaluation<'m> {
    /// The inputs, and the constants of the file that the nodes start from; what is calculated of
    /// them is rounded to their formats, or held in f64.
    pub(super) fn new(
        graph: &'m Graph<'m>,
        inputs: &[Input],
        tolerance: f64,
        is_double: bool,
        budget: Rc<Budget>,
    ) -> Self {
        let tolerance = Tolerance::new(tolerance, is_double);
        let total = inputs.iter().map(|input| input.size).sum();
        let mut evaluation = Self {
            expressions: Expressions::new(total, tolerance, budget.clone()),
            notes: Vec::new(),
            values: HashMap::new(),
            budget,
            rows: inputs.iter().find_map(|input| input.declared).unwrap_or(1),
            format: Format::F32,
            is_double,
            graph,
        };
        let mut start = 0;
        for input in inputs {
            evaluation.expressions.place = Place {
                operator: format!("the input `{}`", input.name).into(),
                name: input.name.clone(),
                note: None,
            };
            let places = (start..start + input.size).collect();
            let vector = Vector {
                id: evaluation.expressions.pick(Expressions::INPUT, places),
                sizes: input.sizes.clone(),
                rows: input.rows,
            };
            evaluation
                .values
                .insert(input.name.clone(), Value::Vector(vector));
            start += input.size;
        }
        evaluation
    }

    /// Makes a tensor of the file known.
    pub(super) fn insert(&mut self, tensor: &proto::Tensor, folder: Option<&Path>) -> Result<()> {
        let mut constant = Constant::read(tensor, folder)?;
        self.takes_part(&mut constant);
        let name = constant.name.clone();
        self.values.insert(name, Value::Constant(constant));
        Ok(())
    }

    /// Notes the format of a constant, and widens it where calculations are in f64.
    fn takes_part(&mut self, constant: &mut Constant) {
        if constant.format == Format::F64 {
            self.format = Format::F64;
        }
        if self.is_double {
            constant.format = constant.format.widened();
        }
    }

    /// A value that is known.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Evaluates a node whose inputs are known.
    pub(super) fn evaluate(&mut self, number: usize) -> Result<()> {
        let node = &self.graph.nodes[number];
        let place = node.place();
        let at = |error: Error| error.in_sentence(|e| format!("{place}: {e}"));
        let full = match node.domain {
            "" | "ai.onnx" => node.operator.to_owned(),
            domain => format!("{domain}.{}", node.operator),
        };
        let Some((_, attributes)) = OPERATORS.iter().find(|known| known.0 == full) else {
            return Err(Error::refused(format!("{place} is not supported")).with_help(supported()));
        };
        let unknown = node.attributes.iter().find(|(name, _)| {
            // What old versions told about memory says nothing of the result.
            !attributes.contains(name) && *name != "consumed_inputs"
        });
        if let Some((name, _)) = unknown {
            return Err(at(Error::refused(format!(
                "the attribute `{name}` is not supported"
            ))));
        }
        self.expressions.place = Place {
            operator: (&*place).into(),
            name: node.name.clone(),
            note: None,
        };
        let mut inputs = Vec::new();
        for name in &node.inputs {
            inputs.push(if name.is_empty() {
                None
            } else {
                let value = self.values.get(name).cloned();
                Some(value.ok_or_else(|| {
                    at(Error::refused(format!("nothing makes its input `{name}`")))
                })?)
            });
        }
        while let Some(None) = inputs.last() {
            inputs.pop();
        }
        // What an operator is given it may look at several times; what it makes takes from the budget
        // or is bounded below.
        let given = inputs.iter().flatten().map(|value| match value {
            Value::Constant(constant) => constant.numbers.len(),
            Value::Vector(vector) => self.expressions.size(vector.id),
        });
        // A function that is called many times has them each time.
        let held = node
            .attributes
            .iter()
            .map(|(_, held)| held.floats.len() + held.ints.len() + held.s.len());
        self.budget.spend(given.chain(held).sum()).map_err(at)?;
        let call = Call { node, inputs };
        let outputs = self.call(&full, &call).map_err(at)?;
        if let Some(error) = self.expressions.exhausted.take() {
            return Err(at(error));
        }
        for (name, mut value) in node.outputs.iter().zip(outputs) {
            let entries = match &mut value {
                Value::Vector(vector) => self.expressions.size(vector.id),
                Value::Constant(constant) => {
                    self.takes_part(constant);
                    continue_with(&mut self.values, name, value);
                    continue;
                }
            };
            if entries == 0 || entries > WIDEST {
                return Err(at(Error::refused(format!(
                    "its output has {entries} entries, wanted 1 to {WIDEST}"
                ))));
            }
            continue_with(&mut self.values, name, value);
        }
        Ok(())
    }

    fn call(&mut self, operator: &str, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let one = |value: Value| Ok(vec![value]);
        match operator {
            "Identity" | "Dropout" | "CastLike" | "ai.onnx.ml.ZipMap" => {
                if let Some(training) = call.constant(2)?.filter(|_| operator == "Dropout")
                    && training.scalar() != Some(0.0)
                {
                    return Err(Error::refused("training mode, wanted inference"));
                }
                one(call.input(0)?.clone())
            }
            "Cast" => self.cast(call),
            "Constant" => {
                let constant = call.constant_value()?;
                self.budget.take(constant.numbers.len())?;
                one(Value::Constant(constant))
            }
            "ConstantOfShape" => {
                let sizes = sizes_of(&call.needed(0)?.integers()?)?;
                let value = match call.attribute("value") {
                    Some(attribute) => {
                        let tensor = attribute.t.as_ref();
                        let tensor =
                            tensor.ok_or_else(|| Error::refused("`value` is no tensor"))?;
                        Constant::read(tensor, None)?
                    }
                    None => Constant::new("", vec![1], Format::F32, [0.0]),
                };
                self.budget.take(value.numbers.len())?;
                let view = View::whole(&value.sizes)
                    .broadcast(&[1])?
                    .broadcast(&sizes)?;
                one(Value::Constant(value.viewed(&view, &self.budget)?))
            }
            "Shape" => self.shape(call),
            "Add" | "Sub" | "Mul" | "Div" | "Pow" => {
                let (a, b) = call.operands()?;
                one(self.binary(operator, &a, &b)?)
            }
            "Sum" => {
                let mut sum = call.input(0)?.clone();
                for i in 1..call.inputs.len() {
                    sum = self.binary("Add", &sum, call.input(i)?)?;
                }
                one(sum)
            }
            "Max" | "Min" => {
                let mut held = call.input(0)?.clone();
                for i in 1..call.inputs.len() {
                    held = self.extreme(operator == "Max", &held, call.input(i)?)?;
                }
                one(held)
            }
            "Clip" => self.clip(call),
            "Greater" => one(self.greater(call)?),
            "Where" => one(self.chosen(call)?),
            "MatMul" => one(self.matmul(call.input(0)?, call.input(1)?)?),
            "Gemm" => self.gemm(call),
            "Conv" => self.conv(call),
            "Reshape" => {
                let target = match call.constant(1)? {
                    Some(target) => target.numbers.to_vec(),
                    None => call.integers("shape")?.iter().map(|&n| n as f64).collect(),
                };
                let allow_zero = call.integer("allowzero", 0)? != 0;
                one(self.reshape(call.input(0)?, &target, allow_zero)?)
            }
            "Flatten" => self.flatten(call),
            "Squeeze" | "Unsqueeze" => self.squeeze(operator == "Squeeze", call),
            "Transpose" => {
                let order = match call.attribute("perm") {
                    Some(attribute) => Some(sizes_of(&attribute.ints)?),
                    None => None,
                };
                one(self.transpose(call.input(0)?, order.as_deref())?)
            }
            "Expand" => {
                let target = call.needed(1)?.numbers.clone();
                self.expand(call.input(0)?, &target)
            }
            "Concat" => {
                let at = call.integer("axis", if call.node.version < 4 { 1 } else { i64::MIN })?;
                let values = (0..call.inputs.len()).map(|i| call.input(i).cloned());
                self.concat(values.collect::<Result<_>>()?, at)
            }
            "ai.onnx.ml.FeatureVectorizer" => {
                let values = (0..call.inputs.len()).map(|i| call.input(i).cloned());
                self.concat(values.collect::<Result<_>>()?, -1)
            }
            "Split" => self.split(call),
            "Slice" => self.slice(call),
            "Gather" => {
                let at = call.integer("axis", 0)?;
                self.gather(call.input(0)?, call.needed(1)?, at)
            }
            "ai.onnx.ml.ArrayFeatureExtractor" => {
                let indices = call.needed(1)?;
                let indices = indices.reshaped(vec![indices.numbers.len()])?;
                self.gather(call.input(0)?, &indices, -1)
            }
            "ReduceMean" | "ReduceSum" => self.reduce(operator == "ReduceMean", call),
            "GlobalAveragePool" => {
                let value = call.input(0)?;
                let axes = (2..value.sizes().len()).collect();
                one(self.reduced(value, true, axes, true)?)
            }
            "BatchNormalization" => self.batch_normalization(call),
            "LayerNormalization" => self.layer_normalization(call),
            "Softmax" => self.softmax(call),
            "ai.onnx.ml.Scaler" => {
                let (offset, scale) = (call.floats("offset"), call.floats("scale"));
                let minus = |x: f64| -x;
                let x = call.input(0)?;
                let tensor = |numbers: Vec<f64>| {
                    Value::Constant(Constant::new("", vec![numbers.len()], Format::F32, numbers))
                };
                let offset = tensor(offset.into_iter().map(minus).collect());
                let centred = self.binary("Add", x, &offset)?;
                one(self.binary("Mul", &centred, &tensor(scale))?)
            }
            "ai.onnx.ml.LinearRegressor" | "ai.onnx.ml.LinearClassifier" => self.linear(call),
            "ai.onnx.ml.Normalizer" => {
                let value = call.input(0)?;
                let is_one_in_sum =
                    matches!(value, Value::Vector(v) if self.expressions.is_softmax(v.id));
                if call.text("norm", "MAX") != "L1" || !is_one_in_sum {
                    return Err(Error::refused(
                        "a norm of what is no softmax, which no layer computes",
                    ));
                }
                one(value.clone())
            }
            _ => one(self.unary(operator, call)?),
        }
    }
}

fn continue_with(values: &mut HashMap<Name, Value>, name: &Name, value: Value) {
    if !name.is_empty() {
        values.insert(name.clone(), value);
    }
}

fn sizes_of(numbers: &[i64]) -> Result<Sizes> {
    let sizes = numbers.iter().map(|&n| usize::try_from(n));
    sizes
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| Error::refused(format!("the sizes {numbers:?}")))
}

impl Value {
    fn sizes(&self) -> &[usize] {
        match self {
            Self::Constant(constant) => &constant.sizes,
            Self::Vector(vector) => &vector.sizes,
        }
    }
}

/// A node with the values of its inputs.
struct Call<'n, 'm> {
    node: &'n Node<'m>,
    inputs: Vec<Option<Value>>,
}

impl<'m> Call<'_, 'm> {
    fn input(&self, i: usize) -> Result<&Value> {
        match self.inputs.get(i) {
            Some(Some(value)) => Ok(value),
            _ => Err(Error::refused(format!("its input {i} is missing"))),
        }
    }

    /// An input that may be left out and else is a constant.
    fn constant(&self, i: usize) -> Result<Option<&Constant>> {
        match self.inputs.get(i) {
            Some(Some(Value::Constant(constant))) => Ok(Some(constant)),
            Some(Some(Value::Vector(_))) => Err(Error::refused(format!(
                "its input {i}, `{}`, depends on the inputs of the graph, wanted a constant",
                self.node.inputs.get(i).map_or("", |name| name)
            ))),
            _ => Ok(None),
        }
    }

    fn needed(&self, i: usize) -> Result<&Constant> {
        let constant = self.constant(i)?;
        constant.ok_or_else(|| Error::refused(format!("its input {i} is missing")))
    }

    /// Both operands; in old versions the second one may say which axes it has.
    fn operands(&self) -> Result<(Value, Value)> {
        let (a, mut b) = (self.input(0)?.clone(), self.input(1)?.clone());
        if self.node.version < 7
            && let Value::Constant(c) = &mut b
            && let Some(attribute) = self.attribute("axis")
        {
            let at = axis(attribute.i, a.sizes().len())?;
            let missing = a.sizes().len().checked_sub(at + c.sizes.len());
            let missing = missing.ok_or_else(|| Error::refused("its operands do not fit"))?;
            let sizes = [&*c.sizes, &vec![1; missing]].concat();
            *c = c.reshaped(sizes)?;
        }
        Ok((a, b))
    }

    fn attribute(&self, name: &str) -> Option<&'m proto::Attribute> {
        let found = self.node.attributes.iter().find(|(own, _)| *own == name);
        found.map(|(_, attribute)| *attribute)
    }

    fn integer(&self, name: &str, default: i64) -> Result<i64> {
        match self.attribute(name) {
            None => Ok(default),
            Some(attribute) if matches!(attribute.kind, 0 | 2) => Ok(attribute.i),
            Some(_) => Err(Error::refused(format!(
                "the attribute `{name}` is no integer"
            ))),
        }
    }

    /// An attribute that is an f32 and means that number.
    fn float(&self, name: &str, default: f64) -> Result<f64> {
        match self.attribute(name) {
            None => Ok(default),
            Some(attribute) if matches!(attribute.kind, 0 | 1) && attribute.f.is_finite() => {
                Ok(f64::from(attribute.f))
            }
            Some(_) => Err(Error::refused(format!(
                "the attribute `{name}` is no finite number"
            ))),
        }
    }

    fn integers(&self, name: &str) -> Result<&'m [i64]> {
        let missing = || Error::refused(format!("`{name}` is missing"));
        Ok(&self.attribute(name).ok_or_else(missing)?.ints)
    }

    fn floats(&self, name: &str) -> Vec<f64> {
        let floats = self
            .attribute(name)
            .map_or(&[][..], |attribute| &attribute.floats);
        floats.iter().map(|&x| f64::from(x)).collect()
    }

    fn text(&self, name: &str, default: &str) -> String {
        match self.attribute(name) {
            None => default.to_owned(),
            Some(attribute) => String::from_utf8_lossy(&attribute.s).into_owned(),
        }
    }

    /// The constant that a `Constant` node holds.
    fn constant_value(&self) -> Result<Constant> {
        let [(name, attribute)] = self.node.attributes[..] else {
            return Err(Error::refused(format!(
                "it holds {} values, wanted one",
                self.node.attributes.len()
            )));
        };
        let output = self.node.outputs.first().map_or("", |name| name);
        let float = |x: &f32| f64::from(*x);
        Ok(match name {
            "value" => {
                let tensor = attribute.t.as_ref();
                let tensor = tensor.ok_or_else(|| Error::refused("`value` is no tensor"))?;
                let mut constant = Constant::read(tensor, None)?;
                if constant.name.is_empty() {
                    constant.name = output.into();
                }
                constant
            }
            "value_float" => Constant::new(output, vec![], Format::F32, [float(&attribute.f)]),
            "value_floats" => {
                let floats = attribute.floats.iter().map(float);
                Constant::new(output, vec![attribute.floats.len()], Format::F32, floats)
            }
            "value_int" => Constant::new(output, vec![], Format::Integer, [attribute.i as f64]),
            _ => {
                let ints = attribute.ints.iter().map(|&i| i as f64);
                Constant::new(output, vec![attribute.ints.len()], Format::Integer, ints)
            }
        })
    }
}
