//! What each operator makes of its inputs: constants of constants, vectors of vectors.

use std::{collections::HashMap, path::Path, rc::Rc};

use super::{
    super::expression::{Budget, Expressions, Id, Place, uniform},
    graph::{Graph, Name, Node},
    proto,
    tensor::{Constant, Format},
    view::{Sizes, View, axis, common, count, gathered},
};
use crate::{
    activation::Activation,
    error::{Error, Result},
    reference,
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
pub(super) fn supported() -> String {
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
        Some(Self {
            name: name.into(),
            size: count(&sizes).ok()?,
            sizes,
            rows,
            declared: rows.and_then(|axis| dimensions[axis]),
        })
    }
}

/// Entries of a vector at most.
const WIDEST: usize = 1 << 16;

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
    graph: &'m Graph<'m>,
}

impl<'m> Evaluation<'m> {
    /// The inputs, and the constants of the file that the nodes start from.
    pub(super) fn new(
        graph: &'m Graph<'m>,
        inputs: &[Input],
        tolerance: f64,
        budget: Rc<Budget>,
    ) -> Self {
        let total = inputs.iter().map(|input| input.size).sum();
        let mut evaluation = Self {
            expressions: Expressions::new(total, tolerance, budget.clone()),
            notes: Vec::new(),
            values: HashMap::new(),
            budget,
            rows: inputs.iter().find_map(|input| input.declared).unwrap_or(1),
            format: Format::F32,
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
        let constant = Constant::read(tensor, folder)?;
        self.constant_takes_part(&constant);
        let name = constant.name.clone();
        self.values.insert(name, Value::Constant(constant));
        Ok(())
    }

    fn constant_takes_part(&mut self, constant: &Constant) {
        if constant.format == Format::F64 {
            self.format = Format::F64;
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
        let call = Call { node, inputs };
        let outputs = self.call(&full, &call).map_err(at)?;
        if let Some(error) = self.expressions.exhausted.take() {
            return Err(at(error));
        }
        for (name, value) in node.outputs.iter().zip(outputs) {
            let entries = match &value {
                Value::Vector(vector) => self.expressions.size(vector.id),
                Value::Constant(constant) => {
                    self.constant_takes_part(constant);
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

    /// An operator on each entry by itself.
    fn unary(&mut self, operator: &str, call: &Call<'_, '_>) -> Result<Value> {
        let x = match call.input(0)? {
            Value::Vector(x) => x.clone(),
            Value::Constant(constant) => {
                let f: fn(f64) -> f64 = match operator {
                    "Abs" => f64::abs,
                    "Exp" => f64::exp,
                    "Log" => f64::ln,
                    "Neg" => |x| -x,
                    "Reciprocal" => f64::recip,
                    "Sqrt" => f64::sqrt,
                    "Relu" => |x| reference::activate(Activation::Relu, x).0,
                    "Sigmoid" => |x| reference::activate(Activation::Sigmoid, x).0,
                    "Softplus" => |x| reference::activate(Activation::Softplus, x).0,
                    "Tanh" => |x| reference::activate(Activation::Tanh, x).0,
                    _ => {
                        return Err(Error::refused(
                            "its input does not depend on the inputs of the graph, and it is not \
                             calculated while the model is read",
                        ));
                    }
                };
                return Ok(Value::Constant(constant.map(&self.budget, f)?));
            }
        };
        let all = &mut self.expressions;
        let id = match operator {
            "Abs" => all.abs(x.id),
            "Exp" => all.exp(x.id),
            "Erf" => all.erf(x.id),
            "Log" => all.log(x.id),
            "Neg" => all.scaled(x.id, -1.0, 0.0),
            "Reciprocal" => all.reciprocal(x.id),
            "Sqrt" => all.sqrt(x.id),
            "Celu" => {
                // α elu(x / α) is alike for all α.
                let alpha = call.float("alpha", 1.0)?;
                let inner = all.scaled(x.id, 1.0 / alpha, 0.0);
                let made = all.activation(inner, Activation::Elu(1.0));
                all.scaled(made, alpha, 0.0)
            }
            "Elu" => all.activation(x.id, Activation::Elu(call.float("alpha", 1.0)?)),
            "LeakyRelu" => {
                let slope = call.float("alpha", f64::from(0.01_f32))?;
                all.activation(x.id, Activation::LeakyRelu(slope))
            }
            "Selu" => self.selu(x.id, call)?,
            "HardSigmoid" => {
                let alpha = call.float("alpha", f64::from(0.2_f32))?;
                let beta = call.float("beta", 0.5)?;
                if (alpha - 1.0 / 6.0).abs() < 1e-7 && beta == 0.5 {
                    all.activation(x.id, Activation::HardSigmoid)
                } else {
                    let inner = all.scaled(x.id, alpha, beta);
                    all.clip(inner, 0.0, 1.0)
                }
            }
            "PRelu" => return self.prelu(&x, call.needed(1)?),
            "Gelu" => match &*call.text("approximate", "none") {
                "none" => all.activation(x.id, Activation::Gelu),
                "tanh" => all.activation(x.id, Activation::GeluTanh),
                other => {
                    return Err(Error::refused(format!(
                        "`approximate` is `{other}`, wanted `none` or `tanh`"
                    )));
                }
            },
            "Swish" => {
                let alpha = call.float("alpha", 1.0)?;
                let inner = all.scaled(x.id, alpha, 0.0);
                let made = all.activation(inner, Activation::Silu);
                all.scaled(made, 1.0 / alpha, 0.0)
            }
            _ => {
                let activation = match operator {
                    "HardSwish" => Activation::HardSwish,
                    "Mish" => Activation::Mish,
                    "Relu" => Activation::Relu,
                    "Sigmoid" => Activation::Sigmoid,
                    "Softplus" => Activation::Softplus,
                    "Softsign" => Activation::Softsign,
                    "Tanh" => Activation::Tanh,
                    _ => {
                        let refused = Error::refused("is not supported");
                        return Err(refused.with_help(supported()));
                    }
                };
                all.activation(x.id, activation)
            }
        };
        Ok(Value::Vector(Vector { id, ..x }))
    }

    fn selu(&mut self, x: Id, call: &Call<'_, '_>) -> Result<Id> {
        let alpha = call.float("alpha", 1.673_263_2)?;
        let gamma = call.float("gamma", 1.050_701)?;
        // The constants of self-normalising networks, as f32 holds them.
        if (alpha - 1.673_263_2).abs() < 1e-6 && (gamma - 1.050_701).abs() < 1e-6 {
            return Ok(self.expressions.activation(x, Activation::Selu));
        }
        let made = self.expressions.activation(x, Activation::Elu(alpha));
        Ok(self.expressions.scaled(made, gamma, 0.0))
    }

    /// x above zero, a slope of its own for each entry below.
    fn prelu(&mut self, x: &Vector, slope: &Constant) -> Result<Value> {
        let slopes = View::whole(&slope.sizes).broadcast(&x.sizes)?;
        let slopes: Vec<f64> = slopes.places().map(|p| slope.numbers[p]).collect();
        let id = self.expressions.prelu(x.id, &slopes);
        Ok(Value::Vector(Vector { id, ..x.clone() }))
    }

    fn cast(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let to = call.integer("to", 0)?;
        let format = i32::try_from(to).ok().and_then(Format::of);
        let value = match (call.input(0)?, format) {
            (Value::Vector(x), Some(format)) if format != Format::Integer => {
                Value::Vector(x.clone())
            }
            (Value::Constant(constant), Some(format)) => {
                self.budget.take(constant.numbers.len())?;
                let numbers = constant.numbers.iter().map(|&x| format.round(x));
                Value::Constant(Constant {
                    format,
                    numbers: numbers.collect(),
                    ..constant.clone()
                })
            }
            _ => {
                return Err(Error::refused(format!(
                    "it makes the data type {to} of what depends on the inputs, wanted a \
                     floating-point type"
                )));
            }
        };
        Ok(vec![value])
    }

    fn shape(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let value = call.input(0)?;
        let mut sizes: Vec<f64> = value.sizes().iter().map(|&n| n as f64).collect();
        if let Value::Vector(Vector {
            rows: Some(rows), ..
        }) = value
        {
            sizes[*rows] = f64::NAN;
        }
        let axes = sizes.len() as i64;
        let end = |name: &str, default: i64| -> Result<usize> {
            let at = call.integer(name, default)?;
            let at = if at < 0 { at.saturating_add(axes) } else { at };
            Ok(at.clamp(0, axes) as usize)
        };
        let (start, end) = (end("start", 0)?, end("end", axes)?);
        let sizes: Vec<f64> = sizes.get(start..end).unwrap_or_default().to_vec();
        let shape = vec![sizes.len()];
        Ok(vec![Value::Constant(Constant::new(
            "",
            shape,
            Format::Integer,
            sizes,
        ))])
    }

    /// What a view shows of a vector, whose rows are counted by the axis `rows` afterwards.
    fn viewed(&mut self, x: &Vector, view: &View, rows: Option<usize>) -> Result<Vector> {
        let entries = count(&view.sizes)?;
        if entries == 0 || entries > WIDEST {
            return Err(Error::refused(format!(
                "{entries} entries, wanted 1 to {WIDEST}"
            )));
        }
        Ok(Vector {
            id: self.expressions.pick(x.id, view.places().collect()),
            sizes: view.sizes.clone(),
            rows,
        })
    }

    /// Both repeated to the sizes that they have together, and which axis counts the rows.
    fn aligned(&mut self, x: &Vector, other: &[usize]) -> Result<Vector> {
        let sizes = common(&x.sizes, other)?;
        let rows = x.rows.map(|axis| axis + sizes.len() - x.sizes.len());
        if rows.is_some_and(|axis| sizes[axis] != 1) {
            return Err(Error::refused(format!(
                "the shape {other:?} has as many entries along the axis of the rows as there would \
                 be rows"
            )));
        }
        let view = View::whole(&x.sizes).broadcast(&sizes)?;
        self.viewed(x, &view, rows)
    }

    fn binary(&mut self, operator: &str, a: &Value, b: &Value) -> Result<Value> {
        let vector = match (a, b) {
            (Value::Constant(a), Value::Constant(b)) => {
                let f: fn(f64, f64) -> f64 = match operator {
                    "Add" => |a, b| a + b,
                    "Sub" => |a, b| a - b,
                    "Mul" => |a, b| a * b,
                    "Div" => |a, b| a / b,
                    _ => f64::powf,
                };
                return Ok(Value::Constant(a.zip(b, &self.budget, f)?));
            }
            (Value::Vector(x), Value::Constant(c)) => {
                if operator == "Pow" {
                    let exponent = uniform(&c.numbers);
                    let id = exponent.and_then(|n| self.expressions.power(x.id, n));
                    let id = id.ok_or_else(|| {
                        Error::refused("a power other than -1, -0.5, 0.5, 1, 2 and 3")
                    })?;
                    return Ok(Value::Vector(Vector { id, ..x.clone() }));
                }
                let x = self.aligned(x, &c.sizes)?;
                if operator == "Div" {
                    self.noted_division(c);
                }
                match operator {
                    "Add" => self.affine(&x, c, |_| 1.0, |c| c)?,
                    "Sub" => self.affine(&x, c, |_| 1.0, |c| -c)?,
                    "Mul" => self.affine(&x, c, |c| c, |_| 0.0)?,
                    _ => self.affine(&x, c, f64::recip, |_| 0.0)?,
                }
            }
            (Value::Constant(c), Value::Vector(x)) => {
                let mut x = self.aligned(x, &c.sizes)?;
                match operator {
                    "Add" => self.affine(&x, c, |_| 1.0, |c| c)?,
                    "Sub" => self.affine(&x, c, |_| -1.0, |c| c)?,
                    "Mul" => self.affine(&x, c, |c| c, |_| 0.0)?,
                    "Div" => {
                        x.id = self.expressions.reciprocal(x.id);
                        self.affine(&x, c, |c| c, |_| 0.0)?
                    }
                    _ => {
                        return Err(Error::refused(
                            "a power of what depends on the inputs, which no layer computes",
                        ));
                    }
                }
            }
            (Value::Vector(a), Value::Vector(b)) => {
                let (x, y) = (self.aligned(a, &b.sizes)?, self.aligned(b, &a.sizes)?);
                if let (Some(rows), Some(other)) = (x.rows, y.rows)
                    && rows != other
                {
                    return Err(Error::refused(
                        "its operands count the rows along different axes",
                    ));
                }
                let all = &mut self.expressions;
                let id = match operator {
                    "Add" => all.add(x.id, y.id),
                    "Sub" => all.subtract(x.id, y.id),
                    "Mul" => all.multiply(x.id, y.id),
                    "Div" => {
                        let reciprocal = all.reciprocal(y.id);
                        all.multiply(x.id, reciprocal)
                    }
                    _ => {
                        return Err(Error::refused(
                            "a power that depends on the inputs, which no layer computes",
                        ));
                    }
                };
                Vector {
                    id,
                    sizes: x.sizes,
                    rows: x.rows.or(y.rows),
                }
            }
        };
        Ok(Value::Vector(vector))
    }

    fn noted_division(&mut self, c: &Constant) {
        // The reciprocal of a power of two is exact.
        if c.numbers.iter().any(|x| x.abs().log2().fract() != 0.0) {
            let place = &self.expressions.place.operator;
            self.notes.push(format!(
                "{place} becomes a product with the rounded reciprocal"
            ));
        }
    }

    /// s ∘ x + t, with s and t made of a constant, for a vector that has the sizes of both.
    fn affine(
        &mut self,
        x: &Vector,
        c: &Constant,
        scale: impl Fn(f64) -> f64,
        shift: impl Fn(f64) -> f64,
    ) -> Result<Vector> {
        let id = if let Some(c) = c.scalar() {
            self.expressions.scaled(x.id, scale(c), shift(c))
        } else {
            let view = View::whole(&c.sizes).broadcast(&x.sizes)?;
            let numbers: Vec<f64> = view.places().map(|p| c.numbers[p]).collect();
            let scale = numbers.iter().map(|&c| scale(c)).collect();
            let shift = numbers.iter().map(|&c| shift(c)).collect();
            self.expressions.affine(x.id, scale, shift)
        };
        Ok(Vector { id, ..x.clone() })
    }

    fn extreme(&mut self, is_max: bool, a: &Value, b: &Value) -> Result<Value> {
        let (x, c) = match (a, b) {
            (Value::Constant(a), Value::Constant(b)) => {
                let f = if is_max { f64::max } else { f64::min };
                return Ok(Value::Constant(a.zip(b, &self.budget, f)?));
            }
            (Value::Vector(a), Value::Vector(b)) => {
                let (x, y) = (self.aligned(a, &b.sizes)?, self.aligned(b, &a.sizes)?);
                let id = if is_max {
                    self.expressions.larger(x.id, y.id)
                } else {
                    None
                };
                let id = id.ok_or_else(|| {
                    Error::refused(
                        "two vectors that depend on the inputs, of which no layer takes the larger \
                         or smaller one",
                    )
                })?;
                return Ok(Value::Vector(Vector { id, ..x }));
            }
            (Value::Vector(x), Value::Constant(c)) | (Value::Constant(c), Value::Vector(x)) => {
                (x, c)
            }
        };
        let x = self.aligned(x, &c.sizes)?;
        let view = View::whole(&c.sizes).broadcast(&x.sizes)?;
        let bounds: Vec<f64> = view.places().map(|p| c.numbers[p]).collect();
        let bounds = bounds.into_iter().map(|bound| {
            if is_max {
                (bound, f64::INFINITY)
            } else {
                (f64::NEG_INFINITY, bound)
            }
        });
        self.held(&x, bounds.collect())
    }

    /// Each entry held between two numbers of its own.
    fn held(&mut self, x: &Vector, bounds: Vec<(f64, f64)>) -> Result<Value> {
        if bounds
            .iter()
            .any(|(low, high)| low.is_nan() || high.is_nan())
        {
            return Err(Error::refused("a bound that is not a number"));
        }
        let all = &mut self.expressions;
        let mut parts = Vec::new();
        let mut start = 0;
        for group in bounds.chunk_by(|a, b| a == b) {
            let end = start + group.len();
            let part = all.pick(x.id, (start..end).collect());
            parts.push(all.clip(part, group[0].0, group[0].1));
            start = end;
        }
        let id = all.concat(parts);
        Ok(Value::Vector(Vector { id, ..x.clone() }))
    }

    fn clip(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let bound = |i: usize, name: &str, open: f64| -> Result<f64> {
            if call.node.version < 11 {
                return call.float(name, open);
            }
            match call.constant(i)? {
                None => Ok(open),
                Some(c) => c
                    .scalar()
                    .ok_or_else(|| Error::refused(format!("`{name}` is no scalar"))),
            }
        };
        let low = bound(1, "min", f64::NEG_INFINITY)?;
        let high = bound(2, "max", f64::INFINITY)?;
        if low.is_nan() || high.is_nan() {
            return Err(Error::refused("a bound that is not a number"));
        }
        Ok(vec![match call.input(0)? {
            Value::Constant(c) => Value::Constant(c.map(&self.budget, |x| x.max(low).min(high))?),
            Value::Vector(x) => Value::Vector(Vector {
                id: self.expressions.clip(x.id, low, high),
                ..x.clone()
            }),
        }])
    }

    /// W x of a vector of as many entries as W has columns; W row by row.
    fn weighted(&mut self, x: Id, weight: &Constant, view: &View) -> Result<Id> {
        let inputs = self.expressions.size(x);
        if view.sizes.last() != Some(&inputs) {
            return Err(Error::refused(format!(
                "the weights `{}` take {} inputs, but there are {inputs}",
                weight.name,
                view.sizes.last().unwrap_or(&0)
            )));
        }
        let weight = weight.viewed(view, &self.budget)?;
        if weight.numbers.is_empty() {
            return Err(Error::refused(format!(
                "the weights `{}` are none",
                weight.name
            )));
        }
        Ok(self.expressions.product(x, weight.numbers, weight.name))
    }

    fn matmul(&mut self, a: &Value, b: &Value) -> Result<Value> {
        match (a, b) {
            (Value::Vector(x), Value::Constant(w)) => {
                let w = &without_front(w, 2)?;
                let Some(last) = x.sizes.len().checked_sub(1).filter(|&l| x.rows != Some(l)) else {
                    return Err(Error::refused("its matrix would mix rows"));
                };
                check_one_position(x, last)?;
                let mut sizes = x.sizes.clone();
                let view = match w.sizes.len() {
                    1 => {
                        sizes.pop();
                        View::whole(&[&[1], &*w.sizes].concat())
                    }
                    _ => {
                        sizes[last] = w.sizes[1];
                        View::whole(&w.sizes).transposed(None)?
                    }
                };
                let id = self.weighted(x.id, w, &view)?;
                Ok(Value::Vector(Vector {
                    id,
                    sizes,
                    rows: x.rows,
                }))
            }
            (Value::Constant(w), Value::Vector(x)) => {
                let w = &without_front(w, 2)?;
                let at = match x.sizes.len() {
                    0 => return Err(Error::refused("its operand has no axes")),
                    1 => 0,
                    axes => axes - 2,
                };
                if x.rows == Some(at) {
                    return Err(Error::refused("its matrix would mix rows"));
                }
                check_one_position(x, at)?;
                let mut sizes = x.sizes.clone();
                let view = match w.sizes.len() {
                    1 => {
                        sizes.remove(at);
                        View::whole(&[&[1], &*w.sizes].concat())
                    }
                    _ => {
                        sizes[at] = w.sizes[0];
                        View::whole(&w.sizes)
                    }
                };
                let rows = x.rows.map(|r| {
                    if sizes.len() < x.sizes.len() && r > at {
                        r - 1
                    } else {
                        r
                    }
                });
                let id = self.weighted(x.id, w, &view)?;
                Ok(Value::Vector(Vector { id, sizes, rows }))
            }
            (Value::Vector(_), Value::Vector(_)) => Err(Error::refused(
                "both operands depend on the inputs, wanted one matrix of weights",
            )),
            (Value::Constant(_), Value::Constant(_)) => Err(Error::refused(
                "the product of two constant matrices is not calculated while the model is read",
            )),
        }
    }

    fn gemm(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let operand = |all: &mut Self, i: usize, name: &str| -> Result<Value> {
            let value = call.input(i)?;
            if value.sizes().len() != 2 {
                return Err(Error::refused(format!(
                    "an operand of the shape {:?}, wanted two axes",
                    value.sizes()
                )));
            }
            if call.integer(name, 0)? != 0 {
                all.transpose(value, None)
            } else {
                Ok(value.clone())
            }
        };
        let (mut a, mut b) = (operand(self, 0, "transA")?, operand(self, 1, "transB")?);
        let (alpha, beta) = (call.float("alpha", 1.0)?, call.float("beta", 1.0)?);
        if alpha != 1.0 {
            let place = &self.expressions.place.operator;
            self.notes.push(format!(
                "{place}: the weights are multiplied with alpha, {alpha:?}"
            ));
            for value in [&mut a, &mut b] {
                if let Value::Constant(w) = value {
                    *w = w.map(&self.budget, |w| alpha * w)?;
                }
            }
        }
        let mut y = self.matmul(&a, &b)?;
        if let Some(Some(c)) = call.inputs.get(2) {
            let c = if beta == 1.0 {
                c.clone()
            } else {
                let beta = Constant::new("", vec![], Format::F32, [beta]);
                self.binary("Mul", c, &Value::Constant(beta))?
            };
            y = self.binary("Add", &y, &c)?;
        }
        Ok(vec![y])
    }

    /// A convolution that makes one pixel, which is a dense layer.
    fn conv(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let Value::Vector(x) = call.input(0)? else {
            return Err(Error::refused("a convolution of constants"));
        };
        let w = call.needed(1)?;
        let axes = x.sizes.len().saturating_sub(2);
        if x.sizes.len() < 3 || w.sizes.len() != x.sizes.len() || x.rows == Some(1) {
            return Err(Error::refused(format!(
                "an input of the shape {:?} and weights of {:?}, wanted [rows, channels, ...] and \
                 as many axes",
                x.sizes, w.sizes
            )));
        }
        let list = |name: &str, length: usize, default: i64| -> Result<Vec<i64>> {
            match call.attribute(name) {
                None => Ok(vec![default; length]),
                Some(a) if a.ints.len() == length => Ok(a.ints.clone()),
                Some(a) => Err(Error::refused(format!("`{name}` is {:?}", a.ints))),
            }
        };
        let (strides, dilations) = (list("strides", axes, 1)?, list("dilations", axes, 1)?);
        let pads = match &*call.text("auto_pad", "NOTSET") {
            "NOTSET" => list("pads", 2 * axes, 0)?,
            "VALID" => vec![0; 2 * axes],
            other => {
                return Err(Error::refused(format!(
                    "`auto_pad` is `{other}`, wanted NOTSET or VALID"
                )));
            }
        };
        let (channels, pixels) = (x.sizes[1], &x.sizes[2..]);
        let (outputs, inside, kernel) = (w.sizes[0], w.sizes[1], &w.sizes[2..]);
        let group = call.integer("group", 1)?;
        let group = usize::try_from(group).ok().filter(|&g| {
            g > 0 && inside.checked_mul(g) == Some(channels) && outputs % g == 0 && outputs > 0
        });
        let Some(group) = group else {
            return Err(Error::refused(format!(
                "weights of the shape {:?} do not fit {channels} channels",
                w.sizes
            )));
        };
        for a in 0..axes {
            let size = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
            let reach = (size(kernel[a]) - 1).saturating_mul(dilations[a]);
            let room = size(pixels[a])
                .saturating_add(pads[a])
                .saturating_add(pads[axes + a])
                .saturating_sub(reach)
                .saturating_sub(1);
            let is_one = kernel[a] > 0
                && strides[a] > 0
                && dilations[a] > 0
                && pads[a] >= 0
                && pads[axes + a] >= 0
                && (0..strides[a]).contains(&room);
            if !is_one {
                return Err(Error::refused(format!(
                    "a convolution with kernels of {kernel:?} on {pixels:?} pixels; only those that \
                     make one pixel, which are dense layers, are supported"
                )));
            }
        }
        let inputs = self.expressions.size(x.id);
        let total = outputs
            .checked_mul(inputs)
            .ok_or_else(|| Error::refused("too many weights"))?;
        self.budget.take(total)?;
        let mut weight = vec![0.0; total];
        let window = View::whole(kernel);
        let per_kernel = count(kernel)?;
        let per_channel: usize = pixels.iter().product();
        for o in 0..outputs {
            for c in 0..inside {
                let channel = o / (outputs / group) * inside + c;
                for (k, place) in window.places().enumerate() {
                    let _ = place;
                    let (mut rest, mut pixel, mut is_inside) = (k, 0, true);
                    let mut step = 1;
                    for a in (0..axes).rev() {
                        let at = (rest % kernel[a]) as i64 * dilations[a] - pads[a];
                        rest /= kernel[a];
                        is_inside &= (0..pixels[a] as i64).contains(&at);
                        pixel += at.max(0) as usize * step;
                        step *= pixels[a];
                    }
                    if is_inside {
                        weight[o * inputs + channel * per_channel + pixel] =
                            w.numbers[(o * inside + c) * per_kernel + k];
                    }
                }
            }
        }
        let mut sizes = vec![1; x.sizes.len()];
        sizes[1] = outputs;
        let id = self
            .expressions
            .product(x.id, weight.into(), w.name.clone());
        let mut y = Value::Vector(Vector {
            id,
            sizes,
            rows: x.rows,
        });
        if let Some(bias) = call.constant(2)? {
            let mut sizes = vec![1; axes + 1];
            sizes[0] = bias.numbers.len();
            y = self.binary("Add", &y, &Value::Constant(bias.reshaped(sizes)?))?;
        }
        Ok(vec![y])
    }

    fn reshape(&mut self, value: &Value, target: &[f64], allow_zero: bool) -> Result<Value> {
        let own = value.sizes();
        let rows = match value {
            Value::Vector(x) => x.rows,
            Value::Constant(_) => None,
        };
        let entries = count(own)?;
        let (mut sizes, mut new_rows, mut open) = (Vec::new(), None, None);
        for (axis, &size) in target.iter().enumerate() {
            let size = if size == 0.0 && !allow_zero {
                if rows == Some(axis) {
                    f64::NAN
                } else {
                    *own.get(axis).unwrap_or(&0) as f64
                }
            } else {
                size
            };
            if size.is_nan() {
                new_rows = Some(axis);
                sizes.push(1);
            } else if size == -1.0 && open.is_none() {
                open = Some(axis);
                sizes.push(1);
            } else if size >= 0.0 {
                sizes.push(size as usize);
            } else {
                return Err(Error::refused(format!("the shape {target:?}")));
            }
        }
        let wanted = || Error::refused(format!("{own:?} entries in the shape {target:?}"));
        // Where the file declares a number of rows, the shape may name it.
        if rows.is_some()
            && new_rows.is_none()
            && self.rows > 1
            && sizes.first() == Some(&self.rows)
            && count(&sizes[1..])? * usize::from(open.is_none()) == entries
        {
            new_rows = Some(0);
            sizes[0] = 1;
        }
        let known = count(&sizes)?;
        if let Some(axis) = open {
            if known == entries && rows.is_some() && new_rows.is_none() {
                new_rows = Some(axis);
            } else if known > 0 && entries % known == 0 {
                sizes[axis] = entries / known;
            } else {
                return Err(wanted());
            }
        }
        if count(&sizes)? != entries {
            return Err(wanted());
        }
        Ok(match value {
            Value::Constant(c) => Value::Constant(c.reshaped(sizes)?),
            Value::Vector(x) => {
                if rows.is_some() && new_rows.is_none() && sizes.len() > 1 && sizes[0] == 1 {
                    new_rows = Some(0);
                }
                Value::Vector(Vector {
                    id: x.id,
                    sizes,
                    rows: new_rows,
                })
            }
        })
    }

    fn flatten(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let value = call.input(0)?;
        let axes = value.sizes().len();
        let at = call.integer("axis", 1)?;
        let at = if at == axes as i64 {
            axes
        } else {
            axis(at, axes.max(1))?
        };
        let (outer, inner) = value.sizes().split_at(at);
        let sizes = vec![count(outer)?, count(inner)?];
        Ok(vec![match value {
            Value::Constant(c) => Value::Constant(c.reshaped(sizes)?),
            Value::Vector(x) => {
                let rows = match x.rows {
                    Some(_) if sizes[0] == 1 => Some(0),
                    Some(_) if sizes[1] == 1 => Some(1),
                    Some(_) => return Err(Error::refused("it would mix rows")),
                    None => None,
                };
                Value::Vector(Vector {
                    id: x.id,
                    sizes,
                    rows,
                })
            }
        }])
    }

    fn squeeze(&mut self, is_squeeze: bool, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let value = call.input(0)?;
        let axes = match call.constant(1)? {
            Some(axes) => Some(axes.integers()?),
            None => call
                .attribute("axes")
                .map(|attribute| attribute.ints.clone()),
        };
        let own = value.sizes();
        let rows = match value {
            Value::Vector(x) => x.rows,
            Value::Constant(_) => None,
        };
        // For each new axis the old one, if there is one.
        let mut from: Vec<Option<usize>> = (0..own.len()).map(Some).collect();
        if is_squeeze {
            let gone: Vec<usize> = match axes {
                Some(axes) => axes
                    .iter()
                    .map(|&a| axis(a, own.len()))
                    .collect::<Result<_>>()?,
                None => (0..own.len())
                    .filter(|&a| own[a] == 1 && (rows != Some(a) || self.rows == 1))
                    .filter(|&a| rows != Some(a) || own.len() > 1)
                    .collect(),
            };
            if let Some(&a) = gone.iter().find(|&&a| own[a] != 1) {
                return Err(Error::refused(format!(
                    "axis {a} of the shape {own:?} is not of size 1"
                )));
            }
            from.retain(|a| a.is_none_or(|a| !gone.contains(&a)));
        } else {
            let axes = axes.ok_or_else(|| Error::refused("its axes are missing"))?;
            let total = own.len() + axes.len();
            let mut new = axes
                .iter()
                .map(|&a| axis(a, total))
                .collect::<Result<Vec<_>>>()?;
            new.sort_unstable();
            new.dedup();
            if new.len() != axes.len() {
                return Err(Error::refused(format!("the axes {axes:?}")));
            }
            for a in new {
                from.insert(a, None);
            }
        }
        let sizes: Sizes = from.iter().map(|a| a.map_or(1, |a| own[a])).collect();
        count(&sizes)?;
        Ok(vec![match value {
            Value::Constant(c) => Value::Constant(c.reshaped(sizes)?),
            Value::Vector(x) => Value::Vector(Vector {
                id: x.id,
                rows: rows.and_then(|rows| from.iter().position(|a| *a == Some(rows))),
                sizes,
            }),
        }])
    }

    fn transpose(&mut self, value: &Value, order: Option<&[usize]>) -> Result<Value> {
        let view = View::whole(value.sizes()).transposed(order)?;
        Ok(match value {
            Value::Constant(c) => Value::Constant(c.viewed(&view, &self.budget)?),
            Value::Vector(x) => {
                let axes = x.sizes.len();
                let rows = x.rows.and_then(|rows| match order {
                    Some(order) => order.iter().position(|&a| a == rows),
                    None => Some(axes - 1 - rows),
                });
                Value::Vector(self.viewed(x, &view, rows)?)
            }
        })
    }

    fn expand(&mut self, value: &Value, target: &[f64]) -> Result<Vec<Value>> {
        let target: Vec<usize> = target
            .iter()
            .map(|&n| if n.is_nan() { 1 } else { n.max(0.0) as usize })
            .collect();
        Ok(vec![match value {
            Value::Constant(c) => {
                let sizes = common(&c.sizes, &target)?;
                let view = View::whole(&c.sizes).broadcast(&sizes)?;
                Value::Constant(c.viewed(&view, &self.budget)?)
            }
            Value::Vector(x) => Value::Vector(self.aligned(x, &target)?),
        }])
    }

    fn concat(&mut self, values: Vec<Value>, at: i64) -> Result<Vec<Value>> {
        let Some(first) = values.first() else {
            return Err(Error::refused("it joins nothing"));
        };
        let at = axis(at, first.sizes().len())?;
        let mut sizes = first.sizes().to_vec();
        let mut total = 0_usize;
        for value in &values {
            let own = value.sizes();
            let fits =
                own.len() == sizes.len() && (0..own.len()).all(|a| a == at || own[a] == sizes[a]);
            if !fits {
                return Err(Error::refused(format!("the shapes {sizes:?} and {own:?}")));
            }
            total = total.saturating_add(own[at]);
        }
        sizes[at] = total;
        let entries = count(&sizes)?;
        let outer: usize = sizes[..at].iter().product();
        // Where each entry of the result is among the parts one after the other.
        let places = |values: &[Value]| {
            let mut places = Vec::with_capacity(entries);
            for o in 0..outer {
                let mut start = 0;
                for value in values {
                    let all: usize = value.sizes().iter().product();
                    let each = all / outer.max(1);
                    places.extend(start + o * each..start + (o + 1) * each);
                    start += all;
                }
            }
            places
        };
        let mut constants = Vec::new();
        for value in &values {
            if let Value::Constant(c) = value {
                constants.push(c);
            }
        }
        if constants.len() == values.len() {
            self.budget.take(entries)?;
            let flat: Vec<f64> = constants
                .iter()
                .flat_map(|c| c.numbers.iter().copied())
                .collect();
            let format = constants.iter().map(|c| c.format).reduce(Format::join);
            let numbers = places(&values).into_iter().map(|p| flat[p]);
            let format = format.unwrap_or(Format::F32);
            return Ok(vec![Value::Constant(Constant::new(
                &constants[0].name,
                sizes,
                format,
                numbers,
            ))]);
        }
        if entries == 0 || entries > WIDEST {
            return Err(Error::refused(format!(
                "{entries} entries, wanted 1 to {WIDEST}"
            )));
        }
        let (mut parts, mut rows) = (Vec::new(), None);
        for value in &values {
            match value {
                Value::Vector(x) => {
                    rows = rows.or(x.rows);
                    if x.rows == Some(at) {
                        return Err(Error::refused("it would join rows"));
                    }
                    if x.rows.is_some() && rows != x.rows {
                        return Err(Error::refused(
                            "its inputs count the rows along different axes",
                        ));
                    }
                    parts.push(x.id);
                }
                Value::Constant(c) if c.numbers.is_empty() => {}
                Value::Constant(c) => {
                    // Zero times an input is a vector too, to which the constant is added.
                    let n = c.numbers.len();
                    let any = self.expressions.pick(Expressions::INPUT, vec![0; n]);
                    let zero = vec![0.0; n];
                    parts.push(self.expressions.affine(any, zero, c.numbers.to_vec()));
                }
            }
        }
        let joined = self.expressions.concat(parts);
        let id = self.expressions.pick(joined, places(&values));
        Ok(vec![Value::Vector(Vector { id, sizes, rows })])
    }

    /// A part of a value, `count` items along one axis.
    fn part(
        &mut self,
        value: &Value,
        at: usize,
        start: usize,
        step: isize,
        n: usize,
    ) -> Result<Value> {
        let view = View::whole(value.sizes()).sliced(at, start, step, n);
        Ok(match value {
            Value::Constant(c) => Value::Constant(c.viewed(&view, &self.budget)?),
            Value::Vector(x) if x.rows == Some(at) => {
                if (start, step, n) != (0, 1, 1) {
                    return Err(Error::refused("it would take some of the rows"));
                }
                value.clone()
            }
            Value::Vector(x) => Value::Vector(self.viewed(x, &view, x.rows)?),
        })
    }

    fn split(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let value = call.input(0)?;
        let at = axis(call.integer("axis", 0)?, value.sizes().len())?;
        let size = value.sizes()[at];
        let lengths = match call.constant(1)? {
            Some(lengths) => sizes_of(&lengths.integers()?)?,
            None => match call.attribute("split") {
                Some(attribute) => sizes_of(&attribute.ints)?,
                None => {
                    let outputs = call.node.outputs.len();
                    let parts = call.integer("num_outputs", outputs as i64)?;
                    let parts = usize::try_from(parts).unwrap_or(0);
                    if parts != outputs || parts == 0 {
                        return Err(Error::refused(format!(
                            "{parts} parts in {outputs} outputs"
                        )));
                    }
                    // The last part may be shorter.
                    let each = size.div_ceil(parts);
                    (0..parts)
                        .map(|i| size.saturating_sub(i * each).min(each))
                        .collect()
                }
            },
        };
        if lengths
            .iter()
            .try_fold(0_usize, |sum, &n| sum.checked_add(n))
            != Some(size)
        {
            return Err(Error::refused(format!(
                "parts of {lengths:?} out of {size}"
            )));
        }
        let mut start = 0;
        let mut parts = Vec::new();
        for (length, output) in lengths.into_iter().zip(&call.node.outputs) {
            if !output.is_empty() && length == 0 {
                return Err(Error::refused("a part without entries"));
            }
            parts.push(self.part(value, at, start, 1, length)?);
            start += length;
        }
        Ok(parts)
    }

    fn slice(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let mut value = call.input(0)?.clone();
        let list = |i: usize, name: &str| -> Result<Option<Vec<i64>>> {
            Ok(match call.constant(i)? {
                Some(c) => Some(c.integers()?),
                None => call.attribute(name).map(|attribute| attribute.ints.clone()),
            })
        };
        let missing = || Error::refused("where it starts or ends is missing");
        let starts = list(1, "starts")?.ok_or_else(missing)?;
        let ends = list(2, "ends")?.ok_or_else(missing)?;
        let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
        if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
            return Err(Error::refused(
                "as many starts, ends, axes and steps are wanted",
            ));
        }
        for i in 0..starts.len() {
            let at = axis(axes[i], value.sizes().len())?;
            let size = value.sizes()[at] as i64;
            if let Value::Vector(x) = &value
                && x.rows == Some(at)
            {
                let is_all = starts[i] == 0
                    && steps[i] == 1
                    && (ends[i] >= i64::from(i32::MAX) || ends[i] == self.rows as i64);
                if !is_all {
                    return Err(Error::refused("it would take some of the rows"));
                }
                continue;
            }
            let from_front = |n: i64| if n < 0 { n.saturating_add(size) } else { n };
            let step = steps[i];
            let (start, n) = if step > 0 {
                let (start, end) = (
                    from_front(starts[i]).clamp(0, size),
                    from_front(ends[i]).clamp(0, size),
                );
                (
                    start,
                    (end - start).max(0).div_euclid(step)
                        + i64::from((end - start).max(0) % step != 0),
                )
            } else if step < 0 && step > i64::MIN {
                let start = from_front(starts[i]).clamp(-1, size - 1);
                let end = from_front(ends[i]).clamp(-1, size - 1);
                let n = (start - end).max(0);
                (start.max(0), n / -step + i64::from(n % -step != 0))
            } else {
                return Err(Error::refused("a step of zero"));
            };
            value = self.part(&value, at, start as usize, step as isize, n as usize)?;
        }
        Ok(vec![value])
    }

    fn gather(&mut self, value: &Value, indices: &Constant, at: i64) -> Result<Vec<Value>> {
        let own = value.sizes();
        let at = axis(at, own.len())?;
        let size = own[at];
        let found = indices.integers()?.into_iter().map(|index| {
            axis(index, size)
                .map_err(|_| Error::refused(format!("the index {index} out of {size}")))
        });
        let found = found.collect::<Result<Vec<usize>>>()?;
        let sizes = [&own[..at], &indices.sizes, &own[at + 1..]].concat();
        let entries = count(&sizes)?;
        Ok(vec![match value {
            Value::Constant(c) => {
                self.budget.take(entries)?;
                let places = gathered(own, at, &found).into_iter();
                let numbers = places.map(|p| c.numbers[p]).collect();
                Value::Constant(Constant {
                    sizes,
                    numbers,
                    ..c.clone()
                })
            }
            Value::Vector(x) => {
                if x.rows == Some(at) {
                    return Err(Error::refused("it would take some of the rows"));
                }
                if entries == 0 || entries > WIDEST {
                    return Err(Error::refused(format!(
                        "{entries} entries, wanted 1 to {WIDEST}"
                    )));
                }
                let rows = x.rows.map(|rows| {
                    if rows > at {
                        rows + indices.sizes.len() - 1
                    } else {
                        rows
                    }
                });
                let id = self.expressions.pick(x.id, gathered(own, at, &found));
                Value::Vector(Vector { id, sizes, rows })
            }
        }])
    }

    fn reduce(&mut self, is_mean: bool, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let value = call.input(0)?;
        let axes = match call.constant(1)? {
            Some(axes) => axes.integers()?,
            None => call
                .integers("axes")
                .map(<[i64]>::to_vec)
                .unwrap_or_default(),
        };
        if axes.is_empty() && call.integer("noop_with_empty_axes", 0)? != 0 {
            return Ok(vec![value.clone()]);
        }
        let own = value.sizes().len();
        let axes = if axes.is_empty() {
            (0..own).collect()
        } else {
            axes.iter()
                .map(|&a| axis(a, own))
                .collect::<Result<Vec<_>>>()?
        };
        let keep = call.integer("keepdims", 1)? != 0;
        Ok(vec![self.reduced(value, is_mean, axes, keep)?])
    }

    /// The mean or the sum along axes.
    fn reduced(
        &mut self,
        value: &Value,
        is_mean: bool,
        axes: Vec<usize>,
        keep: bool,
    ) -> Result<Value> {
        let Value::Vector(x) = value else {
            return Err(Error::refused("the mean or sum of a constant"));
        };
        if x.rows.is_some_and(|rows| axes.contains(&rows)) {
            return Err(Error::refused("it would mix rows"));
        }
        let own = &x.sizes;
        let mut sizes = own.clone();
        axes.iter().for_each(|&a| sizes[a] = 1);
        let outputs = count(&sizes)?;
        let inputs = self.expressions.size(x.id);
        let id = if outputs == inputs {
            x.id
        } else if outputs == 1 && is_mean {
            self.expressions.mean(x.id)
        } else {
            let each = if is_mean {
                outputs as f64 / inputs as f64
            } else {
                1.0
            };
            self.budget.take(outputs * inputs)?;
            let mut weight = vec![0.0; outputs * inputs];
            // Seen with strides of zero along what is added, each entry has its sum.
            let sums = View::whole(&sizes).broadcast(own)?;
            for (j, i) in sums.places().enumerate() {
                weight[i * inputs + j] = each;
            }
            let name = self.expressions.place.name.clone();
            self.expressions.product(x.id, weight.into(), name)
        };
        let mut rows = x.rows;
        if !keep {
            rows = rows.map(|rows| rows - axes.iter().filter(|&&a| a < rows).count());
            let mut a = 0;
            sizes.retain(|_| {
                a += 1;
                !axes.contains(&(a - 1))
            });
        }
        Ok(Value::Vector(Vector { id, sizes, rows }))
    }

    fn batch_normalization(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let Value::Vector(x) = call.input(0)? else {
            return Err(Error::refused("a normalisation of constants"));
        };
        let is_training = call.integer("training_mode", 0)? != 0
            || call.integer("spatial", 1)? == 0
            || call
                .node
                .outputs
                .iter()
                .skip(1)
                .any(|name| !name.is_empty());
        if is_training {
            return Err(Error::refused(
                "training mode or `spatial` = 0, wanted inference",
            ));
        }
        let [scale, shift, mean, variance] = [
            call.needed(1)?,
            call.needed(2)?,
            call.needed(3)?,
            call.needed(4)?,
        ];
        let epsilon = call.float("epsilon", f64::from(1e-5_f32))?;
        let axes = x.sizes.len();
        if axes < 2 || x.rows == Some(1) {
            return Err(Error::refused(format!(
                "an input of the shape {:?}",
                x.sizes
            )));
        }
        let n = x.sizes[1];
        if [scale, shift, mean, variance]
            .iter()
            .any(|c| c.numbers.len() != n)
        {
            return Err(Error::refused(format!(
                "wanted {n} numbers of each kind, one a channel"
            )));
        }
        // The channels, repeated over what each of them has.
        let mut sizes = vec![1; axes];
        sizes[1] = n;
        let channels = View::whole(&sizes).broadcast(&x.sizes)?;
        let factor = |i: usize| scale.numbers[i] / (variance.numbers[i] + epsilon).sqrt();
        let factors = channels.places().map(factor).collect();
        let shifts = channels
            .places()
            .map(|i| shift.numbers[i] - mean.numbers[i] * factor(i))
            .collect();
        let place = &self.expressions.place.operator;
        self.notes.push(format!(
            "{place} becomes an affine layer, its numbers rounded"
        ));
        let id = self.expressions.affine(x.id, factors, shifts);
        Ok(vec![Value::Vector(Vector { id, ..x.clone() })])
    }

    fn layer_normalization(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let Value::Vector(x) = call.input(0)? else {
            return Err(Error::refused("a normalisation of constants"));
        };
        let from = axis(call.integer("axis", -1)?, x.sizes.len())?;
        check_all_entries(x, from)?;
        let id = self
            .expressions
            .normalised(x.id, call.float("epsilon", f64::from(1e-5_f32))?);
        let mut y = Value::Vector(Vector { id, ..x.clone() });
        y = self.binary("Mul", &y, &Value::Constant(call.needed(1)?.clone()))?;
        if let Some(shift) = call.constant(2)? {
            y = self.binary("Add", &y, &Value::Constant(shift.clone()))?;
        }
        Ok(vec![y])
    }

    fn softmax(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let Value::Vector(x) = call.input(0)? else {
            return Err(Error::refused("the softmax of constants"));
        };
        let is_old = call.node.version < 13;
        let at = axis(
            call.integer("axis", if is_old { 1 } else { -1 })?,
            x.sizes.len(),
        )?;
        if is_old {
            check_all_entries(x, at)?;
        } else if x.rows == Some(at) || x.sizes[at] != self.expressions.size(x.id) {
            return Err(Error::refused(format!(
                "a softmax along axis {at} of the shape {:?}, wanted one over all entries",
                x.sizes
            )));
        }
        let id = self.expressions.softmax(x.id);
        Ok(vec![Value::Vector(Vector { id, ..x.clone() })])
    }

    /// scikit-learn's linear models. The label that a classifier makes is never evaluated.
    fn linear(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let Value::Vector(x) = call.input(0)? else {
            return Err(Error::refused("a linear model of constants"));
        };
        let inputs = self.expressions.size(x.id);
        let coefficients = call.floats("coefficients");
        let outputs = coefficients.len() / inputs.max(1);
        if outputs * inputs != coefficients.len() || outputs == 0 {
            return Err(Error::refused(format!(
                "{} coefficients for {inputs} inputs",
                coefficients.len()
            )));
        }
        let place = self.expressions.place.name.clone();
        let mut id = self.expressions.product(x.id, coefficients.into(), place);
        let intercepts = call.floats("intercepts");
        if !intercepts.is_empty() {
            if intercepts.len() != outputs {
                return Err(Error::refused(format!(
                    "{} intercepts, wanted {outputs}",
                    intercepts.len()
                )));
            }
            id = self.expressions.affine(id, vec![1.0; outputs], intercepts);
        }
        let is_classifier = call.node.operator == "LinearClassifier";
        let labels = call
            .attribute("classlabels_ints")
            .map_or(0, |a| a.ints.len());
        id = match &*call.text("post_transform", "NONE") {
            "NONE" => id,
            "LOGISTIC" => self.expressions.activation(id, Activation::Sigmoid),
            "SOFTMAX" if outputs > 1 => self.expressions.softmax(id),
            other => return Err(Error::refused(format!("`post_transform` is `{other}`"))),
        };
        if is_classifier && (outputs == 1 || labels > 0 && labels != outputs) {
            return Err(Error::refused(
                "one score for two classes, wanted a score for each",
            ));
        }
        let scores = Value::Vector(Vector {
            id,
            sizes: vec![1, outputs],
            rows: Some(0),
        });
        Ok(if is_classifier {
            // Integers of no use stand for the label.
            let label = Constant::new("label", vec![0], Format::Integer, []);
            vec![Value::Constant(label), scores]
        } else {
            vec![scores]
        })
    }
}

fn continue_with(values: &mut HashMap<Name, Value>, name: &Name, value: Value) {
    if !name.is_empty() {
        values.insert(name.clone(), value);
    }
}

/// Refuses a vector that has entries beside those of one axis: a matrix would be applied to each of
/// several positions.
fn check_one_position(x: &Vector, at: usize) -> Result<()> {
    let others = count(&x.sizes)? / x.sizes[at].max(1);
    if others == 1 {
        return Ok(());
    }
    Err(Error::refused(format!(
        "an input of the shape {:?}: its matrix would be applied to {others} positions of one row, \
         wanted one",
        x.sizes
    )))
}

/// Refuses a vector of which the axes from one on have not all entries, or hold the rows.
fn check_all_entries(x: &Vector, from: usize) -> Result<()> {
    if count(&x.sizes[..from])? != 1 || x.rows.is_some_and(|rows| rows >= from) {
        return Err(Error::refused(format!(
            "over the axes from {from} on of the shape {:?}, wanted one over all entries",
            x.sizes
        )));
    }
    Ok(())
}

/// The same constant without axes of size 1 in front, down to so many axes.
fn without_front(c: &Constant, axes: usize) -> Result<Constant> {
    let mut sizes = &*c.sizes;
    while sizes.len() > axes && sizes[0] == 1 {
        sizes = &sizes[1..];
    }
    if sizes.len() > axes || sizes.is_empty() {
        return Err(Error::refused(format!(
            "the weights `{}` have the shape {:?}, wanted a matrix",
            c.name, c.sizes
        )));
    }
    c.reshaped(sizes.to_vec())
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
        let Some(&(name, attribute)) = self.node.attributes.first() else {
            return Err(Error::refused("it holds nothing"));
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
