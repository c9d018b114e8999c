//! The integration tests, as one binary.

mod cli;
mod conformance;
mod layers;
mod play;
mod properties;
mod suite;
