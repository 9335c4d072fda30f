//! Central differences of the f64 reference, with error bars that hold for each number.
//!
//! **Steps.** What a network does between x − h and x + h is told by how far the sums z move that its
//! activations are taken at: an activation changes on the scale of 1 + |z|, whatever the size of x and
//! its unit. So the widest step is the one that moves no sum by more than a quarter of that, or half the
//! way to a kink. It is found by trials, from the spread of the data, the size of x, or 1. The others
//! are quarters of it, a quarter each. x − h and x + h are numbers of f64 with x in the middle.
//!
//! **Truncation.** D(h) = (f(x + h) − f(x − h)) / 2h and D(h) − J = c h² + d h⁴ + … So D(4h) − D(h) =
//! 15 c h² + 255 d h⁴, and it falls by 16 from one step to the next. A step is believed if it has
//! fallen by 4 at least, or to what rounding may do. Then a fifth of the larger of |D(4h) − D(h)| and
//! |D(16h) − D(4h)| / 16 bounds the truncation three times over, also where one of the two is small
//! because c and d cancel in it. Where all activations are straight between their kinks and none is
//! passed there is no truncation, and the widest step is taken.
//!
//! **Rounding** adds the error bounds of both values over 2h, and one rounding each of the difference
//! and the quotient. Of all steps the one with the smallest sum is taken, for each entry.

use crate::{
    bound::{Sum, sampled},
    error::Result,
    model::Model,
    reference,
};

use super::{each, spread};

/// The differences at one input, entry by entry of the Jacobian; where there is none, the error is
/// infinite.
pub(super) struct Differences {
    pub(super) numbers: Vec<f64>,
    pub(super) errors: Vec<f64>,
}

/// The most steps for an input.
const STEPS: usize = 7;

/// The share of the scale of an activation that the widest step goes.
const WIDEST: f64 = 0.25;

/// The most trials until the widest step is found.
const TRIALS: usize = 16;

/// Multiply-adds of all central differences at most, some ten seconds.
const MOST_WORK: usize = 1 << 34;

/// The central differences at each input. Of large models they are made for some inputs only.
pub(super) fn differences(
    model: &Model,
    inputs: &[Vec<f64>],
    widths: &[f64],
) -> Result<Vec<Differences>> {
    // A value and its bound at both sides, for each step and input, and the trials.
    let work = 6 * (STEPS + 1) * model.inputs() * model.parameters();
    let most = (MOST_WORK / work.max(1)).max(4);
    let chosen = spread(inputs.len(), most);
    let rows: Vec<(usize, &Vec<f64>)> = inputs.iter().enumerate().collect();
    each(&rows, |&(row, x)| match chosen.binary_search(&row) {
        Ok(_) => at(model, x, widths),
        Err(_) => Ok(Differences::none(model)),
    })
}

/// How far each input is moved at a time in its own unit: the spread of the data or, of an input that is
/// the same in all rows, the widest step at the first row.
pub(super) fn widths(model: &Model, inputs: &[Vec<f64>]) -> Result<Vec<f64>> {
    let columns: Vec<usize> = (0..model.inputs()).collect();
    each(&columns, |&j| {
        let numbers = inputs.iter().map(|x| x[j]).filter(|x| x.is_finite());
        let low = numbers.clone().fold(f64::INFINITY, f64::min);
        let high = numbers.fold(f64::NEG_INFINITY, f64::max);
        let is_width = |width: f64| width > 0.0 && width.is_finite();
        if is_width(high - low) {
            return Ok(high - low);
        }
        let size = if is_width(low.abs()) { low.abs() } else { 1.0 };
        let found = match inputs.first() {
            Some(x) => widest(model, x, j, &sampled(model, x)?.1, size)?,
            None => None,
        };
        Ok(found.unwrap_or(size))
    })
}

/// The central differences at an input.
fn at(model: &Model, x: &[f64], widths: &[f64]) -> Result<Differences> {
    let mut found = Differences::none(model);
    let (_, here) = sampled(model, x)?;
    let is_straight = here.iter().all(|sum| sum.is_straight());
    for (j, &width) in widths.iter().enumerate() {
        let Some(mut h) = widest(model, x, j, &here, width)? else {
            continue;
        };
        // Those of 16h and 4h.
        let (mut farther, mut far) = (None, None);
        for _ in 0..STEPS {
            let near = quotients(model, x, j, h, &here)?;
            h /= 4.0;
            if let (true, Some(near)) = (is_straight, &near) {
                found.take(j, near);
                break;
            }
            if let (Some(farther), Some(far), Some(near)) = (&farther, &far, &near) {
                // Rounding only grows from here on.
                if !found.improve(j, [farther, far, near]) {
                    break;
                }
            }
            (farther, far) = (far, near);
        }
    }
    Ok(found)
}

