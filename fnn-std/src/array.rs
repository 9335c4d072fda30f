//! Arrays in and out of files: `.npy` and `.csv`.

mod csv;
pub(crate) mod npy;

use std::{
    fs::File,
    io::{self, Cursor, Read, Write},
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, Result},
    evaluator::Float,
    file::{self, Draft},
    model::{Model, Precision},
};

/// Inputs for a model, one a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    columns: usize,
    /// Row by row. Every number of the file is held exactly.
    numbers: Vec<f64>,
    /// The names of the columns, if the file had them.
    names: Option<Vec<String>>,
}

impl Rows {
    /// Rows of `columns` numbers each, one after the other in `numbers`.
    ///
    /// # Errors
    /// No columns, or numbers that do not fill the last row.
    pub fn new(columns: usize, numbers: Vec<f64>) -> Result<Self> {
        if columns == 0 || !numbers.len().is_multiple_of(columns) {
            return Err(Error::refused(format!(
                "{} numbers do not fill rows of {columns}",
                numbers.len()
            )));
        }
        Ok(Self {
            columns,
            numbers,
            names: None,
        })
    }

    /// All rows of the file at `path`, as [`Reader::open`] takes it.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or holds something else. Never panics, and takes
    /// memory only in proportion to the file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let mut reader = Reader::open(path)?;
        let mut rows = Self {
            columns: reader.columns(),
            numbers: Vec::new(),
            names: reader.names().map(<[_]>::to_vec),
        };
        reader.read(usize::MAX, &mut rows.numbers)?;
        Ok(rows)
    }

    /// The rows in the bytes of a file. As [`read`](Self::read), without the file.
    ///
    /// # Errors
    /// As [`read`](Self::read), without the name of the file.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let file = Cursor::new(bytes);
        let mut numbers = Vec::new();
        let (columns, names) = if npy::recognise(bytes) {
            let mut array = npy::Array::open(file, bytes.len() as u64, None)?;
            array.read(array.rows(), &mut numbers)?;
            (array.columns(), None)
        } else {
            let mut table = csv::Table::open(file)?;
            table.read(table.rows(), &mut numbers)?;
            (table.columns(), table.names().map(<[_]>::to_vec))
        };
        Ok(Self {
            columns,
            numbers,
            names,
        })
    }

    /// The same rows, made sure to be inputs of `model`.
    ///
    /// # Errors
    /// Another number of columns than the model has inputs; names of columns that are not those
    /// of the model's inputs, where both have names.
    pub fn for_model(self, model: &Model) -> Result<Self> {
        check_columns(model, self.len(), self.columns, self.names.as_deref())?;
        Ok(self)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.numbers.len() / self.columns
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The numbers of row `row`, from 0; `None` after the last.
    pub fn get(&self, row: usize) -> Option<&[f64]> {
        self.iter().nth(row)
    }

    /// The rows, one after the other.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.numbers.chunks_exact(self.columns)
    }
}

/// A file of rows that is read by and by, so that the memory is that of the rows asked for and not
/// that of the file.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: Source,
    /// Rows that were read.
    done: usize,
}

#[derive(Debug)]
enum Source {
    Npy(npy::Array<File>),
    Csv(csv::Table<File>),
}

impl Reader {
    /// The rows in the file at `path`: a NumPy array of f32 or f64, in C or Fortran order, of one
    /// dimension (one row) or two, or else a text file with numbers separated by commas, whose
    /// first line may hold names.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or holds something else. Never panics.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_as(path.as_ref(), None)
    }

    /// The rows of what was computed for inputs: of an array in a NumPy file each row is so many
    /// numbers, whatever its shape, so that Jacobians may have the shape [rows, outputs, inputs].
    ///
    /// # Errors
    /// As [`open`](Self::open); and an array whose numbers do not fill the last row.
    pub fn open_results(path: impl AsRef<Path>, columns: usize) -> Result<Self> {
        Self::open_as(path.as_ref(), Some(columns))
    }

    fn open_as(path: &Path, columns: Option<usize>) -> Result<Self> {
        let (mut file, length) = file::open(path)?;
        let is_named_npy = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("npy"));
        let source = begins_as_npy(&mut file)
            .map_err(Error::cannot_read)
            .and_then(|is_npy| {
                if is_named_npy || is_npy {
                    npy::Array::open(file, length, columns).map(Source::Npy)
                } else {
                    csv::Table::open(file).map(Source::Csv)
                }
            });
        Ok(Self {
            path: path.to_owned(),
            file: source.map_err(|e| e.in_file(path))?,
            done: 0,
        })
    }

    /// The same reader, made sure to have inputs of `model`, as [`Rows::for_model`].
    ///
    /// # Errors
    /// As there; the error names the file.
    pub fn for_model(self, model: &Model) -> Result<Self> {
        check_columns(model, self.rows(), self.columns(), self.names())
            .map_err(|e| e.in_file(&self.path))?;
        Ok(self)
    }

    /// How many rows the file has.
    pub fn rows(&self) -> usize {
        match &self.file {
            Source::Npy(array) => array.rows(),
            Source::Csv(table) => table.rows(),
        }
    }

    /// How many numbers a row has.
    pub fn columns(&self) -> usize {
        match &self.file {
            Source::Npy(array) => array.columns(),
            Source::Csv(table) => table.columns(),
        }
    }

    /// The names of the columns, if the file has them.
    pub fn names(&self) -> Option<&[String]> {
        match &self.file {
            Source::Npy(_) => None,
            Source::Csv(table) => table.names(),
        }
    }

    /// The number format of the file, if it says one.
    pub fn precision(&self) -> Option<Precision> {
        match &self.file {
            Source::Npy(array) => Some(array.precision()),
            Source::Csv(_) => None,
        }
    }

    /// Appends the next rows to `numbers`, at most so many, and says how many: none after the last.
    ///
    /// # Errors
    /// A file that cannot be read any more, or in which a field is not a number.
    pub fn read(&mut self, most: usize, numbers: &mut Vec<f64>) -> Result<usize> {
        let rows = most.min(self.rows() - self.done);
        let result = match &mut self.file {
            Source::Npy(array) => array.read(rows, numbers),
            Source::Csv(table) => table.read(rows, numbers),
        };
        result.map_err(|e| e.in_file(&self.path))?;
        self.done += rows;
        Ok(rows)
    }
}

