//! The driver half of the RISC-V IOMMU: directories and commands.

use super::super::queue::CommandQueue;
use super::super::{Context, Pages, Root, Who, alloc, set_word, set_words, word};
use super::layout::{
    DEVICE_SHIFT, FENCE, FENCE_ORDERS, GSCID_SHIFT, INVALIDATE_DEVICE, INVALIDATE_FIRST, INVALIDATE_PROCESS, INVALIDATE_SECOND,
    MODE_OF_NO_LEVELS, NUMBER_SHIFT, OF_OWNER, OF_PAGE, OF_SPACE, POINTER_MODE_SHIFT, PROCESS_BITS, PROCESS_SHIFT, PSCID_SHIFT,
    TC_DEFAULT_PROCESS, TC_PROCESSES, VALID,
};
use super::unit::Directory;
use super::{RiscV, number_of};
use crate::iommu::NO_PASID;
use crate::ram::{FRAME, FRAME_LG2, Ram};
use pgtable::{Pa, TableMemory};
use uapi::{Errno, Result};

/// A fence behind what was posted, as Linux has it: it is done when the queue's head is past it.
pub(super) const FENCE_ALL: [u64; 2] = [FENCE | FENCE_ORDERS, 0];

/// Where words of a device context are: iohgatp, ta, fsc.
const IOHGATP: u64 = 8;
const TA: u64 = 16;
const FSC: u64 = 24;

/// Where the context of a device is, or of one of its processes.
#[derive(Clone, Copy)]
enum ContextAt {
    Device(u64),
    Process(u64),
}

impl RiscV {
    /// Makes the device directory reach a requester, and a process directory for one with PASIDs; both stay.
    pub(super) fn make_room(&mut self, ram: &mut Ram, requester: u16, pasid_bits: u8) -> Result<()> {
        while !self.devices().reaches(requester.into()) {
            // What there was becomes the first entry of a level above. Nobody is attached yet.
            let top = self.table(ram)?;
            set_word(ram, top, number_of(self.directory) | VALID);
            count(ram, top, 1);
            (self.directory, self.levels) = (top, self.levels + 1);
            self.forget_everything(ram);
        }
        let at = self.need(ram, &self.devices(), requester.into())?;
        let mode = 1 + PROCESS_BITS.iter().filter(|&&bits| u32::from(pasid_bits) > bits).count() as u64;
        let fsc = mode << POINTER_MODE_SHIFT;
        if pasid_bits != 0 && self.processes(fsc).is_some() && word(ram, at) == Some(0) {
            let top = self.table(ram)?;
            set_word(ram, at + FSC, fsc | top >> FRAME_LG2);
            set_word(ram, at, TC_PROCESSES | TC_DEFAULT_PROCESS | VALID);
        }
        Ok(())
    }

    fn table(&mut self, ram: &mut Ram) -> Result<u64> {
        let table = alloc(ram, FRAME_LG2)?;
        self.frames += 1;
        Ok(table)
    }

    /// Where the context for `number` is in a directory, with the tables on the way made. ENOMEM, and then none is made that nobody uses.
    fn need(&mut self, ram: &mut Ram, directory: &Directory, number: u32) -> Result<u64> {
        let mut table = directory.top;
        for level in (1..directory.levels).rev() {
            let at = directory.place(table, level, number);
            let next = match child(ram, at) {
                Some(next) => next,
                None => {
                    let made = self.table(ram).inspect_err(|_| {
                        self.prune(ram, directory, number);
                    })?;
                    set_word(ram, at, number_of(made) | VALID);
                    count(ram, table, 1);
                    made
                }
            };
            table = next;
        }
        Ok(directory.place(table, 0, number))
    }

