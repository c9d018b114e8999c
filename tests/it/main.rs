//! The integration tests, in one binary.

mod engine;
mod stage;
