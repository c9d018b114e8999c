//! What the grammar does not understand, in the author's words.

use pest::Parser;
use pest::error::{Error, ErrorVariant, InputLocation};

use super::grammar::{Grammar, Rule};
use super::literal::quoted;
use super::span;
use crate::model::Span;
use crate::syntax::problem::{corrected, shown};
use crate::syntax::{Key, Problem, code};

/// What is wrong with an entry, and its key, if it has one.
pub(super) struct Broken {
    pub problem: Problem,
    pub key: Option<(String, Span)>,
    /// Whether it has a key and `=`, so that it is no rest of something else.
    pub is_entry: bool,
}

/// Where a parser gave up.
pub(super) fn place_of(error: &Error<Rule>) -> usize {
    match error.location {
        InputLocation::Pos(at) => at,
        InputLocation::Span((at, _)) => at,
    }
}

/// Says what is wrong with `written`, an entry that begins at byte `start` of the text.
pub(super) fn explain(file: u16, text: &str, start: usize, written: &str) -> Broken {
    let entry = Entry {
        file,
        text,
        start,
        written,
    };
    let length = key_length(written);
    let name = &written[..length];
    if length == 0 {
        return Broken {
            problem: entry.without_key(),
            key: None,
            is_entry: false,
        };
    }
    let behind = &written[length..];
    let rest = behind.trim_start();
    let sign = length + (behind.len() - rest.len());
    let equals = rest.starts_with('=') && !["==", "=>"].iter().any(|s| rest.starts_with(s));
    let problem = if rest.is_empty() {
        Problem::error(
            code::MISSING_VALUE,
            entry.at(0, length),
            format!("`{}` has nothing behind it", shown(name)),
        )
        .help(format!(
            "write `{0} = value`, or `{0} {{ … }}`",
            shown(name)
        ))
    } else if equals {
        entry.value(name, sign + 1)
    } else {
        entry.sign(name, length, sign)
    };
    let key = (name.trim_matches('"').to_owned(), entry.at(0, length));
    let is_task = name == "task" && rest.contains('{');
    Broken {
        problem,
        key: Some(key).filter(|_| !is_task),
        is_entry: equals,
    }
}

struct Entry<'t> {
    file: u16,
    text: &'t str,
    start: usize,
    written: &'t str,
}

