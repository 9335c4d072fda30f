//! Operators that put values together, take them apart and pick entries.

use super::{
    super::{
        tensor::{Constant, Format},
        view::{View, axis, count, gathered},
    },
    Call, Evaluation, Value, Vector, sizes_of,
};
use crate::{
    error::{Error, Result},
    import::expression::Expressions,
    model::WIDEST,
};

impl Evaluation<'_> {
    pub(super) fn concat(&mut self, values: Vec<Value>, at: i64) -> Result<Vec<Value>> {
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
            // Where there are none, the sizes beside the zero may be anything.
            for o in 0..if entries == 0 { 0 } else { outer } {
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
    pub(super) fn part(
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

    pub(super) fn split(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
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

    pub(super) fn slice(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
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

    pub(super) fn gather(
        &mut self,
        value: &Value,
        indices: &Constant,
        at: i64,
    ) -> Result<Vec<Value>> {
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
}
