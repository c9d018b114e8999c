//! Values of the store: whether they fit their type and what is allowed.

use regex::RegexBuilder;

use super::Lower;
use super::read::{first_line, is_quoted};
use crate::model::{Declared, Span, Spanned, Type, TypeError, Value};
use crate::syntax::library;
use crate::syntax::{
    Node, NodeValue, Notation, Problem, ambiguity, code, did_you_mean, plain_value, quoted_text,
    shown,
};

/// How much memory a compiled pattern may take, in bytes.
const MAX_PATTERN: usize = 256 << 10;

impl Lower<'_> {
    /// The default of a name, in canonical form.
    pub(super) fn default(
        &mut self,
        declared: &Declared,
        node: &Node,
        typed: bool,
    ) -> Option<Value> {
        let value = self.value(&declared.ty, node, typed)?;
        match declared.check(value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong_type(node, &error);
                None
            }
        }
    }

    /// A node as a value of a type. With `typed`, the type is written out, and plain text is read as it says.
    pub(super) fn value(&mut self, ty: &Type, node: &Node, typed: bool) -> Option<Value> {
        if let (Type::List(item), NodeValue::List(nodes)) = (ty, &node.value) {
            let values: Vec<_> = nodes
                .iter()
                .map(|node| self.value(item, node, typed))
                .collect();
            return values
                .into_iter()
                .collect::<Option<Vec<_>>>()
                .map(Value::Array);
        }
        let value = match (&node.value, ty) {
            (
                NodeValue::Scalar { text, .. },
                Type::String | Type::Path | Type::File | Type::Template,
            ) if typed => {
                self.check_text(node, text);
                Value::String(text.clone())
            }
            _ => node.to_value(),
        };
        match ty.check(value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong_type(node, &error);
                None
            }
        }
    }

    /// Warns of text without quotes that other readers of YAML take for a bool or a number.
    fn check_text(&mut self, node: &Node, text: &str) {
        if is_quoted(node) {
            return;
        }
        let taken_for = match (plain_value(text), ambiguity(text)) {
            (Value::Bool(_), _) => "a bool",
            (Value::Number(_), _) => "a number",
            (_, Some(why)) => why.taken_for(),
            (_, None) => return,
        };
        let help = self.advice("", node.span, &format!("\"{text}\""));
        self.report(
            Problem::warning(
                code::AMBIGUOUS_TEXT,
                node.span,
                format!("`{text}` is taken as text, as its type says; without quotes it reads as {taken_for}"),
            )
            .help(help),
        );
    }

    fn wrong_type(&mut self, node: &Node, error: &TypeError) {
        let text = node.text().unwrap_or("");
        let plain = plain_value(text);
        let quoted = is_quoted(node);
        let help = match error {
            TypeError::Mismatch { expected, .. } => match expected.as_str() {
                "bool" if is_yes(text) || is_no(text) => {
                    self.advice("", node.span, if is_yes(text) { "true" } else { "false" })
                }
                "int" | "port" | "float" if quoted && plain.is_number() => {
                    self.advice("without the quotes", node.span, text)
                }
                "int" | "port" | "float" if let Some(number) = other_number(text) => {
                    self.advice("numbers are written in decimal", node.span, &number)
                }
                "duration" if plain.is_number() => self.advice(
                    "a duration has a unit (ms, s, m, h, d)",
                    node.span,
                    &format!("{text}s"),
                ),
                other if other.starts_with("list<") && !text.is_empty() => {
                    let with = format!("[{}]", self.written(node.span));
                    self.advice("", node.span, &with)
                }
                _ => "change the value, or its type".to_owned(),
            },
            TypeError::NotOneOf { allowed, .. } => match did_you_mean(text, allowed.split(", ")) {
                Some(meant) => {
                    let with = match Notation::of_file(self.source) {
                        Notation::Text if !plain_value(meant).is_number() => quoted_text(meant),
                        Notation::Text | Notation::Yaml => meant.to_owned(),
                    };
                    self.advice(&format!("did you mean `{meant}`? write"), node.span, &with)
                }
                None => "write one of those, or add it to `one_of`".to_owned(),
            },
            TypeError::OutOfRange { .. } | TypeError::Pattern { .. } => {
                "change the value, or what is allowed".to_owned()
            }
        };
        self.report(
            Problem::error(
                code::WRONG_TYPE,
                first_line(node.span, self.written(node.span)),
                clipped(error),
            )
            .help(help),
        );
    }

    pub(super) fn bound(&mut self, ty: &Type, key: &Spanned<String>, node: Node) -> Option<Value> {
        let measure = match ty {
            Type::Int | Type::Float | Type::Port | Type::Size | Type::Duration => ty.clone(),
            Type::String | Type::Url | Type::Path | Type::List(_) => Type::Size,
            Type::Bool | Type::Date | Type::File | Type::Template | Type::Map | Type::Any => {
                self.report(
                    Problem::error(
                        code::BAD_BOUND,
                        key.span,
                        format!("`{}` means nothing for the type `{ty}`", key.value),
                    )
                    .help("it is for numbers, sizes and durations, and for the length of texts and lists"),
                );
                return None;
            }
        };
        match measure.check(node.to_value()) {
            Ok(value) => Some(value),
            Err(_) => {
                let wanted = match ty {
                    Type::String | Type::Url | Type::Path | Type::List(_) => {
                        "a length: a whole number, such as 3"
                    }
                    other => other.hint(),
                };
                let shown = shown(self.written(node.span));
                self.report(
                    Problem::error(
                        code::BAD_BOUND,
                        first_line(node.span, self.written(node.span)),
                        format!("`{shown}` is no `{}` for the type `{ty}`", key.value),
                    )
                    .help(format!("write {wanted}")),
                );
                None
            }
        }
    }

    pub(super) fn check_bounds(&mut self, declared: &Declared, max: Option<Span>) {
        let (Some(place), Some(most)) = (max, declared.max.clone()) else {
            return;
        };
        let only_min = Declared {
            max: None,
            one_of: Vec::new(),
            pattern: None,
            ty: match &declared.ty {
                Type::Duration => Type::Duration,
                _ => Type::Any,
            },
            ..declared.clone()
        };
        if let Err(TypeError::OutOfRange { found, bound, .. }) = only_min.check(most) {
            self.report(
                Problem::error(
                    code::BAD_BOUND,
                    place,
                    format!("`max` of {found} is below `min` of {bound}, so no value is allowed"),
                )
                .help("exchange them, or leave one out"),
            );
        }
    }

    pub(super) fn pattern(&mut self, ty: &Type, place: Span, node: Node) -> Option<String> {
        match ty {
            Type::String | Type::Url | Type::Path | Type::Date => {}
            Type::Int
            | Type::Float
            | Type::Bool
            | Type::Duration
            | Type::Size
            | Type::Port
            | Type::File
            | Type::Template
            | Type::List(_)
            | Type::Map
            | Type::Any => {
                self.report(
                    Problem::error(
                        code::BAD_PATTERN,
                        place,
                        format!("`pattern` means nothing for the type `{ty}`"),
                    )
                    .help("it is for text: string, url, path, date"),
                );
                return None;
            }
        }
        let text = self.text(node, "pattern")?;
        // Both: a pattern that is only whole with what is put around it would match something else.
        if self.problems.is_full() {
            return None;
        }
        let wrong = [text.value.clone(), format!("^(?:{})$", text.value)]
            .iter()
            .find_map(|pattern| {
                let compiled = RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build();
                compiled.err()
            });
        let Some(error) = wrong else {
            return Some(text.value);
        };
        let why = error.to_string();
        let why = why
            .lines()
            .last()
            .unwrap_or("")
            .trim_start_matches("error: ")
            .to_owned();
        self.report(
            Problem::error(
                code::BAD_PATTERN,
                text.span,
                format!("`{}` is no regular expression: {}", shown(&text.value), shown(&why)),
            )
            .help("put a backslash before characters that are meant as they are, in single quotes: '\\.'"),
        );
        None
    }

    pub(super) fn check_secret(
        &mut self,
        name: &Spanned<String>,
        place: Span,
        default: Option<&Node>,
        from: bool,
    ) {
        if let Some(node) = default {
            self.report(
                Problem::error(
                    code::SECRET_DEFAULT,
                    first_line(node.span, self.written(node.span)),
                    format!(
                        "`{}` is a secret; its default would be written to the store",
                        shown(&name.value)
                    ),
                )
                .help_in("say where it is read from instead: `from: env:NAME` or `from: file:PATH`", "say where it is read from instead: `from = \"env:NAME\"` or `from = \"file:PATH\"`"),
            );
        } else if !from && name.span.file == 0 && !library::is_task_kind(&self.source.path) {
            // What is part of another flow is given its secrets by that.
            self.report(
                Problem::warning(
                    code::SECRET_WITHOUT_SOURCE,
                    place,
                    format!("`{}` is a secret, and does not say where it is read from", shown(&name.value)),
                )
                .help_in(
                    format!("add `from: env:NAME` or `from: file:PATH`; or give it whenever the flow is posted: --secret {}=env:NAME", shown(&name.value)),
                    format!("add `from = \"env:NAME\"` or `from = \"file:PATH\"`; or give it whenever the flow is posted: --secret {}=env:NAME", shown(&name.value)),
                ),
            );
        }
    }

    /// Nothing is filled in in `store`: it is what templates are filled in from.
    pub(super) fn check_template(&mut self, node: &Node) {
        match &node.value {
            NodeValue::Null => {}
            NodeValue::Scalar { text, .. } => {
                if text.contains("{{") {
                    self.report(
                        Problem::warning(
                            code::TEMPLATE_IN_STORE,
                            first_line(node.span, self.written(node.span)),
                            "a default is taken as it is: no template is filled in here",
                        )
                        .help("put the template where the value is used"),
                    );
                }
            }
            NodeValue::List(items) => items.iter().for_each(|item| self.check_template(item)),
            NodeValue::Map(entries) => entries
                .iter()
                .for_each(|(_, node)| self.check_template(node)),
        }
    }
}

