//! The board in a SQL database, in tables of its own; the database may be the store's.
//!
//! A job is ready when nobody has a lease on it. Leases that have run out are found first, by an index, and count as
//! ready; the holder's name stays, so that it can still renew until somebody else claims the job.
//! What is ready is kept in the order in which it is claimed, for each `requires` apart, so a claim costs the
//! same however much is on the board.
//!
//! Whoever changes what there is to do beats the `pulse`, a counter in the database. Those who wait read it
//! every few milliseconds; those who wait in the same process are told at once.

mod dialect;
mod server_clock;
mod strays;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use self::dialect::Dialect;
use self::server_clock::ServerClock;
use super::readable::is_readable;
use super::registration;
use crate::model::{ConductorId, JobId, Priority, Timestamp};
use crate::ports::{BoardError, Claim, Clock, JobBoard, Notice, Posting, Registered, Registration};
use crate::sql::{Args, Database, Durability, Row, Schema, SqlError};

const SCHEMA: Schema = Schema {
    history: "board_migrations",
    sqlite: &[
        (
            1,
            "postings",
            include_str!("../migrations/sqlite/0001_postings.sql"),
        ),
        (
            2,
            "conductors",
            include_str!("../migrations/sqlite/0002_conductors.sql"),
        ),
    ],
    mysql: &[
        (
            1,
            "postings",
            include_str!("../migrations/mysql/0001_postings.sql"),
        ),
        (
            2,
            "conductors",
            include_str!("../migrations/mysql/0002_conductors.sql"),
        ),
    ],
    postgres: &[
        (
            1,
            "postings",
            include_str!("../migrations/postgres/0001_postings.sql"),
        ),
        (
            2,
            "conductors",
            include_str!("../migrations/postgres/0002_conductors.sql"),
        ),
    ],
    tables: &[
        ("postings", "until"),
        ("pulse", "beat"),
        ("conductors", "until"),
    ],
};

/// How often the pulse is read by those who wait: what a change by another process takes to be noticed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Postings and their leases in a table.
pub struct SqlBoard {
    database: Database,
    dialect: &'static Dialect,
    clock: Arc<dyn Clock>,
    /// The same clock, if it is the server's.
    server: Option<Arc<ServerClock>>,
    /// The pulse when `wait` last returned.
    seen: AtomicI64,
    /// This process has beaten the pulse.
    beaten: Notify,
}

impl SqlBoard {
    /// Opens the board that `url` names: a file (`sqlite:///path/jobs.db`, `sqlite://relative.db`) or a database in a
    /// server (`mysql://user:password@host:3306/jobs`, `mariadb:`, `postgres:`, `postgresql:`). A file is made if it is
    /// not there, its folder and a server's database are not; an older schema is brought up to date. Leases run on
    /// `clock`.
    ///
    /// # Errors
    /// [`BoardError::Unavailable`], whose source names the database and the next action.
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self, BoardError> {
        // What the board loses the store still has: no commit of it waits for the disk.
        let database = Database::open(url, Durability::Relaxed, &SCHEMA).await?;
        let board = Self {
            dialect: dialect::of(database.kind()),
            database,
            clock,
            server: None,
            seen: AtomicI64::new(0),
            beaten: Notify::new(),
        };
        board.seen.store(board.beat().await?, Ordering::Relaxed);
        Ok(board)
    }

