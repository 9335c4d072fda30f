//! Whether value and Jacobian are right: what `fnn check` does.
//!
//! Every comparison is of two computations of the same exact number, and passes where their distance
//! is no more than the errors that both may have:
//!
//! - The evaluations here, in any order and in both formats, and the plain f64 [`mod@reference`]: the
//!   running error bounds of [`bound`](mod@crate::bound). Bounds hold in the worst case, which for wide
//!   layers is far from any that happens: a wrong number could hide in them. So a Jacobian in f32 may
//!   also be no more than [`TYPICAL`] times as far off as another order of accumulation is in f32, of
//!   the same number in any row, or [`TYPICAL`] · 16 units in the last place of what has the largest
//!   effect on the output.
//! - Outputs and a Jacobian of the training framework: the same bound for sums in any order, in the
//!   format of its file, and activations that are off by up to [`FRAMEWORK_ERROR`] units. For the
//!   Jacobian the larger of the bounds forward and in reverse. No distance may be more than [`TYPICAL`]
//!   times what an evaluation in f32 is off here, in units in the last place: of the same number in any
//!   row, of the median number, or 16 units, whichever is largest. Of a Jacobian with kinks, one row in
//!   a hundred is held to the bound alone, at least one if there are several, if it has a sum that
//!   rounding may put on the other side of a kink: two evaluations may see it on different sides.
//! - The Jacobian in f64 and central differences of the f64 reference. The steps follow how far the sums
//!   in the network move, not the size of x, and the error of each difference is told from how it
//!   converges and from the bounds of both values. Differences share nothing with the derivatives but the value.
//!   They are made, of large models, for some rows only, since they take the time of thousands of
//!   values; the others are left out, and counted.
//!
//! The value must have the same bits in every order.
//!
//! # What decides
//!
//! Of the framework's Jacobian and of central differences, a number *decides* if what is allowed is at
//! most [`DECIDES`] of the largest effect on the same output. An effect is a derivative times the spread
//! of its input over the rows; where that is zero, times a step that moves the first sums by a part of
//! the scale of their activations. So no unit of an input matters. For an output that
//! does not depend on its inputs, [`FLAT`] of its size stands for an effect. A number that does not
//! decide is counted as undecided and proves nothing; it fails all the same where the distance is more
//! than is allowed.
//!
//! A check passes only if one of these two, which know nothing of how derivatives are computed here,
//! decided derivatives at rows where they are of any size, and a bound of the evaluation is finite
//! somewhere. Else it is undecided, and `fnn check` returns 1 as after a failure: who asks whether a
//! Jacobian is right has got no answer. It passes *in part*, and returns 0, where some derivatives were
//! decided at no such row, one of the two decided nothing, or most of the framework's Jacobian was
//! undecided. Then the report says which, and that the f64 reference alone speaks for them.
//!
//! What this catches, and what it does not, is in the table that `cargo xtask mutations` writes,
//! `fnn-std/MUTATIONS.md`.
//!
//! Distances are stated in units in the last place (ulp) of the format of the evaluation, at the
//! largest magnitude that the same output, or the same entry of the Jacobian, has over all rows.

mod differences;

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
    bound::{Arithmetic, bound, is_at_kink, is_smooth},
    error::{Error, Result},
    evaluator::{Evaluator, Float},
    file, html, import,
    line::{self, visible},
    model::{Layer, Model, Precision},
    order::Order,
    reference::{self, Evaluation},
};

use differences::{differences, widths};

/// The error in units of u = ulp/2 that is allowed to an activation of a training framework: twice
/// that of [`bound::ERROR`](crate::bound::ERROR), squared for those that are composed of several
/// functions. Frameworks state no figure of their own.
pub const FRAMEWORK_ERROR: f64 = 16.0;

/// How often as far off as an evaluation here a framework's may be, in units in the last place.
pub const TYPICAL: f64 = 64.0;

/// The share of the largest effect on an output that may be allowed to a number for it to decide: a
/// thousandth, some ten times what a framework in f32 is allowed at least, and far above the error of
/// most central differences.
pub const DECIDES: f64 = 1e-3;

