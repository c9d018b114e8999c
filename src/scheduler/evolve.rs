//! The fold: what a record makes of a row. A checkpoint is the fold of its records.

use crate::model::{
    AtomRow, AtomState, Change, Failure, FlowRow, FlowState, Intention, RetryHistory, Timestamp,
    Try, atom_may_become, flow_may_become,
};

/// A record that does not fit the row: what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Illegal(pub String);

/// What `change` makes of an atom's row.
///
/// # Errors
/// The transition is not legal from the row's state; the row is as it was.
pub fn evolve(row: &mut AtomRow, change: &Change, at: Timestamp) -> Result<(), Illegal> {
    use AtomState as S;
    let to = match change {
        Change::Started { .. } => S::Running,
        Change::Succeeded { .. } | Change::Tried { .. } => S::Success,
        Change::Failed { .. } => S::Failure,
        Change::Ignored => S::Ignore,
        Change::Interrupted { .. } => S::Interrupted,
        Change::Reverting => S::Reverting,
        Change::Reverted { .. } => S::Reverted,
        Change::RevertFailed { .. } => S::RevertFailure,
        Change::Reset => S::Pending,
        Change::Retrying { .. } => S::Retrying,
        Change::HandedOver
        | Change::RevertRetried { .. }
        | Change::GivenUp { .. }
        | Change::Permitted { .. }
        | Change::RetryDecided { .. }
        | Change::AllowDecided { .. } => return note(row, change),
        Change::Stalled { .. } | Change::Flow { .. } => {
            return Err(Illegal("a flow's record on an atom".to_owned()));
        }
    };
    if !atom_may_become(row.state, to) {
        return Err(Illegal(format!("{} to {to} is not legal", row.state)));
    }
    row.state = to;
    row.since = at;
    match change {
        Change::Started { until } => {
            row.attempt += 1;
            row.intention = Intention::Execute;
            row.started_at = Some(at);
            row.wake_at = *until;
            row.failure = None;
        }
        Change::Succeeded { result } => {
            row.wake_at = None;
            row.result = result.clone();
        }
        Change::Tried { value, deadline } => {
            row.wake_at = *deadline;
            row.result = value.clone();
            let history = row.history.get_or_insert_default();
            history.tries += 1;
            if history.last.len() == RetryHistory::KEPT {
                history.last.remove(0);
            }
            history.last.push(Try {
                number: history.tries,
                value: value.clone(),
                failure: None,
            });
        }
        Change::Failed { failure, allowed } => {
            row.wake_at = None;
            row.failure = Some(failure.clone());
            if *allowed {
                row.intention = Intention::Ignore;
            }
        }
        Change::Ignored => row.intention = Intention::Ignore,
        Change::Interrupted { failure } => row.failure = Some(failure.clone()),
        Change::Reverting => {
            row.intention = Intention::Revert;
            row.wake_at = None;
        }
        Change::Reverted { .. } => {
            row.intention = Intention::Revert;
            row.wake_at = None;
            row.revert_failure = None;
        }
        Change::RevertFailed { failure } => {
            row.wake_at = None;
            row.revert_failure = Some(failure.clone());
        }
        Change::Reset => {
            *row = AtomRow {
                attempt: row.attempt,
                generation: row.generation + 1,
                since: at,
                ..AtomRow::default()
            };
        }
        Change::Retrying { until } => {
            row.intention = Intention::Retry;
            row.wake_at = *until;
        }
        Change::HandedOver
        | Change::RevertRetried { .. }
        | Change::GivenUp { .. }
        | Change::Permitted { .. }
        | Change::RetryDecided { .. }
        | Change::AllowDecided { .. }
        | Change::Stalled { .. }
        | Change::Flow { .. } => {}
    }
    Ok(())
}

/// A change that leaves the state as it is.
fn note(row: &mut AtomRow, change: &Change) -> Result<(), Illegal> {
    use AtomState as S;
    let fits = match change {
        Change::HandedOver => matches!(row.state, S::Running | S::Reverting),
        Change::RevertRetried { .. } => row.state == S::Reverting,
        Change::GivenUp { .. } | Change::Permitted { .. } => {
            matches!(row.state, S::RevertFailure | S::Interrupted)
        }
        Change::RetryDecided { .. } => row.state == S::Success,
        // A controller that had nothing to try is FAILURE.
        Change::AllowDecided { .. } => matches!(row.state, S::Success | S::Failure),
        _ => false,
    };
    if !fits {
        return Err(Illegal(format!("{change:?} does not fit {}", row.state)));
    }
    match change {
        Change::RevertRetried { failure, until } => {
            row.revert_tries += 1;
            row.revert_failure = Some(failure.clone());
            row.wake_at = Some(*until);
        }
        Change::GivenUp { .. } => row.intention = Intention::Ignore,
        Change::Permitted { .. } => row.revert_tries = 0,
        Change::RetryDecided { failure } | Change::AllowDecided { failure } => {
            row.wake_at = None;
            row.intention = match change {
                Change::RetryDecided { .. } => Intention::Retry,
                _ => Intention::Ignore,
            };
            if let Some(last) = row.history.as_mut().and_then(|h| h.last.last_mut()) {
                last.failure = Some(Failure::clone(failure));
            }
        }
        _ => {}
    }
    Ok(())
}

/// What `change` makes of the flow's row. Changes of atoms leave it as it is.
///
/// # Errors
/// The transition is not legal from the row's state; the row is as it was.
pub fn evolve_flow(row: &mut FlowRow, change: &Change, at: Timestamp) -> Result<(), Illegal> {
    if let Change::Stalled { why } = change {
        if row.state.is_end() {
            return Err(Illegal(format!(
                "a flow that is {} cannot stall",
                row.state
            )));
        }
        row.state = FlowState::Stuck;
        row.since = at;
        row.cause = Some(why.as_ref().clone());
        return Ok(());
    }
    let Change::Flow {
        state,
        cause,
        deadline,
        abandoned,
        by: _,
    } = change
    else {
        return Err(Illegal("an atom's record on a flow".to_owned()));
    };
    let noted = *state == row.state && (cause.is_some() || *abandoned) && !state.is_end();
    if !noted && !flow_may_become(row.state, *state) {
        return Err(Illegal(format!(
            "a flow that is {} cannot become {state}",
            row.state
        )));
    }
    if *state != row.state {
        row.state = *state;
        row.since = at;
    }
    if row.started_at.is_none() && *state == FlowState::Running {
        row.started_at = Some(at);
    }
    row.reverting |= cause.is_some() || *state == FlowState::Reverting;
    row.abandoned |= *abandoned;
    if cause.is_some() {
        row.cause = cause.as_deref().cloned();
    }
    if deadline.is_some() {
        row.deadline = *deadline;
    }
    Ok(())
}
