//! Firmware for the example networks: generated, built, and run in the emulator.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Result, budget,
    command::{Run, for_all, for_all_by_two},
    image,
    install::{self, Compiler, GCC},
    library::{self, DYNAMICS},
    root,
};

#[path = "../../fnn-embedded/firmware/board.rs"]
#[allow(dead_code, unreachable_pub, reason = "the firmware uses the rest")]
mod board;

#[path = "../../fnn-embedded/firmware/peers/weights.rs"]
#[allow(dead_code, unreachable_pub, reason = "the firmware uses the rest")]
mod weights;

use weights::WEIGHTS;

pub(crate) use board::{BOARDS, Board};

pub(crate) const OPTIONS: &str =
    "[--board NAME] [--network NAME] [--module FILE] [--bless]; --peer [--board NAME]";
pub(crate) const IMAGE_OPTIONS: &str = "[--board NAME] [--network NAME] [--module FILE]";

/// An example network.
struct Example {
    name: &'static str,
    /// The model and the inputs to record, in fnn-std/models.
    model: &'static str,
    inputs: &'static str,
    /// Options of `fnn`.
    options: &'static [&'static str],
    /// Whether it runs on every board, or on the one alone that is taken where none is named: every
    /// activation, every kind of layer and both number formats meet every processor's arithmetic, and the
    /// rest is what the compiler makes of sizes and orders.
    everywhere: bool,
}

const EXAMPLES: &[Example] = &[
    Example {
        name: "dynamics",
        model: "dynamics/dynamics.safetensors",
        inputs: "dynamics/inputs.npy",
        options: &[],
        everywhere: true,
    },
    // The orders of accumulation: the cheapest one is in reverse here.
    Example {
        name: "forward",
        model: "dynamics/dynamics.safetensors",
        inputs: "dynamics/inputs.npy",
        options: &["--order", "forward"],
        everywhere: false,
    },
    Example {
        name: "cut",
        model: "dynamics/dynamics.safetensors",
        inputs: "dynamics/inputs.npy",
        options: &["--order", "2"],
        everywhere: false,
    },
    // The network that is counted beside C: its figures are those of the README.
    Example {
        name: "seed",
        model: "seed/seed.safetensors",
        inputs: "seed/inputs.npy",
        options: &[],
        everywhere: false,
    },
    Example {
        name: "ignition",
        model: "ignition/ignition.safetensors",
        inputs: "ignition/inputs.npy",
        options: &[],
        everywhere: false,
    },
    // Every activation there is, in both number formats.
    Example {
        name: "every_f32",
        model: "every/every.safetensors",
        inputs: "every/inputs.npy",
        options: &[],
        everywhere: true,
    },
    Example {
        name: "every_f64",
        model: "every/every.safetensors",
        inputs: "every/inputs.npy",
        options: &["--precision", "f64"],
        everywhere: true,
    },
    // Every kind of layer, accumulated forward through four of them and in reverse through the rest.
    Example {
        name: "layers_f32",
        model: "layers/layers.json",
        inputs: "layers/inputs.csv",
        options: &["--order", "4"],
        everywhere: true,
    },
    Example {
        name: "layers_f64",
        model: "layers/layers.json",
        inputs: "layers/inputs.csv",
        options: &["--precision", "f64"],
        everywhere: false,
    },
];

/// The emulated seconds are less; on a busy desktop the emulator takes its time.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// What was asked for on the command line.
pub(crate) struct Options {
    /// The board that is named.
    pub(crate) named: Option<&'static Board>,
    module: Option<PathBuf>,
    /// The example network that is named.
    network: Option<&'static str>,
    bless: bool,
}

impl Options {
    pub(crate) fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self {
            named: None,
            module: None,
            network: None,
            bless: false,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} takes a value"));
            match arg.as_str() {
                "--board" => options.named = Some(find_board(value()?)?),
                "--bless" => options.bless = true,
                "--network" => options.network = Some(find_example(value()?)?),
                "--module" => {
                    let file = value()?;
                    // The programs run here start in another folder.
                    let file = Path::new(file)
                        .canonicalize()
                        .map_err(|e| format!("{file}: {e}"))?;
                    options.module = Some(file);
                }
                _ => return Err(format!("there is no option {arg}")),
            }
        }
        if options.module.is_some() && options.network.is_some() {
            return Err("--network names an example network, and --module another one".to_owned());
        }
        Ok(options)
    }

    /// The board that is named, or all.
    pub(crate) fn boards(&self) -> Vec<&'static Board> {
        match self.named {
            Some(board) => vec![board],
            None => BOARDS.iter().collect(),
        }
    }

    /// The board that is named, or the one that is taken where none is.
    pub(crate) fn board(&self) -> &'static Board {
        self.named.unwrap_or_else(first_board)
    }
}

