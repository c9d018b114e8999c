//! What a play comes to: the fold of its records, as far as a report tells it.

use std::collections::BTreeMap;

use super::play::Play;
use super::report::{Effect, Ending, Retried};
use crate::compile::{AtomKind, Plan};
use crate::model::{AtomId, AtomState, Change, FlowState, Record, Subject};

/// What has happened in a play so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Tale {
    /// How often each task was executed, for those that were.
    executions: BTreeMap<AtomId, u32>,
    /// How many tries each controller has begun.
    tries: BTreeMap<AtomId, u32>,
    /// What has been undone since a retry last put its scope back.
    undone: Vec<AtomId>,
    /// What was undone before that.
    undone_before: Vec<AtomId>,
    /// How often each revert has failed.
    revert_failures: BTreeMap<AtomId, u32>,
}

impl Tale {
    /// Takes in the records of a step.
    pub fn tell(&mut self, plan: &Plan, records: &[Record]) {
        for record in records {
            let Subject::Atom(atom) = record.subject else {
                continue;
            };
            let task = plan.task(atom).is_some();
            match &record.change {
                Change::Started { .. } if task => *self.executions.entry(atom).or_default() += 1,
                Change::Tried { .. } => *self.tries.entry(atom).or_default() += 1,
                Change::Reverted { .. } if effect(plan, atom) == Effect::Undone => {
                    self.undone.push(atom);
                }
                Change::Retrying { .. } => {
                    self.undone_before = std::mem::take(&mut self.undone);
                }
                Change::RevertRetried { .. } | Change::RevertFailed { .. } => {
                    *self.revert_failures.entry(atom).or_default() += 1;
                }
                Change::Started { .. }
                | Change::Succeeded { .. }
                | Change::Failed { .. }
                | Change::Ignored
                | Change::Interrupted { .. }
                | Change::HandedOver
                | Change::Reverting
                | Change::Reverted { .. }
                | Change::GivenUp { .. }
                | Change::Permitted { .. }
                | Change::Reset
                | Change::RetryDecided { .. }
                | Change::AllowDecided { .. }
                | Change::Stalled { .. }
                | Change::Flow { .. } => {}
            }
        }
    }

    /// How often the revert of a task has failed.
    pub fn revert_failures(&self, task: AtomId) -> u32 {
        self.revert_failures.get(&task).copied().unwrap_or(0)
    }

    /// The tasks whose revert ran the last time that anything was undone.
    pub fn undone(&self) -> &[AtomId] {
        if self.undone.is_empty() {
            &self.undone_before
        } else {
            &self.undone
        }
    }

    /// Every task whose revert ran, with what was undone before a retry.
    pub fn ever_undone(&self) -> impl Iterator<Item = AtomId> {
        self.undone_before.iter().chain(&self.undone).copied()
    }

    /// What the play has come to, for the task that is in question.
    pub fn ending(&self, plan: &Plan, play: &Play, task: AtomId, ended: bool) -> Ending {
        let mut ending = Ending {
            end: ended.then(|| play.state()),
            executions: self.executions.get(&task).copied().unwrap_or(0),
            retried: self.retried(plan),
            undone: names(plan, self.undone()),
            waits_ms: millis(play.waited()),
            ..Ending::default()
        };
        if play.state() == FlowState::Success
            && self.undone().is_empty()
            && ending.retried.is_empty()
        {
            return ending;
        }
        for &atom in self.executions.keys() {
            let row = play.scheduler().row(atom);
            let list = match row.state {
                // PENDING: an earlier try of a retry ran it, and the last one did not get so far.
                AtomState::Reverted | AtomState::Ignore | AtomState::Pending
                    if effect(plan, atom) == Effect::Left =>
                {
                    &mut ending.left
                }
                AtomState::RevertFailure | AtomState::Interrupted => &mut ending.stuck,
                AtomState::Success
                | AtomState::Failure
                | AtomState::Running
                | AtomState::Reverting
                    if play.state() == FlowState::Stuck && effect(plan, atom) != Effect::None =>
                {
                    &mut ending.standing
                }
                AtomState::Pending
                | AtomState::Running
                | AtomState::Success
                | AtomState::Failure
                | AtomState::Reverting
                | AtomState::Reverted
                | AtomState::Ignore
                | AtomState::Retrying => continue,
            };
            list.push(plan.atom(atom).name.clone());
        }
        ending
    }

    fn retried(&self, plan: &Plan) -> Vec<Retried> {
        let again = self.tries.iter().filter(|(_, tries)| **tries > 1);
        again
            .map(|(controller, tries)| Retried {
                scope: plan.scope(plan.atom(*controller).scope).name.clone(),
                tries: *tries,
            })
            .collect()
    }
}

/// What becomes of a task's effect when it is undone. A kind that only waits has none; of all others it is assumed.
pub(super) fn effect(plan: &Plan, atom: AtomId) -> Effect {
    match &plan.atom(atom).kind {
        AtomKind::Task(task) if task.revert.is_some() => Effect::Undone,
        AtomKind::Task(task) if task.wait.is_none() => Effect::Left,
        AtomKind::Task(_) | AtomKind::Retry(_) | AtomKind::Start | AtomKind::End => Effect::None,
    }
}

/// The full names of atoms.
pub(super) fn names(plan: &Plan, atoms: &[AtomId]) -> Vec<String> {
    let names = atoms.iter().map(|atom| plan.atom(*atom).name.clone());
    names.collect()
}

pub(super) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
