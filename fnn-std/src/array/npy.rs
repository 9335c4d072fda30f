//! NumPy's `.npy`. `ndarray-npy` reads and writes the headers; the numbers behind them are plain
//! bytes.

use std::io::{self, Write};

use ndarray_npy::{
    WritableElement,
    npy::header::{Header, Layout},
};

use super::Rows;
use crate::{
    error::{Error, Result},
    evaluator::Float,
    model::Precision,
};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header that is read, NumPy's own limit: that of a plain array takes some hundred
/// bytes.
const LONGEST_HEADER: usize = 10_000;

/// Numbers of some type, as `f64`, from their bytes.
type Widen = fn(&[u8]) -> Vec<f64>;

pub(super) fn recognise(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

pub(super) fn parse(bytes: &[u8]) -> Result<Rows> {
    check_header(bytes)?;
    let mut data = bytes;
    let header = Header::from_reader(&mut data)
        .map_err(|e| Error::refused(format!("the NumPy array is damaged: {e}")))?;

    let descr = header.type_descriptor.to_string();
    let (size, numbers): (usize, Widen) = match descr.as_str() {
        "'<f4'" => (4, |data| each(data, |b| f32::from_le_bytes(b).into())),
        "'>f4'" => (4, |data| each(data, |b| f32::from_be_bytes(b).into())),
        "'<f8'" => (8, |data| each(data, f64::from_le_bytes)),
        "'>f8'" => (8, |data| each(data, f64::from_be_bytes)),
        other => {
            return Err(Error::refused(format!(
                "the NumPy array holds numbers of type {other}, wanted float32 or float64"
            ))
            .with_help("in Python: numpy.save(file, array.astype(\"float64\"))"));
        }
    };
    let (rows, columns) = match header.shape[..] {
        [columns] => (1, columns),
        [rows, columns] => (rows, columns),
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
    if wanted != Some(data.len()) {
        return Err(Error::refused(format!(
            "the NumPy array is damaged or cut off: the shape {:?} takes {} bytes, {} are there",
            header.shape,
            wanted.map_or_else(|| "too many".to_owned(), |n| n.to_string()),
            data.len()
        )));
    }
    let mut numbers = numbers(data);
    if header.layout == Layout::Fortran {
        numbers = (0..rows)
            .flat_map(|i| numbers.iter().skip(i).step_by(rows).copied())
            .collect();
    }
    Rows::new(columns, numbers)
}

/// Refuses headers that would take the library long, much memory or a deep stack to parse.
fn check_header(bytes: &[u8]) -> Result<()> {
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
    let length = length as usize;
    let Some(header) = rest
        .get(..length)
        .filter(|header| header.len() <= LONGEST_HEADER)
    else {
        return Err(damaged(format!(
            "its header claims {length} bytes, {} are there and {LONGEST_HEADER} allowed",
            rest.len()
        )));
    };
    let brackets = header.iter().filter(|c| b"([{".contains(c)).count();
    let odd = header.iter().find(|&&c| !c.is_ascii() || c == b'\\');
    if brackets > 32 || odd.is_some() {
        return Err(damaged(
            "its header is not that of an array of numbers".to_owned(),
        ));
    }
    Ok(())
}

fn each<const BYTES: usize>(data: &[u8], number: impl Fn([u8; BYTES]) -> f64) -> Vec<f64> {
    data.as_chunks()
        .0
        .iter()
        .map(|&bytes| number(bytes))
        .collect()
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
    use super::*;

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
