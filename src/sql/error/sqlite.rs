//! The errors of SQLite.

use std::io;
use std::path::Path;

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
pub(in crate::sql) fn is_busy(cause: &sqlx::Error) -> bool {
    matches!(code(cause), Some(BUSY | LOCKED))
}

/// Says what happened to `file`.
pub(super) fn explain(file: &Path, cause: &sqlx::Error) -> String {
    let name = file.display();
    match code(cause) {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::ConnectOptions;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

    use super::*;

    async fn connect(file: &Path) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .busy_timeout(Duration::ZERO)
            .connect()
            .await
            .unwrap()
    }

    async fn failure(connection: &mut SqliteConnection, sql: &'static str) -> sqlx::Error {
        sqlx::raw_sql(sql).execute(connection).await.unwrap_err()
    }

    #[tokio::test]
    async fn each_trouble_has_its_next_action() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jobs.db");
        let mut one = connect(&file).await;
        let mut other = connect(&file).await;
        sqlx::raw_sql("PRAGMA journal_mode = WAL; CREATE TABLE t (x)")
            .execute(&mut one)
            .await
            .unwrap();
        let said = |cause| explain(&file, &cause);

        sqlx::raw_sql("BEGIN IMMEDIATE")
            .execute(&mut one)
            .await
            .unwrap();
        let cause = failure(&mut other, "BEGIN IMMEDIATE").await;
        assert!(is_busy(&cause));
        assert!(
            said(cause).ends_with("is locked by another program: end that program, or try again")
        );
        sqlx::raw_sql("ROLLBACK").execute(&mut one).await.unwrap();

        let cause = failure(&mut one, "PRAGMA query_only = 1; INSERT INTO t VALUES (1)").await;
        assert!(!is_busy(&cause));
        assert!(said(cause).contains("is read-only: let this user write to it"));

        let cause = failure(
            &mut other,
            "PRAGMA max_page_count = 3; INSERT INTO t VALUES (zeroblob(1000000))",
        )
        .await;
        let text = said(cause);
        assert!(
            text.starts_with("the disk that holds `") && text.contains("is full: free"),
            "{text}"
        );

        let cause = failure(&mut other, "SELECT nonsense").await;
        assert!(said(cause).contains("does not answer as it should"));
    }
}
