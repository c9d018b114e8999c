//! One job, from the claim to its release: own, load, compile, drive, finish.

use std::sync::Arc;

use indexmap::IndexMap;

use super::lease::Lease;
use super::outage::Access;
use super::taking::{Requests, Taking};
use super::{ConductorError, Shared, leftover, posted, stalled};
use crate::engine::{Driven, JobContext, Loss, Orders, Secrets, StateFolder, Stop, Writer, drive};
use crate::model::{Duration, Epoch, FlowRow, FlowState, JobId, Timestamp, Value};
use crate::ports::{BoardError, Claim, Loaded, Notice, StoreError, Taken, within};
use crate::scheduler::Scheduler;

/// So many claims without a commit are bad luck; one more is a job that cannot be run.
const CLAIMS: u32 = 3;
/// In so short a time after its claim a job is owned as a rule. If it takes longer, the board may have lost the claim
/// and been filled by somebody who did not find the job owned yet: then it is in other hands.
const PROMPT: Duration = Duration::from_millis(20);
/// The first pause before a store that is away is asked again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What became of a job in the hands of a conductor.
#[derive(Debug)]
pub enum Ended {
    /// Nothing more happens to it until somebody asks for it.
    AtRest {
        /// Where it stands.
        flow: FlowRow,
        /// What the flow hands out, if it has succeeded.
        provided: IndexMap<String, Value>,
    },
    /// The conductor was told to stop; another one can go on at once.
    HandedOver,
    /// It was dropped; whoever holds it now, or claims it next, goes on from what is committed.
    Lost(Loss),
    /// It cannot be run as it is, and is STUCK.
    Stalled {
        /// Why.
        why: String,
    },
    /// It was not to be run: it is at an end, or waits for a person, or does not exist.
    NotToBeRun,
}

/// Works on a job that was claimed, and finishes with it on the board as well.
///
/// # Errors
/// The store cannot be worked with. The job is given back.
pub(super) async fn work_on(
    shared: &Arc<Shared>,
    writer: Writer,
    claim: Claim,
    lease: Lease,
    taking: Taking,
    stop: Stop,
) -> Result<Ended, ConductorError> {
    let id = claim.job;
    let (requests, taken) = taking.taken(shared).await;
    let owned = own(shared, id, taken, &lease, &stop).await;
    if !matches!(owned, Ok(Some(Some(_)))) {
        shared.inbox.close(id);
    }
    let Some(owned) = owned? else {
        return Ok(Ended::HandedOver);
    };
    let owned_at = shared.clock.now();
    let Some((epoch, loaded)) = owned else {
        // The notice was stale: there is nothing to do.
        off_the_board(lease.complete().await);
        post_again(shared, id).await;
        return Ok(Ended::NotToBeRun);
    };
    let begun = Begun {
        expired: claim.expired,
        owned_at,
        loaded,
        requests,
    };
    let job = Job {
        shared,
        id,
        epoch,
        lease: &lease,
    };
    let ended = job.run(writer, begun, stop).await;
    lease.done();
    shared.inbox.close(id);
    let ended = ended?;
    if let Ended::AtRest { flow, .. } = &ended
        && flow.state.is_end()
    {
        leftover::remove(shared, id);
    }
    match &ended {
        Ended::AtRest { flow, .. } if flow.state.is_end() => off_the_board(lease.complete().await),
        Ended::AtRest { .. } | Ended::Stalled { .. } | Ended::NotToBeRun => {
            job.disown().await;
            off_the_board(lease.complete().await);
            post_again(shared, id).await;
        }
        Ended::HandedOver => {
            job.disown().await;
            off_the_board(lease.release().await);
        }
        Ended::Lost(loss) => {
            tracing::warn!(job = %id, %loss, "dropped a job");
            if matches!(loss, Loss::Fenced) && lease.stands() {
                // Whoever has it has it from elsewhere. That goes on and on, with each job.
                tracing::error!(
                    job = %id,
                    "the job has been taken over although the board has leased it to this conductor: let all conductors \
                     of a store, and all who post, name the same board"
                );
            }
        }
    }
    Ok(ended)
}

/// The epoch under which a job is owned, and the job if it was loaded with that; what was not taken on with others is
/// owned by itself. `Some(None)`: it is not to be run. `None`: the conductor ends.
async fn own(
    shared: &Shared,
    id: JobId,
    taken: Option<Taken>,
    lease: &Lease,
    stop: &Stop,
) -> Result<Option<Option<(Epoch, Option<Read>)>>, ConductorError> {
    if let Some(taken) = taken {
        return Ok(Some(Some((taken.epoch, Some(taken.loaded)))));
    }
    let own = || shared.store.own(id, &shared.settings.id);
    let owned = patiently(shared, lease, stop, Access::Write, own).await?;
    Ok(owned.map(|owned| owned.map(|epoch| (epoch, None))))
}

