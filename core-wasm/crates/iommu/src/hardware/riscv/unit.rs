//! The hardware half of the RISC-V IOMMU: look-ups, the command queue, fault records. Causes are those of section 3.2.

use super::super::{Caches, Context, Fault, Found, Refusal, Root, Who, absent, bad, entry, unreachable, word};
use super::RiscV;
use super::layout::{
    CAP_PD8, CAP_SV39, CAP_SV39X4, CONTEXT_WORDS, DEVICE_SHIFT, DEVICE_UNREACHABLE, DISALLOWED, FENCE, FENCE_DATA_SHIFT, FENCE_WRITES,
    GSCID_SHIFT, GUEST_PAGE_FAULT, INDEX_LG2, INVALIDATE_DEVICE, INVALIDATE_FIRST, INVALIDATE_PROCESS, INVALIDATE_SECOND, MISCONFIGURED,
    MODE_OF_NO_LEVELS, NOT_VALID, NUMBER_SHIFT, OF_OWNER, OF_PAGE, OF_SPACE, OPERATION, POINTER_MIDDLE, POINTER_MODE_SHIFT, POINTER_NUMBER,
    PROCESS_BITS, PROCESS_INDEX_LG2, PROCESS_LG2, PROCESS_RESERVED, PROCESS_SHIFT, PROCESS_UNREACHABLE, PSCID_SHIFT, READ_UNTRANSLATED,
    RECORD_HAS_PROCESS, RECORD_TYPE_SHIFT, TA_RESERVED, TABLE_RESERVED, TC_DEFAULT_PROCESS, TC_NO_FAULTS, TC_PROCESSES, VALID,
};
use crate::iommu::NO_PASID;
use crate::ram::{FRAME, FRAME_LG2, Ram};
use pgtable::Pa;

/// A directory, of devices or of processes: contexts in its lowest tables, entries that lead on in those above.
pub(super) struct Directory {
    /// Where the top table is.
    pub(super) top: u64,
    /// Levels.
    pub(super) levels: u32,
    /// Bits of a number that index a lowest table.
    index_lg2: u32,
    /// Lg2 of the bytes of a context.
    context_lg2: u32,
    /// Bits of the numbers that it has places for.
    bits: u32,
    /// The cause of an entry that cannot be read.
    unreachable: u16,
}

impl Directory {
    /// Whether it has a place for `number`.
    pub(super) const fn reaches(&self, number: u32) -> bool {
        number >> self.bits == 0
    }

    /// Where the entry for `number` is in a table of a level, of which the lowest is 0.
    #[inline(never)]
    pub(super) const fn place(&self, table: u64, level: u32, number: u32) -> u64 {
        match level {
            0 => table + ((number as u64 & ((1 << self.index_lg2) - 1)) << self.context_lg2),
            _ => table + (number as u64 >> (self.index_lg2 + INDEX_LG2 * (level - 1)) & ((1 << INDEX_LG2) - 1)) * 8,
        }
    }

    /// Where the context for `number` is.
    #[inline(never)]
    fn find(&self, ram: &Ram, number: u32) -> Found<u64> {
        if !self.reaches(number) {
            return Err(DISALLOWED_HERE);
        }
        let mut table = self.top;
        for level in (1..self.levels).rev() {
            let step = word(ram, self.place(table, level, number)).ok_or(self.unreachable())?;
            self.check(step & VALID != 0, step & TABLE_RESERVED == 0)?;
            table = step >> NUMBER_SHIFT << FRAME_LG2;
        }
        Ok(self.place(table, 0, number))
    }

    /// Refuses an entry that is not valid, or not right.
    #[inline(never)]
    fn check(&self, valid: bool, right: bool) -> Found<()> {
        match (valid, right) {
            (true, true) => Ok(()),
            (true, false) => Err(bad(self.unreachable + MISCONFIGURED)),
            _ => Err(absent(self.unreachable + NOT_VALID)),
        }
    }

