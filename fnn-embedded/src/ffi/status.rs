//! What a C function returns. `fnn-std` includes this file too, for the header that it writes.

use core::ffi::CStr;

/// What a C function of a network returns: 0 where it did what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// What was asked for is done.
    Ok = 0,
    /// A pointer that is needed is null. Nothing was written.
    Null = 1,
    /// The columns that are asked for are not all among the inputs. Nothing was written.
    Range = 2,
    /// The sizes that are given are not those of the model. Nothing was written.
    Sizes = 3,
    /// The self-test found a number with other bits than on the desk.
    Mismatch = 4,
}

impl Status {
    /// All of them, each at the place of its number: its name in C, and what `NAME_status_text` says.
    pub const ALL: [(Self, &'static str, &'static CStr); 5] = [
        (Self::Ok, "OK", c"done"),
        (Self::Null, "NULL", c"a pointer that is needed is null"),
        (
            Self::Range,
            "RANGE",
            c"the columns are not all among the inputs",
        ),
        (
            Self::Sizes,
            "SIZES",
            c"the sizes are not those of the model",
        ),
        (
            Self::Mismatch,
            "MISMATCH",
            c"a number has other bits than on the desk",
        ),
    ];
}
