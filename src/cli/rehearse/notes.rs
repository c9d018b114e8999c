//! What a rehearsal says besides its table: the verdict above it, and below it what to look at and what to write.

use crate::cli::line::{BOLD, DIM, GREEN, Line, MAGENTA, PLAIN, RED, YELLOW};
use crate::cli::words::count;
use crate::model::{Duration, FlowState, Phase};
use crate::rehearsal::{
    Assumption, Code, Deaths, Effect, Place, Rehearsed, Report, Takeover, Topic, Warning,
};

use super::table::{end, folded, short};

/// So many lines of one kind are told; the JSON has them all.
const FEW: usize = 8;

/// The verdict: a headline, and what stands behind it.
#[must_use]
pub fn verdict(found: &Report, width: usize) -> Vec<Line> {
    let mut lines = vec![headline(found)];
    let mut say = |good: bool, text: String| {
        let (style, symbol) = if good { (GREEN, "✓") } else { (YELLOW, "!") };
        lines.push(
            Line::new()
                .with(PLAIN, "  ")
                .with(style, symbol)
                .with(PLAIN, format!(" {text}"))
                .fit(width),
        );
    };
    if let Some(played) = found.sampled {
        say(
            false,
            format!(
                "{played} of its {} were made to fail: a large flow is sampled",
                count(found.tasks.len(), "task")
            ),
        );
    }
    failures(found, width, &mut say);
    let once = reverts_tried_once(found);
    let reverts = found
        .tasks
        .iter()
        .filter(|task| task.revert_fails.is_some())
        .count();
    match once.len() {
        0 if reverts == 0 => {}
        0 => say(
            true,
            format!(
                "every revert is tried again before the flow is {}",
                FlowState::Stuck
            ),
        ),
        some => say(
            false,
            format!(
                "{} tried only once: if {} fails, the flow is {} until a person decides",
                if some == 1 {
                    "a revert is".to_owned()
                } else {
                    format!("{some} reverts are")
                },
                if some == 1 { "it" } else { "one" },
                FlowState::Stuck
            ),
        ),
    }
    deaths(found, &mut say);
    lines
}

fn headline(found: &Report) -> Line {
    let (style, symbol, text) = match found.success.end {
        Some(FlowState::Success) if left(found).next().is_some() => (
            YELLOW,
            "!",
            "is undone if anything fails, but not all of its effects are",
        ),
        Some(FlowState::Success) if stuck(found) => (
            YELLOW,
            "!",
            "can get stuck because of a single failure of a task",
        ),
        Some(FlowState::Success) => (GREEN, "✓", "whatever fails, what it did is undone"),
        Some(_) => (RED, "✗", "cannot succeed, even if every task does"),
        None => (YELLOW, "!", "is too large to be played to its end"),
    };
    let colon = if style == GREEN { ": " } else { " " };
    Line::new()
        .with(style, symbol)
        .with(PLAIN, " ")
        .with(BOLD, format!("{}{colon}{text}", found.flow))
        .with(
            DIM,
            format!(
                "  ({}, nothing was run)",
                count(usize::try_from(found.plays).unwrap_or(usize::MAX), "play")
            ),
        )
}

fn left(found: &Report) -> impl Iterator<Item = &Rehearsed> {
    let tasks = found.tasks.iter();
    tasks.filter(|task| task.runs && task.effect == Effect::Left)
}

fn stuck(found: &Report) -> bool {
    let mut endings = found.tasks.iter().filter_map(|task| task.fails.as_ref());
    endings.any(|ending| ending.end == Some(FlowState::Stuck))
}

