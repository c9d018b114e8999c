//! The integration tests, as one binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod board_contract;
mod calls;
mod cli;
mod clock;
mod compile;
mod conductor;
mod conformance;
mod damage;
mod engine;
mod http;
mod invariants;
mod kinds;
mod layers;
mod lsp;
mod mutants;
mod notation;
mod pages;
mod play;
mod process;
mod properties;
mod random;
mod redis_board;
mod rehearsal;
mod schema;
mod secrets;
mod servers;
mod simulate;
mod sql_servers;
mod sqlite;
mod stage;
mod store_contract;
mod store_model;
mod suite;
mod syntax;
