//! Bringing a schema up to date, once, whoever else is doing the same.

use std::path::Path;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, SqlSafeStr};

use super::SqlError;
use super::error::{explain, explain_migration};

/// The migrations of one database, oldest first: version, name, SQL text. A released one is never changed.
pub type Migrations = &'static [(i64, &'static str, &'static str)];

/// Somebody's tables.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The table that tells which migrations were applied. Two schemas can live in one database.
    pub history: &'static str,
    /// How to make the tables in SQLite.
    pub sqlite: Migrations,
}

impl Schema {
    fn newest(&self) -> i64 {
        self.sqlite.last().map_or(0, |(version, ..)| *version)
    }

    fn migrator(&self) -> Migrator {
        let migrations = self.sqlite.iter().map(|(version, name, sql)| {
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
        migrator
    }

    /// Applies what is missing.
    pub(super) async fn apply(
        &self,
        file: &Path,
        connection: &mut SqliteConnection,
    ) -> Result<(), SqlError> {
        let known = self.newest();
        let found = self.found(connection).await.map_err(|e| explain(file, e))?;
        if found == known {
            return Ok(());
        }
        // The lock first: of two programs that find an old schema, one waits and then finds a new one.
        let mut transaction = connection
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|e| explain(file, e))?;
        let found = self
            .found(&mut transaction)
            .await
            .map_err(|e| explain(file, e))?;
        if found > known {
            return Err(SqlError::Newer { found, known });
        }
        self.migrator()
            .run(&mut *transaction)
            .await
            .map_err(|e| explain_migration(file, e))?;
        transaction.commit().await.map_err(|e| explain(file, e))
    }

    /// The version of the database, 0 for none.
    async fn found(&self, connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        let there: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1")
                .bind(self.history)
                .fetch_optional(&mut *connection)
                .await?;
        if there.is_none() {
            return Ok(0);
        }
        let newest = format!("SELECT coalesce(max(version), 0) FROM {}", self.history);
        sqlx::query_scalar(AssertSqlSafe(newest))
            .fetch_one(connection)
            .await
    }
}
