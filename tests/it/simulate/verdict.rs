//! Holds a run to the invariants, from the events in the store and from the ledger of what tasks did.
//!
//! The letters are those in `docs/reliability.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jobrunner::model::{
    AtomId, Change, FlowState, IfInterrupted, JobId, Phase, Subject, Timestamp,
};
use jobrunner::ports::{EventRow, JobRow, Store};
use jobrunner::scheduler::Scheduler;

use super::ledger::{End, Entry};
use super::servers::now;
use super::world::World;
use crate::invariants::History;

/// Holds all that has happened to the invariants. `calm`: nothing went wrong but what the tasks did.
pub fn judge(world: &World, calm: bool) {
    one_job_for_each_key(world);
    let jobs: Vec<JobId> = world.jobs().iter().map(|job| job.posted.id).collect();
    for id in jobs {
        if let Some(loaded) = now(world.store.load(id)).expect("the store answers") {
            let events = now(world.store.events(id, 0, u32::MAX)).expect("the store answers");
            let judged = Judged {
                world,
                id,
                events,
                entries: entries(world, id),
            };
            judged.claims(&loaded.job, calm);
            let history = judged.history();
            assert_eq!(
                history.checkpoint(),
                loaded.checkpoint,
                "E14: the fold of the events is what the store holds"
            );
            history.check_end();
            judged.intent_before_effect(&history);
            judged.what_is_recorded_has_happened(&history);
            judged.effects(&history, calm);
        }
    }
}

fn one_job_for_each_key(world: &World) {
    let mut keys: BTreeMap<String, u32> = BTreeMap::new();
    for job in world.jobs().iter() {
        let there = now(world.store.load(job.posted.id))
            .expect("the store answers")
            .is_some();
        match &job.posted.key {
            Some(key) => *keys.entry(key.clone()).or_default() += u32::from(there),
            None => assert!(there, "a job that was posted is not there"),
        }
    }
    for (key, count) in keys {
        assert_eq!(count, 1, "E12: {key} has made {count} jobs");
    }
}

fn entries(world: &World, id: JobId) -> Vec<Entry> {
    let ledger = world.ledger();
    let of_job = ledger.entries.iter().filter(|entry| entry.job == id);
    of_job.cloned().collect()
}

/// What is known of one job.
struct Judged<'a> {
    world: &'a World,
    id: JobId,
    events: Vec<EventRow>,
    entries: Vec<Entry>,
}

