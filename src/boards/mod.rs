//! The boards behind [`crate::ports::JobBoard`]: who works on what, right now.
//!
//! In go notices of jobs; out come claims with leases. A board never knows what a job is made of, never decides
//! whether it is still to be run, and never looks at a store: all that it holds may be lost without harm.

mod memory;
mod readable;
pub mod redis;
mod registration;
pub mod sql;

pub use memory::MemoryBoard;
