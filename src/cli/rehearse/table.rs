//! The table of a rehearsal: a row for each task, and what becomes of the flow if something happens to it.
//!
//! A report and a width enter, lines leave that fit into it. On a narrow screen, what is undone stands below its row.

use anstyle::Style;

use super::text::{folded, short, wrapped};
use crate::cli::line::{BOLD, CYAN, DIM, GREEN, Line, MAGENTA, PLAIN, YELLOW};
use crate::cli::words::count;
use crate::model::{Duration, FlowState};
use crate::rehearsal::{Effect, Ending, Interrupted, Rehearsed, Report, RevertFails, Takeover};

/// Between two columns.
const GAP: usize = 2;

/// What is undone has a column of its own if that is at least so wide.
const NARROW: usize = 32;

/// The names of what is undone are folded to about so many lines.
const LINES: usize = 2;

/// What a column is about.
const HEADS: [&str; 5] = ["TASK", "IF IT FAILS", "REVERT FAILS", "CRASH", "EFFECT"];

/// The table.
#[must_use]
pub fn lines(found: &Report, width: usize) -> Vec<Line> {
    // Of a large flow, those that were not made to fail are only counted.
    let (tasks, others): (Vec<&Rehearsed>, Vec<&Rehearsed>) = found
        .tasks
        .iter()
        .partition(|task| task.fails.is_some() || !task.runs);
    let rows: Vec<[Line; 5]> = tasks.iter().map(|task| row(task)).collect();
    let widest = |column: usize| {
        let cells = rows.iter().map(|row| row[column].width());
        cells.max().unwrap_or(0).max(HEADS[column].len())
    };
    let mut stops = [0; 5];
    let mut stop = widest(0).min((width / 3).max(12)) + GAP;
    for (column, at) in stops.iter_mut().enumerate().skip(1) {
        *at = stop;
        stop += widest(column) + GAP;
    }
    let names = stops[1] - GAP;
    let beside = width.saturating_sub(stop) >= NARROW;
    let (indent, room) = if beside {
        (stop, width - stop)
    } else {
        (4, width.saturating_sub(4))
    };
    let mut head = Line::new();
    for (text, stop) in HEADS.iter().zip(stops) {
        head.pad_to(stop);
        head.push(DIM, text);
    }
    if beside {
        head.pad_to(indent);
        head.push(DIM, "WHAT HAPPENS IF IT FAILS FOR GOOD");
    }
    let mut lines = vec![head];
    for (task, row) in tasks.into_iter().zip(rows) {
        let mut line = Line::new();
        for (column, (cell, stop)) in row.into_iter().zip(stops).enumerate() {
            line.pad_to(stop);
            line.append(if column == 0 { cell.fit(names) } else { cell });
        }
        let story = told(task, room);
        let mut story = wrapped(&story, room, LINES + 2).into_iter();
        if beside && let Some(first) = story.next() {
            line.pad_to(indent);
            line.push(PLAIN, first);
        }
        lines.push(line);
        for more in story {
            let mut line = Line::new();
            line.pad_to(indent);
            line.push(PLAIN, more);
            lines.push(line);
        }
    }
    if !others.is_empty() {
        let text = format!(
            "… and {} that were not made to fail",
            count(others.len(), "task")
        );
        lines.push(Line::new().with(DIM, text));
    }
    lines
}

/// The cells of a row.
fn row(task: &Rehearsed) -> [Line; 5] {
    let style = if task.runs { BOLD } else { DIM };
    let name = match task.task.rsplit_once('.') {
        Some((group, last)) => Line::new().with(DIM, format!("{group}.")).with(style, last),
        None => Line::new().with(style, &task.task),
    };
    let nothing = || Line::new().with(DIM, "-");
    let word = |word: &str| Line::new().with(DIM, word);
    [
        name,
        match &task.fails {
            Some(fails) => end(fails.end),
            None if task.runs => word("not played"),
            None => word("skipped"),
        },
        task.revert_fails.as_ref().map_or_else(nothing, revert),
        task.conductor_dies.as_ref().map_or_else(nothing, death),
        match task.effect {
            _ if !task.runs => nothing(),
            Effect::None => nothing(),
            Effect::Undone => Line::new().with(GREEN, "undone"),
            Effect::Left => Line::new().with(YELLOW, "stays"),
        },
    ]
}

fn revert(fails: &RevertFails) -> Line {
    let mut line = end(fails.ending.end);
    match fails.ending.standing.len() {
        0 => {}
        others => line.push(PLAIN, format!(", {others} left")),
    }
    line
}

fn death(interrupted: &Interrupted) -> Line {
    match interrupted.then {
        Takeover::RunsAgain => Line::new().with(PLAIN, "runs again"),
        Takeover::WaitsOn => Line::new().with(PLAIN, "waits on"),
        Takeover::Pauses | Takeover::Fails => end(interrupted.end),
    }
}

/// The end of a flow, as a word.
pub fn end(state: Option<FlowState>) -> Line {
    match state {
        Some(state) => Line::new().with(end_style(state), state.as_str()),
        None => Line::new().with(DIM, "not played to its end"),
    }
}

fn end_style(state: FlowState) -> Style {
    match state {
        FlowState::Success => GREEN,
        FlowState::Reverted => YELLOW,
        FlowState::Stuck | FlowState::Abandoned => MAGENTA,
        FlowState::Pending | FlowState::Running | FlowState::Reverting | FlowState::Suspended => {
            CYAN
        }
    }
}

/// What happens if a task fails for good, in words, for a column of that width.
fn told(task: &Rehearsed, columns: usize) -> String {
    let Some(fails) = &task.fails else {
        return String::new();
    };
    let mut parts = Vec::new();
    if let Some(mut tries) = tries(task, fails) {
        // That a task undoes itself before it is tried again goes without saying.
        if let Some(once) = &task.fails_once
            && once.undone.iter().any(|name| *name != task.task)
        {
            tries.push_str(&format!(
                ", each undoing {}",
                folded(&once.undone, ", ", columns * 2 / 3)
            ));
        }
        parts.push(tries);
    }
    let said: usize = parts.iter().map(|part| part.chars().count() + 2).sum();
    match (fails.undone.is_empty(), fails.end) {
        (false, _) => {
            let left = (columns * LINES).saturating_sub(said);
            let room = left.max(columns).saturating_sub("undoes ".len());
            parts.push(format!("undoes {}", folded(&fails.undone, ", ", room)));
        }
        (true, Some(FlowState::Success)) => parts.push("goes on without it".to_owned()),
        (true, Some(FlowState::Reverted)) => parts.push("nothing to undo".to_owned()),
        (true, _) => {}
    }
    if fails.end == Some(FlowState::Success) && !fails.undone.is_empty() {
        parts.push("goes on".to_owned());
    }
    parts.join("; ")
}

/// How many tries a task has before its failure is for good, and what is tried again.
fn tries(task: &Rehearsed, fails: &Ending) -> Option<String> {
    if fails.executions < 2 {
        return None;
    }
    let more = if fails.end.is_none() {
        "more than "
    } else {
        ""
    };
    let mut groups = fails.retried.iter().map(|retried| &retried.scope);
    let of = match groups.find(|scope| **scope != task.task) {
        Some(group) => format!(" of {group}"),
        None => String::new(),
    };
    let wait = match fails.waits_ms {
        0 => String::new(),
        ms => format!(" in {}", short(Duration::from_millis(ms))),
    };
    Some(format!("{more}{} tries{of}{wait}", fails.executions))
}
