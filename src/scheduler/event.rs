//! What goes into the scheduler, and what comes out.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::model::{AtomId, Failure, Operator, Phase, Record, SharedValue, Timestamp, Value, Verb};

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
    /// The conductor is about to stop: nothing new is to start under this scheduler.
    HandingOver,
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
    /// What a revert is told besides.
    pub undo: Option<Box<Undo>>,
}

/// What a revert side is told of what it undoes.
#[derive(Debug, Clone, PartialEq)]
pub struct Undo {
    /// What the execute side gave back; null if nothing.
    pub result: SharedValue,
    /// Its own failure, or what made its scope unwind.
    pub failure: Option<Arc<Failure>>,
    /// The failures that still stand, in file order; the first [`Undo::FAILURES`] of them.
    pub failures: Arc<[Failure]>,
}

impl Undo {
    /// At most so many failures go with a revert, so that many failures and many reverts do not multiply.
    pub const FAILURES: usize = 32;
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

impl Step {
    /// With so many records nothing more starts in a step, and the next `Tick` is due at once: however wide a flow is,
    /// what is committed together stays small.
    pub const FULL: usize = 1024;
}

/// A checkpoint that does not fit its plan, or an event that does not fit the state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CorruptCheckpoint(pub String);
