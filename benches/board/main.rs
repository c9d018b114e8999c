//! The boards: what a claim costs with much on the board, and how soon a job is claimed.
//!
//! `cargo bench --bench board` prints a table; arguments choose among `redis`, `sqlite`, `mariadb`, `postgres`, each of
//! which is a server of its own on a free port, or a file, that is gone afterwards.

#[path = "../../tests/it/servers/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod servers;

mod crowd;

use std::time::{Duration, Instant};

use jobrunner::model::{ConductorId, JobId, Priority};
use jobrunner::ports::{JobBoard, Notice};
use tokio::sync::mpsc;

use crowd::{Crowd, Place, claim};

const TTL: Duration = Duration::from_secs(600);
/// How many times a claim is made.
const CLAIMS: usize = 900;

fn who() -> ConductorId {
    ConductorId("bench:1:1".to_owned())
}

fn notice(requires: String) -> Notice {
    Notice {
        job: JobId(uuid::Uuid::now_v7()),
        priority: Priority::Normal,
        requires,
    }
}

/// Prints a line; what it took at the median. `bound` is what it is compared with.
fn tell(what: &str, mut took: Vec<Duration>, bound: Option<f64>) -> f64 {
    took.sort_unstable();
    let at = |part: usize| took[(took.len() - 1) * part / 100].as_secs_f64() * 1e6;
    let median = at(50);
    let beside = bound.map_or(String::new(), |bound| format!("{:>8.2}", median / bound));
    println!(
        "{what:<58} {median:>8.0} {:>8.0} {:>8.0} {beside}",
        at(99),
        at(100)
    );
    median
}

/// One look of a conductor: what is there, and the first that it can do.
async fn look(board: &dyn JobBoard) -> Option<JobId> {
    board.requirements().await.expect("it answers");
    claim(board).await
}

async fn claims(place: &Place, name: &str, what: &str, crowd: Crowd, bound: f64) {
    let board = place.crowded(name, crowd).await;
    // What is prepared once is not counted.
    look(&*board).await.expect("there is a job");
    let mut took = Vec::new();
    for _ in 0..CLAIMS {
        let started = Instant::now();
        look(&*board).await.expect("there is a job");
        took.push(started.elapsed());
    }
    tell(what, took, Some(bound));
    let started = Instant::now();
    board.restore(&[], TTL).await.expect("it answers");
    tell(
        "  … the sweep's look for strays",
        vec![started.elapsed()],
        Some(bound),
    );
}

async fn renewals(place: &Place, bound: f64) {
    let crowd = Crowd {
        ready: 1000,
        ..Crowd::default()
    };
    let board = place.crowded("renew", crowd).await;
    let mut held = Vec::new();
    while let Some(job) = look(&*board).await {
        held.push(job);
    }
    let mut took = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        let still = board.renew(&who(), &held, TTL).await.expect("it answers");
        took.push(started.elapsed());
        assert_eq!(still.len(), 1000);
    }
    tell("renew 1000 leases", took, Some(bound));
}

/// From before a job is posted to when a conductor that was waiting has claimed it.
async fn wakes(place: &Place, bound: f64) {
    let url = place.url("wake").await;
    let (poster, waiter) = (place.board(&url).await, place.board(&url).await);
    let (claimed, mut claims) = mpsc::unbounded_channel();
    let waiting = tokio::spawn(async move {
        loop {
            let waited = waiter.wait(Duration::from_secs(2)).await;
            waited.expect("it answers");
            if let Some(job) = look(&*waiter).await {
                let at = Instant::now();
                waiter.complete(&who(), job).await.expect("it answers");
                if claimed.send(at).is_err() {
                    return;
                }
            }
        }
    });
    let mut took = Vec::new();
    for _ in 0..300 {
        // Until the other one is idle again.
        tokio::time::sleep(Duration::from_millis(3)).await;
        let started = Instant::now();
        let posted = poster.post(&notice("[]".to_owned()), None).await;
        posted.expect("it answers");
        let at = claims.recv().await.expect("the waiter lives");
        took.push(at.duration_since(started));
    }
    waiting.abort();
    tell("post to claimed, idle board", took, Some(bound));
}

async fn measure(name: &str) {
    let place = crowd::place(name).await;
    println!(
        "{:<58} {:>8} {:>8} {:>8} {:>8}",
        format!("{name}, microseconds"),
        "median",
        "99 %",
        "most",
        "in bare"
    );
    let bare = match place {
        Place::Redis(_) => "bare: a PING",
        Place::Sqlite(_) | Place::Served(_) => "bare: an update of one row",
    };
    let bound = tell(bare, place.bare(1000).await, None);
    for ready in [1_000, 100_000, 1_000_000] {
        let crowd = Crowd {
            ready,
            ..Crowd::default()
        };
        let what = format!("look and claim, {ready} jobs");
        claims(&place, &format!("ready{ready}"), &what, crowd, bound).await;
    }
    for (what, foreign, claimed) in [
        ("it cannot do", 1_000, 0),
        ("it cannot do", 1_000_000, 0),
        ("others have claimed", 0, 1_000_000),
    ] {
        let crowd = Crowd {
            ready: 1_000,
            foreign,
            claimed,
        };
        let beside = foreign + claimed;
        let what = format!("look and claim, 1000 jobs, and {beside} that {what}");
        let name = format!("foreign{foreign}claimed{claimed}");
        claims(&place, &name, &what, crowd, bound).await;
    }
    renewals(&place, bound).await;
    wakes(&place, bound).await;
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|one| !one.starts_with('-'))
        .collect();
    if chosen.is_empty() {
        chosen = ["redis", "sqlite", "mariadb", "postgres"]
            .map(str::to_owned)
            .to_vec();
    }
    for name in &chosen {
        measure(name).await;
    }
}
