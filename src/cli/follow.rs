//! Watching a job that another process runs: what is committed is read from the store.

use std::time::Duration;

use super::backend::Backend;
use super::conduct::Signals;
use super::display::Display;
use super::progress::Progress;
use super::report::{Exit, Result};
use super::source::plan_of;
use super::watch::Watch;
use super::{job, outcome, report, written};
use crate::engine::Observer;
use crate::model::{Checkpoint, JobId};
use crate::ports::{Clock, LogFilter, SystemClock};

/// How often the store is looked at.
const TICK: Duration = Duration::from_millis(150);
/// So many rows are read at a time.
const PAGE: u32 = 500;

/// Shows how far a job is until it is at rest; the exit code tells how it ended.
///
/// # Errors
/// The job or the store is gone.
pub async fn run(backend: &Backend, id: JobId) -> Result {
    let store = backend.store.as_ref();
    let loaded = job::load(store, id).await?;
    let plan = plan_of(&loaded.job)?;
    let short = job::short(store, id).await?;
    let mut display = Display::new(&plan, short.clone(), false);
    display.begin(&plan.name);
    let watch = Watch::new(
        Progress::new(id, plan, Checkpoint::default()),
        !display.is_live(),
    );
    let mut signals = Signals::new()?;
    tokio::select! {
        done = until_rest(backend, id, &watch, &mut display) => done?,
        _ = signals.asked() => {
            display.end(&watch, SystemClock.now());
            report::hint(&format!("no longer followed; the job goes on: `jobrunner show {short}`"))?;
            return Ok(Exit::Success);
        }
    }
    end(backend, id, &watch, &mut display, &short).await
}

async fn until_rest(
    backend: &Backend,
    id: JobId,
    watch: &Watch,
    display: &mut Display,
) -> Result<()> {
    let mut seen = Position::default();
    while !look(backend, id, watch, &mut seen).await? {
        display.refresh(watch, SystemClock.now());
        tokio::time::sleep(TICK).await;
    }
    Ok(())
}

/// Shows the end of a job, as the store has it.
///
/// # Errors
/// The job or the store is gone.
pub async fn end(
    backend: &Backend,
    id: JobId,
    watch: &Watch,
    display: &mut Display,
    short: &str,
) -> Result {
    let loaded = job::load(backend.store.as_ref(), id).await?;
    let provided = outcome::provided(&loaded)?;
    let plan = watch.seen().progress.plan.clone();
    let progress = Progress::new(id, plan, loaded.checkpoint);
    display.end(watch, SystemClock.now());
    let cause = progress.flow.cause.as_ref();
    let place = cause.and_then(|cause| written::place(&loaded.job.bundle, cause));
    let lines = outcome::lines(
        &progress,
        place,
        &watch.seen().tails,
        &provided,
        short,
        display.is_live(),
    );
    display.print(&lines);
    Ok(outcome::exit(progress.flow.state))
}

/// How far the store has been read.
#[derive(Debug, Default)]
struct Position {
    seq: i64,
    log: i64,
}

/// Takes in what is new; whether the job is at rest.
async fn look(backend: &Backend, id: JobId, watch: &Watch, seen: &mut Position) -> Result<bool> {
    let store = backend.store.as_ref();
    let found = store.find(&id.to_string(), 1).await?;
    loop {
        let filter = LogFilter {
            job: id,
            task: None,
            after: seen.log,
            limit: PAGE,
        };
        let chunks = store.logs(&filter).await?;
        for chunk in &chunks {
            watch.logged(chunk);
            seen.log = chunk.id;
        }
        if chunks.len() < PAGE as usize {
            break;
        }
    }
    loop {
        let events = store.events(id, seen.seq, PAGE).await?;
        let all = events.len() < PAGE as usize;
        seen.seq = events.last().map_or(seen.seq, |event| event.seq);
        let records: Vec<_> = events.into_iter().map(|event| event.record).collect();
        watch.committed(id, &records);
        if all {
            break;
        }
    }
    Ok(found.first().is_none_or(|job| job.flow.state.is_at_rest()))
}
