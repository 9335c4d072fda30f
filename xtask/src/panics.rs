//! The proof that no call of a network can panic.
//!
//! Every panic of Rust, whether inlined or not, ends in the panic handler, and that of the
//! firmware in the function `fnn_panicked`, which is never inlined. The image is optimized as a
//! whole and linked without what cannot be reached from reset; so where that symbol is absent, no
//! panic can be reached. A second image that differs by one index out of bounds has to hold it.

use crate::{
    Result,
    command::for_all,
    firmware::{Options, SIZE, SPEED, Workshop},
    image,
    install::{self, BINUTILS},
};

/// The end of all panics.
const PANICKED: &str = "fnn_panicked";

/// The names of what leads there, to say what panics.
const FAMILY: &[&str] = &["panic", "unwind", "unwrap_failed", "expect_failed", "_fail"];

/// Look for panics in the binaries `every_call` and `out_of_bounds` of every network.
pub(crate) fn task(args: &[String]) -> Result<()> {
    let options = Options::parse(args)?;
    install::ensure(&[&BINUTILS])?;
    let workshop = Workshop::open(options.board, SPEED)?;
    let small = Workshop::open(options.board, SIZE)?;
    let networks = workshop.networks(&options)?;
    for_all(&networks, |network| {
        let name = &network.name;
        // What is not inlined for size may keep a check that is gone for speed.
        for workshop in [&workshop, &small] {
            let setting = workshop.setting.name;
            let found = panics(&workshop.image(network, "every_call")?)?;
            if !found.is_empty() {
                let found = found.join(", ");
                return Err(format!(
                    "{name}, optimized for {setting}, can panic: {found}"
                ));
            }
            println!("    {name}, optimized for {setting}: no panic can be reached");
        }
        let found = panics(&workshop.image(network, "out_of_bounds")?)?;
        if !found.iter().any(|symbol| symbol == PANICKED) {
            return Err(format!("{name}: the panic of out_of_bounds was not found"));
        }
        println!(
            "    {name} with an index out of bounds: {}",
            found.join(", ")
        );
        Ok(())
    })
}

/// The symbols of the image that have to do with panics.
fn panics(image: &std::path::Path) -> Result<Vec<String>> {
    let symbols = image::symbols(image)?.into_iter().map(|symbol| symbol.name);
    Ok(symbols
        .filter(|name| FAMILY.iter().any(|part| name.contains(part)))
        .collect())
}
