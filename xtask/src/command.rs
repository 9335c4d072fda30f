//! Other programs: each is shown as it could be typed, then run.

use std::{
    cell::Cell,
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    panic::resume_unwind,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{Result, root};

/// A program and its arguments, to be run at the root of the workspace.
pub(crate) struct Run {
    command: Command,
    shown: String,
}

impl Run {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(&program);
        command.current_dir(root());
        let shown = quoted(program.as_ref());
        Self { command, shown }
    }

    /// The cargo that runs this program.
    pub(crate) fn cargo() -> Self {
        let mut run = Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        run.shown = "cargo".to_owned();
        run
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.shown = format!("{} {}", self.shown, quoted(arg.as_ref()));
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        // A path stays whole: who reads the variable may run in another folder.
        self.shown = format!("{name}={} {}", quoted_whole(value.as_ref()), self.shown);
        self.command.env(name, value);
        self
    }

    /// Run to the end, with the terminal's input and output.
    pub(crate) fn run(mut self) -> Result<()> {
        self.show();
        match self.command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{status} of: {}", self.shown)),
            Err(error) => Err(self.not_started(&error)),
        }
    }

    /// Run to the end, and pass on what it writes to standard error; a failure holds that too.
    pub(crate) fn captured(mut self) -> Result<()> {
        self.show();
        let output = self.command.stdout(Stdio::inherit()).output();
        let output = output.map_err(|error| self.not_started(&error))?;
        let text = String::from_utf8_lossy(&output.stderr);
        eprint!("{text}");
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("{} of: {}\n{text}", output.status, self.shown)),
        }
    }

    /// Run to the end and return what it writes to standard output.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self.command.stderr(Stdio::inherit()).output();
        match output {
            Ok(output) if output.status.success() => {
                Ok(String::from_utf8_lossy(&output.stdout).into_owned())
            }
            Ok(output) => Err(format!("{} of: {}", output.status, self.shown)),
            Err(error) => Err(self.not_started(&error)),
        }
    }

    /// The same, and show it: for what takes its time.
    pub(crate) fn shown_output(self) -> Result<String> {
        self.show();
        self.output()
    }

    /// Run to the end, show it, and return whether it succeeded and what it writes to standard output.
    pub(crate) fn verdict(mut self) -> Result<(bool, String)> {
        self.show();
        let output = self.command.stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| self.not_started(&error))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok((output.status.success(), text))
    }

    /// Run to the end, show it, and return the first line that it writes to standard error as it fails.
    pub(crate) fn refusal(mut self) -> Result<String> {
        self.show();
        let output = self.command.output();
        let output = output.map_err(|error| self.not_started(&error))?;
        let text = String::from_utf8_lossy(&output.stderr);
        match text.lines().next() {
            Some(line) if !output.status.success() => Ok(line.to_owned()),
            _ => Err(format!(
                "{}, wanted a refusal, of: {}",
                output.status, self.shown
            )),
        }
    }

    /// Run to the end or to the time limit, pass on the lines that it writes, and return them.
    pub(crate) fn lines(mut self, limit: Duration) -> Result<Vec<String>> {
        self.show();
        let mut child = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        let stdout = child.stdout.take();
        let reader = thread::spawn(move || {
            let lines = stdout
                .into_iter()
                .flat_map(|out| BufReader::new(out).lines());
            lines
                .map_while(std::result::Result::ok)
                .inspect(|line| println!("    {line}"))
                .collect::<Vec<_>>()
        });

        let deadline = Instant::now() + limit;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
                Ok(None) => {
                    // It may have ended just now: then there is nothing to kill.
                    let _ = child.kill();
                    let _ = child.wait();
                    let limit = limit.as_secs();
                    return Err(format!("no end after {limit} s of: {}", self.shown));
                }
                Err(error) => return Err(format!("{error}: {}", self.shown)),
            }
        };
        let lines = reader.join().unwrap_or_default();
        if status.success() {
            Ok(lines)
        } else {
            Err(format!("{status} of: {}", self.shown))
        }
    }

    fn show(&self) {
        println!("$ {}", self.shown);
    }

    fn not_started(&self, error: &std::io::Error) -> String {
        format!("{error}, so this did not start: {}", self.shown)
    }
}

