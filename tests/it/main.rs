//! The integration tests, as one binary.

mod conductor;
mod conformance;
mod engine;
mod layers;
mod play;
mod properties;
mod stage;
mod suite;
mod syntax;
