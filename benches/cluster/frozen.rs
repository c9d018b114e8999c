//! A conductor is frozen past its lease, another one takes over, the first one wakes up: what does the first one still
//! do? What it writes is told by MariaDB, which counts for each user; what it begins, by a ledger of the tasks.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jobrunner::ports::Store as _;
use jobrunner::stores::sql::SqlStore;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _};

use super::servers::Server;
use super::servers::redis::Redis;
use super::{Process, peers};

/// Tasks of the chain, each of which takes a tenth of a second.
const TASKS: usize = 40;
/// How many of them have begun when the first conductor is frozen.
const FROZEN_AT: usize = 10;
/// How long leases and claims last.
const TTL: Duration = Duration::from_secs(1);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whose conductors they are.
#[derive(Clone, Copy, PartialEq)]
enum Whose {
    Ours,
    Peers,
}

/// What came of it.
struct Ended {
    /// From the freeze to the first task that the second conductor began.
    taken_over_after: Duration,
    /// Rows that the first one wrote, and tasks that it began, after that.
    rows_of_the_first: i64,
    begun_by_the_first: usize,
    /// Tasks that were begun more than once.
    twice: usize,
    state: String,
    succeeded: usize,
}

/// One store, two conductors with a user of MariaDB each, and the ledger.
struct Scene<'a> {
    whose: Whose,
    database: String,
    redis: &'a Redis,
    port: u16,
    admin: MySqlConnection,
    folder: tempfile::TempDir,
}

/// Lets it happen to our conductors, and to TaskFlow's if they are there.
pub async fn measure(mariadb: &Server, redis: &Redis) {
    let ended = Scene::new(Whose::Ours, mariadb, redis).await.play().await;
    tell("jobrunner", &ended);
    assert_eq!(ended.rows_of_the_first, 0, "it is fenced");
    assert_eq!(ended.begun_by_the_first, 0, "it begins nothing");
    if peers::python().is_some() {
        let ended = Scene::new(Whose::Peers, mariadb, redis).await.play().await;
        tell("TaskFlow", &ended);
    }
}

fn tell(who: &str, ended: &Ended) {
    println!(
        "{:<42} {who:<10} taken over after {:.2} s with a TTL of {TTL:?}; then the first one wrote {} rows and began \
         {} tasks; {} of {TASKS} tasks were begun twice; ended {} with {} of {TASKS} tasks SUCCESS",
        "frozen, taken over from, woken",
        ended.taken_over_after.as_secs_f64(),
        ended.rows_of_the_first,
        ended.begun_by_the_first,
        ended.twice,
        ended.state,
        ended.succeeded,
    );
}

