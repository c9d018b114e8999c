//! What is wrong with a text that is not an expression, in the words of its author.
//!
//! A text that does not parse and the library's error enter; the place, what stands there and what to write leave.
//! What other languages write for the same thing is known by a table. Nothing is evaluated here.

use std::ops::Range;

use minijinja::{Error, ErrorKind};

use super::{ENVIRONMENT, FILTERS, FUNCTIONS, TESTS, end_of_string, is_known, shorten, told};
use crate::model::Span;
use crate::syntax::{Problem, did_you_mean};

/// What is wrong with the text of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub code: &'static str,
    pub message: String,
    /// Where in the text.
    pub range: Range<usize>,
    pub label: String,
    pub help: Option<String>,
}

impl Fault {
    /// The problem, at a place.
    pub fn at(self, span: Span) -> Problem {
        let mut problem = Problem::error(self.code, span, self.message).label(self.label);
        problem.help = self.help;
        problem
    }
}

/// The place of a part of a text that stands at a place, with quotes or without; all of it if that cannot be told.
pub(super) fn within(span: Span, text: &str, range: Range<usize>) -> Span {
    let length = (span.end - span.start) as usize;
    let shift = match length.checked_sub(text.len()) {
        Some(0) => 0,
        Some(2) => 1,
        Some(_) | None => return span,
    };
    let at = |offset: usize| u32::try_from(offset + shift).map_or(span.end, |at| span.start + at);
    Span {
        file: span.file,
        start: at(range.start),
        end: at(range.end),
    }
}

/// What other languages write, what is written here, and what that is.
const OTHER_WORDS: [(&str, &str, &str); 13] = [
    (
        "{{",
        "",
        "an expression stands here already, without braces",
    ),
    (
        "}}",
        "",
        "an expression stands here already, without braces",
    ),
    ("===", "==", "equal is `==`"),
    ("!==", "!=", "unequal is `!=`"),
    ("<>", "!=", "unequal is `!=`"),
    ("=>", ">=", "at least is `>=`"),
    ("=<", "<=", "at most is `<=`"),
    ("==", "==", ""),
    ("!=", "!=", ""),
    ("&&", " and ", "both is `and`"),
    ("||", " or ", "either is `or`"),
    ("!", "not ", "the opposite is `not`"),
    ("=", "==", "equal is `==`"),
];

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

/// Why a text is not an expression.
pub(super) fn of(text: &str, error: &Error) -> Fault {
    let fault = |range: Range<usize>, label: String, help: Option<String>| Fault {
        code: "bad-expression",
        message: format!("`{}` is not an expression", shorten(text)),
        range,
        label,
        help,
    };
    if let Some((first, what, corrected)) = other_words(text) {
        let help = corrected.map_or_else(|| what.to_owned(), |line| format!("write: {line}"));
        let label = match corrected_label(&text[first.clone()], what) {
            Some(label) => label,
            None => what.to_owned(),
        };
        return fault(first, label, Some(help));
    }
    let detail = error.detail().unwrap_or_default();
    let whole = 0..text.len();
    let place = error
        .range()
        .filter(|range| text.get(range.clone()).is_some());
    let place = place.filter(|range| !range.is_empty()).unwrap_or(whole);
    if let Some(open) = unclosed(text) {
        let bracket = &text[open..=open];
        let (label, help) = match bracket {
            "\"" | "'" => (
                "this quote is not closed",
                format!("close it with `{bracket}`"),
            ),
            "(" => ("this bracket is not closed", "close it with `)`".to_owned()),
            "[" => ("this bracket is not closed", "close it with `]`".to_owned()),
            _ => ("this brace is not closed", "close it with `}`".to_owned()),
        };
        return fault(open..open + 1, label.to_owned(), Some(help));
    }
    if detail.starts_with("unexpected end of input") {
        let word = last_word(text);
        let shown = &text[word.clone()];
        let help = format!("write a value behind `{shown}`, or leave `{shown}` out");
        return fault(
            word,
            "something is missing behind this".to_owned(),
            Some(help),
        );
    }
    let here = &text[place.clone()];
    if detail.starts_with("unexpected input after") {
        let help = "join two values with an operator: `and`, `or`, `==`, `~` for text";
        let label = "the expression ends before this".to_owned();
        return fault(place, label, Some(help.to_owned()));
    }
    if detail.starts_with("unexpected") {
        let label = match here.is_empty() || here.len() == text.len() {
            true => "this cannot stand like this".to_owned(),
            false => format!("`{}` cannot stand here", shorten(here)),
        };
        return fault(place, label, None);
    }
    fault(place, told(error), None)
}

fn corrected_label(written: &str, what: &str) -> Option<String> {
    (!written.starts_with(['{', '}'])).then(|| format!("`{written}` is not known here: {what}"))
}

