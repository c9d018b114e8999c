//! What every store promises, held against each of them.
//!
//! `a` and `b` are two handles on one store, as two processes have them.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use jobrunner::model::{
    AtomId, AtomRow, AtomState, Bundle, Change, ConductorId, Digest, Epoch, Failure, FailureKind,
    FlowRow, FlowState, Intent, Intention, JobId, NewJob, Operator, Phase, Priority, Record,
    RetryHistory, SecretSource, SourceFile, Subject, Timestamp, Try, Value, Verb,
};
use jobrunner::ports::{
    AtomWrite, Commit, Committed, Created, LogBatch, LogChunk, LogFilter, LogTrim, Request, Store,
    Stream,
};
use jobrunner::stores::MemoryStore;
use jobrunner::stores::sql::SqlStore;
use serde_json::json;
use uuid::Uuid;

/// Two handles on one store, and what has to live as long as they do.
pub struct Stores {
    pub a: Arc<dyn Store>,
    pub b: Arc<dyn Store>,
    _folder: Option<tempfile::TempDir>,
}

impl Stores {
    pub fn memory() -> Self {
        let store = Arc::new(MemoryStore::new());
        Self {
            a: Arc::clone(&store) as Arc<dyn Store>,
            b: store,
            _folder: None,
        }
    }

    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/jobs.db", folder.path().display());
        Self {
            a: Arc::new(SqlStore::open(&url).await.unwrap()),
            b: Arc::new(SqlStore::open(&url).await.unwrap()),
            _folder: Some(folder),
        }
    }
}

macro_rules! contract {
    ($($promise:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::Stores::memory()).await;
            })+
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::Stores::sqlite().await).await;
            })+
        }
    };
}

contract!(
    a_job_is_loaded_as_it_was_posted,
    a_key_makes_one_job_whoever_races,
    an_id_makes_one_job,
    every_claim_raises_the_epoch,
    one_epoch_is_given_once_whoever_races,
    a_job_is_owned_only_while_it_is_to_be_run,
    a_stale_claim_can_do_nothing,
    a_commit_is_loaded_as_it_was_written,
    a_step_is_fenced_by_epoch_owner_and_seq,
    a_fenced_step_in_a_batch_changes_nothing_and_the_others_are_committed,
    steps_of_one_job_in_one_batch_follow_each_other,
    a_commit_whose_answer_was_lost_is_found_by_looking,
    a_dropped_commit_took_place_or_did_not,
    one_of_many_racing_commits_wins,
    claims_without_progress_are_counted_until_a_commit,
    a_stalled_job_is_stuck_until_somebody_asks,
    requests_wait_until_they_are_answered,
    requests_tell_what_is_intended,
    a_request_number_is_never_given_twice,
    a_job_at_an_end_takes_no_requests_and_keeps_none,
    jobs_are_listed_newest_first,
    jobs_are_found_by_a_prefix_of_their_id,
    ready_jobs_are_paged,
    events_are_paged,
    logs_are_paged_and_filtered,
    logs_are_trimmed_and_their_ids_rise,
    logs_are_written_beside_fenced_steps,
    nothing_is_known_of_an_unknown_job,
    deep_and_odd_values_come_back,
);

const AT: Timestamp = Timestamp(1_795_500_000_000);

pub fn who(name: &str) -> ConductorId {
    ConductorId(format!("{name}:1:abc"))
}

/// A job whose id sorts by `n`.
pub fn job(n: u64) -> NewJob {
    let time = uuid::Timestamp::from_unix_time(1_795_500_000 + n, 0, 0, 0);
    NewJob {
        id: JobId(Uuid::new_v7(time)),
        name: "deploy".into(),
        key: None,
        bundle: Bundle {
            version: 1,
            files: vec![SourceFile {
                path: "deploy.flow.yaml".into(),
                text: "tasks:\n  a: {shell: 'echo \"ü\"'}\n".into(),
            }],
        },
        digest: Digest("0123abcd".into()),
        inputs: IndexMap::from([
            ("port".to_owned(), json!(8887)),
            ("hosts".to_owned(), json!(["b", "a"])),
        ]),
        secrets: IndexMap::from([
            ("token".to_owned(), SecretSource::Env("TOKEN".into())),
            ("cert".to_owned(), SecretSource::File("/etc/cert".into())),
        ]),
        requires: r#"["gpu"]"#.into(),
        priority: Priority::High,
        created_at: AT,
    }
}

pub fn record(atom: u32, change: Change) -> Record {
    Record {
        subject: Subject::Atom(AtomId(atom)),
        change,
        at: AT,
    }
}

fn started() -> Change {
    Change::Started { until: None }
}

fn succeeded(result: Value) -> Change {
    Change::Succeeded {
        result,
        deadline: None,
    }
}

pub fn atom(number: u32, state: AtomState) -> AtomWrite {
    AtomWrite {
        atom: AtomId(number),
        name: format!("build.step{number}"),
        row: AtomRow {
            state,
            attempt: 1,
            since: AT,
            ..AtomRow::default()
        },
    }
}

fn flow(state: FlowState) -> FlowRow {
    FlowRow {
        state,
        since: AT,
        started_at: Some(AT),
        ..FlowRow::default()
    }
}

/// A step that starts the atom `seq`.
fn step(job: JobId, owner: &ConductorId, epoch: Epoch, seq: i64) -> Commit {
    let number = u32::try_from(seq).unwrap();
    Commit {
        job,
        owner: owner.clone(),
        epoch,
        seq,
        records: vec![record(number, started())],
        atoms: vec![atom(number, AtomState::Running)],
        flow: None,
        answered: Vec::new(),
    }
}

fn ending(step: Commit, state: FlowState) -> Commit {
    Commit {
        flow: Some(flow(state)),
        ..step
    }
}

