//! From the spanned tree and the text that it was read from to the document.
//!
//! The tree says what is meant, the text how it was written: comments, blank lines, quotes, brackets. Whatever the
//! notation, an entry ends before the next one begins, so one walk gives each comment to the entry that it stands
//! before, beside or behind.

use super::comments::{Comment, anchor, comments, is_alias, line_end};
use super::document::{
    Document, Entry, Form, Group, Kind, Label, Lead, Scalar, Shape, Title, Value,
};
use crate::syntax::{Node, NodeValue, Notation, Style};

/// The document of a text with that tree.
pub(super) fn read(root: &Node, text: &str, notation: Notation) -> Document {
    let mut reader = Reader {
        text,
        notation,
        lines: std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect(),
        comments: comments(root, text, notation).into_iter(),
    };
    match notation {
        Notation::Yaml => reader.yaml(root),
        Notation::Text => reader.flow(root),
    }
}

struct Reader<'t> {
    text: &'t str,
    notation: Notation,
    /// Where each line begins.
    lines: Vec<usize>,
    /// Those that have no place in the document yet.
    comments: std::vec::IntoIter<Comment>,
}

/// An entry of a list or mapping that is to be read.
struct Child<'n> {
    /// Where it begins: its key, its dash, its word `task`.
    start: usize,
    /// Behind its key or dash.
    after: usize,
    label: Label,
    node: &'n Node,
}

/// How far a list or mapping goes.
#[derive(Clone, Copy)]
struct Extent {
    /// Where its bracket closes it, or else where whatever follows it begins.
    end: usize,
    /// In YAML without brackets: comments that are indented less than this belong to what is around it.
    indent: usize,
}

impl<'t> Reader<'t> {
    fn yaml(&mut self, root: &Node) -> Document {
        let extent = Extent {
            end: self.text.len(),
            indent: 0,
        };
        let mut entry = Entry::new(Label::Item, Value::new(Kind::Null { written: true }));
        self.fill(&mut entry, root, 0, extent, false);
        let mut end_lead = self.alone(self.text.len());
        let mut lead = entry.lead;
        // The root has no line of its own: what stands behind its last entry stands at its end.
        let behind = entry.trail.into_iter().map(Lead::Comment);
        end_lead.splice(0..0, behind);
        lead.extend(entry.head.into_iter().map(Lead::Comment));
        let mut value = entry.value;
        match &mut value.kind {
            Kind::List(group) | Kind::Map(group) => group.end.extend(end_lead),
            Kind::Null { .. } | Kind::Scalar(_) | Kind::Alias(..) => lead.extend(end_lead),
        }
        Document {
            lead,
            title: None,
            root: value,
            tail: Vec::new(),
        }
    }

    /// `flow NAME { … }`
    fn flow(&mut self, root: &Node) -> Document {
        let start = root.span.start as usize;
        let mut lead = self.alone(start);
        self.blank(&mut lead, start);
        let word = self.text[start..]
            .split(|c: char| !c.is_ascii_alphanumeric())
            .next()
            .unwrap_or("flow");
        let mut name = None;
        let mut from = start + word.len();
        let mut entries: &[_] = match &root.value {
            NodeValue::Map(entries) => entries,
            NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::List(_) => &[],
        };
        if let [(key, node), rest @ ..] = entries
            && key.span.start as usize == start
        {
            name = node.text().map(str::to_owned);
            from = node.span.end as usize;
            entries = rest;
        }
        let open = from + self.text[from..].find('{').unwrap_or(0);
        let children = self.text_children(entries);
        let extent = Extent {
            end: (root.span.end as usize).saturating_sub(1),
            indent: 0,
        };
        let (group, head) = self.group(children, open, extent, Shape::Lines, false);
        let tail = self.alone(self.text.len());
        Document {
            lead,
            title: Some(Title {
                word: word.to_owned(),
                name,
                head,
            }),
            root: Value::new(Kind::Map(group)),
            tail,
        }
    }