    /// The same, with leases that run on the clock of the database's server, whatever `clock` of this machine says. A
    /// file's board runs on `clock`.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub async fn open_on_server_time(url: &str, clock: Arc<dyn Clock>) -> Result<Self, BoardError> {
        let mut board = Self::open(url, clock).await?;
        board.server = ServerClock::of(&board.database, Arc::clone(&board.clock)).await?;
        if let Some(server) = &board.server {
            board.clock = Arc::clone(server) as Arc<dyn Clock>;
        }
        Ok(board)
    }

    /// An instant of the board as this machine's clock has it.
    fn here(&self, there: Timestamp) -> Timestamp {
        let server = self.server.as_ref();
        server.map_or(there, |server| server.here(there))
    }

    async fn beat(&self) -> Result<i64, BoardError> {
        const BEAT: &str = "SELECT beat FROM pulse";
        let rows = self.database.read(BEAT, Args::new()).await?;
        let row = rows
            .first()
            .ok_or_else(|| BoardError::Unreadable("`pulse` is empty".to_owned()))?;
        Ok(row.int(0)?)
    }

    fn report(&self, job: &str) {
        tracing::error!(
            job,
            kept = "postings",
            "a posting on the job board could not be read; it was set aside"
        );
    }

    /// Keeps a posting that cannot be read where nobody claims it any more, and says so.
    async fn set_aside(&self, job: String) -> Result<(), BoardError> {
        self.report(&job);
        self.database
            .write(SET_ASIDE, Args::new().text(job))
            .await?;
        Ok(())
    }

    /// Runs a script that beats the pulse.
    async fn change(&self, script: &'static str, args: Args) -> Result<Vec<Row>, BoardError> {
        let rows = self.database.write(script, args).await?;
        self.beaten.notify_waiters();
        Ok(rows)
    }
}

impl From<SqlError> for BoardError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Unreadable(what) => Self::Unreadable(what),
            SqlError::Unavailable { .. }
            | SqlError::Lost { .. }
            | SqlError::Conflict { .. }
            | SqlError::Taken(_)
            | SqlError::Newer { .. } => Self::Unavailable(Box::new(error)),
        }
    }
}

fn job_id(text: &str) -> Result<JobId, BoardError> {
    text.parse()
        .map_err(|why| BoardError::Unreadable(format!("postings: {why}")))
}

fn hold(who: &ConductorId, job: JobId) -> Args {
    Args::new().text(who.0.as_str()).text(job.to_string())
}

#[async_trait]
impl JobBoard for SqlBoard {
    async fn post(
        &self,
        notice: &Notice,
        lease: Option<(&ConductorId, Duration)>,
    ) -> Result<(), BoardError> {
        let now = self.clock.now();
        let args = Args::new()
            .text(notice.job.to_string())
            .text(notice.requires.as_str())
            .int(i64::from(notice.priority as u8))
            .int(i64::from(lease.is_some()))
            .maybe_text(lease.map(|(who, _)| who.0.clone()))
            .int(lease.map_or(0, |(_, ttl)| now.plus(ttl).0));
        self.change(self.dialect.post, args).await?;
        Ok(())
    }

    async fn requirements(&self) -> Result<Vec<String>, BoardError> {
        let now = self.clock.now().0;
        let args = Args::new().int(now);
        let rows = self.database.read(self.dialect.requirements, args).await?;
        let mut readable = Vec::new();
        for row in &rows {
            let requires = row.text(0)?;
            if is_readable(&requires) {
                readable.push(requires);
                continue;
            }
            let args = Args::new().text(requires).int(now);
            for row in self.database.read(self.dialect.of_queue, args).await? {
                self.set_aside(row.text(0)?).await?;
            }
        }
        Ok(readable)
    }

    async fn claim(
        &self,
        who: &ConductorId,
        able: &[String],
        ttl: Duration,
    ) -> Result<Option<Claim>, BoardError> {
        if able.is_empty() {
            return Ok(None);
        }
        let now = self.clock.now();
        let able = serde_json::Value::from(able).to_string();
        loop {
            let look = Args::new().batch(able.as_str()).int(now.0);
            // Those who find nothing do not disturb those who write.
            if self
                .database
                .read(self.dialect.claimable, look)
                .await?
                .is_empty()
            {
                return Ok(None);
            }
            let args = Args::new()
                .batch(able.as_str())
                .int(now.0)
                .text(who.0.as_str())
                .int(now.plus(ttl).0);
            let rows = self.database.write(self.dialect.claim, args).await?;
            if let Some(row) = rows.last() {
                let job = row.text(0)?;
                let in_its_queue = row.int(2)? != 0;
                match job.parse() {
                    Ok(job) if in_its_queue => {
                        return Ok(Some(Claim {
                            job,
                            expired: row.int(1)? != 0,
                        }));
                    }
                    Ok(_) | Err(_) => self.set_aside(job).await?,
                }
            }
            // Somebody else was faster, or the lease that had run out was of a job for others. There may be more.
        }
    }

