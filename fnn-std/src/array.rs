//! Arrays in and out of files: `.npy` and `.csv`.

mod csv;
pub(crate) mod npy;

use std::{
    collections::HashSet,
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
        Self::read_with(path, None)
    }

    /// As [`read`](Self::read), told whether the first line is a header, as
    /// [`Reader::open_with`] takes it.
    ///
    /// # Errors
    /// As there.
    pub fn read_with(path: impl AsRef<Path>, header: Option<bool>) -> Result<Self> {
        let mut reader = Reader::open_with(path, header)?;
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
            let mut table = csv::Table::open(file, csv::Known::Header(None))?;
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
    /// of the model's inputs, where both have names. Names that count entries, `x[0]`, `x[1]` and so
    /// on, which importers make up, are no names that columns must have.
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
    /// A file that cannot be read, is damaged, or holds something else; a first line like `0,1,2`,
    /// which may number the columns or be a row. Never panics.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, None)
    }

    /// As [`open`](Self::open), told whether the first line of a text file is a header and no row:
    /// names, or numbers of the columns, which are left aside.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for what is told.
    pub fn open_with(path: impl AsRef<Path>, header: Option<bool>) -> Result<Self> {
        Self::open_as(path.as_ref(), header, None)
    }

    /// What was computed for so many rows of inputs, an array of the shape `row` for each: `[outputs]`,
    /// or of a Jacobian `[outputs, inputs]`, whose numbers may also lie in one axis. A single row may
    /// be without the axis of rows, and single outputs without that of outputs. No other shape is
    /// taken, since its numbers would be those of other places. `names` are those of the outputs, where
    /// they are known, and are compared with a header as [`Rows::for_model`] does for inputs.
    ///
    /// # Errors
    /// As [`open`](Self::open); and an array of another shape, or one with other names.
    pub fn open_results(
        path: impl AsRef<Path>,
        rows: usize,
        row: &[usize],
        names: Option<&[String]>,
    ) -> Result<Self> {
        Self::open_as(path.as_ref(), None, Some(Results { rows, row, names }))
    }

    fn open_as(path: &Path, header: Option<bool>, wanted: Option<Results<'_>>) -> Result<Self> {
        let (mut file, length) = file::open(path)?;
        let is_named_npy = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("npy"));
        let source = begins_as_npy(&mut file)
            .map_err(Error::cannot_read)
            .and_then(|is_npy| {
                if is_named_npy || is_npy {
                    npy::Array::open(file, length, wanted).map(Source::Npy)
                } else {
                    let known =
                        wanted.map(|wanted| csv::Known::Shape(wanted.rows, wanted.columns()));
                    let table =
                        csv::Table::open(file, known.unwrap_or(csv::Known::Header(header)))?;
                    if let Some(wanted) = wanted {
                        wanted.check_table(table.rows(), table.columns())?;
                        check_names("output", table.names(), wanted.names)?;
                    }
                    Ok(Source::Csv(table))
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

/// The shape that what was computed must have.
#[derive(Debug, Clone, Copy)]
struct Results<'r> {
    rows: usize,
    /// That of each row: [outputs], or [outputs, inputs].
    row: &'r [usize],
    names: Option<&'r [String]>,
}

impl Results<'_> {
    /// How many numbers a row has.
    fn columns(&self) -> usize {
        self.row.iter().fold(1, |n, &k| n.saturating_mul(k))
    }

    /// Refuses arrays of another shape, even if they have as many numbers.
    fn check(&self, found: &[usize]) -> Result<()> {
        let (rows, columns) = (self.rows, self.columns());
        let wanted = [&[rows], self.row].concat();
        let is_single = rows == 1 && (found == self.row || found == [columns]);
        let is_column = self.row == [1] && found == [rows];
        if found == wanted || found == [rows, columns] || is_single || is_column {
            return Ok(());
        }
        let axes = match self.row {
            [_] => "rows, outputs",
            _ => "rows, outputs, inputs",
        };
        Err(self.other_shape(found, &wanted, axes))
    }

    /// The same for text, which has a row in each line.
    fn check_table(&self, rows: usize, columns: usize) -> Result<()> {
        let (found, wanted) = ([rows, columns], [self.rows, self.columns()]);
        if found == wanted {
            return Ok(());
        }
        let axes = match self.row {
            [_] => "rows, outputs",
            _ => "rows, outputs · inputs",
        };
        Err(self.other_shape(&found, &wanted, axes))
    }

    fn other_shape(&self, found: &[usize], wanted: &[usize], axes: &str) -> Error {
        let error = Error::refused(format!(
            "found the shape {found:?}, wanted {wanted:?}: {axes}"
        ));
        let rows = self.rows;
        let instead = match *self.row {
            _ if found == [self.columns(), rows] => "array.T",
            [outputs, inputs] if found == [rows, inputs, outputs] => "array.swapaxes(1, 2)",
            // NumPy would save the plain transpose in Fortran order.
            [outputs, inputs] if rows == 1 && found == [inputs, outputs] => "array.T.copy()",
            _ => return error,
        };
        error.with_help(format!(
            "this is the transpose: in Python, save {instead} instead"
        ))
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
        } else if rows == model.inputs() {
            error.with_help(format!(
                "the shape [{rows}, {columns}] looks transposed: in Python, save array.T instead"
            ))
        } else {
            error
        });
    }
    check_names("input", names, model.input_names())
}

