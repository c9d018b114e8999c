//! What a conductor's log tells of its jobs: where each goes, what fails in it, and, if asked for, each start.

use std::error::Error;

use crate::engine::Observer;
use crate::model::{Change, FlowState, JobId, Record, Subject};
use crate::ports::LogChunk;

/// Writes what is committed to the program's log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Journal;

impl Observer for Journal {
    fn committed(&self, job: JobId, records: &[Record]) {
        for record in records {
            tell(job, record);
        }
    }

    fn logged(&self, _: &LogChunk) {}

    // Whoever finds out that something is away has the program's log say so.
    fn away(&self, _: &'static str, _: &dyn Error) {}

    fn back(&self, _: &'static str) {}
}

fn tell(job: JobId, record: &Record) {
    match &record.change {
        Change::Flow {
            state, cause, by, ..
        } => {
            let by = by.as_ref().map(|by| tracing::field::display(&by.who));
            let cause = cause
                .as_ref()
                .map(|cause| tracing::field::display(cause.message.clone()));
            tracing::info!(%job, by, cause, "{state}");
        }
        Change::Stalled { why } => {
            let cause = tracing::field::display(why.message.clone());
            tracing::info!(%job, cause, "{}", FlowState::Stuck);
        }
        Change::Failed { failure, .. } => {
            tracing::info!(%job, task = failure.task, attempt = failure.attempt, "a task failed: {failure}");
        }
        Change::RevertRetried { failure, .. } | Change::RevertFailed { failure } => {
            tracing::warn!(%job, task = failure.task, "a revert failed: {failure}");
        }
        Change::Interrupted { failure } => {
            tracing::warn!(%job, task = failure.task, "interrupted: a person must decide");
        }
        Change::Started { .. }
        | Change::Succeeded { .. }
        | Change::Tried { .. }
        | Change::Ignored
        | Change::HandedOver
        | Change::Reverting
        | Change::Reverted { .. }
        | Change::GivenUp { .. }
        | Change::Permitted { .. }
        | Change::Reset
        | Change::RetryDecided { .. }
        | Change::Retrying { .. }
        | Change::AllowDecided { .. } => {
            if let Subject::Atom(atom) = record.subject {
                tracing::debug!(%job, %atom, change = ?record.change, "a step");
            }
        }
    }
}
