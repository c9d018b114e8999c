//! Taking on what was claimed together: owned and loaded in one go, if the store can do that.
//!
//! Claimed jobs enter; for each leaves what the store gave of it, if it gave something: if not, it is taken on by
//! itself.

use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::outage::Access;
use crate::model::JobId;
use crate::ports::{Request, StoreError, Taken};

/// The requests of a job, from now on.
pub(super) type Requests = mpsc::UnboundedReceiver<(i64, Request)>;

/// One of the jobs that are taken on together.
pub(super) struct Taking {
    /// Opened before anything is loaded: what comes in between is not missed, and what comes twice is known.
    requests: Requests,
    taken: oneshot::Receiver<Taken>,
    /// The first of them asks the store for all.
    all: Vec<(JobId, oneshot::Sender<Taken>)>,
}

impl Taking {
    /// A job that is taken on by itself.
    pub(super) fn alone(shared: &Shared, job: JobId) -> Self {
        // Nobody sends anything.
        let (_, taken) = oneshot::channel();
        Self {
            requests: shared.inbox.open(job),
            taken,
            all: Vec::new(),
        }
    }

    /// Jobs that are taken on together, in their order.
    pub(super) fn together(shared: &Shared, jobs: &[JobId]) -> Vec<Self> {
        let mut all = Vec::with_capacity(jobs.len());
        let mut takings = Vec::with_capacity(jobs.len());
        for job in jobs {
            let (sender, taken) = oneshot::channel();
            all.push((*job, sender));
            takings.push(Self {
                requests: shared.inbox.open(*job),
                taken,
                all: Vec::new(),
            });
        }
        if let Some(first) = takings.first_mut() {
            first.all = all;
        }
        takings
    }

    /// What the store gave, once it has; `None` if the job has to be taken on by itself.
    pub(super) async fn taken(self, shared: &Shared) -> (Requests, Option<Taken>) {
        if !self.all.is_empty() {
            take(shared, self.all).await;
        }
        (self.requests, self.taken.await.ok())
    }
}

/// Asks the store for all of them, and hands on what it gives; who gets nothing learns that too, for nobody is left
/// then who could send it.
async fn take(shared: &Shared, mut waiting: Vec<(JobId, oneshot::Sender<Taken>)>) {
    let jobs: Vec<JobId> = waiting.iter().map(|(job, _)| *job).collect();
    match shared.store.take(&jobs, &shared.settings.id).await {
        Ok(taken) => {
            if !taken.is_empty() {
                shared.store_outage.answered(Access::Write);
            }
            for (job, taken) in taken {
                if let Some(at) = waiting.iter().position(|(one, _)| *one == job) {
                    // Whoever is gone has no use for it.
                    let _ = waiting.swap_remove(at).1.send(taken);
                }
            }
        }
        Err(error @ StoreError::Unavailable { .. }) => {
            shared.store_outage.failed(Access::Write, &error);
        }
        // Whose fault that is shows when each is taken on by itself.
        Err(StoreError::Corrupt(_) | StoreError::Newer { .. }) => {}
    }
}