fn find_example(name: &str) -> Result<&'static str> {
    let names = EXAMPLES.iter().map(|example| example.name);
    names.clone().find(|&known| known == name).ok_or_else(|| {
        let names: Vec<_> = names.collect();
        format!(
            "there is no network {name}; there are: {}",
            names.join(", ")
        )
    })
}

pub(crate) fn find_board(name: &str) -> Result<&'static Board> {
    BOARDS
        .iter()
        .find(|board| board.name == name)
        .ok_or_else(|| {
            let names: Vec<_> = BOARDS.iter().map(|board| board.name).collect();
            format!("there is no board {name}; there are: {}", names.join(", "))
        })
}

/// Replay the networks on the board that is named or on all, print what was counted in one table, and
/// compare it with the budget.
pub(crate) fn task(args: &[String]) -> Result<()> {
    if let [first, rest @ ..] = args
        && first == "--peer"
    {
        let board = Options::parse(rest)?.board();
        return peer(board, install::python().as_deref()).map(|_| ());
    }
    let options = Options::parse(args)?;
    let boards = options.boards();
    // At the start, and not by two at once.
    boards
        .iter()
        .try_for_each(|board| Workshop::open(board, SPEED).map(|_| ()))?;
    let networks = networks(&options)?;
    let (measured, result) = for_all_by_two(&boards, |&board| {
        let workshop = Workshop::open(board, Setting::of(board))?;
        let mut lines = Vec::new();
        let result = for_all(&workshop.among(&networks), |network| {
            lines.push(workshop.measure(network)?);
            Ok(())
        });
        if options.module.is_none() && options.network.is_none_or(|name| name == DYNAMICS.name) {
            let (line, row) = library::measure(&workshop)?;
            lines.push((line, Some(row)));
        }
        result.map(|()| lines)
    });
    let (lines, rows): (Vec<_>, Vec<_>) = measured.into_iter().flatten().unzip();
    let (table, rows) = (
        lines.concat(),
        rows.into_iter().flatten().collect::<Vec<_>>(),
    );
    if !table.is_empty() {
        println!("\n{HEADER}\n{table}");
    }
    result?;
    // The budget is of all of them.
    if options.module.is_some() || options.network.is_some() {
        return Ok(());
    }
    match options.bless {
        true => budget::record(&rows, options.named.is_none()),
        false => budget::compare(&rows),
    }
}

const HEADER: &str = "\
Records equal to the desk bit by bit, on Helium but for subnormal numbers; instructions of one call; bytes
of code of an image that evaluates and does nothing else, of its variables, of stack and of workspace.
`dynamics.c` is the library for C of `dynamics`, in firmware in C.
board        processor    network    scalar records  equal     value   evaluate    code   RAM stack workspace";

/// What the table says of a network beside the budget's row.
pub(crate) struct Measured<'r> {
    pub(crate) scalar: &'r str,
    pub(crate) records: u64,
    /// Records with the bits of the desk.
    pub(crate) equal: u64,
    /// Bytes of the variables of an image that evaluates and does nothing else.
    pub(crate) ram: u64,
    /// Bytes of stack of an evaluation.
    pub(crate) stack: u64,
    /// Bytes of the workspace.
    pub(crate) workspace: u64,
}

impl Measured<'_> {
    /// The line of the table.
    pub(crate) fn line(&self, board: &Board, row: &budget::Row) -> String {
        format!(
            "{} {:>6} {:>7} {:>6} {:>9} {:>10} {:>7} {:>5} {:>5} {:>9}\n",
            start_of_line(board, &row.network),
            self.scalar,
            self.records,
            self.equal,
            row.value,
            row.evaluate,
            row.code,
            self.ram,
            self.stack,
            self.workspace,
        )
    }
}

fn start_of_line(board: &Board, network: &str) -> String {
    format!(
        "{:<12} {:<12} {network:<10}",
        board.name,
        board.short_name()
    )
}

/// The most instructions that a step of the control loop takes beside network and law, its record handed to
/// the queue; the goal was 600.
const MOST_OF_A_STEP: u64 = 900;

