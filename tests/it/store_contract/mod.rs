//! What every store promises, held against each of them.
//!
//! `a` and `b` are two handles on one store, as two processes have them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::sync::Arc;

use indexmap::IndexMap;
use jobrunner::model::{
    AtomId, AtomRow, AtomState, Bundle, Change, ConductorId, Digest, Epoch, FlowRow, FlowState,
    JobId, NewJob, Operator, Priority, Record, SecretSource, SourceFile, Subject, Timestamp, Value,
};
use jobrunner::ports::{AtomWrite, Commit, Committed, Created, LogBatch, LogFilter, Store};
use jobrunner::stores::MemoryStore;
use jobrunner::stores::sql::SqlStore;
use serde_json::json;
use uuid::Uuid;

pub use super::servers::Kind;
use super::servers::Server;

mod claims;
mod commits;
mod listings;
mod logs;
mod requests;

macro_rules! contract {
    ($($promise:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::super::Stores::memory()).await;
            })+
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::super::Stores::sqlite().await).await;
            })+
        }
        mod mariadb {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::super::Stores::of(super::super::Kind::MariaDb).await).await;
            })+
        }
        mod mysql {
            $(#[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs a MySQL: tests/servers/run mysql"]
            async fn $promise() {
                super::$promise(super::super::Stores::of(super::super::Kind::MySql).await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::super::Stores::of(super::super::Kind::Postgres).await).await;
            })+
        }
    };
}
use contract;

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

    pub async fn of(kind: Kind) -> Self {
        let url = Server::shared(kind).await.database().await;
        Self {
            a: Arc::new(SqlStore::open(&url).await.unwrap()),
            b: Arc::new(SqlStore::open(&url).await.unwrap()),
            _folder: None,
        }
    }
}

pub(super) const AT: Timestamp = Timestamp(1_795_500_000_000);

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

pub(super) fn started() -> Change {
    Change::Started { until: None }
}

pub(super) fn succeeded(result: Value) -> Change {
    let result = result.into();
    Change::Succeeded { result }
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

pub(super) fn flow(state: FlowState) -> FlowRow {
    FlowRow {
        state,
        since: AT,
        started_at: Some(AT),
        ..FlowRow::default()
    }
}

/// A step that starts the atom `seq`.
pub(super) fn step(job: JobId, owner: &ConductorId, epoch: Epoch, seq: i64) -> Commit {
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

pub(super) fn ending(step: Commit, state: FlowState) -> Commit {
    Commit {
        flow: Some(flow(state)),
        ..step
    }
}

pub(super) fn operator() -> Operator {
    Operator {
        who: "ann@host".into(),
        why: "it's \"late\"".into(),
    }
}

pub(super) const DONE: Committed = Committed::Done { requests: false };

pub(super) async fn commit(store: &Arc<dyn Store>, step: Commit) -> Committed {
    let answers = store.commit(&[step], &LogBatch::default()).await.unwrap();
    let [answer] = answers.try_into().unwrap();
    answer
}

pub(super) async fn posted(store: &Arc<dyn Store>, n: u64) -> JobId {
    let job = job(n);
    assert_eq!(store.create(&job).await.unwrap(), Created::New);
    job.id
}

pub(super) async fn owned(store: &Arc<dyn Store>, n: u64, by: &ConductorId) -> (JobId, Epoch) {
    let job = posted(store, n).await;
    (job, store.own(job, by).await.unwrap().unwrap())
}

/// All that a store tells of a job.
pub(super) async fn everything(store: &Arc<dyn Store>, job: JobId) -> String {
    let logs = LogFilter {
        job,
        task: None,
        after: 0,
        limit: 1000,
    };
    format!(
        "{:?}\n{:?}\n{:?}",
        store.load(job).await.unwrap(),
        store.events(job, 0, 1000).await.unwrap(),
        store.logs(&logs).await.unwrap(),
    )
}
