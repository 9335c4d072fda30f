//! NumPy's `.npy`. `ndarray-npy` reads and writes the headers; the numbers behind them are plain
//! bytes.

use std::io::{self, Read, Seek, SeekFrom, Write};

use ndarray_npy::{
    WritableElement,
    npy::header::{Header, Layout},
};

use super::Results;
use crate::{
    error::{Error, Result},
    evaluator::Float,
    model::Precision,
    widen::{each, f16},
};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header that is read, NumPy's own limit: that of a plain array takes some hundred
/// bytes.
const LONGEST_HEADER: usize = 10_000;

/// Brackets within brackets in a header at most: a list of fields has three, with shapes four.
const DEEPEST_HEADER: usize = 4;

/// Numbers of some type, as `f64`, from their bytes.
type Widen = fn(&[u8]) -> Vec<f64>;

pub(crate) fn recognise(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// How many bytes a number takes, and how they are read.
fn numbers_of(header: &Header) -> Result<(usize, Widen)> {
    let descr = header.type_descriptor.to_string();
    Ok(match descr.as_str() {
        "'<f2'" => (2, |data| each(data, |b| f16(u16::from_le_bytes(b)))),
        "'>f2'" => (2, |data| each(data, |b| f16(u16::from_be_bytes(b)))),
        "'<f4'" => (4, |data| each(data, |b| f32::from_le_bytes(b).into())),
        "'>f4'" => (4, |data| each(data, |b| f32::from_be_bytes(b).into())),
        "'<f8'" => (8, |data| each(data, f64::from_le_bytes)),
        "'>f8'" => (8, |data| each(data, f64::from_be_bytes)),
        other => {
            let error = Error::refused(format!(
                "the NumPy array holds numbers of type {other}, wanted float32 or float64"
            ));
            // Of complex numbers that would drop a part, of a table with fields it fails.
            let is_real = matches!(
                other.as_bytes(),
                [b'\'', _, b'i' | b'u' | b'b' | b'f' | b'O', ..]
            );
            return Err(match is_real {
                true => error.with_help("in Python: numpy.save(file, array.astype(\"float64\"))"),
                false => error,
            });
        }
    })
}

/// An array in a file, read by and by.
#[derive(Debug)]
pub(super) struct Array<R> {
    file: R,
    /// Where the numbers begin.
    start: u64,
    rows: usize,
    columns: usize,
    /// Whether column follows column.
    is_fortran: bool,
    /// Bytes of a number.
    size: usize,
    widen: Widen,
    /// The row that is read next.
    next: usize,
    bytes: Vec<u8>,
}

impl<R: Read + Seek> Array<R> {
    /// The array in a file of this length: results of the wanted shape, or else inputs.
    pub(super) fn open(mut file: R, length: u64, wanted: Option<Results<'_>>) -> Result<Self> {
        let mut bytes = Vec::new();
        // The magic, the version and the length of the header take twelve bytes at most.
        let most = 12 + LONGEST_HEADER as u64;
        file.rewind()
            .and_then(|()| file.by_ref().take(most).read_to_end(&mut bytes))
            .map_err(Error::cannot_read)?;
        check_header(&bytes, length)?;
        let mut rest = &bytes[..];
        let header = Header::from_reader(&mut rest)
            .map_err(|e| Error::refused(format!("the NumPy array is damaged: {e}")))?;
        let start = (bytes.len() - rest.len()) as u64;

        let (size, widen) = numbers_of(&header)?;
        let is_fortran = header.layout == Layout::Fortran && header.shape.len() > 1;
        let (rows, columns) = match (wanted, &header.shape[..]) {
            (None, &[columns]) => (1, columns),
            (None, &[rows, columns]) => (rows, columns),
            (Some(wanted), shape) => {
                wanted.check(shape)?;
                let (rows, columns) = (wanted.rows, wanted.columns());
                // By columns are read those of tables alone.
                if is_fortran && shape != [rows, columns] {
                    return Err(Error::refused(format!(
                        "the NumPy array of the shape {shape:?} is in Fortran order, wanted C order"
                    ))
                    .with_help("in Python: numpy.save(file, numpy.ascontiguousarray(array))"));
                }
                (rows, columns)
            }
            _ => {
                return Err(Error::refused(format!(
                    "the NumPy array has the shape {:?}, wanted [inputs] or [rows, inputs]",
                    header.shape
                )));
            }
        };
        if columns == 0 {
            return Err(Error::refused(format!(
                "the NumPy array has the shape {:?}, wanted at least one input",
                header.shape
            )));
        }
        let wanted = rows.checked_mul(columns).and_then(|n| n.checked_mul(size));
        if wanted.map(|n| n as u64) != Some(length - start) {
            return Err(Error::refused(format!(
                "the NumPy array is damaged or cut off: the shape {:?} takes {} bytes, {} are there",
                header.shape,
                wanted.map_or_else(|| "too many".to_owned(), |n| n.to_string()),
                length - start
            )));
        }
        Ok(Self {
            file,
            start,
            rows,
            columns,
            is_fortran,
            size,
            widen,
            next: 0,
            bytes,
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn precision(&self) -> Precision {
        match self.size {
            8 => Precision::F64,
            _ => Precision::F32,
        }
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Appends the next rows, which must be there, to `numbers`. Where column follows column the
    /// part of each is sought out, so that the memory is that of the rows asked for in both orders.
    pub(super) fn read(&mut self, rows: usize, numbers: &mut Vec<f64>) -> Result<()> {
        if !self.is_fortran {
            self.numbers(self.next * self.columns, rows * self.columns, numbers)?;
        } else {
            let mut columns = Vec::with_capacity(rows * self.columns);
            for column in 0..self.columns {
                self.numbers(column * self.rows + self.next, rows, &mut columns)?;
            }
            for row in 0..rows {
                numbers.extend(columns.iter().skip(row).step_by(rows));
            }
        }
        self.next += rows;
        Ok(())
    }

    /// Appends so many numbers as they lie in the file, from number `first` on.
    fn numbers(&mut self, first: usize, count: usize, numbers: &mut Vec<f64>) -> Result<()> {
        self.bytes.resize(count * self.size, 0);
        let place = self.start + (first * self.size) as u64;
        self.file
            .seek(SeekFrom::Start(place))
            .and_then(|_| self.file.read_exact(&mut self.bytes))
            .map_err(Error::cannot_read)?;
        numbers.extend((self.widen)(&self.bytes));
        Ok(())
    }
}

/// An array out of a file.
pub(crate) struct Contents {
    pub(crate) shape: Vec<usize>,
    /// The last index runs fastest.
    pub(crate) numbers: Vec<f64>,
    /// The format that holds the numbers.
    pub(crate) precision: Precision,
}

/// The array of floating-point numbers that the file with these bytes holds.
pub(crate) fn array(bytes: &[u8]) -> Result<Contents> {
    check_header(bytes, bytes.len() as u64)?;
    let mut data = bytes;
    let header = Header::from_reader(&mut data)
        .map_err(|e| Error::refused(format!("the NumPy array is damaged: {e}")))?;

    let (size, widen) = numbers_of(&header)?;
    let is_fortran = header.layout == Layout::Fortran;
    let shape = header.shape;
    let wanted = shape
        .iter()
        .try_fold(size, |product, n| product.checked_mul(*n));
    if wanted != Some(data.len()) {
        return Err(Error::refused(format!(
            "the NumPy array is damaged or cut off: the shape {shape:?} takes {} bytes, {} are \
             there",
            wanted.map_or_else(|| "too many".to_owned(), |n| n.to_string()),
            data.len()
        )));
    }
    let mut numbers = widen(data);
    if is_fortran {
        match shape[..] {
            // Without numbers the file decides how many rows are claimed.
            [] | [_] | [_, 0] => {}
            [rows, _] => {
                numbers = (0..rows)
                    .flat_map(|i| numbers.iter().skip(i).step_by(rows).copied())
                    .collect();
            }
            _ => {
                return Err(Error::refused(format!(
                    "the NumPy array has the shape {shape:?} in Fortran order, wanted at most two \
                     dimensions"
                )));
            }
        }
    }
    let precision = if size == 8 {
        Precision::F64
    } else {
        Precision::F32
    };
    Ok(Contents {
        shape,
        numbers,
        precision,
    })
}

/// Refuses headers that would take the library long, much memory or a deep stack to parse.
/// `bytes` are the first ones of a file with `total`.
fn check_header(bytes: &[u8], total: u64) -> Result<()> {
    let damaged = |found: String| Error::refused(format!("the NumPy array is damaged: {found}"));
    if !recognise(bytes) {
        return Err(Error::refused("this is not a NumPy array"));
    }
    let rest = &bytes[MAGIC.len()..];
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u32::from_le_bytes([*a, *b, 0, 0]), rest),
        [(2..), _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
        _ => return Err(damaged("it ends before its header".to_owned())),
    };
    let behind = total - (bytes.len() - rest.len()) as u64;
    let Some(header) = rest
        .get(..length as usize)
        .filter(|header| header.len() <= LONGEST_HEADER)
    else {
        return Err(damaged(format!(
            "its header claims {length} bytes, {behind} are there and {LONGEST_HEADER} allowed"
        )));
    };
    let brackets = header.iter().filter(|c| b"([{".contains(c)).count();
    // The parser takes several times as long for each bracket within another.
    let depths = header.iter().scan(0_usize, |depth, c| {
        match c {
            b'(' | b'[' | b'{' => *depth += 1,
            b')' | b']' | b'}' => *depth = depth.saturating_sub(1),
            _ => {}
        }
        Some(*depth)
    });
    let odd = header.iter().find(|&&c| !c.is_ascii() || c == b'\\');
    if brackets > 32 || depths.max() > Some(DEEPEST_HEADER) || odd.is_some() {
        return Err(damaged(
            "its header is not that of an array of numbers".to_owned(),
        ));
    }
    Ok(())
}

/// The bytes before the numbers, which follow as [`write`] writes them.
pub(super) fn header(shape: &[usize], precision: Precision) -> Result<Vec<u8>> {
    let header = Header {
        type_descriptor: match precision {
            Precision::F32 => f32::type_descriptor(),
            Precision::F64 => f64::type_descriptor(),
        },
        layout: Layout::Standard,
        shape: shape.to_vec(),
    };
    header.to_bytes().map_err(|e| Error::refused(e.to_string()))
}

pub(super) fn write<T: Float>(file: &mut impl Write, numbers: &[T]) -> io::Result<()> {
    for x in numbers {
        match T::PRECISION {
            Precision::F32 => file.write_all(&(x.to_f64() as f32).to_ne_bytes())?,
            Precision::F64 => file.write_all(&x.to_f64().to_ne_bytes())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::array::Rows;

    /// All rows of the file with these bytes.
    fn parse(bytes: &[u8]) -> Result<Rows> {
        parse_in_blocks(bytes, usize::MAX)
    }

    /// The same, read so many rows at a time.
    fn parse_in_blocks(bytes: &[u8], most: usize) -> Result<Rows> {
        let mut array = Array::open(Cursor::new(bytes), bytes.len() as u64, None)?;
        let (mut numbers, mut left) = (Vec::new(), array.rows());
        while left > 0 {
            let block = left.min(most);
            array.read(block, &mut numbers)?;
            left -= block;
        }
        Rows::new(array.columns(), numbers)
    }

    /// A file with this dictionary and these bytes behind it.
    fn file(dictionary: &str, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(dictionary.len() + 1).unwrap().to_le_bytes();
        [MAGIC, &[1, 0], &length, dictionary.as_bytes(), b"\n", data].concat()
    }

    fn array(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        file(
            &format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}"),
            data,
        )
    }

    #[test]
    fn headers_that_take_long_to_parse_are_refused() {
        let error = |dictionary: &str| parse(&file(dictionary, &[])).unwrap_err().to_string();
        let nested = "{    (5,  ".to_owned() + &"[[   (6,      (5,  ".repeat(7);
        assert!(error(&nested).ends_with("its header is not that of an array of numbers"));
        let fields = "{'descr': [('x', '<f8', (2, 2)), ('y', '<f4')], 'fortran_order': False, \
                      'shape': (3,), }";
        assert!(error(fields).contains("wanted float32 or float64"));
    }

    #[test]
    fn both_orders_formats_and_endiannesses() {
        let expected = Rows::new(2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let (c, f) = (
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            [1.0, 3.0, 5.0, 2.0, 4.0, 6.0],
        );
        for (order, numbers) in [("False", c), ("True", f)] {
            let shape = "(3, 2)";
            let f32s = numbers.map(|x| x as f32);
            for bytes in [
                array("<f4", order, shape, &f32s.map(f32::to_le_bytes).concat()),
                array(">f4", order, shape, &f32s.map(f32::to_be_bytes).concat()),
                array("<f8", order, shape, &numbers.map(f64::to_le_bytes).concat()),
                array(">f8", order, shape, &numbers.map(f64::to_be_bytes).concat()),
            ] {
                assert_eq!(parse(&bytes).unwrap(), expected);
                for most in 1..4 {
                    assert_eq!(parse_in_blocks(&bytes, most).unwrap(), expected);
                }
            }
        }
        let one = array(
            "<f8",
            "True",
            "(2,)",
            &[1.0f64, 2.0].map(f64::to_le_bytes).concat(),
        );
        assert_eq!(parse(&one).unwrap(), Rows::new(2, vec![1.0, 2.0]).unwrap());
        let none = parse(&array("<f8", "False", "(0, 3)", &[])).unwrap();
        assert_eq!(none.iter().len(), 0);
    }

    #[test]
    fn others_are_refused() {
        let error = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
        assert_eq!(
            error(&array("<i8", "False", "(1,)", &[0; 8])),
            "the NumPy array holds numbers of type '<i8', wanted float32 or float64"
        );
        assert_eq!(
            error(&array("<f4", "False", "(1, 1, 1)", &[0; 4])),
            "the NumPy array has the shape [1, 1, 1], wanted [inputs] or [rows, inputs]"
        );
        assert_eq!(
            error(&array("<f4", "False", "(3, 0)", &[])),
            "the NumPy array has the shape [3, 0], wanted at least one input"
        );
        assert_eq!(
            error(&array("<f4", "False", "(4294967296, 4294967296)", &[])),
            "the NumPy array is damaged or cut off: the shape [4294967296, 4294967296] takes too \
             many bytes, 0 are there"
        );
        assert_eq!(
            error(&array("<f4", "False", "(2, 2)", &[0; 15])),
            "the NumPy array is damaged or cut off: the shape [2, 2] takes 16 bytes, 15 are there"
        );
        assert_eq!(error(b"1,2,3"), "this is not a NumPy array");
        let claim = [MAGIC, &[2, 0, 0xff, 0xff, 0xff, 0xff, b'{']].concat();
        assert_eq!(
            error(&claim),
            "the NumPy array is damaged: its header claims 4294967295 bytes, 1 are there and \
             10000 allowed"
        );
        for dictionary in [
            "(".repeat(9000),
            "[".repeat(9000),
            "{".repeat(9000),
            "9".repeat(9000),
        ] {
            error(&file(&dictionary, &[]));
        }
    }

    #[test]
    fn no_damage_panics() {
        let bytes = array("<f4", "False", "(2, 2)", &[0; 16]);
        parse(&bytes).unwrap();
        for length in 0..bytes.len() {
            parse(&bytes[..length]).unwrap_err();
        }
        for at in 0..bytes.len() {
            for with in 0..=255 {
                let mut damaged = bytes.clone();
                damaged[at] = with;
                let _ = parse(&damaged);
            }
        }
    }
}
