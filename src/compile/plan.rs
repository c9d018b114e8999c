//! The plan: a flow as a graph of atoms, with every name bound. What the scheduler and the engine work from.

use std::sync::Arc;

use indexmap::IndexMap;
use petgraph::graph::DiGraph;
use serde::Serialize;

use super::{Expression, Origins, Template};
use crate::model::{
    AtomId, Declared, Digest, Duration, Failure, FailureKind, IfInterrupted, Priority, ScopeId,
    SecretSource, SkipDepth, Value,
};

/// A compiled flow. A pure function of its bundle and inputs.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The flow's name.
    pub name: String,
    /// One line about it.
    pub about: Option<String>,
    /// The atoms, in file order; each scope's atoms stand together, its start gate and its controller first.
    pub atoms: Vec<Atom>,
    /// The scopes, outer before inner; the first is the flow.
    pub scopes: Vec<Scope>,
    /// What must be done before what: node `n` is atom `n`. An edge's weight is the names that go along it,
    /// none if it is order only.
    pub graph: DiGraph<AtomId, Vec<String>>,
    /// The store as declared, in file order.
    pub store: IndexMap<String, Declared>,
    /// The values of the store names, all but secrets.
    pub inputs: IndexMap<String, Value>,
    /// Where the secrets are read from.
    pub secrets: IndexMap<String, SecretSource>,
    /// The lists that the copies of matrices provide.
    pub lists: Vec<Vec<Origin>>,
    /// The values that sub-flows and task kinds are given, and what is told by them. One needs only those before it.
    pub computed: Vec<Computed>,
    /// Where the secrets of sub-flows are read from that nothing gives them, by full name.
    pub inner_secrets: IndexMap<String, (SecretSource, Declared)>,
    /// What the flow hands out at its end.
    pub provides: Vec<Binding>,
    /// How long the whole flow may take.
    pub timeout: Option<Duration>,
    /// What a conductor must be able to do, as the flow asks for it.
    pub requirements: Vec<Requirement>,
    /// The same as a list of `name` or `{name: argument}`, arguments rendered; empty before the inputs are given.
    pub capabilities: Vec<Value>,
    /// The job's priority on the board.
    pub priority: Priority,
    /// Tells this plan from any other; empty before the inputs are given.
    pub digest: Digest,
    /// What it is compiled from again when its inputs are given: there if they decide which tasks there are.
    pub(super) origins: Option<Arc<Origins>>,
}

/// Something that a conductor must be able to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Requirement {
    /// Its name.
    pub name: String,
    /// Its argument.
    pub argument: Option<Template>,
    /// The names that the argument needs: of the store, or told by them.
    pub needs: Vec<Binding>,
}

/// What a node of the graph is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum AtomKind {
    /// A task.
    Task(Box<Task>),
    /// The retry controller of its scope.
    Retry(Box<Retry>),
    /// The start of a group: nothing runs and nothing is recorded; done when all before it are done.
    Start,
    /// The end of a group, likewise.
    End,
}

/// A node of the graph: a task, a retry controller, or one of a group's two gates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Atom {
    /// Its full name: `build.compile`; a controller's is its scope's with `[retry]` behind it, a gate's with
    /// `[start]` or `[end]`.
    pub name: String,
    /// The scope that it stands in. A controller and gates stand in the scope that they belong to.
    pub scope: ScopeId,
    /// What it is.
    pub kind: AtomKind,
}

/// A scope: the flow, a group, or a task with a retry of its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scope {
    /// Its full name; the flow's own name for the flow.
    pub name: String,
    /// The scope around it; `None` for the flow.
    pub parent: Option<ScopeId>,
    /// Its first atom.
    pub first: AtomId,
    /// The atom after its last: a scope is a range of atoms.
    pub end: AtomId,
    /// Its retry controller. A group with a `timeout` or `allow_failure` and no `retry` has one that tries once.
    pub controller: Option<AtomId>,
    /// Whether it is a group (or the flow), with gates, and not just a task with a retry of its own.
    pub group: bool,
    /// How many of its tasks may run at once.
    pub max_parallel: Option<u32>,
    /// How long one attempt of the scope may take.
    pub timeout: Option<Duration>,
    /// If it fails for good, it is undone and the flow goes on.
    pub allow_failure: bool,
    /// The group's condition, evaluated when its start gate is reached.
    pub when: Option<Expression>,
    /// How far a skip of the group goes.
    pub skips: SkipDepth,
    /// The names that its `when` needs.
    pub needs: Vec<Binding>,
    /// One line about it.
    pub about: Option<String>,
    /// What it comes from.
    pub form: Form,
}

