//! The stores behind [`crate::ports::Store`]: the truth about jobs.
//!
//! In go new jobs, steps to be committed and people's requests; out come jobs, checkpoints, history and logs.
//! A store never decides what a job does next, and never looks at a board.

mod memory;

pub use memory::MemoryStore;

use crate::model::{Change, Failure, FailureKind, FlowState, Intent, Record, Subject, Timestamp};
use crate::ports::Request;

/// What somebody wants of a job, told from the requests that wait, oldest first: a cancel outweighs all else,
/// and of suspend and resume the last one counts.
fn intent<'a>(waiting: impl Iterator<Item = &'a Request>) -> Intent {
    waiting.fold(Intent::None, |so_far, request| match (so_far, request) {
        (Intent::Cancel, _) | (_, Request::Cancel(_)) => Intent::Cancel,
        (_, Request::Suspend(_)) => Intent::Suspend,
        (_, Request::Resume(_)) => Intent::None,
        (_, Request::Decide { .. }) => so_far,
    })
}

/// The record by which a store itself says that a job is STUCK.
fn stalled(why: &str, at: Timestamp) -> Record {
    Record {
        subject: Subject::Flow,
        change: Change::Flow {
            state: FlowState::Stuck,
            cause: Some(Box::new(Failure::new(FailureKind::Other, why))),
            deadline: None,
            abandoned: false,
            by: None,
        },
        at,
    }
}
