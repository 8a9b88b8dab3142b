//! Intel VT-d first-stage tables, which are those of x86-64 processors, and of AMD's IOMMU as its guest tables (v2): Intel Virtualization Technology for
//! Directed I/O, sections 3.6 (translation) and 9.7 (entries); AMD I/O Virtualization Technology, 2.2.6.
//!
//! | level here | table of the specification | entry | leaf |
//! | --- | --- | --- | --- |
//! | 0 | page table | FS-PTE | 4 KiB |
//! | 1 | page directory | FS-PDE | 2 MiB if PS |
//! | 2 | page-directory-pointer table | FS-PDPTE | 1 GiB if PS |
//! | 3 | PML4 | FS-PML4E | – |
//! | 4 | PML5 | FS-PML5E | – |
//!
//! Addresses are signed: tables of 4 levels translate 47 bits below, and as many above, of which a page table here maps those below. A guest may use both.

use crate::format::{Dirty, Entry, Format, Groups, Test, attributes, bit_if};
use crate::types::Prot;

const PRESENT: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const PAGE_SIZE: u64 = 1 << 7;
const EXTENDED_ACCESSED: u64 = 1 << 10;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

const LAST_LEAF_LEVEL: u32 = 2;

/// What may be written may be read. Snooping is not a matter of the entry. A write through a leaf that is not dirty would set that bit, or be refused.
const fn attributes(_read: bool, write: bool, _coherent: bool, tracks_dirty: bool) -> u64 {
    USER | ACCESSED | bit_if(WRITE, write) | bit_if(DIRTY, write && !tracks_dirty)
}

/// Intel VT-d first stage; 4 or 5 levels for 48 or 57 bits, of which the highest is repeated in all above.
///
/// Rights are those of requests that are not privileged.
pub const VTD_FS: Format = FIRST_STAGE;

const FIRST_STAGE: Format = x86_64("vtd_fs");

/// Guest tables of AMD's IOMMU, version 2: the same entries.
pub const AMD_V2: Format = x86_64("amd_v2");

const fn x86_64(name: &'static str) -> Format {
    Format {
        name,
        first_stage: true,
        granule_lg2: 12,
        table_lg2: 12,
        min_levels: 4,
        max_levels: 5,
        // The lower half.
        top_extra: -1,
        max_address_lg2: 56,
        max_output_lg2: 52,
        leaf_sizes: [1 << 12, 1 << 21, 1 << 30, 0, 0, 0],
        present: PRESENT,
        is_table: Test::clear(PAGE_SIZE),
        table_step: 0,
        table: PRESENT | WRITE | USER | ACCESSED,
        address: ADDRESS,
        up: 0,
        down: 0,
        page: PRESENT,
        large_page: PRESENT | PAGE_SIZE,
        groups: Groups::None,
        read: Test::set(USER),
        write: [Test::set(USER | WRITE), Test::NEVER],
        accessed: ACCESSED,
        dirty: Dirty { bit: DIRTY, when: DIRTY, guard: 0 },
        attributes: attributes!(attributes),
    }
}

/// What a walk of tables needs that a program has written.
#[derive(Clone, Copy, Debug)]
pub enum VtdFs {}

impl VtdFs {
    /// Fewest levels.
    pub const MIN_LEVELS: u32 = FIRST_STAGE.min_levels;
    /// Most levels.
    pub const MAX_LEVELS: u32 = FIRST_STAGE.max_levels;

    /// See [`Format::item_lg2`].
    #[inline(always)]
    pub const fn item_lg2(level: u32) -> u32 {
        FIRST_STAGE.item_lg2(level)
    }

    /// What `entry` is at `level`. What has the size of a page where there is none is no leaf.
    #[inline]
    pub fn load(entry: u64, level: u32) -> Entry {
        if level > LAST_LEAF_LEVEL { VTD_FS.load(entry & !PAGE_SIZE, level) } else { VTD_FS.load(entry, level) }
    }

    /// See [`Format::prot`].
    #[inline]
    pub fn prot(entry: u64) -> Prot {
        VTD_FS.prot(entry)
    }

    /// See [`Format::is_dirty`].
    #[inline]
    pub fn is_dirty(entry: u64) -> bool {
        VTD_FS.is_dirty(entry)
    }

    /// Which entry of its table at `level` is about `address`, of either half.
    #[inline]
    pub fn index(address: u64, level: u32) -> usize {
        (address >> Self::item_lg2(level)) as usize & ((1 << FIRST_STAGE.index_lg2()) - 1)
    }

    /// Whether tables of `levels` translate `address`: all bits above the highest that they look at are equal to that.
    #[inline]
    pub fn is_canonical(address: u64, levels: u32) -> bool {
        let high = (address as i64) >> (Self::item_lg2(levels) - 1);
        high == 0 || high == -1
    }

    /// Whether `entry`, which is present, has bits set that must be zero: the size of a page where there is none, or address bits below a page's
    /// size (bit 12 is one about caches there).
    #[inline]
    pub fn is_malformed(entry: u64, level: u32) -> bool {
        if level > LAST_LEAF_LEVEL {
            return entry & PAGE_SIZE != 0;
        }
        let below = (1 << Self::item_lg2(level)) - 1;
        level != 0 && entry & PAGE_SIZE != 0 && entry & below & !((1 << (VTD_FS.granule_lg2 + 1)) - 1) != 0
    }

    /// Where the table or page is that `entry` leads to.
    #[inline]
    pub fn address(entry: u64, level: u32) -> u64 {
        match Self::load(entry, level) {
            Entry::Leaf => VTD_FS.leaf_pa(entry, level).0,
            _ => VTD_FS.table_pa(entry).0,
        }
    }

    /// `entry` after hardware used it: accessed, the extended mark too if it is asked for, and dirty if it is the leaf of a write.
    #[inline]
    pub fn mark(entry: u64, extended: bool, write: bool) -> u64 {
        VTD_FS.touch(entry, write) | bit_if(EXTENDED_ACCESSED, extended)
    }
}
