//! What people ask for: suspend, resume, cancel, and the decisions about what is STUCK or INTERRUPTED.

use super::{CorruptCheckpoint, Scheduler, Step};
use crate::model::{
    AtomId, AtomState, Change, Failure, FailureKind, FlowState, Operator, ScopeId, Timestamp, Verb,
};

impl Scheduler {
    /// Nothing new starts; what runs finishes.
    pub(super) fn suspend(&mut self, step: &mut Step, by: Operator, now: Timestamp) {
        match self.flow.state {
            FlowState::Pending | FlowState::Running | FlowState::Reverting => {
                self.set_flow(step, FlowState::Suspended, None, Some(by), now);
            }
            FlowState::Suspended
            | FlowState::Stuck
            | FlowState::Success
            | FlowState::Reverted
            | FlowState::Abandoned => {}
        }
    }

    /// Goes on after a suspend.
    pub(super) fn go_on(&mut self, step: &mut Step, by: Operator, now: Timestamp) {
        if self.flow.state == FlowState::Suspended {
            self.set_flow(step, self.direction(), None, Some(by), now);
        }
    }

    /// Undoes everything, whatever the retries say. What runs is stopped.
    pub(super) fn cancel(&mut self, step: &mut Step, by: Operator, now: Timestamp) {
        if self.flow.state.is_end() {
            return;
        }
        self.stalled = false;
        if !self.flow.reverting {
            let why = if by.why.is_empty() {
                format!("cancelled by {}", by.who)
            } else {
                format!("cancelled by {}: {}", by.who, by.why)
            };
            let mut cause = Failure::new(FailureKind::Cancelled, why);
            cause.task.clone_from(&self.plan.name);
            self.revert_flow(step, cause, Some(by), now);
        } else if self.flow.state == FlowState::Suspended {
            self.set_flow(step, FlowState::Reverting, None, Some(by), now);
        }
        self.stop_all(step, ScopeId::FLOW);
    }

    /// Carries out a person's decision about one atom, or about all that wait for one.
    pub(super) fn decide(
        &mut self,
        step: &mut Step,
        verb: Verb,
        atom: Option<AtomId>,
        by: &Operator,
        now: Timestamp,
    ) -> Result<(), CorruptCheckpoint> {
        let chosen: Vec<AtomId> = match atom {
            None => self.undecided.iter().copied().collect(),
            Some(atom) if self.undecided.contains(&atom) => vec![atom],
            Some(atom) => return Err(self.unfit(atom, "it does not wait for a decision")),
        };
        if self.stalled {
            self.decide_stalled(step, verb, by, now);
        }
        for atom in chosen {
            let by = Box::new(by.clone());
            let interrupted = self.rows[atom.index()].state == AtomState::Interrupted;
            match verb {
                Verb::Retry => {
                    self.apply(step, atom, Change::Permitted { by }, now);
                    self.queue.occupy(self.outline.node(atom).scope);
                    if interrupted {
                        self.start(step, atom, true, now);
                    } else {
                        self.start_revert(step, atom, now);
                    }
                }
                Verb::MarkReverted => {
                    let failure = self.rows[atom.index()].failure.clone();
                    self.apply(step, atom, Change::Reverted { by: Some(by) }, now);
                    self.ask_for_interrupted(step, atom, interrupted, failure, now);
                }
                Verb::Abandon => {
                    let failure = self.rows[atom.index()].failure.clone();
                    self.apply(step, atom, Change::GivenUp { by: by.clone() }, now);
                    let change = Change::Flow {
                        state: self.flow.state,
                        cause: None,
                        deadline: None,
                        abandoned: true,
                        by: Some(by),
                    };
                    self.apply_flow(step, change, now);
                    self.ask_for_interrupted(step, atom, interrupted, failure, now);
                }
            }
        }
        Ok(())
    }

    /// An interrupted execute that is not to run again is a failure of its scope.
    fn ask_for_interrupted(
        &mut self,
        step: &mut Step,
        atom: AtomId,
        interrupted: bool,
        failure: Option<Box<Failure>>,
        now: Timestamp,
    ) {
        if let Some(failure) = failure
            && interrupted
            && self.unwinding_around(atom).is_none()
        {
            let scope = self.plan.atom(atom).scope;
            self.ask(step, Some(scope), *failure, now);
        }
    }

    /// A decision about a job that was STUCK as a whole: its checkpoint could not be read, or it made no progress.
    fn decide_stalled(&mut self, step: &mut Step, verb: Verb, by: &Operator, now: Timestamp) {
        self.stalled = false;
        let state = match verb {
            Verb::Retry | Verb::MarkReverted => self.direction(),
            Verb::Abandon => FlowState::Abandoned,
        };
        self.set_flow(step, state, None, Some(by.clone()), now);
    }

    /// The state of a flow that is neither held nor at an end.
    pub(super) fn direction(&self) -> FlowState {
        if self.flow.reverting {
            FlowState::Reverting
        } else {
            FlowState::Running
        }
    }
}
