//! Properties of the scheduler over random flows, failures, orders, requests and crashes.
//!
//! The letters are those of the invariants in `docs/reliability.md`.

use std::collections::VecDeque;
use std::sync::Arc;

use jobrunner::compile::Plan;
use jobrunner::model::{
    AtomId, AtomState, Checkpoint, Failure, FailureKind, FlowState, Phase, Record, Timestamp,
    Value, Verb,
};
use jobrunner::scheduler::{Command, Event, Scheduler, Step};
use proptest::prelude::*;

use crate::invariants::History;
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
    history: History,
    records: Vec<Record>,
}

impl World {
    fn new(plan: &Arc<Plan>, luck: Luck) -> Self {
        let mut world = Self {
            plan: plan.clone(),
            luck,
            scheduler: Scheduler::new(plan.clone(), Checkpoint::default(), 1).expect("it fits"),
            running: Vec::new(),
            now: Timestamp(0),
            history: History::new(plan),
            records: Vec::new(),
        };
        world.handle(Event::Resumed);
        world
    }

    fn handle(&mut self, event: Event) {
        let ended = self.history.flow.state.is_end();
        let step = self.scheduler.handle(event, self.now).expect("it fits");
        if ended {
            assert!(step.commands.is_empty(), "E9: a command after the end");
        }
        for record in step.records {
            self.history.add(&record);
            self.records.push(record);
        }
        for command in step.commands {
            let expected = match command.phase {
                Phase::Execute => AtomState::Running,
                Phase::Revert => AtomState::Reverting,
            };
            assert_eq!(
                self.history.state(command.atom),
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
        assert_eq!(
            self.scheduler.checkpoint(),
            self.history.checkpoint(),
            "E14: the fold is what the scheduler holds"
        );
    }

    /// Finishes one of the running commands.
    fn finish(&mut self, which: usize) {
        let command = self.running.remove(which % self.running.len());
        let turn = match command.phase {
            Phase::Execute => 0,
            Phase::Revert => self.history.rows[&command.atom].revert_tries,
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
        self.scheduler = Scheduler::new(self.plan.clone(), self.history.checkpoint(), 1)
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
                4 => return self.handle(Event::Cancel(operator())),
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
            .history
            .rows
            .iter()
            .filter(|(_, row)| {
                matches!(row.state, AtomState::RevertFailure | AtomState::Interrupted)
                    && row.intention != jobrunner::model::Intention::Ignore
            })
            .map(|(id, _)| *id)
            .collect();
        if self.history.flow.state != FlowState::Stuck || undecided.is_empty() {
            return;
        }
        let verb = [Verb::Retry, Verb::MarkReverted, Verb::Abandon][which % 3];
        let atom = match which / 3 % 2 {
            0 => None,
            _ => Some(undecided[which / 6 % undecided.len()]),
        };
        let decision = Event::Decide {
            verb,
            atom,
            by: operator(),
        };
        // What was interrupted is undone with all that is around it, if that unwinds by now: nobody is asked about it.
        if atom.is_some_and(|atom| self.history.state(atom) == AtomState::Interrupted) {
            let mut tried = self.scheduler.clone();
            if tried.handle(decision.clone(), self.now).is_err() {
                assert_eq!(tried.checkpoint(), self.history.checkpoint());
                return;
            }
        }
        self.handle(decision);
    }

    /// Lets it run without further faults. Every flow then ends, or is STUCK (E10).
    fn run_out(&mut self) {
        let mut turns = 0;
        loop {
            if self.scheduler.is_at_rest() {
                if self.history.flow.state == FlowState::Suspended {
                    self.handle(Event::Resume(operator()));
                    continue;
                }
                break;
            }
            assert!(
                !self.running.is_empty() || self.scheduler.next_wakeup().is_some(),
                "E10: the flow is {} and nothing happens any more:\n{}",
                self.history.flow.state,
                self.story()
            );
            self.turn(mix(turns) | 63, false);
            turns += 1;
            assert!(turns < 100_000, "E10: the flow never ends");
        }
        if self.history.flow.state != FlowState::Stuck {
            self.history.check_end();
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
        let atoms = self.history.rows.iter().map(|(id, row)| (*id, row.state));
        (self.history.flow.state, atoms.collect())
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
        prop_assert_eq!(calm.history.flow.state, stormy.history.flow.state, "{}", text);
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