impl Entry<'_> {
    fn at(&self, start: usize, end: usize) -> Span {
        span(self.file, self.start + start, self.start + end)
    }

    /// `write …`, with the line corrected, if it is a short one.
    fn write(&self, words: &str, at: Span, with: &str) -> String {
        advice(self.text, words, at, with)
    }

    fn without_key(&self) -> Problem {
        let first = self.written.chars().next().map_or(0, char::len_utf8);
        let here = |length: usize| self.at(0, length);
        if self.written.starts_with("- ") || self.written == "-" {
            return Problem::error(code::TEXT_SYNTAX, here(1), "a dash begins no item here")
                .help("a list stands in brackets, `[a, b]`; tasks one after the other: tasks = [task a { … }, task b { … }]");
        }
        if ["//", "--", "/*"]
            .iter()
            .any(|s| self.written.starts_with(s))
        {
            return Problem::error(code::TEXT_SYNTAX, here(2), "this begins no comment here")
                .help("a comment begins with `#`");
        }
        if self.written.starts_with("{{") {
            return template(self.text, self.at(0, self.written.len()), self.written);
        }
        let word = shown(self.written.split_whitespace().next().unwrap_or(""));
        Problem::error(
            code::TEXT_SYNTAX,
            here(first),
            format!("an entry cannot begin with `{word}`"),
        )
        .help("write `key = value`, `key { … }` or `task NAME { … }`")
    }

    /// Something else than `=` and a value stands behind the key.
    fn sign(&self, name: &str, length: usize, sign: usize) -> Problem {
        let rest = &self.written[sign..];
        if let Some(wrong) = [":=", "==", "=>", "->", "<-", ":"]
            .iter()
            .find(|wrong| rest.starts_with(**wrong))
        {
            let value = rest[wrong.len()..].trim();
            let at = self.at(length, self.written.len());
            let with = format!(" = {}", as_value(value));
            return Problem::error(
                code::NO_EQUALS_SIGN,
                self.at(sign, sign + wrong.len()),
                format!(
                    "`{wrong}` stands behind `{}`, where `=` is wanted",
                    shown(name)
                ),
            )
            .help(self.write("a value stands behind `=`", at, &with));
        }
        if name == "task" || rest.contains('{') && rest.ends_with('}') {
            let words = rest.split(['{', '\n']).next().unwrap_or("").trim();
            let end = sign + words.len();
            return Problem::error(
                code::TEXT_SYNTAX,
                self.at(sign, end.max(sign + 1)),
                format!(
                    "`{}` is no name: a name is one word, with `{{` behind it",
                    shown(words)
                ),
            )
            .help("write `task NAME { … }`, with a name of a-z, 0-9 and `_`");
        }
        let with = format!(" = {}", as_value(rest));
        Problem::error(
            code::NO_EQUALS_SIGN,
            self.at(sign, self.written.len()),
            format!("`=` is missing between `{}` and its value", shown(name)),
        )
        .help(self.write(
            "a value stands behind `=`",
            self.at(length, self.written.len()),
            &with,
        ))
    }

    /// The value behind `=`, which ends at byte `from` of the entry, is wrong.
    fn value(&self, name: &str, from: usize) -> Problem {
        let behind = &self.written[from..];
        let value = behind.trim_start();
        let at = from + (behind.len() - value.len());
        let end = self.written.len();
        if value.is_empty() {
            return Problem::error(
                code::MISSING_VALUE,
                self.at(0, end),
                format!("`{}` has nothing behind its `=`", shown(name)),
            )
            .help(format!(
                "write a value: a text in quotes, a number, a name; or leave `{}` out",
                shown(name)
            ));
        }
        if !value.starts_with(['"', '\'']) && value.contains("{{") {
            return template(self.text, self.at(at, end), value);
        }
        if let Some((before, key)) = second_equals(value) {
            return Problem::error(
                code::TEXT_SYNTAX,
                self.at(at + key.start, at + key.end),
                format!("a comma is missing before `{}`", shown(&value[key.clone()])),
            )
            .help(self.write(
                "entries of one line have commas between them",
                self.at(at + before, at + key.start),
                ", ",
            ));
        }
        if let Some(problem) = behind_quote(self.at(at, end), value) {
            return problem;
        }
        if !value.starts_with(['"', '\'', '[', '{', '(']) && value.ends_with('}') {
            let brace = value.find('{').unwrap_or(0);
            return Problem::error(
                code::TEXT_SYNTAX,
                self.at(at + brace, at + brace + 1),
                "a value and braces do not go together",
            )
            .help(format!(
                "write `{0} = value`, or `{0} {{ key = value }}`",
                shown(name)
            ));
        }
        self.expected()
    }

    /// Anything else: where the grammar gave up, and what it expected there.
    fn expected(&self) -> Problem {
        let (at, words) = match Grammar::parse(Rule::alone, self.written) {
            Ok(_) => (0, String::new()),
            Err(error) => (place_of(&error), expectation(&error)),
        };
        let here = &self.written[at.min(self.written.len())..];
        let length = here.chars().next().map_or(0, char::len_utf8);
        let found = here.split_whitespace().next().unwrap_or("");
        let message = match found.is_empty() {
            true => "this entry ends too early".to_owned(),
            false => format!("`{}` cannot stand here", shown(found)),
        };
        Problem::error(
            code::TEXT_SYNTAX,
            self.at(at, at + length.max(1).min(here.len())),
            message,
        )
        .help(match words.is_empty() {
            true => "a text stands in quotes".to_owned(),
            false => format!("{words} may stand here; a text stands in quotes"),
        })
    }
}