/// The argument as a shell takes it, paths from the root on.
fn quoted(arg: &OsStr) -> String {
    match Path::new(arg).strip_prefix(root()) {
        Ok(inside) if !inside.as_os_str().is_empty() => quoted_whole(inside.as_os_str()),
        _ => quoted_whole(arg),
    }
}

/// The argument as a shell takes it.
fn quoted_whole(arg: &OsStr) -> String {
    let arg = arg.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        arg.into_owned()
    } else {
        format!("'{}'", arg.replace('\'', r"'\''"))
    }
}

/// Call `f` with every item, go on after a failure, and fail in the end if one did.
pub(crate) fn for_all<T>(items: &[T], mut f: impl FnMut(&T) -> Result<()>) -> Result<()> {
    let mut failures = Vec::new();
    for item in items {
        if let Err(message) = f(item) {
            eprintln!("failed: {message}");
            failures.push(message);
        }
    }
    match failures.as_slice() {
        [] => Ok(()),
        [only] => Err(only.clone()),
        all => Err(format!(
            "{} of {} failed:\n  {}",
            all.len(),
            items.len(),
            all.join("\n  ")
        )),
    }
}

/// As [`for_all`], two items at a time: what compiles an image as a whole keeps one core busy. The results
/// are in the order of the items; the lines that both print mix.
pub(crate) fn for_all_by_two<T: Sync, R: Send>(
    items: &[T],
    f: impl Fn(&T) -> Result<R> + Sync,
) -> (Vec<R>, Result<()>) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((at, item)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            items.get(at).map(|item| (at, item))
        } {
            done.push((at, f(item)));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut done = work();
        // A panic there is one here: what it was to do must not count as done.
        done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done
    });
    done.sort_by_key(|(at, _)| *at);
    let mut results = Vec::new();
    let outcome = for_all(
        &done
            .into_iter()
            .map(|(_, r)| Cell::new(Some(r)))
            .collect::<Vec<_>>(),
        |r| {
            results.push(r.take().ok_or("taken twice")??);
            Ok(())
        },
    );
    (results, outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_at_a_time_are_all_and_in_order() {
        let items: Vec<u32> = (0..50).collect();
        let (results, outcome) = for_all_by_two(&items, |&i| match i {
            7 => Err(format!("{i} is odd")),
            _ => Ok(2 * i),
        });
        let wanted: Vec<u32> = items.iter().filter(|&&i| i != 7).map(|i| 2 * i).collect();
        assert_eq!((results, outcome), (wanted, Err("7 is odd".to_owned())));
    }

    #[test]
    fn lines_end_at_the_time_limit() {
        let error = Run::new("sleep").arg("60").lines(Duration::ZERO);
        assert_eq!(error.unwrap_err(), "no end after 0 s of: sleep 60");
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = Run::new("false").env("A", "b c").run().unwrap_err();
        assert_eq!(error, "exit status: 1 of: A='b c' false");
        let error = Run::new("no-such-program").run().unwrap_err();
        assert!(error.ends_with("did not start: no-such-program"), "{error}");
    }

    #[test]
    fn all_items_are_tried() {
        let mut tried = Vec::new();
        let result = for_all(&[1, 2, 3], |&item| {
            tried.push(item);
            if item == 2 {
                Ok(())
            } else {
                Err(format!("{item} is odd"))
            }
        });
        assert_eq!(tried, [1, 2, 3]);
        assert_eq!(
            result.unwrap_err(),
            "2 of 3 failed:\n  1 is odd\n  3 is odd"
        );
    }
}
