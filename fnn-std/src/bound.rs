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
//! what is said of it and zero for the identity and relu, and f moves by at most sup |f′| e(z) between z and ẑ:
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
//! **Affine layers.** z = s x + t is a product and one addition, which rounds what is left after the
//! terms have cancelled and not the terms: e(z) = u |ŝ x̂| + u |ẑ| + e(t) + |s| e(x) + e(s) |x̂| + η,
//! without the first term where ŝ is a power of two. So a mean that is far larger than the spread, and
//! is subtracted first, does not make the bound wide. The slope is f′ s, rounded.
//!
//! **Layer normalisation.** The errors go through its formulas operation by operation: that of a
//! product as above, of a root e(a) / √a, of an inverse e(σ) / (σ (σ − e(σ))), each with a rounding of
//! its own. That the mean and the deviation are made of the same entries is not used, so that the
//! bound is generous where the inputs have errors already.
//!
//! **Softmax.** It does not depend on what is subtracted from all entries. So entry k of its exponents
//! is off by gₖ = e(xₖ) + u |xₖ − m|, the exponential by ρₖ = exp(gₖ) − 1 + a u of itself and η, the
//! sum by D = Σ yₖ ρₖ + γₙ of itself, and y by (ρ + D) / (1 − D) + u. This is generous where y is near
//! 1: what an entry does to itself above and below is counted twice.
//!
//! **Derivatives as matrices.** Applied to a tangent or a cotangent in floating point, the derivative D
//! of a layer does what a matrix D + Δ does exactly, with |Δ| ≤ E and Δ another one for each column,
//! and an underflow that is added. An entry of D is a sum of terms, each of which takes part in no
//! more than m roundings until it is in an entry of the product: E = γₘ (sum of their magnitudes) + e(D),
//! e(D) what the errors of the numbers do that D is made of. For the derivatives of layer
//! normalisation, sᵢ/σ (δᵢₖ − 1/n − nᵢ nₖ/n), and of softmax, yᵢ (δᵢₖ − yₖ), m is n + 10 and n + 5,
//! here and in the reference, forward and in reverse. Layers one after the other have
//! (D₂ + Δ₂) (D₁ + Δ₁), so that E = |D₂| E₁ + E₂ (|D₁| + E₁); branches stand on top of each other;
//! the way past layers adds the identity. So composite layers are matrices too, with the E of every
//! order inside them. That is generous: in the inner layers it is |D₂| |D₁| that is multiplied by u,
//! where the signs of one order would cancel; and rounding is counted once in E and once for the
//! product.
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
    model::{Layer, LayerNorm, Model, Precision},
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

    /// What so many roundings may do to a term of a sum, as a share of it.
    fn gamma(self, roundings: usize) -> f64 {
        let share = roundings as f64 * self.unit();
        share / (1.0 - share)
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

    /// s x + t.
    fn shifted(self, (s, e_s): Number, (x, e_x): Number, (t, e_t): Number) -> Number {
        let u = self.unit();
        let z = s * x + t;
        let x_hat = x.abs() + e_x;
        let is_power_of_two = e_s == 0.0 && s.is_normal() && s.to_bits() << 12 == 0;
        let product = if is_power_of_two {
            0.0
        } else {
            u * (s.abs() + e_s) * x_hat
        };
        let moved = e_t + s.abs() * e_x + e_s * x_hat + product + self.smallest();
        (z, moved + u * (z.abs() + moved))
    }

    /// The value of an activation and its slope at a sum.
    fn activated(self, activation: Activation, (z, e_z): Number) -> (Number, Number) {
        let (f, slope) = reference::activate(activation, z);
        let (second, jump) = curvature(activation, z, 2.0 * e_z);
        let moved = second * e_z + jump;
        let own = match activation {
            // They round nothing.
            Activation::Identity | Activation::Relu => 0.0,
            _ => self.activations * self.unit(),
        };
        (
            (f, own * f.abs().max(0.125) + (slope.abs() + moved) * e_z),
            (slope, own * slope.abs().max(0.5) + moved),
        )
    }

    /// Those of many; what the activations are taken at is added to `sums`.
    fn activate(
        self,
        activation: Activation,
        z: impl Iterator<Item = Number>,
        sums: &mut Vec<Sum>,
    ) -> (Vec<Number>, Vec<Number>) {
        z.map(|z| {
            sums.push(Sum::new(Some(activation), z));
            self.activated(activation, z)
        })
        .unzip()
    }

    /// What layers one after the other make of an input.
    fn chain(
        self,
        layers: &[Layer],
        mut x: Vec<Number>,
        sums: &mut Vec<Sum>,
    ) -> (Vec<Number>, Vec<Point>) {
        let mut points = Vec::new();
        for layer in layers {
            let (y, point) = self.step(layer, x, sums);
            x = y;
            points.push(point);
        }
        (x, points)
    }

    /// What a layer makes of its input.
    fn step(self, layer: &Layer, x: Vec<Number>, sums: &mut Vec<Sum>) -> (Vec<Number>, Point) {
        match layer {
            Layer::Dense(dense) => {
                let rows = dense.rows().zip(dense.bias()).map(|(row, &bias)| {
                    let terms = row.iter().zip(&x);
                    let terms = terms.map(|(&w, &x)| (self.given(w), x));
                    self.sum(self.given(bias), terms)
                });
                let (y, slopes) = self.activate(dense.activation(), rows, sums);
                (y, Point::Slopes(slopes))
            }
            Layer::Affine(affine) => {
                let factors = affine.scale().iter().zip(affine.shift());
                let entries = x.iter().zip(factors).map(|(&x, (&scale, &shift))| {
                    self.shifted(self.given(scale), x, self.given(shift))
                });
                let (y, mut slopes) = self.activate(affine.activation(), entries, sums);
                for (slope, &scale) in slopes.iter_mut().zip(affine.scale()) {
                    *slope = self.scaled(*slope, self.given(scale));
                }
                (y, Point::Slopes(slopes))
            }
            Layer::LayerNorm(norm) => {
                let (factor, normalised) = self.normalise(norm, &x);
                sums.extend(normalised.iter().map(|&n| Sum::new(None, n)));
                let factors = norm.scale().iter().zip(norm.shift());
                let entries = normalised.iter().zip(factors);
                let entries = entries.map(|(&n, (&scale, &shift))| {
                    self.sum(self.given(shift), [(self.given(scale), n)].into_iter())
                });
                (entries.collect(), Point::Normalised(factor, normalised))
            }
            Layer::Softmax(_) => {
                let largest = x.iter().map(|x| x.0).fold(f64::NEG_INFINITY, f64::max);
                sums.extend(x.iter().map(|&(x, e)| Sum::new(None, (x - largest, e))));
                let y = self.softmax(&x);
                (y.clone(), Point::Softmax(y))
            }
            Layer::Select(select) => (x[select.range()].to_vec(), Point::Inside(Vec::new())),
            Layer::Residual(residual) => {
                let (inside, points) = self.chain(residual.layers(), x.clone(), sums);
                let one = (1.0, 0.0);
                let both = x.iter().zip(&inside);
                let y = both.map(|(&x, &g)| self.sum(x, [(one, g)].into_iter()));
                (y.collect(), Point::Inside(vec![points]))
            }
            Layer::Concat(concat) => {
                let branches = concat.branches().iter();
                let (y, points): (Vec<_>, _) = branches
                    .map(|branch| self.chain(branch, x.clone(), sums))
                    .unzip();
                (y.concat(), Point::Inside(points))
            }
        }
    }

    /// 1 / √(v + ε) and the normalised entries.
    fn normalise(self, norm: &LayerNorm, x: &[Number]) -> (Number, Vec<Number>) {
        let (u, n) = (self.unit(), x.len() as f64);
        let one = (1.0, 0.0);
        let divided = |(sum, e): Number| {
            let e = e / n;
            (sum / n, e + u * ((sum / n).abs() + e) + self.smallest())
        };
        let mean = divided(self.sum((0.0, 0.0), x.iter().map(|&x| (one, x))));
        let minus = (-1.0, 0.0);
        let centred = x.iter().map(|&x| self.sum(x, [(minus, mean)].into_iter()));
        let centred: Vec<Number> = centred.collect();
        let squares = self.sum((0.0, 0.0), centred.iter().map(|&c| (c, c)));
        let epsilon = self.given(norm.epsilon());
        let (variance, e_variance) = self.sum(epsilon, [(one, divided(squares))].into_iter());
        let deviation = variance.sqrt();
        let e_deviation = e_variance / deviation;
        let e_deviation = e_deviation + u * (deviation + e_deviation);
        // The least that it may be; at zero and below nothing is known.
        let least = (deviation - e_deviation).max(0.0);
        let e_factor = e_deviation / (deviation * least) + u / least;
        let factor = (deviation.recip(), e_factor);
        let normalised = centred.iter().map(|&c| self.scaled(factor, c));
        (factor, normalised.collect())
    }

    fn softmax(self, x: &[Number]) -> Vec<Number> {
        let (u, eta, n) = (self.unit(), self.smallest(), x.len());
        let largest = x.iter().map(|x| x.0).fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = x.iter().map(|x| (x.0 - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        // The largest entry here and the one that is subtracted differ by no more than this.
        let moved = x.iter().map(|x| x.1).fold(0.0, f64::max);
        let shares = x.iter().zip(&powers).map(|(&(x, e), p)| {
            let exponent = e + u * ((x - largest).abs() + e + moved);
            let own = self.activations * u;
            (p / sum, exponent.exp_m1() + own * exponent.exp())
        });
        let shares: Vec<Number> = shares.collect();
        let weighted: f64 = shares.iter().map(|(y, rho)| y * rho).sum();
        // One of the exponentials is 1, or nearly.
        let below = weighted + self.gamma(n) * (1.0 + weighted) + 2.0 * n as f64 * eta;
        let entry = |(y, rho): Number| {
            let error = (rho + below) / (1.0 - below).max(0.0);
            (y, y * (error + u * (1.0 + error)) + 3.0 * eta)
        };
        shares.into_iter().map(entry).collect()
    }

    /// The derivative of a layer there.
    fn derivative(self, layer: &Layer, point: &Point) -> Derivative {
        match (layer, point) {
            (Layer::Dense(dense), Point::Slopes(slopes)) => {
                let row = |row: &[f64]| row.iter().map(|&w| self.given(w)).collect();
                Derivative::Dense(dense.rows().map(row).collect(), slopes.clone())
            }
            (_, Point::Slopes(slopes)) => Derivative::Diagonal(slopes.clone()),
            (Layer::LayerNorm(norm), Point::Normalised(factor, normalised)) => {
                self.normalised(norm, *factor, normalised)
            }
            (_, Point::Softmax(y)) => {
                let gamma = self.gamma(y.len() + 5);
                let entry = |i: usize, k: usize| {
                    let ((a, e_a), (b, e_b)) = (y[i], y[k]);
                    let same = f64::from(i == k);
                    let size = (a + e_a) * (same + b + e_b);
                    let moved = e_a * (same - b).abs() + (a + e_a) * e_b;
                    (a * (same - b), gamma * size + moved)
                };
                let underflow = (y.len() + 2) as f64 * self.smallest();
                Derivative::Matrix(square(y.len(), entry), underflow)
            }
            (Layer::Residual(residual), Point::Inside(points)) => {
                let layers = residual.layers().iter();
                let (mut matrix, underflow) = self.composed(layers, &points[0]);
                for (i, row) in matrix.iter_mut().enumerate() {
                    for (k, (d, e)) in row.iter_mut().enumerate() {
                        let size = d.abs() + *e + f64::from(i == k);
                        *e += self.unit() * size;
                        *d += f64::from(i == k);
                    }
                }
                Derivative::Matrix(matrix, underflow)
            }
            (Layer::Concat(concat), Point::Inside(points)) => {
                let branches = concat.branches();
                // In reverse what comes out of the branches is added.
                let gamma = self.gamma(branches.len());
                let (mut matrix, mut underflow) = (Matrix::new(), 0.0);
                for (branch, points) in branches.iter().zip(points) {
                    let (part, its) = self.composed(branch.iter(), points);
                    matrix.extend(part);
                    underflow += its;
                }
                for (d, e) in matrix.iter_mut().flatten() {
                    *e += gamma * (d.abs() + *e);
                }
                Derivative::Matrix(matrix, underflow)
            }
            // A selection, which rounds nothing.
            _ => {
                let range = match layer {
                    Layer::Select(select) => select.range(),
                    _ => 0..layer.outputs(),
                };
                let row = |at| (0..layer.inputs()).map(move |k| (f64::from(k == at), 0.0));
                Derivative::Matrix(range.map(|at| row(at).collect()).collect(), 0.0)
            }
        }
    }

    fn normalised(self, norm: &LayerNorm, (f, e_f): Number, normalised: &[Number]) -> Derivative {
        let count = normalised.len() as f64;
        let gamma = self.gamma(normalised.len() + 10);
        let scale: Vec<Number> = norm.scale().iter().map(|&s| self.given(s)).collect();
        let entry = |i: usize, k: usize| {
            let ((s, e_s), (a, e_a), (b, e_b)) = (scale[i], normalised[i], normalised[k]);
            let same = f64::from(i == k);
            let inner = same - 1.0 / count - a * b / count;
            let e_inner = (e_a * (b.abs() + e_b) + a.abs() * e_b) / count;
            let largest = same + 1.0 / count + (a.abs() + e_a) * (b.abs() + e_b) / count;
            let size = (s.abs() + e_s) * (f + e_f) * largest;
            let moved = e_s * (f + e_f) * largest + s.abs() * (e_f * largest + f * e_inner);
            (s * f * inner, gamma * size + moved)
        };
        let most = |numbers: &[Number]| {
            let sizes = numbers.iter().map(|(x, e)| x.abs() + e);
            sizes.fold(0.0, f64::max)
        };
        // Each of the products on the way may underflow, and is multiplied by what follows it.
        let follows = (1.0 + most(&scale)) * (1.0 + f + e_f) * (1.0 + most(normalised));
        let underflow = (count + 4.0) * follows * self.smallest();
        Derivative::Matrix(square(normalised.len(), entry), underflow)
    }

    /// The derivative of layers one after the other as one matrix, for every order, and what
    /// underflow adds to an entry of its product.
    fn composed<'a>(
        self,
        layers: impl Iterator<Item = &'a Layer>,
        points: &[Point],
    ) -> (Matrix, f64) {
        let matrices = layers.zip(points).map(|(layer, point)| {
            let derivative = self.derivative(layer, point);
            self.in_any_order(derivative)
        });
        let compose = |(first, a): (Matrix, f64), (second, b): (Matrix, f64)| {
            let forward = longest_row(&second) * a + b;
            let reverse = longest_row(&transposed(&first)) * b + a;
            let columns = transposed(&first);
            let entry = |row: &[Number], column: &[Number]| {
                let terms = row.iter().zip(column);
                terms.fold((0.0, 0.0), |(sum, error), (&(w, e_w), &(t, e_t))| {
                    let moved = w.abs() * e_t + e_w * (t.abs() + e_t);
                    (sum + w * t, error + moved)
                })
            };
            let row = |row: &Vec<Number>| columns.iter().map(|c| entry(row, c)).collect();
            let product = second.iter().map(row).collect();
            (product, forward.max(reverse))
        };
        matrices.reduce(compose).unwrap_or_default()
    }

    /// A derivative as one matrix, with the roundings of either order in its errors.
    fn in_any_order(self, derivative: Derivative) -> (Matrix, f64) {
        match derivative {
            Derivative::Matrix(matrix, underflow) => (matrix, underflow),
            Derivative::Diagonal(slopes) => {
                let u = self.unit();
                let entry = |i: usize, k: usize| match slopes[i] {
                    (d, e) if i == k => (d, e + u * (d.abs() + e)),
                    _ => (0.0, 0.0),
                };
                (square(slopes.len(), entry), self.smallest())
            }
            Derivative::Dense(mut weights, slopes) => {
                let columns = transposed(&weights);
                let terms = weights.len().max(columns.len());
                let steepest = slopes.iter().map(|(d, e)| d.abs() + e).fold(0.0, f64::max);
                let follows = (1.0 + steepest) * (1.0 + longest_row(&columns));
                let gamma = self.gamma(terms + 1);
                for number in weights.iter_mut().flatten() {
                    number.1 += gamma * (number.0.abs() + number.1);
                }
                self.scale_rows(&mut weights, &slopes);
                (weights, (terms + 1) as f64 * follows * self.smallest())
            }
        }
    }

    fn scale_rows(self, matrix: &mut Matrix, slopes: &[Number]) {
        for (row, &slope) in matrix.iter_mut().zip(slopes) {
            for number in row {
                *number = self.scaled(slope, *number);
            }
        }
    }

    /// The derivative with nothing before it and nothing after it.
    fn alone(self, derivative: &Derivative) -> Matrix {
        match derivative {
            Derivative::Dense(weights, slopes) => {
                let mut matrix = weights.clone();
                self.scale_rows(&mut matrix, slopes);
                matrix
            }
            Derivative::Diagonal(slopes) => {
                let entry = |i: usize, k: usize| if i == k { slopes[i] } else { (0.0, 0.0) };
                square(slopes.len(), entry)
            }
            Derivative::Matrix(matrix, underflow) => underflowed(matrix.clone(), *underflow),
        }
    }

    /// Tangents after a layer from those before it.
    fn forward(self, derivative: &Derivative, mut tangents: Matrix) -> Matrix {
        match derivative {
            Derivative::Dense(weights, slopes) => {
                tangents = self.product(weights, &tangents);
                self.scale_rows(&mut tangents, slopes);
                tangents
            }
            Derivative::Diagonal(slopes) => {
                self.scale_rows(&mut tangents, slopes);
                tangents
            }
            Derivative::Matrix(matrix, underflow) => {
                underflowed(self.product(matrix, &tangents), *underflow)
            }
        }
    }

    /// Cotangents before a layer from those after it.
    fn reverse(self, derivative: &Derivative, mut cotangents: Matrix) -> Matrix {
        let scale = |cotangents: &mut Matrix, slopes: &[Number]| {
            for row in cotangents {
                for (number, &slope) in row.iter_mut().zip(slopes) {
                    *number = self.scaled(slope, *number);
                }
            }
        };
        match derivative {
            Derivative::Dense(weights, slopes) => {
                scale(&mut cotangents, slopes);
                self.product(&cotangents, weights)
            }
            Derivative::Diagonal(slopes) => {
                scale(&mut cotangents, slopes);
                cotangents
            }
            Derivative::Matrix(matrix, underflow) => {
                underflowed(self.product(&cotangents, matrix), *underflow)
            }
        }
    }
}

/// A number and a bound of its error.
type Number = (f64, f64);

/// Row by row.
type Matrix = Vec<Vec<Number>>;

/// What a function that is not a sum of products is taken at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sum {
    /// The activation of a neuron; `None` is an entry of a layer normalisation or of a softmax.
    activation: Option<Activation>,
    z: f64,
    error: f64,
}

