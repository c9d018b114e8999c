//! Rehearsals of small flows, and of random ones: a report tells what the scheduler does when it is driven directly.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jobrunner::compile::{self, AtomKind, Input, Plan};
use jobrunner::model::{
    AtomId, AtomState, Bundle, Change, Checkpoint, Failure, FailureKind, FlowState, Phase, Record,
    SourceFile, Subject, Timestamp, Value,
};
use jobrunner::rehearsal::{
    Code, Ending, FOR_GOOD, Faults, Places, Rehearsed, Report, Takeover, Topic, one_play, rehearse,
    rehearse_within,
};
use jobrunner::scheduler::{Command, Event, Scheduler};
use jobrunner::syntax;
use proptest::prelude::*;

use crate::kinds;
use crate::properties::config;
use crate::random::{flow_of, flows};

const START: Timestamp = Timestamp(1_000);

fn plan_of(text: &str, inputs: &[(&str, &str)]) -> (Plan, Places) {
    let bundle = Bundle {
        version: 1,
        files: vec![SourceFile {
            path: "f.flow.yaml".to_owned(),
            text: format!("flow: f\n{text}"),
        }],
    };
    let schemas = kinds::KINDS;
    let names: Vec<&str> = schemas.iter().map(|schema| schema.name).collect();
    let (declaration, problems) = syntax::parse(&bundle, &names);
    let declaration = declaration.unwrap_or_else(|| panic!("{text}\n{problems:#?}"));
    let (plan, problems) = compile::compile(&declaration, &schemas);
    let plan = plan.unwrap_or_else(|| panic!("{text}\n{problems:#?}"));
    let given = inputs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Input::Text((*text).to_owned())))
        .collect();
    let plan = plan.with_inputs(&given).unwrap();
    (plan, Places::new(&bundle, &declaration))
}

fn report(text: &str) -> Report {
    let (plan, places) = plan_of(text, &[]);
    rehearse(&plan, &places, START)
}

fn task<'r>(report: &'r Report, name: &str) -> &'r Rehearsed {
    report.tasks.iter().find(|task| task.task == name).unwrap()
}

fn fails<'r>(report: &'r Report, name: &str) -> &'r Ending {
    task(report, name).fails.as_ref().unwrap()
}

#[test]
fn a_failure_undoes_all_that_was_done_the_last_first() {
    let report = report(
        "
tasks:
  - { name: a, shell: 'true', revert: 'true' }
  - { name: b, shell: 'true' }
  - { name: c, shell: 'true', revert: 'true' }
  - { name: d, shell: 'true', revert: 'true' }
",
    );
    assert_eq!(report.success.order, [["a"], ["b"], ["c"], ["d"]]);
    assert_eq!(report.success.end, Some(FlowState::Success));
    let c = fails(&report, "c");
    assert_eq!(c.end, Some(FlowState::Reverted));
    assert_eq!(c.undone, ["c", "a"]);
    assert_eq!(c.left, ["b"]);
    assert_eq!(c.executions, 1);
    let b = task(&report, "b").revert_fails.as_ref();
    assert_eq!(b, None, "there is nothing that could fail");
    let c = task(&report, "c").revert_fails.as_ref().unwrap();
    assert_eq!(c.because_of, "d");
    assert_eq!(c.ending.end, Some(FlowState::Stuck));
    assert_eq!(c.ending.undone, ["d"]);
    assert_eq!(c.ending.stuck, ["c"]);
    assert_eq!(c.ending.standing, ["a", "b"]);
}

#[test]
fn what_runs_beside_a_failure_is_undone_too() {
    let report = report(
        "
tasks:
  a: { shell: 'true', revert: 'true' }
  b: { shell: 'true', revert: 'true' }
  c: { needs: [a], shell: 'true', revert: 'true' }
",
    );
    assert_eq!(
        report.success.order,
        [vec!["a", "b"], vec!["c"]],
        "a and b start at once"
    );
    let mut undone = fails(&report, "a").undone.clone();
    undone.sort();
    assert_eq!(undone, ["a", "b"], "c has not started");
}

