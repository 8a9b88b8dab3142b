//! Unmapping: one pass over the range, table by table; empty tables are given back on the way up.

use crate::fmt::compiled;
use crate::format::{Entry, Format, Groups};
use crate::memory::TableMemory;
use crate::table::PageTable;
use crate::types::{Pa, Unmapped};
use crate::walk::{Found, Position};

impl PageTable {
    /// Unmaps whatever is mapped in `length` bytes from `iova`; holes are skipped, and what lies beyond the aperture is ignored.
    /// A leaf of which the range covers a part is unmapped whole (as Linux's generic page tables do), and the answer tells.
    /// Never fails, never allocates.
    #[inline]
    pub fn unmap(&mut self, memory: &mut impl TableMemory, iova: u64, length: u64) -> Unmapped {
        match length.checked_sub(1) {
            None => Unmapped::default(),
            Some(offset) => self.unmap_range(memory, iova, iova.saturating_add(offset)),
        }
    }

    /// The same for `first..=last`, which can be all of a 64-bit space. Nothing is done if `first` is above `last`.
    #[inline(never)]
    pub fn unmap_range(&mut self, memory: &mut impl TableMemory, first: u64, last: u64) -> Unmapped {
        let granule_last = (1 << self.format.granule_lg2) - 1;
        let first = first & !granule_last;
        let last = last.min(self.aperture_last()) | granule_last;
        let mut done = Unmapped { first, last, ..Unmapped::default() };
        if first > last {
            return Unmapped::default();
        }
        if last - first == granule_last && self.unmap_one(memory, first, &mut done) {
            return done;
        }
        let plain = self.has_plain_pages();
        let mut at = Position::top(self, first);
        loop {
            if let Some(child) = self.sweep(memory, &mut at, last, plain, &mut done) {
                at.enter(child);
                continue;
            }
            let table_last = self.table_last(at.iova, at.level);
            if table_last >= last {
                break;
            }
            let next = table_last + 1;
            while !at.covers(self, next) {
                self.leave(memory, &mut at, &mut done);
            }
            at.iova = next;
        }
        while at.level < self.top() {
            self.leave(memory, &mut at, &mut done);
        }
        done
    }

    /// Fast path: one smallest page, whose table keeps others. False, and nothing is done, where it is anything else.
    #[inline]
    fn unmap_one(&mut self, memory: &mut impl TableMemory, iova: u64, done: &mut Unmapped) -> bool {
        compiled!(self, format => self.unmap_one_as(format, memory, iova, done))
    }

    #[inline(always)]
    fn unmap_one_as(&mut self, format: &Format, memory: &mut impl TableMemory, iova: u64, done: &mut Unmapped) -> bool {
        let Found { level, table, index, entry } = self.walk(format, memory, iova, self.top_step(), |_| {});
        let live = memory.live(table);
        if level != 0 || entry == 0 || live == 1 || format.leaf_lg2(entry, 0) != format.granule_lg2 {
            return false;
        }
        memory.entries_mut(table, index + 1)[index] = 0;
        memory.set_live(table, live - 1);
        self.leaves[format.granule_lg2 as usize] -= 1;
        done.length = 1 << format.granule_lg2;
        done.leaves = 1;
        true
    }

    /// Whether all leaves at level 0 take one entry.
    fn has_plain_pages(&self) -> bool {
        let sizes = self.format.granule_lg2 as usize + 1..self.format.item_lg2(1) as usize;
        self.format.groups == Groups::None || self.leaves[sizes].iter().all(|&count| count == 0)
    }

