//! `fnn`: models evaluated, converted and turned into Rust modules, from the command line.

use std::{
    env,
    fmt::Display,
    io::{self, ErrorKind, IsTerminal, Write},
    num::NonZeroUsize,
    ops::Range,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{ArgGroup, Args, Parser, Subcommand};
use fnn_std::{
    Activation, Error, Order, Precision, check, eval, export,
    figure::Kind,
    generate::{self, Optimize, typed},
    import, inspect, plot, replay, visible,
};
use indicatif::{ProgressBar, ProgressStyle};

/// A trained feed-forward network and its exact Jacobian.
#[derive(Parser)]
#[command(name = "fnn", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The model, and what the file does not say.
#[derive(Args)]
struct ModelFile {
    /// The model: an ONNX, safetensors, npz, .keras, .h5 or JSON file.
    model: PathBuf,
    /// The activations, separated by commas, one for each layer of a safetensors or npz file; they
    /// replace those in the metadata, if it holds any.
    #[arg(long, value_name = "LIST")]
    activations: Option<String>,
    /// The one output to read, of an ONNX file that has several; else they are taken one after the
    /// other.
    #[arg(long, value_name = "NAME")]
    output_name: Option<String>,
}

impl ModelFile {
    fn options(&self) -> Result<import::Options, Error> {
        let activations = self.activations.as_deref();
        Ok(import::Options {
            activations: activations.map(Activation::parse_list).transpose()?,
            output_name: self.output_name.clone(),
            precision: None,
        })
    }
}

/// How a file of inputs is read.
#[derive(Args)]
struct Table {
    /// Whether the first line of a .csv of inputs is a header, yes or no [default: told from the
    /// line; refused where it may number the columns or be a row].
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no, requires = "input")]
    header: Option<bool>,
}

/// How it is evaluated.
#[derive(Args)]
struct Arithmetic {
    /// The number format of the evaluation, f32 or f64 [default: the model's].
    #[arg(long)]
    precision: Option<Precision>,
    /// The order of accumulation of the Jacobian: forward, reverse, the number of layers after
    /// which forward ends and reverse begins, or auto, whichever has the fewest multiply-adds.
    #[arg(long, default_value = "auto")]
    order: Order,
}

/// Where it is checked.
#[derive(Args)]
struct Points {
    /// The inputs, .npy or .csv, one a row [default: drawn from the ranges that the model states].
    #[arg(long, value_name = "X")]
    input: Option<PathBuf>,
    #[command(flatten)]
    table: Table,
    /// The framework's outputs for these inputs: [rows, outputs].
    #[arg(long, value_name = "Y", requires = "input")]
    output: Option<PathBuf>,
    /// Draw all inputs from this range, or each from its own: as many, separated by commas.
    #[arg(long, value_name = "LOW:HIGH", value_parser = range, value_delimiter = ',',
          conflicts_with = "input", allow_hyphen_values = true)]
    range: Vec<Range<f64>>,
    /// How many rows, spread over the file.
    #[arg(long, value_name = "N", default_value_t = check::ROWS)]
    rows: usize,
}

