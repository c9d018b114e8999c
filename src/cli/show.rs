//! `show`: what is on the board; and of one job, where each of its tasks stands and what has happened.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::backend::Backend;
use super::config::Config;
use super::line::{BOLD, DIM, Line, MAGENTA, PLAIN, RED, columns};
use super::narration::{blame, narrate};
use super::progress::Progress;
use super::report::{Exit, Result};
use super::screen::{self, Screen};
use super::source::plan_of;
use super::status::{Look, flow_symbol, headline};
use super::tree::Tree;
use super::words::age;
use super::{conductors, job, questions, report};
use crate::model::{Checkpoint, ConductorId, Intent, JobId, Timestamp, Value};
use crate::ports::{Clock, EventRow, JobRow, JobSummary, Loaded, SystemClock};
use anstyle::Style;

/// For whom it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// What `show` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "With `--format json`: {\"version\": 1, \"jobs\": [{\"id\", \"name\", \"state\", \"owner\", \"epoch\", \
\"priority\", \"asked\", \"posted_at\", \"started_at\", \"since\", \"cause\"}]}, and with JOB also \"inputs\", \"secrets\" \
(where they are read from), \"tasks\": [{\"name\", \"state\", \"attempt\", \"value\", \"started_at\", \"since\", \
\"result\", \"asks\" (the question, while it waits for an answer), \"failure\", \"revert_failure\"}] and \"steps\": [{\"seq\", \"at\", \"epoch\", \"subject\", \"change\", …}]."
)]
pub struct Arguments {
    /// The beginning of a job's id
    job: Option<String>,
    /// Show it again whenever something has changed
    #[arg(long)]
    watch: bool,
    /// Jobs that have ended as well; with JOB, all of its steps
    #[arg(long)]
    all: bool,
    /// What keeps the job from being run: what each conductor lacks
    #[arg(long, requires = "job", conflicts_with_all = ["watch", "all", "format"])]
    why: bool,
    /// How it is told
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "text|json",
        conflicts_with = "watch"
    )]
    format: Format,
}

/// So many jobs are listed at most.
const JOBS: u32 = 500;
/// So many steps are told unless all are asked for.
const STEPS: usize = 20;
/// How often a watched picture is looked at again.
const TICK: Duration = Duration::from_millis(300);

/// Shows the board or a job.
///
/// # Errors
/// There is no such job, or the store cannot be read.
pub async fn run(config: &Config, arguments: Arguments) -> Result {
    let backend = Backend::open_store(config).await?;
    let found = match &arguments.job {
        Some(prefix) => Some(job::find(backend.store.as_ref(), prefix).await?),
        None => None,
    };
    if let (true, Some(found)) = (arguments.why, &found) {
        print(&conductors::why(&backend, found).await?)?;
        return Ok(Exit::Success);
    }
    if arguments.format == Format::Text
        && let Err(error) = backend.reach_board().await
    {
        report::also(
            &error.help("this is what the store has; whether owners are gone is not known"),
        )?;
    }
    let id = found.map(|found| found.id);
    match (arguments.format, arguments.watch) {
        (Format::Json, _) => {
            let object = match id {
                Some(id) => json_of_job(&backend, id).await?,
                None => {
                    let jobs = backend.store.jobs(arguments.all, JOBS).await?;
                    jobs.iter().map(json_of_summary).collect()
                }
            };
            let jobs = if object.is_array() {
                object
            } else {
                json!([object])
            };
            let text = serde_json::to_string_pretty(&json!({ "version": 1, "jobs": jobs }));
            report::print(&(text.map_err(std::io::Error::from)? + "\n"))?;
        }
        (Format::Text, false) => {
            let (lines, _) = picture(&backend, id, arguments.all, usize::MAX, None).await?;
            print(&lines)?;
        }
        (Format::Text, true) => watch(&backend, id, arguments.all).await?,
    }
    Ok(Exit::Success)
}

