//! The integration tests, in one binary.

mod conductor;
mod engine;
mod layers;
mod stage;
mod suite;
mod syntax;
