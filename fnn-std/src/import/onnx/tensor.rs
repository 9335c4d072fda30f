//! Constant tensors of a graph: read from the file, or from another beside it, and calculated with.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Component, Path},
    rc::Rc,
};

use super::{
    super::expression::Budget,
    graph::distinct,
    proto,
    view::{Sizes, View, common, count, without},
};
use crate::{
    error::{Error, Result},
    widen::{bf16, f16},
};

/// What the numbers of a tensor are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    F32,
    F64,
    F16,
    Bf16,
    /// One of those above, of which the file's numbers are calculated with in f64.
    Widened,
    /// Any integers, and truth values as 0 and 1.
    Integer,
}

impl Format {
    /// That of a data type by its number in the file.
    pub(super) fn of(data_type: i32) -> Option<Self> {
        match data_type {
            1 => Some(Self::F32),
            11 => Some(Self::F64),
            10 => Some(Self::F16),
            16 => Some(Self::Bf16),
            2..=7 | 9 | 12 | 13 => Some(Self::Integer),
            _ => None,
        }
    }

    /// The number of this format that is nearest.
    pub(super) fn round(self, number: f64) -> f64 {
        match self {
            Self::F64 | Self::Widened => number,
            Self::F32 => f64::from(number as f32),
            Self::F16 => nearest(number, 10, -14),
            Self::Bf16 => nearest(number, 7, -126),
            Self::Integer => number.trunc(),
        }
    }

    /// That of the result of a calculation with both.
    pub(super) fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Integer, other) => other,
            (own, Self::Integer) => own,
            (own, other) if own == other => own,
            (Self::F64, _) | (_, Self::F64) => Self::F64,
            (Self::Widened, _) | (_, Self::Widened) => Self::Widened,
            _ => Self::F32,
        }
    }

    /// The same for calculations in f64: nothing that is made of such numbers is rounded.
    pub(super) fn widened(self) -> Self {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => Self::Widened,
            other => other,
        }
    }
}

/// The nearest number with so many bits after the first, even ones where two are as near.
fn nearest(number: f64, bits: i32, smallest: i32) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return number;
    }
    // The exponent of the last bit that is kept; of an f64 below the normal ones it does not matter.
    let exponent = (((number.to_bits() >> 52) & 0x7ff) as i32 - 1023).max(smallest);
    let unit = 2.0_f64.powi(exponent - bits);
    (number / unit).round_ties_even() * unit
}

/// A constant. In a tensor of integers a NaN stands for the number of rows, which the shape of a
/// value holds and no file knows.
#[derive(Debug, Clone)]
pub(super) struct Constant {
    pub(super) name: Rc<str>,
    pub(super) sizes: Sizes,
    pub(super) format: Format,
    pub(super) numbers: Rc<[f64]>,
}

impl Constant {
    pub(super) fn new(
        name: &str,
        sizes: Sizes,
        format: Format,
        numbers: impl IntoIterator<Item = f64>,
    ) -> Self {
        Self {
            name: name.into(),
            sizes,
            format,
            numbers: numbers.into_iter().collect(),
        }
    }

    /// The tensor in the file, or in one beside it in `folder`.
    pub(super) fn read(tensor: &proto::Tensor, folder: Option<&Path>) -> Result<Self> {
        let name = &tensor.name;
        let refused = |found: String| Error::refused(format!("the tensor `{name}` {found}"));
        let format = Format::of(tensor.data_type).ok_or_else(|| {
            refused(format!(
                "has the data type {}, wanted float, double, float16, bfloat16 or an integer",
                tensor.data_type
            ))
        })?;
        let sizes = tensor.dims.iter().map(|&size| usize::try_from(size));
        let sizes: Sizes = sizes
            .collect::<std::result::Result<_, _>>()
            .map_err(|_| refused(format!("has the shape {:?}", tensor.dims)))?;
        let wanted = count(&sizes).map_err(|e| refused(format!("is {e}")))?;
        if tensor.segment.is_some() {
            return Err(refused(
                "is stored in segments, which is not supported".to_owned(),
            ));
        }
        let width = match tensor.data_type {
            2 | 3 | 9 => 1,
            4 | 5 | 10 | 16 => 2,
            1 | 6 | 12 => 4,
            _ => 8,
        };
        let fits = |found: usize, unit: &str| {
            if found == wanted {
                Ok(())
            } else {
                Err(refused(format!(
                    "has the shape {sizes:?}, {wanted} numbers, but {found} {unit}"
                )))
            }
        };
        let lists = [
            tensor.raw_data.len(),
            tensor.float_data.len(),
            tensor.double_data.len(),
            tensor.int32_data.len(),
            tensor.int64_data.len(),
            tensor.uint64_data.len(),
            usize::from(tensor.data_location == 1),
        ];
        if lists.iter().filter(|&&length| length > 0).count() > 1 {
            return Err(refused("holds its numbers twice".to_owned()));
        }
        let numbers: Rc<[f64]> = if tensor.data_location == 1 {
            let bytes = external(tensor, wanted * width, folder).map_err(|e| {
                e.in_sentence(|e| format!("the tensor `{name}` is in another file: {e}"))
            })?;
            from_bytes(tensor.data_type, &bytes)
        } else if !tensor.raw_data.is_empty() {
            let found = tensor.raw_data.len();
            if !found.is_multiple_of(width) {
                return Err(refused(format!("holds {found} bytes, {width} a number")));
            }
            fits(found / width, "are there")?;
            from_bytes(tensor.data_type, &tensor.raw_data)
        } else {
            match tensor.data_type {
                1 => {
                    fits(tensor.float_data.len(), "are there")?;
                    tensor.float_data.iter().map(|&x| f64::from(x)).collect()
                }
                11 => {
                    fits(tensor.double_data.len(), "are there")?;
                    tensor.double_data.iter().copied().collect()
                }
                7 => {
                    fits(tensor.int64_data.len(), "are there")?;
                    tensor.int64_data.iter().map(|&x| x as f64).collect()
                }
                12 | 13 => {
                    fits(tensor.uint64_data.len(), "are there")?;
                    tensor.uint64_data.iter().map(|&x| x as f64).collect()
                }
                _ => {
                    fits(tensor.int32_data.len(), "are there")?;
                    let of_bits = |x: i32| match tensor.data_type {
                        10 => f16(x as u16),
                        16 => bf16(x as u16),
                        _ => f64::from(x),
                    };
                    tensor.int32_data.iter().map(|&x| of_bits(x)).collect()
                }
            }
        };
        Ok(Self {
            name: name.as_str().into(),
            sizes,
            format,
            numbers,
        })
    }