    /// The entries behind an opening bracket or key, and the comment beside that.
    fn group(
        &mut self,
        children: Vec<Child<'_>>,
        open: usize,
        extent: Extent,
        shape: Shape,
        flow: bool,
    ) -> (Group, Option<String>) {
        let mut entries = Vec::with_capacity(children.len());
        let starts: Vec<usize> = children.iter().map(|child| child.start).collect();
        let mut head = None;
        for (at, child) in children.into_iter().enumerate() {
            if head.is_none() && child.start > open {
                head = self.beside(open, child.start);
            }
            let mut lead = self.alone(child.start);
            self.blank(&mut lead, child.start);
            if at == 0 && lead.first() == Some(&Lead::Blank) {
                lead.remove(0);
            }
            let mut entry = Entry {
                lead,
                ..Entry::new(child.label, Value::new(Kind::Null { written: false }))
            };
            let next = starts.get(at + 1).copied().unwrap_or(extent.end);
            let extent = Extent {
                // A default stands before the brace of what else is said about a name.
                end: match child.start < open {
                    true => next.min(open),
                    false => next,
                },
                indent: self.column(child.start) + 1,
            };
            self.fill(&mut entry, child.node, child.after, extent, flow);
            entries.push(entry);
        }
        if starts.is_empty() {
            head = self.beside(open, extent.end);
        }
        let end = self.rest(extent, shape, entries.is_empty());
        let group = Group {
            entries,
            end,
            shape,
        };
        (group, head)
    }

    /// What stands behind the last entry of a list or mapping, and belongs to it.
    fn rest(&mut self, extent: Extent, shape: Shape, empty: bool) -> Vec<Lead> {
        let mut found = Vec::new();
        let brackets = self.notation == Notation::Text || shape == Shape::Brackets;
        while let Some(comment) = self.comments.as_slice().first()
            && comment.start < extent.end
            && (brackets || self.column(comment.start) >= extent.indent)
        {
            let start = comment.start;
            if !empty || !found.is_empty() {
                self.blank(&mut found, start);
            }
            found.extend(self.comments.next().map(|c| Lead::Comment(c.text)));
        }
        found
    }

    /// Reads the value of an entry, and the comments around it. Gives where it ends.
    fn fill(
        &mut self,
        entry: &mut Entry,
        node: &Node,
        after: usize,
        extent: Extent,
        flow: bool,
    ) -> usize {
        let span = node.span.range();
        let (name, begin) = match self.notation {
            Notation::Yaml if !self.is_block(node, after) => anchor(self.text, span.start),
            Notation::Yaml | Notation::Text => (None, span.start),
        };
        entry.value.anchor = name.map(str::to_owned);
        let alias = self.notation == Notation::Yaml
            && !self.is_block(node, after)
            && is_alias(self.text, span.start);
        let end = match &node.value {
            _ if alias => {
                self.before(entry, begin, after);
                let kind = self.stands_for(node);
                let name = self.text[span.start + 1..span.end].to_owned();
                entry.value.kind = Kind::Alias(name, Box::new(kind));
                span.end
            }
            NodeValue::Null => {
                let written = span.start >= after && span.end > span.start;
                if written {
                    self.before(entry, begin, after);
                }
                entry.value.kind = Kind::Null { written };
                if written {
                    span.end
                } else {
                    after.max(span.end)
                }
            }
            NodeValue::Scalar { text, style } => {
                self.before(entry, begin, after);
                let form = self.form(node, after, begin);
                entry.value.kind = Kind::Scalar(Scalar {
                    text: text.clone(),
                    style: *style,
                    form,
                });
                span.end
            }
            NodeValue::List(_) | NodeValue::Map(_) => {
                let (group, end) = self.collection(entry, node, begin, after, extent, flow);
                entry.value.kind = match &node.value {
                    NodeValue::List(_) => Kind::List(group),
                    NodeValue::Map(_) | NodeValue::Null | NodeValue::Scalar { .. } => {
                        Kind::Map(group)
                    }
                };
                end
            }
        };
        if let Some(comment) = self.beside(end, extent.end) {
            entry.trail = Some(comment);
        }
        // What is laid out in one line has one comment beside it.
        let one_line = match &entry.value.kind {
            Kind::Scalar(scalar) => matches!(scalar.form, Form::Line { .. } | Form::Wrapped(_)),
            Kind::Null { .. } | Kind::Alias(..) => true,
            Kind::List(_) | Kind::Map(_) => false,
        };
        if one_line && let Some(head) = entry.head.take() {
            match entry.trail {
                None => entry.trail = Some(head),
                Some(_) => entry.lead.push(Lead::Comment(head)),
            }
        }
        end
    }

