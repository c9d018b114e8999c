//! Flows in a program of one's own: its own task kinds beside those that are built in, and no command line.
//!
//! The texts of a flow and values for its store enter; where it came to rest leaves. A run takes the same path as
//! `jobrunner run FLOW`: the job is posted, and a conductor works on it. `examples/embedded.rs` shows all of it.

use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use indexmap::IndexMap;
use uuid::Uuid;

use crate::boards::MemoryBoard;
use crate::boards::sql::SqlBoard;
use crate::compile::{Input, InputProblem, Plan, compile};
use crate::conductor::{Conductor, ConductorError, Ended, Observer, Settings, Stop};
use crate::model::{Bundle, JobId, NewJob, SourceFile};
use crate::ports::{
    BoardError, Clock, JobBoard, Kinds, Notice, Store, StoreError, SystemClock, TaskKind,
};
use crate::stores::MemoryStore;
use crate::stores::sql::SqlStore;
use crate::syntax::{
    EMBEDDED, LineIndex, Problem, Refusal, Severity, Shelf, arrange, gather, is_task_kind,
};
use crate::tasks::{self, LIBRARY, guard};

/// The proof that this program can also be the guard of the processes that its flows start.
///
/// The guard is this program, started once more: it ends what a flow has started if the program dies.
#[derive(Debug, Clone)]
pub struct Guard(guard::GuardCommand);

impl Guard {
    /// To be called first in `main`. If the program was started as a guard, it is one, and this does not return.
    #[must_use]
    pub fn enter() -> Self {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        if let Some(code) = guard::main_if_asked(&arguments) {
            std::process::exit(i32::from(code != ExitCode::SUCCESS));
        }
        Self(guard::this_program())
    }
}

/// Why a flow was not run, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The flow has errors. All of them, and the warnings.
    #[error("the flow has errors:{}", all(.0))]
    Flow(Vec<String>),
    /// The values do not fit the flow's store. All that is wrong with them.
    #[error("the values do not fit the flow:{}", all(&.0.iter().map(|p| p.message.clone()).collect::<Vec<_>>()))]
    Values(Vec<InputProblem>),
    /// The store cannot be reached, or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The board cannot be reached, or refuses.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// The conductor could not go on.
    #[error(transparent)]
    Conductor(#[from] ConductorError),
}

fn all(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

/// A flow that can be run.
#[derive(Clone)]
pub struct Flow {
    bundle: Bundle,
    plan: Plan,
    warnings: Vec<String>,
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Flow").field(&self.plan.name).finish()
    }
}

impl Flow {
    /// Reads a flow. Its name is that of the file, `rooms.flow.yaml` or `rooms.flow`, whose ending tells the notation.
    ///
    /// # Errors
    /// [`RunError::Flow`]: all that is wrong with it.
    pub fn from_text(name: &str, text: &str, runner: &Runner) -> Result<Self, RunError> {
        Self::from_files([(name, text)], runner)
    }

    /// Reads a flow that uses others, or task kinds of its own: the flow first, then all that it uses, by their paths
    /// from its folder (`notify.flow.yaml`, `tasks/greet.task.yaml`). No file is opened.
    ///
    /// # Errors
    /// [`RunError::Flow`]: all that is wrong with it.
    pub fn from_files<'t>(
        files: impl IntoIterator<Item = (&'t str, &'t str)>,
        runner: &Runner,
    ) -> Result<Self, RunError> {
        let file = |(path, text): (&str, &str)| SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let files: Vec<SourceFile> = files.into_iter().map(file).collect();
        let mut shelf = Given(files.clone());
        let bundle = Bundle {
            version: 1,
            files: files.into_iter().take(1).collect(),
        };
        let schemas: Vec<_> = runner.kinds.schemas().collect();
        let names: Vec<&str> = schemas.iter().map(|schema| schema.name).collect();
        let gathered = gather(bundle, &names, &mut shelf);
        let mut problems = gathered.problems;
        let plan = gathered.flow.and_then(|declaration| {
            let (plan, more) = compile(&declaration, &schemas);
            problems.extend(more);
            plan
        });
        let problems = arrange(problems);
        let has_errors = problems.iter().any(|one| one.severity == Severity::Error);
        let told = told(&gathered.bundle, &problems);
        match plan {
            Some(plan) if !has_errors => Ok(Self {
                bundle: gathered.bundle,
                plan,
                warnings: told,
            }),
            Some(_) | None => Err(RunError::Flow(told)),
        }
    }

    /// What is wrong with it, although it can be run.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What is to be done, for those who want to look at it.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// Problems in one line each: `rooms.flow.yaml:4:7: error[unknown-key]: …`.
fn told(bundle: &Bundle, problems: &[Problem]) -> Vec<String> {
    let line = |problem: &Problem| {
        let file = bundle.files.get(usize::from(problem.span.file));
        let place = file.map_or_else(String::new, |file| {
            let position = LineIndex::new(&file.text).position(problem.span.start);
            format!("{}:{position}: ", file.path)
        });
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let help = problem.help.as_deref();
        let help = help.map_or_else(String::new, |help| format!(" ({help})"));
        format!(
            "{place}{severity}[{}]: {}{help}",
            problem.code, problem.message
        )
    };
    problems.iter().map(line).collect()
}

