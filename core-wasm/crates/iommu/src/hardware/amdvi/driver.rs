//! The driver half of AMD-Vi: the device table and commands.

use super::super::queue::CommandQueue;
use super::super::{Context, Pages, Root, Who, alloc, entry, set_word, set_words, word};
use super::AmdVi;
use super::layout::{
    ADDRESS, ALL_PAGES, BLOCK_LG2_MAX, COMPLETION_WAIT, DOMAIN_SHIFT, ENTRY_LG2, GUEST, GUEST_DEFAULT, GUEST_INDEX_LG2, GUEST_LEVELS_SHIFT,
    GUEST_MODE_SHIFT, GUEST_ROOT, INVALIDATE_ALL, INVALIDATE_ENTRY, INVALIDATE_PAGES, MANY_PAGES, MARKS, MODE_SHIFT, OPERATION_SHIFT,
    PAGES_OF_GUEST, READS, STORES, TABLES_TOO, TRANSLATES, VALID, WRITES,
};
use crate::iommu::NO_PASID;
use crate::ram::{FRAME, FRAME_LG2, Ram};
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

/// What a requester has used.
#[derive(Clone, Copy)]
struct Before {
    domain: u64,
    /// Whether that was a guest table.
    guest: bool,
}

/// What an entry says that a requester uses, if it says so.
fn before(&[low, high, _]: &[u64; 3]) -> Option<Before> {
    (low & (ADDRESS | GUEST) != 0).then_some(Before { domain: high & 0xffff, guest: low & GUEST != 0 })
}

/// What an entry says of its GCR3 table, of words 0 and 1.
fn kept(&[low, high, _]: &[u64; 3]) -> [u64; 2] {
    let mut masks = [3 << GUEST_LEVELS_SHIFT, 0];
    for (word, _, shift, bits) in GUEST_ROOT {
        masks[word] |= ((1 << bits) - 1) << shift;
    }
    [low & masks[0], high & masks[1]]
}

/// The GCR3 table that an entry names; 0 for none.
pub(super) fn guest_root(words: &[u64; 3]) -> u64 {
    GUEST_ROOT.iter().map(|&(word, low, shift, bits)| (words[word] >> shift & ((1 << bits) - 1)) << low).sum()
}

