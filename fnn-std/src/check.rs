//! Whether value and Jacobian are right: what `fnn check` does.
//!
//! Every comparison is of two computations of the same exact number, and passes where their distance
//! is no more than the errors that both may have:
//!
//! - The evaluations here, in any order and format, and the plain f64 [`mod@reference`]: the running
//!   error bounds of [`bound`](mod@crate::bound).
//! - Outputs and a Jacobian of the training framework: the same bound for sums in any order, in the
//!   format of its file, and activations that are off by up to [`FRAMEWORK_ERROR`] units. For the
//!   Jacobian the larger of the bounds forward and in reverse. Bounds hold in the worst case, which
//!   for wide layers is far from any that happens: a wrong number could hide in them. So no distance
//!   may be more than [`TYPICAL`] times what an evaluation in f32 is off here, in units in the last
//!   place: of the same number in any row, of the median number, or 16 units, whichever is largest.
//!   Of a Jacobian with kinks, one row in a hundred is held to the bound alone, at least one if there
//!   are several: two evaluations may see a kink on different sides.
//! - Central differences D(h) = (f(x + h) − f(x − h)) / 2h of the f64 reference: D(h) − J = c h² +
//!   d h⁴ + … and therefore D(4h) − D(h) = 15 c h² + 255 d h⁴. A fifth of the larger of
//!   |D(4h) − D(h)| and |D(16h) − D(4h)| / 16 bounds the truncation three times over, also where one
//!   of the two is small because c and d cancel in it. Rounding adds the error bounds of both values
//!   over 2h, and |J| u |x| / h since x ± h is rounded. Of several h the one with the smallest sum is
//!   taken, for each entry. Where a kink of an activation lies between the inputs, the entry is left
//!   out, and counted; so is, of large models, all but some rows, since differences take the time of
//!   thousands of values.
//!
//! The value must have the same bits in every order.
//!
//! Distances are stated in units in the last place (ulp) of the format of the evaluation, at the
//! largest magnitude that the same output, or the same entry of the Jacobian, has over all rows.

use std::{
    fmt::{self, Display},
    num::NonZero,
    ops::Range,
    panic::resume_unwind,
    path::{Path, PathBuf},
    thread,
};

use crate::{
    array::{Reader, Rows},
    bound::{Arithmetic, bound, is_smooth, sides, value_bound},
    error::{Error, Result},
    evaluator::{Evaluator, Float},
    file, html, import,
    model::{Layer, Model, Precision},
    order::Order,
    reference::{self, Evaluation},
};

/// The error in units of u = ulp/2 that is allowed to an activation of a training framework: twice
/// that of [`bound::ERROR`](crate::bound::ERROR), squared for those that are composed of several
/// functions. Frameworks state no figure of their own.
pub const FRAMEWORK_ERROR: f64 = 16.0;

/// How often as far off as an evaluation here a framework's may be, in units in the last place.
pub const TYPICAL: f64 = 64.0;

/// How many rows are checked where nothing else is said.
pub const ROWS: usize = 256;

/// What [`run`] is told: the options of `fnn check`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The file of inputs, `.npy` or `.csv`; without one they are drawn.
    pub input: Option<PathBuf>,
    /// The framework's outputs for these inputs: [rows, outputs].
    pub output: Option<PathBuf>,
    /// The framework's Jacobians: [rows, outputs, inputs], or [rows, outputs · inputs].
    pub jacobian: Option<PathBuf>,
    /// The ranges that inputs are drawn from, where no file is given: one for all of them or one for
    /// each; those that the model states where there is none.
    pub ranges: Vec<Range<f64>>,
    /// How many rows are checked at most, spread over the file; [`ROWS`] by default.
    pub rows: Option<usize>,
    /// The number format of the evaluation; the model's own by default.
    pub precision: Option<Precision>,
    /// The order of accumulation of the Jacobian.
    pub order: Order,
    /// Where a page with tables and figures goes.
    pub report: Option<PathBuf>,
    /// How the model is read.
    pub import: import::Options,
}

/// What was compared, and whether all of it is as it must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The model.
    pub model: Model,
    /// The number format of the evaluation.
    pub precision: Precision,
    /// The order of accumulation.
    pub order: Order,
    /// Where the inputs come from, in words.
    pub source: String,
    /// The inputs that were checked.
    pub inputs: Vec<Vec<f64>>,
    /// The numbers of the rows in the file, from 0.
    pub rows: Vec<usize>,
    /// The evaluations, in the number format and order above.
    pub found: Vec<Evaluation>,
    /// The plain f64 evaluations.
    pub reference: Vec<Evaluation>,
    /// The framework's outputs, if they were given.
    pub framework: Option<Vec<Vec<f64>>>,
    /// All comparisons.
    pub comparisons: Vec<Comparison>,
}

