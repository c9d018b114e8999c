//! The kind `redis_command`: one command to a Redis or Valkey server, each argument as it is.
//!
//! A call enters; the answer as JSON leaves. Each call has a connection of its own.

use std::time::Duration;

use async_trait::async_trait;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, IntoConnectionInfo as _,
    ProtocolVersion, RedisError, Value as Answer,
};
use serde::Deserialize;
use serde_json::{Map, json};

use super::params::{self, at};
use crate::model::{Failure, FailureKind, KindSchema, Param, Shape, Value, Waits};
use crate::ports::{Call, Outcome, TaskKind};

const SCHEMA: KindSchema = KindSchema {
    name: "redis_command",
    about: "sends one command to a Redis or Valkey server",
    params: &[
        Param {
            name: "url",
            shape: Shape::Url,
            required: true,
            about: "the server: redis://user@host:6379/0, or rediss:// with TLS",
        },
        Param {
            name: "password",
            shape: Shape::Text,
            required: false,
            about: "the user's password, such as a secret",
        },
        Param {
            name: "command",
            shape: Shape::Json,
            required: true,
            about: "a list of the command and its arguments",
        },
    ],
    shorthand: None,
    process: false,
    result: &["answer"],
    whole: Some("answer"),
    waits: Waits::Nothing,
};

/// How long a server may take to let somebody in.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Params {
    url: String,
    password: Option<String>,
    command: Vec<Value>,
}

/// The kind `redis_command`.
pub struct RedisCommand;

#[async_trait]
impl TaskKind for RedisCommand {
    fn schema(&self) -> &KindSchema {
        &SCHEMA
    }

    async fn execute(&self, call: Call) -> Result<Value, Failure> {
        let params: Params = params::read(&call)?;
        call.unless_cancelled(send(params)).await
    }

    /// What undoes a command is another one, which the flow writes out.
    async fn revert(&self, _: Call, _: Outcome) -> Result<(), Failure> {
        Ok(())
    }

    fn revert_params(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}

async fn send(params: Params) -> Result<Value, Failure> {
    let mut command = Cmd::new();
    for argument in &params.command {
        command.arg(params::text("command", argument)?);
    }
    if params.command.is_empty() {
        return Err(params::unfit("`command` is empty".to_owned()));
    }
    let address = address(&params)?;
    let place = address.addr().to_string();
    let client = Client::open(address).map_err(|error| failed(&error))?;
    // How long an answer may take is the task's affair: some commands wait.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(None);
    let connected = client.get_multiplexed_async_connection_with_config(&config);
    let mut connection = connected
        .await
        .map_err(|error| at(&place, failed(&error)))?;
    let answer: Answer = command
        .query_async(&mut connection)
        .await
        .map_err(|error| failed(&error))?;
    Ok(json!({ "answer": read(answer)? }))
}

fn address(params: &Params) -> Result<ConnectionInfo, Failure> {
    let info = params.url.as_str().into_connection_info();
    // What the library says may name the password.
    let info = info.map_err(|_| {
        params::unfit("`url` is not a URL such as redis://user@host:6379/0".to_owned())
    })?;
    // In this version of the protocol, an answer tells mappings from lists.
    let mut settings = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3);
    if let Some(password) = &params.password {
        settings = settings.set_password(password);
    }
    Ok(info.set_redis_settings(settings))
}

fn failed(error: &RedisError) -> Failure {
    let kind = match error.kind() {
        ErrorKind::Io | ErrorKind::AuthenticationFailed => FailureKind::Connect,
        _ => FailureKind::Other,
    };
    Failure::new(kind, error.to_string())
}

fn read(answer: Answer) -> Result<Value, Failure> {
    let list = |items: Vec<Answer>| items.into_iter().map(read).collect::<Result<Vec<_>, _>>();
    Ok(match answer {
        Answer::Nil => Value::Null,
        Answer::Int(number) => number.into(),
        Answer::Double(number) => number.into(),
        Answer::Boolean(flag) => flag.into(),
        Answer::BulkString(bytes) => text(bytes)?,
        Answer::BigNumber(bytes) => text(bytes)?,
        Answer::SimpleString(text) | Answer::VerbatimString { text, .. } => text.into(),
        Answer::Okay => "OK".into(),
        Answer::Array(items) | Answer::Set(items) => list(items)?.into(),
        Answer::Map(entries) => {
            let mut fields = Map::new();
            for (name, value) in entries {
                let name = match read(name)? {
                    Value::String(name) => name,
                    other => other.to_string(),
                };
                fields.insert(name, read(value)?);
            }
            fields.into()
        }
        Answer::Attribute { data, .. } => read(*data)?,
        Answer::Push { data, .. } => list(data)?.into(),
        Answer::ServerError(error) => return Err(failed(&error.into())),
        other => {
            let what = format!("the answer is of a kind that is not known: {other:?}");
            return Err(Failure::new(FailureKind::Result, what));
        }
    })
}

fn text(bytes: Vec<u8>) -> Result<Value, Failure> {
    let text = String::from_utf8(bytes);
    text.map(Value::from)
        .map_err(|_| Failure::new(FailureKind::Result, "the answer is not text"))
}
