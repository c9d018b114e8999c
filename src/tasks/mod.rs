//! The task kinds that are built in: `shell`, `exec`, `http`, `probe`, `sleep`, `approve`, `mysql_query`, `redis_command`.
//!
//! A call with its rendered parameters enters; a result or a failure leaves, and output goes to the call's log
//! as it comes. The kinds know nothing of flows: no template is rendered and no expression evaluated here, and
//! nothing is retried.

mod approve;
mod exec;
pub mod guard;
mod http;
mod library;
mod mysql_query;
mod params;
mod probe;
mod process;
mod redis_command;
mod shell;
mod sleep;

use std::sync::Arc;
use std::time::Duration;

use crate::ports::{Clock, Kinds};
use guard::GuardCommand;
pub use http::HttpLimits;
pub use library::LIBRARY;
use process::Processes;

/// What the built-in kinds need to know of the program that they run in.
#[derive(Clone)]
pub struct Settings {
    /// What marks this conductor's processes: its id, which no other conductor on the machine may have.
    pub conductor: String,
    /// How the guard is started: this program, with the hidden argument that leads to [`guard::main`].
    pub guard: GuardCommand,
    /// How long a process that is asked to end (TERM) may take before it is killed.
    pub grace: Duration,
    /// How many bytes of a process's standard output are kept as its result, as JSON writes them.
    pub max_output: usize,
    /// How much of an HTTP answer is taken.
    pub http: HttpLimits,
    /// What `sleep` and `probe` wait by.
    pub clock: Arc<dyn Clock>,
}

impl Settings {
    /// The defaults: ten seconds of grace; as a result, output up to 4 KiB less than 1 MiB (so that the whole
    /// result is not larger than that) and an HTTP answer up to 1 MiB; 8 GiB of an answer that is saved.
    #[must_use]
    pub fn new(conductor: String, guard: GuardCommand, clock: Arc<dyn Clock>) -> Self {
        Self {
            conductor,
            guard,
            grace: Duration::from_secs(10),
            max_output: (1 << 20) - (4 << 10),
            http: HttpLimits::default(),
            clock,
        }
    }
}

/// The built-in kinds. Nothing is started and nothing opened before the first call.
#[must_use]
pub fn builtin(settings: Settings) -> Kinds {
    let processes = Arc::new(Processes::new(
        settings.conductor,
        settings.guard,
        settings.grace,
        settings.max_output,
    ));
    let mut kinds = Kinds::default();
    kinds.add(Arc::new(shell::Shell::new(Arc::clone(&processes))));
    kinds.add(Arc::new(exec::Exec::new(processes)));
    let http = Arc::new(http::Http::new(settings.http));
    let probe = probe::Probe::new(Arc::clone(&http), Arc::clone(&settings.clock));
    kinds.add(http);
    kinds.add(Arc::new(probe));
    kinds.add(Arc::new(approve::Approve));
    kinds.add(Arc::new(mysql_query::MysqlQuery));
    kinds.add(Arc::new(redis_command::RedisCommand));
    kinds.add(Arc::new(sleep::Sleep::new(settings.clock)));
    kinds
}
