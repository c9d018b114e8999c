//! Conductors on one store and one board: claiming, handing over, taking over.

mod outages;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jobrunner::boards::MemoryBoard;
use jobrunner::compile::{self, Plan};
use jobrunner::conductor::{Conductor, ConductorError, Ended, Settings, Stop, Until};
use jobrunner::model::{
    AtomId, AtomRow, AtomState, Bundle, Change, ConductorId, Epoch, FlowRow, FlowState, JobId,
    NewJob, Operator, SourceFile, Verb,
};
use jobrunner::ports::{
    AtomWrite, Clock, Commit, JobBoard, Kinds, LogBatch, LogFilter, Notice, Request, Store, Stream,
};
use jobrunner::syntax;
use rustix::fs::{Mode, OFlags};
use tokio::task::JoinHandle;

use crate::stage::{Flaky, Journal, ManualClock, Recording, Scripted, new_job, soon};

/// One store, one board, one clock, and the conductors that a test sets up.
struct Town {
    journal: Journal,
    store: Arc<Recording>,
    board: MemoryBoard,
    clock: Arc<ManualClock>,
    kind: Arc<Scripted>,
    jobs: u128,
    capabilities: BTreeMap<String, String>,
}

/// A conductor at work.
struct AtWork {
    stop: Stop,
    board: Arc<Flaky>,
    running: JoinHandle<Result<(), ConductorError>>,
}

impl AtWork {
    async fn ended(self) {
        let ended = soon("the conductor", self.running).await;
        ended.expect("no panic").expect("no error");
    }
}

impl Town {
    fn new() -> Self {
        let journal = Journal::default();
        let clock = ManualClock::still();
        Self {
            store: Recording::new(&journal),
            board: MemoryBoard::new(clock.clone()),
            clock,
            kind: Scripted::new(&journal),
            journal,
            jobs: 0,
            capabilities: BTreeMap::new(),
        }
    }

    fn conductor(&self, name: &str, board: &Arc<Flaky>) -> Arc<Conductor> {
        let mut settings = Settings::new(Some(name.to_owned()), 1);
        settings.capabilities = self.capabilities.clone();
        settings.id = ConductorId(format!("{name}:1:1"));
        let conductor = Conductor::new(
            settings,
            self.store.clone(),
            board.clone(),
            self.kind.kinds(),
            self.clock.clone(),
            None,
        );
        Arc::new(conductor)
    }

    fn start(&self, name: &str, until: Until) -> AtWork {
        let board = Flaky::new(self.board.clone());
        let conductor = self.conductor(name, &board);
        let stop = Stop::new();
        let told = stop.clone();
        let running = tokio::spawn(async move { conductor.run(until, told).await });
        AtWork {
            stop,
            board,
            running,
        }
    }

    /// Puts a job into the store; what is to be posted.
    async fn create(&mut self, text: &str) -> Notice {
        self.jobs += 1;
        let bundle = Bundle {
            version: 1,
            files: vec![SourceFile {
                path: "test.flow.yaml".to_owned(),
                text: text.to_owned(),
            }],
        };
        let plan = compiled(&bundle, &self.kind.kinds());
        let job = NewJob {
            bundle,
            digest: plan.digest.clone(),
            requires: serde_json::to_string(&plan.capabilities).unwrap(),
            ..new_job(self.jobs)
        };
        self.store.create(&job).await.unwrap();
        Notice {
            job: job.id,
            priority: job.priority,
            requires: job.requires,
        }
    }

    async fn post(&mut self, text: &str) -> JobId {
        let notice = self.create(text).await;
        self.board.post(&notice, None).await.unwrap();
        notice.job
    }

    async fn ask(&self, job: JobId, request: Request) {
        self.store
            .request(job, &request, self.clock.now())
            .await
            .unwrap();
        let posted = Notice {
            job,
            priority: Default::default(),
            requires: "[]".to_owned(),
        };
        self.board.post(&posted, None).await.unwrap();
        self.board.wake().await.unwrap();
    }

