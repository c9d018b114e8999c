//! Single scenarios of the scheduler: what is decided when, where neither the shared cases nor chance lead.

use std::time::Duration;

use jobrunner::model::{
    Change, Checkpoint, Failure, FailureKind, FlowState, Operator, Phase, Subject, Timestamp,
    Value, Verb,
};
use jobrunner::scheduler::{Command, Event, Scheduler};

use crate::invariants::History;
use crate::play::{Behaviour, Player, try_plan};

/// Plays a flow of which these tasks fail so many times.
fn played(text: &str, failures: &[(&str, usize)]) -> Player {
    let plan = try_plan(text, &[]).expect("it compiles");
    let mut player = Player::new(&plan, Checkpoint::default());
    for (task, failures) in failures {
        let behaviour = Behaviour {
            failures: *failures,
            ..Behaviour::default()
        };
        player.behaviours.insert((*task).to_owned(), behaviour);
    }
    player.handle(Event::Resumed);
    player.play_on();
    player
}

fn failed(command: &Command) -> Event {
    Event::Finished {
        atom: command.atom,
        attempt: command.attempt,
        phase: Phase::Execute,
        outcome: Err(Failure::new(FailureKind::Exit, "exited with code 1")),
    }
}

#[test]
fn revert_all_asks_no_controller_further_out() {
    let inner = |retry: &str| {
        format!(
            "retry: {{ times: 2 }}\ntasks:\n  - {{ name: before, probe: {{}} }}\n  - name: inner\n    retry: {{ times: 1{retry} }}\n    tasks:\n      a: {{ probe: {{}} }}\n"
        )
    };
    let asked = played(&inner(""), &[("a", 1)]);
    assert_eq!(asked.scheduler.state(), FlowState::Success);
    let ended = played(&inner(", revert_all: true"), &[("a", 1)]);
    assert_eq!(ended.scheduler.state(), FlowState::Reverted);
    let starts = ended.events();
    let starts = starts.iter().filter(|event| *event == "before:RUNNING");
    assert_eq!(starts.count(), 1);
}

#[test]
fn a_controller_with_nothing_to_try_leaves_the_question_to_the_one_around_it() {
    let text = "retry: { times: 3 }\ntasks:\n  find: { probe: {}, provides: hosts }\n  inner:\n    retry: { for_each: \"{{ hosts }}\", as: it, revert_all: true }\n    tasks:\n      a: { probe: {} }\n";
    let plan = try_plan(text, &[]).expect("it compiles");
    let mut player = Player::new(&plan, Checkpoint::default());
    let nothing = Behaviour {
        result: Value::Array(Vec::new()),
        ..Behaviour::default()
    };
    player.behaviours.insert("find".to_owned(), nothing);
    player.handle(Event::Resumed);
    assert_eq!(player.play_on(), FlowState::Reverted);
    let events = player.events();
    let failures = events
        .iter()
        .filter(|event| *event == "inner[retry]:FAILURE");
    assert_eq!(failures.count(), 3, "{events:?}");
}

