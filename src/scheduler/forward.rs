//! Going forward: what becomes ready, what is skipped, what starts.

use std::collections::BTreeSet;

use super::outline::{Node, Role};
use super::queue::Turn;
use super::{Command, Mark, Scheduler, Step, is_done, is_standing};
use crate::compile::{AtomKind, Binding, Expression, Wait};
use crate::model::{
    AtomId, AtomState, Change, Failure, FailureKind, IfInterrupted, Phase, ScopeId, SkipDepth,
    Timestamp, Value, parse_duration,
};

impl Scheduler {
    /// `atom` counts as done: what waited for it alone is unblocked.
    pub(super) fn became_done(&mut self, atom: AtomId) {
        self.open -= 1;
        if self.blocked[atom.index()] == 0 {
            self.pass(atom);
        }
    }

    /// `atom` does not count as done any more: what comes after it is blocked.
    pub(super) fn became_undone(&mut self, atom: AtomId) {
        self.open += 1;
        if self.blocked[atom.index()] > 0 {
            return;
        }
        let (mut undone, mut more) = (Some(atom), Vec::new());
        while let Some(node) = undone {
            for &next in self.outline.after(node) {
                self.blocked[next.index()] += 1;
                if self.blocked[next.index()] == 1 && self.holds_nothing_up(next) {
                    more.push(next);
                }
            }
            undone = more.pop();
        }
    }

    /// Unblocks what comes after a node that is done and has nothing before it that is not: through gates, and through
    /// what was skipped before its turn had come.
    pub(super) fn pass(&mut self, node: AtomId) {
        let (mut passed, mut more) = (Some(node), Vec::new());
        while let Some(node) = passed {
            for &next in self.outline.after(node) {
                self.blocked[next.index()] -= 1;
                if self.blocked[next.index()] == 0 {
                    self.unblocked.push(next);
                    if self.holds_nothing_up(next) {
                        more.push(next);
                    }
                }
            }
            passed = more.pop();
        }
    }

    /// Whether a node passes on at once that all before it is done.
    pub(super) fn holds_nothing_up(&self, node: AtomId) -> bool {
        self.outline.node(node).is_gate() || is_done(&self.rows[node.index()])
    }

    /// Something has nothing before it that is not done: it waits for its turn, if there is anything to do.
    pub(super) fn look_at(&mut self, node: AtomId) {
        let Node {
            scope, role, lane, ..
        } = self.outline.node(node);
        let asks = match role {
            Role::Task | Role::Controller => self.rows[node.index()].state == AtomState::Pending,
            Role::Start => self.plan.scope(scope).when.is_some(),
            Role::End => false,
        };
        let mark: &mut Mark = &mut self.marks[node.index()];
        if asks && !mark.queued {
            mark.queued = true;
            self.queue.push_start(lane, node);
        }
    }

    /// It is the turn of `atom`: to be reverted, skipped or started, if that still holds.
    pub(super) fn take_turn(&mut self, step: &mut Step, atom: AtomId, turn: Turn, now: Timestamp) {
        let index = atom.index();
        let Node { scope, role, .. } = self.outline.node(atom);
        if is_standing(&self.rows[index]) {
            if !self.may_be_reverted(atom) {
                self.marks[index].queued = false;
                self.queue.unpark(scope);
            } else if role == Role::Controller {
                self.marks[index].queued = false;
                self.apply(step, atom, Change::Reverting, now);
                self.apply(step, atom, Change::Reverted { by: None }, now);
            } else if self.queue.acquire(scope, turn) {
                self.marks[index].queued = false;
                self.start_revert(step, atom, now);
            }
            return;
        }
        let ready = self.rows[index].state == AtomState::Pending
            && self.blocked[index] == 0
            && self.unwinding_around(atom).is_none();
        if !ready {
            self.marks[index].queued = false;
            self.queue.unpark(scope);
            return;
        }
        match role {
            Role::Start => {
                self.marks[index].queued = false;
                let plan = self.plan.clone();
                let group = plan.scope(scope);
                match self.condition(group.when.as_ref(), &group.needs) {
                    Ok(true) => {}
                    Ok(false) => self.skip_scope(step, scope, group.skips, now),
                    Err(mut failure) => {
                        failure.task.clone_from(&group.name);
                        self.ask(step, group.parent, failure, now);
                    }
                }
            }
            Role::End => self.marks[index].queued = false,
            Role::Controller => {
                self.marks[index].queued = false;
                let skips = if self.is_alone(scope) {
                    self.skips(AtomId(atom.0 + 1))
                } else {
                    Ok(None)
                };
                match skips {
                    Ok(None) => self.run_controller(step, atom, now),
                    Ok(Some(depth)) => self.skip_scope(step, scope, depth, now),
                    Err(failure) => self.never_started(step, atom, failure, now),
                }
            }
            Role::Task => {
                // The condition of a task with a retry of its own was asked before its controller ran.
                let skips = if self.is_alone(scope) {
                    Ok(None)
                } else {
                    self.skips(atom)
                };
                match skips {
                    Ok(None) => {
                        if self.queue.acquire(scope, turn) {
                            self.marks[index].queued = false;
                            self.start(step, atom, false, now);
                        }
                        return;
                    }
                    Ok(Some(depth)) => {
                        self.apply(step, atom, Change::Ignored, now);
                        self.skip_after(step, atom, scope, depth, now);
                    }
                    Err(failure) => self.never_started(step, atom, failure, now),
                }
                self.marks[index].queued = false;
                self.queue.unpark(scope);
            }
        }
    }

