//! What a graph computes from its inputs: vectors of entries and the steps between them.
//!
//! Each step is made by a function that looks at what it is applied to, so that an activation or a
//! normalisation that is written out in parts becomes one step, whatever exporter wrote the parts.
//! Constants in such parts are compared within the rounding of the graph's numbers. What is left in
//! parts in the end is refused where layers are made of the steps.

use std::{
    cell::Cell,
    collections::HashMap,
    f64::consts::{FRAC_1_SQRT_2, PI},
    rc::Rc,
};

use crate::{
    activation::{Activation, CUBIC, CUBICS},
    error::{Error, Result},
    model::Layer,
};

/// What a graph may yet make that is not in the file: what a small file makes of itself stays small,
/// and takes little time.
#[derive(Debug)]
pub(super) struct Budget {
    /// Numbers, those in a step or a layer, and a place among them.
    numbers: Cell<usize>,
    /// Numbers that are looked at.
    work: Cell<usize>,
}

impl Budget {
    /// For a file of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let budget = Self {
            numbers: Cell::new(0),
            work: Cell::new((16 << 20) + 64 * bytes),
        };
        budget.renew(bytes);
        budget
    }

    /// Makes room for another try at making numbers of a file of so many bytes.
    pub(super) fn renew(&self, bytes: usize) {
        self.numbers.set((4 << 20) + 2 * bytes);
    }

    /// Takes so many numbers.
    pub(super) fn take(&self, numbers: usize) -> Result<()> {
        let what = "the graph makes far more numbers than the file holds, which is not how networks \
                    are stored";
        Self::less(&self.numbers, numbers, what)
    }

    /// Takes the time to look at so many numbers.
    pub(super) fn spend(&self, work: usize) -> Result<()> {
        let what = "the graph goes through far more numbers than the file holds, which is not how \
                    networks are stored";
        Self::less(&self.work, work, what)
    }

    fn less(left: &Cell<usize>, by: usize, what: &str) -> Result<()> {
        let less = left.get().checked_sub(by);
        left.set(less.ok_or_else(|| Error::refused(what))?);
        Ok(())
    }
}

/// Numbers that take as much memory as a step without any, and its place in the graph.
const STEP: usize = 16;

/// A vector in the graph, by its number; what it is made of has smaller ones.
pub(super) type Id = usize;

/// A vector: how it is made, how many entries it has, and where in the graph that is.
#[derive(Debug, Clone)]
pub(super) struct Vector {
    pub(super) step: Step,
    pub(super) size: usize,
    pub(super) place: Place,
}

/// Where in the graph a step is.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The operator and its node, for messages.
    pub(super) operator: Rc<str>,
    /// What the layer is called: the node or, if it has no name, what it makes.
    pub(super) name: Rc<str>,
    /// What was read as this step, if it was written out in parts.
    pub(super) note: Option<Rc<str>>,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// All inputs of the graph, one after the other.
    Input,
    /// Some entries, in any order.
    Pick(Id, Rc<[usize]>),
    /// W x, row by row; the tensor's name.
    Product(Id, Rc<[f64]>, Rc<str>),
    /// s ∘ x + t; one number of each where they are the same for all entries.
    Affine(Id, Rc<[f64]>, Rc<[f64]>),
    Activation(Id, Activation),
    /// Held between two numbers, of which either may be infinite.
    Clip(Id, f64, f64),
    /// (x − mean) / √(variance + ε).
    Normalised(Id, f64),
    Softmax(Id),
    Sum(Id, Id),
    Concat(Rc<[Id]>),
    /// The mean of all entries, one number.
    Mean(Id),
    /// x minus its mean.
    Centred(Id),
    /// A polynomial of each entry, from the constant on.
    Polynomial(Id, [f64; 4]),
    Exp(Id),
    Log(Id),
    Sqrt(Id),
    Erf(Id),
    Abs(Id),
    Reciprocal(Id),
    /// Whether each entry is above a number.
    Above(Id, f64),
    /// Entry by entry.
    Multiplied(Id, Id),
}

/// How far constants may be from those of the activation that they are taken for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerance {
    /// Relative to the constant: what the format of the file rounds away.
    recognised: f64,
    /// What the evaluation rounds away. Where a constant is further off, the activation is applied to
    /// a multiple that makes up for it.
    unseen: f64,
}

impl Tolerance {
    /// For constants that a file rounds by so much, and an evaluation in f32 or f64.
    pub(super) fn new(recognised: f64, is_double: bool) -> Self {
        let unseen = match is_double {
            true => 4.0 * f64::EPSILON,
            false => recognised,
        };
        Self { recognised, unseen }
    }
}

