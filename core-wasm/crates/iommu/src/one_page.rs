//! The fast path of DMA: a transfer within a page that the kernel has mapped, to or from RAM.

use crate::dma::{Direction, Source};
use crate::iommu::{Iommu, NO_PASID};
use crate::iotlb::Hit;
use crate::ram::{Extent, FRAME, Ram};
use crate::requesters::key_of;
use pgtable::{Prot, Run};

impl Iommu {
    /// Makes the transfer, and counts it. `None`, and nothing has moved or is counted, where it is anything else or is to be refused: then
    /// [`Iommu::dma_read`] and [`Iommu::dma_write`] go the long way.
    #[inline(always)]
    pub(crate) fn transfer_in_page(&mut self, ram: &mut Ram, source: &Source, iova: u64, buffer: Run, direction: Direction) -> Option<()> {
        let Run { pa, length } = buffer;
        // Of 0 bytes there is nothing to do, and the subtraction makes them too many.
        if length.wrapping_sub(1) >= FRAME - (iova & (FRAME - 1)) || !ram.contains(pa, length) {
            return None;
        }
        let device = self.devices.get_mut(source.device as usize)?;
        let domain = self.domains.get_mut(self.contexts.get(key_of(source.requester, source.pasid.unwrap_or(NO_PASID)))?)?;
        let wanted = Wanted { prot: direction.prot(), iova, length, extent: ram.extent() };
        let statistics = &mut device.statistics;
        let target = match self.iotlb.get(&domain.space, iova) {
            Some(hit) => {
                if !wanted.is_served_by(hit) {
                    return None;
                }
                statistics.tlb_hits += 1;
                hit.pa
            }
            None if domain.marks || self.iotlb.has_structures() => return None,
            None => {
                let found = domain.table.translate(ram, iova)?;
                if !wanted.is_served_by(Hit::from(found)) {
                    return None;
                }
                statistics.tlb_misses += 1;
                statistics.walk_reads += u64::from(found.reads);
                statistics.evictions += u64::from(self.iotlb.fill(&mut domain.space, source.device, iova, &found));
                found.pa
            }
        };
        statistics.bytes += length;
        let (from, to) = match direction {
            Direction::Read => {
                statistics.reads += 1;
                (target, pa)
            }
            Direction::Write => {
                statistics.writes += 1;
                (pa, target)
            }
        };
        ram.copy(from, to, length as usize);
        Some(())
    }
}

/// What a transfer asks for.
struct Wanted {
    prot: Prot,
    iova: u64,
    length: u64,
    extent: Extent,
}

impl Wanted {
    /// Whether a translation allows it, within a page that is RAM.
    #[inline(always)]
    fn is_served_by(&self, hit: Hit) -> bool {
        hit.prot.contains(self.prot) && hit.rest_of_page(self.iova).length >= self.length && self.extent.contains(hit.pa, self.length)
    }
}
