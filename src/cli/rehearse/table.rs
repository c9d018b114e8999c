//! The table of a rehearsal: one row for each task, and what becomes of the flow.
//!
//! A report and a width enter, lines leave that fit into it. Long lists of names are folded.

use anstyle::Style;

use crate::cli::line::{BOLD, CYAN, DIM, GREEN, Line, MAGENTA, PLAIN, YELLOW};
use crate::cli::words::count;
use crate::model::{Duration, FlowState, format_duration};
use crate::rehearsal::{Effect, Ending, Interrupted, Rehearsed, Report, RevertFails, Takeover};

/// Between two columns.
const GAP: usize = 2;

/// The least that is left for what happens if a task fails.
const STORY: usize = 24;

/// Where the end of a flow takes up so much, its story begins.
const END: usize = 10;

/// The table.
#[must_use]
pub fn lines(found: &Report, width: usize) -> Vec<Line> {
    let rows: Vec<Row> = found.tasks.iter().map(Row::of).collect();
    let heads = heads(width);
    let column = |head: &str, cells: &mut dyn Iterator<Item = usize>| {
        cells.max().unwrap_or(0).max(head.chars().count())
    };
    let names = column(heads[0], &mut rows.iter().map(|row| row.name.width()));
    let names = names.min((width / 3).max(12));
    let revert = column(heads[2], &mut rows.iter().map(|row| row.revert.width()));
    let death = column(heads[3], &mut rows.iter().map(|row| row.death.width()));
    let effect = column(heads[4], &mut rows.iter().map(|row| row.effect.width()));
    let others = names + revert + death + effect + 4 * GAP;
    let widest = column(heads[1], &mut found.tasks.iter().map(story_width));
    let story = width
        .saturating_sub(others)
        .max(STORY)
        .min(widest.max(STORY));
    let stops = [
        names + GAP,
        names + story + 2 * GAP,
        names + story + revert + 3 * GAP,
        names + story + revert + death + 4 * GAP,
    ];
    let mut head = Line::new();
    for (text, stop) in heads.iter().zip([0].into_iter().chain(stops)) {
        head.pad_to(stop);
        head.push(DIM, text);
    }
    let mut lines = vec![head];
    for (task, row) in found.tasks.iter().zip(rows) {
        let mut line = row.name.fit(names);
        line.pad_to(stops[0]);
        let (first, between) = told(task, story);
        line.append(first.fit(story));
        for (cell, stop) in [row.revert, row.death, row.effect]
            .into_iter()
            .zip(&stops[1..])
        {
            line.pad_to(*stop);
            line.append(cell);
        }
        lines.push(line);
        if let Some(between) = between {
            let mut line = Line::new();
            line.pad_to(stops[0] + END);
            line.append(between.fit(width.saturating_sub(stops[0] + END)));
            lines.push(line);
        }
    }
    lines
}

fn heads(width: usize) -> [&'static str; 5] {
    if width >= 96 {
        [
            "TASK",
            "IF IT FAILS",
            "IF ITS REVERT FAILS",
            "IF THE CONDUCTOR DIES",
            "ITS EFFECT",
        ]
    } else {
        ["TASK", "IF IT FAILS", "REVERT FAILS", "CRASH", "EFFECT"]
    }
}

/// The cells of a row that take what they need.
struct Row {
    name: Line,
    revert: Line,
    death: Line,
    effect: Line,
}

impl Row {
    fn of(task: &Rehearsed) -> Self {
        let style = if task.runs { BOLD } else { DIM };
        let name = match task.task.rsplit_once('.') {
            Some((group, last)) => Line::new().with(DIM, format!("{group}.")).with(style, last),
            None => Line::new().with(style, &task.task),
        };
        let nothing = || Line::new().with(DIM, "-");
        Self {
            name,
            revert: task.revert_fails.as_ref().map_or_else(nothing, revert),
            death: task.conductor_dies.as_ref().map_or_else(nothing, death),
            effect: match task.effect {
                _ if !task.runs => nothing(),
                Effect::None => nothing(),
                Effect::Undone => Line::new().with(GREEN, "undone"),
                Effect::Left => Line::new().with(YELLOW, "stays"),
            },
        }
    }
}

fn revert(fails: &RevertFails) -> Line {
    let mut line = end(fails.ending.end);
    if fails.tries > 1 {
        line.push(PLAIN, format!(" after {}", fails.tries));
    }
    if !fails.ending.standing.is_empty() {
        line.push(PLAIN, format!(", {} left", fails.ending.standing.len()));
    }
    line
}

