//! The hardware half of AMD-Vi: look-ups, the command buffer, events.

use super::super::{Context, Fault, Forget, Found, Root, Who, absent, bad, entry, unreachable};
use super::AmdVi;
use super::layout::{
    ADDRESS, CODE_SHIFT, COMPLETION_WAIT, DOMAIN_SHIFT, ENTRY_UNREACHABLE, FLAG_DENIED, FLAG_PRESENT, FLAG_RESERVED, FLAG_WRITE,
    ILLEGAL_ENTRY, INVALID_REQUEST, INVALIDATE_ALL, INVALIDATE_ENTRY, INVALIDATE_PAGES, MARKS, MODE_SHIFT, OPERATION_SHIFT, PAGE_FAULT,
    PASID_HIGH_SHIFT, READS, RESERVED, STORE_ADDRESS, STORES, TABLE_UNREACHABLE, TRANSLATES, VALID, WRITES,
};
use crate::fault::FaultReason;
use crate::iommu::NO_PASID;
use crate::ram::Ram;
use pgtable::{Pa, TableMemory};

/// Highest paging mode.
const MODE_MAX: u64 = 6;

impl AmdVi {
    /// What the entry of a requester says. An entry that lets everything pass, which this driver never writes, is taken for an illegal one.
    pub(super) fn look_up_entry(&self, ram: &Ram, who: Who) -> Found<Context> {
        let illegal = bad(ILLEGAL_ENTRY);
        let at = self.place(who.requester).ok_or(illegal)?;
        let [low, high] = entry(ram, at).ok_or(unreachable(ENTRY_UNREACHABLE))?;
        let mode = low >> MODE_SHIFT & 7;
        if low & (VALID | TRANSLATES) != VALID | TRANSLATES || low & RESERVED != 0 || mode > MODE_MAX {
            return Err(illegal);
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

    /// Executes commands up to one that has something forgotten.
    pub(super) fn run_queue(&mut self, ram: &mut Ram) -> Option<Forget> {
        while let Some([low, high]) = self.commands.peek(ram).filter(|_| !self.stopped) {
            match low >> OPERATION_SHIFT {
                COMPLETION_WAIT if low & STORES == 0 || ram.contains(Pa(low & STORE_ADDRESS), 8) => {
                    if low & STORES != 0 {
                        ram.entries_mut(Pa(low & STORE_ADDRESS), 1).fill(high);
                    }
                    self.commands.skip();
                }
                INVALIDATE_ENTRY => {
                    self.commands.skip();
                    return Some(Forget::Contexts { requester: Some(low as u16), pasid: None, domain: None });
                }
                INVALIDATE_PAGES => {
                    self.commands.skip();
                    return Some(Forget::Translations { domain: Some((low >> DOMAIN_SHIFT) as u16) });
                }
                // All that is cached: contexts go with it, as whoever asks for translations looks them up first.
                INVALIDATE_ALL => {
                    self.commands.skip();
                    return Some(Forget::Everything);
                }
                _ => {
                    // An ILLEGAL_COMMAND_ERROR, which stops the buffer at the command.
                    self.stopped = true;
                    return None;
                }
            }
        }
        None
    }

    /// Writes an event, unless the log is full.
    pub(super) fn write_event(&mut self, ram: &mut Ram, fault: &Fault) {
        let pasid = u64::from(fault.pasid.unwrap_or(0));
        let below = if fault.pasid.is_some() { pasid & 0xffff } else { u64::from(fault.domain) };
        let high = pasid >> 16 << PASID_HIGH_SHIFT;
        let code = u64::from(fault.code) << CODE_SHIFT;
        // A full log loses the event; whoever looks sees that by its status.
        self.events.push(ram, &[code | below << DOMAIN_SHIFT | high | u64::from(fault.requester), fault.iova]);
    }
}

/// The flag of an event that says which way the transfer went.
pub(super) const fn direction(write: bool) -> u16 {
    if write { FLAG_WRITE } else { 0 }
}

/// The code and flags of what a walk refuses.
pub(super) fn number_of(reason: FaultReason, write: bool) -> u16 {
    let direction = direction(write);
    match reason {
        FaultReason::NoRead | FaultReason::NoWrite => PAGE_FAULT | FLAG_PRESENT | FLAG_DENIED | direction,
        FaultReason::BadTable => PAGE_FAULT | FLAG_PRESENT | FLAG_RESERVED | direction,
        FaultReason::TableUnreachable => TABLE_UNREACHABLE | direction,
        _ => PAGE_FAULT | direction,
    }
}
