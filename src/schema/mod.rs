//! The JSON Schema of flow files in YAML: what editors check and complete by, while a flow is written.
//!
//! The table of keys ([`Level::keys`]) and the schemas of the task kinds enter, one schema leaves (draft 7, which
//! editors know best), so that neither can drift from what flows are read by. A schema knows shapes and single
//! values; what names, graph and expressions can have wrong is for `jobrunner check` and the language server.

mod kinds;
mod store;
mod values;
mod written;

use serde_json::{Map, Value, json};

use crate::model::KindSchema;
use crate::syntax::{KeyInfo, Level, Takes, TaskKindDeclaration};
use values::{described, name, names, reference};

/// The schema of a flow whose tasks may be of these kinds, built in and written in the language.
#[must_use]
pub fn flow(kinds: &[&KindSchema], written: &[TaskKindDeclaration]) -> Value {
    let mut definitions = Map::new();
    let mut define = |name: &str, schema: Value| definitions.insert(name.to_owned(), schema);
    define("store", store::store());
    define("declared", store::declared());
    define("capabilities", values::capabilities());
    define("json", values::json_tree());
    define("retry", retry(Level::Task));
    define("retry_of_a_revert", retry(Level::Revert));
    define("revert", revert(kinds));
    define("tasks", tasks());
    define("task", task(kinds, written, false));
    define("task_of_a_list", task(kinds, written, true));
    for kind in kinds {
        define(&kinds::definition(kind), kinds::call(kind));
    }
    for kind in written {
        define(&written::definition(kind), written::call(kind));
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A flow for jobrunner",
        "description": "Tasks that either finish or are undone.",
        "type": "object",
        "properties": properties(Level::Flow, |_| true),
        "required": ["tasks"],
        "additionalProperties": false,
        "definitions": definitions,
    })
}

/// The keys of a level that are wanted, each with its description.
fn properties(level: Level, wanted: impl Fn(&KeyInfo) -> bool) -> Map<String, Value> {
    let keys = level.keys().iter().filter(|key| wanted(key));
    keys.map(|key| {
        let schema = described(key.about, value(level, key.takes));
        (key.name.to_owned(), schema)
    })
    .collect()
}

/// What may stand behind a key.
fn value(level: Level, takes: Takes) -> Value {
    match takes {
        // A flow may be called as nothing else may: no expression names it.
        Takes::Name if level == Level::Flow => values::letters(),
        Takes::Name => name(),
        Takes::Names => names(),
        Takes::Line | Takes::Text => values::text(),
        Takes::Expression => values::expression(),
        Takes::Bool => json!({ "type": "boolean" }),
        Takes::Count => json!({ "type": "integer", "minimum": 1 }),
        Takes::Factor => json!({ "type": "number", "minimum": 1 }),
        Takes::Share => json!({ "anyOf": [
            { "type": "number", "minimum": 0, "maximum": 1 },
            { "type": "boolean" },
        ] }),
        Takes::Duration => values::duration(),
        Takes::Word(words) => json!({ "enum": words }),
        Takes::Env => values::env(),
        Takes::Capabilities => reference("capabilities"),
        Takes::Store => reference("store"),
        Takes::Tasks => reference("tasks"),
        // Which of both depends on the kind: see `task`.
        Takes::Provides => json!({ "type": ["string", "object", "array"] }),
        Takes::Revert => json!({ "not": { "type": "null" } }),
        Takes::Retry if level == Level::Revert => reference("retry_of_a_revert"),
        Takes::Retry => reference("retry"),
        Takes::Values => values::list_or_template(),
        Takes::Matrix => json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": name(),
            "additionalProperties": values::list_or_template(),
        }),
        Takes::SubFlow => json!({ "type": "string", "minLength": 1 }),
        Takes::With => json!({ "type": "object", "propertyNames": name() }),
        Takes::Type => values::type_name(),
        Takes::Value => json!({ "not": { "type": "null" } }),
        Takes::OneOf => json!({ "type": "array", "minItems": 1 }),
        Takes::Bound => json!({ "type": ["number", "string"] }),
        Takes::Pattern => json!({ "type": "string", "format": "regex" }),
        Takes::Source => json!({ "type": "string", "pattern": "^(env|file):." }),
    }
}

/// `retry`, on what stands on this level.
fn retry(level: Level) -> Value {
    let values = level != Level::Revert;
    let mut retry = json!({
        "type": "object",
        "properties": properties(Level::Retry, |key| values || !matches!(key.name, "for_each" | "as")),
        "additionalProperties": false,
    });
    if values {
        retry["oneOf"] = json!([{ "required": ["times"] }, { "required": ["for_each"] }]);
        retry["dependencies"] = json!({ "for_each": ["as"] });
    } else {
        retry["required"] = json!(["times"]);
    }
    retry
}

/// A mapping or a list of tasks. What is said of mappings alone is nothing to lists, and the other way round.
fn tasks() -> Value {
    json!({
        "type": ["object", "array"],
        "minProperties": 1,
        "propertyNames": name(),
        "additionalProperties": reference("task"),
        "minItems": 1,
        "items": reference("task_of_a_list"),
    })
}

/// A task: exactly one kind, and what every task may say.
fn task(kinds: &[&KindSchema], written: &[TaskKindDeclaration], in_list: bool) -> Value {
    let mut properties = properties(Level::Task, |key| in_list || key.name != "name");
    for kind in kinds {
        let call = described(kind.about, reference(&kinds::definition(kind)));
        properties.insert(kind.name.to_owned(), call);
    }
    for kind in written {
        let call = reference(&written::definition(kind));
        let call = described(kind.about.as_deref().unwrap_or_default(), call);
        properties.insert(kind.name.value.clone(), call);
    }
    let of_written = || written.iter().map(|kind| kind.name.value.as_str());
    let kind_keys = kinds.iter().map(|kind| kind.name).chain(of_written());
    let kind_keys = kind_keys.chain(["tasks", "flow"]);
    let one: Vec<Value> = kind_keys.map(|key| json!({ "required": [key] })).collect();
    let group = json!({
        "if": { "required": ["tasks"] },
        "then": { "properties": { "provides": names(), "revert": false } },
    });
    let several = written.iter().filter(|kind| written::is_several(kind));
    let several = several.map(|kind| kind.name.value.as_str());
    let several = several.chain(["tasks", "flow", "matrix"]);
    let several: Vec<Value> = several.map(|key| json!({ "required": [key] })).collect();
    let single = json!({
        "if": { "not": { "anyOf": several } },
        "then": { "properties": { "max_parallel": false } },
    });
    let of_kind = kinds.iter().map(|kind| kinds::conditions(kind));
    let conditions: Vec<Value> = [group, single].into_iter().chain(of_kind).collect();
    let mut task = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "oneOf": one,
        "dependencies": { "skips": ["when"], "with": ["flow"] },
        "allOf": conditions,
    });
    if in_list {
        task["required"] = json!(["name"]);
    }
    task
}

/// A revert that has a kind of its own.
fn revert(kinds: &[&KindSchema]) -> Value {
    let mut properties = properties(Level::Revert, |_| true);
    for kind in kinds {
        let call = described(kind.about, reference(&kinds::definition(kind)));
        properties.insert(kind.name.to_owned(), call);
    }
    let one: Vec<Value> = kinds
        .iter()
        .map(|kind| json!({ "required": [kind.name] }))
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "oneOf": one,
    })
}