fn operator() -> Operator {
    Operator {
        who: "ann@host".into(),
        why: "it's \"late\"".into(),
    }
}

const DONE: Committed = Committed::Done { requests: false };

async fn commit(store: &Arc<dyn Store>, step: Commit) -> Committed {
    let answers = store.commit(&[step], &LogBatch::default()).await.unwrap();
    let [answer] = answers.try_into().unwrap();
    answer
}

async fn posted(store: &Arc<dyn Store>, n: u64) -> JobId {
    let job = job(n);
    assert_eq!(store.create(&job).await.unwrap(), Created::New);
    job.id
}

async fn owned(store: &Arc<dyn Store>, n: u64, by: &ConductorId) -> (JobId, Epoch) {
    let job = posted(store, n).await;
    (job, store.own(job, by).await.unwrap().unwrap())
}

/// All that a store tells of a job.
async fn everything(store: &Arc<dyn Store>, job: JobId) -> String {
    let logs = LogFilter {
        job,
        task: None,
        after: 0,
        limit: 1000,
    };
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}",
        store.load(job).await.unwrap(),
        store.events(job, 0, 1000).await.unwrap(),
        store.claims_without_progress(job).await.unwrap(),
        store.logs(&logs).await.unwrap(),
    )
}

async fn a_job_is_loaded_as_it_was_posted(stores: Stores) {
    let new = job(1);
    assert_eq!(stores.a.create(&new).await.unwrap(), Created::New);
    let loaded = stores.b.load(new.id).await.unwrap().unwrap();
    let found = &loaded.job;
    assert_eq!(found.id, new.id);
    assert_eq!(found.name, new.name);
    assert_eq!(found.bundle, new.bundle);
    assert_eq!(found.digest, new.digest);
    assert_eq!(found.requires, new.requires);
    assert_eq!(found.priority, new.priority);
    assert_eq!(found.created_at, new.created_at);
    let names = |found: &IndexMap<String, Value>| found.keys().cloned().collect::<Vec<_>>();
    assert_eq!(found.inputs, new.inputs);
    assert_eq!(
        names(&found.inputs),
        names(&new.inputs),
        "in the same order"
    );
    assert_eq!(found.secrets, new.secrets);
    assert_eq!(found.flow.state, FlowState::Pending);
    assert_eq!(found.flow.since, new.created_at);
    assert_eq!(found.intent, Intent::None);
    assert_eq!(found.owner, None);
    assert_eq!(found.epoch, Epoch(0));
    assert_eq!(found.seq, 0);
    assert_eq!(loaded.checkpoint.flow, found.flow);
    assert!(loaded.checkpoint.atoms.is_empty());
    assert!(loaded.requests.is_empty());
}

async fn a_key_makes_one_job_whoever_races(stores: Stores) {
    let posts = (0..16).map(|n| {
        let store = Arc::clone(if n % 2 == 0 { &stores.a } else { &stores.b });
        let new = NewJob {
            key: Some("nightly".into()),
            ..job(n)
        };
        tokio::spawn(async move { (new.id, store.create(&new).await.unwrap()) })
    });
    let mut made = BTreeSet::new();
    let mut found = BTreeSet::new();
    for post in posts.collect::<Vec<_>>() {
        match post.await.unwrap() {
            (id, Created::New) => made.insert(id),
            (_, Created::Existing(id)) => found.insert(id),
        };
    }
    assert_eq!(made.len(), 1);
    assert_eq!(found, made);
    assert_eq!(stores.a.jobs(true, 100).await.unwrap().len(), 1);
    let other = NewJob {
        key: Some("weekly".into()),
        ..job(20)
    };
    assert_eq!(stores.a.create(&other).await.unwrap(), Created::New);
    assert_eq!(stores.a.create(&job(21)).await.unwrap(), Created::New);
    assert_eq!(stores.a.create(&job(22)).await.unwrap(), Created::New);
}

async fn an_id_makes_one_job(stores: Stores) {
    let new = job(1);
    stores.a.create(&new).await.unwrap();
    let again = NewJob {
        name: "other".into(),
        ..new.clone()
    };
    let answer = stores.b.create(&again).await.unwrap();
    assert_eq!(answer, Created::Existing(new.id));
    let loaded = stores.a.load(new.id).await.unwrap().unwrap();
    assert_eq!(loaded.job.name, "deploy");
}

async fn every_claim_raises_the_epoch(stores: Stores) {
    let job = posted(&stores.a, 1).await;
    assert_eq!(stores.a.own(job, &who("x")).await.unwrap(), Some(Epoch(1)));
    assert_eq!(stores.b.own(job, &who("y")).await.unwrap(), Some(Epoch(2)));
    assert_eq!(stores.b.own(job, &who("y")).await.unwrap(), Some(Epoch(3)));
    let loaded = stores.a.load(job).await.unwrap().unwrap().job;
    assert_eq!(loaded.owner, Some(who("y")));
    assert_eq!(loaded.epoch, Epoch(3));
}

async fn one_epoch_is_given_once_whoever_races(stores: Stores) {
    let job = posted(&stores.a, 1).await;
    let claims = (0..20).map(|n| {
        let store = Arc::clone(if n % 2 == 0 { &stores.a } else { &stores.b });
        tokio::spawn(async move { store.own(job, &who("x")).await.unwrap().unwrap() })
    });
    let mut given = BTreeSet::new();
    for claim in claims.collect::<Vec<_>>() {
        given.insert(claim.await.unwrap());
    }
    assert_eq!(given, (1..=20).map(Epoch).collect());
}

