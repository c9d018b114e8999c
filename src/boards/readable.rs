//! Whether what a job requires can be read: text enters, yes or no leaves.

use serde_json::Value;

/// Whether it is a JSON list of `"name"` and `{"name": argument}`.
pub(super) fn is_readable(requires: &str) -> bool {
    let wanted = serde_json::from_str::<Vec<Value>>(requires);
    wanted.is_ok_and(|wanted| {
        wanted.iter().all(|one| match one {
            Value::String(_) => true,
            Value::Object(named) => named.len() == 1,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
        })
    })
}