impl Sum {
    fn new(activation: Option<Activation>, (z, error): Number) -> Self {
        Self {
            activation,
            z,
            error,
        }
    }

    fn kinks(self) -> impl Iterator<Item = f64> {
        let kinks = self.activation.map_or([None; 2], kinks);
        kinks.into_iter().flatten()
    }

    /// How many kinks are below it.
    pub(crate) fn side(self) -> i8 {
        self.kinks().map(|kink| i8::from(self.z > kink)).sum()
    }

    /// Whether the function is a straight line between its kinks.
    pub(crate) fn is_straight(self) -> bool {
        self.activation
            .is_some_and(|activation| curvature(activation, self.z, 0.0).0 == 0.0)
    }

    /// How far it may move: half the way to a kink, and where the function is curved this share of the
    /// scale that it changes on, which is 1 + |z|, since all of them become straight far from zero.
    pub(crate) fn room(self, share: f64) -> f64 {
        let curved = match self.is_straight() {
            true => f64::INFINITY,
            false => share * (1.0 + self.z.abs()),
        };
        let ways = self.kinks().map(|kink| (self.z - kink).abs() / 2.0);
        ways.fold(curved, f64::min)
    }

    /// How far it is from another one.
    pub(crate) fn distance(self, other: Self) -> f64 {
        (self.z - other.z).abs()
    }