#[test]
fn a_retry_of_a_group_undoes_it_between_two_tries_and_its_delays_are_told() {
    let report = report(
        "
tasks:
  - { name: before, shell: 'true', revert: 'true' }
  - name: group
    retry: { times: 3, delay: 10s, backoff: 2 }
    tasks:
      - { name: x, shell: 'true', revert: 'true' }
      - { name: y, shell: 'true' }
",
    );
    let y = task(&report, "group.y");
    let once = y.fails_once.as_ref().unwrap();
    assert_eq!(once.end, Some(FlowState::Success));
    assert_eq!((once.executions, once.waits_ms), (2, 10_000));
    assert_eq!(once.undone, ["group.x"]);
    let fails = y.fails.as_ref().unwrap();
    assert_eq!(fails.end, Some(FlowState::Reverted));
    assert_eq!((fails.executions, fails.waits_ms), (3, 30_000));
    assert_eq!(fails.retried[0].scope, "group");
    assert_eq!(fails.retried[0].tries, 3);
    assert_eq!(fails.undone, ["group.x", "before"]);
    assert_eq!(fails.left, ["group.y"]);
}

#[test]
fn a_failure_that_is_allowed_ends_in_success() {
    let report = report(
        "
tasks:
  - { name: a, shell: 'true', allow_failure: true }
  - name: group
    allow_failure: true
    tasks:
      - { name: x, shell: 'true', revert: 'true' }
      - { name: y, shell: 'true' }
  - { name: b, shell: 'true' }
",
    );
    let a = fails(&report, "a");
    assert_eq!(a.end, Some(FlowState::Success));
    assert!(a.undone.is_empty() && a.left.is_empty(), "{a:?}");
    let y = fails(&report, "group.y");
    assert_eq!(y.end, Some(FlowState::Success));
    assert_eq!(y.undone, ["group.x"]);
    assert_eq!(y.left, ["group.y"]);
    assert_eq!(fails(&report, "b").end, Some(FlowState::Reverted));
}

#[test]
fn a_revert_that_is_tried_again_is_told_with_its_tries() {
    let report = report(
        "
tasks:
  - { name: a, shell: 'true', revert: { shell: 'true', retry: { times: 4, delay: 1s } } }
  - { name: b, shell: 'true', revert: 'true' }
",
    );
    let a = task(&report, "a").revert_fails.as_ref().unwrap();
    assert_eq!((a.tries, a.ending.waits_ms), (4, 3_000));
    let warned: Vec<_> = report
        .warnings
        .iter()
        .map(|w| (w.code, w.task.as_str()))
        .collect();
    assert_eq!(warned, [(Code::RevertTriedOnce, "b")]);
}

#[test]
fn a_death_of_the_conductor_does_what_the_flow_says() {
    let report = report(
        "
tasks:
  - { name: a, shell: 'true', revert: 'true' }
  - { name: nap, sleep: 1h }
  - { name: b, shell: 'true', if_interrupted: pause }
  - { name: c, shell: 'true', if_interrupted: revert }
",
    );
    let then = |name: &str| task(&report, name).conductor_dies.clone().unwrap();
    assert_eq!(then("a").then, Takeover::RunsAgain);
    assert_eq!(then("a").end, Some(FlowState::Success));
    assert_eq!(then("nap").then, Takeover::WaitsOn);
    assert_eq!(then("b").then, Takeover::Pauses);
    assert_eq!(then("b").end, Some(FlowState::Stuck));
    assert_eq!(then("c").then, Takeover::Fails);
    assert_eq!(then("c").end, Some(FlowState::Reverted));
    assert_eq!(then("c").undone, ["a"]);
    let forward = &report.dies_forward;
    assert_eq!((forward.played, forward.commits), (5, 5));
    assert_eq!(
        (&forward.pauses, &forward.fails),
        (&vec!["b".to_owned()], &vec!["c".to_owned()])
    );
    assert_eq!(forward.otherwise.len(), 2);
    let twice: Vec<_> = forward
        .runs_twice
        .iter()
        .map(|side| side.task.as_str())
        .collect();
    assert_eq!(twice, ["a"], "a sleep does not begin anew");
    let backward = report.dies_backward.as_ref().unwrap();
    assert_eq!(backward.failing.as_deref(), Some("c"));
    assert_eq!(backward.end, Some(FlowState::Reverted));
    assert!(backward.otherwise.is_empty());
    assert_eq!(backward.runs_twice.len(), 1, "{backward:?}");
}

