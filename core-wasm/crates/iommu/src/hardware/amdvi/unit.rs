//! The hardware half of AMD-Vi: look-ups, the command buffer, events.

use super::super::{Caches, Context, Fault, Found, Root, Who, absent, bad, entry, unreachable};
use super::AmdVi;
use super::driver::guest_root;
use super::layout::{
    ADDRESS, BLOCK_LG2_MAX, CODE_SHIFT, COMPLETION_WAIT, DOMAIN_SHIFT, ENTRY_UNREACHABLE, FLAG_DENIED, FLAG_GUEST, FLAG_PRESENT,
    FLAG_RESERVED, FLAG_WRITE, GUEST, GUEST_DEFAULT, GUEST_INDEX_LG2, GUEST_LEVELS_SHIFT, GUEST_MODE_SHIFT, ILLEGAL_ENTRY, INVALID_REQUEST,
    INVALIDATE_ALL, INVALIDATE_ENTRY, INVALIDATE_PAGES, MANY_PAGES, MARKS, MODE_SHIFT, OPERATION_SHIFT, PAGE_FAULT, PASID_HIGH_SHIFT,
    READS, RESERVED, STORE_ADDRESS, STORES, TABLE_UNREACHABLE, TABLES_TOO, TRANSLATES, VALID, WRITES,
};
use crate::fault::FaultReason;
use crate::iommu::NO_PASID;
use crate::ram::{FRAME, FRAME_LG2, Ram};
use pgtable::{Pa, TableMemory};

/// Highest paging mode.
const MODE_MAX: u64 = 6;

impl AmdVi {
    /// What the entry of a requester says. An entry that lets everything pass, which this driver never writes, is taken for an illegal one.
    pub(super) fn look_up_entry(&self, ram: &Ram, who: Who) -> Found<Context> {
        let illegal = bad(ILLEGAL_ENTRY);
        let at = self.place(who.requester).ok_or(illegal)?;
        let words: [u64; 3] = entry(ram, at).ok_or(unreachable(ENTRY_UNREACHABLE))?;
        let [low, high, _] = words;
        let mode = low >> MODE_SHIFT & 7;
        if low & (VALID | TRANSLATES) != VALID | TRANSLATES || low & RESERVED != 0 || mode > MODE_MAX {
            return Err(illegal);
        }
        if self.guest && low & GUEST != 0 {
            return if mode == 0 { self.look_up_guest(ram, who, &words) } else { Err(illegal) };
        }
        if who.pasid != NO_PASID {
            return Err(absent(INVALID_REQUEST));
        }
        // Without a page table, or with one that this driver has not made so, the two permissions decide alone.
        if mode == 0 || low & (READS | WRITES) != READS | WRITES {
            return Err(absent(PAGE_FAULT | FLAG_DENIED));
        }
        let host = Root { table: low & ADDRESS, levels: mode as u8, first_stage: false };
        Ok(Context { domain: high as u16, host, first: None, marks: low & MARKS == MARKS })
    }

    /// What the GCR3 table of an entry says of a PASID.
    fn look_up_guest(&self, ram: &Ram, who: Who, words: &[u64; 3]) -> Found<Context> {
        let illegal = bad(ILLEGAL_ENTRY);
        let [low, high, third] = *words;
        let (levels, mode) = ((low >> GUEST_LEVELS_SHIFT & 3) as u32 + 1, third >> GUEST_MODE_SHIFT & 3);
        if low & GUEST_DEFAULT == 0 || levels > 3 || mode > 1 {
            return Err(illegal);
        }
        if low & (READS | WRITES) != READS | WRITES {
            return Err(absent(PAGE_FAULT | FLAG_GUEST | FLAG_DENIED));
        }
        if who.pasid >> (levels * GUEST_INDEX_LG2) != 0 {
            return Err(absent(INVALID_REQUEST));
        }
        let mut table = guest_root(words);
        for level in (0..levels).rev() {
            let index = u64::from(who.pasid >> (level * GUEST_INDEX_LG2)) & ((1 << GUEST_INDEX_LG2) - 1);
            let [entry] = entry(ram, table + index * 8).ok_or(unreachable(TABLE_UNREACHABLE | FLAG_GUEST))?;
            if entry & VALID == 0 {
                return Err(absent(PAGE_FAULT | FLAG_GUEST));
            }
            table = entry & ADDRESS;
        }
        let host = Root { table, levels: 4 + mode as u8, first_stage: true };
        Ok(Context { domain: high as u16, host, first: None, marks: false })
    }

    /// Executes a command. False for a bad one.
    pub(super) fn obey_command(&self, ram: &mut Ram, [low, high]: [u64; 2], caches: &mut dyn Caches) -> bool {
        match low >> OPERATION_SHIFT {
            COMPLETION_WAIT if low & STORES == 0 => {}
            COMPLETION_WAIT if ram.contains(Pa(low & STORE_ADDRESS), 8) => {
                ram.entries_mut(Pa(low & STORE_ADDRESS), 1).fill(high);
            }
            INVALIDATE_ENTRY => caches.forget_contexts(Some(low as u16), None, None),
            INVALIDATE_PAGES => {
                let domain = (low >> DOMAIN_SHIFT) as u16;
                let address = high & !(FRAME - 1);
                let ones = if high & MANY_PAGES != 0 { (address | (FRAME - 1)).trailing_ones() + 1 } else { FRAME_LG2 };
                if ones > BLOCK_LG2_MAX {
                    caches.forget_translations(Some(domain));
                } else {
                    let below = (1 << ones) - 1;
                    caches.forget_pages(domain, address & !below, address | below, high & TABLES_TOO != 0);
                }
            }
            // All that is cached: contexts go with it, as whoever asks for translations looks them up first.
            INVALIDATE_ALL => {
                caches.forget_contexts(None, None, None);
                caches.forget_translations(None);
            }
            // An ILLEGAL_COMMAND_ERROR, which stops the buffer at the command.
            _ => return false,
        }
        true
    }

    /// Writes an event, unless the log is full.
    pub(super) fn write_event(&mut self, ram: &mut Ram, fault: &Fault) {
        let pasid = u64::from(fault.pasid.unwrap_or(0));
        let below = if fault.pasid.is_some() || fault.code & FLAG_GUEST != 0 { pasid & 0xffff } else { u64::from(fault.domain) };
        let high = pasid >> 16 << PASID_HIGH_SHIFT;
        let code = u64::from(fault.code) << CODE_SHIFT;
        // A full log loses the event; whoever looks sees that by its status.
        self.events.push(ram, [code | below << DOMAIN_SHIFT | high | u64::from(fault.requester), fault.iova]);
    }
}

/// The flag of an event that says which way the transfer went.
pub(super) const fn direction(write: bool) -> u16 {
    if write { FLAG_WRITE } else { 0 }
}

/// The code and flags of what a walk refuses.
pub(super) fn number_of(context: &Context, reason: FaultReason, write: bool) -> u16 {
    let direction = direction(write) | if context.host.first_stage { FLAG_GUEST } else { 0 };
    match reason {
        FaultReason::NoRead | FaultReason::NoWrite => PAGE_FAULT | FLAG_PRESENT | FLAG_DENIED | direction,
        FaultReason::BadTable => PAGE_FAULT | FLAG_PRESENT | FLAG_RESERVED | direction,
        FaultReason::TableUnreachable => TABLE_UNREACHABLE | direction,
        _ => PAGE_FAULT | direction,
    }
}
