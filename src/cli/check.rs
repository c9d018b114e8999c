//! `check`: every problem of some flows. Nothing is run, posted or opened.

use std::io::Write;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::config::Config;
use super::diagnostics::{self, has_errors};
use super::flows::Flows;
use super::fmt::Written;
use super::report::{self, Error, Exit, Result};
use super::rewrite::{STDIN, stdin};
use super::sarif;
use super::source;
use crate::model::Bundle;
use crate::syntax::{Notation, Problem, code};

/// What `check` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "With `--format json`: {\"version\": 1, \"flows\": [{\"flow\", \"ok\", \"problems\": [{\"severity\", \
\"code\", \"message\", \"path\", \"line\", \"column\", \"end_line\", \"end_column\", \"label\", \"help\", \"related\"}]}]}. \
Lines and columns count from 1, columns in characters.\n\nWith `--format sarif`: SARIF 2.1.0.\n\nExamples:\n  jobrunner check build.flow.yaml flows/\n  \
jobrunner check - < build.flow   the files that it uses stand in the working folder"
)]
pub struct Arguments {
    /// Paths or names of flows; `-` for standard input
    // Not called `flows`: that is the global option.
    #[arg(required = true, value_name = "FLOW")]
    names: Vec<String>,
    /// The notation of standard input; without it, it is told by the text
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        value_name = "yaml|text"
    )]
    notation: Option<Written>,
    /// How problems are told
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "text|json|sarif"
    )]
    format: Format,
}

/// For whom it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For code hosts and editors
    Sarif,
}

/// A flow that was looked at.
struct Checked<'a> {
    /// What it was called.
    name: &'a str,
    bundle: Bundle,
    problems: Vec<Problem>,
    ok: bool,
}

/// What was found, or what could not be read and why.
type Outcome<'a> = std::result::Result<Checked<'a>, (&'a str, Error)>;

/// Checks the flows.
///
/// # Errors
/// The output cannot be written.
pub fn run(config: &Config, arguments: &Arguments) -> Result {
    let flows = config.all_flows();
    let notation = arguments.notation.map(Notation::from);
    let names = arguments.names.iter();
    let outcomes = names.map(|name| check(&flows, name, notation));
    match arguments.format {
        Format::Text => text(outcomes),
        Format::Json => document(outcomes.collect(), as_json),
        Format::Sarif => document(outcomes.collect(), as_sarif),
    }
}

/// All that is wrong with a flow, or why there is nothing to look at.
fn check<'a>(flows: &Flows, name: &'a str, piped: Option<Notation>) -> Outcome<'a> {
    let opened = match name {
        STDIN => stdin(piped).map(|file| Bundle {
            version: 1,
            files: vec![file],
        }),
        name => flows.open(name),
    };
    let (bundle, ok, mut problems) = match opened {
        Ok(bundle) => {
            let (bundle, (plan, problems)) = source::check_with(flows, bundle);
            let ok = plan.is_some() && !has_errors(&problems);
            (bundle, ok, problems)
        }
        Err(Error::Flow { bundle, problems }) => (bundle, false, problems),
        Err(error) => return Err((name, error)),
    };
    if name == STDIN {
        // It has no name that could be another one.
        let misnamed = |problem: &&mut Problem| problem.code == code::WRONG_NOTATION;
        for problem in problems.iter_mut().filter(misnamed) {
            problem.help = Some("leave `--notation` out: it is told by the text".to_owned());
        }
    }
    Ok(Checked {
        name,
        bundle,
        problems,
        ok,
    })
}

fn text<'a>(outcomes: impl Iterator<Item = Outcome<'a>>) -> Result {
    let mut exit = Exit::Success;
    let mut first = None;
    for outcome in outcomes {
        match outcome {
            Ok(checked) => {
                report::list(&checked.bundle, &checked.problems)?;
                first = first.or_else(|| checked.problems.first().map(|problem| problem.code));
                if checked.ok {
                    let file = checked.bundle.files.first();
                    let path = file.map_or(checked.name, |file| file.path.as_str());
                    writeln!(anstream::stdout().lock(), "{path}: ok")?;
                } else {
                    exit = Exit::BadInput;
                }
            }
            // The other flows are checked all the same.
            Err((_, error)) => {
                report::also(&error)?;
                exit = Exit::BadInput;
            }
        }
    }
    report::pointer(first)?;
    Ok(exit)
}

/// All flows in one document, for programs.
fn document(outcomes: Vec<Outcome<'_>>, render: fn(&[Outcome<'_>]) -> Value) -> Result {
    let text = serde_json::to_string_pretty(&render(&outcomes)).map_err(std::io::Error::from)?;
    writeln!(std::io::stdout().lock(), "{text}")?;
    let ok = |outcome: &Outcome<'_>| outcome.as_ref().is_ok_and(|checked| checked.ok);
    Ok(if outcomes.iter().all(ok) {
        Exit::Success
    } else {
        Exit::BadInput
    })
}

fn as_json(outcomes: &[Outcome<'_>]) -> Value {
    let flow = |outcome: &Outcome<'_>| match outcome {
        Ok(checked) => json!({
            "flow": checked.name,
            "ok": checked.ok,
            "problems": diagnostics::as_json(&checked.bundle, &checked.problems),
        }),
        Err((name, error)) => json!({ "flow": name, "ok": false, "problems": [{
            "severity": "error", "code": code::UNREADABLE_FILE, "message": error.message(), "path": name,
        }] }),
    };
    json!({ "version": 1, "flows": outcomes.iter().map(flow).collect::<Vec<_>>() })
}

fn as_sarif(outcomes: &[Outcome<'_>]) -> Value {
    let mut log = sarif::Log::default();
    for outcome in outcomes {
        match outcome {
            Ok(checked) => log.add(checked.name, &checked.bundle, &checked.problems),
            Err((name, error)) => log.add_unreadable(name, &error.message()),
        }
    }
    log.finish()
}
