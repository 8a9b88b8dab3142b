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

use crate::format::{Dirty, Format, Groups, MAX_LEVELS, Test, attributes, bit_if};

const VALID: u64 = 1 << 0;
/// Of an entry above level 0: it points to a table. At level 0 every leaf has it.
const TABLE_OR_PAGE: u64 = 1 << 1;
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
const CONCATENATED_LG2: i32 = 4;
const ADDRESS_LG2: u32 = 48;

/// Of stage 1 what may be written may be read. Where writes are tracked a leaf begins as one that may be made writable by writing.
const fn attributes(stage: u32, read: bool, write: bool, coherent: bool, tracks_dirty: bool) -> u64 {
    let is_writable = write && !tracks_dirty;
    let modifier = bit_if(DIRTY_MODIFIER, write && tracks_dirty);
    let shareable = if coherent { INNER_SHAREABLE } else { OUTER_SHAREABLE };
    let of_stage = if stage == 1 {
        NOT_GLOBAL | UNPRIVILEGED | bit_if(WRITE_BACK_INDEX, coherent) | bit_if(READ_ONLY, !is_writable)
    } else {
        let memory = if coherent { WRITE_BACK } else { NOT_CACHED };
        memory | bit_if(S2_READ, read) | bit_if(S2_WRITE, is_writable)
    };
    ACCESSED | EXECUTE_NEVER | shareable | modifier | of_stage
}

/// Entries of a contiguous leaf by level, lg2; 0 where there is none.
const fn contiguous(granule_lg2: u32) -> [u8; MAX_LEVELS] {
    match granule_lg2 {
        12 => [4, 4, 4, 0, 0, 0],
        14 => [7, 5, 0, 0, 0, 0],
        _ => [5, 5, 0, 0, 0, 0],
    }
}

const fn leaf_sizes(granule_lg2: u32) -> [u64; MAX_LEVELS] {
    let last_leaf_level = if granule_lg2 == 12 { 2 } else { 1 };
    let mut sizes = [0; MAX_LEVELS];
    let mut level = 0;
    while level <= last_leaf_level {
        let single = granule_lg2 + level as u32 * (granule_lg2 - 3);
        sizes[level] = 1 << single | 1 << (single + contiguous(granule_lg2)[level] as u32);
        level += 1;
    }
    sizes
}

/// Stage 1 with 4 KiB; 2 to 4 levels for 30, 39 or 48 bits.
pub const ARM_S1_4K: Format = arm("arm_s1_4k", 1, 12, 4);
/// Stage 1 with 16 KiB; 2 to 4 levels for 36, 47 or 48 bits.
pub const ARM_S1_16K: Format = arm("arm_s1_16k", 1, 14, 4);
/// Stage 1 with 64 KiB; 2 or 3 levels for 42 or 48 bits.
pub const ARM_S1_64K: Format = arm("arm_s1_64k", 1, 16, 3);
/// Stage 2 with 4 KiB; 2 to 4 levels for 34, 43 or 48 bits.
pub const ARM_S2_4K: Format = arm("arm_s2_4k", 2, 12, 4);
/// Stage 2 with 16 KiB; 2 or 3 levels for 40 or 48 bits. A fourth level would have one bit, for which there are two tables of the third side by side.
pub const ARM_S2_16K: Format = arm("arm_s2_16k", 2, 14, 3);
/// Stage 2 with 64 KiB; 2 or 3 levels for 46 or 48 bits.
pub const ARM_S2_64K: Format = arm("arm_s2_64k", 2, 16, 3);

/// Rights of stage 1 are those of requests that are not privileged.
const fn arm(name: &'static str, stage: u32, granule_lg2: u32, max_levels: u32) -> Format {
    let first = stage == 1;
    Format {
        name,
        first_stage: first,
        granule_lg2,
        table_lg2: granule_lg2,
        min_levels: 2,
        max_levels,
        top_extra: if first { 0 } else { CONCATENATED_LG2 },
        max_address_lg2: ADDRESS_LG2,
        max_output_lg2: 48,
        leaf_sizes: leaf_sizes(granule_lg2),
        present: VALID,
        is_table: Test::set(TABLE_OR_PAGE),
        table_step: 0,
        table: VALID | TABLE_OR_PAGE | if first { UNPRIVILEGED } else { S2_READ | S2_WRITE },
        address: ADDRESS & !((1 << granule_lg2) - 1),
        up: 0,
        down: 0,
        page: VALID | TABLE_OR_PAGE,
        large_page: VALID,
        groups: Groups::Hint { bit: CONTIGUOUS, lg2: contiguous(granule_lg2) },
        read: Test::set(if first { UNPRIVILEGED } else { S2_READ }),
        write: if first {
            [Test { mask: UNPRIVILEGED | READ_ONLY, value: UNPRIVILEGED }, Test::set(UNPRIVILEGED | DIRTY_MODIFIER)]
        } else {
            [Test::set(S2_WRITE), Test::set(DIRTY_MODIFIER)]
        },
        accessed: ACCESSED,
        // A leaf that may be modified is dirty once it is writable.
        dirty: if first {
            Dirty { bit: READ_ONLY, when: 0, guard: DIRTY_MODIFIER }
        } else {
            Dirty { bit: S2_WRITE, when: S2_WRITE, guard: DIRTY_MODIFIER }
        },
        attributes: if first { attributes!(attributes, 1) } else { attributes!(attributes, 2) },
    }
}
