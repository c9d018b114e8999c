//! Store and board as one machine sees them: over lines that fail.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use jobrunner::boards::MemoryBoard;
use jobrunner::model::{ConductorId, Epoch, JobId, NewJob, Record, Timestamp};
use jobrunner::ports::{
    BoardError, Claim, Commit, Committed, Created, EventRow, JobBoard, JobSummary, Loaded,
    LogBatch, LogChunk, LogFilter, Notice, Posting, Rebuild, Registered, Registration, Request,
    Store, StoreError, Taken,
};

use super::network::{Line, State};
use super::world::World;

/// The store in memory never waits.
pub fn now<T>(answer: impl Future<Output = T>) -> T {
    answer
        .now_or_never()
        .expect("what is in memory answers at once")
}

/// The store, at the end of a line.
pub struct RemoteStore(pub Line);

impl RemoteStore {
    async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        apply: impl FnOnce(&World) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let called = self.0.call(what, apply).await;
        called.unwrap_or_else(|| {
            Err(StoreError::Unavailable {
                what: what.to_owned(),
                source: "the line has failed".into(),
            })
        })
    }
}

/// A step as a line of the story.
fn told(commit: &Commit, answer: &Committed) -> String {
    let records: Vec<String> = commit.records.iter().map(record).collect();
    let (job, who, epoch, seq) = (
        commit.job.0.as_u128(),
        &commit.owner,
        commit.epoch.0,
        commit.seq,
    );
    let answer = match answer {
        Committed::Done { .. } => "committed",
        Committed::Fenced => "FENCED",
    };
    format!(
        "job {job} {who} epoch {epoch} seq {seq}: {answer} {}",
        records.join(", ")
    )
}

fn record(record: &Record) -> String {
    let change = format!("{:?}", record.change);
    let short: String = change.chars().take(60).collect();
    format!("{:?} {short}", record.subject)
}

#[async_trait]
impl Store for RemoteStore {
    async fn create(&self, job: &NewJob) -> Result<Created, StoreError> {
        let job = job.clone();
        self.call("create", move |world| now(world.store.create(&job)))
            .await
    }

    async fn own(&self, job: JobId, who: &ConductorId) -> Result<Option<Epoch>, StoreError> {
        let who = who.clone();
        self.call("own", move |world| {
            let owned = now(world.store.own(job, &who));
            if let Ok(Some(epoch)) = &owned {
                world.granted(job, &who, *epoch);
            }
            owned
        })
        .await
    }

    async fn take(
        &self,
        jobs: &[JobId],
        who: &ConductorId,
    ) -> Result<Vec<(JobId, Taken)>, StoreError> {
        if !self.0.world.together {
            return Ok(Vec::new());
        }
        let (jobs, who) = (jobs.to_vec(), who.clone());
        self.call("take", move |world| {
            let taken = now(world.store.take(&jobs, &who))?;
            for (job, Taken { epoch, .. }) in &taken {
                world.granted(*job, &who, *epoch);
            }
            Ok(taken)
        })
        .await
    }

    async fn stall(
        &self,
        job: JobId,
        who: &ConductorId,
        epoch: Epoch,
        why: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (who, why) = (who.clone(), why.to_owned());
        self.call("stall", move |world| {
            let stalled = now(world.store.stall(job, &who, epoch, &why, at));
            if let Ok(true) = stalled {
                world.tell(|| format!("job {} is stalled by {who}: {why}", job.0.as_u128()));
                world.count_committed(job, 1);
            }
            stalled
        })
        .await
    }

    async fn disown(
        &self,
        job: JobId,
        who: &ConductorId,
        epoch: Epoch,
    ) -> Result<bool, StoreError> {
        let who = who.clone();
        self.call("disown", move |world| {
            let disowned = now(world.store.disown(job, &who, epoch));
            world.tell(|| format!("job {} is disowned by {who}: {disowned:?}", job.0.as_u128()));
            disowned
        })
        .await
    }

    async fn owns(&self, job: JobId, who: &ConductorId, epoch: Epoch) -> Result<bool, StoreError> {
        let who = who.clone();
        self.call("owns", move |world| now(world.store.owns(job, &who, epoch)))
            .await
    }

    async fn load(&self, job: JobId) -> Result<Option<Loaded>, StoreError> {
        self.call("load", move |world| now(world.store.load(job)))
            .await
    }

