//! The kind `mysql_query`: one statement on a MySQL or MariaDB server, with its values bound, never glued into it.
//!
//! A call enters; the rows, or how many were changed, leave. Each call has a connection of its own.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use serde::Deserialize;
use serde_json::{Map, json};
use sqlx::mysql::types::MySqlTime;
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Either,
    Executor as _, Row as _, TypeInfo as _, ValueRef as _,
};

use super::params::{self, at};
use crate::model::{Failure, FailureKind, KindSchema, Param, Shape, Value, Waits};
use crate::ports::{Call, Outcome, TaskKind};

const SCHEMA: KindSchema = KindSchema {
    name: "mysql_query",
    about: "runs one statement on a MySQL or MariaDB server",
    params: &[
        Param {
            name: "url",
            shape: Shape::Url,
            required: true,
            about: "the database: mysql://user@host:3306/name",
        },
        Param {
            name: "password",
            shape: Shape::Text,
            required: false,
            about: "the user's password, such as a secret",
        },
        Param {
            name: "statement",
            shape: Shape::Statement,
            required: true,
            about: "one statement in SQL, with `?` where a value goes",
        },
        Param {
            name: "values",
            shape: Shape::Json,
            required: false,
            about: "a list of the values, in order",
        },
    ],
    shorthand: None,
    process: false,
    result: &["rows", "affected", "last_insert_id"],
    whole: Some("rows"),
    waits: Waits::Nothing,
};

/// How long a server may take to let somebody in.
const PATIENCE: Duration = Duration::from_secs(30);
/// A result is not larger than that.
const LARGEST: usize = 1 << 20;

#[derive(Deserialize)]
struct Params {
    url: String,
    password: Option<String>,
    statement: String,
    #[serde(default)]
    values: Vec<Value>,
}

/// The kind `mysql_query`.
pub struct MysqlQuery;

#[async_trait]
impl TaskKind for MysqlQuery {
    fn schema(&self) -> &KindSchema {
        &SCHEMA
    }

    async fn execute(&self, call: Call) -> Result<Value, Failure> {
        let params: Params = params::read(&call)?;
        call.unless_cancelled(query(params)).await
    }

    /// What undoes a statement is another one, which the flow writes out.
    async fn revert(&self, _: Call, _: Outcome) -> Result<(), Failure> {
        Ok(())
    }

    fn revert_params(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}

async fn query(params: Params) -> Result<Value, Failure> {
    let mut options: MySqlConnectOptions = match params.url.parse() {
        Ok(options) if params.url.starts_with("mysql://") => options,
        // What the library says may name the password.
        Ok(_) | Err(_) => {
            let what = "`url` is not a URL such as mysql://user@host:3306/name";
            return Err(params::unfit(what.to_owned()));
        }
    };
    if let Some(password) = &params.password {
        options = options.password(password);
    }
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let mut values = MySqlArguments::default();
    for (value, at) in params.values.iter().zip(1..) {
        bind(&mut values, value)
            .map_err(|error| params::unfit(format!("value {at} cannot be bound: {error}")))?;
    }
    let connected = tokio::time::timeout(PATIENCE, options.connect()).await;
    let mut connection = match connected {
        Ok(connected) => connected.map_err(|error| at(&place, failed(&error)))?,
        Err(_) => {
            let what = format!("the server does not answer within {}s", PATIENCE.as_secs());
            return Err(at(&place, Failure::new(FailureKind::Connect, what)));
        }
    };
    let answer = answer(&mut connection, &params.statement, values).await?;
    // What was done is done, whatever becomes of the goodbye.
    let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
    Ok(answer)
}

fn bind(values: &mut MySqlArguments, value: &Value) -> Result<(), sqlx::error::BoxDynError> {
    match value {
        Value::Null => values.add(None::<String>),
        Value::Bool(flag) => values.add(*flag),
        Value::String(text) => values.add(text.as_str()),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), _, _) => values.add(whole),
            (None, Some(whole), _) => values.add(whole),
            (None, None, Some(float)) => values.add(float),
            (None, None, None) => values.add(number.to_string()),
        },
        // For columns of JSON.
        Value::Array(_) | Value::Object(_) => values.add(value.to_string()),
    }
}

