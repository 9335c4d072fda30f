//! Networks that others trained and published, against their publishers' own outputs.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use crate::{
    Result,
    command::{Run, for_all},
    firmware::{fnn, target_folder},
    install, root,
};

/// The folder of the script and of what it needs.
const SCRIPT: &str = "fnn-std/tests/published";

/// Where the table is written.
const TABLE: &str = "fnn-std/PUBLISHED.md";

/// What the table begins with.
const HEAD: &str = "# Published networks

Made by `cargo xtask published`: networks that others trained and published in Python packages, installed
at the versions given here, evaluated as the column *beside* says, by their publishers' own code where
that runs alone, and by `fnn check` at the same inputs. The Jacobian beside is JAX's, forward mode in f64. None of the weights are
part of this repository; each package comes with its licence.

A distance is the largest over all inputs, in units in the last place of the precision that the weights are
published in, at the largest magnitude that the same output or derivative has over the inputs. A
network passed where every number is within what rounding may do on both sides, against the
publisher's, a plain f64 evaluation, central differences, and in every order of accumulation.
Instructions are `fnn inspect`'s estimate for a Cortex-M4F in f32, of a value and of a value with its
Jacobian; bytes are those of the weights in flash; the last size
is that of the generated Rust module with one recorded evaluation.

| network | what it does | package, licence | published as | layers | parameters | inputs checked | \
beside | value, ulp | Jacobian, ulp | instructions: value | with Jacobian | weights, bytes | module | |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// What the second table begins with.
const REFUSED: &str = "
Of these the file as it is published is not read; all but the first are among the networks above in
another form.

| file | package | message |
|---|---|---|
";

/// A network as the script describes it.
struct Network {
    name: String,
    package: String,
    licence: String,
    form: String,
    what: String,
    /// What its outputs are compared with.
    beside: String,
    model: String,
    options: Vec<String>,
}

/// Install packages that hold trained networks, evaluate these with their publishers' code, and check
/// ours against it; write the table.
pub(crate) fn task(args: &[String]) -> Result<()> {
    if !args.is_empty() {
        return Err("wanted: cargo xtask published".to_owned());
    }
    let script = root().join(SCRIPT);
    let python = install::python_with("published-venv", &script.join("requirements.txt"))?;
    let packages = target_folder().join("published-packages");
    install::unpacked(&python, &packages, &script.join("packages.txt"))?;
    let folder = target_folder().join("published");
    if folder.is_dir() {
        fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Run::new(python)
        .arg(script.join("cases.py"))
        .args([&folder, &packages])
        .lines(Duration::from_secs(900))?;

    let networks = networks(&read(&folder.join("cases.tsv"))?)?;
    let mut text = HEAD.to_owned();
    let compared = for_all(&networks, |network| {
        let row = row(&folder.join(&network.name), network);
        let (row, is_checked) = row.map_err(|e| format!("{}: {e}", network.name))?;
        text += &row;
        if is_checked {
            Ok(())
        } else {
            Err(format!("{}: too far from its publisher's", network.name))
        }
    });
    text += REFUSED;
    let refusals = read(&folder.join("refused.tsv"))?;
    let refusals: Vec<&str> = refusals.lines().collect();
    let refused = for_all(&refusals, |line| {
        text += &refusal(line)?;
        Ok(())
    });
    print!("{text}");
    let table = root().join(TABLE);
    fs::write(&table, text).map_err(|e| format!("{}: {e}", table.display()))?;
    compared.and(refused)
}

fn networks(text: &str) -> Result<Vec<Network>> {
    let network = |line: &str| {
        let mut cells = line.split('\t').map(str::to_owned);
        Some(Network {
            name: cells.next()?,
            package: cells.next()?,
            licence: cells.next()?,
            form: cells.next()?,
            what: cells.next()?,
            beside: cells.next()?,
            model: cells.next()?,
            options: cells
                .next()?
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        })
    };
    let networks: Option<Vec<Network>> = text.lines().map(network).collect();
    networks
        .filter(|networks| !networks.is_empty())
        .ok_or("the script describes no networks, or not as it should".to_owned())
}

/// Checks the network and returns its row of the table, and whether the check passed.
fn row(folder: &Path, network: &Network) -> Result<(String, bool)> {
    let model = folder.join(&network.model);
    let on = |command: &str| fnn().arg(command).arg(&model).args(&network.options);
    let check = on("check")
        .arg("--input")
        .arg(folder.join("x.npy"))
        .arg("--output")
        .arg(folder.join("y.npy"))
        .arg("--jacobian")
        .arg(folder.join("j.npy"));
    let (is_checked, report) = check.verdict()?;
    print!("{report}");
    if report.is_empty() {
        return Err("not read, as said above".to_owned());
    }
    // A microcontroller evaluates in f32, whatever the weights are published in.
    let json = on("inspect")
        .args(["--json", "--precision", "f32"])
        .output()?;
    let module = folder.join("module.rs");
    on("generate")
        .args(["--precision", "f32", "--records", "1", "--input"])
        .arg(folder.join("x.npy"))
        .arg("--module")
        .arg(&module)
        .output()?;
    let generated = fs::metadata(&module).map_err(|e| format!("{}: {e}", module.display()))?;

    let layers = objects(&json, "layers");
    let parameters: u64 = layers.iter().map(|layer| number(layer, "parameters")).sum();
    let instructions = with(&json, "instructions", ("processor", "Cortex-M4F"))
        .ok_or("`fnn inspect --json` says nothing of the Cortex-M4F")?;
    let estimate = |of| grouped(number(&instructions, of));
    let memory = with(&json, "memory", ("precision", "f32"))
        .ok_or("`fnn inspect --json` says nothing of the memory in f32")?;
    let precision = if report.contains("evaluated in f64") {
        "f64"
    } else {
        "f32"
    };
    let value = distance(&report, "value, framework's output")?;
    let jacobian = distance(&report, "Jacobian, framework's")?;
    let cells = [
        network.name.clone(),
        network.what.clone(),
        format!("{}, {}", network.package, network.licence),
        network.form.clone(),
        shape(&layers),
        grouped(parameters),
        rows(&report).to_owned(),
        network.beside.clone(),
        format!("{value:.1} {precision}"),
        format!("{jacobian:.1} {precision}"),
        estimate("value"),
        estimate("evaluation"),
        grouped(number(&memory, "weights")),
        format!("{} kB", grouped(generated.len().div_ceil(1000))),
        if is_checked { "passed" } else { "failed" }.to_owned(),
    ];
    let row = format!("| {} |\n", cells.join(" | "));
    Ok((row, is_checked))
}

/// The row of a file that is not read, with the message that says so.
fn refusal(line: &str) -> Result<String> {
    let cells: Vec<&str> = line.split('\t').collect();
    let [name, package, path, options] = cells[..] else {
        return Err(format!("not a file and its options: {line}"));
    };
    let inspect = fnn().arg("inspect").arg(path);
    let message = inspect.args(options.split_whitespace()).refusal()?;
    let message = message
        .split_once("`: ")
        .map_or(&*message, |(_, rest)| rest);
    Ok(format!("| {name} | {package} | {message} |\n"))
}

/// The objects of a list at the top of the JSON that `fnn inspect` writes, without what is nested in
/// them.
fn objects<'a>(json: &'a str, list: &str) -> Vec<BTreeMap<&'a str, &'a str>> {
    let mut objects = Vec::new();
    let lines = json.lines();
    let inside = lines
        .skip_while(|line| *line != format!("  \"{list}\": ["))
        .skip(1)
        .take_while(|line| line.starts_with("    "));
    for line in inside {
        if line == "    {" {
            objects.push(BTreeMap::new());
        }
        let entry = line
            .strip_prefix("      \"")
            .and_then(|l| l.split_once("\": "));
        if let (Some((key, value)), Some(object)) = (entry, objects.last_mut()) {
            object.insert(key, value.trim_end_matches(',').trim_matches('"'));
        }
    }
    objects
}

