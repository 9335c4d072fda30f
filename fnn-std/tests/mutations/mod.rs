//! Models, and Jacobians that are wrong in a known way, to see whether `check` notices.

#![allow(dead_code, reason = "the test and the example take what they need")]

use std::{fs, path::Path};

use fnn_std::{
    Activation, Error, Model, Order, Precision,
    check::{self, Report, Verdict},
    export,
    model::{Affine, Dense, Layer, Tensor},
    reference::{self, Evaluation},
};

use crate::random::Random;

/// Means and half the widths of inputs: pascals, kelvins, northings in metres, ticks of an encoder,
/// seconds of an epoch.
pub(crate) const OFFSETS: [(f64, f64); 5] = [
    (101_325.0, 2.0),
    (293.0, 4.0),
    (4e6, 10.0),
    (1e7, 50.0),
    (1.7e9, 5.0),
];

/// Where the inputs are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Inputs {
    /// From −1 to 1.
    Ordinary,
    /// At [`OFFSETS`]; layers of the model subtract the mean, then divide.
    Subtracted,
    /// There too; the first weights and bias do it in one.
    Folded,
}

/// A model and where it is checked.
pub(crate) struct Case {
    pub(crate) model: Model,
    pub(crate) inputs: Vec<Vec<f64>>,
    /// How many layers come before the first activation.
    before: usize,
}

impl Case {
    /// A model with these sizes and random weights, and so many rows.
    pub(crate) fn new(
        sizes: &[usize],
        activation: Activation,
        precision: Precision,
        kind: Inputs,
        rows: usize,
    ) -> Self {
        let rounded = |x: f64| match precision {
            Precision::F32 => f64::from(x as f32),
            Precision::F64 => x,
        };
        let mut random = Random(41);
        let mut activations = vec![activation; sizes.len() - 1];
        activations[sizes.len() - 2] = Activation::Identity;
        let model = random.model(sizes, &activations, precision);
        let offset = |j: usize| match kind {
            Inputs::Ordinary => (0.0, 1.0),
            _ => OFFSETS[j % OFFSETS.len()],
        };
        let offsets: Vec<_> = (0..sizes[0]).map(offset).collect();
        let mut layers = Vec::new();
        if kind == Inputs::Subtracted {
            let mut affine = |name: &str, (scale, shift): (Vec<f64>, Vec<f64>)| {
                let layer = Affine::new(name, scale, shift, Activation::Identity).unwrap();
                layers.push(Layer::from(layer));
            };
            affine("minus", offsets.iter().map(|(m, _)| (1.0, -m)).unzip());
            let over = offsets.iter().map(|(_, width)| (rounded(1.0 / width), 0.0));
            affine("over", over.unzip());
        }
        let before = layers.len();
        layers.extend_from_slice(model.layers());
        if kind == Inputs::Folded {
            layers[before] = folded(model.as_dense().unwrap()[0], &offsets, rounded).into();
        }
        let row = |_| {
            let number = |&(mean, width)| rounded(mean + width * random.number(precision));
            offsets.iter().map(number).collect()
        };
        let inputs = (0..rows).map(row).collect();
        Self {
            model: Model::new(layers, precision).unwrap(),
            inputs,
            before,
        }
    }

    /// Puts the fault into the Jacobian of this row.
    fn spoil(&self, fault: Fault, row: usize, jacobian: &mut [Vec<f64>]) {
        let (outputs, inputs) = (jacobian.len(), jacobian[0].len());
        match fault {
            Fault::Entry(share) => {
                let largest = jacobian
                    .iter()
                    .flatten()
                    .fold(0.0, |a: f64, d| a.max(d.abs()));
                jacobian[outputs - 1][0] += share * largest;
            }
            Fault::Transposed => {
                let old = jacobian.to_vec();
                for (i, entries) in jacobian.iter_mut().enumerate() {
                    for (j, entry) in entries.iter_mut().enumerate() {
                        *entry = old[j][i];
                    }
                }
            }
            Fault::Column => jacobian.iter_mut().for_each(|row| row[inputs - 1] = 0.0),
            Fault::Slope => {
                let change = self.of_slope(&self.inputs[row]);
                for (row, change) in jacobian.iter_mut().zip(change) {
                    row.iter_mut().zip(change).for_each(|(d, c)| *d += c);
                }
            }
        }
    }

    /// What the Jacobian changes by where the slope of the first neuron that has an effect is 0.1 too
    /// large.
    fn of_slope(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let layers = self.model.layers();
        let part = |layers: &[Layer]| Model::new(layers.to_vec(), Precision::F64).unwrap();
        let first = layers[self.before].as_dense().unwrap();
        let weight = first.rows().flatten().copied().collect();
        let sums = like(first, weight, first.bias().to_vec(), Activation::Identity);
        let mut before = layers[..self.before].to_vec();
        before.push(sums.into());
        let before = reference::evaluate(&part(&before), x).unwrap().jacobian;
        let y = reference::value(&part(&layers[..=self.before]), x).unwrap();
        let after = reference::evaluate(&part(&layers[self.before + 1..]), &y).unwrap();
        let has_effect = |n: &usize| after.jacobian.iter().any(|row| row[*n].abs() > 0.01);
        let neuron = (0..y.len()).find(has_effect).unwrap();
        let row = |row: &Vec<f64>| {
            let factor = 0.1 * row[neuron];
            before[neuron].iter().map(|d| factor * d).collect()
        };
        after.jacobian.iter().map(row).collect()
    }

