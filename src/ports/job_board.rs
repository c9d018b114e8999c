//! The job board: who works on what, right now. It may lose everything; the store is the truth.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::model::{ConductorId, JobId, Priority, Timestamp};

/// A job as the board knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The job.
    pub job: JobId,
    /// Jobs of a higher priority are claimed first, then first in, first out.
    pub priority: Priority,
    /// What a conductor must be able to do: canonical JSON text, `[]` for nothing. One queue for each.
    pub requires: String,
}

/// A job that has been claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub job: JobId,
    /// Its last lease ran out instead of being released: whoever held it may still be stopping its tasks.
    pub expired: bool,
}

/// A job on the board, as seen in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// The job and what it asks for.
    pub notice: Notice,
    /// Who holds it, and until when.
    pub lease: Option<(ConductorId, Timestamp)>,
}

/// A conductor as it tells of itself: what TaskFlow calls the entity that a conductor registers with its job board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Who it is.
    pub id: ConductorId,
    /// What it is called.
    pub name: String,
    /// The machine that it runs on.
    pub host: String,
    /// When it began.
    pub since: Timestamp,
    /// How many jobs it holds.
    pub jobs: usize,
    /// How many jobs it takes on at once.
    pub max_jobs: usize,
    /// How many tasks it runs at once.
    pub max_tasks: usize,
    /// How long its leases last, in milliseconds: not seen for that long, it is taken for gone.
    pub lease_ttl_ms: u64,
    /// What it is labelled with.
    pub labels: Vec<String>,
    /// The capabilities that its configuration defines.
    pub capabilities: Vec<String>,
    /// What it found when it last looked at the board: for each [`Notice::requires`] the first that it does not have.
    pub lacks: BTreeMap<String, Option<String>>,
}

/// A conductor on the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// What it told.
    pub conductor: Registration,
    /// When it told it.
    pub seen_at: Timestamp,
}

/// What can go wrong with a board, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// It cannot be reached, or does not answer: wait, say so, try again.
    #[error("the job board is not available: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It has lost what it held, or is new, and gives out no claims before it was filled from the store: see
    /// [`JobBoard::begin_rebuild`].
    #[error("the job board is empty and has to be filled from the store")]
    Lost,
    /// It answers with something that makes no sense: report it, set it aside.
    #[error("the job board holds something unreadable: {0}")]
    Unreadable(String),
}

/// What a board says to a conductor that offers to fill it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuild {
    /// It has lost nothing.
    NotNeeded,
    /// This conductor fills it: see [`JobBoard::restore`] and [`JobBoard::end_rebuild`].
    Yours,
    /// Somebody else is filling it.
    Others,
}

/// Who works on what, right now. Every method is atomic, and safe to call from any number of conductors.
#[async_trait]
pub trait JobBoard: Send + Sync {
    /// Makes a job ready to be claimed; no change if it is there already.
    /// With `lease`, it is posted as already claimed by that conductor for that long.
    async fn post(
        &self,
        notice: &Notice,
        lease: Option<(&ConductorId, Duration)>,
    ) -> Result<(), BoardError>;

    /// The distinct `requires` of the jobs that are ready: what there is to be asked of oneself before claiming.
    async fn requirements(&self) -> Result<Vec<String>, BoardError>;

    /// Claims the first ready job whose `requires` is among `able`, for `ttl`. Leases that have run out count as ready.
    async fn claim(
        &self,
        who: &ConductorId,
        able: &[String],
        ttl: Duration,
    ) -> Result<Option<Claim>, BoardError>;

    /// Claims up to `limit` jobs as [`JobBoard::claim`] would one after the other, with what one call costs if the board
    /// can do that. It may give fewer than there are; none only if there is none.
    async fn claim_some(
        &self,
        who: &ConductorId,
        able: &[String],
        ttl: Duration,
        _limit: usize,
    ) -> Result<Vec<Claim>, BoardError> {
        Ok(self.claim(who, able, ttl).await?.into_iter().collect())
    }

    /// How long it is until the next lease runs out, by the board's clock; none if no lease is left that has not.
    async fn next_expiry(&self) -> Result<Option<Duration>, BoardError>;

    /// Extends the leases of `who` on `jobs` to `ttl` from now, in one round trip; those of them that it still holds.
    /// A lease that somebody else has taken is not extended, nor is one that is not named: of a claim whose answer
    /// was lost nobody knows, so it has to run out.
    async fn renew(
        &self,
        who: &ConductorId,
        jobs: &[JobId],
        ttl: Duration,
    ) -> Result<Vec<JobId>, BoardError>;

    /// Gives a claimed job back, ready for anyone; `false` if `who` did not hold it.
    async fn release(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError>;

    /// Takes a claimed job off the board; `false` if `who` did not hold it.
    async fn complete(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError>;

    /// Tells every conductor that waits to look again (at the board, and at what is asked of its jobs).
    async fn wake(&self) -> Result<(), BoardError>;

    /// Returns when something may have changed since the last call, or after `timeout`.
    async fn wait(&self, timeout: Duration) -> Result<(), BoardError>;

    /// Posts those jobs of the store that the board does not know; about how many that were, 0 if there were none.
    /// A job with an owner is posted as leased to it for `ttl`. What somebody else has put where no other method looks
    /// is put right, or set aside and reported.
    async fn restore(
        &self,
        jobs: &[(Notice, Option<ConductorId>)],
        ttl: Duration,
    ) -> Result<usize, BoardError> {
        /// How much of the board is looked at, so that what it has is not posted again.
        const KNOWN: usize = 1024;
        if jobs.is_empty() {
            return Ok(0);
        }
        let known = self.snapshot(KNOWN).await?;
        let known: HashSet<JobId> = known.iter().map(|posting| posting.notice.job).collect();
        let mut posted = 0;
        for (notice, owner) in jobs {
            if !known.contains(&notice.job) {
                self.post(notice, owner.as_ref().map(|owner| (owner, ttl)))
                    .await?;
                posted += 1;
            }
        }
        Ok(posted)
    }

    /// Takes it on to fill a board that has lost what it held. `who` has `ttl` for each call of
    /// [`JobBoard::extend_rebuild`]; then somebody else may begin. A board that never says
    /// [`BoardError::Lost`] needs none of this.
    async fn begin_rebuild(&self, _: &ConductorId, _: Duration) -> Result<Rebuild, BoardError> {
        Ok(Rebuild::NotNeeded)
    }

    /// Goes on filling for another `ttl`; `false` if it is no longer `who` that fills it.
    async fn extend_rebuild(&self, _: &ConductorId, _: Duration) -> Result<bool, BoardError> {
        Ok(true)
    }

    /// All is restored: claims are given out again. `false` if it is no longer `who` that fills it.
    async fn end_rebuild(&self, _: &ConductorId) -> Result<bool, BoardError> {
        Ok(true)
    }

    /// The jobs on the board, the first to be claimed first, at most `limit`.
    async fn snapshot(&self, limit: usize) -> Result<Vec<Posting>, BoardError>;

    /// Puts a conductor on the board, or renews what it tells of itself. It stays for `keep` after it was last seen.
    async fn register(&self, conductor: &Registration, keep: Duration) -> Result<(), BoardError>;

    /// Takes a conductor that ends off the board.
    async fn unregister(&self, who: &ConductorId) -> Result<(), BoardError>;

    /// The conductors on the board, by id. One whose words cannot be read is left out, and that is logged.
    async fn conductors(&self) -> Result<Vec<Registered>, BoardError>;
}
