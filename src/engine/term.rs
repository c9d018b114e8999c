//! Until when a job is certainly this conductor's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;

use crate::model::Timestamp;
use crate::ports::Clock;

/// The instant until which nobody else can have begun with a job. Clones are the same term.
#[derive(Debug, Clone)]
pub struct Term(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    until: AtomicI64,
    extended: Notify,
}

impl Term {
    /// A term that ends at an instant, if it is not extended.
    #[must_use]
    pub fn new(until: Timestamp) -> Self {
        Self(Arc::new(Inner {
            until: AtomicI64::new(until.0),
            extended: Notify::new(),
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
    pub async fn lasts(&self, clock: &dyn Clock) {
        loop {
            let mut extended = std::pin::pin!(self.0.extended.notified());
            extended.as_mut().enable();
            if clock.now() < self.until() {
                return;
            }
            extended.await;
        }
    }
}