    async fn commit(
        &self,
        steps: &[Commit],
        logs: &LogBatch,
    ) -> Result<Vec<Committed>, StoreError> {
        let (steps, logs) = (steps.to_vec(), logs.clone());
        self.call("commit", move |world| {
            let answers = now(world.store.commit(&steps, &logs))?;
            for (step, answer) in steps.iter().zip(&answers) {
                world.tell(|| told(step, answer));
                if matches!(answer, Committed::Done { .. }) {
                    world.count_committed(step.job, step.records.len());
                }
            }
            Ok(answers)
        })
        .await
    }

    async fn request(
        &self,
        job: JobId,
        request: &Request,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let request = request.clone();
        self.call("request", move |world| {
            now(world.store.request(job, &request, at))
        })
        .await
    }

    async fn requests(&self, who: &ConductorId) -> Result<Vec<(JobId, i64, Request)>, StoreError> {
        let who = who.clone();
        self.call("requests", move |world| now(world.store.requests(&who)))
            .await
    }

    async fn jobs(&self, ended: bool, limit: u32) -> Result<Vec<JobSummary>, StoreError> {
        self.call("jobs", move |world| now(world.store.jobs(ended, limit)))
            .await
    }

    async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<JobSummary>, StoreError> {
        let prefix = prefix.to_owned();
        self.call("find", move |world| now(world.store.find(&prefix, limit)))
            .await
    }

    async fn ready(&self, after: Option<JobId>, limit: u32) -> Result<Vec<JobSummary>, StoreError> {
        self.call("ready", move |world| now(world.store.ready(after, limit)))
            .await
    }

    async fn ended(
        &self,
        before: Timestamp,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobSummary>, StoreError> {
        self.call("ended", move |world| {
            now(world.store.ended(before, after, limit))
        })
        .await
    }

    async fn remove(&self, jobs: &[JobId]) -> Result<(), StoreError> {
        let jobs = jobs.to_vec();
        self.call("remove", move |world| now(world.store.remove(&jobs)))
            .await
    }

    async fn events(
        &self,
        job: JobId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        self.call("events", move |world| {
            now(world.store.events(job, after, limit))
        })
        .await
    }

    async fn logs(&self, filter: &LogFilter) -> Result<Vec<LogChunk>, StoreError> {
        let filter = filter.clone();
        self.call("logs", move |world| now(world.store.logs(&filter)))
            .await
    }
}

/// The board, at the end of a line.
pub struct RemoteBoard {
    line: Line,
    /// The board as this machine waits at it.
    own: MemoryBoard,
}

impl RemoteBoard {
    pub fn new(line: Line) -> Self {
        let own = line.world.board.clone();
        Self { line, own }
    }

    async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        apply: impl FnOnce(&MemoryBoard) -> Result<T, BoardError> + Send + 'static,
    ) -> Result<T, BoardError> {
        let called = self.line.call(what, |world| apply(&world.board)).await;
        called.unwrap_or_else(|| Err(BoardError::Unavailable("the line has failed".into())))
    }
}

#[async_trait]
impl JobBoard for RemoteBoard {
    async fn post(
        &self,
        notice: &Notice,
        lease: Option<(&ConductorId, Duration)>,
    ) -> Result<(), BoardError> {
        let (notice, lease) = (notice.clone(), lease.map(|(who, ttl)| (who.clone(), ttl)));
        self.call("post", move |board| {
            now(board.post(&notice, lease.as_ref().map(|(who, ttl)| (who, *ttl))))
        })
        .await
    }

    async fn requirements(&self) -> Result<Vec<String>, BoardError> {
        self.call("requirements", |board| now(board.requirements()))
            .await
    }

    async fn claim(
        &self,
        who: &ConductorId,
        able: &[String],
        ttl: Duration,
    ) -> Result<Option<Claim>, BoardError> {
        Ok(self.claim_some(who, able, ttl, 1).await?.pop())
    }