    /// The one number of a tensor that holds one.
    pub(super) fn scalar(&self) -> Option<f64> {
        match *self.numbers {
            [number] => Some(number),
            _ => None,
        }
    }

    /// Its numbers as integers, none of which stands for the number of rows.
    pub(super) fn integers(&self) -> Result<Vec<i64>> {
        if self.numbers.iter().any(|x| x.is_nan()) {
            return Err(Error::refused(
                "a number that depends on how many rows there are",
            ));
        }
        // What is out of range becomes the nearest i64, which is what the end of a slice means.
        Ok(self.numbers.iter().map(|&x| x as i64).collect())
    }

    /// The same numbers with other sizes, as many.
    pub(super) fn reshaped(&self, sizes: Sizes) -> Result<Self> {
        if count(&sizes)? != self.numbers.len() {
            return Err(Error::refused(format!(
                "the constant `{}` of the shape {:?} cannot take the shape {sizes:?}",
                self.name, self.sizes
            )));
        }
        Ok(Self {
            sizes,
            ..self.clone()
        })
    }

    /// The sums or the means along some of its axes, rounded to the format.
    pub(super) fn reduced(
        &self,
        is_mean: bool,
        axes: &[usize],
        keep: bool,
        budget: &Budget,
    ) -> Result<Self> {
        let mut sizes = self.sizes.clone();
        axes.iter().for_each(|&a| sizes[a] = 1);
        let outputs = count(&sizes)?;
        budget.take(outputs)?;
        budget.spend(self.numbers.len())?;
        let mut numbers = vec![0.0; outputs];
        // Seen with strides of zero along what is added, each number has its sum.
        let sums = View::whole(&sizes).broadcast(&self.sizes)?;
        for (x, i) in self.numbers.iter().zip(sums.places()) {
            numbers[i] += x;
        }
        let each = (self.numbers.len() / outputs.max(1)) as f64;
        let rounded = |sum: f64| self.format.round(if is_mean { sum / each } else { sum });
        if !keep {
            sizes = without(&sizes, axes);
        }
        Ok(Self {
            name: self.name.clone(),
            sizes,
            format: self.format,
            numbers: numbers.into_iter().map(rounded).collect(),
        })
    }

    /// What a view shows of it.
    pub(super) fn viewed(&self, view: &View, budget: &Budget) -> Result<Self> {
        if *view == View::whole(&self.sizes) {
            return Ok(self.clone());
        }
        budget.take(count(&view.sizes)?)?;
        Ok(Self {
            sizes: view.sizes.clone(),
            numbers: view.places().map(|place| self.numbers[place]).collect(),
            ..self.clone()
        })
    }

    /// The same with each number put through `f` and rounded to the format.
    pub(super) fn map(&self, budget: &Budget, f: impl Fn(f64) -> f64) -> Result<Self> {
        budget.take(self.numbers.len())?;
        let numbers = self.numbers.iter().map(|&x| self.format.round(f(x)));
        Ok(Self {
            numbers: numbers.collect(),
            ..self.clone()
        })
    }

