//! How driving a job ends before its flow does: it is lost, or the conductor stops.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jobrunner::engine::{Driven, Loss};
use jobrunner::model::{AtomState, ConductorId};
use jobrunner::ports::Store;

use super::Stage;
use crate::stage::task;

#[tokio::test]
async fn a_fenced_driver_cancels_its_tasks_and_commits_nothing_more() {
    let tasks = vec![task("a", &[], "hold", ""), task("b", &[], "hold", "")];
    let mut stage = Stage::new(tasks).await;
    let (journal, store, kind, job) = (
        stage.journal.clone(),
        stage.store.clone(),
        stage.kind.clone(),
        stage.job,
    );
    let taken_over = async {
        journal.wait_for("start b", 1).await;
        let other = ConductorId("there:2:2".to_owned());
        store.own(job, &other).await.unwrap();
        kind.let_go("a");
    };
    let (driven, ()) = tokio::join!(stage.drive(), taken_over);
    assert!(matches!(driven, Driven::Lost(Loss::Fenced)), "{driven:?}");
    assert!(journal.has("cancelled b"));
    assert_eq!(stage.state("a").await, AtomState::Running);
}

#[tokio::test]
async fn a_lost_lease_ends_even_tasks_that_do_not_listen() {
    let mut stage = Stage::new(vec![task("a", &[], "deaf", "")]).await;
    let (journal, lost) = (stage.journal.clone(), stage.lost.clone());
    let loses = async {
        journal.wait_for("start a", 1).await;
        lost.cancel();
    };
    let (driven, ()) = tokio::join!(stage.drive(), loses);
    assert!(matches!(driven, Driven::Lost(Loss::Lease)), "{driven:?}");
}

#[tokio::test]
async fn a_stop_in_order_lets_tasks_finish_and_starts_no_other() {
    let tasks = vec![task("a", &[], "hold", ""), task("b", &["a"], "pass", "")];
    let mut stage = Stage::new(tasks).await;
    let (journal, stop, kind) = (
        stage.journal.clone(),
        stage.stop.clone(),
        stage.kind.clone(),
    );
    let stops = async {
        journal.wait_for("start a", 1).await;
        stop.in_order();
        kind.let_go("a");
    };
    let (driven, ()) = tokio::join!(stage.drive(), stops);
    assert!(matches!(driven, Driven::HandedOver), "{driven:?}");
    assert_eq!(stage.state("a").await, AtomState::Success);
    assert_eq!(stage.state("b").await, AtomState::Pending);
}

#[tokio::test]
async fn what_outlasts_the_grace_time_is_stopped_and_handed_over() {
    let mut stage = Stage::new(vec![task("a", &[], "hold", "")]).await;
    let (journal, stop, clock) = (
        stage.journal.clone(),
        stage.stop.clone(),
        stage.clock.clone(),
    );
    let stops = async {
        journal.wait_for("start a", 1).await;
        stop.in_order();
        // The grace time begins once the driver has heard of it.
        while !journal.has("commit a HANDED OVER") {
            clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    let (driven, ()) = tokio::join!(stage.drive(), stops);
    assert!(matches!(driven, Driven::HandedOver), "{driven:?}");
    assert!(journal.position("cancelled a") < journal.position("commit a HANDED OVER"));
    assert_eq!(stage.state("a").await, AtomState::Running);
}

#[tokio::test]
async fn a_stop_at_once_drops_what_does_not_listen_and_says_so() {
    let mut stage = Stage::new(vec![task("a", &[], "deaf", "")]).await;
    let (journal, stop) = (stage.journal.clone(), stage.stop.clone());
    let stops = async {
        journal.wait_for("start a", 1).await;
        stop.at_once();
    };
    let (driven, ()) = tokio::join!(stage.drive(), stops);
    assert!(matches!(driven, Driven::HandedOver), "{driven:?}");
    assert!(journal.has("commit a HANDED OVER"));
}

#[tokio::test]
async fn a_store_that_stays_away_loses_the_job_and_ends_its_tasks() {
    let mut stage = Stage::new(vec![task("a", &[], "hold", ""), task("b", &[], "hold", "")]).await;
    let (journal, store, kind) = (
        stage.journal.clone(),
        stage.store.clone(),
        stage.kind.clone(),
    );
    let fails = async {
        journal.wait_for("start b", 1).await;
        store.away.store(true, Ordering::SeqCst);
        kind.let_go("a");
    };
    let (driven, ()) = tokio::join!(stage.drive(), fails);
    assert!(matches!(driven, Driven::Lost(Loss::Store(_))), "{driven:?}");
    assert!(journal.has("cancelled b"));
}
