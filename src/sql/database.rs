//! One database: a connection that writes, and a few that read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::{Mutex, MutexGuard};

use super::error::{explain, is_busy};
use super::url::sqlite_file;
use super::{Args, Row, Schema, SqlError};

/// How long a statement waits for a lock that another program holds.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a commit is worth when the machine loses its power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It stays.
    Full,
    /// The last ones may be lost, in order; what is there is whole.
    Relaxed,
}

/// A connection that is opened when it is needed, and again after it was left in the middle of something.
type Slot = Mutex<Option<SqliteConnection>>;

/// One database. Writers wait for each other here, so that they never wait for each other in the database.
#[derive(Debug)]
pub struct Database {
    file: PathBuf,
    options: SqliteConnectOptions,
    writer: Slot,
    readers: [Slot; 2],
}

impl Database {
    /// Opens the database that `url` names (see [`crate::sql`]), makes it if it is not there (but not its folder),
    /// and brings its schema up to date.
    ///
    /// # Errors
    /// It cannot be opened, or its schema is newer than this program.
    pub async fn open(
        url: &str,
        durability: Durability,
        schema: &Schema,
    ) -> Result<Self, SqlError> {
        let file = sqlite_file(url)?;
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match durability {
                Durability::Full => SqliteSynchronous::Full,
                Durability::Relaxed => SqliteSynchronous::Normal,
            })
            .busy_timeout(PATIENCE)
            .disable_statement_logging();
        let database = Self {
            file,
            options,
            writer: Slot::default(),
            readers: [Slot::default(), Slot::default()],
        };
        let mut lane = database.writer().await?;
        schema.apply(&database.file, &mut lane.connection).await?;
        lane.finish();
        Ok(database)
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Runs a script that changes something. It begins and commits its own transaction, if it has more
    /// than one statement. If it fails or its future is dropped, either all of it took place or nothing.
    ///
    /// # Errors
    /// The database does not do it.
    pub async fn write(&self, script: &'static str, args: Args) -> Result<Vec<Row>, SqlError> {
        run(self.writer().await?, script, args).await
    }

    /// Runs a script that changes nothing.
    ///
    /// # Errors
    /// The database does not do it.
    pub async fn read(&self, script: &'static str, args: Args) -> Result<Vec<Row>, SqlError> {
        let [first, second] = &self.readers;
        let slot = match (first.try_lock(), second.try_lock()) {
            (Ok(free), _) | (Err(_), Ok(free)) => free,
            (Err(_), Err(_)) => first.lock().await,
        };
        run(self.lane(slot).await?, script, args).await
    }

    /// The connection that writes, for a transaction of several scripts.
    ///
    /// # Errors
    /// It cannot be opened.
    pub async fn writer(&self) -> Result<Lane<'_>, SqlError> {
        self.lane(self.writer.lock().await).await
    }

    async fn lane<'a>(
        &'a self,
        mut slot: MutexGuard<'a, Option<SqliteConnection>>,
    ) -> Result<Lane<'a>, SqlError> {
        let connection = match slot.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Lane {
            file: &self.file,
            slot,
            connection,
        })
    }

    async fn connect(&self) -> Result<SqliteConnection, SqlError> {
        // Of several programs that turn a new file to WAL at once, SQLite makes only one wait in order.
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.options.connect().await {
                Err(cause) if is_busy(&cause) && tokio::time::Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                other => return other.map_err(|cause| explain(&self.file, cause)),
            }
        }
    }
}

async fn run(mut lane: Lane<'_>, script: &'static str, args: Args) -> Result<Vec<Row>, SqlError> {
    let rows = lane.run(script, args).await?;
    lane.finish();
    Ok(rows)
}

/// A connection, held. Unless it is finished, it is closed, and what it left open is rolled back.
pub struct Lane<'a> {
    file: &'a Path,
    slot: MutexGuard<'a, Option<SqliteConnection>>,
    connection: SqliteConnection,
}

impl Lane<'_> {
    /// Runs a script.
    ///
    /// # Errors
    /// The database does not do it; the rest of the script is not run.
    pub async fn run(&mut self, script: &'static str, args: Args) -> Result<Vec<Row>, SqlError> {
        sqlx::query_with(script, args.into_inner())
            .fetch_all(&mut self.connection)
            .await
            .map(|rows| rows.into_iter().map(Row).collect())
            .map_err(|cause| explain(self.file, cause))
    }

    /// Nothing is left open: the next one may have the connection.
    pub fn finish(mut self) {
        *self.slot = Some(self.connection);
    }
}
