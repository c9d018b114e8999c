//! What every board promises, held against each of them.
//!
//! `a` and `b` are two handles on one board, as two processes have them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::sync::Arc;
use std::time::Duration;

use jobrunner::boards::MemoryBoard;
use jobrunner::boards::sql::SqlBoard;
use jobrunner::model::{ConductorId, JobId, Priority, Timestamp};
use jobrunner::ports::{Claim, Clock, JobBoard, Notice, Rebuild, SystemClock};
use sqlx::{Connection as _, MySqlConnection, PgConnection, SqliteConnection};
use uuid::Uuid;

use super::clock::TestClock;
use super::servers::{Kind as Served, Server, redis};

mod claims;
mod conductors;
mod leases;
mod waiting;

macro_rules! contract {
    ($($promise:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::super::Kind::Memory).await;
            })+
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::super::Kind::Sqlite).await;
            })+
        }
        mod mariadb {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::super::Kind::Server(super::super::Served::MariaDb)).await;
            })+
        }
        mod mysql {
            $(#[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs a MySQL: tests/servers/run mysql"]
            async fn $promise() {
                super::$promise(super::super::Kind::Server(super::super::Served::MySql)).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::super::Kind::Server(super::super::Served::Postgres)).await;
            })+
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::super::Kind::Redis).await;
            })+
        }
    };
}
use contract;

/// Two handles on one board, and what has to live as long as they do.
pub(super) struct Boards {
    a: Arc<dyn JobBoard>,
    b: Arc<dyn JobBoard>,
    /// Where others reach it.
    url: String,
    _folder: Option<tempfile::TempDir>,
}

impl Boards {
    /// Takes a job that is ready to where nobody looks, as somebody may who has the database's password.
    async fn mislay(&self, job: JobId) {
        let elsewhere = "UPDATE postings SET queue = 'elsewhere' WHERE job = $1";
        let (kind, url) = (self.url.split_once(':').map(|(kind, _)| kind), &self.url);
        match kind {
            // What is in this process nobody else reaches.
            None => {}
            Some("redis") => {
                let (url, job) = (url.clone(), job.to_string());
                tokio::task::spawn_blocking(move || redis::dequeue(&url, "[]", &job))
                    .await
                    .unwrap();
            }
            Some("sqlite") => {
                let mut hand = SqliteConnection::connect(url).await.unwrap();
                let odd = "UPDATE postings SET leased = 7 WHERE job = $1";
                let mislaid = sqlx::query(odd).bind(job.to_string()).execute(&mut hand);
                assert_eq!(mislaid.await.unwrap().rows_affected(), 1);
            }
            Some("postgres") => {
                let mut hand = PgConnection::connect(url).await.unwrap();
                let mislaid = sqlx::query(elsewhere).bind(job.to_string());
                let mislaid = mislaid.execute(&mut hand).await.unwrap();
                assert_eq!(mislaid.rows_affected(), 1);
            }
            Some(_) => {
                let mut hand = MySqlConnection::connect(url).await.unwrap();
                let elsewhere = "UPDATE postings SET queue = 'elsewhere' WHERE job = ?";
                let mislaid = sqlx::query(elsewhere).bind(job.to_string());
                let mislaid = mislaid.execute(&mut hand).await.unwrap();
                assert_eq!(mislaid.rows_affected(), 1);
            }
        }
    }
}

/// Whose time it is that leases run on.
pub(super) enum Time {
    /// The test's: it passes when the test says so.
    Set(Arc<TestClock>),
    /// That of the server at this URL: it passes by itself, and more of it when the test says so.
    Redis(String),
}

impl Time {
    async fn advance(&self, by: Duration) {
        match self {
            Self::Set(clock) => clock.advance(by),
            Self::Redis(url) => {
                let url = url.clone();
                let passed = tokio::task::spawn_blocking(move || redis::let_pass(&url, by));
                passed.await.unwrap();
            }
        }
    }

    /// Whether a lease that was given for `TTL` just now ends at `until`.
    fn is_whole_lease(&self, until: Timestamp) -> bool {
        let now = match self {
            Self::Set(clock) => clock.now(),
            Self::Redis(_) => SystemClock.now(),
        };
        self.is_about(Some(until.since(now)), TTL)
    }

