//! What a task kind is to the engine: an execute and a revert side.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Stream, Term};
use crate::model::{Answer, Epoch, Failure, JobId, KindSchema, Phase, Timestamp, Value};

/// Where a task's output goes, as it comes. Never blocks; bounded; masks secrets.
pub trait LogSink: Send + Sync {
    /// Takes some bytes of output.
    fn write(&self, stream: Stream, bytes: &[u8]);
}

/// One call of one side of a task.
#[derive(Clone)]
pub struct Call {
    /// Of which job.
    pub job: JobId,
    /// The task's name, with its groups: `build.compile`.
    pub task: String,
    /// Which side.
    pub phase: Phase,
    /// The same for every rerun of the same attempt: `<job>/<atom>/<generation>` (`…/revert` for a revert).
    pub key: String,
    /// The attempt, from 1, in all.
    pub attempt: u32,
    /// The claim under which it runs, for the target to refuse an older one.
    pub epoch: Epoch,
    /// The kind's parameters, with every template rendered.
    pub spec: Value,
    /// When it must be done; the engine cancels it then.
    pub deadline: Option<Timestamp>,
    /// The instant that a waiting kind waits for, as the checkpoint has it.
    pub until: Option<Timestamp>,
    /// An earlier attempt with this key may have been cut off: what it left running is ended first.
    pub interrupted: bool,
    /// A person's answer, for a kind that waits for one.
    pub answer: Option<watch::Receiver<Option<Answer>>>,
    /// Cancelled when it has to stop: end the whole process tree, then return `cancelled`.
    pub cancel: CancellationToken,
    /// Until when the job is certainly this conductor's. A kind that takes its time before it has an effect awaits
    /// [`Term::lasts`] once more just before.
    pub term: Term,
    /// Where its output goes.
    pub log: Arc<dyn LogSink>,
}

impl Call {
    /// Does what ends by itself when it is dropped, unless the call is cancelled first.
    ///
    /// # Errors
    /// Those of `work`, and `cancelled`.
    pub async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Failure::stopped()),
            done = work => done,
        }
    }
}

/// What came of the execute side, for the revert side.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// What it gave back; null if nothing.
    pub result: Value,
    /// How it failed, if it did.
    pub failure: Option<Failure>,
}

/// A task kind: `shell`, `exec`, `http`, `probe`, `sleep`, `approve`, or one's own.
#[async_trait]
pub trait TaskKind: Send + Sync {
    /// All that compile ever sees of the kind.
    fn schema(&self) -> &KindSchema;

    /// Does it. A revert that a flow writes out is an `execute` too, with `Phase::Revert`.
    ///
    /// # Errors
    /// How it failed. `task` and `attempt` are filled in by the scheduler.
    async fn execute(&self, call: Call) -> Result<Value, Failure>;

    /// Undoes it, where the flow does not write out how. `call.spec` is the execute side's.
    /// Must bear running twice, and running after a half-done execute.
    ///
    /// # Errors
    /// How it failed: the flow is then STUCK.
    async fn revert(&self, call: Call, outcome: Outcome) -> Result<(), Failure>;

    /// The parameters that [`TaskKind::revert`] looks at; `None` for all. What it does not look at is not in its
    /// `call.spec` and not worked out: a secret that can no longer be read does not stop what does without it.
    fn revert_params(&self) -> Option<&'static [&'static str]> {
        None
    }
}

/// The task kinds that a program knows, by name.
#[derive(Clone, Default)]
pub struct Kinds(BTreeMap<&'static str, Arc<dyn TaskKind>>);

impl Kinds {
    /// Adds a kind; one of the same name is replaced.
    pub fn add(&mut self, kind: Arc<dyn TaskKind>) {
        self.0.insert(kind.schema().name, kind);
    }

    /// The kind of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn TaskKind>> {
        self.0.get(name)
    }

    /// All that compile needs to know of them, by name.
    pub fn schemas(&self) -> impl Iterator<Item = &KindSchema> {
        self.0.values().map(|kind| kind.schema())
    }
}
