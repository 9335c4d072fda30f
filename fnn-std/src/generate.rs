//! A model as a Rust module for `fnn-core`, alone or in a crate of its own: what `fnn generate` does.
//!
//! [`run`] writes a module and [`run_crate`] a crate. The module holds items only, so that it can be included anywhere:
//!
//! - `Scalar`, the number format,
//! - `Network`, the type of the network, and `NETWORK`, the network with its weights,
//! - `Workspace`, the scratch memory that an evaluation of it takes,
//! - `RECORDS`, inputs with the value and the Jacobian that were computed for them here, to the
//!   bit: `NETWORK.replay(&RECORDS, &mut workspace)` shows that a device computes the same.
//!
//! The crate is `no_std` and made of that module, documentation with the meaning of each input and
//! output where the model names them, a function `self_test` that replays the records, tests, and a
//! README with the size and the cost.
//!
//! # In a build script
//!
//! `build.rs`, with `fnn-std` among the build dependencies:
//!
//! ```no_run
//! fn main() -> Result<(), fnn_std::Error> {
//!     fnn_std::generate::in_build_script("models/policy.safetensors", "policy.rs", &Default::default())
//! }
//! ```
//!
//! and in the crate:
//!
//! ```ignore
//! mod policy {
//!     include!(concat!(env!("OUT_DIR"), "/policy.rs"));
//! }
//! ```

mod c;
mod carried;
mod library;
mod package;
mod report;

use std::{
    env,
    fmt::{self, Write},
    io::Write as _,
    ops::Range,
    path::{Path, PathBuf},
};

use crate::{
    activation::Activation,
    array::Rows,
    error::{Error, Result},
    evaluator::{Evaluator, Float},
    file::{self, Draft},
    import,
    line::visible,
    model::{Layer, Model, Precision},
    order::Order,
};

pub use library::{Library, Optimize, run_library};
pub use package::Crate;
pub use report::{Report, typed};

/// What [`run`] and [`run_crate`] are told: the options of `fnn generate`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// A file of inputs, `.npy` or `.csv`, to take the records from; without one the inputs are
    /// the middle of the ranges that the model states and numbers in them. One that states none has
    /// those that the scaling at its beginning takes to -1 to 1, or else these.
    pub input: Option<PathBuf>,
    /// Whether the first line of a `.csv` of inputs is a header; told from the line by default.
    pub header: Option<bool>,
    /// How many records the module holds, [`RECORDS`] by default or as many as have some million
    /// numbers; fewer where there are fewer inputs.
    pub records: Option<usize>,
    /// The number format of the module; the model's own by default.
    pub precision: Option<Precision>,
    /// The order of accumulation of the Jacobian.
    pub order: Order,
    /// How the model is read.
    pub import: import::Options,
}

/// What the name of a module's file may end in.
const ENDINGS: &[&str] = &["rs"];

/// Records in a module that was not told how many.
pub const RECORDS: usize = 16;

/// Numbers of all records in a module that was not told how many it has, unless a single one has
/// more: a short file may state large sizes.
const MOST_RECORDED: usize = 1 << 22;

/// Records of made-up inputs at most.
const MOST_ARBITRARY: usize = 100_000;

/// Reads the model at `model` and writes a module made from it to `module`, which appears whole
/// or not at all.
///
/// # Errors
/// Whatever keeps it from being done: a file that cannot be read, is damaged or does not fit the
/// model, or one that cannot be written; inputs of which none gives finite numbers.
pub fn run(model: &Path, module: &Path, options: &Options) -> Result<Report> {
    file::keep(&[Some(model), options.input.as_deref()], &[Some(module)])?;
    file::ending(module, ENDINGS)?;
    let model = import::read(model, &options.import.for_evaluation(options.precision))?;
    let mut report = options.module(&model)?.write(module)?;
    report.wrote(module)?;
    let name = module.file_stem().unwrap_or_default().display();
    let file = module.file_name().unwrap_or_default().display();
    report.next(format!(
        "mod {name} {{ include!(\"{file}\"); }}, in a crate that depends on fnn-core"
    ));
    Ok(report)
}

