//! `store`: names with types and defaults, in short and in long form.

use serde_json::{Map, Value, json};

use super::values::{name, reference, type_name, typed};
use crate::model::Type;
use crate::syntax::Level;

/// All that stands under `store`.
pub(super) fn store() -> Value {
    json!({
        "type": ["object", "null"],
        "propertyNames": name(),
        "additionalProperties": reference("declared"),
    })
}

/// A name: a type, a default that has one, or the long form.
pub(super) fn declared() -> Value {
    let says_type = ["type", "default", "one_of", "from", "secret"];
    let says_type: Vec<Value> = says_type
        .iter()
        .map(|key| json!({ "required": [key] }))
        .collect();
    let secret = json!({
        "if": { "required": ["secret"], "properties": { "secret": { "const": true } } },
        "then": { "properties": { "default": false } },
    });
    let of_type = Type::NAMES
        .iter()
        .filter_map(|name| Some((*name, Type::parse(name)?)));
    let of_type = of_type.map(|(name, ty)| of_type_named(name, &ty));
    let conditions: Vec<Value> = [secret].into_iter().chain(of_type).collect();
    json!({ "anyOf": [
        type_name(),
        { "type": ["number", "boolean", "array"] },
        {
            "type": "object",
            "properties": super::properties(Level::Store, |_| true),
            "additionalProperties": false,
            "anyOf": says_type,
            "allOf": conditions,
        },
    ] })
}

/// What a name of that type may say.
fn of_type_named(name: &str, ty: &Type) -> Value {
    let value = typed(ty);
    let mut then = Map::new();
    then.insert("default".to_owned(), value.clone());
    then.insert("one_of".to_owned(), json!({ "items": value }));
    let bound = match ty {
        Type::Int | Type::Float | Type::Duration | Type::Size | Type::Port => value,
        Type::String | Type::Url | Type::Path | Type::List(_) => {
            json!({ "type": "integer", "minimum": 0 })
        }
        Type::Bool | Type::Date | Type::File | Type::Template | Type::Map | Type::Any => {
            json!(false)
        }
    };
    then.insert("min".to_owned(), bound.clone());
    then.insert("max".to_owned(), bound);
    if ty.is_file() {
        then.insert("default".to_owned(), json!(false));
    }
    match ty {
        Type::String | Type::Url | Type::Path | Type::Date => {}
        Type::Int
        | Type::Float
        | Type::Bool
        | Type::Duration
        | Type::Size
        | Type::Port
        | Type::File
        | Type::Template
        | Type::List(_)
        | Type::Map
        | Type::Any => {
            then.insert("pattern".to_owned(), json!(false));
        }
    }
    json!({
        "if": { "required": ["type"], "properties": { "type": { "const": name } } },
        "then": { "properties": then },
    })
}
