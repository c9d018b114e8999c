//! The invariants that every history of a flow keeps, checked record by record.
//!
//! The letters are those in `docs/reliability.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jobrunner::compile::{AtomKind, Plan};
use jobrunner::model::{
    AtomId, AtomRow, AtomState, Change, Checkpoint, FlowRow, FlowState, IfInterrupted, Intention,
    Record, Subject, Timestamp, Value,
};
use jobrunner::scheduler::{Scheduler, evolve, evolve_flow};

use crate::play::try_plan;

/// The fold of a history, kept apart from the scheduler's own and from the store's.
pub struct History {
    pub plan: Arc<Plan>,
    pub rows: BTreeMap<AtomId, AtomRow>,
    pub flow: FlowRow,
    /// SUCCESSes of each atom and generation (E4).
    successes: BTreeSet<(AtomId, u32)>,
    /// Starts of each atom and generation (E7).
    starts: BTreeMap<(AtomId, u32), u32>,
    /// Those that a person has let start again.
    pub permitted: BTreeMap<(AtomId, u32), u32>,
    /// Effects that have begun and are not undone (E8).
    effects: BTreeSet<AtomId>,
}

impl History {
    pub fn new(plan: &Arc<Plan>) -> Self {
        Self {
            plan: plan.clone(),
            rows: BTreeMap::new(),
            flow: FlowRow::default(),
            successes: BTreeSet::new(),
            starts: BTreeMap::new(),
            permitted: BTreeMap::new(),
            effects: BTreeSet::new(),
        }
    }

    pub fn state(&self, atom: AtomId) -> AtomState {
        self.rows.get(&atom).map_or(AtomState::Pending, |r| r.state)
    }

    pub fn is_done(&self, atom: AtomId) -> bool {
        self.rows.get(&atom).is_some_and(|row| match row.state {
            AtomState::Success | AtomState::Ignore => true,
            AtomState::Failure => row.intention == Intention::Ignore,
            _ => false,
        })
    }

    /// What a scheduler would go on from.
    pub fn checkpoint(&self) -> Checkpoint {
        let rows = self.rows.iter();
        Checkpoint {
            flow: self.flow.clone(),
            atoms: rows
                .filter(|(_, row)| **row != AtomRow::default())
                .map(|(id, row)| (*id, row.clone()))
                .collect(),
        }
    }

