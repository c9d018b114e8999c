//! A whole cluster as it is run: MariaDB or MySQL, Redis and conductors as processes, and everything that can happen to
//! them. Afterwards the history in the store, and what the tasks wrote with fsync, are held to E1 to E15.
//!
//! `JOBRUNNER_CASES=200 tests/run cluster::` lets 200 faults happen; `JOBRUNNER_SEED=7` others.

mod crew;
mod ledger;

use std::process::Stdio;
use std::time::Duration;

use fastrand::Rng;
use jobrunner::ports::Store as _;
use rustix::process::Signal;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::servers::Kind;
use crate::servers::proxy::Weather;
use crew::{Crew, TTL};

/// A test for each kind of server that holds the store.
macro_rules! on_each_server {
    ($($test:ident),+ $(,)?) => {
        mod mariadb {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(super::Kind::MariaDb).await;
            })+
        }
        mod mysql {
            $(#[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs a MySQL: tests/servers/run mysql"]
            async fn $test() {
                super::$test(super::Kind::MySql).await;
            })+
        }
    };
}

on_each_server! {
    whatever_happens_to_a_cluster_every_job_ends_and_every_invariant_holds,
    a_conductor_that_is_killed_at_any_moment_leaves_nothing_undone,
    a_frozen_conductor_that_wakes_up_commits_nothing_and_its_tasks_have_ended,
    a_key_makes_one_job_whoever_posts_at_once,
}

/// What happens to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A conductor is killed with SIGKILL, and another one started.
    Killed,
    /// A conductor is stopped beyond its lease while its tasks run on, and wakes up.
    Frozen,
    /// Redis is killed and comes back empty.
    RedisRestarts,
    /// Redis forgets everything.
    RedisFlushed,
    /// The store's server is killed and started again.
    StoreRestarts,
    /// The store takes nothing for a while.
    ReadOnly,
    /// All connections of a conductor to the store are reset.
    Reset,
    /// Those that say COMMIT are reset before the server hears it.
    ResetBeforeCommit,
    /// Those that said COMMIT are reset before the answer arrives.
    ResetAfterCommit,
    /// Somebody else locks the rows of all jobs, in the reverse of our order.
    Locked,
    /// A conductor does not reach the store.
    CutFromStore,
    /// A conductor does not reach Redis.
    CutFromRedis,
}

const FAULTS: [Fault; 12] = [
    Fault::Killed,
    Fault::Frozen,
    Fault::RedisRestarts,
    Fault::RedisFlushed,
    Fault::StoreRestarts,
    Fault::ReadOnly,
    Fault::Reset,
    Fault::ResetBeforeCommit,
    Fault::ResetAfterCommit,
    Fault::Locked,
    Fault::CutFromStore,
    Fault::CutFromRedis,
];

impl Fault {
    async fn happen(self, crew: &mut Crew, chance: &mut Rng) {
        let at = chance.usize(..crew.posts.len());
        let moment = Duration::from_millis(chance.u64(100..400));
        match self {
            Self::Killed => crew.kill_and_replace(at).await,
            Self::Frozen => {
                crew.signal(at, Signal::STOP);
                tokio::time::sleep(TTL + moment).await;
                crew.signal(at, Signal::CONT);
            }
            Self::RedisRestarts => {
                crew.redis.kill();
                tokio::time::sleep(moment).await;
                crew.redis.restart();
            }
            Self::RedisFlushed => redis::cmd("FLUSHALL")
                .exec(&mut crew.redis.connect())
                .unwrap(),
            Self::StoreRestarts => {
                crew.server.kill();
                tokio::time::sleep(moment).await;
                crew.start_server_again().await;
            }
            Self::ReadOnly => {
                let mut admin = admin(crew).await;
                admin.execute("SET GLOBAL read_only = 1").await.unwrap();
                tokio::time::sleep(moment).await;
                admin.execute("SET GLOBAL read_only = 0").await.unwrap();
            }
            Self::Reset => crew.posts[at].to_store.cut(),
            Self::ResetBeforeCommit => {
                commits_are_cut(crew, at, Weather::CutBefore(b"COMMIT".to_vec()), moment).await;
            }
            Self::ResetAfterCommit => {
                commits_are_cut(crew, at, Weather::CutAfter(b"COMMIT".to_vec()), moment).await;
            }
            Self::Locked => {
                let mut admin = admin(crew).await;
                admin.execute("BEGIN").await.unwrap();
                let mut ids = crew.jobs.clone();
                ids.sort_unstable();
                for id in ids.iter().rev() {
                    let lock = format!("UPDATE jobs SET claims = claims WHERE id = '{id}'");
                    // It may be the one that loses.
                    if admin.execute(AssertSqlSafe(lock)).await.is_err() {
                        break;
                    }
                }
                tokio::time::sleep(moment).await;
                let _ = admin.execute("ROLLBACK").await;
            }
            Self::CutFromStore => {
                let weather = [Weather::Silent, Weather::Refused];
                let post = &crew.posts[at];
                post.to_store.set(chance.choice(weather).unwrap());
                tokio::time::sleep(TTL + moment).await;
                post.to_store.set(Weather::Fair);
            }
            Self::CutFromRedis => {
                let weather = [Weather::Silent, Weather::Refused];
                let post = &crew.posts[at];
                post.to_redis.set(chance.choice(weather).unwrap());
                tokio::time::sleep(TTL + moment).await;
                post.to_redis.set(Weather::Fair);
            }
        }
    }
}

