//! Who uses which domain: what the driver has attached, what the hardware finds of it in RAM, and what it remembers.

use crate::domain::DomainId;
use crate::fault::{FaultReason, FaultRecord};
use crate::hardware::{Context, Fault, Hardware, Refusal, Register, Root, Who};
use crate::iommu::{Iommu, NO_PASID};
use crate::nested::{FirstStage, SecondStage};
use crate::ram::Ram;
use crate::{GUESTS, OutOfMemory};
use alloc::vec::Vec;
use pgtable::{PageTable, Prot};
use uapi::{Errno, Result};

/// What [`Attachment`]s are sorted by, and the context cache knows a requester with a PASID by.
#[inline(always)]
pub(crate) const fn key_of(requester: u32, pasid: u32) -> u64 {
    (requester as u64) << 32 | pasid as u64
}

/// A requester with one of its PASIDs, and the domain of such transfers now.
#[derive(Clone, Copy)]
struct Attachment {
    key: u64,
    domain: DomainId,
}

impl Attachment {
    fn requester(&self) -> u32 {
        (self.key >> 32) as u32
    }

    fn pasid(&self) -> u32 {
        self.key as u32
    }
}

/// What decides about transfers.
enum Decider {
    /// A domain.
    Domain(DomainId),
    /// What a guest has for a requester with a PASID: the domain that is its memory, and its words of the stream table entry.
    Guest(Who, DomainId, [u64; 2]),
}

/// All attachments, sorted by key.
#[derive(Default)]
pub(crate) struct Requesters {
    entries: Vec<Attachment>,
}

impl Requesters {
    fn get(&self, key: u64) -> Option<DomainId> {
        let at = self.entries.binary_search_by_key(&key, |entry| entry.key).ok()?;
        Some(self.entries.get(at)?.domain)
    }

    /// Makes sure that [`Self::set`] succeeds.
    fn reserve(&mut self) -> Result<()> {
        self.entries.try_reserve(1).map_err(OutOfMemory::from)?;
        Ok(())
    }

    /// The PASIDs by which a domain is used, in the order of requesters.
    pub(crate) fn pasids_of(&self, id: DomainId) -> impl Iterator<Item = u32> {
        self.entries.iter().filter(move |entry| entry.domain == id).map(Attachment::pasid)
    }

    /// Sets the domain of a key. [`Self::reserve`] came before, unless it has one or `domain` is none.
    fn set(&mut self, key: u64, domain: Option<DomainId>) {
        let found = self.entries.binary_search_by_key(&key, |entry| entry.key);
        match (found, domain) {
            (Ok(at), Some(domain)) => self.entries[at].domain = domain,
            (Ok(at), None) => {
                self.entries.remove(at);
            }
            (Err(at), Some(domain)) => self.entries.insert(at, Attachment { key, domain }),
            (Err(_), None) => {}
        }
    }
}

impl Iommu {
    /// Lets the transfers of a requester with a PASID go through a domain, or, with `None`, nowhere. Transfers without a PASID are those with
    /// [`NO_PASID`].
    ///
    /// ENOENT if there is no such domain, ENOSPC if the hardware has no id for it, EINVAL where it cannot do that with a PASID; ENOMEM is possible only
    /// where they are blocked. `None` never fails.
    pub fn attach(&mut self, ram: &mut Ram, requester: u32, pasid: u32, domain: Option<DomainId>) -> Result<()> {
        let context = domain.map(|id| self.context_of(id)).transpose()?;
        let key = key_of(requester, pasid);
        let before = self.requesters.get(key);
        if domain.is_some() && before.is_none() {
            self.requesters.reserve()?;
        }
        self.write_context(ram, requester, pasid, context.as_ref())?;
        if self.nested.len() != 0 {
            // Hardware keeps nothing of a nested domain for a requester that comes or goes.
            for id in before.into_iter().chain(domain) {
                self.nested.forget(id, &mut self.iotlb);
            }
        }
        self.requesters.set(key, domain);
        if let Hardware::None = self.hardware {
            self.contexts.forget(|other, _| other == key);
        }
        Ok(())
    }

    /// The domain that transfers of a requester with a PASID, or with [`NO_PASID`], are to go through.
    pub fn attached(&self, requester: u32, pasid: u32) -> Option<DomainId> {
        self.requesters.get(key_of(requester, pasid))
    }