/// What a scope comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Form {
    /// Tasks that stand in it: the flow, a group, a task with a retry.
    Tasks,
    /// A matrix: its members are copies.
    Matrix,
    /// A sub-flow of that name.
    Flow(String),
    /// A task kind of that name, of several tasks.
    Kind(String),
}

/// One side of a task: a kind and its parameters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Action {
    /// The kind's name.
    pub kind: String,
    /// Its parameters: a mapping; `env` and `dir` are in it for kinds that run processes.
    pub params: Template,
    /// What must hold of its result: an expression over it.
    pub check: Option<Expression>,
    /// What is made of its result; `None` if it stays as it is.
    pub result: Option<Reshaped>,
    /// The names that the parameters and expressions need.
    pub needs: Vec<Binding>,
}

/// What a task kind makes of the result of what it is made of: expressions over it, and its parameters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Reshaped {
    /// One value.
    Value(Expression),
    /// A mapping.
    Fields(IndexMap<String, Expression>),
}

/// What undoes a task, as the flow writes it out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reversal {
    /// What is done.
    pub action: Action,
    /// How often it is tried.
    pub retry: Option<Retry>,
    /// How long one try may take.
    pub timeout: Option<Duration>,
}

/// What a task waits for that does nothing else.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Wait {
    /// A duration (text) or an instant (RFC 3339 text), as a template.
    Instant(Template),
    /// A person's answer.
    Person,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Task {
    /// One line about it.
    pub about: Option<String>,
    /// The task kind that it is of, if that is written in the language.
    pub written: Option<String>,
    /// The execute side.
    pub execute: Action,
    /// The revert side, if the flow writes one out.
    pub revert: Option<Reversal>,
    /// For a kind that only waits: what for.
    pub wait: Option<Wait>,
    /// Its condition.
    pub when: Option<Expression>,
    /// The names that the condition needs.
    pub when_needs: Vec<Binding>,
    /// How far a skip of it goes.
    pub skips: SkipDepth,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// What it provides: name, and the expression over the result that gives it (`None`: the whole result).
    pub provides: IndexMap<String, Option<Expression>>,
    /// What is done with it if its conductor dies while it runs.
    pub if_interrupted: IfInterrupted,
    /// Its failure is noted, and the flow goes on.
    pub allow_failure: bool,
    /// It is stopped when what it stands in begins to unwind.
    pub stop_on_unwind: bool,
    /// Its place among tasks that are ready at once.
    pub priority: Priority,
}

impl Task {
    /// Whether there is nothing to revert because the task failed before anything was done: a secret could not be
    /// read, its parameters could not be worked out, or a program that its kind needs was not installed. An attempt
    /// before that one, on another machine, may have done something; then there was more than one for a generation.
    #[must_use]
    pub fn has_done_nothing(&self, failure: &Failure, generation: u32) -> bool {
        let never_called = matches!(failure.kind, FailureKind::Template | FailureKind::Secret);
        let flows_own = self.revert.is_some() && self.written.is_none();
        let lacked_its_tool = failure.kind == FailureKind::MissingTool && !flows_own;
        failure.attempt <= generation + 1 && (never_called || lacked_its_tool)
    }
}

/// How many times a retry tries, and with what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum RetryTries {
    /// So many executions in all.
    Times(u32),
    /// One execution for each value of a list.
    ForEach(Template),
}

/// A retry controller.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retry {
    /// How many times, with what.
    pub tries: RetryTries,
    /// What the current value or attempt is called.
    pub variable: Option<String>,
    /// The wait before the second try.
    pub delay: Duration,
    /// By what the wait grows with every further try; at least 1.
    pub backoff: f64,
    /// The longest wait.
    pub max_delay: Option<Duration>,
    /// By what share of itself a wait may be longer or shorter at random: 0 to 1.
    pub jitter: f64,
    /// An expression over `failure` that must hold for another try.
    pub on: Option<Expression>,
    /// When it has nothing more to try, no outer controller is asked: the whole flow reverts.
    pub revert_all: bool,
    /// The names that `for_each` and `on` need.
    pub needs: Vec<Binding>,
}

