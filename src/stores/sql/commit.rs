//! Committing steps: a lone one in one script, a batch in two, whatever its size; a few in MySQL in one packet.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::SqlStore;
use super::dialect::Structured;
use super::packet;
use super::read::FORM;
use crate::model::{FlowRow, JobId};
use crate::ports::{Commit, Committed, LogBatch, StoreError};
use crate::sql::{Args, Kind, Row, SqlError, Tries};

/// A statement with more than so many bytes in one batch is divided, if it can be: MariaDB takes 16 MiB at once.
const PORTION: usize = 6 << 20;

/// Commits `steps` and `logs` in one transaction.
pub(super) async fn commit(
    store: &SqlStore,
    steps: &[Commit],
    logs: &LogBatch,
) -> Result<Vec<Committed>, StoreError> {
    let without_logs = logs.chunks.is_empty() && logs.trims.is_empty();
    if steps.is_empty() && without_logs {
        return Ok(Vec::new());
    }
    if store.database.kind() == Kind::MySql
        && let Some(answers) = packet::commit(&store.database, steps, logs).await?
    {
        return Ok(answers);
    }
    match (steps, store.dialect.commit_one) {
        ([step], Some(script))
            if without_logs && step.flow.is_none() && step.answered.is_empty() =>
        {
            Ok(vec![commit_one(store, script, step).await?])
        }
        _ => commit_many(store, steps, logs).await,
    }
}

async fn commit_one(
    store: &SqlStore,
    script: &'static str,
    step: &Commit,
) -> Result<Committed, StoreError> {
    let as_is = store.dialect.structured;
    let atoms: Vec<_> = step
        .atoms
        .iter()
        .map(|write| {
            (
                write.atom,
                &write.name,
                write.row.state,
                as_is.of(&write.row),
            )
        })
        .collect();
    let records: Vec<_> = step.records.iter().map(|record| as_is.of(record)).collect();
    let args = Args::new()
        .text(step.job.to_string())
        .text(step.owner.0.as_str())
        .int(step.epoch.0)
        .int(step.seq)
        .int(after(step))
        .batch(json(&atoms)?)
        .batch(json(&records)?)
        .int(FORM);
    let rows = match store.database.write(script, args).await {
        // It came before.
        Err(SqlError::Taken(_)) => return Ok(Committed::Fenced),
        other => other?,
    };
    match rows.first() {
        Some(row) => Ok(Committed::Done {
            requests: row.int(0)? != 0,
        }),
        None => Ok(Committed::Fenced),
    }
}

/// Commits a batch; again from the start if it lost against another transaction.
async fn commit_many(
    store: &SqlStore,
    steps: &[Commit],
    logs: &LogBatch,
) -> Result<Vec<Committed>, StoreError> {
    let mut tries = Tries::default();
    loop {
        match try_many(store, steps, logs).await {
            Err(SqlError::Conflict { .. }) if tries.again().await => {}
            other => return Ok(other?),
        }
    }
}

async fn try_many(
    store: &SqlStore,
    steps: &[Commit],
    logs: &LogBatch,
) -> Result<Vec<Committed>, SqlError> {
    let dialect = store.dialect;
    let mut answers = vec![Committed::Fenced; steps.len()];
    let rounds = rounds(steps);
    let mut lane = store.database.writer().await?;
    for (number, round) in rounds.iter().enumerate() {
        let fence = if number == 0 {
            dialect.begin_fence
        } else {
            dialect.fence
        };
        let args = Args::new().batch(fence_rows(steps, round)?);
        let mut asked = requests(&lane.run(fence, args).await?)?;
        let moved: Vec<usize> = round
            .iter()
            .copied()
            .filter(|index| asked.contains_key(&steps[*index].job.to_string()))
            .collect();
        let last = number + 1 == rounds.len();
        let nothing = LogBatch::default();
        let logs = if last { logs } else { &nothing };
        let moved_steps: Vec<&Commit> = moved.iter().map(|index| &steps[*index]).collect();
        for step in moved_steps.iter().filter(|step| answers_requests(step)) {
            asked.insert(step.job.to_string(), false);
        }
        let mut portions = portions(dialect.structured, &moved_steps, logs)?;
        let end = portions.pop();
        for args in portions {
            still_asked(&mut asked, &lane.run(dialect.write, args).await?)?;
        }
        let write = if last {
            dialect.write_commit
        } else {
            dialect.write
        };
        if let Some(args) = end {
            still_asked(&mut asked, &lane.run(write, args).await?)?;
        }
        for index in moved {
            answers[index] = Committed::Done {
                requests: asked[&steps[index].job.to_string()],
            };
        }
    }
    lane.finish();
    Ok(answers)
}

/// What is to be written, in as many portions as it takes for a server to accept each of them; at least one.
fn portions(as_is: Structured, steps: &[&Commit], logs: &LogBatch) -> Result<Vec<Args>, SqlError> {
    let args = write_args(as_is, steps, logs)?;
    if args.longest() <= PORTION || steps.len() < 2 {
        return Ok(vec![args]);
    }
    let nothing = LogBatch::default();
    let mut portions: Vec<Vec<&Commit>> = vec![Vec::new()];
    let mut weight = 0;
    for step in steps {
        let alone = write_args(as_is, &[step], &nothing)?.longest();
        if weight + alone > PORTION {
            portions.push(Vec::new());
            weight = 0;
        }
        weight += alone;
        portions.last_mut().expect("there is always one").push(step);
    }
    let last = portions.len() - 1;
    portions
        .iter()
        .enumerate()
        .map(|(n, steps)| write_args(as_is, steps, if n == last { logs } else { &nothing }))
        .collect()
}

