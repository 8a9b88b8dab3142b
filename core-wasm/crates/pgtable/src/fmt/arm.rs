//! Arm's 64-bit tables (VMSAv8-64, "LPAE"), stage 1 and stage 2, with granules of 4, 16 and 64 KiB, which the SMMUv3 walks: Arm Architecture Reference
//! Manual for A-profile, D8.2 (translation), D8.3 (descriptors), D8.4 (rights), D8.5 (accessed and dirty), D8.7 (contiguous bit).
//!
//! | level here | of the manual | 4 KiB: leaf, contiguous | 16 KiB: leaf, contiguous | 64 KiB: leaf, contiguous |
//! | --- | --- | --- | --- | --- |
//! | 0 | 3 | 4 KiB, 16 × | 16 KiB, 128 × | 64 KiB, 32 × |
//! | 1 | 2 | 2 MiB, 16 × | 32 MiB, 32 × | 512 MiB, 32 × |
//! | 2 | 1 | 1 GiB, 16 × | – | – |
//! | 3 | 0 | – | – | |
//!
//! A contiguous leaf is so many entries with a bit set, each with its own address. The top tables of stage 2 are up to 16 side by side: such a page table
//! translates 4 bits more than its levels have, 48 at most. Bits 11:2 of a table's descriptor mean nothing to hardware; here they allow everything.

use crate::format::{Entry, Format};
use crate::types::{LeafOptions, Pa, Prot};

const VALID: u64 = 1 << 0;
/// Of an entry above level 0: it points to a table. At level 0 every leaf has it.
const TABLE_OR_PAGE: u64 = 1 << 1;
const ACCESS_SHIFT: u32 = 6;
/// Stage 1, AP[1]: for requests that are not privileged.
const UNPRIVILEGED: u64 = 1 << 6;
/// Stage 1, AP[2].
const READ_ONLY: u64 = 1 << 7;
/// Stage 2, S2AP.
const S2_READ: u64 = 1 << 6;
const S2_WRITE: u64 = 1 << 7;
const OUTER_SHAREABLE: u64 = 2 << 8;
const INNER_SHAREABLE: u64 = 3 << 8;
const ACCESSED: u64 = 1 << 10;
const NOT_GLOBAL: u64 = 1 << 11;
/// Hardware may change "clean" to "writable" when it is written to.
const DIRTY_MODIFIER: u64 = 1 << 51;
const CONTIGUOUS: u64 = 1 << 52;
/// Of stage 1 for either privilege, of stage 2 XN[1:0].
const EXECUTE_NEVER: u64 = 3 << 53;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// Stage 1: which of the attributes in MAIR, as Linux has them there: 0 not cached, 1 write-back.
const WRITE_BACK_INDEX: u64 = 1 << 2;
/// Stage 2, MemAttr: normal memory, write-back; and not cached.
const WRITE_BACK: u64 = 0xf << 2;
const NOT_CACHED: u64 = 5 << 2;

/// Tables side by side at the top of stage 2, lg2.
const CONCATENATED_LG2: u32 = 4;
const ADDRESS_LG2: u32 = 48;

/// Stage `STAGE`, 1 or 2, with a granule of 2^`GRANULE` bytes, 12, 14 or 16.
#[derive(Clone, Copy, Debug)]
pub enum Arm<const STAGE: u32, const GRANULE: u32> {}

/// Stage 1 with 4 KiB; 2 to 4 levels for 30, 39 or 48 bits.
pub type ArmStage1Granule4K = Arm<1, 12>;
/// Stage 1 with 16 KiB; 2 to 4 levels for 36, 47 or 48 bits.
pub type ArmStage1Granule16K = Arm<1, 14>;
/// Stage 1 with 64 KiB; 2 or 3 levels for 42 or 48 bits.
pub type ArmStage1Granule64K = Arm<1, 16>;
/// Stage 2 with 4 KiB; 2 to 4 levels for 34, 43 or 48 bits.
pub type ArmStage2Granule4K = Arm<2, 12>;
/// Stage 2 with 16 KiB; 2 or 3 levels for 40 or 48 bits.
pub type ArmStage2Granule16K = Arm<2, 14>;
/// Stage 2 with 64 KiB; 2 or 3 levels for 46 or 48 bits.
pub type ArmStage2Granule64K = Arm<2, 16>;

impl<const STAGE: u32, const GRANULE: u32> Arm<STAGE, GRANULE> {
    /// Entries of a contiguous leaf at a level, lg2; 0 where there is none.
    const fn contiguous_lg2(level: u32) -> u32 {
        match (GRANULE, level) {
            (12, 0..=2) => 4,
            (14, 0) => 7,
            (14 | 16, 0 | 1) => 5,
            _ => 0,
        }
    }

    const LAST_LEAF_LEVEL: u32 = if GRANULE == 12 { 2 } else { 1 };
}