/// Two computations of the same numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is compared with what.
    pub name: String,
    /// How many numbers were compared.
    pub compared: usize,
    /// How many were left out: a kink is too near for a difference, or nothing is known of the error
    /// since it overflows, as with inputs of 1e30.
    pub left_out: usize,
    /// The largest distance in units in the last place.
    pub largest_ulps: f64,
    /// The number with the largest share of its bound; `None` where nothing was compared.
    pub worst: Option<Case>,
    /// Distances in ulp, with their sign: of all numbers that were compared.
    pub ulps: Vec<f64>,
}

/// A number that was compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Case {
    /// The row of the inputs, as the file counts them, from 0.
    pub row: usize,
    /// The output.
    pub output: usize,
    /// The input, of a derivative.
    pub input: Option<usize>,
    /// What was computed here.
    pub found: f64,
    /// What it is compared with.
    pub wanted: f64,
    /// Their distance in units in the last place.
    pub ulps: f64,
    /// Their distance as a share of what both errors allow: above 1 the comparison fails.
    pub share: f64,
}

impl Comparison {
    /// Both comparisons as one, with the worse of their worst cases.
    fn worse_than(self, other: Option<Self>) -> Self {
        let Some(mut other) = other else { return self };
        let share = |worst: &Option<Case>| worst.map_or(-1.0, |worst| worst.share);
        if share(&self.worst) > share(&other.worst) {
            other.worst = self.worst;
        }
        other.compared += self.compared;
        other.left_out += self.left_out;
        other.largest_ulps = other.largest_ulps.max(self.largest_ulps);
        other.ulps.extend(self.ulps);
        other
    }

    /// Whether no distance is larger than the errors of both sides allow.
    pub fn passed(&self) -> bool {
        self.worst.is_none_or(|worst| worst.share <= 1.0)
    }
}

impl Report {
    /// Whether all comparisons passed.
    pub fn passed(&self) -> bool {
        self.comparisons.iter().all(Comparison::passed)
    }
}

/// Reads the model at `model`, checks its value and Jacobian at the inputs that `options` name, and
/// writes a page of it where one is asked for.
///
/// # Errors
/// Whatever keeps it from being done; that a comparison fails is no error but in the report.
pub fn run(model: &Path, options: &Options) -> Result<Report> {
    let read = [&options.input, &options.output, &options.jacobian];
    let read = read.map(|path| path.as_deref());
    file::keep(
        &[&read[..], &[Some(model)]].concat(),
        &[options.report.as_deref()],
    )?;
    let path = model;
    let model = import::read(path, &options.import.for_evaluation(options.precision))?;
    let wanted = options.rows.unwrap_or(ROWS);
    let (source, inputs, rows, total) = match &options.input {
        Some(path) => {
            let all = Rows::read(path)?;
            let all = all.for_model(&model).map_err(|e| e.in_file(path))?;
            let rows = spread(all.len(), wanted);
            let inputs = rows.iter().filter_map(|&row| all.get(row));
            let inputs = inputs.map(<[f64]>::to_vec).collect();
            (path.display().to_string(), inputs, rows, all.len())
        }
        None => {
            if options.output.is_some() || options.jacobian.is_some() {
                return Err(Error::refused(
                    "outputs to compare with are given without the inputs that they belong to",
                )
                .with_help("name the file of inputs: --input X.npy"));
            }
            let ranges = ranges(&model, &options.ranges).map_err(|e| e.in_file(path))?;
            let inputs = draw(&ranges, wanted);
            let rows = (0..wanted).collect();
            (
                "drawn from the ranges of the inputs".to_owned(),
                inputs,
                rows,
                wanted,
            )
        }
    };
    if rows.is_empty() {
        return Err(Error::refused("there is no row to check"));
    }
    let given = |path: &Option<PathBuf>, row: &[usize]| {
        let table = path
            .as_ref()
            .map(|path| Given::read(path, total, row, &rows));
        table.transpose()
    };
    let output = given(&options.output, &[model.outputs()])?;
    let jacobian = given(&options.jacobian, &[model.outputs(), model.inputs()])?;
    let precision = options.precision.unwrap_or(model.precision());
    let data = Data {
        model: &model,
        inputs: &inputs,
        rows: &rows,
        precision,
        order: options.order,
    };
    let (found, reference, comparisons) = match precision {
        Precision::F32 => data.compare::<f32>(output.as_ref(), jacobian.as_ref())?,
        Precision::F64 => data.compare::<f64>(output.as_ref(), jacobian.as_ref())?,
    };
    let report = Report {
        precision,
        order: options.order,
        source,
        found,
        reference,
        framework: output.map(|given| given.rows),
        comparisons,
        inputs,
        rows,
        model,
    };
    if let Some(path) = &options.report {
        html::write(&report, path)?;
    }
    Ok(report)
}

