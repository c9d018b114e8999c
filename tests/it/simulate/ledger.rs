//! What tasks do to the world, and the ledger that they write: which side of which attempt ran, when, and for whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jobrunner::model::{Epoch, Failure, FailureKind, JobId, KindSchema, Phase, Timestamp, Value};
use jobrunner::ports::{Call, Outcome, TaskKind};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::time::Gate;
use super::world::World;
use crate::play::PROBE;

/// All that tasks have done, in the order in which it began.
#[derive(Default)]
pub struct Ledger {
    pub entries: Vec<Entry>,
}

/// One side of one attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The number of the machine.
    pub machine: usize,
    pub job: JobId,
    pub task: String,
    pub generation: u32,
    pub attempt: u32,
    pub phase: Phase,
    pub epoch: Epoch,
    pub began: Timestamp,
    /// How many records of the job were committed when it began.
    pub committed: i64,
    pub ended: Option<(Timestamp, End)>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As it was meant to.
    Done,
    /// It failed.
    Failed,
    /// It was told to end, and did.
    Stopped,
    /// It was ended.
    Killed,
}

impl Entry {
    /// Whether it was under way at an instant, that of its end not included.
    pub fn runs_at(&self, at: Timestamp) -> bool {
        self.began <= at && self.ended.is_none_or(|(end, _)| at < end)
    }
}

/// The kind of all tasks in the simulator, as one machine has it.
pub struct Work {
    pub world: Arc<World>,
    pub machine: usize,
    pub gate: Gate,
    /// The machine's conductor was killed: what it leaves behind is ended by its guard.
    pub killed: Arc<AtomicBool>,
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Work {
    /// Begins a child of its own, and waits for it as a conductor would.
    async fn carry_out(&self, call: &Call) -> Result<Value, Failure> {
        let world = &self.world;
        let generation = call
            .key
            .split('/')
            .nth(2)
            .and_then(|text| text.parse().ok());
        let entry = Entry {
            machine: self.machine,
            job: call.job,
            task: call.task.clone(),
            generation: generation.expect("a key ends with the generation"),
            attempt: call.attempt,
            phase: call.phase,
            epoch: call.epoch,
            began: world.time.now(),
            committed: world.committed(call.job),
            ended: None,
        };
        world.tell(|| {
            let (job, what, n) = (call.job.0.as_u128(), &call.task, entry.generation);
            format!(
                "machine {}: {:?} {what}.{n} of job {job} begins",
                self.machine, call.phase
            )
        });
        let end = self.end_of(&entry);
        let entry = {
            let mut ledger = world.ledger();
            ledger.entries.push(entry);
            ledger.entries.len() - 1
        };
        let mut child = Child {
            world: Arc::clone(world),
            entry,
            term: CancellationToken::new(),
            kill: CancellationToken::new(),
            killed: Arc::clone(&self.killed),
            ended: false,
        };
        let (done, mut ended) = oneshot::channel();
        let (lasts, lingers) = (self.lasts(), self.lingers());
        tokio::spawn(live(
            Arc::clone(world),
            entry,
            lasts,
            lingers,
            end,
            child.term.clone(),
            child.kill.clone(),
            done,
        ));
        let end = tokio::select! {
            biased;
            end = &mut ended => end,
            () = call.cancel.cancelled() => {
                child.term.cancel();
                ended.await
            }
        };
        child.ended = true;
        self.gate.pass().await;
        match end {
            Ok(End::Done) => Ok(Value::Null),
            Ok(End::Failed) => Err(Failure::new(FailureKind::Exit, "exited with code 1")),
            Ok(End::Stopped) => Err(Failure::new(FailureKind::Cancelled, "stopped")),
            Ok(End::Killed) | Err(_) => Err(Failure::new(FailureKind::Signal, "killed")),
        }
    }

    fn lasts(&self) -> Duration {
        self.world.chance.millis(1, 4_000)
    }

    /// How long it takes to end when it is told to; some never do.
    fn lingers(&self) -> Duration {
        match self.world.chance.below(16) {
            0 => Duration::from_secs(600),
            1 => self.world.chance.millis(10, 3_000),
            _ => self.world.chance.millis(1, 20),
        }
    }

    /// How a side will end: the same whenever it is run again, but for reverts that were to fail.
    fn end_of(&self, entry: &Entry) -> End {
        let world = &self.world;
        let ledger = world.ledger();
        let failed = ledger.entries.iter().filter(|earlier| {
            (
                earlier.job,
                earlier.phase,
                earlier.generation,
                &earlier.task,
            ) == (entry.job, entry.phase, entry.generation, &entry.task)
                && matches!(earlier.ended, Some((_, End::Failed)))
        });
        let failed = match entry.phase {
            Phase::Execute => 0,
            Phase::Revert => failed.count() as u64,
        };
        let name = entry
            .task
            .bytes()
            .fold(7u64, |sum, byte| mix(sum ^ u64::from(byte)));
        let (job, phase) = (entry.job.0.as_u128() as u64, entry.phase as u64);
        let drawn =
            mix(mix(name ^ job << 20) ^ u64::from(entry.generation) << 8 ^ failed << 4 ^ phase);
        let (executes, reverts) = world.luck;
        let limit = match entry.phase {
            Phase::Execute => executes,
            Phase::Revert => reverts,
        };
        if drawn % 256 < limit {
            End::Failed
        } else {
            End::Done
        }
    }
}

/// The life of a child: it does its work, ends when it is told to, or is killed.
#[expect(clippy::too_many_arguments, reason = "it is called once")]
async fn live(
    world: Arc<World>,
    entry: usize,
    lasts: Duration,
    lingers: Duration,
    end: End,
    term: CancellationToken,
    kill: CancellationToken,
    done: oneshot::Sender<End>,
) {
    let work = async {
        tokio::select! {
            biased;
            () = world.time.sleep(lasts) => end,
            () = term.cancelled() => {
                world.time.sleep(lingers).await;
                End::Stopped
            }
        }
    };
    let end = tokio::select! {
        biased;
        end = work => end,
        () = kill.cancelled() => {
            // The guard takes a moment; less than any margin.
            world.time.sleep(world.chance.millis(1, 150)).await;
            End::Killed
        }
    };
    finish(&world, entry, end);
    let _ = done.send(end);
}

fn finish(world: &World, entry: usize, end: End) {
    let now = world.time.now();
    let mut ledger = world.ledger();
    let entry = &mut ledger.entries[entry];
    if entry.ended.is_none() {
        entry.ended = Some((now, end));
        let (job, what, n, phase) = (
            entry.job.0.as_u128(),
            &entry.task,
            entry.generation,
            entry.phase,
        );
        world.tell(|| {
            format!(
                "machine {}: {phase:?} {what}.{n} of job {job} is {end:?}",
                entry.machine
            )
        });
    }
}

/// A child in the hands of whoever waits for it: nobody waits for it any more, so it ends.
struct Child {
    world: Arc<World>,
    entry: usize,
    term: CancellationToken,
    kill: CancellationToken,
    killed: Arc<AtomicBool>,
    ended: bool,
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if !self.killed.load(Ordering::Relaxed) {
            finish(&self.world, self.entry, End::Killed);
        }
        self.kill.cancel();
    }
}

#[async_trait]
impl TaskKind for Work {
    fn schema(&self) -> &KindSchema {
        &PROBE
    }

    async fn execute(&self, call: Call) -> Result<Value, Failure> {
        self.carry_out(&call).await
    }

    async fn revert(&self, call: Call, _: Outcome) -> Result<(), Failure> {
        self.carry_out(&call).await.map(|_| ())
    }
}
