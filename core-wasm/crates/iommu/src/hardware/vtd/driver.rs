//! The driver half of VT-d: tables, commands, fault records taken.

use super::super::queue::CommandQueue;
use super::super::{Context, Pages, Root, Who, alloc, set_word, word};
use super::Vtd;
use super::layout::{
    ADDRESS, ALL_OF_PASID, CONTEXT_BYTES, CONTEXT_DOMAIN_SHIFT, CONTEXT_PASIDS, CONTEXT_SIZE_SHIFT, DOMAIN_SHIFT, FAULT, GLOBAL,
    HIGH_SHIFT, INVALIDATE_CONTEXTS, INVALIDATE_IOTLB, INVALIDATE_PASID_IOTLB, INVALIDATE_PASIDS, OF_DOMAIN, OF_PASID, OF_REQUESTER,
    PAGES_LG2_MAX, PAGES_OF_DOMAIN, PAGES_OF_PASID, PASID_EXTENDED, PASID_MARKS, PASID_MODE_SHIFT, PASID_SUPERVISOR, PASID_TYPE_SHIFT,
    PASID_WIDTH_SHIFT, PASID_WORDS, PASIDS_LG2, PRESENT, ROOT_BYTES, SCALABLE_CONTEXT_BYTES, TABLES_REMAIN, TYPE_FIRST, TYPE_NESTED,
    TYPE_SECOND, WAIT, WAIT_FENCE, WAIT_WRITES,
};
use crate::iommu::NO_PASID;
use crate::nested::FirstStage;
use crate::ram::{FRAME_LG2, Ram};
use pgtable::{Pa, TableMemory};
use uapi::{Errno, Result};

/// What a wait descriptor writes.
const DONE: u64 = 1;

/// What a requester has used with a PASID.
#[derive(Clone, Copy)]
struct Before {
    domain: u16,
    /// Whether the first stage, the host's or a program's, had a part in it.
    by_pasid: bool,
}

impl Vtd {
    /// Where the root table says where the context table of a requester is, and where its entry is in that.
    pub(super) fn places(&self, requester: u16) -> (u64, u64) {
        let (bus, function) = (u64::from(requester >> 8), u64::from(requester & 0xff));
        let root = self.root + bus * ROOT_BYTES;
        if self.scalable {
            (root + (function >> 7) * 8, (function & 0x7f) * SCALABLE_CONTEXT_BYTES)
        } else {
            (root, function * CONTEXT_BYTES)
        }
    }

    /// Makes the context table of a requester, and in scalable mode its context entry with a PASID directory, which stay.
    pub(super) fn make_room(&mut self, ram: &mut Ram, requester: u16, pasid_bits: u8) -> Result<()> {
        let (root, _) = self.places(requester);
        self.need_table(ram, root, FRAME_LG2, PRESENT)?;
        if let Some(context) = self.context_place(ram, requester).filter(|_| self.scalable) {
            // A directory has a frame at least, and there is no reason to say that it has less.
            let bits = u32::from(pasid_bits).max(FRAME_LG2 - 3 + PASIDS_LG2);
            let size = u64::from(bits - PASIDS_LG2 - 7) << CONTEXT_SIZE_SHIFT;
            self.need_table(ram, context, bits - PASIDS_LG2 + 3, size | CONTEXT_PASIDS | PRESENT)?;
        }
        Ok(())
    }

    /// Makes sure that the entry at `at` leads to a table of 2^`lg2` bytes, with `bits` beside its address.
    fn need_table(&mut self, ram: &mut Ram, at: u64, lg2: u32, bits: u64) -> Result<()> {
        if child(ram, at).is_none() {
            let table = alloc(ram, lg2)?;
            self.frames += 1 << (lg2 - FRAME_LG2);
            set_word(ram, at, table | bits);
        }
        Ok(())
    }

    /// Where the context entry of a requester is.
    fn context_place(&self, ram: &Ram, requester: u16) -> Option<u64> {
        let (root, offset) = self.places(requester);
        Some(child(ram, root)? + offset)
    }

