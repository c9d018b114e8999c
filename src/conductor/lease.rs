//! Leases: one renewal for all of a conductor's jobs, and what happens when it fails.
//!
//! A claimed job enters; a token that is cancelled when the job is lost leaves. A job counts as lost when the store
//! says so, or when neither board nor store has confirmed it until shortly before its lease ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::outage::{Access, Outage};
use crate::model::{ConductorId, Duration, Epoch, JobId, Timestamp};
use crate::ports::{BoardError, Clock, JobBoard, Notice, Store, within};

/// The leases of one conductor.
pub(super) struct Leases {
    board: Arc<dyn JobBoard>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    who: ConductorId,
    ttl: Duration,
    margin: Duration,
    outage: Arc<Outage>,
    book: Mutex<Book>,
    /// Told when a job was taken on or given up.
    changed: Notify,
}

#[derive(Default)]
struct Book {
    held: BTreeMap<JobId, Held>,
    /// Jobs that were dropped, and are still leased to this conductor as far as is known.
    to_release: BTreeSet<JobId>,
}

struct Held {
    until: Timestamp,
    lost: CancellationToken,
    /// How it is owned in the store, and what is posted if the board has forgotten it.
    owned: Option<(Epoch, Notice)>,
}

/// A job that is held. Dropped without having been given up, it is released as soon as the board answers.
pub(super) struct Lease {
    leases: Arc<Leases>,
    job: JobId,
    lost: CancellationToken,
}

impl Lease {
    /// Cancelled when the job is lost.
    pub(super) fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// The store has said that the job is owned.
    pub(super) fn owned(&self, epoch: Epoch, notice: Notice) {
        if let Some(held) = self.leases.book().held.get_mut(&self.job) {
            held.owned = Some((epoch, notice));
        }
    }

    /// Takes the job off the board.
    pub(super) async fn complete(self) -> Result<(), BoardError> {
        let leases = Arc::clone(&self.leases);
        leases.board.complete(&leases.who, self.job).await?;
        leases.forget(self.job);
        Ok(())
    }

    /// Gives the job back.
    pub(super) async fn release(self) -> Result<(), BoardError> {
        let leases = Arc::clone(&self.leases);
        leases.board.release(&leases.who, self.job).await?;
        leases.forget(self.job);
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut book = self.leases.book();
        if book.held.remove(&self.job).is_some() {
            book.to_release.insert(self.job);
            self.leases.changed.notify_one();
        }
    }
}

