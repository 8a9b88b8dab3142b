//! IOAS_UNMAP: whole areas go. Never allocates.

use crate::context::Context;
use crate::hardware::Hardware;
use crate::hwpt::Hwpt;
use crate::ioas::Ioas;
use crate::mapping::put_pages;
use crate::object::ObjectKind;
use crate::pages::Pages;
use crate::range::range_of;
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
    let everything = request.iova == 0 && request.length == u64::MAX;
    let range = if everything { Range::ALL } else { wanted(request.iova, request.length)? };
    let mut unmapped = 0;
    context.unmap_range(hardware, index, range, &mut unmapped)?;
    if unmapped == 0 && !everything {
        return Err(Errno::ENOENT);
    }
    request.length = unmapped;
    let mut answer = [0; api::IoasUnmap::SIZE];
    request.write(&mut answer);
    call.respond(&answer)
}

fn wanted(iova: u64, length: u64) -> Result<Range> {
    if iova == u64::MAX || length == u64::MAX { Err(Errno::EOVERFLOW) } else { range_of(iova, length) }
}

impl Context {
    /// Removes all areas in `range`; users of accesses are told before, one area after the other. Adds the bytes removed to `unmapped`, also when
    /// it fails: at the first area that reaches out of the range with ENOENT, or that hardware works on with EBUSY; those before it are gone.
    #[inline]
    pub(crate) fn unmap_range(&mut self, hardware: &mut Hardware, ioas: u32, range: Range, unmapped: &mut u64) -> Result<()> {
        let entry = self.ioases.get_mut(ioas).ok_or(Errno::EIO)?;
        if entry.accesses.is_empty() {
            return entry.unmap_range(&self.hwpts, &mut self.pages, hardware, range, unmapped);
        }
        self.unmap_accessed(hardware, ioas, range, unmapped)
    }

    fn unmap_accessed(&mut self, hardware: &mut Hardware, ioas: u32, range: Range, unmapped: &mut u64) -> Result<()> {
        // What was done before models were told.
        *unmapped = core::mem::take(&mut hardware.waiting.unmapped);
        loop {
            let entry = self.ioases.get(ioas).ok_or(Errno::EIO)?;
            let Some((area, _)) = entry.space.first_from(range.start).filter(|(area, _)| area.start <= range.last) else { return Ok(()) };
            if self.is_locked(ioas, area) {
                return Err(Errno::EBUSY);
            }
            if area.start < range.start || range.last < area.last {
                return Err(Errno::ENOENT);
            }
            // Test users let go at once; of models it is known when the host has told them.
            if self.has_pins(ioas, area) {
                self.notify_unmap(hardware, ioas, area)?;
                if self.has_pins(ioas, area) {
                    return Err(hardware.waiting.ask_again(*unmapped));
                }
            }
            hardware.waiting.next_area();
            let entry = self.ioases.get_mut(ioas).ok_or(Errno::EIO)?;
            entry.unmap_range(&self.hwpts, &mut self.pages, hardware, area, unmapped)?;
        }
    }
}

impl Ioas {
    /// Removes all areas in `range`, in which nobody has pins. Otherwise as [`Context::unmap_range`].
    fn unmap_range(
        &mut self,
        hwpts: &Slab<Hwpt>,
        pages: &mut Slab<Pages>,
        hardware: &mut Hardware,
        range: Range,
        unmapped: &mut u64,
    ) -> Result<()> {
        while let Some((area_range, area)) = self.space.first_from(range.start).filter(|(found, _)| found.start <= range.last) {
            if area_range.start < range.start || range.last < area_range.last {
                return Err(Errno::ENOENT);
            }
            self.space.remove(area_range.start);
            if let Some(entry) = pages.get_mut(area.pages) {
                self.unfill_area(hwpts, entry, hardware, area_range, area);
            }
            put_pages(pages, hardware, area.pages);
            *unmapped = unmapped.wrapping_add(area_range.last - area_range.start + 1);
            if area_range.last == range.last {
                break;
            }
        }
        Ok(())
    }

    /// Removes all areas.
    pub(crate) fn unmap_all(&mut self, hwpts: &Slab<Hwpt>, pages: &mut Slab<Pages>, hardware: &mut Hardware) {
        // No area reaches out of everything.
        let _ = self.unmap_range(hwpts, pages, hardware, Range::ALL, &mut 0);
    }
}
