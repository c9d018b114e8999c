//! A store in memory, for tests and the simulator.
//!
//! It keeps every promise of the port but durability: what it holds ends with it. It is deterministic: the same
//! calls in the same order give the same answers. It never waits, and never reads a clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::model::{
    AtomId, AtomRow, Checkpoint, ConductorId, Epoch, FlowRow, FlowState, JobId, NewJob, Record,
    Timestamp,
};
use crate::ports::{
    Commit, Committed, Created, EventRow, JobRow, JobSummary, Loaded, LogBatch, LogChunk,
    LogFilter, LogTrim, Request, Store, StoreError, Taken, is_to_be_run,
};

/// Jobs, atoms, events, logs and requests in ordered maps behind one lock.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    jobs: BTreeMap<JobId, Job>,
    keys: HashMap<String, JobId>,
    requests: BTreeMap<i64, (JobId, Request)>,
    last_request: i64,
    logs: BTreeMap<i64, LogChunk>,
    last_log: i64,
}

#[derive(Debug)]
struct Job {
    posted: NewJob,
    flow: FlowRow,
    owner: Option<ConductorId>,
    epoch: Epoch,
    claims: u32,
    atoms: BTreeMap<AtomId, AtomRow>,
    events: Vec<(Epoch, Record)>,
}

impl Job {
    fn seq(&self) -> i64 {
        i64::try_from(self.events.len()).expect("a list in memory is shorter than i64::MAX")
    }

    fn is_owned_by(&self, who: &ConductorId, epoch: Epoch) -> bool {
        self.owner.as_ref() == Some(who) && self.epoch == epoch
    }
}

impl Tables {
    fn waiting(&self, job: JobId) -> impl Iterator<Item = (i64, &Request)> {
        self.requests
            .iter()
            .filter(move |(_, (of, _))| *of == job)
            .map(|(number, (_, request))| (*number, request))
    }

    fn is_to_be_run(&self, id: JobId, job: &Job) -> bool {
        is_to_be_run(job.flow.state, self.waiting(id).next().is_some())
    }

    fn summary(&self, id: JobId, job: &Job) -> JobSummary {
        JobSummary {
            id,
            name: job.posted.name.clone(),
            flow: job.flow.clone(),
            intent: super::intent(self.waiting(id).map(|(_, request)| request)),
            owner: job.owner.clone(),
            epoch: job.epoch,
            requires: job.posted.requires.clone(),
            priority: job.posted.priority,
            created_at: job.posted.created_at,
        }
    }

    fn own(&mut self, id: JobId, who: &ConductorId) -> Option<Epoch> {
        let wanted = self.jobs.get(&id);
        let wanted = wanted.is_some_and(|job| self.is_to_be_run(id, job));
        let job = self.jobs.get_mut(&id).filter(|_| wanted)?;
        job.epoch = Epoch(job.epoch.0 + 1);
        job.owner = Some(who.clone());
        job.claims = job.claims.saturating_add(1);
        Some(job.epoch)
    }

    fn load(&self, id: JobId) -> Option<Loaded> {
        let job = self.jobs.get(&id)?;
        let summary = self.summary(id, job);
        let requests = self.waiting(id);
        Some(Loaded {
            job: JobRow {
                id,
                name: summary.name,
                bundle: job.posted.bundle.clone(),
                digest: job.posted.digest.clone(),
                inputs: job.posted.inputs.clone(),
                secrets: job.posted.secrets.clone(),
                requires: summary.requires,
                priority: summary.priority,
                flow: summary.flow,
                intent: summary.intent,
                owner: summary.owner,
                epoch: summary.epoch,
                seq: job.seq(),
                created_at: summary.created_at,
            },
            checkpoint: Checkpoint {
                flow: job.flow.clone(),
                atoms: job
                    .atoms
                    .iter()
                    .map(|(atom, row)| (*atom, row.clone()))
                    .collect(),
            },
            requests: requests.map(|(n, request)| (n, request.clone())).collect(),
            claims: job.claims,
        })
    }