impl Leases {
    pub(super) fn new(
        board: Arc<dyn JobBoard>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        who: ConductorId,
        ttl: Duration,
        margin: Duration,
        outage: Arc<Outage>,
    ) -> Self {
        Self {
            board,
            store,
            clock,
            who,
            ttl,
            margin,
            outage,
            book: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Holds a job that was claimed at `since` or later.
    pub(super) fn hold(self: &Arc<Self>, job: JobId, since: Timestamp) -> Lease {
        let lost = CancellationToken::new();
        let held = Held {
            until: since.plus(self.ttl),
            lost: lost.clone(),
            owned: None,
        };
        let mut book = self.book();
        book.to_release.remove(&job);
        book.held.insert(job, held);
        drop(book);
        self.changed.notify_one();
        Lease {
            leases: Arc::clone(self),
            job,
            lost,
        }
    }

    /// How many jobs are held.
    pub(super) fn count(&self) -> usize {
        self.book().held.len()
    }

    /// Returns when a job was taken on or given up since the last call.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn forget(&self, job: JobId) {
        self.book().held.remove(&job);
        self.changed.notify_one();
    }

    /// Renews for ever, each third of the lease; more often while it fails.
    pub(super) async fn keep(&self) {
        let usual = self.ttl / 3;
        let hurried = (self.ttl / 15).min(Duration::from_secs(1));
        let mut pause = usual;
        loop {
            self.clock.sleep_until(self.clock.now().plus(pause)).await;
            pause = if self.renew().await { usual } else { hurried };
        }
    }

    /// Releases what was dropped, as far as the board answers.
    pub(super) async fn release_dropped(&self) {
        let dropped: Vec<JobId> = self.book().to_release.iter().copied().collect();
        for job in dropped {
            // Claimed again in the meantime: it is no longer dropped.
            if !self.book().to_release.contains(&job) {
                continue;
            }
            if self.board.release(&self.who, job).await.is_err() {
                return;
            }
            self.book().to_release.remove(&job);
        }
    }

    /// Renews once; `false` if something is in doubt.
    async fn renew(&self) -> bool {
        let jobs: Vec<JobId> = self.book().held.keys().copied().collect();
        let started = self.clock.now();
        let doubtful = match self.confirmed(&jobs).await {
            // All is well, or there is nothing.
            Some(confirmed) if confirmed.len() == jobs.len() => {
                self.extend(&jobs, started);
                let release = self.release_dropped();
                within(self.clock.as_ref(), self.limit(), release).await;
                return true;
            }
            Some(confirmed) => {
                self.extend(&confirmed, started);
                let missing = jobs.iter().filter(|job| !confirmed.contains(job));
                let missing: Vec<JobId> = missing.copied().collect();
                let standing = self.ask_store(&missing, started).await;
                // The board may have forgotten them. What somebody else has claimed there is not changed.
                let restore = self.board.restore(&standing, self.ttl);
                let _ = within(self.clock.as_ref(), self.limit(), restore).await;
                missing
            }
            None => {
                self.ask_store(&jobs, started).await;
                jobs
            }
        };
        doubtful.is_empty()
    }

    /// How long the board or the store is waited for. Whoever takes a job over waits for the margin before it starts
    /// anything; so in less than that both have to be asked.
    fn limit(&self) -> Duration {
        self.margin / 3
    }

    /// Which of the jobs the board says are still held; `None` if it is away.
    async fn confirmed(&self, jobs: &[JobId]) -> Option<Vec<JobId>> {
        if jobs.is_empty() {
            return Some(Vec::new());
        }
        let asked = self.board.renew(&self.who, jobs, self.ttl);
        match within(self.clock.as_ref(), self.limit(), asked).await {
            Some(Ok(held)) => {
                self.outage.answered(Access::Write);
                Some(held)
            }
            Some(Err(error)) => {
                self.outage.failed(Access::Write, &error);
                None
            }
            None => {
                let silent = BoardError::Unavailable("it does not answer".into());
                self.outage.failed(Access::Write, &silent);
                None
            }
        }
    }

    fn extend(&self, jobs: &[JobId], since: Timestamp) {
        let mut book = self.book();
        for job in jobs {
            if let Some(held) = book.held.get_mut(job) {
                held.until = since.plus(self.ttl);
            }
        }
    }

    /// The board does not confirm some jobs: the store decides, or its silence does. Those that it says are owned, and
    /// by whom.
    async fn ask_store(
        &self,
        jobs: &[JobId],
        started: Timestamp,
    ) -> Vec<(Notice, Option<ConductorId>)> {
        let asked = jobs.iter().map(|job| self.stands(*job, started));
        let standing = join_all(asked).await.into_iter().flatten();
        standing
            .map(|notice| (notice, Some(self.who.clone())))
            .collect()
    }

    /// Whether a job is still owned: how to post it. If it is not, or if nobody has said so for too long, it is lost.
    async fn stands(&self, job: JobId, started: Timestamp) -> Option<Notice> {
        let (owned, until) = self.held(job)?;
        let stands = match &owned {
            // Not owned yet: whether it will be is being asked by whoever claimed it.
            None => None,
            Some((epoch, _)) => {
                let asked = self.store.owns(job, &self.who, *epoch);
                match within(self.clock.as_ref(), self.limit(), asked).await {
                    Some(Ok(stands)) => Some(stands),
                    Some(Err(_)) | None => None,
                }
            }
        };
        let lost = match stands {
            Some(stands) => !stands,
            None => self.clock.now() >= Timestamp(until.0 - millis(self.margin)),
        };
        if lost {
            tracing::warn!(%job, "the job is no longer held; ending its tasks");
            if let Some(held) = self.book().held.get(&job) {
                held.lost.cancel();
            }
            return None;
        }
        if stands != Some(true) {
            return None;
        }
        self.extend(&[job], started);
        owned.map(|(_, notice)| notice)
    }

    fn held(&self, job: JobId) -> Option<(Option<(Epoch, Notice)>, Timestamp)> {
        let book = self.book();
        let held = book.held.get(&job)?;
        Some((held.owned.clone(), held.until))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
