//! `conductors`: who works on jobs. And `show --why`: what keeps a job from being run, conductor by conductor.

use std::time::Duration;

use anstyle::Style;
use clap::Args;
use serde_json::json;

use super::backend::Backend;
use super::config::Config;
use super::line::{BOLD, DIM, GREEN, Line, MAGENTA, PLAIN, RED, columns};
use super::report::{Exit, Result};
use super::show::Format;
use super::words::age;
use super::{job, report, show};
use crate::model::{FlowState, Intent, Timestamp, Value};
use crate::ports::{Clock, JobSummary, Registered, SystemClock};

/// What `conductors` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "A conductor that ended in order is gone from the list at once; one that died is listed for an hour.\n\
\n\
With `--format json`: {\"version\": 1, \"conductors\": [{\"id\", \"name\", \"host\", \"since\", \"seen_at\", \"gone\", \
\"jobs\", \"max_jobs\", \"max_tasks\", \"lease_ttl_ms\", \"labels\", \"capabilities\", \"looked\": [{\"requires\", \"lacks\"}]}]}. \
\"looked\" has what was on the board when the conductor last looked: what jobs require, and the first of it that the \
conductor lacks, null if it has all of it, each as in a flow."
)]
pub struct Arguments {
    /// How it is told
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "text|json"
    )]
    format: Format,
}

/// Lists the conductors.
///
/// # Errors
/// The board cannot be read.
pub async fn run(config: &Config, arguments: Arguments) -> Result {
    let backend = Backend::open(config).await?;
    let conductors = backend.board.conductors().await?;
    let now = SystemClock.now();
    match arguments.format {
        Format::Text => show::print(&table(&conductors, now))?,
        Format::Json => {
            let conductors: Vec<Value> = conductors.iter().map(|one| object(one, now)).collect();
            let all = json!({ "version": 1, "conductors": conductors });
            let text = serde_json::to_string_pretty(&all).map_err(std::io::Error::from)?;
            report::print(&(text + "\n"))?;
        }
    }
    Ok(Exit::Success)
}

fn table(conductors: &[Registered], now: Timestamp) -> Vec<Line> {
    if conductors.is_empty() {
        let text = "No conductor is at work. `jobrunner run` is one.";
        return vec![Line::new().with(DIM, text)];
    }
    let heads = ["NAME", "CONDUCTOR", "SINCE", "SEEN", "JOBS", "CAPABILITIES"];
    let heads = heads.map(|head| (BOLD, head.to_owned()));
    let mut rows: Vec<Vec<(Style, String)>> = vec![heads.into()];
    for one in conductors {
        let about = &one.conductor;
        let seen = format!("{} ago", age(now.since(one.seen_at)));
        let seen = if is_gone(one, now) {
            (MAGENTA, format!("{seen}, gone"))
        } else {
            (PLAIN, seen)
        };
        rows.push(vec![
            (PLAIN, about.name.clone()),
            (DIM, job::conductor(&about.id).to_owned()),
            (DIM, format!("{} ago", age(now.since(about.since)))),
            seen,
            (PLAIN, format!("{} of {}", about.jobs, about.max_jobs)),
            (PLAIN, capabilities(one)),
        ]);
    }
    columns(rows)
}

fn capabilities(one: &Registered) -> String {
    let about = &one.conductor;
    let labels = about.labels.iter().map(|label| format!("label: {label}"));
    let all: Vec<String> = labels.chain(about.capabilities.iter().cloned()).collect();
    if all.is_empty() {
        "-".to_owned()
    } else {
        all.join(", ")
    }
}

/// Not seen for longer than its leases last: its jobs are, or will be, somebody else's.
fn is_gone(one: &Registered, now: Timestamp) -> bool {
    now.since(one.seen_at) > Duration::from_millis(one.conductor.lease_ttl_ms)
}

fn object(one: &Registered, now: Timestamp) -> Value {
    let about = &one.conductor;
    let looked = about.lacks.iter().map(
        |(requires, lacks)| json!({ "requires": read(requires), "lacks": lacks.as_deref().map(read) }),
    );
    json!({
        "id": about.id.0,
        "name": about.name,
        "host": about.host,
        "since": about.since.to_string(),
        "seen_at": one.seen_at.to_string(),
        "gone": is_gone(one, now),
        "jobs": about.jobs,
        "max_jobs": about.max_jobs,
        "max_tasks": about.max_tasks,
        "lease_ttl_ms": about.lease_ttl_ms,
        "labels": about.labels,
        "capabilities": about.capabilities,
        "looked": looked.collect::<Vec<Value>>(),
    })
}