/// All vectors of a graph.
#[derive(Debug)]
pub(super) struct Expressions {
    vectors: Vec<Vector>,
    /// Steps that were made before, so that the same one is made once.
    made: HashMap<(u8, Id, [u64; 4]), Id>,
    /// How far off the constants of a pattern may be.
    tolerance: Tolerance,
    pub(super) budget: Rc<Budget>,
    /// Why the steps that were made last are more than a file should make.
    pub(super) exhausted: Option<Error>,
    /// Where the next step is.
    pub(super) place: Place,
}

/// An activation of a vector, which a product of that vector with a function of it makes.
struct Gated {
    activation: Activation,
    of: Id,
    /// What the activation is multiplied with.
    factor: f64,
    /// How it was written out.
    parts: &'static str,
    /// How many times the activation's own the constant that multiplies the vector is.
    stretch: f64,
    /// A further constant that is found, and the one that the activation has.
    constant: (f64, f64),
}

impl Gated {
    fn new(activation: Activation, of: Id, factor: f64, parts: &'static str) -> Self {
        Self {
            activation,
            of,
            factor,
            parts,
            stretch: 1.0,
            constant: (1.0, 1.0),
        }
    }
}

/// A vector as a uniform factor and addend on another one.
type Scaled = (Id, f64, f64);

/// How far an attribute may be from the constant that it stands for: some units of an f32.
const ATTRIBUTE: f64 = 6e-7;

/// The most steps that patterns look back.
const FURTHEST: usize = 16;

impl Expressions {
    /// The inputs of the graph, so many entries in all.
    pub(super) fn new(inputs: usize, tolerance: Tolerance, budget: Rc<Budget>) -> Self {
        let mut all = Self {
            vectors: Vec::new(),
            made: HashMap::new(),
            tolerance,
            budget,
            exhausted: None,
            place: Place::default(),
        };
        all.push(Step::Input, inputs);
        all
    }

    /// Its number of the inputs.
    pub(super) const INPUT: Id = 0;

    pub(super) fn vectors(&self) -> &[Vector] {
        &self.vectors
    }

    pub(super) fn size(&self, x: Id) -> usize {
        self.vectors[x].size
    }

    fn step(&self, x: Id) -> &Step {
        &self.vectors[x].step
    }

    fn push(&mut self, step: Step, size: usize) -> Id {
        let numbers = match &step {
            Step::Affine(_, scale, shift) => scale.len() + shift.len(),
            Step::Pick(_, places) => places.len(),
            _ => 0,
        };
        if let Err(error) = self.budget.take(numbers + STEP) {
            self.exhausted = Some(error);
        }
        let place = self.place.clone();
        self.vectors.push(Vector { step, size, place });
        self.vectors.len() - 1
    }

    /// A step that is made once for the same vector and the same numbers.
    fn once(&mut self, kind: u8, x: Id, numbers: [f64; 4], size: usize, step: Step) -> Id {
        let key = (kind, x, numbers.map(f64::to_bits));
        if let Some(&made) = self.made.get(&key) {
            return made;
        }
        let id = self.push(step, size);
        self.made.insert(key, id);
        id
    }

    /// Whether a constant is the wanted one but for what the file rounds away.
    fn near(&self, found: f64, wanted: f64) -> bool {
        (found - wanted).abs() <= self.tolerance.recognised * wanted.abs()
    }

    /// Whether a constant is the wanted one but for what the evaluation rounds away.
    pub(super) fn same(&self, found: f64, wanted: f64) -> bool {
        (found - wanted).abs() <= self.tolerance.unseen * wanted.abs()
    }

    /// Whether an attribute, which is an f32 whatever the format of the tensors, is the wanted constant
    /// but for what the evaluation rounds away.
    pub(super) fn is_attribute(&self, found: f64, wanted: f64) -> bool {
        let tolerance = self.tolerance.unseen.min(ATTRIBUTE);
        (found - wanted).abs() <= tolerance * wanted.abs()
    }

    /// Says that an activation was written out in parts, or with constants of its own, and what
    /// reading it as one may change: the last places, or as much as its constants are off.
    pub(super) fn noted(&mut self, x: Id, parts: &str, constants: &[(f64, f64)]) -> Id {
        let &Step::Activation(_, activation) = self.step(x) else {
            return x;
        };
        let off = constants
            .iter()
            .map(|(found, wanted)| ((found - wanted) / wanted).abs());
        let off = off.fold(0.0, f64::max);
        let change = match off <= 4.0 * f64::EPSILON {
            true => "which changes roundings alone".to_owned(),
            false => format!(
                "which changes its constants by up to {off:.0e} of themselves (--precision f64 keeps \
                 them)"
            ),
        };
        let (operator, name) = (&self.place.operator, activation.name());
        let note = format!("{operator}: {parts} is read as {name}, {change}");
        self.vectors[x].place.note = Some(note.into());
        x
    }

