//! From names to values: what a side of a task is given.

use indexmap::IndexMap;

use super::Scheduler;
use crate::compile::{Binding, Origin};
use crate::model::{AtomId, Failure, Phase, Value};

impl Scheduler {
    /// The values of the names that a side of an atom needs. A revert side that the flow does not write out is told the
    /// same as the execute side.
    pub(super) fn inputs(&self, atom: AtomId, phase: Phase) -> IndexMap<String, Value> {
        if self.outline.node(atom).plain {
            return IndexMap::new();
        }
        let Some(task) = self.plan.task(atom) else {
            return IndexMap::new();
        };
        let action = match (phase, &task.revert) {
            (Phase::Revert, Some(reversal)) => &reversal.action,
            (Phase::Revert, None) | (Phase::Execute, _) => &task.execute,
        };
        self.values(&action.needs)
    }

    /// The values of the names that something needs. Secrets are left out: the engine reads them when they are used.
    pub(super) fn values(&self, needs: &[Binding]) -> IndexMap<String, Value> {
        needs
            .iter()
            .filter_map(|binding| {
                Some((
                    binding.name.clone(),
                    self.value(&binding.origin, &binding.name)?,
                ))
            })
            .collect()
    }

    /// What the flow hands out (`provides` of the flow); a name whose value cannot be told is null.
    #[must_use]
    pub fn provided(&self) -> IndexMap<String, Value> {
        self.values(&self.plan.provides)
    }

    fn value(&self, origin: &Origin, name: &str) -> Option<Value> {
        match origin {
            Origin::Input => Some(self.plan.inputs.get(name).cloned().unwrap_or(Value::Null)),
            Origin::Secret => None,
            Origin::Retry(controller) => Some(Value::clone(&self.rows[controller.index()].result)),
            Origin::Literal(value) => Some(value.clone()),
            Origin::List(list) => {
                let items = self.plan.lists[*list as usize].iter();
                Some(items.filter_map(|item| self.value(item, name)).collect())
            }
            Origin::Provided { atom, name } => {
                let result: &Value = &self.rows[atom.index()].result;
                let part = self
                    .plan
                    .task(*atom)
                    .and_then(|task| task.provides.get(name));
                Some(match part {
                    Some(Some(expression)) => expression
                        .evaluate(&result_scope(result))
                        .unwrap_or(Value::Null),
                    Some(None) | None => result.clone(),
                })
            }
        }
    }
}

/// The names that an expression over a result sees: the result's fields, and `result` itself.
#[must_use]
pub fn result_scope(result: &Value) -> IndexMap<String, Value> {
    let mut names: IndexMap<String, Value> = match result {
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            IndexMap::new()
        }
    };
    names.insert("result".to_owned(), result.clone());
    names
}

impl Failure {
    /// The failure as an expression sees it: every field is there, null where it does not apply.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "kind": self.kind.to_string(),
            "message": self.message,
            "task": self.task,
            "attempt": self.attempt,
            "exit_code": self.exit_code,
            "status": self.status,
        })
    }
}
