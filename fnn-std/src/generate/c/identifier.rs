//! Names that functions in C can have.

use crate::error::{Error, Result};

/// Makes sure that C functions can be called `name`, and what follows it.
///
/// # Errors
/// A name that is no identifier, or a word of C or C++, or a function of their libraries.
pub(in crate::generate) fn check(name: &str) -> Result<()> {
    check_with(name, "--name ")
}

/// As [`check`], for a name that is typed after these letters.
pub(in crate::generate) fn check_with(name: &str, typed: &str) -> Result<()> {
    let is_identifier = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let found = if !is_identifier {
        format!(
            "no C function can be called `{name}`, wanted a letter of ASCII, then letters, digits and \
             `_`"
        )
    } else if name.len() > MOST {
        format!(
            "found a name of {} letters, wanted at most {MOST}",
            name.len()
        )
    } else if is_taken(name) {
        format!("`{name}` is a word of C or C++ or a function of their libraries")
    } else {
        return Ok(());
    };
    let error = Error::refused(found);
    Err(match proposed(name) {
        Some(other) => error.with_help(format!("call it `{other}`: {typed}{other}")),
        None => error.with_help(format!("name it: {typed}policy")),
    })
}

/// The longest name: compilers need not tell apart what differs after 31 letters, but all do.
const MOST: usize = 100;

/// A name like this one that C functions can have, if there is one.
pub(in crate::generate) fn proposed(name: &str) -> Option<String> {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = name.split(|c| !valid(c)).filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("_");
    let name = joined.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let name = name.get(..MOST).unwrap_or(name);
    match name {
        "" => None,
        taken if is_taken(taken) => Some(format!("{taken}_network")),
        name => Some(name.to_owned()),
    }
}

fn is_taken(name: &str) -> bool {
    TAKEN.split(' ').any(|taken| taken == name)
}

/// The keywords of C23 and C++23, and the functions of the C library that a compiler knows by itself or
/// that programs of this kind call.
const TAKEN: &str = "\
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t \
    char32_t class compl concept const consteval constexpr constinit const_cast continue co_await \
    co_return co_yield decltype default delete do double dynamic_cast else enum explicit export \
    extern false final float for friend goto if import inline int long module mutable namespace new \
    noexcept not not_eq nullptr operator or or_eq override private protected public register \
    reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast \
    struct switch template this thread_local throw true try typedef typeid typename typeof \
    typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq main \
    linux unix errno stdin stdout stderr NULL EOF \
    abort abs acos acosh asctime asin asinh atan atan2 atanh atexit atof atoi atol atoll bsearch cabs \
    calloc cbrt ceil clearerr clock close connect copysign cos cosh ctime difftime div erf erfc exit \
    exp exp2 expf expm1 fabs fclose fdim feof ferror fflush fgetc fgets floor fma fmax fmin fmod fopen \
    fork fprintf fputc fputs fread free frexp fscanf fseek ftell fwrite gamma getc getchar getenv gets \
    gmtime hypot ilogb index isalnum isalpha isdigit isspace j0 j1 jn kill labs ldexp ldiv lgamma link \
    listen llabs localtime log log10 log1p log2 logb longjmp lrint lround malloc memchr memcmp memcpy \
    memmove memset mktime modf nan nearbyint nextafter open pause pipe pow printf putc putchar puts \
    qsort raise rand read realloc recv remainder remove rename rewind rint round scalbn scanf select \
    send setjmp signal sin sinh sleep snprintf socket sprintf sqrt srand sscanf stat strcat strchr \
    strcmp strcpy strlen strncmp strncpy strstr strtod strtol system tan tanh tgamma time tmpfile \
    tolower toupper trunc truncate ungetc unlink wait write y0 y1 yn";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_function_can_have_are_refused_with_one_that_can() {
        for (name, other) in [
            ("my-model", Some("my_model")),
            ("2nd", Some("nd")),
            ("_x", Some("x")),
            ("tanh", Some("tanh_network")),
            ("class", Some("class_network")),
            ("é", None),
            ("a*/b", Some("a_b")),
            ("x\ny", Some("x_y")),
        ] {
            let error = check(name).unwrap_err();
            assert_eq!(proposed(name).as_deref(), other, "{name}");
            let help: Vec<_> = error.help().collect();
            assert_eq!(help.len(), 1);
            if let Some(other) = other {
                assert!(help[0].contains(other));
                check(other).unwrap();
            }
        }
        for name in ["policy", "Q", "match", "x_2", "dynamics_f64"] {
            check(name).unwrap();
        }
    }
}
