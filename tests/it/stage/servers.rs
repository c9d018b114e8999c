//! A store and a board that can be made to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jobrunner::boards::MemoryBoard;
use jobrunner::model::{
    AtomId, Change, ConductorId, Epoch, JobId, NewJob, Record, Subject, Timestamp,
};
use jobrunner::ports::{
    BoardError, Claim, Commit, Committed, Created, EventRow, JobBoard, JobSummary, Loaded,
    LogBatch, LogChunk, LogFilter, Notice, Posting, Rebuild, Registered, Registration, Request,
    Store, StoreError, Taken,
};
use jobrunner::stores::MemoryStore;

use super::Journal;

/// A store in memory that writes down each commit before it answers, and can be made to fail.
pub struct Recording {
    pub inner: MemoryStore,
    journal: Journal,
    pub away: AtomicBool,
    /// Whoever owns a job or gives it up now never gets an answer, and nothing takes place.
    pub deaf: AtomicBool,
    /// The next commit takes place, but its answer is lost.
    pub lose_answer: AtomicBool,
    /// Somebody else claims the job and commits before the next commit, whose answer is lost.
    pub usurp: AtomicBool,
}

impl Recording {
    pub fn new(journal: &Journal) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::new(),
            journal: journal.clone(),
            away: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            lose_answer: AtomicBool::new(false),
            usurp: AtomicBool::new(false),
        })
    }

    fn here(&self) -> Result<(), StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(unavailable());
        }
        Ok(())
    }

    async fn hears(&self) -> Result<(), StoreError> {
        if self.deaf.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.here()
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable {
        what: "a test has taken it away".to_owned(),
        source: "taken away".into(),
    }
}

fn tell(record: &Record, commit: &Commit) -> Option<String> {
    let name = |atom: AtomId| {
        let write = commit.atoms.iter().find(|write| write.atom == atom);
        write.map(|write| write.name.clone()).unwrap_or_default()
    };
    let what = match &record.change {
        Change::Started { .. } => "RUNNING",
        Change::Succeeded { .. } => "SUCCESS",
        Change::Failed { .. } => "FAILURE",
        Change::Reverting => "REVERTING",
        Change::Reverted { .. } => "REVERTED",
        Change::HandedOver => "HANDED OVER",
        Change::Flow { state, .. } => return Some(format!("commit flow {state}")),
        _ => return None,
    };
    match record.subject {
        Subject::Atom(atom) => Some(format!("commit {} {what}", name(atom))),
        Subject::Flow => None,
    }
}

#[async_trait]
impl Store for Recording {
    async fn create(&self, job: &NewJob) -> Result<Created, StoreError> {
        self.inner.create(job).await
    }
    async fn own(&self, job: JobId, who: &ConductorId) -> Result<Option<Epoch>, StoreError> {
        self.hears().await?;
        self.inner.own(job, who).await
    }
    async fn take(
        &self,
        jobs: &[JobId],
        who: &ConductorId,
    ) -> Result<Vec<(JobId, Taken)>, StoreError> {
        self.hears().await?;
        self.inner.take(jobs, who).await
    }
    async fn stall(
        &self,
        job: JobId,
        who: &ConductorId,
        epoch: Epoch,
        why: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.here()?;
        self.inner.stall(job, who, epoch, why, at).await
    }
    async fn disown(
        &self,
        job: JobId,
        who: &ConductorId,
        epoch: Epoch,
    ) -> Result<bool, StoreError> {
        self.hears().await?;
        self.inner.disown(job, who, epoch).await
    }
    async fn owns(&self, job: JobId, who: &ConductorId, epoch: Epoch) -> Result<bool, StoreError> {
        self.here()?;
        self.inner.owns(job, who, epoch).await
    }
    async fn load(&self, job: JobId) -> Result<Option<Loaded>, StoreError> {
        self.here()?;
        self.inner.load(job).await
    }
    async fn commit(
        &self,
        steps: &[Commit],
        logs: &LogBatch,
    ) -> Result<Vec<Committed>, StoreError> {
        self.here()?;
        if let Some(step) = steps.first()
            && self.usurp.swap(false, Ordering::SeqCst)
        {
            let owner = ConductorId("somebody:2:2".to_owned());
            let epoch = self.inner.own(step.job, &owner).await?;
            let theirs = Commit {
                owner,
                epoch: epoch.expect("it is to be run"),
                ..step.clone()
            };
            self.inner.commit(&[theirs], logs).await?;
            return Err(unavailable());
        }
        let answers = self.inner.commit(steps, logs).await?;
        if !steps.is_empty() {
            self.journal.note(format!("commit of {}", steps.len()));
        }
        for (commit, answer) in steps.iter().zip(&answers) {
            match answer {
                Committed::Done { .. } => {
                    let told = commit
                        .records
                        .iter()
                        .filter_map(|record| tell(record, commit));
                    told.for_each(|line| self.journal.note(line));
                }
                Committed::Fenced => self.journal.note("fenced"),
            }
        }
        if self.lose_answer.swap(false, Ordering::SeqCst) {
            return Err(unavailable());
        }
        Ok(answers)
    }
    async fn request(
        &self,
        job: JobId,
        request: &Request,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.inner.request(job, request, at).await
    }
    async fn requests(&self, who: &ConductorId) -> Result<Vec<(JobId, i64, Request)>, StoreError> {
        self.here()?;
        self.inner.requests(who).await
    }
    async fn jobs(&self, ended: bool, limit: u32) -> Result<Vec<JobSummary>, StoreError> {
        self.inner.jobs(ended, limit).await
    }
    async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<JobSummary>, StoreError> {
        self.inner.find(prefix, limit).await
    }
    async fn ready(&self, after: Option<JobId>, limit: u32) -> Result<Vec<JobSummary>, StoreError> {
        self.here()?;
        self.inner.ready(after, limit).await
    }
    async fn ended(
        &self,
        before: Timestamp,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobSummary>, StoreError> {
        self.here()?;
        self.inner.ended(before, after, limit).await
    }
    async fn remove(&self, jobs: &[JobId]) -> Result<(), StoreError> {
        self.here()?;
        self.inner.remove(jobs).await
    }
    async fn events(
        &self,
        job: JobId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        self.here()?;
        self.inner.events(job, after, limit).await
    }
    async fn logs(&self, filter: &LogFilter) -> Result<Vec<LogChunk>, StoreError> {
        self.inner.logs(filter).await
    }
}

/// A board in memory that can be made to fail.
pub struct Flaky {
    inner: MemoryBoard,
    pub away: AtomicBool,
}

impl Flaky {
    pub fn new(inner: MemoryBoard) -> Arc<Self> {
        Arc::new(Self {
            inner,
            away: AtomicBool::new(false),
        })
    }

