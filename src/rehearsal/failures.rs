//! The plays of single failures: each task failing once and for good, each revert failing.
//!
//! A play with a failure is a fork of the play without: what happened before the failure is played once for all.

use std::collections::{BTreeMap, BTreeSet};

use super::deaths::{self, Dying};
use super::play::{FOR_GOOD, Faults, Play};
use super::report::{Deaths, Effect, Ending, RevertFails, Success};
use super::tale::{Tale, effect, millis, names};
use super::{Budget, Rehearsal};
use crate::model::{AtomId, Change, FlowState, Phase, Record, Subject};

/// What the plays of a flow have come to, by task.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub success: Success,
    /// The tasks that run if all succeeds.
    pub runs: BTreeSet<AtomId>,
    pub once: BTreeMap<AtomId, Ending>,
    pub for_good: BTreeMap<AtomId, Ending>,
    pub revert: BTreeMap<AtomId, RevertFails>,
    pub forward: Dying,
    pub backward: Option<Deaths>,
    /// Which task's failure undoes which task: of several, the one that ends last.
    because_of: BTreeMap<AtomId, AtomId>,
}

/// Plays the flow with every task succeeding, and forks every play in which one fails or the conductor dies.
pub(super) fn play_all(rehearsal: &Rehearsal, budget: &mut Budget) -> Findings {
    let plan = &rehearsal.plan;
    let mut found = Findings::default();
    let mut play = rehearsal.play(Faults::default());
    let mut tale = Tale::default();
    let mut order = Vec::new();
    let mut commits = 0;
    let mut ended = false;
    budget.plays += 1;
    while budget.allows(&play) {
        if let Some(flight) = play.next_to_end()
            && flight.phase == Phase::Execute
            && rehearsal.sample.contains(&flight.atom)
            && !found.for_good.contains_key(&flight.atom)
        {
            fork_failures(rehearsal, budget, &play, &tale, flight.atom, &mut found);
        }
        let Some(records) = play.step() else {
            ended = true;
            break;
        };
        tale.tell(plan, &records);
        let started = newly_started(rehearsal, &records, &mut found.runs);
        if !started.is_empty() {
            order.push(names(plan, &started));
        }
        commits += 1;
        if rehearsal.dies_after(commits) && budget.is_left() {
            let death = deaths::after(rehearsal, budget, &play, &tale, commits);
            found.forward.add(death);
        }
    }
    budget.spend(&play, 0);
    let end = ended.then(|| play.state());
    found.forward.finish(commits, end);
    let cause = play.scheduler().flow().cause.as_ref();
    found.success = Success {
        end,
        order,
        cause: cause.map(|failure| format!("`{}`: {failure}", failure.task)),
        waits_ms: millis(play.waited()),
    };
    fork_reverts(rehearsal, budget, &mut found);
    found
}

fn newly_started(
    rehearsal: &Rehearsal,
    records: &[Record],
    runs: &mut BTreeSet<AtomId>,
) -> Vec<AtomId> {
    let started = records.iter().filter_map(|record| match record {
        Record {
            subject: Subject::Atom(atom),
            change: Change::Started { .. },
            ..
        } => Some(*atom),
        _ => None,
    });
    let tasks = started.filter(|atom| rehearsal.plan.task(*atom).is_some());
    tasks.filter(|atom| runs.insert(*atom)).collect()
}

/// The task is about to end for the first time: it fails once, or for good.
fn fork_failures(
    rehearsal: &Rehearsal,
    budget: &mut Budget,
    play: &Play,
    tale: &Tale,
    task: AtomId,
    found: &mut Findings,
) {
    if !budget.is_left() {
        return;
    }
    let mut with = |attempts: u32| {
        let mut fork = play.clone();
        fork.faults.execute = Some((task, attempts));
        let mut tale = tale.clone();
        let ended = rehearsal.play_on(budget, &mut fork, &mut tale);
        (tale.ending(&rehearsal.plan, &fork, task, ended), tale)
    };
    let (for_good, tale) = with(FOR_GOOD);
    let once = if for_good.executions > 1 {
        with(1).0
    } else {
        // Nothing tries it again: it cannot fail more than once.
        for_good.clone()
    };
    for undone in tale.ever_undone() {
        found.because_of.insert(undone, task);
    }
    found.once.insert(task, once);
    found.for_good.insert(task, for_good);
}

