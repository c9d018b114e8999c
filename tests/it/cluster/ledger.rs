//! What the tasks write when they begin and when they are done, each line synced to the disk; and what must hold between
//! that and the history that the store has. The letters are those in `docs/reliability.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jobrunner::compile::{self, Plan};
use jobrunner::model::{AtomId, Change, FlowState, JobId, Phase, Subject};
use jobrunner::ports::{EventRow, Loaded, Store, SystemClock};
use jobrunner::scheduler::Scheduler;
use jobrunner::syntax;
use jobrunner::tasks;

use super::crew::Crew;
use crate::invariants::History;

/// `mark JOB TASK PHASE [no]`: notes its beginning, takes a moment, notes its end, and fails if it is told to.
pub const MARK: &str = r#"
at=$(dirname "$0")/ledger
echo "$1 $2 $3 $JOBRUNNER_EPOCH begin" >> "$at"
sync "$at"
sleep 0.1
[ "$4" != no ] || exit 1
echo "$1 $2 $3 $JOBRUNNER_EPOCH end" >> "$at"
sync "$at"
"#;

/// One that succeeds; one whose last task fails, so that all of it is tried again, and then undone for good; and one
/// with a task that must not be started twice.
pub const FLOWS: [(&str, &str); 3] = [
    (
        "good",
        r"
tasks:
  a: { shell: 'MARK {{ flow.id }} a execute', revert: 'MARK {{ flow.id }} a revert' }
  b: { shell: 'MARK {{ flow.id }} b execute', revert: 'MARK {{ flow.id }} b revert', needs: [a] }
  c: { shell: 'MARK {{ flow.id }} c execute', revert: 'MARK {{ flow.id }} c revert', needs: [a] }
  d: { shell: 'MARK {{ flow.id }} d execute', revert: 'MARK {{ flow.id }} d revert', needs: [b, c] }
",
    ),
    (
        "bad",
        r"
retry: { times: 2 }
tasks:
  a: { shell: 'MARK {{ flow.id }} a execute', revert: 'MARK {{ flow.id }} a revert' }
  b: { shell: 'MARK {{ flow.id }} b execute', revert: 'MARK {{ flow.id }} b revert', needs: [a] }
  c: { shell: 'MARK {{ flow.id }} c execute no', revert: 'MARK {{ flow.id }} c revert', needs: [b] }
",
    ),
    (
        "once",
        r"
tasks:
  a: { shell: 'MARK {{ flow.id }} a execute', revert: 'MARK {{ flow.id }} a revert' }
  b:
    shell: MARK {{ flow.id }} b execute
    revert: MARK {{ flow.id }} b revert
    needs: [a]
    if_interrupted: revert
  c: { shell: 'MARK {{ flow.id }} c execute', revert: 'MARK {{ flow.id }} c revert', needs: [b] }
",
    ),
];

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    task: String,
    phase: Phase,
    epoch: i64,
    end: bool,
}

fn lines(crew: &Crew, job: JobId) -> Vec<Line> {
    let job = job.to_string();
    let ledger = crew.ledger();
    let words = ledger.iter().map(|line| line.split(' ').collect());
    words
        .filter(|words: &Vec<&str>| words[0] == job)
        .map(|words| {
            let [_, task, phase, epoch, what] = words[..] else {
                panic!("{words:?}");
            };
            Line {
                task: task.to_owned(),
                phase: match phase {
                    "execute" => Phase::Execute,
                    "revert" => Phase::Revert,
                    other => panic!("{other}"),
                },
                epoch: epoch.parse().unwrap(),
                end: what == "end",
            }
        })
        .collect()
}

fn plan(loaded: &Loaded) -> Arc<Plan> {
    let settings = tasks::Settings::new(String::new(), Vec::new(), Arc::new(SystemClock));
    let kinds = tasks::builtin(settings);
    let schemas: Vec<_> = kinds.schemas().collect();
    let names: Vec<&str> = schemas.iter().map(|schema| schema.name).collect();
    let (declaration, problems) = syntax::parse(&loaded.job.bundle, &names);
    let declaration = declaration.unwrap_or_else(|| panic!("{problems:?}"));
    let (plan, problems) = compile::compile(&declaration, &schemas);
    Arc::new(plan.unwrap_or_else(|| panic!("{problems:?}")))
}

