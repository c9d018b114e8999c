//! The keys of a flow: where each may stand, what stands behind it, and what it is for.
//!
//! One table, for the reader of flows, for the schema that editors check by, and for what they show. The kinds of
//! tasks and their parameters are the catalog's.

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// At the top of the file.
    Flow,
    /// On a task or group.
    Task,
    /// Under `retry`.
    Retry,
    /// Under `revert`, beside its kind.
    Revert,
    /// Under a name in `store`.
    Store,
    /// At the top of the file of a task kind.
    Kind,
    /// Under `execute` of a task kind.
    Execute,
}

/// A key, where it may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyInfo {
    /// The key.
    pub name: &'static str,
    /// What stands behind it.
    pub takes: Takes,
    /// A sentence about it.
    pub about: &'static str,
}

/// What stands behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A name.
    Name,
    /// A list of names.
    Names,
    /// Text in which nothing is filled in.
    Line,
    /// Text with templates.
    Text,
    /// An expression.
    Expression,
    /// `true` or `false`.
    Bool,
    /// A whole number, at least 1.
    Count,
    /// A number, at least 1.
    Factor,
    /// A share from 0 to 1, or a bool.
    Share,
    /// A duration.
    Duration,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A mapping of names to text with templates.
    Env,
    /// A list of capabilities.
    Capabilities,
    /// A mapping of names to types or defaults.
    Store,
    /// A mapping or a list of tasks.
    Tasks,
    /// On a task a name, or names and expressions; on a group a list of names.
    Provides,
    /// A value for the task's own kind, or a mapping with a kind.
    Revert,
    /// A mapping, see [`Level::Retry`].
    Retry,
    /// A list, or one template that is one.
    Values,
    /// A mapping of names to values, each a list or one template.
    Matrix,
    /// The path of another flow.
    SubFlow,
    /// A mapping of names to values.
    With,
    /// A type.
    Type,
    /// A value of the type that is declared.
    Value,
    /// A list of values of the type that is declared.
    OneOf,
    /// A bound of the type that is declared.
    Bound,
    /// A regular expression.
    Pattern,
    /// Where a secret is read from.
    Source,
}

const PRIORITIES: Takes = Takes::Word(&["very_high", "high", "normal", "low", "very_low"]);

const FLOW: [KeyInfo; 12] = [
    key(
        "flow",
        Takes::Name,
        "The flow's name; without it, the file's.",
    ),
    key(
        "about",
        Takes::Line,
        "One line for people: what the flow does.",
    ),
    key(
        "store",
        Takes::Store,
        "What can be set when the flow is posted: names, types, defaults.",
    ),
    key(
        "tasks",
        Takes::Tasks,
        "A mapping: each task starts as soon as what it needs is there. A list: one after the other.",
    ),
    key(
        "provides",
        Takes::Names,
        "Names that are printed when the flow has succeeded, and that whoever uses it as a sub-flow may use.",
    ),
    key(
        "retry",
        Takes::Retry,
        "Tries the whole flow again when something in it fails for good.",
    ),
    key(
        "timeout",
        Takes::Duration,
        "How long the whole flow may take, retries included.",
    ),
    key(
        "max_parallel",
        Takes::Count,
        "How many of its tasks may run at once; without it, as many as are ready.",
    ),
    key("dir", Takes::Text, "The folder of all its processes."),
    key(
        "env",
        Takes::Env,
        "Environment variables of all its processes.",
    ),
    key(
        "capabilities",
        Takes::Capabilities,
        "What a conductor must be able to do before it may claim the job.",
    ),
    key("priority", PRIORITIES, "Which jobs are claimed first."),
];

