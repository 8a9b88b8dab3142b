//! IOAS_MAP: what is checked and in which order, what is pinned, and what devices reach.

mod common;

use common::*;
use iommufd::FaultReason;

const IOVA: u64 = 0x10_0000;

/// A mapping that is fine but for what a case changes.
fn good(ioas_id: u32, user_va: u64) -> api::IoasMap {
    api::IoasMap { size: 0, flags: RW | FIXED, ioas_id, reserved: 0, user_va, length: PAGE, iova: IOVA }
}

#[test]
fn a_mapping_is_what_devices_and_process_share() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(3 * PAGE);
    assert_eq!(m.map_at(a.iommu, a.ioas, va, 3 * PAGE, IOVA), Ok(IOVA));
    m.kernel.poke(va + PAGE - 2, b"to the device").unwrap();
    assert_eq!(m.read(EDU, IOVA + PAGE - 2, 13).unwrap(), b"to the device");
    m.write(EDU, IOVA + 2 * PAGE - 5, b"from the device").unwrap();
    assert_eq!(m.peek(va + 2 * PAGE - 5, 15), b"from the device");
    assert_eq!(m.charged(), (0, 3));
    m.finish();
}

#[test]
fn permissions_are_those_of_the_mapping() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(PAGE);
    m.map(a.iommu, a.ioas, va, PAGE, READ | FIXED, IOVA).unwrap();
    m.map(a.iommu, a.ioas, va, PAGE, WRITE | FIXED, IOVA + PAGE).unwrap();
    assert_eq!(m.write(EDU, IOVA, b"x"), Err(FaultReason::NoWrite));
    assert_eq!(m.read(EDU, IOVA + PAGE, 1), Err(FaultReason::NoRead));
    m.write(EDU, IOVA + PAGE, b"x").unwrap();
    assert_eq!(m.read(EDU, IOVA, 1).unwrap(), b"x");
    m.finish();
}

#[test]
fn checks_come_in_the_order_of_linux() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(4 * PAGE);
    m.map_at(a.iommu, a.ioas, va, PAGE, IOVA + 8 * PAGE).unwrap();
    // Each case has the mistake of the one before it as well; the earlier check decides.
    let mut request = api::IoasMap { user_va: 0x1000, ..good(a.ioas, 0) };
    let mut expect = |change: &dyn Fn(&mut api::IoasMap), error| {
        change(&mut request);
        let result = m.call(a.iommu, request);
        assert_eq!(result.map(|answer| answer.iova), Err(error), "{request:?}");
    };
    expect(&|r| r.user_va = 0x1000, Errno::EFAULT);
    expect(&|r| r.user_va = 0x1001, Errno::EINVAL);
    expect(&|r| (r.iova, r.length) = (IOVA + 7 * PAGE, 2 * PAGE), Errno::EEXIST);
    expect(&|r| r.iova = MSI.start - PAGE, Errno::EINVAL);
    expect(&|r| r.iova = u64::MAX - PAGE + 1, Errno::EOVERFLOW);
    expect(&|r| r.iova |= 0x800, Errno::EINVAL);
    expect(&|r| r.length += 1, Errno::EINVAL);
    expect(&|r| r.length = 0, Errno::EINVAL);
    expect(&|r| (r.user_va, r.length) = (u64::MAX, 1), Errno::EOVERFLOW);
    expect(&|r| r.ioas_id = NO_ID, Errno::ENOENT);
    expect(&|r| r.flags = FIXED, Errno::EINVAL);
    expect(&|r| r.length = u64::MAX, Errno::EOVERFLOW);
    expect(&|r| (r.iova, r.length) = (u64::MAX, 1), Errno::EOVERFLOW);
    expect(&|r| r.reserved = 1, Errno::EOPNOTSUPP);
    expect(&|r| (r.reserved, r.flags) = (0, 8), Errno::EOPNOTSUPP);
    m.finish();
}

#[test]
fn an_id_of_another_kind_is_no_ioas() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(PAGE);
    for id in [0, a.device_id, a.hwpt, NO_ID] {
        assert_eq!(m.map_at(a.iommu, id, va, PAGE, IOVA), Err(Errno::ENOENT));
    }
    m.finish();
}

