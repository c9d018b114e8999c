//! The board in Redis: what a claim costs with much on the board, and how soon a job is claimed.
//!
//! `cargo bench --bench board` starts a `redis-server` of its own on a free port, prints a table, and ends it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jobrunner::boards::redis::{RedisAddress, RedisBoard};
use jobrunner::model::{ConductorId, JobId, Priority};
use jobrunner::ports::{JobBoard, Notice};
use tokio::sync::mpsc;

const TTL: Duration = Duration::from_secs(600);

/// A server that ends with this program's end.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let child = Command::new("redis-server")
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--save",
                "",
            ])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        Self { child, port }
    }

    /// The board under a prefix of its own.
    async fn board(&self, prefix: &str) -> RedisBoard {
        let url = format!("redis://127.0.0.1:{}/0?prefix={prefix}", self.port);
        let started = Instant::now();
        loop {
            let address = RedisAddress::parse(&url).expect("a URL");
            match RedisBoard::open(address).await {
                Ok(board) => return board,
                Err(error) if started.elapsed() > Duration::from_secs(10) => panic!("{error:?}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn who() -> ConductorId {
    ConductorId("bench:1:1".to_owned())
}

fn able() -> [String; 1] {
    ["[]".to_owned()]
}

fn notice(requires: String) -> Notice {
    Notice {
        job: JobId(uuid::Uuid::now_v7()),
        priority: Priority::Normal,
        requires,
    }
}

async fn fill(board: &RedisBoard, jobs: usize, requires: impl Fn(usize) -> String) {
    let mut posted = 0;
    while posted < jobs {
        let page: Vec<_> = (posted..jobs.min(posted + 1000))
            .map(|n| (notice(requires(n)), None))
            .collect();
        posted += page.len();
        board.restore(&page, TTL).await.expect("Redis answers");
    }
}

async fn filled(server: &Server, prefix: &str) -> RedisBoard {
    let board = server.board(prefix).await;
    board
        .begin_rebuild(&who(), TTL)
        .await
        .expect("Redis answers");
    board.end_rebuild(&who()).await.expect("Redis answers");
    board
}

fn tell(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |part: usize| took[(took.len() - 1) * part / 100].as_secs_f64() * 1e6;
    println!(
        "{what:<58} {:>8.0} {:>8.0} {:>8.0}",
        at(50),
        at(99),
        at(100)
    );
}

/// One look of a conductor: what is there, and the first that it can do.
async fn look(board: &RedisBoard) -> Option<JobId> {
    board.requirements().await.expect("Redis answers");
    let claimed = board.claim(&who(), &able(), TTL).await;
    claimed.expect("Redis answers").map(|claim| claim.job)
}

async fn claims(server: &Server, prefix: &str, jobs: usize, unable: usize) {
    let board = filled(server, prefix).await;
    fill(&board, unable, |n| {
        format!("[{{\"label\":\"{}\"}}]", n % 10)
    })
    .await;
    fill(&board, jobs, |_| "[]".to_owned()).await;
    let mut took = Vec::new();
    for _ in 0..900 {
        let started = Instant::now();
        look(&board).await.expect("there is a job");
        took.push(started.elapsed());
    }
    let beside = if unable > 0 {
        format!(", and {unable} that it cannot do")
    } else {
        String::new()
    };
    tell(&format!("look and claim, {jobs} jobs{beside}"), took);
}

async fn renewals(server: &Server) {
    let board = filled(server, "renew").await;
    fill(&board, 1000, |_| "[]".to_owned()).await;
    let mut held = Vec::new();
    while let Some(job) = look(&board).await {
        held.push(job);
    }
    let mut took = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        let still = board
            .renew(&who(), &held, TTL)
            .await
            .expect("Redis answers");
        took.push(started.elapsed());
        assert_eq!(still.len(), 1000);
    }
    tell("renew 1000 leases", took);
}

/// From before a job is posted to when a conductor that was waiting has claimed it.
async fn wakes(server: &Server) {
    let (poster, waiter) = (filled(server, "wake").await, server.board("wake").await);
    let (claimed, mut claims) = mpsc::unbounded_channel();
    let waiting = tokio::spawn(async move {
        loop {
            waiter
                .wait(Duration::from_secs(2))
                .await
                .expect("Redis answers");
            if let Some(job) = look(&waiter).await {
                let at = Instant::now();
                waiter.complete(&who(), job).await.expect("Redis answers");
                if claimed.send(at).is_err() {
                    return;
                }
            }
        }
    });
    let mut took = Vec::new();
    for _ in 0..500 {
        // Until the other one is idle again.
        tokio::time::sleep(Duration::from_millis(3)).await;
        let started = Instant::now();
        poster
            .post(&notice("[]".to_owned()), None)
            .await
            .expect("Redis answers");
        let at = claims.recv().await.expect("the waiter lives");
        took.push(at.duration_since(started));
    }
    waiting.abort();
    tell("post to claimed, idle board", took);
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let server = Server::start();
        println!(
            "{:<58} {:>8} {:>8} {:>8}",
            "microseconds", "median", "99 %", "most"
        );
        for jobs in [1_000, 100_000, 1_000_000] {
            claims(&server, &format!("claim{jobs}"), jobs, 0).await;
        }
        claims(&server, "unable", 1_000, 100_000).await;
        renewals(&server).await;
        wakes(&server).await;
    });
}
