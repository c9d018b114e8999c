//! The integration tests, in one binary.

mod conformance;
mod play;
mod properties;
