//! Requests for what this machine does not have. They answer as Linux does on hardware without the feature, with the same checks before.
//!
//! | request | answer after its checks | because |
//! | --- | --- | --- |
//! | HWPT_SET_DIRTY_TRACKING, HWPT_GET_DIRTY_BITMAP | EOPNOTSUPP | the IOMMUs track no writes |
//! | VIOMMU_ALLOC | EOPNOTSUPP, of a mock IOMMU ENOENT, EINVAL | the IOMMUs have no virtual ones |
//! | VDEVICE_ALLOC, VEVENTQ_ALLOC, HW_QUEUE_ALLOC | ENOENT | they need a virtual IOMMU |
//! | IOAS_NOIOMMU_GET_PA | EOPNOTSUPP | a kernel without CONFIG_IOMMUFD_NOIOMMU |
//!
//! HWPT_ALLOC in `hwpt.rs` refuses dirty tracking in the same way.

use crate::object::ObjectKind;
use crate::request::Call;
use iommu::Kind;
use uapi::iommufd as api;
use uapi::selftest::VIOMMU_TYPE_SELFTEST;
use uapi::{Errno, Result};

/// Most events that a queue of VEVENTQ_ALLOC may hold.
const EVENTS_MAX: u32 = 1 << 19;

/// HWPT_SET_DIRTY_TRACKING.
pub(crate) fn set_dirty_tracking(call: &mut Call) -> Result<()> {
    let request = api::HwptSetDirtyTracking::read(call.bytes()?);
    if request.flags & !api::HWPT_DIRTY_TRACKING_ENABLE != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    call.context()?.objects.index(request.hwpt_id, ObjectKind::Hwpt)?;
    Err(Errno::EOPNOTSUPP)
}

/// HWPT_GET_DIRTY_BITMAP.
pub(crate) fn get_dirty_bitmap(call: &mut Call) -> Result<()> {
    let request = api::HwptGetDirtyBitmap::read(call.bytes()?);
    if request.flags & !api::HWPT_GET_DIRTY_BITMAP_NO_CLEAR != 0 || request.reserved != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let context = call.context()?;
    let index = context.objects.index(request.hwpt_id, ObjectKind::Hwpt)?;
    let ioas = context.hwpts.get(index).ok_or(Errno::EIO)?.ioas;
    let alignment = context.ioases.get(ioas).ok_or(Errno::EIO)?.alignment;
    check_bitmap(&request, alignment)?;
    Err(Errno::EOPNOTSUPP)
}

fn check_bitmap(request: &api::HwptGetDirtyBitmap, alignment: u64) -> Result<()> {
    let last_of = request.length.checked_sub(1).ok_or(Errno::EINVAL)?;
    let last = request.iova.checked_add(last_of).ok_or(Errno::EOVERFLOW)?;
    let misaligned = |size: u64| (request.iova | last.wrapping_add(1)) & size.wrapping_sub(1) != 0;
    if misaligned(alignment) || request.page_size == 0 || misaligned(request.page_size) { Err(Errno::EINVAL) } else { Ok(()) }
}

/// VIOMMU_ALLOC.
pub(crate) fn viommu_alloc(call: &mut Call) -> Result<()> {
    let request = api::ViommuAlloc::read(call.bytes()?);
    if request.flags == 0 && request.r#type != api::VIOMMU_TYPE_DEFAULT {
        let (context, hardware) = call.parts()?;
        context.objects.index(request.dev_id, ObjectKind::Device)?;
        if hardware.iommu.config().kind == Kind::AmdMock && request.r#type == VIOMMU_TYPE_SELFTEST {
            // The mock IOMMU has virtual ones, on page tables that are made to be parents.
            let index = context.objects.index(request.hwpt_id, ObjectKind::Hwpt)?;
            if !context.hwpts.get(index).ok_or(Errno::EIO)?.nest_parent {
                return Err(Errno::EINVAL);
            }
        }
    }
    Err(Errno::EOPNOTSUPP)
}

/// VDEVICE_ALLOC.
pub(crate) fn vdevice_alloc(_: &mut Call) -> Result<()> {
    Err(Errno::ENOENT)
}

/// VEVENTQ_ALLOC.
pub(crate) fn veventq_alloc(call: &mut Call) -> Result<()> {
    let request = api::VeventqAlloc::read(call.bytes()?);
    if request.flags != 0 || request.reserved != 0 || request.r#type == api::VEVENTQ_TYPE_DEFAULT {
        return Err(Errno::EOPNOTSUPP);
    }
    if request.veventq_depth == 0 || request.veventq_depth > EVENTS_MAX {
        return Err(Errno::EINVAL);
    }
    Err(Errno::ENOENT)
}

/// HW_QUEUE_ALLOC.
pub(crate) fn hw_queue_alloc(call: &mut Call) -> Result<()> {
    let request = api::HwQueueAlloc::read(call.bytes()?);
    if request.flags != 0 || request.r#type == api::HW_QUEUE_TYPE_DEFAULT {
        return Err(Errno::EOPNOTSUPP);
    }
    let last_of = request.length.checked_sub(1).ok_or(Errno::EINVAL)?;
    request.nesting_parent_iova.checked_add(last_of).ok_or(Errno::EOVERFLOW)?;
    Err(Errno::ENOENT)
}

/// IOAS_NOIOMMU_GET_PA.
pub(crate) fn noiommu_get_pa(_: &mut Call) -> Result<()> {
    Err(Errno::EOPNOTSUPP)
}
