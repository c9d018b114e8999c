//! Looking for jobs and claiming them, as long as there is room and nobody says stop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::ask::Questions;
use super::outage::Access;
use super::sweep::Sweep;
use super::taking::Taking;
use super::{ConductorError, Ended, Shared, Until, job};
use crate::engine::{Loss, Stop, Writer};
use crate::model::{Duration, JobId, Timestamp};
use crate::ports::{BoardError, Claim, StoreError};

/// How long a board that is away is let be.
const PAUSE: Duration = Duration::from_secs(1);

type Jobs = JoinSet<(JobId, Result<Ended, ConductorError>)>;

/// Claims and works until there is nothing left (if that is wanted) or `stop` is given; then awaits what it holds.
pub(super) async fn work(
    shared: &Arc<Shared>,
    writer: &Writer,
    until: Until,
    stop: &Stop,
) -> Result<(), ConductorError> {
    let mut jobs: Jobs = JoinSet::new();
    let mut sweep = Sweep::new(shared.clock.now());
    let mut questions = Questions::default();
    let mut fatal = None;
    while fatal.is_none() && !stop.is_given() {
        let mut again = sweep.due();
        let mut settled = true;
        if shared.clock.now() >= sweep.due() {
            settled = sweep.page(shared).await == Some(0);
            again = sweep.due();
        }
        match claim_all(shared, writer, &mut jobs, &mut questions, stop).await {
            Ok(next) => {
                again = next.map_or(again, |next| again.min(next));
            }
            Err((_, BoardError::Lost)) => {
                shared.board_outage.answered(Access::Read);
                settled = false;
                match sweep.rebuild(shared).await {
                    Ok(true) => again = shared.clock.now(),
                    Ok(false) => {}
                    Err(error) => shared.board_outage.failed(Access::Write, &error),
                }
            }
            Err((access, error)) => {
                shared.board_outage.failed(access, &error);
                again = again.min(shared.clock.now().plus(PAUSE));
                settled = false;
            }
        }
        let ended = until == Until::Empty && settled && jobs.is_empty() && !questions.are_open();
        if ended && is_empty(shared, &mut sweep, &mut questions).await {
            return Ok(());
        }
        if !settled || until == Until::Empty {
            again = again.min(shared.clock.now().plus(PAUSE));
        }
        fatal = wait(shared, &mut jobs, &mut questions, stop, again).await;
    }
    questions.end(shared).await;
    // Whoever holds a job hears `stop` itself; all that is left to do is to await them.
    if fatal.is_some() {
        stop.in_order();
    }
    while let Some(joined) = jobs.join_next().await {
        let error = report(joined);
        fatal = fatal.or(error);
    }
    fatal.map_or(Ok(()), Err)
}

/// How long after the end of a lease it is looked whether somebody has to take over.
const TICK: Duration = Duration::from_millis(10);

/// Claims jobs until there is no more room or nothing that this machine can do. If there is room, the instant at which
/// the next lease ends: unless it is renewed, there is something to take over then.
async fn claim_all(
    shared: &Arc<Shared>,
    writer: &Writer,
    jobs: &mut Jobs,
    questions: &mut Questions,
    stop: &Stop,
) -> Result<Option<Timestamp>, (Access, BoardError)> {
    let unread = |error| (Access::Read, error);
    let outage = &shared.board_outage;
    let settings = &shared.settings;
    while jobs.len() < settings.max_jobs.max(1) && !stop.is_given() {
        let mut able = Vec::new();
        let mut lacks = BTreeMap::new();
        let wanted = shared.board.requirements().await.map_err(unread)?;
        outage.answered(Access::Read);
        for requires in wanted {
            let Some(lacking) = questions.lacking(shared, &requires) else {
                continue;
            };
            match &lacking {
                None => able.push(requires.clone()),
                Some(lacking) => tracing::debug!(lacking, "there are jobs that cannot run here"),
            }
            lacks.insert(requires, lacking);
        }
        shared.presence.looked(lacks);
        let since = shared.clock.now();
        let mut claimed = Vec::new();
        if !able.is_empty() {
            // No more than can begin at once: the others are for others.
            let room = settings.max_jobs.max(1) - jobs.len();
            let limit = shared.slots.available_permits().clamp(1, room);
            let some = shared
                .board
                .claim_some(&settings.id, &able, settings.lease, limit);
            claimed = some.await.map_err(|error| (Access::Write, error))?;
            outage.answered(Access::Write);
        }
        if claimed.is_empty() {
            let next = shared.board.next_expiry().await.map_err(unread)?;
            return Ok(next.map(|left| since.plus(left).plus(TICK)));
        }
        claimed.retain(|claim| !shared.leases.holds(claim.job, since));
        if !claimed.is_empty() {
            questions.forget();
            begin(shared, writer, jobs, stop, claimed, since);
        }
    }
    Ok(None)
}

