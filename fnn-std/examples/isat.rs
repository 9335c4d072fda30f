//! What a Jacobian is for: in-situ adaptive tabulation, in its plain form.
//!
//! A simulation asks for f(x), one time step of a mixture's chemistry, millions of times at points that are
//! near each other. A table of linear leaves, f(x₀) + g·(x − x₀), answers most of these. It is built while the
//! simulation runs: S. B. Pope, Computationally efficient implementation of combustion chemistry using in situ
//! adaptive tabulation, Combustion Theory and Modelling 1 (1997) 41–63.
//!
//! - Each leaf has an ellipsoid around x₀, dᵀM d ≤ 1 with d = x − x₀, in which its error is below a
//!   tolerance ε. It starts where the constant part alone would do, |g d| ≤ ε, so M = V max(Σ, ½)² Vᵀ / ε²
//!   with the singular values Σ of g.
//! - A point in the ellipsoid is *retrieved*. Else f is evaluated there. Where the leaf's error is below ε the
//!   ellipsoid *grows* to the smallest one around x₀ that holds the old one and the point; else a leaf is
//!   *added*.
//! - A binary tree leads a point to one leaf: at each fork, to the side of the plane halfway between two.
//!
//! Here f is the model `ignition`, hydrogen and air over 10 µs, along trajectories from fresh mixtures at 1 atm,
//! 1100 to 1300 K and an equivalence ratio of 0.8 to 1.2, to well past ignition; inputs and outputs are divided by their spread in the model's test states. The same is done
//! with the exact g, from one pass with the value; with g from central differences; and with constant leaves,
//! g = 0. What an evaluation costs is counted in values of the network, by multiply-adds: value and Jacobian
//! together are about nine and a half, and the differences of eleven inputs twenty-two beside the value.
//!
//! ```sh
//! cargo run --release -p fnn-std --example isat
//! ```
//!
//! prints a table and draws `fnn-std/examples/isat.svg`.

use std::{error::Error, path::Path};

use fnn_std::{Evaluator, array::Rows, import};
use nalgebra::{SMatrix, SVector};
use plotters::prelude::*;

const IN: usize = 11;
const OUT: usize = 9;

type Input = SVector<f64, IN>;
type Output = SVector<f64, OUT>;
type Jacobian = SMatrix<f64, OUT, IN>;

/// The largest error of a retrieved output, in units of the spread of the outputs.
const TOLERANCE: f64 = 1e-2;

const TRAJECTORIES: usize = 3000;
/// Steps of 10 µs in each.
const STEPS: usize = 80;

/// Where the Jacobian of a leaf comes from.
#[derive(Clone, Copy, PartialEq)]
enum Leaves {
    Exact,
    Differences,
    Constant,
}

impl Leaves {
    const ALL: [(Self, &str, RGBColor); 3] = [
        (Self::Exact, "exact g", RGBColor(0, 90, 181)),
        (Self::Differences, "differences", RGBColor(213, 94, 0)),
        (Self::Constant, "constant", RGBColor(0, 133, 92)),
    ];
}

/// The model in scaled variables, and what its evaluations cost.
struct Chemistry {
    evaluator: Evaluator<f64>,
    inputs: Input,
    outputs: Output,
    /// Value and Jacobian together, in values.
    both: f64,
    /// What was evaluated, in values.
    spent: f64,
}

impl Chemistry {
    fn read(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let model = import::read(folder.join("ignition.safetensors"), &Default::default())?;
        let states = Rows::read(folder.join("inputs.npy"))?;
        let evaluator = Evaluator::<f64>::new(&model)?;
        let shape = model.shape();
        let value = shape.value_multiply_adds() as f64;
        let jacobian = shape.jacobian_multiply_adds(evaluator.cut(), IN) as f64;
        let mut chemistry = Self {
            evaluator,
            inputs: Input::repeat(1.0),
            outputs: Output::repeat(1.0),
            both: 1.0 + jacobian / value,
            spent: 0.0,
        };
        let states: Vec<Input> = (0..states.len())
            .filter_map(|row| Some(Input::from_column_slice(states.get(row)?)))
            .collect();
        let results: Vec<Output> = states.iter().map(|x| chemistry.value(x)).collect();
        chemistry.inputs = spread(&states);
        chemistry.outputs = spread(&results);
        chemistry.spent = 0.0;
        Ok(chemistry)
    }