/// The first word of another language, what is written here, and the whole expression with all of them replaced, if
/// it then is one.
fn other_words(text: &str) -> Option<(Range<usize>, &'static str, Option<String>)> {
    if let Some(found) = ternary(text) {
        return Some(found);
    }
    let bytes = text.as_bytes();
    let mut first = None;
    let mut corrected = String::new();
    let mut calls = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if matches!(bytes[at], b'"' | b'\'') {
            let end = end_of_string(bytes, at).min(bytes.len());
            corrected.push_str(text.get(at..end)?);
            at = end;
            continue;
        }
        let rest = text.get(at..)?;
        let named = calls.last() == Some(&true);
        let word = OTHER_WORDS.iter().find(|(word, ..)| {
            let comparison = corrected.ends_with(['<', '>']);
            rest.starts_with(word) && !(*word == "=" && (named || comparison))
        });
        if let Some((word, here, what)) = word {
            if word != here && first.is_none() {
                first = Some((at..at + word.len(), *what));
            }
            if here.trim() == *here {
                corrected.push_str(here);
            } else {
                let before = corrected.trim_end().len();
                corrected.truncate(before);
                if !here.starts_with(' ') && before > 0 && !corrected.ends_with(['(', '[']) {
                    corrected.push(' ');
                }
                corrected.push_str(here);
            }
            at += word.len();
            if here.ends_with(' ') || here.is_empty() {
                at += rest[word.len()..].len() - rest[word.len()..].trim_start().len();
            }
            continue;
        }
        let c = rest.chars().next()?;
        match c {
            '(' => calls.push(corrected.ends_with(|c: char| c == '_' || c.is_alphanumeric())),
            ')' => {
                calls.pop();
            }
            _ => {}
        }
        corrected.push(c);
        at += c.len_utf8();
    }
    let (first, what) = first?;
    let corrected = corrected.trim().to_owned();
    Some((first, what, parses(&corrected).then_some(corrected)))
}

/// `a ? b : c`, which is written `b if a else c`.
fn ternary(text: &str) -> Option<(Range<usize>, &'static str, Option<String>)> {
    let outside = |wanted: u8| {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'"' | b'\'' => {
                    at = end_of_string(bytes, at);
                    continue;
                }
                byte if byte == wanted => return Some(at),
                _ => at += 1,
            }
        }
        None
    };
    let question = outside(b'?')?;
    let what = "a choice is `value if condition else other`";
    let colon = outside(b':').filter(|colon| *colon > question);
    let corrected = colon.map(|colon| {
        let [condition, value, other] = [
            &text[..question],
            &text[question + 1..colon],
            &text[colon + 1..],
        ];
        format!(
            "{} if {} else {}",
            value.trim(),
            condition.trim(),
            other.trim()
        )
    });
    let corrected = corrected.filter(|corrected| parses(corrected));
    Some((question..question + 1, what, corrected))
}

fn parses(text: &str) -> bool {
    ENVIRONMENT.compile_expression(text).is_ok()
}

/// The first bracket or quote that nothing closes.
pub(crate) fn unclosed(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => {
                let end = end_of_string(bytes, at);
                if end > bytes.len() || end < at + 2 || bytes[end - 1] != quote {
                    return Some(at);
                }
                at = end;
                continue;
            }
            b'(' | b'[' | b'{' => open.push(at),
            b')' | b']' | b'}' => {
                open.pop();
            }
            _ => {}
        }
        at += 1;
    }
    open.first().copied()
}

/// The last word or sign of a text.
fn last_word(text: &str) -> Range<usize> {
    let text = text.trim_end();
    let letter = |c: char| c == '_' || c.is_alphanumeric();
    let space = |c: char| c.is_whitespace();
    let word = text.ends_with(letter);
    let start = text.rfind(|c| match word {
        true => !letter(c),
        false => letter(c) || space(c),
    });
    let start = start.map_or(0, |at| {
        at + text[at..].chars().next().map_or(0, char::len_utf8)
    });
    start..text.len()
}

