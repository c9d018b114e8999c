//! The stores behind [`crate::ports::Store`]: the truth about jobs.
//!
//! In go new jobs, steps to be committed and people's requests; out come jobs, checkpoints, history and logs.
//! A store never decides what a job does next, and never looks at a board.

mod memory;
pub mod sql;

pub use memory::MemoryStore;

use crate::model::{Change, Failure, FailureKind, Intent, Record, Subject, Timestamp};
use crate::ports::Request;

/// What somebody wants of a job, told from the requests that wait, oldest first: a cancel outweighs all else,
/// and of suspend and resume the last one counts.
fn intent<'a>(waiting: impl Iterator<Item = &'a Request>) -> Intent {
    waiting.fold(Intent::None, |so_far, request| match (so_far, request) {
        (Intent::Cancel, _) | (_, Request::Cancel(_)) => Intent::Cancel,
        (_, Request::Suspend(_)) => Intent::Suspend,
        (_, Request::Resume(_)) => Intent::None,
        (_, Request::Decide { .. } | Request::Answer { .. }) => so_far,
    })
}

/// What a store writes when it marks a job STUCK by itself: why, and the record that says so.
fn stalled(why: &str, at: Timestamp) -> (Failure, Record) {
    let cause = Failure::new(FailureKind::Other, why);
    let record = Record {
        subject: Subject::Flow,
        change: Change::Stalled {
            why: Box::new(cause.clone()),
        },
        at,
    };
    (cause, record)
}
