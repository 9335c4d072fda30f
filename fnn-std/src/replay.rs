//! A device's log evaluated again, step by step: what `fnn replay` does.

use std::{
    fmt,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use crate::{
    error::{Error, Result},
    evaluator::{Evaluator, Float},
    file, import,
    model::{Model, Precision},
    order::Order,
};

#[path = "../../fnn-embedded/src/control/telemetry/frame.rs"]
mod frame;

use frame::{FAULTS, FIXED, Fixed, HAS_JACOBIAN, IS_EVALUATED, MODES, mix};

/// What [`run`] is told: the options of `fnn replay`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The order of accumulation of the Jacobian on the device.
    pub order: Order,
    /// How the model is read.
    pub import: import::Options,
}

/// What [`run`] found in a log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Records that were read whole.
    pub records: u64,
    /// Pieces between two ends of frames that are none: cut off, or with other bits than were written.
    pub damaged: u64,
    /// Steps whose records are not there, by the numbers of those before and after.
    pub missing: u64,
    /// How often the loop began again, by a number that is not after the one before.
    pub restarts: u64,
    /// Records whose value was evaluated again; of them, those whose Jacobian was, too.
    pub values: u64,
    /// See [`values`](Self::values).
    pub jacobians: u64,
    /// Records with other bits than the desk computes.
    pub differing: u64,
    /// The first of them.
    pub first: Option<Difference>,
    /// The step whose command took the longest.
    pub longest: Option<Latency>,
    /// Microseconds from the begin of a step to its command on average.
    pub mean_us: f64,
    /// How many steps had each fault, and the number of the first one.
    pub faults: Vec<(&'static str, u64, u32)>,
    /// How many steps were in each mode.
    pub modes: Vec<(&'static str, u64)>,
}

/// The first step with other bits.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The number of the step.
    pub step: u32,
    /// The output whose value differs, with what the log has and what was computed; `None` for the Jacobian,
    /// of which a log has a digest.
    pub value: Option<(usize, f64, f64)>,
}

/// How long a step took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// The number of the step.
    pub step: u32,
    /// Microseconds from its begin to its command.
    pub us: f64,
}

/// A record of a log as it was read.
struct Record {
    fixed: Fixed,
    /// Inputs, outputs and command.
    numbers: Vec<f64>,
}

/// The bytes of the longest frame that is read; a longer one is damaged. That of a model of as many inputs as
/// there may be takes less.
const MOST: usize = 4 << 20;

/// Reads the log at `log`, evaluates each of its steps again by the model at `model`, and compares every bit.
/// What is damaged in it is counted and left out.
///
/// # Errors
/// A file that cannot be read; a log without a record; records of another model, by their sizes.
pub fn run(log: &Path, model: &Path, options: &Options) -> Result<Report> {
    let (file, _) = file::open(log)?;
    let mut log_of = Log::new(file, log);
    let Some(first) = log_of.next()? else {
        return Err(Error::refused(format!(
            "found no record of a step in this log, and {}",
            match log_of.damaged {
                0 => "nothing else".to_owned(),
                1 => "a damaged frame".to_owned(),
                many => format!("{many} damaged frames"),
            }
        ))
        .in_file(log)
        .with_help("a log is what Record::write_to of fnn-embedded writes, byte by byte"));
    };
    let precision = first.precision();
    let import = options.import.for_evaluation(Some(precision));
    let model = import::read(model, &import)?;
    match precision {
        Precision::F32 => replay::<f32>(&model, log_of, first, log, options.order),
        Precision::F64 => replay::<f64>(&model, log_of, first, log, options.order),
    }
}