#[test]
fn what_may_fail_and_has_nothing_to_try_is_passed_over() {
    let group = "tasks:\n  find: { probe: {}, provides: hosts }\n  inner:\n    allow_failure: true\n    retry: { for_each: \"{{ hosts }}\", as: it, revert_all: true }\n    tasks:\n      a: { probe: {} }\n      b: { probe: {} }\n  after: { needs: [inner], probe: {} }\n";
    let alone = "tasks:\n  find: { probe: {}, provides: hosts }\n  inner:\n    allow_failure: true\n    retry: { for_each: \"{{ hosts }}\", as: it }\n    probe: {}\n  after: { needs: [inner], probe: {} }\n";
    for (text, inside) in [(group, ["a", "b"]), (alone, ["inner", "inner"])] {
        let plan = try_plan(text, &[]).expect("it compiles");
        let mut player = Player::new(&plan, Checkpoint::default());
        let nothing = Behaviour {
            result: Value::Array(Vec::new()),
            ..Behaviour::default()
        };
        player.behaviours.insert("find".to_owned(), nothing);
        player.handle(Event::Resumed);
        let mut commits = vec![player.records.len()];
        while player.step() {
            commits.push(player.records.len());
        }
        assert_eq!(player.scheduler.state(), FlowState::Success);
        let events = player.events();
        let at = |event: &str| events.iter().any(|found| found == event);
        assert!(
            at("inner[retry]:FAILURE") && at("after:SUCCESS"),
            "{events:?}"
        );
        for task in inside {
            assert!(
                at(&format!("{task}:IGNORE")) && !at(&format!("{task}:RUNNING")),
                "{events:?}"
            );
        }
        assert!(!at("find:REVERTED"), "{events:?}");
        // Whoever takes it up after any of its commits comes to the same end.
        let records = player.records.clone();
        for cut in commits {
            let mut history = History::new(&plan);
            records[..cut].iter().for_each(|record| history.add(record));
            let mut again = Player::new(&plan, history.checkpoint());
            again.behaviours = player.behaviours.clone();
            again.handle(Event::Resumed);
            assert_eq!(again.play_on(), FlowState::Success, "cut at {cut}");
        }
    }
}

#[test]
fn a_group_that_may_fail_is_undone_and_passed_over() {
    let text = "tasks:\n  - name: group\n    allow_failure: true\n    tasks:\n      - { name: a, probe: {} }\n      - { name: b, probe: {} }\n  - { name: c, probe: {} }\n";
    let player = played(text, &[("b", 1)]);
    assert_eq!(player.scheduler.state(), FlowState::Success);
    let events = player.events();
    for expected in ["a:REVERTED", "b:REVERTED", "c:SUCCESS"] {
        assert!(events.iter().any(|event| event == expected), "{events:?}");
    }
}

#[test]
fn a_retry_waits_for_its_delay_and_longer_each_time() {
    let text = "retry: { times: 3, delay: 2s, backoff: 3 }\ntasks:\n  a: { probe: {} }\n";
    let player = played(text, &[("a", 2)]);
    assert_eq!(player.scheduler.state(), FlowState::Success);
    let task = |subject| matches!(subject, Subject::Atom(atom) if player.plan.task(atom).is_some());
    let starts: Vec<Timestamp> = player
        .records
        .iter()
        .filter(|record| task(record.subject) && matches!(record.change, Change::Started { .. }))
        .map(|record| record.at)
        .collect();
    let waits: Vec<Duration> = starts.windows(2).map(|two| two[1].since(two[0])).collect();
    assert_eq!(waits, [Duration::from_secs(2), Duration::from_secs(6)]);
}

#[test]
fn what_is_to_be_stopped_is_and_what_is_not_is_awaited() {
    let text = "tasks:\n  a: { probe: {}, stop_on_unwind: true }\n  b: { probe: {} }\n  c: { probe: {} }\n";
    let plan = try_plan(text, &[]).expect("it compiles");
    let mut scheduler =
        Scheduler::new(plan.clone(), Checkpoint::default(), 1).expect("an empty checkpoint fits");
    let commands = scheduler
        .handle(Event::Resumed, Timestamp(1))
        .expect("it fits")
        .commands;
    let named = |name: &str| {
        let mut commands = commands.iter();
        commands
            .find(|command| plan.atom(command.atom).name == name)
            .expect("it was started")
    };
    let step = scheduler.handle(failed(named("c")), Timestamp(2));
    assert_eq!(step.expect("it fits").stop, [named("a").atom]);
    // Nothing is undone while anything runs.
    assert!(scheduler.handle(failed(named("a")), Timestamp(3)).is_ok());
    assert_eq!(scheduler.state(), FlowState::Reverting);
    assert!(scheduler.handle(failed(named("b")), Timestamp(4)).is_ok());
}