/// Makes sure that a header does not say that the columns are others than the model's inputs or
/// outputs, which `what` says.
///
/// A name that the model states must be in the header. One that only counts the entries of a tensor,
/// which the program made up or might have, need not; but it may not be at another's place.
fn check_names(what: &str, found: Option<&[String]>, wanted: Option<&[String]>) -> Result<()> {
    let (Some(found), Some(wanted)) = (found, wanted) else {
        return Ok(());
    };
    let known: HashSet<&String> = wanted.iter().collect();
    // Numbers of columns are no names, unless the model states such.
    let is_number = |name: &String| name.parse::<f64>().is_ok();
    if found
        .iter()
        .all(|name| is_number(name) && !known.contains(name))
    {
        return Ok(());
    }
    let is_wrong = |at: usize| {
        found[at] != wanted[at] && (!is_counted(wanted, at) || known.contains(&found[at]))
    };
    let Some(at) = (0..found.len().min(wanted.len())).find(|&at| is_wrong(at)) else {
        return Ok(());
    };
    let error = Error::refused(format!(
        "found `{}` as the name of column {at}, wanted the model's {what} `{}`",
        found[at], wanted[at]
    ));
    let order = csv::beginning(wanted.iter().map(String::as_str));
    let error = error.with_help(format!("the columns in the model's order: {order}"));
    Err(match known.contains(&found[at]) {
        true => error,
        false => error.with_help("if they are in this order, remove the line of names"),
    })
}

/// Whether name `at` only counts the entries of a tensor, `x[0]`, `x[1]` and so on, as importers do
/// where a file names no entries.
fn is_counted(names: &[String], at: usize) -> bool {
    let split = |name: &str| -> Option<(String, usize)> {
        let (tensor, number) = name.strip_suffix(']')?.rsplit_once('[')?;
        Some((tensor.to_owned(), number.parse().ok()?))
    };
    let Some((tensor, number)) = split(&names[at]) else {
        return false;
    };
    let Some(first) = at.checked_sub(number) else {
        return false;
    };
    let has = |k: usize| {
        names
            .get(first + k)
            .is_some_and(|name| *name == format!("{tensor}[{k}]"))
    };
    // A tensor of a single entry gives it its name as it is.
    (0..=number).all(has) && (number > 0 || has(1))
}

/// An array that is written to a file as it is computed, one sample after the other.
#[derive(Debug)]
pub(crate) struct Writer {
    draft: Draft,
    format: Format,
}

/// What the name of an array's file may end in.
pub(crate) const ENDINGS: &[&str] = &["npy", "csv"];

#[derive(Debug, Clone, Copy)]
enum Format {
    Npy,
    Csv,
}

