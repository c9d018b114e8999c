//! A board in memory, for tests and the simulator.
//!
//! It keeps every promise of the port within one process. Leases run on the clock that it is given, and so does
//! the timeout of `wait`; nothing in it is random.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::readable::is_readable;
use crate::model::{ConductorId, JobId, Priority, Timestamp};
use crate::ports::{
    BoardError, Claim, Clock, JobBoard, Notice, Posting, Rebuild, Registered, Registration,
};

/// Postings in an ordered map behind one lock. Clones share the postings; each waits on its own, as a process would.
pub struct MemoryBoard {
    clock: Arc<dyn Clock>,
    postings: Arc<Mutex<Postings>>,
    changes: Arc<Changes>,
    seen: Mutex<u64>,
}

#[derive(Clone, Default)]
struct Postings {
    jobs: BTreeMap<JobId, Posted>,
    /// In the order in which they are claimed.
    queue: BTreeSet<Place>,
    last: u64,
    /// With the instant at which each is forgotten.
    conductors: BTreeMap<ConductorId, (Registered, Timestamp)>,
    /// What was on it is lost, and it gives out no claims until it is filled.
    lost: bool,
    /// Who fills it, and until when the next word of that is waited for.
    filler: Option<(ConductorId, Timestamp)>,
}

impl Postings {
    /// Who fills a board that is lost.
    fn filler(&self, now: Timestamp) -> Option<&ConductorId> {
        let filler = self.filler.as_ref().filter(|(_, until)| *until > now);
        filler.map(|(who, _)| who)
    }

    /// Posts a job that is not there; whether it was not.
    fn post(
        &mut self,
        notice: &Notice,
        lease: Option<(&ConductorId, Duration)>,
        now: Timestamp,
    ) -> bool {
        if self.jobs.contains_key(&notice.job) {
            return false;
        }
        self.last += 1;
        let place = (notice.priority, self.last, notice.job);
        self.queue.insert(place);
        self.jobs.insert(
            notice.job,
            Posted {
                place,
                requires: notice.requires.clone(),
                lease: lease.map(|(who, ttl)| (who.clone(), now.plus(ttl))),
            },
        );
        true
    }

    /// Claims the first job that is ready.
    fn claim(
        &mut self,
        who: &ConductorId,
        able: &[String],
        ttl: Duration,
        now: Timestamp,
    ) -> Option<Claim> {
        let Self { jobs, queue, .. } = self;
        for (_, _, job) in queue.iter() {
            let Some(posted) = jobs.get_mut(job) else {
                continue;
            };
            if posted.is_ready(now) && able.contains(&posted.requires) {
                let lease = (who.clone(), now.plus(ttl));
                let expired = posted.lease.replace(lease).is_some();
                return Some(Claim { job: *job, expired });
            }
        }
        None
    }
}

/// How many changes there were; whoever waits for the next one is told in the order in which they came.
#[derive(Default)]
struct Changes {
    count: AtomicU64,
    next: Notify,
}

type Place = (Priority, u64, JobId);

#[derive(Clone)]
struct Posted {
    place: Place,
    requires: String,
    lease: Option<(ConductorId, Timestamp)>,
}

impl Posted {
    fn is_held_by(&self, who: &ConductorId) -> bool {
        self.lease.as_ref().is_some_and(|(by, _)| by == who)
    }

    fn is_ready(&self, now: Timestamp) -> bool {
        self.lease.as_ref().is_none_or(|(_, until)| *until <= now)
    }
}

