//! What stores and boards in SQL databases share: opening one, talking to it, and saying what is wrong with it.
//!
//! In goes a URL, then SQL text with its arguments; out come rows, or an error that names the database and the next
//! action, and never a password. It knows no table of anybody's, and never writes on its own but to bring a schema up
//! to date.
//!
//! SQL text is a script: one or more statements with `;` between them, arguments as `$1`, `$2` … counted over the
//! whole script, the rows of all its statements in one list. To SQLite it goes whole, one round trip to the thread
//! that holds the connection. To PostgreSQL each statement goes by itself and is prepared once. To MySQL and MariaDB
//! it goes in one packet, with its arguments as literals, unless it is long: there, most of what a short transaction
//! takes is the round trips. A statement with an empty batch is left out, unless it begins with `ALWAYS`.
//!
//! MySQL and MariaDB do not give back what an update changed, so for them a statement may begin with `GUARD`: if it
//! changes something, it yields a row with its `LAST_INSERT_ID`; if not, none, and nothing that follows does anything.
//! A statement that follows and sees that for itself begins with `GUARDED`; where one does not, the script goes
//! statement by statement, and ends there. What is committed most often is not a script there, but a [`Packet`].

mod args;
mod connection;
mod database;
mod error;
mod health;
mod packet;
mod row;
mod schema;
mod script;
mod target;

pub use args::Args;
pub use database::{Database, Durability, Lane};
pub use error::SqlError;
pub use packet::{Packet, Passed};
pub use row::Row;
pub use schema::{Migrations, Schema};
pub use target::{Kind, check_url, login, without_password};

pub(crate) use database::Tries;
