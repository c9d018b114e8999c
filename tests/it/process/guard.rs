//! The guard: what is left when a conductor is gone.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jobrunner::model::FailureKind;
use jobrunner::ports::{LogSink, Stream, SystemClock};
use jobrunner::tasks::{Settings, builtin};
use rustix::process::Signal;

use super::{ended, lives, pids};
use crate::calls::{call, conductor, shell};

const SCRIPT: &str = "JOBRUNNER_TEST_SCRIPT";

/// Passes a child's output on to whoever watches this process.
struct Print;

impl LogSink for Print {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        use std::io::Write;

        if stream == Stream::Stdout {
            std::io::stdout().write_all(bytes).unwrap();
            std::io::stdout().flush().unwrap();
        }
    }
}

/// Not a test: what the tests here start as another process.
#[tokio::test]
#[ignore = "a conductor for the other tests"]
async fn a_conductor() {
    let script = std::env::var(SCRIPT).unwrap();
    let (mut call, _) = call(shell(&script));
    call.log = Arc::new(Print);
    conductor().execute("shell", call).await.unwrap();
}

/// A conductor in a process of its own, and the process ids that its task printed.
struct Conducting {
    child: Child,
    pids: Vec<i32>,
}

fn conducting(script: &str, count: usize) -> Conducting {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "process::guard::a_conductor",
            "--ignored",
            "--nocapture",
        ])
        .env(SCRIPT, script)
        .stdout(Stdio::piped())
        // The harness complains when its output is not read to the end.
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The test harness prints as well.
    let pids = lines
        .map_while(Result::ok)
        .filter_map(|line| line.parse().ok());
    let pids: Vec<i32> = pids.take(count).collect();
    assert_eq!(pids.len(), count);
    Conducting { child, pids }
}

#[tokio::test]
async fn nothing_outlives_a_conductor_that_is_killed() {
    let script = "sleep 1000 & echo $!
        setsid sleep 1000 & echo $!
        setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' &
        (setsid sleep 1000 & echo $!)
        (env -i sleep 1000 & echo $!)
        echo $$
        wait";
    let Conducting { mut child, pids } = conducting(script, 6);
    assert!(pids.iter().all(|pid| lives(*pid)));
    child.kill().unwrap();
    child.wait().unwrap();
    for pid in pids {
        ended(pid).await;
    }
}

#[tokio::test]
async fn what_a_task_left_behind_ends_with_its_conductor() {
    let script = "sleep 1000 >/dev/null 2>&1 & echo $!
        env -i sleep 1000 >/dev/null 2>&1 & echo $!
        setsid sleep 1000 >/dev/null 2>&1 & echo $!";
    let Conducting { mut child, pids } = conducting(script, 3);
    child.wait().unwrap();
    for pid in pids {
        ended(pid).await;
    }
}

#[tokio::test]
async fn without_a_guard_nothing_is_started() {
    for (guard, text) in [
        (vec!["/no/such/guard"], "`/no/such/guard` cannot be started"),
        (vec!["false"], "`false` ended or hung before it watched"),
        (vec![], "no command is configured"),
    ] {
        let guard = guard.into_iter().map(Into::into).collect();
        let mark = format!("test:{}:none", std::process::id());
        let kinds = builtin(Settings::new(mark, guard, Arc::new(SystemClock)));
        let folder = tempfile::tempdir().unwrap();
        let mut spec = shell("touch started");
        spec["dir"] = folder.path().to_str().unwrap().into();
        let (call, _) = call(spec);
        let failure = kinds.get("shell").unwrap().execute(call).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::System);
        assert!(failure.message.contains(text), "{failure}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_is_started_whatever_ends_meanwhile() {
    // Signals go to any thread, also to the one that awaits the guard.
    let pid = rustix::process::getpid();
    let done = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&done);
    // Heard by this process from now on, as by a conductor whose tasks end.
    conductor().exec(&["true"]).await.unwrap();
    let storm = std::thread::spawn(move || {
        while !over.load(Ordering::SeqCst) {
            rustix::process::kill_process(pid, Signal::CHILD).unwrap();
            std::thread::sleep(Duration::from_micros(50));
        }
    });
    let mut started = Vec::new();
    for _ in 0..40 {
        started.push(conductor().exec(&["true"]).await);
    }
    done.store(true, Ordering::SeqCst);
    storm.join().unwrap();
    for one in started {
        one.unwrap();
    }
}

#[tokio::test]
async fn a_guard_that_is_killed_is_replaced() {
    let conductor = conductor();
    let (call, log) = call(shell("sleep 1000 & echo $!; wait"));
    let watch = async {
        let [pid] = pids(&log.lines(1).await)[..] else {
            panic!("one line")
        };
        kill_guard(&conductor.mark).await;
        conductor.exec(&["true"]).await.unwrap();
        pid
    };
    let pid = tokio::select! {
        _ = conductor.execute("shell", call) => panic!("it does not end by itself"),
        pid = watch => pid,
    };
    assert!(find_guard(&conductor.mark).is_some());
    drop(conductor);
    ended(pid).await;
}

fn find_guard(mark: &str) -> Option<i32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(|pid| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        lives(*pid) && command.ends_with(format!("__guard\0{mark}\0").as_bytes())
    })
}

async fn kill_guard(mark: &str) {
    let pid = find_guard(mark).unwrap();
    let signal = rustix::process::Signal::KILL;
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
    ended(pid).await;
}
