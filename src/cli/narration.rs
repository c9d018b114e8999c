//! A job's history in words: one line for each transition that is worth telling.
//!
//! A record and the progress before it enter, a line leaves: the new state, whose it is, and what there is to say.

use super::line::{BOLD, DIM, Line, MAGENTA, PLAIN, RED, YELLOW};
use super::progress::{Progress, shown};
use super::status::{flow_symbol, symbol};
use super::words::{took, typed};
use crate::compile::AtomKind;
use crate::model::{
    AtomId, AtomState, Change, Failure, FailureKind, FlowState, Operator, Record, Subject,
    Timestamp,
};
use anstyle::Style;

/// The line for a record, given the progress before it; `None` if it is not worth telling.
#[must_use]
pub fn narrate(progress: &Progress, record: &Record) -> Option<Line> {
    match record.subject {
        Subject::Flow => flow(progress, record),
        Subject::Atom(atom) if atom.index() < progress.plan.atoms.len() => {
            match progress.plan.atom(atom).kind {
                AtomKind::Task(_) => task(progress, atom, record),
                AtomKind::Retry(_) => controller(progress, atom, record),
                AtomKind::Start | AtomKind::End => None,
            }
        }
        Subject::Atom(_) => None,
    }
}

fn said(style: Style, word: &str, name: &str) -> Line {
    Line::new()
        .with(style, format!("{word:<14}"))
        .with(PLAIN, " ")
        .with(BOLD, name)
}

fn by(operator: &Operator) -> String {
    if operator.why.is_empty() {
        format!("  by {}", operator.who)
    } else {
        format!("  by {}: {}", operator.who, operator.why)
    }
}

fn state(state: AtomState, name: &str) -> Line {
    said(symbol(state, None).0, state.as_str(), name)
}

fn task(progress: &Progress, atom: AtomId, record: &Record) -> Option<Line> {
    let name = &progress.plan.atom(atom).name;
    let row = progress.row(atom);
    let spent = |from: Option<Timestamp>| {
        from.map_or_else(String::new, |from| {
            format!("  {}", took(record.at.since(from)))
        })
    };
    Some(match &record.change {
        Change::Started { .. } => {
            let mut line = state(AtomState::Running, name);
            let attempt = row.attempt + 1;
            if attempt > 1 {
                line.push(PLAIN, format!("  attempt {attempt}"));
            }
            if let Some((variable, value)) = progress.value_for(atom) {
                line.push(PLAIN, format!("  {variable}={}", shown(value)));
            }
            if progress.asks(atom) {
                let (job, name) = (progress.job, typed(name));
                let what = format!("  waits for `jobrunner approve {job} {name}`, or `deny`");
                line.push(MAGENTA, what);
            }
            line
        }
        Change::Succeeded { .. } => {
            state(AtomState::Success, name).with(DIM, spent(row.started_at))
        }
        Change::Failed { failure, allowed } => {
            let line = state(AtomState::Failure, name)
                .with(DIM, spent(row.started_at))
                .with(RED, format!("  {}", failure.message));
            if *allowed {
                line.with(DIM, "  (allowed: the flow goes on)")
            } else {
                line
            }
        }
        Change::Ignored => state(AtomState::Ignore, name).with(DIM, "  skipped"),
        Change::Interrupted { .. } => state(AtomState::Interrupted, name).with(
            MAGENTA,
            "  its conductor ended while it ran: a person must decide",
        ),
        Change::HandedOver => {
            said(YELLOW, "HANDED OVER", name).with(DIM, "  its conductor was told to stop")
        }
        // The start of a revert that has nothing to do is not worth a line.
        Change::Reverting if !progress.has_revert(atom) => return None,
        Change::Reverting => state(AtomState::Reverting, name),
        Change::Reverted { by: operator } => {
            let line = state(AtomState::Reverted, name);
            match operator {
                Some(operator) => line.with(PLAIN, by(operator)),
                None if !progress.has_revert(atom) => line.with(DIM, "  nothing to undo"),
                None if row.state == AtomState::Reverting => line.with(DIM, spent(Some(row.since))),
                None => line,
            }
        }
        Change::RevertRetried { failure, until } => state(AtomState::Reverting, name)
            .with(RED, format!("  {}", failure.message))
            .with(
                YELLOW,
                format!("  again in {}", took(until.since(record.at))),
            ),
        Change::RevertFailed { failure } => {
            state(AtomState::RevertFailure, name).with(RED, format!("  {}", failure.message))
        }
        Change::GivenUp { by: operator } => {
            said(MAGENTA, "GIVEN UP", name).with(PLAIN, by(operator))
        }
        Change::Permitted { by: operator } => {
            said(YELLOW, "PERMITTED", name).with(PLAIN, by(operator))
        }
        Change::Tried { .. }
        | Change::Reset
        | Change::RetryDecided { .. }
        | Change::Retrying { .. }
        | Change::AllowDecided { .. }
        | Change::Stalled { .. }
        | Change::Flow { .. } => return None,
    })
}

