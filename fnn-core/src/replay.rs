//! Recorded evaluations, and a network held against them.

use core::fmt;

use nalgebra::{ArrayStorage, Const, SVector};

use crate::{layer::Layer, network::Network, order::Order, scalar::Scalar, workspace::Workspace};

/// An input with the output and the Jacobian that the network gave for it, to the bit.
///
/// Generated modules carry some, so that a device can show at start-up that it computes what the
/// desk computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record<T, const IN: usize, const OUT: usize> {
    /// The input x.
    pub input: [T; IN],
    /// The output y.
    pub value: [T; OUT],
    /// `jacobian[i][j]` = ∂ output i / ∂ input j.
    pub jacobian: [[T; IN]; OUT],
}

/// The first number that [`Network::replay`] found different from its record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mismatch<T> {
    /// Which record, from 0.
    pub record: usize,
    /// Output i.
    pub output: usize,
    /// ∂ output i / ∂ input j; `None` for the value of output i.
    pub input: Option<usize>,
    /// The number in the record.
    pub expected: T,
    /// The number computed.
    pub found: T,
}

impl<T: Scalar> fmt::Display for Mismatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}, output {}", self.record, self.output)?;
        if let Some(input) = self.input {
            write!(f, ", derivative by input {input}")?;
        }
        write!(
            f,
            ": expected {:e} (bits {:#x}), found {:e} (bits {:#x})",
            self.expected,
            self.expected.bits(),
            self.found,
            self.found.bits()
        )
    }
}

impl<T: Scalar> core::error::Error for Mismatch<T> {}

impl<L, O, const IN: usize, const OUT: usize> Network<L, O>
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
    O: Order,
{
    /// Evaluate the input of every record and compare value and Jacobian with it, bit by bit.
    /// Never panics.
    ///
    /// # Errors
    /// The first number with other bits. The sign and the payload of a NaN are not compared.
    pub fn replay<const LEN: usize>(
        &self,
        records: &[Record<L::Scalar, IN, OUT>],
        workspace: &mut Workspace<L::Scalar, LEN>,
    ) -> Result<(), Mismatch<L::Scalar>> {
        for (number, record) in records.iter().enumerate() {
            let x = SVector::from_array_storage(ArrayStorage([record.input]));
            let found = self.evaluate(&x, workspace);
            let ([value], jacobian) = (&found.value.data.0, &found.jacobian.data.0);
            record.compare(number, value, jacobian)?;
        }
        Ok(())
    }
}

impl<T: Scalar, const IN: usize, const OUT: usize> Record<T, IN, OUT> {
    /// Compare a value and the columns of a Jacobian, `columns[j][i]` = ∂ output i / ∂ input j, with
    /// those recorded, bit by bit. A mismatch calls this record `number`, and takes a column that is
    /// missing for zeros. Never panics.
    ///
    /// # Errors
    /// The first number with other bits. The sign and the payload of a NaN are not compared.
    pub fn compare(
        &self,
        number: usize,
        value: &[T; OUT],
        columns: &[[T; OUT]],
    ) -> Result<(), Mismatch<T>> {
        let compare = |output, input, expected, found| match same(expected, found) {
            true => Ok(()),
            false => Err(Mismatch {
                record: number,
                output,
                input,
                expected,
                found,
            }),
        };
        let rows = self.value.iter().zip(value).zip(&self.jacobian);
        for (i, ((&expected, &found), row)) in rows.enumerate() {
            compare(i, None, expected, found)?;
            for (j, &expected) in row.iter().enumerate() {
                let found = columns.get(j).and_then(|column| column.get(i));
                compare(i, Some(j), expected, found.copied().unwrap_or(T::ZERO))?;
            }
        }
        Ok(())
    }
}

/// The same bits, or two NaN.
#[allow(clippy::eq_op, reason = "only a NaN differs from itself")]
fn same<T: Scalar>(a: T, b: T) -> bool {
    a.bits() == b.bits() || (a != a && b != b)
}