/// Numbers of rows from the first to the last, in even steps.
fn spread(total: usize, wanted: usize) -> Vec<usize> {
    let count = wanted.min(total);
    let row = |at| at * (total - 1) / (count - 1).max(1);
    (0..count).map(row).collect()
}

/// What inputs are drawn from: the ranges that are given, one for all or one for each, or else those
/// of the model.
fn ranges(model: &Model, given: &[Range<f64>]) -> Result<Vec<Range<f64>>> {
    for range in given {
        if !(range.start < range.end && range.start.is_finite() && range.end.is_finite()) {
            return Err(Error::refused(format!(
                "the range {:?} to {:?} is not one of two finite numbers, the smaller one first",
                range.start, range.end
            )));
        }
    }
    match given {
        [] => model.input_ranges().map(<[_]>::to_vec).ok_or_else(|| {
            Error::refused("neither inputs nor the ranges to draw them from are known")
                .with_help("name a file of inputs: --input X.npy")
                .with_help("or the range of all inputs: --range -1:1")
                .with_help("or that of each of several: --range 260:380,-1:1")
        }),
        [range] => Ok(vec![range.clone(); model.inputs()]),
        _ if given.len() == model.inputs() => Ok(given.to_vec()),
        _ => Err(Error::refused(format!(
            "found {} ranges for a model with {} inputs, wanted one for all or one for each",
            given.len(),
            model.inputs()
        ))),
    }
}

/// So many inputs in these ranges, the same on every run.
fn draw(ranges: &[Range<f64>], count: usize) -> Vec<Vec<f64>> {
    let mut state = 0_u64;
    let mut random = || {
        // The SplitMix64 generator.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut row = || {
        let numbers = ranges
            .iter()
            .map(|r| r.start + random() * (r.end - r.start));
        // Numbers of f32, so that both formats have the same input.
        numbers.map(|x| f64::from(x as f32)).collect()
    };
    (0..count).map(|_| row()).collect()
}

/// Numbers that the framework computed, and its number format.
struct Given {
    rows: Vec<Vec<f64>>,
    precision: Option<Precision>,
}

impl Given {
    /// The rows with these numbers of the array at `path`, which has `total` of them of the shape
    /// `row` each.
    fn read(path: &Path, total: usize, row: &[usize], rows: &[usize]) -> Result<Self> {
        let mut reader = Reader::open_results(path, total, row)?;
        let columns = reader.columns();
        let mut numbers = Vec::new();
        reader.read(usize::MAX, &mut numbers)?;
        let row = |&row: &usize| numbers[row * columns..][..columns].to_vec();
        Ok(Self {
            rows: rows.iter().map(row).collect(),
            precision: reader.precision(),
        })
    }
}

/// What is checked.
struct Data<'d> {
    model: &'d Model,
    inputs: &'d [Vec<f64>],
    rows: &'d [usize],
    precision: Precision,
    order: Order,
}

/// Numbers and the errors that they may have, in the same places.
struct Table {
    numbers: Vec<Vec<f64>>,
    errors: Vec<Vec<f64>>,
}

/// What [`Data::compare`] finds: the evaluations in the format and order asked for, those of the
/// reference, and the comparisons.
type Compared = (Vec<Evaluation>, Vec<Evaluation>, Vec<Comparison>);