    /// Whether rounding may put it on the other side of a step in a slope.
    fn is_at_kink(self) -> bool {
        let reach = 2.0 * self.error;
        self.activation
            .is_some_and(|activation| curvature(activation, self.z, reach).1 > 0.0)
    }
}

/// What the derivative of a layer is made of.
enum Point {
    /// f′ of a dense layer, f′ s of an affine one.
    Slopes(Vec<Number>),
    /// 1 / √(v + ε) and the normalised entries.
    Normalised(Number, Vec<Number>),
    /// The result.
    Softmax(Vec<Number>),
    /// Those of the layers inside, branch by branch.
    Inside(Vec<Vec<Self>>),
}

/// The derivative of a layer.
enum Derivative {
    /// Weights, the rows of which are scaled by slopes.
    Dense(Matrix, Vec<Number>),
    /// Factors of the entries.
    Diagonal(Vec<Number>),
    /// Any other, the errors being those of every order, and what underflow adds to an entry of a
    /// product with it.
    Matrix(Matrix, f64),
}

fn square(size: usize, entry: impl Fn(usize, usize) -> Number) -> Matrix {
    let row = |i| (0..size).map(|k| entry(i, k)).collect();
    (0..size).map(row).collect()
}

fn transposed(matrix: &Matrix) -> Matrix {
    let columns = matrix.first().map_or(0, Vec::len);
    let column = |k| matrix.iter().map(|row| row[k]).collect();
    (0..columns).map(column).collect()
}