async fn watch(backend: &Backend, id: Option<JobId>, all: bool) -> Result<()> {
    let mut screen = screen::is_live().then(Screen::new);
    let mut last = Vec::new();
    for frame in 0.. {
        let height = if screen.is_some() {
            screen::size().1.saturating_sub(1)
        } else {
            usize::MAX
        };
        let frame = screen.as_ref().map(|_| frame);
        let (lines, at_rest) = picture(backend, id, all, height, frame).await?;
        match &mut screen {
            Some(screen) => screen.draw(lines)?,
            None if lines != last => {
                print(&lines)?;
                last = lines;
            }
            None => {}
        }
        if at_rest {
            break;
        }
        tokio::time::sleep(TICK).await;
    }
    Ok(())
}

/// Prints lines, with colours where they are seen.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(lines: &[Line]) -> Result<()> {
    let colour = screen::has_colour();
    let text: String = lines
        .iter()
        .map(|line| line.render(colour) + "\n")
        .collect();
    Ok(report::print(&text)?)
}

/// The lines, and whether nothing in them will change any more.
async fn picture(
    backend: &Backend,
    id: Option<JobId>,
    all: bool,
    height: usize,
    frame: Option<usize>,
) -> Result<(Vec<Line>, bool)> {
    match id {
        None => Ok((table(backend, all).await?, false)),
        Some(id) => {
            let loaded = job::load(backend.store.as_ref(), id).await?;
            let at_rest = loaded.job.flow.state.is_at_rest() && loaded.requests.is_empty();
            Ok((of_job(backend, loaded, all, height, frame).await?, at_rest))
        }
    }
}

async fn table(backend: &Backend, all: bool) -> Result<Vec<Line>> {
    // Ids are told apart from those of ended jobs as well: what is shown can be typed.
    let every = backend.store.jobs(true, 10 * JOBS).await?;
    let ids = job::Ids::of(&every);
    let jobs = backend.store.jobs(all, JOBS).await?;
    if jobs.is_empty() {
        let text = match every.len() {
            0 => "No jobs. `jobrunner post hello` posts one.".to_owned(),
            ended => format!("No jobs; {ended} ended: `jobrunner show --all`."),
        };
        return Ok(vec![Line::new().with(DIM, text)]);
    }
    let now = SystemClock.now();
    let leases = leases(backend).await;
    let heads = ["NAME", "ID", "STATE", "OWNER", "AGE"];
    let mut rows: Vec<Vec<(Style, String)>> = vec![
        heads
            .iter()
            .map(|head| (BOLD, (*head).to_owned()))
            .collect(),
    ];
    for job in &jobs {
        let (style, _) = flow_symbol(job.flow.state, None);
        rows.push(vec![
            (PLAIN, cut(&job.name)),
            (DIM, ids.shortened(job.id)),
            (style, state(job)),
            (PLAIN, owner(job.owner.as_ref(), leases.get(&job.id), now)),
            (DIM, age(now.since(job.created_at))),
        ]);
    }
    let mut lines = columns(rows);
    if jobs.len() == JOBS as usize {
        lines.push(Line::new().with(DIM, format!("… the newest {JOBS} are shown")));
    }
    Ok(lines)
}

/// A name may be as long as its author likes; the other columns want room as well.
fn cut(name: &str) -> String {
    Line::new().with(PLAIN, name).fit(40).render(false)
}

/// A job's state, and what has been asked of it.
pub fn state(job: &JobSummary) -> String {
    let asked = match job.intent {
        Intent::None => "",
        _ if job.flow.state.is_end() => "",
        Intent::Cancel if job.flow.reverting => "",
        Intent::Cancel => ", to be cancelled",
        Intent::Suspend if job.flow.state == crate::model::FlowState::Suspended => "",
        Intent::Suspend => ", to be suspended",
    };
    format!("{}{asked}", job.flow.state)
}

