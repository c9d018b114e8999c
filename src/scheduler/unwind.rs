//! Going backward: a scope, or the whole flow, is undone in the reverse of the order in which it was done.

use std::sync::Arc;

use super::outline::Role;
use super::{Command, Mark, Scheduler, Step, Timer, Undo, is_standing};
use crate::model::{
    AtomId, AtomState, Change, Failure, FlowState, Intention, Operator, Phase, ScopeId, Timestamp,
};

/// A scope that is being undone, and what for.
#[derive(Debug, Clone)]
pub(super) struct Unwinding {
    pub(super) purpose: Purpose,
    /// What made it unwind.
    cause: Option<Arc<Failure>>,
    /// Execute sides in it that still run: they are awaited first.
    pub(super) running: usize,
    /// Once the reverts have begun: how many atoms still stand.
    standing: Option<usize>,
    /// Tells its counts in `behind` from those of an earlier one.
    stamp: u32,
}

/// What is done when a scope has been undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is tried again.
    Retry,
    /// Its failure is allowed: it is passed over.
    Allow,
    /// The flow ends REVERTED.
    Flow,
}

/// How many nodes directly after a node still stand, within the unwinding of that stamp.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Behind {
    stamp: u32,
    standing: u32,
}

impl Scheduler {
    /// The scope that is being undone around an atom, if one is. A controller stands outside of its own scope's
    /// unwinding for a retry.
    pub(super) fn unwinding_around(&self, atom: AtomId) -> Option<ScopeId> {
        if self.unwinding.is_empty() {
            return None;
        }
        let mut at = Some(self.outline.node(atom).scope);
        while let Some(scope) = at {
            let around = self.plan.scope(scope);
            if let Some(unwinding) = self.unwinding.get(&scope) {
                let own = around.controller == Some(atom);
                if unwinding.purpose == Purpose::Flow || !own {
                    return Some(scope);
                }
            }
            at = around.parent;
        }
        None
    }

    fn purpose(&self, scope: ScopeId) -> Option<Purpose> {
        self.unwinding.get(&scope).map(|u| u.purpose)
    }

    /// The atoms that an unwinding undoes: for a retry all after the controller.
    pub(super) fn range(&self, scope: ScopeId, purpose: Purpose) -> std::ops::Range<AtomId> {
        let around = self.plan.scope(scope);
        match (purpose, around.controller) {
            (Purpose::Retry | Purpose::Allow, Some(controller)) => {
                AtomId(controller.0 + 1)..around.end
            }
            (Purpose::Flow, _) | (_, None) => around.first..around.end,
        }
    }

    /// The whole flow is to be undone. What unwinds already is part of it.
    pub(super) fn revert_flow(
        &mut self,
        step: &mut Step,
        cause: Failure,
        by: Option<Operator>,
        now: Timestamp,
    ) {
        let state = match self.flow.state {
            FlowState::Suspended | FlowState::Stuck if by.is_none() => self.flow.state,
            _ => FlowState::Reverting,
        };
        self.set_flow(step, state, Some(cause), by, now);
        self.unwind(step, ScopeId::FLOW, Purpose::Flow);
    }

    /// Begins to undo a scope. What unwinds inside it is part of it.
    pub(super) fn unwind(&mut self, step: &mut Step, scope: ScopeId, purpose: Purpose) {
        let range = self.range(scope, purpose);
        let inside: Vec<ScopeId> = self
            .unwinding
            .range(scope..)
            .map(|(id, _)| *id)
            .take_while(|id| self.plan.scope(*id).first < range.end)
            .collect();
        for id in inside {
            self.unwinding.remove(&id);
        }
        let mut running = 0;
        for atom in self.touched.range(range) {
            if self.rows[atom.index()].state == AtomState::Interrupted {
                self.undecided.remove(&atom);
            }
            let mark = self.marks[atom.index()];
            if mark.in_flight && self.rows[atom.index()].state == AtomState::Running {
                running += 1;
                if self
                    .plan
                    .task(atom)
                    .is_some_and(|task| task.stop_on_unwind || task.wait.is_some())
                {
                    step.stop.push(atom);
                }
            }
        }
        self.unwinding.insert(
            scope,
            Unwinding {
                purpose,
                cause: self.cause(scope, purpose).map(Arc::new),
                running,
                standing: None,
                stamp: 0,
            },
        );
        self.stirred.push(scope);
    }

    /// Asks every execute side that runs in a scope to stop.
    pub(super) fn stop_all(&self, step: &mut Step, scope: ScopeId) {
        let around = self.plan.scope(scope);
        for atom in self.touched.range(around.first..around.end) {
            if self.marks[atom.index()].in_flight
                && self.rows[atom.index()].state == AtomState::Running
            {
                step.stop.push(atom);
            }
        }
    }

