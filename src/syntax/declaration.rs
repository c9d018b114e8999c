//! What a flow file declares, before any name is looked up.

use super::{Library, Node};
use crate::model::{Declared, Duration, IfInterrupted, Priority, SkipDepth, Span, Spanned};

/// A flow.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowDeclaration {
    /// Its name; the file's if it does not say.
    pub name: Spanned<String>,
    /// One line about it.
    pub about: Option<String>,
    /// The store, in file order.
    pub store: Vec<(Spanned<String>, Declared)>,
    /// Its tasks.
    pub body: Body,
    /// What it hands out.
    pub provides: Vec<Spanned<String>>,
    /// Its retry.
    pub retry: Option<RetryDeclaration>,
    /// How long the whole flow may take.
    pub timeout: Option<Spanned<Duration>>,
    /// How many of its tasks may run at once.
    pub max_parallel: Option<Spanned<u32>>,
    /// The folder of its processes: text with templates.
    pub dir: Option<Node>,
    /// The environment of its processes: text with templates.
    pub env: Vec<(Spanned<String>, Node)>,
    /// What a conductor must be able to do.
    pub capabilities: Vec<CapabilityDeclaration>,
    /// Its priority.
    pub priority: Priority,
    /// The declarations of the other files that it uses; they are all here, in the flow that is not part of another.
    pub library: Library,
}

impl FlowDeclaration {
    /// A flow that says nothing but its name and its tasks.
    #[must_use]
    pub fn new(name: Spanned<String>, body: Body) -> Self {
        Self {
            name,
            about: None,
            store: Vec::new(),
            body,
            provides: Vec::new(),
            retry: None,
            timeout: None,
            max_parallel: None,
            dir: None,
            env: Vec::new(),
            capabilities: Vec::new(),
            priority: Priority::default(),
            library: Library::default(),
        }
    }
}

/// A task kind that is written in the language.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskKindDeclaration {
    /// Its name: the kind key.
    pub name: Spanned<String>,
    /// One line about it.
    pub about: Option<String>,
    /// Its parameters, in file order, with types as in a store.
    pub params: Vec<(Spanned<String>, Declared)>,
    /// The parameter that a bare value stands for.
    pub shorthand: Option<Spanned<String>>,
    /// The programs that must be installed where it runs.
    pub requires: Vec<Spanned<String>>,
    /// What it does.
    pub form: TaskKindForm,
    /// How it is used, for its page.
    pub example: Option<String>,
}

/// What a task kind that is written in the language does.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskKindForm {
    /// One task: what `execute` and `revert` say.
    Task {
        /// Its two sides.
        task: Box<TaskDeclaration>,
        /// What it gives back; without it, what the kind of `execute` does.
        result: Option<ResultDeclaration>,
    },
    /// Several tasks: a sub-flow, whose store the parameters are.
    Tasks(Box<FlowDeclaration>),
}

/// What a task kind gives back: expressions over the result of its `execute`, and its parameters.
#[derive(Debug, Clone, PartialEq)]
pub enum ResultDeclaration {
    /// One value.
    Value(Spanned<String>),
    /// A mapping of fields.
    Fields(Vec<(Spanned<String>, Spanned<String>)>),
}

/// Tasks in an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// In what order.
    pub order: Order,
    /// The tasks, in file order, names unique.
    pub tasks: Vec<TaskDeclaration>,
}

/// In what order the tasks of a body run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// A mapping: each as soon as what it needs is there.
    Graph,
    /// A list: one after the other.
    List,
}

/// A task or a group.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskDeclaration {
    /// Its name.
    pub name: Spanned<String>,
    /// What it is.
    pub kind: KindDeclaration,
    /// One line about it.
    pub about: Option<String>,
    /// What must come before it.
    pub needs: Vec<Spanned<String>>,
    /// What it provides.
    pub provides: ProvidesDeclaration,
    /// What undoes it.
    pub revert: Option<RevertDeclaration>,
    /// Its retry.
    pub retry: Option<RetryDeclaration>,
    /// Its condition: an expression.
    pub when: Option<Spanned<String>>,
    /// How far a skip of it goes.
    pub skips: Option<Spanned<SkipDepth>>,
    /// How long one attempt may take.
    pub timeout: Option<Spanned<Duration>>,
    /// What happens if its conductor dies while it runs.
    pub if_interrupted: Option<Spanned<IfInterrupted>>,
    /// Its failure is noted, and the flow goes on.
    pub allow_failure: bool,
    /// It is stopped when the flow begins to revert.
    pub stop_on_unwind: bool,
    /// The folder of its process.
    pub dir: Option<Node>,
    /// The environment of its process.
    pub env: Vec<(Spanned<String>, Node)>,
    /// Its place among tasks that are ready at once.
    pub priority: Option<Priority>,
    /// How many of its tasks may run at once (groups, and tasks with a matrix).
    pub max_parallel: Option<Spanned<u32>>,
    /// The values of which each combination has a copy of the task.
    pub matrix: Option<MatrixDeclaration>,
}