/// The largest sum of the magnitudes in a row.
fn longest_row(matrix: &Matrix) -> f64 {
    let rows = matrix.iter().map(|row| row.iter());
    rows.map(|row| row.map(|(d, e)| d.abs() + e).sum())
        .fold(0.0, f64::max)
}

fn underflowed(mut matrix: Matrix, underflow: f64) -> Matrix {
    for (_, e) in matrix.iter_mut().flatten() {
        *e += underflow;
    }
    matrix
}

/// The bound for an evaluation of `model` at `x`.
///
/// # Errors
/// An `x` that is not as long as the model has inputs.
pub fn bound(model: &Model, x: &[f64], arithmetic: Arithmetic) -> Result<Bound> {
    let (value, points) = evaluated(model, x, arithmetic, &mut Vec::new())?;
    let layers = model.layers().iter().zip(&points);
    let derivatives = layers.map(|(layer, point)| arithmetic.derivative(layer, point));
    let derivatives: Vec<Derivative> = derivatives.collect();
    let cut = arithmetic.order.cut(&model.shape(), x.len());
    let (before, after) = derivatives.split_at(cut);
    // Tangents through the layers up to the cut; with no product for the first one.
    let tangents = before.split_first().map(|(first, others)| {
        let first = arithmetic.alone(first);
        others
            .iter()
            .fold(first, |tangents, d| arithmetic.forward(d, tangents))
    });
    // Cotangents through the others, with none for the last one.
    let cotangents = after.split_last().map(|(last, others)| {
        let last = arithmetic.alone(last);
        let others = others.iter().rev();
        others.fold(last, |cotangents, d| arithmetic.reverse(d, cotangents))
    });
    let jacobian = match (cotangents, tangents) {
        (Some(cotangents), Some(tangents)) => arithmetic.product(&cotangents, &tangents),
        (one, other) => one.or(other).unwrap_or_default(),
    };
    Ok(Bound {
        value: errors(&value),
        jacobian: jacobian.iter().map(|row| errors(row)).collect(),
    })
}

