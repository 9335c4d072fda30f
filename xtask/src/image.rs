//! A linked image: its symbols and its sections.

use std::path::Path;

use crate::{Result, command::Run};

/// A symbol of an image; most have no size if they mark a place.
pub(crate) struct Symbol {
    pub(crate) name: String,
    pub(crate) size: u64,
}

/// All symbols, with readable names.
pub(crate) fn symbols(image: &Path) -> Result<Vec<Symbol>> {
    let text = Run::new("nm")
        .args(["--demangle", "--print-size"])
        .arg(image)
        .output()?;
    let symbols: Vec<_> = text.lines().filter_map(symbol).collect();
    if symbols.iter().any(|symbol| symbol.name == "main") {
        Ok(symbols)
    } else {
        // Then nothing could be concluded from a symbol's absence either.
        Err(format!("{} has no symbols", image.display()))
    }
}

/// `address size type name`, or `address type name` without a size.
fn symbol(line: &str) -> Option<Symbol> {
    let (_address, rest) = line.split_once(' ')?;
    let (first, after) = rest.split_once(' ')?;
    if first.len() == 1 {
        let (name, size) = (after.to_owned(), 0);
        return Some(Symbol { name, size });
    }
    let (_type, name) = after.split_once(' ')?;
    let (name, size) = (name.to_owned(), u64::from_str_radix(first, 16).ok()?);
    Some(Symbol { name, size })
}

/// The bytes of the sections named.
pub(crate) fn section_bytes(image: &Path, names: &[&str]) -> Result<u64> {
    let text = Run::new("size").arg("-A").arg(image).output()?;
    let sizes = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        let size: u64 = words.next()?.parse().ok()?;
        names.contains(&name).then_some(size)
    });
    Ok(sizes.sum())
}

/// Bytes of an image's code.
pub(crate) fn code(image: &Path) -> Result<u64> {
    section_bytes(image, &[".text", ".init"])
}

/// Bytes of an image's variables.
pub(crate) fn ram(image: &Path) -> Result<u64> {
    section_bytes(image, &[".data", ".bss", ".uninit"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbol_has_a_name_and_perhaps_a_size() {
        let sized = symbol("00002038 0000460c r fnn_firmware::network::NETWORK").unwrap();
        assert_eq!(sized.name, "fnn_firmware::network::NETWORK");
        assert_eq!(sized.size, 0x460c);
        let plain = symbol("00002020 T <a as b>::c").unwrap();
        assert_eq!((plain.name.as_str(), plain.size), ("<a as b>::c", 0));
        assert!(symbol("").is_none());
    }
}
