//! What a rehearsal tells: plain values, the same in JSON and on the screen.

use serde::{Deserialize, Serialize};

use crate::model::{FlowState, Phase};

/// The version of the JSON form.
pub const VERSION: u32 = 1;

/// All that a rehearsal has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// The flow's name.
    pub flow: String,
    /// The play in which every task succeeds.
    pub success: Success,
    /// The tasks, in file order.
    pub tasks: Vec<Rehearsed>,
    /// The conductor dies while the flow goes forward, every task succeeding.
    pub dies_forward: Deaths,
    /// The conductor dies while the flow is undone; `None` if no single failure undoes the flow.
    pub dies_backward: Option<Deaths>,
    /// What was taken for granted, for results were not there.
    pub assumptions: Vec<Assumption>,
    /// What an author may want to change.
    pub warnings: Vec<Warning>,
    /// How many plays there were.
    pub plays: u64,
    /// How many tasks were made to fail, if not all of them: a large flow is sampled.
    pub sampled: Option<usize>,
}

/// The play in which every task succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Success {
    /// Where it ends; `None` if it was not played to its end.
    pub end: Option<FlowState>,
    /// The tasks in the order in which they start; those of one group start at once.
    pub order: Vec<Vec<String>>,
    /// Why it does not end SUCCESS, if it does not.
    pub cause: Option<String>,
    /// How long its delays and sleeps take, in milliseconds.
    pub waits_ms: u64,
}

/// A task, and what becomes of the flow if something happens to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsed {
    /// Its full name.
    pub task: String,
    /// Its kind.
    pub kind: String,
    /// Where it stands in the file.
    pub place: Option<Place>,
    /// Whether it runs if all succeeds; with these values, it may be skipped.
    pub runs: bool,
    /// What becomes of its effect when it is undone.
    pub effect: Effect,
    /// Its first execution fails, and those after that succeed. `None` if it was not played.
    pub fails_once: Option<Ending>,
    /// Every execution of it fails. `None` if it was not played.
    pub fails: Option<Ending>,
    /// Its revert fails whenever it is tried. `None` if there is none that could fail.
    pub revert_fails: Option<RevertFails>,
    /// The conductor dies while it runs. `None` if it was not played.
    pub conductor_dies: Option<Interrupted>,
}

/// What becomes of a task's effect when it is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It only waits: there is none.
    None,
    /// Its revert undoes it.
    Undone,
    /// Nothing is written to undo it: it stays.
    Left,
}

/// How a play ends in which something fails.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ending {
    /// Where the flow ends; `None` if it was not played to its end (very many tries).
    pub end: Option<FlowState>,
    /// How many times the task in question was executed.
    pub executions: u32,
    /// The scopes that were tried again, and how many tries they had in all.
    pub retried: Vec<Retried>,
    /// The tasks whose revert ran the last time that anything was undone, in that order.
    pub undone: Vec<String>,
    /// The tasks that have been undone, but whose effect stays: nothing is written to undo it.
    pub left: Vec<String>,
    /// The tasks that wait for a person.
    pub stuck: Vec<String>,
    /// The tasks whose effects still stand while the flow is STUCK, besides those that are stuck.
    pub standing: Vec<String>,
    /// How long its delays and sleeps take, in milliseconds.
    pub waits_ms: u64,
}

/// A scope that is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// Its name: that of a group, a task, or the flow.
    pub scope: String,
    /// How many tries it had, the first included; those before an outer retry began anew count too.
    pub tries: u32,
}

/// What becomes of the flow if a revert fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevertFails {
    /// The task whose failure makes it revert.
    pub because_of: String,
    /// How many times the revert is tried.
    pub tries: u32,
    /// How the flow ends.
    pub ending: Ending,
}

/// What becomes of a task whose conductor dies while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupted {
    /// What the next conductor does with it.
    pub then: Takeover,
    /// What else ran at that moment, and may be why the flow ends so.
    pub beside: Vec<String>,
    /// Where the flow ends.
    pub end: Option<FlowState>,
    /// What is undone, in that order.
    pub undone: Vec<String>,
}

/// What a conductor does with a task that it finds running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Takeover {
    /// It runs again.
    RunsAgain,
    /// It waits on for the same instant.
    WaitsOn,
    /// A person decides.
    Pauses,
    /// It counts as failed, and is undone.
    Fails,
}

/// The conductor dies after each commit of a play.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Deaths {
    /// The task that fails in that play, if one does.
    pub failing: Option<String>,
    /// After how many commits it died, each in a play of its own.
    pub played: usize,
    /// How many commits there are.
    pub commits: usize,
    /// What it ends as without a death.
    pub end: Option<FlowState>,
    /// What runs twice.
    pub runs_twice: Vec<Side>,
    /// What pauses for a person.
    pub pauses: Vec<String>,
    /// What counts as failed, and is undone.
    pub fails: Vec<String>,
    /// The deaths after which the flow ends in another way.
    pub otherwise: Vec<Otherwise>,
}

/// One side of a task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Side {
    /// The task.
    pub task: String,
    /// Which side.
    pub phase: Phase,
}

/// A death after which the flow ends in another way than without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Otherwise {
    /// After how many commits.
    pub after: usize,
    /// What ran.
    pub running: Vec<String>,
    /// Where the flow ends.
    pub end: Option<FlowState>,
}

/// Something that a rehearsal takes for granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assumption {
    /// Of which task or group.
    pub of: String,
    /// What it is about.
    pub topic: Topic,
    /// The expression whose value is not known, if it is one.
    pub text: String,
    /// Where the task or group stands in the file.
    pub place: Option<Place>,
}

/// What an assumption is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// A condition that depends on results: it holds.
    When,
    /// A list that depends on results: it has two values.
    ForEach,
    /// A sleep whose length depends on results: it takes a second.
    Sleep,
    /// `retry.on`: it holds, so that there is another try.
    On,
    /// The random part of a delay: it is left out.
    Jitter,
}

/// Something that an author may want to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What it is about.
    pub code: Code,
    /// Of which task.
    pub task: String,
    /// Where the task stands in the file.
    pub place: Option<Place>,
    /// What happens.
    pub what: String,
    /// What to write.
    pub write: String,
}

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Even if every task succeeds, the flow does not end SUCCESS.
    NeverSucceeds,
    /// Nothing undoes the effect of a task.
    EffectLeft,
    /// A single failure of a revert leaves the flow STUCK.
    RevertTriedOnce,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file's path, as the author would name it.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}