    /// The comments between a key and its value.
    fn before(&mut self, entry: &mut Entry, begin: usize, after: usize) {
        if let Some(comment) = self.beside(after, begin) {
            entry.head = Some(comment);
        }
        let more = self.alone(begin).into_iter().filter(Lead::is_comment);
        entry.lead.extend(more);
    }

    fn collection(
        &mut self,
        entry: &mut Entry,
        node: &Node,
        begin: usize,
        after: usize,
        extent: Extent,
        flow: bool,
    ) -> (Group, usize) {
        let text = self.text;
        let bracket = text[begin..].starts_with(['[', '{']);
        let (children, open, close) = match self.notation {
            Notation::Yaml => {
                if bracket {
                    self.before(entry, begin, after);
                }
                let anchored = begin > node.span.start as usize;
                let floor = if anchored { begin } else { after.min(begin) };
                let children = self.yaml_children(node, floor, bracket || flow);
                let close = (node.span.end as usize).saturating_sub(1);
                (children, begin, bracket.then_some(close))
            }
            Notation::Text => {
                let (children, open) = self.text_group(node);
                (
                    children,
                    open,
                    Some((node.span.end as usize).saturating_sub(1)),
                )
            }
        };
        // In a store, a type and a default may stand before the brace.
        let mut inside = children.iter().map(|child| child.start);
        let first = match self.notation {
            Notation::Yaml => inside.next(),
            Notation::Text => inside.find(|start| *start > open),
        };
        let limit = first.or(close).unwrap_or(extent.end);
        let from = match self.notation {
            Notation::Yaml if !bracket => after.min(limit),
            Notation::Yaml | Notation::Text => open,
        };
        let written = text.get(open..limit).unwrap_or("");
        // `f(x)`
        let is_call = children.len() == 1
            && !bracket
            && children
                .iter()
                .all(|child| text[child.after..].trim_start().starts_with('('));
        let shape = match self.notation {
            Notation::Yaml if bracket && written.contains('\n') && first.is_some() => Shape::Lines,
            Notation::Yaml if bracket => Shape::Brackets,
            Notation::Yaml if flow => Shape::Pair,
            Notation::Yaml => Shape::Lines,
            Notation::Text if is_call => Shape::Pair,
            Notation::Text if written.contains('\n') && first.is_some() => Shape::Lines,
            Notation::Text => Shape::Brackets,
        };
        let inner = Extent {
            end: close.unwrap_or(extent.end),
            indent: match close {
                Some(_) => 0,
                None => extent
                    .indent
                    .max(first.map_or(0, |first| self.column(first))),
            },
        };
        // Between brackets, comments do not tell by their indentation where they belong.
        let behind = match close {
            Some(_) => Shape::Brackets,
            None => shape,
        };
        let closes = children.last().map(|child| child.node.span.end);
        let (mut group, head) = self.group(children, from, inner, behind, bracket || flow);
        group.shape = shape;
        if let Some(head) = head {
            let first = entry.head.replace(head);
            entry.lead.extend(first.map(Lead::Comment));
        }
        if self.notation == Notation::Text
            && closes == Some(node.span.end)
            && let Some(last) = group.entries.last_mut()
        {
            // A default without braces ends with the name that it belongs to, and the comment is about that.
            entry.trail = last.trail.take();
        }
        let end = match close {
            Some(_) => node.span.end as usize,
            None => self.last(node, after),
        };
        (group, end)
    }

