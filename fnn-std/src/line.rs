//! Text from files as it is printed: visible, on one line, of bounded length.
//!
//! Names in files are anyone's. Printed as they are they could move the cursor, colour what follows,
//! turn its direction, hide, or begin a line that looks like one of the program's own.

use std::{borrow::Cow, fmt::Write};

/// The most characters of a line that is made from names: of an error, a remedy, a note.
const LINE: usize = 1000;

/// The most characters of a name in a table.
const NAME: usize = 60;

/// `text` as one line that is safe to print: what does not show is written `\n`, `\u{1b}`, `\u{202e}`,
/// and the middle of more than 1000 characters is left out, with `…` in its place. What has been
/// made visible stays as it is when it is made so again.
///
/// ```
/// assert_eq!(fnn_std::visible("Größe [°]"), "Größe [°]");
/// assert_eq!(fnn_std::visible("a\nerror: b\u{9b}2J"), r"a\nerror: b\u{9b}2J");
/// ```
pub fn visible(text: &str) -> String {
    shown(text, LINE)
}

/// As [`visible`], a name in a table, where one that is long would widen every row.
pub(crate) fn name(text: &str) -> String {
    shown(text, NAME)
}

/// As [`visible`], of at most so many characters.
pub(crate) fn shown(text: &str, most: usize) -> String {
    // First what is there, so that a name of gigabytes is not written anew, then what it became.
    let mut line = String::new();
    for c in shortened(text, most).chars() {
        match c {
            c if is_visible(c) => line.push(c),
            '\0' | '\t' | '\n' | '\r' => line.extend(c.escape_debug()),
            c => line.extend(c.escape_unicode()),
        }
    }
    shortened(&line, most).into_owned()
}

/// Whether a character is printed as what it is. Those that are not: control characters, marks that
/// set the direction of text, what has no width, separators of lines, spaces of other widths, and
/// what no font has.
pub(crate) fn is_visible(c: char) -> bool {
    match c {
        ' '..='~' => true,
        // Combining grapheme joiner, fillers and variation selectors: they count as letters or
        // accents, and nothing is drawn for them.
        '\u{34f}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}'
        | '\u{e0000}'..='\u{e0fff}' => false,
        // The standard library knows what Unicode calls printable. An accent is, behind a letter.
        _ => {
            let mut bytes = [b'a'; 5];
            let end = 1 + c.encode_utf8(&mut bytes[1..]).len();
            str::from_utf8(&bytes[..end]).is_ok_and(|text| text.escape_debug().eq(text.chars()))
        }
    }
}

/// The same JSON with what does not show written as JSON escapes it, so that its strings stay what they
/// are.
pub(crate) fn visible_json(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || is_visible(c) {
            json.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(json, "\\u{unit:04x}");
            }
        }
    }
    json
}

/// At most so many characters: two thirds from the start, the rest from the end.
fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().nth(most).is_none() {
        return text.into();
    }
    let before = most * 2 / 3;
    let after = most.saturating_sub(before + 1);
    let place = |at: Option<(usize, char)>| at.map_or(text.len(), |(place, _)| place);
    let head = place(text.char_indices().nth(before));
    let tail = match after {
        0 => text.len(),
        after => place(text.char_indices().nth_back(after - 1)),
    };
    format!("{}…{}", &text[..head], &text[tail..]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_show_is_written_out() {
        for (text, expected) in [
            ("a\nerror: forged\r\t", r"a\nerror: forged\r\t"),
            ("\u{1b}[31mred\u{1b}[0m", r"\u{1b}[31mred\u{1b}[0m"),
            ("\u{9b}2J\u{7f}\u{0}", r"\u{9b}2J\u{7f}\0"),
            ("\u{202e}gpj.exe", r"\u{202e}gpj.exe"),
            ("a\u{200b}b\u{feff}c\u{ad}", r"a\u{200b}b\u{feff}c\u{ad}"),
            ("\u{2028}\u{2029}\u{85}", r"\u{2028}\u{2029}\u{85}"),
            ("\u{a0}\u{3000}\u{e0041}", r"\u{a0}\u{3000}\u{e0041}"),
            ("\u{3164}\u{fe0f}\u{34f}", r"\u{3164}\u{fe0f}\u{34f}"),
        ] {
            assert_eq!(visible(text), expected);
            assert_eq!(visible(expected), expected);
        }
    }

    /// Every control and format character that there is in these planes.
    #[test]
    fn no_control_or_direction_is_visible() {
        let marks = [
            '\u{61c}'..='\u{61c}',
            '\u{200b}'..='\u{200f}',
            '\u{2028}'..='\u{202e}',
            '\u{2060}'..='\u{206f}',
            '\u{fff9}'..='\u{fffb}',
        ];
        let controls = (char::MIN..='\u{10ffff}').filter(|c| c.is_control());
        for c in controls.chain(marks.into_iter().flatten()) {
            assert!(!is_visible(c), "{c:?}");
        }
    }

    #[test]
    fn names_in_any_script_stay_as_they_are() {
        for name in [
            "ω_max [°/s²]",
            "∂x₁",
            "温度",
            "скорость",
            "سرعة",
            "ความเร็ว",
            "e\u{301}",
            r#"C:\a "b" 'c' `d`"#,
            "🚀",
        ] {
            assert_eq!(visible(name), name);
        }
    }

    #[test]
    fn json_keeps_its_strings() {
        let name = "a\u{1b}\u{7f}\u{9b}\u{202e}\u{e0041}ω\n";
        let text = serde_json::to_string_pretty(&[name]).unwrap();
        let json = visible_json(&text);
        assert!(json.chars().all(|c| c == '\n' || is_visible(c)), "{json}");
        assert!(json.contains(r"\u009b\u202e\udb40\udc41ω\n"), "{json}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&json).unwrap(), [name]);
    }

    #[test]
    fn long_text_is_shortened_in_the_middle() {
        assert_eq!(shown("abcdefg", 7), "abcdefg");
        assert_eq!(shown("abcdefgh", 7), "abcd…gh");
        assert_eq!(shown("äöüßéèêç", 7), "äöüß…êç");
        assert_eq!(shown("\u{1b}bcdefgh", 7), r"\u{1…gh");
        assert_eq!(shown("abcdefg\u{1b}", 7), "abcd…b}");
        assert_eq!(shown("ab", 1), "…");
        let long = visible(&"\u{202e}".repeat(1 << 20));
        assert_eq!(long.chars().count(), LINE);
        assert_eq!(long.matches('…').count(), 1);
        assert_eq!(visible(&long), long);
    }
}
