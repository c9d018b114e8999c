//! The kind `exec`: a program with its arguments, no shell between.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;

use super::params::{self, Fields};
use super::process::{Processes, Program};
use crate::model::{Failure, KindSchema, Param, Shape, Value, Waits};
use crate::ports::{Call, Outcome, TaskKind};

/// The fields of a process's result.
pub const RESULT: &[&str] = &["stdout", "exit_code", "truncated", "json"];

/// The parameter that asks for JSON.
pub const JSON: Param = Param {
    name: "json",
    shape: Shape::Bool,
    required: false,
    about: "read standard output as JSON: the result's `json`",
};

/// The parameter that names other programs.
pub const REQUIRES: Param = Param {
    name: "requires",
    shape: Shape::Json,
    required: false,
    about: "a list of programs that must be installed as well",
};

/// The parameter that is handed over on standard input.
pub const STDIN: Param = Param {
    name: "stdin",
    shape: Shape::Text,
    required: false,
    about: "what can be read on standard input; nothing if not given",
};

const SCHEMA: KindSchema = KindSchema {
    name: "exec",
    about: "runs a program, without a shell",
    params: &[
        Param {
            name: "argv",
            shape: Shape::Argv,
            required: true,
            about: "the program and its arguments",
        },
        STDIN,
        JSON,
        REQUIRES,
    ],
    shorthand: Some("argv"),
    process: true,
    result: RESULT,
    whole: Some("stdout"),
    waits: Waits::Nothing,
};

#[derive(Deserialize)]
struct Params {
    argv: Vec<Value>,
    stdin: Option<Value>,
    #[serde(default)]
    json: bool,
    #[serde(default)]
    requires: Vec<String>,
    #[serde(default)]
    env: Fields,
    dir: Option<PathBuf>,
}

/// The kind `exec`.
#[derive(Debug)]
pub struct Exec(Arc<Processes>);

impl Exec {
    /// Runs its programs with these.
    #[must_use]
    pub fn new(processes: Arc<Processes>) -> Self {
        Self(processes)
    }
}

/// What is handed over on standard input, as text.
///
/// # Errors
/// `template`: it is none.
pub fn stdin(value: Option<&Value>) -> Result<Option<String>, Failure> {
    value.map(|value| params::text("stdin", value)).transpose()
}

#[async_trait]
impl TaskKind for Exec {
    fn schema(&self) -> &KindSchema {
        &SCHEMA
    }

    async fn execute(&self, call: Call) -> Result<Value, Failure> {
        let spec: Params = params::read(&call)?;
        let argv = spec.argv.iter().map(|value| params::text("argv", value));
        let program = Program {
            argv: argv.collect::<Result<_, _>>()?,
            env: params::pairs(&spec.env)?,
            dir: spec.dir,
            stdin: stdin(spec.stdin.as_ref())?,
        };
        self.0.end_interrupted(&call).await;
        program.check_others(&spec.requires)?;
        self.0.run(&call, program, spec.json).await
    }

    async fn revert(&self, call: Call, _: Outcome) -> Result<(), Failure> {
        self.0.end_interrupted(&call).await;
        Ok(())
    }

    fn revert_params(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}
