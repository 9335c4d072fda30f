//! A layer and an activation of your own, in a network with the layers that are there.
//!
//! The layer appends the products of its inputs with each other; the activation is the squared
//! rectified linear unit.

use fnn_core::{
    Activation, Chain, Dense, Identity, Map, Network, SVector, Workspace, chain, nalgebra::Const,
};

/// f(z) = max(z, 0)², with the slope 2·max(z, 0).
#[derive(Debug, Clone, Copy)]
struct SquaredRelu;

impl Activation<f32> for SquaredRelu {
    fn value_and_slope(self, z: f32) -> (f32, f32) {
        let above = if z > 0.0 { z } else { 0.0 };
        (above * above, 2.0 * above)
    }
}

/// y = [a, b, a², a·b, b²]: what a second-order model of two sensors is linear in.
#[derive(Debug)]
struct Quadratic;

impl Map for Quadratic {
    type Scalar = f32;
    type Input = Const<2>;
    type Output = Const<5>;

    /// The derivative needs a and b.
    const POINT: usize = 2;

    fn value(&self, x: &[f32], y: &mut [f32]) {
        if let &[a, b] = x {
            y.copy_from_slice(&[a, b, a * a, a * b, b * b]);
        }
    }

    fn linearise(&self, x: &[f32], y: &mut [f32], point: &mut [f32]) {
        self.value(x, y);
        point.copy_from_slice(x);
    }

    fn tangent(&self, point: &[f32], dx: &[f32], dy: &mut [f32]) {
        if let (&[a, b], &[da, db]) = (point, dx) {
            dy.copy_from_slice(&[da, db, 2.0 * a * da, a * db + b * da, 2.0 * b * db]);
        }
    }

    fn cotangent(&self, point: &[f32], dy: &[f32], dx: &mut [f32]) {
        if let (&[a, b], &[da, db, daa, dab, dbb]) = (point, dy) {
            dx.copy_from_slice(&[da + 2.0 * a * daa + b * dab, db + a * dab + 2.0 * b * dbb]);
        }
    }
}

type Sensor = Network<
    Chain![
        Quadratic,
        Dense<f32, 5, 3, SquaredRelu>,
        Dense<f32, 3, 1, Identity>,
    ],
>;

static SENSOR: Sensor = Network::new(chain![
    Quadratic,
    Dense::new(
        [
            [0.5, -0.25, 1.0, 0.0, 0.75],
            [-1.0, 0.5, 0.25, -0.5, 1.0],
            [0.25, 1.0, -0.5, 1.0, 0.5],
        ],
        [0.25, 0.5, -0.125],
        SquaredRelu,
    ),
    Dense::new([[1.0, -0.5, 2.0]], [0.125], Identity),
]);

fn main() {
    let mut workspace = Workspace::<f32, { Sensor::WORKSPACE }>::new();
    let y = SENSOR.evaluate(&SVector::from([0.5, 0.75]), &mut workspace);
    println!("value {}jacobian {}", y.value, y.jacobian);
}

/// Every number in these sums is a multiple of 2⁻²⁰ or so, and exact.
#[test]
fn value_and_jacobian_are_those_of_the_formulas() {
    use fnn_core::{Forward, Reverse};

    // By hand: q = [½, ¾, ¼, ⅜, 9/16], z = W q + b, y = v·max(z, 0)² + c.
    let z = [0.984_375, 0.812_5, 1.281_25];
    let value = z[0] * z[0] - 0.5 * z[1] * z[1] + 2.0 * z[2] * z[2] + 0.125;
    // ∂z/∂a = w₀ + 2a w₂ + b w₃ and ∂z/∂b = w₁ + a w₃ + 2b w₄.
    let (da, db) = ([1.5, -1.125, 0.5], [0.875, 1.75, 2.25]);
    let along = |d: [f32; 3]| 2.0 * (z[0] * d[0] - 0.5 * z[1] * d[1] + 2.0 * z[2] * d[2]);

    let mut workspace = Workspace::<f32, 200>::new();
    let x = SVector::from([0.5, 0.75]);
    let y = SENSOR.evaluate(&x, &mut workspace);
    assert_eq!(y.value[0], value);
    assert_eq!(y.jacobian.as_slice(), [along(da), along(db)]);

    let layers = || {
        chain![
            Quadratic,
            SENSOR.layers().rest().first().clone(),
            SENSOR.layers().rest().rest().clone(),
        ]
    };
    let forward = Network::<_, Forward>::with_order(layers());
    let reverse = Network::<_, Reverse>::with_order(layers());
    assert_eq!(forward.evaluate(&x, &mut workspace), y);
    assert_eq!(reverse.evaluate(&x, &mut workspace), y);
}
