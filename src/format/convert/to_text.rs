//! YAML's shape to that of the text notation.

use crate::format::document::{
    Document, Entry, Form, Group, Kind, Label, Lead, Scalar, Shape, Title, Value,
};
use crate::format::place::{Place, Reads};
use crate::format::text::is_type;
use crate::model::{KindSchema, SourceFile, Value as Plain};
use crate::syntax::{Level, NodeValue, Style, is_task_kind, plain_value, well_formed};

/// A document in YAML's shape in that of the text notation.
pub(in crate::format) fn to_text(
    document: Document,
    path: &str,
    kinds: &[&KindSchema],
) -> Document {
    let (word, level) = match is_task_kind(path) {
        true => ("task", Level::Kind),
        false => ("flow", Level::Flow),
    };
    let mut lead = document.lead;
    let mut title = Title {
        word: word.to_owned(),
        name: None,
        head: None,
    };
    let root = resolved(document.root);
    let Kind::Map(mut group) = root.kind else {
        return Document {
            lead,
            title: None,
            root,
            tail: document.tail,
        };
    };
    if let Some(first) = group.entries.first_mut() {
        lead.append(&mut first.lead);
    }
    let named = |entry: &Entry| entry.key() == Some(word) && entry.value.scalar().is_some();
    if let Some(at) = group.entries.iter().position(named) {
        let entry = group.entries.remove(at);
        title.name = entry.value.scalar().map(|scalar| scalar.text.clone());
        title.head = entry.trail.or(entry.head);
        lead.extend(entry.lead);
    }
    // The brace has a line of its own.
    let writer = ToText { kinds };
    let mut group = writer.map(group, Place::Level(level));
    group.shape = Shape::Lines;
    Document {
        lead,
        title: Some(title),
        root: Value::new(Kind::Map(group)),
        tail: document.tail,
    }
}

struct ToText<'k> {
    kinds: &'k [&'k KindSchema],
}

impl<'k> ToText<'k> {
    fn map(&self, group: Group, place: Place<'k>) -> Group {
        let mut entries = Vec::with_capacity(group.entries.len());
        // What stood behind the tasks stands before whatever follows them.
        let mut carried: Vec<Lead> = Vec::new();
        for mut entry in group.entries {
            entry.lead.splice(0..0, carried.drain(..));
            entry.value = resolved(entry.value);
            let key = entry.key().unwrap_or("").to_owned();
            let inner = place.inside(&key, self.kinds);
            if place.has_tasks() && key == "tasks" && is_tasks(&entry.value) {
                carried = self.tasks(entry, inner, &mut entries);
                continue;
            }
            entry.value.kind = self.kind(entry.value.kind, inner);
            beside(&mut entry);
            if let Place::Level(Level::Store) = place
                && key == "type"
            {
                entry.value.kind = plain_type(entry.value.kind);
            }
            entries.push(entry);
        }
        if let Place::Level(Level::Store) = place {
            // `name: type = default`
            let rank = |entry: &Entry| match entry.key() {
                Some("type") => 0,
                Some("default") => 2,
                _ => 3,
            };
            let typed = entries.iter().any(|entry| entry.key() == Some("type"));
            entries.sort_by_key(|entry| match entry.key() {
                Some("one_of") if !typed => 1,
                _ => rank(entry),
            });
        }
        carried.extend(group.end);
        Group {
            entries,
            end: carried,
            shape: match group.shape {
                Shape::Pair => Shape::Brackets,
                shape @ (Shape::Lines | Shape::Brackets) => shape,
            },
        }
    }

    /// `tasks: { a: { … } }` is `task a { … }`. Gives what stands behind the last one.
    fn tasks(&self, entry: Entry, place: Place<'k>, entries: &mut Vec<Entry>) -> Vec<Lead> {
        let Kind::Map(group) = entry.value.kind else {
            return Vec::new();
        };
        let mut before = entry.lead;
        before.extend(entry.head.map(Lead::Comment));
        for mut task in group.entries {
            task.lead.splice(0..0, before.drain(..));
            let name = task.key().unwrap_or("").to_owned();
            let inner = place.inside(&name, self.kinds);
            task.value = resolved(task.value);
            task.value.kind = self.kind(task.value.kind, inner);
            task.label = Label::Task(name);
            entries.push(task);
        }
        let mut behind: Vec<Lead> = entry.trail.map(Lead::Comment).into_iter().collect();
        behind.extend(group.end);
        behind
    }