    fn value(&mut self, x: &Input) -> Output {
        let x = x.component_mul(&self.inputs);
        let mut y = Output::zeros();
        let result = self.evaluator.value(x.as_slice(), y.as_mut_slice());
        result.expect("the sizes are the model's");
        self.spent += 1.0;
        y.component_div(&self.outputs)
    }

    /// Value and Jacobian, as the leaves ask for it.
    fn linearised(&mut self, x: &Input, leaves: Leaves) -> (Output, Jacobian) {
        match leaves {
            Leaves::Constant => (self.value(x), Jacobian::zeros()),
            Leaves::Differences => {
                let y = self.value(x);
                let column = |chemistry: &mut Self, j: usize| {
                    let mut step = Input::zeros();
                    step[j] = 1e-5;
                    (chemistry.value(&(x + step)) - chemistry.value(&(x - step))) / 2e-5
                };
                let columns: Vec<Output> = (0..IN).map(|j| column(self, j)).collect();
                (y, Jacobian::from_columns(&columns))
            }
            Leaves::Exact => {
                let unscaled = x.component_mul(&self.inputs);
                let (mut y, mut rows) = (Output::zeros(), [0.0; OUT * IN]);
                let result =
                    self.evaluator
                        .evaluate(unscaled.as_slice(), y.as_mut_slice(), &mut rows);
                result.expect("the sizes are the model's");
                self.spent += self.both;
                let g = Jacobian::from_row_slice(&rows);
                let scaled = |i: usize, j: usize| g[(i, j)] * self.inputs[j] / self.outputs[i];
                (y.component_div(&self.outputs), Jacobian::from_fn(scaled))
            }
        }
    }
}

/// The standard deviation of each component, 1 where there is none.
fn spread<const N: usize>(all: &[SVector<f64, N>]) -> SVector<f64, N> {
    let count = all.len() as f64;
    let mean = all.iter().sum::<SVector<f64, N>>() / count;
    let squares: SVector<f64, N> = all
        .iter()
        .map(|x| (x - mean).component_mul(&(x - mean)))
        .sum();
    squares.map(|s| if s > 0.0 { (s / count).sqrt() } else { 1.0 })
}

/// A linear approximation and where it holds.
struct Leaf {
    x: Input,
    y: Output,
    g: Jacobian,
    /// The ellipsoid dᵀM d ≤ 1.
    m: SMatrix<f64, IN, IN>,
}

impl Leaf {
    fn new(x: Input, y: Output, g: Jacobian, leaves: Leaves) -> Self {
        let m = match leaves {
            // Nothing is known of g: a small ball.
            Leaves::Constant => SMatrix::identity() * (4.0 / TOLERANCE).powi(2),
            _ => {
                let svd = g.svd(false, true);
                let v = svd.v_t.expect("it was asked for").transpose();
                // In the directions to which g is blind, and in those that it shrinks, not further than ½.
                let mut m = SMatrix::identity() * 0.25;
                for (k, s) in svd.singular_values.iter().enumerate() {
                    m += v.column(k) * v.column(k).transpose() * (s.max(0.5).powi(2) - 0.25);
                }
                m / TOLERANCE.powi(2)
            }
        };
        Self { x, y, g, m }
    }

    fn at(&self, x: &Input) -> Output {
        self.y + self.g * (x - self.x)
    }

    fn holds(&self, x: &Input) -> bool {
        let d = x - self.x;
        d.dot(&(self.m * d)) <= 1.0
    }

    /// Grow to the smallest ellipsoid around the same centre that holds this one and the point: where this
    /// one is the unit ball, it is stretched along the point's direction, to its distance r.
    fn grow(&mut self, x: &Input) {
        let d = x - self.x;
        let md = self.m * d;
        let r2 = d.dot(&md);
        if r2 > 1.0 {
            self.m += md * md.transpose() * ((1.0 / r2 - 1.0) / r2);
        }
    }
}

/// The tree of leaves.
enum Node {
    Leaf(Box<Leaf>),
    Fork {
        /// The points x with `normal` · x > `offset` are on the right.
        normal: Input,
        offset: f64,
        sides: Box<[Node; 2]>,
    },
}

impl Node {
    fn find(&mut self, x: &Input) -> &mut Node {
        match self {
            Node::Fork {
                normal,
                offset,
                sides,
            } => {
                let side = usize::from(normal.dot(x) > *offset);
                sides[side].find(x)
            }
            leaf => leaf,
        }
    }

