//! The job board: who works on what, right now. It may lose everything; the store is the truth.

use std::time::Duration;

use async_trait::async_trait;

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

/// What can go wrong with a board, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// It cannot be reached, or does not answer: wait, say so, try again.
    #[error("the job board is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It answers with something that makes no sense: report it, set it aside.
    #[error("the job board holds something unreadable: {0}")]
    Unreadable(String),
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

    /// Extends all leases of `who` by `ttl` from now, in one round trip; the jobs that it still holds.
    /// A lease that somebody else has taken is not extended.
    async fn renew(&self, who: &ConductorId, ttl: Duration) -> Result<Vec<JobId>, BoardError>;

    /// Gives a claimed job back, ready for anyone; `false` if `who` did not hold it.
    async fn release(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError>;

    /// Takes a claimed job off the board; `false` if `who` did not hold it.
    async fn complete(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError>;

    /// Tells every conductor that waits to look again (at the board, and at what is asked of its jobs).
    async fn wake(&self) -> Result<(), BoardError>;

    /// Returns when something may have changed since the last call, or after `timeout`.
    async fn wait(&self, timeout: Duration) -> Result<(), BoardError>;

    /// The jobs on the board, the first to be claimed first, at most `limit`.
    async fn snapshot(&self, limit: usize) -> Result<Vec<Posting>, BoardError>;
}
