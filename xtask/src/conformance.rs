//! ONNX files: what is read of them beside onnxruntime and PyTorch, what is written of them in
//! onnxruntime.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{Result, command::Run, firmware::target_folder, install, root};

pub(crate) const OPTIONS: &str = "[--record] [--pytorch]";

/// The folder of the script and of what it needs.
const SCRIPT: &str = "fnn-std/tests/conformance";

/// Networks that PyTorch exported, with its outputs and its Jacobians.
const PYTORCH: &str = "fnn-std/tests/data/pytorch";

/// Where the table is written.
const TABLE: &str = "fnn-std/SUPPORT.md";

/// Cases that are kept in the tree, for the tests that run without Python.
const KEPT: &[&str] = &[
    "by_hand_normalised_inputs_and_outputs",
    "by_hand_activation_Celu",
    "by_hand_activation_HardSigmoid_of_PyTorch",
    "by_hand_activation_HardSwish",
    "by_hand_activation_Selu",
    "by_hand_float16",
    "by_hand_float64",
    "by_hand_two_inputs",
    "by_hand_residual_dynamics_of_state_and_input",
    "by_hand_residual",
    "by_hand_dueling_heads",
    "by_hand_slice_and_gather",
    "by_hand_columns",
    "by_hand_functions",
    "by_hand_clip_by_Min_and_Max",
    "written_out_GELU_of_PyTorch_between_layers",
    "written_out_GELU_of_TensorFlow_between_layers",
    "written_out_SiLU_with_factor_between_layers",
    "written_out_hard_swish_as_x_HardSigmoid(x)_between_layers",
    "written_out_tanh_GELU_with_Pow_between_layers",
    "written_out_layer_normalisation_of_PyTorch",
    "written_out_layer_normalisation_of_TensorFlow",
    "like_PyTorch_MLP,_older_exporter",
    "like_PyTorch_MLP,_external_data_of_the_newer_exporter",
    "like_PyTorch_view(x.size(0),_-1)",
    "MATLAB_controller_with_convolutions",
    "scikit-learn_StandardScaler_and_MLPRegressor_float32",
    "scikit-learn_MLPClassifier_two_classes_float32",
    "Keras_BatchNormalization",
    "Keras_LayerNormalization",
    "Keras_two_inputs",
];

/// A case and what became of it.
struct Case {
    name: String,
    framework: String,
    /// What is tried, or the operator that is tested.
    what: String,
    meant: String,
    status: String,
    reason: String,
}

