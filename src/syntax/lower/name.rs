//! Names, and lists of them.

use super::{Lower, entries};
use crate::model::Spanned;
use crate::syntax::{Node, NodeValue, Problem, code, shown};

/// What the language keeps for itself: names that are always there, and words of expressions.
pub const RESERVED: [&str; 15] = [
    "flow",
    "task",
    "conductor",
    "result",
    "failure",
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "true",
    "false",
    "none",
];

/// Whether a text has the letters of a name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// A name made of any text: what was probably meant, or a name for a flow that has none.
pub(super) fn as_name(text: &str) -> Option<String> {
    let mut name = String::new();
    for c in text.chars().take(64) {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_matches('_');
    is_name(name).then(|| name.to_owned())
}

impl Lower<'_> {
    /// Reports a name that cannot be one. `what` says what for: `the name of a task`.
    pub(super) fn check_name(&mut self, name: &Spanned<String>, what: &str) {
        let text = name.value.as_str();
        if RESERVED.contains(&text) {
            let help = self.advice(
                "choose another one, for example",
                name.span,
                &format!("my_{text}"),
            );
            self.report(
                Problem::error(
                    code::RESERVED_NAME,
                    name.span,
                    format!("`{text}` cannot be {what}: the language keeps it for itself"),
                )
                .help(help),
            );
            return;
        }
        self.check_letters(name, what);
    }

    /// The same without the reserved names: for flows, whose names no expression sees.
    pub(super) fn check_letters(&mut self, name: &Spanned<String>, what: &str) {
        let text = name.value.as_str();
        if is_name(text) {
            return;
        }
        let rule = "names begin with a letter a-z, and go on with letters, digits and `_`";
        let help = match as_name(text) {
            Some(better) => self.advice(rule, name.span, &better),
            None => rule.to_owned(),
        };
        self.report(
            Problem::error(
                code::BAD_NAME,
                name.span,
                format!("`{}` cannot be {what}", shown(text)),
            )
            .help(help),
        );
    }

    /// A scalar as a name, unchecked.
    pub(super) fn name(&mut self, node: Node, key: &str) -> Option<Spanned<String>> {
        match node.value {
            NodeValue::Scalar { text, style } if !text.trim().is_empty() => {
                Some(Spanned::new(style.word(&text).trim().to_owned(), node.span))
            }
            NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::List(_) | NodeValue::Map(_) => {
                self.wrong_shape(&node, key, "a name");
                None
            }
        }
    }

    /// A list of names. A single name is reported, and taken as a list of one.
    pub(super) fn names(&mut self, node: Node, key: &str) -> Vec<Spanned<String>> {
        match node.value {
            NodeValue::List(items) => items
                .into_iter()
                .filter_map(|item| self.name(item, key))
                .collect(),
            NodeValue::Scalar { text, style } if !text.trim().is_empty() => {
                let with = format!("[{}]", self.written(node.span));
                let line = self.advice("", node.span, &with);
                // The key may be one that was meant to be another.
                let help = match line.contains(key) {
                    true => line,
                    false => format!("write `{key}` with the list {}", shown(&with)),
                };
                self.report(
                    Problem::error(
                        code::WRONG_SHAPE,
                        node.span,
                        format!("`{key}` is a list of names, and this is one name"),
                    )
                    .help(help),
                );
                style
                    .word(&text)
                    .split(',')
                    .map(|name| Spanned::new(name.trim().to_owned(), node.span))
                    .collect()
            }
            NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::Map(_) => {
                self.wrong_shape(&node, key, "a list of names, such as [a, b]");
                let names = entries(node).unwrap_or_default();
                names
                    .into_iter()
                    .map(|(key, _)| Spanned::new(key.text, key.span))
                    .collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_any_text() {
        for (text, name) in [
            ("http_server", Some("http_server")),
            ("My Flow-2", Some("my_flow_2")),
            ("--x--", Some("x")),
            ("2nd", None),
            ("…", None),
        ] {
            assert_eq!(as_name(text).as_deref(), name, "{text}");
        }
    }
}
