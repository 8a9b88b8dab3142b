//! The driver half of the SMMUv3: stream table, context descriptors, commands.

use super::super::queue::CommandQueue;
use super::super::{Context, Pages, Root, Who, alloc, entry, set_word, set_words, word};
use super::commands::{
    ASID_SHIFT, CFGI_ALL, CFGI_CD, CFGI_STE, RANGE_ALL, STREAM_SHIFT, SUBSTREAM_SHIFT, TLBI_LEAF, TLBI_NH_ASID, TLBI_NH_VA, TLBI_NSNH_ALL,
    TLBI_S2_IPA, TLBI_S12_VMALL,
};
use super::layout::{
    ATTRIBUTES, CD_AARCH64, CD_ABORTS, CD_ASID_SHIFT, CD_GRANULE_SHIFT, CD_LG2, CD_MARKS_ACCESSED, CD_MARKS_DIRTY, CD_NO_UPPER,
    CD_OUTPUT_48, CD_OWN_ASID, CD_RECORDS, CD_VALID, CD_WRITE_BACK, CDS_LG2, CONFIG, CONFIG_NESTED, CONFIG_STAGE_1, CONFIG_STAGE_2,
    DEFAULT_IS_0, FORMAT_SHIFT, MERGES_EVENTS, POINTER, S2_AARCH64, S2_GRANULE_SHIFT, S2_OUTPUT_48, S2_PROTECTS_TABLES, S2_RECORDS,
    S2_SIZE_SHIFT, S2_START_SHIFT, S2_WRITE_BACK, SPLIT, STE_LG2, STE_WRITE_BACK, SUBSTREAMS_SHIFT, VALID,
};
use super::{Smmuv3, granule_of, size_of, start_of};
use crate::iommu::NO_PASID;
use crate::nested::FirstStage;
use crate::ram::{FRAME, FRAME_LG2, Ram};
use pgtable::{Format, Pa, TableMemory};
use uapi::{Errno, Result};

/// Lg2 of the bytes of a table of a bus.
const STES_LG2: u32 = SPLIT as u32 + STE_LG2;
/// An STE that aborts.
const ABORTED: u64 = VALID;

/// What a requester uses.
#[derive(Clone, Copy)]
struct Used {
    domain: u16,
    /// By stage 2, with a guest on top or without.
    second: bool,
}

impl Smmuv3 {
    /// Makes the STEs of a requester's bus, and for stage 1 the table of its context descriptors, which its STE names from now on and which stays.
    pub(super) fn make_room(&mut self, ram: &mut Ram, requester: u16, pasid_bits: u8) -> Result<()> {
        let first = self.streams + (u64::from(requester) >> SPLIT) * 8;
        if word(ram, first) == Some(0) {
            let table = self.table(ram, STES_LG2)?;
            for at in (table..).step_by(1 << STE_LG2).take(1 << SPLIT) {
                set_word(ram, at, ABORTED);
            }
            set_word(ram, first, table | (SPLIT + 1));
        }
        let at = self.stream_place(ram, requester).ok_or(Errno::EINVAL)?;
        if self.first.is_some() && word(ram, at) == Some(ABORTED) {
            let place = self.idle.partition_point(|&(other, _)| other < requester);
            self.idle.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            let bits = u32::from(pasid_bits).min(self.substream_bits);
            let two_levels = bits > CDS_LG2;
            let lg2 = if two_levels { FRAME_LG2.max(bits - CDS_LG2 + 3) } else { FRAME_LG2 };
            let table = self.table(ram, lg2)?;
            let idle = table | u64::from(two_levels) << FORMAT_SHIFT | u64::from(bits) << SUBSTREAMS_SHIFT | ABORTED;
            self.idle.insert(place, (requester, idle));
            set_word(ram, at, idle);
        }
        Ok(())
    }

