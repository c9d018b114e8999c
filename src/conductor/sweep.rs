//! The sweep: finds jobs that the store has and the board does not, one page at a time. A board that has lost all that
//! it held is filled in one go, before anybody claims from it.

use super::Shared;
use super::outage::Access;
use crate::model::{ConductorId, Duration, JobId, Timestamp};
use crate::ports::{BoardError, JobSummary, Notice, Rebuild};

/// How often a page is looked at.
const PERIOD: Duration = Duration::from_secs(30);
/// How soon the next page is looked at if there is one.
const NEXT_PAGE: Duration = Duration::from_secs(2);
/// Jobs on a page.
const PAGE: u32 = 256;
/// How long whoever fills a board may take for a page before another one begins.
const FILLING: Duration = Duration::from_secs(10);

/// Where the sweep stands.
pub(super) struct Sweep {
    after: Option<JobId>,
    due: Timestamp,
}

impl Sweep {
    /// A sweep that is due at once.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            after: None,
            due: now,
        }
    }

    /// When the next page is to be looked at.
    pub(super) fn due(&self) -> Timestamp {
        self.due
    }

    /// Looks at one page, and posts what the board does not know; about how many jobs that were. `None` if store or
    /// board are away.
    pub(super) async fn page(&mut self, shared: &Shared) -> Option<usize> {
        let now = shared.clock.now();
        self.due = now.plus(PERIOD);
        let jobs = page(shared, self.after).await?;
        if jobs.len() < PAGE as usize {
            self.after = None;
        } else {
            self.after = jobs.last().map(|(notice, _)| notice.job);
            self.due = now.plus(NEXT_PAGE);
        }
        match shared.board.restore(&jobs, shared.settings.lease).await {
            Ok(posted) => {
                shared.board_outage.answered(match posted {
                    0 => Access::Read,
                    _ => Access::Write,
                });
                Some(posted)
            }
            Err(error) => {
                shared.board_outage.failed(Access::Write, &error);
                None
            }
        }
    }

    /// Fills a board that has lost what it held, unless somebody else does; whether claims are given out again.
    pub(super) async fn rebuild(&mut self, shared: &Shared) -> Result<bool, BoardError> {
        let (board, who) = (&shared.board, &shared.settings.id);
        match board.begin_rebuild(who, FILLING).await? {
            Rebuild::NotNeeded => return Ok(true),
            Rebuild::Others => {
                tracing::info!("the job board is empty; another conductor fills it from the store");
                return Ok(false);
            }
            Rebuild::Yours => tracing::info!("the job board is empty; filling it from the store"),
        }
        let (mut after, mut count) = (None, 0);
        loop {
            let Some(jobs) = page(shared, after).await else {
                return Ok(false);
            };
            if !board.extend_rebuild(who, FILLING).await? {
                return Ok(false);
            }
            board.restore(&jobs, shared.settings.lease).await?;
            count += jobs.len();
            after = jobs.last().map(|(notice, _)| notice.job);
            if jobs.len() < PAGE as usize {
                break;
            }
        }
        let done = board.end_rebuild(who).await?;
        if done {
            tracing::info!(jobs = count, "the job board is filled");
            self.after = None;
            self.due = shared.clock.now().plus(PERIOD);
        }
        Ok(done)
    }
}

/// A page of what is to be run, and whose it is. `None` if the store is away.
async fn page(shared: &Shared, after: Option<JobId>) -> Option<Vec<(Notice, Option<ConductorId>)>> {
    let jobs = match shared.store.ready(after, PAGE).await {
        Ok(jobs) => jobs,
        Err(error) => {
            shared.store_outage.failed(Access::Read, &error);
            return None;
        }
    };
    shared.store_outage.answered(Access::Read);
    let posted = |job: JobSummary| {
        let notice = Notice {
            job: job.id,
            priority: job.priority,
            requires: job.requires,
        };
        (notice, job.owner)
    };
    Some(jobs.into_iter().map(posted).collect())
}
