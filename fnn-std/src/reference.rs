//! A plain evaluation in `f64`, written to be read: the oracle of the tests.
//!
//! Nothing here is shared with `fnn-core`: the loops are those of the formulas, and the
//! activations are written with the functions of the standard library.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};

use crate::{
    activation::Activation,
    error::{Error, Result},
    model::{Layer, Model},
};

/// The output of a model and its Jacobian.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The output y.
    pub value: Vec<f64>,
    /// `jacobian[i][j]` = ∂ output i / ∂ input j.
    pub jacobian: Vec<Vec<f64>>,
}

/// The output of `model` for the input `x` and its Jacobian there:
/// one layer after the other, from y = x and S = I; through a dense layer z = b + W y, y = f(z) and
/// S = diag(f′(z)) W S. A NaN among the inputs is no error.
///
/// # Errors
/// `x` is not as long as the model has inputs; so many inputs that S takes far more memory than the
/// weights.
pub fn evaluate(model: &Model, x: &[f64]) -> Result<Evaluation> {
    check(model, x)?;
    model.check_room(model.layers().len())?;
    let mut y = x.to_vec();
    let mut s: Vec<Vec<f64>> = (0..x.len())
        .map(|i| (0..x.len()).map(|j| f64::from(i == j)).collect())
        .collect();
    for layer in model.layers() {
        (y, s) = through(layer, y, s);
    }
    Ok(Evaluation {
        value: y,
        jacobian: s,
    })
}

/// The output of `model` for the input `x` alone, with the bits that [`evaluate`] gives.
///
/// # Errors
/// `x` is not as long as the model has inputs.
pub fn value(model: &Model, x: &[f64]) -> Result<Vec<f64>> {
    check(model, x)?;
    // The sensitivity has no columns.
    let start = (x.to_vec(), vec![Vec::new(); x.len()]);
    let layers = model.layers().iter();
    let (y, _) = layers.fold(start, |(y, s), layer| through(layer, y, s));
    Ok(y)
}

fn check(model: &Model, x: &[f64]) -> Result<()> {
    if x.len() != model.inputs() {
        return Err(Error::refused(format!(
            "{} inputs, wanted {}",
            x.len(),
            model.inputs()
        )));
    }
    Ok(())
}

/// Value and sensitivity after a layer from those before it.
fn through(layer: &Layer, x: Vec<f64>, s: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    match layer {
        Layer::Dense(dense) => {
            let rows = dense.rows().zip(dense.bias());
            let sums = rows.map(|(weight, bias)| {
                let mut z = *bias;
                for (w, x) in weight.iter().zip(&x) {
                    z += w * x;
                }
                (z, combined(weight, &s))
            });
            activated(dense.activation(), sums)
        }
        Layer::Affine(affine) => {
            let factors = affine.scale().iter().zip(affine.shift());
            let entries = x.iter().zip(&s).zip(factors);
            let sums = entries.map(|((x, row), (scale, shift))| {
                (scale * x + shift, row.iter().map(|d| scale * d).collect())
            });
            activated(affine.activation(), sums)
        }
        Layer::LayerNorm(norm) => {
            let n = x.len() as f64;
            let mean = x.iter().sum::<f64>() / n;
            let centred: Vec<f64> = x.iter().map(|x| x - mean).collect();
            let variance = centred.iter().map(|c| c * c).sum::<f64>() / n;
            let deviation = (variance + norm.epsilon()).sqrt();
            // ∂yᵢ/∂xₖ = sᵢ/σ (δᵢₖ − 1/n − cᵢ cₖ/(n σ²)).
            let slope = |i: usize, k: usize| {
                f64::from(i == k) - 1.0 / n - centred[i] * centred[k] / (n * deviation * deviation)
            };
            let entries = norm.scale().iter().zip(norm.shift()).enumerate();
            let rows = entries.map(|(i, (scale, shift))| {
                let slopes: Vec<f64> = (0..x.len())
                    .map(|k| scale / deviation * slope(i, k))
                    .collect();
                (
                    scale * centred[i] / deviation + shift,
                    combined(&slopes, &s),
                )
            });
            rows.unzip()
        }
        Layer::Softmax(_) => {
            let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> = x.iter().map(|x| (x - largest).exp()).collect();
            let sum: f64 = powers.iter().sum();
            let y: Vec<f64> = powers.iter().map(|p| p / sum).collect();
            // ∂yᵢ/∂xₖ = yᵢ (δᵢₖ − yₖ).
            let rows = (0..x.len()).map(|i| {
                let slopes: Vec<f64> = (0..x.len())
                    .map(|k| y[i] * (f64::from(i == k) - y[k]))
                    .collect();
                combined(&slopes, &s)
            });
            let s = rows.collect();
            (y, s)
        }
        Layer::Select(select) => (x[select.range()].to_vec(), s[select.range()].to_vec()),
        Layer::Residual(residual) => {
            let (mut y, mut t) = (x.clone(), s.clone());
            for layer in residual.layers() {
                (y, t) = through(layer, y, t);
            }
            let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect();
            let rows = s.iter().zip(&t).map(|(a, b)| sum(a, b)).collect();
            (sum(&x, &y), rows)
        }
        Layer::Concat(concat) => {
            let (mut value, mut rows) = (Vec::new(), Vec::new());
            for branch in concat.branches() {
                let (mut y, mut t) = (x.clone(), s.clone());
                for layer in branch {
                    (y, t) = through(layer, y, t);
                }
                value.extend(y);
                rows.extend(t);
            }
            (value, rows)
        }
    }
}