/// Gives back GCR3 tables from one on, down to that of PASID 0.
fn free_guest_tables(ram: &mut Ram, mut table: u64) {
    while table != 0 {
        let below = word(ram, table).unwrap_or(0) & ADDRESS;
        set_word(ram, table, 0);
        ram.free_table(Pa(table), FRAME_LG2);
        table = below;
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

    /// Makes the GCR3 table of a requester down to its entry of PASID 0, and has its entry of the device table name it, without effect yet. It stays.
    pub(super) fn make_guest_table(&mut self, ram: &mut Ram, requester: u16, pasid_bits: u8) -> Result<()> {
        let at = self.place(requester).ok_or(Errno::EINVAL)?;
        if entry(ram, at).is_none_or(|words| guest_root(&words) != 0) {
            return Ok(());
        }
        let levels = u32::from(pasid_bits).div_ceil(GUEST_INDEX_LG2).max(1);
        let mut child = alloc(ram, FRAME_LG2)?;
        for _ in 1..levels {
            let table = alloc(ram, FRAME_LG2).inspect_err(|_| free_guest_tables(ram, child))?;
            set_word(ram, table, child | VALID);
            child = table;
        }
        self.guest_frames += u64::from(levels);
        let mut words: [u64; 3] = [BLOCKED | u64::from(levels - 1) << GUEST_LEVELS_SHIFT, 0, 0];
        for (word, low, shift, bits) in GUEST_ROOT {
            words[word] |= (child >> low & ((1 << bits) - 1)) << shift;
        }
        set_words(ram, at, &words);
        Ok(())
    }

    pub(super) fn set(&mut self, ram: &mut Ram, who: Who, to: &Context) -> Result<()> {
        let at = self.place(who.requester).filter(|_| who.pasid == NO_PASID && to.first.is_none()).ok_or(Errno::EINVAL)?;
        let words = entry(ram, at).ok_or(Errno::EINVAL)?;
        let Root { table, levels, first_stage } = to.host;
        let marks = if to.marks { MARKS } else { 0 };
        let before = before(&words);
        let (translation, mode) = if first_stage {
            set_word(ram, self.guest_place(ram, &words).ok_or(Errno::EINVAL)?, table | VALID);
            (GUEST | GUEST_DEFAULT, u64::from(levels - 4) << GUEST_MODE_SHIFT)
        } else {
            self.clear_guest(ram, &words, before);
            (table | u64::from(levels) << MODE_SHIFT | marks, 0)
        };
        let [kept, kept_high] = kept(&words);
        set_word(ram, at + 8, kept_high | u64::from(to.domain));
        set_word(ram, at + 16, mode);
        set_word(ram, at, kept | translation | READS | WRITES | BLOCKED);
        self.forget(ram, who.requester, before);
        Ok(())
    }

    pub(super) fn clear(&mut self, ram: &mut Ram, who: Who) {
        let Some(at) = self.place(who.requester).filter(|_| who.pasid == NO_PASID) else { return };
        let Some(words) = entry(ram, at) else { return };
        let Some(used) = before(&words) else { return };
        let [kept, kept_high] = kept(&words);
        set_words(ram, at, &[kept | BLOCKED, kept_high, 0]);
        self.clear_guest(ram, &words, Some(used));
        self.forget(ram, who.requester, Some(used));
    }

    /// Takes the page table of PASID 0 out of the GCR3 table that an entry names, if it was used.
    fn clear_guest(&self, ram: &mut Ram, words: &[u64; 3], used: Option<Before>) {
        if let Some(place) = self.guest_place(ram, words).filter(|_| used.is_some_and(|used| used.guest)) {
            set_word(ram, place, 0);
        }
    }

    /// Where the entry of PASID 0 is in the GCR3 table that an entry names.
    fn guest_place(&self, ram: &Ram, words: &[u64; 3]) -> Option<u64> {
        let root = guest_root(words);
        let levels = words[0] >> GUEST_LEVELS_SHIFT & 3;
        (0..levels).try_fold(root, |table, _| word(ram, table).map(|entry| entry & ADDRESS)).filter(|_| root != 0)
    }

    /// Posts what makes the hardware forget an entry, which it may remember even if it blocked, and translations of a domain.
    fn forget(&mut self, ram: &mut Ram, requester: u16, before: Option<Before>) {
        self.post(ram, [INVALIDATE_ENTRY << OPERATION_SHIFT | u64::from(requester), 0]);
        if let Some(Before { domain, guest }) = before {
            let pages = if guest { ALL_PAGES | PAGES_OF_GUEST } else { ALL_PAGES };
            self.post(ram, [INVALIDATE_PAGES << OPERATION_SHIFT | domain << DOMAIN_SHIFT, pages]);
        }
        self.wait(ram);
    }

    /// Posts what makes the hardware forget translations of pages, and as Linux has it of tables on the way in any case.
    pub(super) fn forget_pages(&mut self, ram: &mut Ram, pages: &Pages) {
        let domain = u64::from(pages.domain) << DOMAIN_SHIFT;
        let (start, lg2) = pages.block();
        let address = match lg2 {
            FRAME_LG2 => start | TABLES_TOO,
            // The highest bit of the block is 0 and tells where the ones end.
            ..=BLOCK_LG2_MAX => start | ((1 << (lg2 - 1)) - 1) & !(FRAME - 1) | TABLES_TOO | MANY_PAGES,
            _ => ALL_PAGES,
        };
        let guest = if pages.first_stage { PAGES_OF_GUEST } else { 0 };
        self.post(ram, [INVALIDATE_PAGES << OPERATION_SHIFT | domain, address | guest]);
        self.wait(ram);
    }

    /// At the start: the hardware may remember anything.
    pub(super) fn forget_everything(&mut self, ram: &mut Ram) {
        self.post(ram, [INVALIDATE_ALL << OPERATION_SHIFT, 0]);
        self.wait(ram);
    }

    /// A completion wait: what it stores says that what was posted before is done.
    pub(super) const fn completion_wait(&self) -> [u64; 2] {
        [COMPLETION_WAIT << OPERATION_SHIFT | self.store | STORES, DONE]
    }
}