/// Export models from several frameworks, read and evaluate them here, and compare with what
/// onnxruntime makes of them; write models for it to evaluate; write the table of what is supported.
/// PyTorch, some 6 GB, is installed and asked only with `--pytorch`.
pub(crate) fn task(args: &[String]) -> Result<()> {
    if args
        .iter()
        .any(|arg| arg != "--record" && arg != "--pytorch")
    {
        return Err(format!("wanted: cargo xtask conformance {OPTIONS}"));
    }
    let is_given = |option: &str| args.iter().any(|arg| arg == option);
    let (is_recording, with_pytorch) = (is_given("--record"), is_given("--pytorch"));
    let script = |name: &str| root().join(SCRIPT).join(name);
    let python = install::python_with("venv", &script("requirements.txt"))?;
    let folder = emptied("conformance")?;
    let example = || {
        Run::cargo()
            .args(["run", "--quiet", "--package", "fnn-std"])
            .args(["--example", "conformance", "--"])
    };
    let operators = folder.join("operators.txt");
    write(&operators, &example().output()?)?;
    Run::new(&python)
        .arg(script("cases.py"))
        .arg(&folder)
        .arg(&operators)
        .lines(Duration::from_secs(900))?;
    let widened = |folder: &Path| {
        let run = Run::new(&python).arg(script("widened.py")).arg(folder);
        run.lines(Duration::from_secs(900))
    };
    widened(&folder)?;
    let results = example().arg(&folder).shown_output()?;
    let mut cases = cases(&read(&folder.join("meant.tsv"))?, &results)?;

    let pytorch = if with_pytorch {
        println!("PyTorch with its libraries takes some 6 GB in the target folder");
        let python = install::python_with("pytorch-venv", &script("pytorch.txt"))?;
        let pytorch = emptied("conformance-pytorch")?;
        Run::new(python)
            .arg(script("pytorch.py"))
            .arg(&pytorch)
            .lines(Duration::from_secs(900))?;
        widened(&pytorch)?;
        pytorch
    } else {
        root().join(PYTORCH)
    };
    let results = example().arg(&pytorch).shown_output()?;
    let mut more = self::cases(&read(&pytorch.join("meant.tsv"))?, &results)?;
    if !with_pytorch {
        more.iter_mut()
            .for_each(|case| case.framework += ", recorded");
    }
    cases.extend(more);

    let written = emptied("conformance-written")?;
    example().arg("--write").arg(&written).run()?;
    let results = Run::new(&python)
        .arg(script("written.py"))
        .arg(&written)
        .shown_output()?;
    let meant = read(&written.join("meant.tsv"))?;
    cases.extend(self::cases(&meant, &results)?);

    let table = table(&cases, &read(&folder.join("without.tsv"))?);
    print!("{table}");
    write(&root().join(TABLE), &table)?;
    if is_recording {
        record(&folder)?;
    }
    if is_recording && with_pytorch {
        record_pytorch(&pytorch)?;
    }
    let wrong: Vec<String> = cases
        .iter()
        .filter(|case| !case.is_as_meant())
        .map(|case| format!("{}: {}: {}", case.name, case.status, case.reason))
        .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{} of {} cases are not as meant:\n  {}",
            wrong.len(),
            cases.len(),
            wrong.join("\n  ")
        ))
    }
}

/// A folder in the target folder with nothing in it.
fn emptied(name: &str) -> Result<PathBuf> {
    let folder = target_folder().join(name);
    let failed = |e| format!("{}: {e}", folder.display());
    if folder.is_dir() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::create_dir_all(&folder).map_err(failed)?;
    Ok(folder)
}

impl Case {
    fn is_as_meant(&self) -> bool {
        match (&*self.meant, &*self.status) {
            ("read", status) => status == "passed",
            ("refused", status) => status == "refused",
            (_, status) => status != "failed",
        }
    }
}

/// What was meant and what became of it, line by line for the same cases.
fn cases(meant: &str, results: &str) -> Result<Vec<Case>> {
    let pairs = meant.lines().zip(results.lines());
    let cases: Option<Vec<Case>> = pairs
        .map(|(meant, result)| {
            let mut meant = meant.split('\t').map(str::to_owned);
            let mut result = result.split('\t').map(str::to_owned);
            let (name, framework) = (meant.next()?, meant.next()?);
            let (tried, kind, operator) = (meant.next()?, meant.next()?, meant.next()?);
            (result.next()? == name).then_some(())?;
            Some(Case {
                name,
                framework,
                what: if operator.is_empty() { tried } else { operator },
                meant: kind,
                status: result.next()?,
                reason: result.next()?,
            })
        })
        .collect();
    let cases = cases.ok_or("the cases and their results do not fit each other")?;
    if cases.is_empty() || cases.len() != meant.lines().count() {
        return Err(format!(
            "{} results for {} cases",
            cases.len(),
            meant.lines().count()
        ));
    }
    Ok(cases)
}

