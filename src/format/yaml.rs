//! A document in YAML's shape, as text.

mod scalar;

use unicode_width::UnicodeWidthStr;

use super::WIDTH;
use super::document::{Document, Entry, Group, Kind, Label, Lead, Shape, Value};
use scalar::Written;

/// The text of a document.
pub(super) fn print(document: &Document) -> String {
    let mut printer = Printer { out: String::new() };
    printer.lead(&document.lead, 0);
    let root = &document.root;
    match &root.kind {
        Kind::Map(group) | Kind::List(group) if !group.entries.is_empty() => {
            let map = matches!(root.kind, Kind::Map(_));
            match inline(root, false).filter(|line| line.width() <= WIDTH) {
                Some(line) => {
                    printer.lead(&group.entries[0].lead, 0);
                    printer.out.push_str(&line);
                    printer.out.push('\n');
                }
                None => printer.lines(group, map, 0),
            }
        }
        Kind::Map(_) | Kind::List(_) | Kind::Null { .. } | Kind::Scalar(_) | Kind::Alias(..) => {
            let entry = Entry::new(Label::Item, root.clone());
            printer.value(&entry, 0, true);
        }
    }
    printer.out
}

struct Printer {
    out: String,
}

impl Printer {
    /// What stands before an entry. A blank line at the beginning of the file, or behind another one, is none.
    fn lead(&mut self, lead: &[Lead], indent: usize) {
        for line in lead {
            match line {
                Lead::Blank if self.out.is_empty() || self.out.ends_with("\n\n") => {}
                Lead::Blank => self.out.push('\n'),
                Lead::Comment(text) => {
                    self.indent(indent);
                    self.out.push_str(text);
                    self.out.push('\n');
                }
            }
        }
    }

    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    /// The entries of a list or mapping, each on lines of its own.
    fn lines(&mut self, group: &Group, map: bool, indent: usize) {
        for (at, entry) in group.entries.iter().enumerate() {
            let hoisted = hoisted(entry, map);
            self.lead(if at == 0 { unblank(&hoisted) } else { &hoisted }, indent);
            self.indent(indent);
            self.entry(entry, map, indent);
        }
        self.lead(&group.end, indent);
    }

    /// An entry whose indentation stands there, without what stands before it.
    fn entry(&mut self, entry: &Entry, map: bool, indent: usize) {
        if !map {
            self.out.push('-');
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
            self.out.push_str("? ");
            self.out.push_str(&key);
            self.out.push('\n');
            self.indent(indent);
        } else {
            self.out.push_str(&key);
        }
        self.out.push(':');
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
            self.out.push(' ');
            let inner = indent + 2;
            self.entry(&group.entries[0], map, inner);
            for entry in &group.entries[1..] {
                let hoisted = hoisted(entry, map);
                self.lead(&hoisted, inner);
                self.indent(inner);
                self.entry(entry, map, inner);
            }
            self.lead(&group.end, inner);
            if let Some(trail) = &entry.trail {
                self.lead(&[Lead::Comment(trail.clone())], inner);
            }
            return;
        }
        self.value(entry, indent, false);
    }

    /// Whether a list or mapping fits into the line.
    fn fits(&self, entry: &Entry) -> bool {
        inline_kind(&entry.value.kind, false)
            .is_some_and(|line| self.column() + 1 + line.width() <= WIDTH)
    }

    fn column(&self) -> usize {
        self.out[self.out.rfind('\n').map_or(0, |at| at + 1)..].width()
    }

    /// A value behind its key or dash, and the end of its line.
    fn value(&mut self, entry: &Entry, indent: usize, root: bool) {
        let space = if root { "" } else { " " };
        if let Some(anchor) = &entry.value.anchor {
            self.out.push_str(space);
            self.out.push('&');
            self.out.push_str(anchor);
        }
        match &entry.value.kind {
            Kind::Null { written: false } => self.end(entry.trail.as_deref()),
            Kind::Null { written: true } => {
                self.out.push_str(space);
                self.out.push_str("null");
                self.end(entry.trail.as_deref());
            }
            Kind::Alias(name, _) => {
                self.out.push_str(space);
                self.out.push('*');
                self.out.push_str(name);
                self.end(entry.trail.as_deref());
            }
            Kind::Scalar(scalar) => {
                self.out.push_str(space);
                match scalar::written(scalar, entry.value.anchor.is_some()) {
                    Written::Line(line) => {
                        self.out.push_str(&line);
                        self.end(entry.trail.as_deref().or(entry.head.as_deref()));
                    }
                    Written::Lines { first, rest, block } => {
                        self.out.push_str(&first);
                        self.end(entry.head.as_deref().filter(|_| block));
                        if !block {
                            self.out.pop();
                        }
                        for (at, line) in rest.iter().enumerate() {
                            if at > 0 || !block {
                                self.out.push('\n');
                            }
                            if !line.is_empty() {
                                self.indent(indent + 2);
                                self.out.push_str(line);
                            }
                        }
                        self.end(entry.trail.as_deref());
                    }
                }
            }
            Kind::List(group) | Kind::Map(group) => {
                let map = matches!(entry.value.kind, Kind::Map(_));
                if group.entries.is_empty() {
                    self.out.push_str(space);
                    self.out.push_str(if map { "{}" } else { "[]" });
                    self.end(entry.trail.as_deref().or(entry.head.as_deref()));
                    return;
                }
                if self.fits(entry) {
                    let line = inline_kind(&entry.value.kind, false).unwrap_or_default();
                    self.out.push_str(space);
                    self.out.push_str(&line);
                    self.end(entry.trail.as_deref());
                    return;
                }
                // Nothing stands behind lines; it stands beside the key, or as the last of them.
                let (beside, behind) = match (&entry.head, &entry.trail) {
                    (None, Some(trail)) if !group.has_comment() => (Some(trail), None),
                    (head, trail) => (head.as_ref(), trail.as_ref()),
                };
                self.end(beside.map(String::as_str));
                self.lines(group, map, indent + 2);
                if let Some(behind) = behind {
                    self.lead(&[Lead::Comment(behind.clone())], indent + 2);
                }
            }
        }
    }

    /// The end of a line, with the comment beside it.
    fn end(&mut self, comment: Option<&str>) {
        if let Some(comment) = comment {
            self.out.push(' ');
            self.out.push_str(comment);
        }
        self.out.push('\n');
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
