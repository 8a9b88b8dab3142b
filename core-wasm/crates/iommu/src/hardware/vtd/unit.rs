//! The hardware half of VT-d: look-ups, the invalidation queue, fault records. Numbers of faults are those of section 7.1.3 and its tables for scalable
//! mode.

use super::super::{Caches, Context, Fault, Found, Root, Who, absent, bad, entry, unreachable};
use super::Vtd;
use super::layout::{
    ADDRESS, ALL_OF_PASID, CONTEXT_DOMAIN_SHIFT, CONTEXT_PASIDS, CONTEXT_RESERVED, CONTEXT_RESERVED_HIGH, CONTEXT_SIZE_SHIFT, CONTEXT_TYPE,
    CONTEXT_WIDTH, DIRECTORY_RESERVED, DOMAIN_SHIFT, FAULT, FAULT_HAS_PASID, FAULT_PASID_SHIFT, FAULT_READ, FAULT_REASON_SHIFT, GLOBAL,
    GRANULARITY, HIGH_SHIFT, INVALIDATE_CONTEXTS, INVALIDATE_IOTLB, INVALIDATE_PASID_IOTLB, INVALIDATE_PASIDS, OF_DOMAIN, OF_PASID,
    OF_REQUESTER, PAGES_LG2, PAGES_LG2_MAX, PAGES_OF_DOMAIN, PAGES_OF_PASID, PASID_EXTENDED, PASID_MARKS, PASID_MODE_SHIFT, PASID_RESERVED,
    PASID_TYPE_SHIFT, PASID_WIDTH_SHIFT, PASID_WORDS, PASIDS_LG2, PRESENT, SCALABLE_RESERVED, SCALABLE_RESERVED_HIGH, TABLES_REMAIN,
    TYPE_FIRST, TYPE_NESTED, TYPE_SECOND, WAIT, WAIT_WRITES,
};
use crate::fault::FaultReason;
use crate::iommu::NO_PASID;
use crate::nested::{FirstStage, VtdTables};
use crate::ram::{FRAME, Ram};
use pgtable::Pa;

impl Vtd {
    pub(super) fn look_up_legacy(&self, ram: &Ram, who: Who) -> Found<Context> {
        let Who { requester, pasid } = who;
        if pasid != NO_PASID {
            return Err(absent(0x31));
        }
        let (root, offset) = self.places(requester);
        let [low, high] = entry(ram, root).ok_or(unreachable(0x8))?;
        if low & PRESENT == 0 {
            return Err(absent(0x1));
        }
        if low & !(ADDRESS | PRESENT) != 0 || high != 0 {
            return Err(bad(0xa));
        }
        let [low, high] = entry(ram, (low & ADDRESS) + offset).ok_or(unreachable(0x9))?;
        if low & PRESENT == 0 {
            return Err(absent(0x2));
        }
        if low & CONTEXT_RESERVED != 0 || high & CONTEXT_RESERVED_HIGH != 0 {
            return Err(bad(0xb));
        }
        let levels = self.levels_of(high & CONTEXT_WIDTH).filter(|_| low & CONTEXT_TYPE == 0).ok_or(bad(0x3))?;
        let host = Root { table: low & ADDRESS, levels, first_stage: false };
        Ok(Context { domain: (high >> CONTEXT_DOMAIN_SHIFT) as u16, host, first: None, marks: false })
    }

    pub(super) fn look_up_scalable(&self, ram: &Ram, who: Who) -> Found<Context> {
        let (root, offset) = self.places(who.requester);
        let [half] = entry(ram, root).ok_or(unreachable(0x38))?;
        if half & PRESENT == 0 {
            return Err(absent(0x39));
        }
        if half & !(ADDRESS | PRESENT) != 0 {
            return Err(bad(0x3a));
        }
        let context: [u64; 4] = entry(ram, (half & ADDRESS) + offset).ok_or(unreachable(0x40))?;
        let [low, high, ..] = context;
        if low & PRESENT == 0 {
            return Err(absent(0x41));
        }
        if low & SCALABLE_RESERVED != 0 || high & SCALABLE_RESERVED_HIGH != 0 || context[2..] != [0; 2] {
            return Err(bad(0x42));
        }
        // The PASID of requests without one is part of the entry.
        let pasid = if who.pasid == NO_PASID { high as u32 & 0xf_ffff } else { who.pasid };
        if who.pasid != NO_PASID && low & CONTEXT_PASIDS == 0 {
            return Err(absent(0x45));
        }
        if pasid >> (PASIDS_LG2 + 7) >> (low >> CONTEXT_SIZE_SHIFT & 7) != 0 {
            return Err(absent(0x46));
        }
        let [directory] = entry(ram, (low & ADDRESS) + u64::from(pasid >> PASIDS_LG2) * 8).ok_or(unreachable(0x50))?;
        if directory & PRESENT == 0 {
            return Err(absent(0x51));
        }
        if directory & DIRECTORY_RESERVED != 0 {
            return Err(bad(0x52));
        }
        let index = u64::from(pasid & ((1 << PASIDS_LG2) - 1));
        let words = entry(ram, (directory & ADDRESS) + index * 8 * PASID_WORDS as u64).ok_or(unreachable(0x58))?;
        self.read_pasid(&words)
    }

