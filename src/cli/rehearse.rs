//! `rehearse`: what would happen if any one thing went wrong. Nothing is run, posted or opened.

mod notes;
mod scene;
mod table;
mod text;
mod verdict;

use std::ffi::OsString;

use clap::Args;
use serde_json::json;

use super::inputs::Inputs;
use super::line::Line;
use super::report::{Error, Exit, Result};
use super::show::Format;
use super::{Given, post, report, screen, words};
use crate::compile::{Plan, last_part};
use crate::model::{AtomId, Timestamp};
use crate::ports::{Clock, SystemClock};
use crate::rehearsal::{self, FOR_GOOD, Faults, Places, Report};
use crate::syntax::did_you_mean;

/// How wide the table is where no terminal tells.
const WIDTH: usize = 100;

/// How wide it becomes on the widest terminal.
const WIDEST: usize = 160;

/// What `rehearse` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is run: every task succeeds at once or fails as it is told, the scheduler is the real one.
The exit code is 0 whatever is found. `--format json` has every list in full (docs/rehearsal.md).")]
pub struct Arguments {
    /// The path of a flow, or the name of one in the flows path
    flow: String,
    /// Play one failure in detail: this task fails for good, or in its first N attempts
    #[arg(long, value_name = "TASK[:N]")]
    fail: Option<String>,
    /// Play in detail that this task's revert fails
    #[arg(long, value_name = "TASK")]
    fail_revert: Option<String>,
    /// Play in detail that the conductor dies after so many commits
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    die_after: Option<u32>,
    /// How it is told
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "text|json"
    )]
    format: Format,
    #[command(flatten)]
    inputs: Inputs,
}

/// Rehearses a flow.
///
/// # Errors
/// The flow does not compile, a value does not fit, there is no such task.
pub fn run(arguments: &Arguments, given: Given<'_>) -> Result {
    let source = given
        .source
        .ok_or_else(|| Error::input(format!("there is no flow `{}`", arguments.flow)))?;
    report::warn(&source.bundle, &source.warnings)?;
    let inputs = arguments
        .inputs
        .collect(&source.declaration.store, given.options)?;
    let plan = post::with_inputs(source.plan, &arguments.flow, &inputs)?;
    let places = Places::new(&source.bundle, &source.declaration);
    let now = SystemClock.now();
    if arguments.fail.is_none() && arguments.fail_revert.is_none() && arguments.die_after.is_none()
    {
        let found = rehearsal::rehearse(&plan, &places, now);
        return match arguments.format {
            Format::Json => {
                print_json(&serde_json::to_value(&found).map_err(std::io::Error::from)?)
            }
            Format::Text => print(&told(&found, given.line, width())),
        };
    }
    let faults = faults(&plan, &places, arguments, now)?;
    let dies_after = arguments.die_after.map(|commits| commits as usize);
    let steps = rehearsal::one_play(&plan, faults, dies_after, now);
    match arguments.format {
        Format::Json => print_json(&json!({ "version": 1, "flow": plan.name, "steps": steps })),
        Format::Text => print(&scene::lines(&plan, faults, dies_after, &steps, now)),
    }
}

/// The whole report as lines; `typed` is the command line that asked for it.
fn told(found: &Report, typed: &[OsString], width: usize) -> Vec<Line> {
    let mut lines = verdict::lines(found, width);
    lines.push(Line::new());
    lines.extend(table::lines(found, width));
    lines.extend(notes::lines(found, typed, width));
    lines
}

fn width() -> usize {
    if screen::is_live() {
        screen::size().0.min(WIDEST)
    } else {
        WIDTH
    }
}

fn print(lines: &[Line]) -> Result {
    let colour = screen::has_colour();
    let text: String = lines
        .iter()
        .map(|line| line.render(colour) + "\n")
        .collect();
    report::print(&text)?;
    Ok(Exit::Success)
}

fn print_json(value: &serde_json::Value) -> Result {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from)?;
    report::print(&(text + "\n"))?;
    Ok(Exit::Success)
}

