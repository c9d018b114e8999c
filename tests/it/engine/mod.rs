//! Driving one job: what is committed before what is done, and how it ends.

mod endings;
mod places;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jobrunner::compile::Plan;
use jobrunner::engine::{
    Driven, JobContext, Loss, Orders, Secrets, StateFolder, Stop, Writer, drive,
};
use jobrunner::model::{
    AtomState, ConductorId, FailureKind, FlowState, JobId, Operator, SecretSource, Timestamp, Verb,
};
use jobrunner::ports::{Kinds, LogFilter, Request, Store, Stream, Term};
use jobrunner::scheduler::Scheduler;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::stage::{Journal, ManualClock, Recording, Scripted, Sketch, new_job, plan, soon, task};

/// One job in a store, about to be driven.
struct Stage {
    journal: Journal,
    store: Arc<Recording>,
    clock: Arc<ManualClock>,
    kind: Arc<Scripted>,
    stop: Stop,
    lost: CancellationToken,
    requests: mpsc::UnboundedSender<(i64, Request)>,
    received: Option<mpsc::UnboundedReceiver<(i64, Request)>>,
    job: JobId,
    plan: Arc<Plan>,
    kinds: Kinds,
    slots: Arc<Semaphore>,
}

impl Stage {
    async fn new(sketches: Vec<Sketch>) -> Self {
        Self::of(plan(sketches)).await
    }

    async fn of(plan: Plan) -> Self {
        let journal = Journal::default();
        let store = Recording::new(&journal);
        let kind = Scripted::new(&journal);
        let job = new_job(1);
        store.create(&job).await.unwrap();
        let (requests, received) = mpsc::unbounded_channel();
        Self {
            store,
            clock: ManualClock::new(),
            kinds: kind.kinds(),
            kind,
            stop: Stop::new(),
            lost: CancellationToken::new(),
            requests,
            received: Some(received),
            job: job.id,
            plan: Arc::new(plan),
            slots: Arc::new(Semaphore::new(8)),
            journal,
        }
    }

    fn who(&self) -> ConductorId {
        ConductorId("here:1:1".to_owned())
    }

    /// Claims the job and drives it.
    async fn drive(&mut self) -> Driven {
        let epoch = self.store.own(self.job, &self.who()).await.unwrap();
        let loaded = self.store.load(self.job).await.unwrap().unwrap();
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        let (writer, writing) =
            Writer::new(store, None, self.clock.clone(), Duration::from_secs(1));
        let mut background = JoinSet::new();
        background.spawn(writing);
        let context = JobContext {
            job: self.job,
            epoch: epoch.unwrap(),
            owner: self.who(),
            conductor: "here".to_owned(),
            secrets: Secrets::of(&self.plan, &[]).await,
            state: StateFolder::new(&std::env::temp_dir(), self.job),
            plan: Arc::clone(&self.plan),
            kinds: self.kinds.clone(),
            clock: self.clock.clone(),
            slots: Arc::clone(&self.slots),
            term: Term::new(Timestamp(i64::MAX), self.clock.clone()),
            stop: self.stop.clone(),
            writer,
            requested: Arc::new(Notify::new()),
            observer: None,
        };
        let orders = Orders {
            lost: self.lost.clone(),
            requests: self.received.take().unwrap(),
            grace: Duration::from_secs(10),
            margin: Duration::from_millis(100),
        };
        let scheduler = Scheduler::new(Arc::clone(&self.plan), loaded.checkpoint, 1).unwrap();
        let driven = drive(
            Arc::new(context),
            scheduler,
            loaded.job.seq,
            loaded.requests,
            orders,
        );
        let driven = soon("the driver", driven).await;
        soon("the writer", background.join_next()).await;
        driven
    }

    async fn state(&self, task: &str) -> AtomState {
        let loaded = self.store.load(self.job).await.unwrap().unwrap();
        let at = self
            .plan
            .atoms
            .iter()
            .position(|atom| atom.name == task)
            .unwrap();
        let mut rows = loaded.checkpoint.atoms.iter();
        let row = rows.find(|(id, _)| id.index() == at);
        row.map_or(AtomState::Pending, |(_, row)| row.state)
    }