/// The most bytes of the loop's own state.
const MOST_OF_THE_STATE: u64 = 256;

/// What the control loop costs on the default board, around the network `dynamics`.
pub(crate) fn control() -> Result<()> {
    let board = first_board();
    let workshop = Workshop::open(board, SPEED)?;
    let network = EXAMPLES[0].generate(&root().join("fnn-std/models"))?;
    let report = workshop.run(&workshop.image(&network, "control")?)?;
    for (what, most) in [
        ("instructions beside them", MOST_OF_A_STEP),
        ("state", MOST_OF_THE_STATE),
    ] {
        let found = report.number(what)?;
        if found > most {
            return Err(format!("{what}: {found}, wanted at most {most}"));
        }
    }
    Ok(())
}

/// Count the instructions of the seed network, in Rust, in C and, given a `python` with CasADi, in
/// the C that it generates; print them.
pub(crate) fn peer(board: &'static Board, python: Option<&Path>) -> Result<Report> {
    install::ensure(&[&GCC])?;
    let workshop = Workshop::open(board, SPEED)?;
    let generated = python.and_then(|python| {
        generate_by_casadi(python)
            .inspect_err(|message| println!("without CasADi's C: {message}"))
            .ok()
    });
    let image = workshop.build(&seed(), "peer", generated.as_deref())?;
    let report = workshop.run(&image)?;
    println!("\n{}: {}", board.name, board.processor);
    println!("Instructions of one call, and their ratio to those here:");
    println!("                            value       ratio    evaluate       ratio");
    for peer in ["", " in C", " in C with one exponential"] {
        let mut row = format!("{:<26}", if peer.is_empty() { "here" } else { &peer[1..] });
        for what in ["value", "evaluate"] {
            let here = report.number(&format!("instructions of {what}"))?;
            let count = report.number(&format!("instructions of {what}{peer}"))?;
            row += &format!(" {count:>8} {:>11.2}", count as f64 / here as f64);
        }
        println!("{row}");
    }
    let here = report.number("instructions of evaluate")?;
    if generated.is_some() {
        let count = report.number("instructions of evaluate in CasADi's C")?;
        let ratio = count as f64 / here as f64;
        println!("{:<46} {count:>9} {ratio:>11.2}", "in CasADi's C");
    }
    let forward = report.number("instructions of evaluate forward")?;
    let ratio = forward as f64 / here as f64;
    println!("{:<46} {forward:>9} {ratio:>11.2}", "here, forward");
    Ok(report)
}

/// The C that CasADi generates for the network of `peers/seed.rs`.
fn generate_by_casadi(python: &Path) -> Result<PathBuf> {
    let folder = firmware_folder().join("casadi");
    let write = |name: &str, bytes: &[u8]| {
        let file = folder.join(name);
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&file, bytes))
            .map_err(|e| format!("{}: {e}", file.display()))
    };
    // Of each layer the rows of the weights, then the bias, as `networks.py` reads them.
    let mut numbers = [WEIGHTS.first.as_flattened(), &WEIGHTS.first_bias].concat();
    for (weight, bias) in WEIGHTS.hidden.iter().zip(&WEIGHTS.hidden_bias) {
        numbers.extend(weight.as_flattened());
        numbers.extend(bias);
    }
    numbers.extend(WEIGHTS.last.as_flattened());
    numbers.extend(WEIGHTS.last_bias);
    let bytes = numbers.into_iter().map(|x| f64::from(x).to_le_bytes());
    write("seed.f64", bytes.collect::<Vec<_>>().as_flattened())?;
    // Not expanded: with a line for every number's every operation, gcc takes two minutes and makes
    // 300 kB of code of it.
    let network = r#"[{"name": "seed", "sizes": [4, 32, 32, 32, 32, 32, 3], "activation": "mish",
        "expanded": false, "precisions": ["f32"]}]"#;
    write("networks.json", network.as_bytes())?;
    let version = Run::new(python)
        .arg(root().join("fnn-std/benches/peers/with_casadi.py"))
        .arg(&folder)
        .shown_output()?;
    println!("    CasADi {}", version.trim());
    Ok(folder.join("casadi_seed_f32.c"))
}

