//! The one spanned tree that both notations become.

use crate::model::Span;

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: `8080`, `true`, `some text`. Its type is told by its text.
    Plain,
    /// In quotes, or as a block: always text.
    Text,
    /// Without quotes in the text notation, where it is a name or an expression. The text is the template that means
    /// its value, `{{ name }}`; [`Node::word`] is what was written.
    Bare,
    /// It stood in a file of its own, whose path was written: text in which no template is one.
    File,
}

impl Style {
    /// What was written, of a scalar of this style: a bare name without the braces that its text has.
    #[must_use]
    pub fn word(self, text: &str) -> &str {
        let inside = match self {
            Self::Plain | Self::Text | Self::File => None,
            Self::Bare => text
                .strip_prefix("{{ ")
                .and_then(|text| text.strip_suffix(" }}")),
        };
        inside.unwrap_or(text)
    }
}

/// A value of a source text, with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: NodeValue,
    /// Where it stands.
    pub span: Span,
}

impl Node {
    /// The text of a scalar, however it was written.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Scalar { text, .. } => Some(text),
            NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => None,
        }
    }

    /// The text of a scalar where a word or an expression is wanted, and no template.
    #[must_use]
    pub fn word(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Scalar { text, style } => Some(style.word(text)),
            NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => None,
        }
    }

    /// Whether it is a scalar that is to be computed as it stands, without braces.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        match &self.value {
            NodeValue::Scalar { style, .. } => *style == Style::Bare,
            NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => false,
        }
    }

    /// What it is, in words: `a list`, `a mapping`, `text`, `nothing`.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match &self.value {
            NodeValue::Null => "nothing",
            NodeValue::Scalar { .. } => "text",
            NodeValue::List(_) => "a list",
            NodeValue::Map(_) => "a mapping",
        }
    }
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeValue {
    /// Nothing is written (`key:` alone), or `null`, `~`.
    Null,
    /// A number, a bool or text, as written (quotes and escapes resolved).
    Scalar {
        /// The text.
        text: String,
        /// How it was written.
        style: Style,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping, in file order, keys unique.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}