fn failures(found: &Report, width: usize, say: &mut dyn FnMut(bool, String)) {
    let endings: Vec<_> = found
        .tasks
        .iter()
        .filter_map(|task| task.fails.as_ref())
        .collect();
    let ends = |state| {
        endings
            .iter()
            .filter(|ending| ending.end == Some(state))
            .count()
    };
    let all = endings.len();
    let reverted = ends(FlowState::Reverted);
    let passed = ends(FlowState::Success);
    let stuck = ends(FlowState::Stuck);
    let mut parts = Vec::new();
    for (number, what) in [
        (reverted, "REVERTED"),
        (passed, "SUCCESS (its failure is allowed)"),
        (stuck, "STUCK"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    match (all, reverted) {
        (0, _) => {}
        (all, some) if all == some => {
            let what = if all == 1 {
                "its task"
            } else {
                "any one of its tasks"
            };
            say(
                true,
                format!("if {what} fails for good, the flow ends REVERTED"),
            );
        }
        _ => say(
            stuck == 0,
            format!(
                "if a task fails for good, the flow ends: {}",
                parts.join(", ")
            ),
        ),
    }
    let left: Vec<String> = left(found).map(|task| task.task.clone()).collect();
    if !left.is_empty() {
        let number = format!(
            "the effects of {} stay, for nothing undoes them: ",
            count(left.len(), "task")
        );
        let room = width.saturating_sub(number.chars().count() + 4);
        say(false, format!("{number}{}", folded(&left, room)));
    }
}

fn deaths(found: &Report, say: &mut dyn FnMut(bool, String)) {
    let forward = &found.dies_forward;
    let backward = found.dies_backward.as_ref();
    let moments = forward.played + backward.map_or(0, |deaths| deaths.played);
    if moments == 0 {
        return;
    }
    let otherwise = forward.otherwise.len() + backward.map_or(0, |deaths| deaths.otherwise.len());
    let again = found
        .tasks
        .iter()
        .filter(|task| {
            let dies = task.conductor_dies.as_ref();
            dies.is_some_and(|dies| dies.then == Takeover::RunsAgain)
        })
        .count();
    let twice = match again {
        0 => String::new(),
        again => format!(", and {} may run twice", count(again, "task")),
    };
    if otherwise == 0 {
        say(
            true,
            format!(
                "the conductor may die at any of {moments} moments: the flow ends as without{twice}"
            ),
        );
    } else {
        say(
            false,
            format!(
                "the conductor may die: at {otherwise} of {moments} moments the flow then ends in another way{twice}"
            ),
        );
    }
}

fn reverts_tried_once(found: &Report) -> Vec<&Warning> {
    let warnings = found.warnings.iter();
    warnings
        .filter(|warning| warning.code == Code::RevertTriedOnce)
        .collect()
}

/// What stands below the table.
#[must_use]
pub fn lines(found: &Report, flow: &str, width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    order(found, width, &mut lines);
    dying(found, width, &mut lines);
    let codes = [Code::NeverSucceeds, Code::EffectLeft, Code::RevertTriedOnce];
    for code in codes {
        warnings(found, code, width, &mut lines);
    }
    assumptions(&found.assumptions, width, &mut lines);
    if let Some(task) = found.tasks.iter().rev().find(|task| task.fails.is_some()) {
        lines.push(Line::new());
        let command = format!("jobrunner rehearse {flow} --fail {}", task.task);
        lines.push(
            Line::new()
                .with(DIM, "One play in detail: ")
                .with(PLAIN, command),
        );
    }
    lines
}

fn order(found: &Report, width: usize, lines: &mut Vec<Line>) {
    if found.success.order.is_empty() {
        return;
    }
    lines.push(Line::new());
    let waits = match found.success.waits_ms {
        0 => String::new(),
        ms => format!(", waiting for {}", short(Duration::from_millis(ms))),
    };
    let end = found
        .success
        .end
        .map_or("not played to its end", FlowState::as_str);
    let title = format!("If all goes well ({end}{waits})");
    lines.push(Line::new().with(BOLD, title));
    let mut line = Line::new().with(PLAIN, "  ");
    let mut rows = 1;
    for (index, group) in found.success.order.iter().enumerate() {
        let arrow = if index == 0 { "" } else { "→ " };
        let names = folded(group, width / 2).replace(", ", " + ");
        let more = arrow.chars().count() + names.chars().count() + 1;
        if line.width() + more > width && line.width() > 2 {
            lines.push(std::mem::replace(&mut line, Line::new().with(PLAIN, "  ")));
            rows += 1;
            if rows > 3 {
                let left: usize = found.success.order[index..].iter().map(Vec::len).sum();
                line.push(DIM, format!("… and {} more", count(left, "task")));
                break;
            }
        }
        line.push(DIM, arrow);
        line.push(PLAIN, names + " ");
    }
    lines.push(line);
}

fn dying(found: &Report, width: usize, lines: &mut Vec<Line>) {
    let deaths = [
        (
            "going forward",
            Some(&found.dies_forward),
            Phase::Execute,
            "run",
        ),
        (
            "being undone",
            found.dies_backward.as_ref(),
            Phase::Revert,
            "reverts run",
        ),
    ];
    let deaths = deaths
        .into_iter()
        .filter_map(|(when, deaths, phase, what)| {
            let deaths = deaths.filter(|deaths| deaths.played > 0)?;
            Some((when, deaths, phase, what))
        });
    let deaths: Vec<_> = deaths.collect();
    if deaths.is_empty() {
        return;
    }
    lines.push(Line::new());
    lines.push(Line::new().with(BOLD, "If the conductor dies"));
    for (when, deaths, phase, what) in deaths {
        let moments = match deaths.played == deaths.commits {
            true => format!("after any of {}", count(deaths.commits, "commit")),
            false => format!(
                "after {} of {}",
                deaths.played,
                count(deaths.commits, "commit")
            ),
        };
        let mut line = Line::new().with(PLAIN, format!("  {when}, {moments}: the flow ends "));
        line.append(end(deaths.end));
        let twice: Vec<String> = deaths
            .runs_twice
            .iter()
            .filter(|side| side.phase == phase)
            .map(|side| side.task.clone())
            .collect();
        if !deaths.otherwise.is_empty() {
            line.push(PLAIN, ", except as told below");
        }
        lines.push(line.fit(width));
        if !twice.is_empty() {
            let text = format!("    {what} twice: ");
            let room = width.saturating_sub(text.chars().count());
            lines.push(
                Line::new()
                    .with(DIM, text)
                    .with(PLAIN, folded(&twice, room)),
            );
        }
        otherwise(deaths, width, lines);
    }
    let again = found
        .dies_forward
        .runs_twice
        .iter()
        .any(|side| side.phase == Phase::Execute);
    if again {
        let text = "    what must not: `if_interrupted: revert` or `if_interrupted: pause`";
        lines.push(Line::new().with(DIM, text));
    }
}

fn otherwise(deaths: &Deaths, width: usize, lines: &mut Vec<Line>) {
    for other in deaths.otherwise.iter().take(FEW) {
        let mut line = Line::new().with(DIM, format!("    after commit {}", other.after));
        if !other.running.is_empty() {
            let names = folded(&other.running, width / 2);
            line.push(DIM, " while ");
            line.push(PLAIN, names);
            line.push(
                DIM,
                if other.running.len() == 1 {
                    " runs"
                } else {
                    " run"
                },
            );
        }
        line.push(DIM, ": ");
        line.append(end(other.end));
        lines.push(line.fit(width));
    }
    more(deaths.otherwise.len(), "    ", lines);
}

fn warnings(found: &Report, code: Code, width: usize, lines: &mut Vec<Line>) {
    let warnings: Vec<&Warning> = found
        .warnings
        .iter()
        .filter(|warning| warning.code == code)
        .collect();
    let Some(first) = warnings.first() else {
        return;
    };
    lines.push(Line::new());
    let title = match code {
        Code::NeverSucceeds => "It cannot succeed",
        Code::EffectLeft => "Nothing undoes these",
        Code::RevertTriedOnce => "Reverts that are tried only once",
    };
    lines.push(
        Line::new()
            .with(
                if code == Code::NeverSucceeds {
                    RED
                } else {
                    YELLOW
                },
                title,
            )
            .with(DIM, "  write ")
            .with(PLAIN, &first.write)
            .fit(width),
    );
    if code == Code::NeverSucceeds {
        for warning in warnings {
            lines.push(
                Line::new()
                    .with(PLAIN, format!("  {}", warning.what))
                    .fit(width),
            );
        }
        return;
    }
    let kinds = |name: &str| {
        found
            .tasks
            .iter()
            .find(|task| task.task == name)
            .map(|task| task.kind.as_str())
    };
    let rows = warnings.iter().take(FEW).map(|warning| {
        vec![
            (DIM, format!("  {}", at(warning.place.as_ref()))),
            (PLAIN, warning.task.clone()),
            (DIM, kinds(&warning.task).unwrap_or_default().to_owned()),
        ]
    });
    let rows = crate::cli::line::columns(rows.collect());
    lines.extend(rows.into_iter().map(|line| line.fit(width)));
    more(warnings.len(), "  ", lines);
}

fn assumptions(assumptions: &[Assumption], width: usize, lines: &mut Vec<Line>) {
    if assumptions.is_empty() {
        return;
    }
    lines.push(Line::new());
    lines.push(
        Line::new()
            .with(MAGENTA, "Taken for granted")
            .with(DIM, "  for only results would tell"),
    );
    for assumption in assumptions.iter().take(FEW) {
        let text = &assumption.text;
        let what = match assumption.topic {
            Topic::When => format!("`when: {text}` holds"),
            Topic::ForEach => format!("`for_each: {text}` has two values"),
            Topic::Sleep => format!("`sleep: {text}` takes 1s"),
            Topic::On => format!("`on: {text}` holds: there is another try"),
            Topic::Jitter => "its delays are played without jitter".to_owned(),
        };
        lines.push(
            Line::new()
                .with(DIM, format!("  {}  ", at(assumption.place.as_ref())))
                .with(PLAIN, format!("{}  ", assumption.of))
                .with(PLAIN, what)
                .fit(width),
        );
    }
    more(assumptions.len(), "  ", lines);
}

fn more(number: usize, indent: &str, lines: &mut Vec<Line>) {
    if number > FEW {
        let text = format!(
            "{indent}… {} more: `--format json` has them all",
            number - FEW
        );
        lines.push(Line::new().with(DIM, text));
    }
}

fn at(place: Option<&Place>) -> String {
    place.map_or_else(String::new, |place| {
        format!("{}:{}", place.path, place.line)
    })
}