    /// The vector of which an activation makes what it makes of `x` with a constant that is `off`
    /// times its own, and what the result is divided by: q x and q. Where the evaluation does not
    /// see the difference, it is x itself.
    fn stretched(&mut self, x: Id, off: f64) -> (Id, f64) {
        match self.same(off, 1.0) {
            true => (x, 1.0),
            false => (self.scaled(x, off, 0.0), off),
        }
    }

    pub(super) fn pick(&mut self, x: Id, places: Vec<usize>) -> Id {
        if places.len() == self.size(x) && places.iter().enumerate().all(|(i, &p)| i == p) {
            return x;
        }
        match self.step(x).clone() {
            Step::Pick(from, inner) => {
                let places = places.into_iter().map(|p| inner[p]).collect();
                return self.pick(from, places);
            }
            Step::Concat(parts) => {
                if let Err(error) = self.budget.spend(parts.len()) {
                    self.exhausted = Some(error);
                    return x;
                }
                let mut start = 0;
                for part in parts.iter().copied() {
                    let end = start + self.size(part);
                    if places.iter().all(|p| (start..end).contains(p)) {
                        let places = places.into_iter().map(|p| p - start).collect();
                        return self.pick(part, places);
                    }
                    start = end;
                }
            }
            _ => {}
        }
        let size = places.len();
        self.push(Step::Pick(x, places.into()), size)
    }

    pub(super) fn product(&mut self, x: Id, weight: Rc<[f64]>, name: Rc<str>) -> Id {
        let size = weight.len() / self.size(x).max(1);
        self.push(Step::Product(x, weight, name), size)
    }

    pub(super) fn affine(&mut self, x: Id, scale: Vec<f64>, shift: Vec<f64>) -> Id {
        if let (Some(s), Some(t)) = (uniform(&scale), uniform(&shift)) {
            return self.scaled(x, s, t);
        }
        let size = scale.len();
        self.push(Step::Affine(x, scale.into(), shift.into()), size)
    }

    /// s x + t with the same numbers for all entries.
    pub(super) fn scaled(&mut self, x: Id, s: f64, t: f64) -> Id {
        if s == 1.0 && t == 0.0 {
            return x;
        }
        // clip(x + 3, 0, 6) / 6.
        for (y, c, h) in self.bases(x) {
            let &Step::Clip(inner, low, high) = self.step(y) else {
                continue;
            };
            let (c, h) = (s * c, s * h + t);
            for (z, k, b) in self.bases(inner) {
                let constants = [(c * k, 1.0 / 6.0), (c * b + h, 0.5), (c * high + h, 1.0)];
                if constants.iter().all(|&(c, wanted)| self.same(c, wanted))
                    && (c * low + h).abs() <= self.tolerance.unseen
                {
                    let made = self.activation(z, Activation::HardSigmoid);
                    return self.noted(made, "clip(x + 3, 0, 6) / 6", &constants);
                }
            }
        }
        let size = self.size(x);
        let step = Step::Affine(x, [s].into(), [t].into());
        self.once(0, x, [s, t, 0.0, 0.0], size, step)
    }

    /// The vector as itself, and with uniform factors and addends on those that it is made from.
    fn bases(&self, x: Id) -> Vec<Scaled> {
        let mut found = vec![(x, 1.0, 0.0)];
        while let Some(&(y, c, h)) = found.last()
            && let Step::Affine(from, scale, shift) = self.step(y)
            && let (&[s], &[t]) = (&**scale, &**shift)
            && found.len() < FURTHEST
        {
            found.push((*from, c * s, c * t + h));
        }
        found
    }

    /// Whether x is p y, and that p.
    fn multiple(&self, x: Id, y: Id) -> Option<f64> {
        let mut bases = self.bases(x).into_iter();
        bases.find_map(|(base, p, h)| (base == y && h == 0.0).then_some(p))
    }

    /// The vector as polynomials of others.
    fn polynomials(&self, x: Id) -> Vec<(Id, [f64; 4])> {
        let mut found = Vec::new();
        for (y, c, h) in self.bases(x) {
            found.push((y, [h, c, 0.0, 0.0]));
            if let Step::Polynomial(from, p) = self.step(y) {
                found.push((*from, [c * p[0] + h, c * p[1], c * p[2], c * p[3]]));
            }
        }
        found
    }

    fn polynomial(&mut self, x: Id, p: [f64; 4]) -> Id {
        if p[2..] == [0.0, 0.0] {
            return self.scaled(x, p[1], p[0]);
        }
        let size = self.size(x);
        self.once(1, x, p, size, Step::Polynomial(x, p))
    }

    /// The one vector behind entries that are all the same.
    fn unrepeated(&self, x: Id) -> Id {
        match self.step(x) {
            Step::Pick(from, places) if self.size(*from) == 1 && !places.is_empty() => *from,
            _ => x,
        }
    }

    pub(super) fn activation(&mut self, x: Id, activation: Activation) -> Id {
        match activation {
            Activation::Relu => return self.clip(x, 0.0, f64::INFINITY),
            Activation::Clip { low, high } => return self.clip(x, low, high),
            Activation::Identity => return x,
            _ => {}
        }
        self.known(x, activation)
    }

