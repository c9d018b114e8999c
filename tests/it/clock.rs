//! A clock that goes where the test puts it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jobrunner::model::Timestamp;
use jobrunner::ports::Clock;
use tokio::sync::watch;

/// Time stands still until `advance`.
pub struct TestClock {
    now: AtomicI64,
    moved: watch::Sender<()>,
}

impl TestClock {
    /// Some time in 2026.
    pub fn new() -> Self {
        Self {
            now: AtomicI64::new(1_795_500_000_000),
            moved: watch::Sender::new(()),
        }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap();
        self.now.fetch_add(millis, Ordering::SeqCst);
        self.moved.send_replace(());
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, instant: Timestamp) {
        let mut moved = self.moved.subscribe();
        while self.now() < instant {
            moved.changed().await.unwrap();
        }
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