    /// The page table that transfers of a requester with a PASID, or with [`NO_PASID`], are to go through: below a program's own tables that of the kernel.
    pub fn table_of(&self, requester: u32, pasid: u32) -> Option<&PageTable> {
        let id = self.attached(requester, pasid)?;
        let parent = self.nested.stages(id).map_or(id, |(parent, _)| parent);
        self.domains.get(parent).map(|domain| &domain.table)
    }

    /// How many pairs of requester and PASID go through a domain.
    pub fn attachments(&self) -> usize {
        self.requesters.entries.len()
    }

    /// What the hardware finds in RAM for a requester with a PASID, or with [`NO_PASID`]; `None` if the hardware has no tables there.
    pub fn look_up_context(&self, ram: &Ram, requester: u16, pasid: u32) -> Option<core::result::Result<Context, Refusal>> {
        Some(self.hardware.unit()?.look_up(ram, Who { requester, pasid }))
    }

    /// What the entries of a requester that is attached to a domain say. ENOENT if there is no such domain, ENOSPC if the hardware has no id for it.
    pub fn context_of(&self, id: DomainId) -> Result<Context> {
        let nested = self.nested.stages(id);
        let parent = self.domains.get(nested.map_or(id, |(parent, _)| parent)).ok_or(Errno::ENOENT)?;
        let (table, levels) = (parent.table.root().0, parent.table.levels());
        let host = Root { table, levels, first_stage: parent.table.format().first_stage };
        // A guest is known by its memory.
        let tag = match nested {
            None | Some((_, FirstStage::Vtd(_))) => id,
            Some((parent, _)) => parent,
        };
        let domain = match self.hardware {
            Hardware::None => 0,
            _ => tag.to_hardware().ok_or(Errno::ENOSPC)?,
        };
        let first = nested.map(|(_, first)| first).filter(|first| *first != FirstStage::Passed);
        Ok(Context { domain, host, first, marks: parent.marks })
    }

    /// A register that the hardware's driver has written, by its place in the order of these; `None` after the last.
    pub fn register(&self, index: usize) -> Option<Register> {
        self.hardware.unit()?.register(index)
    }

    /// Makes room in the hardware's tables for a requester. ENOMEM. An id of more than 16 bits is that of nothing behind the hardware.
    pub(crate) fn reach(&mut self, ram: &mut Ram, requester: u32, pasid_bits: u8) -> Result<()> {
        let (Some(unit), Ok(requester)) = (self.hardware.unit_mut(), u16::try_from(requester)) else { return Ok(()) };
        unit.reach(ram, requester, pasid_bits)?;
        self.execute(ram);
        Ok(())
    }

    /// Blocks all requesters of a domain.
    pub(crate) fn block_requesters_of(&mut self, ram: &mut Ram, id: DomainId) {
        while let Some(entry) = self.requesters.entries.iter().find(|entry| entry.domain == id).copied() {
            // Blocking never fails.
            let _ = self.attach(ram, entry.requester(), entry.pasid(), None);
        }
    }

    /// Writes the entries of all requesters of a domain, and of nested ones on top of it, once more: it keeps marks now, or does not any more.
    pub(crate) fn write_contexts_of(&mut self, ram: &mut Ram, id: DomainId) {
        for at in 0..self.requesters.entries.len() {
            let Some(entry) = self.requesters.entries.get(at).copied() else { return };
            let concerned = entry.domain == id || self.nested.stages(entry.domain).is_some_and(|(parent, _)| parent == id);
            if let Some(context) = self.context_of(entry.domain).ok().filter(|_| concerned) {
                // The entry is there, so that it takes no memory.
                let _ = self.write_context(ram, entry.requester(), entry.pasid(), Some(&context));
            }
        }
    }

    /// Has the driver write what a requester uses, and the hardware do what it posts.
    fn write_context(&mut self, ram: &mut Ram, requester: u32, pasid: u32, to: Option<&Context>) -> Result<()> {
        let Some(unit) = self.hardware.unit_mut() else { return Ok(()) };
        let Ok(requester) = u16::try_from(requester) else {
            return if to.is_some() { Err(Errno::EINVAL) } else { Ok(()) };
        };
        let who = Who { requester, pasid };
        let result = match to {
            Some(to) => unit.attach(ram, who, to),
            None => {
                unit.detach(ram, who);
                Ok(())
            }
        };
        self.execute(ram);
        result
    }

