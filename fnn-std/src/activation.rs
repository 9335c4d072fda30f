//! Activations by name.

use std::{fmt, str::FromStr};

use crate::error::{Error, Result};

/// The activation of a layer, as files and the command line name it.
///
/// It parses from its lower-case name, with its parameters in brackets where it has some:
/// `leaky_relu(0.2)`, `elu(1.5)`, `clip(0:6)`. Without brackets they are the usual ones: 0.01, 1,
/// −1:1, and 0.044715 for `gelu_tanh`.
/// `swish` is another name of `silu`.
///
/// ```
/// use fnn_std::Activation;
///
/// assert_eq!("leaky_relu(0.2)".parse::<Activation>()?, Activation::LeakyRelu(0.2));
/// assert_eq!("swish".parse::<Activation>()?.to_string(), "silu");
/// # Ok::<(), fnn_std::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// z.
    Identity,
    /// z · tanh(ln(1 + eᶻ)).
    Mish,
    /// The hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e⁻ᶻ).
    Sigmoid,
    /// ln(1 + eᶻ).
    Softplus,
    /// z · sigmoid(z), also called swish.
    Silu,
    /// z · Φ(z), Φ being the distribution function of the normal distribution (the error function).
    Gelu,
    /// z/2 · (1 + tanh(√(2/π) (z + c z³))), an approximation of [`Gelu`](Self::Gelu), with the given c:
    /// 0.044715, or that number as the format of a file holds it, from 0.0446 to 0.0448.
    GeluTanh(f64),
    /// max(0, z).
    Relu,
    /// z above zero, the given slope times z below.
    LeakyRelu(f64),
    /// z above zero, α (eᶻ − 1) below, with the given α.
    Elu(f64),
    /// λ z above zero, λ α (eᶻ − 1) below, with the λ and α of self-normalising networks.
    Selu,
    /// z / (1 + |z|).
    Softsign,
    /// z, held between two numbers, either of which may be infinite.
    Clip {
        /// The least value.
        low: f64,
        /// The largest value.
        high: f64,
    },
    /// z/6 + 1/2, held between 0 and 1.
    HardSigmoid,
    /// z · hard_sigmoid(z).
    HardSwish,
}

/// The coefficient of the cube in the approximation of GELU (Hendrycks and Gimpel 2016, equation 2).
pub(crate) const CUBIC: f64 = 0.044715;

/// The coefficients that are this one as a file may round it; for others, errors are not known.
pub(crate) const CUBICS: std::ops::RangeInclusive<f64> = 0.0446..=0.0448;

/// The names, in the order in which messages list them, with the usual parameters.
const NAMES: [(&str, Activation); 16] = [
    ("identity", Activation::Identity),
    ("mish", Activation::Mish),
    ("tanh", Activation::Tanh),
    ("sigmoid", Activation::Sigmoid),
    ("softplus", Activation::Softplus),
    ("silu", Activation::Silu),
    ("gelu", Activation::Gelu),
    ("gelu_tanh", Activation::GeluTanh(CUBIC)),
    ("relu", Activation::Relu),
    ("leaky_relu", Activation::LeakyRelu(0.01)),
    ("elu", Activation::Elu(1.0)),
    ("selu", Activation::Selu),
    ("softsign", Activation::Softsign),
    (
        "clip",
        Activation::Clip {
            low: -1.0,
            high: 1.0,
        },
    ),
    ("hard_sigmoid", Activation::HardSigmoid),
    ("hard_swish", Activation::HardSwish),
];

impl Activation {
    /// All activations, those with a parameter with the usual one.
    pub const ALL: [Self; 16] = {
        let mut all = [Self::Identity; 16];
        let mut i = 0;
        while i < all.len() {
            all[i] = NAMES[i].1;
            i += 1;
        }
        all
    };

    /// The activations of a list of names separated by commas, one for each layer.
    ///
    /// # Errors
    /// The first name that is not an activation.
    pub fn parse_list(list: &str) -> Result<Vec<Self>> {
        list.split(',').map(str::parse).collect()
    }

