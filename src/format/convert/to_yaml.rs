//! The text notation's shape to that of YAML.

use crate::format::document::{
    Document, Entry, Form, Group, Kind, Label, Lead, Scalar, Shape, Value,
};
use crate::format::place::{Place, Reads};
use crate::model::KindSchema;
use crate::syntax::{Level, Style, ambiguity, plain_value};

/// A document in the shape of the text notation in that of YAML.
pub(in crate::format) fn to_yaml(document: Document, kinds: &[&KindSchema]) -> Document {
    let title = document.title;
    let level = match &title {
        Some(title) if title.word == "task" => Level::Kind,
        Some(_) | None => Level::Flow,
    };
    let writer = ToYaml { kinds };
    let mut value = document.root;
    let mut lead = document.lead;
    if let Kind::Map(group) = value.kind {
        let mut group = writer.map(group, Place::Level(level));
        let mut head = None;
        if let Some(title) = title {
            match title.name {
                Some(name) => {
                    let mut entry = Entry::new(Label::key(&title.word), word(name));
                    entry.trail = title.head;
                    group.entries.insert(0, entry);
                }
                None => head = title.head.map(Lead::Comment),
            }
        }
        lead.extend(head);
        if let Some(first) = group.entries.first_mut() {
            first.lead.splice(0..0, lead.drain(..));
        }
        group.end.extend(document.tail);
        value.kind = Kind::Map(group);
    }
    Document {
        lead,
        title: None,
        root: value,
        tail: Vec::new(),
    }
}

struct ToYaml<'k> {
    kinds: &'k [&'k KindSchema],
}

impl<'k> ToYaml<'k> {
    fn map(&self, group: Group, place: Place<'k>) -> Group {
        let mut entries: Vec<Entry> = Vec::with_capacity(group.entries.len());
        // Where the tasks are, all under one key.
        let mut tasks: Option<usize> = None;
        for mut entry in group.entries {
            match entry.label.clone() {
                Label::Task(name) => {
                    let at = *tasks.get_or_insert_with(|| {
                        let mut all = Entry::new(
                            Label::key("tasks"),
                            Value::new(Kind::Map(Group {
                                shape: group.shape,
                                ..Group::default()
                            })),
                        );
                        if entry.lead.first() == Some(&Lead::Blank) {
                            all.lead.push(entry.lead.remove(0));
                        }
                        entries.push(all);
                        entries.len() - 1
                    });
                    entry.label = Label::key(&name);
                    entry.value.kind = self.kind(entry.value.kind, Place::Level(Level::Task));
                    if let Kind::Map(all) = &mut entries[at].value.kind {
                        all.entries.push(entry);
                    }
                }
                Label::Key { text, .. } => {
                    let inner = place.inside(&text, self.kinds);
                    entry.value.kind = self.kind(entry.value.kind, inner);
                    above(&mut entry);
                    if let Place::Store = place {
                        entry.value.kind = short(entry.value.kind);
                    }
                    entries.push(entry);
                }
                Label::Item => entries.push(entry),
            }
        }
        Group { entries, ..group }
    }

    fn kind(&self, kind: Kind, place: Place<'k>) -> Kind {
        match kind {
            Kind::Null { .. } => Kind::Null { written: true },
            Kind::Scalar(scalar) => Kind::Scalar(yaml_scalar(scalar, place.reads())),
            Kind::Map(group) => Kind::Map(self.map(group, place)),
            Kind::List(group) => {
                let entries =
                    group
                        .entries
                        .into_iter()
                        .map(|mut entry| match entry.label.clone() {
                            Label::Task(name) => {
                                entry.value.kind =
                                    self.kind(entry.value.kind, Place::Level(Level::Task));
                                named_item(entry, name)
                            }
                            Label::Item | Label::Key { .. } => {
                                let inner = match (&entry.value.kind, place) {
                                    (Kind::Map(_), Place::Values(reads)) => Place::Values(reads),
                                    (_, place) => place.item(),
                                };
                                entry.value.kind = self.kind(entry.value.kind, inner);
                                above(&mut entry);
                                entry
                            }
                        });
                Kind::List(Group {
                    entries: entries.collect(),
                    ..group
                })
            }
            Kind::Alias(name, kind) => Kind::Alias(name, kind),
        }
    }
}

/// What is said about a name of a store: a default alone is enough, unless it is text.
fn short(kind: Kind) -> Kind {
    let Kind::Map(group) = &kind else {
        return kind;
    };
    match group.entries.as_slice() {
        [entry] if entry.key() == Some("default") && !group.has_comment() => {
            let enough = match &entry.value.kind {
                Kind::Scalar(scalar) => {
                    scalar.style == Style::Plain
                        && ambiguity(&scalar.text).is_none()
                        && !plain_value(&scalar.text).is_string()
                }
                Kind::List(_) => true,
                Kind::Null { .. } | Kind::Map(_) | Kind::Alias(..) => false,
            };
            match enough {
                true => entry.value.kind.clone(),
                false => kind,
            }
        }
        _ => kind,
    }
}

/// `task a { … }` in a list is `{ name: a, … }`.
fn named_item(mut entry: Entry, name: String) -> Entry {
    entry.label = Label::Item;
    if let Kind::Map(group) = &mut entry.value.kind {
        let mut first = Entry::new(Label::key("name"), word(name));
        if group.shape == Shape::Lines {
            first.trail = entry.head.take();
        }
        if let Some(second) = group.entries.first_mut()
            && second.lead.first() == Some(&Lead::Blank)
        {
            second.lead.remove(0);
        }
        group.entries.insert(0, first);
    }
    entry
}

fn word(text: String) -> Value {
    Value::new(Kind::Scalar(Scalar {
        text,
        style: Style::Text,
        form: Form::Line { quoted: false },
    }))
}

/// A scalar of the text notation in YAML.
fn yaml_scalar(scalar: Scalar, reads: Reads) -> Scalar {
    let Scalar { text, style, form } = scalar;
    let text = match (style, reads) {
        (Style::Bare, Reads::Word | Reads::Literal) => style.word(&text).to_owned(),
        (Style::Bare, Reads::Choice(words)) if words.contains(&style.word(&text)) => {
            style.word(&text).to_owned()
        }
        (Style::Bare, Reads::Template | Reads::Choice(_))
        | (Style::Plain | Style::Text | Style::File, _) => text,
    };
    let several = text.contains('\n') && style == Style::Bare;
    Scalar {
        style: match style {
            Style::Plain => Style::Plain,
            Style::Text | Style::Bare | Style::File => Style::Text,
        },
        form: match form {
            Form::Block => Form::Block,
            _ if several => Form::Block,
            Form::Line { .. } | Form::Folded(_) | Form::Wrapped(_) => Form::Line { quoted: false },
        },
        text,
    }
}

/// The comment behind a block stands behind its `|` in YAML.
fn above(entry: &mut Entry) {
    let block = |scalar: &Scalar| scalar.form == Form::Block;
    if entry.value.scalar().is_some_and(block) && entry.head.is_none() {
        entry.head = entry.trail.take();
    }
}
