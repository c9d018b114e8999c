//! What is given to a flow when it is posted: `--set` and its siblings, and its store as options of their own.
//!
//! `--port 8887` is `--set port=8887`. The command line enters, inputs by name leave; whether a value fits is
//! for the plan to say.

use std::fs;

use clap::{Arg, ArgMatches, Args, Command};
use indexmap::IndexMap;

use super::report::{Error, Result};
use crate::compile::Input;
use crate::model::{Declared, SecretSource, Spanned, Type, Value};
use crate::syntax::FlowDeclaration;

/// No value is read from a larger file: 1 MiB.
const MAX_BYTES: u64 = 1 << 20;

/// Options that give values to a flow's store.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Values")]
pub struct Inputs {
    /// Set a name of the flow's store, read as its type
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Set a name to a JSON value
    #[arg(long, value_name = "NAME=JSON")]
    set_json: Vec<String>,
    /// Set a name to the text of a file, without its last newline
    #[arg(long, value_name = "NAME=FILE")]
    set_file: Vec<String>,
    /// Say where the conductor reads a secret when it needs it: env:NAME or file:PATH
    #[arg(long, value_name = "NAME=SOURCE")]
    secret: Vec<String>,
}

/// The heading of the options that are for conductors.
pub const CONDUCTOR: &str = "As a conductor";

/// What a flow's store declares.
pub type Store = [(Spanned<String>, Declared)];

/// A command for one flow: the flow's store as options before all others. `global` are the options of all commands.
#[must_use]
pub fn of_flow(
    command: Command,
    global: &[String],
    flow: &str,
    declared: &FlowDeclaration,
) -> Command {
    // What is for conductors makes room for what the flow takes.
    let (conductors, others): (Vec<Arg>, Vec<Arg>) = command
        .get_arguments()
        .cloned()
        .partition(|arg| arg.get_help_heading() == Some(CONDUCTOR));
    let taken: Vec<&str> = others
        .iter()
        .filter_map(Arg::get_long)
        .chain(global.iter().map(String::as_str))
        .chain(["help", "version"])
        .collect();
    let (hidden, free): (Vec<_>, Vec<_>) = declared
        .store
        .iter()
        .partition(|(name, _)| taken.contains(&long(&name.value).as_str()));
    let is_free = |long_name: &str| !free.iter().any(|(name, _)| long(&name.value) == long_name);
    let conductors = conductors.into_iter().map(|arg| {
        let name = arg.get_long().unwrap_or_default().to_owned();
        let name = if is_free(&name) {
            name
        } else {
            format!("conductor-{name}")
        };
        arg.long(name).hide(true)
    });
    let heading = format!("Store of {}", declared.name.value);
    let options = free
        .iter()
        .map(|(name, declared)| option(&name.value, declared).help_heading(heading.clone()));
    let about = match &declared.about {
        Some(about) => format!("{}: {about}", declared.name.value),
        None => declared.name.value.clone(),
    };
    let usage = format!("jobrunner {} {flow} [OPTIONS]", command.get_name());
    let of_flow = Command::new(command.get_name().to_owned())
        .about(about)
        .override_usage(usage)
        .args(options.collect::<Vec<_>>())
        .args(
            others
                .iter()
                .map(|arg| arg.clone().hide(arg.is_positional())),
        )
        .args(conductors.collect::<Vec<_>>());
    if hidden.is_empty() {
        return of_flow;
    }
    let names = hidden.iter().map(|(name, _)| name.value.as_str());
    of_flow.after_help(format!(
        "Set {} with `--set NAME=VALUE`: an option of that name means something else.",
        super::words::list(names)
    ))
}

fn id(name: &str) -> String {
    format!("store:{name}")
}

fn long(name: &str) -> String {
    name.replace('_', "-")
}

fn option(name: &str, declared: &Declared) -> Arg {
    let mut arg = Arg::new(id(name))
        .long(long(name))
        .help(help(declared))
        .value_name(value_name(declared));
    if name.contains('_') {
        arg = arg.alias(name.to_owned());
    }
    match declared.ty {
        Type::Bool => arg.num_args(0..=1).default_missing_value("true"),
        Type::Int | Type::Float => arg.allow_negative_numbers(true),
        Type::String
        | Type::Duration
        | Type::Size
        | Type::Port
        | Type::Url
        | Type::Path
        | Type::File
        | Type::Template
        | Type::Date
        | Type::List(_)
        | Type::Map
        | Type::Any => arg,
    }
}

fn value_name(declared: &Declared) -> String {
    if declared.secret {
        "env:NAME|file:PATH".to_owned()
    } else {
        declared.ty.to_string()
    }
}

fn help(declared: &Declared) -> String {
    let mut parts: Vec<String> = declared.about.iter().cloned().collect();
    let text = super::progress::shown;
    if !declared.one_of.is_empty() {
        let all: Vec<String> = declared.one_of.iter().map(text).collect();
        parts.push(format!("[one of: {}]", all.join(", ")));
    }
    for (word, bound) in [("at least", &declared.min), ("at most", &declared.max)] {
        if let Some(bound) = bound {
            parts.push(format!("[{word}: {}]", text(bound)));
        }
    }
    match (&declared.from, &declared.default) {
        (Some(source), _) => parts.push(format!("[default: {source}]")),
        (None, Some(value)) => parts.push(format!("[default: {}]", shown_default(declared, value))),
        (None, None) => parts.push("[required]".to_owned()),
    }
    parts.join(" ")
}

