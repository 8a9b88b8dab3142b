//! Nested domains: tables that the program writes itself (first stage), on top of a domain (second stage).
//!
//! What the first stage says are addresses of the second: those of its tables and those of pages. The hardware caches what it finds, and forgets it
//! only when it is told to, or when the second stage or the attachments change. A program that changes an entry and does not say so is served from
//! the cache for as long as that happens to keep it.

use crate::OutOfMemory;
use crate::domain::{Domain, DomainId};
use crate::fault::FaultReason;
use crate::iommu::Iommu;
use crate::iotlb::{Hit, Iotlb, Space};
use crate::ram::{FRAME_LG2, Ram};
use crate::statistics::DeviceStatistics;
use alloc::vec::Vec;
use pgtable::fmt::VtdFs;
use pgtable::{Entry, Pa, Prot, TableMemory, Translation};
use uapi::{Errno, Result};

/// Set in the id of a nested domain, and of no other.
const NESTED: u32 = 1 << 31;
/// Paging-structure entries that are cached for one domain.
const STRUCTURES: usize = 32;
const TABLE_ENTRIES: usize = 512;
const LEVELS_MAX: usize = VtdFs::MAX_LEVELS as usize;

/// Tables of the program's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FirstStage {
    /// Where the top table is: an address of the second stage. Bits below a page are ignored.
    pub root: u64,
    /// 4 or 5.
    pub levels: u32,
    /// Whether the hardware sets the extended accessed bit too.
    pub extended_accessed: bool,
}

/// A table that walks came through, so that the next one need not begin at the top.
#[derive(Clone, Copy)]
struct Step {
    level: u32,
    table: Pa,
    /// Where the second stage has it.
    address: u64,
    /// What the entries on the way to it allow.
    prot: Prot,
    /// What the second stage allows for the table itself.
    table_prot: Prot,
}

/// A [`Step`] in the cache, with the part of the address that it is for.
#[derive(Clone, Copy)]
struct Structure {
    prefix: u64,
    step: Step,
}

/// A nested domain.
pub(crate) struct Nested {
    parent: DomainId,
    first: FirstStage,
    /// What it is to the IOTLB.
    space: Space,
    /// Whether the IOTLB may have parts of a first-stage page, since the second stage has it in parts; they go with any part of it.
    parts: bool,
    structures: [Option<Structure>; STRUCTURES],
}

/// An entry that a walk used.
#[derive(Clone, Copy)]
struct Used {
    table: Pa,
    address: u64,
    index: usize,
    table_prot: Prot,
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

impl Nested {
    /// The lowest table on the way to `iova` that is cached.
    fn cached(&self, iova: u64) -> Option<Step> {
        (0..self.first.levels - 1).find_map(|level| {
            let prefix = iova >> VtdFs::item_lg2(level + 1);
            let structure = self.structures.get(slot_of(prefix, level))?.as_ref()?;
            (structure.prefix == prefix && structure.step.level == level).then_some(structure.step)
        })
    }

    fn cache(&mut self, iova: u64, step: Step) {
        let prefix = iova >> VtdFs::item_lg2(step.level + 1);
        if let Some(slot) = self.structures.get_mut(slot_of(prefix, step.level)) {
            *slot = Some(Structure { prefix, step });
        }
    }

    /// Forgets tables on the way to addresses of a range.
    fn forget_structures(&mut self, first: u64, last: u64) {
        for slot in &mut self.structures {
            let meets = |structure: &Structure| {
                let lg2 = VtdFs::item_lg2(structure.step.level + 1);
                first >> lg2 <= structure.prefix && structure.prefix <= last >> lg2
            };
            if slot.as_ref().is_some_and(meets) {
                *slot = None;
            }
        }
    }

    /// Forgets everything.
    fn forget_all(&mut self, iotlb: &mut Iotlb) {
        iotlb.forget_all(&mut self.space);
        self.parts = false;
        self.structures = [None; STRUCTURES];
    }
}

fn slot_of(prefix: u64, level: u32) -> usize {
    (prefix as usize).wrapping_add(level as usize * 11) % STRUCTURES
}

/// All nested domains, by the number in their ids.
#[derive(Default)]
pub(crate) struct NestedDomains {
    slots: Vec<Option<Nested>>,
    count: usize,
}

impl NestedDomains {
    fn get(&self, id: DomainId) -> Option<&Nested> {
        self.slots.get(id.nested()?)?.as_ref()
    }

    fn get_mut(&mut self, id: DomainId) -> Option<&mut Nested> {
        self.slots.get_mut(id.nested()?)?.as_mut()
    }

