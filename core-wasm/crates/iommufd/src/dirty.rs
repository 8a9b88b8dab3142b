//! Dirty tracking of page tables: which pages devices have written to.

use crate::access::parts;
use crate::bitmap::Bitmap;
use crate::hardware::Hardware;
use crate::object::ObjectKind;
use crate::range::range_of;
use crate::request::Call;
use iommu::DomainId;
use iova::Range;
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// HWPT_SET_DIRTY_TRACKING: lets devices leave marks in a page table, which begins without any, or no longer. EOPNOTSUPP for unknown flags and for a page
/// table that was not made for it, ENOENT.
pub(crate) fn set_tracking(call: &mut Call) -> Result<()> {
    let request = api::HwptSetDirtyTracking::read(call.bytes()?);
    if request.flags & !api::HWPT_DIRTY_TRACKING_ENABLE != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let (context, hardware) = call.parts()?;
    let index = context.objects.index(request.hwpt_id, ObjectKind::Hwpt)?;
    let hwpt = context.hwpts.get(index).ok_or(Errno::EIO)?;
    if !hwpt.tracks_dirty {
        return Err(Errno::EOPNOTSUPP);
    }
    let enable = request.flags & api::HWPT_DIRTY_TRACKING_ENABLE != 0;
    if enable {
        collect(hardware, hwpt.domain, Range { start: 0, last: u64::MAX }, true, |_, _, _| ());
        hardware.iommu.forget_domain(&mut hardware.ram, hwpt.domain);
    }
    hardware.iommu.set_marks(&mut hardware.ram, hwpt.domain, enable);
    Ok(())
}

/// HWPT_GET_DIRTY_BITMAP: sets the bits of pages that were written to, and takes their marks away if not told otherwise.
///
/// EOPNOTSUPP for unknown flags, and, last, for a page table that was not made for it; ENOENT; EINVAL for a range or a page size that does not fit,
/// EOVERFLOW. As in Linux it is no error that the range has a hole, which it is read up to, or that the bitmap has no memory, where bits get lost.
pub(crate) fn get_bitmap(call: &mut Call) -> Result<()> {
    let request = api::HwptGetDirtyBitmap::read(call.bytes()?);
    if request.flags & !api::HWPT_GET_DIRTY_BITMAP_NO_CLEAR != 0 || request.reserved != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let (context, hardware) = call.parts()?;
    let index = context.objects.index(request.hwpt_id, ObjectKind::Hwpt)?;
    let hwpt = context.hwpts.get(index).ok_or(Errno::EIO)?;
    let ioas = context.ioases.get(hwpt.ioas).ok_or(Errno::EIO)?;
    let range = checked_range(&request, ioas.alignment)?;
    if !hwpt.tracks_dirty {
        return Err(Errno::EOPNOTSUPP);
    }
    let clear = request.flags & api::HWPT_GET_DIRTY_BITMAP_NO_CLEAR == 0;
    let mut bitmap = Bitmap::new(request.data, request.iova, request.length, request.page_size);
    let mut next = range.start;
    for part in parts(ioas, range) {
        let last = next + (part.last - part.first);
        collect(hardware, hwpt.domain, Range { start: next, last }, clear, |hardware, iova, length| bitmap.set(hardware, iova, length));
        next = last.wrapping_add(1);
    }
    if clear {
        hardware.iommu.forget_domain(&mut hardware.ram, hwpt.domain);
    }
    Ok(())
}

fn checked_range(request: &api::HwptGetDirtyBitmap, alignment: u64) -> Result<Range> {
    let range = range_of(request.iova, request.length)?;
    let misaligned = |size: u64| (range.start | range.last.wrapping_add(1)) & size.wrapping_sub(1) != 0;
    if misaligned(alignment) || request.page_size == 0 || misaligned(request.page_size) { Err(Errno::EINVAL) } else { Ok(range) }
}

/// Calls `found` with each page of a range that was written to: where it starts and its length. With `clear` their marks go, but caches are not told.
fn collect(hardware: &mut Hardware, domain: DomainId, range: Range, clear: bool, mut found: impl FnMut(&mut Hardware, u64, u64)) {
    let mut at = range.start;
    loop {
        let Hardware { iommu, ram, .. } = hardware;
        let Some(leaf) = iommu.next_dirty(ram, domain, at, range.last, clear) else { return };
        found(hardware, leaf.first, 1 << leaf.lg2);
        if leaf.last() >= range.last {
            return;
        }
        at = leaf.last() + 1;
    }
}
