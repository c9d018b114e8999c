//! The board in a SQL database, in tables of its own; the database may be the store's.
//!
//! A job is ready when nobody has a lease on it. Leases that have run out are found first, by an index, and count as
//! ready; the holder's name stays, so that it can still renew until somebody else claims the job.
//! What is ready is kept in the order in which it is claimed, for each `requires` apart, so a claim costs the
//! same however much is on the board.
//!
//! Whoever changes what there is to do beats the `pulse`, a counter in the database. Those who wait read it
//! every few milliseconds; those who wait in the same process are told at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

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
            include_str!("migrations/sqlite/0001_postings.sql"),
        ),
        (
            2,
            "conductors",
            include_str!("migrations/sqlite/0002_conductors.sql"),
        ),
    ],
};

/// How often the pulse is read by those who wait: what a change by another process takes to be noticed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Postings and their leases in a table.
pub struct SqlBoard {
    database: Database,
    clock: Arc<dyn Clock>,
    /// The pulse when `wait` last returned.
    seen: AtomicI64,
    /// This process has beaten the pulse.
    beaten: Notify,
}

impl SqlBoard {
    /// Opens the board that `url` names: `sqlite:///path/jobs.db` or `sqlite://relative.db`. The file is made if it is
    /// not there, its folder is not; an older schema is brought up to date. Leases run on `clock`.
    ///
    /// # Errors
    /// [`BoardError::Unavailable`], whose source names the file and the next action.
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self, BoardError> {
        // What the board loses the store still has: no commit of it waits for the disk.
        let board = Self {
            database: Database::open(url, Durability::Relaxed, &SCHEMA).await?,
            clock,
            seen: AtomicI64::new(0),
            beaten: Notify::new(),
        };
        board.seen.store(board.beat().await?, Ordering::Relaxed);
        Ok(board)
    }