/// Calls of what is no function: values have no methods, and most of what others call is a filter here.
pub(super) fn call(text: &str) -> Option<Fault> {
    let bytes = text.as_bytes();
    let letter = |c: char| c == '_' || c.is_alphanumeric();
    let mut at = 0;
    let mut skip_until = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\'' => {
                at = end_of_string(bytes, at);
                continue;
            }
            b'(' if at >= skip_until => {
                let before = &text[..at];
                let start = before.rfind(|c| !letter(c)).map_or(0, |found| {
                    found + text[found..].chars().next().map_or(0, char::len_utf8)
                });
                let name = &text[start..at];
                let method = before[..start].trim_end().ends_with('.');
                let called = before[..start].trim_end();
                let filter = called.ends_with('|') || ends_with_word(called, "is");
                let negated = ends_with_word(called, "not")
                    && ends_with_word(called[..called.len() - 3].trim_end(), "is");
                let keyword = ["and", "or", "not", "in", "is", "if", "else"].contains(&name);
                let known = !method && FUNCTIONS.contains(&name);
                if !name.is_empty() && !filter && !negated && !keyword && !known {
                    return Some(called_wrongly(text, start..at, method));
                }
                skip_until = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn ends_with_word(text: &str, word: &str) -> bool {
    let letter = |c: char| c == '_' || c.is_alphanumeric();
    text.strip_suffix(word)
        .is_some_and(|rest| !rest.ends_with(letter))
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
        None => match did_you_mean(word, FUNCTIONS.into_iter().chain(FILTERS).chain(TESTS)) {
            Some(meant) if FUNCTIONS.contains(&meant) => format!("did you mean `{meant}`?"),
            Some(meant) if FILTERS.contains(&meant) => {
                format!("did you mean the filter `{meant}`, as in `value | {meant}`?")
            }
            Some(meant) => format!("did you mean the test `{meant}`, as in `value is {meant}`?"),
            None => "there are the functions `range` and `dict`; all else is done by filters, as in `value | upper`".to_owned(),
        },
    };
    let what = match method {
        true => format!("values have no method `{word}`"),
        false => format!("there is no function `{word}`"),
    };
    Fault {
        code: "unknown-function",
        message: what,
        range: name,
        label: String::new(),
        help: Some(help),
    }
}

/// The call as a filter or a test behind its value: `len(b)` as `b | length`, `b.strip()` as `b | trim`.
fn rewritten(text: &str, name: &Range<usize>, method: bool, here: &str) -> Option<String> {
    let open = name.end;
    let close = open + closing(&text[open..])?;
    let inside = &text[open + 1..close];
    let (value, arguments, start) = if method {
        let before = text[..name.start].trim_end().strip_suffix('.')?;
        let part = |c: char| c == '_' || c == '.' || c.is_alphanumeric();
        let start = before.rfind(|c| !part(c)).map_or(0, |at| {
            at + before[at..].chars().next().map_or(0, char::len_utf8)
        });
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
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\'' => {
                at = end_of_string(bytes, at);
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if found(bytes[at], depth) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Why an expression has no value, in the words of its author. Values are not shown: one of them may be a secret.
pub(super) fn at_run_time(text: &str, error: &Error) -> String {
    let part = error.range().and_then(|range| text.get(range));
    let part = part
        .map(str::trim)
        .filter(|part| !part.is_empty() && *part != text);
    let detail = error.detail().unwrap_or_default();
    let number = [
        "invalid float literal",
        "cannot parse float from empty string",
    ];
    let why = match error.kind() {
        ErrorKind::OutOfFuel => "it takes too much work".to_owned(),
        ErrorKind::InvalidOperation if number.contains(&detail) => {
            "the text is not a number (to have a number then, give the filter one: `int(0)`)"
                .to_owned()
        }
        ErrorKind::InvalidOperation | ErrorKind::SyntaxError if !detail.is_empty() => {
            detail.to_owned()
        }
        _ => told(error),
    };
    match part {
        Some(part) => format!("`{}`: in `{}`, {why}", shorten(text), shorten(part)),
        None => format!("`{}`: {why}", shorten(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Expression;
    use crate::model::Span;

    #[test]
    fn what_other_languages_write_is_told_with_what_is_written_here() {
        for (text, place, line) in [
            ("a = 1", "=", "a == 1"),
            (
                "a == 1 && b == \"x && y\"",
                "&&",
                "a == 1 and b == \"x && y\"",
            ),
            ("a==1||!b", "||", "a==1 or not b"),
            ("!a", "!", "not a"),
            ("!(a && b)", "!", "not (a and b)"),
            ("a === 1", "===", "a == 1"),
            ("a !== 1", "!==", "a != 1"),
            ("a <> 1", "<>", "a != 1"),
            ("a => 1", "=>", "a >= 1"),
            ("{{ x }} == 1", "{{", "x == 1"),
            ("a ? 1 : 2", "?", "1 if a else 2"),
            (
                "x | default(1, boolean=true) = 1",
                "=",
                "x | default(1, boolean=true) == 1",
            ),
            ("len(b)", "len", "b | length"),
            ("len(b) > 1", "len", "(b | length) > 1"),
            ("default(b, 1)", "default", "b | default(1)"),
            ("b.x.strip()", "strip", "b.x | trim"),
            ("startswith(b, 'x')", "startswith", "b is startingwith('x')"),
        ] {
            let span = Span {
                file: 0,
                start: 10,
                end: 10 + u32::try_from(text.len()).unwrap(),
            };
            let problem = Expression::parse(text, span).unwrap_err();
            let range = problem.span.range();
            assert_eq!(&text[range.start - 10..range.end - 10], place, "{text}");
            assert_eq!(problem.help, Some(format!("write: {line}")), "{text}");
        }
    }

    #[test]
    fn any_text_gets_an_answer() {
        for text in [
            "'",
            "\"\\",
            "a ?",
            "ü ? ö : ä",
            "= =",
            "f(",
            "f()",
            ".f()",
            "ü.ö(",
            "!",
            "{{",
            "a b",
            "é(",
            "a.b.(",
            "'a' 'b",
            "x | f(",
            "}}",
            "(,)",
            "len()",
            "\u{3000}=",
        ] {
            let _ = Expression::parse(text, Span::default());
        }
    }
}