impl Differences {
    /// Those of a model at an input where there are none.
    fn none(model: &Model) -> Self {
        let entries = model.outputs() * model.inputs();
        Self {
            numbers: vec![f64::NAN; entries],
            errors: vec![f64::INFINITY; entries],
        }
    }

    /// Takes the quotients by input `j`, which are off by rounding alone.
    fn take(&mut self, j: usize, quotients: &[Quotient]) {
        let inputs = self.numbers.len() / quotients.len();
        for (i, quotient) in quotients.iter().enumerate() {
            self.numbers[i * inputs + j] = quotient.number;
            self.errors[i * inputs + j] = quotient.rounding;
        }
    }

    /// Takes the last of three quotients by input `j` where it is believed and has the smallest error;
    /// whether a smaller step may have a smaller one yet.
    fn improve(&mut self, j: usize, [farther, far, near]: [&Vec<Quotient>; 3]) -> bool {
        let inputs = self.numbers.len() / near.len();
        let mut may_improve = false;
        for (i, near) in near.iter().enumerate() {
            let rounding = near.rounding + far[i].rounding;
            let before = (farther[i].number - far[i].number).abs();
            let last = (far[i].number - near.number).abs();
            let error = last.max(before / 16.0) / 5.0 + near.rounding;
            let entry = i * inputs + j;
            if last <= before / 4.0 + rounding && error < self.errors[entry] {
                (self.numbers[entry], self.errors[entry]) = (near.number, error);
            }
            may_improve |= 4.0 * near.rounding < self.errors[entry];
        }
        may_improve
    }
}

/// A difference quotient of an output and what rounding may do to it.
struct Quotient {
    number: f64,
    rounding: f64,
}

/// D(h) of each output; `None` where a kink lies between, or no number.
fn quotients(
    model: &Model,
    x: &[f64],
    j: usize,
    h: f64,
    here: &[Sum],
) -> Result<Option<Vec<Quotient>>> {
    let Some([low, high]) = around(x[j], h) else {
        return Ok(None);
    };
    let sample = |at: f64| -> Result<_> {
        let x = moved(x, j, at);
        let (errors, sums) = sampled(model, &x)?;
        let is_smooth = here.iter().zip(&sums).all(|(a, b)| a.side() == b.side());
        Ok(is_smooth.then_some((reference::value(model, &x)?, errors)))
    };
    let (Some((a, e_a)), Some((b, e_b))) = (sample(low)?, sample(high)?) else {
        return Ok(None);
    };
    let quotient = |i: usize| {
        let number = (b[i] - a[i]) / (high - low);
        let rounding = (e_a[i] + e_b[i]) / (high - low) + 2.0 * f64::EPSILON * number.abs();
        Quotient { number, rounding }
    };
    Ok(Some((0..a.len()).map(quotient).collect()))
}

/// The widest step by input `j` that leaves every sum in its room, to a factor of eight or so; `None`
/// where there is none, as right at a kink.
fn widest(model: &Model, x: &[f64], j: usize, here: &[Sum], start: f64) -> Result<Option<f64>> {
    let (mut fits, mut too_wide) = (None, f64::INFINITY);
    let mut h = power_of_two(start);
    for _ in 0..TRIALS {
        let Some([_, high]) = around(x[j], h) else {
            break;
        };
        let (_, sums) = sampled(model, &moved(x, j, high))?;
        let shares = here.iter().zip(&sums).map(|(a, b)| match a.distance(*b) {
            0.0 => 0.0,
            // Where something overflows.
            distance if distance.is_nan() => f64::INFINITY,
            distance => distance / a.room(WIDEST),
        });
        let share = shares.fold(0.0, f64::max);
        let next = if share <= 1.0 {
            fits = Some(h);
            if share == 0.0 || share > 0.125 {
                break;
            }
            h * power_of_two(1.0 / share)
        } else {
            too_wide = h;
            // Never at once to where nothing moves.
            h * power_of_two(0.5 / share).max(2f64.powi(-30))
        };
        if next >= too_wide || fits.is_some_and(|fits| next <= fits) {
            break;
        }
        h = next;
    }
    Ok(fits)
}

/// x − h and x + h for an h that is rounded so that x is in the middle; `None` where they are no
/// different numbers.
fn around(x: f64, h: f64) -> Option<[f64; 2]> {
    // Outwards numbers are no closer than inwards.
    let h = (x + h.copysign(x) - x).abs();
    let (low, high) = (x - h, x + h);
    ((high - low).is_finite() && low < x && x < high).then_some([low, high])
}

/// The input with another number in place j.
fn moved(x: &[f64], j: usize, to: f64) -> Vec<f64> {
    let mut x = x.to_vec();
    x[j] = to;
    x
}

/// The largest power of two that is not larger.
fn power_of_two(x: f64) -> f64 {
    2f64.powi(x.log2().floor().clamp(-1000.0, 1000.0) as i32)
}