/// A second `=` in a value: where what stands before its key ends, and the key.
fn second_equals(value: &str) -> Option<(usize, std::ops::Range<usize>)> {
    let bytes = value.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if matches!(bytes[at], b'"' | b'\'') {
            at += text_length(&value[at..])?;
            continue;
        }
        if matches!(bytes[at], b'{' | b'[' | b'(') {
            return None;
        }
        let alone = bytes[at] == b'='
            && bytes.get(at + 1) != Some(&b'=')
            && !at
                .checked_sub(1)
                .is_some_and(|b| matches!(bytes[b], b'=' | b'!' | b'<' | b'>'));
        if alone {
            let before = value[..at].trim_end();
            let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
            let start = before.trim_end_matches(goes_on).len();
            let rest = before[..start].trim_end().len();
            return (start < before.len() && rest > 0 && rest < start)
                .then_some((rest, start..before.len()));
        }
        at += 1;
    }
    None
}

/// Braces of a template, without quotes.
pub(super) fn template(text: &str, at: Span, written: &str) -> Problem {
    let name = written
        .strip_prefix("{{")
        .and_then(|rest| rest.strip_suffix("}}"))
        .filter(|inside| !inside.contains("}}"));
    let help = match name {
        Some(name) => advice(text, "a name needs no braces here", at, name.trim()),
        None => advice(
            text,
            "a text with a template stands in quotes",
            at,
            &quoted(written),
        ),
    };
    Problem::error(
        code::UNQUOTED_TEMPLATE,
        at,
        format!(
            "`{}` has no quotes, and braces begin a mapping here",
            shown(written)
        ),
    )
    .help(help)
}

/// Something stands behind the closing quote of the text that a value begins with.
pub(super) fn behind_quote(at: Span, value: &str) -> Option<Problem> {
    let length = text_length(value)?;
    let behind = value[length..].trim_start();
    if behind.is_empty() {
        return None;
    }
    let start = u32::try_from(value.len() - behind.len()).unwrap_or(0);
    let place = Span {
        start: at.start + start,
        ..at
    };
    let problem = Problem::error(
        code::TEXT_AFTER_QUOTE,
        place,
        "this stands behind the closing quote of a text",
    );
    Some(problem.help("put the quotes around the whole value, with quotes that belong to it as \\\"; entries of one line have commas between them"))
}

/// `|`, as YAML has it.
pub(super) fn yaml_block(at: Span) -> Problem {
    Problem::error(
        code::TEXT_SYNTAX,
        at,
        "a text of several lines does not begin like this here",
    )
    .help("put it between `\"\"\"` and `\"\"\"`, each on a line of its own")
}

/// What a parser expected, in words.
fn expectation(error: &Error<Rule>) -> String {
    let ErrorVariant::ParsingError { positives, .. } = &error.variant else {
        return String::new();
    };
    let mut words: Vec<&str> = Vec::new();
    for word in positives.iter().filter_map(|rule| called(*rule)) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// What a rule of the grammar is called; `None` for what nobody would write on purpose.
fn called(rule: Rule) -> Option<&'static str> {
    match rule {
        Rule::file | Rule::alone => Some("a flow"),
        Rule::entry | Rule::setting | Rule::section | Rule::named | Rule::typed => {
            Some("an entry, such as `key = value`")
        }
        Rule::key | Rule::bare_key => Some("a key"),
        Rule::label => Some("a name"),
        Rule::body | Rule::mapping => Some("a mapping in braces"),
        Rule::separator | Rule::end | Rule::stop | Rule::EOI => Some("a comma, or the next line"),
        Rule::kind | Rule::type_name | Rule::choice => Some("a type"),
        Rule::value | Rule::item => Some("a value"),
        Rule::list => Some("a list in brackets"),
        Rule::call => Some("a name with parentheses"),
        Rule::block | Rule::text | Rule::raw | Rule::escape | Rule::quoted => {
            Some("a text in quotes")
        }
        Rule::word | Rule::word_goes_on => Some("a number"),
        Rule::expression | Rule::operand | Rule::group | Rule::in_group => {
            Some("a name or an expression")
        }
        Rule::WHITESPACE
        | Rule::COMMENT
        | Rule::edge
        | Rule::remark
        | Rule::in_word
        | Rule::broken
        | Rule::stray
        | Rule::stray_in_body
        | Rule::stray_in_list => None,
    }
}

