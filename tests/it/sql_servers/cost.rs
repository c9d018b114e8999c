//! What things cost, in the servers' own counters.

use std::sync::Arc;
use std::time::Duration;

use jobrunner::boards::sql::SqlBoard;
use jobrunner::model::{ConductorId, JobId, Priority};
use jobrunner::ports::{JobBoard, Notice, Store, SystemClock};
use jobrunner::stores::sql::SqlStore;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, Row};
use uuid::Uuid;

use super::{as_admin, database};
use crate::cli::Home;
use crate::servers::{Kind, Server};
use crate::store_contract::{job, who};

/// A counter of MariaDB, over all its sessions.
async fn counter(admin: &mut MySqlConnection, name: &str) -> i64 {
    let asked = AssertSqlSafe(format!("SHOW GLOBAL STATUS LIKE '{name}'"));
    let row = admin.fetch_one(sqlx::raw_sql(asked)).await.unwrap();
    row.get::<String, _>(1).parse().unwrap()
}

/// A flow of tasks that follow each other and have nothing to say.
fn chain(length: usize) -> String {
    let mut flow = "tasks:\n  t0: { sleep: 0s }\n".to_owned();
    for n in 1..length {
        flow.push_str(&format!("  t{n}: {{ sleep: 0s, needs: [t{}] }}\n", n - 1));
    }
    flow
}

