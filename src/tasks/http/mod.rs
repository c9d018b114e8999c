//! The kind `http`: one request, its answer as the result.
//!
//! A request carries `Idempotency-Key` (the same for every rerun of the same attempt) and `Jobrunner-Epoch`, so
//! that a server can refuse what it has done already and what an older claim still sends. Redirects are followed
//! here: to another origin go neither credentials nor headers nor a body. No failure names a URL beyond its
//! origin, nor any credential. `check` is the engine's: it is an expression.

mod client;
mod exchange;
mod partial;
mod request;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, json};
use sha2::{Digest as _, Sha256};

use super::params;
use crate::model::{
    Failure, FailureKind, KindSchema, Param, Shape, Value, Waits, format_duration, format_size,
};
use crate::ports::{Call, Outcome, Stream, TaskKind};
use client::Clients;
use exchange::Exchange;
use partial::Partial;
pub use request::Params;

/// How much of an unwanted answer is logged, in bytes.
const SHOWN: u64 = 64 * 1024;

const SCHEMA: KindSchema = KindSchema {
    name: "http",
    about: "sends one HTTP request",
    params: &[
        param(
            "method",
            Shape::Word(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
            "the method; GET, or POST if there is something to send",
        ),
        Param {
            required: true,
            ..param("url", Shape::Url, "where to")
        },
        param("query", Shape::Query, "what is added to the URL's query"),
        param("headers", Shape::TextMap, "header fields"),
        param("json", Shape::Json, "the body, as JSON"),
        param("form", Shape::Query, "the body, as the fields of a form"),
        param("body", Shape::Text, "the body, as text"),
        param(
            "bearer",
            Shape::Text,
            "a token for `Authorization: Bearer`; an empty one is not sent",
        ),
        param(
            "basic",
            Shape::TextMap,
            "`user` and `password` for `Authorization: Basic`",
        ),
        param(
            "expect",
            Shape::StatusCodes,
            "the status codes that are no failure; 200 to 299 if not given",
        ),
        param(
            "check",
            Shape::Expression,
            "what must be true of the result",
        ),
        param(
            "timeout",
            Shape::Period,
            "how long the whole exchange may take",
        ),
        param(
            "save",
            Shape::Path,
            "the file that the body goes to, instead of into the result",
        ),
        param(
            "sha256",
            Shape::Sha256,
            "the SHA-256 sum that the body must have, in hexadecimal",
        ),
        param(
            "max_size",
            Shape::Size,
            "how large the body may be, within the limits of the kind",
        ),
        param(
            "redirects",
            Shape::Int,
            "how many redirects are followed; 10 if not given",
        ),
        param(
            "ca",
            Shape::Path,
            "a file of certificates (PEM) to trust beside the system's",
        ),
    ],
    shorthand: Some("url"),
    process: false,
    result: &["status", "headers", "json", "body", "saved", "sha256"],
    whole: None,
    waits: Waits::Nothing,
};

const fn param(name: &'static str, shape: Shape, about: &'static str) -> Param {
    Param {
        name,
        shape,
        required: false,
        about,
    }
}

/// How much of an answer is taken, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// As a part of the result.
    pub body: u64,
    /// Into a file (`save`).
    pub saved: u64,
}

impl Default for HttpLimits {
    /// 1 MiB in a result, 8 GiB in a file.
    fn default() -> Self {
        Self {
            body: 1 << 20,
            saved: 8 << 30,
        }
    }
}

/// The kind `http`.
#[derive(Debug)]
pub struct Http {
    clients: Clients,
    limits: HttpLimits,
}

impl Http {
    /// Takes answers within these limits. No client is made before the first call.
    #[must_use]
    pub fn new(limits: HttpLimits) -> Self {
        Self {
            clients: Clients::default(),
            limits,
        }
    }

