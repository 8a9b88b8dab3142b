//! What has changed is told of: commands go into the hardware's queue, and make it forget.

use crate::GUESTS;
use crate::deferred::Deferred;
use crate::domain::{DomainId, Domains};
use crate::hardware::{Caches, ContextCache, Pages, Unit};
use crate::iommu::{Iommu, NO_PASID};
use crate::iotlb::Iotlb;
use crate::nested::{NestedDomains, Stale};
use crate::ram::Ram;
use crate::requesters::{Requesters, key_of};
use pgtable::Unmapped;

/// All of a domain, as if it had been unmapped.
const EVERYTHING: Unmapped = Unmapped { length: u64::MAX, leaves: 0, tables: 1, first: 0, last: u64::MAX };

/// What the hardware remembers, and of which domains.
struct Remembered<'a> {
    contexts: &'a mut ContextCache,
    iotlb: &'a mut Iotlb,
    domains: &'a mut Domains,
    nested: &'a mut NestedDomains,
    deferred: &'a mut Deferred,
}

impl Iommu {
    /// Has the caches forget what was unmapped of a domain, by the hardware's queue where it has one.
    pub(crate) fn invalidate(&mut self, ram: &mut Ram, id: DomainId, done: &Unmapped) {
        let (unit, mut remembered, requesters) = self.parts();
        let Some(domain) = remembered.domains.get(id) else { return };
        let Unmapped { length, first, last, leaves, tables } = *done;
        // Where there were holes, a single page can be anywhere.
        let single = leaves == 1 && length - 1 == last - first;
        let (first_stage, tables) = (domain.table.format().first_stage, tables != 0);
        match unit.zip(id.to_hardware()) {
            None => remembered.iotlb.forget(&domain.space, first, last, tables),
            Some((unit, domain)) => {
                let pages = Pages { domain, first_stage, pasid: NO_PASID, first, last, single, tables };
                if first_stage && unit.caches_by_pasid() {
                    let mut told = None;
                    for pasid in requesters.pasids_of(id) {
                        if told.replace(pasid) != Some(pasid) {
                            unit.invalidate(ram, &Pages { pasid, ..pages }, &mut remembered);
                        }
                    }
                } else {
                    unit.invalidate(ram, &pages, &mut remembered);
                }
            }
        }
        self.invalidations += 1;
    }

    /// Has the caches forget all of a domain.
    pub(crate) fn invalidate_all(&mut self, ram: &mut Ram, id: DomainId) {
        self.invalidate(ram, id, &EVERYTHING);
    }

    /// Has the hardware execute the commands that are posted.
    pub(crate) fn execute(&mut self, ram: &mut Ram) {
        let (unit, mut remembered, _) = self.parts();
        if let Some(unit) = unit {
            unit.execute(ram, &mut remembered);
        }
    }

    /// The hardware, what it remembers, and what the driver has attached.
    #[inline(always)]
    fn parts(&mut self) -> (Option<&mut dyn Unit>, Remembered<'_>, &Requesters) {
        let Iommu { hardware, contexts, iotlb, domains, nested, deferred, requesters, .. } = self;
        (hardware.unit_mut(), Remembered { contexts, iotlb, domains, nested, deferred }, requesters)
    }
}

impl Caches for Remembered<'_> {
    fn forget_contexts(&mut self, requester: Option<u16>, pasid: Option<u32>, domain: Option<u16>) {
        let mask = requester.map_or(0, |_| key_of(u32::MAX, 0)) | pasid.map_or(0, |_| key_of(0, u32::MAX));
        let wanted = key_of(requester.unwrap_or(0).into(), pasid.unwrap_or(0));
        self.contexts.forget(|key, id| key & mask == wanted && domain.is_none_or(|domain| id.to_hardware() == Some(domain)));
    }

    fn forget_translations(&mut self, domain: Option<u16>) {
        match domain {
            None => self.forget_all(),
            Some(domain) => {
                if let Some(id) = DomainId::from_hardware(domain) {
                    self.forget_domain(id);
                }
            }
        }
    }

    fn forget_pages(&mut self, domain: u16, first: u64, last: u64, tables: bool) {
        if let Some(domain) = DomainId::from_hardware(domain).and_then(|id| self.domains.get(id)) {
            self.iotlb.forget(&domain.space, first, last, tables);
        }
    }

    fn forget_guest(&mut self, domain: u16, stale: Stale) {
        if let Some(id) = DomainId::from_hardware(domain).filter(|_| GUESTS) {
            self.nested.forget_guest(id, stale, self.iotlb);
        }
    }
}

impl Remembered<'_> {
    /// Forgets the translations of all domains, nested or not.
    #[cold]
    fn forget_all(&mut self) {
        for domain in self.domains.iter_mut() {
            self.iotlb.forget_all(&mut domain.space);
        }
        self.deferred.end_all();
        self.nested.forget_all(self.iotlb);
    }

    /// Forgets the translations of a domain, nested or not, and of the guest that it is the memory of, but nothing else that lies on top of it.
    fn forget_domain(&mut self, id: DomainId) {
        match self.domains.get_mut(id) {
            Some(domain) => {
                self.iotlb.forget_all(&mut domain.space);
                self.deferred.end(id);
                if GUESTS {
                    self.nested.forget_guest(id, Stale::ALL, self.iotlb);
                }
            }
            None => self.nested.forget(id, self.iotlb),
        }
    }
}
