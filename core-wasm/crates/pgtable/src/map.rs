//! Mapping: physical runs go in order to one IOVA range, in the largest pages that fit.

use crate::fmt::compiled;
use crate::format::{Entry, Format};
use crate::memory::TableMemory;
use crate::table::PageTable;
use crate::types::{MapError, Pa, Prot, Run, Unmapped};
use crate::walk::{Found, Position};
use core::iter::Fuse;

impl PageTable {
    /// Maps `runs`, one after the other, from `iova` on. Runs that follow each other in memory are joined, and each stretch is mapped
    /// with the largest pages that its IOVA, its PA and its length allow. No runs: nothing is mapped.
    ///
    /// All or nothing: on an error (any of [`MapError`]) the tables and their memory are as before.
    #[inline]
    pub fn map<M: TableMemory>(&mut self, memory: &mut M, iova: u64, runs: impl Iterator<Item = Run>, prot: Prot) -> Result<(), MapError> {
        if prot.is_empty() {
            return Err(MapError::NoAccess);
        }
        let attributes = self.format.attributes(prot, self.options);
        let mut stretches = Stretches { format: self.format, runs: runs.fuse(), ahead: None };
        let Some(first) = stretches.next()? else { return self.check(iova, 0) };
        self.check(iova, first.length)?;
        if first.length == 1 << self.format.granule_lg2 && stretches.ahead.is_none() {
            // One small page is the most frequent request there is.
            if let Some(result) = self.map_one(memory, iova, first.pa, attributes) {
                return result;
            }
        }
        let mut at = Position::top(self, iova);
        let mut mapped_last = None;
        let result = self.map_stretches(memory, &mut at, first, &mut stretches, attributes, &mut mapped_last);
        if result.is_err() {
            self.roll_back(memory, &mut at, iova, mapped_last);
        }
        result
    }

    /// Fast path: one smallest page, into a table that exists. `None` if a table is missing: [`Self::map_stretches`] makes it.
    #[inline]
    fn map_one(&mut self, memory: &mut impl TableMemory, iova: u64, pa: Pa, attributes: u64) -> Option<Result<(), MapError>> {
        compiled!(self, format => self.map_one_as(format, memory, iova, pa, attributes))
    }

    #[inline(always)]
    fn map_one_as(
        &mut self,
        format: &Format,
        memory: &mut impl TableMemory,
        iova: u64,
        pa: Pa,
        attributes: u64,
    ) -> Option<Result<(), MapError>> {
        let Found { level, table, index, entry } = self.walk(format, memory, iova, self.top_step(), |_| {});
        if entry != 0 {
            return Some(Err(MapError::Exists));
        }
        if level != 0 {
            return None;
        }
        let slot = &mut memory.entries_mut(table, index + 1)[index];
        *slot = format.place(pa.0) | format.page | attributes;
        memory.set_live(table, memory.live(table) + 1);
        self.leaves[format.granule_lg2 as usize] += 1;
        Some(Ok(()))
    }

    /// The full algorithm. `mapped_last` becomes the last IOVA that has been mapped, also when it fails.
    fn map_stretches<M: TableMemory, I: Iterator<Item = Run>>(
        &mut self,
        memory: &mut M,
        at: &mut Position,
        first: Run,
        stretches: &mut Stretches<I>,
        attributes: u64,
        mapped_last: &mut Option<u64>,
    ) -> Result<(), MapError> {
        let mut iova = at.iova;
        let mut stretch = first;
        loop {
            while stretch.length != 0 {
                let batch = self.batch(iova, stretch);
                self.descend(memory, at, iova, batch.level)?;
                self.fill(memory, at, stretch.pa, &batch, attributes)?;
                let length = batch.leaves << batch.lg2;
                *mapped_last = Some(iova + (length - 1));
                iova = iova.wrapping_add(length);
                stretch = Run { pa: Pa(stretch.pa.0 + length), length: stretch.length - length };
            }
            match stretches.next()? {
                None => return Ok(()),
                // Something has been mapped, so 0 is the end of the 64-bit space.
                Some(_) if iova == 0 => return Err(MapError::OutOfRange),
                Some(next) => stretch = next,
            }
            self.check(iova, stretch.length)?;
        }
    }

    /// Whether `length` bytes from `iova` are aligned and in the aperture.
    #[inline(always)]
    fn check(&self, iova: u64, length: u64) -> Result<(), MapError> {
        if iova & ((1 << self.format.granule_lg2) - 1) != 0 {
            return Err(MapError::Misaligned);
        }
        let last = iova.checked_add(length.saturating_sub(1)).ok_or(MapError::OutOfRange)?;
        if last <= self.aperture_last { Ok(()) } else { Err(MapError::OutOfRange) }
    }

    /// The next leaves of `stretch` at `iova` that have one size and lie in one table.
    #[inline(always)]
    fn batch(&self, iova: u64, stretch: Run) -> Batch {
        // The lowest bit that is set in either address, and all bits below: the sizes to which both are aligned.
        let addresses = iova | stretch.pa.0;
        let aligned = addresses ^ addresses.wrapping_sub(1);
        let short_enough = u64::MAX >> stretch.length.leading_zeros();
        let lg2 = (self.page_sizes & aligned & short_enough).ilog2();
        let level = self.format.level_of(lg2);
        let mut leaves = ((self.table_last(iova, level) - iova) >> lg2) + 1;
        let larger = self.page_sizes & !(u64::MAX >> (63 - lg2));
        if larger != 0 {
            // Where both addresses reach the next larger size together, it may take over.
            let next_size = larger & larger.wrapping_neg();
            if (iova ^ stretch.pa.0) & (next_size - 1) == 0 {
                leaves = leaves.min((next_size - (iova & (next_size - 1))) >> lg2);
            }
        }
        Batch { level, lg2, leaves: leaves.min(stretch.length >> lg2) }
    }

