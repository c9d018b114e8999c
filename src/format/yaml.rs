//! A document in YAML's shape, as text.

mod scalar;

use unicode_width::UnicodeWidthStr;

use super::WIDTH;
use super::document::{Document, Entry, Group, Kind, Label, Lead, Shape, Value};
use super::page::Page;
use scalar::Written;

/// The text of a document.
pub(super) fn print(document: &Document) -> String {
    let mut printer = Printer {
        page: Page::default(),
    };
    printer.page.lead(&document.lead, 0);
    let root = &document.root;
    match &root.kind {
        Kind::Map(group) | Kind::List(group) if !group.entries.is_empty() => {
            let map = matches!(root.kind, Kind::Map(_));
            match inline(root, false).filter(|line| line.width() <= WIDTH) {
                Some(line) => {
                    printer.page.lead(&group.entries[0].lead, 0);
                    printer.page.text.push_str(&line);
                    printer.page.text.push('\n');
                }
                None => printer.lines(group, map, 0),
            }
        }
        Kind::Map(_) | Kind::List(_) | Kind::Null { .. } | Kind::Scalar(_) | Kind::Alias(..) => {
            let entry = Entry::new(Label::Item, root.clone());
            printer.page.lead(&hoisted(&entry, true), 0);
            printer.value(&entry, 0, true);
        }
    }
    printer.page.text
}

struct Printer {
    page: Page,
}

impl Printer {
    /// The entries of a list or mapping, each on lines of its own.
    fn lines(&mut self, group: &Group, map: bool, indent: usize) {
        for (at, entry) in group.entries.iter().enumerate() {
            let hoisted = hoisted(entry, map);
            self.page
                .lead(if at == 0 { unblank(&hoisted) } else { &hoisted }, indent);
            self.page.indent(indent);
            self.entry(entry, map, indent);
        }
        self.page.lead(&group.end, indent);
    }

    /// An entry whose indentation stands there, without what stands before it.
    fn entry(&mut self, entry: &Entry, map: bool, indent: usize) {
        if !map {
            self.page.text.push('-');
            self.item(entry, indent);
            return;
        }
        let (text, quoted) = match &entry.label {
            Label::Key { text, quoted } => (text.as_str(), *quoted),
            Label::Task(text) => (text.as_str(), false),
            Label::Item => ("", true),
        };
        let key = scalar::key(text, quoted);
        // YAML looks no further for the colon behind a key.
        if key.chars().count() > 1_000 {
            self.page.text.push_str("? ");
            self.page.text.push_str(&key);
            self.page.text.push('\n');
            self.page.indent(indent);
        } else {
            self.page.text.push_str(&key);
        }
        self.page.text.push(':');
        self.value(entry, indent, false);
    }

    /// What stands behind a dash.
    fn item(&mut self, entry: &Entry, indent: usize) {
        if let Kind::Map(group) | Kind::List(group) = &entry.value.kind
            && entry.value.anchor.is_none()
            && !group.entries.is_empty()
            && (group.shape == Shape::Pair || !self.fits(entry))
        {
            let map = matches!(entry.value.kind, Kind::Map(_));
            self.page.text.push(' ');
            let inner = indent + 2;
            self.entry(&group.entries[0], map, inner);
            for entry in &group.entries[1..] {
                let hoisted = hoisted(entry, map);
                self.page.lead(&hoisted, inner);
                self.page.indent(inner);
                self.entry(entry, map, inner);
            }
            self.page.lead(&group.end, inner);
            if let Some(trail) = &entry.trail {
                self.page.lead(&[Lead::Comment(trail.clone())], inner);
            }
            return;
        }
        self.value(entry, indent, false);
    }

    /// Whether a list or mapping fits into the line.
    fn fits(&self, entry: &Entry) -> bool {
        inline_kind(&entry.value.kind, false)
            .is_some_and(|line| self.page.column() + 1 + line.width() <= WIDTH)
    }

