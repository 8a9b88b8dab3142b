//! Dirty bits: set as hardware does when a write goes through a leaf, found and taken away as an operating system does.

use crate::format::Entry;
use crate::memory::TableMemory;
use crate::table::PageTable;
use crate::types::Pa;

/// A leaf that was written through: where it starts, and its size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirtyLeaf {
    /// Its first IOVA, which may be before the range that was asked for.
    pub first: u64,
    /// Its size, contiguous entries taken together.
    pub lg2: u32,
}

impl DirtyLeaf {
    /// Its last IOVA.
    #[inline]
    pub fn last(&self) -> u64 {
        self.first | ((1 << self.lg2) - 1)
    }
}

/// Which leaves are looked for in which range of IOVAs, and what becomes of what is found.
#[derive(Clone, Copy)]
struct Search {
    last: u64,
    clear: bool,
}

impl PageTable {
    /// Marks the leaf that translates `iova` as hardware does for an access: accessed, and dirty for a write. Of a contiguous leaf one entry has the
    /// mark. Returns false, and marks nothing, where nothing is mapped or beyond the aperture.
    pub fn touch(&self, memory: &mut impl TableMemory, iova: u64, write: bool) -> bool {
        if iova > self.aperture_last() {
            return false;
        }
        let mut table = self.root;
        for level in (0..self.levels).rev() {
            let entry = &mut memory.entries_mut(table, self.count(level))[self.index(iova, level)];
            match self.format.load(*entry, level) {
                Entry::Table => table = self.format.table_pa(*entry),
                Entry::Empty => return false,
                Entry::Leaf => {
                    *entry = self.format.touch(*entry, write);
                    return true;
                }
            }
        }
        false
    }

    /// The first leaf of `first..=last` that a write went through; one that reaches into the range counts. With `clear` its mark goes, and what
    /// caches have of it must be invalidated: they would not mark it again.
    pub fn next_dirty(&self, memory: &mut impl TableMemory, first: u64, last: u64, clear: bool) -> Option<DirtyLeaf> {
        let last = last.min(self.aperture_last());
        if first > last {
            return None;
        }
        self.dirty_below(memory, (self.root, self.top()), first, Search { last, clear })
    }

    /// [`Self::next_dirty`] in a table and those below.
    fn dirty_below(&self, memory: &mut impl TableMemory, (table, level): (Pa, u32), first: u64, search: Search) -> Option<DirtyLeaf> {
        let count = self.count(level);
        let mut at = first;
        loop {
            let index = self.index(at, level);
            let entry = memory.entries(table, count)[index];
            let item_last = at | ((1 << self.format.item_lg2(level)) - 1);
            let done = match self.format.load(entry, level) {
                Entry::Empty => item_last,
                Entry::Table => {
                    let piece = Search { last: item_last.min(search.last), ..search };
                    let found = self.dirty_below(memory, (self.format.table_pa(entry), level - 1), at, piece);
                    if found.is_some() {
                        return found;
                    }
                    item_last
                }
                Entry::Leaf => {
                    let lg2 = self.format.leaf_lg2(entry, level);
                    let leaf = DirtyLeaf { first: at & !((1 << lg2) - 1), lg2 };
                    let start = self.index(leaf.first, level);
                    let entries = &mut memory.entries_mut(table, count)[start..start + (1 << (lg2 - self.format.item_lg2(level)))];
                    if entries.iter().any(|&entry| self.format.is_dirty(entry)) {
                        if search.clear {
                            entries.iter_mut().for_each(|entry| *entry = self.format.clean(*entry));
                        }
                        return Some(leaf);
                    }
                    leaf.last()
                }
            };
            if done >= search.last {
                return None;
            }
            at = done + 1;
        }
    }
}
