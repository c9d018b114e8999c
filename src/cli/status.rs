//! Where a flow, a group or a task stands, as it is drawn: symbols, colours, times and short remarks.
//!
//! Progress enters, pieces of a line leave.

use anstyle::Style;

use super::line::{BOLD, CYAN, DIM, GREEN, Line, MAGENTA, PLAIN, RED, YELLOW};
use super::progress::{Progress, Tally, shown};
use super::words::took;
use crate::model::{AtomId, AtomState, FlowState, ScopeId, Timestamp};

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// How the tree is to look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The instant at which it is looked at.
    pub now: Timestamp,
    /// At most so many lines.
    pub height: usize,
    /// How wide a name may be before it is cut.
    pub names: usize,
    /// States as words in a column of their own.
    pub words: bool,
    /// Which picture of the spinner to show; none where nothing moves.
    pub frame: Option<usize>,
}

/// The flow's own line: its name, the job's id, how far it is.
#[must_use]
pub fn headline(progress: &Progress, id: &str, look: Look) -> Line {
    let flow = &progress.flow;
    let (style, symbol) = flow_symbol(flow.state, look.frame);
    let tally = progress.tally(ScopeId::FLOW);
    let mut line = Line::new()
        .with(style, symbol)
        .with(PLAIN, " ")
        .with(BOLD, &progress.plan.name)
        .with(DIM, format!("  {id}  "))
        .with(style, flow.state.as_str())
        .with(PLAIN, "  ");
    match flow.state {
        FlowState::Reverting => line.push(PLAIN, format!("{} undone  ", tally.reverted)),
        FlowState::Running | FlowState::Suspended => {
            line.push(
                PLAIN,
                format!("{} of {} done  ", tally.done + tally.skipped, tally.tasks),
            );
        }
        FlowState::Pending
        | FlowState::Success
        | FlowState::Reverted
        | FlowState::Stuck
        | FlowState::Abandoned => {}
    }
    if let Some(started) = flow.started_at {
        let until = if flow.state.is_end() {
            flow.since
        } else {
            look.now
        };
        line.push(DIM, took(until.since(started)));
    }
    if let Some((controller, tries)) = progress
        .plan
        .scope(ScopeId::FLOW)
        .controller
        .map(|controller| (controller, progress.tries(controller)))
        .filter(|(_, tries)| *tries > 1)
    {
        let of = progress
            .limit(controller)
            .map_or_else(String::new, |limit| format!(" of {limit}"));
        line.push(PLAIN, format!("  attempt {tries}{of}"));
    }
    line
}

/// A state's colour and symbol.
#[must_use]
pub fn symbol(state: AtomState, frame: Option<usize>) -> (Style, &'static str) {
    let turning = |still| frame.map_or(still, |frame| SPINNER[frame % SPINNER.len()]);
    match state {
        AtomState::Pending => (DIM, "·"),
        AtomState::Running => (CYAN, turning("▶")),
        AtomState::Success => (GREEN, "✓"),
        AtomState::Failure => (RED, "✗"),
        AtomState::Reverting => (YELLOW, turning("↶")),
        AtomState::Reverted => (YELLOW, "↶"),
        AtomState::RevertFailure => (MAGENTA, "!"),
        AtomState::Ignore => (DIM, "-"),
        AtomState::Interrupted => (MAGENTA, "?"),
        AtomState::Retrying => (YELLOW, "↻"),
    }
}

/// A flow's state as that of an atom, for its colour and symbol.
#[must_use]
pub fn flow_symbol(state: FlowState, frame: Option<usize>) -> (Style, &'static str) {
    match state {
        FlowState::Pending => symbol(AtomState::Pending, frame),
        FlowState::Running => symbol(AtomState::Running, frame),
        FlowState::Reverting => symbol(AtomState::Reverting, frame),
        FlowState::Suspended => (YELLOW, "‖"),
        FlowState::Success => symbol(AtomState::Success, frame),
        FlowState::Reverted => symbol(AtomState::Failure, frame),
        FlowState::Stuck => symbol(AtomState::RevertFailure, frame),
        FlowState::Abandoned => (MAGENTA, "✗"),
    }
}

/// Whether the task waits for its next attempt.
#[must_use]
pub fn retries(progress: &Progress, task: AtomId) -> bool {
    progress
        .own_controller(task)
        .is_some_and(|controller| progress.row(controller).state == AtomState::Retrying)
}

/// A group's state, told by those of its tasks.
#[must_use]
pub fn group_state(tally: Tally) -> AtomState {
    match tally {
        _ if tally.stuck > 0 => AtomState::RevertFailure,
        _ if tally.reverting > 0 => AtomState::Reverting,
        _ if tally.failed > 0 => AtomState::Failure,
        _ if tally.running > 0 => AtomState::Running,
        _ if tally.skipped == tally.tasks => AtomState::Ignore,
        _ if tally.done + tally.skipped == tally.tasks => AtomState::Success,
        _ if tally.reverted > 0 => AtomState::Reverted,
        _ if tally.pending == tally.tasks => AtomState::Pending,
        _ => AtomState::Running,
    }
}

fn state_word(state: AtomState, look: Look, line: &mut Line) {
    if look.words {
        let start = line.width();
        line.push(symbol(state, None).0, state.as_str());
        line.pad_to(start + 16);
    }
}

