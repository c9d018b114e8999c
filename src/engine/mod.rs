//! The engine: drives one flow. Commits what the scheduler decides, then carries it out, then waits.

use crate::model::{JobId, Record};
use crate::ports::LogChunk;

/// Whoever wants to see what happens, as it happens. Never blocks.
pub trait Observer: Send + Sync {
    /// These records of a job are durable.
    fn committed(&self, job: JobId, records: &[Record]);
    /// A task put out something.
    fn logged(&self, chunk: &LogChunk);
}