impl Writer {
    /// Starts an array with the given shape, the number of samples first; the name of the file
    /// says its format. As `.csv` it gets one line for each sample.
    pub(crate) fn new(path: &Path, shape: &[usize], precision: Precision) -> Result<Self> {
        let format = match file::ending(path, ENDINGS)? {
            "npy" => Format::Npy,
            _ => Format::Csv,
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
    fn results_are_never_regrouped() {
        let folder = tempfile::tempdir().unwrap();
        let open = |shape: &[usize], rows, row: &[usize]| {
            let path = folder.path().join("a.npy");
            let mut writer = Writer::new(&path, shape, Precision::F64).unwrap();
            let numbers: Vec<f64> = (0..shape.iter().product()).map(|n| n as f64).collect();
            writer.write(&numbers).unwrap();
            writer.finish().unwrap();
            Reader::open_results(&path, rows, row, None)
        };
        let error = |shape: &[usize], rows, row: &[usize]| {
            let error = open(shape, rows, row).unwrap_err();
            let line = error.to_string();
            let help: Vec<&str> = error.help().collect();
            (line.split_once(": ").unwrap().1.to_owned(), help.concat())
        };
        let accepted: [(&[usize], usize, &[usize]); 9] = [
            (&[200, 3], 200, &[3]),
            (&[200, 1], 200, &[1]),
            (&[200], 200, &[1]),
            (&[3], 1, &[3]),
            (&[200, 3, 4], 200, &[3, 4]),
            (&[200, 12], 200, &[3, 4]),
            (&[1, 3, 4], 1, &[3, 4]),
            (&[3, 4], 1, &[3, 4]),
            (&[12], 1, &[3, 4]),
        ];
        for (shape, rows, row) in accepted {
            let mut reader = open(shape, rows, row).unwrap();
            let columns = row.iter().product();
            assert_eq!((reader.rows(), reader.columns()), (rows, columns));
            let mut numbers = Vec::new();
            assert_eq!(reader.read(usize::MAX, &mut numbers).unwrap(), rows);
            assert!(numbers.iter().enumerate().all(|(at, &x)| x == at as f64));
        }

        let wanted =
            |found: &str| format!("found the shape {found}, wanted [200, 3]: rows, outputs");
        let instead = |what: &str| format!("this is the transpose: in Python, save {what} instead");
        assert_eq!(
            error(&[200, 2], 200, &[3]),
            (wanted("[200, 2]"), String::new())
        );
        assert_eq!(error(&[600], 200, &[3]), (wanted("[600]"), String::new()));
        assert_eq!(
            error(&[100, 6], 200, &[3]),
            (wanted("[100, 6]"), String::new())
        );
        assert_eq!(
            error(&[3, 200], 200, &[3]),
            (wanted("[3, 200]"), instead("array.T"))
        );
        let wanted = |found: &str| {
            format!("found the shape {found}, wanted [200, 3, 4]: rows, outputs, inputs")
        };
        let of_jacobian = |shape: &[usize]| error(shape, 200, &[3, 4]);
        assert_eq!(
            of_jacobian(&[200, 4, 3]),
            (wanted("[200, 4, 3]"), instead("array.swapaxes(1, 2)"))
        );
        assert_eq!(
            of_jacobian(&[12, 200]),
            (wanted("[12, 200]"), instead("array.T"))
        );
        for shape in [&[3, 200, 4][..], &[200, 3], &[2400], &[200, 3, 2, 2]] {
            assert_eq!(
                of_jacobian(shape),
                (wanted(&format!("{shape:?}")), String::new())
            );
        }
        assert_eq!(error(&[4, 3], 1, &[3, 4]).1, instead("array.T.copy()"));

        let path = folder.path().join("a.csv");
        std::fs::write(&path, "1,2\n3,4\n5,6\n").unwrap();
        let error = Reader::open_results(&path, 2, &[1, 3], None).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("found the shape [3, 2], wanted [2, 3]: rows, outputs · inputs")
        );
        assert_eq!(error.help().collect::<Vec<_>>(), [instead("array.T")]);
    }

    #[test]
    fn names_that_only_count_are_not_asked_for() {
        let check = |found: &str, wanted: &str| {
            let list = |names: &str| names.split(',').map(str::to_owned).collect::<Vec<_>>();
            check_names("input", Some(&list(found)), Some(&list(wanted)))
                .map_err(|e| format!("{e}; {}", e.help().collect::<Vec<_>>().join("; ")))
        };
        let model = "x[0],x[1],u,v[0],v[1]";
        check(model, model).unwrap();
        check("px,py,u,vx,vy", model).unwrap();
        check("px,x[1],u,v[0],vy", model).unwrap();
        assert_eq!(
            check("px,py,w,vx,vy", model).unwrap_err(),
            "found `w` as the name of column 2, wanted the model's input `u`; the columns in the \
             model's order: x[0],x[1],u,v[0],v[1]; if they are in this order, remove the line of names"
        );
        // Numbers of columns are no names, unless the model has such.
        check("0,1,2,3,4", model).unwrap();
        check("0,1", "0,1").unwrap();
        assert!(check("1,0", "0,1").is_err());
        assert!(check("0,2", "0,1").is_err());
        // In another order, whatever made the names.
        for found in [
            "u,px,py,vx,vy",
            "x[1],x[0],u,v[0],v[1]",
            "px,x[0],u,v[0],v[1]",
        ] {
            let error = check(found, model).unwrap_err();
            assert!(!error.contains("remove"), "{error}");
        }
        // Of these nothing is a count that an importer makes up.
        for model in [
            "x[1],x[0]",
            "x[0],y[0]",
            "x[0],x[2]",
            "x[0],x[01]",
            "x[0],x[1",
        ] {
            assert!(check("a,b", model).is_err(), "{model}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        let error = Writer::new(Path::new("a.txt"), &[1], Precision::F32).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a.txt`: found a name that ends in `.txt`, wanted one that ends in .npy or .csv"
        );
    }
}