impl<const STAGE: u32, const GRANULE: u32> Format for Arm<STAGE, GRANULE> {
    const NAME: &'static str = match (STAGE, GRANULE) {
        (1, 12) => "arm_s1_4k",
        (1, 14) => "arm_s1_16k",
        (1, _) => "arm_s1_64k",
        (_, 12) => "arm_s2_4k",
        (_, 14) => "arm_s2_16k",
        _ => "arm_s2_64k",
    };
    const GRANULE_LG2: u32 = GRANULE;
    const MIN_LEVELS: u32 = 2;
    /// A fourth level of 16 KiB tables has one bit, for which stage 2 has two of the third side by side.
    const MAX_LEVELS: u32 = match (STAGE, GRANULE) {
        (_, 16) | (2, 14) => 3,
        _ => 4,
    };
    const MAX_ADDRESS_LG2: u32 = ADDRESS_LG2;
    const MAX_OUTPUT_LG2: u32 = 48;
    const CONTIGUOUS: bool = true;

    #[inline(always)]
    fn address_lg2(levels: u32) -> u32 {
        let concatenated = if STAGE == 2 { CONCATENATED_LG2 } else { 0 };
        (Self::item_lg2(levels) + concatenated).min(ADDRESS_LG2)
    }

    #[inline]
    fn leaf_sizes(level: u32) -> u64 {
        if level > Self::LAST_LEAF_LEVEL {
            return 0;
        }
        let single = Self::item_lg2(level);
        1 << single | 1 << (single + Self::contiguous_lg2(level))
    }

    #[inline(always)]
    fn load(entry: u64, level: u32) -> Entry {
        if entry & VALID == 0 {
            Entry::Empty
        } else if level != 0 && entry & TABLE_OR_PAGE != 0 {
            Entry::Table
        } else {
            Entry::Leaf
        }
    }

    #[inline(always)]
    fn table_pa(entry: u64) -> Pa {
        Pa(entry & ADDRESS & !((1 << GRANULE) - 1))
    }

    #[inline(always)]
    fn leaf_lg2(entry: u64, level: u32) -> u32 {
        Self::item_lg2(level) + if entry & CONTIGUOUS == 0 { 0 } else { Self::contiguous_lg2(level) }
    }

    #[inline(always)]
    fn encode_table(pa: Pa, _level: u32) -> u64 {
        let everything = if STAGE == 1 { UNPRIVILEGED } else { S2_READ | S2_WRITE };
        pa.0 | VALID | TABLE_OR_PAGE | everything
    }

    #[inline(always)]
    fn encode_leaf(pa: Pa, level: u32, lg2: u32, attributes: u64) -> u64 {
        let kind = if level == 0 { TABLE_OR_PAGE } else { 0 };
        let contiguous = if lg2 == Self::item_lg2(level) { 0 } else { CONTIGUOUS };
        pa.0 | VALID | kind | contiguous | attributes
    }

    /// Of stage 1 what may be written may be read. Where writes are tracked a leaf begins as one that may be made writable by writing.
    #[inline]
    fn attributes(prot: Prot, options: LeafOptions) -> u64 {
        let write = prot.contains(Prot::WRITE);
        let modifier = if write && options.tracks_dirty { DIRTY_MODIFIER } else { 0 };
        let is_writable = write && !options.tracks_dirty;
        let shareable = if options.coherent { INNER_SHAREABLE } else { OUTER_SHAREABLE };
        let stage = if STAGE == 1 {
            let memory = if options.coherent { WRITE_BACK_INDEX } else { 0 };
            NOT_GLOBAL | UNPRIVILEGED | memory | if is_writable { 0 } else { READ_ONLY }
        } else {
            let memory = if options.coherent { WRITE_BACK } else { NOT_CACHED };
            let read = if prot.contains(Prot::READ) { S2_READ } else { 0 };
            memory | read | if is_writable { S2_WRITE } else { 0 }
        };
        ACCESSED | EXECUTE_NEVER | shareable | modifier | stage
    }

    /// For a request that is not privileged.
    #[inline(always)]
    fn prot(entry: u64) -> Prot {
        let modifiable = if entry & DIRTY_MODIFIER == 0 { Prot::NONE } else { Prot::WRITE };
        if STAGE == 2 {
            // Read and write are neighbours, in the order of `Prot`.
            return Prot::from_bits((entry >> ACCESS_SHIFT) as u8) | modifiable;
        }
        if entry & UNPRIVILEGED == 0 {
            Prot::NONE
        } else if entry & READ_ONLY != 0 {
            Prot::READ | modifiable
        } else {
            Prot::READ | Prot::WRITE
        }
    }

    #[inline]
    fn touch(entry: u64, write: bool) -> u64 {
        let writable = if STAGE == 1 { entry & !READ_ONLY } else { entry | S2_WRITE };
        ACCESSED | if write && entry & DIRTY_MODIFIER != 0 { writable } else { entry }
    }

    /// A leaf that may be modified is dirty once it is writable.
    #[inline]
    fn is_dirty(entry: u64) -> bool {
        let is_writable = if STAGE == 1 { entry & READ_ONLY == 0 } else { entry & S2_WRITE != 0 };
        entry & DIRTY_MODIFIER != 0 && is_writable
    }

    #[inline]
    fn clean(entry: u64) -> u64 {
        if entry & DIRTY_MODIFIER == 0 {
            entry
        } else if STAGE == 1 {
            entry | READ_ONLY
        } else {
            entry & !S2_WRITE
        }
    }
}