impl Judged<'_> {
    fn claims(&self, row: &JobRow, calm: bool) {
        let claims = self.world.claims.lock().unwrap();
        let epochs: Vec<i64> = claims
            .iter()
            .filter(|(job, _, _)| *job == self.id)
            .map(|(_, _, epoch)| epoch.0)
            .collect();
        let expected: Vec<i64> = (1..=epochs.len() as i64).collect();
        assert_eq!(epochs, expected, "E1: each claim raises the epoch by one");
        let epochs = self.events.iter().map(|event| event.epoch);
        assert!(epochs.is_sorted(), "E2: epochs never fall");
        let seqs: Vec<i64> = self.events.iter().map(|event| event.seq).collect();
        let expected: Vec<i64> = (1..=seqs.len() as i64).collect();
        assert_eq!(seqs, expected, "E2: in order, without a gap");
        assert_eq!(
            row.seq,
            self.world.committed(self.id),
            "what is answered is what is there"
        );
        let decided = self
            .events
            .iter()
            .any(|event| by_person(&event.record.change));
        if calm && !decided {
            assert_eq!(row.owner, None, "a job at its end has no owner");
            assert!(
                row.epoch.0 <= 1,
                "it was claimed {} times in calm weather",
                row.epoch.0
            );
        }
    }

    /// E3, E4, E5, E7, E9: record by record; and every prefix can be resumed (E13).
    fn history(&self) -> History {
        let plan = self.world.plan(self.id);
        let mut history = History::new(&plan);
        let cut = self.world.chance.below(self.events.len() as u64 + 1) as usize;
        for (at, event) in self.events.iter().enumerate() {
            history.add(&event.record);
            if at == cut {
                let resumed = Scheduler::new(plan.clone(), history.checkpoint(), 1);
                let resumed = resumed.expect("E13: every prefix of a history resumes");
                resumed
                    .audit()
                    .expect("E14: what is kept follows from the rows");
            }
            if let Change::Flow {
                cause: Some(cause), ..
            } = &event.record.change
            {
                for fault in ["corrupt", "compile", "plan", "inputs"] {
                    assert!(!cause.message.contains(fault), "{cause:?}");
                }
            }
        }
        history
    }

    fn atom(&self, history: &History, task: &str) -> AtomId {
        let at = history.plan.atoms.iter().position(|atom| atom.name == task);
        AtomId(at.expect("only tasks of the plan run") as u32)
    }

    /// E6: what began had been committed, under the same claim.
    fn intent_before_effect(&self, history: &History) {
        for entry in &self.entries {
            let atom = self.atom(history, &entry.task);
            let committed = &self.events[..entry.committed as usize];
            let mut starts = 0;
            let mut meant = false;
            for event in committed {
                if event.record.subject != Subject::Atom(atom) {
                    continue;
                }
                let start = matches!(event.record.change, Change::Started { .. });
                starts += u32::from(start);
                let fits = match entry.phase {
                    Phase::Execute => start,
                    Phase::Revert => matches!(event.record.change, Change::Reverting),
                };
                meant |= fits && event.epoch == entry.epoch;
            }
            assert!(meant, "E6: it began without a record: {entry:?}");
            assert!(
                starts >= entry.attempt,
                "E6: attempt without a record: {entry:?}"
            );
        }
    }

    /// Whatever is recorded as done was done, in that generation and under that claim.
    fn what_is_recorded_has_happened(&self, history: &History) {
        let mut generations: BTreeMap<AtomId, u32> = BTreeMap::new();
        for event in &self.events {
            let Subject::Atom(atom) = event.record.subject else {
                continue;
            };
            let phase = match &event.record.change {
                Change::Reset => {
                    *generations.entry(atom).or_default() += 1;
                    continue;
                }
                Change::Succeeded { .. } => Phase::Execute,
                Change::Reverted { by: None } => Phase::Revert,
                _ => continue,
            };
            if history.plan.task(atom).is_none() {
                continue;
            }
            let generation = generations.get(&atom).copied().unwrap_or_default();
            let name = &history.plan.atom(atom).name;
            let done = self.entries.iter().any(|entry| {
                entry.task == *name
                    && (entry.phase, entry.generation, entry.epoch)
                        == (phase, generation, event.epoch)
                    && entry.ended.is_some_and(|(_, end)| end == End::Done)
            });
            assert!(
                done,
                "`{name}` is recorded as done ({phase:?}), and was not"
            );
        }
    }

    fn effects(&self, history: &History, calm: bool) {
        let end = self
            .events
            .last()
            .map(|event| event.seq)
            .unwrap_or_default();
        let ended = history.flow.state.is_end();
        let tasks: BTreeSet<&str> = self
            .entries
            .iter()
            .map(|entry| entry.task.as_str())
            .collect();
        for entry in &self.entries {
            assert!(
                !ended || entry.committed < end,
                "E9: it began after the end: {entry:?}"
            );
        }
        for task in tasks {
            let of_task = self.entries.iter().filter(|entry| entry.task == task);
            let of_task: Vec<&Entry> = of_task.collect();
            self.no_overlap(&of_task);
            self.order(&of_task);
            self.starts(history, &of_task);
            self.undone(history, &of_task, calm);
        }
    }

    /// No two attempts of a task at once, unless the whole conductor of the older one was frozen.
    fn no_overlap(&self, entries: &[&Entry]) {
        for (at, younger) in entries.iter().enumerate() {
            for older in &entries[..at] {
                if older.runs_at(younger.began) {
                    assert!(
                        self.was_frozen(older, younger.began),
                        "two attempts at once:\n{older:?}\n{younger:?}"
                    );
                }
            }
        }
    }

    /// Whether the conductor of an entry was frozen at an instant, or had been until shortly before.
    fn was_frozen(&self, entry: &Entry, at: Timestamp) -> bool {
        let freezes = self.world.freezes.lock().unwrap();
        let shortly = Duration::from_secs(20);
        let mut of_machine = freezes
            .iter()
            .filter(|(machine, _, _)| *machine == entry.machine);
        of_machine.any(|(_, from, until)| *from <= at && at <= until.plus(shortly))
    }

    /// Within a generation nothing is executed once a revert has begun, and generations follow each other.
    fn order(&self, entries: &[&Entry]) {
        for (at, younger) in entries.iter().enumerate() {
            for older in &entries[..at] {
                let place = |entry: &Entry| (entry.generation, entry.phase);
                assert!(
                    place(older) <= place(younger),
                    "an older side began again:\n{older:?}\n{younger:?}"
                );
            }
        }
    }

    /// E7: a task with `pause` or `revert` starts once, and as often as a person lets it start again. And no side that
    /// was done is run again under the same claim.
    fn starts(&self, history: &History, entries: &[&Entry]) {
        let mut starts: BTreeMap<(u32, Phase), u32> = BTreeMap::new();
        let mut done = BTreeSet::new();
        for entry in entries {
            *starts.entry((entry.generation, entry.phase)).or_default() += 1;
            if entry.ended.is_some_and(|(_, end)| end == End::Done) {
                let side = (entry.generation, entry.phase, entry.epoch);
                assert!(done.insert(side), "done twice under one claim: {entry:?}");
            }
        }
        let Some(first) = entries.first() else {
            return;
        };
        let atom = self.atom(history, &first.task);
        let task = history.plan.task(atom).expect("only tasks run");
        for ((generation, phase), starts) in starts {
            let permitted = history.permitted.get(&(atom, generation)).copied();
            assert!(
                task.if_interrupted == IfInterrupted::Rerun
                    || phase == Phase::Revert
                    || starts <= 1 + permitted.unwrap_or_default(),
                "E7: `{}` has started {starts} times",
                first.task
            );
        }
    }

    /// E8: what was executed is reverted before it is executed again, and when the job ends REVERTED; in calm weather
    /// exactly once.
    fn undone(&self, history: &History, entries: &[&Entry], calm: bool) {
        let mut generations: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
        for entry in entries {
            let (executed, reverted) = generations.entry(entry.generation).or_default();
            match (entry.phase, entry.ended) {
                (Phase::Execute, _) => *executed += 1,
                (Phase::Revert, Some((_, End::Done))) => *reverted += 1,
                (Phase::Revert, _) => {}
            }
        }
        let last = generations.keys().last().copied().unwrap_or_default();
        let by_person = self
            .events
            .iter()
            .any(|event| by_person(&event.record.change));
        for (generation, (executed, reverted)) in generations {
            let over = generation < last || history.flow.state == FlowState::Reverted;
            let what = format!("`{}`, generation {generation}", entries[0].task);
            if over && executed > 0 && !by_person {
                assert!(reverted > 0, "E8: {what} was executed and never reverted");
            }
            if calm && !by_person {
                assert!(
                    executed <= 1 && reverted <= 1,
                    "{what} ran more than once in calm weather"
                );
            }
        }
    }
}

/// Whether a person has decided about what is STUCK or INTERRUPTED.
fn by_person(change: &Change) -> bool {
    matches!(
        change,
        Change::GivenUp { .. } | Change::Permitted { .. } | Change::Reverted { by: Some(_) }
    )
}
