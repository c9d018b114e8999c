//! The engine: drives one flow. Commits what the scheduler decides, then carries it out, then waits.
//!
//! A scheduler and what people ask for enter; commits, calls of task kinds and a verdict leave. It never decides
//! what a flow does next, never carries out what is not committed, and never leaves a task behind when it returns.

mod attempt;
mod context;
mod driver;
mod forms;
mod log;
mod mask;
mod names;
mod secret;
mod state;
mod stop;
mod writer;

pub use context::JobContext;
pub use driver::{Driven, Loss, Orders, drive};
pub use secret::Secrets;
pub use state::StateFolder;
pub use stop::Stop;
pub use writer::{WriteError, Writer};

use std::error::Error;

use crate::model::{JobId, Record};
use crate::ports::LogChunk;

/// Whoever wants to see what happens, as it happens. Never blocks.
pub trait Observer: Send + Sync {
    /// These records of a job are durable.
    fn committed(&self, job: JobId, records: &[Record]);
    /// A task put out something.
    fn logged(&self, chunk: &LogChunk);
    /// Something that a job needs (`what`: the store, the job board) is away, and is waited for. May be told again.
    fn away(&self, what: &'static str, why: &dyn Error);
    /// It is back. May be told again.
    fn back(&self, what: &'static str);
}
