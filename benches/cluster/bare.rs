//! The bound: what MariaDB does of commits with nothing around them, on the same disk in the same run.

use std::time::Instant;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};

/// How many transactions each connection does, and how many rows a batch has.
const COMMITS: u32 = 2_000;
const ROWS: u32 = 1_000;
const ROUNDS: usize = 3;

/// What the server does at most, each as the median of some rounds.
pub struct Bound {
    /// Transactions a second of one connection: BEGIN, UPDATE and COMMIT in one packet.
    pub commits: f64,
    /// Rows a second of one connection, a thousand in a transaction.
    pub rows: f64,
}

/// How a transaction of one row is said.
#[derive(Clone, Copy)]
enum Said {
    OneByOne,
    InOnePacket,
}

/// Measures, and prints each of it.
pub async fn measure(url: &str) -> Bound {
    let options: MySqlConnectOptions = url.parse().expect("a URL");
    let mut all = Vec::new();
    for _ in 0..8 {
        all.push(options.connect().await.expect("a connection"));
    }
    let make = "CREATE TABLE bare (id BIGINT PRIMARY KEY, n BIGINT NOT NULL) ENGINE = InnoDB;
                INSERT INTO bare VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0)";
    let made = all[0].execute(sqlx::raw_sql(make)).await;
    made.expect("a table is made");
    let one = &mut all[..1];
    rate("one connection, one by one", async || {
        commits(one, Said::OneByOne).await
    })
    .await;
    let packets = async || commits(one, Said::InOnePacket).await;
    let commits_of_one = rate("one connection, in one packet", packets).await;
    let everyone = async || commits(&mut all, Said::InOnePacket).await;
    rate("eight connections, in one packet", everyone).await;
    let mut last = 1_000;
    let batch = async || batches(&mut all[0], &mut last).await;
    Bound {
        commits: commits_of_one,
        rows: rate("rows, one connection, 1000 in a commit", batch).await,
    }
}

/// Does it some times; the median of what it did a second.
async fn rate(what: &str, mut once: impl AsyncFnMut() -> u32) -> f64 {
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let done = once().await;
        rates.push(f64::from(done) / started.elapsed().as_secs_f64());
    }
    let shown: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
    println!("{:<42} {what:<42} {} /s", "bare commits", shown.join(", "));
    super::median(rates)
}

/// Each connection changes a row of its own, again and again.
async fn commits(connections: &mut [MySqlConnection], said: Said) -> u32 {
    let work = connections
        .iter_mut()
        .zip(0..)
        .map(async |(connection, id)| {
            let update = format!("UPDATE bare SET n = n + 1 WHERE id = {id}");
            for _ in 0..COMMITS {
                match said {
                    Said::OneByOne => {
                        run(connection, "BEGIN").await;
                        run(connection, &update).await;
                        run(connection, "COMMIT").await;
                    }
                    Said::InOnePacket => run(connection, &format!("BEGIN; {update}; COMMIT")).await,
                }
            }
            COMMITS
        });
    futures_util::future::join_all(work).await.iter().sum()
}

/// Rows of a transaction are inserted by one statement, behind `last`.
async fn batches(connection: &mut MySqlConnection, last: &mut u32) -> u32 {
    const BATCHES: u32 = 20;
    for _ in 0..BATCHES {
        let rows: Vec<String> = (1..=ROWS)
            .map(|row| format!("({}, 0)", *last + row))
            .collect();
        *last += ROWS;
        let insert = format!("INSERT INTO bare VALUES {}", rows.join(", "));
        run(connection, &format!("BEGIN; {insert}; COMMIT")).await;
    }
    BATCHES * ROWS
}

async fn run(connection: &mut MySqlConnection, sql: &str) {
    let done = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())));
    done.await.expect("the server does it");
}
