//! The order of accumulation of the Jacobian, by name.

use std::{fmt, str::FromStr};

use fnn_core::Shape;

use crate::error::{Error, Result};

/// The order in which the Jacobian is accumulated: `auto`, `forward`, `reverse` or a number of
/// layers.
///
/// The derivatives differ between orders by rounding only; the value does not differ at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The order with the fewest multiply-adds.
    #[default]
    Auto,
    /// From the inputs on.
    Forward,
    /// From the outputs back.
    Reverse,
    /// Forward through this many layers, in reverse through the others.
    Cut(usize),
}

impl Order {
    /// After which layer forward accumulation ends, for `columns` columns of the Jacobian.
    pub(crate) fn cut(self, shape: &Shape<'_>, columns: usize) -> usize {
        match self {
            Self::Auto => shape.best_cut(columns),
            Self::Reverse if shape.has_orders() => 0,
            Self::Cut(cut) if cut < shape.depth() && shape.has_orders() => cut,
            _ => shape.depth(),
        }
    }

    /// # Errors
    /// A cut after more layers than there are.
    pub(crate) fn check(self, shape: &Shape<'_>) -> Result<()> {
        match self {
            Self::Cut(cut) if cut > shape.depth() => Err(Error::refused(format!(
                "the order {cut} is forward through {cut} layers, the model has {}",
                shape.depth()
            ))),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Forward => f.write_str("forward"),
            Self::Reverse => f.write_str("reverse"),
            Self::Cut(cut) => write!(f, "{cut}"),
        }
    }
}

impl FromStr for Order {
    type Err = Error;

    /// # Errors
    /// Anything but `auto`, `forward`, `reverse` and a number of layers.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "forward" => Ok(Self::Forward),
            "reverse" => Ok(Self::Reverse),
            _ => text.parse().map(Self::Cut).map_err(|_| {
                Error::refused(format!(
                    "the order `{text}` is not `auto`, `forward`, `reverse` or a number of layers"
                ))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_parse() {
        assert_eq!("auto".parse::<Order>().unwrap(), Order::Auto);
        assert_eq!("3".parse::<Order>().unwrap(), Order::Cut(3));
        assert_eq!(
            "back".parse::<Order>().unwrap_err().to_string(),
            "the order `back` is not `auto`, `forward`, `reverse` or a number of layers"
        );
        for order in [Order::Auto, Order::Forward, Order::Reverse, Order::Cut(2)] {
            assert_eq!(order.to_string().parse::<Order>().unwrap(), order);
        }
    }
}
