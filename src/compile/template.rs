//! Templates: trees of text with `{{ expression }}` in it, and what they become. Values never become code.

use indexmap::IndexMap;
use serde::Serialize;

use super::{Expression, ExpressionError};
use crate::model::Value;

/// A template did not yield a value.
pub type TemplateError = ExpressionError;

/// A tree in which templates may stand. Rendering it yields a plain value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Template {
    /// No template in it.
    Literal(Value),
    /// One expression, whose value keeps its type.
    Value(Expression),
    /// Text with expressions in it: text.
    Text(Vec<Piece>),
    /// A list: a list.
    List(Vec<Template>),
    /// A mapping: a mapping.
    Map(IndexMap<String, Template>),
    /// Arguments of a process: a list of text. An element that is one expression with a list as its value is several.
    Argv(Vec<Template>),
    /// A URL; each expression is percent-encoded for its place.
    Url(Vec<(Piece, Place)>),
    /// A script and the environment variables that its templates became: `{script, vars: {NAME: text}}`.
    Script {
        /// The script, with parameter expansions in the places of its templates.
        script: String,
        /// The values of those parameters. `true` for those that must be a number (`$((…))`).
        vars: Vec<(String, Expression, bool)>,
    },
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// The value of an expression, as text.
    Expression(Expression),
}

/// Where in a URL a piece stands (RFC 3986).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Place {
    /// At the very beginning: a whole URL or the beginning of one; it stays as it is.
    Whole,
    /// In the host or the port.
    Authority,
    /// In a segment of the path.
    Path,
    /// In the query.
    Query,
    /// In the fragment.
    Fragment,
}

impl Template {
    /// The value of the template, given the names that it needs.
    ///
    /// # Errors
    /// An expression failed, or a value does not fit the place where it stands.
    pub fn render(&self, names: &IndexMap<String, Value>) -> Result<Value, TemplateError> {
        let _ = names;
        match self {
            Self::Literal(value) => Ok(value.clone()),
            _ => Err(ExpressionError("not built".to_owned())),
        }
    }
}
