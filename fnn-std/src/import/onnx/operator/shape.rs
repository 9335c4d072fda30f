//! Operators on the sizes of a value, which leave its entries where they are or move them.

use super::{
    super::{
        tensor::{Constant, Format},
        view::{MOST_AXES, Sizes, View, axis, common, count},
    },
    Call, Evaluation, Value, Vector,
};
use crate::{
    error::{Error, Result},
    model::WIDEST,
};

impl Evaluation<'_> {
    pub(super) fn shape(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
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
    pub(super) fn viewed(
        &mut self,
        x: &Vector,
        view: &View,
        rows: Option<usize>,
    ) -> Result<Vector> {
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
    pub(super) fn aligned(&mut self, x: &Vector, other: &[usize]) -> Result<Vector> {
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

    pub(super) fn reshape(
        &mut self,
        value: &Value,
        target: &[f64],
        allow_zero: bool,
    ) -> Result<Value> {
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

    pub(super) fn flatten(&mut self, call: &Call<'_, '_>) -> Result<Vec<Value>> {
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

    pub(super) fn squeeze(&mut self, is_squeeze: bool, call: &Call<'_, '_>) -> Result<Vec<Value>> {
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
            // Before so many are sorted in.
            if axes.len() > MOST_AXES {
                return Err(Error::refused(format!("{} new axes", axes.len())));
            }
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

    pub(super) fn transpose(&mut self, value: &Value, order: Option<&[usize]>) -> Result<Value> {
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

    pub(super) fn expand(&mut self, value: &Value, target: &[f64]) -> Result<Vec<Value>> {
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
}
