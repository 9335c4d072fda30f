//! What a writing command says of what it wrote.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, Result},
    line::visible,
};

/// What is to be said of what was written. It displays as a line for each of the inputs that was not
/// recorded, each file or folder with its size, what else there is to know, and what to type next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub(super) left_out: Vec<usize>,
    /// Evaluations that the module records.
    pub(super) recorded: usize,
    written: Vec<(PathBuf, u64)>,
    notes: Vec<String>,
    next: Option<String>,
}

impl Report {
    pub(super) fn new(left_out: Vec<usize>) -> Self {
        Self {
            left_out,
            ..Self::default()
        }
    }

    /// That these files were written, and what to type next.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn of(files: &[&Path], next: String) -> Result<Self> {
        let mut report = Self::default();
        files.iter().try_for_each(|file| report.wrote(file))?;
        report.next(next);
        Ok(report)
    }

    /// The rows of the inputs that were not recorded, since they give numbers that are not finite.
    pub fn left_out(&self) -> &[usize] {
        &self.left_out
    }

    /// This file was written.
    pub(super) fn wrote(&mut self, path: &Path) -> Result<()> {
        let found = fs::metadata(path).map_err(|e| Error::system("read", path, e))?;
        self.written.push((path.to_owned(), found.len()));
        Ok(())
    }

    /// This folder was written; its size is that of the files in it, those in folders included.
    pub(super) fn wrote_folder(&mut self, path: &Path) -> Result<()> {
        let (mut bytes, mut folders) = (0, vec![path.to_owned()]);
        while let Some(folder) = folders.pop() {
            let cannot = |e| Error::system("read", &folder, e);
            for entry in fs::read_dir(&folder).map_err(cannot)? {
                let entry = entry.map_err(cannot)?;
                let found = entry.metadata().map_err(cannot)?;
                match found.is_dir() {
                    true => folders.push(entry.path()),
                    false => bytes += found.len(),
                }
            }
        }
        self.written.push((path.to_owned(), bytes));
        Ok(())
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// What to type next.
    pub(super) fn next(&mut self, line: impl Into<String>) {
        self.next = Some(line.into());
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.left_out {
            writeln!(
                f,
                "row {row} of the inputs is not recorded: it gives numbers that are not finite"
            )?;
        }
        for (path, bytes) in &self.written {
            let path = visible(&path.display().to_string());
            writeln!(f, "wrote {path}, {}", size(*bytes))?;
        }
        for note in &self.notes {
            writeln!(f, "note: {}", visible(note))?;
        }
        match &self.next {
            Some(line) => writeln!(f, "next: {}", visible(line)),
            None => Ok(()),
        }
    }
}

/// Bytes for people: 312 B, 18.2 kB, 1.9 MB.
pub(super) fn size(bytes: u64) -> String {
    let short = |unit: f64| format!("{:.1}", bytes as f64 / unit);
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{} kB", short(1e3)),
        _ => format!("{} MB", short(1e6)),
    }
}

/// A path as it is typed in a shell.
pub fn typed(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/-_.:+".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        assert_eq!(
            [0, 999, 18_234, 1_850_000].map(size),
            ["0 B", "999 B", "18.2 kB", "1.9 MB"]
        );
    }

    #[test]
    fn a_path_can_be_typed() {
        assert_eq!(typed(Path::new("a/b.rs")), "a/b.rs");
        assert_eq!(typed(Path::new("a b's")), r"'a b'\''s'");
    }
}
