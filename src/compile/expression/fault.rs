//! What is wrong with a text that is not an expression, in the words of its author.
//!
//! A text that does not parse and the library's error enter; the place, what stands there and what to write leave.
//! What other languages write for the same thing is known by a table. Nothing is evaluated here.

use std::ops::Range;

use minijinja::Error;

use super::scan::{end_of_string, is_letter, outside_strings, start_of_last};
use super::{ENVIRONMENT, shorten};
use crate::model::Span;
use crate::syntax::{Code, Problem, code};

/// What is wrong with the text of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub code: Code,
    pub message: String,
    /// Where in the text.
    pub range: Range<usize>,
    pub label: String,
    pub help: Option<String>,
    /// A word in that place, and the one that was probably meant.
    pub meant: Option<Box<(String, String)>>,
}

impl Fault {
    /// This, and that another word was probably meant.
    pub fn did_you_mean(self, written: &str, meant: &str) -> Self {
        Self {
            meant: Some(Box::new((written.to_owned(), meant.to_owned()))),
            ..self
        }
    }

    /// The problem, at a place.
    pub fn at(self, span: Span) -> Problem {
        let mut problem = Problem::error(self.code, span, self.message).label(self.label);
        problem.help = self.help;
        match self.meant.as_deref() {
            Some((written, meant)) => problem.did_you_mean(written, meant),
            None => problem,
        }
    }
}

/// The place of a part of a text, as closely as can be told: the whole text's where escapes or the layout of a block
/// moved its bytes. The place of the text may have quotes.
pub(crate) fn within(span: Span, text: &str, range: Range<usize>) -> Span {
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

/// Why a text is not an expression.
pub(super) fn of(text: &str, error: &Error) -> Fault {
    let fault = |range: Range<usize>, label: String, help: Option<String>| Fault {
        code: code::BAD_EXPRESSION,
        message: format!("`{}` is not an expression", shorten(text)),
        range,
        label,
        help,
        meant: None,
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
    fault(place, "this cannot stand like this".to_owned(), None)
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
            '(' => calls.push(corrected.ends_with(is_letter)),
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
        let mut bytes = outside_strings(text, 0);
        bytes.find_map(|(at, byte)| (byte == wanted).then_some(at))
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

pub(super) fn parses(text: &str) -> bool {
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
    let start = match text.ends_with(is_letter) {
        true => start_of_last(text, is_letter),
        false => start_of_last(text, |c| !is_letter(c) && !c.is_whitespace()),
    };
    start..text.len()
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
