//! `approve` and `deny`: a person's answer to a task that asks for one.
//!
//! The answer is put into the store and a notice on the board; a conductor gives it to the task.

use clap::Args;

use super::config::Config;
use super::job;
use super::logs::known_task;
use super::progress::Progress;
use super::questions::{self, Questions};
use super::report::{Error, Result};
use super::request::{ask, ended, find, state_error, who};
use super::source::plan_of;
use crate::model::{Answer, FlowState, Operator};
use crate::ports::{Clock, Request, SystemClock};

/// What an answer takes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The beginning of the job's id
    job: String,
    /// The task that asks, by its full name
    task: String,
    /// Why, for the record
    #[arg(long, visible_alias = "why", value_name = "TEXT", default_value = "")]
    reason: String,
    /// Who answers [default: the user at this machine]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// Answers a task that waits for it.
///
/// # Errors
/// There is no such job or task, it waits for no answer, or has one already.
pub async fn run(config: &Config, arguments: Arguments, approved: bool) -> Result {
    let Arguments {
        job,
        task,
        reason,
        by,
    } = arguments;
    let (backend, found) = find(config, &job).await?;
    ended(&found)?;
    let loaded = job::load(backend.store.as_ref(), found.id).await?;
    let plan = plan_of(&loaded.job)?;
    let progress = Progress::new(found.id, plan.clone(), loaded.checkpoint);
    known_task(
        &task,
        progress.tasks().map(|atom| plan.atom(atom).name.as_str()),
    )?;
    let atom = progress
        .tasks()
        .find(|atom| plan.atom(*atom).name == task)
        .expect("it is known");
    if Questions::new().side(&progress, atom).is_none() {
        let state = progress.row(atom).state;
        return Err(
            Error::input(format!("`{task}` waits for no answer: it is {state}"))
                .help(format!("`jobrunner show {job}` tells what does")),
        );
    }
    let generation = progress.row(atom).generation;
    if let Some(answer) = questions::answer(&loaded.requests, &task, generation) {
        return Err(
            Error::input(format!("`{task}` has an answer already: {answer}"))
                .help(job::next(&found)),
        );
    }
    if found.flow.state == FlowState::Suspended && found.owner.is_none() {
        return Err(state_error(&found, "suspended: it takes no answers")
            .help(format!("`jobrunner resume {job}` lets it go on")));
    }
    let request = Request::Answer {
        task: task.clone(),
        generation,
        answer: Answer {
            approved,
            by: Operator {
                who: by.unwrap_or_else(who),
                why: reason,
            },
            at: SystemClock.now(),
        },
    };
    let word = if approved { "approved" } else { "denied" };
    ask(
        &backend,
        &found,
        &request,
        &format!("is told that `{task}` is {word}"),
    )
    .await
}
