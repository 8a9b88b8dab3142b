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

use crate::format::{Dirty, Format, Groups, MAX_LEVELS, Test, attributes, bit_if};

const PRESENT: u64 = 1 << 0;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const NEXT_LEVEL_SHIFT: u32 = 9;
const NEXT_LEVEL: u64 = 7 << NEXT_LEVEL_SHIFT;
const NEXT_LEVEL_SIZE: u64 = NEXT_LEVEL;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const FORCE_COHERENT: u64 = 1 << 60;
const READ: u64 = 1 << 61;
const WRITE: u64 = 1 << 62;

const ADDRESS_SHIFT: u32 = 12;
const INDEX_LG2: u32 = 9;
const LAST_LEAF_LG2: u32 = 51;
const UNUSED_512_GIB: u64 = 1 << 39;

const fn attributes(read: bool, write: bool, coherent: bool, _tracks_dirty: bool) -> u64 {
    bit_if(READ, read) | bit_if(WRITE, write) | bit_if(FORCE_COHERENT, coherent)
}

/// Every power of two, but not 512 GiB: hardware has an erratum there and Linux leaves that size out, so a peer would differ. The table above has no
/// leaves.
const fn leaf_sizes(granule_lg2: u32, max_levels: u32) -> [u64; MAX_LEVELS] {
    let mut sizes = [0; MAX_LEVELS];
    let mut level = 0;
    while level + 2 <= max_levels {
        let least = granule_lg2 + level * INDEX_LG2;
        let most = if least + 8 < LAST_LEAF_LG2 { least + 8 } else { LAST_LEAF_LG2 };
        sizes[level as usize] = ((1 << (most + 1)) - (1 << least)) & !UNUSED_512_GIB;
        level += 1;
    }
    sizes
}

/// AMD IOMMU v1; 3 to 6 levels for 39, 48, 57 or 64 bits.
pub const AMD_V1: Format = amd("amd_v1", ADDRESS_SHIFT, 6);

/// The format with a granule of 2^`granule_lg2` bytes.
pub(super) const fn amd(name: &'static str, granule_lg2: u32, max_levels: u32) -> Format {
    // How far an address is moved to its place in an entry.
    let up = ADDRESS_SHIFT - granule_lg2;
    Format {
        name,
        first_stage: false,
        granule_lg2,
        table_lg2: 12,
        min_levels: 3,
        max_levels,
        top_extra: 0,
        max_address_lg2: if max_levels == 6 { 64 } else { granule_lg2 + max_levels * INDEX_LG2 },
        max_output_lg2: 52 - up,
        leaf_sizes: leaf_sizes(granule_lg2, max_levels),
        present: PRESENT,
        is_table: Test::clear(NEXT_LEVEL),
        table_step: 1 << NEXT_LEVEL_SHIFT,
        table: PRESENT | READ | WRITE,
        address: ADDRESS,
        up,
        down: 0,
        page: PRESENT,
        large_page: PRESENT,
        groups: Groups::Ones { bits: NEXT_LEVEL_SIZE },
        read: Test::set(READ),
        write: [Test::set(WRITE), Test::NEVER],
        accessed: ACCESSED,
        dirty: Dirty { bit: DIRTY, when: DIRTY, guard: 0 },
        attributes: attributes!(attributes),
    }
}
