//! A model evaluated for a file of inputs: what `fnn eval` does.

use std::{
    fmt,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

use crate::{
    array::{self, Reader, Writer},
    error::{Error, Result},
    evaluator::{Evaluator, Float},
    file, import, line,
    model::{Model, Precision},
    order::Order,
};

/// What [`run`] is told: the options of `fnn eval`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The file of inputs, `.npy` or `.csv`: [rows, inputs], or one dimension for one row.
    pub input: PathBuf,
    /// Whether the first line of a `.csv` of inputs is a header; told from the line by default.
    pub header: Option<bool>,
    /// Where the outputs go, `.npy` or `.csv`: [rows, outputs].
    pub output: Option<PathBuf>,
    /// Where the Jacobians go: `.npy` with the shape [rows, outputs, inputs], or `.csv` with one
    /// Jacobian a line, row by row.
    pub jacobian: Option<PathBuf>,
    /// The number format of the evaluation and of what is written; the model's own by default.
    pub precision: Option<Precision>,
    /// The order of accumulation of the Jacobian.
    pub order: Order,
    /// How many threads evaluate; as many as the machine runs at once by default. The bits do not
    /// depend on it.
    pub threads: Option<NonZeroUsize>,
    /// How the model is read.
    pub import: import::Options,
}

/// What [`run`] found and did not write to files: the first rows, to be displayed.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    inputs: Vec<String>,
    outputs: Vec<String>,
    precision: Precision,
    rows: Vec<Row>,
    /// Rows of the input, those not held here included.
    total: usize,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    value: Vec<f64>,
    /// Row by row.
    jacobian: Option<Vec<f64>>,
}

/// Rows that a report holds at most.
const SHOWN: usize = 3;

/// Numbers of Jacobians that a report holds at most, unless a single one has more.
const MOST_SHOWN: usize = 1 << 22;

/// The numbers of the rows that are evaluated at once take so many bytes, unless a single row takes
/// more: enough that threads have work for milliseconds.
const BLOCK_BYTES: usize = 4 << 20;

