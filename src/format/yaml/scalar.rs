//! Scalars and keys of YAML: as few quotes as can be, and none that changes what is read.

use crate::format::document::{Form, Scalar};
use crate::model::{Type, Value};
use crate::syntax::{Style, ambiguity, plain_value};

/// A scalar as it is written.
pub(super) enum Written {
    /// In one line.
    Line(String),
    /// In several lines.
    Lines {
        /// What stands behind the key: `|`, or the first line.
        first: String,
        /// The lines below it, to be indented.
        rest: Vec<String>,
        /// Whether a comment may stand behind the first one.
        block: bool,
    },
}

/// A scalar behind a key or a dash.
pub(super) fn written(scalar: &Scalar, anchored: bool) -> Written {
    let lines = match &scalar.form {
        Form::Line { .. } => None,
        Form::Block => block(&scalar.text),
        Form::Folded(lines) => Some(folded(&scalar.text, lines)),
        Form::Wrapped(lines) if anchored || lines.len() < 2 => None,
        Form::Wrapped(lines) => Some(Written::Lines {
            first: lines[0].clone(),
            rest: lines[1..].to_vec(),
            block: false,
        }),
    };
    lines.unwrap_or_else(|| Written::Line(one_line(scalar, false)))
}

/// A scalar in one line; `None` if it is laid out in several.
pub(super) fn line(scalar: &Scalar, in_brackets: bool) -> Option<String> {
    match scalar.form {
        Form::Line { .. } => Some(one_line(scalar, in_brackets)),
        Form::Block | Form::Folded(_) | Form::Wrapped(_) => None,
    }
}

/// A key.
pub(super) fn key(text: &str, was_quoted: bool) -> String {
    keyed(text, was_quoted, false)
}

/// A key between braces.
pub(super) fn key_in_brackets(text: &str, was_quoted: bool) -> String {
    keyed(text, was_quoted, true)
}

fn keyed(text: &str, was_quoted: bool, in_brackets: bool) -> String {
    let odd = ambiguity(text).is_some() || !matches!(plain_value(text), Value::String(_));
    let needs =
        text.is_empty() || matches!(text, "<<" | "null" | "~") || !is_plain(text, in_brackets);
    match needs || (was_quoted && (odd || !is_simple(text))) {
        true => quoted(text),
        false => text.to_owned(),
    }
}

fn one_line(scalar: &Scalar, in_brackets: bool) -> String {
    let text = &scalar.text;
    let plain = match scalar.style {
        Style::Plain => is_plain(text, in_brackets),
        Style::Text | Style::Bare | Style::File => {
            let was_quoted = scalar.form == Form::Line { quoted: true };
            is_plain(text, in_brackets)
                && matches!(plain_value(text), Value::String(_))
                && ambiguity(text).is_none()
                && !(was_quoted && (!is_simple(text) || Type::parse(text).is_some()))
        }
    };
    match plain {
        true => text.clone(),
        false => quoted(text),
    }
}

/// Whether quotes around a text help nobody.
fn is_simple(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '/' | ';' | '(' | ')'))
}

/// Whether a text can be read back if it stands without quotes, in one line.
fn is_plain(text: &str, in_brackets: bool) -> bool {
    let mut characters = text.chars();
    let Some(first) = characters.next() else {
        return false;
    };
    let next = characters.next();
    let begins = match first {
        '-' | '?' | ':' => next.is_some_and(|c| !c.is_whitespace() && !is_flow(c)),
        ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
        | '@' | '`' => false,
        _ => true,
    };
    begins
        && !text.starts_with("---")
        && !text.starts_with("...")
        && !text.starts_with(char::is_whitespace)
        && !text.ends_with(char::is_whitespace)
        && !text.ends_with(':')
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.contains(['\t', '\n', '\r'])
        && !text.chars().any(is_unprintable)
        && !(in_brackets && (text.contains(is_flow) || text.contains(":\"") || text.contains(":'")))
}

fn is_flow(c: char) -> bool {
    matches!(c, ',' | '[' | ']' | '{' | '}')
}

/// Whether a character can only stand as an escape: control characters, line ends of other standards, marks of byte
/// order.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

fn quoted(text: &str) -> String {
    let escapes = text.chars().any(is_unprintable);
    if !escapes && text.contains(['"', '\\']) && !text.contains('\'') {
        return format!("'{text}'");
    }
    let mut written = String::with_capacity(text.len() + 2);
    written.push('"');
    for c in text.chars() {
        match c {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\t' => written.push_str("\\t"),
            '\r' => written.push_str("\\r"),
            '\u{1b}' => written.push_str("\\e"),
            c if is_unprintable(c) => match u32::from(c) {
                number @ ..=0xff => written.push_str(&format!("\\x{number:02x}")),
                number @ ..=0xffff => written.push_str(&format!("\\u{number:04x}")),
                number => written.push_str(&format!("\\U{number:08x}")),
            },
            c => written.push(c),
        }
    }
    written.push('"');
    written
}

/// A text as a block of its lines; `None` if it does not read back from one.
fn block(text: &str) -> Option<Written> {
    let odd = |c: char| is_unprintable(c) && c != '\n' && c != '\t';
    let body = text.trim_end_matches('\n');
    if body.trim().is_empty() || text.contains(odd) {
        return None;
    }
    let mut lines = body.split('\n');
    let last = body.rsplit('\n').next().unwrap_or("");
    if last.trim().is_empty() {
        return None;
    }
    let first = lines.find(|line| !line.is_empty()).unwrap_or("");
    let indicator = if first.starts_with([' ', '\t']) {
        "2"
    } else {
        ""
    };
    Some(Written::Lines {
        first: format!("|{indicator}{}", chomp(text)),
        rest: with_end(text, body.split('\n').map(str::to_owned).collect()),
        block: true,
    })
}

fn folded(text: &str, lines: &[String]) -> Written {
    Written::Lines {
        first: format!(">{}", chomp(text)),
        rest: with_end(text, lines.to_vec()),
        block: true,
    }
}

/// How a block says what its text ends with.
fn chomp(text: &str) -> &'static str {
    match (text.ends_with("\n\n"), text.ends_with('\n')) {
        (true, _) => "+",
        (false, true) => "",
        (false, false) => "-",
    }
}

/// The lines of a block, with the blank ones that belong to its end.
fn with_end(text: &str, mut lines: Vec<String>) -> Vec<String> {
    let ends = text.len() - text.trim_end_matches('\n').len();
    lines.extend(std::iter::repeat_n(String::new(), ends.saturating_sub(1)));
    lines
}