/// For each task that a failure undoes: its revert fails. And for the last failure that undoes the flow: the
/// conductor dies meanwhile.
fn fork_reverts(rehearsal: &Rehearsal, budget: &mut Budget, found: &mut Findings) {
    let mut undone: BTreeMap<AtomId, Vec<AtomId>> = BTreeMap::new();
    for (task, cause) in &found.because_of {
        if rehearsal.sample.contains(task) && effect(&rehearsal.plan, *task) == Effect::Undone {
            undone.entry(*cause).or_default().push(*task);
        }
    }
    let reverts = |cause: &AtomId| {
        let ending = found.for_good.get(cause);
        ending.is_some_and(|ending| ending.end == Some(FlowState::Reverted))
    };
    let last = undone
        .iter()
        .filter(|(cause, _)| reverts(cause))
        .max_by_key(|(_, tasks)| tasks.len())
        .map(|(cause, _)| *cause);
    for (cause, tasks) in undone {
        let Some((play, tale)) = about_to_fail(rehearsal, budget, cause) else {
            continue;
        };
        if Some(cause) == last {
            found.backward = Some(die_backward(rehearsal, budget, &play, &tale, cause));
        }
        for task in tasks {
            if !budget.is_left() {
                return;
            }
            let mut fork = play.clone();
            fork.faults.revert = Some(task);
            let mut tale = tale.clone();
            let ended = rehearsal.play_on(budget, &mut fork, &mut tale);
            let fails = RevertFails {
                because_of: rehearsal.plan.atom(cause).name.clone(),
                tries: tale.revert_failures(task),
                ending: tale.ending(&rehearsal.plan, &fork, task, ended),
            };
            found.revert.insert(task, fails);
        }
    }
}

/// The flow at the moment before a task fails for good for the first time.
fn about_to_fail(rehearsal: &Rehearsal, budget: &mut Budget, task: AtomId) -> Option<(Play, Tale)> {
    let mut play = rehearsal.play(Faults {
        execute: Some((task, FOR_GOOD)),
        revert: None,
    });
    let mut tale = Tale::default();
    while budget.allows(&play) {
        let flight = play.next_to_end();
        if flight.is_some_and(|flight| flight.atom == task && flight.phase == Phase::Execute) {
            budget.spend(&play, 0);
            return Some((play, tale));
        }
        tale.tell(&rehearsal.plan, &play.step()?);
    }
    None
}

/// The conductor dies after each commit from the moment that the flow begins to revert.
fn die_backward(
    rehearsal: &Rehearsal,
    budget: &mut Budget,
    play: &Play,
    tale: &Tale,
    failing: AtomId,
) -> Deaths {
    let (mut play, mut tale) = (play.clone(), tale.clone());
    let before = play.records;
    let mut dying = Dying::default();
    let mut commits = 0;
    let mut ended = false;
    while budget.allows(&play) {
        let Some(records) = play.step() else {
            ended = true;
            break;
        };
        tale.tell(&rehearsal.plan, &records);
        if play.scheduler().flow().reverting {
            commits += 1;
            if rehearsal.dies_after(commits) && budget.is_left() {
                dying.add(deaths::after(rehearsal, budget, &play, &tale, commits));
            }
        }
    }
    budget.spend(&play, before);
    dying.finish(commits, ended.then(|| play.state()));
    let mut deaths = dying.told(&rehearsal.plan);
    deaths.failing = Some(rehearsal.plan.atom(failing).name.clone());
    deaths
}
