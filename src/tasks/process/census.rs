//! Looking at all processes of the machine, without holding up the runtime, and once for all who ask at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::tree::Snapshot;

/// Takes snapshots. Who asks while one is being taken shares the next.
#[derive(Debug, Default)]
pub struct Census {
    latest: Mutex<Option<(Instant, Arc<Snapshot>)>>,
}

impl Census {
    /// What runs at a moment after this call; `None` where that cannot be seen.
    pub async fn look(self: &Arc<Self>) -> Option<Arc<Snapshot>> {
        let census = Arc::clone(self);
        let asked = Instant::now();
        let look = tokio::task::spawn_blocking(move || census.since(asked));
        look.await.ok().flatten()
    }

    fn since(&self, asked: Instant) -> Option<Arc<Snapshot>> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((begun, snapshot)) = &*latest
            && *begun >= asked
        {
            return Some(Arc::clone(snapshot));
        }
        let begun = Instant::now();
        let snapshot = Arc::new(Snapshot::take()?);
        *latest = Some((begun, Arc::clone(&snapshot)));
        Some(snapshot)
    }
}
