//! Values: texts, numbers, expressions, and lists of them.

use pest::iterators::Pair;

use super::super::grammar::Rule;
use super::super::{MAX_DEPTH, MAX_VALUE_BYTES, MAX_VALUES, guess, literal, too_deep, trouble};
use super::{Builder, Place, scalar};
use crate::model::Span;
use crate::syntax::{Key, Node, NodeValue, Problem, Style, code};

impl Builder<'_, '_> {
    pub(super) fn value(&mut self, pair: Pair<'_, Rule>, place: Place) -> Node {
        let span = self.span(&pair);
        let written = pair.as_str();
        self.count(span, written);
        match pair.as_rule() {
            // No entry begins with a brace.
            Rule::mapping if written.starts_with("{{") => {
                let name = written.trim_matches(['{', '}']).trim();
                self.report_entry(span, trouble::template(self.text, span, written));
                scalar(format!("{{{{ {name} }}}}"), Style::Bare, span)
            }
            Rule::mapping => match pair.into_inner().next() {
                Some(body) => Node {
                    span,
                    ..self.mapping(body, place)
                },
                None => Node {
                    value: NodeValue::Map(Vec::new()),
                    span,
                },
            },
            Rule::list => self.list(pair, span, false),
            Rule::block => {
                let inside = written.get(3..written.len().saturating_sub(3));
                scalar(literal::block(inside.unwrap_or("")), Style::Text, span)
            }
            Rule::text | Rule::raw => scalar(self.in_quotes(&pair), Style::Text, span),
            Rule::word if written == "null" => Node {
                value: NodeValue::Null,
                span,
            },
            Rule::word => scalar(written.to_owned(), Style::Plain, span),
            _ => self.expression(written, span),
        }
    }

    pub(super) fn expression(&mut self, written: &str, span: Span) -> Node {
        let written = written.trim_end();
        let span = Span {
            end: span.start + u32::try_from(written.len()).unwrap_or(0),
            ..span
        };
        // A space that the grammar does not know as one.
        if written.is_empty() {
            let problem = Problem::error(
                code::MISSING_VALUE,
                span,
                "nothing that can be seen stands here",
            );
            let problem = problem.help("write a value: a text in quotes, a number, a name");
            self.report_entry(span, problem);
            return scalar(String::new(), Style::Text, span);
        }
        if matches!(written, "|" | ">" | "|-" | ">-") {
            self.report_entry(span, trouble::yaml_block(span));
            return scalar(String::new(), Style::Text, span);
        }
        if guess::is_text(written) {
            if let Some(problem) = trouble::behind_quote(span, written) {
                self.report_entry(span, problem);
                return scalar(written.to_owned(), Style::Text, span);
            }
            self.unquoted(span, written, "this reads like text, and has no quotes");
            return scalar(written.to_owned(), Style::Text, span);
        }
        scalar(format!("{{{{ {written} }}}}"), Style::Bare, span)
    }

    pub(super) fn unquoted(&mut self, span: Span, written: &str, what: &str) {
        let problem = trouble::unquoted(self.file, self.text, span, written, what);
        self.report_entry(span, problem);
    }

    pub(super) fn list(&mut self, pair: Pair<'_, Rule>, span: Span, capabilities: bool) -> Node {
        let mut items = Vec::new();
        if self.depth >= MAX_DEPTH {
            self.given_up = true;
            self.problems.push(too_deep(Span {
                end: span.start + 1,
                ..span
            }));
            return scalar(String::new(), Style::Text, span);
        }
        self.depth += 1;
        for item in pair.into_inner() {
            if self.given_up {
                break;
            }
            items.extend(self.item(item, capabilities));
        }
        self.depth -= 1;
        Node {
            value: NodeValue::List(items),
            span,
        }
    }

    pub(super) fn item(&mut self, item: Pair<'_, Rule>, capabilities: bool) -> Option<Node> {
        match item.as_rule() {
            Rule::broken | Rule::stray_in_list => {
                self.broken(&item);
                None
            }
            // `task NAME { … }` in a list.
            Rule::named => {
                let span = self.span(&item);
                let (key, label, node) = self.task(item)?;
                let NodeValue::Map(mut entries) = node.value else {
                    return None;
                };
                let name = Key {
                    text: "name".to_owned(),
                    span: key,
                };
                entries.insert(0, (name, scalar(label.text, Style::Plain, label.span)));
                let value = NodeValue::Map(entries);
                Some(Node { value, span })
            }
            Rule::call if capabilities => {
                let span = self.span(&item);
                let mut parts = item.into_inner();
                let (name, argument) = (parts.next()?, parts.next()?);
                let key = Key {
                    text: name.as_str().to_owned(),
                    span: self.span(&name),
                };
                let argument = self.value(argument, Place::Value);
                let value = NodeValue::Map(vec![(key, argument)]);
                Some(Node { value, span })
            }
            _ => Some(self.value(item, Place::Value)),
        }
    }

    /// `capabilities = [f(x), g]`: `f(x)` is `f: x`.
    pub(super) fn capabilities(&mut self, value: Pair<'_, Rule>) -> Node {
        if value.as_rule() == Rule::list {
            let span = self.span(&value);
            return self.list(value, span, true);
        }
        self.value(value, Place::Value)
    }

    pub(super) fn count(&mut self, span: Span, written: &str) {
        self.values += 1;
        let scalar = !written.starts_with(['{', '[']);
        if scalar && written.len() > MAX_VALUE_BYTES && !self.given_up {
            self.given_up = true;
            let problem = Problem::error(
                code::VALUE_TOO_LARGE,
                Span {
                    end: span.start + 1,
                    ..span
                },
                format!(
                    "the value that begins here is larger than {} MiB",
                    MAX_VALUE_BYTES >> 20
                ),
            );
            self.problems.push(problem.help(
                "keep large texts and lists in files of their own, and give tasks their paths",
            ));
        } else if self.values > MAX_VALUES && !self.given_up {
            self.given_up = true;
            let what = format!("the file has more than {MAX_VALUES} values");
            let problem = Problem::error(code::TOO_MANY_VALUES, span, what);
            self.problems.push(problem.help("split the flow"));
        }
    }

    /// The text of something in quotes.
    pub(super) fn in_quotes(&mut self, pair: &Pair<'_, Rule>) -> String {
        let written = pair.as_str();
        let quote = if pair.as_rule() == Rule::raw {
            '\''
        } else {
            '"'
        };
        let inside = written.strip_prefix(quote).unwrap_or(written);
        let inside = inside.strip_suffix(quote).unwrap_or(inside);
        if quote == '\'' {
            return inside.replace("\\'", "'");
        }
        let (text, wrong) = literal::unescape(inside);
        let begin = pair.as_span().start() + 1;
        for range in wrong {
            let at = super::super::span(self.file, begin + range.start, begin + range.end);
            let escape = inside.get(range).unwrap_or("");
            self.problems.push(trouble::bad_escape(at, escape));
        }
        text
    }
}