/// What is to go wrong in the one play that is asked for.
fn faults(plan: &Plan, places: &Places, arguments: &Arguments, now: Timestamp) -> Result<Faults> {
    let execute = match &arguments.fail {
        Some(text) => Some(failing(plan, &arguments.flow, text)?),
        None => None,
    };
    let Some(name) = &arguments.fail_revert else {
        return Ok(Faults {
            execute,
            revert: None,
        });
    };
    let revert = task(plan, &arguments.flow, name)?;
    if plan.task(revert).is_none_or(|task| task.revert.is_none()) {
        return Err(Error::input(format!(
            "`{}` has no revert that could fail",
            plan.atom(revert).name
        ))
        .help("write one: `revert: …` with what undoes it"));
    }
    let execute = match execute {
        Some(execute) => Some(execute),
        None => Some((because_of(plan, places, revert, now)?, FOR_GOOD)),
    };
    Ok(Faults {
        execute,
        revert: Some(revert),
    })
}

/// The task whose failure makes another one revert, as the report chooses it.
fn because_of(plan: &Plan, places: &Places, revert: AtomId, now: Timestamp) -> Result<AtomId> {
    let found = rehearsal::rehearse(plan, places, now);
    let name = &plan.atom(revert).name;
    let fails = found
        .tasks
        .iter()
        .find(|task| task.task == *name)
        .and_then(|task| task.revert_fails.as_ref());
    match fails {
        Some(fails) => task(plan, name, &fails.because_of),
        None => Err(
            Error::input(format!("no single failure was played that undoes `{name}`"))
                .help("say which task fails: `--fail TASK`"),
        ),
    }
}

/// Reads `TASK` or `TASK:N`.
fn failing(plan: &Plan, flow: &str, text: &str) -> Result<(AtomId, u32)> {
    let whole = task(plan, flow, text);
    let (Some((name, attempts)), Err(_)) = (text.rsplit_once(':'), &whole) else {
        // The name of a copy may hold colons itself.
        return Ok((whole?, FOR_GOOD));
    };
    match attempts.parse() {
        Ok(attempts) if attempts > 0 => Ok((task(plan, flow, name)?, attempts)),
        Ok(_) | Err(_) => Err(Error::input(format!(
            "`--fail {text}`: `{attempts}` is not a number of attempts"
        ))
        .help("write the task, or the task, `:` and how many of its first attempts fail: --fail build:2")),
    }
}

/// The task of a full name, or of a last part that only one has.
fn task(plan: &Plan, flow: &str, name: &str) -> Result<AtomId> {
    let tasks = || {
        let atoms = plan.atoms.iter().zip(0..);
        atoms
            .map(|(atom, id)| (atom.name.as_str(), AtomId(id)))
            .filter(|(_, id)| plan.task(*id).is_some())
    };
    let last = |full: &str| last_part(full) == name;
    let mut short = tasks().filter(|(full, _)| last(full));
    if let Some((_, id)) = tasks().find(|(full, _)| *full == name) {
        return Ok(id);
    }
    if let (Some((_, id)), None) = (short.next(), short.next()) {
        return Ok(id);
    }
    let said = Error::input(format!("`{}` has no task `{name}`", plan.name));
    let inside: Vec<&str> = tasks()
        .map(|(full, _)| full)
        .filter(|full| {
            last(full)
                || full
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('.'))
        })
        .collect();
    if !inside.is_empty() {
        let some = inside.iter().take(FEW).copied();
        let more = if inside.len() > FEW {
            ", among others"
        } else {
            ""
        };
        return Err(said.help(format!("it has {}{more}", words::list(some))));
    }
    Err(match did_you_mean(name, tasks().map(|(full, _)| full)) {
        Some(meant) => said.help(format!("did you mean `{meant}`?")),
        None if tasks().count() <= FEW => said.help(format!(
            "its tasks are {}",
            words::list(tasks().map(|(full, _)| full))
        )),
        None => said.help(format!(
            "`jobrunner post {} --hierarchy` lists its tasks",
            words::typed(flow)
        )),
    })
}

/// How many names are told in a hint.
const FEW: usize = 8;
