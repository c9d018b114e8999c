//! What a flow's names hold, and results as rows and records keep them.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// A value of a flow: whatever a store name holds and a task gives back. JSON's data model.
pub type Value = serde_json::Value;

/// A value that several keep, as a row does and the record that brought it: they share it, and null takes no memory of
/// its own. Stored as the value itself.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "Value")]
pub struct SharedValue(Option<Arc<Value>>);

impl From<Value> for SharedValue {
    fn from(value: Value) -> Self {
        Self((!value.is_null()).then(|| Arc::new(value)))
    }
}

impl Deref for SharedValue {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.0.as_deref().unwrap_or(&Value::Null)
    }
}

impl Serialize for SharedValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.deref().serialize(serializer)
    }
}
