//! Boards of each kind, with much on them. What is there is made by the database itself, in one statement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jobrunner::boards::redis::{RedisAddress, RedisBoard};
use jobrunner::boards::sql::SqlBoard;
use jobrunner::model::{ConductorId, JobId, Priority};
use jobrunner::ports::{JobBoard, Notice, SystemClock};
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::servers::redis::Redis;
use super::servers::{Kind, Server};
use super::{TTL, notice, who};

/// What is on a board before anything is measured.
#[derive(Clone, Copy, Default)]
pub struct Crowd {
    /// Jobs that are ready, and that the conductor of the bench can do.
    pub ready: usize,
    /// Jobs that are ready and that it cannot do, each tenth of them alike.
    pub foreign: usize,
    /// Jobs that another conductor has claimed.
    pub claimed: usize,
}

/// Where boards are made.
pub enum Place {
    Redis(Redis),
    Sqlite(tempfile::TempDir),
    Served(Server),
}

/// A place for boards of a kind, and its name.
pub async fn place(name: &str) -> Place {
    match name {
        "redis" => Place::Redis(Redis::start(&[])),
        "sqlite" => Place::Sqlite(tempfile::tempdir().expect("a folder")),
        "mariadb" => {
            let options = [
                "--innodb-buffer-pool-size=1G",
                "--innodb-log-file-size=512M",
            ];
            Place::Served(Server::start(Kind::MariaDb, &options).await)
        }
        "postgres" => {
            let options = ["shared_buffers=512MB", "max_wal_size=4GB"];
            Place::Served(Server::start(Kind::Postgres, &options).await)
        }
        other => panic!("there is no `{other}`: redis, sqlite, mariadb, postgres"),
    }
}

impl Place {
    /// The URL of an empty board.
    pub async fn url(&self, name: &str) -> String {
        match self {
            Self::Redis(redis) => format!("{}?prefix={name}", redis.url()),
            Self::Sqlite(folder) => format!("sqlite://{}/{name}.db", folder.path().display()),
            Self::Served(server) => server.database().await,
        }
    }

    /// A handle on the board at a URL.
    pub async fn board(&self, url: &str) -> Arc<dyn JobBoard> {
        if let Self::Redis(_) = self {
            let address = RedisAddress::parse(url).expect("a URL");
            let board = RedisBoard::open(address).await.expect("Redis answers");
            board.begin_rebuild(&who(), TTL).await.expect("it answers");
            board.end_rebuild(&who()).await.expect("it answers");
            return Arc::new(board);
        }
        let board = SqlBoard::open(url, Arc::new(SystemClock)).await;
        Arc::new(board.expect("a board"))
    }

    /// A board with a crowd on it.
    pub async fn crowded(&self, name: &str, crowd: Crowd) -> Arc<dyn JobBoard> {
        let url = self.url(name).await;
        let board = self.board(&url).await;
        let Self::Redis(_) = self else {
            let mut hand = Hand::at(&url).await;
            hand.fill(crowd).await;
            return board;
        };
        fill(&*board, crowd.foreign, None, &foreign).await;
        fill(&*board, crowd.claimed, Some("other:1:1"), &|_| {
            "[]".to_owned()
        })
        .await;
        fill(&*board, crowd.ready, None, &|_| "[]".to_owned()).await;
        board
    }

    /// What the smallest change takes that this database makes for a board: one row, found by its key; of Redis,
    /// one answer.
    pub async fn bare(&self, times: usize) -> Vec<Duration> {
        let mut took = Vec::new();
        if let Self::Redis(redis) = self {
            let mut connection = redis.connect();
            for _ in 0..times {
                let started = Instant::now();
                redis::cmd("PING")
                    .exec(&mut connection)
                    .expect("Redis answers");
                took.push(started.elapsed());
            }
            return took;
        }
        let url = self.url("bare").await;
        // Its settings are those of the database file.
        drop(self.board(&url).await);
        let mut hand = Hand::at(&url).await;
        for n in 0..times {
            let update = format!("UPDATE pulse SET beat = {n} WHERE id = 1");
            let started = Instant::now();
            hand.run(&update).await;
            took.push(started.elapsed());
        }
        took
    }
}

fn foreign(n: usize) -> String {
    format!("[{{\"label\":\"{}\"}}]", n % 10)
}

async fn fill(
    board: &dyn JobBoard,
    jobs: usize,
    owner: Option<&str>,
    requires: &dyn Fn(usize) -> String,
) {
    let owner = owner.map(|owner| ConductorId(owner.to_owned()));
    let mut posted = 0;
    while posted < jobs {
        let page: Vec<(Notice, Option<ConductorId>)> = (posted..jobs.min(posted + 1000))
            .map(|n| (notice(requires(n)), owner.clone()))
            .collect();
        posted += page.len();
        board.restore(&page, TTL).await.expect("it answers");
    }
}