    /// The report where this fault is, in a folder for the files; of a Jacobian of a framework's own
    /// in the format of the model.
    pub(crate) fn check(&self, folder: &Path, fault: Option<(Fault, Place)>) -> Report {
        let path = |name: &str| folder.join(name);
        export::write(&self.model, path("model.json")).unwrap();
        let precision = self.model.precision();
        fs::write(path("x.csv"), csv(&self.inputs, precision)).unwrap();
        let middle = self.inputs.len() / 2;
        let spoil = |fault: Fault, rows: &mut dyn Iterator<Item = (usize, &mut Vec<Vec<f64>>)>| {
            for (row, jacobian) in rows {
                self.spoil(fault, row, jacobian);
            }
        };
        let mut options = check::Options {
            input: Some(path("x.csv")),
            ..check::Options::default()
        };
        if let Some((fault, Place::File)) = fault {
            let jacobian = |x: &Vec<f64>| reference::evaluate(&self.model, x).unwrap().jacobian;
            let mut jacobians: Vec<_> = self.inputs.iter().map(jacobian).collect();
            let rows = jacobians.iter_mut().enumerate();
            spoil(
                fault,
                &mut rows.filter(|(row, _)| fault.is_everywhere() || *row == middle),
            );
            let jacobians: Vec<_> = jacobians.into_iter().map(|j| j.concat()).collect();
            fs::write(path("j.csv"), csv(&jacobians, precision)).unwrap();
            options.jacobian = Some(path("j.csv"));
        }
        let source = |model: &Model,
                      inputs: &[Vec<f64>],
                      format: Precision,
                      order: Order|
         -> Result<Vec<Evaluation>, Error> {
            let mut found = check::evaluated(model, inputs, format, order)?;
            let rows = found.iter_mut().map(|e| &mut e.jacobian).enumerate();
            match fault {
                Some((fault, Place::Kernel)) => spoil(fault, &mut { rows }),
                Some((fault, Place::Order)) if (format, order) == (precision, Order::Auto) => {
                    let is_there = |row| fault.is_everywhere() || row == middle;
                    spoil(fault, &mut rows.filter(|(row, _)| is_there(*row)));
                }
                _ => {}
            }
            Ok(found)
        };
        check::run_with(&path("model.json"), &options, &source).unwrap()
    }
}

/// Rows of numbers of the format as text, in digits that are read back in f64 as the same numbers.
fn csv(rows: &[Vec<f64>], precision: Precision) -> String {
    let number = |x: &f64| match precision {
        Precision::F32 => format!("{:?}", f64::from(*x as f32)),
        Precision::F64 => format!("{x:?}"),
    };
    let line = |row: &Vec<f64>| row.iter().map(number).collect::<Vec<_>>().join(",");
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A layer like this one with these numbers and this activation.
fn like(dense: &Dense, weight: Vec<f64>, bias: Vec<f64>, activation: Activation) -> Dense {
    let tensor = |name: &str, shape, numbers| Tensor {
        name: name.to_owned(),
        shape,
        numbers,
    };
    let weight = tensor("w", vec![dense.outputs(), dense.inputs()], weight);
    let bias = tensor("b", vec![dense.outputs()], bias);
    Dense::new(weight, Some(bias), activation).unwrap()
}

/// The layer that subtracts the means and divides by the widths itself.
fn folded(dense: &Dense, offsets: &[(f64, f64)], rounded: impl Fn(f64) -> f64) -> Dense {
    let scaled = |row: &[f64]| -> Vec<f64> {
        let pairs = row.iter().zip(offsets);
        pairs.map(|(w, (_, width))| rounded(w / width)).collect()
    };
    let rows: Vec<Vec<f64>> = dense.rows().map(scaled).collect();
    let biases = rows.iter().zip(dense.bias()).map(|(row, bias)| {
        let means = row.iter().zip(offsets).map(|(w, (mean, _))| w * mean);
        rounded(bias - means.sum::<f64>())
    });
    let biases = biases.collect();
    like(dense, rows.concat(), biases, dense.activation())
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// An entry, by this share of the largest one of its Jacobian.
    Entry(f64),
    /// The Jacobian is another's transpose.
    Transposed,
    /// A column is zero.
    Column,
    /// The slope of a neuron's activation.
    Slope,
}

impl Fault {
    pub(crate) const ALL: [Self; 6] = [
        Self::Entry(1e-3),
        Self::Entry(1e-4),
        Self::Entry(1e-5),
        Self::Transposed,
        Self::Column,
        Self::Slope,
    ];

    /// Whether it is in all rows wherever it is; one wrong number is harder to find alone.
    fn is_everywhere(self) -> bool {
        !matches!(self, Self::Entry(_))
    }
}

/// What has the fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// Every evaluation, in both formats and all orders, at every row.
    Kernel,
    /// The evaluation in the format of the model and the order asked for.
    Order,
    /// The framework's file.
    File,
}

/// The letters of the comparisons that fail.
pub(crate) fn caught(report: &Report) -> String {
    let failed = report
        .comparisons
        .iter()
        .filter(|c| c.verdict() == Verdict::Fail);
    failed
        .map(|c| match &*c.name {
            "Jacobian, framework's" => 'J',
            "Jacobian, central differences" => 'D',
            "Jacobian, f64 reference" => 'R',
            "Jacobian, other orders" => 'O',
            name if name.starts_with("Jacobian in f") => 'F',
            name => panic!("{name} fails: {report}"),
        })
        .collect()
}
