//! What is ready to start, in which order, and how many of it may run at once.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::compile::{AtomKind, Plan};
use crate::model::{AtomId, ScopeId};

/// What goes before what: reverts, then controllers and gates, which cost nothing, then tasks by priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane(u8);

impl Lane {
    const REVERTS: Self = Self(0);
    const CONTROLLERS: Self = Self(1);
    const COUNT: usize = 7;

    /// Where an atom queues up to be executed.
    pub(super) fn of(kind: &AtomKind) -> Self {
        match kind {
            AtomKind::Retry(_) | AtomKind::Start | AtomKind::End => Self::CONTROLLERS,
            AtomKind::Task(task) => Self(Self::CONTROLLERS.0 + 1 + task.priority as u8),
        }
    }
}

/// A place in the queue, kept while there is no room. In each lane it goes in file order; among reverts, the last in
/// the file comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    lane: Lane,
    place: u32,
}

impl Turn {
    fn atom(self) -> AtomId {
        if self.lane == Lane::REVERTS {
            AtomId(u32::MAX - self.place)
        } else {
            AtomId(self.place)
        }
    }
}

/// Who waits in one lane. Most come in order, and those cost the same however many there are.
#[derive(Debug, Clone, Default)]
struct Line {
    in_order: VecDeque<u32>,
    others: BinaryHeap<Reverse<u32>>,
}

impl Line {
    fn push(&mut self, place: u32) {
        if self.in_order.back().is_none_or(|last| *last < place) {
            self.in_order.push_back(place);
        } else {
            self.others.push(Reverse(place));
        }
    }

    fn is_empty(&self) -> bool {
        self.in_order.is_empty() && self.others.is_empty()
    }

    fn pop(&mut self) -> Option<u32> {
        match (self.in_order.front(), self.others.peek()) {
            (Some(first), Some(Reverse(other))) if other < first => {
                self.others.pop().map(|Reverse(place)| place)
            }
            (Some(_), _) => self.in_order.pop_front(),
            (None, _) => self.others.pop().map(|Reverse(place)| place),
        }
    }
}

/// The scopes with a `max_parallel`, as a tree of counters.
#[derive(Debug, Clone)]
struct Slots {
    limit: u32,
    running: u32,
    parent: Option<usize>,
    /// What is ready, but for which there is no room here.
    parked: BinaryHeap<Reverse<Turn>>,
}

/// The ready queue.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    ready: [Line; Lane::COUNT],
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
            ready: Default::default(),
            slots,
            limited_by,
        }
    }

    /// Adds an atom that is to be executed.
    pub(super) fn push_start(&mut self, lane: Lane, atom: AtomId) {
        let place = atom.0;
        self.push(Turn { lane, place });
    }

    /// Adds an atom that is to be reverted.
    pub(super) fn push_revert(&mut self, atom: AtomId) {
        let place = u32::MAX - atom.0;
        let lane = Lane::REVERTS;
        self.push(Turn { lane, place });
    }

    fn push(&mut self, turn: Turn) {
        self.ready[usize::from(turn.lane.0)].push(turn.place);
    }

    /// The first of the queue.
    pub(super) fn pop(&mut self) -> Option<(AtomId, Turn)> {
        (0..).zip(&mut self.ready).find_map(|(number, line)| {
            let place = line.pop()?;
            let lane = Lane(number);
            let turn = Turn { lane, place };
            Some((turn.atom(), turn))
        })
    }

    /// Nothing is ready; what is parked is not.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.iter().all(Line::is_empty)
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
            self.slots[index].parked.push(Reverse(turn));
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
                && let Some(Reverse(turn)) = slot.parked.pop()
            {
                self.ready[usize::from(turn.lane.0)].push(turn.place);
            }
            at = self.slots[index].parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_back_in_order_what_came_in_any_order() {
        let mut line = Line::default();
        for place in [3, 5, 4, 9, 1, 9, 7] {
            line.push(place);
        }
        let all: Vec<u32> = std::iter::from_fn(|| line.pop()).collect();
        assert_eq!(all, [1, 3, 4, 5, 7, 9, 9]);
    }
}