impl<'a> Scene<'a> {
    async fn new(whose: Whose, mariadb: &Server, redis: &'a Redis) -> Self {
        let url = mariadb.database().await;
        let database = url.rsplit('/').next().expect("a database").to_owned();
        let admin: MySqlConnectOptions = mariadb.admin("").parse().expect("a URL");
        let mut admin = admin.connect().await.expect("a connection");
        for number in [1, 2] {
            let user = format!("{database}_{number}");
            let make = format!(
                "CREATE USER {user}@'%' IDENTIFIED BY 'secret'; GRANT ALL ON {database}.* TO {user}@'%'"
            );
            execute(&mut admin, &make).await;
        }
        execute(&mut admin, "SET GLOBAL userstat = 1").await;
        Self {
            whose,
            database,
            redis,
            port: mariadb.port,
            admin,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    async fn play(mut self) -> Ended {
        self.post();
        let mut first = self.conduct(1);
        self.until("it begins", |begun| begun.len() >= FROZEN_AT)
            .await;
        let pid = Pid::from_child(&first.0);
        kill_process(pid, Signal::STOP).expect("it is there");
        let frozen = Instant::now();
        let mut second = self.conduct(2);
        let is_of_second = |(_, by): &(String, u64)| *by == 2;
        self.until("the other one takes over", |begun| {
            begun.iter().any(is_of_second)
        })
        .await;
        let taken_over_after = frozen.elapsed();
        let before = self.rows(1).await;
        kill_process(pid, Signal::CONT).expect("it is there");
        end(&mut first.0).await;
        end(&mut second.0).await;
        let rows_of_the_first = self.rows(1).await - before;
        execute(&mut self.admin, "SET GLOBAL userstat = 0").await;
        let begun = self.begun();
        let after_takeover = begun.iter().skip_while(|line| !is_of_second(line));
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for (task, _) in &begun {
            *times.entry(task).or_default() += 1;
        }
        assert_eq!(times.len(), TASKS, "all of them were begun");
        let (state, succeeded) = self.report().await;
        Ended {
            taken_over_after,
            rows_of_the_first,
            begun_by_the_first: after_takeover.filter(|line| !is_of_second(line)).count(),
            twice: times.values().filter(|times| **times > 1).count(),
            state,
            succeeded,
        }
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    /// Each task that was begun, and the number of the conductor that began it. Of ours that is the epoch.
    fn begun(&self) -> Vec<(String, u64)> {
        let text = fs::read_to_string(self.ledger()).unwrap_or_default();
        // The last line may still be being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let parse = |line: &str| {
            let (task, number) = line.split_once(' ').expect("a task and a number");
            (task.to_owned(), number.parse().expect("a number"))
        };
        whole.lines().map(parse).collect()
    }

    async fn until(&self, what: &str, so: impl Fn(&[(String, u64)]) -> bool) {
        let started = Instant::now();
        while !so(&self.begun()) {
            assert!(
                started.elapsed() < PATIENCE,
                "waited in vain: {what}; they said\n{}\n{}",
                self.said(1),
                self.said(2)
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The URL of the store, by the user of one of the two.
    fn store(&self, number: u32) -> String {
        let (database, port) = (&self.database, self.port);
        format!("mysql://{database}_{number}:secret@127.0.0.1:{port}/{database}")
    }

    fn post(&self) {
        let mut posting = match self.whose {
            Whose::Ours => {
                let mut flow = "tasks:\n".to_owned();
                let ledger = self.ledger();
                let ledger = ledger.display();
                for task in 0..TASKS {
                    flow += &format!(
                        "  - {{ name: t{task}, shell: 'echo t{task} $JOBRUNNER_EPOCH >> {ledger}; sync {ledger}; sleep 0.1' }}\n"
                    );
                }
                fs::write(self.folder.path().join("chain.flow.yaml"), flow).expect("a flow");
                self.start(1, &["post", "chain.flow.yaml"])
            }
            Whose::Peers => {
                let ledger = self.ledger().display().to_string();
                self.start(1, &["post", &TASKS.to_string(), &ledger])
            }
        };
        let ended = posting.0.wait().expect("it ends");
        assert!(ended.success(), "{}", self.said(1));
    }

    fn conduct(&self, number: u32) -> Process {
        match self.whose {
            Whose::Ours => {
                let ttl = format!("{}ms", TTL.as_millis());
                self.start(number, &["run", "--until-empty", "--lease-ttl", &ttl])
            }
            Whose::Peers => {
                let (number_text, ttl) = (number.to_string(), TTL.as_secs_f64().to_string());
                self.start(number, &["conduct", &number_text, &ttl])
            }
        }
    }

    /// What the conductors of one user have said.
    fn said(&self, number: u32) -> String {
        fs::read_to_string(self.folder.path().join(format!("said-{number}"))).unwrap_or_default()
    }

    fn start(&self, number: u32, arguments: &[&str]) -> Process {
        let mut command = self.command(number);
        let said = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.folder.path().join(format!("said-{number}")))
            .expect("a file");
        command.args(arguments).stdout(Stdio::null()).stderr(said);
        Process(command.spawn().expect("it starts"))
    }

    fn command(&self, number: u32) -> Command {
        let store = self.store(number);
        let mut command = match self.whose {
            Whose::Ours => {
                let board = format!("{}?prefix={}", self.redis.url(), self.database);
                let mut command = Command::new(env!("CARGO_BIN_EXE_jobrunner"));
                command
                    .env("JOBRUNNER_STORE", store)
                    .env("JOBRUNNER_BOARD", board)
                    .env("HOME", self.folder.path());
                command
            }
            Whose::Peers => peers::command("taskflow_frozen.py", self.redis, &store),
        };
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// How many rows the server has seen one of the two write.
    async fn rows(&mut self, number: u32) -> i64 {
        let counted = "SELECT rows_inserted + rows_updated + rows_deleted
                       FROM information_schema.user_statistics WHERE user = ?";
        let user = format!("{}_{number}", self.database);
        let row = sqlx::query(counted).bind(user).fetch_one(&mut self.admin);
        let rows = row.await.expect("it has written something");
        rows.try_get::<i64, _>(0)
            .or_else(|_| rows.try_get::<u64, _>(0).map(|rows| rows as i64))
            .expect("a number")
    }

    /// The end state, and how many tasks are on record as SUCCESS.
    async fn report(&self) -> (String, usize) {
        match self.whose {
            Whose::Ours => {
                let store = SqlStore::open(&self.store(1)).await.expect("a store");
                let jobs = store.jobs(true, 10).await.expect("they are listed");
                let loaded = store.load(jobs[0].id).await.expect("it is loaded");
                let loaded = loaded.expect("it is there");
                let atoms = loaded.checkpoint.atoms.iter();
                let succeeded = atoms
                    .filter(|(_, atom)| atom.state == jobrunner::model::AtomState::Success)
                    .count();
                (loaded.job.flow.state.to_string(), succeeded)
            }
            Whose::Peers => {
                let output = self.command(1).arg("report").output().expect("python runs");
                let text = String::from_utf8_lossy(&output.stdout);
                let told: serde_json::Value = serde_json::from_str(&text)
                    .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
                let succeeded = told["succeeded"].as_u64().expect("a number");
                (
                    told["state"].as_str().expect("text").to_owned(),
                    usize::try_from(succeeded).expect("a few"),
                )
            }
        }
    }
}

/// Awaits the end of a conductor that ends by itself.
async fn end(child: &mut Child) {
    let started = Instant::now();
    while child.try_wait().expect("it is ours").is_none() {
        assert!(started.elapsed() < PATIENCE, "it does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn execute(admin: &mut MySqlConnection, sql: &str) {
    let done = admin.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())));
    done.await.expect("the server does it");
}