fn replay<T: Float>(
    model: &Model,
    mut log: Log,
    first: Record,
    path: &Path,
    order: Order,
) -> Result<Report> {
    let mut evaluator = Evaluator::<T>::with_order(model, order)?;
    let mut report = Report::default();
    let (mut total, mut last) = (0.0, None::<u32>);
    let mut next = Some(first);
    while let Some(record) = next {
        let fixed = record.fixed;
        check_sizes::<T>(model, &fixed).map_err(|e| e.in_file(path))?;
        report.records += 1;
        if let Some(last) = last.replace(fixed.number) {
            match fixed.number.wrapping_sub(last) {
                // Half of the numbers are after, half before.
                0 | 0x8000_0000.. => report.restarts += 1,
                step => report.missing += u64::from(step) - 1,
            }
        }
        let us = f64::from(fixed.took) * 1e6 / f64::from(fixed.hz.max(1));
        total += us;
        if report.longest.is_none_or(|longest| us > longest.us) {
            let step = fixed.number;
            report.longest = Some(Latency { step, us });
        }
        report.count(&fixed);
        if fixed.flags & IS_EVALUATED != 0 {
            report.compare(&mut evaluator, &record)?;
        }
        next = log.next()?;
    }
    report.mean_us = total / report.records as f64;
    report.damaged = log.damaged;
    Ok(report)
}

fn check_sizes<T: Float>(model: &Model, fixed: &Fixed) -> Result<()> {
    let found = (usize::from(fixed.inputs), usize::from(fixed.outputs));
    let wanted = (model.inputs(), model.outputs());
    if found != wanted {
        return Err(Error::refused(format!(
            "step {} has {} inputs and {} outputs, and the model {} and {}",
            fixed.number, found.0, found.1, wanted.0, wanted.1
        ))
        .with_help("name the model that the device evaluates: --model MODEL"));
    }
    if usize::from(fixed.scalar) != T::PRECISION.bytes() {
        return Err(Error::refused(format!(
            "step {} has another number format than the first one",
            fixed.number
        ))
        .with_help("a log is of one model: split the file"));
    }
    Ok(())
}

impl Report {
    fn count(&mut self, fixed: &Fixed) {
        for (i, name) in FAULTS.into_iter().enumerate() {
            if fixed.faults >> i & 1 == 0 {
                continue;
            }
            match self.faults.iter_mut().find(|(known, ..)| *known == name) {
                Some((_, count, _)) => *count += 1,
                None => self.faults.push((name, 1, fixed.number)),
            }
        }
        let mode = MODES.get(usize::from(fixed.mode)).copied();
        let mode = mode.unwrap_or("of another version");
        match self.modes.iter_mut().find(|(known, _)| *known == mode) {
            Some((_, count)) => *count += 1,
            None => self.modes.push((mode, 1)),
        }
    }

    /// Evaluate a record again.
    fn compare<T: Float>(&mut self, evaluator: &mut Evaluator<T>, record: &Record) -> Result<()> {
        let (inputs, outputs) = (evaluator.inputs(), evaluator.outputs());
        let (x, rest) = record.numbers.split_at(inputs);
        let x: Vec<T> = x.iter().map(|&x| T::from_f64(x)).collect();
        let mut value = vec![T::ZERO; outputs];
        let has_jacobian = record.fixed.flags & HAS_JACOBIAN != 0;
        let mut digest = record.fixed.digest;
        self.values += 1;
        if has_jacobian {
            let mut jacobian = vec![T::ZERO; outputs * inputs];
            evaluator.evaluate(&x, &mut value, &mut jacobian)?;
            digest = 0;
            // Column by column, as the device stores it.
            for (j, i) in (0..inputs).flat_map(|j| (0..outputs).map(move |i| (j, i))) {
                let bits = jacobian[i * inputs + j].bits();
                digest = mix(digest, bits as u32);
                if T::PRECISION.bytes() == 8 {
                    digest = mix(digest, (bits >> 32) as u32);
                }
            }
            self.jacobians += 1;
        } else {
            evaluator.value(&x, &mut value)?;
        }
        let pairs = value.iter().zip(rest);
        let other = pairs.enumerate().find(|(_, (found, logged))| {
            let logged = T::from_f64(**logged);
            // The sign and the payload of a NaN are the processor's own.
            let both_nan = found.to_f64().is_nan() && logged.to_f64().is_nan();
            !both_nan && found.bits() != logged.bits()
        });
        let other = other.map(|(i, (found, &logged))| (i, logged, found.to_f64()));
        if other.is_some() || digest != record.fixed.digest {
            self.differing += 1;
            self.first.get_or_insert(Difference {
                step: record.fixed.number,
                value: other,
            });
        }
        Ok(())
    }

