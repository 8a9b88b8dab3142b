//! An IOMMU whose page tables are those of a kernel below: objects, ids, areas and IOVAs are decided here, memory is not looked at.

mod common;

use common::*;
use iommufd::ReservedKind;
use iova::Range;
use uapi::type1;

const IOVA: u64 = 0x10_0000;
/// Memory that is not there.
const NOWHERE: u64 = 0x5555_0000_0000;

fn remote(setup: Setup) -> Machine {
    Machine::with(Setup { remote: true, ..setup })
}

#[test]
fn memory_that_is_not_there_can_be_mapped_and_nothing_of_it_is_pinned() {
    let mut m = remote(Setup::memlock(PAGE));
    let Attached { iommu, ioas, device_fd, device_id, hwpt } = m.attached(EDU);
    m.map_at(iommu, ioas, NOWHERE, 64 * PAGE, IOVA).unwrap();
    assert_eq!(m.map_at(iommu, ioas, NOWHERE, PAGE, IOVA), Err(Errno::EEXIST));
    assert_eq!(m.copy(iommu, (ioas, IOVA + PAGE), (ioas, 2 * IOVA), PAGE, RW | FIXED), Ok(2 * IOVA));
    assert_eq!((m.charged(), m.pages()), ((0, 0), vec![]));
    // A transfer would find nothing here.
    assert!(m.read(EDU, IOVA, 1).is_err());
    let other = m.hwpt(iommu, device_id, ioas).unwrap();
    assert_eq!((m.attach(device_fd, other), m.attach(device_fd, ioas)), (Ok(other), Ok(hwpt)));
    assert_eq!(m.unmap(iommu, ioas, 0, u64::MAX), Ok(65 * PAGE));
    m.finish();
}

#[test]
fn alignment_is_that_of_pages_once_a_device_is_attached() {
    let mut m = remote(Setup::default());
    let Attached { iommu, ioas, .. } = m.attached(EDU);
    assert_eq!(m.map_at(iommu, ioas, NOWHERE, PAGE / 2, IOVA), Err(Errno::EINVAL));
    assert_eq!(m.map_at(iommu, ioas, NOWHERE + 8, PAGE, IOVA), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn page_tables_reach_as_far_as_they_are_said_to() {
    let mut m = remote(Setup::default());
    m.kernel.set_remote_aperture(0xffff_ffff);
    let near = m.attached(EDU);
    assert_eq!(m.map_at(near.iommu, near.ioas, NOWHERE, PAGE, 1 << 32), Err(Errno::EINVAL));
    m.kernel.set_remote_aperture(u64::MAX);
    let far = m.attached(NIC);
    assert_eq!(m.map_at(far.iommu, far.ioas, NOWHERE, PAGE, 1 << 32), Ok(1 << 32));
    m.finish();
}

#[test]
fn what_is_reserved_may_be_found_out_after_the_claim_but_before_the_attach() {
    let mut m = remote(Setup::default());
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let (fd, _) = m.bound(EDU, iommu);
    let range = Range { start: IOVA, last: IOVA + 0xfff };
    m.kernel.add_reserved(EDU, range, ReservedKind::Reserved).unwrap();
    m.attach(fd, ioas).unwrap();
    assert_eq!(m.map_at(iommu, ioas, NOWHERE, PAGE, IOVA), Err(Errno::EINVAL));
    assert_eq!(m.kernel.add_reserved(EDU, range, ReservedKind::Reserved), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn it_has_no_options_and_tells_nothing_of_itself() {
    let mut m = remote(Setup::default());
    let Attached { iommu, ioas, device_id, hwpt, .. } = m.attached(EDU);
    for flags in [api::HWPT_ALLOC_NEST_PARENT, api::HWPT_ALLOC_DIRTY_TRACKING, api::HWPT_FAULT_ID_VALID, api::HWPT_ALLOC_PASID] {
        let request = api::HwptAlloc { dev_id: device_id, pt_id: ioas, flags, ..Default::default() };
        assert_eq!(m.call(iommu, request).map(|_| ()), Err(Errno::EOPNOTSUPP));
    }
    let nested = api::HwptAlloc { dev_id: device_id, pt_id: hwpt, data_type: 1, data_len: 8, ..Default::default() };
    assert_eq!(m.call(iommu, nested).map(|_| ()), Err(Errno::EOPNOTSUPP));
    assert_eq!(m.call(iommu, api::HwInfo { dev_id: device_id, ..Default::default() }).map(|_| ()), Err(Errno::EOPNOTSUPP));
    assert_eq!(m.call(iommu, api::HwInfo { dev_id: 99, ..Default::default() }).map(|_| ()), Err(Errno::ENOENT));
    m.finish();
}

#[test]
fn requests_of_containers_are_not_its_own() {
    let mut m = remote(Setup::default());
    let Attached { iommu, ioas, .. } = m.attached(EDU);
    m.call(iommu, api::VfioIoas { ioas_id: ioas, op: 1, ..Default::default() }).unwrap();
    let request = type1::IommuType1DmaMap { flags: 3, vaddr: NOWHERE, iova: IOVA, size: PAGE, ..Default::default() };
    assert_eq!(m.call(iommu, request).map(|_| ()), Err(Errno::ENOTTY));
    assert_eq!(m.kernel.ioctl(iommu as i32, type1::GET_API_VERSION, 0), Err(Errno::ENOTTY));
    m.finish();
}