/// The table of frameworks, what they write, and what becomes of it; `without` lists what a
/// framework writes no file for that onnxruntime runs.
fn table(cases: &[Case], without: &str) -> String {
    let mut text = "# What is read and written of ONNX files\n\n\
         Made by `cargo xtask conformance`: models read and evaluated here in f64, beside what \
         onnxruntime makes\nof them, or, of the onnx package, beside its own test data with \
         all inputs but the first as weights\nand a Neg behind, so that there is a layer. The files of Keras and scikit-learn are written by \
         tf2onnx and skl2onnx; those of MATLAB, and those\n\"like PyTorch\", by the script, as these \
         exporters arrange them; those of PyTorch by itself, with its\noutputs and its Jacobians: anew with \
         `--pytorch`, else those recorded in `tests/data/pytorch`.\n\nA case passed if the largest \
         difference is below 10⁻⁵ of the largest output, 2·10⁻⁵ for scikit-learn:\nonnxruntime rounds \
         to f32. In float16 it is 10⁻², in float64 10⁻¹⁴ by hand, 10⁻¹³ for PyTorch and 10⁻⁶\nfor \
         scikit-learn, which keeps some numbers in f32. PyTorch's Jacobians, by its autograd, are held to \
         the\nsame shares of their largest entry.\n\n\
         Every file is also read for an evaluation in f64, which must be within 10⁻¹⁴ of the largest \
         output of\nwhat the file's own numbers give in f64: those of the evaluator of the onnx \
         package, with every tensor,\nattribute and conversion in floating point turned into double.\n\n\
         \"Written by fnn\" is the other direction: files of `fnn convert` that pass the full check of \
         the onnx\npackage and that onnxruntime evaluates to the values of `fnn_std::reference`, all rows \
         at once and each by\nitself, some so large that what can overflow does. No output may be \
         further off than rounding in the\nmodel's precision explains (`fnn_std::bound`, with 128 u for \
         an activation, 16 for each of the operators\nthat pass an error on whole), nor than 10⁻⁵ in \
         f32 or 10⁻¹³ in f64 of the largest output of its row.\n\n"
        .to_owned();
    let count = |status: &str| cases.iter().filter(|case| case.status == status).count();
    let _ = writeln!(
        text,
        "{} passed, {} refused by design, {} failed\n",
        count("passed"),
        count("refused"),
        count("failed")
    );
    let mut groups: BTreeMap<(&str, &str), BTreeMap<&str, usize>> = BTreeMap::new();
    for case in cases {
        let group = groups.entry((&case.framework, &case.what)).or_default();
        *group.entry(&case.status).or_default() += 1;
    }
    text += "| framework | what | status |\n|---|---|---|\n";
    for ((framework, what), statuses) in groups {
        let shown = |status: &str| {
            if status == "refused" {
                "refused by design"
            } else {
                status
            }
            .to_owned()
        };
        let total: usize = statuses.values().sum();
        let statuses: Vec<String> = statuses
            .into_iter()
            .map(|(status, n)| match total {
                1 => shown(status),
                _ => format!("{n} {}", shown(status)),
            })
            .collect();
        let _ = writeln!(text, "| {framework} | {what} | {} |", statuses.join(", "));
    }
    text += "\nOf these the framework writes no file that onnxruntime runs, so nothing is said of \
             them:\n\n| framework | what |\n|---|---|\n";
    for line in without.lines() {
        let (framework, what) = line.split_once('\t').unwrap_or((line, ""));
        let _ = writeln!(text, "| {framework} | {what} |");
    }
    text
}

/// Copies the cases that are kept into the tree.
fn record(folder: &Path) -> Result<()> {
    let kept = root().join("fnn-std/tests/data/onnx");
    for name in KEPT {
        copy(&folder.join(name), &kept.join(name))?;
    }
    Ok(())
}

/// Puts what PyTorch wrote in the place of what it wrote before.
fn record_pytorch(folder: &Path) -> Result<()> {
    let kept = root().join(PYTORCH);
    if kept.is_dir() {
        fs::remove_dir_all(&kept).map_err(|e| format!("{}: {e}", kept.display()))?;
    }
    copy(folder, &kept)
}

/// Copies a folder and those in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = |e| format!("{}: {e}", from.display());
    fs::create_dir_all(to).map_err(|e| format!("{}: {e}", to.display()))?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let to = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &to)?;
        } else {
            fs::copy(&path, to).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}
