//! Domains: a page table each, in slots that are used again.

use crate::OutOfMemory;
use crate::fault::FaultReason;
use crate::iotlb::{Iotlb, Space};
use crate::ram::Ram;
use alloc::vec::Vec;
use iova::Range;
use pgtable::{PageTable, Prot, Translation};

/// Names a domain of an [`crate::Iommu`] from its creation to its destruction. Ids are used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DomainId(pub u32);

/// An address space for devices.
pub(crate) struct Domain {
    pub(crate) table: PageTable,
    /// What it is to the IOTLB.
    pub(crate) space: Space,
    /// The IOVAs that can be mapped.
    pub(crate) aperture: Range,
    /// Nothing may be mapped for reading alone: an erratum of VT-d, of domains below first-stage tables.
    pub(crate) writable_only: bool,
    /// Whether transfers leave marks in the tables: VT-d's SSADE, AMD's HAD.
    pub(crate) marks: bool,
    /// The page sizes that users of the domain go by, bit n for 2^n bytes.
    pub(crate) page_sizes: u64,
}

impl Domain {
    /// What `iova` translates to, found by a walk.
    #[inline]
    pub(crate) fn translate(&self, ram: &Ram, iova: u64) -> Result<Translation, FaultReason> {
        self.table.translate(ram, iova).ok_or_else(|| self.missing(iova))
    }

    /// Why nothing was found for `iova`. Of signed addresses tables translate the upper half too, where nothing is mapped.
    fn missing(&self, iova: u64) -> FaultReason {
        let last = self.table.aperture_last();
        let is_upper = self.table.format().top_extra < 0 && iova >= !last;
        if iova > last && !is_upper { FaultReason::BeyondAperture } else { FaultReason::NotPresent }
    }

    /// As [`Self::translate`], from the lowest table on that is cached. Whether one was is in `was_cached`.
    #[inline(never)]
    pub(crate) fn translate_cached(
        &mut self,
        ram: &Ram,
        iotlb: &mut Iotlb,
        iova: u64,
        was_cached: &mut bool,
    ) -> Result<Translation, FaultReason> {
        let (table, top) = (&self.table, self.table.top_step());
        let cached = iotlb.table(&self.space, iova, top.level, |level| table.table_lg2(level));
        *was_cached = cached.is_some();
        let space = &mut self.space;
        let found = table.translate_from(ram, iova, cached.unwrap_or(top), |step| {
            iotlb.fill_table(space, iova, table.table_lg2(step.level), step);
        });
        found.ok_or_else(|| self.missing(iova))
    }

    /// What was found for a transfer, with its mark left in the table if the domain keeps marks. A page that this is no write to is then answered as one
    /// that cannot be written, which is what is to be cached: the first write walks, and marks it.
    #[inline]
    pub(crate) fn marked(&self, ram: &mut Ram, iova: u64, wanted: Prot, found: Translation) -> Translation {
        if !self.marks {
            return found;
        }
        let may = found.prot.contains(wanted);
        if may {
            self.mark(ram, iova, wanted);
        }
        let is_marked = may && wanted == Prot::WRITE;
        if is_marked { found } else { Translation { prot: found.prot & Prot::READ, ..found } }
    }

    /// Leaves the mark of an access, if the domain keeps marks.
    #[inline]
    pub(crate) fn mark(&self, ram: &mut Ram, iova: u64, how: Prot) {
        if self.marks {
            self.table.touch(ram, iova, how == Prot::WRITE);
        }
    }
}

/// All domains.
#[derive(Default)]
pub(crate) struct Domains {
    slots: Vec<Option<Domain>>,
    /// Slots that are empty. Has room for every slot, so that removing needs no memory.
    free: Vec<u32>,
}

impl Domains {
    /// Makes sure that the next [`Self::insert`] succeeds. Returns the number of the domain.
    pub(crate) fn reserve(&mut self) -> Result<u32, OutOfMemory> {
        if self.free.is_empty() {
            u32::try_from(self.slots.len()).map_err(|_| OutOfMemory)?;
            self.slots.try_reserve(1)?;
            self.free.try_reserve(self.slots.len() + 1)?;
        }
        Ok(self.free.last().copied().unwrap_or(self.slots.len() as u32))
    }

    /// Adds a domain. [`Self::reserve`] came before.
    pub(crate) fn insert(&mut self, domain: Domain) -> DomainId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        self.slots[slot as usize] = Some(domain);
        DomainId(slot)
    }

    pub(crate) fn remove(&mut self, id: DomainId) -> Option<Domain> {
        let domain = self.slots.get_mut(id.0 as usize)?.take()?;
        self.free.push(id.0);
        Some(domain)
    }

    #[inline]
    pub(crate) fn get(&self, id: DomainId) -> Option<&Domain> {
        self.slots.get(id.0 as usize)?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: DomainId) -> Option<&mut Domain> {
        self.slots.get_mut(id.0 as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Domain> {
        self.slots.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Domain> {
        self.slots.iter_mut().flatten()
    }
}
