//! Numbers separated by commas, one row a line.

use std::io::{self, Write};

use csv::{ReaderBuilder, StringRecord, Trim};

use super::Rows;
use crate::{
    error::{Error, Result},
    evaluator::Float,
    model::Precision,
};

pub(super) fn parse(bytes: &[u8]) -> Result<Rows> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .trim(Trim::All)
        .from_reader(bytes);
    let (mut columns, mut numbers, mut names) = (0, Vec::new(), None);
    let mut record = StringRecord::new();
    let mut first = true;
    loop {
        let more = reader.read_record(&mut record);
        if !more.map_err(|e| Error::refused(format!("the text is not a table of numbers: {e}")))? {
            break;
        }
        columns = record.len();
        if first && record.iter().all(is_name) {
            names = Some(record.iter().map(str::to_owned).collect());
        } else {
            for field in &record {
                let number = field.parse().map_err(|_| {
                    let line = record.position().map_or(0, csv::Position::line);
                    Error::refused(format!("found `{field}` in line {line}, wanted a number"))
                        .with_help("numbers are separated by commas, one input a line")
                })?;
                numbers.push(number);
            }
        }
        first = false;
    }
    if columns == 0 {
        return Err(Error::refused("the file is empty, wanted a row of numbers"));
    }
    let mut rows = Rows::new(columns, numbers)?;
    rows.names = names;
    Ok(rows)
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
    use super::*;

    #[test]
    fn numbers_with_and_without_names() {
        let rows = parse(b"1, 2.5\n\n -3e-2,nan\n").unwrap();
        assert_eq!(rows.numbers[..3], [1.0, 2.5, -0.03]);
        assert!(rows.numbers[3].is_nan());
        assert_eq!((rows.len(), rows.names), (2, None));

        let rows = parse(b"\xef\xbb\xbfx,\"y\"\r\n1,2\r\n").unwrap();
        assert_eq!(rows.names.unwrap(), ["x", "y"]);
        assert_eq!(rows.numbers, [1.0, 2.0]);
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
