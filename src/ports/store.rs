//! The store: the truth about jobs, atoms, events and logs.

use std::error::Error;

use async_trait::async_trait;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::model::{
    Answer, AtomId, AtomRow, Bundle, Checkpoint, ConductorId, Digest, Epoch, FlowRow, FlowState,
    Intent, JobId, NewJob, Operator, Phase, Priority, Record, SecretSource, Timestamp, Value, Verb,
};

/// What can go wrong with a store, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, is locked, full or read-only: wait, say so, try again.
    #[error("the store is not available: {what}")]
    Unavailable {
        /// What was being done, and what to do about it if that is known.
        what: String,
        /// The cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It holds something that makes no sense: the job is STUCK, nothing is changed.
    #[error("corrupt checkpoint: {0}")]
    Corrupt(String),
    /// Its schema is newer than this program: upgrade the program.
    #[error("the store has schema version {found}, this program knows up to {known}")]
    Newer {
        /// The store's version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
}

/// Whether a post made a job or found one with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// A new job.
    New,
    /// An earlier post with the same key made this one.
    Existing(JobId),
}

/// A person's request about a job, until a conductor has carried it out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Undo all of it.
    Cancel(Operator),
    /// Stop between two steps.
    Suspend(Operator),
    /// Go on after a suspend.
    Resume(Operator),
    /// Decide what is STUCK or INTERRUPTED: of one task, or of all.
    Decide {
        /// What.
        verb: Verb,
        /// Which task, by its full name; all that wait for a decision if `None`.
        task: Option<String>,
        /// Who and why.
        by: Operator,
    },
    /// Answer a task that asks a person.
    Answer {
        /// Which task, by its full name.
        task: String,
        /// How many times a retry had put it back when it was answered: an answer is to one question.
        generation: u32,
        /// What.
        answer: Answer,
    },
}

/// A job's row, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// Its id.
    pub id: JobId,
    /// The flow's name.
    pub name: String,
    /// What it is compiled from.
    pub bundle: Bundle,
    /// The digest of its plan.
    pub digest: Digest,
    /// The values of the store names.
    pub inputs: IndexMap<String, Value>,
    /// Where its secrets are read from.
    pub secrets: IndexMap<String, SecretSource>,
    /// What a conductor must be able to do.
    pub requires: String,
    /// Its priority.
    pub priority: Priority,
    /// The flow's progress.
    pub flow: FlowRow,
    /// What somebody wants of it.
    pub intent: Intent,
    /// Who works on it.
    pub owner: Option<ConductorId>,
    /// The last epoch that was issued.
    pub epoch: Epoch,
    /// How many records are committed.
    pub seq: i64,
    /// When it was posted.
    pub created_at: Timestamp,
}

/// A job's row as `show` lists it: without its sources.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSummary {
    /// Its id.
    pub id: JobId,
    /// The flow's name.
    pub name: String,
    /// The flow's progress.
    pub flow: FlowRow,
    /// What somebody wants of it.
    pub intent: Intent,
    /// Who works on it.
    pub owner: Option<ConductorId>,
    /// The last epoch that was issued.
    pub epoch: Epoch,
    /// What a conductor must be able to do.
    pub requires: String,
    /// Its priority.
    pub priority: Priority,
    /// When it was posted.
    pub created_at: Timestamp,
}

/// A job with its progress, as an owner loads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Its row.
    pub job: JobRow,
    /// Its progress.
    pub checkpoint: Checkpoint,
    /// What people asked for and nobody has carried out yet: number and request, oldest first.
    pub requests: Vec<(i64, Request)>,
    /// How many times in a row it was claimed without a commit, the present claim included.
    pub claims: u32,
}

/// A job that was taken on: what [`Store::own`] and then [`Store::load`] give.
#[derive(Debug)]
pub struct Taken {
    /// The epoch of the claim.
    pub epoch: Epoch,
    /// The job and its progress, or why that cannot be read.
    pub loaded: Result<Loaded, String>,
}

/// An atom's row as a commit writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct AtomWrite {
    /// Which atom.
    pub atom: AtomId,
    /// Its full name, for those who read the table.
    pub name: String,
    /// Its new row.
    pub row: AtomRow,
}

/// One step of one job, to be committed whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The job.
    pub job: JobId,
    /// Who commits.
    pub owner: ConductorId,
    /// Under which claim.
    pub epoch: Epoch,
    /// How many records were committed before this step.
    pub seq: i64,
    /// The transitions.
    pub records: Vec<Record>,
    /// The atoms that they changed, each once.
    pub atoms: Vec<AtomWrite>,
    /// The flow's row, if it changed.
    pub flow: Option<FlowRow>,
    /// Requests that this step carries out, by number: they are deleted.
    pub answered: Vec<i64>,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// It is durable. `requests` tells whether somebody asked something of the job.
    Done {
        /// Whether there are requests that nobody has carried out.
        requests: bool,
    },
    /// Somebody else owns the job, or this step was committed before: nothing was changed.
    Fenced,
}

/// Where a piece of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The program itself: what was left out, what was ended.
    Note,
}

