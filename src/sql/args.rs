//! What goes into a script and what comes out of it, without the database's own types.

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Decode, Row as _, Sqlite, Type};

use super::SqlError;

/// The arguments of a script, in the order of `$1`, `$2` …
#[derive(Debug, Default)]
pub struct Args(SqliteArguments);

impl Args {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next one is a whole number.
    #[must_use]
    pub fn int(self, value: i64) -> Self {
        self.add(value)
    }

    /// The next one is a whole number, or null.
    #[must_use]
    pub fn maybe_int(self, value: Option<i64>) -> Self {
        self.add(value)
    }

    /// The next one is text.
    #[must_use]
    pub fn text(self, value: impl Into<String>) -> Self {
        self.add(value.into())
    }

    /// The next one is text, or null.
    #[must_use]
    pub fn maybe_text(self, value: Option<String>) -> Self {
        self.add(value)
    }

    /// The next one is bytes.
    #[must_use]
    pub fn bytes(self, value: Vec<u8>) -> Self {
        self.add(value)
    }

    fn add<'v>(mut self, value: impl sqlx::Encode<'v, Sqlite> + Type<Sqlite>) -> Self {
        self.0
            .add(value)
            .expect("numbers, text and bytes can always be encoded");
        self
    }

    pub(super) fn into_inner(self) -> SqliteArguments {
        self.0
    }
}

/// A row that a script gave back. Columns are counted from 0.
pub struct Row(pub(super) SqliteRow);

impl Row {
    /// A whole number.
    ///
    /// # Errors
    /// [`SqlError::Unreadable`]: null, or something else.
    pub fn int(&self, column: usize) -> Result<i64, SqlError> {
        self.get(column)
    }

    /// A whole number, or null.
    ///
    /// # Errors
    /// [`SqlError::Unreadable`]: something else.
    pub fn maybe_int(&self, column: usize) -> Result<Option<i64>, SqlError> {
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

    fn get<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
        &'r self,
        column: usize,
    ) -> Result<T, SqlError> {
        self.0
            .try_get(column)
            .map_err(|cause| SqlError::Unreadable(cause.to_string()))
    }
}
