//! A document in the shape of the text notation, as text.

use unicode_width::UnicodeWidthStr;

use super::WIDTH;
use super::document::{
    Document, Entry, Form, Group, Kind, Label, Lead, Scalar, Shape, Title, Value,
};
use super::page::Page;
use crate::syntax::{Style, block_text, quoted_text};

/// The text of a document.
pub(super) fn print(document: &Document) -> String {
    let mut printer = Printer {
        page: Page::default(),
    };
    printer.page.lead(&document.lead, 0);
    if let Some(title) = &document.title {
        printer.title(title);
    }
    if let Some(group) = document.root.map() {
        printer.lines(group, Place::Tasks, 2);
    }
    printer.page.text.push_str("}\n");
    printer.page.lead(&document.tail, 0);
    printer.page.text
}

/// What the entries of a mapping are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Keys and tasks.
    Tasks,
    /// Names, types and defaults.
    Store,
    /// A list in which `f: x` is `f(x)`.
    Capabilities,
    /// Anything else.
    Value,
}

impl Place {
    fn inside(self, label: &Label) -> Self {
        match label {
            Label::Task(_) => Self::Tasks,
            Label::Item => Self::Value,
            Label::Key { text, .. } => match (self, text.as_str()) {
                (Self::Tasks, "store" | "params") => Self::Store,
                (Self::Tasks, "tasks") => Self::Tasks,
                (Self::Tasks, "capabilities") => Self::Capabilities,
                (Self::Tasks | Self::Store | Self::Capabilities | Self::Value, _) => Self::Value,
            },
        }
    }
}

struct Printer {
    page: Page,
}

impl Printer {
    fn title(&mut self, title: &Title) {
        self.page.text.push_str(&title.word);
        self.page.text.push(' ');
        if let Some(name) = &title.name {
            self.page.text.push_str(&key(name));
            self.page.text.push(' ');
        }
        self.page.text.push('{');
        self.page.end(title.head.as_deref());
    }

    /// Entries or items, each on lines of its own.
    fn lines(&mut self, group: &Group, place: Place, indent: usize) {
        for (at, entry) in group.entries.iter().enumerate() {
            let blank = at == 0 && entry.lead.first() == Some(&Lead::Blank);
            self.page.lead(&entry.lead[usize::from(blank)..], indent);
            // Without braces, there is no place beside the opening one.
            if entry.trail.is_some() && is_said_in_one(entry, place) {
                let head = entry.head.clone().map(Lead::Comment);
                self.page.lead(head.as_slice(), indent);
            }
            self.page.indent(indent);
            self.entry(entry, place, indent);
        }
        let blank = group.entries.is_empty() && group.end.first() == Some(&Lead::Blank);
        self.page.lead(&group.end[usize::from(blank)..], indent);
    }

    fn entry(&mut self, entry: &Entry, place: Place, indent: usize) {
        if let Some(line) = self.one_line(entry, place) {
            self.page.text.push_str(&line);
            self.page
                .end(entry.trail.as_deref().or(entry.head.as_deref()));
            return;
        }
        let inner = place.inside(&entry.label);
        if place == Place::Store
            && let Some(typed) = typed(entry)
        {
            self.typed(entry, &typed, indent);
            return;
        }
        match (&entry.label, &entry.value.kind) {
            (Label::Task(name), _) => self.page.text.push_str(&format!("task {} ", key(name))),
            (Label::Item, _) => {}
            (Label::Key { text, .. }, Kind::Map(_)) => {
                self.page.text.push_str(&key(text));
                self.page.text.push(' ');
            }
            (
                Label::Key { text, .. },
                Kind::Null { .. } | Kind::Scalar(_) | Kind::List(_) | Kind::Alias(..),
            ) => {
                self.page.text.push_str(&key(text));
                self.page.text.push_str(" = ");
            }
        }
        let head = entry.head.as_deref();
        match &entry.value.kind {
            Kind::Map(group) => self.brackets(group, head, inner, ('{', '}'), indent),
            Kind::List(group) => self.brackets(group, head, inner, ('[', ']'), indent),
            Kind::Scalar(scalar) => self.scalar(scalar, indent),
            Kind::Null { .. } | Kind::Alias(..) => self.page.text.push_str("null"),
        }
        self.page.end(entry.trail.as_deref());
    }

    /// `name: type = default { about = "…" }`, in lines.
    fn typed(&mut self, entry: &Entry, typed: &Typed, indent: usize) {
        self.page.text.push_str(&typed.head);
        let said = typed.body.entries.is_empty() && typed.body.end.is_empty();
        if let Some(default) = &typed.default {
            self.page.text.push_str(" = ");
            let rest = match said {
                true => 0,
                false => " {".len(),
            };
            let line = inline(&default.value, Place::Value)
                .filter(|line| self.page.column() + line.width() + rest <= WIDTH)
                .filter(|_| default.head.is_none());
            let head = default.head.as_deref();
            match (line, &default.value.kind) {
                (Some(line), _) => self.page.text.push_str(&line),
                (None, Kind::Map(group)) => {
                    self.brackets(group, head, Place::Value, ('{', '}'), indent);
                }
                (None, Kind::List(group)) => {
                    self.brackets(group, head, Place::Value, ('[', ']'), indent);
                }
                (None, Kind::Scalar(scalar)) => self.scalar(scalar, indent),
                (None, Kind::Null { .. } | Kind::Alias(..)) => self.page.text.push_str("null"),
            }
        }
        if said {
            self.page
                .end(entry.trail.as_deref().or(entry.head.as_deref()));
            return;
        }
        self.page.text.push(' ');
        let head = entry.head.as_deref();
        self.brackets(&typed.body, head, Place::Value, ('{', '}'), indent);
        self.page.end(entry.trail.as_deref());
    }

