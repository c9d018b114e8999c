//! The plays in which the conductor dies: after a commit, with nothing left but what was committed.

use std::collections::{BTreeMap, BTreeSet};

use super::play::{Flight, Play};
use super::report::{Deaths, Effect, Interrupted, Otherwise, Side, Takeover};
use super::tale::{Tale, effect, names};
use super::{Budget, Rehearsal};
use crate::compile::Plan;
use crate::model::{AtomId, AtomState, Change, FlowState, Phase, Record, Subject};

/// One death, and what came of it.
#[derive(Debug)]
pub(super) struct Death {
    after: usize,
    /// What ran, and what the next conductor did with it.
    running: Vec<(Flight, Option<Takeover>)>,
    end: Option<FlowState>,
    undone: Vec<AtomId>,
}

/// The conductor dies at this moment, after that many commits.
pub(super) fn after(
    rehearsal: &Rehearsal,
    budget: &mut Budget,
    play: &Play,
    tale: &Tale,
    commits: usize,
) -> Death {
    let running: Vec<Flight> = play.running().collect();
    let mut fork = play.clone();
    let mut tale = tale.clone();
    fork.die()
        .expect("every prefix of a history can be resumed");
    let before = fork.records;
    let records = fork.begin();
    tale.tell(&rehearsal.plan, &records);
    let taken = running
        .iter()
        .map(|flight| (*flight, takeover(*flight, &records, &fork)));
    let running = taken.collect();
    budget.spend(&fork, before);
    let ended = rehearsal.play_on(budget, &mut fork, &mut tale);
    Death {
        after: commits,
        running,
        end: ended.then(|| fork.state()),
        undone: tale.undone().to_vec(),
    }
}

/// What the next conductor did with something that it found running; `None` if it does not go on with that side.
fn takeover(flight: Flight, records: &[Record], play: &Play) -> Option<Takeover> {
    let of_it = |record: &&Record| record.subject == Subject::Atom(flight.atom);
    let said = records
        .iter()
        .filter(of_it)
        .find_map(|record| match &record.change {
            Change::Started { .. } => Some(Takeover::RunsAgain),
            Change::Reverting if flight.phase == Phase::Revert => Some(Takeover::RunsAgain),
            Change::Interrupted { .. } => Some(Takeover::Pauses),
            Change::Failed { .. } => Some(Takeover::Fails),
            Change::Succeeded { .. }
            | Change::Tried { .. }
            | Change::Ignored
            | Change::HandedOver
            | Change::Reverting
            | Change::RevertRetried { .. }
            | Change::Reverted { .. }
            | Change::RevertFailed { .. }
            | Change::GivenUp { .. }
            | Change::Permitted { .. }
            | Change::Reset
            | Change::RetryDecided { .. }
            | Change::Retrying { .. }
            | Change::AllowDecided { .. }
            | Change::Flow { .. } => None,
        });
    let goes_on = || {
        let row = play.scheduler().row(flight.atom);
        let waits = row.state == AtomState::Running && flight.phase == Phase::Execute;
        waits.then_some(Takeover::WaitsOn)
    };
    said.or_else(goes_on)
}

/// The deaths of one play.
#[derive(Debug, Default)]
pub(super) struct Dying {
    deaths: Vec<Death>,
    commits: usize,
    end: Option<FlowState>,
}

impl Dying {
    pub fn add(&mut self, death: Death) {
        self.deaths.push(death);
    }

    /// How many commits the play had, and how it ended without a death.
    pub fn finish(&mut self, commits: usize, end: Option<FlowState>) {
        self.commits = commits;
        self.end = end;
    }

    /// What becomes of each task whose conductor dies while it runs: of several deaths, the one with the least beside it.
    pub fn by_task(&self, plan: &Plan) -> BTreeMap<AtomId, Interrupted> {
        let mut least: BTreeMap<AtomId, (usize, Interrupted)> = BTreeMap::new();
        for death in &self.deaths {
            for (flight, then) in &death.running {
                let Some(then) = then.filter(|_| flight.phase == Phase::Execute) else {
                    continue;
                };
                let beside = death.running.len();
                if least
                    .get(&flight.atom)
                    .is_some_and(|(least, _)| *least <= beside)
                {
                    continue;
                }
                let interrupted = Interrupted {
                    then,
                    beside: death
                        .running
                        .iter()
                        .filter(|(other, _)| other.atom != flight.atom)
                        .map(|(other, _)| plan.atom(other.atom).name.clone())
                        .collect(),
                    end: death.end,
                    undone: names(plan, &death.undone),
                };
                least.insert(flight.atom, (beside, interrupted));
            }
        }
        least
            .into_iter()
            .map(|(atom, (_, then))| (atom, then))
            .collect()
    }

    /// All deaths of the play together.
    pub fn told(&self, plan: &Plan) -> Deaths {
        let mut twice = BTreeSet::new();
        let mut pauses = BTreeSet::new();
        let mut fails = BTreeSet::new();
        for (flight, then) in self.deaths.iter().flat_map(|death| &death.running) {
            match then {
                // Nothing runs where nothing is written.
                Some(Takeover::RunsAgain)
                    if flight.phase == Phase::Revert
                        && effect(plan, flight.atom) != Effect::Undone => {}
                Some(Takeover::RunsAgain) => {
                    twice.insert((flight.phase, flight.atom));
                }
                Some(Takeover::Pauses) => {
                    pauses.insert(flight.atom);
                }
                Some(Takeover::Fails) => {
                    fails.insert(flight.atom);
                }
                Some(Takeover::WaitsOn) | None => {}
            }
        }
        let list = |atoms: BTreeSet<AtomId>| names(plan, &atoms.into_iter().collect::<Vec<_>>());
        let otherwise = self.deaths.iter().filter(|death| death.end != self.end);
        Deaths {
            failing: None,
            played: self.deaths.len(),
            commits: self.commits,
            end: self.end,
            runs_twice: twice
                .into_iter()
                .map(|(phase, atom)| Side {
                    task: plan.atom(atom).name.clone(),
                    phase,
                })
                .collect(),
            pauses: list(pauses),
            fails: list(fails),
            otherwise: otherwise
                .map(|death| Otherwise {
                    after: death.after,
                    running: death
                        .running
                        .iter()
                        .map(|(flight, _)| plan.atom(flight.atom).name.clone())
                        .collect(),
                    end: death.end,
                })
                .collect(),
        }
    }
}
