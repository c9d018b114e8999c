//! What goes into a script, without the database's own types.

use sqlx::mysql::{MySql, MySqlArguments};
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{Arguments, Encode, Type};

use super::packet::{write_bytes, write_text};

/// One argument.
#[derive(Debug, Clone)]
enum Arg {
    Int(i64),
    Text(String),
    MaybeText(Option<String>),
    Bytes(Vec<u8>),
    Batch(String),
}

impl Arg {
    fn length(&self) -> usize {
        match self {
            Self::Int(_) => size_of::<i64>(),
            Self::Text(text) | Self::Batch(text) => text.len(),
            Self::MaybeText(text) => text.as_ref().map_or(0, String::len),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// The arguments of a script, in the order of `$1`, `$2` …
#[derive(Debug, Default, Clone)]
pub struct Args(Vec<Arg>);

impl Args {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next one is a whole number.
    #[must_use]
    pub fn int(self, value: i64) -> Self {
        self.and(Arg::Int(value))
    }

    /// The next one is text.
    #[must_use]
    pub fn text(self, value: impl Into<String>) -> Self {
        self.and(Arg::Text(value.into()))
    }

    /// The next one is text, or null.
    #[must_use]
    pub fn maybe_text(self, value: Option<String>) -> Self {
        self.and(Arg::MaybeText(value))
    }

    /// The next one is bytes.
    #[must_use]
    pub fn bytes(self, value: Vec<u8>) -> Self {
        self.and(Arg::Bytes(value))
    }

    /// The next one is a JSON array of rows. What an empty one goes into does nothing, and is not sent to a server.
    #[must_use]
    pub fn batch(self, rows: impl Into<String>) -> Self {
        self.and(Arg::Batch(rows.into()))
    }

    fn and(mut self, arg: Arg) -> Self {
        self.0.push(arg);
        self
    }

    /// How long the longest of them is, in bytes.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.0.iter().map(Arg::length).max().unwrap_or(0)
    }

    /// How long they are together, in bytes.
    pub(super) fn total(&self) -> usize {
        self.0.iter().map(Arg::length).sum()
    }

    /// Adds one of them (from 0) to `packet`, as a literal of MySQL that means the same in every SQL mode.
    pub(super) fn write_literal(&self, index: usize, packet: &mut String) {
        match &self.0[index] {
            Arg::Int(value) => packet.push_str(&value.to_string()),
            Arg::MaybeText(None) => packet.push_str("NULL"),
            Arg::Text(text) | Arg::Batch(text) | Arg::MaybeText(Some(text)) => {
                write_text(text, packet);
            }
            Arg::Bytes(bytes) => write_bytes(bytes, packet),
        }
    }

    /// Whether one of `chosen` (from 0) is an empty batch.
    pub(super) fn has_empty_batch(&self, chosen: &[usize]) -> bool {
        chosen
            .iter()
            .any(|index| matches!(&self.0[*index], Arg::Batch(rows) if rows == "[]"))
    }

    pub(super) fn into_sqlite(self) -> SqliteArguments {
        let mut bound = SqliteArguments::default();
        for arg in self.0 {
            match arg {
                Arg::Int(value) => add::<Sqlite, _>(&mut bound, value),
                Arg::Text(value) | Arg::Batch(value) => add::<Sqlite, _>(&mut bound, value),
                Arg::MaybeText(value) => add::<Sqlite, _>(&mut bound, value),
                Arg::Bytes(value) => add::<Sqlite, _>(&mut bound, value),
            }
        }
        bound
    }

    pub(super) fn mysql(&self, chosen: &[usize]) -> MySqlArguments {
        let mut bound = MySqlArguments::default();
        for index in chosen {
            match &self.0[*index] {
                Arg::Int(value) => add::<MySql, _>(&mut bound, *value),
                Arg::Text(value) | Arg::Batch(value) => add::<MySql, _>(&mut bound, value.as_str()),
                Arg::MaybeText(value) => add::<MySql, _>(&mut bound, value.as_deref()),
                Arg::Bytes(value) => add::<MySql, _>(&mut bound, value.as_slice()),
            }
        }
        bound
    }

    pub(super) fn postgres(&self, chosen: &[usize]) -> PgArguments {
        let mut bound = PgArguments::default();
        for index in chosen {
            match &self.0[*index] {
                Arg::Int(value) => add::<Postgres, _>(&mut bound, *value),
                Arg::Text(value) | Arg::Batch(value) => {
                    add::<Postgres, _>(&mut bound, value.as_str());
                }
                Arg::MaybeText(value) => add::<Postgres, _>(&mut bound, value.as_deref()),
                Arg::Bytes(value) => add::<Postgres, _>(&mut bound, value.as_slice()),
            }
        }
        bound
    }
}

fn add<'v, D, T>(bound: &mut D::Arguments, value: T)
where
    D: sqlx::Database,
    T: Encode<'v, D> + Type<D>,
{
    bound
        .add(value)
        .expect("numbers, text and bytes can always be encoded");
}