#[test]
fn a_task_that_still_runs_when_the_flow_unwinds_is_undone_and_does_not_run_twice() {
    let report = report(
        "
tasks:
  fast: { shell: 'true' }
  slow: { shell: 'true', allow_failure: true, revert: 'true' }
",
    );
    let backward = report.dies_backward.as_ref().unwrap();
    assert_eq!(backward.failing.as_deref(), Some("fast"));
    let twice: Vec<_> = backward.runs_twice.iter().map(|side| side.phase).collect();
    assert_eq!(twice, [Phase::Revert]);
    assert!(backward.otherwise.is_empty());
}

#[test]
fn what_only_results_would_tell_is_assumed_and_what_inputs_tell_is_not() {
    let text = "
store:
  on: false
  few: [1, 2, 3]
  nap: { type: duration, default: 5s }
tasks:
  - { name: list, shell: 'true', provides: names }
  - { name: skipped, when: on, skips: task, shell: 'true' }
  - { name: taken, when: names != '', shell: 'true' }
  - { name: short, sleep: '{{ nap }}' }
  - { name: long, sleep: '{{ names }}' }
  - { name: each, retry: { for_each: '{{ few }}', as: one }, shell: 'echo {{ one }}' }
  - { name: some, retry: { for_each: '{{ names }}', as: one }, shell: 'echo {{ one }}' }
  - { name: picky, retry: { times: 2, on: failure.exit_code == 7 }, shell: 'true' }
";
    let report = report(text);
    assert!(!task(&report, "skipped").runs);
    assert!(task(&report, "taken").runs);
    assert_eq!(report.success.waits_ms, 6_000);
    assert_eq!(fails(&report, "each").executions, 3);
    assert_eq!(fails(&report, "some").executions, 2);
    assert_eq!(fails(&report, "picky").executions, 2);
    let assumed: Vec<_> = report
        .assumptions
        .iter()
        .map(|a| (a.of.as_str(), a.topic))
        .collect();
    assert_eq!(
        assumed,
        [
            ("taken", Topic::When),
            ("long", Topic::Sleep),
            ("some", Topic::ForEach),
            ("picky", Topic::On)
        ]
    );
    assert_eq!(
        report.assumptions[0].place.as_ref().map(|place| place.line),
        Some(10)
    );
    let (plan, places) = plan_of(text, &[("on", "true"), ("nap", "1m")]);
    let other = rehearse(&plan, &places, START);
    assert!(task(&other, "skipped").runs);
    assert_eq!(other.success.waits_ms, 61_000);
}

#[test]
fn sleeps_that_are_longer_than_a_timeout_are_noticed() {
    let report = report(
        "
tasks:
  - { name: a, shell: 'true', revert: 'true' }
  - name: group
    timeout: 5s
    tasks: { nap: { sleep: 10s } }
",
    );
    assert_eq!(report.success.end, Some(FlowState::Reverted));
    assert_eq!(report.success.waits_ms, 5_000);
    assert_eq!(report.warnings[0].code, Code::NeverSucceeds);
    assert!(
        report.warnings[0].what.contains("`group`"),
        "{:?}",
        report.warnings
    );
}

#[test]
fn very_many_tries_and_very_many_tasks_take_bounded_work() {
    let endless = report("tasks: { a: { retry: { times: 1000000000 }, shell: 'true' } }\n");
    let a = fails(&endless, "a");
    assert_eq!(a.end, None);
    assert!(a.executions > 1_000, "{a:?}");
    let mut text = String::from("tasks:\n");
    for n in 0..600 {
        text.push_str(&format!(
            "  - {{ name: t{n}, shell: 'true', revert: 'true' }}\n"
        ));
    }
    let (plan, places) = plan_of(&text, &[]);
    let some = rehearse_within(&plan, &places, START, 200_000);
    let played = some
        .tasks
        .iter()
        .filter(|task| task.fails.is_some())
        .count();
    assert_eq!(some.sampled, Some(played));
    assert!((16..100).contains(&played), "{played} of 600");
    assert!(task(&some, "t0").fails.is_some() && task(&some, "t599").fails.is_some());
}

