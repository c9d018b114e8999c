//! Why something failed, in a form that flows can ask about and stores can keep.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The class of a failure, as `failure.kind` in a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A process ended with a code other than 0.
    Exit,
    /// A process was ended by a signal.
    Signal,
    /// An attempt, a group or the flow took longer than its `timeout`.
    Timeout,
    /// An HTTP answer had a status that was not expected.
    Status,
    /// `check` did not hold.
    Check,
    /// A server could not be reached, or the connection broke.
    Connect,
    /// The program to be run is not installed.
    MissingTool,
    /// Stopped by `cancel`, or because the flow began to unwind.
    Cancelled,
    /// A person said no.
    Denied,
    /// The conductor died while it ran.
    Interrupted,
    /// A template or expression could not be evaluated with the values at hand.
    Template,
    /// A result, a body or an argument was larger than its limit.
    TooLarge,
    /// Output that was to be JSON was not, or did not have what `provides` asks for.
    Result,
    /// A secret could not be read.
    Secret,
    /// A retry had nothing to try: `for_each` over an empty list, or over no list.
    Retry,
    /// The operating system refused: no permission, no such folder, no memory.
    System,
    /// A task kind of one's own gave another reason.
    Other,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Exit => "exit",
            Self::Signal => "signal",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Check => "check",
            Self::Connect => "connect",
            Self::MissingTool => "missing_tool",
            Self::Cancelled => "cancelled",
            Self::Denied => "denied",
            Self::Interrupted => "interrupted",
            Self::Template => "template",
            Self::TooLarge => "too_large",
            Self::Result => "result",
            Self::Secret => "secret",
            Self::Retry => "retry",
            Self::System => "system",
            Self::Other => "other",
        };
        f.pad(text)
    }
}

/// One failure. `failure` in a revert and in `retry.on` has these fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Its class.
    pub kind: FailureKind,
    /// What happened, for a person. Secrets are masked in it.
    pub message: String,
    /// The task that failed; the scheduler fills it in.
    #[serde(default)]
    pub task: String,
    /// Which attempt of it, from 1; the scheduler fills it in.
    #[serde(default)]
    pub attempt: u32,
    /// The exit code of a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl Failure {
    /// A failure of `kind`; whoever knows the task and the attempt adds them.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            task: String::new(),
            attempt: 0,
            exit_code: None,
            status: None,
        }
    }

    /// Whether there is nothing to revert because the task failed before anything was done: a secret could not be
    /// read, its parameters could not be worked out, or a program that it needs was not installed. An attempt before
    /// that one, on another machine, may have done something; then there was more than one for a generation.
    #[must_use]
    pub fn is_of_nothing_done(&self, generation: u32) -> bool {
        let before = matches!(
            self.kind,
            FailureKind::Template | FailureKind::Secret | FailureKind::MissingTool
        );
        before && self.attempt <= generation + 1
    }

    /// What a side that was told to stop ends with.
    #[must_use]
    pub fn stopped() -> Self {
        Self::new(FailureKind::Cancelled, "stopped")
    }
}
