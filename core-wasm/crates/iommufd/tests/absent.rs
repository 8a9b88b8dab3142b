//! Requests for what the machine does not have: they answer as Linux does on hardware without the feature.

mod common;

use common::*;

#[test]
fn an_invalidation_says_that_it_did_none() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let good = api::HwptInvalidate { size: 32, hwpt_id: a.hwpt, data_uptr: 8, entry_len: 16, entry_num: 3, ..Default::default() };
    for (request, error) in [
        (api::HwptInvalidate { reserved: 1, entry_len: 0, ..good }, Errno::EOPNOTSUPP),
        (api::HwptInvalidate { entry_len: 0, hwpt_id: NO_ID, ..good }, Errno::EINVAL),
        (api::HwptInvalidate { entry_len: 4097, hwpt_id: NO_ID, ..good }, Errno::EINVAL),
        (api::HwptInvalidate { data_uptr: 0, hwpt_id: NO_ID, ..good }, Errno::EINVAL),
        (api::HwptInvalidate { entry_num: (1 << 19) + 1, hwpt_id: NO_ID, ..good }, Errno::EINVAL),
        (api::HwptInvalidate { hwpt_id: NO_ID, ..good }, Errno::ENOENT),
        (api::HwptInvalidate { entry_num: 0, entry_len: 0, hwpt_id: NO_ID, ..good }, Errno::ENOENT),
        (good, Errno::EINVAL),
        (api::HwptInvalidate { hwpt_id: a.ioas, ..good }, Errno::EINVAL),
    ] {
        let (result, after) = m.raw(a.iommu, api::HWPT_INVALIDATE, &request.bytes());
        assert_eq!(result, Err(error), "{request:?}");
        assert_eq!(api::HwptInvalidate::read(after.as_slice().try_into().unwrap()), api::HwptInvalidate { entry_num: 0, ..request });
    }
    let (writable, read_only) = m.read_only_view();
    m.kernel.poke(writable, &good.bytes()).unwrap();
    assert_eq!(m.call_at(a.iommu, api::HWPT_INVALIDATE, read_only), Err(Errno::EFAULT));
    m.finish();
}

#[test]
fn virtual_iommus_are_not_supported_after_their_checks() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let viommu = api::ViommuAlloc { r#type: 1, dev_id: NO_ID, hwpt_id: a.hwpt, ..Default::default() };
    assert_eq!(m.call(a.iommu, viommu), Err(Errno::ENOENT));
    for request in [
        api::ViommuAlloc { flags: 1, ..viommu },
        api::ViommuAlloc { r#type: 0, ..viommu },
        api::ViommuAlloc { dev_id: a.device_id, ..viommu },
    ] {
        assert_eq!(m.call(a.iommu, request), Err(Errno::EOPNOTSUPP), "{request:?}");
    }
    assert_eq!(m.call(a.iommu, api::VdeviceAlloc { dev_id: a.device_id, ..Default::default() }), Err(Errno::ENOENT));
    let queue = api::VeventqAlloc { r#type: 1, veventq_depth: 1 << 19, viommu_id: a.hwpt, ..Default::default() };
    for (request, error) in [
        (api::VeventqAlloc { flags: 1, veventq_depth: 0, ..queue }, Errno::EOPNOTSUPP),
        (api::VeventqAlloc { r#type: 0, ..queue }, Errno::EOPNOTSUPP),
        (api::VeventqAlloc { reserved: 1, ..queue }, Errno::EOPNOTSUPP),
        (api::VeventqAlloc { veventq_depth: 0, ..queue }, Errno::EINVAL),
        (api::VeventqAlloc { veventq_depth: (1 << 19) + 1, ..queue }, Errno::EINVAL),
        (queue, Errno::ENOENT),
    ] {
        assert_eq!(m.call(a.iommu, request), Err(error), "{request:?}");
    }
    let queue = api::HwQueueAlloc { r#type: 1, length: PAGE, nesting_parent_iova: 1, ..Default::default() };
    for (request, error) in [
        (api::HwQueueAlloc { flags: 1, length: 0, ..queue }, Errno::EOPNOTSUPP),
        (api::HwQueueAlloc { r#type: 0, length: 0, ..queue }, Errno::EOPNOTSUPP),
        (api::HwQueueAlloc { length: 0, ..queue }, Errno::EINVAL),
        (api::HwQueueAlloc { length: u64::MAX, nesting_parent_iova: 2, ..queue }, Errno::EOVERFLOW),
        (queue, Errno::ENOENT),
    ] {
        assert_eq!(m.call(a.iommu, request), Err(error), "{request:?}");
    }
    m.finish();
}

#[test]
fn there_is_no_physical_address_behind_an_iommu() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(PAGE);
    let iova = m.map(a.iommu, a.ioas, va, PAGE, RW, 0).unwrap();
    let wanted = api::IoasNoiommuGetPa { ioas_id: a.ioas, iova, length: PAGE, ..Default::default() };
    for (request, error) in [
        (api::IoasNoiommuGetPa { flags: 1, length: 0, ..wanted }, Errno::EOPNOTSUPP),
        (api::IoasNoiommuGetPa { reserved: 1, length: 0, ..wanted }, Errno::EOPNOTSUPP),
        (api::IoasNoiommuGetPa { length: 0, iova: u64::MAX, ..wanted }, Errno::EINVAL),
        (api::IoasNoiommuGetPa { iova: u64::MAX, ioas_id: NO_ID, ..wanted }, Errno::EOVERFLOW),
        (api::IoasNoiommuGetPa { ioas_id: NO_ID, ..wanted }, Errno::ENOENT),
        (api::IoasNoiommuGetPa { ioas_id: a.device_id, ..wanted }, Errno::ENOENT),
        (api::IoasNoiommuGetPa { iova: iova + PAGE, ..wanted }, Errno::ENOENT),
        (wanted, Errno::EOPNOTSUPP),
        (api::IoasNoiommuGetPa { iova: iova + PAGE - 1, length: u64::MAX, ..wanted }, Errno::EOPNOTSUPP),
    ] {
        assert_eq!(m.call(a.iommu, request), Err(error), "{request:?}");
    }
    m.finish();
}

#[test]
fn physical_addresses_need_the_right_before_anything_is_looked_at() {
    let limits = iommufd::Limits { sys_rawio: false, ..Setup::default().limits };
    let mut m = Machine::with(Setup { limits, ..Setup::default() });
    let iommu = m.iommu();
    let request = api::IoasNoiommuGetPa { flags: 1, ioas_id: NO_ID, ..Default::default() };
    assert_eq!(m.call(iommu, request), Err(Errno::EPERM));
    m.finish();
}