/// The files that were given with a flow, and the library.
struct Given(Vec<SourceFile>);

impl Shelf for Given {
    fn read(&mut self, path: &str) -> Result<Option<SourceFile>, Refusal> {
        if let Some(name) = path.strip_prefix(EMBEDDED) {
            let mut library = LIBRARY.iter();
            let found = library.find(|(kind, _)| name == format!("tasks/{kind}.task.yaml"));
            return Ok(found.map(|(_, text)| SourceFile {
                path: path.to_owned(),
                text: (*text).to_owned(),
            }));
        }
        let path = path.strip_prefix("./").unwrap_or(path);
        Ok(self.0.iter().find(|file| file.path == path).cloned())
    }

    fn kinds(&mut self, _: &str) -> Vec<String> {
        let given = self.0.iter().filter_map(|file| {
            let name = file.path.strip_prefix("tasks/")?;
            is_task_kind(name).then(|| crate::syntax::file_stem(name).to_owned())
        });
        let library = LIBRARY.iter().map(|(name, _)| (*name).to_owned());
        given.chain(library).collect()
    }

    fn flows(&mut self, _: &str) -> Vec<String> {
        self.0.iter().map(|file| file.path.clone()).collect()
    }
}

/// Runs flows in this program, one call after the other or side by side.
pub struct Runner {
    settings: Settings,
    store: Arc<dyn Store>,
    board: Arc<dyn JobBoard>,
    kinds: Kinds,
    observer: Option<Arc<dyn Observer>>,
}

impl Runner {
    /// Keeps its jobs in memory: they end with the program.
    #[must_use]
    pub fn in_memory(guard: &Guard) -> Self {
        let board = MemoryBoard::new(Arc::new(SystemClock));
        Self::new(guard, Arc::new(MemoryStore::new()), Arc::new(board))
    }

    /// Keeps its jobs in a database: `sqlite://jobs.db`, or a URL of MySQL, MariaDB or PostgreSQL. If the program dies,
    /// a conductor that knows the same task kinds goes on with them: [`Conductor::run`].
    ///
    /// # Errors
    /// [`RunError::Store`] or [`RunError::Board`]: the database cannot be reached.
    pub async fn open(guard: &Guard, url: &str) -> Result<Self, RunError> {
        let store = SqlStore::open(url).await?;
        let board = SqlBoard::open_on_server_time(url, Arc::new(SystemClock)).await?;
        Ok(Self::new(guard, Arc::new(store), Arc::new(board)))
    }

    fn new(guard: &Guard, store: Arc<dyn Store>, board: Arc<dyn JobBoard>) -> Self {
        let settings = Settings::new(None, fastrand::u64(..));
        let builtin = tasks::Settings::new(
            settings.id.0.clone(),
            guard.0.clone(),
            Arc::new(SystemClock),
        );
        Self {
            settings,
            store,
            board,
            kinds: tasks::builtin(builtin),
            observer: None,
        }
    }

    /// Adds a task kind; one of the same name is replaced.
    #[must_use]
    pub fn with_kind(mut self, kind: impl TaskKind + 'static) -> Self {
        self.kinds.add(Arc::new(kind));
        self
    }

    /// Tells somebody what happens, as it happens.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Where its jobs are kept: what was done, what was put out, and requests to cancel or suspend.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Runs a flow until it is at rest: done, undone, or waiting for a person.
    ///
    /// # Errors
    /// The values do not fit, or the store or the board cannot be reached. That a flow is undone is no error.
    pub async fn run<N: Into<String>, V: Into<Input>>(
        &self,
        flow: &Flow,
        values: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Ended, RunError> {
        let values = values.into_iter();
        let given: IndexMap<String, Input> = values.map(|(n, v)| (n.into(), v.into())).collect();
        let plan = flow.plan.clone().with_inputs(&given);
        let plan = plan.map_err(RunError::Values)?;
        let job = NewJob {
            id: JobId(Uuid::now_v7()),
            name: plan.name.clone(),
            key: None,
            bundle: flow.bundle.clone(),
            digest: plan.digest.clone(),
            inputs: plan.inputs.clone(),
            secrets: plan.secrets.clone(),
            requires: serde_json::Value::Array(plan.capabilities.clone()).to_string(),
            priority: plan.priority,
            created_at: SystemClock.now(),
        };
        self.store.create(&job).await?;
        let notice = Notice {
            job: job.id,
            priority: job.priority,
            requires: job.requires.clone(),
        };
        // Posted as claimed by this conductor already: no other one can be faster.
        let settings = &self.settings;
        let lease = (&settings.id, settings.lease);
        self.board.post(&notice, Some(lease)).await?;
        let conductor = Conductor::new(
            settings.clone(),
            Arc::clone(&self.store),
            Arc::clone(&self.board),
            self.kinds.clone(),
            Arc::new(SystemClock),
            self.observer.clone(),
        );
        Ok(conductor.run_job(job.id, Stop::new()).await?)
    }
}