async fn leases(backend: &Backend) -> HashMap<JobId, Timestamp> {
    // The board is a help here, not the truth: without it owners are shown as the store has them.
    let postings = backend
        .board
        .snapshot(JOBS as usize)
        .await
        .unwrap_or_default();
    postings
        .into_iter()
        .filter_map(|posting| Some((posting.notice.job, posting.lease?.1)))
        .collect()
}

fn owner(owner: Option<&ConductorId>, lease: Option<&Timestamp>, now: Timestamp) -> String {
    match (owner, lease) {
        (None, _) => "-".to_owned(),
        (Some(owner), Some(until)) if *until < now => format!("{} (gone)", job::conductor(owner)),
        (Some(owner), _) => job::conductor(owner).to_owned(),
    }
}

async fn of_job(
    backend: &Backend,
    loaded: Loaded,
    all: bool,
    height: usize,
    frame: Option<usize>,
) -> Result<Vec<Line>> {
    let now = SystemClock.now();
    let job = loaded.job;
    let plan = plan_of(&job)?;
    let requests = loaded.requests;
    let progress = Progress::new(job.id, plan.clone(), loaded.checkpoint);
    let id = job::short(backend.store.as_ref(), job.id).await?;
    let look = Look {
        now,
        height: height.saturating_sub(8).max(3),
        names: 48,
        words: true,
        frame,
    };
    let mut lines = vec![
        headline(&progress, &id, look),
        about(backend, &job, now).await,
    ];
    if let Some(cause) = &progress.flow.cause {
        lines.push(
            Line::new()
                .with(PLAIN, "  because ")
                .with(RED, blame(cause)),
        );
    }
    lines.extend(Tree::of(&plan).lines(&progress, &|_| None, look));
    lines.extend(questions::lines(backend, &progress, &requests, &id).await?);
    let kept = if all {
        usize::MAX
    } else {
        STEPS.min(height.saturating_sub(lines.len() + 2))
    };
    if kept > 0 {
        lines.extend(steps(backend, &job, &plan, kept).await?);
    }
    Ok(lines)
}

async fn about(backend: &Backend, job: &JobRow, now: Timestamp) -> Line {
    let mut line = Line::new().with(
        DIM,
        format!("  posted {} ago", age(now.since(job.created_at))),
    );
    match &job.owner {
        Some(id) => {
            let leases = leases(backend).await;
            let text = owner(Some(id), leases.get(&job.id), now);
            line.push(DIM, format!(", owned by {text}, claim {}", job.epoch.0));
        }
        None if job.flow.state.is_at_rest() => {}
        None if job.requires == "[]" => line.push(DIM, ", waits for a conductor: `jobrunner run`"),
        None => line.push(
            DIM,
            format!(
                ", waits for a conductor with {} (`--why` tells what each one lacks)",
                conductors::requirements(&job.requires)
            ),
        ),
    }
    match job.intent {
        Intent::None => {}
        Intent::Cancel if job.flow.reverting => line.push(DIM, ", cancelled"),
        Intent::Cancel => line.push(MAGENTA, ", to be cancelled"),
        Intent::Suspend if job.flow.state == crate::model::FlowState::Suspended => {}
        Intent::Suspend => line.push(MAGENTA, ", to be suspended"),
    }
    line
}

/// The last steps of a job, in words, with the time of each.
async fn steps(
    backend: &Backend,
    job: &JobRow,
    plan: &std::sync::Arc<crate::compile::Plan>,
    kept: usize,
) -> Result<Vec<Line>> {
    let mut progress = Progress::new(job.id, plan.clone(), Checkpoint::default());
    let mut lines: VecDeque<Line> = VecDeque::new();
    let mut told = 0;
    let mut epoch = None;
    for event in events(backend, job.id).await? {
        if let Some(step) = narrate(&progress, &event.record) {
            let mut line = Line::new().with(DIM, format!("  {}  ", clock(event.record.at)));
            line.append(step);
            if epoch.is_some_and(|epoch| epoch != event.epoch) {
                line.push(DIM, format!("  (claim {})", event.epoch.0));
            }
            epoch = Some(event.epoch);
            told += 1;
            lines.push_back(line);
            if lines.len() > kept {
                lines.pop_front();
            }
        }
        progress.apply(&event.record);
    }
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let earlier = told - lines.len();
    let head = if earlier > 0 {
        format!("steps ({earlier} earlier ones with --all)")
    } else {
        "steps".to_owned()
    };
    let mut all = vec![Line::new().with(BOLD, head)];
    all.extend(lines);
    Ok(all)
}

