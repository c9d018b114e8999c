//! What engine and conductor are tried on: a clock that is set by hand, a task kind that does as it is told,
//! and a store that writes down what it is asked to commit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jobrunner::boards::MemoryBoard;
use jobrunner::compile::{Action, Atom, AtomKind, Plan, Task, Template};
use jobrunner::model::{
    AtomId, Bundle, Change, ConductorId, Digest, Epoch, Failure, FailureKind, JobId, KindSchema,
    NewJob, Param, Phase, Priority, Record, ScopeId, Shape, Subject, Timestamp, Value, Waits,
};
use jobrunner::ports::{
    BoardError, Call, Claim, Clock, Commit, Committed, Created, EventRow, JobBoard, JobSummary,
    Kinds, Loaded, LogBatch, LogChunk, LogFilter, Notice, Outcome, Posting, Rebuild, Registered,
    Registration, Request, Store, StoreError, Stream, Taken, TaskKind,
};
use jobrunner::stores::MemoryStore;
use petgraph::graph::DiGraph;
use serde_json::json;
use tokio::sync::watch;

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Awaits something that must come.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// A clock that stands still until it is set.
pub struct ManualClock {
    now: watch::Sender<i64>,
    /// Pauses end by this clock too, not by the machine's.
    pauses: bool,
}

impl ManualClock {
    /// One whose pauses are real: for those who wait for something that is to be tried again.
    pub fn new() -> Arc<Self> {
        Self::made(false)
    }

    /// One by which nothing ends, no pause either, before it is set.
    pub fn still() -> Arc<Self> {
        Self::made(true)
    }

    fn made(pauses: bool) -> Arc<Self> {
        let now = watch::Sender::new(1_000_000);
        Arc::new(Self { now, pauses })
    }

    pub fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now += by.as_millis() as i64);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(*self.now.borrow())
    }

    async fn sleep_until(&self, instant: Timestamp) {
        let mut now = self.now.subscribe();
        let _ = now.wait_for(|now| *now >= instant.0).await;
    }

    async fn sleep(&self, duration: Duration) {
        if self.pauses {
            self.sleep_until(self.now().plus(duration)).await;
        } else {
            tokio::time::sleep(duration).await;
        }
    }
}

/// What happened, in order, as lines of text.
#[derive(Clone, Default)]
pub struct Journal {
    lines: Arc<Mutex<Vec<String>>>,
    count: Arc<watch::Sender<usize>>,
}

impl Journal {
    pub fn note(&self, line: impl Into<String>) {
        let mut lines = self.lines.lock().unwrap();
        lines.push(line.into());
        self.count.send_replace(lines.len());
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub fn has(&self, line: &str) -> bool {
        self.lines.lock().unwrap().iter().any(|l| l == line)
    }

    pub fn count(&self, line: &str) -> usize {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|l| *l == line).count()
    }

    pub fn position(&self, line: &str) -> usize {
        let lines = self.lines();
        let at = lines.iter().position(|l| l == line);
        at.unwrap_or_else(|| panic!("`{line}` is not among {lines:#?}"))
    }