    /// The domain that decides about transfers of a requester with a PASID: what the hardware remembers, or finds in RAM.
    #[inline]
    pub(crate) fn resolve(&mut self, ram: &Ram, requester: u32, pasid: u32) -> core::result::Result<DomainId, FaultReason> {
        match self.contexts.get(key_of(requester, pasid)) {
            Some(id) => Ok(id),
            None => self.resolve_uncached(ram, requester, pasid),
        }
    }

    #[cold]
    fn resolve_uncached(&mut self, ram: &Ram, requester: u32, pasid: u32) -> core::result::Result<DomainId, FaultReason> {
        match self.find(ram, requester, pasid)? {
            Decider::Domain(id) => {
                self.contexts.fill(key_of(requester, pasid), id);
                Ok(id)
            }
            Decider::Guest(..) if !GUESTS => Err(FaultReason::Blocked),
            Decider::Guest(who, parent, stream) => self.enter_guest(ram, who, parent, stream).map_err(|refusal| refusal.reason),
        }
    }

    /// As [`Self::resolve`], with nothing remembered.
    fn find(&self, ram: &Ram, requester: u32, pasid: u32) -> core::result::Result<Decider, FaultReason> {
        let Some(unit) = self.hardware.unit() else {
            return self.attached(requester, pasid).map(Decider::Domain).ok_or(FaultReason::Blocked);
        };
        let who = Who { requester: u16::try_from(requester).map_err(|_| FaultReason::Blocked)?, pasid };
        let context = unit.look_up(ram, who).map_err(|refusal| refusal.reason)?;
        // Whatever the tables name is walked, if it is a page table at all.
        let id = DomainId::from_hardware(context.domain).ok_or(FaultReason::BadTable)?;
        let (known, decider) = match context.first {
            Some(FirstStage::Arm(stream)) if GUESTS => (Context { first: None, ..context }, Decider::Guest(who, id, stream)),
            _ => (context, Decider::Domain(id)),
        };
        if self.context_of(id) == Ok(known) { Ok(decider) } else { Err(FaultReason::BadTable) }
    }

    /// The domain that transfers of a requester without a PASID go through, if it is known without a look into a guest's tables.
    pub(crate) fn find_domain(&self, ram: &Ram, requester: u32) -> core::result::Result<DomainId, FaultReason> {
        match self.find(ram, requester, NO_PASID)? {
            Decider::Domain(id) => Ok(id),
            Decider::Guest(..) => Err(FaultReason::Blocked),
        }
    }

    /// Has the hardware record a refusal of its own, and the driver take the record, which goes into the log with it.
    pub(crate) fn report(&mut self, ram: &mut Ram, record: FaultRecord) -> FaultRecord {
        let FaultRecord { requester, pasid, iova, write, reason, .. } = record;
        let Some(unit) = self.hardware.unit() else { return record };
        let Ok(requester) = u16::try_from(requester) else { return record };
        let who = Who { requester, pasid: pasid.unwrap_or(NO_PASID) };
        let (code, domain, second) = match unit.look_up(ram, who) {
            Ok(context @ Context { first: Some(FirstStage::Arm(stream)), domain, .. }) if GUESTS => {
                let wanted = if write { Prot::WRITE } else { Prot::READ };
                let (code, second) = match DomainId::from_hardware(domain) {
                    Some(parent) => self.refusal_of_guest(ram, who, parent, stream, (iova, wanted, reason)),
                    None => (unit.code(&context, reason, write), SecondStage::NONE),
                };
                (code, domain, second)
            }
            Ok(context) => {
                let is_second = context.first.is_none() && !context.host.first_stage;
                let second = if is_second { SecondStage::of_page(iova, reason) } else { SecondStage::NONE };
                (unit.code(&context, reason, write), context.domain, second)
            }
            Err(refusal) => (unit.refusal_code(&refusal, write), 0, refusal.second),
        };
        let Some(unit) = self.hardware.unit_mut() else { return record };
        unit.record(ram, &Fault { requester, pasid, domain, iova, write, code, second });
        FaultRecord { raw: unit.take_record(ram), code, ..record }
    }
}
