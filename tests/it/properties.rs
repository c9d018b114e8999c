//! Properties of the scheduler over random flows, failures, orders, requests and crashes.
//!
//! The letters are those of the invariants in `docs/reliability.md`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jobrunner::compile::{AtomKind, Plan};
use jobrunner::model::{
    AtomId, AtomRow, AtomState, Change, Checkpoint, Failure, FailureKind, FlowRow, FlowState,
    IfInterrupted, Phase, Record, Subject, Timestamp, Value, Verb,
};
use jobrunner::scheduler::{Command, Event, Scheduler, Step, evolve, evolve_flow};
use proptest::prelude::*;

use crate::play::{operator, try_plan};
use crate::random::{Item, flow_of, flows, plain};

/// How sides end: a pure function of the task and its generation, so that a crash changes nothing.
#[derive(Debug, Clone, Copy)]
struct Luck {
    seed: u64,
    /// In 256: how many executes fail, and how many reverts.
    execute: u64,
    revert: u64,
    /// Whether a task fails always or never, instead of by generation.
    steady: bool,
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Luck {
    fn fails(&self, atom: AtomId, generation: u32, phase: Phase, turn: u32) -> bool {
        let generation = if self.steady { 0 } else { generation };
        let of = u64::from(atom.0) << 32 | u64::from(generation) << 8 | u64::from(turn) << 4;
        let drawn = mix(mix(self.seed ^ of).wrapping_add(phase as u64)) % 256;
        match phase {
            Phase::Execute => drawn < self.execute,
            Phase::Revert => drawn < self.revert,
        }
    }
}

/// Runs a flow and holds every step to the invariants.
struct World {
    plan: Arc<Plan>,
    luck: Luck,
    scheduler: Scheduler,
    running: Vec<Command>,
    now: Timestamp,
    /// The fold of all records, kept apart from the scheduler's own (E14).
    rows: BTreeMap<AtomId, AtomRow>,
    flow: FlowRow,
    records: Vec<Record>,
    /// SUCCESSes of each atom and generation (E4).
    successes: BTreeSet<(AtomId, u32)>,
    /// Starts of each atom and generation (E7).
    starts: BTreeMap<(AtomId, u32), u32>,
    permitted: BTreeSet<(AtomId, u32)>,
    /// Effects that have begun and are not undone (E8).
    effects: BTreeSet<AtomId>,
    by_person: bool,
}

impl World {
    fn new(plan: &Arc<Plan>, luck: Luck) -> Self {
        let mut world = Self {
            plan: plan.clone(),
            luck,
            scheduler: Scheduler::new(plan.clone(), Checkpoint::default(), 1).expect("it fits"),
            running: Vec::new(),
            now: Timestamp(0),
            rows: BTreeMap::new(),
            flow: FlowRow::default(),
            records: Vec::new(),
            successes: BTreeSet::new(),
            starts: BTreeMap::new(),
            permitted: BTreeSet::new(),
            effects: BTreeSet::new(),
            by_person: false,
        };
        world.handle(Event::Resumed);
        world
    }

    fn state(&self, atom: AtomId) -> AtomState {
        self.rows.get(&atom).map_or(AtomState::Pending, |r| r.state)
    }