    /// What a nested domain is on top of, and its tables.
    pub(crate) fn stages(&self, id: DomainId) -> Option<(DomainId, FirstStage)> {
        self.get(id).map(|nested| (nested.parent, nested.first))
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }
}

impl Iommu {
    /// Creates a domain of a program's tables on top of a domain, which outlives it. EINVAL for another number of levels, ENOENT if there is no such
    /// parent, ENOMEM.
    pub fn create_nested(&mut self, parent: DomainId, first: FirstStage) -> Result<DomainId> {
        if !(VtdFs::MIN_LEVELS..=VtdFs::MAX_LEVELS).contains(&first.levels) {
            return Err(Errno::EINVAL);
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
        let number = u32::try_from(slot).ok().filter(|&number| number < NESTED).ok_or(Errno::ENOMEM)?;
        // Even numbers are those of domains.
        let space = Space::new(number * 2 + 1);
        let nested = Nested { parent, first, space, parts: false, structures: [None; STRUCTURES] };
        *self.nested.slots.get_mut(slot).ok_or(Errno::EIO)? = Some(nested);
        self.nested.count += 1;
        Ok(DomainId(NESTED | number))
    }

    /// Destroys a nested domain. Requesters still attached to it are blocked from now on. Never fails; an id of none is ignored.
    pub fn destroy_nested(&mut self, ram: &mut Ram, id: DomainId) {
        self.block_requesters_of(ram, id);
        let slot = id.nested().and_then(|slot| self.nested.slots.get_mut(slot));
        if let Some(mut nested) = slot.and_then(Option::take) {
            self.iotlb.forget_all(&mut nested.space);
            self.nested.count -= 1;
        }
    }

    /// Nested domains that exist now.
    pub fn nested_domains(&self) -> usize {
        self.nested.len()
    }

    /// Forgets what is cached of a nested domain for `first..=last`: translations and, unless only leaves have changed, the tables on the way.
    pub fn invalidate_nested(&mut self, id: DomainId, first: u64, last: u64, leaves_only: bool) {
        let Some(nested) = self.nested.get_mut(id) else { return };
        self.invalidations += 1;
        if nested.parts {
            self.iotlb.forget_all(&mut nested.space);
            nested.parts = false;
        } else {
            self.iotlb.forget(&nested.space, first, last, false);
        }
        if !leaves_only {
            nested.forget_structures(first, last);
        }
    }

    /// Forgets all that is cached of a nested domain. Nothing happens for another one.
    pub(crate) fn forget_nested(&mut self, id: DomainId) {
        if let Some(nested) = self.nested.get_mut(id) {
            nested.forget_all(&mut self.iotlb);
        }
    }

    /// Forgets all that is cached of all nested domains.
    pub(crate) fn forget_all_nested(&mut self) {
        for nested in self.nested.slots.iter_mut().flatten() {
            nested.forget_all(&mut self.iotlb);
        }
    }

    /// Forgets all that is cached of what lies on a domain, since that has changed.
    #[cold]
    pub(crate) fn forget_children(&mut self, parent: DomainId) {
        for nested in self.nested.slots.iter_mut().flatten().filter(|nested| nested.parent == parent) {
            nested.forget_all(&mut self.iotlb);
        }
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
        let nested = self.nested.get_mut(id).ok_or(FaultReason::Blocked)?;
        let parent = self.domains.get(nested.parent).ok_or(FaultReason::Blocked)?;
        if let Some(hit) = self.iotlb.get(&nested.space, iova).filter(|hit| hit.prot.contains(wanted)) {
            counts.tlb_hits += 1;
            return Ok(hit);
        }
        counts.tlb_misses += 1;
        let mut walk = Walk { ram, nested, parent, reads: 0 };
        let found = walk.translate(iova, wanted);
        counts.walk_reads += walk.reads;
        let found = found?;
        counts.evictions += u64::from(self.iotlb.fill(&mut nested.space, device, iova, &found));
        Ok(Hit::from(found))
    }
}

/// One look-up through both stages.
struct Walk<'a> {
    ram: &'a mut Ram,
    nested: &'a mut Nested,
    parent: &'a Domain,
    reads: u64,
}

impl Walk<'_> {
    /// Where an address of the second stage is, and what it allows. An access that it allows leaves its mark there.
    fn second(&mut self, address: u64, wanted: Prot, refused: FaultReason) -> core::result::Result<Translation, FaultReason> {
        let found = self.parent.translate(self.ram, address).map_err(|_| refused)?;
        self.reads += u64::from(found.reads);
        if found.prot.contains(wanted) {
            self.parent.mark(self.ram, address, wanted);
        }
        Ok(found)
    }

