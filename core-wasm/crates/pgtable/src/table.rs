//! A page table: what it is made of, and everything about it that takes no walk.

use crate::fmt::Kind;
use crate::format::{Format, MAX_LEVELS};
use crate::memory::TableMemory;
use crate::types::{LeafOptions, MapError, Pa, Prot};

/// How a page table is made. Fixed for its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Number of levels; the aperture follows from it. [`Format::MIN_LEVELS`] to [`Format::MAX_LEVELS`].
    pub levels: u8,
    /// Sizes of leaves that may be used: bit n for 2^n bytes. Sizes the format lacks are ignored; the smallest page is always used.
    pub page_sizes: u64,
    /// What all its leaves have in common.
    pub options: LeafOptions,
}

impl Config {
    /// All page sizes; coherence left to the device, and no marks.
    pub const fn new(levels: u8) -> Config {
        Config { levels, page_sizes: u64::MAX, options: LeafOptions { coherent: false, tracks_dirty: false } }
    }
}

/// A page table. Its tables are in a [`TableMemory`], which every call is given: always the same one.
///
/// Dropping it leaks its tables in that memory; [`PageTable::destroy`] gives them back.
#[derive(Debug)]
pub struct PageTable {
    /// None for a format that is none of them.
    pub(crate) kind: Option<Kind>,
    pub(crate) format: &'static Format,
    pub(crate) root: Pa,
    pub(crate) levels: u32,
    pub(crate) aperture_last: u64,
    pub(crate) page_sizes: u64,
    pub(crate) options: LeafOptions,
    pub(crate) tables: u32,
    pub(crate) leaves: [u64; 64],
}

impl PageTable {
    /// An empty page table: one table, the top one. Fails with [`MapError::OutOfMemory`], or [`MapError::OutOfRange`] if the format
    /// has no such number of levels.
    pub fn new(memory: &mut impl TableMemory, kind: Kind, config: Config) -> Result<Self, MapError> {
        let table = PageTable::with_format(memory, kind.format(), config)?;
        Ok(PageTable { kind: Some(kind), ..table })
    }

    /// The same for a format that is none of [`Kind`].
    pub fn with_format(memory: &mut impl TableMemory, format: &'static Format, config: Config) -> Result<Self, MapError> {
        let levels = u32::from(config.levels);
        if !(format.min_levels <= levels && levels <= format.max_levels && levels <= MAX_LEVELS as u32) {
            return Err(MapError::OutOfRange);
        }
        let granule = 1 << format.granule_lg2;
        let format_sizes = format.leaf_sizes.iter().take(levels as usize).fold(0, |all, sizes| all | sizes);
        let mut table = PageTable {
            kind: None,
            format,
            root: Pa(0),
            levels,
            aperture_last: u64::MAX >> (64 - format.address_lg2(levels)),
            page_sizes: format_sizes & config.page_sizes | granule,
            options: config.options,
            tables: 1,
            leaves: [0; 64],
        };
        // As in Linux no page is as large as half of what the tables translate.
        table.page_sizes &= table.aperture_last() >> 1 | granule;
        table.root = memory.alloc_table(table.top_table_lg2()).ok_or(MapError::OutOfMemory)?;
        Ok(table)
    }

    /// Unmaps everything and gives all tables back. Never fails, never allocates.
    pub fn destroy(mut self, memory: &mut impl TableMemory) {
        let _ = self.unmap_range(memory, 0, self.aperture_last());
        memory.free_table(self.root, self.top_table_lg2());
    }

    /// Its format, if that is one of those.
    pub const fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// What its entries are.
    pub const fn format(&self) -> &'static Format {
        self.format
    }

    /// Where the top table lies: what goes into the device's table entry.
    pub const fn root(&self) -> Pa {
        self.root
    }

    /// What a page allows that is mapped with `prot`: more where the format has no way to say less. See [`Format::attributes`].
    pub fn allows(&self, prot: Prot) -> Prot {
        let attributes = self.format.attributes(prot, self.options);
        self.format.prot(self.format.encode_leaf(Pa(0), 0, self.format.granule_lg2, attributes))
    }

    /// Number of levels.
    pub const fn levels(&self) -> u8 {
        self.levels as u8
    }

    /// The last IOVA that can be translated; the first is 0.
    #[inline]
    pub const fn aperture_last(&self) -> u64 {
        self.aperture_last
    }

    /// Sizes of leaves in use, bit n for 2^n bytes.
    pub const fn page_sizes(&self) -> u64 {
        self.page_sizes
    }

    /// Size of the smallest page, lg2.
    pub const fn smallest_page_lg2(&self) -> u32 {
        self.format.granule_lg2
    }

    /// Leaves mapped now, by lg2 of their size.
    pub const fn leaves(&self) -> &[u64; 64] {
        &self.leaves
    }

    /// Tables in use, the top one included.
    pub const fn tables(&self) -> u32 {
        self.tables
    }

    #[inline(always)]
    pub(crate) const fn top(&self) -> u32 {
        self.levels - 1
    }

    /// Bits of address that a table of `level` resolves.
    #[inline(always)]
    pub(crate) fn index_lg2(&self, level: u32) -> u32 {
        if level == self.top() { self.format.address_lg2(self.levels) - self.format.item_lg2(level) } else { self.format.index_lg2() }
    }

    /// Entries of a table of `level`.
    #[inline(always)]
    pub(crate) fn count(&self, level: u32) -> usize {
        1 << self.index_lg2(level)
    }

    /// Which entry of its table at `level` covers `iova`, which lies in the aperture.
    #[inline(always)]
    pub(crate) fn index(&self, iova: u64, level: u32) -> usize {
        (iova >> self.format.item_lg2(level)) as usize & (self.count(level) - 1)
    }

    /// The last IOVA of the table of `level` that covers `iova`.
    #[inline(always)]
    pub(crate) fn table_last(&self, iova: u64, level: u32) -> u64 {
        iova | u64::MAX >> (64 - (self.format.item_lg2(level) + self.index_lg2(level)))
    }

    /// Bytes of the top table, lg2: more than the others only if it resolves more bits.
    pub(crate) fn top_table_lg2(&self) -> u32 {
        self.format.table_lg2.max(self.index_lg2(self.top()) + 3)
    }
}
