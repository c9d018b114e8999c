//! The signal by which a conductor is told to end, in two stages.

use tokio_util::sync::CancellationToken;

/// Tells everything that belongs to a conductor to end. Clones are the same signal.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    in_order: CancellationToken,
    at_once: CancellationToken,
}

impl Stop {
    /// A signal that has not been given.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The first stage: claim nothing more, give running attempts the grace time, hand the jobs over.
    pub fn in_order(&self) {
        self.in_order.cancel();
    }

    /// The second stage: end the tasks at once, then hand the jobs over.
    pub fn at_once(&self) {
        self.in_order.cancel();
        self.at_once.cancel();
    }

    /// Whether either stage has been reached.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.in_order.is_cancelled()
    }

    /// Returns when the first stage is reached.
    pub async fn given(&self) {
        self.in_order.cancelled().await;
    }

    /// Returns when the second stage is reached.
    pub async fn given_at_once(&self) {
        self.at_once.cancelled().await;
    }
}
