//! A set of atoms of one plan, one bit for each: cheap to change, and read in file order.

use std::iter;
use std::ops::Range;

use crate::model::AtomId;

/// How many atoms a word tells of.
const BITS: usize = u64::BITS as usize;

/// Which atoms are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AtomSet {
    words: Vec<u64>,
}

impl AtomSet {
    /// An empty set for a plan of `count` atoms.
    pub(super) fn new(count: usize) -> Self {
        Self {
            words: vec![0; count.div_ceil(BITS)],
        }
    }

    pub(super) fn insert(&mut self, atom: AtomId) {
        self.words[atom.index() / BITS] |= 1 << (atom.index() % BITS);
    }

    pub(super) fn remove(&mut self, atom: AtomId) {
        self.words[atom.index() / BITS] &= !(1 << (atom.index() % BITS));
    }

    /// Those of a range, in file order. What is not in the set costs a step for every 64 of them.
    pub(super) fn range(&self, range: Range<AtomId>) -> impl Iterator<Item = AtomId> + '_ {
        let (first, end) = (range.start.index(), range.end.index());
        (first / BITS..end.div_ceil(BITS)).flat_map(move |at| {
            let start = at * BITS;
            let mut word = self.words[at];
            if start < first {
                word &= u64::MAX << (first - start);
            }
            if end - start < BITS {
                word &= (1 << (end - start)) - 1;
            }
            iter::from_fn(move || {
                let bit = word.trailing_zeros();
                // Takes the lowest bit out; there is none in an empty word.
                word &= word.checked_sub(1)?;
                Some(AtomId(start as u32 + bit))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(set: &AtomSet, range: Range<u32>) -> Vec<u32> {
        let range = AtomId(range.start)..AtomId(range.end);
        set.range(range).map(|atom| atom.0).collect()
    }

    #[test]
    fn a_range_gives_what_is_in_it_in_order() {
        let mut set = AtomSet::new(200);
        for atom in [199, 0, 63, 64, 65, 127, 128, 130, 64] {
            set.insert(AtomId(atom));
        }
        set.remove(AtomId(65));
        set.remove(AtomId(66));
        assert_eq!(range(&set, 0..200), [0, 63, 64, 127, 128, 130, 199]);
        assert_eq!(range(&set, 1..199), [63, 64, 127, 128, 130]);
        assert_eq!(range(&set, 64..128), [64, 127]);
        assert_eq!(range(&set, 129..130), [0u32; 0]);
        assert_eq!(range(&set, 130..130), [0u32; 0]);
        assert_eq!(range(&set, 128..131), [128, 130]);
    }
}