    fn known(&mut self, x: Id, activation: Activation) -> Id {
        let size = self.size(x);
        let kind = Activation::ALL
            .iter()
            .position(|a| std::mem::discriminant(a) == std::mem::discriminant(&activation));
        let kind = 100 + kind.map_or(0, |k| k as u8);
        let parameter = activation.parameters().first().copied().unwrap_or(0.0);
        let step = Step::Activation(x, activation);
        self.once(kind, x, [parameter, 0.0, 0.0, 0.0], size, step)
    }

    /// min(max(x, low), high).
    pub(super) fn clip(&mut self, x: Id, low: f64, high: f64) -> Id {
        let hold = |y: f64| y.max(low).min(high);
        match *self.step(x) {
            Step::Clip(from, inner_low, inner_high) => {
                return self.clip_anew(from, hold(inner_low), hold(inner_high));
            }
            Step::Activation(from, Activation::Relu) => {
                return self.clip_anew(from, hold(0.0), hold(f64::INFINITY));
            }
            _ => {}
        }
        self.clip_anew(x, low.min(high), high)
    }

    fn clip_anew(&mut self, x: Id, low: f64, high: f64) -> Id {
        match (low, high) {
            (f64::NEG_INFINITY, f64::INFINITY) => x,
            (0.0, f64::INFINITY) => self.known(x, Activation::Relu),
            _ => {
                let size = self.size(x);
                self.once(2, x, [low, high, 0.0, 0.0], size, Step::Clip(x, low, high))
            }
        }
    }

    pub(super) fn normalised(&mut self, x: Id, epsilon: f64) -> Id {
        let size = self.size(x);
        self.once(
            3,
            x,
            [epsilon, 0.0, 0.0, 0.0],
            size,
            Step::Normalised(x, epsilon),
        )
    }

    pub(super) fn softmax(&mut self, x: Id) -> Id {
        let size = self.size(x);
        self.once(4, x, [0.0; 4], size, Step::Softmax(x))
    }

    pub(super) fn is_softmax(&self, x: Id) -> bool {
        matches!(self.step(x), Step::Softmax(_))
    }

    pub(super) fn mean(&mut self, x: Id) -> Id {
        self.once(5, x, [0.0; 4], 1, Step::Mean(x))
    }

    pub(super) fn exp(&mut self, x: Id) -> Id {
        let size = self.size(x);
        self.once(6, x, [0.0; 4], size, Step::Exp(x))
    }

    pub(super) fn sqrt(&mut self, x: Id) -> Id {
        let size = self.size(x);
        self.once(7, x, [0.0; 4], size, Step::Sqrt(x))
    }

    pub(super) fn erf(&mut self, x: Id) -> Id {
        let size = self.size(x);
        self.once(8, x, [0.0; 4], size, Step::Erf(x))
    }

    pub(super) fn abs(&mut self, x: Id) -> Id {
        let size = self.size(x);
        self.once(9, x, [0.0; 4], size, Step::Abs(x))
    }

    pub(super) fn log(&mut self, x: Id) -> Id {
        // ln(1 + eᶻ).
        for (y, c, h) in self.bases(x) {
            if let &Step::Exp(z) = self.step(y)
                && (c, h) == (1.0, 1.0)
            {
                let made = self.activation(z, Activation::Softplus);
                return self.noted(made, "log(1 + exp(x))", &[]);
            }
        }
        let size = self.size(x);
        self.once(10, x, [0.0; 4], size, Step::Log(x))
    }

    pub(super) fn reciprocal(&mut self, x: Id) -> Id {
        // 1 / (1 + e⁻ᶻ).
        for (y, c, h) in self.bases(x) {
            if let &Step::Exp(z) = self.step(y)
                && c == h
                && c != 0.0
            {
                let negated = self
                    .bases(z)
                    .into_iter()
                    .find(|b| (b.1, b.2) == (-1.0, 0.0));
                let z = match negated {
                    Some((z, ..)) => z,
                    None => self.scaled(z, -1.0, 0.0),
                };
                let made = self.activation(z, Activation::Sigmoid);
                let made = self.noted(made, "1 / (1 + exp(-x))", &[]);
                return self.scaled(made, 1.0 / c, 0.0);
            }
        }
        let size = self.size(x);
        self.once(11, x, [0.0; 4], size, Step::Reciprocal(x))
    }

    /// xⁿ for the powers that occur in activations and normalisations.
    pub(super) fn power(&mut self, x: Id, exponent: f64) -> Option<Id> {
        match exponent {
            1.0 => Some(x),
            2.0 => Some(self.multiply(x, x)),
            3.0 => {
                let square = self.multiply(x, x);
                Some(self.multiply(square, x))
            }
            0.5 => Some(self.sqrt(x)),
            -1.0 => Some(self.reciprocal(x)),
            -0.5 => {
                let root = self.sqrt(x);
                Some(self.reciprocal(root))
            }
            _ => None,
        }
    }

