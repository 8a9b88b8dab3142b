//! Virtual IOMMUs of a mock IOMMU, with every allocation failing once: what holds what, and what goes with a device.

mod common;

use common::mock::*;
use common::*;
use uapi::selftest::*;

#[test]
fn what_is_made_of_a_virtual_iommu_holds_it_and_a_device_takes_its_virtual_device_along() {
    let (mut m, iommu, ioas) = machine();
    let mock = m.mock(iommu, ioas).unwrap();
    let request = api::HwptAlloc { flags: api::HWPT_ALLOC_NEST_PARENT, dev_id: mock.idev, pt_id: ioas, ..Default::default() };
    let parent = m.call(iommu, request).unwrap().out_hwpt_id;
    let data_uptr = m.memory(PAGE);
    let request = api::ViommuAlloc {
        r#type: VIOMMU_TYPE_SELFTEST,
        dev_id: mock.idev,
        hwpt_id: parent,
        data_len: 24,
        data_uptr,
        ..Default::default()
    };
    let viommu = m.call(iommu, request).unwrap().out_viommu_id;
    let mapped = m.kernel.mmap(0, 8192, 3, 1, iommu as i32, 4096).unwrap();
    assert_eq!(m.destroy(iommu, viommu), Err(Errno::EBUSY), "its memory is mapped");
    m.kernel.munmap(mapped, 8192).unwrap();
    // More entries than Linux has room for are refused before it looks of what type they are.
    let entries = |data_type, entry_num| api::HwptInvalidate {
        hwpt_id: viommu,
        data_uptr,
        data_type,
        entry_len: 12,
        entry_num,
        ..Default::default()
    };
    for (data_type, entry_num, error) in [(0, 349_525, Errno::EINVAL), (0, 349_526, Errno::ENOMEM), (0, 0, Errno::EINVAL)] {
        assert_eq!(m.call(iommu, entries(data_type, entry_num)).map(|_| ()), Err(error), "{entry_num}");
    }
    let vdevice = api::VdeviceAlloc { viommu_id: viommu, dev_id: mock.idev, virt_id: 7, ..Default::default() };
    let vdevice = m.call(iommu, vdevice).unwrap().out_vdevice_id;
    let nested = m.hwpt_with(iommu, mock.idev, viommu, HWPT_DATA_SELFTEST, &[5]).unwrap();
    m.replace(iommu, mock.stdev, nested).unwrap();
    let queue = api::VeventqAlloc { viommu_id: viommu, r#type: VEVENTQ_TYPE_SELFTEST, veventq_depth: 1, ..Default::default() };
    let queue = m.call(iommu, queue).unwrap();
    for id in [parent, viommu, nested, queue.out_veventq_id] {
        assert_eq!(m.destroy(iommu, id), Err(Errno::EBUSY));
    }
    // Back to an automatic page table: the nested one stays.
    m.replace(iommu, mock.stdev, ioas).unwrap();
    m.replace(iommu, mock.stdev, nested).unwrap();
    m.destroy(iommu, mock.stdev).unwrap();
    assert_eq!(m.destroy(iommu, vdevice), Err(Errno::ENOENT));
    m.close(queue.out_veventq_fd);
    for id in [queue.out_veventq_id, nested, viommu, parent, ioas] {
        assert_eq!(m.destroy(iommu, id), Ok(()));
    }
    assert!((0..8).map(|_| m.ioas(iommu)).all(|id| id != vdevice), "its id stays taken");
    m.finish();
}

#[test]
fn a_file_that_closes_last_takes_all_of_it_along() {
    let (mut m, iommu, ioas) = machine();
    let mock = m.mock(iommu, ioas).unwrap();
    let request = api::HwptAlloc { flags: api::HWPT_ALLOC_NEST_PARENT, dev_id: mock.idev, pt_id: ioas, ..Default::default() };
    let hwpt_id = m.call(iommu, request).unwrap().out_hwpt_id;
    let request = api::ViommuAlloc { r#type: VIOMMU_TYPE_SELFTEST, dev_id: mock.idev, hwpt_id, ..Default::default() };
    let viommu_id = m.call(iommu, request).unwrap().out_viommu_id;
    m.call(iommu, api::VdeviceAlloc { viommu_id, dev_id: mock.idev, virt_id: 7, ..Default::default() }).unwrap();
    m.hwpt_with(iommu, mock.idev, viommu_id, HWPT_DATA_SELFTEST, &[5]).unwrap();
    let queue = api::VeventqAlloc { viommu_id, r#type: VEVENTQ_TYPE_SELFTEST, veventq_depth: 1, ..Default::default() };
    let fd = m.call(iommu, queue).unwrap().out_veventq_fd;
    m.close(iommu);
    assert_eq!((m.kernel.usage().contexts, m.kernel.read(fd as i32, m.argument, 8)), (1, Ok(0)));
    m.close(fd);
    assert_eq!((m.kernel.usage().contexts, m.kernel.usage().objects), (0, 0));
    m.finish();
}

/// A machine of Linux's tests may have other devices too.
#[test]
fn what_has_no_guest_has_no_event_for_it() {
    let (mut m, iommu, ioas) = machine();
    let mock = m.mock(iommu, ioas).unwrap();
    let (fd, bound) = m.bound(0, iommu);
    for dev_id in [mock.idev, bound] {
        let request = TestTriggerVevent { op: TEST_OP_TRIGGER_VEVENT, dev_id, ..Default::default() };
        assert_eq!(m.call(iommu, request).map(|_| ()), Err(Errno::ENOENT), "{dev_id}");
    }
    m.close(fd);
    m.finish();
}