/// Clippy for the firmware: on a board of each maker's processors, and on one with Helium. The other boards
/// compile the same lines.
pub(crate) fn lints() -> Result<()> {
    let of = |kind: fn(&Board) -> bool| BOARDS.iter().find(|board| kind(board));
    let boards: Vec<_> = [
        Some(first_board()),
        of(|board| !board.is_arm()),
        of(|board| board.helium),
    ]
    .into_iter()
    .flatten()
    .collect();
    for_all(&boards, |&board| {
        let workshop = Workshop::open(board, SPEED)?;
        if let Compiler::Debian { .. } = workshop.compiler {
            // Clippy belongs to one compiler, and Debian's has none beside it.
            println!("left out for {}: clippy needs rustup's target", board.name);
            return Ok(());
        }
        let models = root().join("fnn-std/models");
        let network = EXAMPLES[0].generate(&models)?;
        workshop.lint(&network.module, false)?;
        if board.name == first_board().name {
            workshop.lint(&seed(), true)?;
        }
        Ok(())
    })
}

impl Example {
    fn generate(&self, models: &Path) -> Result<Network> {
        let (model, inputs) = (models.join(self.model), models.join(self.inputs));
        let network = Network::generate(self.name, &model, &inputs, None, self.options)?;
        let everywhere = self.everywhere;
        Ok(Network {
            everywhere,
            ..network
        })
    }
}

/// A network as a Rust module.
pub(crate) struct Network {
    pub(crate) name: String,
    module: PathBuf,
    /// Whether it is for every board.
    everywhere: bool,
}

impl Network {
    /// Generate the module of `model`, with recorded evaluations of `inputs`: so many, or as many as
    /// `fnn` records by itself.
    pub(crate) fn generate(
        name: &str,
        model: &Path,
        inputs: &Path,
        records: Option<usize>,
        options: &[impl AsRef<OsStr>],
    ) -> Result<Self> {
        let folder = firmware_folder();
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let module = folder.join(name).with_extension("rs");
        let mut run = fnn()
            .arg("generate")
            .arg(model)
            .arg("--module")
            .arg(&module)
            .arg("--input")
            .arg(inputs)
            .args(options);
        if let Some(records) = records {
            run = run.args(["--records", &records.to_string()]);
        }
        run.run()?;
        Ok(Self {
            name: name.to_owned(),
            module,
            everywhere: true,
        })
    }
}

/// What the compiler optimizes for.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    opt_level: &'static str,
}

/// As the profile of the firmware's workspace has it.
pub(crate) const SPEED: Setting = Setting {
    name: "speed",
    opt_level: "3",
};

/// For a product that is short of flash.
pub(crate) const SIZE: Setting = Setting {
    name: "size",
    opt_level: "s",
};

impl Setting {
    /// What a product on this board is optimized for: without a floating-point unit the time goes into its
    /// arithmetic, whatever the rest is.
    pub(crate) fn of(board: &Board) -> Self {
        if board.float { SPEED } else { SIZE }
    }
}

/// The network of `--module`, or the example networks, generated now.
pub(crate) fn networks(options: &Options) -> Result<Vec<Network>> {
    if let Some(module) = &options.module {
        let name = module.file_stem().unwrap_or(module.as_os_str());
        return Ok(vec![Network {
            name: name.to_string_lossy().into_owned(),
            module: module.clone(),
            everywhere: true,
        }]);
    }
    let models = root().join("fnn-std/models");
    EXAMPLES
        .iter()
        .filter(|example| options.network.is_none_or(|name| name == example.name))
        .map(|example| example.generate(&models))
        .collect()
}

/// A board with all that builds and runs firmware for it.
pub(crate) struct Workshop {
    pub(crate) board: &'static Board,
    pub(crate) setting: Setting,
    compiler: Compiler,
}

impl Workshop {
    pub(crate) fn open(board: &'static Board, setting: Setting) -> Result<Self> {
        install::ensure(&[install::emulator(board)])?;
        if board.is_arm() && !board.float {
            install::ensure(&[&GCC])?;
        }
        let compiler = install::compiler(board.target)?;
        Ok(Self {
            board,
            setting,
            compiler,
        })
    }

    /// The network of `--module`, or the example networks that run on this board, generated now.
    pub(crate) fn networks(&self, options: &Options) -> Result<Vec<Network>> {
        let is_default = self.board.name == board::DEFAULT;
        let mut networks = networks(options)?;
        networks.retain(|network| network.everywhere || is_default);
        Ok(networks)
    }

