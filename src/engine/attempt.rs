//! One attempt: carries out one command of the scheduler, and says what came of it.
//!
//! A command enters; an outcome and the last of the output leave, both without secrets. Whatever a task kind does
//! (fail, panic, take too long, give back too much, ignore that it is cancelled), an attempt ends with an outcome.

use std::any::Any;
use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt;
use indexmap::IndexMap;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::JobContext;
use super::log::{AttemptLog, Author};
use super::names;
use crate::compile::{Action, Expression, Task};
use crate::model::{
    Answer, AtomId, Duration, Failure, FailureKind, Phase, Timestamp, Value, format_duration,
};
use crate::ports::{Call, LogBatch, LogSink, Outcome, TaskKind, within};
use crate::scheduler::{Command, result_scope};

/// The largest result that is stored, in bytes of JSON.
const LARGEST_RESULT: usize = 1 << 20;
/// How long a call that was cancelled may take to end before it is dropped.
const END: Duration = Duration::from_secs(30);

/// What came of an attempt.
pub(super) struct Ended {
    pub(super) atom: AtomId,
    pub(super) attempt: u32,
    pub(super) phase: Phase,
    pub(super) outcome: Result<Value, Failure>,
    /// Output that has not been handed over: to be committed along with the outcome.
    pub(super) logs: LogBatch,
}

impl Ended {
    /// Of a command that was stopped before anything was begun.
    pub(super) fn stopped(command: &Command) -> Self {
        Self {
            atom: command.atom,
            attempt: command.attempt,
            phase: command.phase,
            outcome: Err(Failure::stopped()),
            logs: LogBatch::default(),
        }
    }
}

/// What is done on one side of a task, and how long it may take. What the flow does not say how to revert, its kind
/// knows.
pub(super) fn sides_action(task: &Task, phase: Phase) -> (&Action, Option<Duration>) {
    match (phase, &task.revert) {
        (Phase::Revert, Some(reversal)) => (&reversal.action, reversal.timeout),
        (Phase::Revert, None) | (Phase::Execute, _) => (&task.execute, task.timeout),
    }
}

/// A command that is about to be carried out.
pub(super) struct Attempt {
    context: Arc<JobContext>,
    command: Command,
    stop: CancellationToken,
    answer: Option<watch::Receiver<Option<Answer>>>,
    /// When it was started, if that was before it is carried out.
    began: Option<Timestamp>,
}

impl Attempt {
    /// An attempt that ends early when `stop` is cancelled; `answer` is for a kind that asks a person.
    pub(super) fn new(
        context: Arc<JobContext>,
        command: Command,
        stop: CancellationToken,
        answer: Option<watch::Receiver<Option<Answer>>>,
    ) -> Self {
        Self {
            context,
            command,
            stop,
            answer,
            began: None,
        }
    }

    /// Counts the time that it may take from an instant that is past: when it began to wait for nothing but another.
    pub(super) fn since(mut self, began: Timestamp) -> Self {
        self.began = Some(began);
        self
    }

    /// Carries the command out, on a `place` of its own if it occupies the machine: that is given back as soon as it
    /// has ended. Dropping the future drops the call.
    pub(super) async fn run(self, place: Option<OwnedSemaphorePermit>) -> Ended {
        let mut logs = LogBatch::default();
        let outcome = self.outcome(place, &mut logs).await;
        let outcome = match self.context.secrets.masker() {
            None => outcome,
            Some(masker) => outcome
                .map(|result| masker.value(result))
                .map_err(|failure| masker.failure(failure)),
        };
        Ended {
            atom: self.command.atom,
            attempt: self.command.attempt,
            phase: self.command.phase,
            outcome,
            logs,
        }
    }

    async fn outcome(
        &self,
        place: Option<OwnedSemaphorePermit>,
        logs: &mut LogBatch,
    ) -> Result<Value, Failure> {
        let context = &self.context;
        let side = self.side()?;
        // Nothing occupies the machine any more once the conductor ends.
        if self.stop.is_cancelled() || place.is_some() && context.stop.is_given() {
            return Err(Failure::stopped());
        }
        if self.has_done_nothing(&side) {
            return Ok(Value::Null);
        }
        let secrets = context.secrets.read(&context.plan, &side.action.needs);
        let secrets = secrets.await?;
        let author = Author {
            job: context.job,
            task: side.name.to_owned(),
            attempt: self.command.attempt,
            phase: self.command.phase,
        };
        let log = Arc::new(AttemptLog::new(
            author,
            Arc::clone(&context.clock),
            context.observer.clone(),
            context.secrets.masker(),
        ));
        let sink: Arc<dyn LogSink> = Arc::clone(&log) as Arc<dyn LogSink>;
        let work = AssertUnwindSafe(self.carry_out(&side, secrets, sink)).catch_unwind();
        let outcome = tokio::select! {
            biased;
            done = work => done.unwrap_or_else(|panic| Err(panicked(&side, panic.as_ref()))),
            never = log.pump(&context.writer) => match never {},
        };
        *logs = log.finish();
        outcome
    }