    /// Moves to the table of `level` that covers `iova`, and makes the tables that are missing on the way.
    #[inline(always)]
    fn descend(&mut self, memory: &mut impl TableMemory, at: &mut Position, iova: u64, level: u32) -> Result<(), MapError> {
        while at.level < level || !at.covers(self, iova) {
            at.level += 1;
        }
        at.iova = iova;
        while at.level > level {
            let (count, index) = (self.count(at.level), self.index(iova, at.level));
            let entry = memory.entry(at.table(), index);
            let child = match self.format.load(entry, at.level) {
                Entry::Table => self.format.table_pa(entry),
                Entry::Leaf => return Err(MapError::Exists),
                Entry::Empty => {
                    let child = memory.alloc_table(self.format.table_lg2).ok_or(MapError::OutOfMemory)?;
                    memory.entries_mut(at.table(), count)[index] = self.format.encode_table(child, at.level);
                    memory.set_live(at.table(), memory.live(at.table()) + 1);
                    self.tables += 1;
                    child
                }
            };
            at.enter(child);
        }
        Ok(())
    }

    /// Writes the leaves of `batch`, which translate to `pa` and on, into the table at `at`; only if all their entries are empty.
    /// Plain passes over at most one table, so that they become vector code.
    #[inline(always)]
    fn fill(&mut self, memory: &mut impl TableMemory, at: &Position, pa: Pa, batch: &Batch, attributes: u64) -> Result<(), MapError> {
        let format = self.format;
        let Batch { level, lg2, leaves } = *batch;
        let group_lg2 = lg2 - format.item_lg2(level);
        let start = self.index(at.iova, level);
        let count = (leaves << group_lg2) as usize;
        let live = memory.live(at.table());
        let entries = &mut memory.entries_mut(at.table(), start + count)[start..];
        // A table without entries was made just now, mostly.
        if live != 0 && entries.iter().fold(0, |seen, entry| seen | entry) != 0 {
            return Err(MapError::Exists);
        }
        let first = format.encode_leaf(pa, level, lg2, attributes);
        if group_lg2 == 0 || !format.repeats() {
            let step = format.place(1 << format.item_lg2(level));
            let mut next = first;
            for entry in entries {
                *entry = next;
                next = next.wrapping_add(step);
            }
        } else {
            let step = format.place(1 << lg2);
            for (index, group) in entries.chunks_exact_mut(1 << group_lg2).enumerate() {
                group.fill(first + index as u64 * step);
            }
        }
        memory.set_live(at.table(), live + count as u32);
        self.leaves[lg2 as usize] += leaves;
        Ok(())
    }

    /// Undoes a mapping from `iova` that failed after `mapped_last`: its leaves, and the tables that were made for it.
    #[cold]
    fn roll_back(&mut self, memory: &mut impl TableMemory, at: &mut Position, iova: u64, mapped_last: Option<u64>) {
        // Tables made just before the failure may be empty; no leaf would lead the unmap to them.
        while at.level < self.top() {
            self.leave(memory, at, &mut Unmapped::default());
        }
        // All of the range was empty before, so exactly the new leaves are in it.
        if let Some(last) = mapped_last {
            let _ = self.unmap_range(memory, iova, last);
        }
    }
}

/// Leaves of one size in one table.
struct Batch {
    level: u32,
    lg2: u32,
    leaves: u64,
}

/// Runs checked, and joined where one continues the other.
struct Stretches<I> {
    format: &'static Format,
    runs: Fuse<I>,
    /// The run that ended the last join.
    ahead: Option<Run>,
}

impl<I: Iterator<Item = Run>> Stretches<I> {
    #[inline(always)]
    fn next(&mut self) -> Result<Option<Run>, MapError> {
        let Some(mut stretch) = self.ahead.take().or_else(|| self.next_run()) else { return Ok(None) };
        self.check(stretch)?;
        while let Some(run) = self.next_run() {
            if stretch.pa.0 + stretch.length != run.pa.0 {
                self.ahead = Some(run);
                break;
            }
            self.check(run)?;
            stretch.length += run.length;
        }
        Ok(Some(stretch))
    }

    #[inline(always)]
    fn next_run(&mut self) -> Option<Run> {
        self.runs.by_ref().find(|run| run.length != 0)
    }

    /// Alignment, and that physical addresses fit an entry: then no sum of them overflows.
    #[inline(always)]
    fn check(&self, run: Run) -> Result<(), MapError> {
        if (run.pa.0 | run.length) & ((1 << self.format.granule_lg2) - 1) != 0 {
            return Err(MapError::Misaligned);
        }
        let limit = 1 << self.format.max_output_lg2;
        if run.length <= limit && run.pa.0 <= limit - run.length { Ok(()) } else { Err(MapError::OutOfRange) }
    }
}
