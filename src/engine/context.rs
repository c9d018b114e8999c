//! What all attempts of one job share.

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};

use super::{Observer, Secrets, StateFolder, Stop, Writer};
use crate::compile::Plan;
use crate::model::{ConductorId, Epoch, JobId};
use crate::ports::{Clock, Kinds, Term};

/// One job in the hands of a conductor.
pub struct JobContext {
    /// The job.
    pub job: JobId,
    /// The claim under which it is worked on.
    pub epoch: Epoch,
    /// Who works on it.
    pub owner: ConductorId,
    /// What that conductor is called: `conductor.name` in flows.
    pub conductor: String,
    /// What the job compiles to.
    pub plan: Arc<Plan>,
    /// Its secrets.
    pub secrets: Secrets,
    /// Where its tasks keep what they found.
    pub state: StateFolder,
    /// The task kinds that this conductor knows.
    pub kinds: Kinds,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The places for tasks that occupy the machine, shared by all jobs of the conductor, which take turns.
    pub slots: Arc<Semaphore>,
    /// Until when the job is certainly this conductor's: nothing is begun beyond that.
    pub term: Term,
    /// The conductor ends.
    pub stop: Stop,
    /// The way to the store.
    pub writer: Writer,
    /// Told when a commit says that somebody has asked something of the job.
    pub requested: Arc<Notify>,
    /// Who watches.
    pub observer: Option<Arc<dyn Observer>>,
}
