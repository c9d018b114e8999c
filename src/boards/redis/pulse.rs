//! What those who wait have to hear: a number that rises, heard of from messages, from our own changes, and by looking.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// The pulse as this process knows it. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Pulse {
    state: Arc<watch::Sender<State>>,
    /// The changes when [`Pulse::is_news`] was last asked.
    seen: Arc<Mutex<u64>>,
}

#[derive(Default)]
struct State {
    beat: i64,
    changes: u64,
}

impl Pulse {
    /// Somebody has beaten it. What comes late is not news.
    pub(super) fn heard(&self, beat: i64) {
        self.change(|state| beat > state.beat, beat);
    }

    /// What it is, as the server says. Less than before after a loss, which is news.
    pub(super) fn read(&self, beat: i64) {
        self.change(|state| beat != state.beat, beat);
    }

    /// Messages may have been missed.
    pub(super) fn missed(&self) {
        self.state.send_modify(|state| state.changes += 1);
    }

    fn change(&self, is_news: impl Fn(&State) -> bool, beat: i64) {
        self.state.send_if_modified(|state| {
            let news = is_news(state);
            if news {
                state.beat = beat;
                state.changes += 1;
            }
            news
        });
    }

    /// To wait for the next change.
    pub(super) fn changes(&self) -> watch::Receiver<impl Sized> {
        self.state.subscribe()
    }

    /// Whether anything has changed since the last time that this was asked.
    pub(super) fn is_news(&self) -> bool {
        let now = self.state.borrow().changes;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *seen, now) != now
    }

    /// What has been so far is not news.
    pub(super) fn catch_up(&self) {
        self.is_news();
    }
}
