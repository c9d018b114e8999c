//! Presence: what a conductor tells of itself on the board, so that people see who is at work and who lacks what.
//!
//! What it found out enters; it is told at once when it is news, and again and again as a sign of life.
//! Nothing depends on it: a board that is away is told later.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Settings, Shared};
use crate::model::{Duration, Timestamp};
use crate::ports::Registration;

/// How long a conductor that died is still listed.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// The longest time between two signs of life.
const PERIOD: Duration = Duration::from_secs(5);
/// The shortest one, however much there is to tell.
const PAUSE: Duration = Duration::from_millis(200);
/// For so many different requirements it is told what is lacking.
const ANSWERS: usize = 100;

/// For each requirement on the board, the first capability that is lacking.
type Lacks = BTreeMap<String, Option<String>>;

/// What there is to tell.
pub(super) struct Presence {
    since: Timestamp,
    lacks: Mutex<Lacks>,
    news: Notify,
}

impl Presence {
    pub(super) fn new(since: Timestamp) -> Self {
        Self {
            since,
            lacks: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// The board was looked at, and this is what would be needed for what is on it. What it asked for before is
    /// remembered, as far as there is room.
    pub(super) fn looked(&self, found: Lacks) {
        let mut lacks = self.lacks();
        let known =
            |(requires, lacking): (&String, &Option<String>)| lacks.get(requires) == Some(lacking);
        if found.iter().all(known) {
            return;
        }
        if lacks.len() + found.len() > ANSWERS {
            lacks.clear();
        }
        lacks.extend(found.into_iter().take(ANSWERS));
        drop(lacks);
        self.news.notify_one();
    }

    fn lacks(&self) -> MutexGuard<'_, Lacks> {
        self.lacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn registration(&self, settings: &Settings, jobs: usize) -> Registration {
        Registration {
            id: settings.id.clone(),
            name: settings.name.clone(),
            host: settings.host.clone(),
            since: self.since,
            jobs,
            max_jobs: settings.max_jobs,
            max_tasks: settings.max_tasks,
            lease_ttl_ms: u64::try_from(settings.lease_ttl().as_millis()).unwrap_or(u64::MAX),
            labels: settings.labels.iter().cloned().collect(),
            capabilities: settings.capabilities.keys().cloned().collect(),
            lacks: self.lacks().clone(),
        }
    }
}

/// Tells for ever.
pub(super) async fn tell(shared: &Shared) {
    let period = PERIOD.min(shared.settings.lease / 3);
    let mut told: Option<(Registration, Timestamp)> = None;
    loop {
        let now = shared.clock.now();
        let jobs = shared.leases.count();
        let registration = shared.presence.registration(&shared.settings, jobs);
        let is_news = told
            .as_ref()
            .is_none_or(|(last, at)| *last != registration || now.since(*at) >= period);
        if is_news && shared.board.register(&registration, KEPT).await.is_ok() {
            told = Some((registration, now));
        }
        shared.clock.sleep(PAUSE).await;
        tokio::select! {
            () = shared.presence.news.notified() => {}
            () = shared.leases.changed() => {}
            () = shared.clock.sleep_until(now.plus(period)) => {}
        }
    }
}
