//! The conductor: looks for jobs, claims them, drives them, and finishes with them.
//!
//! A store, a board and task kinds enter; jobs at rest leave. It never writes a job that it does not own, never
//! forgets one that it has claimed, and goes on when a store or a board that was away is back.

mod ask;
mod capability;
mod claim;
mod inbox;
mod job;
mod lease;
mod leftover;
mod outage;
mod posted;
mod presence;
mod settings;
mod stalled;
mod sweep;
mod taking;

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

pub use capability::{BUILT_IN, Capabilities};
pub use job::Ended;
pub use settings::{SHORTEST_LEASE, Settings};

use crate::engine::Writer;
pub use crate::engine::{Loss, Observer, Stop};
use crate::model::JobId;
use crate::ports::{Claim, Clock, JobBoard, Kinds, Store, StoreError, within};
use inbox::Inbox;
use lease::Leases;
use outage::Outage;
use presence::Presence;
use taking::Taking;

/// How long a conductor works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until it is told to stop.
    Stopped,
    /// Until no job is ready or leased by anybody.
    Empty,
}

/// A conductor cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ConductorError {
    /// The store cannot be worked with: its schema is newer, or it was away for too long.
    #[error("the conductor cannot work with the store")]
    Store(#[from] StoreError),
}

/// Works on jobs.
pub struct Conductor {
    shared: Arc<Shared>,
}

/// What all parts of a conductor use.
struct Shared {
    settings: Settings,
    store: Arc<dyn Store>,
    board: Arc<dyn JobBoard>,
    kinds: Kinds,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn Observer>>,
    capabilities: Capabilities,
    leases: Arc<Leases>,
    inbox: Inbox,
    presence: Presence,
    slots: Arc<Semaphore>,
    /// Told when there may be something to claim.
    look: Notify,
    board_outage: Arc<Outage>,
    store_outage: Outage,
}

impl Conductor {
    /// A conductor that has not begun.
    #[must_use]
    pub fn new(
        settings: Settings,
        store: Arc<dyn Store>,
        board: Arc<dyn JobBoard>,
        kinds: Kinds,
        clock: Arc<dyn Clock>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Self {
        let board_outage = Arc::new(Outage::new("job board", observer.clone()));
        let leases = Leases::new(
            Arc::clone(&board),
            Arc::clone(&store),
            Arc::clone(&clock),
            settings.id.clone(),
            settings.lease,
            settings.margin,
            Arc::clone(&board_outage),
        );
        let shared = Shared {
            capabilities: Capabilities::new(&settings, Arc::clone(&clock)),
            leases: Arc::new(leases),
            inbox: Inbox::default(),
            presence: Presence::new(clock.now()),
            slots: Arc::new(Semaphore::new(settings.max_tasks.max(1))),
            look: Notify::new(),
            board_outage,
            store_outage: Outage::new("store", observer.clone()),
            settings,
            store,
            board,
            kinds,
            clock,
            observer,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Claims and works on jobs until `until`, or until `stop`: then it hands over what it holds. Once only: a
    /// conductor that has been stopped is another one when it starts again.
    ///
    /// # Errors
    /// The store's schema is newer than this program. A store or a board that is away is waited for.
    pub async fn run(&self, until: Until, stop: Stop) -> Result<(), ConductorError> {
        let (writer, mut background) = self.start();
        let present = Arc::clone(&self.shared);
        background.spawn(async move { presence::tell(&present).await });
        let here = Arc::clone(&self.shared);
        background.spawn(async move { leftover::sweep(&here).await });
        let done = claim::work(&self.shared, &writer, until, &stop).await;
        self.finish(writer, background).await;
        let shared = &self.shared;
        let leave = shared.board.unregister(&shared.settings.id);
        let _ = within(shared.clock.as_ref(), shared.settings.margin, leave).await;
        done
    }

    /// Works on one job, which is posted as leased to this conductor, until it is at rest or handed over.
    ///
    /// # Errors
    /// The store's schema is newer than this program, or the store was away before the job could be begun.
    pub async fn run_job(&self, job: JobId, stop: Stop) -> Result<Ended, ConductorError> {
        let (writer, background) = self.start();
        let claim = Claim {
            job,
            expired: false,
        };
        let lease = self.shared.leases.hold(job, self.shared.clock.now());
        let taking = Taking::alone(&self.shared, job);
        let ended = job::work_on(&self.shared, writer.clone(), claim, lease, taking, stop).await;
        self.finish(writer, background).await;
        ended
    }

    /// Starts what works beside the jobs: the writer, the leases and the inbox.
    fn start(&self) -> (Writer, JoinSet<()>) {
        let shared = &self.shared;
        let patience = shared.settings.lease;
        let patience = patience.saturating_sub(shared.settings.margin);
        let (writer, writing) = Writer::new(
            Arc::clone(&shared.store),
            shared.observer.clone(),
            Arc::clone(&shared.clock),
            patience,
        );
        let mut background = JoinSet::new();
        background.spawn(writing);
        let leases = Arc::clone(&shared.leases);
        background.spawn(async move { leases.keep().await });
        let of_inbox = Arc::clone(shared);
        background.spawn(async move { inbox::attend(&of_inbox).await });
        (writer, background)
    }

    /// Ends it. Every job has ended: nothing is left to be written.
    async fn finish(&self, writer: Writer, mut background: JoinSet<()>) {
        drop(writer);
        let shared = &self.shared;
        let release = shared.leases.release_dropped();
        let _ = within(shared.clock.as_ref(), shared.settings.margin, release).await;
        background.shutdown().await;
    }
}
