//! C: by hand, and as CasADi generates it.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use fnn_std::Float;
use libloading::Library;
use nalgebra::{DMatrix, DVector};

use crate::{
    contender::{Contender, Here, Outcome, Result},
    network::{Network, rounded},
};

/// What all C is compiled with.
pub(crate) const FLAGS: [&str; 5] = ["-O3", "-march=native", "-ffast-math", "-fPIC", "-shared"];

/// The seed's own C, which is in f32, and its name with mish as its definition reads and with one
/// exponential.
const SEED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../fnn-embedded/firmware/peers/seed.c"
);
const SEED_FUNCTIONS: [(&str, &str, &str); 2] = [
    ("C by hand", "seed", "-DSEED"),
    (
        "C by hand, one expf",
        "seed_one_exponential",
        "-DONE_EXPONENTIAL",
    ),
];

/// The others'.
const NETWORK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/network.c");

/// A call of gcc.
struct Job {
    args: Vec<OsString>,
    library: PathBuf,
}

/// Compiles the C by hand for `by_hand`, in both precisions, and all C by CasADi in the folder.
pub(crate) fn compile(folder: &Path, by_hand: &[Network]) -> Result<()> {
    let mut jobs = Vec::new();
    for (_, function, define) in SEED_FUNCTIONS {
        jobs.push(Job {
            args: ["-DSEED_WEIGHTS=", define, SEED].map(OsString::from).into(),
            library: library(folder, function),
        });
    }
    for network in by_hand {
        for (precision, real) in [("f32", "float"), ("f64", "double")] {
            let mut args = defines(network, real);
            args.push(NETWORK.into());
            jobs.push(Job {
                args,
                library: library(folder, &format!("hand_{}_{precision}", network.name)),
            });
        }
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
            continue;
        };
        if path.extension().is_none_or(|extension| extension != "c") {
            continue;
        }
        let mut args = Vec::new();
        if name.ends_with("_f32") {
            // As CasADi's documentation says for `casadi_real` other than double.
            args.extend(
                ["-include", "tgmath.h", "-fsingle-precision-constant"].map(OsString::from),
            );
        }
        args.push(path.clone().into());
        jobs.push(Job {
            args,
            library: library(folder, name),
        });
    }
    // The longest first, so that the last ones fill the time of both processors.
    jobs.sort_by_key(|job| {
        let source = job.args.last().and_then(|source| fs::metadata(source).ok());
        std::cmp::Reverse(source.map_or(0, |source| source.len()))
    });
    println!("{} libraries: gcc {}", jobs.len(), FLAGS.join(" "));
    run(&jobs)
}

fn library(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("lib{name}.so"))
}

fn defines(network: &Network, real: &str) -> Vec<OsString> {
    let sizes = network.model.sizes();
    let mut layers = String::new();
    for k in 1..sizes.len() {
        let kind = if k + 1 < sizes.len() { "LAYER" } else { "LAST" };
        layers += &format!("{kind}({},{}) ", sizes[k - 1], sizes[k]);
    }
    let defines = [
        format!("-DREAL={real}"),
        format!("-DACTIVATION={}_and_slope", network.activation()),
        format!("-DNX={}", network.inputs()),
        format!("-DNF={}", network.outputs()),
        format!("-DWIDEST={}", sizes.iter().max().unwrap_or(&0)),
        format!("-DPARAMETERS={}", network.model.parameters()),
        format!("-DLAYERS={layers}"),
    ];
    defines.map(OsString::from).into()
}

/// Runs gcc on every processor.
fn run(jobs: &[Job]) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || -> std::result::Result<(), String> {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let status = Command::new("gcc")
                .args(FLAGS)
                .arg("-o")
                .arg(&job.library)
                .args(&job.args)
                .arg("-lm")
                .status()
                .map_err(|error| format!("gcc: {error}"))?;
            if !status.success() {
                return Err(format!("{status} of gcc for {}", job.library.display()));
            }
        }
        Ok(())
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(())
    })
}

