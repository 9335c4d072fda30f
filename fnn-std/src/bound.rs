//! How far a computed value and Jacobian may be from the exact ones: a running error analysis.
//!
//! # Derivation
//!
//! Let u be the unit roundoff (2⁻²⁴ or 2⁻⁵³), η the smallest subnormal, and γₙ = n u / (1 − n u).
//! A hat marks what is computed; e is a bound of its distance from the exact number, component by
//! component. Inputs and weights that are not numbers of the format are rounded to it first, and e is
//! what that changes, |x̂ − x| and |ŵ − w|; for all others it is zero.
//!
//! **Sums.** ẑ starts at b and adds n rounded products, so that no term takes part in more than
//! m = n + 1 roundings (Higham, Accuracy and Stability, §3.1), in whatever order they are added, and
//! each product may underflow:
//!
//! e(z) = γₘ (|b̂| + Σ |ŵ| |ŷ|) + e(b) + Σ (|w| e(y) + e(w) |ŷ|) + n η,
//!
//! with |ŷ| ≤ |y| + e(y). The same holds for the products of weights with tangents, of cotangents
//! with weights, and of cotangents with tangents where both meet, with 0 for b.
//!
//! **Values.** ŷ is f(ẑ) with the error of the activation itself, a · u · max(|f|, 1/8), a being
//! what is said of it, and f moves by at most sup |f′| e(z) between z and ẑ:
//!
//! e(y) = a · u · max(|f|, 1/8) + (|f′| + M e(z) + jump) e(z),
//!
//! M bounding |f″| where it exists, and `jump` the step of f′ at a kink closer than e(z), zero if
//! there is none.
//!
//! **Slopes.** e(f′) = a · u · max(|f′|, 1/2) + M e(z) + jump, in the same way.
//!
//! **Scaling.** ŝ = f̂′ t̂ rounded: e(s) = u |f̂′ t̂| + e(f′) |t̂| + |f′| e(t) + η.
//!
//! The Jacobian is multiplied together in the order of accumulation that is asked for; the bound
//! belongs to that order.
//!
//! All this is computed in f64 with the numbers of a plain evaluation in place of the exact ones.
//! That changes the bound by a relative 10⁻¹⁰ or so for both formats; the bound is made one per
//! cent larger for it.

use crate::{
    activation::Activation,
    error::{Error, Result},
    model::{Dense, Model, Precision},
    order::Order,
    reference,
};

/// The error of an activation of `fnn-core` and of its slope in units of u, an ulp being up to 2 u:
/// the largest in its table is below 2 ulp. Where f′ goes through zero it is a sum of terms of about
/// 1/4 that cancel, so that its error is relative to them and not to f′; and the plain reference
/// loses relative accuracy where f is small, for it computes exponents of z² from a rounded z². The
/// floors 1/8 and 1/2 are for these.
pub const ERROR: f64 = 4.0;

/// Bounds for a value and a Jacobian, in the places of what they bound: infinite or NaN where they
/// overflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// For each output.
    pub value: Vec<f64>,
    /// `jacobian[i][j]` bounds ∂ output i / ∂ input j.
    pub jacobian: Vec<Vec<f64>>,
}

/// How an evaluation is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arithmetic {
    /// The number format.
    pub precision: Precision,
    /// The order of accumulation of the Jacobian.
    pub order: Order,
    /// The error of an activation and of its slope in units of u, [`ERROR`] for those of `fnn-core`
    /// and of the [`mod@reference`].
    pub activations: f64,
}

impl Arithmetic {
    /// That of an [`Evaluator`](crate::Evaluator).
    pub fn new(precision: Precision, order: Order) -> Self {
        Self {
            precision,
            order,
            activations: ERROR,
        }
    }

    /// That of the [`mod@reference`].
    pub fn of_reference() -> Self {
        Self::new(Precision::F64, Order::Forward)
    }

    fn unit(self) -> f64 {
        match self.precision {
            Precision::F32 => 2f64.powi(-24),
            Precision::F64 => 2f64.powi(-53),
        }
    }

    fn smallest(self) -> f64 {
        match self.precision {
            Precision::F32 => 2f64.powi(-149),
            Precision::F64 => f64::from_bits(1),
        }
    }

    /// A number that is given, with the error that its rounding to the format makes.
    fn given(self, x: f64) -> Number {
        let rounded = match self.precision {
            Precision::F32 => f64::from(x as f32),
            Precision::F64 => x,
        };
        (x, (rounded - x).abs())
    }

    /// A sum of products that starts at `start`.
    fn sum(self, start: Number, terms: impl ExactSizeIterator<Item = (Number, Number)>) -> Number {
        let n = terms.len() as f64;
        let m = (n + 1.0) * self.unit();
        let (mut sum, mut size, mut moved) = (start.0, start.0.abs() + start.1, start.1);
        for ((w, e_w), (y, e_y)) in terms {
            let y_hat = y.abs() + e_y;
            sum += w * y;
            size += (w.abs() + e_w) * y_hat;
            moved += w.abs() * e_y + e_w * y_hat;
        }
        (sum, m / (1.0 - m) * size + moved + n * self.smallest())
    }