impl Data<'_> {
    fn compare<T: Float>(
        &self,
        output: Option<&Given>,
        jacobian: Option<&Given>,
    ) -> Result<Compared> {
        let mut comparisons = Vec::new();
        let reference = self.each(|x| reference::evaluate(self.model, x))?;
        let own = Arithmetic::of_reference();
        let (its_value, its_jacobian) = self.tables(&reference, own)?;
        let found = self.evaluate::<T>(self.order)?;
        let arithmetic = Arithmetic::new(self.precision, self.order);
        let (value, derivatives) = self.tables(&found, arithmetic)?;
        let scales = [&its_value, &its_jacobian].map(|t| ulps(&t.numbers, self.precision));
        let of_value = |name: &str, a: &Table, b: &Table| {
            self.comparison(format!("value, {name}"), &scales[0], (a, b), None)
        };
        let of_jacobian = |name: &str, a: &Table, b: &Table| {
            self.comparison(format!("Jacobian, {name}"), &scales[1], (a, b), None)
        };

        let single = match self.precision {
            Precision::F32 => None,
            Precision::F64 => Some(self.evaluate::<f32>(self.order)?),
        };
        let single = single.as_ref().unwrap_or(&found);
        if let Some(given) = output {
            let table = self.framework(given, |bound| bound.value)?;
            let typical = typical(single, &reference, |e| e.value.clone());
            let (found, table) = self.tightened((&value, table), given, &typical, 0);
            comparisons.push(of_value("framework's output", &found, &table));
        }
        if let Some(given) = jacobian {
            let table = self.framework(given, |bound| bound.jacobian.concat())?;
            let typical = typical(single, &reference, |e| e.jacobian.concat());
            let spared = match (are_smooth(self.model.layers()), self.rows.len()) {
                (true, _) | (_, 1) => 0,
                (_, rows) => rows.div_ceil(100),
            };
            let (found, table) = self.tightened((&derivatives, table), given, &typical, spared);
            comparisons.push(of_jacobian("framework's", &found, &table));
        }
        comparisons.push(of_value("f64 reference", &value, &its_value));
        comparisons.push(of_jacobian("f64 reference", &derivatives, &its_jacobian));

        let (differences, left_out) = self.differences(&reference)?;
        comparisons.push(self.comparison(
            "Jacobian, central differences".to_owned(),
            &scales[1],
            (&derivatives, &differences),
            Some(&left_out),
        ));

        let depth = self.model.layers().len();
        let shape = self.model.shape();
        let chosen = self.order.cut(&shape, self.model.inputs());
        let (mut values, mut jacobians) = (None::<Comparison>, None::<Comparison>);
        for cut in (0..=depth).filter(|&cut| cut != chosen && depth > 1) {
            let order = Order::Cut(cut);
            let other = self.evaluate::<T>(order)?;
            let other = self.tables(&other, Arithmetic::new(self.precision, order))?;
            // The value is the same to the bit.
            let exact = |table: &Table| Table {
                numbers: table.numbers.clone(),
                errors: vec![vec![0.0; self.model.outputs()]; table.numbers.len()],
            };
            let bits = of_value("other orders (bits)", &exact(&value), &exact(&other.0));
            values = Some(bits.worse_than(values));
            let comparison = of_jacobian("other orders", &derivatives, &other.1);
            jacobians = Some(comparison.worse_than(jacobians));
        }
        comparisons.extend(values);
        comparisons.extend(jacobians);

        let (other, format) = match self.precision {
            Precision::F32 => (&self.evaluate::<f64>(self.order)?, Precision::F64),
            Precision::F64 => (single, Precision::F32),
        };
        let other = self.tables(other, Arithmetic::new(format, self.order))?;
        let of_formats = |what: &str, a: &Table, b: &Table, reference: &Table| {
            let ulps = ulps(&reference.numbers, Precision::F32);
            self.comparison(
                format!("{what}, f32 and f64 (ulp of f32)"),
                &ulps,
                (a, b),
                None,
            )
        };
        comparisons.push(of_formats("value", &value, &other.0, &its_value));
        comparisons.push(of_formats(
            "Jacobian",
            &derivatives,
            &other.1,
            &its_jacobian,
        ));
        Ok((found, reference, comparisons))
    }

    /// What `of` says of each input.
    fn each<R: Send>(&self, of: impl Fn(&[f64]) -> Result<R> + Sync) -> Result<Vec<R>> {
        each(self.inputs, |x| of(x))
    }

    fn evaluate<T: Float>(&self, order: Order) -> Result<Vec<Evaluation>> {
        let (inputs, outputs) = (self.model.inputs(), self.model.outputs());
        let mut evaluator = Evaluator::<T>::with_order(self.model, order)?;
        let (mut value, mut jacobian) = (vec![T::ZERO; outputs], vec![T::ZERO; outputs * inputs]);
        let evaluate = |x: &Vec<f64>| {
            let x: Vec<T> = x.iter().map(|&x| T::from_f64(x)).collect();
            evaluator.evaluate(&x, &mut value, &mut jacobian)?;
            let wide = |numbers: &[T]| numbers.iter().map(|x| x.to_f64()).collect();
            Ok(Evaluation {
                value: wide(&value),
                jacobian: jacobian.chunks_exact(inputs).map(wide).collect(),
            })
        };
        self.inputs.iter().map(evaluate).collect()
    }

    /// Values and Jacobians with their bounds.
    fn tables(&self, found: &[Evaluation], arithmetic: Arithmetic) -> Result<(Table, Table)> {
        let bounds = self.each(|x| bound(self.model, x, arithmetic))?;
        let value = Table {
            numbers: found.iter().map(|e| e.value.clone()).collect(),
            errors: bounds.iter().map(|b| b.value.clone()).collect(),
        };
        let jacobian = Table {
            numbers: found.iter().map(|e| e.jacobian.concat()).collect(),
            errors: bounds.iter().map(|b| b.jacobian.concat()).collect(),
        };
        Ok((value, jacobian))
    }

    /// What the framework computed, with what its rounding may do, forward or in reverse.
    fn framework(
        &self,
        given: &Given,
        part: impl Fn(crate::bound::Bound) -> Vec<f64> + Sync,
    ) -> Result<Table> {
        let errors = |x: &[f64]| {
            let bound = |order| {
                let arithmetic = Arithmetic {
                    activations: FRAMEWORK_ERROR,
                    ..Arithmetic::new(
                        given.precision.unwrap_or(self.model.stored_precision()),
                        order,
                    )
                };
                bound(self.model, x, arithmetic).map(&part)
            };
            let (forward, reverse) = (bound(Order::Forward)?, bound(Order::Reverse)?);
            Ok(forward.iter().zip(reverse).map(|(a, b)| a.max(b)).collect())
        };
        Ok(Table {
            numbers: given.rows.clone(),
            errors: self.each(errors)?,
        })
    }

    /// The same numbers with the errors of both tables on one side, in all but so many rows at most
    /// what is typical, given for each column.
    fn tightened(
        &self,
        (found, given): (&Table, Table),
        file: &Given,
        typical: &[f64],
        spared: usize,
    ) -> (Table, Table) {
        let precision = file.precision.unwrap_or(self.model.stored_precision());
        // The coarser one of both sides.
        let unit = match (precision, self.precision) {
            (Precision::F64, Precision::F64) => 2f64.powi(-29),
            _ => 1.0,
        };
        let most: Vec<f64> = typical.iter().map(|off| TYPICAL * unit * off).collect();
        let share = |row: &usize| {
            let pairs = given.numbers[*row].iter().zip(&found.numbers[*row]);
            let shares = pairs.zip(&most).map(|((a, b), most)| (a - b).abs() / most);
            shares.fold(0.0, f64::max)
        };
        let mut rows: Vec<usize> = (0..given.numbers.len()).collect();
        rows.sort_by(|a, b| share(b).total_cmp(&share(a)));
        let mut errors = given.errors;
        for (at, &row) in rows.iter().enumerate() {
            let own = found.errors[row].iter().zip(&most);
            for (error, (own, &most)) in errors[row].iter_mut().zip(own) {
                *error += own;
                // Of what overflows nothing is known, and it is left out.
                if at >= spared && error.is_finite() {
                    *error = error.min(most);
                }
            }
        }
        let exact = vec![vec![0.0; most.len()]; rows.len()];
        let found = Table {
            numbers: found.numbers.clone(),
            errors: exact,
        };
        let given = Table {
            numbers: given.numbers,
            errors,
        };
        (found, given)
    }

    /// Number by number. Those that are left out are true in the table.
    fn comparison(
        &self,
        name: String,
        ulps: &[f64],
        (found, wanted): (&Table, &Table),
        left_out: Option<&[Vec<bool>]>,
    ) -> Comparison {
        let mut comparison = Comparison {
            name,
            compared: 0,
            left_out: 0,
            largest_ulps: 0.0,
            worst: None,
            ulps: Vec::new(),
        };
        let inputs = self.model.inputs();
        let is_jacobian = comparison.name.starts_with("Jacobian");
        let place = |column| match is_jacobian {
            true => (column / inputs, Some(column % inputs)),
            false => (column, None),
        };
        for (at, &row) in self.rows.iter().enumerate() {
            for (column, &ulp) in ulps.iter().enumerate() {
                let (a, b) = (found.numbers[at][column], wanted.numbers[at][column]);
                let allowed = found.errors[at][column] + wanted.errors[at][column];
                if left_out.is_some_and(|left_out| left_out[at][column]) || !allowed.is_finite() {
                    comparison.left_out += 1;
                    continue;
                }
                // Both NaN, or the same infinity, is no distance.
                let is_same = a == b || (a.is_nan() && b.is_nan());
                let distance = if is_same { 0.0 } else { (a - b).abs() };
                let share = match distance {
                    0.0 => 0.0,
                    _ if distance.is_nan() => f64::INFINITY,
                    _ => distance / allowed,
                };
                let (output, input) = place(column);
                let case = Case {
                    row,
                    output,
                    input,
                    found: a,
                    wanted: b,
                    ulps: distance / ulp,
                    share,
                };
                comparison.compared += 1;
                comparison.largest_ulps = comparison.largest_ulps.max(case.ulps);
                comparison
                    .ulps
                    .push(if is_same { 0.0 } else { (a - b) / ulp });
                if comparison.worst.is_none_or(|worst| share > worst.share) {
                    comparison.worst = Some(case);
                }
            }
        }
        comparison
    }

    /// Central differences with their error bars, and where a kink is too near for them. Of large
    /// models they are made for some rows only, and the others are left out.
    fn differences(&self, reference: &[Evaluation]) -> Result<(Table, Vec<Vec<bool>>)> {
        let is_smooth = are_smooth(self.model.layers());
        // A value and its bound at both sides, for each step and input.
        let work = 6 * STEPS.len() * self.model.inputs() * self.model.parameters();
        let most = (MOST_WORK / work.max(1)).max(4);
        let chosen = spread(self.inputs.len(), most);
        let scales: Vec<_> = (0..self.model.inputs())
            .map(|j| self.step_scale(j))
            .collect();
        let pairs: Vec<(&[f64], Option<&Evaluation>)> = self
            .inputs
            .iter()
            .zip(reference)
            .enumerate()
            .map(|(row, (x, e))| (&**x, chosen.binary_search(&row).is_ok().then_some(e)))
            .collect();
        let of = |(x, evaluation): &(&[f64], Option<&Evaluation>)| match evaluation {
            Some(evaluation) => self.differences_at(x, evaluation, &scales, is_smooth),
            None => Ok(Differences::none(self.model)),
        };
        let rows = each(&pairs, of)?;
        let mut table = Table {
            numbers: Vec::new(),
            errors: Vec::new(),
        };
        let mut left_out = Vec::new();
        for row in rows {
            table.numbers.push(row.numbers);
            table.errors.push(row.errors);
            left_out.push(row.left_out);
        }
        Ok((table, left_out))
    }

    /// The central differences at an input.
    fn differences_at(
        &self,
        x: &[f64],
        reference: &Evaluation,
        scales: &[StepScale],
        is_smooth: bool,
    ) -> Result<Differences> {
        let mut found = Differences::none(self.model);
        let inputs = x.len();
        for (j, scale) in scales.iter().enumerate() {
            let scale = scale.at(x[j]);
            let steps = STEPS.map(|power| scale * 2f64.powi(-power));
            let quotients = steps.map(|h| self.quotient(x, j, h, is_smooth));
            for at in 0..STEPS.len() - 2 {
                let [Some(widest), Some(wide), Some(near)] =
                    [0, 1, 2].map(|k| quotients[at + k].as_ref().ok().and_then(Option::as_ref))
                else {
                    continue;
                };
                let h = steps[at + 2];
                for (i, &(d, rounding)) in near.iter().enumerate() {
                    let far = (wide[i].0 - d).abs();
                    let farther = (widest[i].0 - wide[i].0).abs() / 16.0;
                    let moved = reference.jacobian[i][j].abs() * f64::EPSILON * x[j].abs() / h;
                    let error = far.max(farther) / 5.0 + rounding + moved;
                    let entry = i * inputs + j;
                    if error < found.errors[entry] {
                        (found.numbers[entry], found.errors[entry]) = (d, error);
                        found.left_out[entry] = false;
                    }
                }
            }
        }
        Ok(found)
    }

    /// What the steps by input `j` are fractions of: the width of its range where that is known,
    /// else its median magnitude over all rows, or that at the input where this is larger.
    fn step_scale(&self, j: usize) -> StepScale {
        let range = self.model.input_ranges().and_then(|ranges| ranges.get(j));
        match range {
            Some(range) => StepScale::Range(range.end - range.start),
            None => {
                let mut sizes: Vec<f64> = self.inputs.iter().map(|x| x[j].abs()).collect();
                sizes.sort_by(f64::total_cmp);
                StepScale::Median(sizes[sizes.len() / 2])
            }
        }
    }

    /// D(h) of each output and its rounding error; `None` where a kink lies between.
    fn quotient(
        &self,
        x: &[f64],
        j: usize,
        h: f64,
        is_smooth: bool,
    ) -> Result<Option<Vec<(f64, f64)>>> {
        let at = |h: f64| {
            let mut x = x.to_vec();
            x[j] += h;
            x
        };
        let (before, after) = (at(-h), at(h));
        if !is_smooth {
            let here = sides(self.model, x)?;
            if sides(self.model, &before)? != here || sides(self.model, &after)? != here {
                return Ok(None);
            }
        }
        let arithmetic = Arithmetic::of_reference();
        let sample = |x: &[f64]| -> Result<_> {
            let value = reference::value(self.model, x)?;
            Ok(value
                .into_iter()
                .zip(value_bound(self.model, x, arithmetic)?)
                .collect::<Vec<_>>())
        };
        let (before, after) = (sample(&before)?, sample(&after)?);
        let quotient = |((a, e_a), (b, e_b)): (&(f64, f64), &(f64, f64))| {
            ((b - a) / (2.0 * h), (e_a + e_b) / (2.0 * h))
        };
        Ok(Some(before.iter().zip(&after).map(quotient).collect()))
    }
}