/// A result column by column, as all of them write it.
type Columns<T> = (Vec<T>, Vec<T>);

fn result<T: Float>(network: &Network) -> Columns<T> {
    let (inputs, outputs) = (network.inputs(), network.outputs());
    (vec![T::ZERO; outputs], vec![T::ZERO; outputs * inputs])
}

fn read<T: Float>((value, jacobian): &Columns<T>) -> Outcome {
    let columns = jacobian.len() / value.len();
    let value = DVector::from_column_slice(value);
    let jacobian = DMatrix::from_column_slice(value.len(), columns, jacobian);
    Outcome::new(&value, &jacobian)
}

/// The C by hand that was compiled for this network: the seed's own, or the other.
pub(crate) fn by_hand<T: Float>(
    folder: &Path,
    network: &Network,
) -> Result<Vec<Box<dyn Contender<T>>>> {
    if network.name == "seed" && T::NAME == "f32" {
        let load = |(name, function, _)| seed(folder, network, name, function);
        return SEED_FUNCTIONS.into_iter().map(load).collect();
    }
    type Function<T> = unsafe extern "C" fn(*const T, *mut T, *mut T);
    let name = format!("hand_{}_{}", network.name, T::NAME);
    let numbers = rounded::<T>(&network.numbers());
    // SAFETY: the library was compiled from network.c for this network and this number format; it has
    // no initialiser, and `network_weights` is memory for so many numbers.
    let library = unsafe {
        let library = Library::new(library(folder, &name))?;
        let memory = *library.get::<*mut T>(b"network_weights\0")?;
        memory.copy_from_nonoverlapping(numbers.as_ptr(), numbers.len());
        library
    };
    // SAFETY: this is its prototype; `library` is kept as long as the function.
    let function = unsafe { *library.get::<Function<T>>(b"network\0")? };
    Ok(vec![Box::new(Here {
        name: "C by hand".to_owned(),
        result: result(network),
        evaluate: move |x: &[T], (value, jacobian): &mut Columns<T>| {
            let _ = &library;
            // SAFETY: it reads as many inputs as the network has, writes its outputs and columns.
            unsafe { function(x.as_ptr(), value.as_mut_ptr(), jacobian.as_mut_ptr()) };
        },
        read,
    })])
}

/// The seed's own C.
fn seed<T: Float>(
    folder: &Path,
    network: &Network,
    name: &str,
    function: &str,
) -> Result<Box<dyn Contender<T>>> {
    type Function<T> = unsafe extern "C" fn(*const i32, *const T, *mut T, *mut T) -> i32;
    // Its struct has the biases of the four hidden layers after their weights.
    let layers = network.layers();
    let weights =
        |range: std::ops::Range<usize>| layers[range].iter().flat_map(|l| l.rows().flatten());
    let biases = |range: std::ops::Range<usize>| layers[range].iter().flat_map(|l| l.bias());
    let numbers: Vec<f64> = weights(0..1)
        .chain(biases(0..1))
        .chain(weights(1..5))
        .chain(biases(1..5))
        .chain(weights(5..6))
        .chain(biases(5..6))
        .copied()
        .collect();
    let numbers = rounded::<T>(&numbers);
    // SAFETY: the library was compiled from seed.c; it has no initialiser, and `seed_weights` is a
    // struct of so many numbers of f32, which `T` is where this is called.
    let library = unsafe {
        let library = Library::new(library(folder, function))?;
        let memory = *library.get::<*mut T>(b"seed_weights\0")?;
        memory.copy_from_nonoverlapping(numbers.as_ptr(), numbers.len());
        library
    };
    // SAFETY: this is the prototype of both functions; `library` is kept as long as the function.
    let function = unsafe { *library.get::<Function<T>>(function.as_bytes())? };
    Ok(Box::new(Here {
        name: name.to_owned(),
        result: result(network),
        evaluate: move |x: &[T], (value, jacobian): &mut Columns<T>| {
            let _ = &library;
            let (value, jacobian) = (value.as_mut_ptr(), jacobian.as_mut_ptr());
            // SAFETY: it reads 2 needs and 4 inputs, writes 3 outputs and 4 columns of 3.
            unsafe { function([1, 1].as_ptr(), x.as_ptr(), value, jacobian) };
        },
        read,
    }))
}

