//! What other requests do on a machine with a mock IOMMU: the data of HWPT_ALLOC, the flag for fuzzers of COPY.

use crate::hardware::Hardware;
use crate::ioas::Ioas;
use crate::object::ObjectKind;
use crate::request::Call;
use iommu::Kind;
use uapi::iommufd::{HwptAlloc, IoasCopy};
use uapi::selftest as api;
use uapi::{Errno, Result};

/// Bytes that the data of HWPT_ALLOC has at least.
const DATA_MIN: usize = 4;

/// Whether HWPT_ALLOC asks for a page table for huge pages. False without data, which other IOMMUs have refused already.
///
/// EOPNOTSUPP for a type of data or of page table that is unknown, EINVAL for a length that does not fit, EFAULT.
pub(crate) fn wants_huge(hardware: &mut Hardware, request: &HwptAlloc) -> Result<bool> {
    let length = request.data_len as usize;
    if length == 0 || !super::PRESENT {
        return Ok(false);
    }
    if request.data_type != api::HWPT_DATA_SELFTEST {
        return Err(Errno::EOPNOTSUPP);
    }
    let mut bytes = [0; api::HwptSelftest::SIZE];
    let known = bytes.get_mut(..length).filter(|known| known.len() >= DATA_MIN).ok_or(Errno::EINVAL)?;
    hardware.copy_in(request.data_uptr, known)?;
    match api::HwptSelftest::read(&bytes).pagetable_type {
        api::MOCK_IOMMUPT_DEFAULT => Ok(false),
        api::MOCK_IOMMUPT_HUGE => Ok(true),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// COPY with the flag for fuzzers, which guess IOVAs badly: the source's low half then counts areas, the high half is an offset in that area.
/// The flag goes. 0 beyond the last area; without such an IOAS the IOVA stays.
pub(crate) fn convert_iova(call: &mut Call, request: &mut IoasCopy) -> Result<()> {
    let (context, hardware) = call.parts()?;
    if !super::PRESENT || hardware.iommu.config().kind != Kind::AmdMock || request.flags & api::MOCK_FLAGS_ACCESS_SYZ == 0 {
        return Ok(());
    }
    request.flags &= !api::MOCK_FLAGS_ACCESS_SYZ;
    let Ok(index) = context.objects.index(request.src_ioas_id, ObjectKind::Ioas) else { return Ok(()) };
    let ioas = context.ioases.get(index).ok_or(Errno::EIO)?;
    request.src_iova = nth_area(ioas, request.src_iova);
    Ok(())
}

/// The IOVA that the number of an area, in the low half, and an offset in it, in the high half, stand for. 0 beyond the last area.
pub(super) fn nth_area(ioas: &Ioas, iova: u64) -> u64 {
    let (number, offset) = (iova as u32, iova >> 32);
    ioas.space.iter_from(0).nth(number as usize).map_or(0, |(range, _)| range.start.wrapping_add(offset))
}
