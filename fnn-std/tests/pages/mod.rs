//! The pages of the project: what they show to be typed, and what is to come out.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A page: a Markdown file, or what a crate says of itself in `lib.rs`.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    text: String,
}

/// Lines between two fences.
pub(crate) struct Block<'p> {
    /// What is written at the first fence.
    pub(crate) kind: &'p str,
    pub(crate) lines: Vec<&'p str>,
}

/// A command in a block, and the lines beneath it.
pub(crate) struct Command<'p> {
    pub(crate) line: &'p str,
    pub(crate) shown: Vec<&'p str>,
}

/// All pages in the folder of the repository. What changed is told of commands that were.
pub(crate) fn pages(root: &Path) -> Vec<Page> {
    let mut pages = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                let is_ours = !name.starts_with('.') && name != "target" && name != "corpus";
                folders.extend(is_ours.then_some(path));
                continue;
            }
            let is_markdown = name.ends_with(".md") && name != "CHANGELOG.md";
            if is_markdown || name == "lib.rs" {
                pages.push(Page::read(path));
            }
        }
    }
    assert!(pages.len() >= 10, "{} pages", pages.len());
    pages
}

impl Page {
    pub(crate) fn read(path: PathBuf) -> Self {
        let mut text = fs::read_to_string(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
            let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
            text = lines.collect::<Vec<_>>().join("\n");
        }
        Self { path, text }
    }

    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            if let Some(kind) = line.strip_prefix("```") {
                let lines = lines.by_ref().take_while(|line| *line != "```").collect();
                blocks.push(Block { kind, lines });
            }
        }
        blocks
    }

    /// The lines of the block of text that follows one with this command alone.
    pub(crate) fn beneath(&self, command: &str) -> Result<Vec<&str>, String> {
        let blocks = self.blocks();
        let is_it = |block: &Block<'_>| matches!(block.commands().as_slice(), [only] if only.line == command);
        let mut rest = blocks.into_iter().skip_while(|block| !is_it(block)).skip(1);
        match rest.next() {
            Some(Block {
                kind: "text",
                lines,
            }) => Ok(lines),
            _ => Err(format!("no text is shown beneath `{command}`")),
        }
    }

    /// What is written as code within the text and in remarks on commands, line breaks in it as spaces.
    pub(crate) fn code(&self) -> Vec<String> {
        let mut texts: Vec<&str> = self.text.split("```").step_by(2).collect();
        for block in self.blocks().iter().filter(|block| block.kind == "console") {
            let remarks = block.lines.iter().filter_map(|line| line.split_once(" #"));
            texts.extend(remarks.map(|(_, remark)| remark));
        }
        let code = texts
            .iter()
            .flat_map(|text| text.split('`').skip(1).step_by(2));
        code.map(|code| code.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    }
}

impl<'p> Block<'p> {
    /// The commands of a block of a terminal: lines after `$ `, without what is remarked on them.
    pub(crate) fn commands(&self) -> Vec<Command<'p>> {
        let mut commands: Vec<Command<'p>> = Vec::new();
        for line in &self.lines {
            if let Some(line) = line.strip_prefix("$ ") {
                let line = line.split(" #").next().unwrap_or(line).trim_end();
                let shown = Vec::new();
                commands.push(Command { line, shown });
            } else if let Some(last) = commands.last_mut() {
                last.shown.push(line);
            }
        }
        commands
    }
}

/// Makes sure that these lines come out: `…` alone stands for lines that are left out, `…` in a line
/// for what is left out there.
pub(crate) fn check_shown(shown: &[&str], out: &[&str]) -> Result<(), String> {
    let Some((first, rest)) = shown.split_first() else {
        return match out {
            [] => Ok(()),
            [line, ..] => Err(format!("more comes out than is shown: {line}")),
        };
    };
    if *first == "…" {
        let results = (1..=out.len()).map(|left_out| check_shown(rest, &out[left_out..]));
        let furthest = |a: Result<(), String>, b| if a.is_ok() { a } else { b };
        return results
            .reduce(furthest)
            .unwrap_or_else(|| Err("nothing is left out".to_owned()));
    }
    match out {
        [line, out @ ..] if is_shown(first, line) => check_shown(rest, out),
        [line, ..] => Err(format!("shown is:\n{first}\nand out comes:\n{line}")),
        [] => Err(format!("shown is, and nothing comes out:\n{first}")),
    }
}

fn is_shown(shown: &str, line: &str) -> bool {
    let mut parts = shown.split('…').map(str::trim_end);
    let Some(mut left) = line.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    if !shown.contains('…') {
        return left.is_empty();
    }
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    shown.ends_with('…') || left.is_empty()
}
