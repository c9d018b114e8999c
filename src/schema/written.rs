//! Kinds of tasks that are written in the language: what stands under their keys.

use serde_json::{Map, Value, json};

use super::values::{described, typed};
use crate::model::{Declared, Type};
use crate::syntax::{TaskKindDeclaration, TaskKindForm};

/// The name of the definition of a kind's call.
pub(super) fn definition(kind: &TaskKindDeclaration) -> String {
    format!("written_{}", kind.name.value)
}

/// Whether a kind is several tasks.
pub(super) fn is_several(kind: &TaskKindDeclaration) -> bool {
    match kind.form {
        TaskKindForm::Tasks(_) => true,
        TaskKindForm::Task { .. } => false,
    }
}

/// A call of a kind: a mapping of its parameters, or the one that a bare value stands for.
pub(super) fn call(kind: &TaskKindDeclaration) -> Value {
    let params = kind.params.iter();
    let properties: Map<String, Value> = params
        .map(|(name, declared)| (name.value.clone(), param(declared)))
        .collect();
    let must = |declared: &Declared| declared.default.is_none() && declared.from.is_none();
    let required = kind.params.iter().filter(|(_, declared)| must(declared));
    let required: Vec<&str> = required.map(|(name, _)| name.value.as_str()).collect();
    let mapping = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "required": required,
    });
    let short = kind.shorthand.as_ref().and_then(|shorthand| {
        let mut params = kind.params.iter();
        params.find(|(name, _)| name.value == shorthand.value)
    });
    match short {
        Some((_, declared)) => json!({ "anyOf": [param(declared), mapping] }),
        None => mapping,
    }
}

/// A value of the declared type, or a template. What may stand there in quotes, and what is allowed for the value, is
/// as in [`crate::compile`].
fn param(declared: &Declared) -> Value {
    let mut value = match declared.one_of.as_slice() {
        [] => given(&declared.ty),
        values => json!({ "enum": values }),
    };
    for (bound, key) in bounds(declared) {
        value[key] = bound.clone();
    }
    if let Some(pattern) = declared.pattern.as_deref().filter(|text| is_common(text)) {
        value["pattern"] = Value::from(format!("^(?:{pattern})$"));
    }
    let text = json!({ "type": "string", "pattern": r"\{\{" });
    let schema = json!({ "anyOf": [value, text] });
    described(declared.about.as_deref().unwrap_or_default(), schema)
}

/// A value as it is given: scalars may stand in quotes, and a list of one word need not be written as a list.
fn given(ty: &Type) -> Value {
    let or_text =
        |pattern: &str| json!({ "anyOf": [typed(ty), { "type": "string", "pattern": pattern }] });
    match ty {
        Type::Int => or_text(r"^\s*-?[0-9]+\s*$"),
        Type::Float => or_text(r"^\s*-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?\s*$"),
        Type::Bool => or_text(r"^\s*(true|false)\s*$"),
        Type::Port => or_text(r"^\s*[1-9][0-9]{0,4}\s*$"),
        Type::List(item) => {
            // A text of several words is no list.
            let word = json!({
                "type": ["string", "number", "boolean"],
                "allOf": [given(item)],
                "pattern": r"^\s*(\[.*|[^\s,]*)\s*$",
            });
            json!({ "anyOf": [{ "type": "array", "items": given(item) }, word] })
        }
        Type::Map => or_text(r"^\s*\{"),
        Type::String
        | Type::Path
        | Type::File
        | Type::Template
        | Type::Duration
        | Type::Size
        | Type::Url
        | Type::Date
        | Type::Any => typed(ty),
    }
}

/// What bounds a value, by the keys of a schema. A bound on what is no plain number here is left to `check`.
fn bounds(declared: &Declared) -> impl Iterator<Item = (&Value, &'static str)> {
    let keys = match declared.ty {
        Type::Int | Type::Float | Type::Port => ("minimum", "maximum"),
        Type::List(_) => ("minItems", "maxItems"),
        _ => ("minLength", "maxLength"),
    };
    let least = declared.min.iter().map(move |bound| (bound, keys.0));
    let most = declared.max.iter().map(move |bound| (bound, keys.1));
    least.chain(most).filter(|(bound, _)| bound.is_number())
}

/// Whether a regular expression means the same to readers of schemas.
fn is_common(pattern: &str) -> bool {
    let own = ["(?", "&&", r"\A", r"\z", r"\p", r"\P", "[["];
    own.iter().all(|sign| !pattern.contains(sign))
}