    /// Those that run on this board.
    pub(crate) fn among<'n>(&self, networks: &'n [Network]) -> Vec<&'n Network> {
        let is_default = self.board.name == board::DEFAULT;
        let here = networks
            .iter()
            .filter(|network| network.everywhere || is_default);
        here.collect()
    }

    /// What a network costs on the board, as a line of the table and a row of the budget; without a row
    /// where it does not fit into the board's memory.
    fn measure(&self, network: &Network) -> Result<(String, Option<budget::Row>)> {
        let (name, board) = (&network.name, self.board);
        let image = match self.image(network, "replay") {
            Err(message) if message.contains(DOES_NOT_FIT) => {
                let overflow = message.split_once("overflowed by ").map(|(_, rest)| rest);
                let bytes = overflow
                    .and_then(|rest| rest.split_once(' '))
                    .map_or("some", |(n, _)| n);
                let start = start_of_line(board, name);
                let line = format!("{start} does not fit: {bytes} bytes too many\n");
                return Ok((line, None));
            }
            other => other?,
        };
        let report = self
            .run(&image)
            .map_err(|message| format!("{name}: {message}"))?;
        let records = report.number("records")?;
        let equal = records - report.number("records equal but for subnormals")?;
        let minimal = self.image(network, "minimal")?;
        let stacks = CALLS
            .iter()
            .map(|call| report.number(&format!("stack of {call}")));
        let row = budget::Row {
            board: board.name.to_owned(),
            network: name.clone(),
            value: report.number("instructions of value")?,
            evaluate: report.number("instructions of evaluate")?,
            code: image::code(&minimal)?,
            stack: stacks
                .collect::<Result<Vec<_>>>()?
                .into_iter()
                .max()
                .unwrap_or(0),
        };
        let measured = Measured {
            scalar: report.text("scalar")?,
            records,
            equal,
            ram: image::ram(&minimal)?,
            stack: report.number("stack of evaluate")?,
            workspace: report.number("workspace")?,
        };
        let line = measured.line(board, &row);
        Ok((line, Some(row)))
    }

    /// Build the binary `bin` for the network, with CasADi's C if there is some, and return its
    /// image.
    fn build(&self, module: &Path, bin: &str, casadi: Option<&Path>) -> Result<PathBuf> {
        let mut run = self.cargo("build", module, bin == "peer");
        if let Some(file) = casadi {
            run = run.env("FNN_CASADI", file);
        }
        run.args(["--bin", bin]).captured()?;
        let folder = self.folder().join(self.board.target);
        Ok(folder.join("release").join(bin))
    }

    /// Clippy for the binaries that are made for the network, or for the one beside C.
    fn lint(&self, module: &Path, peer: bool) -> Result<()> {
        let bins: &[&str] = match peer {
            true => &["--bin", "peer"],
            false => &["--bins"],
        };
        self.cargo("clippy", module, peer)
            .args(bins)
            .args(["--", "--deny", "warnings"])
            .run()
    }

    /// `cargo build` or another command that compiles, without the choice of binaries.
    fn cargo(&self, command: &str, module: &Path, peer: bool) -> Run {
        let mut features = Vec::new();
        if peer {
            features.push("--features=peer");
        }
        if self.board.helium {
            features.push("--features=helium");
        }
        self.compiler
            .cargo(command, self.board.target)
            .env("FNN_BOARD", self.board.name)
            .env("FNN_MODULE", module)
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", self.setting.opt_level)
            .env("RUSTFLAGS", format!("-Ctarget-cpu={}", self.board.cpu))
            .args(["--quiet", "--release", "--locked", "--manifest-path"])
            .arg(firmware().join("Cargo.toml"))
            .arg("--target-dir")
            .arg(self.folder())
            .args(features)
    }

    fn folder(&self) -> PathBuf {
        board_folder(self.board, self.setting)
    }

    pub(crate) fn image(&self, network: &Network, bin: &str) -> Result<PathBuf> {
        self.build(&network.module, bin, None)
    }

    /// Replay the network's records on the board; an error where bits differ.
    pub(crate) fn replay(&self, network: &Network) -> Result<Report> {
        self.run(&self.image(network, "replay")?)
            .map_err(|message| format!("{}: {message}", network.name))
    }

    /// Count the instructions of the networks in `counts.rs`: lines of comma-separated values.
    pub(crate) fn counts(&self) -> Result<Vec<String>> {
        // Its networks are written in it; the module is there because the library wants one.
        let report = self.run(&self.build(&seed(), "counts", None)?)?;
        let lines = report.lines.iter();
        Ok(lines
            .filter_map(|line| line.strip_prefix("count: ").map(str::to_owned))
            .collect())
    }

    /// Run an image in the emulator.
    fn run(&self, image: &Path) -> Result<Report> {
        emulate(self.board, image, TIME_LIMIT)
    }
}

