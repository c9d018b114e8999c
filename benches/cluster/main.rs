//! The cluster: a board in Redis, a store in MariaDB, conductors; and OpenStack TaskFlow on the same two servers.
//!
//! `cargo bench --bench cluster` prints a table; arguments choose among `bare`, `chain`, `independent`, `jobs`, `served`,
//! `first`, `takeover`, `frozen`. It starts its own servers, on free ports, with data that is thrown away. TaskFlow takes part if
//! there is a virtual environment for it:
//!
//!     python3 -m venv benches/peers/.venv
//!     benches/peers/.venv/bin/pip install -r benches/peers/requirements.txt

#[path = "../../tests/it/servers/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod servers;

mod bare;
mod frozen;
mod peers;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use indexmap::IndexMap;
use jobrunner::boards::redis::{RedisAddress, RedisBoard};
use jobrunner::compile;
use jobrunner::conductor::{Conductor, Settings, Stop, Until};
use jobrunner::model::{
    Bundle, Failure, FlowState, JobId, KindSchema, NewJob, Priority, SourceFile, Timestamp, Value,
    Waits,
};
use jobrunner::ports::{Call, JobBoard, Kinds, Notice, Outcome, Store, SystemClock, TaskKind};
use jobrunner::stores::sql::SqlStore;
use jobrunner::syntax;
use servers::redis::Redis;
use servers::{Kind, Server};
use sqlx::{ConnectOptions as _, Row as _};

/// A kind that is done at once, and notes when it was started.
#[derive(Clone, Default)]
struct Nothing(Arc<Mutex<Vec<Instant>>>);

impl Nothing {
    fn started(&self) -> Vec<Instant> {
        std::mem::take(&mut *self.0.lock().expect("nobody panics with it"))
    }
}

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
            waits: Waits::Nothing,
        };
        &SCHEMA
    }

    async fn execute(&self, _: Call) -> Result<Value, Failure> {
        self.0
            .lock()
            .expect("nobody panics with it")
            .push(Instant::now());
        Ok(Value::Null)
    }

    async fn revert(&self, _: Call, _: Outcome) -> Result<(), Failure> {
        Ok(())
    }
}

/// One store, one board, and what is run on them.
struct Cluster {
    store: Arc<dyn Store>,
    board: Arc<dyn JobBoard>,
    kinds: Kinds,
    nothing: Nothing,
    counters: sqlx::MySqlConnection,
}

impl Cluster {
    async fn new(mariadb: &Server, redis: &Redis) -> Self {
        let url = mariadb.database().await;
        let nothing = Nothing::default();
        let mut kinds = Kinds::default();
        kinds.add(Arc::new(nothing.clone()));
        let address = format!(
            "{}?prefix={}",
            redis.url(),
            url.rsplit('/').next().expect("a database")
        );
        let address = RedisAddress::parse(&address).expect("a URL");
        let admin: sqlx::mysql::MySqlConnectOptions = mariadb.admin("").parse().expect("a URL");
        Self {
            store: Arc::new(SqlStore::open(&url).await.expect("a store")),
            board: Arc::new(RedisBoard::open(address).await.expect("a board")),
            kinds,
            nothing,
            counters: admin.connect().await.expect("a connection"),
        }
    }

    /// How many statements and commits the server has counted.
    async fn counted(&mut self) -> [i64; 2] {
        let names = ["Questions", "Com_commit"];
        let mut counted = [0; 2];
        for (name, number) in names.iter().zip(&mut counted) {
            let query = sqlx::query("SHOW GLOBAL STATUS WHERE variable_name = ?").bind(name);
            let row = query
                .fetch_one(&mut self.counters)
                .await
                .expect("a counter");
            let text: String = row.get(1);
            *number = text.parse().expect("a number");
        }
        counted
    }

    fn job(&self, flow: &str) -> NewJob {
        let bundle = Bundle {
            version: 1,
            files: vec![SourceFile {
                path: "bench.flow.yaml".to_owned(),
                text: flow.to_owned(),
            }],
        };
        let kinds: Vec<&str> = self.kinds.schemas().map(|schema| schema.name).collect();
        let (declaration, problems) = syntax::parse(&bundle, &kinds);
        let declaration = declaration.unwrap_or_else(|| panic!("{problems:?}"));
        let (plan, problems) =
            compile::compile(&declaration, &self.kinds.schemas().collect::<Vec<_>>());
        let plan = plan.unwrap_or_else(|| panic!("{problems:?}"));
        // The digest is that of a plan with its inputs.
        let plan = plan.with_inputs(&Default::default());
        let plan = plan.unwrap_or_else(|problems| panic!("{problems:?}"));
        NewJob {
            id: JobId(uuid::Uuid::now_v7()),
            name: "bench".to_owned(),
            key: None,
            bundle,
            digest: plan.digest.clone(),
            inputs: IndexMap::new(),
            secrets: IndexMap::new(),
            requires: "[]".to_owned(),
            priority: Priority::Normal,
            created_at: Timestamp(jiff::Timestamp::now().as_millisecond()),
        }
    }

