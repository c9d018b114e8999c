//! The words by which a flow says who goes first, how far a skip goes, and what an interruption means.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who goes first among jobs on the board and among tasks that are ready at once.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Priority {
    /// First.
    VeryHigh,
    /// Before most.
    High,
    /// As most.
    #[default]
    Normal,
    /// After most.
    Low,
    /// Last.
    VeryLow,
}

impl Priority {
    /// From first to last.
    pub const ALL: [Self; 5] = [
        Self::VeryHigh,
        Self::High,
        Self::Normal,
        Self::Low,
        Self::VeryLow,
    ];

    /// The word that flows and the command line use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VeryHigh => "very_high",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
            Self::VeryLow => "very_low",
        }
    }

    /// Reads that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == text)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How far a skip goes. TaskFlow's decider depths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipDepth {
    /// Everything that comes after.
    #[default]
    All,
    /// What comes after within its flow or group.
    Flow,
    /// Itself and the tasks that come directly after it.
    Neighbors,
    /// Itself alone.
    Task,
}

/// What is done with a task that was RUNNING when its conductor died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IfInterrupted {
    /// It runs again, with the same key.
    #[default]
    Rerun,
    /// It counts as failed, and is reverted.
    Revert,
    /// A person decides.
    Pause,
}
