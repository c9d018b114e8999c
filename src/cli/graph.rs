//! `graph`: a flow's graph as DOT; a job's with its states as colours.

use clap::Args;

use super::backend::Backend;
use super::config::Config;
use super::progress::Progress;
use super::report::{Exit, Result};
use super::source::{Source, plan_of};
use super::{job, report};
use crate::compile;

/// What `graph` takes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jobrunner graph hello | dot -Tsvg > hello.svg")]
pub struct Arguments {
    /// The path or name of a flow, or the beginning of a job's id
    #[arg(value_name = "FLOW|JOB")]
    of: String,
}

/// Prints the graph.
///
/// # Errors
/// There is no such flow or job, or it does not compile.
pub async fn run(config: &Config, arguments: Arguments) -> Result {
    let flows = config.all_flows();
    let text = match flows.open(&arguments.of) {
        Ok(bundle) => compile::dot(&Source::compile(&flows, bundle)?.plan, None),
        // A file that is there and cannot be read is no id of a job.
        Err(error) if !looks_like_id(&arguments.of) => return Err(error),
        Err(_) => {
            let backend = Backend::open_store(config).await?;
            let found = job::find(backend.store.as_ref(), &arguments.of).await?;
            let loaded = job::load(backend.store.as_ref(), found.id).await?;
            let plan = plan_of(&loaded.job)?;
            let progress = Progress::new(found.id, plan.clone(), loaded.checkpoint);
            compile::dot(&plan, Some(&|atom| progress.row(atom).state))
        }
    };
    report::print(&text)?;
    Ok(Exit::Success)
}

fn looks_like_id(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}
