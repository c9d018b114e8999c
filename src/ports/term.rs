//! Until when a job is certainly this conductor's.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;

use super::Clock;
use crate::model::Timestamp;

/// The instant until which nobody else can have begun with a job. Clones are the same term.
#[derive(Debug, Clone)]
pub struct Term(Arc<Inner>);

struct Inner {
    until: AtomicI64,
    extended: Notify,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

impl Term {
    /// A term that ends at an instant, if it is not extended.
    #[must_use]
    pub fn new(until: Timestamp, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            until: AtomicI64::new(until.0),
            extended: Notify::new(),
            clock,
        }))
    }

    /// When it ends, as far as is known.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        Timestamp(self.0.until.load(Ordering::SeqCst))
    }

    /// Lets it end at another instant.
    pub fn extend(&self, until: Timestamp) {
        self.0.until.store(until.0, Ordering::SeqCst);
        self.0.extended.notify_waiters();
    }

    /// Returns at once while the term lasts; past its end, when it has been extended. A conductor that was frozen for
    /// longer than its lease finds out here that its job may be in other hands, before it does anything with it.
    pub async fn lasts(&self) {
        loop {
            let mut extended = std::pin::pin!(self.0.extended.notified());
            extended.as_mut().enable();
            if self.0.clock.now() < self.until() {
                return;
            }
            extended.await;
        }
    }
}