/// The rows of `s`, each times its factor, added up.
fn combined(factors: &[f64], s: &[Vec<f64>]) -> Vec<f64> {
    let mut sum = vec![0.0; s.first().map_or(0, Vec::len)];
    for (w, row) in factors.iter().zip(s) {
        for (d, s) in sum.iter_mut().zip(row) {
            *d += w * s;
        }
    }
    sum
}

/// Values from sums, and rows scaled by slopes.
fn activated(
    activation: Activation,
    sums: impl Iterator<Item = (f64, Vec<f64>)>,
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let scaled = sums.map(|(z, mut row)| {
        let (f, slope) = activate(activation, z);
        row.iter_mut().for_each(|d| *d *= slope);
        (f, row)
    });
    scaled.unzip()
}

/// f(z) and f′(z). At a kink the slope is PyTorch's.
pub fn activate(activation: Activation, z: f64) -> (f64, f64) {
    match activation {
        Activation::Identity => (z, 1.0),
        Activation::Tanh => (z.tanh(), z.cosh().recip().powi(2)),
        Activation::Sigmoid => (sigmoid(z), sigmoid(z) * sigmoid(-z)),
        Activation::Softplus => (softplus(z), sigmoid(z)),
        Activation::Mish => {
            let t = softplus(z).tanh();
            let dt = softplus(z).cosh().recip().powi(2) * sigmoid(z);
            product(z, (t, dt))
        }
        Activation::Silu => product(z, (sigmoid(z), sigmoid(z) * sigmoid(-z))),
        Activation::Gelu => {
            let distribution = 0.5 * libm::erfc(-z * FRAC_1_SQRT_2);
            let density = 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * (-0.5 * z * z).exp();
            product(z, (distribution, density))
        }
        Activation::GeluTanh(cubic) => {
            // 1/2 (1 + tanh u) = sigmoid(2u).
            let k = (2.0 / PI).sqrt();
            let u = k * (z + cubic * z.powi(3));
            let du = k * (1.0 + 3.0 * cubic * z * z);
            let slope = sigmoid(2.0 * u) * sigmoid(-2.0 * u);
            let slope = if slope == 0.0 { 0.0 } else { slope * 2.0 * du };
            product(z, (sigmoid(2.0 * u), slope))
        }
        Activation::Relu => above(z, (0.0, 0.0)),
        Activation::LeakyRelu(slope) => above(z, (slope * z, slope)),
        Activation::Elu(alpha) => above(z, (alpha * z.exp_m1(), alpha * z.exp())),
        Activation::Selu => {
            let (f, slope) = above(z, (ALPHA * z.exp_m1(), ALPHA * z.exp()));
            (LAMBDA * f, LAMBDA * slope)
        }
        Activation::Softsign => (z / (1.0 + z.abs()), (1.0 + z.abs()).powi(2).recip()),
        Activation::Clip { low, high } => match z {
            _ if z <= low => (low, 0.0),
            _ if z >= high => (high, 0.0),
            _ => (z, 1.0),
        },
        Activation::HardSigmoid => hard_sigmoid(z),
        Activation::HardSwish => {
            // Outside it is 0 or z, exactly.
            match z {
                _ if z <= -3.0 => (0.0, 0.0),
                _ if z >= 3.0 => (z, 1.0),
                _ => product(z, hard_sigmoid(z)),
            }
        }
    }
}

/// The two constants of self-normalising networks (Klambauer et al. 2017).
pub(crate) const ALPHA: f64 = 1.673_263_242_354_377_2;
pub(crate) const LAMBDA: f64 = 1.050_700_987_355_480_5;

/// z · g(z) and its slope, g + z g′, from g and g′.
fn product(z: f64, (g, slope): (f64, f64)) -> (f64, f64) {
    (z * g, g + z * slope)
}

/// z with slope 1 above zero, `below` elsewhere; a NaN stays one.
fn above(z: f64, below: (f64, f64)) -> (f64, f64) {
    if z <= 0.0 { below } else { (z, 1.0) }
}

/// 1 / (1 + e⁻ᶻ), with the exponential of a negative number on either side.
fn sigmoid(z: f64) -> f64 {
    if z < 0.0 {
        z.exp() / (1.0 + z.exp())
    } else {
        1.0 / (1.0 + (-z).exp())
    }
}

/// ln(1 + eᶻ) = max(z, 0) + ln(1 + e⁻ᶻ) of the absolute z.
fn softplus(z: f64) -> f64 {
    let small = (-z.abs()).exp().ln_1p();
    if z > 0.0 { z + small } else { small }
}