    /// What leads on leads out of memory.
    const fn unreachable(&self) -> Refusal {
        unreachable(self.unreachable)
    }
}

/// The requester has no such transactions.
const DISALLOWED_HERE: Refusal = absent(DISALLOWED);

impl RiscV {
    /// The device directory.
    #[inline(never)]
    pub(super) const fn devices(&self) -> Directory {
        let context_lg2 = self.context_lg2();
        let (top, levels, index_lg2) = (self.directory, self.levels, FRAME_LG2 - context_lg2);
        Directory { top, levels, index_lg2, context_lg2, bits: index_lg2 + INDEX_LG2 * (levels - 1), unreachable: DEVICE_UNREACHABLE }
    }

    /// The process directory that `fsc` names, if its mode is one.
    #[inline(never)]
    pub(super) fn processes(&self, fsc: u64) -> Option<Directory> {
        let levels = (fsc >> POINTER_MODE_SHIFT) as u32;
        let bits = PROCESS_BITS.get(levels.checked_sub(1)? as usize).copied()?;
        let top = (fsc & POINTER_NUMBER) << FRAME_LG2;
        let (index_lg2, context_lg2, unreachable) = (PROCESS_INDEX_LG2, PROCESS_LG2, PROCESS_UNREACHABLE);
        let is_there = self.capabilities & CAP_PD8 << (levels - 1) != 0;
        is_there.then_some(Directory { top, levels, index_lg2, context_lg2, bits, unreachable })
    }

    /// What the directories say of a requester with a PASID, by the steps of section 2.3.
    pub(super) fn look_up_entry(&self, ram: &Ram, who: Who) -> Found<Context> {
        let devices = self.devices();
        let at = devices.find(ram, who.requester.into())?;
        let [tc, iohgatp, ta, fsc] = entry(ram, at).ok_or(devices.unreachable())?;
        let has_processes = tc & TC_PROCESSES != 0;
        let table = self.table_of(iohgatp, ta, fsc);
        let is_right = self.is_right(ram, at, [tc, iohgatp, ta, fsc]) && (has_processes || table.is_some());
        devices.check(tc & VALID != 0, is_right)?;
        let directory = if has_processes { self.processes(fsc) } else { None };
        let Some(processes) = directory else {
            // A process where there are none.
            return table.filter(|_| who.pasid == NO_PASID).ok_or(DISALLOWED_HERE);
        };
        // Without a default, requests of no process would pass the first stage as they are, which this driver never lets them.
        if who.pasid == NO_PASID && tc & TC_DEFAULT_PROCESS == 0 {
            return Err(DISALLOWED_HERE);
        }
        let at = processes.find(ram, who.pasid)?;
        let [ta, fsc] = entry(ram, at).ok_or(processes.unreachable())?;
        let table = self.table_of(iohgatp, ta, fsc);
        processes.check(ta & VALID != 0, ta & PROCESS_RESERVED == 0 && table.is_some())?;
        table.ok_or(processes.unreachable())
    }

    /// Whether a device context is none of those that section 2.1.4 calls misconfigured, but for its page table.
    fn is_right(&self, ram: &Ram, at: u64, [tc, iohgatp, ta, fsc]: [u64; 4]) -> bool {
        let has_processes = tc & TC_PROCESSES != 0;
        let default = if has_processes { TC_DEFAULT_PROCESS } else { 0 };
        let words = 1 << (self.context_lg2() - 3);
        let interrupts = (4..CONTEXT_WORDS as u64).take_while(|&index| index < words).all(|index| word(ram, at + index * 8) == Some(0));
        let unused = if self.is_second() { fsc } else { iohgatp };
        tc & !(VALID | TC_NO_FAULTS | TC_PROCESSES | default) == 0
            && ta & TA_RESERVED == 0
            && unused >> POINTER_MODE_SHIFT == 0
            && (!has_processes || fsc & POINTER_MIDDLE == 0 && self.processes(fsc).is_some())
            && interrupts
    }

