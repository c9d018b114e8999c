//! A parameter's value, read by its shape.
//!
//! A node enters; a template leaves, or what is wrong with it, in the author's words.

use indexmap::IndexMap;

use crate::compile::Template;
use crate::compile::template::{Dialect, Source, read_script, read_statement, read_url};
use crate::compile::uses::{Found, Spot};
use crate::model::{Shape, Span, Type, Value, format_duration, parse_duration, parse_size};
use crate::syntax::{Node, NodeValue, Problem, Style, code, did_you_mean, quoted_text};

/// A parameter that is being read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// What kind of place it is, for what is neither an argument nor a URL.
    pub spot: Spot,
    /// The dialect of a script; `None` for another interpreter.
    pub dialect: Option<Dialect>,
}

/// Reads a node by its shape; `None` if it is wrong, which is then noted.
pub(crate) fn read(
    shape: Shape,
    node: &Node,
    reading: Reading<'_>,
    found: &mut Found,
) -> Option<Template> {
    match shape {
        Shape::Text | Shape::Path => reading.text(node, found),
        Shape::Script => {
            let source = reading.scalar(node, "a script", found)?;
            Some(read_script(source, reading.dialect, found))
        }
        Shape::Statement => {
            let source = reading.scalar(node, "text", found)?;
            Some(read_statement(source, found))
        }
        Shape::Argv => reading.arguments(node, found),
        Shape::Url => Some(read_url(reading.scalar(node, "a URL", found)?, found)),
        Shape::Json => Some(reading.tree(node, found)),
        Shape::TextMap => reading.map(node, found, |reading, node, found| {
            reading.text(node, found)
        }),
        Shape::Query => reading.map(node, found, |reading, node, found| {
            reading.query(node, found)
        }),
        Shape::Duration => reading
            .typed(node, found, |text| {
                parse_duration(text).map(|d| format_duration(d).into())
            })
            .or_else(|| reading.mistyped(node, Type::Duration.hint(), found)),
        Shape::Period => reading
            .typed(node, found, |text| {
                let period = parse_duration(text).filter(|period| !period.is_zero());
                period.map(|period| format_duration(period).into())
            })
            .or_else(|| reading.no_period(node, found)),
        Shape::Instant => reading
            .typed(node, found, |text| {
                text.parse::<jiff::Timestamp>().ok().map(|_| text.into())
            })
            .or_else(|| reading.mistyped(node, "an instant, such as 2026-11-24T08:00:00Z", found)),
        Shape::Sha256 => reading
            .typed(node, found, |text| {
                let sum = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                sum.then(|| text.into())
            })
            .or_else(|| reading.mistyped(node, "64 hexadecimal digits", found)),
        // An expression is read by the catalog, which knows what it may name.
        Shape::Expression => reading.text(node, found),
        Shape::StatusCodes => reading.status_codes(node, found),
        Shape::Bool => reading
            .typed(node, found, |text| {
                text.parse::<bool>().ok().map(Value::from)
            })
            .or_else(|| reading.mistyped(node, Type::Bool.hint(), found)),
        Shape::Int => reading
            .typed(node, found, |text| {
                text.parse::<u32>().ok().map(Value::from)
            })
            .or_else(|| reading.mistyped(node, "a whole number, at least 0", found)),
        Shape::Size => reading
            .typed(node, found, |text| parse_size(text).map(Value::from))
            .or_else(|| reading.mistyped(node, Type::Size.hint(), found)),
        // A word without quotes, in the text notation.
        Shape::Word(words) if node.word().is_some_and(|word| words.contains(&word)) => {
            Some(Template::Literal(node.word().unwrap_or_default().into()))
        }
        Shape::Word(words) => {
            let known = |text: &str| words.contains(&text).then(|| text.into());
            reading.typed(node, found, known).or_else(|| {
                let (text, span) = (node_text(node).unwrap_or_default(), node.span);
                let what = format!("`{}` is not a {}", text, reading.name);
                let meant = did_you_mean(&text.to_ascii_uppercase(), words.iter().copied())
                    .or_else(|| did_you_mean(text, words.iter().copied()));
                let problem = Problem::error(code::BAD_WORD, span, what);
                found.wrong(match meant {
                    Some(meant) => problem.did_you_mean(text, meant),
                    None => problem.help(format!("write one of {}", words.join(", "))),
                });
                None
            })
        }
    }
}