    /// Goes on with an unwinding: awaits what runs, reverts, and ends it when nothing stands any more.
    pub(super) fn advance_unwinding(&mut self, step: &mut Step, scope: ScopeId, now: Timestamp) {
        let Some(unwinding) = self.unwinding.get(&scope) else {
            return;
        };
        match unwinding.standing {
            None if unwinding.running == 0 => self.begin_reverts(scope),
            Some(0) if self.may_start() => self.unwound(step, scope, now),
            None | Some(_) => {}
        }
    }

    /// Counts what stands behind what in a scope, and lines up what has nothing behind it. Gates and what was skipped
    /// hold nothing themselves, but pass on what stands behind them.
    fn begin_reverts(&mut self, scope: ScopeId) {
        let Some(purpose) = self.purpose(scope) else {
            return;
        };
        let range = self.range(scope, purpose);
        self.stamps += 1;
        let stamp = self.stamps;
        let standing: Vec<AtomId> = self
            .touched
            .range(range.clone())
            .filter(|atom| is_standing(&self.rows[atom.index()]))
            .collect();
        for &atom in &standing {
            let (mut risen, mut more) = (Some(atom), Vec::new());
            while let Some(node) = risen {
                for &before in self.outline.before(node) {
                    if !range.contains(&before) {
                        continue;
                    }
                    let behind = &mut self.behind[before.index()];
                    if behind.stamp != stamp {
                        *behind = Behind { stamp, standing: 0 };
                    }
                    behind.standing += 1;
                    if behind.standing == 1 && !is_standing(&self.rows[before.index()]) {
                        more.push(before);
                    }
                }
                risen = more.pop();
            }
        }
        if let Some(unwinding) = self.unwinding.get_mut(&scope) {
            unwinding.standing = Some(standing.len());
            unwinding.stamp = stamp;
        }
        for &atom in standing.iter().rev() {
            self.line_up(atom, stamp);
        }
        if standing.is_empty() {
            self.stirred.push(scope);
        }
    }

    fn line_up(&mut self, atom: AtomId, stamp: u32) {
        let behind = self.behind[atom.index()];
        let mark: &mut Mark = &mut self.marks[atom.index()];
        if (behind.stamp != stamp || behind.standing == 0) && !mark.in_flight && !mark.queued {
            mark.queued = true;
            self.queue.push_revert(atom);
        }
    }

    /// `atom` does not stand any more: what came before it may be next.
    pub(super) fn fell(&mut self, atom: AtomId) {
        let Some(scope) = self.unwinding_around(atom) else {
            return;
        };
        let Some(unwinding) = self.unwinding.get_mut(&scope) else {
            return;
        };
        let Some(standing) = unwinding.standing.as_mut() else {
            return;
        };
        *standing -= 1;
        if *standing == 0 {
            self.stirred.push(scope);
        }
        let (purpose, stamp) = (unwinding.purpose, unwinding.stamp);
        let range = self.range(scope, purpose);
        let outline = self.outline.clone();
        let (mut fallen, mut more) = (Some(atom), Vec::new());
        while let Some(node) = fallen {
            for &before in outline.before(node) {
                if !range.contains(&before) {
                    continue;
                }
                let behind = &mut self.behind[before.index()];
                behind.standing -= 1;
                if behind.standing > 0 {
                    continue;
                }
                if is_standing(&self.rows[before.index()]) {
                    self.line_up(before, stamp);
                } else {
                    more.push(before);
                }
            }
            fallen = more.pop();
        }
    }

    /// Whether an atom that stands is to be reverted now.
    pub(super) fn may_be_reverted(&self, atom: AtomId) -> bool {
        let Some(unwinding) = self
            .unwinding_around(atom)
            .and_then(|scope| self.unwinding.get(&scope))
        else {
            return false;
        };
        let row = &self.rows[atom.index()];
        let (mark, behind) = (self.marks[atom.index()], self.behind[atom.index()]);
        let waits = matches!(row.state, AtomState::RevertFailure | AtomState::Reverting);
        unwinding.standing.is_some()
            && !mark.in_flight
            && !waits
            && (behind.stamp != unwinding.stamp || behind.standing == 0)
    }

    /// Starts a revert side. Its place in the limits is taken already.
    pub(super) fn start_revert(&mut self, step: &mut Step, atom: AtomId, now: Timestamp) {
        let interrupted = std::mem::take(&mut self.marks[atom.index()].orphan);
        self.apply(step, atom, Change::Reverting, now);
        self.took_off(atom);
        let failures = self.failures();
        let row = &self.rows[atom.index()];
        step.commands.push(Command {
            atom,
            attempt: row.attempt,
            generation: row.generation,
            phase: Phase::Revert,
            inputs: self.inputs(atom, Phase::Revert),
            until: None,
            interrupted,
            undo: Some(Box::new(Undo {
                result: row.result.clone(),
                failure: match row.failure.as_deref() {
                    Some(own) => Some(Arc::new(own.clone())),
                    None => self.cause_around(atom),
                },
                failures,
            })),
        });
    }