    /// What a layer of a model makes of x, whose entries are as many as it takes.
    pub(super) fn layer(&mut self, x: Id, layer: &Layer) -> Id {
        match layer {
            Layer::Dense(dense) => {
                let weight: Vec<f64> = dense.rows().flatten().copied().collect();
                let product = self.product(x, weight.into(), dense.name().into());
                let ones = vec![1.0; dense.outputs()];
                let sum = self.affine(product, ones, dense.bias().to_vec());
                self.activation(sum, dense.activation())
            }
            Layer::Affine(affine) => {
                let (scale, shift) = (affine.scale().to_vec(), affine.shift().to_vec());
                let sum = self.affine(x, scale, shift);
                self.activation(sum, affine.activation())
            }
            Layer::LayerNorm(norm) => {
                let normalised = self.normalised(x, norm.epsilon());
                self.affine(normalised, norm.scale().to_vec(), norm.shift().to_vec())
            }
            Layer::Softmax(_) => self.softmax(x),
            Layer::Select(select) => self.pick(x, select.range().collect()),
            Layer::Residual(residual) => {
                let inside = self.layers(x, residual.layers());
                self.add(x, inside)
            }
            Layer::Concat(concat) => {
                let branches = concat.branches().iter();
                let parts = branches.map(|branch| self.layers(x, branch)).collect();
                self.concat(parts)
            }
        }
    }

    fn layers(&mut self, x: Id, layers: &[Layer]) -> Id {
        layers.iter().fold(x, |x, layer| self.layer(x, layer))
    }

    /// x above zero, a slope of its own for each entry below.
    pub(super) fn prelu(&mut self, x: Id, slopes: &[f64]) -> Id {
        if let Some(slope) = uniform(slopes) {
            return self.activation(x, Activation::LeakyRelu(slope));
        }
        let above = self.activation(x, Activation::Relu);
        let negative = self.scaled(x, -1.0, 0.0);
        let below = self.activation(negative, Activation::Relu);
        let zero = vec![0.0; slopes.len()];
        let below = self.affine(below, slopes.iter().map(|s| -s).collect(), zero);
        self.add(above, below)
    }

    /// a − b, entry by entry.
    pub(super) fn subtract(&mut self, a: Id, b: Id) -> Id {
        let minus = self.scaled(b, -1.0, 0.0);
        self.add(a, minus)
    }

    /// Both added, entry by entry.
    pub(super) fn add(&mut self, a: Id, b: Id) -> Id {
        for (x, other) in [(a, b), (b, a)] {
            // x − mean(x).
            for (m, c, h) in self.bases(other) {
                if let &Step::Mean(of) = self.step(self.unrepeated(m))
                    && (of, c, h) == (x, -1.0, 0.0)
                {
                    let size = self.size(x);
                    return self.once(12, x, [0.0; 4], size, Step::Centred(x));
                }
            }
            if let Some(made) = self.normalised_in_two(x, other) {
                return made;
            }
            if let Some(made) = self.in_halves(x, other) {
                return made;
            }
        }
        for (x, p) in self.polynomials(a) {
            for (y, q) in self.polynomials(b) {
                if x == y {
                    return self.polynomial(x, std::array::from_fn(|i| p[i] + q[i]));
                }
            }
        }
        let size = self.size(a);
        self.push(Step::Sum(a, b), size)
    }

    /// max(0, x) and what is beside it in an activation that is written so that nothing overflows.
    fn in_halves(&mut self, above: Id, below: Id) -> Option<Id> {
        let &Step::Activation(x, Activation::Relu) = self.step(above) else {
            return None;
        };
        for (y, c, h) in self.bases(below) {
            let (activation, parts) = match *self.step(y) {
                // ln(1 + e⁻|ˣ|), which has become an activation.
                Step::Activation(z, Activation::Softplus) if (c, h) == (1.0, 0.0) => {
                    let mut bases = self.bases(z).into_iter();
                    let is_size = |y: Id| matches!(*self.step(y), Step::Abs(of) if of == x);
                    if !bases.any(|(y, k, shift)| is_size(y) && (k, shift) == (-1.0, 0.0)) {
                        continue;
                    }
                    (Activation::Softplus, "relu(x) + log(1 + exp(-|x|))")
                }
                Step::Exp(z) if c == -h => match *self.step(z) {
                    Step::Clip(of, f64::NEG_INFINITY, 0.0) if of == x => {
                        (Activation::Elu(c), "relu(x) + a (exp(min(x, 0)) - 1)")
                    }
                    _ => continue,
                },
                _ => continue,
            };
            let made = self.activation(x, activation);
            return Some(self.noted(made, parts, &[]));
        }
        None
    }

