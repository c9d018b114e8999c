//! The entries of a list or mapping, and where each begins.

use super::{Child, Reader};
use crate::format::comments::{anchor, is_alias, line_end};
use crate::format::document::Label;
use crate::syntax::{Key, Node, NodeValue};

impl Reader<'_> {
    pub(super) fn yaml_children<'n>(
        &self,
        node: &'n Node,
        floor: usize,
        flow: bool,
    ) -> Vec<Child<'n>> {
        match &node.value {
            NodeValue::Null | NodeValue::Scalar { .. } => Vec::new(),
            NodeValue::Map(entries) => entries
                .iter()
                .map(|(key, node)| {
                    let range = key.span.range();
                    Child {
                        start: range.start,
                        after: range.end,
                        label: Label::Key {
                            text: key.text.clone(),
                            quoted: self.text[range.start..].starts_with(['"', '\'']),
                        },
                        node,
                    }
                })
                .collect(),
            NodeValue::List(items) => {
                let mut from = floor;
                let mut children = Vec::with_capacity(items.len());
                for node in items {
                    let start = node.span.start as usize;
                    let dash = match flow {
                        true => None,
                        false => self.dash(from, start),
                    };
                    from = self.ends(node, start);
                    children.push(Child {
                        start: dash.unwrap_or(start),
                        after: dash.map_or(start, |dash| dash + 1),
                        label: Label::Item,
                        node,
                    });
                }
                children
            }
        }
    }

    /// The first dash behind `from` that stands in no comment.
    pub(super) fn dash(&self, from: usize, to: usize) -> Option<usize> {
        let mut at = from;
        while at < to {
            match self.text.as_bytes()[at] {
                b'#' => at = line_end(self.text, at),
                b'-' => return Some(at),
                _ => at += 1,
            }
        }
        None
    }

    /// The entries of something in the text notation, and where its bracket opens.
    pub(super) fn text_group<'n>(&self, node: &'n Node) -> (Vec<Child<'n>>, usize) {
        let start = node.span.start as usize;
        match &node.value {
            NodeValue::Null | NodeValue::Scalar { .. } => (Vec::new(), start),
            NodeValue::List(items) => {
                let children = items.iter().map(|node| self.text_item(node)).collect();
                (children, start)
            }
            NodeValue::Map(entries) => {
                // `name = default`, in a store.
                if let Some((key, _)) = entries.first()
                    && (key.span.start as usize) < start
                {
                    return (self.text_children(entries), node.span.end as usize);
                }
                if self.text[start..].starts_with('{') {
                    return (self.text_children(entries), start);
                }
                // An item `task NAME { … }`: what it is called stands before its brace.
                if let [(key, name), rest @ ..] = entries.as_slice()
                    && self.is_task(key.span.start as usize, key.span.end as usize)
                {
                    let from = name.span.end as usize;
                    let open = from + self.text[from..].find('{').unwrap_or(0);
                    return (self.text_children(rest), open);
                }
                // In a store, a type and a default stand before the brace.
                let children = self.text_children(entries);
                let inside = children
                    .iter()
                    .find(|child| self.is_in_braces(child, start));
                let end = node.span.end as usize;
                let open = match inside {
                    Some(child) => self.text[start..child.start]
                        .rfind('{')
                        .map(|open| start + open),
                    // Between the braces, there may be no more than comments.
                    None => children
                        .last()
                        .and_then(|last| self.opens(last.node.span.end as usize, end)),
                };
                (children, open.unwrap_or(end))
            }
        }
    }

    /// Where a brace opens between two places that have nothing else than comments between them.
    fn opens(&self, from: usize, to: usize) -> Option<usize> {
        let mut at = from;
        for line in self.text.get(from..to)?.split_inclusive(['\n', '\r']) {
            let code = line.split('#').next().unwrap_or(line);
            if let Some(open) = code.find('{') {
                return Some(at + open);
            }
            at += line.len();
        }
        None
    }

    /// Whether an entry of something in a store is written with its key, between braces.
    pub(super) fn is_in_braces(&self, child: &Child<'_>, start: usize) -> bool {
        let written = &self.text[child.start..child.after];
        let named = match &child.label {
            Label::Key { text, .. } => written.trim_matches('"') == text,
            Label::Item | Label::Task(_) => true,
        };
        named && child.start > start && self.text[start..child.start].contains('{')
    }

    pub(super) fn text_item<'n>(&self, node: &'n Node) -> Child<'n> {
        let start = node.span.start as usize;
        let label = match &node.value {
            NodeValue::Map(entries) => match entries.first() {
                Some((key, name))
                    if self.is_task(key.span.start as usize, key.span.end as usize) =>
                {
                    Label::Task(name.text().unwrap_or("").to_owned())
                }
                Some(_) | None => Label::Item,
            },
            NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::List(_) => Label::Item,
        };
        Child {
            start,
            after: start,
            label,
            node,
        }
    }

    pub(super) fn is_task(&self, start: usize, end: usize) -> bool {
        self.text.get(start..end) == Some("task")
    }

    /// Entries of a mapping in the order of the text; tasks stand among the others there.
    pub(super) fn text_children<'n>(&self, entries: &'n [(Key, Node)]) -> Vec<Child<'n>> {
        let mut children = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            let range = key.span.range();
            match &node.value {
                NodeValue::Map(tasks)
                    if key.text == "tasks" && self.is_task(range.start, range.end) =>
                {
                    children.extend(tasks.iter().map(|(name, node)| {
                        let label = name.span.range();
                        let before = self.text[..label.start].trim_end();
                        Child {
                            start: before.len().saturating_sub("task".len()),
                            after: label.end,
                            label: Label::Task(name.text.clone()),
                            node,
                        }
                    }));
                }
                NodeValue::Null
                | NodeValue::Scalar { .. }
                | NodeValue::List(_)
                | NodeValue::Map(_) => children.push(Child {
                    start: range.start,
                    after: range.end,
                    label: Label::Key {
                        text: key.text.clone(),
                        quoted: self.text[range.start..].starts_with('"'),
                    },
                    node,
                }),
            }
        }
        children.sort_by_key(|child| child.start);
        children
    }

    /// Where the last thing that is written in a list or mapping without brackets ends.
    pub(super) fn last(&self, node: &Node, after: usize) -> usize {
        let own = node.span.end as usize;
        match &node.value {
            _ if is_alias(self.text, node.span.start as usize) => own,
            NodeValue::Null | NodeValue::Scalar { .. } => own.max(after),
            NodeValue::List(items) => items.last().map_or(own, |item| self.ends(item, after)),
            NodeValue::Map(entries) => entries
                .last()
                .map_or(own, |(key, value)| self.ends(value, key.span.end as usize)),
        }
    }

    pub(super) fn ends(&self, node: &Node, after: usize) -> usize {
        let (_, begin) = anchor(self.text, node.span.start as usize);
        match self.text[begin..].starts_with(['[', '{']) {
            true => node.span.end as usize,
            false => self.last(node, after),
        }
    }
}