#[test]
fn a_report_survives_being_written_and_read() {
    let report = report(
        "tasks: { a: { shell: 'true', revert: 'true', retry: { times: 2, jitter: 0.5, delay: 1s } } }\n",
    );
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

/// Drives the scheduler by hand: the oldest command ends first, time passes when nothing runs.
struct Driver {
    scheduler: Scheduler,
    plan: Arc<Plan>,
    faults: Faults,
    now: Timestamp,
    running: VecDeque<Command>,
    records: Vec<Record>,
    commits: usize,
}

impl Driver {
    fn new(plan: &Arc<Plan>, faults: Faults) -> Self {
        let mut driver = Self {
            scheduler: Scheduler::new(plan.clone(), Checkpoint::default(), 0).unwrap(),
            plan: plan.clone(),
            faults,
            now: START,
            running: VecDeque::new(),
            records: Vec::new(),
            commits: 0,
        };
        driver.handle(Event::Resumed);
        driver
    }

    fn handle(&mut self, event: Event) {
        let step = self.scheduler.handle(event, self.now).unwrap();
        self.commits += usize::from(!step.records.is_empty());
        self.records.extend(step.records);
        self.running.extend(step.commands);
        for atom in step.stop {
            if let Some(at) = self
                .running
                .iter()
                .position(|command| command.atom == atom && command.phase == Phase::Execute)
            {
                let command = self.running.remove(at).unwrap();
                let failure = Failure::new(FailureKind::Cancelled, "stopped");
                self.finish(&command, Err(failure));
            }
        }
    }

    fn finish(&mut self, command: &Command, outcome: Result<Value, Failure>) {
        self.handle(Event::Finished {
            atom: command.atom,
            attempt: command.attempt,
            phase: command.phase,
            outcome,
        });
    }

    /// Lets it go on until nothing happens any more, or it has committed so often.
    fn play(&mut self, commits: usize) -> FlowState {
        while self.commits < commits {
            if let Some(command) = self.running.pop_front() {
                let fails = match command.phase {
                    Phase::Execute => self
                        .faults
                        .execute
                        .is_some_and(|(atom, n)| atom == command.atom && command.attempt <= n),
                    Phase::Revert => self.faults.revert == Some(command.atom),
                };
                let outcome = if fails {
                    Err(Failure::new(FailureKind::Exit, "failed"))
                } else {
                    Ok(Value::Null)
                };
                self.finish(&command, outcome);
            } else if let Some(at) = self.scheduler.next_wakeup() {
                self.now = self.now.max(at);
                self.handle(Event::Tick);
            } else {
                break;
            }
        }
        self.scheduler.state()
    }

    fn die(&mut self) {
        self.running.clear();
        let checkpoint = self.scheduler.checkpoint();
        self.scheduler = Scheduler::new(self.plan.clone(), checkpoint, 0).unwrap();
        self.handle(Event::Resumed);
    }

    fn count(&self, task: AtomId, of: fn(&Change) -> bool) -> usize {
        let of_it = self
            .records
            .iter()
            .filter(|record| record.subject == Subject::Atom(task));
        of_it.filter(|record| of(&record.change)).count()
    }

    /// The tasks that were undone last, in order, and are written to be.
    fn undone(&self) -> Vec<String> {
        let mut rounds: Vec<Vec<String>> = vec![Vec::new()];
        for record in &self.records {
            let Subject::Atom(atom) = record.subject else {
                continue;
            };
            match record.change {
                Change::Retrying { .. } => rounds.push(Vec::new()),
                Change::Reverted { .. }
                    if self.plan.task(atom).is_some_and(|t| t.revert.is_some()) =>
                {
                    rounds
                        .last_mut()
                        .unwrap()
                        .push(self.plan.atom(atom).name.clone());
                }
                _ => {}
            }
        }
        let last = rounds.pop().unwrap();
        if last.is_empty() {
            rounds.pop().unwrap_or_default()
        } else {
            last
        }
    }

    fn in_state(&self, states: &[AtomState]) -> Vec<String> {
        let tasks = self.plan.atoms.iter().enumerate();
        let tasks = tasks.filter(|(_, atom)| matches!(atom.kind, AtomKind::Task(_)));
        let tasks =
            tasks.filter(|(at, _)| states.contains(&self.scheduler.row(AtomId(*at as u32)).state));
        tasks.map(|(_, atom)| atom.name.clone()).collect()
    }

    fn must_match(&self, ending: &Ending, task: AtomId) {
        assert_eq!(ending.end, Some(self.scheduler.state()));
        let executions = self.count(task, |change| matches!(change, Change::Started { .. }));
        assert_eq!(ending.executions as usize, executions);
        assert_eq!(
            ending.waits_ms,
            u64::try_from(self.now.0 - START.0).unwrap()
        );
        assert_eq!(ending.undone, self.undone());
        assert_eq!(
            ending.stuck,
            self.in_state(&[AtomState::RevertFailure, AtomState::Interrupted])
        );
        use AtomState::{Failure, Pending, Reverted, Running, Success};
        for name in &ending.left {
            assert!(
                self.in_state(&[Reverted, AtomState::Ignore, Pending])
                    .contains(name)
            );
        }
        match ending.end {
            Some(FlowState::Reverted) => {
                let standing = self.in_state(&[Running, Success, Failure, AtomState::Reverting]);
                assert!(
                    standing.is_empty() && ending.standing.is_empty(),
                    "{standing:?}"
                );
            }
            Some(FlowState::Stuck) => {
                assert_eq!(ending.standing, self.in_state(&[Running, Success, Failure]));
            }
            _ => assert!(ending.standing.is_empty()),
        }
    }
}

fn holds(plan: &Arc<Plan>) {
    let report = rehearse(plan, &Places::default(), START);
    let ids: BTreeMap<&str, AtomId> = plan
        .atoms
        .iter()
        .zip(0..)
        .map(|(atom, id)| (atom.name.as_str(), AtomId(id)))
        .collect();
    let mut calm = Driver::new(plan, Faults::default());
    let end = calm.play(usize::MAX);
    assert_eq!(report.success.end, Some(end));
    let order: Vec<&String> = report.success.order.iter().flatten().collect();
    assert_eq!(
        order.len(),
        report.tasks.iter().filter(|task| task.runs).count()
    );
    for task in &report.tasks {
        let id = ids[task.task.as_str()];
        let fail = |attempts| Faults {
            execute: Some((id, attempts)),
            revert: None,
        };
        for (attempts, ending) in [(1, &task.fails_once), (FOR_GOOD, &task.fails)] {
            let Some(ending) = ending else {
                continue;
            };
            let mut driver = Driver::new(plan, fail(attempts));
            driver.play(usize::MAX);
            driver.must_match(ending, id);
        }
        if let Some(fails) = &task.revert_fails {
            let mut driver = Driver::new(
                plan,
                Faults {
                    execute: Some((ids[fails.because_of.as_str()], FOR_GOOD)),
                    revert: Some(id),
                },
            );
            driver.play(usize::MAX);
            driver.must_match(&fails.ending, id);
            let tries = driver.count(id, |change| {
                matches!(
                    change,
                    Change::RevertRetried { .. } | Change::RevertFailed { .. }
                )
            });
            assert_eq!(fails.tries as usize, tries);
            assert!(tries > 0, "the revert ran");
        }
    }
    let deaths = &report.dies_forward;
    assert_eq!(deaths.commits, calm.commits);
    for after in 1..=deaths.commits {
        let mut driver = Driver::new(plan, Faults::default());
        driver.play(after);
        driver.die();
        let end = Some(driver.play(usize::MAX));
        let told = deaths.otherwise.iter().find(|other| other.after == after);
        assert_eq!(
            told.map_or(deaths.end, |other| other.end),
            end,
            "after {after}"
        );
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn a_report_tells_what_the_scheduler_does((items, list, retry) in flows()) {
        let (text, plan) = flow_of(&items, list, false, retry);
        let told = std::panic::AssertUnwindSafe(|| holds(&plan));
        if let Err(panic) = std::panic::catch_unwind(told) {
            eprintln!("{text}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn one_play_in_detail_is_the_play_of_the_report() {
    let (plan, _) = plan_of(
        "
tasks:
  - { name: a, shell: 'true', revert: 'true' }
  - { name: b, shell: 'true', retry: { times: 2, delay: 1s } }
",
        &[],
    );
    let b = AtomId(
        plan.atoms
            .iter()
            .position(|atom| atom.name == "b" && matches!(atom.kind, AtomKind::Task(_)))
            .unwrap() as u32,
    );
    let faults = Faults {
        execute: Some((b, FOR_GOOD)),
        revert: None,
    };
    let steps = one_play(&plan, faults, Some(2), START);
    assert_eq!(
        steps.iter().filter(|step| step.is_none()).count(),
        1,
        "it dies once"
    );
    assert!(steps[2].is_none(), "after the second commit");
    let last = steps.last().unwrap().as_ref().unwrap().last().unwrap();
    let Change::Flow { state, .. } = &last.change else {
        panic!("{last:?}");
    };
    assert_eq!(*state, FlowState::Reverted);
}
