//! The board in Redis: one for many machines.
//!
//! What takes more than one step is a Lua script, so each method is one round trip and atomic, and the time is
//! Redis's own. Jobs that require the same are one queue, in the order in which they are claimed: a claim looks at the
//! heads of those queues that the conductor can serve, so its cost depends neither on how much is on the board nor on
//! what the conductor cannot run. What the keys are stands in `lua/prelude.lua`.
//!
//! All may be lost at any time. A key that is not there then tells it, nothing is claimed any more, and one conductor
//! fills the board again from the store.

mod address;
mod error;
mod link;
mod pulse;
mod script;

use std::time::Duration;

use ::redis::{FromRedisValue, Value};
use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};

pub use address::RedisAddress;
use error::{Trouble, unreadable};
use link::Link;
use pulse::Pulse;
use script::{Call, Name};

use super::readable::is_readable;
use super::registration;
use crate::model::{ConductorId, JobId, Priority, Timestamp};
use crate::ports::{
    BoardError, Claim, JobBoard, Notice, Posting, Rebuild, Registered, Registration,
};

/// Postings and their leases in Redis.
pub struct RedisBoard {
    link: Link,
    pulse: Pulse,
}

impl RedisBoard {
    /// The board at an address; it connects when it is used.
    #[must_use]
    pub fn new(address: RedisAddress) -> Self {
        let pulse = Pulse::default();
        Self {
            link: Link::new(address, pulse.clone()),
            pulse,
        }
    }

    /// The board at an address, once it has been [tried](Self::probe).
    ///
    /// # Errors
    /// [`BoardError::Unavailable`], whose source says in one line what is wrong and what to do.
    pub async fn open(address: RedisAddress) -> Result<Self, BoardError> {
        let board = Self::new(address);
        board.probe().await?;
        Ok(board)
    }

    /// Connects, and tries whether the server has, and this user may do, all that is needed.
    ///
    /// # Errors
    /// [`BoardError::Unavailable`], whose source says in one line what is wrong and what to do.
    pub async fn probe(&self) -> Result<(), BoardError> {
        self.link.probe().await?;
        self.pulse.catch_up();
        Ok(())
    }

    /// Runs a script. It may run twice if the connection breaks, so that must not matter.
    async fn call<T: FromRedisValue>(&self, call: Call) -> Result<T, BoardError> {
        Ok(self.link.call(&call, true).await?)
    }

    /// Runs a script that beats the pulse if it changes something; whether it did.
    async fn change(&self, call: Call) -> Result<bool, BoardError> {
        let beat: Option<i64> = self.call(call).await?;
        if let Some(beat) = beat {
            self.pulse.heard(beat);
        }
        Ok(beat.is_some())
    }

