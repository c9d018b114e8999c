//! The time as the database's server has it, so that a lease ends at one instant for machines that disagree about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;

use crate::model::{Duration, Timestamp};
use crate::ports::Clock;
use crate::sql::{Args, Database, Kind, SqlError};

/// A machine's own clock, and how far the server's is ahead of it.
pub(super) struct ServerClock {
    own: Arc<dyn Clock>,
    /// Milliseconds; below zero if it is behind.
    ahead: AtomicI64,
}

impl ServerClock {
    /// The clock of the server of `database`; a file has no other clock than the machine's.
    ///
    /// # Errors
    /// The server does not say.
    pub(super) async fn of(
        database: &Database,
        own: Arc<dyn Clock>,
    ) -> Result<Option<Arc<Self>>, SqlError> {
        if database.kind() == Kind::Sqlite {
            return Ok(None);
        }
        let clock = Self {
            own,
            ahead: AtomicI64::new(0),
        };
        clock.set(database).await?;
        Ok(Some(Arc::new(clock)))
    }

    /// Asks the server again: either clock may have been set.
    ///
    /// # Errors
    /// The server does not say.
    pub(super) async fn set(&self, database: &Database) -> Result<(), SqlError> {
        let asked = match database.kind() {
            Kind::MySql => {
                "SELECT CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000 AS SIGNED)"
            }
            Kind::Postgres => "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
            Kind::Sqlite => return Ok(()),
        };
        let before = self.own.now().0;
        let rows = database.read(asked, Args::new()).await?;
        let after = self.own.now().0;
        let there = rows.first().map(|row| row.int(0)).transpose()?;
        // The answer was given somewhere in between.
        let here = before + (after - before) / 2;
        self.ahead
            .store(there.unwrap_or(here) - here, Ordering::Relaxed);
        Ok(())
    }

    /// An instant of the server's clock as the machine's own has it.
    pub(super) fn here(&self, there: Timestamp) -> Timestamp {
        Timestamp(there.0 - self.ahead.load(Ordering::Relaxed))
    }
}

#[async_trait]
impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.own.now().0 + self.ahead.load(Ordering::Relaxed))
    }

    async fn sleep_until(&self, instant: Timestamp) {
        self.own.sleep_until(self.here(instant)).await;
    }

    async fn sleep(&self, duration: Duration) {
        self.own.sleep(duration).await;
    }
}
