//! Nested page tables of the mock IOMMU: no tables at all, but four numbers that stand for a cache.

use crate::hardware::Hardware;
use crate::invalidate::Entries;
use crate::nested::Stage;
use crate::object::ObjectKind;
use crate::request::Call;
use uapi::iommufd::HwptAlloc;
use uapi::selftest as api;
use uapi::{Errno, Result};

/// Entries of the cache.
pub(crate) const IOTLB: usize = api::MOCK_NESTED_DOMAIN_IOTLB_NUM as usize;
/// Bytes that the data of HWPT_ALLOC has at least.
const DATA_MIN: usize = 4;

/// What the data of HWPT_ALLOC fills the cache with. EOPNOTSUPP for another type of data, EINVAL for a length that does not fit, EFAULT.
pub(crate) fn nested_data(hardware: &mut Hardware, request: &HwptAlloc) -> Result<[u32; IOTLB]> {
    if request.data_type != api::HWPT_DATA_SELFTEST {
        return Err(Errno::EOPNOTSUPP);
    }
    let mut bytes = [0; api::HwptSelftest::SIZE];
    let known = bytes.get_mut(..request.data_len as usize).filter(|known| known.len() >= DATA_MIN).ok_or(Errno::EINVAL)?;
    hardware.copy_in(request.data_uptr, known)?;
    Ok([api::HwptSelftest::read(&bytes).iotlb; IOTLB])
}

/// HWPT_INVALIDATE: clears one entry or all. EINVAL for another type of data or an entry that is not there, EOPNOTSUPP for unknown flags.
pub(crate) fn invalidate_nested(
    hardware: &mut Hardware,
    iotlb: &mut [u32; IOTLB],
    data_type: u32,
    entries: Entries,
    done: &mut u32,
) -> Result<()> {
    if data_type != api::HWPT_INVALIDATE_DATA_SELFTEST {
        return Err(Errno::EINVAL);
    }
    for index in 0..entries.count {
        let bytes = entries.copy_in::<{ api::HwptInvalidateSelftest::SIZE }>(hardware, index)?;
        let entry = api::HwptInvalidateSelftest::read(&bytes);
        if entry.flags & !api::TEST_INVALIDATE_FLAG_ALL != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let one = iotlb.get_mut(entry.iotlb_id as usize).ok_or(Errno::EINVAL)?;
        if entry.flags & api::TEST_INVALIDATE_FLAG_ALL == 0 {
            *one = 0;
        } else {
            *iotlb = [0; IOTLB];
        }
        *done += 1;
    }
    Ok(())
}

/// MD_CHECK_IOTLB: whether an entry of a nested page table's cache has a value. EINVAL if not.
pub(super) fn check_iotlb(call: &mut Call) -> Result<()> {
    let request = api::TestMdCheckIotlb::read(call.bytes()?);
    let context = call.context()?;
    let index = context.objects.index(request.id, ObjectKind::Nested)?;
    match &context.nested.get(index).ok_or(Errno::EIO)?.stage {
        Stage::Mock { iotlb } if iotlb.get(request.iotlb_id as usize) == Some(&request.iotlb) => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}
