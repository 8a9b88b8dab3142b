//! Intel VT-d first-stage tables, which are those of x86-64 processors: Intel Virtualization Technology for Directed I/O, sections 3.6
//! (translation) and 9.7 (entries). Here only how they are read: the program writes them.
//!
//! | level here | table of the specification | entry | leaf |
//! | --- | --- | --- | --- |
//! | 0 | page table | FS-PTE | 4 KiB |
//! | 1 | page directory | FS-PDE | 2 MiB if PS |
//! | 2 | page-directory-pointer table | FS-PDPTE | 1 GiB if PS |
//! | 3 | PML4 | FS-PML4E | – |
//! | 4 | PML5 | FS-PML5E | – |

use crate::format::Entry;
use crate::types::Prot;

const PRESENT: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const PAGE_SIZE: u64 = 1 << 7;
const EXTENDED_ACCESSED: u64 = 1 << 10;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

const GRANULE_LG2: u32 = 12;
const INDEX_LG2: u32 = 9;
const LAST_LEAF_LEVEL: u32 = 2;

/// Intel VT-d first stage; 4 or 5 levels for 48 or 57 bits, of which the highest is repeated in all above.
#[derive(Clone, Copy, Debug)]
pub enum VtdFs {}

impl VtdFs {
    /// Fewest levels.
    pub const MIN_LEVELS: u32 = 4;
    /// Most levels.
    pub const MAX_LEVELS: u32 = 5;

    /// Bytes that one entry of `level` covers, lg2.
    #[inline]
    pub const fn item_lg2(level: u32) -> u32 {
        GRANULE_LG2 + level * INDEX_LG2
    }

    /// Which entry of its table at `level` is about `address`.
    #[inline]
    pub const fn index(address: u64, level: u32) -> usize {
        (address >> Self::item_lg2(level)) as usize & ((1 << INDEX_LG2) - 1)
    }

    /// Whether tables of `levels` translate `address`: all bits above the highest that they look at are equal to that.
    #[inline]
    pub const fn is_canonical(address: u64, levels: u32) -> bool {
        let high = (address as i64) >> (Self::item_lg2(levels) - 1);
        high == 0 || high == -1
    }

    /// What `entry` is at `level`.
    #[inline]
    pub const fn load(entry: u64, level: u32) -> Entry {
        if entry & PRESENT == 0 {
            Entry::Empty
        } else if level == 0 || (level <= LAST_LEAF_LEVEL && entry & PAGE_SIZE != 0) {
            Entry::Leaf
        } else {
            Entry::Table
        }
    }

    /// Whether `entry`, which is present, has bits set that must be zero: the size of a page where there is none, or address bits below a page's
    /// size (bit 12 is one about caches there).
    #[inline]
    pub const fn is_malformed(entry: u64, level: u32) -> bool {
        if level > LAST_LEAF_LEVEL {
            return entry & PAGE_SIZE != 0;
        }
        let below = (1 << Self::item_lg2(level)) - 1;
        level != 0 && entry & PAGE_SIZE != 0 && entry & below & !((1 << (GRANULE_LG2 + 1)) - 1) != 0
    }

    /// Where the table or page is that `entry` leads to.
    #[inline]
    pub const fn address(entry: u64, level: u32) -> u64 {
        let mask = match Self::load(entry, level) {
            Entry::Leaf => !((1 << Self::item_lg2(level)) - 1),
            _ => u64::MAX,
        };
        entry & ADDRESS & mask
    }

    /// What `entry`, leaf or table, allows a request that is not privileged.
    #[inline]
    pub fn prot(entry: u64) -> Prot {
        if entry & USER == 0 {
            Prot::NONE
        } else if entry & WRITE == 0 {
            Prot::READ
        } else {
            Prot::READ | Prot::WRITE
        }
    }

    /// `entry` after hardware used it: accessed, the extended mark too if it is asked for, and dirty if it is the leaf of a write.
    #[inline]
    pub const fn touch(entry: u64, extended: bool, write: bool) -> u64 {
        entry | ACCESSED | if extended { EXTENDED_ACCESSED } else { 0 } | if write { DIRTY } else { 0 }
    }

    /// Whether a write went through this leaf since the program last cleaned it.
    #[inline]
    pub const fn is_dirty(entry: u64) -> bool {
        entry & DIRTY != 0
    }
}
