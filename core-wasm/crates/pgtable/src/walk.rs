//! Walking: where an operation stands in the tree, and the look-up of one address as hardware does it.

use crate::fmt::compiled;
use crate::format::{Format, MAX_LEVELS};
use crate::memory::TableMemory;
use crate::table::PageTable;
use crate::types::{Pa, Step, Translation};

/// The tables from the top down to the one in which an operation works. Kept while it moves on, so that a step to the next table
/// costs one entry, not a walk from the root.
pub(crate) struct Position {
    /// By level; those below `level` are stale.
    tables: [Pa; MAX_LEVELS],
    pub(crate) level: u32,
    /// An address that the table at `level` covers.
    pub(crate) iova: u64,
}

impl Position {
    /// At the top table, which covers everything.
    pub(crate) fn top(table: &PageTable, iova: u64) -> Position {
        let mut tables = [Pa(0); MAX_LEVELS];
        tables[table.top() as usize] = table.root;
        Position { tables, level: table.top(), iova }
    }

    /// The table at which it stands.
    #[inline(always)]
    pub(crate) fn table(&self) -> Pa {
        self.tables[self.level as usize]
    }

    /// One level down, into `table`.
    #[inline(always)]
    pub(crate) fn enter(&mut self, table: Pa) {
        self.level -= 1;
        self.tables[self.level as usize] = table;
    }

    /// Whether the table at which it stands covers `iova`.
    #[inline(always)]
    pub(crate) fn covers(&self, table: &PageTable, iova: u64) -> bool {
        self.iova ^ iova <= table.table_last(0, self.level)
    }
}

impl PageTable {
    /// Translates one IOVA, of any alignment, as hardware walks. What is allowed is what the leaf allows: tables allow everything. `None` if nothing is
    /// mapped there or it lies beyond the aperture.
    #[inline]
    pub fn translate(&self, memory: &impl TableMemory, iova: u64) -> Option<Translation> {
        compiled!(self, format => self.look_up(format, memory, iova, self.top_step(), |_| {}))
    }

    /// Where every walk begins that knows of no table further down.
    #[inline]
    pub fn top_step(&self) -> Step {
        Step { level: self.top(), table: self.root }
    }

    /// How much of the IOVAs a table of `level` covers, lg2 of bytes.
    #[inline]
    pub fn table_lg2(&self, level: u32) -> u32 {
        self.format.item_lg2(level) + self.index_lg2(level)
    }

    /// As [`Self::translate`], from a table on that an earlier walk came through, and which is still there. Each table further down is given to `passed`.
    #[inline]
    pub fn translate_from(&self, memory: &impl TableMemory, iova: u64, from: Step, passed: impl FnMut(Step)) -> Option<Translation> {
        self.look_up(self.format, memory, iova, from, passed)
    }

    #[inline(always)]
    fn look_up(&self, format: &Format, memory: &impl TableMemory, iova: u64, from: Step, passed: impl FnMut(Step)) -> Option<Translation> {
        if iova > self.aperture_last {
            return None;
        }
        let Found { level, entry, .. } = self.walk(format, memory, iova, from, passed);
        if entry & format.present == 0 {
            return None;
        }
        let lg2 = format.leaf_lg2(entry, level);
        let within = (1 << lg2) - 1;
        let pa = Pa(format.table_pa(entry).0 & !within | iova & within);
        Some(Translation { pa, lg2_size: lg2 as u8, prot: format.prot(entry), reads: (from.level + 1 - level) as u8 })
    }

    /// Follows tables from `from` on as far as they lead towards `iova`, which lies in the aperture. Each table further down is given to `passed`.
    /// `format` is that of the page table.
    #[inline(always)]
    pub(crate) fn walk(&self, format: &Format, memory: &impl TableMemory, iova: u64, from: Step, mut passed: impl FnMut(Step)) -> Found {
        let Step { mut level, mut table } = from;
        let index_lg2 = format.index_lg2();
        let shift = format.item_lg2(level);
        let mut index = iova >> shift;
        if level != self.top() {
            index &= (1 << index_lg2) - 1;
        }
        // What tables further down resolve, from the highest bit on, so that an index takes two shifts and no mask.
        let mut rest = iova << (u64::BITS - shift);
        let mut is_table = format.own_table(level);
        loop {
            let entry = memory.entry(table, index as usize);
            if level == 0 || !is_table.passes(entry) {
                return Found { level, table, index: index as usize, entry };
            }
            table = format.table_pa(entry);
            level -= 1;
            passed(Step { level, table });
            is_table.value -= format.table_step;
            index = rest >> (u64::BITS - index_lg2);
            rest <<= index_lg2;
        }
    }
}

/// Where a walk ended.
pub(crate) struct Found {
    pub(crate) level: u32,
    pub(crate) table: Pa,
    pub(crate) index: usize,
    /// The entry there.
    pub(crate) entry: u64,
}
