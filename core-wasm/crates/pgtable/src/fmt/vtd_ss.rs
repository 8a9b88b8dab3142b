//! Intel VT-d second-stage tables: Intel Virtualization Technology for Directed I/O, sections 3.7 (translation) and 9.8 (entries).
//!
//! | level here | table of the specification | entry | leaf |
//! | --- | --- | --- | --- |
//! | 0 | page table | SS-PTE | 4 KiB |
//! | 1 | page directory | SS-PDE | 2 MiB if PS |
//! | 2 | page-directory-pointer table | SS-PDPTE | 1 GiB if PS |
//! | 3 | PML4 | SS-PML4E | – |
//! | 4 | PML5 | SS-PML5E | – |

use crate::format::{Entry, Format};
use crate::types::{LeafOptions, Pa, Prot};

const READ: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const PAGE_SIZE: u64 = 1 << 7;
const ACCESSED: u64 = 1 << 8;
const DIRTY: u64 = 1 << 9;
const SNOOP: u64 = 1 << 11;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

const LAST_LEAF_LEVEL: u32 = 2;

/// Intel VT-d second stage; 3, 4 or 5 levels for 39, 48 or 57 bits.
#[derive(Clone, Copy, Debug)]
pub enum VtdSs {}

impl Format for VtdSs {
    const NAME: &'static str = "vtd_ss";
    const GRANULE_LG2: u32 = 12;
    const MIN_LEVELS: u32 = 3;
    const MAX_LEVELS: u32 = 5;
    const MAX_ADDRESS_LG2: u32 = 57;
    const ACCESSED: u64 = ACCESSED;
    const DIRTY: u64 = DIRTY;

    #[inline]
    fn leaf_sizes(level: u32) -> u64 {
        if level <= LAST_LEAF_LEVEL { 1 << Self::item_lg2(level) } else { 0 }
    }

    /// There is no present bit: an entry is present if it allows something.
    #[inline(always)]
    fn load(entry: u64, level: u32) -> Entry {
        if entry & (READ | WRITE) == 0 {
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
        pa.0 | READ | WRITE
    }

    #[inline(always)]
    fn encode_leaf(pa: Pa, level: u32, _lg2: u32, attributes: u64) -> u64 {
        let size = if level == 0 { 0 } else { PAGE_SIZE };
        pa.0 | size | attributes
    }

    #[inline]
    fn attributes(prot: Prot, options: LeafOptions) -> u64 {
        let read = if prot.contains(Prot::READ) { READ } else { 0 };
        let write = if prot.contains(Prot::WRITE) { WRITE } else { 0 };
        let snoop = if options.coherent { SNOOP } else { 0 };
        read | write | snoop
    }

    /// Read and write are bits 0 and 1, as in [`Prot`].
    #[inline(always)]
    fn prot(entry: u64) -> Prot {
        Prot::from_bits((entry & (READ | WRITE)) as u8)
    }
}
