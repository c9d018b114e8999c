//! What is done when store or board are away, have lost something, or do not hear.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jobrunner::conductor::Until;
use jobrunner::model::{ConductorId, Epoch, FlowState};
use jobrunner::ports::{Clock, JobBoard, Store};

use super::{HOLDS, QUICK, Town};

#[tokio::test]
async fn while_only_the_board_is_away_tasks_run_on() {
    let mut town = Town::new();
    let job = town.post(HOLDS).await;
    let at_work = town.start("a", Until::Stopped);
    town.journal.wait_for("start a", 1).await;
    at_work.board.away.store(true, Ordering::SeqCst);
    town.pass(Duration::from_secs(60)).await;
    assert!(!town.journal.has("cancelled a"));
    town.kind.let_go("a");
    town.until_state(job, FlowState::Success).await;
    at_work.board.away.store(false, Ordering::SeqCst);
    at_work.stop.in_order();
    at_work.ended().await;
    assert_eq!(town.journal.count("start a"), 1);
}

#[tokio::test]
async fn a_board_that_is_back_offers_no_job_that_is_still_held() {
    let mut town = Town::new();
    let job = town.post(HOLDS).await;
    let at_work = town.start("a", Until::Stopped);
    town.journal.wait_for("start a", 1).await;
    for away in [true, false] {
        at_work.board.away.store(away, Ordering::SeqCst);
        town.pass(Duration::from_secs(30)).await;
    }
    town.kind.let_go("a");
    town.until_state(job, FlowState::Success).await;
    at_work.stop.in_order();
    at_work.ended().await;
    assert_eq!(town.journal.count("start a"), 1);
    assert!(!town.journal.has("fenced"));
}

#[tokio::test]
async fn the_word_of_the_store_holds_for_less_than_the_margin() {
    let mut town = Town::new();
    town.post(HOLDS).await;
    let at_work = town.start("a", Until::Stopped);
    town.journal.wait_for("start a", 1).await;
    at_work.board.away.store(true, Ordering::SeqCst);
    town.pass(Duration::from_secs(30)).await;
    assert!(
        !town.journal.has("cancelled a"),
        "the store has confirmed it"
    );
    town.store.away.store(true, Ordering::SeqCst);
    let before = town.clock.now();
    town.pass_until("the end of the task", async || {
        town.journal.has("cancelled a")
    })
    .await;
    let took = town.clock.now().since(before);
    assert!(took < Duration::from_secs(3), "{took:?}");
    at_work.stop.at_once();
    town.store.away.store(false, Ordering::SeqCst);
    at_work.board.away.store(false, Ordering::SeqCst);
    at_work.ended().await;
}

#[tokio::test]
async fn when_store_and_board_are_away_tasks_end_before_the_lease_does() {
    let mut town = Town::new();
    let job = town.post(HOLDS).await;
    let at_work = town.start("a", Until::Stopped);
    town.journal.wait_for("start a", 1).await;
    at_work.board.away.store(true, Ordering::SeqCst);
    town.store.away.store(true, Ordering::SeqCst);
    let before = town.clock.now();
    town.pass_until("the end of the task", async || {
        town.journal.has("cancelled a")
    })
    .await;
    let took = town.clock.now().since(before);
    assert!(took <= Duration::from_secs(15), "{took:?}");
    // Both are back: the conductor goes on with the job by itself.
    at_work.board.away.store(false, Ordering::SeqCst);
    town.store.away.store(false, Ordering::SeqCst);
    town.kind.let_go("a");
    town.until_state(job, FlowState::Success).await;
    at_work.stop.in_order();
    at_work.ended().await;
    assert!(!town.journal.has("commit a FAILURE"));
}

#[tokio::test]
async fn what_is_claimed_while_the_store_is_away_is_taken_on_once_it_is_back() {
    let mut town = Town::new();
    let mut jobs = Vec::new();
    for _ in 0..3 {
        jobs.push(town.post(QUICK).await);
    }
    town.store.away.store(true, Ordering::SeqCst);
    let at_work = town.start("a", Until::Stopped);
    town.until_claimed().await;
    town.store.away.store(false, Ordering::SeqCst);
    for job in jobs {
        town.until_state(job, FlowState::Success).await;
    }
    at_work.stop.in_order();
    at_work.ended().await;
}

