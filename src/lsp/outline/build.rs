//! From the spanned tree to the outline: a walk over what stands where.

use std::ops::Range;

use super::{Definition, Named, Origin, Outline, Scope, Task, Use};
use crate::lsp::expression;
use crate::lsp::kinds::Kind;
use crate::lsp::text::Text;
use crate::model::Span;
use crate::syntax::{Level, Node, NodeValue, Takes};

/// The outline of a file, with the kinds whose keys its tasks may have.
pub(in crate::lsp) fn outline(root: &Node, text: &Text, kinds: &[Kind]) -> Outline {
    let mut builder = Builder {
        text,
        kinds,
        outline: Outline::default(),
    };
    builder.flow(root);
    builder.outline
}

struct Builder<'a> {
    text: &'a Text,
    kinds: &'a [Kind],
    outline: Outline,
}

impl Builder<'_> {
    fn flow(&mut self, root: &Node) {
        let flow = self.scope(None);
        for (key, node, _) in entries(root) {
            match key {
                "store" => {
                    for (name, node, span) in entries(node) {
                        self.define(name, span, flow, Origin::Store(node.span));
                    }
                }
                "tasks" => self.tasks(node, flow),
                "provides" => self.list(node, flow, Named::Value),
                "retry" => self.retry(node, flow, flow),
                _ => self.templates(node, flow),
            }
        }
    }

    fn tasks(&mut self, node: &Node, within: usize) {
        match &node.value {
            NodeValue::Map(entries) => {
                for (key, node) in entries {
                    self.task(&key.text, key.span, node, within);
                }
            }
            NodeValue::List(items) => {
                for item in items {
                    let name = entries(item).find(|(key, ..)| *key == "name");
                    let name = name.and_then(|(_, node, _)| Some((node.word()?, self.inner(node))));
                    if let Some((name, span)) = name {
                        self.task(name, span, item, within);
                    }
                }
            }
            NodeValue::Null | NodeValue::Scalar { .. } => {}
        }
    }

    fn task(&mut self, name: &str, span: Span, node: &Node, within: usize) {
        let span = self.unquoted(span);
        let scope = self.scope(Some(within));
        let at = self.outline.tasks.len();
        let find = |wanted: &str| entries(node).find(|(key, ..)| *key == wanted);
        let line = |node: &Node| node.text().map(str::to_owned);
        let kind =
            entries(node).find(|(key, ..)| self.is_kind(key) || *key == "tasks" || *key == "flow");
        let beside = &mut self.outline.beside;
        beside.entry((within, name.to_owned())).or_insert(at);
        self.outline.tasks.push(Task {
            name: name.to_owned(),
            span,
            extent: Span {
                start: span.start.min(node.span.start),
                end: span.end.max(node.span.end),
                ..span
            },
            within,
            scope,
            kind: kind.map(|(key, ..)| key.to_owned()),
            about: find("about").and_then(|(_, node, _)| line(node)),
            sub_flow: find("flow").and_then(|(_, node, _)| Some((line(node)?, node.span))),
        });
        let group = find("tasks").is_some();
        for (key, node, _) in entries(node) {
            match Level::Task.key(key).map(|key| key.takes) {
                Some(Takes::Tasks) => self.tasks(node, scope),
                Some(Takes::Names) => self.list(node, within, Named::Task),
                Some(Takes::Provides) if group => {
                    self.list(node, scope, Named::Value);
                    self.hand_out(node, within, scope);
                }
                Some(Takes::Provides) => self.provides(node, within, at),
                Some(Takes::Retry) => self.retry(node, scope, within),
                Some(Takes::Matrix) => {
                    for (name, node, span) in entries(node) {
                        self.define(name, span, scope, Origin::Variable);
                        self.templates(node, within);
                    }
                }
                Some(Takes::Expression) => self.expression(node, scope),
                Some(Takes::Revert) => self.revert(node, scope),
                Some(_) => self.templates(node, scope),
                None => self.call(key, node, scope),
            }
        }
    }

    /// What stands under `provides` of a task that is no group.
    fn provides(&mut self, node: &Node, within: usize, task: usize) {
        if let Some(name) = node.word() {
            self.define(name, self.inner(node), within, Origin::Task(task));
        }
        for (name, _, span) in entries(node) {
            self.define(name, span, within, Origin::Task(task));
        }
        // A sub-flow's, which hands out names of its own.
        if let NodeValue::List(items) = &node.value {
            for item in items {
                if let Some(name) = item.word() {
                    self.define(name, self.inner(item), within, Origin::Task(task));
                }
            }
        }
    }

    fn hand_out(&mut self, node: &Node, within: usize, group: usize) {
        if let NodeValue::List(items) = &node.value {
            let names = items.iter().filter_map(Node::word);
            let handed = names.map(|name| (name.to_owned(), group));
            self.outline.scopes[within].handed.extend(handed);
        }
    }

    fn retry(&mut self, node: &Node, scope: usize, around: usize) {
        for (key, node, _) in entries(node) {
            match Level::Retry.key(key).map(|key| key.takes) {
                Some(Takes::Name) => {
                    if let Some(name) = node.word() {
                        self.define(name, self.inner(node), scope, Origin::Variable);
                    }
                }
                Some(Takes::Expression) => self.expression(node, scope),
                Some(_) | None => self.templates(node, around),
            }
        }
    }

    fn revert(&mut self, node: &Node, scope: usize) {
        let has_kind = entries(node).any(|(key, ..)| self.is_kind(key));
        if !has_kind {
            return self.templates(node, scope);
        }
        for (key, node, _) in entries(node) {
            match Level::Revert.key(key).map(|key| key.takes) {
                Some(Takes::Retry) => self.retry(node, scope, scope),
                Some(_) => self.templates(node, scope),
                None => self.call(key, node, scope),
            }
        }
    }

    /// What stands under a kind key.
    fn call(&mut self, key: &str, node: &Node, scope: usize) {
        let kind = self.kinds.iter().find(|kind| kind.name == key);
        let NodeValue::Map(_) = &node.value else {
            return self.templates(node, scope);
        };
        for (key, node, _) in entries(node) {
            match kind.and_then(|kind| kind.param(key)) {
                Some(param) if param.is_expression() => self.expression(node, scope),
                Some(_) | None => self.templates(node, scope),
            }
        }
    }

    fn is_kind(&self, key: &str) -> bool {
        self.kinds.iter().any(|kind| kind.name == key)
    }

    fn scope(&mut self, parent: Option<usize>) -> usize {
        self.outline.scopes.push(Scope {
            parent,
            handed: Vec::new(),
        });
        self.outline.scopes.len() - 1
    }

    fn define(&mut self, name: &str, span: Span, scope: usize, origin: Origin) {
        let span = self.unquoted(span);
        let at = self.outline.definitions.len();
        let names = &mut self.outline.values;
        names.entry((scope, name.to_owned())).or_insert(at);
        self.outline.definitions.push(Definition {
            name: name.to_owned(),
            span,
            scope,
            origin,
        });
    }

    /// A list of names.
    fn list(&mut self, node: &Node, scope: usize, of: Named) {
        let NodeValue::List(items) = &node.value else {
            return;
        };
        for item in items {
            if let Some(name) = item.word() {
                let span = self.inner(item);
                self.outline.uses.push(Use {
                    name: name.to_owned(),
                    span,
                    scope,
                    of,
                });
            }
        }
    }

    /// Every template in a tree of values.
    fn templates(&mut self, node: &Node, scope: usize) {
        match &node.value {
            NodeValue::Null => {}
            NodeValue::Scalar { .. } if node.is_bare() => self.expression(node, scope),
            NodeValue::Scalar { .. } => {
                for range in expression::templates(self.text.slice(node.span)) {
                    self.names(node.span, range, scope);
                }
            }
            NodeValue::List(items) => items.iter().for_each(|item| self.templates(item, scope)),
            NodeValue::Map(entries) => {
                entries
                    .iter()
                    .for_each(|(_, item)| self.templates(item, scope));
            }
        }
    }

    /// An expression that stands bare.
    fn expression(&mut self, node: &Node, scope: usize) {
        if let NodeValue::Scalar { .. } = &node.value {
            let span = self.inner(node);
            self.names(span, 0..self.text.slice(span).len(), scope);
        }
    }

    fn names(&mut self, span: Span, range: Range<usize>, scope: usize) {
        let text = self.text.slice(span);
        let byte = |at: usize| {
            span.start
                .saturating_add(u32::try_from(at).unwrap_or(u32::MAX))
        };
        let uses = expression::names(text, range).into_iter().map(|name| Use {
            name: text[name.start..name.end].to_owned(),
            span: Span {
                start: byte(name.start),
                end: byte(name.end),
                ..span
            },
            scope,
            of: Named::Value,
        });
        self.outline.uses.extend(uses);
    }

    /// Where a scalar's text stands, without the quotes around it.
    fn inner(&self, node: &Node) -> Span {
        self.unquoted(node.span)
    }

    fn unquoted(&self, span: Span) -> Span {
        let written = self.text.slice(span);
        let quoted = written.len() >= 2
            && ["\"", "'"]
                .iter()
                .any(|quote| written.starts_with(quote) && written.ends_with(quote));
        match quoted {
            true => Span {
                start: span.start + 1,
                end: span.end - 1,
                ..span
            },
            false => span,
        }
    }
}

/// The entries of a mapping: key, value, and where the key stands.
fn entries(node: &Node) -> impl Iterator<Item = (&str, &Node, Span)> {
    let entries = match &node.value {
        NodeValue::Map(entries) => entries.as_slice(),
        NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::List(_) => &[],
    };
    entries
        .iter()
        .map(|(key, node)| (key.text.as_str(), node, key.span))
}
