//! One database: connections that write, and connections that read.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::connection::Connection;
use super::error::explain;
use super::script::Scripts;
use super::target::{Kind, Target};
use super::{Args, Packet, Passed, Row, Schema, SqlError, health};

/// How long a statement waits for a lock that another program holds.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// A connection to a server that was idle for longer is asked for a sign of life before it is used.
const FRESH: Duration = Duration::from_secs(1);
/// How often a transaction that lost against another one is tried again.
const TRIES: u32 = 8;

/// What a commit is worth when the machine loses its power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It stays.
    Full,
    /// The last ones may be lost, in order; what is there is whole.
    Relaxed,
}

/// A connection, and since when nobody has used it.
type Idle = (Connection, Instant);

/// A connection that is opened when it is needed, and again after it was left in the middle of something.
type Slot = Mutex<Option<Idle>>;

/// One database. In SQLite, writers wait for each other here, so that they never wait for each other in the database.
pub struct Database {
    target: Target,
    scripts: Scripts,
    writers: Vec<Slot>,
    readers: Vec<Slot>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Database").field(&self.target).finish()
    }
}

impl Database {
    /// Opens the database that `url` names (`sqlite:///path/jobs.db`, `mysql://user:password@host:3306/database`,
    /// `mariadb:` alike, `postgres:` or `postgresql:`), and brings its schema up to date. A SQLite file is made if it
    /// is not there (but not its folder); a database in a server is not. That it is writable is made sure of; if
    /// `durability` is more than the server gives, that is logged as a warning.
    ///
    /// # Errors
    /// It cannot be opened or written, or its schema is newer than this program.
    pub async fn open(
        url: &str,
        durability: Durability,
        schema: &Schema,
    ) -> Result<Self, SqlError> {
        let target = Target::parse(url, durability)?;
        let writers = match target.kind() {
            Kind::Sqlite => 1,
            Kind::MySql | Kind::Postgres => 3,
        };
        let database = Self {
            target,
            scripts: Scripts::default(),
            writers: (0..writers).map(|_| Slot::default()).collect(),
            readers: (0..2).map(|_| Slot::default()).collect(),
        };
        let mut lane = database.writer().await?;
        schema.apply(&database.target, &mut lane.connection).await?;
        health::check(&mut lane.connection, durability, schema)
            .await
            .map_err(|cause| explain(&database.target, cause))?;
        lane.finish();
        Ok(database)
    }

