//! Group commit: what is waiting when the store is free goes into one transaction.
//!
//! Steps and output enter from the drivers of all jobs of a conductor; each gets its own answer once it is durable.
//! Steps are committed whole or not at all, in the order in which they came. Whenever the answer of the store was
//! lost, it is looked up before anything is repeated. The writer never waits in the hope of a larger group.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::Observer;
use crate::model::Duration;
use crate::ports::{Clock, Commit, Committed, LogBatch, Store, StoreError};

/// Steps and pieces of output in one transaction.
const GROUP: usize = 512;
/// Bytes of output in one transaction, at which no more is added.
const GROUP_OUTPUT: usize = 4 << 20;
/// How many entries may wait before whoever comes next has to wait too.
const QUEUE: usize = 1024;
/// The first pause before a store that was away is tried again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A step or a piece of output was not made durable.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// The store failed for longer than it is waited for, or for good.
    #[error("the store did not take a step")]
    Store(#[source] Arc<StoreError>),
    /// The writer has ended.
    #[error("the writer has ended")]
    Closed,
}

type Answer = Result<Committed, WriteError>;

struct Entry {
    step: Option<Commit>,
    logs: LogBatch,
    answer: oneshot::Sender<Answer>,
}

/// The way to the store for all jobs of a conductor. Clones lead to the same writer.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Entry>,
}

impl Writer {
    /// A writer, and the future that does its work: it ends once every clone of the writer is gone and all that
    /// was handed in is answered. A store that is away is waited for, for `patience`.
    pub fn new(
        store: Arc<dyn Store>,
        observer: Option<Arc<dyn Observer>>,
        clock: Arc<dyn Clock>,
        patience: Duration,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (queue, entries) = mpsc::channel(QUEUE);
        let work = Work {
            store,
            observer,
            clock,
            patience,
        };
        (Self { queue }, work.run(entries))
    }

    /// Commits a step, and output with it. Dropping the future does not take it back.
    ///
    /// # Errors
    /// It is not known to be durable, and will not be tried again.
    pub async fn commit(&self, step: Commit, logs: LogBatch) -> Answer {
        let (answer, answered) = oneshot::channel();
        let entry = Entry {
            step: Some(step),
            logs,
            answer,
        };
        let sent = self.queue.send(entry).await;
        sent.map_err(|_| WriteError::Closed)?;
        answered.await.map_err(|_| WriteError::Closed)?
    }

    /// Waits for room in the queue, so that output is taken from its source only when it can be handed in.
    pub(super) async fn room(&self) -> Option<Room<'_>> {
        self.queue.reserve().await.ok().map(Room)
    }
}

/// A place in the writer's queue.
pub(super) struct Room<'a>(mpsc::Permit<'a, Entry>);

impl Room<'_> {
    /// Hands in output. The receiver hears when it has been dealt with.
    pub(super) fn send(self, logs: LogBatch) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Entry {
            step: None,
            logs,
            answer,
        });
        answered
    }
}

#[derive(Default)]
struct Group {
    steps: Vec<Commit>,
    /// Who waits for each of `steps`.
    waiting: Vec<oneshot::Sender<Answer>>,
    logs: LogBatch,
    /// Who waits for `logs` alone.
    logging: Vec<oneshot::Sender<Answer>>,
    entries: usize,
    output: usize,
}

impl Group {
    fn add(&mut self, entry: Entry) {
        self.entries += 1;
        let bytes = entry.logs.chunks.iter().map(|chunk| chunk.bytes.len());
        self.output += bytes.sum::<usize>();
        if self.logs.chunks.is_empty() && self.logs.trims.is_empty() {
            self.logs = entry.logs;
        } else {
            self.logs.chunks.extend(entry.logs.chunks);
            self.logs.trims.extend(entry.logs.trims);
        }
        match entry.step {
            Some(step) => {
                self.steps.push(step);
                self.waiting.push(entry.answer);
            }
            None => self.logging.push(entry.answer),
        }
    }

    fn is_full(&self) -> bool {
        self.entries >= GROUP || self.output >= GROUP_OUTPUT
    }
}

struct Work {
    store: Arc<dyn Store>,
    observer: Option<Arc<dyn Observer>>,
    clock: Arc<dyn Clock>,
    patience: Duration,
}

impl Work {
    async fn run(self, mut entries: mpsc::Receiver<Entry>) {
        while let Some(first) = entries.recv().await {
            let mut group = Group::default();
            group.add(first);
            while !group.is_full()
                && let Ok(entry) = entries.try_recv()
            {
                group.add(entry);
            }
            self.write(group).await;
        }
    }