    /// A list or mapping in lines.
    fn brackets(
        &mut self,
        group: &Group,
        head: Option<&str>,
        place: Place,
        (open, close): (char, char),
        indent: usize,
    ) {
        self.page.text.push(open);
        self.page.end(head);
        self.lines(group, place, indent + 2);
        self.page.indent(indent);
        self.page.text.push(close);
    }

    fn scalar(&mut self, scalar: &Scalar, indent: usize) {
        match block(scalar, indent + 2) {
            Some(block) => self.page.text.push_str(&block),
            None => self.page.text.push_str(&line(scalar)),
        }
    }

    /// An entry in one line, if it is written so and fits.
    fn one_line(&self, entry: &Entry, place: Place) -> Option<String> {
        let empty = match &entry.value.kind {
            Kind::List(group) | Kind::Map(group) => group.entries.is_empty(),
            Kind::Null { .. } | Kind::Scalar(_) | Kind::Alias(..) => true,
        };
        // A comment behind what opens has a line of its own.
        if entry.value.kind.has_comment() || (entry.head.is_some() && !empty) {
            return None;
        }
        if empty && entry.head.is_some() && entry.trail.is_some() {
            return None;
        }
        let line = inline_entry(entry, place)?;
        let short = match &entry.value.kind {
            Kind::List(_) | Kind::Map(_) => self.page.column() + line.width() <= WIDTH,
            Kind::Null { .. } | Kind::Scalar(_) | Kind::Alias(..) => true,
        };
        // What cannot be broken stays in its line.
        (short || empty).then_some(line)
    }
}

/// Whether a name of a store is said without braces.
fn is_said_in_one(entry: &Entry, place: Place) -> bool {
    let said = |typed: Typed| typed.body.entries.is_empty() && typed.body.end.is_empty();
    place == Place::Store && typed(entry).is_some_and(said)
}

fn inline_entry(entry: &Entry, place: Place) -> Option<String> {
    if place == Place::Store
        && let Some(typed) = typed(entry)
    {
        let mut line = typed.head;
        if let Some(default) = &typed.default {
            line.push_str(&format!(
                " = {}",
                inline(&default.value, Place::Value).filter(|_| default.head.is_none())?
            ));
        }
        if !typed.body.entries.is_empty() {
            line.push_str(&format!(
                " {}",
                inline_group(&typed.body, Place::Value, "{}")?
            ));
        }
        return Some(line);
    }
    let inner = place.inside(&entry.label);
    let value = match &entry.value.kind {
        Kind::Map(group) if place == Place::Capabilities && group.entries.len() == 1 => {
            match call(group) {
                Some(call) => return Some(call),
                None => inline(&entry.value, inner)?,
            }
        }
        Kind::Map(_) | Kind::List(_) | Kind::Scalar(_) | Kind::Null { .. } | Kind::Alias(..) => {
            inline(&entry.value, inner)?
        }
    };
    Some(match (&entry.label, &entry.value.kind) {
        (Label::Item, _) => value,
        (Label::Task(name), _) => format!("task {} {value}", key(name)),
        (Label::Key { text, .. }, Kind::Map(_)) => format!("{} {value}", key(text)),
        (
            Label::Key { text, .. },
            Kind::Null { .. } | Kind::Scalar(_) | Kind::List(_) | Kind::Alias(..),
        ) => format!("{} = {value}", key(text)),
    })
}

/// `f(x)`
fn call(group: &Group) -> Option<String> {
    let [entry] = group.entries.as_slice() else {
        return None;
    };
    let name = entry.key().filter(|name| is_bare_key(name))?;
    if entry.has_comment() {
        return None;
    }
    Some(format!("{name}({})", inline(&entry.value, Place::Value)?))
}

/// A value in one line; `None` if it is laid out in several.
fn inline(value: &Value, place: Place) -> Option<String> {
    match &value.kind {
        Kind::Null { .. } => Some("null".to_owned()),
        Kind::Alias(_, kind) => inline(&Value::new((**kind).clone()), place),
        Kind::Scalar(scalar) => {
            let line = line(scalar);
            let several = line.contains('\n') || block(scalar, 0).is_some();
            (!several).then_some(line)
        }
        Kind::List(group) => inline_group(group, place, "[]"),
        Kind::Map(group) => inline_group(group, place, "{}"),
    }
}

