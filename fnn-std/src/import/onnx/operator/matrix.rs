//! Operators that multiply with a matrix.

use super::{
    super::{
        tensor::{Constant, Format},
        view::{View, count},
    },
    Call, Evaluation, Value, Vector,
};
use crate::{
    activation::Activation,
    error::{Error, Result},
    import::expression::Id,
};

impl Evaluation<'_> {
    /// W x of a vector of as many entries as W has columns; W row by row.
    pub(super) fn weighted(&mut self, x: Id, weight: &Constant, view: &View) -> Result<Id> {
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

    pub(super) fn matmul(&mut self, a: &Value, b: &Value) -> Result<Value> {
        self.multiplied(a, b, false)
    }

    /// The product of two matrices, of which the one that is constant `is_turned`: its axes are in
    /// the other order.
    fn multiplied(&mut self, a: &Value, b: &Value, is_turned: bool) -> Result<Value> {
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
                        sizes[last] = w.sizes[usize::from(!is_turned)];
                        matrix(w, !is_turned)?
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
                        sizes[at] = w.sizes[usize::from(is_turned)];
                        matrix(w, is_turned)?
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

    pub(super) fn gemm(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let mut is_turned = false;
        let mut operand = |all: &mut Self, i: usize, name: &str| -> Result<Value> {
            let value = call.input(i)?;
            if value.sizes().len() != 2 {
                return Err(Error::refused(format!(
                    "an operand of the shape {:?}, wanted two axes",
                    value.sizes()
                )));
            }
            let is_transposed = call.integer(name, 0)? != 0;
            match value {
                Value::Constant(_) => is_turned = is_transposed,
                Value::Vector(_) if is_transposed => return all.transpose(value, None),
                Value::Vector(_) => {}
            }
            Ok(value.clone())
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
        let mut y = self.multiplied(&a, &b, is_turned)?;
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
    pub(super) fn conv(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
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
                        // A pixel outside may be so far away that its place is no number.
                        let at = usize::try_from(at).ok().filter(|&at| at < pixels[a]);
                        is_inside &= at.is_some();
                        pixel += at.unwrap_or(0) * step;
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

    /// scikit-learn's linear models. The label that a classifier makes is never evaluated.
    pub(super) fn linear(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
        let Value::Vector(x) = call.input(0)? else {
            return Err(Error::refused("a linear model of constants"));
        };
        let inputs = self.expressions.size(x.id);
        let coefficients = call.floats("coefficients");
        self.budget.take(coefficients.len())?;
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

/// A view of a matrix, with its axes in the other order where it is to be turned.
fn matrix(w: &Constant, is_turned: bool) -> Result<View> {
    let whole = View::whole(&w.sizes);
    if is_turned {
        whole.transposed(None)
    } else {
        Ok(whole)
    }
}
