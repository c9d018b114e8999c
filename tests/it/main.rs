//! The integration tests, as one binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod compile;
mod conductor;
mod conformance;
mod engine;
mod kinds;
mod layers;
mod play;
mod properties;
mod stage;
mod suite;
mod syntax;