/// Whether a word means yes elsewhere.
pub(super) fn is_yes(text: &str) -> bool {
    ["y", "yes", "on", "true"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

fn is_no(text: &str) -> bool {
    ["n", "no", "off", "false"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

/// A number in a notation that is not decimal, in decimal.
fn other_number(text: &str) -> Option<String> {
    let plain = text.replace('_', "");
    if plain != text {
        return plain.parse::<i64>().ok().map(|n| n.to_string());
    }
    let (radix, digits) = match text.get(..2)? {
        "0x" => (16, &text[2..]),
        "0o" => (8, &text[2..]),
        "0b" => (2, &text[2..]),
        _ => return None,
    };
    i64::from_str_radix(digits, radix)
        .ok()
        .map(|n| n.to_string())
}

/// The error as a message, with what was found in it not longer than messages are.
fn clipped(error: &TypeError) -> String {
    if let TypeError::Mismatch {
        expected,
        hint,
        found,
    } = error
    {
        let hint = match expected.as_str() {
            "map" => "a mapping, such as { a: 1 }",
            list if list.starts_with("list<") => "a list, such as [a, b]",
            _ => *hint,
        };
        return format!("`{}` is not of the type `{expected}`: {hint}", shown(found));
    }
    let mut error = error.clone();
    match &mut error {
        TypeError::Mismatch { found, .. } | TypeError::Pattern { found, .. } => {
            *found = shown(found)
        }
        TypeError::OutOfRange { found, bound, .. } => {
            *found = shown(found);
            *bound = shown(bound);
        }
        TypeError::NotOneOf { found, allowed } => {
            *found = shown(found);
            if allowed.chars().count() > 200 {
                *allowed = shown(allowed);
            }
        }
    }
    error.to_string()
}
