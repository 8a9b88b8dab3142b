//! Guests of an Arm SMMU: nested domains whose tables context descriptors name, which are a guest's and lie in its memory.
//!
//! The hardware remembers a descriptor for the requester and PASID that it is of, until it is told that these have another; and translations and tables by
//! what the descriptor has them tagged by: the guest, and the ASID. Two descriptors with one ASID share them, whatever tables they name.

use super::cached::Cached;
use super::tables::{ArmTables, Tables, extended};
use super::walk::SecondStage;
use super::{DESCRIPTOR, NESTED};
use crate::OutOfMemory;
use crate::domain::DomainId;
use crate::fault::FaultReason;
use crate::hardware::{ContextCache, Found, Who, absent};
use crate::iommu::Iommu;
use crate::iotlb::Iotlb;
use crate::ram::Ram;
use crate::requesters::key_of;
use alloc::vec::Vec;
use pgtable::Prot;
use uapi::{Errno, Result};

/// Address spaces of which something is cached.
const SPACES: usize = 32;

/// A descriptor that is remembered.
#[derive(Clone, Copy)]
pub(super) struct Guest {
    pub(super) parent: DomainId,
    pub(super) tables: ArmTables,
}

/// What is cached under the tag of a guest and an ASID.
pub(super) struct AddressSpace {
    pub(super) parent: DomainId,
    asid: u16,
    pub(super) cached: Cached,
}

/// What the hardware remembers of guests.
#[derive(Default)]
pub(super) struct Guests {
    /// By the place in the context cache.
    descriptors: Vec<Option<Guest>>,
    spaces: Vec<AddressSpace>,
    /// The space that goes next, where one must.
    next: usize,
}

/// What a guest makes the hardware forget of it, as its command says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stale(pub(crate) [u64; 2]);

impl Guests {
    /// Makes room, once and for all. ENOMEM.
    pub(super) fn reserve(&mut self) -> Result<()> {
        self.spaces.try_reserve_exact(SPACES - self.spaces.len()).map_err(OutOfMemory::from)?;
        self.descriptors.try_reserve_exact(ContextCache::ENTRIES - self.descriptors.len()).map_err(OutOfMemory::from)?;
        self.descriptors.resize(ContextCache::ENTRIES, None);
        Ok(())
    }

    pub(super) fn get(&self, id: DomainId) -> Option<Guest> {
        let place = (id.0 ^ (NESTED | DESCRIPTOR)) as usize;
        *self.descriptors.get(place)?
    }

    pub(super) fn spaces(&mut self) -> impl Iterator<Item = &mut AddressSpace> {
        self.spaces.iter_mut()
    }

    /// What is cached of an address space. Where there are too many one is forgotten. `None` without [`Self::reserve`].
    pub(super) fn cached(&mut self, parent: DomainId, asid: u16, iotlb: &mut Iotlb) -> Option<&mut Cached> {
        let found = self.spaces.iter().position(|space| (space.parent, space.asid) == (parent, asid));
        let at = match found {
            Some(at) => at,
            None if self.spaces.len() < self.spaces.capacity().min(SPACES) => {
                let at = self.spaces.len();
                // Odd numbers, and those of nested domains end far below.
                self.spaces.push(AddressSpace { parent, asid, cached: Cached::new(u32::MAX - 2 * at as u32) });
                at
            }
            None => {
                let at = self.next % SPACES;
                self.next = at + 1;
                let space = self.spaces.get_mut(at)?;
                space.cached.forget_all(iotlb);
                (space.parent, space.asid) = (parent, asid);
                at
            }
        };
        Some(&mut self.spaces.get_mut(at)?.cached)
    }

    /// Forgets what a guest has said is stale.
    pub(super) fn forget(&mut self, parent: DomainId, stale: Stale, iotlb: &mut Iotlb) {
        let (asid, address) = (stale.asid(), stale.address().map(extended));
        for space in &mut self.spaces {
            match address {
                _ if space.parent != parent || asid.is_some_and(|asid| space.asid != asid) => {}
                Some(address) => space.cached.forget(iotlb, address, address, stale.leaves_only()),
                None => space.cached.forget_all(iotlb),
            }
        }
    }
}

impl Iommu {
    /// The id by which the hardware remembers what a guest's descriptor says for a requester with a PASID, which it reads now; or its parent's, where
    /// transfers pass the first stage by. `stream`: the guest's words of the stream table entry.
    pub(crate) fn enter_guest(&mut self, ram: &Ram, who: Who, parent: DomainId, stream: [u64; 2]) -> Found<DomainId> {
        let key = key_of(who.requester.into(), who.pasid);
        let id = match self.read_guest(ram, who, parent, stream)? {
            None => parent,
            Some(tables) => {
                let place = ContextCache::place(key);
                *self.nested.guests.descriptors.get_mut(place).ok_or(absent(0))? = Some(Guest { parent, tables });
                DomainId(NESTED | DESCRIPTOR | place as u32)
            }
        };
        self.contexts.fill(key, id);
        Ok(id)
    }

    /// What a guest's descriptor says; `None`: its first stage is passed by.
    fn read_guest(&self, ram: &Ram, who: Who, parent: DomainId, stream: [u64; 2]) -> Found<Option<ArmTables>> {
        let (unit, parent) = self.hardware.unit().zip(self.domains.get(parent)).ok_or(absent(0))?;
        unit.read_guest(ram, parent, stream, who.pasid)
    }

    /// Why a transfer of a guest's device is refused: the kind's number, and what of the second stage.
    pub(crate) fn refusal_of_guest(
        &mut self,
        ram: &mut Ram,
        who: Who,
        parent: DomainId,
        stream: [u64; 2],
        (iova, wanted, reason): (u64, Prot, FaultReason),
    ) -> (u16, SecondStage) {
        let id = match self.contexts.get(key_of(who.requester.into(), who.pasid)) {
            Some(id) => Ok(id),
            None => self.enter_guest(ram, who, parent, stream),
        };
        let (reason, second, records) = match id {
            Err(refusal) => return (refusal.code, refusal.second),
            // It passes the first stage by.
            Ok(id) if id == parent => (reason, SecondStage::of_page(iova, reason), true),
            Ok(id) => match self.refusal_of(ram, id, iova, wanted) {
                Some((Tables::Arm(tables), refused)) => (refused.reason, refused.second, tables.records),
                _ => (reason, SecondStage::NONE, true),
            },
        };
        (self.hardware.unit().map_or(0, |unit| unit.guest_code(reason, second, records)), second)
    }

    /// Passes a guest's command on to the hardware, which knows the guest by [`Self::guest_number`] and its devices by their requester ids. EINVAL for hardware
    /// that has no guests.
    pub fn pass_on(&mut self, ram: &mut Ram, command: [u64; 2]) -> Result<()> {
        let unit = self.hardware.unit_mut().ok_or(Errno::EINVAL)?;
        unit.pass_on(ram, command)?;
        self.invalidations += 1;
        self.execute(ram);
        Ok(())
    }

    /// What the hardware knows a guest by whose memory is a domain; 0 if there is no such domain.
    pub fn guest_number(&self, parent: DomainId) -> u16 {
        self.domains.get(parent).and(parent.to_hardware()).unwrap_or(0)
    }
}
