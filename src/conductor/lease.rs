//! Leases: one renewal for all of a conductor's jobs, and what happens when it fails.
//!
//! A claimed job enters; a token that is cancelled when the job is lost leaves. A job counts as lost when the store
//! says so, or when neither board nor store has confirmed it so shortly ago that nobody else can have begun with it.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::outage::{Access, Outage};
use crate::model::{ConductorId, Duration, Epoch, JobId, Timestamp};
use crate::ports::{BoardError, Clock, JobBoard, Notice, Store, Term, within};

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
    /// Told when something is in doubt.
    doubtful: Notify,
    /// Told when a job was taken on or given up.
    changed: Notify,
    /// Told when the next renewal is not to wait for its time.
    hurry: Notify,
    /// Told when a renewal has been taken in.
    renewed: Notify,
}

#[derive(Default)]
struct Book {
    held: BTreeMap<JobId, Held>,
    /// How many renewals have begun.
    renewals: u64,
    /// Jobs that were dropped, and are still leased to this conductor as far as is known.
    to_release: BTreeSet<JobId>,
}

struct Held {
    /// When it was claimed, or before.
    since: Timestamp,
    /// Until when the board has leased it, at least.
    until: Timestamp,
    /// The last renewal did not confirm it.
    doubtful: bool,
    /// Which renewal was the last that confirmed it.
    confirmed: u64,
    /// When the store was last asked of those times that it said that the claim stands.
    stood_at: Option<Timestamp>,
    /// Until its deadline.
    term: Term,
    lost: CancellationToken,
    /// How it is owned in the store, and what is posted if the board has forgotten it.
    owned: Option<(Epoch, Notice)>,
    /// All is done, and store and board are being told so: they may be away, and that is no loss.
    done: bool,
}

/// So many leases a claim is kept for that the store is not heard to have granted.
const UNOWNED: u32 = 4;

impl Held {
    /// Whether its lease is to go on. Whoever has it may hang, in this program or in a call that is never answered; what
    /// is renewed for ever nobody can take over.
    ///
    /// - Not of what is lost. Its tasks end within half the margin after that was found out. If neither board nor store
    ///   confirmed it, that was found out a margin before the end of the lease, which only its own renewals put off;
    ///   whoever claims it then begins no sooner than the lease ends. If the store said that it is another one's, no
    ///   lease keeps that one from it.
    /// - Not of what is done: nothing of it runs here any more.
    /// - Not for ever of what is claimed and not owned: nothing of it runs here yet.
    fn goes_on(&self, ttl: Duration, now: Timestamp) -> bool {
        let begun = self.owned.is_some() || now < self.since.plus(ttl * UNOWNED);
        !self.lost.is_cancelled() && !self.done && begun
    }

    /// When it counts as lost if nothing confirms it before. Whoever claims it next does so once the lease has ended,
    /// and, if it has ended already, after the store last said that the claim stands; and then waits for the margin,
    /// half of which is left for the tasks to end.
    fn deadline(&self, margin: Duration) -> Timestamp {
        let by_board = Timestamp(self.until.0 - millis(margin));
        let by_store = self.stood_at.map(|at| at.plus(margin / 2));
        by_store.map_or(by_board, |by_store| by_store.max(by_board))
    }

    /// Something has confirmed it.
    fn confirm(&mut self, margin: Duration) {
        self.term.extend(self.deadline(margin));
    }
}

/// A job that is held. Dropped without having been given up, it is released as soon as the board answers.
pub(super) struct Lease {
    leases: Arc<Leases>,
    job: JobId,
    term: Term,
    lost: CancellationToken,
}

impl Lease {
    /// Until when it lasts if nothing confirms it.
    pub(super) fn term(&self) -> &Term {
        &self.term
    }

    /// Cancelled when the job is lost.
    pub(super) fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Whether the board says that the job is held: it has confirmed that not long ago, and not for the last time.
    pub(super) fn stands(&self) -> bool {
        let now = self.leases.clock.now();
        let book = self.leases.book();
        let held = book.held.get(&self.job);
        held.is_some_and(|held| !held.doubtful && now < held.until)
    }

    /// The store has said that the job is owned.
    pub(super) fn owned(&self, epoch: Epoch, notice: Notice) {
        if let Some(held) = self.leases.book().held.get_mut(&self.job) {
            held.owned = Some((epoch, notice));
        }
    }

    /// Nothing of the job runs here any more: all that is left is to tell that.
    pub(super) fn done(&self) {
        if let Some(held) = self.leases.book().held.get_mut(&self.job) {
            held.done = true;
        }
    }

