//! IOAS_COPY: further areas of memory that is mapped already, pinned and accounted once.

mod common;

use common::mock::{APERTURE, machine};
use common::*;

const IOVA: u64 = 0x10_0000;

/// A source IOAS without a page table, with areas of 2 and 1 pages side by side at [`IOVA`]; and a second one with a device.
fn source_and_destination() -> (Machine, Attached, u32, u64) {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let source = m.ioas(a.iommu);
    let va = m.memory(4 * PAGE);
    m.map_at(a.iommu, source, va, 2 * PAGE, IOVA).unwrap();
    m.map_at(a.iommu, source, va + 3 * PAGE, PAGE, IOVA + 2 * PAGE).unwrap();
    (m, a, source, va)
}

#[test]
fn a_copy_shares_the_memory_and_outlives_its_source() {
    let (mut m, a, source, va) = source_and_destination();
    assert_eq!(m.copy(a.iommu, (source, IOVA), (a.ioas, 2 * IOVA), 3 * PAGE, RW | FIXED), Ok(2 * IOVA));
    m.write(EDU, 2 * IOVA + 2 * PAGE - 3, b"across").unwrap();
    assert_eq!(m.peek(va + 2 * PAGE - 3, 3), b"acr");
    assert_eq!(m.peek(va + 3 * PAGE, 3), b"oss");
    m.unmap(a.iommu, source, 0, u64::MAX).unwrap();
    m.destroy(a.iommu, source).unwrap();
    assert_eq!(m.read(EDU, 2 * IOVA + 2 * PAGE, 3).unwrap(), b"oss");
    m.finish();
}

#[test]
fn shared_pages_are_pinned_and_charged_once() {
    let mut m = Machine::with(Setup::memlock(3 * PAGE));
    let a = m.attached(EDU);
    let va = m.memory(3 * PAGE);
    m.map_at(a.iommu, a.ioas, va, 3 * PAGE, IOVA).unwrap();
    // The limit is used up, so a page that were charged again would not go in.
    m.copy(a.iommu, (a.ioas, IOVA), (a.ioas, 2 * IOVA), 2 * PAGE, READ | FIXED).unwrap();
    m.copy(a.iommu, (a.ioas, IOVA + PAGE), (a.ioas, 3 * IOVA), 2 * PAGE, READ | FIXED).unwrap();
    assert_eq!(m.charged(), (3 * PAGE, 3));
    m.unmap(a.iommu, a.ioas, IOVA, 3 * PAGE).unwrap();
    assert_eq!(m.charged(), (3 * PAGE, 3));
    m.unmap(a.iommu, a.ioas, 2 * IOVA, 2 * PAGE).unwrap();
    assert_eq!(m.charged(), (2 * PAGE, 2));
    m.unmap(a.iommu, a.ioas, 3 * IOVA, 2 * PAGE).unwrap();
    assert_eq!(m.charged(), (0, 0));
    m.finish();
}

#[test]
fn each_area_of_the_source_becomes_one_of_the_destination() {
    let (mut m, a, source, _) = source_and_destination();
    m.copy(a.iommu, (source, IOVA + PAGE), (a.ioas, IOVA), 2 * PAGE, RW | FIXED).unwrap();
    assert_eq!(m.kernel.usage().areas, 4);
    assert_eq!(m.charged(), (0, 2));
    assert_eq!(m.unmap(a.iommu, a.ioas, IOVA + PAGE, PAGE), Ok(PAGE));
    assert_eq!(m.unmap(a.iommu, a.ioas, IOVA, PAGE), Ok(PAGE));
    m.finish();
}

#[test]
fn checks_come_in_the_order_of_linux() {
    let (mut m, a, source, va) = source_and_destination();
    m.map_at(a.iommu, a.ioas, va, PAGE, 4 * IOVA).unwrap();
    let mut request = api::IoasCopy {
        size: 0,
        flags: RW | FIXED,
        dst_ioas_id: a.ioas,
        src_ioas_id: source,
        length: 2 * PAGE,
        dst_iova: 4 * IOVA - PAGE,
        src_iova: IOVA,
    };
    // Each case has the mistake of the one before it as well; the earlier check decides.
    let mut expect = |change: &dyn Fn(&mut api::IoasCopy), error| {
        change(&mut request);
        assert_eq!(m.call(a.iommu, request).map(|answer| answer.dst_iova), Err(error), "{request:?}");
    };
    expect(&|_| {}, Errno::EEXIST);
    expect(&|r| r.dst_iova |= 1, Errno::EINVAL);
    expect(&|r| r.dst_ioas_id = NO_ID, Errno::ENOENT);
    expect(&|r| r.src_iova = IOVA + 2 * PAGE, Errno::ENOENT);
    expect(&|r| r.src_iova = u64::MAX - 1, Errno::EOVERFLOW);
    expect(&|r| r.length = 0, Errno::EINVAL);
    expect(&|r| r.src_ioas_id = NO_ID, Errno::ENOENT);
    expect(&|r| r.flags = FIXED, Errno::EINVAL);
    expect(&|r| r.src_iova = u64::MAX, Errno::EOVERFLOW);
    expect(&|r| (r.src_iova, r.dst_iova) = (IOVA, u64::MAX), Errno::EOVERFLOW);
    expect(&|r| (r.dst_iova, r.length) = (IOVA, u64::MAX), Errno::EOVERFLOW);
    expect(&|r| r.flags |= 8, Errno::EOPNOTSUPP);
    m.finish();
}

