//! A page table beside the dumbest model of one, and a checker that recounts everything from the tables themselves.
#![allow(dead_code, unused_macros, reason = "each test file uses its part")]

pub mod granule_16k;

use pgtable::{Config, Entry, Format, Kind, LeafOptions, MapError, Pa, PageTable, Prot, Row, Run, TableMemory, Translation, VecMemory};
use std::collections::BTreeMap;

pub const BOTH: Prot = Prot::from_bits(3);

/// Runs a function for every format and number of levels, the test's own format among them.
macro_rules! every_geometry {
    ($function:ident $(, $argument:expr)*) => {{
        for format in pgtable::Kind::ALL.iter().map(|kind| kind.format()).chain([&$crate::common::granule_16k::GRANULE_16K]) {
            for levels in format.min_levels as u8..=format.max_levels as u8 {
                $function(format, levels $(, $argument)*);
            }
        }
    }};
}
#[allow(unused_imports, reason = "each test file uses its part")]
pub(crate) use every_geometry;

/// One leaf of the model, by its first IOVA.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf {
    pub lg2: u32,
    pub pa: u64,
    pub prot: Prot,
}

impl Leaf {
    fn last(&self, first: u64) -> u64 {
        first + ((1 << self.lg2) - 1)
    }
}

pub struct Subject {
    pub memory: VecMemory,
    pub table: PageTable,
    pub model: BTreeMap<u64, Leaf>,
}

/// A page table as machines make theirs, so that what is compiled for its kind is what is tested.
pub fn table_of(memory: &mut VecMemory, format: &'static Format, config: Config) -> Result<PageTable, MapError> {
    match Kind::ALL.iter().find(|kind| kind.format() == format) {
        Some(&kind) => PageTable::new(memory, kind, config),
        None => PageTable::with_format(memory, format, config),
    }
}

pub fn runs(list: &[(u64, u64)]) -> impl Iterator<Item = Run> {
    list.iter().map(|&(pa, length)| Run { pa: Pa(pa), length })
}

/// What a mapping allows: more than was asked for where the format has no way to say less.
pub fn granted(format: &Format, prot: Prot) -> Prot {
    format.prot(format.encode_leaf(Pa(0), 0, format.granule_lg2, format.attributes(prot, LeafOptions::default())))
}

pub const fn granule(format: &Format) -> u64 {
    1 << format.granule_lg2
}

impl Subject {
    pub fn new(format: &'static Format, levels: u8) -> Self {
        Self::with(format, Config::new(levels))
    }

    pub fn with(format: &'static Format, config: Config) -> Self {
        let mut memory = VecMemory::new();
        let table = table_of(&mut memory, format, config).unwrap();
        Subject { memory, table, model: BTreeMap::new() }
    }

    /// The leaves that `list` mapped at `iova` must become, one at a time; or the errors of which one must be the answer.
    fn predict(&self, iova: u64, list: &[(u64, u64)], prot: Prot) -> Result<Vec<(u64, Leaf)>, Vec<MapError>> {
        let mut stretches: Vec<(u64, u64)> = Vec::new();
        for &(pa, length) in list {
            match stretches.last_mut() {
                Some(last) if last.0 + last.1 == pa => last.1 += length,
                _ => stretches.push((pa, length)),
            }
        }
        let mut errors = Vec::new();
        let mut leaves = Vec::new();
        let mut next = u128::from(iova);
        for (pa, length) in stretches {
            let end = next + u128::from(length);
            if end - 1 > u128::from(self.table.aperture_last()) {
                errors.push(MapError::OutOfRange);
                break;
            }
            let mut pa = u128::from(pa);
            while next != end {
                let fits = |lg2: &u32| {
                    let size = 1_u128 << lg2;
                    self.table.page_sizes() >> lg2 & 1 == 1 && next % size == 0 && pa % size == 0 && size <= end - next
                };
                let lg2 = (0..64).rev().find(fits).unwrap();
                leaves.push((next as u64, Leaf { lg2, pa: pa as u64, prot: granted(self.table.format(), prot) }));
                next += 1 << lg2;
                pa += 1 << lg2;
            }
        }
        if leaves.iter().any(|&(first, leaf)| self.overlapping(first, leaf.last(first)).next().is_some()) {
            errors.push(MapError::Exists);
        }
        if errors.is_empty() { Ok(leaves) } else { Err(errors) }
    }

