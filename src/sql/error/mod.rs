//! What is wrong with a database, and what to do about it.

mod mysql;
mod postgres;
mod sqlite;

use sqlx::migrate::MigrateError;

use super::target::{Place, Target};

pub(super) use sqlite::is_busy;

type Source = Option<Box<dyn std::error::Error + Send + Sync>>;

/// What can go wrong, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// It cannot be reached, is locked, full or read-only: wait, say so, try again.
    #[error("{what}")]
    Unavailable {
        /// Which database, what is wrong with it, and the next action.
        what: String,
        /// What the database said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The connection was lost halfway, or nothing came for too long: whether what was asked for took place is not
    /// known. Look it up.
    #[error("{what}")]
    Lost {
        /// Which database, and the next action.
        what: String,
        /// How it was lost.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// It lost against another transaction, and nothing of it took place: do it again.
    #[error("{what}")]
    Conflict {
        /// Which database, and what to do if it stays so.
        what: String,
        /// What the database said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// There is a row with this key already, and nothing of it took place.
    #[error("{0}")]
    Taken(String),
    /// It holds something that makes no sense: report it.
    #[error("{0}")]
    Unreadable(String),
    /// Its schema is newer than this program: upgrade the program.
    #[error("it has schema version {found}, this program knows up to {known}: upgrade the program")]
    Newer {
        /// The database's version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
}

/// What a failure is to whoever asked.
enum Trouble {
    /// What is wrong and the next action.
    Away(String),
    Lost(String),
    Conflict(String),
}

/// Says what happened to `target`.
pub(super) fn explain(target: &Target, cause: sqlx::Error) -> SqlError {
    let taken = cause
        .as_database_error()
        .is_some_and(|cause| cause.is_unique_violation());
    if taken {
        return SqlError::Taken(cause.to_string());
    }
    let trouble = match target {
        Target::Sqlite(file, _) => Trouble::Away(sqlite::explain(file, &cause)),
        Target::MySql(place, _) => {
            on_the_way(place, &cause).unwrap_or_else(|| mysql::explain(place, &cause))
        }
        Target::Postgres(place, _) => {
            on_the_way(place, &cause).unwrap_or_else(|| postgres::explain(place, &cause))
        }
    };
    let source: Source = Some(match target {
        // sqlx adds the line of the server's own source code.
        Target::Postgres(..) => match cause.as_database_error() {
            Some(said) => said.message().into(),
            None => Box::new(cause),
        },
        Target::Sqlite(..) | Target::MySql(..) => Box::new(cause),
    });
    match trouble {
        Trouble::Away(what) => SqlError::Unavailable { what, source },
        Trouble::Lost(what) => SqlError::Lost { what, source },
        Trouble::Conflict(what) => SqlError::Conflict { what, source },
    }
}

/// What goes wrong before a server says a word.
fn on_the_way(place: &Place, cause: &sqlx::Error) -> Option<Trouble> {
    use std::io::ErrorKind;
    let url = &place.url;
    match cause {
        sqlx::Error::Io(io) => Some(match io.kind() {
            ErrorKind::TimedOut => Trouble::Lost(format!(
                "`{url}` does not answer: see whether the server and the network are up"
            )),
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => Trouble::Lost(format!(
                "`{url}` has closed the connection: see whether the server is up"
            )),
            ErrorKind::NotFound => Trouble::Away(format!(
                "`{url}` has no such socket: start the server, or correct the socket's path"
            )),
            // A certificate that is not trusted breaks the handshake off with this.
            ErrorKind::InvalidData => Trouble::Away(by_tls(url)),
            _ => Trouble::Away(format!(
                "`{url}` cannot be reached: start the server, or correct the host and the port"
            )),
        }),
        // What stands before a server, such as HAProxy, takes connections also when there is none behind it.
        sqlx::Error::Protocol(said) if said.contains("SSLRequest") => Some(Trouble::Away(format!(
            "`{url}` ends the connection without a word: see whether there is a PostgreSQL behind that address, and whether \
             it is up"
        ))),
        sqlx::Error::Tls(_) => Some(Trouble::Away(by_tls(url))),
        sqlx::Error::PoolTimedOut => Some(Trouble::Away(format!(
            "another program has been bringing the tables in `{url}` up to date for a minute: wait for it, or end it"
        ))),
        _ => None,
    }
}

fn by_tls(url: &str) -> String {
    format!(
        "`{url}` cannot be reached by TLS: give the server a certificate that is trusted here, or correct the TLS parameters \
         of the URL"
    )
}

/// Says what happened to the schema of `target`.
pub(super) fn explain_migration(target: &Target, cause: MigrateError) -> SqlError {
    match cause {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => {
            explain(target, cause)
        }
        other => SqlError::Unavailable {
            what: format!(
                "the tables in `{target:?}` are not those of any released version: choose another database"
            ),
            source: Some(Box::new(other)),
        },
    }
}
