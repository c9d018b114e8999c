//! MySQL, MariaDB and PostgreSQL as the world has them: refusing, lying down, coming back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

/// A test for each kind of server; those behind the semicolon are not for PostgreSQL.
macro_rules! each_server {
    ($($all:ident),+ $(,)? $(; $($mysql:ident),+ $(,)?)?) => {
        mod mariadb {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $all() {
                super::$all(super::Kind::MariaDb).await;
            })+
            $($(#[tokio::test(flavor = "multi_thread")]
            async fn $mysql() {
                super::$mysql(super::Kind::MariaDb).await;
            })+)?
        }
        mod mysql {
            $(#[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs a MySQL: tests/servers/run mysql"]
            async fn $all() {
                super::$all(super::Kind::MySql).await;
            })+
            $($(#[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs a MySQL: tests/servers/run mysql"]
            async fn $mysql() {
                super::$mysql(super::Kind::MySql).await;
            })+)?
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $all() {
                super::$all(super::Kind::Postgres).await;
            })+
        }
    };
}

mod clocks;
mod conducting;
mod cost;
mod faults;
mod galera;
mod refusals;

use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::servers::{Kind, Server};

/// The name of the database that a URL ends with.
fn database(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1
}

/// A connection that nothing stands before.
enum Raw {
    MySql(MySqlConnection),
    Postgres(PgConnection),
}

impl Raw {
    async fn connect(kind: Kind, url: &str) -> Self {
        match kind {
            Kind::MariaDb | Kind::MySql => {
                Self::MySql(MySqlConnection::connect(url).await.unwrap())
            }
            Kind::Postgres => Self::Postgres(PgConnection::connect(url).await.unwrap()),
        }
    }

    async fn run(&mut self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::MySql(connection) => drop(connection.execute(sql).await.unwrap()),
            Self::Postgres(connection) => drop(connection.execute(sql).await.unwrap()),
        }
    }

    async fn count(&mut self, sql: &str) -> i64 {
        let asked = AssertSqlSafe(sql.to_owned());
        match self {
            Self::MySql(connection) => {
                let counted = sqlx::query_scalar(asked).fetch_one(connection);
                counted.await.unwrap()
            }
            Self::Postgres(connection) => {
                let counted = sqlx::query_scalar(asked).fetch_one(connection);
                counted.await.unwrap()
            }
        }
    }

    /// Returns when a transaction in this database waits for a lock.
    async fn until_somebody_waits(&self, server: &Server, url: &str) {
        let admin = server.admin(database(url));
        let waiting = match self {
            Self::MySql(_) => {
                "SELECT count(*) FROM information_schema.innodb_trx AS t
                 JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id
                 WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()"
            }
            Self::Postgres(_) => {
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'"
            }
        };
        loop {
            let found: i64 = match self {
                Self::MySql(_) => {
                    let mut admin = MySqlConnection::connect(&admin).await.unwrap();
                    let found = sqlx::query_scalar(waiting).fetch_one(&mut admin);
                    found.await.unwrap()
                }
                Self::Postgres(_) => {
                    let mut admin = PgConnection::connect(&admin).await.unwrap();
                    let found = sqlx::query_scalar(waiting).fetch_one(&mut admin);
                    found.await.unwrap()
                }
            };
            if found > 0 {
                return;
            }
            // InnoDB shows the same transactions again to whoever asks within a tenth of a second.
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }
}

/// Runs statements as the administrator, in the database of `url`.
async fn as_admin(kind: Kind, server: &Server, url: &str, sql: &str) {
    Raw::connect(kind, &server.admin(database(url)))
        .await
        .run(sql)
        .await;
}
