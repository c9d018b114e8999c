//! Templates: trees of text with `{{ expression }}` in it, and what they become. Values never become code.
//!
//! Nodes of a flow enter and a [`Template`] leaves; later, values enter and a plain value leaves. Nothing here knows
//! what a name stands for. A literal `{{` is written `\{{`.

mod shell;
mod text;
mod url;

use indexmap::IndexMap;
use serde::Serialize;

pub(crate) use shell::{Dialect, read as read_script};
pub(crate) use text::{Source, read_statement};
pub(crate) use url::read as read_url;

use super::expression::to_text;
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
    /// Before `://`.
    Scheme,
    /// The name or the password before the host.
    UserInfo,
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
    /// As text, a value is itself if it is text, `true` or `false`, a number as it is written, and JSON if it is a
    /// list or a mapping. `none` has no text: that is an error, for an empty place would mean something else.
    ///
    /// # Errors
    /// An expression failed, or a value does not fit the place where it stands.
    pub fn render(&self, names: &IndexMap<String, Value>) -> Result<Value, TemplateError> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Value(expression) => expression.evaluate(names)?,
            Self::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(literal) => text.push_str(literal),
                        Piece::Expression(expression) => text.push_str(&expression.text_of(names)?),
                    }
                }
                Value::String(text)
            }
            Self::List(items) => {
                let items = items.iter().map(|item| item.render(names));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Map(items) => {
                let items = items
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), item.render(names)?)));
                Value::Object(items.collect::<Result<_, TemplateError>>()?)
            }
            Self::Argv(items) => Value::Array(arguments(items, names)?),
            Self::Url(pieces) => Value::String(url::render(pieces, names)?),
            Self::Script { script, vars } => {
                let vars = vars.iter().map(|(name, expression, number)| {
                    let text = match number {
                        true => shell::number(expression, names)?,
                        false => expression.text_of(names)?,
                    };
                    Ok((name.clone(), Value::String(text)))
                });
                let vars: serde_json::Map<_, _> = vars.collect::<Result<_, TemplateError>>()?;
                serde_json::json!({ "script": script, "vars": vars })
            }
        })
    }

    /// The expressions in it.
    pub fn expressions(&self) -> Vec<&Expression> {
        fn of<'a>(pieces: impl Iterator<Item = &'a Piece>) -> impl Iterator<Item = &'a Expression> {
            pieces.filter_map(|piece| match piece {
                Piece::Text(_) => None,
                Piece::Expression(expression) => Some(expression),
            })
        }
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Value(expression) => vec![expression],
            Self::Text(pieces) => of(pieces.iter()).collect(),
            Self::Url(pieces) => of(pieces.iter().map(|(piece, _)| piece)).collect(),
            Self::List(items) | Self::Argv(items) => {
                items.iter().flat_map(Self::expressions).collect()
            }
            Self::Map(items) => items.values().flat_map(Self::expressions).collect(),
            Self::Script { vars, .. } => vars.iter().map(|(_, e, _)| e).collect(),
        }
    }
}

fn arguments(
    items: &[Template],
    names: &IndexMap<String, Value>,
) -> Result<Vec<Value>, TemplateError> {
    let mut arguments = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Template::Value(expression) => match expression.evaluate(names)? {
                Value::Array(values) => {
                    for value in &values {
                        arguments.push(Value::String(to_text(value)?));
                    }
                }
                _ => arguments.push(Value::String(expression.text_of(names)?)),
            },
            Template::Literal(_)
            | Template::Text(_)
            | Template::List(_)
            | Template::Map(_)
            | Template::Argv(_)
            | Template::Url(_)
            | Template::Script { .. } => {
                arguments.push(Value::String(to_text(&item.render(names)?)?));
            }
        }
    }
    Ok(arguments)
}