    /// A value behind its key or dash, and the end of its line.
    fn value(&mut self, entry: &Entry, indent: usize, root: bool) {
        let space = if root { "" } else { " " };
        if let Some(anchor) = &entry.value.anchor {
            self.page.text.push_str(space);
            self.page.text.push('&');
            self.page.text.push_str(anchor);
        }
        match &entry.value.kind {
            Kind::Null { written: false } => self.page.end(entry.trail.as_deref()),
            Kind::Null { written: true } => {
                self.page.text.push_str(space);
                self.page.text.push_str("null");
                self.page.end(entry.trail.as_deref());
            }
            Kind::Alias(name, _) => {
                self.page.text.push_str(space);
                self.page.text.push('*');
                self.page.text.push_str(name);
                self.page.end(entry.trail.as_deref());
            }
            Kind::Scalar(scalar) => {
                self.page.text.push_str(space);
                match scalar::written(scalar, entry.value.anchor.is_some()) {
                    Written::Line(line) => {
                        self.page.text.push_str(&line);
                        self.page
                            .end(entry.trail.as_deref().or(entry.head.as_deref()));
                    }
                    Written::Lines { first, rest, block } => {
                        self.page.text.push_str(&first);
                        self.page.end(entry.head.as_deref().filter(|_| block));
                        if !block {
                            self.page.text.pop();
                        }
                        for (at, line) in rest.iter().enumerate() {
                            if at > 0 || !block {
                                self.page.text.push('\n');
                            }
                            if !line.is_empty() {
                                self.page.indent(indent + 2);
                                self.page.text.push_str(line);
                            }
                        }
                        self.page.end(entry.trail.as_deref());
                    }
                }
            }
            Kind::List(group) | Kind::Map(group) => {
                let map = matches!(entry.value.kind, Kind::Map(_));
                if group.entries.is_empty() {
                    self.page.text.push_str(space);
                    self.page.text.push_str(if map { "{}" } else { "[]" });
                    self.page
                        .end(entry.trail.as_deref().or(entry.head.as_deref()));
                    return;
                }
                if self.fits(entry) {
                    let line = inline_kind(&entry.value.kind, false).unwrap_or_default();
                    self.page.text.push_str(space);
                    self.page.text.push_str(&line);
                    self.page.end(entry.trail.as_deref());
                    return;
                }
                // Nothing stands behind lines; it stands beside the key, or as the last of them.
                let (beside, behind) = match (&entry.head, &entry.trail) {
                    (None, Some(trail)) if !group.has_comment() => (Some(trail), None),
                    (head, trail) => (head.as_ref(), trail.as_ref()),
                };
                self.page.end(beside.map(String::as_str));
                self.lines(group, map, indent + 2);
                if let Some(behind) = behind {
                    self.page.lead(&[Lead::Comment(behind.clone())], indent + 2);
                }
            }
        }
    }
}

/// What stands before an entry: also what stands before the first thing in an item, which has the line of its dash.
fn hoisted(entry: &Entry, map: bool) -> Vec<Lead> {
    let mut lead = entry.lead.clone();
    if let Kind::Map(group) | Kind::List(group) = &entry.value.kind {
        if group.entries.is_empty() {
            // Nothing can stand in an empty list or mapping; beside it, one comment can.
            lead.extend(group.end.iter().filter(|line| line.is_comment()).cloned());
            if entry.trail.is_some() {
                lead.extend(entry.head.clone().map(Lead::Comment));
            }
        } else if !map && entry.value.anchor.is_none() {
            lead.extend(entry.head.clone().map(Lead::Comment));
            let inner = matches!(entry.value.kind, Kind::Map(_));
            let first = hoisted(&group.entries[0], inner);
            lead.extend(first.into_iter().filter(Lead::is_comment));
        }
    }
    lead
}

fn unblank(lead: &[Lead]) -> &[Lead] {
    match lead {
        [Lead::Blank, rest @ ..] => rest,
        lead => lead,
    }
}

/// A value in one line; `None` if it does not stand in one.
fn inline(value: &Value, in_brackets: bool) -> Option<String> {
    let anchor = value.anchor.as_ref().map(|name| format!("&{name} "));
    Some(anchor.unwrap_or_default() + &inline_kind(&value.kind, in_brackets)?)
}

/// The same without its anchor.
fn inline_kind(kind: &Kind, in_brackets: bool) -> Option<String> {
    Some(match kind {
        Kind::Null { .. } => "null".to_owned(),
        // A bracket or comma may follow only behind a space.
        Kind::Alias(name, _) => format!("*{name}"),
        Kind::Scalar(scalar) => scalar::line(scalar, in_brackets)?,
        Kind::List(group) => {
            let items = group.entries.iter().map(|entry| match &entry.value.kind {
                Kind::Map(pair) if pair.shape == Shape::Pair => pairs(pair),
                Kind::Null { .. }
                | Kind::Scalar(_)
                | Kind::List(_)
                | Kind::Map(_)
                | Kind::Alias(..) => inline(&entry.value, true),
            });
            let items = items.collect::<Option<Vec<_>>>()?;
            bracketed(group)?;
            format!("[{}]", items.join(", "))
        }
        Kind::Map(group) => {
            bracketed(group)?;
            match pairs(group)?.as_str() {
                "" => "{}".to_owned(),
                pairs => format!("{{ {pairs} }}"),
            }
        }
    })
}

/// Whether a list or mapping may stand in one line.
fn bracketed(group: &Group) -> Option<()> {
    let lines = group.shape == Shape::Lines && !group.entries.is_empty();
    (!lines && !group.has_comment()).then_some(())
}

fn pairs(group: &Group) -> Option<String> {
    let pairs = group.entries.iter().map(|entry| {
        let (text, quoted) = match &entry.label {
            Label::Key { text, quoted } => (text.as_str(), *quoted),
            Label::Task(text) => (text.as_str(), false),
            Label::Item => return None,
        };
        let value = inline(&entry.value, true)?;
        Some(format!(
            "{}: {value}",
            scalar::key_in_brackets(text, quoted)
        ))
    });
    Some(pairs.collect::<Option<Vec<_>>>()?.join(", "))
}
