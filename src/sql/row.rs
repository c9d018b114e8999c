//! What comes out of a script, without the database's own types.

use sqlx::mysql::{MySql, MySqlRow};
use sqlx::postgres::{PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Column, Decode, Row as _, Type, TypeInfo};

use super::SqlError;

/// A row that a script gave back. Columns are counted from 0.
pub struct Row(Inner);

enum Inner {
    Sqlite(SqliteRow),
    MySql(MySqlRow),
    Postgres(PgRow),
    /// One column: what a statement without rows said with `LAST_INSERT_ID`.
    Told(i64),
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Self(Inner::Sqlite(row))
    }
}

impl From<MySqlRow> for Row {
    fn from(row: MySqlRow) -> Self {
        Self(Inner::MySql(row))
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self(Inner::Postgres(row))
    }
}

impl Row {
    pub(super) fn told(number: i64) -> Self {
        Self(Inner::Told(number))
    }

    /// A whole number.
    ///
    /// # Errors
    /// [`SqlError::Unreadable`]: null, or something else.
    pub fn int(&self, column: usize) -> Result<i64, SqlError> {
        match self.maybe_int(column)? {
            Some(number) => Ok(number),
            None => Err(SqlError::Unreadable(format!(
                "column {column} holds nothing"
            ))),
        }
    }

    /// A whole number, or null.
    ///
    /// # Errors
    /// [`SqlError::Unreadable`]: something else.
    pub fn maybe_int(&self, column: usize) -> Result<Option<i64>, SqlError> {
        if let Inner::Postgres(row) = &self.0
            && row
                .columns()
                .get(column)
                .is_some_and(|column| column.type_info().name() == "INT4")
        {
            // PostgreSQL's own numbers, such as a literal 1.
            let number: Option<i32> = row.try_get(column).map_err(unreadable)?;
            return Ok(number.map(i64::from));
        }
        if let Inner::Told(number) = &self.0 {
            return Ok(Some(*number));
        }
        self.get(column)
    }

    /// Text.
    ///
    /// # Errors
    /// [`SqlError::Unreadable`]: null, or something else.
    pub fn text(&self, column: usize) -> Result<String, SqlError> {
        self.get(column)
    }

    /// Text, or null.
    ///
    /// # Errors
    /// [`SqlError::Unreadable`]: something else.
    pub fn maybe_text(&self, column: usize) -> Result<Option<String>, SqlError> {
        self.get(column)
    }

    /// Bytes.
    ///
    /// # Errors
    /// [`SqlError::Unreadable`]: null, or something else.
    pub fn bytes(&self, column: usize) -> Result<Vec<u8>, SqlError> {
        self.get(column)
    }

    fn get<'r, T>(&'r self, column: usize) -> Result<T, SqlError>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite>,
        T: Decode<'r, MySql> + Type<MySql>,
        T: Decode<'r, Postgres> + Type<Postgres>,
    {
        match &self.0 {
            Inner::Sqlite(row) => row.try_get(column).map_err(unreadable),
            Inner::MySql(row) => row.try_get(column).map_err(unreadable),
            Inner::Postgres(row) => row.try_get(column).map_err(unreadable),
            Inner::Told(number) => Err(SqlError::Unreadable(format!(
                "column {column} of a row that holds {number} alone"
            ))),
        }
    }
}

fn unreadable(cause: sqlx::Error) -> SqlError {
    SqlError::Unreadable(cause.to_string())
}