impl MemoryBoard {
    /// An empty board.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            postings: Arc::default(),
            changes: Arc::default(),
            seen: Mutex::new(0),
        }
    }

    /// As it is now, and from now on apart from this one.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::new(Arc::clone(&self.clock));
        *copy.postings() = self.postings().clone();
        copy
    }

    /// Loses everything but what was on it when `earlier` was made of it, and knows that: as a server that comes back
    /// with the data of some time ago, or none.
    pub fn lose(&self, earlier: Option<&Self>) {
        let earlier = earlier.map(|earlier| earlier.postings().clone());
        *self.postings() = Postings {
            lost: true,
            filler: None,
            ..earlier.unwrap_or_default()
        };
        self.changed();
    }

    fn postings(&self) -> MutexGuard<'_, Postings> {
        // Whoever panicked with the lock did so in a test; the postings are whole between two statements.
        self.postings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.count.fetch_add(1, Ordering::SeqCst);
        self.changes.next.notify_waiters();
    }

    /// Whether anything has changed since the last time that this was true.
    fn news(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.changes.count.load(Ordering::SeqCst);
        std::mem::replace(&mut *seen, now) != now
    }
}

impl Clone for MemoryBoard {
    fn clone(&self) -> Self {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            clock: Arc::clone(&self.clock),
            postings: Arc::clone(&self.postings),
            changes: Arc::clone(&self.changes),
            seen: Mutex::new(seen),
        }
    }
}

#[async_trait]
impl JobBoard for MemoryBoard {
    async fn post(
        &self,
        notice: &Notice,
        lease: Option<(&ConductorId, Duration)>,
    ) -> Result<(), BoardError> {
        let now = self.clock.now();
        let posted = self.postings().post(notice, lease, now);
        if posted {
            self.changed();
        }
        Ok(())
    }

    async fn requirements(&self) -> Result<Vec<String>, BoardError> {
        let now = self.clock.now();
        let mut postings = self.postings();
        if postings.lost {
            return Err(BoardError::Lost);
        }
        let Postings { jobs, queue, .. } = &mut *postings;
        jobs.retain(|job, posted| {
            let kept = !posted.is_ready(now) || is_readable(&posted.requires);
            if !kept {
                queue.remove(&posted.place);
                tracing::error!(
                    %job,
                    requires = posted.requires,
                    "a posting on the job board could not be read; it was set aside"
                );
            }
            kept
        });
        let ready = jobs.values().filter(|posted| posted.is_ready(now));
        let distinct: BTreeSet<&String> = ready.map(|posted| &posted.requires).collect();
        Ok(distinct.into_iter().cloned().collect())
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
        let now = self.clock.now();
        let mut postings = self.postings();
        if postings.lost {
            return Err(BoardError::Lost);
        }
        let claim = || postings.claim(who, able, ttl, now);
        Ok(std::iter::from_fn(claim).take(limit).collect())
    }

    async fn next_expiry(&self) -> Result<Option<Duration>, BoardError> {
        let now = self.clock.now();
        let postings = self.postings();
        let leases = postings
            .jobs
            .values()
            .filter_map(|posted| posted.lease.as_ref());
        let first = leases
            .map(|(_, until)| *until)
            .filter(|until| *until > now)
            .min();
        Ok(first.map(|until| until.since(now)))
    }

    async fn renew(
        &self,
        who: &ConductorId,
        jobs: &[JobId],
        ttl: Duration,
    ) -> Result<Vec<JobId>, BoardError> {
        let until = self.clock.now().plus(ttl);
        let mut postings = self.postings();
        let mut held = Vec::new();
        for job in jobs {
            let posted = postings.jobs.get_mut(job);
            if let Some(posted) = posted.filter(|posted| posted.is_held_by(who)) {
                posted.lease = Some((who.clone(), until));
                held.push(*job);
            }
        }
        Ok(held)
    }

