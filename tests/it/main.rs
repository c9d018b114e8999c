//! The integration tests, in one binary.

mod engine;
mod layers;
mod stage;
mod suite;
mod syntax;
