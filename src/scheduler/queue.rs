//! What is ready to start, in which order, and how many of it may run at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::compile::{AtomKind, Plan};
use crate::model::{AtomId, ScopeId};

/// The order in which ready atoms start: reverts first, the last in the file first; then controllers and
/// gates, which cost nothing; then tasks by priority, in file order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    class: u8,
    place: u32,
    atom: AtomId,
}

/// The scopes with a `max_parallel`, as a tree of counters.
#[derive(Debug, Clone)]
struct Slots {
    limit: u32,
    running: u32,
    parent: Option<usize>,
    /// What is ready, but for which there is no room here.
    parked: BinaryHeap<Reverse<Rank>>,
}

/// The ready queue.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    ready: BinaryHeap<Reverse<Rank>>,
    slots: Vec<Slots>,
    /// For each scope the nearest one with a limit, itself included.
    limited_by: Vec<Option<usize>>,
}

impl Queue {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut slots: Vec<Slots> = Vec::new();
        let mut limited_by: Vec<Option<usize>> = Vec::with_capacity(plan.scopes.len());
        for scope in &plan.scopes {
            let outer = scope.parent.and_then(|parent| limited_by[parent.index()]);
            limited_by.push(match scope.max_parallel {
                None => outer,
                Some(limit) => {
                    slots.push(Slots {
                        limit: limit.max(1),
                        running: 0,
                        parent: outer,
                        parked: BinaryHeap::new(),
                    });
                    Some(slots.len() - 1)
                }
            });
        }
        Self {
            ready: BinaryHeap::new(),
            slots,
            limited_by,
        }
    }

    /// Adds an atom that is to be executed.
    pub(super) fn push_start(&mut self, plan: &Plan, atom: AtomId) {
        let class = match &plan.atom(atom).kind {
            AtomKind::Retry(_) | AtomKind::Start | AtomKind::End => 1,
            AtomKind::Task(task) => 2 + task.priority as u8,
        };
        self.ready.push(Reverse(Rank {
            class,
            place: atom.0,
            atom,
        }));
    }

    /// Adds an atom that is to be reverted.
    pub(super) fn push_revert(&mut self, atom: AtomId) {
        self.ready.push(Reverse(Rank {
            class: 0,
            place: u32::MAX - atom.0,
            atom,
        }));
    }

    /// The first of the queue.
    pub(super) fn pop(&mut self) -> Option<(AtomId, Turn)> {
        self.ready
            .pop()
            .map(|Reverse(rank)| (rank.atom, Turn(rank)))
    }

    /// Takes a place in every limit around `scope`, or parks `turn` until there is one.
    pub(super) fn acquire(&mut self, scope: ScopeId, turn: Turn) -> bool {
        let mut full = None;
        let mut at = self.limited_by[scope.index()];
        while let Some(index) = at {
            if self.slots[index].running >= self.slots[index].limit {
                full = Some(index);
            }
            at = self.slots[index].parent;
        }
        if let Some(index) = full {
            self.slots[index].parked.push(Reverse(turn.0));
            return false;
        }
        self.occupy(scope);
        true
    }

    /// Takes a place in every limit around `scope`, full or not: for what runs already.
    pub(super) fn occupy(&mut self, scope: ScopeId) {
        let mut at = self.limited_by[scope.index()];
        while let Some(index) = at {
            self.slots[index].running += 1;
            at = self.slots[index].parent;
        }
    }

    /// Gives the places back; what was parked for them is ready again.
    pub(super) fn vacate(&mut self, scope: ScopeId) {
        let mut at = self.limited_by[scope.index()];
        while let Some(index) = at {
            self.slots[index].running -= 1;
            at = self.slots[index].parent;
        }
        self.unpark(scope);
    }

    /// A turn was not used: whoever is parked behind it is ready again.
    pub(super) fn unpark(&mut self, scope: ScopeId) {
        let mut at = self.limited_by[scope.index()];
        while let Some(index) = at {
            let slot = &mut self.slots[index];
            if slot.running < slot.limit
                && let Some(turn) = slot.parked.pop()
            {
                self.ready.push(turn);
            }
            at = self.slots[index].parent;
        }
    }
}

/// A place in the queue, kept while there is no room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn(Rank);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverts_come_first_and_the_last_in_the_file_before_others() {
        let rank = |class, place| Rank {
            class,
            place,
            atom: AtomId(0),
        };
        assert!(rank(0, u32::MAX - 9) < rank(0, u32::MAX - 3));
        assert!(rank(0, u32::MAX) < rank(1, 0));
        assert!(rank(2, 7) < rank(3, 1));
    }
}