#[derive(Subcommand)]
enum Command {
    /// Evaluate a model and its Jacobian for a file of inputs.
    ///
    /// Without --output the first rows are printed; without --output and --jacobian their Jacobians
    /// too.
    Eval {
        #[command(flatten)]
        model: ModelFile,
        /// The inputs, .npy or .csv: one a row, or an array of one dimension for a single one.
        #[arg(long, value_name = "X")]
        input: PathBuf,
        #[command(flatten)]
        table: Table,
        /// Write the outputs here, .npy or .csv: [rows, outputs].
        #[arg(long, value_name = "Y")]
        output: Option<PathBuf>,
        /// Write the Jacobians here, .npy or .csv: [rows, outputs, inputs].
        #[arg(long, value_name = "J")]
        jacobian: Option<PathBuf>,
        #[command(flatten)]
        arithmetic: Arithmetic,
        /// How many threads evaluate [default: as many as the machine runs at once]; the bits of
        /// the results do not depend on it.
        #[arg(long, value_name = "N", value_parser = threads)]
        threads: Option<NonZeroUsize>,
    },
    /// Say what a model is and what it costs: layers, multiply-adds, memory, instructions.
    Inspect {
        #[command(flatten)]
        model: ModelFile,
        /// Print JSON, for programs.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        arithmetic: Arithmetic,
    },
    /// Check value and Jacobian of a model: against the framework's own, the plain f64 reference,
    /// central differences, every order of accumulation and the other number format.
    ///
    /// Passes where each distance is within what rounding may do on both sides; the exit status is 1
    /// where one is not (FAIL), and where neither the framework's Jacobian nor central differences can
    /// decide whether the Jacobian is right (UNDECIDED). PASS in part: they decide some derivatives,
    /// and the report says how many they do not.
    Check {
        #[command(flatten)]
        model: ModelFile,
        #[command(flatten)]
        points: Points,
        /// The framework's Jacobians: [rows, outputs, inputs].
        #[arg(long, value_name = "J", requires = "input")]
        jacobian: Option<PathBuf>,
        /// Write a page with tables and figures here.
        #[arg(long, value_name = "FILE.html")]
        report: Option<PathBuf>,
        #[command(flatten)]
        arithmetic: Arithmetic,
    },
    /// Draw a figure of a model.
    Plot {
        #[command(flatten)]
        model: ModelFile,
        /// What to show: parity, errors, jacobian (a heat map) or path (sensitivities along one).
        #[arg(long, value_name = "KIND")]
        kind: Kind,
        /// Write the figure here, .svg or .png.
        #[arg(value_name = "OUT")]
        to: PathBuf,
        #[command(flatten)]
        points: Points,
        #[command(flatten)]
        arithmetic: Arithmetic,
    },
    /// Write a Rust module for fnn-core, a whole crate, or a library for C, that holds the model and
    /// recorded evaluations of it.
    ///
    /// A library takes Rust's compiler to be made: a header, an archive, a program that tests it and a page
    /// that says how to link it. It may hold several models, each called as its file.
    #[command(group(ArgGroup::new("out").required(true)))]
    Generate {
        #[command(flatten)]
        model: ModelFile,
        /// Further models, for a library.
        #[arg(value_name = "MODEL", conflicts_with_all = ["module", "folder"])]
        further: Vec<PathBuf>,
        /// Write a module here, .rs.
        #[arg(long, value_name = "FILE", group = "out")]
        module: Option<PathBuf>,
        /// Write a crate here, called as the folder; a generated one that is there is replaced.
        #[arg(long = "crate", value_name = "DIR", group = "out")]
        folder: Option<PathBuf>,
        /// Write a library for C here; a generated one that is there is replaced.
        #[arg(long, value_name = "DIR", group = "out")]
        library: Option<PathBuf>,
        /// The folder of fnn-core that the crate depends on [default: the crate carries its source].
        #[arg(long, value_name = "PATH", conflicts_with_all = ["module", "library"])]
        fnn_core: Option<PathBuf>,
        /// What the library and the C functions of its one model are called [default: as the folder].
        #[arg(long, value_name = "NAME", conflicts_with = "module")]
        name: Option<String>,
        /// The target of the library, as rustc calls it [default: this machine].
        #[arg(long, value_name = "TRIPLE", conflicts_with_all = ["module", "folder"])]
        target: Option<String>,
        /// The processor of the library, as rustc calls it [default: any of the target].
        #[arg(long, value_name = "CPU", conflicts_with_all = ["module", "folder"])]
        cpu: Option<String>,
        /// What the library is optimized for, speed or size [default: size where the target has no
        /// floating-point unit, else speed].
        #[arg(long, value_name = "speed|size", value_parser = optimize,
              conflicts_with_all = ["module", "folder"])]
        optimize: Option<Optimize>,
        /// How many columns of the Jacobian the C function NAME_columns computes [default: 1].
        #[arg(long, value_name = "N", conflicts_with = "module")]
        columns: Option<usize>,
        /// With C functions of a solver's form: isat, or isat=SYMBOL for another symbol than usrfgh; in
        /// f64.
        #[arg(long, value_name = "isat[=SYMBOL]", value_parser = isat, conflicts_with = "module")]
        with: Option<String>,
        /// Record evaluations for these inputs, .npy or .csv [default: zero and arbitrary ones]; for
        /// several models once for each, in their order.
        #[arg(long, value_name = "X")]
        input: Vec<PathBuf>,
        #[command(flatten)]
        table: Table,
        /// How many evaluations to record [default: 16, fewer where they take many numbers].
        #[arg(long, value_name = "N")]
        records: Option<usize>,
        #[command(flatten)]
        arithmetic: Arithmetic,
    },
    /// Evaluate a device's log again, and compare every bit.
    ///
    /// The log is what the telemetry of fnn-embedded's control loop writes: of each step the inputs, the
    /// outputs, a digest of the Jacobian, the command, faults and times. The exit status is 1 where bits
    /// differ. What is damaged is counted and left out.
    Replay {
        /// The log.
        log: PathBuf,
        /// The model that the device evaluates: an ONNX, safetensors, npz, .keras, .h5 or JSON file.
        #[arg(long, value_name = "MODEL")]
        model: PathBuf,
        /// As for the other commands: of a safetensors or npz file that does not hold them.
        #[arg(long, value_name = "LIST")]
        activations: Option<String>,
        /// As for the other commands: the one output to read.
        #[arg(long, value_name = "NAME")]
        output_name: Option<String>,
        /// The order of accumulation of the Jacobian that the device's network has.
        #[arg(long, default_value = "auto")]
        order: Order,
    },
    /// Write a model in another format.
    ///
    /// JSON and ONNX hold every model; safetensors those of dense layers. An ONNX file runs in every
    /// runtime with opset 13 and reads back to the same model.
    Convert {
        #[command(flatten)]
        model: ModelFile,
        /// Write it here; the name ends in .json, .onnx or .safetensors.
        to: PathBuf,
        /// Write the model in f64, with the file's own numbers where some are computed while it is read
        /// [default: in the model's format].
        #[arg(long, value_name = "f64", value_parser = double)]
        precision: Option<Precision>,
    },
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // What is wrong with them is said of the arguments as they can be printed.
            let arguments = env::args_os().map(|text| visible(&text.to_string_lossy()));
            return usage(&Arguments::try_parse_from(arguments).err().unwrap_or(error));
        }
    };
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(lines)) => {
            let _ = write!(io::stderr(), "{lines}");
            ExitCode::FAILURE
        }
    }
}