fn inline_group(group: &Group, place: Place, brackets: &str) -> Option<String> {
    if group.entries.is_empty() {
        return Some(brackets.to_owned());
    }
    if group.shape == Shape::Lines || group.has_comment() {
        return None;
    }
    let entries = group.entries.iter().map(|entry| inline_entry(entry, place));
    let entries = entries.collect::<Option<Vec<_>>>()?.join(", ");
    Some(match brackets {
        "[]" => format!("[{entries}]"),
        _ => format!("{{ {entries} }}"),
    })
}

/// A name of a store.
struct Typed {
    /// `name: type`, or the name alone.
    head: String,
    /// Its default.
    default: Option<Entry>,
    /// What else is said about it, between braces.
    body: Group,
}

/// A name of a store as `name: type = default { about = "…" }`. `None` if it is not said so.
fn typed(entry: &Entry) -> Option<Typed> {
    let name = key(entry.key()?);
    let group = match &entry.value.kind {
        Kind::Scalar(scalar) if scalar.style == Style::Plain && is_type(&scalar.text) => {
            return Some(Typed {
                head: format!("{name}: {}", scalar.text),
                default: None,
                body: Group::default(),
            });
        }
        Kind::Map(group) => group,
        Kind::Scalar(_) | Kind::Null { .. } | Kind::List(_) | Kind::Alias(..) => return None,
    };
    let plain = |entry: &&Entry, wanted: &str| entry.key() == Some(wanted) && !entry.has_comment();
    let mut rest = group.entries.as_slice();
    let kind = match rest.first() {
        Some(entry) if plain(&entry, "type") => {
            let scalar = entry.value.scalar()?;
            if scalar.style == Style::Bare || !is_type(&scalar.text) {
                return None;
            }
            rest = &rest[1..];
            Some(scalar.text.clone())
        }
        Some(entry) if plain(&entry, "one_of") => {
            let choices = choices(&entry.value);
            if choices.is_some() {
                rest = &rest[1..];
            }
            choices
        }
        Some(_) | None => None,
    };
    let default = rest.first().filter(|entry| {
        let beside = entry.trail.is_some() || entry.lead.iter().any(Lead::is_comment);
        entry.key() == Some("default") && !beside
    });
    if default.is_some() {
        rest = &rest[1..];
    }
    let head = match (kind, default) {
        (Some(kind), _) => format!("{name}: {kind}"),
        // Without a type, nothing can stand behind the default.
        (None, Some(_)) if rest.is_empty() && group.end.is_empty() => name,
        (None, Some(_) | None) => return None,
    };
    Some(Typed {
        head,
        default: default.cloned(),
        body: Group {
            entries: rest.to_vec(),
            end: group.end.clone(),
            shape: group.shape,
        },
    })
}

/// `one_of("a", "b")`
fn choices(value: &Value) -> Option<String> {
    let Kind::List(choices) = &value.kind else {
        return None;
    };
    let items = choices.entries.iter();
    let items = items.map(|entry| inline_entry(entry, Place::Value));
    let items = items.collect::<Option<Vec<_>>>()?;
    (!items.is_empty()).then(|| format!("one_of({})", items.join(", ")))
}

/// Whether a word can stand as a type.
pub(super) fn is_type(text: &str) -> bool {
    !matches!(text, "true" | "false" | "null" | "one_of")
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '<' | '>'))
}

fn key(text: &str) -> String {
    match is_bare_key(text) {
        true => text.to_owned(),
        false => quoted_text(text),
    }
}

fn is_bare_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// A scalar in one line, unless it is an expression that was written in several.
fn line(scalar: &Scalar) -> String {
    let text = &scalar.text;
    match scalar.style {
        Style::Plain => text.clone(),
        Style::Bare => scalar.style.word(text).to_owned(),
        Style::Text | Style::File => {
            let quoted = quoted_text(text);
            let escaped = quoted.len() != text.len() + 2;
            let raw = text.contains(['"', '\\'])
                && !text.contains('\'')
                && !text.ends_with('\\')
                && !text.chars().any(char::is_control);
            match escaped && raw {
                true => format!("'{text}'"),
                false => quoted,
            }
        }
    }
}

/// A text as a block, indented; `None` if it was none, or does not read back from one.
fn block(scalar: &Scalar, indent: usize) -> Option<String> {
    let several = match scalar.form {
        Form::Line { .. } => false,
        Form::Block | Form::Folded(_) | Form::Wrapped(_) => true,
    };
    let text = &scalar.text;
    let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
    let ends = text.contains("\"\"\"") || text.ends_with('"');
    if !several || scalar.style != Style::Text || ends || text.contains(odd) {
        return None;
    }
    let pad = " ".repeat(indent);
    let mut inside = String::with_capacity(text.len() + indent * 8);
    for line in text.split_inclusive('\n') {
        inside.push('\n');
        let line = line.strip_suffix('\n').unwrap_or(line);
        if !line.is_empty() {
            inside.push_str(&pad);
            inside.push_str(line);
        }
    }
    if text.ends_with('\n') {
        inside.push('\n');
        inside.push_str(&" ".repeat(indent.saturating_sub(2)));
    }
    (block_text(&inside) == *text).then(|| format!("\"\"\"{inside}\"\"\""))
}
