//! The integration tests, in one binary.

mod board_contract;
mod clock;
mod sqlite;
mod store_contract;
mod store_model;
