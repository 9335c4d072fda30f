//! What a network costs on the board, in bytes.

use crate::{
    Result,
    command::for_all,
    firmware::{Options, Workshop},
    image,
    install::{self, BINUTILS},
};

/// Weigh the binary `minimal` of every network, and print the table.
pub(crate) fn task(args: &[String]) -> Result<()> {
    let options = Options::parse(args)?;
    install::ensure(&[&BINUTILS])?;
    let workshop = Workshop::open(options.board)?;
    let mut table = String::new();
    let result = for_all(&workshop.networks(&options)?, |network| {
        let replay = workshop.replay(network)?;
        let image = workshop.image(network, "minimal")?;
        let weights = image::symbols(&image)?
            .iter()
            .find(|symbol| symbol.name.ends_with("::NETWORK"))
            .map(|symbol| symbol.size)
            .ok_or("the image does not hold the network")?;
        let constants = image::section_bytes(&image, &[".rodata"])?;
        table += &format!(
            "{:<12} {:>6} {:>8} {:>10} {:>10} {:>7} {:>7}\n",
            network.name,
            image::section_bytes(&image, &[".text"])?,
            weights,
            constants.saturating_sub(weights),
            replay.number("workspace")?,
            image::section_bytes(&image, &[".data", ".bss", ".uninit"])?,
            replay.number("stack of evaluate")?,
        );
        Ok(())
    });
    if !table.is_empty() {
        println!("\n{}: {}", options.board.name, options.board.processor);
        println!(
            "Bytes of reset, evaluation and nothing else. In flash: code, weights, other constants;"
        );
        println!("in RAM: workspace, all variables with it, stack of the evaluation.");
        println!("network        code  weights  constants  workspace     RAM   stack");
        println!("{table}");
    }
    result
}