    /// Its name, without a parameter.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Mish => "mish",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::Softplus => "softplus",
            Self::Silu => "silu",
            Self::Gelu => "gelu",
            Self::GeluTanh(_) => "gelu_tanh",
            Self::Relu => "relu",
            Self::LeakyRelu(_) => "leaky_relu",
            Self::Elu(_) => "elu",
            Self::Selu => "selu",
            Self::Softsign => "softsign",
            Self::Clip { .. } => "clip",
            Self::HardSigmoid => "hard_sigmoid",
            Self::HardSwish => "hard_swish",
        }
    }

    /// The same activation with other parameters; `None` where it does not have so many.
    fn with_parameters(self, parameters: &[f64]) -> Option<Self> {
        match (self, parameters) {
            (Self::GeluTanh(_), &[cubic]) => Some(Self::GeluTanh(cubic)),
            (Self::LeakyRelu(_), &[slope]) => Some(Self::LeakyRelu(slope)),
            (Self::Elu(_), &[alpha]) => Some(Self::Elu(alpha)),
            (Self::Clip { .. }, &[low, high]) => Some(Self::Clip { low, high }),
            _ => None,
        }
    }

    /// Its parameters: the coefficient of the cube of `gelu_tanh`, the slope of `leaky_relu`, the α of `elu`, the ends of `clip`.
    pub(crate) fn parameters(self) -> Vec<f64> {
        match self {
            Self::GeluTanh(parameter) | Self::LeakyRelu(parameter) | Self::Elu(parameter) => {
                vec![parameter]
            }
            Self::Clip { low, high } => vec![low, high],
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Activation {
    /// The name, with the parameter in brackets where there is one: it parses back to the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let parameters: Vec<_> = self.parameters().iter().map(|p| format!("{p:?}")).collect();
        match parameters.as_slice() {
            [] => Ok(()),
            _ => write!(f, "({})", parameters.join(":")),
        }
    }
}

impl FromStr for Activation {
    type Err = Error;

    /// # Errors
    /// A name that is not an activation, or a parameter that is not a finite number.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let (name, parameter) = match text.strip_suffix(')').and_then(|t| t.split_once('(')) {
            Some((name, parameter)) => (name.trim_end(), Some(parameter.trim())),
            None => (text, None),
        };
        let known = |name: &str| NAMES.iter().find(|known| known.0 == name);
        let name = if name == "swish" { "silu" } else { name };
        let Some(&(_, usual)) = known(name) else {
            let names: Vec<_> = NAMES.iter().map(|known| known.0).collect();
            return Err(
                Error::refused(format!("the activation `{name}` is not supported"))
                    .with_help(format!("supported are {}, swish", names.join(", "))),
            );
        };
        let Some(parameters) = parameter else {
            return Ok(usual);
        };
        let is_clip = matches!(usual, Self::Clip { .. });
        let numbers: Option<Vec<f64>> = parameters
            .split(':')
            .map(|number| number.trim().parse().ok())
            .collect();
        let is_allowed = |p: &f64| p.is_finite() || (is_clip && !p.is_nan());
        let Some(numbers) = numbers.filter(|numbers| numbers.iter().all(is_allowed)) else {
            return Err(Error::refused(format!(
                "the parameter of `{name}` is `{parameters}`, not a finite number"
            )));
        };
        match usual.with_parameters(&numbers) {
            Some(Self::Clip { low, high }) if low > high => Err(Error::refused(format!(
                "the parameters of `clip` are `{parameters}`, wanted the smaller one first"
            ))),
            Some(Self::GeluTanh(cubic)) if !CUBICS.contains(&cubic) => {
                Err(Error::refused(format!(
                    "the parameter of `gelu_tanh` is `{parameters}`, wanted 0.044715 or a rounding of it, \
                 {} to {}",
                    CUBICS.start(),
                    CUBICS.end()
                )))
            }
            Some(activation) => Ok(activation),
            None => Err(Error::refused(match usual.parameters().len() {
                0 => format!("the activation `{name}` has no parameter"),
                wanted => {
                    format!("the activation `{name}` has {wanted} parameters, found `{parameters}`")
                }
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back() {
        for (name, activation) in NAMES {
            assert_eq!(name.parse::<Activation>().unwrap(), activation);
            assert_eq!(activation.name(), name);
            let text = activation.to_string();
            assert_eq!(text.parse::<Activation>().unwrap(), activation);
        }
        for parameter in [0.0, -0.5, 1e-300, 0.1 + 0.2] {
            let activation = Activation::Elu(parameter);
            assert_eq!(
                activation.to_string().parse::<Activation>().unwrap(),
                activation
            );
        }
        for (low, high) in [
            (0.0, 6.0),
            (f64::NEG_INFINITY, 1.5),
            (-1e-300, f64::INFINITY),
        ] {
            let clip = Activation::Clip { low, high };
            assert_eq!(clip.to_string().parse::<Activation>().unwrap(), clip);
        }
        assert_eq!(
            Activation::parse_list("tanh, leaky_relu( 0.2 ),swish").unwrap(),
            [
                Activation::Tanh,
                Activation::LeakyRelu(0.2),
                Activation::Silu
            ]
        );
    }

    #[test]
    fn others_are_refused_by_name() {
        let error = |text: &str| text.parse::<Activation>().unwrap_err();
        assert_eq!(
            error("softmax").to_string(),
            "the activation `softmax` is not supported"
        );
        assert!(
            error("softmax")
                .help()
                .next()
                .unwrap()
                .contains("identity, mish, tanh")
        );
        assert_eq!(
            error("tanh(2)").to_string(),
            "the activation `tanh` has no parameter"
        );
        assert_eq!(
            error("elu(inf)").to_string(),
            "the parameter of `elu` is `inf`, not a finite number"
        );
        assert_eq!(
            error("clip(1:0)").to_string(),
            "the parameters of `clip` are `1:0`, wanted the smaller one first"
        );
        assert_eq!(
            error("clip(1)").to_string(),
            "the activation `clip` has 2 parameters, found `1`"
        );
        assert_eq!(error("").to_string(), "the activation `` is not supported");
    }
}