/// How far evaluations in f32 are typically off, for each column: as far as in any row, but no less
/// than the median column, and than 16, in units in the last place.
fn typical(
    single: &[Evaluation],
    reference: &[Evaluation],
    numbers: impl Fn(&Evaluation) -> Vec<f64>,
) -> Vec<f64> {
    let of = |all: &[Evaluation]| all.iter().map(&numbers).collect::<Vec<_>>();
    let (single, reference) = (of(single), of(reference));
    let ulps = ulps(&reference, Precision::F32);
    let off = |(column, ulp): (usize, &f64)| {
        let rows = single.iter().zip(&reference);
        let distances = rows.map(|(a, b)| (a[column] - b[column]).abs() / ulp);
        distances.filter(|d| d.is_finite()).fold(0.0, f64::max)
    };
    let off: Vec<f64> = ulps.iter().enumerate().map(off).collect();
    let mut sorted = off.clone();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    let columns = off.iter().zip(&ulps);
    columns
        .map(|(off, ulp)| off.max(median).max(16.0) * ulp)
        .collect()
}

/// Whether no activation of these layers, or of those inside them, has a kink.
fn are_smooth(layers: &[Layer]) -> bool {
    layers.iter().all(|layer| {
        let own = match layer {
            Layer::Dense(dense) => is_smooth(dense.activation()),
            Layer::Affine(affine) => is_smooth(affine.activation()),
            _ => true,
        };
        own && layer.inside().into_iter().all(are_smooth)
    })
}

