//! Faults: machines that are frozen, killed and stopped, lines that are cut, servers that are away, a board that
//! loses everything, calls that fail on their way. Each run has a random few of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jobrunner::boards::MemoryBoard;
use jobrunner::conductor::Until;
use jobrunner::model::Timestamp;

use super::machine::{Machine, Shape};
use super::network::{Line, State};
use super::people;
use super::world::World;

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Freeze,
    Kill,
    StopInOrder,
    StopAtOnce,
    StoreLine,
    BoardLine,
    BothLines,
    StoreAway,
    BoardAway,
    BoardLost,
    Whim,
}

impl Fault {
    const ALL: [Self; 11] = [
        Self::Freeze,
        Self::Kill,
        Self::StopInOrder,
        Self::StopAtOnce,
        Self::StoreLine,
        Self::BoardLine,
        Self::BothLines,
        Self::StoreAway,
        Self::BoardAway,
        Self::BoardLost,
        Self::Whim,
    ];

    /// Those of one run: none in one of eight, else some.
    fn draw(world: &World) -> Vec<Self> {
        if world.chance.one_in(8) {
            return Vec::new();
        }
        let mut faults = Self::ALL.to_vec();
        faults.retain(|_| world.chance.one_in(3));
        faults
    }
}

/// What is put right again, and when.
enum Mend {
    Thaw(usize),
    Store(usize),
    Board(usize),
    Both(usize),
    AllStores,
    AllBoards,
    Start,
}

/// The machines of a run, and what is wrong with them.
pub struct Storm {
    world: Arc<World>,
    shape: Shape,
    pub machines: Vec<Machine>,
    /// Those that have ended, in order or killed.
    pub gone: Vec<Machine>,
    started: usize,
    faults: Vec<Fault>,
    mends: Vec<(Timestamp, Mend)>,
    /// The board as it was some time ago.
    earlier: MemoryBoard,
    /// Over which people post and ask.
    pub people: Line,
}

impl Storm {
    pub fn new(world: &Arc<World>) -> Self {
        let shape = Shape::draw(world);
        let faults = Fault::draw(world);
        if !faults.is_empty() {
            let mishaps = *world.chance.pick(&[0, 0, 300, 100, 30]);
            world.mishaps.store(mishaps, Ordering::Relaxed);
        }
        world.tell(|| {
            format!(
                "{shape:?}, luck {:?}, {faults:?}, {:?}",
                world.luck, world.mishaps
            )
        });
        let mut storm = Self {
            world: Arc::clone(world),
            shape,
            machines: Vec::new(),
            gone: Vec::new(),
            started: 0,
            faults,
            mends: Vec::new(),
            earlier: world.board.copy(),
            people: Line::new(world, "people".to_owned(), &Default::default()),
        };
        for _ in 0..=world.chance.below(3) {
            storm.start(Until::Stopped);
        }
        storm
    }

    pub fn start(&mut self, until: Until) {
        self.started += 1;
        let machine = Machine::start(&self.world, self.started, self.shape, until);
        self.machines.push(machine);
    }

    pub fn is_calm(&self) -> bool {
        self.faults.is_empty()
    }

    /// Lets it rage until an instant.
    pub async fn rage(&mut self, until: Timestamp) {
        let world = Arc::clone(&self.world);
        while world.time.now() < until {
            let next = world.time.now().plus(world.chance.millis(30, 4_000));
            let due = self.mends.iter().map(|(at, _)| *at).min();
            match due {
                Some(due) if due < next => world.time.sleep_until(due).await,
                _ => {
                    world.time.sleep_until(next.min(until)).await;
                    if world.time.now() < until {
                        self.strike().await;
                    }
                }
            }
            self.mend(false);
            self.bury();
        }
    }

    /// Puts everything right.
    pub fn subside(&mut self) {
        self.world.tell(|| "the faults stop".to_owned());
        self.world.mishaps.store(0, Ordering::Relaxed);
        self.mend(true);
        self.bury();
    }

    /// Puts those that have ended aside.
    fn bury(&mut self) {
        let ended = self.machines.extract_if(.., |machine| machine.has_ended());
        self.gone.extend(ended);
    }

