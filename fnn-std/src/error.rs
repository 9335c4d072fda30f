//! What can go wrong.

use std::{
    error, fmt, io,
    path::{Path, PathBuf},
};

use crate::line::visible;

/// Why something could not be done: one line that names the file, what was found and what was
/// wanted, and [`help`](Self::help) where there is a remedy.
pub struct Error(Box<Inner>);

/// What the functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

struct Inner {
    file: Option<PathBuf>,
    kind: Kind,
    help: Vec<String>,
}

enum Kind {
    /// The operating system refused: what was being done, and its answer.
    System(&'static str, io::Error),
    /// What was given cannot be used: found and wanted.
    Refused(String),
}

impl Error {
    /// What was given cannot be used; `found` says what it is and what was wanted.
    pub(crate) fn refused(found: impl Into<String>) -> Self {
        Self::of(Kind::Refused(found.into()))
    }

    /// The operating system refused to `verb` the file at `path`.
    pub(crate) fn system(verb: &'static str, path: &Path, error: io::Error) -> Self {
        Self::of(Kind::System(verb, error)).in_file(path)
    }

    /// The operating system refused to read a file that is still to be named.
    pub(crate) fn cannot_read(error: io::Error) -> Self {
        Self::of(Kind::System("read", error))
    }

    fn of(kind: Kind) -> Self {
        Self(Box::new(Inner {
            file: None,
            kind,
            help: Vec::new(),
        }))
    }

    /// The same error, told to be about the file at `path` unless it names one already.
    #[must_use]
    pub(crate) fn in_file(mut self, path: &Path) -> Self {
        self.0.file.get_or_insert_with(|| path.to_owned());
        self
    }

    /// The same error with what it says as part of a longer sentence.
    #[must_use]
    pub(crate) fn in_sentence(mut self, sentence: impl FnOnce(&str) -> String) -> Self {
        let said = self.to_string();
        self.0.kind = Kind::Refused(sentence(&said));
        self.0.file = None;
        self
    }

    /// The same error with one more line of help.
    #[must_use]
    pub(crate) fn with_help(mut self, line: impl Into<String>) -> Self {
        self.0.help.push(visible(&line.into()));
        self
    }

    /// What to do about it, one remedy a line; often empty.
    pub fn help(&self) -> impl Iterator<Item = &str> {
        self.0.help.iter().map(String::as_str)
    }
}

impl fmt::Display for Error {
    /// One line that is safe to print, whatever the names in it hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.0.file.as_ref().map(|file| file.display());
        let line = match (&self.0.kind, file) {
            (Kind::System(verb, error), Some(file)) => format!("cannot {verb} `{file}`: {error}"),
            (Kind::System(verb, error), None) => format!("cannot {verb}: {error}"),
            (Kind::Refused(found), Some(file)) => format!("`{file}`: {found}"),
            (Kind::Refused(found), None) => found.clone(),
        };
        f.write_str(&visible(&line))
    }
}

impl fmt::Debug for Error {
    /// What a person needs, since this is what a `main` that returns the error prints: the line
    /// and those of help.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        self.help().try_for_each(|line| write!(f, "\nhelp: {line}"))
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.0.kind {
            Kind::System(_, error) => Some(error),
            Kind::Refused(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_line_whatever_the_names_hold() {
        let error = Error::refused("tensor `a\nb\u{1b}[31m` is odd").in_file(Path::new("m\n.npy"));
        let error = error.with_help("leave `\u{202e}\nhelp: x` out");
        assert_eq!(
            format!("{error:?}"),
            "`m\\n.npy`: tensor `a\\nb\\u{1b}[31m` is odd\n\
             help: leave `\\u{202e}\\nhelp: x` out"
        );
    }

    #[test]
    fn keeps_the_first_file_and_the_order_of_help() {
        let error = Error::refused("no")
            .in_file(Path::new("inner"))
            .in_file(Path::new("outer"))
            .with_help("first")
            .with_help("second");
        assert_eq!(error.to_string(), "`inner`: no");
        assert_eq!(error.help().collect::<Vec<_>>(), ["first", "second"]);
        assert_eq!(
            format!("{error:?}"),
            "`inner`: no\nhelp: first\nhelp: second"
        );
    }
}