    /// The table at an address of the second stage.
    fn table(&mut self, address: u64, level: u32, prot: Prot) -> core::result::Result<Step, FaultReason> {
        let found = self.second(address, Prot::READ, FaultReason::TableUnreachable)?;
        // Registers of a device are no table.
        if !found.prot.contains(Prot::READ) || !self.ram.contains(found.pa, 1 << FRAME_LG2) {
            return Err(FaultReason::TableUnreachable);
        }
        Ok(Step { level, table: found.pa, address, prot, table_prot: found.prot })
    }

    fn translate(&mut self, iova: u64, wanted: Prot) -> core::result::Result<Translation, FaultReason> {
        let first = self.nested.first;
        if !VtdFs::is_canonical(iova, first.levels) {
            return Err(FaultReason::BeyondAperture);
        }
        let mut step = match self.nested.cached(iova) {
            Some(step) => step,
            None => self.table(first.root & !((1 << FRAME_LG2) - 1), first.levels - 1, Prot::READ | Prot::WRITE)?,
        };
        let mut path = Path::default();
        for depth in 0..LEVELS_MAX {
            let index = VtdFs::index(iova, step.level);
            let entry = self.ram.entries(step.table, TABLE_ENTRIES).get(index).copied().ok_or(FaultReason::TableUnreachable)?;
            self.reads += 1;
            let kind = VtdFs::load(entry, step.level);
            if kind == Entry::Empty {
                return Err(FaultReason::NotPresent);
            }
            if VtdFs::is_malformed(entry, step.level) {
                return Err(FaultReason::BadTable);
            }
            let (level, prot) = (step.level, step.prot & VtdFs::prot(entry));
            path.note(depth, Used { table: step.table, address: step.address, index, table_prot: step.table_prot }, step);
            let address = VtdFs::address(entry, level);
            if kind == Entry::Leaf {
                let lg2 = VtdFs::item_lg2(level);
                let found = self.leaf(address | iova & ((1 << lg2) - 1), lg2, prot, wanted)?;
                return self.finish(iova, found, wanted, &path);
            }
            step = self.table(address, level - 1, prot)?;
        }
        Err(FaultReason::BadTable)
    }

    /// Where the address of a page that the first stage has found is, if both stages allow what is wanted.
    fn leaf(&mut self, address: u64, lg2: u32, prot: Prot, wanted: Prot) -> core::result::Result<Translation, FaultReason> {
        if !prot.contains(wanted) {
            return Err(if wanted == Prot::WRITE { FaultReason::NoWrite } else { FaultReason::NoRead });
        }
        let found = self.second(address, wanted, FaultReason::SecondStage)?;
        if !found.prot.contains(wanted) {
            return Err(FaultReason::SecondStage);
        }
        self.nested.parts |= lg2 > u32::from(found.lg2_size);
        Ok(Translation { prot: prot & found.prot, lg2_size: found.lg2_size.min(lg2 as u8), ..found })
    }

    /// Marks the entries on the way as used, and keeps the tables for the next walk. A page that no write has gone through is kept as one that may
    /// not be written, so that the first write comes here and marks it.
    fn finish(&mut self, iova: u64, found: Translation, wanted: Prot, path: &Path) -> core::result::Result<Translation, FaultReason> {
        let extended = self.nested.first.extended_accessed;
        let mut dirty = false;
        let mut used = path.entries.iter().flatten().peekable();
        while let Some(Used { table, address, index, table_prot }) = used.next().copied() {
            let is_leaf = used.peek().is_none();
            let entries = self.ram.entries_mut(table, TABLE_ENTRIES);
            let entry = entries.get_mut(index).ok_or(FaultReason::TableUnreachable)?;
            let touched = VtdFs::mark(*entry, extended, is_leaf && wanted == Prot::WRITE);
            if touched != *entry {
                if !table_prot.contains(Prot::WRITE) {
                    return Err(FaultReason::TableUnreachable);
                }
                *entry = touched;
                self.parent.mark(self.ram, address, Prot::WRITE);
            }
            dirty = is_leaf && VtdFs::is_dirty(touched);
        }
        // The first table is the root, or is cached already.
        for step in path.steps.iter().flatten().skip(1) {
            self.nested.cache(iova, *step);
        }
        // Nor may a page that the second stage has not marked.
        let dirty = dirty && (wanted == Prot::WRITE || !self.parent.marks);
        Ok(if dirty { found } else { Translation { prot: found.prot & Prot::READ, ..found } })
    }
}

/// What a walk has come through.
#[derive(Default)]
struct Path {
    entries: [Option<Used>; LEVELS_MAX],
    steps: [Option<Step>; LEVELS_MAX],
}

impl Path {
    fn note(&mut self, depth: usize, used: Used, step: Step) {
        if let (Some(entry), Some(place)) = (self.entries.get_mut(depth), self.steps.get_mut(depth)) {
            (*entry, *place) = (Some(used), Some(step));
        }
    }
}
