//! IOAS_IOVA_RANGES and IOAS_ALLOW_IOVAS: what can be mapped at, and where automatic placement may go.

mod common;

use common::*;
use iova::Range;

/// The last IOVA that four levels translate.
const APERTURE_LAST: u64 = (1 << 48) - 1;

fn range(start: u64, last: u64) -> Range {
    Range { start, last }
}

#[test]
fn without_devices_everything_can_be_used() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let usable = m.usable(iommu, ioas, 4);
    assert_eq!(usable, ranges::Usable { result: Ok(0), count: 1, ranges: vec![Range::ALL], alignment: 1 });
    m.finish();
}

#[test]
fn devices_and_page_tables_take_their_part_and_give_it_back() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let (fd, _) = m.bound(PICKY, a.iommu);
    let of_one = vec![range(0, MSI.start - 1), range(MSI.last + 1, APERTURE_LAST)];
    assert_eq!(m.usable(a.iommu, a.ioas, 4).ranges, of_one);
    m.attach(fd, a.ioas).unwrap();
    let usable = m.usable(a.iommu, a.ioas, 4);
    assert_eq!((usable.count, usable.alignment), (3, PAGE));
    let below_msi = range(PICKY_RANGE.last + 1, MSI.start - 1);
    assert_eq!(usable.ranges, [range(0, PICKY_RANGE.start - 1), below_msi, range(MSI.last + 1, APERTURE_LAST)]);
    m.detach(fd);
    assert_eq!(m.usable(a.iommu, a.ioas, 4).ranges, of_one);
    m.detach(a.device_fd);
    let usable = m.usable(a.iommu, a.ioas, 4);
    assert_eq!((usable.ranges, usable.alignment), (vec![Range::ALL], 1));
    m.finish();
}

#[test]
fn too_little_room_is_told_after_what_fits() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    for room in [0, 1] {
        let usable = m.usable(a.iommu, a.ioas, room);
        assert_eq!((usable.result, usable.count, usable.alignment), (Err(Errno::EMSGSIZE), 2, PAGE));
        assert_eq!(usable.ranges, [range(0, MSI.start - 1)][..room as usize]);
    }
    assert_eq!(m.usable(a.iommu, a.ioas, 2).result, Ok(0));
    m.finish();
}

#[test]
fn ranges_checks_come_in_the_order_of_linux() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let good = api::IoasIovaRanges { ioas_id: a.ioas, num_iovas: 2, allowed_iovas: m.argument + 0x8000, ..Default::default() };
    assert!(m.call(a.iommu, good).is_ok());
    for (request, error) in [
        (api::IoasIovaRanges { reserved: 1, ioas_id: NO_ID, ..good }, Errno::EOPNOTSUPP),
        (api::IoasIovaRanges { ioas_id: NO_ID, allowed_iovas: 0, ..good }, Errno::ENOENT),
        (api::IoasIovaRanges { ioas_id: a.hwpt, ..good }, Errno::ENOENT),
        (api::IoasIovaRanges { allowed_iovas: 0, ..good }, Errno::EFAULT),
        (api::IoasIovaRanges { allowed_iovas: u64::MAX - 7, ..good }, Errno::EFAULT),
    ] {
        assert_eq!(m.call(a.iommu, request), Err(error), "{request:?}");
    }
    // Without room nobody looks at the array.
    let usable = m.call(a.iommu, api::IoasIovaRanges { num_iovas: 0, allowed_iovas: 0, ..good });
    assert_eq!(usable, Err(Errno::EMSGSIZE));
    m.finish();
}