/// Reads the model at `model` and writes a crate made from it to `folder`, which appears whole or
/// not at all: [`Crate::write`]. The crate carries the source of `fnn-core`, or depends on the one in the
/// folder `fnn_core`. Its C functions have the name and the other choices of `library`.
///
/// # Errors
/// As [`run`] and [`Crate::write`].
pub fn run_crate(
    model: &Path,
    folder: &Path,
    fnn_core: Option<&Path>,
    library: &Library,
    options: &Options,
) -> Result<Report> {
    package::crate_name(folder)?;
    let mut options = options.clone();
    if library.isat.is_some() {
        options.precision.get_or_insert(Precision::F64);
    }
    let model = import::read(model, &options.import.for_evaluation(options.precision))?;
    let mut new = Crate::new(options.module(&model)?).library(library.clone());
    if let Some(path) = fnn_core {
        new = new.fnn_core(path);
    }
    let mut report = new.write(folder)?;
    report.wrote_folder(folder)?;
    report.next(format!("cd {} && cargo test", report::typed(folder)));
    Ok(report)
}

impl Options {
    /// The module of `model` that they ask for.
    fn module<'m>(&self, model: &'m Model) -> Result<Module<'m>> {
        let mut new = Module::new(model);
        if let Some(input) = &self.input {
            new = new
                .inputs(Rows::read_with(input, self.header)?)
                .map_err(|e| e.in_file(input))?;
        }
        if let Some(records) = self.records {
            new = new.records(records);
        }
        if let Some(precision) = self.precision {
            new = new.precision(precision);
        }
        Ok(new.order(self.order))
    }
}

/// As [`run`], in a build script: the module is called `module` and lies in the folder that Cargo
/// names in `OUT_DIR`; Cargo is told to run the script again when the model or the inputs change,
/// and shows a warning for each input that was left out.
///
/// # Errors
/// As [`run`]; and if `OUT_DIR` is not set, for this is not a build script then.
pub fn in_build_script(
    model: impl AsRef<Path>,
    module: impl AsRef<Path>,
    options: &Options,
) -> Result<()> {
    let model = model.as_ref();
    let Some(folder) = env::var_os("OUT_DIR") else {
        return Err(Error::refused(
            "OUT_DIR is not set, wanted a build script run by Cargo",
        ));
    };
    for file in [Some(model), options.input.as_deref()]
        .into_iter()
        .flatten()
    {
        let name = file.display().to_string();
        if name.contains(['\n', '\r']) {
            // What follows the line break would be an instruction to Cargo.
            let found = "the name holds a line break, wanted one that Cargo can be told";
            return Err(Error::refused(found).in_file(file));
        }
        println!("cargo::rerun-if-changed={name}");
    }
    let mut report = run(model, &Path::new(&folder).join(module), options)?;
    // Only what is not as asked for is worth a warning.
    let left_out = Report::new(std::mem::take(&mut report.left_out));
    for line in left_out.to_string().lines() {
        println!("cargo::warning={line}");
    }
    Ok(())
}

/// A module in the making.
///
/// ```
/// use fnn_std::{Activation, Model, Precision, generate::Module, model::{Dense, Tensor}};
///
/// let weight = Tensor { name: "w".to_owned(), shape: vec![1, 2], numbers: vec![0.5, -2.0] };
/// let layer = Dense::new(weight, None, Activation::Tanh)?;
/// let model = Model::new(vec![layer], Precision::F32)?;
/// let module = Module::new(&model).records(2).text()?.0;
/// assert!(module.contains("fnn_core::Dense<f32, 2, 1, fnn_core::Tanh>"));
/// # Ok::<(), fnn_std::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Module<'m> {
    model: &'m Model,
    inputs: Option<Rows>,
    records: usize,
    precision: Precision,
    order: Order,
}

impl<'m> Module<'m> {
    /// A module made from `model`, in its own precision.
    pub fn new(model: &'m Model) -> Self {
        let numbers = model.inputs() + model.outputs() * (1 + model.inputs());
        Self {
            model,
            inputs: None,
            records: RECORDS.min(MOST_RECORDED / numbers).max(1),
            precision: model.precision(),
            order: Order::Auto,
        }
    }

    /// With records of these inputs.
    ///
    /// # Errors
    /// Inputs that are not those of the model: [`Rows::for_model`].
    pub fn inputs(mut self, inputs: Rows) -> Result<Self> {
        self.inputs = Some(inputs.for_model(self.model)?);
        Ok(self)
    }

