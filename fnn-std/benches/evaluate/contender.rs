//! What takes part, how its numbers are checked and how its time is taken.

use std::{error::Error, hint::black_box, time::Instant};

use fnn_std::{Float, Precision, reference};
use nalgebra::{Matrix, RawStorage, RealField};
use num_dual::{DualNum, DualNumFloat};

use crate::{
    network::{Network, rounded},
    peak::Peak,
};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A number format, with what the contenders ask of it.
pub(crate) trait Number:
    Float + Peak + RealField + DualNumFloat + DualNum<Primitive = Self> + From<u8>
{
}

impl Number for f32 {}
impl Number for f64 {}

/// A value and, where it was asked for, its Jacobian row by row.
pub(crate) struct Outcome {
    pub(crate) value: Vec<f64>,
    pub(crate) jacobian: Option<Vec<f64>>,
}

impl Outcome {
    /// From nalgebra's vectors and matrices.
    pub(crate) fn new<T, N, M, V, J>(
        value: &Matrix<T, N, nalgebra::U1, V>,
        jacobian: &Matrix<T, N, M, J>,
    ) -> Self
    where
        T: Float,
        N: nalgebra::Dim,
        M: nalgebra::Dim,
        V: RawStorage<T, N>,
        J: RawStorage<T, N, M>,
    {
        let rows = jacobian
            .row_iter()
            .flat_map(|row| row.iter().copied().collect::<Vec<_>>());
        Self {
            value: value.iter().map(|y| y.to_f64()).collect(),
            jacobian: Some(rows.map(T::to_f64).collect()),
        }
    }
}

/// All that evaluate one network.
pub(crate) type All<T> = Vec<Box<dyn Contender<T>>>;

/// One way to evaluate one network.
pub(crate) trait Contender<T> {
    fn name(&self) -> &str;

    /// What it finds at the input with this number.
    fn outcome(&mut self, points: &[Vec<T>], index: usize) -> Result<Outcome>;

    /// Nanoseconds of one of so many evaluations, at all inputs in turn.
    fn time(&mut self, points: &[Vec<T>], evaluations: usize) -> Result<f64>;
}

/// A function of this program, which overwrites its last result `Y`.
pub(crate) struct Here<Y, F, R> {
    pub(crate) name: String,
    pub(crate) result: Y,
    pub(crate) evaluate: F,
    /// Reads the result.
    pub(crate) read: R,
}

impl<T, Y, F: FnMut(&[T], &mut Y), R: Fn(&Y) -> Outcome> Contender<T> for Here<Y, F, R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn outcome(&mut self, points: &[Vec<T>], index: usize) -> Result<Outcome> {
        (self.evaluate)(&points[index], &mut self.result);
        Ok((self.read)(&self.result))
    }

    fn time(&mut self, points: &[Vec<T>], evaluations: usize) -> Result<f64> {
        let start = Instant::now();
        for x in points.iter().cycle().take(evaluations) {
            (self.evaluate)(black_box(x), &mut self.result);
            black_box(&mut self.result);
        }
        Ok(start.elapsed().as_nanos() as f64 / evaluations as f64)
    }
}

/// What is farther from the reference than this, as a share of the largest number, is wrong: some
/// hundred roundings, since sums have up to 256 terms and the C is compiled with -ffast-math.
fn tolerance(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 1e-4,
        Precision::F64 => 1e-12,
    }
}

/// Compares value and Jacobian with those of the reference, at so many inputs.
pub(crate) fn check<T: Float>(
    network: &Network,
    contenders: &mut All<T>,
    inputs: usize,
) -> Result<()> {
    let points = network.points();
    let in_format = points_of::<T>(network);
    for (index, x) in points.iter().enumerate().take(inputs) {
        let truth = reference::evaluate(&network.model, x)?;
        let jacobian = truth.jacobian.concat();
        for contender in &mut *contenders {
            let found = contender.outcome(&in_format, index)?;
            let derivatives = found.jacobian.as_deref().unwrap_or(&jacobian);
            let far = distance(&found.value, &truth.value).max(distance(derivatives, &jacobian));
            // A NaN is far as well.
            if far.is_nan() || far > tolerance(T::PRECISION) {
                return Err(format!(
                    "{}, {}: {} is {far:.1e} from the reference",
                    network.name,
                    T::NAME,
                    contender.name()
                )
                .into());
            }
        }
    }
    Ok(())
}

/// The largest difference as a share of the largest number.
fn distance(found: &[f64], truth: &[f64]) -> f64 {
    if found.len() != truth.len() {
        return f64::NAN;
    }
    let largest = truth.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    found
        .iter()
        .zip(truth)
        .map(|(a, b)| (a - b).abs() / largest)
        // Unlike f64::max this keeps a NaN.
        .fold(0.0, |a, b| if a >= b { a } else { b })
}

/// The inputs of the network in this number format.
pub(crate) fn points_of<T: Float>(network: &Network) -> Vec<Vec<T>> {
    let points = network.points();
    points.iter().map(|x| rounded(x)).collect()
}

/// Nanoseconds of one evaluation by each contender, the median of so many rounds. They take turns in
/// rounds of about a millisecond, so that a machine that slows down slows all of them.
pub(crate) fn race<T: Float>(
    contenders: &mut All<T>,
    points: &[Vec<T>],
    rounds: usize,
) -> Result<Vec<f64>> {
    let mut counts = Vec::new();
    for contender in &mut *contenders {
        // The first evaluation fetches code and weights.
        contender.time(points, 1)?;
        let once = contender.time(points, 8)?;
        counts.push((1e6 / once).clamp(1.0, 1e5) as usize);
    }
    let mut times = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds {
        for ((contender, &count), times) in contenders.iter_mut().zip(&counts).zip(&mut times) {
            times.push(contender.time(points, count)?);
        }
    }
    Ok(times.into_iter().map(median).collect())
}

/// The median of at least one number.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
