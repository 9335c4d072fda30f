//! A number that counts its additions, for the tests: a multiply-add is one addition, and nothing
//! else in the evaluation of layers with the identity adds.

extern crate std;

use core::{
    cell::Cell,
    fmt,
    ops::{Add, Div, Mul, Neg, Sub},
};

use crate::{
    math::{Exp, Math},
    scalar::Scalar,
};

std::thread_local! {
    static ADDITIONS: Cell<usize> = const { Cell::new(0) };
}

/// The additions of this thread since the last call.
pub(crate) fn additions() -> usize {
    ADDITIONS.replace(0)
}

#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
pub(crate) struct Counted(pub(crate) f64);

impl Add for Counted {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        ADDITIONS.set(ADDITIONS.get() + 1);
        Self(self.0 + other.0)
    }
}

macro_rules! uncounted {
    ($($Operation:ident $operation:ident),*) => { $(
        impl $Operation for Counted {
            type Output = Self;
            fn $operation(self, other: Self) -> Self {
                Self(self.0.$operation(other.0))
            }
        }
    )* };
}
uncounted!(Sub sub, Mul mul, Div div);

impl Neg for Counted {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::LowerExp for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Those of `f64`; an exponential is not evaluated by the identity.
impl Math for Counted {
    const EXP_LOW: Self = Self(f64::EXP_LOW);
    const NORMAL_END: Self = Self(f64::NORMAL_END);
    const GELU_TANH_END: Self = Self(f64::GELU_TANH_END);
    const LAST: Self = Self(<f64 as Math>::LAST);
    const MAX: Self = Self(f64::MAX);

    fn constant(c: f64) -> Self {
        Self(c)
    }

    fn split(c: f64, rest: f64) -> (Self, Self) {
        let (high, low) = f64::split(c, rest);
        (Self(high), Self(low))
    }

    fn abs(self) -> Self {
        Self(self.0.abs())
    }

    fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }

    fn copysign(self, sign: Self) -> Self {
        Self(self.0.copysign(sign.0))
    }

    fn high(self) -> Self {
        Self(self.0.high())
    }

    fn exp_sum(x: Self, tail: Self) -> Exp<Self> {
        let Exp { p, scale } = f64::exp_sum(x.0, tail.0);
        Exp {
            p: Self(p),
            scale: Self(scale),
        }
    }

    fn ln_1p_ratio(u: Self) -> Self {
        Self(f64::ln_1p_ratio(u.0))
    }

    fn ln_cosh_ratio(s: Self) -> Self {
        Self(f64::ln_cosh_ratio(s.0))
    }

    fn tanh_ratio(s: Self) -> Self {
        Self(f64::tanh_ratio(s.0))
    }

    fn normal_tail(a: Self) -> (Self, Self) {
        let (numerator, denominator) = f64::normal_tail(a.0);
        (Self(numerator), Self(denominator))
    }
}

impl Scalar for Counted {
    const NAME: &'static str = "counted";
    const ZERO: Self = Self(0.0);
    const ONE: Self = Self(1.0);

    fn bits(self) -> u64 {
        self.0.to_bits()
    }
}
