//! What is there but once: time, chance, the truth in the store, what is on the board, and what tasks have done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use jobrunner::boards::MemoryBoard;
use jobrunner::compile::Plan;
use jobrunner::model::{ConductorId, Epoch, JobId, NewJob, Timestamp};
use jobrunner::stores::MemoryStore;

use super::ledger::Ledger;
use super::time::{Chance, Gate, MachineClock, Time};

/// What everything in a run shares.
pub struct World {
    pub time: Arc<Time>,
    pub chance: Chance,
    pub store: MemoryStore,
    pub board: MemoryBoard,
    pub ledger: Mutex<Ledger>,
    /// Claims that the store has granted, in order.
    pub claims: Mutex<Vec<(JobId, ConductorId, Epoch)>>,
    /// How many records of each job are committed.
    pub committed: Mutex<BTreeMap<JobId, i64>>,
    /// Which machines were frozen: its number, from when, until when.
    pub freezes: Mutex<Vec<(usize, Timestamp, Timestamp)>>,
    /// One in so many calls of a server fails in some way; 0 for none.
    pub mishaps: AtomicU64,
    /// In 256: how many executes fail, and how many reverts.
    pub luck: (u64, u64),
    /// Whether store and board do in one call what can be done so: as MySQL and Redis, else as SQLite.
    pub together: bool,
    pub jobs: Mutex<Vec<Job>>,
    story: Option<Mutex<Vec<String>>>,
}

/// A job that was posted.
pub struct Job {
    pub posted: NewJob,
    pub text: String,
    pub plan: Arc<Plan>,
}

impl World {
    pub fn new(seed: u64, told: bool) -> Arc<Self> {
        let time = Time::new();
        let chance = Chance::new(seed);
        let clock = MachineClock {
            time: Arc::clone(&time),
            gate: Gate::default(),
            ahead: 0,
        };
        let luck = *chance.pick(&[(0, 0), (20, 0), (60, 0), (40, 20), (100, 8)]);
        let together = !chance.one_in(4);
        Arc::new(Self {
            board: MemoryBoard::new(Arc::new(clock)),
            store: MemoryStore::new(),
            ledger: Mutex::default(),
            claims: Mutex::default(),
            committed: Mutex::default(),
            freezes: Mutex::default(),
            mishaps: AtomicU64::new(0),
            luck,
            together,
            jobs: Mutex::default(),
            story: told.then(Mutex::default),
            time,
            chance,
        })
    }

    /// Adds a line to the story, if it is to be told.
    pub fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(story) = &self.story {
            let at = self.time.passed();
            let line = format!("{:>7}.{:03} {}", at / 1000, at % 1000, line());
            story.lock().unwrap().push(line);
        }
    }

    pub fn story(&self) -> Vec<String> {
        let story = self
            .story
            .as_ref()
            .map(|story| story.lock().unwrap().clone());
        story.unwrap_or_default()
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    pub fn jobs(&self) -> MutexGuard<'_, Vec<Job>> {
        self.jobs.lock().unwrap()
    }

    /// The plan of a job.
    pub fn plan(&self, job: JobId) -> Arc<Plan> {
        let jobs = self.jobs();
        let found = jobs.iter().find(|known| known.posted.id == job);
        Arc::clone(&found.expect("the job was posted here").plan)
    }

    /// The store has granted a claim.
    pub fn granted(&self, job: JobId, who: &ConductorId, epoch: Epoch) {
        self.tell(|| format!("job {} is {who}'s, epoch {}", job.0.as_u128(), epoch.0));
        let mut claims = self.claims.lock().unwrap();
        claims.push((job, who.clone(), epoch));
    }

    pub fn count_committed(&self, job: JobId, records: usize) {
        let mut committed = self.committed.lock().unwrap();
        *committed.entry(job).or_default() += i64::try_from(records).expect("few records");
    }

    pub fn committed(&self, job: JobId) -> i64 {
        let committed = self.committed.lock().unwrap();
        committed.get(&job).copied().unwrap_or_default()
    }

    /// What becomes of one call of a server.
    pub fn fate(&self) -> Fate {
        let mishaps = self.mishaps.load(Ordering::Relaxed);
        if mishaps == 0 || !self.chance.one_in(mishaps) {
            return Fate::Answered;
        }
        *self.chance.pick(&[
            Fate::Refused,
            Fate::AnswerLost,
            Fate::Late,
            Fate::LateAndLost,
        ])
    }
}

/// What becomes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It takes place, and the answer comes.
    Answered,
    /// It does not take place.
    Refused,
    /// It takes place, but the answer does not come.
    AnswerLost,
    /// It takes place much later.
    Late,
    /// It takes place much later, when whoever called has long been told that it failed.
    LateAndLost,
}
