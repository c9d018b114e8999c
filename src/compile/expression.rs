//! Expressions: minijinja's, with every undefined name an error.

use indexmap::IndexMap;
use serde::Serialize;

use crate::model::Value;

/// An expression that parses. Compared and hashed by its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Expression {
    /// As the author wrote it.
    pub text: String,
}

/// An expression could not be parsed or evaluated: why, as a fragment for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpressionError(pub String);

impl Expression {
    /// Evaluates it. Undefined is an error; so is running for too long.
    ///
    /// # Errors
    /// What could not be done.
    pub fn evaluate(&self, names: &IndexMap<String, Value>) -> Result<Value, ExpressionError> {
        let _ = names;
        Err(ExpressionError("not built".to_owned()))
    }

    /// Evaluates it and says whether the value counts as true.
    ///
    /// # Errors
    /// What could not be done.
    pub fn holds(&self, names: &IndexMap<String, Value>) -> Result<bool, ExpressionError> {
        let _ = names;
        Err(ExpressionError("not built".to_owned()))
    }
}
