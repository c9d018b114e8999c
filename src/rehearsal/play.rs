//! One play of a flow: the real scheduler, made-up outcomes, and time that passes only while the flow waits.
//!
//! A plan and what is to go wrong enter; steps of records leave, one for each commit. Tasks take no time; what runs at
//! once ends in the order in which it started.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::compile::{Plan, Wait};
use crate::model::{
    AtomId, Checkpoint, Failure, FailureKind, FlowState, Phase, Record, Timestamp, Value,
};
use crate::scheduler::{Command, CorruptCheckpoint, Event, Scheduler};

/// What goes wrong in a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// This task's execute fails, in so many of its first attempts.
    pub execute: Option<(AtomId, u32)>,
    /// This task's revert fails whenever it is tried.
    pub revert: Option<AtomId>,
}

/// As many attempts as there are.
pub const FOR_GOOD: u32 = u32::MAX;

/// A side that is being carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flight {
    pub atom: AtomId,
    pub attempt: u32,
    pub phase: Phase,
    /// It waits for longer than its attempt may take.
    late: bool,
}

/// A flow in play.
#[derive(Debug, Clone)]
pub(super) struct Play {
    plan: Arc<Plan>,
    scheduler: Scheduler,
    pub faults: Faults,
    start: Timestamp,
    now: Timestamp,
    /// What runs, by when it ends; of those that end at once, the first to start first.
    flights: BTreeMap<(Timestamp, u64), Flight>,
    ends: BTreeMap<AtomId, (Timestamp, u64)>,
    started: u64,
    /// What has been asked to stop, and has not been reported yet.
    stopping: VecDeque<AtomId>,
    begun: bool,
    /// How many records it has made so far.
    pub records: u64,
}

impl Play {
    /// A play from the beginning of the flow, at an instant.
    pub fn new(plan: &Arc<Plan>, faults: Faults, start: Timestamp) -> Self {
        let scheduler = Scheduler::new(Arc::clone(plan), Checkpoint::default(), 0)
            .expect("an empty checkpoint fits every plan");
        Self {
            plan: Arc::clone(plan),
            scheduler,
            faults,
            start,
            now: start,
            flights: BTreeMap::new(),
            ends: BTreeMap::new(),
            started: 0,
            stopping: VecDeque::new(),
            begun: false,
            records: 0,
        }
    }

    /// The conductor dies, and another one takes the flow up: what ran is gone, what was committed is all there is.
    ///
    /// # Errors
    /// The checkpoint does not fit the plan, which would be a fault of the scheduler.
    pub fn die(&mut self) -> Result<(), CorruptCheckpoint> {
        self.scheduler = Scheduler::new(Arc::clone(&self.plan), self.scheduler.checkpoint(), 0)?;
        self.flights.clear();
        self.ends.clear();
        self.stopping.clear();
        self.begun = false;
        Ok(())
    }

    /// The conductor takes the flow up: for the first time, or after a death. The records of that, which may be none.
    pub fn begin(&mut self) -> Vec<Record> {
        self.begun = true;
        self.handle(Event::Resumed)
    }

    /// Lets the next thing happen; the records of that step, or `None` if nothing happens any more.
    pub fn step(&mut self) -> Option<Vec<Record>> {
        if !self.begun {
            return Some(self.begin());
        }
        loop {
            let event = self.next_event()?;
            let records = self.handle(event);
            // A step without records changes nothing that is committed.
            if !records.is_empty() {
                return Some(records);
            }
        }
    }

    fn handle(&mut self, event: Event) -> Vec<Record> {
        let step = self
            .scheduler
            .handle(event, self.now)
            .expect("a play reports only what it was told to do");
        self.records += step.records.len() as u64;
        for command in &step.commands {
            self.take_off(command);
        }
        self.stopping.extend(step.stop);
        step.records
    }

    /// What ends next, if the next thing that happens is that a side ends.
    pub fn next_to_end(&self) -> Option<Flight> {
        let (&(at, _), flight) = self.flights.first_key_value()?;
        let wakes_first = self.scheduler.next_wakeup().is_some_and(|wake| wake < at);
        let first = self.begun && self.stopping.is_empty() && !wakes_first;
        first.then_some(*flight)
    }

    /// What runs.
    pub fn running(&self) -> impl Iterator<Item = Flight> {
        self.flights.values().copied()
    }

    /// Where the flow stands.
    pub fn state(&self) -> FlowState {
        self.scheduler.state()
    }

    /// The scheduler.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// How long delays and sleeps have taken so far.
    pub fn waited(&self) -> std::time::Duration {
        self.now.since(self.start)
    }

    fn next_event(&mut self) -> Option<Event> {
        while let Some(atom) = self.stopping.pop_front() {
            // A step may ask twice; only execute sides are stopped.
            if let Some(&key) = self.ends.get(&atom)
                && let Some(&flight) = self.flights.get(&key)
                && flight.phase == Phase::Execute
            {
                self.ends.remove(&atom);
                self.flights.remove(&key);
                return Some(finished(flight, Err(Failure::stopped())));
            }
        }
        let ends = self.flights.first_key_value().map(|(key, _)| *key);
        let wakes = self.scheduler.next_wakeup();
        if let Some(wake) = wakes
            && ends.is_none_or(|(at, _)| wake < at)
        {
            self.now = self.now.max(wake);
            return Some(Event::Tick);
        }
        let key = ends?;
        let flight = self.flights.remove(&key)?;
        self.ends.remove(&flight.atom);
        self.now = self.now.max(key.0);
        Some(finished(flight, self.outcome(flight)))
    }

    fn take_off(&mut self, command: &Command) {
        let limit = self
            .plan
            .task(command.atom)
            .filter(|_| command.phase == Phase::Execute)
            .and_then(|task| task.timeout)
            .map(|timeout| self.now.plus(timeout));
        let asks = self
            .plan
            .task(command.atom)
            .is_some_and(|task| task.wait == Some(Wait::Person));
        // A person answers at once.
        let until = command.until.filter(|_| !asks).unwrap_or(self.now);
        let until = until.max(self.now);
        let late = limit.is_some_and(|limit| limit < until);
        let end = limit.filter(|_| late).unwrap_or(until);
        let flight = Flight {
            atom: command.atom,
            attempt: command.attempt,
            phase: command.phase,
            late,
        };
        let key = (end, self.started);
        self.started += 1;
        self.flights.insert(key, flight);
        self.ends.insert(command.atom, key);
    }

    fn outcome(&self, flight: Flight) -> Result<Value, Failure> {
        let exit = || {
            let mut failure = Failure::new(FailureKind::Exit, "made to fail in this rehearsal");
            failure.exit_code = Some(1);
            Err(failure)
        };
        match flight.phase {
            Phase::Execute if flight.late => {
                let what = "it waits for longer than its attempt may take";
                Err(Failure::new(FailureKind::Timeout, what))
            }
            Phase::Execute if self.execute_fails(flight) => exit(),
            Phase::Revert if self.faults.revert == Some(flight.atom) => exit(),
            Phase::Execute | Phase::Revert => Ok(Value::Null),
        }
    }

    fn execute_fails(&self, flight: Flight) -> bool {
        self.faults
            .execute
            .is_some_and(|(atom, attempts)| atom == flight.atom && flight.attempt <= attempts)
    }
}

fn finished(flight: Flight, outcome: Result<Value, Failure>) -> Event {
    Event::Finished {
        atom: flight.atom,
        attempt: flight.attempt,
        phase: flight.phase,
        outcome,
    }
}
