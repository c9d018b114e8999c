//! The integration tests, as one binary.

mod conformance;
mod layers;
mod play;
mod properties;
mod suite;
mod syntax;
