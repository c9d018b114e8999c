//! `lsp`: the language server, for editors.

use clap::Args;

use super::config::Config;
use super::flows::Flows;
use super::report::{Error, Exit, Result};
use super::source;
use crate::lsp::{self, Workspace};
use crate::model::{Bundle, ConductorId, KindSchema};
use crate::syntax::{Problem, read_source};

/// What `lsp` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
It speaks the Language Server Protocol by standard input and output; editors start it (docs/editors.md).")]
pub struct Arguments {
    /// What many editors add; it is so anyway
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Serves an editor until it says goodbye.
///
/// # Errors
/// What comes in is not the protocol.
pub fn run(config: &Config, _: &Arguments) -> Result {
    let program = Program {
        flows: config.all_flows(),
    };
    let (connection, threads) = lsp::stdio();
    lsp::serve(&connection, &program).map_err(|error| {
        Error::input("the editor does not speak the Language Server Protocol")
            .because(error.as_ref())
    })?;
    // The threads end when nobody holds the connection.
    drop(connection);
    threads.join()?;
    Ok(Exit::Success)
}

/// This program, as the language server asks it.
struct Program {
    flows: Flows,
}

impl Workspace for Program {
    fn kinds(&self) -> Vec<KindSchema> {
        let kinds = source::kinds(&ConductorId(String::new()));
        kinds.schemas().copied().collect()
    }

    fn check(&self, path: &str, text: &str) -> (Bundle, Vec<Problem>) {
        let read = read_source(path, text.as_bytes());
        let (files, problems) = match read {
            Ok(file) => (vec![file], None),
            Err(problem) => (Vec::new(), Some(vec![*problem])),
        };
        let bundle = Bundle { version: 1, files };
        match problems {
            Some(problems) => (bundle, problems),
            None => {
                let (bundle, (_, problems)) = source::check_with(&self.flows, bundle);
                (bundle, problems)
            }
        }
    }
}