    /// With at most this many records, taken from inputs spread evenly over all of them.
    #[must_use]
    pub fn records(mut self, records: usize) -> Self {
        self.records = records;
        self
    }

    /// In this number format.
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// With a network that accumulates its Jacobian in this order.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Writes the module to the file at `path`, which appears whole or not at all.
    ///
    /// # Errors
    /// As [`text`](Self::text); a name that does not end in `.rs`; a file that cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<Report> {
        file::ending(path.as_ref(), ENDINGS)?;
        let (text, report) = self.text()?;
        let mut draft = Draft::new(path.as_ref())?;
        draft
            .write_all(text.as_bytes())
            .map_err(|e| draft.cannot_write(e))?;
        draft.finish()?;
        Ok(report)
    }

    /// The text of the module.
    ///
    /// # Errors
    /// A weight that is too large for the number format; inputs of which none gives finite
    /// numbers.
    pub fn text(&self) -> Result<(String, Report)> {
        match self.precision {
            Precision::F32 => self.text_in::<f32>(),
            Precision::F64 => self.text_in::<f64>(),
        }
    }

    fn text_in<T: Float>(&self) -> Result<(String, Report)> {
        let (records, left_out) = self.evaluate::<T>()?;
        let mut text = String::new();
        let _ = self.print::<T>(&mut text, &records);
        let mut report = Report::new(left_out);
        report.recorded = records.len();
        Ok((text, report))
    }

    /// The first record.
    fn first_record(&self) -> Result<Numbers> {
        fn first<T: Float>(module: &Module<'_>) -> Result<Numbers> {
            let (records, _) = module.evaluate::<T>()?;
            let Some(record) = records.first() else {
                return Err(package::no_records());
            };
            let numbers = |all: &[T]| all.iter().map(|x| x.to_f64()).collect();
            Ok(Numbers {
                input: numbers(&record.input),
                value: numbers(&record.value),
                jacobian: numbers(&record.jacobian),
            })
        }
        match self.precision {
            Precision::F32 => first::<f32>(self),
            Precision::F64 => first::<f64>(self),
        }
    }

    /// The records, and the numbers of the inputs that give a number that is not finite.
    fn evaluate<T: Float>(&self) -> Result<(Vec<Record<T>>, Vec<usize>)> {
        let mut evaluator = Evaluator::<T>::with_order(self.model, self.order)?;
        let (inputs, outputs) = (self.model.inputs(), self.model.outputs());
        let rows = self.inputs.clone();
        let rows = rows.map_or_else(|| arbitrary(self.model, self.records), Ok)?;
        let wanted = self.records.min(rows.len());
        let (mut records, mut left_out) = (Vec::new(), Vec::new());
        for at in 0..wanted {
            // From the first to the last, in even steps.
            let row = at * (rows.len() - 1) / (wanted - 1).max(1);
            let x = rows.get(row).unwrap_or_default();
            let mut record = Record {
                input: x.iter().map(|&x| T::from_f64(x)).collect(),
                value: vec![T::ZERO; outputs],
                jacobian: vec![T::ZERO; outputs * inputs],
            };
            evaluator.evaluate(&record.input, &mut record.value, &mut record.jacobian)?;
            let is_finite = |numbers: &Vec<T>| numbers.iter().all(|x| x.to_f64().is_finite());
            if [&record.input, &record.value, &record.jacobian]
                .into_iter()
                .all(is_finite)
            {
                records.push(record);
            } else {
                left_out.push(row);
            }
        }
        if records.is_empty() && self.records > 0 {
            return Err(Error::refused(
                "no input gives a value and a Jacobian of finite numbers to record",
            )
            .with_help("give inputs of the kind that the model was trained with: --input X.npy"));
        }
        Ok((records, left_out))
    }

    /// What the module says of the model beside the network: the name of each constant, its type, and its
    /// value as Rust has it.
    fn labels(&self) -> Vec<(String, String, String)> {
        let model = self.model;
        let list = |items: Vec<String>| {
            let line = format!("[{}]", items.join(", "));
            if line.len() <= WIDTH / 2 {
                return line;
            }
            let mut lines = String::new();
            let items: Vec<_> = items.iter().map(|item| format!("{item},")).collect();
            let _ = wrap(&mut lines, "    ", items.iter().map(String::as_str));
            format!("[\n{lines}]")
        };
        let texts = |all: &[String]| list(all.iter().map(|text| format!("{text:?}")).collect());
        let ends = |range: &Range<f64>| format!("({:?}, {:?})", range.start, range.end);
        let ranges = |all: &[Range<f64>]| list(all.iter().map(ends).collect());
        let mut labels = Vec::new();
        if let Some(source) = model.source() {
            let hash = format!("{:?}", source.sha256);
            labels.push(("MODEL_SHA256".to_owned(), "&str".to_owned(), hash));
        }
        let (inputs, outputs) = (model.inputs(), model.outputs());
        for (name, of, count, value) in [
            (
                "INPUT_NAMES",
                "&str",
                inputs,
                model.input_names().map(texts),
            ),
            (
                "INPUT_UNITS",
                "&str",
                inputs,
                model.input_units().map(texts),
            ),
            (
                "INPUT_RANGES",
                "(f64, f64)",
                inputs,
                model.input_ranges().map(ranges),
            ),
            (
                "OUTPUT_NAMES",
                "&str",
                outputs,
                model.output_names().map(texts),
            ),
            (
                "OUTPUT_UNITS",
                "&str",
                outputs,
                model.output_units().map(texts),
            ),
            (
                "OUTPUT_RANGES",
                "(f64, f64)",
                outputs,
                model.output_ranges().map(ranges),
            ),
        ] {
            if let Some(value) = value {
                labels.push((name.to_owned(), format!("[{of}; {count}]"), value));
            }
        }
        labels
    }

    fn print<T: Float>(&self, f: &mut String, records: &[Record<T>]) -> fmt::Result {
        let model = self.model;
        let scalar = T::NAME;
        let (inputs, outputs) = (model.inputs(), model.outputs());
        let version = env!("CARGO_PKG_VERSION");
        match model.source() {
            Some(source) => {
                let (file, sha256) = (code(&source.file), &source.sha256);
                writeln!(
                    f,
                    "// Generated by fnn {version} from {file} (sha256 {sha256}). Do not edit."
                )?;
            }
            None => writeln!(
                f,
                "// Generated by fnn {version} from a model that was in no file. Do not edit."
            )?,
        }

        writeln!(
            f,
            "\n/// The number format of the weights, the inputs and the outputs."
        )?;
        writeln!(
            f,
            "#[allow(dead_code, unreachable_pub)]\npub type Scalar = {scalar};\n"
        )?;

        for (name, kind, value) in self.labels() {
            let what = match name.split_once('_') {
                Some(("MODEL", _)) => "The SHA-256 of the model's file.".to_owned(),
                Some((of, kind)) => format!(
                    "The {} of the {}s, in their order.",
                    kind.to_ascii_lowercase(),
                    of.to_ascii_lowercase()
                ),
                None => String::new(),
            };
            writeln!(f, "/// {what}\n{ATTRIBUTES}")?;
            writeln!(f, "pub const {name}: {kind} = {value};\n")?;
        }

        let sizes: Vec<_> = model
            .layers()
            .iter()
            .map(|l| l.outputs().to_string())
            .collect();
        let (parameters, bytes) = (
            model.parameters(),
            model.parameters() * self.precision.bytes(),
        );
        let shape = model.shape();
        let cut = self.order.cut(&shape, inputs);
        let (value, jacobian) = (
            shape.value_multiply_adds(),
            shape.jacobian_multiply_adds(cut, inputs),
        );
        let summary = [
            format!(
                "The network {inputs}-{}: {parameters} parameters, {bytes} bytes of flash.",
                sizes.join("-")
            ),
            format!(
                "Its value takes {value} multiply-adds, its Jacobian {jacobian} more, {}.",
                match cut {
                    0 => "in reverse".to_owned(),
                    _ if cut == shape.depth() => "forward".to_owned(),
                    _ => format!("forward to layer {cut} and in reverse after it"),
                }
            ),
        ];
        wrap(f, "/// ", summary.iter().flat_map(|s| s.split(' ')))?;
        for (what, names) in [
            ("inputs", model.input_names()),
            ("outputs", model.output_names()),
        ] {
            if let Some(names) = names {
                writeln!(f, "///\n/// The {what}:")?;
                for (i, name) in names.iter().enumerate() {
                    writeln!(f, "/// {i}. {}", code(name))?;
                }
            }
        }
        writeln!(f, "#[rustfmt::skip]\n#[allow(dead_code, unreachable_pub)]")?;
        writeln!(
            f,
            "pub type Network = fnn_core::Network<\n    fnn_core::Chain!["
        )?;
        let runs = runs(model.layers());
        for run in &runs {
            print_type_of_run::<T>(f, "        ", run)?;
        }
        match self.order {
            Order::Auto => writeln!(f, "    ],\n>;\n")?,
            Order::Forward => writeln!(f, "    ],\n    fnn_core::Forward,\n>;\n")?,
            Order::Reverse => writeln!(f, "    ],\n    fnn_core::Reverse,\n>;\n")?,
            Order::Cut(cut) => writeln!(f, "    ],\n    fnn_core::Cut<{cut}>,\n>;\n")?,
        }

        writeln!(f, "/// The network with its weights, column by column.")?;
        writeln!(f, "{ATTRIBUTES}")?;
        writeln!(
            f,
            "pub static NETWORK: Network = fnn_core::Network::with_order(fnn_core::chain!["
        )?;
        for run in &runs {
            match run {
                [layer] => print_layer::<T>(f, "    ", layer)?,
                layers => {
                    writeln!(f, "    [")?;
                    for layer in *layers {
                        print_layer::<T>(f, "        ", layer)?;
                    }
                    writeln!(f, "    ],")?;
                }
            }
        }
        writeln!(f, "]);\n")?;

        writeln!(
            f,
            "/// The scratch memory that an evaluation of the network takes.\n#[allow(dead_code, unreachable_pub)]"
        )?;
        writeln!(
            f,
            "pub type Workspace = fnn_core::Workspace<{scalar}, {{ Network::WORKSPACE }}>;\n"
        )?;

        let count = records.len();
        writeln!(
            f,
            "/// Inputs with the value and the Jacobian that the network must give for them, to the bit."
        )?;
        writeln!(f, "{ATTRIBUTES}")?;
        writeln!(
            f,
            "pub static RECORDS: [fnn_core::Record<{scalar}, {inputs}, {outputs}>; {count}] = ["
        )?;
        for record in records {
            writeln!(f, "    fnn_core::Record {{")?;
            print_numbers(f, "        input: ", record.input.iter().copied())?;
            print_numbers(f, "        value: ", record.value.iter().copied())?;
            writeln!(f, "        jacobian: [")?;
            for row in record.jacobian.chunks_exact(inputs) {
                print_numbers(f, "            ", row.iter().copied())?;
            }
            writeln!(f, "        ],\n    }},")?;
        }
        writeln!(f, "];")
    }
}