#[test]
fn a_flow_has_no_more_time_after_its_conductor_died() {
    let plan = try_plan("timeout: 5s\ntasks:\n  a: { probe: {} }\n", &[]).expect("it compiles");
    let start = Timestamp(1_000);
    let mut history = History::new(&plan);
    let mut scheduler =
        Scheduler::new(plan.clone(), Checkpoint::default(), 1).expect("an empty checkpoint fits");
    let begun = scheduler.handle(Event::Resumed, start).expect("it fits");
    begun.records.iter().for_each(|record| history.add(record));
    let mut next = Scheduler::new(plan, history.checkpoint(), 1).expect("it fits");
    let taken_over = start.plus(Duration::from_secs(4));
    assert!(next.handle(Event::Resumed, taken_over).is_ok());
    let end = start.plus(Duration::from_secs(5));
    assert_eq!(next.next_wakeup(), Some(end));
    assert!(next.handle(Event::Tick, end).is_ok());
    assert_eq!(next.state(), FlowState::Reverting);
}

#[test]
fn nobody_is_asked_about_what_was_interrupted_and_is_undone_anyway() {
    let text = "tasks:\n  g:\n    retry: { times: 2 }\n    tasks:\n      x: { probe: {} }\n      y: { needs: [x], probe: {} }\n  b: { if_interrupted: pause, probe: {} }\n";
    let plan = try_plan(text, &[]).expect("it compiles");
    let by = || Operator {
        who: "me".to_owned(),
        why: String::new(),
    };
    let named = |commands: &[Command], name: &str| {
        let mut commands = commands.iter();
        let found = commands.find(|command| plan.atom(command.atom).name == name);
        found.expect("it is to be carried out").clone()
    };
    let now = Timestamp(1);
    let mut history = History::new(&plan);
    let mut scheduler =
        Scheduler::new(plan.clone(), Checkpoint::default(), 1).expect("an empty checkpoint fits");
    let mut handle = |scheduler: &mut Scheduler, event| {
        let step = scheduler.handle(event, now).expect("it fits");
        step.records.iter().for_each(|record| history.add(record));
        (step.commands, history.checkpoint())
    };
    let ended = |command: &Command, fails| Event::Finished {
        atom: command.atom,
        attempt: command.attempt,
        phase: command.phase,
        outcome: match fails {
            true => Err(Failure::new(FailureKind::Exit, "exited with code 1")),
            false => Ok(Value::Null),
        },
    };
    let (begun, _) = handle(&mut scheduler, Event::Resumed);
    let (next, _) = handle(&mut scheduler, ended(&named(&begun, "g.x"), false));
    let (undo, _) = handle(&mut scheduler, ended(&named(&next, "g.y"), true));
    let (undo, _) = handle(&mut scheduler, ended(&named(&undo, "g.y"), false));
    let x = named(&undo, "g.x");
    let (_, stuck) = handle(&mut scheduler, ended(&x, true));
    // The conductor dies while `b` runs.
    let b = named(&begun, "b").atom;
    let mut scheduler = Scheduler::new(plan.clone(), stuck, 1).expect("it fits");
    handle(&mut scheduler, Event::Resumed);
    let decide = |atom| Event::Decide {
        verb: Verb::Retry,
        atom: Some(atom),
        by: by(),
    };
    // That it was interrupted is seen when anything goes on.
    let (again, _) = handle(&mut scheduler, decide(x.atom));
    handle(&mut scheduler, ended(&named(&again, "g.x"), true));
    assert!(scheduler.clone().handle(decide(b), now).is_ok());
    let (_, cancelled) = handle(&mut scheduler, Event::Cancel(by()));
    assert_eq!(scheduler.state(), FlowState::Stuck);
    assert!(scheduler.handle(decide(b), now).is_err());
    assert_eq!(scheduler.checkpoint(), cancelled);
    let (undo, _) = handle(&mut scheduler, decide(x.atom));
    for name in ["g.x", "b"] {
        handle(&mut scheduler, ended(&named(&undo, name), false));
    }
    assert_eq!(scheduler.state(), FlowState::Reverted);
}
