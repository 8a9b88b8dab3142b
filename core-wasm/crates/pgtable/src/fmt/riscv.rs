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

use crate::format::{Dirty, Format, Groups, Test, attributes, bit_if};

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
/// Entries of a page of 64 KiB, lg2.
const NAPOT_LG2: u8 = 4;

/// What may be written may be read: to write alone is reserved. Hardware that keeps no marks refuses to use a leaf without them.
const fn attributes(_read: bool, write: bool, _coherent: bool, tracks_dirty: bool) -> u64 {
    USER | ACCESSED | READ | bit_if(WRITE, write) | bit_if(DIRTY, write && !tracks_dirty)
}

/// RISC-V, Sv39, Sv48 and Sv57; 3, 4 or 5 levels, of which the lower half of 39, 48 or 57 bits is mapped.
pub const RISCV: Format = riscv("riscv", true, -1, 56);

/// RISC-V's second stage, Sv39x4, Sv48x4 and Sv57x4; 3, 4 or 5 levels for 41, 50 or 59 bits, with a top table of 16 KiB.
pub const RISCV_X4: Format = riscv("riscv_x4", false, 2, 59);

const fn riscv(name: &'static str, first_stage: bool, top_extra: i32, max_address_lg2: u32) -> Format {
    Format {
        name,
        first_stage,
        granule_lg2: 12,
        table_lg2: 12,
        min_levels: 3,
        max_levels: 5,
        top_extra,
        max_address_lg2,
        max_output_lg2: 56,
        leaf_sizes: [1 << 12 | 1 << 16, 1 << 21, 1 << 30, 1 << 39, 1 << 48, 0],
        present: VALID,
        // An entry that allows something is a leaf, at any level. Marks and rights of a table must be zero.
        is_table: Test::clear(READ | WRITE | EXECUTE),
        table_step: 0,
        table: VALID,
        address: NUMBER,
        up: 0,
        down: SHIFT,
        page: VALID,
        large_page: VALID,
        groups: Groups::Half { bit: NAPOT, lg2: NAPOT_LG2 },
        read: Test::set(READ),
        write: [Test::set(WRITE), Test::NEVER],
        accessed: ACCESSED,
        dirty: Dirty { bit: DIRTY, when: DIRTY, guard: 0 },
        attributes: attributes!(attributes),
    }
}