async fn a_job_is_owned_only_while_it_is_to_be_run(stores: Stores) {
    for (n, state) in (0..).zip([
        FlowState::Pending,
        FlowState::Running,
        FlowState::Reverting,
        FlowState::Suspended,
        FlowState::Stuck,
        FlowState::Success,
        FlowState::Reverted,
        FlowState::Abandoned,
    ]) {
        let me = who("x");
        let (job, epoch) = owned(&stores.a, n, &me).await;
        let done = commit(&stores.a, ending(step(job, &me, epoch, 0), state)).await;
        assert_eq!(done, DONE);
        assert!(stores.a.disown(job, &me, epoch).await.unwrap());
        let is_ready = |found: Vec<jobrunner::ports::JobSummary>| found.iter().any(|j| j.id == job);
        let at_rest = state.is_at_rest();
        assert_eq!(is_ready(stores.b.ready(None, 100).await.unwrap()), !at_rest);
        assert_eq!(
            stores.b.own(job, &me).await.unwrap().is_some(),
            !at_rest,
            "{state}"
        );
        stores.b.disown(job, &me, Epoch(2)).await.unwrap();
        let request = Request::Resume(operator());
        let taken = stores.b.request(job, &request, AT).await.unwrap();
        assert_eq!(taken, !state.is_end());
        assert_eq!(is_ready(stores.a.ready(None, 100).await.unwrap()), taken);
        assert_eq!(
            stores.a.own(job, &me).await.unwrap().is_some(),
            taken,
            "{state}"
        );
    }
}

async fn a_stale_claim_can_do_nothing(stores: Stores) {
    let (old, new) = (who("old"), who("new"));
    let (job, first) = owned(&stores.a, 1, &old).await;
    assert!(stores.b.owns(job, &old, first).await.unwrap());
    let second = stores.b.own(job, &new).await.unwrap().unwrap();
    let before = everything(&stores.a, job).await;
    for (by, epoch) in [(&old, first), (&old, second), (&new, first)] {
        assert!(!stores.a.owns(job, by, epoch).await.unwrap());
        assert!(!stores.a.disown(job, by, epoch).await.unwrap());
        assert!(!stores.a.stall(job, by, epoch, "why", AT).await.unwrap());
        let answer = commit(&stores.a, step(job, by, epoch, 0)).await;
        assert_eq!(answer, Committed::Fenced);
    }
    assert_eq!(everything(&stores.b, job).await, before);
    assert!(stores.a.owns(job, &new, second).await.unwrap());
    assert!(stores.a.disown(job, &new, second).await.unwrap());
    assert!(!stores.a.owns(job, &new, second).await.unwrap());
    assert!(!stores.a.disown(job, &new, second).await.unwrap());
    let answer = commit(&stores.a, step(job, &new, second, 0)).await;
    assert_eq!(answer, Committed::Fenced);
}

async fn a_commit_is_loaded_as_it_was_written(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let failure = Failure {
        exit_code: Some(3),
        ..Failure::new(FailureKind::Exit, "ended with 3")
    };
    let full = AtomRow {
        state: AtomState::Retrying,
        intention: Intention::Retry,
        attempt: 4,
        generation: 3,
        revert_tries: 2,
        wake_at: Some(Timestamp(7)),
        started_at: Some(Timestamp(6)),
        since: Timestamp(5),
        result: json!({"z": 1, "a": [null, 1.5, "ü\u{0}\u{1F600}"]}),
        failure: Some(Box::new(failure.clone())),
        history: Some(Box::new(RetryHistory {
            tries: 1,
            last: vec![Try {
                number: 1,
                value: json!("eu-1"),
                failure: Some(failure.clone()),
            }],
        })),
    };
    let flow = FlowRow {
        state: FlowState::Reverting,
        reverting: true,
        abandoned: true,
        cause: Some(failure.clone()),
        deadline: Some(Timestamp(9)),
        started_at: Some(Timestamp(1)),
        since: Timestamp(2),
    };
    let records = vec![
        record(0, succeeded(json!({"code": 0}))),
        record(
            7,
            Change::Failed {
                failure,
                allowed: true,
            },
        ),
        Record {
            subject: Subject::Flow,
            change: Change::Flow {
                state: FlowState::Reverting,
                cause: None,
                deadline: None,
                by: Some(operator()),
            },
            at: AT,
        },
    ];
    let step = Commit {
        records: records.clone(),
        atoms: vec![
            atom(0, AtomState::Success),
            AtomWrite {
                row: full.clone(),
                ..atom(7, AtomState::Pending)
            },
        ],
        flow: Some(flow.clone()),
        ..step(job, &me, epoch, 0)
    };
    assert_eq!(commit(&stores.a, step).await, DONE);
    let loaded = stores.b.load(job).await.unwrap().unwrap();
    assert_eq!(loaded.job.seq, 3);
    assert_eq!(loaded.job.flow, flow);
    assert_eq!(loaded.checkpoint.flow, flow);
    let expected = [
        (AtomId(0), atom(0, AtomState::Success).row),
        (AtomId(7), full.clone()),
    ];
    assert_eq!(loaded.checkpoint.atoms, expected);
    let keys = |row: &AtomRow| {
        row.result
            .as_object()
            .map(|o| o.keys().cloned().collect::<Vec<_>>())
    };
    assert_eq!(
        keys(&loaded.checkpoint.atoms[1].1),
        keys(&full),
        "in the same order"
    );
    let events = stores.b.events(job, 0, 10).await.unwrap();
    assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(events.iter().all(|e| e.epoch == epoch));
    assert_eq!(
        events.into_iter().map(|e| e.record).collect::<Vec<_>>(),
        records
    );

    // A row is replaced, its neighbours and the flow stay.
    let next = Commit {
        records: vec![record(7, Change::Reverting)],
        atoms: vec![atom(7, AtomState::Reverting)],
        ..self::step(job, &me, epoch, 3)
    };
    assert_eq!(commit(&stores.b, next).await, DONE);
    let loaded = stores.a.load(job).await.unwrap().unwrap();
    assert_eq!(loaded.checkpoint.flow, flow);
    let expected = [
        (AtomId(0), atom(0, AtomState::Success).row),
        (AtomId(7), atom(7, AtomState::Reverting).row),
    ];
    assert_eq!(loaded.checkpoint.atoms, expected);
}

