//! The one integration binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod calls;
mod cli;
mod compile;
mod conductor;
mod conformance;
mod engine;
mod http;
mod kinds;
mod layers;
mod play;
mod process;
mod properties;
mod stage;
mod suite;
mod syntax;
