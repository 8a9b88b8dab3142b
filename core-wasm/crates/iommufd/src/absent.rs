//! Requests for what this machine does not have. They answer as Linux does on hardware without the feature, with the same checks before.
//!
//! | request | answer after its checks | because |
//! | --- | --- | --- |
//! | IOAS_NOIOMMU_GET_PA | EOPNOTSUPP | a kernel without CONFIG_IOMMUFD_NOIOMMU |

use crate::request::Call;
use uapi::{Errno, Result};

/// IOAS_NOIOMMU_GET_PA.
pub(crate) fn noiommu_get_pa(_: &mut Call) -> Result<()> {
    Err(Errno::EOPNOTSUPP)
}
