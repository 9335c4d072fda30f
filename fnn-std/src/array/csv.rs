//! Numbers separated by commas, one row a line.

use std::io::{self, Read, Seek, Write};

use csv::{Reader, ReaderBuilder, StringRecord, Trim};

use crate::{
    error::{Error, Result},
    evaluator::Float,
    model::Precision,
};

/// A table in a file, read by and by.
#[derive(Debug)]
pub(super) struct Table<R> {
    reader: Reader<R>,
    names: Option<Vec<String>>,
    rows: usize,
    columns: usize,
    record: StringRecord,
}

/// What is known of the first line of a table before it is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Known {
    /// Whether it is a header, if somebody said so.
    Header(Option<bool>),
    /// How many rows and columns the table has.
    Shape(usize, usize),
}

impl<R: Read + Seek> Table<R> {
    /// The table in a file, which is read once to know how many rows it has, and again for the
    /// numbers.
    ///
    /// Programs write `0,1,2,3` above columns without names, and a row of inputs may be just that.
    /// A first line that may be either is refused unless what is `known` decides.
    pub(super) fn open(file: R, known: Known) -> Result<Self> {
        let mut reader = start(file)?;
        let (mut first, mut record) = (StringRecord::new(), StringRecord::new());
        if !next(&mut reader, &mut first)? {
            return Err(Error::refused("the file is empty, wanted a row of numbers"));
        }
        let (mut lines, mut has_integers) = (1, false);
        while next(&mut reader, &mut record)? {
            lines += 1;
            has_integers = has_integers || record.iter().any(is_integer);
        }
        let (file, quotes) = quotes(reader.into_inner())?;
        let is_quoted = quotes == [Some(true), Some(false)];
        // A line in quotes alone may be numbers as well as names.
        let is_alone = quotes == [Some(true), None];
        let is_header = match known {
            Known::Header(Some(said)) => said,
            _ if has_names(&first) || is_quoted && is_row(&first) => true,
            _ if !(is_alone || may_number_columns(&first, lines > 1 && !has_integers)) => false,
            Known::Shape(rows, columns) => first.len() == columns && lines == rows + 1,
            Known::Header(None) => return Err(undecided(&first)),
        };
        if let Some(at) = first.iter().position(str::is_empty).filter(|_| is_header) {
            return Err(Error::refused(format!(
                "found no name of column {at} in line 1, wanted one of each or no line of names"
            ))
            .with_help("if it is the index of pandas: table.to_csv(file, index=False)"));
        }
        let mut reader = start(file)?;
        let (columns, rows) = (first.len(), lines - usize::from(is_header));
        let names = is_header.then(|| first.iter().map(str::to_owned).collect());
        if is_header {
            next(&mut reader, &mut record)?;
        }
        Ok(Self {
            reader,
            names,
            rows,
            columns,
            record,
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// Appends the next rows, which must be there, to `numbers`.
    pub(super) fn read(&mut self, rows: usize, numbers: &mut Vec<f64>) -> Result<()> {
        for _ in 0..rows {
            if !next(&mut self.reader, &mut self.record)? || self.record.len() != self.columns {
                return Err(Error::refused("the file changed while it was read"));
            }
            for field in &self.record {
                // Digits that no f64 holds are a mistake, `inf` is not.
                let number = field.parse().ok().filter(|x: &f64| {
                    !x.is_infinite() || !field.contains(|c: char| c.is_ascii_digit())
                });
                let number = number.ok_or_else(|| {
                    let line = self.record.position().map_or(0, csv::Position::line);
                    let found = format!("found `{field}` in line {line}, wanted a number");
                    let error = Error::refused(found)
                        .with_help("numbers are separated by commas, one input a line");
                    match line {
                        1 => error.with_help("if this line is a header: --header yes"),
                        _ => error,
                    }
                })?;
                numbers.push(number);
            }
        }
        Ok(())
    }
}

/// A reader at the first line.
fn start<R: Read + Seek>(mut file: R) -> Result<Reader<R>> {
    file.rewind().map_err(Error::cannot_read)?;
    Ok(options().from_reader(file))
}

/// How lines are taken apart.
fn options() -> ReaderBuilder {
    let mut options = ReaderBuilder::new();
    options.has_headers(false).trim(Trim::All);
    options
}

/// Reads the next line into `record`, if there is one.
fn next<R: Read>(reader: &mut Reader<R>, record: &mut StringRecord) -> Result<bool> {
    reader
        .read_record(record)
        .map_err(|e| Error::refused(format!("the text is not a table of numbers: {e}")))
}

/// Whether all fields of the first two lines are in quotes, as far as these are there: programs that
/// quote names do not quote numbers.
fn quotes<R: Read + Seek>(mut file: R) -> Result<(R, [Option<bool>; 2])> {
    file.rewind().map_err(Error::cannot_read)?;
    let mut raw = options().quoting(false).flexible(true).from_reader(file);
    let mut record = StringRecord::new();
    let mut is_quoted = || -> Result<Option<bool>> {
        let is_there = next(&mut raw, &mut record)?;
        Ok(is_there.then(|| record.iter().all(|field| field.starts_with('"'))))
    };
    let quotes = [is_quoted()?, is_quoted()?];
    Ok((raw.into_inner(), quotes))
}

/// Whether a first line holds names, some of which may be missing.
fn has_names(record: &StringRecord) -> bool {
    let mut named = record.iter().filter(|field| !field.is_empty()).peekable();
    named.peek().is_some() && named.all(is_name)
}

/// Whether all fields are numbers.
fn is_row(record: &StringRecord) -> bool {
    record.iter().all(|field| field.parse::<f64>().is_ok())
}

/// Whether a field is written as a whole number, without sign and point.
fn is_integer(field: &str) -> bool {
    !field.is_empty() && field.bytes().all(|b| b.is_ascii_digit())
}

/// Whether the numbers in a first line may be those of columns: they count from 0 or 1, however they
/// are written; or they are different whole numbers `above_fractions` alone, as columns that are picked
/// out of such a count, years or wavelengths are. That a single column begins with `0.0` says nothing.
fn may_number_columns(first: &StringRecord, above_fractions: bool) -> bool {
    let numbers: Option<Vec<f64>> = first.iter().map(|field| field.parse().ok()).collect();
    let Some(numbers) = numbers else {
        return false;
    };
    let counts = |from: usize| numbers.iter().zip(from..).all(|(&x, k)| x == k as f64);
    let are_integers = first.iter().all(is_integer);
    let is_count = (counts(0) || counts(1)) && (are_integers || numbers.len() > 1);
    let mut sorted = numbers.clone();
    sorted.sort_by(f64::total_cmp);
    let differ = numbers.len() > 1 && sorted.is_sorted_by(|a, b| a < b);
    is_count || are_integers && differ && above_fractions
}

/// The first items of a line, separated by commas.
pub(super) fn beginning<'i>(items: impl Iterator<Item = &'i str>) -> String {
    let mut shown: Vec<_> = items.take(SHOWN + 1).collect();
    if let Some(last) = shown.get_mut(SHOWN) {
        *last = "…";
    }
    shown.join(",")
}

/// Items of a line in a message.
const SHOWN: usize = 8;

fn undecided(first: &StringRecord) -> Error {
    Error::refused(format!(
        "found `{}` in line 1, which may number the columns or be a row of inputs, wanted to know which",
        beginning(first.iter())
    ))
    .with_help("if it numbers the columns: --header yes")
    .with_help("if it is a row of inputs: --header no")
}

/// Whether the field of a first line is a name and no number that was mistyped, nor several fields
/// with another separator.
fn is_name(field: &str) -> bool {
    field.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && !field.contains([';', '\t'])
        && field.parse::<f64>().is_err()
}

/// Writes a line with the shortest numbers that read back to the same bits.
pub(super) fn write<T: Float>(file: &mut impl Write, numbers: &[T]) -> io::Result<()> {
    for (at, x) in numbers.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        match T::PRECISION {
            Precision::F32 => write!(file, "{comma}{:?}", x.to_f64() as f32)?,
            Precision::F64 => write!(file, "{comma}{:?}", x.to_f64())?,
        }
    }
    writeln!(file)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// The numbers and the names in the file with these bytes.
    fn parse(bytes: &[u8]) -> Result<(Vec<f64>, Option<Vec<String>>)> {
        parse_as(bytes, Known::Header(None))
    }

    fn parse_as(bytes: &[u8], known: Known) -> Result<(Vec<f64>, Option<Vec<String>>)> {
        let mut table = Table::open(Cursor::new(bytes), known)?;
        let mut numbers = Vec::new();
        // One row at a time.
        for _ in 0..table.rows() {
            table.read(1, &mut numbers)?;
        }
        assert_eq!(numbers.len(), table.rows() * table.columns());
        Ok((numbers, table.names))
    }

    #[test]
    fn numbers_with_and_without_names() {
        let (numbers, names) = parse(b"1, 2.5\n\n -3e-2,nan\n").unwrap();
        assert_eq!(numbers[..3], [1.0, 2.5, -0.03]);
        assert!(numbers[3].is_nan());
        assert_eq!((numbers.len(), names), (4, None));

        let (numbers, names) = parse(b"\xef\xbb\xbfx,\"y\"\r\n1,2\r\n").unwrap();
        assert_eq!(names.unwrap(), ["x", "y"]);
        assert_eq!(numbers, [1.0, 2.0]);
    }

    #[test]
    fn others_are_refused() {
        let error = |text: &[u8]| parse(text).unwrap_err().to_string();
        assert_eq!(error(b""), "the file is empty, wanted a row of numbers");
        assert_eq!(error(b"2,1\n3,x\n"), "found `x` in line 2, wanted a number");
        assert_eq!(
            error(b"0.5x\n1\n"),
            "found `0.5x` in line 1, wanted a number"
        );
        assert_eq!(
            error(b"1;2\n3;4\n"),
            "found `1;2` in line 1, wanted a number"
        );
        assert_eq!(error(b",\n1,2\n"), "found `` in line 1, wanted a number");
        assert_eq!(error(b"1,y\n"), "found `y` in line 1, wanted a number");
        assert_eq!(
            error(b"2,1\n3,1e999\n"),
            "found `1e999` in line 2, wanted a number"
        );
        assert_eq!(
            error(b",x,y\n0,0.5,2\n"),
            "found no name of column 0 in line 1, wanted one of each or no line of names"
        );
        assert!(error(b"2,1\n3\n").starts_with("the text is not a table of numbers: "));
        assert!(error(b"2,1\n\xff,3\n").starts_with("the text is not a table of numbers: "));
    }

    #[test]
    fn numbers_of_columns_are_never_read_as_a_row() {
        for text in [
            "0,1,2,3\n0.1,0.2,0.3,0.4\n1,2,3,4\n",
            "0,1,2\n5,3,2\n",
            "0, 1\r\n0.5,0.25\r\n",
            "1,2,3\n0.5,-1,2\n",
            "0.0,1.0\n0.5,0.25\n",
            "\"0\",\"1\"\n\"0.5\",\"7\"\n",
            "0,1,2\n",
            "0\n0.5\n",
            "1\n0.5\n",
            "\u{feff}0,1\n0.5,7\n",
            // A column was dropped; wavelengths.
            "0,2,3\n0.5,0.25,1.5\n",
            "400,410\n0.5,1e-3\n",
            // Columns were picked, or stand in another order.
            "7,2,5\n0.5,0.25,1.5\n",
            "1,0\n0.5,0.25\n",
            "\"1.5\",\"2.5\"\n",
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(
                error.to_string().contains("may number the columns"),
                "{text}: {error}"
            );
            let help: Vec<_> = error.help().collect();
            assert_eq!(
                help,
                [
                    "if it numbers the columns: --header yes",
                    "if it is a row of inputs: --header no"
                ]
            );
            // Both remedies work, and say different things.
            let lines = text.lines().count();
            for (said, rows) in [(true, lines - 1), (false, lines)] {
                let (numbers, names) =
                    parse_as(text.as_bytes(), Known::Header(Some(said))).unwrap();
                let columns = text.lines().next().unwrap().split(',').count();
                assert_eq!(
                    (numbers.len(), names.is_some()),
                    (rows * columns, said),
                    "{text}"
                );
            }
        }
        assert_eq!(
            parse(b"0,1,2,3,4,5,6,7,8\n").unwrap_err().to_string(),
            "found `0,1,2,3,4,5,6,7,\u{2026}` in line 1, which may number the columns or be a row of inputs, \
             wanted to know which"
        );
    }

    #[test]
    fn rows_that_number_nothing_are_rows() {
        for text in [
            "0,0\n0.5,0.25\n",
            "-1,0\n0.5,0.25\n",
            "0.0\n0.1\n",
            "2\n0.1\n",
            "0,5\n0.1,3\n",
            "0.5,1\n0.1,3.5\n",
            "\"3\",\"1\"\n\"0.5\",\"7\"\n",
        ] {
            let rows = text.lines().count();
            let columns = text.lines().next().unwrap().split(',').count();
            let (numbers, names) = parse(text.as_bytes()).unwrap();
            assert_eq!((numbers.len(), names), (rows * columns, None), "{text}");
        }
    }

    #[test]
    fn what_is_quoted_alone_is_a_header() {
        let (numbers, names) = parse(b"\"3\",\"1\"\n0.5,7\n").unwrap();
        let said = vec!["3".to_owned(), "1".to_owned()];
        assert_eq!((numbers, names), (vec![0.5, 7.0], Some(said)));
    }

    #[test]
    fn so_many_rows_as_are_wanted_decide() {
        let rows = |text: &str, rows| {
            parse_as(text.as_bytes(), Known::Shape(rows, 2))
                .unwrap()
                .0
                .len()
        };
        assert_eq!(rows("0,1\n0.5,7\n", 1), 2);
        assert_eq!(rows("0,1\n0.5,7\n", 2), 4);
        // A row too many is no header.
        assert_eq!(rows("4,1\n0.5,7\n", 1), 4);
    }

    #[test]
    fn a_header_of_any_kind_is_taken_where_it_is_said_to_be_one() {
        let (numbers, names) = parse_as(b"0,target\n1,2\n", Known::Header(Some(true))).unwrap();
        assert_eq!(
            (numbers, names.unwrap()),
            (vec![1.0, 2.0], vec!["0".into(), "target".into()])
        );
        let error = parse(b"0,target\n1,2\n").unwrap_err();
        assert!(
            error
                .help()
                .any(|line| line == "if this line is a header: --header yes")
        );
        let error = parse_as(b"a,b\n1,2\n", Known::Header(Some(false))).unwrap_err();
        assert_eq!(error.to_string(), "found `a` in line 1, wanted a number");
    }
}
