//! ONNX files between this program and others.
//!
//! `conformance FOLDER` reads models and compares with what other programs computed: it takes
//! from `FOLDER/cases.tsv` a case a line: the name of a folder in FOLDER
//! with `model.onnx`, `x.npy` [rows, inputs], `y.npy` [rows, outputs] and, where the program gives
//! derivatives, `j.npy` [rows, outputs, inputs]; how far from the largest output, relative to it, an
//! output may be, and a derivative from the largest; and the output's name, if it has to be named. Where
//! there is `y64.npy`, these are outputs of the file's own numbers in f64, and the model read for
//! f64 may be [`DOUBLE`] away from them. It
//! prints a line for each: the name, `passed`, `failed` or `refused`, and why. Without a folder it
//! prints the operators of ONNX that are read.
//!
//! `conformance --write FOLDER` writes models for another program to evaluate: a folder for each with
//! `model.onnx`, `x.csv`, `y.csv` and `bound.csv`, how far from y its outputs may be by rounding in
//! the precision of the model, with 128 units for an activation; and `FOLDER/meant.tsv`, a line for
//! each: its name, `written by fnn`, its name again, `read`, and what it is one of.

use std::{
    env, error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use fnn_std::{
    Activation, Model, Order, Precision, Rows,
    array::Reader,
    bound::{Arithmetic, value_bound},
    export, import,
    model::{Affine, Concat, Dense, Layer, LayerNorm, Residual, Select, Softmax, Tensor},
    reference,
};

type Result<T> = std::result::Result<T, Box<dyn error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    match &*arguments {
        [] => {
            import::onnx_operators().for_each(|operator| println!("{operator}"));
            Ok(())
        }
        [flag, folder] if flag == "--write" => write(Path::new(folder)),
        [folder] => compare(Path::new(folder)),
        _ => Err("wanted: conformance [FOLDER | --write FOLDER]".into()),
    }
}

/// How far from the largest output one may be in f64: some tens of roundings.
const DOUBLE: f64 = 1e-14;

fn compare(folder: &Path) -> Result<()> {
    for line in fs::read_to_string(folder.join("cases.tsv"))?.lines() {
        let mut fields = line.split('\t');
        let (Some(name), Some(tolerance)) = (fields.next(), fields.next()) else {
            return Err(format!("the line `{line}`").into());
        };
        let output = fields.next().filter(|name| !name.is_empty());
        let case = folder.join(name);
        let (mut status, mut reason) =
            self::case(&case, None, &case.join("y.npy"), tolerance.parse()?, output)?;
        let expected = case.join("y64.npy");
        if status == "passed" && expected.exists() {
            let double = Some(Precision::F64);
            let (in_double, how) = self::case(&case, double, &expected, DOUBLE, output)?;
            reason += &format!("; in f64 {how}");
            if in_double != "passed" {
                status = "failed";
            }
        }
        println!("{name}\t{status}\t{reason}");
    }
    Ok(())
}

/// The status of a case, read for an evaluation in `precision`, and the reason for it.
fn case(
    folder: &Path,
    precision: Option<Precision>,
    expected: &Path,
    tolerance: f64,
    output: Option<&str>,
) -> Result<(&'static str, String)> {
    let options = import::Options {
        output_name: output.map(str::to_owned),
        precision,
        ..Default::default()
    };
    let file = ["model.onnx", "model.safetensors"].map(|name| folder.join(name));
    let [onnx, safetensors] = file;
    let file = if onnx.exists() { onnx } else { safetensors };
    let model = match import::read(file, &options) {
        Ok(model) => model,
        Err(error) => return Ok(("refused", error.to_string())),
    };
    let (x, y) = (Rows::read(folder.join("x.npy"))?, Rows::read(expected)?);
    let expected: Vec<f64> = y.iter().flatten().copied().collect();
    let flat: Vec<f64> = x.iter().flatten().copied().collect();
    // A graph without an axis of rows takes all numbers as one.
    let is_one_row = flat.len() == model.inputs();
    if !is_one_row && x.get(0).map(<[f64]>::len) != Some(model.inputs()) {
        return Ok(("failed", format!("the model has {} inputs", model.inputs())));
    }
    let (mut found, mut derivatives) = (Vec::new(), Vec::new());
    for row in flat.chunks_exact(model.inputs()) {
        let evaluation = reference::evaluate(&model, row)?;
        found.extend(evaluation.value);
        derivatives.extend(evaluation.jacobian.concat());
    }
    if found.len() != expected.len() {
        let numbers = format!("{} numbers, wanted {}", found.len(), expected.len());
        return Ok(("failed", numbers));
    }
    let mut worst = error(&found, &expected);
    let jacobian = folder.join("j.npy");
    // The frameworks computed theirs in the format of the file.
    if precision.is_none() && jacobian.exists() {
        let shape = [model.outputs(), model.inputs()];
        let mut expected = Vec::new();
        Reader::open_results(&jacobian, x.len(), &shape, None)?.read(usize::MAX, &mut expected)?;
        worst = worst.max(error(&derivatives, &expected));
    }
    let kinds: Vec<_> = model.layers().iter().map(|layer| layer.kind()).collect();
    let status = if worst <= tolerance {
        "passed"
    } else {
        "failed"
    };
    Ok((status, format!("error {worst:.1e}: {}", kinds.join(", "))))
}

