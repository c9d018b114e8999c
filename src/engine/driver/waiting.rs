//! What has been started and has nothing to do yet: commands that wait for a place on the machine, in their turn, and
//! those that wait for an instant. A command is all that is kept of each: an attempt is made when it can begin.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::{AtomId, Timestamp};
use crate::scheduler::Command;

/// What one that waits is waiting for.
#[derive(Debug, Clone, Copy)]
enum For {
    /// Its turn in the line.
    Place,
    /// This instant.
    Instant(Timestamp),
}

struct Waiter {
    command: Command,
    waits: For,
    /// When it was started.
    began: Timestamp,
}

/// The commands of one job that wait.
#[derive(Default)]
pub(super) struct Waiting {
    waiters: BTreeMap<AtomId, Waiter>,
    /// Who waits for a place, in order. Those that wait no more are passed over.
    line: VecDeque<(AtomId, u32)>,
    /// How many of the line still wait.
    in_line: usize,
    /// Who waits for an instant.
    instants: BTreeSet<(Timestamp, AtomId)>,
}

impl Waiting {
    /// Takes the last turn in the line for a place.
    pub(super) fn for_place(&mut self, command: Command, now: Timestamp) {
        self.line.push_back((command.atom, command.attempt));
        self.in_line += 1;
        self.add(command, For::Place, now);
    }

    /// Waits for `instant`.
    pub(super) fn until(&mut self, instant: Timestamp, command: Command, now: Timestamp) {
        self.instants.insert((instant, command.atom));
        self.add(command, For::Instant(instant), now);
    }

    fn add(&mut self, command: Command, waits: For, began: Timestamp) {
        let waiter = Waiter {
            command,
            waits,
            began,
        };
        self.waiters.insert(waiter.command.atom, waiter);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Whether something waits for a place.
    pub(super) fn wants_place(&self) -> bool {
        self.in_line > 0
    }

    /// Whoever is first in the line for a place.
    pub(super) fn next_in_line(&mut self) -> Option<Command> {
        while let Some((atom, attempt)) = self.line.pop_front() {
            let waiter = self.waiters.get(&atom);
            if waiter
                .is_some_and(|it| it.command.attempt == attempt && matches!(it.waits, For::Place))
            {
                return self.remove(atom);
            }
        }
        None
    }

    /// When the first instant comes that something waits for.
    pub(super) fn next_instant(&self) -> Option<Timestamp> {
        self.instants.first().map(|(instant, _)| *instant)
    }

    /// A command whose instant has come, and when it was started.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<(Command, Timestamp)> {
        let (instant, atom) = *self.instants.first()?;
        if instant > now {
            return None;
        }
        let began = self.waiters.get(&atom)?.began;
        Some((self.remove(atom)?, began))
    }

    /// The attempt of an atom that waits, if one does.
    pub(super) fn attempt(&self, atom: AtomId) -> Option<&Command> {
        self.waiters.get(&atom).map(|waiter| &waiter.command)
    }

    /// The command of an atom, which waits no more.
    pub(super) fn remove(&mut self, atom: AtomId) -> Option<Command> {
        let waiter = self.waiters.remove(&atom)?;
        match waiter.waits {
            For::Place => {
                self.in_line -= 1;
                if self.in_line == 0 {
                    self.line.clear();
                }
            }
            For::Instant(instant) => {
                self.instants.remove(&(instant, atom));
            }
        }
        Some(waiter.command)
    }

    /// All that wait, in file order: none of them waits any more.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Command> + use<> {
        std::mem::take(self)
            .waiters
            .into_values()
            .map(|waiter| waiter.command)
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::model::Phase;

    const NOW: Timestamp = Timestamp(1000);

    fn command(atom: u32, attempt: u32) -> Command {
        Command {
            atom: AtomId(atom),
            attempt,
            generation: 0,
            phase: Phase::Execute,
            inputs: IndexMap::new(),
            until: None,
            interrupted: false,
            undo: None,
        }
    }

    fn line(waiting: &mut Waiting) -> Vec<(u32, u32)> {
        let next = std::iter::from_fn(|| waiting.next_in_line());
        next.map(|next| (next.atom.0, next.attempt)).collect()
    }

    #[test]
    fn places_are_given_in_the_order_of_the_line() {
        let mut waiting = Waiting::default();
        for atom in [3, 1, 2] {
            waiting.for_place(command(atom, 1), NOW);
        }
        assert_eq!(line(&mut waiting), [(3, 1), (1, 1), (2, 1)]);
        assert!(!waiting.wants_place() && waiting.is_empty());
    }

    #[test]
    fn whoever_was_stopped_has_lost_its_turn_and_gets_another_one_with_its_next_attempt() {
        let mut waiting = Waiting::default();
        for atom in [1, 2] {
            waiting.for_place(command(atom, 1), NOW);
        }
        assert!(waiting.remove(AtomId(1)).is_some());
        waiting.for_place(command(1, 2), NOW);
        assert_eq!(line(&mut waiting), [(2, 1), (1, 2)]);
    }

    #[test]
    fn whoever_waits_for_an_instant_is_in_no_line_and_is_due_in_order() {
        let mut waiting = Waiting::default();
        waiting.until(Timestamp(3000), command(1, 1), NOW);
        waiting.until(Timestamp(2000), command(2, 1), NOW);
        assert!(!waiting.wants_place());
        assert_eq!(waiting.next_instant(), Some(Timestamp(2000)));
        assert!(waiting.due(Timestamp(1999)).is_none());
        let due = std::iter::from_fn(|| waiting.due(Timestamp(3000)));
        let due: Vec<_> = due.map(|(it, began)| (it.atom.0, began)).collect();
        assert_eq!(due, [(2, NOW), (1, NOW)]);
        assert!(waiting.is_empty() && waiting.next_instant().is_none());
    }
}
