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
struct Death {
    after: usize,
    /// What the next conductor did not just go on with; the first [`Otherwise::NAMED`] of them.
    because_of: Vec<AtomId>,
    end: Option<FlowState>,
    undone: Vec<AtomId>,
}

/// A task that was running when the conductor died.
#[derive(Debug)]
struct Found {
    then: Takeover,
    /// How many others ran: of several deaths, the one with the least beside it is told.
    beside: usize,
    /// Which of the deaths.
    death: usize,
}

/// The deaths of one play.
#[derive(Debug, Default)]
pub(super) struct Dying {
    deaths: Vec<Death>,
    found: BTreeMap<AtomId, Found>,
    runs_twice: BTreeSet<(Phase, AtomId)>,
    pauses: BTreeSet<AtomId>,
    fails: BTreeSet<AtomId>,
    commits: usize,
    end: Option<FlowState>,
}

impl Dying {
    /// The conductor dies at this moment, after that many commits; the flow is played to its end.
    pub fn after(
        &mut self,
        rehearsal: &Rehearsal,
        budget: &mut Budget,
        play: &Play,
        tale: &Tale,
        commits: usize,
    ) {
        let plan = &rehearsal.plan;
        let running: Vec<Flight> = play.running().collect();
        let mut fork = play.clone();
        let mut tale = tale.clone();
        fork.die()
            .expect("every prefix of a history can be resumed");
        let before = fork.records;
        let records = fork.begin();
        tale.tell(plan, &records);
        let said = takeovers(&records);
        let mut because_of = Vec::new();
        for flight in &running {
            let then = said.get(&(flight.atom, flight.phase)).copied().or_else(|| {
                let row = fork.scheduler().row(flight.atom);
                let waits = row.state == AtomState::Running && flight.phase == Phase::Execute;
                waits.then_some(Takeover::WaitsOn)
            });
            if let Some(then) = then {
                self.note(plan, *flight, then, running.len() - 1);
                let told = matches!(then, Takeover::Pauses | Takeover::Fails);
                if told && because_of.len() < Otherwise::NAMED {
                    because_of.push(flight.atom);
                }
            }
        }
        budget.spend(&fork, before);
        let ended = rehearsal.play_on(budget, &mut fork, &mut tale);
        self.deaths.push(Death {
            after: commits,
            because_of,
            end: ended.then(|| fork.state()),
            undone: tale.undone().to_vec(),
        });
    }

    /// Notes what becomes of one side that was running, in the death that is being played.
    fn note(&mut self, plan: &Plan, flight: Flight, then: Takeover, beside: usize) {
        let atom = flight.atom;
        match (then, flight.phase) {
            // Nothing runs where nothing is written.
            (Takeover::RunsAgain, Phase::Revert) if effect(plan, atom) != Effect::Undone => {}
            (Takeover::RunsAgain, phase) => {
                self.runs_twice.insert((phase, atom));
            }
            (Takeover::Pauses, _) => {
                self.pauses.insert(atom);
            }
            (Takeover::Fails, _) => {
                self.fails.insert(atom);
            }
            (Takeover::WaitsOn, _) => {}
        }
        let closer = self.found.get(&atom);
        if flight.phase == Phase::Execute && closer.is_none_or(|found| found.beside > beside) {
            let death = self.deaths.len();
            self.found.insert(
                atom,
                Found {
                    then,
                    beside,
                    death,
                },
            );
        }
    }

    /// How many commits the play had, and how it ended without a death.
    pub fn finish(&mut self, commits: usize, end: Option<FlowState>) {
        self.commits = commits;
        self.end = end;
    }

    /// What becomes of a task whose conductor dies while it runs.
    pub fn of(&self, plan: &Plan, task: AtomId) -> Option<Interrupted> {
        let found = self.found.get(&task)?;
        let death = &self.deaths[found.death];
        Some(Interrupted {
            then: found.then,
            beside: found.beside,
            end: death.end,
            undone: names(plan, &death.undone),
        })
    }

    /// All deaths of the play together.
    pub fn told(&self, plan: &Plan, failing: Option<AtomId>) -> Deaths {
        let list = |atoms: &BTreeSet<AtomId>| {
            let atoms: Vec<AtomId> = atoms.iter().copied().collect();
            names(plan, &atoms)
        };
        let twice = self.runs_twice.iter().map(|(phase, atom)| Side {
            task: plan.atom(*atom).name.clone(),
            phase: *phase,
        });
        let otherwise = self.deaths.iter().filter(|death| death.end != self.end);
        let otherwise = otherwise.map(|death| Otherwise {
            after: death.after,
            because_of: names(plan, &death.because_of),
            end: death.end,
        });
        Deaths {
            failing: failing.map(|task| plan.atom(task).name.clone()),
            played: self.deaths.len(),
            commits: self.commits,
            end: self.end,
            runs_twice: twice.collect(),
            pauses: list(&self.pauses),
            fails: list(&self.fails),
            otherwise: otherwise.collect(),
        }
    }
}

/// What the next conductor does first with what it finds running.
fn takeovers(records: &[Record]) -> BTreeMap<(AtomId, Phase), Takeover> {
    let mut said = BTreeMap::new();
    for record in records {
        let Subject::Atom(atom) = record.subject else {
            continue;
        };
        let (phase, then) = match &record.change {
            Change::Started { .. } => (Phase::Execute, Takeover::RunsAgain),
            Change::Reverting => (Phase::Revert, Takeover::RunsAgain),
            Change::Interrupted { .. } => (Phase::Execute, Takeover::Pauses),
            Change::Failed { .. } => (Phase::Execute, Takeover::Fails),
            Change::Succeeded { .. }
            | Change::Tried { .. }
            | Change::Ignored
            | Change::HandedOver
            | Change::RevertRetried { .. }
            | Change::Reverted { .. }
            | Change::RevertFailed { .. }
            | Change::GivenUp { .. }
            | Change::Permitted { .. }
            | Change::Reset
            | Change::RetryDecided { .. }
            | Change::Retrying { .. }
            | Change::AllowDecided { .. }
            | Change::Stalled { .. }
            | Change::Flow { .. } => continue,
        };
        said.entry((atom, phase)).or_insert(then);
    }
    said
}
