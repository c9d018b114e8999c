//! The verdict of a rehearsal: a headline, and the sentences that stand behind it.

use super::text::{folded, wrapped};
use crate::cli::line::{BOLD, DIM, GREEN, Line, PLAIN, RED, YELLOW};
use crate::cli::words::count;
use crate::model::FlowState;
use crate::rehearsal::{Code, Effect, Rehearsed, Report, Takeover};

/// Whether a sentence is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    Good,
    Mixed,
}

/// The lines of the verdict.
#[must_use]
pub fn lines(found: &Report, width: usize) -> Vec<Line> {
    let mut lines = vec![headline(found)];
    let sentences = [
        sampled(found),
        failures(found),
        effects(found, width),
        reverts(found),
        deaths(found),
    ];
    for (news, text) in sentences.into_iter().flatten() {
        let (style, mut symbol) = match news {
            News::Good => (GREEN, "✓"),
            News::Mixed => (YELLOW, "!"),
        };
        for part in wrapped(&text, width.saturating_sub(4), usize::MAX) {
            let line = Line::new().with(PLAIN, "  ").with(style, symbol);
            lines.push(line.with(PLAIN, format!(" {part}")));
            symbol = " ";
        }
    }
    lines
}

fn headline(found: &Report) -> Line {
    let left = left(found).count();
    let of = found.tasks.len();
    let (style, symbol, text) = match found.success.end {
        Some(FlowState::Success) if left == of => (
            YELLOW,
            "!",
            "nothing is written that undoes what it did, should it fail".to_owned(),
        ),
        Some(FlowState::Success) if left > 0 => (
            YELLOW,
            "!",
            format!(
                "whatever fails, it is undone, but for what {left} of {} did",
                count(of, "task")
            ),
        ),
        Some(FlowState::Success) => (
            GREEN,
            "✓",
            "whatever fails, all that it did is undone".to_owned(),
        ),
        Some(_) => (
            RED,
            "✗",
            "it cannot succeed, even if every task does".to_owned(),
        ),
        None => (
            YELLOW,
            "!",
            "it is too large to be played to its end".to_owned(),
        ),
    };
    let plays = usize::try_from(found.plays).unwrap_or(usize::MAX);
    Line::new()
        .with(style, symbol)
        .with(PLAIN, " ")
        .with(BOLD, &found.flow)
        .with(PLAIN, format!(": {text}"))
        .with(DIM, format!("  ({})", count(plays, "play")))
}

fn left(found: &Report) -> impl Iterator<Item = &Rehearsed> {
    let tasks = found.tasks.iter();
    tasks.filter(|task| task.runs && task.effect == Effect::Left)
}

fn sampled(found: &Report) -> Option<(News, String)> {
    let played = found.sampled?;
    let of = count(found.tasks.len(), "task");
    Some((
        News::Mixed,
        format!("it is large: {played} of its {of} were made to fail"),
    ))
}

fn failures(found: &Report) -> Option<(News, String)> {
    let endings = found.tasks.iter().filter_map(|task| task.fails.as_ref());
    let endings: Vec<_> = endings.map(|ending| ending.end).collect();
    let ends = |state| endings.iter().filter(|end| **end == state).count();
    if endings.is_empty() {
        return None;
    }
    let reverted = ends(Some(FlowState::Reverted));
    if reverted == endings.len() {
        return Some((
            News::Good,
            "a task that fails for good: REVERTED".to_owned(),
        ));
    }
    let parts = [
        (reverted, "REVERTED", ""),
        (
            ends(Some(FlowState::Success)),
            "SUCCESS",
            ", where that is allowed",
        ),
        (ends(Some(FlowState::Stuck)), "STUCK", ""),
        (ends(None), "on and on", ", with very many tries"),
    ];
    let parts = parts.into_iter().filter(|(number, _, _)| *number > 0);
    let parts: Vec<String> = parts
        .map(|(number, end, why)| format!("{end} for {}{why}", count(number, "task")))
        .collect();
    let stuck = ends(Some(FlowState::Stuck)) > 0;
    let news = if stuck { News::Mixed } else { News::Good };
    let text = format!("a task that fails for good: {}", parts.join("; "));
    Some((news, text))
}

fn effects(found: &Report, width: usize) -> Option<(News, String)> {
    let left: Vec<String> = left(found).map(|task| task.task.clone()).collect();
    let names = folded(&left, ", ", width.saturating_sub(44).max(24));
    (!left.is_empty()).then(|| {
        (
            News::Mixed,
            format!("nothing is written that undoes what these do: {names}"),
        )
    })
}

fn reverts(found: &Report) -> Option<(News, String)> {
    let reverts = found
        .tasks
        .iter()
        .filter(|task| task.revert_fails.is_some());
    let reverts = reverts.count();
    let once = found.warnings.iter();
    let once = once
        .filter(|warning| warning.code == Code::RevertTriedOnce)
        .count();
    match (reverts, once) {
        (0, _) => None,
        (_, 0) => Some((
            News::Good,
            "a revert that fails: it is tried again before the flow is STUCK".to_owned(),
        )),
        (all, some) => {
            let of = if all == some {
                String::new()
            } else {
                format!(" for {some} of {all}")
            };
            let text = format!("a revert that fails: STUCK at once{of}, until a person decides");
            Some((News::Mixed, text))
        }
    }
}

fn deaths(found: &Report) -> Option<(News, String)> {
    let forward = &found.dies_forward;
    let backward = found.dies_backward.as_ref();
    let moments = forward.played + backward.map_or(0, |deaths| deaths.played);
    let otherwise = forward.otherwise.len() + backward.map_or(0, |deaths| deaths.otherwise.len());
    let again = found.tasks.iter().filter(|task| {
        let dies = task.conductor_dies.as_ref();
        dies.is_some_and(|dies| dies.then == Takeover::RunsAgain)
    });
    let twice = match again.count() {
        0 => String::new(),
        again => format!("; {} may run twice", count(again, "task")),
    };
    match (moments, otherwise) {
        (0, _) => None,
        (_, 0) => Some((
            News::Good,
            format!("a conductor that dies: whenever that is, the flow ends the same{twice}"),
        )),
        (_, some) => Some((
            News::Mixed,
            format!(
                "a conductor that dies: the flow ends in another way at {some} of {moments} moments{twice}"
            ),
        )),
    }
}
