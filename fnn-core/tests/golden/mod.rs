//! The activations by name, the golden points in `tests/data`, and errors in units in the last
//! place (ulp): shared by the test `activation` and the example `accuracy`.

use std::any;

use fnn_core::{
    Activation, Clip, Elu, Gelu, GeluTanh, HardSigmoid, HardSwish, LeakyRelu, Mish, Relu, Selu,
    Sigmoid, Silu, Softplus, Softsign, Tanh,
};

/// A function from T to T or to a pair of them.
pub(crate) type Function<T, R> = Box<dyn Fn(T) -> R + Sync>;

/// How many numbers `Subject::block` takes at once.
pub(crate) const BLOCK: usize = 64;

/// The values and the slopes for a block of numbers.
pub(crate) type Block<T> = [[T; BLOCK]; 2];

/// A function for a block of numbers.
pub(crate) type ByBlock<T> = Box<dyn Fn(&[T; BLOCK], &mut Block<T>) + Sync>;

/// One activation in both formats.
#[allow(dead_code, reason = "the example does not use all of them")]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// The type in f64.
    pub(crate) type_name: &'static str,
    pub(crate) single: Function<f32, (f32, f32)>,
    pub(crate) single_value: Function<f32, f32>,
    /// The same as `single` for a block of numbers, in vectors.
    pub(crate) block: ByBlock<f32>,
    pub(crate) double: Function<f64, (f64, f64)>,
    pub(crate) double_value: Function<f64, f64>,
    /// Where the slope falls from its value at 0 through zero to its minimum: inside, two terms
    /// cancel, and the error of the slope counts in the last place of the larger ones, of ½.
    pub(crate) crossing: Option<(f64, f64)>,
}

impl Subject {
    fn new<S, D>(name: &'static str, s: S, d: D, crossing: Option<(f64, f64)>) -> Self
    where
        S: Activation<f32> + Sync + 'static,
        D: Activation<f64> + Sync + 'static,
    {
        Self {
            name,
            type_name: any::type_name::<D>(),
            single: Box::new(move |z| s.value_and_slope(z)),
            single_value: Box::new(move |z| s.value(z)),
            block: Box::new(move |z, [value, slope]| {
                for i in 0..BLOCK {
                    (value[i], slope[i]) = s.value_and_slope(z[i]);
                }
            }),
            double: Box::new(move |z| d.value_and_slope(z)),
            double_value: Box::new(move |z| d.value(z)),
            crossing,
        }
    }

    /// The number whose last place is the unit of the slope's error.
    pub(crate) fn slope_unit(&self, z: f64, slope: f64) -> f64 {
        match self.crossing {
            Some((low, high)) if low < z && z < high => slope.abs().max(0.5),
            _ => slope,
        }
    }
}

/// All activations but the identity; the test `every_activation_has_points` holds them to the source.
pub(crate) fn subjects() -> Vec<Subject> {
    vec![
        Subject::new("mish", Mish, Mish, Some((-2.5, 0.0))),
        Subject::new("tanh", Tanh, Tanh, None),
        Subject::new("sigmoid", Sigmoid, Sigmoid, None),
        Subject::new("softplus", Softplus, Softplus, None),
        Subject::new("silu", Silu, Silu, Some((-2.5, 0.0))),
        Subject::new("gelu", Gelu, Gelu, Some((-1.5, 0.0))),
        Subject::new(
            "gelu_tanh",
            GeluTanh::default(),
            GeluTanh::default(),
            Some((-1.5, 0.0)),
        ),
        Subject::new("elu(1)", Elu { alpha: 1.0 }, Elu { alpha: 1.0 }, None),
        Subject::new("elu(1.7)", Elu { alpha: 1.7 }, Elu { alpha: 1.7 }, None),
        Subject::new("selu", Selu, Selu, None),
        Subject::new("softsign", Softsign, Softsign, None),
        Subject::new("relu", Relu, Relu, None),
        Subject::new(
            "leaky_relu(0.01)",
            LeakyRelu { slope: 0.01 },
            LeakyRelu { slope: 0.01 },
            None,
        ),
        Subject::new("hard_sigmoid", HardSigmoid, HardSigmoid, None),
        Subject::new("hard_swish", HardSwish, HardSwish, None),
        Subject::new(
            "clip(-1:3)",
            Clip {
                low: -1.0,
                high: 3.0,
            },
            Clip {
                low: -1.0,
                high: 3.0,
            },
            None,
        ),
        Subject::new(
            "gelu_tanh(0.0447)",
            GeluTanh { cubic: 0.0447 },
            GeluTanh { cubic: 0.0447 },
            Some((-1.5, 0.0)),
        ),
    ]
}

/// Binary places after the first, and the exponent below which numbers are subnormal.
#[derive(Clone, Copy)]
pub(crate) struct Places(i32, i32);

pub(crate) const SINGLE: Places = Places(23, -126);
pub(crate) const DOUBLE: Places = Places(52, -1022);

impl Places {
    /// The weight of the last place of `x`.
    pub(crate) fn last(self, x: f64) -> f64 {
        let exponent = if x == 0.0 { self.1 } else { libm::ilogb(x) };
        libm::scalbn(1.0, exponent.max(self.1) - self.0)
    }
}

/// A number that is known better than an f64 holds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Golden {
    pub(crate) near: f64,
    /// What `near` lacks, in its own last places.
    lack: f64,
}

impl Golden {
    fn parse(text: &str) -> Self {
        let (bits, lack) = text.split_at(16);
        let bits = u64::from_str_radix(bits, 16).expect("sixteen hexadecimal digits");
        Self {
            near: f64::from_bits(bits),
            lack: lack.parse::<f64>().unwrap_or(0.0) / 100.0,
        }
    }

    /// |got − self| in multiples of `unit`; infinite for NaN.
    pub(crate) fn error(self, got: f64, unit: f64) -> f64 {
        let lack = self.lack * (DOUBLE.last(self.near) / unit);
        let error = ((got - self.near) / unit - lack).abs();
        if error.is_nan() { f64::INFINITY } else { error }
    }
}

/// A point: z as its bits, value and slope there.
pub(crate) struct Point<'t> {
    pub(crate) activation: &'t str,
    pub(crate) z: u64,
    pub(crate) value: Golden,
    pub(crate) slope: Golden,
}

/// The points of a file that `tests/data/activations.py` has written.
pub(crate) fn points(text: &str) -> impl Iterator<Item = Point<'_>> {
    text.lines().skip(1).map(|line| {
        let mut fields = line.split(',');
        let mut field = || fields.next().expect("four fields");
        Point {
            activation: field(),
            z: u64::from_str_radix(field(), 16).expect("hexadecimal digits"),
            value: Golden::parse(field()),
            slope: Golden::parse(field()),
        }
    })
}