    /// x·s/σ + (t − mean·s/σ), as TensorFlow arranges a layer normalisation.
    fn normalised_in_two(&mut self, a: Id, b: Id) -> Option<Id> {
        // Before room is made for the factors of each entry.
        if !matches!(self.step(self.unscaled(a)), Step::Multiplied(..)) {
            return None;
        }
        let (scaled, s, zero) = self.factored(a);
        let (mean, t_scale, t) = self.factored(b);
        let &Step::Multiplied(f, g) = self.step(scaled) else {
            return None;
        };
        let &Step::Multiplied(m, q) = self.step(self.unrepeated(mean)) else {
            return None;
        };
        for (x, r) in [(f, g), (g, f)] {
            let Some((of, epsilon, c)) = self.inverse_deviation(r) else {
                continue;
            };
            // The factor of the mean in the product that has the deviation.
            let of_mean = [(m, q), (q, m)].into_iter().find_map(|(m, q)| {
                let bases = self.bases(self.unrepeated(m)).into_iter();
                let is_mean = |y: Id| matches!(*self.step(y), Step::Mean(of) if of == x);
                let mut found = bases.filter(|&(y, _, h)| is_mean(y) && h == 0.0);
                let (_, p, _) = found.next()?;
                (self.unrepeated(q) == self.unrepeated(r)).then_some(p)
            });
            let Some(p) = of_mean else { continue };
            let is_opposite = zero.iter().all(|&z| z == 0.0)
                && s.iter().zip(&t_scale).all(|(s, mean)| *s == -(p * mean));
            if of == x && is_opposite {
                let made = self.normalised(x, epsilon);
                let scale = s.into_iter().map(|s| s * c).collect();
                return Some(self.affine(made, scale, t));
            }
        }
        None
    }

    /// The vector before the factors and addends on it.
    fn unscaled(&self, mut x: Id) -> Id {
        for _ in 0..FURTHEST {
            match self.step(x) {
                Step::Affine(from, ..) => x = *from,
                _ => break,
            }
        }
        x
    }

    /// The vector before the factors and addends on it, and these.
    fn factored(&self, x: Id) -> (Id, Vec<f64>, Vec<f64>) {
        let size = self.size(x);
        let (mut y, mut scale, mut shift) = (x, vec![1.0; size], vec![0.0; size]);
        for _ in 0..FURTHEST {
            match self.step(y) {
                Step::Affine(from, s, t) => {
                    for i in 0..size {
                        let own = i.min(s.len() - 1);
                        shift[i] += scale[i] * t[own];
                        scale[i] *= s[own];
                    }
                    y = *from;
                }
                _ => break,
            }
        }
        (y, scale, shift)
    }

    /// Whether this is c / √(variance(x) + ε): that x, ε and c.
    fn inverse_deviation(&self, r: Id) -> Option<(Id, f64, f64)> {
        let (r, c, h) = *self.bases(self.unrepeated(r)).last()?;
        let &Step::Reciprocal(root) = self.step(self.unrepeated(r)) else {
            return None;
        };
        let &Step::Sqrt(v) = self.step(self.unrepeated(root)) else {
            return None;
        };
        let (mean, one, epsilon) = *self.bases(self.unrepeated(v)).last()?;
        let &Step::Mean(square) = self.step(self.unrepeated(mean)) else {
            return None;
        };
        let &Step::Polynomial(centred, [0.0, 0.0, 1.0, 0.0]) = self.step(square) else {
            return None;
        };
        let &Step::Centred(x) = self.step(centred) else {
            return None;
        };
        (one == 1.0 && h == 0.0).then_some((x, epsilon, c))
    }

    /// Both multiplied, entry by entry.
    pub(super) fn multiply(&mut self, a: Id, b: Id) -> Id {
        self.multiply_within(a, b, 0)
    }

    fn multiply_within(&mut self, a: Id, b: Id, depth: usize) -> Id {
        for (x, p) in self.polynomials(a) {
            for (y, q) in self.polynomials(b) {
                if x == y
                    && let Some(product) = product(p, q)
                {
                    return self.polynomial(x, product);
                }
            }
        }
        for (x, gate) in [(a, b), (b, a)] {
            if let Some(made) = self.gated(x, gate) {
                return made;
            }
            if let &Step::Centred(of) = self.step(x)
                && let Some((y, epsilon, c)) = self.inverse_deviation(gate)
                && of == y
            {
                let made = self.normalised(y, epsilon);
                return self.scaled(made, c, 0.0);
            }
        }
        // Factors that differ from entry to entry are put off, to see what is multiplied.
        for (x, y) in [(a, b), (b, a)] {
            if let Step::Affine(from, scale, shift) = self.step(x).clone()
                && shift.iter().all(|&t| t == 0.0)
                && depth < FURTHEST
            {
                let made = self.multiply_within(from, y, depth + 1);
                let zero = vec![0.0; scale.len()];
                return self.affine(made, scale.to_vec(), zero);
            }
        }
        let size = self.size(a);
        self.push(Step::Multiplied(a, b), size)
    }

