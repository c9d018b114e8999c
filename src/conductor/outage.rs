//! Says once that something is away, and once that it is back.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something that a conductor needs is away.
#[derive(Debug)]
pub(super) struct Outage {
    what: &'static str,
    away: AtomicBool,
}

impl Outage {
    pub(super) fn new(what: &'static str) -> Self {
        Self {
            what,
            away: AtomicBool::new(false),
        }
    }

    /// It did not answer.
    pub(super) fn failed(&self, error: &(dyn Error + 'static)) {
        if self.away.swap(true, Ordering::Relaxed) {
            tracing::debug!(error, "the {} is still away", self.what);
        } else {
            tracing::warn!(error, "the {} is away; waiting for it", self.what);
        }
    }

    /// It answered.
    pub(super) fn answered(&self) {
        if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::Relaxed) {
            tracing::info!("the {} is back", self.what);
        }
    }
}