    async fn claim_some(
        &self,
        who: &ConductorId,
        able: &[String],
        ttl: Duration,
        limit: usize,
    ) -> Result<Vec<Claim>, BoardError> {
        let (who, able) = (who.clone(), able.to_vec());
        let world = self.line.world.clone();
        self.call("claim", move |board| {
            // It may give fewer than there are.
            let limit = match world.chance.below(4) {
                0 => world.chance.below(limit as u64) as usize + 1,
                _ => limit,
            };
            let claimed = now(board.claim_some(&who, &able, ttl, limit))?;
            for claim in &claimed {
                let expired = if claim.expired {
                    " after a lease that ran out"
                } else {
                    ""
                };
                world.tell(|| format!("job {} is leased to {who}{expired}", claim.job.0.as_u128()));
            }
            Ok(claimed)
        })
        .await
    }

    async fn next_expiry(&self) -> Result<Option<Duration>, BoardError> {
        self.call("next expiry", |board| now(board.next_expiry()))
            .await
    }

    async fn renew(
        &self,
        who: &ConductorId,
        jobs: &[JobId],
        ttl: Duration,
    ) -> Result<Vec<JobId>, BoardError> {
        let (who, jobs) = (who.clone(), jobs.to_vec());
        self.call("renew", move |board| now(board.renew(&who, &jobs, ttl)))
            .await
    }

    async fn release(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError> {
        let who = who.clone();
        self.call("release", move |board| now(board.release(&who, job)))
            .await
    }

    async fn complete(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError> {
        let who = who.clone();
        self.call("complete", move |board| now(board.complete(&who, job)))
            .await
    }

    async fn wake(&self) -> Result<(), BoardError> {
        self.call("wake", |board| now(board.wake())).await
    }

    async fn wait(&self, timeout: Duration) -> Result<(), BoardError> {
        let waited = match self.line.state() {
            State::Up => self.own.wait(timeout).await,
            State::Refusing => Err(BoardError::Unavailable("the line has failed".into())),
            State::Silent => {
                self.line.world.time.sleep(timeout).await;
                Ok(())
            }
        };
        self.line.gate.pass().await;
        waited
    }

    async fn restore(
        &self,
        jobs: &[(Notice, Option<ConductorId>)],
        ttl: Duration,
    ) -> Result<usize, BoardError> {
        let jobs = jobs.to_vec();
        if self.line.world.together {
            let restored = self.call("restore", move |board| now(board.restore(&jobs, ttl)));
            return restored.await;
        }
        let known = self.snapshot(1_000).await?;
        let is_known = |job| known.iter().any(|posting| posting.notice.job == job);
        let mut posted = 0;
        for (notice, owner) in jobs.iter().filter(|(notice, _)| !is_known(notice.job)) {
            let lease = owner.as_ref().map(|owner| (owner, ttl));
            self.post(notice, lease).await?;
            posted += 1;
        }
        Ok(posted)
    }

    async fn begin_rebuild(&self, who: &ConductorId, ttl: Duration) -> Result<Rebuild, BoardError> {
        let who = who.clone();
        self.call("begin rebuild", move |board| {
            now(board.begin_rebuild(&who, ttl))
        })
        .await
    }

    async fn extend_rebuild(&self, who: &ConductorId, ttl: Duration) -> Result<bool, BoardError> {
        let who = who.clone();
        self.call("extend rebuild", move |board| {
            now(board.extend_rebuild(&who, ttl))
        })
        .await
    }

    async fn end_rebuild(&self, who: &ConductorId) -> Result<bool, BoardError> {
        let (who, world) = (who.clone(), self.line.world.clone());
        self.call("end rebuild", move |board| {
            let ended = now(board.end_rebuild(&who))?;
            world.tell(|| format!("the board is filled by {who}: {ended}"));
            Ok(ended)
        })
        .await
    }

    async fn snapshot(&self, limit: usize) -> Result<Vec<Posting>, BoardError> {
        self.call("snapshot", move |board| now(board.snapshot(limit)))
            .await
    }

    async fn register(&self, who: &Registration, keep: Duration) -> Result<(), BoardError> {
        let who = who.clone();
        self.call("register", move |board| now(board.register(&who, keep)))
            .await
    }

    async fn unregister(&self, who: &ConductorId) -> Result<(), BoardError> {
        let who = who.clone();
        self.call("unregister", move |board| now(board.unregister(&who)))
            .await
    }

    async fn conductors(&self) -> Result<Vec<Registered>, BoardError> {
        self.call("conductors", |board| now(board.conductors()))
            .await
    }
}
