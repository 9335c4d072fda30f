//! The functions that a generated crate exports: each calls the one of `fnn_embedded::ffi` behind it.

use std::fmt::{self, Write};

use super::{Argument, FUNCTIONS, Function, Interface, Sizes};

impl Interface<'_, '_> {
    /// The text of `c.rs`, which lies beside `network.rs`.
    pub(in crate::generate) fn exports(&self) -> String {
        let mut text = String::new();
        let _ = self.print_exports(&mut text);
        text
    }

    fn print_exports(&self, f: &mut String) -> fmt::Result {
        let name = self.name;
        let Sizes {
            inputs,
            outputs,
            columns,
            workspace,
        } = self.sizes();
        writeln!(
            f,
            "//! The functions of `{name}.h`. What they do, and what their caller vouches for, is in
//! `fnn_embedded::ffi`; here they get the sizes of the model and their names in C.

use core::ffi::{{c_char, c_int}};

use fnn_embedded::ffi::{{self, Mismatch, Scratch, Shared, Source, Target}};

use super::network::{{NETWORK, RECORDS, Scalar}};

const INPUTS: usize = {inputs};
const OUTPUTS: usize = {outputs};
const COLUMNS: usize = {columns};

/// Numbers of the workspace: enough for each of the functions.
const WORKSPACE: usize = {workspace};

/// The workspace of the functions that are given none.
static SHARED: Shared<Scalar, WORKSPACE> = Shared::new();
"
        )?;
        for function in &FUNCTIONS {
            self.print_function(f, function, false)?;
            self.print_function(f, function, true)?;
        }
        writeln!(
            f,
            "#[unsafe(export_name = \"{name}_status_text\")]
extern \"C\" fn status_text(status: c_int) -> *const c_char {{
    ffi::status_text(status)
}}

#[unsafe(export_name = \"{name}_sha256\")]
extern \"C\" fn sha256() -> *const c_char {{
    c\"{}\".as_ptr()
}}",
            self.sha256()
        )?;
        let Some(isat) = self.isat else {
            return Ok(());
        };
        for (function, symbol) in [("isat", isat), ("isat_fortran", &format!("{isat}_"))] {
            writeln!(
                f,
                "
#[unsafe(export_name = \"{symbol}\")]
extern \"C\" fn {function}(
    need: Source<c_int, 2>,
    nx: Source<c_int, 1>,
    x: Source<Scalar, INPUTS>,
    nf: Source<c_int, 1>,
    _nh: Source<c_int, 1>,
    _iusr: Source<c_int, 1>,
    _rusr: Source<Scalar, 1>,
    f: Target<Scalar, OUTPUTS>,
    g: Target<[Scalar; OUTPUTS], INPUTS>,
    _h: Target<Scalar, 1>,
) -> c_int {{
    ffi::isat(&NETWORK, need, nx, x, nf, f, g, SHARED.scratch())
}}"
            )?;
        }
        Ok(())
    }

    /// A function, or its twin that takes the workspace.
    fn print_function(&self, f: &mut String, function: &Function, is_twin: bool) -> fmt::Result {
        let Function {
            suffix,
            calls,
            arguments,
            ..
        } = function;
        let twin = if is_twin { "_r" } else { "" };
        writeln!(
            f,
            "#[unsafe(export_name = \"{}{suffix}{twin}\")]",
            self.name
        )?;
        writeln!(f, "extern \"C\" fn {calls}{twin}(")?;
        for argument in *arguments {
            let (name, kind) = argument.rust();
            writeln!(f, "    {name}: {kind},")?;
        }
        if is_twin {
            writeln!(f, "    workspace: Scratch<Scalar, WORKSPACE>,")?;
        }
        writeln!(f, ") -> c_int {{")?;
        let records = if *calls == "self_test" {
            "&RECORDS, "
        } else {
            ""
        };
        write!(f, "    ffi::{calls}(&NETWORK, {records}")?;
        for argument in *arguments {
            write!(f, "{}, ", argument.rust().0)?;
        }
        let workspace = if is_twin {
            "workspace"
        } else {
            "SHARED.scratch()"
        };
        writeln!(f, "{workspace})\n}}\n")
    }
}

impl Argument {
    /// Its name and its type.
    fn rust(self) -> (&'static str, &'static str) {
        match self {
            Self::Need => ("need", "Source<c_int, 2>"),
            Self::First => ("first", "c_int"),
            Self::X => ("x", "Source<Scalar, INPUTS>"),
            Self::V => ("v", "Source<Scalar, INPUTS>"),
            Self::W => ("w", "Source<Scalar, OUTPUTS>"),
            Self::F => ("f", "Target<Scalar, OUTPUTS>"),
            Self::Rows => ("g", "Target<[Scalar; INPUTS], OUTPUTS>"),
            Self::Cols => ("g", "Target<[Scalar; OUTPUTS], INPUTS>"),
            Self::SomeCols => ("g", "Target<[Scalar; COLUMNS], OUTPUTS>"),
            Self::Tangent => ("t", "Target<Scalar, OUTPUTS>"),
            Self::Cotangent => ("c", "Target<Scalar, INPUTS>"),
            Self::Mismatch => ("mismatch", "Target<Mismatch<Scalar>, 1>"),
        }
    }
}