    async fn flow(&self, job: JobId) -> FlowRow {
        self.store.load(job).await.unwrap().unwrap().job.flow
    }

    /// Lets time pass in small steps until something is so.
    async fn pass_until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let passes = async {
            while !so().await {
                self.clock.advance(Duration::from_millis(250));
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
            }
        };
        soon(what, passes).await;
    }

    /// Lets so much time pass.
    async fn pass(&self, time: Duration) {
        let before = self.clock.now();
        self.pass_until("time", async || self.clock.now().since(before) > time)
            .await;
    }

    async fn until_state(&self, job: JobId, state: FlowState) {
        let text = format!("{state}");
        self.pass_until(&text, async || self.flow(job).await.state == state)
            .await;
    }

    /// Lets time pass until all that is on the board is leased.
    async fn until_claimed(&self) {
        self.pass_until("the claims", async || {
            let postings = self.board.snapshot(100).await.unwrap();
            postings.iter().all(|posting| posting.lease.is_some())
        })
        .await;
    }

    async fn is_on_board(&self, job: JobId) -> bool {
        let postings = self.board.snapshot(100).await.unwrap();
        postings.iter().any(|posting| posting.notice.job == job)
    }
}

fn compiled(bundle: &Bundle, kinds: &Kinds) -> Plan {
    let schemas: Vec<_> = kinds.schemas().collect();
    let names: Vec<_> = schemas.iter().map(|schema| schema.name).collect();
    let (flow, problems) = syntax::parse(bundle, &names);
    let flow = flow.unwrap_or_else(|| panic!("{problems:#?}"));
    let (plan, problems) = compile::compile(&flow, &schemas);
    let plan = plan.unwrap_or_else(|| panic!("{problems:#?}"));
    plan.with_inputs(&Default::default()).unwrap()
}

fn by() -> Operator {
    Operator {
        who: "ann".to_owned(),
        why: String::new(),
    }
}

const QUICK: &str = "tasks:\n  a: { script: pass }\n";
const HOLDS: &str = "tasks:\n  a: { script: hold }\n  b: { script: pass, needs: [a] }\n";

#[tokio::test]
async fn a_conductor_works_until_nothing_is_left() {
    let mut town = Town::new();
    let mut jobs = Vec::new();
    for _ in 0..5 {
        jobs.push(town.post(QUICK).await);
    }
    town.start("a", Until::Empty).ended().await;
    for job in jobs {
        assert_eq!(town.flow(job).await.state, FlowState::Success);
        assert!(!town.is_on_board(job).await);
        let job = town.store.load(job).await.unwrap().unwrap().job;
        assert_eq!(job.owner, None);
    }
}

#[tokio::test]
async fn what_this_machine_cannot_run_keeps_no_conductor_waiting() {
    let mut town = Town::new();
    let able = town.post(QUICK).await;
    let unable = format!("capabilities: [{{ os: plan9 }}]\n{QUICK}");
    let unable = town.post(&unable).await;
    town.start("a", Until::Empty).ended().await;
    assert_eq!(town.flow(able).await.state, FlowState::Success);
    assert_eq!(town.flow(unable).await.state, FlowState::Pending);
    assert!(town.is_on_board(unable).await);
}

#[tokio::test]
async fn steps_of_many_jobs_share_commits() {
    let mut town = Town::new();
    for _ in 0..40 {
        town.post(QUICK).await;
    }
    town.start("a", Until::Empty).ended().await;
    let lines = town.journal.lines();
    let commits = lines
        .iter()
        .filter(|line| line.starts_with("commit of "))
        .count();
    assert_eq!(town.journal.count("commit a SUCCESS"), 40);
    assert!(commits <= 40, "{commits} commits for 80 steps");
}

