//! Where the entries of a tensor go when it is reshaped, transposed, sliced or repeated.

use crate::error::{Error, Result};

/// Sizes of a tensor, the slowest index first.
pub(super) type Sizes = Vec<usize>;

/// The most indices that a tensor has here.
pub(super) const MOST_AXES: usize = 16;

/// Sizes without those of some axes.
pub(super) fn without(sizes: &[usize], axes: &[usize]) -> Sizes {
    let kept = (0..sizes.len()).filter(|axis| !axes.contains(axis));
    kept.map(|axis| sizes[axis]).collect()
}

/// How many entries a tensor of these sizes has.
pub(super) fn count(sizes: &[usize]) -> Result<usize> {
    if sizes.len() > MOST_AXES {
        return Err(Error::refused(format!(
            "a tensor with {} axes, wanted at most {MOST_AXES}",
            sizes.len()
        )));
    }
    // Beside a size of zero the others are bounded too, since strides are made of them.
    let product = sizes
        .iter()
        .try_fold(1_usize, |n, &size| n.checked_mul(size.max(1)));
    match product {
        Some(_) if product > Some(isize::MAX as usize / 16) => None,
        Some(_) if sizes.contains(&0) => Some(0),
        product => product,
    }
    .ok_or_else(|| Error::refused(format!("a tensor of the shape {sizes:?} is too large")))
}

/// A tensor seen with other sizes: item i of axis a is `strides[a] * i` entries further on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    pub(super) sizes: Sizes,
    strides: Vec<isize>,
    offset: isize,
}

impl View {
    /// All of a tensor as it is.
    pub(super) fn whole(sizes: &[usize]) -> Self {
        let mut strides = vec![1; sizes.len()];
        for axis in (0..sizes.len().saturating_sub(1)).rev() {
            strides[axis] = strides[axis + 1] * sizes[axis + 1] as isize;
        }
        Self {
            sizes: sizes.to_vec(),
            strides,
            offset: 0,
        }
    }

    /// The axes in another order; without one, reversed.
    pub(super) fn transposed(self, order: Option<&[usize]>) -> Result<Self> {
        let axes = self.sizes.len();
        let reversed: Vec<usize> = (0..axes).rev().collect();
        let order = order.unwrap_or(&reversed);
        let mut seen = vec![false; axes];
        let is_order = order.len() == axes
            && order
                .iter()
                .all(|&a| a < axes && !std::mem::replace(&mut seen[a], true));
        if !is_order {
            return Err(Error::refused(format!(
                "{order:?} is no order of the axes of the shape {:?}",
                self.sizes
            )));
        }
        Ok(Self {
            sizes: order.iter().map(|&a| self.sizes[a]).collect(),
            strides: order.iter().map(|&a| self.strides[a]).collect(),
            offset: self.offset,
        })
    }

    /// Of one axis `count` items from `start` on, every `step`th.
    pub(super) fn sliced(mut self, axis: usize, start: usize, step: isize, count: usize) -> Self {
        self.offset += self.strides[axis] * start as isize;
        // With one item or none a step leads nowhere, however large the file says it is.
        self.strides[axis] *= if count > 1 { step } else { 0 };
        self.sizes[axis] = count;
        self
    }

    /// Axes of size 1, and new ones in front, repeated as often as these sizes say.
    pub(super) fn broadcast(self, sizes: &[usize]) -> Result<Self> {
        let missing = sizes.len().checked_sub(self.sizes.len());
        let fits = missing.is_some_and(|missing| {
            let pairs = self.sizes.iter().zip(&sizes[missing..]);
            pairs.into_iter().all(|(own, new)| own == new || *own == 1)
        });
        let (true, Some(missing)) = (fits, missing) else {
            return Err(Error::refused(format!(
                "the shape {:?} cannot be repeated to {sizes:?}",
                self.sizes
            )));
        };
        let strides = (0..sizes.len()).map(|axis| match axis.checked_sub(missing) {
            Some(own) if self.sizes[own] == sizes[axis] => self.strides[own],
            _ => 0,
        });
        Ok(Self {
            strides: strides.collect(),
            sizes: sizes.to_vec(),
            offset: self.offset,
        })
    }

