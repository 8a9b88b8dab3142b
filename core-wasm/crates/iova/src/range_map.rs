//! A map from disjoint ranges to values.

use crate::error::{InsertError, OutOfMemory};
use crate::range::Range;
use crate::tree::Tree;

/// Disjoint ranges of addresses, each with a value, in ascending order.
///
/// Look-up, insertion and removal take O(log n). Only [`insert`](Self::insert) and [`reserve`](Self::reserve) allocate.
pub struct RangeMap<V: Copy> {
    tree: Tree<V, ()>,
}

impl<V: Copy> RangeMap<V> {
    /// An empty map, which owns no memory.
    pub const fn new() -> Self {
        RangeMap { tree: Tree::new() }
    }

    /// Number of entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there is no entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all entries. The memory stays, so that as many inserts as before cannot fail.
    pub fn clear(&mut self) {
        self.tree.clear();
    }

    /// Makes sure that the next `inserts` inserts do not run out of memory, whatever is removed in between.
    pub fn reserve(&mut self, inserts: usize) -> Result<(), OutOfMemory> {
        self.tree.ensure(self.len().checked_add(inserts).ok_or(OutOfMemory)?)
    }

    /// Inserts an entry. On error nothing has changed.
    pub fn insert(&mut self, range: Range, value: V) -> Result<(), InsertError> {
        self.tree.insert(range, value, 0)
    }

    /// Removes the entry that starts at `start`. Never allocates.
    pub fn remove(&mut self, start: u64) -> Option<(Range, V)> {
        self.tree.remove(start)
    }

    /// The entry that contains `address`.
    #[inline]
    pub fn get(&self, address: u64) -> Option<(Range, V)> {
        self.tree.get(address)
    }

    /// The first entry whose last address is not below `address`.
    #[inline]
    pub fn first_from(&self, address: u64) -> Option<(Range, V)> {
        self.iter_from(address).next()
    }

    /// Whether an entry shares an address with `range`.
    #[inline]
    pub fn overlaps(&self, range: Range) -> bool {
        self.tree.overlaps(range)
    }

    /// Entries in ascending order, from the first whose last address is not below `address`.
    pub fn iter_from(&self, address: u64) -> impl Iterator<Item = (Range, V)> + '_ {
        self.tree.iter_from(address)
    }

    /// All entries in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (Range, V)> + '_ {
        self.tree.iter_from(0)
    }

    /// For tests: panics if the tree is not what it must be.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.tree.check_invariants();
    }
}

impl RangeMap<()> {
    /// Adds the addresses of `range`, joined with the entries that overlap or touch it. Fails only without room for one more entry.
    pub(crate) fn unite(&mut self, range: Range) -> Result<(), OutOfMemory> {
        self.reserve(1)?;
        let Range { mut start, mut last } = range;
        while let Some((other, ())) = self.first_from(start.saturating_sub(1)) {
            if other.start > last.saturating_add(1) {
                break;
            }
            start = start.min(other.start);
            last = last.max(other.last);
            self.remove(other.start);
        }
        self.insert(Range { start, last }, ()).map_err(|_| OutOfMemory)
    }

    /// The ranges of `within` that no entry covers, in ascending order.
    pub(crate) fn holes(&self, within: Range) -> impl Iterator<Item = Range> + '_ {
        let mut entries = self.iter_from(within.start);
        let mut from = Some(within.start);
        core::iter::from_fn(move || {
            while let Some(start) = from {
                let next = entries.next().map(|(entry, ())| entry).filter(|entry| entry.start <= within.last);
                from = next.and_then(|entry| entry.last.checked_add(1)).filter(|start| *start <= within.last);
                match next {
                    Some(entry) if entry.start <= start => {}
                    Some(entry) => return Some(Range { start, last: entry.start - 1 }),
                    None => return Some(Range { start, last: within.last }),
                }
            }
            None
        })
    }
}

impl<V: Copy> Default for RangeMap<V> {
    fn default() -> Self {
        Self::new()
    }
}
