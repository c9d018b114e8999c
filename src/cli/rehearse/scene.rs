//! One play in detail: a line for each transition in order, then the tree as `run` shows it.

use std::sync::Arc;

use crate::cli::line::{BOLD, DIM, Line, MAGENTA, PLAIN, YELLOW};
use crate::cli::narration::narrate;
use crate::cli::progress::{Progress, shown};
use crate::cli::status::{Look, headline, symbol};
use crate::cli::tree::Tree;
use crate::cli::words::took;
use crate::compile::Plan;
use crate::model::{AtomId, AtomState, Change, Checkpoint, JobId, Record, Subject, Timestamp};
use crate::rehearsal::{FOR_GOOD, Faults};

/// The lines of a play.
#[must_use]
pub fn lines(
    plan: &Plan,
    faults: Faults,
    dies_after: Option<usize>,
    steps: &[Option<Vec<Record>>],
    start: Timestamp,
) -> Vec<Line> {
    let mut lines = vec![title(plan, faults, dies_after), Line::new()];
    let mut progress = Progress::new(
        JobId(uuid::Uuid::nil()),
        Arc::new(plan.clone()),
        Checkpoint::default(),
    );
    let mut now = start;
    let mut commit = 0;
    let count = steps
        .iter()
        .flatten()
        .filter(|step| !step.is_empty())
        .count();
    let wide = count.to_string().len();
    for step in steps {
        let Some(records) = step else {
            let text = "the conductor dies; another one takes the flow up";
            lines.push(Line::new().with(MAGENTA, format!("{:>wide$}  ── {text} ──", "")));
            continue;
        };
        if records.is_empty() {
            continue;
        }
        commit += 1;
        let mut number = commit.to_string();
        for record in records {
            now = record.at;
            let told = narrate(&progress, record).or_else(|| retold(&progress, record));
            progress.apply(record);
            let Some(told) = told else {
                continue;
            };
            let mut line = Line::new().with(
                DIM,
                format!("{number:>wide$}  {:>6}  ", took(record.at.since(start))),
            );
            line.append(told);
            lines.push(line);
            number.clear();
        }
    }
    if let Some(after) = dies_after
        && after >= count
        && !steps.iter().any(Option::is_none)
    {
        lines.push(Line::new().with(
            YELLOW,
            format!("the flow has ended after {count} commits: nobody dies"),
        ));
    }
    for (task, side) in unplayed(faults, steps) {
        let name = &plan.atom(task).name;
        lines.push(Line::new().with(
            YELLOW,
            format!("the {side} of `{name}` does not run in this play: nothing failed"),
        ));
    }
    lines.push(Line::new());
    let look = Look {
        now,
        height: usize::MAX,
        names: 40,
        words: true,
        frame: None,
    };
    lines.push(headline(&progress, "rehearsed", look));
    lines.extend(Tree::of(plan).lines(&progress, &|_| None, look));
    lines
}

/// What was to fail, and does not even run.
fn unplayed(faults: Faults, steps: &[Option<Vec<Record>>]) -> Vec<(AtomId, &'static str)> {
    let records = || steps.iter().flatten().flatten();
    let has = |atom: AtomId, of: fn(&Change) -> bool| {
        let mut own = records().filter(|record| record.subject == Subject::Atom(atom));
        own.any(|record| of(&record.change))
    };
    let execute = faults.execute.map(|(atom, _)| atom);
    let execute = execute.filter(|atom| !has(*atom, |c| matches!(c, Change::Started { .. })));
    let revert = faults.revert;
    let revert = revert.filter(|atom| !has(*atom, |c| matches!(c, Change::Reverting)));
    let execute = execute.map(|atom| (atom, "execute"));
    execute
        .into_iter()
        .chain(revert.map(|atom| (atom, "revert")))
        .collect()
}

fn title(plan: &Plan, faults: Faults, dies_after: Option<usize>) -> Line {
    let mut parts = Vec::new();
    if let Some((task, attempts)) = faults.execute {
        let name = &plan.atom(task).name;
        parts.push(match attempts {
            FOR_GOOD => format!("`{name}` fails whenever it runs"),
            1 => format!("`{name}` fails in its first attempt"),
            more => format!("`{name}` fails in its first {more} attempts"),
        });
    }
    if let Some(task) = faults.revert {
        parts.push(format!("the revert of `{}` fails", plan.atom(task).name));
    }
    if let Some(after) = dies_after {
        parts.push(format!("the conductor dies after commit {after}"));
    }
    Line::new()
        .with(BOLD, &plan.name)
        .with(PLAIN, format!(": {}", parts.join(", ")))
        .with(DIM, "  (nothing was run)")
}

/// What the narration of a run leaves out, for there it is told by what follows.
fn retold(progress: &Progress, record: &Record) -> Option<Line> {
    let Subject::Atom(atom) = record.subject else {
        return None;
    };
    let plan = &progress.plan;
    let task = plan.task(atom).is_some();
    let said = |state: AtomState, name: &str, what: String| {
        Line::new()
            .with(symbol(state, None).0, format!("{:<14}", state.as_str()))
            .with(PLAIN, " ")
            .with(BOLD, name)
            .with(DIM, format!("  {what}"))
    };
    let name = &plan.atom(atom).name;
    let scope = &plan.scope(plan.atom(atom).scope).name;
    match &record.change {
        Change::Reset if task => Some(said(
            AtomState::Pending,
            name,
            "put back for another try".to_owned(),
        )),
        Change::RetryDecided { .. } => Some(said(
            AtomState::Retrying,
            scope,
            "first, it is undone".to_owned(),
        )),
        Change::Tried { value, .. } if progress.tries(atom) > 0 => {
            let what = format!("try {} with {}", progress.tries(atom) + 1, shown(value));
            Some(said(AtomState::Retrying, scope, what))
        }
        _ => None,
    }
}
