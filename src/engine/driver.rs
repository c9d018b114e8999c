//! Drives one job: `handle` -> commit -> carry out -> wait -> `handle`.
//!
//! A scheduler and orders enter; a verdict leaves. What waits is handled together before one commit. Nothing is
//! carried out before its records are durable, and when the driver returns, nothing that it started still runs.

mod act;
mod wait;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::{Pin, pin};
use std::sync::Arc;

use indexmap::IndexMap;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::attempt::Ended;
use super::{JobContext, WriteError};
use crate::model::{Answer, AtomId, Duration, FlowRow, Phase, Subject, Timestamp, Value};
use crate::ports::{AtomWrite, Commit, Committed, LogBatch, Request};
use crate::scheduler::{Command, CorruptCheckpoint, Event, Scheduler, Step};
use waiting::Waiting;

/// How long a commit may take once the conductor is told to stop at once.
const LAST_COMMIT: Duration = Duration::from_secs(2);

/// What reaches a job while it is driven.
pub struct Orders {
    /// The job is no longer this conductor's: end its tasks, commit nothing more.
    pub lost: CancellationToken,
    /// What people ask for: number and request. One that comes twice is carried out once.
    pub requests: mpsc::UnboundedReceiver<(i64, Request)>,
    /// How long running attempts are let run when the conductor ends.
    pub grace: Duration,
    /// How long tasks may take to end when the job is lost, before they are dropped.
    pub margin: Duration,
}

/// How driving a job ended.
#[derive(Debug)]
pub enum Driven {
    /// Nothing more happens until somebody asks for it.
    AtRest {
        /// Where it stands.
        flow: FlowRow,
        /// What the flow hands out.
        provided: IndexMap<String, Value>,
    },
    /// The conductor ends; all that is known is committed, and another one can go on at once.
    HandedOver,
    /// It is no longer this conductor's, or cannot be committed: somebody resumes from what is committed.
    Lost(Loss),
    /// What is committed does not fit the plan.
    Corrupt(CorruptCheckpoint),
}

/// Why a job was dropped.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Loss {
    /// A commit was refused: somebody else owns the job.
    #[error("another conductor has taken the job over")]
    Fenced,
    /// The lease could not be kept.
    #[error("the lease of the job could not be kept")]
    Lease,
    /// The store failed for good.
    #[error("the job cannot be committed")]
    Store(#[source] WriteError),
    /// The conductor was told to stop at once, and the store did not answer.
    #[error("the conductor was stopped before the store answered")]
    Stopped,
    /// A fault of this program.
    #[error("an attempt ended without an outcome")]
    Fault,
}

/// Drives a job, `seq` of whose records are committed, until it is at rest, handed over or lost.
pub async fn drive(
    context: Arc<JobContext>,
    scheduler: Scheduler,
    seq: i64,
    requests: Vec<(i64, Request)>,
    orders: Orders,
) -> Driven {
    let mut driver = Driver {
        context,
        scheduler,
        seq,
        orders,
        mode: Mode::Going,
        step: Step::default(),
        stops: Vec::new(),
        logs: LogBatch::default(),
        answered: Vec::new(),
        answers: BTreeMap::new(),
        known: BTreeSet::new(),
        waiting: Waiting::default(),
        place: None,
        ended: VecDeque::new(),
        running: BTreeMap::new(),
        attempts: JoinSet::new(),
        claimed: true,
        starts: false,
    };
    match driver.run(requests).await {
        Ok(driven) => driven,
        Err(end) => {
            driver.end_tasks().await;
            match end {
                End::Lost(loss) => Driven::Lost(loss),
                End::Corrupt(why) => Driven::Corrupt(why),
            }
        }
    }
}

/// Why driving cannot go on.
enum End {
    Lost(Loss),
    Corrupt(CorruptCheckpoint),
}

impl From<CorruptCheckpoint> for End {
    fn from(why: CorruptCheckpoint) -> Self {
        Self::Corrupt(why)
    }
}

/// What the driver is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// To bring the flow to rest.
    Going,
    /// The conductor ends: to let what runs finish, until this instant.
    Grace(Timestamp),
    /// The grace time is over: to await what was cancelled.
    Ending,
}

/// A command that is being carried out.
struct Running {
    attempt: u32,
    phase: Phase,
    cancel: CancellationToken,
    /// It only waits, and what for is in the checkpoint.
    waits: bool,
    /// Where a person's answer goes, if it waits for one.
    asks: Option<watch::Sender<Option<Answer>>>,
    /// The request that has answered it.
    answered: Option<i64>,
    /// The scheduler wants it stopped.
    stopped: bool,
}

impl Running {
    fn new(command: &Command, waits: bool) -> Self {
        Self {
            attempt: command.attempt,
            phase: command.phase,
            cancel: CancellationToken::new(),
            waits,
            asks: None,
            answered: None,
            stopped: false,
        }
    }
}

/// The outcome of a command for which no attempt had to be waited for.
struct Untried {
    ended: Ended,
    /// The scheduler wanted it stopped.
    stopped: bool,
}

/// This job's turn in the line for a place on the machine; none comes if the conductor ends.
type NextPlace = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