    async fn failure_kind(&self, task: &str) -> Option<FailureKind> {
        let loaded = self.store.load(self.job).await.unwrap().unwrap();
        let at = self
            .plan
            .atoms
            .iter()
            .position(|atom| atom.name == task)
            .unwrap();
        let rows = loaded.checkpoint.atoms;
        let row = rows.into_iter().find(|(id, _)| id.index() == at)?.1;
        row.failure.map(|failure| failure.kind)
    }

    async fn log(&self) -> Vec<(Stream, String)> {
        let filter = LogFilter {
            job: self.job,
            task: None,
            after: 0,
            limit: 1000,
        };
        let chunks = self.store.logs(&filter).await.unwrap();
        chunks
            .into_iter()
            .map(|chunk| (chunk.stream, String::from_utf8(chunk.bytes).unwrap()))
            .collect()
    }
}

fn end(driven: &Driven) -> FlowState {
    match driven {
        Driven::AtRest { flow, .. } => flow.state,
        other => panic!("not at rest: {other:?}"),
    }
}

fn by() -> Operator {
    Operator {
        who: "ann".to_owned(),
        why: String::new(),
    }
}

#[tokio::test]
async fn nothing_is_done_before_it_is_committed() {
    let tasks = vec![task("a", &[], "pass", ""), task("b", &["a"], "fail", "no")];
    let mut stage = Stage::new(tasks).await;
    assert_eq!(end(&stage.drive().await), FlowState::Reverted);
    let journal = &stage.journal;
    for (first, then) in [
        ("commit a RUNNING", "start a"),
        ("end a", "commit a SUCCESS"),
        ("commit b RUNNING", "start b"),
        ("commit b REVERTING", "undo b"),
        ("undo b", "commit b REVERTED"),
        ("commit a REVERTING", "undo a"),
    ] {
        assert!(
            journal.position(first) < journal.position(then),
            "{first} | {then}"
        );
    }
}

#[tokio::test]
async fn a_link_of_a_chain_costs_one_commit() {
    let tasks = vec![
        task("a", &[], "pass", ""),
        task("b", &["a"], "pass", ""),
        task("c", &["b"], "pass", ""),
    ];
    let mut stage = Stage::new(tasks).await;
    assert_eq!(end(&stage.drive().await), FlowState::Success);
    assert_eq!(stage.journal.count("commit of 1"), 4);
}

#[tokio::test]
async fn outcomes_that_are_there_share_a_commit() {
    const NAMES: [&str; 20] = [
        "t00", "t01", "t02", "t03", "t04", "t05", "t06", "t07", "t08", "t09", "t10", "t11", "t12",
        "t13", "t14", "t15", "t16", "t17", "t18", "t19",
    ];
    let tasks = NAMES.map(|name| task(name, &[], "pass", "")).into();
    let mut stage = Stage::new(tasks).await;
    assert_eq!(end(&stage.drive().await), FlowState::Success);
    let commits = stage.journal.count("commit of 1");
    assert!(
        commits <= 5,
        "{commits} commits: {:#?}",
        stage.journal.lines()
    );
}

#[tokio::test]
async fn a_request_cancels_what_runs_and_undoes_what_is_done() {
    let tasks = vec![task("a", &[], "pass", ""), task("b", &["a"], "hold", "")];
    let mut stage = Stage::new(tasks).await;
    let (journal, requests) = (stage.journal.clone(), stage.requests.clone());
    let asks = async {
        journal.wait_for("start b", 1).await;
        requests.send((7, Request::Cancel(by()))).unwrap();
        requests.send((7, Request::Cancel(by()))).unwrap();
    };
    let (driven, ()) = tokio::join!(stage.drive(), asks);
    assert_eq!(end(&driven), FlowState::Reverted);
    assert!(journal.position("cancelled b") < journal.position("undo b"));
    assert!(journal.position("undo b") < journal.position("undo a"));
}

#[tokio::test]
async fn a_decision_about_an_unknown_task_is_noted_and_not_lost() {
    let mut stage = Stage::new(vec![task("a", &[], "hold", "")]).await;
    let (journal, requests, kind) = (
        stage.journal.clone(),
        stage.requests.clone(),
        stage.kind.clone(),
    );
    let asks = async {
        journal.wait_for("start a", 1).await;
        let verb = Verb::Retry;
        for task in ["zzz", "a"] {
            let task = Some(task.to_owned());
            let number = task.as_ref().map_or(0, |t| t.len() as i64);
            requests
                .send((
                    number,
                    Request::Decide {
                        verb,
                        task,
                        by: by(),
                    },
                ))
                .unwrap();
        }
        kind.let_go("a");
    };
    let (driven, ()) = tokio::join!(stage.drive(), asks);
    assert_eq!(end(&driven), FlowState::Success);
    let log = stage.log().await;
    let noted = |text: &str| {
        log.iter()
            .any(|(s, t)| *s == Stream::Note && t.contains(text))
    };
    assert!(noted("there is no task `zzz`"), "{log:?}");
    assert!(noted("`a`: it does not wait for a decision"), "{log:?}");
}

