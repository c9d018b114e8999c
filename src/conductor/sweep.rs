//! The sweep: finds jobs that the store has and the board does not, one page at a time.

use std::collections::HashSet;

use super::Shared;
use super::outage::Access;
use crate::model::{Duration, JobId, Timestamp};
use crate::ports::Notice;

/// How often a page is looked at.
const PERIOD: Duration = Duration::from_secs(30);
/// How soon the next page is looked at if there is one.
const NEXT_PAGE: Duration = Duration::from_secs(2);
/// Jobs on a page.
const PAGE: u32 = 256;
/// How much of the board is looked at, so that what it has is not posted again.
const KNOWN: usize = 1024;

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

    /// Looks at one page, and posts what the board does not know; how many jobs that were. `None` if store or board
    /// are away.
    pub(super) async fn page(&mut self, shared: &Shared) -> Option<usize> {
        let now = shared.clock.now();
        self.due = now.plus(PERIOD);
        let ready = match shared.store.ready(self.after, PAGE).await {
            Ok(ready) => ready,
            Err(error) => {
                shared.store_outage.failed(Access::Read, &error);
                return None;
            }
        };
        shared.store_outage.answered(Access::Read);
        if ready.len() < PAGE as usize {
            self.after = None;
        } else {
            self.after = ready.last().map(|job| job.id);
            self.due = now.plus(NEXT_PAGE);
        }
        if ready.is_empty() {
            return Some(0);
        }
        let known: HashSet<JobId> = match shared.board.snapshot(KNOWN).await {
            Ok(postings) => postings.iter().map(|posting| posting.notice.job).collect(),
            Err(error) => {
                shared.board_outage.failed(Access::Read, &error);
                return None;
            }
        };
        let mut posted = 0;
        for job in ready.into_iter().filter(|job| !known.contains(&job.id)) {
            let notice = Notice {
                job: job.id,
                priority: job.priority,
                requires: job.requires,
            };
            if let Err(error) = shared.board.post(&notice, None).await {
                shared.board_outage.failed(Access::Write, &error);
                return None;
            }
            posted += 1;
        }
        shared.board_outage.answered(match posted {
            0 => Access::Read,
            _ => Access::Write,
        });
        Some(posted)
    }
}
