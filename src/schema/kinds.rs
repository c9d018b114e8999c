//! Kinds of tasks: what stands under a kind key.

use serde_json::{Map, Value, json};

use super::values::{described, name, reference, shaped};
use crate::model::{KindSchema, Shape, Waits};

/// The name of the definition of a kind's call.
pub(super) fn definition(kind: &KindSchema) -> String {
    format!("kind_{}", kind.name)
}

/// A call of a kind: a mapping of its parameters, or the one that a bare value stands for.
pub(super) fn call(kind: &KindSchema) -> Value {
    let params: Map<String, Value> = kind
        .params
        .iter()
        .map(|param| {
            (
                param.name.to_owned(),
                described(param.about, shaped(param.shape)),
            )
        })
        .collect();
    let required = kind.params.iter().filter(|param| param.required);
    let required: Vec<&str> = required.map(|param| param.name).collect();
    let mut mapping = json!({
        "title": format!("parameters of {}", kind.name),
        "type": "object",
        "properties": params,
        "additionalProperties": false,
        "required": required,
    });
    if kind.waits == Waits::Instant {
        let times = kind
            .params
            .iter()
            .filter(|param| matches!(param.shape, Shape::Duration | Shape::Instant));
        let one: Vec<Value> = times
            .map(|param| json!({ "required": [param.name] }))
            .collect();
        mapping["oneOf"] = json!(one);
    }
    let short = kind
        .shorthand
        .and_then(|name| kind.params.iter().find(|param| param.name == name));
    match short {
        Some(param) => json!({ "anyOf": [described(param.about, shaped(param.shape)), mapping] }),
        None => mapping,
    }
}

/// What else a task of that kind may say.
pub(super) fn conditions(kind: &KindSchema) -> Value {
    let own = reference(&definition(kind));
    let mut then = Map::new();
    then.insert(
        "revert".to_owned(),
        json!({ "anyOf": [reference("revert"), own] }),
    );
    let provides = if kind.result.is_empty() {
        json!(false)
    } else {
        json!({ "anyOf": [name(), {
            "type": "object",
            "propertyNames": name(),
            "additionalProperties": super::values::expression(),
        }] })
    };
    then.insert("provides".to_owned(), provides);
    if !kind.process {
        then.insert("env".to_owned(), json!(false));
        then.insert("dir".to_owned(), json!(false));
    }
    json!({ "if": { "required": [kind.name] }, "then": { "properties": then } })
}
