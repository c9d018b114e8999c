//! `prune`: removes jobs that ended long ago, with their history and their output.

use std::time::Duration;

use clap::Args;

use super::backend::Backend;
use super::config::Config;
use super::report::{self, Exit, Result};
use super::words::count;
use crate::model::{JobId, Timestamp, parse_duration};
use crate::ports::{Clock, SystemClock};

/// What `prune` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Only jobs that have ended are removed: SUCCESS, REVERTED, ABANDONED. A job posted with `--key` \
takes its key with it: the next post with that key makes a new job."
)]
pub struct Arguments {
    /// Those that ended so long ago, such as 30d; `0s`: all that have ended
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older_than: Duration,
    /// Tell which they are, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

/// So many are removed in one transaction.
const PAGE: u32 = 100;

fn duration(text: &str) -> std::result::Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write a number with a unit, such as 30d or 12h".to_owned())
}

/// Removes what ended long ago.
///
/// # Errors
/// The store cannot be read or written. What was removed until then is gone.
pub async fn run(config: &Config, arguments: Arguments) -> Result {
    let backend = Backend::open_store(config).await?;
    let age = i64::try_from(arguments.older_than.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp(SystemClock.now().0.saturating_sub(age));
    let mut after = None;
    let mut total = 0;
    loop {
        let page = backend.store.ended(before, after, PAGE).await?;
        let ids: Vec<JobId> = page.iter().map(|job| job.id).collect();
        if arguments.dry_run {
            for one in &page {
                // Whole: short ones would be told apart from those of this page alone.
                let id = one.id;
                let (name, state, since) = (&one.name, one.flow.state, one.flow.since);
                report::print(&format!("{id}  {state}  {since}  {name}\n"))?;
            }
        } else if !ids.is_empty() {
            backend.store.remove(&ids).await?;
        }
        total += ids.len();
        if ids.len() < PAGE as usize {
            break;
        }
        after = ids.last().copied();
    }
    let done = if arguments.dry_run {
        "would be removed"
    } else {
        "removed"
    };
    report::hint(&format!("{} {done}", count(total, "job")))?;
    Ok(Exit::Success)
}
