//! A format in the shape of Arm's with a 16 KiB granule: 11 bits a table, a contiguous hint whose entries are numbered, and a top table
//! of two tables side by side. Nothing that the crate ships has these, and the algorithms must not rely on that.

use pgtable::{Dirty, Format, Groups, Test};

const VALID: u64 = 1;
const TABLE_OR_PAGE: u64 = 2;
const READ: u64 = 1 << 6;
const WRITE: u64 = 1 << 7;
const DIRTY: u64 = 1 << 55;
const CONTIGUOUS: u64 = 1 << 52;

const fn attributes() -> [u64; 16] {
    let mut table = [0; 16];
    let mut at = 0;
    while at < 16 {
        table[at] = (at as u64 & 3) << 6;
        at += 1;
    }
    table
}

pub static GRANULE_16K: Format = Format {
    name: "granule_16k",
    first_stage: false,
    granule_lg2: 14,
    table_lg2: 14,
    min_levels: 2,
    max_levels: 4,
    top_extra: 1,
    max_address_lg2: 48,
    max_output_lg2: 48,
    leaf_sizes: [1 << 14 | 1 << 21, 1 << 25 | 1 << 30, 0, 0, 0, 0],
    present: VALID,
    is_table: Test::set(TABLE_OR_PAGE),
    table_step: 0,
    table: VALID | TABLE_OR_PAGE | READ | WRITE,
    address: 0x0000_ffff_ffff_c000,
    up: 0,
    down: 0,
    page: VALID | TABLE_OR_PAGE,
    large_page: VALID,
    groups: Groups::Hint { bit: CONTIGUOUS, lg2: [7, 5, 0, 0, 0, 0] },
    read: Test::set(READ),
    write: [Test::set(WRITE), Test::NEVER],
    accessed: 0,
    dirty: Dirty { bit: DIRTY, when: DIRTY, guard: 0 },
    attributes: attributes(),
};