impl Reading<'_> {
    fn wrong(&self, span: Span, wanted: &str, node: &NodeValue, found: &mut Found) {
        let what = match node {
            NodeValue::Null => "nothing is written",
            NodeValue::Scalar { .. } => "text is written",
            NodeValue::List(_) => "a list is written",
            NodeValue::Map(_) => "a mapping is written",
        };
        let help = match wanted {
            "a mapping" => (
                format!("write `{}: {{ name: value }}`", self.name),
                format!("write `{} {{ name = value }}`", self.name),
            ),
            other => (format!("write {other}"), format!("write {other}")),
        };
        let what = format!("`{}` wants {wanted}, and {what}", self.name);
        found.wrong(Problem::error(code::WRONG_SHAPE, span, what).help_in(help.0, help.1));
    }

    fn mistyped(&self, node: &Node, hint: &str, found: &mut Found) -> Option<Template> {
        match node_text(node) {
            Some(text) if !text.contains("{{") => {
                let what = format!("`{text}` does not fit `{}`", self.name);
                found.wrong(
                    Problem::error(code::WRONG_TYPE, node.span, what).help(format!("write {hint}")),
                );
            }
            // What is wrong with a template was noted when it was read.
            Some(_) => {}
            None => self.wrong(node.span, hint, &node.value, found),
        }
        None
    }

    /// What is wrong with a limit or a period: no duration, or nothing.
    fn no_period(&self, node: &Node, found: &mut Found) -> Option<Template> {
        let nothing = node_text(node).and_then(parse_duration);
        if nothing.is_none_or(|duration| !duration.is_zero()) {
            return self.mistyped(node, Type::Duration.hint(), found);
        }
        let what = format!("a `{}` of nothing makes no sense", self.name);
        let name = self.name;
        found.wrong(
            Problem::error(code::BAD_DURATION, node.span, what).help(format!(
                "leave `{name}` out, or write more than nothing, such as 500ms or 10s"
            )),
        );
        None
    }

    fn scalar<'n>(&self, node: &'n Node, wanted: &str, found: &mut Found) -> Option<Source<'n>> {
        match node_text(node) {
            Some(text) => Some(Source::new(text, node.span)),
            None => {
                self.wrong(node.span, wanted, &node.value, found);
                None
            }
        }
    }

    fn text(self, node: &Node, found: &mut Found) -> Option<Template> {
        Some(self.scalar(node, "text", found)?.text(self.spot, found))
    }

    /// A value of one type: literal text that `known` reads, or a template, whose value keeps its type.
    fn typed(
        &self,
        node: &Node,
        found: &mut Found,
        known: impl Fn(&str) -> Option<Value>,
    ) -> Option<Template> {
        let source = Source::new(node_text(node)?, node.span);
        let before = found.problems.len();
        match source.value(self.spot, found) {
            Template::Literal(Value::String(text)) if found.problems.len() == before => {
                known(text.trim()).map(Template::Literal)
            }
            Template::Literal(_) => None,
            template => Some(template),
        }
    }

    fn arguments(&self, node: &Node, found: &mut Found) -> Option<Template> {
        let items = match &node.value {
            NodeValue::List(items) => items.as_slice(),
            NodeValue::Scalar { text, .. } => {
                let words = words_of(text);
                if words.len() > 1 {
                    let what = format!(
                        "`{}` wants a list of arguments, and this is one text",
                        self.name
                    );
                    let problem = Problem::error(code::WRONG_SHAPE, node.span, what);
                    let quoted = words.iter().map(|word| match word.strip_prefix('"') {
                        Some(_) => word.clone(),
                        None => quoted_text(word),
                    });
                    let quoted = quoted.collect::<Vec<_>>().join(", ");
                    let yaml = format!("write [{}]", words.join(", "));
                    found.wrong(problem.help_in(yaml, format!("write [{quoted}]")));
                    return None;
                }
                std::slice::from_ref(node)
            }
            NodeValue::Null | NodeValue::Map(_) => {
                self.wrong(node.span, "a list of arguments", &node.value, found);
                return None;
            }
        };
        if items.is_empty() {
            let what = format!("`{}` is an empty list", self.name);
            found.wrong(
                Problem::error(code::NO_ARGUMENTS, node.span, what).help("begin it with a program"),
            );
            return None;
        }
        let items = items.iter().filter_map(|item| {
            let source = self.scalar(item, "text for each argument", found)?;
            Some(source.value(Spot::Argument, found))
        });
        Some(Template::Argv(items.collect()))
    }

    /// A tree of values: scalars are what they are, templates keep their type.
    pub fn tree(&self, node: &Node, found: &mut Found) -> Template {
        match &node.value {
            NodeValue::Null => Template::Literal(Value::Null),
            NodeValue::Scalar { text, style } => {
                if *style == Style::File {
                    return Template::Literal(Value::from(text.as_str()));
                }
                let source = Source::new(text, node.span);
                match (source.value(self.spot, found), style) {
                    (Template::Literal(_), Style::Plain) if !text.contains("\\{{") => {
                        Template::Literal(node.to_value())
                    }
                    (template, Style::Plain | Style::Text | Style::Bare | Style::File) => template,
                }
            }
            NodeValue::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.tree(item, found)).collect();
                fold(Template::List(items))
            }
            NodeValue::Map(entries) => {
                let mut map = IndexMap::new();
                for (key, item) in entries {
                    literal_key(&key.text, key.span, found);
                    map.insert(key.text.clone(), self.tree(item, found));
                }
                fold(Template::Map(map))
            }
        }
    }

    fn map(
        &self,
        node: &Node,
        found: &mut Found,
        item: impl Fn(Reading<'_>, &Node, &mut Found) -> Option<Template>,
    ) -> Option<Template> {
        let entries = match &node.value {
            NodeValue::Map(entries) => entries,
            NodeValue::Scalar { text, .. } => {
                return match Source::new(text, node.span).value(self.spot, found) {
                    Template::Value(expression) => Some(Template::Value(expression)),
                    _ => {
                        self.wrong(node.span, "a mapping", &node.value, found);
                        None
                    }
                };
            }
            NodeValue::Null | NodeValue::List(_) => {
                self.wrong(node.span, "a mapping", &node.value, found);
                return None;
            }
        };
        let mut map = IndexMap::new();
        for (key, value) in entries {
            literal_key(&key.text, key.span, found);
            if let Some(value) = item(
                Reading {
                    name: &key.text,
                    ..*self
                },
                value,
                found,
            ) {
                map.insert(key.text.clone(), value);
            }
        }
        Some(fold(Template::Map(map)))
    }

    /// The value of one name in a query: text, or a list of text. A template that is all of it keeps its type.
    fn query(self, node: &Node, found: &mut Found) -> Option<Template> {
        match &node.value {
            NodeValue::List(items) => {
                let items = items.iter().filter_map(|item| self.text(item, found));
                Some(fold(Template::List(items.collect())))
            }
            NodeValue::Scalar { text, .. } => {
                Some(Source::new(text, node.span).value(self.spot, found))
            }
            NodeValue::Null | NodeValue::Map(_) => {
                self.wrong(node.span, "text or a list", &node.value, found);
                None
            }
        }
    }

    fn status_codes(&self, node: &Node, found: &mut Found) -> Option<Template> {
        let items = match &node.value {
            NodeValue::List(items) => items.as_slice(),
            NodeValue::Scalar { .. } => std::slice::from_ref(node),
            NodeValue::Null | NodeValue::Map(_) => {
                self.wrong(node.span, "a list of status codes", &node.value, found);
                return None;
            }
        };
        if items.is_empty() {
            return self.mistyped(node, "a list of status codes", found);
        }
        let code = |text: &str| {
            let code: u16 = text.parse().ok()?;
            (100..600).contains(&code).then(|| Value::from(code))
        };
        let mut codes = Vec::new();
        for item in items {
            let template = self.typed(item, found, code);
            if let (Some(Template::Value(_)), [_], NodeValue::Scalar { .. }) =
                (&template, items, &node.value)
            {
                return template;
            }
            match template {
                Some(template) => codes.push(template),
                None => {
                    self.mistyped(item, "a status code, from 100 to 599", found);
                }
            }
        }
        Some(fold(Template::List(codes)))
    }
}