/// The largest difference, relative to the largest of the numbers that are expected.
fn error(found: &[f64], expected: &[f64]) -> f64 {
    let largest = expected.iter().fold(1e-30, |m: f64, y| m.max(y.abs()));
    let worst = found.iter().zip(expected).map(|(a, b)| {
        let is_same = a == b || a.is_nan() && b.is_nan();
        if is_same {
            0.0
        } else {
            (a - b).abs() / largest
        }
    });
    // Not a number compares as larger than all.
    worst.fold(
        0.0,
        |m: f64, e| if e.is_nan() { f64::INFINITY } else { m.max(e) },
    )
}

/// The error that an activation may have, in units of u: 16 for an operator, of which an activation
/// that is written in parts has several; not more than eight of them pass an error on whole.
const UNITS: f64 = 8.0 * 16.0;

fn write(folder: &Path) -> Result<()> {
    let mut meant = String::new();
    for (name, what, model, inputs) in models()? {
        let place = folder.join(&name);
        fs::create_dir_all(&place)?;
        export::write(&model, place.join("model.onnx"))?;
        let arithmetic = |precision| Arithmetic {
            activations: UNITS,
            ..Arithmetic::new(precision, Order::Forward)
        };
        let (mut x, mut y, mut bound) = (String::new(), String::new(), String::new());
        for input in inputs {
            let own = value_bound(&model, &input, Arithmetic::of_reference())?;
            let other = value_bound(&model, &input, arithmetic(model.precision()))?;
            let both: Vec<f64> = own.iter().zip(&other).map(|(a, b)| a + b).collect();
            line(&mut y, &reference::value(&model, &input)?)?;
            line(&mut x, &input)?;
            line(&mut bound, &both)?;
        }
        fs::write(place.join("x.csv"), x)?;
        fs::write(place.join("y.csv"), y)?;
        fs::write(place.join("bound.csv"), bound)?;
        writeln!(meant, "{name}\twritten by fnn\t{name}\tread\t{what}")?;
    }
    fs::write(folder.join("meant.tsv"), meant)?;
    Ok(())
}

fn line(text: &mut String, numbers: &[f64]) -> Result<()> {
    let numbers: Vec<String> = numbers.iter().map(|x| format!("{x:?}")).collect();
    Ok(writeln!(text, "{}", numbers.join(","))?)
}

/// A model's name, what it is one of, and inputs.
type Case = (String, String, Model, Vec<Vec<f64>>);

