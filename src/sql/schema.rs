//! Bringing a schema up to date, once, whoever else is doing the same.

use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor, SqlSafeStr};

use super::SqlError;
use super::connection::Connection;
use super::error::{explain, explain_migration};
use super::target::{Kind, Target};

/// The migrations of one kind of database, oldest first: version, name, SQL text. A released one is never changed.
/// Those of MySQL must bear being run again after they were cut off anywhere: there, a change to a table is not part
/// of a transaction.
pub type Migrations = &'static [(i64, &'static str, &'static str)];

/// How long a program waits for another one that brings the same schema up to date, in seconds.
const LOCK: i64 = 60;

/// Somebody's tables.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The table that tells which migrations were applied. Two schemas can live in one database.
    pub history: &'static str,
    /// How to make the tables in SQLite.
    pub sqlite: Migrations,
    /// How to make the tables in MySQL and MariaDB.
    pub mysql: Migrations,
    /// How to make the tables in PostgreSQL.
    pub postgres: Migrations,
    /// The tables, each with one of its columns.
    pub tables: &'static [(&'static str, &'static str)],
}

impl Schema {
    fn migrations(&self, kind: Kind) -> Migrations {
        match kind {
            Kind::Sqlite => self.sqlite,
            Kind::MySql => self.mysql,
            Kind::Postgres => self.postgres,
        }
    }

    fn newest(&self, kind: Kind) -> i64 {
        let last = self.migrations(kind).last();
        last.map_or(0, |(version, ..)| *version)
    }

    fn migrator(&self, kind: Kind) -> Migrator {
        let migrations = self.migrations(kind).iter().map(|(version, name, sql)| {
            Migration::new(
                *version,
                (*name).into(),
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        });
        let mut migrator = Migrator::with_migrations(migrations.collect());
        migrator.dangerous_set_table_name(self.history);
        // Whoever is here holds the lock.
        migrator.set_locking(false);
        migrator
    }

    /// Applies what is missing.
    pub(super) async fn apply(
        &self,
        target: &Target,
        connection: &mut Connection,
    ) -> Result<(), SqlError> {
        let found = self.found(connection).await;
        let found = found.map_err(|cause| explain(target, cause))?;
        let known = self.newest(target.kind());
        if found == known {
            return Ok(());
        }
        if found > known {
            // At once: to bring a schema up to date takes grants that nobody needs for this answer.
            return Err(SqlError::Newer { found, known });
        }
        // The lock first: of two programs that find an old schema, one waits and then finds a new one.
        let failed = |cause| explain(target, cause);
        match connection {
            Connection::Sqlite(connection) => {
                let transaction = connection.begin_with("BEGIN IMMEDIATE").await;
                let mut transaction = transaction.map_err(failed)?;
                self.migrate(target, &mut *transaction).await?;
                transaction.commit().await.map_err(failed)
            }
            Connection::Postgres(connection) => {
                let mut transaction = connection.begin().await.map_err(failed)?;
                sqlx::query("SELECT pg_advisory_xact_lock(hashtext(current_schema() || $1))")
                    .bind(self.history)
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed)?;
                self.migrate(target, &mut *transaction).await?;
                transaction.commit().await.map_err(failed)
            }
            Connection::MySql(connection) => {
                self.lock(connection).await.map_err(failed)?;
                self.migrate(target, connection.as_mut()).await?;
                // The lock is the session's: were it lost here, it would be free.
                sqlx::query("DO RELEASE_LOCK(CONCAT(DATABASE(), '.', ?))")
                    .bind(self.history)
                    .execute(connection.as_mut())
                    .await
                    .map_err(failed)?;
                Ok(())
            }
        }
    }

    /// Applies what is missing, with all others kept out.
    async fn migrate<C: Migrate>(
        &self,
        target: &Target,
        connection: &mut C,
    ) -> Result<(), SqlError> {
        let failed = |cause| explain_migration(target, cause);
        connection
            .ensure_migrations_table(self.history)
            .await
            .map_err(failed)?;
        let applied = connection.list_applied_migrations(self.history).await;
        let applied = applied.map_err(failed)?;
        let found = applied.iter().map(|applied| applied.version).max();
        let known = self.newest(target.kind());
        if let Some(found) = found.filter(|found| *found > known) {
            return Err(SqlError::Newer { found, known });
        }
        // `run` would make this future refuse to be `Send`; `run_direct` is what sqlx has against that.
        let migrator = self.migrator(target.kind());
        migrator
            .run_direct(None, connection, false)
            .await
            .map_err(failed)
    }

    /// Keeps all others out. A migration that one of them began and did not finish is to be run again.
    async fn lock(&self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        let lock = sqlx::query_scalar("SELECT GET_LOCK(CONCAT(DATABASE(), '.', ?), ?)");
        let held: Option<i64> = lock
            .bind(self.history)
            .bind(LOCK)
            .fetch_one(&mut *connection)
            .await?;
        if held != Some(1) {
            return Err(sqlx::Error::PoolTimedOut);
        }
        let there = there_in_mysql(self.history)
            .fetch_one(&mut *connection)
            .await?;
        if there != 0 {
            let forget = format!("DELETE FROM {} WHERE success = FALSE", self.history);
            connection.execute(AssertSqlSafe(forget)).await?;
        }
        Ok(())
    }

    /// The version of the database, 0 for none.
    async fn found(&self, connection: &mut Connection) -> Result<i64, sqlx::Error> {
        let newest = AssertSqlSafe(format!(
            "SELECT coalesce(max(version), 0) FROM {} WHERE success",
            self.history
        ));
        let there = match connection {
            Connection::Sqlite(connection) => {
                let there = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1";
                let there = sqlx::query_scalar::<_, i64>(there).bind(self.history);
                there.fetch_one(connection.as_mut()).await?
            }
            Connection::MySql(connection) => {
                there_in_mysql(self.history)
                    .fetch_one(connection.as_mut())
                    .await?
            }
            Connection::Postgres(connection) => {
                let there = "SELECT count(*) FROM information_schema.tables \
                             WHERE table_schema = current_schema() AND table_name = $1";
                let there = sqlx::query_scalar::<_, i64>(there).bind(self.history);
                there.fetch_one(connection.as_mut()).await?
            }
        };
        if there == 0 {
            return Ok(0);
        }
        match connection {
            Connection::Sqlite(connection) => {
                sqlx::query_scalar(newest)
                    .fetch_one(connection.as_mut())
                    .await
            }
            Connection::MySql(connection) => {
                sqlx::query_scalar(newest)
                    .fetch_one(connection.as_mut())
                    .await
            }
            Connection::Postgres(connection) => {
                sqlx::query_scalar(newest)
                    .fetch_one(connection.as_mut())
                    .await
            }
        }
    }
}

/// Whether a table is there.
fn there_in_mysql(
    table: &str,
) -> sqlx::query::QueryScalar<'_, sqlx::MySql, i64, sqlx::mysql::MySqlArguments> {
    sqlx::query_scalar(
        "SELECT count(*) FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name = ?",
    )
    .bind(table)
}