    fn commit(&mut self, step: &Commit) -> Committed {
        let Some(job) = self.jobs.get_mut(&step.job) else {
            return Committed::Fenced;
        };
        if !job.is_owned_by(&step.owner, step.epoch) || job.seq() != step.seq {
            return Committed::Fenced;
        }
        job.claims = 0;
        for write in &step.atoms {
            job.atoms.insert(write.atom, write.row.clone());
        }
        let epoch = job.epoch;
        job.events
            .extend(step.records.iter().map(|record| (epoch, record.clone())));
        if let Some(flow) = &step.flow {
            job.flow = flow.clone();
        }
        let ended = job.flow.state.is_end();
        if ended {
            job.owner = None;
        }
        self.requests.retain(|number, (of, _)| {
            *of != step.job || !(ended || step.answered.contains(number))
        });
        Committed::Done {
            requests: self.waiting(step.job).next().is_some(),
        }
    }

    fn trim(&mut self, trim: &LogTrim) {
        self.logs.retain(|_, chunk| {
            chunk.job != trim.job
                || chunk.task != trim.task
                || chunk.attempt != trim.attempt
                || chunk.phase != trim.phase
                || !(trim.first..trim.end).contains(&chunk.n)
        });
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Whoever panicked with the lock did so in a test; the tables are whole between two statements.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn create(&self, new: &NewJob) -> Result<Created, StoreError> {
        let mut tables = self.tables();
        if let Some(first) = new.key.as_ref().and_then(|key| tables.keys.get(key)) {
            return Ok(Created::Existing(*first));
        }
        if tables.jobs.contains_key(&new.id) {
            return Ok(Created::Existing(new.id));
        }
        if let Some(key) = &new.key {
            tables.keys.insert(key.clone(), new.id);
        }
        tables.jobs.insert(
            new.id,
            Job {
                posted: new.clone(),
                flow: FlowRow {
                    since: new.created_at,
                    ..FlowRow::default()
                },
                owner: None,
                epoch: Epoch(0),
                claims: 0,
                atoms: BTreeMap::new(),
                events: Vec::new(),
            },
        );
        Ok(Created::New)
    }

    async fn own(&self, job: JobId, who: &ConductorId) -> Result<Option<Epoch>, StoreError> {
        Ok(self.tables().own(job, who))
    }

    async fn take(
        &self,
        jobs: &[JobId],
        who: &ConductorId,
    ) -> Result<Vec<(JobId, Taken)>, StoreError> {
        let mut tables = self.tables();
        let jobs: BTreeSet<JobId> = jobs.iter().copied().collect();
        let mut taken = Vec::new();
        for job in jobs {
            let row = tables.jobs.get(&job);
            if row.is_none_or(|row| row.flow.state.is_at_rest()) {
                continue;
            }
            if let Some(epoch) = tables.own(job, who)
                && let Some(loaded) = tables.load(job)
            {
                let loaded = Ok(loaded);
                taken.push((job, Taken { epoch, loaded }));
            }
        }
        Ok(taken)
    }

    async fn stall(
        &self,
        job: JobId,
        who: &ConductorId,
        epoch: Epoch,
        why: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(row) = tables
            .jobs
            .get_mut(&job)
            .filter(|row| row.is_owned_by(who, epoch) && !row.flow.state.is_end())
        else {
            return Ok(false);
        };
        let (cause, record) = super::stalled(why, at);
        row.flow.state = FlowState::Stuck;
        row.flow.cause = Some(cause);
        row.flow.since = at;
        row.claims = 0;
        row.events.push((epoch, record));
        Ok(true)
    }

    async fn disown(
        &self,
        job: JobId,
        who: &ConductorId,
        epoch: Epoch,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let owned = tables
            .jobs
            .get_mut(&job)
            .filter(|row| row.is_owned_by(who, epoch));
        Ok(owned.map(|row| row.owner = None).is_some())
    }

    async fn owns(&self, job: JobId, who: &ConductorId, epoch: Epoch) -> Result<bool, StoreError> {
        let tables = self.tables();
        let row = tables.jobs.get(&job);
        Ok(row.is_some_and(|row| row.is_owned_by(who, epoch)))
    }

    async fn load(&self, job: JobId) -> Result<Option<Loaded>, StoreError> {
        Ok(self.tables().load(job))
    }

    async fn commit(
        &self,
        steps: &[Commit],
        logs: &LogBatch,
    ) -> Result<Vec<Committed>, StoreError> {
        let mut tables = self.tables();
        let answers = steps.iter().map(|step| tables.commit(step)).collect();
        for chunk in &logs.chunks {
            tables.last_log += 1;
            let id = tables.last_log;
            let chunk = chunk.clone();
            tables.logs.insert(id, LogChunk { id, ..chunk });
        }
        for trim in &logs.trims {
            tables.trim(trim);
        }
        Ok(answers)
    }

    async fn request(
        &self,
        job: JobId,
        request: &Request,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let _ = at;
        let mut tables = self.tables();
        let open = tables
            .jobs
            .get(&job)
            .is_some_and(|row| !row.flow.state.is_end());
        if open {
            tables.last_request += 1;
            let number = tables.last_request;
            tables.requests.insert(number, (job, request.clone()));
        }
        Ok(open)
    }

    async fn requests(&self, who: &ConductorId) -> Result<Vec<(JobId, i64, Request)>, StoreError> {
        let tables = self.tables();
        let owned = |job: &JobId| {
            let row = tables.jobs.get(job);
            row.is_some_and(|row| row.owner.as_ref() == Some(who))
        };
        Ok(tables
            .requests
            .iter()
            .filter(|(_, (job, _))| owned(job))
            .map(|(number, (job, request))| (*job, *number, request.clone()))
            .collect())
    }

    async fn jobs(&self, ended: bool, limit: u32) -> Result<Vec<JobSummary>, StoreError> {
        let tables = self.tables();
        Ok(tables
            .jobs
            .iter()
            .rev()
            .filter(|(_, row)| ended || !row.flow.state.is_end())
            .take(limit as usize)
            .map(|(id, row)| tables.summary(*id, row))
            .collect())
    }

    async fn find(&self, prefix: &str, limit: u32) -> Result<Vec<JobSummary>, StoreError> {
        let tables = self.tables();
        Ok(tables
            .jobs
            .iter()
            .filter(|(id, _)| id.to_string().starts_with(prefix))
            .take(limit as usize)
            .map(|(id, row)| tables.summary(*id, row))
            .collect())
    }

    async fn ready(&self, after: Option<JobId>, limit: u32) -> Result<Vec<JobSummary>, StoreError> {
        let tables = self.tables();
        Ok(tables
            .jobs
            .iter()
            .filter(|(id, row)| {
                after.is_none_or(|after| **id > after) && tables.is_to_be_run(**id, row)
            })
            .take(limit as usize)
            .map(|(id, row)| tables.summary(*id, row))
            .collect())
    }

    async fn ended(
        &self,
        before: Timestamp,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobSummary>, StoreError> {
        let tables = self.tables();
        Ok(tables
            .jobs
            .iter()
            .filter(|(id, row)| {
                after.is_none_or(|after| **id > after)
                    && row.flow.state.is_end()
                    && row.flow.since < before
            })
            .take(limit as usize)
            .map(|(id, row)| tables.summary(*id, row))
            .collect())
    }

    async fn remove(&self, jobs: &[JobId]) -> Result<(), StoreError> {
        let tables = &mut *self.tables();
        for job in jobs {
            let row = tables.jobs.get(job);
            if row.is_some_and(|row| row.flow.state.is_end()) {
                tables.jobs.remove(job);
                tables.keys.retain(|_, of| of != job);
                tables.requests.retain(|_, (of, _)| of != job);
                tables.logs.retain(|_, chunk| chunk.job != *job);
            }
        }
        Ok(())
    }

    async fn events(
        &self,
        job: JobId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        let tables = self.tables();
        let events = tables.jobs.get(&job).map_or(&[][..], |row| &row.events);
        Ok((1..)
            .zip(events)
            .filter(|(seq, _)| *seq > after)
            .take(limit as usize)
            .map(|(seq, (epoch, record))| EventRow {
                seq,
                epoch: *epoch,
                record: record.clone(),
            })
            .collect())
    }

    async fn logs(&self, filter: &LogFilter) -> Result<Vec<LogChunk>, StoreError> {
        let tables = self.tables();
        let task = filter.task.as_ref();
        Ok(tables
            .logs
            .range(filter.after.saturating_add(1)..)
            .map(|(_, chunk)| chunk)
            .filter(|chunk| chunk.job == filter.job && task.is_none_or(|t| *t == chunk.task))
            .take(filter.limit as usize)
            .cloned()
            .collect())
    }
}
