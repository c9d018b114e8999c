//! Properties of the scheduler over random flows, failures, orders, requests and crashes.
//!
//! The letters are those of the invariants in `docs/reliability.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jobrunner::compile::{AtomKind, Plan};
use jobrunner::model::{
    AtomId, AtomRow, AtomState, Change, Checkpoint, Failure, FailureKind, FlowRow, FlowState,
    IfInterrupted, Phase, Record, Subject, Timestamp, Value, Verb,
};
use jobrunner::scheduler::{Command, Event, Scheduler, evolve, evolve_flow};
use proptest::prelude::*;

use crate::play::{operator, try_plan};

/// A random task or group.
#[derive(Debug, Clone)]
pub struct Item {
    children: Vec<Item>,
    list: bool,
    retry: Option<Tries>,
    revert_all: bool,
    delay: bool,
    when: Option<bool>,
    skips: u8,
    allow_failure: bool,
    stop_on_unwind: bool,
    if_interrupted: u8,
    revert_tries: u8,
    limit: Option<u8>,
    timeout: bool,
    needs: u8,
}

#[derive(Debug, Clone, Copy)]
enum Tries {
    Times(u8),
    ForEach(u8),
}

fn item(depth: u32) -> impl Strategy<Value = Item> {
    let leaf = details().prop_map(|item| Item {
        children: Vec::new(),
        limit: None,
        timeout: false,
        ..item
    });
    leaf.prop_recursive(depth, 14, 4, |inner| {
        (details(), prop::collection::vec(inner, 1..4)).prop_map(|(item, children)| Item {
            children,
            stop_on_unwind: false,
            if_interrupted: 0,
            revert_tries: 0,
            ..item
        })
    })
}

fn details() -> impl Strategy<Value = Item> {
    let retry = prop_oneof![
        3 => Just(None),
        2 => (1u8..4).prop_map(|n| Some(Tries::Times(n))),
        1 => (1u8..4).prop_map(|n| Some(Tries::ForEach(n))),
    ];
    let when = prop_oneof![6 => Just(None), 1 => any::<bool>().prop_map(Some)];
    let rarely = || prop_oneof![7 => Just(false), 1 => Just(true)];
    let limit = prop_oneof![3 => Just(None), 1 => (1u8..3).prop_map(Some)];
    (
        (any::<bool>(), retry, rarely(), any::<bool>(), when, 0u8..4),
        (
            rarely(),
            rarely(),
            0u8..6,
            0u8..3,
            limit,
            rarely(),
            any::<u8>(),
        ),
    )
        .prop_map(
            |(
                (list, retry, revert_all, delay, when, skips),
                (
                    allow_failure,
                    stop_on_unwind,
                    if_interrupted,
                    revert_tries,
                    limit,
                    timeout,
                    needs,
                ),
            )| Item {
                children: Vec::new(),
                list,
                retry,
                revert_all,
                delay,
                when,
                skips,
                allow_failure,
                stop_on_unwind,
                if_interrupted,
                revert_tries,
                limit,
                timeout,
                needs,
            },
        )
}

/// Writes the items of a body as YAML; names count up over the whole flow.
fn write(
    items: &[Item],
    list: bool,
    pad: usize,
    names: &[String],
    count: &mut usize,
    out: &mut String,
) {
    let space = " ".repeat(pad);
    out.push_str(&format!("{space}tasks:\n"));
    let mut earlier: Vec<String> = Vec::new();
    for item in items {
        *count += 1;
        let name = format!("t{count}");
        let space = " ".repeat(pad + 4);
        if list {
            out.push_str(&format!("{}  - name: {name}\n", " ".repeat(pad)));
        } else {
            out.push_str(&format!("{}  {name}:\n", " ".repeat(pad)));
            let needs: Vec<&str> = earlier
                .iter()
                .enumerate()
                .filter(|(at, _)| item.needs >> (at % 8) & 1 == 1)
                .map(|(_, name)| name.as_str())
                .collect();
            if !needs.is_empty() {
                out.push_str(&format!("{space}needs: [{}]\n", needs.join(", ")));
            }
        }
        let mut names = names.to_vec();
        if let Some(Tries::ForEach(_)) = item.retry {
            names.push(format!("\"{{{{ v{count} }}}}\""));
        }
        let probe = format!("probe: {{ with: [{}] }}", names.join(", "));
        if let Some(when) = item.when {
            let word = if when { "yes_please" } else { "no_thanks" };
            let depth = ["all", "flow", "neighbors", "task"][item.skips as usize];
            out.push_str(&format!("{space}when: {word}\n{space}skips: {depth}\n"));
        }
        if let Some(tries) = item.retry {
            let tries = match tries {
                Tries::Times(n) => format!("times: {n}"),
                Tries::ForEach(n) => {
                    let values: Vec<String> = (0..n).map(|v| v.to_string()).collect();
                    format!("for_each: [{}], as: v{count}", values.join(", "))
                }
            };
            let all = if item.revert_all {
                ", revert_all: true"
            } else {
                ""
            };
            let delay = if item.delay { ", delay: 2s" } else { "" };
            out.push_str(&format!("{space}retry: {{ {tries}{delay}{all} }}\n"));
        }
        if item.allow_failure {
            out.push_str(&format!("{space}allow_failure: true\n"));
        }
        if item.stop_on_unwind {
            out.push_str(&format!("{space}stop_on_unwind: true\n"));
        }
        if item.children.is_empty() {
            let word = ["rerun", "rerun", "rerun", "rerun", "revert", "pause"]
                [item.if_interrupted as usize];
            out.push_str(&format!("{space}if_interrupted: {word}\n{space}{probe}\n"));
            if item.revert_tries > 0 {
                out.push_str(&format!(
                    "{space}revert: {{ probe: {{}}, retry: {{ times: {}, delay: 1s }} }}\n",
                    item.revert_tries
                ));
            }
        } else {
            if let Some(limit) = item.limit {
                out.push_str(&format!("{space}max_parallel: {limit}\n"));
            }
            if item.timeout {
                out.push_str(&format!("{space}timeout: 5s\n"));
            }
            write(&item.children, item.list, pad + 4, &names, count, out);
        }
        earlier.push(name);
    }
}

/// A random flow: its text, and its plan.
pub fn flow_of(items: &[Item], list: bool, serial: bool, retry: Option<u8>) -> (String, Arc<Plan>) {
    let mut text = String::from("flow: f\nstore:\n  yes_please: true\n  no_thanks: false\n");
    if serial {
        text.push_str("max_parallel: 1\n");
    }
    if let Some(times) = retry {
        text.push_str(&format!("retry: {{ times: {times} }}\n"));
    }
    write(items, list, 0, &[], &mut 0, &mut text);
    let plan = try_plan(&text, &[]).unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"));
    (text, plan)
}

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

pub fn flows() -> impl Strategy<Value = (Vec<Item>, bool, Option<u8>)> {
    (
        prop::collection::vec(item(3), 1..5),
        any::<bool>(),
        prop_oneof![2 => Just(None), 1 => (1u8..4).prop_map(Some)],
    )
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

/// Without what makes an outcome depend on when something happened.
fn plain(item: Item) -> Item {
    Item {
        children: item.children.into_iter().map(plain).collect(),
        if_interrupted: 0,
        stop_on_unwind: false,
        timeout: false,
        delay: false,
        revert_tries: 0,
        ..item
    }
}
