//! Which faults of a Jacobian `fnn check` notices.

use std::fs;

use crate::{Result, command::Run, root};

/// The table, in the workspace.
const TABLE: &str = "fnn-std/MUTATIONS.md";

const HEAD: &str = "\
# Faults that `fnn check` notices

Made by `cargo xtask mutations`: random networks are checked with faults put into their Jacobians, never
into their values. An entry is off by a share of the largest entry of its Jacobian; a transposed Jacobian
needs as many inputs as outputs; a slope is that of one neuron in the first hidden layer. Inputs are from
−1 to 1, or *offset*, in turn 101325 ± 2, 293 ± 4, 4e6 ± 10, 1e7 ± 50 and 1.7e9 ± 5, where the network
subtracts the means first, or has them folded into its first weights. There are 12, 8, 4 and 4 rows for
the networks with 2, 12, 50 and 200 inputs.

*Unspoilt* is the verdict without a fault, which is never FAIL. The letters are the comparisons that fail
with it:

| | |
|---|---|
| R | with the f64 reference, in the format of the model |
| F | with the f64 reference, in the other format |
| D | with central differences |
| O | between orders of accumulation |
| J | with the framework's Jacobian |
| **no** | none: the fault is not noticed |

What is not noticed, and why:

- In f32, one derivative that is off by 1e-5 of the largest, and in some networks by 1e-4. Evaluations in
  f32 may be off by that: allowed are 64 times what is typical, 16 units in the last place at least,
  which are 1.2e-4. A formula that is wrong is found all the same, since both formats share it and f64
  allows 1e-12 or so. A framework's Jacobian in f64, of a model in f64, is held to that too.
- In a framework's f32 file, one derivative of a network with kinks, if it is in the one row of a hundred,
  here of four, that is held to the bound of the worst case alone, since rounding may have put a sum on
  the other side of a kink.
- Where means of 1.7e9 are folded into the weights, sums of a billion cancel to 1 and f64 keeps eight
  digits or fewer of them. The more inputs there are, the wider is what is allowed, until differences
  decide part of the derivatives or none: the verdict says so. Subtract the mean first in the model, or
  give the framework's Jacobian.
";

/// Check networks with faults in their Jacobians, and write the table of what was noticed.
pub(crate) fn task(args: &[String]) -> Result<()> {
    if let Some(arg) = args.first() {
        return Err(format!("there is no option {arg}"));
    }
    let tables = Run::cargo()
        .args(["run", "--quiet", "--release", "--package", "fnn-std"])
        .args(["--example", "mutations"])
        .shown_output()?;
    let text = HEAD.to_owned() + &tables;
    print!("{text}");
    let table = root().join(TABLE);
    fs::write(&table, text).map_err(|e| format!("{}: {e}", table.display()))
}