    fn table(&mut self, ram: &mut Ram, lg2: u32) -> Result<u64> {
        let table = alloc(ram, lg2)?;
        self.frames += 1 << (lg2 - FRAME_LG2);
        Ok(table)
    }

    /// Where the STE of a requester is.
    fn stream_place(&self, ram: &Ram, requester: u16) -> Option<u64> {
        let first = word(ram, self.streams + (u64::from(requester) >> SPLIT) * 8).filter(|&first| first != 0)?;
        Some((first & POINTER) + ((u64::from(requester) & ((1 << SPLIT) - 1)) << STE_LG2))
    }

    /// Where the entry is that leads to the context descriptors around that of a PASID; `None`: they are in the one table.
    fn step_place(stream: u64, pasid: u32) -> Option<u64> {
        (stream >> FORMAT_SHIFT & 3 != 0).then_some((stream & POINTER) + u64::from(pasid >> CDS_LG2) * 8)
    }

    /// Where the context descriptor of a PASID is, by the STE, if its table is there.
    fn descriptor_place(ram: &Ram, stream: u64, pasid: u32) -> Option<u64> {
        if pasid >> (stream >> SUBSTREAMS_SHIFT) != 0 {
            return None;
        }
        let table = match Smmuv3::step_place(stream, pasid) {
            Some(step) => word(ram, step).filter(|step| step & VALID != 0)?,
            None => stream,
        };
        Some((table & POINTER) + (u64::from(pasid & ((1 << CDS_LG2) - 1)) << CD_LG2))
    }

    /// What a requester uses with a PASID.
    fn used(&self, ram: &Ram, who: Who) -> Option<Used> {
        let at = self.stream_place(ram, who.requester)?;
        let [stream, _, second] = entry(ram, at)?;
        if second != 0 {
            return (who.pasid == NO_PASID).then_some(Used { domain: second as u16, second: true });
        }
        self.first?;
        let descriptor = word(ram, Smmuv3::descriptor_place(ram, stream, who.pasid)?)?;
        (descriptor & CD_VALID != 0).then_some(Used { domain: (descriptor >> CD_ASID_SHIFT) as u16, second: false })
    }

    pub(super) fn set(&mut self, ram: &mut Ram, who: Who, to: &Context) -> Result<()> {
        let at = self.stream_place(ram, who.requester).ok_or(Errno::EINVAL)?;
        let entry: [u64; 4] = entry(ram, at).ok_or(Errno::EINVAL)?;
        let before = self.used(ram, who);
        let changed = match (self.first, self.second) {
            (Some(format), _) if to.host.first_stage => {
                let was_second = self.nests() && self.leave_second(ram, at, who.requester);
                let is_new = before.is_none_or(|before| before.second);
                if let Err(error) = self.set_descriptor(ram, (format, at), who.pasid, to, is_new) {
                    set_words(ram, at, &entry);
                    return Err(error);
                }
                self.update(ram, at) || was_second
            }
            (_, Some(format)) if !to.host.first_stage => {
                self.set_second(ram, (format, at), who, to)?;
                true
            }
            _ => return Err(Errno::EINVAL),
        };
        self.forget(ram, who, changed, before);
        Ok(())
    }

    /// Makes an STE of stage 2 one of stage 1 that aborts. Whether it was one.
    fn leave_second(&self, ram: &mut Ram, at: u64, requester: u16) -> bool {
        let was_second = word(ram, at + 16).is_some_and(|second| second != 0);
        if was_second {
            let found = self.idle.binary_search_by_key(&requester, |&(other, _)| other).ok();
            let idle = found.and_then(|place| self.idle.get(place)).map_or(ABORTED, |&(_, idle)| idle);
            set_words(ram, at, &[idle, 0, 0, 0]);
        }
        was_second
    }