#[tokio::test]
async fn a_local_run_works_on_its_one_job() {
    let mut town = Town::new();
    let other = town.post(QUICK).await;
    let notice = town.create(QUICK).await;
    let board = Flaky::new(town.board.clone());
    let conductor = town.conductor("a", &board);
    let who = ConductorId("a:1:1".to_owned());
    let lease = Some((&who, Duration::from_secs(15)));
    town.board.post(&notice, lease).await.unwrap();
    let ended = soon("the run", conductor.run_job(notice.job, Stop::new())).await;
    match ended.unwrap() {
        Ended::AtRest { flow, .. } => assert_eq!(flow.state, FlowState::Success),
        ended => panic!("{ended:?}"),
    }
    assert!(!town.is_on_board(notice.job).await);
    assert_eq!(town.flow(other).await.state, FlowState::Pending);
}

#[tokio::test]
async fn a_stop_in_order_hands_over_at_once() {
    let mut town = Town::new();
    let job = town.post(HOLDS).await;
    let first = town.start("a", Until::Stopped);
    town.journal.wait_for("start a", 1).await;
    first.stop.in_order();
    town.kind.let_go("a");
    first.ended().await;
    assert!(town.journal.has("commit a SUCCESS"));
    assert!(!town.journal.has("start b"));
    // No time has passed: the second did not wait for a lease.
    town.start("b", Until::Empty).ended().await;
    assert_eq!(town.flow(job).await.state, FlowState::Success);
    assert_eq!(town.journal.count("start a"), 1);
}

#[tokio::test]
async fn a_stop_at_once_hands_over_what_runs() {
    let mut town = Town::new();
    let job = town.post(HOLDS).await;
    let first = town.start("a", Until::Stopped);
    town.journal.wait_for("start a", 1).await;
    first.stop.at_once();
    first.ended().await;
    assert!(town.journal.has("commit a HANDED OVER"));
    town.kind.let_go("a");
    town.start("b", Until::Empty).ended().await;
    assert_eq!(town.flow(job).await.state, FlowState::Success);
    assert_eq!(town.journal.count("start a"), 2);
}

#[tokio::test]
async fn a_frozen_conductor_is_taken_over_and_fenced() {
    let mut town = Town::new();
    let job = town.post("tasks:\n  a: { script: freeze }\n").await;
    let board = Flaky::new(town.board.clone());
    let frozen = town.conductor("a", &board);
    let stop = Stop::new();
    let told = stop.clone();
    // A runtime of one thread: the task that freezes it freezes the whole conductor.
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(frozen.run(Until::Stopped, told))
    });
    town.journal.wait_for("frozen", 1).await;
    let second = town.start("b", Until::Stopped);
    let before = town.clock.now();
    town.until_state(job, FlowState::Success).await;
    let took = town.clock.now().since(before);
    // The rest of the lease, and the margin: the whole of what is asked for, at most.
    assert!(took > Duration::from_secs(12), "{took:?}");
    assert!(took <= Duration::from_millis(15_500), "{took:?}");
    assert_eq!(town.journal.count("start a"), 2);
    assert_eq!(town.journal.count("commit a SUCCESS"), 1);
    town.kind.thaw();
    town.journal.wait_for("end a", 2).await;
    stop.in_order();
    second.stop.in_order();
    second.ended().await;
    let ended = tokio::task::spawn_blocking(move || thread.join().unwrap());
    soon("the thawed conductor", ended).await.unwrap().unwrap();
    assert_eq!(town.journal.count("commit a SUCCESS"), 1);
}

