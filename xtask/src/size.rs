//! What a network costs on the board: bytes and instructions.

use crate::{
    Result,
    command::for_all,
    firmware::{Network, Options, SIZE, SPEED, Workshop},
    image,
    install::{self, BINUTILS},
};

/// Weigh the binary `minimal` of every network, optimized for speed and for size, and print the
/// table.
pub(crate) fn task(args: &[String]) -> Result<()> {
    let options = Options::parse(args)?;
    install::ensure(&[&BINUTILS])?;
    let speed = Workshop::open(options.board(), SPEED)?;
    let size = Workshop::open(options.board(), SIZE)?;
    let networks = speed.networks(&options)?;
    let mut table = String::new();
    let result = for_all(&networks, |network| {
        for workshop in [&speed, &size] {
            table += &row(network, workshop)?;
        }
        Ok(())
    });
    if !table.is_empty() {
        println!("\n{}: {}", options.board().name, options.board().processor);
        println!("{HEADER}\n{table}");
    }
    result
}

const HEADER: &str = "\
Bytes, optimized for speed (opt-level 3) and for size (opt-level \"s\").
In flash: code of an image that evaluates and does nothing else; of that what the same image lacks
without the evaluation, the functions that it calls included; weights; other constants.
In RAM: workspace; all variables with it; stack of the evaluation, of that the returned value and
Jacobian, and the rest. Last, the instructions of an evaluation.
network      for     code  evaluation  weights  constants  workspace    RAM  stack  returned   rest  instructions";

fn row(network: &Network, workshop: &Workshop) -> Result<String> {
    let replay = workshop.replay(network)?;
    let text = |image: &_| image::section_bytes(image, &[".text"]);
    let without = text(&workshop.image(network, "without")?)?;
    let image = workshop.image(network, "minimal")?;
    let code = text(&image)?;
    let weights = image::symbols(&image)?
        .iter()
        .find(|symbol| symbol.name.ends_with("::NETWORK"))
        .map(|symbol| symbol.size)
        .ok_or("the image does not hold the network")?;
    let constants = image::section_bytes(&image, &[".rodata"])?;
    let stack = replay.number("stack of evaluate")?;
    let returned = replay.number("returned by evaluate")?;
    Ok(format!(
        "{:<12} {:<5} {:>6} {:>11} {:>8} {:>10} {:>10} {:>6} {:>6} {:>9} {:>6} {:>13}\n",
        network.name,
        workshop.setting.name,
        code,
        code.saturating_sub(without),
        weights,
        constants.saturating_sub(weights),
        replay.number("workspace")?,
        image::section_bytes(&image, &[".data", ".bss", ".uninit"])?,
        stack,
        returned,
        stack.saturating_sub(returned),
        replay.number("instructions of evaluate")?,
    ))
}
