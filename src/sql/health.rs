//! Is a server worth what is trusted to it? Looked at once, when it is opened.

use sqlx::{AssertSqlSafe, Executor, Row as _};

use super::connection::Connection;
use super::database::Durability;
use super::schema::Schema;

/// Makes sure that the tables can be written, and warns of a server that may forget what it has confirmed.
pub(super) async fn check(
    connection: &mut Connection,
    durability: Durability,
    schema: &Schema,
) -> Result<(), sqlx::Error> {
    // Changes no row; a server that is read-only, or a user who may not write, is refused all the same.
    let probe: String = schema
        .tables
        .iter()
        .map(|(table, column)| {
            format!(
                "INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0; \
                 UPDATE {table} SET {column} = {column} WHERE 1 = 0; \
                 DELETE FROM {table} WHERE 1 = 0;"
            )
        })
        .collect();
    let probe = AssertSqlSafe(probe);
    let doubts = match connection {
        Connection::Sqlite(_) => Vec::new(),
        Connection::MySql(connection) => {
            connection.execute(probe).await?;
            match durability {
                Durability::Full => mysql(connection).await?,
                Durability::Relaxed => Vec::new(),
            }
        }
        Connection::Postgres(connection) => {
            connection.execute(probe).await?;
            match durability {
                Durability::Full => postgres(connection).await?,
                Durability::Relaxed => Vec::new(),
            }
        }
    };
    for doubt in doubts {
        tracing::warn!("{doubt}");
    }
    Ok(())
}

async fn mysql(connection: &mut sqlx::MySqlConnection) -> Result<Vec<String>, sqlx::Error> {
    let asked = "SELECT CAST(@@innodb_flush_log_at_trx_commit AS SIGNED), CAST(@@log_bin AS SIGNED), \
                 CAST(@@sync_binlog AS SIGNED)";
    let row = connection.fetch_one(asked).await?;
    let (flush, binlog, sync): (i64, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let mut doubts = Vec::new();
    if flush != 1 {
        doubts.push(format!(
            "the store is not durable: its server has innodb_flush_log_at_trx_commit={flush}, so a crash may lose up to \
             a second of commits, and tasks that are on record as done run again: SET GLOBAL \
             innodb_flush_log_at_trx_commit = 1"
        ));
    }
    if binlog != 0 && sync != 1 {
        doubts.push(format!(
            "the store is not durable: its server has a binary log with sync_binlog={sync}, so after a crash it may \
             differ from its replicas, and a failover may lose commits: SET GLOBAL sync_binlog = 1"
        ));
    }
    Ok(doubts)
}

async fn postgres(connection: &mut sqlx::PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let asked = "SELECT current_setting('fsync'), current_setting('synchronous_commit'), \
                 current_setting('full_page_writes')";
    let row = connection.fetch_one(asked).await?;
    let (fsync, commit, pages): (String, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let mut doubts = Vec::new();
    if fsync == "off" {
        doubts.push(
            "the store is not durable: its server has fsync=off, so a crash may leave it damaged beyond repair: set \
             fsync = on"
                .to_owned(),
        );
    }
    if commit == "off" {
        doubts.push(
            "the store is not durable: its server has synchronous_commit=off, so a crash may lose the last commits, and \
             tasks that are on record as done run again: set synchronous_commit = on"
                .to_owned(),
        );
    }
    if pages == "off" {
        doubts.push(
            "the store is not durable: its server has full_page_writes=off, so a crash may leave it damaged: set \
             full_page_writes = on"
                .to_owned(),
        );
    }
    Ok(doubts)
}