    /// Where the directory entry of a PASID is, if the directory reaches that far.
    fn directory_place(&self, ram: &Ram, who: Who) -> Option<u64> {
        let context = word(ram, self.context_place(ram, who.requester)?)?;
        let reaches = who.pasid >> (PASIDS_LG2 + 7) >> (context >> CONTEXT_SIZE_SHIFT & 7) == 0;
        (reaches && context & PRESENT != 0).then_some((context & ADDRESS) + u64::from(who.pasid >> PASIDS_LG2) * 8)
    }

    /// Where the entry is that names the page table of a requester with a PASID, if its table is there.
    fn place(&self, ram: &Ram, who: Who) -> Option<u64> {
        if !self.scalable {
            return self.context_place(ram, who.requester).filter(|_| who.pasid == NO_PASID);
        }
        let table = child(ram, self.directory_place(ram, who)?)?;
        Some(table + u64::from(who.pasid & ((1 << PASIDS_LG2) - 1)) * 8 * PASID_WORDS as u64)
    }

    /// What a requester uses with a PASID, by its entry.
    fn before(&self, ram: &Ram, who: Who) -> Option<Before> {
        let at = self.place(ram, who)?;
        let (low, high) = (word(ram, at).filter(|low| low & PRESENT != 0)?, word(ram, at + 8)?);
        let (kind, shift) = if self.scalable { (low >> PASID_TYPE_SHIFT & 7, 0) } else { (TYPE_SECOND, CONTEXT_DOMAIN_SHIFT) };
        Some(Before { domain: (high >> shift) as u16, by_pasid: kind != TYPE_SECOND })
    }

    pub(super) fn set(&mut self, ram: &mut Ram, who: Who, to: &Context) -> Result<()> {
        let before = self.before(ram, who);
        if self.scalable {
            let directory = self.directory_place(ram, who).ok_or(Errno::EINVAL)?;
            self.need_table(ram, directory, FRAME_LG2, PRESENT)?;
        }
        let is_second = to.first.is_none() && !to.host.first_stage;
        let at = self.place(ram, who).filter(|_| self.scalable || is_second).ok_or(Errno::EINVAL)?;
        if self.scalable {
            for (at, word) in (at..).step_by(8).zip(pasid_entry(to)) {
                set_word(ram, at, word);
            }
            self.count(ram, who, i32::from(before.is_none()));
        } else {
            let Root { table, levels, .. } = to.host;
            set_word(ram, at + 8, u64::from(levels - 2) | u64::from(to.domain) << CONTEXT_DOMAIN_SHIFT);
            set_word(ram, at, table | PRESENT);
        }
        // What is not present is not cached.
        if let Some(before) = before {
            self.forget(ram, who, before);
        }
        Ok(())
    }

    pub(super) fn clear(&mut self, ram: &mut Ram, who: Who) {
        let Some(before) = self.before(ram, who) else { return };
        let Some(at) = self.place(ram, who) else { return };
        let words = if self.scalable { PASID_WORDS } else { 2 };
        for at in (at..).step_by(8).take(words) {
            set_word(ram, at, 0);
        }
        self.forget(ram, who, before);
        if self.scalable {
            self.count(ram, who, -1);
        }
    }

    /// Counts an entry more or less in a PASID table, and gives the table back with its last one.
    fn count(&mut self, ram: &mut Ram, who: Who, change: i32) {
        let Some(directory) = self.directory_place(ram, who) else { return };
        let Some(table) = child(ram, directory) else { return };
        let live = ram.live(Pa(table)).wrapping_add_signed(change);
        ram.set_live(Pa(table), live);
        if live == 0 {
            set_word(ram, directory, 0);
            ram.free_table(Pa(table), FRAME_LG2);
            self.frames -= 1;
        }
    }