    /// Gives back the tables on the way to `number` that lead to nothing, from the lowest on. Whether there were any.
    #[inline(never)]
    fn prune(&mut self, ram: &mut Ram, directory: &Directory, number: u32) -> bool {
        let before = self.frames;
        for lowest in 1..directory.levels {
            let mut table = directory.top;
            for level in (lowest..directory.levels).rev() {
                let at = directory.place(table, level, number);
                let Some(next) = child(ram, at) else { break };
                if level == lowest && ram.live(Pa(next)) == 0 {
                    set_word(ram, at, 0);
                    count(ram, table, -1);
                    ram.free_table(Pa(next), FRAME_LG2);
                    self.frames -= 1;
                }
                table = next;
            }
        }
        self.frames != before
    }

    /// The process directory of a requester, if it has one that reaches a PASID; EINVAL if that has no place at all.
    fn processes_of(&self, ram: &Ram, who: Who, device: u64) -> Result<Option<Directory>> {
        let is_plain = word(ram, device).is_none_or(|tc| tc & TC_PROCESSES == 0);
        if is_plain && who.pasid == NO_PASID {
            return Ok(None);
        }
        let directory = word(ram, device + FSC).and_then(|fsc| self.processes(fsc)).filter(|_| !is_plain);
        directory.filter(|directory| directory.reaches(who.pasid)).map(Some).ok_or(Errno::EINVAL)
    }

    /// Where the context of a requester with a PASID is, with the tables on the way made if `make`. EINVAL if that has no place, ENOMEM.
    fn place(&mut self, ram: &mut Ram, who: Who, make: bool) -> Result<ContextAt> {
        let requester = u32::from(who.requester);
        let devices = self.devices();
        let device = Some(requester).filter(|&number| devices.reaches(number)).and_then(|number| step(ram, &devices, number));
        let device = device.ok_or(Errno::EINVAL)?;
        let Some(directory) = self.processes_of(ram, who, device)? else { return Ok(ContextAt::Device(device)) };
        let at = if make { self.need(ram, &directory, who.pasid)? } else { step(ram, &directory, who.pasid).ok_or(Errno::EINVAL)? };
        Ok(ContextAt::Process(at))
    }

    /// The domain of a context, if it is valid.
    fn domain_at(&self, ram: &Ram, place: ContextAt) -> Option<u16> {
        let (at, ta) = match place {
            ContextAt::Device(at) => (at, if self.is_second() { at + IOHGATP } else { at + TA }),
            ContextAt::Process(at) => (at, at),
        };
        let shift = if self.is_second() { GSCID_SHIFT } else { PSCID_SHIFT };
        word(ram, at).filter(|word| word & VALID != 0).and_then(|_| word(ram, ta)).map(|word| (word >> shift) as u16)
    }

    pub(super) fn set(&mut self, ram: &mut Ram, who: Who, to: &Context) -> Result<()> {
        if to.first.is_some() || to.marks {
            return Err(Errno::EINVAL);
        }
        let place = self.place(ram, who, true)?;
        let before = self.domain_at(ram, place);
        let Root { table, levels, .. } = to.host;
        let (pointer, domain) = (table >> FRAME_LG2 | (u64::from(levels) + MODE_OF_NO_LEVELS) << POINTER_MODE_SHIFT, u64::from(to.domain));
        match place {
            ContextAt::Device(at) if self.is_second() => {
                set_word(ram, at + IOHGATP, pointer | domain << GSCID_SHIFT);
                set_word(ram, at, VALID);
            }
            ContextAt::Device(at) => {
                set_words(ram, at + TA, &[domain << PSCID_SHIFT, pointer]);
                set_word(ram, at, VALID);
            }
            ContextAt::Process(at) => {
                set_word(ram, at + 8, pointer);
                set_word(ram, at, domain << PSCID_SHIFT | VALID);
                count(ram, at & !(FRAME - 1), i32::from(before.is_none()));
            }
        }
        // What is not valid is not cached.
        if let Some(before) = before {
            self.forget(ram, who, matches!(place, ContextAt::Process(_)), before);
        }
        Ok(())
    }