    fn kind(&self, kind: Kind, place: Place<'k>) -> Kind {
        match kind {
            // Of a name of a store, nothing is said.
            Kind::Null { .. } if matches!(place, Place::Level(Level::Store)) => {
                Kind::Map(Group::default())
            }
            Kind::Null { .. } => Kind::Null { written: true },
            Kind::Scalar(scalar) => Kind::Scalar(match place {
                Place::Level(Level::Store)
                    if scalar.style == Style::Plain && is_type(&scalar.text) =>
                {
                    scalar
                }
                place => text_scalar(scalar, place.reads()),
            }),
            Kind::Map(group) => Kind::Map(self.map(group, place)),
            Kind::List(group) => {
                let inner = place.item();
                let tasks = matches!(place, Place::Tasks);
                let shape = match group.entries.iter().all(is_short) && !group.has_comment() {
                    true => Shape::Brackets,
                    false => group.shape,
                };
                let entries = group.entries.into_iter().map(|mut entry| {
                    entry.value = resolved(entry.value);
                    let mut entry = match tasks {
                        true => task_item(entry),
                        false => entry,
                    };
                    entry.value.kind = match (entry.value.kind, place) {
                        (Kind::Map(map), Place::Values(_) | Place::Capabilities) => {
                            // Here, a pair is one.
                            let shape = map.shape;
                            let map = self.map(map, inner);
                            Kind::Map(Group { shape, ..map })
                        }
                        (kind, _) => self.kind(kind, inner),
                    };
                    beside(&mut entry);
                    entry
                });
                Kind::List(Group {
                    entries: entries.collect(),
                    end: group.end,
                    shape,
                })
            }
            Kind::Alias(_, kind) => self.kind(*kind, place),
        }
    }
}

/// The comment behind the `|` of a block stands behind the block in the text notation.
fn beside(entry: &mut Entry) {
    if entry.value.scalar().is_some()
        && let Some(head) = entry.head.take()
    {
        match entry.trail {
            None => entry.trail = Some(head),
            Some(_) => entry.lead.push(Lead::Comment(head)),
        }
    }
}

/// Whether an item of a list is a word, a text, or a pair of them: YAML often has such lists in lines, the text notation
/// has them in brackets.
fn is_short(entry: &Entry) -> bool {
    let line = |value: &Value| match &value.kind {
        Kind::Scalar(scalar) => matches!(scalar.form, Form::Line { .. }),
        Kind::Null { .. } => true,
        Kind::List(_) | Kind::Map(_) | Kind::Alias(..) => false,
    };
    match &entry.value.kind {
        Kind::Map(group) => match group.entries.as_slice() {
            [pair] => line(&pair.value),
            _ => false,
        },
        Kind::Null { .. } | Kind::Scalar(_) | Kind::List(_) | Kind::Alias(..) => line(&entry.value),
    }
}

/// Whether all tasks can be written as `task NAME { … }`.
fn is_tasks(value: &Value) -> bool {
    let task = |entry: &Entry| match &entry.value.kind {
        Kind::Map(_) => true,
        Kind::Alias(_, kind) => matches!(**kind, Kind::Map(_)),
        Kind::Null { .. } | Kind::Scalar(_) | Kind::List(_) => false,
    };
    value
        .map()
        .is_some_and(|group| !group.entries.is_empty() && group.entries.iter().all(task))
}

/// `{ name: a, … }` in a list of tasks is `task a { … }`.
fn task_item(mut entry: Entry) -> Entry {
    let Kind::Map(group) = &mut entry.value.kind else {
        return entry;
    };
    let named = |entry: &Entry| entry.key() == Some("name") && entry.value.scalar().is_some();
    let Some(at) = group.entries.iter().position(named) else {
        return entry;
    };
    let name = group.entries.remove(at);
    if at > 0 || entry.head.is_none() {
        entry.lead.extend(name.lead);
    }
    match name.trail.or(name.head) {
        Some(comment) if entry.head.is_none() => entry.head = Some(comment),
        comment => entry.lead.extend(comment.map(Lead::Comment)),
    }
    let text = name.value.scalar().map(|scalar| scalar.text.clone());
    entry.label = Label::Task(text.unwrap_or_default());
    entry
}

