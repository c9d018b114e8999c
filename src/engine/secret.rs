//! Secrets: read when they are used, and remembered only to be masked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;

use super::mask::Masker;
use crate::compile::{Binding, Origin, Plan};
use crate::model::{Failure, FailureKind, SecretSource, Value};

/// The largest file that is read as a secret, in bytes.
const LARGEST: u64 = 64 << 10;

/// The secrets of one job.
#[derive(Debug, Default)]
pub struct Secrets {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    texts: BTreeSet<String>,
    masker: Option<Arc<Masker>>,
}

impl Secrets {
    /// The secrets of a plan. Those in the environment are masked from now on, whether a task uses them or not:
    /// processes inherit them.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let secrets = Self::default();
        let inner = plan.inner_secrets.values().map(|(source, _)| source);
        for source in plan.secrets.values().chain(inner) {
            if let SecretSource::Env(name) = source
                && let Ok(text) = std::env::var(name)
            {
                secrets.remember(text);
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
            let inner = plan.inner_secrets.get(name);
            let source = plan.secrets.get(name).or(inner.map(|(source, _)| source));
            let source = source.ok_or_else(|| failed("nothing tells where it is".to_owned()))?;
            let text = read_source(source).await.map_err(failed)?;
            self.remember(text.clone());
            let declared = plan.store.get(name).or(inner.map(|(_, declared)| declared));
            let value = match declared {
                Some(declared) => declared.read(&text).map_err(|_| {
                    // What the text says is not for messages.
                    failed(format!("what `{source}` holds is not a {}", declared.ty))
                })?,
                None => Value::String(text),
            };
            values.insert(leaf.key, value);
        }
        Ok(values)
    }

    fn remember(&self, text: String) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.texts.insert(text) {
            known.masker = Masker::new(known.texts.iter().map(String::as_str)).map(Arc::new);
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
