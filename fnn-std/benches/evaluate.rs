//! Value and Jacobian of the seed-shaped network 4-32-32-32-32-32-3, mish, f32, beside the ways
//! that people have today. `cargo xtask bench` compiles the C and runs this.
//!
//! Every contender evaluates the same weights at the same inputs, and its numbers are compared
//! before its time is taken. All take turns in short rounds and the median of the rounds is
//! printed, so that a machine that slows down slows all of them.

use std::{array, env, error::Error, fs, hint::black_box, path::Path, time::Instant};

use fnn_core::{SMatrix, SVector, Workspace};
use fnn_std::{
    Activation, Evaluator, Model, Precision,
    model::{Layer, Tensor},
};
use libloading::Library;
use num_dual::{DualNum, DualSVec32};

#[allow(
    dead_code,
    missing_debug_implementations,
    unreachable_pub,
    reason = "a module of the firmware, which uses the rest"
)]
#[path = "../../fnn-embedded/firmware/peers/seed.rs"]
mod seed;

use seed::{NETWORK, Weights, seed_weights};

type Input = SVector<f32, 4>;
type Output = SVector<f32, 3>;
type Jacobian = SMatrix<f32, 3, 4>;

/// Rounds that each contender is timed in, and evaluations a round.
const ROUNDS: usize = 41;
const EVALUATIONS: usize = 1000;

/// As one writes it with nalgebra's stack matrices and libm.
struct WithNalgebra {
    first: (SMatrix<f32, 32, 4>, SVector<f32, 32>),
    hidden: [(SMatrix<f32, 32, 32>, SVector<f32, 32>); 4],
    last: (SMatrix<f32, 3, 32>, SVector<f32, 3>),
}

impl WithNalgebra {
    fn new(weights: &Weights) -> Self {
        fn layer<const IN: usize, const OUT: usize>(
            weight: &[[f32; IN]; OUT],
            bias: &[f32; OUT],
        ) -> (SMatrix<f32, OUT, IN>, SVector<f32, OUT>) {
            (SMatrix::from_fn(|i, j| weight[i][j]), (*bias).into())
        }
        Self {
            first: layer(&weights.first, &weights.first_bias),
            hidden: array::from_fn(|k| layer(&weights.hidden[k], &weights.hidden_bias[k])),
            last: layer(&weights.last, &weights.last_bias),
        }
    }

    fn evaluate(&self, x: &Input) -> (Output, Jacobian) {
        fn mish(mut z: SVector<f32, 32>, j: &mut SMatrix<f32, 32, 4>) -> SVector<f32, 32> {
            for (i, z) in z.iter_mut().enumerate() {
                let w = libm::expf(*z);
                let n = w * (w + 2.0);
                let d = n + 2.0;
                let slope = n / d + 4.0 * *z * w * (w + 1.0) / (d * d);
                j.row_mut(i).scale_mut(slope);
                *z = *z * n / d;
            }
            z
        }
        let (weight, bias) = &self.first;
        let mut j = *weight;
        let mut y = mish(weight * x + bias, &mut j);
        for (weight, bias) in &self.hidden {
            j = weight * j;
            y = mish(weight * y + bias, &mut j);
        }
        let (weight, bias) = &self.last;
        (weight * y + bias, weight * j)
    }
}

/// Forward automatic differentiation: the network over dual numbers with four derivatives.
fn with_num_dual(weights: &Weights, x: &Input) -> (Output, Jacobian) {
    type Number = DualSVec32<4>;

    fn layer<const IN: usize, const OUT: usize>(
        weight: &[[f32; IN]; OUT],
        bias: &[f32; OUT],
        y: &[Number; IN],
    ) -> [Number; OUT] {
        array::from_fn(|i| {
            let products = weight[i].iter().zip(y).map(|(&w, &y)| y * w);
            products.fold(Number::from_re(bias[i]), |z, product| z + product)
        })
    }
    fn mish(z: Number) -> Number {
        z * z.exp().ln_1p().tanh()
    }

    num_dual::jacobian(
        |x: SVector<Number, 4>| {
            let x = array::from_fn(|j| x[j]);
            let mut y = layer(&weights.first, &weights.first_bias, &x).map(mish);
            for (weight, bias) in weights.hidden.iter().zip(&weights.hidden_bias) {
                y = layer(weight, bias, &y).map(mish);
            }
            SVector::from(layer(&weights.last, &weights.last_bias, &y))
        },
        x,
    )
}