    /// The failures that reverts are told of: all share one list, until another atom fails.
    fn failures(&mut self) -> Arc<[Failure]> {
        let (failed, rows) = (&self.failed, &self.rows);
        let list = self.failures.get_or_insert_with(|| {
            let failures = failed
                .iter()
                .filter_map(|id| rows[id.index()].failure.as_deref());
            failures.take(Undo::FAILURES).cloned().collect()
        });
        list.clone()
    }

    /// What made the scope around an atom unwind.
    fn cause_around(&self, atom: AtomId) -> Option<Arc<Failure>> {
        let scope = self.unwinding_around(atom)?;
        self.unwinding.get(&scope)?.cause.clone()
    }

    /// What makes a scope unwind.
    fn cause(&self, scope: ScopeId, purpose: Purpose) -> Option<Failure> {
        if purpose == Purpose::Flow {
            return self.flow.cause.clone();
        }
        let controller = self.plan.scope(scope).controller?;
        let history = self.rows[controller.index()].history.as_deref()?;
        history.last.last()?.failure.clone()
    }

    /// A revert side failed: it is tried again, or a person must decide.
    pub(super) fn revert_failed(
        &mut self,
        step: &mut Step,
        atom: AtomId,
        mut failure: Failure,
        now: Timestamp,
    ) {
        let plan = self.plan.clone();
        failure.task.clone_from(&plan.atom(atom).name);
        failure.attempt = self.rows[atom.index()].revert_tries + 1;
        let again = plan
            .task(atom)
            .and_then(|task| task.revert.as_ref())
            .and_then(|reversal| reversal.retry.as_ref())
            .filter(|retry| self.has_more(retry, failure.attempt, &failure))
            .map(|retry| now.plus(self.delay(retry, atom, failure.attempt)));
        match again {
            Some(until) => {
                let failure = Box::new(failure);
                self.apply(step, atom, Change::RevertRetried { failure, until }, now);
                self.timers
                    .push(std::cmp::Reverse((until, Timer::Atom(atom))));
            }
            None => {
                let failure = Box::new(failure);
                self.apply(step, atom, Change::RevertFailed { failure }, now);
            }
        }
    }

    /// Nothing of the scope stands any more.
    fn unwound(&mut self, step: &mut Step, scope: ScopeId, now: Timestamp) {
        let Some(unwinding) = self.unwinding.remove(&scope) else {
            return;
        };
        let controller = self.plan.scope(scope).controller;
        match (unwinding.purpose, controller) {
            (Purpose::Retry, Some(controller)) => self.prepare_retry(step, controller, now),
            (Purpose::Allow, Some(controller)) => self.pass_over(step, scope, controller, now),
            (Purpose::Flow, _) | (_, None) => {
                let state = if self.flow.abandoned {
                    FlowState::Abandoned
                } else {
                    FlowState::Reverted
                };
                self.set_flow(step, state, None, None, now);
            }
        }
    }

    /// A scope whose failure is allowed has been undone: it counts as skipped, and the flow goes on.
    fn pass_over(&mut self, step: &mut Step, scope: ScopeId, controller: AtomId, now: Timestamp) {
        self.apply(step, controller, Change::Reverting, now);
        self.apply(step, controller, Change::Reverted { by: None }, now);
        let around = self.plan.scope(scope);
        for id in around.first.0..around.end.0 {
            let atom = AtomId(id);
            let row = &self.rows[atom.index()];
            let passes = !is_standing(row) && row.state != AtomState::Ignore;
            if passes && !self.outline.node(atom).is_gate() {
                self.apply(step, atom, Change::Ignored, now);
            }
        }
    }

    pub(super) fn is_controller(&self, atom: AtomId) -> bool {
        self.outline.node(atom).role == Role::Controller
    }

    /// The unwindings that the rows tell of: the flow's, or those of the outermost controllers that say so.
    pub(super) fn find_unwindings(&mut self) {
        let mut step = Step::default();
        if self.flow.reverting {
            if !self.flow.state.is_end() {
                self.unwind(&mut step, ScopeId::FLOW, Purpose::Flow);
            }
            return;
        }
        let controllers: Vec<(AtomId, Purpose)> = self
            .touched
            .range(self.range(ScopeId::FLOW, Purpose::Flow))
            .filter_map(|atom| {
                let row = &self.rows[atom.index()];
                match (self.is_controller(atom), row.state, row.intention) {
                    (true, AtomState::Success, Intention::Retry) => Some((atom, Purpose::Retry)),
                    (true, AtomState::Success | AtomState::Failure, Intention::Ignore) => {
                        Some((atom, Purpose::Allow))
                    }
                    (_, _, _) => None,
                }
            })
            .collect();
        for (controller, purpose) in controllers {
            if self.unwinding_around(controller).is_none() {
                let scope = self.outline.node(controller).scope;
                self.unwind(&mut step, scope, purpose);
            }
        }
    }
}
