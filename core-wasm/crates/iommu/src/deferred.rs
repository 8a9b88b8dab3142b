//! Lazy invalidation: ranges that were unmapped wait, so that caches are told once for many of them.
//!
//! As in Linux's DMA API (drivers/iommu/dma-iommu.c, `fq_ring`): once the queue is full, each domain that waits is forgotten as a whole. Until then
//! a device may go by a translation that is not mapped any more, to memory that may be anybody's by now. IOVAs that wait are not mapped again before the
//! caches were told, and tables are told of at once.

use crate::OutOfMemory;
use crate::domain::DomainId;
use crate::fault::FaultReason;
use crate::iommu::Iommu;
use crate::iotlb::Hit;
use crate::ram::Ram;
use crate::statistics::DeviceStatistics;
use alloc::vec::Vec;
use iova::Range;
use pgtable::{Prot, Run};
use uapi::Result;

/// Ranges that wait.
#[derive(Default)]
pub(crate) struct Deferred {
    /// Room for a batch, and never more; none: nothing waits.
    ranges: Vec<(DomainId, Range)>,
    batch: usize,
}

impl Deferred {
    /// Whether ranges are to wait.
    #[inline]
    pub(crate) fn is_lazy(&self) -> bool {
        self.batch != 0
    }

    /// Whether a range of a domain meets one that waits.
    pub(crate) fn meets(&self, id: DomainId, first: u64, last: u64) -> bool {
        self.ranges.iter().any(|(owner, range)| *owner == id && range.start <= last && first <= range.last)
    }

    /// Nothing of a domain waits any more: all that is cached of it has gone.
    pub(crate) fn end(&mut self, id: DomainId) {
        self.ranges.retain(|(other, _)| *other != id);
    }

    /// Nothing waits any more: all that is cached has gone.
    pub(crate) fn end_all(&mut self) {
        self.ranges.clear();
    }
}

impl Iommu {
    /// Has unmapped ranges wait until there are `batch` of them; 0: none waits. What waits is told first. ENOMEM.
    pub fn set_batch(&mut self, ram: &mut Ram, batch: u32) -> Result<()> {
        self.flush(ram);
        self.deferred.ranges.try_reserve_exact(batch as usize).map_err(OutOfMemory::from)?;
        self.deferred.batch = batch as usize;
        Ok(())
    }

    /// Ranges that wait.
    pub fn waiting(&self) -> usize {
        self.deferred.ranges.len()
    }

    /// Tells the caches of all that waits. No translation is stale once this returns.
    pub fn flush(&mut self, ram: &mut Ram) {
        while let Some((id, _)) = self.deferred.ranges.pop() {
            self.deferred.end(id);
            self.invalidate_all(ram, id);
        }
    }

    /// Has a range wait that was unmapped.
    pub(crate) fn defer(&mut self, ram: &mut Ram, id: DomainId, first: u64, last: u64, tables: bool) {
        let Some(domain) = self.domains.get(id) else { return };
        self.iotlb.let_go(&domain.space, first, last, tables);
        self.deferred.ranges.push((id, Range { start: first, last }));
        if self.deferred.ranges.len() >= self.deferred.batch {
            self.flush(ram);
        }
    }

    /// The memory that a stale translation leads to, up to the end of its page. Of what is there now tables alone are out of reach of a write: this machine's
    /// kernel goes on where another one's would be lost.
    #[cold]
    pub(crate) fn use_stale(
        ram: &mut Ram,
        hit: Hit,
        iova: u64,
        wanted: Prot,
        counts: &mut DeviceStatistics,
    ) -> core::result::Result<Run, FaultReason> {
        counts.stale_hits += 1;
        let run = hit.rest_of_page(iova);
        if wanted == Prot::READ || !ram.contains(run.pa, 1) {
            return Ok(run);
        }
        let length = ram.exposed(run.pa, run.length);
        if length == 0 {
            return Err(FaultReason::KernelMemory);
        }
        ram.soil(run.pa, length);
        Ok(Run { length, ..run })
    }
}
