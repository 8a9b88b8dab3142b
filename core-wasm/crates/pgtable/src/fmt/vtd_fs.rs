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

use crate::format::{Entry, Format};
use crate::types::{LeafOptions, Pa, Prot};

const PRESENT: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const PAGE_SIZE: u64 = 1 << 7;
const EXTENDED_ACCESSED: u64 = 1 << 10;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

const INDEX_LG2: u32 = 9;
const LAST_LEAF_LEVEL: u32 = 2;

/// Intel VT-d first stage; 4 or 5 levels for 48 or 57 bits, of which the highest is repeated in all above.
#[derive(Clone, Copy, Debug)]
pub enum VtdFs {}

impl Format for VtdFs {
    const NAME: &'static str = "vtd_fs";
    const GRANULE_LG2: u32 = 12;
    const MIN_LEVELS: u32 = 4;
    const MAX_LEVELS: u32 = 5;
    const MAX_ADDRESS_LG2: u32 = 56;
    const ACCESSED: u64 = ACCESSED;
    const DIRTY: u64 = DIRTY;

    /// The lower half: one bit less than the levels have.
    #[inline(always)]
    fn address_lg2(levels: u32) -> u32 {
        Self::item_lg2(levels) - 1
    }

    #[inline]
    fn leaf_sizes(level: u32) -> u64 {
        if level <= LAST_LEAF_LEVEL { 1 << Self::item_lg2(level) } else { 0 }
    }

    #[inline(always)]
    fn load(entry: u64, level: u32) -> Entry {
        if entry & PRESENT == 0 {
            Entry::Empty
        } else if level == 0 || (level <= LAST_LEAF_LEVEL && entry & PAGE_SIZE != 0) {
            Entry::Leaf
        } else {
            Entry::Table
        }
    }

    #[inline(always)]
    fn table_pa(entry: u64) -> Pa {
        Pa(entry & ADDRESS)
    }

    #[inline(always)]
    fn encode_table(pa: Pa, _level: u32) -> u64 {
        pa.0 | PRESENT | WRITE | USER | ACCESSED
    }

    #[inline(always)]
    fn encode_leaf(pa: Pa, level: u32, _lg2: u32, attributes: u64) -> u64 {
        let size = if level == 0 { 0 } else { PAGE_SIZE };
        pa.0 | PRESENT | size | attributes
    }

    /// What may be written may be read. Snooping is not a matter of the entry.
    #[inline]
    fn attributes(prot: Prot, options: LeafOptions) -> u64 {
        let dirty = if options.tracks_dirty { 0 } else { DIRTY };
        USER | ACCESSED | if prot.contains(Prot::WRITE) { WRITE | dirty } else { 0 }
    }

    /// For a request that is not privileged.
    #[inline]
    fn prot(entry: u64) -> Prot {
        if entry & USER == 0 {
            Prot::NONE
        } else if entry & WRITE == 0 {
            Prot::READ
        } else {
            Prot::READ | Prot::WRITE
        }
    }
}

/// What a walk of tables that a program has written needs besides.
impl VtdFs {
    /// Which entry of its table at `level` is about `address`, of either half.
    #[inline]
    pub fn index(address: u64, level: u32) -> usize {
        (address >> Self::item_lg2(level)) as usize & ((1 << INDEX_LG2) - 1)
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
        level != 0 && entry & PAGE_SIZE != 0 && entry & below & !((1 << (Self::GRANULE_LG2 + 1)) - 1) != 0
    }

    /// Where the table or page is that `entry` leads to.
    #[inline]
    pub fn address(entry: u64, level: u32) -> u64 {
        match Self::load(entry, level) {
            Entry::Leaf => Self::leaf_pa(entry, level).0,
            _ => Self::table_pa(entry).0,
        }
    }

    /// `entry` after hardware used it: accessed, the extended mark too if it is asked for, and dirty if it is the leaf of a write.
    #[inline]
    pub fn mark(entry: u64, extended: bool, write: bool) -> u64 {
        Self::touch(entry, write) | if extended { EXTENDED_ACCESSED } else { 0 }
    }
}
