//! The kind `shell`: a script for `sh -eu`, or for another interpreter.
//!
//! Values reach the script as environment variables, never as text in it. A script is handed over as an
//! argument where the interpreter is known to take one (`-c`, `-e`, `-r`); one that is too long for that, or
//! for an interpreter that is not known, stands in a file that only this user can read, until it has run.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;

use super::exec::{JSON, REQUIRES, RESULT, STDIN, stdin};
use super::params::{self, Fields};
use super::process::{Processes, Program, fits_an_argument};
use crate::model::{Failure, FailureKind, KindSchema, Param, Shape, Value, Waits};
use crate::ports::{Call, Outcome, TaskKind};

const SCHEMA: KindSchema = KindSchema {
    name: "shell",
    about: "runs a script, with `sh -eu` if it does not say otherwise",
    params: &[
        Param {
            name: "script",
            shape: Shape::Script,
            required: true,
            about: "the script; a template in it is exactly one word",
        },
        Param {
            name: "interpreter",
            shape: Shape::Argv,
            required: false,
            about: "what runs it instead of `sh -eu`: a program, or a list with its options",
        },
        STDIN,
        JSON,
        REQUIRES,
    ],
    shorthand: Some("script"),
    process: true,
    result: RESULT,
    whole: Some("stdout"),
    waits: Waits::Nothing,
};

#[derive(Deserialize)]
struct Params {
    script: Script,
    interpreter: Option<Value>,
    stdin: Option<Value>,
    #[serde(default)]
    json: bool,
    #[serde(default)]
    requires: Vec<String>,
    #[serde(default)]
    env: Fields,
    dir: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Script {
    script: String,
    #[serde(default)]
    vars: Fields,
}

/// The kind `shell`.
#[derive(Debug)]
pub struct Shell(Arc<Processes>);

impl Shell {
    /// Runs its scripts with these.
    #[must_use]
    pub fn new(processes: Arc<Processes>) -> Self {
        Self(processes)
    }
}

#[async_trait]
impl TaskKind for Shell {
    fn schema(&self) -> &KindSchema {
        &SCHEMA
    }

    async fn execute(&self, call: Call) -> Result<Value, Failure> {
        let spec: Params = params::read(&call)?;
        let mut argv = interpreter(spec.interpreter.as_ref())?;
        let mut env = params::pairs(&spec.env)?;
        env.extend(params::pairs(&spec.script.vars)?);
        let text = spec.script.script;
        let mut file = None;
        match option(&argv) {
            Some(option) if fits_an_argument(&text) => {
                if argv.last().is_none_or(|last| last != option) {
                    argv.push(option.to_owned());
                }
                argv.push(text);
            }
            option => {
                argv.pop_if(|last| option == Some(last));
                let written = ScriptFile::write(&text).map_err(|error| {
                    let message = format!("the script's file cannot be written: {error}");
                    Failure::new(FailureKind::System, message)
                })?;
                argv.push(written.path().to_string_lossy().into_owned());
                file = Some(written);
            }
        }
        let program = Program {
            argv,
            env,
            dir: spec.dir,
            stdin: stdin(spec.stdin.as_ref())?,
        };
        self.0.end_interrupted(&call).await;
        program.check_others(&spec.requires)?;
        let result = self.0.run(&call, program, spec.json).await;
        drop(file);
        result
    }

    async fn revert(&self, call: Call, _: Outcome) -> Result<(), Failure> {
        self.0.end_interrupted(&call).await;
        Ok(())
    }

    fn revert_params(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}

fn interpreter(value: Option<&Value>) -> Result<Vec<String>, Failure> {
    let words = match value {
        None | Some(Value::Null) => return Ok(vec!["sh".to_owned(), "-eu".to_owned()]),
        Some(Value::Array(words)) => words.as_slice(),
        Some(word) => std::slice::from_ref(word),
    };
    let words = words.iter().map(|word| params::text("interpreter", word));
    let words: Vec<String> = words.collect::<Result<_, _>>()?;
    // `interpreter: bash -e` is read as it is meant.
    Ok(match words.as_slice() {
        [line] => line.split_whitespace().map(str::to_owned).collect(),
        _ => words,
    })
}

/// The option by which an interpreter takes a script as the next argument.
fn option(argv: &[String]) -> Option<&'static str> {
    let mut words = argv.iter();
    let mut name = Path::new(words.next()?).file_name()?.to_str()?;
    // `/usr/bin/env bash`
    if name == "env" {
        name = words.next()?;
    }
    // `python3.13`, `php8.4`
    match name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "sh" | "ash" | "bash" | "dash" | "ksh" | "mksh" | "zsh" | "fish" | "python" => Some("-c"),
        "node" | "perl" | "ruby" | "lua" | "Rscript" => Some("-e"),
        "php" => Some("-r"),
        _ => None,
    }
}

/// A script in a folder that only this user can enter; both are removed when it is dropped.
struct ScriptFile {
    folder: PathBuf,
}

impl ScriptFile {
    fn write(text: &str) -> io::Result<Self> {
        let name = format!("jobrunner-script-{:016x}", fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&folder)?;
        let script = Self { folder };
        std::fs::write(script.path(), text)?;
        Ok(script)
    }

    fn path(&self) -> PathBuf {
        self.folder.join("script")
    }
}

impl Drop for ScriptFile {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the temporary folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {

    #[test]
    fn interpreters_are_known_by_the_name_of_their_program() {
        let option = |text: &str| {
            let argv: Vec<String> = text.split(' ').map(str::to_owned).collect();
            super::option(&argv)
        };
        assert_eq!(option("sh -eu"), Some("-c"));
        assert_eq!(option("/usr/bin/python3.13"), Some("-c"));
        assert_eq!(option("node --no-warnings"), Some("-e"));
        assert_eq!(option("php8.4"), Some("-r"));
        assert_eq!(option("/usr/bin/env bash"), Some("-c"));
        assert_eq!(option("nu"), None);
    }
}