/// What stands for the largest effect on an output that does not depend on its inputs, as a share of its
/// size.
pub const FLAT: f64 = 1e-6;

/// The share of its largest magnitude over all rows that a derivative has where it is of any size: where
/// it is smaller, that it is right says little of where it is not.
pub const OF_SIZE: f64 = 1e-3;

/// How many rows are checked where nothing else is said; fewer where their Jacobians are so large that
/// more would not fit into memory.
pub const ROWS: usize = 256;

/// What [`run`] is told: the options of `fnn check`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The file of inputs, `.npy` or `.csv`; without one they are drawn.
    pub input: Option<PathBuf>,
    /// Whether the first line of a `.csv` of inputs is a header; told from the line by default.
    pub header: Option<bool>,
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
    /// How many were left out: a kink is too near for a difference, none was made in this row, or
    /// nothing is known of the error since it overflows, as with inputs of 1e30.
    pub left_out: usize,
    /// How many do not decide, since too much is allowed.
    pub undecided: usize,
    /// The derivatives, as output and input, that are decided at no row where they have
    /// [a share](OF_SIZE) of their largest magnitude at least; where numbers can be undecided.
    pub never: Vec<(usize, usize)>,
    /// The largest distance in units in the last place.
    pub largest_ulps: f64,
    /// The number with the largest share of its bound; `None` where nothing was compared.
    pub worst: Option<Case>,
    /// Distances in ulp, with their sign: of all numbers that were compared.
    pub ulps: Vec<f64>,
}

/// What a comparison, or all of them, say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Each distance is within what is allowed.
    Pass,
    /// As [`Pass`](Self::Pass), but not all that was to be decided was.
    InPart,
    /// Nothing was decided.
    Undecided,
    /// A distance is more than is allowed.
    Fail,
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "PASS",
            Self::InPart => "PASS in part",
            Self::Undecided => "UNDECIDED",
            Self::Fail => "FAIL",
        })
    }
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
        other.undecided += self.undecided;
        other.largest_ulps = other.largest_ulps.max(self.largest_ulps);
        other.ulps.extend(self.ulps);
        other
    }

    /// Whether no distance is larger than the errors of both sides allow, and any was compared.
    pub fn verdict(&self) -> Verdict {
        match self.worst {
            None => Verdict::Undecided,
            Some(worst) if worst.share <= 1.0 => Verdict::Pass,
            Some(_) => Verdict::Fail,
        }
    }

    /// Whether something was compared, and no distance is larger than is allowed.
    pub fn passed(&self) -> bool {
        self.verdict() == Verdict::Pass
    }

    /// Whether it is of something that knows nothing of how derivatives are computed here.
    fn is_independent(&self) -> bool {
        [DIFFERENCES, FRAMEWORK].contains(&&*self.name)
    }
}

/// Of the evaluation that is asked for.
const OWN: [&str; 2] = ["value, f64 reference", "Jacobian, f64 reference"];
const DIFFERENCES: &str = "Jacobian, central differences";
const FRAMEWORK: &str = "Jacobian, framework's";

impl Report {
    /// What all comparisons say together.
    pub fn verdict(&self) -> Verdict {
        let derivatives = self.model.outputs() * self.model.inputs();
        let has = |verdict, names: &[&str]| {
            let is_of = |c: &Comparison| names.is_empty() || names.contains(&&*c.name);
            let mut comparisons = self.comparisons.iter();
            comparisons.any(|c| c.verdict() == verdict && is_of(c))
        };
        if has(Verdict::Fail, &[]) {
            Verdict::Fail
        } else if has(Verdict::Undecided, &OWN) || self.never().len() == derivatives {
            Verdict::Undecided
        } else if self.reservations().is_empty() {
            Verdict::Pass
        } else {
            Verdict::InPart
        }
    }

    /// Whether nothing failed and the Jacobian was decided, if only [in part](Verdict::InPart).
    pub fn passed(&self) -> bool {
        matches!(self.verdict(), Verdict::Pass | Verdict::InPart)
    }