    fn overlapping(&self, first: u64, last: u64) -> impl Iterator<Item = (u64, Leaf)> {
        let before = self.model.range(..first).next_back().filter(move |(start, leaf)| leaf.last(**start) >= first);
        before.into_iter().chain(self.model.range(first..=last)).map(|(&start, &leaf)| (start, leaf))
    }

    /// Maps in both; `limit` tables can still be allocated. Checks the answer, and that a failure changed nothing.
    pub fn map(&mut self, iova: u64, list: &[(u64, u64)], prot: Prot, limit: Option<usize>) -> Result<(), MapError> {
        let predicted = self.predict(iova, list, prot);
        let before = (self.memory.snapshot(), *self.table.leaves(), self.table.tables());
        self.memory.limit(limit);
        let result = self.table.map(&mut self.memory, iova, runs(list), prot);
        self.memory.limit(None);
        match result {
            Ok(()) => self.model.extend(predicted.expect("the model refuses what the table mapped")),
            Err(error) => {
                let expected = predicted.err().unwrap_or_default();
                let out_of_memory = error == MapError::OutOfMemory && limit.is_some();
                assert!(out_of_memory || expected.contains(&error), "{error:?} instead of {expected:?}");
                assert!(before == (self.memory.snapshot(), *self.table.leaves(), self.table.tables()), "a failed map left something");
            }
        }
        result
    }

    /// Unmaps in both and compares what is said about it.
    pub fn unmap(&mut self, first: u64, last: u64) {
        let last = last.min(self.table.aperture_last());
        let gone: Vec<(u64, Leaf)> = if first <= last { self.overlapping(first, last).collect() } else { Vec::new() };
        for (start, _) in &gone {
            self.model.remove(start);
        }
        let tables = self.table.tables();
        self.memory.limit(Some(0));
        let done = self.table.unmap_range(&mut self.memory, first, last);
        self.memory.limit(None);
        assert_eq!(done.leaves, gone.len() as u64);
        assert_eq!(done.tables, tables - self.table.tables());
        let length: u128 = gone.iter().map(|(_, leaf)| 1_u128 << leaf.lg2).sum();
        assert_eq!(u128::from(done.length), length.min(u128::from(u64::MAX)));
        if let (Some((start, _)), Some((end, leaf))) = (gone.first(), gone.last()) {
            let granule_last = granule(self.table.format()) - 1;
            assert_eq!(done.first, (first & !granule_last).min(*start));
            assert_eq!(done.last, (last | granule_last).max(leaf.last(*end)));
        }
    }

    /// Everything there is to know: translations, counters, tables.
    pub fn check(&self) {
        let recount = recount(&self.table, &self.memory);
        assert_eq!(recount.tables, self.table.tables(), "count of tables");
        assert_eq!(recount.tables as usize, self.memory.tables(), "tables lost in memory");
        assert_eq!(&recount.leaves, self.table.leaves(), "leaves by size");
        let mut by_size = [0; 64];
        for (&first, leaf) in &self.model {
            by_size[leaf.lg2 as usize] += 1;
            self.check_leaf(first, leaf);
        }
        assert_eq!(&by_size, self.table.leaves(), "leaves by size, of the model");
        self.check_dump();
    }

