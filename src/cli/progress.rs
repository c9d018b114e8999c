//! How far a job is: its plan, and the fold of its records.
//!
//! Records enter, in the order in which they were committed; rows leave. Nothing is decided here.

use std::sync::Arc;

use crate::compile::{AtomKind, Plan, Retry, RetryTries, Wait};
use crate::model::{
    AtomId, AtomRow, AtomState, Checkpoint, FlowRow, JobId, Record, ScopeId, Subject, Value,
};
use crate::scheduler::{evolve, evolve_flow};

/// How far a job is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Which job.
    pub job: JobId,
    /// What is to be done.
    pub plan: Arc<Plan>,
    /// The flow.
    pub flow: FlowRow,
    rows: Vec<AtomRow>,
}

/// How many of some tasks stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// All of them.
    pub tasks: usize,
    /// Not started.
    pub pending: usize,
    /// SUCCESS.
    pub done: usize,
    /// IGNORE.
    pub skipped: usize,
    /// RUNNING.
    pub running: usize,
    /// FAILURE.
    pub failed: usize,
    /// REVERTING.
    pub reverting: usize,
    /// REVERTED.
    pub reverted: usize,
    /// Waiting for a person.
    pub stuck: usize,
}

impl Progress {
    /// A job that stands at its checkpoint. Rows that the plan does not have are left out.
    #[must_use]
    pub fn new(job: JobId, plan: Arc<Plan>, checkpoint: Checkpoint) -> Self {
        let mut rows = vec![AtomRow::default(); plan.atoms.len()];
        for (atom, row) in checkpoint.atoms {
            if let Some(place) = rows.get_mut(atom.index()) {
                *place = row;
            }
        }
        Self {
            job,
            plan,
            flow: checkpoint.flow,
            rows,
        }
    }

    /// Takes in a record. One that does not fit is passed over: a view is no judge.
    pub fn apply(&mut self, record: &Record) {
        let _ = match record.subject {
            Subject::Flow => evolve_flow(&mut self.flow, &record.change, record.at),
            Subject::Atom(atom) => match self.rows.get_mut(atom.index()) {
                Some(row) => evolve(row, &record.change, record.at),
                None => Ok(()),
            },
        };
    }

    /// The row of an atom.
    #[must_use]
    pub fn row(&self, atom: AtomId) -> &AtomRow {
        &self.rows[atom.index()]
    }

    /// The tasks, in file order.
    pub fn tasks(&self) -> impl Iterator<Item = AtomId> {
        self.tasks_of(ScopeId::FLOW)
    }

    /// The tasks of a scope, in file order.
    pub fn tasks_of(&self, scope: ScopeId) -> impl Iterator<Item = AtomId> {
        let scope = self.plan.scope(scope);
        (scope.first.0..scope.end.0)
            .map(AtomId)
            .filter(|atom| self.plan.task(*atom).is_some())
    }

    /// How many tasks of a scope stand where.
    #[must_use]
    pub fn tally(&self, scope: ScopeId) -> Tally {
        let mut tally = Tally::default();
        for atom in self.tasks_of(scope) {
            tally.tasks += 1;
            let counter = match self.row(atom).state {
                AtomState::Pending | AtomState::Retrying => &mut tally.pending,
                AtomState::Running => &mut tally.running,
                AtomState::Success => &mut tally.done,
                AtomState::Failure => &mut tally.failed,
                AtomState::Reverting => &mut tally.reverting,
                AtomState::Reverted => &mut tally.reverted,
                AtomState::Ignore => &mut tally.skipped,
                AtomState::RevertFailure | AtomState::Interrupted => &mut tally.stuck,
            };
            *counter += 1;
        }
        tally
    }

    /// The retry controller that an atom is, if it is one.
    #[must_use]
    pub fn retry(&self, atom: AtomId) -> Option<&Retry> {
        match &self.plan.atom(atom).kind {
            AtomKind::Retry(retry) => Some(retry),
            AtomKind::Task(_) | AtomKind::Start | AtomKind::End => None,
        }
    }

    /// Whether there is something that undoing a task does: the flow says how, and the task did not fail before it had
    /// done anything.
    #[must_use]
    pub fn has_revert(&self, task: AtomId) -> bool {
        let row = self.row(task);
        self.plan.task(task).is_some_and(|task| {
            let did_nothing = row
                .failure
                .as_deref()
                .is_some_and(|failure| failure.is_of_nothing_done(row.generation));
            task.revert.is_some() && !did_nothing
        })
    }

    /// Whether all that a task does is to ask a person.
    #[must_use]
    pub fn asks(&self, task: AtomId) -> bool {
        let task = self.plan.task(task);
        task.is_some_and(|task| task.wait == Some(Wait::Person))
    }

    /// The retry controller of a task's own.
    #[must_use]
    pub fn own_controller(&self, task: AtomId) -> Option<AtomId> {
        let scope = self.plan.scope(self.plan.atom(task).scope);
        scope.controller.filter(|_| !scope.group)
    }

    /// How many tries a controller has begun.
    #[must_use]
    pub fn tries(&self, controller: AtomId) -> u32 {
        self.row(controller)
            .history
            .as_ref()
            .map_or(0, |history| history.tries)
    }

    /// How many tries a controller has at most, if that is told beforehand and more than one.
    #[must_use]
    pub fn limit(&self, controller: AtomId) -> Option<u32> {
        match self.retry(controller)?.tries {
            RetryTries::Times(times) if times > 1 => Some(times),
            RetryTries::Times(_) | RetryTries::ForEach(_) => None,
        }
    }

    /// The name and the current value of a controller's `for_each`.
    #[must_use]
    pub fn value(&self, controller: AtomId) -> Option<(&str, &Value)> {
        let retry = self.retry(controller)?;
        match retry.tries {
            RetryTries::ForEach(_) if self.tries(controller) > 0 => Some((
                retry.variable.as_deref().unwrap_or("value"),
                &self.row(controller).result,
            )),
            RetryTries::ForEach(_) | RetryTries::Times(_) => None,
        }
    }

    /// The value of the nearest `for_each` around a task.
    #[must_use]
    pub fn value_for(&self, task: AtomId) -> Option<(&str, &Value)> {
        let mut scope = Some(self.plan.atom(task).scope);
        while let Some(id) = scope {
            let around = self.plan.scope(id);
            if let Some(value) = around
                .controller
                .and_then(|controller| self.value(controller))
            {
                return Some(value);
            }
            scope = around.parent;
        }
        None
    }
}

/// A value as people read it: text as it is, all else as JSON.
#[must_use]
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}
