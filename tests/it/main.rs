//! The integration tests, as one binary.

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