    /// The places of its entries in the tensor, one after the other.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        let mut at = vec![0; self.sizes.len()];
        let mut place = self.offset;
        let mut left = self.sizes.iter().product::<usize>();
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let found = place;
            for axis in (0..at.len()).rev() {
                at[axis] += 1;
                place += self.strides[axis];
                if at[axis] < self.sizes[axis] {
                    break;
                }
                place -= self.strides[axis] * at[axis] as isize;
                at[axis] = 0;
            }
            Some(found as usize)
        })
    }
}

/// The sizes that two tensors have together, each repeated where it has size 1.
pub(super) fn common(a: &[usize], b: &[usize]) -> Result<Sizes> {
    let axes = a.len().max(b.len());
    let size = |sizes: &[usize], axis: usize| {
        let missing = axes - sizes.len();
        axis.checked_sub(missing).map_or(1, |own| sizes[own])
    };
    (0..axes)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            _ => Err(Error::refused(format!(
                "the shapes {a:?} and {b:?} do not fit each other"
            ))),
        })
        .collect()
}

/// The places in a tensor of the slices that `indices` names along an axis.
pub(super) fn gathered(sizes: &[usize], axis: usize, indices: &[usize]) -> Vec<usize> {
    let inner: usize = sizes[axis + 1..].iter().product();
    let outer: usize = sizes[..axis].iter().product();
    // As many as the caller has counted, and taken from a budget or held to the widest vector.
    let mut places = Vec::with_capacity(outer * indices.len() * inner);
    if places.capacity() == 0 {
        // Beside a size of zero the others may be anything.
        return places;
    }
    for o in 0..outer {
        for &index in indices {
            let start = (o * sizes[axis] + index) * inner;
            places.extend(start..start + inner);
        }
    }
    places
}

/// An axis counted from the front, of one that may be counted from behind.
pub(super) fn axis(axis: i64, axes: usize) -> Result<usize> {
    let counted = if axis < 0 {
        axis.checked_add(axes as i64)
    } else {
        Some(axis)
    };
    let counted = counted.and_then(|axis| usize::try_from(axis).ok());
    counted
        .filter(|&a| a < axes)
        .ok_or_else(|| Error::refused(format!("the axis {axis} of a tensor with {axes} axes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(view: &View) -> Vec<usize> {
        view.places().collect()
    }

    #[test]
    fn views_point_where_they_should() {
        let whole = || View::whole(&[2, 3]);
        assert_eq!(places(&whole()), [0, 1, 2, 3, 4, 5]);
        let turned = whole().transposed(None).unwrap();
        assert_eq!(turned.sizes, [3, 2]);
        assert_eq!(places(&turned), [0, 3, 1, 4, 2, 5]);
        assert_eq!(places(&turned.sliced(0, 2, -2, 2)), [2, 5, 0, 3]);
        let far = View::whole(&[2, 3]).sliced(1, 2, isize::MAX, 1);
        assert_eq!(places(&far), [2, 5]);
        let repeated = View::whole(&[3, 1]).broadcast(&[2, 3, 2]).unwrap();
        assert_eq!(places(&repeated), [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
        assert_eq!(places(&View::whole(&[])), [0]);
        assert!(places(&View::whole(&[0, 3])).is_empty());
        assert_eq!(gathered(&[2, 3], 1, &[2, 0]), [2, 0, 5, 3]);
    }

    #[test]
    fn no_size_is_hidden_by_a_zero() {
        assert_eq!(count(&[3, 0, 5]).unwrap(), 0);
        assert!(count(&[0, 1 << 40, 1 << 40]).is_err());
        assert!(count(&[1 << 62]).is_err());
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        assert_eq!(common(&[2, 1, 3], &[4, 1]).unwrap(), [2, 4, 3]);
        assert_eq!(
            common(&[2], &[3]).unwrap_err().to_string(),
            "the shapes [2] and [3] do not fit each other"
        );
        assert_eq!(
            View::whole(&[2, 3])
                .transposed(Some(&[0, 0]))
                .unwrap_err()
                .to_string(),
            "[0, 0] is no order of the axes of the shape [2, 3]"
        );
        assert!(count(&[usize::MAX, 2]).is_err());
        assert!(count(&[1; 17]).is_err());
        assert!(axis(-3, 2).is_err());
        assert!(axis(i64::MIN, 2).is_err());
        assert_eq!(axis(-2, 2).unwrap(), 0);
    }
}
