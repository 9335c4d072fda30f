//! Operators on each entry by itself.

use super::{
    super::{
        tensor::{Constant, Format},
        view::View,
    },
    Call, Evaluation, Value, Vector, supported,
};
use crate::{
    activation::{Activation, CUBIC},
    error::{Error, Result},
    import::expression::{Expressions, Id, uniform},
    reference,
};

impl Evaluation<'_> {
    /// An operator on each entry by itself.
    pub(super) fn unary(&mut self, operator: &str, call: &Call<'_, '_>) -> Result<Value> {
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
                hard_sigmoid(all, x.id, alpha, beta)
            }
            // x · HardSigmoid(x), of which the standard writes the slope as an attribute, an f32.
            "HardSwish" if !all.is_attribute(SIXTH, 1.0 / 6.0) => {
                let gate = hard_sigmoid(all, x.id, SIXTH, 0.5);
                all.multiply(x.id, gate)
            }
            "PRelu" => return self.prelu(&x, call.needed(1)?),
            "Gelu" => match &*call.text("approximate", "none") {
                "none" => all.activation(x.id, Activation::Gelu),
                "tanh" => all.activation(x.id, Activation::GeluTanh(CUBIC)),
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

    pub(super) fn selu(&mut self, x: Id, call: &Call<'_, '_>) -> Result<Id> {
        let alpha = call.float("alpha", f64::from(1.673_263_2_f32))?;
        let gamma = call.float("gamma", f64::from(1.050_701_f32))?;
        let all = &mut self.expressions;
        let (own_alpha, own_gamma) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);
        if all.is_attribute(alpha, own_alpha) && all.is_attribute(gamma, own_gamma) {
            let made = all.activation(x, Activation::Selu);
            let parts = format!("Selu with alpha {alpha:?} and gamma {gamma:?}");
            return Ok(all.noted(made, &parts, &[(alpha, own_alpha), (gamma, own_gamma)]));
        }
        let made = all.activation(x, Activation::Elu(alpha));
        Ok(all.scaled(made, gamma, 0.0))
    }

    /// x above zero, a slope of its own for each entry below.
    pub(super) fn prelu(&mut self, x: &Vector, slope: &Constant) -> Result<Value> {
        let slopes = View::whole(&slope.sizes).broadcast(&x.sizes)?;
        let slopes: Vec<f64> = slopes.places().map(|p| slope.numbers[p]).collect();
        let id = self.expressions.prelu(x.id, &slopes);
        Ok(Value::Vector(Vector { id, ..x.clone() }))
    }

    pub(super) fn cast(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let to = call.integer("to", 0)?;
        let format = i32::try_from(to).ok().and_then(Format::of);
        let value = match (call.input(0)?, format) {
            (Value::Vector(x), Some(format)) if format != Format::Integer => {
                Value::Vector(x.clone())
            }
            (Value::Constant(constant), Some(format)) => {
                self.budget.take(constant.numbers.len())?;
                // To f32 is part of how the file is calculated; to a shorter format is its meaning.
                let format = match format {
                    Format::F32 if self.is_double => Format::Widened,
                    format => format,
                };
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

    pub(super) fn binary(&mut self, operator: &str, a: &Value, b: &Value) -> Result<Value> {
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

    pub(super) fn noted_division(&mut self, c: &Constant) {
        // The reciprocal of a power of two is exact.
        if c.numbers.iter().any(|x| x.abs().log2().fract() != 0.0) {
            let place = &self.expressions.place.operator;
            self.notes.push(format!(
                "{place} becomes a product with the rounded reciprocal, which changes the last place"
            ));
        }
    }

    /// s ∘ x + t, with s and t made of a constant, for a vector that has the sizes of both.
    pub(super) fn affine(
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

    pub(super) fn extreme(&mut self, is_max: bool, a: &Value, b: &Value) -> Result<Value> {
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
    pub(super) fn held(&mut self, x: &Vector, bounds: Vec<(f64, f64)>) -> Result<Value> {
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

    pub(super) fn clip(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
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

    pub(super) fn greater(&mut self, call: &Call<'_, '_>) -> Result<Value> {
        match (call.input(0)?, call.needed(1)?.scalar()) {
            (Value::Vector(x), Some(bound)) if !bound.is_nan() => Ok(Value::Vector(Vector {
                id: self.expressions.above(x.id, bound),
                ..x.clone()
            })),
            _ => Err(Error::refused(
                "a comparison other than that of a vector with a number",
            )),
        }
    }

    pub(super) fn chosen(&mut self, call: &Call<'_, '_>) -> Result<Value> {
        let values = (call.input(0)?, call.input(1)?, call.input(2)?);
        if let (Value::Vector(condition), Value::Vector(yes), Value::Vector(no)) = values
            && condition.sizes == no.sizes
            && yes.sizes == no.sizes
            && let Some(id) = self.expressions.chosen(condition.id, yes.id, no.id)
        {
            return Ok(Value::Vector(Vector { id, ..no.clone() }));
        }
        Err(Error::refused(
            "a choice that is no activation; read is x above a number and softplus elsewhere",
        ))
    }
}

/// The slope of a hard sigmoid as an attribute holds it.
const SIXTH: f64 = (1.0_f32 / 6.0) as f64;

/// α x + β, held between 0 and 1.
fn hard_sigmoid(all: &mut Expressions, x: Id, alpha: f64, beta: f64) -> Id {
    if all.is_attribute(alpha, 1.0 / 6.0) && beta == 0.5 {
        let made = all.activation(x, Activation::HardSigmoid);
        let parts = format!("a slope of {alpha:?}");
        return all.noted(made, &parts, &[(alpha, 1.0 / 6.0)]);
    }
    let inner = all.scaled(x, alpha, beta);
    all.clip(inner, 0.0, 1.0)
}