    async fn beat(&self) -> Result<i64, BoardError> {
        const BEAT: &str = "SELECT beat FROM pulse";
        let rows = self.database.read(BEAT, Args::new()).await?;
        let row = rows
            .first()
            .ok_or_else(|| BoardError::Unreadable("`pulse` is empty".to_owned()))?;
        Ok(row.int(0)?)
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
            SqlError::Unavailable { .. } | SqlError::Newer { .. } => {
                Self::Unavailable(Box::new(error))
            }
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

/// Beats the pulse if the statement before it changed something. SQLite's `changes()` tells.
macro_rules! beat_if_changed {
    () => {
        "UPDATE pulse SET beat = beat + 1 WHERE changes() > 0;"
    };
}

/// The first ready job of each of the queues `$1`, a JSON array, in the order in which they are claimed.
macro_rules! first_ready {
    () => {
        "SELECT p.job FROM json_each($1) AS able CROSS JOIN postings AS p
         WHERE p.n = (SELECT q.n FROM postings AS q
                      WHERE q.leased = 0 AND q.requires = able.value
                      ORDER BY q.priority, q.n LIMIT 1)
         ORDER BY p.priority, p.n LIMIT 1"
    };
}

/// `$1` job, `$2` requires, `$3` priority, `$4` leased, `$5` holder, `$6` until.
const POST: &str = concat!(
    "BEGIN IMMEDIATE;
     INSERT INTO postings (job, requires, priority, leased, holder, until, expired)
     VALUES ($1, $2, $3, $4, $5, $6, 0) ON CONFLICT (job) DO NOTHING;",
    beat_if_changed!(),
    "COMMIT"
);

/// `$1` now. The distinct queues are found by leaping from one to the next, not by walking through them.
const REQUIREMENTS: &str = "
    WITH RECURSIVE queue (requires) AS (
        SELECT min(requires) FROM postings WHERE leased = 0
        UNION ALL
        SELECT (SELECT min(p.requires) FROM postings AS p
                WHERE p.leased = 0 AND p.requires > queue.requires)
        FROM queue WHERE queue.requires IS NOT NULL
    )
    SELECT requires FROM queue WHERE requires IS NOT NULL
    UNION
    SELECT requires FROM postings WHERE leased = 1 AND until <= $1
    ORDER BY 1";

/// `$1` able, `$2` now. A row if there is something to claim, or a lease that has run out.
const CLAIMABLE: &str = concat!(
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM postings WHERE leased = 1 AND until <= $2)
     OR EXISTS (",
    first_ready!(),
    ")"
);

/// `$1` able, `$2` now, `$3` who, `$4` until. Old leases first, then the claim.
const CLAIM: &str = concat!(
    "BEGIN IMMEDIATE;
     UPDATE postings SET leased = 0 WHERE leased = 1 AND until <= $2;
     UPDATE postings SET leased = 1, holder = $3, until = $4, expired = holder IS NOT NULL
     WHERE job = (",
    first_ready!(),
    ") RETURNING job, expired;
     COMMIT"
);

/// `$1` now. When the next lease runs out.
const NEXT_EXPIRY: &str = "
    SELECT until FROM postings WHERE leased = 1 AND until > $1 ORDER BY until LIMIT 1";

/// `$1` who, `$2` until, `$3` jobs, a JSON array.
const RENEW: &str = "
    UPDATE postings SET leased = 1, until = $2
    WHERE holder = $1 AND job IN (SELECT value FROM json_each($3)) RETURNING job";

/// `$1` who, `$2` job.
const RELEASE: &str = concat!(
    "BEGIN IMMEDIATE;
     UPDATE postings SET leased = 0, holder = NULL, until = 0 WHERE job = $2 AND holder = $1
     RETURNING job;",
    beat_if_changed!(),
    "COMMIT"
);

/// `$1` who, `$2` job.
const COMPLETE: &str = concat!(
    "BEGIN IMMEDIATE;
     DELETE FROM postings WHERE job = $2 AND holder = $1 RETURNING job;",
    beat_if_changed!(),
    "COMMIT"
);

/// `$1` limit.
const SNAPSHOT: &str = "
    SELECT job, requires, priority, holder, until FROM postings ORDER BY priority, n LIMIT $1";

/// `$1` id, `$2` now, `$3` until, `$4` what it tells.
const REGISTER: &str = "
    BEGIN IMMEDIATE;
    DELETE FROM conductors WHERE until <= $2;
    INSERT INTO conductors (id, seen_at, until, body) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE SET seen_at = $2, until = $3, body = $4;
    COMMIT";

/// `$1` id.
const UNREGISTER: &str = "DELETE FROM conductors WHERE id = $1";

/// `$1` now.
const CONDUCTORS: &str = "SELECT id, seen_at, body FROM conductors WHERE until > $1 ORDER BY id";

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
        self.change(POST, args).await?;
        Ok(())
    }

    async fn requirements(&self) -> Result<Vec<String>, BoardError> {
        let args = Args::new().int(self.clock.now().0);
        let rows = self.database.read(REQUIREMENTS, args).await?;
        Ok(rows
            .iter()
            .map(|row| row.text(0))
            .collect::<Result<_, _>>()?)
    }

    async fn claim(
        &self,
        who: &ConductorId,
        able: &[String],
        ttl: Duration,
    ) -> Result<Option<Claim>, BoardError> {
        let now = self.clock.now();
        let able = serde_json::Value::from(able).to_string();
        let look = Args::new().text(able.as_str()).int(now.0);
        // Those who find nothing do not disturb those who write.
        if self.database.read(CLAIMABLE, look).await?.is_empty() {
            return Ok(None);
        }
        let args = Args::new()
            .text(able)
            .int(now.0)
            .text(who.0.as_str())
            .int(now.plus(ttl).0);
        let rows = self.database.write(CLAIM, args).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        Ok(Some(Claim {
            job: job_id(&row.text(0)?)?,
            expired: row.int(1)? != 0,
        }))
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
            .text(serde_json::Value::from(jobs).to_string());
        let rows = self.database.write(RENEW, args).await?;
        rows.iter().map(|row| job_id(&row.text(0)?)).collect()
    }

    async fn release(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError> {
        Ok(!self.change(RELEASE, hold(who, job)).await?.is_empty())
    }

    async fn complete(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError> {
        Ok(!self.change(COMPLETE, hold(who, job)).await?.is_empty())
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

    async fn snapshot(&self, limit: usize) -> Result<Vec<Posting>, BoardError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.database.read(SNAPSHOT, Args::new().int(limit)).await?;
        rows.iter().map(posting).collect()
    }

    async fn register(&self, conductor: &Registration, keep: Duration) -> Result<(), BoardError> {
        let now = self.clock.now();
        let args = Args::new()
            .text(conductor.id.0.as_str())
            .int(now.0)
            .int(now.plus(keep).0)
            .text(registration::write(conductor));
        self.database.write(REGISTER, args).await?;
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
                Timestamp(row.int(1)?),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SystemClock;

    #[tokio::test]
    async fn no_script_walks_through_the_postings() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/jobs.db", folder.path().display());
        let board = SqlBoard::open(&url, Arc::new(SystemClock)).await.unwrap();
        for script in [
            POST,
            REQUIREMENTS,
            CLAIMABLE,
            CLAIM,
            NEXT_EXPIRY,
            RENEW,
            RELEASE,
            COMPLETE,
        ] {
            let plan = board.database.plan(script).await;
            assert!(
                plan.iter()
                    .any(|line| line.contains("SEARCH") || script == POST)
            );
            let walks = plan.iter().any(|line| {
                let of = ["postings", "p", "q"].map(|name| format!("SCAN {name}"));
                of.iter()
                    .any(|scan| line == scan || line.starts_with(&format!("{scan} ")))
            });
            assert!(!walks, "{script}\n{plan:#?}");
        }
        // This one walks, as far as its limit, and does not sort.
        let plan = board.database.plan(SNAPSHOT).await;
        assert_eq!(plan, ["SCAN postings USING INDEX postings_order"]);
    }
}
