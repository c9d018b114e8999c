//! **jobrunner**: runs flows of tasks that either finish or are undone, whatever machine dies on the way.
//!
//! Text becomes a plan, a plan plus events becomes records and commands, and records are committed before
//! commands are carried out. The modules below stand in the order of their layers: each imports only
//! what stands above it.
//!
//! To run flows in a program of one's own, see [`runner`].

pub mod boards;
pub mod cli;
pub mod compile;
pub mod conductor;
pub mod engine;
pub mod explain;
pub mod lsp;
pub mod model;
pub mod ports;
pub mod rehearsal;
pub mod runner;
pub mod scheduler;
pub mod schema;
pub mod sql;
pub mod stores;
pub mod syntax;
pub mod tasks;
