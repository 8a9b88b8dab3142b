//! RISC-V tables, Sv39, Sv48 and Sv57 with 64 KiB pages of Svnapot, which the RISC-V IOMMU walks as its first stage: RISC-V Instruction Set Manual,
//! volume II, chapters "Supervisor-Level ISA" (Sv39 to Sv57) and "Svnapot"; RISC-V IOMMU Architecture, chapter "Data Structures".
//!
//! | level here | level of the manual | IOVA bits | leaf of one entry |
//! | --- | --- | --- | --- |
//! | 0 | 0 | 20:12 | 4 KiB |
//! | 1 | 1 | 29:21 | 2 MiB, a megapage |
//! | 2 | 2 | 38:30 | 1 GiB, a gigapage |
//! | 3 | 3 | 47:39 | 512 GiB, a terapage |
//! | 4 | 4 | 56:48 | 256 TiB, a petapage |
//!
//! An entry that allows nothing points to a table. A page of 64 KiB is 16 entries, all the same, whose number bits are 1000 below the page's.
//! Addresses are signed: a page table here maps the lower half of what its levels translate.

use crate::format::{Entry, Format};
use crate::types::{LeafOptions, Pa, Prot};

const VALID: u64 = 1 << 0;
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 2;
const EXECUTE: u64 = 1 << 3;
const USER: u64 = 1 << 4;
const ACCESSED: u64 = 1 << 6;
const DIRTY: u64 = 1 << 7;
const NUMBER: u64 = 0x003f_ffff_ffff_fc00;
const NAPOT: u64 = 1 << 63;

/// From an address to its place in an entry.
const SHIFT: u32 = 2;
const NAPOT_LG2: u32 = 16;
/// What is in an entry of a page of 64 KiB in place of the address bits within it: bit 15.
const NAPOT_SIZE: u64 = 1 << (NAPOT_LG2 - 1 - SHIFT);
const NAPOT_SIZE_BITS: u64 = 0xf000 >> SHIFT;

/// RISC-V; 3, 4 or 5 levels for 39, 48 or 57 bits.
#[derive(Clone, Copy, Debug)]
pub enum RiscV {}

impl Format for RiscV {
    const NAME: &'static str = "riscv";
    const GRANULE_LG2: u32 = 12;
    const MIN_LEVELS: u32 = 3;
    const MAX_LEVELS: u32 = 5;
    const MAX_ADDRESS_LG2: u32 = 56;
    const MAX_OUTPUT_LG2: u32 = 56;
    const CONTIGUOUS: bool = true;
    const ACCESSED: u64 = ACCESSED;
    const DIRTY: u64 = DIRTY;

    /// The lower half: one bit less than the levels have.
    #[inline(always)]
    fn address_lg2(levels: u32) -> u32 {
        Self::item_lg2(levels) - 1
    }

    #[inline]
    fn leaf_sizes(level: u32) -> u64 {
        1 << Self::item_lg2(level) | if level == 0 { 1 << NAPOT_LG2 } else { 0 }
    }

    /// An entry that allows something is a leaf, at any level.
    #[inline(always)]
    fn load(entry: u64, level: u32) -> Entry {
        if entry & VALID == 0 {
            Entry::Empty
        } else if level == 0 || entry & (READ | WRITE | EXECUTE) != 0 {
            Entry::Leaf
        } else {
            Entry::Table
        }
    }

    #[inline(always)]
    fn table_pa(entry: u64) -> Pa {
        Pa((entry & NUMBER) << SHIFT)
    }

    #[inline(always)]
    fn leaf_lg2(entry: u64, level: u32) -> u32 {
        if level == 0 && entry & (NAPOT | NAPOT_SIZE_BITS) == NAPOT | NAPOT_SIZE { NAPOT_LG2 } else { Self::item_lg2(level) }
    }

    /// Marks and rights must be zero there.
    #[inline(always)]
    fn encode_table(pa: Pa, _level: u32) -> u64 {
        pa.0 >> SHIFT | VALID
    }

    #[inline(always)]
    fn encode_leaf(pa: Pa, level: u32, lg2: u32, attributes: u64) -> u64 {
        if lg2 == Self::item_lg2(level) {
            return pa.0 >> SHIFT | VALID | attributes;
        }
        let start = pa.0 & !((1 << NAPOT_LG2) - 1);
        start >> SHIFT | NAPOT_SIZE | NAPOT | VALID | attributes
    }

    /// What may be written may be read: to write alone is reserved. Hardware that keeps no marks refuses to use a leaf without them.
    #[inline]
    fn attributes(prot: Prot, options: LeafOptions) -> u64 {
        let dirty = if options.tracks_dirty { 0 } else { DIRTY };
        USER | ACCESSED | READ | if prot.contains(Prot::WRITE) { WRITE | dirty } else { 0 }
    }

    #[inline(always)]
    fn prot(entry: u64) -> Prot {
        let rights = entry & (READ | WRITE | EXECUTE);
        if rights == 0 { Prot::READ | Prot::WRITE } else { Prot::from_bits((rights >> 1) as u8) }
    }
}