/// `word NAME { … }`, where the word is not `task`.
pub(super) fn not_a_task(at: Span, word: &str, name: &str) -> Problem {
    Problem::error(
        code::TEXT_SYNTAX,
        at,
        format!(
            "only `task` has a name before its brace, and this is `{}`",
            shown(word)
        ),
    )
    .help(format!(
        "a task or a group: `task {} {{ … }}`; anything else: `{} {{ … }}`",
        shown(name),
        shown(word)
    ))
}

/// `key: value`, outside of a store.
pub(super) fn colon(text: &str, entry: Span, key: &Key, value: &str) -> Problem {
    let at = Span {
        start: key.span.end,
        ..entry
    };
    let place = Span {
        end: at.start + 1,
        ..at
    };
    let with = format!(" = {}", as_value(value));
    Problem::error(
        code::NO_EQUALS_SIGN,
        place,
        format!(
            "`:` stands behind `{}`, where `=` is wanted",
            shown(&key.text)
        ),
    )
    .help(advice(
        text,
        "only names of `store` have a colon, before their type",
        at,
        &with,
    ))
}

/// Text without quotes.
pub(super) fn unquoted(file: u16, text: &str, at: Span, written: &str, what: &str) -> Problem {
    let problem = Problem::error(code::UNQUOTED_TEXT, at, what);
    // A comma in the text ends what is taken for the value.
    let start = at.start as usize;
    let behind = text.get(at.end as usize..).unwrap_or("");
    let line = &behind[..behind.find(['\n', '\r', '#']).unwrap_or(behind.len())];
    let goes_on = line
        .strip_prefix(',')
        .filter(|rest| !rest.contains(['=', ']', '}', ')', '"']))
        .filter(|rest| !rest.trim().is_empty());
    match goes_on {
        None => problem.help(advice(text, "write", at, &quoted(written))),
        Some(_) => {
            let end = at.end as usize + line.trim_end().len();
            let whole = text.get(start..end).unwrap_or(written);
            problem.help(advice(
                text,
                "write",
                span(file, start, end),
                &quoted(whole),
            ))
        }
    }
}

/// A backslash before something that means nothing.
pub(super) fn bad_escape(at: Span, escape: &str) -> Problem {
    Problem::error(
        code::BAD_ESCAPE,
        at,
        format!("`{}` means nothing in double quotes", shown(escape)),
    )
    .help(
        "write \\\\ for a backslash, or use single quotes or \"\"\", which leave backslashes alone",
    )
}

fn advice(text: &str, words: &str, at: Span, with: &str) -> String {
    let line = corrected(text, at, with);
    let line = match line.is_empty() {
        true => shown(with),
        false => line,
    };
    format!("{words}: {line}")
}

/// A value as it was probably meant: text that has no quotes gets them.
fn as_value(value: &str) -> String {
    if super::guess::is_text(value) {
        quoted(value)
    } else {
        value.to_owned()
    }
}

/// The bytes of the key that an entry begins with.
fn key_length(written: &str) -> usize {
    if written.starts_with('"') {
        return text_length(written).unwrap_or(0);
    }
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !written.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return 0;
    }
    written.find(|c| !goes_on(c)).unwrap_or(written.len())
}

/// The bytes of the text in quotes that a value begins with.
fn text_length(value: &str) -> Option<usize> {
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut characters = value.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => {
                characters.next();
            }
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}