#[test]
fn automatic_placement_stays_in_the_allowed_ranges_and_fixed_does_not() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let va = m.memory(4 * PAGE);
    m.allow(iommu, ioas, &[(0x9000, 0xafff), (0x5000, 0x5fff)]).unwrap();
    let place = |m: &mut Machine| m.map(iommu, ioas, va, PAGE, RW, 0);
    assert_eq!([place(&mut m), place(&mut m), place(&mut m)], [Ok(0x5000), Ok(0x9000), Ok(0xa000)]);
    assert_eq!(place(&mut m), Err(Errno::ENOSPC));
    assert_eq!(m.map_at(iommu, ioas, va, PAGE, 0x7000), Ok(0x7000));
    // What is allowed is no part of what can be used.
    assert_eq!(m.usable(iommu, ioas, 4).ranges, [Range::ALL]);
    // The new ranges take the place of the old ones; mappings elsewhere stay.
    m.allow(iommu, ioas, &[(0x2_0000, 0x2_0fff)]).unwrap();
    assert_eq!(place(&mut m), Ok(0x2_0000));
    m.allow(iommu, ioas, &[]).unwrap();
    assert_eq!(place(&mut m), Ok(0x1000));
    assert_eq!(m.kernel.usage().areas, 6);
    m.finish();
}

#[test]
fn ranges_that_cannot_be_allowed_change_nothing() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(PAGE);
    m.allow(a.iommu, a.ioas, &[(0x7000, 0xffff)]).unwrap();
    for (ranges, error) in [
        (&[(0x5000, 0x4fff)][..], Errno::EINVAL),
        // As in Linux a range of one address is no range.
        (&[(0x5000, 0x5000)], Errno::EINVAL),
        (&[(0x5000, 0x5fff), (0x5fff, 0x6fff)], Errno::EINVAL),
        (&[(0x8000, 0x8fff), (0x1000, 0x2fff), (0, u64::MAX)], Errno::EINVAL),
        (&[(0x5000, 0x5fff), (MSI.last, MSI.last + 1)], Errno::EADDRINUSE),
        (&[(APERTURE_LAST, APERTURE_LAST + 1)], Errno::EADDRINUSE),
    ] {
        assert_eq!(m.allow(a.iommu, a.ioas, ranges), Err(error), "{ranges:x?}");
    }
    assert_eq!(m.allow(a.iommu, NO_ID, &[]), Err(Errno::ENOENT));
    let reserved = api::IoasAllowIovas { ioas_id: NO_ID, reserved: 1, ..Default::default() };
    assert_eq!(m.call(a.iommu, reserved), Err(Errno::EOPNOTSUPP));
    assert_eq!(m.map(a.iommu, a.ioas, va, PAGE, RW, 0), Ok(0x7000));
    m.finish();
}

#[test]
fn ranges_are_compared_while_they_are_read() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    // Two ranges at the end of readable memory, and a third beyond it.
    let edge = m.edge();
    let array = edge - 32;
    let write = |m: &mut Machine, second: u64| {
        for (index, value) in [0x1000, 0x1fff, second, second + 0xfff].into_iter().enumerate() {
            m.kernel.poke(array + 8 * index as u64, &u64::to_le_bytes(value)).unwrap();
        }
    };
    write(&mut m, 0x2000);
    assert_eq!(m.allow_from(iommu, ioas, 2, array), Ok(()));
    assert_eq!(m.allow_from(iommu, ioas, 3, array), Err(Errno::EFAULT));
    write(&mut m, 0x1800);
    assert_eq!(m.allow_from(iommu, ioas, 3, array), Err(Errno::EINVAL));
    // So is each one by itself: the second has one address, which is none.
    write(&mut m, 0x2000);
    m.kernel.poke(edge - 8, &0x2000_u64.to_le_bytes()).unwrap();
    assert_eq!(m.allow_from(iommu, ioas, 3, array), Err(Errno::EINVAL));
    // A count that no memory holds ends at the first range that is not there.
    assert_eq!(m.allow_from(iommu, ioas, u32::MAX, edge), Err(Errno::EFAULT));
    m.finish();
}

#[test]
fn a_device_cannot_reserve_what_is_allowed() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let (fd, _) = m.bound(PICKY, a.iommu);
    m.allow(a.iommu, a.ioas, &[(PICKY_RANGE.last, PICKY_RANGE.last + 0x1000)]).unwrap();
    assert_eq!(m.attach(fd, a.ioas), Err(Errno::EADDRINUSE));
    m.allow(a.iommu, a.ioas, &[(PICKY_RANGE.last + 1, PICKY_RANGE.last + 0x1000)]).unwrap();
    assert_eq!(m.attach(fd, a.ioas), Ok(a.hwpt));
    m.finish();
}