    /// The tasks and controllers directly before (or after) a node, through gates and through what was skipped.
    fn beside(&self, atom: AtomId, direction: petgraph::Direction) -> Vec<AtomId> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![atom];
        while let Some(node) = open.pop() {
            let node = petgraph::graph::NodeIndex::new(node.index());
            for next in self.plan.graph.neighbors_directed(node, direction) {
                let next = AtomId(next.index() as u32);
                if !seen.insert(next) {
                    continue;
                }
                let skipped = self.state(next) == AtomState::Ignore;
                match self.plan.atom(next).kind {
                    AtomKind::Task(_) | AtomKind::Retry(_) if !skipped => {
                        found.push(next);
                    }
                    AtomKind::Task(_) | AtomKind::Retry(_) | AtomKind::Start | AtomKind::End => {
                        open.push(next);
                    }
                }
            }
        }
        found
    }

    /// Holds one record to the invariants, and folds it in.
    pub fn add(&mut self, record: &Record) {
        assert!(
            !self.flow.state.is_end(),
            "E9: something after the end: {record:?}"
        );
        let Subject::Atom(atom) = record.subject else {
            evolve_flow(&mut self.flow, &record.change, record.at).expect("E3: legal");
            return;
        };
        let generation = self.rows.get(&atom).map_or(0, |row| row.generation);
        match &record.change {
            Change::Started { .. } => self.check_start(atom, generation),
            Change::Succeeded { .. } => {
                assert!(
                    self.successes.insert((atom, generation)),
                    "E4: {atom} succeeded twice"
                );
            }
            Change::Reverting => self.check_revert(atom),
            Change::Reverted { .. } => {
                self.effects.remove(&atom);
            }
            Change::Permitted { .. } => {
                *self.permitted.entry((atom, generation)).or_default() += 1;
            }
            _ => {}
        }
        let row = self.rows.entry(atom).or_default();
        evolve(row, &record.change, record.at).expect("E3: legal");
        match &record.change {
            Change::Started { .. } => {
                let generations = self.starts.range((atom, 0)..=(atom, u32::MAX));
                let starts: u32 = generations.map(|(_, starts)| starts).sum();
                assert_eq!(
                    row.attempt, starts,
                    "{atom}: an attempt has a number of its own"
                );
            }
            Change::RetryDecided { failure } | Change::AllowDecided { failure } => {
                // A group without a controller of its own has no history.
                if let Some(history) = &row.history {
                    let known = history.last.last().and_then(|last| last.failure.as_ref());
                    assert_eq!(
                        known,
                        Some(&**failure),
                        "{atom} knows why its last try failed"
                    );
                }
            }
            _ => {}
        }
    }

    fn check_start(&mut self, atom: AtomId, generation: u32) {
        for before in self.beside(atom, petgraph::Incoming) {
            assert!(self.is_done(before), "E5: {atom} started before {before}");
        }
        let starts = self.starts.entry((atom, generation)).or_default();
        *starts += 1;
        let Some(task) = self.plan.task(atom) else {
            return;
        };
        self.effects.insert(atom);
        let permitted = self.permitted.get(&(atom, generation));
        assert!(
            task.if_interrupted == IfInterrupted::Rerun
                || *starts <= 1 + permitted.copied().unwrap_or_default(),
            "E7: {atom} started again by itself"
        );
    }

    fn check_revert(&self, atom: AtomId) {
        for after in self.beside(atom, petgraph::Outgoing) {
            let state = self.state(after);
            let given_up = self
                .rows
                .get(&after)
                .is_some_and(|row| row.intention == Intention::Ignore);
            let clear = matches!(
                state,
                AtomState::Pending | AtomState::Reverted | AtomState::Ignore
            );
            assert!(
                clear || given_up,
                "E5: {atom} is reverted while {after} is {state}"
            );
        }
    }

    /// Holds the end of a flow to what it means.
    pub fn check_end(&self) {
        match self.flow.state {
            FlowState::Reverted => {
                assert!(self.effects.is_empty(), "E8: {:?} not undone", self.effects);
            }
            FlowState::Success => {
                for (at, atom) in self.plan.atoms.iter().enumerate() {
                    if matches!(atom.kind, AtomKind::Task(_) | AtomKind::Retry(_)) {
                        assert!(self.is_done(AtomId(at as u32)), "{} is not done", atom.name);
                    }
                }
            }
            FlowState::Abandoned => {}
            other => panic!("E10: the flow rests as {other}"),
        }
    }
}

fn history_of(text: &str) -> History {
    History::new(&try_plan(text, &[]).expect("it compiles"))
}

#[test]
fn a_transition_that_is_not_legal_leaves_the_row_as_it_is() {
    let started = Change::Started { until: None };
    let succeeded = Change::Succeeded {
        result: Value::Null.into(),
    };
    let mut row = AtomRow::default();
    for change in [
        &succeeded,
        &Change::Reverting,
        &Change::Reverted { by: None },
        &Change::Reset,
    ] {
        evolve(&mut row, change, Timestamp(1)).expect_err("a task that has not started");
        assert_eq!(row, AtomRow::default());
    }
    evolve(&mut row, &started, Timestamp(1)).expect("a task starts");
    evolve(&mut row, &succeeded, Timestamp(2)).expect("a task succeeds");
    let before = row.clone();
    for change in [&started, &succeeded, &Change::Ignored, &Change::Reset] {
        evolve(&mut row, change, Timestamp(3)).expect_err("a task that has succeeded");
        assert_eq!(row, before);
    }
}

#[test]
fn a_checkpoint_in_which_a_task_ran_before_its_time_is_refused() {
    let history =
        history_of("flow: f\ntasks:\n  a: { probe: {} }\n  b: { probe: {}, needs: [a] }\n");
    let b = history
        .plan
        .atoms
        .iter()
        .position(|atom| atom.name == "b")
        .expect("b");
    let mut checkpoint = history.checkpoint();
    checkpoint.flow.state = FlowState::Running;
    let row = AtomRow {
        state: AtomState::Running,
        attempt: 1,
        ..AtomRow::default()
    };
    checkpoint.atoms.push((AtomId(b as u32), row));
    let refused = Scheduler::new(history.plan.clone(), checkpoint, 1).expect_err("a did not run");
    assert!(refused.to_string().contains("`a`"), "{refused}");
}