    /// The derivatives that nothing independent decides.
    fn never(&self) -> Vec<(usize, usize)> {
        let independent = self.comparisons.iter().filter(|c| c.is_independent());
        let never = independent.map(|c| c.never.clone());
        let both = never.reduce(|mut a, b| {
            a.retain(|derivative| b.binary_search(derivative).is_ok());
            a
        });
        both.unwrap_or_default()
    }

    /// Sentences that say what was not decided.
    pub fn reservations(&self) -> Vec<String> {
        let undecided = self.comparisons.iter();
        let undecided = undecided.filter(|c| c.verdict() == Verdict::Undecided);
        let mut sentences: Vec<String> = undecided
            .map(|c| format!("{}: nothing could be decided.", c.name))
            .collect();
        let framework = self.comparisons.iter().find(|c| c.name == FRAMEWORK);
        if let Some(c) = framework.filter(|c| c.compared > 0 && c.undecided > c.compared) {
            sentences.push(format!(
                "{}: {} of {} numbers could not be decided, since their allowance is wide.",
                c.name,
                c.undecided,
                c.compared + c.undecided
            ));
        }
        let never = self.never();
        if let Some(&(output, input)) = never.first() {
            sentences.push(format!(
                "{} of {} derivatives could be decided at no row where they are of any size, ∂ {} / ∂ {} \
                 the first: the f64 reference alone speaks for them.",
                never.len(),
                self.model.outputs() * self.model.inputs(),
                self.output_name(output),
                self.input_name(input)
            ));
        }
        if !sentences.is_empty() && framework.is_none() {
            sentences.push(
                "What may decide: other inputs, or the framework's Jacobian (--jacobian)."
                    .to_owned(),
            );
        }
        sentences
    }
}

/// Where evaluations come from: those of the model at these inputs, in this format and order.
#[doc(hidden)]
pub type Source<'s> =
    dyn Fn(&Model, &[Vec<f64>], Precision, Order) -> Result<Vec<Evaluation>> + Sync + 's;

/// Reads the model at `model`, checks its value and Jacobian at the inputs that `options` name, and
/// writes a page of it where one is asked for.
///
/// # Errors
/// Whatever keeps it from being done; that a comparison fails is no error but in the report.
pub fn run(model: &Path, options: &Options) -> Result<Report> {
    run_with(model, options, &evaluated)
}