const TASK: [KeyInfo; 20] = [
    key(
        "name",
        Takes::Name,
        "The task's name, in a list of tasks; in a mapping, the key is the name.",
    ),
    key(
        "about",
        Takes::Line,
        "One line for people: what the task does.",
    ),
    key(
        "needs",
        Takes::Names,
        "Tasks and groups that must be done before. For order only: whatever it uses, it waits for anyway.",
    ),
    key(
        "provides",
        Takes::Provides,
        "A name for its result, or names with expressions over the result; on a group, the inner names that the outside may use.",
    ),
    key(
        "revert",
        Takes::Revert,
        "What undoes it: a value for its own kind, or a mapping with a kind of its own.",
    ),
    key(
        "retry",
        Takes::Retry,
        "Tries it again when it fails, before anything else is undone.",
    ),
    key(
        "when",
        Takes::Expression,
        "An expression: if it is false the task is skipped, and with it what `skips` says.",
    ),
    key(
        "skips",
        Takes::Word(&["all", "flow", "neighbors", "task"]),
        "How far a skip goes: to all that comes after it (the default), within its group or flow, to what comes directly after it, or no further.",
    ),
    key("timeout", Takes::Duration, "How long one attempt may take."),
    key(
        "matrix",
        Takes::Matrix,
        "One copy of the task for each combination of values, side by side.",
    ),
    key("with", Takes::With, "What the sub-flow's store is set to."),
    key(
        "if_interrupted",
        Takes::Word(&["rerun", "revert", "pause"]),
        "If its conductor dies while it runs: run it again (the default), count it as failed, or let a person decide.",
    ),
    key(
        "allow_failure",
        Takes::Bool,
        "If it fails for good, the flow goes on.",
    ),
    key(
        "stop_on_unwind",
        Takes::Bool,
        "When what it stands in is about to be undone: stop it now, instead of letting it finish first.",
    ),
    key(
        "env",
        Takes::Env,
        "Environment variables of its process, or of all processes in the group.",
    ),
    key(
        "dir",
        Takes::Text,
        "The folder of its process, or of all processes in the group.",
    ),
    key(
        "priority",
        PRIORITIES,
        "Which of the tasks that are ready at once starts first.",
    ),
    key(
        "max_parallel",
        Takes::Count,
        "How many of a group's tasks, or of a matrix's copies, may run at once.",
    ),
    key(
        "tasks",
        Takes::Tasks,
        "A group: tasks of its own, as a mapping or a list.",
    ),
    key(
        "flow",
        Takes::SubFlow,
        "A sub-flow: the path of another flow, beside this one.",
    ),
];

const RETRY: [KeyInfo; 9] = [
    key(
        "times",
        Takes::Count,
        "How many executions in all: `times: 3` is one and two more.",
    ),
    key(
        "for_each",
        Takes::Values,
        "A value for each attempt, in order, until one succeeds.",
    ),
    key(
        "as",
        Takes::Name,
        "What the value of the attempt is called; with `times`, its number, from 1.",
    ),
    key(
        "delay",
        Takes::Duration,
        "The wait before the second attempt; none without it.",
    ),
    key(
        "backoff",
        Takes::Factor,
        "What the wait is multiplied by each time; at least 1.",
    ),
    key("max_delay", Takes::Duration, "The longest wait."),
    key(
        "jitter",
        Takes::Share,
        "The share of a wait that is random, from 0 to 1; `true` is 0.5.",
    ),
    key(
        "on",
        Takes::Expression,
        "An expression over `failure` that must be true for another attempt.",
    ),
    key(
        "revert_all",
        Takes::Bool,
        "When there is no other attempt, the whole flow reverts and no retry further out is asked.",
    ),
];

const REVERT: [KeyInfo; 4] = [
    key(
        "retry",
        Takes::Retry,
        "Tries the revert again when it fails: `times`, with a `delay`.",
    ),
    key(
        "timeout",
        Takes::Duration,
        "How long one try of the revert may take.",
    ),
    key("env", Takes::Env, "Environment variables of its process."),
    key("dir", Takes::Text, "The folder of its process."),
];

const STORE: [KeyInfo; 9] = [
    key(
        "type",
        Takes::Type,
        "What may be set; without it, the type of the default or of `one_of`.",
    ),
    key(
        "default",
        Takes::Value,
        "The value if none is set; without it the name must be set.",
    ),
    key(
        "about",
        Takes::Line,
        "One line for people, shown by `jobrunner post FLOW --help`.",
    ),
    key("one_of", Takes::OneOf, "The values that are allowed."),
    key(
        "min",
        Takes::Bound,
        "The least value; for text and lists, the least length.",
    ),
    key(
        "max",
        Takes::Bound,
        "The greatest value; for text and lists, the greatest length.",
    ),
    key(
        "pattern",
        Takes::Pattern,
        "A regular expression that the whole text must match.",
    ),
    key(
        "secret",
        Takes::Bool,
        "Its value is never written anywhere.",
    ),
    key(
        "from",
        Takes::Source,
        "Where the conductor reads it from when it is used: `env:NAME` or `file:PATH`.",
    ),
];

