//! `run`: with FLOW, posts it and runs this one job here; without, is a conductor.
//!
//! Both are one path: a job is on the board before a conductor, however small, works on it.

use std::sync::Arc;

use clap::Args;

use super::backend::Backend;
use super::conduct::{self, Asked, Logging, Signals};
use super::config::{self, Config};
use super::display::Display;
use super::inputs::{CONDUCTOR, Inputs};
use super::progress::Progress;
use super::report::{Error, Result};
use super::source::{Source, kinds};
use super::watch::Watch;
use super::{Given, block_on, follow, job, post, report};
use crate::compile::Plan;
use crate::conductor::{Conductor, Stop};
use crate::engine::Observer;
use crate::model::{Bundle, Checkpoint, Duration, JobId, Operator};
use crate::ports::{Clock, Request, SystemClock};

/// What `run` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The path of a flow, or the name of one in the flows path; without it, a conductor runs what is on the board
    flow: Option<String>,
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    conductor: ConductorArguments,
}

/// What a conductor takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = CONDUCTOR)]
pub struct ConductorArguments {
    /// End when there is nothing left that this conductor can run
    #[arg(long, conflicts_with = "flow")]
    pub until_empty: bool,
    /// Work on so many jobs at once
    #[arg(long, value_name = "N", env = "JOBRUNNER_MAX_JOBS", hide_env_values = true, value_parser = at_least_one)]
    pub max_jobs: Option<usize>,
    /// Run so many tasks at once, in all jobs
    #[arg(long, value_name = "N", env = "JOBRUNNER_MAX_TASKS", hide_env_values = true, value_parser = at_least_one)]
    pub max_tasks: Option<usize>,
    /// What this conductor is called [default: the machine's name]
    #[arg(long, env = "JOBRUNNER_NAME", hide_env_values = true)]
    pub name: Option<String>,
    /// How long its claims hold when it dies; another conductor takes over after that [default: 15s]
    #[arg(long, value_name = "DURATION", env = "JOBRUNNER_LEASE_TTL", hide_env_values = true, value_parser = config::lease_ttl)]
    pub lease_ttl: Option<Duration>,
    /// How the conductor's log is written to standard error
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "text|json"
    )]
    pub log_format: Logging,
}

fn at_least_one(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it is 1 at least".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("it is a whole number".to_owned()),
    }
}

/// Runs a flow, or is a conductor.
///
/// # Errors
/// The flow does not compile, a value does not fit, the store or the board cannot be reached.
pub fn run(config: &Config, verbose: u8, arguments: Arguments, given: Given<'_>) -> Result {
    match (&arguments.flow, given.source) {
        (Some(flow), Some(source)) => {
            if verbose > 0 {
                conduct::log(verbose, arguments.conductor.log_format);
            }
            let inputs = arguments
                .inputs
                .collect(&source.declaration.store, given.options)?;
            report::warn(&source.bundle, &source.warnings)?;
            let Source { bundle, plan, .. } = source;
            let plan = post::with_inputs(plan, flow, &inputs)?;
            block_on(here(config, &arguments.conductor, bundle, plan, verbose))
        }
        (Some(flow), None) => Err(Error::input(format!("there is no flow `{flow}`"))),
        (None, _) if !arguments.inputs.is_empty() => {
            Err(Error::input("there is no flow to set anything for")
                .help("jobrunner run FLOW --set name=value"))
        }
        (None, _) => conduct::run(config, verbose, &arguments.conductor),
    }
}

/// Posts a job and runs it in this process, whatever other conductors are about.
async fn here(
    config: &Config,
    arguments: &ConductorArguments,
    bundle: Bundle,
    plan: Plan,
    verbose: u8,
) -> Result {
    // Before anything is posted: from then on an interrupt has something to undo.
    let mut signals = Signals::new()?;
    let backend = Backend::open(config).await?;
    let settings = conduct::settings(config, arguments);
    let new = post::new_job(bundle, &plan, None, None);
    let id = new.id;
    // Posted as claimed by this conductor already: no other one can be faster.
    post::post(&backend, &new, Some((&settings.id, settings.lease))).await?;
    let short = job::short(backend.store.as_ref(), id).await?;
    let mut display = Display::new(&plan, short.clone(), verbose > 0);
    display.begin(&plan.name);
    let watch = Arc::new(Watch::new(
        Progress::new(id, Arc::new(plan), Checkpoint::default()),
        !display.is_live(),
    ));
    let conductor = Conductor::new(
        settings.clone(),
        Arc::clone(&backend.store),
        Arc::clone(&backend.board),
        kinds(&settings.id),
        Arc::new(SystemClock),
        Some(Arc::clone(&watch) as Arc<dyn Observer>),
    );
    let stop = Stop::new();
    let mut cancelled = false;
    {
        let running = conductor.run_job(id, stop.clone());
        tokio::pin!(running);
        loop {
            tokio::select! {
                ended = &mut running => {
                    ended?;
                    break;
                }
                () = display.due(&watch) => display.refresh(&watch, SystemClock.now()),
                asked = signals.asked() => match asked {
                    Asked::Interrupt if !cancelled => {
                        cancelled = true;
                        cancel(&backend, id).await?;
                        display.note("cancelling: all that was done is undone; Ctrl-C again stops at once");
                    }
                    Asked::Terminate if !stop.is_given() => stop.in_order(),
                    Asked::Interrupt | Asked::Terminate => stop.at_once(),
                },
            }
        }
    }
    follow::end(&backend, id, &watch, &mut display, &short).await
}

/// Asks that all of the job be undone.
async fn cancel(backend: &Backend, id: JobId) -> Result<()> {
    let by = Operator {
        who: super::request::who(),
        why: "interrupted at the terminal".to_owned(),
    };
    backend
        .store
        .request(id, &Request::Cancel(by), SystemClock.now())
        .await?;
    backend.board.wake().await?;
    Ok(())
}
