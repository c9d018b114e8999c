//! The kind `probe`: asks a port or a URL again and again until it answers.
//!
//! Nothing is sent to a port beyond the connection itself. Only waiting for an answer is tried again: what can never
//! become one (parameters that make no request) fails at once. It occupies none of the conductor's places.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;

use super::http::{Http, Params as Request};
use super::params::{self, unfit};
use crate::model::{Failure, FailureKind, KindSchema, Param, Shape, Value, Waits, format_duration};
use crate::ports::{Call, Clock, Outcome, Stream, TaskKind, within};

/// How long one try may take.
const TRY: Duration = Duration::from_secs(10);
/// How long all tries may take if nothing is said.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The time between two tries if nothing is said.
const INTERVAL: Duration = Duration::from_secs(1);

const SCHEMA: KindSchema = KindSchema {
    name: "probe",
    about: "waits until a port can be connected to, or a URL answers",
    params: &[
        param("tcp", Shape::Text, "the port: `host:port`"),
        param("url", Shape::Url, "or the URL"),
        param("headers", Shape::TextMap, "header fields, for a URL"),
        param(
            "bearer",
            Shape::Text,
            "a token for `Authorization: Bearer`; an empty one is not sent",
        ),
        param(
            "expect",
            Shape::StatusCodes,
            "the status codes that are waited for; 200 to 299 if not given",
        ),
        param(
            "ca",
            Shape::Path,
            "a file of certificates (PEM) to trust beside the system's",
        ),
        param(
            "timeout",
            Shape::Period,
            "how long all tries may take; 1m if not given",
        ),
        param(
            "interval",
            Shape::Period,
            "the time between two tries; 1s if not given",
        ),
    ],
    shorthand: None,
    process: false,
    result: &["tries", "status"],
    whole: None,
    waits: Waits::Elsewhere,
};

const fn param(name: &'static str, shape: Shape, about: &'static str) -> Param {
    Param {
        name,
        shape,
        required: false,
        about,
    }
}

#[derive(Deserialize)]
struct Params {
    tcp: Option<String>,
    url: Option<String>,
    timeout: Option<String>,
    interval: Option<String>,
}

impl Params {
    fn target(&self) -> Result<Target, Failure> {
        match (&self.tcp, &self.url) {
            (Some(address), None) => {
                let port = address
                    .rsplit_once(':')
                    .map(|(_, port)| port.parse::<u16>());
                match port {
                    Some(Ok(1..)) => Ok(Target::Port(address.clone())),
                    Some(Ok(0) | Err(_)) | None => {
                        Err(unfit(format!("`tcp`: `{address}` is not `host:port`")))
                    }
                }
            }
            (None, Some(_)) => Ok(Target::Url),
            (Some(_), Some(_)) | (None, None) => {
                Err(unfit("one of `tcp` and `url` must be given".to_owned()))
            }
        }
    }
}

enum Target {
    Port(String),
    Url,
}

/// The kind `probe`.
pub struct Probe {
    http: Arc<Http>,
    clock: Arc<dyn Clock>,
}

impl Probe {
    /// Sends its requests as `http` does, and waits by this clock.
    #[must_use]
    pub fn new(http: Arc<Http>, clock: Arc<dyn Clock>) -> Self {
        Self { http, clock }
    }

    async fn wait(&self, call: &Call) -> Result<Value, Failure> {
        let spec: Params = params::read(call)?;
        let duration = |name: &str, text: Option<&String>, otherwise: Duration| {
            text.map_or(Ok(otherwise), |text| params::period(name, text))
        };
        let timeout = duration("timeout", spec.timeout.as_ref(), TIMEOUT)?;
        let interval = duration("interval", spec.interval.as_ref(), INTERVAL)?;
        let target = spec.target()?;
        let mut last = String::new();
        let tries = async {
            let mut tries = 0_u64;
            loop {
                tries += 1;
                let once = within(self.clock.as_ref(), TRY, self.once(call, &target)).await;
                let why = match once {
                    Some(Ok(Some(status))) => {
                        return Ok(json!({ "tries": tries, "status": status }));
                    }
                    Some(Ok(None)) => return Ok(json!({ "tries": tries })),
                    Some(Err(failure)) if may_pass(failure.kind) => failure.message,
                    Some(Err(failure)) => return Err(failure),
                    None => format!("no answer within {}", format_duration(TRY)),
                };
                if why != last {
                    call.log.write(Stream::Note, format!("{why}\n").as_bytes());
                    last = why;
                }
                self.clock.sleep(interval).await;
            }
        };
        if let Some(ended) = within(self.clock.as_ref(), timeout, tries).await {
            return ended;
        }
        let limit = format_duration(timeout);
        let message = match last.is_empty() {
            true => format!("no answer within {limit}"),
            false => format!("not there within {limit}: {last}"),
        };
        Err(Failure::new(FailureKind::Timeout, message))
    }

    /// One try; the status of an answer, if there is one.
    async fn once(&self, call: &Call, target: &Target) -> Result<Option<u16>, Failure> {
        match target {
            Target::Port(address) => match TcpStream::connect(address).await {
                Ok(_) => Ok(None),
                Err(error) => {
                    let message = format!("no connection to `{address}`: {error}");
                    Err(Failure::new(FailureKind::Connect, message))
                }
            },
            Target::Url => {
                let request: Request = params::read(call)?;
                let status = self.http.status(call, request).await?;
                Ok(Some(status.as_u16()))
            }
        }
    }
}

/// Whether another try may end otherwise.
fn may_pass(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Connect | FailureKind::Status)
}

#[async_trait]
impl TaskKind for Probe {
    fn schema(&self) -> &KindSchema {
        &SCHEMA
    }

    async fn execute(&self, call: Call) -> Result<Value, Failure> {
        call.unless_cancelled(self.wait(&call)).await
    }

    async fn revert(&self, _: Call, _: Outcome) -> Result<(), Failure> {
        Ok(())
    }

    fn revert_params(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}