/// The bound for the value alone.
///
/// # Errors
/// As [`bound`].
pub fn value_bound(model: &Model, x: &[f64], arithmetic: Arithmetic) -> Result<Vec<f64>> {
    let (value, _) = evaluated(model, x, arithmetic, &mut Vec::new())?;
    Ok(errors(&value))
}

/// For each neuron, how many kinks, or steps in its curvature, are below its sum at `x`, those inside
/// composite layers too. Where two inputs have the same sides the model is smooth between them, unless
/// a sum turns back in between.
///
/// # Errors
/// As [`bound`].
pub fn sides(model: &Model, x: &[f64]) -> Result<Vec<i8>> {
    let (_, sums) = sampled(model, x)?;
    Ok(sums.into_iter().map(Sum::side).collect())
}

/// The bound for the value of the [`mod@reference`], and what its functions are taken at.
///
/// # Errors
/// As [`bound`].
pub(crate) fn sampled(model: &Model, x: &[f64]) -> Result<(Vec<f64>, Vec<Sum>)> {
    let mut sums = Vec::new();
    let (value, _) = evaluated(model, x, Arithmetic::of_reference(), &mut sums)?;
    Ok((errors(&value), sums))
}

/// Whether rounding may put a sum on the other side of a kink, so that a Jacobian is another one.
///
/// # Errors
/// As [`bound`].
pub(crate) fn is_at_kink(model: &Model, x: &[f64], arithmetic: Arithmetic) -> Result<bool> {
    let mut sums = Vec::new();
    evaluated(model, x, arithmetic, &mut sums)?;
    Ok(sums.into_iter().any(Sum::is_at_kink))
}