/// Run an image in the emulator of a board, an instruction in each emulated nanosecond.
pub(crate) fn emulate(board: &Board, image: &Path, limit: Duration) -> Result<Report> {
    let (emulator, options) = board.emulator.split_first().unwrap_or((&"", &[]));
    let lines = Run::new(emulator)
        .args(options)
        .args(["-machine", board.machine, "-nographic", "-monitor", "none"])
        .args(["-serial", "none", "-chardev", "stdio,id=console"])
        .args([
            "-semihosting-config",
            "enable=on,target=native,chardev=console",
        ])
        .args(["-icount", "shift=0", "-kernel"])
        .arg(image)
        .lines(limit)?;
    Ok(Report { lines })
}

/// What a linker says where an image is larger than the board's memory.
pub(crate) const DOES_NOT_FIT: &str = "will not fit in region";

/// The calls whose stack `replay` measures: all that a network has.
const CALLS: [&str; 6] = ["value", "evaluate", "columns", "jvp", "vjp", "replay"];

/// What firmware reports: lines of `key: value`.
pub(crate) struct Report {
    lines: Vec<String>,
}

impl Report {
    pub(crate) fn text(&self, key: &str) -> Result<&str> {
        self.lines
            .iter()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
            .ok_or_else(|| format!("the firmware does not report: {key}"))
    }

    /// Whether it holds this line.
    pub(crate) fn has(&self, line: &str) -> Result<()> {
        match self.lines.iter().any(|found| found == line) {
            true => Ok(()),
            false => Err(format!("the firmware does not report: {line}")),
        }
    }

    pub(crate) fn number(&self, key: &str) -> Result<u64> {
        let text = self.text(key)?;
        text.parse()
            .map_err(|e| format!("the firmware reports {key}: {text}, {e}"))
    }
}

/// The program `fnn`, as the tests build it: another profile would build all that it depends on once more.
pub(crate) fn fnn() -> Run {
    Run::cargo()
        .args(["run", "--quiet", "--package", "fnn-std"])
        .args(["--bin", "fnn", "--"])
}

/// Build the crate that `fnn generate` makes of a model, for every board.
pub(crate) fn generated_crate() -> Result<()> {
    // A workspace of its own, or Cargo would look for one around it and find this project's.
    let workspace = firmware_folder().join("generated");
    fs::create_dir_all(&workspace).map_err(|e| format!("{}: {e}", workspace.display()))?;
    let manifest = workspace.join("Cargo.toml");
    fs::write(
        &manifest,
        "[workspace]\nresolver = \"3\"\nmembers = [\"every_layer\"]\n",
    )
    .map_err(|e| format!("{}: {e}", manifest.display()))?;
    let models = root().join("fnn-std/models/layers");
    fnn()
        .arg("generate")
        .arg(models.join("layers.json"))
        .arg("--crate")
        .arg(workspace.join("every_layer"))
        .arg("--input")
        .arg(models.join("inputs.csv"))
        .arg("--fnn-core")
        .arg(root().join("fnn-core"))
        .run()?;
    for_all(BOARDS, |board| {
        install::compiler(board.target)?
            .cargo("build", board.target)
            .args(["--quiet", "--release", "--manifest-path"])
            .arg(&manifest)
            .arg("--target-dir")
            .arg(firmware_folder().join("generated-target"))
            .run()
    })
}

/// The board that is taken where none is named.
pub(crate) fn first_board() -> &'static Board {
    BOARDS
        .iter()
        .find(|board| board.name == board::DEFAULT)
        .unwrap_or(&BOARDS[0])
}

fn firmware() -> PathBuf {
    root().join("fnn-embedded/firmware")
}

/// The module of the network that is counted beside C.
fn seed() -> PathBuf {
    firmware().join("peers/seed.rs")
}

/// Where firmware and generated modules go: apart from the desktop's own, since cargo would build
/// that again after each change of compiler.
fn firmware_folder() -> PathBuf {
    target_folder().join("firmware")
}

/// Apart for each board and setting, so that they do not take turns to build the dependencies.
pub(crate) fn board_folder(board: &Board, setting: Setting) -> PathBuf {
    firmware_folder().join(board.name).join(setting.name)
}

/// Where all that is built goes.
pub(crate) fn target_folder() -> PathBuf {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    root().join(target)
}