fn models() -> Result<Vec<Case>> {
    let mut models = Vec::new();
    for precision in [Precision::F32, Precision::F64] {
        let mut add = |what: String, layers: Vec<Layer>| -> Result<()> {
            let model = Model::new(layers, precision)?;
            let inputs = arbitrary(&model);
            models.push((format!("{what} in {precision}"), what, model, inputs));
            Ok(())
        };
        let mut activations = Activation::ALL.to_vec();
        activations.extend([
            Activation::LeakyRelu(-0.5),
            Activation::LeakyRelu(1.5),
            Activation::Elu(0.7),
        ]);
        for (low, high) in [(0.0, 6.0), (-0.3, f64::INFINITY), (f64::NEG_INFINITY, 0.3)] {
            activations.push(Activation::Clip { low, high });
        }
        for activation in activations {
            let layers = vec![dense(4, 6, 1, activation)?, dense(6, 3, 2, LINEAR)?];
            add(format!("activation {activation}"), layers)?;
        }
        let affine = |size: usize, seed: usize| {
            let (scale, shift) = (numbers(size, seed), numbers(size, seed + 1));
            Affine::new("affine", scale, shift, Activation::Tanh).map(Layer::from)
        };
        let norm = |size: usize| {
            let (scale, shift) = (numbers(size, 7), numbers(size, 8));
            LayerNorm::new("norm", scale, shift, 1e-5).map(Layer::from)
        };
        let softmax = |size: usize| Softmax::new("softmax", size).map(Layer::from);
        let select = |from, to| Select::new("select", 6, from..to).map(Layer::from);
        let inside = vec![dense(6, 4, 3, Activation::Relu)?, dense(4, 6, 4, LINEAR)?];
        let residual = || Residual::new(inside.clone()).map(Layer::from);
        let branches = || -> Result<Layer> {
            let second = Concat::new(vec![vec![select(4, 6)?], vec![residual()?, norm(6)?]])?;
            let first = vec![dense(6, 3, 5, Activation::Silu)?];
            Ok(Concat::new(vec![first, vec![second.into()], vec![softmax(6)?]])?.into())
        };
        add("layer dense".to_owned(), vec![dense(6, 2, 1, LINEAR)?])?;
        add(
            "layer affine".to_owned(),
            vec![affine(6, 1)?, affine(6, 2)?],
        )?;
        add("layer norm".to_owned(), vec![norm(6)?, norm(6)?])?;
        add("layer softmax".to_owned(), vec![softmax(6)?])?;
        add("layer select".to_owned(), vec![select(1, 4)?])?;
        add("layer residual".to_owned(), vec![residual()?, residual()?])?;
        add("layer concat, others in it".to_owned(), vec![branches()?])?;
        let all = vec![
            affine(6, 1)?,
            residual()?,
            norm(6)?,
            branches()?,
            softmax(17)?,
        ];
        add("all kinds of layers".to_owned(), all)?;
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kinds = [
        ("tests/data/keras", "Keras models read before"),
        ("tests/data/npz", "npz files read before"),
        ("tests/data/json", "JSON models read before"),
        ("tests/data/onnx", "ONNX files read before"),
        ("models/layers", "JSON models read before"),
        ("models/dynamics", "safetensors files read before"),
        ("models/every", "safetensors files read before"),
        ("models/ignition", "safetensors files read before"),
    ];
    for (folder, what) in kinds {
        let entries = fs::read_dir(package.join(folder))?;
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::result::Result<_, _>>()?;
        paths.sort();
        for path in paths {
            let file = if path.is_dir() {
                path.join("model.onnx")
            } else {
                path.clone()
            };
            // npz files do not say their activations, of which these have one a layer.
            let read = |layers: usize| {
                let activations = vec![Activation::Mish; layers];
                let options = import::Options {
                    activations: Some(activations).filter(|all| !all.is_empty()),
                    ..Default::default()
                };
                import::read(&file, &options)
            };
            // Inputs lie beside the models, and files that are refused.
            if let Some(model) = (0..=3).find_map(|layers| read(layers).ok()) {
                let name = path.strip_prefix(package)?.display().to_string();
                let inputs = match Rows::read(path.with_file_name("inputs.npy")) {
                    // Numbers that the network was trained with.
                    Ok(rows) => rows.iter().take(8).map(<[f64]>::to_vec).collect(),
                    Err(_) => arbitrary(&model),
                };
                models.push((name.replace('/', " "), what.to_owned(), model, inputs));
            }
        }
    }
    Ok(models)
}

/// Inputs that are numbers of f32, in the last row so large that what can overflow does.
fn arbitrary(model: &Model) -> Vec<Vec<f64>> {
    let row = |row: usize| {
        let scale = if row == 7 { 1024.0 } else { 2.0 };
        let numbers = numbers(model.inputs(), 40 + row);
        numbers.into_iter().map(|x| scale * x).collect()
    };
    (0..8).map(row).collect()
}

const LINEAR: Activation = Activation::Identity;

fn dense(inputs: usize, outputs: usize, seed: usize, activation: Activation) -> Result<Layer> {
    let tensor = |name: &str, shape: &[usize]| Tensor {
        name: format!("{seed}.{name}"),
        shape: shape.to_vec(),
        numbers: numbers(shape.iter().product(), seed),
    };
    let weight = tensor("weight", &[outputs, inputs]);
    let bias = tensor("bias", &[outputs]);
    Ok(Dense::new(weight, Some(bias), activation)?.into())
}

/// Numbers of f32 between -1 and 1 that look random.
fn numbers(count: usize, seed: usize) -> Vec<f64> {
    let number = |k: usize| ((k * k + 7 * k + 13 * seed + 1) as f32 * 0.61).sin();
    (0..count).map(|k| number(k).into()).collect()
}
