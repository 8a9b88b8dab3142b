//! AMD IOMMU host tables, version 1: AMD I/O Virtualization Technology (IOMMU) Specification, 48882, section 2.2.3.
//!
//! | level here | mode of the specification | IOVA bits | leaf of one entry |
//! | --- | --- | --- | --- |
//! | 0 | 1 | 20:12 | 4 KiB |
//! | 1 | 2 | 29:21 | 2 MiB |
//! | 2 | 3 | 38:30 | 1 GiB |
//! | 3 | 4 | 47:39 | not used, see `leaf_sizes` |
//! | 4 | 5 | 56:48 | 256 TiB |
//! | 5 | 6 | 63:57 | – |
//!
//! The next-level field of an entry is 0 for a leaf of the size above, 7 for a leaf of another power of two, else the mode of the table
//! it points to. With 7 the size is in the address: below the first zero above bit 11 all are ones, and the page has twice the bytes up
//! to there. Such a leaf is written to as many neighbouring entries as it covers, each the same.
//! Skipping of levels, which the specification allows, is not used.
//!
//! Linux's mock IOMMU uses the same entries with a smaller granule: see `amd_mock.rs`. Addresses are then kept in units of that granule, in
//! the same bits, and the tables above are shifted by as many bits.

use crate::format::{Entry, Format};
use crate::types::{LeafOptions, Pa, Prot};

const PRESENT: u64 = 1 << 0;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const NEXT_LEVEL_SHIFT: u32 = 9;
const NEXT_LEVEL: u64 = 7 << NEXT_LEVEL_SHIFT;
const NEXT_LEVEL_SIZE: u64 = NEXT_LEVEL;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const FORCE_COHERENT: u64 = 1 << 60;
const READ_SHIFT: u32 = 61;
const READ: u64 = 1 << READ_SHIFT;
const WRITE: u64 = 1 << 62;

const ADDRESS_SHIFT: u32 = 12;
const LAST_LEAF_LG2: u32 = 51;
const UNUSED_512_GIB: u64 = 1 << 39;

/// AMD IOMMU v1; 3 to 6 levels for 39, 48, 57 or 64 bits.
pub type AmdV1 = AmdTable<ADDRESS_SHIFT>;

/// The format with a granule of 2^`GRANULE` bytes.
#[derive(Clone, Copy, Debug)]
pub enum AmdTable<const GRANULE: u32> {}

impl<const GRANULE: u32> AmdTable<GRANULE> {
    /// The hardware's own granule.
    const REAL: bool = GRANULE == ADDRESS_SHIFT;
    /// How far an address is moved to its place in an entry.
    const SHIFT: u32 = ADDRESS_SHIFT - GRANULE;
    /// The table above has no leaves.
    const LAST_LEAF_LEVEL: u32 = Self::MAX_LEVELS - 2;
}

impl<const GRANULE: u32> Format for AmdTable<GRANULE> {
    const NAME: &'static str = if Self::REAL { "amd_v1" } else { "amd_mock" };
    const GRANULE_LG2: u32 = GRANULE;
    const TABLE_LG2: u32 = 12;
    const MIN_LEVELS: u32 = 3;
    const MAX_LEVELS: u32 = if Self::REAL { 6 } else { 5 };
    const MAX_ADDRESS_LG2: u32 = if Self::REAL { 64 } else { 56 };
    const MAX_OUTPUT_LG2: u32 = if Self::REAL { 52 } else { 51 };
    const CONTIGUOUS: bool = true;
    const ACCESSED: u64 = ACCESSED;
    const DIRTY: u64 = DIRTY;

    /// Every power of two, but not 512 GiB: hardware has an erratum there and Linux leaves that size out, so a peer would differ.
    #[inline]
    fn leaf_sizes(level: u32) -> u64 {
        if level > Self::LAST_LEAF_LEVEL {
            return 0;
        }
        let least = Self::item_lg2(level);
        let most = (least + 8).min(LAST_LEAF_LG2);
        ((1 << (most + 1)) - (1 << least)) & !UNUSED_512_GIB
    }

    #[inline(always)]
    fn load(entry: u64, level: u32) -> Entry {
        let next_level = entry & NEXT_LEVEL;
        if entry & PRESENT == 0 {
            Entry::Empty
        } else if level == 0 || next_level == 0 || next_level == NEXT_LEVEL_SIZE {
            Entry::Leaf
        } else {
            Entry::Table
        }
    }

    #[inline(always)]
    fn table_pa(entry: u64) -> Pa {
        Pa((entry & ADDRESS) >> Self::SHIFT)
    }

    /// The specification's size code: n ones from bit 12 upwards are a page of 2^(n + 1) granules.
    #[inline(always)]
    fn leaf_lg2(entry: u64, level: u32) -> u32 {
        if entry & NEXT_LEVEL == NEXT_LEVEL_SIZE {
            GRANULE + 1 + ((entry & ADDRESS) >> ADDRESS_SHIFT).trailing_ones()
        } else {
            Self::item_lg2(level)
        }
    }

    #[inline(always)]
    fn encode_table(pa: Pa, level: u32) -> u64 {
        pa.0 << Self::SHIFT | PRESENT | u64::from(level) << NEXT_LEVEL_SHIFT | READ | WRITE
    }

    #[inline(always)]
    fn encode_leaf(pa: Pa, level: u32, lg2: u32, attributes: u64) -> u64 {
        if lg2 == Self::item_lg2(level) {
            return pa.0 << Self::SHIFT | PRESENT | attributes;
        }
        let start = pa.0 & !((1 << lg2) - 1);
        let size_code = (1 << (lg2 - 1)) - 1;
        (start | size_code) << Self::SHIFT & ADDRESS | NEXT_LEVEL_SIZE | PRESENT | attributes
    }

    #[inline]
    fn attributes(prot: Prot, options: LeafOptions) -> u64 {
        let read = if prot.contains(Prot::READ) { READ } else { 0 };
        let write = if prot.contains(Prot::WRITE) { WRITE } else { 0 };
        let coherence = if options.coherent { FORCE_COHERENT } else { 0 };
        read | write | coherence
    }

    /// Read and write are neighbours, in the order of [`Prot`].
    #[inline(always)]
    fn prot(entry: u64) -> Prot {
        Prot::from_bits(((entry >> READ_SHIFT) & 3) as u8)
    }
}