    /// A product, rounded.
    fn scaled(self, (slope, e_slope): Number, (t, e_t): Number) -> Number {
        let t_hat = t.abs() + e_t;
        let rounding = self.unit() * (slope.abs() + e_slope) * t_hat;
        let moved = e_slope * t_hat + slope.abs() * e_t;
        (slope * t, rounding + moved + self.smallest())
    }

    /// The product of two matrices, row by row.
    fn product(self, left: &Matrix, right: &Matrix) -> Matrix {
        let columns = right.first().map_or(0, Vec::len);
        let row = |row: &Vec<Number>| {
            let entry = |j| {
                let terms = row.iter().zip(right).map(|(&a, b): (_, &Vec<_>)| (a, b[j]));
                self.sum((0.0, 0.0), terms)
            };
            (0..columns).map(entry).collect()
        };
        left.iter().map(row).collect()
    }
}

/// A number and a bound of its error.
type Number = (f64, f64);

/// Row by row.
type Matrix = Vec<Vec<Number>>;

/// What a dense layer makes of its input.
struct Step {
    /// The sums.
    z: Vec<f64>,
    /// f(z).
    y: Vec<Number>,
    /// f′(z).
    slopes: Vec<Number>,
}

/// The bound for an evaluation of `model` at `x`.
///
/// # Errors
/// A model with a layer that is not dense; an `x` that is not as long as the model has inputs.
pub fn bound(model: &Model, x: &[f64], arithmetic: Arithmetic) -> Result<Bound> {
    let layers = dense(model)?;
    check(model, x)?;
    let steps = steps(&layers, x, arithmetic);
    let shape = model.shape();
    let (depth, cut) = (layers.len(), arithmetic.order.cut(&shape, x.len()));
    let weights = |layer: usize| -> Matrix {
        let row = |row: &[f64]| row.iter().map(|&w| arithmetic.given(w)).collect();
        layers[layer].rows().map(row).collect()
    };
    let scale_rows = |matrix: &mut Matrix, slopes: &[Number]| {
        for (row, &slope) in matrix.iter_mut().zip(slopes) {
            for number in row {
                *number = arithmetic.scaled(slope, *number);
            }
        }
    };

    // Tangents through the first layers; with no product for the first one.
    let mut tangents = weights(0);
    if cut > 0 {
        scale_rows(&mut tangents, &steps[0].slopes);
    }
    for layer in 1..cut {
        tangents = arithmetic.product(&weights(layer), &tangents);
        scale_rows(&mut tangents, &steps[layer].slopes);
    }
    // Cotangents through the others, with none for the last one, and what joins them.
    let jacobian = if cut == depth {
        tangents
    } else {
        let mut cotangents = weights(depth - 1);
        scale_rows(&mut cotangents, &steps[depth - 1].slopes);
        for layer in (cut..depth - 1).rev() {
            for row in &mut cotangents {
                for (number, &slope) in row.iter_mut().zip(&steps[layer].slopes) {
                    *number = arithmetic.scaled(slope, *number);
                }
            }
            cotangents = arithmetic.product(&cotangents, &weights(layer));
        }
        if cut > 0 {
            cotangents = arithmetic.product(&cotangents, &tangents);
        }
        cotangents
    };
    let errors = |row: &[Number]| row.iter().map(|&(_, e)| 1.01 * e).collect();
    Ok(Bound {
        value: steps.last().map_or_else(Vec::new, |step| errors(&step.y)),
        jacobian: jacobian.iter().map(|row| errors(row)).collect(),
    })
}

/// The bound for the value alone.
///
/// # Errors
/// As [`bound`].
pub fn value_bound(model: &Model, x: &[f64], arithmetic: Arithmetic) -> Result<Vec<f64>> {
    let layers = dense(model)?;
    check(model, x)?;
    let steps = steps(&layers, x, arithmetic);
    let last = steps.last().map_or(&[][..], |step| &step.y);
    Ok(last.iter().map(|&(_, e)| 1.01 * e).collect())
}

