//! What people are told when something is wrong, and the exit code that programs are told.
//!
//! Every command returns a [`Result`]; this is the only place that prints diagnostics and makes exit codes.

use std::error::Error as StdError;
use std::io::{self, Write};
use std::process::ExitCode;

use super::diagnostics;
use crate::conductor::ConductorError;
use crate::model::Bundle;
use crate::ports::{BoardError, StoreError};
use crate::syntax::{Code, Problem};

/// How the program ends, as the documentation promises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Success = 0,
    /// The flow was reverted, or given up; or `fmt --check` has found a file that is laid out otherwise.
    Reverted = 1,
    /// What was asked for makes no sense: the flow, a value, an option.
    BadInput = 2,
    /// A person is needed.
    Stuck = 3,
    /// A store, a board or a server cannot be reached.
    Unreachable = 4,
}

/// What a command comes to.
pub type Result<T = Exit> = std::result::Result<T, Error>;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Error {
    /// The flow does not compile.
    Flow {
        /// Its text.
        bundle: Bundle,
        /// All that is wrong with it, warnings included.
        problems: Vec<Problem>,
    },
    /// The command line does not parse, or asks for help.
    Usage(Box<clap::Error>),
    /// Anything else, in words.
    Said(Box<Said>),
    /// Our own output cannot be written.
    Output(io::Error),
}

/// An error in words.
#[derive(Debug)]
pub struct Said {
    exit: Exit,
    message: String,
    causes: Vec<String>,
    help: Vec<String>,
}

impl Error {
    /// Something was asked for that makes no sense.
    #[must_use]
    pub fn input(message: impl Into<String>) -> Self {
        Self::said(Exit::BadInput, message)
    }

    /// An error with an exit code of its own.
    #[must_use]
    pub fn said(exit: Exit, message: impl Into<String>) -> Self {
        Self::Said(Box::new(Said {
            exit,
            message: message.into(),
            causes: Vec::new(),
            help: Vec::new(),
        }))
    }

    /// Adds what lies behind it.
    #[must_use]
    pub fn because(mut self, cause: &(dyn StdError + 'static)) -> Self {
        if let Self::Said(said) = &mut self {
            let mut next = Some(cause);
            while let Some(cause) = next {
                let text = cause.to_string();
                // Many libraries put their source's text into their own.
                if !said.causes.iter().any(|c| c.contains(&text)) && !said.message.contains(&text) {
                    said.causes.push(text);
                }
                next = cause.source();
            }
        }
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        if let Self::Said(said) = &mut self {
            said.help.push(help.into());
        }
        self
    }

    /// What it says, without what lies behind it.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Flow { problems, .. } => super::words::count(problems.len(), "problem"),
            Self::Usage(error) => error.to_string(),
            Self::Said(said) => said.message.clone(),
            Self::Output(error) => error.to_string(),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Flow { .. } => Exit::BadInput,
            Self::Usage(error) if error.use_stderr() => Exit::BadInput,
            Self::Usage(_) | Self::Output(_) => Exit::Success,
            Self::Said(said) => said.exit,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<clap::Error> for Error {
    fn from(error: clap::Error) -> Self {
        Self::Usage(Box::new(error))
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let exit = match &error {
            StoreError::Unavailable { .. } | StoreError::Newer { .. } => Exit::Unreachable,
            StoreError::Corrupt(_) => Exit::Stuck,
        };
        let said = Self::said(exit, error.to_string());
        match &error {
            StoreError::Unavailable { source, .. } => said.because(source.as_ref()),
            StoreError::Newer { .. } => {
                said.help("upgrade jobrunner, or use another store with `--store`")
            }
            StoreError::Corrupt(_) => said,
        }
    }
}

impl From<ConductorError> for Error {
    fn from(error: ConductorError) -> Self {
        match error {
            ConductorError::Store(error) => error.into(),
        }
    }
}

impl From<BoardError> for Error {
    fn from(error: BoardError) -> Self {
        let said = Self::said(Exit::Unreachable, error.to_string());
        match &error {
            BoardError::Unavailable(source) => said.because(source.as_ref()),
            BoardError::Lost | BoardError::Unreadable(_) => said,
        }
    }
}

/// Prints what is to be said about the end of a command; the code to end with.
#[must_use]
pub fn finish(result: Result) -> ExitCode {
    let exit = match result {
        Ok(exit) => exit,
        Err(error) => {
            let exit = error.exit();
            match say(&error) {
                Ok(()) => exit,
                // Nobody is listening: the code still tells.
                Err(_) => exit,
            }
        }
    };
    ExitCode::from(exit as u8)
}

/// Prints problems that do not stop a command: warnings.
///
/// # Errors
/// Standard error cannot be written.
pub fn warn(bundle: &Bundle, problems: &[Problem]) -> io::Result<()> {
    list(bundle, problems)?;
    pointer(problems.first().map(|problem| problem.code))
}

/// Prints problems of one flow, of several. [`pointer`] belongs behind the last.
///
/// # Errors
/// Standard error cannot be written.
pub fn list(bundle: &Bundle, problems: &[Problem]) -> io::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let mut err = anstream::stderr().lock();
    write!(err, "{}", diagnostics::render(bundle, problems))
}

/// Says where there is more about problems, if the code of one was printed.
///
/// # Errors
/// Standard error cannot be written.
pub fn pointer(code: Option<Code>) -> io::Result<()> {
    match code {
        Some(code) => hint(&format!("more about a problem: jobrunner explain {code}")),
        None => Ok(()),
    }
}

/// Prints what a command is for: to standard output, without colours if that is no terminal.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints an error that does not stop a command at once.
///
/// # Errors
/// Standard error cannot be written.
pub fn also(error: &Error) -> io::Result<()> {
    say(error)
}

/// Prints a line that is not the command's result but helps: to standard error.
///
/// # Errors
/// Standard error cannot be written.
pub fn hint(text: &str) -> io::Result<()> {
    writeln!(anstream::stderr().lock(), "{text}")
}

fn say(error: &Error) -> io::Result<()> {
    let mut err = anstream::stderr().lock();
    match error {
        Error::Flow { bundle, problems } => {
            drop(err);
            warn(bundle, problems)
        }
        Error::Usage(usage) => usage.print(),
        Error::Output(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Error::Output(cause) => writeln!(
            err,
            "{}",
            sentence(&format!("the output cannot be written: {cause}"))
        ),
        Error::Said(said) => {
            writeln!(err, "{}", sentence(&said.message))?;
            for cause in &said.causes {
                writeln!(err, "  = cause: {cause}")?;
            }
            for help in &said.help {
                writeln!(err, "  = help: {help}")?;
            }
            Ok(())
        }
    }
}

fn sentence(message: &str) -> String {
    let red = annotate_snippets::renderer::DEFAULT_ERROR_STYLE;
    let bold = super::line::BOLD;
    format!("{red}error{red:#}{bold}: {message}{bold:#}")
}
