//! How far a computed value and Jacobian may be from the exact ones: a running error analysis.
//!
//! # Derivation
//!
//! Let u be the unit roundoff (2⁻²⁴ or 2⁻⁵³), η the smallest subnormal, and γₙ = n u / (1 − n u).
//! A hat marks what is computed; e is a bound of its distance from the exact number, component by
//! component. The input is exact, e = 0 for y⁰ = x and for S⁰ = I, unless an f64 model is
//! evaluated in f32: then x is rounded, e = u |x|, and every weight too, r = 1 instead of 0.
//!
//! **Sums.** ẑ starts at b and adds n rounded products, so that no term takes part in more than
//! m = n + 1 + r roundings (Higham, Accuracy and Stability, §3.1), and each product may underflow:
//!
//! e(z) = γₘ (|b| + Σ |w| |ŷ|) + Σ |w| e(y) + n η,
//!
//! with |ŷ| ≤ |y| + e(y). The same holds for t = W S, with 0 for b.
//!
//! **Values.** ŷ is f(ẑ) with the error of the activation itself, a · u · max(|f|, 1/8), a being
//! what [`ERROR`] says of it, and f moves by at most sup |f′| e(z) between z and ẑ:
//!
//! e(y) = a · u · max(|f|, 1/8) + (|f′| + M e(z) + jump) e(z),
//!
//! M bounding |f″| where it exists, and `jump` the step of f′ at a kink closer than e(z), zero if
//! there is none.
//!
//! **Slopes.** e(f′) = a · u · max(|f′|, 1/2) + M e(z) + jump, in the same way.
//!
//! **Tangents.** ŝ = f̂′ t̂ rounded: e(s) = u |f̂′ t̂| + e(f′) |t̂| + |f′| e(t) + η.
//!
//! All this is computed in f64 with the numbers of the plain evaluation in place of the exact ones.
//! That changes the bound by a relative 10⁻¹⁰ or so for both formats; the bound is made one per
//! cent larger for it.

#![allow(dead_code, reason = "each test takes what it needs")]

use fnn_std::{Activation, Model, Precision, reference};

/// The error of an activation and of its slope in units of u, an ulp being up to 2 u: the largest in
/// the table of `fnn-core` is below 2 ulp. Where f′ goes through
/// zero it is a sum of terms of about 1/4 that cancel, so that its error is relative to them and not
/// to f′; and the plain reference loses relative accuracy where f is small, for it computes
/// exponents of z² from a rounded z². The floors 1/8 and 1/2 are for these.
const ERROR: f64 = 4.0;

/// Bounds for a value and a Jacobian, in the places of what they bound.
pub(crate) struct Bound {
    pub(crate) value: Vec<f64>,
    pub(crate) jacobian: Vec<Vec<f64>>,
}

/// The bound for an evaluation of `model` at `x` in the given format.
pub(crate) fn bound(model: &Model, x: &[f64], precision: Precision) -> Bound {
    let (u, eta) = match precision {
        Precision::F32 => (2f64.powi(-24), 2f64.powi(-149)),
        Precision::F64 => (2f64.powi(-53), f64::from_bits(1)),
    };
    let gamma = |n: usize| n as f64 * u / (1.0 - n as f64 * u);
    let inputs = x.len();
    // Numbers and their errors: of the value, and of its row of tangents.
    let rounded = precision < model.precision();
    let mut y: Vec<_> = x
        .iter()
        .map(|&x| (x, if rounded { u * x.abs() } else { 0.0 }))
        .collect();
    let unit = |i, j| (f64::from(u8::from(i == j)), 0.0);
    let mut s: Vec<Vec<_>> = (0..inputs)
        .map(|i| (0..inputs).map(|j| unit(i, j)).collect())
        .collect();
    for layer in model.as_dense().unwrap() {
        let n = layer.inputs();
        // A weighted sum that starts at b, and its error.
        let sum = |b: f64, terms: &mut dyn Iterator<Item = (f64, (f64, f64))>| {
            let (mut sum, mut size, mut moved) = (b, b.abs(), 0.0);
            for (w, (y, e)) in terms {
                sum += w * y;
                size += w.abs() * (y.abs() + e);
                moved += w.abs() * e;
            }
            (
                sum,
                gamma(n + 1 + usize::from(rounded)) * size + moved + n as f64 * eta,
            )
        };
        let mut new_y = Vec::new();
        let mut new_s = Vec::new();
        for (weight, &bias) in layer.rows().zip(layer.bias()) {
            let weight = weight.iter().copied();
            let (z, e_z) = sum(bias, &mut weight.clone().zip(y.iter().copied()));
            let (f, slope) = reference::activate(layer.activation(), z);
            let (second, jump) = curvature(layer.activation(), z, 2.0 * e_z);
            let moved = second * e_z + jump;
            let e_f = ERROR * u * f.abs().max(0.125) + (slope.abs() + moved) * e_z;
            let e_slope = ERROR * u * slope.abs().max(0.5) + moved;
            new_y.push((f, e_f));
            let tangents = (0..inputs).map(|j| {
                let (t, e_t) = sum(0.0, &mut weight.clone().zip(s.iter().map(|row| row[j])));
                let t_hat = t.abs() + e_t;
                let rounding = u * (slope.abs() + e_slope) * t_hat;
                (
                    slope * t,
                    rounding + e_slope * t_hat + slope.abs() * e_t + eta,
                )
            });
            new_s.push(tangents.collect());
        }
        (y, s) = (new_y, new_s);
    }
    let errors = |row: &[(f64, f64)]| row.iter().map(|&(_, e)| 1.01 * e).collect();
    Bound {
        value: errors(&y),
        jacobian: s.iter().map(|row| errors(row)).collect(),
    }
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
pub(crate) fn is_smooth(activation: Activation) -> bool {
    curvature(activation, 0.0, f64::INFINITY).1 == 0.0
}

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