    /// Both together, number by number, repeated where one has size 1.
    pub(super) fn zip(
        &self,
        other: &Self,
        budget: &Budget,
        f: impl Fn(f64, f64) -> f64,
    ) -> Result<Self> {
        let sizes = common(&self.sizes, &other.sizes)?;
        budget.take(count(&sizes)?)?;
        let format = self.format.join(other.format);
        let of = |c: &Self| View::whole(&c.sizes).broadcast(&sizes);
        let (a, b) = (of(self)?, of(other)?);
        let pairs = a.places().zip(b.places());
        let numbers = pairs
            .map(|(a, b)| format.round(f(self.numbers[a], other.numbers[b])))
            .collect();
        Ok(Self {
            name: if self.numbers.len() < other.numbers.len() {
                other.name.clone()
            } else {
                self.name.clone()
            },
            sizes,
            format,
            numbers,
        })
    }
}

/// Little-endian numbers of a data type.
fn from_bytes(data_type: i32, bytes: &[u8]) -> Rc<[f64]> {
    macro_rules! each {
        ($type:ty, $f:expr) => {{
            let (items, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
            items
                .iter()
                .map(|item| $f(<$type>::from_le_bytes(*item)))
                .collect()
        }};
    }
    match data_type {
        1 => each!(f32, f64::from),
        11 => each!(f64, |x| x),
        10 => each!(u16, f16),
        16 => each!(u16, bf16),
        2 | 9 => each!(u8, f64::from),
        3 => each!(i8, f64::from),
        4 => each!(u16, f64::from),
        5 => each!(i16, f64::from),
        6 => each!(i32, f64::from),
        12 => each!(u32, f64::from),
        13 => each!(u64, |x| x as f64),
        _ => each!(i64, |x| x as f64),
    }
}

/// The bytes of a tensor in a file beside the model. Only one inside the model's folder is read,
/// wherever links lead.
fn external(tensor: &proto::Tensor, wanted: usize, folder: Option<&Path>) -> Result<Vec<u8>> {
    let keys = tensor.external_data.iter().map(|entry| &*entry.key);
    distinct(keys, |key| format!("its {key} is stated twice"))?;
    let entry = |key: &str| {
        let found = tensor.external_data.iter().find(|entry| entry.key == key);
        found.map(|entry| entry.value.as_str())
    };
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| {
            Error::refused(format!("its {key} is `{text}`, wanted a number of bytes"))
        }),
    };
    let location =
        entry("location").ok_or_else(|| Error::refused("the name of the file is missing"))?;
    let path = Path::new(location);
    let is_inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !is_inside || location.is_empty() || location.contains('\0') {
        return Err(Error::refused(format!(
            "`{location}` is not inside the model's folder"
        )));
    }
    let Some(folder) = folder else {
        return Err(Error::refused(format!(
            "`{location}`, but the model came without its folder"
        ))
        .with_help("read the model from its file: fnn_std::import::read(path)"));
    };
    let beside = folder.join(path);
    let cannot = |e| Error::system("read", &beside, e);
    let real = beside.canonicalize().map_err(cannot)?;
    if !real.starts_with(folder.canonicalize().map_err(cannot)?) {
        return Err(Error::refused(format!(
            "`{location}` is a link out of the model's folder"
        )));
    }
    let metadata = real.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        return Err(Error::refused(format!(
            "`{location}` is not a regular file"
        )));
    }
    let offset = number("offset")?.unwrap_or(0);
    let available = metadata.len().saturating_sub(offset);
    let length = number("length")?.unwrap_or(wanted as u64);
    if length != wanted as u64 || wanted as u64 > available {
        return Err(Error::refused(format!(
            "{length} bytes from byte {offset} on of `{location}`, which has {}; wanted {wanted}",
            metadata.len()
        )));
    }
    let mut file = File::open(&real).map_err(cannot)?;
    file.seek(SeekFrom::Start(offset)).map_err(cannot)?;
    // As many as are there, as was looked up.
    let mut bytes = Vec::with_capacity(wanted);
    file.take(wanted as u64)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() != wanted {
        return Err(Error::refused(format!(
            "`{location}` ended while it was read"
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_those_of_the_standard() {
        assert_eq!(f16(0x3c00), 1.0);
        assert_eq!(f16(0xc000), -2.0);
        assert_eq!(f16(0x0001), 2.0_f64.powi(-24));
        assert_eq!(f16(0x7bff), 65504.0);
        assert_eq!(f16(0x7c00), f64::INFINITY);
        assert!(f16(0x7c01).is_nan());
        assert_eq!(bf16(0x3f80), 1.0);
        for bits in (0..0x7c00).chain(0x8000..0xfc00) {
            assert_eq!(Format::F16.round(f16(bits)).to_bits(), f16(bits).to_bits());
        }
        assert_eq!(Format::F16.round(1.0 + 2.0_f64.powi(-11)), 1.0);
        assert_eq!(
            Format::F16.round(1.0 + 3.0 * 2.0_f64.powi(-11)),
            1.0 + 2.0_f64.powi(-9)
        );
        assert_eq!(
            Format::Bf16.round(f64::from(0.1_f32)),
            f64::from(f32::from_bits(0x3dcd_0000))
        );
    }
}
