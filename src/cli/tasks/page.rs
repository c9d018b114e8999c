//! The page of a task kind, for a terminal or as Markdown.
//!
//! What a kind says of itself enters; text leaves.

use std::fmt::Write as _;

use crate::model::{Declared, KindSchema, Type, Value, format_size};
use crate::syntax::{ResultDeclaration, TaskKindDeclaration, TaskKindForm};

/// What there is to say about a kind.
pub struct Page {
    name: String,
    about: String,
    params: Vec<Row>,
    shorthand: Option<String>,
    result: Vec<String>,
    /// Whether it knows what undoes it; `None` where the flow has to say that.
    reverts: Option<bool>,
    requires: Vec<String>,
    example: Option<String>,
}

/// One parameter.
struct Row {
    name: String,
    /// Its type; empty where its description says what it is.
    ty: String,
    notes: String,
}

impl Page {
    /// Of a kind that is built in.
    #[must_use]
    pub fn built_in(schema: &KindSchema) -> Self {
        let params = schema.params.iter().map(|param| {
            let must = if param.required { " (required)" } else { "" };
            Row {
                name: param.name.to_owned(),
                ty: String::new(),
                notes: format!("{}{must}", param.about),
            }
        });
        Self {
            name: schema.name.to_owned(),
            about: schema.about.to_owned(),
            params: params.collect(),
            shorthand: schema.shorthand.map(str::to_owned),
            result: schema.result.iter().map(|&field| field.into()).collect(),
            reverts: None,
            requires: Vec::new(),
            example: None,
        }
    }

    /// Of a kind that is written in the language.
    #[must_use]
    pub fn written(kind: &TaskKindDeclaration) -> Self {
        let params = kind.params.iter().map(|(name, declared)| {
            let mut notes: Vec<String> = declared.about.iter().cloned().collect();
            notes.extend(default(declared));
            notes.extend(allowed(declared));
            Row {
                name: name.value.clone(),
                ty: declared.ty.to_string(),
                notes: notes.join("; "),
            }
        });
        let (result, reverts) = match &kind.form {
            TaskKindForm::Task { task, result } => (
                match result {
                    None => Vec::new(),
                    Some(ResultDeclaration::Value(_)) => vec!["one value".to_owned()],
                    Some(ResultDeclaration::Fields(fields)) => {
                        fields.iter().map(|(name, _)| name.value.clone()).collect()
                    }
                },
                task.revert.is_some(),
            ),
            TaskKindForm::Tasks(flow) => {
                let provides = flow.provides.iter();
                (provides.map(|name| name.value.clone()).collect(), true)
            }
        };
        Self {
            name: kind.name.value.clone(),
            about: kind.about.clone().unwrap_or_default(),
            params: params.collect(),
            shorthand: kind.shorthand.as_ref().map(|name| name.value.clone()),
            result,
            reverts: Some(reverts),
            requires: kind
                .requires
                .iter()
                .map(|tool| tool.value.clone())
                .collect(),
            example: kind.example.clone(),
        }
    }

    /// For a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let name = &self.name;
        let mut text = match self.about.is_empty() {
            true => format!("{name}\n"),
            false => format!("{name}: {}\n", self.about),
        };
        if !self.params.is_empty() {
            text.push_str("\nParameters:\n");
            let wide = |of: fn(&Row) -> &str| {
                let lengths = self.params.iter().map(|row| of(row).chars().count());
                lengths.max().unwrap_or(0)
            };
            let (names, types) = (wide(|row| &row.name), wide(|row| &row.ty));
            for Row { name, ty, notes } in &self.params {
                let line = match types {
                    0 => format!("  {name:names$}  {notes}"),
                    _ => format!("  {name:names$}  {ty:types$}  {notes}"),
                };
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        if let Some(shorthand) = &self.shorthand {
            let _ = writeln!(text, "\n`{name}: …` is `{shorthand}: …` under it.");
        }
        if !self.result.is_empty() {
            let _ = writeln!(text, "\nResult: {}", self.result.join(", "));
        }
        if self.reverts == Some(false) {
            text.push_str("\nThere is nothing to undo.\n");
        }
        if !self.requires.is_empty() {
            let _ = writeln!(text, "\nNeeds: {}", self.requires.join(", "));
        }
        if let Some(example) = &self.example {
            text.push_str("\nExample:\n");
            for line in example.trim_end().lines() {
                text.push_str(format!("  {line}").trim_end());
                text.push('\n');
            }
        }
        text
    }

    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let name = &self.name;
        let mut text = format!("## `{name}`\n");
        if !self.about.is_empty() {
            let _ = writeln!(text, "\n{}.", self.about);
        }
        if let Some(example) = &self.example {
            let _ = write!(text, "\n```yaml\n{}\n```\n", example.trim_end());
        }
        if !self.params.is_empty() {
            let typed = self.params.iter().any(|row| !row.ty.is_empty());
            text.push_str(match typed {
                true => "\n| parameter | type | |\n| --- | --- | --- |\n",
                false => "\n| parameter | |\n| --- | --- |\n",
            });
            for Row { name, ty, notes } in &self.params {
                let notes = notes.replace('|', "\\|").replace('<', "&lt;");
                let _ = match typed {
                    true => writeln!(text, "| `{name}` | `{ty}` | {notes} |"),
                    false => writeln!(text, "| `{name}` | {notes} |"),
                };
            }
        }
        if let Some(shorthand) = &self.shorthand {
            let _ = writeln!(text, "\n`{name}: …` is `{shorthand}: …` under it.");
        }
        let words = |words: &[String]| {
            let words = words.iter().map(|word| match word.contains(' ') {
                true => word.clone(),
                false => format!("`{word}`"),
            });
            words.collect::<Vec<_>>().join(", ")
        };
        if !self.result.is_empty() {
            let _ = writeln!(text, "\nResult: {}.", words(&self.result));
        }
        if self.reverts == Some(false) {
            text.push_str("\nThere is nothing to undo.\n");
        }
        if !self.requires.is_empty() {
            let _ = writeln!(text, "\nNeeds {}.", words(&self.requires));
        }
        text
    }

    /// Its line in the table of all pages.
    #[must_use]
    pub fn entry(&self) -> String {
        let Self { name, about, .. } = self;
        format!("| [`{name}`](#{name}) | {} |\n", about.replace('|', "\\|"))
    }
}

fn default(declared: &Declared) -> Option<String> {
    Some(match &declared.default {
        Some(Value::String(text)) if text.is_empty() => return None,
        Some(Value::String(text)) => format!("default {text}"),
        Some(Value::Number(size)) if declared.ty == Type::Size => match size.as_u64() {
            Some(size) => format!("default {}", format_size(size)),
            None => format!("default {size}"),
        },
        Some(other) => format!("default {other}"),
        None if declared.from.is_some() => return None,
        None => "required".to_owned(),
    })
}

fn allowed(declared: &Declared) -> Option<String> {
    if declared.one_of.is_empty() {
        return None;
    }
    let values = declared.one_of.iter().map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    Some(format!("one of {}", values.collect::<Vec<_>>().join(", ")))
}
