//! How a job ended, in words and as an exit code.

use indexmap::IndexMap;

use super::line::{BOLD, DIM, GREEN, Line, MAGENTA, PLAIN, RED, YELLOW};
use super::narration::blame;
use super::progress::{Progress, shown};
use super::report::{Error, Exit, Result};
use super::source::plan_of;
use super::status::flow_symbol;
use super::watch::Tails;
use super::words::{count, took};
use crate::model::{AtomId, AtomState, FlowState, Phase, Value};
use crate::ports::Loaded;
use crate::scheduler::Scheduler;

/// The last lines of what failed, what was undone, the verdict, what the flow provides, where it is `written` what
/// could not be worked out. `drawn`: below its tree.
#[must_use]
pub fn lines(
    progress: &Progress,
    written: Option<String>,
    tails: &Tails,
    provided: &IndexMap<String, Value>,
    id: &str,
    drawn: bool,
) -> Vec<Line> {
    let mut lines = Vec::new();
    let flow = &progress.flow;
    if let Some(cause) = &flow.cause {
        output(tails, &cause.task, Phase::Execute, &mut lines);
    }
    let stuck: Vec<AtomId> = progress
        .tasks()
        .filter(|atom| is_stuck(progress.row(*atom).state))
        .collect();
    for atom in &stuck {
        output(
            tails,
            &progress.plan.atom(*atom).name,
            Phase::Revert,
            &mut lines,
        );
    }
    undone(progress, &mut lines);
    // Under a tree that says so already it would only be said twice.
    if !(drawn && flow.state == FlowState::Success) {
        lines.push(verdict(progress));
    }
    for atom in stuck {
        let row = progress.row(atom);
        let why = row
            .revert_failure
            .as_ref()
            .or(row.failure.as_ref())
            .map_or("", |failure| failure.message.as_str());
        lines.push(
            Line::new()
                .with(MAGENTA, format!("  {} ", progress.row(atom).state))
                .with(BOLD, &progress.plan.atom(atom).name)
                .with(PLAIN, format!("  {why}")),
        );
    }
    for (name, value) in provided {
        lines.push(
            Line::new()
                .with(BOLD, format!("  {name}"))
                .with(PLAIN, ": ")
                .with(PLAIN, shown(value)),
        );
    }
    let written = written.map(|place| ("where it is written", place));
    for (what, command) in written.into_iter().chain(next(flow.state, id)) {
        lines.push(
            Line::new()
                .with(DIM, format!("  {what:<38}"))
                .with(PLAIN, command),
        );
    }
    lines
}

/// The exit code for where a flow stands.
#[must_use]
pub fn exit(state: FlowState) -> Exit {
    match state {
        FlowState::Success => Exit::Success,
        FlowState::Reverted | FlowState::Abandoned => Exit::Reverted,
        FlowState::Stuck | FlowState::Suspended => Exit::Stuck,
        FlowState::Pending | FlowState::Running | FlowState::Reverting => Exit::Unreachable,
    }
}

/// What a job's flow hands out; nothing unless it has succeeded.
///
/// # Errors
/// The job does not compile, or its checkpoint is corrupt.
pub fn provided(loaded: &Loaded) -> Result<IndexMap<String, Value>> {
    if loaded.job.flow.state != FlowState::Success {
        return Ok(IndexMap::new());
    }
    let plan = plan_of(&loaded.job)?;
    let scheduler = Scheduler::new(plan, loaded.checkpoint.clone(), 0).map_err(|error| {
        Error::said(Exit::Stuck, "the job's checkpoint is corrupt").because(&error)
    })?;
    Ok(scheduler.provided())
}

fn is_stuck(state: AtomState) -> bool {
    matches!(state, AtomState::RevertFailure | AtomState::Interrupted)
}

