//! The kind `sleep`: waits until an instant that the checkpoint holds, so a sleep survives its conductor.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;

use super::params;
use crate::model::{Failure, KindSchema, Param, Shape, Timestamp, Value, Waits};
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
    waits: Waits::Instant,
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
        let sleeping = async {
            self.0.sleep_until(until).await;
            Ok(Value::Null)
        };
        call.unless_cancelled(sleeping).await
    }

    async fn revert(&self, _: Call, _: Outcome) -> Result<(), Failure> {
        Ok(())
    }

    fn revert_params(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::sync::watch;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::model::{Epoch, FailureKind, JobId, Phase};
    use crate::ports::{LogSink, Stream, SystemClock, Term};

    /// A clock that is set by hand.
    struct Hand(watch::Sender<i64>);

    #[async_trait]
    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp(*self.0.borrow())
        }

        async fn sleep_until(&self, instant: Timestamp) {
            let mut now = self.0.subscribe();
            now.wait_for(|now| *now >= instant.0).await.unwrap();
        }

        async fn sleep(&self, duration: std::time::Duration) {
            self.sleep_until(self.now().plus(duration)).await;
        }
    }

    struct Nowhere;

    impl LogSink for Nowhere {
        fn write(&self, _: Stream, _: &[u8]) {}
    }

    fn call(spec: Value, until: Option<i64>) -> Call {
        Call {
            job: JobId(uuid::Uuid::nil()),
            task: "wait".to_owned(),
            phase: Phase::Execute,
            key: "job/1/0".to_owned(),
            attempt: 1,
            epoch: Epoch(1),
            spec,
            deadline: None,
            until: until.map(Timestamp),
            interrupted: false,
            answer: None,
            cancel: CancellationToken::new(),
            term: Term::new(Timestamp(i64::MAX), Arc::new(SystemClock)),
            log: Arc::new(Nowhere),
        }
    }

    /// Sleeps from 1000 on; returns whether it ended before the clock showed `end`, and at `end`.
    async fn ends(call: Call, end: i64) -> (bool, bool) {
        let clock = Arc::new(Hand(watch::channel(1000).0));
        let sleep = Sleep::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let mut sleeping = sleep.execute(call);
        clock.0.send_replace(end - 1);
        let before = futures_util::poll!(&mut sleeping).is_ready();
        if before {
            return (true, true);
        }
        clock.0.send_replace(end);
        (false, futures_util::poll!(&mut sleeping).is_ready())
    }

    #[tokio::test]
    async fn it_waits_for_the_instant_of_the_checkpoint_whatever_the_parameters_say() {
        let call = call(json!({"duration": "9s"}), Some(4000));
        assert_eq!(ends(call, 4000).await, (false, true));
    }

    #[tokio::test]
    async fn an_instant_that_is_past_is_not_waited_for() {
        assert_eq!(ends(call(json!({}), Some(999)), 1001).await, (true, true));
    }

    #[tokio::test]
    async fn without_an_instant_the_parameters_count() {
        let until = json!({"until": "1970-01-01T00:00:05Z"});
        assert_eq!(ends(call(until, None), 5000).await, (false, true));
        let clock = Arc::new(Hand(watch::channel(1000).0));
        let sleep = Sleep::new(clock);
        for spec in [
            json!({}),
            json!({"until": "soon"}),
            json!({"duration": "9"}),
        ] {
            let failure = sleep.execute(call(spec, None)).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Template);
        }
    }

    #[tokio::test]
    async fn it_ends_early_when_it_is_cancelled() {
        let call = call(json!({}), Some(4000));
        call.cancel.cancel();
        let sleep = Sleep::new(Arc::new(Hand(watch::channel(1000).0)));
        let failure = sleep.execute(call).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Cancelled);
    }
}