    /// Writes an STE of stage 2, with a guest's stage 1 or without.
    fn set_second(&mut self, ram: &mut Ram, (format, at): (&Format, u64), who: Who, to: &Context) -> Result<()> {
        let [low, high] = match to.first {
            None => [CONFIG_STAGE_2 | VALID, 0],
            Some(FirstStage::Arm([low, high])) if self.nests() => [low | CONFIG_NESTED | VALID, high | MERGES_EVENTS],
            Some(FirstStage::Aborted) if self.nests() => [ABORTED, 0],
            Some(_) => return Err(Errno::EINVAL),
        };
        if who.pasid != NO_PASID || to.marks || !self.clear_for_second(ram, at, who.requester) {
            return Err(Errno::EINVAL);
        }
        let Root { table, levels, .. } = to.host;
        let size = size_of(format, levels) << S2_SIZE_SHIFT;
        let walk = size | start_of(format, levels) << S2_START_SHIFT | granule_of(format) << S2_GRANULE_SHIFT;
        let walk = walk | S2_WRITE_BACK | S2_OUTPUT_48 | S2_AARCH64 | S2_PROTECTS_TABLES | S2_RECORDS;
        // Of what is aborted the rest means nothing to the hardware; the driver finds there whose it was.
        set_words(ram, at, &[low, high, walk | u64::from(to.domain), table]);
        Ok(())
    }

    /// Takes the context descriptor of transfers without a PASID out of a requester's table. False, and nothing is changed, where PASIDs have some.
    fn clear_for_second(&mut self, ram: &mut Ram, at: u64, requester: u16) -> bool {
        let plain = Who { requester, pasid: NO_PASID };
        let Some(stream) = word(ram, at).filter(|_| self.nests()) else { return true };
        if word(ram, at + 16).is_some_and(|second| second != 0) {
            return true;
        }
        let default = self.used(ram, plain).is_some();
        let table = Smmuv3::descriptor_place(ram, stream, NO_PASID).map_or(0, |place| place & !(FRAME - 1));
        let others = ram.live(Pa(stream & POINTER)) != u32::from(default) || default && ram.live(Pa(table)) != 1;
        if default && !others {
            self.clear_descriptor(ram, at, NO_PASID);
        }
        !others
    }

    /// Writes a context descriptor; `new`: there was none.
    fn set_descriptor(&mut self, ram: &mut Ram, (format, at): (&Format, u64), pasid: u32, to: &Context, new: bool) -> Result<()> {
        let stream = word(ram, at).filter(|stream| pasid >> (stream >> SUBSTREAMS_SHIFT) == 0).ok_or(Errno::EINVAL)?;
        if let Some(step) = Smmuv3::step_place(stream, pasid)
            && word(ram, step) == Some(0)
        {
            let table = self.table(ram, FRAME_LG2)?;
            set_word(ram, step, table | VALID);
            count(ram, stream & POINTER, 1);
        }
        let place = Smmuv3::descriptor_place(ram, stream, pasid).ok_or(Errno::EINVAL)?;
        let Root { table, levels, .. } = to.host;
        let marks = if to.marks { CD_MARKS_DIRTY | CD_MARKS_ACCESSED } else { 0 };
        let walk =
            size_of(format, levels) | granule_of(format) << CD_GRANULE_SHIFT | CD_WRITE_BACK | CD_NO_UPPER | CD_OUTPUT_48 | CD_AARCH64;
        let faults = CD_RECORDS | CD_ABORTS;
        set_word(ram, place + 8, table);
        set_word(ram, place + 24, ATTRIBUTES);
        set_word(ram, place, walk | marks | faults | CD_OWN_ASID | CD_VALID | u64::from(to.domain) << CD_ASID_SHIFT);
        count(ram, place & !(FRAME - 1), i32::from(new));
        Ok(())
    }

