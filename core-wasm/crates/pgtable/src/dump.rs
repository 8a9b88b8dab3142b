//! Looking at a page table, entry by entry, in the order in which one would write it down. For people and tests: nothing is marked, nothing allocated.

use crate::format::Entry;
use crate::memory::TableMemory;
use crate::table::PageTable;
use crate::types::{Pa, Prot};

/// A present entry, or all entries of a leaf that has several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// First IOVA that it covers.
    pub iova: u64,
    /// Level of the table that it is in; 0 holds the smallest pages.
    pub level: u32,
    /// Bytes that it covers, lg2.
    pub lg2: u32,
    /// The page, or `None`: it points to a table.
    pub leaf: Option<Leaf>,
    /// Where the page or the table is.
    pub pa: Pa,
    /// The entry; of a leaf with several the first.
    pub entry: u64,
}

/// What an entry says of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// What is allowed.
    pub prot: Prot,
    /// Whether one of its entries says that it was used.
    pub accessed: bool,
    /// Whether one of its entries says that it was written to.
    pub dirty: bool,
}

impl Row {
    /// The last IOVA that it covers.
    pub const fn last(&self) -> u64 {
        self.iova | ((1 << self.lg2) - 1)
    }

    /// Where to look for the row behind this one, as [`PageTable::next_row`] takes it; `None` if the IOVAs end with this one.
    pub const fn next(&self) -> Option<(u64, u32)> {
        match self.leaf {
            None => Some((self.iova, self.level - 1)),
            Some(_) => match self.last().checked_add(1) {
                Some(iova) => Some((iova, u32::MAX)),
                None => None,
            },
        }
    }
}

impl PageTable {
    /// The first row at or behind `iova`. A table comes before what is in it; entries that begin at `iova` itself count up to `level` alone, so that
    /// [`Row::next`] leads into a table. The first of all is that of `(0, u32::MAX)`.
    pub fn next_row(&self, memory: &impl TableMemory, (iova, level): (u64, u32)) -> Option<Row> {
        if iova > self.aperture_last() {
            return None;
        }
        self.row_below(memory, (self.root, self.top()), (iova, level))
    }

    /// [`Self::next_row`] in a table that covers `iova` and in those below.
    fn row_below(&self, memory: &impl TableMemory, (table, level): (Pa, u32), (iova, most): (u64, u32)) -> Option<Row> {
        let format = self.format;
        let item_lg2 = format.item_lg2(level);
        let base = iova & !self.table_last(0, level);
        let entries = memory.entries(table, self.count(level));
        let start = self.index(iova, level);
        for (index, &entry) in entries.iter().enumerate().skip(start) {
            let first = base | (index as u64) << item_lg2;
            let is_table = match format.load(entry, level) {
                Entry::Empty => continue,
                Entry::Table => true,
                Entry::Leaf => false,
            };
            if index != start || first >= iova && level <= most {
                return Some(self.row(entries, index, (first, level), is_table));
            }
            // It came before.
            let below = if is_table { self.row_below(memory, (format.table_pa(entry), level - 1), (iova, most)) } else { None };
            if below.is_some() {
                return below;
            }
        }
        None
    }

    fn row(&self, entries: &[u64], index: usize, (iova, level): (u64, u32), is_table: bool) -> Row {
        let format = self.format;
        let entry = entries[index];
        let item_lg2 = format.item_lg2(level);
        if is_table {
            return Row { iova, level, lg2: item_lg2, leaf: None, pa: format.table_pa(entry), entry };
        }
        let lg2 = format.leaf_lg2(entry, level);
        let all = entries.iter().skip(index).take(1 << (lg2 - item_lg2));
        let leaf = Leaf {
            prot: format.prot(entry),
            accessed: all.clone().any(|entry| entry & format.accessed != 0),
            dirty: all.clone().any(|&entry| format.is_dirty(entry)),
        };
        Row { iova, level, lg2, leaf: Some(leaf), pa: format.leaf_pa(entry, level), entry }
    }
}
