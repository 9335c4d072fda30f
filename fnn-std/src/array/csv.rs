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

impl<R: Read + Seek> Table<R> {
    /// The table in a file, which is read once to know how many rows it has, and again for the
    /// numbers.
    pub(super) fn open(file: R) -> Result<Self> {
        let mut reader = start(file)?;
        let (mut columns, mut rows, mut names) = (0, 0, None);
        let mut record = StringRecord::new();
        while next(&mut reader, &mut record)? {
            if columns == 0 && record.iter().all(is_name) {
                names = Some(record.iter().map(str::to_owned).collect());
            } else {
                rows += 1;
            }
            columns = record.len();
        }
        if columns == 0 {
            return Err(Error::refused("the file is empty, wanted a row of numbers"));
        }
        let mut reader = start(reader.into_inner())?;
        if names.is_some() {
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
                let number = field.parse().map_err(|_| {
                    let line = self.record.position().map_or(0, csv::Position::line);
                    Error::refused(format!("found `{field}` in line {line}, wanted a number"))
                        .with_help("numbers are separated by commas, one input a line")
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
    Ok(ReaderBuilder::new()
        .has_headers(false)
        .trim(Trim::All)
        .from_reader(file))
}

/// Reads the next line into `record`, if there is one.
fn next<R: Read>(reader: &mut Reader<R>, record: &mut StringRecord) -> Result<bool> {
    reader
        .read_record(record)
        .map_err(|e| Error::refused(format!("the text is not a table of numbers: {e}")))
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
        let mut table = Table::open(Cursor::new(bytes))?;
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
        assert_eq!(error(b"1,2\n3,x\n"), "found `x` in line 2, wanted a number");
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
        assert!(error(b"1,2\n3\n").starts_with("the text is not a table of numbers: "));
        assert!(error(b"1,2\n\xff,3\n").starts_with("the text is not a table of numbers: "));
    }
}
