//! IOAS_UNMAP: whole areas go. Never allocates.

use crate::hardware::Hardware;
use crate::hwpt::Hwpt;
use crate::ioas::Ioas;
use crate::mapping::put_pages;
use crate::object::ObjectKind;
use crate::pages::Pages;
use crate::request::Call;
use crate::slab::Slab;
use iova::Range;
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// IOAS_UNMAP. From IOVA 0 with length 2^64 - 1: everything, which may be nothing.
pub(crate) fn unmap(call: &mut Call) -> Result<()> {
    let mut request = api::IoasUnmap::read(call.bytes()?);
    let (context, hardware) = call.parts()?;
    let index = context.objects.index(request.ioas_id, ObjectKind::Ioas)?;
    let ioas = context.ioases.get_mut(index).ok_or(Errno::EIO)?;
    if request.iova == 0 && request.length == u64::MAX {
        request.length = ioas.unmap_all(&context.hwpts, &mut context.pages, hardware);
    } else {
        let range = range_of(request.iova, request.length)?;
        request.length = ioas.unmap_range(&context.hwpts, &mut context.pages, hardware, range)?;
        if request.length == 0 {
            return Err(Errno::ENOENT);
        }
    }
    let mut answer = [0; api::IoasUnmap::SIZE];
    request.write(&mut answer);
    call.respond(&answer)
}

fn range_of(iova: u64, length: u64) -> Result<Range> {
    if iova == u64::MAX || length == u64::MAX {
        return Err(Errno::EOVERFLOW);
    }
    let last_of = length.checked_sub(1).ok_or(Errno::EINVAL)?;
    Ok(Range { start: iova, last: iova.checked_add(last_of).ok_or(Errno::EOVERFLOW)? })
}

impl Ioas {
    /// Removes all areas in `range`. ENOENT at the first one that reaches out of it; those before it are gone. Returns the bytes removed.
    pub(crate) fn unmap_range(
        &mut self,
        hwpts: &Slab<Hwpt>,
        pages: &mut Slab<Pages>,
        hardware: &mut Hardware,
        range: Range,
    ) -> Result<u64> {
        let mut unmapped = 0_u64;
        while let Some((area_range, area)) = self.space.first_from(range.start).filter(|(found, _)| found.start <= range.last) {
            if area_range.start < range.start || range.last < area_range.last {
                return Err(Errno::ENOENT);
            }
            self.space.remove(area_range.start);
            if let Some(entry) = pages.get_mut(area.pages) {
                self.unfill_area(hwpts, entry, hardware, area_range, area);
            }
            put_pages(pages, hardware, area.pages);
            unmapped = unmapped.wrapping_add(area_range.last - area_range.start + 1);
        }
        Ok(unmapped)
    }

    /// Removes all areas. Returns the bytes removed.
    pub(crate) fn unmap_all(&mut self, hwpts: &Slab<Hwpt>, pages: &mut Slab<Pages>, hardware: &mut Hardware) -> u64 {
        let all = Range { start: 0, last: u64::MAX };
        // No area reaches out of everything.
        self.unmap_range(hwpts, pages, hardware, all).unwrap_or(0)
    }
}
