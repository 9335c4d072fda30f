//! The header: C99 and C++.

use std::fmt::{self, Write};

use super::{Argument, FUNCTIONS, Function, Interface, Sizes, comment, string};
use crate::{
    generate::{code, package, wrap},
    status::Status,
};

/// What the functions of the header take and return; another number is another header.
const INTERFACE: u32 = 1;

impl Interface<'_, '_> {
    /// What the header says of this model, without what opens and closes a header.
    pub(in crate::generate) fn declarations(&self, recorded: usize) -> String {
        let mut text = String::new();
        let _ = self.print_declarations(&mut text, recorded);
        text
    }

    fn print_declarations(&self, f: &mut String, recorded: usize) -> fmt::Result {
        let (name, scalar, model) = (self.name, self.scalar(), self.module.model);
        let Sizes {
            inputs,
            outputs,
            columns,
            workspace,
        } = self.sizes();

        let title = format!(
            "{name}: {}. The number type is {scalar}. {}",
            package::sizes(model),
            package::origin(model)
        );
        self.print_comment(f, &title)?;
        for (what, list) in [
            ("Inputs", package::named_inputs(model)),
            ("Outputs", package::named_outputs(model)),
        ] {
            if let Some(lines) = list {
                writeln!(f, "/* {what}:")?;
                for line in lines {
                    writeln!(f, " * {}", comment(&line))?;
                }
                writeln!(f, " */")?;
            }
        }
        writeln!(f)?;
        let bytes = workspace * self.module.precision.bytes();
        for (suffix, value, says) in [
            (
                "INTERFACE",
                INTERFACE.to_string(),
                "the version of this interface",
            ),
            ("INPUTS", inputs.to_string(), "numbers of x"),
            ("OUTPUTS", outputs.to_string(), "numbers of f"),
            (
                "COLUMNS",
                columns.to_string(),
                &format!("columns of {name}_columns"),
            ),
            (
                "WORKSPACE",
                workspace.to_string(),
                &format!("numbers of a workspace for any function, {bytes} bytes"),
            ),
            (
                "RECORDS",
                recorded.to_string(),
                &format!("evaluations that {name}_self_test replays"),
            ),
            ("SHA256", string(self.sha256()), "the model's file"),
        ] {
            writeln!(f, "#define {name}_{suffix} {value} /* {says} */")?;
        }
        self.print_labels(f)?;

        self.print_comment(f, "What a function returns.")?;
        for (status, suffix, text) in Status::ALL {
            let text = text.to_string_lossy();
            writeln!(f, "#define {name}_{suffix} {} /* {text} */", status as i32)?;
        }
        writeln!(f)?;
        self.print_comment(
            f,
            "The first number that the self-test found different: of which record, which output i and \
             which input j of d output i / d input j, or -1 where it is the value of output i.",
        )?;
        writeln!(
            f,
            "struct {name}_mismatch {{
    int record;
    int output;
    int input;
    {scalar} expected;
    {scalar} found;
}};
"
        )?;
        for function in &FUNCTIONS {
            self.print_comment(f, &function.doc.replace("NAME", name))?;
            for is_twin in [false, true] {
                self.print_prototype(f, function, is_twin)?;
            }
            writeln!(f)?;
        }
        self.print_comment(f, "What a status means, in English.")?;
        writeln!(f, "const char *{name}_status_text(int status);\n")?;
        self.print_comment(
            f,
            &format!(
                "The SHA-256 of the model's file that the library was made from: {name}_SHA256, if this \
                 header belongs to it."
            ),
        )?;
        writeln!(f, "const char *{name}_sha256(void);")?;
        let Some(isat) = self.isat else {
            return Ok(());
        };
        writeln!(f)?;
        self.print_comment(
            f,
            &format!(
                "{name}_col as the solver ISAT calls it, from C and from Fortran: need(1) asks for f, \
                 need(2) for g(nf, nx), column by column. Where nx is not {inputs} or nf is not {outputs}, \
                 nothing is written and {name}_SIZES is returned; Fortran sees it where it declares the \
                 routine as an integer function. need(3), nh, iusr, rusr and h are not looked at."
            ),
        )?;
        for symbol in [isat, &format!("{isat}_")] {
            writeln!(
                f,
                "int {symbol}(int *need, int *nx, double *x, int *nf, int *nh, int *iusr, double *rusr, \
                 double *f,\n    double *g, double *h);"
            )?;
        }
        Ok(())
    }

    /// Names, units and ranges, where the model states them.
    fn print_labels(&self, f: &mut String) -> fmt::Result {
        let model = self.module.model;
        let mut is_first = true;
        for (what, names, units, ranges) in [
            (
                "INPUT",
                model.input_names(),
                model.input_units(),
                model.input_ranges(),
            ),
            (
                "OUTPUT",
                model.output_names(),
                model.output_units(),
                model.output_ranges(),
            ),
        ] {
            let texts = |all: &[String]| all.iter().map(|text| string(text)).collect();
            let ends = |end: fn(&std::ops::Range<f64>) -> f64| -> Option<Vec<String>> {
                Some(
                    ranges?
                        .iter()
                        .map(|range| self.number(end(range)))
                        .collect(),
                )
            };
            for (kind, items) in [
                ("NAMES", names.map(texts)),
                ("UNITS", units.map(texts)),
                ("LOW", ends(|range| range.start)),
                ("HIGH", ends(|range| range.end)),
            ] {
                let Some(items): Option<Vec<String>> = items else {
                    continue;
                };
                if is_first {
                    let says = format!(
                        "What the model says of its inputs and outputs, to initialize arrays with, one element \
                         for each in their order: static const char *const names[{0}_INPUTS] = \
                         {0}_INPUT_NAMES;",
                        self.name
                    );
                    writeln!(f)?;
                    self.print_comment(f, &says)?;
                    is_first = false;
                }
                let line = format!(
                    "#define {}_{what}_{kind} {{ {} }}",
                    self.name,
                    items.join(", ")
                );
                if line.len() <= super::super::WIDTH {
                    writeln!(f, "{line}")?;
                    continue;
                }
                writeln!(f, "#define {}_{what}_{kind} {{ \\", self.name)?;
                for (i, item) in items.iter().enumerate() {
                    let comma = if i + 1 < items.len() { ", " } else { " " };
                    writeln!(f, "    {item}{comma}\\")?;
                }
                writeln!(f, "    }}")?;
            }
        }
        writeln!(f)
    }

    /// Text as a comment of its own.
    fn print_comment(&self, f: &mut String, text: &str) -> fmt::Result {
        let mut lines = String::new();
        wrap(&mut lines, " * ", comment(text).split(' '))?;
        let text = lines.strip_prefix(" *").unwrap_or(&lines);
        match text.trim_end().contains('\n') {
            true => writeln!(f, "/*{text} */"),
            false => writeln!(f, "/*{} */", text.trim_end()),
        }
    }

    fn print_prototype(&self, f: &mut String, function: &Function, is_twin: bool) -> fmt::Result {
        let (name, scalar) = (self.name, self.scalar());
        let arguments = function.arguments.iter();
        let mut list: Vec<_> = arguments.map(|a| a.c(name, scalar)).collect();
        let twin = if is_twin { "_r" } else { "" };
        if is_twin {
            list.push(format!("{scalar} *workspace"));
        }
        let suffix = function.suffix;
        writeln!(f, "int {name}{suffix}{twin}({});", list.join(", "))
    }

    /// The fingerprint of the model's file.
    pub(super) fn sha256(&self) -> &str {
        let source = self.module.model.source();
        source.map_or("", |source| source.sha256.as_str())
    }
}

