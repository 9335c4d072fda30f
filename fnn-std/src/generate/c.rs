//! A model as C sees it: its header, the functions that a generated crate exports for it, and a program
//! that tests them.
//!
//! The functions stand once, in [`FUNCTIONS`]; `header` declares them, `exports` defines them. What they
//! do is in `fnn_embedded::ffi`.

mod exports;
mod header;
mod identifier;
mod program;

use super::Module;
use crate::{
    error::{Error, Result},
    model::Precision,
};

pub(super) use header::header;
pub(super) use identifier::{check, proposed};
pub(super) use program::program;

/// What [`Module`] is in C.
#[derive(Debug, Clone)]
pub(super) struct Interface<'a, 'm> {
    /// What all its names begin with.
    pub(super) name: &'a str,
    pub(super) module: &'a Module<'m>,
    /// The columns that `NAME_columns` computes.
    pub(super) columns: usize,
    /// The symbol under which ISAT finds it, if it does.
    pub(super) isat: Option<&'a str>,
}

/// A function of the header: `NAME` and the suffix. Each has a twin that ends in `_r` and takes the
/// workspace last.
struct Function {
    suffix: &'static str,
    /// The function of `fnn_embedded::ffi` that it calls.
    calls: &'static str,
    arguments: &'static [Argument],
    /// What it does, for the header.
    doc: &'static str,
}

/// An argument of a function.
#[derive(Clone, Copy)]
enum Argument {
    Need,
    First,
    X,
    V,
    W,
    F,
    Rows,
    Cols,
    SomeCols,
    Tangent,
    Cotangent,
    Mismatch,
}

const FUNCTIONS: [Function; 7] = [
    Function {
        suffix: "",
        calls: "evaluate",
        arguments: &[Argument::Need, Argument::X, Argument::F, Argument::Rows],
        doc: "Value and Jacobian at x: the value to f where need[0] is not zero, the Jacobian to g where \
              need[1] is not zero, g[i * NAME_INPUTS + j] = d output i / d input j. What is not needed is \
              not written, and its pointer may be null. Without the Jacobian nothing of it is computed; \
              with it the value is computed on the way.",
    },
    Function {
        suffix: "_col",
        calls: "evaluate_col",
        arguments: &[Argument::Need, Argument::X, Argument::F, Argument::Cols],
        doc: "The same with the Jacobian column by column, as Fortran and Eigen store it: \
              g[j * NAME_OUTPUTS + i] = d output i / d input j.",
    },
    Function {
        suffix: "_value",
        calls: "value",
        arguments: &[Argument::X, Argument::F],
        doc: "The value alone, to f.",
    },
    Function {
        suffix: "_columns",
        calls: "columns",
        arguments: &[
            Argument::First,
            Argument::X,
            Argument::F,
            Argument::SomeCols,
        ],
        doc: "The value, to f, and the columns of the Jacobian by the NAME_COLUMNS inputs from first on, \
              to g: g[i * NAME_COLUMNS + k] = d output i / d input (first + k). NAME_RANGE where there are \
              not so many. The columns have the \
              cheapest order for so many, so their last bits may differ from those of NAME.",
    },
    Function {
        suffix: "_jvp",
        calls: "jvp",
        arguments: &[Argument::X, Argument::V, Argument::F, Argument::Tangent],
        doc: "The value, to f, and the Jacobian times v, to t, at the cost of two values.",
    },
    Function {
        suffix: "_vjp",
        calls: "vjp",
        arguments: &[Argument::X, Argument::W, Argument::F, Argument::Cotangent],
        doc: "The value, to f, and w times the Jacobian, the gradient of w.f by x, to c, at the cost of \
              two values.",
    },
    Function {
        suffix: "_self_test",
        calls: "self_test",
        arguments: &[Argument::Mismatch],
        doc: "Evaluates the inputs that were recorded on the desk and compares value and Jacobian with what \
              the desk computed, bit by bit. NAME_MISMATCH means that a number differs; it is written to mismatch, \
              which may be null.",
    },
];

/// What the C functions are told and give, in numbers: the sizes of the model.
struct Sizes {
    inputs: usize,
    outputs: usize,
    columns: usize,
    /// Numbers of the workspace that is enough for every function.
    workspace: usize,
}