    /// x times a function of x that makes one activation with it.
    fn gated(&mut self, x: Id, gate: Id) -> Option<Id> {
        // Softsign, mish and silu with factors of their own are multiples of these.
        for (g, c, h) in self.bases(gate) {
            let found = match *self.step(g) {
                Step::Activation(z, Activation::Sigmoid) if h == 0.0 => {
                    // x sigmoid(k x) = silu(k x) / k.
                    let mut bases = self.bases(z).into_iter();
                    let p = bases.find_map(|(y, k, shift)| {
                        let p = self.multiple(x, y)?;
                        (shift == 0.0 && k != 0.0).then_some(p / k)
                    });
                    p.map(|p| Gated::new(Activation::Silu, z, p * c, "x * sigmoid(x)"))
                }
                Step::Activation(t, Activation::Tanh) if h == 0.0 => match *self.step(t) {
                    Step::Activation(z, Activation::Softplus) => self
                        .multiple(x, z)
                        .map(|p| Gated::new(Activation::Mish, z, p * c, "x * tanh(softplus(x))")),
                    _ => None,
                },
                Step::Activation(u, Activation::Tanh) if self.same(h, c) => self.gelu_tanh(x, u, c),
                Step::Erf(u) if self.same(h, c) => self.gelu(x, u, c),
                Step::Activation(z, Activation::HardSigmoid) if h == 0.0 => {
                    let p = self.multiple(x, z);
                    p.map(|p| Gated::new(Activation::HardSwish, z, p * c, "x * hard_sigmoid(x)"))
                }
                Step::Clip(u, low, high) => {
                    self.hard_swish(x, u, [c * low + h, c * high + h], [c, h])
                }
                Step::Reciprocal(v) if h == 0.0 => {
                    // 1 / (1 + |x|).
                    let mut bases = self.bases(v).into_iter();
                    let found = bases.find_map(|(y, k, one)| {
                        let &Step::Abs(z) = self.step(y) else {
                            return None;
                        };
                        Some((z, self.multiple(x, z).filter(|_| k == one)? / k))
                    });
                    let gated =
                        |(z, p)| Gated::new(Activation::Softsign, z, p * c, "x / (1 + |x|)");
                    found.map(gated)
                }
                _ => None,
            };
            let Some(gated) = found else { continue };
            let (of, q) = self.stretched(gated.of, gated.stretch);
            let made = self.activation(of, gated.activation);
            let constants = [gated.constant, (gated.stretch / q, 1.0)];
            let made = self.noted(made, gated.parts, &constants);
            // A factor that rounding left beside 1 is 1.
            let factor = gated.factor / q;
            let factor = if self.same(factor, 1.0) { 1.0 } else { factor };
            return Some(self.scaled(made, factor, 0.0));
        }
        None
    }

    /// c x (1 + tanh u) with u = √(2/π) (y + 0.044715 y³), and x a multiple of y.
    fn gelu_tanh(&self, x: Id, u: Id, c: f64) -> Option<Gated> {
        let k = (2.0 / PI).sqrt();
        let is_curve = |p: [f64; 4]| {
            (p[0], p[2]) == (0.0, 0.0) && self.near(p[1], k) && self.near(p[3], CUBIC * k)
        };
        let polynomials = self.polynomials(u).into_iter();
        let (y, multiple, p) = polynomials
            .filter(|&(_, p)| is_curve(p))
            .find_map(|(y, p)| Some((y, self.multiple(x, y)?, p)))?;
        let parts = "x (1 + tanh(k (x + 0.044715 x^3))) / 2";
        let stretch = p[1] / k;
        let found = p[3] / (k * stretch.powi(3));
        let is_usual = self.same(found, CUBIC) || !CUBICS.contains(&found);
        let cubic = if is_usual { CUBIC } else { found };
        Some(Gated {
            stretch,
            constant: (found, cubic),
            ..Gated::new(Activation::GeluTanh(cubic), y, 2.0 * multiple * c, parts)
        })
    }

    /// c x (1 + erf u) with u = y / √2, and x a multiple of y.
    fn gelu(&self, x: Id, u: Id, c: f64) -> Option<Gated> {
        let bases = self.bases(u).into_iter();
        let (y, multiple, k) = bases
            .filter(|&(_, k, shift)| shift == 0.0 && self.near(k, FRAC_1_SQRT_2))
            .find_map(|(y, k, _)| Some((y, self.multiple(x, y)?, k)))?;
        let parts = "x (1 + erf(x / sqrt(2))) / 2";
        Some(Gated {
            stretch: k / FRAC_1_SQRT_2,
            ..Gated::new(Activation::Gelu, y, 2.0 * multiple * c, parts)
        })
    }