impl Argument {
    /// Its declaration.
    fn c(self, name: &str, scalar: &str) -> String {
        match self {
            Self::Need => "const int need[2]".to_owned(),
            Self::First => "int first".to_owned(),
            Self::X => format!("const {scalar} *x"),
            Self::V => format!("const {scalar} *v"),
            Self::W => format!("const {scalar} *w"),
            Self::F => format!("{scalar} *f"),
            Self::Rows | Self::Cols | Self::SomeCols => format!("{scalar} *g"),
            Self::Tangent => format!("{scalar} *t"),
            Self::Cotangent => format!("{scalar} *c"),
            Self::Mismatch => format!("struct {name}_mismatch *mismatch"),
        }
    }
}

/// A header with what it says of each model.
/// Of each, `recorded` has how many evaluations its self-test replays.
pub(in crate::generate) fn header(
    library: &str,
    interfaces: &[Interface<'_, '_>],
    recorded: &[usize],
) -> String {
    let mut text = String::new();
    let version = env!("CARGO_PKG_VERSION");
    let names: Vec<_> = interfaces.iter().map(|i| code(i.name)).collect();
    let _ = writeln!(
        text,
        "/* Generated by fnn {version}: {}. Do not edit.
 *
 * Every pointer is null, or points to as many numbers as the constants below say, aligned as the number
 * type is. Outputs and workspaces do not overlap each other; an input may overlap an output. A null
 * pointer for what is needed is NAME_NULL, before anything else is looked at, and then nothing is written;
 * where the value is computed on the way, f is needed. Arguments that are const are never written. A number
 * that is infinite or NaN is no error: it goes through. No function allocates, locks, or calls anything but
 * the C library's memcpy and its like and the compiler's own arithmetic. On a processor with a floating-point
 * unit the start-up code of the image enables it, as it does for all of C.
 *
 * A function without a workspace among its arguments uses the one of the library: it is not re-entrant,
 * so of those of one model one runs at a time. Its twin that ends in _r takes NAME_WORKSPACE numbers of
 * the caller, and is re-entrant: a workspace for each task or interrupt.
 */

#ifndef FNN_{library}_H
#define FNN_{library}_H

#ifdef __cplusplus
extern \"C\" {{
#endif
",
        names.join(", ")
    );
    for (interface, &recorded) in interfaces.iter().zip(recorded) {
        text += &interface.declarations(recorded);
        text += "\n";
    }
    text += "#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
    text
}
