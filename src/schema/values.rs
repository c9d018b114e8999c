//! Single values: names, text, durations and the like.

use serde_json::{Value, json};

use crate::compile::CAPABILITIES;
use crate::model::{Shape, Type};
use crate::syntax::RESERVED_NAMES;

/// Somewhere in the text a template stands, or two braces that are meant as such.
const WITH_TEMPLATE: &str = r"\{\{";

/// One template is all of the text.
const TEMPLATE: &str = r"^\s*\{\{[\s\S]*\}\}\s*$";

const DURATION: &str = r"^\s*([0-9]+(\.[0-9]+)?d)?([0-9]+(\.[0-9]+)?h)?([0-9]+(\.[0-9]+)?m)?([0-9]+(\.[0-9]+)?s)?([0-9]+(\.[0-9]+)?ms)?\s*$";

const SIZE: &str = r"^\s*[0-9]+(\.[0-9]+)?\s*(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?\s*$";

const URL: &str = r"^[A-Za-z][A-Za-z0-9+.-]*://";

// `errorMessage` is what the language servers of VS Code show instead of a pattern; others pass it over.

/// The schema under a name of its own.
pub(super) fn reference(definition: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{definition}") })
}

/// The schema with a description. Beside a `$ref` nothing else is read, so it is put into an `allOf`.
pub(super) fn described(about: &str, schema: Value) -> Value {
    let mut described = json!({ "description": about });
    match schema {
        Value::Object(inner) if !inner.contains_key("$ref") => {
            if let Value::Object(outer) = &mut described {
                outer.extend(inner);
            }
        }
        other => described["allOf"] = json!([other]),
    }
    described
}

/// The letters of a name.
pub(super) fn letters() -> Value {
    json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]*$" })
}

/// A name that an expression may use.
pub(super) fn name() -> Value {
    json!({
        "type": "string",
        "pattern": "^[a-z][a-z0-9_]*$",
        "not": { "enum": RESERVED_NAMES },
        "errorMessage": "a name begins with a letter a-z, goes on with letters, digits and _, and is no word of the language",
    })
}

/// A list of names.
pub(super) fn names() -> Value {
    json!({ "type": "array", "items": letters() })
}

/// Text; numbers and bools are taken as they are written.
pub(super) fn text() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

/// An expression, which stands without braces.
pub(super) fn expression() -> Value {
    json!({
        "type": ["string", "number", "boolean"],
        "minLength": 1,
        "not": { "type": "string", "pattern": r"^\s*\{\{" },
    })
}

/// A duration, as it is fixed when the flow is read.
pub(super) fn duration() -> Value {
    json!({
        "type": "string",
        "minLength": 2,
        "pattern": DURATION,
        "errorMessage": "a duration has units, the largest first: 500ms, 10s, 1m30s, 2h, 1d",
    })
}

/// A list with something in it, or one template that is one.
pub(super) fn list_or_template() -> Value {
    json!({ "anyOf": [{ "type": "array", "minItems": 1 }, { "type": "string", "pattern": TEMPLATE }] })
}

/// Environment variables.
pub(super) fn env() -> Value {
    json!({
        "type": "object",
        "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
        "additionalProperties": text(),
    })
}

/// The name of a type.
pub(super) fn type_name() -> Value {
    let words = Type::NAMES.iter().filter(|name| !name.starts_with("list<"));
    let words: Vec<&str> = words.copied().chain(["list"]).collect();
    let list = format!("^(list<)+({})>+$", words.join("|"));
    json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": list }] })
}

/// What a conductor must be able to do.
pub(super) fn capabilities() -> Value {
    let words = json!({ "type": ["string", "number", "boolean", "array"] });
    let arguments: serde_json::Map<String, Value> = CAPABILITIES
        .iter()
        .map(|name| ((*name).to_owned(), words.clone()))
        .collect();
    json!({
        "type": "array",
        "items": { "anyOf": [
            { "enum": CAPABILITIES },
            letters(),
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "propertyNames": letters(),
                "properties": arguments,
            },
        ] },
    })
}

/// Any tree of values. Keys are written out.
pub(super) fn json_tree() -> Value {
    json!({
        "propertyNames": key(),
        "additionalProperties": reference("json"),
        "items": reference("json"),
    })
}

fn key() -> Value {
    json!({ "not": { "pattern": r"(^|[^\\])\{\{" } })
}

/// A parameter's value, as its shape says. Where a value of a type is wanted, a template may stand instead.
pub(super) fn shaped(shape: Shape) -> Value {
    let or_template = |schema: Value| json!({ "anyOf": [schema, { "type": "string", "pattern": WITH_TEMPLATE }] });
    match shape {
        Shape::Text | Shape::Path | Shape::Script | Shape::Statement => text(),
        Shape::Argv => json!({ "anyOf": [
            { "type": "array", "minItems": 1, "items": text() },
            { "type": "string", "pattern": r"^\s*([^\s{]|\{[^{\s]|\{\{.*\}\})+\s*$" },
        ] }),
        Shape::Url => json!({ "type": "string", "pattern": format!(r"^\s*\{{\{{|{URL}") }),
        Shape::Json => reference("json"),
        Shape::TextMap => or_template(json!({
            "type": "object", "propertyNames": key(), "additionalProperties": text(),
        })),
        Shape::Query => or_template(json!({
            "type": "object",
            "propertyNames": key(),
            "additionalProperties": { "anyOf": [text(), { "type": "array", "items": text() }] },
        })),
        Shape::Duration => or_template(duration()),
        Shape::Period => or_template(json!({ "allOf": [duration(), { "pattern": "[1-9]" }] })),
        Shape::Instant => or_template(json!({
            "type": "string", "pattern": r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}",
        })),
        Shape::Sha256 => or_template(json!({ "type": "string", "pattern": "^[0-9A-Fa-f]{64}$" })),
        Shape::Expression => expression(),
        Shape::StatusCodes => {
            let code = json!({ "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 },
                { "type": "string", "pattern": r"^[1-5][0-9][0-9]$|\{\{" },
            ] });
            json!({ "anyOf": [code, { "type": "array", "items": code }] })
        }
        Shape::Bool => or_template(json!({ "enum": [true, false, "true", "false"] })),
        Shape::Int => or_template(json!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": "^[0-9]+$" },
        ] })),
        Shape::Size => or_template(size()),
        Shape::Word(words) => {
            json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": WITH_TEMPLATE }] })
        }
    }
}

fn size() -> Value {
    json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": SIZE }] })
}

/// A value of a type, as a default is written.
pub(super) fn typed(ty: &Type) -> Value {
    match ty {
        Type::String | Type::Path | Type::File | Type::Template => text(),
        Type::Int => json!({ "type": "integer" }),
        Type::Float => json!({ "type": "number" }),
        Type::Bool => json!({ "type": "boolean" }),
        Type::Duration => duration(),
        Type::Size => size(),
        Type::Port => json!({ "type": "integer", "minimum": 1, "maximum": 65535 }),
        Type::Url => json!({ "type": "string", "pattern": URL }),
        Type::Date => json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
        Type::List(item) => json!({ "type": "array", "items": typed(item) }),
        Type::Map => json!({ "type": "object" }),
        Type::Any => json!({ "not": { "type": "null" } }),
    }
}