/// A connection of one's own.
enum Hand {
    Sqlite(SqliteConnection),
    MariaDb(MySqlConnection),
    Postgres(PgConnection),
}

impl Hand {
    async fn at(url: &str) -> Self {
        match url.split(':').next() {
            Some("sqlite") => {
                let mut hand = SqliteConnection::connect(url).await.expect("a connection");
                let as_the_board = "PRAGMA synchronous = NORMAL";
                hand.execute(as_the_board).await.expect("it is set");
                Self::Sqlite(hand)
            }
            Some("postgres") => {
                let mut hand = PgConnection::connect(url).await.expect("a connection");
                let as_the_board = "SET synchronous_commit = off";
                hand.execute(as_the_board).await.expect("it is set");
                Self::Postgres(hand)
            }
            _ => Self::MariaDb(MySqlConnection::connect(url).await.expect("a connection")),
        }
    }

    async fn run(&mut self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Sqlite(hand) => drop(hand.execute(sql).await.expect("it is done")),
            Self::MariaDb(hand) => drop(hand.execute(sql).await.expect("it is done")),
            Self::Postgres(hand) => drop(hand.execute(sql).await.expect("it is done")),
        }
    }

    async fn fill(&mut self, crowd: Crowd) {
        let own = "'[]'";
        let label = self.label();
        for (group, rows, requires, leased) in [
            (1, crowd.foreign, &*label, 0),
            (2, crowd.claimed, own, 1),
            (3, crowd.ready, own, 0),
        ] {
            if rows > 0 {
                let insert = self.insert(group, rows, requires, leased);
                self.run(&insert).await;
            }
        }
        if crowd.foreign > 0 {
            for n in 0..10 {
                self.name_queue(&foreign(n)).await;
            }
        }
        self.name_queue("[]").await;
    }

    /// What is required of the `n`th job that this conductor cannot do.
    fn label(&self) -> String {
        match self {
            Self::MariaDb(_) => "CONCAT('[{\"label\":\"', n % 10, '\"}]')".to_owned(),
            Self::Sqlite(_) | Self::Postgres(_) => {
                "('[{\"label\":\"' || n % 10 || '\"}]')".to_owned()
            }
        }
    }

    /// Puts so many postings there, whose ids rise, as those of real jobs do.
    fn insert(&self, group: u32, rows: usize, requires: &str, leased: u32) -> String {
        let priority = Priority::Normal as u8;
        let (holder, until) = if leased == 1 {
            ("'other:1:1'", 4_000_000_000_000_i64)
        } else {
            ("NULL", 0)
        };
        let rest = format!("{priority}, {leased}, {holder}, {until}, 0");
        let middle = format!("-0000-7000-800{group}-");
        match self {
            Self::Sqlite(_) => format!(
                "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows})
                 INSERT INTO postings (job, requires, priority, leased, holder, until, expired)
                 SELECT printf('%08x{middle}%012x', n, n), {requires}, {rest} FROM s"
            ),
            Self::MariaDb(_) => format!(
                "INSERT INTO postings (job, requires, queue, priority, leased, holder, until, expired)
                 SELECT LOWER(CONCAT(LPAD(HEX(n), 8, '0'), '{middle}', LPAD(HEX(n), 12, '0'))),
                     {requires}, SHA2({requires}, 256), {rest}
                 FROM (SELECT seq AS n FROM seq_1_to_{rows}) AS s"
            ),
            Self::Postgres(_) => format!(
                "INSERT INTO postings (job, requires, queue, priority, leased, holder, until, expired)
                 SELECT lpad(to_hex(n), 8, '0') || '{middle}' || lpad(to_hex(n), 12, '0'), {requires},
                     encode(sha256(convert_to({requires}, 'UTF8')), 'hex'), {rest}
                 FROM generate_series(1, {rows}) AS s (n)"
            ),
        }
    }

    /// As posting does.
    async fn name_queue(&mut self, requires: &str) {
        let name = match self {
            Self::Sqlite(_) => return,
            Self::MariaDb(_) => {
                format!("INSERT INTO queues VALUES (SHA2('{requires}', 256), '{requires}')")
            }
            Self::Postgres(_) => format!(
                "INSERT INTO queues VALUES (encode(sha256(convert_to('{requires}', 'UTF8')), 'hex'), '{requires}')"
            ),
        };
        self.run(&name).await;
    }
}

/// Claims whatever the bench can do.
pub async fn claim(board: &dyn JobBoard) -> Option<JobId> {
    let claimed = board.claim(&who(), &["[]".to_owned()], TTL).await;
    claimed.expect("it answers").map(|claim| claim.job)
}
