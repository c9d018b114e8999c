//! Until when a job is certainly this conductor's.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

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
            let mut extended = pin!(self.0.extended.notified());
            extended.as_mut().enable();
            if !self.is_over() {
                return;
            }
            extended.await;
        }
    }

    /// Does `work`, whose steps are taken while the term lasts only, until it is cancelled: what is then still done of
    /// it is its end. So a conductor that was frozen in the middle of it takes no other step when it wakes up.
    pub async fn bounds<T>(&self, cancel: &CancellationToken, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        // Looked at before each step.
        let is_over = || !cancel.is_cancelled() && self.is_over();
        loop {
            let over = poll_fn(|_| {
                if is_over() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            tokio::select! {
                biased;
                () = over => {}
                done = &mut work => return done,
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => {}
                () = self.lasts() => {}
            }
        }
    }

    /// Whether somebody else may have begun with the job.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.clock.now() >= self.until()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::task::{Context, Waker};

    use super::*;
    use crate::ports::SystemClock;

    #[test]
    fn past_its_end_no_step_is_taken_until_it_is_extended_or_the_work_is_cancelled() {
        let term = Term::new(Timestamp(i64::MAX), Arc::new(SystemClock));
        let cancel = CancellationToken::new();
        let steps = Cell::new(0);
        let work = poll_fn(|_| {
            steps.set(steps.get() + 1);
            Poll::<()>::Pending
        });
        let mut bound = pin!(term.bounds(&cancel, work));
        let mut look = || {
            let mut context = Context::from_waker(Waker::noop());
            assert!(bound.as_mut().poll(&mut context).is_pending());
            steps.get()
        };
        assert_eq!([look(), look()], [1, 2]);
        term.extend(Timestamp(0));
        assert_eq!([look(), look()], [2, 2]);
        term.extend(Timestamp(i64::MAX));
        assert_eq!([look(), look()], [3, 4]);
        term.extend(Timestamp(0));
        assert_eq!(look(), 4);
        cancel.cancel();
        assert_eq!([look(), look()], [5, 6]);
    }
}
