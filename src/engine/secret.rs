//! Secrets: read when they are used, and remembered only to be masked.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;

use super::forms::SHORTEST;
use super::mask::Masker;
use crate::compile::{Binding, Origin, Plan};
use crate::model::{Declared, Failure, FailureKind, SecretSource, Value};

/// The largest file that is read as a secret, in bytes.
const LARGEST: u64 = 64 << 10;

/// The secrets of one job.
#[derive(Default)]
pub struct Secrets {
    known: Mutex<Known>,
}

impl fmt::Debug for Secrets {
    /// Tells none of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

#[derive(Default)]
struct Known {
    texts: BTreeSet<String>,
    masker: Option<Arc<Masker>>,
}

impl Secrets {
    /// The secrets of a plan. All that can be read are masked from now on, whether a task uses them or not: processes
    /// inherit the environment, and may read a file themselves. What cannot be read is told when it is used. Whatever
    /// the plan says, the texts of the conductor's own are masked.
    pub async fn of(plan: &Plan, own: &[String]) -> Self {
        let secrets = Self::default();
        secrets.mask(own.iter().cloned());
        let inner = plan.inner_secrets.keys();
        for name in plan.secrets.keys().chain(inner) {
            if let Some((source, declared)) = found(plan, name)
                && can_be_read_again(source).await
                && let Ok(text) = read_source(source).await
            {
                // What it is, if it is not of its type, is told when it is used.
                let _ = secrets.value_of(text, declared);
            }
        }
        secrets
    }

    /// What masks all the secrets that have been read so far.
    pub(super) fn masker(&self) -> Option<Arc<Masker>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.masker.clone()
    }

    /// Reads the secrets that `needs` rest on, by the keys of their leaves ([`Plan::leaves`]).
    pub(super) async fn read(
        &self,
        plan: &Plan,
        needs: &[Binding],
    ) -> Result<IndexMap<String, Value>, Failure> {
        let mut values = IndexMap::new();
        for leaf in plan.leaves(needs) {
            let Origin::Secret(name) = leaf.origin else {
                continue;
            };
            let failed = |why: String| {
                Failure::new(FailureKind::Secret, format!("the secret `{name}`: {why}"))
            };
            let (source, declared) =
                found(plan, name).ok_or_else(|| failed("nothing tells where it is".to_owned()))?;
            let text = read_source(source).await.map_err(failed)?;
            let value = self.value_of(text, declared).map_err(|ty| {
                // What the text says is not for messages.
                failed(format!("what `{source}` holds is not a {ty}"))
            })?;
            values.insert(leaf.key, value);
        }
        Ok(values)
    }

    /// The value that a text declares, which is masked from now on, with all that it is made of; or what type it is
    /// not.
    fn value_of(&self, text: String, declared: Option<&Declared>) -> Result<Value, String> {
        let value = match declared {
            Some(declared) => declared.read(&text).map_err(|_| declared.ty.to_string()),
            None => Ok(Value::String(text.clone())),
        };
        let mut texts = vec![text];
        if let Ok(value) = &value {
            texts.extend(text_of(value));
            parts(value, &mut texts);
        }
        self.mask(texts);
        value
    }

    fn mask(&self, texts: impl IntoIterator<Item = String>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.texts.len();
        known.texts.extend(texts);
        if known.texts.len() > before {
            known.masker = Masker::new(known.texts.iter().map(String::as_str)).map(Arc::new);
        }
    }
}

/// Where a secret is read from, and what it is declared to be.
fn found<'p>(plan: &'p Plan, name: &str) -> Option<(&'p SecretSource, Option<&'p Declared>)> {
    let inner = plan.inner_secrets.get(name);
    let source = plan.secrets.get(name).or(inner.map(|(source, _)| source));
    let declared = plan.store.get(name).or(inner.map(|(_, declared)| declared));
    Some((source?, declared))
}

/// What a template makes of it.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(value.to_string())
        }
    }
}

/// The texts and numbers within a list or a mapping.
fn parts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| parts(item, texts)),
        Value::Object(entries) => entries.values().for_each(|item| parts(item, texts)),
        Value::String(_) | Value::Number(_) => {
            texts.extend(text_of(value).filter(|text| text.len() >= SHORTEST));
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Whether reading takes nothing away, and does not wait: a pipe is left to whoever uses it.
async fn can_be_read_again(source: &SecretSource) -> bool {
    match source {
        SecretSource::Env(_) => true,
        SecretSource::File(path) => {
            let about = tokio::fs::metadata(path).await;
            about.is_ok_and(|about| about.is_file())
        }
    }
}

async fn read_source(source: &SecretSource) -> Result<String, String> {
    match source {
        SecretSource::Env(name) => std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => format!("`{source}` is not set"),
            std::env::VarError::NotUnicode(_) => format!("`{source}` is not UTF-8"),
        }),
        SecretSource::File(path) => {
            let cannot = |error: std::io::Error| format!("`{source}` cannot be read: {error}");
            let about = tokio::fs::metadata(path).await.map_err(cannot)?;
            if about.len() > LARGEST {
                return Err(format!("`{source}` is larger than 64KiB"));
            }
            let mut text = tokio::fs::read_to_string(path).await.map_err(cannot)?;
            if text.ends_with('\n') {
                text.pop();
                if text.ends_with('\r') {
                    text.pop();
                }
            }
            Ok(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_without_its_last_newline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for (text, secret) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a")] {
            std::fs::write(&path, text).unwrap();
            let source = SecretSource::File(path.display().to_string());
            assert_eq!(read_source(&source).await.unwrap(), secret);
        }
        std::fs::write(&path, vec![b'x'; 65 << 10]).unwrap();
        let source = SecretSource::File(path.display().to_string());
        assert!(
            read_source(&source)
                .await
                .unwrap_err()
                .contains("larger than")
        );
    }

    #[tokio::test]
    async fn what_cannot_be_read_names_its_source() {
        for source in ["env:NO_SUCH_VARIABLE_HERE", "file:/no/such/file"] {
            let why = read_source(&SecretSource::parse(source).unwrap())
                .await
                .unwrap_err();
            assert!(why.contains(&format!("`{source}`")), "{why}");
        }
    }
}