fn still_asked(asked: &mut BTreeMap<String, bool>, rows: &[Row]) -> Result<(), SqlError> {
    for row in rows {
        asked.insert(row.text(0)?, true);
    }
    Ok(())
}

/// Whether requests that waited when the step began may be gone with it.
fn answers_requests(step: &Commit) -> bool {
    !step.answered.is_empty() || ends(step)
}

pub(super) fn ends(step: &Commit) -> bool {
    step.flow.as_ref().is_some_and(|flow| flow.state.is_end())
}

/// The steps in rounds, in each of which a job comes once. Nearly always that is one; at least one.
fn rounds(steps: &[Commit]) -> Vec<Vec<usize>> {
    let mut rounds = vec![Vec::new()];
    let mut seen: BTreeMap<JobId, usize> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        let round = seen.entry(step.job).or_default();
        if *round == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[*round].push(index);
        *round += 1;
    }
    rounds
}

fn fence_rows(steps: &[Commit], round: &[usize]) -> Result<String, SqlError> {
    // In the order of their ids: whoever locks several jobs locks them in this order.
    let mut round: Vec<&Commit> = round.iter().map(|index| &steps[*index]).collect();
    round.sort_unstable_by_key(|step| step.job);
    let rows: Vec<_> = round
        .iter()
        .map(|step| (step.job, &step.owner, step.epoch, step.seq, after(step)))
        .collect();
    json(&rows)
}

fn write_args(as_is: Structured, steps: &[&Commit], logs: &LogBatch) -> Result<Args, SqlError> {
    let mut atoms = Vec::new();
    let mut events = Vec::new();
    let mut flows = Vec::new();
    let mut answered = Vec::new();
    for step in steps {
        atoms.extend(step.atoms.iter().map(|write| {
            let state = write.row.state;
            let epoch = step.epoch;
            (
                step.job,
                write.atom,
                &write.name,
                state,
                epoch,
                as_is.of(&write.row),
            )
        }));
        events.extend(
            (step.seq + 1..)
                .zip(&step.records)
                .map(|(seq, record)| (step.job, seq, step.epoch, as_is.of(record))),
        );
        if let Some(flow) = &step.flow {
            flows.push(flow_row(step.job, flow)?);
        }
        answered.extend(step.answered.iter().map(|number| (step.job, number)));
    }
    let mut bytes = Vec::new();
    let mut chunks = Vec::new();
    for chunk in &logs.chunks {
        // SQL counts from 1.
        let first = bytes.len() + 1;
        bytes.extend_from_slice(&chunk.bytes);
        chunks.push((
            chunk.job,
            &chunk.task,
            chunk.attempt,
            chunk.phase,
            chunk.n,
            chunk.stream,
            chunk.at,
            first,
            chunk.bytes.len(),
        ));
    }
    let trims: Vec<_> = logs
        .trims
        .iter()
        .map(|t| (t.job, &t.task, t.attempt, t.phase, t.first, t.end))
        .collect();
    let jobs = |of: fn(&Commit) -> bool| -> Vec<JobId> {
        let chosen = steps.iter().filter(|step| of(step));
        chosen.map(|step| step.job).collect()
    };
    Ok(Args::new()
        .batch(json(&atoms)?)
        .batch(json(&events)?)
        .batch(json(&flows)?)
        .batch(json(&answered)?)
        .batch(json(&jobs(ends))?)
        .batch(json(&chunks)?)
        .bytes(bytes)
        .batch(json(&trims)?)
        .batch(json(&jobs(answers_requests))?)
        .int(FORM))
}

fn flow_row(job: JobId, flow: &FlowRow) -> Result<impl Serialize, SqlError> {
    Ok((
        job,
        flow.state,
        i32::from(flow.state.is_end()),
        i32::from(flow.reverting),
        i32::from(flow.abandoned),
        flow.cause.as_ref().map(json).transpose()?,
        flow.deadline,
        flow.started_at,
        flow.since,
    ))
}

pub(super) fn after(step: &Commit) -> i64 {
    let records = i64::try_from(step.records.len()).expect("a list in memory is below i64::MAX");
    step.seq.saturating_add(records)
}

/// Reads `job, requests`.
fn requests(rows: &[Row]) -> Result<BTreeMap<String, bool>, SqlError> {
    rows.iter()
        .map(|row| Ok((row.text(0)?, row.int(1)? != 0)))
        .collect()
}

/// Structured text of the present form.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, SqlError> {
    serde_json::to_string(value).map_err(|why| SqlError::Unreadable(why.to_string()))
}

/// A value within a batch, as the dialect has it.
struct Within<'a, T>(Structured, &'a T);

impl Structured {
    fn of<T: Serialize>(self, value: &T) -> Within<'_, T> {
        Within(self, value)
    }
}

impl<T: Serialize> Serialize for Within<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Structured::Nested => self.1.serialize(serializer),
            Structured::Text => {
                let text = serde_json::to_string(self.1).map_err(serde::ser::Error::custom)?;
                serializer.serialize_str(&text)
            }
        }
    }
}