    fn side(&self) -> Result<Side<'_>, Failure> {
        let plan = &self.context.plan;
        let other = |what: &str| Failure::new(FailureKind::Other, what);
        let task = plan.task(self.command.atom);
        let task = task.ok_or_else(|| other("only tasks can be carried out"))?;
        let (action, timeout) = sides_action(task, self.command.phase);
        let written = self.command.phase == Phase::Execute || task.revert.is_some();
        let kind = self.context.kinds.get(&action.kind).ok_or_else(|| {
            let what = format!("this conductor has no task kind `{}`", action.kind);
            Failure::new(FailureKind::Other, what)
        })?;
        let action = match kind.revert_params() {
            Some(params) if !written => Cow::Owned(action.only(params)),
            Some(_) | None => Cow::Borrowed(action),
        };
        Ok(Side {
            name: &plan.atom(self.command.atom).name,
            task,
            action,
            kind: Arc::clone(kind),
            timeout,
            written,
        })
    }

    async fn carry_out(
        &self,
        side: &Side<'_>,
        secrets: IndexMap<String, Value>,
        log: Arc<dyn LogSink>,
    ) -> Result<Value, Failure> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(Failure::stopped()),
            () = self.context.term.lasts() => {}
        }
        let command = &self.command;
        let key = self.key(side.name);
        let action = side.action.as_ref();
        let names = names::of_attempt(
            &self.context,
            command,
            side.name,
            &key,
            &action.needs,
            secrets,
        );
        let rendered = names.and_then(|names| Ok((action.params.render(&names)?, names)));
        let (spec, mut names) = match rendered {
            Ok(rendered) => rendered,
            // What could not be rendered then was never done. How a kind reverts is no business of the flow.
            Err(_) if !side.is_flows_own() && self.was_never_called(side.name) => {
                return Ok(Value::Null);
            }
            Err(error) => return Err(Failure::new(FailureKind::Template, error.to_string())),
        };
        if uses_state(action) {
            self.context
                .state
                .open(command.atom, command.generation)
                .map_err(|error| {
                    let what =
                        format!("the folder for what the task found cannot be made: {error}");
                    Failure::new(FailureKind::System, what)
                })?;
        }
        let asks = self.answer.is_some();
        // How long a person may take is in the checkpoint.
        let deadline = command.until.filter(|_| asks);
        let deadline = deadline.or_else(|| {
            let began = self.began.unwrap_or_else(|| self.context.clock.now());
            side.timeout.map(|timeout| began.plus(timeout))
        });
        let cancel = self.stop.child_token();
        let call = Call {
            job: self.context.job,
            task: side.name.to_owned(),
            phase: command.phase,
            key,
            attempt: command.attempt,
            epoch: self.context.epoch,
            spec,
            deadline,
            until: command.until,
            interrupted: command.interrupted,
            answer: self.answer.clone(),
            cancel: cancel.clone(),
            term: self.context.term.clone(),
            log,
        };
        if !side.written {
            let outcome = Outcome {
                result: self
                    .command
                    .undo
                    .as_ref()
                    .map_or(Value::Null, |undo| Value::clone(&undo.result)),
                failure: self.own_failure(side.name).cloned(),
            };
            let call = async { side.kind.revert(call, outcome).await.map(|()| Value::Null) };
            return self.until_end(side, deadline, &cancel, call).await;
        }
        let call = side.kind.execute(call);
        let mut result = self.until_end(side, deadline, &cancel, call).await?;
        limit(&result)?;
        if action.check.is_some() || action.result.is_some() {
            names::with_result(&mut names, &result);
        }
        if let Some(check) = &action.check {
            holds(check, &names)?;
        }
        if let Some(reshaped) = &action.result {
            result = names::reshaped(reshaped, &names)
                .map_err(|error| Failure::new(FailureKind::Result, error.to_string()))?;
            limit(&result)?;
        }
        match command.phase {
            Phase::Revert => Ok(Value::Null),
            Phase::Execute => {
                self.can_provide(side.task, &result)?;
                Ok(result)
            }
        }
    }

    fn key(&self, name: &str) -> String {
        let (job, generation) = (self.context.job, self.command.generation);
        match self.command.phase {
            Phase::Execute => format!("{job}/{name}/{generation}"),
            Phase::Revert => format!("{job}/{name}/{generation}/revert"),
        }
    }

    /// How the execute side failed that this reverts.
    fn own_failure(&self, name: &str) -> Option<&Failure> {
        let failure = self.command.undo.as_ref()?.failure.as_deref();
        failure.filter(|failure| failure.task == name)
    }

    fn was_never_called(&self, name: &str) -> bool {
        let failure = self.own_failure(name);
        failure.is_some_and(|f| matches!(f.kind, FailureKind::Template | FailureKind::Secret))
    }

    /// Whether the task failed before anything was done that could be reverted.
    fn has_done_nothing(&self, side: &Side<'_>) -> bool {
        let generation = self.command.generation;
        self.command.phase == Phase::Revert
            && self
                .own_failure(side.name)
                .is_some_and(|failure| failure.is_of_nothing_done(generation))
    }

    /// Waits for a call; past its deadline, or when the attempt is stopped, it is cancelled and awaited.
    async fn until_end(
        &self,
        side: &Side<'_>,
        deadline: Option<Timestamp>,
        cancel: &CancellationToken,
        call: impl Future<Output = Result<Value, Failure>>,
    ) -> Result<Value, Failure> {
        let mut call = pin!(self.context.term.bounds(cancel, call));
        let clock = &self.context.clock;
        let due = async {
            match deadline {
                Some(deadline) => clock.sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let late = tokio::select! {
            biased;
            done = &mut call => return done,
            () = self.stop.cancelled() => false,
            () = due => true,
        };
        cancel.cancel();
        let ended = within(clock.as_ref(), END, call).await;
        let failure = match ended {
            Some(Ok(result)) => return Ok(result),
            Some(Err(failure)) => failure,
            None => Failure::stopped(),
        };
        if !late {
            return Err(failure);
        }
        let limit = side.timeout.unwrap_or_default();
        let message = format!("took longer than {}", format_duration(limit));
        Err(Failure::new(FailureKind::Timeout, message))
    }

    /// Whether every name that the task provides can be told from what is going to be stored.
    fn can_provide(&self, task: &Task, result: &Value) -> Result<(), Failure> {
        if task.provides.values().all(Option::is_none) {
            return Ok(());
        }
        let masker = self.context.secrets.masker();
        let stored = masker.map(|masker| masker.value(result.clone()));
        let names = result_scope(stored.as_ref().unwrap_or(result));
        for (name, expression) in &task.provides {
            if let Some(expression) = expression
                && let Err(error) = expression.evaluate(&names)
            {
                let what = format!("the result does not give `{name}`: {error}");
                return Err(Failure::new(FailureKind::Result, what));
            }
        }
        Ok(())
    }
}

/// One side of a task, found in the plan.
struct Side<'a> {
    name: &'a str,
    task: &'a Task,
    action: Cow<'a, Action>,
    kind: Arc<dyn TaskKind>,
    timeout: Option<Duration>,
    /// Whether the flow says what this side does; if not, the kind knows how to revert.
    written: bool,
}

