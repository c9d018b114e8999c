//! Records: what the scheduler decides, the store commits, and the fold of which is the checkpoint.

use serde::{Deserialize, Serialize};

use super::{AtomId, AtomState, Failure, FlowState, Intention, SharedValue, Timestamp};

/// A person's word on a job, for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// Who said it: the user's name and host.
    pub who: String,
    /// Why, in their words; may be empty.
    pub why: String,
}

/// A person's answer to a task that asks for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Yes or no.
    pub approved: bool,
    /// Who, and why in their words.
    pub by: Operator,
    /// When.
    pub at: Timestamp,
}

/// What a person can decide about what is STUCK or INTERRUPTED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Try again: the revert that failed, or the execute that was interrupted.
    Retry,
    /// It has been undone by hand.
    MarkReverted,
    /// Leave it as it is. The job ends ABANDONED.
    Abandon,
}

/// Which side of a task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Doing.
    Execute,
    /// Undoing.
    Revert,
}

impl Phase {
    /// The word in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Revert => "revert",
        }
    }
}

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The flow as a whole.
    Flow,
    /// One atom.
    Atom(AtomId),
}

/// What happened to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// An execute side starts, or starts again after the conductor died. To RUNNING.
    Started {
        /// The instant that a task of a waiting kind waits for.
        until: Option<Timestamp>,
    },
    /// An execute side succeeded. To SUCCESS.
    Succeeded {
        /// What it gave back.
        result: SharedValue,
    },
    /// A retry controller chose what to try next. To SUCCESS.
    Tried {
        /// The value (`for_each`), or the number of the attempt (`times`).
        value: SharedValue,
        /// When this attempt of the scope must be done.
        deadline: Option<Timestamp>,
    },
    /// An execute side failed. To FAILURE.
    Failed {
        /// How.
        failure: Box<Failure>,
        /// The flow goes on all the same (`allow_failure`).
        allowed: bool,
    },
    /// Skipped, or a failure of its scope that is allowed. To IGNORE.
    Ignored,
    /// Found RUNNING after its conductor died, and it must not run again by itself. To INTERRUPTED.
    Interrupted {
        /// What is known of it.
        failure: Box<Failure>,
    },
    /// Its conductor stopped it in order to hand over; it stays RUNNING and is found so by the next one.
    HandedOver,
    /// A revert side starts, or starts again. To REVERTING.
    Reverting,
    /// A revert side failed and is tried again at an instant. Stays REVERTING.
    RevertRetried {
        /// How it failed.
        failure: Box<Failure>,
        /// When it is tried again.
        until: Timestamp,
    },
    /// Undone. To REVERTED.
    Reverted {
        /// The person who said so, if one did.
        by: Option<Box<Operator>>,
    },
    /// A revert side failed for good. To REVERT_FAILURE.
    RevertFailed {
        /// How.
        failure: Box<Failure>,
    },
    /// A person leaves it as it is. Stays REVERT_FAILURE or INTERRUPTED, and holds nothing up any more.
    GivenUp {
        /// Who.
        by: Box<Operator>,
    },
    /// A person lets an interrupted execute, or a revert that failed, run again. Its start follows.
    Permitted {
        /// Who.
        by: Box<Operator>,
    },
    /// Put back by a retry of its scope. To PENDING.
    Reset,
    /// A retry controller will try again once its scope is undone. Stays SUCCESS, intention RETRY.
    RetryDecided {
        /// What failed.
        failure: Box<Failure>,
    },
    /// A retry controller's scope is undone; the next attempt starts now or at an instant. To RETRYING.
    Retrying {
        /// When.
        until: Option<Timestamp>,
    },
    /// A retry controller (or an allowed scope's) gives up: its scope unwinds without another try.
    /// Stays SUCCESS, intention IGNORE.
    AllowDecided {
        /// What failed.
        failure: Box<Failure>,
    },
    /// The job cannot be run as it is: its checkpoint is corrupt, or no claim brings it any further. Its atoms and the
    /// direction of its flow stay as they are. To STUCK.
    Stalled {
        /// Why.
        why: Box<Failure>,
    },
    /// The flow changes its state, or how it ends.
    Flow {
        /// To this one.
        state: FlowState,
        /// What made it revert, when that is what it begins to do.
        cause: Option<Box<Failure>>,
        /// When the whole flow must be done, set when it first starts.
        deadline: Option<Timestamp>,
        /// A person left something as it is: the flow will end ABANDONED.
        abandoned: bool,
        /// The person who asked for it, if one did.
        by: Option<Box<Operator>>,
    },
}

/// One transition, as committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What it is about.
    pub subject: Subject,
    /// What happened.
    pub change: Change,
    /// When.
    pub at: Timestamp,
}

/// One try of a retry controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Try {
    /// The attempt, from 1.
    pub number: u32,
    /// The value that was tried (`for_each`), or the attempt (`times`).
    pub value: SharedValue,
    /// How it failed; `None` while it stands.
    pub failure: Option<Failure>,
}

/// What a retry controller has tried so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RetryHistory {
    /// How many tries there were.
    pub tries: u32,
    /// The last of them, at most [`RetryHistory::KEPT`], oldest first.
    pub last: Vec<Try>,
}

impl RetryHistory {
    /// How many tries are kept in full; the events have them all.
    pub const KEPT: usize = 16;
}

/// All that is known of one atom. An atom that never left PENDING has no row.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AtomRow {
    /// Where it stands.
    pub state: AtomState,
    /// What is meant to happen to it, as far as the atom itself tells; see `Scheduler::intention`.
    pub intention: Intention,
    /// How many times its execute side was started, in all.
    pub attempt: u32,
    /// How many times a retry put it back to PENDING. Part of the idempotency key.
    pub generation: u32,
    /// How many times its revert side has failed since it began to revert.
    pub revert_tries: u32,
    /// The instant that it waits for: of a sleep, a delay; for a controller in SUCCESS, its scope's deadline.
    pub wake_at: Option<Timestamp>,
    /// When the present attempt started.
    pub started_at: Option<Timestamp>,
    /// When it came into its state.
    pub since: Timestamp,
    /// What its execute side gave back; for a controller, the current value.
    pub result: SharedValue,
    /// How its execute side failed, until a retry puts it back.
    pub failure: Option<Box<Failure>>,
    /// How its revert side failed last.
    pub revert_failure: Option<Box<Failure>>,
    /// What a retry controller tried.
    pub history: Option<Box<RetryHistory>>,
}

/// There is one for every atom, and what a million of them take is felt. So what few have is boxed.
const _: () = assert!(size_of::<AtomRow>() <= 88 && size_of::<Record>() <= 56);

/// All that is known of the flow itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FlowRow {
    /// Where it stands.
    pub state: FlowState,
    /// Whether it is being undone (also while SUSPENDED or STUCK).
    pub reverting: bool,
    /// Whether a person left something as it is.
    pub abandoned: bool,
    /// What made it revert.
    pub cause: Option<Failure>,
    /// When the whole flow must be done.
    pub deadline: Option<Timestamp>,
    /// When it first started.
    pub started_at: Option<Timestamp>,
    /// When it came into its state.
    pub since: Timestamp,
}

/// All that is known of a job's progress: the fold of its records.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checkpoint {
    /// The flow.
    pub flow: FlowRow,
    /// The atoms that have left PENDING at least once, in any order.
    pub atoms: Vec<(AtomId, AtomRow)>,
}