    fn here(&self) -> Result<(), BoardError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(BoardError::Unavailable("taken away".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl JobBoard for Flaky {
    async fn post(
        &self,
        notice: &Notice,
        lease: Option<(&ConductorId, Duration)>,
    ) -> Result<(), BoardError> {
        self.here()?;
        self.inner.post(notice, lease).await
    }
    async fn requirements(&self) -> Result<Vec<String>, BoardError> {
        self.here()?;
        self.inner.requirements().await
    }
    async fn claim(
        &self,
        who: &ConductorId,
        able: &[String],
        ttl: Duration,
    ) -> Result<Option<Claim>, BoardError> {
        self.here()?;
        self.inner.claim(who, able, ttl).await
    }
    async fn claim_some(
        &self,
        who: &ConductorId,
        able: &[String],
        ttl: Duration,
        limit: usize,
    ) -> Result<Vec<Claim>, BoardError> {
        self.here()?;
        self.inner.claim_some(who, able, ttl, limit).await
    }
    async fn restore(
        &self,
        jobs: &[(Notice, Option<ConductorId>)],
        ttl: Duration,
    ) -> Result<usize, BoardError> {
        self.here()?;
        self.inner.restore(jobs, ttl).await
    }
    async fn begin_rebuild(&self, who: &ConductorId, ttl: Duration) -> Result<Rebuild, BoardError> {
        self.here()?;
        self.inner.begin_rebuild(who, ttl).await
    }
    async fn extend_rebuild(&self, who: &ConductorId, ttl: Duration) -> Result<bool, BoardError> {
        self.here()?;
        self.inner.extend_rebuild(who, ttl).await
    }
    async fn end_rebuild(&self, who: &ConductorId) -> Result<bool, BoardError> {
        self.here()?;
        self.inner.end_rebuild(who).await
    }
    async fn next_expiry(&self) -> Result<Option<Duration>, BoardError> {
        self.here()?;
        self.inner.next_expiry().await
    }
    async fn renew(
        &self,
        who: &ConductorId,
        jobs: &[JobId],
        ttl: Duration,
    ) -> Result<Vec<JobId>, BoardError> {
        self.here()?;
        self.inner.renew(who, jobs, ttl).await
    }
    async fn release(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError> {
        self.here()?;
        self.inner.release(who, job).await
    }
    async fn complete(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError> {
        self.here()?;
        self.inner.complete(who, job).await
    }
    async fn wake(&self) -> Result<(), BoardError> {
        self.here()?;
        self.inner.wake().await
    }
    async fn wait(&self, timeout: Duration) -> Result<(), BoardError> {
        self.here()?;
        self.inner.wait(timeout).await
    }
    async fn snapshot(&self, limit: usize) -> Result<Vec<Posting>, BoardError> {
        self.here()?;
        self.inner.snapshot(limit).await
    }
    async fn register(&self, conductor: &Registration, keep: Duration) -> Result<(), BoardError> {
        self.here()?;
        self.inner.register(conductor, keep).await
    }
    async fn unregister(&self, who: &ConductorId) -> Result<(), BoardError> {
        self.here()?;
        self.inner.unregister(who).await
    }
    async fn conductors(&self) -> Result<Vec<Registered>, BoardError> {
        self.here()?;
        self.inner.conductors().await
    }
}