fn controller(progress: &Progress, atom: AtomId, record: &Record) -> Option<Line> {
    let scope = progress.plan.scope(progress.plan.atom(atom).scope);
    let tries = progress.tries(atom);
    match &record.change {
        Change::Retrying { until } => {
            let of = progress
                .limit(atom)
                .map_or_else(String::new, |limit| format!(" of {limit}"));
            let wait = until.map_or_else(String::new, |until| {
                format!(" in {}", took(until.since(record.at)))
            });
            Some(
                state(AtomState::Retrying, &scope.name)
                    .with(PLAIN, format!("  attempt {}{of}{wait}", tries + 1)),
            )
        }
        Change::Failed { failure, .. } => {
            Some(state(AtomState::Failure, &scope.name).with(RED, format!("  {}", failure.message)))
        }
        Change::AllowDecided { .. } => Some(
            said(YELLOW, "ALLOWED", &scope.name).with(DIM, "  it is undone, and the flow goes on"),
        ),
        Change::Started { .. }
        | Change::Succeeded { .. }
        | Change::Tried { .. }
        | Change::Ignored
        | Change::Interrupted { .. }
        | Change::HandedOver
        | Change::Reverting
        | Change::RevertRetried { .. }
        | Change::Reverted { .. }
        | Change::RevertFailed { .. }
        | Change::GivenUp { .. }
        | Change::Permitted { .. }
        | Change::Reset
        | Change::RetryDecided { .. }
        | Change::Stalled { .. }
        | Change::Flow { .. } => None,
    }
}

fn flow(progress: &Progress, record: &Record) -> Option<Line> {
    let (state, cause, operator) = if let Change::Stalled { why } = &record.change {
        (&FlowState::Stuck, Some(why), None)
    } else if let Change::Flow {
        state, cause, by, ..
    } = &record.change
    {
        (state, cause.as_ref(), by.as_ref())
    } else {
        return None;
    };
    if *state == progress.flow.state {
        return None;
    }
    let (style, _) = flow_symbol(*state, None);
    let mut line = said(style, state.as_str(), &progress.plan.name);
    if let Some(operator) = operator {
        line.push(PLAIN, by(operator));
    }
    // A person's word is told already.
    if let Some(cause) = cause.filter(|_| operator.is_none()) {
        line.push(RED, format!("  {}", blame(cause)));
    }
    if state.is_end()
        && let Some(started) = progress.flow.started_at
    {
        line.push(DIM, format!("  {}", took(record.at.since(started))));
    }
    Some(line)
}

/// Who failed, and how.
#[must_use]
pub fn blame(failure: &Failure) -> String {
    // A cancellation says by whom and why; it is no task's fault.
    if failure.task.is_empty() || failure.kind == FailureKind::Cancelled {
        failure.message.clone()
    } else {
        format!("`{}` failed: {}", failure.task, failure.message)
    }
}