impl Stream {
    /// The word in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Note => "note",
        }
    }

    /// Reads that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Stdout, Self::Stderr, Self::Note]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// A piece of a task's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// Its place in the whole log of all jobs, rising; 0 until the store has given it one.
    pub id: i64,
    /// Of which job.
    pub job: JobId,
    /// Of which task, by its full name.
    pub task: String,
    /// Of which attempt.
    pub attempt: u32,
    /// Of which side.
    pub phase: Phase,
    /// Its number within the output of that attempt and side, from 0.
    pub n: i64,
    /// From where.
    pub stream: Stream,
    /// When it came.
    pub at: Timestamp,
    /// The output.
    pub bytes: Vec<u8>,
}

/// Chunks of one attempt that are to be forgotten, so that its log stays bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTrim {
    /// Of which job.
    pub job: JobId,
    /// Of which task.
    pub task: String,
    /// Of which attempt.
    pub attempt: u32,
    /// Of which side.
    pub phase: Phase,
    /// The first number to forget.
    pub first: i64,
    /// The number after the last to forget.
    pub end: i64,
}

/// What is to be done to the log along with a commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogBatch {
    /// Output to append.
    pub chunks: Vec<LogChunk>,
    /// Output to forget.
    pub trims: Vec<LogTrim>,
}

/// Which chunks of a job's log to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    /// Of which job.
    pub job: JobId,
    /// Of this task alone (full name).
    pub task: Option<String>,
    /// Those after this id.
    pub after: i64,
    /// At most so many.
    pub limit: u32,
}

/// A committed transition, as history tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// Its number within the job, from 1.
    pub seq: i64,
    /// Under which claim.
    pub epoch: Epoch,
    /// What happened.
    pub record: Record,
}

/// The truth. Every method is atomic, durable when it returns, and safe to call from any number of conductors.
#[async_trait]
pub trait Store: Send + Sync {
    /// Makes a job, or finds the one with its key.
    async fn create(&self, job: &NewJob) -> Result<Created, StoreError>;

    /// Raises the epoch and sets the owner, if the job is still to be run: not at an end, and if SUSPENDED or STUCK
    /// only with a request. `None`: the notice was stale. Also counts claims that bring no progress (a commit resets
    /// the count); see [`Store::stall`].
    async fn own(&self, job: JobId, who: &ConductorId) -> Result<Option<Epoch>, StoreError>;

    /// Takes jobs on, as [`Store::own`] and then [`Store::load`] would each of them, all in one transaction; what is
    /// SUSPENDED or STUCK, and what is not to be run, is left out. Empty if the store has nothing to gain by it: then
    /// they are taken on one by one.
    async fn take(&self, _: &[JobId], _: &ConductorId) -> Result<Vec<(JobId, Taken)>, StoreError> {
        Ok(Vec::new())
    }

    /// Marks an owned job STUCK without touching its atoms: its checkpoint is corrupt, or it makes no progress.
    /// `false` if fenced.
    async fn stall(
        &self,
        job: JobId,
        who: &ConductorId,
        epoch: Epoch,
        why: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Gives the job up: no owner. `false` if fenced. The commit with which a job ends does so itself.
    async fn disown(&self, job: JobId, who: &ConductorId, epoch: Epoch)
    -> Result<bool, StoreError>;

    /// Whether `who` still owns it under `epoch`.
    async fn owns(&self, job: JobId, who: &ConductorId, epoch: Epoch) -> Result<bool, StoreError>;

    /// Reads the job and its progress.
    async fn load(&self, job: JobId) -> Result<Option<Loaded>, StoreError>;

    /// Commits steps of any number of jobs in one transaction, and writes to the log with them. A step that is fenced
    /// changes nothing, and the others are committed without it. The answers are in the order of `steps`.
    async fn commit(&self, steps: &[Commit], logs: &LogBatch)
    -> Result<Vec<Committed>, StoreError>;

    /// Puts a person's request to a job. `false` if the job is at an end.
    async fn request(
        &self,
        job: JobId,
        request: &Request,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The requests to the jobs of a conductor that nobody has carried out.
    async fn requests(&self, who: &ConductorId) -> Result<Vec<(JobId, i64, Request)>, StoreError>;

    /// Jobs, newest first, at most `limit`; with `ended`, those at an end too.
    async fn jobs(&self, ended: bool, limit: u32) -> Result<Vec<JobSummary>, StoreError>;

    /// The jobs whose id begins with `prefix` (lower-case hexadecimal and hyphens), at most `limit`.
    async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<JobSummary>, StoreError>;

    /// Jobs that are to be run, by id, after `after`, at most `limit`: for the sweep. An owner may be at work on its job,
    /// or may be gone.
    async fn ready(&self, after: Option<JobId>, limit: u32) -> Result<Vec<JobSummary>, StoreError>;

    /// Jobs that ended before `before`, by id, after `after`, at most `limit`.
    async fn ended(
        &self,
        before: Timestamp,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobSummary>, StoreError>;

    /// Removes jobs with all that belongs to them: history, output, key. Those that have not ended stay as they are.
    async fn remove(&self, jobs: &[JobId]) -> Result<(), StoreError>;

    /// The job's transitions after `seq`, in order, at most `limit`.
    async fn events(&self, job: JobId, after: i64, limit: u32)
    -> Result<Vec<EventRow>, StoreError>;

    /// Chunks of a job's log, in order.
    async fn logs(&self, filter: &LogFilter) -> Result<Vec<LogChunk>, StoreError>;
}

/// Whether a job in this state, with or without requests, is to be claimed.
#[must_use]
pub fn is_to_be_run(state: FlowState, requests: bool) -> bool {
    !state.is_end() && (!state.is_at_rest() || requests)
}
