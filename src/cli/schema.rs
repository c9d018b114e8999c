//! `schema`: the JSON Schema of flow files, for editors.

use clap::Args;

use super::report::{self, Exit, Result};
use super::source::kinds;
use crate::model::ConductorId;
use crate::schema;

/// What `schema` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  jobrunner schema > flow.schema.json

How editors are told about it: docs/editors.md.")]
pub struct Arguments {}

/// Prints the schema.
///
/// # Errors
/// The output cannot be written.
pub fn run(Arguments {}: &Arguments) -> Result {
    let kinds = kinds(&ConductorId(String::new()));
    let schemas: Vec<_> = kinds.schemas().collect();
    let text =
        serde_json::to_string_pretty(&schema::flow(&schemas)).map_err(std::io::Error::from)?;
    report::print(&(text + "\n"))?;
    Ok(Exit::Success)
}