    /// Returns when a renewal that begins from now on has confirmed the job; that may be never. What was claimed some
    /// time ago somebody else may have claimed since: a board that has lost that claim has no other way to tell.
    pub(super) async fn confirmed(&self) {
        let leases = &self.leases;
        let before = leases.book().renewals;
        leases.hurry.notify_one();
        loop {
            let mut renewed = pin!(leases.renewed.notified());
            renewed.as_mut().enable();
            let held = leases.book().held.get(&self.job).map(|held| held.confirmed);
            if held.is_some_and(|confirmed| confirmed > before) {
                return;
            }
            renewed.await;
        }
    }

    /// When the job was claimed, or before.
    pub(super) fn since(&self) -> Option<Timestamp> {
        let book = self.leases.book();
        book.held.get(&self.job).map(|held| held.since)
    }

    /// Takes the job off the board.
    pub(super) async fn complete(self) -> Result<(), BoardError> {
        self.done();
        let leases = Arc::clone(&self.leases);
        leases.board.complete(&leases.who, self.job).await?;
        leases.forget(self.job);
        Ok(())
    }

    /// Gives the job back.
    pub(super) async fn release(self) -> Result<(), BoardError> {
        self.done();
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
            doubtful: Notify::new(),
            changed: Notify::new(),
            hurry: Notify::new(),
            renewed: Notify::new(),
        }
    }

    /// Holds a job that was claimed at `since` or later.
    pub(super) fn hold(self: &Arc<Self>, job: JobId, since: Timestamp) -> Lease {
        let lost = CancellationToken::new();
        let until = since.plus(self.ttl);
        let term = Term::new(
            Timestamp(until.0 - millis(self.margin)),
            Arc::clone(&self.clock),
        );
        let held = Held {
            since,
            until,
            doubtful: false,
            confirmed: 0,
            stood_at: None,
            term: term.clone(),
            lost: lost.clone(),
            owned: None,
            done: false,
        };
        let mut book = self.book();
        book.to_release.remove(&job);
        book.held.insert(job, held);
        drop(book);
        self.changed.notify_one();
        Lease {
            leases: Arc::clone(self),
            job,
            term,
            lost,
        }
    }

    /// Whether a job that was claimed at `since` or later is held already: its lease had run out before it could be
    /// renewed, and nobody else has claimed it.
    pub(super) fn holds(&self, job: JobId, since: Timestamp) -> bool {
        let mut book = self.book();
        let Book { held, renewals, .. } = &mut *book;
        let Some(held) = held.get_mut(&job) else {
            return false;
        };
        // What does not go on is let be: it is released when whoever has it is done, or the lease ends once more.
        if held.goes_on(self.ttl, since) {
            held.until = since.plus(self.ttl);
            held.doubtful = false;
            *renewals += 1;
            held.confirmed = *renewals;
            held.confirm(self.margin);
            self.renewed.notify_waiters();
        }
        true
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

    /// Keeps the leases, and finds out in time which of them cannot be kept. Does so for ever.
    pub(super) async fn keep(&self) {
        tokio::join!(self.renew_for_ever(), self.doubt());
    }

    /// Renews each third of the lease; more often while it fails.
    async fn renew_for_ever(&self) {
        let usual = self.ttl / 3;
        let hurried = (self.ttl / 15).min(Duration::from_secs(1));
        let mut pause = usual;
        loop {
            tokio::select! {
                biased;
                () = self.hurry.notified() => {}
                () = self.clock.sleep_until(self.clock.now().plus(pause)) => {}
            }
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
        let (clock, limit) = (self.clock.as_ref(), self.limit());
        let started = clock.now();
        let (jobs, number) = self.to_renew(started);
        let confirmed = self.confirmed(&jobs).await;
        let (doubtful, forgotten) = self.take_in(&jobs, confirmed.as_deref(), started, number);
        self.renewed.notify_waiters();
        if doubtful {
            self.doubtful.notify_one();
        }
        if !forgotten.is_empty() {
            // What somebody else has claimed there is not changed.
            let restore = self.board.restore(&forgotten, self.ttl);
            let _ = within(clock, limit, restore).await;
        }
        within(clock, limit, self.release_dropped()).await;
        !doubtful
    }

    /// The jobs whose leases go on, and the number of this renewal. What was claimed and never owned is in doubt from
    /// now on.
    fn to_renew(&self, now: Timestamp) -> (Vec<JobId>, u64) {
        let mut jobs = Vec::new();
        let mut book = self.book();
        book.renewals += 1;
        for (job, held) in &mut book.held {
            if held.goes_on(self.ttl, now) {
                jobs.push(*job);
            } else if !held.done && !held.lost.is_cancelled() {
                held.doubtful = true;
                self.doubtful.notify_one();
            }
        }
        (jobs, book.renewals)
    }

    /// How long the board is waited for.
    fn limit(&self) -> Duration {
        self.margin / 3
    }

    /// Which of the jobs the board says are still held; `None` if it is away.
    async fn confirmed(&self, jobs: &[JobId]) -> Option<Vec<JobId>> {
        if jobs.is_empty() {
            return Some(Vec::new());
        }
        let asked = self.board.renew(&self.who, jobs, self.ttl);
        let answer = within(self.clock.as_ref(), self.limit(), asked).await;
        let answer =
            answer.unwrap_or_else(|| Err(BoardError::Unavailable("it does not answer".into())));
        match answer {
            Ok(held) => {
                self.outage.answered(Access::Write);
                Some(held)
            }
            Err(error) => {
                self.outage.failed(Access::Write, &error);
                None
            }
        }
    }

    /// Takes in what the board has said of `jobs`. Whether anything is in doubt, and what the board has forgotten
    /// although the store says that it is owned.
    fn take_in(
        &self,
        jobs: &[JobId],
        confirmed: Option<&[JobId]>,
        started: Timestamp,
        number: u64,
    ) -> (bool, Vec<(Notice, Option<ConductorId>)>) {
        let mut forgotten = Vec::new();
        let mut doubtful = false;
        let mut book = self.book();
        for job in jobs {
            let held = book.held.get_mut(job);
            // Whatever the answer is, what was lost in the meantime stays so.
            let Some(held) = held.filter(|held| !held.lost.is_cancelled()) else {
                continue;
            };
            if confirmed.is_some_and(|confirmed| confirmed.contains(job)) {
                held.until = started.plus(self.ttl);
                held.doubtful = false;
                held.confirmed = number;
                held.confirm(self.margin);
                continue;
            }
            held.doubtful = true;
            doubtful = true;
            if confirmed.is_some()
                && held.stood_at.is_some()
                && let Some((_, notice)) = &held.owned
            {
                forgotten.push((notice.clone(), Some(self.who.clone())));
            }
        }
        (doubtful, forgotten)
    }

    /// Asks the store about what the board does not confirm, as long as it does not, and ends what is lost.
    async fn doubt(&self) {
        loop {
            let doubtful = self.doubts();
            let Some(first) = doubtful.values().min() else {
                self.doubtful.notified().await;
                continue;
            };
            // All at once, and until the first deadline: that one answer does not come must not keep the others.
            let limit = first.since(self.clock.now()).min(self.ttl / 3);
            join_all(doubtful.keys().map(|job| self.ask_store(*job, limit))).await;
            let now = self.clock.now();
            let left = self.doubts().into_values().map(|at| at.since(now)).min();
            let pause = left.map_or(self.margin, |left| left / 2);
            // A millisecond at least: that is how finely instants are told apart.
            let pause = pause.min(self.margin / 4).max(Duration::from_millis(1));
            let next = now.plus(pause);
            self.clock.sleep_until(next).await;
        }
    }

    /// The jobs in doubt, and when each counts as lost if nothing confirms it before.
    fn doubts(&self) -> BTreeMap<JobId, Timestamp> {
        let book = self.book();
        let held = book.held.iter();
        held.filter(|(_, held)| held.doubtful && !held.lost.is_cancelled())
            .map(|(job, held)| (*job, held.deadline(self.margin)))
            .collect()
    }

    /// The board does not confirm a job: the store decides, or its silence does.
    async fn ask_store(&self, job: JobId, limit: Duration) {
        let started = self.clock.now();
        let owned = self
            .book()
            .held
            .get(&job)
            .and_then(|held| held.owned.clone());
        let stands = match owned {
            // Not owned yet: whether it will be is being asked by whoever claimed it.
            None => None,
            Some((epoch, _)) => {
                let asked = self.store.owns(job, &self.who, epoch);
                let answer = within(self.clock.as_ref(), limit, asked).await;
                answer.and_then(Result::ok)
            }
        };
        let mut book = self.book();
        let Some(held) = book.held.get_mut(&job) else {
            return;
        };
        if stands == Some(true) {
            held.stood_at = Some(started);
            held.confirm(self.margin);
        }
        let overdue = held.doubtful && self.clock.now() >= held.deadline(self.margin);
        if stands == Some(false) || overdue {
            if !held.done {
                tracing::warn!(%job, "the job is no longer held; ending its tasks");
            }
            held.lost.cancel();
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