/// Central differences at one input, entry by entry: the numbers, their errors, and whether they are
/// left out.
struct Differences {
    numbers: Vec<f64>,
    errors: Vec<f64>,
    left_out: Vec<bool>,
}

impl Differences {
    /// Those of a model at an input where there are none.
    fn none(model: &Model) -> Self {
        let entries = model.outputs() * model.inputs();
        Self {
            numbers: vec![f64::NAN; entries],
            errors: vec![f64::INFINITY; entries],
            left_out: vec![true; entries],
        }
    }
}

/// What the steps by an input are fractions of.
enum StepScale {
    /// The width of its range.
    Range(f64),
    /// Its median magnitude, or that at the point where this is larger.
    Median(f64),
}

impl StepScale {
    fn at(&self, x: f64) -> f64 {
        let scale = match self {
            Self::Range(width) => *width,
            Self::Median(size) => x.abs().max(*size),
        };
        let is_usable = scale > 0.0 && scale.is_finite();
        // A power of two, which x ± h takes with fewer roundings.
        2f64.powi(if is_usable { scale } else { 1.0 }.log2().round() as i32)
    }
}

/// What `of` says of each item, on all processors.
fn each<I: Sync, R: Send>(items: &[I], of: impl Fn(&I) -> Result<R> + Sync) -> Result<Vec<R>> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = items.len().div_ceil(threads).max(1);
    let parts: Result<Vec<Vec<R>>> = thread::scope(|scope| {
        let start = |items| {
            let of = &of;
            scope.spawn(move || <[I]>::iter(items).map(of).collect())
        };
        let workers: Vec<_> = items.chunks(share).map(start).collect();
        let parts = workers.into_iter().map(|worker| {
            let part = worker.join();
            part.unwrap_or_else(|panic| resume_unwind(panic))
        });
        parts.collect()
    });
    Ok(parts?.into_iter().flatten().collect())
}