/// The errors, one per cent larger.
fn errors(numbers: &[Number]) -> Vec<f64> {
    numbers.iter().map(|&(_, e)| 1.01 * e).collect()
}

/// The value, what the derivatives of the layers are made of, and all sums.
fn evaluated(
    model: &Model,
    x: &[f64],
    arithmetic: Arithmetic,
    sums: &mut Vec<Sum>,
) -> Result<(Vec<Number>, Vec<Point>)> {
    if x.len() != model.inputs() {
        return Err(Error::refused(format!(
            "{} inputs, wanted {}",
            x.len(),
            model.inputs()
        )));
    }
    let x = x.iter().map(|&x| arithmetic.given(x)).collect();
    Ok(arithmetic.chain(model.layers(), x, sums))
}

/// Where f or one of its derivatives up to the third has a step.
fn kinks(activation: Activation) -> [Option<f64>; 2] {
    match activation {
        Activation::Relu
        | Activation::LeakyRelu(_)
        | Activation::Elu(_)
        | Activation::Selu
        | Activation::Softsign => [Some(0.0), None],
        Activation::Clip { low, high } => [Some(low), Some(high)],
        Activation::HardSigmoid | Activation::HardSwish => [Some(-3.0), Some(3.0)],
        _ => [None; 2],
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
        Activation::Gelu | Activation::GeluTanh(_) => 0.8,
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