    /// Returns when the line has been written `times` times.
    pub async fn wait_for(&self, line: &str, times: usize) {
        let mut count = self.count.subscribe();
        let written = async {
            while self.count(line) < times {
                count.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(PATIENCE, written).await.is_err() {
            panic!("`{line}` did not come {times} times: {:#?}", self.lines());
        }
    }
}

/// A task kind that does what its parameter `do` says, and writes it down:
/// `pass`, `fail`, `hold` (until it is let go or cancelled), `deaf` (the same, but it ignores that it is cancelled),
/// `panic`, `large`, `print`, `freeze` (the thread, and with it the conductor, until it is thawed; once).
pub struct Scripted {
    journal: Journal,
    gates: watch::Sender<BTreeMap<String, bool>>,
    frozen: Arc<(Mutex<Ice>, Condvar)>,
    waits: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Ice {
    NotYet,
    Frozen,
    Thawed,
}

impl Scripted {
    pub fn new(journal: &Journal) -> Arc<Self> {
        Arc::new(Self {
            journal: journal.clone(),
            gates: watch::Sender::new(BTreeMap::new()),
            frozen: Arc::new((Mutex::new(Ice::NotYet), Condvar::new())),
            waits: false,
        })
    }

    /// The same as a kind that only waits, under the name `wait`.
    pub fn waiting(journal: &Journal) -> Arc<Self> {
        Arc::new(Self {
            journal: journal.clone(),
            gates: watch::Sender::new(BTreeMap::new()),
            frozen: Arc::new((Mutex::new(Ice::NotYet), Condvar::new())),
            waits: true,
        })
    }

    /// Lets the thread that a `freeze` holds go on.
    pub fn thaw(&self) {
        *self.frozen.0.lock().unwrap() = Ice::Thawed;
        self.frozen.1.notify_all();
    }

    fn freeze(&self) {
        let (ice, changed) = &*self.frozen;
        let mut ice = ice.lock().unwrap();
        if *ice == Ice::NotYet {
            *ice = Ice::Frozen;
            self.journal.note("frozen");
            let frozen = changed.wait_timeout_while(ice, PATIENCE, |ice| *ice == Ice::Frozen);
            drop(frozen);
        }
    }

    /// Lets the tasks of this name that hold go on, now and later.
    pub fn let_go(&self, task: &str) {
        self.gates.send_modify(|gates| {
            gates.insert(task.to_owned(), true);
        });
    }

    pub fn kinds(self: &Arc<Self>) -> Kinds {
        let mut kinds = Kinds::default();
        kinds.add(Arc::clone(self) as Arc<dyn TaskKind>);
        kinds
    }
}

const SCRIPT: KindSchema = KindSchema {
    name: "script",
    about: "does as it is told",
    params: &[
        Param {
            name: "do",
            shape: Shape::Text,
            required: true,
            about: "what",
        },
        Param {
            name: "text",
            shape: Shape::Text,
            required: false,
            about: "what to give back or print",
        },
    ],
    shorthand: Some("do"),
    process: false,
    result: &["text"],
    whole: Some("text"),
    waits: Waits::Nothing,
};

const WAIT: KindSchema = KindSchema {
    name: "wait",
    waits: Waits::Instant,
    ..SCRIPT
};

#[async_trait]
impl TaskKind for Scripted {
    fn schema(&self) -> &KindSchema {
        if self.waits { &WAIT } else { &SCRIPT }
    }

    async fn execute(&self, call: Call) -> Result<Value, Failure> {
        let side = match call.phase {
            Phase::Execute => call.task.clone(),
            Phase::Revert => format!("revert {}", call.task),
        };
        self.journal.note(format!("start {side}"));
        let text = call.spec["text"].as_str().unwrap_or_default().to_owned();
        let outcome = match call.spec["do"].as_str().unwrap_or_default() {
            "pass" => Ok(json!({"text": text})),
            "fail" => Err(Failure::new(FailureKind::Exit, text)),
            what @ ("hold" | "deaf") => {
                let mut gates = self.gates.subscribe();
                let open = gates.wait_for(|gates| gates.contains_key(&call.task));
                tokio::select! {
                    _ = open => Ok(json!({"text": text})),
                    () = call.cancel.cancelled(), if what == "hold" => {
                        Err(Failure::new(FailureKind::Cancelled, "cancelled"))
                    }
                }
            }
            "freeze" => {
                self.freeze();
                Ok(json!({"text": text}))
            }
            "panic" => panic!("{text}"),
            "large" => Ok(json!({"text": "x".repeat(2 << 20)})),
            "print" => {
                call.log.write(Stream::Stdout, text.as_bytes());
                Ok(json!({"text": text}))
            }
            other => Err(Failure::new(
                FailureKind::Other,
                format!("what is `{other}`?"),
            )),
        };
        self.journal.note(match &outcome {
            Ok(_) => format!("end {side}"),
            Err(failure) => format!("{} {side}", failure.kind),
        });
        outcome
    }

    async fn revert(&self, call: Call, _: Outcome) -> Result<(), Failure> {
        self.journal.note(format!("undo {}", call.task));
        Ok(())
    }
}

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

/// A task of a plan that a test writes: its name, what must come before it, and its parameters.
pub struct Sketch {
    pub name: &'static str,
    pub after: &'static [&'static str],
    pub params: Template,
    pub change: fn(&mut Task),
}

/// A task that does `what`.
pub fn task(name: &'static str, after: &'static [&'static str], what: &str, text: &str) -> Sketch {
    Sketch {
        name,
        after,
        params: Template::Literal(json!({"do": what, "text": text})),
        change: |_| {},
    }
}

/// A plan of tasks in one flow, all of kind `script`.
pub fn plan(sketches: Vec<Sketch>) -> Plan {
    let mut graph = DiGraph::new();
    let mut atoms = Vec::new();
    for (sketch, id) in sketches.iter().zip(0u32..) {
        let node = graph.add_node(AtomId(id));
        for before in sketch.after {
            let before = sketches.iter().position(|s| s.name == *before).unwrap();
            graph.add_edge((before as u32).into(), node, Vec::new());
        }
        let mut task = Task::new(Action {
            kind: "script".to_owned(),
            params: sketch.params.clone(),
            check: None,
            result: None,
            needs: Vec::new(),
        });
        (sketch.change)(&mut task);
        atoms.push(Atom {
            name: sketch.name.to_owned(),
            scope: ScopeId::FLOW,
            kind: AtomKind::Task(Box::new(task)),
        });
    }
    Plan::flat("test", atoms, graph)
}

/// A job to be put into a store.
pub fn new_job(number: u128) -> NewJob {
    NewJob {
        id: JobId(uuid::Uuid::from_u128(number)),
        name: "test".to_owned(),
        key: None,
        bundle: Bundle {
            version: 1,
            files: Vec::new(),
        },
        digest: Digest("test".to_owned()),
        inputs: Default::default(),
        secrets: Default::default(),
        requires: "[]".to_owned(),
        priority: Priority::Normal,
        created_at: Timestamp(1_000_000),
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