fn shown_default(declared: &Declared, value: &Value) -> String {
    match (&declared.ty, value) {
        (Type::Size, Value::Number(bytes)) => bytes
            .as_u64()
            .map_or_else(|| bytes.to_string(), crate::model::format_size),
        (_, Value::String(text)) if text.is_empty() => "\"\"".to_owned(),
        (_, Value::Array(items)) => items
            .iter()
            .map(super::progress::shown)
            .collect::<Vec<_>>()
            .join(","),
        _ => super::progress::shown(value),
    }
}

impl Inputs {
    /// Whether nothing was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        [&self.set, &self.set_json, &self.set_file, &self.secret]
            .iter()
            .all(|given| given.is_empty())
    }

    /// What was given, by name.
    ///
    /// # Errors
    /// An option lacks its `=`, a name is given twice, a file cannot be read, JSON is none, a source is none.
    pub fn collect(
        &self,
        store: &Store,
        matches: Option<&ArgMatches>,
    ) -> Result<IndexMap<String, Input>> {
        let mut given = Given(IndexMap::new());
        for text in &self.set {
            let (name, value) = split("--set", text, "port=8080")?;
            let declared = store.iter().find(|(known, _)| known.value == name);
            let input = match declared {
                Some((_, declared)) => as_text(name, declared, value)?,
                None => Input::Text(value.to_owned()),
            };
            given.add(name, input)?;
        }
        for text in &self.set_json {
            let (name, value) = split("--set-json", text, "regions='[\"eu\", \"us\"]'")?;
            let value = serde_json::from_str(value).map_err(|error| {
                Error::input(format!("`--set-json {name}=…` is not JSON"))
                    .because(&error)
                    .help("text is in quotes in JSON: --set-json name='\"text\"'")
            })?;
            given.add(name, Input::Value(value))?;
        }
        for text in &self.set_file {
            let (name, path) = split("--set-file", text, "notes=notes.txt")?;
            given.add(name, Input::Text(read(name, path)?))?;
        }
        for text in &self.secret {
            let (name, value) = split("--secret", text, "token=env:TOKEN")?;
            given.add(name, secret(name, value)?)?;
        }
        for (name, declared) in store {
            let name = name.value.as_str();
            let Some(value) =
                matches.and_then(|m| m.try_get_one::<String>(&id(name)).ok().flatten())
            else {
                continue;
            };
            let input = if declared.secret {
                secret(name, value)?
            } else {
                as_text(name, declared, value)?
            };
            given.add(name, input)?;
        }
        Ok(given.0)
    }
}

struct Given(IndexMap<String, Input>);

impl Given {
    fn add(&mut self, name: &str, input: Input) -> Result<()> {
        match self.0.insert(name.to_owned(), input) {
            None => Ok(()),
            Some(_) => Err(Error::input(format!("`{name}` is set twice"))),
        }
    }
}

fn split<'a>(option: &str, text: &'a str, example: &str) -> Result<(&'a str, &'a str)> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(
            Error::input(format!("`{option} {text}` says no value")).help(format!(
                "write a name, `=` and the value: {option} {example}"
            )),
        ),
    }
}

fn secret(name: &str, text: &str) -> Result<Input> {
    // What was given may be the secret itself: it is not repeated.
    SecretSource::parse(text).map(Input::Secret).ok_or_else(|| {
        Error::input(format!(
            "`{name}` is a secret: say where it is read from, not what it is"
        ))
        .help(format!(
            "--secret {name}=env:NAME or --secret {name}=file:PATH"
        ))
    })
}

/// What is written for a name; of a file, its text.
fn as_text(name: &str, declared: &Declared, value: &str) -> Result<Input> {
    let text = match declared.ty.is_file() {
        true => whole(&format!("`{name}={value}`"), value)?,
        false => value.to_owned(),
    };
    Ok(Input::Text(text))
}

fn read(name: &str, path: &str) -> Result<String> {
    let text = whole(&format!("`--set-file {name}={path}`"), path)?;
    Ok(text.strip_suffix('\n').map_or(text.clone(), str::to_owned))
}

fn whole(option: &str, path: &str) -> Result<String> {
    let wrong = |why: &str| Error::input(format!("{option}: {why}"));
    let about =
        fs::metadata(path).map_err(|error| wrong("the file cannot be read").because(&error))?;
    if !about.is_file() {
        return Err(wrong("it is not a file").help("name a file that holds the text"));
    }
    if about.len() > MAX_BYTES {
        return Err(wrong("the file is larger than 1 MiB")
            .help("set the file's path instead, and let a task read it"));
    }
    fs::read_to_string(path).map_err(|error| wrong("the file cannot be read").because(&error))
}