fn output(tails: &Tails, task: &str, phase: Phase, lines: &mut Vec<Line>) {
    let mut shown = tails.lines(task, phase).peekable();
    if shown.peek().is_none() {
        return;
    }
    let side = match phase {
        Phase::Execute => "",
        Phase::Revert => " (undoing)",
    };
    lines.push(
        Line::new()
            .with(PLAIN, "last output of ")
            .with(BOLD, task)
            .with(PLAIN, side)
            .with(PLAIN, ":"),
    );
    lines.extend(shown.map(|text| Line::new().with(DIM, "  │ ").with(PLAIN, text)));
}

fn undone(progress: &Progress, lines: &mut Vec<Line>) {
    let mut tasks: Vec<AtomId> = progress
        .tasks()
        .filter(|atom| {
            progress.row(*atom).state == AtomState::Reverted && progress.has_revert(*atom)
        })
        .collect();
    if tasks.is_empty() {
        return;
    }
    tasks.sort_by_key(|atom| progress.row(*atom).since);
    let names: Vec<&str> = tasks
        .iter()
        .map(|atom| progress.plan.atom(*atom).name.as_str())
        .collect();
    let text = match names.len() {
        0..=12 => names.join(", "),
        all => format!("{}, … and {} more", names[..10].join(", "), all - 10),
    };
    lines.push(Line::new().with(YELLOW, "undone: ").with(PLAIN, text));
}

fn verdict(progress: &Progress) -> Line {
    let flow = &progress.flow;
    let (style, symbol) = flow_symbol(flow.state, None);
    let line = Line::new()
        .with(style, symbol)
        .with(PLAIN, " ")
        .with(BOLD, &progress.plan.name);
    let time = flow.started_at.map_or_else(String::new, |from| {
        format!(" in {}", took(flow.since.since(from)))
    });
    let because = flow
        .cause
        .as_ref()
        .map_or_else(String::new, |cause| format!(": {}", blame(cause)));
    let tally = progress.tally(crate::model::ScopeId::FLOW);
    match flow.state {
        FlowState::Success => {
            let skipped = match tally.skipped {
                0 => String::new(),
                some => format!(" ({some} skipped)"),
            };
            line.with(GREEN, " succeeded").with(
                PLAIN,
                format!("{time}, {} done{skipped}", count(tally.done, "task")),
            )
        }
        FlowState::Reverted => line
            .with(RED, " was reverted")
            .with(PLAIN, format!("{time}{because}")),
        FlowState::Abandoned => line.with(MAGENTA, " was abandoned").with(PLAIN, because),
        FlowState::Stuck => line.with(MAGENTA, " is stuck").with(PLAIN, because),
        FlowState::Suspended => line.with(YELLOW, " is suspended"),
        FlowState::Pending | FlowState::Running | FlowState::Reverting => {
            line.with(YELLOW, " was stopped on its way: the job is kept")
        }
    }
}

/// What can be done next: in words, and as a command.
fn next(state: FlowState, id: &str) -> Vec<(&'static str, String)> {
    match state {
        FlowState::Success => Vec::new(),
        FlowState::Reverted | FlowState::Abandoned => {
            vec![("all of its output", format!("jobrunner logs {id}"))]
        }
        FlowState::Stuck => vec![
            ("what happened", format!("jobrunner show {id}")),
            (
                "try again what could not be undone",
                format!("jobrunner retry {id}"),
            ),
            (
                "it has been undone by hand",
                format!("jobrunner mark-reverted {id}"),
            ),
            (
                "leave it as it is, and end the job",
                format!("jobrunner abandon {id}"),
            ),
        ],
        FlowState::Suspended => vec![
            ("go on", format!("jobrunner resume {id}")),
            ("undo it", format!("jobrunner cancel {id}")),
        ],
        FlowState::Pending | FlowState::Running => vec![
            ("go on with it", "jobrunner run --until-empty".to_owned()),
            (
                "undo it",
                format!("jobrunner cancel {id}, then jobrunner run --until-empty"),
            ),
        ],
        FlowState::Reverting => vec![(
            "finish undoing it",
            "jobrunner run --until-empty".to_owned(),
        )],
    }
}
