//! What has been started and waits: for a place on the machine, or for an instant.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jobrunner::compile::{Task, Template, Wait};
use jobrunner::engine::Driven;
use jobrunner::model::{AtomState, FailureKind, FlowState};
use jobrunner::ports::{Request, Store};
use tokio::sync::Semaphore;

use super::{Stage, by, end};
use crate::stage::{Scripted, Sketch, new_job, soon, task};

#[tokio::test]
async fn no_more_tasks_occupy_the_machine_than_there_are_places() {
    let tasks = vec![task("a", &[], "hold", ""), task("b", &[], "pass", "")];
    let mut stage = Stage::new(tasks).await;
    stage.slots = Arc::new(Semaphore::new(1));
    let (journal, kind) = (stage.journal.clone(), stage.kind.clone());
    let lets_go = async {
        journal.wait_for("start a", 1).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!journal.has("start b"));
        kind.let_go("a");
    };
    let (driven, ()) = tokio::join!(stage.drive(), lets_go);
    assert_eq!(end(&driven), FlowState::Success);
    assert!(journal.position("end a") < journal.position("start b"));
}

#[tokio::test]
async fn what_only_waits_takes_no_place() {
    let mut waits = task("a", &[], "hold", "");
    waits.change = |task| task.execute.kind = "wait".to_owned();
    let mut stage = Stage::new(vec![waits, task("b", &[], "pass", "")]).await;
    let waiting = Scripted::waiting(&stage.journal);
    stage.kinds.add(waiting.clone());
    stage.slots = Arc::new(Semaphore::new(1));
    let (journal, stop) = (stage.journal.clone(), stage.stop.clone());
    let stops = async {
        journal.wait_for("end b", 1).await;
        // It loses nothing by being stopped: it is not given the grace time.
        stop.in_order();
    };
    let (driven, ()) = tokio::join!(stage.drive(), stops);
    assert!(matches!(driven, Driven::HandedOver), "{driven:?}");
    assert!(journal.has("commit a HANDED OVER"));
}