#[tokio::test]
async fn a_job_that_cannot_be_run_is_stuck_and_the_others_go_on() {
    let mut town = Town::new();
    let corrupt = town.post(QUICK).await;
    let changed = town.create(QUICK).await;
    let good = town.post(QUICK).await;
    // Somebody has written a row that the plan has no place for.
    let who = ConductorId("somebody".to_owned());
    let epoch = town.store.own(corrupt, &who).await.unwrap().unwrap();
    let step = Commit {
        job: corrupt,
        owner: who.clone(),
        epoch,
        seq: 0,
        records: Vec::new(),
        atoms: vec![AtomWrite {
            atom: AtomId(99),
            name: "zzz".to_owned(),
            row: AtomRow {
                state: AtomState::Running,
                ..AtomRow::default()
            },
        }],
        flow: None,
        answered: Vec::new(),
    };
    town.store
        .commit(&[step], &LogBatch::default())
        .await
        .unwrap();
    town.store.disown(corrupt, &who, epoch).await.unwrap();
    // This one compiles to another plan than when it was posted.
    let mut other = new_job(77);
    other.bundle = town
        .store
        .load(changed.job)
        .await
        .unwrap()
        .unwrap()
        .job
        .bundle;
    town.store.create(&other).await.unwrap();
    let notice = Notice {
        job: other.id,
        ..changed
    };
    town.board.post(&notice, None).await.unwrap();

    town.start("a", Until::Empty).ended().await;
    for (job, why) in [(corrupt, "corrupt checkpoint"), (other.id, "another plan")] {
        let flow = town.flow(job).await;
        assert_eq!(flow.state, FlowState::Stuck);
        let cause = flow.cause.unwrap().message;
        assert!(cause.contains(why), "{cause}");
        assert!(!town.is_on_board(job).await);
    }
    assert_eq!(town.flow(good).await.state, FlowState::Success);

    // What cannot be understood can still be given up; anything else is answered, not tried for ever.
    town.ask(
        corrupt,
        Request::Decide {
            verb: Verb::Retry,
            task: None,
            by: by(),
        },
    )
    .await;
    town.start("b", Until::Empty).ended().await;
    assert_eq!(town.flow(corrupt).await.state, FlowState::Stuck);
    let filter = LogFilter {
        job: corrupt,
        task: None,
        after: 0,
        limit: 10,
    };
    let log = town.store.logs(&filter).await.unwrap();
    assert!(
        log.iter().any(|chunk| chunk.stream == Stream::Note),
        "{log:?}"
    );
    town.ask(
        corrupt,
        Request::Decide {
            verb: Verb::Abandon,
            task: None,
            by: by(),
        },
    )
    .await;
    town.start("c", Until::Empty).ended().await;
    assert_eq!(town.flow(corrupt).await.state, FlowState::Abandoned);
}

#[tokio::test]
async fn a_job_that_brings_no_progress_is_stuck() {
    let mut town = Town::new();
    let job = town.post(QUICK).await;
    for claim in 0..3 {
        let who = ConductorId(format!("dies:{claim}"));
        town.store.own(job, &who).await.unwrap();
    }
    town.start("a", Until::Empty).ended().await;
    let flow = town.flow(job).await;
    assert_eq!(flow.state, FlowState::Stuck);
    assert!(flow.cause.unwrap().message.contains("without any progress"));
    assert!(!town.journal.has("start a"));
    town.ask(
        job,
        Request::Decide {
            verb: Verb::Retry,
            task: None,
            by: by(),
        },
    )
    .await;
    town.start("b", Until::Empty).ended().await;
    assert_eq!(town.flow(job).await.state, FlowState::Success);
}

#[tokio::test]
async fn a_request_reaches_a_job_that_runs() {
    let mut town = Town::new();
    let job = town.post(HOLDS).await;
    let at_work = town.start("a", Until::Empty);
    town.journal.wait_for("start a", 1).await;
    town.ask(job, Request::Cancel(by())).await;
    at_work.ended().await;
    assert_eq!(town.flow(job).await.state, FlowState::Reverted);
}

#[tokio::test]
async fn a_suspended_job_leaves_the_board_until_it_is_resumed() {
    let mut town = Town::new();
    let job = town.post(HOLDS).await;
    let at_work = town.start("a", Until::Empty);
    town.journal.wait_for("start a", 1).await;
    town.ask(job, Request::Suspend(by())).await;
    town.journal.wait_for("commit flow SUSPENDED", 1).await;
    town.kind.let_go("a");
    at_work.ended().await;
    assert!(!town.is_on_board(job).await);
    assert!(!town.journal.has("start b"));
    town.ask(job, Request::Resume(by())).await;
    town.start("b", Until::Empty).ended().await;
    assert_eq!(town.flow(job).await.state, FlowState::Success);
    assert_eq!(town.journal.count("start a"), 1);
}

