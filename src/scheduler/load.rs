//! From a plan and a checkpoint to a scheduler, and what is done first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use super::outline::Outline;
use super::queue::Queue;
use super::set::AtomSet;
use super::unwind::{Behind, Purpose};
use super::{CorruptCheckpoint, Mark, Scheduler, Step, Timer, is_done, is_standing, is_undecided};
use crate::compile::Plan;
use crate::model::{
    AtomId, AtomRow, AtomState, Change, Checkpoint, FlowState, Intention, ScopeId, Timestamp,
};

impl Scheduler {
    /// A scheduler that goes on where `checkpoint` left off. `seed` feeds the jitter of delays. The first event must be
    /// `Event::Resumed`.
    ///
    /// # Errors
    /// The checkpoint does not fit the plan.
    pub fn new(
        plan: Arc<Plan>,
        checkpoint: Checkpoint,
        seed: u64,
    ) -> Result<Self, CorruptCheckpoint> {
        let outline = Arc::new(Outline::new(&plan));
        let count = plan.atoms.len();
        let blocked = outline.ids().map(|node| outline.before(node).len() as u32);
        let mut scheduler = Self {
            seed,
            flow: checkpoint.flow,
            rows: vec![AtomRow::default(); count],
            blocked: blocked.collect(),
            open: outline
                .ids()
                .filter(|node| !outline.node(*node).is_gate())
                .count(),
            touched: AtomSet::new(count),
            failed: BTreeSet::new(),
            failures: None,
            undecided: BTreeSet::new(),
            unwinding: BTreeMap::new(),
            behind: vec![Behind::default(); count],
            stamps: 0,
            timers: BinaryHeap::new(),
            marks: vec![Mark::default(); count],
            in_flight: 0,
            queue: Queue::new(&plan),
            full: None,
            unblocked: Vec::new(),
            stirred: Vec::new(),
            orphans: Vec::new(),
            held: false,
            stalled: false,
            outline,
            plan,
        };
        for (atom, row) in checkpoint.atoms {
            scheduler.check_row(atom, &row)?;
            if row.state != AtomState::Pending {
                scheduler.touched.insert(atom);
            }
            scheduler.rows[atom.index()] = row;
        }
        scheduler.derive();
        scheduler.check_order()?;
        Ok(scheduler)
    }

    /// Computes all that follows from the rows.
    fn derive(&mut self) {
        let first = self.outline.ids();
        let first = first.filter(|n| self.blocked[n.index()] == 0 && self.holds_nothing_up(*n));
        for node in first.collect::<Vec<_>>() {
            self.pass(node);
        }
        // What is PENDING has nothing to tell.
        for atom in self.touched.range(self.range(ScopeId::FLOW, Purpose::Flow)) {
            let row = &self.rows[atom.index()];
            if row.failure.is_some() {
                self.failed.insert(atom);
            }
            if is_undecided(row) {
                self.undecided.insert(atom);
            }
            if let Some(at) = row.wake_at {
                let controller = self.is_controller(atom);
                if controller || row.state == AtomState::Reverting {
                    self.timers.push(Reverse((at, Timer::Atom(atom))));
                }
            }
            let waits = row.wake_at.is_some();
            let orphan = match row.state {
                AtomState::Running => true,
                AtomState::Reverting | AtomState::Retrying => !waits,
                AtomState::Failure => row.intention != Intention::Ignore,
                AtomState::Pending
                | AtomState::Success
                | AtomState::Reverted
                | AtomState::RevertFailure
                | AtomState::Ignore
                | AtomState::Interrupted => false,
            };
            if orphan {
                self.marks[atom.index()].orphan = true;
                self.orphans.push(atom);
            }
            if is_done(row) {
                self.open -= 1;
            }
        }
        self.orphans.reverse();
        self.unblocked.clear();
        if let Some(deadline) = self.flow.deadline {
            self.timers.push(Reverse((deadline, Timer::Flow)));
        }
        self.stalled = self.flow.state == FlowState::Stuck && self.undecided.is_empty();
        self.find_unwindings();
    }