/// A name that something uses, and where its value comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Binding {
    /// The name in expressions.
    pub name: String,
    /// Where its value comes from.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Origin {
    /// `Plan::inputs[name]`.
    Input,
    /// `Plan::secrets[name]` or `Plan::inner_secrets[name]`, read by the engine when it is used.
    Secret(String),
    /// What a task provides under `name` (as the task itself calls it).
    Provided {
        /// The task.
        atom: AtomId,
        /// The name in the task's `provides`.
        name: String,
    },
    /// The current value of a retry controller.
    Retry(AtomId),
    /// `Plan::lists[n]`: what the copies of a matrix provide, in their order.
    List(u32),
    /// A value that is known: of one copy of a matrix, or a default of a sub-flow.
    Literal(Value),
    /// `Plan::computed[n]`.
    Computed(u32),
}

/// A value that is made of others when it is used: what a sub-flow or a task kind is given.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Computed {
    /// What it is called, for messages: `port` of `deploy`.
    pub name: String,
    /// Its value.
    pub template: Template,
    /// The names that it needs. `flow`, `task` and `conductor` are there too, if they are where it is used.
    pub needs: Vec<Binding>,
    /// What it must be.
    pub declared: Option<Declared>,
}

/// How a value is given to a post: by `--set`, `--set-json`, `--secret`.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Text to be read as the declared type.
    Text(String),
    /// A value.
    Value(Value),
    /// Where a secret is read from.
    Secret(SecretSource),
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Value> for Input {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl From<SecretSource> for Input {
    fn from(source: SecretSource) -> Self {
        Self::Secret(source)
    }
}

impl Task {
    /// The kind that the flow names.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.written.as_ref().unwrap_or(&self.execute.kind)
    }

    /// A task with nothing but an execute side.
    #[must_use]
    pub fn new(execute: Action) -> Self {
        Self {
            about: None,
            written: None,
            execute,
            revert: None,
            wait: None,
            when: None,
            when_needs: Vec::new(),
            skips: SkipDepth::All,
            timeout: None,
            provides: IndexMap::new(),
            if_interrupted: IfInterrupted::Rerun,
            allow_failure: false,
            stop_on_unwind: false,
            priority: Priority::Normal,
        }
    }
}

impl Reversal {
    /// Whether it uses what the task `own` itself provides. If that task gave no result, there is nothing to name.
    #[must_use]
    pub fn uses_result_of(&self, own: AtomId) -> bool {
        let own = |origin: &Origin| match origin {
            Origin::Provided { atom, .. } => *atom == own,
            Origin::Input
            | Origin::Secret(_)
            | Origin::Retry(_)
            | Origin::List(_)
            | Origin::Literal(_)
            | Origin::Computed(_) => false,
        };
        self.action.needs.iter().any(|binding| own(&binding.origin))
    }
}

impl Plan {
    /// A flow of atoms that all stand in the flow itself, without a store: for programs that build plans by hand.
    #[must_use]
    pub fn flat(name: &str, atoms: Vec<Atom>, graph: DiGraph<AtomId, Vec<String>>) -> Self {
        let end = AtomId(atoms.len() as u32);
        Self {
            name: name.to_owned(),
            about: None,
            atoms,
            scopes: vec![Scope {
                name: name.to_owned(),
                parent: None,
                first: AtomId(0),
                end,
                controller: None,
                group: true,
                max_parallel: None,
                timeout: None,
                allow_failure: false,
                when: None,
                skips: SkipDepth::All,
                needs: Vec::new(),
                about: None,
                form: Form::Tasks,
            }],
            graph,
            store: IndexMap::new(),
            inputs: IndexMap::new(),
            secrets: IndexMap::new(),
            lists: Vec::new(),
            computed: Vec::new(),
            inner_secrets: IndexMap::new(),
            provides: Vec::new(),
            timeout: None,
            requirements: Vec::new(),
            capabilities: Vec::new(),
            priority: Priority::Normal,
            digest: Digest(name.to_owned()),
            origins: None,
        }
    }

    /// The atom of that id.
    #[must_use]
    pub fn atom(&self, id: AtomId) -> &Atom {
        &self.atoms[id.index()]
    }

    /// The scope of that id.
    #[must_use]
    pub fn scope(&self, id: ScopeId) -> &Scope {
        &self.scopes[id.index()]
    }

    /// The task of that id, if the atom is one.
    #[must_use]
    pub fn task(&self, id: AtomId) -> Option<&Task> {
        match &self.atom(id).kind {
            AtomKind::Task(task) => Some(task),
            AtomKind::Retry(_) | AtomKind::Start | AtomKind::End => None,
        }
    }
}
