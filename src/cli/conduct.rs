//! A conductor as a process: its settings, its log, its signals.

use std::sync::Arc;

use clap::ValueEnum;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::backend::Backend;
use super::config::Config;
use super::journal::Journal;
use super::report::{Exit, Result};
use super::run::ConductorArguments;
use super::source::kinds;
use crate::conductor::{Conductor, Settings, Stop, Until};
use crate::model::ConductorId;
use crate::ports::SystemClock;
use crate::sql::login;

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Logging {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Claims and runs what is on the board until told to stop.
///
/// # Errors
/// The store or the board cannot be reached.
pub fn run(config: &Config, verbose: u8, arguments: &ConductorArguments) -> Result {
    log(verbose.max(1), arguments.log_format);
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(4);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()?;
    let result = runtime.block_on(conduct(config, arguments));
    runtime.shutdown_background();
    result
}

async fn conduct(config: &Config, arguments: &ConductorArguments) -> Result {
    let mut signals = Signals::new()?;
    let backend = Backend::open(config).await?;
    let settings = settings(config, arguments);
    let stop = Stop::new();
    let until = if arguments.until_empty {
        Until::Empty
    } else {
        Until::Stopped
    };
    let conductor = Conductor::new(
        settings.clone(),
        backend.store,
        backend.board,
        kinds(&settings.id),
        Arc::new(SystemClock),
        Some(Arc::new(Journal)),
    );
    tracing::info!(conductor = %settings.id, name = settings.name, "looking for jobs");
    let running = conductor.run(until, stop.clone());
    tokio::pin!(running);
    loop {
        tokio::select! {
            ended = &mut running => {
                ended?;
                if stop.is_given() {
                    tracing::info!("stopped");
                }
                return Ok(Exit::Success);
            }
            _ = signals.asked() => {
                if !stop.is_given() {
                    tracing::info!("told to stop: handing over; once more to stop at once");
                    stop.in_order();
                } else {
                    tracing::warn!("told to stop at once");
                    stop.at_once();
                }
            }
        }
    }
}

/// What this conductor is, by arguments, environment and configuration.
#[must_use]
pub fn settings(config: &Config, arguments: &ConductorArguments) -> Settings {
    let name = arguments.name.clone().or_else(|| config.name.clone());
    let mut settings = Settings::new(name.clone(), fastrand::u64(..));
    if let Some(name) = name {
        // People look for the name that they gave it.
        settings.id = ConductorId(format!("{name}@{}", settings.id));
    }
    if let Some(ttl) = arguments.lease_ttl.or(config.lease_ttl) {
        settings = settings.with_lease(ttl);
    }
    settings.max_jobs = arguments
        .max_jobs
        .or(config.max_jobs)
        .unwrap_or(settings.max_jobs);
    settings.max_tasks = arguments
        .max_tasks
        .or(config.max_tasks)
        .unwrap_or(settings.max_tasks);
    settings.labels = config.labels.iter().cloned().collect();
    settings.capabilities = config.capabilities.clone().into_iter().collect();
    // Tasks inherit the environment, and with it what may name both.
    let urls = [&config.store, &config.board].into_iter().flatten();
    settings.secrets = urls.filter_map(|url| login(url)).collect();
    if let Some(data) = dirs::data_dir() {
        settings.state = data.join("jobrunner").join("state");
    }
    settings
}

/// How the process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM, or the terminal is gone.
    Terminate,
}

/// The signals that ask the process to end. Made once: none is missed from then on.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes the signals over from the system, which would end the process.
    ///
    /// # Errors
    /// The system refuses.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Returns when the process is asked to end.
    pub async fn asked(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Interrupt,
            _ = self.terminate.recv() => Asked::Terminate,
            _ = self.hangup.recv() => Asked::Terminate,
        }
    }
}

/// Writes what the program does to standard error. `RUST_LOG` says what, before `verbose` does.
pub fn log(verbose: u8, format: Logging) {
    let level = match verbose {
        0 => "warn",
        1 => "jobrunner=info,warn",
        2 => "jobrunner=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let base = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start in one process cannot happen; if it does, the first log stays.
    let _ = match format {
        Logging::Text => {
            let colour =
                anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
            base.with_ansi(colour).with_target(false).try_init()
        }
        Logging::Json => base.json().flatten_event(true).try_init(),
    };
}