    async fn exchange(&self, call: &Call, spec: Params) -> Result<Value, Failure> {
        let expected = spec.expected()?;
        let wanted = Wanted {
            sum: spec.sum()?,
            size: spec.max_size,
        };
        let target = spec.save.clone();
        let mut exchange = Exchange::new(&self.clients, call, spec)?;
        let answer = exchange.run().await?;
        let (status, origin) = (answer.status(), exchange.origin());
        let note = format!("{} answered {status}\n", exchange.shown());
        call.log.write(Stream::Note, note.as_bytes());
        if !expected.allows(status) {
            show(call, answer).await;
            return Err(unwanted(&origin, status));
        }
        let mut result = Map::new();
        result.insert("status".to_owned(), json!(status.as_u16()));
        result.insert("headers".to_owned(), headers(&answer));
        let fields = match target {
            Some(path) => self.save(call, &origin, answer, &path, &wanted).await?,
            None => self.body(&origin, answer, &wanted).await?,
        };
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        result.extend(fields);
        Ok(Value::Object(result))
    }

    /// Sends one request, and looks at the status of its answer alone.
    ///
    /// # Errors
    /// `template`: the parameters make no request; `connect`: no answer; `status`: another one than is expected.
    pub async fn status(&self, call: &Call, spec: Params) -> Result<StatusCode, Failure> {
        let expected = spec.expected()?;
        let mut exchange = Exchange::new(&self.clients, call, spec)?;
        let status = exchange.run().await?.status();
        match expected.allows(status) {
            true => Ok(status),
            false => Err(unwanted(&exchange.origin(), status)),
        }
    }

    async fn body(
        &self,
        origin: &str,
        mut answer: Response,
        wanted: &Wanted,
    ) -> Result<Vec<(&'static str, Value)>, Failure> {
        let mut limit = Limit::new(origin, wanted.within(self.limits.body), &answer)?;
        let is_json = is_json(&answer);
        let mut body = Vec::new();
        while let Some(chunk) = exchange::chunk(origin, &mut answer).await? {
            limit.add(chunk.len())?;
            body.extend_from_slice(&chunk);
        }
        if wanted.sum.is_some() {
            let mut sum = Sum::default();
            sum.add(&body);
            wanted.check(origin, &sum.finish())?;
        }
        if is_json && let Ok(value) = serde_json::from_slice(&body) {
            return Ok(vec![("json", value)]);
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok(vec![("body", Value::String(text))])
    }

    async fn save(
        &self,
        call: &Call,
        origin: &str,
        mut answer: Response,
        path: &Path,
        wanted: &Wanted,
    ) -> Result<Vec<(&'static str, Value)>, Failure> {
        let mut limit = Limit::new(origin, wanted.within(self.limits.saved), &answer)?;
        let failed = |error: std::io::Error| {
            let message = format!("`{}` cannot be written: {error}", path.display());
            Failure::new(FailureKind::System, message)
        };
        let mut partial = Partial::create(path, call).await.map_err(failed)?;
        let mut sum = Sum::default();
        while let Some(chunk) = exchange::chunk(origin, &mut answer).await? {
            limit.add(chunk.len())?;
            sum.add(&chunk);
            partial.write(&chunk).await.map_err(failed)?;
        }
        let sum = sum.finish();
        wanted.check(origin, &sum)?;
        partial.finish().await.map_err(failed)?;
        let saved = Value::String(path.to_string_lossy().into_owned());
        Ok(vec![("saved", saved), ("sha256", Value::String(sum))])
    }
}

/// What a body has to be.
struct Wanted {
    sum: Option<String>,
    size: Option<u64>,
}

impl Wanted {
    fn within(&self, limit: u64) -> u64 {
        self.size.map_or(limit, |size| size.min(limit))
    }

