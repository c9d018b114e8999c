//! The store in a SQL database: one implementation, and a `Dialect` for what is not the same everywhere.
//!
//! Every method is one script, which is one transaction; a batch of steps takes two, but for a few in MySQL.

mod commit;
#[macro_use]
mod dialect;
mod packet;
mod read;
mod statements;
mod take;

use async_trait::async_trait;

use self::commit::json;
use self::dialect::Dialect;
use self::read::FORM;
use crate::model::{ConductorId, Epoch, JobId, NewJob, Timestamp};
use crate::ports::{
    Commit, Committed, Created, EventRow, JobSummary, Loaded, LogBatch, LogChunk, LogFilter,
    Request, Store, StoreError, Taken,
};
use crate::sql::{Args, Database, Durability, Kind, Row, Schema, SqlError};

const SCHEMA: Schema = Schema {
    history: "store_migrations",
    sqlite: &[
        (
            1,
            "jobs",
            include_str!("../migrations/sqlite/0001_jobs.sql"),
        ),
        (
            2,
            "steps",
            include_str!("../migrations/sqlite/0002_steps.sql"),
        ),
    ],
    mysql: &[
        (1, "jobs", include_str!("../migrations/mysql/0001_jobs.sql")),
        (
            2,
            "asked",
            include_str!("../migrations/mysql/0002_asked.sql"),
        ),
    ],
    postgres: &[(
        1,
        "jobs",
        include_str!("../migrations/postgres/0001_jobs.sql"),
    )],
    tables: &[
        ("jobs", "seq"),
        ("sources", "form"),
        ("atoms", "epoch"),
        ("events", "epoch"),
        ("requests", "at"),
        ("logs", "at"),
    ],
};

/// Jobs, atoms, events, logs and requests in tables.
#[derive(Debug)]
pub struct SqlStore {
    database: Database,
    dialect: &'static Dialect,
}

impl SqlStore {
    /// Opens the store that `url` names: a file (`sqlite:///path/jobs.db`, `sqlite://relative.db`) or a database in a
    /// server (`mysql://user:password@host:3306/jobs`, `mariadb:`, `postgres:`, `postgresql:`). A file is made if it is
    /// not there, its folder and a server's database are not; an older schema is brought up to date. A server that is
    /// not durable is warned of in the log.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], which names the database and the next action; [`StoreError::Newer`].
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let database = Database::open(url, Durability::Full, &SCHEMA).await?;
        Ok(Self {
            dialect: dialect::of(database.kind()),
            database,
        })
    }

    async fn read(&self, script: &'static str, args: Args) -> Result<Vec<Row>, StoreError> {
        Ok(self.database.read(script, args).await?)
    }

    async fn write(&self, script: &'static str, args: Args) -> Result<Vec<Row>, StoreError> {
        Ok(self.database.write(script, args).await?)
    }

    async fn summaries(
        &self,
        script: &'static str,
        args: Args,
    ) -> Result<Vec<JobSummary>, StoreError> {
        let rows = self.read(script, args).await?;
        rows.iter().map(read::summary).collect()
    }
}

/// `job`, `who`, `epoch` as the first three arguments.
fn claim(job: JobId, who: &ConductorId, epoch: Epoch) -> Args {
    Args::new()
        .text(job.to_string())
        .text(who.0.as_str())
        .int(epoch.0)
}