/// Numbers are written in full, so some may look like a constant that they are not; a crate may
/// leave the records alone.
const ATTRIBUTES: &str = "#[rustfmt::skip]\n#[allow(dead_code, unreachable_pub, clippy::approx_constant, clippy::unreadable_literal)]";

/// The longest line with numbers or words.
const WIDTH: usize = 100;

/// The numbers of a record, which are those of its format.
struct Numbers {
    input: Vec<f64>,
    value: Vec<f64>,
    /// Row by row.
    jacobian: Vec<f64>,
}

struct Record<T> {
    input: Vec<T>,
    value: Vec<T>,
    jacobian: Vec<T>,
}

/// The middle of the inputs' ranges first, then numbers in them that are the same on every run. Where the
/// model states no ranges, they are what its first layer scales to -1 to 1, if that is a scaling, else these.
fn arbitrary(model: &Model, rows: usize) -> Result<Rows> {
    if rows > MOST_ARBITRARY {
        return Err(Error::refused(format!(
            "{rows} records are asked for, wanted at most {MOST_ARBITRARY} where no inputs are given"
        )));
    }
    let mut state = 0_u64;
    let random = std::iter::repeat_with(|| {
        // The SplitMix64 generator; its upper 24 bits make a number that f32 holds exactly.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 23) - 1.0
    });
    let columns = model.inputs();
    let scaled = scaled_to_unit(model);
    let ranges = model.input_ranges().or(scaled.as_deref());
    let zeros = std::iter::repeat_n(0.0, columns);
    let numbers = zeros.chain(random).take(rows * columns).enumerate();
    let placed = numbers.map(|(at, number)| match ranges {
        Some(ranges) => {
            let Range { start, end } = ranges[at % columns].clone();
            // A number of f32, so that both formats have the same input.
            f64::from((start + (end - start) * (number + 1.0) / 2.0) as f32)
        }
        None => number,
    });
    Rows::new(columns, placed.collect())
}