    async fn post(&self, job: &NewJob) {
        self.store.create(job).await.expect("a job is made");
        let notice = Notice {
            job: job.id,
            priority: job.priority,
            requires: job.requires.clone(),
        };
        self.board.post(&notice, None).await.expect("it is posted");
    }

    async fn post_all(&self, jobs: &[NewJob]) {
        for job in jobs {
            self.post(job).await;
        }
    }

    fn conductor(&self) -> Conductor {
        Conductor::new(
            Settings::new(None, fastrand::u64(..)),
            Arc::clone(&self.store),
            Arc::clone(&self.board),
            self.kinds.clone(),
            Arc::new(SystemClock),
            None,
        )
    }

    /// Posts `jobs` jobs, one after the other, and runs them all; how long both take.
    async fn run(&mut self, flow: &str, jobs: u32, conductor: Works) -> Ran {
        let all: Vec<NewJob> = (0..jobs).map(|_| self.job(flow)).collect();
        let before = self.counted().await;
        let start = Instant::now();
        match conductor {
            Works::Afterwards => {
                self.post_all(&all).await;
                let done = self.conductor().run(Until::Empty, Stop::new()).await;
                done.expect("the conductor ends");
            }
            Works::Meanwhile => {
                let stop = Stop::new();
                let running = self.conductor();
                let told = stop.clone();
                let running = tokio::spawn(async move { running.run(Until::Stopped, told).await });
                self.post_all(&all).await;
                while !self.store.jobs(false, 1).await.expect("a list").is_empty() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                stop.in_order();
                let done = running.await.expect("it does not panic");
                done.expect("the conductor ends");
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let after = self.counted().await;
        let jobs = self.store.jobs(true, jobs).await.expect("they are listed");
        for job in &jobs {
            assert_eq!(job.flow.state, FlowState::Success);
        }
        let tasks = u32::try_from(self.nothing.started().len()).expect("a few");
        Ran {
            tasks,
            seconds,
            statements: (after[0] - before[0]) as f64,
            commits: (after[1] - before[1]) as f64,
        }
    }
}

/// When the conductor is at work.
#[derive(Clone, Copy)]
enum Works {
    /// Once everything is posted.
    Afterwards,
    /// While jobs are posted, and on until there is none.
    Meanwhile,
}

/// What a run took.
struct Ran {
    tasks: u32,
    seconds: f64,
    statements: f64,
    commits: f64,
}

/// `bound` is what the server does at most, and of what.
fn tell(who: &str, what: &str, n: u32, ran: &Ran, bound: Option<(f64, &str)>) {
    let n = f64::from(n);
    let rate = n / ran.seconds;
    let beside = bound.map_or(String::new(), |(bound, of)| {
        format!("; {:.3} for each {of}", rate / bound)
    });
    println!(
        "{what:<42} {who:<10} {n:>6} {:>8.3} s {rate:>8.0} /s {:>8.2} statements {:>6.2} commits each{beside}",
        ran.seconds,
        ran.statements / n,
        ran.commits / n
    );
}

fn list(tasks: u32) -> String {
    let mut flow = "tasks:\n".to_owned();
    for at in 0..tasks {
        let _ = writeln!(flow, "  - {{ name: t{at}, nothing: {{}} }}");
    }
    flow
}

fn mapping(tasks: u32) -> String {
    let mut flow = "tasks:\n".to_owned();
    for at in 0..tasks {
        let _ = writeln!(flow, "  t{at}: {{ nothing: {{}} }}");
    }
    flow
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// From posting to the start of the first task, on a board at which a conductor waits: milliseconds.
async fn first(cluster: &Cluster, times: u32) -> Vec<f64> {
    let stop = Stop::new();
    let conductor = cluster.conductor();
    let told = stop.clone();
    let running = tokio::spawn(async move { conductor.run(Until::Stopped, told).await });
    let flow = list(1);
    let mut took = Vec::new();
    for _ in 0..times {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let job = cluster.job(&flow);
        let posted = Instant::now();
        cluster.post(&job).await;
        loop {
            if let Some(started) = cluster.nothing.started().first() {
                took.push((*started - posted).as_secs_f64() * 1e3);
                break;
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
    stop.in_order();
    let ended = running.await.expect("it does not panic");
    ended.expect("it ends in order");
    took
}

/// A conductor as a process of its own.
struct Process(Child);

impl Process {
    fn start(folder: &Path, store: &str, board: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobrunner"));
        command
            .args(arguments)
            .env("JOBRUNNER_STORE", store)
            .env("JOBRUNNER_BOARD", board)
            .env("HOME", folder)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How long after SIGKILL to a conductor the task that it ran is started by another one: seconds.
fn takeover(store: &str, board: &str, ttl: Duration) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("ledger");
    let flow = format!(
        "tasks:\n  a: {{ shell: 'echo $$ >> {}; exec sleep 600', revert: 'true' }}\n",
        ledger.display()
    );
    fs::write(folder.path().join("hold.flow.yaml"), flow).expect("a flow");
    let seconds = format!("{}ms", ttl.as_millis());
    let conduct = ["run", "--lease-ttl", &seconds];
    let mut first = Process::start(folder.path(), store, board, &conduct);
    let lines = || {
        fs::read_to_string(&ledger)
            .unwrap_or_default()
            .lines()
            .count()
    };
    let wait = |wanted: usize| {
        while lines() < wanted {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    Process::start(folder.path(), store, board, &["post", "hold.flow.yaml"])
        .0
        .wait()
        .expect("it posts");
    wait(1);
    let _second = Process::start(folder.path(), store, board, &conduct);
    std::thread::sleep(ttl);
    first.0.kill().expect("it is there");
    let killed = Instant::now();
    wait(2);
    killed.elapsed().as_secs_f64()
}

#[tokio::main]
async fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|one| !one.starts_with('-'))
        .collect();
    let is_chosen = |what: &str| chosen.is_empty() || chosen.iter().any(|one| one == what);
    let mariadb = Server::start(Kind::MariaDb, &[]).await;
    let redis = Redis::start(&[]);
    let theirs = mariadb.database().await;
    let mut cluster = Cluster::new(&mariadb, &redis).await;
    // What is prepared once is not counted.
    cluster.run(&list(3), 1, Works::Afterwards).await;
    let mut bound = None;
    if ["bare", "chain", "independent"].into_iter().any(is_chosen) {
        bound = Some(bare::measure(&mariadb.database().await).await);
    }
    if peers::python().is_none() {
        println!("TaskFlow does not take part: benches/peers has no .venv");
    }
    let runs = [
        (
            "chain",
            "a durable chain",
            list(1_000),
            1_000,
            1,
            1_000,
            200,
        ),
        (
            "independent",
            "independent tasks",
            mapping(1_000),
            1_000,
            1,
            1_000,
            200,
        ),
        (
            "jobs",
            "jobs of three tasks, posted and consumed",
            list(3),
            200,
            200,
            600,
            40,
        ),
        (
            "served",
            "jobs of three tasks, run while posted",
            list(3),
            200,
            200,
            600,
            40,
        ),
    ];
    for (what, about, flow, n, jobs, tasks, peer_n) in runs {
        if !is_chosen(what) {
            continue;
        }
        let bound = match what {
            "chain" => bound.as_ref().map(|bound| (bound.commits, "bare commit")),
            "independent" => bound.as_ref().map(|bound| (bound.rows, "row")),
            _ => None,
        };
        let conductor = match what {
            "served" => Works::Meanwhile,
            _ => Works::Afterwards,
        };
        for _ in 0..3 {
            let ran = cluster.run(&flow, jobs, conductor).await;
            assert_eq!(ran.tasks, tasks, "all of them ran");
            tell("jobrunner", about, n, &ran, bound);
        }
        if let Some(peer) = peers::run(&theirs, &redis, what, peer_n) {
            let number = |key: &str| peer[key].as_f64().expect("a number");
            let ran = Ran {
                tasks: peer_n,
                seconds: number("seconds"),
                statements: number("statements"),
                commits: number("commits"),
            };
            tell("TaskFlow", about, peer_n, &ran, bound);
        }
    }
    if is_chosen("first") {
        let about = "post to first task, idle board";
        let ours = median(first(&cluster, 50).await);
        println!(
            "{about:<42} {:<10} {ours:>9.2} ms at the median of 50",
            "jobrunner"
        );
        if let Some(peer) = peers::run(&theirs, &redis, "first", 15) {
            let took = peer["milliseconds"].as_array().expect("a list");
            let took = took.iter().filter_map(Value::as_f64).collect();
            println!(
                "{about:<42} {:<10} {:>9.2} ms at the median of 15",
                "TaskFlow",
                median(took)
            );
        }
    }
    if is_chosen("takeover") {
        for ttl in [1, 2, 5] {
            let store = mariadb.database().await;
            let board = format!("{}?prefix=takeover{ttl}", redis.url());
            let ttl = Duration::from_secs(ttl);
            let took = tokio::task::block_in_place(|| takeover(&store, &board, ttl));
            let times = took / ttl.as_secs_f64();
            println!(
                "{:<42} {:<10} {took:>9.3} s with a TTL of {ttl:?}: {times:.2} of it",
                "from SIGKILL to the next start elsewhere", "jobrunner"
            );
        }
    }
    if is_chosen("frozen") {
        frozen::measure(&mariadb, &redis).await;
    }
    sqlx::Connection::close(cluster.counters)
        .await
        .expect("it ends");
}