    /// Makes an STE of stage 1 say whether there is any context descriptor, and whether there is one of transfers without a PASID. Whether that is new.
    fn update(&self, ram: &mut Ram, at: u64) -> bool {
        let Some([stream, before]) = entry(ram, at) else { return false };
        let is_used = ram.live(Pa(stream & POINTER)) != 0;
        let default = Smmuv3::descriptor_place(ram, stream, NO_PASID).and_then(|place| word(ram, place));
        let substream = if default.is_some_and(|descriptor| descriptor & CD_VALID != 0) { DEFAULT_IS_0 } else { 0 };
        let (config, high) = if is_used { (CONFIG_STAGE_1, STE_WRITE_BACK | substream) } else { (0, 0) };
        let low = stream & !CONFIG | config;
        set_word(ram, at + 8, high);
        set_word(ram, at, low);
        (low, high) != (stream, before)
    }

    pub(super) fn clear(&mut self, ram: &mut Ram, who: Who) {
        let Some(before) = self.used(ram, who) else { return };
        let Some(at) = self.stream_place(ram, who.requester) else { return };
        let changed = before.second && self.leave_second(ram, at, who.requester) || {
            self.clear_descriptor(ram, at, who.pasid);
            self.update(ram, at)
        };
        self.forget(ram, who, changed, Some(before));
    }

    /// Clears a context descriptor, and gives its table back with its last one.
    fn clear_descriptor(&mut self, ram: &mut Ram, at: u64, pasid: u32) {
        let Some(stream) = word(ram, at) else { return };
        let Some(place) = Smmuv3::descriptor_place(ram, stream, pasid) else { return };
        for at in (place..).step_by(8).take(4) {
            set_word(ram, at, 0);
        }
        let table = place & !(FRAME - 1);
        let live = count(ram, table, -1);
        if let Some(step) = Smmuv3::step_place(stream, pasid).filter(|_| live == 0) {
            set_word(ram, step, 0);
            ram.free_table(Pa(table), FRAME_LG2);
            self.frames -= 1;
            count(ram, stream & POINTER, -1);
        }
    }

    /// Posts what makes the hardware forget what a requester used with a PASID, which was of a domain or of none: its STE and with it all of its context
    /// descriptors if that has changed, else the one descriptor. What is not valid may be remembered too.
    fn forget(&mut self, ram: &mut Ram, who: Who, stream: bool, before: Option<Used>) {
        let of = u64::from(who.requester) << STREAM_SHIFT;
        let context = if stream { CFGI_STE } else { CFGI_CD | u64::from(who.pasid) << SUBSTREAM_SHIFT };
        self.post(ram, [context | of, 0]);
        if let Some(Used { domain, second }) = before {
            let domain = u64::from(domain);
            let translations = if second { TLBI_S12_VMALL | domain << STREAM_SHIFT } else { TLBI_NH_ASID | domain << ASID_SHIFT };
            self.post(ram, [translations, 0]);
        }
        self.wait(ram);
    }

    /// Posts what makes the hardware forget translations of pages.
    pub(super) fn forget_pages(&mut self, ram: &mut Ram, pages: &Pages) {
        let domain = u64::from(pages.domain);
        let (all, page, of) = if pages.first_stage {
            (TLBI_NH_ASID, TLBI_NH_VA, domain << ASID_SHIFT)
        } else {
            (TLBI_S12_VMALL, TLBI_S2_IPA, domain << STREAM_SHIFT)
        };
        match pages.each() {
            Some(each) => each.for_each(|address| self.post(ram, [page | of, address | TLBI_LEAF])),
            None => self.post(ram, [all | of, 0]),
        }
        self.wait(ram);
    }

    /// At the start: the hardware may remember anything.
    pub(super) fn forget_everything(&mut self, ram: &mut Ram) {
        self.post(ram, [CFGI_ALL, RANGE_ALL]);
        self.post(ram, [TLBI_NSNH_ALL, 0]);
        self.wait(ram);
    }
}

/// Counts an entry more or less in a table, and returns how many it has then.
fn count(ram: &mut Ram, table: u64, change: i32) -> u32 {
    let live = ram.live(Pa(table)).wrapping_add_signed(change);
    ram.set_live(Pa(table), live);
    live
}
