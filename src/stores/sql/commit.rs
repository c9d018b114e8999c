//! Committing steps: a lone one in one round trip, a batch in two, whatever its size.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::SqlStore;
use super::read::FORM;
use crate::model::{FlowRow, JobId};
use crate::ports::{Commit, Committed, LogBatch, StoreError};
use crate::sql::Args;

/// Commits `steps` and `logs` in one transaction.
pub(super) async fn commit(
    store: &SqlStore,
    steps: &[Commit],
    logs: &LogBatch,
) -> Result<Vec<Committed>, StoreError> {
    let without_logs = logs.chunks.is_empty() && logs.trims.is_empty();
    match steps {
        [] if without_logs => Ok(Vec::new()),
        [step] if without_logs && step.flow.is_none() && step.answered.is_empty() => {
            Ok(vec![commit_one(store, step).await?])
        }
        _ => commit_many(store, steps, logs).await,
    }
}

async fn commit_one(store: &SqlStore, step: &Commit) -> Result<Committed, StoreError> {
    let atoms: Vec<_> = step
        .atoms
        .iter()
        .map(|write| (write.atom, &write.name, write.row.state, &write.row))
        .collect();
    let args = Args::new()
        .text(step.job.to_string())
        .text(step.owner.0.as_str())
        .int(step.epoch.0)
        .int(step.seq)
        .int(after(step))
        .text(json(&atoms)?)
        .text(json(&step.records)?)
        .int(FORM);
    let rows = store.database.write(store.dialect.commit_one, args).await?;
    match rows.first() {
        Some(row) => Ok(Committed::Done {
            requests: row.int(0)? != 0,
        }),
        None => Ok(Committed::Fenced),
    }
}

async fn commit_many(
    store: &SqlStore,
    steps: &[Commit],
    logs: &LogBatch,
) -> Result<Vec<Committed>, StoreError> {
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
        let moved = lane
            .run(fence, Args::new().text(fence_rows(steps, round)?))
            .await?;
        let moved = ids(&moved)?;
        let moved: Vec<usize> = round
            .iter()
            .copied()
            .filter(|index| moved.contains(&steps[*index].job.to_string()))
            .collect();
        let last = number + 1 == rounds.len();
        let (write, logs) = if last {
            (dialect.write_commit, logs)
        } else {
            (dialect.write, &LogBatch::default())
        };
        let moved_steps: Vec<&Commit> = moved.iter().map(|index| &steps[*index]).collect();
        let asked = ids(&lane.run(write, write_args(&moved_steps, logs)?).await?)?;
        for index in moved {
            answers[index] = Committed::Done {
                requests: asked.contains(&steps[index].job.to_string()),
            };
        }
    }
    lane.finish();
    Ok(answers)
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

fn fence_rows(steps: &[Commit], round: &[usize]) -> Result<String, StoreError> {
    let rows: Vec<_> = round
        .iter()
        .map(|index| &steps[*index])
        .map(|step| (step.job, &step.owner, step.epoch, step.seq, after(step)))
        .collect();
    json(&rows)
}

fn write_args(steps: &[&Commit], logs: &LogBatch) -> Result<Args, StoreError> {
    let mut atoms = Vec::new();
    let mut events = Vec::new();
    let mut flows = Vec::new();
    let mut answered = Vec::new();
    for step in steps {
        atoms.extend(step.atoms.iter().map(|write| {
            let state = write.row.state;
            let epoch = step.epoch;
            (step.job, write.atom, &write.name, state, epoch, &write.row)
        }));
        events.extend(
            (step.seq + 1..)
                .zip(&step.records)
                .map(|(seq, record)| (step.job, seq, step.epoch, record)),
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
    let jobs: Vec<_> = steps.iter().map(|step| step.job).collect();
    Ok(Args::new()
        .text(json(&atoms)?)
        .text(json(&events)?)
        .text(json(&flows)?)
        .text(json(&answered)?)
        .text(json(&chunks)?)
        .bytes(bytes)
        .text(json(&trims)?)
        .text(json(&jobs)?)
        .int(FORM))
}

fn flow_row(job: JobId, flow: &FlowRow) -> Result<impl Serialize, StoreError> {
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

fn after(step: &Commit) -> i64 {
    let records = i64::try_from(step.records.len()).expect("a list in memory is below i64::MAX");
    step.seq.saturating_add(records)
}

fn ids(rows: &[crate::sql::Row]) -> Result<BTreeSet<String>, StoreError> {
    Ok(rows
        .iter()
        .map(|row| row.text(0))
        .collect::<Result<_, _>>()?)
}

/// Structured text of the present form.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|why| StoreError::Corrupt(why.to_string()))
}