/// The ranges that the scalings at the beginning of the model take to -1 to 1: those of its training, as far
/// as the file tells. `None` without such a layer, or where an entry has none.
fn scaled_to_unit(model: &Model) -> Option<Vec<Range<f64>>> {
    let scalings = model.layers().iter().map_while(|layer| match layer {
        Layer::Affine(scaling) => Some(scaling),
        _ => None,
    });
    // y = scale * x + shift, of all scalings up to the first activation.
    let mut all: Option<Vec<(f64, f64)>> = None;
    for scaling in scalings {
        let each = scaling.scale().iter().zip(scaling.shift());
        all = Some(match all {
            None => each.map(|(&s, &t)| (s, t)).collect(),
            Some(all) => all
                .iter()
                .zip(each)
                .map(|(&(scale, shift), (&s, &t))| (s * scale, s * shift + t))
                .collect(),
        });
        if scaling.activation() != Activation::Identity {
            break;
        }
    }
    let ranges = all?.into_iter().map(|(scale, shift)| {
        let (low, high) = ((-1.0 - shift) / scale, (1.0 - shift) / scale);
        let is_range = low.is_finite() && high.is_finite() && low != high;
        is_range.then_some(low.min(high)..low.max(high))
    });
    ranges.collect()
}

/// The layers in runs of one type.
fn runs(layers: &[Layer]) -> Vec<&[Layer]> {
    let type_of = |layer: &Layer| {
        let mut text = String::new();
        let _ = print_type::<f64>(&mut text, "", layer, "");
        text
    };
    layers.chunk_by(|a, b| type_of(a) == type_of(b)).collect()
}

