//! Says once that something is away, and once that it is back.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::Observer;

/// What was asked of it. On a full disk all can still be read, and that is no sign that it is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// To tell something.
    Read,
    /// To keep something. If it does that, it can tell as well.
    Write,
}

/// Whether something that a conductor needs is away.
pub(super) struct Outage {
    what: &'static str,
    observer: Option<Arc<dyn Observer>>,
    away: Mutex<Away>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Away {
    reads: bool,
    writes: bool,
}

impl Outage {
    pub(super) fn new(what: &'static str, observer: Option<Arc<dyn Observer>>) -> Self {
        Self {
            what,
            observer,
            away: Mutex::default(),
        }
    }

    /// It did not do it.
    pub(super) fn failed(&self, access: Access, error: &(dyn Error + 'static)) {
        let mut away = self.away();
        if away.reads || away.writes {
            tracing::debug!(error, "the {} is still away", self.what);
        } else {
            tracing::warn!(error, "the {} is away; waiting for it", self.what);
            if let Some(observer) = &self.observer {
                observer.away(self.what, error);
            }
        }
        match access {
            Access::Read => away.reads = true,
            Access::Write => away.writes = true,
        }
    }

    /// It did it.
    pub(super) fn answered(&self, access: Access) {
        let mut away = self.away();
        let before = away.reads || away.writes;
        away.reads = false;
        if access == Access::Write {
            away.writes = false;
        }
        if before && !away.writes {
            tracing::info!("the {} is back", self.what);
            if let Some(observer) = &self.observer {
                observer.back(self.what);
            }
        }
    }

    fn away(&self) -> MutexGuard<'_, Away> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use tracing::field::{Field, Visit};
    use tracing::span;

    use super::*;

    /// Keeps what is said, level and message.
    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<String>>>);

    impl tracing::Subscriber for Said {
        fn enabled(&self, about: &tracing::Metadata<'_>) -> bool {
            *about.level() <= tracing::Level::INFO
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            struct Message(String);
            impl Visit for Message {
                fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                    if field.name() == "message" {
                        self.0 = format!("{value:?}");
                    }
                }
            }
            let mut message = Message(String::new());
            event.record(&mut message);
            self.0.lock().unwrap().push(message.0);
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn a_full_disk_is_told_once_though_it_can_be_read_and_once_more_when_it_takes_something() {
        let said = Said::default();
        tracing::subscriber::with_default(said.clone(), || {
            let store = Outage::new("store", None);
            let full = io::Error::other("the disk is full");
            store.answered(Access::Read);
            for _ in 0..3 {
                store.failed(Access::Write, &full);
                store.answered(Access::Read);
            }
            store.failed(Access::Read, &full);
            store.answered(Access::Read);
            store.answered(Access::Write);
            store.answered(Access::Write);
        });
        let said = said.0.lock().unwrap();
        assert_eq!(
            *said,
            ["the store is away; waiting for it", "the store is back"]
        );
    }

    #[test]
    fn what_could_not_be_read_is_back_when_it_can_be() {
        let said = Said::default();
        tracing::subscriber::with_default(said.clone(), || {
            let board = Outage::new("job board", None);
            board.failed(Access::Read, &io::Error::other("it is not there"));
            board.answered(Access::Read);
        });
        let said = said.0.lock().unwrap();
        assert_eq!(
            *said,
            [
                "the job board is away; waiting for it",
                "the job board is back"
            ]
        );
    }
}