/// For each neuron with a kink, or with a step in its curvature, on which side of it the sum is at
/// `x`. Where two inputs have the same sides the model is smooth between them, unless a sum turns
/// back in between.
///
/// # Errors
/// As [`bound`].
pub fn sides(model: &Model, x: &[f64]) -> Result<Vec<i8>> {
    let layers = dense(model)?;
    check(model, x)?;
    let steps = steps(&layers, x, Arithmetic::of_reference());
    let of = steps.iter().zip(&layers).flat_map(|(step, layer)| {
        let side = |&z: &f64| match layer.activation() {
            Activation::Relu
            | Activation::LeakyRelu(_)
            | Activation::Elu(_)
            | Activation::Selu
            | Activation::Softsign => i8::from(z > 0.0),
            Activation::Clip { low, high } => i8::from(z > high) - i8::from(z < low),
            Activation::HardSigmoid | Activation::HardSwish => {
                i8::from(z > 3.0) - i8::from(z < -3.0)
            }
            _ => 0,
        };
        step.z.iter().map(side).collect::<Vec<_>>()
    });
    Ok(of.collect())
}

fn dense(model: &Model) -> Result<Vec<&Dense>> {
    model.as_dense().ok_or_else(|| {
        Error::refused("a layer that is not dense, for which no bound of the error is derived yet")
    })
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

/// Values and slopes, layer by layer.
fn steps(layers: &[&Dense], x: &[f64], arithmetic: Arithmetic) -> Vec<Step> {
    let u = arithmetic.unit();
    let mut y: Vec<Number> = x.iter().map(|&x| arithmetic.given(x)).collect();
    let mut steps = Vec::new();
    for layer in layers {
        let mut step = Step {
            z: Vec::new(),
            y: Vec::new(),
            slopes: Vec::new(),
        };
        for (weight, &bias) in layer.rows().zip(layer.bias()) {
            let terms = weight.iter().zip(&y);
            let terms = terms.map(|(&w, &y)| (arithmetic.given(w), y));
            let (z, e_z) = arithmetic.sum(arithmetic.given(bias), terms);
            let (f, slope) = reference::activate(layer.activation(), z);
            let (second, jump) = curvature(layer.activation(), z, 2.0 * e_z);
            let moved = second * e_z + jump;
            let own = arithmetic.activations * u;
            step.z.push(z);
            step.y
                .push((f, own * f.abs().max(0.125) + (slope.abs() + moved) * e_z));
            step.slopes
                .push((slope, own * slope.abs().max(0.5) + moved));
        }
        y.clone_from(&step.y);
        steps.push(step);
    }
    steps
}
/// A bound of |f″|, and the step of f′ at a kink that is closer to z than `reach`.
fn curvature(activation: Activation, z: f64, reach: f64) -> (f64, f64) {
    let second = match activation {
        Activation::Identity
        | Activation::Relu
        | Activation::LeakyRelu(_)
        | Activation::Clip { .. }
        | Activation::HardSigmoid => 0.0,
        // 4 / (3 √3) at tanh² = 1/3; a quarter and half of the slope's for the two below.
        Activation::Tanh => 0.77,
        Activation::Sigmoid => 0.1,
        Activation::Softplus => 0.25,
        // f″(0) = 2 σ′(0).
        Activation::Silu => 0.5,
        // f″(0) = 2 φ(0) for both.
        Activation::Gelu | Activation::GeluTanh => 0.8,
        // The largest is 0.6413 at z = -0.158; `curvatures_are_bounds` looks.
        Activation::Mish => 0.65,
        // f″(0-) = α, and λ α.
        Activation::Elu(alpha) => alpha.abs(),
        Activation::Selu => 1.76,
        // f″(0±) = ∓ 2, while f′ is continuous.
        Activation::Softsign => 2.0,
        Activation::HardSwish => 1.0 / 3.0,
    };
    let jump = |kink: f64, step: f64| if (z - kink).abs() <= reach { step } else { 0.0 };
    let jump = match activation {
        Activation::Relu => jump(0.0, 1.0),
        Activation::LeakyRelu(slope) => jump(0.0, (1.0 - slope).abs()),
        Activation::Elu(alpha) => jump(0.0, (1.0 - alpha).abs()),
        // λ (α - 1).
        Activation::Selu => jump(0.0, 0.71),
        Activation::Clip { low, high } => jump(low, 1.0) + jump(high, 1.0),
        Activation::HardSigmoid => jump(3.0, 1.0 / 6.0) + jump(-3.0, 1.0 / 6.0),
        Activation::HardSwish => jump(3.0, 0.5) + jump(-3.0, 0.5),
        _ => 0.0,
    };
    (second, jump)
}

/// Whether f′ has no step anywhere.
pub fn is_smooth(activation: Activation) -> bool {
    curvature(activation, 0.0, f64::INFINITY).1 == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curvatures_are_bounds() {
        for activation in Activation::ALL {
            let h = 1.0 / 1024.0;
            for step in -20_000..20_000 {
                let z = f64::from(step) * h;
                let slope = |z| reference::activate(activation, z).1;
                let moved = (slope(z + h) - slope(z)).abs();
                let (second, jump) = curvature(activation, z, 2.0 * h);
                assert!(moved <= second * h + jump + 1e-15, "{activation} at {z}");
            }
        }
    }
}
