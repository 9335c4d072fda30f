//! Contenders in another process: JAX, and `fnn-std` compiled without `-Ctarget-cpu=native`.
//!
//! The process reads a line and answers with one:
//!
//! ```text
//! evaluate NETWORK PRECISION INDEX      value and Jacobian, row by row, at the input of this number
//! time NETWORK PRECISION EVALUATIONS    nanoseconds of one evaluation
//! ```

use std::{
    cell::RefCell,
    ffi::OsStr,
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    rc::Rc,
};

use fnn_std::Float;

use crate::{
    contender::{self, Contender, Outcome, Result},
    evaluator,
    network::Network,
};

/// A process that is asked and answers.
pub(crate) struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    /// Starts the program; the first line that it writes is its version.
    pub(crate) fn start(
        name: &str,
        program: &OsStr,
        args: &[&OsStr],
    ) -> Result<(Rc<RefCell<Self>>, String)> {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("a process without output")?;
        let mut process = Self {
            name: name.to_owned(),
            child,
            stdin,
            stdout: BufReader::new(stdout),
        };
        let version = process.line()?;
        Ok((Rc::new(RefCell::new(process)), version))
    }

    /// The answer to one line.
    pub(crate) fn ask(&mut self, line: &str) -> Result<String> {
        if let Some(stdin) = &mut self.stdin {
            writeln!(stdin, "{line}")?;
        }
        self.line()
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            return Err(format!("{} ended early", self.name).into());
        }
        Ok(line.trim().to_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It ends when there is nothing more to read.
        self.stdin = None;
        let _ = self.child.wait();
    }
}

/// One network, evaluated there.
pub(crate) struct There {
    pub(crate) name: String,
    pub(crate) process: Rc<RefCell<Process>>,
    pub(crate) network: String,
    pub(crate) outputs: usize,
}

impl<T: Float> Contender<T> for There {
    fn name(&self) -> &str {
        &self.name
    }

    fn outcome(&mut self, _: &[Vec<T>], index: usize) -> Result<Outcome> {
        let line = format!("evaluate {} {} {index}", self.network, T::NAME);
        let answer = self.process.borrow_mut().ask(&line)?;
        let numbers = answer.split(' ').map(str::parse);
        let mut value = numbers.collect::<std::result::Result<Vec<f64>, _>>()?;
        let jacobian = value.split_off(self.outputs.min(value.len()));
        Ok(Outcome {
            value,
            jacobian: Some(jacobian),
        })
    }

    fn time(&mut self, _: &[Vec<T>], evaluations: usize) -> Result<f64> {
        let line = format!("time {} {} {evaluations}", self.network, T::NAME);
        Ok(self.process.borrow_mut().ask(&line)?.parse()?)
    }
}

/// Answers for `fnn-std` until there is nothing more to read.
pub(crate) fn serve(networks: &[Network]) -> Result<()> {
    let mut all = Vec::new();
    for network in networks {
        all.push((
            &network.name,
            Ready::<f32>::new(network)?,
            Ready::<f64>::new(network)?,
        ));
    }
    println!("{}", env!("CARGO_PKG_VERSION"));
    for line in io::stdin().lines() {
        let line = line?;
        let [request, name, precision, number] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("not a request: {line}").into());
        };
        let found = all.iter_mut().find(|(network, ..)| *network == name);
        let (_, in_f32, in_f64) = found.ok_or_else(|| format!("not a network: {name}"))?;
        let number = number.parse()?;
        let answer = match precision {
            "f32" => in_f32.answer(request, number)?,
            _ => in_f64.answer(request, number)?,
        };
        println!("{answer}");
    }
    Ok(())
}

/// An evaluator that stays from one request to the next, as those of the asking process do.
struct Ready<T> {
    evaluator: Box<dyn Contender<T>>,
    points: Vec<Vec<T>>,
}

impl<T: Float> Ready<T> {
    fn new(network: &Network) -> Result<Self> {
        Ok(Self {
            evaluator: evaluator::evaluate(network)?,
            points: contender::points_of(network),
        })
    }

    fn answer(&mut self, request: &str, number: usize) -> Result<String> {
        if request == "time" {
            // This process has waited: its first evaluations fetch code and weights again.
            self.evaluator.time(&self.points, self.points.len())?;
            return Ok(self.evaluator.time(&self.points, number)?.to_string());
        }
        let found = self.evaluator.outcome(&self.points, number)?;
        let numbers = found.value.iter().chain(found.jacobian.iter().flatten());
        let numbers: Vec<_> = numbers.map(f64::to_string).collect();
        Ok(numbers.join(" "))
    }
}