    /// Make a fork of a leaf and a new one: halfway between both.
    fn split(self, new: Leaf) -> Self {
        match self {
            Node::Leaf(old) => {
                let normal = new.x - old.x;
                let offset = normal.dot(&(new.x + old.x)) / 2.0;
                let sides = Box::new([Node::Leaf(old), Node::Leaf(Box::new(new))]);
                Node::Fork {
                    normal,
                    offset,
                    sides,
                }
            }
            fork => fork,
        }
    }
}

/// What became of the questions.
#[derive(Default)]
struct Tally {
    retrieved: usize,
    grown: usize,
    added: usize,
    /// The errors of the retrieved outputs.
    errors: Vec<f64>,
    /// After each trajectory: questions, and what was spent.
    spent: Vec<(f64, f64)>,
}

/// Answers all trajectories from a table.
fn run(chemistry: &mut Chemistry, starts: &[Input], leaves: Leaves) -> Tally {
    let (mut tree, mut tally) = (None::<Node>, Tally::default());
    chemistry.spent = 0.0;
    for start in starts {
        let mut x = *start;
        for _ in 0..STEPS {
            let y = answer(chemistry, &mut tree, &mut tally, &x, leaves);
            // Nitrogen and pressure stay; the rest comes out as it goes in.
            let physical = y.component_mul(&chemistry.outputs);
            for (j, i) in (0..8).chain([9]).zip(0..OUT) {
                x[j] = physical[i] / chemistry.inputs[j];
            }
        }
        let questions = tally.retrieved + tally.grown + tally.added;
        tally.spent.push((questions as f64, chemistry.spent));
    }
    tally
}

fn answer(
    chemistry: &mut Chemistry,
    tree: &mut Option<Node>,
    tally: &mut Tally,
    x: &Input,
    leaves: Leaves,
) -> Output {
    let found = tree.as_mut().map(|tree| tree.find(x));
    if let Some(node) = found {
        if let Node::Leaf(leaf) = node {
            if leaf.holds(x) {
                let spent = chemistry.spent;
                let y = leaf.at(x);
                tally.retrieved += 1;
                tally.errors.push((y - chemistry.value(x)).norm());
                // What looks at the error is not part of the method.
                chemistry.spent = spent;
                return y;
            }
            let y = chemistry.value(x);
            if (leaf.at(x) - y).norm() <= TOLERANCE {
                leaf.grow(x);
                tally.grown += 1;
                return y;
            }
            // The value is there already.
            chemistry.spent -= 1.0;
        }
        let (y, g) = chemistry.linearised(x, leaves);
        tally.added += 1;
        let new = Leaf::new(*x, y, g, leaves);
        let old = std::mem::replace(node, Node::Leaf(Box::new(Leaf::new(*x, y, g, leaves))));
        *node = old.split(new);
        return y;
    }
    let (y, g) = chemistry.linearised(x, leaves);
    tally.added += 1;
    *tree = Some(Node::Leaf(Box::new(Leaf::new(*x, y, g, leaves))));
    y
}

/// Fresh mixtures of hydrogen and air, in scaled variables: the same on every run.
fn starts(chemistry: &Chemistry) -> Vec<Input> {
    let mut state = 1_u64;
    let mut random = || {
        // The SplitMix64 generator.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut start = || {
        let ratio = 0.8 + 0.4 * random();
        // Moles of H2, O2 and N2 in air, times their masses.
        let masses = [2.016 * ratio, 31.998 * 0.5, 28.014 * 1.88];
        let sum: f64 = masses.iter().sum();
        let root = |mass: f64| (mass / sum).powf(0.1);
        let mut x = Input::zeros();
        (x[0], x[3], x[8]) = (root(masses[0]), root(masses[1]), root(masses[2]));
        x[9] = 1100.0 + 200.0 * random();
        x[10] = 101_325.0;
        x.component_div(&chemistry.inputs)
    };
    (0..TRAJECTORIES).map(|_| start()).collect()
}

