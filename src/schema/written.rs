//! Kinds of tasks that are written in the language: what stands under their keys.

use serde_json::{Map, Value, json};

use super::values::{described, typed};
use crate::model::Declared;
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

/// A value of the declared type, or a template.
fn param(declared: &Declared) -> Value {
    let value = match declared.one_of.as_slice() {
        [] => typed(&declared.ty),
        values => json!({ "enum": values }),
    };
    let text = json!({ "type": "string", "pattern": r"\{\{" });
    let schema = json!({ "anyOf": [value, text] });
    described(declared.about.as_deref().unwrap_or_default(), schema)
}