/// Whether the file begins as NumPy's do, whatever it is called.
fn begins_as_npy(file: &mut File) -> io::Result<bool> {
    let mut first = Vec::new();
    file.take(16).read_to_end(&mut first)?;
    Ok(npy::recognise(&first))
}

/// Makes sure that so many rows of so many numbers are inputs of `model`.
fn check_columns(
    model: &Model,
    rows: usize,
    columns: usize,
    names: Option<&[String]>,
) -> Result<()> {
    if columns != model.inputs() {
        let error = Error::refused(format!(
            "found rows of {columns} numbers, wanted {}, one for each input of the model",
            model.inputs()
        ));
        return Err(if rows == 1 && model.inputs() == 1 {
            error
                .with_help("an array of one dimension is one row: save it with the shape [rows, 1]")
        } else {
            error
        });
    }
    if let (Some(found), Some(wanted)) = (names, model.input_names())
        && let Some(at) = found
            .iter()
            .zip(wanted)
            .position(|(found, wanted)| found != wanted)
    {
        return Err(Error::refused(format!(
            "found `{}` as the name of column {at}, wanted the model's input `{}`",
            found[at], wanted[at]
        ))
        .with_help("put the columns into the model's order, or leave their names out"));
    }
    Ok(())
}

/// An array that is written to a file as it is computed, one sample after the other.
#[derive(Debug)]
pub(crate) struct Writer {
    draft: Draft,
    format: Format,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Npy,
    Csv,
}

impl Writer {
    /// Starts an array with the given shape, the number of samples first; the name of the file
    /// says its format. As `.csv` it gets one line for each sample.
    pub(crate) fn new(path: &Path, shape: &[usize], precision: Precision) -> Result<Self> {
        let extension = path.extension().map(|e| e.to_ascii_lowercase());
        let format = match extension.as_ref().and_then(|e| e.to_str()) {
            Some("npy") => Format::Npy,
            Some("csv") => Format::Csv,
            _ => {
                return Err(Error::refused(
                    "the name does not say a format, wanted one that ends in .npy or .csv",
                )
                .in_file(path));
            }
        };
        let mut draft = Draft::new(path)?;
        if let Format::Npy = format {
            let header = npy::header(shape, precision).map_err(|e| e.in_file(path))?;
            draft
                .write_all(&header)
                .map_err(|e| draft.cannot_write(e))?;
        }
        Ok(Self { draft, format })
    }

    /// Whether both write to one file.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.draft.is_same_file(&other.draft)
    }

    /// Writes the numbers of one sample.
    pub(crate) fn write<T: Float>(&mut self, numbers: &[T]) -> Result<()> {
        let written = match self.format {
            Format::Npy => npy::write(&mut self.draft, numbers),
            Format::Csv => csv::write(&mut self.draft, numbers),
        };
        written.map_err(|e| self.draft.cannot_write(e))
    }

    /// Gives the file its name.
    pub(crate) fn finish(self) -> Result<()> {
        self.draft.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.npy", "a.csv"] {
            let path = folder.path().join(name);
            let mut writer = Writer::new(&path, &[2, 3], Precision::F32).unwrap();
            writer.write(&[1.5_f32, -0.0, f32::NAN]).unwrap();
            writer.write(&[f32::INFINITY, 1e-45, 0.1]).unwrap();
            assert!(!path.exists());
            writer.finish().unwrap();
            let rows = Rows::read(&path).unwrap();
            let found: Vec<u64> = rows
                .numbers
                .iter()
                .map(|x| (*x as f32).to_bits().into())
                .collect();
            let expected = [1.5, -0.0, f32::NAN, f32::INFINITY, 1e-45, 0.1];
            assert_eq!(found, expected.map(|x| u64::from(x.to_bits())), "{name}");
            assert_eq!(rows.len(), 2);
        }
    }

    #[test]
    fn other_names_are_refused() {
        let error = Writer::new(Path::new("a.txt"), &[1], Precision::F32).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a.txt`: the name does not say a format, wanted one that ends in .npy or .csv"
        );
    }
}
