//! Calls of what is no function: values have no methods, and most of what others call is a filter here.
//!
//! The text of an expression that parses enters; what is wrong with its first such call leaves.

use std::ops::Range;

use super::fault::{Fault, parses};
use super::scan::{is_letter, outside_strings, start_of_last};
use super::{FILTERS, FUNCTIONS, TESTS, is_known};
use crate::syntax::{code, did_you_mean};

/// Functions and methods of other languages, and what is written here: a filter behind `|`, or a test behind `is`.
const OTHER_CALLS: [(&str, &str); 14] = [
    ("len", "| length"),
    ("size", "| length"),
    ("str", "| string"),
    ("strip", "| trim"),
    ("toupper", "| upper"),
    ("tolower", "| lower"),
    ("to_upper", "| upper"),
    ("to_lower", "| lower"),
    ("startswith", "is startingwith"),
    ("starts_with", "is startingwith"),
    ("endswith", "is endingwith"),
    ("ends_with", "is endingwith"),
    ("defined", "is defined"),
    ("sorted", "| sort"),
];

/// What is wrong with the first call of what is no function.
pub(super) fn fault(text: &str) -> Option<Fault> {
    let opens = outside_strings(text, 0).filter(|(_, byte)| *byte == b'(');
    for (open, _) in opens {
        let start = start_of_last(&text[..open], is_letter);
        let name = &text[start..open];
        let before = text[..start].trim_end();
        let method = before.ends_with('.');
        let filter = before.ends_with('|') || ends_with_word(before, "is");
        let negated = without_word(before, "not")
            .is_some_and(|before| ends_with_word(before.trim_end(), "is"));
        let keyword = ["and", "or", "not", "in", "is", "if", "else"].contains(&name);
        let known = !method && FUNCTIONS.contains(&name);
        if !(name.is_empty() || filter || negated || keyword || known) {
            return Some(called_wrongly(text, start..open, method));
        }
    }
    None
}

fn ends_with_word(text: &str, word: &str) -> bool {
    without_word(text, word).is_some()
}

fn without_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.strip_suffix(word)?;
    (!rest.ends_with(is_letter)).then_some(rest)
}

fn called_wrongly(text: &str, name: Range<usize>, method: bool) -> Fault {
    let word = &text[name.clone()];
    let plain = word.to_lowercase();
    let other = OTHER_CALLS.iter().find(|(other, _)| *other == plain);
    let here = match other {
        Some((_, here)) => Some((*here).to_owned()),
        None if is_known(word, "filter") => Some(format!("| {word}")),
        None if is_known(word, "test") => Some(format!("is {word}")),
        None => None,
    };
    let help = match here {
        Some(here) => match rewritten(text, &name, method, &here) {
            Some(line) => format!("write: {line}"),
            None => format!("write `value {here}`"),
        },
        None => match nearest(word) {
            Some(meant) if FUNCTIONS.contains(&meant) => format!("did you mean `{meant}`?"),
            Some(meant) if FILTERS.contains(&meant) => {
                format!("did you mean the filter `{meant}`, as in `value | {meant}`?")
            }
            Some(meant) => format!("did you mean the test `{meant}`, as in `value is {meant}`?"),
            None if method => format!(
                "what is done with a value stands behind `|`, as in `value | upper`: there are {}",
                FILTERS.join(", ")
            ),
            None => format!(
                "there are the functions `range` and `dict`; what is done with a value stands behind `|`, as in `value | upper`: there are {}",
                FILTERS.join(", ")
            ),
        },
    };
    let what = match method {
        true => format!("values have no method `{word}`"),
        false => format!("there is no function `{word}`"),
    };
    Fault {
        code: code::UNKNOWN_FUNCTION,
        message: what,
        range: name,
        label: String::new(),
        help: Some(help),
        meant: None,
    }
}

/// What a call was probably meant to be. A call of another language is often spelt a little like something here, and
/// means something else: of a short word, one letter may be wrong.
fn nearest(word: &str) -> Option<&'static str> {
    let known = FUNCTIONS.into_iter().chain(FILTERS).chain(TESTS);
    did_you_mean(word, known)
        .filter(|meant| strsim::damerau_levenshtein(word, meant) <= 1 + meant.len() / 8)
}

/// The call as a filter or a test behind its value: `len(b)` as `b | length`, `b.strip()` as `b | trim`.
fn rewritten(text: &str, name: &Range<usize>, method: bool, here: &str) -> Option<String> {
    let open = name.end;
    let close = open + closing(&text[open..])?;
    let inside = &text[open + 1..close];
    let (value, arguments, start) = if method {
        let before = text[..name.start].trim_end().strip_suffix('.')?;
        let start = start_of_last(before, |c| c == '.' || is_letter(c));
        (before.get(start..)?, inside, start)
    } else {
        match comma(inside) {
            Some(at) => (&inside[..at], inside[at + 1..].trim(), name.start),
            None => (inside, "", name.start),
        }
    };
    if value.trim().is_empty() {
        return None;
    }
    let arguments = match arguments.trim() {
        "" => String::new(),
        arguments => format!("({arguments})"),
    };
    let call = format!("{} {here}{arguments}", value.trim());
    let (before, after) = (&text[..start], &text[close + 1..]);
    let alone = before.trim().is_empty() && after.trim().is_empty();
    let line = match alone {
        true => call,
        false => format!("{before}({call}){after}"),
    };
    parses(&line).then_some(line)
}

/// Where the bracket closes that a text begins with.
fn closing(text: &str) -> Option<usize> {
    along(text, |byte, depth| byte == b')' && depth == 0)
}

/// The first comma that stands in no bracket.
fn comma(text: &str) -> Option<usize> {
    along(text, |byte, depth| byte == b',' && depth == 0)
}

fn along(text: &str, found: impl Fn(u8, usize) -> bool) -> Option<usize> {
    let mut depth = 0usize;
    let mut bytes = outside_strings(text, 0);
    bytes.find_map(|(at, byte)| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        found(byte, depth).then_some(at)
    })
}