/// The type of a run: an array where it has several layers.
fn print_type_of_run<T: Float>(f: &mut String, indent: &str, run: &[Layer]) -> fmt::Result {
    match run {
        [layer] => print_type::<T>(f, indent, layer, ","),
        [layer, ..] if layer.inside().is_empty() => {
            let end = format!("; {}],", run.len());
            print_type::<T>(f, &format!("{indent}["), layer, &end)
        }
        [layer, ..] => {
            writeln!(f, "{indent}[")?;
            let end = format!("; {}", run.len());
            print_type::<T>(f, &format!("{indent}    "), layer, &end)?;
            writeln!(f, "{indent}],")
        }
        [] => Ok(()),
    }
}

/// The type of a layer between `start` and `end`; what it holds is on lines of its own.
fn print_type<T: Float>(f: &mut String, start: &str, layer: &Layer, end: &str) -> fmt::Result {
    let (inputs, outputs, scalar) = (layer.inputs(), layer.outputs(), T::NAME);
    match layer {
        Layer::Dense(dense) => {
            let activation = type_of_activation::<T>(dense.activation());
            let name = format!("Dense<{scalar}, {inputs}, {outputs}, {activation}>");
            writeln!(f, "{start}fnn_core::{name}{end}")
        }
        Layer::Affine(affine) => {
            let activation = type_of_activation::<T>(affine.activation());
            let name = format!("Affine<{scalar}, {inputs}, {activation}>");
            writeln!(f, "{start}fnn_core::{name}{end}")
        }
        Layer::LayerNorm(_) => writeln!(f, "{start}fnn_core::LayerNorm<{scalar}, {inputs}>{end}"),
        Layer::Softmax(_) => writeln!(f, "{start}fnn_core::Softmax<{scalar}, {inputs}>{end}"),
        Layer::Select(select) => {
            let name = format!(
                "Select<{scalar}, {inputs}, {}, {outputs}>",
                select.range().start
            );
            writeln!(f, "{start}fnn_core::{name}{end}")
        }
        Layer::Residual(residual) => {
            writeln!(f, "{start}fnn_core::Residual<")?;
            print_type_of_chain::<T>(f, &format!("{start}    "), residual.layers())?;
            writeln!(f, "{start}>{end}")
        }
        Layer::Concat(concat) => print_type_of_branches::<T>(f, start, concat.branches(), end),
    }
}

