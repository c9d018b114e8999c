//! The integration tests, as one binary.

mod compile;
mod conformance;
mod kinds;
mod layers;
mod play;
mod properties;
mod suite;
mod syntax;
