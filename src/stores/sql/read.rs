//! From rows to what the port speaks of. Whatever does not fit is corrupt, and says where it stands.

use serde::de::DeserializeOwned;

use crate::model::{
    AtomId, AtomRow, Checkpoint, ConductorId, Digest, Epoch, Failure, FailureKind, FlowRow,
    FlowState, Intent, JobId, Phase, Priority, Timestamp,
};
use crate::ports::{EventRow, JobRow, JobSummary, Loaded, LogChunk, Request, StoreError, Stream};
use crate::sql::{Row, SqlError};

/// The version of all structured text that this program writes. A new one comes with a golden file of the old.
pub(super) const FORM: i64 = 1;

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Unavailable { what, source }
            | SqlError::Lost { what, source }
            | SqlError::Conflict { what, source } => Self::Unavailable {
                source: source.unwrap_or_else(|| what.clone().into()),
                what,
            },
            SqlError::Unreadable(what) | SqlError::Taken(what) => Self::Corrupt(what),
            SqlError::Newer { found, known } => Self::Newer { found, known },
        }
    }
}

/// Names the place where something unreadable stands.
fn corrupt(place: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("{place}: {why}"))
}

/// Reads structured text of a form that this program knows.
pub(super) fn structured<T: DeserializeOwned>(
    place: &str,
    form: i64,
    text: &str,
) -> Result<T, StoreError> {
    if form != FORM {
        return Err(corrupt(
            place,
            format_args!("written in form {form}, this program reads form {FORM}"),
        ));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    // A value as deep as a task may give back is deeper here, within its row. What is read was written by us.
    reader.disable_recursion_limit();
    T::deserialize(&mut reader).map_err(|why| corrupt(place, why))
}

/// Reads a word of a fixed set.
fn word<T>(place: &str, text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    parse(text).ok_or_else(|| corrupt(place, format_args!("`{text}` is not a word of it")))
}

fn job_id(text: &str) -> Result<JobId, StoreError> {
    text.parse().map_err(|why| corrupt("jobs", why))
}

/// Reads a flow's row from nine columns, the first of which is its state.
fn flow(row: &Row, place: &str, first: usize) -> Result<FlowRow, StoreError> {
    let cause = row.maybe_text(first + 3)?;
    Ok(FlowRow {
        state: word(place, &row.text(first)?, FlowState::parse)?,
        reverting: row.int(first + 1)? != 0,
        abandoned: row.int(first + 2)? != 0,
        cause: cause
            .map(|text| structured(place, FORM, &text))
            .transpose()?,
        deadline: row.maybe_int(first + 4)?.map(Timestamp),
        started_at: row.maybe_int(first + 5)?.map(Timestamp),
        since: Timestamp(row.int(first + 6)?),
    })
}

/// Reads a summary. A flow that cannot be read is listed as STUCK, which is what a conductor will make of it.
pub(super) fn summary(row: &Row) -> Result<JobSummary, StoreError> {
    let id = job_id(&row.text(0)?)?;
    let place = format!("job {id}");
    let created_at = Timestamp(row.int(13)?);
    Ok(JobSummary {
        id,
        name: row.text(1)?,
        flow: flow(row, &place, 2).unwrap_or_else(|why| FlowRow {
            state: FlowState::Stuck,
            cause: Some(Failure::new(FailureKind::Other, why.to_string())),
            since: created_at,
            ..FlowRow::default()
        }),
        intent: row
            .maybe_text(14)?
            .and_then(|word| Intent::parse(&word))
            .unwrap_or_default(),
        owner: row.maybe_text(9)?.map(ConductorId),
        epoch: Epoch(row.int(10)?),
        requires: row.text(11)?,
        priority: Priority::parse(&row.text(12)?).unwrap_or_default(),
        created_at,
    })
}

/// Reads the rows of a load.
pub(super) fn loaded(rows: &[Row]) -> Result<Option<Loaded>, StoreError> {
    let Some((first, rest)) = rows.split_first() else {
        return Ok(None);
    };
    let mut loaded = Loaded {
        job: job(first)?,
        checkpoint: Checkpoint::default(),
        requests: Vec::new(),
        claims: u32::try_from(first.int(21)?).unwrap_or(u32::MAX),
    };
    loaded.checkpoint.flow = loaded.job.flow.clone();
    for row in rest {
        let (number, form, text) = (row.int(1)?, row.int(2)?, row.text(3)?);
        if row.text(0)? == "atom" {
            let place = format!("job {}, atom {number}", loaded.job.id);
            let atom = u32::try_from(number).map_err(|why| corrupt(&place, why))?;
            let row: AtomRow = structured(&place, form, &text)?;
            loaded.checkpoint.atoms.push((AtomId(atom), row));
        } else {
            let place = format!("job {}, request {number}", loaded.job.id);
            let request: Request = structured(&place, form, &text)?;
            loaded.requests.push((number, request));
        }
    }
    loaded.job.intent = super::super::intent(loaded.requests.iter().map(|(_, request)| request));
    Ok(Some(loaded))
}

fn job(row: &Row) -> Result<JobRow, StoreError> {
    let id = job_id(&row.text(1)?)?;
    let place = format!("job {id}");
    let form = row.int(17)?;
    Ok(JobRow {
        id,
        name: row.text(2)?,
        bundle: structured(&place, form, &row.text(18)?)?,
        digest: Digest(row.text(15)?),
        inputs: structured(&place, form, &row.text(19)?)?,
        secrets: structured(&place, form, &row.text(20)?)?,
        requires: row.text(12)?,
        priority: word(&place, &row.text(13)?, Priority::parse)?,
        flow: flow(row, &place, 3)?,
        intent: Intent::None,
        owner: row.maybe_text(10)?.map(ConductorId),
        epoch: Epoch(row.int(11)?),
        seq: row.int(16)?,
        created_at: Timestamp(row.int(14)?),
    })
}

/// Reads `job, id, form, body`.
pub(super) fn request(row: &Row) -> Result<(JobId, i64, Request), StoreError> {
    let (job, number) = (job_id(&row.text(0)?)?, row.int(1)?);
    let place = format!("job {job}, request {number}");
    let request = structured(&place, row.int(2)?, &row.text(3)?)?;
    Ok((job, number, request))
}

/// Reads `seq, epoch, form, record`.
pub(super) fn event(row: &Row, job: JobId) -> Result<EventRow, StoreError> {
    let seq = row.int(0)?;
    let place = format!("job {job}, event {seq}");
    Ok(EventRow {
        seq,
        epoch: Epoch(row.int(1)?),
        record: structured(&place, row.int(2)?, &row.text(3)?)?,
    })
}

/// Reads `id, task, attempt, phase, n, stream, at, bytes`.
pub(super) fn chunk(row: &Row, job: JobId) -> Result<LogChunk, StoreError> {
    let id = row.int(0)?;
    let place = format!("job {job}, log chunk {id}");
    Ok(LogChunk {
        id,
        job,
        task: row.text(1)?,
        attempt: u32::try_from(row.int(2)?).map_err(|why| corrupt(&place, why))?,
        phase: word(&place, &row.text(3)?, |text| {
            [Phase::Execute, Phase::Revert]
                .into_iter()
                .find(|phase| phase.as_str() == text)
        })?,
        n: row.int(4)?,
        stream: word(&place, &row.text(5)?, Stream::parse)?,
        at: Timestamp(row.int(6)?),
        bytes: row.bytes(7)?,
    })
}
