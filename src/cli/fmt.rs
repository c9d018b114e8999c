//! `fmt`: flow files in the usual layout. Nothing is run, and what cannot be read stays as it is.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use similar::TextDiff;

use super::flows::open_file;
use super::report::{self, Error, Exit, Result};
use super::rewrite::{STDIN, replace, stdin};
use crate::format::{self, Refusal};
use crate::model::{Bundle, SourceFile};
use crate::syntax::Notation;

/// What `fmt` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "The order of keys and tasks, comments and single blank lines stay. A file that cannot be read stays \
as it is, and so does one that would say something else.\n\nExamples:\n  jobrunner fmt build.flow.yaml flows/\n  \
jobrunner fmt --check .        exit code 1 if a file is laid out otherwise\n  \
jobrunner fmt - < build.flow   to standard output"
)]
pub struct Arguments {
    /// Files; folders, for all flows and task kinds in them; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Write nothing; name the files that are laid out otherwise, and end with 1 if there are any
    #[arg(long)]
    check: bool,
    /// Write nothing; print what would change
    #[arg(long)]
    diff: bool,
    /// The notation of standard input; without it, it is told by the text
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        value_name = "yaml|text"
    )]
    notation: Option<Written>,
}

/// How a flow is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Written {
    /// YAML
    Yaml,
    /// The text notation
    Text,
}

impl From<Written> for Notation {
    fn from(written: Written) -> Self {
        match written {
            Written::Yaml => Self::Yaml,
            Written::Text => Self::Text,
        }
    }
}

/// Lays out the files.
///
/// # Errors
/// The output cannot be written. What is wrong with a file is told, and the others are laid out all the same.
pub fn run(arguments: &Arguments) -> Result {
    let mut exit = Exit::Success;
    let mut code = None;
    for name in &arguments.files {
        let paths = match name.as_str() {
            STDIN => vec![PathBuf::from(STDIN)],
            name => flows_in(Path::new(name))?,
        };
        for path in paths {
            match one(&path, arguments) {
                Ok(false) => {}
                Ok(true) if arguments.check => {
                    exit = match exit {
                        Exit::Success => Exit::Reverted,
                        exit => exit,
                    };
                }
                Ok(true) => {}
                // The other files are laid out all the same.
                Err(error) => {
                    exit = Exit::BadInput;
                    match error {
                        Error::Flow { bundle, problems } => {
                            report::list(&bundle, &problems)?;
                            code = code.or_else(|| problems.first().map(|problem| problem.code));
                        }
                        error => report::also(&error)?,
                    }
                }
            }
        }
    }
    report::pointer(code)?;
    Ok(exit)
}

/// Lays out one file; whether it was laid out otherwise.
fn one(path: &Path, arguments: &Arguments) -> Result<bool> {
    let piped = path == Path::new(STDIN);
    let file = match piped {
        true => stdin(arguments.notation.map(Notation::from))?,
        false => source(path)?,
    };
    let text = format::format(&file).map_err(|refusal| refused(&file, refusal))?;
    let changed = text != file.text;
    let only_look = arguments.check || arguments.diff;
    if arguments.diff && changed {
        let name = file.path.as_str();
        let diff = TextDiff::from_lines(&file.text, &text);
        let diff = diff
            .unified_diff()
            .header(name, &format!("{name} (formatted)"))
            .to_string();
        report::print(&diff)?;
    }
    match (piped, only_look, changed) {
        (true, false, _) => report::print(&text)?,
        (false, false, true) => {
            replace(path, &text)?;
            writeln!(anstream::stdout().lock(), "{}", path.display())?;
        }
        (_, true, true) if arguments.check && !arguments.diff => {
            writeln!(anstream::stdout().lock(), "{}", file.path)?;
        }
        (_, true, _) | (false, false, false) => {}
    }
    Ok(changed)
}

fn source(path: &Path) -> Result<SourceFile> {
    let bundle = open_file(path)?;
    let file = bundle.files.into_iter().next();
    file.ok_or_else(|| Error::input(format!("there is no file `{}`", path.display())))
}

/// Why a file is not laid out, as an error.
pub fn refused(file: &SourceFile, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Malformed(problems) => Error::Flow {
            bundle: Bundle {
                version: 1,
                files: vec![file.clone()],
            },
            problems,
        },
        refusal @ Refusal::NoMapping => Error::input(format!("`{}`: {refusal}", file.path)),
        refusal @ Refusal::Changed(_) => {
            Error::input(format!("`{}` was left as it is: {refusal}", file.path))
                .help("this is a fault of jobrunner, not of the file; please report it")
        }
    }
}

/// The file itself, or the flows and task kinds in a folder and below, in the order of their names.
fn flows_in(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let unread = |error: std::io::Error| {
            Error::input(format!("the folder `{}` cannot be read", folder.display()))
                .because(&error)
        };
        for entry in fs::read_dir(&folder).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What a link names is looked at where it is.
            let kind = entry.file_type().map_err(unread)?;
            if kind.is_dir() && !name.starts_with('.') {
                folders.push(entry.path());
            } else if kind.is_file() && is_flow_file(&name) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file of that name holds a flow or a task kind.
fn is_flow_file(name: &str) -> bool {
    [".flow", ".task"].iter().any(|kind| {
        ["", ".yaml", ".yml"]
            .iter()
            .any(|end| name.ends_with(&format!("{kind}{end}")))
    })
}