fn draw(path: &Path, tallies: &[Tally]) -> Result<(), Box<dyn Error>> {
    let ink = RGBColor(51, 51, 51);
    let text = ("sans-serif", 14).into_font().color(&ink);
    let questions = (TRAJECTORIES * STEPS) as f64;
    let area = SVGBackend::new(path, (720, 440)).into_drawing_area();
    area.fill(&WHITE)?;
    let title = "In-situ adaptive tabulation: what was evaluated, in values of the network";
    area.titled(title, ("sans-serif", 18).into_font().color(&ink))?;
    let last = |tally: &Tally| tally.spent.last().map_or(0.0, |(_, spent)| *spent);
    let top = tallies.iter().map(last).fold(questions, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .margin_top(44)
        .margin_right(28)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..questions, 0.0..top * 1.05)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .label_style(text.clone())
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .x_desc("questions")
        .draw()?;
    let direct = RGBColor(130, 130, 130);
    chart
        .draw_series(LineSeries::new(
            [(0.0, 0.0), (questions, questions)],
            direct.stroke_width(2),
        ))?
        .label("no table")
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], direct.stroke_width(2)));
    for (tally, (_, name, color)) in tallies.iter().zip(Leaves::ALL) {
        let line = [(0.0, 0.0)].into_iter().chain(tally.spent.iter().copied());
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .label_font(text)
        .draw()?;
    area.present()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut chemistry = Chemistry::read(&package.join("models/ignition"))?;
    let starts = starts(&chemistry);
    let questions = TRAJECTORIES * STEPS;
    println!(
        "{questions} questions, tolerance {TOLERANCE}; value and Jacobian cost {:.2} values",
        chemistry.both
    );
    println!(
        "{:<12} {:>9} {:>6} {:>6} {:>12} {:>6}  error: median    90 %    largest",
        "leaves", "retrieved", "grown", "added", "values spent", "saved"
    );
    let mut tallies = Vec::new();
    for (leaves, name, _) in Leaves::ALL {
        let mut tally = run(&mut chemistry, &starts, leaves);
        tally.errors.sort_by(f64::total_cmp);
        let error = |share: f64| {
            let at = (share * (tally.errors.len().max(1) - 1) as f64) as usize;
            tally.errors.get(at).copied().unwrap_or(f64::NAN)
        };
        println!(
            "{name:<12} {:>9} {:>6} {:>6} {:>12.0} {:>5.1}%       {:>9.1e} {:>7.1e} {:>10.1e}",
            tally.retrieved,
            tally.grown,
            tally.added,
            chemistry.spent,
            100.0 * (1.0 - chemistry.spent / questions as f64),
            error(0.5),
            error(0.9),
            error(1.0)
        );
        tallies.push(tally);
    }
    draw(&package.join("examples/isat.svg"), &tallies)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf() -> Leaf {
        let g = Jacobian::from_fn(|i, j| ((3 * i + 5 * j) % 7) as f64 / 3.0 - 1.0);
        Leaf::new(Input::repeat(0.5), Output::zeros(), g, Leaves::Exact)
    }

    /// On the edge of the ellipsoid, in this direction from its centre.
    fn edge(leaf: &Leaf, direction: &Input) -> Input {
        let r = direction.dot(&(leaf.m * direction)).sqrt();
        leaf.x + direction * (1.0 - 1e-9) / r
    }

    fn directions() -> Vec<Input> {
        let direction = |k: usize| Input::from_fn(|j, _| ((k * (j + 3) * 7919) % 13) as f64 - 6.0);
        (1..40).map(direction).filter(|d| d.norm() > 0.0).collect()
    }

    #[test]
    fn a_leaf_starts_where_its_constant_part_is_enough() {
        let leaf = leaf();
        for direction in directions() {
            let x = edge(&leaf, &direction);
            assert!((leaf.at(&x) - leaf.y).norm() <= TOLERANCE * (1.0 + 1e-9));
        }
    }

    #[test]
    fn an_ellipsoid_that_grew_holds_the_old_one_and_the_point() {
        let mut leaf = leaf();
        let inside: Vec<_> = directions().iter().map(|d| edge(&leaf, d)).collect();
        let point = leaf.x + Input::from_fn(|j, _| 0.01 * (j as f64 - 3.0));
        assert!(!leaf.holds(&point));
        leaf.grow(&point);
        let on_the_edge = leaf.x + (point - leaf.x) * (1.0 - 1e-9);
        assert!(leaf.holds(&on_the_edge) && inside.iter().all(|x| leaf.holds(x)));
        assert!(!leaf.holds(&(leaf.x + (point - leaf.x) * 1.001)));
    }

    #[test]
    fn a_fork_leads_to_the_nearer_leaf() {
        let (a, b) = (Input::repeat(0.0), Input::repeat(1.0));
        let new = |x| Leaf::new(x, Output::repeat(x[0]), Jacobian::zeros(), Leaves::Constant);
        let mut tree = Node::Leaf(Box::new(new(a))).split(new(b));
        for (x, wanted) in [(0.4, 0.0), (0.6, 1.0)] {
            match tree.find(&Input::repeat(x)) {
                Node::Leaf(leaf) => assert_eq!(leaf.y[0], wanted),
                Node::Fork { .. } => panic!("a fork is no leaf"),
            }
        }
    }
}