/// Steps that do not fit, of a job whose next step is `fitting`.
fn misfits(fitting: &Commit) -> Vec<Commit> {
    let misfit = |change: &dyn Fn(&mut Commit)| {
        let mut step = fitting.clone();
        step.atoms.push(atom(99, AtomState::Failure));
        change(&mut step);
        step
    };
    vec![
        misfit(&|step| step.epoch = Epoch(step.epoch.0 - 1)),
        misfit(&|step| step.epoch = Epoch(step.epoch.0 + 1)),
        misfit(&|step| step.owner = who("other")),
        misfit(&|step| step.seq -= 1),
        misfit(&|step| step.seq += 1),
        misfit(&|step| step.job = job(77).id),
    ]
}

async fn a_step_is_fenced_by_epoch_owner_and_seq(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    assert_eq!(commit(&stores.a, step(job, &me, epoch, 0)).await, DONE);
    stores
        .a
        .request(job, &Request::Cancel(operator()), AT)
        .await
        .unwrap();
    let (number, _) = stores.a.load(job).await.unwrap().unwrap().requests[0];
    let before = everything(&stores.a, job).await;
    for plain in misfits(&step(job, &me, epoch, 1)) {
        let laden = Commit {
            flow: Some(flow(FlowState::Success)),
            answered: vec![number],
            ..plain.clone()
        };
        assert_eq!(commit(&stores.a, plain).await, Committed::Fenced);
        assert_eq!(commit(&stores.b, laden).await, Committed::Fenced);
        assert_eq!(everything(&stores.b, job).await, before);
    }
    let answer = commit(&stores.b, step(job, &me, epoch, 1)).await;
    assert_eq!(answer, Committed::Done { requests: true });
}

async fn a_fenced_step_in_a_batch_changes_nothing_and_the_others_are_committed(stores: Stores) {
    let me = who("x");
    let mut steps = Vec::new();
    let mut jobs = Vec::new();
    for n in 0..12 {
        let (job, epoch) = owned(&stores.a, n, &me).await;
        assert_eq!(commit(&stores.a, step(job, &me, epoch, 0)).await, DONE);
        jobs.push(job);
        let fitting = ending(step(job, &me, epoch, 1), FlowState::Running);
        // Every second one does not fit, each in another way.
        steps.push(if n % 2 == 0 {
            fitting
        } else {
            misfits(&fitting)[n as usize / 2].clone()
        });
    }
    let mut before = Vec::new();
    for job in &jobs {
        before.push(everything(&stores.a, *job).await);
    }
    let answers = stores.a.commit(&steps, &LogBatch::default()).await.unwrap();
    for (n, answer) in answers.iter().enumerate() {
        let expected = if n % 2 == 0 { DONE } else { Committed::Fenced };
        assert_eq!(*answer, expected, "step {n}");
        let loaded = stores.b.load(jobs[n]).await.unwrap().unwrap();
        if n % 2 == 0 {
            assert_eq!(loaded.job.seq, 2);
            assert_eq!(loaded.job.flow.state, FlowState::Running);
            assert_eq!(loaded.checkpoint.atoms.len(), 2);
        } else {
            assert_eq!(everything(&stores.b, jobs[n]).await, before[n], "step {n}");
        }
    }
    let none = stores.a.commit(&[], &LogBatch::default()).await.unwrap();
    assert!(none.is_empty());
}

async fn steps_of_one_job_in_one_batch_follow_each_other(stores: Stores) {
    let me = who("x");
    let (first, epoch) = owned(&stores.a, 1, &me).await;
    let (second, _) = owned(&stores.a, 2, &me).await;
    let steps = [
        step(first, &me, epoch, 0),
        step(second, &me, epoch, 0),
        step(first, &me, epoch, 1),
        step(first, &me, epoch, 1),
        step(first, &me, epoch, 2),
    ];
    let answers = stores.a.commit(&steps, &LogBatch::default()).await.unwrap();
    assert_eq!(answers, [DONE, DONE, DONE, Committed::Fenced, DONE]);
    let loaded = stores.b.load(first).await.unwrap().unwrap();
    assert_eq!(loaded.job.seq, 3);
    assert_eq!(loaded.checkpoint.atoms.len(), 3);
}

async fn a_commit_whose_answer_was_lost_is_found_by_looking(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let lost = step(job, &me, epoch, 0);
    assert_eq!(commit(&stores.a, lost.clone()).await, DONE);
    let before = everything(&stores.a, job).await;
    for again in [lost.clone(), ending(lost, FlowState::Running)] {
        assert_eq!(commit(&stores.b, again).await, Committed::Fenced);
        assert_eq!(everything(&stores.b, job).await, before);
    }
    assert!(stores.b.owns(job, &me, epoch).await.unwrap());
    assert_eq!(stores.b.load(job).await.unwrap().unwrap().job.seq, 1);
}

