//! The kind `approve`: waits until a person says yes or no. The question goes to the task's log, the answer comes with
//! the call.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use super::params;
use crate::model::{
    Answer, Failure, FailureKind, KindSchema, Operator, Param, Shape, Value, Waits,
};
use crate::ports::{Call, Outcome, Stream, TaskKind};

const SCHEMA: KindSchema = KindSchema {
    name: "approve",
    about: "waits until a person says yes or no",
    params: &[
        Param {
            name: "message",
            shape: Shape::Text,
            required: true,
            about: "what is asked",
        },
        Param {
            name: "from",
            shape: Shape::Text,
            required: false,
            about: "who is asked: shown, not enforced",
        },
    ],
    shorthand: Some("message"),
    process: false,
    result: &["by", "at", "reason"],
    whole: Some("by"),
    waits: Waits::Person,
};

#[derive(Deserialize)]
struct Params {
    message: String,
    from: Option<String>,
}

/// The kind `approve`.
pub struct Approve;

#[async_trait]
impl TaskKind for Approve {
    fn schema(&self) -> &KindSchema {
        &SCHEMA
    }

    async fn execute(&self, call: Call) -> Result<Value, Failure> {
        let params: Params = params::read(&call)?;
        let question = match params.from.as_deref() {
            None | Some("") => format!("asks: {}\n", params.message),
            Some(from) => format!("asks {from}: {}\n", params.message),
        };
        call.log.write(Stream::Note, question.as_bytes());
        let Some(mut answer) = call.answer else {
            let what = "nobody can be asked here";
            return Err(Failure::new(FailureKind::Other, what));
        };
        let answered = async {
            let answer = answer.wait_for(Option::is_some).await;
            answer.ok().and_then(|answer| answer.clone())
        };
        tokio::select! {
            biased;
            // Without one, whoever would have handed it on is gone, and ends the call.
            Some(answer) = answered => result(answer),
            () = call.cancel.cancelled() => {
                Err(Failure::new(FailureKind::Cancelled, "stopped before there was an answer"))
            }
        }
    }

    async fn revert(&self, _: Call, _: Outcome) -> Result<(), Failure> {
        Ok(())
    }

    fn revert_params(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}

fn result(answer: Answer) -> Result<Value, Failure> {
    let Operator { who, why } = answer.by;
    if answer.approved {
        return Ok(json!({ "by": who, "at": answer.at.to_string(), "reason": why }));
    }
    let what = match why.as_str() {
        "" => format!("denied by {who}"),
        why => format!("denied by {who}: {why}"),
    };
    Err(Failure::new(FailureKind::Denied, what))
}
