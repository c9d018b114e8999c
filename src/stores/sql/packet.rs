//! A few steps in MySQL and MariaDB, in one packet: a short transaction there costs what its statements cost, and rows
//! that are written as they are cost far less than a batch that has to be read.
//!
//! What a packet does is decided before: either every step stands, or nothing of it took place. Then, as for all that
//! seldom comes with a step, the steps go the long way.

use std::collections::BTreeSet;

use super::commit::{after, ends, json};
use super::read::FORM;
use crate::ports::{Commit, Committed, LogBatch};
use crate::sql::{Database, Packet, SqlError};

/// The most steps in a packet. Each costs a statement; a batch of any size costs two.
const STEPS: usize = 16;
/// The most bytes of a packet: what is longer spares nothing by it.
const LENGTH: usize = 1 << 20;

/// Commits steps, each of another job, and output with them. `None`: nothing took place, and they have to go the long
/// way.
pub(super) async fn commit(
    database: &Database,
    steps: &[Commit],
    logs: &LogBatch,
) -> Result<Option<Vec<Committed>>, SqlError> {
    if !fits(steps, logs) {
        return Ok(None);
    }
    // In the order of their ids: whoever locks several jobs locks them in this order.
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_unstable_by_key(|index| steps[*index].job);
    let Some(packet) = packet(order.iter().map(|index| &steps[*index]), logs)? else {
        return Ok(None);
    };
    let passed = match database.pass(&packet).await {
        // A step came before.
        Err(SqlError::Taken(_)) => None,
        other => other?,
    };
    Ok(passed.map(|passed| {
        let mut answers = vec![Committed::Fenced; steps.len()];
        for (index, told) in order.into_iter().zip(passed.told) {
            if let Some(asked) = told {
                let requests = asked != 0;
                answers[index] = Committed::Done { requests };
            }
        }
        answers
    }))
}

/// Whether all that is to be done can be written so. What a step writes is held to its fence by its first record.
fn fits(steps: &[Commit], logs: &LogBatch) -> bool {
    let jobs: BTreeSet<_> = steps.iter().map(|step| step.job).collect();
    steps.len() <= STEPS
        && jobs.len() == steps.len()
        && logs.trims.is_empty()
        && steps.iter().all(|step| {
            step.answered.is_empty()
                && (!step.records.is_empty() || (step.atoms.is_empty() && step.flow.is_none()))
        })
}

fn packet<'a>(
    steps: impl Iterator<Item = &'a Commit> + Clone,
    logs: &LogBatch,
) -> Result<Option<Packet>, SqlError> {
    let mut packet = Packet::begin();
    for step in steps.clone() {
        fence(&mut packet, step)?;
    }
    events(&mut packet, steps.clone())?;
    atoms(&mut packet, steps)?;
    chunks(&mut packet, logs);
    packet.commit();
    Ok((packet.length() <= LENGTH).then_some(packet))
}

/// Moves `seq`, and tells whether requests wait. A job that ends takes its requests with it: if there are any, this is
/// not the way.
fn fence(packet: &mut Packet, step: &Commit) -> Result<(), SqlError> {
    packet.sql("UPDATE jobs SET seq = ").int(after(step));
    packet.sql(", claims = 0 * LAST_INSERT_ID(asked)");
    if let Some(flow) = &step.flow {
        let cause = flow.cause.as_ref().map(json).transpose()?;
        packet.sql(", state = ").text(flow.state.as_str());
        packet.sql(", ended = ").int(flow.state.is_end().into());
        packet.sql(", reverting = ").int(flow.reverting.into());
        packet.sql(", abandoned = ").int(flow.abandoned.into());
        packet.sql(", cause = ").maybe_text(cause.as_deref());
        packet
            .sql(", deadline = ")
            .maybe_int(flow.deadline.map(|at| at.0));
        packet
            .sql(", started_at = ")
            .maybe_int(flow.started_at.map(|at| at.0));
        packet.sql(", since = ").int(flow.since.0);
    }
    if ends(step) {
        packet.sql(", owner = NULL");
    }
    packet.sql(" WHERE id = ").text(&step.job.to_string());
    packet.sql(" AND owner = ").text(&step.owner.0);
    packet.sql(" AND epoch = ").int(step.epoch.0);
    packet.sql(" AND seq = ").int(step.seq);
    if ends(step) {
        packet.sql(" AND asked = 0");
    }
    packet.end_guard();
    Ok(())
}

