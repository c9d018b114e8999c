//! What is wrong with a database, and what to do about it.

use std::io;
use std::path::Path;

use sqlx::migrate::MigrateError;

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
    /// It holds something that makes no sense: report it.
    #[error("{0}")]
    Unreadable(String),
    /// Its schema is newer than this program: upgrade the program.
    #[error("schema version {found}, this program knows up to {known}")]
    Newer {
        /// The database's version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
}

// Primary result codes: <https://www.sqlite.org/rescode.html>.
const PERM: i32 = 3;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;

/// The primary result code, if it is SQLite that speaks.
fn code(cause: &sqlx::Error) -> Option<i32> {
    let extended: i32 = cause.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// Somebody else holds a lock.
pub(super) fn is_busy(cause: &sqlx::Error) -> bool {
    matches!(code(cause), Some(BUSY | LOCKED))
}

/// Says what happened to `file`.
pub(super) fn explain(file: &Path, cause: sqlx::Error) -> SqlError {
    let name = file.display();
    let what = match code(&cause) {
        Some(BUSY | LOCKED) => {
            format!("`{name}` is locked by another program: end that program, or try again")
        }
        Some(FULL) => format!("the disk that holds `{name}` is full: free some space on it"),
        Some(READONLY | PERM) => {
            format!("`{name}` is read-only: let this user write to it and to its folder")
        }
        Some(NOTADB) => {
            format!("`{name}` is not a SQLite database: move it away, or choose another file")
        }
        Some(CORRUPT) => {
            format!("`{name}` is damaged: restore it from a backup, or choose another file")
        }
        Some(IOERR) => {
            format!("`{name}` cannot be read or written: check its disk and the space left on it")
        }
        Some(CANTOPEN) => why_not_opened(file),
        Some(_) | None => format!("`{name}` does not answer as it should: report this"),
    };
    SqlError::Unavailable {
        what,
        source: Some(Box::new(cause)),
    }
}

fn why_not_opened(file: &Path) -> String {
    let name = file.display();
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if file.is_dir() {
        return format!("`{name}` is a folder: choose a file");
    }
    match folder.metadata() {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => format!(
            "`{name}` cannot be opened, its folder does not exist: create `{}`",
            folder.display()
        ),
        Ok(found) if !found.is_dir() => format!(
            "`{name}` cannot be opened, `{}` is not a folder: choose another file",
            folder.display()
        ),
        Ok(_) | Err(_) => {
            format!("`{name}` cannot be opened: let this user read and write it, and its folder")
        }
    }
}

/// Says what happened to the schema of `file`.
pub(super) fn explain_migration(file: &Path, cause: MigrateError) -> SqlError {
    match cause {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => {
            explain(file, cause)
        }
        other => SqlError::Unavailable {
            what: format!(
                "the tables in `{}` are not those of any released version: choose another file",
                file.display()
            ),
            source: Some(Box::new(other)),
        },
    }
}
