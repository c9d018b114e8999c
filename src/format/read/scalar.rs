//! How scalars are written.

use super::Reader;
use crate::format::comments::line_end;
use crate::format::document::{Entry, Form, Group, Kind, Label, Scalar, Value};
use crate::syntax::{Node, NodeValue, Notation, Style};

impl Reader<'_> {
    /// Whether it is a block of YAML.
    pub(super) fn is_block(&self, node: &Node, after: usize) -> bool {
        let start = node.span.start as usize;
        match &node.value {
            NodeValue::Scalar { style, .. } if *style == Style::Text => {
                self.header(after, start).is_some()
            }
            NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::List(_) | NodeValue::Map(_) => {
                false
            }
        }
    }

    /// The `|` or `>` between a key and the first word of its block.
    pub(super) fn header(&self, after: usize, start: usize) -> Option<usize> {
        let mut at = after;
        while at < start {
            match self.text.as_bytes()[at] {
                b'#' => at = line_end(self.text, at),
                b'|' | b'>' => return Some(at),
                b':' | b' ' | b'\t' | b'\n' | b'\r' => at += 1,
                _ => return None,
            }
        }
        None
    }

    pub(super) fn form(&self, node: &Node, after: usize, begin: usize) -> Form {
        let span = node.span.range();
        let written = &self.text[begin..span.end];
        if self.notation == Notation::Text {
            let quoted = written.starts_with(['"', '\'']);
            return match written.starts_with("\"\"\"") {
                true => Form::Block,
                false => Form::Line { quoted },
            };
        }
        let header = match self.is_block(node, after) {
            true => self.header(after, span.start),
            false => (begin > span.start && written.starts_with(['|', '>'])).then_some(begin),
        };
        if let Some(header) = header {
            let line = line_end(self.text, header);
            let indicated = self.text[header..line]
                .split('#')
                .next()
                .is_some_and(|head| head.contains(|c: char| c.is_ascii_digit()));
            return match self.text[header..].starts_with('>') && !indicated {
                true => Form::Folded(dedented(self.text.get(line..span.end).unwrap_or(""))),
                false => Form::Block,
            };
        }
        let quoted = written.starts_with(['"', '\'']);
        match written.contains(['\n', '\r']) {
            true => Form::Wrapped(unwrapped(written)),
            false => Form::Line { quoted },
        }
    }

    /// What an alias stands for, without what is written about it.
    pub(super) fn stands_for(&self, node: &Node) -> Kind {
        let value = |node: &Node| Value::new(self.stands_for(node));
        let group = |entries: Vec<Entry>| Group {
            entries,
            ..Group::default()
        };
        match &node.value {
            NodeValue::Null => Kind::Null { written: true },
            NodeValue::Scalar { text, style } => Kind::Scalar(Scalar {
                text: text.clone(),
                style: *style,
                form: match text.contains('\n') {
                    true => Form::Block,
                    false => Form::Line { quoted: false },
                },
            }),
            NodeValue::List(items) => Kind::List(group(
                items
                    .iter()
                    .map(|item| Entry::new(Label::Item, value(item)))
                    .collect(),
            )),
            NodeValue::Map(entries) => Kind::Map(group(
                entries
                    .iter()
                    .map(|(key, node)| Entry::new(Label::key(&key.text), value(node)))
                    .collect(),
            )),
        }
    }
}

/// What YAML takes for space in a line.
const BLANK: [char; 2] = [' ', '\t'];

/// Lines without the indentation that all of them have; the first is the rest of the line before them.
fn dedented(written: &str) -> Vec<String> {
    let lines: Vec<&str> = written.lines().skip(1).collect();
    let indent = lines
        .iter()
        .filter(|line| !line.trim_matches(BLANK).is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    let cut = |line: &&str| {
        line.get(indent..)
            .unwrap_or("")
            .trim_end_matches(BLANK)
            .to_owned()
    };
    lines.iter().map(cut).collect()
}

/// The lines of a text in one or more lines that YAML joins.
fn unwrapped(written: &str) -> Vec<String> {
    written
        .lines()
        .map(|line| {
            let line = line.trim_start_matches(BLANK);
            let trimmed = line.trim_end_matches(BLANK);
            // A space with a backslash before it is one.
            match trimmed.ends_with('\\') {
                true => line.to_owned(),
                false => trimmed.to_owned(),
            }
        })
        .collect()
}
