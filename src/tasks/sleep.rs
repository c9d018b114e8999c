//! The kind `sleep`: waits until an instant that the checkpoint holds, so a sleep survives its conductor.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;

use super::params;
use crate::model::{Failure, FailureKind, KindSchema, Param, Shape, Timestamp, Value};
use crate::ports::{Call, Clock, Outcome, TaskKind};

const SCHEMA: KindSchema = KindSchema {
    name: "sleep",
    about: "waits for a duration or until an instant",
    params: &[
        Param {
            name: "duration",
            shape: Shape::Duration,
            required: false,
            about: "how long",
        },
        Param {
            name: "until",
            shape: Shape::Instant,
            required: false,
            about: "until when (RFC 3339)",
        },
    ],
    shorthand: Some("duration"),
    process: false,
    result: &[],
    whole: None,
    waits: true,
};

#[derive(Deserialize)]
struct Params {
    duration: Option<String>,
    until: Option<String>,
}

/// The kind `sleep`.
pub struct Sleep(Arc<dyn Clock>);

impl Sleep {
    /// Waits by this clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(clock)
    }

    /// The instant that the parameters say, for a call that comes without one.
    fn instant(&self, spec: &Params) -> Result<Timestamp, Failure> {
        match (&spec.duration, &spec.until) {
            (Some(text), _) => Ok(self.0.now().plus(params::duration("duration", text)?)),
            (None, Some(text)) => text
                .parse::<jiff::Timestamp>()
                .map(|instant| Timestamp(instant.as_millisecond()))
                .map_err(|_| params::unfit(format!("`until`: `{text}` is not an instant"))),
            (None, None) => Err(params::unfit(
                "neither `duration` nor `until` is given".to_owned(),
            )),
        }
    }
}

#[async_trait]
impl TaskKind for Sleep {
    fn schema(&self) -> &KindSchema {
        &SCHEMA
    }

    async fn execute(&self, call: Call) -> Result<Value, Failure> {
        let until = match call.until {
            Some(until) => until,
            None => self.instant(&params::read(&call)?)?,
        };
        tokio::select! {
            biased;
            () = call.cancel.cancelled() => {
                Err(Failure::new(FailureKind::Cancelled, "stopped"))
            }
            () = self.0.sleep_until(until) => Ok(Value::Null),
        }
    }

    async fn revert(&self, _: Call, _: Outcome) -> Result<(), Failure> {
        Ok(())
    }
}