    /// Where the last thing that is written in a list or mapping without brackets ends.
    fn last(&self, node: &Node, after: usize) -> usize {
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

    fn ends(&self, node: &Node, after: usize) -> usize {
        let (_, begin) = anchor(self.text, node.span.start as usize);
        match self.text[begin..].starts_with(['[', '{']) {
            true => node.span.end as usize,
            false => self.last(node, after),
        }
    }

    fn yaml_children<'n>(&self, node: &'n Node, floor: usize, flow: bool) -> Vec<Child<'n>> {
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
    fn dash(&self, from: usize, to: usize) -> Option<usize> {
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
    fn text_group<'n>(&self, node: &'n Node) -> (Vec<Child<'n>>, usize) {
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
                let open = inside.and_then(|child| self.text[start..child.start].rfind('{'));
                (
                    children,
                    open.map_or(node.span.end as usize, |open| start + open),
                )
            }
        }
    }

    /// Whether an entry of something in a store is written with its key, between braces.
    fn is_in_braces(&self, child: &Child<'_>, start: usize) -> bool {
        let written = &self.text[child.start..child.after];
        let named = match &child.label {
            Label::Key { text, .. } => written.trim_matches('"') == text,
            Label::Item | Label::Task(_) => true,
        };
        named && child.start > start && self.text[start..child.start].contains('{')
    }

    fn text_item<'n>(&self, node: &'n Node) -> Child<'n> {
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

    fn is_task(&self, start: usize, end: usize) -> bool {
        self.text.get(start..end) == Some("task")
    }

    /// Entries of a mapping in the order of the text; tasks stand among the others there.
    fn text_children<'n>(&self, entries: &'n [(crate::syntax::Key, Node)]) -> Vec<Child<'n>> {
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

    /// Whether it is a block of YAML.
    fn is_block(&self, node: &Node, after: usize) -> bool {
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
    fn header(&self, after: usize, start: usize) -> Option<usize> {
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

    fn form(&self, node: &Node, after: usize, begin: usize) -> Form {
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
    fn stands_for(&self, node: &Node) -> Kind {
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

    /// The comment that stands behind a place in the same line, with no value between.
    fn beside(&mut self, place: usize, limit: usize) -> Option<String> {
        let text = self.text;
        let comment = self.comments.as_slice().first()?;
        let beside = !comment.alone
            && comment.start >= place
            && comment.start < limit
            && !text[place..comment.start].contains(['\n', '\r']);
        let comment = beside.then(|| self.comments.next())?;
        comment.map(|comment| comment.text)
    }

    /// The comments up to a place, and the blank lines between them.
    fn alone(&mut self, to: usize) -> Vec<Lead> {
        let mut lead = Vec::new();
        while let Some(comment) = self.comments.as_slice().first()
            && comment.start < to
        {
            self.blank(&mut lead, comment.start);
            lead.extend(self.comments.next().map(|c| Lead::Comment(c.text)));
        }
        lead
    }

    /// Notes that the line before the one of a place is blank.
    fn blank(&self, lead: &mut Vec<Lead>, place: usize) {
        let line = self.line(place);
        let start = self.lines[line];
        if line == 0 || !self.text[start..place].trim().is_empty() {
            return;
        }
        // Where a document of YAML begins is no line of the flow.
        let before = self.text[self.lines[line - 1]..start].trim();
        let blank = before.is_empty() || (before == "---" && self.notation == Notation::Yaml);
        if blank && lead.last() != Some(&Lead::Blank) {
            lead.push(Lead::Blank);
        }
    }

    fn column(&self, place: usize) -> usize {
        place - self.lines[self.line(place)]
    }

    /// The number of the line of a place, from 0.
    fn line(&self, place: usize) -> usize {
        self.lines.partition_point(|start| *start <= place) - 1
    }
}

/// Lines without the indentation that all of them have; the first is the rest of the line before them.
fn dedented(written: &str) -> Vec<String> {
    let lines: Vec<&str> = written.lines().skip(1).collect();
    let indent = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    let cut = |line: &&str| line.get(indent..).unwrap_or("").trim_end().to_owned();
    lines.iter().map(cut).collect()
}

/// The lines of a text in one or more lines that YAML joins.
fn unwrapped(written: &str) -> Vec<String> {
    written
        .lines()
        .map(|line| {
            let line = line.trim_start();
            let trimmed = line.trim_end();
            // A space with a backslash before it is one.
            match trimmed.ends_with('\\') {
                true => line.to_owned(),
                false => trimmed.to_owned(),
            }
        })
        .collect()
}