fn time(duration: Option<String>, line: &mut Line) {
    let start = line.width();
    if let Some(text) = duration {
        line.pad_to(start + 6usize.saturating_sub(text.len()));
        line.push(DIM, text);
    }
    line.pad_to(start + 8);
}

/// What there is to say of a task, behind its name.
pub fn task_details(
    progress: &Progress,
    atom: AtomId,
    look: Look,
    output: &dyn Fn(&str) -> Option<String>,
    line: &mut Line,
) {
    let row = progress.row(atom);
    let controller = progress.own_controller(atom);
    state_word(row.state, look, line);
    let started = row.started_at.unwrap_or(row.since);
    let duration = match row.state {
        AtomState::Running => Some(took(look.now.since(started))),
        AtomState::Success | AtomState::Failure => Some(took(row.since.since(started))),
        AtomState::Reverting => Some(took(look.now.since(row.since))),
        AtomState::Pending
        | AtomState::Reverted
        | AtomState::RevertFailure
        | AtomState::Ignore
        | AtomState::Interrupted
        | AtomState::Retrying => None,
    };
    time(duration, line);
    let mut notes = Notes(line);
    let tries = controller.map_or(0, |controller| progress.tries(controller));
    if row.attempt > 1 || tries > 1 {
        let of = controller
            .and_then(|controller| progress.limit(controller))
            .filter(|_| tries == row.attempt)
            .map_or_else(String::new, |limit| format!(" of {limit}"));
        notes.add(PLAIN, format!("attempt {}{of}", row.attempt));
    }
    if let Some((name, value)) = controller.and_then(|controller| progress.value(controller)) {
        notes.add(PLAIN, format!("{name}={}", shown(value)));
    }
    if let Some(controller) = controller.filter(|_| retries(progress, atom)) {
        let wait = progress
            .row(controller)
            .wake_at
            .map_or_else(String::new, |at| {
                format!(" in {}", took(at.since(look.now)))
            });
        notes.add(YELLOW, format!("next attempt{wait}"));
    }
    match row.state {
        AtomState::Running => {
            if progress.asks(atom) {
                notes.add(MAGENTA, "waits for an answer");
            }
            if let Some(until) = row.wake_at {
                notes.add(DIM, format!("{} left", took(until.since(look.now))));
            }
            if let Some(text) = output(&progress.plan.atom(atom).name) {
                notes.add(DIM, text);
            }
        }
        AtomState::Reverting => {
            notes.add(YELLOW, "undoing");
            if let Some(text) = output(&progress.plan.atom(atom).name) {
                notes.add(DIM, text);
            }
        }
        AtomState::Reverted if progress.has_revert(atom) => notes.add(YELLOW, "undone"),
        AtomState::Reverted => notes.add(DIM, "nothing to undo"),
        AtomState::Ignore if !look.words => notes.add(DIM, "skipped"),
        AtomState::Interrupted => notes.add(MAGENTA, "interrupted: a person must decide"),
        AtomState::RevertFailure => notes.add(MAGENTA, "not undone: a person must decide"),
        AtomState::Ignore
        | AtomState::Pending
        | AtomState::Success
        | AtomState::Failure
        | AtomState::Retrying => {}
    }
    for failure in [&row.failure, &row.revert_failure].into_iter().flatten() {
        notes.add(RED, &failure.message);
    }
}

/// What there is to say of a group, behind its name.
pub fn group_details(progress: &Progress, scope: ScopeId, look: Look, line: &mut Line) {
    let tally = progress.tally(scope);
    state_word(group_state(tally), look, line);
    time(None, line);
    let mut notes = Notes(line);
    if tally.reverted > 0 && tally.reverted + tally.pending == tally.tasks {
        let undone =
            |atom| progress.row(atom).state == AtomState::Reverted && progress.has_revert(atom);
        match progress.tasks_of(scope).any(undone) {
            true => notes.add(YELLOW, "undone"),
            false => notes.add(DIM, "nothing to undo"),
        }
    } else {
        let done = tally.done + tally.skipped;
        notes.add(DIM, format!("{done} of {} done", tally.tasks));
    }
    let Some(controller) = progress.plan.scope(scope).controller else {
        return;
    };
    let tries = progress.tries(controller);
    if tries > 1 {
        let of = progress
            .limit(controller)
            .map_or_else(String::new, |limit| format!(" of {limit}"));
        notes.add(PLAIN, format!("attempt {tries}{of}"));
    }
    if let Some((name, value)) = progress.value(controller) {
        notes.add(PLAIN, format!("{name}={}", shown(value)));
    }
    if progress.row(controller).state == AtomState::Retrying {
        let wait = progress
            .row(controller)
            .wake_at
            .map_or_else(String::new, |at| {
                format!(" in {}", took(at.since(look.now)))
            });
        notes.add(YELLOW, format!("next attempt{wait}"));
    }
}

/// Short remarks at the end of a line, with spaces between them.
struct Notes<'a>(&'a mut Line);

impl Notes<'_> {
    fn add(&mut self, style: Style, text: impl AsRef<str>) {
        self.0.push(style, text);
        self.0.push(PLAIN, "  ");
    }
}