/// The C by hand, which `cargo xtask bench` compiles.
struct WithC {
    library: Library,
    function: &'static [u8],
}

impl WithC {
    /// `None` where it was not compiled.
    fn load(file: &str, function: &'static [u8]) -> Result<Option<Self>, libloading::Error> {
        let Some(folder) = env::var_os("FNN_SEED_LIBRARIES") else {
            return Ok(None);
        };
        // SAFETY: the library is one that `cargo xtask bench` has just compiled from seed.c; it has
        // no initialiser. In it `seed_weights` is memory of the type `Weights`.
        unsafe {
            let library = Library::new(Path::new(&folder).join(file))?;
            let memory = *library.get::<*mut Weights>(b"seed_weights\0")?;
            memory.copy_from_nonoverlapping(&raw const seed_weights, 1);
            Ok(Some(Self { library, function }))
        }
    }

    fn evaluate(
        &self,
    ) -> Result<impl Fn(&Input) -> (Output, Jacobian) + use<'_>, libloading::Error> {
        type Seed = unsafe extern "C" fn(*const i32, *const f32, *mut f32, *mut f32) -> i32;
        // SAFETY: this is the prototype of both functions in seed.c.
        let seed = unsafe { self.library.get::<Seed>(self.function) }?;
        Ok(move |x: &Input| {
            let (mut f, mut g) = (Output::zeros(), Jacobian::zeros());
            // SAFETY: `seed` reads 2 needs and 4 inputs, writes 3 outputs and 4 columns of 3.
            unsafe { seed([1, 1].as_ptr(), x.as_ptr(), f.as_mut_ptr(), g.as_mut_ptr()) };
            (f, g)
        })
    }
}

/// The network as `fnn-std` reads it from a file.
fn model(weights: &Weights) -> fnn_std::Result<Model> {
    let layer = |weight: &[f32], bias: &[f32], activation| {
        let tensor = |name: &str, shape, numbers: &[f32]| Tensor {
            name: name.to_owned(),
            shape,
            numbers: numbers.iter().map(|&x| x.into()).collect(),
        };
        let shape = vec![bias.len(), weight.len() / bias.len()];
        let bias = tensor("bias", vec![bias.len()], bias);
        Layer::new(tensor("weight", shape, weight), Some(bias), activation)
    };
    let first = (weights.first.as_flattened(), &weights.first_bias);
    let hidden = weights.hidden.iter().map(|w| w.as_flattened());
    let mut layers = Vec::new();
    for (weight, bias) in [first].into_iter().chain(hidden.zip(&weights.hidden_bias)) {
        layers.push(layer(weight, bias, Activation::Mish)?);
    }
    let last = weights.last.as_flattened();
    layers.push(layer(last, &weights.last_bias, Activation::Identity)?);
    Model::new(layers, Precision::F32)
}

