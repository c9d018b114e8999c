//! The scheduler: a pure state machine. Events go in, records and commands come out.
//!
//! It does no I/O, reads no clock and draws no random numbers: the instant is an argument, and the seed of
//! all jitter is given once. Records are to be committed before the commands of the same step are carried out.

mod event;
mod evolve;
mod forward;
mod inputs;
mod load;
mod operate;
mod outline;
mod queue;
mod retry;
mod set;
mod unwind;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

pub use event::{Command, CorruptCheckpoint, Event, Step, Undo};
pub use evolve::{Illegal, evolve, evolve_flow};
pub use inputs::result_scope;
use outline::Outline;
use queue::Queue;
use set::AtomSet;
use unwind::{Behind, Unwinding};

use crate::compile::Plan;
use crate::model::{
    AtomId, AtomRow, AtomState, Change, Checkpoint, Failure, FlowRow, FlowState, Intention,
    Operator, Phase, Record, ScopeId, Subject, Timestamp,
};

/// What the scheduler knows of an atom besides its row.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    /// It stands in the ready queue.
    queued: bool,
    /// A command for it is being carried out.
    in_flight: bool,
    /// It was RUNNING or REVERTING when its last conductor stopped, and nothing has been done about it yet.
    orphan: bool,
}

/// The state machine of one flow.
#[derive(Debug, Clone)]
pub struct Scheduler {
    plan: Arc<Plan>,
    outline: Arc<Outline>,
    seed: u64,
    flow: FlowRow,
    rows: Vec<AtomRow>,
    // What follows from the rows alone:
    /// How many nodes directly before each are not done.
    blocked: Vec<u32>,
    /// How many tasks and controllers are not done.
    open: usize,
    /// The tasks and controllers that are not PENDING.
    touched: AtomSet,
    /// Those whose execute side failed, and no later attempt has overcome it.
    failed: BTreeSet<AtomId>,
    /// The first of their failures, as reverts are told of them, unless `failed` has changed since.
    failures: Option<Arc<[Failure]>>,
    /// Those that a person must decide.
    undecided: BTreeSet<AtomId>,
    /// The scopes that are being undone, none inside another.
    unwinding: BTreeMap<ScopeId, Unwinding>,
    /// Within them: how much of what comes after each node still stands.
    behind: Vec<Behind>,
    stamps: u32,
    /// Instants to wake up at; what is no longer so when they come is passed over.
    timers: BinaryHeap<Reverse<(Timestamp, Timer)>>,
    // What follows from the rows and from what this scheduler has given out:
    marks: Vec<Mark>,
    in_flight: usize,
    queue: Queue,
    /// When the last step was full, if more is ready.
    full: Option<Timestamp>,
    /// Nodes that became ready and have not been looked at.
    unblocked: Vec<AtomId>,
    /// Scopes whose unwinding may go on.
    stirred: Vec<ScopeId>,
    /// Orphans that have not been looked at.
    orphans: Vec<AtomId>,
    /// Nothing new starts, whatever the flow's state.
    held: bool,
    /// The job is STUCK as a whole, not because of one of its atoms.
    stalled: bool,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The flow's timeout.
    Flow,
    /// A controller's delay or its scope's timeout, or the next try of a revert.
    Atom(AtomId),
}

impl Scheduler {
    /// Takes an event, and says what is to be committed and done. The cost is in proportion to what changes.
    ///
    /// # Errors
    /// The event does not fit: no such atom, or an atom that does not run. Nothing has changed.
    pub fn handle(&mut self, event: Event, now: Timestamp) -> Result<Step, CorruptCheckpoint> {
        let mut step = Step::default();
        match event {
            Event::Resumed => self.resumed(&mut step, now),
            Event::Finished {
                atom,
                attempt,
                phase,
                outcome,
            } => {
                self.check_running(atom, attempt, phase)?;
                self.landed(atom);
                match (phase, outcome) {
                    (Phase::Execute, Ok(result)) => {
                        self.apply(
                            &mut step,
                            atom,
                            Change::Succeeded {
                                result: result.into(),
                            },
                            now,
                        );
                    }
                    (Phase::Execute, Err(failure)) => {
                        self.execute_failed(&mut step, atom, failure, now);
                    }
                    (Phase::Revert, Ok(_)) => {
                        self.apply(&mut step, atom, Change::Reverted { by: None }, now);
                    }
                    (Phase::Revert, Err(failure)) => {
                        self.revert_failed(&mut step, atom, failure, now);
                    }
                }
            }
            Event::HandedOver { atom } => {
                if !self.marks.get(atom.index()).is_some_and(|m| m.in_flight) {
                    return Err(self.unfit(atom, "it does not run"));
                }
                self.landed(atom);
                self.marks[atom.index()].orphan = true;
                self.apply(&mut step, atom, Change::HandedOver, now);
            }
            Event::Tick => {}
            Event::HandingOver => self.held = true,
            Event::Suspend(by) => self.suspend(&mut step, by, now),
            Event::Resume(by) => self.go_on(&mut step, by, now),
            Event::Cancel(by) => self.cancel(&mut step, by, now),
            Event::Decide { verb, atom, by } => self.decide(&mut step, verb, atom, &by, now)?,
        }
        self.settle(&mut step, now);
        // What a timeout stops and what its unwinding stops may be the same.
        step.stop.sort_unstable();
        step.stop.dedup();
        Ok(step)
    }