async fn a_dropped_commit_took_place_or_did_not(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let (other, _) = owned(&stores.a, 2, &me).await;
    let no_logs = LogBatch::default();
    let mut seq = 0;
    for patience in 0..60 {
        let batch = [
            step(job, &me, epoch, seq),
            ending(step(other, &me, epoch, seq), FlowState::Running),
        ];
        let batch = &batch[..1 + patience % 2];
        tokio::select! {
            biased;
            _ = stores.a.commit(batch, &no_logs) => {}
            () = async { for _ in 0..patience { tokio::task::yield_now().await } } => {}
        }
        // The other handle is not held up, and all of the step is there or nothing.
        let loaded = stores.b.load(job).await.unwrap().unwrap();
        let rows = i64::try_from(loaded.checkpoint.atoms.len()).unwrap();
        let events = stores.b.events(job, 0, 1000).await.unwrap();
        assert_eq!(loaded.job.seq, rows);
        assert_eq!(i64::try_from(events.len()).unwrap(), rows);
        // It may still be on its way; the next one with the same number decides that.
        commit(&stores.b, step(job, &me, epoch, seq)).await;
        commit(&stores.b, step(other, &me, epoch, seq)).await;
        seq += 1;
        assert_eq!(stores.a.load(job).await.unwrap().unwrap().job.seq, seq);
        assert_eq!(stores.a.load(other).await.unwrap().unwrap().job.seq, seq);
    }
}

async fn one_of_many_racing_commits_wins(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    for seq in 0..5 {
        let commits = (0..8).map(|n| {
            let store = Arc::clone(if n % 2 == 0 { &stores.a } else { &stores.b });
            let mut step = step(job, &me, epoch, seq);
            if n % 3 == 0 {
                step.flow = Some(flow(FlowState::Running));
            }
            tokio::spawn(async move { commit(&store, step).await })
        });
        let mut won = 0;
        for commit in commits.collect::<Vec<_>>() {
            won += usize::from(commit.await.unwrap() == DONE);
        }
        assert_eq!(won, 1);
    }
    let loaded = stores.a.load(job).await.unwrap().unwrap();
    assert_eq!(loaded.job.seq, 5);
}

async fn claims_without_progress_are_counted_until_a_commit(stores: Stores) {
    let me = who("x");
    let job = posted(&stores.a, 1).await;
    let claims = async || stores.b.claims_without_progress(job).await.unwrap();
    assert_eq!(claims().await, 0);
    let mut epoch = Epoch(0);
    for n in 1..=3 {
        epoch = stores.a.own(job, &me).await.unwrap().unwrap();
        assert_eq!(claims().await, n);
    }
    assert_eq!(
        commit(&stores.a, step(job, &who("y"), epoch, 0)).await,
        Committed::Fenced
    );
    assert_eq!(claims().await, 3);
    assert!(stores.a.disown(job, &me, epoch).await.unwrap());
    assert_eq!(claims().await, 3);
    epoch = stores.a.own(job, &me).await.unwrap().unwrap();
    assert_eq!(claims().await, 4);
    assert_eq!(commit(&stores.a, step(job, &me, epoch, 0)).await, DONE);
    assert_eq!(claims().await, 0);
    epoch = stores.a.own(job, &me).await.unwrap().unwrap();
    let laden = ending(step(job, &me, epoch, 1), FlowState::Running);
    assert_eq!(claims().await, 1);
    assert_eq!(commit(&stores.a, laden).await, DONE);
    assert_eq!(claims().await, 0);
}