    /// Posts what makes the hardware forget what a requester used with a PASID: as section 6.5.3.3 has it, translations that the first stage had a part
    /// in by their PASID, others by their domain.
    fn forget(&mut self, ram: &mut Ram, who: Who, before: Before) {
        let domain = u64::from(before.domain) << DOMAIN_SHIFT;
        let context = if self.scalable {
            INVALIDATE_PASIDS | OF_PASID | domain | u64::from(who.pasid) << HIGH_SHIFT
        } else {
            INVALIDATE_CONTEXTS | OF_REQUESTER | domain | u64::from(who.requester) << HIGH_SHIFT
        };
        let translations = if before.by_pasid {
            INVALIDATE_PASID_IOTLB | ALL_OF_PASID | domain | u64::from(who.pasid) << HIGH_SHIFT
        } else {
            INVALIDATE_IOTLB | OF_DOMAIN | domain
        };
        self.post(ram, [context, 0]);
        self.post(ram, [translations, 0]);
        self.wait(ram);
    }

    /// Posts what makes the hardware forget translations of pages.
    pub(super) fn forget_pages(&mut self, ram: &mut Ram, pages: &Pages) {
        let domain = u64::from(pages.domain) << DOMAIN_SHIFT;
        let (kind, all, some) = if pages.first_stage {
            (INVALIDATE_PASID_IOTLB | u64::from(pages.pasid) << HIGH_SHIFT, ALL_OF_PASID, PAGES_OF_PASID)
        } else {
            (INVALIDATE_IOTLB, OF_DOMAIN, PAGES_OF_DOMAIN)
        };
        let (start, lg2) = pages.block();
        let order = u64::from(lg2 - FRAME_LG2);
        let hint = if pages.tables { 0 } else { TABLES_REMAIN };
        let words = if order > PAGES_LG2_MAX { [kind | all | domain, 0] } else { [kind | some | domain, start | hint | order] };
        self.post(ram, words);
        self.wait(ram);
    }

    /// At the start: the hardware may remember anything.
    pub(super) fn forget_everything(&mut self, ram: &mut Ram) {
        self.post(ram, [INVALIDATE_CONTEXTS | GLOBAL, 0]);
        if self.scalable {
            self.post(ram, [INVALIDATE_PASIDS | OF_REQUESTER, 0]);
        }
        self.post(ram, [INVALIDATE_IOTLB | GLOBAL, 0]);
        self.wait(ram);
    }

    /// A wait descriptor: its status says that what was posted before is done.
    pub(super) const fn wait_descriptor(&self) -> [u64; 2] {
        [WAIT | WAIT_WRITES | WAIT_FENCE | DONE << HIGH_SHIFT, self.status]
    }

    /// Reads the fault recording register and clears it.
    pub(super) fn take_fault(&mut self) -> Option<[u64; 2]> {
        let record = self.fault;
        self.fault = [0; 2];
        (record[1] & FAULT != 0).then_some(record)
    }
}

/// The PASID table entry of a context. Requests of no privilege are all that there are, so that supervisor requests are as good as others.
fn pasid_entry(to: &Context) -> [u64; PASID_WORDS] {
    let mut words = [0; PASID_WORDS];
    let Root { table, levels, first_stage } = to.host;
    let (kind, second) = match to.first {
        Some(_) => (TYPE_NESTED, table),
        None if first_stage => (TYPE_FIRST, 0),
        None => (TYPE_SECOND, table),
    };
    let marks = if to.marks { PASID_MARKS } else { 0 };
    words[0] = second | u64::from(levels - 2) << PASID_WIDTH_SHIFT | kind << PASID_TYPE_SHIFT | marks | PRESENT;
    words[1] = u64::from(to.domain);
    if kind == TYPE_FIRST {
        words[2] = table | u64::from(levels - 4) << PASID_MODE_SHIFT;
    }
    if let Some(FirstStage::Vtd(first)) = to.first {
        let extended = if first.extended_accessed { PASID_EXTENDED } else { 0 };
        words[2] = first.root & ADDRESS | u64::from(first.levels - 4) << PASID_MODE_SHIFT | extended | PASID_SUPERVISOR;
    }
    words
}

/// Where an entry that is present leads.
fn child(ram: &Ram, at: u64) -> Option<u64> {
    word(ram, at).filter(|word| word & PRESENT != 0).map(|word| word & ADDRESS)
}