    fn check(&self, origin: &str, sum: &str) -> Result<(), Failure> {
        match &self.sum {
            Some(wanted) if wanted != sum => {
                let message = format!(
                    "the answer of `{origin}` has the SHA-256 sum {sum}, and {wanted} is wanted"
                );
                Err(Failure::new(FailureKind::Check, message))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The SHA-256 sum of what comes.
#[derive(Default)]
struct Sum(Sha256);

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self) -> String {
        let sum = self.0.finalize();
        sum.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn unwanted(origin: &str, status: StatusCode) -> Failure {
    let mut failure = Failure::new(FailureKind::Status, format!("`{origin}` answered {status}"));
    failure.status = Some(status.as_u16());
    failure
}

#[async_trait]
impl TaskKind for Http {
    fn schema(&self) -> &KindSchema {
        &SCHEMA
    }

    async fn execute(&self, call: Call) -> Result<Value, Failure> {
        let spec: Params = params::read(&call)?;
        let timeout = spec.timeout()?;
        let cancel = call.cancel.clone();
        let exchange = self.exchange(&call, spec);
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::stopped()),
            result = exchange => result,
            late = late(timeout) => Err(late),
        }
    }

    /// There is nothing to send; what a cut off attempt left of a file is removed.
    async fn revert(&self, call: Call, _: Outcome) -> Result<(), Failure> {
        if let Ok(Left { save: Some(target) }) = params::read(&call) {
            let key = call.key.strip_suffix("/revert").unwrap_or(&call.key);
            Partial::remove_left(&target, key);
        }
        Ok(())
    }

    fn revert_params(&self) -> Option<&'static [&'static str]> {
        Some(&["save"])
    }
}

/// The parameters that tell what an attempt may have left.
#[derive(Deserialize)]
struct Left {
    save: Option<PathBuf>,
}

/// The failure of an exchange that takes longer than it may.
async fn late(timeout: Option<std::time::Duration>) -> Failure {
    match timeout {
        Some(timeout) => {
            tokio::time::sleep(timeout).await;
            let message = format!("no whole answer within {}", format_duration(timeout));
            Failure::new(FailureKind::Timeout, message)
        }
        None => std::future::pending().await,
    }
}

/// Counts what comes.
struct Limit<'o> {
    origin: &'o str,
    limit: u64,
    left: u64,
}

impl<'o> Limit<'o> {
    /// Fails at once if the answer says that it is longer.
    fn new(origin: &'o str, limit: u64, answer: &Response) -> Result<Self, Failure> {
        let this = Self {
            origin,
            limit,
            left: limit,
        };
        match answer.content_length() {
            Some(length) if length > limit => Err(this.exceeded()),
            Some(_) | None => Ok(this),
        }
    }

    fn add(&mut self, length: usize) -> Result<(), Failure> {
        let left = self.left.checked_sub(length as u64);
        self.left = left.ok_or_else(|| self.exceeded())?;
        Ok(())
    }

    fn exceeded(&self) -> Failure {
        Failure::new(
            FailureKind::TooLarge,
            format!(
                "the answer of `{}` is longer than {}",
                self.origin,
                format_size(self.limit)
            ),
        )
    }
}

fn headers(answer: &Response) -> Value {
    let mut fields: Map<String, Value> = Map::new();
    for (name, value) in answer.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        match fields.get_mut(name.as_str()) {
            Some(Value::String(text)) => {
                text.push_str(", ");
                text.push_str(&value);
            }
            Some(_) | None => {
                fields.insert(name.as_str().to_owned(), json!(value));
            }
        }
    }
    Value::Object(fields)
}

fn is_json(answer: &Response) -> bool {
    let value = answer.headers().get(reqwest::header::CONTENT_TYPE);
    let Some(Ok(text)) = value.map(|value| value.to_str()) else {
        return false;
    };
    let kind = text.split(';').next().unwrap_or(text).trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}

/// Logs the beginning of an answer that nobody wanted.
async fn show(call: &Call, mut answer: Response) {
    let mut left = SHOWN;
    while let Ok(Some(chunk)) = answer.chunk().await {
        let shown = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        call.log.write(Stream::Stdout, &chunk[..shown]);
        left -= shown as u64;
        if left == 0 {
            return;
        }
    }
}

/// The status codes that are no failure.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    Success,
    These(Vec<u16>),
}

impl Expected {
    fn allows(&self, status: StatusCode) -> bool {
        match self {
            Self::Success => status.is_success(),
            Self::These(codes) => codes.contains(&status.as_u16()),
        }
    }
}