#[tokio::test]
async fn a_request_that_comes_as_the_job_is_given_up_is_not_forgotten() {
    let mut town = Town::new();
    let job = town
        .post("tasks:\n  a: { script: fail, revert: fail }\n")
        .await;
    town.start("a", Until::Empty).ended().await;
    assert_eq!(town.flow(job).await.state, FlowState::Stuck);
    // The store has the request, and nobody has told the board.
    let abandon = Request::Decide {
        verb: Verb::Abandon,
        task: None,
        by: by(),
    };
    town.store
        .request(job, &abandon, town.clock.now())
        .await
        .unwrap();
    town.start("b", Until::Empty).ended().await;
    assert_eq!(town.flow(job).await.state, FlowState::Abandoned);
}

#[tokio::test]
async fn what_only_the_store_knows_is_swept_to_the_board() {
    let mut town = Town::new();
    let at_work = town.start("a", Until::Stopped);
    let job = town.create(QUICK).await.job;
    town.until_state(job, FlowState::Success).await;
    at_work.stop.in_order();
    at_work.ended().await;
}

#[tokio::test]
async fn a_job_is_left_to_those_that_can_run_it() {
    let mut town = Town::new();
    let job = town
        .post("capabilities: [{ label: large }]\ntasks:\n  a: { script: pass }\n")
        .await;
    let unable = town.start("a", Until::Stopped);
    let quick = town.post(QUICK).await;
    town.until_state(quick, FlowState::Success).await;
    assert_eq!(town.flow(job).await.state, FlowState::Pending);
    unable.stop.in_order();
    unable.ended().await;
}

#[tokio::test]
async fn a_capability_that_takes_its_time_holds_up_no_other_job() {
    let mut town = Town::new();
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    let made = std::process::Command::new("mkfifo").arg(&gate).status();
    assert!(made.unwrap().success());
    // It answers when somebody opens the gate. No time passes before, so nobody stops waiting for it.
    let asks = format!("read answer < '{}'", gate.display());
    town.capabilities.insert("slow".to_owned(), asks);
    let slow = town.post(&format!("capabilities: [slow]\n{QUICK}")).await;
    let quick = town.post(QUICK).await;
    let done = async |job| {
        let ends = async {
            while town.flow(job).await.state != FlowState::Success {
                tokio::task::yield_now().await;
            }
        };
        soon("the job", ends).await;
    };
    // A stop is heard while it is asked.
    let stopped = town.start("a", Until::Stopped);
    done(quick).await;
    assert_eq!(town.flow(slow).await.state, FlowState::Pending);
    stopped.stop.in_order();
    stopped.ended().await;
    // What is not known yet does not count as not there.
    let patient = town.start("b", Until::Empty);
    // Who asked for the one that was stopped may be there for a moment still, and must not take the answer.
    let opened = async {
        while !patient.running.is_finished() {
            let open = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            if let Ok(gate) = rustix::fs::open(&gate, open, Mode::empty()) {
                let _ = rustix::io::write(&gate, b"yes\n");
            }
            tokio::task::yield_now().await;
        }
    };
    soon("the end", opened).await;
    patient.ended().await;
    done(slow).await;
}

#[tokio::test]
async fn an_epoch_rises_with_each_claim() {
    let mut town = Town::new();
    let job = town.post(HOLDS).await;
    let first = town.start("a", Until::Stopped);
    town.journal.wait_for("start a", 1).await;
    first.stop.at_once();
    first.ended().await;
    town.kind.let_go("a");
    town.start("b", Until::Empty).ended().await;
    let events = town.store.events(job, 0, 1000).await.unwrap();
    let epochs: Vec<Epoch> = events.iter().map(|event| event.epoch).collect();
    assert!(epochs.is_sorted());
    assert_eq!(epochs.last(), Some(&Epoch(2)));
    let successes = events
        .iter()
        .filter(|event| matches!(event.record.change, Change::Succeeded { .. }));
    assert_eq!(successes.count(), 2);
}
