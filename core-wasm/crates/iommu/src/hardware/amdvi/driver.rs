//! The driver half of AMD-Vi: the device table and commands.

use super::super::{Context, Root, Who, alloc, entry, set_word};
use super::AmdVi;
use super::layout::{
    ADDRESS, ALL_PAGES, COMPLETION_WAIT, DOMAIN_SHIFT, ENTRY_LG2, INVALIDATE_ALL, INVALIDATE_ENTRY, INVALIDATE_PAGES, MARKS, MODE_SHIFT,
    OPERATION_SHIFT, READS, STORES, TRANSLATES, VALID, WRITES,
};
use crate::iommu::NO_PASID;
use crate::ram::Ram;
use pgtable::{Pa, TableMemory};
use uapi::{Errno, Result};

/// An entry that blocks.
const BLOCKED: u64 = VALID | TRANSLATES;
/// What a completion stores.
const DONE: u64 = 1;

/// Makes all entries in bytes `from..to` of a device table block.
pub(super) fn block_all(ram: &mut Ram, table: u64, from: u64, to: u64) {
    for at in (from..to).step_by(1 << ENTRY_LG2) {
        set_word(ram, table + at, BLOCKED);
    }
}

impl AmdVi {
    /// Where the entry of a requester is, if the table reaches that far.
    pub(super) fn place(&self, requester: u16) -> Option<u64> {
        let offset = u64::from(requester) << ENTRY_LG2;
        (offset >> self.table_lg2 == 0).then_some(self.table + offset)
    }

    /// Makes the device table reach a requester. The unit is told of the larger one, and forgets all of the other.
    pub(super) fn grow(&mut self, ram: &mut Ram, requester: u16) -> Result<()> {
        if self.place(requester).is_some() {
            return Ok(());
        }
        let lg2 = (u32::from(requester).ilog2() + 1) + ENTRY_LG2;
        let (old, bytes) = (self.table, 1 << self.table_lg2);
        let table = alloc(ram, lg2)?;
        ram.copy(Pa(old), Pa(table), bytes);
        block_all(ram, table, bytes as u64, 1 << lg2);
        ram.entries_mut(Pa(old), bytes / 8).fill(0);
        ram.free_table(Pa(old), self.table_lg2);
        (self.table, self.table_lg2) = (table, lg2);
        self.forget_everything(ram);
        Ok(())
    }

    pub(super) fn set(&mut self, ram: &mut Ram, who: Who, to: &Context) -> Result<()> {
        let at = self.place(who.requester).filter(|_| who.pasid == NO_PASID && to.first.is_none()).ok_or(Errno::EINVAL)?;
        let Root { table, levels, .. } = to.host;
        let marks = if to.marks { MARKS } else { 0 };
        let before = self.domain_at(ram, at);
        set_word(ram, at + 8, u64::from(to.domain));
        set_word(ram, at, table | u64::from(levels) << MODE_SHIFT | marks | READS | WRITES | BLOCKED);
        self.forget(ram, who.requester, before);
        Ok(())
    }

    pub(super) fn clear(&mut self, ram: &mut Ram, who: Who) {
        let Some(at) = self.place(who.requester).filter(|_| who.pasid == NO_PASID) else { return };
        let before = self.domain_at(ram, at);
        if before.is_some() {
            set_word(ram, at, BLOCKED);
            set_word(ram, at + 8, 0);
            self.forget(ram, who.requester, before);
        }
    }

    /// The domain of an entry with a page table.
    fn domain_at(&self, ram: &Ram, at: u64) -> Option<u64> {
        let [low, high] = entry(ram, at)?;
        (low & ADDRESS != 0).then_some(high & 0xffff)
    }

    /// Posts what makes the hardware forget an entry, which it may remember even if it blocked, and translations of a domain.
    fn forget(&mut self, ram: &mut Ram, requester: u16, domain: Option<u64>) {
        self.post(ram, [INVALIDATE_ENTRY << OPERATION_SHIFT | u64::from(requester), 0]);
        if let Some(domain) = domain {
            self.post(ram, [INVALIDATE_PAGES << OPERATION_SHIFT | domain << DOMAIN_SHIFT, ALL_PAGES]);
        }
        self.wait(ram);
    }

    /// At the start: the hardware may remember anything.
    pub(super) fn forget_everything(&mut self, ram: &mut Ram) {
        self.post(ram, [INVALIDATE_ALL << OPERATION_SHIFT, 0]);
        self.wait(ram);
    }

    /// Posts a completion wait: what it stores says that what was posted before is done.
    fn wait(&mut self, ram: &mut Ram) {
        self.post(ram, self.wait_command());
    }

    const fn wait_command(&self) -> [u64; 2] {
        [COMPLETION_WAIT << OPERATION_SHIFT | self.store | STORES, DONE]
    }

    /// If the buffer has stopped at a bad command: puts one that does nothing in its place, and starts it again.
    pub(super) fn replace_bad(&mut self, ram: &mut Ram) -> bool {
        if !self.stopped {
            return false;
        }
        self.commands.replace(ram, self.wait_command());
        self.stopped = false;
        true
    }

    /// Posts a command. The buffer has room: whoever has posted has it executed.
    pub(in super::super) fn post(&mut self, ram: &mut Ram, words: [u64; 2]) {
        let fits = self.commands.push(ram, &words);
        debug_assert!(fits, "the command buffer has room");
    }
}
