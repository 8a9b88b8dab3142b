//! Where IOAS_MAP puts what may go anywhere: the same places as Linux, so that the same requests give the same IOVAs. And what
//! places are good for.

mod common;

use common::*;

const IOVA: u64 = 0x10_0000;

#[test]
fn automatic_placement_is_first_fit_with_the_alignment_of_length_and_address() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let mut place = |va: u64, length: u64| m.map(iommu, ioas, va, length, RW, 0);
    // Not 0, and at the first page.
    assert_eq!(place(0x40_0000, PAGE), Ok(PAGE));
    // The address has the alignment of its lowest bit; the length that of the next power of two.
    assert_eq!(place(0x40_0000, 3 * PAGE), Ok(4 * PAGE));
    assert_eq!(place(0x40_2000, 16 * PAGE), Ok(8 * PAGE));
    // An address that is not at a page keeps its offset, which decides about the alignment as well.
    assert_eq!(place(0x40_0000 + 0x801, 2), Ok(2 * PAGE + 0x801));
    assert_eq!(place(0x40_0000, 5 * LARGE), Ok(LARGE));
    assert_eq!(place(0, 0), Err(Errno::EINVAL));
    assert_eq!(place(0, u64::MAX / 2), Err(Errno::EOVERFLOW));
    // One less is the longest that is placed. It fits once, and the second finds too little left.
    assert_eq!(place(0, u64::MAX / 2 - 1), Ok(6 * LARGE));
    assert_eq!(place(0, u64::MAX / 2 - 1), Err(Errno::ENOSPC));
    m.finish();
}

#[test]
fn automatic_placement_with_a_page_table_needs_its_alignment() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(2 * PAGE);
    assert_eq!(m.map(a.iommu, a.ioas, va + 0x800, PAGE, RW, 0), Err(Errno::EINVAL));
    // Of a fixed IOVA the offset is found out later, by the same error.
    assert_eq!(m.map_at(a.iommu, a.ioas, va + 0x800, PAGE, IOVA), Err(Errno::EINVAL));
    assert_eq!(m.map(a.iommu, a.ioas, va, PAGE, RW, 0), Ok(PAGE));
    m.finish();
}

#[test]
fn large_pages_are_used_where_addresses_allow() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(4 * LARGE);
    m.map_at(a.iommu, a.ioas, va, 2 * LARGE, LARGE).unwrap();
    assert_eq!(m.pages(), [(21, 2)]);
    // One page off, none fits.
    m.map_at(a.iommu, a.ioas, va + 2 * LARGE, LARGE, 16 * LARGE + PAGE).unwrap();
    assert_eq!(m.pages(), [(12, 512), (21, 2)]);
    m.finish();
}
