//! The engine on SQLite: what a durable task costs, and what a bare commit costs on the same disk in the same run.
//!
//! `cargo bench --bench engine` prints a table.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use indexmap::IndexMap;
use jobrunner::compile::{Action, Atom, AtomKind, Plan, Task, Template};
use jobrunner::engine::{Driven, JobContext, Orders, Secrets, StateFolder, Stop, Writer, drive};
use jobrunner::model::{
    AtomId, Bundle, ConductorId, Digest, Failure, FlowState, JobId, KindSchema, NewJob, Priority,
    ScopeId, Timestamp, Value, Waits,
};
use jobrunner::ports::{Call, Kinds, Outcome, Store, SystemClock, TaskKind, Term};
use jobrunner::scheduler::Scheduler;
use jobrunner::stores::MemoryStore;
use jobrunner::stores::sql::SqlStore;
use petgraph::graph::{DiGraph, NodeIndex};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A kind that is done at once, as `sleep: 0s` is.
struct Nothing;

#[async_trait]
impl TaskKind for Nothing {
    fn schema(&self) -> &KindSchema {
        const SCHEMA: KindSchema = KindSchema {
            name: "nothing",
            about: "Does nothing",
            params: &[],
            shorthand: None,
            process: false,
            result: &[],
            whole: None,
            waits: Waits::Instant,
        };
        &SCHEMA
    }

    async fn execute(&self, _: Call) -> Result<Value, Failure> {
        Ok(Value::Null)
    }

    async fn revert(&self, _: Call, _: Outcome) -> Result<(), Failure> {
        Ok(())
    }
}

fn task(name: String) -> Atom {
    Atom {
        name,
        scope: ScopeId::FLOW,
        kind: AtomKind::Task(Box::new(Task::new(Action {
            kind: "nothing".to_owned(),
            params: Template::Literal(Value::Null),
            check: None,
            result: None,
            needs: Vec::new(),
        }))),
    }
}

/// A flow of `layers` layers of `width` tasks, every task after all of the layer before.
fn layered(layers: usize, width: usize) -> Plan {
    let mut graph: DiGraph<AtomId, Vec<String>> = DiGraph::new();
    let mut atoms = Vec::new();
    let mut before: Vec<NodeIndex> = Vec::new();
    for layer in 0..layers {
        let mut row = Vec::with_capacity(width);
        for at in 0..width {
            let node = graph.add_node(AtomId(atoms.len() as u32));
            atoms.push(task(format!("t{layer}_{at}")));
            for earlier in &before {
                graph.add_edge(*earlier, node, Vec::new());
            }
            row.push(node);
        }
        before = row;
    }
    Plan::flat("bench", atoms, graph)
}