fn hard_sigmoid(z: f64) -> (f64, f64) {
    match z {
        _ if z <= -3.0 => (0.0, 0.0),
        _ if z >= 3.0 => (1.0, 0.0),
        _ => ((z + 3.0) / 6.0, 1.0 / 6.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slopes against the difference quotient of the values, away from kinks.
    #[test]
    fn slopes_are_those_of_the_values() {
        for activation in Activation::ALL {
            for z in [-20.3, -5.1, -2.2, -1.1, -0.4, 0.3, 0.9, 2.7, 4.4, 20.9] {
                let h = 1e-5;
                let quotient =
                    (activate(activation, z + h).0 - activate(activation, z - h).0) / (2.0 * h);
                let slope = activate(activation, z).1;
                // Truncation is h² |f‴| / 6, with |f‴| below 4; rounding is |f| 2⁻⁵³ · 4 / h.
                let bound = h * h + 22.0 * 4.0 * f64::EPSILON / h;
                assert!((slope - quotient).abs() <= bound, "{activation} at {z}");
            }
        }
    }

    /// Values and slopes from mpmath with 40 digits. Terms of up to 1/2 cancel in some slopes.
    #[test]
    fn values_are_known_ones() {
        let close =
            |a: f64, b: f64, floor: f64| (a - b).abs() <= 4.0 * f64::EPSILON * b.abs().max(floor);
        for (activation, z, f, slope) in KNOWN {
            let found = activate(activation, z);
            assert!(
                close(found.0, f, 0.0),
                "{activation}({z}) = {f}, not {}",
                found.0
            );
            assert!(
                close(found.1, slope, 0.5),
                "{activation}'({z}) = {slope}, not {}",
                found.1
            );
        }
    }

    const KNOWN: [(Activation, f64, f64, f64); 26] = [
        (
            Activation::Mish,
            -2.5,
            -0.19681620390653334,
            -0.10974357275018569,
        ),
        (
            Activation::Mish,
            0.75,
            0.6100183352182934,
            0.985758355716688,
        ),
        (
            Activation::Tanh,
            -2.5,
            -0.9866142981514303,
            0.02659222668316062,
        ),
        (
            Activation::Tanh,
            0.75,
            0.6351489523872873,
            0.5965858082813315,
        ),
        (
            Activation::Sigmoid,
            -2.5,
            0.07585818002124355,
            0.07010371654510816,
        ),
        (
            Activation::Sigmoid,
            0.75,
            0.679178699175393,
            0.21789499376181404,
        ),
        (
            Activation::Softplus,
            -2.5,
            0.07888973429254963,
            0.07585818002124355,
        ),
        (
            Activation::Softplus,
            0.75,
            1.1368710061148999,
            0.679178699175393,
        ),
        (
            Activation::Silu,
            -2.5,
            -0.18964545005310887,
            -0.09940111134152683,
        ),
        (
            Activation::Silu,
            0.75,
            0.5093840243815447,
            0.8425999444967535,
        ),
        (
            Activation::Gelu,
            -2.5,
            -0.015524163314440337,
            -0.03761108590814521,
        ),
        (
            Activation::Gelu,
            0.75,
            0.5800294857173488,
            0.9992257217392351,
        ),
        (
            Activation::GeluTanh(0.044715),
            -2.5,
            -0.015084266089998582,
            -0.037951576212666184,
        ),
        (
            Activation::GeluTanh(0.044715),
            0.75,
            0.5799605551656203,
            0.9989382561374143,
        ),
        (
            Activation::Elu(1.0),
            -2.5,
            -0.9179150013761012,
            0.0820849986238988,
        ),
        (Activation::Elu(1.0), 0.75, 0.75, 1.0),
        (
            Activation::Selu,
            -2.5,
            -1.6137857588732425,
            0.1443135819741343,
        ),
        (
            Activation::Selu,
            0.75,
            0.7880257405166103,
            1.0507009873554805,
        ),
        (
            Activation::Softsign,
            -2.5,
            -0.7142857142857143,
            0.08163265306122448,
        ),
        (
            Activation::Softsign,
            0.75,
            0.42857142857142855,
            0.32653061224489793,
        ),
        (
            Activation::HardSigmoid,
            -2.5,
            0.08333333333333333,
            0.16666666666666666,
        ),
        (Activation::HardSigmoid, 0.75, 0.625, 0.16666666666666666),
        (
            Activation::HardSwish,
            -2.5,
            -0.20833333333333334,
            -0.3333333333333333,
        ),
        (Activation::HardSwish, 0.75, 0.46875, 0.75),
        (Activation::LeakyRelu(0.25), -2.5, -0.625, 0.25),
        (Activation::LeakyRelu(0.25), 0.75, 0.75, 1.0),
    ];

    #[test]
    fn far_out_nothing_is_lost() {
        for activation in Activation::ALL {
            for z in [-1e300, -1e4, -750.0, 750.0, 1e4, 1e300] {
                let (f, slope) = activate(activation, z);
                assert!(!f.is_nan() && !slope.is_nan(), "{activation} at {z}");
            }
            assert!(activate(activation, f64::NAN).0.is_nan(), "{activation}");
        }
    }
}
