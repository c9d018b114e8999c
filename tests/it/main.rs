//! The integration tests, in one binary.

mod conformance;
mod layers;
mod play;
mod properties;