impl TaskDeclaration {
    /// A task that says nothing but what it is.
    #[must_use]
    pub fn new(name: Spanned<String>, kind: KindDeclaration) -> Self {
        Self {
            name,
            kind,
            about: None,
            needs: Vec::new(),
            provides: ProvidesDeclaration::Nothing,
            revert: None,
            retry: None,
            when: None,
            skips: None,
            timeout: None,
            if_interrupted: None,
            allow_failure: false,
            stop_on_unwind: false,
            dir: None,
            env: Vec::new(),
            priority: None,
            max_parallel: None,
            matrix: None,
        }
    }
}

/// What a task is.
#[derive(Debug, Clone, PartialEq)]
pub enum KindDeclaration {
    /// A kind key and what stands under it.
    Call {
        /// The key.
        kind: Spanned<String>,
        /// What stands under it.
        params: Node,
    },
    /// `tasks:`, a group.
    Group(Body),
    /// `flow:`, a sub-flow from another file.
    Flow {
        /// Its file or its name, as it is written.
        reference: Spanned<String>,
        /// What it is given: its store.
        with: Vec<(Spanned<String>, Node)>,
    },
}

/// What a task provides.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ProvidesDeclaration {
    /// Nothing.
    #[default]
    Nothing,
    /// The whole result, under one name.
    Whole(Spanned<String>),
    /// Parts of the result: name and expression.
    Parts(Vec<(Spanned<String>, Spanned<String>)>),
    /// Of a group or a sub-flow: which inner names the outside may use.
    Inner(Vec<Spanned<String>>),
}

/// What undoes a task.
#[derive(Debug, Clone, PartialEq)]
pub struct RevertDeclaration {
    /// A kind key of its own, or `None`: the same kind as the task's.
    pub kind: Option<Spanned<String>>,
    /// What stands under the kind key.
    pub params: Node,
    /// How often it is tried.
    pub retry: Option<RetryDeclaration>,
    /// How long one try may take.
    pub timeout: Option<Spanned<Duration>>,
    /// The folder of its process.
    pub dir: Option<Node>,
    /// The environment of its process.
    pub env: Vec<(Spanned<String>, Node)>,
}

/// A matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixDeclaration {
    /// Where its key stands.
    pub key: Span,
    /// The names, each with its values: a list, or one template.
    pub axes: Vec<(Spanned<String>, Node)>,
}

/// A retry.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryDeclaration {
    /// How many times, or over what.
    pub tries: TriesDeclaration,
    /// What the current value or attempt is called.
    pub variable: Option<Spanned<String>>,
    /// The wait before the second try; none by default.
    pub delay: Duration,
    /// By what the wait grows; 1 by default.
    pub backoff: f64,
    /// The longest wait.
    pub max_delay: Option<Duration>,
    /// The random share of a wait; 0 by default. `jitter: true` is 0.5.
    pub jitter: f64,
    /// Whether another attempt makes sense: an expression over `failure`.
    pub on: Option<Spanned<String>>,
    /// No outer retry is asked.
    pub revert_all: bool,
}

/// How many times, or over what.
#[derive(Debug, Clone, PartialEq)]
pub enum TriesDeclaration {
    /// So many executions in all; at least 1.
    Times(u32),
    /// One for each value: a list, or one template.
    ForEach(Node),
}

/// Something that a conductor must be able to do.
#[derive(Debug, Clone, PartialEq)]
pub struct CapabilityDeclaration {
    /// Its name.
    pub name: Spanned<String>,
    /// Its argument: a tree with templates.
    pub argument: Option<Node>,
}