async fn a_stalled_job_is_stuck_until_somebody_asks(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let running = ending(step(job, &me, epoch, 0), FlowState::Running);
    assert_eq!(commit(&stores.a, running).await, DONE);
    let at = AT.plus(std::time::Duration::from_secs(1));
    assert!(
        stores
            .a
            .stall(job, &me, epoch, "no \"progress\"", at)
            .await
            .unwrap()
    );
    let loaded = stores.b.load(job).await.unwrap().unwrap();
    assert_eq!(loaded.job.flow.state, FlowState::Stuck);
    assert_eq!(loaded.job.flow.since, at);
    assert_eq!(loaded.job.flow.started_at, Some(AT));
    let cause = loaded.job.flow.cause.clone().unwrap();
    assert_eq!(cause.message, "no \"progress\"");
    assert_eq!(
        loaded.checkpoint.atoms,
        [(AtomId(0), atom(0, AtomState::Running).row)]
    );
    assert_eq!(loaded.job.seq, 2);
    let events = stores.b.events(job, 1, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert!(matches!(
        &events[0].record.change,
        Change::Flow { state: FlowState::Stuck, cause: Some(why), .. } if *why == cause
    ));
    assert!(stores.b.disown(job, &me, epoch).await.unwrap());
    assert_eq!(stores.b.own(job, &me).await.unwrap(), None);
    let retry = Request::Decide {
        verb: Verb::Retry,
        task: None,
        by: operator(),
    };
    assert!(stores.b.request(job, &retry, AT).await.unwrap());
    assert!(stores.b.own(job, &me).await.unwrap().is_some());
    assert_eq!(stores.b.claims_without_progress(job).await.unwrap(), 1);

    let (job, epoch) = owned(&stores.a, 2, &me).await;
    let ended = ending(step(job, &me, epoch, 0), FlowState::Success);
    assert_eq!(commit(&stores.a, ended).await, DONE);
    assert!(
        !stores
            .a
            .stall(job, &me, epoch, "too late", at)
            .await
            .unwrap()
    );
}

async fn requests_wait_until_they_are_answered(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let (other, _) = owned(&stores.a, 2, &who("y")).await;
    let asked = [
        Request::Suspend(operator()),
        Request::Resume(operator()),
        Request::Decide {
            verb: Verb::MarkReverted,
            task: Some("build.step1".into()),
            by: operator(),
        },
        Request::Cancel(operator()),
    ];
    for request in &asked {
        assert!(stores.b.request(job, request, AT).await.unwrap());
    }
    assert!(stores.b.request(other, &asked[0], AT).await.unwrap());
    let mine = stores.a.requests(&me).await.unwrap();
    assert!(mine.iter().all(|(of, ..)| *of == job));
    assert!(mine.is_sorted_by_key(|(_, number, _)| *number));
    let found: Vec<_> = mine.iter().map(|(.., request)| request.clone()).collect();
    assert_eq!(found, asked);
    let waiting: Vec<_> = mine
        .iter()
        .map(|(_, n, request)| (*n, request.clone()))
        .collect();
    assert_eq!(stores.b.load(job).await.unwrap().unwrap().requests, waiting);

    let answer = commit(&stores.a, step(job, &me, epoch, 0)).await;
    assert_eq!(answer, Committed::Done { requests: true });
    let theirs = stores.a.requests(&who("y")).await.unwrap()[0].1;
    let first = Commit {
        answered: vec![waiting[0].0, waiting[2].0, theirs],
        ..step(job, &me, epoch, 1)
    };
    assert_eq!(
        commit(&stores.a, first).await,
        Committed::Done { requests: true }
    );
    let left = stores.b.load(job).await.unwrap().unwrap().requests;
    assert_eq!(left, [waiting[1].clone(), waiting[3].clone()]);
    let last = Commit {
        answered: left.iter().map(|(number, _)| *number).collect(),
        ..step(job, &me, epoch, 2)
    };
    assert_eq!(commit(&stores.a, last).await, DONE);
    assert!(stores.b.requests(&me).await.unwrap().is_empty());
    assert_eq!(
        stores.b.requests(&who("y")).await.unwrap().len(),
        1,
        "of another job"
    );

    // A request that changes nothing is answered without a record.
    assert!(stores.b.request(job, &asked[1], AT).await.unwrap());
    let number = stores.b.requests(&me).await.unwrap()[0].1;
    let empty = Commit {
        records: Vec::new(),
        atoms: Vec::new(),
        answered: vec![number],
        ..step(job, &me, epoch, 3)
    };
    assert_eq!(commit(&stores.a, empty).await, DONE);
    assert!(stores.b.requests(&me).await.unwrap().is_empty());
}

async fn requests_tell_what_is_intended(stores: Stores) {
    let job = posted(&stores.a, 1).await;
    let decide = Request::Decide {
        verb: Verb::Abandon,
        task: None,
        by: operator(),
    };
    for (request, intent) in [
        (decide.clone(), Intent::None),
        (Request::Suspend(operator()), Intent::Suspend),
        (decide, Intent::Suspend),
        (Request::Resume(operator()), Intent::None),
        (Request::Suspend(operator()), Intent::Suspend),
        (Request::Cancel(operator()), Intent::Cancel),
        (Request::Resume(operator()), Intent::Cancel),
    ] {
        assert!(stores.a.request(job, &request, AT).await.unwrap());
        assert_eq!(
            stores.b.load(job).await.unwrap().unwrap().job.intent,
            intent
        );
        assert_eq!(stores.b.jobs(false, 1).await.unwrap()[0].intent, intent);
    }
}

async fn a_request_number_is_never_given_twice(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let mut given = BTreeSet::new();
    for seq in 0..4 {
        stores
            .b
            .request(job, &Request::Suspend(operator()), AT)
            .await
            .unwrap();
        let number = stores.a.requests(&me).await.unwrap()[0].1;
        assert!(given.insert(number));
        let answering = Commit {
            answered: vec![number],
            ..step(job, &me, epoch, seq)
        };
        assert_eq!(commit(&stores.a, answering).await, DONE);
    }
}

async fn a_job_at_an_end_takes_no_requests_and_keeps_none(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let (other, _) = owned(&stores.a, 2, &me).await;
    let cancel = Request::Cancel(operator());
    assert!(stores.b.request(job, &cancel, AT).await.unwrap());
    assert!(stores.b.request(other, &cancel, AT).await.unwrap());
    let ended = ending(step(job, &me, epoch, 0), FlowState::Success);
    assert_eq!(commit(&stores.a, ended).await, DONE);
    assert!(!stores.b.request(job, &cancel, AT).await.unwrap());
    assert!(
        stores
            .a
            .load(job)
            .await
            .unwrap()
            .unwrap()
            .requests
            .is_empty()
    );
    let left = stores.a.requests(&me).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].0, other);
}

fn ids(found: &[jobrunner::ports::JobSummary]) -> Vec<JobId> {
    found.iter().map(|summary| summary.id).collect()
}