fn kind(request: &Request) -> &'static str {
    match request {
        Request::Cancel(_) => "cancel",
        Request::Suspend(_) => "suspend",
        Request::Resume(_) => "resume",
        Request::Decide { .. } => "decide",
        Request::Answer { .. } => "answer",
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn create(&self, new: &NewJob) -> Result<Created, StoreError> {
        let args = Args::new()
            .text(new.id.to_string())
            .text(new.name.as_str())
            .maybe_text(new.key.clone())
            .text(new.digest.0.as_str())
            .text(new.requires.as_str())
            .text(new.priority.as_str())
            .int(new.created_at.0)
            .int(FORM)
            .text(json(&new.bundle)?)
            .text(json(&new.inputs)?)
            .text(json(&new.secrets)?);
        match self.database.write(self.dialect.create, args).await {
            Ok(_) => return Ok(Created::New),
            Err(SqlError::Taken(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let args = Args::new()
            .text(new.id.to_string())
            .maybe_text(new.key.clone());
        let rows = self.read(self.dialect.existing, args).await?;
        let first = rows
            .first()
            .ok_or_else(|| StoreError::Corrupt(format!("job {} was made and is gone", new.id)))?;
        let id = first.text(1)?;
        let id = id
            .parse()
            .map_err(|why| StoreError::Corrupt(format!("jobs: {why}")))?;
        Ok(Created::Existing(id))
    }

    async fn own(&self, job: JobId, who: &ConductorId) -> Result<Option<Epoch>, StoreError> {
        let args = Args::new().text(job.to_string()).text(who.0.as_str());
        let rows = self.write(self.dialect.own, args).await?;
        Ok(rows.first().map(|row| row.int(0)).transpose()?.map(Epoch))
    }

    async fn take(
        &self,
        jobs: &[JobId],
        who: &ConductorId,
    ) -> Result<Vec<(JobId, Taken)>, StoreError> {
        match self.database.kind() {
            Kind::MySql => take::take(&self.database, jobs, who).await,
            Kind::Sqlite | Kind::Postgres => Ok(Vec::new()),
        }
    }

    async fn stall(
        &self,
        job: JobId,
        who: &ConductorId,
        epoch: Epoch,
        why: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (cause, record) = super::stalled(why, at);
        let args = claim(job, who, epoch)
            .text(json(&cause)?)
            .int(at.0)
            .text(json(&record)?)
            .int(FORM);
        Ok(!self.write(self.dialect.stall, args).await?.is_empty())
    }

    async fn disown(
        &self,
        job: JobId,
        who: &ConductorId,
        epoch: Epoch,
    ) -> Result<bool, StoreError> {
        Ok(!self
            .write(self.dialect.disown, claim(job, who, epoch))
            .await?
            .is_empty())
    }

    async fn owns(&self, job: JobId, who: &ConductorId, epoch: Epoch) -> Result<bool, StoreError> {
        Ok(!self
            .read(statements::OWNS, claim(job, who, epoch))
            .await?
            .is_empty())
    }

    async fn load(&self, job: JobId) -> Result<Option<Loaded>, StoreError> {
        let args = Args::new().text(job.to_string());
        read::loaded(&self.read(self.dialect.load, args).await?)
    }

    async fn commit(
        &self,
        steps: &[Commit],
        logs: &LogBatch,
    ) -> Result<Vec<Committed>, StoreError> {
        commit::commit(self, steps, logs).await
    }

    async fn request(
        &self,
        job: JobId,
        request: &Request,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let args = Args::new()
            .text(job.to_string())
            .text(kind(request))
            .int(at.0)
            .int(FORM)
            .text(json(request)?);
        Ok(!self.write(self.dialect.request, args).await?.is_empty())
    }

    async fn requests(&self, who: &ConductorId) -> Result<Vec<(JobId, i64, Request)>, StoreError> {
        let rows = self
            .read(statements::REQUESTS, Args::new().text(who.0.as_str()))
            .await?;
        rows.iter().map(read::request).collect()
    }

    async fn jobs(&self, ended: bool, limit: u32) -> Result<Vec<JobSummary>, StoreError> {
        let script = if ended {
            statements::ALL
        } else {
            statements::LIVE
        };
        self.summaries(script, Args::new().int(limit.into())).await
    }

    async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<JobSummary>, StoreError> {
        // Every id that begins with the prefix goes on with a digit, a hyphen or a letter below `g`, or ends.
        let args = Args::new()
            .text(prefix)
            .text(format!("{prefix}g"))
            .int(limit.into());
        self.summaries(statements::FIND, args).await
    }

    async fn ready(&self, after: Option<JobId>, limit: u32) -> Result<Vec<JobSummary>, StoreError> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        self.summaries(statements::READY, Args::new().text(after).int(limit.into()))
            .await
    }

    async fn ended(
        &self,
        before: Timestamp,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobSummary>, StoreError> {
        // What ended before that instant was posted before it, and ids begin with the time of the post.
        let args = Args::new()
            .text(after.map(|id| id.to_string()).unwrap_or_default())
            .text(JobId::first_at(before).to_string())
            .int(before.0)
            .int(limit.into());
        self.summaries(statements::ENDED, args).await
    }

    async fn remove(&self, jobs: &[JobId]) -> Result<(), StoreError> {
        let args = Args::new().batch(json(jobs)?);
        self.write(self.dialect.remove, args).await?;
        Ok(())
    }

    async fn events(
        &self,
        job: JobId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        let args = Args::new()
            .text(job.to_string())
            .int(after)
            .int(limit.into());
        let rows = self.read(statements::EVENTS, args).await?;
        rows.iter().map(|row| read::event(row, job)).collect()
    }

    async fn logs(&self, filter: &LogFilter) -> Result<Vec<LogChunk>, StoreError> {
        let args = Args::new()
            .text(filter.job.to_string())
            .int(filter.after)
            .maybe_text(filter.task.clone())
            .int(filter.limit.into());
        let rows = self.read(statements::LOGS, args).await?;
        rows.iter()
            .map(|row| read::chunk(row, filter.job))
            .collect()
    }
}
