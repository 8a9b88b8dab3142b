//! Nested domains: tables that the program writes itself (first stage), on top of a domain (second stage).
//!
//! What the first stage says are addresses of the second: those of its tables and those of pages. The hardware caches what it finds, and forgets it
//! only when it is told to, or when the second stage or the attachments change. A program that changes an entry and does not say so is served from
//! the cache for as long as that happens to keep it.
//!
//! VT-d's nested domains have tables of their own, and what is cached of them is theirs. Arm's lead to context descriptors: see [`guest`].

mod cached;
mod guest;
mod tables;
mod walk;

pub(crate) use guest::Stale;
pub(crate) use tables::{ArmTables, Half};
pub use tables::{FirstStage, VtdTables};
pub use walk::SecondStage;
pub(crate) use walk::Wanted;

use crate::domain::{Domain, DomainId};
use crate::fault::FaultReason;
use crate::iommu::Iommu;
use crate::iotlb::{Hit, Iotlb};
use crate::ram::Ram;
use crate::statistics::DeviceStatistics;
use crate::{GUESTS, OutOfMemory};
use alloc::vec::Vec;
use cached::Cached;
use guest::Guests;
use pgtable::Prot;
use pgtable::fmt::VtdFs;
use tables::Tables;
use uapi::{Errno, Result};
use walk::{Refused, Walk};

/// Set in the id of a nested domain, and of no other.
const NESTED: u32 = 1 << 31;
/// Set beside it in the ids by which hardware remembers the context descriptors of guests.
const DESCRIPTOR: u32 = 1 << 30;

/// A nested domain.
struct Nested {
    parent: DomainId,
    first: FirstStage,
    /// Of VT-d's.
    cached: Cached,
}

impl DomainId {
    fn nested(self) -> Option<usize> {
        (self.0 & NESTED != 0).then_some((self.0 & !NESTED) as usize)
    }

    /// The id that hardware has for it, of 16 bits: even for domains, odd for nested ones; 0 and 1 are kept for other uses. `None`: there are too many
    /// domains.
    pub(crate) fn to_hardware(self) -> Option<u16> {
        let nested = u32::from(self.0 & NESTED != 0);
        u16::try_from((self.0 & !NESTED).checked_mul(2)? + 2 + nested).ok()
    }

    /// The domain that hardware has an id for.
    pub(crate) fn from_hardware(id: u16) -> Option<DomainId> {
        let number = u32::from(id).checked_sub(2)?;
        Some(DomainId((number / 2) | if number % 2 == 0 { 0 } else { NESTED }))
    }
}

/// All nested domains, by the number in their ids.
#[derive(Default)]
pub(crate) struct NestedDomains {
    slots: Vec<Option<Nested>>,
    count: usize,
    guests: Guests,
}

impl NestedDomains {
    /// What a nested domain is on top of, and its tables.
    pub(crate) fn stages(&self, id: DomainId) -> Option<(DomainId, FirstStage)> {
        self.slots.get(id.nested()?)?.as_ref().map(|nested| (nested.parent, nested.first))
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The tables behind an id, what they are on top of, and what is cached of them.
    fn open(&mut self, id: DomainId, iotlb: &mut Iotlb) -> Option<(Tables, DomainId, &mut Cached)> {
        if GUESTS && let Some(guest) = self.guests.get(id) {
            return Some((Tables::Arm(guest.tables), guest.parent, self.guests.cached(guest.parent, guest.tables.asid, iotlb)?));
        }
        let nested = self.slots.get_mut(id.nested()?)?.as_mut()?;
        match nested.first {
            FirstStage::Vtd(tables) => Some((Tables::Vtd(tables), nested.parent, &mut nested.cached)),
            _ => None,
        }
    }

    /// Forgets all that is cached of a nested domain. Nothing happens for another one.
    pub(crate) fn forget(&mut self, id: DomainId, iotlb: &mut Iotlb) {
        if let Some(nested) = id.nested().and_then(|slot| self.slots.get_mut(slot)?.as_mut()) {
            nested.cached.forget_all(iotlb);
        }
    }

    /// Forgets all that is cached of all nested domains.
    pub(crate) fn forget_all(&mut self, iotlb: &mut Iotlb) {
        self.forget_where(iotlb, |_| true);
    }

    /// Forgets all that is cached of what lies on a domain, since that has changed.
    #[cold]
    pub(crate) fn forget_children(&mut self, parent: DomainId, iotlb: &mut Iotlb) {
        self.forget_where(iotlb, |other| other == parent);
    }

    fn forget_where(&mut self, iotlb: &mut Iotlb, lies_on: impl Fn(DomainId) -> bool) {
        for nested in self.slots.iter_mut().flatten().filter(|nested| lies_on(nested.parent)) {
            nested.cached.forget_all(iotlb);
        }
        for space in self.guests.spaces().filter(|space| GUESTS && lies_on(space.parent)) {
            space.cached.forget_all(iotlb);
        }
    }

    /// Forgets what a guest has said is stale, whose memory is a domain.
    pub(crate) fn forget_guest(&mut self, parent: DomainId, stale: Stale, iotlb: &mut Iotlb) {
        self.guests.forget(parent, stale, iotlb);
    }
}

impl Iommu {
    /// Creates a domain of a program's tables on top of a domain, which outlives it. EINVAL for another number of levels or tables that the hardware does not
    /// have, ENOENT if there is no such parent, ENOMEM.
    pub fn create_nested(&mut self, parent: DomainId, first: FirstStage) -> Result<DomainId> {
        match first {
            FirstStage::Vtd(tables) if !(VtdFs::MIN_LEVELS..=VtdFs::MAX_LEVELS).contains(&tables.levels) => return Err(Errno::EINVAL),
            FirstStage::Vtd(_) => {}
            _ if self.config().nests() => self.nested.guests.reserve()?,
            _ => return Err(Errno::EINVAL),
        }
        self.domains.get(parent).ok_or(Errno::ENOENT)?;
        let slot = match self.nested.slots.iter().position(Option::is_none) {
            Some(slot) => slot,
            None => {
                self.nested.slots.try_reserve(1).map_err(OutOfMemory::from)?;
                self.nested.slots.push(None);
                self.nested.slots.len() - 1
            }
        };
        let number = u32::try_from(slot).ok().filter(|&number| number < DESCRIPTOR).ok_or(Errno::ENOMEM)?;
        // Even numbers are those of domains.
        let nested = Nested { parent, first, cached: Cached::new(number * 2 + 1) };
        *self.nested.slots.get_mut(slot).ok_or(Errno::EIO)? = Some(nested);
        self.nested.count += 1;
        Ok(DomainId(NESTED | number))
    }

