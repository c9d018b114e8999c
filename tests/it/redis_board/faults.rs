//! Real conductors on a board that fails them: afterwards all jobs have ended, and nothing was done twice at once.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jobrunner::model::FlowState;
use jobrunner::ports::Store;
use jobrunner::stores::sql::SqlStore;

use crate::cli::Home;
use crate::servers::proxy::{Proxy, Weather};
use crate::servers::redis::{Redis, bound_to_us, start};

/// How long anything may take, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(90);

/// The lease of these conductors.
const TTL: Duration = Duration::from_secs(2);

/// Three tasks in a row; each writes, again and again, that it is at work, and has that on the disk.
const FLOW: &str = r#"
tasks:
  a: &task
    shell: |
      for n in 1 2 3 4 5 6 7 8; do
        echo "$JOBRUNNER_KEY $JOBRUNNER_EPOCH $n" >> LEDGER
        sync LEDGER
        sleep 0.05
      done
"#;

/// How many lines a task writes.
const LINES: u32 = 8;

/// Conductors, the store that they share, and the ledger of their tasks.
struct Crew {
    home: Home,
    conductors: Vec<(Child, PathBuf)>,
    store: Arc<SqlStore>,
    ledger: PathBuf,
    jobs: usize,
}

impl Crew {
    async fn new(jobs: usize, board: &str) -> Self {
        let home = Home::new();
        let ledger = home.path("ledger");
        File::create(&ledger).unwrap();
        let script = FLOW
            .replace("a: &task", "NAME:")
            .replace("LEDGER", &ledger.display().to_string());
        let body = script.trim_start().strip_prefix("tasks:\n").unwrap();
        let mut flow = "tasks:\n".to_owned();
        for (name, needs) in [
            ("a", ""),
            ("b", "    needs: [a]\n"),
            ("c", "    needs: [b]\n"),
        ] {
            flow += &body.replace("NAME", name);
            flow += needs;
        }
        let home = home.and("work.flow.yaml", flow);
        let home = home.set("JOBRUNNER_BOARD", board);
        for _ in 0..jobs {
            home.run("post work.flow.yaml").exits(0);
        }
        let url = format!("sqlite://{}", home.path("data/jobrunner/jobs.db").display());
        Self {
            store: Arc::new(SqlStore::open(&url).await.unwrap()),
            home,
            conductors: Vec::new(),
            ledger,
            jobs,
        }
    }