    /// When the next `Tick` is due, if time alone will change anything: an instant that is past if more is ready than
    /// went into the last step.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        if !self.may_start() {
            return None;
        }
        let timer = || self.timers.peek().map(|Reverse((at, _))| *at);
        self.full.or_else(timer)
    }

    /// Where the flow stands.
    #[must_use]
    pub fn state(&self) -> FlowState {
        self.flow.state
    }

    /// The flow's row.
    #[must_use]
    pub fn flow(&self) -> &FlowRow {
        &self.flow
    }

    /// The plan that it follows.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The row of an atom.
    #[must_use]
    pub fn row(&self, atom: AtomId) -> &AtomRow {
        &self.rows[atom.index()]
    }

    /// What is meant to happen to an atom: that of what unwinds around it, or its own.
    #[must_use]
    pub fn intention(&self, atom: AtomId) -> Intention {
        match self.unwinding_around(atom) {
            Some(_) => Intention::Revert,
            None if self.flow.reverting => Intention::Revert,
            None => self.rows[atom.index()].intention,
        }
    }

    /// Nothing is running, and nothing will until somebody asks for it.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.flow.state.is_at_rest() && self.in_flight == 0
    }

    /// The fold of all records so far: what a new scheduler would go on from.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let atoms = self.rows.iter().enumerate();
        Checkpoint {
            flow: self.flow.clone(),
            atoms: atoms
                .filter(|(_, row)| **row != AtomRow::default())
                .map(|(at, row)| (AtomId(at as u32), row.clone()))
                .collect(),
        }
    }

    /// Whether new things may start: the flow goes forward or backward, and is not held.
    fn may_start(&self) -> bool {
        !self.held && matches!(self.flow.state, FlowState::Running | FlowState::Reverting)
    }

    /// How many commands are being carried out.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Records a change of an atom and folds it in: the only place where a row changes.
    fn apply(&mut self, step: &mut Step, atom: AtomId, change: Change, now: Timestamp) {
        let index = atom.index();
        let row = &mut self.rows[index];
        let (was_done, was_standing) = (is_done(row), is_standing(row));
        evolve(row, &change, now).expect("the scheduler decides legal transitions only");
        let (done, standing) = (is_done(row), is_standing(row));
        let (pending, failed) = (row.state == AtomState::Pending, row.failure.is_some());
        let undecided = is_undecided(row);
        step.records.push(Record {
            subject: Subject::Atom(atom),
            change,
            at: now,
        });
        if pending {
            self.touched.remove(atom);
        } else if !was_standing {
            self.touched.insert(atom);
        }
        if failed {
            if self.failed.insert(atom) {
                self.failures = None;
            }
        } else if !self.failed.is_empty() && self.failed.remove(&atom) {
            self.failures = None;
        }
        if undecided {
            self.undecided.insert(atom);
        } else if !self.undecided.is_empty() {
            self.undecided.remove(&atom);
        }
        match (was_done, done) {
            (false, true) => self.became_done(atom),
            (true, false) => self.became_undone(atom),
            (false, false) | (true, true) => {}
        }
        if was_standing && !standing {
            self.fell(atom);
        }
    }

    /// Records a change of the flow and folds it in.
    fn apply_flow(&mut self, step: &mut Step, change: Change, now: Timestamp) {
        let could_start = self.may_start();
        evolve_flow(&mut self.flow, &change, now)
            .expect("the scheduler decides legal transitions only");
        if !could_start && self.may_start() {
            // What came to its end while nothing might start goes on now.
            self.stirred.extend(self.unwinding.keys());
        }
        step.records.push(Record {
            subject: Subject::Flow,
            change,
            at: now,
        });
    }

    fn set_flow(
        &mut self,
        step: &mut Step,
        state: FlowState,
        cause: Option<Failure>,
        by: Option<Operator>,
        now: Timestamp,
    ) {
        let change = Change::Flow {
            state,
            cause: cause.map(Box::new),
            deadline: None,
            abandoned: false,
            by: by.map(Box::new),
        };
        self.apply_flow(step, change, now);
    }

    /// Does all that follows from what has changed, until nothing more does.
    fn settle(&mut self, step: &mut Step, now: Timestamp) {
        loop {
            for at in 0..self.unblocked.len() {
                self.look_at(self.unblocked[at]);
            }
            self.unblocked.clear();
            if self.hold(step, now) {
                continue;
            }
            if self.may_start() {
                if let Some(orphan) = self.orphans.pop() {
                    self.adopt(step, orphan, now);
                    continue;
                }
                if self.fire_timer(step, now) {
                    continue;
                }
            }
            if let Some(scope) = self.stirred.pop() {
                self.advance_unwinding(step, scope, now);
                continue;
            }
            if self.may_start()
                && step.records.len() < Step::FULL
                && let Some((atom, turn)) = self.queue.pop()
            {
                self.take_turn(step, atom, turn, now);
                continue;
            }
            if self.end(step, now) {
                continue;
            }
            break;
        }
        self.full = (!self.queue.is_empty()).then_some(now);
    }

    /// Holds the flow as soon as a person must decide something, before anything else starts; lets it go on when
    /// nothing is left to decide.
    fn hold(&mut self, step: &mut Step, now: Timestamp) -> bool {
        let state = match (self.flow.state, self.undecided.is_empty()) {
            (FlowState::Running | FlowState::Reverting | FlowState::Suspended, false) => {
                FlowState::Stuck
            }
            (FlowState::Stuck, true) if !self.stalled => self.direction(),
            (_, _) => return false,
        };
        self.set_flow(step, state, None, None, now);
        true
    }

    /// Ends the flow if every atom is done.
    fn end(&mut self, step: &mut Step, now: Timestamp) -> bool {
        let may_end = matches!(self.flow.state, FlowState::Running | FlowState::Suspended);
        if !may_end || self.open > 0 || !self.unwinding.is_empty() || self.flow.reverting {
            return false;
        }
        self.set_flow(step, FlowState::Success, None, None, now);
        true
    }

    fn check_running(
        &self,
        atom: AtomId,
        attempt: u32,
        phase: Phase,
    ) -> Result<(), CorruptCheckpoint> {
        let Some(row) = self.rows.get(atom.index()) else {
            return Err(self.unfit(atom, "the plan has no such atom"));
        };
        let expected = match phase {
            Phase::Execute => AtomState::Running,
            Phase::Revert => AtomState::Reverting,
        };
        if !self.marks[atom.index()].in_flight || row.state != expected {
            return Err(self.unfit(atom, &format!("it is {}, not {expected}", row.state)));
        }
        if row.attempt != attempt {
            let what = format!("attempt {attempt} has ended, but {} runs", row.attempt);
            return Err(self.unfit(atom, &what));
        }
        Ok(())
    }

    fn unfit(&self, atom: AtomId, what: &str) -> CorruptCheckpoint {
        let name = self
            .plan
            .atoms
            .get(atom.index())
            .map_or_else(|| atom.to_string(), |a| format!("`{}`", a.name));
        CorruptCheckpoint(format!("{name}: {what}"))
    }

    /// A command for `atom` is given out.
    fn took_off(&mut self, atom: AtomId) {
        self.marks[atom.index()].in_flight = true;
        self.in_flight += 1;
    }

    /// A command for `atom` has come back.
    fn landed(&mut self, atom: AtomId) {
        self.marks[atom.index()].in_flight = false;
        self.in_flight -= 1;
        self.queue.vacate(self.outline.node(atom).scope);
        if self.rows[atom.index()].state == AtomState::Running
            && let Some(around) = self.unwinding_around(atom)
            && let Some(unwinding) = self.unwinding.get_mut(&around)
        {
            unwinding.running -= 1;
            self.stirred.push(around);
        }
    }
}

/// Counts as done for what follows.
fn is_done(row: &AtomRow) -> bool {
    match row.state {
        AtomState::Success | AtomState::Ignore => true,
        AtomState::Failure => row.intention == Intention::Ignore,
        AtomState::Pending
        | AtomState::Running
        | AtomState::Reverting
        | AtomState::Reverted
        | AtomState::RevertFailure
        | AtomState::Interrupted
        | AtomState::Retrying => false,
    }
}

/// Has left something that is to be undone before what came before it.
fn is_standing(row: &AtomRow) -> bool {
    match row.state {
        AtomState::Running
        | AtomState::Success
        | AtomState::Failure
        | AtomState::Reverting
        | AtomState::Retrying => true,
        AtomState::RevertFailure | AtomState::Interrupted => row.intention != Intention::Ignore,
        AtomState::Pending | AtomState::Reverted | AtomState::Ignore => false,
    }
}

/// Waits for a person.
fn is_undecided(row: &AtomRow) -> bool {
    matches!(row.state, AtomState::RevertFailure | AtomState::Interrupted)
        && row.intention != Intention::Ignore
}
