//! `check`: every problem of some flows. Nothing is run, posted or opened.

use std::io::Write;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::config::Config;
use super::diagnostics::{as_json, has_errors};
use super::flows::Flows;
use super::report::{self, Error, Exit, Result};
use super::source;

/// What `check` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "With `--format json`: {\"version\": 1, \"flows\": [{\"flow\", \"ok\", \"problems\": [{\"severity\", \
\"code\", \"message\", \"path\", \"line\", \"column\", \"end_line\", \"end_column\", \"label\", \"help\", \"related\"}]}]}. \
Lines and columns count from 1, columns in characters."
)]
pub struct Arguments {
    /// Paths or names of flows
    #[arg(required = true, value_name = "FLOW")]
    flows: Vec<String>,
    /// How problems are told
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "text|json"
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
}

/// Checks the flows.
///
/// # Errors
/// A flow cannot be read.
pub fn run(config: &Config, arguments: &Arguments) -> Result {
    let flows = Flows::new(config.flows.clone());
    let mut exit = Exit::Success;
    let mut unreadable = None;
    let mut found = Vec::new();
    for name in &arguments.flows {
        let bundle = match flows.open(name) {
            Ok(bundle) => bundle,
            // The other flows are checked all the same.
            Err(error) => {
                exit = Exit::BadInput;
                match (arguments.format, unreadable.take()) {
                    (Format::Text, None) => unreadable = Some(error),
                    (Format::Text, Some(first)) => {
                        report::also(&first)?;
                        unreadable = Some(error);
                    }
                    (Format::Json, _) => {
                        found.push(json!({ "flow": name, "ok": false, "problems": [{
                            "severity": "error", "code": "unreadable", "message": error.message(), "path": name,
                        }] }));
                    }
                }
                continue;
            }
        };
        let (plan, problems) = source::check(&bundle);
        let ok = plan.is_some() && !has_errors(&problems);
        if !ok {
            exit = Exit::BadInput;
        }
        match arguments.format {
            Format::Text => {
                report::warn(&bundle, &problems)?;
                if ok {
                    let path = bundle
                        .files
                        .first()
                        .map_or(name.as_str(), |file| file.path.as_str());
                    writeln!(anstream::stdout().lock(), "{path}: ok")?;
                }
            }
            Format::Json => found
                .push(json!({ "flow": name, "ok": ok, "problems": as_json(&bundle, &problems) })),
        }
    }
    if arguments.format == Format::Json {
        let text = serde_json::to_string_pretty(&json!({ "version": 1, "flows": found }));
        writeln!(
            std::io::stdout().lock(),
            "{}",
            text.map_err(std::io::Error::from)?
        )?;
    }
    unreadable.map_or(Ok(exit), |error: Error| Err(error))
}
