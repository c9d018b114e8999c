//! MySQL, MariaDB and PostgreSQL as the world has them: refusing, lying down, coming back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod conducting;
mod cost;
mod faults;
mod refusals;

use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::servers::{Kind, Server};

const KINDS: [Kind; 2] = [Kind::MariaDb, Kind::Postgres];

/// The name of the database that a URL ends with.
fn database(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1
}

/// Runs statements as the administrator, in the database of `url`.
async fn as_admin(kind: Kind, server: &Server, url: &str, sql: &str) {
    let admin = server.admin(database(url));
    let sql = AssertSqlSafe(sql.to_owned());
    match kind {
        Kind::MariaDb => {
            let mut connection = MySqlConnection::connect(&admin).await.unwrap();
            connection.execute(sql).await.unwrap();
        }
        Kind::Postgres => {
            let mut connection = PgConnection::connect(&admin).await.unwrap();
            connection.execute(sql).await.unwrap();
        }
    }
}
