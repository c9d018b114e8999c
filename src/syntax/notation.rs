//! The two notations, and which of them a file has.

use crate::model::SourceFile;

/// How a flow is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// `NAME.flow.yaml`.
    Yaml,
    /// `NAME.flow`.
    Text,
}

impl Notation {
    /// The notation of a file of that name: the text notation if it ends with `.flow` or `.task`, else YAML.
    #[must_use]
    pub fn of(path: &str) -> Self {
        if [".flow", ".task"].iter().any(|end| path.ends_with(end)) {
            Self::Text
        } else {
            Self::Yaml
        }
    }

    /// The notation of a file.
    #[must_use]
    pub fn of_file(file: &SourceFile) -> Self {
        Self::of(&file.path)
    }

    /// The notation that a text looks like, which no name tells: the text notation if its first word is `flow` or
    /// `task` and no colon stands behind it.
    #[must_use]
    pub fn guess(text: &str) -> Self {
        let mut lines = text.lines().map(str::trim_start);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
        let behind = first.and_then(|line| {
            let rest = line.strip_prefix("flow").or(line.strip_prefix("task"))?;
            rest.starts_with([' ', '\t', '{'])
                .then(|| rest.trim_start())
        });
        match behind {
            Some(rest) if !rest.starts_with(':') => Self::Text,
            Some(_) | None => Self::Yaml,
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Yaml => Self::Text,
            Self::Text => Self::Yaml,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Yaml => "YAML",
            Self::Text => "the text notation",
        }
    }
}
