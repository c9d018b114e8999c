//! `post`: puts a flow on the board as a job. The store first, which is the truth, then the board.

use clap::Args;
use indexmap::IndexMap;

use super::backend::Backend;
use super::config::Config;
use super::follow;
use super::inputs::Inputs;
use super::report::{Error, Exit, Result};
use super::source::Source;
use super::words::typed;
use super::{Given, job, report};
use crate::compile::{self, Input, InputProblem, Plan};
use crate::model::{Bundle, ConductorId, Duration, JobId, NewJob, Priority, Timestamp};
use crate::ports::{Clock, Created, Notice, SystemClock};

/// What `post` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The path of a flow, or the name of one in the flows path
    flow: String,
    /// Who goes first on the board [default: as the flow says]
    #[arg(long, value_parser = priority, value_name = "very_high|high|normal|low|very_low")]
    priority: Option<Priority>,
    /// Post once: a second post with this key prints the first one's id
    #[arg(long)]
    key: Option<String>,
    /// Wait until the job is at rest, and show how far it is meanwhile
    #[arg(long)]
    follow: bool,
    /// Print the flow's tree; post nothing
    #[arg(long, conflicts_with_all = ["follow", "key", "priority"])]
    hierarchy: bool,
    #[command(flatten)]
    inputs: Inputs,
}

fn priority(text: &str) -> std::result::Result<Priority, String> {
    Priority::parse(&text.replace('-', "_")).ok_or_else(|| {
        let all: Vec<&str> = Priority::ALL
            .iter()
            .map(|priority| priority.as_str())
            .collect();
        format!("it is one of {}", all.join(", "))
    })
}

/// Posts a flow.
///
/// # Errors
/// The flow does not compile, a value does not fit, the store cannot be written: nothing is posted.
pub async fn run(config: &Config, arguments: Arguments, given: Given<'_>) -> Result {
    let source = given
        .source
        .ok_or_else(|| Error::input(format!("there is no flow `{}`", arguments.flow)))?;
    report::warn(&source.bundle, &source.warnings)?;
    if arguments.hierarchy {
        report::print(&compile::tree(&source.plan))?;
        return Ok(Exit::Success);
    }
    let inputs = arguments
        .inputs
        .collect(&source.declaration.store, given.options)?;
    let Source { bundle, plan, .. } = source;
    let plan = with_inputs(plan, &arguments.flow, &inputs)?;
    let backend = Backend::open_store(config).await?;
    let new = new_job(bundle, &plan, arguments.priority, arguments.key);
    let posted = post(&backend, &new, None).await?;
    let id = posted.id(new.id);
    report::print(&format!("{id}\n"))?;
    if let Posted::Before(_) = posted {
        report::hint(&format!(
            "posted before with the key `{}`",
            new.key.as_deref().unwrap_or_default()
        ))?;
    }
    if arguments.follow {
        return follow::run(&backend, id).await;
    }
    let short = job::short(backend.store.as_ref(), id).await?;
    let who = match posted {
        Posted::Now => "a conductor runs it: `jobrunner run`, or `jobrunner run --until-empty`; ",
        // Perhaps long ago.
        Posted::Before(_) => "",
    };
    report::hint(&format!(
        "{who}`jobrunner show {short}` tells how far it is"
    ))?;
    Ok(Exit::Success)
}

/// The plan of a flow with the values that were given; `name` is what the flow was called by.
///
/// # Errors
/// All that is wrong with them.
pub fn with_inputs(plan: Plan, name: &str, inputs: &IndexMap<String, Input>) -> Result<Plan> {
    let plan = plan.with_inputs(inputs);
    plan.map_err(|problems| refused(name, &problems))
}

fn refused(flow: &str, problems: &[InputProblem]) -> Error {
    let message = match problems {
        [only] => only.message.clone(),
        _ => format!("{} values of `{}` do not fit", problems.len(), flow),
    };
    let mut said = Error::input(message);
    for problem in problems {
        if problems.len() > 1 {
            said = said.help(problem.message.clone());
        }
        if let Some(help) = &problem.help {
            said = said.help(help.clone());
        }
    }
    said.help(format!(
        "`jobrunner post {} --help` lists what can be set",
        typed(flow)
    ))
}

/// A job of a plan, with an id of its own.
#[must_use]
pub fn new_job(
    bundle: Bundle,
    plan: &Plan,
    priority: Option<Priority>,
    key: Option<String>,
) -> NewJob {
    let requires = serde_json::Value::Array(plan.capabilities.clone()).to_string();
    NewJob {
        id: JobId(uuid::Uuid::now_v7()),
        name: plan.name.clone(),
        key,
        bundle,
        digest: plan.digest.clone(),
        inputs: plan.inputs.clone(),
        secrets: plan.secrets.clone(),
        requires,
        priority: priority.unwrap_or(plan.priority),
        created_at: now(),
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// What became of a post.
#[derive(Debug, Clone, Copy)]
pub enum Posted {
    /// A new job.
    Now,
    /// An earlier post with the same key made this one.
    Before(JobId),
}

impl Posted {
    /// The job's id, given that of the new one.
    #[must_use]
    pub fn id(self, new: JobId) -> JobId {
        match self {
            Self::Now => new,
            Self::Before(id) => id,
        }
    }
}

/// Puts a job into the store, then on the board; with `lease`, as claimed already.
///
/// # Errors
/// The store cannot be written. If only the board is away, the job is posted, and that is said.
pub async fn post(
    backend: &Backend,
    job: &NewJob,
    lease: Option<(&ConductorId, Duration)>,
) -> Result<Posted> {
    if let Created::Existing(id) = backend.store.create(job).await? {
        return Ok(Posted::Before(id));
    }
    let notice = Notice {
        job: job.id,
        priority: job.priority,
        requires: job.requires.clone(),
    };
    if let Err(error) = backend.offer(&notice, lease).await {
        report::also(
            &error.help("the job is posted all the same; conductors find it in the store"),
        )?;
    }
    Ok(Posted::Now)
}