    fn is_done(&self, atom: AtomId) -> bool {
        self.rows.get(&atom).is_some_and(|row| match row.state {
            AtomState::Success | AtomState::Ignore => true,
            AtomState::Failure => row.intention == jobrunner::model::Intention::Ignore,
            _ => false,
        })
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

    fn handle(&mut self, event: Event) {
        let ended = self.flow.state.is_end();
        let step = self.scheduler.handle(event, self.now).expect("it fits");
        if ended {
            assert!(step.records.is_empty(), "E9: something after the end");
            assert!(step.commands.is_empty(), "E9: a command after the end");
        }
        for record in step.records {
            self.check(&record);
            self.records.push(record);
        }
        for command in step.commands {
            let expected = match command.phase {
                Phase::Execute => AtomState::Running,
                Phase::Revert => AtomState::Reverting,
            };
            assert_eq!(
                self.state(command.atom),
                expected,
                "E6: no intent before the command"
            );
            self.running.push(command);
        }
        for atom in step.stop {
            let at = self
                .running
                .iter()
                .position(|c| c.atom == atom && c.phase == Phase::Execute)
                .expect("only what runs is stopped");
            let command = self.running.remove(at);
            self.handle(Event::Finished {
                atom,
                attempt: command.attempt,
                phase: Phase::Execute,
                outcome: Err(Failure::new(FailureKind::Cancelled, "stopped")),
            });
        }
        self.scheduler
            .audit()
            .expect("what is kept follows from the rows");
        let folded: Vec<(AtomId, AtomRow)> = self
            .rows
            .iter()
            .filter(|(_, row)| **row != AtomRow::default())
            .map(|(id, row)| (*id, row.clone()))
            .collect();
        let kept = self.scheduler.checkpoint();
        assert_eq!(
            kept.atoms, folded,
            "E14: the fold is what the scheduler holds"
        );
        assert_eq!(
            kept.flow, self.flow,
            "E14: the fold is what the scheduler holds"
        );
    }

    /// Holds one record to the invariants, and folds it in.
    fn check(&mut self, record: &Record) {
        let Subject::Atom(atom) = record.subject else {
            evolve_flow(&mut self.flow, &record.change, record.at).expect("E3: legal");
            return;
        };
        let generation = self.rows.get(&atom).map_or(0, |row| row.generation);
        match &record.change {
            Change::Started { .. } => {
                for before in self.beside(atom, petgraph::Incoming) {
                    assert!(self.is_done(before), "E5: {atom} started before {before}");
                }
                *self.starts.entry((atom, generation)).or_default() += 1;
                if self.plan.task(atom).is_some() {
                    self.effects.insert(atom);
                }
                if let Some(task) = self.plan.task(atom)
                    && task.if_interrupted != IfInterrupted::Rerun
                    && !self.permitted.contains(&(atom, generation))
                {
                    let starts = self.starts[&(atom, generation)];
                    assert_eq!(starts, 1, "E7: {atom} started again by itself");
                }
            }
            Change::Succeeded { .. } => {
                assert!(
                    self.successes.insert((atom, generation)),
                    "E4: {atom} succeeded twice"
                );
            }
            Change::Reverting => {
                for after in self.beside(atom, petgraph::Outgoing) {
                    let state = self.state(after);
                    let given_up = self
                        .rows
                        .get(&after)
                        .is_some_and(|row| row.intention == jobrunner::model::Intention::Ignore);
                    let clear = matches!(
                        state,
                        AtomState::Pending | AtomState::Reverted | AtomState::Ignore
                    );
                    let inside = self.plan.scope(self.plan.atom(atom).scope).controller
                        == Some(atom)
                        && clear;
                    assert!(
                        clear || given_up || inside,
                        "E5: {atom} is reverted while {after} is {state}"
                    );
                }
            }
            Change::Reverted { .. } => {
                self.effects.remove(&atom);
            }
            Change::Permitted { .. } => {
                self.permitted.insert((atom, generation));
            }
            _ => {}
        }
        let row = self.rows.entry(atom).or_default();
        evolve(row, &record.change, record.at).expect("E3: legal");
    }

    /// Finishes one of the running commands.
    fn finish(&mut self, which: usize) {
        let command = self.running.remove(which % self.running.len());
        let turn = match command.phase {
            Phase::Execute => 0,
            Phase::Revert => self.rows[&command.atom].revert_tries,
        };
        let fails = self
            .luck
            .fails(command.atom, command.generation, command.phase, turn);
        let outcome = if fails {
            Err(Failure::new(FailureKind::Exit, "exited with code 1"))
        } else {
            Ok(Value::Null)
        };
        self.now = self.now.plus(std::time::Duration::from_millis(400));
        self.handle(Event::Finished {
            atom: command.atom,
            attempt: command.attempt,
            phase: command.phase,
            outcome,
        });
    }

    /// The conductor dies: all that is left is what was committed.
    fn crash(&mut self) {
        self.running.clear();
        let checkpoint = Checkpoint {
            flow: self.flow.clone(),
            atoms: self.rows.iter().map(|(k, v)| (*k, v.clone())).collect(),
        };
        self.scheduler = Scheduler::new(self.plan.clone(), checkpoint, 1)
            .expect("E13: every prefix of a history resumes");
        self.handle(Event::Resumed);
    }

    /// One turn of chance.
    fn turn(&mut self, chance: u64, faults: bool) {
        let what = chance % 64;
        let which = (chance >> 8) as usize;
        if faults {
            match what {
                0 | 1 => return self.crash(),
                2 => return self.handle(Event::Suspend(operator())),
                3 => return self.handle(Event::Resume(operator())),
                4 => {
                    self.by_person = true;
                    return self.handle(Event::Cancel(operator()));
                }
                5 | 6 => return self.decide(which),
                7 if !self.running.is_empty() => {
                    self.handle(Event::HandingOver);
                    while let Some(command) = self.running.pop() {
                        self.handle(Event::HandedOver { atom: command.atom });
                    }
                    return self.crash();
                }
                _ => {}
            }
        }
        if !self.running.is_empty() {
            self.finish(which);
        } else if let Some(at) = self.scheduler.next_wakeup() {
            self.now = self.now.max(at);
            self.handle(Event::Tick);
        }
    }

    fn decide(&mut self, which: usize) {
        let undecided: Vec<AtomId> = self
            .rows
            .iter()
            .filter(|(_, row)| {
                matches!(row.state, AtomState::RevertFailure | AtomState::Interrupted)
                    && row.intention != jobrunner::model::Intention::Ignore
            })
            .map(|(id, _)| *id)
            .collect();
        if self.flow.state != FlowState::Stuck || undecided.is_empty() {
            return;
        }
        let verb = [Verb::Retry, Verb::MarkReverted, Verb::Abandon][which % 3];
        if verb == Verb::Abandon {
            self.by_person = true;
        }
        let atom = match which / 3 % 2 {
            0 => None,
            _ => Some(undecided[which / 6 % undecided.len()]),
        };
        self.handle(Event::Decide {
            verb,
            atom,
            by: operator(),
        });
    }

    /// Lets it run without further faults. Every flow then ends, or is STUCK (E10).
    fn run_out(&mut self) {
        let mut turns = 0;
        loop {
            if self.scheduler.is_at_rest() {
                if self.flow.state == FlowState::Suspended {
                    self.handle(Event::Resume(operator()));
                    continue;
                }
                break;
            }
            assert!(
                !self.running.is_empty() || self.scheduler.next_wakeup().is_some(),
                "E10: the flow is {} and nothing happens any more:\n{}",
                self.flow.state,
                self.story()
            );
            self.turn(mix(turns) | 63, false);
            turns += 1;
            assert!(turns < 100_000, "E10: the flow never ends");
        }
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
            FlowState::Stuck | FlowState::Abandoned => {}
            other => panic!("E10: the flow rests as {other}"),
        }
    }

