//! The two notations, and which of them a file has.

use super::{Problem, code};
use crate::model::{SourceFile, Span};

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

/// That a file is written in the other notation than its name says.
pub(super) fn mistaken(file: u16, source: &SourceFile) -> Option<Problem> {
    let mut at = 0;
    let mut lines = source.text.split_inclusive('\n');
    let line = lines.find(|line| {
        let told = !line.trim().is_empty() && !line.trim_start().starts_with('#');
        at += if told { 0 } else { line.len() };
        told
    })?;
    let path = source.path.as_str();
    let told = Notation::of_file(source);
    let (is, name) = match told {
        Notation::Text if begins_yaml(line) => (Notation::Yaml, format!("{path}.yaml")),
        Notation::Yaml if Notation::guess(line) == Notation::Text && line.contains('{') => {
            let stem = [".yaml", ".yml"]
                .iter()
                .find_map(|end| path.strip_suffix(end));
            let stem = stem.unwrap_or(path);
            let ending = match Notation::of(stem) {
                Notation::Text => "",
                Notation::Yaml => ".flow",
            };
            (Notation::Text, format!("{stem}{ending}"))
        }
        Notation::Text | Notation::Yaml => return None,
    };
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let span = Span {
        file,
        start: place(at),
        end: place(at + line.trim_end().len()),
    };
    let what = format!(
        "this is {}, and the file's name says {}",
        is.describe(),
        told.describe()
    );
    let problem = Problem::error(code::WRONG_NOTATION, span, what);
    Some(problem.help(format!("call the file `{name}`")))
}

/// Whether a line is how a flow in YAML begins: a key with its colon, or the beginning of a document.
fn begins_yaml(line: &str) -> bool {
    let line = line.trim_end();
    let key = line.split(':').next().unwrap_or(line);
    let word = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let behind = line.get(key.len() + 1..);
    let value = behind.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    line == "---" || (word && value && !["flow", "task"].contains(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_the_other_notation_is_told_with_the_name_that_it_should_have() {
        let yaml = "# comment\ntasks:\n  a: { shell: x }\n";
        let text = "flow deploy {\n  task a { shell = \"x\" }\n}\n";
        for (path, written, name) in [
            ("a.flow", yaml, Some("a.flow.yaml")),
            ("a.flow.yaml", yaml, None),
            ("a.flow.yaml", text, Some("a.flow")),
            ("a.yml", text, Some("a.flow")),
            ("a.flow", text, None),
            ("a.flow", "flow: x\n", None),
            ("a.flow.yaml", "", None),
        ] {
            let file = SourceFile {
                path: path.to_owned(),
                text: written.to_owned(),
            };
            let help = mistaken(0, &file).and_then(|problem| problem.help);
            let expected = name.map(|name| format!("call the file `{name}`"));
            assert_eq!(help, expected, "{path}: {written}");
        }
    }
}
