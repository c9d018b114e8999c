//! The states of atoms and flows, and which transitions are legal.
//!
//! The states are TaskFlow's (<https://docs.openstack.org/taskflow/latest/user/states.html>),
//! with `STUCK` and `INTERRUPTED` for what a person must decide and `ABANDONED` for what one gave up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an atom stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
pub enum AtomState {
    /// Not started, or put back by a retry.
    #[default]
    Pending,
    /// Its execute side runs, or ran when its conductor died.
    Running,
    /// Its execute side succeeded.
    Success,
    /// Its execute side failed.
    Failure,
    /// Its revert side runs, or ran when its conductor died.
    Reverting,
    /// Undone.
    Reverted,
    /// Its revert side failed: a person must decide.
    RevertFailure,
    /// Skipped. Counts as done for what follows, and nothing of it is reverted.
    Ignore,
    /// Its conductor died while it ran, and it must not run again by itself: a person must decide.
    Interrupted,
    /// A retry controller that is about to try again.
    Retrying,
}

/// What is meant to happen to an atom.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
pub enum Intention {
    /// To be executed.
    #[default]
    Execute,
    /// To be reverted.
    Revert,
    /// A retry controller whose scope unwinds so that it can be tried again.
    Retry,
    /// To be passed over: skipped, or a failure that is allowed.
    Ignore,
}

/// Where a flow stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
pub enum FlowState {
    /// Posted, not started.
    #[default]
    Pending,
    /// Going forward.
    Running,
    /// The whole flow is being undone.
    Reverting,
    /// Stopped between two steps, by request; goes on with `resume`.
    Suspended,
    /// Every atom is done. An end.
    Success,
    /// All that was started has been undone. An end.
    Reverted,
    /// Something could not be undone, or must not run again by itself: a person must decide.
    Stuck,
    /// A person gave it up with something not undone. An end.
    Abandoned,
}

impl FlowState {
    /// Nothing happens to the flow any more.
    #[must_use]
    pub fn is_end(self) -> bool {
        match self {
            Self::Success | Self::Reverted | Self::Abandoned => true,
            Self::Pending | Self::Running | Self::Reverting | Self::Suspended | Self::Stuck => {
                false
            }
        }
    }

    /// No conductor works on it until somebody asks for it.
    #[must_use]
    pub fn is_at_rest(self) -> bool {
        self.is_end() || matches!(self, Self::Suspended | Self::Stuck)
    }
}

/// Whether an atom may go from one state to another. All else is a corrupt checkpoint.
///
/// `Running` to `Running` and `Reverting` to `Reverting` are a rerun after the conductor died.
#[must_use]
pub fn atom_may_become(from: AtomState, to: AtomState) -> bool {
    use AtomState::*;
    match from {
        Pending => matches!(to, Running | Ignore),
        Running => matches!(to, Running | Success | Failure | Interrupted | Reverting),
        Success => matches!(to, Reverting | Retrying),
        Failure => matches!(to, Reverting),
        Reverting => matches!(to, Reverting | Reverted | RevertFailure),
        Reverted | Ignore => matches!(to, Pending | Ignore),
        RevertFailure => matches!(to, Reverting | Reverted | Pending | Ignore),
        Interrupted => matches!(to, Running | Reverting | Reverted | Pending | Ignore),
        Retrying => matches!(to, Running | Reverting),
    }
}

/// Whether a flow may go from one state to another. All else is a corrupt checkpoint.
#[must_use]
pub fn flow_may_become(from: FlowState, to: FlowState) -> bool {
    use FlowState::*;
    match from {
        Pending => matches!(to, Running | Suspended | Reverting),
        Running => matches!(to, Reverting | Suspended | Success | Stuck),
        Reverting => matches!(to, Suspended | Reverted | Stuck | Abandoned),
        Suspended => {
            matches!(
                to,
                Suspended | Running | Reverting | Success | Reverted | Stuck | Abandoned
            )
        }
        Stuck => matches!(to, Stuck | Running | Reverting | Abandoned),
        Success | Reverted | Abandoned => false,
    }
}

macro_rules! text {
    ($type:ty { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $type {
            /// The word for it, as the store, the output and TaskFlow write it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads that word.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

text!(AtomState {
    Pending = "PENDING",
    Running = "RUNNING",
    Success = "SUCCESS",
    Failure = "FAILURE",
    Reverting = "REVERTING",
    Reverted = "REVERTED",
    RevertFailure = "REVERT_FAILURE",
    Ignore = "IGNORE",
    Interrupted = "INTERRUPTED",
    Retrying = "RETRYING",
});

text!(Intention {
    Execute = "EXECUTE",
    Revert = "REVERT",
    Retry = "RETRY",
    Ignore = "IGNORE",
});

text!(FlowState {
    Pending = "PENDING",
    Running = "RUNNING",
    Reverting = "REVERTING",
    Suspended = "SUSPENDED",
    Success = "SUCCESS",
    Reverted = "REVERTED",
    Stuck = "STUCK",
    Abandoned = "ABANDONED",
});
