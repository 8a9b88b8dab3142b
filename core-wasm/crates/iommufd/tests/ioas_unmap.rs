//! IOAS_UNMAP: whole areas go, and with them what devices reach and what was pinned.

mod common;

use common::*;
use iommufd::FaultReason;

const IOVA: u64 = 0x10_0000;

/// A machine with areas of 1, 1, and 2 pages at pages 0, 1, and 4 from [`IOVA`] on.
fn three_areas() -> (Machine, Attached, u64) {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(4 * PAGE);
    for (page, length) in [(0, PAGE), (1, PAGE), (4, 2 * PAGE)] {
        m.map_at(a.iommu, a.ioas, va, length, IOVA + page * PAGE).unwrap();
    }
    (m, a, va)
}

#[test]
fn all_areas_of_a_range_go_and_their_bytes_are_counted() {
    let (mut m, a, _) = three_areas();
    // Neither end need be at an area, nor at a page.
    assert_eq!(m.unmap(a.iommu, a.ioas, IOVA - 7, 6 * PAGE + 100), Ok(4 * PAGE));
    assert_eq!(m.kernel.usage().areas, 0);
    assert_eq!(m.charged(), (0, 0));
    assert_eq!(m.pages(), []);
    m.finish();
}

#[test]
fn areas_beside_the_range_stay() {
    let (mut m, a, _) = three_areas();
    assert_eq!(m.unmap(a.iommu, a.ioas, IOVA + PAGE, 3 * PAGE), Ok(PAGE));
    assert_eq!(m.charged(), (0, 3));
    assert!(m.read(EDU, IOVA, 8).is_ok());
    assert_eq!(m.read(EDU, IOVA + PAGE, 8), Err(FaultReason::NotPresent));
    assert!(m.read(EDU, IOVA + 4 * PAGE, 8).is_ok());
    m.finish();
}

#[test]
fn an_area_that_reaches_out_of_the_range_stops_it_and_those_before_are_gone() {
    let (mut m, a, va) = three_areas();
    assert_eq!(m.unmap(a.iommu, a.ioas, IOVA, 5 * PAGE), Err(Errno::ENOENT));
    assert_eq!(m.kernel.usage().areas, 1);
    assert_eq!(m.map_at(a.iommu, a.ioas, va, PAGE, IOVA), Ok(IOVA));
    assert_eq!(m.map_at(a.iommu, a.ioas, va, PAGE, IOVA + 4 * PAGE), Err(Errno::EEXIST));
    // One that begins before the range stops it as well.
    assert_eq!(m.unmap(a.iommu, a.ioas, IOVA + 5 * PAGE, 8 * PAGE), Err(Errno::ENOENT));
    assert_eq!(m.kernel.usage().areas, 2);
    m.finish();
}

#[test]
fn everything_can_go_at_once_and_nothing_is_no_error_then() {
    let (mut m, a, va) = three_areas();
    let other = m.ioas(a.iommu);
    m.map_at(a.iommu, other, va, PAGE, IOVA).unwrap();
    assert_eq!(m.unmap(a.iommu, a.ioas, 0, u64::MAX), Ok(4 * PAGE));
    assert_eq!(m.unmap(a.iommu, a.ioas, 0, u64::MAX), Ok(0));
    assert_eq!(m.kernel.usage().areas, 1);
    m.finish();
}

#[test]
fn checks_come_in_the_order_of_linux() {
    let (mut m, a, _) = three_areas();
    for (ioas, iova, length, error) in [
        (NO_ID, u64::MAX, 0, Errno::ENOENT),
        (a.ioas, u64::MAX, 0, Errno::EOVERFLOW),
        (a.ioas, 1, u64::MAX, Errno::EOVERFLOW),
        (a.ioas, IOVA, 0, Errno::EINVAL),
        (a.ioas, u64::MAX - PAGE, 2 * PAGE, Errno::EOVERFLOW),
        (a.ioas, IOVA + 2 * PAGE, 2 * PAGE, Errno::ENOENT),
        (a.ioas, IOVA + 8 * PAGE, PAGE, Errno::ENOENT),
    ] {
        assert_eq!(m.unmap(a.iommu, ioas, iova, length), Err(error), "{ioas} {iova:#x} {length:#x}");
    }
    assert_eq!(m.kernel.usage().areas, 3);
    m.finish();
}

#[test]
fn a_device_that_has_used_a_mapping_loses_it_at_once() {
    for small in [true, false] {
        let mut m = Machine::new();
        let a = m.attached(EDU);
        m.huge_pages(a.iommu, a.ioas, !small).unwrap();
        let va = m.memory(2 * LARGE);
        m.map_at(a.iommu, a.ioas, va.next_multiple_of(LARGE), LARGE, LARGE).unwrap();
        let last = 2 * LARGE - 8;
        for iova in [LARGE, LARGE + PAGE, last] {
            m.write(EDU, iova, b"cached").unwrap();
        }
        m.unmap(a.iommu, a.ioas, LARGE, LARGE).unwrap();
        for iova in [LARGE, LARGE + PAGE, last] {
            assert_eq!(m.write(EDU, iova, b"x"), Err(FaultReason::NotPresent));
            assert_eq!(m.read(EDU, iova, 1), Err(FaultReason::NotPresent));
        }
        m.finish();
    }
}

#[test]
fn every_page_table_of_the_ioas_loses_the_area() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let (fd, id) = m.bound(NIC, a.iommu);
    let second = m.hwpt(a.iommu, id, a.ioas).unwrap();
    m.attach(fd, second).unwrap();
    let va = m.memory(PAGE);
    m.map_at(a.iommu, a.ioas, va, PAGE, IOVA).unwrap();
    assert_eq!(m.pages(), [(12, 2)]);
    assert_eq!(m.charged(), (0, 1));
    m.unmap(a.iommu, a.ioas, IOVA, PAGE).unwrap();
    assert_eq!(m.read(EDU, IOVA, 1), Err(FaultReason::NotPresent));
    assert_eq!(m.read(NIC, IOVA, 1), Err(FaultReason::NotPresent));
    m.finish();
}

#[test]
fn an_area_is_gone_even_where_the_answer_cannot_be_delivered() {
    let (mut m, a, _) = three_areas();
    let (writable, read_only) = m.read_only_view();
    let request = api::IoasUnmap { size: 24, ioas_id: a.ioas, iova: IOVA, length: PAGE };
    m.kernel.poke(writable, &request.bytes()).unwrap();
    assert_eq!(m.call_at(a.iommu, api::IOAS_UNMAP, read_only), Err(Errno::EFAULT));
    assert_eq!(m.kernel.usage().areas, 2);
    m.finish();
}