    /// The rows of the dump are the leaves of the model in its order, each below the tables that lead to it, and every table once.
    fn check_dump(&self) {
        let rows =
            std::iter::successors(self.table.next_row(&self.memory, (0, u32::MAX)), |row| self.table.next_row(&self.memory, row.next()?));
        let mut leaves = self.model.iter();
        let mut tables: Vec<Row> = Vec::new();
        let mut count = 1;
        for row in rows {
            while tables.last().is_some_and(|table| table.last() < row.iova) {
                tables.pop();
            }
            let (level, pa) = tables.last().map_or((u32::from(self.table.levels()), self.table.root()), |table| (table.level, table.pa));
            assert_eq!(row.level, level - 1, "{row:?} is in the table above it");
            let index = (row.iova >> self.table.format().item_lg2(row.level)) as usize;
            let entries = self.memory.entries(pa, 1 << (self.table.table_lg2(row.level) - self.table.format().item_lg2(row.level)));
            assert_eq!(entries[index & (entries.len() - 1)], row.entry, "the entry of {row:?}");
            match row.leaf {
                None => {
                    count += 1;
                    tables.push(row);
                }
                Some(dumped) => {
                    let leaf = Leaf { lg2: row.lg2, pa: row.pa.0, prot: dumped.prot };
                    assert_eq!(leaves.next(), Some((&row.iova, &leaf)), "the leaves of the dump are those of the model");
                }
            }
        }
        assert_eq!(leaves.next(), None, "no leaf is left out");
        assert_eq!(count, self.table.tables(), "no table is left out, none is twice there");
    }

    fn check_leaf(&self, first: u64, leaf: &Leaf) {
        let last = leaf.last(first);
        for iova in [first, first + (1 << (leaf.lg2 - 1)) + 5, last] {
            let level = self.table.format().level_of(leaf.lg2);
            let expected = Translation {
                pa: Pa(leaf.pa + (iova - first)),
                lg2_size: leaf.lg2 as u8,
                prot: leaf.prot,
                reads: self.table.levels() - level as u8,
            };
            assert_eq!(self.table.translate(&self.memory, iova), Some(expected), "iova {iova:#x}");
        }
        for outside in [first.checked_sub(1), last.checked_add(1)].into_iter().flatten() {
            let mapped = outside <= self.table.aperture_last() && self.overlapping(outside, outside).next().is_some();
            assert_eq!(self.table.translate(&self.memory, outside).is_some(), mapped, "iova {outside:#x}");
        }
    }

    /// Unmaps everything: only the top table remains; then destroys: nothing remains.
    pub fn finish(mut self) {
        self.unmap(0, u64::MAX);
        self.check();
        assert_eq!(self.table.tables(), 1);
        self.table.destroy(&mut self.memory);
        assert_eq!(self.memory.tables(), 0);
        assert_eq!(self.memory.snapshot(), VecMemory::new().snapshot());
    }
}

struct Recount {
    tables: u32,
    leaves: [u64; 64],
}

/// Counts tables and leaves by visiting every entry; asserts that each live counter is right and no table but the top is empty.
fn recount(table: &PageTable, memory: &VecMemory) -> Recount {
    let format = table.format();
    let mut sum = Recount { tables: 0, leaves: [0; 64] };
    let mut pending = vec![(table.root(), u32::from(table.levels()) - 1)];
    while let Some((pa, level)) = pending.pop() {
        sum.tables += 1;
        let top = level == u32::from(table.levels()) - 1;
        let bits = if top { format.address_lg2(table.levels().into()) - format.item_lg2(level) } else { format.index_lg2() };
        let entries = memory.entries(pa, 1 << bits);
        let live = entries.iter().filter(|&&entry| entry != 0).count();
        assert_eq!(memory.live(pa) as usize, live, "live counter at level {level}");
        assert!(top || live != 0, "an empty table at level {level}");
        let mut index = 0;
        while index < entries.len() {
            let entry = entries[index];
            match format.load(entry, level) {
                Entry::Empty => assert_eq!(entry, 0),
                Entry::Table => pending.push((format.table_pa(entry), level - 1)),
                Entry::Leaf => {
                    let lg2 = format.leaf_lg2(entry, level);
                    let count = 1 << (lg2 - format.item_lg2(level));
                    assert_eq!(index % count, 0, "a contiguous leaf is aligned");
                    for &other in &entries[index..index + count] {
                        assert_eq!((format.leaf_lg2(other, level), format.leaf_pa(other, level)), (lg2, format.leaf_pa(entry, level)));
                    }
                    sum.leaves[lg2 as usize] += 1;
                    index += count - 1;
                }
            }
            index += 1;
        }
    }
    sum
}