/// What a conductor's words mean; whatever makes no sense, as it stands.
fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// What keeps a job from being run: its own state, or what each conductor lacks.
///
/// # Errors
/// The board cannot be read.
pub async fn why(backend: &Backend, summary: &JobSummary) -> Result<Vec<Line>> {
    let id = job::short(backend.store.as_ref(), summary.id).await?;
    let mut lines = vec![
        Line::new()
            .with(BOLD, &summary.name)
            .with(DIM, format!("  {id}  "))
            .with(PLAIN, show::state(summary)),
    ];
    if let Some(reason) = at_rest(summary, &id) {
        lines.push(Line::new().with(PLAIN, format!("  {reason}")));
        return Ok(lines);
    }
    let asks = requirements(&summary.requires);
    lines.push(Line::new().with(DIM, format!("  asks for {asks}")));
    let now = SystemClock.now();
    let conductors = backend.board.conductors().await?;
    if let Some(owner) = &summary.owner {
        let died = conductors
            .iter()
            .any(|one| one.conductor.id == *owner && is_gone(one, now));
        let owner = job::conductor(owner);
        if !died {
            lines.push(Line::new().with(GREEN, format!("  {owner} runs it")));
            return Ok(lines);
        }
        let text = format!("  {owner} ran it and is gone: whoever has all of it takes over");
        lines.push(Line::new().with(MAGENTA, text));
    }
    if conductors.iter().all(|one| is_gone(one, now)) {
        let text = "  no conductor is at work: `jobrunner run` is one";
        lines.push(Line::new().with(MAGENTA, text));
    }
    let rows = conductors.iter().map(|one| {
        let (style, says) = verdict(one, &summary.requires, now);
        let about = &one.conductor;
        vec![
            (PLAIN, format!("  {}", about.name)),
            (DIM, job::conductor(&about.id).to_owned()),
            (style, says),
        ]
    });
    lines.extend(columns(rows.collect()));
    Ok(lines)
}

/// Why a job is not run whatever conductors there are; none if it is to be run.
fn at_rest(job: &JobSummary, id: &str) -> Option<String> {
    let asked = job.intent != Intent::None;
    match job.flow.state {
        FlowState::Success | FlowState::Reverted | FlowState::Abandoned => {
            Some("it has ended: there is nothing left to run".to_owned())
        }
        FlowState::Suspended if !asked => Some(format!(
            "it is suspended: `jobrunner resume {id}` lets it go on"
        )),
        FlowState::Stuck if !asked => Some(format!(
            "a person must decide: `jobrunner show {id}` tells what about, \
             then `jobrunner retry`, `mark-reverted` or `abandon`"
        )),
        FlowState::Suspended
        | FlowState::Stuck
        | FlowState::Pending
        | FlowState::Running
        | FlowState::Reverting => None,
    }
}

fn verdict(one: &Registered, requires: &str, now: Timestamp) -> (Style, String) {
    let about = &one.conductor;
    if is_gone(one, now) {
        let last = age(now.since(one.seen_at));
        return (MAGENTA, format!("is gone: last seen {last} ago"));
    }
    match about.lacks.get(requires) {
        Some(Some(lacking)) => (RED, format!("lacks {}", requirement(lacking))),
        _ if about.jobs >= about.max_jobs => {
            let text = format!(
                "has no room: it works on {} of {} jobs",
                about.jobs, about.max_jobs
            );
            (MAGENTA, text)
        }
        Some(None) => (GREEN, "has all of it".to_owned()),
        None => (DIM, "has not looked for it yet".to_owned()),
    }
}

/// The canonical text of a job's requirements as its author would write it.
pub fn requirements(requires: &str) -> String {
    match serde_json::from_str(requires) {
        Ok(Value::Array(all)) if all.is_empty() => "nothing in particular".to_owned(),
        Ok(Value::Array(all)) => {
            let all: Vec<String> = all.iter().map(words).collect();
            all.join(", ")
        }
        Ok(_) | Err(_) => requires.to_owned(),
    }
}

/// One requirement, likewise: `has_command: rustup`.
fn requirement(text: &str) -> String {
    words(&read(text))
}

fn words(one: &Value) -> String {
    match one {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(words).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(named) => {
            let named = named.iter();
            let named: Vec<String> = named
                .map(|(name, argument)| format!("{name}: {}", words(argument)))
                .collect();
            named.join(", ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => one.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_read_as_they_were_written() {
        let text =
            r#"["os", {"has_command": ["sh", "git"]}, {"port_is_free": "8080"}, {"min_cpus": 2}]"#;
        assert_eq!(
            requirements(text),
            "os, has_command: [sh, git], port_is_free: 8080, min_cpus: 2"
        );
        assert_eq!(requirements("[]"), "nothing in particular");
        assert_eq!(requirement("has_gpu"), "has_gpu");
        assert_eq!(requirement(r#"{"label":"fast"}"#), "label: fast");
    }
}
