//! Requests for what this machine does not have. They answer as Linux does on hardware without the feature, with the same checks before.
//!
//! | request | answer after its checks | because |
//! | --- | --- | --- |
//! | HWPT_SET_DIRTY_TRACKING, HWPT_GET_DIRTY_BITMAP | EOPNOTSUPP | the IOMMUs track no writes |
//! | HW_QUEUE_ALLOC | EOPNOTSUPP | not built; of Linux's IOMMUs without such queues the same |
//! | IOAS_NOIOMMU_GET_PA | EOPNOTSUPP | a kernel without CONFIG_IOMMUFD_NOIOMMU |
//!
//! HWPT_ALLOC in `hwpt.rs` refuses dirty tracking in the same way.

use crate::object::ObjectKind;
use crate::range::range_of;
use crate::request::Call;
use uapi::iommufd as api;
use uapi::{Errno, Result};

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
    let range = range_of(request.iova, request.length)?;
    let misaligned = |size: u64| (range.start | range.last.wrapping_add(1)) & size.wrapping_sub(1) != 0;
    if misaligned(alignment) || request.page_size == 0 || misaligned(request.page_size) { Err(Errno::EINVAL) } else { Ok(()) }
}

/// HW_QUEUE_ALLOC.
pub(crate) fn hw_queue_alloc(call: &mut Call) -> Result<()> {
    let request = api::HwQueueAlloc::read(call.bytes()?);
    if request.flags != 0 || request.r#type == api::HW_QUEUE_TYPE_DEFAULT {
        return Err(Errno::EOPNOTSUPP);
    }
    range_of(request.nesting_parent_iova, request.length)?;
    call.context()?.viommu(request.viommu_id)?;
    Err(Errno::EOPNOTSUPP)
}

/// IOAS_NOIOMMU_GET_PA.
pub(crate) fn noiommu_get_pa(_: &mut Call) -> Result<()> {
    Err(Errno::EOPNOTSUPP)
}