/// Multiply-adds of all central differences at most, some ten seconds.
const MOST_WORK: usize = 1 << 34;

/// The steps of the central differences, as powers of one half of the scale of an input: each is a
/// quarter of the one before it.
const STEPS: [i32; 8] = [6, 8, 10, 12, 14, 16, 18, 20];

/// One unit in the last place of each column, at its largest magnitude.
fn ulps(rows: &[Vec<f64>], precision: Precision) -> Vec<f64> {
    let columns = rows.first().map_or(0, Vec::len);
    let largest = |column: usize| {
        let sizes = rows.iter().map(|row| row[column].abs());
        sizes.filter(|x| x.is_finite()).fold(0.0, f64::max)
    };
    let ulp = |column| ulp(largest(column), precision);
    (0..columns).map(ulp).collect()
}

/// The distance from x to the next larger number of the format, for a magnitude above zero.
fn ulp(x: f64, precision: Precision) -> f64 {
    let (digits, least) = match precision {
        Precision::F32 => (23, -126),
        Precision::F64 => (52, -1022),
    };
    let exponent = if x > 0.0 {
        x.log2().floor() as i32
    } else {
        least
    };
    2f64.powi(exponent.max(least) - digits)
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = &self.model;
        writeln!(
            f,
            "{} rows, {}; {} inputs, {} outputs; evaluated in {}, order {}",
            self.inputs.len(),
            self.source,
            model.inputs(),
            model.outputs(),
            self.precision,
            self.order
        )?;
        writeln!(
            f,
            "Distances in ulp of {} at the largest magnitude that the same output or derivative has \
             over the rows.\nAllowed is what rounding, and for differences truncation, may do on both \
             sides.",
            self.precision
        )?;
        if self
            .comparisons
            .iter()
            .any(|c| c.name.contains("framework"))
        {
            writeln!(
                f,
                "To the framework's it is no more than {TYPICAL} times what f32 is off here."
            )?;
        }
        writeln!(f)?;
        let names = self.comparisons.iter().map(|c| c.name.chars().count());
        let wide = names.max().unwrap_or(0);
        writeln!(
            f,
            "      {:<wide$}  {:>9}  {:>9}  {:>9}  worst against what is allowed",
            "compared with", "numbers", "left out", "most ulp"
        )?;
        for comparison in &self.comparisons {
            let verdict = if comparison.passed() { "pass" } else { "FAIL" };
            write!(
                f,
                "{verdict}  {:<wide$}  {:>9}  {:>9}  {:>9}",
                comparison.name,
                comparison.compared,
                comparison.left_out,
                short(comparison.largest_ulps)
            )?;
            match &comparison.worst {
                Some(worst) if worst.share > 0.0 => writeln!(f, "  {}", self.place(worst))?,
                Some(_) => writeln!(f, "  equal")?,
                None => writeln!(f, "  nothing to compare")?,
            }
        }
        writeln!(f, "\n{}", if self.passed() { "PASS" } else { "FAIL" })
    }
}

