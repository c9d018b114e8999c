//! The rehearsal of a flow: every single failure, played through the real scheduler; nothing is run.
//!
//! A plan with its inputs enters, and where its tasks stand in their file; a [`Report`] leaves, a plain value. It does
//! no I/O and reads no clock: the instant is an argument. What results would decide is assumed, and the report says
//! so; secrets are never read. The cost is bounded: a large flow is sampled, and the report says that too.

mod assume;
mod deaths;
mod failures;
mod places;
mod play;
mod report;
mod tale;
mod told;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use places::Places;
pub use play::{FOR_GOOD, Faults};
pub use report::{
    Assumption, Code, Deaths, Effect, Ending, Interrupted, Otherwise, Place, Rehearsed, Report,
    Retried, RevertFails, Side, Success, Takeover, Topic, VERSION, Warning,
};

use play::Play;
use tale::Tale;

use crate::compile::Plan;
use crate::model::{AtomId, Record, Timestamp};

/// How many records a rehearsal may make in all before it says that it has seen enough.
pub const WORK: u64 = 12_000_000;

/// Plays a flow with every single failure.
#[must_use]
pub fn rehearse(plan: &Plan, places: &Places, start: Timestamp) -> Report {
    rehearse_within(plan, places, start, WORK)
}

/// Plays a flow with as many of the single failures as take about `work` records.
#[must_use]
pub fn rehearse_within(plan: &Plan, places: &Places, start: Timestamp, work: u64) -> Report {
    let (played, assumptions) = assume::assume(plan);
    let rehearsal = Rehearsal::new(Arc::new(played), start, work);
    let mut budget = Budget::new(work);
    let found = failures::play_all(&rehearsal, &mut budget);
    told::tell(plan, places, assumptions, found, &rehearsal, &budget)
}

/// The steps of one play: the records of each commit. `None` stands for a death of the conductor.
///
/// It is the same play as that of the report. It ends after about [`WORK`] records, whatever happens.
#[must_use]
pub fn one_play(
    plan: &Plan,
    faults: Faults,
    dies_after: Option<usize>,
    start: Timestamp,
) -> Vec<Option<Vec<Record>>> {
    let (played, _) = assume::assume(plan);
    let mut play = Play::new(&Arc::new(played), faults, start);
    let mut steps = Vec::new();
    let mut commits = 0;
    while play.records < WORK
        && let Some(records) = play.step()
    {
        commits += usize::from(!records.is_empty());
        steps.push(Some(records));
        if dies_after == Some(commits) && !steps.contains(&None) {
            play.die()
                .expect("every prefix of a history can be resumed");
            steps.push(None);
        }
    }
    steps
}

/// What all plays of a rehearsal share.
struct Rehearsal {
    plan: Arc<Plan>,
    start: Timestamp,
    /// The tasks that are made to fail.
    sample: BTreeSet<AtomId>,
    /// Of so many commits, the conductor dies after one.
    stride: usize,
}

impl Rehearsal {
    fn new(plan: Arc<Plan>, start: Timestamp, work: u64) -> Self {
        let tasks: Vec<AtomId> = (0..plan.atoms.len() as u32)
            .map(AtomId)
            .filter(|atom| plan.task(*atom).is_some())
            .collect();
        // A play makes about three records for each atom, or copies as much; each task takes about four plays.
        let affordable = usize::try_from(work / (12 * plan.atoms.len().max(1) as u64));
        let affordable = affordable.unwrap_or(usize::MAX).max(LEAST);
        let stride = tasks.len().div_ceil(affordable).max(1);
        let last = tasks.last().copied();
        Self {
            plan,
            start,
            sample: tasks.into_iter().step_by(stride).chain(last).collect(),
            stride,
        }
    }

    fn play(&self, faults: Faults) -> Play {
        Play::new(&self.plan, faults, self.start)
    }

    fn dies_after(&self, commits: usize) -> bool {
        commits.is_multiple_of(self.stride)
    }

    /// Plays to the end; `false` if that takes too long.
    fn play_on(&self, budget: &mut Budget, play: &mut Play, tale: &mut Tale) -> bool {
        budget.plays += 1;
        let before = play.records;
        // What a fork copies costs time too.
        budget.spent += self.plan.atoms.len() as u64;
        let limit = before + self.plan.atoms.len() as u64 * 40 + LONGEST;
        let ended = loop {
            if play.records >= limit {
                break false;
            }
            match play.step() {
                Some(records) => tale.tell(&self.plan, &records),
                None => break true,
            }
        };
        budget.spend(play, before);
        ended
    }
}

/// At least so many tasks are made to fail, however large the flow is.
const LEAST: usize = 16;

/// How many records one play may make, besides some for each atom.
const LONGEST: u64 = 20_000;

/// How much has been played, and how much may be.
struct Budget {
    work: u64,
    spent: u64,
    plays: u64,
}

impl Budget {
    fn new(work: u64) -> Self {
        Self {
            work,
            spent: 0,
            plays: 0,
        }
    }

    fn is_left(&self) -> bool {
        self.spent < self.work
    }

    /// Whether a play on which others hang may go on.
    fn allows(&self, play: &Play) -> bool {
        play.records < self.work
    }

    fn spend(&mut self, play: &Play, before: u64) {
        self.spent += play.records.saturating_sub(before);
    }
}
