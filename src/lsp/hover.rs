//! What is said about what stands under the pointer.

use std::ops::Range;

use lsp_types::{Hover, HoverContents, MarkupContent, MarkupKind, Position};

use super::cursor::{Cursor, Slot, Spot, spot};
use super::document::Document;
use super::kinds::{Kind, Param, plain};
use super::outline::{Origin, Outline, Symbol};
use crate::model::{Declared, Type};
use crate::syntax::{self, KeyInfo, Takes};

/// The names that are always there, each with what it is. Fields stand behind a dot.
pub(super) const BUILT_IN: [(&str, &str); 20] = [
    ("flow", "The flow and its job."),
    ("flow.name", "The flow's name."),
    ("flow.id", "The job's id."),
    ("task", "The task that this stands in."),
    ("task.name", "The task's full name."),
    (
        "task.attempt",
        "How many times the task has been started, from 1.",
    ),
    (
        "task.key",
        "The same for every rerun of the same attempt, another one for every retry: an idempotency key.",
    ),
    (
        "task.state",
        "A folder on the conductor's machine that the task has for itself, for what its revert needs to know.",
    ),
    ("conductor", "The conductor that runs the task."),
    ("conductor.name", "What the conductor is called."),
    (
        "result",
        "In `revert`, `check` and `provides`: the result of the task itself.",
    ),
    ("failure", "In `revert` and `retry.on`: what went wrong."),
    (
        "failure.kind",
        "What happened: `exit`, `signal`, `timeout`, `status`, `check`, `connect`, `missing_tool`, `cancelled`, `denied`, `interrupted`, `template`, `too_large`, `result`, `secret`, `retry`, `system` or `other`.",
    ),
    ("failure.message", "What happened, in words."),
    ("failure.task", "The task that failed."),
    ("failure.attempt", "Its attempt."),
    (
        "failure.exit_code",
        "With which code the process ended, or `none`.",
    ),
    (
        "failure.status",
        "The status of the HTTP answer, or `none`.",
    ),
    (
        "range",
        "The function `range(n)`: the numbers from 0 to n - 1.",
    ),
    ("dict", "The function `dict(a=1, b=2)`: a mapping."),
];

/// What there is to say at a position.
pub(super) fn hover(document: &Document, position: Position, kinds: &[Kind]) -> Option<Hover> {
    let byte = document.text.offset(position);
    let store = store_of(document, kinds);
    let named = document.outline().and_then(|outline| {
        let (symbol, span) = outline.at(byte)?;
        Some((described(outline, symbol, &store), span.range()))
    });
    let (text, range) = named.or_else(|| key(document, byte, kinds))?;
    Some(Hover {
        contents: HoverContents::Markup(MarkupContent {
            kind: MarkupKind::Markdown,
            value: text,
        }),
        range: Some(document.text.place_of(range)),
    })
}

/// The store as it is declared, if that much of the file can be understood.
fn store_of(document: &Document, kinds: &[Kind]) -> Vec<(String, Declared)> {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    let (flow, _) = syntax::parse(&document.bundle(), &names);
    let store = flow.map(|flow| flow.store).unwrap_or_default();
    let named = store.into_iter();
    named
        .map(|(name, declared)| (name.value, declared))
        .collect()
}

/// A task, or the name of a value.
fn described(outline: &Outline, symbol: Symbol, store: &[(String, Declared)]) -> String {
    match symbol {
        Symbol::Task(at) => {
            let task = &outline.tasks[at];
            let what = match task.kind.as_deref() {
                Some("tasks") => "a group".to_owned(),
                Some("flow") => "a sub-flow".to_owned(),
                Some(kind) => format!("a task, `{kind}`"),
                None => "a task without a kind".to_owned(),
            };
            let about = task.about.as_deref().unwrap_or_default();
            format!("**{}**: {what}\n\n{about}", task.name)
        }
        Symbol::Value(at) => {
            let one = &outline.definitions[at];
            let what = match &one.origin {
                Origin::Store(_) => return in_store(&one.name, store),
                Origin::Task(task) => {
                    format!("provided by the task `{}`", outline.tasks[*task].name)
                }
                Origin::Variable => "the value of the attempt, or of the copy".to_owned(),
            };
            format!("**{}**: {what}", one.name)
        }
    }
}

