//! Where in a flow the cursor stands: under which keys, and whether a key or a value is written there.
//!
//! The text before the cursor enters, a [`Cursor`] leaves. It is read without a parser, since what is being written
//! does not parse yet: in YAML by indentation and brackets, in the text notation by brackets alone. What is not
//! understood gives a cursor that nothing is known about, never an error.

mod brackets;
mod indented;

use crate::lsp::kinds::{Kind, Param};
use crate::syntax::{KeyInfo, Level, Notation, Takes};

/// Where the cursor stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The keys that it stands under, from the outside in. An item of a list is `-`.
    pub path: Vec<String>,
    /// What is written there.
    pub slot: Slot,
    /// The keys that stand beside it already, as far as they stand before it.
    pub beside: Vec<String>,
    /// Where the word begins that the cursor stands behind.
    pub word: usize,
}

/// What is written at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// A key, or an item of a list.
    Key,
    /// A value of the last key of the path.
    Value,
    /// An expression in a template.
    Template,
    /// Nothing that means anything: a comment.
    Nothing,
}

/// The step of a path that is an item of a list.
pub(super) const ITEM: &str = "-";

impl Cursor {
    /// Reads the text up to the cursor.
    pub(super) fn read(before: &str, notation: Notation) -> Self {
        let mut cursor = match notation {
            Notation::Yaml => indented::read(before),
            Notation::Text => brackets::read(before),
        };
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        cursor.word = before.trim_end_matches(word).len();
        let line = before.rsplit('\n').next().unwrap_or("");
        if cursor.slot != Slot::Nothing && in_template(line) {
            cursor.slot = Slot::Template;
        }
        cursor
    }
}

/// Whether braces are open at the end of a line.
fn in_template(line: &str) -> bool {
    match line.rfind("{{") {
        Some(open) => !line[..open].ends_with('\\') && !line[open..].contains("}}"),
        None => false,
    }
}

/// What may stand at a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Spot<'a> {
    /// Keys of a level.
    Keys(Level),
    /// The value of a key.
    Value(Level, &'static KeyInfo),
    /// Parameters of a kind.
    Params(&'a Kind),
    /// The value of a parameter.
    Param(&'a Kind, &'a Param),
    /// Names that the author chooses: of tasks, of the store.
    Names,
    /// Anything else.
    Unknown,
}

/// What may stand under these keys.
pub(super) fn spot<'a>(path: &[String], kinds: &'a [Kind]) -> Spot<'a> {
    let mut spot = Spot::Keys(Level::Flow);
    // What the next name in a mapping of names stands for.
    let mut inside = Level::Task;
    for step in path {
        spot = match spot {
            Spot::Keys(level) => {
                let kind = kinds.iter().find(|kind| kind.name == *step);
                match (kind, level.key(step)) {
                    (Some(kind), _) if level.has_kinds() => Spot::Params(kind),
                    (_, Some(key)) if key.takes == Takes::Store => {
                        inside = Level::Store;
                        Spot::Names
                    }
                    (_, Some(key)) if key.takes == Takes::Tasks => {
                        inside = Level::Task;
                        Spot::Names
                    }
                    (_, Some(key)) if key.takes == Takes::Retry => Spot::Keys(Level::Retry),
                    (_, Some(key)) if key.takes == Takes::Revert => Spot::Keys(Level::Revert),
                    (_, Some(key)) => Spot::Value(level, key),
                    (_, None) => Spot::Unknown,
                }
            }
            Spot::Names => Spot::Keys(inside),
            Spot::Value(level, key) => Spot::Value(level, key),
            Spot::Params(kind) => match kind.param(step) {
                Some(param) => Spot::Param(kind, param),
                None => match short(kind) {
                    Some(param) if step == ITEM => Spot::Param(kind, param),
                    _ => Spot::Unknown,
                },
            },
            Spot::Param(kind, param) => Spot::Param(kind, param),
            Spot::Unknown => Spot::Unknown,
        };
    }
    spot
}

/// The parameter that a value stands for which is no mapping: `exec: [ … ]`.
fn short(kind: &Kind) -> Option<&Param> {
    kind.param(kind.shorthand.as_deref()?)
}