impl Side<'_> {
    /// Whether it is the flow that says what this side does, and not the kind.
    fn is_flows_own(&self) -> bool {
        self.written && self.task.written.is_none()
    }
}

/// Whether an action keeps something in the task's folder.
fn uses_state(action: &Action) -> bool {
    let expressions = action.params.expressions();
    let mut references = expressions.iter().flat_map(|e| e.references());
    references.any(|one| one.name == "task" && one.field.as_deref() == Some("state"))
}

fn panicked(side: &Side<'_>, panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let what = format!(
        "the task kind `{}` panicked: {}",
        side.action.kind,
        text.as_deref().unwrap_or("without a message")
    );
    Failure::new(FailureKind::Other, what)
}

fn holds(check: &Expression, names: &IndexMap<String, Value>) -> Result<(), Failure> {
    match check.holds(names) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let what = format!("`check: {}` does not hold", check.text);
            Err(Failure::new(FailureKind::Check, what))
        }
        Err(error) => {
            let what = format!("`check: {}`: {error}", check.text);
            Err(Failure::new(FailureKind::Check, what))
        }
    }
}

/// Refuses a result that is too large for a checkpoint, without writing it out.
fn limit(result: &Value) -> Result<(), Failure> {
    struct Room(usize);
    impl std::io::Write for Room {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let left = self.0.checked_sub(bytes.len());
            self.0 = left.ok_or(std::io::ErrorKind::FileTooLarge)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    serde_json::to_writer(Room(LARGEST_RESULT), result).map_err(|_| {
        let what = "the result is larger than 1MiB; write it to a file, and give back its path";
        Failure::new(FailureKind::TooLarge, what)
    })
}