async fn answer(
    connection: &mut MySqlConnection,
    statement: &str,
    values: MySqlArguments,
) -> Result<Value, Failure> {
    // A flow's author writes the statement; no value ever becomes a part of it.
    let query = sqlx::query_with(AssertSqlSafe(statement), values);
    let mut answers = connection.fetch_many(query);
    let (mut rows, mut size) = (Vec::new(), 0);
    let (mut affected, mut last_insert_id) = (0, 0);
    while let Some(answer) = answers.try_next().await.map_err(|error| failed(&error))? {
        match answer {
            Either::Left(done) => {
                affected += done.rows_affected();
                last_insert_id = done.last_insert_id();
            }
            Either::Right(row) => {
                let row = fields(&row)?;
                size += row.to_string().len();
                if size > LARGEST {
                    let what = "the rows are larger than 1MiB: ask for fewer of them";
                    return Err(Failure::new(FailureKind::TooLarge, what));
                }
                rows.push(row);
            }
        }
    }
    Ok(json!({ "rows": rows, "affected": affected, "last_insert_id": last_insert_id }))
}

fn fields(row: &MySqlRow) -> Result<Value, Failure> {
    let mut fields = Map::new();
    for column in row.columns() {
        let name = column.name();
        let value = field(row, column.ordinal()).map_err(|error| {
            let what = format!("the column `{name}` cannot be read: {error}");
            Failure::new(FailureKind::Result, what)
        })?;
        fields.insert(name.to_owned(), value);
    }
    Ok(Value::Object(fields))
}

/// A field as JSON has it: numbers as numbers, but those with a point and a fixed length as text, which loses nothing;
/// instants as text, as the server writes them.
fn field(row: &MySqlRow, at: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "NULL" => Value::Null,
        "BOOLEAN" | "TINYINT" | "SMALLINT" | "INT" | "MEDIUMINT" | "BIGINT" => {
            row.try_get_unchecked::<i64, _>(at)?.into()
        }
        "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "INT UNSIGNED" | "MEDIUMINT UNSIGNED"
        | "BIGINT UNSIGNED" | "YEAR" | "BIT" => row.try_get_unchecked::<u64, _>(at)?.into(),
        "FLOAT" => {
            // By its text: 0.1 is not to become 0.10000000149011612.
            let float = row.try_get_unchecked::<f32, _>(at)?.to_string();
            float.parse::<f64>().map_or(Value::Null, Value::from)
        }
        "DOUBLE" => row.try_get_unchecked::<f64, _>(at)?.into(),
        "TIME" => row
            .try_get_unchecked::<MySqlTime, _>(at)?
            .to_string()
            .into(),
        "DATE" | "DATETIME" | "TIMESTAMP" => {
            instant(row.try_get_unchecked::<&[u8], _>(at)?, kind != "DATE").into()
        }
        "JSON" => {
            let text = row.try_get_unchecked::<&str, _>(at)?;
            serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))?
        }
        _ => {
            let bytes = row.try_get_unchecked::<&[u8], _>(at)?;
            let text = std::str::from_utf8(bytes).map_err(|_| {
                sqlx::Error::Decode("it is not text; ask for HEX(…) or TO_BASE64(…)".into())
            })?;
            text.into()
        }
    })
}

/// An instant from how the protocol has it: its length, then year, month, day, hour, minute, second and microseconds as
/// far as they are not zero (<https://mariadb.com/kb/en/resultset-row/#binary-resultset-row>).
fn instant(bytes: &[u8], timed: bool) -> String {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let year = u16::from_le_bytes([byte(1), byte(2)]);
    let mut text = format!("{year:04}-{:02}-{:02}", byte(3), byte(4));
    if timed {
        text.push_str(&format!(" {:02}:{:02}:{:02}", byte(5), byte(6), byte(7)));
    }
    let micros = u32::from_le_bytes([byte(8), byte(9), byte(10), byte(11)]);
    if micros > 0 {
        text.push_str(&format!(".{micros:06}"));
    }
    text
}

fn failed(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(said) => {
            let code = said
                .code()
                .map_or_else(String::new, |code| format!(" ({code})"));
            let what = format!("the server says{code}: {}", said.message());
            Failure::new(FailureKind::Other, what)
        }
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
            Failure::new(FailureKind::Connect, error.to_string())
        }
        other => Failure::new(FailureKind::Other, other.to_string()),
    }
}
