//! Single values: text, durations, numbers, bools, words, expressions.

use std::str::FromStr;

use super::keys::list;
use super::{Lower, entries};
use crate::model::{Duration, Span, Spanned, parse_duration};
use crate::syntax::{Node, NodeValue, Problem, Style, code, did_you_mean, shown};

impl Lower<'_> {
    /// Reports that `key` wants something else than what stands there.
    pub(super) fn wrong_shape<'w>(
        &mut self,
        node: &Node,
        key: &str,
        wanted: impl Into<Wanted<'w>>,
    ) {
        let Wanted { yaml, text } = wanted.into();
        let problem = match node.value {
            NodeValue::Null => Problem::error(
                code::MISSING_VALUE,
                node.span,
                format!("`{key}` has nothing behind it"),
            ),
            NodeValue::Scalar { .. } | NodeValue::List(_) | NodeValue::Map(_) => Problem::error(
                code::WRONG_SHAPE,
                first_line(node.span, self.written(node.span)),
                format!(
                    "`{key}` wants {}, and this is {}",
                    kind_of(yaml),
                    node.describe()
                ),
            ),
        };
        self.report(problem.help_in(format!("write {yaml}"), format!("write {text}")));
    }

    /// Any scalar as text, as it is written.
    pub(super) fn text(&mut self, node: Node, key: &str) -> Option<Spanned<String>> {
        self.scalar(node, key, "text")
    }

    /// Any scalar as text, as it is written, where something more particular than text is wanted.
    fn scalar(&mut self, node: Node, key: &str, wanted: &str) -> Option<Spanned<String>> {
        match node.value {
            NodeValue::Scalar { text, style } => {
                Some(Spanned::new(style.word(&text).to_owned(), node.span))
            }
            NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => {
                self.wrong_shape(&node, key, wanted);
                None
            }
        }
    }

    /// One line about something.
    pub(super) fn about(&mut self, node: Node) -> Option<String> {
        self.text(node, "about").map(|text| text.value)
    }

    /// A scalar that stays a node, since templates may stand in it.
    pub(super) fn template(&mut self, node: Node, key: &str) -> Option<Node> {
        match node.value {
            NodeValue::Scalar { .. } => Some(node),
            NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => {
                self.wrong_shape(&node, key, "text");
                None
            }
        }
    }

    /// The environment of a process.
    pub(super) fn env(&mut self, node: Node) -> Vec<(Spanned<String>, Node)> {
        let entries = match entries(node) {
            Ok(entries) => entries,
            Err(other) => {
                self.wrong_shape(
                    &other,
                    "env",
                    (
                        "a mapping of names and texts, such as { NAME: text }",
                        "a mapping of names and texts, such as { NAME = \"text\" }",
                    ),
                );
                return Vec::new();
            }
        };
        let mut variables = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            let ok = !key.text.starts_with(|c: char| c.is_ascii_digit())
                && !key.text.is_empty()
                && key
                    .text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !ok {
                self.report(
                    Problem::error(
                        code::BAD_VARIABLE,
                        key.span,
                        format!(
                            "`{}` cannot be the name of an environment variable",
                            shown(&key.text)
                        ),
                    )
                    .help("use letters, digits and `_`, and no digit at the beginning"),
                );
            }
            if let Some(node) = self.template(node, &key.text) {
                variables.push((Spanned::new(key.text, key.span), node));
            }
        }
        variables
    }

    /// A duration that does not depend on anything.
    pub(super) fn duration(&mut self, node: Node, key: &str) -> Option<Spanned<Duration>> {
        let text = self.scalar(node, key, "a duration, such as 10s")?;
        if let Some(duration) = parse_duration(&text.value) {
            return Some(Spanned::new(duration, text.span));
        }
        let problem = Problem::error(
            code::BAD_DURATION,
            text.span,
            format!("`{}` is not a duration", shown(&text.value)),
        );
        let number = text.value.trim().parse::<f64>().is_ok_and(|n| n >= 0.0);
        let help = if number {
            let with = format!("{}s", text.value.trim());
            self.advice("a duration has a unit (ms, s, m, h, d)", text.span, &with)
        } else if text.value.contains("{{") {
            format!(
                "`{key}` is fixed when the flow is read: write a number with a unit, such as 10s"
            )
        } else {
            "write numbers with units, the largest first: 500ms, 10s, 1m30s, 2h, 1d".to_owned()
        };
        self.report(problem.help(help));
        None
    }

    /// A duration that something may take: more than nothing.
    pub(super) fn timeout(&mut self, node: Node) -> Option<Spanned<Duration>> {
        let timeout = self.duration(node, "timeout")?;
        if timeout.value.is_zero() {
            self.report(
                Problem::error(
                    code::BAD_DURATION,
                    timeout.span,
                    "with a `timeout` of nothing, every attempt fails",
                )
                .help("leave `timeout` out for no limit, or write how long it may take"),
            );
            return None;
        }
        Some(timeout)
    }

    /// A number that does not depend on anything.
    pub(super) fn number<N: FromStr>(
        &mut self,
        node: Node,
        key: &str,
        wanted: &str,
    ) -> Option<Spanned<N>> {
        let quoted = is_quoted(&node);
        let text = self.scalar(node, key, wanted)?;
        let plain = text.value.trim();
        match plain.parse::<N>() {
            Ok(number) if !quoted => return Some(Spanned::new(number, text.span)),
            Ok(_) | Err(_) => {}
        }
        let help = if quoted && plain.parse::<N>().is_ok() {
            self.advice("without the quotes", text.span, plain)
        } else if plain.contains("{{") {
            format!("`{key}` is fixed when the flow is read: write {wanted}")
        } else {
            format!("write {wanted}")
        };
        let what = if quoted {
            "text, not a number"
        } else {
            "not such a number"
        };
        self.report(
            Problem::error(
                code::BAD_NUMBER,
                text.span,
                format!(
                    "`{key}` wants {wanted}, and `{}` is {what}",
                    shown(&text.value)
                ),
            )
            .help(help),
        );
        None
    }

    /// A whole number of at least 1.
    pub(super) fn count(&mut self, node: Node, key: &str) -> Option<Spanned<u32>> {
        const WANTED: &str = "a whole number of at least 1";
        let count = self.number::<u32>(node, key, WANTED)?;
        if count.value == 0 {
            self.report(
                Problem::error(
                    code::BAD_NUMBER,
                    count.span,
                    format!("`{key}` wants {WANTED}, and 0 would let nothing run"),
                )
                .help(format!("write {WANTED}, or leave `{key}` out for no limit")),
            );
            return None;
        }
        Some(count)
    }

    /// `true` or `false`; `false` after a problem.
    pub(super) fn bool(&mut self, node: Node, key: &str) -> bool {
        let quoted = is_quoted(&node);
        let Some(text) = self.scalar(node, key, "`true` or `false`") else {
            return false;
        };
        let word = text.value.trim().to_ascii_lowercase();
        let meant = match word.as_str() {
            "true" | "yes" | "on" | "y" | "1" => Some(true),
            "false" | "no" | "off" | "n" | "0" => Some(false),
            _ => None,
        };
        if !quoted && matches!(text.value.as_str(), "true" | "false") {
            return text.value == "true";
        }
        let help = match meant {
            Some(meant) => self.advice("", text.span, if meant { "true" } else { "false" }),
            None if word.contains("{{") => {
                format!(
                    "`{key}` is fixed when the flow is read; a condition is an expression under `when`"
                )
            }
            None => "write `true` or `false`".to_owned(),
        };
        let quotes = if quoted {
            ", in quotes, is text"
        } else {
            " is text"
        };
        self.report(
            Problem::error(
                code::BAD_BOOL,
                text.span,
                format!(
                    "`{key}` wants `true` or `false`; `{}`{quotes} here",
                    shown(&text.value)
                ),
            )
            .help(help),
        );
        meant.unwrap_or(false)
    }

    /// One of some words, which `parse` knows.
    pub(super) fn word<T>(
        &mut self,
        node: Node,
        key: &str,
        words: &[&str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Spanned<T>> {
        let wanted = list(words.iter().copied(), "or");
        let text = self.scalar(node, key, &wanted)?;
        if let Some(value) = parse(&text.value) {
            return Some(Spanned::new(value, text.span));
        }
        let plain = text.value.to_ascii_lowercase().replace(['-', ' '], "_");
        let meant = words
            .contains(&plain.as_str())
            .then_some(plain.as_str())
            .or_else(|| did_you_mean(&text.value, words.iter().copied()));
        let help = match meant {
            Some(meant) => self.advice(&format!("did you mean `{meant}`? write"), text.span, meant),
            None => format!("write {wanted}"),
        };
        self.report(
            Problem::error(
                code::BAD_WORD,
                text.span,
                format!("`{}` is no `{key}`", shown(&text.value)),
            )
            .help(help),
        );
        None
    }

    /// A bare expression.
    pub(super) fn expression(&mut self, node: Node, key: &str) -> Option<Spanned<String>> {
        let mut text = self.scalar(node, key, "an expression, such as name == \"value\"")?;
        let trimmed = text.value.trim();
        if trimmed.is_empty() {
            self.report(
                Problem::error(
                    code::MISSING_VALUE,
                    text.span,
                    format!("`{key}` has no expression"),
                )
                .help_in(
                    format!("write an expression, such as {key}: name == \"value\""),
                    format!("write an expression, such as {key} = name == \"value\""),
                ),
            );
            return None;
        }
        if let Some(bare) = trimmed
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("}}"))
            .filter(|bare| !bare.contains("{{"))
        {
            let bare = bare.trim().to_owned();
            let help = self.advice("without braces", text.span, &bare);
            self.report(
                Problem::error(
                    code::TEMPLATE_IN_EXPRESSION,
                    text.span,
                    format!("`{key}` is an expression already, and needs no braces"),
                )
                .help(help),
            );
            text.value = bare;
        }
        Some(text)
    }
}

pub(super) fn is_quoted(node: &Node) -> bool {
    matches!(
        node.value,
        NodeValue::Scalar {
            style: Style::Text,
            ..
        }
    )
}

/// What is wanted, with an example, in the words of each notation.
pub(super) struct Wanted<'w> {
    yaml: &'w str,
    text: &'w str,
}

impl<'w> From<&'w str> for Wanted<'w> {
    fn from(both: &'w str) -> Self {
        Self {
            yaml: both,
            text: both,
        }
    }
}

impl<'w> From<(&'w str, &'w str)> for Wanted<'w> {
    fn from((yaml, text): (&'w str, &'w str)) -> Self {
        Self { yaml, text }
    }
}

/// What is wanted, without the example behind it.
fn kind_of(wanted: &str) -> &str {
    wanted.split(", such as").next().unwrap_or(wanted)
}

/// The part of a span that stands in its first line: enough to underline.
pub(super) fn first_line(span: Span, written: &str) -> Span {
    const LONGEST: usize = 200;
    let shown = &written[..written.floor_char_boundary(LONGEST)];
    let line = shown.lines().next().unwrap_or("").trim_end();
    Span {
        end: span.start + u32::try_from(line.len()).unwrap_or(0),
        ..span
    }
}