/// Holds every job to the invariants.
pub async fn judge(crew: &Crew) {
    for id in &crew.jobs {
        let loaded = crew.store.load(*id).await.unwrap().expect("it was posted");
        let events = crew.store.events(*id, 0, u32::MAX).await.unwrap();
        let lines = lines(crew, *id);
        assert!(!lines.is_empty(), "nothing was done for {id}");
        // Said should anything below fail: the test's output is shown then.
        println!("{id} {}: {lines:?}\n{events:?}", loaded.job.flow.state);
        history(&loaded, &events);
        one_after_the_other(&lines);
        records_and_effects(&plan(&loaded), &events, &lines);
        last_effects(loaded.job.flow.state, &lines);
    }
}

/// E1 to E5, E7, E9, E13, E14, from the events alone.
fn history(loaded: &Loaded, events: &[EventRow]) {
    let plan = plan(loaded);
    let mut history = History::new(&plan);
    let epochs = events.iter().map(|event| event.epoch);
    assert!(epochs.is_sorted(), "E2: epochs never fall");
    let last = events.last().expect("it has a history");
    assert!(last.epoch <= loaded.job.epoch, "E1: the store issues them");
    for (at, event) in (1..).zip(events) {
        assert_eq!(event.seq, at, "E2: in order, without a gap");
        history.add(&event.record);
        let resumed = Scheduler::new(plan.clone(), history.checkpoint(), 1);
        let resumed = resumed.expect("E13: every prefix of a history resumes");
        resumed.audit().expect("E14: what is kept follows");
    }
    assert_eq!(loaded.job.seq, last.seq);
    assert_eq!(
        history.checkpoint(),
        loaded.checkpoint,
        "E14: the fold of the events is what the store holds"
    );
    history.check_end();
}

/// What was begun under a later claim is touched by an earlier one no more, and under one claim no attempt of a task
/// begins before the one before it has ended.
fn one_after_the_other(lines: &[Line]) {
    let mut last: BTreeMap<&str, &Line> = BTreeMap::new();
    for line in lines {
        let before = last.insert(&line.task, line);
        match before {
            Some(before) if line.end => {
                let begun = Line {
                    end: false,
                    ..line.clone()
                };
                assert_eq!(*before, begun, "another one was at work");
            }
            Some(before) => assert!(line.epoch >= before.epoch, "{before:?} then {line:?}"),
            None => assert!(!line.end, "{line:?}"),
        }
    }
}

/// E6: what began is on record under the same claim; and what is on record as done was done.
fn records_and_effects(plan: &Plan, events: &[EventRow], lines: &[Line]) {
    let recorded = |task: &str, epoch: i64, fits: fn(&Change) -> bool| {
        let of = |event: &&EventRow| match event.record.subject {
            Subject::Atom(AtomId(atom)) => {
                plan.atoms[atom as usize].name == task
                    && event.epoch.0 == epoch
                    && fits(&event.record.change)
            }
            Subject::Flow => false,
        };
        events.iter().filter(of).count()
    };
    let noted = |sought: &Line| lines.iter().filter(|line| *line == sought).count();
    for line in lines {
        let fits: fn(&Change) -> bool = match (line.phase, line.end) {
            (Phase::Execute, false) => |change| matches!(change, Change::Started { .. }),
            (Phase::Execute, true) => |change| matches!(change, Change::Succeeded { .. }),
            (Phase::Revert, false) => |change| matches!(change, Change::Reverting),
            (Phase::Revert, true) => |change| matches!(change, Change::Reverted { by: None }),
        };
        let (there, records) = (noted(line), recorded(&line.task, line.epoch, fits));
        if line.end {
            assert!(records <= there, "{line:?} is on record {records} times");
        } else {
            assert!(there <= records, "E6: {line:?} without a record");
        }
    }
    for event in events {
        let Subject::Atom(atom) = event.record.subject else {
            continue;
        };
        let phase = match &event.record.change {
            Change::Succeeded { .. } => Phase::Execute,
            Change::Reverted { by: None } => Phase::Revert,
            _ => continue,
        };
        if plan.task(atom).is_none() {
            continue;
        }
        let line = Line {
            task: plan.atom(atom).name.clone(),
            phase,
            epoch: event.epoch.0,
            end: true,
        };
        assert!(noted(&line) > 0, "{line:?} is on record and was not done");
    }
}

/// E8: a task's last effect is its own if the job succeeded, and its revert if that was undone; whole in both cases.
fn last_effects(state: FlowState, lines: &[Line]) {
    let mut last: BTreeMap<&str, &Line> = BTreeMap::new();
    for line in lines {
        last.insert(&line.task, line);
    }
    let phase = match state {
        FlowState::Success => Phase::Execute,
        FlowState::Reverted => Phase::Revert,
        other => panic!("E10: it ended {other}"),
    };
    for line in last.values() {
        assert!(line.end && line.phase == phase, "E8: {state}, but {line:?}");
    }
}