/// Help where it was asked for; else what is wrong with the arguments, one line and its remedies.
fn usage(error: &clap::Error) -> ExitCode {
    let is_help = matches!(
        error.kind(),
        clap::error::ErrorKind::DisplayHelp
            | clap::error::ErrorKind::DisplayVersion
            | clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if is_help {
        let _ = error.print();
    } else {
        let text = error.render().to_string();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let is_remedy = |line: &str| {
            ["tip: ", "Usage: ", "For more"]
                .iter()
                .any(|s| line.starts_with(s))
        };
        let (help, found): (Vec<_>, Vec<_>) = lines.partition(|line| is_remedy(line));
        let mut stderr = io::stderr().lock();
        let _ = writeln!(stderr, "{}", visible(&found.join(" ")));
        for line in help {
            let _ = writeln!(
                stderr,
                "help: {}",
                visible(line.strip_prefix("tip: ").unwrap_or(line))
            );
        }
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// The lines that say why the program failed.
struct Failure(String);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut lines = format!("error: {error}\n");
        for line in error.help() {
            lines += &format!("help: {line}\n");
        }
        Self(lines)
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Eval {
            model,
            input,
            table: Table { header },
            output,
            jacobian,
            arithmetic: Arithmetic { precision, order },
            threads,
        } => {
            let options = eval::Options {
                input,
                header,
                output,
                jacobian,
                precision,
                order,
                threads,
                import: model.options()?,
            };
            let report = eval::run(&model.model, &options, &mut progress())?;
            if let Some(report) = report {
                print(&report.to_string())?;
            }
            let (input, model) = (typed(&options.input), typed(&model.model));
            let files: Vec<_> = [&options.output, &options.jacobian]
                .into_iter()
                .flatten()
                .collect();
            wrote(
                &files.iter().map(|file| file.as_path()).collect::<Vec<_>>(),
                format!("fnn generate {model} --library policy --input {input}"),
            )
        }
        Command::Inspect {
            model,
            json,
            arithmetic: Arithmetic { precision, order },
        } => {
            let options = inspect::Options {
                precision,
                order,
                import: model.options()?,
            };
            let report = inspect::run(&model.model, &options)?;
            print(&if json {
                report.json()
            } else {
                report.to_string()
            })
        }
        Command::Replay {
            log,
            model,
            activations,
            output_name,
            order,
        } => {
            let file = ModelFile {
                model,
                activations,
                output_name,
            };
            let import = file.options()?;
            let report = replay::run(&log, &file.model, &replay::Options { order, import })?;
            print(&report.to_string())?;
            match report.is_equal() {
                true => Ok(()),
                // The report says it.
                false => Err(Failure(String::new())),
            }
        }
        Command::Check {
            model,
            points,
            jacobian,
            report,
            arithmetic,
        } => {
            let options = check::Options {
                jacobian,
                report,
                ..check_options(&model, points, &arithmetic)?
            };
            let page = options.report.as_deref();
            let report = check::run(&model.model, &options)?;
            print(&report.to_string())?;
            let next = format!("xdg-open {}", page.map(typed).unwrap_or_default());
            wrote(page.as_slice(), next)?;
            // The report has said all.
            match report.passed() {
                true => Ok(()),
                false => Err(Failure(String::new())),
            }
        }
        Command::Plot {
            model,
            kind,
            to,
            points,
            arithmetic,
        } => {
            let options = check_options(&model, points, &arithmetic)?;
            plot::run(&model.model, kind, &to, &options)?;
            wrote(&[&to], format!("xdg-open {}", typed(&to)))
        }
        Command::Generate {
            model,
            further,
            module,
            folder,
            library,
            fnn_core,
            name,
            target,
            cpu,
            optimize,
            columns,
            with,
            input,
            table: Table { header },
            records,
            arithmetic: Arithmetic { precision, order },
        } => {
            let mut options = generate::Options {
                input: None,
                header,
                records,
                precision,
                order,
                import: model.options()?,
            };
            let choices = generate::Library {
                name,
                target,
                cpu,
                optimize,
                columns,
                isat: with,
            };
            if let Some(library) = library {
                let models: Vec<_> = [model.model].into_iter().chain(further).collect();
                let report = generate::run_library(
                    &models,
                    &input,
                    &library,
                    &choices,
                    &options,
                    io::stderr().is_terminal(),
                    &mut |line| tell(line),
                )?;
                tell(&report);
                return Ok(());
            }
            if input.len() > 1 {
                return Err(Failure(format!(
                    "error: found {} files of inputs, wanted one for the one model\n",
                    input.len()
                )));
            }
            options.input = input.into_iter().next();
            // The arguments hold one of both.
            if let Some(module) = module {
                tell(&generate::run(&model.model, &module, &options)?);
            }
            if let Some(folder) = folder {
                let fnn_core = fnn_core.as_deref();
                let report =
                    generate::run_crate(&model.model, &folder, fnn_core, &choices, &options)?;
                tell(&report);
            }
            Ok(())
        }
        Command::Convert {
            model,
            to,
            precision,
        } => {
            let options = import::Options {
                precision,
                ..model.options()?
            };
            let written = export::run(&model.model, &to, &options)?;
            for note in written.notes() {
                tell(&format_args!("note: {note}"));
            }
            wrote(&[&to], format!("fnn inspect {}", typed(&to)))
        }
    }
}

fn check_options(
    model: &ModelFile,
    points: Points,
    arithmetic: &Arithmetic,
) -> Result<check::Options, Error> {
    Ok(check::Options {
        input: points.input,
        header: points.table.header,
        output: points.output,
        ranges: points.range,
        rows: Some(points.rows),
        precision: arithmetic.precision,
        order: arithmetic.order,
        import: model.options()?,
        ..check::Options::default()
    })
}

/// What was done, for people: on standard error, since standard output is for results.
fn tell(text: &(impl Display + ?Sized)) {
    let text = text.to_string();
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let _ = write!(io::stderr(), "{text}{end}");
}

/// That these files were written, if there are any, and what to type next.
fn wrote(files: &[&Path], next: String) -> Result<(), Failure> {
    if !files.is_empty() {
        tell(&generate::Report::of(files, next)?);
    }
    Ok(())
}

fn optimize(text: &str) -> Result<Optimize, String> {
    match text {
        "speed" => Ok(Optimize::Speed),
        "size" => Ok(Optimize::Size),
        _ => Err("wanted speed or size".to_owned()),
    }
}

/// The symbol of the solver's function.
fn isat(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        None if text == "isat" => Ok("usrfgh".to_owned()),
        Some(("isat", symbol)) if !symbol.is_empty() => Ok(symbol.to_owned()),
        _ => Err("wanted isat or isat=SYMBOL".to_owned()),
    }
}

