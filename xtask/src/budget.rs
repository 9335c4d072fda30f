//! What each network may cost on each board: exact counts, kept in the tree, beyond which nothing grows
//! unseen.

use std::{fs, path::PathBuf};

use crate::{Result, command::Run, root};

/// What a network costs on a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) board: String,
    pub(crate) network: String,
    /// Instructions of a value, and of value and Jacobian.
    pub(crate) value: u64,
    pub(crate) evaluate: u64,
    /// Bytes of code of an image that evaluates and does nothing else.
    pub(crate) code: u64,
    /// Bytes of stack of the call that takes the most.
    pub(crate) stack: u64,
}

/// What the counts are called in the file.
const COUNTS: [&str; 4] = ["value", "evaluate", "code", "stack"];

/// By how much in a hundred counts may grow with another compiler than the one of the budget, whose code
/// is not ours to keep.
const OTHER_COMPILER: u64 = 5;

impl Row {
    fn counts(&self) -> [u64; 4] {
        [self.value, self.evaluate, self.code, self.stack]
    }

    fn line(&self) -> String {
        let counts = self.counts().map(|count| count.to_string());
        format!("{},{},{}\n", self.board, self.network, counts.join(","))
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(',');
        let (board, network) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut count = || words.next()?.parse().ok();
        Some(Self {
            board,
            network,
            value: count()?,
            evaluate: count()?,
            code: count()?,
            stack: count()?,
        })
    }

    fn is_of(&self, other: &Self) -> bool {
        (&self.board, &self.network) == (&other.board, &other.network)
    }
}

fn path() -> PathBuf {
    root().join("fnn-embedded/firmware/budget.csv")
}

/// The compiler that the boards' code is made by.
fn compiler() -> Result<String> {
    Ok(Run::new("rustc")
        .arg("--version")
        .output()?
        .trim()
        .to_owned())
}

/// The budget: the compiler that it was recorded with, and its rows.
fn read() -> Result<(String, Vec<Row>)> {
    let path = path();
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    parse(&text).ok_or_else(|| format!("{} is damaged: record it with --bless", path.display()))
}

fn parse(text: &str) -> Option<(String, Vec<Row>)> {
    let mut lines = text.lines();
    let compiler = lines.next()?.strip_prefix("# ")?.to_owned();
    let rows = lines.skip(1).map(Row::parse);
    Some((compiler, rows.collect::<Option<_>>()?))
}

/// Hold what was counted to the budget.
pub(crate) fn compare(rows: &[Row]) -> Result<()> {
    let ((of, budget), here) = (read()?, compiler()?);
    let slack = if of == here { 0 } else { OTHER_COMPILER };
    if slack > 0 {
        println!("the budget is of {of}: with {here} counts may grow by {slack} %");
    }
    let (grown, shrunk) = differences(rows, &budget, slack)?;
    if !shrunk.is_empty() {
        println!("less than the budget; `cargo xtask firmware --bless` records it:");
        shrunk.iter().for_each(|line| println!("  {line}"));
    }
    match grown.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "beyond the budget; where it is meant, type `cargo xtask firmware --bless`:\n  {}",
            grown.join("\n  ")
        )),
    }
}

/// What is beyond the budget with so much slack, in percent, and what is below it.
fn differences(rows: &[Row], budget: &[Row], slack: u64) -> Result<(Vec<String>, Vec<String>)> {
    let (mut grown, mut shrunk) = (Vec::new(), Vec::new());
    for row in rows {
        let name = format!("{} on {}", row.network, row.board);
        let known = budget.iter().find(|known| known.is_of(row));
        let known = known.ok_or_else(|| format!("the budget has no row of {name}: use --bless"))?;
        for ((what, now), then) in COUNTS.iter().zip(row.counts()).zip(known.counts()) {
            let line = format!("{name}: {what} {now}, budget {then}");
            if now * 100 > then * (100 + slack) {
                grown.push(line);
            } else if now < then {
                shrunk.push(line);
            }
        }
    }
    // A network that stops to fit would otherwise leave the table without a word.
    for known in budget {
        let is_there = rows.iter().any(|row| row.is_of(known));
        if !is_there && rows.iter().any(|row| row.board == known.board) {
            grown.push(format!(
                "{} on {} was not counted",
                known.network, known.board
            ));
        }
    }
    Ok((grown, shrunk))
}

/// Record what was counted: of all boards, or of some in the place of what there was of them.
pub(crate) fn record(rows: &[Row], is_all: bool) -> Result<()> {
    let mut all = match is_all {
        true => Vec::new(),
        false => read()?.1,
    };
    all.retain(|known| !rows.iter().any(|row| row.board == known.board));
    all.extend_from_slice(rows);
    let mut text = format!("# {}\nboard,network,{}\n", compiler()?, COUNTS.join(","));
    text.extend(all.iter().map(Row::line));
    let path = path();
    fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    println!("written: {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# rustc 1\nboard,network,value,evaluate,code,stack\nm4,a,10,20,30,40\nm4,b,1,2,3,4\n";

    #[test]
    fn growth_is_found_and_what_is_missing() {
        let (compiler, budget) = parse(TEXT).unwrap();
        assert_eq!(compiler, "rustc 1");
        assert_eq!(budget[0].line(), "m4,a,10,20,30,40\n");
        let same = differences(&budget, &budget, 0).unwrap();
        assert_eq!(same, (vec![], vec![]));

        let mut rows = budget.clone();
        rows[0].evaluate = 21;
        rows[1].stack = 3;
        let (grown, shrunk) = differences(&rows, &budget, 0).unwrap();
        assert_eq!(grown, ["a on m4: evaluate 21, budget 20"]);
        assert_eq!(shrunk, ["b on m4: stack 3, budget 4"]);
        assert_eq!(
            differences(&rows, &budget, 5).unwrap().0,
            Vec::<String>::new()
        );

        let (grown, _) = differences(&rows[..1], &budget, 5).unwrap();
        assert_eq!(grown, ["b on m4 was not counted"]);
        rows[0].network = "c".to_owned();
        assert!(
            differences(&rows, &budget, 0)
                .unwrap_err()
                .contains("no row of c on m4")
        );
        assert!(parse("board\n").is_none());
    }
}