fn print_type_of_chain<T: Float>(f: &mut String, indent: &str, layers: &[Layer]) -> fmt::Result {
    if let [layer] = layers {
        return print_type::<T>(f, indent, layer, ",");
    }
    writeln!(f, "{indent}fnn_core::Chain![")?;
    for layer in layers {
        print_type::<T>(f, &format!("{indent}    "), layer, ",")?;
    }
    writeln!(f, "{indent}],")
}

/// Branches are two at a time in `fnn-core`.
fn print_type_of_branches<T: Float>(
    f: &mut String,
    indent: &str,
    branches: &[Vec<Layer>],
    end: &str,
) -> fmt::Result {
    let inner = format!("{indent}    ");
    let (first, rest) = match branches {
        [] => return Ok(()),
        [branch] => return print_type_of_chain::<T>(f, indent, branch),
        [first, rest @ ..] => (first, rest),
    };
    let last = branches.iter().filter_map(|branch| branch.last());
    let outputs: usize = last.map(Layer::outputs).sum();
    writeln!(f, "{indent}fnn_core::Concat<")?;
    print_type_of_chain::<T>(f, &inner, first)?;
    print_type_of_branches::<T>(f, &inner, rest, ",")?;
    writeln!(f, "{inner}{outputs},\n{indent}>{end}")
}

fn type_of_activation<T: Float>(activation: Activation) -> String {
    let name = name_of(activation);
    match activation.parameters().is_empty() {
        true => format!("fnn_core::{name}"),
        false => format!("fnn_core::{name}<{}>", T::NAME),
    }
}

/// The type of an activation in `fnn-core`.
fn name_of(activation: Activation) -> &'static str {
    match activation {
        Activation::Identity => "Identity",
        Activation::Mish => "Mish",
        Activation::Tanh => "Tanh",
        Activation::Sigmoid => "Sigmoid",
        Activation::Softplus => "Softplus",
        Activation::Silu => "Silu",
        Activation::Gelu => "Gelu",
        Activation::GeluTanh(_) => "GeluTanh",
        Activation::Relu => "Relu",
        Activation::LeakyRelu(_) => "LeakyRelu",
        Activation::Elu(_) => "Elu",
        Activation::Selu => "Selu",
        Activation::Softsign => "Softsign",
        Activation::Clip { .. } => "Clip",
        Activation::HardSigmoid => "HardSigmoid",
        Activation::HardSwish => "HardSwish",
    }
}

/// The value of an activation.
fn activation<T: Float>(activation: Activation) -> String {
    let name = name_of(activation);
    let of = |x: f64| number(T::from_f64(x));
    match activation {
        Activation::LeakyRelu(slope) => format!("fnn_core::{name} {{ slope: {} }}", of(slope)),
        Activation::GeluTanh(cubic) => format!("fnn_core::{name} {{ cubic: {} }}", of(cubic)),
        Activation::Elu(alpha) => format!("fnn_core::{name} {{ alpha: {} }}", of(alpha)),
        Activation::Clip { low, high } => {
            format!(
                "fnn_core::{name} {{ low: {}, high: {} }}",
                of(low),
                of(high)
            )
        }
        _ => format!("fnn_core::{name}"),
    }
}

fn print_layer<T: Float>(f: &mut String, indent: &str, layer: &Layer) -> fmt::Result {
    let inner = format!("{indent}    ");
    let rounded = |numbers: &[f64]| -> Vec<T> { numbers.iter().map(|&x| T::from_f64(x)).collect() };
    if layer.inside().is_empty() {
        writeln!(f, "{indent}// {}", visible(layer.name()))?;
    }
    match layer {
        Layer::Dense(dense) => {
            writeln!(f, "{indent}fnn_core::Dense::from_columns(")?;
            writeln!(f, "{inner}[")?;
            for column in dense.columns() {
                print_numbers(f, &format!("{inner}    "), column.map(T::from_f64))?;
            }
            writeln!(f, "{inner}],")?;
            print_numbers(f, &inner, rounded(dense.bias()).into_iter())?;
            writeln!(f, "{inner}{},", activation::<T>(dense.activation()))?;
            writeln!(f, "{indent}),")
        }
        Layer::Affine(affine) => {
            writeln!(f, "{indent}fnn_core::Affine::new(")?;
            print_numbers(f, &inner, rounded(affine.scale()).into_iter())?;
            print_numbers(f, &inner, rounded(affine.shift()).into_iter())?;
            writeln!(f, "{inner}{},", activation::<T>(affine.activation()))?;
            writeln!(f, "{indent}),")
        }
        Layer::LayerNorm(norm) => {
            writeln!(f, "{indent}fnn_core::LayerNorm::new(")?;
            print_numbers(f, &inner, rounded(norm.scale()).into_iter())?;
            print_numbers(f, &inner, rounded(norm.shift()).into_iter())?;
            writeln!(f, "{inner}{},", number(T::from_f64(norm.epsilon())))?;
            writeln!(f, "{indent}),")
        }
        Layer::Softmax(_) => writeln!(f, "{indent}fnn_core::Softmax::new(),"),
        Layer::Select(_) => writeln!(f, "{indent}fnn_core::Select::new(),"),
        Layer::Residual(residual) => {
            writeln!(f, "{indent}fnn_core::Residual::new(")?;
            print_chain::<T>(f, &inner, residual.layers())?;
            writeln!(f, "{indent}),")
        }
        Layer::Concat(concat) => print_branches::<T>(f, indent, concat.branches()),
    }
}

