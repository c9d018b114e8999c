//! Requests to a job that cannot be run: each is answered, so that the job is not claimed for it again and again.

use crate::model::{
    Change, ConductorId, Epoch, FlowState, Operator, Phase, Record, Subject, Timestamp, Verb,
};
use crate::ports::{Commit, Loaded, LogBatch, LogChunk, Request, Stream};
use crate::scheduler::evolve_flow;

/// The step that answers the requests of a job that cannot be run, and what is said about them in its log. Whoever
/// wants to abandon it gets that: to be abandoned, a job need not be understood.
pub(super) fn answer(
    loaded: Loaded,
    who: &ConductorId,
    epoch: Epoch,
    why: &str,
    now: Timestamp,
) -> (Commit, LogBatch) {
    let mut logs = LogBatch::default();
    let mut flow = loaded.job.flow;
    let mut records = Vec::new();
    let mut answered = Vec::new();
    for (number, request) in loaded.requests {
        answered.push(number);
        let abandoned = abandon(&request).and_then(|by| {
            let change = Change::Flow {
                state: FlowState::Abandoned,
                cause: None,
                deadline: None,
                abandoned: true,
                by: Some(Box::new(by)),
            };
            evolve_flow(&mut flow, &change, now).ok().map(|()| change)
        });
        match abandoned {
            Some(change) => records.push(Record {
                subject: Subject::Flow,
                change,
                at: now,
            }),
            None => logs.chunks.push(LogChunk {
                id: 0,
                job: loaded.job.id,
                task: loaded.job.name.clone(),
                attempt: 0,
                phase: Phase::Execute,
                n: number,
                stream: Stream::Note,
                at: now,
                bytes: format!("a request could not be carried out: {why}\n").into_bytes(),
            }),
        }
    }
    let step = Commit {
        job: loaded.job.id,
        owner: who.clone(),
        epoch,
        seq: loaded.job.seq,
        flow: (!records.is_empty()).then_some(flow),
        records,
        atoms: Vec::new(),
        answered,
    };
    (step, logs)
}

fn abandon(request: &Request) -> Option<Operator> {
    match request {
        Request::Decide {
            verb: Verb::Abandon,
            by,
            ..
        } => Some(by.clone()),
        Request::Cancel(_)
        | Request::Suspend(_)
        | Request::Resume(_)
        | Request::Decide { .. }
        | Request::Answer { .. } => None,
    }
}
