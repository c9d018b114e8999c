//! The end of a task's whole tree, when it is cancelled and when it is found again.

use std::os::unix::process::CommandExt;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jobrunner::model::{FailureKind, Phase, Timestamp, Value};
use jobrunner::ports::{SystemClock, Term};
use serde_json::json;

use super::{ended, lives, pids};
use crate::calls::{Conductor, call, conductor, shell};

const SHORT: Duration = Duration::from_millis(300);

/// Runs a script that prints so many process ids and cancels it; then none of them may be left.
async fn cancel_leaves_nothing(conductor: &Conductor, script: &str, count: usize) {
    let (call, log) = call(shell(script));
    let cancel = call.cancel.clone();
    let watch = async {
        let pids = pids(&log.lines(count).await);
        assert!(pids.iter().all(|pid| lives(*pid)));
        cancel.cancel();
        pids
    };
    let (result, pids) = tokio::join!(conductor.execute("shell", call), watch);
    assert_eq!(result.unwrap_err().kind, FailureKind::Cancelled);
    assert_eq!(pids.len(), count);
    let left: Vec<i32> = pids.into_iter().filter(|pid| lives(*pid)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn cancel_ends_children_and_grandchildren() {
    let script = "sleep 1000 & echo $!; sh -c 'sleep 1000 & echo $!; wait' & echo $!; wait";
    let begun = Instant::now();
    cancel_leaves_nothing(&conductor(), script, 3).await;
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "nothing waited for the grace to pass"
    );
}

#[tokio::test]
async fn cancel_kills_what_does_not_end_when_asked() {
    let script =
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & echo $$; wait";
    let begun = Instant::now();
    cancel_leaves_nothing(&Conductor::new(SHORT), script, 2).await;
    assert!(begun.elapsed() >= SHORT);
}

#[tokio::test]
async fn cancel_ends_a_process_that_left_its_group_its_parent_or_its_environment() {
    let script = "setsid sleep 1000 & echo $!
        (setsid sleep 1000 & echo $!)
        setsid env -i sleep 1000 & echo $!
        (env -i sleep 1000 & echo $!)
        wait";
    cancel_leaves_nothing(&conductor(), script, 4).await;
}

#[tokio::test]
async fn cancel_ends_a_stopped_process_without_waiting_for_the_grace() {
    let script = "echo $$; kill -STOP $$";
    let begun = Instant::now();
    cancel_leaves_nothing(&conductor(), script, 1).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_process_that_is_asked_to_end_may_say_something_first() {
    let conductor = conductor();
    let script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let (call, log) = call(shell(script));
    let cancel = call.cancel.clone();
    let watch = async {
        log.lines(1).await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(conductor.execute("shell", call), watch);
    assert_eq!(result.unwrap_err().kind, FailureKind::Cancelled);
    assert_eq!(log.lines(2).await, ["ready", "bye"]);
}

#[tokio::test]
async fn cancel_leaves_other_tasks_of_the_conductor_alone() {
    let conductor = conductor();
    let (other, log) = call(shell("setsid sleep 1000 & echo $!; wait"));
    let cancel_other = other.cancel.clone();
    let both = async {
        let [pid] = pids(&log.lines(1).await)[..] else {
            panic!("one line")
        };
        cancel_leaves_nothing(&conductor, "sleep 1000 & echo $!; wait", 1).await;
        assert!(lives(pid));
        cancel_other.cancel();
        pid
    };
    let (result, pid) = tokio::join!(conductor.execute("shell", other), both);
    assert_eq!(result.unwrap_err().kind, FailureKind::Cancelled);
    assert!(!lives(pid));
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_nothing() {
    let conductor = conductor();
    let (call, log) = call(shell("sleep 1000 & echo $!; echo $$; wait"));
    let pids = tokio::select! {
        _ = conductor.execute("shell", call) => panic!("it does not end by itself"),
        lines = log.lines(2) => pids(&lines),
    };
    for pid in pids {
        ended(pid).await;
    }
}

#[tokio::test]
async fn a_call_that_is_cancelled_already_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = shell("touch started");
    spec["dir"] = json!(folder.path());
    let (call, _) = call(spec);
    call.cancel.cancel();
    let failure = conductor().execute("shell", call).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Cancelled);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_was_started_after_its_term_does_nothing_until_that_is_extended() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = shell("sleep 0.3; echo it >>done");
    spec["dir"] = json!(folder.path());
    let (mut call, _) = call(spec);
    call.term = Term::new(Timestamp(0), Arc::new(SystemClock));
    let term = call.term.clone();
    let conductor = conductor();
    let mut running = pin!(conductor.execute("shell", call));
    let held_up = tokio::time::timeout(Duration::from_secs(1), &mut running).await;
    assert!(held_up.is_err(), "it waits");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    term.extend(Timestamp(i64::MAX));
    running.await.unwrap();
    let done = std::fs::read_to_string(folder.path().join("done")).unwrap();
    assert_eq!(done, "it\n");
}

/// A process of an attempt that another conductor began.
struct Forgotten(std::process::Child);

impl Forgotten {
    fn start(key: &str) -> Self {
        let mut command = Command::new("sleep");
        command.arg("1000").env("JOBRUNNER_KEY", key);
        command.env("JOBRUNNER_CONDUCTOR", "another:1:a");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0);
        Self(command.spawn().unwrap())
    }

    fn lives(&self) -> bool {
        lives(self.0.id().cast_signed())
    }
}

impl Drop for Forgotten {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn an_interrupted_attempt_is_ended_before_it_runs_again() {
    let conductor = conductor();
    let (mut again, _) = call(json!({"argv": ["true"]}));
    let forgotten = Forgotten::start(&again.key);
    let other = Forgotten::start(&format!("{}1", again.key));
    conductor.execute("exec", again.clone()).await.unwrap();
    assert!(
        forgotten.lives(),
        "only what is said to be interrupted is ended"
    );
    again.interrupted = true;
    conductor.execute("exec", again).await.unwrap();
    assert!(!forgotten.lives());
    assert!(other.lives());
}

#[tokio::test]
async fn an_interrupted_attempt_is_ended_before_it_is_undone() {
    let conductor = conductor();
    let (mut undo, _) = call(json!({"argv": ["true"]}));
    let forgotten = Forgotten::start(&undo.key);
    undo.key = format!("{}/revert", undo.key);
    undo.phase = Phase::Revert;
    undo.interrupted = true;
    conductor.revert("exec", undo.clone()).await.unwrap();
    assert!(!forgotten.lives());
    let written_out: Value = conductor.execute("exec", undo).await.unwrap();
    assert_eq!(written_out["exit_code"], 0);
}