/// [`run`] with evaluations from elsewhere: what mutates them to see whether it is noticed.
///
/// # Errors
/// As [`run`].
#[doc(hidden)]
pub fn run_with(model: &Path, options: &Options, source: &Source<'_>) -> Result<Report> {
    let read = [&options.input, &options.output, &options.jacobian];
    let read = read.map(|path| path.as_deref());
    file::keep(
        &[&read[..], &[Some(model)]].concat(),
        &[options.report.as_deref()],
    )?;
    if let Some(report) = &options.report {
        file::ending(report, html::ENDINGS)?;
    }
    let path = model;
    let model = import::read(path, &options.import.for_evaluation(options.precision))?;
    let asked = options.rows.unwrap_or(ROWS);
    let most = most_rows(&model).map_err(|e| e.in_file(path))?;
    let wanted = asked.min(most);
    let precision = options.precision.unwrap_or(model.precision());
    let (mut origin, inputs, rows, total) = match &options.input {
        Some(path) => {
            let all = Rows::read_with(path, options.header)?;
            let all = all.for_model(&model).map_err(|e| e.in_file(path))?;
            let rows = spread(all.len(), wanted);
            let inputs = rows.iter().filter_map(|&row| all.get(row));
            let inputs = inputs.map(<[f64]>::to_vec).collect();
            let source = visible(&path.display().to_string());
            (source, inputs, rows, all.len())
        }
        None => {
            if options.output.is_some() || options.jacobian.is_some() {
                return Err(Error::refused(
                    "outputs to compare with are given without the inputs that they belong to",
                )
                .with_help("name the file of inputs: --input X.npy"));
            }
            let ranges = ranges(&model, &options.ranges).map_err(|e| e.in_file(path))?;
            let inputs = draw(&ranges, wanted, precision);
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
    let is_drawn = options.input.is_none();
    if rows.len() < if is_drawn { asked } else { asked.min(total) } {
        origin += ", fewer than asked for, since their Jacobians are large";
    }
    let given = |path: &Option<PathBuf>, row: &[usize], names: Option<&[String]>| {
        let table = path
            .as_ref()
            .map(|path| Given::read(path, total, row, names, &rows));
        table.transpose()
    };
    let output = given(&options.output, &[model.outputs()], model.output_names())?;
    let jacobian = given(&options.jacobian, &[model.outputs(), model.inputs()], None)?;
    let data = Data {
        model: &model,
        source,
        inputs: &inputs,
        rows: &rows,
        precision,
        order: options.order,
    };
    let (found, reference, comparisons) = data.compare(output.as_ref(), jacobian.as_ref())?;
    let report = Report {
        precision,
        order: options.order,
        source: origin,
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

/// Entries of the Jacobians of all rows at most: a check holds a dozen tables of them or more.
const MOST_ENTRIES: usize = 1 << 20;

/// How many rows of this model are checked at most.
///
/// # Errors
/// A Jacobian of which one is too large.
fn most_rows(model: &Model) -> Result<usize> {
    let entries = model.outputs().saturating_mul(model.inputs());
    match MOST_ENTRIES / entries.max(1) {
        0 => Err(Error::refused(format!(
            "a Jacobian with {entries} entries, wanted at most {MOST_ENTRIES} to check it"
        ))
        .with_help("evaluate it without a check: fnn eval MODEL --input X.npy --output Y.npy")),
        rows => Ok(rows),
    }
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

/// So many inputs in these ranges, the same on every run: numbers of the format, which may have few in
/// a narrow range.
fn draw(ranges: &[Range<f64>], count: usize, precision: Precision) -> Vec<Vec<f64>> {
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
        let rounded = |x| match precision {
            Precision::F32 => f64::from(x as f32),
            Precision::F64 => x,
        };
        numbers.map(rounded).collect()
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
    /// `row` each, with these names where it has a header.
    fn read(
        path: &Path,
        total: usize,
        row: &[usize],
        names: Option<&[String]>,
        rows: &[usize],
    ) -> Result<Self> {
        let mut reader = Reader::open_results(path, total, row, names)?;
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
    source: &'d Source<'d>,
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
    fn compare(&self, output: Option<&Given>, jacobian: Option<&Given>) -> Result<Compared> {
        let mut comparisons = Vec::new();
        let reference = self.each(|x| reference::evaluate(self.model, x))?;
        let (its_value, its_jacobian) = self.tables(&reference, Arithmetic::of_reference())?;
        let widths = widths(self.model, self.inputs)?;
        let effects = self.effects(&reference, &widths);
        let most = self.most_in_f32(&reference, &effects)?;
        let evaluated = |precision, order| -> Result<_> {
            let found = self.evaluate(precision, order)?;
            let (value, mut jacobian) = self.tables(&found, Arithmetic::new(precision, order))?;
            if precision == Precision::F32 {
                jacobian.cap(&most);
            }
            Ok((found, value, jacobian))
        };
        let (found, value, derivatives) = evaluated(self.precision, self.order)?;
        let format = match self.precision {
            Precision::F32 => Precision::F64,
            Precision::F64 => Precision::F32,
        };
        let (other, mut other_value, mut other_derivatives) = evaluated(format, self.order)?;
        if format == Precision::F32 {
            // A model in f64 may overflow in f32, which says nothing of f64.
            other_value.forget_beyond_f32(&its_value);
            other_derivatives.forget_beyond_f32(&its_jacobian);
        }
        let (single, in_f64) = match self.precision {
            Precision::F32 => (&found, &other_derivatives),
            Precision::F64 => (&other, &derivatives),
        };
        let scales = [&its_value, &its_jacobian].map(|t| ulps(&t.numbers, self.precision));
        let of_value = |name: &str, a: &Table, b: &Table| {
            self.comparison(&format!("value, {name}"), &scales[0], (a, b), None)
        };
        let of_jacobian = |name: &str, a: &Table, b: &Table| {
            self.comparison(&format!("Jacobian, {name}"), &scales[1], (a, b), None)
        };

        if let Some(given) = output {
            let table = self.framework(given, |bound| bound.value)?;
            let typical = typical(single, &reference, |e| e.value.clone());
            let (found, table) = self.tightened((&value, table), given, &typical, 0)?;
            comparisons.push(of_value("framework's output", &found, &table));
        }
        if let Some(given) = jacobian {
            let table = self.framework(given, |bound| bound.jacobian.concat())?;
            let typical = typical(single, &reference, |e| e.jacobian.concat());
            let spared = match (are_smooth(self.model.layers()), self.rows.len()) {
                (true, _) | (_, 1) => 0,
                (_, rows) => rows.div_ceil(100),
            };
            let (found, table) = self.tightened((&derivatives, table), given, &typical, spared)?;
            comparisons.push(self.comparison(
                FRAMEWORK,
                &scales[1],
                (&found, &table),
                Some(&effects),
            ));
        }
        comparisons.push(of_value("f64 reference", &value, &its_value));
        comparisons.push(of_jacobian("f64 reference", &derivatives, &its_jacobian));
        let of_format = |what: &str, a: &Table, b: &Table| {
            let name = format!("{what} in {format}, f64 reference (ulp of {format})");
            self.comparison(&name, &ulps(&b.numbers, format), (a, b), None)
        };
        comparisons.push(of_format("value", &other_value, &its_value));
        comparisons.push(of_format("Jacobian", &other_derivatives, &its_jacobian));

        let rows = differences(self.model, self.inputs, &widths)?;
        let (numbers, errors) = rows.into_iter().map(|d| (d.numbers, d.errors)).unzip();
        comparisons.push(self.comparison(
            DIFFERENCES,
            &scales[1],
            (in_f64, &Table { numbers, errors }),
            Some(&effects),
        ));

        let depth = self.model.layers().len();
        let shape = self.model.shape();
        let chosen = self.order.cut(&shape, self.model.inputs());
        let (mut values, mut jacobians) = (None::<Comparison>, None::<Comparison>);
        for cut in (0..=depth).filter(|&cut| cut != chosen && depth > 1) {
            let other = evaluated(self.precision, Order::Cut(cut))?;
            // The value is the same to the bit.
            let exact = |table: &Table| Table {
                numbers: table.numbers.clone(),
                errors: vec![vec![0.0; self.model.outputs()]; table.numbers.len()],
            };
            let bits = of_value("other orders (bits)", &exact(&value), &exact(&other.1));
            values = Some(bits.worse_than(values));
            let comparison = of_jacobian("other orders", &derivatives, &other.2);
            jacobians = Some(comparison.worse_than(jacobians));
        }
        comparisons.extend(values);
        comparisons.extend(jacobians);
        Ok((found, reference, comparisons))
    }

    /// For each entry of the Jacobian, the derivative that would have as large an effect on its output,
    /// over the width of its input, as the largest one over all rows and inputs.
    fn effects(&self, reference: &[Evaluation], widths: &[f64]) -> Vec<f64> {
        let most = |numbers: &mut dyn Iterator<Item = f64>| {
            numbers.filter(|x| x.is_finite()).fold(0.0, f64::max)
        };
        let largest = |output: usize| {
            let rows = reference.iter().map(|e| e.jacobian[output].iter());
            let effects = rows.flat_map(|row| row.zip(widths).map(|(d, width)| d.abs() * width));
            let sizes = reference.iter().map(|e| FLAT * e.value[output].abs());
            match most(&mut { effects }) {
                0.0 => most(&mut { sizes }),
                effect => effect,
            }
        };
        let outputs = 0..self.model.outputs();
        let row = |output| {
            let largest = largest(output);
            widths.iter().map(move |width| largest / width)
        };
        outputs.flat_map(row).collect()
    }

    /// How far a derivative may be off in f32 by what another order of accumulation is.
    fn most_in_f32(&self, reference: &[Evaluation], effects: &[f64]) -> Result<Vec<f64>> {
        let order = match self.order.cut(&self.model.shape(), self.model.inputs()) {
            0 => Order::Forward,
            _ => Order::Reverse,
        };
        let single = self.evaluate(Precision::F32, order)?;
        let typical = typical(&single, reference, |e| e.jacobian.concat());
        let least = effects.iter().map(|effect| 16.0 * 2f64.powi(-23) * effect);
        let most = typical.into_iter().zip(least);
        Ok(most.map(|(off, least)| TYPICAL * off.max(least)).collect())
    }

    /// What `of` says of each input.
    fn each<R: Send>(&self, of: impl Fn(&[f64]) -> Result<R> + Sync) -> Result<Vec<R>> {
        each(self.inputs, |x| of(x))
    }

    fn evaluate(&self, precision: Precision, order: Order) -> Result<Vec<Evaluation>> {
        (self.source)(self.model, self.inputs, precision, order)
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
            let bound = |order| bound(self.model, x, self.arithmetic_of(given, order)).map(&part);
            let (forward, reverse) = (bound(Order::Forward)?, bound(Order::Reverse)?);
            Ok(forward.iter().zip(reverse).map(|(a, b)| a.max(b)).collect())
        };
        Ok(Table {
            numbers: given.rows.clone(),
            errors: self.each(errors)?,
        })
    }

    fn arithmetic_of(&self, given: &Given, order: Order) -> Arithmetic {
        Arithmetic {
            activations: FRAMEWORK_ERROR,
            ..Arithmetic::new(
                given.precision.unwrap_or(self.model.stored_precision()),
                order,
            )
        }
    }

    /// The same numbers with the errors of both tables on one side, at most what is typical, given for
    /// each column; in so many rows not, if they are at a kink.
    fn tightened(
        &self,
        (found, given): (&Table, Table),
        file: &Given,
        typical: &[f64],
        spared: usize,
    ) -> Result<(Table, Table)> {
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
        let arithmetic = match self.precision {
            Precision::F32 => Arithmetic {
                activations: FRAMEWORK_ERROR,
                ..Arithmetic::new(self.precision, self.order)
            },
            Precision::F64 => self.arithmetic_of(file, self.order),
        };
        for (at, &row) in rows.iter().enumerate() {
            let is_spared = at < spared && is_at_kink(self.model, &self.inputs[row], arithmetic)?;
            let own = found.errors[row].iter().zip(&most);
            for (error, (own, &most)) in errors[row].iter_mut().zip(own) {
                *error += own;
                // Of what overflows nothing is known, and it is left out.
                if !is_spared && error.is_finite() {
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
        Ok((found, given))
    }

    /// Number by number. Where `effects` are given, a number that is allowed too much of them does not
    /// decide.
    fn comparison(
        &self,
        name: &str,
        ulps: &[f64],
        (found, wanted): (&Table, &Table),
        effects: Option<&[f64]>,
    ) -> Comparison {
        let mut comparison = Comparison {
            name: name.to_owned(),
            compared: 0,
            left_out: 0,
            undecided: 0,
            never: Vec::new(),
            largest_ulps: 0.0,
            worst: None,
            ulps: Vec::new(),
        };
        let mut is_decided = vec![effects.is_none(); ulps.len()];
        let largest = largest(&found.numbers);
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
                if !allowed.is_finite() {
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
                let decides = effects.is_none_or(|effects| allowed <= DECIDES * effects[column]);
                if !decides && share <= 1.0 {
                    comparison.undecided += 1;
                    continue;
                }
                is_decided[column] |= a.abs() >= OF_SIZE * largest[column];
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
        let never = (0..ulps.len()).filter(|&column| !is_decided[column]);
        comparison.never = never
            .map(|column| (column / inputs, column % inputs))
            .collect();
        comparison
    }
}

impl Table {
    /// Takes any error for possible where the exact number is larger than those of f32.
    fn forget_beyond_f32(&mut self, exact: &Self) {
        for (errors, exact) in self.errors.iter_mut().zip(&exact.numbers) {
            for (error, exact) in errors.iter_mut().zip(exact) {
                if exact.abs() > f64::from(f32::MAX) {
                    *error = f64::INFINITY;
                }
            }
        }
    }

    /// Errors of at most so much, given for each column; of what overflows nothing is known.
    fn cap(&mut self, most: &[f64]) {
        for row in &mut self.errors {
            for (error, &most) in row.iter_mut().zip(most) {
                if error.is_finite() {
                    *error = error.min(most);
                }
            }
        }
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

/// The evaluations of an [`Evaluator`].
///
/// # Errors
/// As [`Evaluator::with_order`] and its evaluation.
#[doc(hidden)]
pub fn evaluated(
    model: &Model,
    inputs: &[Vec<f64>],
    precision: Precision,
    order: Order,
) -> Result<Vec<Evaluation>> {
    match precision {
        Precision::F32 => evaluated_in::<f32>(model, inputs, order),
        Precision::F64 => evaluated_in::<f64>(model, inputs, order),
    }
}

fn evaluated_in<T: Float>(
    model: &Model,
    inputs: &[Vec<f64>],
    order: Order,
) -> Result<Vec<Evaluation>> {
    let columns = model.inputs();
    let mut evaluator = Evaluator::<T>::with_order(model, order)?;
    let mut value = vec![T::ZERO; model.outputs()];
    let mut jacobian = vec![T::ZERO; model.outputs() * columns];
    let evaluate = |x: &Vec<f64>| {
        let x: Vec<T> = x.iter().map(|&x| T::from_f64(x)).collect();
        evaluator.evaluate(&x, &mut value, &mut jacobian)?;
        let wide = |numbers: &[T]| numbers.iter().map(|x| x.to_f64()).collect();
        Ok(Evaluation {
            value: wide(&value),
            jacobian: jacobian.chunks_exact(columns).map(wide).collect(),
        })
    };
    inputs.iter().map(evaluate).collect()
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

/// One unit in the last place of each column, at its largest magnitude.
fn ulps(rows: &[Vec<f64>], precision: Precision) -> Vec<f64> {
    let largest = largest(rows).into_iter();
    largest.map(|size| ulp(size, precision)).collect()
}

/// The largest magnitude of each column that is finite.
fn largest(rows: &[Vec<f64>]) -> Vec<f64> {
    let columns = rows.first().map_or(0, Vec::len);
    let largest = |column: usize| {
        let sizes = rows.iter().map(|row| row[column].abs());
        sizes.filter(|x| x.is_finite()).fold(0.0, f64::max)
    };
    (0..columns).map(largest).collect()
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
            "           {:<wide$}  {:>9}  {:>9}  {:>9}  {:>9}  worst against what is allowed",
            "compared with", "numbers", "left out", "undecided", "most ulp"
        )?;
        for comparison in &self.comparisons {
            let verdict = match comparison.verdict() {
                Verdict::Fail => "FAIL",
                Verdict::Undecided => "undecided",
                Verdict::Pass | Verdict::InPart => "pass",
            };
            write!(
                f,
                "{verdict:<9}  {:<wide$}  {:>9}  {:>9}  {:>9}  {:>9}",
                comparison.name,
                comparison.compared,
                comparison.left_out,
                comparison.undecided,
                short(comparison.largest_ulps)
            )?;
            match &comparison.worst {
                Some(worst) if worst.share > 0.0 => writeln!(f, "  {}", self.place(worst))?,
                Some(_) => writeln!(f, "  equal")?,
                None => writeln!(f, "  nothing decides")?,
            }
        }
        writeln!(f)?;
        for sentence in self.reservations() {
            writeln!(f, "{sentence}")?;
        }
        writeln!(f, "{}", self.verdict())
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

    /// The name of an output, safe to print, or its number where it has none.
    pub fn output_name(&self, output: usize) -> String {
        let names = self.model.output_names();
        names.map_or_else(|| format!("y{output}"), |names| line::name(&names[output]))
    }

    /// The name of an input, safe to print, or its number where it has none.
    pub fn input_name(&self, input: usize) -> String {
        let names = self.model.input_names();
        names.map_or_else(|| format!("x{input}"), |names| line::name(&names[input]))
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