    /// A conductor that finds the board at a URL.
    fn conductor(&mut self, board: &str) {
        let log = self.home.path(&format!("log{}", self.conductors.len()));
        let ttl = format!("{}s", TTL.as_secs());
        let program = self.home.command("");
        let mut command: Command = bound_to_us(program.get_program().to_str().unwrap());
        command
            .args([
                "run",
                "--max-jobs",
                "2",
                "--lease-ttl",
                &ttl,
                "--board",
                board,
            ])
            .env_clear()
            .envs(
                program
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir(program.get_current_dir().unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap());
        self.conductors.push((start(command), log));
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.ledger).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn log(&self, n: usize) -> String {
        fs::read_to_string(&self.conductors[n].1).unwrap()
    }

    async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let started = Instant::now();
        while !so().await {
            if started.elapsed() > PATIENCE {
                let logs: Vec<String> = (0..self.conductors.len()).map(|n| self.log(n)).collect();
                panic!(
                    "waited in vain for {what}: {:?}\n{}",
                    self.lines(),
                    logs.join("\n--\n")
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until_lines(&self, count: usize) {
        self.until("the ledger", async || self.lines().len() >= count)
            .await;
    }

    async fn until_said(&self, n: usize, what: &str) {
        self.until(what, async || self.log(n).contains(what)).await;
    }

    /// All jobs have succeeded.
    async fn until_done(&self) {
        self.until("the jobs", async || {
            let jobs = self.store.jobs(true, 1000).await.unwrap();
            let done = jobs
                .iter()
                .filter(|job| job.flow.state == FlowState::Success);
            done.count() == self.jobs
        })
        .await;
    }

    /// Whether each task was begun once, whatever was going on.
    fn nothing_was_begun_again(&self) {
        assert_eq!(
            self.lines().len(),
            self.jobs * 3 * LINES as usize,
            "{:#?}",
            self.lines()
        );
        self.nothing_was_done_twice_at_once();
    }

    /// In the order in which it was written: what was begun under a later claim is not touched by an earlier one any
    /// more, and the last one came to its end.
    fn nothing_was_done_twice_at_once(&self) {
        let mut last: std::collections::BTreeMap<String, (i64, u32)> = Default::default();
        let lines = self.lines();
        for line in &lines {
            let words: Vec<&str> = line.split(' ').collect();
            let [key, epoch, n] = words[..] else {
                panic!("{line}");
            };
            let (epoch, n): (i64, u32) = (epoch.parse().unwrap(), n.parse().unwrap());
            let before = last.insert(key.to_owned(), (epoch, n));
            match before {
                Some((earlier, at)) if earlier == epoch => {
                    assert_eq!(n, at + 1, "{line}\n{lines:#?}")
                }
                Some((earlier, _)) => assert!(epoch > earlier && n == 1, "{line}\n{lines:#?}"),
                None => assert_eq!(n, 1, "{line}"),
            }
        }
        assert_eq!(last.len(), self.jobs * 3);
        assert!(last.values().all(|(_, n)| *n == LINES), "{last:#?}");
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for (child, _) in &mut self.conductors {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[tokio::test]
async fn a_board_that_is_flushed_again_and_again_loses_nothing() {
    let redis = Redis::start(&[]);
    let mut crew = Crew::new(8, &redis.url()).await;
    for _ in 0..2 {
        crew.conductor(&redis.url());
    }
    for lines in [5, 40, 90] {
        crew.until_lines(lines).await;
        redis::cmd("FLUSHALL").exec(&mut redis.connect()).unwrap();
    }
    crew.until_done().await;
    crew.nothing_was_begun_again();
}

#[tokio::test]
async fn a_redis_that_is_killed_and_comes_back_empty_is_waited_for() {
    let mut redis = Redis::start(&[]);
    let mut crew = Crew::new(6, &redis.url()).await;
    for _ in 0..2 {
        crew.conductor(&redis.url());
    }
    crew.until_lines(10).await;
    redis.kill();
    for n in 0..2 {
        crew.until_said(n, "the job board is away").await;
    }
    // What is under way goes on without it.
    crew.until_lines(20).await;
    redis.restart();
    crew.until_done().await;
    crew.nothing_was_begun_again();
    for n in 0..2 {
        crew.until_said(n, "the job board is back").await;
        let log = crew.log(n);
        assert!(log.contains("cannot be reached"), "{log}");
    }
}

#[tokio::test]
async fn a_redis_that_is_frozen_beyond_the_lease_costs_time_alone() {
    let redis = Redis::start(&[]);
    let mut crew = Crew::new(6, &redis.url()).await;
    for _ in 0..2 {
        crew.conductor(&redis.url());
    }
    crew.until_lines(10).await;
    redis.freeze();
    tokio::time::sleep(TTL * 2).await;
    redis.thaw();
    crew.until_done().await;
    crew.nothing_was_done_twice_at_once();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conductor_that_is_cut_off_from_redis_is_taken_over_from() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::to(redis.port()).await;
    let through = format!("redis://127.0.0.1:{}/0", proxy.port());
    let mut crew = Crew::new(6, &redis.url()).await;
    crew.conductor(&through);
    crew.until_lines(3).await;
    proxy.set(Weather::Silent);
    crew.conductor(&redis.url());
    crew.until_said(0, "the job board is away").await;
    tokio::time::sleep(TTL * 2).await;
    proxy.set(Weather::Fair);
    crew.until_done().await;
    crew.nothing_was_done_twice_at_once();
}

#[tokio::test]
async fn a_conductor_that_dies_while_redis_is_lost_leaves_nothing_behind() {
    let mut redis = Redis::start(&[]);
    let mut crew = Crew::new(4, &redis.url()).await;
    crew.conductor(&redis.url());
    crew.until_lines(3).await;
    redis.kill();
    crew.conductors[0].0.kill().unwrap();
    crew.conductors[0].0.wait().unwrap();
    redis.restart();
    crew.conductor(&redis.url());
    crew.until_done().await;
    crew.nothing_was_done_twice_at_once();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_boards_for_one_store_are_told_of() {
    let redis = Redis::start(&[]);
    let (one, other) = (redis.url(), format!("{}?prefix=other", redis.url()));
    let mut crew = Crew::new(1, &one).await;
    let link = |n: u32| match n {
        0 => "  t0: { shell: 'sleep 0.1' }\n".to_owned(),
        n => format!("  t{n}: {{ shell: 'sleep 0.1', needs: [t{}] }}\n", n - 1),
    };
    let chain: String = (0..500).map(link).collect();
    fs::write(
        crew.home.path("chain.flow.yaml"),
        format!("tasks:\n{chain}"),
    )
    .unwrap();
    let post = ["post", "chain.flow.yaml", "--board", &one];
    crew.home.run_with(&post).exits(0);
    crew.conductor(&one);
    crew.until_said(0, "chain").await;
    // It finds the job in the store, and a board that has leased it to nobody who renews it there.
    crew.conductor(&other);
    crew.until_said(0, "name the same board").await;
}