    /// What it has to be told in.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.target.kind()
    }

    /// Runs a script that changes something. It begins and commits its own transaction, if its statements belong
    /// together. If it fails or its future is dropped, either all of it took place or nothing. A transaction that
    /// lost against another one is tried again.
    ///
    /// # Errors
    /// The database does not do it.
    pub async fn write(&self, script: &'static str, args: Args) -> Result<Vec<Row>, SqlError> {
        if self.kind() == Kind::Sqlite {
            return run(self.writer().await?, script, args).await;
        }
        let mut tries = Tries::default();
        loop {
            match run(self.writer().await?, script, args.clone()).await {
                Err(SqlError::Conflict { .. }) if tries.again().await => {}
                other => return other,
            }
        }
    }

    /// Carries out a packet, for MySQL and MariaDB. `None` if something refused itself because of a guard that changed
    /// nothing; then nothing of it took place. If it fails or its future is dropped, either all of it took place or
    /// nothing. A transaction that lost against another one is tried again.
    ///
    /// # Errors
    /// The database does not do it.
    pub async fn pass(&self, packet: &Packet) -> Result<Option<Passed>, SqlError> {
        let mut tries = Tries::default();
        loop {
            let mut lane = self.writer().await?;
            let told = lane.connection.pass(packet).await;
            match told.map_err(|cause| explain(&self.target, cause)) {
                Ok(told) => {
                    lane.finish();
                    return Ok(told);
                }
                Err(error) => {
                    drop(lane);
                    if !(matches!(error, SqlError::Conflict { .. }) && tries.again().await) {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Runs a script that changes nothing. If the connection is lost, it is run once more over another one.
    ///
    /// # Errors
    /// The database does not do it.
    pub async fn read(&self, script: &'static str, args: Args) -> Result<Vec<Row>, SqlError> {
        if self.kind() == Kind::Sqlite {
            return run(self.lane(&self.readers).await?, script, args).await;
        }
        match run(self.lane(&self.readers).await?, script, args.clone()).await {
            Err(SqlError::Lost { .. } | SqlError::Conflict { .. }) => {
                run(self.lane(&self.readers).await?, script, args).await
            }
            other => other,
        }
    }

    /// A connection that writes, for a transaction of several scripts.
    ///
    /// # Errors
    /// It cannot be opened.
    pub async fn writer(&self) -> Result<Lane<'_>, SqlError> {
        self.lane(&self.writers).await
    }

    /// How the statements of a script are carried out, for tests that hold them to their indices.
    #[cfg(test)]
    pub(crate) async fn plan(&self, script: &str) -> Vec<String> {
        let mut plan = Vec::new();
        let mut lane = self.writer().await.expect("a connection");
        let Connection::Sqlite(connection) = &mut lane.connection else {
            panic!("only SQLite is asked so");
        };
        for statement in script.split(';') {
            let statement = statement.trim();
            if ["", "BEGIN", "BEGIN IMMEDIATE", "COMMIT"].contains(&statement) {
                continue;
            }
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            let rows = sqlx::query(explain).fetch_all(connection.as_mut()).await;
            for row in rows.expect("a plan") {
                plan.push(Row::from(row).text(3).expect("a line of it"));
            }
        }
        plan
    }

    async fn lane<'a>(&'a self, slots: &'a [Slot]) -> Result<Lane<'a>, SqlError> {
        let free = slots.iter().find_map(|slot| slot.try_lock().ok());
        let mut slot = match free {
            Some(slot) => slot,
            None => slots[fastrand::usize(..slots.len())].lock().await,
        };
        let connection = match slot.take() {
            Some((mut connection, since)) => {
                if since.elapsed() < FRESH || connection.answers().await {
                    connection
                } else {
                    self.connect().await?
                }
            }
            None => self.connect().await?,
        };
        Ok(Lane {
            database: self,
            slot,
            connection,
        })
    }

    async fn connect(&self) -> Result<Connection, SqlError> {
        Connection::open(&self.target)
            .await
            .map_err(|cause| match explain(&self.target, cause) {
                // Nothing was said yet.
                SqlError::Lost { what, source } => SqlError::Unavailable { what, source },
                other => other,
            })
    }
}

async fn run(mut lane: Lane<'_>, script: &'static str, args: Args) -> Result<Vec<Row>, SqlError> {
    let rows = lane.run(script, args).await?;
    lane.finish();
    Ok(rows)
}

/// A connection, held. Unless it is finished, it is closed, and what it left open is rolled back.
pub struct Lane<'a> {
    database: &'a Database,
    slot: MutexGuard<'a, Option<Idle>>,
    connection: Connection,
}

impl Lane<'_> {
    /// Runs a script.
    ///
    /// # Errors
    /// The database does not do it; the rest of the script is not run.
    pub async fn run(&mut self, script: &'static str, args: Args) -> Result<Vec<Row>, SqlError> {
        let Database {
            target, scripts, ..
        } = self.database;
        let taken_apart = scripts.script(target.kind(), script);
        self.connection
            .run(script, &taken_apart, args)
            .await
            .map_err(|cause| explain(target, cause))
    }

    /// Nothing is left open: the next one may have the connection.
    pub fn finish(mut self) {
        *self.slot = Some((self.connection, Instant::now()));
    }
}

/// How often something was tried that lost against another transaction.
#[derive(Debug, Default)]
pub(crate) struct Tries(u32);

impl Tries {
    /// Waits a little, longer each time; `false` when it is enough.
    pub(crate) async fn again(&mut self) -> bool {
        self.0 += 1;
        if self.0 >= TRIES {
            return false;
        }
        // Those who met once must not meet again.
        let most = 4 << self.0;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(1..=most))).await;
        true
    }
}