async fn admin(crew: &Crew) -> MySqlConnection {
    let database = crew.database.rsplit_once('/').unwrap().1;
    MySqlConnection::connect(&crew.server.admin(database))
        .await
        .unwrap()
}

async fn commits_are_cut(crew: &Crew, at: usize, weather: Weather, moment: Duration) {
    crew.posts[at].to_store.set(weather);
    tokio::time::sleep(moment).await;
    crew.posts[at].to_store.set(Weather::Fair);
}

fn number(variable: &str) -> Option<u64> {
    Some(std::env::var(variable).ok()?.parse().expect("a number"))
}

async fn whatever_happens_to_a_cluster_every_job_ends_and_every_invariant_holds(kind: Kind) {
    let seed = number("JOBRUNNER_SEED").unwrap_or(1);
    let count = number("JOBRUNNER_CASES").map_or(FAULTS.len(), |count| count as usize);
    let mut chance = Rng::with_seed(seed);
    let mut crew = Crew::new(kind, 3).await;
    let mut faults = Vec::new();
    while faults.len() < count {
        let mut all = FAULTS;
        chance.shuffle(&mut all);
        faults.extend(all);
    }
    for fault in &faults[..count] {
        println!("{fault:?}");
        for flow in ["good", "bad", "once"] {
            crew.post(flow);
        }
        tokio::time::sleep(Duration::from_millis(chance.u64(..600))).await;
        fault.happen(&mut crew, &mut chance).await;
    }
    crew.until_ended().await;
    ledger::judge(&crew).await;
}

async fn a_conductor_that_is_killed_at_any_moment_leaves_nothing_undone(kind: Kind) {
    let seed = number("JOBRUNNER_SEED").unwrap_or(1);
    let kills = number("JOBRUNNER_CASES").unwrap_or(8);
    let mut chance = Rng::with_seed(seed);
    let mut crew = Crew::new(kind, 2).await;
    for _ in 0..kills {
        for flow in ["good", "bad", "once"] {
            crew.post(flow);
        }
        tokio::time::sleep(Duration::from_millis(chance.u64(..800))).await;
        let at = chance.usize(..crew.posts.len());
        crew.kill_and_replace(at).await;
    }
    crew.until_ended().await;
    ledger::judge(&crew).await;
}

async fn a_frozen_conductor_that_wakes_up_commits_nothing_and_its_tasks_have_ended(kind: Kind) {
    let mut crew = Crew::new(kind, 1).await;
    for flow in ["good", "bad", "once"] {
        crew.post(flow);
    }
    crew.until("a task", async || crew.ledger().len() > 3).await;
    crew.signal(0, Signal::STOP);
    let frozen = crew.posts[0].name.clone();
    let mut held = 0;
    for id in &crew.jobs {
        let loaded = crew.store.load(*id).await.unwrap().unwrap();
        held += usize::from(loaded.job.owner.is_some() && !loaded.job.flow.state.is_end());
    }
    assert!(held > 0, "it holds something");
    crew.add().await;
    crew.until_ended().await;
    let done = (crew.ledger(), events(&crew).await);
    crew.signal(0, Signal::CONT);
    crew.until("it to see what happened", async || {
        let log = crew.log(&frozen);
        log.matches("dropped a job").count() == held
    })
    .await;
    assert_eq!((crew.ledger(), events(&crew).await), done);
    ledger::judge(&crew).await;
}

/// How many events each job has.
async fn events(crew: &Crew) -> Vec<i64> {
    let mut seqs = Vec::new();
    for id in &crew.jobs {
        let loaded = crew.store.load(*id).await.unwrap().unwrap();
        seqs.push(loaded.job.seq);
    }
    seqs
}

async fn a_key_makes_one_job_whoever_posts_at_once(kind: Kind) {
    let crew = Crew::new(kind, 1).await;
    let mut posting = Vec::new();
    for _ in 0..4 {
        let mut command = crew.home.command("post good.flow.yaml --key one");
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        posting.push(command.spawn().unwrap());
    }
    let mut ids: Vec<_> = posting
        .into_iter()
        .map(|child| child.wait_with_output().unwrap().stdout)
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "E12: {ids:?}");
}
