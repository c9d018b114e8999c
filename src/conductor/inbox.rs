//! Requests: what people ask for reaches the jobs that it is about.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use super::Shared;
use super::outage::Access;
use crate::model::{Duration, JobId};
use crate::ports::Request;

/// How often the store is asked, although nothing has told of a request.
const POLL: Duration = Duration::from_secs(2);
/// How long a board that is away is let be.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the requests of each job go.
#[derive(Default)]
pub(super) struct Inbox {
    jobs: Mutex<HashMap<JobId, mpsc::UnboundedSender<(i64, Request)>>>,
    /// Told when a commit has said that there are requests.
    pub(super) requested: Arc<Notify>,
}

impl Inbox {
    /// Requests of a job, from now on.
    pub(super) fn open(&self, job: JobId) -> mpsc::UnboundedReceiver<(i64, Request)> {
        let (requests, received) = mpsc::unbounded_channel();
        self.jobs().insert(job, requests);
        received
    }

    /// The job is not worked on any more.
    pub(super) fn close(&self, job: JobId) {
        self.jobs().remove(&job);
    }

    /// Whether requests of any job are waited for. Whoever was dropped in the middle has closed nothing.
    fn is_attended(&self) -> bool {
        let mut jobs = self.jobs();
        jobs.retain(|_, requests| !requests.is_closed());
        !jobs.is_empty()
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, mpsc::UnboundedSender<(i64, Request)>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands out requests as they come, and tells whoever claims to look again. Does so for ever.
pub(super) async fn attend(shared: &Shared) {
    loop {
        tokio::select! {
            biased;
            () = shared.inbox.requested.notified() => {}
            waited = shared.board.wait(POLL) => {
                match waited {
                    Ok(()) => shared.board_outage.answered(Access::Read),
                    Err(error) => {
                        shared.board_outage.failed(Access::Read, &error);
                        shared.clock.sleep(PAUSE).await;
                    }
                }
                shared.look.notify_one();
            }
        }
        if !shared.inbox.is_attended() {
            continue;
        }
        match shared.store.requests(&shared.settings.id).await {
            Ok(requests) => {
                shared.store_outage.answered(Access::Read);
                let jobs = shared.inbox.jobs();
                for (job, number, request) in requests {
                    if let Some(requests) = jobs.get(&job) {
                        // A job that has just ended does not take it; whoever claims it next does.
                        let _ = requests.send((number, request));
                    }
                }
            }
            Err(error) => shared.store_outage.failed(Access::Read, &error),
        }
    }
}