    fn report(&self, aside: &[String]) {
        for job in aside {
            tracing::error!(
                job,
                kept = self.link.address().key("unreadable"),
                "a posting on the job board could not be read; it was set aside"
            );
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[async_trait]
impl JobBoard for RedisBoard {
    async fn post(
        &self,
        notice: &Notice,
        lease: Option<(&ConductorId, Duration)>,
    ) -> Result<(), BoardError> {
        let (who, ttl) = lease.map_or(("", Duration::ZERO), |(who, ttl)| (who.0.as_str(), ttl));
        let call = posting(Call::new(Name::Post), notice);
        self.change(call.arg(who).arg(millis(ttl))).await?;
        Ok(())
    }

    async fn requirements(&self) -> Result<Vec<String>, BoardError> {
        let (mut found, aside): (Vec<String>, Vec<String>) =
            self.call(Call::new(Name::Requirements)).await?;
        self.report(&aside);
        let mut unreadable = Vec::new();
        found.retain(|requires| {
            let readable = is_readable(requires);
            if !readable {
                unreadable.push(requires.clone());
            }
            readable
        });
        for requires in unreadable {
            let call = Call::new(Name::SetAside).arg(requires);
            let aside: Vec<String> = self.call(call).await?;
            self.report(&aside);
        }
        Ok(found)
    }

    async fn claim(
        &self,
        who: &ConductorId,
        able: &[String],
        ttl: Duration,
    ) -> Result<Option<Claim>, BoardError> {
        Ok(self.claim_some(who, able, ttl, 1).await?.pop())
    }

    async fn claim_some(
        &self,
        who: &ConductorId,
        able: &[String],
        ttl: Duration,
        limit: usize,
    ) -> Result<Vec<Claim>, BoardError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut call = Call::new(Name::Claim).arg(who.0.as_str()).arg(millis(ttl));
        call = call.arg(limit);
        for requires in able {
            call = call.arg(requires.as_str());
        }
        // Not twice: a claim whose answer was lost is a lease that nobody renews, and one is enough.
        let (claimed, aside): (Vec<(String, bool)>, Vec<String>) =
            self.link.call(&call, false).await?;
        self.report(&aside);
        let claim = |(job, expired): (String, bool)| job_id(&job).map(|job| Claim { job, expired });
        claimed.into_iter().map(claim).collect()
    }

    async fn next_expiry(&self) -> Result<Option<Duration>, BoardError> {
        let left: Option<u64> = self.call(Call::new(Name::NextExpiry)).await?;
        Ok(left.map(Duration::from_millis))
    }

    async fn renew(
        &self,
        who: &ConductorId,
        jobs: &[JobId],
        ttl: Duration,
    ) -> Result<Vec<JobId>, BoardError> {
        let mut call = Call::new(Name::Renew).arg(who.0.as_str()).arg(millis(ttl));
        for job in jobs {
            call = call.arg(job.to_string());
        }
        let held: Vec<String> = self.call(call).await?;
        held.iter().map(|job| job_id(job)).collect()
    }

    async fn release(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError> {
        let call = Call::new(Name::Release).arg(who.0.as_str());
        self.change(call.arg(job.to_string())).await
    }

    async fn complete(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError> {
        let call = Call::new(Name::Complete).arg(who.0.as_str());
        self.change(call.arg(job.to_string())).await
    }

    async fn wake(&self) -> Result<(), BoardError> {
        self.change(Call::new(Name::Wake)).await?;
        Ok(())
    }

    async fn wait(&self, timeout: Duration) -> Result<(), BoardError> {
        let until = Instant::now() + timeout;
        let mut changes = self.pulse.changes();
        if self.pulse.is_news() {
            return Ok(());
        }
        // What is heard comes over this connection.
        self.link.connect().await?;
        tokio::select! {
            _ = changes.changed() => {}
            // Nothing heard: is that because nothing happened?
            () = sleep_until(until) => self.pulse.read(self.link.pulse().await?),
        }
        self.pulse.is_news();
        Ok(())
    }

    async fn restore(
        &self,
        jobs: &[(Notice, Option<ConductorId>)],
        ttl: Duration,
    ) -> Result<usize, BoardError> {
        let mut call = Call::new(Name::Restore).arg(millis(ttl));
        for (notice, owner) in jobs {
            call = posting(call, notice).arg(owner.as_ref().map_or("", |owner| &owner.0));
        }
        let (posted, aside): (usize, Vec<String>) = self.call(call).await?;
        self.report(&aside);
        Ok(posted)
    }

    async fn begin_rebuild(&self, who: &ConductorId, ttl: Duration) -> Result<Rebuild, BoardError> {
        self.rebuild("begin", who, ttl).await
    }

    async fn extend_rebuild(&self, who: &ConductorId, ttl: Duration) -> Result<bool, BoardError> {
        Ok(self.rebuild("extend", who, ttl).await? == Rebuild::Yours)
    }

    async fn end_rebuild(&self, who: &ConductorId) -> Result<bool, BoardError> {
        Ok(self.rebuild("end", who, Duration::ZERO).await? == Rebuild::Yours)
    }

    async fn snapshot(&self, limit: usize) -> Result<Vec<Posting>, BoardError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let call = Call::new(Name::Snapshot).arg(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows: Vec<(String, Option<String>, String, Value)> = self.call(call).await?;
        // What cannot be read is reported and set aside when its turn comes.
        Ok(rows.iter().filter_map(posted).collect())
    }

    async fn register(&self, conductor: &Registration, keep: Duration) -> Result<(), BoardError> {
        let call = Call::new(Name::Register)
            .arg(conductor.id.0.as_str())
            .arg(millis(keep))
            .arg(registration::write(conductor));
        self.call(call).await
    }

    async fn unregister(&self, who: &ConductorId) -> Result<(), BoardError> {
        self.call(Call::new(Name::Unregister).arg(who.0.as_str()))
            .await
    }

    async fn conductors(&self) -> Result<Vec<Registered>, BoardError> {
        let rows: Vec<(String, i64, String)> = self.call(Call::new(Name::Conductors)).await?;
        let read = |(id, seen, text): &(String, i64, String)| {
            registration::read(id, text, Timestamp(*seen))
        };
        let mut there: Vec<Registered> = rows.iter().filter_map(read).collect();
        there.sort_by(|a, b| a.conductor.id.cmp(&b.conductor.id));
        Ok(there)
    }
}

impl RedisBoard {
    async fn rebuild(
        &self,
        what: &'static str,
        who: &ConductorId,
        ttl: Duration,
    ) -> Result<Rebuild, BoardError> {
        let call = Call::new(Name::Rebuild).arg(what);
        let answer: i64 = self
            .call(call.arg(who.0.as_str()).arg(millis(ttl).max(1)))
            .await?;
        match answer {
            0 => Ok(Rebuild::NotNeeded),
            1 => Ok(Rebuild::Yours),
            2 => Ok(Rebuild::Others),
            other => Err(unreadable(format!("`{other}` is no answer to `{what}`"))),
        }
    }
}

fn posting(call: Call, notice: &Notice) -> Call {
    call.arg(notice.job.to_string())
        .arg(i64::from(notice.priority as u8))
        .arg(notice.requires.as_str())
}

fn job_id(text: &str) -> Result<JobId, BoardError> {
    text.parse().map_err(|why| unreadable(format!("{why}")))
}

/// A job as the script tells of it; `None` if that makes no sense.
fn posted(
    (job, record, holder, ends): &(String, Option<String>, String, Value),
) -> Option<Posting> {
    /// How far the places of two priorities lie apart, as in the scripts.
    const APART: u64 = 1 << 50;
    let (place, requires) = record.as_deref()?.split_once(' ')?;
    let number = place.parse::<u64>().ok()? / APART;
    let priority = Priority::ALL
        .into_iter()
        .find(|priority| u64::from(*priority as u8) == number)?;
    // A score: a number, as text or (in version 3 of the protocol) as such.
    let ends = f64::from_redis_value_ref(ends).ok();
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds, whole")]
    let lease = ends.map(|ends| (ConductorId(holder.clone()), Timestamp(ends as i64)));
    Some(Posting {
        notice: Notice {
            job: job.parse().ok()?,
            priority,
            requires: requires.to_owned(),
        },
        lease: lease.filter(|(holder, _)| !holder.0.is_empty()),
    })
}

impl From<Trouble> for BoardError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Lost => Self::Lost,
            Trouble::Unreadable(what) => Self::Unreadable(what),
            Trouble::Away { .. } => Self::Unavailable(Box::new(trouble)),
        }
    }
}