#[test]
fn without_a_page_table_nothing_is_pinned_and_any_byte_can_be_mapped() {
    let mut m = Machine::with(Setup::memlock(0));
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    assert_eq!(m.map_at(iommu, ioas, 0xdead_beef, 7, 3), Ok(3));
    assert_eq!(m.map_at(iommu, ioas, 0, u64::MAX - 0x2_0000, 0x1_0000), Ok(0x1_0000));
    assert_eq!(m.charged(), (0, 0));
    // The length that rounding up to pages would not survive.
    assert_eq!(m.map_at(iommu, ioas, 0, u64::MAX - PAGE + 1, 0), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn the_whole_of_the_memory_must_be_there_and_writable_to_be_pinned() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(4 * PAGE);
    m.kernel.munmap(va + 2 * PAGE, PAGE).unwrap();
    assert_eq!(m.map_at(a.iommu, a.ioas, va, 4 * PAGE, IOVA), Err(Errno::EFAULT));
    assert_eq!(m.map_at(a.iommu, a.ioas, va, 2 * PAGE, IOVA), Ok(IOVA));
    let read_only = m.read_only_memory(PAGE);
    assert_eq!(m.map_at(a.iommu, a.ioas, read_only, PAGE, IOVA + 4 * PAGE), Err(Errno::EFAULT));
    assert_eq!(m.map(a.iommu, a.ioas, read_only, PAGE, READ | FIXED, IOVA + 4 * PAGE), Ok(IOVA + 4 * PAGE));
    m.finish();
}

#[test]
fn pinned_memory_outlives_its_mapping_in_the_process() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(PAGE);
    m.kernel.poke(va, b"kept").unwrap();
    m.map_at(a.iommu, a.ioas, va, PAGE, IOVA).unwrap();
    m.kernel.munmap(va, PAGE).unwrap();
    m.check();
    let other = m.memory(PAGE);
    m.kernel.poke(other, b"other").unwrap();
    assert_eq!(m.read(EDU, IOVA, 4).unwrap(), b"kept");
    m.unmap(a.iommu, a.ioas, IOVA, PAGE).unwrap();
    m.finish();
}

#[test]
fn memory_beyond_the_limit_is_refused_and_counts_for_each_mapping() {
    let mut m = Machine::with(Setup::memlock(4 * PAGE));
    let a = m.attached(EDU);
    let va = m.memory(8 * PAGE);
    assert_eq!(m.map_at(a.iommu, a.ioas, va, 5 * PAGE, IOVA), Err(Errno::ENOMEM));
    m.map_at(a.iommu, a.ioas, va, 3 * PAGE, IOVA).unwrap();
    assert_eq!(m.charged(), (3 * PAGE, 3));
    // The same page again is other memory for iommufd, so it counts again.
    m.map_at(a.iommu, a.ioas, va, PAGE, 2 * IOVA).unwrap();
    assert_eq!(m.map_at(a.iommu, a.ioas, va, PAGE, 3 * IOVA), Err(Errno::ENOMEM));
    // What cannot be pinned at all is told first.
    assert_eq!(m.map_at(a.iommu, a.ioas, 0x1_0000, PAGE, 3 * IOVA), Err(Errno::EFAULT));
    m.unmap(a.iommu, a.ioas, IOVA, 3 * PAGE).unwrap();
    m.map_at(a.iommu, a.ioas, va, 3 * PAGE, IOVA).unwrap();
    m.finish();
}

#[test]
fn a_mapping_stays_where_its_answer_cannot_be_delivered() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(PAGE);
    // A request in memory that can be read and not written.
    let (writable, read_only) = m.read_only_view();
    let mut bytes = good(a.ioas, va).bytes();
    bytes[..4].copy_from_slice(&40_u32.to_le_bytes());
    m.kernel.poke(writable, &bytes).unwrap();
    assert_eq!(m.call_at(a.iommu, api::IOAS_MAP, read_only), Err(Errno::EFAULT));
    m.write(EDU, IOVA, b"there").unwrap();
    assert_eq!(m.peek(va, 5), b"there");
    m.finish();
}

#[test]
fn the_same_memory_can_be_mapped_in_several_places_and_iommufds() {
    let mut m = Machine::new();
    let (a, b) = (m.attached(EDU), m.attached(NIC));
    let va = m.memory(PAGE);
    m.map_at(a.iommu, a.ioas, va, PAGE, IOVA).unwrap();
    m.map_at(b.iommu, b.ioas, va, PAGE, 2 * IOVA).unwrap();
    m.write(EDU, IOVA, b"both").unwrap();
    assert_eq!(m.read(NIC, 2 * IOVA, 4).unwrap(), b"both");
    assert_eq!(m.read(NIC, IOVA, 4), Err(FaultReason::NotPresent));
    assert_eq!(m.charged(), (0, 2));
    m.finish();
}

#[test]
fn every_iommu_kind_maps_the_same() {
    use iommufd::Kind;
    for (kind, levels) in [(Kind::VtdSs, 3), (Kind::VtdSs, 5), (Kind::AmdV1, 3), (Kind::AmdV1, 6)] {
        let mut m = Machine::with(Setup { kind, levels, ..Setup::default() });
        let a = m.attached(EDU);
        let va = m.memory(3 * LARGE);
        m.map_at(a.iommu, a.ioas, va, 3 * LARGE, LARGE + PAGE).unwrap();
        m.write(EDU, 2 * LARGE - 3, b"across").unwrap();
        assert_eq!(m.peek(va + LARGE - PAGE - 3, 6), b"across");
        m.unmap(a.iommu, a.ioas, 0, u64::MAX).unwrap();
        assert_eq!(m.pages(), []);
        m.finish();
    }
}
