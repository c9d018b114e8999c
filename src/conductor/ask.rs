//! Asking what this machine can do, without anything waiting for the answer: a slow capability holds up nobody else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::task::JoinSet;

use super::Shared;

/// So many questions are open at once at most; the others are asked when one of them is answered.
const AT_ONCE: usize = 4;

/// What a requirement lacks here; nothing if this machine can do it.
type Lacking = Option<String>;

/// The questions that are open, and what was answered since the board was looked at last.
#[derive(Default)]
pub(super) struct Questions {
    asked: JoinSet<(String, Lacking)>,
    open: BTreeSet<String>,
    answers: BTreeMap<String, Lacking>,
}

impl Questions {
    /// What is lacking for a requirement, if it is known or found out without waiting. Otherwise it is being asked:
    /// [`answered`](Self::answered) tells when to look again.
    pub(super) fn lacking(&mut self, shared: &Arc<Shared>, requires: &str) -> Option<Lacking> {
        if let Some(lacking) = self.answers.get(requires) {
            return Some(lacking.clone());
        }
        if self.open.contains(requires) || self.open.len() >= AT_ONCE {
            return None;
        }
        let (here, asked) = (Arc::clone(shared), requires.to_owned());
        let mut asking = Box::pin(async move {
            let lacking = here.capabilities.lacking(&asked).await;
            (asked, lacking)
        });
        if let Some((_, lacking)) = (&mut asking).now_or_never() {
            return Some(lacking);
        }
        self.open.insert(requires.to_owned());
        self.asked.spawn(asking);
        None
    }

    /// Waits for an answer; for ever if nothing was asked.
    pub(super) async fn answered(&mut self) {
        match self.asked.join_next().await {
            Some(Ok((requires, lacking))) => {
                self.open.remove(&requires);
                self.answers.insert(requires, lacking);
            }
            Some(Err(error)) => {
                tracing::error!(%error, "a capability could not be asked for");
                // Which one is not told: those that are still open are asked once more.
                self.open.clear();
            }
            None => std::future::pending().await,
        }
    }

    /// Whether some answers are still to come.
    pub(super) fn are_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Asks no longer: when this is over, no process of a question is left.
    pub(super) async fn end(&mut self, shared: &Shared) {
        shared.capabilities.end();
        while self.asked.join_next().await.is_some() {}
    }

    /// What was true when it was asked may not be true any more.
    pub(super) fn forget(&mut self) {
        self.answers.clear();
    }
}