/// The place, once it has come; forever if this job is not in the line.
async fn come(place: &mut Option<NextPlace>) -> Option<OwnedSemaphorePermit> {
    match place {
        Some(place) => place.await,
        None => std::future::pending().await,
    }
}

struct Driver {
    context: Arc<JobContext>,
    scheduler: Scheduler,
    seq: i64,
    orders: Orders,
    mode: Mode,
    /// What the events since the last commit have led to.
    step: Step,
    /// Which attempts that step stops.
    stops: Vec<(AtomId, u32)>,
    /// Output to be committed with it.
    logs: LogBatch,
    /// Requests that it carries out.
    answered: Vec<i64>,
    /// Answers to questions that are asked as soon as the step is committed.
    answers: BTreeMap<AtomId, (i64, Answer)>,
    /// Requests that have been handled.
    known: BTreeSet<i64>,
    /// What has been started and does not run yet.
    waiting: Waiting,
    /// Its turn, if one of them waits for a place.
    place: Option<NextPlace>,
    /// Outcomes that are there, and have not been handled.
    ended: VecDeque<Untried>,
    running: BTreeMap<AtomId, Running>,
    attempts: JoinSet<Ended>,
    /// Nothing has been committed under this claim.
    claimed: bool,
    /// Attempts that occupy the machine have been given out since the last wait.
    starts: bool,
}

impl Driver {
    async fn run(&mut self, requests: Vec<(i64, Request)>) -> Result<Driven, End> {
        self.handle(Event::Resumed)?;
        for (number, request) in requests {
            self.take_request(number, request)?;
        }
        loop {
            self.commit().await?;
            self.act();
            if self.running.is_empty() && self.waiting.is_empty() && self.ended.is_empty() {
                if self.scheduler.is_at_rest() {
                    return Ok(Driven::AtRest {
                        flow: self.scheduler.flow().clone(),
                        provided: self.scheduler.provided(),
                    });
                }
                if self.mode != Mode::Going {
                    return Ok(Driven::HandedOver);
                }
                if self.scheduler.next_wakeup().is_none() && self.orders.requests.is_empty() {
                    let state = self.scheduler.state();
                    let what = format!("the flow is {state}, and nothing in it can go on");
                    return Err(CorruptCheckpoint(what).into());
                }
            }
            self.wait().await?;
        }
    }

    /// Lets the scheduler decide on an event; what it decides is added to the step that is committed next.
    fn handle(&mut self, event: Event) -> Result<(), CorruptCheckpoint> {
        let step = self.scheduler.handle(event, self.context.clock.now())?;
        for atom in step.stop {
            // Told by its attempt: by the time the step is committed, the atom may already run something else.
            self.stops.push((atom, self.scheduler.row(atom).attempt));
        }
        self.step.records.extend(step.records);
        self.step.commands.extend(step.commands);
        Ok(())
    }

    /// Makes the step durable. Its commands stay to be carried out.
    async fn commit(&mut self) -> Result<(), End> {
        let records = std::mem::take(&mut self.step.records);
        let answered = std::mem::take(&mut self.answered);
        let logs = std::mem::take(&mut self.logs);
        let nothing = records.is_empty() && answered.is_empty() && logs == LogBatch::default();
        // The first commit of a claim is made even if it is empty: it tells that the claim brought progress.
        if nothing && !self.claimed {
            return Ok(());
        }
        let count = i64::try_from(records.len()).expect("records are counted in memory");
        let mut flow = None;
        let mut changed: Vec<AtomId> = Vec::with_capacity(records.len());
        for record in &records {
            match record.subject {
                Subject::Flow => flow = Some(self.scheduler.flow().clone()),
                Subject::Atom(atom) => changed.push(atom),
            }
        }
        changed.sort_unstable();
        changed.dedup();
        let atoms = changed.into_iter().map(|atom| AtomWrite {
            atom,
            name: self.context.plan.atom(atom).name.clone(),
            row: self.scheduler.row(atom).clone(),
        });
        let commit = Commit {
            job: self.context.job,
            owner: self.context.owner.clone(),
            epoch: self.context.epoch,
            seq: self.seq,
            records,
            atoms: atoms.collect(),
            flow,
            answered,
        };
        let context = Arc::clone(&self.context);
        let mut out_of_time = pin!(async {
            context.stop.given_at_once().await;
            context.clock.sleep(LAST_COMMIT).await;
        });
        let mut committed = pin!(context.writer.commit(commit, logs));
        let committed = loop {
            tokio::select! {
                biased;
                () = self.orders.lost.cancelled() => return Err(End::Lost(Loss::Lease)),
                () = &mut out_of_time => return Err(End::Lost(Loss::Stopped)),
                // That it has been started is committed: no place on the machine waits for this commit.
                place = come(&mut self.place) => self.place_has_come(place),
                committed = &mut committed => break committed,
            }
        };
        match committed {
            Ok(Committed::Done { requests }) => {
                self.seq += count;
                self.claimed = false;
                if requests {
                    self.context.requested.notify_one();
                }
                Ok(())
            }
            Ok(Committed::Fenced) => Err(End::Lost(Loss::Fenced)),
            Err(error) => Err(End::Lost(Loss::Store(error))),
        }
    }
}