    async fn write(&self, mut group: Group) {
        match self.persist(&mut group).await {
            Ok(()) => {}
            Err(error @ StoreError::Unavailable { .. }) => fail(group, error),
            // One step that makes no sense to the store must not take the others with it.
            Err(error) if group.steps.len() > 1 => {
                tracing::error!(%error, "a group of steps was refused; committing each alone");
                self.write_each(group).await;
            }
            Err(error) => fail(group, error),
        }
    }

    async fn write_each(&self, group: Group) {
        let mut output = Group {
            logs: group.logs,
            logging: group.logging,
            ..Group::default()
        };
        if let Err(error) = self.persist(&mut output).await {
            fail(output, error);
        }
        for (step, answer) in group.steps.into_iter().zip(group.waiting) {
            let mut alone = Group::default();
            alone.steps.push(step);
            alone.waiting.push(answer);
            if let Err(error) = self.persist(&mut alone).await {
                fail(alone, error);
            }
        }
    }

    /// Commits the group and answers whoever waits; on an error, whoever is left in it has no answer yet.
    async fn persist(&self, group: &mut Group) -> Result<(), StoreError> {
        let mut pause = FIRST_PAUSE;
        let mut waited = Duration::ZERO;
        let mut unsure = false;
        loop {
            match self.try_once(group, unsure).await {
                Ok(()) => {
                    if unsure {
                        tracing::info!("the store is back");
                        if let Some(observer) = &self.observer {
                            observer.back("store");
                        }
                    }
                    return Ok(());
                }
                Err(error @ StoreError::Unavailable { .. }) if waited < self.patience => {
                    if !unsure {
                        let cause = &error as &dyn std::error::Error;
                        tracing::warn!(cause, "the store is away; waiting for it");
                        if let Some(observer) = &self.observer {
                            observer.away("store", cause);
                        }
                    }
                    unsure = true;
                    self.clock.sleep(pause).await;
                    waited += pause;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn try_once(&self, group: &mut Group, unsure: bool) -> Result<(), StoreError> {
        if unsure {
            self.look_up(group).await?;
        }
        let nothing = LogBatch::default();
        if !group.steps.is_empty() || group.logs != nothing {
            let mut answers = self.store.commit(&group.steps, &group.logs).await?;
            if unsure {
                // What was on its way when it was looked for may have arrived in the meantime: it stands in its own way.
                for (step, answer) in group.steps.iter().zip(&mut answers) {
                    if *answer == Committed::Fenced && self.is_there(step).await? {
                        *answer = Committed::Done { requests: true };
                    }
                }
            }
            let steps = group.steps.drain(..).zip(group.waiting.drain(..));
            for ((step, waiting), answer) in steps.zip(answers) {
                self.answer(&step, waiting, answer);
            }
        }
        for waiting in group.logging.drain(..) {
            let _ = waiting.send(Ok(Committed::Done { requests: false }));
        }
        Ok(())
    }

    /// Finds out which steps took place although the store did not say so. They went in one transaction with the
    /// output: if one of them is there, the output is there too.
    async fn look_up(&self, group: &mut Group) -> Result<(), StoreError> {
        let mut found = Vec::with_capacity(group.steps.len());
        for step in &group.steps {
            found.push(self.is_there(step).await?);
        }
        if !found.contains(&true) {
            return Ok(());
        }
        group.logs = LogBatch::default();
        let steps = std::mem::take(&mut group.steps);
        let waiting = std::mem::take(&mut group.waiting);
        for ((step, waiting), there) in steps.into_iter().zip(waiting).zip(found) {
            if there {
                // Whether there are requests was in the answer that got lost: have them looked for.
                self.answer(&step, waiting, Committed::Done { requests: true });
            } else {
                group.steps.push(step);
                group.waiting.push(waiting);
            }
        }
        Ok(())
    }

    /// Whether a step is committed: under one epoch, nobody but this writer can have written at its place.
    async fn is_there(&self, step: &Commit) -> Result<bool, StoreError> {
        if step.records.is_empty() {
            return Ok(false);
        }
        let events = self.store.events(step.job, step.seq, 1).await?;
        let first = events.first();
        Ok(first.is_some_and(|event| event.seq == step.seq + 1 && event.epoch == step.epoch))
    }

    fn answer(&self, step: &Commit, waiting: oneshot::Sender<Answer>, answer: Committed) {
        if let (Committed::Done { .. }, Some(observer)) = (&answer, &self.observer)
            && !step.records.is_empty()
        {
            observer.committed(step.job, &step.records);
        }
        // A driver that has been dropped does not hear it.
        let _ = waiting.send(Ok(answer));
    }
}

fn fail(group: Group, error: StoreError) {
    let error = Arc::new(error);
    for waiting in group.waiting.into_iter().chain(group.logging) {
        let _ = waiting.send(Err(WriteError::Store(Arc::clone(&error))));
    }
}