/// Inputs in (-1, 1), so that no contender may remember the last one.
fn inputs() -> Vec<Input> {
    (0..64)
        .map(|k| Input::from_fn(|j, _| ((k * 4 + j) as f32 * 0.7).sin()))
        .collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let network = black_box(&NETWORK);
    let weights = black_box(&seed_weights);
    let mut workspace = seed::Workspace::new();
    // The same network in the other order: with vectors the order of fewer multiply-adds is not
    // the faster one for so few outputs.
    let forward = Box::new(seed::Forward::with_order(NETWORK.layers().clone()));
    let forward = black_box(&*forward);
    let mut workspace_forward = Workspace::<f32, { seed::Forward::WORKSPACE }>::new();
    let mut workspace_of_value = seed::Workspace::new();
    let mut evaluator = Evaluator::<f32>::new(&model(weights)?)?;
    let with_nalgebra = WithNalgebra::new(weights);
    let c = [
        (
            "C (expf, log1pf, tanhf)",
            WithC::load("libseed.so", b"seed\0")?,
        ),
        (
            "C (one expf)",
            WithC::load("libseed_one_exponential.so", b"seed_one_exponential\0")?,
        ),
    ];

    type Contender<'a> = (&'a str, Box<dyn FnMut(&Input) -> (Output, Jacobian) + 'a>);
    let mut contenders: Vec<Contender<'_>> = vec![
        (
            "fnn-core",
            Box::new(|x| {
                let y = network.evaluate(x, &mut workspace);
                (y.value, y.jacobian)
            }),
        ),
        (
            "fnn-core, forward",
            Box::new(|x| {
                let y = forward.evaluate(x, &mut workspace_forward);
                (y.value, y.jacobian)
            }),
        ),
        (
            "fnn-std",
            Box::new(move |x| {
                let (mut y, mut j) = ([0.0; 3], [0.0; 12]);
                let _ = evaluator.evaluate(x.as_slice(), &mut y, &mut j);
                (Output::from(y), Jacobian::from_row_slice(&j))
            }),
        ),
        (
            "nalgebra, libm (one expf)",
            Box::new(|x| with_nalgebra.evaluate(x)),
        ),
        ("num-dual", Box::new(|x| with_num_dual(weights, x))),
    ];
    for (name, c) in &c {
        match c {
            Some(c) => contenders.push((name, Box::new(c.evaluate()?))),
            None => eprintln!("{name}: missing, `cargo xtask bench` compiles it"),
        }
    }

    let inputs = inputs();
    let truth: Vec<_> = inputs.iter().map(|x| contenders[0].1(x)).collect();
    for (name, evaluate) in &mut contenders {
        for (x, (y, j)) in inputs.iter().zip(&truth) {
            let (found_y, found_j) = evaluate(x);
            // Six layers of sums of 32 products, with fast-math in the C: a few thousand roundings.
            let far =
                (found_y - y).amax() / y.amax() > 1e-4 || (found_j - j).amax() / j.amax() > 1e-4;
            if far {
                return Err(
                    format!("{name} evaluates {found_y} {found_j}, fnn-core {y} {j}").into(),
                );
            }
        }
    }

    if !env::args().any(|arg| arg == "--bench") {
        println!(
            "{} contenders agree; `cargo bench` takes their times",
            contenders.len()
        );
        return Ok(());
    }

    let time = |evaluate: &mut dyn FnMut(&Input)| {
        let start = Instant::now();
        for k in 0..EVALUATIONS {
            evaluate(black_box(&inputs[k % inputs.len()]));
        }
        start.elapsed().as_nanos() as f64 / EVALUATIONS as f64
    };
    let mut times = vec![Vec::new(); contenders.len() + 1];
    for _ in 0..ROUNDS {
        for ((_, evaluate), times) in contenders.iter_mut().zip(&mut times) {
            times.push(time(&mut |x| {
                black_box(evaluate(x));
            }));
        }
        times[contenders.len()].push(time(&mut |x| {
            black_box(network.value(x, &mut workspace_of_value));
        }));
    }
    let median = |times: &Vec<f64>| {
        let mut times = times.clone();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let medians: Vec<f64> = times.iter().map(median).collect();

    println!("value and Jacobian of 4-32-32-32-32-32-3, mish, f32, one input");
    println!("{:<26} {:>9} {:>9}", "", "ns", "× fnn");
    let names = contenders
        .iter()
        .map(|(name, _)| *name)
        .chain(["fnn-core, value alone"]);
    let mut json = Vec::new();
    for (name, ns) in names.zip(&medians) {
        println!("{name:<26} {ns:>9.0} {:>9.2}", ns / medians[0]);
        json.push(format!(
            "  {{\"name\": \"{name}\", \"ns\": {ns:.1}, \"ratio\": {:.3}}}",
            ns / medians[0]
        ));
    }
    if let Some(path) = env::var_os("FNN_BENCH_JSON") {
        fs::write(path, format!("[\n{}\n]\n", json.join(",\n")))?;
    }
    Ok(())
}