/// Works on jobs that were claimed at `since` or later.
fn begin(
    shared: &Arc<Shared>,
    writer: &Writer,
    jobs: &mut Jobs,
    stop: &Stop,
    claimed: Vec<Claim>,
    since: Timestamp,
) {
    // Whoever had a job before may still hold its row: nobody else is to wait for that.
    let (expired, fresh): (Vec<Claim>, Vec<Claim>) =
        claimed.into_iter().partition(|claim| claim.expired);
    let ids: Vec<JobId> = fresh.iter().map(|claim| claim.job).collect();
    let mut takings = Taking::together(shared, &ids);
    takings.extend(expired.iter().map(|claim| Taking::alone(shared, claim.job)));
    for (claim, taking) in fresh.into_iter().chain(expired).zip(takings) {
        let (id, lease) = (claim.job, shared.leases.hold(claim.job, since));
        let (shared, writer, stop) = (Arc::clone(shared), writer.clone(), stop.clone());
        jobs.spawn(async move {
            let lost = lease.lost().clone();
            let work = job::work_on(&shared, writer, claim, lease, taking, stop);
            let ended = tokio::select! {
                biased;
                ended = work => ended,
                () = overdue(&shared, &lost) => {
                    tracing::error!(job = %id, "whoever worked on a job that was lost did not end; it is dropped");
                    Ok(Ended::Lost(Loss::Lease))
                }
            };
            (id, ended)
        });
    }
}

/// Returns when a job was lost so long ago that whoever works on it must have ended: its tasks have had half the margin
/// for that. Whatever else it may wait for, a call of a server or a fault of this program, does not keep its place here.
async fn overdue(shared: &Shared, lost: &CancellationToken) {
    lost.cancelled().await;
    shared.clock.sleep(shared.settings.margin).await;
}

/// How many postings are looked at to tell whether the board is empty for this conductor.
const LOOKED_AT: usize = 10_000;

/// Whether no job is leased by anybody, and none is ready that this conductor can do, on the board or in the store.
async fn is_empty(shared: &Arc<Shared>, sweep: &mut Sweep, questions: &mut Questions) -> bool {
    let Ok(postings) = shared.board.snapshot(LOOKED_AT).await else {
        return false;
    };
    if postings.iter().any(|posting| posting.lease.is_some()) {
        return false;
    }
    let wanted: BTreeSet<&str> = postings
        .iter()
        .map(|posting| posting.notice.requires.as_str())
        .collect();
    for requires in wanted {
        match questions.lacking(shared, requires) {
            Some(Some(_)) => {}
            Some(None) | None => return false,
        }
    }
    // What was posted to the store while the board was away must not be left behind.
    if sweep.page(shared).await != Some(0) {
        return false;
    }
    if !postings.is_empty() {
        tracing::warn!(
            jobs = postings.len(),
            "what is left on the board needs what this machine does not have"
        );
    }
    true
}

/// Waits until there may be something to do; an error with which the conductor cannot go on.
async fn wait(
    shared: &Shared,
    jobs: &mut Jobs,
    questions: &mut Questions,
    stop: &Stop,
    again: Timestamp,
) -> Option<ConductorError> {
    let mut fatal = None;
    questions.forget();
    tokio::select! {
        biased;
        () = stop.given() => {}
        () = questions.answered() => {}
        Some(joined) = jobs.join_next() => fatal = report(joined),
        () = shared.look.notified() => {}
        () = shared.clock.sleep_until(again) => {}
    }
    while let Some(joined) = jobs.try_join_next() {
        let error = report(joined);
        fatal = fatal.or(error);
    }
    fatal
}

fn report(
    joined: Result<(JobId, Result<Ended, ConductorError>), tokio::task::JoinError>,
) -> Option<ConductorError> {
    match joined {
        Ok((job, Ok(ended))) => {
            tracing::debug!(%job, ?ended, "finished with a job");
            None
        }
        Ok((_, Err(error @ ConductorError::Store(StoreError::Newer { .. })))) => Some(error),
        Ok((job, Err(error))) => {
            tracing::warn!(%job, %error, "a job was given back");
            None
        }
        Err(error) => {
            tracing::error!(%error, "a job ended in a fault of this program; it is given back");
            None
        }
    }
}
