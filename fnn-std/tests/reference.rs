//! The evaluator against the plain reference, and the reference against two ways to differentiate
//! that share nothing with it: dual numbers and difference quotients.

mod random;

use fnn_std::{
    Activation, Evaluator, Float, Model, Order, Precision,
    bound::{Arithmetic, bound, is_smooth},
    reference,
};
use num_dual::{Dual64, DualNum};
use random::Random;

/// Models of depth 1 to 12 with layers of odd widths 1 to 33, with one activation throughout or
/// with all of them mixed, and an input for each.
fn each_model(precision: Precision, mut check: impl FnMut(&Model, &[f64])) {
    let mut random = Random(1);
    for depth in 1..=12 {
        for of in 0..=Activation::ALL.len() {
            let sizes: Vec<_> = (0..=depth).map(|_| 1 + 2 * random.below(17)).collect();
            let of = match Activation::ALL.get(of) {
                Some(&one) => vec![one],
                None => (0..depth)
                    .map(|_| Activation::ALL[random.below(Activation::ALL.len())])
                    .collect(),
            };
            let model = random.model(&sizes, &of, precision);
            let x: Vec<_> = random.numbers(sizes[0], Precision::F32);
            check(&model, &x.iter().map(|x| 2.0 * x).collect::<Vec<_>>());
        }
    }
}

/// Whether what is found is as close to the reference as the errors of both allow, in every order.
#[track_caller]
fn check<T: Float>(model: &Model, x: &[f64]) {
    let depth = model.layers().len();
    let cuts = [Order::Forward, Order::Reverse, Order::Cut(depth / 2)];
    for order in cuts {
        let x_t: Vec<_> = x.iter().map(|&x| T::from_f64(x)).collect();
        let (inputs, outputs) = (model.inputs(), model.outputs());
        let (mut value, mut jacobian) = (vec![T::ZERO; outputs], vec![T::ZERO; outputs * inputs]);
        let mut evaluator = Evaluator::with_order(model, order).unwrap();
        evaluator.evaluate(&x_t, &mut value, &mut jacobian).unwrap();

        let reference = reference::evaluate(model, x).unwrap();
        let ours = bound(model, x, Arithmetic::new(T::PRECISION, order)).unwrap();
        let its = bound(model, x, Arithmetic::of_reference()).unwrap();
        for i in 0..outputs {
            let distance = (value[i].to_f64() - reference.value[i]).abs();
            assert!(
                distance <= ours.value[i] + its.value[i],
                "{order} {model:?} output {i}"
            );
            for j in 0..inputs {
                let distance = (jacobian[i * inputs + j].to_f64() - reference.jacobian[i][j]).abs();
                let bound = ours.jacobian[i][j] + its.jacobian[i][j];
                assert!(
                    distance <= bound,
                    "{order} {model:?} ∂{i}/∂{j}: {distance:e} > {bound:e}"
                );
            }
        }
    }
}

#[test]
fn f64_is_the_reference_within_its_error() {
    each_model(Precision::F64, check::<f64>);
}

#[test]
fn f32_is_the_reference_within_its_error() {
    each_model(Precision::F32, check::<f32>);
}

#[test]
fn dual_numbers_give_the_reference() {
    each_model(Precision::F64, |model, x| {
        let reference = reference::evaluate(model, x).unwrap();
        let bound = bound(model, x, Arithmetic::of_reference()).unwrap();
        for j in 0..x.len() {
            let seeds = x.iter().enumerate().map(|(i, &x)| {
                let x = Dual64::from_re(x);
                if i == j { x.derivative() } else { x }
            });
            let y = forward(model, seeds.collect());
            for (i, y) in y.iter().enumerate() {
                // Both have the errors of the bound: the rules of dual numbers round as often.
                let distance = (y.re - reference.value[i]).abs();
                assert!(distance <= 2.0 * bound.value[i], "{model:?} output {i}");
                let distance = (y.eps - reference.jacobian[i][j]).abs();
                let bound = 2.0 * bound.jacobian[i][j];
                assert!(
                    distance <= bound,
                    "{model:?} ∂{i}/∂{j}: {distance:e} > {bound:e}"
                );
            }
        }
    });
}

