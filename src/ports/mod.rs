//! The seams: what the engine and the conductor need of the world, as traits.
//!
//! Async begins here. Nothing in this module knows a database, a process or a socket.

mod clock;
mod job_board;
mod store;
mod task_kind;
mod term;

pub use clock::{Clock, SystemClock, within};
pub use job_board::{
    BoardError, Claim, JobBoard, Notice, Posting, Rebuild, Registered, Registration,
};
pub use store::{
    AtomWrite, Commit, Committed, Created, EventRow, JobRow, JobSummary, Loaded, LogBatch,
    LogChunk, LogFilter, LogTrim, Request, Store, StoreError, Stream, Taken, is_to_be_run,
};
pub use task_kind::{Call, Kinds, LogSink, Outcome, TaskKind};
pub use term::Term;