/// A value without anchors, and with what an alias stands for.
fn resolved(value: Value) -> Value {
    match value.kind {
        Kind::Alias(_, kind) => Value::new(*kind),
        kind @ (Kind::Null { .. } | Kind::Scalar(_) | Kind::List(_) | Kind::Map(_)) => {
            Value::new(kind)
        }
    }
}

fn plain_type(kind: Kind) -> Kind {
    match kind {
        Kind::Scalar(scalar) if scalar.style == Style::Bare => Kind::Scalar(Scalar {
            text: scalar.style.word(&scalar.text).to_owned(),
            style: Style::Plain,
            ..scalar
        }),
        kind => kind,
    }
}

/// A scalar of YAML in the text notation.
fn text_scalar(scalar: Scalar, reads: Reads) -> Scalar {
    let Scalar { text, style, form } = scalar;
    let form = match form {
        Form::Line { .. } => Form::Line { quoted: true },
        Form::Block | Form::Folded(_) | Form::Wrapped(_) if text.contains('\n') => Form::Block,
        Form::Block | Form::Folded(_) | Form::Wrapped(_) => Form::Line { quoted: true },
    };
    // A word with a capital letter is one without quotes, too.
    if let Reads::Choice(words) = reads
        && words.contains(&text.as_str())
        && text.bytes().all(|byte| byte.is_ascii_uppercase())
    {
        return Scalar {
            text,
            style: Style::Plain,
            form,
        };
    }
    let words = style == Style::Plain || reads == Reads::Word;
    let quoted_number = style == Style::Text && !matches!(plain_value(&text), Plain::String(_));
    if words && !quoted_number && is_word(&text) {
        return Scalar {
            text,
            style: Style::Plain,
            form,
        };
    }
    let bare = match reads {
        Reads::Word if !quoted_number => Some(text.as_str()),
        Reads::Template | Reads::Choice(_) => text
            .strip_prefix("{{ ")
            .and_then(|rest| rest.strip_suffix(" }}")),
        Reads::Word | Reads::Literal => None,
    };
    match bare.filter(|written| is_bare(written)) {
        Some(written) => Scalar {
            text: format!("{{{{ {written} }}}}"),
            style: Style::Bare,
            form,
        },
        None => Scalar {
            text,
            style: Style::Text,
            form,
        },
    }
}

/// A number, a bool, or what else begins with a digit.
fn is_word(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let goes_on = |c: char| c.is_ascii_alphanumeric() || "_-.:+".contains(c);
    matches!(text, "true" | "false")
        || (unsigned.starts_with(|c: char| c.is_ascii_digit()) && unsigned.chars().all(goes_on))
}

/// Whether something stands for its value if it is written without quotes in the text notation.
fn is_bare(written: &str) -> bool {
    const LONGEST: usize = 10_000;
    let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if written.starts_with(|c: char| c.is_ascii_lowercase()) && written.chars().all(name) {
        return !matches!(written, "true" | "false" | "null");
    }
    if written.len() > LONGEST {
        return false;
    }
    let probe = SourceFile {
        path: "probe.flow".to_owned(),
        text: format!("flow {{ x {{ x = {written} }} }}"),
    };
    let Ok(root) = well_formed(&probe) else {
        return false;
    };
    let inner = |value: &NodeValue| match value {
        NodeValue::Map(entries) if entries.len() == 1 => Some(entries[0].1.value.clone()),
        NodeValue::Map(_) | NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::List(_) => None,
    };
    let found = inner(&root.value).and_then(|x| inner(&x));
    found.is_some_and(|found| match found {
        NodeValue::Scalar { text, style } => style == Style::Bare && style.word(&text) == written,
        NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => false,
    })
}
