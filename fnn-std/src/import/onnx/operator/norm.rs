//! Operators that reduce to a sum or a mean, or normalise.

use super::{
    super::view::{View, axis, count, without},
    Call, Evaluation, Value, Vector,
};
use crate::error::{Error, Result};

impl Evaluation<'_> {
    pub(super) fn reduce(&mut self, is_mean: bool, call: &Call<'_, '_>) -> Result<Vec<Value>> {
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
        let mut axes = if axes.is_empty() {
            (0..own).collect()
        } else {
            axes.iter()
                .map(|&a| axis(a, own))
                .collect::<Result<Vec<_>>>()?
        };
        axes.sort_unstable();
        axes.dedup();
        let keep = call.integer("keepdims", 1)? != 0;
        Ok(vec![self.reduced(value, is_mean, axes, keep)?])
    }

    /// The mean or the sum along axes.
    pub(super) fn reduced(
        &mut self,
        value: &Value,
        is_mean: bool,
        axes: Vec<usize>,
        keep: bool,
    ) -> Result<Value> {
        let x = match value {
            Value::Vector(x) => x,
            Value::Constant(c) => {
                let reduced = c.reduced(is_mean, &axes, keep, &self.budget)?;
                return Ok(Value::Constant(reduced));
            }
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
            sizes = without(&sizes, &axes);
        }
        Ok(Value::Vector(Vector { id, sizes, rows }))
    }

    pub(super) fn batch_normalization(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
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
        let factors: Vec<f64> = channels.places().map(factor).collect();
        let each = |number: &dyn Fn(usize) -> f64| channels.places().map(number).collect();
        let place = &self.expressions.place.operator;
        let id = if self.is_double {
            // As the standard has it: a mean far from zero cancels before it is scaled.
            self.notes.push(format!(
                "{place} becomes two affine layers, less the mean and scaled, which changes roundings \
                 alone"
            ));
            let less = each(&|i| -mean.numbers[i]);
            let ones = vec![1.0; factors.len()];
            let id = self.expressions.affine(x.id, ones, less);
            let shifts = each(&|i| shift.numbers[i]);
            self.expressions.affine(id, factors, shifts)
        } else {
            self.notes.push(format!(
                "{place} becomes one affine layer, its numbers rounded: where a mean is far from zero, \
                 that loses as many places as its product with the factor has before the point"
            ));
            let shifts = each(&|i| shift.numbers[i] - mean.numbers[i] * factor(i));
            self.expressions.affine(x.id, factors, shifts)
        };
        Ok(vec![Value::Vector(Vector { id, ..x.clone() })])
    }

    pub(super) fn layer_normalization(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
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

    pub(super) fn softmax(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
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