/// With h a step, D(h) − J = c h² + …, so that D(2h) − D(h) is three times the error of D(h) and
/// more than bounds it; rounding adds the error of a value over h, for each of the two quotients.
#[test]
fn difference_quotients_give_the_reference() {
    each_model(Precision::F64, |model, x| {
        if !model
            .as_dense()
            .unwrap()
            .iter()
            .all(|l| is_smooth(l.activation()))
        {
            return;
        }
        let reference = reference::evaluate(model, x).unwrap();
        let bound = bound(model, x, Arithmetic::of_reference()).unwrap();
        let h = 2f64.powi(-14);
        for j in 0..x.len() {
            let quotient = |h: f64| -> Vec<f64> {
                let at = |h| {
                    let mut x = x.to_vec();
                    x[j] += h;
                    reference::evaluate(model, &x).unwrap().value
                };
                at(h)
                    .iter()
                    .zip(at(-h))
                    .map(|(a, b)| (a - b) / (2.0 * h))
                    .collect()
            };
            let (near, far) = (quotient(h), quotient(2.0 * h));
            for i in 0..near.len() {
                let truncation = (far[i] - near[i]).abs();
                let rounding = 2.0 * 1.5 * bound.value[i] / h;
                let distance = (near[i] - reference.jacobian[i][j]).abs();
                assert!(
                    distance <= truncation + rounding,
                    "{model:?} ∂{i}/∂{j}: {distance:e}"
                );
            }
        }
    });
}

/// The network in dual numbers, with the activations as the formulas have them.
fn forward(model: &Model, mut y: Vec<Dual64>) -> Vec<Dual64> {
    for layer in model.as_dense().unwrap() {
        let neurons = layer.rows().zip(layer.bias()).map(|(row, &bias)| {
            let terms = row.iter().zip(&y);
            let z = terms.fold(Dual64::from_re(bias), |z, (&w, &y)| z + y * w);
            activate(layer.activation(), z)
        });
        y = neurons.collect();
    }
    y
}

fn activate(activation: Activation, z: Dual64) -> Dual64 {
    let sigmoid = |z: Dual64| ((-z).exp() + 1.0).recip();
    match activation {
        Activation::Identity => z,
        Activation::Tanh => z.tanh(),
        Activation::Sigmoid => sigmoid(z),
        Activation::Softplus => z.exp().ln_1p(),
        Activation::Mish => z * z.exp().ln_1p().tanh(),
        Activation::Silu => z * sigmoid(z),
        Activation::Gelu => {
            // No dual number has an error function; its slope is its definition's integrand.
            let density = (-0.5 * z.re * z.re).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let half = libm::erf(z.re / 2f64.sqrt()) / 2.0;
            z * Dual64::new(0.5 + half, density * z.eps)
        }
        Activation::GeluTanh(cubic) => {
            let u = (z + z.powi(3) * cubic) * (2.0 / std::f64::consts::PI).sqrt();
            z * 0.5 * (u.tanh() + 1.0)
        }
        Activation::Relu if z.re > 0.0 => z,
        Activation::Relu => z * 0.0,
        Activation::LeakyRelu(_) if z.re > 0.0 => z,
        Activation::LeakyRelu(slope) => z * slope,
        Activation::Elu(_) if z.re > 0.0 => z,
        Activation::Elu(alpha) => z.exp_m1() * alpha,
        Activation::Selu if z.re > 0.0 => z * 1.050_700_987_355_480_5,
        Activation::Selu => z.exp_m1() * (1.050_700_987_355_480_5 * 1.673_263_242_354_377_2),
        Activation::Clip { low, high } if z.re <= low || z.re >= high => {
            Dual64::from_re(z.re.clamp(low, high))
        }
        Activation::Clip { .. } => z,
        Activation::Softsign if z.re < 0.0 => z / (-z + 1.0),
        Activation::Softsign => z / (z + 1.0),
        Activation::HardSigmoid | Activation::HardSwish => {
            let gate = match z.re {
                re if re <= -3.0 => Dual64::from_re(0.0),
                re if re >= 3.0 => Dual64::from_re(1.0),
                _ => (z + 3.0) / 6.0,
            };
            if activation == Activation::HardSwish {
                z * gate
            } else {
                gate
            }
        }
    }
}
