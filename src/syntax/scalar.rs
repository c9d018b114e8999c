//! What a scalar without quotes is, and which of them other readers of YAML take for something else.

use serde_json::Number;

use super::{Node, NodeValue, Style};
use crate::model::Value;

/// Why readers of YAML disagree about a plain scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguity {
    /// `yes`, `no`, `on`, `off`, `True`: text here, a bool elsewhere.
    Bool,
    /// `0755`, `0x1F`, `1_000`: text here, a number elsewhere.
    Number,
    /// `1.10`: a number, which is written `1.1`.
    Lossy,
}

impl Ambiguity {
    /// What other readers, or this one, take it for.
    #[must_use]
    pub fn taken_for(self) -> &'static str {
        match self {
            Self::Bool => "a bool",
            Self::Number | Self::Lossy => "a number",
        }
    }
}

/// Why readers of YAML disagree about this text without quotes; `None` if they do not.
#[must_use]
pub fn ambiguity(text: &str) -> Option<Ambiguity> {
    const BOOLS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];
    if text.len() > 64 || text == "true" || text == "false" {
        return None;
    }
    if let Some(number) = number(text) {
        let same = number.to_string() == text || text.contains(['e', 'E']);
        return (!same).then_some(Ambiguity::Lossy);
    }
    if BOOLS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Some(Ambiguity::Bool);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let special = matches!(
        unsigned.to_ascii_lowercase().as_str(),
        ".inf" | ".nan" | "null"
    );
    let radix = ["0x", "0o", "0b"].iter().any(|prefix| {
        unsigned.strip_prefix(prefix).is_some_and(|digits| {
            !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit())
        })
    });
    let digits = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.contains(|c: char| c.is_ascii_digit())
        && unsigned
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '_' | '.'))
        && unsigned.matches('.').count() <= 1;
    (special || radix || digits).then_some(Ambiguity::Number)
}

/// What a plain scalar is: null, a bool, a number in JSON's form, else text.
#[must_use]
pub fn plain_value(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') || text.len() > 64 {
        return None;
    }
    serde_json::from_str(text).ok()
}

impl Node {
    /// The value of the tree as it is written: quotes make text, templates stay text.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Scalar { text, style } => match style {
                Style::Plain => plain_value(text),
                Style::Text | Style::Bare | Style::File => Value::String(text.clone()),
            },
            NodeValue::List(items) => items.iter().map(Self::to_value).collect(),
            NodeValue::Map(entries) => entries
                .iter()
                .map(|(key, node)| (key.text.clone(), node.to_value()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_json_forms_are_numbers_and_bools() {
        for (text, value) in [
            ("8080", json!(8080)),
            ("-3", json!(-3)),
            ("0.5", json!(0.5)),
            ("1e3", json!(1e3)),
            ("true", json!(true)),
            ("~", json!(null)),
            ("no", json!("no")),
            ("0755", json!("0755")),
            ("0x1F", json!("0x1F")),
            ("2026-11-24", json!("2026-11-24")),
            ("1 2", json!("1 2")),
            ("-", json!("-")),
        ] {
            assert_eq!(plain_value(text), value, "{text}");
        }
    }

    #[test]
    fn what_readers_disagree_about_is_known() {
        for (text, expected) in [
            ("no", Some(Ambiguity::Bool)),
            ("Yes", Some(Ambiguity::Bool)),
            ("TRUE", Some(Ambiguity::Bool)),
            ("0755", Some(Ambiguity::Number)),
            ("1_000", Some(Ambiguity::Number)),
            ("0x1F", Some(Ambiguity::Number)),
            (".5", Some(Ambiguity::Number)),
            ("+1", Some(Ambiguity::Number)),
            ("1.10", Some(Ambiguity::Lossy)),
            ("99999999999999999999999", Some(Ambiguity::Lossy)),
            ("1.5", None),
            ("1.0", None),
            ("8080", None),
            ("true", None),
            ("main", None),
            ("1.2.3", None),
            ("2026-11-24", None),
            ("10s", None),
        ] {
            assert_eq!(ambiguity(text), expected, "{text}");
        }
    }
}