    async fn release(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError> {
        let mut postings = self.postings();
        let held = postings
            .jobs
            .get_mut(&job)
            .filter(|posted| posted.is_held_by(who));
        let Some(posted) = held else {
            return Ok(false);
        };
        posted.lease = None;
        drop(postings);
        self.changed();
        Ok(true)
    }

    async fn complete(&self, who: &ConductorId, job: JobId) -> Result<bool, BoardError> {
        let mut postings = self.postings();
        let held = postings.jobs.get(&job);
        let Some(place) = held.filter(|p| p.is_held_by(who)).map(|p| p.place) else {
            return Ok(false);
        };
        postings.queue.remove(&place);
        postings.jobs.remove(&job);
        drop(postings);
        self.changed();
        Ok(true)
    }

    async fn wake(&self) -> Result<(), BoardError> {
        self.changed();
        Ok(())
    }

    async fn wait(&self, timeout: Duration) -> Result<(), BoardError> {
        let until = self.clock.now().plus(timeout);
        // Listens before it looks, so that no change falls between.
        let mut change = std::pin::pin!(self.changes.next.notified());
        change.as_mut().enable();
        if self.news() {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = change => {}
            () = self.clock.sleep_until(until) => {}
        }
        self.news();
        Ok(())
    }

    async fn restore(
        &self,
        jobs: &[(Notice, Option<ConductorId>)],
        ttl: Duration,
    ) -> Result<usize, BoardError> {
        let now = self.clock.now();
        let mut postings = self.postings();
        let mut posted = 0;
        for (notice, owner) in jobs {
            let owner = owner.as_ref();
            if postings.post(notice, owner.map(|owner| (owner, ttl)), now) {
                posted += 1;
            } else if postings.lost
                && let Some(owner) = owner
                && let Some(known) = postings.jobs.get_mut(&notice.job)
            {
                // It is known from before the loss, or somebody has asked something of it since. Whose it is the
                // store knows; and the owner may have renewed it since what is known here was written.
                known.lease = Some((owner.clone(), now.plus(ttl)));
            }
        }
        drop(postings);
        if posted > 0 {
            self.changed();
        }
        Ok(posted)
    }

    async fn begin_rebuild(&self, who: &ConductorId, ttl: Duration) -> Result<Rebuild, BoardError> {
        let now = self.clock.now();
        let mut postings = self.postings();
        if !postings.lost {
            return Ok(Rebuild::NotNeeded);
        }
        if postings.filler(now).is_some_and(|filler| filler != who) {
            return Ok(Rebuild::Others);
        }
        postings.filler = Some((who.clone(), now.plus(ttl)));
        Ok(Rebuild::Yours)
    }

    async fn extend_rebuild(&self, who: &ConductorId, ttl: Duration) -> Result<bool, BoardError> {
        let now = self.clock.now();
        let mut postings = self.postings();
        let fills = postings.lost && postings.filler(now) == Some(who);
        if fills {
            postings.filler = Some((who.clone(), now.plus(ttl)));
        }
        Ok(fills)
    }

    async fn end_rebuild(&self, who: &ConductorId) -> Result<bool, BoardError> {
        let now = self.clock.now();
        let mut postings = self.postings();
        let fills = postings.lost && postings.filler(now) == Some(who);
        if fills {
            (postings.lost, postings.filler) = (false, None);
        }
        drop(postings);
        if fills {
            self.changed();
        }
        Ok(fills)
    }

    async fn snapshot(&self, limit: usize) -> Result<Vec<Posting>, BoardError> {
        let postings = self.postings();
        let first = postings.queue.iter().take(limit);
        Ok(first
            .filter_map(|(priority, _, job)| {
                postings.jobs.get(job).map(|posted| Posting {
                    notice: Notice {
                        job: *job,
                        priority: *priority,
                        requires: posted.requires.clone(),
                    },
                    lease: posted.lease.clone(),
                })
            })
            .collect())
    }

    async fn register(&self, conductor: &Registration, keep: Duration) -> Result<(), BoardError> {
        let now = self.clock.now();
        let registered = Registered {
            conductor: conductor.clone(),
            seen_at: now,
        };
        let mut postings = self.postings();
        postings.conductors.retain(|_, (_, until)| *until > now);
        postings
            .conductors
            .insert(conductor.id.clone(), (registered, now.plus(keep)));
        Ok(())
    }

    async fn unregister(&self, who: &ConductorId) -> Result<(), BoardError> {
        self.postings().conductors.remove(who);
        Ok(())
    }

    async fn conductors(&self) -> Result<Vec<Registered>, BoardError> {
        let now = self.clock.now();
        let postings = self.postings();
        let there = postings.conductors.values();
        Ok(there
            .filter(|(_, until)| *until > now)
            .map(|(registered, _)| registered.clone())
            .collect())
    }
}