/// Reads the model at `model`, evaluates it for every row of the input, and writes value and
/// Jacobian to the files that `options` names. Where no file is named for the value the report
/// holds that of the first rows; where none is named at all, their Jacobians too.
///
/// The rows are read, evaluated and written block by block: the memory does not grow with their
/// number, whatever the format and the order of the file. `progress` is called after each block with
/// the number of rows done and of all rows.
///
/// Files appear whole under their names, or not at all.
///
/// # Errors
/// Whatever keeps it from being done: a file that cannot be read, is damaged or does not fit the
/// model; a file that cannot be written; an order with a cut after more layers than there are.
pub fn run(
    model: &Path,
    options: &Options,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Option<Report>> {
    file::keep(
        &[Some(model), Some(&options.input)],
        &[options.output.as_deref(), options.jacobian.as_deref()],
    )?;
    for path in [&options.output, &options.jacobian].into_iter().flatten() {
        file::ending(path, array::ENDINGS)?;
    }
    let model = import::read(model, &options.import.for_evaluation(options.precision))?;
    let rows = Reader::open_with(&options.input, options.header)?.for_model(&model)?;
    match options.precision.unwrap_or(model.precision()) {
        Precision::F32 => evaluate::<f32>(&model, rows, options, progress),
        Precision::F64 => evaluate::<f64>(&model, rows, options, progress),
    }
}

fn evaluate<T: Float>(
    model: &Model,
    mut rows: Reader,
    options: &Options,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Option<Report>> {
    let (inputs, outputs, total) = (model.inputs(), model.outputs(), rows.rows());
    let writer = |path: &Option<PathBuf>, shape: &[usize]| match path {
        Some(path) => Writer::new(path, shape, T::PRECISION).map(Some),
        None => Ok(None),
    };
    let mut values = writer(&options.output, &[total, outputs])?;
    let mut jacobians = writer(&options.jacobian, &[total, outputs, inputs])?;
    if let (Some(values), Some(jacobians)) = (&values, &jacobians)
        && values.is_same_file(jacobians)
    {
        return Err(Error::refused("--output and --jacobian name the same file"));
    }

    let shown = match values {
        Some(_) => 0,
        None => SHOWN.min(MOST_SHOWN / (outputs * inputs)).max(1),
    };
    let with_jacobian = jacobians.is_some() || shown > 0;
    // Without files, rows that are not shown need not be known.
    let needed = if values.is_some() || jacobians.is_some() {
        total
    } else {
        shown.min(total)
    };

    let threads = options.threads.or(thread::available_parallelism().ok());
    let evaluator = Evaluator::<T>::with_order(model, options.order)?;
    let mut evaluators = vec![evaluator; threads.map_or(1, NonZeroUsize::get)];
    let results = outputs + if with_jacobian { outputs * inputs } else { 0 };
    let row_bytes = inputs * size_of::<f64>() + (inputs + results) * size_of::<T>();
    let block = (BLOCK_BYTES / row_bytes).max(1);
    let (mut numbers, mut x) = (Vec::new(), Vec::new());
    let (mut value, mut jacobian) = (Vec::new(), Vec::new());
    let mut report = Vec::new();
    let mut done = 0;
    while done < needed {
        numbers.clear();
        let count = rows.read(block.min(needed - done), &mut numbers)?;
        x.clear();
        x.extend(numbers.iter().map(|&x| T::from_f64(x)));
        value.resize(count * outputs, T::ZERO);
        jacobian.resize(count * (results - outputs), T::ZERO);
        share(&mut evaluators, &x, &mut value, &mut jacobian)?;
        for (row, value) in value.chunks_exact(outputs).enumerate() {
            let jacobian = &jacobian[row * (results - outputs)..][..results - outputs];
            if let Some(values) = &mut values {
                values.write(value)?;
            }
            if let Some(jacobians) = &mut jacobians {
                jacobians.write(jacobian)?;
            }
            if done + row < shown {
                let wide = |numbers: &[T]| numbers.iter().map(|x| x.to_f64()).collect();
                report.push(Row {
                    value: wide(value),
                    jacobian: jacobians.is_none().then(|| wide(jacobian)),
                });
            }
        }
        done += count;
        progress(done, needed);
    }
    for writer in [values, jacobians].into_iter().flatten() {
        writer.finish()?;
    }
    if shown == 0 {
        return Ok(None);
    }
    let names = |known: Option<&[String]>, letter, count| match known {
        Some(names) => names.iter().map(|name| line::name(name)).collect(),
        None => (0..count).map(|i| format!("{letter}{i}")).collect(),
    };
    Ok(Some(Report {
        inputs: names(model.input_names(), 'x', inputs),
        outputs: names(model.output_names(), 'y', outputs),
        precision: T::PRECISION,
        rows: report,
        total,
    }))
}

/// Evaluates the inputs in `x`, one after the other, a share of them with each evaluator on a thread
/// of its own; without room for Jacobians the values alone.
fn share<T: Float>(
    evaluators: &mut [Evaluator<T>],
    x: &[T],
    value: &mut [T],
    jacobian: &mut [T],
) -> Result<()> {
    let (inputs, outputs) = evaluators
        .first()
        .map_or((1, 1), |e| (e.inputs(), e.outputs()));
    let derivatives = if jacobian.is_empty() {
        0
    } else {
        inputs * outputs
    };
    let rows = (x.len() / inputs).div_ceil(evaluators.len()).max(1);
    let mut jacobians = jacobian.chunks_mut((rows * derivatives).max(1));
    let parts = x
        .chunks(rows * inputs)
        .zip(value.chunks_mut(rows * outputs))
        .map(|(x, value)| (x, value, jacobians.next().unwrap_or_default()));
    thread::scope(|scope| {
        let workers: Vec<_> = evaluators
            .iter_mut()
            .zip(parts)
            .map(|(evaluator, (x, value, jacobian))| {
                scope.spawn(move || {
                    if derivatives > 0 {
                        return evaluator.batch(x, value, jacobian, 1);
                    }
                    let rows = x.chunks_exact(inputs).zip(value.chunks_exact_mut(outputs));
                    rows.into_iter()
                        .try_for_each(|(x, y)| evaluator.value(x, y))
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| {
            let result = worker.join();
            result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

impl fmt::Display for Report {
    /// For each row the outputs by name, then the Jacobian with one line an output and one column
    /// an input; numbers are the shortest that read back to the same bits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |x: f64| match self.precision {
            Precision::F32 => format!("{:?}", x as f32),
            Precision::F64 => format!("{x:?}"),
        };
        let names = self.outputs.iter().map(|name| name.chars().count());
        let margin = names.max().unwrap_or(0).max("jacobian".len());
        for (at, row) in self.rows.iter().enumerate() {
            if self.total > 1 {
                writeln!(f, "row {at}")?;
            }
            let values: Vec<_> = row.value.iter().map(|&y| number(y)).collect();
            let wide = values.iter().map(String::len).max().unwrap_or(0);
            for (name, y) in self.outputs.iter().zip(&values) {
                writeln!(f, "{name:margin$}  {y:>wide$}")?;
            }
            let Some(jacobian) = &row.jacobian else {
                continue;
            };
            // Each number is written twice, so that no text of all of them is held.
            let lines = || jacobian.chunks_exact(self.inputs.len());
            let names = self.inputs.iter().map(|name| name.chars().count());
            let mut widths: Vec<_> = names.collect();
            for line in lines() {
                for (wide, &d) in widths.iter_mut().zip(line) {
                    *wide = number(d).len().max(*wide);
                }
            }
            write!(f, "{:margin$}", "jacobian")?;
            for (name, wide) in self.inputs.iter().zip(&widths) {
                write!(f, "  {name:>wide$}")?;
            }
            writeln!(f)?;
            for (name, line) in self.outputs.iter().zip(lines()) {
                write!(f, "{name:margin$}")?;
                for (&d, &wide) in line.iter().zip(&widths) {
                    write!(f, "  {:>wide$}", number(d))?;
                }
                writeln!(f)?;
            }
        }
        if self.total > self.rows.len() {
            let more = self.total - self.rows.len();
            writeln!(
                f,
                "{more} more rows are not shown; --output and --jacobian write all"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_table() {
        let report = Report {
            inputs: vec!["x".to_owned(), "speed".to_owned()],
            outputs: vec!["y".to_owned()],
            precision: Precision::F32,
            rows: vec![Row {
                value: vec![f64::from(0.1_f32)],
                jacobian: Some(vec![1.0, -2.5e-7]),
            }],
            total: 3,
        };
        assert_eq!(
            report.to_string(),
            "row 0\n\
             y         0.1\n\
             jacobian    x    speed\n\
             y         1.0  -2.5e-7\n\
             2 more rows are not shown; --output and --jacobian write all\n"
        );
    }
}
