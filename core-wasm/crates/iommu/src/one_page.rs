//! The fast path of DMA: a transfer within a page that the kernel has mapped, to or from RAM.

use crate::dma::{Direction, Source};
use crate::iommu::{Iommu, NO_PASID};
use crate::iotlb::Hit;
use crate::ram::{FRAME, Ram};
use crate::requesters::key_of;
use pgtable::Run;

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
        let may =
            |hit: &Hit| hit.prot.contains(direction.prot()) && hit.rest_of_page(iova).length >= length && ram.contains(hit.pa, length);
        let statistics = &mut device.statistics;
        let target = match self.iotlb.get(&domain.space, iova) {
            Some(hit) => {
                if !may(&hit) {
                    return None;
                }
                statistics.tlb_hits += 1;
                hit.pa
            }
            None if domain.marks || self.iotlb.has_structures() => return None,
            None => {
                let found = domain.table.translate(ram, iova)?;
                if !may(&Hit::from(found)) {
                    return None;
                }
                statistics.tlb_misses += 1;
                statistics.walk_reads += u64::from(found.reads);
                statistics.evictions += u64::from(self.iotlb.fill(&mut domain.space, source.device, iova, &found));
                found.pa
            }
        };
        statistics.bytes += length;
        match direction {
            Direction::Read => {
                statistics.reads += 1;
                ram.copy(target, pa, length as usize);
            }
            Direction::Write => {
                statistics.writes += 1;
                ram.copy(pa, target, length as usize);
            }
        }
        Some(())
    }
}
