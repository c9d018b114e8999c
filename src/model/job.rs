//! A job as it is posted.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Digest, JobId, Priority, Timestamp, Value};

/// What somebody wants of a job that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// To go on.
    #[default]
    None,
    /// To undo all of it.
    Cancel,
    /// To stop between two steps.
    Suspend,
}

impl Intent {
    /// The word in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Cancel => "cancel",
            Self::Suspend => "suspend",
        }
    }

    /// Reads that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Cancel, Self::Suspend]
            .into_iter()
            .find(|i| i.as_str() == text)
    }
}

/// Where a secret is read from, by the conductor, when it is used. Written `env:NAME` or `file:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// An environment variable of the conductor.
    Env(String),
    /// A file on the conductor's machine; its last newline is left out.
    File(String),
}

impl SecretSource {
    /// Reads `env:NAME` or `file:PATH`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Some(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Some(Self::File(path.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Its path as the author would name it, for messages.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

/// The flow and every file that it uses, as posted. It is stored with the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The version of this form.
    pub version: u32,
    /// The flow's own file first.
    pub files: Vec<SourceFile>,
}

/// All that a job is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// The flow's name.
    pub name: String,
    /// A second post with the same key returns the first job.
    pub key: Option<String>,
    /// What it is compiled from.
    pub bundle: Bundle,
    /// The digest of the plan that it compiles to.
    pub digest: Digest,
    /// The values of the store names, all but secrets.
    pub inputs: IndexMap<String, Value>,
    /// Where the secrets are read from.
    pub secrets: IndexMap<String, SecretSource>,
    /// What a conductor must be able to do: canonical JSON text, `[]` for nothing.
    pub requires: String,
    /// Its priority on the board.
    pub priority: Priority,
    /// When it was posted.
    pub created_at: Timestamp,
}