    pub(super) fn clear(&mut self, ram: &mut Ram, who: Who) {
        let Ok(place) = self.place(ram, who, false) else { return };
        let Some(before) = self.domain_at(ram, place) else { return };
        let (at, words) = match place {
            ContextAt::Device(at) => (at, &[0; 4][..]),
            ContextAt::Process(at) => (at, &[0; 2][..]),
        };
        set_words(ram, at, words);
        let mut of_process = false;
        if let ContextAt::Process(at) = place {
            count(ram, at & !(FRAME - 1), -1);
            // A table that goes is remembered with the device (6.3).
            of_process = !self.prune_processes(ram, who);
        }
        self.forget(ram, who, of_process, before);
    }

    /// As [`Self::prune`], in the process directory of a requester.
    fn prune_processes(&mut self, ram: &mut Ram, who: Who) -> bool {
        let device = step(ram, &self.devices(), who.requester.into());
        let directory = device.and_then(|device| self.processes_of(ram, who, device).ok()?);
        directory.is_some_and(|directory| self.prune(ram, &directory, who.pasid))
    }

    /// Posts what makes the hardware forget what a requester used, which was of `domain`: all of it, or that of one process.
    fn forget(&mut self, ram: &mut Ram, who: Who, of_process: bool, domain: u16) {
        let process = if of_process { INVALIDATE_PROCESS | u64::from(who.pasid) << PROCESS_SHIFT } else { INVALIDATE_DEVICE };
        self.post(ram, [process | OF_OWNER | u64::from(who.requester) << DEVICE_SHIFT, 0]);
        self.forget_translations(ram, domain, None);
        self.wait(ram);
    }

    /// Posts what makes the hardware forget translations of a domain, or of its page at an address.
    fn forget_translations(&mut self, ram: &mut Ram, domain: u16, page: Option<u64>) {
        let (of, address) = page.map_or((0, 0), |page| (OF_PAGE, page >> 2));
        let domain = u64::from(domain);
        if self.is_second() {
            // What a guest's first stage, even none, has cached of it goes by a command of its own (6.3.1), which knows no addresses of the second.
            self.post(ram, [INVALIDATE_FIRST | OF_OWNER | domain << GSCID_SHIFT, 0]);
            self.post(ram, [INVALIDATE_SECOND | OF_OWNER | domain << GSCID_SHIFT | of, address]);
        } else {
            self.post(ram, [INVALIDATE_FIRST | OF_SPACE | domain << PSCID_SHIFT | of, address]);
        }
    }

    /// Posts what makes the hardware forget translations of pages.
    pub(super) fn forget_pages(&mut self, ram: &mut Ram, pages: &Pages) {
        // A second stage takes two commands for each, which the queue has no room for.
        match pages.each().filter(|_| !self.is_second() || pages.single) {
            Some(each) => each.for_each(|page| self.forget_translations(ram, pages.domain, Some(page))),
            None => self.forget_translations(ram, pages.domain, None),
        }
        self.wait(ram);
    }

    /// At the start: the hardware may remember anything.
    pub(super) fn forget_everything(&mut self, ram: &mut Ram) {
        self.post(ram, [INVALIDATE_DEVICE, 0]);
        self.post(ram, [if self.is_second() { INVALIDATE_SECOND } else { INVALIDATE_FIRST }, 0]);
        self.wait(ram);
    }
}

/// Counts the entries that a table has.
#[inline(never)]
fn count(ram: &mut Ram, table: u64, change: i32) {
    let live = ram.live(Pa(table)).wrapping_add_signed(change);
    ram.set_live(Pa(table), live);
}

/// Where an entry that is valid leads.
#[inline(never)]
fn child(ram: &Ram, at: u64) -> Option<u64> {
    word(ram, at).filter(|word| word & VALID != 0).map(|word| word >> NUMBER_SHIFT << FRAME_LG2)
}

/// Where the context for `number` is in a directory, if its table is there.
#[inline(never)]
fn step(ram: &Ram, directory: &Directory, number: u32) -> Option<u64> {
    let mut tables = (1..directory.levels).rev();
    let lowest = tables.try_fold(directory.top, |table, level| child(ram, directory.place(table, level, number)));
    lowest.map(|table| directory.place(table, 0, number))
}
