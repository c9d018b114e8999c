//! Whether two texts say the same.

use super::document::{Document, Entry, Group, Kind, Label, Scalar};
use super::place::{Place, Reads};
use super::text::is_type;
use crate::model::{KindSchema, Value};
use crate::syntax::{Level, Node, NodeValue, Style, is_task_kind, plain_value};

/// Whether two trees of one notation say the same. Quotes that change nothing may differ.
pub(super) fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (NodeValue::Null, NodeValue::Null) => true,
        (
            NodeValue::Scalar { text, style },
            NodeValue::Scalar {
                text: other,
                style: other_style,
            },
        ) => {
            text == other
                && (style == other_style || meant(text, *style) == meant(other, *other_style))
        }
        (NodeValue::List(items), NodeValue::List(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(a, b)| same(a, b))
        }
        (NodeValue::Map(entries), NodeValue::Map(others)) => {
            entries.len() == others.len()
                && entries
                    .iter()
                    .zip(others)
                    .all(|((key, a), (other, b))| key.text == other.text && same(a, b))
        }
        (
            NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::List(_) | NodeValue::Map(_),
            _,
        ) => false,
    }
}

/// What a scalar is; a bare name is like nothing else.
fn meant(text: &str, style: Style) -> Option<Value> {
    match style {
        Style::Plain => Some(plain_value(text)),
        Style::Text | Style::File => Some(Value::String(text.to_owned())),
        Style::Bare => None,
    }
}

/// What a document says, in the shape of YAML: without layout, and each name of a store in its long form.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    Value(Value),
    List(Vec<Meaning>),
    Map(Vec<(String, Meaning)>),
}

/// What a document in YAML's shape says.
pub(super) fn meaning(document: &Document, path: &str, kinds: &[&KindSchema]) -> Meaning {
    let level = match is_task_kind(path) {
        true => Level::Kind,
        false => Level::Flow,
    };
    of(&document.root.kind, Place::Level(level), kinds)
}

fn of(kind: &Kind, place: Place<'_>, kinds: &[&KindSchema]) -> Meaning {
    let long = match (place, kind) {
        (Place::Level(Level::Store), Kind::Scalar(scalar)) => Some(short_form(scalar)),
        (Place::Level(Level::Store), Kind::List(_)) => Some("default"),
        _ => None,
    };
    let meaning = match kind {
        Kind::Null { .. } if matches!(place, Place::Level(Level::Store)) => {
            Meaning::Map(Vec::new())
        }
        Kind::Null { .. } => Meaning::Value(Value::Null),
        // A name is one, whether it looks like a number or not.
        Kind::Scalar(scalar) if place.reads() == Reads::Word => {
            Meaning::Value(Value::String(scalar.text.clone()))
        }
        Kind::Scalar(scalar) => Meaning::Value(value(scalar)),
        Kind::List(Group { entries, .. }) => {
            let item = |entry: &Entry| of(&entry.value.kind, place.item(), kinds);
            Meaning::List(entries.iter().map(item).collect())
        }
        Kind::Map(Group { entries, .. }) => {
            let entry = |entry: &Entry| {
                let key = match &entry.label {
                    Label::Key { text, .. } | Label::Task(text) => text.clone(),
                    Label::Item => String::new(),
                };
                let inner = place.inside(&key, kinds);
                let meaning = of(&entry.value.kind, inner, kinds);
                (key, meaning)
            };
            let mut entries: Vec<_> = entries.iter().map(entry).collect();
            match place {
                // Its keys have no order, and those of a flow may have any, of which the name comes first.
                Place::Level(Level::Store) => entries.sort_by(|(a, _), (b, _)| a.cmp(b)),
                Place::Level(Level::Flow) => entries.sort_by_key(|(key, _)| key != "flow"),
                Place::Level(Level::Kind) => entries.sort_by_key(|(key, _)| key != "task"),
                Place::Level(Level::Task) => entries.sort_by_key(|(key, _)| key != "name"),
                Place::Level(Level::Retry | Level::Revert | Level::Execute)
                | Place::Tasks
                | Place::Store
                | Place::Capabilities
                | Place::Kind(_)
                | Place::Values(_) => {}
            }
            Meaning::Map(entries)
        }
        Kind::Alias(_, kind) => of(kind, place, kinds),
    };
    match long {
        Some(key) => Meaning::Map(vec![(key.to_owned(), meaning)]),
        None => meaning,
    }
}

/// The key that a scalar in the place of a declaration stands for.
fn short_form(scalar: &Scalar) -> &'static str {
    match scalar.style == Style::Plain && is_type(&scalar.text) {
        true => "type",
        false => "default",
    }
}

fn value(scalar: &Scalar) -> Value {
    match scalar.style {
        Style::Plain => plain_value(&scalar.text),
        Style::Text | Style::Bare | Style::File => Value::String(scalar.text.clone()),
    }
}
