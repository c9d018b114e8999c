//! Time, as something that is asked for.

use async_trait::async_trait;

use crate::model::{Duration, Timestamp};

/// Tells the time and waits for it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The instant now.
    fn now(&self) -> Timestamp;
    /// Returns at `instant`; at once if it is past.
    async fn sleep_until(&self, instant: Timestamp);
    /// Returns after `duration`, whatever the clock is set to in the meantime.
    async fn sleep(&self, duration: Duration);
}

/// What `future` gives, or `None` if it takes longer than `limit`; it is dropped then.
pub async fn within<T>(
    clock: &dyn Clock,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        given = future => Some(given),
        () = clock.sleep(limit) => None,
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }

    async fn sleep_until(&self, instant: Timestamp) {
        loop {
            let left = instant.since(self.now());
            if left.is_zero() {
                return;
            }
            // An hour at most at a time, so that a clock that is set is noticed.
            tokio::time::sleep(left.min(Duration::from_secs(3600))).await;
        }
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
