//! What stores and boards in SQL databases share: opening one, talking to it, and saying what is wrong with it.
//!
//! In goes a URL, then SQL text with its arguments; out come rows, or an error that names the database and the next
//! action. It knows no table of anybody's, and never writes on its own but to bring a schema up to date.
//!
//! SQL text is a script: one or more statements with `;` between them, arguments as `$1`, `$2` … counted over the
//! whole script, the rows of all its statements in one list. A script is one round trip to the thread that
//! holds the connection, and is prepared once.

mod args;
mod database;
mod error;
mod schema;
mod url;

pub use args::{Args, Row};
pub use database::{Database, Durability, Lane};
pub use error::SqlError;
pub use schema::{Migrations, Schema};
