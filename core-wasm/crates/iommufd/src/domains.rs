//! Areas in page tables: an area shown to all page tables of its IOAS, and all areas shown to a new one.

use crate::context::Context;
use crate::hardware::Hardware;
use crate::hwpt::Hwpt;
use crate::ioas::{Area, Ioas};
use crate::pages::{Backing, PAGE, Pages};
use crate::slab::Slab;
use iommu::DomainId;
use iova::{Range, ReserveError};
use uapi::{Errno, Result};

/// Who reserved a range of IOVAs, for giving it back: devices and page tables have numbers of their own.
#[derive(Clone, Copy)]
pub(crate) enum Reserver {
    Device(u32),
    Domain(DomainId),
    /// A test request: it is never given back.
    Test,
}

impl Reserver {
    pub(crate) fn owner(self) -> u64 {
        match self {
            Reserver::Device(device) => u64::from(device),
            Reserver::Domain(DomainId(domain)) => 1 << 32 | u64::from(domain),
            Reserver::Test => u64::MAX,
        }
    }
}

impl Ioas {
    /// Reserves a range. EADDRINUSE over an area or an allowed range, ENOMEM.
    pub(crate) fn reserve(&mut self, range: Range, who: Reserver) -> Result<()> {
        self.space.reserve(range, who.owner()).map_err(|error| match error {
            ReserveError::AreaOverlap | ReserveError::AllowedOverlap => Errno::EADDRINUSE,
            ReserveError::OutOfMemory => Errno::ENOMEM,
        })
    }

    /// Reserves what lies below and above the aperture of a domain. On an error a part may be reserved.
    fn reserve_beyond(&mut self, aperture: Range, domain: DomainId) -> Result<()> {
        outside(aperture).try_for_each(|range| self.reserve(range, Reserver::Domain(domain)))
    }

    /// Gives back all that somebody reserved.
    pub(crate) fn release(&mut self, who: Reserver) {
        self.space.release(who.owner());
    }

