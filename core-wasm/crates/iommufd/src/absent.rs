//! Requests for what this machine does not have. They answer as Linux does on hardware without the feature, with the same checks before.
//!
//! | request | answer after its checks | because |
//! | --- | --- | --- |
//! | HW_QUEUE_ALLOC | EOPNOTSUPP | not built; of Linux's IOMMUs without such queues the same |
//! | IOAS_NOIOMMU_GET_PA | EOPNOTSUPP | a kernel without CONFIG_IOMMUFD_NOIOMMU |

use crate::range::range_of;
use crate::request::Call;
use uapi::iommufd as api;
use uapi::{Errno, Result};

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
