//! `schema`: the JSON Schema of flow files, for editors.

use clap::Args;

use super::config::Config;
use super::report::{self, Exit, Result};
use super::{kinds, source};
use crate::model::ConductorId;
use crate::schema;

/// What `schema` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  jobrunner schema > flow.schema.json

The kinds of `tasks/` in this folder are in it too. How editors are told about it: docs/editors.md.")]
pub struct Arguments {}

/// Prints the schema.
///
/// # Errors
/// The output cannot be written.
pub fn run(config: &Config, Arguments {}: &Arguments) -> Result {
    let all = source::kinds(&ConductorId(String::new()));
    let schemas: Vec<_> = all.schemas().collect();
    let written = kinds::all(config, kinds::HERE, &schemas);
    let schema = schema::flow(&schemas, &written);
    let text = serde_json::to_string_pretty(&schema).map_err(std::io::Error::from)?;
    report::print(&(text + "\n"))?;
    Ok(Exit::Success)
}