impl<'a, 'm> Interface<'a, 'm> {
    /// The interface of `module` under this name, with so many columns in `NAME_columns`.
    ///
    /// # Errors
    /// A name that no C function can have; more columns than inputs; ISAT for a module that is not in
    /// f64.
    pub(super) fn new(
        name: &'a str,
        module: &'a Module<'m>,
        columns: usize,
        isat: Option<&'a str>,
    ) -> Result<Self> {
        identifier::check(name)?;
        let inputs = module.model.inputs();
        if columns == 0 || columns > inputs {
            return Err(Error::refused(format!(
                "found {columns} columns of the Jacobian, wanted 1 to {inputs}, as many as `{name}` has \
                 inputs"
            )));
        }
        if let Some(symbol) = isat {
            identifier::check_with(symbol, "--with isat=")?;
            if module.precision != Precision::F64 {
                return Err(Error::refused(
                    "ISAT calls its function in f64, and the model is to be evaluated in f32",
                )
                .with_help("add --precision f64"));
            }
        }
        Ok(Self {
            name,
            module,
            columns,
            isat,
        })
    }

    fn sizes(&self) -> Sizes {
        let model = self.module.model;
        let shape = model.shape();
        let (inputs, outputs, columns) = (model.inputs(), model.outputs(), self.columns);
        let order = self.module.order;
        let workspace = [
            shape.workspace(order.cut(&shape, inputs), inputs),
            shape.workspace(order.cut(&shape, columns), columns),
            shape.value_workspace(),
            shape.jvp_workspace(),
            shape.vjp_workspace(),
        ];
        Sizes {
            inputs,
            outputs,
            columns,
            workspace: workspace.into_iter().max().unwrap_or_default(),
        }
    }

    /// Bytes of the workspace.
    pub(super) fn workspace_bytes(&self) -> usize {
        self.sizes().workspace * self.module.precision.bytes()
    }

    /// Every symbol that the library exports for it.
    pub(super) fn symbols(&self) -> Vec<String> {
        let name = self.name;
        let functions = FUNCTIONS.iter().map(|function| function.suffix);
        let mut symbols: Vec<_> = functions
            .flat_map(|suffix| [format!("{name}{suffix}"), format!("{name}{suffix}_r")])
            .chain([format!("{name}_status_text"), format!("{name}_sha256")])
            .collect();
        if let Some(isat) = self.isat {
            symbols.extend([isat.to_owned(), format!("{isat}_")]);
        }
        symbols
    }

    /// The number type in C.
    pub(super) fn scalar(&self) -> &'static str {
        match self.module.precision {
            Precision::F32 => "float",
            Precision::F64 => "double",
        }
    }

    /// A number as C reads it to the same bits.
    fn number(&self, x: f64) -> String {
        match self.module.precision {
            Precision::F32 => format!("{:?}f", x as f32),
            Precision::F64 => format!("{x:?}"),
        }
    }
}

/// A text in C: what is not printable ASCII as octal escapes, which end after three digits whatever
/// follows, and no two question marks that could begin a trigraph.
fn string(text: &str) -> String {
    let mut literal = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | b'?' => literal.extend(['\\', char::from(byte)]),
            b' '..=b'~' => literal.push(char::from(byte)),
            _ => literal += &format!("\\{byte:03o}"),
        }
    }
    literal + "\""
}

/// A text in a comment: it neither ends the comment nor begins another, and holds no trigraph.
fn comment(text: &str) -> String {
    let (mut safe, mut last) = (String::new(), ' ');
    for c in text.chars() {
        if [('*', '/'), ('/', '*'), ('?', '?')].contains(&(last, c)) {
            safe.push(' ');
        }
        safe.push(c);
        last = c;
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_c_is_what_it_was() {
        assert_eq!(string("x_m"), "\"x_m\"");
        assert_eq!(
            string("a\"b\\c??/\u{e9}1%s\n"),
            r#""a\"b\\c\?\?/\303\2511%s\012""#
        );
    }

    #[test]
    fn a_comment_ends_where_it_ends() {
        assert_eq!(comment("a*/b/*c??/"), "a* /b/ *c? ?/");
        // What is left of one end may not make another.
        assert_eq!(comment("**//"), "** //");
        assert!(!comment("*/*/ /*/*").contains("*/"));
        assert!(!comment("*/*/ /*/*").contains("/*"));
        assert!(!comment("????/").contains("??"));
    }
}
