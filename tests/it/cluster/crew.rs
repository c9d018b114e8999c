//! Real conductors, as processes, each of which reaches the store and Redis through proxies of its own.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jobrunner::model::{FlowState, JobId};
use jobrunner::ports::Store;
use jobrunner::stores::sql::SqlStore;
use rustix::process::{Pid, Signal, kill_process};

use super::ledger::{FLOWS, MARK};
use crate::cli::Home;
use crate::servers::proxy::Proxy;
use crate::servers::redis::{Redis, bound_to_us, start};
use crate::servers::{Kind, Server};

/// How long anything may take, on a machine that does other things too.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The lease of these conductors.
pub const TTL: Duration = Duration::from_secs(2);

/// How the store's server is started.
const DURABLE: [&str; 1] = ["--sync-binlog=1"];

/// How long what a conductor has started may outlive it: TERM, 2 s, KILL, and a machine that does other things too.
const AFTERLIFE: Duration = Duration::from_secs(15);

/// The variable that says whose a process is.
const WHOSE: &str = "TEST_CONDUCTOR";

/// A conductor, and its own ways to the servers.
pub struct Post {
    pub child: Child,
    pub name: String,
    pub to_store: Proxy,
    pub to_redis: Proxy,
}

/// All that a cluster is.
pub struct Crew {
    pub home: Home,
    pub server: Server,
    pub redis: Redis,
    pub database: String,
    pub store: Arc<SqlStore>,
    pub posts: Vec<Post>,
    pub jobs: Vec<JobId>,
    started: u32,
}

impl Crew {
    pub async fn new(kind: Kind, conductors: usize) -> Self {
        // What is confirmed has to outlive a server that is killed, and does.
        let server = Server::start(kind, &DURABLE).await;
        let redis = Redis::start(&[]);
        let database = server.database().await;
        let mut home = Home::new()
            .set("JOBRUNNER_STORE", &database)
            .set("JOBRUNNER_BOARD", &redis.url());
        let mark = home.path("mark");
        home = home.and("mark", MARK);
        for (name, text) in FLOWS {
            home = home.and(
                &format!("{name}.flow.yaml"),
                text.replace("MARK", &format!("sh {}", mark.display())),
            );
        }
        File::create(home.path("ledger")).unwrap();
        home.run("show").exits(0);
        let store = Arc::new(SqlStore::open(&database).await.unwrap());
        let mut crew = Self {
            home,
            server,
            redis,
            database,
            store,
            posts: Vec::new(),
            jobs: Vec::new(),
            started: 0,
        };
        for _ in 0..conductors {
            crew.add().await;
        }
        crew
    }

    /// What a conductor is called. Other crews are looked for among the same processes, those of other runs too.
    fn name(&self, n: u32) -> String {
        let home = self.home.path("");
        let own = home.file_name().unwrap().to_str().unwrap();
        format!("c{n}{own}")
    }

    async fn conductor(&mut self, to_store: &Proxy, to_redis: &Proxy) -> (Child, String) {
        self.started += 1;
        let name = self.name(self.started);
        let store = self.server.through(to_store, &self.database).await;
        let board = format!("redis://127.0.0.1:{}/0", to_redis.port());
        let program = self.home.command("");
        let mut command = bound_to_us(program.get_program().to_str().unwrap());
        command
            .args(["run", "--max-jobs", "3", "--lease-ttl"])
            .arg(format!("{}s", TTL.as_secs()))
            .env_clear()
            .envs(
                program
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .env("JOBRUNNER_STORE", store)
            .env("JOBRUNNER_BOARD", board)
            .env("JOBRUNNER_NAME", &name)
            .env(WHOSE, self.whose(&name))
            .current_dir(program.get_current_dir().unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(self.home.path(&format!("log-{name}"))).unwrap());
        (start(command), name)
    }

    /// Posts a job of a flow.
    pub fn post(&mut self, flow: &str) {
        let id = self.home.run(&format!("post {flow}.flow.yaml")).id();
        self.jobs.push(id.parse().unwrap());
    }

    /// Starts a conductor, with ways of its own to the servers.
    pub async fn add(&mut self) {
        let to_store = Proxy::to(self.server.port).await;
        let to_redis = Proxy::to(self.redis.port()).await;
        let (child, name) = self.conductor(&to_store, &to_redis).await;
        self.posts.push(Post {
            child,
            name,
            to_store,
            to_redis,
        });
    }

    /// Kills a conductor, sees to it that nothing of it is left (E15), and puts another one in its place.
    pub async fn kill_and_replace(&mut self, at: usize) {
        let whose = self.whose(&self.posts[at].name);
        assert!(process_of(&whose).is_some(), "it can be found");
        let post = &mut self.posts[at];
        post.child.kill().unwrap();
        post.child.wait().unwrap();
        let killed = Instant::now();
        while let Some(pid) = process_of(&whose) {
            assert!(
                killed.elapsed() < AFTERLIFE,
                "E15: process {pid} outlives its conductor {whose}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut post = self.posts.remove(at);
        (post.child, post.name) = self.conductor(&post.to_store, &post.to_redis).await;
        self.posts.insert(at, post);
    }

    /// What tells the processes of a conductor from those of all others on this machine.
    fn whose(&self, name: &str) -> String {
        self.home.path(name).display().to_string()
    }

    /// Starts the store's server on what it had when it was killed.
    pub async fn start_server_again(&mut self) {
        self.server.start_again(&DURABLE).await;
        self.server.meet(&self.database).await;
    }

    pub fn signal(&self, at: usize, signal: Signal) {
        kill_process(Pid::from_child(&self.posts[at].child), signal).unwrap();
    }

    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.home.path(&format!("log-{name}"))).unwrap()
    }

    pub fn ledger(&self) -> Vec<String> {
        let text = fs::read_to_string(self.home.path("ledger")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    pub async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let started = Instant::now();
        while !so().await {
            assert!(
                started.elapsed() < PATIENCE,
                "waited in vain for {what}:\n{}",
                self.story()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Every job comes to its end; what is STUCK is let go on, as a person would (E10).
    pub async fn until_ended(&self) {
        for id in &self.jobs {
            self.until(&format!("the end of {id}"), async || {
                let Ok(Some(found)) = self.store.load(*id).await else {
                    return false;
                };
                if found.job.flow.state == FlowState::Stuck {
                    self.home.run(&format!("retry {id}"));
                }
                found.job.flow.state.is_end()
            })
            .await;
        }
    }

    /// What everybody has said and done, for a test that fails.
    pub fn story(&self) -> String {
        let mut story = self.ledger().join("\n");
        for n in 1..=self.started {
            story += &format!("\n-- c{n}\n{}", self.log(&self.name(n)));
        }
        story
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for post in &mut self.posts {
            let _ = post.child.kill();
            let _ = post.child.wait();
        }
    }
}

/// A process that belongs to a conductor: whose it is stands in the environment of all of them.
fn process_of(whose: &str) -> Option<u32> {
    let sought = format!("{WHOSE}={whose}");
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let mut variables = environment.split(|byte| *byte == 0);
        variables
            .any(|variable| variable == sought.as_bytes())
            .then_some(pid)
    })
}