fn print_chain<T: Float>(f: &mut String, indent: &str, layers: &[Layer]) -> fmt::Result {
    if let [layer] = layers {
        return print_layer::<T>(f, indent, layer);
    }
    writeln!(f, "{indent}fnn_core::chain![")?;
    for layer in layers {
        print_layer::<T>(f, &format!("{indent}    "), layer)?;
    }
    writeln!(f, "{indent}],")
}

fn print_branches<T: Float>(f: &mut String, indent: &str, branches: &[Vec<Layer>]) -> fmt::Result {
    match branches {
        [] => Ok(()),
        [branch] => print_chain::<T>(f, indent, branch),
        [first, rest @ ..] => {
            let inner = format!("{indent}    ");
            writeln!(f, "{indent}fnn_core::Concat::new(")?;
            print_chain::<T>(f, &inner, first)?;
            print_branches::<T>(f, &inner, rest)?;
            writeln!(f, "{indent}),")
        }
    }
}

/// An array of numbers, on one line where they fit.
fn print_numbers<T: Float>(
    f: &mut String,
    start: &str,
    numbers: impl Iterator<Item = T>,
) -> fmt::Result {
    let numbers: Vec<_> = numbers.map(number).collect();
    let line = format!("{start}[{}],", numbers.join(", "));
    if line.len() <= WIDTH {
        return writeln!(f, "{line}");
    }
    let indent: String = start.chars().take_while(|&c| c == ' ').collect();
    writeln!(f, "{start}[")?;
    let items: Vec<_> = numbers.iter().map(|x| format!("{x},")).collect();
    wrap(
        f,
        &format!("{indent}    "),
        items.iter().map(String::as_str),
    )?;
    writeln!(f, "{indent}],")
}

/// The shortest text that the compiler reads back to the same bits.
fn number<T: Float>(x: T) -> String {
    if x.to_f64().is_infinite() {
        let sign = if x.to_f64() < 0.0 { "NEG_" } else { "" };
        return format!("{}::{sign}INFINITY", T::NAME);
    }
    match T::PRECISION {
        Precision::F32 => format!("{:?}", x.to_f64() as f32),
        Precision::F64 => format!("{:?}", x.to_f64()),
    }
}

/// A text on lines of its own.
fn wrap_text(f: &mut String, text: &str) {
    let _ = wrap(f, "", text.split(' '));
}

/// Words, separated by spaces, on lines that begin with `start`.
fn wrap<'w>(f: &mut String, start: &str, words: impl Iterator<Item = &'w str>) -> fmt::Result {
    let mut line = start.trim_end().to_owned();
    for word in words {
        let space = start.len() - start.trim_end().len();
        let is_new = line.len() + space == start.len();
        if !is_new && line.len() + 1 + word.len() > WIDTH {
            writeln!(f, "{line}")?;
            line = start.to_owned();
        } else if is_new {
            line = start.to_owned();
        } else {
            line.push(' ');
        }
        line += word;
    }
    writeln!(f, "{line}")
}

/// A name from a file as code in Markdown, whatever backticks it holds.
fn code(name: &str) -> String {
    let name = visible(name);
    let longest = name.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    match longest {
        0 => format!("{ticks}{name}{ticks}"),
        _ => format!("{ticks} {name} {ticks}"),
    }
}