    /// Destroys a nested domain. Requesters still attached to it are blocked from now on. Never fails; an id of none is ignored.
    pub fn destroy_nested(&mut self, ram: &mut Ram, id: DomainId) {
        self.block_requesters_of(ram, id);
        let slot = id.nested().and_then(|slot| self.nested.slots.get_mut(slot));
        if let Some(mut nested) = slot.and_then(Option::take) {
            nested.cached.forget_all(&mut self.iotlb);
            self.nested.count -= 1;
        }
    }

    /// Nested domains that exist now.
    pub fn nested_domains(&self) -> usize {
        self.nested.len()
    }

    /// Forgets what is cached of a nested domain of VT-d for `first..=last`: translations and, unless only leaves have changed, the tables on the way.
    pub fn invalidate_nested(&mut self, id: DomainId, first: u64, last: u64, leaves_only: bool) {
        let Some(nested) = id.nested().and_then(|slot| self.nested.slots.get_mut(slot)?.as_mut()) else { return };
        self.invalidations += 1;
        nested.cached.forget(&mut self.iotlb, first, last, leaves_only);
    }

    /// The memory behind `iova` up to the end of its page, if a transfer through a nested domain may use it.
    ///
    /// A cached translation that does not allow it is looked up again: the program may have allowed more since, or not be told of a write yet.
    #[cold]
    pub(crate) fn look_up_nested(
        &mut self,
        ram: &mut Ram,
        id: DomainId,
        device: u32,
        iova: u64,
        wanted: Prot,
        counts: &mut DeviceStatistics,
    ) -> core::result::Result<Hit, FaultReason> {
        let (tables, parent, cached) = self.nested.open(id, &mut self.iotlb).ok_or(FaultReason::Blocked)?;
        let address = tables.known(iova);
        if let Some(hit) = self.iotlb.get(&cached.space, address).filter(|hit| hit.prot.contains(wanted)) {
            counts.tlb_hits += 1;
            return Ok(hit);
        }
        counts.tlb_misses += 1;
        let parent = self.domains.get(parent).ok_or(FaultReason::Blocked)?;
        let mut walk = Walk { ram, tables, cached: &mut *cached, parent, reads: 0 };
        let found = walk.translate(address, wanted);
        counts.walk_reads += walk.reads;
        let found = found.map_err(|refused| refused.reason)?;
        counts.evictions += u64::from(self.iotlb.fill(&mut cached.space, device, address, &found));
        Ok(Hit::from(found))
    }

    /// Why a transfer through a nested domain is refused, which it has just been.
    fn refusal_of(&mut self, ram: &mut Ram, id: DomainId, iova: u64, wanted: Prot) -> Option<(Tables, Refused)> {
        let (tables, parent, cached) = self.nested.open(id, &mut self.iotlb)?;
        let parent: &Domain = self.domains.get(parent)?;
        let refused = Walk { ram, tables, cached, parent, reads: 0 }.translate(tables.known(iova), wanted).err()?;
        Some((tables, refused))
    }
}