/// A job as the store has it, or why that cannot be read.
type Read = Result<Loaded, String>;

/// What is known of a job when it begins to be worked on.
struct Begun {
    expired: bool,
    owned_at: Timestamp,
    /// Unless it is still to be loaded.
    loaded: Option<Read>,
    requests: Requests,
}

/// One owned job.
struct Job<'a> {
    shared: &'a Arc<Shared>,
    id: JobId,
    epoch: Epoch,
    lease: &'a Lease,
}

impl Job<'_> {
    async fn run(&self, writer: Writer, begun: Begun, stop: Stop) -> Result<Ended, ConductorError> {
        let shared = self.shared;
        let loaded = match begun.loaded {
            Some(loaded) => loaded,
            None => match self.load(&stop).await? {
                None => return Ok(Ended::HandedOver),
                Some(Ok(None)) => return Ok(Ended::NotToBeRun),
                Some(Ok(Some(loaded))) => Ok(loaded),
                Some(Err(why)) => Err(why),
            },
        };
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(why) => return self.stall(format!("it cannot be read: {why}"), None).await,
        };
        let notice = Notice {
            job: self.id,
            priority: loaded.job.priority,
            requires: loaded.job.requires.clone(),
        };
        self.lease.owned(self.epoch, notice);
        // Once more the lease is asked for, if it took long to get here.
        let since = self.lease.since().unwrap_or(begun.owned_at);
        if begun.owned_at.since(since) > PROMPT {
            tokio::select! {
                biased;
                () = self.lease.lost().cancelled() => return Ok(Ended::Lost(Loss::Lease)),
                () = stop.given() => return Ok(Ended::HandedOver),
                () = self.lease.confirmed() => {}
            }
        }
        if loaded.claims > CLAIMS && loaded.requests.is_empty() {
            let why = format!("it was claimed {CLAIMS} times without any progress");
            return self.stall(why, Some(loaded)).await;
        }
        let plan = match posted::compile(&loaded.job, &shared.kinds) {
            Ok(plan) => Arc::new(plan),
            Err(why) => return self.stall(why, Some(loaded)).await,
        };
        let (name, claim) = (&loaded.job.name, self.epoch.0);
        tracing::info!(job = %self.id, name, claim, "works on a job");
        let seed = seed(self.id, self.epoch);
        let scheduler = Scheduler::new(Arc::clone(&plan), loaded.checkpoint.clone(), seed);
        let scheduler = match scheduler {
            Ok(scheduler) => scheduler,
            Err(why) => {
                let why = format!("corrupt checkpoint: {why}");
                return self.stall(why, Some(loaded)).await;
            }
        };
        if begun.expired {
            // Whoever held it may still be ending its tasks.
            let until = begun.owned_at.plus(shared.settings.margin);
            tokio::select! {
                biased;
                () = self.lease.lost().cancelled() => return Ok(Ended::Lost(Loss::Lease)),
                () = stop.given() => return Ok(Ended::HandedOver),
                () = shared.clock.sleep_until(until) => {}
            }
        }
        let context = JobContext {
            job: self.id,
            epoch: self.epoch,
            owner: shared.settings.id.clone(),
            conductor: shared.settings.name.clone(),
            secrets: Secrets::of(&plan, &shared.settings.secrets).await,
            state: StateFolder::new(&shared.settings.state, self.id),
            plan,
            kinds: shared.kinds.clone(),
            clock: Arc::clone(&shared.clock),
            slots: Arc::clone(&shared.slots),
            term: self.lease.term().clone(),
            stop,
            writer,
            requested: Arc::clone(&shared.inbox.requested),
            observer: shared.observer.clone(),
        };
        let orders = Orders {
            lost: self.lease.lost().clone(),
            requests: begun.requests,
            grace: shared.settings.grace,
            // The other half is for finding out that it is lost.
            margin: shared.settings.margin / 2,
        };
        let (seq, asked) = (loaded.job.seq, loaded.requests);
        drop(loaded.checkpoint);
        Ok(
            match drive(Arc::new(context), scheduler, seq, asked, orders).await {
                Driven::AtRest { flow, mut provided } => {
                    // What was undone hands out nothing.
                    if flow.state != FlowState::Success {
                        provided.clear();
                    }
                    Ended::AtRest { flow, provided }
                }
                Driven::HandedOver => Ended::HandedOver,
                Driven::Lost(loss) => Ended::Lost(loss),
                Driven::Corrupt(why) => {
                    let why = format!("corrupt checkpoint: {why}");
                    return self.stall(why, None).await;
                }
            },
        )
    }

    /// Loads the job; within, why it cannot be read. `None` if the conductor ends.
    async fn load(
        &self,
        stop: &Stop,
    ) -> Result<Option<Result<Option<Loaded>, String>>, ConductorError> {
        let store = &self.shared.store;
        let load = || async {
            match store.load(self.id).await {
                Err(StoreError::Corrupt(why)) => Ok(Err(why)),
                other => other.map(Ok),
            }
        };
        patiently(self.shared, self.lease, stop, Access::Read, load).await
    }

    /// Marks the job STUCK without touching its atoms. Requests that it cannot carry out are answered, so that it
    /// is not claimed for them again and again; to be abandoned, it need not be understood.
    async fn stall(&self, why: String, loaded: Option<Loaded>) -> Result<Ended, ConductorError> {
        tracing::error!(job = %self.id, why, "the job cannot be run; it is STUCK");
        let shared = self.shared;
        let who = &shared.settings.id;
        let now = shared.clock.now();
        if let Some(loaded) = loaded.filter(|loaded| !loaded.requests.is_empty()) {
            let (step, logs) = stalled::answer(loaded, who, self.epoch, &why, now);
            let ends = step.flow.as_ref().is_some_and(|flow| flow.state.is_end());
            let flow = step.flow.clone();
            shared.store.commit(&[step], &logs).await?;
            if let Some(flow) = flow.filter(|_| ends) {
                return Ok(Ended::AtRest {
                    flow,
                    provided: IndexMap::new(),
                });
            }
        }
        shared
            .store
            .stall(self.id, who, self.epoch, &why, now)
            .await?;
        Ok(Ended::Stalled { why })
    }

    /// Tells the store that nobody works on the job any more. If that is not heard, whoever claims it next does not mind.
    async fn disown(&self) {
        let shared = self.shared;
        let disowned = shared
            .store
            .disown(self.id, &shared.settings.id, self.epoch);
        let told = within(shared.clock.as_ref(), shared.settings.lease, disowned).await;
        if let Some(Err(error)) = told {
            shared.store_outage.failed(Access::Write, &error);
        }
    }
}