    async fn next_expiry(&self) -> Result<Option<Duration>, BoardError> {
        let now = self.clock.now();
        let rows = self
            .database
            .read(NEXT_EXPIRY, Args::new().int(now.0))
            .await?;
        let until = rows.first().map(|row| row.int(0)).transpose()?;
        Ok(until.map(|until| Timestamp(until).since(now)))
    }

    async fn renew(
        &self,
        who: &ConductorId,
        jobs: &[JobId],
        ttl: Duration,
    ) -> Result<Vec<JobId>, BoardError> {
        let until = self.clock.now().plus(ttl).0;
        let jobs: Vec<String> = jobs.iter().map(JobId::to_string).collect();
        let args = Args::new()
            .text(who.0.as_str())
            .int(until)
            .batch(serde_json::Value::from(jobs).to_string());
        let rows = self.database.write(self.dialect.renew, args).await?;
        rows.iter().map(|row| job_id(&row.text(0)?)).collect()
    }

    async fn release(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError> {
        Ok(!self
            .change(self.dialect.release, hold(who, job))
            .await?
            .is_empty())
    }

    async fn complete(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError> {
        Ok(!self
            .change(self.dialect.complete, hold(who, job))
            .await?
            .is_empty())
    }

    async fn wake(&self) -> Result<(), BoardError> {
        const WAKE: &str = "UPDATE pulse SET beat = beat + 1";
        self.change(WAKE, Args::new()).await?;
        Ok(())
    }

    async fn wait(&self, timeout: Duration) -> Result<(), BoardError> {
        let until = Instant::now() + timeout;
        let before = self.seen.load(Ordering::Relaxed);
        loop {
            let beaten = self.beaten.notified();
            let beat = self.beat().await?;
            if beat != before {
                self.seen.store(beat, Ordering::Relaxed);
                return Ok(());
            }
            let look = tokio::select! {
                () = beaten => Ok(()),
                look = timeout_at(until, sleep(LOOK_EVERY)) => look,
            };
            if look.is_err() {
                return Ok(());
            }
        }
    }

    async fn restore(
        &self,
        jobs: &[(Notice, Option<ConductorId>)],
        ttl: Duration,
    ) -> Result<usize, BoardError> {
        self.look_for_strays().await?;
        let named: Vec<String> = jobs.iter().map(|(one, _)| one.job.to_string()).collect();
        let args = Args::new().batch(serde_json::Value::from(named).to_string());
        let rows = self.database.read(self.dialect.known, args).await?;
        let mut known = HashSet::new();
        for row in &rows {
            let job = row.text(0)?;
            match row.int(1)? {
                0 => drop(known.insert(job)),
                _ => self.set_aside(job).await?,
            }
        }
        let mut posted = 0;
        for (notice, owner) in jobs {
            if !known.contains(&notice.job.to_string()) {
                self.post(notice, owner.as_ref().map(|owner| (owner, ttl)))
                    .await?;
                posted += 1;
            }
        }
        Ok(posted)
    }

    async fn snapshot(&self, limit: usize) -> Result<Vec<Posting>, BoardError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self
            .database
            .read(self.dialect.snapshot, Args::new().int(limit))
            .await?;
        // What cannot be read is reported and set aside when its turn comes.
        let mut found: Vec<Posting> = rows.iter().filter_map(|row| posting(row).ok()).collect();
        for (_, until) in found.iter_mut().filter_map(|found| found.lease.as_mut()) {
            *until = self.here(*until);
        }
        Ok(found)
    }

    async fn register(&self, conductor: &Registration, keep: Duration) -> Result<(), BoardError> {
        if let Some(server) = &self.server {
            server.set(&self.database).await?;
        }
        let now = self.clock.now();
        let args = Args::new()
            .text(conductor.id.0.as_str())
            .int(now.0)
            .int(now.plus(keep).0)
            .text(registration::write(conductor));
        self.database.write(self.dialect.register, args).await?;
        Ok(())
    }

    async fn unregister(&self, who: &ConductorId) -> Result<(), BoardError> {
        let args = Args::new().text(who.0.as_str());
        self.database.write(UNREGISTER, args).await?;
        Ok(())
    }

    async fn conductors(&self) -> Result<Vec<Registered>, BoardError> {
        let args = Args::new().int(self.clock.now().0);
        let rows = self.database.read(CONDUCTORS, args).await?;
        let mut there = Vec::new();
        for row in &rows {
            there.extend(registration::read(
                &row.text(0)?,
                &row.text(2)?,
                self.here(Timestamp(row.int(1)?)),
            ));
        }
        Ok(there)
    }
}

fn posting(row: &Row) -> Result<Posting, BoardError> {
    let number = row.int(2)?;
    let priority = Priority::ALL
        .into_iter()
        .find(|priority| i64::from(*priority as u8) == number)
        .ok_or_else(|| {
            BoardError::Unreadable(format!("postings: no priority has number {number}"))
        })?;
    let until = Timestamp(row.int(4)?);
    Ok(Posting {
        notice: Notice {
            job: job_id(&row.text(0)?)?,
            priority,
            requires: row.text(1)?,
        },
        lease: row
            .maybe_text(3)?
            .map(|holder| (ConductorId(holder), until)),
    })
}

/// `$1` now. When the next lease runs out.
const NEXT_EXPIRY: &str = "
    SELECT until FROM postings WHERE leased = 1 AND until > $1 ORDER BY until LIMIT 1";

/// `$1` job. What is set aside is neither ready (0) nor leased (1).
const SET_ASIDE: &str = "UPDATE postings SET leased = 2, holder = NULL, until = 0 WHERE job = $1";

/// `$1` id.
const UNREGISTER: &str = "DELETE FROM conductors WHERE id = $1";

/// `$1` now.
const CONDUCTORS: &str = "SELECT id, seen_at, body FROM conductors WHERE until > $1 ORDER BY id";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SystemClock;

    #[tokio::test]
    async fn no_script_walks_through_the_postings() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/jobs.db", folder.path().display());
        let board = SqlBoard::open(&url, Arc::new(SystemClock)).await.unwrap();
        let dialect = board.dialect;
        for script in [
            dialect.post,
            dialect.requirements,
            dialect.of_queue,
            dialect.claimable,
            dialect.claim,
            NEXT_EXPIRY,
            strays::ODD,
            strays::SET_ASIDE_ODD,
            dialect.known,
            dialect.renew,
            dialect.release,
            dialect.complete,
        ] {
            let plan = board.database.plan(script).await;
            assert!(
                plan.iter()
                    .any(|line| line.contains("SEARCH") || script == dialect.post)
            );
            let walks = plan.iter().any(|line| {
                let of = ["postings", "p", "q"].map(|name| format!("SCAN {name}"));
                of.iter()
                    .any(|scan| line == scan || line.starts_with(&format!("{scan} ")))
            });
            assert!(!walks, "{script}\n{plan:#?}");
        }
        // This one walks, as far as its limit, and does not sort.
        let plan = board.database.plan(dialect.snapshot).await;
        assert_eq!(plan, ["SCAN postings USING INDEX postings_order"]);
    }
}