    /// What happened, a record a line.
    fn story(&self) -> String {
        let lines = self
            .records
            .iter()
            .map(|r| format!("{:?} {:?}\n", r.subject, r.change));
        lines.collect()
    }

    fn verdict(&self) -> (FlowState, Vec<(AtomId, AtomState)>) {
        let atoms = self.rows.iter().map(|(id, row)| (*id, row.state));
        (self.flow.state, atoms.collect())
    }
}

pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases: std::env::var("JOBRUNNER_CASES")
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(cases),
        max_shrink_iters: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn every_step_of_every_flow_keeps_the_invariants(
        (items, list, retry) in flows(),
        seed in any::<u64>(),
        execute in 0u64..120,
        revert in 0u64..60,
        chances in prop::collection::vec(any::<u64>(), 0..120),
    ) {
        let (text, plan) = flow_of(&items, list, false, retry);
        let luck = Luck { seed, execute, revert, steady: false };
        let told = std::panic::AssertUnwindSafe(|| {
            let mut world = World::new(&plan, luck);
            for chance in &chances {
                world.turn(*chance, true);
            }
            world.run_out();
        });
        if let Err(panic) = std::panic::catch_unwind(told) {
            eprintln!("{text}");
            std::panic::resume_unwind(panic);
        }
    }

