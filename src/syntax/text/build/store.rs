//! The names of a store: `name: type = default { about = "…" }`.

use pest::iterators::Pair;

use super::super::grammar::Rule;
use super::super::trouble;
use super::{Builder, Entries, Place, declared, scalar};
use crate::model::Type;
use crate::syntax::problem::shown;
use crate::syntax::{Key, Node, NodeValue, Problem, Style, code};

impl Builder<'_, '_> {
    /// `name = default`, in a store.
    pub(super) fn default(&mut self, key: &Key, value: Pair<'_, Rule>) -> Node {
        let place = self.span(&value);
        let word = value.as_str().trim();
        if value.as_rule() == Rule::expression && Type::parse(word).is_some() {
            let problem = Problem::error(
                code::NO_EQUALS_SIGN,
                place,
                format!("`{word}` is a type, and stands where a default is wanted"),
            );
            self.problems.push(problem.help(format!(
                "write `{name}: {word}` for the type, or `{name} = \"{word}\"` for a text",
                name = shown(&key.text)
            )));
            return scalar(word.to_owned(), Style::Plain, place);
        }
        let node = self.value(value, Place::Declared);
        let node = self.literal(node);
        // A type stands for itself in the short form; a text does only as a default.
        let (span, at) = (node.span, key.span);
        declared(span, [("default", at, node)])
    }

    /// `name: type = default { about = "…" }`
    pub(super) fn typed(&mut self, pair: Pair<'_, Rule>, place: Place, entries: &mut Entries) {
        let start = pair.as_span().start();
        let mut parts = pair.into_inner();
        // The grammar has taken the comment behind it, too.
        let end = parts.clone().map(|part| self.span(&part).end).max();
        let span = super::super::span(self.file, start, end.map_or(start, |end| end as usize));
        let (Some(key), Some(kind)) = (parts.next(), parts.next()) else {
            return;
        };
        let key = self.key(key);
        let at = self.span(&kind);
        if place != Place::Store {
            let written = kind.as_str().trim();
            let problem = trouble::colon(self.text, span, &key, written);
            self.problems.push(problem);
            let kind = scalar(written.to_owned(), Style::Plain, at);
            self.insert(&mut entries.found, key, kind);
            return;
        }
        let Some(kind) = kind.into_inner().next() else {
            return;
        };
        let (word, node) = match kind.as_rule() {
            Rule::choice => {
                let items = kind.into_inner().filter_map(|item| self.item(item, false));
                let items: Vec<Node> = items.collect();
                let items = items.into_iter().map(|item| self.literal(item)).collect();
                let value = NodeValue::List(items);
                ("one_of", Node { value, span: at })
            }
            _ => {
                let name = kind.as_str().trim().to_owned();
                ("type", scalar(name, Style::Plain, at))
            }
        };
        let rest: Vec<_> = parts.collect();
        if rest.is_empty() && word == "type" {
            self.insert(&mut entries.found, key, node);
            return;
        }
        let mut said = Entries::default();
        said.found.insert(word.to_owned(), (at, node));
        for part in rest {
            match part.as_rule() {
                Rule::body => self.entries(part.into_inner(), Place::Declared, &mut said),
                _ => {
                    let default = self.value(part, Place::Declared);
                    let default = self.literal(default);
                    let place = Key {
                        text: "default".to_owned(),
                        span: default.span,
                    };
                    self.insert(&mut said.found, place, default);
                }
            }
        }
        let value = said.into_map();
        self.insert(&mut entries.found, key, Node { value, span });
    }

    /// In a store, nothing is filled in: what has no quotes there lacks them.
    pub(super) fn literal(&mut self, node: Node) -> Node {
        let span = node.span;
        let value = match node.value {
            NodeValue::Scalar {
                text,
                style: Style::Bare,
            } => {
                let written = self.text.get(span.range()).unwrap_or("").to_owned();
                drop(text);
                self.unquoted(
                    span,
                    &written,
                    "no name stands for a value in `store`, and a text has quotes",
                );
                return scalar(written, Style::Text, span);
            }
            NodeValue::List(items) => {
                NodeValue::List(items.into_iter().map(|item| self.literal(item)).collect())
            }
            NodeValue::Map(entries) => NodeValue::Map(
                entries
                    .into_iter()
                    .map(|(key, node)| (key, self.literal(node)))
                    .collect(),
            ),
            value @ (NodeValue::Null | NodeValue::Scalar { .. }) => value,
        };
        Node { value, span }
    }
}
