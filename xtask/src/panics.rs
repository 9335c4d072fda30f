//! The proof that no call of a network can panic.
//!
//! Every panic of Rust, whether inlined or not, ends in the panic handler, and that of the
//! firmware in the function `fnn_panicked`, which is never inlined. The image is optimized as a
//! whole and linked without what cannot be reached from reset; so where that symbol is absent, no
//! panic can be reached. A second image that differs by one index out of bounds has to hold it.

use crate::{
    Result,
    command::{for_all, for_all_by_two},
    firmware::{
        DOES_NOT_FIT, Network, Options, SIZE, SPEED, Setting, Workshop, first_board, networks,
    },
    image,
    install::{self, BINUTILS},
};

/// The end of all panics.
const PANICKED: &str = "fnn_panicked";

/// Where all boards are searched, what is searched on others than the one that is taken where none is named:
/// every activation and every kind of layer, in one number format each.
const ELSEWHERE: [&str; 2] = ["every_f64", "layers_f32"];

/// The network of the loop whose step is searched.
const STEP: &str = "layers_f32";

/// The names of what leads there, to say what panics.
const FAMILY: &[&str] = &["panic", "unwind", "unwrap_failed", "expect_failed", "_fail"];

/// Look for panics in the binaries `every_call`, `every_step` and `out_of_bounds`, on the board that is named or on all.
pub(crate) fn task(args: &[String]) -> Result<()> {
    let options = Options::parse(args)?;
    install::ensure(&[&BINUTILS])?;
    let boards = options.boards();
    // At the start, and not by two at once.
    boards
        .iter()
        .try_for_each(|board| Workshop::open(board, SPEED).map(|_| ()))?;
    let networks = networks(&options)?;
    let (_, result) = for_all_by_two(&boards, |&board| {
        // What is not inlined for size may keep a check that is gone for speed.
        let settings = match board.name == first_board().name {
            true => vec![SPEED, SIZE],
            false => vec![Setting::of(board)],
        };
        for setting in settings {
            let workshop = Workshop::open(board, setting)?;
            let mut networks = workshop.among(&networks);
            if boards.len() > 1 && board.name != first_board().name {
                networks.retain(|network| ELSEWHERE.contains(&&*network.name));
            }
            for_all(&networks, |network| {
                search(&workshop, network, "every_call")
            })?;
            let step = networks.iter().find(|network| network.name == STEP);
            if let Some(network) = step {
                search(&workshop, network, "every_step")?;
            }
            // The search has to find the panic that is there.
            if let Some(network) = networks.first() {
                let found = panics(&workshop.image(network, "out_of_bounds")?)?;
                if !found.iter().any(|symbol| symbol == PANICKED) {
                    return Err(format!(
                        "{}: the panic of out_of_bounds was not found",
                        board.name
                    ));
                }
                println!("    with an index out of bounds: {}", found.join(", "));
            }
        }
        Ok(())
    });
    result
}

/// Look for panics in a binary for a network: every call of the network, or a step of a loop around it.
fn search(workshop: &Workshop, network: &Network, bin: &str) -> Result<()> {
    let (name, setting) = (&network.name, workshop.setting.name);
    let board = workshop.board.name;
    let image = match workshop.image(network, bin) {
        Err(message) if message.contains(DOES_NOT_FIT) => {
            println!("    {name} on {board} does not fit");
            return Ok(());
        }
        image => image?,
    };
    let found = panics(&image)?;
    if !found.is_empty() {
        let found = found.join(", ");
        return Err(format!(
            "{bin} of {name} on {board}, optimized for {setting}, can panic: {found}"
        ));
    }
    println!("    {bin} of {name} on {board}, optimized for {setting}: no panic can be reached");
    Ok(())
}

/// The symbols of the image that have to do with panics.
fn panics(image: &std::path::Path) -> Result<Vec<String>> {
    let symbols = image::symbols(image)?.into_iter().map(|symbol| symbol.name);
    Ok(symbols
        .filter(|name| FAMILY.iter().any(|part| name.contains(part)))
        .collect())
}