const KIND: [KeyInfo; 17] = [
    key(
        "task",
        Takes::Name,
        "The name of the task kind, which is its file's.",
    ),
    key(
        "about",
        Takes::Line,
        "One line for people: what such a task does.",
    ),
    key(
        "params",
        Takes::Store,
        "Its parameters: names, types, defaults.",
    ),
    key(
        "shorthand",
        Takes::Name,
        "The parameter that a bare value stands for.",
    ),
    key(
        "requires",
        Takes::Names,
        "Programs that must be installed where it runs.",
    ),
    key(
        "execute",
        Takes::Revert,
        "What it does: one task of a kind that is built in.",
    ),
    key("revert", Takes::Revert, "What undoes it."),
    key(
        "result",
        Takes::Provides,
        "What it gives back: an expression over the result of `execute`, or names with expressions.",
    ),
    key(
        "if_interrupted",
        Takes::Word(&["rerun", "revert", "pause"]),
        "If its conductor dies while it runs, and the task does not say otherwise.",
    ),
    key(
        "stop_on_unwind",
        Takes::Bool,
        "When what it stands in is about to be undone: stop it now, instead of letting it finish first.",
    ),
    key(
        "timeout",
        Takes::Duration,
        "How long one attempt may take, if the task does not say otherwise.",
    ),
    key("env", Takes::Env, "Environment variables of its processes."),
    key("dir", Takes::Text, "The folder of its processes."),
    key(
        "tasks",
        Takes::Tasks,
        "What it does, if that is several tasks.",
    ),
    key(
        "provides",
        Takes::Names,
        "With `tasks`: the names that whoever uses it may use.",
    ),
    key(
        "retry",
        Takes::Retry,
        "With `tasks`: tries them again when one fails for good.",
    ),
    key("example", Takes::Line, "How it is used, for its page."),
];

const fn key(name: &'static str, takes: Takes, about: &'static str) -> KeyInfo {
    KeyInfo { name, takes, about }
}

impl Level {
    /// Every level of a flow's file.
    pub const ALL: [Self; 5] = [
        Self::Flow,
        Self::Task,
        Self::Retry,
        Self::Revert,
        Self::Store,
    ];

    /// The keys that mean something there, kind keys aside, in the order in which they are documented.
    #[must_use]
    pub fn keys(self) -> &'static [KeyInfo] {
        match self {
            Self::Flow => &FLOW,
            Self::Task => &TASK,
            Self::Retry => &RETRY,
            Self::Revert => &REVERT,
            Self::Store => &STORE,
            Self::Kind => &KIND,
            Self::Execute => &[],
        }
    }

    /// The key of that name.
    #[must_use]
    pub fn key(self, name: &str) -> Option<&'static KeyInfo> {
        self.keys().iter().find(|key| key.name == name)
    }

    /// What has these keys, in words.
    #[must_use]
    pub fn owner(self) -> &'static str {
        match self {
            Self::Flow => "a flow",
            Self::Task => "a task",
            Self::Retry => "a `retry`",
            Self::Revert => "a `revert`",
            Self::Store => "a name in `store`",
            Self::Kind => "a task kind",
            Self::Execute => "`execute`",
        }
    }

    /// Whether a task's kind may stand there.
    #[must_use]
    pub fn has_kinds(self) -> bool {
        matches!(self, Self::Task | Self::Revert | Self::Execute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Priority;

    #[test]
    fn each_key_stands_once_on_its_level_and_is_told_in_a_sentence() {
        for level in Level::ALL {
            for (at, key) in level.keys().iter().enumerate() {
                assert!(key.about.ends_with('.'), "{}", key.name);
                let first = level.keys().iter().position(|k| k.name == key.name);
                assert_eq!(first, Some(at), "{}", key.name);
            }
        }
        let words = Priority::ALL.map(Priority::as_str);
        assert!(matches!(PRIORITIES, Takes::Word(known) if known == words));
    }
}