/// The job of a step, or NULL unless `seq` was moved: the table tells. (`ROW_COUNT` would not do: it is wrong in what
/// MariaDB still carries out for a client that is gone.) Of a step that came before it is true as well, and the places
/// of its events are taken.
fn moved(packet: &mut Packet, step: &Commit) {
    packet
        .sql("(SELECT id FROM jobs WHERE id = ")
        .text(&step.job.to_string());
    if ends(step) {
        packet.sql(" AND owner IS NULL");
    } else {
        packet.sql(" AND owner = ").text(&step.owner.0);
    }
    packet.sql(" AND epoch = ").int(step.epoch.0);
    packet.sql(" AND seq = ").int(after(step)).sql(")");
}

fn events<'a>(
    packet: &mut Packet,
    steps: impl Iterator<Item = &'a Commit>,
) -> Result<(), SqlError> {
    let mut between = "INSERT INTO events (job, seq, epoch, form, record) VALUES (";
    for step in steps {
        for (n, (seq, record)) in (step.seq + 1..).zip(&step.records).enumerate() {
            packet.sql(between);
            if n == 0 {
                moved(packet, step);
            } else {
                packet.text(&step.job.to_string());
            }
            packet.sql(",").int(seq).sql(",").int(step.epoch.0);
            packet.sql(",").int(FORM).sql(",").text(&json(record)?);
            between = "),(";
        }
    }
    if between == "),(" {
        packet.sql(")").end();
    }
    Ok(())
}

fn atoms<'a>(packet: &mut Packet, steps: impl Iterator<Item = &'a Commit>) -> Result<(), SqlError> {
    let mut between = "INSERT INTO atoms (job, atom, name, state, epoch, form, content) VALUES (";
    for step in steps {
        for write in &step.atoms {
            packet.sql(between).text(&step.job.to_string());
            packet.sql(",").int(write.atom.0.into());
            packet.sql(",").text(&write.name);
            packet.sql(",").text(write.row.state.as_str());
            packet.sql(",").int(step.epoch.0).sql(",").int(FORM);
            packet.sql(",").text(&json(&write.row)?);
            between = "),(";
        }
    }
    if between == "),(" {
        // A row that was to be inserted has a name in MySQL (8.0.19), which gives up `VALUES()`, and none in MariaDB.
        // Each reads only what stands in comments of its own.
        packet.sql(") /*!80019 AS b*/ ON DUPLICATE KEY UPDATE ");
        packet.sql("name = /*!80019 b.name*//*M! VALUES(name)*/, ");
        packet.sql("state = /*!80019 b.state*//*M! VALUES(state)*/, ");
        packet.sql("epoch = /*!80019 b.epoch*//*M! VALUES(epoch)*/, ");
        packet.sql("form = /*!80019 b.form*//*M! VALUES(form)*/, ");
        packet.sql("content = /*!80019 b.content*//*M! VALUES(content)*/");
        packet.end();
    }
    Ok(())
}

fn chunks(packet: &mut Packet, logs: &LogBatch) {
    let mut between = "INSERT INTO logs (job, task, attempt, phase, n, stream, at, bytes) VALUES (";
    for chunk in &logs.chunks {
        packet.sql(between).text(&chunk.job.to_string());
        packet.sql(",").text(&chunk.task);
        packet.sql(",").int(chunk.attempt.into());
        packet.sql(",").text(chunk.phase.as_str());
        packet.sql(",").int(chunk.n);
        packet.sql(",").text(chunk.stream.as_str());
        packet.sql(",").int(chunk.at.0);
        packet.sql(",").bytes(&chunk.bytes);
        between = "),(";
    }
    if between == "),(" {
        packet.sql(")").end();
    }
}
