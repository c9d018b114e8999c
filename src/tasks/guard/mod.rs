//! The guard: a small process beside the conductor that ends the conductor's children when it is gone,
//! however it went (`SIGKILL` included).
//!
//! It is started before the first child, in a session of its own, and holds one end of a socket: when the
//! other end closes, the conductor is gone. Which process groups are running stands in a table in memory that
//! both share, so a child that comes and goes wakes nobody. The guard then ends these groups and everything
//! that carries the conductor's mark: TERM, two seconds, KILL, until nothing is left.

mod table;
mod watch;

use std::ffi::OsString;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use super::process::tree::CONDUCTOR;
pub use table::Slot;
use table::Table;
pub use watch::main;

/// How long a guard may take until it says that it watches.
const START: Duration = Duration::from_secs(20);

/// How the guard is started: a program and its arguments. The conductor's mark is added as the last argument;
/// the program hands it to [`main`].
pub type GuardCommand = Vec<OsString>;

/// The hidden argument by which a program starts itself as the guard of its processes.
const ARGUMENT: &str = "__guard";

/// How this program starts itself as a guard, if it begins with [`main_if_asked`]; also if it has been replaced or moved
/// since it was started.
#[must_use]
pub fn this_program() -> GuardCommand {
    let program = std::env::current_exe().unwrap_or_else(|_| "jobrunner".into());
    vec![program.into_os_string(), ARGUMENT.into()]
}

/// Is the guard, if that is what the program's arguments ask for; the code to end with.
#[must_use]
pub fn main_if_asked(arguments: &[OsString]) -> Option<ExitCode> {
    match arguments {
        [_, hidden, mark] if hidden == ARGUMENT => Some(main(&mark.to_string_lossy())),
        _ => None,
    }
}

/// Without a guard no child is started.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The program cannot be started, or the table cannot be made.
    #[error("the guard process `{command}` cannot be started: {source}")]
    Start {
        /// The command.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// It was started, but it never said that it watches.
    #[error("the guard process `{command}` ended or hung before it watched")]
    Silent {
        /// The command.
        command: String,
    },
}

/// The conductor's side.
#[derive(Debug)]
pub struct Guard {
    command: GuardCommand,
    mark: String,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    table: Arc<Table>,
    /// Closes when this process ends; the guard waits for that.
    _lifeline: UnixStream,
}

impl Guard {
    /// A guard that is not started yet, for the conductor with this mark.
    #[must_use]
    pub fn new(command: GuardCommand, mark: String) -> Self {
        Self {
            command,
            mark,
            running: Mutex::new(None),
        }
    }

    /// A place for a child that is about to be started; starts the guard if none watches.
    ///
    /// # Errors
    /// There is no guard, and none can be started.
    pub async fn reserve(self: &Arc<Self>) -> Result<Slot, GuardError> {
        if let Some(table) = self.watching() {
            return Ok(Table::reserve(&table));
        }
        let guard = Arc::clone(self);
        match tokio::task::spawn_blocking(move || guard.start()).await {
            Ok(table) => Ok(Table::reserve(&table?)),
            Err(stopped) => Err(self.not_started(std::io::Error::other(stopped))),
        }
    }

    /// The table of the guard that watches; `None` if none does, or if one is just being started.
    fn watching(&self) -> Option<Arc<Table>> {
        let mut running = match self.running.try_lock() {
            Ok(running) => running,
            Err(TryLockError::Poisoned(running)) => running.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        alive(&mut running)
    }

    fn start(&self) -> Result<Arc<Table>, GuardError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = alive(&mut running) {
            return Ok(table);
        }
        // A guard that was killed leaves its table, with all that still runs.
        let table = match running.take() {
            Some(before) => before.table,
            None => Arc::new(Table::new().map_err(|source| self.not_started(source))?),
        };
        let started = self.spawn(&table)?;
        *running = Some(started);
        Ok(table)
    }

    fn spawn(&self, table: &Arc<Table>) -> Result<Running, GuardError> {
        let not_started = |source| self.not_started(source);
        let (lifeline, theirs) = UnixStream::pair().map_err(not_started)?;
        let (program, arguments) = self.command.split_first().ok_or_else(|| {
            self.not_started(std::io::Error::other("no command is configured for it"))
        })?;
        let mut child = Command::new(program)
            .args(arguments)
            .arg(&self.mark)
            .env_clear()
            // Another mark than the conductor's and its children's: nobody takes it for a task.
            .env(CONDUCTOR, format!("{}#guard", self.mark))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(table.share().map_err(not_started)?)
            .stderr(Stdio::null())
            .spawn()
            .map_err(not_started)?;
        let mut ready = [0];
        // Of a socket with a limit, each signal that comes meanwhile cuts a read short: that is no answer.
        let answer = lifeline
            .set_read_timeout(Some(START))
            .and_then(|()| (&lifeline).read_exact(&mut ready));
        if answer.is_err() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(GuardError::Silent {
                command: self.shown(),
            });
        }
        Ok(Running {
            child,
            table: Arc::clone(table),
            _lifeline: lifeline,
        })
    }

    fn not_started(&self, source: std::io::Error) -> GuardError {
        GuardError::Start {
            command: self.shown(),
            source,
        }
    }

    fn shown(&self) -> String {
        let words = self.command.iter().map(|word| word.to_string_lossy());
        words.collect::<Vec<_>>().join(" ")
    }
}

fn alive(running: &mut Option<Running>) -> Option<Arc<Table>> {
    let running = running.as_mut()?;
    matches!(running.child.try_wait(), Ok(None)).then(|| Arc::clone(&running.table))
}