#[tokio::test]
async fn a_job_whose_holder_never_gets_to_it_is_taken_over() {
    for together in [1, 3] {
        let mut town = Town::new();
        let mut jobs = Vec::new();
        for _ in 0..together {
            jobs.push(town.post(QUICK).await);
        }
        town.store.deaf.store(true, Ordering::SeqCst);
        let hangs = town.start("a", Until::Stopped);
        town.until_claimed().await;
        town.store.deaf.store(false, Ordering::SeqCst);
        let other = town.start("b", Until::Stopped);
        for job in jobs {
            town.until_state(job, FlowState::Success).await;
        }
        for conductor in [hangs, other] {
            conductor.stop.in_order();
            conductor.ended().await;
        }
    }
}

#[tokio::test]
async fn a_job_that_is_lost_is_not_renewed() {
    let mut town = Town::new();
    let job = town.post("tasks:\n  a: { script: deaf }\n").await;
    let lease = async || {
        let postings = town.board.snapshot(100).await.unwrap();
        postings[0].lease.clone().map(|(_, until)| until)
    };
    let loses = town.start("a", Until::Stopped);
    town.journal.wait_for("start a", 1).await;
    let ends = lease().await.unwrap();
    let left = async |left| ends.since(town.clock.now()) <= Duration::from_millis(left);
    // The first renewal fails, and the store says that the job is another one's. The task does not end at once.
    let other = ConductorId("x".to_owned());
    town.store.own(job, &other).await.unwrap().unwrap();
    loses.board.away.store(true, Ordering::SeqCst);
    town.pass_until("the loss", async || left(7_750).await)
        .await;
    loses.board.away.store(false, Ordering::SeqCst);
    town.pass_until("another renewal", async || left(6_750).await)
        .await;
    assert_eq!(lease().await, Some(ends));
    town.kind.let_go("a");
    loses.stop.at_once();
    loses.ended().await;
}

#[tokio::test]
async fn what_was_claimed_long_ago_is_not_begun_while_the_board_says_that_it_is_anothers() {
    let mut town = Town::new();
    let job = town.post("tasks:\n  a: { script: hold }\n").await;
    town.store.away.store(true, Ordering::SeqCst);
    let late = town.start("a", Until::Stopped);
    town.until_claimed().await;
    // The board loses that, and is filled while the job is nobody's in the store.
    late.board.away.store(true, Ordering::SeqCst);
    town.board.lose(None);
    town.store.away.store(false, Ordering::SeqCst);
    let other = town.start("b", Until::Stopped);
    town.journal.wait_for("start a", 1).await;
    late.board.away.store(false, Ordering::SeqCst);
    let epoch = async || town.store.load(job).await.unwrap().unwrap().job.epoch;
    town.pass_until("the late one", async || epoch().await == Epoch(2))
        .await;
    town.pass(Duration::from_secs(30)).await;
    assert_eq!(town.journal.count("start a"), 1);
    town.kind.let_go("a");
    town.until_state(job, FlowState::Success).await;
    assert_eq!(town.journal.count("start a"), 2);
    for conductor in [late, other] {
        conductor.stop.in_order();
        conductor.ended().await;
    }
}

#[tokio::test]
async fn a_store_that_does_not_hear_that_a_job_is_given_up_keeps_nobody() {
    let mut town = Town::new();
    let job = town.post("tasks:\n  a: { script: hold }\n").await;
    let leaves = town.start("a", Until::Stopped);
    town.journal.wait_for("start a", 1).await;
    town.store.deaf.store(true, Ordering::SeqCst);
    leaves.stop.at_once();
    town.pass_until("the end", async || leaves.running.is_finished())
        .await;
    leaves.ended().await;
    town.store.deaf.store(false, Ordering::SeqCst);
    let other = town.start("b", Until::Stopped);
    town.journal.wait_for("start a", 2).await;
    town.kind.let_go("a");
    town.until_state(job, FlowState::Success).await;
    other.stop.in_order();
    other.ended().await;
}
