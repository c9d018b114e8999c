//! `cancel`, `suspend`, `resume`, `retry`, `mark-reverted`, `abandon`: a person's word on a job.
//!
//! The word is put into the store and a notice on the board; a conductor carries it out. What happens next is said.

use clap::Args;

use super::backend::Backend;
use super::config::Config;
use super::logs::known_task;
use super::report::{Error, Exit, Result};
use super::source::plan_of;
use super::{job, report};
use crate::model::{FlowState, Operator, Verb};
use crate::ports::{Clock, JobSummary, Notice, Request, SystemClock};

/// What a request about a whole job takes.
#[derive(Debug, Args)]
pub struct Whole {
    /// The beginning of the job's id
    job: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
}

/// What a decision about what is stuck takes.
#[derive(Debug, Args)]
pub struct Part {
    /// The beginning of the job's id
    job: String,
    /// One task alone, by its full name [default: all that wait for a decision]
    task: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
}

/// Asks that all of a job be undone.
///
/// # Errors
/// There is no such job, or it is at an end.
pub async fn cancel(config: &Config, arguments: Whole) -> Result {
    let (backend, found) = find(config, &arguments.job).await?;
    if found.flow.reverting && found.flow.state == FlowState::Reverting {
        report::hint(&format!("`{}` is being undone already", found.name))?;
    }
    let request = Request::Cancel(operator(arguments.why));
    ask(&backend, &found, &request, "is to be undone").await
}

/// Asks that a job stop between two tasks.
///
/// # Errors
/// There is no such job, or it is at rest.
pub async fn suspend(config: &Config, arguments: Whole) -> Result {
    let (backend, found) = find(config, &arguments.job).await?;
    match found.flow.state {
        FlowState::Suspended => {
            return Err(
                state_error(&found, "suspended already").help("`jobrunner resume` lets it go on")
            );
        }
        FlowState::Stuck => return Err(state_error(&found, "stuck: nothing of it runs")),
        FlowState::Pending
        | FlowState::Running
        | FlowState::Reverting
        | FlowState::Success
        | FlowState::Reverted
        | FlowState::Abandoned => {}
    }
    let request = Request::Suspend(operator(arguments.why));
    ask(
        &backend,
        &found,
        &request,
        "is to be suspended: what runs is awaited, nothing new starts",
    )
    .await
}

/// Asks that a suspended job go on.
///
/// # Errors
/// There is no such job, or it is not suspended.
pub async fn resume(config: &Config, arguments: Whole) -> Result {
    let (backend, found) = find(config, &arguments.job).await?;
    match found.flow.state {
        FlowState::Stuck => {
            return Err(state_error(&found, "stuck, not suspended").help(
                "`jobrunner retry`, `mark-reverted` or `abandon` decide what becomes of it",
            ));
        }
        FlowState::Pending | FlowState::Running | FlowState::Reverting
            if found.intent != crate::model::Intent::Suspend =>
        {
            return Err(state_error(&found, "not suspended")
                .help("a job whose conductor has died goes on by itself as soon as another one runs: `jobrunner run`"));
        }
        FlowState::Pending
        | FlowState::Running
        | FlowState::Reverting
        | FlowState::Suspended
        | FlowState::Success
        | FlowState::Reverted
        | FlowState::Abandoned => {}
    }
    let request = Request::Resume(operator(arguments.why));
    ask(&backend, &found, &request, "is to go on").await
}

/// Decides what becomes of what is stuck.
///
/// # Errors
/// There is no such job or task, or nothing waits for a decision.
pub async fn decide(config: &Config, arguments: Part, verb: Verb) -> Result {
    let (backend, found) = find(config, &arguments.job).await?;
    if found.flow.state != FlowState::Stuck {
        ended(&found)?;
        return Err(state_error(&found, "not stuck: there is nothing to decide")
            .help("`jobrunner cancel` undoes a job that runs"));
    }
    if let Some(task) = &arguments.task {
        let loaded = job::load(backend.store.as_ref(), found.id).await?;
        let plan = plan_of(&loaded.job)?;
        let tasks = plan
            .atoms
            .iter()
            .filter(|atom| matches!(atom.kind, crate::compile::AtomKind::Task(_)));
        known_task(task, tasks.map(|atom| atom.name.as_str()))?;
        let waits = loaded.checkpoint.atoms.iter().any(|(atom, row)| {
            plan.atoms
                .get(atom.index())
                .is_some_and(|atom| atom.name == *task)
                && matches!(
                    row.state,
                    crate::model::AtomState::RevertFailure | crate::model::AtomState::Interrupted
                )
        });
        if !waits {
            return Err(
                Error::input(format!("`{task}` waits for no decision")).help(format!(
                    "`jobrunner show {}` tells which tasks do",
                    arguments.job
                )),
            );
        }
    }
    let request = Request::Decide {
        verb,
        task: arguments.task,
        by: operator(arguments.why),
    };
    let asked = match verb {
        Verb::Retry => "is to try again what is stuck",
        Verb::MarkReverted => "is to take what is stuck for undone",
        Verb::Abandon => "is to leave what is stuck as it is",
    };
    ask(&backend, &found, &request, asked).await
}

/// The store with the job whose id begins with `prefix`.
///
/// # Errors
/// There is no such job.
pub async fn find(config: &Config, prefix: &str) -> Result<(Backend, JobSummary)> {
    let backend = Backend::open_store(config).await?;
    let found = job::find(backend.store.as_ref(), prefix).await?;
    Ok((backend, found))
}

/// The error that a job is in another state than is needed.
pub fn state_error(job: &JobSummary, is: &str) -> Error {
    Error::input(format!("`{}` is {is}", job.name))
}

/// A job that has ended takes no requests.
///
/// # Errors
/// It has ended.
pub fn ended(job: &JobSummary) -> Result<()> {
    if job.flow.state.is_end() {
        return Err(Error::input(format!(
            "`{}` has ended already: {}",
            job.name, job.flow.state
        ))
        .help("an ended job stays ended; running it again is posting it again"));
    }
    Ok(())
}

/// Puts a request to a job, and says what has been asked and who carries it out.
///
/// # Errors
/// The job has ended, or the store cannot be written.
pub async fn ask(backend: &Backend, found: &JobSummary, request: &Request, asked: &str) -> Result {
    ended(found)?;
    if !backend
        .store
        .request(found.id, request, SystemClock.now())
        .await?
    {
        return Err(Error::input(format!(
            "`{}` has ended in the meantime",
            found.name
        )));
    }
    // A job at rest is not on the board: it has to be put there for the request to be seen.
    let notice = Notice {
        job: found.id,
        priority: found.priority,
        requires: found.requires.clone(),
    };
    let noticed = backend.offer(&notice, None).await;
    report::print(&format!("{} {asked}\n", found.name))?;
    match noticed {
        Ok(()) => report::hint(&job::next(found))?,
        Err(error) => {
            report::also(
                &error.help("the request is stored; conductors find it when the board is back"),
            )?;
        }
    }
    Ok(Exit::Success)
}

fn operator(why: String) -> Operator {
    Operator { who: who(), why }
}

/// The user at this machine, for the record: as the environment says (which `sudo` and others set), else by the system's
/// list of users, else by number.
#[must_use]
pub fn who() -> String {
    let named = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    let user = named("USER")
        .or_else(|| named("LOGNAME"))
        .or_else(|| whoami::username().ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| format!("uid {}", rustix::process::geteuid().as_raw()));
    let host = rustix::system::uname();
    format!("{user}@{}", host.nodename().to_string_lossy())
}
