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

/// A counter of MariaDB or MySQL, over all its sessions.
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
    a_link_of_a_chain_costs_five_statements(Kind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a MySQL: tests/servers/run mysql"]
async fn a_link_of_a_chain_costs_five_statements_in_mysql() {
    a_link_of_a_chain_costs_five_statements(Kind::MySql).await;
}

async fn a_link_of_a_chain_costs_five_statements(kind: Kind) {
    let server = Server::start(kind, &[]).await;
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

/// Posts, claims, renews, releases, claims and completes a job, and sweeps, beside whatever is on the board.
async fn life(board: &SqlBoard, n: u128) {
    let me = ConductorId(format!("me:{n}"));
    let able = ["[\"mine\"]".to_owned(), "[\"none\"]".to_owned()];
    let ttl = Duration::from_secs(15);
    board.post(&notice(n, &able[0]), None).await.unwrap();
    let in_the_store = [(notice(n, &able[0]), None)];
    assert_eq!(board.restore(&in_the_store, ttl).await.unwrap(), 0);
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
    let (id, queue, numbers) = match kind {
        Kind::MariaDb => (
            "UUID()",
            "SHA2('[\"other\"]', 256)",
            "(SELECT seq AS n FROM seq_1_to_100000) AS s",
        ),
        // What counts without a table: five digits, each from a list of ten.
        Kind::MySql => (
            "UUID()",
            "SHA2('[\"other\"]', 256)",
            "(WITH digits (d) AS (VALUES ROW(0), ROW(1), ROW(2), ROW(3), ROW(4), ROW(5), ROW(6), ROW(7), ROW(8), ROW(9))
              SELECT a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d AS n
              FROM digits AS a, digits AS b, digits AS c, digits AS d, digits AS e) AS s",
        ),
        Kind::Postgres => (
            "gen_random_uuid()",
            "encode(sha256('[\"other\"]'), 'hex')",
            "generate_series(1, 100000) AS s (n)",
        ),
    };
    format!(
        "INSERT INTO queues (queue, requires) VALUES ({queue}, '[\"other\"]');
         INSERT INTO postings (job, requires, queue, priority, leased, holder, until, expired)
         SELECT {id}, '[\"other\"]', {queue}, n % 5, n % 2, CASE WHEN n % 2 = 1 THEN 'other' END,
             CASE WHEN n % 2 = 1 THEN 4000000000000 ELSE 0 END, 0
         FROM {numbers}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_costs_the_same_whatever_is_on_the_board_in_mariadb() {
    a_claim_costs_the_same_whatever_is_on_the_board(Kind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a MySQL: tests/servers/run mysql"]
async fn a_claim_costs_the_same_whatever_is_on_the_board_in_mysql() {
    a_claim_costs_the_same_whatever_is_on_the_board(Kind::MySql).await;
}

async fn a_claim_costs_the_same_whatever_is_on_the_board(kind: Kind) {
    let server = Server::start(kind, &[]).await;
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
    as_admin(kind, &server, &url, &crowd(kind)).await;
    let before = rows(&mut admin).await;
    life(&board, 3).await;
    let full = rows(&mut admin).await - before;
    assert!(
        full <= empty + 50,
        "{empty} rows were looked at, and {full} with 100,000 jobs there"
    );
}

/// Nothing of what is said to it is on its way out of MySQL.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a MySQL: tests/servers/run mysql"]
async fn nothing_is_said_to_mysql_that_it_gives_up() {
    let server = Server::start(Kind::MySql, &[]).await;
    let mut admin = MySqlConnection::connect(&server.admin("performance_schema"))
        .await
        .unwrap();
    let mut warned = async || {
        let asked = "SELECT CAST(SUM(sum_error_raised) AS SIGNED)
                     FROM events_errors_summary_global_by_error WHERE error_name LIKE '%DEPRECATED%'";
        let warned: i64 = sqlx::query_scalar(asked)
            .fetch_one(&mut admin)
            .await
            .unwrap();
        warned
    };
    let before = warned().await;
    let url = server.database().await;
    let told = url.clone();
    tokio::task::spawn_blocking(move || {
        let home = Home::with("chain.flow.yaml", &chain(3)).set("JOBRUNNER_STORE", &told);
        home.run("run chain.flow.yaml").exits(0);
        home.run("post chain.flow.yaml").exits(0);
        home.run("run --until-empty").exits(0);
        home.run("show").exits(0);
        home.run("prune --older-than 0s").exits(0);
    })
    .await
    .unwrap();
    assert_eq!(warned().await, before, "deprecated");
    // It does count them.
    let mut user = MySqlConnection::connect(&url).await.unwrap();
    let given_up = "CREATE TABLE t (a INT PRIMARY KEY);
                    INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a)";
    user.execute(sqlx::raw_sql(given_up)).await.unwrap();
    assert!(warned().await > before, "not counted");
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
