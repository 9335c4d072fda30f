//! Regular expressions, as far as the schema uses them: groups, `|`, `[…]`, `*`, `+`, `?`, `\\s` and
//! escaped characters.

use std::{collections::BTreeSet, iter::Peekable, str::Chars};

enum Part {
    /// A character in one of these ranges.
    One(Vec<(char, char)>),
    Group(Vec<Vec<Part>>),
    /// At least so often, and more than once or not.
    Repeated(Box<Part>, usize, bool),
}

/// Whether all of the text fits the pattern, which begins with `^` and ends with `$`.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let inner = pattern.strip_prefix('^').and_then(|p| p.strip_suffix('$'));
    let mut rest = inner.unwrap().chars().peekable();
    let group = group(&mut rest);
    assert_eq!(rest.next(), None, "{pattern}");
    let text: Vec<char> = text.chars().collect();
    ends(&group, &text, 0).contains(&text.len())
}

/// The alternatives up to the end or a closing bracket.
fn group(rest: &mut Peekable<Chars<'_>>) -> Part {
    let mut alternatives = vec![Vec::new()];
    while let Some(c) = rest.next_if(|&c| c != ')') {
        let escaped = |c| match c {
            's' => vec![(' ', ' '), ('\t', '\r')],
            c => vec![(c, c)],
        };
        let part = match c {
            '|' => {
                alternatives.push(Vec::new());
                continue;
            }
            '(' => {
                let inner = group(rest);
                assert_eq!(rest.next(), Some(')'));
                inner
            }
            '[' => {
                let mut ranges = Vec::new();
                while let Some(low) = rest.next().filter(|&c| c != ']') {
                    let is_range = low != '-' && rest.next_if_eq(&'-').is_some();
                    ranges.push((low, if is_range { rest.next().unwrap() } else { low }));
                }
                Part::One(ranges)
            }
            '\\' => Part::One(escaped(rest.next().unwrap())),
            '^' | '$' | '.' | '{' | '*' | '+' | '?' => panic!("`{c}` is not known here"),
            c => Part::One(vec![(c, c)]),
        };
        let part = match rest.next_if(|c| "*+?".contains(*c)) {
            Some(times) => Part::Repeated(part.into(), usize::from(times == '+'), times != '?'),
            None => part,
        };
        alternatives.last_mut().unwrap().push(part);
    }
    Part::Group(alternatives)
}

/// Where the part may end that begins at this place.
fn ends(part: &Part, text: &[char], at: usize) -> BTreeSet<usize> {
    match part {
        Part::One(ranges) => {
            let is_one = |c: &&char| ranges.iter().any(|(low, high)| (low..=high).contains(c));
            text.get(at)
                .filter(is_one)
                .map(|_| at + 1)
                .into_iter()
                .collect()
        }
        Part::Group(alternatives) => {
            let each = alternatives.iter().flat_map(|parts| {
                parts.iter().fold(BTreeSet::from([at]), |starts, part| {
                    starts
                        .into_iter()
                        .flat_map(|at| ends(part, text, at))
                        .collect()
                })
            });
            each.collect()
        }
        Part::Repeated(part, least, is_many) => {
            let mut found = BTreeSet::new();
            let mut new = BTreeSet::from([at]);
            if *least == 0 {
                found.insert(at);
            }
            while !new.is_empty() {
                let next = new.iter().flat_map(|&at| ends(part, text, at));
                let next: BTreeSet<_> = next.filter(|end| !found.contains(end)).collect();
                found.extend(&next);
                new = if *is_many { next } else { BTreeSet::new() };
            }
            found
        }
    }
}