/// Two numbers with a colon between them.
fn range(text: &str) -> Result<Range<f64>, String> {
    let numbers = text
        .split_once(':')
        .and_then(|(low, high)| Some(low.trim().parse().ok()?..high.trim().parse().ok()?));
    numbers.ok_or_else(|| "wanted two numbers, LOW:HIGH".to_owned())
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("wanted yes or no".to_owned()),
    }
}

/// The one number format that every model can be written in as it is.
fn double(text: &str) -> Result<Precision, String> {
    match text {
        "f64" => Ok(Precision::F64),
        _ => Err("wanted f64, since numbers are not rounded".to_owned()),
    }
}

/// How many threads: one at least, and no more than a machine starts at once.
fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok();
    let number = number.filter(|n: &NonZeroUsize| n.get() <= 1024);
    number.ok_or_else(|| "wanted 1 to 1024".to_owned())
}

/// A bar on the terminal, if there is one, for what takes longer than a moment.
fn progress() -> impl FnMut(usize, usize) {
    let start = Instant::now();
    let is_shown = io::stderr().is_terminal();
    let mut bar = None;
    move |done, total| {
        if !is_shown || (bar.is_none() && start.elapsed() < Duration::from_millis(500)) {
            return;
        }
        let bar = bar.get_or_insert_with(|| {
            let style =
                ProgressStyle::with_template("{bar:40} {pos}/{len} rows, {per_sec}, {eta} left");
            ProgressBar::new(total as u64)
                .with_elapsed(start.elapsed())
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        bar.set_position(done as u64);
        if done == total {
            bar.finish_and_clear();
        }
    }
}

/// Writes to standard output; that nobody reads it to the end is no error.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure(format!(
            "error: cannot write to standard output: {error}\n"
        ))),
        _ => Ok(()),
    }
}
