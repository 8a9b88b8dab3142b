//! Nested page tables of the mock IOMMU, and the numbers that stand for their cache.

mod common;

use common::mock::machine;
use common::*;
use uapi::selftest::*;

const PARENT: u32 = api::HWPT_ALLOC_NEST_PARENT;

fn check(m: &mut Machine, fd: u32, id: u32, iotlb_id: u32, iotlb: u32) -> Result<(), Errno> {
    m.call(fd, TestMdCheckIotlb { op: TEST_OP_MD_CHECK_IOTLB, id, iotlb_id, iotlb, ..Default::default() }).map(|_| ())
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// An iommufd, an IOAS, a device, a page table that was made to be a parent.
fn ready() -> (Machine, u32, u32, mock::Mock, u32) {
    let (mut m, iommu, ioas) = machine();
    let device = m.mock(iommu, ioas).unwrap();
    let parent = m.hwpt_flags(iommu, device.idev, ioas, PARENT).unwrap();
    (m, iommu, ioas, device, parent)
}

fn nested(m: &mut Machine, iommu: u32, ids: (u32, u32), iotlb: u32) -> Result<u32, Errno> {
    m.hwpt_data(iommu, ids, 0, HWPT_DATA_SELFTEST, &words(&[iotlb]))
}

#[test]
fn a_nested_page_table_holds_its_parent_and_is_attached_like_any() {
    let (mut m, iommu, ioas, device, parent) = ready();
    let ids = (device.idev, parent);
    let one = nested(&mut m, iommu, ids, 7).unwrap();
    assert_eq!((m.destroy(iommu, parent), m.destroy(iommu, ioas)), (Err(Errno::EBUSY), Err(Errno::EBUSY)));
    assert_eq!(m.replace(iommu, device.stdev, one), Ok(one));
    assert_eq!(m.destroy(iommu, device.hwpt), Err(Errno::ENOENT), "it was automatic");
    assert_eq!(m.destroy(iommu, one), Err(Errno::EBUSY));
    assert_eq!(m.replace(iommu, device.stdev, parent), Ok(parent));
    m.destroy(iommu, one).unwrap();
    // A device can be made on one, and the device's end is not its own.
    let two = nested(&mut m, iommu, ids, 7).unwrap();
    let other = m.mock(iommu, two).unwrap();
    assert_eq!(other.hwpt, two);
    m.destroy(iommu, other.stdev).unwrap();
    m.destroy(iommu, two).unwrap();
    m.finish();
}

#[test]
fn one_that_a_device_leaves_stays_whatever_is_automatic() {
    let (mut m, iommu, ioas, device, parent) = ready();
    let other = m.mock(iommu, ioas).unwrap();
    assert_eq!(other.hwpt, device.hwpt, "the automatic one, with a place among page tables that the nested one has among its own");
    let one = nested(&mut m, iommu, (device.idev, parent), 7).unwrap();
    for target in [one, parent] {
        assert_eq!(m.replace(iommu, device.stdev, target), Ok(target));
    }
    assert_eq!(check(&mut m, iommu, one, 0, 7), Ok(()));
    m.destroy(iommu, one).unwrap();
    m.finish();
}

#[test]
fn making_one_has_checks() {
    let (mut m, iommu, ioas, device, parent) = ready();
    let plain = m.hwpt(iommu, device.idev, ioas).unwrap();
    let (good, dead) = (words(&[1, 2]), HWPT_DATA_SELFTEST);
    for (pt_id, flags, kind, length, expected) in [
        (parent, 0, 0, 0, Err(Errno::EOPNOTSUPP)),
        (parent, PARENT, dead, 4, Err(Errno::EOPNOTSUPP)),
        (plain, 0, dead, 4, Err(Errno::EINVAL)),
        (device.hwpt, 0, dead, 4, Err(Errno::EINVAL)),
        (parent, 0, 1, 4, Err(Errno::EOPNOTSUPP)),
        (parent, 0, dead, 3, Err(Errno::EINVAL)),
        (parent, api::HWPT_FAULT_ID_VALID, dead, 4, Err(Errno::ENOENT)),
        (parent, 0, dead, 8, Ok(())),
        (parent, api::HWPT_ALLOC_PASID, dead, 5, Ok(())),
    ] {
        let made = m.hwpt_data(iommu, (device.idev, pt_id), flags, kind, &good[..length]);
        assert_eq!(made.map(|_| ()), expected, "{pt_id} {flags} {kind:#x} {length}");
    }
    let long = words(&[1, 2, 3]);
    assert_eq!(m.hwpt_data(iommu, (device.idev, parent), 0, dead, &long), Err(Errno::EINVAL));
    let one = nested(&mut m, iommu, (device.idev, parent), 0).unwrap();
    assert_eq!(nested(&mut m, iommu, (device.idev, one), 0), Err(Errno::EINVAL));
    assert_eq!(m.hwpt_flags(iommu, device.idev, ioas, PARENT | api::HWPT_FAULT_ID_VALID), Err(Errno::EOPNOTSUPP));
    m.finish();
}

#[test]
fn invalidation_clears_one_entry_or_all_up_to_the_first_that_is_wrong() {
    let (mut m, iommu, _, device, parent) = ready();
    let id = nested(&mut m, iommu, (device.idev, parent), TEST_IOTLB_DEFAULT).unwrap();
    let kind = HWPT_INVALIDATE_DATA_SELFTEST;
    let seen = |m: &mut Machine| [0, 1, 2, 3].map(|entry| check(m, iommu, id, entry, TEST_IOTLB_DEFAULT).is_ok());
    assert_eq!(seen(&mut m), [true; 4]);
    assert_eq!(check(&mut m, iommu, id, 4, 0), Err(Errno::EINVAL));
    assert_eq!(check(&mut m, iommu, parent, 0, 0), Err(Errno::ENOENT));
    assert_eq!(m.invalidate(iommu, id, kind, 8, &words(&[0, 1, 0, 3])), (Ok(()), 2));
    assert_eq!((seen(&mut m), check(&mut m, iommu, id, 1, 0)), ([true, false, true, false], Ok(())));
    assert_eq!(m.invalidate(iommu, id, kind, 8, &words(&[0, 0, 0, 4, 0, 2])), (Err(Errno::EINVAL), 1));
    assert_eq!(m.invalidate(iommu, id, kind, 8, &words(&[2, 2])), (Err(Errno::EOPNOTSUPP), 0));
    assert_eq!(m.invalidate(iommu, id, kind, 8, &words(&[1, 4])), (Err(Errno::EINVAL), 0), "all, but the entry is looked at");
    assert_eq!(m.invalidate(iommu, id, HWPT_INVALIDATE_DATA_SELFTEST_INVALID, 8, &words(&[1, 0])), (Err(Errno::EINVAL), 0));
    assert_eq!(m.invalidate(iommu, id, kind, 4, &words(&[1])), (Err(Errno::EINVAL), 0));
    assert_eq!(m.invalidate(iommu, id, kind, 12, &words(&[1, 0, 0])), (Err(Errno::EINVAL), 0));
    assert_eq!(seen(&mut m), [false, false, true, false]);
    assert_eq!(m.invalidate(iommu, id, kind, 8, &words(&[1, 0])), (Ok(()), 1));
    assert_eq!(seen(&mut m), [false; 4]);
    m.finish();
}