    /// What would have to be known to start an atom cannot be told: it fails.
    fn never_started(&mut self, step: &mut Step, atom: AtomId, failure: Failure, now: Timestamp) {
        self.apply(step, atom, Change::Started { until: None }, now);
        self.execute_failed(step, atom, failure, now);
    }

    /// Whether a task is to be skipped, and how far that goes.
    fn skips(&self, task: AtomId) -> Result<Option<SkipDepth>, Failure> {
        if self.outline.node(task).plain {
            return Ok(None);
        }
        let Some(task) = self.plan.task(task) else {
            return Ok(None);
        };
        let holds = self.condition(task.when.as_ref(), &task.when_needs)?;
        Ok((!holds).then_some(task.skips))
    }

    /// Whether a condition holds; one that is not there does.
    fn condition(&self, when: Option<&Expression>, needs: &[Binding]) -> Result<bool, Failure> {
        let Some(when) = when else {
            return Ok(true);
        };
        let holds = self.names(needs).and_then(|names| when.holds(&names));
        holds.map_err(|error| {
            let what = format!("the condition cannot be told: {error}");
            Failure::new(FailureKind::Template, what)
        })
    }

    /// Whether a scope is just a task with a retry of its own.
    pub(super) fn is_alone(&self, scope: ScopeId) -> bool {
        scope != ScopeId::FLOW && !self.plan.scope(scope).group
    }

    /// Starts an execute side. Its place in the limits is taken already.
    pub(super) fn start(
        &mut self,
        step: &mut Step,
        atom: AtomId,
        interrupted: bool,
        now: Timestamp,
    ) {
        match self.wait_until(atom, now) {
            Ok(until) => {
                self.apply(step, atom, Change::Started { until }, now);
                self.launch(step, atom, interrupted);
            }
            Err(failure) => {
                self.apply(step, atom, Change::Started { until: None }, now);
                self.took_off(atom);
                self.landed(atom);
                self.execute_failed(step, atom, failure, now);
            }
        }
    }

    /// Gives out the command of an atom that is RUNNING.
    pub(super) fn launch(&mut self, step: &mut Step, atom: AtomId, interrupted: bool) {
        self.took_off(atom);
        let row = &self.rows[atom.index()];
        step.commands.push(Command {
            atom,
            attempt: row.attempt,
            generation: row.generation,
            phase: Phase::Execute,
            inputs: self.inputs(atom, Phase::Execute),
            until: row.wake_at,
            interrupted,
            undo: None,
        });
    }

    /// The instant that a task waits for, if it is of a kind that waits; for one that asks a person, until when.
    fn wait_until(&self, task: AtomId, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
        if self.outline.node(task).plain {
            return Ok(None);
        }
        let timeout = self.plan.task(task).and_then(|task| task.timeout);
        let wait = match self.plan.task(task).and_then(|task| task.wait.as_ref()) {
            None => return Ok(None),
            Some(Wait::Person) => return Ok(timeout.map(|timeout| now.plus(timeout))),
            Some(Wait::Instant(wait)) => wait,
        };
        let wrong = |what: String| Failure::new(FailureKind::Template, what);
        let inputs = self.sides_names(task, Phase::Execute);
        let value = inputs
            .and_then(|names| wait.render(&names))
            .map_err(|error| wrong(format!("how long to wait cannot be told: {error}")))?;
        let Value::String(text) = &value else {
            return Err(wrong(format!(
                "`{value}` is neither a duration nor an instant"
            )));
        };
        if let Some(duration) = parse_duration(text) {
            return Ok(Some(now.plus(duration)));
        }
        text.parse::<jiff::Timestamp>()
            .map(|instant| Some(Timestamp(instant.as_millisecond())))
            .map_err(|_| {
                wrong(format!(
                    "`{text}` is neither a duration (10s, 1m30s) nor an instant (2026-11-24T08:00:00Z)"
                ))
            })
    }