/// The object of the list that has this entry.
fn with<'a>(
    json: &'a str,
    list: &str,
    (key, value): (&str, &str),
) -> Option<BTreeMap<&'a str, &'a str>> {
    objects(json, list)
        .into_iter()
        .find(|object| object.get(key) == Some(&value))
}

/// A number of the object, 0 where there is none: a layer without parameters.
fn number(object: &BTreeMap<&str, &str>, key: &str) -> u64 {
    object.get(key).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// The digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<String> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    groups.join(" ")
}

/// Sizes and activations of the layers: `10-32-32-3 tanh`, other layers than dense ones by their kind.
fn shape(layers: &[BTreeMap<&str, &str>]) -> String {
    let mut text = String::new();
    let mut activations = Vec::new();
    let mut is_dense_before = false;
    for layer in layers {
        let get = |key| layer.get(key).copied().unwrap_or_default();
        let is_dense = get("kind") == "dense";
        match (is_dense_before, is_dense) {
            (true, true) => text += &format!("-{}", get("outputs")),
            (_, true) => text += &format!(" {}-{}", get("inputs"), get("outputs")),
            _ => text += &format!(" {}", get("kind")),
        }
        is_dense_before = is_dense;
        let activation = get("activation");
        if !["", "null", "identity"].contains(&activation) && !activations.contains(&activation) {
            activations.push(activation);
        }
    }
    format!("{}, {}", text.trim(), activations.join(" "))
}

/// The largest distance of a comparison, in ulp, as the report has it.
fn distance(report: &str, comparison: &str) -> Result<f64> {
    let line = report.lines().find_map(|line| line.split_once(comparison));
    line.and_then(|(_, rest)| rest.split_whitespace().nth(3)?.parse().ok())
        .ok_or_else(|| format!("`fnn check` reports no {comparison}"))
}

/// How many inputs were checked: the first word of the report.
fn rows(report: &str) -> &str {
    report.split_whitespace().next().unwrap_or_default()
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_those_of_the_list() {
        let json = "{\n  \"layers\": [\n    {\n      \"activation\": \"tanh\",\n      \"inputs\": 2,\n      \
                    \"inside\": [\n        {\n          \"inputs\": 5\n        }\n      ],\n      \
                    \"kind\": \"dense\",\n      \"outputs\": 3\n    }\n  ],\n  \"memory\": [\n    {\n    }\n  ]\n}";
        let layers = objects(json, "layers");
        assert_eq!(layers.len(), 1);
        assert_eq!(number(&layers[0], "inputs"), 2);
        assert_eq!(shape(&layers), "2-3, tanh");
        assert_eq!(with(json, "memory", ("precision", "f32")), None);
    }

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(6_795_254), "6 795 254");
    }

    #[test]
    fn distance_is_the_most_ulp() {
        let report = "7 rows\npass  value, framework's output  21  0  0  3.50  0.8 % of it\n";
        assert_eq!(distance(report, "value, framework's output"), Ok(3.5));
        assert!(distance(report, "Jacobian, framework's").is_err());
        assert_eq!(rows(report), "7");
    }
}