async fn events(backend: &Backend, job: JobId) -> Result<Vec<EventRow>> {
    const PAGE: u32 = 1000;
    let mut all: Vec<EventRow> = Vec::new();
    loop {
        let after = all.last().map_or(0, |event| event.seq);
        let page = backend.store.events(job, after, PAGE).await?;
        let more = page.len() == PAGE as usize;
        all.extend(page);
        if !more {
            return Ok(all);
        }
    }
}

fn clock(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(
        |_| at.to_string(),
        |instant| {
            instant
                .to_zoned_datetime(jiff::tz::TimeZone::system())
                .strftime("%m-%d %H:%M:%S%.3f")
                .to_string()
        },
    )
}

fn json_of_summary(job: &JobSummary) -> Value {
    json!({
        "id": job.id.to_string(),
        "name": job.name,
        "state": job.flow.state.as_str(),
        "owner": job.owner.as_ref().map(|owner| &owner.0),
        "epoch": job.epoch.0,
        "priority": job.priority.as_str(),
        "asked": job.intent.as_str(),
        "posted_at": job.created_at.to_string(),
        "started_at": job.flow.started_at.map(|at| at.to_string()),
        "since": job.flow.started_at.map(|_| job.flow.since.to_string()),
        "cause": job.flow.cause,
    })
}

async fn json_of_job(backend: &Backend, id: JobId) -> Result<Value> {
    let loaded = job::load(backend.store.as_ref(), id).await?;
    let job = &loaded.job;
    let plan = plan_of(job)?;
    let summary = JobSummary {
        id: job.id,
        name: job.name.clone(),
        flow: job.flow.clone(),
        intent: job.intent,
        owner: job.owner.clone(),
        epoch: job.epoch,
        requires: job.requires.clone(),
        priority: job.priority,
        created_at: job.created_at,
    };
    let mut object = json_of_summary(&summary);
    object["inputs"] = json!(job.inputs);
    object["secrets"] = job
        .secrets
        .iter()
        .map(|(name, source)| (name.clone(), json!(source.to_string())))
        .collect();
    let progress = Progress::new(id, plan.clone(), loaded.checkpoint);
    let asked = questions::asked(backend, &progress).await?;
    object["tasks"] = progress
        .tasks()
        .map(|atom| {
            let row = progress.row(atom);
            let asks = asked.iter().find(|(asks, _)| *asks == atom);
            json!({
                "name": plan.atom(atom).name,
                "state": row.state.as_str(),
                "attempt": row.attempt,
                "value": progress.value_for(atom).map(|(name, value)| json!({ name: value })),
                "started_at": row.started_at.map(|at| at.to_string()),
                "since": (row.attempt > 0).then(|| row.since.to_string()),
                "result": row.result,
                "asks": asks.map(|(_, question)| question),
                "failure": row.failure,
                "revert_failure": row.revert_failure,
            })
        })
        .collect();
    let steps = events(backend, id).await?;
    object["steps"] = steps
        .iter()
        .map(|event| {
            let mut step = json!(event.record.change);
            step["seq"] = json!(event.seq);
            step["at"] = json!(event.record.at.to_string());
            step["epoch"] = json!(event.epoch.0);
            step["subject"] = match event.record.subject {
                crate::model::Subject::Flow => json!(job.name),
                crate::model::Subject::Atom(atom) => {
                    json!(plan.atoms.get(atom.index()).map(|atom| &atom.name))
                }
            };
            step
        })
        .collect();
    Ok(object)
}