async fn jobs_are_listed_newest_first(stores: Stores) {
    let me = who("x");
    let mut jobs = Vec::new();
    for n in 0..6 {
        jobs.push(owned(&stores.a, n, &me).await.0);
    }
    for job in [jobs[1], jobs[5]] {
        let ended = ending(step(job, &me, Epoch(1), 0), FlowState::Reverted);
        assert_eq!(commit(&stores.a, ended).await, DONE);
    }
    let all = stores.b.jobs(true, 100).await.unwrap();
    assert_eq!(ids(&all), jobs.iter().copied().rev().collect::<Vec<_>>());
    let live = stores.b.jobs(false, 100).await.unwrap();
    assert_eq!(ids(&live), [jobs[4], jobs[3], jobs[2], jobs[0]]);
    assert_eq!(
        ids(&stores.b.jobs(true, 2).await.unwrap()),
        [jobs[5], jobs[4]]
    );
    assert_eq!(
        ids(&stores.b.jobs(false, 2).await.unwrap()),
        [jobs[4], jobs[3]]
    );
    let summary = &all[0];
    assert_eq!(summary.name, "deploy");
    assert_eq!(summary.flow, flow(FlowState::Reverted));
    assert_eq!(summary.owner, Some(me));
    assert_eq!(summary.epoch, Epoch(1));
    assert_eq!(summary.requires, r#"["gpu"]"#);
    assert_eq!(summary.priority, Priority::High);
    assert_eq!(summary.created_at, AT);
}

async fn jobs_are_found_by_a_prefix_of_their_id(stores: Stores) {
    let mut jobs = Vec::new();
    for id in [
        "01900000-0000-7000-8000-000000000001",
        "01900000-0000-7000-8000-00000000000f",
        "01900000-0000-7000-8000-0000000000f0",
        "0190ffff-0000-7000-8000-000000000001",
        "f1900000-0000-7000-8000-000000000001",
    ] {
        let new = NewJob {
            id: id.parse().unwrap(),
            ..job(0)
        };
        stores.a.create(&new).await.unwrap();
        jobs.push(new.id);
    }
    for (prefix, found) in [
        ("", &jobs[..]),
        ("0190", &jobs[..4]),
        ("01900000-", &jobs[..3]),
        ("01900000-0000-7000-8000-00000000000", &jobs[..2]),
        ("01900000-0000-7000-8000-00000000000f", &jobs[1..2]),
        ("f", &jobs[4..]),
        ("01900000-0000-7000-8000-00000000000f0", &[]),
        ("0191", &[]),
        ("F", &[]),
        ("g", &[]),
        ("%", &[]),
        ("_", &[]),
        ("0190'", &[]),
    ] {
        let summaries = stores.b.find(prefix, 100).await.unwrap();
        assert_eq!(ids(&summaries), found, "`{prefix}`");
    }
    assert_eq!(ids(&stores.b.find("0190", 2).await.unwrap()), &jobs[..2]);
}

async fn ready_jobs_are_paged(stores: Stores) {
    let me = who("x");
    let mut jobs = Vec::new();
    for n in 0..7 {
        jobs.push(posted(&stores.a, n).await);
    }
    stores.a.own(jobs[2], &me).await.unwrap();
    let first = ids(&stores.b.ready(None, 3).await.unwrap());
    assert_eq!(first, [jobs[0], jobs[1], jobs[3]]);
    let second = ids(&stores.b.ready(Some(jobs[3]), 3).await.unwrap());
    assert_eq!(second, [jobs[4], jobs[5], jobs[6]]);
    assert!(stores.b.ready(Some(jobs[6]), 3).await.unwrap().is_empty());
    stores.a.disown(jobs[2], &me, Epoch(1)).await.unwrap();
    assert_eq!(
        ids(&stores.b.ready(Some(jobs[1]), 1).await.unwrap()),
        [jobs[2]]
    );
}

async fn events_are_paged(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let many = Commit {
        records: (0..5).map(|n| record(n, started())).collect(),
        ..step(job, &me, epoch, 0)
    };
    assert_eq!(commit(&stores.a, many).await, DONE);
    let epoch = stores.b.own(job, &me).await.unwrap().unwrap();
    assert_eq!(commit(&stores.a, step(job, &me, epoch, 5)).await, DONE);
    let seqs = async |after, limit| {
        let events = stores.b.events(job, after, limit).await.unwrap();
        events
            .iter()
            .map(|e| (e.seq, e.epoch.0))
            .collect::<Vec<_>>()
    };
    assert_eq!(seqs(0, 3).await, [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(seqs(3, 10).await, [(4, 1), (5, 1), (6, 2)]);
    assert_eq!(seqs(6, 10).await, []);
    assert_eq!(seqs(0, 0).await, []);
}

fn chunk(job: JobId, task: &str, n: i64, bytes: &[u8]) -> LogChunk {
    LogChunk {
        id: 0,
        job,
        task: task.into(),
        attempt: 1,
        phase: Phase::Execute,
        n,
        stream: Stream::Stdout,
        at: AT,
        bytes: bytes.to_vec(),
    }
}

async fn write_log(store: &Arc<dyn Store>, chunks: Vec<LogChunk>, trims: Vec<LogTrim>) {
    store
        .commit(&[], &LogBatch { chunks, trims })
        .await
        .unwrap();
}

async fn logs_are_paged_and_filtered(stores: Stores) {
    let (job, other) = (posted(&stores.a, 1).await, posted(&stores.a, 2).await);
    let written = vec![
        chunk(job, "a", 0, b"one\n"),
        chunk(other, "a", 0, b"not mine"),
        chunk(job, "b", 0, b""),
        LogChunk {
            stream: Stream::Stderr,
            attempt: 2,
            phase: Phase::Revert,
            at: Timestamp(5),
            ..chunk(job, "b", 1, b"\xff\x00\xfe")
        },
        LogChunk {
            stream: Stream::Note,
            ..chunk(job, "a", 1, "ü\"\\".as_bytes())
        },
    ];
    write_log(&stores.a, written.clone(), Vec::new()).await;
    write_log(
        &stores.b,
        vec![chunk(job, "b", 2, b""), chunk(job, "b", 3, b"")],
        Vec::new(),
    )
    .await;
    let read = async |task: Option<&str>, after, limit| {
        let task = task.map(str::to_owned);
        let filter = LogFilter {
            job,
            task,
            after,
            limit,
        };
        stores.b.logs(&filter).await.unwrap()
    };
    let all = read(None, 0, 100).await;
    assert!(all.is_sorted_by(|a, b| a.id < b.id) && all[0].id > 0);
    let mine: Vec<_> = written
        .into_iter()
        .filter(|chunk| chunk.job == job)
        .collect();
    let unnumbered = |chunk: &LogChunk| LogChunk {
        id: 0,
        ..chunk.clone()
    };
    assert_eq!(all[..4].iter().map(unnumbered).collect::<Vec<_>>(), mine);
    assert_eq!(all.len(), 6);
    assert_eq!(read(None, all[1].id, 2).await, all[2..4]);
    assert_eq!(
        read(Some("a"), 0, 100).await,
        [all[0].clone(), all[3].clone()]
    );
    assert_eq!(read(Some("b"), all[1].id, 1).await, [all[2].clone()]);
    assert!(read(Some("c"), 0, 100).await.is_empty());
    assert!(read(None, i64::MAX, 100).await.is_empty());
}

async fn logs_are_trimmed_and_their_ids_rise(stores: Stores) {
    let (job, other) = (posted(&stores.a, 1).await, posted(&stores.a, 2).await);
    let mut chunks = Vec::new();
    for n in 0..6 {
        chunks.push(chunk(job, "a", n, b"a"));
        chunks.push(chunk(job, "b", n, b"b"));
        chunks.push(chunk(other, "a", n, b"o"));
        chunks.push(LogChunk {
            attempt: 2,
            ..chunk(job, "a", n, b"2")
        });
        chunks.push(LogChunk {
            phase: Phase::Revert,
            ..chunk(job, "a", n, b"r")
        });
    }
    write_log(&stores.a, chunks, Vec::new()).await;
    let trim = LogTrim {
        job,
        task: "a".into(),
        attempt: 1,
        phase: Phase::Execute,
        first: 2,
        end: 5,
    };
    let read = async || {
        let filter = LogFilter {
            job,
            task: None,
            after: 0,
            limit: 100,
        };
        stores.b.logs(&filter).await.unwrap()
    };
    let before = read().await;
    write_log(&stores.b, Vec::new(), vec![trim.clone()]).await;
    let after = read().await;
    let kept = |chunk: &LogChunk| {
        (&*chunk.task, chunk.attempt, chunk.phase) != ("a", 1, Phase::Execute)
            || !(2..5).contains(&chunk.n)
    };
    assert_eq!(
        after,
        before
            .iter()
            .filter(|c| kept(c))
            .cloned()
            .collect::<Vec<_>>()
    );
    assert_eq!(before.len() - after.len(), 3);

    // What is written and forgotten at once was never there, and its number is not given again.
    let last = LogTrim {
        first: 7,
        end: 8,
        ..trim
    };
    write_log(
        &stores.b,
        vec![chunk(job, "a", 6, b"6"), chunk(job, "a", 7, b"7")],
        vec![last],
    )
    .await;
    let top = read().await.last().unwrap().clone();
    assert_eq!(top.n, 6);
    write_log(&stores.a, vec![chunk(job, "a", 8, b"8")], Vec::new()).await;
    assert!(read().await.last().unwrap().id > top.id + 1);
}

async fn logs_are_written_beside_fenced_steps(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let logs = LogBatch {
        chunks: vec![chunk(job, "a", 0, b"out")],
        trims: Vec::new(),
    };
    let steps = [step(job, &who("y"), epoch, 0)];
    let answers = stores.a.commit(&steps, &logs).await.unwrap();
    assert_eq!(answers, [Committed::Fenced]);
    let steps = [step(job, &me, epoch, 0)];
    assert_eq!(stores.a.commit(&steps, &logs).await.unwrap(), [DONE]);
    let filter = LogFilter {
        job,
        task: None,
        after: 0,
        limit: 100,
    };
    assert_eq!(stores.b.logs(&filter).await.unwrap().len(), 2);
}

async fn nothing_is_known_of_an_unknown_job(stores: Stores) {
    let job = job(1).id;
    let me = who("x");
    assert_eq!(stores.a.own(job, &me).await.unwrap(), None);
    assert_eq!(stores.a.claims_without_progress(job).await.unwrap(), 0);
    assert!(!stores.a.stall(job, &me, Epoch(0), "", AT).await.unwrap());
    assert!(!stores.a.disown(job, &me, Epoch(0)).await.unwrap());
    assert!(!stores.a.owns(job, &me, Epoch(0)).await.unwrap());
    assert_eq!(stores.a.load(job).await.unwrap(), None);
    assert!(
        !stores
            .a
            .request(job, &Request::Cancel(operator()), AT)
            .await
            .unwrap()
    );
    assert!(stores.a.requests(&me).await.unwrap().is_empty());
    assert!(stores.a.jobs(true, 10).await.unwrap().is_empty());
    assert!(stores.a.events(job, 0, 10).await.unwrap().is_empty());
    assert_eq!(
        commit(&stores.a, step(job, &me, Epoch(0), 0)).await,
        Committed::Fenced
    );
}

async fn deep_and_odd_values_come_back(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    // As deep as a JSON parser lets a task's result be.
    let deep: Value =
        serde_json::from_str(&format!("{}1{}", "[".repeat(127), "]".repeat(127))).unwrap();
    let odd = json!([-1.2108827173763167e+235, u64::MAX, i64::MIN, -0.0, 1e308, 5e-324, 0.1, "\u{0}\u{7f}\u{2028}'\"\\", {"": {}}]);
    for (seq, value) in (0..).zip([deep, odd, Value::String("x".repeat(3_000_000))]) {
        let mut step = step(job, &me, epoch, seq);
        step.records = vec![record(0, succeeded(value.clone()))];
        step.atoms = vec![atom(0, AtomState::Success)];
        step.atoms[0].row.result = value.clone();
        step.atoms[0].row.history = Some(Box::new(RetryHistory {
            tries: 1,
            last: vec![Try {
                number: 1,
                value: value.clone(),
                failure: None,
            }],
        }));
        step.atoms[0].name = "a \"quoted\" näme".into();
        let expected = step.atoms[0].row.clone();
        assert_eq!(commit(&stores.a, step).await, DONE);
        let loaded = stores.b.load(job).await.unwrap().unwrap();
        assert_eq!(loaded.checkpoint.atoms, [(AtomId(0), expected)]);
        let events = stores.b.events(job, seq, 1).await.unwrap();
        assert_eq!(events[0].record, record(0, succeeded(value)));
    }
}