    /// The flow is taken up: it starts, or goes on.
    pub(super) fn resumed(&mut self, step: &mut Step, now: Timestamp) {
        if self.flow.state == FlowState::Pending {
            let deadline = self.plan.timeout.map(|timeout| now.plus(timeout));
            let change = Change::Flow {
                state: FlowState::Running,
                cause: None,
                deadline,
                abandoned: false,
                by: None,
            };
            self.apply_flow(step, change, now);
            if let Some(at) = deadline {
                self.timers.push(Reverse((at, Timer::Flow)));
            }
        }
        let ids = self.outline.ids();
        let ready = ids.filter(|node| self.blocked[node.index()] == 0);
        self.unblocked.extend(ready);
    }

    fn check_row(&self, atom: AtomId, row: &AtomRow) -> Result<(), CorruptCheckpoint> {
        if atom.index() >= self.rows.len() {
            let what = format!("the plan has {} atoms", self.rows.len());
            return Err(self.unfit(atom, &what));
        }
        if self.outline.node(atom).is_gate() {
            return Err(self.unfit(atom, "a gate has no row"));
        }
        let controller = self.is_controller(atom);
        let fits = match row.state {
            AtomState::Retrying => controller,
            AtomState::RevertFailure | AtomState::Interrupted => !controller,
            AtomState::Pending
            | AtomState::Running
            | AtomState::Success
            | AtomState::Failure
            | AtomState::Reverting
            | AtomState::Reverted
            | AtomState::Ignore => true,
        };
        if !fits {
            let what = if controller {
                "a retry controller"
            } else {
                "a task"
            };
            return Err(self.unfit(atom, &format!("{what} is never {}", row.state)));
        }
        if row.history.is_some() && !controller {
            return Err(self.unfit(atom, "a task has no retry history"));
        }
        Ok(())
    }

    /// What has started must have nothing before it that is not done.
    fn check_order(&self) -> Result<(), CorruptCheckpoint> {
        for atom in self.touched.range(self.range(ScopeId::FLOW, Purpose::Flow)) {
            let row = &self.rows[atom.index()];
            if is_standing(row) && self.blocked[atom.index()] > 0 {
                let before = self.outline.before(atom).iter().find_map(|before| {
                    let row = &self.rows[before.index()];
                    (!self.outline.node(*before).is_gate() && !is_done(row)).then(|| {
                        format!(
                            "`{}`, which comes before it, is {}",
                            self.plan.atom(*before).name,
                            row.state
                        )
                    })
                });
                let before = before.unwrap_or_else(|| "something before it is not done".to_owned());
                return Err(self.unfit(atom, &format!("it is {}, but {before}", row.state)));
            }
        }
        if self.flow.state == FlowState::Success && self.open > 0 {
            return Err(CorruptCheckpoint(format!(
                "the flow is SUCCESS, but {} of its atoms are not done",
                self.open
            )));
        }
        Ok(())
    }
}

impl Scheduler {
    /// Compares all that is kept along the way with what follows from the rows: for tests of the scheduler itself.
    ///
    /// # Errors
    /// What differs.
    #[doc(hidden)]
    pub fn audit(&self) -> Result<(), String> {
        let fresh = Self::new(self.plan.clone(), self.checkpoint(), self.seed)
            .map_err(|error| error.to_string())?;
        let same = [
            ("blocked", fresh.blocked == self.blocked),
            ("open", fresh.open == self.open),
            ("touched", fresh.touched == self.touched),
            ("failed", fresh.failed == self.failed),
            ("undecided", fresh.undecided == self.undecided),
            (
                "unwinding",
                fresh.unwinding.keys().eq(self.unwinding.keys()),
            ),
            ("stalled", fresh.stalled == self.stalled),
        ];
        match same.iter().find(|(_, same)| !same) {
            Some((what, _)) => Err(format!("`{what}` is not what follows from the rows")),
            None => Ok(()),
        }
    }
}