    /// Skips all of a scope, and what comes after as far as `depth` says.
    fn skip_scope(&mut self, step: &mut Step, scope: ScopeId, depth: SkipDepth, now: Timestamp) {
        let plan = self.plan.clone();
        let scope = plan.scope(scope);
        for id in scope.first.0..scope.end.0 {
            self.skip(step, AtomId(id), now);
        }
        let parent = scope.parent.unwrap_or(ScopeId::FLOW);
        let last = AtomId(scope.end.0 - 1);
        self.skip_after(step, last, parent, depth, now);
    }

    fn skip(&mut self, step: &mut Step, node: AtomId, now: Timestamp) {
        if !self.outline.node(node).is_gate() && self.rows[node.index()].state == AtomState::Pending
        {
            self.apply(step, node, Change::Ignored, now);
        }
    }

    /// Skips what comes after a skipped task or scope that ends with `last`, which stands in `scope`.
    fn skip_after(
        &mut self,
        step: &mut Step,
        last: AtomId,
        scope: ScopeId,
        depth: SkipDepth,
        now: Timestamp,
    ) {
        let (plan, outline) = (self.plan.clone(), self.outline.clone());
        let within = match depth {
            SkipDepth::Task => return,
            SkipDepth::Neighbors => {
                for &next in outline.after(last) {
                    let beside = plan.atom(next).scope;
                    match &plan.atom(next).kind {
                        AtomKind::Task(_) => self.skip(step, next, now),
                        AtomKind::Retry(_) if !plan.scope(beside).group => {
                            let range = plan.scope(beside);
                            for id in range.first.0..range.end.0 {
                                self.skip(step, AtomId(id), now);
                            }
                        }
                        AtomKind::Retry(_) | AtomKind::Start | AtomKind::End => {}
                    }
                }
                return;
            }
            SkipDepth::Flow => {
                let group = self.group_around(scope);
                plan.scope(group).first.0..plan.scope(group).end.0
            }
            SkipDepth::All => 0..plan.atoms.len() as u32,
        };
        let mut seen: BTreeSet<AtomId> = BTreeSet::new();
        let mut open = vec![last];
        while let Some(node) = open.pop() {
            for &next in outline.after(node) {
                if within.contains(&next.0) && seen.insert(next) {
                    open.push(next);
                }
            }
        }
        for next in seen {
            self.skip(step, next, now);
        }
    }

    /// The innermost group (or the flow) that `scope` is or stands in.
    fn group_around(&self, mut scope: ScopeId) -> ScopeId {
        while let Some(parent) = self.plan.scope(scope).parent
            && !self.plan.scope(scope).group
        {
            scope = parent;
        }
        scope
    }

    /// Decides about an atom that its last conductor left in the middle of something.
    pub(super) fn adopt(&mut self, step: &mut Step, atom: AtomId, now: Timestamp) {
        let index = atom.index();
        let plan = self.plan.clone();
        let scope = self.outline.node(atom).scope;
        let task = plan.task(atom);
        let row = &self.rows[index];
        if row.state == AtomState::Reverting {
            self.queue.occupy(scope);
            self.start_revert(step, atom, now);
            return;
        }
        if !self.marks[index].orphan || self.unwinding_around(atom).is_some() {
            return;
        }
        self.marks[index].orphan = false;
        match (row.state, task) {
            // It has done nothing but wait, and waits on.
            (AtomState::Running, Some(task))
                if row.wake_at.is_some() || task.wait == Some(Wait::Person) =>
            {
                self.queue.occupy(scope);
                self.launch(step, atom, false);
            }
            (AtomState::Running, Some(task)) => match task.if_interrupted {
                IfInterrupted::Rerun => {
                    self.queue.occupy(scope);
                    self.start(step, atom, true, now);
                }
                IfInterrupted::Revert => {
                    let failure = self.lost(atom);
                    self.execute_failed(step, atom, failure, now);
                }
                IfInterrupted::Pause => {
                    let failure = Box::new(self.lost(atom));
                    self.apply(step, atom, Change::Interrupted { failure }, now);
                }
            },
            (AtomState::Running, None) => self.run_controller(step, atom, now),
            (AtomState::Retrying, _) => {
                self.reset_scope(step, atom, now);
                self.run_controller(step, atom, now);
            }
            (AtomState::Failure, _) => {
                if let Some(failure) = row.failure.as_deref().cloned() {
                    self.ask(step, self.asked_first(atom), failure, now);
                }
            }
            (_, _) => {}
        }
    }

    fn lost(&self, atom: AtomId) -> Failure {
        let what = "its conductor ended while it ran, and it is not to run again by itself";
        let mut failure = Failure::new(FailureKind::Interrupted, what);
        failure.task.clone_from(&self.plan.atom(atom).name);
        failure.attempt = self.rows[atom.index()].attempt;
        failure
    }
}
