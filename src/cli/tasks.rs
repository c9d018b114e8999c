//! `tasks`: the kinds of tasks that there are, or the page of one.

mod page;

use clap::{Args, ValueEnum};

use super::config::Config;
use super::kinds;
use super::report::{self, Error, Exit, Result};
use super::source;
use super::words;
use crate::model::{ConductorId, KindSchema};
use crate::syntax::did_you_mean;
use page::Page;

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
    /// How it is shown; as Markdown, without NAME, the pages of all that are written in the flow language
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "text|markdown"
    )]
    format: Format,
}

/// For what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// A terminal
    #[default]
    Text,
    /// Documentation
    Markdown,
}

/// Prints the list or the page.
///
/// # Errors
/// There is no such kind, or its file does not compile.
pub fn run(config: &Config, arguments: &Arguments) -> Result {
    let from = arguments.flow.as_deref().unwrap_or(kinds::HERE);
    let all = source::kinds(&ConductorId(String::new()));
    let built_in: Vec<&KindSchema> = all.schemas().collect();
    let text = match (&arguments.name, arguments.format) {
        (None, Format::Text) => list(config, from, &built_in),
        (None, Format::Markdown) => book(config, from, &built_in)?,
        (Some(name), format) => {
            let schema = built_in.iter().find(|schema| schema.name == name);
            let page = match schema {
                Some(schema) => Page::built_in(schema),
                None => match kinds::written(config, from, name, &built_in)? {
                    Some(kind) => Page::written(&kind),
                    None => return Err(unknown(from, name, &built_in)),
                },
            };
            match format {
                Format::Text => page.text(),
                Format::Markdown => page.markdown(),
            }
        }
    };
    report::print(&text)?;
    Ok(Exit::Success)
}

fn list(config: &Config, from: &str, built_in: &[&KindSchema]) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    for schema in built_in {
        lines.push((schema.name.to_owned(), schema.about.to_owned()));
    }
    let first = lines.len();
    for name in kinds::names(from) {
        let about = match kinds::written(config, from, &name, built_in) {
            Ok(Some(kind)) => kind.about.unwrap_or_default(),
            Ok(None) | Err(_) => format!(
                "(does not compile: jobrunner tasks {})",
                words::typed(&name)
            ),
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
    text
}

/// The pages of all kinds that are written in the language, behind a table of them.
fn book(config: &Config, from: &str, built_in: &[&KindSchema]) -> Result<String> {
    let mut table = String::from("| kind | |\n| --- | --- |\n");
    let mut pages = String::new();
    for name in kinds::names(from) {
        if let Some(kind) = kinds::written(config, from, &name, built_in)? {
            let page = Page::written(&kind);
            table.push_str(&page.entry());
            pages.push('\n');
            pages.push_str(&page.markdown());
        }
    }
    Ok(table + &pages)
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