    /// Clears leaves in the table at `at` from `at.iova` up to `last`. Stops at an entry that points to a table, moves `at.iova` there
    /// and returns that table. `plain`: leaves at level 0 take one entry.
    #[inline]
    fn sweep(&mut self, memory: &mut impl TableMemory, at: &mut Position, last: u64, plain: bool, done: &mut Unmapped) -> Option<Pa> {
        let format = self.format;
        let (level, table) = (at.level, at.table());
        let item_lg2 = format.item_lg2(level);
        let start = self.index(at.iova, level);
        let stop = self.index(last.min(self.table_last(at.iova, level)), level);
        let count = self.count(level);
        let live = memory.live(table);
        let entries = memory.entries_mut(table, count);
        if level == 0 && plain {
            let entries = &mut entries[start..=stop];
            let whole = entries.len() == count;
            let singles = if whole { live } else { count_present(entries) };
            entries.fill(0);
            self.account(memory, table, item_lg2, Cleared { singles, grouped: 0 }, done);
            return None;
        }
        let base = at.iova & !self.table_last(0, level);
        let mut cleared = Cleared::default();
        let mut child = None;
        let mut index = start;
        while index <= stop {
            let entry = entries[index];
            let head = match format.load(entry, level) {
                Entry::Empty => {
                    index += 1;
                    continue;
                }
                Entry::Table => {
                    child = Some(format.table_pa(entry));
                    break;
                }
                Entry::Leaf => {
                    let count_lg2 = format.leaf_lg2(entry, level) - item_lg2;
                    if count_lg2 == 0 {
                        let singles = clear_singles(format, &mut entries[index..=stop], level);
                        cleared.singles += singles as u32;
                        index += singles;
                        index - singles
                    } else {
                        let head = index & !((1 << count_lg2) - 1);
                        index = head + (1 << count_lg2);
                        entries[head..index].fill(0);
                        cleared.grouped += 1 << count_lg2;
                        self.leaves[(item_lg2 + count_lg2) as usize] -= 1;
                        done.leaves += 1;
                        head
                    }
                }
            };
            done.first = done.first.min(base | (head as u64) << item_lg2);
            done.last = done.last.max(base | (index as u64 - 1) << item_lg2 | ((1 << item_lg2) - 1));
        }
        if child.is_some() && index != start {
            at.iova = base | (index as u64) << item_lg2;
        }
        self.account(memory, table, item_lg2, cleared, done);
        child
    }

    /// Books entries that were cleared in one table.
    #[inline(always)]
    fn account(&mut self, memory: &mut impl TableMemory, table: Pa, item_lg2: u32, cleared: Cleared, done: &mut Unmapped) {
        let entries = cleared.singles + cleared.grouped;
        if entries == 0 {
            return;
        }
        memory.set_live(table, memory.live(table) - entries);
        self.leaves[item_lg2 as usize] -= u64::from(cleared.singles);
        done.leaves += u64::from(cleared.singles);
        done.length = done.length.saturating_add(u64::from(entries) << item_lg2);
    }

    /// One level up; the table that is left is given back if it is empty.
    #[inline]
    pub(crate) fn leave(&mut self, memory: &mut impl TableMemory, at: &mut Position, done: &mut Unmapped) {
        let child = at.table();
        at.level += 1;
        if memory.live(child) != 0 {
            return;
        }
        memory.free_table(child, self.format.table_lg2);
        let parent = at.table();
        let index = self.index(at.iova, at.level);
        memory.entries_mut(parent, self.count(at.level))[index] = 0;
        memory.set_live(parent, memory.live(parent) - 1);
        self.tables -= 1;
        done.tables += 1;
    }
}

/// Entries cleared in a table: leaves of one entry, and entries of larger leaves.
#[derive(Clone, Copy, Default)]
struct Cleared {
    singles: u32,
    grouped: u32,
}

/// How many entries are present. A plain pass, so that it becomes vector code.
#[inline(always)]
fn count_present(entries: &[u64]) -> u32 {
    entries.iter().map(|&entry| u64::from(entry != 0)).sum::<u64>() as u32
}

/// Zeroes the leaves of one entry at the start of `entries`, of which the first is one; returns how many there were.
#[inline(always)]
fn clear_singles(format: &Format, entries: &mut [u64], level: u32) -> usize {
    let single = |entry: &&u64| format.load(**entry, level) == Entry::Leaf && format.leaf_lg2(**entry, level) == format.item_lg2(level);
    let count = entries.iter().take_while(single).count();
    entries[..count].fill(0);
    count
}