    /// Whether `left` is what is left of `whole`, where time passes by itself.
    fn is_about(&self, left: Option<Duration>, whole: Duration) -> bool {
        match self {
            Self::Set(_) => left == Some(whole),
            Self::Redis(_) => left.is_some_and(|left| left <= whole && left > whole - LITTLE / 2),
        }
    }
}

/// Which board to make.
#[derive(Clone, Copy)]
enum Kind {
    Memory,
    Sqlite,
    Server(Served),
    Redis,
}

impl Kind {
    async fn open(self, clock: Arc<dyn Clock>) -> Boards {
        match self {
            Self::Memory => {
                let board = MemoryBoard::new(clock);
                Boards {
                    a: Arc::new(board.clone()),
                    b: Arc::new(board),
                    url: String::new(),
                    _folder: None,
                }
            }
            Self::Server(kind) => {
                let url = Server::shared(kind).await.database().await;
                Boards {
                    a: Arc::new(SqlBoard::open(&url, Arc::clone(&clock)).await.unwrap()),
                    b: Arc::new(SqlBoard::open(&url, clock).await.unwrap()),
                    url,
                    _folder: None,
                }
            }
            Self::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}/jobs.db", folder.path().display());
                Boards {
                    a: Arc::new(SqlBoard::open(&url, Arc::clone(&clock)).await.unwrap()),
                    b: Arc::new(SqlBoard::open(&url, clock).await.unwrap()),
                    url,
                    _folder: Some(folder),
                }
            }
            Self::Redis => Self::on_redis().await.0,
        }
    }

    /// A board that has been filled, with nothing on it, and its URL.
    async fn on_redis() -> (Boards, String) {
        let url = redis::shared();
        let (a, b) = (redis::board(&url).await, redis::board(&url).await);
        let begun = a.begin_rebuild(&who("filler"), TTL).await.unwrap();
        assert_eq!(begun, Rebuild::Yours);
        assert!(a.end_rebuild(&who("filler")).await.unwrap());
        for board in [&a, &b] {
            board.wait(Duration::ZERO).await.unwrap();
        }
        let boards = Boards {
            a: Arc::new(a),
            b: Arc::new(b),
            url: url.clone(),
            _folder: None,
        };
        (boards, url)
    }

    async fn with_time(self) -> (Boards, Time) {
        match self {
            Self::Memory | Self::Sqlite | Self::Server(_) => {
                let clock = Arc::new(TestClock::new());
                let boards = self.open(Arc::clone(&clock) as Arc<dyn Clock>).await;
                (boards, Time::Set(clock))
            }
            Self::Redis => {
                let (boards, url) = Self::on_redis().await;
                (boards, Time::Redis(url))
            }
        }
    }
}

pub(super) const TTL: Duration = Duration::from_secs(60);

/// Less than a lease by more than a slow machine takes for a test.
pub(super) const LITTLE: Duration = Duration::from_secs(20);

pub(super) fn who(name: &str) -> ConductorId {
    ConductorId(format!("{name}:1:abc"))
}

pub(super) fn anything() -> Vec<String> {
    vec!["[]".to_owned()]
}

pub(super) fn notice(n: u64) -> Notice {
    let time = uuid::Timestamp::from_unix_time(1_795_500_000 + n, 0, 0, 0);
    Notice {
        job: JobId(Uuid::new_v7(time)),
        priority: Priority::Normal,
        requires: "[]".into(),
    }
}

pub(super) async fn posted(board: &Arc<dyn JobBoard>, n: u64) -> JobId {
    let notice = notice(n);
    board.post(&notice, None).await.unwrap();
    notice.job
}

pub(super) async fn claim(board: &Arc<dyn JobBoard>, by: &str) -> Option<Claim> {
    board.claim(&who(by), &anything(), TTL).await.unwrap()
}

pub(super) fn fresh(job: JobId) -> Option<Claim> {
    Some(Claim {
        job,
        expired: false,
    })
}

pub(super) fn expired(job: JobId) -> Option<Claim> {
    Some(Claim { job, expired: true })
}
