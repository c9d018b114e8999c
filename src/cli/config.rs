//! What the program is told besides its command: flag before environment before configuration file before default.
//!
//! The file is YAML: `store`, `board`, `flows`, `name`, `max_jobs`, `max_tasks`, `lease_ttl`, `labels`,
//! `capabilities`. Nothing is opened here.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use indexmap::IndexMap;
use serde::Deserialize;

use super::flows::Flows;
use super::report::{Error, Exit, Result};
use crate::model::{Duration, parse_duration};
use crate::syntax::did_you_mean;

/// Options that every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The configuration file [default: jobrunner/config.yaml in the user's configuration folder, if it is there]
    #[arg(
        long,
        global = true,
        env = "JOBRUNNER_CONFIG",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,
    /// Where jobs are kept: sqlite:///path/jobs.db [default: jobrunner/jobs.db in the user's data folder]
    #[arg(
        long,
        global = true,
        env = "JOBRUNNER_STORE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub store: Option<String>,
    /// Where conductors find jobs to run: redis://host:6379/0, or a URL as for the store [default: the store]
    #[arg(
        long,
        global = true,
        env = "JOBRUNNER_BOARD",
        value_name = "URL",
        hide_env_values = true
    )]
    pub board: Option<String>,
    /// Folders with flows that can be named without a path, with `:` between them [default: flows]
    #[arg(
        long,
        global = true,
        env = "JOBRUNNER_FLOWS",
        value_name = "PATH",
        hide_env_values = true
    )]
    pub flows: Option<String>,
    /// Let a flow use files outside of its own folder
    #[arg(long, global = true)]
    pub outside: bool,
    /// Tell on standard error what is being done; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The configuration file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct File {
    store: Option<String>,
    board: Option<String>,
    flows: Option<Paths>,
    name: Option<String>,
    max_jobs: Option<NonZeroUsize>,
    max_tasks: Option<NonZeroUsize>,
    lease_ttl: Option<String>,
    labels: Vec<String>,
    capabilities: IndexMap<String, String>,
}

const KEYS: [&str; 9] = [
    "store",
    "board",
    "flows",
    "name",
    "max_jobs",
    "max_tasks",
    "lease_ttl",
    "labels",
    "capabilities",
];

/// A path, or a list of them.
#[derive(Debug, Clone, PartialEq)]
struct Paths(Vec<PathBuf>);

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        let value = serde_yaml::Value::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("`flows` is a path or a list of paths");
        match value {
            serde_yaml::Value::String(path) => Ok(Self(split_paths(&path))),
            serde_yaml::Value::Sequence(paths) => paths
                .iter()
                .map(|path| path.as_str().map(PathBuf::from).ok_or_else(wrong))
                .collect::<std::result::Result<_, _>>()
                .map(Self),
            _ => Err(wrong()),
        }
    }
}

fn split_paths(text: &str) -> Vec<PathBuf> {
    std::env::split_paths(text)
        .filter(|path| !path.as_os_str().is_empty())
        .collect()
}

/// What the program works with.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The store's URL; `None` for the file in the user's data folder.
    pub store: Option<String>,
    /// The board's URL; `None` for the store's.
    pub board: Option<String>,
    /// The folders in which flows are looked up by name.
    pub flows: Vec<PathBuf>,
    /// Whether a flow may use files outside of its own folder.
    pub outside: bool,
    /// What this conductor is called, instead of the host's name.
    pub name: Option<String>,
    /// How many jobs a conductor works on at once.
    pub max_jobs: Option<usize>,
    /// How many tasks a conductor runs at once.
    pub max_tasks: Option<usize>,
    /// How long a claim holds without being renewed.
    pub lease_ttl: Option<Duration>,
    /// What `label` in a flow's capabilities may ask for.
    pub labels: Vec<String>,
    /// Capabilities of one's own: name, and the command that tells whether this machine has it.
    pub capabilities: IndexMap<String, String>,
}

impl Config {
    /// The flows that can be named.
    #[must_use]
    pub fn all_flows(&self) -> Flows {
        Flows::new(self.flows.clone(), self.outside)
    }

    /// Puts flags and environment before the file and the file before the defaults.
    ///
    /// # Errors
    /// The file cannot be read, or says something that makes no sense.
    pub fn read(global: &Global) -> Result<Self> {
        let file = match &global.config {
            Some(path) => read(path)?,
            None => match dirs::config_dir().map(|dir| dir.join("jobrunner/config.yaml")) {
                Some(path) if path.exists() => read(&path)?,
                _ => File::default(),
            },
        };
        let flows = match (&global.flows, file.flows) {
            (Some(text), _) => split_paths(text),
            (None, Some(Paths(paths))) => paths,
            (None, None) => vec![PathBuf::from("flows")],
        };
        let lease_ttl = file
            .lease_ttl
            .as_deref()
            .map(lease_ttl)
            .transpose()
            .map_err(Error::input)?;
        Ok(Self {
            store: global.store.clone().or(file.store),
            board: global.board.clone().or(file.board),
            flows,
            outside: global.outside,
            name: file.name,
            max_jobs: file.max_jobs.map(NonZeroUsize::get),
            max_tasks: file.max_tasks.map(NonZeroUsize::get),
            lease_ttl,
            labels: file.labels,
            capabilities: file.capabilities,
        })
    }
}

