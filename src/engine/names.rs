//! The names that the expressions of an attempt may use, and what their values are.

use indexmap::IndexMap;
use serde_json::json;

use super::JobContext;
use crate::model::{Failure, Value};
use crate::scheduler::{Command, result_scope};

/// Every name for one side of a task: what it needs, its secrets, and what is always there.
pub(super) fn of_attempt(
    context: &JobContext,
    command: &Command,
    task: &str,
    key: &str,
    secrets: IndexMap<String, Value>,
) -> IndexMap<String, Value> {
    let mut names = command.inputs.clone();
    names.extend(secrets);
    names.insert(
        "flow".to_owned(),
        json!({"name": context.plan.name, "id": context.job.to_string()}),
    );
    names.insert(
        "task".to_owned(),
        json!({"name": task, "attempt": command.attempt, "key": key}),
    );
    names.insert("conductor".to_owned(), json!({"name": context.conductor}));
    if let Some(undo) = &command.undo {
        names.insert("result".to_owned(), Value::clone(&undo.result));
        let failure = undo
            .failure
            .as_deref()
            .map_or(Value::Null, Failure::to_value);
        names.insert("failure".to_owned(), failure);
    }
    names
}

/// Adds what `check` may name of the result: its fields, and `result` itself.
pub(super) fn with_result(names: &mut IndexMap<String, Value>, result: &Value) {
    names.extend(result_scope(result));
}
