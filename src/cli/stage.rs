//! The first look at the command line: which flow does it name?
//!
//! The store of that flow becomes options of `run`, `post` and `rehearse`, so the flow has to be known before the arguments
//! can be parsed. Nothing is judged here: what makes no sense is left to the parser.

use std::ffi::OsString;

use clap::{ArgAction, Command, CommandFactory};

use super::Cli;
use super::config::{Config, Global};
use super::flows::Flows;
use super::inputs;
use super::report::{Error, Result};
use super::source::Source;
use super::words::typed;

/// What a first look finds.
#[derive(Debug, Default, PartialEq)]
struct Glance {
    /// `run`, `post` or `rehearse`.
    command: Option<String>,
    flow: Option<String>,
    config: Option<String>,
    flows: Option<String>,
    outside: bool,
    help: bool,
    /// An option that is not known, before the flow.
    early: Option<String>,
}

/// The command line's grammar for these arguments, and the flow that they name.
///
/// # Errors
/// The flow cannot be read or does not parse.
pub fn command(arguments: &[OsString]) -> Result<(Command, Option<Source>)> {
    let mut command = Cli::command();
    // Arguments of all commands are told by `build` alone.
    command.build();
    let glance = glance(&command, arguments);
    let command = with_usage(command);
    let Some(name) = glance.command.clone() else {
        return Ok((command, None));
    };
    let environment = |key: &str| std::env::var(key).ok();
    let global = Global {
        config: glance
            .config
            .clone()
            .or_else(|| environment("JOBRUNNER_CONFIG"))
            .map(Into::into),
        flows: glance
            .flows
            .clone()
            .or_else(|| environment("JOBRUNNER_FLOWS")),
        outside: glance.outside,
        ..Global::default()
    };
    let flows = || -> Result<Flows> { Ok(Config::read(&global)?.all_flows()) };
    match &glance.flow {
        Some(flow) => {
            let flows = flows()?;
            let source = Source::open(&flows, flow)?;
            let declared = &source.declaration;
            let known: Vec<String> = command
                .get_arguments()
                .filter_map(|arg| arg.get_long().map(str::to_owned))
                .collect();
            let command = command.mut_subcommand(name, |command| {
                inputs::of_flow(command, &known, flow, declared)
            });
            Ok((command, Some(source)))
        }
        None if glance.help => {
            let flows = flows()?;
            let text = known(&flows);
            Ok((
                command.mut_subcommand(name, |command| command.after_help(text)),
                None,
            ))
        }
        None => match &glance.early {
            Some(option) => Err(Error::input(format!("`--{option}` is not known before FLOW")).help(format!(
                "what a flow's store takes comes after the flow: jobrunner {name} FLOW --{option} …"
            ))),
            None => Ok((command, None)),
        },
    }
}

/// The grammar anew, in which an error shows the usage as help does: an option that the environment sets would be shown
/// as one that has to be given.
fn with_usage(mut built: Command) -> Command {
    Cli::command().mut_subcommands(|command| {
        let built = built.find_subcommand_mut(command.get_name());
        let usage = built.expect("it is the same grammar").render_usage();
        command.override_usage(usage.to_string().trim_start_matches("Usage: ").to_owned())
    })
}

/// The flows that can be named, with what they are about.
fn known(flows: &Flows) -> String {
    let known = flows.known();
    let wide = known
        .iter()
        .map(|known| known.name.len())
        .max()
        .unwrap_or(0);
    let mut text = String::from("Flows that can be named:\n");
    for known in &known {
        let about = match flows
            .open_known(known)
            .and_then(|bundle| Source::compile(flows, bundle))
        {
            Ok(source) => source.declaration.about.unwrap_or_default(),
            Err(_) => format!("(does not compile: jobrunner check {})", typed(&known.name)),
        };
        text.push_str(&format!("  {:wide$}  {about}\n", known.name));
    }
    text.push_str("\nFLOW --help lists what can be set.");
    text
}

fn glance(command: &Command, arguments: &[OsString]) -> Glance {
    let mut found = Glance::default();
    let mut arguments = arguments
        .iter()
        .skip(1)
        .map(|argument| argument.to_string_lossy());
    let mut at = command;
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            continue;
        }
        if argument == "--help" || argument == "-h" {
            found.help = true;
        } else if let Some(option) = argument.strip_prefix("--") {
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (option, None),
            };
            let Some(known) = at.get_arguments().find(|arg| arg.get_long() == Some(name)) else {
                if found.flow.is_none() {
                    found.early.get_or_insert_with(|| name.to_owned());
                }
                continue;
            };
            let takes = matches!(known.get_action(), ArgAction::Set | ArgAction::Append);
            let value = if takes {
                value.or_else(|| arguments.next().map(Into::into))
            } else {
                None
            };
            match name {
                "config" => found.config = value,
                "flows" => found.flows = value,
                "outside" => found.outside = true,
                _ => {}
            }
        } else if argument.starts_with('-') && argument.len() > 1 {
            let known = at
                .get_arguments()
                .find(|arg| arg.get_short() == argument.chars().nth(1));
            if known
                .is_some_and(|arg| matches!(arg.get_action(), ArgAction::Set | ArgAction::Append))
                && argument.len() == 2
            {
                arguments.next();
            }
        } else if found.command.is_none() {
            match argument.as_ref() {
                "help" => found.help = true,
                "run" | "post" | "rehearse" => {
                    at = command
                        .find_subcommand(argument.as_ref())
                        .unwrap_or(command);
                    found.command = Some(argument.into());
                }
                _ => return Glance::default(),
            }
        } else if found.flow.is_none() && found.early.is_none() && at.get_name() != "help" {
            found.flow = Some(argument.into());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(line: &str) -> Glance {
        let mut command = Cli::command();
        command.build();
        let arguments: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
        glance(&command, &arguments)
    }

    #[test]
    fn the_flow_is_the_first_word_that_is_no_value_of_an_option() {
        for line in [
            "jobrunner run hello --port 8887",
            "jobrunner --store sqlite:///x run --set a=b hello",
            "jobrunner run -v --set=a=b hello --fail",
            "jobrunner run -- hello",
        ] {
            assert_eq!(look(line).flow.as_deref(), Some("hello"), "{line}");
        }
        // Behind an option that is not known, a word may be its value.
        let early = look("jobrunner post --port 8887 hello");
        assert_eq!((early.flow, early.early.as_deref()), (None, Some("port")));
        assert_eq!(look("jobrunner run --until-empty").flow, None);
        assert_eq!(look("jobrunner show run hello"), Glance::default());
    }

    #[test]
    fn the_flows_path_counts_wherever_it_stands() {
        let found = look("jobrunner post hello --who me --flows a:b --help");
        assert_eq!(found.flows.as_deref(), Some("a:b"));
        assert!(found.help);
        assert!(look("jobrunner help post").help);
    }
}