    fn later(&mut self, longest: u64, mend: Mend) {
        let at = self
            .world
            .time
            .now()
            .plus(self.world.chance.millis(20, longest));
        self.mends.push((at, mend));
    }

    async fn strike(&mut self) {
        let world = Arc::clone(&self.world);
        let chance = &world.chance;
        if self.faults.is_empty() {
            return;
        }
        if chance.one_in(3) {
            self.earlier = world.board.copy();
        }
        let fault = *chance.pick(&self.faults);
        let lease = self.shape.lease.as_millis() as u64;
        let hurt = [State::Refusing, State::Silent];
        let down = *chance.pick(&hurt);
        let which = chance.below(self.machines.len() as u64) as usize;
        match (fault, self.machines.get_mut(which)) {
            (Fault::Freeze, Some(machine)) => {
                machine.freeze(&world);
                let number = machine.number;
                self.later(3 * lease, Mend::Thaw(number));
            }
            (Fault::Kill, Some(machine)) => {
                machine.kill(&world);
                self.later(2 * lease, Mend::Start);
            }
            (Fault::StopInOrder | Fault::StopAtOnce, Some(machine)) if !machine.is_frozen() => {
                machine.stop(&world, fault == Fault::StopAtOnce);
                self.later(2_000, Mend::Start);
            }
            (Fault::StoreLine, Some(machine)) => {
                machine.store.set(down);
                let number = machine.number;
                self.later(2 * lease, Mend::Store(number));
            }
            (Fault::BoardLine, Some(machine)) => {
                machine.board.set(down);
                let number = machine.number;
                self.later(2 * lease, Mend::Board(number));
            }
            (Fault::BothLines, Some(machine)) => {
                machine.set_lines(down);
                let number = machine.number;
                self.later(3 * lease, Mend::Both(number));
            }
            (Fault::StoreAway, _) => {
                self.machines
                    .iter()
                    .for_each(|machine| machine.store.set(down));
                self.later(2 * lease, Mend::AllStores);
            }
            (Fault::BoardAway, _) => {
                self.machines
                    .iter()
                    .for_each(|machine| machine.board.set(down));
                self.later(2 * lease, Mend::AllBoards);
            }
            (Fault::BoardLost, _) => {
                // A board in a database loses nothing by itself.
                if world.together {
                    let earlier = chance.one_in(2).then_some(&self.earlier);
                    world.tell(|| format!("the board is lost; older data: {}", earlier.is_some()));
                    world.board.lose(earlier);
                }
            }
            (Fault::Whim, _) => {
                let jobs = people::states(&world);
                if !jobs.is_empty() {
                    let (job, _) = *chance.pick(&jobs);
                    let request = people::whim(&world);
                    people::ask(&world, &self.people, job, request).await;
                }
            }
            (Fault::Freeze | Fault::Kill | Fault::StopInOrder | Fault::StopAtOnce, _)
            | (Fault::StoreLine | Fault::BoardLine | Fault::BothLines, None) => {}
        }
    }

    /// Puts right what is due, or everything.
    fn mend(&mut self, all: bool) {
        let now = self.world.time.now();
        let due = self.mends.extract_if(.., |(at, _)| all || *at <= now);
        for (_, mend) in due.collect::<Vec<_>>() {
            match mend {
                Mend::Thaw(number) => {
                    let world = Arc::clone(&self.world);
                    self.each(Some(number), |machine| machine.thaw(&world));
                }
                Mend::Store(number) => self.each(Some(number), |m| m.store.set(State::Up)),
                Mend::Board(number) => self.each(Some(number), |m| m.board.set(State::Up)),
                Mend::Both(number) => self.each(Some(number), |m| m.set_lines(State::Up)),
                Mend::AllStores => self.each(None, |m| m.store.set(State::Up)),
                Mend::AllBoards => self.each(None, |m| m.board.set(State::Up)),
                Mend::Start => {
                    if self.machines.len() < 4 {
                        self.start(Until::Stopped);
                    }
                }
            }
        }
    }

    fn each(&mut self, number: Option<usize>, mut what: impl FnMut(&mut Machine)) {
        let machines = self.machines.iter_mut();
        machines
            .filter(|machine| number.is_none_or(|number| machine.number == number))
            .for_each(&mut what);
    }
}