    /// x (c clip(u) + h), of which the clip reaches from `low` to `high`, with c u + h = high (y + 3) / 6
    /// and x a multiple of y.
    fn hard_swish(&self, x: Id, u: Id, [low, high]: [f64; 2], [c, h]: [f64; 2]) -> Option<Gated> {
        if low.abs() > self.tolerance.unseen * high.abs() {
            return None;
        }
        let bases = self.bases(u).into_iter();
        let (y, multiple, k) = bases
            .map(|(y, k, shift)| (y, c * k / high, (c * shift + h) / high))
            .filter(|&(_, k, half)| self.near(k, 1.0 / 6.0) && self.same(half, 0.5))
            .find_map(|(y, k, _)| Some((y, self.multiple(x, y)?, k)))?;
        let parts = "x * clip(x + 3, 0, 6) / 6";
        Some(Gated {
            stretch: 6.0 * k,
            ..Gated::new(Activation::HardSwish, y, multiple * high, parts)
        })
    }

    /// Whether each entry is above `bound`.
    pub(super) fn above(&mut self, x: Id, bound: f64) -> Id {
        let size = self.size(x);
        let key = [bound, 0.0, 0.0, 0.0];
        self.once(13, x, key, size, Step::Above(x, bound))
    }

    /// One vector where a condition holds and another one elsewhere, which is a softplus where only
    /// large entries are kept as they are.
    pub(super) fn chosen(&mut self, condition: Id, yes: Id, no: Id) -> Option<Id> {
        let &Step::Above(x, bound) = self.step(condition) else {
            return None;
        };
        // ln(1 + eˣ) is above x by at most e⁻ˣ.
        let error = (-bound).exp();
        let is_softplus =
            matches!(*self.step(no), Step::Activation(of, Activation::Softplus) if of == x);
        if yes != x || !is_softplus || bound <= 0.0 || error > self.tolerance.recognised * bound {
            return None;
        }
        let operator = &self.place.operator;
        let note = format!(
            "{operator}: x above {bound:?} and softplus elsewhere is read as softplus, which changes \
             results by up to {error:.0e}"
        );
        self.vectors[no].place.note = Some(note.into());
        Some(no)
    }

    /// The larger of two multiples of one vector, which is a leaky ReLU.
    pub(super) fn larger(&mut self, a: Id, b: Id) -> Option<Id> {
        for (x, p, g) in self.bases(a) {
            for (y, q, h) in self.bases(b) {
                let (large, small) = (p.max(q), p.min(q));
                if x == y && (g, h) == (0.0, 0.0) && large > 0.0 && small >= 0.0 {
                    let made = self.activation(x, Activation::LeakyRelu(small / large));
                    let made = self.noted(made, "max(x, s x)", &[]);
                    return Some(self.scaled(made, large, 0.0));
                }
            }
        }
        None
    }

    pub(super) fn concat(&mut self, parts: Vec<Id>) -> Id {
        // Before so much room is made.
        let pieces = parts.iter().map(|&part| match self.step(part) {
            Step::Concat(inside) => inside.len(),
            _ => 1,
        });
        if let (Err(error), Some(&first)) = (self.budget.take(pieces.sum()), parts.first()) {
            self.exhausted = Some(error);
            return first;
        }
        let mut flat = Vec::new();
        for part in parts {
            match self.step(part) {
                Step::Concat(inside) => flat.extend(inside.iter().copied()),
                _ => flat.push(part),
            }
        }
        if let [only] = *flat {
            return only;
        }
        // The pieces that a vector was split into, together again.
        if let Some(&first) = flat.first()
            && let Step::Pick(from, _) = *self.step(first)
            && flat
                .iter()
                .all(|&p| matches!(self.step(p), Step::Pick(f, _) if *f == from))
        {
            let places = flat.iter().flat_map(|&p| match self.step(p) {
                Step::Pick(_, places) => places.to_vec(),
                _ => Vec::new(),
            });
            let places = places.collect();
            return self.pick(from, places);
        }
        let size = flat.iter().map(|&part| self.size(part)).sum();
        self.push(Step::Concat(flat.into()), size)
    }
}

/// The number that all are, if they are the same.
pub(super) fn uniform(numbers: &[f64]) -> Option<f64> {
    let (&first, rest) = numbers.split_first()?;
    rest.iter().all(|&x| x == first).then_some(first)
}

/// The product of two polynomials, if its degree is at most 3.
fn product(p: [f64; 4], q: [f64; 4]) -> Option<[f64; 4]> {
    let mut all = [0.0; 7];
    for i in 0..4 {
        for j in 0..4 {
            all[i + j] += p[i] * q[j];
        }
    }
    let (low, high) = all.split_at(4);
    let low = <[f64; 4]>::try_from(low).ok()?;
    high.iter().all(|&c| c == 0.0).then_some(low)
}