fn death(interrupted: &Interrupted) -> Line {
    match interrupted.then {
        Takeover::RunsAgain => Line::new().with(PLAIN, "runs again"),
        Takeover::WaitsOn => Line::new().with(PLAIN, "waits on"),
        Takeover::Pauses => end(interrupted.end),
        Takeover::Fails => end(interrupted.end),
    }
}

/// The end of a flow, as a word.
pub fn end(state: Option<FlowState>) -> Line {
    let Some(state) = state else {
        return Line::new().with(DIM, "goes on");
    };
    Line::new().with(end_style(state), state.as_str())
}

/// The colour of a flow's end.
pub fn end_style(state: FlowState) -> Style {
    match state {
        FlowState::Success => GREEN,
        FlowState::Reverted => YELLOW,
        FlowState::Stuck | FlowState::Abandoned => MAGENTA,
        FlowState::Pending | FlowState::Running | FlowState::Reverting | FlowState::Suspended => {
            CYAN
        }
    }
}

/// How wide the story of a task would like to be.
fn story_width(task: &Rehearsed) -> usize {
    told(task, usize::MAX).0.width()
}

/// What happens if a task fails, and if that is worth a line of its own, what is undone between two tries.
fn told(task: &Rehearsed, width: usize) -> (Line, Option<Line>) {
    let Some(fails) = &task.fails else {
        let word = if task.runs {
            "not played"
        } else {
            "skipped with these values"
        };
        return (Line::new().with(DIM, word), None);
    };
    let mut line = end(fails.end);
    line.pad_to(END);
    let mut parts = Vec::new();
    let tries = tries(task, fails);
    if let Some(tries) = &tries {
        parts.push(tries.clone());
    }
    if fails.end == Some(FlowState::Success) && fails.undone.is_empty() {
        parts.push("goes on without it".to_owned());
    }
    let said: usize = parts.iter().map(|part| part.chars().count() + 2).sum();
    if !fails.undone.is_empty() {
        let room = width.saturating_sub(END + said + "undoes ".len());
        parts.push(format!("undoes {}", folded(&fails.undone, room)));
    } else if fails.end == Some(FlowState::Reverted) {
        parts.push("nothing to undo".to_owned());
    }
    line.push(PLAIN, parts.join("; "));
    let between = task
        .fails_once
        .as_ref()
        .filter(|once| tries.is_some() && !once.undone.is_empty() && once.undone != fails.undone);
    let between = between.map(|once| {
        let names = folded(&once.undone, STORY * 2);
        Line::new().with(DIM, format!("each further try first undoes {names}"))
    });
    (line, between)
}

/// How many tries a task has before its failure is for good, and what is tried again.
fn tries(task: &Rehearsed, fails: &Ending) -> Option<String> {
    if fails.executions < 2 {
        return None;
    }
    let times = match fails.end {
        Some(_) => count(fails.executions as usize, "trie"),
        None => format!("{} tries and more", fails.executions),
    };
    let group = fails
        .retried
        .iter()
        .find(|retried| retried.scope != task.task);
    let of = group.map_or_else(String::new, |group| format!(" of {}", group.scope));
    let wait = match fails.waits_ms {
        0 => String::new(),
        ms => format!(" in {}", short(Duration::from_millis(ms))),
    };
    Some(format!("{times}{of}{wait}"))
}

/// A duration in its two largest units.
pub fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let rounded = match seconds {
        0..10 => duration,
        10..3600 => Duration::from_secs(seconds),
        3600..86_400 => Duration::from_secs(seconds / 60 * 60),
        _ => Duration::from_secs(seconds / 3600 * 3600),
    };
    format_duration(rounded)
}

/// As many names as there is room for: the first ones, and the last.
pub fn folded(names: &[String], room: usize) -> String {
    let all = names.join(", ");
    let (Some(last), true) = (names.last(), all.chars().count() > room) else {
        return all;
    };
    let number = format!("{}: ", names.len());
    let mut text = String::new();
    let mut left = room.saturating_sub(number.chars().count() + last.chars().count() + 2);
    for name in &names[..names.len() - 1] {
        let wide = name.chars().count() + 2;
        if wide > left {
            break;
        }
        left -= wide;
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(name);
    }
    if text.is_empty() {
        return count(names.len(), "task");
    }
    format!("{number}{text} … {last}")
}