    /// Pins an area's memory and maps it in every page table. All or nothing. There is a page table.
    #[inline]
    pub(crate) fn fill_area(&self, hwpts: &Slab<Hwpt>, pages: &mut Pages, hardware: &mut Hardware, range: Range, area: Area) -> Result<()> {
        let (first, last) = area.page_range(range);
        pages.pin(hardware, first, last)?;
        for (done, domain) in self.domains(hwpts).enumerate() {
            if let Err(error) = self.map_area(hardware, domain, pages, range, area) {
                for domain in self.domains(hwpts).take(done) {
                    unmap_area(hardware, domain, range, pages);
                }
                pages.unpin(hardware, first, last);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Unmaps an area from every page table and lets go of its pins. Does nothing without a page table.
    #[inline]
    pub(crate) fn unfill_area(&self, hwpts: &Slab<Hwpt>, pages: &mut Pages, hardware: &mut Hardware, range: Range, area: Area) {
        if self.hwpts.is_empty() {
            return;
        }
        for domain in self.domains(hwpts) {
            unmap_area(hardware, domain, range, pages);
        }
        let (first, last) = area.page_range(range);
        pages.unpin(hardware, first, last);
    }

    /// Maps pinned memory in one page table. All or nothing.
    fn map_area(&self, hardware: &mut Hardware, domain: DomainId, pages: &Pages, range: Range, area: Area) -> Result<()> {
        if pages.revoked {
            return Ok(());
        }
        // An area can be no whole pages: COPY looks at the alignment of the whole range alone, as in Linux, where the page table refuses it.
        let Hardware { iommu, ram, .. } = hardware;
        let page_sizes = iommu.page_sizes(domain);
        let smallest = page_sizes & page_sizes.wrapping_neg();
        let length = range.last.wrapping_add(1).wrapping_sub(range.start);
        if (range.start | length | area.start_byte) & (smallest - 1) != 0 {
            return Err(Errno::ENXIO);
        }
        if self.small_pages && length & (PAGE - 1) != 0 {
            // Linux counts pages down past the end and maps on behind the area, until something is in its way or the table ends.
            let meets = |(other, _): (Range, Area)| other.start > range.last && iommu.translate_in(ram, domain, other.start).is_some();
            return Err(if self.space.iter_from(range.start).any(meets) { Errno::EADDRINUSE } else { Errno::ERANGE });
        }
        let (first, last) = area.byte_range(range);
        if iommu.config().remote {
            return Ok(());
        }
        if !self.small_pages {
            return iommu.map(ram, domain, range.start, pages.pinned_runs(first, last), area.prot);
        }
        // One call for each page, as neighbours in one call become large pages.
        for start in (first..=last).step_by(PAGE as usize) {
            let at = range.start + (start - first);
            if let Err(error) = iommu.map(ram, domain, at, pages.pinned_runs(start, start + (PAGE - 1)), area.prot) {
                if at > range.start {
                    iommu.unmap(ram, domain, range.start, at - range.start);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn domains(&self, hwpts: &Slab<Hwpt>) -> impl Iterator<Item = DomainId> {
        self.hwpts.iter().filter_map(|&hwpt| Some(hwpts.get(hwpt)?.domain))
    }
}

/// What lies outside of an aperture: below it, and above.
pub(crate) fn outside(aperture: Range) -> impl Iterator<Item = Range> {
    let below = aperture.start.checked_sub(1).map(|last| Range { start: 0, last });
    let above = aperture.last.checked_add(1).map(|start| Range { start, last: u64::MAX });
    below.into_iter().chain(above)
}

#[inline]
fn unmap_area(hardware: &mut Hardware, domain: DomainId, range: Range, pages: &Pages) {
    if hardware.iommu.config().remote || pages.revoked {
        return;
    }
    let length = range.last - range.start + 1;
    let unmapped = hardware.iommu.unmap(&mut hardware.ram, domain, range.start, length);
    debug_assert!(unmapped == length, "a page table maps the areas of its IOAS");
}

impl Context {
    /// Takes the memory of a dma-buf out of all page tables. What was mapped of it stays without memory; what is mapped later has it again.
    pub(crate) fn revoke(&mut self, hardware: &mut Hardware, revoked: u32) {
        let Context { ioases, hwpts, pages, .. } = self;
        let shown = |pages: &Pages| !pages.revoked && matches!(pages.backing, Backing::Dmabuf { dmabuf, .. } if dmabuf == revoked);
        for (_, ioas) in ioases.iter() {
            for (range, area) in ioas.space.iter_from(0) {
                let Some(entry) = pages.get(area.pages).filter(|pages| shown(pages)) else { continue };
                ioas.domains(hwpts).for_each(|domain| unmap_area(hardware, domain, range, entry));
            }
        }
        pages.iter_mut().filter(|pages| shown(pages)).for_each(|pages| pages.revoked = true);
    }

    /// Shows all areas of its IOAS to a page table, and adds it there.
    ///
    /// EADDRINUSE if an area does not fit its alignment, or an area or an allowed range lies beyond its aperture; what pinning refuses;
    /// ENOMEM. All or nothing.
    pub(crate) fn add_domain(&mut self, hardware: &mut Hardware, hwpt: u32) -> Result<()> {
        let Context { ioases, hwpts, pages, .. } = self;
        let new = hwpts.get(hwpt).ok_or(Errno::EIO)?;
        let (domain, alignment) = (new.domain, new.smallest_page);
        let ioas = ioases.get_mut(new.ioas).ok_or(Errno::EIO)?;
        let alignment = alignment.max(ioas.alignment);
        if alignment > PAGE {
            return Err(Errno::EINVAL);
        }
        if alignment != ioas.alignment {
            ioas.check_alignment(alignment)?;
        }
        ioas.hwpts.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let reserved = ioas.reserve_beyond(hardware.iommu.aperture(domain), domain);
        if let Err(error) = reserved.and_then(|()| ioas.fill_domain(pages, hardware, domain)) {
            ioas.release(Reserver::Domain(domain));
            return Err(error);
        }
        ioas.alignment = alignment;
        let place = ioas.hwpts.len() as u32;
        ioas.hwpts.push(hwpt);
        hwpts.get_mut(hwpt).ok_or(Errno::EIO)?.place = place;
        Ok(())
    }

    /// Takes a page table out of its IOAS. Nothing is attached to it. Its content goes with the domain.
    pub(crate) fn remove_domain(&mut self, hardware: &mut Hardware, hwpt: u32) {
        let Context { ioases, hwpts, pages, .. } = self;
        let Some(&Hwpt { ioas: number, domain, place, .. }) = hwpts.get(hwpt) else { return };
        let Some(ioas) = ioases.get_mut(number) else { return };
        let Some(at) = ioas.hwpts.iter().position(|&other| other == hwpt) else { return };
        ioas.hwpts.remove(at);
        // As in Linux the last takes its place.
        let last = ioas.hwpts.len() as u32;
        for &other in &ioas.hwpts {
            if let Some(moved) = hwpts.get_mut(other).filter(|other| other.place == last) {
                moved.place = place;
            }
        }
        if ioas.hwpts.is_empty() {
            ioas.unpin_all(pages, hardware, u64::MAX);
        }
        ioas.release(Reserver::Domain(domain));
        // The alignment does not rise, so no area is in the way.
        let _ = ioas.update_alignment(hwpts);
    }
}

impl Ioas {
    /// Maps all areas in a page table that is not one of this IOAS yet, and pins their memory if it is the first. All or nothing.
    fn fill_domain(&self, pages: &mut Slab<Pages>, hardware: &mut Hardware, domain: DomainId) -> Result<()> {
        for (range, area) in self.space.iter_from(0) {
            let entry = pages.get_mut(area.pages).ok_or(Errno::EIO)?;
            let (first, last) = area.page_range(range);
            let pin = if self.hwpts.is_empty() { entry.pin(hardware, first, last) } else { Ok(()) };
            let result = pin.and_then(|()| {
                self.map_area(hardware, domain, entry, range, area).inspect_err(|_| {
                    if self.hwpts.is_empty() {
                        entry.unpin(hardware, first, last);
                    }
                })
            });
            if let Err(error) = result {
                // What the domain maps goes with it; only the pins must be given back one by one.
                self.unfill_domain(pages, hardware, domain, range.start);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Undoes [`Self::fill_domain`] for the areas below `end`.
    fn unfill_domain(&self, pages: &mut Slab<Pages>, hardware: &mut Hardware, domain: DomainId, end: u64) {
        for (range, area) in self.space.iter_from(0).take_while(|(range, _)| range.start < end) {
            if let Some(pages) = pages.get(area.pages) {
                unmap_area(hardware, domain, range, pages);
            }
        }
        if self.hwpts.is_empty() && end > 0 {
            self.unpin_all(pages, hardware, end - 1);
        }
    }

    /// Lets go of the pins of all areas that start at `last` or before.
    fn unpin_all(&self, pages: &mut Slab<Pages>, hardware: &mut Hardware, last: u64) {
        for (range, area) in self.space.iter_from(0).take_while(|(range, _)| range.start <= last) {
            if let Some(entry) = pages.get_mut(area.pages) {
                let (first, last) = area.page_range(range);
                entry.unpin(hardware, first, last);
            }
        }
    }
}
