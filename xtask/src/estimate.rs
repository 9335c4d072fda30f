//! The instructions from which `fnn inspect` estimates those of a network: counted on the boards
//! and written into the table that `fnn-std` holds.

use std::fs;

use crate::{
    Result,
    firmware::{BOARDS, Options, SPEED, Workshop},
    root,
};

pub(crate) const OPTIONS: &str = "[--board NAME]";

/// The table, in the workspace.
const TABLE: &str = "fnn-std/src/cost/counts.csv";

const HEADER: &str = "processor,precision,activation,layers,cut,value,evaluation,stack";

/// Count on the board that is named, or on all that have no vectors, and put the counts in place of
/// those that the table has for it.
pub(crate) fn task(args: &[String]) -> Result<()> {
    let named = Options::parse(args)?.board();
    for board in BOARDS {
        // What Helium's vectors make of odd sizes is another model of cost.
        let is_asked_for = args.is_empty() && board.float && !board.helium
            || !args.is_empty() && board.name == named.name;
        if !is_asked_for {
            continue;
        }
        let counts = Workshop::open(board, SPEED)?.counts()?;
        let processor = board.short_name();
        let path = root().join(TABLE);
        let old = fs::read_to_string(&path).unwrap_or_default();
        let others = old
            .lines()
            .skip(1)
            .filter(|line| line.split(',').next() != Some(processor))
            .map(str::to_owned);
        let new = counts
            .into_iter()
            .map(|count| format!("{processor},{count}"));
        let mut table = HEADER.to_owned() + "\n";
        for line in others.chain(new) {
            table += &line;
            table += "\n";
        }
        fs::write(&path, table).map_err(|e| format!("{}: {e}", path.display()))?;
        println!("written: {TABLE}, the rows of {processor}");
    }
    Ok(())
}
