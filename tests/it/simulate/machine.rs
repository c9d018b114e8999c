//! A machine: a real conductor at the ends of lines that fail, which can be frozen, stopped and killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jobrunner::conductor::{Conductor, ConductorError, Settings, Stop, Until};
use jobrunner::model::{ConductorId, Timestamp};
use jobrunner::ports::Kinds;
use tokio::task::JoinHandle;

use super::ledger::Work;
use super::network::{Line, State};
use super::servers::{RemoteBoard, RemoteStore};
use super::time::{Gate, MachineClock};
use super::world::World;

/// How the conductors of a run are set up.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub lease: Duration,
    pub grace: Duration,
    pub max_jobs: usize,
    pub max_tasks: usize,
    /// Whether their clocks differ.
    pub skewed: bool,
}

impl Shape {
    pub fn draw(world: &World) -> Self {
        let chance = &world.chance;
        Self {
            lease: *chance.pick(&[1_000, 2_000, 5_000, 15_000].map(Duration::from_millis)),
            grace: *chance.pick(&[0, 300, 3_000].map(Duration::from_millis)),
            max_jobs: *chance.pick(&[1, 2, 64]),
            max_tasks: *chance.pick(&[1, 3, 16]),
            skewed: chance.one_in(3),
        }
    }
}

/// A conductor at work.
pub struct Machine {
    pub number: usize,
    pub name: String,
    pub store: Line,
    pub board: Line,
    gate: Gate,
    stop: Stop,
    killed: Arc<AtomicBool>,
    running: JoinHandle<Result<(), ConductorError>>,
    frozen_since: Option<Timestamp>,
}

impl Machine {
    /// Starts a conductor. Each has a number, and an id, of its own.
    pub fn start(world: &Arc<World>, number: usize, shape: Shape, until: Until) -> Self {
        let name = format!("machine {number}");
        let gate = Gate::default();
        let killed = Arc::new(AtomicBool::new(false));
        let store = Line::new(world, format!("{name} to store"), &gate);
        let board = Line::new(world, format!("{name} to board"), &gate);
        let mut settings = Settings::new(Some(name.clone()), 1).with_lease(shape.lease);
        settings.id = ConductorId(name.clone());
        settings.grace = shape.grace;
        settings.max_jobs = shape.max_jobs;
        settings.max_tasks = shape.max_tasks;
        let ahead = if shape.skewed {
            world.chance.below(8_000) as i64 - 4_000
        } else {
            0
        };
        let clock = MachineClock {
            time: Arc::clone(&world.time),
            gate: gate.clone(),
            ahead,
        };
        let mut kinds = Kinds::default();
        kinds.add(Arc::new(Work {
            world: Arc::clone(world),
            machine: number,
            gate: gate.clone(),
            killed: Arc::clone(&killed),
        }));
        let conductor = Conductor::new(
            settings,
            Arc::new(RemoteStore(store.clone())),
            Arc::new(RemoteBoard::new(board.clone())),
            kinds,
            Arc::new(clock),
            None,
        );
        let stop = Stop::new();
        let told = stop.clone();
        world.tell(|| format!("{name} starts, until {until:?}"));
        let running = tokio::spawn(async move { conductor.run(until, told).await });
        Self {
            number,
            name,
            store,
            board,
            gate,
            stop,
            killed,
            running,
            frozen_since: None,
        }
    }

    pub fn has_ended(&self) -> bool {
        self.running.is_finished()
    }

    pub fn is_frozen(&self) -> bool {
        self.gate.get()
    }

    pub fn freeze(&mut self, world: &World) {
        world.tell(|| format!("{} freezes", self.name));
        self.gate.set(true);
        self.frozen_since.get_or_insert(world.time.now());
    }

    pub fn thaw(&mut self, world: &World) {
        if let Some(since) = self.frozen_since.take() {
            world.tell(|| format!("{} thaws", self.name));
            let freeze = (self.number, since, world.time.now());
            world.freezes.lock().unwrap().push(freeze);
            self.gate.set(false);
        }
    }

    /// Its conductor is gone from one moment to the next.
    pub fn kill(&mut self, world: &World) {
        world.tell(|| format!("{} is killed", self.name));
        self.killed.store(true, Ordering::Relaxed);
        self.running.abort();
        if let Some(since) = self.frozen_since.take() {
            let freeze = (self.number, since, world.time.now());
            world.freezes.lock().unwrap().push(freeze);
        }
    }

    pub fn stop(&self, world: &World, at_once: bool) {
        world.tell(|| format!("{} is told to stop, at once: {at_once}", self.name));
        if at_once {
            self.stop.at_once();
        } else {
            self.stop.in_order();
        }
    }

    /// Both lines.
    pub fn set_lines(&self, state: State) {
        self.store.set(state);
        self.board.set(state);
    }

    /// Awaits its end; whatever its conductor does, it does not panic, and does not fail.
    pub async fn ended(self, world: &World) {
        let name = self.name;
        match self.running.await {
            Ok(ended) => ended.unwrap_or_else(|error| panic!("{name} failed: {error:?}")),
            Err(error) if error.is_cancelled() => return,
            Err(error) => panic!("{name} panicked: {error}"),
        }
        let ledger = world.ledger();
        let left = ledger
            .entries
            .iter()
            .find(|entry| entry.machine == self.number && entry.ended.is_none());
        assert_eq!(
            left, None,
            "E15: {name} has ended, and left something running"
        );
    }
}