#[tokio::test]
async fn what_waits_for_a_place_is_not_started_by_a_stop() {
    let mut stage = Stage::new(vec![task("a", &[], "hold", ""), task("b", &[], "hold", "")]).await;
    stage.slots = Arc::new(Semaphore::new(1));
    let (journal, stop, kind) = (
        stage.journal.clone(),
        stage.stop.clone(),
        stage.kind.clone(),
    );
    let stops = async {
        journal.wait_for("start a", 1).await;
        stop.in_order();
        kind.let_go("a");
        kind.let_go("b");
    };
    let (driven, ()) = tokio::join!(stage.drive(), stops);
    assert!(matches!(driven, Driven::HandedOver), "{driven:?}");
    assert!(!journal.has("start b"));
    assert!(journal.has("commit b HANDED OVER"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_place_starts_in_the_order_of_the_scheduler() {
    const NAMES: [&str; 12] = [
        "t00", "t01", "t02", "t03", "t04", "t05", "t06", "t07", "t08", "t09", "t10", "t11",
    ];
    let mut stage = Stage::new(NAMES.map(|name| task(name, &[], "pass", "")).into()).await;
    stage.slots = Arc::new(Semaphore::new(1));
    assert_eq!(end(&stage.drive().await), FlowState::Success);
    let lines = stage.journal.lines();
    let started = lines.iter().filter_map(|line| line.strip_prefix("start "));
    assert_eq!(started.collect::<Vec<_>>(), NAMES);
}

#[tokio::test]
async fn what_is_stopped_while_it_waits_for_a_place_never_begins() {
    let mut stage = Stage::new(vec![task("a", &[], "hold", ""), task("b", &[], "hold", "")]).await;
    stage.slots = Arc::new(Semaphore::new(1));
    let (journal, requests) = (stage.journal.clone(), stage.requests.clone());
    let asks = async {
        journal.wait_for("start a", 1).await;
        requests.send((7, Request::Cancel(by()))).unwrap();
    };
    let (driven, ()) = tokio::join!(stage.drive(), asks);
    assert_eq!(end(&driven), FlowState::Reverted);
    assert!(!journal.has("start b"));
    assert_eq!(stage.state("b").await, AtomState::Reverted);
}

#[tokio::test]
async fn a_place_does_not_wait_for_the_commit_of_the_outcome_that_has_freed_it() {
    let mut stage = Stage::new(vec![task("a", &[], "hold", ""), task("b", &[], "pass", "")]).await;
    stage.slots = Arc::new(Semaphore::new(1));
    let (journal, store, kind) = (
        stage.journal.clone(),
        stage.store.clone(),
        stage.kind.clone(),
    );
    let fails = async {
        journal.wait_for("start a", 1).await;
        store.away.store(true, Ordering::SeqCst);
        kind.let_go("a");
        journal.wait_for("end b", 1).await;
        assert!(!journal.has("commit a SUCCESS"));
        store.away.store(false, Ordering::SeqCst);
    };
    let (driven, ()) = tokio::join!(stage.drive(), fails);
    assert_eq!(end(&driven), FlowState::Success);
}

#[tokio::test]
async fn the_jobs_of_a_conductor_take_turns() {
    let wide = ["a0", "a1", "a2", "a3"].map(|name| task(name, &[], "pass", ""));
    let narrow = vec![task("b0", &[], "pass", "")];
    let (mut wide, mut narrow) = (Stage::new(wide.into()).await, Stage::new(narrow).await);
    narrow.kinds = wide.kinds.clone();
    narrow.slots = Arc::clone(&wide.slots);
    wide.slots.forget_permits(wide.slots.available_permits());
    let (journal, slots) = (wide.journal.clone(), Arc::clone(&wide.slots));
    let (first, second) = (wide.store.clone(), narrow.journal.clone());
    let opens = async {
        // Both are in the line before there is a place.
        soon("the first", async {
            while first.load(new_job(1).id).await.unwrap().unwrap().job.seq == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        second.wait_for("commit b0 RUNNING", 1).await;
        tokio::task::yield_now().await;
        slots.add_permits(1);
    };
    let (one, other, ()) = tokio::join!(wide.drive(), narrow.drive(), opens);
    assert_eq!(
        (end(&one), end(&other)),
        (FlowState::Success, FlowState::Success)
    );
    assert!(
        journal.position("start b0") < journal.position("start a3"),
        "{:#?}",
        journal.lines()
    );
}

/// A task that waits for so many seconds.
fn waits(name: &'static str, change: fn(&mut Task)) -> Sketch {
    Sketch {
        change,
        ..task(name, &[], "pass", "")
    }
}

fn for_ten_seconds(task: &mut Task) {
    task.execute.kind = "wait".to_owned();
    task.wait = Some(Wait::Instant(Template::Literal("10s".into())));
}

#[tokio::test]
async fn what_waits_for_an_instant_begins_then_and_keeps_nothing_else_waiting() {
    let sketches = vec![waits("a", for_ten_seconds), task("b", &[], "pass", "")];
    let mut stage = Stage::new(sketches).await;
    stage.kinds.add(Scripted::waiting(&stage.journal));
    let (journal, clock) = (stage.journal.clone(), stage.clock.clone());
    let passes = async {
        journal.wait_for("commit b SUCCESS", 1).await;
        assert!(!journal.has("start a"));
        clock.advance(Duration::from_secs(10));
    };
    let (driven, ()) = tokio::join!(stage.drive(), passes);
    assert_eq!(end(&driven), FlowState::Success);
    assert!(journal.has("end a"));
}

#[tokio::test]
async fn the_time_of_what_waits_for_an_instant_counts_from_its_start() {
    let mut held = task("a", &[], "hold", "");
    held.change = |task| {
        for_ten_seconds(task);
        task.timeout = Some(Duration::from_secs(5));
    };
    let mut stage = Stage::new(vec![held]).await;
    stage.kinds.add(Scripted::waiting(&stage.journal));
    let (journal, clock) = (stage.journal.clone(), stage.clock.clone());
    let passes = async {
        journal.wait_for("commit a RUNNING", 1).await;
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(5));
    };
    let (driven, ()) = tokio::join!(stage.drive(), passes);
    assert_eq!(end(&driven), FlowState::Reverted);
    assert_eq!(stage.failure_kind("a").await, Some(FailureKind::Timeout));
}

#[tokio::test]
async fn what_waits_for_an_instant_is_stopped_before_it() {
    let mut stage = Stage::new(vec![waits("a", for_ten_seconds)]).await;
    stage.kinds.add(Scripted::waiting(&stage.journal));
    let (journal, requests) = (stage.journal.clone(), stage.requests.clone());
    let asks = async {
        journal.wait_for("commit a RUNNING", 1).await;
        requests.send((7, Request::Cancel(by()))).unwrap();
    };
    let (driven, ()) = tokio::join!(stage.drive(), asks);
    assert_eq!(end(&driven), FlowState::Reverted);
    assert!(!journal.has("start a"));
}