/// Drives jobs of one plan side by side; how long that takes, without creating them.
async fn run(store: Arc<dyn Store>, plan: &Arc<Plan>, jobs: u32) -> Duration {
    let who = ConductorId("bench:1:1".to_owned());
    let mut kinds = Kinds::default();
    kinds.add(Arc::new(Nothing));
    let mut ready = Vec::new();
    for _ in 0..jobs {
        let job = NewJob {
            id: JobId(uuid::Uuid::now_v7()),
            name: "bench".to_owned(),
            key: None,
            bundle: Bundle {
                version: 1,
                files: Vec::new(),
            },
            digest: Digest(String::new()),
            inputs: IndexMap::new(),
            secrets: IndexMap::new(),
            requires: "[]".to_owned(),
            priority: Priority::Normal,
            created_at: Timestamp(0),
        };
        store.create(&job).await.expect("a job is made");
        let epoch = store.own(job.id, &who).await.expect("the store answers");
        ready.push((job.id, epoch.expect("a new job is to be run")));
    }
    let (writer, writing) = Writer::new(
        Arc::clone(&store),
        None,
        Arc::new(SystemClock),
        Duration::from_secs(5),
    );
    let mut background = JoinSet::new();
    background.spawn(writing);
    let mut driven = JoinSet::new();
    let start = Instant::now();
    for (job, epoch) in ready {
        let context = JobContext {
            job,
            epoch,
            owner: who.clone(),
            conductor: "bench".to_owned(),
            plan: Arc::clone(plan),
            secrets: Secrets::default(),
            state: StateFolder::new(&std::env::temp_dir(), job),
            kinds: kinds.clone(),
            clock: Arc::new(SystemClock),
            slots: Arc::new(Semaphore::new(8)),
            term: Term::new(Timestamp(i64::MAX), Arc::new(SystemClock)),
            stop: Stop::new(),
            writer: writer.clone(),
            requested: Arc::new(Notify::new()),
            observer: None,
        };
        let (requests, received) = mpsc::unbounded_channel();
        let orders = Orders {
            lost: CancellationToken::new(),
            requests: received,
            grace: Duration::ZERO,
            margin: Duration::ZERO,
        };
        let scheduler = Scheduler::new(Arc::clone(plan), Default::default(), 1);
        let scheduler = scheduler.expect("an empty checkpoint fits");
        driven.spawn(async move {
            let end = drive(Arc::new(context), scheduler, 0, Vec::new(), orders).await;
            drop(requests);
            end
        });
    }
    drop(writer);
    while let Some(end) = driven.join_next().await {
        match end.expect("the driver ends") {
            Driven::AtRest { flow, .. } => assert_eq!(flow.state, FlowState::Success),
            other => panic!("{other:?}"),
        }
    }
    let took = start.elapsed();
    background.join_next().await;
    took
}

/// So many commits of one row each, with the settings of the store.
async fn bare(folder: &std::path::Path, commits: u32) -> Duration {
    use sqlx::ConnectOptions;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
    let options = SqliteConnectOptions::new()
        .filename(folder.join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut database = options.connect().await.expect("it opens");
    let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL)";
    sqlx::query(table)
        .execute(&mut database)
        .await
        .expect("a table");
    let start = Instant::now();
    for _ in 0..commits {
        let insert =
            sqlx::query("INSERT INTO t (text) VALUES ('about as much as a row of an atom holds')");
        insert.execute(&mut database).await.expect("a row");
    }
    start.elapsed()
}

fn tell(what: &str, tasks: u32, took: Duration) {
    let each = took.as_secs_f64() / f64::from(tasks);
    println!(
        "{what:<44} {tasks:>7} {:>9.3} s {:>9.1} us each {:>9.0} /s",
        took.as_secs_f64(),
        each * 1e6,
        1.0 / each
    );
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let chain = Arc::new(layered(1_000, 1));
    let long_chain = Arc::new(layered(10_000, 1));
    let layers = Arc::new(layered(100, 100));
    let memory = || Arc::new(MemoryStore::new()) as Arc<dyn Store>;
    tell("chain, in memory", 1_000, run(memory(), &chain, 1).await);
    tell(
        "chain, in memory",
        10_000,
        run(memory(), &long_chain, 1).await,
    );
    tell(
        "layers of 100, in memory",
        10_000,
        run(memory(), &layers, 1).await,
    );
    for round in 0..3 {
        let url = format!("sqlite://{}/jobs{round}.db", folder.path().display());
        let store: Arc<dyn Store> = Arc::new(SqlStore::open(&url).await.expect("it opens"));
        let round_folder = folder.path().join(round.to_string());
        std::fs::create_dir(&round_folder).expect("a folder");
        tell("bare commits", 1_000, bare(&round_folder, 1_000).await);
        tell("chain", 1_000, run(Arc::clone(&store), &chain, 1).await);
        tell(
            "chain",
            10_000,
            run(Arc::clone(&store), &long_chain, 1).await,
        );
        tell(
            "layers of 100",
            10_000,
            run(Arc::clone(&store), &layers, 1).await,
        );
        tell("100 chains of 100 side by side", 10_000, {
            let plan = Arc::new(layered(100, 1));
            run(Arc::clone(&store), &plan, 100).await
        });
    }
}
