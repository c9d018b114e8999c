//! How a conductor is set up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::model::{ConductorId, Duration};

/// The shortest lease that may be asked for.
pub const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// What is asked for if nobody says anything else.
const USUAL_LEASE: Duration = Duration::from_secs(15);

/// What a conductor is, and how much it takes on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who it is, new for every start.
    pub id: ConductorId,
    /// What it is called: `conductor.name` in flows.
    pub name: String,
    /// The machine's name, for the capability `host`.
    pub host: String,
    /// How many jobs it works on at once, at least 1.
    pub max_jobs: usize,
    /// How many tasks that occupy the machine run at once, in all its jobs, at least 1.
    pub max_tasks: usize,
    /// How long a lease lasts on the board without being renewed. See [`Settings::with_lease`].
    pub lease: Duration,
    /// How long before the end of a lease its tasks are ended, and how long whoever takes over waits after it.
    pub margin: Duration,
    /// How long running attempts are let run when it is told to stop.
    pub grace: Duration,
    /// What it is labelled with, for the capability `label`.
    pub labels: BTreeSet<String>,
    /// Capabilities of its own: a name, and the shell command that succeeds if it has it.
    pub capabilities: BTreeMap<String, String>,
    /// What is masked in all that tasks put out: with what it comes to its store and its board.
    pub secrets: Vec<String>,
    /// Where tasks keep what they found until their job has ended: on this machine, and not lost when it starts again.
    pub state: PathBuf,
}

impl Settings {
    /// The usual settings for a new conductor on this machine. `random` makes its id unlike any other.
    #[must_use]
    pub fn new(name: Option<String>, random: u64) -> Self {
        let host = host_name();
        let id = format!("{host}:{}:{random:08x}", std::process::id());
        let settings = Self {
            name: name.unwrap_or_else(|| host.clone()),
            id: ConductorId(id),
            host,
            max_jobs: 64,
            max_tasks: (4 * std::thread::available_parallelism().map_or(4, usize::from)).max(16),
            lease: Duration::ZERO,
            margin: Duration::ZERO,
            grace: Duration::from_secs(10),
            labels: BTreeSet::new(),
            capabilities: BTreeMap::new(),
            secrets: Vec::new(),
            state: std::env::temp_dir().join("jobrunner-state"),
        };
        settings.with_lease(USUAL_LEASE)
    }

    /// `ttl` after its last sign of life, others go on with its jobs; at least [`SHORTEST_LEASE`]. Four fifths of it
    /// are the lease on the board, a fifth is the margin.
    #[must_use]
    pub fn with_lease(mut self, ttl: Duration) -> Self {
        let ttl = ttl.max(SHORTEST_LEASE);
        self.margin = ttl / 5;
        self.lease = ttl - self.margin;
        self
    }

    /// How long after its last sign of life others go on with its jobs.
    #[must_use]
    pub fn lease_ttl(&self) -> Duration {
        self.lease + self.margin
    }
}

fn host_name() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}
