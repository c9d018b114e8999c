//! `tasks`: the kinds of tasks that there are, or the page of one.

use std::fmt::Write as _;

use clap::Args;

use super::config::Config;
use super::kinds;
use super::report::{self, Error, Exit, Result};
use super::source;
use super::words;
use crate::model::{ConductorId, Declared, KindSchema, Value};
use crate::syntax::{ResultDeclaration, TaskKindDeclaration, TaskKindForm, did_you_mean};

/// What `tasks` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "The kinds of `tasks/` in this folder are listed too; with FLOW, those beside that flow."
)]
pub struct Arguments {
    /// Show the page of this kind
    name: Option<String>,
    /// The kinds that this flow may use
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
}

/// Prints the list or the page.
///
/// # Errors
/// There is no such kind, or its file does not compile.
pub fn run(config: &Config, arguments: &Arguments) -> Result {
    let from = arguments.flow.as_deref().unwrap_or(kinds::HERE);
    let all = source::kinds(&ConductorId(String::new()));
    let built_in: Vec<&KindSchema> = all.schemas().collect();
    match &arguments.name {
        None => {
            report::print(&list(config, from, &built_in)?)?;
            Ok(Exit::Success)
        }
        Some(name) => {
            let schema = built_in.iter().find(|schema| schema.name == name);
            let text = match schema {
                Some(schema) => built_in_page(schema),
                None => match kinds::written(config, from, name, &built_in)? {
                    Some(kind) => page(&kind),
                    None => return Err(unknown(from, name, &built_in)),
                },
            };
            report::print(&text)?;
            Ok(Exit::Success)
        }
    }
}

fn list(config: &Config, from: &str, built_in: &[&KindSchema]) -> Result<String> {
    let mut lines: Vec<(String, String)> = Vec::new();
    for schema in built_in {
        lines.push((schema.name.to_owned(), schema.about.to_owned()));
    }
    let first = lines.len();
    for name in kinds::names(from) {
        let about = match kinds::written(config, from, &name, built_in) {
            Ok(Some(kind)) => kind.about.unwrap_or_default(),
            Ok(None) | Err(_) => format!("(does not compile: jobrunner tasks {name})"),
        };
        lines.push((name, about));
    }
    let wide = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::from("Built in:\n");
    for (at, (name, about)) in lines.iter().enumerate() {
        if at == first {
            text.push_str("\nWritten in the flow language:\n");
        }
        text.push_str(format!("  {name:wide$}  {about}").trim_end());
        text.push('\n');
    }
    text.push_str("\n`jobrunner tasks NAME` shows one.\n");
    Ok(text)
}

fn unknown(from: &str, name: &str, built_in: &[&KindSchema]) -> Error {
    let mut known = kinds::names(from);
    known.extend(built_in.iter().map(|schema| schema.name.to_owned()));
    let said = Error::input(format!("there is no task kind `{name}`"));
    match did_you_mean(name, known.iter().map(String::as_str)) {
        Some(meant) => said.help(format!("did you mean `{meant}`?")),
        None => said.help(format!(
            "there are {}",
            words::list(known.iter().map(String::as_str))
        )),
    }
}

fn built_in_page(schema: &KindSchema) -> String {
    let mut text = format!("{}: {}\n\nParameters:\n", schema.name, schema.about);
    let wide = schema.params.iter().map(|param| param.name.len()).max();
    for param in schema.params {
        let must = if param.required { " (required)" } else { "" };
        let _ = writeln!(
            text,
            "  {:wide$}  {}{must}",
            param.name,
            param.about,
            wide = wide.unwrap_or(0)
        );
    }
    if let Some(shorthand) = schema.shorthand {
        let _ = writeln!(text, "\n`{}: …` is `{shorthand}: …` under it.", schema.name);
    }
    if !schema.result.is_empty() {
        let _ = writeln!(text, "\nResult: {}", schema.result.join(", "));
    }
    text
}

fn page(kind: &TaskKindDeclaration) -> String {
    let name = &kind.name.value;
    let mut text = match &kind.about {
        Some(about) => format!("{name}: {about}\n"),
        None => format!("{name}\n"),
    };
    if !kind.params.is_empty() {
        text.push_str("\nParameters:\n");
        let wide = |of: &dyn Fn(&str, &Declared) -> usize| {
            let params = kind.params.iter();
            params
                .map(|(name, declared)| of(&name.value, declared))
                .max()
                .unwrap_or(0)
        };
        let names = wide(&|name, _| name.len());
        let types = wide(&|_, declared| declared.ty.to_string().len());
        for (name, declared) in &kind.params {
            let mut notes: Vec<String> = declared.about.iter().cloned().collect();
            notes.extend(default(declared));
            notes.extend(allowed(declared));
            let line = format!(
                "  {:names$}  {:types$}  {}",
                name.value,
                declared.ty.to_string(),
                notes.join("; ")
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    if let Some(shorthand) = &kind.shorthand {
        let _ = writeln!(text, "\n`{name}: …` is `{}: …` under it.", shorthand.value);
    }
    let (result, reverts) = match &kind.form {
        TaskKindForm::Task { task, result } => (
            match result {
                None => None,
                Some(ResultDeclaration::Value(_)) => Some("one value".to_owned()),
                Some(ResultDeclaration::Fields(fields)) => {
                    let fields: Vec<_> =
                        fields.iter().map(|(name, _)| name.value.as_str()).collect();
                    Some(fields.join(", "))
                }
            },
            task.revert.is_some(),
        ),
        TaskKindForm::Tasks(flow) => {
            let provides: Vec<_> = flow
                .provides
                .iter()
                .map(|name| name.value.as_str())
                .collect();
            ((!provides.is_empty()).then(|| provides.join(", ")), true)
        }
    };
    if let Some(result) = result {
        let _ = writeln!(text, "\nResult: {result}");
    }
    if !reverts {
        text.push_str("\nThere is nothing to undo.\n");
    }
    if !kind.requires.is_empty() {
        let tools: Vec<_> = kind
            .requires
            .iter()
            .map(|tool| tool.value.as_str())
            .collect();
        let _ = writeln!(text, "\nNeeds: {}", tools.join(", "));
    }
    if let Some(example) = &kind.example {
        text.push_str("\nExample:\n");
        for line in example.trim_end().lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

fn default(declared: &Declared) -> Option<String> {
    Some(match &declared.default {
        Some(Value::String(text)) if text.is_empty() => return None,
        Some(Value::String(text)) => format!("default {text}"),
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