/// Feeds the jitter of delays: another one for each claim, so that what failed together is not tried again together.
fn seed(job: JobId, epoch: Epoch) -> u64 {
    let (high, low) = job.0.as_u64_pair();
    high ^ low.rotate_left(17) ^ epoch.0.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// A request may have come between the last commit and the end of the claim, when the board still knew the job.
async fn post_again(shared: &Shared, id: JobId) {
    let before = JobId(uuid::Uuid::from_u128(id.0.as_u128().saturating_sub(1)));
    if let Ok(ready) = shared.store.ready(Some(before), 1).await
        && let Some(job) = ready.first()
        && job.id == id
        && job.owner.is_none()
    {
        let notice = Notice {
            job: id,
            priority: job.priority,
            requires: job.requires.clone(),
        };
        // If the board is away, the sweep finds the job.
        let _ = shared.board.post(&notice, None).await;
    }
}

fn off_the_board(done: Result<(), BoardError>) {
    if let Err(error) = done {
        tracing::debug!(%error, "the board did not hear that a job is finished; its lease will end");
    }
}

/// Asks a store that may be away until it answers, the job is lost, or the conductor ends (`None`).
async fn patiently<T, F>(
    shared: &Shared,
    lease: &Lease,
    stop: &Stop,
    access: Access,
    ask: impl Fn() -> F,
) -> Result<Option<T>, ConductorError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let answer = tokio::select! {
            biased;
            answer = ask() => answer,
            // An answer that is still to come makes no difference: whoever claims the job next owns it anew.
            () = stop.given_at_once() => return Ok(None),
        };
        match answer {
            Ok(answer) => {
                shared.store_outage.answered(access);
                return Ok(Some(answer));
            }
            Err(error @ StoreError::Unavailable { .. }) => {
                shared.store_outage.failed(access, &error);
                tokio::select! {
                    biased;
                    () = lease.lost().cancelled() => return Err(error.into()),
                    () = stop.given() => return Ok(None),
                    () = shared.clock.sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}