/// Reads the time that a lease holds: a second at least, so that three renewals fit in.
///
/// # Errors
/// What is wrong with it, for people.
pub fn lease_ttl(text: &str) -> std::result::Result<Duration, String> {
    match parse_duration(text) {
        Some(ttl) if ttl >= Duration::from_secs(1) => Ok(ttl),
        Some(_) => Err(format!("a lease of `{text}` is too short: 1s at least")),
        None => Err(format!(
            "`{text}` is not a duration: write a number with a unit, such as 15s or 1m"
        )),
    }
}

fn read(path: &Path) -> Result<File> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        let said =
            Error::input(format!("the configuration file `{name}` cannot be read")).because(&error);
        match error.kind() {
            io::ErrorKind::NotFound => {
                said.help("write one, or leave out `--config` and JOBRUNNER_CONFIG")
            }
            _ => said,
        }
    })?;
    parse(&text).map_err(|(message, help)| {
        let said = Error::said(
            Exit::BadInput,
            format!("the configuration file `{name}`: {message}"),
        );
        help.into_iter().fold(said, Error::help)
    })
}

/// The file, or what is wrong with it and what to do.
fn parse(text: &str) -> std::result::Result<File, (String, Vec<String>)> {
    let broken = |error: serde_yaml::Error| (error.to_string(), Vec::new());
    if text.trim().is_empty() {
        return Ok(File::default());
    }
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(broken)?;
    let mapping = match &value {
        serde_yaml::Value::Null => return Ok(File::default()),
        serde_yaml::Value::Mapping(mapping) => mapping,
        _ => {
            return Err((
                "it must be a mapping, such as `store: sqlite:///var/lib/jobs.db`".to_owned(),
                Vec::new(),
            ));
        }
    };
    let unknown: Vec<String> = mapping
        .keys()
        .map(|key| {
            key.as_str()
                .map_or_else(|| format!("{key:?}"), str::to_owned)
        })
        .filter(|key| !KEYS.contains(&key.as_str()))
        .collect();
    if !unknown.is_empty() {
        let help = unknown
            .iter()
            .map(|key| match did_you_mean(key, KEYS) {
                Some(meant) => format!("for `{key}`: did you mean `{meant}`?"),
                None => format!("for `{key}`: the keys are {}", KEYS.join(", ")),
            })
            .collect();
        let keys = super::words::list(unknown.iter().map(String::as_str));
        let (word, verb) = if unknown.len() == 1 {
            ("key", "is")
        } else {
            ("keys", "are")
        };
        return Err((format!("the {word} {keys} {verb} not known"), help));
    }
    for (key, value) in mapping {
        let alone: serde_yaml::Mapping = [(key.clone(), value.clone())].into_iter().collect();
        if serde_yaml::from_value::<File>(alone.into()).is_err() {
            let key = key.as_str().unwrap_or_default();
            return Err((format!("`{key}` must be {}", expected(key)), Vec::new()));
        }
    }
    serde_yaml::from_value(value).map_err(broken)
}

/// What stands under a key.
fn expected(key: &str) -> &'static str {
    match key {
        "max_jobs" | "max_tasks" => "a whole number, 1 at least",
        "flows" => "a path or a list of paths",
        "labels" => "a list of text",
        "capabilities" => "a mapping from names to commands",
        "lease_ttl" => "a duration, such as 15s",
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_an_empty_one_says_nothing() {
        let file = parse(
            "store: sqlite:///tmp/a.db\nflows: [a, b]\nmax_jobs: 3\ncapabilities: { has_gpu: nvidia-smi }\n",
        );
        let file = file.unwrap();
        assert_eq!(file.store.as_deref(), Some("sqlite:///tmp/a.db"));
        assert_eq!(file.flows, Some(Paths(vec!["a".into(), "b".into()])));
        assert_eq!(file.max_jobs.map(NonZeroUsize::get), Some(3));
        assert_eq!(file.capabilities["has_gpu"], "nvidia-smi");
        assert_eq!(parse("# nothing\n").unwrap(), File::default());
    }

    #[test]
    fn an_unknown_key_says_what_was_meant() {
        let (message, help) = parse("stor: x\nlease_tll: 3s\n").unwrap_err();
        assert_eq!(message, "the keys `stor` and `lease_tll` are not known");
        assert_eq!(
            help,
            [
                "for `stor`: did you mean `store`?",
                "for `lease_tll`: did you mean `lease_ttl`?"
            ]
        );
        let (message, _) = parse("max_jobs: 0").unwrap_err();
        assert_eq!(message, "`max_jobs` must be a whole number, 1 at least");
        assert!(parse("- a").is_err());
    }

    #[test]
    fn a_lease_that_is_too_short_is_refused() {
        assert_eq!(lease_ttl("15s"), Ok(Duration::from_secs(15)));
        assert!(lease_ttl("500ms").unwrap_err().contains("1s at least"));
        assert!(lease_ttl("15").unwrap_err().contains("with a unit"));
    }
}