    #[test]
    fn a_crash_after_any_commit_changes_nothing_in_a_serial_flow(
        (items, list, retry) in flows(),
        seed in any::<u64>(),
        execute in 0u64..120,
        revert in 0u64..40,
        crashes in prop::collection::vec(any::<bool>(), 60),
    ) {
        let items: Vec<Item> = items.into_iter().map(plain).collect();
        let (text, plan) = flow_of(&items, list, true, retry);
        let luck = Luck { seed, execute, revert, steady: false };
        let mut calm = World::new(&plan, luck);
        calm.run_out();
        let mut stormy = World::new(&plan, luck);
        for crash in crashes {
            if crash {
                stormy.crash();
            }
            stormy.turn(63, false);
        }
        stormy.run_out();
        prop_assert_eq!(calm.verdict(), stormy.verdict(), "{}", text);
    }

    #[test]
    fn the_order_of_outcomes_and_crashes_do_not_change_the_end(
        (items, list, retry) in flows(),
        seed in any::<u64>(),
        execute in 0u64..60,
        chances in prop::collection::vec(any::<u64>(), 0..80),
    ) {
        let items: Vec<Item> = items.into_iter().map(plain).collect();
        let (text, plan) = flow_of(&items, list, false, retry);
        let luck = Luck { seed, execute, revert: 0, steady: true };
        let mut calm = World::new(&plan, luck);
        calm.run_out();
        let mut stormy = World::new(&plan, luck);
        for chance in chances {
            if chance % 8 == 0 {
                stormy.crash();
            }
            stormy.turn(chance | 63, false);
        }
        stormy.run_out();
        prop_assert_eq!(calm.flow.state, stormy.flow.state, "{}", text);
    }
}

/// However many tasks are ready at once, none of them is forgotten, and no step grows with their number.
#[test]
fn a_step_stays_small_however_wide_the_flow_is() {
    let width = 3 * Step::FULL;
    let mut text = "flow: wide\ntasks:\n".to_owned();
    for at in 0..width {
        text += &format!("  t{at}: {{ probe: {{}} }}\n");
    }
    let plan = try_plan(&text, &[]).expect("it compiles");
    let mut scheduler =
        Scheduler::new(plan, Checkpoint::default(), 1).expect("an empty checkpoint fits");
    let now = Timestamp(1);
    let mut running: VecDeque<Command> = VecDeque::new();
    let mut event = Some(Event::Resumed);
    let mut reverted = 0;
    while let Some(next) = event {
        let step = scheduler.handle(next, now).expect("it fits");
        assert!(step.records.len() <= Step::FULL + 1);
        running.extend(step.commands);
        event = match scheduler.next_wakeup() {
            Some(due) => {
                assert!(due <= now, "what is ready is due at once");
                Some(Event::Tick)
            }
            None => running.pop_front().map(|side| {
                let fails = side.phase == Phase::Execute && running.is_empty();
                reverted += usize::from(side.phase == Phase::Revert);
                Event::Finished {
                    atom: side.atom,
                    attempt: side.attempt,
                    phase: side.phase,
                    outcome: if fails {
                        Err(Failure::new(FailureKind::Exit, "exited with code 1"))
                    } else {
                        Ok(Value::Null)
                    },
                }
            }),
        };
    }
    assert_eq!(scheduler.state(), FlowState::Reverted);
    assert_eq!(reverted, width);
}
