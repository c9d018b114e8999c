//! The scheduler: a pure state machine. Events go in, records and commands come out.
//!
//! It does no I/O, reads no clock and draws no random numbers: the instant is an argument, and the seed of
//! all jitter is given once. Records are to be committed before the commands of the same step are carried out.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::compile::Plan;
use crate::model::{
    AtomId, AtomRow, AtomState, Checkpoint, Failure, FlowRow, FlowState, Intention, Operator,
    Phase, Record, Timestamp, Value, Verb,
};

/// What happens to a flow.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A conductor has taken it up, for the first time or again. Always the first event.
    Resumed,
    /// A command has been carried out.
    Finished {
        /// Of which atom.
        atom: AtomId,
        /// Of which attempt.
        attempt: u32,
        /// Which side.
        phase: Phase,
        /// The result, or how it failed.
        outcome: Result<Value, Failure>,
    },
    /// The conductor stopped a running command in order to hand over.
    HandedOver {
        /// Of which atom.
        atom: AtomId,
    },
    /// The instant that `next_wakeup` told has come.
    Tick,
    /// Stop between two steps.
    Suspend(Operator),
    /// Go on after a suspend.
    Resume(Operator),
    /// Undo all of it.
    Cancel(Operator),
    /// A person decides what is STUCK or INTERRUPTED.
    Decide {
        /// What.
        verb: Verb,
        /// Which atom; all that wait for a decision if `None`.
        atom: Option<AtomId>,
        /// Who and why.
        by: Operator,
    },
}

/// Something to be carried out once the step's records are committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Of which atom.
    pub atom: AtomId,
    /// Which attempt.
    pub attempt: u32,
    /// How many times a retry has put it back: part of its key.
    pub generation: u32,
    /// Which side.
    pub phase: Phase,
    /// The names that the side needs, all but secrets and the always-there.
    pub inputs: IndexMap<String, Value>,
    /// The instant that a waiting kind waits for.
    pub until: Option<Timestamp>,
    /// An earlier start of the same attempt may have been cut off.
    pub interrupted: bool,
    /// For a revert: what the execute side gave back, and its own failure or what made the scope unwind.
    pub result: Value,
    /// For a revert: see `result`.
    pub failure: Option<Failure>,
    /// For a revert: every failure that still stands, in file order.
    pub failures: Vec<Failure>,
}

/// What an event leads to.
#[must_use]
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// The transitions, to be committed first.
    pub records: Vec<Record>,
    /// What to start then.
    pub commands: Vec<Command>,
    /// Which running execute sides to stop; each is still reported as finished.
    pub stop: Vec<AtomId>,
}

/// A checkpoint that does not fit its plan, or an event that does not fit the state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CorruptCheckpoint(pub String);

/// The state machine of one flow.
#[derive(Debug)]
pub struct Scheduler {
    plan: Arc<Plan>,
    rows: Vec<AtomRow>,
    flow: FlowRow,
}

impl Scheduler {
    /// A scheduler that goes on where `checkpoint` left off. `seed` feeds the jitter of delays.
    ///
    /// # Errors
    /// The checkpoint does not fit the plan.
    pub fn new(
        plan: Arc<Plan>,
        checkpoint: Checkpoint,
        seed: u64,
    ) -> Result<Self, CorruptCheckpoint> {
        let _ = seed;
        let rows = vec![AtomRow::default(); plan.atoms.len()];
        Ok(Self {
            plan,
            rows,
            flow: checkpoint.flow,
        })
    }

    /// Takes an event, and says what is to be committed and done. The cost is in proportion to what changes.
    ///
    /// # Errors
    /// The event does not fit: no such atom, or an atom that does not run. Nothing has changed.
    pub fn handle(&mut self, event: Event, now: Timestamp) -> Result<Step, CorruptCheckpoint> {
        let _ = (event, now);
        Ok(Step::default())
    }

    /// When the next `Tick` is due, if time alone will change anything.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        None
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

    /// The row of an atom.
    #[must_use]
    pub fn row(&self, atom: AtomId) -> &AtomRow {
        &self.rows[atom.index()]
    }

    /// What is meant to happen to an atom: its own intention, or that of what unwinds around it.
    #[must_use]
    pub fn intention(&self, atom: AtomId) -> Intention {
        self.rows[atom.index()].intention
    }

    /// Nothing is running, and nothing will until somebody asks for it.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.flow.state.is_at_rest() && self.rows.iter().all(|row| row.state != AtomState::Running)
    }

    /// What the flow hands out at its end (`provides` of the flow); a name whose value cannot be told is left out.
    #[must_use]
    pub fn provided(&self) -> IndexMap<String, Value> {
        let _ = &self.plan;
        IndexMap::new()
    }
}
