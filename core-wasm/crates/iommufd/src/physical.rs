//! IOAS_NOIOMMU_GET_PA: where mapped memory is, for drivers of devices without an IOMMU.

use crate::object::ObjectKind;
use crate::request::Call;
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// IOAS_NOIOMMU_GET_PA. EPERM without CAP_SYS_RAWIO; EOPNOTSUPP for memory that no page table of a device without an IOMMU shows.
pub(crate) fn noiommu_get_pa(call: &mut Call) -> Result<()> {
    if !call.kernel.limits.sys_rawio {
        return Err(Errno::EPERM);
    }
    let request = api::IoasNoiommuGetPa::read(call.bytes()?);
    if request.flags != 0 || request.reserved != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if request.length == 0 {
        return Err(Errno::EINVAL);
    }
    if request.iova == u64::MAX {
        return Err(Errno::EOVERFLOW);
    }
    let context = call.context()?;
    let ioas = context.ioases.get(context.objects.index(request.ioas_id, ObjectKind::Ioas)?).ok_or(Errno::EIO)?;
    let (_, area) = ioas.space.get(request.iova).ok_or(Errno::ENOENT)?;
    let revoked = context.pages.get(area.pages).is_some_and(|pages| pages.revoked);
    Err(if revoked { Errno::EINVAL } else { Errno::EOPNOTSUPP })
}