    /// Whether every evaluation of the log has the bits that the desk computes.
    pub fn is_equal(&self) -> bool {
        self.differing == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "records: {}", self.records)?;
        for (count, what) in [
            (self.damaged, "damaged frames"),
            (self.missing, "steps missing"),
            (self.restarts, "restarts"),
        ] {
            if count > 0 {
                writeln!(f, "{what}: {count}")?;
            }
        }
        let modes: Vec<_> = self.modes.iter().map(|(m, n)| format!("{n} {m}")).collect();
        writeln!(f, "steps: {}", modes.join(", "))?;
        for (fault, count, first) in &self.faults {
            writeln!(f, "fault {fault}: {count}, first at step {first}")?;
        }
        if let Some(Latency { step, us }) = self.longest {
            let mean = self.mean_us;
            writeln!(
                f,
                "until the command: mean {mean:.1} us, longest {us:.1} us at step {step}"
            )?;
        }
        writeln!(
            f,
            "evaluated again: {} values, {} Jacobians",
            self.values, self.jacobians
        )?;
        match &self.first {
            None if self.values == 0 => writeln!(f, "bits: nothing to compare"),
            None => writeln!(f, "bits: equal"),
            Some(Difference { step, value }) => {
                let of = format!("{} of {} differ", self.differing, self.values);
                match value {
                    Some((i, logged, found)) => writeln!(
                        f,
                        "bits: {of}, first at step {step}: output {i} is {logged:e} in the log, {found:e} here"
                    ),
                    None => writeln!(f, "bits: {of}, first at step {step}: its Jacobian"),
                }
            }
        }
    }
}

impl Record {
    /// What these bytes are, between two zeros; `None` where they are no frame.
    fn parse(stuffed: &[u8]) -> Option<Self> {
        let bytes = cobs::decode_vec(stuffed).ok()?;
        let (body, checksum) = bytes.split_last_chunk()?;
        const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
        if CRC.checksum(body) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let (fixed, numbers) = body.split_first_chunk::<FIXED>()?;
        let fixed = Fixed::from_bytes(fixed)?;
        let [inputs, outputs, commands] = [fixed.inputs, fixed.outputs, fixed.commands];
        let count = usize::from(inputs) + usize::from(outputs) + usize::from(commands);
        let size = usize::from(fixed.scalar);
        if ![4, 8].contains(&size) || numbers.len() != count * size {
            return None;
        }
        let number = |bytes: &[u8]| match bytes.try_into() {
            Ok(bytes) => f64::from_le_bytes(bytes),
            Err(_) => {
                let bytes = bytes.try_into().unwrap_or_default();
                f64::from(f32::from_le_bytes(bytes))
            }
        };
        Some(Self {
            fixed,
            numbers: numbers.chunks_exact(size).map(number).collect(),
        })
    }

    fn precision(&self) -> Precision {
        match self.fixed.scalar {
            4 => Precision::F32,
            _ => Precision::F64,
        }
    }
}

/// A log while it is read.
struct Log {
    file: BufReader<File>,
    path: std::path::PathBuf,
    damaged: u64,
}

impl Log {
    fn new(file: File, path: &Path) -> Self {
        Self {
            file: BufReader::new(file),
            path: path.to_owned(),
            damaged: 0,
        }
    }

    /// The next record that is whole; what is none on the way counts as damaged.
    fn next(&mut self) -> Result<Option<Record>> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let most = MOST as u64;
            let limited = (&mut self.file).take(most).read_until(0, &mut bytes);
            limited.map_err(|e| Error::system("read", &self.path, e))?;
            match bytes.pop() {
                None => return Ok(None),
                // The end of a frame, or of nothing.
                Some(0) if bytes.is_empty() => continue,
                Some(0) => match Record::parse(&bytes) {
                    Some(record) => return Ok(Some(record)),
                    None => self.damaged += 1,
                },
                // Cut off by the end of the file, or longer than any.
                Some(_) => self.damaged += 1,
            }
        }
    }
}
