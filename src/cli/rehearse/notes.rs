//! What a rehearsal says below its table: the order, what a death of the conductor does, what to write.

use std::ffi::OsString;

use crate::cli::line::{BOLD, DIM, Line, MAGENTA, PLAIN, RED, YELLOW};
use crate::cli::words::{self, count};
use crate::model::{Duration, FlowState, Phase};
use crate::rehearsal::{Assumption, Code, Deaths, Place, Rehearsed, Report, Topic, Warning};

use super::table::end;
use super::text::{folded, short};

/// So many lines of one kind are told; the JSON has them all.
const FEW: usize = 8;

/// What stands below the table; `typed` is the command line that asked for it.
#[must_use]
pub fn lines(found: &Report, typed: &[OsString], width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    order(found, width, &mut lines);
    dying(found, width, &mut lines);
    let codes = [Code::NeverSucceeds, Code::EffectLeft, Code::RevertTriedOnce];
    for code in codes {
        warnings(found, code, width, &mut lines);
    }
    assumptions(&found.assumptions, width, &mut lines);
    let reverts = |task: &&Rehearsed| {
        let fails = task.fails.as_ref();
        fails.is_some_and(|fails| fails.end == Some(FlowState::Reverted))
    };
    if let Some(task) = found.tasks.iter().rev().find(reverts) {
        lines.push(Line::new());
        let command = again(typed, &task.task);
        lines.push(
            Line::new()
                .with(DIM, "One play in detail: ")
                .with(PLAIN, command),
        );
    }
    lines
}

/// The command line once more, for the one play in which a task fails.
fn again(typed: &[OsString], task: &str) -> String {
    let mut words = vec!["jobrunner".to_owned()];
    let given = typed.iter().skip(1).map(|word| word.to_string_lossy());
    words.extend(given.map(|word| words::typed(&word)));
    // Behind `--` there are no options.
    let end = words.iter().position(|word| word == "--");
    let failing = ["--fail".to_owned(), words::typed(task)];
    let end = end.unwrap_or(words.len());
    words.splice(end..end, failing);
    words.join(" ")
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
        let names = folded(group, " + ", width / 2);
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
        let mut line = Line::new().with(PLAIN, format!("  {when}, {moments}: ends "));
        line.append(end(deaths.end));
        let twice: Vec<String> = deaths
            .runs_twice
            .iter()
            .filter(|side| side.phase == phase)
            .map(|side| side.task.clone())
            .collect();
        if !deaths.otherwise.is_empty() {
            line.push(PLAIN, ", except");
        }
        lines.push(line.fit(width));
        if !twice.is_empty() {
            let text = format!("    {what} twice: ");
            let room = width.saturating_sub(text.chars().count());
            lines.push(
                Line::new()
                    .with(DIM, text)
                    .with(PLAIN, folded(&twice, ", ", room)),
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
        if !other.because_of.is_empty() {
            line.push(DIM, " while ");
            line.push(PLAIN, folded(&other.because_of, ", ", width / 2));
            let several = other.because_of.len() > 1;
            line.push(DIM, if several { " run" } else { " runs" });
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
