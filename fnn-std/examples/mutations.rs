//! Which faults of a Jacobian `fnn check` notices: prints the tables of `MUTATIONS.md`, which
//! `cargo xtask mutations` writes.

#[path = "../tests/mutations/mod.rs"]
mod mutations;
#[path = "../tests/random/mod.rs"]
mod random;

use fnn_std::{Activation, Precision, check::Verdict};
use mutations::{Case, Fault, Inputs, Place, caught};

/// Sizes of the layers and how many rows are checked.
const SIZES: [(&[usize], usize); 4] = [
    (&[2, 16, 16, 2], 12),
    (&[12, 32, 32, 12], 8),
    (&[50, 32, 32, 3], 4),
    (&[200, 32, 32, 3], 4),
];

const PLACES: [(Place, &str, &str); 3] = [
    (
        Place::Kernel,
        "In every evaluation",
        "Both formats and all orders are wrong in the same way, at every row, as after a mistake in a \
         formula.",
    ),
    (
        Place::Order,
        "In one evaluation",
        "Only the format of the model and the order asked for are wrong, as after a mistake in one \
         loop; an entry at one row, all other faults at every row.",
    ),
    (
        Place::File,
        "In the framework's file",
        "The Jacobian given with `--jacobian` is wrong; an entry at one row, all other faults at every row.",
    ),
];

const HEADS: [&str; 6] = [
    "entry off by 1e-3",
    "1e-4",
    "1e-5",
    "transposed",
    "column zero",
    "slope off by 0.1",
];

fn main() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let folder = folder.path();
    let mut tables = PLACES.map(|_| String::new());
    for (sizes, rows) in SIZES {
        for activation in [Activation::Tanh, Activation::Relu] {
            for precision in [Precision::F32, Precision::F64] {
                for kind in [Inputs::Ordinary, Inputs::Subtracted, Inputs::Folded] {
                    // With means so large no digit of the sums is right in f32.
                    if (precision, kind) == (Precision::F32, Inputs::Folded) {
                        continue;
                    }
                    let case = Case::new(sizes, activation, precision, kind, rows);
                    let right = case.check(folder, None);
                    assert_ne!(right.verdict(), Verdict::Fail, "{right}");
                    let sizes = text(sizes);
                    eprintln!(
                        "{sizes} {activation} {precision} {kind:?}: {}",
                        right.verdict()
                    );
                    let start = format!(
                        "| {sizes} {activation} | {precision} | {} | {} |",
                        of(kind),
                        right.verdict()
                    );
                    for ((place, ..), table) in PLACES.iter().zip(&mut tables) {
                        *table += &start;
                        for fault in Fault::ALL {
                            let is_square = case.model.inputs() == case.model.outputs();
                            let cell = if fault == Fault::Transposed && !is_square {
                                String::new()
                            } else {
                                match caught(&case.check(folder, Some((fault, *place)))) {
                                    letters if letters.is_empty() => "**no**".to_owned(),
                                    letters => letters,
                                }
                            };
                            *table += &format!(" {cell} |");
                        }
                        *table += "\n";
                    }
                }
            }
        }
    }
    for ((_, title, what), rows) in PLACES.iter().zip(tables) {
        println!("\n## {title}\n\n{what}\n");
        println!(
            "| model | format | inputs | unspoilt | {} |",
            HEADS.join(" | ")
        );
        println!("|---|---|---|---|{}", "---|".repeat(HEADS.len()));
        print!("{rows}");
    }
}

fn of(kind: Inputs) -> &'static str {
    match kind {
        Inputs::Ordinary => "−1 to 1",
        Inputs::Subtracted => "offset, subtracted first",
        Inputs::Folded => "offset, folded into weights",
    }
}

fn text(sizes: &[usize]) -> String {
    let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
    sizes.join("-")
}