/// How many statements the store's server is asked for a chain of so many tasks.
async fn statements(server: &Server, admin: &mut MySqlConnection, length: usize) -> i64 {
    let url = server.database().await;
    let before = counter(admin, "Questions").await;
    tokio::task::spawn_blocking(move || {
        let home = Home::with("chain.flow.yaml", &chain(length));
        let board = format!("sqlite://{}", home.path("board.db").display());
        let run = ["run", "chain.flow.yaml", "--store", &url, "--board", &board];
        home.run_with(&run).exits(0);
    })
    .await
    .unwrap();
    counter(admin, "Questions").await - before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_a_chain_costs_five_statements_in_mariadb() {
    let server = Server::start(Kind::MariaDb, &[]).await;
    let mut admin = MySqlConnection::connect(&server.admin("mysql"))
        .await
        .unwrap();
    let short = statements(&server, &mut admin, 20).await;
    let long = statements(&server, &mut admin, 220).await;
    let each = (long - short) as f64 / 200.0;
    // Requests are asked for every other second beside it.
    assert!(
        (4.5..=5.2).contains(&each),
        "{each} statements for each link; {short} for 20"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_jobs_are_taken_on_with_one_commit_in_mariadb() {
    let server = Server::start(Kind::MariaDb, &[]).await;
    let mut admin = MySqlConnection::connect(&server.admin("mysql"))
        .await
        .unwrap();
    let store = SqlStore::open(&server.database().await).await.unwrap();
    let mut jobs = Vec::new();
    for n in 0..10 {
        let new = job(n);
        store.create(&new).await.unwrap();
        jobs.push(new.id);
    }
    let before = counter(&mut admin, "Com_commit").await;
    let taken = store.take(&jobs, &who("x")).await.unwrap();
    assert_eq!(counter(&mut admin, "Com_commit").await - before, 1);
    let taken: Vec<_> = taken.into_iter().map(|(job, _)| job).collect();
    assert_eq!(taken, jobs);
}

fn notice(n: u128, requires: &str) -> Notice {
    Notice {
        job: JobId(Uuid::from_u128(n)),
        priority: Priority::Normal,
        requires: requires.to_owned(),
    }
}

/// Posts, claims, renews, releases, claims and completes a job, beside whatever is on the board.
async fn life(board: &SqlBoard, n: u128) {
    let me = ConductorId(format!("me:{n}"));
    let able = ["[\"mine\"]".to_owned(), "[\"none\"]".to_owned()];
    let ttl = Duration::from_secs(15);
    board.post(&notice(n, &able[0]), None).await.unwrap();
    assert!(board.requirements().await.unwrap().contains(&able[0]));
    let claim = board.claim(&me, &able, ttl).await.unwrap().unwrap();
    assert_eq!(claim.job, JobId(Uuid::from_u128(n)));
    assert_eq!(
        board.renew(&me, &[claim.job], ttl).await.unwrap(),
        [claim.job]
    );
    assert!(board.release(&me, claim.job).await.unwrap());
    board.claim(&me, &able, ttl).await.unwrap().unwrap();
    assert!(board.complete(&me, claim.job).await.unwrap());
    assert!(board.claim(&me, &able, ttl).await.unwrap().is_none());
}

/// 50,000 jobs that others can do, 50,000 that others are doing.
fn crowd(kind: Kind) -> String {
    let (id, series) = match kind {
        Kind::MariaDb | Kind::MySql => ("UUID()", "seq_1_to_100000 AS s (n)"),
        Kind::Postgres => ("gen_random_uuid()", "generate_series(1, 100000) AS s (n)"),
    };
    let series = series.replace(
        "seq_1_to_100000 AS s (n)",
        "(SELECT seq AS n FROM seq_1_to_100000) AS s",
    );
    format!(
        "INSERT INTO queues (queue, requires) VALUES ('0', '[\"other\"]');
         INSERT INTO postings (job, requires, queue, priority, leased, holder, until, expired)
         SELECT {id}, '[\"other\"]', '0', n % 5, n % 2, CASE WHEN n % 2 = 1 THEN 'other' END,
             CASE WHEN n % 2 = 1 THEN 4000000000000 ELSE 0 END, 0
         FROM {series}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_costs_the_same_whatever_is_on_the_board_in_mariadb() {
    let server = Server::start(Kind::MariaDb, &[]).await;
    let url = server.database().await;
    let board = SqlBoard::open(&url, Arc::new(SystemClock)).await.unwrap();
    let mut admin = MySqlConnection::connect(&server.admin(database(&url)))
        .await
        .unwrap();
    let rows = async |admin: &mut MySqlConnection| {
        let mut rows = 0;
        for name in [
            "Handler_read_next",
            "Handler_read_rnd_next",
            "Handler_read_first",
            "Handler_read_key",
        ] {
            rows += counter(admin, name).await;
        }
        rows
    };
    life(&board, 1).await;
    let before = rows(&mut admin).await;
    life(&board, 2).await;
    let empty = rows(&mut admin).await - before;
    as_admin(Kind::MariaDb, &server, &url, &crowd(Kind::MariaDb)).await;
    let before = rows(&mut admin).await;
    life(&board, 3).await;
    let full = rows(&mut admin).await - before;
    assert!(
        full <= empty + 50,
        "{empty} rows were looked at, and {full} with 100,000 jobs there"
    );
}

/// How many rows of the board were looked at, once all sessions have told.
async fn looked_at(url: &str) -> i64 {
    let mut admin = PgConnection::connect(url).await.unwrap();
    let asked = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint
                 FROM pg_stat_user_tables WHERE relname IN ('postings', 'queues')";
    let asked = sqlx::query_scalar::<_, Option<i64>>(asked);
    asked.fetch_one(&mut admin).await.unwrap().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_costs_the_same_whatever_is_on_the_board_in_postgres() {
    let server = Server::shared(Kind::Postgres).await;
    let url = server.database().await;
    let one_life = async |n| {
        let before = looked_at(&url).await;
        let board = SqlBoard::open(&url, Arc::new(SystemClock)).await.unwrap();
        life(&board, n).await;
        drop(board);
        // A session tells at its end what it has looked at.
        let mut admin = PgConnection::connect(&server.admin(database(&url)))
            .await
            .unwrap();
        let others = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        while sqlx::query_scalar::<_, i64>(others)
            .fetch_one(&mut admin)
            .await
            .unwrap()
            > 0
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(admin);
        looked_at(&url).await - before
    };
    one_life(1).await;
    let empty = one_life(2).await;
    as_admin(Kind::Postgres, server, &url, &crowd(Kind::Postgres)).await;
    as_admin(Kind::Postgres, server, &url, "ANALYZE").await;
    let full = one_life(3).await;
    assert!(
        full <= empty + 50,
        "{empty} rows were looked at, and {full} with 100,000 jobs there"
    );
}