    /// The page table that the words of a context name, if the unit has such.
    #[inline(never)]
    fn table_of(&self, iohgatp: u64, ta: u64, fsc: u64) -> Option<Context> {
        let is_second = self.is_second();
        let (used, modes) = if is_second { (iohgatp, CAP_SV39X4) } else { (fsc, CAP_SV39) };
        let levels = (used >> POINTER_MODE_SHIFT).checked_sub(MODE_OF_NO_LEVELS).filter(|levels| (3..=5).contains(levels))?;
        // The top table of the second stage is 16 KiB, and aligned to that.
        let (domain, reserved) = if is_second { (used >> GSCID_SHIFT, 3) } else { (ta >> PSCID_SHIFT, POINTER_MIDDLE) };
        let is_right = self.capabilities & modes << (levels - 3) != 0 && used & reserved == 0;
        let host = Root { table: (used & POINTER_NUMBER) << FRAME_LG2, levels: levels as u8, first_stage: !is_second };
        is_right.then_some(Context { domain: domain as u16, host, first: None, marks: false })
    }

    /// Executes a command. False for a bad one.
    pub(super) fn obey_command(&self, ram: &mut Ram, [low, high]: [u64; 2], caches: &mut dyn Caches) -> bool {
        let requester = (low & OF_OWNER != 0).then_some((low >> DEVICE_SHIFT) as u16);
        let number = low >> PROCESS_SHIFT & 0xf_ffff;
        let page = high << 2 & !(FRAME - 1);
        match low & OPERATION {
            INVALIDATE_FIRST if requester.is_none() && low & OF_SPACE != 0 && low & OF_PAGE != 0 => {
                caches.forget_pages(number as u16, page, page | (FRAME - 1), false);
            }
            INVALIDATE_SECOND if requester.is_some() && low & OF_PAGE != 0 => {
                caches.forget_pages((low >> GSCID_SHIFT) as u16, page, page | (FRAME - 1), false);
            }
            INVALIDATE_FIRST if requester.is_none() => {
                caches.forget_translations((low & OF_SPACE != 0).then_some(number as u16));
            }
            INVALIDATE_FIRST | INVALIDATE_SECOND => {
                caches.forget_translations(requester.map(|_| (low >> GSCID_SHIFT) as u16));
            }
            INVALIDATE_DEVICE => caches.forget_contexts(requester, None, None),
            INVALIDATE_PROCESS if requester.is_some() => caches.forget_contexts(requester, Some(number as u32), None),
            FENCE if low & FENCE_WRITES == 0 => {}
            // A word of 32 bits, at an address without its lowest two bits.
            FENCE if ram.contains(Pa(high << 2), 4) => {
                ram.bytes_mut(Pa(high << 2), 4).copy_from_slice(&((low >> FENCE_DATA_SHIFT) as u32).to_le_bytes());
            }
            // An illegal command, or a fence that reaches no memory. The head stays at it.
            _ => return false,
        }
        true
    }

    /// Writes a record, unless the queue is full.
    pub(super) fn write_record(&mut self, ram: &mut Ram, fault: &Fault) {
        let process = fault.pasid.map_or(0, |pasid| u64::from(pasid) << PROCESS_SHIFT | RECORD_HAS_PROCESS);
        let kind = (READ_UNTRANSLATED + u64::from(fault.write)) << RECORD_TYPE_SHIFT;
        let header = u64::from(fault.requester) << DEVICE_SHIFT | kind | process | u64::from(fault.code);
        // A guest page fault says which address of the guest it was: with one stage alone the same.
        let guest = (GUEST_PAGE_FAULT..GUEST_PAGE_FAULT + 3).contains(&fault.code);
        self.faults.push(ram, [header, 0, fault.iova, if guest { fault.iova & !3 } else { 0 }]);
    }
}
