//! Reserved ranges: each has an owner, and they may overlap.

use crate::error::OutOfMemory;
use crate::range::Range;
use crate::range_map::RangeMap;
use crate::slab::grow;

pub(crate) struct Reserved {
    entries: Vec<(Range, u64)>,
    /// All of them, joined where they overlap or touch. Has room for as many ranges as there are entries.
    union: RangeMap<()>,
}

impl Reserved {
    pub(crate) const fn new() -> Self {
        Reserved { entries: Vec::new(), union: RangeMap::new() }
    }

    /// Makes room for one entry more.
    pub(crate) fn ensure(&mut self) -> Result<(), OutOfMemory> {
        let total = self.entries.len() + 1;
        grow(&mut self.entries, total)?;
        self.union.reserve(total - self.union.len())
    }

    /// Adds an entry. There is room.
    pub(crate) fn add(&mut self, range: Range, owner: u64) {
        self.entries.push((range, owner));
        let united = self.union.unite(range);
        debug_assert!(united.is_ok(), "there is room");
    }

    /// Removes all entries of an owner.
    pub(crate) fn remove(&mut self, owner: u64) {
        let before = self.entries.len();
        self.entries.retain(|(_, other)| *other != owner);
        if self.entries.len() == before {
            return;
        }
        self.union.clear();
        for &(range, _) in &self.entries {
            let united = self.union.unite(range);
            debug_assert!(united.is_ok(), "there is room");
        }
    }

    /// The ranges of an owner.
    pub(crate) fn of(&self, owner: u64) -> impl Iterator<Item = Range> + '_ {
        self.entries.iter().filter(move |(_, other)| *other == owner).map(|&(range, _)| range)
    }

    pub(crate) fn overlaps(&self, range: Range) -> bool {
        self.union.overlaps(range)
    }

    /// What is not reserved of `within`, in ascending order.
    pub(crate) fn holes(&self, within: Range) -> impl Iterator<Item = Range> + '_ {
        self.union.holes(within)
    }
}