#[test]
fn the_whole_of_the_source_must_be_mapped() {
    let (mut m, a, source, va) = source_and_destination();
    m.map_at(a.iommu, source, va, PAGE, IOVA + 4 * PAGE).unwrap();
    for (iova, length) in [(IOVA - 1, 2), (IOVA, 4 * PAGE), (IOVA + 2 * PAGE, 3 * PAGE), (IOVA + 3 * PAGE, 1), (0, PAGE)] {
        let result = m.copy(a.iommu, (source, iova), (a.ioas, IOVA), length, RW | FIXED);
        assert_eq!(result, Err(Errno::ENOENT), "{iova:#x} {length:#x}");
    }
    m.finish();
}

#[test]
fn memory_that_was_mapped_for_reading_cannot_become_writable() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(PAGE);
    m.map(a.iommu, a.ioas, va, PAGE, READ | FIXED, IOVA).unwrap();
    for flags in [WRITE, RW] {
        assert_eq!(m.copy(a.iommu, (a.ioas, IOVA), (a.ioas, 2 * IOVA), PAGE, flags | FIXED), Err(Errno::EPERM));
    }
    m.copy(a.iommu, (a.ioas, IOVA), (a.ioas, 2 * IOVA), PAGE, READ | FIXED).unwrap();
    // A mapping for writing makes its pages writable, also for a copy that reads alone.
    m.map(a.iommu, a.ioas, va, PAGE, WRITE | FIXED, 3 * IOVA).unwrap();
    m.copy(a.iommu, (a.ioas, 3 * IOVA), (a.ioas, 4 * IOVA), PAGE, READ | FIXED).unwrap();
    assert!(m.read(EDU, 4 * IOVA, 1).is_ok());
    assert!(m.write(EDU, 4 * IOVA, b"x").is_err());
    m.finish();
}

#[test]
fn a_place_is_chosen_by_the_address_of_the_memory() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (source, target) = (m.ioas(iommu), m.ioas(iommu));
    m.map_at(iommu, source, 0x40_3000, 16 * PAGE, IOVA).unwrap();
    let mut place = |at: u64, pages: u64| m.copy(iommu, (source, IOVA + at * PAGE), (target, 0), pages * PAGE, RW);
    // From 0x40_3000, 0x40_4000 and 0x40_8000 on: the alignment is that of the address, up to that of the length.
    assert_eq!(place(0, 4), Ok(PAGE));
    assert_eq!(place(1, 4), Ok(8 * PAGE));
    assert_eq!(place(5, 8), Ok(16 * PAGE));
    m.finish();
}

#[test]
fn a_copy_that_fails_on_the_way_changes_nothing() {
    let (mut m, a, source, va) = source_and_destination();
    let hole = m.memory(PAGE);
    m.kernel.munmap(hole, PAGE).unwrap();
    m.map_at(a.iommu, source, hole, PAGE, IOVA + 3 * PAGE).unwrap();
    let before = m.kernel.usage();
    assert_eq!(m.copy(a.iommu, (source, IOVA), (a.ioas, IOVA), 4 * PAGE, RW | FIXED), Err(Errno::EFAULT));
    assert_eq!(m.kernel.usage(), before);
    // Areas that end within a page: their sum is aligned, they are not, and the page table refuses the second.
    let odd = m.ioas(a.iommu);
    m.map_at(a.iommu, odd, va, PAGE / 2, 0).unwrap();
    m.map_at(a.iommu, odd, va, PAGE / 2, PAGE / 2).unwrap();
    let before = m.kernel.usage();
    assert_eq!(m.copy(a.iommu, (odd, 0), (a.ioas, IOVA), PAGE, RW | FIXED), Err(Errno::ENXIO));
    assert_eq!(m.kernel.usage(), before);
    m.finish();
}

#[test]
fn what_is_no_whole_pages_runs_into_something_where_pages_are_small() {
    let (mut m, iommu, odd) = machine();
    let small = m.ioas(iommu);
    m.huge_pages(iommu, small, false).unwrap();
    let mock = m.mock(iommu, small).unwrap();
    let va = m.memory(8 * PAGE);
    m.map_at(iommu, odd, va, PAGE / 2, 0).unwrap();
    m.map_at(iommu, odd, va + PAGE, 3 * PAGE + PAGE / 2, PAGE / 2).unwrap();
    let copy = |m: &mut Machine, iova| m.copy(iommu, (odd, 0), (small, iova), 4 * PAGE, RW | FIXED);
    let before = m.kernel.usage();
    assert_eq!(copy(&mut m, APERTURE), Err(Errno::ERANGE), "the end of the table");
    m.map_at(iommu, small, va, PAGE, 2 * APERTURE).unwrap();
    assert_eq!(copy(&mut m, APERTURE), Err(Errno::EADDRINUSE), "what is mapped above");
    assert_eq!(copy(&mut m, 3 * APERTURE), Err(Errno::ERANGE));
    assert_eq!(m.check_map(iommu, mock.hwpt, 2 * APERTURE, PAGE, va), Ok(()));
    m.unmap(iommu, small, 2 * APERTURE, PAGE).unwrap();
    assert_eq!(m.kernel.usage(), before);
    m.finish();
}
