//! Machines whose clocks disagree: a lease is as long for one as for the other.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jobrunner::boards::sql::SqlBoard;
use jobrunner::model::{ConductorId, JobId, Timestamp};
use jobrunner::ports::{Clock, JobBoard, Notice, Registration, SystemClock};

use crate::servers::{Kind, Server};

each_server! {
    a_clock_that_is_ahead_takes_no_job_from_a_live_conductor,
}

const HOUR: Duration = Duration::from_secs(3600);

/// A clock that somebody has set wrong.
struct Ahead;

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(HOUR)
    }

    async fn sleep_until(&self, instant: Timestamp) {
        SystemClock
            .sleep_until(Timestamp(instant.0 - 3_600_000))
            .await;
    }

    async fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration).await;
    }
}

async fn a_clock_that_is_ahead_takes_no_job_from_a_live_conductor(kind: Kind) {
    let url = Server::shared(kind).await.database().await;
    let right = SqlBoard::open_on_server_time(&url, Arc::new(SystemClock))
        .await
        .unwrap();
    let ahead = SqlBoard::open_on_server_time(&url, Arc::new(Ahead))
        .await
        .unwrap();
    let [one, other] = ["one", "other"].map(|name| ConductorId(name.to_owned()));
    let notice = Notice {
        job: JobId(uuid::Uuid::from_u128(1)),
        priority: Default::default(),
        requires: "[]".to_owned(),
    };
    let (ttl, able) = (Duration::from_secs(600), ["[]".to_owned()]);
    right.post(&notice, None).await.unwrap();
    right.claim(&one, &able, ttl).await.unwrap().unwrap();
    assert_eq!(ahead.claim(&other, &able, ttl).await.unwrap(), None);
    assert!(ahead.next_expiry().await.unwrap().unwrap() <= ttl);
    assert_eq!(
        ahead.renew(&one, &[notice.job], ttl).await.unwrap(),
        [notice.job]
    );
    assert_eq!(right.claim(&other, &able, ttl).await.unwrap(), None);
    // What is told of others is told in one's own time.
    let registration = Registration {
        id: one.clone(),
        name: "one".to_owned(),
        host: "here".to_owned(),
        since: SystemClock.now(),
        jobs: 1,
        max_jobs: 1,
        max_tasks: 1,
        lease_ttl_ms: 1000,
        labels: Vec::new(),
        capabilities: Vec::new(),
        lacks: Default::default(),
    };
    right.register(&registration, HOUR).await.unwrap();
    let near = |there: Timestamp, clock: &dyn Clock| (there.0 - clock.now().0).abs() < 1_200_000;
    for (board, clock) in [(&right, &SystemClock as &dyn Clock), (&ahead, &Ahead)] {
        let seen = board.conductors().await.unwrap()[0].seen_at;
        let (_, until) = board.snapshot(1).await.unwrap()[0].lease.clone().unwrap();
        assert!(near(seen, clock) && near(until, clock), "{seen} {until}");
    }
}