fn in_store(name: &str, store: &[(String, Declared)]) -> String {
    let Some((_, declared)) = store.iter().find(|(known, _)| known == name) else {
        return format!("**{name}**: a name of the store");
    };
    let mut text = format!("**{name}**: `{}`, in the store", declared.ty);
    if declared.secret {
        text.push_str(", a secret");
    }
    if let Some(default) = &declared.default {
        text.push_str(&format!("\n\nDefault: `{}`", plain(default)));
    }
    if !declared.one_of.is_empty() {
        let words: Vec<String> = declared.one_of.iter().map(plain).collect();
        text.push_str(&format!("\n\nOne of: `{}`", words.join("`, `")));
    }
    if let Some(about) = &declared.about {
        text.push_str(&format!("\n\n{about}"));
    }
    text
}

/// A key, a kind, a parameter, a type, a name that is always there.
fn key(document: &Document, byte: usize, kinds: &[Kind]) -> Option<(String, Range<usize>)> {
    let text = document.text.as_str();
    let (word, range) = word_at(text, byte)?;
    let start = range.start;
    let cursor = Cursor::read(&text[..start], document.notation());
    let at = spot(&cursor.path, kinds);
    let said = match (cursor.slot, at) {
        (Slot::Key, Spot::Keys(level)) => match level.key(word) {
            Some(key) => about_key(key),
            None if level.has_kinds() => about_kind(kinds.iter().find(|kind| kind.name == word)?),
            None => return None,
        },
        (Slot::Key, Spot::Params(kind)) => about_param(kind.param(word)?),
        (Slot::Value, Spot::Value(_, key)) if key.takes == Takes::Type => about_type(word)?,
        (Slot::Value, Spot::Names | Spot::Keys(_)) => about_type(word)?,
        (Slot::Template, _) => always_there(text, start, word)?,
        (Slot::Value, Spot::Value(_, key)) if key.takes == Takes::Expression => {
            always_there(text, start, word)?
        }
        (Slot::Key, Spot::Value(..) | Spot::Param(..) | Spot::Names | Spot::Unknown)
        | (Slot::Value, Spot::Value(..) | Spot::Params(_) | Spot::Param(..) | Spot::Unknown)
        | (Slot::Nothing, _) => return None,
    };
    Some((said, range))
}

/// The word at a byte, and where it stands.
fn word_at(text: &str, byte: usize) -> Option<(&str, Range<usize>)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let start = text[..byte].trim_end_matches(is_word).len();
    let rest = &text[byte..];
    let end = byte + rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let word = text.get(start..end).filter(|word| !word.is_empty())?;
    Some((word, start..end))
}

pub(super) fn about_key(key: &KeyInfo) -> String {
    format!("**{}**\n\n{}", key.name, key.about)
}

/// The kind whose key stands at a byte, and where.
pub(super) fn kind_at<'k>(
    document: &Document,
    byte: usize,
    kinds: &'k [Kind],
) -> Option<(&'k Kind, Range<usize>)> {
    let (word, range) = word_at(document.text.as_str(), byte)?;
    let kind = kinds.iter().find(|kind| kind.name == word)?;
    let before = &document.text.as_str()[..range.start];
    let cursor = Cursor::read(before, document.notation());
    let at = spot(&cursor.path, kinds);
    let is_key = cursor.slot == Slot::Key && matches!(at, Spot::Keys(level) if level.has_kinds());
    is_key.then_some((kind, range))
}

pub(super) fn about_kind(kind: &Kind) -> String {
    let params: Vec<String> = kind
        .params
        .iter()
        .map(|param| format!("- `{}`: {}", param.name, described_param(param)))
        .collect();
    let result = match kind.result.as_slice() {
        [] => "It has no result.".to_owned(),
        fields => format!("Its result has `{}`.", fields.join("`, `")),
    };
    format!(
        "**{}**: {}\n\n{}\n\n{result}",
        kind.name,
        kind.about,
        params.join("\n")
    )
}

pub(super) fn about_param(param: &Param) -> String {
    format!("**{}**: {}", param.name, described_param(param))
}

fn described_param(param: &Param) -> String {
    match param.detail() {
        Some(detail) if param.about.is_empty() => detail,
        Some(detail) => format!("{} ({detail})", param.about),
        None => param.about.clone(),
    }
}

fn about_type(word: &str) -> Option<String> {
    let ty = Type::parse(word)?;
    Some(format!("**{word}**: {}", ty.hint()))
}

fn always_there(text: &str, start: usize, word: &str) -> Option<String> {
    let full = match text[..start].strip_suffix('.') {
        Some(before) => {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let object = &before[before.trim_end_matches(is_word).len()..];
            format!("{object}.{word}")
        }
        None => word.to_owned(),
    };
    let (name, about) = BUILT_IN.iter().find(|(name, _)| *name == full)?;
    Some(format!("**{name}**: {about}"))
}