/// A tree without templates is a literal.
fn fold(template: Template) -> Template {
    let literal = |template: &Template| matches!(template, Template::Literal(_));
    let all = match &template {
        Template::List(items) => items.iter().all(literal),
        Template::Map(items) => items.values().all(literal),
        Template::Literal(_)
        | Template::Value(_)
        | Template::Text(_)
        | Template::Argv(_)
        | Template::Url(_)
        | Template::Script { .. } => false,
    };
    match all.then(|| template.render(&IndexMap::new())) {
        Some(Ok(value)) => Template::Literal(value),
        Some(Err(_)) | None => template,
    }
}

/// The words of a text as a list of arguments would have them: a template is part of one word, whatever stands in it.
fn words_of(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut inside, mut between) = (false, true);
    for (at, c) in text.char_indices() {
        match &text[at..] {
            rest if rest.starts_with("{{") => inside = true,
            _ if text[..at].ends_with("}}") => inside = false,
            _ => {}
        }
        if c.is_whitespace() && !inside {
            between = true;
            continue;
        }
        if std::mem::take(&mut between) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    let quoted = |word: String| match word.contains("{{") {
        true => format!("\"{word}\""),
        false => word,
    };
    words.into_iter().map(quoted).collect()
}

fn literal_key(key: &str, span: Span, found: &mut Found) {
    if key.contains("{{") {
        let what = "a template stands in a key";
        found.wrong(
            Problem::error(code::TEMPLATE_IN_KEY, span, what)
                .help("keys are written out; a mapping with other keys can be one template"),
        );
    }
}

/// The text of a scalar.
pub(crate) fn node_text(node: &Node) -> Option<&str> {
    match &node.value {
        NodeValue::Scalar { text, .. } => Some(text),
        NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => None,
    }
}
