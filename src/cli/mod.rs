//! The command line: one file for each command, and what they share.
//!
//! Arguments enter, an exit code leaves. Only here is anything printed, a concrete store named, a runtime started.

mod answer;
mod backend;
mod check;
mod completions;
mod conduct;
mod conductors;
mod config;
mod convert;
mod diagnostics;
mod display;
mod explain;
mod flows;
mod fmt;
mod follow;
mod graph;
mod inputs;
mod job;
mod journal;
mod kinds;
mod line;
mod logs;
mod lsp;
mod narration;
mod outcome;
mod post;
mod progress;
mod prune;
mod questions;
mod rehearse;
mod report;
mod request;
mod rewrite;
mod run;
mod sarif;
mod schema;
mod screen;
mod shelf;
mod show;
mod source;
mod stage;
mod status;
mod tasks;
mod tree;
mod watch;
mod words;
mod written;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, FromArgMatches, Parser, Subcommand};

use config::{Config, Global};
use report::Result;
use source::Source;

use crate::model::Verb;

const EXAMPLES: &str = "\
Examples:
  jobrunner run hello                       run a flow that comes with the program
  jobrunner run hello --set fail=true       see how everything is undone
  jobrunner post http_server --port 8887    post a job, for a conductor to run
  jobrunner run                             be a conductor
  jobrunner show                            what is on the board
  jobrunner check build.flow.yaml           every problem of a flow, nothing run
  jobrunner explain duplicate-key           more about one of them
  jobrunner fmt build.flow.yaml             lay it out in the usual way
  jobrunner rehearse build.flow.yaml        what would be undone if any task failed

Exit codes: 0 success, 1 the flow was reverted, 2 the input was bad, 3 a person is needed,
4 the store or the board cannot be reached.";

/// Runs flows of tasks that either finish or are undone, whatever machine dies on the way.
#[derive(Debug, Parser)]
#[command(name = "jobrunner", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a flow here and now, or without FLOW: be a conductor and run what is on the board
    Run(run::Arguments),
    /// Post a flow as a job, for a conductor to run; prints its id
    Post(post::Arguments),
    /// What is on the board, or how far one job is
    Show(show::Arguments),
    /// The conductors: since when, last seen, how many jobs, what they can do
    Conductors(conductors::Arguments),
    /// What the tasks of a job put out
    Logs(logs::Arguments),
    /// The graph of a flow or a job, as DOT for Graphviz
    Graph(graph::Arguments),
    /// Every problem of some flows; nothing is run
    Check(check::Arguments),
    /// Lay out flow files in the usual way, in place
    Fmt(fmt::Arguments),
    /// A flow file in the other notation
    Convert(convert::Arguments),
    /// More about a problem: what it means, why, a wrong and a right example
    Explain(explain::Arguments),
    /// The language server, for editors
    Lsp(lsp::Arguments),
    /// The JSON Schema of flow files, for editors
    Schema(schema::Arguments),
    /// What would happen if any one thing went wrong; nothing is run
    Rehearse(rehearse::Arguments),
    /// The kinds of tasks, or the page of one
    Tasks(tasks::Arguments),
    /// Undo a job: what runs is stopped, everything that was done is reverted
    Cancel(request::Whole),
    /// Stop a job between two tasks; `resume` lets it go on
    Suspend(request::Whole),
    /// Let a suspended job go on
    Resume(request::Whole),
    /// Try again what is stuck: a revert that failed, or a task that was interrupted
    Retry(request::Part),
    /// Say that what is stuck has been undone by hand
    MarkReverted(request::Part),
    /// Leave what is stuck as it is, and end the job
    Abandon(request::Part),
    /// Say yes to a task that asks (`approve`): it succeeds
    Approve(answer::Arguments),
    /// Say no to a task that asks (`approve`): it fails, so that the job is undone
    Deny(answer::Arguments),
    /// Remove jobs that ended long ago, with their history and their output
    Prune(prune::Arguments),
    /// What a shell needs to complete commands, options and files
    Completions(completions::Arguments),
}

/// Does what the arguments say; the code to end with.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    if let Some(code) = crate::tasks::guard::main_if_asked(&arguments) {
        return code;
    }
    report::finish(perform(&arguments))
}

fn perform(arguments: &[OsString]) -> Result {
    let (command, source) = stage::command(arguments)?;
    let matches = command.try_get_matches_from(arguments)?;
    let cli = Cli::from_arg_matches(&matches)?;
    let config = Config::read(&cli.global)?;
    let given = Given {
        source,
        options: matches.subcommand().map(|(_, matches)| matches),
        line: arguments,
    };
    match cli.command {
        Command::Run(arguments) => run::run(&config, cli.global.verbose, arguments, given),
        Command::Post(arguments) => block_on(post::run(&config, arguments, given)),
        Command::Show(arguments) => block_on(show::run(&config, arguments)),
        Command::Conductors(arguments) => block_on(conductors::run(&config, arguments)),
        Command::Logs(arguments) => block_on(logs::run(&config, arguments)),
        Command::Graph(arguments) => block_on(graph::run(&config, arguments)),
        Command::Check(arguments) => check::run(&config, &arguments),
        Command::Fmt(arguments) => fmt::run(&arguments),
        Command::Convert(arguments) => convert::run(&config, &arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Lsp(arguments) => lsp::run(&config, &arguments),
        Command::Schema(arguments) => schema::run(&config, &arguments),
        Command::Rehearse(arguments) => rehearse::run(&arguments, given),
        Command::Tasks(arguments) => tasks::run(&config, &arguments),
        Command::Cancel(arguments) => block_on(request::cancel(&config, arguments)),
        Command::Suspend(arguments) => block_on(request::suspend(&config, arguments)),
        Command::Resume(arguments) => block_on(request::resume(&config, arguments)),
        Command::Retry(arguments) => block_on(request::decide(&config, arguments, Verb::Retry)),
        Command::MarkReverted(arguments) => {
            block_on(request::decide(&config, arguments, Verb::MarkReverted))
        }
        Command::Approve(arguments) => block_on(answer::run(&config, arguments, true)),
        Command::Deny(arguments) => block_on(answer::run(&config, arguments, false)),
        Command::Prune(arguments) => block_on(prune::run(&config, arguments)),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Abandon(arguments) => block_on(request::decide(&config, arguments, Verb::Abandon)),
    }
}

/// The flow that a command line names, already parsed, the options that its store has become, and the whole line.
struct Given<'a> {
    source: Option<Source>,
    options: Option<&'a ArgMatches>,
    line: &'a [OsString],
}

/// Runs a command that waits for files and timers alone: one thread is enough.
fn block_on(work: impl Future<Output = Result>) -> Result {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(work);
    // A read of standard input or a stuck file system must not hold up the end.
    runtime.shutdown_background();
    result
}