impl Report {
    /// A case in words.
    pub fn place(&self, case: &Case) -> String {
        let output = self.output_name(case.output);
        let what = match case.input {
            Some(input) => format!("∂ {output} / ∂ {}", self.input_name(input)),
            None => output,
        };
        format!(
            "{} of it at row {}, {what}: {} ulp, {} against {}",
            percent(case.share),
            case.row,
            short(case.ulps),
            number(case.found, self.precision),
            number(case.wanted, Precision::F64),
        )
    }

    /// The name of an output, or its number where it has none.
    pub fn output_name(&self, output: usize) -> String {
        let names = self.model.output_names();
        names.map_or_else(|| format!("y{output}"), |names| names[output].clone())
    }

    /// The name of an input, or its number where it has none.
    pub fn input_name(&self, input: usize) -> String {
        let names = self.model.input_names();
        names.map_or_else(|| format!("x{input}"), |names| names[input].clone())
    }
}

/// A share in per cent.
pub(crate) fn percent(share: f64) -> String {
    match 100.0 * share {
        x if x >= 1e4 => format!("{x:.1e} %"),
        x if x >= 10.0 => format!("{x:.0} %"),
        x if x >= 0.1 => format!("{x:.1} %"),
        x => format!("{x:.1e} %"),
    }
}

/// A distance to two digits or so.
pub(crate) fn short(x: f64) -> String {
    match x {
        0.0 => "0".to_owned(),
        x if (0.01..1e5).contains(&x) => format!("{x:.2}"),
        x => format!("{x:.1e}"),
    }
}

fn number(x: f64, precision: Precision) -> String {
    match precision {
        Precision::F32 => format!("{:?}", x as f32),
        Precision::F64 => format!("{x:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ulp_is_the_step_to_the_next_number() {
        for x in [1.0, 1.5, 3.9, 0.1, 1e-30, 1e30] {
            let f = x as f32;
            assert_eq!(ulp(x, Precision::F32), f64::from(f.next_up() - f), "{x}");
            assert_eq!(ulp(x, Precision::F64), x.next_up() - x, "{x}");
        }
        assert_eq!(ulp(0.0, Precision::F32), f64::from(f32::from_bits(1)));
    }

    #[test]
    fn rows_are_spread_from_the_first_to_the_last() {
        assert_eq!(spread(10, 4), [0, 3, 6, 9]);
        assert_eq!(spread(3, 10), [0, 1, 2]);
        assert_eq!(spread(5, 1), [0]);
        assert!(spread(0, 4).is_empty());
    }
}