/// CasADi's C for this network, called as its documentation says: with work memory of the sizes that
/// the library names.
pub(crate) fn by_casadi<T: Float>(
    folder: &Path,
    network: &Network,
) -> Result<Box<dyn Contender<T>>> {
    type Sizes = unsafe extern "C" fn(*mut i64, *mut i64, *mut i64, *mut i64) -> i32;
    type Function<T> =
        unsafe extern "C" fn(*mut *const T, *mut *mut T, *mut i64, *mut T, i32) -> i32;

    let name = format!("casadi_{}_{}", network.name, T::NAME);
    // SAFETY: the library was compiled from C that CasADi generated for this network and this number
    // format; it has no initialiser. These are the prototypes of its functions, and `library` is
    // kept as long as they are.
    let (library, sizes, function) = unsafe {
        let library = Library::new(library(folder, &name))?;
        let sizes = *library.get::<Sizes>(b"network_work\0")?;
        let function = *library.get::<Function<T>>(b"network\0")?;
        (library, sizes, function)
    };
    let mut size = [0_i64; 4];
    let [args, results, integers, reals] = &mut size;
    // SAFETY: it writes the four sizes.
    unsafe { sizes(args, results, integers, reals) };
    let [args, results, integers, reals] = size.map(|n| usize::try_from(n).unwrap_or(0));
    let mut args = vec![ptr::null(); args.max(1)];
    let mut results = vec![ptr::null_mut(); results.max(2)];
    let mut integers = vec![0; integers];
    let mut reals = vec![T::ZERO; reals];
    Ok(Box::new(Here {
        name: "CasADi".to_owned(),
        result: result(network),
        evaluate: move |x: &[T], (value, jacobian): &mut Columns<T>| {
            let _ = &library;
            args[0] = x.as_ptr();
            results[0] = value.as_mut_ptr();
            results[1] = jacobian.as_mut_ptr();
            let (integers, reals) = (integers.as_mut_ptr(), reals.as_mut_ptr());
            // SAFETY: all memory has the size that the library asks for; it reads as many inputs as
            // the network has, writes its outputs and the columns of its Jacobian.
            unsafe { function(args.as_mut_ptr(), results.as_mut_ptr(), integers, reals, 0) };
        },
        read,
    }))
}

/// What `networks.py` reads: a list, and beside it the weights and the inputs of each network.
pub(crate) fn write(folder: &Path, table: &[Network], growth: &[&Network]) -> Result<()> {
    let mut entries = Vec::new();
    let all = table
        .iter()
        .map(|n| (n, true))
        .chain(growth.iter().map(|&n| (n, false)));
    for (network, in_table) in all {
        let mut numbers = network.numbers();
        numbers.extend(network.points().into_iter().flatten());
        let bytes: Vec<u8> = numbers.into_iter().flat_map(f64::to_le_bytes).collect();
        fs::write(folder.join(format!("{}.f64", network.name)), bytes)?;
        // See with_casadi.py; only the seed, the sensor, the dynamics and the tiny one are so small.
        let small = network.multiply_adds() < 100_000;
        entries.push(serde_json::json!({
            "name": network.name,
            "sizes": network.model.sizes(),
            "activation": network.activation().to_string(),
            "expanded": in_table && small,
            "precisions": if in_table { vec!["f32", "f64"] } else { vec!["f32"] },
        }));
    }
    fs::write(
        folder.join("networks.json"),
        serde_json::to_string_pretty(&entries)?,
    )?;
    Ok(())
}
