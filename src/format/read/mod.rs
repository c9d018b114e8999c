//! From the spanned tree and the text that it was read from to the document.
//!
//! The tree says what is meant, the text how it was written: comments, blank lines, quotes, brackets. Whatever the
//! notation, an entry ends before the next one begins, so one walk gives each comment to the entry that it stands
//! before, beside or behind.

mod entries;
mod scalar;

use super::comments::{Comment, anchor, comments, is_alias};
use super::document::{
    Document, Entry, Form, Group, Kind, Label, Lead, Scalar, Shape, Title, Value,
};
use crate::syntax::{Node, NodeValue, Notation};

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
        if starts.last().is_none_or(|last| *last < open) {
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
