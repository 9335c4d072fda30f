//! What a network costs on the board: bytes and instructions, in firmware in Rust and in C.

use std::path::Path;

use crate::{
    Result,
    command::for_all,
    firmware::{Network, Options, Report, SIZE, SPEED, Workshop, first_board},
    image,
    install::{self, BINUTILS},
    library::{DYNAMICS, InC},
};

/// The most instructions that a call in C takes beside the call in Rust behind it.
const MOST_INSTRUCTIONS: u64 = 100;

/// The most bytes of code that the image in C has beside the one in Rust that does the same: what looks at
/// the pointers, and the loop that stores the Jacobian row by row, which LLVM unrolls.
const MOST_BYTES: u64 = 850;

/// Weigh the binary `minimal` of every network, optimized for speed and for size, and one network in C
/// beside its twin in Rust, and print the table.
pub(crate) fn task(args: &[String]) -> Result<()> {
    let options = Options::parse(args)?;
    install::ensure(&[&BINUTILS])?;
    let speed = Workshop::open(options.board(), SPEED)?;
    let size = Workshop::open(options.board(), SIZE)?;
    let networks = speed.networks(&options)?;
    let mut table = String::new();
    let result = for_all(&networks, |network| {
        for workshop in [&speed, &size] {
            table += &Weight::of(network, "minimal", &network.name, workshop)?.line();
        }
        Ok(())
    });
    let mut compared = Ok(());
    let in_c = networks.iter().find(|n| n.name == DYNAMICS.name);
    if let Some(network) = in_c {
        for workshop in [&speed, &size] {
            let rust = Weight::of(network, "needed", "with need", workshop)?;
            let c = Weight::in_c(workshop)?;
            table += &(rust.line() + &c.line());
            // The goals are of the fastest code, on the board that is taken where none is named.
            if workshop.board.name == first_board().name && workshop.setting.name == SPEED.name {
                compared = c.compare(&rust);
            }
        }
    }
    if !table.is_empty() {
        println!("\n{}: {}", options.board().name, options.board().processor);
        println!("{HEADER}\n{table}");
    }
    result.and(compared)
}

const HEADER: &str = "\
Bytes, optimized for speed (opt-level 3) and for size (opt-level \"s\").
In flash: code of an image that evaluates and does nothing else; of that what the same image lacks
without the evaluation, the functions that it calls included; weights; other constants.
In RAM: workspace; all variables with it; stack of the evaluation, of that the returned value and
Jacobian, and the rest. Last, the instructions of an evaluation.
`with need` computes value or Jacobian of `dynamics` as an input asks, in Rust; `in C` is the same in
firmware in C, its Jacobian and no result on the stack.
network      for     code  evaluation  weights  constants  workspace    RAM  stack  returned   rest  instructions";

/// What a network takes in an image.
struct Weight {
    name: String,
    setting: &'static str,
    code: u64,
    evaluation: u64,
    weights: u64,
    constants: u64,
    ram: u64,
    workspace: u64,
    stack: u64,
    returned: u64,
    instructions: u64,
}

impl Weight {
    /// In the binary `bin`, in Rust.
    fn of(network: &Network, bin: &str, name: &str, workshop: &Workshop) -> Result<Self> {
        let replay = workshop.replay(network)?;
        let without = workshop.image(network, "without")?;
        let image = workshop.image(network, bin)?;
        let returned = replay.number("returned by evaluate")?;
        Self::weigh(name, workshop, [&image, &without], &replay, returned)
    }

    /// In an image in C.
    fn in_c(workshop: &Workshop) -> Result<Self> {
        let c = InC::measure(workshop.board, workshop.setting)?;
        Self::weigh("in C", workshop, [&c.minimal, &c.bare], &c.report, 0)
    }

    /// What `report` counts, and what the first image has that the other one lacks.
    fn weigh(
        name: &str,
        workshop: &Workshop,
        [image, without]: [&Path; 2],
        report: &Report,
        returned: u64,
    ) -> Result<Self> {
        let code = image::code(image)?;
        let weights = image::symbols(image)?
            .iter()
            .find(|symbol| symbol.name.ends_with("::NETWORK"))
            .map(|symbol| symbol.size)
            .ok_or("the image does not hold the network")?;
        let constants = image::section_bytes(image, &[".rodata"])?;
        Ok(Self {
            name: name.to_owned(),
            setting: workshop.setting.name,
            code,
            evaluation: code.saturating_sub(image::code(without)?),
            weights,
            constants: constants.saturating_sub(weights),
            ram: image::ram(image)?,
            workspace: report.number("workspace")?,
            stack: report.number("stack of evaluate")?,
            returned,
            instructions: report.number("instructions of evaluate")?,
        })
    }

    fn line(&self) -> String {
        format!(
            "{:<12} {:<5} {:>6} {:>11} {:>8} {:>10} {:>10} {:>6} {:>6} {:>9} {:>6} {:>13}\n",
            self.name,
            self.setting,
            self.code,
            self.evaluation,
            self.weights,
            self.constants,
            self.workspace,
            self.ram,
            self.stack,
            self.returned,
            self.stack.saturating_sub(self.returned),
            self.instructions,
        )
    }

    /// Hold this one, in C, to its twin in Rust.
    fn compare(&self, rust: &Self) -> Result<()> {
        if self.evaluation > rust.evaluation + MOST_BYTES {
            return Err(format!(
                "in C: {} bytes of code, in Rust {}",
                self.evaluation, rust.evaluation
            ));
        }
        if self.instructions > rust.instructions + MOST_INSTRUCTIONS {
            return Err(format!(
                "in C: {} instructions, in Rust {}",
                self.instructions, rust.instructions
            ));
        }
        Ok(())
    }
}
