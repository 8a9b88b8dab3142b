//! Intel VT-d second-stage tables: Intel Virtualization Technology for Directed I/O, sections 3.7 (translation) and 9.8 (entries).
//!
//! | level here | table of the specification | entry | leaf |
//! | --- | --- | --- | --- |
//! | 0 | page table | SS-PTE | 4 KiB |
//! | 1 | page directory | SS-PDE | 2 MiB if PS |
//! | 2 | page-directory-pointer table | SS-PDPTE | 1 GiB if PS |
//! | 3 | PML4 | SS-PML4E | – |
//! | 4 | PML5 | SS-PML5E | – |

use crate::format::{Dirty, Format, Groups, Test, attributes, bit_if};

const READ: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const PAGE_SIZE: u64 = 1 << 7;
const ACCESSED: u64 = 1 << 8;
const DIRTY: u64 = 1 << 9;
const SNOOP: u64 = 1 << 11;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

const fn attributes(read: bool, write: bool, coherent: bool, _tracks_dirty: bool) -> u64 {
    bit_if(READ, read) | bit_if(WRITE, write) | bit_if(SNOOP, coherent)
}

/// Intel VT-d second stage; 3, 4 or 5 levels for 39, 48 or 57 bits.
///
/// There is no present bit: an entry is present if it allows something.
pub const VTD_SS: Format = Format {
    name: "vtd_ss",
    first_stage: false,
    granule_lg2: 12,
    table_lg2: 12,
    min_levels: 3,
    max_levels: 5,
    top_extra: 0,
    max_address_lg2: 57,
    max_output_lg2: 52,
    leaf_sizes: [1 << 12, 1 << 21, 1 << 30, 0, 0, 0],
    present: READ | WRITE,
    is_table: Test::clear(PAGE_SIZE),
    table_step: 0,
    table: READ | WRITE,
    address: ADDRESS,
    up: 0,
    down: 0,
    page: 0,
    large_page: PAGE_SIZE,
    groups: Groups::None,
    read: Test::set(READ),
    write: [Test::set(WRITE), Test::NEVER],
    accessed: ACCESSED,
    dirty: Dirty { bit: DIRTY, when: DIRTY, guard: 0 },
    attributes: attributes!(attributes),
};