    /// What a PASID table entry says.
    fn read_pasid(&self, words: &[u64; PASID_WORDS]) -> Found<Context> {
        let [low, high, third, ..] = *words;
        if low & PRESENT == 0 {
            return Err(absent(0x59));
        }
        if low & PASID_RESERVED != 0 || low & !ADDRESS >> 52 << 52 != 0 || words[4..] != [0; 4] {
            return Err(bad(0x5a));
        }
        let (domain, mode) = (high as u16, third >> PASID_MODE_SHIFT & 3);
        let width = self.levels_of(low >> PASID_WIDTH_SHIFT & 7);
        let second = |levels| Root { table: low & ADDRESS, levels, first_stage: false };
        let marks = low & PASID_MARKS != 0;
        let context = match (low >> PASID_TYPE_SHIFT & 7, width) {
            (TYPE_SECOND, Some(levels)) => Context { domain, host: second(levels), first: None, marks },
            (TYPE_NESTED, Some(levels)) => {
                let (root, extended_accessed) = (third & ADDRESS, third & PASID_EXTENDED != 0);
                let first = FirstStage::Vtd(VtdTables { root, levels: 4 + mode as u32, extended_accessed });
                Context { domain, host: second(levels), first: Some(first), marks }
            }
            // Only a second stage has an address width, and marks that can be switched off.
            (TYPE_FIRST, _) if self.first_stage && mode <= 1 => {
                let host = Root { table: third & ADDRESS, levels: 4 + mode as u8, first_stage: true };
                Context { domain, host, first: None, marks: false }
            }
            _ => return Err(bad(0x5b)),
        };
        Ok(context)
    }

    /// The levels that an address width stands for, if the unit has those.
    fn levels_of(&self, width: u64) -> Option<u8> {
        (width + 2 == u64::from(self.levels)).then_some(self.levels)
    }

    /// Executes a descriptor. False for a bad one.
    pub(super) fn obey_command(&self, ram: &mut Ram, [low, high]: [u64; 2], caches: &mut dyn Caches) -> bool {
        let domain = (low >> DOMAIN_SHIFT) as u16;
        let number = low >> HIGH_SHIFT;
        match (low & 0xf, low & GRANULARITY) {
            (INVALIDATE_CONTEXTS, GLOBAL) | (INVALIDATE_PASIDS, OF_REQUESTER) => caches.forget_contexts(None, None, None),
            (INVALIDATE_CONTEXTS, OF_DOMAIN) | (INVALIDATE_PASIDS, 0) => caches.forget_contexts(None, None, Some(domain)),
            (INVALIDATE_CONTEXTS, OF_REQUESTER) => caches.forget_contexts(Some(number as u16), None, None),
            (INVALIDATE_PASIDS, OF_PASID) => caches.forget_contexts(None, Some(number as u32 & 0xf_ffff), Some(domain)),
            (INVALIDATE_IOTLB, GLOBAL) => caches.forget_translations(None),
            // Of a PASID: of its domain, which is what caches know.
            (INVALIDATE_IOTLB, OF_DOMAIN) | (INVALIDATE_PASID_IOTLB, ALL_OF_PASID) => caches.forget_translations(Some(domain)),
            (INVALIDATE_IOTLB, PAGES_OF_DOMAIN) | (INVALIDATE_PASID_IOTLB, PAGES_OF_PASID) if high & PAGES_LG2 <= PAGES_LG2_MAX => {
                let below = (FRAME << (high & PAGES_LG2)) - 1;
                caches.forget_pages(domain, high & !below, high | below, high & TABLES_REMAIN == 0);
            }
            (WAIT, _) if low & WAIT_WRITES != 0 && ram.contains(Pa(high & !3), 4) => {
                ram.bytes_mut(Pa(high & !3), 4).copy_from_slice(&(number as u32).to_le_bytes());
            }
            // Fault status: an invalidation queue error. The head stays at the descriptor.
            _ => return false,
        }
        true
    }

    /// The number of what a walk refuses. Second-stage entries without any permission are those that are not present.
    pub(super) fn number_of(&self, context: &Context, reason: FaultReason, write: bool) -> u16 {
        let denied = if write { 0x85 } else { 0x86 };
        match (reason, self.scalable, context.first.is_some() || context.host.first_stage) {
            (FaultReason::NotPresent | FaultReason::NoRead | FaultReason::NoWrite, false, _) => {
                if write {
                    0x5
                } else {
                    0x6
                }
            }
            (FaultReason::BeyondAperture, false, _) => 0x4,
            (FaultReason::TableUnreachable, false, _) => 0x7,
            (_, false, _) => 0xc,
            (FaultReason::NoRead | FaultReason::NoWrite, ..) => denied,
            (FaultReason::NotPresent, _, false) | (FaultReason::SecondStage, ..) => 0x79,
            (FaultReason::NotPresent, ..) => 0x71,
            (FaultReason::BeyondAperture, _, false) => 0x84,
            (FaultReason::BeyondAperture, ..) => 0x80,
            (FaultReason::TableUnreachable, _, false) => 0x78,
            (FaultReason::TableUnreachable, ..) => 0x76,
            (_, _, false) => 0x7a,
            _ => 0x72,
        }
    }

    /// Writes the fault recording register, unless it holds a record that nobody has taken.
    pub(super) fn write_fault(&mut self, fault: &Fault) {
        if self.fault[1] & FAULT != 0 {
            return;
        }
        let read = if fault.write { 0 } else { FAULT_READ };
        let pasid = fault.pasid.map_or(0, |pasid| u64::from(pasid) << FAULT_PASID_SHIFT | FAULT_HAS_PASID);
        let reason = u64::from(fault.code) << FAULT_REASON_SHIFT;
        self.fault = [fault.iova & !(FRAME - 1), FAULT | read | pasid | reason | u64::from(fault.requester)];
    }
}