#[tokio::test]
async fn an_answer_that_got_lost_is_looked_up_and_not_repeated() {
    let mut stage = Stage::new(vec![
        task("a", &[], "pass", ""),
        task("b", &["a"], "pass", ""),
    ])
    .await;
    stage.store.lose_answer.store(true, Ordering::SeqCst);
    assert_eq!(end(&stage.drive().await), FlowState::Success);
    assert_eq!(stage.journal.count("commit a RUNNING"), 1);
    assert!(!stage.journal.has("fenced"));
}

#[tokio::test]
async fn what_somebody_else_has_committed_is_not_taken_for_ours() {
    let mut stage = Stage::new(vec![task("a", &[], "pass", "")]).await;
    stage.store.usurp.store(true, Ordering::SeqCst);
    let driven = stage.drive().await;
    assert!(matches!(driven, Driven::Lost(Loss::Fenced)), "{driven:?}");
    assert!(!stage.journal.has("start a"));
}

#[tokio::test]
async fn a_store_that_is_back_in_time_costs_nothing_but_time() {
    let mut stage = Stage::new(vec![task("a", &[], "hold", "")]).await;
    let (journal, store, kind) = (
        stage.journal.clone(),
        stage.store.clone(),
        stage.kind.clone(),
    );
    let fails = async {
        journal.wait_for("start a", 1).await;
        store.away.store(true, Ordering::SeqCst);
        kind.let_go("a");
        journal.wait_for("end a", 1).await;
        tokio::task::yield_now().await;
        store.away.store(false, Ordering::SeqCst);
    };
    let (driven, ()) = tokio::join!(stage.drive(), fails);
    assert_eq!(end(&driven), FlowState::Success);
}

#[tokio::test]
async fn whatever_a_kind_does_an_attempt_ends_with_a_failure_that_tells() {
    for (what, kind) in [
        ("panic", FailureKind::Other),
        ("large", FailureKind::TooLarge),
        ("fail", FailureKind::Exit),
    ] {
        let mut stage = Stage::new(vec![task("a", &[], what, "oh no")]).await;
        assert_eq!(end(&stage.drive().await), FlowState::Reverted, "{what}");
        assert_eq!(stage.failure_kind("a").await, Some(kind), "{what}");
    }
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_cancelled_and_fails() {
    let mut held = task("a", &[], "hold", "");
    held.change = |task| task.timeout = Some(Duration::from_secs(5));
    let mut stage = Stage::new(vec![held]).await;
    let (journal, clock) = (stage.journal.clone(), stage.clock.clone());
    let passes = async {
        journal.wait_for("start a", 1).await;
        clock.advance(Duration::from_secs(5));
    };
    let (driven, ()) = tokio::join!(stage.drive(), passes);
    assert_eq!(end(&driven), FlowState::Reverted);
    assert!(journal.has("cancelled a"));
    assert_eq!(stage.failure_kind("a").await, Some(FailureKind::Timeout));
}

#[tokio::test]
async fn the_last_of_the_output_is_there_with_the_outcome_and_secrets_are_not() {
    // Every process that can run this test has a PATH.
    let secret = std::env::var("PATH").unwrap();
    let mut plan = plan(vec![task("a", &[], "print", &format!("path is {secret}!"))]);
    let source = SecretSource::Env("PATH".to_owned());
    plan.secrets.insert("path".to_owned(), source);
    let mut stage = Stage::of(plan).await;
    assert_eq!(end(&stage.drive().await), FlowState::Success);
    assert_eq!(
        stage.log().await,
        [(Stream::Stdout, "path is ***!".to_owned())]
    );
    let loaded = stage.store.load(stage.job).await.unwrap().unwrap();
    assert_eq!(loaded.checkpoint.atoms[0].1.result["text"], "path is ***!");
}
